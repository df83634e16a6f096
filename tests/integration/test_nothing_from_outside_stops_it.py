"""Raw sockets against the door: whatever bytes come, they are answered or hung up on, and nobody else waits."""
import contextlib
import itertools
import os
import random
import resource
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import populate
from deafen import deafen
from servers import SLOW, free_port
from waiting import PATIENCE, wait_until

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(auth__anonymous="/ws, /api/ws, /api/events, /api/events/poll",
                           ws__handshake_timeout="1s", ws__silence_timeout="2s",
                           ws__ping_interval="500ms")
    populate(gateway)
    return gateway.start()


def dial(gateway, data=b"", tls=None):
    s = socket.create_connection(("127.0.0.1", gateway.port), PATIENCE)
    if tls:
        s = tls.wrap_socket(s, server_hostname="localhost")
    s.sendall(data)
    return s


def read_all(s):
    """Everything until the other end hangs up."""
    got = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := s.recv(65536):
            got += piece
    s.close()
    return got


def read_head(s):
    got = b""
    while b"\r\n\r\n" not in got:
        piece = s.recv(1)
        if not piece:
            break
        got += piece
    return got


def status_of(head):
    return int(head.split()[1]) if head.startswith(b"HTTP/1.1 ") else 0


def is_alive(gateway):
    """Answered on a fresh connection: a loop that turns in place answers nobody."""
    with dial(gateway, LIVEZ) as s:
        return status_of(read_head(s)) == 200


