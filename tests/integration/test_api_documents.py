"""openapi.json and asyncapi.json: valid, complete, and what the gateway really does."""
import contextlib
import json
import re
import shutil
import subprocess
import threading
import uuid

import jsonschema
import pytest
import requests

from conftest import populate
from servers import ROOT
from viewers import Viewer
from waiting import PATIENCE, wait_until

API = ROOT / "tests" / "api"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="session")
def validators():
    """The npm packages of the lock file, installed once."""
    lock = (API / "package-lock.json").read_text("utf-8")
    seen = API / "node_modules" / ".seen-lock"
    if not seen.exists() or seen.read_text("utf-8") != lock:
        subprocess.run([shutil.which("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                       cwd=API, check=True, capture_output=True, timeout=300)
        seen.write_text(lock, "utf-8")
    return API


@pytest.fixture
def documented(make_gateway):
    gateway = make_gateway(ws__stats_interval="100ms", ws__progress="100ms")
    populate(gateway)
    gateway.add_device("cam-1", "ana", "--type", "camera")
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    gateway.asyncapi = gateway.get("/api/asyncapi.json").json()
    return gateway


def test_both_documents_pass_their_public_validators(documented, validators, folder):
    paths = []
    for name in ("openapi", "asyncapi"):
        answer = documented.get(f"/api/{name}.json")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == json.loads((ROOT / "schema" / f"{name}.json").read_text("utf-8"))
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(answer.text, "utf-8")
    done = subprocess.run(["node", validators / "validate.mjs", *paths], text=True,
                          capture_output=True, timeout=PATIENCE * 2, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def endpoints_of_the_code():
    found = set()
    for name in ("ws/http/endpoint.c", "ws/manage/table.c"):
        table = (ROOT / name).read_text("utf-8")
        table = table[table.index("_endpoints[] = {"):]
        found |= set(re.findall(r'\{\s*"(/[^"]*)",\s*"([A-Z]+)"', table[:table.index("\n};")]))
    return found


def test_the_document_has_every_endpoint_and_no_other(documented):
    written = {(path, method.upper()) for path, item in documented.openapi["paths"].items()
               for method in item if method in METHODS}
    code = endpoints_of_the_code()
    assert len(code) > 20
    assert code - written == set(), "not in openapi.json"
    assert written - code == set(), "not in the gateway"


def test_the_document_has_every_socket_and_topic(documented):
    addresses = {c["address"] for c in documented.asyncapi["channels"].values()}
    for path in ("/ws", "/ws/device/{device_id}", "/ws/dashboard/{device_id}", "/ws/devices",
                 "/api/ws", "/api/ws/vehicle/{vehicle_id}", "/api/ws/statistics"):
        assert path in addresses
    example = documented.cli("check-config", "--example").stdout
    topics = set(re.findall(r"^#?topic = (\S+)", example, re.M))
    assert topics and topics <= addresses, topics - addresses


def validate(instance, document, schema):
    """Against a schema whose references point into the document."""
    whole = {"components": document["components"], **schema}
    jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.FormatChecker()).validate(instance)


def resolve(document, thing):
    while "$ref" in thing:
        found = document
        for part in thing["$ref"][2:].split("/"):
            found = found[part.replace("~1", "/")]
        thing = found
    return thing


def check(gateway, path, method, answer):
    """That the answer is one which the document has."""
    document = gateway.openapi
    responses = document["paths"][path][method]["responses"]
    what = f"{method} {path} -> {answer.status_code}"
    assert str(answer.status_code) in responses, f"{what}: {answer.text[:300]}"
    response = resolve(document, responses[str(answer.status_code)])
    if "content" not in response:
        assert not answer.content, what
        return
    content_type = answer.headers["Content-Type"].partition(";")[0]
    assert content_type in response["content"], f"{what}: {content_type}"
    for name in response.get("headers", {}):
        assert name in answer.headers, f"{what}: {name}"
    if "json" in content_type:
        try:
            validate(answer.json(), document, response["content"][content_type]["schema"])
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{what}: {error.message} at {list(error.absolute_path)}\n"
                                 f"{json.dumps(error.instance)[:600]}") from error


def send(gateway, path, method, credential, values, query="", body=None):
    url = gateway.url + re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), path) + query
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return requests.request(method, url, headers=headers, timeout=PATIENCE,
                            **(body or {}))


