"""Promise: what a connection to the broker still brings when somebody else has had its session meanwhile came to that one,
too, and is not stored once more by who has the session back."""
import pytest

from conftest import populate
from waiting import wait_until

N = 400
VEHICLES = ("USV-1", "USV-2")


@pytest.mark.parametrize("slots", [1, 4])
def test_who_was_stopped_and_has_its_slots_back_stores_nothing_of_before(make_gateway, database, publisher, slots):
    first, second = (make_gateway(cluster__node=name, cluster__slots=slots, cluster__lease="2s", mqtt__canary="0",
                                   shutdown__grace="300s")
                     for name in ("n1", "n2"))
    populate(first)
    first.start()
    first.freeze()
    for n in range(N):  # the broker writes them to whoever does not read
        publisher.publish(f"seano/{VEHICLES[n % 2]}/raw_log", str(n))
    publisher.flush()
    second.start()
    database.wait_for("SELECT count(*) FROM raw_logs", N)
    assert second.terminate() == 0
    first.thaw()
    for n in range(N, N + 10):
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()
    n_stored = "SELECT count(DISTINCT logs) FROM raw_logs"
    wait_until(lambda: first.process.poll() is not None or database.value(n_stored) == N + 10, "it to see what came")
    if first.process.poll() is not None:  # unless it heard of the end of its connection first
        assert first.process.wait() == 1 and "mqtt_stale" in first.log()
        assert database.value("SELECT count(*) FROM slots WHERE instance IS NULL") == slots, "nobody has to wait for its lease"
        first.process = None
        first.start()
    database.wait_for(n_stored, N + 10)
    assert [int(n) for (n,) in database.rows("SELECT logs FROM raw_logs ORDER BY logs::int")] == list(range(N + 10))
