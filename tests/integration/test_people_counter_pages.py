"""What the people counter's page asks by HTTP: numbers as a second reading of the rows has them."""
import collections
import contextlib
import csv
import datetime
import io
import json
import random
from zoneinfo import ZoneInfo

import psycopg2
import pytest
import requests

from conftest import populate

ZONES = ("near", "medium", "far")
MADRID = ZoneInfo("Europe/Madrid")
N_DAYS, N_ROWS = 40, 4000
Row = collections.namedtuple("Row", "time device hash zone rssi")


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc)


def people(n):
    return max(1, round(n / 1.5)) if n else 0


def zone_of(rssi):
    return "near" if rssi >= -60 else "medium" if rssi >= -75 else "far"


@pytest.fixture(scope="module")
def counted(shared_gateway):
    """Forty days of detections, of ana's scanner and of ben's, some of whom were heard by both."""
    gateway, dice = shared_gateway, random.Random(7)
    gateway.write_conf(pages__timezone="Europe/Madrid")
    gateway.stop()
    gateway.start()
    database, now = gateway.database, utc_now().replace(microsecond=0)
    first = now - datetime.timedelta(days=N_DAYS)
    database.rows("SELECT tidegate_make_partitions(%s::date, %s::date)",
                  (first - datetime.timedelta(days=1)).date(), now.date())
    gateway.rows = []
    for i in range(N_ROWS):
        age = dice.expovariate(1 / 4.0) if i % 2 else dice.uniform(0, 0.1)
        time = now - datetime.timedelta(days=min(age, N_DAYS), microseconds=dice.randrange(10 ** 6))
        rssi = dice.randrange(-95, -40)
        gateway.rows.append(Row(time, dice.choice(("dev-1", "dev-1", "dev-2")),
                                f"{dice.randrange(150):02x}" * 32, zone_of(rssi), rssi))
    values = ",".join(f"({i},'{r.time}','{r.time}',{gateway.ids[r.device]},{r.rssi},1,0,"
                      f"'{r.zone}','{r.hash}')" for i, r in enumerate(gateway.rows))
    database.rows("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id,"
                  f" item, zone, device_hash) VALUES {values}")
    database.rows("SELECT tidegate_watch_detections(day) FROM detection_leaves WHERE day < tidegate_today() - 1")
    database.rows("SELECT tidegate_count_detections(day) FROM detection_leaves"
                  " WHERE day < tidegate_today() - 1 AND extract(day FROM day)::int % 2 = 0")  # of the rest, the rows
    yield gateway
    database.rows("TRUNCATE ble_detections")


def of(gateway, user, begin, end):
    """The rows that the user may see, from @begin up to @end, inclusive."""
    mine = {"ana": ("dev-1",), "ben": ("dev-2",), "root": ("dev-1", "dev-2")}[user]
    return [r for r in gateway.rows if r.device in mine and begin <= r.time <= end]


def by_zone(rows):
    zones = {}
    for zone in ZONES:
        some = [r for r in rows if r.zone == zone]
        if some:
            n = len({r.hash for r in some})
            zones[zone] = {"unique_devices": n, "total_detections": len(some),
                           "estimated_people": people(n),
                           "avg_rssi": pytest.approx(sum(r.rssi for r in some) / len(some), abs=0.01)}
    return zones


def total(rows):
    n = len({r.hash for r in rows})
    return {"unique_devices": n, "total_detections": len(rows), "estimated_people": people(n)}


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# ---- a range of one's own ------------------------------------------------------------------------

@pytest.mark.parametrize("user", ["ana", "ben", "root"])
def test_a_range_counts_what_the_rows_say(counted, user):
    end = utc_now().astimezone(MADRID).replace(minute=0, second=0, microsecond=0)
    begin = end - datetime.timedelta(days=9, hours=5)
    rows = of(counted, user, begin, end)
    assert len(rows) > 100
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"):  # a time without offset is Madrid's
        body = counted.get("/api/v1/statistics/range", user, params={
            "start_time": begin.strftime(form), "end_time": end.strftime(form)}).json()
        assert list(body) == ["timestamp", "start_time", "end_time", "total", "by_zone"]
        assert (when(body["start_time"]), when(body["end_time"])) == (begin, end)
        assert body["start_time"].endswith(begin.isoformat()[-6:])
        assert body["by_zone"] == by_zone(rows)
        assert body["total"] == {**total(rows), "avg_rssi": None}


