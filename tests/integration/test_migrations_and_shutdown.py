"""Starting and stopping: migrations, partitions, SIGTERM, SIGHUP."""
import signal
import subprocess

import pytest

from conftest import populate
from servers import TIDEGATE, Database
from viewers import refused
from waiting import PATIENCE, wait_until

TABLES = {"users", "devices", "groups", "device_groups", "vehicles", "shares", "sensors",
          "device_states", "raw_logs", "sensor_logs", "vehicle_logs", "ble_detections",
          "telemetry", "camera_events", "alerts", "commands", "dead_letters", "journal_positions",
          "schema_migrations"}
PARTITIONED = {"raw_logs", "sensor_logs", "vehicle_logs", "ble_detections", "telemetry",
               "camera_events", "alerts", "dead_letters", "row_notes", "alert_acks"}


def test_migrate_makes_the_schema_and_may_run_twice(make_gateway, empty_database):
    gateway = make_gateway(database=empty_database)
    gateway.cli("migrate")
    first = empty_database.rows("SELECT * FROM schema_migrations ORDER BY 1")
    tables = {t for (t,) in empty_database.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert TABLES <= tables
    gateway.cli("migrate")
    assert empty_database.rows("SELECT * FROM schema_migrations ORDER BY 1") == first


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_JP"])
def test_a_new_database_has_to_be_in_utf8(make_gateway, postgres, encoding):
    database = Database(postgres, f"in_{encoding.lower()}")
    postgres.execute("postgres", f"CREATE DATABASE {database.name} ENCODING '{encoding}' TEMPLATE template0")
    gateway = make_gateway(database=database)
    done = gateway.cli("migrate", check=False)
    assert done.returncode == 1
    assert f"the database has the encoding {encoding}, and has to have UTF8" in done.stderr
    gateway.start(wait=False)
    wait_until(lambda: f"has the encoding {encoding}" in gateway.log(), "it to be said")
    assert gateway.terminate() == 0
    assert database.value("SELECT to_regclass('users')") is None
    postgres.execute("postgres", f"DROP DATABASE {database.name} WITH (FORCE)")


def test_migrations_that_run_at_the_same_time_wait_for_each_other(make_gateway, empty_database):
    gateway = make_gateway(database=empty_database)
    command = [str(TIDEGATE), "migrate", "--config", str(gateway.conf)]
    running = [subprocess.Popen(command, env=gateway.environment()) for _ in range(4)]
    assert [one.wait(PATIENCE * 3) for one in running] == [0, 0, 0, 0]
    counts = empty_database.rows("SELECT count(*), count(DISTINCT m) FROM schema_migrations m")
    assert counts[0][0] == counts[0][1] > 0


def test_serve_migrates_by_itself_unless_it_is_told_not_to(make_gateway, empty_database):
    cautious = make_gateway(database=empty_database, database__migrate="off")
    cautious.start(wait=False)
    wait_until(lambda: cautious.process.poll() is not None or cautious.status("/livez") == 200,
               "an end or a start")
    if cautious.process.poll() is None:
        assert cautious.status("/readyz") == 503
        cautious.terminate()
    cautious.process = None
    gateway = make_gateway(database=empty_database)
    gateway.start()
    assert empty_database.value("SELECT count(*) FROM schema_migrations") > 0


def test_serve_refuses_a_schema_that_it_does_not_know(make_gateway, database):
    gateway = make_gateway()
    columns = database.rows("SELECT column_name FROM information_schema.columns "
                            "WHERE table_name = 'schema_migrations' ORDER BY ordinal_position")
    names = ", ".join(c for (c,) in columns[1:])
    database.rows(f"INSERT INTO schema_migrations SELECT 9999, {names} FROM schema_migrations "
                  "LIMIT 1")
    done = subprocess.run([str(TIDEGATE), "serve", "--config", str(gateway.conf)], text=True,
                          capture_output=True, env=gateway.environment(), timeout=PATIENCE * 3,
                          check=False)
    assert done.returncode == 1
    assert "schema" in done.stderr


def test_partitions_are_made_ahead(make_gateway, database):
    make_gateway(database__partitions_ahead="7d").start()
    for table in PARTITIONED:
        n = "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass"
        wait_until(lambda t=table: database.value(n, t) >= 8, f"partitions of {table}")


def test_retention_drops_old_partitions(make_gateway, database):
    database.rows("CREATE TABLE raw_logs_20200101 PARTITION OF raw_logs FOR VALUES "
                  "FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')")
    gateway = make_gateway(retention__raw_logs="30d")
    gateway.start()
    wait_until(lambda: database.value("SELECT to_regclass('raw_logs_20200101')") is None,
               "the old partition to be dropped")


def test_notes_on_rows_go_as_dead_letters_do(make_gateway, database):
    for table in ("dead_letters", "row_notes"):
        database.rows(f"CREATE TABLE {table}_20200101 PARTITION OF {table} FOR VALUES "
                      "FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')")
    database.rows("INSERT INTO row_note_days VALUES (current_date - 40, 1, 0, 5, 5), (current_date, 1, 0, 5, 5)")
    make_gateway(retention__dead_letters="30d").start()
    wait_until(lambda: database.value("SELECT to_regclass('row_notes_20200101')") is None
               and database.value("SELECT count(*) FROM row_note_days") == 1, "the old notes to go")
    wait_until(lambda: database.value("SELECT to_regclass('dead_letters_20200101')") is None, "and the letters")


def test_acknowledgements_go_as_alerts_do(make_gateway, database):
    for table in ("alerts", "alert_acks"):
        database.rows(f"CREATE TABLE {table}_20200101 PARTITION OF {table} FOR VALUES "
                      "FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')")
    make_gateway(retention__alerts="30d").start()
    for table in ("alerts", "alert_acks"):
        wait_until(lambda t=table: database.value("SELECT to_regclass(%s)", f"{t}_20200101") is None, f"{table} to go")


def test_what_has_no_days_goes_by_age_as_well(make_gateway, database):
    gateway = make_gateway(retention__commands="30d")
    populate(gateway)
    database.rows("INSERT INTO commands (command_id, device_id, action, state, created_at, expires_at)"
                  " SELECT 'old ' || n, 1, 'A', 'done', now() - interval '40 days', now()"
                  " FROM generate_series(1, 2500) n")
    database.rows("INSERT INTO commands (command_id, device_id, action, state, created_at, expires_at)"
                  " VALUES ('new', 1, 'A', 'failed', now() - interval '20 days', now()),"
                  " ('open', 1, 'A', 'executing', now() - interval '40 days', now() + interval '1 day')")
    database.rows("INSERT INTO dead_letters_removed VALUES (1, 1, now() - interval '40 days'),"
                  " (1, 2, now())")
    database.rows("INSERT INTO replays (letter_id, requested_at, outcome) VALUES"
                  " (1, now() - interval '9 days', 'stored'), (2, now(), 'stored')")
    gateway.start()
    wait_until(lambda: gateway.metric("tidegate_rows_tidied_total") == 2502, "what is old to go")
    assert database.rows("SELECT command_id FROM commands ORDER BY 1") == [("new",), ("open",)]
    assert database.rows("SELECT seq FROM dead_letters_removed") == [(2,)]
    assert database.value("SELECT letter_id FROM replays") == 2


def test_sigterm_tells_the_sockets_that_it_drains(gateway, viewer):
    sockets = [viewer("/api/ws", "ana"), viewer("/ws", "ana"), viewer("/ws/devices", "ben")]
    assert gateway.terminate() == 0
    for v in sockets:
        assert v.wait_closed()[0] == 4200
    assert refused_connection(gateway)


def refused_connection(gateway):
    return gateway.status("/livez") == 0


def test_sigint_ends_cleanly_too(gateway):
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(PATIENCE) == 0
    gateway.process = None


def test_sigterm_while_everything_is_away(make_gateway, broker, postgres):
    gateway = make_gateway(shutdown__grace="2s")
    gateway.start()
    broker.stop()
    postgres.stop()
    assert gateway.terminate() == 0
    postgres.start()
    broker.start()


def test_sighup_reads_limits_and_routes_again(make_gateway, broker, database, viewer):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    v = viewer("/api/ws", "ana")
    assert v.next_of("connection")["message"] == "Connected to SEANO real-time data stream"
    gateway.routes = "[route site]\ntopic = site/{vehicle}/log\nkind = raw_log\n"
    gateway.write_conf(ws__welcome="Hello again")
    gateway.process.send_signal(signal.SIGHUP)

    def arrives():
        broker.publish("site/USV-1/log", "by the new route")
        return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'by the new route'") > 0
    wait_until(arrives, "the new route", step=0.1)
    assert viewer("/api/ws", "ana").next_of("connection")["message"] == \
        "Hello again"
    assert not v.closed and gateway.process.poll() is None


def test_messages_accepted_before_a_reload_are_read_by_the_routes_of_then(make_gateway, broker,
                                                                          database, postgres):
    gateway = make_gateway()
    populate(gateway)
    gateway.routes = "[route site]\ntopic = site/{vehicle}/log\nkind = raw_log\n"
    gateway.write_conf()
    gateway.start()
    postgres.stop()
    for n in range(50):
        broker.publish("site/USV-1/log", f"{n}")
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 50, "the journal to have them")
    gateway.routes = "[route place]\ntopic = place/{vehicle}/log\nkind = raw_log\n"
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log(), "the reload")
    postgres.start()
    database.wait_for("SELECT count(*) FROM raw_logs", 50)
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def test_sighup_with_a_wrong_file_changes_nothing(gateway, viewer):
    gateway.conf.write_text("[http]\nlisten = nonsense\n")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in gateway.log() or "tidegate.conf:2" in gateway.log()
               or "reload" in gateway.log().lower(), "a word in the log")
    viewer("/api/ws", "ana").next_of("connection")
    assert refused(gateway, "/api/ws") == 401
