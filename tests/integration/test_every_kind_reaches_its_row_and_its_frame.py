"""Each kind, from mosquitto_pub to the row and to the frame, member by member."""
import datetime
import json
import re

import pytest

from conftest import populate
from waiting import wait_until

YESTERDAY = f"{datetime.date.today() - datetime.timedelta(days=1)}"  # a time that is believed

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UTC = datetime.timezone.utc
HASH = "ab" * 32


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def has_exactly(frame, *members):
    assert list(frame) == list(members)


def assert_envelope(frame, kind, vehicle_id, timestamp=None):
    """What every message of dialect D has."""
    assert frame["type"] == kind
    assert frame["vehicle_id"] == vehicle_id
    assert TIME.match(frame["timestamp"]) and TIME.match(frame["broadcast_time"])
    if timestamp:
        assert frame["timestamp"] == timestamp
    assert frame["connection_count"] == 1


@pytest.fixture
def gateway(make_gateway):
    """As the common one, but on a slow machine, too, nothing is shown before it is stored."""
    made = make_gateway(database__stall_timeout="60s")
    populate(made)
    return made.start()


@pytest.fixture
def fleet(gateway, viewer):
    """A viewer of ana's vehicles, past its welcome."""
    v = viewer("/api/ws", "ana")
    assert v.next_json()["type"] == "connection"
    return v


@pytest.mark.smoke
def test_dialect_d_greets(gateway, viewer):
    welcome = viewer("/api/ws", "ana").next_json()
    has_exactly(welcome, "type", "message", "timestamp", "connection_count")
    assert welcome["type"] == "connection"
    assert welcome["message"] == "Connected to SEANO real-time data stream"
    assert TIME.match(welcome["timestamp"])
    assert welcome["connection_count"] == 1


@pytest.mark.smoke
@pytest.mark.parametrize("text", ["GPS initialized successfully", 'quote " back \\ tab \t ünïcode €',
                                  '{"level":"info","text":"as JSON"}'])
def test_raw_log(gateway, broker, database, fleet, text):
    broker.publish("seano/USV-1/raw_log", text)

    frame = fleet.next_json()
    has_exactly(frame, "type", "vehicle_id", "data", "timestamp", "broadcast_time",
                "connection_count")
    assert_envelope(frame, "raw_log", gateway.ids["USV-1"])
    assert frame["data"] == text
    assert database.rows("SELECT vehicle_id, logs FROM raw_logs") == [(gateway.ids["USV-1"], text)]


@pytest.mark.smoke
def test_sensor_log(gateway, broker, database, fleet):
    data = {"temperature": 25.5, "humidity": 60.2, "pressure": 1013.25,
            "timestamp": f"{YESTERDAY}T23:30:00.123+07:00", "odd member": [1, {"x": None}]}
    broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": 5, "data": data}))

    frame = fleet.next_json()
    has_exactly(frame, "type", "vehicle_id", "sensor_id", "data", "timestamp", "broadcast_time",
                "connection_count")
    assert_envelope(frame, "sensor_log", gateway.ids["USV-1"], f"{YESTERDAY}T16:30:00.123Z")
    assert frame["sensor_id"] == 5
    assert frame["data"] == data
    [(vehicle_id, sensor_id, stored, time)] = database.rows(
        "SELECT vehicle_id, sensor_id, data, time FROM sensor_logs")
    assert (vehicle_id, sensor_id, stored) == (gateway.ids["USV-1"], 5, data)
    assert time == at(f"{YESTERDAY}T16:30:00.123Z")
    assert database.value("SELECT count(*) FROM sensors WHERE vehicle_id = %s AND sensor_id = 5",
                          gateway.ids["USV-1"]) == 1


