"""What an operator's constraint refuses of the position is an outage: told, and over when it is mended."""
import pytest

from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import refusals
from waiting import wait_until

RULES = {  # table -> what its rows may not say; each batch writes one
    "journal_positions": "seq <= {seq}",
    "slot_flights": "total < 0",
}


@pytest.mark.parametrize("table", RULES)
def test_a_position_that_is_refused_is_told_and_costs_no_message(gateway, broker, database, viewer, table):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    broker.publish("seano/USV-1/raw_log", "before")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    v.next_of("raw_log")
    seq = database.value("SELECT max(seq) FROM journal_positions")
    database.rows(f"ALTER TABLE {table} ADD CONSTRAINT picky CHECK ({RULES[table].format(seq=seq)}) NOT VALID")
    for n in range(3):
        broker.publish("seano/USV-1/raw_log", f"load {n}")
    for _ in range(3):
        v.next_of("raw_log")
    assert gateway.metric("tidegate_broadcast_total", persisted="false") == 3
    wait_until(lambda: refusals(gateway) >= 2, "some attempts")
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.json()["reasons"], answer.json()["sqlstate"]) == (503, ["database_away"], "23514")
    assert f' database_refuses sqlstate=23514 error="new row for relation "{table}" violates check constraint "picky""' \
        in gateway.log()
    database.rows(f"ALTER TABLE {table} DROP CONSTRAINT picky")
    assert_books_are_closed(gateway)
    assert database.value("SELECT count(*) FROM raw_logs") == 4
    assert database.value("SELECT count(*) FROM dead_letters") == 0
