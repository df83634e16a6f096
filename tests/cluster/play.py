"""tests/cluster/run: one broker, one database, three gateways, and what happens to them, from a seed."""
import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

import psycopg2
import requests

import cast
import net
from events import EVENTS, Event
from ledger import Ledger
from people import Publishers, Viewer
import servers
import versions
from waiting import wait_until
import watching

FOLDER = pathlib.Path("/run/tidegate-cluster")  # on a file system of its own, which goes with the namespaces
NODES = ("n1", "n2", "n3")
BROKERS = {"mosquitto": cast.Mosquitto, "nats": cast.Nats}
N_VIEWERS = 30
PATIENCE = 60.0
OWED_S = 2.0  # what is not stored by then is in the journal of one whose turn it is not


class Town:
    def __init__(self, n_slots):
        FOLDER.mkdir(mode=0o755)
        self.n_slots = n_slots
        self.faults, self.nodes, self.viewers = [], [], []
        self.publishers = None
        self.n_copies = 0
        self.taken_over_s = []  # of this step
        self.turns = []         # the nodes, as this step looks for one that stores

    def open(self, make_broker, rate, program):
        n_slots = self.n_slots
        self.net = net.Net([*NODES, *make_broker.machines, "np"])
        self.postgres = cast.Database(FOLDER / "pg")
        self.postgres.start()
        self.postgres.execute("postgres", "CREATE DATABASE cluster")
        self.database = servers.Database(self.postgres, "cluster")
        self.broker = make_broker(FOLDER / "broker").start()
        self.nodes = [cast.Node(FOLDER / name, name, self.database, self.broker, n_slots) for name in NODES]
        for node in self.nodes:
            node.program = program
        self.turns = self.nodes
        self.publishers = Publishers(self.broker.doors, rate)
        first = self.nodes[0]
        first.cli("migrate")
        first.add_user("root", "admin")
        for thing in range(watching.N_THINGS):
            first.add_user(f"user-{thing}")
            first.add_vehicle(watching.VEHICLES[thing], f"user-{thing}")
            first.add_device(watching.DEVICES[thing], f"user-{thing}")
        for node in self.nodes:
            node.up()
        self.wait_owner()
        things = [None, None, *(n % watching.N_THINGS for n in range(N_VIEWERS - 2))]
        self.viewers = [Viewer(self.nodes[n % len(NODES):] + self.nodes[:n % len(NODES)],
                               "root" if thing is None else f"user-{thing}", thing) for n, thing in enumerate(things)]
        wait_until(lambda: all(v.is_connected() for v in self.viewers), "the viewers", PATIENCE)
        self.ledger = Ledger(self.database, self.publishers, self.viewers, self.broker.keeps_order)
        self.publishers.go()
        self.wait_flow()

    # what an event may ask for

    def pause(self, seconds):
        """Time in which load and fault go on: time is the fault."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look_after()
            time.sleep(0.05)

    def complain(self, text):
        if text:
            self.faults.append(text)

    def look_after(self):
        for node in self.nodes:
            self.complain(node.look_after())

    def wait_until(self, condition, what):
        def look():
            self.look_after()
            return condition()
        return wait_until(look, what, PATIENCE, step=0.1)

    def owner(self):
        """One that stores; of several, the same one for as long as it does, and another one in another step."""
        return self.wait_until(lambda: next((n for n in self.turns if n.is_ready()), None), "one to store")

    def storing(self):
        """The names of those that have slots; of a slot that nobody has, or an earlier process of a node: None."""
        return {name for name, in self.database.rows(
            "SELECT n.node FROM generate_series(%s, %s) AS slot LEFT JOIN slots USING (slot)"
            " LEFT JOIN nodes n USING (instance)", *self.slots())}

    def slots(self):
        return (0, self.n_slots - 1)

    def has_all(self, nodes):
        """All that is to be stored is stored by these, and by nobody else."""
        if self.n_slots == 1:
            return any(node.is_ready() for node in nodes)
        with contextlib.suppress(psycopg2.OperationalError):  # the server may be away
            storing = self.storing()
            return storing <= {n.name for n in nodes} and all(n.is_ready() for n in nodes if n.name in storing)
        return False

    def wait_owner(self):
        self.wait_until(lambda: self.has_all(self.nodes), "all to be stored by somebody")

    def wait_other(self, former):
        """Others have taken over; how long that took is noted."""
        begin = time.monotonic()
        others = [node for node in self.nodes if node is not former]
        self.wait_until(lambda: self.has_all(others), f"others than {former.name} to store")
        self.taken_over_s.append(time.monotonic() - begin)

    def others(self):
        owner = self.owner()
        return [node for node in self.nodes if node is not owner]

    def wait_flow(self):
        """Of all that is published something is stored that is said from now on."""
        newest = self.newest()

        def flows():
            with contextlib.suppress(psycopg2.OperationalError):  # the server may be away
                return self.ledger.flows_beyond(newest)
            return False
        self.wait_until(flows, "all to flow")

    def newest(self):
        return max(one.number() for one in self.publishers.all)

    def wait_more(self, node, name, n, what):
        """So many more than it says now, and not than nothing where it does not answer at once."""
        begin = self.wait_until(lambda: [m for m in [self.metric(node, name)] if m is not None], f"{node.name} to answer")
        self.wait_until(lambda: (self.metric(node, name) or 0) >= begin[0] + n, what)

    def wait_journalled(self, node, n):
        """So many that it cannot store: what it had under way as it was cut off may have got there."""
        self.wait_more(node, "tidegate_in_journal", n, f"{n} more in the journal of {node.name}")

    def wait_committed(self, node, n):
        self.wait_more(node, "tidegate_committed_total", n, f"{node.name} to commit {n} more")

    def has_all_stored(self):
        """Nothing is on a disk alone."""
        self.publishers.hold()
        with contextlib.suppress(AssertionError):
            self.wait_until(lambda: self.ledger.is_settled(False), "all to be stored")
        is_all = not self.ledger.owed()
        self.publishers.go()
        return is_all

    def journals_of(self, node):
        return {epoch for epoch, in self.database.rows(
            "SELECT s.epoch FROM slots s JOIN nodes n USING (instance) WHERE n.node = %s", node.name)}

    def missing_of(self, journals):
        """slot -> the journal behind which something may be, as who is there says it."""
        said = json.loads(self.owner().cli("cluster", "status", "--json", check=False).stdout)
        return {row["slot"]: row["journal"] for row in said["missing"]
                if row["what"] == "in_journal" and row["journal"] in journals}

    def wait_named(self, node):
        self.wait_until(lambda: self.database.value("SELECT pid FROM nodes WHERE node = %s", node.name) == node.pid,
                        f"{node.name} to have its name")

    def metric(self, node, name):
        with contextlib.suppress(requests.RequestException):
            return node.metric(name)
        return None

    def wait_stored(self):
        self.wait_until(lambda: all(self.metric(n, "tidegate_in_journal") == 0 for n in self.nodes if n.is_ready()),
                   "the journal to be stored")

    def wait_subscribed(self):
        self.wait_until(lambda: sum(self.metric(n, "tidegate_mqtt_connected") or 0 for n in self.nodes if n.is_ready()) == self.n_slots,
                        "all to be subscribed")

    def copies_of(self, node):
        """Of its configuration, with a journal of its own and with the same one."""
        self.n_copies += 1
        for kind in ("journal", "folder"):
            copy = cast.Node(FOLDER / f"{node.name}-{kind}-{self.n_copies}", node.name, self.database, self.broker, self.n_slots)
            copy.write_conf(http__listen=f"{net.ADDRESSES[node.name]}:{8000 + (kind == 'journal')}")
            if kind == "folder":
                copy.write_conf(journal__dir=node.folder / "journal")
            yield copy

    def owner_names(self):
        return " ".join(n.name for n in self.nodes if n.is_ready()) or "nobody"

    def said(self):
        counts = self.ledger.counts
        return ", ".join(f"{counts[name]} {name}" for name in (
            "acknowledged", "rows", "repeated", "late", "owed", "broker", "disk", "told", "excused", "again") if counts[name])

    # a step

    def mend(self):
        self.net.heal()
        for node in self.nodes:
            node.thaw()
            if not node.is_wanted:
                node.up()
        if not (self.postgres.process and self.postgres.process.poll() is None):
            self.postgres.start()
        self.broker.mend()
        self.publishers.go()

    def settle(self, may_owe):
        """Flow again, then rest, then what is wrong."""
        self.wait_owner()
        self.wait_flow()
        self.publishers.hold()
        begin = time.monotonic()
        with contextlib.suppress(AssertionError):  # the ledger says what is missing
            self.wait_until(lambda: self.ledger.is_settled(may_owe and time.monotonic() > begin + OWED_S),
                       "all to be stored and shown")
        for fault in self.ledger.judge(may_owe):
            self.complain(fault)
        for node in self.nodes:
            if servers.SANITIZERS.search(node.log()):
                self.complain(f"a sanitizer in the log of {node.name}")
        if not self.faults:
            self.ledger.close()
        self.publishers.go()

    def give_everybody_a_turn(self):
        """What somebody acknowledged and could not store any more is stored then."""
        for node in self.nodes:
            rest = [one for one in self.nodes if one is not node]
            for one in rest:
                self.complain(one.leave())
            self.wait_until(lambda n=node: self.has_all([n]), f"{node.name} to have its turn")
            self.wait_stored()
            for one in rest:
                one.up()

    def close(self):
        for one in self.viewers:
            one.stop()
        if self.publishers:
            self.publishers.close()
        for node in self.nodes:
            with contextlib.suppress(Exception):
                node.thaw()
                self.complain(node.leave())


def deck(seed, n_events, names):
    """Every kind once before any comes again."""
    dice = random.Random(seed)
    cards = []
    while len(cards) < n_events:
        cards += dice.sample(names, len(names))
    return cards[:n_events]


def cards_of(args):
    """The events, in the order in which they are played."""
    names = [name for name, one in EVENTS.items()
             if args.only in name and args.broker in one.brokers and one.where in ("", "several" if args.slots > 1 else "one")]
    cards = [EVENTS[name] for name in deck(args.seed, args.events, names)]
    if args.before:
        cards.insert(0, Event("a-new-version-comes", lambda town, dice: versions.play(town, dice, args.before), True, "", (), ""))
    return cards


def play(town, args):
    """The number of events that held."""
    n_held = 0
    for number, one in enumerate(cards_of(args), 1):
        begin = time.monotonic()
        town.ledger.n_unclean += not one.is_clean
        town.taken_over_s.clear()
        town.turns = random.Random(f"{args.seed} {number} turns").sample(town.nodes, len(town.nodes))
        try:
            one.play(town, random.Random(f"{args.seed} {number}"))
            town.mend()
            town.settle(may_owe=town.ledger.n_unclean > 0)
        except AssertionError as error:
            town.complain(str(error)[:500])
        except Exception as error:  # pylint: disable=broad-exception-caught
            traceback.print_exc()
            town.complain(f"{type(error).__name__}: {error}")
        took = "".join(f"taken over in {seconds:.2f} s, " for seconds in town.taken_over_s)
        print(f"{'FAILED' if town.faults else 'ok'}: seed {args.seed} step {number}: {one.name} "
              f"({time.monotonic() - begin:.1f} s; {took}owner {town.owner_names()}, {town.said()})", flush=True)
        if town.faults:
            return n_held
        n_held += 1
    return n_held


def keep_logs(viewers):
    kept = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-cluster.", dir="/tmp"))
    for log in [*FOLDER.glob("*/log"), *FOLDER.glob("*/*/log"), *FOLDER.glob("*.log"), *FOLDER.glob("*/tidegate.conf")]:
        shutil.copy(log, kept / f"{log.parent.name}-{log.name}")
    for number, viewer in enumerate(viewers):
        (kept / f"viewer-{number}-{viewer.user}").write_text("".join(f"{line}\n" for line in viewer.story.copy()))
    return kept


def end_when_told():
    """Whatever the main thread does: with this process, the first of its namespaces, all of them go."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, lambda *_: None)
    signal.set_wakeup_fd(write)

    def wait():
        os.read(read, 1)
        print("interrupted", flush=True)
        os._exit(130)
    threading.Thread(target=wait, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(prog="tests/cluster/run", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run")
    parser.add_argument("--events", type=int, default=20, metavar="N")
    parser.add_argument("--slots", type=int, default=1, metavar="N", help="cluster.slots")
    parser.add_argument("--broker", choices=list(BROKERS), default="mosquitto")
    parser.add_argument("--rate", type=int, default=100, help="messages a second")
    parser.add_argument("--only", default="", metavar="TEXT", help="events whose name has it")
    parser.add_argument("--before", type=pathlib.Path, metavar="PROGRAM", help="an older version, which this one replaces first of all")
    parser.add_argument("--list", action="store_true", help="names the events, plays none")
    args = parser.parse_args()
    if args.list:
        print(*(f"{e.name}: {e.row}" for e in EVENTS.values()), sep="\n")
        return 0
    end_when_told()
    print(f"seed {args.seed}, {args.events} events, {args.broker}, slots {args.slots}", flush=True)
    town, n_held = Town(args.slots), 0
    try:
        town.open(BROKERS[args.broker], args.rate, args.before or servers.TIDEGATE)
        n_held = play(town, args)
        if not town.faults:
            town.give_everybody_a_turn()
            town.settle(may_owe=False)
            print(f"{'FAILED' if town.faults else 'ok'}: everybody had a turn ({town.said()})")
    except AssertionError as error:
        town.complain(str(error)[:500])
    town.close()
    print(*(f"    {fault}\n" for fault in town.faults), end="", sep="")
    if town.faults:
        print(f"failed first: seed {args.seed} step {n_held + 1}; logs: {keep_logs(town.viewers)}")
    print(f"{n_held} passed, {int(bool(town.faults))} failed", flush=True)
    return 1 if town.faults else 0


if __name__ == "__main__":
    CODE = main()
    sys.stdout.flush()
    os._exit(CODE)  # its threads and servers go with it
