"""A chart's columns: the first, least, greatest and last point of each, and the cursor at which live goes on."""
import json
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from test_history_answers import partition_for, position, text
from test_native_protocol import Native

START = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=1)
START_MS = int(START.timestamp() * 1000)


def series(gateway, path, user="ana", **query):
    answer = gateway.get(path + "?" + "&".join(f"{name}={value}" for name, value in query.items()), user)
    assert answer.status_code == 200, answer.text
    return answer.json()


def telemetry(gateway, **query):
    return series(gateway, "/api/devices/dev-1/telemetry", **query)


def n_points(body):
    return sum(column[8] for column in body["columns"])


def columns_of(points, begin_ms, end_ms, n):
    """What M4 says of (ms, seq, value)."""
    found = {}
    for point in points:
        if begin_ms <= point[0] < end_ms:
            found.setdefault(int(n * ((point[0] - begin_ms) / (end_ms - begin_ms))), []).append(point)
    columns = []
    for _, inside in sorted(found.items()):
        least = min(inside, key=lambda p: (p[2], p[0], p[1]))
        greatest = min(inside, key=lambda p: (-p[2], p[0], p[1]))
        columns.append([x for p in (min(inside), least, greatest, max(inside)) for x in (p[0], p[2])] + [len(inside)])
    return columns


def insert(database, device, expression, n=3000, step_ms=1000):
    journal, _ = position(database)
    with partition_for(database, START):
        database.rows("INSERT INTO telemetry (device_id, journal_id, seq, received_at, time, payload)"
                      " SELECT %s, %s, i, t, t, json_build_object('v', " + expression + ") FROM generate_series(1, %s) i,"
                      " LATERAL (SELECT %s::timestamptz + i * %s * interval '1ms') s(t)", device, journal, n, START, step_ms)


@pytest.mark.parametrize("points", [1, 13, 800, 4000])
def test_columns_have_the_points_that_m4_says(gateway, database, points):
    insert(database, gateway.ids["dev-1"], "(i * 7919) %% 211 - 100 + (i %% 3) * 0.25")
    rows = [(START_MS + i * 1000, i, i * 7919 % 211 - 100 + i % 3 * 0.25) for i in range(1, 3001)]
    begin, end = START + timedelta(seconds=100.3), START + timedelta(seconds=2600.3)  # no point is on an edge
    body = telemetry(gateway, member="v", points=points, **{"from": text(begin), "to": text(end)})
    assert (body["from"], body["to"], body["points"]) == (text(begin), text(end), points)
    assert body["columns"] == columns_of(rows, START_MS + 100300, START_MS + 2600300, points)
    everything = telemetry(gateway, member="v", points=points)
    assert everything["from"] == text(START + timedelta(seconds=1)) and n_points(everything) == 3000
    assert everything["columns"][0][:2] == [rows[0][0], rows[0][2]]
    assert everything["columns"][-1][6:8] == [rows[-1][0], rows[-1][2]]


def test_points_of_one_time_keep_their_order(gateway, database):
    insert(database, gateway.ids["dev-1"], "(ARRAY[5, 9, 1, 4])[i]", n=4, step_ms=0)
    assert telemetry(gateway, member="v")["columns"] == [[START_MS, 5, START_MS, 1, START_MS, 9, START_MS, 4, 4]]


def test_a_member_is_a_name_or_a_pointer(gateway, broker, database):
    payload = {"v": 1.5, "a/b": 2, "deep": {"x~y": [3, 4]}, "on": True, "off": False, "text": "5", "none": None, "true": {},
               "/": 6, "huge": 7}
    broker.publish("ems/dev-1/telemetry", json.dumps(payload).replace(" 7}", " 1e400}"))
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    for member, value in (("v", 1.5), ("/v", 1.5), ("a/b", 2), ("/a~1b", 2), ("/deep/x~0y/1", 4), ("on", 1), ("off", 0),
                          ("/~1", 6)):
        body = telemetry(gateway, member=member)
        assert body["member"] == member
        assert [(c[1], c[3], c[5], c[7], c[8]) for c in body["columns"]] == [(value, value, value, value, 1)], member
    for member in ("text", "none", "true", "huge", "not-there", "deep", "/deep/x~0y/9", "/", "//v"):
        body = telemetry(gateway, member=member)
        assert body["columns"] == [] and body["cursor"], member


