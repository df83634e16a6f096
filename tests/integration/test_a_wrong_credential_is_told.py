"""Promise: who is refused is told so, and so is who runs the gateway; nothing is swallowed."""
import json
import re

import pytest
import requests

from conftest import populate
from viewers import Viewer, refused
from waiting import PATIENCE, wait_until


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(auth__anonymous="/ws/device/*, /ws/dashboard/*", auth__query_token="off")
    populate(gateway)
    gateway.start()
    return gateway


def told(gateway):
    """The last line about a refusal, as a dictionary."""
    line = [x for x in gateway.log().splitlines() if " ws_refused " in x][-1]
    return {key: text.strip('"') for key, text in re.findall(r'(\w+)=("[^"]*"|\S*)', line)}


@pytest.mark.parametrize("path, token, headers, expected", [
    ("/api/ws/statistics", None, {},
     {"status": "403", "why": "no credential", "set": "auth.anonymous"}),
    ("/ws?token=not.for.logs", None, {},
     {"status": "401", "path": "/ws", "set": "auth.query_token"}),
    ("/ws", "bad.token.here", {}, {"status": "401", "reason": "unauthorized"}),
    ("/ws", None, {"Origin": "null"},
     {"status": "403", "reason": "forbidden_origin", "origin": "null", "set": "http.allowed_origins"}),
    ("/ws/nowhere", None, {}, {"status": "404", "reason": "not_found"}),
], ids=["no credential", "token in the URL", "bad token", "origin", "path"])
def test_a_refused_handshake_is_one_line(gateway, path, token, headers, expected):
    assert refused(gateway, path, token, headers=headers) == int(expected["status"])
    line = told(gateway)
    assert {key: line.get(key) for key in expected} == expected
    assert line["source"] == "127.0.0.1"
    assert ("set" in line) == ("set" in expected)
    assert gateway.log().count(" ws_refused ") == 1
    assert "not.for.logs" not in gateway.log()


def test_who_tries_for_ever_does_not_fill_the_log(gateway):
    for _ in range(60):
        assert refused(gateway, '/ws/x"set=y') == 404
    assert 20 <= gateway.log().count(" ws_refused ") <= 30
    assert 'path="/ws/x?set=y"' in gateway.log()


TELEMETRY = ['{"voltage": 1}', '{"type":"heartbeat","voltage":1}', '{"action":["ping"]}', '{"ping":230.5}', "pinging", '  [1]', '{"voltage": ', b'{"voltage": 1}', "12.5", '"on"', "hello",
             '\ufeff{"voltage": 1}']


@pytest.mark.parametrize("message", TELEMETRY, ids=["object", "heartbeat", "odd action", "ping of a line", "longer word", "list", "half", "binary", "number", "text",
                                                    "word", "byte order mark"])
@pytest.mark.parametrize("who", [None, "ana", "ben"])
def test_telemetry_of_who_is_no_device_closes(gateway, database, who, message):
    token = gateway.token(who) if who else None
    path = "/ws/device/dev-2" if who == "ben" else "/ws/device/dev-1"
    v = Viewer(gateway, path, token)
    v.send(message)
    code, reason = v.wait_closed()
    assert code == 1008 and "token" in reason
    assert gateway.metric("tidegate_ws_closed_by_gateway_total", reason="forbidden") == 1
    wait_until(lambda: " ws_telemetry_refused " in gateway.log(), "the line")
    assert database.value("SELECT count(*) FROM telemetry") == 0


def test_a_page_that_says_it_is_alive_stays(gateway):
    v = Viewer(gateway, "/ws/dashboard/dev-1", gateway.token("ana"))
    for message in ("ping", " pong ", '{"type":"ping"}', '{"type":"pong","t":1}', "", "PING", '"ping"', ' "Pong"\n', "heartbeat", "{}",
                    '{"action":"ping"}', '{"event":"PING"}', '{"op":"ping","id":1}'):
        v.send(message)
    assert gateway.status("/livez") == 200
    v.send('{"voltage": 1}')
    assert v.wait_closed()[0] == 1008
    assert v.frames == []


VIEWS = {"A": "/ws", "A, at the root": "/", "B": "/ws/device/dev-1", "B, a page": "/ws/dashboard/dev-1", "C": "/ws/devices", "D": "/api/ws",
         "D, one vehicle": "/api/ws/vehicle/USV-1", "E": "/api/ws/statistics"}
