"""A token means the person it was made for, until it ends: then at once, whichever way it comes."""
import contextlib
import json
import socket

import jwt
import pytest
import requests

from conftest import populate
from identities import NATIVE, claims, native, sign
from viewers import Viewer, refused
from waiting import wait_until

PASSWORD = "correct horse battery"


@pytest.fixture(name="gateway")
def a_gateway(make_gateway):
    gateway = make_gateway(auth__token_failures_per_minute=100000)
    populate(gateway)
    return gateway.start()


def login(gateway, name, password=PASSWORD):
    answer = gateway.post("/api/token", data={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def worth(gateway, token):
    """What a token is worth over HTTP, as an event stream, as a poll and on sockets."""
    return (gateway.status("/api/devices", headers=bearer(token)),
            status_of_stream(gateway, token),
            gateway.status("/api/events/poll?wait=0", headers=bearer(token)),
            refused(gateway, "/api/ws", token), said_in_band(gateway, token))


def status_of_stream(gateway, token):
    with requests.get(gateway.url + "/api/events", headers=bearer(token), stream=True,
                      timeout=20) as answer:
        return answer.status_code


def said_in_band(gateway, token):
    v = Viewer(gateway, "/api/ws", subprotocols=[NATIVE])
    v.send({"op": "auth", "id": 0, "token": token})
    try:
        wait_until(lambda: v.frames or v.closed, "an answer")
        return v.closed[0] if v.closed else 101
    finally:
        v.close()


GOOD, BAD = (200, 200, 204, 101, 101), (401, 401, 401, 401, 4001)


def test_a_user_with_a_number_for_a_name_is_never_the_one_with_that_id(gateway, database):
    """As such names were free once, there may be one."""
    assert gateway.ids["ana"] == 1
    database.rows("UPDATE users SET role = 'admin' WHERE username = 'ana'")
    database.rows("UPDATE users SET username = '1' WHERE username = 'ben'")
    wait_until(lambda: worth(gateway, gateway.token("1")) == BAD, "his old tokens to end")
    own = login(gateway, "1")
    assert jwt.decode(own, options={"verify_signature": False})["sub"] == "1"
    assert worth(gateway, own) == GOOD
    assert native(gateway, own).closed is None
    devices = gateway.get("/api/devices", headers=bearer(own)).json()
    assert [d["device_code"] for d in devices["items"]] == ["dev-2"]

    database.rows("DELETE FROM users WHERE username = '1'")
    wait_until(lambda: gateway.status("/api/devices", headers=bearer(own)) == 401, "the end of it")
    assert worth(gateway, own) == BAD
    for subject in ("1", "01", "+1", " 1", "1 ", "１", "1.0", "id:1"):
        assert worth(gateway, sign(claims(subject), gateway.secret)) == BAD, subject

    # the same name is another person
    gateway.cli("user", "add", "ben", stdin=PASSWORD + "\n")
    database.rows("UPDATE users SET username = '1' WHERE username = 'ben'")
    wait_until(lambda: worth(gateway, login(gateway, "1")) == GOOD, "the new user")
    assert worth(gateway, own) == BAD


def open_everything(gateway, token):
    """Sockets of every dialect and kind of visitor that the token opens."""
    paths = ("/ws", "/ws/devices", "/api/ws", "/api/ws/statistics")
    return [*(Viewer(gateway, path, token) for path in paths), native(gateway, token)]


def read_until_it_ends(answer):
    with contextlib.suppress(requests.RequestException):
        for _ in answer.iter_content(None):
            pass


def test_every_end_ends_it_everywhere(gateway, database):
    ends = {
        "revoked": lambda n: gateway.cli("user", "revoke", n),
        "password": lambda n: gateway.cli("user", "password", n, stdin="another long one\n"),
        "disabled": lambda n: gateway.cli("user", "disable", n),
        "deleted": lambda n: gateway.cli("user", "delete", n),
    }
    for end, do in ends.items():
        gateway.add_user(end)
        wait_until(lambda e=end: gateway.get("/api/devices", user=e).status_code == 200, "the user")
        own, foreign = login(gateway, end), gateway.token(end)
        printed = gateway.cli("user", "token", end).stdout.strip()
        assert worth(gateway, own) == worth(gateway, printed) == GOOD
        ticket = gateway.post("/api/ws/ticket", headers=bearer(own)).json()["ticket"]
        sockets = open_everything(gateway, own)
        with requests.get(gateway.url + "/api/events", headers=bearer(own), stream=True,
                          timeout=30) as stream:
            assert stream.status_code == 200
            do(end)
            for v in sockets:
                assert v.wait_closed()[0] == 4004, end
            read_until_it_ends(stream)
        assert worth(gateway, own) == worth(gateway, printed) == worth(gateway, foreign) == BAD, end
        assert refused(gateway, f"/api/ws?ticket={ticket}") == 401
        if end == "disabled":
            gateway.cli("user", "enable", end)
            wait_until(lambda: worth(gateway, login(gateway, "disabled")) == GOOD, "him again")
            assert worth(gateway, own) == worth(gateway, printed) == worth(gateway, foreign) == BAD
        if end == "deleted":
            gateway.add_user(end)
            wait_until(lambda: worth(gateway, login(gateway, "deleted")) == GOOD, "the next one")
            assert worth(gateway, own) == worth(gateway, printed) == worth(gateway, foreign) == BAD
    assert login(gateway, "password", "another long one")
    assert gateway.post("/api/token", data={"username": "password",
                                            "password": PASSWORD}).status_code == 401


def test_a_socket_is_not_refreshed_with_a_token_that_has_ended(gateway):
    v, old = native(gateway, gateway.token("ana")), login(gateway, "ana")
    v.send({"op": "refresh", "id": 1, "token": old})
    wait_until(lambda: any('"id":1,"ok":true' in f for f in v.frames), "the refresh")
    gateway.cli("user", "revoke", "ana")
    assert v.wait_closed()[0] == 4004
    v = native(gateway, login(gateway, "ana"))
    v.send({"op": "refresh", "id": 2, "token": old})
    wait_until(lambda: any('"id":2' in f for f in v.frames), "an answer")
    assert json.loads(v.frames[-1])["error"]["code"] == "unauthorized"


def begin_post(gateway, path, headers, body):
    s = socket.create_connection(("127.0.0.1", gateway.port), 20)
    s.sendall((f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\nConnection: close\r\n"
               + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode())
    s.sendall(body[:1])
    return s


def end_post(s, body):
    s.sendall(body[1:])
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    s.close()
    return int(data.split()[1])


def test_a_body_that_comes_after_the_end_does_nothing(gateway, database):
    command = json.dumps({"action": "GO"}).encode()
    detection = json.dumps({"device_id": "dev-2", "timestamp": "2026-01-01T00:00:00Z",
                            "device_hash": "ab" * 32, "rssi": -50}).encode()
    ben = login(gateway, "ben")
    begun = [(begin_post(gateway, "/api/devices/dev-2/commands", bearer(ben), command), command),
             (begin_post(gateway, "/api/v1/detections/", {"X-API-Key": gateway.ids["dev-2 token"]},
                         detection), detection)]
    gateway.cli("user", "revoke", "ben")
    gateway.cli("device", "token", "revoke", "dev-2")
    wait_until(lambda: gateway.status("/api/devices", headers=bearer(ben)) == 401, "the end")
    wait_until(lambda: gateway.post("/api/v1/detections/", json={}, headers={
        "X-API-Key": gateway.ids["dev-2 token"]}).status_code == 401, "the device's end")
    assert [end_post(s, body) for s, body in begun] == [401, 401]
    assert database.value("SELECT count(*) FROM commands") == 0
    assert database.value("SELECT count(*) FROM ble_detections") == 0


def test_a_body_that_comes_after_its_device_does_nothing(gateway, database):
    """By each way in, with either credential, however the device's right has ended."""
    ends = {"rotated": lambda code: gateway.cli("device", "token", "rotate", code),
            "revoked": lambda code: gateway.cli("device", "token", "revoke", code),
            "off": lambda code: database.rows(
                "UPDATE devices SET is_active = false WHERE code = %s", code),
            "deleted": lambda code: database.rows("DELETE FROM devices WHERE code = %s", code)}
    ways = {"/api/v1/detections": {"device_hash": "ab" * 32, "rssi": -50},
            "/api/v1/detections/bulk": {"detections": [{"device_hash": "ab" * 32, "rssi": -50}]}}
    begun, tokens = [], {}
    for code in ends:
        tokens[code] = gateway.add_device(code, "ana")[1]
        for path, body in ways.items():
            for header in ({"X-API-Key": tokens[code]}, bearer(tokens[code])):
                wait_until(lambda h=header: gateway.post("/api/v1/detections", json={}, headers=h)
                           .status_code == 422, "the device to be known")
                text = json.dumps(body).encode()
                begun.append((begin_post(gateway, path, header, text), text))
    for code, end in ends.items():
        end(code)
        wait_until(lambda c=code: gateway.post("/api/v1/detections", json={}, headers=bearer(
            tokens[c])).status_code == 401, "the end")
    assert {end_post(s, body) for s, body in begun} == {401}
    assert database.value("SELECT count(*) FROM ble_detections") == 0
    assert database.value("SELECT count(*) FROM dead_letters") == 0
