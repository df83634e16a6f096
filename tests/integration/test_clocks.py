"""No clock, of ours or of a device, wrong or set right again, costs what is stored or hides what is."""
import datetime
import json
import time

import pytest

from commanding import MqttDevice, command, wait_for_state
from conftest import populate
from servers import Database, Gateway, Postgres
from viewers import Viewer
from waiting import wait_until

DAYS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'raw_logs'::regclass"
N_DAYS = 20


@pytest.fixture
def own_postgres(folder):
    """A cluster of the test's own, whose clock it may set."""
    folder.chmod(0o755)
    server = Postgres(folder / "pg")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_database(own_postgres, folder):
    """Twenty days of history, the last of them today's, as a gateway with the right time left it."""
    own_postgres.execute("postgres", "CREATE DATABASE clocks")
    made = Database(own_postgres, "clocks")
    Gateway(folder / "migrator", made).cli("migrate")
    made.rows("SELECT tidegate_make_partitions(current_date - %s, current_date)", N_DAYS - 1)
    made.rows("INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs) "
              "SELECT 1000 - i, now() - i * interval '1 day', now(), 1, 1, 'history' "
              f"FROM generate_series(0, {N_DAYS - 1}) i")
    return made


def history(database):
    return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'history'")


def wait_held(gateway, reason):
    wait_until(lambda: f"retention_held reason={reason}" in gateway.log(), "a word in the log")
    assert gateway.metric("tidegate_retention_held") == 1
    assert gateway.get("/readyz").json()["notes"] == ["retention_held"]


@pytest.mark.parametrize("whose", ["gateway", "both"])
def test_a_start_with_a_clock_far_ahead_drops_nothing(make_gateway, own_postgres, own_database,
                                                      whose):
    if whose == "both":
        own_postgres.stop()
        own_postgres.clock = "+400d"
        own_postgres.start()
    gateway = make_gateway(database=own_database, broker=None, retention__raw_logs="30d",
                           database__partitions_ahead="7d")
    gateway.clock = "+400d"
    gateway.start()
    wait_held(gateway, "clock_disagrees" if whose == "gateway" else "clock_jumped")
    # The days ahead are made after it was judged what may go.
    ahead = datetime.date.today() + datetime.timedelta(days=400 if whose == "both" else 0)
    own_database.wait_for("SELECT to_regclass(%s) IS NOT NULL", True,
                          f"raw_logs_{ahead + datetime.timedelta(days=7):%Y%m%d}")
    assert history(own_database) == N_DAYS
    assert gateway.terminate() == 0

    own_postgres.stop()
    own_postgres.clock = None
    own_postgres.start()
    gateway.clock = None
    gateway.start()
    assert gateway.metric("tidegate_retention_held") == 0
    assert history(own_database) == N_DAYS


def test_what_a_clock_far_behind_stored_is_kept(make_gateway, database):
    gateway = make_gateway(broker=None, retention__ble_detections="90d")
    populate(gateway)
    gateway.clock = "-100d"
    gateway.start()
    item = {"device_hash": "ab" * 32, "rssi": -55}
    answer = gateway.post("/api/v1/detections/bulk", json={"detections": [item]},
                          headers={"Authorization": f"Bearer {gateway.ids['dev-1 token']}"})
    assert answer.status_code == 200
    stored = "SELECT count(*) FROM ble_detections WHERE received_at < now() - interval '99 days'"
    database.wait_for(stored, 1)
    wait_held(gateway, "clock_disagrees")
    assert gateway.terminate() == 0

    database.rows("SELECT tidegate_make_partitions('2020-01-01', '2020-01-01')")
    gateway.clock = None
    gateway.start()
    wait_until(lambda: database.value("SELECT to_regclass('ble_detections_20200101')") is None,
               "retention to have been at work")
    assert database.value(stored) == 1


def test_an_operator_who_keeps_less_gets_what_he_asks_for(make_gateway, own_database):
    gateway = make_gateway(database=own_database, broker=None, retention__raw_logs="30d",
                           database__partitions_ahead="7d")
    gateway.start()
    wait_until(lambda: own_database.value(DAYS) == N_DAYS + 7, "the days ahead")
    assert gateway.terminate() == 0
    gateway.write_conf(retention__raw_logs="7d")
    gateway.start()
    wait_until(lambda: history(own_database) == 8, "the last seven days and today to be left")


def status(broker, **members):
    broker.publish("users/ana/devices/dev-1/status", json.dumps(members))


