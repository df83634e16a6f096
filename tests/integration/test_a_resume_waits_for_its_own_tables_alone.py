"""A resume reads what may be of its targets: an operator's lock on other tables holds it up as little as a page."""
import contextlib

import pytest

from conftest import populate
from test_everybody_gets_a_turn import locked, waits_for
from waiting import wait_until

OF_DEVICES = ("ble_detections", "telemetry", "camera_events", "command_events", "device_status_logs")
OF_VEHICLES = ("raw_logs", "sensor_logs", "vehicle_logs")


@pytest.fixture
def resumes(make_gateway, broker, database):
    """(target, user) -> what is given of it behind a cursor of which only the database knows. Eve has nothing."""
    gateway = make_gateway(database__query_timeout="5s", http__answer_timeout="10s")
    populate(gateway)
    gateway.add_user("eve")
    gateway.start()
    cursor = gateway.get("/api/events/poll?to=user&wait=0", "ben").headers["Tidegate-Cursor"]
    for n in range(3):
        broker.publish("seano/USV-2/raw_log", f"line {n}")
        broker.publish("ems/dev-2/telemetry", f'{{"n":{n}}}')
    database.wait_for("SELECT (SELECT count(*) FROM raw_logs) + (SELECT count(*) FROM telemetry)", 6)
    gateway.stop()
    gateway.start()
    return lambda target, user="ben": gateway.get(f"/api/events/poll?to={target}&wait=0&since={cursor}", user)


@pytest.mark.parametrize("target, others, kind", [("vehicle/USV-2", OF_DEVICES, "raw_log"), ("device/dev-2", OF_VEHICLES, "telemetry")])
def test_a_resume_waits_for_no_lock_on_tables_that_have_nothing_of_it(resumes, database, target, others, kind):
    with contextlib.ExitStack() as locks:
        for table in others:
            locks.enter_context(locked(database, table))
        answer = resumes(target)
        assert not any(waits_for(database, table) for table in others)
    assert answer.status_code == 200 and answer.json()["recovered"] is True
    assert [event["type"] for event in answer.json()["events"]] == [kind] * 3


def test_a_resume_of_who_has_nothing_asks_no_table(resumes, database):
    with contextlib.ExitStack() as locks:
        for table in (*OF_DEVICES, *OF_VEHICLES, "alerts"):
            locks.enter_context(locked(database, table))
        answer = resumes("user", "eve")
    assert answer.status_code == 204  # he has missed nothing, and is not told to begin anew
