"""An edge whose central gateways share slots: any node takes it, in one of its slots, and all is stored once."""
import psycopg2
import pytest

from commanding import command, wait_for_state
from conftest import populate
from test_uplink import DEVICES, Boat, Device
from viewers import refused
from waiting import wait_until

SLOTS = 4


class Fleet(Boat):
    """Both nodes, of which the edge is led to one."""

    def __init__(self, folder, one, other):
        super().__init__(folder, one)
        self.nodes = [one, other]

    def lead_to(self, node):
        self.road.target = node.port
        self.road.cut()

    def is_whole(self):
        """Each message once, with its time."""
        self.wait_stored()
        for device in DEVICES:
            rows = self.database.rows("SELECT (payload->>'n')::int FROM telemetry t JOIN devices d ON d.id = t.device_id"
                                      " WHERE d.code = %s ORDER BY t.time, 1", device)
            assert [row[0] for row in rows] == list(range(1, self.n[device] + 1)), device
        assert self.database.value("SELECT count(*) FROM dead_letters") == 0
        wait_until(lambda: self.edge.metric("tidegate_in_journal") == 0, "nothing to wait")
        return True


@pytest.fixture
def fleet(make_gateway, folder):
    one, other = (make_gateway(cluster__node=name, cluster__slots=SLOTS, cluster__lease="2s") for name in ("n1", "n2"))
    populate(one)
    one.start()
    other.start(wait=False)
    wait_until(lambda: dict(one.database.rows("SELECT n.node, count(*) FROM slots s JOIN nodes n USING (instance) GROUP BY 1"))
               == {"n1": 2, "n2": 2}, "each to have two slots")
    made = Fleet(folder, one, other)
    made.edge.start()
    wait_until(lambda: made.edge.metric("tidegate_uplink_connected") == 1, "the edge to be let in")
    yield made
    made.close()


def test_any_node_takes_it_and_nothing_is_stored_twice(fleet):
    for turn in range(6):
        node = fleet.nodes[turn % 2]
        fleet.publish(40)
        fleet.lead_to(node)
        fleet.publish(40)
        wait_until(lambda node=node: node.metric("tidegate_received_total", door="uplink") > 40 * turn, "it to be brought some")
    assert fleet.is_whole()


def test_a_node_that_dies_costs_nothing(fleet):
    one, other = fleet.nodes
    for _ in range(2):
        fleet.publish(100)
        one.kill()
        fleet.lead_to(other)
        fleet.publish(100)
        one.start(wait=False)
        wait_until(lambda: one.status("/livez") == 200, "it to be there again")
        fleet.lead_to(one)
    fleet.publish(10)
    assert fleet.is_whole()


def test_who_lets_go_of_the_slot_sends_the_edge_away(fleet):
    one, other = fleet.nodes
    fleet.publish(20)
    one.cli("cluster", "drain")
    wait_until(lambda: "its slot is another node's: begin again" in one.log(), "the edge to be sent away", 60)
    token = (fleet.edge.folder.parent / "token").read_text("ascii").strip()
    assert refused(one, "/ws/uplink/boat", token) == 503
    fleet.lead_to(other)
    fleet.publish(20)
    assert fleet.is_whole()


def test_a_node_that_is_letting_go_tells_an_edge_to_come_again(fleet):
    one = fleet.nodes[0]
    token = (fleet.edge.folder.parent / "token").read_text("ascii").strip()
    operator = psycopg2.connect(fleet.database.url)
    operator.cursor().execute("LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE")
    for device in range(16):  # of nobody, some in each slot: none is let go of before they are kept
        one.broker.publish(f"ems/there-{device}/telemetry", "{}")
    wait_until(lambda: one.metric("tidegate_in_journal") > 0, "something to wait for the table")
    one.cli("cluster", "drain")
    wait_until(lambda: one.metric("tidegate_slots_leaving") == 2, "it to be letting go")
    assert refused(one, "/ws/uplink/boat", token) == 503
    operator.close()


@pytest.mark.parametrize("asked", [0, 1], ids=["its own node", "the other one"])
def test_a_command_comes_down_by_whichever_node_it_was_given_to(fleet, asked):
    there = Device(fleet.broker, "dev-3")
    said = command(fleet.nodes[asked], "ana", "dev-3", "reboot")
    wait_for_state(fleet.database, said, "done")
    assert [message["command_id"] for message in there.heard] == [said]
    there.close()
