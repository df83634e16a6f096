"""Resume by cursor: from memory, from the database, across restarts, under load (docs/protocol.md, 4)."""
import json
import random
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from load import Publisher
from servers import SLOW
from test_native_protocol import Native
from waiting import PATIENCE, wait_until

N_DISCONNECTS = 50


class Follower:
    """A client that comes back with its last cursor whenever its connection is gone."""

    def __init__(self, gateway, user):
        self.gateway, self.user = gateway, user
        self.seen, self.cursor, self.recovered = [], None, []
        self.n_disconnects = 0
        self.stop, self.cut = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.error = None
        self.thread.start()

    def _run(self):
        try:
            while not self.stop.is_set():
                self._once()
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error
            raise

    def _once(self):
        self.cut.clear()
        try:
            client = Native(self.gateway, self.gateway.token(self.user))
        except Exception:  # pylint: disable=broad-except
            self.stop.wait(0.05)  # the gateway is away
            return
        try:
            since = {"since": self.cursor} if self.cursor else {}
            client.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"], **since})
            while not (self.cut.is_set() or self.stop.is_set()):
                try:
                    frame = client.next_json(timeout=0.1)
                except AssertionError:
                    if client.closed:
                        return
                    continue
                self._take(frame)
        except ConnectionClosed:
            pass  # between the handshake and the request: as good as a cut
        finally:
            client.close()
            self.n_disconnects += 1

    def _take(self, frame):
        if "ok" in frame:
            self.recovered.append(frame["recovered"])
        elif frame["type"] != "welcome":
            assert frame["type"] in ("raw_log", "vehicle_log"), frame
            self.seen.append(int(frame["cursor"].split(":")[1]))
        if "cursor" in frame and frame.get("type") != "welcome":
            self.cursor = frame["cursor"]

    def end(self):
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.error, self.error


def stored(database):
    rows = database.rows("SELECT seq FROM raw_logs UNION ALL SELECT seq FROM vehicle_logs ORDER BY 1")
    return [seq for (seq,) in rows]


@pytest.mark.parametrize("replay_events", [65536, 50])
def test_no_hole_and_no_duplicate_over_50_disconnects_and_a_restart(make_gateway, publisher,
                                                                    replay_events):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=replay_events, ws__max_connections_per_user=100)
    populate(gateway)
    gateway.start()
    follower = Follower(gateway, "ana")
    wait_until(lambda: follower.recovered, "the first subscription")

    def message(n):
        return ("seano/USV-1/raw_log", f"log {n}") if n % 2 else (
            "seano/USV-1/vehicle_log", json.dumps({"battery_voltage": n}))

    dice = random.Random(7)
    publisher.run(message, 300 / SLOW)
    def wait_for_more(n):
        begun = publisher.n_sent
        wait_until(lambda: publisher.n_sent >= begun + n, "more to be sent")

    for n in range(N_DISCONNECTS):
        wait_for_more(dice.randint(6, 75))
        follower.cut.set()
        if n == N_DISCONNECTS // 2:
            gateway.terminate()
            wait_for_more(150)
            gateway.start()
        wait_until(lambda n=n: not follower.cut.is_set() or follower.error, "the follower's return")
    n_sent = publisher.stop()
    gateway.database.wait_for("SELECT (SELECT count(*) FROM raw_logs) + "
                              "(SELECT count(*) FROM vehicle_logs)", n_sent)
    wanted = stored(gateway.database)
    wait_until(lambda: len(follower.seen) >= len(wanted) or follower.error, "the last messages",
               PATIENCE * SLOW)
    follower.end()
    assert follower.seen == wanted
    assert all(follower.recovered)
    assert follower.n_disconnects >= N_DISCONNECTS


