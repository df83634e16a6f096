"""One address or user that takes all it can get leaves room for the others, at every door."""
import contextlib
import socket
import ssl

import pytest
import requests

from conftest import populate
from test_nothing_from_outside_stops_it import (FORM, LIVEZ, dial as tls_dial, read_all, read_head, self_signed,
                                                status_of, tls_status)
from waiting import PATIENCE, wait_until

GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
N_REQUESTS = 256  # that may be under way
N_HANDSHAKES = 40
HALF = b"POST /api/token HTTP/1.1\r\nHost: a\r\n" + FORM + b"Content-Length: %d\r\n\r\nx"
NATIVE = (b"GET /api/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Protocol: tidegate.v1\r\nSec-WebSocket-Version: 13\r\n"
          b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n")


@pytest.fixture
def crowd(request):
    """Sockets that are hung up at the end."""
    with contextlib.ExitStack() as stack:
        yield stack


def dial(crowd, gateway, source, data=b""):
    s = crowd.enter_context(socket.create_connection(("127.0.0.1", gateway.port), PATIENCE,
                                                     (source, 0)))
    with contextlib.suppress(ConnectionError):  # it may be hung up on already
        s.sendall(data)
    return s


def ask(crowd, gateway, source, data=LIVEZ):
    return status_of(read_head(dial(crowd, gateway, source, data)))


def log_in_from(crowd, gateway, source, password=b"correct+horse+battery"):
    body = b"username=ana&password=" + password
    return ask(crowd, gateway, source, b"POST /api/token HTTP/1.1\r\nHost: a\r\n" + FORM
               + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def refused(gateway, what):
    return gateway.metric("tidegate_share_refused_total", what=what)


@pytest.mark.parametrize("most, settings", [(N_REQUESTS, {}), (32, {"http__max_requests": 32})])
def test_bodies_that_never_come(make_gateway, crowd, most, settings):
    gateway = make_gateway(ws__handshake_timeout="60s", **settings)
    populate(gateway)
    gateway.start()
    for _ in range(most + 10):
        dial(crowd, gateway, GREEDY, HALF % 20)
    wait_until(lambda: refused(gateway, "requests") >= most / 2 + 10, "his share to be used up")

    assert log_in_from(crowd, gateway, OTHER) == 200
    # his own: a body that does not come gives way to one that does
    wait_until(lambda: log_in_from(crowd, gateway, GREEDY) == 200, "room of his own")
    assert requests.get(gateway.url + "/api/alerts", timeout=PATIENCE, headers={
        "Authorization": "Bearer " + gateway.token("ben")}).status_code == 200


def test_bodies_that_are_too_many_bytes(make_gateway, crowd):
    gateway = make_gateway(ws__handshake_timeout="60s", http__bodies_bytes="4M",
                           http__max_body_bytes="1M")
    populate(gateway)
    gateway.start()
    for _ in range(4):
        dial(crowd, gateway, GREEDY, HALF % (1 << 20))
    wait_until(lambda: refused(gateway, "bodies") == 2, "half of the bytes to be his")
    wait_until(lambda: log_in_from(crowd, gateway, GREEDY) == 200, "room of his own")
    assert log_in_from(crowd, gateway, OTHER) == 200


def test_connections_that_say_nothing(make_gateway, crowd):
    gateway = make_gateway(ws__max_connections=16, http__max_connections=64,
                           ws__handshake_timeout="60s")
    populate(gateway)
    gateway.start()
    for _ in range(100):
        dial(crowd, gateway, GREEDY)
    wait_until(lambda: refused(gateway, "connections") >= 100 - 41, "his share to be used up")
    for _ in range(15):
        dial(crowd, gateway, "127.0.0.4")
    assert ask(crowd, gateway, OTHER) == 200
    assert log_in_from(crowd, gateway, OTHER) == 200
    # his own: who says nothing gives way to who comes
    wait_until(lambda: ask(crowd, gateway, GREEDY) == 200, "room of his own")


def test_sockets_that_do_not_say_who_they_are(make_gateway, crowd):
    gateway = make_gateway(ws__max_unauthenticated=8, ws__handshake_timeout="60s")
    populate(gateway)
    gateway.start()
    statuses = [ask(crowd, gateway, GREEDY, NATIVE % b"") for _ in range(10)]
    assert statuses == [101] * 8 + [429] * 2
    assert ask(crowd, gateway, OTHER, NATIVE % b"") == 101
    mine = b"Authorization: Bearer " + gateway.token("ana").encode() + b"\r\n"
    assert ask(crowd, gateway, GREEDY, NATIVE % mine) == 101  # who says it has a place of his own


@pytest.mark.parametrize("path", ["/ws", "/api/events"])
def test_anonymous_sockets_and_streams_of_one_address(make_gateway, crowd, path):
    gateway = make_gateway(auth__anonymous="/ws, /api/events", ws__max_connections=20)
    populate(gateway)
    gateway.start()
    upgrade = b"" if path == "/api/events" else NATIVE[NATIVE.index(b"Upgrade"):] % b""
    upgrade = upgrade.replace(b"Sec-WebSocket-Protocol: tidegate.v1\r\n", b"") or b"\r\n"
    data = b"GET %s HTTP/1.1\r\nHost: a\r\n" % path.encode() + upgrade
    good = 200 if path == "/api/events" else 101
    statuses = [ask(crowd, gateway, GREEDY, data) for _ in range(18)]
    assert statuses == [good] * 15 + [429] * 3
    assert ask(crowd, gateway, OTHER, data) == good


def test_few_descriptors_are_for_storing_first(make_gateway, crowd, publisher, database):
    """200 viewers where there are 128 descriptors: all is stored, before and after the broker and the
    database had to be reached again, and who is too many is told so."""
    gateway = make_gateway(auth__anonymous="/ws", journal__segment_bytes="64K")
    gateway.n_files = 128
    populate(gateway)
    gateway.start()
    assert "ws_few_files limit=128" in gateway.log()
    upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\n" + NATIVE[NATIVE.index(b"Upgrade"):].replace(
        b"Sec-WebSocket-Protocol: tidegate.v1\r\n", b"") % b""
    statuses = [ask(crowd, gateway, f"127.0.0.{2 + i % 8}", upgrade) for i in range(200)]
    assert statuses.count(101) >= 16 and set(statuses) <= {101, 429, 503}, statuses

    for i in range(700):
        publisher.publish("seano/USV-1/raw_log", f"line {i} " + "x" * 1000)
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs", 700)
    database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    publisher.publish("seano/USV-1/raw_log", "after it")
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs", 701)


def test_descriptors_that_are_enough_are_no_warning(make_gateway):
    gateway = make_gateway()
    gateway.n_files = 20000
    gateway.start()
    assert "warning ws_few_files" not in gateway.log()
    assert gateway.metric("tidegate_process_max_fds") == 20000


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_answers_that_nobody_reads(make_gateway, crowd, more):
    gateway = make_gateway(http__bodies_bytes="4M", http__max_body_bytes="1M")
    populate(gateway)
    gateway.start()
    gateway.database.rows(
        "INSERT INTO devices (code, name, user_id) SELECT 'd-' || n, repeat('x', 200), %s"
        " FROM generate_series(1, 1500) n", gateway.ids["ana"])
    wait_until(lambda: len(gateway.get("/api/devices?limit=1000", "ana").json()["items"]) == 1000,
               "the devices")
    ask_for = (b"GET /api/devices?limit=1000 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
               + gateway.token("ana").encode() + b"\r\n" + more + b"\r\n")
    for _ in range(30):
        s = crowd.enter_context(socket.socket())
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", gateway.port))
        s.sendall(ask_for)
    wait_until(lambda: refused(gateway, "bodies") >= 10, "her share to be used up")
    assert gateway.get("/api/devices?limit=1000", "ben").status_code == 200


def client_hello():
    """What a client says first, and nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


def tls_metric(gateway, context, name):
    ask_once = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with tls_dial(gateway, ask_once, context) as s:
        for line in read_all(s).decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(name)


def test_handshakes_that_are_begun_and_never_finished(make_gateway, crowd, folder):
    """All of them can be read in one turn of the loop, and each takes longer than that may take."""
    context = self_signed(folder, "-newkey", "rsa:4096")
    gateway = make_gateway(http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem",
                           http__handshake_turn="1ms")
    populate(gateway)
    gateway.start(wait=False)
    wait_until(lambda: tls_status(gateway, context) == 200, "it")
    gateway.freeze()
    try:
        begun = [dial(crowd, gateway, GREEDY, client_hello()) for _ in range(N_HANDSHAKES)]
    finally:
        gateway.thaw()
    for s in begun:
        assert s.recv(1) == b"\x16"  # each has its answer, in its turn
    assert tls_metric(gateway, context, "tidegate_tls_handshakes_put_off_total") >= N_HANDSHAKES / 2
    for s in begun:
        s.close()
    wait_until(lambda: tls_metric(gateway, context, 'tidegate_tls_handshakes_total{result="failed"}')
               >= N_HANDSHAKES, "them to be counted")
    assert tls_status(gateway, context) == 200


def test_only_so_many_handshakes_are_half_done(make_gateway, crowd, folder):
    """Those of one address; more wait for one of them to end, and who is silent gives way."""
    context = self_signed(folder)
    gateway = make_gateway(http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem",
                           http__handshakes=16, ws__handshake_timeout="60s")
    populate(gateway)
    gateway.start(wait=False)
    wait_until(lambda: tls_status(gateway, context) == 200, "it")
    gateway.freeze()
    try:
        begun = [dial(crowd, gateway, GREEDY, client_hello()) for _ in range(24)]
    finally:
        gateway.thaw()
    assert tls_status(gateway, context) == 200  # another address
    for s in begun:
        assert s.recv(1) == b"\x16"
    gave_way = tls_metric(gateway, context, "tidegate_tls_handshakes_gave_way_total")
    assert 24 - 8 <= gave_way < 24, "no more than 8 at a time, and no more ended than were in the way"
    for s in begun:
        s.close()
    wait_until(lambda: tls_metric(gateway, context, 'tidegate_tls_handshakes_total{result="failed"}')
               >= 24, "them to be counted")
