"""A gateway that has to bring an older schema up to date, and what an operator, or a crash, does meanwhile."""
import contextlib
import re
import signal

import psycopg2
import pytest

from servers import ROOT
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_reloads_cost_nothing import reload_some
from waiting import wait_until

OLD = 3  # what the first release had
IN_LINE = ("SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND cardinality("
           "pg_blocking_pids(pid)) > 0 AND application_name = 'tidegate/processor'")


@pytest.fixture
def old(postgres, empty_database):
    """As the first release made it, with everybody in it."""
    known = postgres.execute("template_tidegate", "SELECT number, name, checksum FROM schema_migrations"
                             " ORDER BY number")
    empty_database.rows("CREATE TABLE schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
                        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")
    for number, name, checksum in known[:OLD]:
        empty_database.rows((ROOT / "schema" / name).read_text("utf-8"))
        empty_database.rows("INSERT INTO schema_migrations VALUES (%s, %s, %s)", number, name, checksum)
    empty_database.rows("INSERT INTO users (username, password_hash, role) VALUES ('ana', 'none', 'user')")
    empty_database.rows("INSERT INTO vehicles (code, user_id) VALUES ('USV-1', 1)")
    empty_database.newest = known[-1][0]
    yield empty_database


@contextlib.contextmanager
def locked(database, table):
    with contextlib.closing(psycopg2.connect(database.url)) as operator:
        operator.cursor().execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        yield


def wait_in_line(database, n):
    wait_until(lambda: database.value(IN_LINE) == n, f"{n} that wait for a lock")


def test_it_is_done_once_whatever_ends_meanwhile(make_gateway, broker, old, postgres):
    """An operator has a table locked; the gateway is killed, is told to end, and at last the server crashes."""
    gateway = make_gateway(database=old)
    with contextlib.suppress(psycopg2.Error), locked(old, "users"):
        gateway.start(wait=False)
        wait_in_line(old, 1)
        assert f"schema_migrating from={OLD} to={old.newest}" in gateway.log()
        gateway.kill()
        gateway.start(wait=False)
        wait_in_line(old, 2)
        assert gateway.terminate() == 0
        gateway.start(wait=False)
        wait_in_line(old, 3)
        postgres.stop(signal.SIGQUIT)
        postgres.start()
    gateway.wait_ready()
    assert re.search(f"schema_migrated from=\\d+ to={old.newest}", gateway.log())
    broker.publish("seano/USV-1/raw_log", "after")
    assert_books_are_closed(gateway)
    assert old.rows("SELECT logs FROM raw_logs") == [("after",)]
    assert old.rows("SELECT count(*) FROM schema_migrations") == [(old.newest,)]


def test_a_database_that_comes_late_is_migrated(make_gateway, broker, old, postgres):
    """As at the boot of a machine on which both start; it takes in before it knows what is there."""
    postgres.stop()
    gateway = make_gateway(database=old, cluster__lease="2s")
    gateway.start(wait=False)
    wait_until(lambda: "mqtt_connected" in gateway.log() and gateway.metric("tidegate_mqtt_connected") == 1,
               "it to take in")
    broker.publish("seano/USV-1/raw_log", "early")
    postgres.start()
    gateway.wait_ready()
    assert_books_are_closed(gateway)
    assert old.rows("SELECT logs FROM raw_logs") == [("early",)]


def test_reloads_amid_it_wait_for_nothing(make_gateway, broker, old):
    gateway = make_gateway(database=old)
    with locked(old, "users"):
        gateway.start(wait=False)
        wait_in_line(old, 1)
        reload_some(gateway)
    gateway.wait_ready()
    broker.publish("seano/USV-1/raw_log", "after")
    assert_books_are_closed(gateway)
    assert old.rows("SELECT logs FROM raw_logs") == [("after",)]
    assert old.rows("SELECT count(*) FROM schema_migrations") == [(old.newest,)]
