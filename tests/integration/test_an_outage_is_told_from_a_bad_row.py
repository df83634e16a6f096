"""What the tables do not take is an outage, loud and without loss; what a row does not get in with
is that row's dead letter; a state that is refused costs the state."""
import contextlib
import datetime
import json

import psycopg2
import pytest

from test_a_lost_answer_costs_nothing import assert_books_are_closed, assert_stored_in_order
from test_nothing_is_lost_and_nothing_comes_twice import numbered, shown, wait_for_number
from waiting import wait_until

DAY = f"raw_logs_{datetime.datetime.now(datetime.timezone.utc):%Y%m%d}"
RAISE = """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
        CREATE {} refuse {} INSERT ON raw_logs {} FOR EACH ROW EXECUTE FUNCTION refuse()"""
NO_TRIGGER = "DROP TRIGGER refuse ON raw_logs; DROP FUNCTION refuse()"
NO_CHECK = "ALTER TABLE raw_logs DROP CONSTRAINT nothing"
FAULTS = {  # what an operator does -> what mends it
    "a detached partition": (
        f"ALTER TABLE raw_logs DETACH PARTITION {DAY}",
        f"ALTER TABLE raw_logs ATTACH PARTITION {DAY} FOR VALUES FROM "
        f"(date_trunc('day', now(), 'UTC')) TO (date_trunc('day', now(), 'UTC') + '1 day')"),
    "a column that must not be null": (
        "ALTER TABLE raw_logs ADD tenant text NOT NULL DEFAULT 'x';"
        "ALTER TABLE raw_logs ALTER tenant DROP DEFAULT", "ALTER TABLE raw_logs DROP tenant"),
    "a table that is renamed": ("ALTER TABLE raw_logs RENAME TO old_logs",
                                "ALTER TABLE old_logs RENAME TO raw_logs"),
    "a constraint that refuses all": (
        "ALTER TABLE raw_logs ADD CONSTRAINT nothing CHECK (seq < 0) NOT VALID", NO_CHECK),
    "a trigger that raises": (
        RAISE.format("RAISE EXCEPTION 'closed for today';", "TRIGGER", "BEFORE", ""), NO_TRIGGER),
    "a trigger with a bug": (
        RAISE.format("PERFORM 'x'::integer;", "TRIGGER", "BEFORE", ""), NO_TRIGGER),
    "a trigger that raises at the end of the transaction": (
        RAISE.format("RAISE EXCEPTION 'not today';", "CONSTRAINT TRIGGER", "AFTER",
                     "DEFERRABLE INITIALLY DEFERRED"), NO_TRIGGER),
    "a table of letters that takes none": (
        "ALTER TABLE dead_letters ADD CONSTRAINT nothing CHECK (seq < 0) NOT VALID",
        "ALTER TABLE dead_letters DROP CONSTRAINT nothing"),
}


def refusals(gateway):
    return gateway.metric("tidegate_db_refused_batches_total")


def processor_pid(database):
    return database.value("SELECT pid FROM pg_stat_activity WHERE application_name = "
                          "'tidegate/processor' AND datname = %s", database.name)


def outage(gateway, broker, database, fault, n):
    """The fault, four messages from the n-th on, and the end of it; how many were published."""
    begin, end = FAULTS[fault]
    is_letters = "letters" in fault
    pid, said, before = processor_pid(database), gateway.log().count("database_refuses"), \
        refusals(gateway)
    database.rows(begin)
    for n in range(n, n + 4):
        broker.publish("seano/USV-1/raw_log", f"load {n}")
        if is_letters:
            broker.publish("seano/nobody/raw_log", "lost")
    wait_until(lambda: refusals(gateway) >= before + 4, f"some attempts with {fault}")
    assert gateway.status("/readyz") == 503
    assert gateway.metric("tidegate_dead_lettered_total") == 0
    assert gateway.log().count("database_refuses") == said + 1
    assert processor_pid(database) == pid, "it went on with the connection that it had"
    database.rows(end)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, f"the end of {fault}")
    if is_letters:
        assert database.value("DELETE FROM dead_letters RETURNING reason") == "unknown_vehicle"
    return n + 1