def seed(gateway, broker, database):
    """At least one of everything that can be asked for."""
    broker.publish("devices/dev-1/status", json.dumps({
        "status": "online", "temperature": 25.1, "latitude": 10.7, "longitude": 106.6}))
    broker.publish("seano/USV-1/raw_log", "GPS initialized")
    broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": 5, "data": {"t": 28.5}}))
    for i in range(3):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({
            "battery_voltage": "13.7", "latitude": -6.2 - i, "longitude": 106.8, "mode": None}))
    broker.publish("seano/USV-1/alert", json.dumps({
        "severity": "critical", "alert_type": "GPS", "message": "lost", "source": "fc"}))
    broker.publish("devices/dev-1/alert", "just text")
    broker.publish("tfg/detections/raw", json.dumps({
        "device_id": "dev-1", "detections": [{"device_hash": "ab" * 32, "rssi": -55}]}))
    broker.publish("ems/dev-1/telemetry", '{"v": 1.5, "name": "x"}')
    broker.publish("surveillance/camera/cam-1/event", json.dumps({
        "camera_id": "cam-1", "event_type": "face_detected",
        "data": {"confidence": 0.98, "person_name": "John Doe"}}))
    broker.publish("seano/nobody/raw_log", "lost at sea")
    broker.publish("ems/dev-1/telemetry", '{"t": NaN}')
    for table, n in (("dead_letters", 1), ("row_notes", 1), ("vehicle_logs", 3), ("raw_logs", 1), ("sensor_logs", 1), ("alerts", 2),
                     ("ble_detections", 1), ("telemetry", 2), ("camera_events", 1)):
        database.wait_for(f"SELECT count(*) FROM {table}", n)
    wait_until(lambda: gateway.get("/api/devices/dev-1", "ana").json()["status"] == "online",
               "the status")