def test_a_date_alone_is_its_midnight(counted):
    end = utc_now().astimezone(MADRID).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = end - datetime.timedelta(days=9)
    body = counted.get("/api/v1/statistics/range", "root", params={"start_time": f"{begin:%Y-%m-%d}", "end_time": f"{end:%Y-%m-%d}"}).json()
    assert (when(body["start_time"]), when(body["end_time"])) == (begin, end)
    assert body["by_zone"] == by_zone(of(counted, "root", begin, end))


def test_a_range_counts_one_scanner(counted):
    end, day = utc_now(), datetime.timedelta(days=1)
    params = {"start_time": (end - day).isoformat(), "end_time": end.isoformat()}
    rows = [r for r in of(counted, "root", end - day, end) if r.device == "dev-2"]
    for name in ("dev-2", counted.ids["dev-2"]):
        body = counted.get("/api/v1/statistics/range", "root",
                           params={**params, "device_id": name}).json()
        assert body["by_zone"] == by_zone(rows)
    answer = counted.get("/api/v1/statistics/range", "ana", params={**params, "device_id": "dev-2"})
    assert answer.status_code == 404


@pytest.mark.parametrize("query, status, word", [
    ("", 422, "start_time"), ("?start_time=2026-04-20T10:00:00", 422, "end_time"),
    ("?start_time=hoy&end_time=manana", 400, "start_time"),
    ("?start_time=2026-04-20T15:00:00&end_time=2026-04-20T10:00:00", 400, "before"),
    ("?start_time=2026-04-20T15:00:00&end_time=2026-04-20T15:00:00", 400, "before"),
    ("?start_time=2026-02-30T15:00:00&end_time=2026-04-20T15:00:00", 400, "start_time"),
    ("?start_time=2026-02-30&end_time=2026-04-20", 400, "start_time"), ("?start_time=2026-04-20&end_time=2026-04-20", 400, "before"),
    ("?start_time=%00&end_time=2026-04-20T15:00:00", 400, ""),
    ("?start_time=" + "9" * 400 + "&end_time=2026-04-20T15:00:00", 400, ""),
])
def test_a_range_that_is_none_is_told_so(counted, query, status, word):
    answer = counted.get("/api/v1/statistics/range" + query, "ana")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json" if status == 422 else "application/problem+json")
    assert word in str(answer.json()["detail"])


def test_a_range_of_nothing_is_empty(counted):
    body = counted.get("/api/v1/statistics/range?start_time=0001-01-01T00:00:00"
                       "&end_time=1999-01-01T00:00:00", "root").json()
    assert body["by_zone"] == {}
    assert body["total"] == {"unique_devices": 0, "total_detections": 0, "estimated_people": 0,
                             "avg_rssi": None}


# ---- the presets of its histogram ----------------------------------------------------------------

def half_open(gateway, user, begin, end, device=None):
    return [r for r in of(gateway, user, begin, end)
            if r.time < end and device in (None, r.device)]


def days_later(day, n):
    """The same time on the clock of the wall."""
    return (day.replace(tzinfo=None) + datetime.timedelta(days=n)).replace(tzinfo=MADRID)


def window_of(preset, now):
    """Where the buckets of a preset begin, and where the last ends."""
    if preset == "hour":
        first = now.replace(minute=0, second=0, microsecond=0)
        return [first + datetime.timedelta(minutes=10 * i) for i in range(7)], "10 minutes"
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if preset == "today":
        local = [day.replace(tzinfo=None) + datetime.timedelta(hours=3 * i) for i in range(9)]
        return [t.replace(tzinfo=MADRID) for t in local], "3 hours"
    return [days_later(day, i - 6) for i in range(8)], "1 day"


@pytest.mark.parametrize("user, preset, device", [
    ("ana", None, None), ("ana", "hour", None), ("root", "today", None), ("root", "week", None),
    ("ben", "week", None), ("root", "week", "dev-2"), ("root", "today", "dev-1")])
