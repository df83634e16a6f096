"""Two gateways with one database and one broker: one stores, the other waits for its turn."""
import os
import signal

import pytest

from conftest import populate
from waiting import PATIENCE, wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY logs::int"


def publish(publisher, numbers):
    for n in numbers:
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()


def stored(database, numbers):
    """These, each of them once."""
    want = [(str(n),) for n in numbers]
    database.wait_for("SELECT count(DISTINCT logs) FROM raw_logs", len(want))
    assert database.rows(LOGS) == want


def stands_by(gateway):
    answer = gateway.get("/readyz")
    return answer.status_code == 503 and answer.json()["status"] == "standby" and answer.json()


def wait_standing_by(gateway):
    wait_until(lambda: gateway.status("/livez") == 200, "the other one to be alive")
    return wait_until(lambda: stands_by(gateway), "the other one to stand by")


@pytest.fixture
def pair(make_gateway):
    """The first stores, the second has another journal and stands by."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    return first, second


def test_second_waits_and_says_for_whom(pair, database, publisher):
    first, second = pair
    publish(publisher, range(50))
    stored(database, range(50))
    said = stands_by(second)
    assert said["reasons"] == ["standby"] and said["holder"] == f"{os.uname().nodename}:{first.pid}"
    assert f"lease_waiting slot=0 holder={said['holder']} " in second.log()
    assert second.metric("tidegate_lease_waiting") == 1 == first.metric("tidegate_lease_held")
    assert second.metric("tidegate_received_total") == 0 == second.metric("tidegate_mqtt_connects_total")
    answer = second.post("/api/v1/detections", json={"detections": []},
                         headers={"X-Device-Token": first.ids["dev-1 token"]})
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "standby"
    assert first.get("/api/ws/stats", "root").json()["lease"] == {"held": True, "holder": None}
    assert first.cli("journal", "verify").returncode == 0
    assert second.cli("journal", "verify").returncode == 0
    assert second.terminate() == 0  # at once, though it never was ready


def test_it_goes_over_at_once_at_a_proper_end(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    assert first.terminate() == 0
    publish(publisher, range(20, 40))  # kept by the broker, in the session of both
    second.wait_ready()
    publish(publisher, range(40, 60))
    stored(database, range(60))
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    publish(publisher, range(60, 80))
    first.wait_ready()
    stored(database, range(80))
    for gateway in pair:
        assert "lease_lapsed" not in gateway.log()


def test_it_goes_over_after_the_lease_when_the_first_is_killed(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    first.kill()
    publish(publisher, range(20, 40))
    second.wait_ready()
    assert "lease_lapsed" in second.log()
    stored(database, range(40))
    assert database.value("SELECT fence FROM slots") == 2


def test_stopped_beyond_its_lease_it_stores_nothing_more(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    position = database.value("SELECT seq FROM journal_positions")
    os.kill(first.pid, signal.SIGSTOP)
    second.wait_ready()
    publish(publisher, range(20, 60))
    stored(database, range(60))
    os.kill(first.pid, signal.SIGCONT)
    assert first.process.wait(PATIENCE) != 0  # for a service manager to start it again
    first.process = None
    assert "lease_lost slot=0 " in first.log()
    publish(publisher, range(60, 80))
    stored(database, range(80))
    assert database.value("SELECT min(seq) FROM journal_positions") == position
    first.start(wait=False)
    wait_standing_by(first)