def test_what_the_tables_refuse_is_stored_once_they_do_not(gateway, broker, database, viewer):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    n = 0
    for fault in FAULTS:  # the first one meets an empty table
        n = outage(gateway, broker, database, fault, n)
    assert_stored_in_order(database, n)
    assert shown(v) == list(range(n))
    wait_until(gateway.is_ready, "readiness")
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_the_newest_cause_of_an_outage_is_told(gateway, broker, database, postgres):
    def cause_is(sqlstate):
        answer = gateway.get("/readyz")
        return answer.status_code == 503 and answer.json().get("sqlstate") == sqlstate
    database.rows("ALTER TABLE raw_logs RENAME TO elsewhere")
    broker.publish(*numbered(0))
    wait_until(lambda: cause_is("42P01"), "a table that is not there")
    postgres.execute("postgres", f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    postgres.execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE datname = %s", database.name)
    wait_until(lambda: cause_is("55000"), "a database that takes no connections")
    wait_until(lambda: " database_away sqlstate=55000" in gateway.log(), "the same in the log")
    postgres.execute("postgres", f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
    wait_until(lambda: cause_is("42P01"), "the table that is still not there")
    assert gateway.log().count(" database_connected") == 1, "one at the start; no batch got in since"
    database.rows("ALTER TABLE elsewhere RENAME TO raw_logs")
    assert_books_are_closed(gateway)
    assert gateway.log().count(" database_connected") == 2
    assert gateway.log().count("sqlstate=42P01") <= 4


@pytest.mark.parametrize("n_before", [0, 1], ids=["empty table", "table with a row"])
def test_a_lone_bad_row_is_a_letter_and_holds_nobody_up(gateway, broker, database, n_before):
    database.rows("ALTER TABLE raw_logs ADD CHECK (logs NOT LIKE 'refused%%')")
    for n in range(n_before):
        broker.publish(*numbered(n))
    wait_until(lambda: gateway.metric("tidegate_committed_total") == n_before, "what was before")
    broker.publish("seano/USV-1/raw_log", "refused alone")
    database.wait_for("SELECT reason FROM dead_letters", "db_rejected")
    detail = database.value("SELECT detail FROM dead_letters")
    assert detail.startswith("SQLSTATE 23514: ") and 'violates check constraint "raw_logs_logs_check"' in detail
    broker.publish("seano/USV-1/raw_log", f"load {n_before}")
    assert_books_are_closed(gateway)
    database.wait_for("SELECT count(*) FROM raw_logs", n_before + 1)
    assert refusals(gateway) == 0


KINDS = {  # one good message a kind, and its table
    "raw_logs": ("seano/USV-1/raw_log", "good"),
    "sensor_logs": ("seano/USV-1/sensor_log", '{"sensor_id":1,"data":{"x":1}}'),
    "vehicle_logs": ("seano/USV-1/vehicle_log", '{"speed":1}'),
    "ble_detections": ("tfg/detections/raw", json.dumps(
        {"device_id": "dev-1", "detections": [{"device_hash": "ab" * 32, "rssi": -55}]})),
    "telemetry": ("ems/dev-1/telemetry", '{"x":1}'),
    "camera_events": ("surveillance/camera/dev-1/event", '{"event_type":"face_detected","data":{}}'),
    "alerts": ("seano/USV-1/alert", '{"severity":"info","message":"m"}'),
    "device_status_logs": ("users/ana/devices/dev-1/status", '{"status":"online"}'),
}


def test_every_table_is_asked_whether_it_takes_a_good_row(gateway, broker, database):
    """Refused by an empty table and by one with a row; then one row only, beside a good one."""
    for n_letters, (table, (topic, payload)) in enumerate(KINDS.items()):
        for n_rows in (1, 2):
            database.rows(f"ALTER TABLE {table} ADD CONSTRAINT nothing CHECK (seq < 0) NOT VALID")
            before = refusals(gateway)
            broker.publish(topic, payload)
            wait_until(lambda n=before: refusals(gateway) > n, f"{table} to refuse")
            database.rows(f"ALTER TABLE {table} DROP CONSTRAINT nothing")
            database.wait_for(f"SELECT count(*) FROM {table}", n_rows)
        newest = database.value(f"SELECT max(seq) FROM {table}")
        database.rows(f"ALTER TABLE {table} ADD CONSTRAINT one CHECK (seq <= {newest}) NOT VALID")
        broker.publish(topic, payload)
        database.wait_for("SELECT count(*) FROM dead_letters", n_letters + 1)
    assert set(database.rows("SELECT reason, left(detail, 15) FROM dead_letters")) == \
        {("db_rejected", "SQLSTATE 23514:")}
    assert_books_are_closed(gateway)


def status(broker, user, device, temperature):
    broker.publish(f"users/{user}/devices/{device}/status",
                   json.dumps({"status": "online", "temperature": temperature}))


def test_a_state_that_is_refused_costs_that_state_only(gateway, broker, database):
    database.rows("ALTER TABLE device_states ADD CONSTRAINT cold CHECK (temperature < 30)")
    for n in range(6):
        status(broker, "ana", "dev-1", 40 + n)
        status(broker, "ben", "dev-2", 10 + n)
        broker.publish("seano/USV-1/raw_log", f"load {n}")
    database.wait_for("SELECT count(*) FROM device_status_logs", 12)
    database.wait_for("SELECT count(*) FROM raw_logs", 6)
    database.wait_for("SELECT temperature FROM device_states WHERE device_id = %s", 15.0,
                      gateway.ids["dev-2"])
    assert database.value("SELECT count(*) FROM device_states WHERE device_id = %s",
                          gateway.ids["dev-1"]) == 0
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert gateway.metric("tidegate_db_states_refused_total") >= 1
    assert gateway.log().count("device_state_refused") == 1
    assert_books_are_closed(gateway)


def test_states_of_which_none_is_taken_cost_no_message(gateway, broker, database):
    database.rows("ALTER TABLE device_states RENAME TO elsewhere")
    for n in range(3):
        status(broker, "ana", "dev-1", n)
        status(broker, "ben", "dev-2", n)
    database.wait_for("SELECT count(*) FROM device_status_logs", 6)
    assert gateway.log().count("device_state_refused") == 1
    assert_books_are_closed(gateway)
    database.rows("ALTER TABLE elsewhere RENAME TO device_states")


@pytest.fixture
def short_locks(postgres, database):
    """Nobody waits long for a lock in this database."""
    postgres.execute("postgres", f"ALTER DATABASE {database.name} SET lock_timeout = '100ms'")
    with contextlib.closing(psycopg2.connect(database.url)) as operator:
        yield operator


def detections(broker, *receivers):
    for receiver in receivers:
        broker.publish("tfg/detections/raw", json.dumps(
            {"device_id": receiver, "detections": [{"device_hash": "ab" * 32, "rssi": -55}]}))


def test_a_device_that_cannot_register_now_registers_later(short_locks, gateway, broker, database):
    operator = short_locks
    operator.cursor().execute("LOCK TABLE devices")
    detections(broker, "new-1", "new-2", "new-3")
    wait_until(lambda: refusals(gateway) >= 2, "some attempts to register")
    operator.rollback()
    database.wait_for("SELECT count(*) FROM ble_detections", 3)

    database.rows("ALTER TABLE devices ADD tenant text NOT NULL DEFAULT 'x';"
                  "ALTER TABLE devices ALTER tenant DROP DEFAULT")
    before = refusals(gateway)
    detections(broker, "new-4", "new-5")
    wait_until(lambda: refusals(gateway) >= before + 2, "some attempts to register")
    database.rows("ALTER TABLE devices DROP tenant")
    database.wait_for("SELECT count(*) FROM ble_detections", 5)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert_books_are_closed(gateway)


def test_a_device_that_alone_may_not_register_holds_nobody_up(gateway, broker, database):
    database.rows("ALTER TABLE devices ADD CHECK (code <> 'unwanted')")
    detections(broker, "unwanted", "new-1")
    database.wait_for("SELECT count(*) FROM ble_detections", 1)
    database.wait_for("SELECT reason FROM dead_letters", "unknown_device")
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)