def test_a_histogram_has_every_bucket_of_its_preset(counted, user, preset, device):
    params = {k: v for k, v in (("range", preset), ("device_id", device)) if v}
    before = utc_now().astimezone(MADRID)
    body = counted.get("/api/v1/statistics/histogram", user, params=params).json()
    after = utc_now().astimezone(MADRID)
    assert list(body) == ["timestamp", "range", "bin_interval", "start_time", "end_time", "buckets"]
    assert body["range"] == (preset or "hour")
    times, interval = window_of(body["range"], before)
    if when(body["start_time"]) != times[0]:  # the hour, or the day, has just ended
        times, interval = window_of(body["range"], after)
    assert body["bin_interval"] == interval
    assert [when(b["period_start"]) for b in body["buckets"]] == times[:-1]
    assert [when(b["period_end"]) for b in body["buckets"]] == times[1:]
    assert (when(body["start_time"]), when(body["end_time"])) == (times[0], times[-1])
    assert before <= when(body["timestamp"]) + datetime.timedelta(milliseconds=1)
    for bucket, begin, end in zip(body["buckets"], times, times[1:]):
        rows = half_open(counted, user, begin, end, device)
        wanted = {z: len({r.hash for r in rows if r.zone == z}) for z in ZONES}
        assert bucket["by_zone"] == wanted
        assert bucket["total"] == sum(wanted.values())


# ---- hours and days ------------------------------------------------------------------------------

def periods(rows, kind, start_of):
    found = collections.defaultdict(list)
    for r in rows:
        found[start_of(r.time.astimezone(MADRID)), r.zone].append(r)
    return [{"period_type": kind, "zone": zone, **by_zone(some)[zone], "start": start}
            for (start, zone), some in sorted(found.items(), key=lambda x: x[0])]


def said(statistics):
    return [{"start": when(s["period_start"]), **{k: v for k, v in s.items() if k != "period_start"}}
            for s in statistics]


@pytest.mark.parametrize("user", ["ana", "root"])
def test_hours_of_a_day_and_days_of_a_range(counted, user):
    today = utc_now().astimezone(MADRID).replace(hour=0, minute=0, second=0, microsecond=0)
    day = days_later(today, -3)
    body = counted.get(f"/api/v1/statistics/hourly?date={day.date()}", user).json()
    rows = half_open(counted, user, day, days_later(day, 1))
    assert rows and body["date"] == str(day.date())
    assert said(body["statistics"]) == periods(
        rows, "hour", lambda t: t.replace(minute=0, second=0, microsecond=0))

    first, last = days_later(today, -20), days_later(today, -11)
    body = counted.get("/api/v1/statistics/daily", user, params={
        "start_date": str(first.date()), "end_date": str(last.date())}).json()
    assert (body["start_date"], body["end_date"]) == (str(first.date()), str(last.date()))
    assert said(body["statistics"]) == periods(
        half_open(counted, user, first, days_later(last, 1)), "day",
        lambda t: t.replace(hour=0, minute=0, second=0, microsecond=0))


def test_without_dates_they_are_about_today_and_the_last_week(counted):
    days = set()
    for _ in range(2):
        before = utc_now().astimezone(MADRID).date()
        hourly = counted.get("/api/v1/statistics/hourly", "root").json()
        daily = counted.get("/api/v1/statistics/daily", "root").json()
        month = counted.get("/api/v1/statistics/daily?days=30", "root").json()
        days = {before, utc_now().astimezone(MADRID).date()}
        if len(days) == 1:
            break
    [today] = days
    assert hourly["date"] == daily["end_date"] == month["end_date"] == str(today)
    assert daily["start_date"] == str(today - datetime.timedelta(days=7))
    assert month["start_date"] == str(today - datetime.timedelta(days=30))
    assert len(month["statistics"]) > len(daily["statistics"]) > 0


@pytest.mark.parametrize("hours", [None, 1, 24, 720])
def test_a_distribution_is_of_the_last_hours(counted, hours):
    body = counted.get("/api/v1/statistics/distribution" + (f"?hours={hours}" if hours else ""),
                       "ana").json()
    begin, end = when(body["start_time"]), when(body["end_time"])
    assert end - begin == datetime.timedelta(hours=hours or 24)
    slack = datetime.timedelta(milliseconds=1)  # of what is written
    low, high = (collections.Counter(r.zone for r in half_open(counted, "ana", t, end + slack))
                 for t in (begin + slack, begin))
    assert low.total() <= body["total"] <= high.total()
    for zone, counts in body["distribution"].items():
        assert low[zone] <= counts["count"] <= high[zone]
        assert counts["percentage"] == pytest.approx(100 * counts["count"] / body["total"], abs=0.01)
    assert sum(c["count"] for c in body["distribution"].values()) == body["total"]


