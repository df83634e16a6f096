"""Several slots, shared by gateways: each message is stored once, a dead one's slots go over, shares are fair."""
import json
import signal

import pytest

from commanding import command
from conftest import populate
from viewers import Viewer
from waiting import PATIENCE, wait_until

SLOTS = 4
LEASE_S = 2
VEHICLES = [f"USV-{n}" for n in range(1, 13)]  # in all four slots: three each, but for chance
OWNERS = "SELECT n.node, count(*) FROM slots s JOIN nodes n USING (instance) GROUP BY 1"
LOGS = ("SELECT v.code, r.logs::int FROM raw_logs r JOIN vehicles v ON v.id = r.vehicle_id"
        " ORDER BY r.received_at, r.seq")


@pytest.fixture
def make_node(make_gateway):
    """make_node(name) -> a gateway of the cluster that is not started yet; the first fills the registry."""
    def make(name, **settings):
        node = make_gateway(**{"cluster__node": name, "cluster__slots": SLOTS, "cluster__lease": f"{LEASE_S}s",
                               **settings})
        if len(make_gateway.made) == 1:
            populate(node)
            node.database.rows("INSERT INTO vehicles (code, user_id) SELECT 'USV-' || n, (SELECT min(id) FROM users)"
                               " FROM generate_series(3, 12) n")
        return node
    return make


def wait_for_owners(database, **shares):
    wait_until(lambda: dict(database.rows(OWNERS)) == shares, f"owners {shares}")


def wait_for_sessions(*nodes):
    """All slots are subscribed by now, and the broker keeps what comes for them."""
    for node in nodes:
        wait_until(lambda node=node: node.status("/livez") == 200, "it to answer")
    wait_until(lambda: sum(node.metric("tidegate_mqtt_connected") for node in nodes) == SLOTS, "all slots to be at the broker")


def publish(publisher, numbers):
    """Each number for each vehicle."""
    for n in numbers:
        for vehicle in VEHICLES:
            publisher.publish(f"seano/{vehicle}/raw_log", str(n))
    publisher.flush()


def stored(database):
    """vehicle -> its numbers, in the order in which they came."""
    found = {}
    for vehicle, n in database.rows(LOGS):
        found.setdefault(vehicle, []).append(n)
    return found


def wait_for_all(database, n):
    database.wait_for("SELECT count(*) FROM raw_logs", n * len(VEHICLES))
    assert stored(database) == {vehicle: list(range(n)) for vehicle in VEHICLES}


def start(*nodes):
    for node in nodes:
        node.start(wait=False)


def test_one_node_has_all_slots_and_stores_all(make_node, database, publisher):
    node = make_node("n1")
    node.start()
    wait_for_owners(database, n1=SLOTS)
    wait_for_sessions(node)
    publish(publisher, range(5))
    wait_for_all(database, 5)
    assert database.rows("SELECT slot, client_id FROM slots ORDER BY 1") == [(n, f"tidegate-tidegate-{n}") for n in range(SLOTS)]
    assert sorted(path.name for path in (node.folder / "journal").glob("slot-*")) == [f"slot-{n}" for n in range(SLOTS)]
    n_messages = 5 * len(VEHICLES)
    wait_until(lambda: node.metric("tidegate_elsewhere_total") == n_messages * (SLOTS - 1), "the others to be dropped")
    assert node.metric("tidegate_committed_total") == n_messages
    assert node.metric("tidegate_committed_total", slot="3") == database.value(
        "SELECT count(*) FROM raw_logs r JOIN journal_positions p USING (journal_id) WHERE p.slot = 3") > 0
    node.wait_ready()
    assert node.terminate() == 0
    assert database.value("SELECT count(*) FROM slots WHERE instance IS NULL") == SLOTS


def test_two_share_and_a_dead_ones_slots_go_over(make_node, database, publisher):
    first, second = make_node("n1"), make_node("n2")
    first.start()
    wait_for_owners(database, n1=4)
    publish(publisher, range(3))
    second.start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    publish(publisher, range(3, 6))
    wait_for_all(database, 6)
    assert first.metric("tidegate_committed_total") > 0 < second.metric("tidegate_committed_total")

    first.kill()
    publish(publisher, range(6, 9))
    wait_for_owners(database, n2=4)
    wait_for_all(database, 9)
    first.start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    publish(publisher, range(9, 12))
    wait_for_all(database, 12)


