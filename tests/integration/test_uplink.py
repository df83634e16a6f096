"""A gateway at the edge, with a broker and without a database, over a bad link to a central one: each message once."""
import json
import random
import re
import shutil
import ssl
import subprocess
import threading

import paho.mqtt.client as mqtt
import pytest

from backup import Backup
from commanding import command, wait_for_state
from conftest import populate
from link_road import TO_SERVER, LinkRoad
from load import Publisher
from servers import SLOW, Broker, Gateway
from waiting import wait_until

DEVICES = ("dev-1", "dev-3")


class Boat:
    """A central gateway, and an edge whose messages it may take: all of what is ana's."""

    def __init__(self, folder, central, tls=None, **settings):
        self.central, self.database = central, central.database
        self.road = LinkRoad(central.port, tls)
        self.broker = Broker(folder / "edge-broker").start()
        _, token = central.add_device("boat", "ana")
        central.add_device("dev-3", "ana")
        central.cli("device", "uplink", "boat", "on")
        path = folder / "token"
        path.touch(0o600)
        path.write_text(token + "\n", "ascii")
        self.edge = Gateway(folder / "edge", None, self.broker, **{
            "uplink__url": f"{'wss' if tls else 'ws'}://127.0.0.1:{self.road.port}/ws/uplink/boat", "uplink__token_file": str(path),
            "uplink__backoff_min": "50ms", "uplink__backoff_max": "300ms", **settings})
        self.publisher = Publisher(self.broker)
        self.n = {device: 0 for device in DEVICES}

    def publish(self, n, size=0):
        """So many of each device, numbered on; acknowledged by the broker."""
        for _ in range(n):
            for device in DEVICES:
                self.n[device] += 1
                self.publisher.publish(f"ems/{device}/telemetry", json.dumps({"n": self.n[device], "x": "x" * size}))
        self.publisher.flush()

    def rows(self):
        """The numbers of each device, in the order in which they were stored."""
        return {device: [row[0] for row in self.database.rows(
            "SELECT (payload->>'n')::int FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = %s"
            " ORDER BY seq", device)] for device in DEVICES}

    def wait_stored(self, timeout=60):
        total = sum(self.n.values())
        wait_until(lambda: self.database.value("SELECT count(*) FROM telemetry") >= total, f"{total} rows", timeout * SLOW)

    def is_right(self):
        self.wait_stored()
        rows = self.rows()
        for device in DEVICES:
            assert rows[device] == list(range(1, self.n[device] + 1)), device
        assert self.database.value("SELECT count(*) FROM dead_letters") == 0
        for gateway in (self.edge, self.central):
            wait_until(lambda gateway=gateway: gateway.metric("tidegate_in_journal") == 0, "nothing to wait")
            assert gateway.metric("tidegate_accounting_drift") == 0
        return True

    def close(self):
        self.publisher.close()
        self.edge.stop()
        self.road.close()
        self.broker.stop()


@pytest.fixture
def boat(make_gateway, folder):
    made = []

    def make(central=None, **settings):
        central = make_gateway(**central or {})
        populate(central)
        made.append(Boat(folder, central.start(), **settings))
        made[-1].edge.start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_the_edge_takes_in_is_stored_and_shown_at_central(boat, viewer):
    one = boat()
    view = viewer("/ws/device/dev-1", "ana")
    one.publish(5)
    assert [json.loads(view.next())["n"] for _ in range(5)] == [1, 2, 3, 4, 5]
    assert one.is_right()
    assert one.edge.metric("tidegate_uplink_connected") == 1
    assert one.edge.metric("tidegate_committed_total") == 10
    assert one.edge.get("/readyz").json()["status"] == "ready"
    assert one.central.metric("tidegate_ws_connections", dialect="uplink") == 1


def test_an_hour_without_the_link_is_made_up_for(boat):
    """3,600 messages of each device, one a second, in a lapse; with the times at which they came to the edge."""
    one = boat()
    one.publish(3)
    one.wait_stored()
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 0, "the edge to have heard so")
    one.road.shut()
    wait_until(lambda: one.edge.metric("tidegate_uplink_connected") == 0, "the link to be down")
    assert one.edge.get("/readyz").json()["notes"] == ["uplink_away"]  # which is no reason to be unready
    one.publish(3600)
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 7200, "all to be at the edge")
    left_at = one.database.value("SELECT now()")
    assert one.database.value("SELECT count(*) FROM telemetry") == 6
    one.road.open()
    assert one.is_right()
    assert one.database.value("SELECT bool_and(time <= %s) FROM telemetry", left_at)
    wait_until(lambda: one.edge.metric("tidegate_uplink_lag_seconds") == 0, "nothing to wait there")