def test_resume_reaches_into_the_database_for_every_kind(make_gateway, broker):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=0)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]
    ana.ask("subscribe", to=["user"])
    sent = [("seano/USV-1/vehicle_log", '{"battery_voltage":1.5,"latitude":-6.2,"longitude":106.8,"x":1}'),
            ("seano/USV-1/raw_log", "hello"),
            ("seano/USV-1/sensor_log", '{"sensor_id":5,"data":{"temperature":1}}'),
            ("devices/dev-1/status", '{"status":"online","temperature":21.5}'),
            ("ems/dev-1/telemetry", '{"p": 1.50}'),
            ("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
                {"device_hash": c * 64, "rssi": -50} for c in "abc"]})),
            ("surveillance/camera/dev-1/event", '{"event_type":"face_detected","data":{"a":1}}'),
            ("seano/USV-1/alert", '{"severity":"critical","alert_type":"GPS","message":"lost"}'),
            ("seano/USV-2/raw_log", "not hers")]
    for topic, payload in sent:
        broker.publish(topic, payload)
    live = [ana.push() for _ in range(len(sent) - 1)]
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 2)
    ana.close()

    for again in (False, True):
        if again:
            gateway.terminate()
            gateway.start()
        back = Native(gateway, gateway.token("ana"))
        back.push("welcome")
        assert back.ask("subscribe", to=["user"], since=begin)["recovered"] is True
        replayed = [back.push() for _ in live]
        assert back.quiet()
        for one, other in zip(live, replayed):
            one, other = dict(one), dict(other)
            if one["type"] == "device_update":
                assert one["device"]["temperature"] == other["device"]["temperature"]
                one.pop("device"), other.pop("device")
            if one["type"] == "detection_event":
                one.pop("timestamp"), other.pop("timestamp")
            assert {**one, "persisted": True} == other
        assert replayed[-1]["message"] == "lost"
        middle = Native(gateway, gateway.token("ana"))
        middle.push("welcome")
        assert middle.ask("subscribe", to=["vehicle/USV-1"], types=["raw_log", "alert"],
                          since=live[0]["cursor"])["recovered"] is True
        assert [middle.push()["type"] for _ in range(2)] == ["raw_log", "alert"]
        assert middle.quiet()
        back.close()
        middle.close()


def test_what_cannot_be_recovered_is_said_so(make_gateway, broker, postgres):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=2)
    populate(gateway)
    gateway.start()
    root = Native(gateway, gateway.token("root"))
    begin = root.push("welcome")["cursor"]
    root.ask("subscribe", to=["user"])
    for n in range(5):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": n}))
    while root.push("vehicle_log")["data"] != {"battery_voltage": 4}:
        pass
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 5)
    answer = root.ask("subscribe", to=["vehicle/*"], since="0123456789abcdef:1000")
    assert answer["recovered"] is False
    assert root.push("snapshot")["items"][-1]["data"] == {"battery_voltage": 4}
    postgres.stop()
    answer = root.ask("subscribe", to=["vehicle/*"], since=begin)
    assert answer["ok"] and answer["recovered"] is False
    assert root.push("snapshot")["subscription"] == answer["subscription"]
    root.close()


@pytest.mark.parametrize("replay_events", [65536, 0])
def test_cursor_that_was_never_given_is_not_recovered(make_gateway, broker, replay_events):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=replay_events)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    epoch, begin = ana.push("welcome")["cursor"].split(":")
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": 1}))
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 1)
    ana.ask("subscribe", to=["vehicle/*"], types=["raw_log"])
    broker.publish("seano/USV-1/raw_log", "live")
    last = int(ana.push("raw_log")["cursor"].split(":")[1])
    for seq in (9999999999999999, last + 1, last + 1000000, 0, 1):
        answer = ana.ask("subscribe", to=["vehicle/*"], since=f"{epoch}:{seq}")
        assert answer["recovered"] is False, seq
        snapshot = ana.push("snapshot")
        assert snapshot["subscription"] == answer["subscription"]
        assert snapshot["items"][-1]["data"] == {"battery_voltage": 1}
        assert int(begin) < int(snapshot["cursor"].split(":")[1]) <= last
        assert ana.ask("unsubscribe", subscription=answer["subscription"])["ok"]
    for seq in (begin, last):
        assert ana.ask("subscribe", to=["vehicle/*"], since=f"{epoch}:{seq}")["recovered"] is True
    for cursor in (f"{epoch}:-1", f"{epoch}:99999999999999999999", f"{epoch}:", epoch, "0"):
        assert ana.ask("subscribe", to=["vehicle/*"], since=cursor)["error"]["code"] == "bad_cursor"
        assert gateway.get(f"/api/events/poll?since={cursor}", "ana").status_code == 400
    poll = gateway.get(f"/api/events/poll?wait=9&since={epoch}:9999999999999999", "ana").json()
    assert poll["recovered"] is False and poll["events"][-1]["type"] == "snapshot"
    ana.close()