ODD = {"ahead by a day": lambda: time.time() + 20 * 3600,
       "ahead by minutes": lambda: time.time() + 300, "1970": lambda: 12, "uptime": lambda: 4711, "milliseconds": lambda: 86400123,
       "a GPS week that rolled over": lambda: time.time() - 1024 * 7 * 86400,
       "no time": lambda: "soon"}


@pytest.mark.parametrize("odd", ODD)
def test_a_wrong_clock_hides_nothing_that_comes_after(gateway, broker, database, viewer, odd):
    view = viewer("/ws/devices", "ana")
    view.next_of("device_list")

    def shown():
        device = view.next_of("device_update")["device"]
        return device["status"], device["temperature"]

    status(broker, status="online", temperature=20, timestamp=ODD[odd]())
    assert shown() == ("online", 20)
    status(broker, status="error", temperature=90, timestamp=time.time())
    assert shown() == ("error", 90)
    status(broker, status="warning", temperature=91, timestamp=ODD[odd]())
    assert shown() == ("warning", 91)
    broker.publish("devices/dev-1/status", "offline")  # the last will
    assert shown() == ("offline", 91)
    status(broker, status="online", temperature=92, timestamp=ODD["uptime"]())
    assert shown() == ("online", 92)
    assert database.rows("SELECT count(*), bool_or(late), bool_or(time > received_at), "
                         "bool_or(time < received_at - interval '1 minute') "
                         "FROM device_status_logs") == [(5, False, False, False)]
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_what_was_said_in_place_of_a_time_is_kept_by_every_door(gateway, broker, database):
    odd = "1970-01-01T00:00:12Z"
    ids = gateway.ids
    item = {"device_hash": "ab" * 32, "rssi": -55}
    status(broker, status="online", timestamp=odd)
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"speed": 1, "timestamp": odd}))
    broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": 1,
                                                         "data": {"n": 1, "timestamp": odd}}))
    broker.publish("seano/USV-1/alert", json.dumps({"message": "low", "timestamp": odd}))
    broker.publish("ems/dev-1/telemetry", json.dumps({"n": 1, "timestamp": odd}))
    broker.publish("surveillance/camera/dev-2/event", json.dumps({"event_type": "motion",
                                                                 "timestamp": odd}))
    answer = gateway.post("/api/v1/detections/bulk",
                          json={"timestamp": time.time(), "detections": [
                              item, item | {"timestamp": odd},
                              item | {"timestamp": time.time() - 60}]},
                          headers={"Authorization": f"Bearer {ids['dev-1 token']}"})
    assert answer.status_code == 200
    for table in ("device_status_logs", "vehicle_logs", "sensor_logs", "alerts", "telemetry",
                  "camera_events"):
        database.wait_for(f"SELECT count(*) FROM {table} WHERE device_time = %s"
                          " AND time = received_at", 1, odd)
    said = "SELECT device_time, time = received_at FROM ble_detections ORDER BY item"
    assert database.rows(said) == [(None, False), (odd, True), (None, False)]

    logs = gateway.get("/api/vehicles/USV-1/logs", "ana").json()["items"]
    assert {i["type"]: i["device_time"] for i in logs} == \
        dict.fromkeys(("vehicle_log", "sensor_log", "alert"), odd)
    assert all(i["timestamp"] == i["received_at"] for i in logs)
    [row] = gateway.get("/api/devices/dev-1/telemetry", "ana").json()["items"]
    assert row["device_time"] == odd
    heard = gateway.get("/api/detections?order=asc", "ana").json()["items"]
    assert [i.get("device_time") for i in heard] == [None, odd, None]


def test_what_was_said_in_place_of_a_time_is_pushed_replayed_and_in_a_snapshot(gateway, broker):
    odd, kinds = "soon", ["device_update", "vehicle_log", "telemetry", "alert"]

    def say(n, said):
        beside = {"timestamp": said} if said else {}
        status(broker, status="online", temperature=n, **beside)
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"speed": n, **beside}))
        broker.publish("ems/dev-1/telemetry", json.dumps({"n": n, **beside}))
        broker.publish("seano/USV-1/alert", json.dumps({"message": "low", **beside}))

    def subscribed(**how):
        view = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
        view.next_of("welcome")
        view.send({"op": "subscribe", "id": 1, "to": ["user"], **how})
        return view

    def told(view):
        return {frame["type"]: frame.get("device_time") for frame in (view.next_of(*kinds) for _ in kinds)}

    view = subscribed()
    assert view.next_json()["ok"]
    say(1, None)
    assert told(view) == dict.fromkeys(kinds)
    say(2, odd)
    assert told(view) == dict.fromkeys(kinds, odd)
    since = json.loads(next(frame for frame in view.frames if '"cursor":"' in frame))["cursor"]
    view.close()
    gateway.kill()
    gateway.start()  # what is missed is read from the database, and so is what was last known
    view = subscribed(since=since)
    assert told(view) == dict.fromkeys(kinds)
    assert told(view) == dict.fromkeys(kinds, odd)
    view.close()
    view = subscribed(snapshot=True)
    items = view.next_of("snapshot")["items"]
    assert {i["type"]: i.get("device_time") for i in items if i["type"] in ("vehicle_log", "telemetry")} == \
        {"vehicle_log": odd, "telemetry": odd}
    view.close()


