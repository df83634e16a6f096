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

    def __init__(self, make_node, database, postgres, publisher, folder, is_first_later=False, clock=None):
        self.database, self.publisher = database, publisher
        self.proxy = PostgresProxy(folder / "proxy", postgres)
        self.first, self.second = make_node("n1", database__url=self.proxy.url(database)), make_node("n2")
        self.first.clock = clock
        earlier, later = (self.second, self.first) if is_first_later else (self.first, self.second)
        earlier.start()
        database.wait_for("SELECT count(*) FROM slots WHERE instance IS NOT NULL", SLOTS)
        later.start(wait=False)
        wait_for_owners(database, n1=2, n2=2)
        later.wait_ready()
        for node in (self.first, self.second):
            wait_until(lambda n=node: n.metric("tidegate_live_connected") == 1, "it to hear the other one")
        self.watchers = [Watcher(node, "root") for node in (self.first, self.second)]
        publisher.run(each_in_turn, 240)
        for watcher in self.watchers:
            watcher.may_be_told = True  # that what the first one showed is not what is stored
            wait_until(watcher.take, "something to be shown")

    def cut_off(self):
        self.proxy.freeze()
        wait_for_owners(self.database, n2=SLOTS)
        wait_until(lambda: "mqtt_goes_on" in self.first.log(), "it to have taken in the message that it had at hand")


@pytest.fixture
def parting(request, make_node, database, postgres, publisher, folder):
    parting = Parting(make_node, database, postgres, publisher, folder, **getattr(request, "param", {}))
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


@pytest.mark.parametrize("parting", [{}, {"is_first_later": True}], indirect=True, ids=["the first to begin it", "the second"])
def test_who_loses_the_database_leaves_the_session_to_who_takes_over(parting):
    """Each slot's; what both were sent is stored once, also where who takes over had begun the session before."""
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


@pytest.mark.parametrize("parting", [{}, {"is_first_later": True}, {"clock": "+60s"}], indirect=True,
                         ids=["of an earlier start", "of a later start", "whose clock is ahead"])
def test_who_dies_with_what_it_alone_has_shown_hides_nothing_of_the_next_one(parting):
    """What it showed and never stored has numbers that nobody knows of. The next one gives none of them again, which
    would be passed over as shown."""
    watcher = parting.watchers[1]
    parting.proxy.freeze()
    wait_until(lambda: "database_stalled" in parting.first.log(), "it to show what is not stored")
    n = parting.publisher.n_sent // len(VEHICLES)
    wait_until(lambda: all(numbers[-1] > n for numbers in watcher.take().values()) and watcher.seen.keys() == set(VEHICLES),
               "that to be shown, of each")
    first_shown = {vehicle: numbers[0] for vehicle, numbers in watcher.seen.items()}
    parting.first.kill()
    wait_for_owners(parting.database, n2=SLOTS)
    parting.publisher.stop()
    wait_until(lambda: parting.second.metric("tidegate_in_journal") == 0, "all to be stored")
    wanted = {(vehicle, n) for vehicle, numbers in stored(parting.database).items() for n in numbers if n >= first_shown[vehicle]}
    wait_until(lambda: wanted <= {(vehicle, n) for vehicle, numbers in watcher.take().items() for n in numbers},
               "all that is stored to be shown")
    wait_until(lambda: watcher.take() and watcher.gaps, "who has seen the first ones to be told")
    assert len(watcher.gaps) <= parting.second.metric("tidegate_live_forked_total")
    assert all(gap["dropped"] > 0 for gap in watcher.gaps)
