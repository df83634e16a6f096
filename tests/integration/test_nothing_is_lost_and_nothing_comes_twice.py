"""Outages under load, then a comparison, row for row, with what was published."""
import json
import os
import random
import signal
import time

import psycopg2
import pytest

from conftest import populate
from load import Publisher
from servers import SLOW, Broker
from waiting import PATIENCE, wait_until

RATE = int(os.environ.get("TIDEGATE_RATE", 1000 if SLOW == 1 else 400))


def numbered(n):
    """Two thirds log lines, one third positions; each with its number."""
    if n % 3 == 2:
        return "seano/USV-1/vehicle_log", json.dumps({"speed": n, "mode": "AUTO",
                                                      "latitude": -6.2088, "longitude": 106.8456})
    return "seano/USV-1/raw_log", f"load {n}"


STORED = """SELECT n FROM (
        SELECT substr(logs, 6)::bigint AS n FROM raw_logs WHERE logs LIKE 'load %%'
        UNION ALL SELECT speed::bigint FROM vehicle_logs) AS stored ORDER BY n"""


def stored(database):
    return [n for (n,) in database.rows(STORED)]


def assert_exactly(database, n_sent, timeout=PATIENCE * 4):
    """Every number from 0 on once: no hole, nothing twice."""
    wait_until(lambda: database.value(
        "SELECT (SELECT count(*) FROM raw_logs) + (SELECT count(*) FROM vehicle_logs)") >= n_sent,
        f"{n_sent} rows", timeout, step=0.2)
    numbers = stored(database)
    missing = sorted(set(range(n_sent)) - set(numbers))
    twice = sorted({n for i, n in enumerate(numbers[1:]) if n == numbers[i]})
    assert not missing and not twice and len(numbers) == n_sent, \
        f"{n_sent} sent, {len(numbers)} stored; missing {missing[:20]}, twice {twice[:20]}"
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def assert_accounts_balance(gateway):
    """docs/protocol.md, 6: received = committed + dead_lettered + duplicate + in_journal."""
    def balanced():
        m = gateway.metric
        return m("tidegate_received_total") == m("tidegate_committed_total") \
            + m("tidegate_dead_lettered_total") + m("tidegate_duplicate_total") \
            + m("tidegate_in_journal") and m("tidegate_accounting_drift") == 0
    wait_until(balanced, "balanced accounts")


def shown(v):
    """The numbers that a viewer of dialect D was shown, in order."""
    numbers = []
    for text in v.frames:
        frame = json.loads(text)
        if frame["type"] == "raw_log":
            numbers.append(int(frame["data"][5:]))
        elif frame["type"] == "vehicle_log":
            numbers.append(int(frame["data"]["speed"]))
    return numbers


def wait_for_number(v, n, what):
    """Until the viewer was shown @n or a later one."""
    def seen(texts):
        for text in reversed(texts[-50:]):
            frame = json.loads(text)
            data = frame.get("data")
            number = int(data[5:]) if frame["type"] == "raw_log" else \
                int(data["speed"]) if frame["type"] == "vehicle_log" else -1
            if number >= n:
                return True
        return False
    v.wait_for(seen, what, PATIENCE * SLOW)


@pytest.mark.smoke
def test_commit_comes_before_broadcast(gateway, broker, database, viewer):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    conn = psycopg2.connect(database.url)
    conn.autocommit = True
    cursor = conn.cursor()
    publisher = Publisher(broker)
    for n in range(150):
        publisher.publish("seano/USV-1/raw_log", f"load {n}")
        frame = v.next_json()
        cursor.execute("SELECT count(*) FROM raw_logs WHERE logs = %s", (frame["data"],))
        assert cursor.fetchone() == (1,), f"{frame['data']} was shown before it was committed"
    publisher.flush()
    publisher.close()
    conn.close()