def test_a_last_will_of_a_clock_that_is_behind_is_followed_by_news(gateway, broker, viewer):
    view = viewer("/ws/devices", "ana")
    view.next_of("device_list")
    status(broker, status="online", temperature=20, timestamp=time.time() - 7200)
    broker.publish("devices/dev-1/status", "offline")
    status(broker, status="online", temperature=21, timestamp=time.time() - 7100)
    status(broker, status="error", temperature=9, timestamp=time.time() - 7150)  # it was kept back
    broker.publish("devices/dev-1/status", "warning")
    said = [(d["status"], d["temperature"]) for d in
            (view.next_of("device_update")["device"] for _ in range(4))]
    assert said == [("online", 20), ("offline", 20), ("online", 21), ("online", 21)]


def test_a_vehicle_is_shown_where_it_is_also_after_a_restart(gateway, broker, database, viewer):
    for n, ahead in ((1, 20 * 3600), (2, 0), (3, 50), (4, 0)):  # one is believed, and no newer
        broker.publish("seano/USV-1/vehicle_log", json.dumps(
            {"latitude": n, "longitude": 3, "timestamp": time.time() + ahead}))
        database.wait_for("SELECT count(*) FROM vehicle_logs", n)
    gateway.kill()
    gateway.start()
    view = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    view.next_of("welcome")
    view.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"], "snapshot": True})
    [item] = view.next_of("snapshot")["items"]
    assert item["data"]["latitude"] == 4


def test_a_clock_of_ours_that_was_ahead_hides_nothing_that_comes_after(make_gateway, broker,
                                                                       database):
    """And those of the devices with it: a site whose time server was wrong, and is set right."""
    def say(ahead, status_, n):
        at = time.time() + ahead
        status(broker, status=status_, temperature=n, timestamp=at)
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"latitude": n, "longitude": 3}))
        broker.publish("tfg/detections/raw", json.dumps(
            {"device_id": "dev-1", "detections": [{"device_hash": f"{n:064x}", "rssi": -55}]}))
        for kind in ("face_detected", "recording_stopped" if ahead == 0 else "recording_started"):
            broker.publish("surveillance/camera/dev-2/event", json.dumps(
                {"event_type": kind, "data": {"person_name": "Jo"}, "timestamp": at}))

    gateway = make_gateway()
    populate(gateway)
    gateway.clock = "+20h"
    gateway.start()
    say(20 * 3600, "online", 1)
    database.wait_for("SELECT count(*) FROM camera_events WHERE time > now() + interval '19 h'", 2)
    assert gateway.terminate() == 0
    gateway.clock = None
    gateway.start()
    say(0, "error", 2)
    database.wait_for("SELECT count(*) FROM camera_events", 4)
    gateway.kill()
    gateway.start()

    assert database.rows("SELECT status, temperature, time < now(), last_seen < now()"
                         " FROM device_states WHERE device_id = %s", gateway.ids["dev-1"]) == \
        [("error", 2.0, True, True)]
    assert database.value("SELECT bool_or(late) FROM device_status_logs") is False
    view = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
    view.next_of("welcome")
    view.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"], "snapshot": True})
    [item] = view.next_of("snapshot")["items"]
    assert item["data"]["latitude"] == 2
    view.close()
    seen = gateway.get("/api/faces/statistics", "root").json()
    assert datetime.datetime.fromisoformat(seen["last_recognition"].replace("Z", "+00:00")) < \
        datetime.datetime.now(datetime.timezone.utc)
    assert seen["cameras"]["recording_cameras"] == 0
    heard = gateway.get("/api/v1/statistics/realtime?minutes=5", "root").json()
    assert heard["total"]["unique_devices"] == 1


