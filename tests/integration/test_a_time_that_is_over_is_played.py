"""Playback: a subscription of a time that is over, at a pace of one's own (docs/protocol.md, 4)."""
import datetime
import threading

import pytest

from test_native_protocol import log, native  # noqa: F401  pylint: disable=unused-import
from waiting import wait_until

N = 12  # messages, five seconds apart, the first of them a minute ago
UTC = datetime.timezone.utc


def ago(seconds):
    return (datetime.datetime.now(UTC) - datetime.timedelta(seconds=seconds)).isoformat()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def numbers(frames):
    return [frame["data"]["battery_voltage"] for frame in frames]


@pytest.fixture
def past(gateway, broker, database):
    """N messages of USV-1 that were received in the last minute; when the first of them was."""
    for n in range(N):
        broker.publish("seano/USV-1/vehicle_log", log(n))
    database.wait_for("SELECT count(*) FROM vehicle_logs", N)
    database.rows("SELECT tidegate_make_partitions((now() - interval '2 minutes')::date, now()::date)")
    database.rows("UPDATE vehicle_logs v SET received_at = date_trunc('second', now()) - interval '60 s' + o.n * interval '5 s'"
                  " FROM (SELECT seq, row_number() OVER (ORDER BY seq) - 1 AS n FROM vehicle_logs) o"
                  " WHERE o.seq = v.seq")
    return database.value("SELECT min(received_at) FROM vehicle_logs")


@pytest.fixture
def ana(past, native):  # noqa: F811
    client = native("ana")
    assert client.push()["type"] == "welcome"
    return client


def play(client, **members):
    return client.ask("subscribe", **{"to": ["vehicle/USV-1"], "at": ago(70), "rate": 100, **members})


def test_what_was_stored_is_played_in_order_and_joins_what_is_live(ana, broker, database):
    answer = play(ana)
    assert answer["ok"] and answer["replay"] is True and answer["subscription"] == "s1"
    frames = [ana.push() for _ in range(N)]
    assert numbers(frames) == list(range(N))
    rows = database.rows("SELECT time, seq FROM vehicle_logs ORDER BY seq")
    for frame, (time, seq) in zip(frames, rows):
        assert frame["replay"] is True and frame["subscription"] == "s1" and frame["persisted"] is True
        assert abs(moment(frame["timestamp"]) - moment(str(time))) < datetime.timedelta(milliseconds=1)
        assert frame["cursor"].endswith(f":{seq}")
    live = ana.push()
    assert live["type"] == "live" and live["subscription"] == "s1" and live["recovered"] is True
    broker.publish("seano/USV-1/vehicle_log", log(99))
    frame = ana.push()
    assert numbers([frame]) == [99] and "replay" not in frame and "subscription" not in frame


def test_a_pause_holds_and_a_seek_goes_on_from_anywhere(ana, past):
    assert play(ana, at=str(past), rate=0.1)["ok"]
    assert numbers([ana.push()]) == [0]
    held = ana.ask("pause", subscription="s1")
    assert held["ok"] and moment(str(past)) <= moment(held["at"]) < moment(str(past)) + datetime.timedelta(seconds=5)
    assert ana.ask("pause", subscription="s1")["at"] == held["at"] and ana.quiet()

    there = moment(str(past)) + datetime.timedelta(seconds=25)
    answer = ana.ask("seek", subscription="s1", at=there.isoformat())
    assert answer["ok"] and moment(answer["at"]) == there
    assert numbers([ana.push()]) == [5]
    assert ana.ask("seek", subscription="s1", at=ago(70), rate=100)["ok"]
    assert numbers([ana.push() for _ in range(N)]) == list(range(N))
    assert ana.push()["type"] == "live"
    for op in ("pause", "seek", "live"):
        assert ana.ask(op, subscription="s1")["error"]["code"] == "not_found"


def test_nothing_comes_behind_a_pause_and_nothing_is_lost_by_it(ana, past):
    assert play(ana, at=str(past), rate=100)["ok"]
    frames = [ana.push()]
    assert ana.ask("pause", subscription="s1")["ok"]
    frames, ana.pushes = frames + ana.pushes, []
    assert ana.quiet()
    assert ana.ask("seek", subscription="s1")["ok"]
    frames += [ana.push() for _ in range(N - len(frames))]
    assert numbers(frames) == list(range(N))
    assert ana.push()["type"] == "live"


