"""What an administrator sets for a role or a database changes nothing that is stored, shown or answered."""
import re

import pytest

from conftest import populate
from test_a_lost_answer_costs_nothing import assert_books_are_closed, assert_stored_in_order
from test_an_outage_is_told_from_a_bad_row import KINDS, refusals
from waiting import wait_until

CUT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'tidegate/%%'"
SETTINGS = {
    "DateStyle": "'German', 'DMY'", "IntervalStyle": "sql_standard", "TimeZone": "'Asia/Kathmandu'",
    "bytea_output": "escape", "extra_float_digits": "-15", "standard_conforming_strings": "off",
    "client_encoding": "LATIN1", "xmloption": "document", "array_nulls": "off", "quote_all_identifiers": "on",
    "transform_null_equals": "on", "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on", "synchronous_commit": "off", "idle_session_timeout": "'300ms'",
    "idle_in_transaction_session_timeout": "'1ms'", "statement_timeout": "'1ms'", "lock_timeout": "'5s'",
    "work_mem": "'64kB'", "temp_file_limit": "0", "row_security": "on", "plan_cache_mode": "force_custom_plan",
    "jit": "on", "jit_above_cost": "0", "enable_seqscan": "off", "enable_partition_pruning": "off",
    "client_min_messages": "debug5", "log_statement": "'all'", "exit_on_error": "on",
    "plpgsql.extra_errors": "'all'", "plpgsql.variable_conflict": "use_column", "check_function_bodies": "off",
    "default_tablespace": "''", "commit_delay": "100",
}
PATHS = ("/api/vehicles/{v}/logs", "/api/vehicles/{v}/track.geojson", "/api/devices/{d}/telemetry",
         "/api/devices/{d}/telemetry?interval=60", "/api/detections", "/api/alerts", "/api/faces/statistics",
         "/api/statistics", "/api/devices/{d}", "/api/vehicles/{v}", "/api/devices", "/api/vehicles", "/api/v1/devices")
COMMANDS = (("user", "list"), ("device", "list"), ("vehicle", "list"), ("dead-letters", "list"), ("dead-letters", "show", "1"))


def publish(broker):
    """One of each kind, what shows how numbers and text are written, and one that nobody can use."""
    for topic, payload in KINDS.values():
        broker.publish(topic, payload)
    broker.publish("seano/USV-1/vehicle_log", '{"latitude":-6.123456789,"longitude":106.8456,"speed":0.1}')
    broker.publish("seano/USV-1/raw_log", "back\\slash 'quote' \\x41 €")
    broker.publish("users/ana/devices/dev-1/status", '{"status":"online","temperature":21.7,"latitude":0.1}')
    broker.publish("seano/nobody/raw_log", "a letter \\ ' €")


def answers(gateway):
    ids = {"v": gateway.ids["USV-1"], "d": gateway.ids["dev-1"]}
    told = {path: gateway.get(path.format(**ids), "ana").text for path in PATHS}
    told |= {words: gateway.cli(*words).stdout for words in COMMANDS}
    return {what: re.sub(r'"timestamp":"[^"]*"', "", text) for what, text in told.items()}


def rows(database, table):
    """Without what is another one each time."""
    columns = [f'"{name}"' for (name,) in database.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
        " AND column_name NOT IN ('id', 'seq', 'time', 'received_at') ORDER BY 1", table)]
    return database.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY seq")


@pytest.fixture
def hostile(postgres, database):
    """hostile() sets all of them; whoever is connected is not any more."""
    def begin():
        for name, value in SETTINGS.items():
            postgres.execute("postgres", f"ALTER DATABASE {database.name} SET {name} = {value}")
        postgres.execute("postgres", CUT)
    yield begin
    postgres.execute("postgres", f"ALTER DATABASE {database.name} RESET ALL")


def frames(v):
    return [re.sub(r'"(timestamp|broadcast_time|time|received_at)": ?"[^"]*"', "", text) for text in v.frames]


def test_nothing_comes_out_otherwise(make_gateway, broker, database, postgres, viewer, hostile):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    publish(broker)
    assert_books_are_closed(gateway)
    v.wait_for(lambda texts: len(texts) == 6, "what is ana's")
    before, stored = answers(gateway), {table: rows(database, table) for table in KINDS}

    hostile()
    wait_until(lambda: gateway.log().count(" database_connected") == 2, "it to be back")
    assert answers(gateway) == before
    assert " database_away sqlstate=57P01 " in gateway.log(), "whoever ended our session had said why"
    postgres.execute("postgres", f"ALTER DATABASE {database.name} RESET ALL")  # for who connects from now on
    publish(broker)
    assert_books_are_closed(gateway)
    v.wait_for(lambda texts: len(texts) == 11, "the same once more")
    assert frames(v)[6:] == frames(v)[1:6]
    for table, wanted in stored.items():
        assert rows(database, table) == wanted * 2, table
    assert gateway.log().count(" database_connected") == 2, "nobody ends an idle session of ours"


def test_a_row_that_is_refused_ends_no_session(make_gateway, broker, database, postgres, hostile):
    gateway = make_gateway()
    populate(gateway)
    database.rows("ALTER TABLE raw_logs ADD CHECK (logs <> 'refused')")
    hostile()
    gateway.start()
    broker.publish("seano/USV-1/raw_log", "refused")
    broker.publish("seano/USV-1/raw_log", "taken")
    assert_books_are_closed(gateway)
    postgres.execute("postgres", f"ALTER DATABASE {database.name} RESET ALL")
    assert database.rows("SELECT logs FROM raw_logs") == [("taken",)]
    assert database.rows("SELECT reason FROM dead_letters") == [("db_rejected",)]


def test_what_is_replicated_into_the_registry_is_heard(gateway, broker, database, viewer):
    """By logical replication, whose sessions are replicas; ordinary triggers do not run in them."""
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    database.rows("SET session_replication_role = replica;"
                  "INSERT INTO vehicles (code, user_id) SELECT 'USV-9', id FROM users WHERE username = 'ana'")
    wait_until(lambda: "USV-9" in gateway.get("/api/vehicles", "ana").text, "the new one")
    broker.publish("seano/USV-9/raw_log", "from afar")
    assert v.next_of("raw_log")["data"] == "from afar"
    database.rows("SET session_replication_role = replica; UPDATE users SET is_active = false WHERE username = 'ana'")
    assert v.wait_closed()[0] == 4004


def test_who_publishes_all_tables_holds_nothing_up(gateway, broker, database, publisher):
    """PostgreSQL refuses to change rows that are published and that nothing tells apart, from one statement to the next."""
    database.rows("CREATE PUBLICATION of_all FOR ALL TABLES")
    broker.publish("seano/nobody/raw_log", "a letter")
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    gateway.cli("dead-letters", "discard", "1")
    for n in range(1100):  # as many as what may come again is tidied after
        publisher.publish("seano/USV-1/raw_log", f"load {n}")
    publisher.flush()
    assert_stored_in_order(database, 1100)
    for topic, payload in KINDS.values():
        broker.publish(topic, payload)
    assert_books_are_closed(gateway)
    assert refusals(gateway) == 0


def test_what_is_changed_has_what_tells_its_rows_apart(database):
    """All but the log tables, to which rows are added and from which days are dropped."""
    assert [name for (name,) in database.rows(
        "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND NOT relispartition AND relreplident = 'd'"
        " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)")] == []
