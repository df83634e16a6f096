"""Live across nodes: whoever stores a message, each viewer of each node is shown all that is his, once, in order."""
import contextlib
import json
import os
import re

import paho.mqtt.client as mqtt
import psycopg2

from servers import SLOW
from test_native_protocol import Native
from test_several_slots import LEASE_S, SLOTS, VEHICLES, make_node, publish, start, wait_for_all, wait_for_owners  # pylint: disable=unused-import
from viewers import Viewer, refused
from waiting import PATIENCE, wait_until

BENS = "USV-2"
ANAS = [vehicle for vehicle in VEHICLES if vehicle != BENS]


class Watcher:
    """A native client of one user; what it was shown of each vehicle, in order."""

    def __init__(self, node, user, cursor=None):
        self.node, self.user = node, user
        self.seen, self.cursor = {}, cursor
        self.gaps, self.may_be_told = [], False
        self.codes = dict(node.database.rows("SELECT id, code FROM vehicles"))
        self.client = Native(node, node.token(user))
        answer = self.client.ask("subscribe", to=["vehicle/*"], **({"since": cursor} if cursor else {}))
        self.recovered = answer["recovered"]
        self.cursor = answer["cursor"]

    def take(self):
        frames = [*self.client.pushes, *self.client.rest()]
        self.client.pushes.clear()
        for frame in frames:
            if frame.get("type") == "gap":
                assert self.may_be_told, frame
                self.gaps.append(frame)
            if frame.get("type") == "raw_log":
                self.seen.setdefault(self.codes[frame["vehicle_id"]], []).append(int(frame["data"]))
            if frame.get("type") != "welcome" and "cursor" in frame:
                self.cursor = frame["cursor"]
        return self.seen

    def wait_for(self, wanted, timeout=PATIENCE):
        """All of it, and nothing else."""
        wait_until(lambda: sum(map(len, self.take().values())) >= sum(map(len, wanted.values())) or self.client.closed,
                   f"{self.user} at port {self.node.port} to be shown all", timeout)
        self.client.quiet()
        assert self.take() == wanted

    def close(self):
        self.client.close()
        return self.take()


def all_of(vehicles, numbers):
    return {vehicle: list(numbers) for vehicle in vehicles}


def two(make_node, **settings):
    nodes = make_node("n1", **settings), make_node("n2", **settings)
    start(*nodes)
    wait_for_owners(nodes[0].database, n1=2, n2=2)
    for node in nodes:
        node.wait_ready()
        wait_until(lambda n=node: n.metric("tidegate_mqtt_connected") == 2, "its slots to be at the broker")
        wait_until(lambda n=node: n.metric("tidegate_live_connected") == 1, "it to hear the others")
        wait_until(lambda n=node: "live_teller_connected" in n.log(), "it to tell the others")
    for node in nodes:  # a frame is said, and read, once its node has the key of the cluster
        wait_until(lambda n=node: n.metric("tidegate_live_frames_total") > 0, "it to know by which key")
    return nodes


def test_each_is_shown_what_is_his_wherever_he_is(make_node, publisher):
    nodes = two(make_node)
    watchers = [Watcher(node, user) for node in nodes for user in ("ana", "ben", "root")]
    publish(publisher, range(40))
    for watcher in watchers:
        watcher.wait_for(all_of({"ana": ANAS, "ben": [BENS], "root": VEHICLES}[watcher.user], range(40)))
    for node in nodes:
        assert node.metric("tidegate_live_heard_total") > 0 < node.metric("tidegate_live_told_total")
        assert node.metric("tidegate_live_unreadable_total") == 0
    heard = sum(node.metric("tidegate_live_heard_total") for node in nodes)
    assert heard == 40 * len(VEHICLES), "each of them once, by the other one"
    assert sum(node.metric("tidegate_live_caught_up_total") for node in nodes) == 0


def take_name(broker, client_id):
    """The broker ends the connection of who has it."""
    client = mqtt.Client(client_id)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    wait_until(client.is_connected, "the thief to be connected")
    return client


def test_what_the_broker_loses_is_late_and_not_missing(make_node, broker, publisher):
    nodes = two(make_node)
    watchers = [Watcher(node, "ana") for node in nodes]
    publish(publisher, range(3))
    for watcher in watchers:
        watcher.wait_for(all_of(ANAS, range(3)))
    name = re.search(r"live_hearer_connected .*client_id=(\S+)", nodes[1].log()).group(1)
    for n in range(3, 9):
        thief = take_name(broker, name)
        publish(publisher, [n])
        thief.disconnect()
        thief.loop_stop()
    for watcher in watchers:
        watcher.wait_for(all_of(ANAS, range(9)))
    assert nodes[1].metric("tidegate_live_caught_up_total") > 0


