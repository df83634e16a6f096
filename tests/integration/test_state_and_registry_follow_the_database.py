"""Latest state is never moved back; what changes in the database is known within a second."""
import datetime
import json

import pytest

from waiting import wait_until

YESTERDAY = f"{datetime.date.today() - datetime.timedelta(days=1)}"  # a time that is believed


def status(gateway, broker, at, **members):
    broker.publish("users/ana/devices/dev-1/status", json.dumps(
        {"status": "online", "timestamp": at, **members}))


def test_late_data_is_stored_but_never_moves_the_state_back(gateway, broker, database, viewer):
    v = viewer("/ws/devices", "ana")
    v.next_of("device_list")
    status(gateway, broker, f"{YESTERDAY}T16:30:00Z", temperature=30.0)
    assert v.next_of("device_update")["device"]["temperature"] == 30.0
    status(gateway, broker, f"{YESTERDAY}T16:00:00Z", temperature=10.0)
    status(gateway, broker, f"{YESTERDAY}T16:31:00Z", humidity=50.0)
    v.wait_for(lambda texts: any('"humidity":50' in t for t in texts), "the newest state")
    assert json.loads(v.frames[-1])["device"]["temperature"] == 30.0
    database.wait_for("SELECT count(*) FROM device_states WHERE device_id = %s"
                      " AND temperature = 30 AND humidity = 50", 1, gateway.ids["dev-1"])
    assert gateway.metric("tidegate_state_late_total") == 1

    # also not after a restart, when the state comes from the database
    assert gateway.terminate() == 0
    gateway.start()
    status(gateway, broker, f"{YESTERDAY}T16:00:00Z", temperature=11.0)
    wait_until(lambda: gateway.metric("tidegate_state_late_total") == 1, "late data")
    assert database.value("SELECT temperature FROM device_states WHERE device_id = %s",
                          gateway.ids["dev-1"]) == 30.0


def test_late_vehicle_logs_are_stored(gateway, broker, database):
    for at, speed in ((f"{YESTERDAY}T16:30:00Z", 2), (f"{YESTERDAY}T16:00:00Z", 1)):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"speed": speed, "timestamp": at}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 2)
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_many_updates_of_one_device_leave_the_last_one(gateway, database, publisher):
    for n in range(2000):
        publisher.publish("users/ana/devices/dev-1/status", json.dumps(
            {"status": "online", "temperature": n / 10}))
    publisher.flush()
    database.wait_for("SELECT temperature FROM device_states WHERE device_id = %s", 199.9,
                      gateway.ids["dev-1"])


def test_the_state_survives_a_restart(gateway, broker, database, viewer):
    status(gateway, broker, f"{YESTERDAY}T16:30:00Z", temperature=21.5)
    database.wait_for("SELECT count(*) FROM device_states WHERE temperature = 21.5", 1)
    gateway.kill()
    gateway.start()
    [device] = viewer("/ws/devices", "ana").next_of("device_list")["devices"]
    assert (device["status"], device["temperature"]) == ("online", 21.5)


@pytest.mark.parametrize("time", ["-infinity", "infinity"])
def test_history_with_a_time_that_cannot_be_counted_stops_no_start(gateway, broker, database, time):
    """As somebody may move it in by SQL, where it is all that there is of a thing."""
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"speed": 1}))
    broker.publish("seano/USV-2/vehicle_log", json.dumps({"speed": 2}))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 2)
    database.rows("UPDATE vehicle_logs SET time = %s WHERE speed = 1", time)
    database.rows("INSERT INTO telemetry (seq, received_at, time, journal_id, device_id, payload)"
                  " SELECT seq, received_at, time, journal_id, %s, '{}' FROM vehicle_logs WHERE speed = 1", gateway.ids["dev-1"])
    gateway.kill()
    gateway.start()
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"speed": 3}))
    database.wait_for("SELECT count(*) FROM vehicle_logs WHERE speed = 3", 1)


def test_a_vehicle_that_is_added_while_it_runs_is_known(gateway, broker, database, viewer):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    broker.publish("seano/USV-new/raw_log", "too early")
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    gateway.add_vehicle("USV-new", "ana")

    def arrives():
        broker.publish("seano/USV-new/raw_log", "known")
        return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'known'") > 0
    wait_until(arrives, "the new vehicle", step=0.05)
    assert v.next_of("raw_log")["data"] == "known"


def test_a_device_that_changes_hands_is_shown_to_its_new_owner_alone(gateway, broker, database,
                                                                     viewer):
    ana, ben = viewer("/ws/devices", "ana"), viewer("/ws/devices", "ben")
    for v in (ana, ben):
        v.next_of("device_list")
    database.rows("UPDATE devices SET user_id = %s WHERE code = 'dev-1'", gateway.ids["ben"])

    def taken():
        broker.publish("users/ben/devices/dev-1/status", '{"status":"online","temperature":5}')
        return any('"temperature":5' in t for t in ben.frames)
    wait_until(taken, "the new owner to see it", step=0.05)
    assert not any('"temperature":5' in t for t in ana.frames)


def test_changes_made_while_the_listener_was_away_are_caught_up(gateway, broker, database,
                                                                postgres):
    postgres.stop()
    postgres.start()
    gateway.add_vehicle("USV-late", "ana")
    gateway.wait_ready()

    def arrives():
        broker.publish("seano/USV-late/raw_log", "known")
        return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'known'") > 0
    wait_until(arrives, "the new vehicle", step=0.05)


def test_sensors_get_their_row_on_first_sight(gateway, broker, database):
    for n in (1, 2, 1):
        broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": n, "data": {}}))
    database.wait_for("SELECT count(*) FROM sensor_logs", 3)
    assert database.rows("SELECT sensor_id FROM sensors WHERE vehicle_id = %s ORDER BY 1",
                         gateway.ids["USV-1"]) == [(1,), (2,)]