def test_every_path_answers_as_the_document_says(documented, broker, database):
    gateway = documented
    seed(gateway, broker, database)
    document, ids = gateway.openapi, gateway.ids
    epoch = database.value("SELECT epoch FROM journal_positions ORDER BY journal_id DESC LIMIT 1")
    Viewer(gateway, "/api/ws", gateway.token("ana"))  # so that there is a connection to list
    command = requests.post(f"{gateway.url}/api/devices/dev-1/commands", timeout=PATIENCE,
                            json={"action": "REBOOT"},
                            headers={"Authorization": f"Bearer {gateway.token('ana')}"})
    check(gateway, "/api/devices/{id}/commands", "post", command)
    detection = {"device_hash": "cd" * 32, "rssi": -70}
    bodies = {
        "/api/token": {"data": {"username": "ana", "password": "correct horse battery"}},
        "/api/devices/{id}/commands": {"json": {"action": "SET", "payload": {"a": 1}}},
        "/api/v1/detections": {"json": detection},
        "/api/v1/detections/bulk": {"json": {"detections": [detection]}},
        "/api/ws/ticket": {}, "/api/v1/settings/thresholds/reset": {},
        "/api/v1/settings/thresholds": {"json": {"near_threshold": -40, "medium_threshold": -70}},
        "/api/devices/{id}/owner": {"json": {"user": "ana"}},
        "/api/vehicles/{id}/owner": {"json": {"user": "ana"}},
        "/auth/login": {"json": {"email": "ana", "password": "correct horse battery"}},
        "/api/routes/try": {"json": {"topic": "ems/dev-1/telemetry", "payload": '{"v": 1}'}},
    }
    queries = {
        "/api/devices/{id}/telemetry": ["?interval=5m", "?limit=1&order=asc"],
        "/api/vehicles/{id}/logs": ["?limit=1", "?types=alert", "?limit=2&order=asc"],
        "/api/vehicles/{id}/track.geojson": ["?simplify=10", "?from=2000-01-01T00:00:00Z&to="
                                             "2000-01-02T00:00:00Z"],
        "/api/devices": ["?limit=1"], "/api/vehicles": ["?limit=1"],
        "/api/alerts": ["?limit=1", "?device_id=dev-1", "?acknowledged=false"], "/api/detections": ["?zone=near"],
        "/api/camera-events": ["?event_type=face_detected", "?limit=1&order=asc"],
        "/api/events/poll": ["?wait=0", f"?since={epoch}:1&wait=20"],
        "/api/cameras": ["?skip=1&limit=5&active_only=true"],
        "/api/history/detections": ["?hours=1&person_name=John%20Doe&camera_id=cam-1"],
        "/vehicle-logs": ["?vehicle_id=1&limit=2", "?start=2000-01-01T00:00:00&end=2100-01-01"
                          "T00:00:00"],
        "/sensor-logs": ["?sensor_id=5"],
        "/api/dead-letters": ["?by=reason,route,device,topic,detail", "?reason=bad_json"],
        "/api/dead-letters/notes": ["?by=member,reason"],
        "/api/ws/stats": ["?scope=cluster", "?scope=node"],
        "/api/devices/{id}/telemetry": ["?member=v&points=5", "?interval=1h"],
        "/api/vehicles/{id}/series": ["?member=temperature&sensor_id=1"],
    }
    needed = {"/api/v1/statistics/range":
              "?start_time=2000-01-01T00:00:00&end_time=2100-01-01T00:00:00",
              "/api/vehicles/{id}/series": "?member=battery_voltage",
              "/api/vehicles/{id}/series.csv": "?member=battery_voltage", "/api/devices/{id}/telemetry.csv": "?member=v"}
    bad = {"/api/devices": "?limit=x", "/api/vehicles": "?limit=x", "/api/alerts": "?limit=x",
           "/api/ws/stats": "?scope=x", "/api/dead-letters": "?reason=x", "/api/dead-letters/notes": "?from=x",
           "/api/detections": "?zone=x", "/api/camera-events": "?limit=x", "/api/vehicles/{id}/logs": "?order=x",
           "/api/vehicles/{id}/track.geojson": "?simplify=x", "/api/vehicles/{id}/series": "?member=v&points=x",
           "/api/vehicles/{id}/series.csv": "?member=", "/api/devices/{id}/telemetry.csv": "?member=",
           "/api/devices/{id}/telemetry": "?from=x", "/api/v1/statistics/realtime": "?minutes=x",
           "/api/v1/statistics/range": "?start_time=x&end_time=x"}
    n_checked = 0
    for path, item in document["paths"].items():
        if path.startswith("/api/manage/"):  # test_things_are_managed_by_http checks each answer
            continue
        for method, operation in item.items():
            if path.startswith("/api/dead-letters") and method == "delete":  # test_dead_letters_by_http does
                continue
            if operation.get("deprecated"):  # what is not served, and says where to find it
                answer = send(gateway, path, method, gateway.token("root"), {"id": "dev-1"}, "",
                              {"json": {}})
                is_path = any(not other.get("deprecated") for other in item.values() if isinstance(other, dict))
                assert (answer.status_code, answer.json()["code"]) == (405 if is_path else 404, "administration")
                check(gateway, path, method, answer)
                continue
            values = {"id": ids["USV-1"] if "/vehicle" in path else ids["dev-1"]}
            if path.startswith("/api/cameras"):
                values["id"] = "cam-1"
            if "/person/" in path:
                values["id"] = "John Doe"
            if path.startswith("/api/dead-letters"):
                values["id"] = database.value("SELECT min(id) FROM dead_letters")
            if table := {"/vehicle-logs/{id}": "vehicle_logs", "/sensor-logs/{id}": "sensor_logs",
                         "/raw-logs/{id}": "raw_logs"}.get(path):
                values["id"] = database.value(f"SELECT min(seq) FROM {table}")
            if path.startswith("/api/alerts/"):
                values["id"] = f"{epoch}:{database.value('SELECT min(seq) FROM alerts')}"
            if "/commands/" in path:
                values["id"] = command.json()["command_id"]
            is_device = any("deviceToken" in s for s in operation["security"])
            token = ids["dev-1 token"] if is_device else \
                gateway.token("root" if re.search("/owner$|/thresholds|/dead-letters|/unrouted|/discovered|/try$|/ws/stats$", path) else "ana")
            body = None if method == "get" else bodies.get(path)
            if path in ("/api/token/refresh", "/auth/refresh"):  # one of a log-in alone is renewed
                token = gateway.post("/api/token", **bodies["/api/token"]).json()["access_token"]
            if path == "/api/events":  # has no end
                with requests.get(gateway.url + path, stream=True, timeout=PATIENCE,
                                  headers={"Authorization": f"Bearer {token}"}) as answer:
                    assert answer.status_code == 200
                    assert answer.headers["Content-Type"].startswith("text/event-stream")
                continue
            if path.endswith("/replay"):  # what one asks for, the other tells of
                which = "" if "{id}" in path else "?reason=bad_json"
                for way, status in (("post", 202), ("get", 200)) if method == "post" else ():
                    answer = send(gateway, path, way, token, values, which)
                    assert answer.status_code == status, answer.text
                    check(gateway, path, way, answer)
                continue
            if "200" not in operation["responses"]:  # of pictures there are none
                answer = send(gateway, path, method, token, values)
                assert answer.status_code == 404 and "docs/migrate/" in answer.text, path
                check(gateway, path, method, answer)
                continue
            for query in (needed.get(path, ""), *queries.get(path, [])):
                if path == "/api/events/poll" and not query:
                    continue
                answer = send(gateway, path, method, token, values, query, body)
                assert answer.status_code < 300, f"{path}{query}: {answer.text}"
                check(gateway, path, method, answer)
                n_checked += 1
            if path in bad:
                answer = send(gateway, path, method, token, values, bad[path], body)
                assert answer.status_code == 400, path
                check(gateway, path, method, answer)
            if operation["security"] and {} not in operation["security"]:
                answer = send(gateway, path, method, None, values, "", body)
                assert answer.status_code == 401, path
                check(gateway, path, method, answer)
            if "{id}" in path and "/person/" not in path:  # of a person whom nobody knows there is nothing
                answer = send(gateway, path, method, token, {"id": "nothing"}, "", body)
                assert answer.status_code == 404, path
                check(gateway, path, method, answer)
            if method == "post" and body:
                answer = send(gateway, path, method, token, values, "", {"data": b"\xff{"})
                assert 400 <= answer.status_code < 500, path
                check(gateway, path, method, answer)
    assert n_checked > 30


