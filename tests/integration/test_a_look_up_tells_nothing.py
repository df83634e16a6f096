"""Who may not see a thing is answered the same whether it is another's or nobody's, byte for byte."""
import contextlib
import json
import re
import socket

import requests

from identities import NATIVE, native
from viewers import UPGRADE, Viewer, refused
from waiting import PATIENCE, wait_until

OFFER = f"Sec-WebSocket-Protocol: {NATIVE}\r\n"
ORDER = json.dumps({"action": "OPEN"})

# What of ben's is asked for, and what stands for it but is nobody's: as a code, as an id, as both.
NAMES = {"device": (("dev-2", "dev-9"), ("{dev-2}", "900"), ("id:{dev-2}", "id:900")),
         "vehicle": (("USV-2", "USV-9"), ("{USV-2}", "900"), ("id:{USV-2}", "id:900"))}

REQUESTS = [  # of what, method, path, further headers, body
    ("device", "GET", "/api/devices/@", "", ""),
    ("device", "HEAD", "/api/devices/@", "", ""),
    ("device", "GET", "/api/devices/@/telemetry", "", ""),
    ("device", "GET", "/api/devices/@/telemetry?interval=1m&from=x", "", ""),
    ("device", "POST", "/api/devices/@/commands", "Content-Type: application/json\r\n", ORDER),
    ("device", "POST", "/api/devices/@/commands", "Content-Type: application/json\r\n", "{}"),
    ("device", "GET", "/api/detections?device_id=@", "", ""),
    ("device", "GET", "/api/alerts?device_id=@", "", ""),
    ("device", "GET", "/api/v1/statistics/realtime?device_id=@", "", ""),
    ("device", "GET", "/api/v1/statistics/histogram?device_id=@", "", ""),
    ("device", "GET", "/api/v1/export/detections/csv?device_id=@", "", ""),
    ("device", "GET", "/api/v1/devices/@", "", ""),
    ("device", "GET", "/api/v1/devices/@/stats", "", ""),
    ("device", "GET", "/api/events?to=device/@", "", ""),
    ("device", "GET", "/api/events/poll?wait=0&to=user,device/@", "", ""),
    ("vehicle", "GET", "/api/vehicles/@", "", ""),
    ("vehicle", "GET", "/api/vehicles/@/logs", "", ""),
    ("vehicle", "GET", "/api/vehicles/@/logs?cursor=x", "", ""),
    ("vehicle", "GET", "/api/vehicles/@/track.geojson", "", ""),
    ("vehicle", "GET", "/api/alerts?vehicle_id=@", "", ""),
    ("vehicle", "GET", "/api/events?to=vehicle/@", "", ""),
    ("device", "GET", "/ws/device/@", UPGRADE, ""),
    ("device", "GET", "/ws/dashboard/@", UPGRADE, ""),
    ("vehicle", "GET", "/api/ws/vehicle/@", UPGRADE, ""),
    ("vehicle", "GET", "/api/ws/vehicle/@", UPGRADE + OFFER, ""),
]

ASKED = [  # of what, an op of the native protocol
    ("device", {"op": "subscribe", "to": ["device/@"]}),
    ("device", {"op": "subscribe", "to": ["user", "device/@"], "snapshot": True}),
    ("device", {"op": "subscribe", "to": ["device/@"], "since": "none:1"}),
    ("vehicle", {"op": "subscribe", "to": ["vehicle/@"]}),
    ("vehicle", {"op": "subscribe", "to": ["vehicle/@"], "bbox": [1, 2, 3, 4], "max_hz": 1}),
    ("device", {"op": "command", "device": "@", "action": "OPEN"}),
    ("device", {"op": "command", "device": "@", "action": "OPEN", "idempotency_key": "k"}),
]


