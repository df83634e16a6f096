"""Live across nodes, while something fails: what is stored is shown to each whose it is, once, in order."""
from faultproxy import PostgresProxy
from test_live_across_nodes import Watcher
from test_several_slots import SLOTS, VEHICLES, make_node, wait_for_owners  # pylint: disable=unused-import
from waiting import wait_until


def each_in_turn(n):
    return f"seano/{VEHICLES[n % len(VEHICLES)]}/raw_log", str(n // len(VEHICLES))


def once_in_order(shown):
    return shown == {vehicle: sorted(set(numbers)) for vehicle, numbers in shown.items()}


def test_who_loses_the_database_shows_nothing_that_another_one_has_shown(make_node, database, postgres, publisher, folder):
    """It holds the message that it was about to take in until it knows more; that is with who takes over, too."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    first, second = make_node("n1", database__url=proxy.url(database)), make_node("n2")
    first.start()
    wait_for_owners(database, n1=SLOTS)
    second.start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    second.wait_ready()
    for node in (first, second):
        wait_until(lambda n=node: n.metric("tidegate_live_connected") == 1, "it to hear the other one")
    watchers = [Watcher(node, "root") for node in (first, second)]
    publisher.run(each_in_turn, 240)
    for watcher in watchers:
        wait_until(watcher.take, "something to be shown")

    proxy.freeze()
    wait_for_owners(database, n2=SLOTS)
    wait_until(lambda: "mqtt_goes_on" in first.log(), "it to have taken that message in")
    n = publisher.n_sent // len(VEHICLES)
    for watcher in watchers:
        wait_until(lambda w=watcher: all(numbers[-1] > n for numbers in w.take().values()), "more to be shown")
    publisher.stop()
    for watcher in watchers:
        assert once_in_order(watcher.take())
    proxy.close()
