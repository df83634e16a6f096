"""Each profile of deploy/profiles makes of the payloads of its project what tests/profiles says.

tests/profiles/NAME.json is a list of messages: `topic`, `payload` (text, or {"base64": ...}), and what
becomes of it: `kind`, `device` or `vehicle` (with `vehicle_id`, where payloads name it by number),
`row` (columns and members of its data; a/b is b in a), `absent` (members that are not in it),
`time` (@moment@, or device_time where it is not believed), `notes` (pointers of members set aside); or
`ignored`; or `letter` (its reason); `own`: the gateway says it itself, behind the message before it. In payloads @iso@, @local@ (no offset), @unix@, @unix_ms@ and
@unix_us@ are one moment of now: a time of years ago would not be believed.
"""
import base64
import datetime
import json
import pathlib
import re

import pytest

from conftest import populate
from test_native_protocol import Native
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROFILES = sorted(path.stem for path in (ROOT / "deploy/profiles").glob("*.conf"))
TABLES = {"telemetry": "telemetry", "device_status": "device_status_logs", "alert": "alerts",
          "vehicle_log": "vehicle_logs", "raw_log": "raw_logs", "sensor_log": "sensor_logs",
          "ble_detections": "ble_detections", "camera_event": "camera_events"}
PUSHES = {"device_status": "device_update", "ble_detections": "detection_event"}
INSIDE = ("payload", "data", "extra")  # columns of JSON


def routes_of(name):
    """What a user writes to have a profile; the route is called as the profile."""
    return f"\n[route {name.replace('-', '_')}]\nuse = {name}\n"


def payloads_of(name, moment):
    values = {"iso": moment.isoformat().replace("+00:00", "Z"),
              "local": moment.strftime("%Y-%m-%dT%H:%M:%S"),
              "spaced": moment.strftime("%Y-%m-%d %H:%M:%S"),
              "unix": str(int(moment.timestamp())), "unix_ms": f"{int(moment.timestamp())}000",
              "unix_us": f"{int(moment.timestamp())}000000"}
    messages = json.loads((ROOT / f"tests/profiles/{name}.json").read_text("utf-8"))
    for one in messages:
        if isinstance(one["payload"], dict):
            one["payload"] = base64.b64decode(one["payload"]["base64"])
        else:
            one["payload"] = re.sub("@([a-z_]+)@", lambda m: values[m[1]], one["payload"]).encode()
    return messages


def found_in(row, path):
    """Of a column, or of a member of what a row keeps as JSON."""
    if path in row:
        return row[path]
    value = next((row[column] for column in INSIDE if row.get(column) is not None), {})
    for part in [path] if path in value else path.split("/"):
        assert part in value, f"{path} is not in {row}"
        value = value[part]
    return value


def row_of(database, one, n):
    """The nth row of that kind and thing, in the order of receipt, and what was set aside of it."""
    thing = "vehicle" if "vehicle" in one else "device"
    rows = database.rows(
        f"SELECT to_jsonb(t)::text FROM {TABLES[one['kind']]} t JOIN {thing}s o ON o.id = t.{thing}_id"
        f" WHERE o.code = %s ORDER BY t.seq", one[thing])
    assert len(rows) > n, f"no row of {one['topic']}: {database.rows('SELECT * FROM dead_letters')}"
    row = json.loads(rows[n][0])
    notes = database.rows("SELECT member FROM row_notes WHERE seq = %s ORDER BY id", row["seq"])
    return row, [member for (member,) in notes]


def is_push(push, one, number):
    return (push["type"] == PUSHES.get(one["kind"], one["kind"])
            and (push.get("device_id") or push.get("vehicle_id")) == number)


def check_row(database, one, n, moment):
    row, notes = row_of(database, one, n)
    for path, value in one.get("row", {}).items():
        assert found_in(row, path) == value, f"{one['topic']}: {path} of {row}"
    for name in one.get("absent", []):
        assert not any(name in (row.get(column) or {}) for column in INSIDE), f"{one['topic']}: {row}"
    if one.get("time") == "@moment@":
        assert datetime.datetime.fromisoformat(row["time"]) == moment, one["topic"]
    elif "time" in one:
        assert row["device_time"] == one["time"], one["topic"]
    assert notes == one.get("notes", []), one["topic"]