def said(gateway, credential, method, path, headers="", body=""):
    """All bytes of the answer, but for its date."""
    head = (f"{method} {path} HTTP/1.1\r\nHost: gateway\r\n{headers}"
            f"{'' if UPGRADE in headers else 'Connection: close' + chr(13) + chr(10)}"
            f"{f'Authorization: Bearer {credential}' + chr(13) + chr(10) if credential else ''}"
            f"{f'Content-Length: {len(body)}' + chr(13) + chr(10) if body else ''}\r\n")
    data = b""
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as s:
        s.sendall((head + body).encode())
        with contextlib.suppress(ConnectionResetError):
            while chunk := s.recv(65536):
                data += chunk
    return re.sub(rb"(?mi)^date:.*\r\n", b"", data)


def books(gateway):
    """The counters that anybody may read, without what moves by itself."""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in gateway.get("/metrics").text.splitlines()
            if re.match(r"tidegate_(ws|query|http|login|credentials|command|history|share|dead)", line)
            and not re.search(r"seconds|_bytes|le=", line)}


def moved(gateway, ask):
    """What @ask returns, and which counters it moved by how much."""
    before = books(gateway)
    answer = ask()
    after = books(gateway)
    return answer, {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}


def both(gateway, of):
    for theirs, nobodys in NAMES[of]:
        yield theirs.format(**gateway.ids), nobodys


def test_the_same_by_http_and_in_a_handshake(gateway):
    ana, root = gateway.token("ana"), gateway.token("root")
    for of, method, path, headers, body in REQUESTS:
        for names in both(gateway, of):
            (theirs, moved1), (nobodys, moved2) = (
                moved(gateway, lambda n=name, p=path, rest=(headers, body), m=method:
                      said(gateway, ana, m, p.replace("@", n), *rest)) for name in names)
            where = f"{method} {path} {names}"
            assert theirs == nobodys, where
            wanted = b"403" if UPGRADE in headers else b"422" if body == "{}" else b"404"
            assert theirs.split()[1] == wanted, f"{where}: {theirs}"
            assert moved1 == moved2, where
        if OFFER in headers:
            continue  # there is time to say who one is: see below
        # nor does anybody learn it without a credential
        one, other = (said(gateway, None, method, path.replace("@", name), headers, body)
                      for name in NAMES[of][0])
        assert one == other and one.split()[1] == (b"403" if path.startswith("/ws/") else b"401"), one
    # who sees all learns what there is
    for path in ("/api/ws/vehicle/USV-9", "/ws/dashboard/dev-9"):
        assert refused(gateway, path, root) == 404
        assert refused(gateway, path.replace("9", "2"), root) == 101


def test_the_same_in_the_native_protocol(gateway):
    viewer = native(gateway, gateway.token("ana"))
    for of, op in ASKED:
        for names in both(gateway, of):
            answers = []
            for name in names:
                viewer.send(json.dumps({**op, "id": 7}).replace("@", name))
                answers.append(viewer.next())
            assert answers[0] == answers[1], f"{op} {names}"
            assert json.loads(answers[0])["error"]["code"] == ("bad_cursor" if "since" in op else "not_found"), answers[0]
    viewer.close()


def test_the_same_where_one_says_later_who_one_is(gateway):
    closed = []
    for name in (name for names in both(gateway, "vehicle") for name in names):
        viewer = native(gateway, path=f"/api/ws/vehicle/{name}")
        viewer.send({"op": "auth", "id": 1, "token": gateway.token("ana")})
        closed.append((viewer.wait_closed(), viewer.frames))
    assert all(one == closed[0] for one in closed) and closed[0][0][0] == 4002, closed


