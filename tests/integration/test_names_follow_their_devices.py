"""What a scanner calls itself, and where it says that it is, is kept; what somebody chose stays."""
import contextlib
import json

import psycopg2
import pytest

from waiting import wait_until

HEARD = {"device_hash": "ab" * 32, "rssi": -50}


def say(broker, code="rpi-1", detections=(HEARD,), **members):
    broker.publish("tfg/detections/raw", json.dumps(
        {"device_id": code, "detections": list(detections), **members}))


def named(database, code="rpi-1"):
    rows = database.rows("SELECT name, location FROM devices WHERE code = %s", code)
    return rows[0] if rows else None


def wait_named(database, name, location, code="rpi-1"):
    wait_until(lambda: named(database, code) == (name, location), f"{code}: {name}, {location}")


def test_a_scanner_is_called_what_it_says(gateway, broker, database, viewer):
    hub = viewer("/ws/devices", "root")
    hub.next_of("device_list")
    say(broker, name="Entrance", location="Building A")
    wait_named(database, "Entrance", "Building A")
    say(broker, name="Exit", location="Building B")
    wait_named(database, "Exit", "Building B")
    wait_until(lambda: gateway.get("/api/v1/devices/rpi-1", "root").json()["name"] == "Exit", "page")
    wait_until(lambda: gateway.get("/api/devices/rpi-1", "root").json()["name"] == "Exit", "list")
    hub.wait_for(lambda texts: any('"name":"Exit","location":"Building B"' in t for t in texts), "a live update")
    say(broker, detections=(), location="Roof")  # a heartbeat, without a name
    wait_named(database, "Exit", "Roof")
    wait_until(lambda: gateway.get("/api/devices/rpi-1", "root").json()["location"] == "Roof", "list")
    hub.wait_for(lambda texts: any('"location":"Roof"' in t for t in texts), "a live update")
    say(broker, name="", location=None)  # says nothing
    database.wait_for("SELECT count(*) FROM ble_detections", 3)
    assert named(database) == ("Exit", "Roof")

    assert gateway.terminate() == 0
    gateway.start()
    assert gateway.get("/api/v1/devices/rpi-1", "root").json()["location"] == "Roof"
    say(broker, name="Gate", location="Roof")
    wait_named(database, "Gate", "Roof")


SAYS = {  # each kind that says what its device is called, on a device that there is
    "status": ("users/ana/devices/dev-1/status", {"status": "online"}),
    "status of the hub": ("devices/dev-1/status", {"status": "warning", "device_code": "dev-1"}),
    "camera": ("surveillance/camera/dev-1/event", {"event_type": "motion", "data": {"location": {"top": 1}}}),
    "detections": ("tfg/detections/raw", {"device_id": "dev-1", "detections": [HEARD]}),
    "telemetry": ("ems/dev-1/telemetry", {"voltage": 230}),
}
NAMES = {"telemetry": "device_name"}  # a `name` there is as often that of a measurement


@pytest.mark.parametrize("kind", SAYS)
def test_every_door_says_what_a_device_calls_itself(gateway, broker, database, viewer, kind):
    topic, message = SAYS[kind]
    hub = viewer("/ws/devices", "ana")
    hub.next_of("device_list")
    for name, location in (("Boiler", "Cellar"), ("Heater", "Roof")):
        broker.publish(topic, json.dumps({**message, NAMES.get(kind, "name"): name, "location": location}))
        wait_named(database, name, location, "dev-1")
        hub.wait_for(lambda texts: any(f'"name":"{name}","location":"{location}"' in t for t in texts), "a live update")  # noqa: B023
        wait_until(lambda: gateway.get("/api/devices/dev-1", "ana").json()["name"] == name, "REST")  # noqa: B023
    assert database.value("SELECT count(*) FROM row_notes") == 0
    gateway.terminate()
    gateway.start()
    device = viewer("/ws/devices", "ana").next_of("device_list")["devices"][0]
    assert (device["name"], device["location"]) == ("Heater", "Roof")


def test_a_measurement_names_no_device(gateway, broker, database):
    broker.publish("ems/dev-1/telemetry", json.dumps({"name": "voltage", "value": 230, "location": {"lat": 1}}))
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    broker.publish("ems/dev-1/telemetry", json.dumps({"name": "current", "device_name": "Meter"}))
    wait_named(database, "Meter", None, "dev-1")
    assert database.value("SELECT said_name FROM devices WHERE code = 'dev-1'") == "Meter"


def test_what_somebody_chose_stays(gateway, broker, database):
    say(broker, name="Entrance", location="Building A")
    wait_named(database, "Entrance", "Building A")
    database.rows("UPDATE devices SET name = 'Main door' WHERE code = 'rpi-1'")
    say(broker, name="Exit", location="Building B")
    wait_named(database, "Main door", "Building B")
    say(broker, name="Gate", location="Building C")
    wait_named(database, "Main door", "Building C")
    gateway.add_device("rpi-2", "ana", "--name", "Kitchen")
    say(broker, "rpi-2", name="raspberrypi", location="Ground floor")
    wait_named(database, "Kitchen", "Ground floor", "rpi-2")
    assert gateway.get("/api/v1/devices/rpi-2", "ana").json()["name"] == "Kitchen"


def test_an_old_message_that_is_taken_in_again_names_nothing(gateway, broker, database):
    say(broker, name="New", location="Now")
    wait_named(database, "New", "Now")
    letter = json.dumps({"device_id": "rpi-1", "detections": [HEARD], "name": "Old", "location": "Then"})
    database.rows("INSERT INTO dead_letters (journal_id, seq, received_at, reason, topic, payload)"
                  " SELECT max(journal_id), 1, now() - interval '1 minute', 'unknown_device',"
                  " 'tfg/detections/raw', convert_to(%s, 'UTF8') FROM journal_positions", letter)
    gateway.cli("dead-letters", "replay", "--reason", "unknown_device")
    assert database.value("SELECT count(*) FROM ble_detections") == 2
    assert named(database) == ("New", "Now")


def test_a_name_never_holds_up_what_was_heard(gateway, broker, database):
    say(broker, name="Entrance")
    wait_named(database, "Entrance", None)
    database.wait_for("SELECT count(*) FROM ble_detections", 1)  # its first row looks at its device
    with contextlib.closing(psycopg2.connect(database.url)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT FROM devices FOR UPDATE")  # somebody is at it, for as long as he likes
        say(broker, name="Exit")
        database.wait_for("SELECT count(*) FROM ble_detections", 2)
        conn.rollback()
    assert named(database) == ("Entrance", None)


@pytest.mark.parametrize("guard", [
    "ALTER TABLE devices ADD CHECK (length(name) < 10)",
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
    "CREATE TRIGGER no BEFORE UPDATE ON devices FOR EACH ROW EXECUTE FUNCTION no()"])
def test_a_name_that_is_refused_costs_nothing_that_was_heard(gateway, broker, database, guard):
    say(broker, name="Entrance")
    wait_named(database, "Entrance", None)
    database.rows(guard)
    for _ in range(2):
        say(broker, name="The entrance of the building")
    database.wait_for("SELECT count(*) FROM ble_detections", 3)
    assert named(database) == ("Entrance", None)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert gateway.get("/readyz").status_code == 200
