"""Any node tells an administrator what all nodes of the cluster count, and which of them have answered."""
from test_live_across_nodes import two
from test_several_slots import VEHICLES, make_node, publish, wait_for_all, wait_for_owners  # pylint: disable=unused-import
from viewers import Viewer
from waiting import wait_until


def ask(node, user="root", scope="cluster"):
    return node.get(f"/api/ws/stats?scope={scope}", headers={"Authorization": f"Bearer {node.token(user)}"})


def totals(node, *names):
    said = ask(node).json()["totals"]
    return [said[name] for name in names]


def test_each_tells_what_all_count(make_node, publisher):
    nodes = two(make_node)
    viewers = [Viewer(node, "/api/ws/statistics", node.token("ana")) for node in (*nodes, nodes[1])]
    publish(publisher, range(3))
    wait_for_all(nodes[0].database, 3)
    n = 3 * len(VEHICLES)
    for node in nodes:
        wait_until(lambda node=node: totals(node, "active_connections", "committed", "received_mqtt", "in_journal") == [3, n, n, 0],
                   "all to have said what they count")
        said = ask(node).json()
        assert (said["answered"], said["silent"]) == (2, 0)
        assert [(row["node"], row["answered"], row["slots"]) for row in said["nodes"]] == [("n1", True, 2), ("n2", True, 2)]
        assert [row["figures"]["active_connections"] for row in said["nodes"]] == [1, 2]
        assert sum(row["figures"]["committed"] for row in said["nodes"]) == n
        assert said["totals"]["database_connected"] == 1, "the least of all, not their sum"
    for viewer in viewers:
        viewer.close()

    nodes[1].kill()
    wait_until(lambda: ask(nodes[0]).json()["answered"] == 1, "the dead one to be missed")
    said = ask(nodes[0]).json()
    assert said["silent"] == 1
    assert [(row["node"], row["answered"], row["figures"] is None) for row in said["nodes"]] \
        == [("n1", True, False), ("n2", False, True)]
    assert said["totals"]["committed"] == said["nodes"][0]["figures"]["committed"] < n


def test_each_tells_who_has_which_slot_and_what_a_dead_ones_disk_has(make_node, database, postgres, publisher):
    first, second = two(make_node)
    said = ask(first).json()
    fences = dict(database.rows("SELECT slot, fence FROM slots"))
    assert [(slot["slot"], slot["state"], slot["fence"]) for slot in said["slots"]] == [(n, "held", fences[n]) for n in range(4)]
    assert sorted(slot["node"] for slot in said["slots"]) == ["n1", "n1", "n2", "n2"]
    assert (said["drained"], said["missing"]) == ([], [])
    its = {slot["slot"] for slot in said["slots"] if slot["node"] == "n2"}

    postgres.stop()  # what it has acknowledged stays on its disk
    publish(publisher, range(1))
    wait_until(lambda: first.metric("tidegate_in_journal") + second.metric("tidegate_in_journal") == len(VEHICLES), "the journals to have all")
    second.kill()
    postgres.start()
    wait_for_owners(database, n1=4)
    said = ask(first).json()
    assert [(slot["state"], slot["node"]) for slot in said["slots"]] == [("held", "n1")] * 4
    dead = said["nodes"][1]
    assert (dead["node"], dead["answered"], dead["slots"]) == ("n2", False, 0)
    assert dead["last_seen"] < said["timestamp"]
    assert {left["slot"] for left in said["missing"]} == its
    assert {(left["node"], left["what"]) for left in said["missing"]} == {("n2", "in_journal")}
    assert all(left["since"] <= said["timestamp"] and left["messages"] is None for left in said["missing"])

    first.cli("cluster", "drain", "n2")
    second.start(wait=False)
    wait_until(lambda: not ask(first).json()["missing"], "it to have stored what it had")
    assert second.terminate() == 0
    said = ask(first).json()
    assert (said["drained"], [node["node"] for node in said["nodes"]]) == (["n2"], ["n1"]), "also of one that is not there"


def test_one_alone_tells_the_same_and_nobody_but_admins_may_ask(gateway, publisher):
    for n in range(4):
        publisher.publish("seano/USV-1/raw_log", str(n))
    wait_until(lambda: totals(gateway, "committed", "received_mqtt") == [4, 4], "it to say so")
    said = ask(gateway).json()
    assert (said["answered"], said["silent"], len(said["nodes"])) == (1, 0, 1)
    assert said["nodes"][0]["slots"] == 1
    assert ask(gateway, "ana").status_code == 403
    assert ask(gateway, scope="world").status_code == 400
    assert "accounting" in ask(gateway, scope="node").json()
