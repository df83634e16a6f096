"""A database that is older than the journal (restored, failed over) is filled again, once, in order."""
import re
import signal

import pytest

from backup import Backup
from conftest import populate
from viewers import Viewer
from waiting import wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY seq"


def logs_of(database):
    return [row[0] for row in database.rows(LOGS)]


def publish(publisher, numbers, size=0):
    for n in numbers:
        publisher.publish("seano/USV-1/raw_log", f"{n}" + "x" * size)
    publisher.flush()


def stored(database, n):
    database.wait_for("SELECT count(*) FROM raw_logs", n)


def balanced(gateway):
    def holds():
        a = gateway.get("/api/ws/stats", "root").json()["accounting"]
        return a["in_journal"] == 0 and a["received"] == \
            a["committed"] + a["dead_lettered"] + a["duplicate"]

    wait_until(holds, "the accounting to balance")
    wait_until(lambda: gateway.database.value("SELECT checked_seq = seq FROM journal_positions"),
               "the books to be compared", timeout=90)
    assert gateway.metric("tidegate_accounting_drift") == 0


def shown_of(frames):
    """The numbers of the raw logs among them."""
    return [int(found[1]) for text in frames for found in [re.search(r'"(\d+)"', text)]
            if found and "raw_log" in text]


@pytest.fixture
def older(make_gateway, database, postgres):
    gateway = make_gateway(journal__check="300ms", database__stall_timeout="2s")
    populate(gateway)
    return gateway.start()


@pytest.mark.parametrize("when", ["stopped", "running", "away"])
def test_restored_database_is_filled_again(older, when, database, postgres, publisher):
    publish(publisher, range(10))
    stored(database, 10)
    backup = Backup(postgres, database)
    viewer, first = Viewer(older, "/api/ws", older.token("ana")), 10
    publish(publisher, range(10, 40))
    stored(database, 40)
    if when == "stopped":
        assert older.terminate() == 0
        backup.restore()
        older.start()
        viewer, first = Viewer(older, "/api/ws", older.token("ana")), 40
    elif when == "running":
        backup.restore()
    else:
        postgres.stop(signal.SIGQUIT)
        publish(publisher, range(40, 50))
        postgres.start()
        backup.restore()
    n = 50 if when == "away" else 40
    stored(database, n)
    publish(publisher, range(n, n + 5))
    stored(database, n + 5)
    assert logs_of(database) == [str(k) for k in range(n + 5)]
    balanced(older)
    assert older.process.poll() is None
    if when != "away":  # there the backend may have connected to either first
        assert "database_older position=" in older.log()
    assert "journal_gap" not in older.log()
    viewer.wait_for(lambda frames: len(shown_of(frames)) >= n + 5 - first, "all that is new")
    assert shown_of(viewer.frames) == list(range(first, n + 5))  # nothing twice
    viewer.close()
    assert older.cli("journal", "verify").returncode == 0


def test_what_a_device_last_said_is_known_again(older, database, postgres, publisher):
    def says(number):
        publisher.publish("users/ana/devices/dev-1/status", f'{{"status": "online", "temperature": {number}}}')
        database.wait_for("SELECT temperature FROM device_states", number)

    says(1)
    backup = Backup(postgres, database)
    says(2)
    publish(publisher, range(10))
    stored(database, 10)
    backup.restore()
    stored(database, 10)
    database.wait_for("SELECT temperature FROM device_states", 2)
    assert "database_older position=" in older.log()


