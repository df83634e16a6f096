"""Hostile clients: each limit, reached once, with its status or close code and its counter."""
import contextlib
import itertools
import json
import signal
import socket
import struct

import pytest

from conftest import populate
from identities import ask_from, native
from viewers import RawViewer, Viewer, refused
from waiting import PATIENCE, wait_until


def started(make_gateway, **settings):
    gateway = make_gateway(**settings)
    populate(gateway)
    return gateway.start()


def agreed(gateway, metric, member, reason):
    """The counter, which /api/ws/stats must agree with: asked between two looks at it that are the same."""
    value, told = gateway.metric(metric, reason=reason), None
    while value != told:
        told, before = gateway.get("/api/ws/stats", "root").json()[member][reason], value
        value = gateway.metric(metric, reason=reason)
        assert before <= told <= value
    return value


def n_refused(gateway, reason):
    return agreed(gateway, "tidegate_ws_refused_total", "refused_by_reason", reason)


def n_closed(gateway, reason):
    return agreed(gateway, "tidegate_ws_closed_by_gateway_total", "closed_by_reason", reason)


def upgrade(gateway, path, user, source="127.0.0.1"):
    """(status, headers) of an upgrade that is expected to be refused."""
    status, headers, body = ask_from(gateway, source, "GET", path, headers={
        "Authorization": f"Bearer {gateway.token(user)}", "Upgrade": "websocket",
        "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    return status, headers, json.loads(body)["code"]


def test_sockets_of_one_user(make_gateway):
    gateway = started(make_gateway, ws__max_connections_per_user=2)
    held = [Viewer(gateway, "/api/ws/statistics", gateway.token("ana")) for _ in range(2)]
    status, headers, code = upgrade(gateway, "/api/ws/statistics", "ana")
    assert (status, code) == (429, "too_many_connections") and int(headers["Retry-After"]) > 0
    assert n_refused(gateway, "per_user") == 1
    Viewer(gateway, "/api/ws", gateway.token("ana")).next_of("connection")  # not counted there
    Viewer(gateway, "/api/ws/statistics", gateway.token("ben")).next_of("connection_status")
    held[0].close()
    wait_until(lambda: refused(gateway, "/api/ws/statistics", gateway.token("ana")) == 101, "room")

    held = [native(gateway, gateway.token("ben")) for _ in range(2)]  # counted for themselves
    assert refused_native(gateway, gateway.token("ben")) == 429
    assert n_refused(gateway, "per_user") >= 2
    late = native(gateway)  # says who it is only once it is in
    late.send({"op": "auth", "id": 0, "token": gateway.token("ben")})
    assert late.wait_closed()[0] == 4006
    assert n_closed(gateway, "too_many") == 1


def refused_native(gateway, token):
    import websockets
    try:
        Viewer(gateway, "/api/ws", token, subprotocols=["tidegate.v1"]).close()
    except websockets.InvalidStatusCode as error:
        return error.status_code
    return 101


def test_sockets_in_total(make_gateway):
    gateway = started(make_gateway, ws__max_connections=3)
    held = [Viewer(gateway, "/ws", gateway.token("ana")) for _ in range(3)]
    status, headers, code = upgrade(gateway, "/api/ws", "root")
    assert (status, code) == (429, "over_capacity") and int(headers["Retry-After"]) > 0
    assert n_refused(gateway, "capacity") == 1
    gateway.write_conf(ws__max_connections=4)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: refused(gateway, "/ws", gateway.token("ben")) == 101, "the reload")
    assert not any(v.closed for v in held)


def test_what_there_may_be_together_is_told_beside_what_there_is(make_gateway, broker):
    gateway = started(make_gateway, ws__max_connections=7, registry__max_devices=50, sparkplug__max_things=60, merge__max_devices=0)
    limits = {of: gateway.metric("tidegate_limit", of=of) for of in ("sockets", "devices", "sparkplug_things", "merged_documents")}
    assert limits == {"sockets": 7, "devices": 50, "sparkplug_things": 60, "merged_documents": 0}
    broker.publish("devices/dev-1/status", '{"status":"online"}')
    wait_until(lambda: gateway.metric("tidegate_devices") == 2, "both devices to be counted")
    gateway.write_conf(ws__max_connections=9, registry__max_devices=50, sparkplug__max_things=60, merge__max_devices=0)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.metric("tidegate_limit", of="sockets") == 9, "the reload")