def test_who_resumes_while_the_journal_is_caught_up_gets_the_rest(make_gateway, publisher, postgres):
    from conftest import populate
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    ana.push("welcome")
    ana.ask("subscribe", to=["vehicle/*"])
    postgres.stop()
    for n in range(1500):
        publisher.publish("seano/USV-1/raw_log", f"log {n}")
    publisher.flush()
    ana.wait_for(lambda frames: sum('"raw_log"' in f for f in frames) == 1500, "the live messages",
                 PATIENCE * SLOW)
    cursor = [p["cursor"] for p in ana.rest() if p.get("data") == "log 1449"][0]
    gateway.kill()
    postgres.start()
    gateway.start(wait=False)

    def opened():
        try:
            return Native(gateway, gateway.token("ana"))
        except Exception:  # pylint: disable=broad-except
            return None  # not there yet, or still loading
    back = wait_until(opened, "the gateway")
    back.push("welcome")
    assert back.ask("subscribe", to=["vehicle/*"], since=cursor)["recovered"] is True
    assert [back.push("raw_log")["data"] for _ in range(50)] == [f"log {n}" for n in range(1450, 1500)]
    back.close()


def test_replaying_client_does_not_slow_the_others(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=100, ws__max_connections_per_user=100)
    populate(gateway)
    gateway.start()
    first = Native(gateway, gateway.token("ana"))
    begin = first.push("welcome")["cursor"]
    for n in range(20000):
        publisher.publish("seano/USV-1/raw_log", f"log {n}")
    publisher.flush()
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 20000)
    live = Native(gateway, gateway.token("ana"))
    live.ask("subscribe", to=["vehicle/*"], types=["vehicle_log"])
    live.pushes.clear()
    back = [Native(gateway, gateway.token("ana")) for _ in range(3)]
    for one in back:
        one.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"], "types": ["raw_log"],
                  "since": begin})
    for n in range(30):
        publisher.publish("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": n}))
        assert live.push("vehicle_log")["data"] == {"battery_voltage": n}
        if n == 0:  # it came between theirs: in one line it would have stood behind all of them
            assert all(sum('"raw_log"' in f for f in one.frames) < 20000 for one in back)
    for one in back:
        one.wait_for(lambda frames: sum('"raw_log"' in f for f in frames) >= 20000, "the replay",
                     PATIENCE * SLOW)
        texts = [f["data"] for f in one.rest() if f.get("type") == "raw_log"]
        assert texts == [f"log {n}" for n in range(20000)]
        one.close()
    first.close()
    live.close()


def test_what_retention_dropped_is_not_promised(make_gateway, broker):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=0)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]
    for n in range(3):
        broker.publish("seano/USV-1/raw_log", f"log {n}")
        broker.publish("seano/USV-1/vehicle_log", '{"rssi":-45}')
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 3)
    (table,) = gateway.database.rows("SELECT DISTINCT tableoid::regclass::text FROM raw_logs")[0]
    gateway.database.rows(f"DROP TABLE {table}")
    assert ana.ask("subscribe", to=["vehicle/*"], types=["raw_log"], since=begin)["recovered"] is False
    assert ana.ask("subscribe", to=["vehicle/*"], types=["vehicle_log"], since=begin)["recovered"] is True
    assert [ana.push("vehicle_log")["data"] for _ in range(3)] == [{"rssi": -45}] * 3
    ana.close()


