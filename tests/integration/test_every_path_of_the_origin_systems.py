"""Promise: with its profile, each path that an origin system's clients ask answers as theirs did: status, members, types."""
import csv
import datetime
import io
import json
import pathlib
import re

import pytest
import requests

from conftest import populate
from viewers import Viewer, refused
from waiting import PATIENCE, wait_until

PATHS = json.loads((pathlib.Path(__file__).parents[1] / "data/origin_paths.json").read_text("utf-8"))
SYSTEMS = ("people-counter", "energy", "device-hub", "vehicles", "cameras")
TYPES = {
    "any": lambda v: True, "null": lambda v: v is None, "bool": lambda v: isinstance(v, bool),
    "text": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "time": lambda v: isinstance(v, str) and datetime.datetime.fromisoformat(v.replace("Z", "+00:00")),
}


def faults(value, shape, at="it"):
    """What is not as the shape says."""
    if shape in PATHS["shapes"].keys() if isinstance(shape, str) else False:
        shape = PATHS["shapes"][shape]
    if isinstance(shape, str):
        if not any(TYPES[one](value) for one in shape.split("|")):
            yield f"{at} is {value!r}, not {shape}"
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{at} is {value!r}, not a list of some"
            return
        for n, item in enumerate(value):
            yield from faults(item, shape[0], f"{at}[{n}]")
    elif not isinstance(value, dict) or not value:
        yield f"{at} is {value!r}, not an object of some"
    elif "*" in shape:
        for name, item in value.items():
            yield from faults(item, shape["*"], f"{at}.{name}")
    elif list(value) != list(shape):
        yield f"{at} has {list(value)}, not {list(shape)}"
    else:
        for name, item in value.items():
            yield from faults(item, shape[name], f"{at}.{name}")


def publish(broker, gateway):
    """What each of them publishes, in its own form."""
    at = datetime.datetime.now(datetime.timezone.utc).isoformat()
    broker.publish("tfg/detections/raw", json.dumps(
        {"device_id": "rpi-001", "name": "Entrance", "location": "Building A", "timestamp": at,
         "detections": [{"device_hash": f"{n:02x}" * 32, "rssi": -50 - 20 * n} for n in range(3)]}))
    broker.publish("ems/meter-1/telemetry", '{"voltage":230.1}')
    broker.publish("devices/hub-1/status", json.dumps({"device_code": "hub-1", "status": "online", "temperature": "25.5"}))
    for kind, payload in (("raw_log", "GPS initialized"), ("sensor_log", '{"sensor_id":5,"data":{"temperature":28.5}}'),
                          ("vehicle_log", '{"battery_voltage":12.4,"latitude":-6.2,"longitude":106.8}')):
        broker.publish(f"seano/USV-1/{kind}", payload)
    broker.publish("surveillance/camera/cam-1/event", json.dumps(
        {"camera_id": "cam-1", "event_type": "face_recognized", "data": {
            "face_name": "Ida", "confidence": 0.9, "location": {"top": 1, "right": 2, "bottom": 3, "left": 4}}}))
    for table, n in (("ble_detections", 3), ("telemetry", 1), ("device_status_logs", 1), ("raw_logs", 1),
                     ("sensor_logs", 1), ("vehicle_logs", 1), ("camera_events", 1)):
        gateway.database.wait_for(f"SELECT count(*) FROM {table}", n)


@pytest.fixture
def of_system(make_gateway, broker):
    """of_system(name) -> a gateway with that profile, and something of each kind in its tables."""
    def make(name):
        gateway = make_gateway()
        populate(gateway)
        for code, more in (("meter-1", ()), ("hub-1", ()), ("cam-1", ("--type", "camera"))):
            gateway.ids[code] = gateway.add_device(code, "ana", *more)[0]
        gateway.conf.write_text(f"use_profile = {name}\n" + gateway.conf.read_text("utf-8"), "utf-8")
        gateway.start()
        publish(broker, gateway)
        return gateway
    return make


def meant(value, entry):
    """Of a list, the one that is asked for: others of its user have said less."""
    if "of" not in entry:
        return value
    if isinstance(value, dict):
        return {**value, "devices": meant(value["devices"], entry)}
    return [item for item in value if entry["of"] in item.values()]