def test_user_leaves_places_to_the_others(make_gateway):
    gateway = started(make_gateway, ws__max_connections=8)
    held = [Viewer(gateway, path, gateway.token("ana")) for path in ("/ws", "/api/ws", "/ws/devices") * 2]
    status, headers, code = upgrade(gateway, "/api/ws", "ana")
    assert (status, code) == (429, "too_many_connections") and int(headers["Retry-After"]) > 0
    assert gateway.get("/api/events", "ana").status_code == 429
    assert refused(gateway, "/api/ws", gateway.token("ben")) == 101
    assert n_refused(gateway, "per_user") == 1
    held.pop().close()
    wait_until(lambda: refused(gateway, "/ws", gateway.token("ana")) == 101, "a place of her own")
    assert not any(v.closed for v in held)


def test_strangers_leave_places_to_users(make_gateway):
    gateway = started(make_gateway, ws__max_connections=12, ws__max_unauthenticated=3)
    strangers = [native(gateway) for _ in range(3)]
    assert refused_native(gateway, None) == 429
    assert refused(gateway, "/ws", gateway.token("ana")) == 101
    strangers[0].send({"op": "auth", "id": 0, "token": gateway.token("ana")})
    assert strangers[0].next_of("welcome")["user"]["username"] == "ana"
    late = native(gateway)  # in her place
    assert refused_native(gateway, None) == 429
    for one in (late, *strangers[1:]):
        one.close()
    wait_until(lambda: refused_native(gateway, None) == 101, "a place")


def test_lists_that_nobody_reads(make_gateway):
    gateway = started(make_gateway, ws__queue_bytes="16K", ws__max_message_bytes="16K")
    gateway.database.rows("INSERT INTO devices (code, name, user_id) SELECT 'd-' || n, repeat('x', 200), "
                          f"{gateway.ids['ana']} FROM generate_series(1, 1500) n")
    wait_until(lambda: len(gateway.get("/api/devices?limit=1000", "ana").json()["items"]) == 1000, "the devices")
    unread = RawViewer(gateway, "/ws/devices", gateway.token("ana"), receive_buffer=4096)
    wait_until(lambda: gateway.metric("tidegate_ws_queued_bytes") > 16 * 16384, "a list that is not read")
    status, headers, _ = upgrade(gateway, "/ws/devices", "ana")
    assert status == 429 and int(headers["Retry-After"]) > 0
    assert refused(gateway, "/ws/devices", gateway.token("ben")) == 101
    unread.close()
    wait_until(lambda: refused(gateway, "/ws/devices", gateway.token("ana")) == 101, "the end of it")


def test_a_snapshot_that_a_poll_gathers_counts_as_held(make_gateway):
    gateway = started(make_gateway)
    gateway.database.rows("INSERT INTO devices (code, name, user_id) SELECT 'd-' || n, repeat('x', 200), "
                          f"{gateway.ids['ana']} FROM generate_series(1, 3000) n")

    def poll(user):
        return gateway.get("/api/events/poll?wait=0&snapshot=1", user)

    def n_items():
        snapshots = [e for e in poll("ana").json()["events"] if e["type"] == "snapshot"]
        assert snapshots[-1]["done"]
        return sum(len(s["items"]) for s in snapshots)

    wait_until(lambda: n_items() > 3000, "the devices, all of them in one answer")
    gateway.write_conf(http__max_body_bytes="16K", http__bodies_bytes="64K")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: poll("ana").status_code == 503, "the new limit")
    refused_one = poll("ana")
    assert refused_one.json()["code"] == "over_capacity" and int(refused_one.headers["Retry-After"]) > 0
    assert "Tidegate-Cursor" not in refused_one.headers
    assert gateway.metric("tidegate_share_refused_total", what="bodies") > 0
    assert poll("ben").status_code == 200
    wait_until(lambda: gateway.metric("tidegate_ws_accounting_drift") == 0, "the books")