def seqs(pushes):
    return [int(push["cursor"].split(":")[1]) for push in pushes]


def numbered(pushes, database):
    """Which of the messages they are; and none has a cursor beyond its own number."""
    numbers = [int(p["data"].split()[1]) if p["type"] == "raw_log" else int(p["data"]["battery_voltage"])
               for p in pushes]
    own = stored(database)
    assert [n for n, seq in zip(numbers, seqs(pushes)) if seq > own[n]] == []
    return numbers


def told_to(viewer, database, **types):
    """Which messages each of its subscriptions has had: what comes behind its answer, and names nobody or it."""
    told = {}
    for frame in map(json.loads, viewer.frames):
        if frame.get("recovered") is not None:
            told[frame["subscription"]] = []
        elif "persisted" in frame:
            for name in frame.get("subscriptions", told):
                if types.get(name, frame["type"]) == frame["type"]:
                    told[name].append(frame)
    return {name: numbered(frames, database) for name, frames in told.items()}


def test_subscriptions_that_replay_together_send_each_event_once_and_in_order(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=50)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]

    def publish(first, last):
        for n in range(first, last):
            publisher.publish(*(("seano/USV-1/raw_log", f"log {n}") if n % 2 else
                                ("seano/USV-1/vehicle_log", json.dumps({"battery_voltage": n}))))
        publisher.flush()

    publish(0, 1200)
    gateway.database.wait_for("SELECT (SELECT count(*) FROM raw_logs) + (SELECT count(*) FROM vehicle_logs)",
                              1200)
    wishes = [{"to": ["vehicle/*"]}, {"to": ["user"], "types": ["raw_log"]}, {"to": ["vehicle/USV-1"]}]
    for n, wish in enumerate(wishes):
        ana.send({"op": "subscribe", "id": 100 + n, "since": begin, **wish})
    publish(1200, 1500)
    ana.wait_for(lambda frames: sum('"persisted"' in f for f in frames) >= 1500, "the replay",
                 PATIENCE * SLOW)
    assert ana.quiet() or all("persisted" in p or "ok" in p for p in ana.pushes)
    frames = [*ana.pushes, *ana.rest()]
    assert [f["recovered"] for f in frames if "ok" in f] == [True] * 3
    assert numbered([f for f in frames if "persisted" in f], gateway.database) == list(range(1500))
    ana.close()

    late = Native(gateway, gateway.token("ana"))  # one is live while the other one replays
    late.push("welcome")
    late.ask("subscribe", to=["vehicle/*"], types=["raw_log"])
    assert late.ask("subscribe", to=["user"], since=begin)["recovered"] is True
    publish(1500, 1510)
    late.wait_for(lambda frames: sum('"persisted"' in f for f in frames) >= 1510, "the replay",
                  PATIENCE * SLOW)
    late.quiet()
    told = told_to(late, gateway.database, s1="raw_log")
    assert told["s1"] == list(range(1501, 1510, 2)) and told["s2"] == list(range(1510))
    late.close()


def test_an_older_since_gets_all_of_it_beside_one_that_is_live(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=50)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]
    assert ana.ask("subscribe", to=["vehicle/*"])["subscription"] == "s1"
    for n in range(1500):
        publisher.publish("seano/USV-1/raw_log", f"log {n}")
        if n in (300, 1450):  # far away, and near enough for memory
            publisher.flush()
            gateway.database.wait_for("SELECT count(*) FROM raw_logs", n + 1)
            assert ana.ask("subscribe", to=["user"], since=begin)["recovered"] is True
    publisher.flush()
    wait_until(lambda: told_to(ana, gateway.database) == {name: list(range(1500)) for name in ("s1", "s2", "s3")},
               "each to have all", PATIENCE * SLOW)
    ana.close()