def test_where_the_broker_carries_none_the_database_tells(make_node, broker, publisher):
    """No right to live events: what one stores is shown by the other one some seconds late."""
    acl = broker.folder / "acl"
    acl.write_text("topic deny tidegate/live/#\ntopic readwrite #\n", "ascii")
    acl.chmod(0o644)
    broker.extra += f"acl_file {acl}\n"
    broker.write_conf()
    broker.stop()
    broker.start()
    nodes = two(make_node)
    watchers = [Watcher(node, user) for node in nodes for user in ("ana", "ben")]
    wait_until(publisher.client.is_connected, "the publisher to be back")
    for n in range(4):
        publish(publisher, [n])
        for watcher in watchers:
            watcher.wait_for(all_of({"ana": ANAS, "ben": [BENS]}[watcher.user], range(n + 1)))
    assert all(node.metric("tidegate_live_heard_total") == 0 for node in nodes)
    assert sum(node.metric("tidegate_live_caught_up_total") for node in nodes) == 4 * len(VEHICLES)


def test_who_moves_misses_nothing_and_gets_nothing_twice(make_node, publisher):
    nodes = two(make_node)
    watcher = Watcher(nodes[0], "ana")
    seen = {}
    publisher.run(lambda n: (f"seano/{VEHICLES[n % len(VEHICLES)]}/raw_log", str(n // len(VEHICLES))), 120)
    for n in range(8):
        seen_before = publisher.n_sent
        wait_until(lambda n=seen_before: publisher.n_sent > n + 80, "some load")
        for vehicle, numbers in watcher.close().items():
            seen.setdefault(vehicle, []).extend(numbers)
        cursor = watcher.cursor
        watcher = Watcher(nodes[(n + 1) % 2], "ana", cursor)
        assert watcher.recovered
    n_sent = publisher.stop()
    wanted = {vehicle: list(range((n_sent - i + len(VEHICLES) - 1) // len(VEHICLES)))
              for i, vehicle in enumerate(VEHICLES) if vehicle != BENS}
    wait_until(lambda: sum(len(seen.get(v, [])) + len(watcher.take().get(v, [])) for v in wanted)
               >= sum(map(len, wanted.values())), "the rest")
    for vehicle, numbers in watcher.close().items():
        seen.setdefault(vehicle, []).extend(numbers)
    assert seen == wanted


def test_a_share_that_is_revoked_ends_everywhere_within_a_second(make_node, database, publisher):
    nodes = two(make_node)
    ben, = database.rows("SELECT id FROM users WHERE username = 'ben'")
    vehicle, = database.rows("SELECT id FROM vehicles WHERE code = 'USV-1'")
    database.rows("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s) RETURNING 1", ben[0], vehicle[0])
    for node in nodes:
        wait_until(lambda n=node: n.get("/api/vehicles", headers={"Authorization": f"Bearer {n.token('ben')}"}).text.count("USV-1"),
                   "the share to be known")
    watchers = [Watcher(node, "ben") for node in nodes]
    publish(publisher, range(2))
    for watcher in watchers:
        watcher.wait_for(all_of(["USV-1", BENS], range(2)))
    database.rows("DELETE FROM shares RETURNING 1")
    for node in nodes:
        wait_until(lambda n=node: "USV-1" not in n.get("/api/vehicles", headers={"Authorization": f"Bearer {n.token('ben')}"}).text,
                   "the share to be gone", SLOW)
    publish(publisher, range(2, 4))
    for watcher in watchers:
        watcher.wait_for({"USV-1": [0, 1], BENS: [0, 1, 2, 3]})


def test_what_has_just_been_made_is_shown_to_its_owner_at_each(make_node, database, publisher):
    """Who stores its first message asks for it; the others hear of it by and by."""
    nodes = two(make_node)
    watchers = [Watcher(node, "ben") for node in nodes]
    codes = []
    for n in range(16):
        codes.append(f"NEW-{n}")
        row, = database.rows("INSERT INTO vehicles (code, user_id) SELECT %s, id FROM users WHERE username = 'ben' RETURNING id", codes[-1])
        for watcher in watchers:
            watcher.codes[row[0]] = codes[-1]
        publisher.publish(f"seano/{codes[-1]}/raw_log", "0")
    publisher.flush()
    for watcher in watchers:
        watcher.wait_for(all_of(codes, [0]))


def test_who_has_its_slots_again_begins_where_others_have_left_them(make_node, database, publisher):
    """Its viewers are shown nothing of before: it looks at how far its slots are before it has taken its place in one
    of them, which is where it was in its own last turn."""
    first, second = make_node("n1"), make_node("n2")
    first.start()
    publish(publisher, range(3))
    wait_for_all(database, 3)
    assert first.terminate() == 0
    second.start()
    publish(publisher, range(3, 40))
    wait_for_all(database, 40)
    assert second.terminate() == 0
    with contextlib.closing(psycopg2.connect(database.url)) as other:
        cursor = other.cursor()
        cursor.execute("SELECT FROM journal_positions WHERE slot = 3 ORDER BY seq LIMIT 1 FOR UPDATE")
        first.start(wait=False)
        wait_for_owners(database, n1=SLOTS)
        wait_until(lambda: refused(first, "/api/ws", first.token("root")) == 101, "it to take viewers")
        watcher = Watcher(first, "root")
        other.rollback()
    publish(publisher, [40])
    watcher.wait_for(all_of(VEHICLES, [40]))


def test_who_is_at_the_other_one_sees_a_death_by_nothing(make_node, database, publisher):
    """kill -9: the slots go over, and what is taken in from then on is shown."""
    nodes = two(make_node)
    watcher = Watcher(nodes[1], "ana")
    publish(publisher, range(3))
    watcher.wait_for(all_of(ANAS, range(3)))
    nodes[0].kill()
    publish(publisher, range(3, 6))
    wait_for_owners(database, n2=SLOTS)
    watcher.wait_for(all_of(ANAS, range(6)))
    nodes[0].start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    publish(publisher, range(6, 9))
    watcher.wait_for(all_of(ANAS, range(9)))
    nodes[0].wait_ready()
    other = Watcher(nodes[0], "ana", watcher.cursor)
    publish(publisher, range(9, 11))
    watcher.wait_for(all_of(ANAS, range(11)))
    other.wait_for(all_of(ANAS, range(9, 11)))


def test_one_that_was_stopped_shows_the_rest_when_it_is_back(make_node, database, publisher):
    """A drain moves all slots to the other one and back: viewers of both see nothing of it."""
    nodes = two(make_node)
    watchers = [Watcher(node, "ana") for node in nodes]
    publish(publisher, range(2))
    nodes[1].cli("cluster", "drain", "n1")
    wait_for_owners(database, n2=SLOTS)
    publish(publisher, range(2, 5))
    nodes[1].cli("cluster", "drain", "n1", "--undo")
    wait_for_owners(database, n1=2, n2=2)
    publish(publisher, range(5, 7))
    for watcher in watchers:
        watcher.wait_for(all_of(ANAS, range(7)))


def test_what_was_stored_before_a_death_is_shown_all_the_same(make_node, database, publisher):
    """kill -9 under load: whatever is stored is shown by the other one, once; what is left on the disk is neither."""
    nodes = two(make_node)
    watcher = Watcher(nodes[1], "ana")
    publisher.run(lambda n: (f"seano/{VEHICLES[n % len(VEHICLES)]}/raw_log", str(n // len(VEHICLES))), 240)
    wait_until(lambda: n_stored(database) > 200, "some to be stored")
    nodes[0].kill()
    wait_for_owners(database, n2=SLOTS)
    n_before = n_stored(database)
    wait_until(lambda: n_stored(database) > n_before + 100, "some more to be stored")
    publisher.stop()
    wait_until(lambda: nodes[1].metric("tidegate_in_journal") == 0, "all to be stored")
    wait_until(lambda: watcher.take() == of_ana(database), "all that is stored to be shown")
    assert nodes[1].metric("tidegate_outbox_dropped_total") == 0


def n_stored(database):
    return database.value("SELECT count(*) FROM raw_logs")


def of_ana(database):
    found = {}
    for vehicle, n in database.rows("SELECT v.code, r.logs::int FROM raw_logs r JOIN vehicles v ON v.id = r.vehicle_id"
                                    " WHERE v.code <> %s ORDER BY r.seq", BENS):
        found.setdefault(vehicle, []).append(n)
    return found


def said_last(node):
    """vehicle -> the voltage that a first picture shows."""
    client, codes = Native(node, node.token("root")), dict(node.database.rows("SELECT id, code FROM vehicles"))
    assert client.ask("subscribe", to=["vehicle/*"], snapshot=True)["ok"]
    found, is_done = {}, False
    while not is_done:
        frame = client.push("snapshot")
        is_done = frame["done"]
        found |= {codes[item["vehicle_id"]]: item["data"]["battery_voltage"] for item in frame["items"] if item["type"] == "vehicle_log"}
    client.close()
    return found


def test_a_first_picture_has_what_others_stored(make_node, database, publisher):
    """Also of who has just begun, and of slots that it never had."""
    nodes = two(make_node)
    for n in range(3):
        for vehicle in VEHICLES:
            publisher.publish(f"seano/{vehicle}/vehicle_log", json.dumps({"battery_voltage": n}))
        publisher.flush()
        database.wait_for("SELECT count(*) FROM vehicle_logs", (n + 1) * len(VEHICLES))
        if n == 1:
            assert nodes[1].terminate() == 0
            nodes[1].start()
        for node in nodes:
            wait_until(lambda n=n, node=node: said_last(node) == {vehicle: n for vehicle in VEHICLES}, "it to show what was said last")


def test_what_is_no_frame_is_counted_and_shown_to_nobody(make_node, broker, publisher):
    """Cut off, of another form, of a slot that there is not, too long, or said twice."""
    nodes = two(make_node)
    watchers = [Watcher(node, "root") for node in nodes]
    heard = []
    spy = mqtt.Client("spy")
    spy.on_message = lambda _client, _arg, message: heard.append((message.topic, message.payload))
    spy.connect("127.0.0.1", broker.port)
    spy.loop_start()
    wait_until(spy.is_connected, "the spy to be connected")
    spy.subscribe("tidegate/live/#")
    wait_until(lambda: heard, "a frame that says how far a slot is")
    publish(publisher, range(2))
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, range(2)))
    topic, frame = max(heard, key=lambda said: len(said[1]))
    before = [node.metric("tidegate_live_unreadable_total") for node in nodes]
    bad = [b"", b"{}", b"\0" + frame[1:], b"\2" + frame[1:], frame[:1] + b"\x3f" + frame[2:], frame + b"\0", os.urandom(1 << 20),
           *(frame[:n] for n in range(1, len(frame) - 1, 7))]
    for payload in bad:
        spy.publish(topic, payload).wait_for_publish(30)
    for _topic, again in list(heard):
        spy.publish(topic, again).wait_for_publish(30)
    for node, n in zip(nodes, before):
        wait_until(lambda node=node, n=n: node.metric("tidegate_live_unreadable_total") > n, "it to be counted")
    publish(publisher, range(2, 4))
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, range(4)))
    spy.disconnect()
    spy.loop_stop()


def test_a_ticket_of_one_node_opens_a_socket_at_another(make_node):
    """A browser asks at one, and is sent to the next; there as well it is good once."""
    nodes = two(make_node)
    for asked, opened in (nodes, nodes[::-1]):
        answer = asked.post("/api/ws/ticket", headers={"Authorization": f"Bearer {asked.token('ana')}"})
        path = f"/api/ws?ticket={answer.json()['ticket']}"
        Viewer(opened, path).close()
        assert refused(opened, path) == 401
        forged = path[:-1] + ("A" if path[-1] != "A" else "B")
        assert refused(opened, forged) == 401


def tries(node, user, address):
    """How often somebody there may guess, until he is told to wait."""
    said = []
    while not said or said[-1] == 401:
        said.append(node.post("/api/token", data={"username": user, "password": "wrong"},
                              headers={"X-Forwarded-For": address}).status_code)
    assert said[-1] == 429
    return len(said) - 1


def test_who_guesses_at_two_nodes_guesses_no_more_often_than_at_one(make_node):
    """Each lets its part of the failures through; alone, all of them."""
    nodes = two(make_node, auth__login_failures_per_minute=4, http__trusted_proxies="127.0.0.1")
    for node in nodes:
        wait_until(lambda n=node: n.metric("tidegate_nodes_serving") == 2, "it to know of the other one")
    assert [tries(node, "ana", "10.1.1.1") for node in nodes] == [2, 2]
    assert nodes[1].terminate() == 0
    wait_until(lambda: nodes[0].metric("tidegate_nodes_serving") == 1, "it to be alone")
    assert tries(nodes[0], "ben", "10.1.1.2") == 4