def test_what_was_shown_during_an_outage_is_not_late_when_it_is_stored(gateway, broker, database,
                                                                       postgres, viewer):
    view = viewer("/ws/devices", "ana")
    view.next_of("device_list")
    begin = time.time() - 100
    status(broker, status="online", temperature=0, timestamp=begin)
    view.next_of("device_update")
    database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    postgres.stop()
    for n in range(1, 9):
        status(broker, status="online", temperature=n, timestamp=begin + n)
        assert view.next_of("device_update")["device"]["temperature"] == n
    status(broker, status="error", temperature=50, timestamp=begin + 3.5)  # this one is
    assert view.next_of("device_update")["device"]["temperature"] == 8
    postgres.start()
    database.wait_for("SELECT count(*) FROM device_status_logs", 10)
    late = "SELECT temperature FROM device_status_logs WHERE late"
    assert database.rows(late) == [(50.0,)]
    database.wait_for("SELECT temperature FROM device_states WHERE device_id = %s", 8.0,
                      gateway.ids["dev-1"])
    assert gateway.metric("tidegate_state_late_total") == 1


def clock(gateway, device="dev-1"):
    return gateway.get(f"/api/devices/{device}", "ana").json()["clock"]


def wait_clock(gateway, verdict, offset_s=None):
    """Within a second, as the times that are sent here are of whole milliseconds and more."""
    def is_so():
        said = clock(gateway)
        return said and said["verdict"] == verdict and (
            said["offset_ms"] is None if offset_s is None else
            abs(said["offset_ms"] - offset_s * 1000) < 1000)
    wait_until(is_so, f"the clock to be {verdict}")


def local(ahead):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.mark.parametrize("verdict, offset_s, said", [
    ("ok", 30, lambda: time.time() + 30), ("ahead", 300, lambda: time.time() + 300),
    ("behind", -500, lambda: time.time() - 500), ("no_clock", None, lambda: 4711),
    ("no_clock", None, lambda: "soon"), ("local_time", 7 * 3600, lambda: local(7 * 3600)),
    ("ahead", 7 * 3600, lambda: local(8 * 3600).replace(" ", "T") + "+01:00")])
def test_whose_clock_is_off_is_told(make_gateway, broker, verdict, offset_s, said):
    gateway = make_gateway(database__survey="200ms")
    populate(gateway)
    gateway.start()
    assert clock(gateway) is None
    hub = Viewer(gateway, "/ws/devices", gateway.token("ana"))
    hub.next_of("device_list")
    view = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
    view.next_of("welcome")
    view.send({"op": "subscribe", "id": 1, "to": ["device/dev-1"]})
    assert view.next_json()["ok"]
    status(broker, status="online", timestamp=said())
    assert "clock" not in hub.next_of("device_update")["device"]  # its clients are strict
    assert view.next_of("device_update")["device"]["clock"]["verdict"] == verdict
    wait_clock(gateway, verdict, offset_s)
    wait_until(lambda: gateway.metric("tidegate_device_clocks", verdict=verdict) == 1,
               "the clock to be counted")
    hub.close()
    view.close()
    gateway.kill()
    gateway.start()
    wait_clock(gateway, verdict, offset_s)
    listed = gateway.cli("device", "list").stdout
    [line] = [li for li in listed.splitlines() if "dev-1" in li]
    assert verdict in line
    for _ in range(3):
        status(broker, status="online", timestamp=time.time())
    wait_clock(gateway, "ok", 30 if offset_s == 30 else 0)


def vehicle_clock(gateway):
    return gateway.get("/api/vehicles/USV-1", "ana").json()["clock"]


def position(broker, timestamp):
    broker.publish("seano/USV-1/vehicle_log",
                   json.dumps({"latitude": 47.5, "longitude": 19, "timestamp": timestamp}))


def wait_vehicle_clock(gateway, verdict, offset_s):
    def is_so():
        said = vehicle_clock(gateway)
        return said and said["verdict"] == verdict and (
            said["offset_ms"] is None if offset_s is None else
            abs(said["offset_ms"] - offset_s * 1000) < 2000)
    wait_until(is_so, f"the clock of the vehicle to be {verdict}")


@pytest.mark.parametrize("verdict, offset_s, said", [
    ("ok", 30, lambda: time.time() + 30), ("ahead", 300, lambda: time.time() + 300),
    ("behind", -500, lambda: time.time() - 500), ("no_clock", None, lambda: 4711),
    ("local_time", 7 * 3600, lambda: local(7 * 3600))])