def cpu_seconds(gateway):
    with open(f"/proc/{gateway.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def self_signed(folder, *key):
    key = key or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(["openssl", "req", "-x509", *key,
                    "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# ---- several requests in one packet -------------------------------------------------------------

def requests_of_the_api():
    """(bytes, whether a whole request)."""
    post = b"POST /api/token HTTP/1.1\r\nHost: a\r\n"
    return {
        "get": (LIVEZ, True),
        "head": (LIVEZ.replace(b"GET", b"HEAD"), True),
        "page": (b"GET /live/app.js HTTP/1.1\r\nHost: a\r\n\r\n", True),
        "nowhere": (b"DELETE /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", True),
        "options": (b"OPTIONS /api/token HTTP/1.1\r\nHost: a\r\n\r\n", True),
        "post": (post + FORM + b"Content-Length: 3\r\n\r\na=b", True),
        "post without its body": (post + FORM + b"Content-Length: 20\r\n\r\n", False),
        "post with half of it": (post + FORM + b"Content-Length: 20\r\n\r\nusername", False),
        "post without a length": (post + FORM + b"\r\n", True),
        "post with a length of 0": (post + FORM + b"Content-Length: 0\r\n\r\n", True),
        "post of too much": (post + FORM + b"Content-Length: 99999999\r\n\r\n", True),
        "post in chunks": (post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", True),
        "get with a body": (b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", True),
        "half a head": (b"GET /livez HTTP/1.1\r\nHost:", False),
        "upgrade": (UPGRADE, True),
        "bad upgrade": (UPGRADE.replace(b"13", b"12"), True),
        "stream": (b"GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n", True),
        "poll": (b"GET /api/events/poll?wait=1 HTTP/1.1\r\nHost: a\r\n\r\n", True),
        "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", True),
    }


def test_requests_in_one_packet_are_answered_or_hung_up_on(gateway):
    kinds = requests_of_the_api()
    sockets = {}
    begin = cpu_seconds(gateway)
    for (a, (first, _)), (b, (second, _)) in itertools.product(kinds.items(), kinds.items()):
        sockets[a, b] = dial(gateway, first + second)
    assert is_alive(gateway)
    for (a, b), s in sockets.items():
        whole = kinds[a][1] and (kinds[b][1] or a in ("stream", "poll"))
        if whole and a not in ("upgrade",):
            assert status_of(read_head(s)) > 0, (a, b)
    for s in sockets.values():
        s.close()
    wait_until(lambda: gateway.metric("tidegate_ws_places_drift") == 0, "the places")
    rest = cpu_seconds(gateway)
    time.sleep(1)  # nothing is asked of it: a loop that turns in place would take all of this
    assert cpu_seconds(gateway) - rest < 0.5, rest - begin


def test_the_same_through_tls_and_with_a_body_that_comes_later(make_gateway, folder):
    context = self_signed(folder)
    gateway = make_gateway(http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem")
    populate(gateway)
    gateway.start(wait=False)
    wait_until(lambda: "gateway_started" in gateway.log() or tls_status(gateway, context) == 200, "it")
    body = b"username=nobody&password=x"
    s = dial(gateway, LIVEZ + b"POST /api/token HTTP/1.1\r\nHost: a\r\n" + FORM
             + b"Content-Length: %d\r\n\r\n" % len(body), context)
    assert status_of(read_head(s)) == 200
    assert tls_status(gateway, context) == 200  # the others go on meanwhile
    s.sendall(body[:5])
    s.sendall(body[5:] + LIVEZ)
    got = b""
    while got.count(b"HTTP/1.1 ") < 2 or not got.endswith(b"}"):
        piece = s.recv(65536)
        assert piece, got
        got += piece
    assert b"HTTP/1.1 401" in got
    s.close()
    for _ in range(20):  # half a handshake, and none at all
        dial(gateway, b"\x16\x03\x01\x02\x00\x01").close()
    assert tls_status(gateway, context) == 200


def test_health_has_a_door_of_its_own(make_gateway):
    port = free_port()
    gateway = make_gateway(http__health_listen=f"127.0.0.1:{port}", ws__max_connections=1)
    populate(gateway)
    gateway.start()
    crowd = []
    with contextlib.suppress(ConnectionError):
        for _ in range(1100):  # more than the other door takes
            crowd.append(dial(gateway))
    for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/health", 200),
                         ("/", 404), ("/api/devices", 404), ("/api/token", 404)):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
            s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
            assert status_of(read_head(s)) == status, path
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(UPGRADE)
        assert status_of(read_head(s)) == 404
    for s in crowd:
        s.close()


def test_without_descriptors_it_does_not_turn_in_place(make_gateway, postgres):
    """It keeps some for its own connections, and hangs up on who comes beyond that."""
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (128, 128))
    crowd = []
    for _ in range(200):
        crowd.append(dial(gateway))
    postgres.stop()
    postgres.start()
    wait_until(lambda: gateway.metric("tidegate_db_connected") == 1
               if close_one(crowd) else False, "PostgreSQL to be reached", PATIENCE * SLOW)
    begin = cpu_seconds(gateway)
    time.sleep(2)  # likewise
    assert cpu_seconds(gateway) - begin < 1
    for s in crowd:
        s.close()


def close_one(crowd):
    if crowd:
        crowd.pop().close()
    return True


def tls_status(gateway, context):
    with contextlib.suppress(OSError):
        with dial(gateway, LIVEZ, context) as s:
            return status_of(read_head(s))
    return 0


def test_a_request_may_be_answered_after_its_sender_has_stopped_sending(gateway):
    with dial(gateway, LIVEZ * 3) as s:
        s.shutdown(socket.SHUT_WR)
        assert read_all(s).count(b"HTTP/1.1 200") == 3


def test_mutated_requests_never_stop_it(gateway):
    """A bounded walk of a fuzzer: the same each time."""
    chance = random.Random(1)
    seeds = [b for b, _ in requests_of_the_api().values()]
    for n in range(400):
        data = bytearray(b"".join(chance.sample(seeds, chance.randint(1, 3))))
        for _ in range(chance.randint(0, 8)):
            at = chance.randrange(len(data))
            how = chance.randrange(4)
            if how == 0:
                data[at] = chance.randrange(256)
            elif how == 1:
                del data[at:at + chance.randint(1, 30)]
            elif how == 2:
                data[at:at] = chance.choice([b"\r\n", b"\0", b": ", b"\n", b"HTTP/1.1", b"%00", b"\xff"])
            else:
                data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 200)))
            data = data or bytearray(b"x")
        with dial(gateway) as s, contextlib.suppress(ConnectionError):
            s.sendall(data)
            if chance.random() < 0.3:
                s.shutdown(socket.SHUT_WR)
            if chance.random() < 0.3:
                s.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    s.recv(65536)
        if n % 50 == 0:
            assert is_alive(gateway)
    assert is_alive(gateway)
    wait_until(lambda: gateway.metric("tidegate_ws_places_drift") == 0, "the places")


