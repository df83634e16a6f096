"""Accounting by number: what the position has passed and the database has not is noticed, and mended."""
from concurrent.futures import ThreadPoolExecutor
import itertools
import json

import psycopg2
import pytest

from conftest import populate
from waiting import wait_until

SWALLOW = """CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RETURN CASE WHEN NEW.logs LIKE 'swallowed%' THEN NULL ELSE NEW END; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON raw_logs FOR EACH ROW EXECUTE FUNCTION swallow()"""
LOGS = "SELECT logs FROM raw_logs ORDER BY seq"


def logs_of(database):
    return [row[0] for row in database.rows(LOGS)]


def publish(publisher, texts):
    for text in texts:
        publisher.publish("seano/USV-1/raw_log", text)
    publisher.flush()


def drift_is(gateway, n):
    wait_until(lambda: gateway.status("/livez") == 200, "the gateway to answer")
    wait_until(lambda: gateway.metric("tidegate_accounting_drift") == n, f"a drift of {n}",
               timeout=90)


@pytest.fixture
def books(make_gateway):
    gateway = make_gateway(journal__check="300ms")
    populate(gateway)
    return gateway.start()


def test_what_was_never_stored_is_noticed_named_and_stored_later(books, database, publisher):
    publish(publisher, ["a", "b"])
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    database.rows(SWALLOW)
    publish(publisher, ["c", "swallowed 1", "d", "swallowed 2", "e"])
    drift_is(books, 2)
    assert books.get("/readyz").json()["reasons"] == ["accounting_drift"]
    after, last = database.rows("SELECT after_seq, last_seq FROM journal_differences")[0]
    assert f"accounting_drift messages=2 after={after} last={last} " in books.log()

    books.kill()
    books.start(wait=False)
    drift_is(books, 2)
    assert "accounting_open messages=2" in books.log()

    found = books.cli("journal", "verify", check=False)
    assert found.returncode == 1, found.stdout
    named = [line.split() for line in found.stdout.splitlines() if line.startswith("missing ")]
    assert [word[3] for word in named if len(word) > 2] == ["seano/USV-1/raw_log"] * 2
    assert all(after < int(word[1]) <= last for word in named if len(word) > 2)

    database.rows("DROP TRIGGER swallow ON raw_logs")
    stored = books.cli("journal", "verify", "--store")
    assert "stored 2" in stored.stdout
    assert logs_of(database) == ["a", "b", "c", "swallowed 1", "d", "swallowed 2", "e"]
    assert database.value("SELECT bool_and(received_at BETWEEN now() - interval '5 min' AND now())"
                          " FROM raw_logs")
    drift_is(books, 0)
    wait_until(lambda: books.status("/readyz") == 200, "the gateway to be ready")
    assert books.cli("journal", "verify").returncode == 0

    publish(publisher, ["f"])
    database.wait_for("SELECT count(*) FROM raw_logs", 8)
    wait_until(lambda: database.value("SELECT checked_seq = seq FROM journal_positions"), "a check")
    assert books.metric("tidegate_accounting_drift") == 0


def test_what_an_operator_deleted_is_found_and_stored_again(books, database, publisher, broker):
    publish(publisher, map(str, range(20)))
    broker.publish("seano/USV-1/vehicle_log", '{"speed": 3}')
    broker.publish("seano/USV-1/vehicle_log", "no json")
    broker.publish("tfg/detections/raw", '{"device_id": "dev-1", "detections": []}')
    broker.publish("devices/dev-1/status", '{"status": "online"}')
    broker.publish("devices/none/status", '{"status": "online"}')
    database.wait_for("SELECT stored FROM journal_positions", 25)
    assert books.terminate() == 0
    assert "missing 0" in books.cli("journal", "verify").stdout

    database.rows("DELETE FROM raw_logs WHERE logs IN ('3', '4', '19')")
    database.rows("DELETE FROM device_status_logs")
    database.rows("DELETE FROM dead_letters WHERE reason = 'bad_json'")
    found = books.cli("journal", "verify", check=False)
    assert found.returncode == 1 and "missing 4\n" in found.stdout, found.stdout
    assert "stored 4\n" in books.cli("journal", "verify", "--store").stdout
    assert logs_of(database) == [str(n) for n in range(20)]
    assert database.value("SELECT count(*) FROM device_status_logs") == 1
    assert "stored 0\n" in books.cli("journal", "verify", "--store").stdout
    books.start()
    assert books.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("table", ["ble_detections", "dead_letters"])
def test_one_row_of_several_that_is_swallowed_is_noticed_and_stored_later(books, database, broker, table):
    """A message of four detections, of which two cannot be used and are letters."""
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    database.rows(SWALLOW.replace("raw_logs", table).replace("NEW.logs LIKE 'swallowed%'", "NEW.item = 1"))
    items = [{"device_hash": hash, "rssi": -50 - n} for n, hash in enumerate(["ab" * 32, "cd" * 32, "x", "y"])]
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": items[:1] + items[2:3]}))
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": items}))
    drift_is(books, 1)
    seq = database.value("SELECT max(seq) FROM ble_detections")
    found = books.cli("journal", "verify", check=False)
    assert found.returncode == 1
    assert f"missing {seq} " in found.stdout and "missing 1\n" in found.stdout
    again = books.cli("journal", "verify", "--store", check=False)
    assert again.returncode == 1 and f"refused {seq} " in again.stdout

    database.rows(f"DROP TRIGGER swallow ON {table}")
    assert "stored 1\n" in books.cli("journal", "verify", "--store").stdout
    for kind in ("ble_detections", "dead_letters"):
        assert database.rows(f"SELECT item FROM {kind} ORDER BY seq, item") == [(0,), (0,), (1,)]
    drift_is(books, 0)
    assert books.cli("journal", "verify").returncode == 0


