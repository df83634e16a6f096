"""What is done to them, each under load. An event says what it does, and leaves cuts and stopped processes to
be mended by who plays it.

`is_clean`: nothing may be owed after it, nor out of order: each that stored ended in order, or goes on.
"""
import dataclasses
import shutil
import signal

from cast import LEASE_S

EVENTS = {}


@dataclasses.dataclass
class Event:
    name: str
    play: object
    is_clean: bool
    row: str  # of the table of failures
    brokers: tuple  # with which it is played
    where: str      # played where "one" stores, or "several"; "": both


def event(row, is_clean=True, brokers=("mosquitto", "nats"), where=""):
    def add(function):
        name = function.__name__.replace("_", "-")
        EVENTS[name] = Event(name, function, is_clean, row, brokers, where)
        return function
    return add


@event("a node dies", is_clean=False)
def the_owner_is_killed(town, dice):
    owner = town.owner()
    owner.kill()
    town.wait_other(owner)
    owner.up()


def deafen_the_broker(town, node):
    for machine in town.broker.machines:
        town.net.mute(node.name, machine)


@event("it committed m, its PUBACK did not get out", is_clean=False)
def the_owner_dies_unheard(town, _dice):
    owner = town.owner()
    deafen_the_broker(town, owner)
    town.wait_committed(owner, 2)
    owner.kill()
    town.wait_other(owner)
    owner.up()


@event("it journalled m, its PUBACK did not get out", is_clean=False)
def the_owner_dies_unheard_before_its_commit(town, _dice):
    owner = town.owner()
    town.net.cut(owner.name, "np")
    deafen_the_broker(town, owner)
    town.wait_journalled(owner, 2)
    owner.kill()
    town.wait_other(owner)
    town.net.heal()
    owner.up()


@event("it acknowledged m and died before the commit", is_clean=False)
def the_owner_dies_before_its_commit_and_its_disk_is_adopted(town, dice):
    owner = town.owner()
    journals = town.journals_of(owner)
    town.net.cut(owner.name, "np")
    town.wait_journalled(owner, dice.randrange(5, 30))
    owner.kill()
    town.wait_other(owner)
    town.net.heal()
    told = town.ledger.adopts(journals)
    done = town.owner().cli("journal", "adopt", str(owner.folder / "journal"), check=False)
    told()
    town.complain(f"adopted with {done.returncode}: {done.stdout}{done.stderr}" if done.returncode or ", left 0" not in done.stdout else None)
    owner.up()


@event("its disk is gone for good", is_clean=False, brokers=("mosquitto",))
def the_owner_dies_with_its_disk(town, dice):
    """What it alone had is lost: named until somebody says that it is, and nothing else is."""
    if not town.has_all_stored():
        return  # of before: it would have to be told apart
    owner = town.owner()
    journals = town.journals_of(owner)
    town.net.cut(owner.name, "np")
    town.wait_journalled(owner, dice.randrange(5, 30))
    owner.kill()
    newest = town.newest()
    shutil.rmtree(owner.folder / "journal")
    town.wait_other(owner)
    town.net.heal()
    town.wait_flow()
    slots, named = town.ledger.lose_disk(newest), town.missing_of(journals)
    town.complain(f"lost of slots {slots}, named {named}" if not slots or not slots <= set(named) else None)
    for journal in named.values():
        town.owner().cli("journal", "forget", journal)
    town.complain("named although it was forgotten" if town.missing_of(journals) else None)
    owner.up()


@event("a node dies", is_clean=False)
def the_owner_is_killed_and_back_at_once(town, dice):
    owner = town.owner()
    owner.kill()
    owner.up()
    town.wait_owner()


@event("a node dies", where="one")
def a_standby_is_killed(town, dice):
    node = dice.choice(town.others())
    node.kill()
    town.wait_flow()
    node.up()


@event("a node is stopped", is_clean=False)
def the_owner_stands_still_beyond_its_lease(town, dice):
    owner = town.owner()
    owner.freeze()
    town.wait_other(owner)
    owner.thaw()


@event("a node is stopped", is_clean=False)
def any_node_stands_still_for_a_moment(town, dice):
    node = dice.choice(town.nodes)
    node.freeze()
    town.pause(dice.uniform(0.2, LEASE_S))
    node.thaw()


@event("a node is cut off", is_clean=False)
def the_owner_loses_the_broker(town, dice):
    for machine in town.broker.machines:
        town.net.cut(town.owner().name, machine)
    town.pause(dice.uniform(1, 6))


@event("a node is cut off", is_clean=False)
def the_owner_loses_the_database(town, dice):
    owner = town.owner()
    town.net.cut(owner.name, "np")
    town.wait_other(owner)