def test_it_goes_on_where_it_was_held(ana, past):
    assert play(ana, at=str(past), rate=0.1)["ok"]
    assert numbers([ana.push()]) == [0]
    assert ana.ask("pause", subscription="s1")["ok"]
    assert ana.ask("seek", subscription="s1", rate=100)["ok"]
    assert numbers([ana.push() for _ in range(N - 1)]) == list(range(1, N))
    assert ana.push()["type"] == "live"


def test_live_has_no_hole_and_no_double_while_messages_keep_coming(ana, broker, past):
    over = threading.Event()
    sent = []

    def publish():
        while not over.is_set():
            sent.append(N + len(sent))
            broker.publish("seano/USV-1/vehicle_log", log(sent[-1]))

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        assert play(ana, at=str(past), rate=1)["ok"]
        assert numbers([ana.push()]) == [0]
        wait_until(lambda: len(sent) > 20, "messages meanwhile")
        answer = ana.ask("live", subscription="s1")
        assert answer["ok"] and answer["recovered"] is True
        n_then = len(sent)
        wait_until(lambda: len(sent) > n_then + 20, "messages behind it")
    finally:
        over.set()
        thread.join()
    frames = [ana.push() for _ in range(N + len(sent) - 1)]
    assert numbers(frames) == list(range(1, N + len(sent)))
    replayed = ["replay" in frame for frame in frames]
    assert replayed == sorted(replayed, reverse=True) and not replayed[-1]
    assert ana.quiet()


def test_live_with_a_snapshot_leaves_out_what_lies_between(ana, broker, past):
    assert play(ana, at=str(past), rate=0.1)["ok"]
    assert numbers([ana.push()]) == [0]
    answer = ana.ask("live", subscription="s1", snapshot=True)
    assert answer["ok"] and answer["recovered"] is True
    snapshot = ana.push()
    assert snapshot["type"] == "snapshot" and snapshot["done"] is True
    assert numbers(snapshot["items"]) == [N - 1]
    broker.publish("seano/USV-1/vehicle_log", log(N))
    assert numbers([ana.push()]) == [N]


def test_live_and_played_do_not_mix(ana, broker, past):
    assert ana.ask("subscribe", to=["vehicle/USV-1"])["subscription"] == "s1"
    assert play(ana, at=str(past), rate=0.1)["subscription"] == "s2"
    assert ana.push()["subscription"] == "s2"
    broker.publish("seano/USV-1/vehicle_log", log(50))
    frame = ana.push()
    assert numbers([frame]) == [50] and "replay" not in frame
    assert ana.ask("unsubscribe", subscription="s2")["ok"] and ana.quiet()


def test_a_right_that_is_taken_away_ends_what_is_played_of_it(gateway, ana, database, past):
    assert play(ana, to=["user"], at=str(past), rate=0.1)["ok"]
    assert numbers([ana.push()]) == [0]
    assert ana.ask("pause", subscription="s1")["ok"]
    database.rows("UPDATE vehicles SET user_id = %s WHERE id = %s", gateway.ids["ben"], gateway.ids["USV-1"])
    wait_until(lambda: not ana.ask("subscribe", to=["vehicle/USV-1"])["ok"], "the right to be gone")
    assert ana.ask("seek", subscription="s1", rate=100)["ok"]
    assert ana.push()["type"] == "live"


def test_a_restart_loses_nothing_for_who_comes_back(gateway, ana, native, past):  # noqa: F811
    assert play(ana, at=str(past), rate=0.1)["ok"]
    first = ana.push()
    at = ana.ask("pause", subscription="s1")["at"]
    gateway.stop()
    gateway.start()
    again = native("ana")
    assert again.push()["type"] == "welcome"
    assert play(again, at=at)["ok"]
    frames = [again.push()]
    while frames[-1]["type"] != "live":
        frames.append(again.push())
    if frames[0]["cursor"] == first["cursor"]:  # of the same millisecond
        frames.pop(0)
    assert numbers(frames[:-1]) == list(range(1, N))


