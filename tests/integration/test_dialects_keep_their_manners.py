"""Welcomes, pings, subscriptions and limits of the dialects A to E."""
import json
import re
import uuid

import pytest

from conftest import populate
from viewers import RawViewer, Viewer, refused
from waiting import wait_until

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def test_dialect_a_answers_text_ping_and_ignores_other_text(viewer, gateway):
    for path in ("/ws", "/"):
        v = viewer(path, "ana")
        v.send("hello?")
        v.send('{"type":"ping"}')
        v.send("ping")
        assert v.next() == "pong"
        assert not v.closed


def test_dialect_a_sends_statistics_when_they_have_changed(make_gateway, broker, viewer, folder):
    gateway = make_gateway(ws__stats_interval="200ms")
    populate(gateway)
    gateway.start()
    v = viewer("/ws", "ana")
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
        {"device_hash": "ab" * 32, "rssi": -50}, {"device_hash": "ab" * 32, "rssi": -54},
        {"device_hash": "cd" * 32, "rssi": -70}]}))

    def is_full(texts):
        return any('"total_detections":3' in t for t in texts if "stats_update" in t)

    v.wait_for(is_full, "a stats_update with all detections")
    frame = [json.loads(t) for t in v.frames if "stats_update" in t][-1]
    assert list(frame) == ["type", "timestamp", "data"]
    data = frame["data"]
    assert list(data) == ["timestamp", "time_window_minutes", "by_zone", "total"]
    assert data["time_window_minutes"] == 5
    assert data["by_zone"]["near"] == {"unique_devices": 1, "total_detections": 2,
                                       "estimated_people": 1, "avg_rssi": -52.0}
    assert data["by_zone"]["medium"]["unique_devices"] == 1
    assert data["total"] == {"unique_devices": 2, "total_detections": 3, "estimated_people": 1}


def test_dialect_d_answers_pings_subscriptions_and_nonsense(gateway, viewer):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    v.send({"type": "ping", "timestamp": 1760804000123})
    assert v.next() == '{"type":"pong","timestamp":1760804000123}'
    v.send({"type": "ping", "timestamp": "2025-10-18T16:30:00Z"})
    assert v.next() == '{"type":"pong","timestamp":"2025-10-18T16:30:00Z"}'
    v.send("not json")
    assert v.next() == '{"type":"error","message":"Invalid JSON format"}'
    v.send({"type": "subscribe"})
    assert v.next() == '{"type":"subscription_ack","message":"Subscription preferences updated"}'

    one = viewer(f"/api/ws/vehicle/{gateway.ids['USV-1']}", "ana")
    one.next_of("connection")
    one.send({"type": "ping", "timestamp": 7})
    assert one.next_json() == {"type": "pong", "timestamp": 7, "vehicle_id": gateway.ids["USV-1"]}


def test_dialect_d_enforces_what_was_subscribed(gateway, broker, viewer):
    gateway_id = gateway.ids["USV-1"]
    v, witness = viewer("/api/ws", "ana"), viewer("/api/ws", "ana")
    v.next_of("connection")
    v.send({"type": "subscribe", "event_types": ["raw_log"]})
    v.next_of("subscription_ack")
    broker.publish("seano/USV-1/sensor_log", '{"sensor_id":1,"data":{"x":1}}')
    broker.publish("seano/USV-1/raw_log", "wanted")
    frame = v.next_json()
    assert (frame["type"], frame["data"]) == ("raw_log", "wanted")

    v.send({"type": "subscribe", "event_types": ["raw_log", "sensor_log"],
            "vehicle_ids": [gateway_id + 1000]})
    v.next_of("subscription_ack")
    broker.publish("seano/USV-1/raw_log", "of no interest")
    witness.wait_for(lambda texts: any("of no interest" in t for t in texts), "it to be on its way")
    v.send({"type": "subscribe", "vehicle_ids": [gateway_id], "event_types": ["raw_log"]})
    v.next_of("subscription_ack")
    broker.publish("seano/USV-1/raw_log", "wanted again")
    assert v.next_json()["data"] == "wanted again"


def test_dialect_d_vehicle_path_shows_that_vehicle_alone(gateway, broker, viewer):
    v = viewer(f"/api/ws/vehicle/{gateway.ids['USV-1']}", "root")
    v.next_of("connection")
    broker.publish("seano/USV-2/raw_log", "of the other")
    broker.publish("seano/USV-1/raw_log", "of this one")
    assert v.next_json()["data"] == "of this one"
    assert refused(gateway, f"/api/ws/vehicle/{gateway.ids['USV-2']}", gateway.token("ana")) == 403
    assert refused(gateway, "/api/ws/vehicle/424242", gateway.token("root")) == 404


