"""Charts of sums say what the rows say, whatever is written into what was counted."""
import json
import random
from datetime import datetime, timedelta, timezone

import pytest

from test_history_answers import position, text
from test_history_series import n_points, series, telemetry

# Of a day that ended within the last hour rows are read, and not sums.
TODAY = (datetime.now(timezone.utc) - timedelta(hours=1)).replace(hour=0, minute=0, second=0, microsecond=0)
FIRST = TODAY - timedelta(days=6)
DAYS = 5  # of device time, from FIRST on; some is received later


def roll_up(database):
    while database.value("SELECT tidegate_next_series(64)"):
        pass


def insert(database, device, points, table="telemetry"):
    """(received, time, value) of a device, each once."""
    journal, _ = position(database)
    columns, value = {"telemetry": ("device_id, payload", "json_build_object('v', v, 'word', 'x', 'on', v > 0)"),
                      "vehicle_logs": ("vehicle_id, speed, extra", "v, jsonb_build_object('v', v)"),
                      "sensor_logs": ("vehicle_id, sensor_id, data", "1, jsonb_build_object('v', v)")}[table]
    database.rows("SELECT tidegate_make_partitions(%s::date, %s::date)", FIRST.date(), TODAY.date())
    database.rows(f"INSERT INTO {table} (journal_id, seq, received_at, time, {columns})"
                  f" SELECT %s, (extract(epoch FROM r) * 1e6)::bigint, r, t, %s, {value}"
                  " FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::float8[]) u(r, t, v)",
                  journal, device, [p[0] for p in points], [p[1] for p in points], [p[2] for p in points])


def made_up(n, seed):
    dice, points = random.Random(seed), []
    for _ in range(n):
        at = FIRST + timedelta(milliseconds=dice.randrange(DAYS * 86400000))
        late = timedelta(milliseconds=dice.choice([1, 400, dice.randrange(30 * 3600000)]))
        points.append((at + late, at, dice.randrange(-1000, 1000) / 4))
    return points


def columns_of(points, begin, end, n, step):
    ms = lambda when: round(when.timestamp() * 1000)
    found, first, last = {}, ms(begin), ms(end)
    for received, at, value in points:
        if begin <= at < end:
            edge = max(first, ms(at) // (step * 1000) * step * 1000) if step else ms(at)
            found.setdefault(n * (edge - first) // (last - first), []).append((ms(at), ms(received), value))
    columns = []
    for _, inside in sorted(found.items()):
        low, high = min(inside, key=lambda p: (p[2], p[0])), min(inside, key=lambda p: (-p[2], p[0]))
        columns.append([x for p in (min(inside), low, high, max(inside)) for x in (p[0], p[2])] + [len(inside)])
    return columns


def check(gateway, points, path="/api/devices/dev-1/telemetry", **query):
    """Of whole days, and of times that begin and end anywhere; by hours, tens of minutes, minutes and rows."""
    whole, odd = (FIRST, FIRST + timedelta(days=DAYS)), (FIRST + timedelta(hours=7, seconds=1234.5), FIRST + timedelta(days=3, seconds=77.3))
    for (begin, end), n, step in ((whole, 5, 3600), (whole, 1, 3600), (odd, 3, 3600), (whole, 100, 600), (odd, 37, 600),
                                  (whole, 300, 60), (odd, 150, 60), (odd, 3000, 0)):
        body = series(gateway, path, member="v", points=n, **query, **{"from": text(begin), "to": text(end)})
        assert body["step"] == step and body["columns"] == columns_of(points, begin, end, n, step), (begin, end, n)


@pytest.mark.parametrize("table", ["telemetry", "vehicle_logs", "sensor_logs"])
def test_sums_say_what_the_rows_say(gateway, database, table):
    path, thing, query = {"telemetry": ("/api/devices/dev-1/telemetry", "dev-1", {}),
                          "vehicle_logs": ("/api/vehicles/USV-1/series", "USV-1", {}),
                          "sensor_logs": ("/api/vehicles/USV-1/series", "USV-1", {"sensor_id": 1})}[table]
    points = made_up(4000, 1)
    insert(database, gateway.ids[thing], points, table)
    check(gateway, points, path, **query)
    roll_up(database)
    assert database.value("SELECT count(*) FROM series_days WHERE source = %s AND is_whole", table) >= DAYS
    check(gateway, points, path, **query)

    late = made_up(50, 2)
    insert(database, gateway.ids[thing], late, table)
    check(gateway, points + late, path, **query)
    assert database.value("SELECT count(*) FROM series_changes") > 0
    roll_up(database)
    assert database.value("SELECT count(*) FROM series_changes") == 0
    check(gateway, points + late, path, **query)

    owner = "device_id" if table == "telemetry" else "vehicle_id"
    database.rows(f"DELETE FROM {table} WHERE {owner} = %s AND time < %s", gateway.ids[thing], FIRST + timedelta(days=2))
    left = [p for p in points + late if p[1] >= FIRST + timedelta(days=2)]
    check(gateway, left, path, **query)
    roll_up(database)
    check(gateway, left, path, **query)


def test_it_is_sums_that_are_read(gateway, database):
    points = made_up(2000, 3)
    insert(database, gateway.ids["dev-1"], points)
    roll_up(database)
    whole = {"from": text(FIRST), "to": text(FIRST + timedelta(days=DAYS)), "member": "v", "points": 5}
    assert n_points(telemetry(gateway, **whole)) == 2000
    assert series(gateway, "/api/devices/dev-1/telemetry", **{**whole, "member": "on"})["columns"][0][3:6:2] == [0, 1]
    database.rows("DELETE FROM series_sums")
    assert telemetry(gateway, **whole)["columns"] == []
    database.rows("TRUNCATE telemetry")
    database.rows("SELECT tidegate_forget_series()")
    assert database.value("SELECT count(*) FROM series_things") == 0


def test_sums_go_with_their_rows(gateway, database):
    insert(database, gateway.ids["dev-1"], made_up(500, 4))
    roll_up(database)
    assert database.value("SELECT count(DISTINCT day) FROM series_sums") >= DAYS
    database.rows("SELECT tidegate_drop_partition('telemetry', %s::date)", (FIRST + timedelta(days=1)).date())
    database.rows("SELECT tidegate_forget_series()")
    assert database.value("SELECT min(day) FROM series_sums") == (FIRST + timedelta(days=1)).date()


def test_a_thing_of_too_many_members_is_read_from_its_rows(gateway, database):
    journal, _ = position(database)
    insert(database, gateway.ids["dev-1"], made_up(20, 5))
    day = FIRST + timedelta(days=1, hours=1)
    database.rows("INSERT INTO telemetry (journal_id, seq, received_at, time, device_id, payload) VALUES (%s, 1, %s, %s, %s, %s)",
                  journal, day, day, gateway.ids["dev-1"], json.dumps({f"m{i}": i for i in range(300)}))
    roll_up(database)
    assert database.value("SELECT count(*) FROM series_sums WHERE member = 'm7'") == 0
    assert database.value("SELECT count(*) FROM series_things WHERE is_crowded") == 1
    body = telemetry(gateway, member="m7", points=2, **{"from": text(FIRST), "to": text(TODAY)})
    assert body["step"] == 3600 and [c[1] for c in body["columns"]] == [7]


def test_the_gateway_counts_by_itself(make_gateway, database):
    from conftest import populate
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    insert(database, gateway.ids["dev-1"], made_up(100, 6))
    gateway.stop()
    gateway.start()
    database.wait_for("SELECT count(*) >= %s FROM series_days WHERE is_whole AND source = 'telemetry'", True, DAYS)