def test_vehicles_and_their_sensors_have_members_too(gateway, broker, database):
    for i in range(3):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": 12 + i, "armed": i > 0, "mode": "AUTO",
                                                              "tank": {"level": i * 10}}))
        for sensor in (1, 2):
            broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": sensor, "data": {"t": sensor * 100 + i}}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 3)
    database.wait_for("SELECT count(*) FROM sensor_logs", 6)
    path, vehicle = "/api/vehicles/USV-1/series", gateway.ids["USV-1"]
    for query, first, least, greatest, last in (
            ({"member": "battery_voltage"}, 12, 12, 14, 14), ({"member": "/battery_voltage"}, 12, 12, 14, 14),
            ({"member": "armed"}, 0, 0, 1, 1), ({"member": "/tank/level"}, 0, 0, 20, 20),
            ({"member": "t", "sensor_id": 2}, 200, 200, 202, 202), ({"member": "/t", "sensor_id": 1}, 100, 100, 102, 102)):
        body = series(gateway, path, points=1, **query)
        [column] = body["columns"]
        assert [column[1], column[3], column[5], column[7], column[8]] == [first, least, greatest, last, 3], query
        assert body["vehicle_id"] == vehicle and body.get("sensor_id") == query.get("sensor_id")
    for query in ({"member": "mode"}, {"member": "speed"}, {"member": "t"}, {"member": "t", "sensor_id": 3}):
        assert series(gateway, path, **query)["columns"] == [], query


def test_what_is_ahead_of_the_clock_is_no_hole(gateway, broker, database):
    """An end that is open has all that is stored: live will not bring it again."""
    ahead = datetime.now(timezone.utc) + timedelta(seconds=40)
    broker.publish("ems/dev-1/telemetry", json.dumps({"v": 1, "timestamp": text(ahead)}))
    database.wait_for("SELECT count(*) FROM telemetry WHERE time > now()", 1)
    body = telemetry(gateway, member="v")
    assert n_points(body) == 1 and body["to"] > text(ahead)
    assert n_points(telemetry(gateway, member="v", **{"from": body["from"], "to": body["to"]})) == 1


@pytest.mark.parametrize("replay_events", [65536, 8])
def test_live_goes_on_where_history_ends(make_gateway, database, publisher, replay_events):
    """Whenever it is asked, history has the first points and live all others, each once."""
    from conftest import populate
    gateway = make_gateway(ws__replay_events=replay_events)
    populate(gateway)
    gateway.start()
    publisher.run(lambda n: ("ems/dev-1/telemetry", json.dumps({"v": n})), 300)
    database.wait_for("SELECT count(*) > 50 FROM telemetry", True)
    joined = []
    for _ in range(5):
        body = telemetry(gateway, member="v", points=20)
        n = n_points(body)
        assert (body["columns"][0][1], body["columns"][-1][7], max(c[5] for c in body["columns"])) == (0, n - 1, n - 1)
        page = Native(gateway, gateway.token("ana"))
        assert page.ask("subscribe", to=["device/dev-1"], types=["telemetry"], since=body["cursor"])["recovered"] is True
        joined.append((page, n))
    total = publisher.stop()
    database.wait_for("SELECT count(*) FROM telemetry", total)
    for page, n in joined:
        assert [page.push("telemetry")["data"]["v"] for _ in range(n, total)] == list(range(n, total))
        assert not [m for m in page.rest() if '"telemetry"' in m]
        page.close()


