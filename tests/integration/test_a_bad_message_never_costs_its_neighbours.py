"""Poison between good ones: every reason code once, and each neighbour stored and shown."""
import json

import pytest

from waiting import wait_until

DEEP = '{"sensor_id":1,"data":' + "[" * 1100 + "]" * 1100 + "}"
POISON = [  # reason, topic, payload
    ("bad_json", "seano/USV-1/vehicle_log", '{"speed":'),
    ("bad_json", "ems/dev-1/telemetry", '{"x":NaN,}'),
    ("bad_json", "ems/dev-1/telemetry", "[1,2,3]"),
    ("bad_utf8", "seano/USV-1/raw_log", b"caf\xe9"),
    ("bad_utf8", "ems/dev-1/telemetry", "{}".encode("utf-16")),
    ("nul_character", "seano/USV-1/raw_log", b"nul \x00 byte"),
    ("nul_character", "ems/dev-1/telemetry", b'{"s"\x00:1}'),
    ("too_large", "seano/USV-1/raw_log", "x" * 2_000_000),
    ("too_deep", "seano/USV-1/sensor_log", DEEP),
    ("missing_member", "seano/USV-1/sensor_log", '{"data":{"x":1}}'),
    ("missing_member", "users/ana/devices/dev-1/status", '{"temperature":1}'),
    ("wrong_type", "seano/USV-1/vehicle_log", '{"speed":"12abc"}'),
    ("wrong_type", "seano/USV-1/vehicle_log", '{"armed":[true]}'),
    ("out_of_range", "seano/USV-1/vehicle_log", '{"latitude":91}'),
    ("out_of_range", "users/ana/devices/dev-1/status", '{"status":"asleep"}'),
    ("unknown_device", "ems/nobody/telemetry", "{}"),
    ("unknown_vehicle", "seano/nobody/raw_log", "x"),
    ("unknown_user", "users/nobody/devices/dev-1/status", '{"status":"online"}'),
    ("wrong_owner", "users/ben/devices/dev-1/status", '{"status":"online"}'),
    ("unknown_command", "devices/dev-1/commands/ack", '{"command_id":"cmd_no","status":"ok"}'),
    ("no_route", "seano//raw_log", "an empty level matches the filter but names nobody"),
    ("db_rejected", "seano/USV-1/raw_log", "refused by a constraint"),
]


@pytest.mark.smoke
def test_poison_between_good_ones(gateway, broker, database, viewer, publisher):
    database.rows("ALTER TABLE raw_logs ADD CHECK (logs NOT LIKE 'refused%%')")
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    for n, (_, topic, payload) in enumerate(POISON):
        publisher.publish("seano/USV-1/raw_log", f"before {n}")
        publisher.publish(topic, payload)
        publisher.publish("seano/USV-1/raw_log", f"after {n}")
    publisher.flush()

    good = [f"{when} {n}" for n in range(len(POISON)) for when in ("before", "after")]
    database.wait_for("SELECT count(*) FROM raw_logs", len(good))
    database.wait_for("SELECT count(*) FROM dead_letters", len(POISON))
    assert [t for (t,) in database.rows("SELECT logs FROM raw_logs ORDER BY seq")] == good
    v.wait_for(lambda texts: sum('"raw_log"' in t for t in texts) >= len(good), "all good ones")
    assert [json.loads(t)["data"] for t in v.frames if '"raw_log"' in t] == good

    for reason, topic, payload in POISON:
        data = payload if isinstance(payload, bytes) else payload.encode()
        rows = database.rows("SELECT reason, detail, received_at IS NOT NULL, payload "
                             "FROM dead_letters WHERE topic = %s", topic)
        match = [r for r in rows if bytes(r[3]) == data or
                 (reason == "too_large" and data.startswith(bytes(r[3])) and len(r[3]) > 0)]
        assert [r[0] for r in match] == [reason], f"{topic} {data[:60]!r}: {match or rows}"
        assert match[0][2]
    for reason in {reason for reason, _, _ in POISON}:
        expected = sum(1 for r, _, _ in POISON if r == reason)
        assert gateway.metric("tidegate_dead_lettered_total", reason=reason) == expected, reason
    wait_until(lambda: gateway.metric("tidegate_accounting_drift") == 0, "no drift")
    assert gateway.status("/readyz") == 200


def test_a_bad_detection_is_set_aside_and_the_rest_kept(gateway, broker, database):
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
        {"device_hash": "ab" * 32, "rssi": -55}, {"device_hash": "ab" * 31, "rssi": -55},
        {"device_hash": "ab" * 32, "rssi": "loud"}, {"rssi": -55}, 17,
        {"device_hash": "cd" * 32, "rssi": -300}, {"device_hash": "ef" * 32, "rssi": -56}]}))
    database.wait_for("SELECT count(*) FROM ble_detections", 2)
    assert database.value("SELECT count(*) FROM dead_letters") == 5
    assert gateway.metric("tidegate_committed_total") == 1
    wait_until(lambda: gateway.metric("tidegate_accounting_drift") == 0, "no drift")


def test_dead_letters_can_be_listed_shown_and_discarded(gateway, broker, database):
    broker.publish("seano/nobody/raw_log", "lost at sea")
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    number = str(database.value("SELECT id FROM dead_letters"))
    listing = gateway.cli("dead-letters", "list").stdout
    assert number in listing and "unknown_vehicle" in listing and "seano/nobody/raw_log" in listing
    assert "lost at sea" in gateway.cli("dead-letters", "show", number).stdout
    gateway.cli("dead-letters", "discard", number)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert gateway.cli("dead-letters", "show", number, check=False).returncode == 1


def test_a_dead_letter_is_replayed_once_its_cause_is_gone(gateway, broker, database):
    broker.publish("seano/USV-9/raw_log", "too early")
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    gateway.add_vehicle("USV-9", "ana")
    number = str(database.value("SELECT id FROM dead_letters"))
    gateway.cli("dead-letters", "replay", number)
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'too early'", 1)