def test_every_profile_is_built_in_and_has_payloads(make_gateway):
    assert PROFILES == sorted(path.stem for path in (ROOT / "tests/profiles").glob("*.json"))
    profiles = json.loads(make_gateway().cli("route", "profiles", "--json").stdout)["profiles"]
    assert PROFILES == sorted(one["name"] for one in profiles)
    assert PROFILES and all(one["about"] for one in profiles), "a profile says what it is"


def test_no_profile_meets_a_built_in_route(make_gateway):
    """Whose filters would be joined: at the root such a profile would bring what nobody wants."""
    gateway = make_gateway()
    gateway.write_conf()
    built_in = re.findall(r"^route (\w+)\.topic", gateway.cli("check-config").stdout, re.MULTILINE)
    assert "device_status" in built_in
    for name in PROFILES:
        gateway.routes = routes_of(name)
        gateway.write_conf()
        done = gateway.cli("check-config")
        met = re.findall(r"route (\w+) \(\S+\) and route (\w+) \(\S+\) take the same",
                         done.stderr)
        assert not [pair for pair in met if set(pair) & set(built_in)], name


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_reads_what_its_project_publishes(make_gateway, broker, database, name):
    moment = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    moment -= datetime.timedelta(seconds=5)
    messages = payloads_of(name, moment)
    assert 3 <= len(messages)
    gateway = make_gateway()
    gateway.routes = routes_of(name)
    gateway.write_conf()
    populate(gateway)
    for code, number in sorted({(one["vehicle"], one.get("vehicle_id")) for one in messages
                                if "vehicle" in one}):
        gateway.add_vehicle(code, "ana", *(["--id", str(number)] if number else []))
    gateway.start()
    root = Native(gateway, gateway.token("root"))
    assert root.ask("subscribe", to=["device/*", "vehicle/*", "alerts"])["ok"]
    stored = [one for one in messages if "kind" in one]
    letters = sorted((one["topic"], one["letter"]) for one in messages if "letter" in one)
    assert len(stored) + len(letters) + sum("ignored" in one for one in messages) == len(messages)
    for n, one in enumerate(messages, 1):
        if one.get("own"):
            wait_until(lambda n=n: gateway.metric("tidegate_received_total") == n, f"the gateway to say {one['topic']}")
        else:
            broker.publish(one["topic"], one["payload"])
    n_taken = len(stored) + len(letters)
    wait_until(lambda: gateway.metric("tidegate_received_total") >= n_taken
               and gateway.metric("tidegate_ignored_total") >= len(messages) - n_taken
               and gateway.metric("tidegate_in_journal") == 0, "all to be taken")
    assert sorted(database.rows("SELECT topic, reason FROM dead_letters")) == letters
    assert gateway.metric("tidegate_ignored_total") == len(messages) - n_taken
    seen = {}
    for one in stored:
        thing = (one["kind"], one.get("vehicle") or one["device"])
        check_row(database, one, seen.get(thing, 0), moment)
        seen[thing] = seen.get(thing, 0) + 1
    for kind in {one["kind"] for one in stored} - {"ble_detections"}:  # which has a row an item
        n = sum(one["kind"] == kind for one in stored)
        assert database.value(f"SELECT count(*) FROM {TABLES[kind]}") == n, kind
    for one in stored:  # and whoever watches sees each of them, in that order
        table = "vehicles" if "vehicle" in one else "devices"
        number = database.value(f"SELECT id FROM {table} WHERE code = %s",
                                one.get("vehicle") or one["device"])
        push = root.push(*(PUSHES.get(kind, kind) for kind in TABLES))
        assert is_push(push, one, number), (push, one)
        for path, value in one.get("row", {}).items():
            if isinstance(push.get("data"), dict) and path in push["data"]:
                assert push["data"][path] == value, push
    root.close()
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_a_zone_that_the_user_sets_is_that_of_local_times(make_gateway, broker, database):
    moment = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    local = moment.astimezone(datetime.timezone(datetime.timedelta(hours=7)))
    gateway = make_gateway()
    gateway.routes = routes_of("tasmota") + "timezone = Asia/Jakarta\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    payload = {"Time": local.strftime("%Y-%m-%dT%H:%M:%S"), "POWER": "ON"}
    broker.publish("tele/plug/STATE", json.dumps(payload))
    database.wait_for("SELECT count(*) FROM telemetry WHERE time = %s", 1, moment)
    assert database.value("SELECT device_time FROM telemetry") is None
