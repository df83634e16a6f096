"""What the people counter's page asks by HTTP: numbers as a second reading of the rows has them."""
import collections
import datetime
import random
from zoneinfo import ZoneInfo

import pytest

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
    ("?start_time=%00&end_time=2026-04-20T15:00:00", 400, ""),
    ("?start_time=" + "9" * 400 + "&end_time=2026-04-20T15:00:00", 400, ""),
])
def test_a_range_that_is_none_is_told_so(counted, query, status, word):
    answer = counted.get("/api/v1/statistics/range" + query, "ana")
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert word in answer.json()["detail"]


def test_a_range_of_nothing_is_empty(counted):
    body = counted.get("/api/v1/statistics/range?start_time=0001-01-01T00:00:00"
                       "&end_time=1999-01-01T00:00:00", "root").json()
    assert body["by_zone"] == {}
    assert body["total"] == {"unique_devices": 0, "total_detections": 0, "estimated_people": 0,
                             "avg_rssi": None}
