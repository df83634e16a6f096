"""The past over HTTP: pages that miss and repeat nothing, tracks, averages, answers of any size."""
import contextlib
import itertools
import json
import math
import socket
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
import requests

from conftest import populate
from viewers import Viewer
from waiting import PATIENCE, wait_until

START = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=1)


def text(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def position(database):
    """(journal_id, epoch) of the gateway."""
    return database.rows("SELECT journal_id, epoch FROM journal_positions ORDER BY 1")[-1]


@contextlib.contextmanager
def partition_for(database, when):
    database.rows("SELECT tidegate_make_partitions(%s::date, %s::date)", when.date(),
                  datetime.now(timezone.utc).date())
    yield


def fill(database, vehicle, n, table="raw_logs", step="1 second", first=1, extra=""):
    """n rows of a vehicle, of which the received time and the sequence go up together."""
    journal, _ = position(database)
    columns, values = {
        "raw_logs": ("logs", "'line ' || i"),
        "sensor_logs": ("sensor_id, data", "i %% 3, jsonb_build_object('n', i)"),
        "vehicle_logs": ("latitude, longitude, battery_voltage",
                         "-6 + i * 0.0001, 106 + i * 0.0001 + 0.001 * sin(i / 50.0), 12.5"),
        "alerts": ("severity, alert_type, message, extra",
                   "'info', 'GPS', 'alert ' || i, '{\"n\": 1}'::jsonb"),
    }[table]
    with partition_for(database, START):
        database.rows(
            f"INSERT INTO {table} (vehicle_id, journal_id, seq, received_at, time, {columns})"
            f" SELECT %s, %s, i, %s::timestamptz + i * %s::interval,"
            f" %s::timestamptz + i * %s::interval, {values}"
            f" FROM generate_series(%s, %s) i {extra}",
            vehicle, journal, START, step, START, step, first, first + n - 1)


def pages(gateway, path, user="ana", between=lambda: None):
    """All items of a list, page by page."""
    items, cursor = [], None
    while True:
        answer = gateway.get(path + (f"&cursor={cursor}" if cursor else ""), user)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        items += body["items"]
        cursor = body["cursor"]
        if not cursor:
            return items
        between()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_merged_logs_miss_and_repeat_nothing(gateway, database, order):
    vehicle = gateway.ids["USV-1"]
    for i, table in enumerate(("raw_logs", "sensor_logs", "vehicle_logs", "alerts")):
        fill(database, vehicle, 40, table, first=1 + i * 40)
    # four tables at one moment: the number line alone orders them
    database.rows("UPDATE raw_logs SET received_at = %s, time = %s", START, START)
    items = pages(gateway, f"/api/vehicles/{vehicle}/logs?limit=7&order={order}")
    seqs = [int(i["cursor"].split(":")[1]) for i in items]
    assert seqs == sorted(range(1, 161), reverse=order == "desc")
    assert {i["type"] for i in items} == {"raw_log", "sensor_log", "vehicle_log", "alert"}
    by_type = {i["type"]: i for i in items}
    assert by_type["raw_log"]["data"].startswith("line ")
    assert by_type["vehicle_log"]["data"]["battery_voltage"] == 12.5
    assert [i["sensor_id"] for i in items if i["type"] == "sensor_log"] == [seq % 3 for seq in seqs if 40 < seq <= 80]
    assert by_type["alert"]["message"].startswith("alert ")
    some = pages(gateway, f"/api/vehicles/USV-1/logs?limit=50&types=raw_log,alert&order={order}")
    assert {i["type"] for i in some} == {"raw_log", "alert"} and len(some) == 80


def test_pages_stay_whole_while_rows_come_in(gateway, database, publisher):
    vehicle = gateway.ids["USV-1"]
    publisher.run(lambda n: ("seano/USV-1/raw_log", f"{n:06d}"), 300)
    database.wait_for("SELECT count(*) > 200 FROM raw_logs", True)
    seen, turns = [], itertools.count()

    def read(order, between=lambda: None):
        seen.append((order, pages(gateway, f"/api/vehicles/{vehicle}/logs?limit=9&order={order}", between=between)))

    read("desc")
    # Whoever reads slower than it comes in would never be through: it ends some time.
    read("asc", between=lambda: next(turns) == 60 and publisher.stop())
    n = publisher.stop()
    database.wait_for("SELECT count(*) FROM raw_logs", n)
    for order, items in seen:
        lines = [int(i["data"]) for i in items]
        if order == "desc":
            lines.reverse()
            assert lines[0] == 0
        assert lines == list(range(lines[0], lines[0] + len(lines))), order
    everything = pages(gateway, f"/api/vehicles/{vehicle}/logs?limit=1000&order=asc")
    assert [int(i["data"]) for i in everything] == list(range(n))


def test_a_live_cursor_is_a_place_in_history(gateway, database, broker):
    vehicle = gateway.ids["USV-1"]
    for i in range(6):
        broker.publish("seano/USV-1/raw_log", f"n{i}")
    database.wait_for("SELECT count(*) FROM raw_logs", 6)
    items = gateway.get(f"/api/vehicles/{vehicle}/logs?order=asc", "ana").json()["items"]
    epoch = position(database)[1]
    assert all(i["cursor"].startswith(epoch + ":") and i["cursor"].count(":") == 1 for i in items)
    after = f"/api/vehicles/{vehicle}/logs?cursor={items[2]['cursor']}&order="
    assert [i["data"] for i in gateway.get(after + "asc", "ana").json()["items"]] \
        == ["n3", "n4", "n5"]
    assert [i["data"] for i in gateway.get(after + "desc", "ana").json()["items"]] == ["n1", "n0"]


def test_times_narrow_and_bad_parameters_are_problems(gateway, database):
    vehicle = gateway.ids["USV-1"]
    fill(database, vehicle, 100)
    begin, end = START + timedelta(seconds=10), START + timedelta(seconds=20)
    path = f"/api/vehicles/{vehicle}/logs"
    items = gateway.get(f"{path}?from={text(begin)}&to={text(end)}&order=asc", "ana").json()["items"]
    assert [i["data"] for i in items] == [f"line {i}" for i in range(10, 20)]
    offset = (begin + timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S") + "+07:00"
    assert len(gateway.get(f"{path}?from={offset}&to={text(end)}", "ana").json()["items"]) == 10
    for query, code in (("from=yesterday", "bad_time"), ("limit=0", "bad_limit"),
                        ("limit=1001", "bad_limit"), ("limit=x", "bad_limit"),
                        ("order=up", "bad_order"), ("cursor=nonsense", "bad_cursor"),
                        ("cursor=0123456789abcdef:5", "bad_cursor"), ("types=secrets", "bad_types"),
                        (f"from={text(end)}&to={text(begin)}", "bad_time")):
        answer = gateway.get(f"{path}?{query}", "ana")
        assert answer.status_code == 400, query
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json()["code"] == code, query
    assert gateway.get(path.replace("logs", "track.geojson?simplify=far"), "ana").status_code == 400
    device = gateway.ids["dev-1"]
    assert gateway.get(f"/api/devices/{device}/telemetry?interval=0", "ana").status_code == 400
    assert gateway.get("/api/detections?zone=moon", "ana").status_code == 400
    assert gateway.get("/api/alerts?severity=loud", "ana").status_code == 400


def test_history_is_only_for_those_who_may_see_it(gateway, database, broker):
    one, two = gateway.ids["USV-1"], gateway.ids["USV-2"]
    broker.publish("seano/USV-1/alert", json.dumps({"severity": "info", "message": "ana's"}))
    broker.publish("seano/USV-2/alert", json.dumps({"severity": "critical", "message": "ben's"}))
    for device, what in (("dev-1", "a"), ("dev-2", "b")):
        broker.publish("tfg/detections/raw", json.dumps({"device_id": device, "detections": [
            {"device_hash": what * 64, "rssi": -50}, {"device_hash": what * 64, "rssi": -90}]}))
    database.wait_for("SELECT count(*) FROM alerts", 2)
    database.wait_for("SELECT count(*) FROM ble_detections", 4)

    for path in (f"/api/vehicles/{two}", f"/api/vehicles/{two}/logs",
                 f"/api/vehicles/{two}/track.geojson", f"/api/devices/{gateway.ids['dev-2']}",
                 f"/api/devices/{gateway.ids['dev-2']}/telemetry", "/api/detections?device_id=dev-2",
                 "/api/alerts?vehicle_id=USV-2"):
        assert gateway.get(path, "ana").status_code == 404, path
        assert gateway.get(path, "ben").status_code == 200, path
        assert gateway.get(path, "root").status_code == 200, path
        assert gateway.get(path).status_code == 401, path
    for path in ("/api/vehicles/999", "/api/vehicles/nope/logs", "/api/devices/999/telemetry",
                 "/api/detections?device_id=nope"):
        answer = gateway.get(path, "ana")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path

    def messages(user):
        return sorted(i["message"] for i in gateway.get("/api/alerts", user).json()["items"])

    def hashes(user):
        return {i["device_hash"][0] for i in gateway.get("/api/detections", user).json()["items"]}

    assert messages("ana") == ["ana's"] and messages("root") == ["ana's", "ben's"]
    assert hashes("ana") == {"a"} and hashes("root") == {"a", "b"}
    gateway.cli("vehicle", "share", "USV-2", "--user", "ana")
    database.rows("INSERT INTO groups (name) VALUES ('g')")
    database.rows("INSERT INTO device_groups SELECT %s, id FROM groups", gateway.ids["dev-2"])
    database.rows("INSERT INTO shares (user_id, group_id) SELECT %s, id FROM groups",
                  gateway.ids["ana"])
    assert messages("ana") == ["ana's", "ben's"] and hashes("ana") == {"a", "b"}
    wait_until(lambda: gateway.get(f"/api/vehicles/{two}/logs", "ana").status_code == 200, "share")
    # items of one message are split between pages, and none is lost
    items = pages(gateway, "/api/detections?limit=1", "root")
    assert len({(i["cursor"], i["item"]) for i in items}) == 4
    near = gateway.get("/api/detections?zone=near&device_id=dev-1", "ana").json()["items"]
    assert [i["rssi"] for i in near] == [-50]
    assert one


def test_telemetry_comes_byte_for_byte_and_as_averages(gateway, database, broker):
    device = gateway.ids["dev-1"]
    payloads = ['{"v": 1.50,  "i":1e-05,"name":"x","on":true,"deep":{"v":9}}', '{"v":2.5e0, "x":"é"}',
                '{"v":3,"v":3,"big":1e300,"nothing":null}', '{ }']
    for payload in payloads:
        broker.publish("ems/dev-1/telemetry", payload)
    database.wait_for("SELECT count(*) FROM telemetry", len(payloads))
    answer = gateway.get(f"/api/devices/{device}/telemetry?order=asc", "ana")
    answer.encoding = "utf-8"
    for payload in payloads:
        assert '"data":' + payload + "}" in answer.text
    assert [i["device_id"] for i in answer.json()["items"]] == [device] * len(payloads)

    database.rows("UPDATE telemetry SET time = %s::timestamptz + (seq - (SELECT min(seq)"
                  " FROM telemetry)) * interval '20 seconds'", START)
    body = gateway.get(f"/api/devices/{device}/telemetry?interval=1m", "ana").json()
    assert body["interval_seconds"] == 60 and body["device_id"] == device
    assert sum(i["count"] for i in body["items"]) == len(payloads)
    whole = gateway.get(f"/api/devices/{device}/telemetry?interval=1d", "ana").json()["items"]
    data = whole[0]["data"]
    assert set(data) <= {"v", "i", "big"} and math.isclose(data["v"], (1.5 + 2.5 + 3 + 3) / 4)


def test_averages_agree_with_sql(gateway, database):
    device = gateway.ids["dev-1"]
    journal, _ = position(database)
    with partition_for(database, START):
        database.rows("INSERT INTO telemetry (device_id, journal_id, seq, received_at, time, payload)"
                      " SELECT %s, %s, i, %s::timestamptz + i * interval '1s',"
                      " %s::timestamptz + i * interval '1s',"
                      " json_build_object('v', i * 0.5, 'w', i) FROM generate_series(1, 3000) i",
                      device, journal, START, START)
    items = gateway.get(f"/api/devices/{device}/telemetry?interval=5m", "ana").json()["items"]
    rows = database.rows(
        "SELECT to_char(b AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), count(*),"
        " avg((payload->>'v')::float8), avg((payload->>'w')::float8) FROM (SELECT date_bin('5 min',"
        " time, 'epoch'::timestamptz) AS b, payload FROM telemetry) t GROUP BY b ORDER BY b")
    assert [(i["timestamp"], i["count"]) for i in items] == [(r[0], r[1]) for r in rows]
    for item, row in zip(items, rows):
        assert math.isclose(item["data"]["v"], row[2]) and math.isclose(item["data"]["w"], row[3])


def metres(p, a, b):
    k = math.cos(math.radians((a[1] + b[1]) / 2))
    x, y = [((q[0] - a[0]) * k * 111319.49, (q[1] - a[1]) * 111319.49) for q in (p, b)]
    n = y[0] ** 2 + y[1] ** 2
    t = max(0, min(1, (x[0] * y[0] + x[1] * y[1]) / n)) if n else 0
    return math.hypot(x[0] - t * y[0], x[1] - t * y[1])


def test_a_track_is_geojson_and_simplified_within_its_tolerance(gateway, database):
    vehicle = gateway.ids["USV-1"]
    path = f"/api/vehicles/{vehicle}/track.geojson"
    empty = gateway.get(path, "ana")
    assert empty.headers["Content-Type"] == "application/geo+json"
    assert empty.json()["type"] == "Feature" and empty.json()["geometry"] is None
    fill(database, vehicle, 1, "vehicle_logs")
    assert gateway.get(path, "ana").json()["geometry"]["type"] == "Point"
    fill(database, vehicle, 4999, "vehicle_logs", first=2)
    full = gateway.get(path, "ana").json()
    line = full["geometry"]["coordinates"]
    assert full["geometry"]["type"] == "LineString" and len(line) == 5000
    times = full["properties"]["coordTimes"]
    assert len(times) == 5000 and times == sorted(times)
    assert times[0] == text(START + timedelta(seconds=1))
    for tolerance in (5, 50):
        some = gateway.get(f"{path}?simplify={tolerance}", "ana").json()
        kept = some["geometry"]["coordinates"]
        stamps = some["properties"]["coordTimes"]
        assert len(stamps) == len(kept) == some["properties"]["kept"] < 2500
        assert kept[0] == line[0] and kept[-1] == line[-1]
        places = [times.index(s) for s in stamps]
        for (i, a), (j, b) in zip(zip(places, kept), zip(places[1:], kept[1:])):
            assert all(metres(line[k], a, b) <= tolerance * 1.01 for k in range(i + 1, j))
    some = gateway.get(f"{path}?from={text(START + timedelta(seconds=100))}"
                       f"&to={text(START + timedelta(seconds=200))}", "ana").json()
    assert len(some["geometry"]["coordinates"]) == 100


def test_a_track_is_cut_at_the_antimeridian(gateway, database, broker):
    vehicle = gateway.ids["USV-1"]
    for i, longitude in enumerate((179.0, 179.5, -179.5, -179.0, 179.8)):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({
            "latitude": -10 - i, "longitude": longitude,
            "timestamp": text(START + timedelta(seconds=i * 10))}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 5)
    for simplify in (0, 1):
        body = gateway.get(f"/api/vehicles/{vehicle}/track.geojson?simplify={simplify}", "ana").json()
        lines = body["geometry"]["coordinates"]
        assert body["geometry"]["type"] == "MultiLineString"
        assert [len(line) for line in lines] == [3, 4, 2]
        assert lines[0][-1] == [180, -11.5] and lines[1][0] == [-180, -11.5]
        assert all(-180 <= p[0] <= 180 for line in lines for p in line)
        assert all(abs(a[0] - b[0]) < 180 for line in lines for a, b in zip(line, line[1:]))
        assert [len(t) for t in body["properties"]["coordTimes"]] == [3, 4, 2]


# ---- answers of any size -------------------------------------------------------------------------

def rss(gateway):
    with open(f"/proc/{gateway.pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) * 1024


def request(gateway, path, user="ana", version="1.1", receive_buffer=None):
    """A raw socket with the request sent and nothing read."""
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", gateway.port))
    sock.sendall(f"GET {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer "
                 f"{gateway.token(user)}\r\n\r\n".encode())
    return sock


def test_a_large_track_streams_in_bounded_memory_and_delays_nobody(make_gateway, database,
                                                                   publisher):
    gateway = make_gateway()
    populate(gateway)
    environment = gateway.environment()  # what a sanitizer keeps of freed memory is not ours
    environment["ASAN_OPTIONS"] += ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    gateway.environment = lambda: environment
    gateway.start()
    vehicle, n = gateway.ids["USV-1"], 300000
    fill(database, vehicle, n, "vehicle_logs", step="10 milliseconds")
    gateway.get(f"/api/vehicles/{vehicle}/track.geojson?simplify=100000", "ana")
    live = Viewer(gateway, "/api/ws", gateway.token("ana"))
    before, most, stop = rss(gateway), 0, threading.Event()

    def watch():
        nonlocal most
        while not stop.wait(0.05):
            most = max(most, rss(gateway))

    watcher = threading.Thread(target=watch)
    watcher.start()
    publisher.run(lambda i: ("seano/USV-1/raw_log", f"{time.time()}"), 50)
    answer = gateway.get(f"/api/vehicles/{vehicle}/track.geojson", "ana", stream=True)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    size = 0
    blocks = []
    for block in answer.iter_content(65536):
        size += len(block)
        blocks.append(block)
    stop.set()
    watcher.join()
    publisher.stop()
    body = json.loads(b"".join(blocks))
    assert len(body["geometry"]["coordinates"]) == len(body["properties"]["coordTimes"]) == n
    assert size > 10_000_000
    assert most - before < size / 2, f"{before} -> {most} for {size} bytes"
    logs = [f for f in live.rest() if f.get("type") == "raw_log"]
    assert len(logs) > 10
    late = [datetime.fromisoformat(f["broadcast_time"][:-1] + "+00:00").timestamp()
            - float(f["data"]) for f in logs]
    assert sorted(late)[len(late) // 2] < 1.0, sorted(late)[-5:]
    live.close()


@pytest.mark.smoke
def test_slow_readers_of_history_delay_neither_logins_nor_statistics(gateway, database):
    vehicle = gateway.ids["USV-1"]
    fill(database, vehicle, 200000, "vehicle_logs", step="10 milliseconds")
    path = f"/api/vehicles/{vehicle}/track.geojson"
    slow = [request(gateway, path, receive_buffer=4096) for _ in range(4)]
    wait_until(lambda: gateway.metric("tidegate_history_reading") == 1
               and gateway.metric("tidegate_history_waiting") == 3, "all but one connection busy")
    assert gateway.get(f"/api/vehicles/{gateway.ids['USV-2']}/logs", "ben").status_code == 200
    assert gateway.get("/api/v1/statistics/realtime", "ana").status_code == 200
    assert gateway.post("/api/token", data={"username": "ana",
                                            "password": "correct horse battery"}).status_code == 200
    for sock in slow:
        sock.close()
    wait_until(lambda: gateway.metric("tidegate_history_reading") == 0, "all free again")
    assert gateway.get(f"/api/vehicles/{vehicle}/logs", "ana").status_code == 200
    assert gateway.metric("tidegate_history_total", result="cancelled") == 4


def active(database):
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                          " 'tidegate/history' AND state = 'active' AND datname = current_database()"
                          " AND pid <> pg_backend_pid()")


def make_heavy(database):
    """Averages that take minutes: a lock would not show that work is stopped."""
    database.rows("CREATE FUNCTION drudge(json) RETURNS json LANGUAGE sql AS 'SELECT $1'")
    database.rows("ALTER TABLE telemetry RENAME TO telemetry_rows")
    database.rows("CREATE VIEW telemetry AS SELECT seq, received_at, time + (SELECT sum(i) * 0"
                  " FROM generate_series(1, 200000000) i WHERE device_id > 0)"
                  " * interval '1s' AS time, device_id, journal_id, payload FROM telemetry_rows")


def test_a_query_that_nobody_waits_for_is_cancelled(gateway, database, broker):
    broker.publish("ems/dev-1/telemetry", '{"v":1}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    make_heavy(database)
    sock = request(gateway, f"/api/devices/{gateway.ids['dev-1']}/telemetry?interval=60")
    wait_until(lambda: active(database) == 1, "the query to run")
    sock.close()
    wait_until(lambda: active(database) == 0, "the query to be cancelled", 8)
    wait_until(lambda: gateway.metric("tidegate_history_total", result="cancelled") == 1, "count")


def test_a_query_that_takes_too_long_is_a_problem(make_gateway, database, broker):
    gateway = make_gateway(database__query_timeout="500ms")
    populate(gateway)
    gateway.start()
    broker.publish("ems/dev-1/telemetry", '{"v":1}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    make_heavy(database)
    answer = gateway.get(f"/api/devices/{gateway.ids['dev-1']}/telemetry?interval=60", "ana")
    assert answer.status_code == 504 and answer.json()["code"] == "timeout"
    assert gateway.get(f"/api/vehicles/{gateway.ids['USV-1']}/logs", "ana").status_code == 200


def test_an_answer_that_has_begun_is_broken_off_not_ended(make_gateway, database):
    gateway = make_gateway(database__stream_timeout="1s")
    populate(gateway)
    gateway.start()
    vehicle = gateway.ids["USV-1"]
    fill(database, vehicle, 100000, "vehicle_logs", step="10 milliseconds")
    sock = request(gateway, f"/api/vehicles/{vehicle}/track.geojson", receive_buffer=4096)
    wait_until(lambda: gateway.metric("tidegate_history_total", result="failed") == 1, "the end")
    data = b""
    with contextlib.suppress(ConnectionError):
        while block := sock.recv(65536):
            data += block
    assert b"200 OK" in data and not data.endswith(b"0\r\n\r\n")
    assert gateway.get(f"/api/vehicles/{vehicle}/logs", "ana").status_code == 200


def test_too_many_questions_are_refused(make_gateway, database):
    gateway = make_gateway(database__query_capacity=1, database__query_connections=1)
    populate(gateway)
    gateway.start()
    vehicle = gateway.ids["USV-1"]
    fill(database, vehicle, 200000, "vehicle_logs", step="10 milliseconds")
    path = f"/api/vehicles/{vehicle}/track.geojson"
    slow = []
    for busy in (1, 2):
        slow.append(request(gateway, path, receive_buffer=4096))
        wait_until(lambda n=busy: gateway.metric("tidegate_history_reading")
                   + gateway.metric("tidegate_history_waiting") == n, f"{busy} under way")
    answer = gateway.get(f"/api/vehicles/{vehicle}/logs", "ana")
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert gateway.metric("tidegate_query_refused_total") == 1
    for sock in slow:
        sock.close()


def test_http_1_0_and_head_get_what_they_understand(gateway, database):
    vehicle = gateway.ids["USV-1"]
    fill(database, vehicle, 20000, "vehicle_logs", step="10 milliseconds")
    path = f"/api/vehicles/{vehicle}/track.geojson"
    sock = request(gateway, path, version="1.0")
    data = b""
    while block := sock.recv(65536):
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert len(json.loads(body)["geometry"]["coordinates"]) == 20000
    headers = {"Authorization": f"Bearer {gateway.token('ana')}"}
    answer = requests.head(gateway.url + path, headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200 and not answer.content
    with requests.Session() as session:  # the connection goes on behind a streamed answer
        for _ in range(2):
            answer = session.get(gateway.url + path, headers=headers, timeout=PATIENCE)
            assert len(answer.json()["geometry"]["coordinates"]) == 20000


def test_lists_of_devices_and_vehicles_page(gateway, database):
    database.rows("INSERT INTO vehicles (code, user_id) SELECT 'V' || i, %s FROM"
                  " generate_series(1, 25) i", gateway.ids["ana"])
    database.rows("INSERT INTO devices (code, user_id) SELECT 'D' || i, %s FROM"
                  " generate_series(1, 25) i", gateway.ids["ana"])
    for what in ("vehicles", "devices"):
        wait_until(lambda w=what: len(gateway.get(f"/api/{w}?limit=1000", "ana").json()["items"])
                   == 26, "all of them")
        ids = [i["id"] for i in pages(gateway, f"/api/{what}?limit=10")]
        assert len(ids) == 26 and ids == sorted(set(ids))
        assert gateway.get(f"/api/{what}?limit=1001", "ana").status_code == 400
        first = gateway.get(f"/api/{what}/{ids[0]}", "ana").json()
        assert first == gateway.get(f"/api/{what}?limit=1", "ana").json()["items"][0]
    assert gateway.get("/api/vehicles/USV-1", "ana").json()["code"] == "USV-1"


def test_what_cameras_have_seen_is_there_as_it_was_pushed(gateway, broker, database):
    for code in ("dev-1", "dev-2"):
        for n, what in enumerate(("face_detected", "motion")):
            broker.publish(f"surveillance/camera/{code}/event", json.dumps(
                {"event_type": what, "data": {"n": n, "snapshot_url": f"https://pictures.example/{code}.jpg"}}))
    database.wait_for("SELECT count(*) FROM camera_events", 4)

    def events(user, query=""):
        return [(i["camera_id"], i["event_type"], i["data"]["n"])
                for i in gateway.get(f"/api/camera-events{query}", user).json()["items"]]

    assert events("ana") == [("dev-1", "motion", 1), ("dev-1", "face_detected", 0)]
    assert events("root", "?device_id=dev-2&order=asc") == [("dev-2", "face_detected", 0), ("dev-2", "motion", 1)]
    assert events("root", "?event_type=motion") == [("dev-2", "motion", 1), ("dev-1", "motion", 1)]
    assert gateway.get("/api/camera-events?device_id=dev-2", "ana").status_code == 404
    assert gateway.get("/api/camera-events").status_code == 401
    items = pages(gateway, "/api/camera-events?limit=1", "root")
    assert len({i["cursor"] for i in items}) == 4
    assert items[0]["data"]["snapshot_url"] == "https://pictures.example/dev-2.jpg"
    pushed = gateway.get(f"/api/events/poll?to=cameras&wait=0&since={items[-1]['cursor']}", "root").json()["events"]
    assert [{key: one[key] for key in ("type", "cursor", "timestamp", "camera_id", "event_type", "data")}
            for one in reversed(pushed)] == [
                {key: one[key] for key in ("type", "cursor", "timestamp", "camera_id", "event_type", "data")}
                for one in items[:-1]]
    database.rows("DELETE FROM devices WHERE code = 'dev-2'")
    wait_until(lambda: [e[0] for e in events("root")] == [None, None, "dev-1", "dev-1"], "the camera to be gone")