@event("a node is cut off", is_clean=False)
def the_owner_is_unplugged(town, dice):
    owner = town.owner()
    town.net.unplug(owner.name)
    town.wait_other(owner)


@event("a node is cut off", where="one")
def a_standby_is_unplugged(town, dice):
    town.net.unplug(dice.choice(town.others()).name)
    town.pause(LEASE_S * 1.5)


@event("a node is cut off", is_clean=False)
def any_two_lose_each_other(town, dice):
    town.net.cut(*dice.choice(town.net.pairs()))
    town.pause(dice.uniform(1, 2 * LEASE_S))


@event("a viewer's node dies")
def viewers_lose_the_owner(town, dice):
    town.net.cut("nv", town.owner().name)
    town.pause(dice.uniform(1, 5))


@event("the broker restarts")
def the_broker_restarts(town, dice):
    town.broker.restart(dice)


@event("the broker restarts", is_clean=False)
def the_broker_loses_its_store(town, dice):
    town.broker.lose_its_store(town, dice)


@event("the database restarts")
def the_database_restarts(town, dice):
    town.postgres.stop()
    town.pause(dice.uniform(0, 1))
    town.postgres.start()


@event("the database restarts", is_clean=False)
def the_database_is_killed(town, dice):
    town.postgres.stop(signal.SIGQUIT)
    town.pause(dice.uniform(0, 2 * LEASE_S))
    town.postgres.start()


@event("a node joins or leaves")
def the_owner_is_drained(town, dice):
    owner = town.owner()
    town.complain(owner.leave())
    town.wait_other(owner)
    owner.up()


@event("a node joins or leaves", where="one")
def a_standby_leaves_and_comes_back(town, dice):
    node = dice.choice(town.others())
    town.complain(node.leave())
    town.wait_flow()
    node.up()


@event("a viewer's node dies")
def all_viewers_are_moved(town, dice):
    """To a node that is drained into its turn, where a standby takes no viewers."""
    owner, node = town.owner(), dice.choice(town.others())
    for viewer in town.viewers:
        viewer.move(node)
    town.complain(owner.leave())
    town.wait_other(owner)
    owner.up()


@event("a viewer's node dies", where="several")
def each_viewer_moves_about(town, dice):
    """By itself, several times, while all store."""
    for _ in range(60):
        viewer = dice.choice(town.viewers)
        viewer.move(dice.choice(town.nodes))
        town.pause(dice.uniform(0, 0.1))


@event("clocks")
def clocks_are_a_minute_apart(town, dice):
    signs = ["+", "-"]
    dice.shuffle(signs)
    for node, sign in zip((dice.choice(town.others()), town.owner()), signs):
        town.complain(node.leave())
        node.clock = f"{sign}60s"
        node.up()
        town.wait_owner()


@event("two of one name")
def two_have_one_name(town, dice):
    """A machine that was copied with its name, and one on the same folder: both are sent away."""
    node = dice.choice(town.nodes)
    town.wait_named(node)
    for copy in town.copies_of(node):
        copy.start(wait=False)
        code = town.wait_until(lambda c=copy: c.process.poll(), "the copy to be refused")
        copy.process = None
        town.complain(f"the copy of {node.name} ended with {code}" if code not in (1, 2) else None)


@event("the broker restarts", is_clean=False, brokers=("nats",))
def a_broker_dies_with_the_owner(town, dice):
    """Both machines at once, and neither comes back before another one stores."""
    owner, server = town.owner(), dice.choice(town.broker.servers)
    server.stop(signal.SIGKILL)
    owner.kill()
    town.wait_other(owner)
    town.wait_flow()
    server.start()
    owner.up()


@event("two at once", is_clean=False)
def the_owner_and_the_database_die_together(town, dice):
    """What it had taken in since is on its disk; the database is back before it is, or after."""
    owner = town.owner()
    town.postgres.stop(signal.SIGQUIT)
    town.pause(dice.uniform(0, LEASE_S))
    owner.kill()
    if dice.random() < 0.5:
        owner.up()
    town.pause(dice.uniform(0, LEASE_S))
    town.postgres.start()


@event("two at once", is_clean=False)
def one_stands_still_and_the_owner_dies_together(town, dice):
    """The third one has all to itself."""
    owner = town.owner()
    still, third = dice.sample([node for node in town.nodes if node is not owner], 2)
    still.freeze()
    owner.kill()
    town.wait_until(lambda: town.has_all([third]), f"{third.name} to store all")
    still.thaw()
    owner.up()