def test_vehicle_log(gateway, broker, database, fleet):
    sent = {"battery_voltage": 12.6, "battery_current": 2.5, "rssi": -45, "mode": "AUTO",
            "latitude": -6.2088, "longitude": 106.8456, "heading": 45.0, "armed": True,
            "guided": False, "system_status": "STANDBY", "speed": 15.5}
    broker.publish("seano/USV-1/vehicle_log", json.dumps(sent))

    frame = fleet.next_json()
    has_exactly(frame, "type", "vehicle_id", "data", "timestamp", "broadcast_time",
                "connection_count")
    assert_envelope(frame, "vehicle_log", gateway.ids["USV-1"])
    assert frame["data"] == sent
    columns = list(sent)
    [row] = database.rows(f"SELECT {', '.join(columns)}, vehicle_id FROM vehicle_logs")
    assert dict(zip(columns, row)) == sent
    assert row[-1] == gateway.ids["USV-1"]


def test_vehicle_log_with_numbers_as_strings_nulls_and_unknown_members(
        gateway, broker, database, fleet):
    broker.publish("seano/USV-1/vehicle_log", json.dumps(
        {"battery_voltage": "13.76", "rssi": "-45", "latitude": None, "mode": None, "armed": None,
         "roll": 1.25, "gps": {"satellites": 11}}))

    frame = fleet.next_json()
    data = {k: v for k, v in frame["data"].items() if v is not None}
    assert data == {"battery_voltage": 13.76, "rssi": -45, "roll": 1.25,
                    "gps": {"satellites": 11}}
    [(volts, rssi, latitude, mode, armed, extra)] = database.rows(
        "SELECT battery_voltage, rssi, latitude, mode, armed, extra FROM vehicle_logs")
    assert (volts, rssi, latitude, mode, armed) == (13.76, -45, None, None, None)
    assert extra == {"roll": 1.25, "gps": {"satellites": 11}}


