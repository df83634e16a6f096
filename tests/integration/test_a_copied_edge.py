"""The folder of a gateway at the edge, copied or put back: what each copy takes in is stored, once and in order."""
import json
import shutil

import pytest

from conftest import populate
from link_road import LinkRoad
from load import Publisher
from servers import Broker, Gateway
from test_uplink import Boat
from waiting import wait_until


class Copies(Boat):
    """A boat, and another one that begins with a copy of its folder: with a broker of its own, and a device dev-1."""

    def __init__(self, folder, central, **settings):
        super().__init__(folder, central, **settings)
        self.folder, self.settings = folder, settings
        self.others = []

    def copy(self):
        """As the first one's folder is now, running or not; with a link of its own. Not started."""
        path = self.folder / f"copy{len(self.others) + 1}"
        broker, road = Broker(self.folder / f"{path.name}-broker").start(), LinkRoad(self.central.port)
        edge = Gateway(path, None, broker, **{
            "uplink__url": f"ws://127.0.0.1:{road.port}/ws/uplink/boat", "uplink__token_file": str(self.folder / "token"),
            "uplink__backoff_min": "50ms", "uplink__backoff_max": "300ms", **self.settings})
        shutil.copytree(self.edge.folder / "journal", edge.folder / "journal", dirs_exist_ok=True)
        self.others.append((edge, broker, road, Publisher(broker)))
        return self.others[-1]

    def close(self):
        for edge, broker, road, publisher in self.others:
            publisher.close()
            edge.stop()
            road.close()
            broker.stop()
        super().close()


def say(publisher, numbers):
    for n in numbers:
        publisher.publish("ems/dev-1/telemetry", json.dumps({"n": n}))
    publisher.flush()


