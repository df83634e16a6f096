"""Promise: each handshake that is refused is one line in the log, with path, reason, origin, source and the key that would change it."""
import contextlib
import itertools
import re
import signal
import time

import jwt
import pytest

from raw import dial, handshake
from waiting import wait_until

SETTINGS = {"http__trusted_proxies": "127.0.0.1", "auth__query_token": "off", "auth__anonymous": "/ws/dashboard/open"}
PATHS = {"A": "/ws", "B": "/ws/device/dev-1", "B, a page": "/ws/dashboard/dev-2", "C": "/ws/devices", "D": "/api/ws",
         "D, one vehicle": "/api/ws/vehicle/USV-1", "E": "/api/ws/statistics"}
GUARDED = ("B", "B, a page", "E")  # 403 where the others say 401, as their clients expect
KEYS = "auth.jwt_secret_file,auth.jwt_public_key_file"
_addresses = (f"198.51.{i // 250}.{i % 250}" for i in itertools.count(1))


@pytest.fixture(scope="module")
def house(shared_gateway):
    """With a user and a device that may not come any more."""
    gateway = shared_gateway
    gateway.add_user("gone")
    gateway.gone = gateway.token("gone")
    gateway.ids["dev-9"], gateway.ids["dev-9 token"] = gateway.add_device("dev-9", "ana")
    gateway.cli("user", "disable", "gone")
    gateway.database.rows("UPDATE devices SET is_active = false WHERE code = 'dev-9'")
    wait_until(lambda: gateway.get("/api/devices", headers={"Authorization": f"Bearer {gateway.gone}"}).status_code == 401,
               "the user to be out")
    return gateway


@pytest.fixture(autouse=True)
def room(house):
    """A hundred and twenty lines a minute are written, and no test of this file wants twenty."""
    if house.metric("tidegate_ws_refused_total") > 100:
        house.stop()
        house.start()


def lines(gateway, source):
    return [{key: text.strip('"') for key, text in re.findall(r'(\w+)=("[^"]*"|\S*)', line)}
            for line in gateway.log().splitlines() if " ws_refused " in line and f" source={source} " in line]


def refuse(gateway, data, source):
    """The status, and the one line that was written of it before the answer."""
    before = len(lines(gateway, source))
    with dial(gateway, data) as s:
        status = int(s.makefile("rb").readline().split()[1])
    told = lines(gateway, source)[before:]
    assert len(told) == 1, told
    return status, told[0]


def forged(gateway, **changes):
    return jwt.encode({"sub": "ana", "exp": int(time.time()) + 60, **changes.pop("claims", {})},
                      changes.pop("secret", gateway.secret), changes.pop("algorithm", "HS256"))


WHO = {  # whose credential: what the line says of it, and the key
    "nobody": (lambda g: None, "no credential", "auth.anonymous"),
    "no token": (lambda g: "nonsense", "not a token", None),
    "another secret": (lambda g: forged(g, secret="another secret of 32 bytes at all"), "bad signature", KEYS),
    "another algorithm": (lambda g: forged(g, algorithm="HS512"), "algorithm not allowed", "auth.algorithms"),
    "none": (lambda g: forged(g, secret=None, algorithm="none"), "not a token", None),
    "no subject": (lambda g: forged(g, claims={"sub": ""}), "no subject", "auth.subject_claim,auth.subject_type"),
    "expired": (lambda g: g.token("ana", ttl=-60), "expired", None),
    "a stranger": (lambda g: g.token("nobody"), "no such user, one who is not active, or a token that was ended", None),
    "a disabled user": (lambda g: g.gone, "no such user, one who is not active, or a token that was ended", None),
    "another device": (lambda g: g.ids["dev-2 token"], None, None),
    "a device that may not come": (lambda g: g.ids["dev-9 token"], "the token of a device that is not active", None),
}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("dialect", PATHS)
def test_a_credential_that_is_refused(house, dialect, who):
    token, why, key = WHO[who]
    why = why or ("the token of another device" if dialect == "B" else "the token of a device, which this path does not take")
    source = next(_addresses)
    status, line = refuse(house, handshake(PATHS[dialect], token(house), X_Forwarded_For=source, Origin="http://a"), source)
    assert status == (403 if dialect in GUARDED else 401)
    assert line == {"path": PATHS[dialect], "status": str(status), "reason": "forbidden" if status == 403 else "unauthorized",
                    "why": why, "origin": "http://a", "source": source, "more": line["more"], **({"set": key} if key else {})}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("query, why, key", [("?token={}", "no credential", "auth.query_token"), ("?ticket=nonsense", "bad ticket", None)])
def test_a_credential_in_the_address(house, dialect, query, why, key):
    source, token = next(_addresses), house.token("ana")
    status, line = refuse(house, handshake(PATHS[dialect] + query.format(token), X_Forwarded_For=source), source)
    assert status == (403 if dialect in GUARDED else 401)
    assert (line["path"], line["why"], line.get("set")) == (PATHS[dialect], why, key)
    assert token not in house.log()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://a"])