def outage(gateway, publisher, database, v, begin, end):
    """Load, an outage of the database during which live goes on, its return, the comparison."""
    publisher.run(numbered, RATE)
    wait_for_number(v, 100, "the first frames")
    begin()
    gone = publisher.n_sent
    wait_for_number(v, gone + int(RATE * 2), "frames of messages published during the outage")
    wait_until(lambda: gateway.status("/readyz") == 503 or gateway.status("/livez") == 200, "life")
    end()
    back = publisher.n_sent
    wait_for_number(v, back + RATE, "frames after the outage")
    n_sent = publisher.stop()
    wait_for_number(v, n_sent - 1, "the last frame")
    assert_exactly(database, n_sent)
    assert shown(v) == list(range(n_sent))
    assert_accounts_balance(gateway)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_database_that_is_stopped_for_a_while(gateway, publisher, database, viewer, postgres,
                                                how):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    outage(gateway, publisher, database, v, lambda: postgres.stop(how), postgres.start)


def test_a_database_that_hangs_for_a_while(gateway, publisher, database, viewer, postgres):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    outage(gateway, publisher, database, v, postgres.freeze, postgres.thaw)


def test_a_database_that_is_away_at_the_start(make_gateway, publisher, database, postgres):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    assert gateway.terminate() == 0
    publisher.run(numbered, RATE)
    postgres.stop()
    gateway.start(wait=False)
    wait_until(lambda: gateway.status("/livez") == 200, "life without a database")
    assert gateway.status("/readyz") == 503
    postgres.start()
    gateway.wait_ready()
    assert_exactly(database, publisher.stop())


def test_backends_that_are_killed_under_load(gateway, publisher, database, postgres):
    publisher.run(numbered, RATE)
    for _ in range(8):
        begin = publisher.n_sent
        wait_until(lambda n=begin: publisher.n_sent > n + RATE // 4, "load")
        postgres.execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                         "WHERE datname = %s", database.name)
    assert_exactly(database, publisher.stop())
    assert_accounts_balance(gateway)


def test_kill_9_at_random_moments_under_load(gateway, publisher, database, broker):
    seed = int(os.environ.get("TIDEGATE_SEED", time.time()))
    dice = random.Random(seed)
    print(f"seed {seed}")
    publisher.run(numbered, RATE)
    n_kills = 25
    for n in range(n_kills):
        # sometimes while it starts, sometimes while it works: the load goes on either way
        until = time.monotonic() + dice.uniform(0.0, 0.5 if n % 3 == 0 else 1.5 * SLOW)
        wait_until(lambda t=until: time.monotonic() > t, "a random moment", step=0.001)
        assert gateway.process.poll() is None, gateway.log()[-4000:]
        gateway.kill()
        gateway.start(wait=False)
    gateway.wait_ready()
    n_sent = publisher.stop()
    assert n_sent > RATE * 5
    assert_exactly(database, n_sent)
    assert_accounts_balance(gateway)


