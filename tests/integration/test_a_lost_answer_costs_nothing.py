"""A connection to PostgreSQL that ends between two bytes: before a COMMIT, after it, anywhere."""
import os
import random
import time

import pytest

from commanding import command, wait_for_state
from conftest import populate
from faultproxy import (CUT, FREEZE, TO_CLIENT, TO_SERVER, PostgresProxy, commit_answer,
                        commit_request, nth_message, statement)
from servers import SLOW
from test_nothing_is_lost_and_nothing_comes_twice import (RATE, numbered, shown, wait_for_number)
from waiting import PATIENCE, wait_until

IN_ORDER = """SELECT n FROM (
        SELECT seq, substr(logs, 6)::bigint AS n FROM raw_logs
        UNION ALL SELECT seq, speed::bigint FROM vehicle_logs) AS stored ORDER BY seq"""


@pytest.fixture
def proxy(folder, postgres):
    made = PostgresProxy(folder / "proxy", postgres)
    yield made
    made.close()


@pytest.fixture
def behind_proxy(make_gateway, database, proxy):
    gateway = make_gateway(database__url=proxy.url(database))
    populate(gateway)
    return gateway.start()


def assert_stored_in_order(database, n_sent):
    """Each number once, and in the order in which they were published."""
    def numbers():
        return [n for (n,) in database.rows(IN_ORDER)]

    def is_there():
        return len(numbers()) >= n_sent
    try:
        wait_until(is_there, f"{n_sent} rows", PATIENCE * SLOW, step=0.2)
    finally:
        seen = numbers()
        assert seen == list(range(n_sent)), \
            f"{n_sent} sent, {len(seen)} stored, missing {sorted(set(range(n_sent)) - set(seen))[:20]}"
    assert database.value("SELECT count(*) FROM dead_letters") == 0


def assert_books_are_closed(gateway):
    """Nothing is left over and nothing is said to be missing."""
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "an empty journal")
    wait_until(lambda: gateway.metric("tidegate_accounting_drift") == 0, "no drift")
    wait_until(gateway.is_ready, "a gateway that is ready", PATIENCE * SLOW)


def wait_received(gateway, n):
    wait_until(lambda: gateway.metric("tidegate_received_total") >= n, f"{n} received")


def test_answers_to_commands_are_counted_as_what_they_are(behind_proxy, publisher, database, proxy):
    """Also where what the store said of them is lost with the answer of the COMMIT."""
    gateway = behind_proxy
    command_id = command(gateway)
    wait_for_state(database, command_id, "published")
    assert_books_are_closed(gateway)
    committed = gateway.metric("tidegate_committed_total")
    for name in ("forged", command_id, command_id):
        proxy.arm(commit_answer(FREEZE))
        publisher.publish("devices/dev-1/commands/ack",
                          f'{{"command_id":"{name}","status":"ok"}}')
        wait_until(proxy.frozen, "a commit whose answer is on its way")
        proxy.cut()
        assert_books_are_closed(gateway)
    assert gateway.metric("tidegate_dead_lettered_total", reason="unknown_command") == 1
    assert gateway.metric("tidegate_command_news_unchanged_total") == 1
    assert gateway.metric("tidegate_committed_total") == committed + 2
    assert database.value("SELECT count(*) FROM dead_letters") == 1
    assert database.value("SELECT state FROM commands") == "done"


def test_the_batch_behind_a_lost_commit_answer_is_stored(behind_proxy, publisher, database, proxy,
                                                         viewer):
    gateway = behind_proxy
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    publisher.publish(*numbered(0))
    database.wait_for("SELECT count(*) FROM raw_logs", 1)

    proxy.arm(commit_answer(FREEZE))
    publisher.publish(*numbered(1))
    wait_until(proxy.frozen, "a commit whose answer is on its way")
    publisher.publish(*numbered(2))
    publisher.publish(*numbered(3))
    publisher.flush()
    wait_received(gateway, 4)
    wait_for_number(v, 3, "live ahead of the store")  # so both have been decoded
    proxy.cut()

    assert_stored_in_order(database, 4)
    assert_books_are_closed(gateway)
    assert shown(v) == list(range(4))