def messages_of(gateway, channel):
    """The schemas of what the gateway sends on a channel."""
    document = gateway.asyncapi
    return [resolve(document, document["channels"][channel]["messages"][name])["payload"]
            for name in document["channels"][channel]["messages"]
            if any(ref["$ref"].endswith(f"/channels/{channel}/messages/{name}")
                   for ref in document["operations"].get(f"{channel}.send", {}).get("messages", []))]


class EventStream:
    """GET /api/events, as far as it has come."""

    def __init__(self, gateway, token):
        self.frames = []
        self.answer = requests.get(
            f"{gateway.url}/api/events?to=user,stats&snapshot=true", stream=True, timeout=PATIENCE,
            headers={"Authorization": f"Bearer {token}"})
        assert self.answer.status_code == 200
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(Exception):  # it ends with close()
            for line in self.answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: "):
                    self.frames.append(line[6:].decode())

    def wait_for(self, predicate, what):
        wait_until(lambda: predicate(self.frames), what)

    def close(self):
        self.answer.close()


def is_documented(gateway, frame, schemas):
    try:
        value = json.loads(frame)
    except ValueError:
        value = frame
    for schema in schemas:
        try:
            validate(value, gateway.asyncapi, schema)
            return True
        except jsonschema.ValidationError:
            continue
    return False


