"""Whoever invents names (sensors, people) fills what is his, and nobody else's."""
import json

from conftest import populate
from waiting import wait_until


def reading(vehicle, sensor, value=1):
    return f"seano/{vehicle}/sensor_log", json.dumps({"sensor_id": sensor, "data": {"v": value}})


def settled(database, table, n):
    wait_until(lambda: database.value(f"SELECT (SELECT count(*) FROM dead_letters)"
                                      f" + (SELECT count(*) FROM {table})") == n,
               "each to be a row or a letter")


def test_a_vehicle_has_no_more_than_so_many_sensors(make_gateway, database, publisher, viewer):
    gateway = make_gateway(registry__max_sensors=5)
    populate(gateway)
    gateway.start()
    ana = viewer("/api/ws", "ana")
    for n in range(40):
        publisher.publish(*reading("USV-1", n))
    for n in range(3, 6):
        publisher.publish(*reading("USV-2", n))  # another's has its own
        publisher.publish(*reading("USV-1", n, 2))  # what is known goes on; 5 is not
    publisher.flush()
    settled(database, "sensor_logs", 46)
    assert database.rows("SELECT vehicle_id, array_agg(sensor_id ORDER BY sensor_id) FROM sensors"
                         " GROUP BY 1 ORDER BY 1") == [
        (gateway.ids["USV-1"], [0, 1, 2, 3, 4]), (gateway.ids["USV-2"], [3, 4, 5])]
    assert database.rows("SELECT reason, topic, detail FROM dead_letters WHERE seq ="
                         " (SELECT min(seq) FROM dead_letters)") == [
        ("unknown_sensor", "seano/USV-1/sensor_log",
         "sensor_id: 5 is new, and the vehicle has as many as registry.max_sensors lets it")]
    assert database.value("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_sensor'") == 36
    assert gateway.metric("tidegate_dead_lettered_total", reason="unknown_sensor") == 36
    wait_until(lambda: gateway.metric("tidegate_sensors") == 8, "the gauge")
    assert gateway.log().count("sensors_full") == 1
    ana.wait_for(lambda texts: sum('"sensor_log"' in t for t in texts) == 7, "what ana may see")

    gateway.terminate()  # the next start knows them from the table
    gateway.start()
    publisher.publish(*reading("USV-1", 4, 3))
    publisher.publish(*reading("USV-1", 77, 3))
    publisher.flush()
    settled(database, "sensor_logs", 48)
    assert database.value("SELECT count(*) FROM dead_letters WHERE detail LIKE '%% 77 %%'") == 1


def test_room_that_is_made_is_seen_and_letters_come_back(make_gateway, database, publisher):
    gateway = make_gateway(registry__max_sensors=2, journal__check="200ms")
    populate(gateway)
    gateway.start()
    for n in range(3):
        publisher.publish(*reading("USV-1", n))
    publisher.flush()
    settled(database, "sensor_logs", 3)
    database.rows("DELETE FROM sensors WHERE sensor_id = 0")
    wait_until(lambda: "replayed 1" in gateway.cli("dead-letters", "replay", "--reason",
                                               "unknown_sensor", check=False).stdout,
               "the letter to come back")
    assert database.value("SELECT count(*) FROM sensor_logs") == 3
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_what_is_shown_while_the_database_is_away_counts_as_well(make_gateway, database, postgres,
                                                                 publisher, viewer):
    gateway = make_gateway(registry__max_sensors=5)
    populate(gateway)
    gateway.start()
    publisher.publish(*reading("USV-1", 0))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM sensor_logs", 1)
    ana = viewer("/api/ws", "ana")
    postgres.stop()
    for n in range(1, 30):
        publisher.publish(*reading("USV-1", n))
    publisher.publish("seano/USV-1/raw_log", "behind them")
    publisher.flush()
    ana.wait_for(lambda texts: any("behind them" in t for t in texts), "what came behind them")
    assert sum('"sensor_log"' in t for t in ana.frames) == 4
    postgres.start()
    settled(database, "sensor_logs", 30)
    assert database.value("SELECT count(*) FROM sensors") == 5
    assert database.value("SELECT count(*) FROM sensor_logs") == 5


def seen(camera, person):
    return f"surveillance/camera/{camera}/event", json.dumps({
        "event_type": "face_recognized", "data": {"person_name": person, "confidence": 0.9}})


def test_a_camera_has_no_more_than_so_many_people_counted(make_gateway, database, publisher):
    gateway = make_gateway(registry__max_people=5, database__survey="200ms")
    populate(gateway)
    gateway.start()
    for n in range(40):
        publisher.publish(*seen("dev-1", f"person {n % 30}"))  # the last ten are known, or are not
    for n in range(3):
        publisher.publish(*seen("dev-2", f"person {n}"))  # another camera has its own
    publisher.flush()
    database.wait_for("SELECT count(*) FROM camera_events", 43)
    assert database.value("SELECT count(*) FROM dead_letters") == 0, "an event is an event"
    assert database.rows("SELECT device_id, count(*) FROM camera_people GROUP BY 1 ORDER BY 1") == [
        (gateway.ids["dev-1"], 5), (gateway.ids["dev-2"], 3)]
    assert database.rows("SELECT device_id, people FROM camera_states ORDER BY 1") == [
        (gateway.ids["dev-1"], 5), (gateway.ids["dev-2"], 3)]
    wait_until(lambda: gateway.metric("tidegate_people") == 8
               and gateway.metric("tidegate_people_refused_total") >= 25, "the counts")
    assert gateway.get("/api/statistics", "ana").json()["total_people"] == 5

    wait_until(lambda: publisher.publish(*seen("dev-1", "nobody")) or
               gateway.log().count("people_full"), "the log to say so")
    database.rows("DELETE FROM camera_people WHERE device_id = %s", gateway.ids["dev-1"])
    database.rows("UPDATE camera_states SET people_counted_at = now() - interval '2 minutes'")
    publisher.publish(*seen("dev-1", "the next one"))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM camera_people WHERE person_name = 'the next one'", 1)


def test_who_is_known_goes_on_being_seen(make_gateway, database, publisher):
    database.rows("INSERT INTO camera_people SELECT 1, 'old ' || n, now() - interval '9 days'"
                  " FROM generate_series(1, 20) n")
    database.rows("INSERT INTO camera_states (device_id, last_event_at, people)"
                  " VALUES (1, now() - interval '9 days', 20)")
    gateway = make_gateway(registry__max_people=5)
    populate(gateway)
    gateway.start()
    for name in ("old 7", "new", "old 8"):
        publisher.publish(*seen("id:1", name))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM camera_events", 3)
    assert database.rows("SELECT person_name FROM camera_people WHERE last_seen > now() - interval"
                         " '1 hour' ORDER BY 1") == [("old 7",), ("old 8",)]
    assert database.value("SELECT people_refused FROM camera_states") == 1


def test_what_one_device_sends_too_large_is_said_once(make_gateway, database, publisher):
    gateway = make_gateway(journal__segment_bytes="64K")
    populate(gateway)
    gateway.start()
    for n in range(50):
        publisher.publish("devices/dev-1/status", f"{n} " + "x" * 100000)
    publisher.flush()
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'too_large'", 50)
    assert gateway.log().count("message_cut bytes=") == 1