def test_a_year_of_realtime_statistics(counted):
    body = counted.get("/api/v1/statistics/realtime?minutes=525600", "root").json()
    assert body["time_window_minutes"] == 525600
    assert body["total"] == total(counted.rows)
    assert body["by_zone"]["near"]["total_detections"] == sum(r.zone == "near" for r in counted.rows)


@pytest.mark.parametrize("path, status", [
    ("statistics/histogram?range=month", 422), ("statistics/histogram?range=", 422),
    ("statistics/histogram?range=hour,today", 422), ("statistics/histogram?device_id=dev-2", 404),
    ("statistics/hourly?date=27-04-2026", 400), ("statistics/hourly?date=2026-04-31", 400),
    ("statistics/hourly?date=2026-04-27%27--", 400), ("statistics/daily?days=x", 422),
    ("statistics/daily?days=-1", 422), ("statistics/daily?days=1000000", 422),
    ("statistics/daily?start_date=2026-04-27&end_date=2026-04-01", 400),
    ("statistics/distribution?hours=0", 422), ("statistics/distribution?hours=87601", 422),
    ("statistics/distribution?hours=99999999999999999999", 422),
    ("statistics/realtime?minutes=525601", 400), ("statistics/realtime?minutes=0", 400),
])
def test_what_cannot_be_asked_is_told_so(counted, path, status):
    answer = counted.get(f"/api/v1/{path}", "ana")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json" if status == 422 else "application/problem+json")
    assert isinstance(answer.json()["detail"], list if status == 422 else str)
    assert counted.get("/api/v1/statistics/range").status_code == 401


# ---- what was heard, one by one ------------------------------------------------------------------

def newest(gateway, user, n, zone=None):
    rows = [r for r in of(gateway, user, when("2000-01-01T00:00:00Z"), utc_now())
            if zone in (None, r.zone)]
    return sorted(rows, key=lambda r: r.time, reverse=True)[:n]


@pytest.mark.parametrize("user, query, n, zone", [
    ("ana", "", 100, None), ("ana", "?limit=5", 5, None), ("ben", "?limit=50&zone=near", 50, "near"),
    ("root", "?limit=1000", 1000, None), ("root", "?limit=1000&zone=far", 1000, "far"),
    ("ben", "?zone=", 100, None)])
def test_recent_detections_are_the_newest(counted, user, query, n, zone):
    body = counted.get(f"/api/v1/detections/recent{query}", user).json()
    wanted = newest(counted, user, n, zone)
    assert [list(d) for d in body] == [["id", "device_hash", "rssi", "zone", "timestamp",
                                        "device_id"]] * n
    assert [(d["device_hash"], d["rssi"], d["zone"], d["device_id"]) for d in body] == \
        [(r.hash, r.rssi, r.zone, r.device) for r in wanted]
    for d, r in zip(body, wanted):
        assert abs(when(d["timestamp"]) - r.time) < datetime.timedelta(milliseconds=1)
        assert d["timestamp"].endswith(r.time.astimezone(MADRID).isoformat()[-6:])
    assert len({d["id"] for d in body}) == n
    assert all(isinstance(d["id"], int) and abs(d["id"]) < 2 ** 53 for d in body)


@pytest.mark.parametrize("user, zone", [("ana", ""), ("ben", "&zone=near"), ("root", ""), ("root", "&zone=far")])
def test_who_pages_through_recent_detections_sees_each_once(counted, user, zone):
    def ask(query):
        return counted.get(f"/api/v1/detections/recent?{query}{zone}", user).json()
    whole, pages = ask("limit=100"), []
    for name, offset in (("offset", 0), ("skip", 37), ("offset", 74)):
        pages += ask(f"limit=37&{name}={offset}")
    assert pages[:100] == whole and len({d["id"] for d in pages}) == 111
    assert ask("offset=10000") == []