# ---- places ---------------------------------------------------------------------------------------

def test_streams_and_polls_that_are_closed_give_their_places_back(make_gateway):
    gateway = make_gateway(auth__anonymous="/ws, /api/ws, /api/events, /api/events/poll",
                           ws__max_connections=5)
    populate(gateway)
    gateway.start()
    for path in ("/api/events", "/api/events/poll?wait=60", "/ws"):
        request = UPGRADE if path == "/ws" else f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for abort in (False, True):
            for _ in range(4):
                wait_until(lambda: is_taken(gateway, request, abort), f"a place for {path}")
    assert gateway.metric("tidegate_ws_places_drift") == 0
    assert gateway.terminate() == 0


def is_taken(gateway, request, abort):
    """Takes a place; false: there is none. It is left with a FIN, or with a reset."""
    with dial(gateway, request) as s:
        if b"poll" in request:
            s.settimeout(0.2)
            try:
                taken = not s.recv(100)
            except TimeoutError:
                taken = True
        else:
            taken = status_of(read_head(s)) == (101 if request == UPGRADE else 200)
        if abort:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return taken


@pytest.mark.parametrize("what", ["stream", "poll", "socket", "device"])
def test_a_place_comes_back_when_the_network_is_gone(gateway, what):
    request = {"stream": b"GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n",
               "poll": b"GET /api/events/poll?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n",
               "socket": UPGRADE,
               "device": UPGRADE.replace(b"/ws ", b"/ws/device/dev-1 ").replace(
                   b"\r\n\r\n", f"\r\nAuthorization: Bearer {gateway.ids['dev-1 token']}\r\n\r\n".encode())}
    s = dial(gateway, request[what])
    if what != "poll":
        assert status_of(read_head(s)) == (200 if what == "stream" else 101)
    wait_until(lambda: n_connections(gateway) == 1, "the place to be taken")
    deafen(s)
    wait_until(lambda: n_connections(gateway) == 0, "the place to be free again")
    assert gateway.metric("tidegate_ws_places_drift") == 0
    s.close()


def n_connections(gateway):
    return gateway.metric("tidegate_ws_connections")


# ---- the letter of HTTP ---------------------------------------------------------------------------

BAD_REQUESTS = {
    b"GET /livez\r\n": 400,
    b"GET /livez HTTP/1.1\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n": 400,
    b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n": 505,
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n": 414,
    b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n": 431,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n": 431,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nExpect: the-impossible\r\n\r\n": 417,
    b"TRACE /livez HTTP/1.1\r\nHost: a\r\n\r\n": 405,
    b"FOO /livez HTTP/1.1\r\nHost: a\r\n\r\n": 405,
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n": 405,
    b"POST /api/token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n": 411,
    b"POST /api/token HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n"
    + FORM + b"\r\nabc": 415,
}


@pytest.mark.parametrize("request_bytes", BAD_REQUESTS, ids=lambda b: b[:40].decode("latin-1"))
def test_what_cannot_be_served_is_a_problem_at_once(gateway, request_bytes):
    s = dial(gateway, request_bytes)
    head = read_head(s)
    assert status_of(head) == BAD_REQUESTS[request_bytes], head
    assert b"application/problem+json" in head
    if b"Connection: close" in head:
        s.settimeout(5 * SLOW)
        read_all(s)  # and it does not stay open
    s.close()


