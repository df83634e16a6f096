"""A journal that is behind the database, and clocks that were set back: nothing is skipped for it."""
import shutil

import psycopg2
import pytest

from conftest import populate
from waiting import wait_until

DAY_US = 86400 * 10**6
TOPIC = "seano/USV-1/raw_log"


class Sender:
    """Sends numbered messages, by MQTT or as a receiver that posts, and knows how many there were."""

    def __init__(self, gateway, broker, database):
        self.gateway = gateway
        self.broker = broker
        self.database = database
        self.table = "raw_logs" if broker else "ble_detections"
        self.n = 0

    def send(self, n):
        for _ in range(n):
            if self.broker:
                self.broker.publish(TOPIC, f"load {self.n}")
            else:
                self.post()
            self.n += 1

    def post(self):
        answer = self.gateway.post(
            "/api/v1/detections", headers={"Authorization": f"Bearer {self.gateway.ids['dev-1 token']}"},
            json={"device_hash": f"{self.n:064x}", "rssi": -55, "timestamp": "2025-10-18T12:00:00Z"})
        assert answer.status_code == 200, answer.text

    def assert_stored(self):
        self.database.wait_for(f"SELECT count(DISTINCT seq) FROM {self.table}", self.n)
        what = "logs" if self.broker else "device_hash"
        assert self.database.rows(f"SELECT count(*), count(DISTINCT {what}) FROM {self.table}") == \
            [(self.n, self.n)]
        assert self.database.value("SELECT count(*) FROM dead_letters") == 0


@pytest.fixture
def by_mqtt(make_gateway, broker, database):
    gateway = make_gateway()
    populate(gateway)
    return Sender(gateway.start(), broker, database)


@pytest.fixture
def by_http(make_gateway, database):
    gateway = make_gateway(broker=None)
    populate(gateway)
    return Sender(gateway.start(), None, database)


def position(database):
    return database.value("SELECT max(seq) FROM journal_positions")


def wait_accepted(gateway, n):
    wait_until(lambda: gateway.metric("tidegate_received_total", door="mqtt") >= n,
               f"{n} messages in the journal")


def put_back(gateway, copy, keep_numbers):
    """The journal is as it was when @copy was made."""
    journal = gateway.folder / "journal"
    numbers = (journal / "numbers").read_bytes() if keep_numbers else b""
    shutil.rmtree(journal)
    shutil.copytree(copy, journal)
    (journal / "numbers").unlink(missing_ok=True)
    if keep_numbers:
        (journal / "numbers").write_bytes(numbers)


def go_on(sender):
    """A gateway with some history, of which its journal loses the end; the copy of its beginning."""
    sender.send(3)
    sender.assert_stored()
    copy = sender.gateway.folder / "copy"
    shutil.copytree(sender.gateway.folder / "journal", copy)
    sender.send(20)
    sender.assert_stored()
    sender.gateway.kill()
    return copy


@pytest.mark.parametrize("keep_numbers", [True, False], ids=["power cut", "old copy"])
def test_a_journal_without_its_end_and_a_clock_set_back(by_http, database, keep_numbers):
    gateway = by_http.gateway
    put_back(gateway, go_on(by_http), keep_numbers)
    before = position(database)

    gateway.clock = "-10d"
    gateway.start()
    by_http.send(20)
    by_http.assert_stored()
    assert position(database) > before
    assert gateway.metric("tidegate_in_journal") == 0
    assert ("journal_behind_database" in gateway.log()) is not keep_numbers


def test_what_is_accepted_before_the_database_answers_is_stored_once(by_mqtt, database, postgres):
    gateway = by_mqtt.gateway
    put_back(gateway, go_on(by_mqtt), keep_numbers=False)
    # As behind a gateway whose clock was ten days ahead of the one that starts now.
    database.rows("UPDATE journal_positions SET seq = seq + %s", 10 * DAY_US)

    postgres.stop()
    for run in range(2):  # the first of these runs never hears from the database
        gateway.start(wait=False)
        wait_until(lambda: gateway.status("/livez") == 200, "the gateway to listen")
        by_mqtt.send(10)
        wait_accepted(gateway, 10)
        if run == 0:
            gateway.kill()
    postgres.start()
    by_mqtt.assert_stored()
    gateway.kill()
    gateway.start()
    by_mqtt.send(5)
    by_mqtt.assert_stored()
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "an empty journal")


def move_position(database, sender):
    """Ahead, while messages wait for it; where it is then."""
    conn = psycopg2.connect(database.url)
    with conn, conn.cursor() as cursor:
        cursor.execute("UPDATE journal_positions SET seq = seq + %s RETURNING seq", (10 * DAY_US,))
        (moved,) = cursor.fetchone()
        sender.send(10)  # they wait for the row
        wait_accepted(sender.gateway, sender.n)
    conn.close()
    return moved


def test_a_position_that_moves_ahead_while_we_run_takes_what_waits_along(by_mqtt, database):
    gateway = by_mqtt.gateway
    by_mqtt.send(3)
    by_mqtt.assert_stored()
    moved = move_position(database, by_mqtt)
    by_mqtt.assert_stored()
    assert position(database) > moved
    by_mqtt.send(5)
    by_mqtt.assert_stored()
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "an empty journal")
    gateway.kill()
    gateway.start()
    by_mqtt.send(5)
    by_mqtt.assert_stored()
