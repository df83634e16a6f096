"""A dead letter that is replayed goes when its message is a row, and is never taken for news."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from waiting import wait_until

LETTERS = "SELECT count(*) FROM dead_letters"
AGE = "interval '5 hours'"


def age(database):
    """As if all dead letters had come hours ago."""
    database.rows(f"SELECT tidegate_make_partitions((now() - {AGE})::date, (now() - {AGE})::date)")
    database.rows(f"UPDATE dead_letters SET received_at = received_at - {AGE}")


def replay(gateway, *what):
    done = gateway.cli("dead-letters", "replay", *what, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


def test_letters_that_nobody_can_use_stay(gateway, broker, database):
    for i in range(5):
        broker.publish("nobody/listens/here", f"{i}")
        broker.publish("seano/USV-9/raw_log", f"{i}")
    database.wait_for(LETTERS, 5)
    age(database)
    before = database.rows("SELECT received_at, payload FROM dead_letters ORDER BY 1")
    code, said, why = replay(gateway, "--reason", "unknown_vehicle")
    assert (code, said) == (1, "replayed 0")
    assert why.count(": unknown_vehicle\n") == 5 and "5 stay dead letters: unknown_vehicle 5\n" in why
    assert database.rows("SELECT received_at, payload FROM dead_letters ORDER BY 1") == before
    assert database.value("SELECT count(*) FROM replays") == 0
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_without_a_gateway_nothing_happens_to_them(gateway, broker, database):
    broker.publish("seano/USV-9/raw_log", "too early")
    database.wait_for(LETTERS, 1)
    gateway.add_vehicle("USV-9", "ana")
    gateway.terminate()
    code, said, why = replay(gateway, "--reason", "unknown_vehicle")
    assert (code, said) == (1, "replayed 0") and "is it running" in why
    assert database.value(LETTERS) == 1
    gateway.start()
    assert replay(gateway, "--reason", "unknown_vehicle")[:2] == (0, "replayed 1")
    assert database.value(LETTERS) == 0
    assert database.value("SELECT count(*) FROM raw_logs") == 1


def test_a_gateway_that_ends_on_the_way_stores_each_of_them_once(gateway, broker, database):
    for i in range(40):
        broker.publish("seano/USV-9/raw_log", f"{i}")
    database.wait_for(LETTERS, 40)
    gateway.add_vehicle("USV-9", "ana")
    rows = "SELECT count(*) FROM raw_logs"
    database.rows("INSERT INTO replays (letter_id) SELECT id FROM dead_letters")
    wait_until(lambda: database.value("SELECT count(*) FROM replays WHERE claimed_by IS NOT NULL"),
               "the gateway to take them", step=0.001)
    gateway.kill()
    gateway.start()
    database.wait_for("SELECT count(*) FROM replays WHERE outcome = 'stored'", 40)
    assert database.value(LETTERS) == 0
    assert database.value(rows) == 40
    assert database.value("SELECT count(DISTINCT logs) FROM raw_logs") == 40
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "the journal to be stored")
    assert database.value(rows) == 40


def test_without_mqtt_and_by_every_door(make_gateway, database):
    gateway = make_gateway(broker=None)
    gateway.add_user("ana")
    gateway.start()
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    database.rows("INSERT INTO dead_letters (seq, received_at, journal_id, reason, topic, payload)"
                  " VALUES (1, now(), 1, 'unknown_device', 'ws/device/dev-7', '{\"v\":1}'),"
                  " (2, now(), 1, 'unknown_vehicle', 'seano/USV-7/raw_log', 'x')")
    gateway.add_device("dev-7", "ana")
    gateway.add_vehicle("USV-7", "ana")
    ids = [str(i) for (i,) in database.rows("SELECT id FROM dead_letters")]
    assert replay(gateway, *ids)[:2] == (0, "replayed 2")
    assert database.value("SELECT count(*) FROM telemetry") == 1
    assert database.value("SELECT count(*) FROM raw_logs") == 1


def test_an_old_position_does_not_become_the_latest(gateway, broker, database):
    broker.publish("seano/USV-9/vehicle_log", '{"latitude":-6,"longitude":106}')
    database.wait_for(LETTERS, 1)
    age(database)
    gateway.ids["USV-9"] = gateway.add_vehicle("USV-9", "ana")

    def known():
        broker.publish("seano/USV-9/vehicle_log", '{"latitude":-7,"longitude":107}')
        return database.value("SELECT count(*) FROM vehicle_logs WHERE latitude = -7") > 0
    wait_until(known, "the vehicle to be known", step=0.2)
    first = database.value("SELECT min(received_at) FROM dead_letters")
    assert replay(gateway, "--reason", "unknown_vehicle")[1] != "replayed 0"
    database.wait_for("SELECT count(*) FROM vehicle_logs WHERE latitude = -6", 1)
    assert database.value("SELECT time FROM vehicle_logs WHERE latitude = -6") == first
    newest = database.rows("SELECT latitude FROM vehicle_logs ORDER BY time DESC LIMIT 1")
    assert newest == [(-7.0,)]


def test_an_old_alarm_is_late_and_rings_nowhere(gateway, broker, database, viewer):
    plain = viewer("/api/ws/statistics", "ana")
    native = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    native.send({"op": "subscribe", "id": 1, "to": ["alerts", "vehicle/*"]})
    native.next_of("welcome")
    broker.publish("seano/USV-9/alert", '{"severity":"critical","message":"long ago"}')
    database.wait_for(LETTERS, 1)
    age(database)
    gateway.add_vehicle("USV-9", "ana")
    assert replay(gateway, "--reason", "unknown_vehicle")[:2] == (0, "replayed 1")
    frame = native.next_of("alert")
    assert (frame["message"], frame["late"]) == ("long ago", True)
    broker.publish("seano/USV-1/alert", '{"severity":"info","message":"now"}')
    assert plain.next_of("alert")["message"] == "now"


def test_two_replays_at_once_do_not_tell_of_each_others_letters(gateway, broker, database):
    broker.publish("seano/USV-9/raw_log", "early")
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    letter = str(database.value("SELECT id FROM dead_letters"))
    gateway.cli("vehicle", "add", "USV-9", "--user", "ana")
    gateway.freeze()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(replay, gateway, "--reason", "unknown_vehicle")
        wait_until(lambda: database.value("SELECT count(*) FROM replays") == 1, "the first to ask")
        code, said, why = replay(gateway, letter)
        gateway.thaw()
        assert (code, said) == (1, "") and "another `dead-letters replay` is under way" in why
        assert first.result()[:2] == (0, "replayed 1")
    assert database.value("SELECT count(*) FROM raw_logs") == 1
    code, said, why = replay(gateway, letter)  # the second asks again
    assert (code, said) == (1, "replayed 0") and "1 were no dead letters any more" in why
    assert "stay dead letters" not in why