def test_who_unsubscribes_before_it_is_resumed_is_answered(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=0)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]
    for n in range(300):
        publisher.publish("seano/USV-1/raw_log", f"log {n}")
    publisher.flush()
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 300)
    messages = [{"op": "subscribe", "id": 1, "to": ["user"], "since": begin},
                {"op": "subscribe", "id": 2, "to": ["vehicle/*"], "since": begin},
                {"op": "unsubscribe", "id": 3, "subscription": "s1"}]
    for message in messages:
        ana.send(message)
    answers, pushes = {}, []
    while len(answers) < 3 or len(pushes) < 300:
        frame = ana.next_json()
        if "ok" in frame:
            answers[frame["id"]] = frame
        else:
            pushes.append(frame)
    assert answers[3]["ok"] and answers[2]["recovered"] is True
    assert answers[1]["ok"] or answers[1]["error"]["code"] == "cancelled"
    assert seqs(pushes) == stored(gateway.database)
    ana.close()


def test_a_move_before_it_is_known_whether_it_resumes_is_busy_and_changes_nothing(make_gateway, database, broker):
    from conftest import populate
    from test_everybody_gets_a_turn import locked, waits_for
    gateway = make_gateway(ws__replay_events=0)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    begin = ana.push("welcome")["cursor"]
    broker.publish("seano/USV-1/raw_log", "1")
    broker.publish("devices/dev-1/alert", "2")
    database.wait_for("SELECT count(*) FROM alerts", 1)
    with locked(database, "raw_logs"):
        ana.send({"op": "subscribe", "id": "s", "to": ["vehicle/*"], "since": begin})
        wait_until(lambda: waits_for(database, "raw_logs") > 0, "the resume to wait")
        for _ in range(2):
            error = ana.ask("move", subscription="s1", to=["device/*"])["error"]
            assert (error["code"], error["retry"]) == ("busy", True)
    while not ana.pushes or "ok" not in ana.pushes[-1]:
        ana.pushes.append(ana.next_json())
    answer = ana.pushes.pop()
    assert (answer["id"], answer["subscription"], answer["recovered"]) == ("s", "s1", True)
    assert ana.push()["data"] == "1"
    assert ana.ask("move", subscription="s1", to=["device/*"])["ok"]
    broker.publish("seano/USV-1/raw_log", "3")
    broker.publish("devices/dev-1/alert", "4")
    assert ana.push()["message"] == "4"
    ana.close()


def test_who_resumes_much_waits_for_himself(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__replay_events=0)
    populate(gateway)
    gateway.start()
    ben = Native(gateway, gateway.token("ben"))
    begin = ben.push("welcome")["cursor"]
    for n in range(50):
        publisher.publish("seano/USV-1/raw_log", f"log {n}")
    publisher.publish("seano/USV-2/raw_log", "his")
    publisher.flush()
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 51)
    crowd = [Native(gateway, gateway.token("ana")) for _ in range(5)]
    for n in range(90):
        for one in crowd:
            one.send({"op": "subscribe", "id": n, "to": ["vehicle/*"], "since": begin})
    assert ben.ask("subscribe", to=["user"], since=begin)["recovered"] is True
    n_answered = sum('"ok"' in frame for one in crowd for frame in one.frames)
    assert n_answered < 300, "his turn came after hers"
    assert ben.push("raw_log")["data"] == "his"
    for one in crowd:
        one.wait_for(lambda frames: sum('"ok":true' in f for f in frames) == 90, "her answers",
                     PATIENCE * SLOW)
        wait_until(lambda o=one: all(told == list(range(50)) for told in told_to(o, gateway.database).values()),
                   "each of hers to have all", PATIENCE * SLOW)
        one.close()
    ben.close()
