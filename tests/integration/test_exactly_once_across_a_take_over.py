"""Promise: a message that one gateway had stored, or had in its journal, is stored once, whoever goes on with the
session at the broker, and whatever that sends again."""
import os
import pathlib
import random
import sys

import pytest

from conftest import populate
from faultproxy import CUT, PostgresProxy
from test_native_protocol import Native
from test_one_gateway_stores_at_a_time import wait_standing_by
from waiting import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from faultproxy import TO_SERVER  # noqa: E402
from mqttproxy import DROP, PUBACK, MqttProxy, of  # noqa: E402

TOPIC = "seano/USV-1/raw_log"
KILLS = int(os.environ.get("TIDEGATE_KILLS", "6"))
MARKED = pytest.mark.parametrize("marked", [False, True], ids=["no DUP", "DUP"])


def link_of(broker):
    return broker.link(broker.seen("SUBSCRIBE")[-1].link.client_id)


def stored(database):
    return [logs for (logs,) in database.rows("SELECT logs FROM raw_logs ORDER BY logs::int, seq")]


def wait_stored(database, numbers):
    want = sorted(numbers)
    wait_until(lambda: len(stored(database)) >= len(want), f"{len(want)} messages to be stored")
    assert [int(n) for n in stored(database)] == want


def send(link, ids, dup=False):
    """Each says what its packet id is."""
    for n in ids:
        link.publish(TOPIC, str(n), packet_id=n, dup=dup)


def after(broker, n_subscribed):
    """The connection of whoever has it next."""
    return broker.wait_for("SUBSCRIBE", n_subscribed + 1).link


class Pair:
    """Two gateways; the first one is reached through a proxy of the database."""

    def __init__(self, make_gateway, broker, database, postgres, folder, version=5):
        self.broker, self.database, self.postgres, self.folder = broker, database, postgres, folder
        self.proxy = PostgresProxy(folder / "proxy", postgres)
        self.first, self.second = (
            make_gateway(broker=broker, cluster__lease="2s", mqtt__canary="0", mqtt__receive_maximum=1000,
                         mqtt__version=version, database__url=url)
            for url in (self.proxy.url(database), database.url))
        populate(self.first)
        self.first.start()
        self.second.start(wait=False)
        wait_standing_by(self.second)

    def cut_off(self):
        self.proxy.close()

    def heal(self):
        self.proxy = PostgresProxy(self.folder / "proxy", self.postgres)

    def kill(self, gateway, other):
        """-> the connection of the other one."""
        n = len(self.broker.seen("SUBSCRIBE"))
        gateway.kill()
        other.wait_ready()
        return after(self.broker, n)

    def swap(self, leaving, coming):
        n = len(self.broker.seen("SUBSCRIBE"))
        assert leaving.terminate() == 0
        coming.wait_ready()
        return after(self.broker, n)


@pytest.fixture(params=[4, 5], ids=["3.1.1", "5"])
def pair(request, make_gateway, scripted_broker, database, postgres, folder):
    pair = Pair(make_gateway, scripted_broker, database, postgres, folder, request.param)
    yield pair
    pair.proxy.close()


@MARKED
def test_stored_and_not_acknowledged(pair, scripted_broker, database, marked):
    """And in another order; equal ones behind it are of their own."""
    send(link_of(scripted_broker), range(1, 41))
    wait_stored(database, range(1, 41))
    link = pair.kill(pair.first, pair.second)
    send(link, [40, 38, 39, 37], dup=marked)
    for packet_id in (41, 42):
        link.publish(TOPIC, "40", packet_id=packet_id)
    wait_stored(database, [*range(1, 41), 40, 40])
    assert pair.second.metric("tidegate_duplicate_total") == 4
    assert pair.second.metric("tidegate_accounting_drift") == 0