@pytest.mark.parametrize("dialect", PATHS)
def test_a_page_of_another_origin(house, dialect, origin):
    source = next(_addresses)
    if origin == "https://a":  # of the host, but for the port
        origin = "https://a:8443"
    status, line = refuse(house, handshake(PATHS[dialect], X_Forwarded_For=source, Origin=origin), source)
    assert status == 403
    assert {k: line[k] for k in ("path", "reason", "origin", "set")} == {
        "path": PATHS[dialect], "reason": "forbidden_origin", "origin": origin, "set": "http.allowed_origins"}


@pytest.mark.parametrize("path, who, status, reason, why", [
    ("/ws/device/nobody", "ana", 404, "not_found", "no such device or vehicle"),
    ("/ws/device/dev-2", "ana", 403, "forbidden", "nothing that this user may see"),
    ("/ws/dashboard/dev-2", "ana", 403, "forbidden", "nothing that this user may see"),
    ("/ws/dashboard/open", None, 404, "not_found", "no such device or vehicle"),
    ("/api/ws/vehicle/USV-2", "ana", 403, "forbidden", "nothing that this user may see"),
    ("/api/ws/vehicle/nothing", "ana", 403, "forbidden", "nothing that this user may see"),
    ("/api/ws/vehicle/nothing", "root", 404, "not_found", "no such device or vehicle"),
    ("/nowhere", "ana", 404, "not_found", "no WebSocket at this path: see docs/migrate/README.md"),
    ("/ws/x", "ana", 404, "not_found", "no WebSocket at this path: see docs/migrate/README.md"),
])
def test_what_is_not_there_or_not_to_be_seen(house, path, who, status, reason, why):
    if (path, who) in (("/ws/device/nobody", "ana"),):
        status, reason, why = 403, "forbidden", "nothing that this user may see"
    source = next(_addresses)
    got, line = refuse(house, handshake(path, who and house.token(who), X_Forwarded_For=source), source)
    assert (got, line["path"], line["reason"], line["why"]) == (status, path, reason, why)