def test_who_takes_nothing_for_so_long_that_the_kernel_gives_up_is_counted(make_gateway, publisher):
    gateway = started(make_gateway, ws__silence_timeout="2s", ws__ping_interval="500ms", ws__slow_timeout="1h")
    stuck = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=4096)
    for n in range(60):
        publisher.publish("seano/USV-1/raw_log", f"{n} " + "x" * 5000)
    publisher.flush()

    def is_gone():
        with contextlib.suppress(OSError):
            stuck.socket.sendall(b"\x89\x80\0\0\0\0")  # it says that it is there, and reads nothing
        return n_closed(gateway, "unacknowledged") == 1

    wait_until(is_gone, "the end of it", step=0.2)
    assert sum(n_closed(gateway, reason) for reason in ("silent", "slow")) == 0
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="D") == 0, "its place")


def test_tickets_of_a_user_and_in_total(make_gateway):
    gateway = started(make_gateway, auth__tickets_per_user=3, auth__tickets=16)

    def ticket(user, status=200):
        answer = gateway.post("/api/ws/ticket", headers={"Authorization": f"Bearer {gateway.token(user)}"})
        assert answer.status_code == status, answer.text
        return answer

    given = [ticket("ana").json()["ticket"] for _ in range(4)]
    assert gateway.metric("tidegate_tickets_gave_way_total") == 1
    assert [refused(gateway, f"/api/ws?ticket={one}") for one in given] == [401, 101, 101, 101]

    others = [f"user{i}" for i in range(5)]
    for name in others:
        gateway.add_user(name)
    for name in others:
        wait_until(lambda n=name: gateway.get("/api/me", n).status_code == 200, f"{name} to be known")
        for _ in range(3):
            ticket(name)
    ticket("ben")
    last = ticket("root", 503)
    assert int(last.headers["Retry-After"]) > 0
    assert gateway.metric("tidegate_tickets_refused_total") == 1