@pytest.mark.parametrize("path", [
    "/api/events?types=", "/api/events?to=", "/api/events?bbox=", "/api/events?max_hz=",
    "/api/events?since=", "/api/events?snapshot=", "/api/events/poll?wait=",
    "/api/vehicles/USV-1/logs?types=", "/api/vehicles/USV-1/logs?from=",
    "/api/vehicles/USV-1/logs?to=", "/api/vehicles/USV-1/logs?order=",
    "/api/vehicles/USV-1/logs?limit=", "/api/vehicles/USV-1/logs?cursor=",
    "/api/vehicles/USV-1/track.geojson?simplify=", "/api/devices/dev-1/telemetry?interval=",
    "/api/alerts?to=", "/api/detections?from=", "/api/vehicles?cursor=", "/api/devices?limit=",
    "/api/v1/statistics/realtime?minutes=", "/api/v1/statistics/realtime?device_id=",
    "/api/v1/statistics/range?start_time=", "/api/v1/statistics/range?end_time=",
    "/api/v1/statistics/histogram?range=", "/api/v1/statistics/hourly?date=",
    "/api/v1/statistics/daily?days=", "/api/v1/statistics/distribution?hours=",
    "/api/v1/detections/recent?zone=", "/api/v1/detections/count?hours=",
    "/api/v1/devices/?active_only=", "/api/v1/devices/active?threshold_minutes=",
    "/api/v1/export/detections/csv?zone=", "/api/v1/export/detections/csv?last_days=",
    "/api/v1/export/detections/csv?end_date="])
def test_a_parameter_that_does_not_fit_is_not_one_that_is_absent(gateway, path):
    for n in (300, 1500):
        with contextlib.closing(gateway.get(path + "1" * n, "root", stream=True)) as answer:
            assert answer.status_code == 400, (path, n, answer.status_code)