def test_a_vehicle_whose_clock_is_off_is_told(make_gateway, broker, verdict, offset_s, said):
    gateway = make_gateway(database__survey="200ms")
    populate(gateway)
    gateway.start()
    assert vehicle_clock(gateway) is None
    position(broker, said())
    wait_vehicle_clock(gateway, verdict, offset_s)
    assert gateway.get("/api/vehicles", "ana").json()["items"][0]["clock"]["verdict"] == verdict
    assert clock(gateway) is None
    wait_until(lambda: gateway.metric("tidegate_vehicle_clocks", verdict=verdict) == 1,
               "the clock to be counted")
    gateway.kill()
    gateway.start()
    wait_vehicle_clock(gateway, verdict, offset_s)
    [line] = [li for li in gateway.cli("vehicle", "list").stdout.splitlines() if "USV-1" in li]
    assert verdict in line
    for _ in range(3):
        position(broker, time.time())
    wait_vehicle_clock(gateway, "ok", 30 if offset_s == 30 else 0)


def test_a_clock_of_a_vehicle_that_was_read_while_the_database_was_away_is_kept(
        gateway, broker, database, postgres, viewer):
    view = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    view.next_of("welcome")
    view.send({"op": "subscribe", "id": 1, "to": ["vehicle/USV-1"]})
    assert view.next_json()["ok"]
    postgres.stop()
    position(broker, time.time() + 300)
    view.next_of("vehicle_log")
    wait_vehicle_clock(gateway, "ahead", 300)
    postgres.start()
    database.wait_for("SELECT clock FROM vehicle_clocks", "ahead")


def test_whether_a_camera_records_is_what_it_said_last(gateway, broker, database):
    def camera(kind, **members):
        camera.n += 1
        broker.publish("surveillance/camera/dev-2/event", json.dumps({"event_type": kind} | members))
        database.wait_for("SELECT count(*) FROM camera_events", camera.n)
        return database.value("SELECT recording FROM camera_states")

    camera.n = 0
    behind = time.time() - 7200
    assert camera("recording_started", timestamp=time.time() + 50) is True
    assert camera("recording_stopped") is False  # without a time, it loses to no clock
    assert camera("recording_started", timestamp=time.time()) is True
    assert camera("recording_stopped", timestamp=time.time() - 60) is True  # it was kept back
    database.rows("UPDATE camera_states SET recording_time = NULL")
    assert camera("recording_stopped", timestamp=behind) is False
    assert camera("recording_started") is True
    assert camera("recording_stopped", timestamp=behind + 10) is False


def test_a_device_that_counts_from_its_start_is_not_late_once_it_starts_anew(gateway, broker,
                                                                            database, viewer):
    """Inside of what is believed: its clock begins on the day on which its program was built."""
    built = time.time() - 30 * 86400
    view = viewer("/ws/devices", "ana")
    view.next_of("device_list")
    status(broker, status="online", temperature=0, timestamp=built + 5 * 86400)  # up for five days
    assert view.next_of("device_update")["device"]["temperature"] == 0
    begin, n = time.time(), 0

    def is_shown():
        nonlocal n
        n += 1
        status(broker, status="online", temperature=n, timestamp=built + time.time() - begin)
        return view.next_of("device_update")["device"]["temperature"] == n
    wait_until(is_shown, "what comes after the start to be news")
    assert time.time() - begin < 60
    gateway.kill()
    gateway.start()
    shown = gateway.get("/api/devices/dev-1", "ana").json()
    assert shown["temperature"] == n and shown["clock"]["verdict"] == "behind"
    status(broker, status="error", temperature=99, timestamp=built + time.time() - begin)
    database.wait_for("SELECT temperature FROM device_states WHERE device_id = %s", 99.0,
                      gateway.ids["dev-1"])


def test_what_a_device_kept_while_it_was_away_is_late_and_its_own(gateway, broker, database,
                                                                  viewer):
    view = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    view.next_of("welcome")
    view.send({"op": "subscribe", "id": 1, "to": ["device/dev-1"]})
    assert view.next_json()["ok"]
    now = time.time()
    times = [now, *(now - 3600 + i * 10 for i in range(200))]
    for n, at in enumerate(times):
        broker.publish("ems/dev-1/telemetry", json.dumps({"n": n, "timestamp": at}))
    came = [view.next_of("telemetry") for _ in times]
    assert [c["data"]["n"] for c in came] == list(range(201))
    assert [c.get("late", False) for c in came] == [False] + [True] * 200
    assert database.value("SELECT count(*) FROM telemetry WHERE time < received_at - interval "
                          "'20 minutes' AND device_time IS NULL") == 200
    assert clock(gateway)["verdict"] == "ok"