def test_again_and_again(pair, scripted_broker, database):
    """The next one, and the one after that, also die before the broker has heard anything."""
    send(link_of(scripted_broker), range(1, 11))
    wait_stored(database, range(1, 11))
    gateways = [pair.first, pair.second]
    for turn in range(1, 4):
        link = pair.kill(*gateways)
        gateways[0].start(wait=False)
        wait_standing_by(gateways[0])
        send(link, range(1, 10 * turn + 11))
        wait_stored(database, range(1, 10 * turn + 11))
        gateways.reverse()


def comes_once_more_only_to_who_has_seen_it(gateway):
    """Who has seen it under the number that the first one gave it is told; who is before it resumes."""
    [(epoch, after, until)] = gateway.database.rows(
        "SELECT epoch, taken_after, taken_until FROM journal_positions WHERE taken_until > 0")
    for seq, recovered in ((after, True), (after + 1, False), (until, False)):
        client = Native(gateway, gateway.token("root"))
        answer = client.ask("subscribe", to=["user"], since=f"{epoch}:{seq}")
        client.close()
        assert seq == 0 or answer["recovered"] == recovered, seq - after


@MARKED
def test_in_its_journal_and_not_acknowledged(pair, scripted_broker, database, marked):
    """5 to 9 go to both; that of 10 was heard of, and is on its disk alone."""
    link = link_of(scripted_broker)
    send(link, range(1, 5))
    wait_stored(database, range(1, 5))
    pair.second.freeze()
    pair.cut_off()
    send(link, [10, *range(5, 10)])
    wait_until(lambda: pair.first.metric("tidegate_in_journal") == 6, "the journal to have them")
    pair.second.thaw()
    link = pair.kill(pair.first, pair.second)
    send(link, range(5, 10), dup=marked)
    send(link, [11])
    wait_stored(database, [*range(1, 10), 11])
    pair.heal()
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    send(pair.swap(pair.second, pair.first), [12])
    wait_stored(database, range(1, 13))
    assert "journal_taken messages=5 " in pair.first.log()
    comes_once_more_only_to_who_has_seen_it(pair.first)
    assert pair.first.metric("tidegate_accounting_drift") == 0
    assert pair.first.cli("journal", "verify").returncode == 0
    assert pair.first.terminate() == 0


def test_what_is_another_ones_is_told_of_though_the_database_goes_away_then(pair, scripted_broker, database):
    """As it was back, and had noted on its disk what the next one had stored: who has seen that is told."""
    send(link_of(scripted_broker), range(1, 5))
    wait_stored(database, range(1, 5))
    pair.second.freeze()
    pair.cut_off()
    send(link_of(scripted_broker), range(5, 11))
    wait_until(lambda: pair.first.metric("tidegate_in_journal") == 6, "the journal to have them")
    pair.second.thaw()
    link = pair.kill(pair.first, pair.second)
    send(link, range(5, 11), dup=True)
    send(link, [11])
    wait_stored(database, range(1, 12))
    pair.heal()
    pair.proxy.arm(lambda m: CUT if "taken_after" in m.statement else None)
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    assert pair.proxy.n_faults == 1
    send(pair.swap(pair.second, pair.first), [12])
    wait_stored(database, range(1, 13))
    comes_once_more_only_to_who_has_seen_it(pair.first)
    assert pair.first.metric("tidegate_accounting_drift") == 0


def test_an_equal_message_behind_a_redelivery_outlives_a_start_before_anything_of_the_turn_is_stored(pair, scripted_broker, database):
    """The second one stored 5 to 7, and was not heard; the first one is sent them again, says so, and is sent a new message
    under an id that is free by that: it is none of those, also if the first one starts anew."""
    send(link_of(scripted_broker), range(1, 5))
    wait_stored(database, range(1, 5))
    send(pair.swap(pair.first, pair.second), range(5, 8))
    wait_stored(database, range(1, 8))
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    link = pair.kill(pair.second, pair.first)
    pair.cut_off()
    send(link, range(5, 8))
    wait_until(lambda: pair.first.metric("tidegate_duplicate_total") == 3, "what was sent again to be known")
    send(link, [6])
    wait_until(lambda: pair.first.metric("tidegate_in_journal") == 1, "the journal to have the new one")
    pair.first.kill()
    pair.heal()
    n = len(scripted_broker.seen("SUBSCRIBE"))
    pair.first.start()
    send(after(scripted_broker, n), [8])
    wait_stored(database, [*range(1, 9), 6])
    assert pair.first.metric("tidegate_accounting_drift") == 0