def test_a_batch_that_moved_up_when_the_connection_went_is_stored(behind_proxy, publisher,
                                                                  database, proxy):
    """The next batch is there, its predecessor is stored, and the link ends before it is begun."""
    gateway = behind_proxy
    publisher.publish(*numbered(0))
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    proxy.arm(commit_answer(FREEZE))
    publisher.publish(*numbered(1))
    wait_until(proxy.frozen, "a commit whose answer is on its way")
    publisher.publish(*numbered(2))
    publisher.publish(*numbered(3))
    publisher.flush()
    wait_received(gateway, 4)
    before = proxy.arm(statement("begin", CUT))
    proxy.frozen()[0].thawed.set()
    wait_until(lambda: proxy.n_faults > before, "a cut before the next batch begins")

    assert_stored_in_order(database, 4)
    assert_books_are_closed(gateway)


def test_what_an_earlier_run_left_is_counted_once(behind_proxy, broker, database, proxy):
    """The connection ends while the start reads what was last known, so that it begins anew."""
    gateway = behind_proxy
    database.rows("ALTER TABLE raw_logs RENAME TO elsewhere")
    for n in range(3):
        broker.publish(*numbered(n))
    wait_received(gateway, 3)
    gateway.kill()
    database.rows("ALTER TABLE elsewhere RENAME TO raw_logs")

    before = proxy.arm(statement("LATERAL"))
    gateway.start(wait=False)
    wait_until(lambda: proxy.n_faults > before, "a cut while the last states are read")
    assert_stored_in_order(database, 3)
    assert_books_are_closed(gateway)


@pytest.mark.parametrize("where", [commit_request, commit_answer,
                                   lambda what: nth_message(3, TO_SERVER, what)])
def test_a_link_that_hangs_for_ever_holds_the_position_no_longer(make_gateway, publisher, database,
                                                                 proxy, where):
    """The server is not told that its client is gone: it goes on waiting, in a transaction."""
    gateway = make_gateway(database__url=proxy.url(database), database__timeout="3s")
    populate(gateway)
    gateway.start()
    publisher.publish(*numbered(0))
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    proxy.arm(where(FREEZE))
    publisher.publish(*numbered(1))
    wait_until(proxy.frozen, "a link that hangs")
    publisher.publish(*numbered(2))
    publisher.flush()

    assert_stored_in_order(database, 3)
    assert_books_are_closed(gateway)


def random_fault(dice):
    """Mostly where it hurts: around a COMMIT."""
    what = dice.choice((CUT, CUT, FREEZE))
    return dice.choice((
        lambda: commit_answer(what),
        lambda: commit_answer(what),
        lambda: commit_request(what),
        lambda: nth_message(dice.randint(1, 60), TO_CLIENT, what),
        lambda: nth_message(dice.randint(1, 60), TO_SERVER, what),
    ))()


def test_cuts_of_every_kind_under_load(behind_proxy, publisher, database, proxy, viewer):
    gateway = behind_proxy
    seed = int(os.environ.get("TIDEGATE_SEED", time.time()))
    dice = random.Random(seed)
    print(f"seed {seed}")
    v = viewer("/api/ws", "ana")
    v.next_of("connection")

    publisher.run(numbered, RATE)
    wait_for_number(v, 50, "the first frames")
    for _ in range(40):
        proxy.fault(random_fault(dice))
        held = publisher.n_sent + dice.randint(0, RATE // 4)
        wait_until(lambda n=held: publisher.n_sent >= n, "load")
        for link in proxy.frozen():
            link.cut()
    n_sent = publisher.stop()

    wait_for_number(v, n_sent - 1, "the last frame")
    assert_stored_in_order(database, n_sent)
    assert_books_are_closed(gateway)
    assert shown(v) == list(range(n_sent))