def test_one_is_killed_while_much_comes(make_node, database, publisher):
    """Its journal is stored once it has its slots again: all that the broker has, once, in order."""
    first, second = make_node("n1"), make_node("n2")
    start(first, second)
    wait_for_owners(database, n1=2, n2=2)
    wait_for_sessions(first, second)
    publisher.run(lambda n: (f"seano/{VEHICLES[n % len(VEHICLES)]}/raw_log", str(n // len(VEHICLES))), 240)
    database.wait_for("SELECT count(*) > 200 FROM raw_logs", True)
    first.kill()
    wait_for_owners(database, n2=4)
    first.start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    n_sent = publisher.stop()
    first.cli("cluster", "drain", "n2")  # what n1 had left is of slots that n2 may have by now
    wait_for_owners(database, n1=4)
    database.wait_for("SELECT count(*) FROM raw_logs", n_sent)
    database.wait_for("SELECT count(*) FROM journal_positions WHERE left_at IS NOT NULL", 0)
    assert {vehicle: sorted(numbers) for vehicle, numbers in stored(database).items()} \
        == {vehicle: list(range((n_sent - i + len(VEHICLES) - 1) // len(VEHICLES))) for i, vehicle in enumerate(VEHICLES)}
    late = [vehicle for vehicle, numbers in stored(database).items() if numbers != sorted(numbers)]
    assert not late, "out of order by the time of receipt"


def test_who_drains_gives_all_away_and_takes_none(make_node, database, publisher):
    first, second = make_node("n1"), make_node("n2")
    start(first, second)
    wait_for_owners(database, n1=2, n2=2)
    wait_for_sessions(first, second)
    publish(publisher, range(2))
    second.cli("cluster", "drain", "n1")
    wait_for_owners(database, n2=4)
    publish(publisher, range(2, 4))
    wait_for_all(database, 4)
    said = json.loads(second.cli("cluster", "status", "--json", check=False).stdout)
    assert [(row["node"], row["state"]) for row in said["nodes"]] == [("n1", "drained"), ("n2", "live")]
    assert [(row["slot"], row["node"]) for row in said["slots"]] == [(n, "n2") for n in range(SLOTS)]
    second.kill()  # nobody may take them: n1 is to have none
    database.wait_for("SELECT bool_and(lease_until < clock_timestamp()) FROM slots", True)
    beats = "SELECT beats FROM nodes WHERE node = 'n1'"
    seen = database.value(beats)
    wait_until(lambda: database.value(beats) > seen + 3, "n1 to have looked at them again and again")
    assert dict(database.rows(OWNERS)).get("n1") is None
    second.start(wait=False)
    wait_for_owners(database, n2=4)
    second.cli("cluster", "drain", "n1", "--undo")
    wait_for_owners(database, n1=2, n2=2)
    publish(publisher, range(4, 6))
    wait_for_all(database, 6)


def test_a_third_gets_its_share_and_an_end_gives_it_back(make_node, database, publisher):
    nodes = [make_node(f"n{n}") for n in (1, 2, 3)]
    start(*nodes[:2])
    wait_for_owners(database, n1=2, n2=2)
    start(nodes[2])
    wait_until(lambda: sorted(n for _, n in database.rows(OWNERS)) == [1, 1, 2], "each to have its share")
    wait_for_sessions(*nodes)
    publish(publisher, range(3))
    wait_for_all(database, 3)
    assert nodes[0].terminate() == 0
    wait_for_owners(database, n2=2, n3=2)
    publish(publisher, range(3, 6))
    wait_for_all(database, 6)


@pytest.mark.parametrize("other", [{"cluster__slots": 2}, {"cluster__slots": 1}, {"commands__topics": ""}])
def test_who_splits_it_otherwise_takes_nothing(make_node, database, publisher, other):
    first, second = make_node("n1"), make_node("n2", **other)
    differs = "commands__topics" not in other
    if not differs:
        second.routes += "\n[route other]\ntopic = other/{device}/x\nkind = telemetry\n"
        second.write_conf()
    first.start()
    wait_for_owners(database, n1=4)
    second.start(wait=False)
    wait_until(lambda: "cluster_differs" in second.log(), "it to say so")
    ready = second.get("/readyz")
    assert ready.status_code == 503 and "cluster_differs" in ready.json()["reasons"]
    publish(publisher, range(3))
    wait_for_all(database, 3)
    assert dict(database.rows(OWNERS)) == {"n1": 4}
    assert second.metric("tidegate_received_total") == 0
    assert first.terminate() == 0  # nobody has any: now it may be split as the other one has it
    wait_until(lambda: dict(database.rows(OWNERS)) == {"n2": other.get("cluster__slots", SLOTS)}, "it to have its slots")


GHOST = """INSERT INTO nodes (cluster, node, instance, place, host, pid, advertise, version, schema, slot, waiting, lease_ms)
    VALUES ('tidegate', 'ghost', 'ghost', '', '', 0, '', '', 999, 0, 0, 60000)"""
GONE_AGAIN = """
    CREATE FUNCTION lay_ghost() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN DELETE FROM nodes WHERE node = 'ghost'; RETURN NULL; END $$;
    CREATE TRIGGER lay_ghost AFTER UPDATE ON slots FOR EACH ROW WHEN (OLD.instance IS NOT NULL AND NEW.instance IS NULL)
    EXECUTE FUNCTION lay_ghost()"""


def test_who_has_a_slot_back_at_once_goes_on_with_it(make_node, database, publisher):
    """It lets go of one for somebody who is gone by then, and takes it again before it has noticed that it was nobody's."""
    node = make_node("n1")
    node.start()
    wait_for_sessions(node)
    database.rows(GONE_AGAIN)
    for _ in range(12):
        database.rows(GHOST)
        database.wait_for("SELECT count(*) FROM nodes WHERE node = 'ghost'", 0)  # it has let go of one
        wait_for_owners(database, n1=SLOTS)
        wait_for_sessions(node)
    publish(publisher, range(3))
    wait_for_all(database, 3)


def test_who_has_a_slot_again_goes_on_with_its_own_numbers(make_node, database):
    """What it has shown and not stored yet keeps its numbers, unless somebody else may have given others."""
    node = make_node("n1")
    node.start()
    database.wait_for("SELECT count(*) FROM slot_numbers WHERE instance IS NOT NULL", SLOTS)
    node.stop()

    def take(instance):
        database.rows("UPDATE slots SET instance = %s, fence = fence + 1 WHERE slot = 0 RETURNING fence", instance)
        return database.rows("SELECT used, reserved FROM slots, tidegate_reserve_numbers(slot, instance, fence, 7) WHERE slot = 0")[0]

    until = database.value("SELECT until FROM slot_numbers WHERE slot = 0")
    used, reserved = take("one")
    assert used == until < reserved
    others = used
    used, until = take("one")  # `tidegate journal adopt` had it meanwhile, say: its own are above those of others
    assert used == others and until > reserved
    used, _ = take("another")
    assert used == until
    assert database.rows("SELECT * FROM slots, tidegate_reserve_numbers(slot, 'one', fence, 7) WHERE slot = 0")[0][-2:] == (0, 0)


def test_one_that_starts_without_the_database_waits(make_node, database, postgres):
    node = make_node("n1")
    postgres.stop()
    node.start(wait=False)
    wait_until(lambda: "lease_waiting" in node.log(), "it to wait")
    assert node.metric("tidegate_mqtt_connects_total") == 0
    postgres.start()
    wait_for_owners(database, n1=4)
    node.wait_ready()
    assert node.log().index(" lease_held ") < node.log().index(" mqtt_connected ")


def test_what_devices_bring_is_taken_where_they_come(make_node, database):
    """By HTTP, whichever slots this node has."""
    first, second = make_node("n1"), make_node("n2")
    start(first, second)
    wait_for_owners(database, n1=2, n2=2)
    token = first.ids["dev-1 token"]
    body = {"device_id": "dev-1", "detections": [{"device_hash": "ab" * 32, "rssi": -60}]}
    for node in (first, second):
        node.wait_ready()
        answer = node.post("/api/v1/detections/bulk", json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        device = Viewer(node, "/ws/device/dev-1", token)
        device.send(json.dumps({"temperature": 1}))
        database.wait_for("SELECT count(*) FROM telemetry", 1 + (node is second))
        device.close()
    database.wait_for("SELECT count(*) FROM ble_detections", 2)


def test_a_command_goes_to_a_device_and_comes_to_an_end(make_node, database):
    node = make_node("n1")
    node.start()
    wait_for_owners(database, n1=4)
    node.wait_ready()
    device = Viewer(node, "/ws/device/dev-1", node.ids["dev-1 token"])
    asked = command(node)
    assert json.loads(device.next())["command_id"] == asked
    database.wait_for("SELECT state FROM commands", "delivered")
    device.send(json.dumps({"command_id": asked, "status": "ok"}))
    database.wait_for("SELECT state FROM commands", "done")
    device.close()


def test_one_that_was_stopped_stores_nothing_twice(make_node, database, publisher):
    first, second = make_node("n1"), make_node("n2")
    start(first, second)
    wait_for_owners(database, n1=2, n2=2)
    wait_for_sessions(first, second)
    first.process.send_signal(signal.SIGSTOP)
    wait_for_owners(database, n2=4)
    publish(publisher, range(4))
    first.process.send_signal(signal.SIGCONT)
    # Whose slot another one has by then ends; one that got its own back goes on.
    wait_until(lambda: first.process.poll() is not None or dict(database.rows(OWNERS)) == {"n1": 2, "n2": 2},
               "it to know better")
    if first.process.poll() is not None:
        assert first.process.wait() == 1 and "lease_lost" in first.log()
        first.process = None
    publish(publisher, range(4, 8))
    wait_for_all(database, 8)


def test_what_slots_that_are_no_more_have_left_is_told(make_node, database, postgres, publisher):
    """Who makes them fewer is to let the gateways store all before; who did not finds it, and goes back."""
    node = make_node("n1").start()
    publish(publisher, [0])
    wait_for_all(database, 1)
    postgres.stop()
    publish(publisher, [1])
    wait_until(lambda: node.metric("tidegate_in_journal") == len(VEHICLES), "the journals to have them")
    node.kill()
    node.write_conf(cluster__slots=2)
    postgres.start()
    node.start()
    wait_until(lambda: node.metric("tidegate_journals_left") == 2, "those of two slots to be missed")
    assert node.get("/readyz").json()["notes"] == ["journals_left"]

    assert node.terminate() == 0
    node.write_conf(cluster__slots=SLOTS)
    node.start()
    wait_for_all(database, 2)
    wait_until(lambda: node.metric("tidegate_journals_left") == 0, "none to be missed")