@pytest.mark.parametrize("hours, zone", [(None, None), (5, "near"), (720, "medium"), (720, None)])
def test_a_count_is_of_devices_in_the_last_hours(counted, hours, zone):
    body = counted.get("/api/v1/detections/count", "ana", params={
        k: v for k, v in (("hours", hours), ("zone", zone)) if v}).json()
    assert list(body) == ["start_time", "end_time", "zone", "unique_devices", "estimated_people"]
    begin, end = when(body["start_time"]), when(body["end_time"])
    assert end - begin == datetime.timedelta(hours=hours or 24) and body["zone"] == zone
    slack = datetime.timedelta(milliseconds=1)
    low, high = (len({r.hash for r in half_open(counted, "ana", t, end + slack)
                      if zone in (None, r.zone)}) for t in (begin + slack, begin))
    assert low <= body["unique_devices"] <= high
    assert body["estimated_people"] == people(body["unique_devices"])


# ---- the scanners --------------------------------------------------------------------------------

DEVICE = ["id", "device_id", "name", "location", "is_active", "last_seen", "created_at", "updated_at"]


@pytest.fixture
def placed(counted):
    """What the scanners are called, and when each was heard of last."""
    now = utc_now().replace(microsecond=250000)
    database, ids = counted.database, counted.ids
    database.rows("UPDATE devices SET name = 'Entrance', location = 'Building A' WHERE code = 'dev-1'")
    database.rows("UPDATE devices SET is_active = false WHERE code = 'dev-2'")
    for code, minutes in (("dev-1", 2), ("dev-2", 90)):
        database.rows("INSERT INTO device_states (device_id, last_seen) VALUES (%s, %s)"
                      " ON CONFLICT (device_id) DO UPDATE SET last_seen = EXCLUDED.last_seen",
                      ids[code], now - datetime.timedelta(minutes=minutes))
    counted.now = now
    yield counted
    database.rows("UPDATE devices SET name = NULL, location = NULL, is_active = true")
    database.rows("DELETE FROM device_states")


def test_scanners_are_listed_with_their_names_and_places(placed):
    for path in ("/api/v1/devices/", "/api/v1/devices"):
        both = placed.get(path, "root").json()
        assert [list(d) for d in both] == [DEVICE] * 2
    rows = placed.database.rows("SELECT id, code, created_at, updated_at FROM devices"
                                " ORDER BY created_at DESC, id DESC")
    assert [(d["id"], d["device_id"]) for d in both] == [row[:2] for row in rows]
    for d, row in zip(both, rows):
        for text, time in zip((d["created_at"], d["updated_at"]), row[2:]):
            assert abs(when(text) - time) < datetime.timedelta(milliseconds=1)
    by_code = {d["device_id"]: d for d in both}
    one, two = by_code["dev-1"], by_code["dev-2"]
    assert (one["name"], one["location"], one["is_active"]) == ("Entrance", "Building A", True)
    assert (two["name"], two["location"], two["is_active"]) == ("dev-2", None, False)
    assert when(one["last_seen"]) == placed.now - datetime.timedelta(minutes=2)
    assert placed.get("/api/v1/devices/", "ana").json() == [one]
    assert placed.get("/api/v1/devices/?active_only=true", "root").json() == [one]
    assert placed.get("/api/v1/devices/?active_only=false", "root").json() == both
    assert placed.get("/api/v1/devices/?active_only=true", "ben").json() == []
    for name in ("dev-1", placed.ids["dev-1"]):
        assert placed.get(f"/api/v1/devices/{name}", "ana").json() == one


def test_active_scanners_are_those_that_were_heard_of(placed):
    def codes(query, user="root"):
        return [d["device_id"] for d in placed.get(f"/api/v1/devices/active{query}", user).json()]

    assert codes("") == codes("?threshold_minutes=60") == ["dev-1"]
    assert codes("?threshold_minutes=120") == ["dev-1", "dev-2"]
    assert codes("?threshold_minutes=1") == []
    assert codes("?threshold_minutes=120", "ben") == ["dev-2"]