def test_what_the_journal_has_no_more_is_named(make_gateway, database, postgres, publisher):
    small = make_gateway(journal__max_bytes="512K", journal__min_free_bytes="0",
                         journal__check="300ms")
    populate(small)
    small.start()
    publish(publisher, range(10))
    stored(database, 10)
    backup = Backup(postgres, database)
    first = database.value("SELECT seq FROM journal_positions")
    publish(publisher, range(10, 110), size=10000)
    stored(database, 110)
    assert small.terminate() == 0
    backup.restore()
    small.start()
    wait_until(lambda: database.value("SELECT max(seq) FROM raw_logs") > first, "refilling")
    publish(publisher, [110])
    wait_until(lambda: logs_of(database)[-1] == "110", "all that is left to be stored")

    after, last = database.rows("SELECT after_seq, last_seq FROM journal_differences")[0]
    assert after == first and f"journal_gap after={after} last={last} " in small.log()
    kept = database.value("SELECT count(*) FROM raw_logs WHERE seq > %s", last)
    assert database.value("SELECT count(*) FROM raw_logs") == 10 + kept
    assert [text.rstrip("x") for text in logs_of(database)[10:]] == \
        [str(n) for n in range(111 - kept, 111)]
    assert small.metric("tidegate_journal_gaps") == 1
    answer = small.get("/readyz")
    assert answer.status_code == 200 and answer.json()["notes"] == ["journal_gap"]

    small.kill()
    small.start()
    assert small.get("/readyz").json()["notes"] == ["journal_gap"]
    found = small.cli("journal", "verify", check=False)
    assert found.returncode == 1 and "open gaps: 1" in found.stdout
    small.cli("journal", "verify", "--accept")
    wait_until(lambda: "notes" not in small.get("/readyz").json(), "the note to go")
    assert small.cli("journal", "verify").returncode == 0


def test_an_empty_database_and_one_with_rows_too_many(older, database, postgres, publisher):
    """Neither the epoch's row is there, nor are rows behind the position stored a second time."""
    publish(publisher, range(10))
    stored(database, 10)
    assert older.terminate() == 0
    database.rows("UPDATE journal_positions SET seq = (SELECT seq FROM raw_logs ORDER BY seq"
                  " OFFSET 3 LIMIT 1), stored = 4, checked_seq = 0, checked_stored = 0")
    database.rows("DELETE FROM raw_logs WHERE logs IN ('5', '8')")
    older.start()
    stored(database, 10)
    publish(publisher, [10])
    stored(database, 11)
    assert logs_of(database) == [str(n) for n in range(11)]
    assert "rows_behind_position" in older.log()
    balanced(older)

    database.rows("TRUNCATE raw_logs")
    database.rows("DELETE FROM journal_positions")
    older.kill()
    older.start()
    stored(database, 11)
    assert logs_of(database) == [str(n) for n in range(11)]
    balanced(older)


@pytest.mark.parametrize("when", ["running", "stopped"])
def test_a_position_that_somebody_deleted_stores_nothing_twice(older, when, database, publisher):
    publish(publisher, range(10))
    publisher.publish("seano/none/raw_log", "a letter")
    publisher.publish("tfg/detections/raw", '{"device_id": "dev-1", "detections": [%s]}' % ", ".join(
        ['{"device_hash": "%s", "rssi": -55}' % ("ab" * 32)] * 2))
    publisher.flush()
    database.wait_for("SELECT stored FROM journal_positions", 12)
    if when == "stopped":
        assert older.terminate() == 0
    database.rows("DELETE FROM journal_positions")
    if when == "stopped":
        older.start()
    publish(publisher, [10])
    stored(database, 11)
    assert logs_of(database) == [str(n) for n in range(11)]
    assert database.value("SELECT count(*) FROM dead_letters") == 1
    assert database.value("SELECT count(*) FROM ble_detections") == 2
    assert "position_lost journal_id=" in older.log()
    balanced(older)
    assert older.cli("journal", "verify").returncode == 0