def test_a_link_that_loses_one_of_twenty_and_breaks_costs_nothing(boat):
    one = boat()
    one.road.lossy(seed=7)
    one.road.breaks(2000, 60000, seed=7)
    one.road.cut()
    for turn in range(12):
        one.publish(100)
        one.road.deaf_to = TO_SERVER if turn % 4 == 3 else None  # answers get through, and nothing goes up
    one.road.deaf_to = None
    assert one.is_right()
    assert one.road.n_links > 5


@pytest.mark.parametrize("seed", [1, 2])
def test_both_are_killed_at_any_time_under_load(boat, seed):
    one = boat()
    dice = random.Random(seed)
    one.road.lossy(seed=seed)
    for _ in range(8):
        one.publish(dice.randrange(30, 120))
        victim = dice.choice((one.edge, one.central, one.edge, one.central, None))
        if dice.random() < 0.4:
            one.road.cut()
        if victim:
            victim.kill()
            one.publish(dice.randrange(1, 60))
            victim.start()
    assert one.is_right()


def test_an_edge_starts_without_the_central_one_and_keeps_what_comes(boat):
    one = boat()
    one.road.shut()
    one.edge.kill()
    one.edge.start()
    one.publish(50)
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 100, "all to be at the edge")
    one.edge.kill()
    one.edge.start()
    assert one.edge.metric("tidegate_in_journal") == 100
    one.road.open()
    assert one.is_right()


def test_a_full_journal_leaves_the_rest_to_the_broker(boat):
    one = boat(journal__max_bytes="1M", journal__min_free_bytes="0")
    one.road.shut()
    wait_until(lambda: one.edge.metric("tidegate_uplink_connected") == 0, "the link to be down")
    one.publish(6000)
    wait_until(lambda: one.edge.metric("tidegate_journal_full") == 1, "the journal to be full")
    assert one.edge.status("/readyz") == 503
    one.road.open()
    assert one.is_right()
    assert one.edge.metric("tidegate_uplink_dropped_total") == 0


def test_or_the_oldest_goes_and_is_counted(boat):
    one = boat(journal__max_bytes="1M", journal__min_free_bytes="0", uplink__drop_oldest="on")
    one.road.shut()
    wait_until(lambda: one.edge.metric("tidegate_uplink_connected") == 0, "the link to be down")
    one.publish(9000)
    wait_until(lambda: one.edge.metric("tidegate_received_total", door="mqtt") == 18000, "all to have come")
    wait_until(lambda: one.edge.metric("tidegate_uplink_dropped_total") > 0, "some to be dropped")
    wait_until(lambda: one.edge.metric("tidegate_journal_full") == 0, "room")
    one.road.open()
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 0, "all that is left to be stored")
    dropped = int(one.edge.metric("tidegate_uplink_dropped_total"))
    rows = one.rows()
    assert sum(map(len, rows.values())) + dropped == 18000
    for device in DEVICES:  # the newest, without a hole
        assert rows[device] == list(range(9001 - len(rows[device]), 9001))
    wait_until(lambda: one.edge.metric("tidegate_accounting_drift") == 0, "the books to balance")
    for _ in range(2):  # the central one is told, and counts it once, however often the link breaks
        wait_until(lambda: one.central.metric("tidegate_uplink_lossy") == 1, "the central one to be told")
        assert one.central.metric("tidegate_uplink_lost_total") == dropped
        assert f" messages={dropped} gaps=0 all_messages={dropped} all_gaps=0 " in one.central.log()
        for gateway in (one.edge, one.central):
            assert gateway.get("/readyz").json()["notes"] == ["uplink_lost"]
        one.road.shut()
        wait_until(lambda: one.central.metric("tidegate_uplink_lossy") == 0, "the link to have broken")
        one.road.open()