def test_a_socket_and_an_answer_are_doors_like_others(make_gateway, broker, database):
    """Without a route for telemetry, too: those doors need none."""
    gateway = make_gateway()
    gateway.routes = "[route telemetry]\nenabled = off\n"
    gateway.write_conf(time__oldest="7d")
    populate(gateway)
    gateway.start()
    device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    week = time.time() - 8 * 86400
    for n, at in enumerate((week, time.time() - 3600)):
        device.send(json.dumps({"n": n, "timestamp": at}))
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert database.rows("SELECT device_time, time = received_at FROM telemetry ORDER BY seq") == \
        [(str(week), True), (None, False)]
    device.close()

    mqtt = MqttDevice(broker, "dev-1")
    asked = command(gateway)
    mqtt.next()
    mqtt.ack(json.dumps({"command_id": asked, "status": "ok", "timestamp": 12}))
    wait_for_state(database, asked, "done")
    mqtt.disconnect()
    assert database.rows("SELECT device_time, time = received_at FROM command_events "
                         "WHERE state = 'done'") == [("12", True)]


def test_a_wrong_clock_that_is_shown_in_an_outage_is_stored_as_it_was_shown(gateway, broker,
                                                                           database, postgres,
                                                                           viewer):
    view = viewer("/ws/devices", "ana")
    view.next_of("device_list")
    status(broker, status="online", temperature=0, timestamp=time.time())
    view.next_of("device_update")
    database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    postgres.stop()
    for n in range(1, 4):
        status(broker, status="online", temperature=n, timestamp=time.time() + 300)
        assert view.next_of("device_update")["device"]["temperature"] == n
    broker.publish("devices/dev-1/status", "offline")  # the last will
    assert view.next_of("device_update")["device"]["status"] == "offline"
    wait_clock(gateway, "ahead", 300)
    gateway.kill()  # and the journal is read again
    postgres.start()
    gateway.start()
    database.wait_for("SELECT count(*) FROM device_status_logs", 5)
    wait_clock(gateway, "ahead", 300)
    assert database.rows("SELECT count(device_time), bool_or(late), bool_and(time <= received_at)"
                         " FROM device_status_logs") == [(3, False, True)]
    assert database.rows("SELECT status, temperature, clock FROM device_states WHERE device_id = %s",
                         gateway.ids["dev-1"]) == [("offline", 3.0, "ahead")]


def test_a_letter_that_comes_back_says_nothing_of_the_clock(gateway, broker, database):
    """It was on its way for as long as somebody took to create its device."""
    for at in (12, time.time() - 30):
        broker.publish("devices/dev-9/status", json.dumps({"status": "online", "timestamp": at}))
    database.wait_for("SELECT count(*) FROM dead_letters", 2)
    database.rows("SELECT tidegate_make_partitions((now() - interval '2 hours')::date, now()::date)")  # just after midnight
    database.rows("UPDATE dead_letters SET received_at = received_at - interval '1 hour'")
    first = database.value("SELECT min(received_at) FROM dead_letters")
    gateway.add_device("dev-9", "ana")
    wait_until(lambda: gateway.get("/api/devices/dev-9", "ana").status_code == 200, "the device")
    assert gateway.cli("dead-letters", "replay", "--reason", "unknown_device").stdout.strip()
    rows = database.rows("SELECT device_time, time = %s FROM device_status_logs ORDER BY seq", first)
    assert rows[0] == ("12", True)  # its receipt was then
    assert rows[1][0] is not None  # it was ahead of that, as the hour was taken from it
    assert clock(gateway, "dev-9") is None


def test_a_last_will_is_shown_with_its_own_time_also_in_a_snapshot(gateway, broker, database,
                                                                   viewer):
    def shown():
        view = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
        view.next_of("welcome")
        view.send({"op": "subscribe", "id": 1, "to": ["device/dev-1"], "snapshot": True})
        [item] = view.next_of("snapshot")["items"]
        return item["device"]["status"], item["timestamp"]

    status(broker, status="online", timestamp=time.time() - 3600)
    broker.publish("devices/dev-1/status", "offline")
    database.wait_for("SELECT count(*) FROM device_status_logs", 2)
    received = database.value("SELECT max(received_at) FROM device_status_logs")
    will = ("offline", received.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z")
    assert shown() == will
    gateway.kill()
    gateway.start()
    assert shown() == will