def test_dialect_e_greets_pings_and_enforces_subscriptions(gateway, broker, viewer):
    v = viewer("/api/ws/statistics", "ana")
    welcome = v.next_json()
    assert list(welcome) == ["type", "status", "connection_id", "user", "message"]
    assert (welcome["type"], welcome["status"]) == ("connection_status", "connected")
    assert uuid.UUID(welcome["connection_id"]).version == 4
    assert welcome["user"] == {"id": gateway.ids["ana"], "username": "ana"}
    assert welcome["message"] == "WebSocket connection established successfully"

    update = v.next_of("statistics_update")
    assert list(update) == ["type", "timestamp", "data"]
    assert list(update["data"]) == ["total_people", "recognitions_today", "last_recognition",
                                    "face_recognition", "cameras", "timestamp"]
    assert list(update["data"]["face_recognition"]) == [
        "total_people", "recognitions_today", "last_recognition", "unknown_faces_today"]
    assert list(update["data"]["cameras"]) == ["total_cameras", "active_cameras",
                                               "recording_cameras"]

    v.send({"type": "ping", "timestamp": 12.5})
    assert v.next_of("pong") == {"type": "pong", "timestamp": 12.5}
    v.send({"type": "subscribe", "event_types": ["alert"]})
    assert v.next_of("subscription_confirmed") == {"type": "subscription_confirmed",
                                                   "event_types": ["alert"]}
    broker.publish("seano/USV-1/alert", "first")
    assert v.next_of("alert")["message"] == "first"
    v.send({"type": "unsubscribe", "event_types": ["alert"]})
    assert v.next_of("unsubscription_confirmed") == {"type": "unsubscription_confirmed",
                                                     "event_types": ["alert"]}
    broker.publish("seano/USV-1/alert", "not wanted")
    v.send({"type": "ping", "timestamp": 1})
    committed = gateway.metric("tidegate_committed_total")
    wait_until(lambda: gateway.metric("tidegate_committed_total") >= max(2, committed), "commit")
    v.send({"type": "subscribe", "event_types": ["alert"]})
    v.next_of("subscription_confirmed")
    broker.publish("seano/USV-1/alert", "wanted")
    assert v.next_of("alert")["message"] == "wanted"


def test_dialect_e_takes_five_sockets_a_user(gateway, viewer):
    for _ in range(5):
        viewer("/api/ws/statistics", "ana").next_of("connection_status")
    assert refused(gateway, "/api/ws/statistics", gateway.token("ana")) == 429
    viewer("/api/ws/statistics", "ben").next_of("connection_status")


@pytest.mark.parametrize("path, status", [
    ("/ws", 401), ("/ws/devices", 401), ("/api/ws", 401), ("/api/ws/vehicle/1", 401),
    ("/ws/device/dev-1", 403), ("/ws/dashboard/dev-1", 403), ("/api/ws/statistics", 403)])
def test_nobody_enters_without_credentials(gateway, path, status):
    assert refused(gateway, path) == status
    assert refused(gateway, path, "not.a.token") == status
    assert refused(gateway, path, gateway.token("ana", ttl=-10)) == status
    assert refused(gateway, path, gateway.token("nobody")) == status


def test_anonymous_paths_are_open_where_configured(make_gateway, broker, viewer):
    gateway = make_gateway(auth__anonymous="/ws")
    populate(gateway)
    gateway.start()
    v = viewer("/ws")
    v.send("ping")
    assert v.next() == "pong"
    assert refused(gateway, "/api/ws") == 401


def test_a_token_in_the_query_works_and_is_never_logged(gateway, viewer):
    token = gateway.token("ana")
    v = viewer(f"/api/ws?token={token}")
    v.next_of("connection")
    assert token not in gateway.log()
    assert token.split(".")[2] not in gateway.log()


def test_a_message_that_is_too_large_closes_the_socket(gateway, viewer):
    v = viewer("/api/ws", "ana")
    v.send("x" * 70000)
    assert v.wait_closed()[0] == 1009


def test_the_server_pings_and_drops_a_silent_peer(make_gateway, viewer):
    gateway = make_gateway(ws__ping_interval="300ms", ws__silence_timeout="1500ms")
    populate(gateway)
    gateway.start()
    raw = RawViewer(gateway, "/ws", gateway.token("ana"))
    opcode, _ = raw.frame()
    assert opcode == 9
    assert raw.close_code() == 4201
    raw.close()
    lively = viewer("/ws", "ana")
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 1, "one socket")
    lively.send("ping")
    assert lively.next() == "pong"


def test_a_long_list_is_made_in_many_turns_and_misses_nothing(make_gateway, publisher, database):
    n = 6000
    gateway = make_gateway(ws__max_connections_per_user=50)
    populate(gateway)
    database.rows("INSERT INTO devices (code, name, user_id) SELECT 'd-' || n, 'device ' || n, "
                  f"{gateway.ids['ana']} FROM generate_series(1, {n}) n")
    gateway.start()
    for round_ in range(4):
        publisher.publish("devices/d-1/status", json.dumps({"status": "online", "temperature": -round_}))
    viewers = []
    for round_ in range(4):  # the list of the first is not made yet when the others come
        viewers.append(Viewer(gateway, "/ws/devices", gateway.token("ana")))
        for code in ("d-1", f"d-{n}"):
            publisher.publish(f"devices/{code}/status", json.dumps({"status": "online", "temperature": 10 + round_}))
    ben = Viewer(gateway, "/ws/devices", gateway.token("ben"))
    assert all(d["device_code"] != "d-1" for d in ben.next_of("device_list")["devices"])
    publisher.flush()

    for v in viewers:
        first = v.next_json()
        codes = [d["device_code"] for d in first["devices"]]
        assert len(codes) == len(set(codes)) and {f"d-{i}" for i in range(1, n + 1)} <= set(codes)
        known = {d["device_code"]: d["temperature"] for d in first["devices"]}
        while [known[code] for code in ("d-1", f"d-{n}")] != [13, 13]:
            update = v.next_of("device_update")["device"]
            known[update["device_code"]] = update["temperature"]
        assert not v.closed
    assert gateway.metric("tidegate_ws_lists_put_off_total") > 0
    wait_until(lambda: gateway.metric("tidegate_ws_accounting_drift") == 0, "the books")