def test_every_message_of_a_scenario_is_in_the_document(documented, broker, database):
    gateway = documented
    token = gateway.token("ana")
    vehicle = gateway.ids["USV-1"]
    sockets = {
        "peopleCounter": Viewer(gateway, "/ws", token),
        "deviceView": Viewer(gateway, "/ws/dashboard/dev-1", token),
        "deviceHub": Viewer(gateway, "/ws/devices", token),
        "vehicles": Viewer(gateway, "/api/ws", token),
        "vehicle": Viewer(gateway, f"/api/ws/vehicle/{vehicle}", token),
        "cameraStatistics": Viewer(gateway, "/api/ws/statistics", token),
        "native": Viewer(gateway, "/api/ws", token, subprotocols=["tidegate.v1"]),
        "nativeVehicle": Viewer(gateway, f"/api/ws/vehicle/{vehicle}", token,
                                subprotocols=["tidegate.v1"]),
        "deviceSocket": Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"]),
        "events": EventStream(gateway, token),
    }
    sockets["peopleCounter"].send("ping")
    for name in ("vehicles", "vehicle", "cameraStatistics"):
        sockets[name].send({"type": "ping", "timestamp": 1})
        sockets[name].send({"type": "subscribe", "event_types":
                            ["raw_log", "sensor_log", "vehicle_log"] if name != "cameraStatistics"
                            else ["face_detected", "alert", "camera_event", "statistics_update"]})
        sockets[name].send("not json")
    native = sockets["native"]
    native.send({"op": "subscribe", "id": 1, "to": ["user", "stats"], "set": True})
    native.send({"op": "subscribe", "id": 7, "to": ["vehicle/*"], "set": True, "bbox": [0, 0, 1, 1]})
    native.send({"op": "move", "id": 8, "subscription": "s2", "bbox": None})
    native.send({"op": "move", "id": 9, "subscription": "s2", "to": []})
    sockets["nativeVehicle"].send({"op": "subscribe", "id": 1, "to": [f"vehicle/{vehicle}"]})
    native.send({"op": "ping", "id": 2})
    native.send({"op": "nonsense", "id": 3})
    native.send({"op": "command", "id": 4, "device": "dev-1", "action": "SET", "payload": {"a": 1},
                 "idempotency_key": str(uuid.uuid4())})
    native.wait_for(lambda frames: any('"id":4' in f for f in frames), "the command's answer")
    sockets["deviceSocket"].send('{"v": 2.5}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    database.rows("TRUNCATE telemetry")
    seed(gateway, broker, database)
    broker.publish("surveillance/camera/cam-1/event", json.dumps({
        "camera_id": "cam-1", "event_type": "motion", "data": {}}))

    expected = {
        "peopleCounter": ("pong", "detection_event", "stats_update"),
        "deviceView": ('"v"',), "deviceHub": ("device_list", "device_update"),
        "vehicles": ("connection", "raw_log", "sensor_log", "vehicle_log", "pong", "error",
                     "subscription_ack"),
        "vehicle": ("connection", "raw_log", "sensor_log", "vehicle_log"),
        "cameraStatistics": ("connection_status", "statistics_update", "camera_event", "pong"),
        "native": ("welcome", "raw_log", "sensor_log", "vehicle_log", "telemetry", "camera_event",
                   "alert", "device_update", "detection_event", "command_update", "snapshot",
                   "stats_update", "statistics_update", '"ok":false', '"complete":true', '"left"', "progress"),
        "nativeVehicle": ("welcome", "vehicle_log"), "deviceSocket": ("command_id",),
        "events": ("subscribed", "snapshot", "raw_log", "alert", "command_update", "stats_update"),
    }
    for name, socket in sockets.items():
        for word in expected[name]:
            socket.wait_for(lambda frames, w=word: any(w in f for f in frames), f"{name}: {word}")
        schemas = messages_of(gateway, name)
        assert schemas, name
        for frame in list(socket.frames):
            assert is_documented(gateway, frame, schemas), f"{name}: {frame}"
        socket.close()
    # and what is not in it is recognised
    assert not is_documented(gateway, '{"type":"raw_log"}', messages_of(gateway, "vehicles"))


# what the origin systems have takes what it always did
LENIENT = ("/api/v1/", "/api/history/", "/api/faces/", "/api/cameras", "/api/ws/ticket")
OTHERS = ("/api/v1/devices", "/api/cameras", "/vehicle-logs?limit=1", "/api/v1/detections/recent")


def parameters(gateway, operation):
    found = [resolve(gateway.openapi, one) for one in operation.get("parameters", [])]
    return [one["name"] for one in found if one["in"] == "query"]


def test_lists_refuse_what_they_do_not_know_and_take_what_is_documented(documented):
    n_lists = 0
    for path, operations in documented.openapi["paths"].items():
        names = parameters(documented, operations.get("get", {}))
        if not names or not path.startswith("/api/") or path.startswith(LENIENT):
            continue
        n_lists += 1
        path = path.replace("{id}", "1")
        for query, detail in (("nonsense=1", "'nonsense': there is no such parameter"),
                              (f"{names[0]}=&_=17", "'_': there is no such parameter"),
                              (f"{names[0]}=1&{names[0]}=1", f"'{names[0]}': it is there twice")):
            answer = documented.get(f"{path}?{query}", "root")
            assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
                400, "bad_parameter", detail), (path, query, answer.text)
        answer = documented.get(path + "?" + "&".join(f"{name}=" for name in names), "root")
        assert "no such parameter" not in answer.text, (path, answer.text)
    assert n_lists == 21


def test_the_paths_of_the_origin_systems_take_whatever_they_are_asked(documented):
    for path in OTHERS:
        plain = documented.get(path, "root")
        more = documented.get(path + ("&" if "?" in path else "?") + "_=17&nonsense=1", "root")
        assert plain.status_code == 200 and (more.status_code, more.json()) == (200, plain.json()), path
