"""No cursor goes out while something at or before it has not been sent (docs/protocol.md, 4).

A client may break off behind any frame and resume from the last cursor that it was given. So each
frame of a slow reader is looked at as if it were the last one: what is not behind its cursor has
been seen, or a newer state of the same thing is there to be sent.
"""
import contextlib
import json
import random
import signal
import socket

import psycopg2
import pytest
import requests

import viewers
from test_native_protocol import Native
from waiting import PATIENCE, wait_until

N_MESSAGES = 1000
BOX = [106, -7, 107, -6]
ROWS = """
    SELECT seq, 'vehicle_log/' || vehicle_id, battery_voltage::int, latitude, longitude FROM vehicle_logs
    UNION ALL SELECT seq, 'sensor_log/' || vehicle_id || '/' || sensor_id, (data->>'n')::int, NULL, NULL FROM sensor_logs
    UNION ALL SELECT seq, 'telemetry/' || device_id, (payload::jsonb->>'n')::int, NULL, NULL FROM telemetry
    UNION ALL SELECT seq, 'alert', message::int, NULL, NULL FROM alerts
    UNION ALL SELECT seq, 'raw_log', split_part(logs, ' ', 1)::int, NULL, NULL FROM raw_logs
    ORDER BY 1"""


def small_socket(gateway, n_bytes=4096):
    """Keeps little in the kernel, so that who does not read is noticed soon. It may not be told when it is given up for that:
    as a browser's, it asks now and then whether the other side is there."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, n_bytes)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        made.setsockopt(socket.IPPROTO_TCP, option, 5)
    made.connect(("127.0.0.1", gateway.port))
    return made


def seq_of(cursor):
    return int(cursor.split(":")[1])


def number(push):
    data = push.get("data")
    if push["type"] == "alert":
        return int(push["message"])
    if push["type"] == "raw_log":
        return int(data.split()[0])
    return data["battery_voltage"] if push["type"] == "vehicle_log" else data["n"]


def message(dice, n):
    """Mostly states, of few things; now and then something that counts each time."""
    pad = "x" * dice.randrange(200, 1500)
    what = dice.random()
    if what < 0.03:
        return f"seano/USV-{dice.randint(1, 2)}/alert", json.dumps({"severity": "critical",
                                                                  "alert_type": "GPS", "message": str(n)})
    if what < 0.04:
        return "seano/USV-1/raw_log", f"{n} {pad}"
    if what < 0.3:
        return f"ems/dev-{dice.randint(1, 2)}/telemetry", json.dumps({"n": n, "pad": pad})
    if what < 0.6:
        return "seano/USV-1/sensor_log", json.dumps({"sensor_id": dice.randint(1, 4),
                                                     "data": {"n": n, "pad": pad}})
    place = {"latitude": dice.choice([-6.5, 10]), "longitude": 106.5} if dice.random() < 0.3 else {}
    return f"seano/USV-{dice.randint(1, 2)}/vehicle_log", json.dumps(
        {"battery_voltage": n, "pad": pad, **place})


def inside(rows):
    """The rows of vehicles that are in the box when they come, vehicles being where they were last."""
    place, kept = {}, []
    for row in rows:
        _, key, _, latitude, _ = row
        if key.startswith("vehicle_log") and latitude is not None:
            place[key] = latitude
        if key.startswith("vehicle_log") and place.get(key) == -6.5:
            kept.append(row)
    return kept


def check(frames, rows, begin):
    """Every frame is the last one that a client got before it broke off."""
    newest = {key: seq for seq, key, *_ in rows}
    seen, told, last, at = set(), [], begin, 0
    for push in frames:
        if push["type"] == "gap":
            told.append((seq_of(push["from"]), seq_of(push["to"])))
            continue
        if push["type"] != "snapshot":
            seen.add(number(push))
        cursor = seq_of(push["cursor"])
        assert cursor >= last, push
        last = cursor
        while at < len(rows) and rows[at][0] <= cursor:
            seq, key, n, *_ = rows[at]
            counts = key in ("alert", "raw_log") or newest[key] == seq
            assert n in seen or not counts or any(a < seq <= b for a, b in told), \
                f"{key} {n} at {seq} was not sent, and the cursor is {cursor}"
            at += 1
    return last


def play(gateway, publisher, dice):
    for n in range(N_MESSAGES):
        publisher.publish(*message(dice, n))
    publisher.flush()
    wait_until(lambda: len(gateway.database.rows(ROWS)) == N_MESSAGES, "the rows", PATIENCE)
    return gateway.database.rows(ROWS)


def made(make_gateway, **options):
    from conftest import populate
    gateway = make_gateway(ws__slow_timeout="100s", ws__max_connections_per_user=50, **options)
    populate(gateway)
    gateway.start()
    return gateway


@pytest.mark.parametrize("queue, wish", [
    ("128K", {}), ("128K", {"max_hz": 2}), ("1M", {}),
    ("128K", {"max_hz": 1, "bbox": BOX, "types": ["vehicle_log"]})],
    ids=["all", "paced", "much", "paced box"])
def test_slow_reader_may_break_off_behind_any_frame(make_gateway, publisher, queue, wish):
    gateway = made(make_gateway, ws__queue_bytes=queue)
    root = Native(gateway, gateway.token("root"), sock=small_socket(gateway))
    begin = seq_of(root.push("welcome")["cursor"])
    root.ask("subscribe", to=["user"], **wish)
    transport = root._socket.transport
    viewers._loop.call_soon_threadsafe(transport.pause_reading)
    rows = play(gateway, publisher, random.Random(5))
    viewers._loop.call_soon_threadsafe(transport.resume_reading)
    last = rows[-1][0]
    if "bbox" in wish:
        rows = inside(rows)
    states = {key: n for _, key, n, *_ in rows}

    def is_told(frames):
        numbers = {number(f) for f in map(json.loads, frames) if f.get("data") or f.get("message")}
        return set(states.values()) <= numbers or any('"gap"' in f for f in frames)
    root.wait_for(is_told, "the last states")
    root.ask("ping")
    frames = [*root.pushes, *root.rest()]
    check(frames, rows, begin)
    if "bbox" in wish:
        return

    events = [f for f in frames if f["type"] != "gap"]
    for at in random.Random(6).sample(range(len(events)), 3):
        since = events[at]["cursor"]
        back = Native(gateway, gateway.token("root"))
        assert back.ask("subscribe", to=["user"], since=since)["recovered"] is True
        back.pushes = [p for p in back.pushes if p["type"] != "welcome"]
        wanted = [n for seq, _, n, *_ in rows if seq > seq_of(since)]
        assert [number(back.push()) for _ in wanted] == wanted
        back.close()
    for gap in (f for f in frames if f["type"] == "gap"):
        back = Native(gateway, gateway.token("root"))
        back.push("welcome")
        back.ask("subscribe", to=["user"], since=gap["from"])
        wanted = [n for seq, _, n, *_ in rows if seq > seq_of(gap["from"])]
        assert [number(back.push()) for _ in wanted] == wanted
        back.close()
    assert last == rows[-1][0]


def test_alert_takes_what_is_held_back_along_once_in_a_turn(make_gateway, publisher):
    gateway = made(make_gateway)
    ana = Native(gateway, gateway.token("ana"))
    begin = seq_of(ana.push("welcome")["cursor"])
    ana.ask("subscribe", to=["user"], max_hz=0.01)
    for n, what in enumerate("vvvavvaa"):
        topic, member = ("alert", "message") if what == "a" else ("vehicle_log", "battery_voltage")
        publisher.publish(f"seano/USV-1/{topic}", json.dumps({member: n if what == "v" else str(n)}))
    publisher.flush()
    pushes = [ana.push() for _ in range(5)]
    rows = gateway.database.rows(ROWS)
    assert [number(p) for p in pushes] == [0, 2, 3, 6, 7]
    numbers = {n: seq for seq, _, n, *_ in rows}
    assert [seq_of(p["cursor"]) for p in pushes] == [numbers[n] for n in (0, 2, 3, 4, 4)]  # 5 stands for 4
    check(pushes, rows, begin)
    ana.close()
    back = Native(gateway, gateway.token("ana"))
    back.push("welcome")
    back.ask("subscribe", to=["user"], since=pushes[-1]["cursor"])
    assert [number(back.push()) for _ in range(3)] == [5, 6, 7]
    back.close()


def test_stream_may_break_off_behind_any_event(make_gateway, publisher):
    gateway = made(make_gateway, ws__queue_bytes="128K")
    slow = small_socket(gateway)
    slow.settimeout(PATIENCE)
    slow.sendall(f"GET /api/events?max_hz=5 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                 f"{gateway.token('root')}\r\n\r\n".encode())
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="events") == 1, "the stream")
    rows = play(gateway, publisher, random.Random(7))
    states = {key: n for _, key, n, *_ in rows}
    text, frames, begin = "", [], None
    while begin is None or not set(states.values()) <= {number(f) for f in frames if f["type"] != "gap"}:
        if any(f["type"] == "gap" for f in frames):
            break
        piece = slow.recv(65536).decode()
        assert piece, "the stream was closed"
        *events, text = (text + piece).replace("\r", "").split("\n\n")
        for event in events:
            fields = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
            if "data" not in fields:
                continue
            data = json.loads(fields["data"])
            if data["type"] == "subscribed":
                begin = seq_of(fields["id"])
                continue
            if data["type"] == "gap":
                assert fields["id"] == data["from"] or seq_of(fields["id"]) < seq_of(data["from"])
            else:
                assert fields["id"] == data["cursor"]
            frames.append(data)
    check(frames, rows, begin)
    slow.close()


def test_what_is_not_recovered_gives_no_cursor_before_its_snapshot(make_gateway, publisher):
    gateway = made(make_gateway)
    gateway.database.rows("INSERT INTO vehicles (code, user_id) SELECT 'v-' || n, "
                          f"{gateway.ids['ana']} FROM generate_series(1, 150) n")
    wait_until(lambda: len(gateway.get("/api/vehicles?limit=1000", "ana").json()["items"]) == 151, "the vehicles")
    for n in range(150):
        publisher.publish(f"seano/v-{n + 1}/vehicle_log",
                          json.dumps({"battery_voltage": n, "pad": "x" * 300}))
    publisher.flush()
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 150)
    since = "0123456789abcdef:1000"
    ana = Native(gateway, gateway.token("ana"))
    ana.push("welcome")
    answer = ana.ask("subscribe", to=["user"], since=since)
    assert answer["recovered"] is False and answer["cursor"] is None
    parts = [ana.push("snapshot")]
    while not parts[-1]["done"]:
        parts.append(ana.push("snapshot"))
    assert len(parts) > 1 and all(part["cursor"] is None for part in parts[:-1])
    assert seq_of(parts[-1]["cursor"]) > 0
    ana.close()

    poll = gateway.get(f"/api/events/poll?wait=9&since={since}", "ana").json()
    assert poll["recovered"] is False and poll["events"][-1]["done"] is True
    assert sum(len(event["items"]) for event in poll["events"]) == 151  # and her device

    with requests.get(f"{gateway.url}/api/events?since={since}", stream=True, timeout=PATIENCE,
                      headers={"Authorization": f"Bearer {gateway.token('ana')}"}) as stream:
        ids, is_done = [], False
        for line in stream.iter_lines(chunk_size=1):
            ids += [line] if line.startswith(b"id: ") else []
            if line.startswith(b"data: ") and b'"snapshot"' in line:
                is_done = b'"done":true' in line
                if is_done:
                    break
                assert not ids
        assert len(ids) == 1 and is_done


@contextlib.contextmanager
def locked(_postgres, database):
    with contextlib.closing(psycopg2.connect(database.url)) as operator:
        operator.cursor().execute("LOCK TABLE devices")
        yield


@contextlib.contextmanager
def away(postgres, _database):
    postgres.stop(signal.SIGQUIT)
    yield
    postgres.start()


@pytest.mark.parametrize("fault", [locked, away])
def test_what_waits_for_its_device_is_behind_no_cursor(gateway, broker, postgres, database, fault):
    """It is shown when its device is there, and to all who come back to what they saw before."""
    def native():
        made = Native(gateway, gateway.token("root"))
        welcome = made.push("welcome")
        return made, welcome["cursor"]

    root, _ = native()
    assert root.ask("subscribe", to=["user"])["ok"]
    with fault(postgres, database):
        broker.publish("tfg/detections/raw", json.dumps(
            {"device_id": "new-1", "detections": [{"device_hash": "ab" * 32, "rssi": -55}]}))
        for n in range(3):
            broker.publish("ems/dev-1/telemetry", json.dumps({"n": n}))
        before = [root.push("telemetry")["cursor"] for _ in range(3)]
        before += [native()[1], root.ask("subscribe", to=["user"])["cursor"]]
        back, _ = native()
        assert back.ask("subscribe", to=["user"], since=before[2])["recovered"]
        assert [back.push("telemetry")["data"]["n"] for _ in range(3)] == [0, 1, 2]
    for who in (root, back):
        who.push("detection_event")
    waited = database.value("SELECT seq FROM ble_detections")
    assert all(seq_of(cursor) < waited for cursor in before)

    later, _ = native()
    assert later.ask("subscribe", to=["user"], since=before[2])["recovered"]
    assert [later.push()["type"] for _ in range(4)] == ["detection_event"] + 3 * ["telemetry"]
    broker.publish("ems/dev-1/telemetry", '{"n":3}')
    assert seq_of(later.push("telemetry")["cursor"]) == database.value(
        "SELECT max(seq) FROM telemetry")