def test_devices_of_one_body_of_a_group(make_gateway):
    gateway = started(make_gateway, http__group_devices=2)
    headers = {"Authorization": f"Bearer {gateway.token('root')}"}

    def group(devices, status):
        answer = gateway.post("/api/manage/groups", json={"name": "Hall", "devices": devices}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    codes = [f"of-hall-{i}" for i in range(3)]
    for code in codes:
        gateway.add_device(code, "ana")
    assert group(codes, 422)["detail"] == "devices: allowed: a list of codes or ids of devices, 2 at most."
    assert gateway.metric("tidegate_groups_refused_total") == 1
    assert gateway.database.value("SELECT count(*) FROM groups") == 0
    assert len(group(codes[:2], 201)["devices"]) == 2
    assert len(group(codes[2:], 200)["devices"]) == 3


def test_connect_rate_of_a_source(make_gateway):
    gateway = started(make_gateway, ws__connects_per_second=2)
    seen = [upgrade_status(gateway, "127.0.0.7") for _ in range(12)]
    assert seen[:4] == [101] * 4 and 429 in seen, seen
    status, headers, code = upgrade(gateway, "/api/ws", "ana", "127.0.0.7")
    assert (status, code) == (429, "rate_limited") and int(headers["Retry-After"]) > 0
    assert upgrade_status(gateway, "127.0.0.8") == 101  # another is not held up
    assert n_refused(gateway, "rate") == seen.count(429) + 1
    wait_until(lambda: upgrade_status(gateway, "127.0.0.7") == 101, "time to forgive", step=0.5)


def upgrade_status(gateway, source):
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE, (source, 0)) as s:
        s.sendall(f"GET /api/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  f"Authorization: Bearer {gateway.token('ana')}\r\n\r\n".encode())
        return int(s.recv(4096).split()[1])


@pytest.mark.parametrize("path", ["/ws", "/api/ws", "/api/ws/statistics", "native", "device"])
def test_message_rate_of_a_socket(make_gateway, path):
    gateway = started(make_gateway, ws__messages_per_second=5)
    if path == "native":
        v = native(gateway, gateway.token("ana"))
    elif path == "device":
        v = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    else:
        v = Viewer(gateway, path, gateway.token("ana"))
    with contextlib.suppress(Exception):
        for n in range(200):
            v.send("ping" if path == "/ws" else {"op": "ping", "type": "ping", "id": n})
    assert v.wait_closed()[0] == 4102
    assert n_closed(gateway, "rate") == 1
    Viewer(gateway, "/ws", gateway.token("ana")).send("ping")


def test_time_for_the_handshake(make_gateway):
    gateway = started(make_gateway, ws__handshake_timeout="1s")
    silent = [socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) for _ in range(3)]
    silent[1].sendall(b"GET /api/ws HTTP/1.1\r\nHost: x\r\n")  # half of it
    drops = itertools.chain("GET /api/ws HTTP/1.1\r\nHost: x\r\n", itertools.cycle("X-Y: z\r\n"))

    def is_hung_up_on():
        with contextlib.suppress(OSError):  # it always says a little more
            silent[2].sendall(next(drops).encode())
        return n_refused(gateway, "timeout") == 3

    wait_until(is_hung_up_on, "all three to be hung up on", step=0.05)
    for s in silent:
        hung_up_on(s)
    # who has asked is not meant: it outlives one that came after it
    v = Viewer(gateway, "/ws", gateway.token("ana"))
    hung_up_on(socket.create_connection(("127.0.0.1", gateway.port), PATIENCE))
    v.send("ping")
    v.wait_for(lambda texts: "pong" in texts, "an answer")
    assert n_refused(gateway, "timeout") == 4


def hung_up_on(s):
    with s, contextlib.suppress(ConnectionError):
        assert s.recv(100) == b""


def test_time_for_the_first_message(make_gateway):
    gateway = started(make_gateway, ws__handshake_timeout="1s")
    said = native(gateway)
    said.send({"op": "auth", "id": 1, "token": gateway.token("ana")})
    assert native(gateway).wait_closed()[0] == 4005
    said.send({"op": "ping", "id": 2})
    said.wait_for(lambda texts: any('"id":2' in t for t in texts), "one that came before and has said who it is")
    assert n_closed(gateway, "no_auth") == 1
    other = native(gateway)
    other.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"]})
    assert other.wait_closed()[0] == 4003
    assert not [t for t in other.frames if "snapshot" in t or '"ok":true' in t]


def test_a_message_that_is_too_big_whole_or_in_pieces(make_gateway):
    gateway = started(make_gateway, ws__max_message_bytes="4K")
    v = Viewer(gateway, "/api/ws", gateway.token("ana"))
    v.send("x" * 5000)
    assert v.wait_closed()[0] == 1009
    raw = RawViewer(gateway, "/api/ws", gateway.token("ana"))
    mask = b"\0\0\0\0"
    with contextlib.suppress(ConnectionError):
        raw.socket.sendall(b"\x01" + bytes([0x80 | 126]) + struct.pack("!H", 3000) + mask + b"x" * 3000)
        raw.socket.sendall(b"\x80" + bytes([0x80 | 126]) + struct.pack("!H", 3000) + mask + b"x" * 3000)
    assert raw.close_code() == 1009
    assert n_closed(gateway, "too_big") == 2