@pytest.mark.parametrize("code, user", [("dev-1", "ana"), ("dev-2", "root")])
def test_the_statistics_of_a_scanner(placed, code, user):
    body = placed.get(f"/api/v1/devices/{code}/stats", user).json()
    assert list(body) == ["device_id", "name", "location", "is_active", "registered_at", "last_seen",
                          "total_detections", "first_detection", "last_detection"]
    times = [r.time for r in placed.rows if r.device == code]
    assert (body["device_id"], body["total_detections"]) == (code, len(times))
    for text, time in ((body["first_detection"], min(times)), (body["last_detection"], max(times))):
        assert abs(when(text) - time) < datetime.timedelta(milliseconds=1)


@pytest.mark.parametrize("path, status", [
    ("devices/dev-2", 404), ("devices/dev-2/stats", 404), ("devices/nothing", 404),
    ("devices/nothing/stats", 404), ("devices/%00", 400), ("devices/?active_only=maybe", 422),
    ("devices/active?threshold_minutes=0", 422), ("devices/active?threshold_minutes=x", 422),
    ("detections/recent?limit=1001", 422), ("detections/recent?limit=0", 422),
    ("detections/recent?limit=-5", 422), ("detections/recent?offset=10001", 422), ("detections/recent?skip=-1", 422), ("detections/recent?zone=INVALID_ZONE", 400),
    ("detections/count?zone=INVALID_ZONE", 400), ("detections/count?hours=x", 422),
    ("detections/count?zone=near%27%20OR%201", 400),
])
def test_what_is_not_there_is_told_so(counted, path, status):
    answer = counted.get(f"/api/v1/{path}", "ana")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json" if status == 422 else "application/problem+json")


@pytest.mark.parametrize("path, name, kind", [
    ("statistics/daily?days=x", "days", "int_parsing"), ("statistics/daily?days=1.5", "days", "int_parsing"),
    ("statistics/daily?days=-1", "days", "greater_than_equal"), ("statistics/daily?days=-", "days", "int_parsing"),
    ("detections/recent?limit=0", "limit", "greater_than_equal"), ("detections/recent?limit=1001", "limit", "less_than_equal"),
    ("statistics/distribution?hours=99999999999999999999", "hours", "less_than_equal"),
    ("devices/?active_only=maybe", "active_only", "bool_parsing"), ("statistics/histogram?range=month", "range", "literal_error"),
    ("statistics/range?start_time=2026-04-20T10:00:00", "end_time", "missing")])
def test_what_is_no_parameter_is_said_as_its_own_server_says_it(counted, path, name, kind):
    answer = counted.get(f"/api/v1/{path}", "ana").json()
    assert list(answer) == ["detail", "title", "status", "code"]
    [detail] = answer["detail"]
    assert list(detail) == ["type", "loc", "msg"]
    assert (detail["type"], detail["loc"], answer["status"]) == (kind, ["query", name], 422)


def test_it_counts_as_its_own_server_does(make_gateway, database):
    """Totals of the zones' sums, live numbers by the time of what was heard, and the ratio that is said."""
    gateway = make_gateway(pages__zones_apart="on", pages__live_by_time="on", pages__devices_per_person="2.5")
    populate(gateway)
    gateway.start()
    now = utc_now()
    for i, (zone, device, age) in enumerate([("near", "a", 1), ("far", "a", 1), ("near", "b", 1), ("near", "c", 3000)]):
        time = now - datetime.timedelta(minutes=age)
        database.rows("SELECT tidegate_make_partitions(%s, %s)", time.date(), time.date())
        database.rows("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item, zone, device_hash)"
                      " VALUES (%s, now(), %s, %s, -50, 1, 0, %s, %s)", i, time, gateway.ids["dev-1"], zone, device)
    begin = (now - datetime.timedelta(days=9)).isoformat()
    for query, wanted in (("realtime", (3, 3, 1)), ("realtime?minutes=2000", (3, 3, 1)), ("realtime?minutes=4000", (4, 4, 2)),
                          (f"range?start_time={begin}&end_time={now.isoformat()}", (4, 4, 2))):
        total = gateway.get(f"/api/v1/statistics/{query}".replace("+", "%2B"), "ana").json()["total"]
        assert (total["unique_devices"], total["total_detections"], total["estimated_people"]) == wanted, query


# ---- the export ----------------------------------------------------------------------------------