def test_all_points_are_streamed_as_csv(gateway, database, broker):
    insert(database, gateway.ids["dev-1"], "(i * 7919) %% 211 - 100.5", n=20000, step_ms=10)
    answer = gateway.get(f"/api/devices/dev-1/telemetry.csv?member=v&from={text(START + timedelta(seconds=1))}", "ana")
    assert answer.headers["Content-Type"].startswith("text/csv") and answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.text.split("\r\n") == ["timestamp,value", *(
        f"{text(START + timedelta(milliseconds=i * 10))},{i * 7919 % 211 - 100.5:g}" for i in range(100, 20001)), ""]
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": 12.5, "armed": True}))
    broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": 2, "data": {"deep": {"t": -3}}}))
    database.wait_for("SELECT count(*) FROM sensor_logs", 1)
    for query, value in (("member=battery_voltage", "12.5"), ("member=armed", "1"), ("member=/deep/t&sensor_id=2", "-3")):
        head, line, end = gateway.get(f"/api/vehicles/USV-1/series.csv?{query}", "ana").text.split("\r\n")
        assert (head, line.split(",")[1], end) == ("timestamp,value", value, ""), query
    assert gateway.get("/api/vehicles/USV-1/series.csv?member=none", "ana").text == "timestamp,value\r\n"
    assert gateway.get("/api/vehicles/USV-1/series.csv?member=v", "ben").status_code == 404


def test_who_accepts_csv_gets_csv(gateway, broker, database):
    broker.publish("ems/dev-1/telemetry", json.dumps({"v": 1}))
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": 12.5}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 1)
    for path in ("/api/devices/dev-1/telemetry?member=v", "/api/vehicles/USV-1/series?member=battery_voltage"):
        same = gateway.get(path.replace("?", ".csv?"), "ana")
        for accept, is_csv in (("text/csv", True), ("text/csv; header=present, */*;q=0.1", True), ("text/csv, application/json", False),
                               ("*/*", False), ("text/csvx", False)):
            answer = gateway.get(path, "ana", headers={"Accept": accept})
            assert answer.headers["Content-Type"].startswith("text/csv" if is_csv else "application/json"), (path, accept)
            assert not is_csv or (answer.text, answer.headers["Content-Disposition"]) == (same.text, same.headers["Content-Disposition"])
        assert gateway.get(path, "ben", headers={"Accept": "text/csv"}).status_code == 404
    assert gateway.get("/api/devices/dev-1/telemetry", "ana", headers={"Accept": "text/csv"}).json()["items"][0]["data"] == {"v": 1}


def test_a_chart_of_today_has_nothing_to_do_with_days_of_before(gateway, broker, database, postgres):
    """Whoever holds one of those is not waited for; nor are all of a year planned with, which costs more than the chart."""
    broker.publish("ems/dev-1/telemetry", json.dumps({"v": 7}))
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": 12.5}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 1)
    days = START - timedelta(days=9), START - timedelta(days=5)
    database.rows("SELECT tidegate_make_partitions(%s::date, %s::date)", *(day.date() for day in days))
    holder = psycopg2.connect(postgres.url(database.name))
    try:
        with holder.cursor() as cursor:
            for table in ("telemetry", "vehicle_logs"):
                cursor.execute(f"LOCK TABLE {table}_{days[1]:%Y%m%d} IN ACCESS EXCLUSIVE MODE")
            for points in (1, 10, 800):  # of tens of minutes, of minutes, of rows
                for path, member, value in (("/api/devices/dev-1/telemetry", "v", 7), ("/api/vehicles/USV-1/series", "battery_voltage", 12.5)):
                    columns = series(gateway, path, member=member, points=points, **{"from": text(START)})["columns"]
                    assert [column[1::2] for column in columns] == [[value] * 4], (path, points)
    finally:
        holder.close()


def test_what_cannot_be_asked_is_told(gateway):
    device, vehicle = "/api/devices/dev-1/telemetry?", "/api/vehicles/USV-1/series?"
    for url in (device + "member=v&points=0", device + "member=v&points=4001", device + "member=v&points=x",
                device + "member=/a~2", device + "member=v&interval=1m", device + f"member={'x' * 128}",
                vehicle, vehicle + "member=", vehicle + "member=v&sensor_id=x", vehicle + "member=v&sensor_id=-1",
                vehicle + "member=v&from=never", vehicle + f"member=v&from={text(START)}&to=2000-01-01T00:00:00Z"):
        answer = gateway.get(url, "ana")
        assert answer.status_code == 400, url
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["detail"], url
    for url in ("/api/devices/dev-2/telemetry?member=v", "/api/vehicles/USV-2/series?member=v",
                "/api/vehicles/nobody/series?member=v"):
        assert gateway.get(url, "ana").status_code == 404, url
    at = text(START)
    assert telemetry(gateway, member="v", **{"from": at, "to": at})["columns"] == []
