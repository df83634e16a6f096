"""Whatever an operator locks, what devices say is shown at once, and all of it is stored."""
import contextlib
import json
import threading

import psycopg2
import pytest

from servers import SLOW
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import detections
from waiting import wait_until

N = 10
AT_ONCE = 1.5  # seconds; the time-out of a statement, and of a lock, is 10


@pytest.fixture
def operator(database):
    with contextlib.closing(psycopg2.connect(database.url)) as conn:
        yield conn


def lock(operator, table):
    operator.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


def lock_behind_a_change(operator, database):
    """The lock is there before anybody can read what has changed."""
    with contextlib.closing(psycopg2.connect(database.url)) as other:
        other.cursor().execute("UPDATE devices SET name = 'changed'")
        thread = threading.Thread(target=lock, args=(operator, "devices"))
        thread.start()
        wait_until(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                   "the operator to be next")
        other.commit()
        thread.join()


def lose_connections(database):
    database.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                  " WHERE application_name IN ('tidegate/processor', 'tidegate/registry')")


def registering(_gateway, broker, _database, operator):
    lock(operator, "devices")
    detections(broker, "new-1")


def changing(_gateway, _broker, database, operator):
    lock_behind_a_change(operator, database)


def coming_back(_gateway, _broker, database, operator):
    lock(operator, "shares")
    lose_connections(database)


def making_a_day(_gateway, _broker, database, operator):
    """The tables of messages; a new connection has to make sure of the day's partitions."""
    lock(operator, "raw_logs")
    lose_connections(database)


@pytest.mark.parametrize("fault", [registering, changing, coming_back, making_a_day])
def test_what_is_locked_delays_no_live_message(gateway, broker, database, operator, viewer, fault):
    ana = viewer("/ws/device/dev-1", "ana")
    broker.publish("ems/dev-1/telemetry", '{"n":0}')
    ana.wait_for(lambda frames: any('"n":0' in f for f in frames), "the first")
    fault(gateway, broker, database, operator)
    for n in range(1, N + 1):
        broker.publish("ems/dev-1/telemetry", json.dumps({"n": n}).replace(" ", ""))
        ana.wait_for(lambda frames, n=n: any(f'"n":{n}' in f for f in frames), f"message {n}",
                     AT_ONCE * SLOW)
    operator.rollback()
    database.wait_for("SELECT count(*) FROM telemetry", N + 1)
    if fault is registering:
        database.wait_for("SELECT count(*) FROM ble_detections", 1)
    wait_until(gateway.is_ready, "it to be ready again")
    assert_books_are_closed(gateway)


def test_it_says_that_the_database_stalls_and_that_it_goes_on(gateway, broker, database, operator):
    for n in range(1, 4):
        lock(operator, "raw_logs")
        broker.publish("seano/USV-1/raw_log", str(n))
        wait_until(lambda: "database_stalled" in gateway.log(), "it to say so")
        operator.rollback()
        database.wait_for("SELECT count(*) FROM raw_logs", n)
    wait_until(lambda: gateway.log().count(" database_goes_on") == gateway.log().count(" database_stalled "),
               "it to say that this is over")