@pytest.mark.parametrize("lost", [0, 20])
def test_an_edge_whose_folder_was_emptied_goes_on_under_another_name(boat, lost):
    """Its numbers begin anew: what comes is stored once, and nothing of it passes for what is stored. What was on the
    disk alone is lost, and nobody can name it; how far the old one was stored stays known."""
    one = boat()
    one.publish(30)
    assert one.is_right()
    begun = one.n.copy()
    one.road.shut()
    wait_until(lambda: one.edge.metric("tidegate_uplink_connected") == 0, "the link to be down")
    one.publish(lost)
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 2 * lost, "the edge to have it")
    one.edge.kill()
    shutil.rmtree(one.edge.folder / "journal")
    one.publish(10)  # kept by the broker, of which the session is the same
    one.edge.start()
    one.road.open()
    one.publish(10)
    expected = {device: [n for n in range(1, one.n[device] + 1) if not begun[device] < n <= begun[device] + lost] for device in DEVICES}
    wait_until(lambda: one.database.value("SELECT count(*) FROM telemetry") >= sum(map(len, expected.values())), "the rest to be stored")
    for gateway in (one.edge, one.central):
        wait_until(lambda gateway=gateway: gateway.metric("tidegate_in_journal") == 0, "nothing to wait")
        assert gateway.metric("tidegate_accounting_drift") == 0
    assert one.rows() == expected
    assert one.database.value("SELECT count(*) FROM uplink_positions") == 2
    assert one.central.metric("tidegate_uplink_lost_total") == 0


def test_who_may_not_keeps_what_it_has_until_he_may(boat):
    one = boat()
    one.central.cli("device", "uplink", "boat", "off")
    wait_until(lambda: one.edge.metric("tidegate_uplink_connected") == 0, "it to be closed")
    one.publish(20)
    wait_until(lambda: "refused: HTTP/1.1 403" in one.edge.log() or "closed 4004" in one.edge.log(), "the log to say so")
    assert one.database.value("SELECT count(*) FROM telemetry") == 0
    one.central.cli("device", "uplink", "boat", "on")
    assert one.is_right()


def test_a_central_one_with_a_new_database_gets_what_the_edge_still_keeps(boat):
    one = boat()
    one.publish(30)
    one.wait_stored()
    one.central.stop()
    one.database.rows("DELETE FROM uplink_positions RETURNING 1")
    one.database.rows("DELETE FROM telemetry RETURNING 1")
    one.central.start()
    wait_until(lambda: one.database.value("SELECT count(*) FROM telemetry") >= 60, "all to be there again")
    assert one.rows() == {device: list(range(1, 31)) for device in DEVICES}
    assert one.edge.metric("tidegate_db_older_total") == 1


@pytest.mark.parametrize("keep", ["1h", "0"])
def test_a_database_that_is_put_back_under_a_connected_edge_gets_what_that_has(boat, postgres, keep):
    """The central journal has little of what is stored. What the edge has not either is named."""
    small = {"journal__segment_bytes": "64K", "journal__min_free_bytes": "0"}
    one = boat(central={"journal__keep": "0", "journal__max_bytes": "512K", **small}, journal__keep=keep, **small)
    one.publish(10)
    one.wait_stored()
    backup = Backup(postgres, one.database)
    one.publish(2000, size=500)
    one.wait_stored()
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 0, "the edge to have heard so")
    first = one.database.value("SELECT max(seq) FROM uplink_positions")
    backup.restore()
    one.publish(5)
    wait_until(lambda: "journal_gap after=" in one.central.log(), "the central one not to have it")
    wait_until(lambda: "uplink_older position=" in one.edge.log(), "the edge to be told")
    wait_until(lambda: all(numbers[-1:] == [2015] for numbers in one.rows().values()), "the newest to be stored")
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 0, "the edge to have heard so")
    rows = one.rows()
    if keep == "1h":
        assert rows == {device: list(range(1, 2016)) for device in DEVICES}
        assert one.edge.metric("tidegate_journal_gaps") == 0
        return
    for device in DEVICES:  # the oldest, a hole, the newest
        left = len(rows[device]) - 10
        assert 5 <= left < 2000
        assert rows[device] == [*range(1, 11), *range(2016 - left, 2016)]
    after, last = re.search(r"journal_gap after=(\d+) last=(\d+) position=\1 ", one.edge.log()).groups()
    assert int(after) < int(last) < first
    assert one.edge.get("/readyz").json()["notes"] == ["journal_gap"]
    wait_until(lambda: one.central.metric("tidegate_uplink_gaps_total") == one.edge.metric("tidegate_journal_gap_total"), "the central one to be told")
    assert "uplink_lost" in one.central.get("/readyz").json()["notes"]