FORMS = {  # changes of a good handshake: status, reason, why
    "another version": ({"Sec_WebSocket_Version": "8"}, 426, "bad_version", "Sec-WebSocket-Version is not 13"),
    "no version": ({"Sec_WebSocket_Version": None}, 426, "bad_version", "Sec-WebSocket-Version is not 13"),
    "two versions": ({"Sec_WebSocket_Version": ["13", "13"]}, 400, "bad_upgrade", "Sec-WebSocket-Version is there twice"),
    "no key": ({"Sec_WebSocket_Key": None}, 400, "bad_upgrade", "Sec-WebSocket-Key is not 16 bytes in base64"),
    "a short key": ({"Sec_WebSocket_Key": "AAAA"}, 400, "bad_upgrade", "Sec-WebSocket-Key is not 16 bytes in base64"),
    "no Connection": ({"Connection": None}, 400, "bad_upgrade", "Connection does not say Upgrade"),
    "a body": ({"Content_Length": "2"}, 400, "bad_upgrade", "a WebSocket begins with a GET without a body"),
    "no Upgrade": ({"Upgrade": None, "Connection": "close"}, 426, "upgrade_required",
                   "no Upgrade came: a proxy in between has to pass it on"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dialect", PATHS)
def test_a_handshake_that_is_none(house, dialect, form):
    changes, status, reason, why = FORMS[form]
    source = next(_addresses)
    got, line = refuse(house, handshake(PATHS[dialect], house.token("ana"), X_Forwarded_For=source, **changes), source)
    assert (got, line["path"], line["reason"], line["why"]) == (status, PATHS[dialect], reason, why)


MALFORMED = "malformed: the path, the query or a header is no text, or is there twice"
BYTES = {  # what stands for the path or a header: status, path in the line
    "a NUL": ("/ws/device/%00", {}, 400, "/ws/device/%00"),
    "no escape": ("/ws/device/%zz", {}, 400, "/ws/device/%zz"),
    "no text": ("/ws/device/%ff", {}, 400, "/ws/device/%ff"),
    "no text in the query": ("/ws/devices?token=not.for.logs%ff", {}, 400, "/ws/devices"),
    "a fragment": ("/ws/devices#x", {}, 400, "/ws/devices#x"),
    "two hosts": ("/ws/devices", {"Host": ["a", "b"]}, 400, "/ws/devices"),
    "no host": ("/ws/devices", {"Host": None}, 400, "/ws/devices"),
    "two credentials": ("/ws/devices", {"Authorization": ["Bearer a", "Bearer b"]}, 400, "/ws/devices"),
    "a long path": ("/ws/device/" + "x" * 4000, {}, 414, "/ws/device/" + "x" * 188),
    "quotes": ('/ws/device/"%00\\', {}, 400, "/ws/device/?%00?"),
}


@pytest.mark.parametrize("what", BYTES)
def test_a_request_that_cannot_be_read(house, what):
    path, changes, status, told = BYTES[what]
    source = next(_addresses)
    got, line = refuse(house, handshake(path, **{"X_Forwarded_For": source, "Origin": "http://a", **changes}), source)
    assert (got, line["path"], line["origin"], line["reason"]) == (status, told, "http://a", "bad_request")
    assert line["why"] == ("the target is too long" if status == 414 else MALFORMED)
    assert "not.for.logs" not in house.log()


@pytest.mark.parametrize("head", [
    b"GET /ws/devices HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nno colon\r\n\r\n",
    b"GET /ws/devices HTTP/1.1\r\nHost: a\r\nX: \x00\r\nupgrade:WebSocket\r\n\r\n",
    b"GET /ws/devices HTTP/9.9\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
    b"GET /ws/devices HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" + b"X: y\r\n" * 200 + b"\r\n",
], ids=["no header", "a NUL", "another version", "too many headers"])
def test_a_head_that_cannot_be_read(house, head):
    """Nobody knows then for whom a proxy asks."""
    status, line = refuse(house, head, "127.0.0.1")
    assert status in {400: "", 431: "", 505: ""} and line["status"] == str(status)
    assert (line["path"], line["reason"]) == ("/ws/devices", "bad_request")


def test_whoever_asks_for_no_websocket_leaves_no_line(house):
    for path in ("/api/devices", "/%00", "/nowhere", "/wsx"):
        with dial(house, handshake(path, Upgrade=None, Connection="close", X_Forwarded_For="203.0.113.9")) as s:
            s.makefile("rb").readline()
    assert lines(house, "203.0.113.9") == []


@pytest.mark.parametrize("path", ["/api/events", "/api/events/poll"])
@pytest.mark.parametrize("who", WHO)
def test_a_stream_that_is_refused(house, path, who):
    """A browser's EventSource is told no more than that it is over."""
    token, why, key = WHO[who]
    source = next(_addresses)
    status, line = refuse(house, handshake(path, token(house), X_Forwarded_For=source, Upgrade=None, Connection="close"), source)
    assert (status, line["path"], line["reason"], line["source"]) == (401, path, "unauthorized", source)
    if why:
        assert line["why"] == (why if "device" not in why else "not a token")
    assert line.get("set") == key


@pytest.mark.parametrize("address, status, told", [
    ("/api/events?ticket=nonsense", 401, {"reason": "unauthorized", "why": "bad ticket"}),
    ("/api/events?token=not.for.logs", 401, {"reason": "unauthorized", "why": "no credential", "set": "auth.query_token"}),
    ("/api/events", 403, {"reason": "forbidden_origin", "origin": "http://evil.example", "set": "http.allowed_origins"}),
    ("/api/events/poll", 403, {"reason": "forbidden_origin", "origin": "http://evil.example", "set": "http.allowed_origins"}),
])
def test_a_stream_is_refused_for_what_its_address_or_origin_says(house, address, status, told):
    source = next(_addresses)
    origin = {"Origin": told["origin"]} if "origin" in told else {}
    got, line = refuse(house, handshake(address, X_Forwarded_For=source, Upgrade=None, Connection="close", **origin), source)
    assert (got, line["path"]) == (status, address.partition("?")[0])
    assert {key: line.get(key) for key in told} == told
    assert "not.for.logs" not in house.log()


def reload(gateway, **settings):
    n_before = gateway.log().count(" info reloaded\n")
    gateway.write_conf(**settings)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log().count(" info reloaded\n") > n_before, "the configuration to be read")


LIMITS = {  # key: its value, how many are let in before, the reason
    "ws.connects_per_second": (1, 2, "rate_limited"), "ws.max_connections": (1, 1, "over_capacity"),
    "auth.token_failures_per_minute": (1, 0, "rate_limited"), "ws.max_connections_per_user": (1, 1, "too_many_connections")}


@pytest.mark.parametrize("key", LIMITS)
def test_too_many(house, key):
    value, n_good, reason = LIMITS[key]
    kept = house.settings.get(key)
    reload(house, **{key: value})
    for dialect, path in PATHS.items():
        if key == "ws.max_connections_per_user" and dialect != "E":
            continue  # there is no such limit there
        source = next(_addresses)
        data = handshake(path, house.token("root") if n_good else "nonsense", X_Forwarded_For=source)
        with contextlib.ExitStack() as stack:
            for _ in range(n_good or 1):
                s = stack.enter_context(dial(house, data))
                expected = b"101" if n_good else b"403" if dialect in GUARDED else b"401"
                assert s.makefile("rb").readline().split()[1] == expected
            status, line = refuse(house, data, source)
        assert (status, line["path"], line["reason"]) == (429, path, reason)
        assert key in line["set"].split(",")
        wait_until(lambda: all(house.metric("tidegate_ws_connections", dialect=letter) == 0 for letter in "ABCDE"), "them to be gone")
    reload(house, **{key: kept})