def token_of(gateway, user):
    return gateway.cli("user", "token", user).stdout.strip()


def ask(gateway, entry):
    method, path = entry["ask"].split(" ")
    today = datetime.datetime.now(datetime.timezone.utc)
    path = path.format(vehicle=gateway.ids["USV-1"], yesterday=(today - datetime.timedelta(days=1)).strftime("%Y-%m-%dT00:00:00"),
                       tomorrow=(today + datetime.timedelta(days=2)).strftime("%Y-%m-%dT00:00:00"))
    headers = {"Origin": "null", **entry.get("headers", {})}
    if "as" in entry:
        headers["Authorization"] = f"Bearer {token_of(gateway, entry['as'])}"
    answer = requests.request(method, gateway.url + path, json=entry.get("json"), headers=headers, timeout=PATIENCE)
    wanted = entry.get("status", 200)
    if answer.status_code not in (wanted if isinstance(wanted, list) else [wanted]):
        return [f"{answer.status_code}: {answer.text[:200]}"]
    if entry.get("csv"):
        rows = list(csv.reader(io.StringIO(answer.text)))
        return [] if len(rows) == 4 and len(set(map(len, rows))) == 1 else [answer.text]
    if answer.status_code >= 400 and answer.headers["Content-Type"] != "application/problem+json":
        return [answer.headers["Content-Type"]]
    if entry.get("code", answer.json().get("code") if answer.status_code >= 400 else None) != (
            answer.json()["code"] if answer.status_code >= 400 else None):
        return [answer.text]
    return list(faults(meant(answer.json(), entry), entry["is"]))


def watch(gateway, entry):
    token = token_of(gateway, entry["as"]) if "as" in entry else None
    if "times" in entry:
        open_ones = [Viewer(gateway, entry["socket"], token) for _ in range(entry["times"] - 1)]
        status = refused(gateway, entry["socket"], token)
        for viewer in open_ones:
            viewer.close()
        wait_until(lambda: refused(gateway, entry["socket"], token) == 101, "room again")
        return [] if status == entry["status"] else [f"the one too many: {status}"]
    viewer = Viewer(gateway, entry["socket"], token, headers={"Origin": "null"})
    try:
        if "send" in entry:
            viewer.send(entry["send"])
        if "closes" in entry:
            wait_until(lambda: viewer.closed, "its end")
            return [] if viewer.closed[0] == entry["closes"] and viewer.closed[1] else [f"{viewer.closed}"]
        if "says" in entry:
            return [] if viewer.next() == entry["says"] else ["another word"]
        return list(faults(meant(viewer.next_json(), entry), entry["is"]))
    finally:
        if not viewer.closed:
            viewer.close()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_path_that_its_clients_ask(of_system, system):
    gateway = of_system(system)
    said = [f"{entry.get('ask') or entry['socket']}: {fault}" for entry in PATHS[system]
            for fault in (ask if "ask" in entry else watch)(gateway, entry)]
    assert not said, "\n".join(said)


def test_a_page_with_a_ticket_has_an_event_stream(of_system):
    """A browser's EventSource brings no header."""
    gateway = of_system("vehicles")
    ticket = gateway.post("/api/ws/ticket", headers={"Authorization": f"Bearer {token_of(gateway, 'ana')}"}).json()["ticket"]
    with requests.get(f"{gateway.url}/api/events?ticket={ticket}", stream=True, timeout=PATIENCE) as answer:
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
    assert requests.get(f"{gateway.url}/api/events?ticket=none", stream=True, timeout=PATIENCE).status_code == 401


def test_the_list_is_what_the_manual_has():
    """Each path that is asked here is one that docs/protocol.md names."""
    said = pathlib.Path(__file__).parents[2].joinpath("docs/protocol.md").read_text("utf-8")
    for entry in (entry for system in SYSTEMS for entry in PATHS[system]):
        path = re.sub(r"\?.*", "", entry.get("ask", "GET " + entry.get("socket", "")).split(" ")[1])
        head = re.sub(r"(rpi-\d+|\{vehicle\}|4711|meter-1).*", "", path).rstrip("/") or "/"
        assert head in said or head.rpartition("/")[2] in said, path
