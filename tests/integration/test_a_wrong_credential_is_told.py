"""Promise: who is refused is told so, and so is who runs the gateway; nothing is swallowed."""
import re

import pytest

from conftest import populate
from viewers import Viewer, refused
from waiting import wait_until


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


TELEMETRY = ['{"voltage": 1}', '  [1]', '{"voltage": ', b'{"voltage": 1}', "12.5", '"on"', "hello",
             '\ufeff{"voltage": 1}']


@pytest.mark.parametrize("message", TELEMETRY, ids=["object", "list", "half", "binary", "number", "text",
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
    for message in ("ping", " pong ", '{"type":"ping"}', '{"type":"pong","t":1}', ""):
        v.send(message)
    assert gateway.status("/livez") == 200
    v.send('{"voltage": 1}')
    assert v.wait_closed()[0] == 1008
    assert v.frames == []