def stored(database, numbers):
    """Exactly these, each once; of each hundred, which is one boat's, in order."""
    database.wait_for("SELECT count(DISTINCT payload->>'n') FROM telemetry", len(numbers))
    rows = [row[0] for row in database.rows("SELECT (payload->>'n')::int FROM telemetry ORDER BY seq")]
    assert sorted(rows) == sorted(numbers)
    for hundred in {n // 100 for n in rows}:
        ours = [n for n in rows if n // 100 == hundred]
        assert ours == sorted(ours)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    return rows


def waits(edge, n):
    wait_until(lambda: edge.metric("tidegate_in_journal") == n, f"{n} to wait at {edge.folder.name}")


@pytest.fixture
def copies(make_gateway, folder):
    made = []

    def make(**settings):
        central = make_gateway()
        populate(central)
        made.append(Copies(folder, central.start(), **settings))
        made[-1].edge.start()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("n_shared", [0, 10], ids=["all stored", "some waiting"])
def test_two_that_take_in_at_once_lose_nothing_to_each_other(copies, n_shared):
    one = copies()
    say(one.publisher, range(10))
    stored(one.database, range(10))
    waits(one.edge, 0)
    one.road.shut()
    say(one.publisher, range(10, 10 + n_shared))
    waits(one.edge, n_shared)
    other, _, road, publisher = one.copy()
    road.shut()
    other.start()
    n_here = other.metric("tidegate_in_journal")  # what the folder knows to be stored is a little behind
    assert n_here >= n_shared
    for turn in range(3):  # numbers go by the clock: those of the one are between those of the other
        say(one.publisher, range(100 + 10 * turn, 110 + 10 * turn))
        say(publisher, range(200 + 10 * turn, 210 + 10 * turn))
    waits(one.edge, n_shared + 30)
    waits(other, n_here + 30)
    road.open()
    waits(other, 0)
    one.road.open()
    waits(one.edge, 0)
    for gateway in (one.edge, other, one.central):  # and each is told of the other
        wait_until(lambda gateway=gateway: "uplink_copied" in gateway.get("/readyz").json()["notes"], "it to be said")
        assert gateway.get("/readyz").json()["status"] == "ready" and "error uplink_copied " in gateway.log()
    wait_until(lambda: one.central.metric("tidegate_uplink_copied") == 2, "both to be beside each other")
    say(publisher, range(230, 240))
    say(one.publisher, range(130, 140))
    everything = [*range(10 + n_shared), *range(100, 140), *range(200, 240)]
    stored(one.database, everything)
    for edge in (one.edge, other):
        edge.kill()
        edge.start()
    say(one.publisher, range(140, 145))
    say(publisher, range(240, 245))
    stored(one.database, [*everything, *range(140, 145), *range(240, 245)])


def test_two_that_bring_to_two_nodes_at_once_lose_nothing_to_each_other(make_gateway, folder):
    """Neither node knows what the other has taken and not stored yet; and then each gets what the other had."""
    nodes = [make_gateway(cluster__node=name, cluster__slots=4, cluster__lease="2s") for name in ("n1", "n2")]
    populate(nodes[0])
    nodes[0].start()
    nodes[1].start(wait=False)
    wait_until(lambda: dict(nodes[0].database.rows(
        "SELECT n.node, count(*) FROM slots s JOIN nodes n USING (instance) GROUP BY 1")) == {"n1": 2, "n2": 2}, "each to have two slots")
    one = Copies(folder, nodes[0])
    try:
        one.edge.start()
        say(one.publisher, range(10))
        waits(one.edge, 0)
        other, _, road, publisher = one.copy()
        road.target = nodes[1].port
        other.start()
        for turn in range(4):
            for k in range(5):
                say(one.publisher, range(100 + turn * 20 + k * 4, 104 + turn * 20 + k * 4))
                say(publisher, range(200 + turn * 20 + k * 4, 204 + turn * 20 + k * 4))
            one.road.target, road.target = road.target, one.road.target
            one.road.cut()
            road.cut()
        everything = [*range(10), *range(100, 180), *range(200, 280)]
        one.database.wait_for("SELECT count(DISTINCT payload->>'n') FROM telemetry", len(everything))
        for edge in (one.edge, other):
            waits(edge, 0)
        assert [row[0] for row in one.database.rows("SELECT (payload->>'n')::int FROM telemetry ORDER BY 1")] == everything
        assert one.database.value("SELECT count(*) FROM dead_letters") == 0
    finally:
        one.close()


def test_what_many_starts_have_taken_in_comes_in_their_order(copies):
    """Each of them numbers some, without the link; and both sides are killed while it is brought."""
    one = copies()
    one.road.shut()
    for turn in range(6):
        say(one.publisher, range(turn * 50, turn * 50 + 50))
        waits(one.edge, (turn + 1) * 50)
        one.edge.kill()
        one.edge.start()
    one.road.open()
    for turn in range(6, 12):
        one.central.kill()
        one.central.start(wait=False)
        say(one.publisher, range(turn * 50, turn * 50 + 50))
        one.edge.kill()
        one.edge.start()
    rows = stored(one.database, range(600))
    assert rows == sorted(rows)
    waits(one.edge, 0)
    assert "notes" not in one.edge.get("/readyz").json()


@pytest.mark.parametrize("clock", [None, "-2d"])
@pytest.mark.parametrize("is_away", [False, True], ids=["with the link", "without it"])
def test_a_folder_of_before_that_is_put_back_goes_on(copies, clock, is_away):
    one = copies()
    say(one.publisher, range(10))
    stored(one.database, range(10))
    shutil.copytree(one.edge.folder / "journal", one.folder / "kept")
    say(one.publisher, range(10, 40))
    stored(one.database, range(40))
    one.edge.kill()
    shutil.rmtree(one.edge.folder / "journal")
    shutil.copytree(one.folder / "kept", one.edge.folder / "journal")
    one.edge.clock = clock
    if is_away:
        one.road.shut()
    one.edge.start()
    n_here = one.edge.metric("tidegate_in_journal")
    say(one.publisher, range(40, 60))
    if is_away:
        waits(one.edge, n_here + 20)
        one.edge.kill()
        one.edge.start()
        one.road.open()
    stored(one.database, range(60))
    waits(one.edge, 0)