def test_the_same_for_commands_of_others(gateway):
    made = requests.post(f"{gateway.url}/api/devices/dev-2/commands", timeout=PATIENCE,
                         json={"action": "OPEN"},
                         headers={"Authorization": f"Bearer {gateway.token('ben')}"})
    theirs = made.json()["command_id"]
    nobodys = "cmd_" + "A" * (len(theirs) - 4)
    ana = gateway.token("ana")
    for method in ("GET", "DELETE"):
        one, other = (said(gateway, ana, method, f"/api/commands/{c}") for c in (theirs, nobodys))
        assert one == other and b"404" in one.split(b"\r\n", maxsplit=1)[0]
    viewer = native(gateway, ana)
    for command in (theirs, nobodys):
        viewer.send({"op": "cancel", "id": 1, "command_id": command})
    assert viewer.next() == viewer.next()
    viewer.close()
    # an answer of a device to what is another's is nobody's to it
    device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    for command in (theirs, nobodys):
        device.send({"command_id": command, "status": "ok"})
    wait_until(lambda: gateway.metric("tidegate_dead_lettered_total") == 2, "both to be set aside")
    assert device.frames == []
    device.close()
    wait_until(lambda: gateway.get(f"/api/commands/{theirs}", "ben").json()["state"] == "published", "its own way to go on")


def log_in(gateway, name):
    form = f"username={name}&password=wrong-password"
    return said(gateway, None, "POST", "/api/token",
                "Content-Type: application/x-www-form-urlencoded\r\n", form)


def test_a_log_in_does_not_tell_who_exists(make_gateway, gateway, database):
    gateway.add_user("cid")
    database.rows("UPDATE users SET is_active = false WHERE username = 'cid'")
    answers = [moved(gateway, lambda n=name: log_in(gateway, n)) for name in ("ben", "eve", "cid")]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0].startswith(b"HTTP/1.1 401 ")


def test_a_credential_does_not_tell_whose_it_was(gateway, database):
    old = gateway.cli("user", "token", "ben").stdout.strip()
    gateway.add_user("cid")
    disabled = gateway.token("cid")
    database.rows("UPDATE users SET is_active = false WHERE username = 'cid'")
    gateway.cli("user", "delete", "ben")
    wait_until(lambda: said(gateway, old, "GET", "/api/devices").startswith(b"HTTP/1.1 401"),
               "ben to be gone")
    wait_until(lambda: said(gateway, disabled, "GET", "/api/devices").startswith(b"HTTP/1.1 401"),
               "cid to be known as disabled")
    for path, headers in (("/api/devices/dev-1", ""), ("/api/ws", UPGRADE)):
        answers = {said(gateway, token, "GET", path, headers)
                   for token in (old, disabled, gateway.token("eve"), gateway.token("dev-1"))}
        assert len(answers) == 1 and answers.pop().startswith(b"HTTP/1.1 401 ")


def test_a_ticket_and_a_device_token_do_not_tell_that_they_were(gateway):
    ticket = requests.post(f"{gateway.url}/api/ws/ticket", timeout=PATIENCE, headers={
        "Authorization": f"Bearer {gateway.token('ana')}"}).json()["ticket"]
    Viewer(gateway, f"/api/ws?ticket={ticket}").close()
    used, never = (said(gateway, None, "GET", f"/api/ws?ticket={t}", UPGRADE)
                   for t in (ticket, "A" * len(ticket)))
    assert used == never and used.startswith(b"HTTP/1.1 401 ")

    revoked = gateway.ids["dev-1 token"]
    gateway.cli("device", "token", "revoke", "dev-1")
    wait_until(lambda: refused(gateway, "/ws/device/dev-1", revoked) == 403, "the revocation")
    tokens = (revoked, revoked[:-4] + "AAAA", gateway.ids["dev-2 token"])
    for path in ("/ws/device/dev-1", "/ws/device/dev-9"):
        assert len({said(gateway, t, "GET", path, UPGRADE) for t in tokens}) == 1
    detection = json.dumps({"device_hash": "ab" * 32, "rssi": -50})
    assert len({said(gateway, t, "POST", "/api/v1/detections",
                     "Content-Type: application/json\r\n", detection) for t in tokens[:2]}) == 1
    of_others = (json.dumps({"device_hash": "ab" * 32, "rssi": -50, "device_id": name})
                 for name in ("dev-1", "dev-9"))
    assert len({said(gateway, tokens[2], "POST", "/api/v1/detections",
                     "Content-Type: application/json\r\n", body) for body in of_others}) == 1