@pytest.mark.parametrize("what", ["database", "schema"])
def test_one_that_is_made_anew_beneath_it_gets_all_that_is_kept(older, what, database, postgres, publisher):
    """Dropped by somebody, and migrated by hand; what came before its registry did is a letter, and comes back."""
    publish(publisher, range(10))
    stored(database, 10)
    registry = database.dump_registry()
    if what == "database":
        postgres.execute("postgres", f"DROP DATABASE {database.name} WITH (FORCE)")
        postgres.execute("postgres", f"CREATE DATABASE {database.name}")
    else:
        database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    publish(publisher, range(10, 20))
    wait_until(lambda: older.status("/readyz") == 503, "it to be noticed")
    assert older.metric("tidegate_in_journal") > 0
    older.cli("migrate")
    database.load_registry(registry)
    publish(publisher, range(20, 30))
    wait_until(lambda: older.metric("tidegate_in_journal") == 0, "all to be stored", timeout=90)
    older.cli("dead-letters", "replay", "--reason", "unknown_vehicle", check=False)
    stored(database, 30)
    assert sorted(logs_of(database), key=int) == [str(n) for n in range(30)]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(older)
    assert "database_older position=" in older.log() and older.process.poll() is None


def test_a_letter_that_came_back_takes_no_other_along(older, broker, database, postgres):
    """Letters have other ids the second time."""
    backup = Backup(postgres, database)
    for name in ("USV-8", "USV-9"):
        broker.publish(f"seano/{name}/raw_log", name)
    database.wait_for("SELECT count(*) FROM dead_letters", 2)
    older.add_vehicle("USV-8", "ana")
    assert older.cli("dead-letters", "replay", "1").stdout == "replayed 1\n"
    assert older.terminate() == 0

    backup.restore()
    older.add_vehicle("USV-8", "ana")
    older.start()
    broker.publish("seano/USV-1/raw_log", "the last")
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'the last'", 1)
    assert logs_of(database) == ["USV-8", "the last"]
    assert database.rows("SELECT id, topic FROM dead_letters") == [(1, "seano/USV-9/raw_log")]
    balanced(older)


def put_by_websocket(gateway, code, token):
    device = Viewer(gateway, f"/ws/device/{code}", token)
    device.send('{"x":1}')
    gateway.database.wait_for("SELECT count(*) FROM telemetry", 1)
    device.close()


def put_by_http(gateway, code, token):
    assert gateway.post("/api/v1/detections", json={"device_hash": "ab" * 32, "rssi": -50},
                        headers={"X-API-Key": token}).status_code == 200
    gateway.database.wait_for("SELECT count(*) FROM ble_detections", 1)


DOORS = [(put_by_websocket, "telemetry", "ws/device/dev-3"),
         (put_by_http, "ble_detections", "api/v1/detections")]


@pytest.mark.parametrize("put, table, topic", DOORS, ids=["websocket", "http"])
def test_what_a_device_of_since_has_sent_is_nobody_elses(older, broker, database, postgres, put, table, topic):
    """It is in the journal by an id, which another device was given since."""
    backup = Backup(postgres, database)
    before, token = older.add_device("dev-3", "ana")
    put(older, "dev-3", token)
    assert older.terminate() == 0

    backup.restore()
    assert older.add_device("dev-4", "ben")[0] == before
    older.start()
    broker.publish("seano/USV-1/raw_log", "the last")
    stored(database, 1)
    assert database.value(f"SELECT count(*) FROM {table}") == 0
    assert database.value("SELECT last_seen FROM device_states WHERE device_id = %s", before) is None
    assert database.rows("SELECT topic, reason, detail FROM dead_letters") == [
        (topic, "unknown_device", "its sender is no more; the id is another's by now")]
    balanced(older)


@pytest.mark.parametrize("put, table, topic", DOORS, ids=["websocket", "http"])
def test_what_a_device_of_before_has_sent_is_stored_again_once(older, broker, database, postgres, put, table, topic):
    backup = Backup(postgres, database)
    put(older, "dev-1", older.ids["dev-1 token"])
    assert older.terminate() == 0

    backup.restore()
    older.start()
    broker.publish("seano/USV-1/raw_log", "the last")
    stored(database, 1)
    assert database.rows(f"SELECT device_id FROM {table}") == [(older.ids["dev-1"],)]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(older)
