"""Bytes that are not UTF-8, wherever they come in: 400, a try where tries are counted, never a query."""
import socket

import pytest

from identities import ask_from, claims, sign
from viewers import Viewer, refused

BYTES = ("%ff", "%c0%80", "%ed%a0%80", "%f5%80%80%80", "a%00b", "%80")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask_raw(gateway, head):
    with socket.create_connection(("127.0.0.1", gateway.port), 20) as s:
        s.sendall(head)
        s.shutdown(socket.SHUT_WR)
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    return int(data.split()[1]), data


@pytest.mark.parametrize("where", ["query", "path", "header"])
def test_what_is_no_text_is_no_request(gateway, where):
    token = gateway.token("ana")
    for odd in BYTES:
        raw = odd.encode() if where != "header" else bytes.fromhex(odd[1:].replace("%", "")) \
            if odd.startswith("%") else b"a\xffb"
        target = {"query": b"/api/alerts?device_id=" + raw, "header": b"/api/commands/cmd_x",
                  "path": b"/api/commands/" + raw}[where]
        if where in ("path", "query") and odd == "a%00b":
            continue  # the library ends the request there, and the connection
        extra = b"Last-Event-ID: " + raw + b"\r\n" if where == "header" else b""
        status, data = ask_raw(gateway, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n"
                               b"Connection: close\r\nAuthorization: Bearer " + token.encode()
                               + b"\r\n" + extra + b"\r\n")
        assert status == 400 and b"application/problem+json" in data, (odd, data)
    assert gateway.status("/api/alerts?device_id=dev-1", headers={
        "Authorization": f"Bearer {token}"}) == 200
    assert "refused sqlstate" not in gateway.log()


def test_a_login_of_bytes_is_a_try(gateway):
    seen = [ask_from(gateway, "127.0.0.77", "POST", "/api/token",
                     f"username=ana{odd}&password=x", FORM)[0] for odd in BYTES * 2]
    assert set(seen) == {400, 429} and seen[0] == 400 and seen[-1] == 429
    assert seen.index(429) == 10
    assert ask_from(gateway, "127.0.0.78", "POST", "/api/token", "username=ana&password=%ff%fe",
                    FORM)[0] == 400
    assert gateway.post("/api/token", data={"username": "ana",
                                            "password": "correct horse battery"}).status_code == 200
    assert "query_refused" not in gateway.log()


def test_origin_guards_only_what_a_browser_brings_by_itself(make_gateway):
    from conftest import populate
    gateway = make_gateway(auth__anonymous="/ws, /api/ws", http__allowed_origins="https://ours.example")
    populate(gateway)
    gateway.start()
    for origin in ("file://", "null", "https://theirs.example"):
        header = {"Origin": origin}
        assert refused(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"], header) == 101
        assert refused(gateway, "/api/ws", gateway.token("ana"), header) == 101
        assert refused(gateway, "/ws", headers=header) == 403
    # the path is open to everybody, for what its dialect shows
    assert refused(gateway, "/api/ws") == 101
    v = Viewer(gateway, "/api/ws", subprotocols=["tidegate.v1"])
    v.send({"op": "subscribe", "id": 1, "to": ["device/*"]})
    assert v.wait_closed()[0] == 4003
    status, headers, _ = ask_from(gateway, "127.0.0.1", "OPTIONS", "/api/events",
                                  headers={"Origin": "https://ours.example"})
    assert status == 204 and "Last-Event-ID" in headers["Access-Control-Allow-Headers"]
    for body in (claims("ana"), claims("ana", exp=2 ** 63)):
        assert refused(gateway, "/ws", sign(body, gateway.secret, typ="at+jwt")) == 101