def test_subscriptions_of_a_socket(make_gateway):
    gateway = started(make_gateway, ws__max_subscriptions=3)
    v = native(gateway, gateway.token("ana"))
    for n in range(5):
        v.send({"op": "subscribe", "id": n, "to": ["vehicle/*"]})
    v.wait_for(lambda texts: sum('"ok":' in t for t in texts) >= 5, "the answers")
    answers = [json.loads(t) for t in v.frames if '"ok":' in t]
    assert [a["ok"] for a in answers] == [True] * 3 + [False] * 2
    assert [(a["error"]["code"], a["error"]["retry"]) for a in answers[3:]] == [("too_many", False)] * 2
    v.send({"op": "unsubscribe", "id": 9, "subscription": answers[0]["subscription"]})
    v.send({"op": "subscribe", "id": 10, "to": ["vehicle/*"]})
    v.wait_for(lambda texts: any('"id":10' in t and '"ok":true' in t for t in texts), "room again")


def test_origins(make_gateway):
    """They guard what a browser brings by itself; a bearer header is none of that."""
    gateway = started(make_gateway, http__allowed_origins="https://app.example, https://b.example")
    token = gateway.token("ana")
    for origin, status in (("https://app.example", 101), ("https://b.example", 101),
                           (f"http://127.0.0.1:{gateway.port}", 101), ("https://evil.example", 403),
                           ("https://app.example.evil", 403), ("http://app.example", 403),
                           ("https://app.example:444", 403), ("null", 403)):
        seen = refused(gateway, f"/api/ws?token={token}", None, {"Origin": origin})
        assert seen == status, f"{origin}: {seen}"
        assert refused(gateway, "/api/ws", token, {"Origin": origin}) == 101
    assert n_refused(gateway, "origin") == 5
    assert refused(gateway, "/api/ws", token) == 101  # not a browser


def test_a_socket_that_does_not_read_is_closed_and_nobody_waits(make_gateway, publisher):
    gateway = started(make_gateway, ws__queue_bytes="128K", ws__slow_timeout="1s")
    slow = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=4096)
    fast = Viewer(gateway, "/api/ws", gateway.token("ana"))
    publisher.run(lambda n: ("seano/USV-1/raw_log", f"{n} " + "x" * 500), 200)
    wait_until(lambda: gateway.metric("tidegate_ws_closed_by_gateway_total", reason="slow") > 0,
               "the slow one to be closed")
    n = publisher.stop()
    fast.wait_for(lambda texts: any(f'"{n - 1} ' in t for t in texts), "the last one")
    stats = gateway.get("/api/ws/stats", "root").json()
    drops = stats["drops_by_reason"]
    assert drops["queue_full"] + drops["connection_ended"] + drops["conflated"] > 0
    assert drops["queue_full"] + drops["connection_ended"] == stats["fanout"]["dropped"]
    slow.close()
    wait_until(lambda: gateway.metric("tidegate_accounting_drift") == 0, "the books to balance")


def test_every_refusal_and_close_is_in_the_metrics_and_the_statistics(gateway):
    stats = gateway.get("/api/ws/stats", "root").json()
    text = gateway.get("/metrics").text
    for member, metric in (("refused_by_reason", "tidegate_ws_refused_total"),
                           ("closed_by_reason", "tidegate_ws_closed_by_gateway_total")):
        named = {line.split('"')[1] for line in text.splitlines() if line.startswith(metric + "{")}
        assert named == set(stats[member]), member


def client_frame(payload, opcode, is_last=True):
    """A short frame of a client, masked with zeros."""
    return bytes([opcode | (0x80 if is_last else 0), 0x80 | len(payload)]) + b"\0\0\0\0" + payload


@pytest.mark.parametrize("frames", [client_frame(b"x", 9), client_frame(b"x", 0, False)],
                         ids=["pings", "fragments"])
def test_frames_without_end(make_gateway, frames):
    gateway = started(make_gateway, ws__messages_per_second=2)
    s = RawViewer(gateway, "/api/ws", gateway.token("ana")).socket
    with contextlib.suppress(ConnectionError):
        s.sendall(client_frame(b'"', 1, False) + frames * 300)  # of which 400 a burst has, and more
        s.sendall(frames * 700)
    wait_until(lambda: gateway.metric("tidegate_ws_closed_by_gateway_total", reason="rate") == 1, "4102")
    s.close()
