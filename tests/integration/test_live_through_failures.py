"""Live across nodes, while something fails: what is stored is shown to each whose it is, once, in order."""
import pytest

from faultproxy import PostgresProxy
from test_live_across_nodes import Watcher
from test_several_slots import SLOTS, VEHICLES, make_node, stored, wait_for_owners  # pylint: disable=unused-import
from waiting import wait_until


def each_in_turn(n):
    return f"seano/{VEHICLES[n % len(VEHICLES)]}/raw_log", str(n // len(VEHICLES))


def numbers_of(n_sent):
    """vehicle -> all that was said of it."""
    return {vehicle: list(range((n_sent - i + len(VEHICLES) - 1) // len(VEHICLES))) for i, vehicle in enumerate(VEHICLES)}


def once_in_order(shown):
    return shown == {vehicle: sorted(set(numbers)) for vehicle, numbers in shown.items()}


class Parting:
    """Two that store, of which the first one is about to lose the database; somebody at each looks on."""

    def __init__(self, make_node, database, postgres, publisher, folder):
        self.database, self.publisher = database, publisher
        self.proxy = PostgresProxy(folder / "proxy", postgres)
        self.first, self.second = make_node("n1", database__url=self.proxy.url(database)), make_node("n2")
        self.first.start()
        wait_for_owners(database, n1=SLOTS)
        self.second.start(wait=False)
        wait_for_owners(database, n1=2, n2=2)
        self.second.wait_ready()
        for node in (self.first, self.second):
            wait_until(lambda n=node: n.metric("tidegate_live_connected") == 1, "it to hear the other one")
        self.watchers = [Watcher(node, "root") for node in (self.first, self.second)]
        publisher.run(each_in_turn, 240)
        for watcher in self.watchers:
            wait_until(watcher.take, "something to be shown")

    def cut_off(self):
        self.proxy.freeze()
        wait_for_owners(self.database, n2=SLOTS)
        wait_until(lambda: "mqtt_goes_on" in self.first.log(), "it to have taken in the message that it had at hand")


@pytest.fixture
def parting(make_node, database, postgres, publisher, folder):
    parting = Parting(make_node, database, postgres, publisher, folder)
    yield parting
    parting.proxy.close()


def test_who_loses_the_database_shows_nothing_that_another_one_has_shown(parting):
    """It holds the message that it was about to take in until it knows more; that is with who takes over, too."""
    parting.cut_off()
    n = parting.publisher.n_sent // len(VEHICLES)
    for watcher in parting.watchers:
        wait_until(lambda w=watcher: all(numbers[-1] > n for numbers in w.take().values()), "more to be shown")
    parting.publisher.stop()
    for watcher in parting.watchers:
        assert once_in_order(watcher.take())


def test_who_loses_the_database_leaves_the_session_to_who_takes_over(parting):
    """Each slot's; what both were sent is stored once."""
    parting.cut_off()
    wait_until(lambda: parting.first.log().count("mqtt_session_left") == 2, "it to leave both")
    assert "mqtt_lost" not in parting.first.log(), "it took none of them back"
    parting.first.kill()
    n_sent = parting.publisher.stop()
    parting.proxy.thaw()
    parting.first.start(wait=False)
    wait_until(lambda: parting.first.log().count(" started ") == 2, "it to be back, and what it had left to be stored")
    wait_until(lambda: parting.second.metric("tidegate_in_journal") == 0, "all to be stored")
    assert {vehicle: sorted(numbers) for vehicle, numbers in stored(parting.database).items()} == numbers_of(n_sent)
