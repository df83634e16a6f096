"""What an operator's constraint refuses of one device's commands costs those of no other device."""
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