def test_no_more_is_kept_than_can_be_in_flight(pair, scripted_broker, database):
    """And of each turn the first ones, as long as an earlier journal has more to store."""
    kept = "SELECT min(total), count(*) FROM slot_flights"
    fill = """INSERT INTO slot_flights (slot, total, turn_total, journal_id, fence, flights)
        SELECT 0, m.total + n * 100, m.total, m.journal_id, m.fence + %s, decode(repeat('00', 1200), 'hex')
        FROM (SELECT total, journal_id, fence FROM slot_flights ORDER BY total DESC LIMIT 1) m, generate_series(1, %s) n"""
    link = link_of(scripted_broker)
    send(link, range(1, 11))
    wait_stored(database, range(1, 11))
    database.rows("INSERT INTO journal_positions (epoch, slot, left_at, left_fence) VALUES ('dead', 0, now(), 1)")
    database.rows(fill, 1, 1000)  # of the next turn
    database.rows("UPDATE journal_positions SET flights = (SELECT max(total) FROM slot_flights) WHERE epoch <> 'dead'")
    send(link, range(11, 1101))
    wait_stored(database, range(1, 1101))
    assert database.rows(kept)[0][0] > 11  # the first turn is over, and nobody's
    assert database.value("SELECT count(*) FROM slot_flights WHERE total <= 20011") > 190
    database.rows("UPDATE journal_positions SET left_at = NULL")
    send(link, range(1101, 2201))
    wait_stored(database, range(1, 2201))
    newest = database.value("SELECT max(total) FROM slot_flights")
    assert newest - 65535 - 1200 < database.rows(kept)[0][0] <= newest - 64000


def test_under_load_and_killed_at_any_time(make_gateway, broker, database, publisher):
    """Mosquitto, and between the two a link that loses acknowledgements and the mark of what comes again."""
    proxy = MqttProxy(broker.port, lambda topic, payload: payload)
    proxy.clears_dup = True
    pair = [make_gateway(cluster__lease="2s", mqtt__url=f"mqtt://127.0.0.1:{proxy.port}") for _ in range(2)]
    populate(pair[0])
    pair[0].start()
    publisher.run(lambda n: (TOPIC, str(n)), rate=300)
    for turn in range(KILLS):
        pair[1].start(wait=False)
        wait_standing_by(pair[1])
        seen = publisher.n_sent
        wait_until(lambda n=seen: publisher.n_sent > n + 100, "some load")
        if turn % 3:
            proxy.arm(of(PUBACK, TO_SERVER, DROP), 1000)
        seen, more = publisher.n_sent, random.randrange(90)
        wait_until(lambda n=seen + more: publisher.n_sent >= n, "the moment")
        pair[0].kill()
        proxy.arm(None)
        pair[1].wait_ready()
        pair.reverse()
    n_sent = publisher.stop()
    proxy.clears_dup = False
    pair[1].start(wait=False)
    wait_standing_by(pair[1])
    assert pair[0].terminate() == 0  # what was left is the other one's, and is stored in its turn
    pair[1].wait_ready()
    wait_until(lambda: len(set(stored(database))) == n_sent, "all to be stored")
    assert [int(n) for n in stored(database)] == list(range(n_sent))
    assert [int(n) for (n,) in database.rows("SELECT logs FROM raw_logs ORDER BY seq")] == list(range(n_sent))
    assert pair[1].metric("tidegate_accounting_drift") == 0
    assert database.value("SELECT count(*) FROM journal_differences") == 0
    proxy.close()
