"""Promise: `each` takes a message apart for every kind: a row an element, of its own thing, and a letter for the one that is bad."""
import json

import pytest

from commanding import command, wait_for_state
from conftest import populate
from waiting import wait_until

HASH = "ab" * 32
KINDS = {  # its table, what its rows say, and elements: good for the first thing, bad, good for the second
    "device_status": ("device_status_logs", "status", [
        {"status": "online"}, {"status": "sideways"}, {"status": "error"}], ["online", "error"]),
    "raw_log": ("raw_logs", "logs", [
        {"message": "one"}, 7, {"message": "two"}], ["one", "two"]),
    "sensor_log": ("sensor_logs", "data->>'n'", [
        {"sensor_id": 1, "data": {"n": 1}}, {"data": {"n": 2}}, {"sensor_id": 1, "data": {"n": 3}}], ["1", "3"]),
    "vehicle_log": ("vehicle_logs", "speed::text", [{"speed": 1}, {"x": 1}, {"speed": 3}], ["1", "3"]),
    "ble_detections": ("ble_detections", "rssi::text", [
        {"detections": [{"device_hash": HASH, "rssi": -50}]}, {"detections": 7},
        {"detections": [{"device_hash": HASH, "rssi": -60}]}], ["-50", "-60"]),
    "telemetry": ("telemetry", "payload->>'n'", [{"n": 1}, 7, {"n": 3}], ["1", "3"]),
    "camera_event": ("camera_events", "event_type", [
        {"event_type": "motion"}, {"data": {}}, {"event_type": "face_detected"}], ["motion", "face_detected"]),
    "alert": ("alerts", "message", [{"message": "low"}, {"severity": "info"}, {"message": "high"}], ["low", "high"]),
}


def route(kind):
    who = "vehicle" if kind in ("raw_log", "sensor_log", "vehicle_log", "alert") else "device"
    what = "message = /message\n" if kind == "raw_log" else ""
    return f"[route all]\ntopic = site/up\nkind = {kind}\neach = /list\n[map all]\n{who} = /who\n{what}"


def started(make_gateway, kind):
    gateway = make_gateway(journal__check="300ms")
    gateway.routes = route(kind)
    gateway.write_conf()
    populate(gateway)
    return gateway.start()


def publish(broker, kind, elements):
    things = ("USV-1", "USV-2") if "vehicle = /who" in route(kind) else ("dev-1", "dev-2")
    broker.publish("site/up", json.dumps({"list": [
        {"who": things[i // 2], **one} if isinstance(one, dict) else one for i, one in enumerate(elements)]}))


def balanced(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_elements_of_a_kind_are_rows_of_their_own(make_gateway, broker, database, kind):
    table, column, elements, expected = KINDS[kind]
    gateway = started(make_gateway, kind)
    publish(broker, kind, elements)
    database.wait_for(f"SELECT count(*) FROM {table}", 2)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    thing = "vehicle_id" if "vehicle = /who" in route(kind) else "device_id"
    assert [row[0] for row in database.rows(f"SELECT {column} FROM {table} ORDER BY seq")] == expected
    assert database.value(f"SELECT count(DISTINCT {thing}) FROM {table}") == 2
    [(first,), (last,)] = database.rows(f"SELECT seq FROM {table} ORDER BY seq")
    [(seq, element)] = database.rows("SELECT seq, element FROM dead_letters")
    assert (seq - first, last - first, element) == (1, 2, 2)
    balanced(gateway)


def test_answers_to_commands_are_elements_too(make_gateway, broker, database):
    gateway = make_gateway(journal__check="300ms")
    gateway.routes = route("command_ack").replace("device = /who", "device = /who\nstatus = /state")
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    done, failed = command(gateway), command(gateway)
    publish(broker, "command_ack", [{"command_id": done, "state": "ok"}, {"command_id": "cmd_no", "state": "ok"}])
    broker.publish("site/up", json.dumps({"list": [{"who": "dev-1", "command_id": failed, "state": "error"}]}))
    wait_for_state(database, done, "done")
    wait_for_state(database, failed, "failed")
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_command' AND element = 2", 1)
    balanced(gateway)