@pytest.mark.smoke
def test_device_status(gateway, broker, database, viewer):
    v = viewer("/ws/devices", "ana")
    listing = v.next_json()
    has_exactly(listing, "type", "devices")
    assert listing["type"] == "device_list"
    assert [d["device_code"] for d in listing["devices"]] == ["dev-1"]
    d_members = ["id", "key", "device_code", "product_type", "name", "location", "status", "last_seen",
                 "is_active", "device_type", "firmware_version", "temperature", "humidity",
                 "latitude", "longitude", "groups"]
    has_exactly(listing["devices"][0], *d_members)
    assert listing["devices"][0]["status"] == "offline"
    assert listing["devices"][0]["groups"] == []

    broker.publish("users/ana/devices/dev-1/status", json.dumps(
        {"status": "online", "temperature": 25.1, "humidity": 60.2, "latitude": 10.7,
         "longitude": 106.6}))
    frame = v.next_json()
    has_exactly(frame, "type", "device")
    assert frame["type"] == "device_update"
    device = frame["device"]
    has_exactly(device, *d_members)
    assert (device["id"], device["device_code"], device["status"]) == \
        (gateway.ids["dev-1"], "dev-1", "online")
    assert (device["temperature"], device["humidity"], device["latitude"],
            device["longitude"]) == (25.1, 60.2, 10.7, 106.6)
    assert TIME.match(device["last_seen"]) and device["is_active"] is True
    assert re.match(r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", device["key"])

    state = "SELECT status, temperature, humidity, latitude, longitude FROM device_states " \
        "WHERE device_id = %s"
    assert database.rows(state, gateway.ids["dev-1"]) == [("online", 25.1, 60.2, 10.7, 106.6)]

    # a null or missing member leaves the stored value alone; bare text is a last will
    broker.publish("users/ana/devices/dev-1/status",
                   '{"status":"warning","temperature":null,"humidity":61}')
    device = v.next_json()["device"]
    assert (device["status"], device["temperature"], device["humidity"]) == ("warning", 25.1, 61)
    broker.publish("devices/dev-1/status", "offline")
    device = v.next_json()["device"]
    assert (device["status"], device["temperature"], device["humidity"]) == ("offline", 25.1, 61)
    assert database.rows(state, gateway.ids["dev-1"]) == [("offline", 25.1, 61, 10.7, 106.6)]


@pytest.mark.smoke
def test_ble_detections(gateway, broker, database, viewer):
    v = viewer("/ws", "ana")
    broker.publish("tfg/detections/raw", json.dumps(
        {"device_id": "dev-1", "timestamp": f"{YESTERDAY}T16:30:00Z", "detections": [
            {"device_hash": HASH, "rssi": -55, "zone": "far",
             "timestamp": f"{YESTERDAY}T16:29:59.5Z"},
            {"device_hash": "cd" * 32, "rssi": -75, "zone": "near"},
            {"device_hash": "not a hash", "rssi": -75},
            {"device_hash": "ef" * 32, "rssi": -76}]}))

    frame = v.next_of("detection_event")
    has_exactly(frame, "type", "timestamp", "device_id", "count")
    assert TIME.match(frame["timestamp"])
    assert (frame["device_id"], frame["count"]) == ("dev-1", 3)
    assert database.rows("SELECT device_id, device_hash, rssi, zone FROM ble_detections "
                         "ORDER BY item") == [
        (gateway.ids["dev-1"], HASH, -55, "near"),
        (gateway.ids["dev-1"], "cd" * 32, -75, "medium"),
        (gateway.ids["dev-1"], "ef" * 32, -76, "far")]
    assert database.value("SELECT time FROM ble_detections WHERE device_hash = %s", HASH) == \
        at(f"{YESTERDAY}T16:29:59.500Z")
    assert database.rows("SELECT reason FROM dead_letters") == [("out_of_range",)]


def test_ble_single_detection_and_heartbeat_and_registration(gateway, broker, database, viewer):
    v = viewer("/ws", "root")
    broker.publish("tfg/detections/raw", json.dumps(
        {"device_id": "rpi-new", "name": "Entrance", "location": "Building A",
         "device_hash": HASH, "rssi": -61, "timestamp": f"{YESTERDAY}T16:30:00Z"}))
    frame = v.next_of("detection_event")
    assert (frame["device_id"], frame["count"]) == ("rpi-new", 1)
    assert database.rows("SELECT name, location, user_id FROM devices WHERE code = 'rpi-new'") == \
        [("Entrance", "Building A", None)]
    assert database.rows("SELECT zone FROM ble_detections") == [("medium",)]

    broker.publish("tfg/detections/raw",
                   json.dumps({"device_id": "rpi-new", "timestamp": f"{YESTERDAY}T16:31:00Z",
                               "detections": []}))
    database.wait_for("SELECT count(*) FROM device_states s JOIN devices d ON d.id = s.device_id "
                      "WHERE d.code = 'rpi-new' AND s.last_seen IS NOT NULL", 1)
    assert database.value("SELECT count(*) FROM ble_detections") == 1
    assert database.value("SELECT count(*) FROM dead_letters") == 0


@pytest.mark.smoke
def test_telemetry_byte_for_byte(gateway, broker, database, viewer):
    payload = ' {"voltage" : 230.10, "n":1e2,\n "nested":{"b":1,"a":[ ]}, "s":"\\u00e9é"} '
    device = viewer("/ws/device/dev-1", "ana")
    dashboard = viewer("/ws/dashboard/dev-1", "ana")
    broker.publish("ems/dev-1/telemetry", payload)

    assert device.next() == payload
    assert dashboard.next() == payload
    assert database.rows("SELECT device_id, payload::text FROM telemetry") == \
        [(gateway.ids["dev-1"], payload)]
    # the last known one comes first
    assert viewer("/ws/device/dev-1", "ana").next() == payload


def test_camera_event(gateway, broker, database, viewer):
    gateway.add_device("mock_cam_1", "ana", "--type", "camera")
    v = viewer("/api/ws/statistics", "ana")
    event = {"camera_id": "mock_cam_1", "event_type": "face_detected",
                    "timestamp": f"{YESTERDAY}T16:30:00.123Z",
                    "data": {"confidence": 0.98, "person_name": "John Doe"}}
    publish_until_known(gateway, broker, "surveillance/camera/mock_cam_1/event", event)

    frame = v.next_of("camera_event")
    has_exactly(frame, "type", "timestamp", "camera_id", "event_type", "data")
    assert frame == {"type": "camera_event", **event}
    [row] = database.rows("SELECT event_type, person_name, confidence, data, time "
                          "FROM camera_events")
    assert row == ("face_detected", "John Doe", 0.98, event["data"],
                   at(f"{YESTERDAY}T16:30:00.123Z"))


def publish_until_known(gateway, broker, topic, payload):
    """A device that was just added: the gateway hears of it by NOTIFY, so the first may be early."""
    def is_taken():
        before = gateway.metric("tidegate_committed_total")
        settled = gateway.metric("tidegate_received_total") + 1
        broker.publish(topic, json.dumps(payload))
        wait_until(lambda: gateway.metric("tidegate_received_total") >= settled and
                   gateway.metric("tidegate_in_journal") == 0, "the message to be settled")
        return gateway.metric("tidegate_committed_total") > before
    wait_until(is_taken, f"{topic} to be known")


def test_alert_of_a_vehicle(gateway, broker, database, viewer):
    v = viewer("/api/ws/statistics", "ana")
    broker.publish("seano/USV-1/alert", json.dumps(
        {"severity": "critical", "alert_type": "GPS", "message": "fix lost", "source": "autopilot",
         "latitude": 10.5, "longitude": 106.5}))

    frame = v.next_of("alert")
    has_exactly(frame, "type", "timestamp", "alert_type", "message", "data")
    assert (frame["alert_type"], frame["message"]) == ("GPS", "fix lost")
    assert frame["data"]["severity"] == "critical" and frame["data"]["source"] == "autopilot"
    assert database.rows("SELECT vehicle_id, device_id, severity, alert_type, message, source, "
                         "latitude, longitude FROM alerts") == [
        (gateway.ids["USV-1"], None, "critical", "GPS", "fix lost", "autopilot", 10.5, 106.5)]


def test_alert_of_a_device_as_plain_text(gateway, broker, database, viewer):
    v = viewer("/api/ws/statistics", "ana")
    broker.publish("devices/dev-1/alert", "Motion detected on Camera 1")

    frame = v.next_of("alert")
    has_exactly(frame, "type", "timestamp", "alert_type", "message", "data")
    assert frame["message"] == "Motion detected on Camera 1"
    assert isinstance(frame["alert_type"], str) and frame["data"] == {}
    [(device_id, vehicle_id, message)] = database.rows(
        "SELECT device_id, vehicle_id, message FROM alerts")
    assert (device_id, vehicle_id, message) == \
        (gateway.ids["dev-1"], None, "Motion detected on Camera 1")


def test_command_ack(gateway, broker, database):
    database.rows("INSERT INTO commands (command_id, device_id, action, payload, state, expires_at)"
                  " VALUES ('cmd_8293', %s, 'SET_MODE', '{}', 'published', now() + '1 hour')",
                  gateway.ids["dev-1"])
    state = "SELECT state FROM commands WHERE command_id = 'cmd_8293'"
    ack = {"command_id": "cmd_8293", "status": "executing", "message": "on it"}
    broker.publish("devices/dev-1/commands/ack", json.dumps(ack))
    database.wait_for(state, "executing")
    broker.publish("devices/dev-1/commands/ack", json.dumps({**ack, "status": "ok"}))
    database.wait_for(state, "done")
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_ids_and_codes_both_name_a_vehicle(gateway, broker, database, fleet):
    broker.publish(f"seano/{gateway.ids['USV-1']}/raw_log", "by id")
    assert fleet.next_json()["data"] == "by id"
    broker.publish("seano/USV-1/raw_log", "by code")
    assert fleet.next_json()["data"] == "by code"


def test_times_without_offset_are_read_in_the_zone_of_the_route(make_gateway, broker, database,
                                                                 viewer):
    gateway = make_gateway()
    gateway.routes = "[route sensor_log]\ntimezone = Asia/Jakarta\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    broker.publish("seano/USV-1/sensor_log",
                   json.dumps({"sensor_id": 1, "data": {"timestamp": f"{YESTERDAY} 23:30:00"}}))
    database.wait_for("SELECT count(*) FROM sensor_logs", 1)
    assert database.value("SELECT time FROM sensor_logs") == at(f"{YESTERDAY}T16:30:00Z")