def test_kill_9_while_the_database_is_away(gateway, publisher, database, postgres):
    publisher.run(numbered, RATE)
    wait_until(lambda: publisher.n_sent > RATE, "load")
    postgres.stop(signal.SIGQUIT)
    for _ in range(3):
        begin = publisher.n_sent
        wait_until(lambda n=begin: publisher.n_sent > n + RATE // 2, "load")
        gateway.kill()
        gateway.start(wait=False)
        wait_until(lambda: gateway.status("/livez") == 200, "life")
    postgres.start()
    gateway.wait_ready()
    assert_exactly(database, publisher.stop())


def test_kill_9_of_gateway_and_database_together(gateway, publisher, database, postgres):
    publisher.run(numbered, RATE)
    for _ in range(3):
        begin = publisher.n_sent
        wait_until(lambda n=begin: publisher.n_sent > n + RATE, "load")
        postgres.stop(signal.SIGQUIT)
        gateway.kill()
        postgres.start()
        gateway.start(wait=False)
    gateway.wait_ready()
    assert_exactly(database, publisher.stop())


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_broker_that_restarts(make_gateway, database, broker, version):
    gateway = make_gateway(mqtt__version=version)
    populate(gateway)
    gateway.start()
    sent = 0
    for how in (signal.SIGTERM, signal.SIGTERM):
        publisher = Publisher(broker)
        first = sent
        publisher.run(lambda n, first=first: numbered(first + n), RATE)
        wait_until(lambda: publisher.n_sent > RATE, "load")
        sent += publisher.stop()  # all is in the broker; the gateway may well be behind
        publisher.close()
        broker.stop(how)
        wait_until(lambda: gateway.status("/readyz") == 503, "not ready without a broker")
        broker.start()
        publisher = Publisher(broker)  # it may be first: the session keeps its messages
        first = sent
        publisher.run(lambda n, first=first: numbered(first + n), RATE)
        wait_until(lambda: publisher.n_sent > RATE // 2, "load")
        gateway.wait_ready()
        sent += publisher.stop()
        publisher.close()
    assert_exactly(database, sent)
    assert_accounts_balance(gateway)


def test_a_broker_that_forgets_our_session_is_subscribed_again(gateway, database, broker):
    broker.publish("seano/USV-1/raw_log", "load 0")
    assert_exactly(database, 1)
    broker.stop(signal.SIGKILL)
    for path in broker.folder.glob("mosquitto.db*"):
        path.unlink()
    broker.start()
    gateway.wait_ready()
    wait_until(lambda: gateway.metric("tidegate_mqtt_connects_total") >= 2, "a second session")

    def arrives():
        broker.publish("seano/USV-1/raw_log", "after")
        return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'after'") > 0
    wait_until(arrives, "messages of the new session", step=0.1)


def test_messages_sent_while_the_gateway_is_down_arrive(gateway, publisher, database):
    assert gateway.terminate() == 0
    publisher.run(numbered, RATE)
    wait_until(lambda: publisher.n_sent > RATE * 2, "load")
    gateway.start()
    assert_exactly(database, publisher.stop())


def test_equal_messages_that_were_really_sent_twice_are_both_kept(gateway, publisher, database):
    for _ in range(50):
        publisher.publish("seano/USV-1/raw_log", "the very same")
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'the very same'", 50)


def test_a_full_journal_is_said_and_costs_nothing(make_gateway, database, postgres, folder):
    broker = Broker(folder / "broker2").start()
    gateway = make_gateway(broker=broker, journal__max_bytes="512K", journal__min_free_bytes="0")
    populate(gateway)
    gateway.start()
    postgres.stop()
    publisher = Publisher(broker)
    publisher.run(numbered, RATE * 2)

    def is_high():
        answer = gateway.get("/readyz")
        return answer.status_code == 503 and "journal" in answer.text
    wait_until(is_high, "readyz to say that the journal is full", PATIENCE * SLOW)
    assert gateway.metric("tidegate_journal_full") == 1
    assert gateway.metric("tidegate_mqtt_connected") == 0
    held = publisher.n_sent
    wait_until(lambda: publisher.n_sent > held + RATE, "the broker to take more")
    assert gateway.metric("tidegate_journal_bytes") <= 512 * 1024
    high = gateway.metric("tidegate_journal_high_bytes")
    assert 0 < high < 512 * 1024 and gateway.get("/api/ws/stats", "root").json()["journal"]["high_bytes"] == high

    postgres.start()
    gateway.wait_ready()
    assert_exactly(database, publisher.stop())
    assert gateway.metric("tidegate_journal_full") == 0
    assert_accounts_balance(gateway)
    publisher.close()
    assert gateway.terminate() == 0
    broker.stop()


def test_sigterm_stores_what_the_journal_holds(gateway, publisher, database):
    publisher.run(numbered, RATE * 2)
    wait_until(lambda: publisher.n_sent > RATE, "load")
    n_sent = publisher.stop()
    wait_until(lambda: gateway.metric("tidegate_received_total") >= n_sent, "all received",
               PATIENCE * SLOW)
    assert gateway.terminate() == 0
    assert stored(database) == list(range(n_sent))
