"""Payloads that devices really send, odd ones, of each kind: tests/data/payloads.tsv says what must become of each
(docs/protocol.md, section 1). They go through a real broker one behind the other, so none costs its neighbours.

`must` is `stored`, `ignored`, `letter: REASON`, or `stored with` notes, `MEMBER:REASON` each; `time` is a time that was not believed, and is kept
as it was said. Dates are those of 2026-11-28, and are moved to yesterday."""
import ast
import datetime
import json
import re
import time

from conftest import populate
from servers import ROOT
from waiting import wait_until

COLUMNS = {"vehicle_log": ("battery_voltage", "rssi", "latitude", "longitude", "heading", "mode", "armed"),
           "device_status": ("status", "temperature")}
TOPICS = {"telemetry": "ems/dev-1/telemetry", "vehicle_log": "seano/USV-1/vehicle_log", "raw_log": "seano/USV-1/raw_log",
          "device_status": "devices/dev-1/status", "alert": "devices/dev-1/alert", "ble_detections": "tfg/detections/raw",
          "camera_event": "surveillance/camera/dev-1/event", "sensor_log": "seano/USV-1/sensor_log"}
TABLES = {"telemetry": "telemetry", "vehicle_log": "vehicle_logs", "raw_log": "raw_logs", "device_status": "device_status_logs",
          "alert": "alerts", "ble_detections": "ble_detections", "camera_event": "camera_events", "sensor_log": "sensor_logs"}
SAID_ON = datetime.datetime(2026, 11, 28, 8, 10, 20, tzinfo=datetime.timezone.utc)
FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%Y%m%d", "%a %b %d 08:10:20 %Y", "%a, %d %b %Y")


def of_yesterday(payload, now):
    """The payload with its dates moved, and %NOW+2h% as that."""
    day = datetime.datetime.fromtimestamp(now, datetime.timezone.utc) - datetime.timedelta(days=1)
    moved = SAID_ON.replace(day.year, day.month, day.day)
    for form in FORMS:
        payload = payload.replace(SAID_ON.strftime(form).encode(), moved.strftime(form).encode())
    payload = payload.replace(b"%d" % SAID_ON.timestamp(), b"%d" % moved.timestamp())
    return re.sub(rb"%NOW\+(\d+)h%", lambda found: b"%d" % (now + 3600 * int(found[1])), payload)


def cases():
    rows = (ROOT / "tests/data/payloads.tsv").read_text("utf-8").splitlines()[1:]
    return [(kind, label, ast.literal_eval(payload), must) for kind, label, payload, _, must in
            (row.split("\t") for row in rows)]


def outcomes(database):
    """What became of each, in the order in which they came."""
    found = {}
    for table in TABLES.values():
        for seq, said in database.rows(f"SELECT DISTINCT seq, device_time IS NOT NULL FROM {table}"):
            assert seq not in found, f"{seq} is stored twice"
            found[seq] = ["time"] if said else []
    for seq, member, reason in database.rows("SELECT seq, member, reason FROM row_notes ORDER BY id"):
        found[seq].append(f"{member}:{reason}")
    found = {seq: f"stored with {', '.join(notes)}" if notes else "stored" for seq, notes in found.items()}
    for seq, reason in database.rows("SELECT seq, reason FROM dead_letters"):
        assert seq not in found, f"{seq} is stored and a letter"
        found[seq] = f"letter: {reason}"
    return [found[seq] for seq in sorted(found)]


def check_columns(database, kind, payloads):
    """A column is NULL exactly where its member is not there, or was set aside."""
    names = COLUMNS[kind]
    rows = database.rows(f"SELECT {', '.join(names)} FROM {TABLES[kind]} ORDER BY seq")
    assert len(rows) == len(payloads) > 0
    for row, (payload, must) in zip(rows, payloads):
        text = payload.decode("utf-8-sig", "replace").strip(" \r\n\0")
        sent = json.loads(re.sub(r":(nan|-?1\.#\w+)", ":NaN", text)) if text.startswith("{") else {"status": text}
        for name, value in zip(names, row):
            assert (value is not None) == (name in sent and f"/{name}:" not in must), (payload, name, value)


def check_telemetry(database, payloads):
    """What has no note about a member is stored byte for byte, but for NULs at an end, and what is behind them."""
    rows = database.rows("SELECT payload::text FROM telemetry ORDER BY seq")
    assert len(rows) == len(payloads) > 0
    for (stored,), (payload, must) in zip(rows, payloads):
        assert "/" in must or stored == re.sub(r'(\\u0000)+"', '"', re.sub("\0[\0\\s]*$", "", payload.decode()))
        assert "/" not in must or json.loads(stored, parse_constant=int) is not None


def test_each_becomes_what_it_must(make_gateway, broker, database, publisher):
    gateway = make_gateway(database__row_notes=1000)
    populate(gateway)
    gateway.start()
    moved = [(kind, label, of_yesterday(payload, time.time()), must) for kind, label, payload, must in cases()]
    for kind, _, payload, _ in moved:
        publisher.publish(TOPICS[kind], payload)
    publisher.flush()
    left = [case for case in moved if case[3] != "ignored"]
    wait_until(lambda: gateway.metric("tidegate_received_total", door="mqtt") == len(moved) and
               gateway.metric("tidegate_in_journal") == 0, "all to be settled")
    became = outcomes(database)
    assert len(became) == len(left)
    wrong = [f"{kind} {label} {payload!r}: {is_}, and must be {must}"
             for (kind, label, payload, must), is_ in zip(left, became) if is_ != must]
    assert not wrong, "\n".join(wrong)
    stored = {kind: [(payload, must) for is_of, _, payload, must in moved if is_of == kind and must.startswith("stored")]
              for kind in TABLES}
    for kind in COLUMNS:
        check_columns(database, kind, stored[kind])
    check_telemetry(database, stored["telemetry"])
    assert gateway.metric("tidegate_retained_ignored_total") == len(moved) - len(left)
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert gateway.metric("tidegate_mqtt_connects_total") == 1 and gateway.status("/readyz") == 200
