"""Two gateways whose journals are one folder, copied: they store in turn, nothing is lost or stored twice."""
import shutil

import pytest

from conftest import populate
from test_one_gateway_stores_at_a_time import publish, stored, wait_standing_by
from waiting import wait_until


def take_turns(first, second):
    """The first one ends properly, the second goes on, and the first stands by."""
    assert first.terminate() == 0
    second.wait_ready()
    first.start(wait=False)
    wait_standing_by(first)


@pytest.fixture
def copied(make_gateway, database, postgres, publisher):
    """copied(n_shared) -> the original, which stores, and its copy, which stands by; as it was made,
    so many messages waited for the database."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))

    def copy(n_shared):
        populate(first)
        first.start()
        publish(publisher, range(10))
        stored(database, range(10))
        if n_shared:
            postgres.stop()
            publish(publisher, range(10, 10 + n_shared))
            wait_until(lambda: first.metric("tidegate_in_journal") == n_shared, "the journal to have them")
            first.kill()
        else:
            assert first.terminate() == 0
        for name in ("journal", "journal.client-id"):
            (shutil.copytree if name == "journal" else shutil.copy)(first.folder / name, second.folder / name)
        postgres.start()
        return first, second

    return copy


def acknowledge_and_die(gateway, postgres, publisher, numbers):
    """They are in its journal alone."""
    postgres.stop()
    publish(publisher, numbers)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == len(numbers), "the journal to have them")
    gateway.kill()
    postgres.start()


def test_what_each_had_acknowledged_alone_is_stored_once_in_its_turn(copied, database, postgres, publisher):
    first, second = copied(0)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    acknowledge_and_die(first, postgres, publisher, range(10, 20))
    second.wait_ready()
    publish(publisher, range(20, 40))
    stored(database, [*range(10), *range(20, 40)])
    acknowledge_and_die(second, postgres, publisher, range(40, 45))

    first.start()  # which has numbers of its own for what the copy has stored
    publish(publisher, range(45, 50))
    stored(database, [*range(40), *range(45, 50)])
    assert "journal_forked epoch=" in first.log()
    second.start(wait=False)
    wait_standing_by(second)
    take_turns(first, second)
    stored(database, range(50))
    assert "journal_forked epoch=" in second.log()

    publish(publisher, range(50, 60))
    stored(database, range(60))
    second.kill()
    first.wait_ready()
    second.start(wait=False)
    publish(publisher, range(60, 70))
    stored(database, range(70))
    assert first.metric("tidegate_accounting_drift") == 0
    assert first.cli("journal", "verify").returncode == 0


@pytest.mark.parametrize("who", ["the original", "the copy"])
def test_what_both_had_is_stored_by_whoever_comes_first(copied, database, publisher, who):
    first, second = copied(10)
    if who == "the copy":
        first, second = second, first
    first.start()
    publish(publisher, range(20, 30))
    stored(database, range(30))
    second.start(wait=False)
    wait_standing_by(second)
    take_turns(first, second)
    publish(publisher, range(30, 40))
    stored(database, range(40))
    take_turns(second, first)
    publish(publisher, range(40, 50))
    stored(database, range(50))
    assert "journal_forked" in first.log()


@pytest.mark.parametrize("clock, is_running, is_away", [(None, True, False), ("-2d", False, True), ("-2d", True, True)])
def test_a_folder_of_before_that_is_put_back_goes_on(make_gateway, database, postgres, publisher, folder, clock, is_running, is_away):
    """Alone: copied as it ran or not, with a clock that is set back or not, into a database that is there or not."""
    gateway, kept = make_gateway(cluster__lease="2s"), folder / "kept"
    populate(gateway)
    gateway.start()
    publish(publisher, range(10))
    stored(database, range(10))
    if not is_running:
        assert gateway.terminate() == 0
    shutil.copytree(gateway.folder / "journal", kept)
    if not is_running:
        gateway.start()
    publish(publisher, range(10, 40))
    stored(database, range(40))
    gateway.kill()
    shutil.rmtree(gateway.folder / "journal")
    shutil.copytree(kept, gateway.folder / "journal")
    gateway.clock = clock
    if is_away:
        postgres.stop()
    gateway.start(wait=False)
    wait_until(lambda: gateway.status("/livez") == 200 and gateway.metric("tidegate_mqtt_connected") == 1, "it to take in")
    publish(publisher, range(40, 60))
    if is_away:
        wait_until(lambda: gateway.metric("tidegate_in_journal") >= 20, "the journal to have them")
        postgres.start()
    stored(database, range(60))
    assert gateway.metric("tidegate_accounting_drift") == 0