DATA = {  # what devices of the five systems send
    "telemetry": {"voltage": 230.5, "current": 4.2},
    "status": {"status": "online", "temperature": 25.1, "humidity": 60.2},
    "detections": {"device_id": "dev-1", "detections": [{"device_hash": "ab" * 32, "rssi": -55}]},
    "one detection": {"device_id": "dev-1", "device_hash": "ab" * 32, "rssi": -55},
    "a list": [{"voltage": 1}, {"voltage": 2}],
    "vehicle log": {"battery_voltage": 12.6, "latitude": -6.2, "longitude": 106.8, "mode": "AUTO"},
    "sensor log": {"sensor_id": 1, "data": {"temperature": 25.5}},
    "camera event": {"camera_id": "cam-1", "event_type": "face_detected", "data": {"confidence": 0.9}},
    "acknowledgement": {"command_id": "cmd_1", "status": "ok"},
    "with a type": {"type": "vehicle_log", "vehicle_id": 1, "data": {}},
}
TABLES = "SELECT (SELECT count(*) FROM telemetry) + (SELECT count(*) FROM vehicle_logs) + (SELECT count(*) FROM dead_letters)"


@pytest.mark.parametrize("dialect", VIEWS)
def test_data_on_a_socket_that_takes_none_closes_it(gateway, database, dialect):
    """Whoever sends it there, user or device that lost its way: it would think that all is well."""
    n = 0
    for data in DATA.values():
        for message in (json.dumps(data), json.dumps(data).encode()):
            v = Viewer(gateway, VIEWS[dialect], gateway.token("ana"))
            v.send(message)
            code, reason = v.wait_closed()
            assert code == 1008 and "token" in reason, (data, code, reason)
            n += 1
    assert gateway.metric("tidegate_ws_closed_by_gateway_total", reason="forbidden") == n
    assert f" ws_telemetry_refused dialect={dialect[0]} user={gateway.ids['ana']} " in gateway.log()
    assert database.value(TABLES) == 0


CHATTER = {
    "A": ("ping", "pong", "", "hello", '{"type":"ping"}', "{}"),
    "B": ("ping", "pong", "", '{"type":"ping"}', '{"type":"pong"}'),
    "C": ("ping", "", '{"type":"ping"}', '{"type":"subscribe","device_ids":[1]}', '{"action":"subscribe"}', '{"event":"heartbeat"}', "not json", "[1]"),
    "D": ('{"type":"ping","timestamp":1}', '{"type":"subscribe","event_types":["vehicle_log"]}', '{"type":"subscribe"}', "ping", "not json",
          '{"type":"unsubscribe"}', '{"type":"get_status"}', "12"),
    "E": ('{"type":"ping","timestamp":1}', '{"type":"subscribe","event_types":["alert"]}', '{"type":"unsubscribe","event_types":["alert"]}',
          "ping", "not json", '{"type":"get_statistics"}', '{"type":"status"}'),
}


@pytest.mark.parametrize("dialect", VIEWS)
def test_what_pages_say_closes_nothing(gateway, dialect):
    v = Viewer(gateway, VIEWS[dialect], gateway.token("ana"))
    for message in CHATTER[dialect[0]]:
        v.send(message)
    v.send('{"voltage": 1}')  # and when this is judged those before were
    assert v.wait_closed()[0] == 1008
    assert gateway.metric("tidegate_ws_closed_by_gateway_total", reason="forbidden") == 1
    assert gateway.metric("tidegate_ws_messages_in_total") == len(CHATTER[dialect[0]]) + 1


@pytest.mark.parametrize("path", ["/ws", "/ws/dashboard/dev-1", "/api/ws", "/api/v1/devices/"])
def test_a_token_in_a_form_that_is_none_is_told(make_gateway, path):
    """Also where nobody needs one: he would think that he is seen as himself. What a proxy before us asks for is not ours."""
    gateway = make_gateway(auth__anonymous="/ws, /ws/dashboard/*, /api/ws, /api/v1/devices*")
    populate(gateway)
    gateway.start()
    token = gateway.token("ana")

    def status(value):
        if path == "/api/v1/devices/":
            return requests.get(gateway.url + path, headers={"Authorization": value} if value else {}, timeout=PATIENCE).status_code
        return refused(gateway, path, headers={"Authorization": value} if value else {})

    good = 200 if path == "/api/v1/devices/" else 101
    for value in (None, f"Bearer {token}", f"bearer   {token} ", "Bearer", "Basic YW5hOng=", "Digest username=x", "Negotiate abc", "ntlm"):
        assert status(value) == good, value
    for value in (token, f"Token {token}", f"JWT {token}", f"Bearer:{token}", f"Bearer: {token}", f"Bearer\t{token}", f'Bearer "{token}"', "x",
                  f"Basically {token}", "Bearer null"):
        assert status(value) in ((403,) if path == "/ws/dashboard/dev-1" else (401,)), value