HEADER = ["ID", "Device Hash", "RSSI (dBm)", "Zone", "Timestamp", "Device ID (IoT)", "Date", "Time"]


def exported(gateway, user, query):
    answer = gateway.get("/api/v1/export/detections/csv" + query, user)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.count(b"\n") == answer.content.count(b"\r\n")
    head, *lines = csv.reader(io.StringIO(answer.text, newline=""))
    assert head == HEADER and all(len(line) == len(HEADER) for line in lines)
    return lines, answer.headers["Content-Disposition"]


@pytest.mark.parametrize("user, device, zone", [
    ("ana", "", ""), ("root", "", ""), ("root", "dev-2", "near"), ("ben", "", "FAR")])
def test_an_export_of_dates_has_every_row_of_those_days(counted, user, device, zone):
    today = utc_now().astimezone(MADRID).replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = days_later(today, -39), days_later(today, -1)
    lines, disposition = exported(
        counted, user, f"?start_date={first.date()}&end_date={last.date()}&device_id={device}&zone={zone}")
    rows = [r for r in half_open(counted, user, first, today, device or None)
            if zone.lower() in ("", r.zone)]
    rows.sort(key=lambda r: r.time, reverse=True)
    assert len(rows) > 50
    assert [(x[1], float(x[2]), x[3], x[5]) for x in lines] == \
        [(r.hash, r.rssi, r.zone, r.device) for r in rows]
    for (_, _, _, _, timestamp, _, date, time), r in zip(lines, rows):
        local = r.time.astimezone(MADRID)
        assert abs(when(timestamp) - local) < datetime.timedelta(milliseconds=1)
        assert (date, time) == (local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S"))
    assert len({x[0] for x in lines}) == len(lines)
    end = f"_zone_{zone}" if zone else ""
    assert disposition == f"attachment; filename=detections_{first.date()}_to_{last.date()}{end}.csv"


@pytest.mark.parametrize("query, hours, name", [
    ("", 24, "last_24h"), ("?last_minutes=90", 1.5, "last_90min"), ("?last_hours=5", 5, "last_5h"),
    ("?last_days=7", 168, "last_7d"), ("?last_minutes=90&last_days=7", 1.5, "last_90min"),
    ("?last_hours=0", 24, "last_24h"), ("?zone=NON_EXISTENT", 24, "last_24h_zone_NON_EXISTENT"),
    ("?zone=a%22%0D%0AX-Evil%3A%201", 24, "last_24h_zone_a___X-Evil__1"),
    ("?start_date=2026-01-01", 24, "last_24h")])
def test_an_export_of_the_last_hours_is_named_so(counted, query, hours, name):
    before = utc_now()
    lines, disposition = exported(counted, "root", query)
    span, after = datetime.timedelta(hours=hours), utc_now()
    low, high = (len(of(counted, "root", t - span, after)) for t in (after, before))
    assert low <= len(lines) <= high
    assert disposition == f"attachment; filename=detections_{name}.csv"


def test_an_export_longer_than_a_piece_is_whole(counted):
    lines, _ = exported(counted, "root", "?last_days=3660")
    assert len(lines) == N_ROWS
    assert sum(len(",".join(line)) for line in lines) > 4 * 65536  # in pieces


@pytest.mark.parametrize("text, cell", [
    ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"),
    ('=HYPERLINK("http://x", "a,b")', "'=HYPERLINK(\"http://x\", \"a,b\")"), ("'=1", "'=1"), ("a=1", "a=1"), (" -1", " -1")])
def test_an_export_has_no_formula(make_gateway, database, text, cell):
    """In no cell of text; an RSSI is a number, and begins with - all the same."""
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    database.rows("INSERT INTO devices (id, code, user_id) SELECT 900, %s, id FROM users WHERE username = 'ana'", text)
    database.rows("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item, zone, device_hash)"
                  " VALUES (1, now(), now(), 900, -55, 1, 0, 'near', %s)", text)
    [line], _ = exported(gateway, "ana", "")
    assert (line[1], line[2], line[5]) == (cell, "-55", cell)


# ---- what else its clients ask -------------------------------------------------------------------

def test_the_root_is_json_for_who_takes_nothing_else(counted):
    for accept in ("application/json", "application/json, text/plain, */*", "Application/JSON;q=0.9"):
        answer = counted.get("/", headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith("application/json")
        assert {"name", "version", "status"} <= set(answer.json())
        assert "Accept" in answer.headers["Vary"]
    for accept in ("text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8", "*/*", ""):
        assert counted.get("/", headers={"Accept": accept}).headers["Content-Type"] \
            .startswith("text/html")


@pytest.mark.parametrize("method, path, status", [
    ("POST", "devices/register", 404), ("PUT", "devices/dev-1", 405),
    ("POST", "devices/dev-1/activate", 404), ("POST", "devices/dev-1/deactivate", 404),
    ("POST", "devices", 405), ("POST", "devices/", 405), ("PATCH", "devices/dev-1", 405), ("DELETE", "devices/dev-1", 405),
    ("PUT", "devices/dev-1/activate", 405), ("DELETE", "detections", 405), ("POST", "users", 404), ("GET", "users", 404),
    ("PUT", "settings", 404), ("GET", "settings/general", 404), ("DELETE", "settings/thresholds", 405),
    ("POST", "statistics/daily", 405), ("POST", "auth/login", 404)])
def test_administration_names_the_page_of_the_manual(counted, method, path, status):
    answer = requests.request(method, f"{counted.url}/api/v1/{path}", timeout=10,
                              headers={"Authorization": f"Bearer {counted.token('root')}"},
                              json={"device_id": "new", "name": "Sensor", "location": "Lab"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["code"] == "administration"
    assert (status == 405) == ("Allow" in answer.headers)
    assert "docs/migrate/people-counter.md" in answer.json()["detail"]
    assert counted.database.value("SELECT count(*) FROM devices") == 2


@pytest.mark.parametrize("path, status", [
    ("last_days=-1", 422), ("last_minutes=525601", 422), ("last_hours=x", 422),
    ("start_date=x&end_date=2026-01-01", 400), ("device_id=dev-2", 404)])
def test_an_export_that_is_none_is_told_so(counted, path, status):
    answer = counted.get(f"/api/v1/export/detections/csv?{path}", "ana")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json" if status == 422 else "application/problem+json")
    assert counted.get("/api/v1/export/detections/csv").status_code == 401


# ---- what its page is told meanwhile -------------------------------------------------------------

def test_a_storm_of_detections_comes_in_sums(make_gateway, broker, viewer):
    gateway = make_gateway(ws__detection_interval="1s")
    populate(gateway)
    gateway.start()
    ana, ben = viewer("/ws", "ana"), viewer("/ws", "ben")
    for i in range(200):
        broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
            {"device_hash": f"{i:02x}"[:2] * 32, "rssi": -50}] * (1 + i % 3)}))
    n_all = sum(1 + i % 3 for i in range(200))

    def events(texts):
        told = [json.loads(t) for t in texts if '"detection_event"' in t]
        assert all(list(e) == ["type", "timestamp", "device_id", "count"] for e in told)
        return [e["count"] for e in told]

    ana.wait_for(lambda texts: sum(events(texts)) == n_all, "the sums")
    assert 1 < len(events(ana.frames)) < 200
    assert events(ana.frames)[0] == 1  # the first at once
    assert events(ben.frames) == []


@pytest.mark.parametrize("path", ["statistics/realtime?minutes=525600", "statistics/histogram?range=week",
                                  "detections/recent", "export/detections/csv?last_days=365"])
def test_what_takes_too_long_is_told_so_and_holds_up_nobody(make_gateway, database, path):
    gateway = make_gateway(database__query_timeout="300ms")
    populate(gateway)
    gateway.start()
    with contextlib.closing(psycopg2.connect(database.url)) as conn, conn.cursor() as cursor:
        cursor.execute("LOCK TABLE ble_detections IN ACCESS EXCLUSIVE MODE")
        answer = gateway.get(f"/api/v1/{path}", "ana")
        assert (answer.status_code, answer.json()["code"]) == (504, "timeout"), answer.text
        assert gateway.get("/api/v1/devices/", "ana").status_code == 200
        assert "database_away" not in gateway.log()
        conn.rollback()
    assert gateway.get(f"/api/v1/{path}", "ana").status_code == 200
