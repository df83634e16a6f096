"""What an operator's constraint refuses of one device's commands costs those of no other device."""
import psycopg2
import pytest

from commanding import command, state, wait_for_state


@pytest.mark.parametrize("what", ["claimed_by", "published_at", "expiry_noted_at"])
def test_a_command_whose_row_is_refused_keeps_no_other_waiting(gateway, database, what):
    device = gateway.ids["dev-1"]
    database.rows(f"ALTER TABLE commands ADD CHECK (device_id <> {device} OR {what} IS NULL) NOT VALID")
    ttl = {"timeout_ms": 1200} if what == "expiry_noted_at" else {}
    refused = command(gateway, **ttl)
    others = [command(gateway, user="ben", device="dev-2", **ttl) for _ in range(2)]
    for other in others:
        wait_for_state(database, other, "expired" if ttl else "published")
    assert state(database, refused) == ("published" if what != "claimed_by" else "accepted")
    assert " command_row_refused command=" in gateway.log()
    assert gateway.status("/readyz") == 200


@pytest.mark.parametrize("column", ["expires_at", "created_at", "updated_at"])
@pytest.mark.parametrize("time", ["infinity", "-infinity", "294276-12-31", "0044-03-15 BC"])
def test_a_time_that_nobody_can_count_is_refused_when_it_is_inserted(gateway, database, column, time):
    """Of one such row none could be read any more."""
    device = gateway.ids["dev-1"]
    with pytest.raises(psycopg2.errors.CheckViolation):
        database.rows(f"INSERT INTO commands (command_id, device_id, action, {column}) VALUES ('c-1', %s, 'x', %s)", device, time)
    database.rows("INSERT INTO commands (command_id, device_id, action, expires_at) VALUES ('c-2', %s, 'x', '9999-12-31')", device)
    wait_for_state(database, "c-2", "published")
    wait_for_state(database, command(gateway, user="ben", device="dev-2"), "published")
    assert [c["command_id"] for c in gateway.get("/api/commands", "ana").json()["items"]] == ["c-2"]