REFUSING = {  # of five that are missing, what does not take "swallowed": (what it says, what mends it)
    "constraints": ("""ALTER TABLE raw_logs ADD CONSTRAINT picky CHECK (logs <> 'swallowed') NOT VALID;
        ALTER TABLE dead_letters ADD CONSTRAINT picky CHECK (topic NOT LIKE '%raw_log') NOT VALID""",
        'violates check constraint "picky"',
        "ALTER TABLE raw_logs DROP CONSTRAINT picky; ALTER TABLE dead_letters DROP CONSTRAINT picky"),
    "a trigger": (SWALLOW, "a trigger keeps it out, without a word", "DROP TRIGGER swallow ON raw_logs"),
}


@pytest.mark.parametrize("what", REFUSING)
def test_what_is_refused_is_named_and_the_others_are_stored(books, database, publisher, what):
    rule, why, mend = REFUSING[what]
    texts = ["a", "b", "swallowed", "c", "d"]
    publish(publisher, texts)
    publisher.publish("devices/dev-1/status", '{"status": "online"}')
    publisher.flush()
    database.wait_for("SELECT stored FROM journal_positions", 6)
    database.rows("DELETE FROM raw_logs; DELETE FROM device_status_logs")
    database.rows(rule)
    database.rows(f"ALTER TABLE device_states ADD CHECK (device_id <> {books.ids['dev-1']}) NOT VALID")
    for n_missing, n_stored in ((6, 5), (1, 0)):
        found = books.cli("journal", "verify", "--store", check=False)
        assert found.returncode == 1
        assert f"missing {n_missing}\n" in found.stdout and f"stored {n_stored}\n" in found.stdout
        refused, = [line for line in found.stdout.splitlines() if line.startswith("refused 1") and "  " in line]
        assert " seano/USV-1/raw_log  " in refused and refused.endswith(why), refused
        assert logs_of(database) == ["a", "b", "c", "d"]
    assert database.value("SELECT count(*) FROM device_status_logs") == 1
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    database.rows(mend)
    assert "stored 1\n" in books.cli("journal", "verify", "--store").stdout
    assert logs_of(database) == texts
    assert books.cli("journal", "verify").returncode == 0


def test_verify_beside_a_gateway_under_load_finds_nothing(books, database, publisher):
    numbers = itertools.count()
    publisher.run(lambda n: ("seano/USV-1/raw_log", str(next(numbers))), 500)
    database.wait_for("SELECT count(*) > 200 FROM raw_logs", True)
    for _ in range(3):
        assert "missing 0" in books.cli("journal", "verify").stdout
    assert "stored 0" in books.cli("journal", "verify", "--store").stdout
    n = publisher.stop()
    database.wait_for("SELECT count(*) FROM raw_logs", n)
    assert logs_of(database) == [str(k) for k in range(n)]
    wait_until(lambda: database.value("SELECT checked_seq = seq FROM journal_positions"), "a check")
    assert books.metric("tidegate_accounting_drift") == 0


def test_damage_of_what_is_stored_is_said_and_costs_nothing(make_gateway, database, publisher):
    gateway = make_gateway()  # compares each minute: nothing has been when it is killed
    populate(gateway)
    gateway.start()
    publish(publisher, (f"{n} {'x' * 50}" for n in range(50)))
    database.wait_for("SELECT count(*) FROM raw_logs", 50)
    gateway.kill()
    segment, = (gateway.folder / "journal").glob("*.seg")
    with open(segment, "r+b") as file:
        data = file.read()
        for n in (10, 11, 30):
            file.seek(data.index(f"raw_log{n} x".encode()))
            file.write(b"?")
    gateway.start()
    assert "journal_damage" in gateway.log()
    wait_until(lambda: "accounting_skipped reason=journal_damage" in gateway.log(), "a comparison")
    publish(publisher, ["the last"])
    database.wait_for("SELECT count(*) FROM raw_logs", 51)
    assert gateway.get("/readyz").json()["status"] == "ready"
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert database.value("SELECT count(*) FROM journal_differences") == 0


def test_recovered_messages_are_received_as_well(books, database, postgres, publisher):
    postgres.stop()
    publish(publisher, map(str, range(5)))
    wait_until(lambda: books.metric("tidegate_in_journal") == 5, "five in the journal")
    books.kill()
    postgres.start()
    books.start()
    database.wait_for("SELECT count(*) FROM raw_logs", 5)
    accounting = wait_until(lambda: (lambda a: a["in_journal"] == 0 and a)(
        books.get("/api/ws/stats", "root").json()["accounting"]), "all stored")
    assert (accounting["received"], accounting["committed"]) == (5, 5)


def test_two_that_store_at_once_do_not_count_each_others(books, database, publisher):
    database.rows(SWALLOW)
    publish(publisher, ["a", "swallowed 1", "swallowed 2"])
    drift_is(books, 2)
    database.rows("DROP TRIGGER swallow ON raw_logs")
    books.terminate()
    with ThreadPoolExecutor() as pool, psycopg2.connect(database.url) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE raw_logs IN SHARE ROW EXCLUSIVE MODE")  # nobody stores
        first = pool.submit(books.cli, "journal", "verify", "--store", check=False)
        wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'relation'"
                                          " AND NOT granted") > 0, "the first to wait for the table")
        second = books.cli("journal", "verify", "--store", check=False)
        holder.rollback()
        assert second.returncode == 1 and "stored" not in second.stdout, second.stdout
        assert "another `journal verify --store` is under way" in second.stderr
        assert "stored 2\n" in first.result().stdout
    assert sorted(logs_of(database)) == ["a", "swallowed 1", "swallowed 2"]