@pytest.mark.parametrize("names, trusted, is_in", [("IP:127.0.0.1", True, True), ("IP:127.0.0.2", True, False),
                                                   ("IP:127.0.0.1", False, False)])
def test_over_tls_it_speaks_to_whom_it_knows_alone(boat, folder, names, trusted, is_in):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=central", "-addext", f"subjectAltName={names}", "-keyout", folder / "key.pem",
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    one = boat(tls=tls, uplink__ca_file=str(folder / "cert.pem") if trusted else None)
    one.publish(10)
    if is_in:
        assert one.is_right()
        return
    wait_until(lambda: "TLS failed" in one.edge.log(), "it to refuse")
    assert "certificate verify failed" in one.edge.log()
    wait_until(lambda: one.edge.metric("tidegate_in_journal") == 20, "all to be at the edge")
    assert one.edge.metric("tidegate_uplink_connects_total") == 0


class Device:
    """What a device does at the edge's broker: it hears its commands, and says that it has done them."""

    def __init__(self, broker, code):
        self.heard = []
        self.client = mqtt.Client(f"device-{code}")
        self.client.on_message = lambda client, _, message: self._do(client, code, json.loads(message.payload))
        self.client.on_connect = lambda client, *_: client.subscribe(f"devices/{code}/commands", 1)
        self.is_subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.is_subscribed.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.is_subscribed.wait(30)

    def _do(self, client, code, message):
        self.heard.append(message)
        client.publish(f"devices/{code}/commands/ack", json.dumps({"command_id": message["command_id"], "status": "ok"}), 1)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device():
    made = []

    def make(broker, code):
        made.append(Device(broker, code))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_command_goes_down_and_its_answer_comes_up(boat, device):
    one = boat()
    there = device(one.broker, "dev-3")
    wait_until(lambda: one.central.metric("tidegate_ws_connections", dialect="uplink") == 1, "the edge")
    said = command(one.central, "ana", "dev-3", "reboot", payload={"in_s": 1.50, "why": "gr\u00fcn \"x\""})
    wait_for_state(one.database, said, "done")
    assert there.heard == [{"command_id": said, "action": "reboot", "payload": {"in_s": 1.5, "why": "gr\u00fcn \"x\""}}]
    assert one.central.metric("tidegate_uplink_commands_total") == 1


def test_commands_that_waited_for_the_link_go_down_once_it_is_back(boat, device):
    one = boat()
    there = device(one.broker, "dev-3")
    one.road.shut()
    wait_until(lambda: one.central.metric("tidegate_ws_connections", dialect="uplink") == 0, "the edge to be gone")
    said = [command(one.central, "ana", "dev-3", "step", payload={"n": n}) for n in range(20)]
    late = command(one.central, "ana", "dev-3", "late", timeout_ms=1)
    other = command(one.central, "ben", "dev-2", "not-yours")
    wait_for_state(one.database, late, "expired")
    one.road.open()
    for one_id in said:
        wait_for_state(one.database, one_id, "done")
    one.road.cut()  # at the next connection nothing is said that is done
    one.publish(1)
    one.wait_stored()
    assert sorted(message["payload"]["n"] for message in there.heard) == list(range(20))
    assert one.database.value("SELECT state FROM commands WHERE command_id = %s", other) != "done"


def test_a_large_command_comes_in_pieces(boat, device):
    one = boat()
    there = device(one.broker, "dev-3")
    wait_until(lambda: one.central.metric("tidegate_ws_connections", dialect="uplink") == 1, "the edge")
    said = command(one.central, "ana", "dev-3", "load", payload={"text": "x" * 60000})
    wait_for_state(one.database, said, "done")
    assert [len(message["payload"]["text"]) for message in there.heard] == [60000]