def test_what_is_good_is_good_in_every_form(gateway):
    for request in (b"GET http://a/livez HTTP/1.1\r\nHost: b\r\n\r\n", b"\r\n" + LIVEZ,
                    LIVEZ.replace(b"\r\n", b"\n"), b"GET /livez HTTP/1.0\r\n\r\n",
                    b"GET /livez HTTP/1.1\r\nhost:a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
                    b"GET /%6civez HTTP/1.1\r\nHost: a\r\n\r\n"):
        with dial(gateway, request) as s:
            assert status_of(read_head(s)) == 200, request
    with dial(gateway, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") as s:
        assert status_of(read_head(s)) == 204


def test_the_page_comes_packed_and_in_parts(gateway):
    whole = gateway.get("/live/app.js", headers={"Accept-Encoding": "identity"})
    packed = gateway.get("/live/app.js", headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.content == whole.content
    assert int(packed.headers["Content-Length"]) < len(whole.content) / 2
    none = gateway.get("/live/app.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in none.headers
    for text, part, status in (("bytes=0-9", whole.content[:10], 206), ("bytes=-5", whole.content[-5:], 206),
                               ("bytes=10-", whole.content[10:], 206), ("lines=1-2", whole.content, 200),
                               ("bytes=9-1", whole.content, 200), ("bytes=1-2,4-5", whole.content, 200)):
        got = gateway.get("/live/app.js", headers={"Range": text, "Accept-Encoding": "identity"})
        assert (got.status_code, got.content) == (status, part), text
    assert gateway.status("/live/app.js", headers={"Range": "bytes=99999999-"}) == 416
    tag = whole.headers["ETag"]
    assert gateway.status("/live/app.js", headers={"If-None-Match": tag}) == 304
    assert gateway.status("/live/app.js", headers={"If-None-Match": f'"x", {tag}'}) == 304


def test_who_expects_100_is_told_to_go_on(gateway):
    body = b"username=nobody&password=x"
    with dial(gateway, b"POST /api/token HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + FORM
              + b"Content-Length: %d\r\n\r\n" % len(body)) as s:
        assert status_of(read_head(s)) == 100
        s.sendall(body)
        assert status_of(read_head(s)) == 401


# ---- the letter of WebSocket ----------------------------------------------------------------------

def frame(first, payload=b"", mask=b"\x01\x02\x83\x04"):
    n = len(payload)
    length = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n)
    return bytes([first]) + length + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


def read_frame(s):
    """(opcode, payload) of the next frame; (None, b"") at the end."""
    def exactly(n):
        got = b""
        while len(got) < n:
            piece = s.recv(n - len(got))
            if not piece:
                return None
            got += piece
        return got
    head = exactly(2)
    if not head:
        return None, b""
    n = head[1] & 0x7f
    if n == 126:
        n = struct.unpack(">H", exactly(2))[0]
    return head[0] & 0x0f, exactly(n)


def read_until(s, opcode):
    """The payload of the next frame of that kind."""
    seen, payload = read_frame(s)
    while seen not in (opcode, None):
        seen, payload = read_frame(s)
    assert seen == opcode
    return payload


@pytest.mark.parametrize("n", [4, 125, 126, 128, 129, 200, 1000, 5000, 60000])
def test_a_frame_in_the_packet_of_its_handshake_arrives_as_it_was_sent(gateway, database, n):
    token = gateway.ids["dev-1 token"]
    payload = b'{"x":"' + b"a" * n + b'"}'
    head = UPGRADE.replace(b"/ws ", b"/ws/device/dev-1 ").replace(
        b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    with dial(gateway, head + frame(0x81, payload) + frame(0x89, b"read")) as s:
        assert status_of(read_head(s)) == 101
        assert read_until(s, 10) == b"read"
        wait_until(lambda: database.value("SELECT count(*) FROM telemetry") == 1, "the row")
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert database.value("SELECT payload::text FROM telemetry") == payload.decode()


def test_each_ping_has_its_pong(gateway):
    with dial(gateway, UPGRADE + b"".join(frame(0x89, b"%d" % i) for i in range(10))) as s:
        assert status_of(read_head(s)) == 101
        assert [read_until(s, 10) for _ in range(10)] == [b"%d" % i for i in range(10)]


@pytest.mark.parametrize("data,code", [
    (b"\x81\x04ping", 1002),                          # without a mask
    (frame(0xc1, b"ping"), 1002),                     # RSV1, and nothing was agreed upon
    (frame(0xa1, b"ping"), 1002), (frame(0x91, b"ping"), 1002), (frame(0x83, b"x"), 1002),
    (frame(0x80, b"x"), 1002), (frame(0x09, b"x"), 1002), (frame(0x01, b"a") + frame(0x81, b"b"), 1002),
    (frame(0x88, b"\x03"), 1002), (frame(0x88, struct.pack(">H", 1005)), 1002),
    (frame(0x88, struct.pack(">H", 999)), 1002), (frame(0x88, struct.pack(">H", 5000)), 1002),
    (frame(0x88, b"\x03\xe8\xff"), 1007), (frame(0x01, b"\xff"), 1007),
    (frame(0x81, b"\xed\xa0\x80"), 1007),
    (frame(0x88, b"\x03\xe8bye"), 1000), (frame(0x88, struct.pack(">H", 4000)), 4000),
])
def test_a_websocket_is_closed_with_the_code_that_says_why(gateway, data, code):
    with dial(gateway, UPGRADE) as s:
        assert status_of(read_head(s)) == 101
        s.sendall(data)
        assert struct.unpack(">H", read_until(s, 8)[:2])[0] == code
        s.settimeout(5 * SLOW)
        assert read_frame(s)[0] is None
    assert is_alive(gateway)


def test_a_close_without_a_code_is_answered_by_one(gateway):
    with dial(gateway, UPGRADE + frame(0x88)) as s:
        assert status_of(read_head(s)) == 101
        assert read_until(s, 8) == b""


def test_a_peer_that_answers_no_ping_is_dropped(gateway):
    with dial(gateway, UPGRADE) as s:
        assert status_of(read_head(s)) == 101
        s.settimeout(PATIENCE)
        assert struct.unpack(">H", read_until(s, 8)[:2])[0] == 4201
    with dial(gateway, UPGRADE) as s:  # and one that reads nothing at all
        assert status_of(read_head(s)) == 101
        wait_until(lambda: n_connections(gateway) == 0, "its place")