def test_a_user_has_so_many_playbacks_and_no_more(gateway, ana, native, past):  # noqa: F811
    other = native("ana")
    for client in (ana, ana, other, other):
        assert play(client, at=str(past), rate=0.1)["ok"]
    assert play(other)["error"]["code"] == "too_many"
    assert "tidegate_ws_playbacks_refused_total 1" in gateway.get("/metrics").text
    assert play(native("root"), at=str(past))["ok"]
    assert ana.ask("unsubscribe", subscription="s1")["ok"]
    assert play(other, at=str(past))["ok"]


def test_what_is_not_kept_any_more_is_not_found(ana, past):
    assert play(ana, at="2001-01-01T00:00:00Z")["error"]["code"] == "not_found"
    assert play(ana, at=str(past), rate=0.1)["ok"]
    name = ana.push()["subscription"]
    assert ana.ask("seek", subscription=name, at="2001-01-01T00:00:00Z")["error"]["code"] == "not_found"
    assert ana.quiet()
    assert ana.ask("seek", subscription=name, rate=100)["ok"]
    assert numbers([ana.push() for _ in range(N - 1)]) == list(range(1, N))


def test_what_does_not_go_together_is_refused(ana, past):
    for members in ({"since": "0123456789abcdef:1"}, {"set": True}, {"max_hz": 1}, {"snapshot": True},
                    {"rate": 0.01}, {"rate": 101}, {"at": "yesterday"}, {"rate": 5, "at": None}):
        assert play(ana, **members)["error"]["code"] == "bad_request", members
    assert play(ana, at=str(past), rate=0.1)["ok"]
    assert ana.ask("move", subscription="s1", to=["user"])["error"]["code"] == "bad_request"
    assert ana.ask("pause", subscription="s9")["error"]["code"] == "not_found"


@pytest.fixture(name="days")
def two_days_of_many_messages(gateway, broker, database):
    """One each two seconds of the day before yesterday, and of yesterday but for its last hour; numbers begin at the clock of a
    start, and again at noon. Of alerts nobody counts sums meanwhile."""
    broker.publish("seano/USV-1/raw_log", "now")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    today = datetime.datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    database.rows("SELECT tidegate_make_partitions(%s::date, %s::date)", today - datetime.timedelta(days=3), today)
    for start, n in ((-48, 12 * 1800), (-36, 24 * 1800), (-12, 11 * 1800)):
        database.rows("INSERT INTO alerts (seq, received_at, time, journal_id, vehicle_id, severity, message)"
                      " SELECT (extract(epoch FROM t.start) * 1000000)::bigint + i, t.start + i * interval '2 s', t.start + i * interval '2 s',"
                      " (SELECT journal_id FROM raw_logs), %s, 'info', i::text FROM (SELECT %s::timestamptz) t (start), generate_series(0, %s) i",
                      gateway.ids["USV-1"], today + datetime.timedelta(hours=start), n - 1)
    database.rows("ANALYZE alerts")
    return today


def fetched(database):
    """Rows that indexes of alerts led to."""
    return database.value("SELECT coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'alerts%%'")


def test_where_it_begins_is_found_without_reading_the_day(days, database, native):  # noqa: F811
    ana = native("ana")
    hour = 3600
    for ago_s, first_s in ((48 * hour, 48 * hour), (36 * hour + 2, 36 * hour + 2), (36 * hour + 1, 36 * hour), (24 * hour + 1, 24 * hour),
                           (24 * hour, 24 * hour), (12 * hour + 0.5, 12 * hour), (9 * hour, 9 * hour), (hour + 2, hour + 2), (hour + 1, None)):
        at = days - datetime.timedelta(seconds=ago_s)
        name = ana.ask("subscribe", to=["vehicle/USV-1"], types=["alert"], at=at.isoformat(), rate=100)["subscription"]
        if first_s:
            assert moment(ana.push("alert")["timestamp"]) == days - datetime.timedelta(seconds=first_s)
        assert ana.ask("unsubscribe", subscription=name)["ok"]
        ana.pushes.clear()
    wait_until(lambda: fetched(database) > 0, "the server to say what it has read")
    assert fetched(database) < 70000  # a page of each, and what was looked at; the days would be 240,000
