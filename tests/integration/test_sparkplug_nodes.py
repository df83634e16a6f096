"""Edge nodes that speak Sparkplug B, by npm's `sparkplug-payload`: names of aliases, lives and deaths."""
import json
import time

import pytest

from backup import Backup
from conftest import populate
from waiting import wait_until

ROUTES = "\n[route sparkplug]\nuse = sparkplug-b\n"
TELEMETRY = ("SELECT code, payload::text FROM telemetry t JOIN devices d ON d.id = t.device_id ORDER BY seq")
STATUSES = ("SELECT code, l.status FROM device_status_logs l JOIN devices d ON d.id = l.device_id ORDER BY seq")


class Node:
    """plant/press, with one session after the other."""

    def __init__(self, client, broker):
        self.client = client("sparkplug-node.mjs", url=f"mqtt://127.0.0.1:{broker.port}", clientId="press",
                             group="plant", node="press")
        self.client.next("connect")
        self.session, self.seq = 0, 0

    def say(self, kind, *metrics, device=None, counts=True, **payload):
        topic = f"spBv1.0/plant/{kind}/press" + (f"/{device}" if device else "")
        told = {"timestamp": int(time.time() * 1000), "metrics": list(metrics), **payload}
        if counts:
            self.seq = 0 if kind == "NBIRTH" else (self.seq + 1) % 256
            told["seq"] = self.seq
        self.client.tell(topic=topic, payload=told)
        assert self.client.next("published")["error"] is None

    def bd_seq(self, session=None):
        return metric("bdSeq", "UInt64", self.session if session is None else session)

    def birth(self, name="Motor/Temp"):
        self.say("NBIRTH", self.bd_seq(), metric("Node Control/Rebirth", "Boolean", False),
                 metric(name, "Float", 21.5, alias=1))

    def death(self, session=None):
        self.say("NDEATH", self.bd_seq(session), counts=False)


def metric(name, type_, value, **more):
    return {**({"name": name} if name else {}), "type": type_, "value": value, **more}


@pytest.fixture
def node(client, broker):
    return Node(client, broker)


def started(make_gateway, routes=ROUTES, **settings):
    gateway = make_gateway(**settings)
    gateway.routes = routes
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    return gateway


def telemetry(database):
    """What is stored, without times and what births say of sessions."""
    rows = [(code, json.loads(payload)) for code, payload in database.rows(TELEMETRY)]
    return [(code, {k: v for k, v in row.items() if k not in ("timestamp", "bdSeq", "Node Control/Rebirth")})
            for code, row in rows]


def settled(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_data_have_the_names_of_the_birth_before_them(make_gateway, node, database):
    gateway = started(make_gateway)
    node.birth()
    node.say("DBIRTH", metric("n", "Int32", -5, alias=2), device="motor")
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    node.say("DDATA", metric(None, "Int32", -7, alias=2), metric("n/max", "UInt64", 9007199254740991), device="motor")
    database.wait_for("SELECT count(*) FROM telemetry", 4)
    assert telemetry(database) == [("press", {"Motor/Temp": 21.5}), ("press/motor", {"n": -5}), ("press", {"Motor/Temp": 22.5}),
                                   ("press/motor", {"n": -7, "n/max": 9007199254740991})]
    database.wait_for("SELECT count(*) FROM device_status_logs", 2)
    assert database.rows(STATUSES) == [("press", "online"), ("press/motor", "online")]
    assert gateway.metric("tidegate_sparkplug_things") == 2
    assert gateway.metric("tidegate_sparkplug_gaps_total") == 0
    settled(gateway)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_knows_the_names(make_gateway, node, database, end):
    gateway = started(make_gateway)
    node.birth()
    node.say("DBIRTH", metric("n", "Int32", 1, alias=2), device="motor")
    database.wait_for("SELECT count(*) FROM device_status_logs", 2)
    (gateway.kill if end == "kill" else gateway.stop)()
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    node.say("DDATA", metric(None, "Int32", 2, alias=2), device="motor")
    gateway.start()
    database.wait_for("SELECT count(*) FROM telemetry", 4)
    assert telemetry(database)[2:] == [("press", {"Motor/Temp": 22.5}), ("press/motor", {"n": 2})]
    assert database.value("SELECT count(*) FROM device_status_logs") == 2
    assert database.rows("SELECT * FROM dead_letters") == []
    settled(gateway)


def test_what_a_dead_database_finds_later_has_the_names_of_then(make_gateway, node, database, postgres):
    """Two births while it is away: data between them are of the first, shown and stored."""
    gateway = started(make_gateway, **{"database__stall_timeout": "1s"})
    node.birth("before")
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    postgres.stop()
    node.say("NDATA", metric(None, "Float", 1.5, alias=1))
    node.birth("after")
    node.say("NDATA", metric(None, "Float", 2.5, alias=1))
    wait_until(lambda: gateway.metric("tidegate_in_journal") >= 3, "all to be in the journal")
    gateway.kill()
    postgres.start()
    gateway.start()
    database.wait_for("SELECT count(*) FROM telemetry", 4)
    assert telemetry(database) == [("press", {"before": 21.5}), ("press", {"before": 1.5}),
                                   ("press", {"after": 21.5}), ("press", {"after": 2.5})]
    settled(gateway)


@pytest.fixture
def pressed(make_gateway, node, database):
    """A node that named its alias twice, with data behind each, and a device."""
    gateway = started(make_gateway, journal__check="300ms")
    node.birth("before")
    node.say("DBIRTH", metric("n", "Int32", 1, alias=2), device="motor")
    node.say("NDATA", metric(None, "Float", 1.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry", 3)
    gateway.older = Backup(database.postgres, database)
    node.say("NDATA", metric(None, "Float", 1.75, alias=1))
    node.birth("after")
    node.say("NDATA", metric(None, "Float", 2.5, alias=1))
    node.say("DBIRTH", metric("n", "Int32", 2, alias=3), device="motor")
    node.say("DDATA", metric(None, "Int32", 3, alias=3), device="motor")
    database.wait_for("SELECT count(*) FROM telemetry", 8)
    settled(gateway)
    return gateway


SAID = [{"before": 21.5}, {"n": 1}, {"before": 1.5}, {"before": 1.75}, {"after": 21.5}, {"after": 2.5},
        {"n": 2}, {"n": 3}]


def test_verify_reads_the_journal_by_its_births(pressed, database):
    assert pressed.cli("journal", "verify").returncode == 0  # also of what says that things live
    lost = database.rows("DELETE FROM telemetry RETURNING seq")
    found = pressed.cli("journal", "verify", "--store")
    assert f"stored {len(lost)}\n" in found.stdout
    assert [row for _, row in telemetry(database)] == SAID
    assert database.rows("SELECT reason FROM dead_letters") == []
    assert "missing 0" in pressed.cli("journal", "verify").stdout


def test_a_database_that_is_older_is_filled_by_the_births_of_then(pressed, node, database):
    pressed.older.restore()
    database.wait_for("SELECT count(*) FROM telemetry", 8)
    node.say("NDATA", metric(None, "Float", 4.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry", 9)
    assert [row for _, row in telemetry(database)] == [*SAID, {"after": 4.5}]
    assert "database_older position=" in pressed.log()
    assert database.rows("SELECT reason FROM dead_letters") == []
    settled(pressed)


def test_the_death_of_a_node_is_that_of_its_devices(make_gateway, node, database):
    gateway = started(make_gateway)
    node.birth()
    for device in ("a", "b"):
        node.say("DBIRTH", metric("n", "Int32", 1, alias=2), device=device)
    node.say("DDEATH", device="a")
    node.death()
    database.wait_for("SELECT count(*) FROM device_status_logs WHERE status = 'offline'", 3)
    assert sorted(database.rows(STATUSES)) == sorted(
        [(code, status) for code in ("press", "press/a", "press/b") for status in ("online", "offline")])
    assert database.rows("SELECT code, s.status FROM device_states s JOIN devices d ON d.id = s.device_id"
                         " WHERE code LIKE 'press%' ORDER BY 1") == [
        ("press", "offline"), ("press/a", "offline"), ("press/b", "offline")]
    settled(gateway)


def test_a_late_death_of_an_older_session_counts_for_nothing(make_gateway, node, database):
    gateway = started(make_gateway)
    node.birth()
    database.wait_for("SELECT count(*) FROM device_status_logs", 1)  # two births at once say once that it lives
    node.session = 1
    node.birth()
    node.death(session=0)
    wait_until(lambda: gateway.metric("tidegate_sparkplug_ignored_total", reason="late") == 1, "the death to be ignored")
    node.death()
    database.wait_for("SELECT count(*) FROM device_status_logs WHERE status = 'offline'", 1)
    assert database.rows(STATUSES) == [("press", "online"), ("press", "online"), ("press", "offline")]
    settled(gateway)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_death_while_the_gateway_was_away_is_that_of_its_session(make_gateway, node, database, end):
    gateway = started(make_gateway)
    node.birth()
    database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    node.session = 1
    node.birth()
    node.say("DBIRTH", metric("n", "Int32", 1, alias=2), device="a")
    database.wait_for("SELECT count(*) FROM device_status_logs", 3)
    settled(gateway)
    (gateway.kill if end == "kill" else gateway.stop)()
    node.death(session=0)
    gateway.start()
    wait_until(lambda: gateway.metric("tidegate_sparkplug_ignored_total", reason="late") == 1, "the older death to be ignored")
    assert database.value("SELECT count(*) FROM device_status_logs WHERE status = 'offline'") == 0
    (gateway.kill if end == "kill" else gateway.stop)()
    node.death()
    gateway.start()
    database.wait_for("SELECT count(*) FROM device_status_logs WHERE status = 'offline'", 2)
    assert database.rows(STATUSES)[3:] == [("press", "offline"), ("press/a", "offline")]
    settled(gateway)


def test_a_gap_is_counted_and_history_is_no_news(make_gateway, node, database, viewer):
    gateway = started(make_gateway)
    node.birth()
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    node.seq = 7
    node.say("NDATA", metric(None, "Float", 23.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry", 3)
    assert gateway.metric("tidegate_sparkplug_gaps_total") == 1
    number = database.value("SELECT id FROM devices WHERE code = 'press'")
    watching = viewer(f"/ws/dashboard/{number}", "root")
    assert json.loads(watching.next())["Motor/Temp"] == 23.5
    before = int(time.time() * 1000) - 60000
    node.say("NDATA", metric(None, "Float", 1.5, alias=1, timestamp=before, isHistorical=True))
    assert json.loads(watching.next()) == {"timestamp": before, "Motor/Temp": 1.5}
    assert json.loads(viewer(f"/ws/dashboard/{number}", "root").next())["Motor/Temp"] == 23.5
    database.wait_for("SELECT count(*) FROM telemetry", 4)
    assert json.loads(database.rows(TELEMETRY)[3][1]) == {"timestamp": before, "Motor/Temp": 1.5}
    settled(gateway)


def test_aliases_that_no_birth_named_are_letters_until_one_has(make_gateway, node, database):
    gateway = started(make_gateway)
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.rows("SELECT reason, detail FROM dead_letters") == [
        ("unknown_alias", "no birth has come so far: alias 1")]
    node.birth()
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    gateway.cli("dead-letters", "replay", "--reason", "unknown_alias")
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert telemetry(database)[1] == ("press", {"Motor/Temp": 22.5})
    node.say("NDATA", metric(None, "Float", 23.5, alias=1), metric(None, "Float", 1, alias=99))
    database.wait_for("SELECT count(*) FROM row_notes", 1)
    assert database.rows("SELECT member, reason FROM row_notes") == [("alias", "unknown_alias")]
    assert telemetry(database)[2] == ("press", {"Motor/Temp": 23.5})
    settled(gateway)


def test_more_things_than_may_be_are_not_remembered(make_gateway, node, database):
    gateway = started(make_gateway, sparkplug__max_things="1")
    node.birth()
    node.say("DBIRTH", metric("n", "Int32", 1, alias=2), device="motor")
    node.say("DDATA", metric(None, "Int32", 2, alias=2), device="motor")
    node.say("DDATA", metric("n", "Int32", 3, alias=2), device="motor")
    database.wait_for("SELECT count(*) FROM telemetry", 3)
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_alias'", 1)
    assert telemetry(database)[1:] == [("press/motor", {"n": 1}), ("press/motor", {"n": 3})]
    assert gateway.metric("tidegate_sparkplug_refused_total") == 1
    settled(gateway)


def test_a_node_of_which_too_little_is_known_is_asked_once_to_be_born_again(make_gateway, node, database):
    gateway = started(make_gateway, ROUTES + "rebirth = on\n")
    for n in range(3):
        node.say("NDATA", metric(None, "Float", n, alias=1))
    asked = node.client.next("command")
    assert (asked["topic"], asked["metrics"]) == (
        "spBv1.0/plant/NCMD/press", [{"name": "Node Control/Rebirth", "type": "Boolean", "value": True}])
    node.birth()
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert len(node.client.all("command")) == 1
    assert gateway.metric("tidegate_sparkplug_rebirths_asked_total") == 1
    settled(gateway)


def test_nobody_is_asked_who_did_not_want_it(make_gateway, node, database):
    gateway = started(make_gateway)
    node.say("NDATA", metric(None, "Float", 1, alias=1))
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert gateway.metric("tidegate_sparkplug_rebirths_asked_total") == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("behind", ["birth", "data"])
def test_a_restart_goes_on_counting(make_gateway, node, database, end, behind):
    """What a node said next is no gap; what is missing since is one, and asked for."""
    gateway = started(make_gateway, ROUTES + "rebirth = on\n")
    node.birth()
    if behind == "data":
        node.say("NDATA", metric(None, "Float", 1.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry", 2 if behind == "data" else 1)
    settled(gateway)
    (gateway.kill if end == "kill" else gateway.stop)()
    gateway.start()
    node.say("NDATA", metric(None, "Float", 2.5, alias=1))
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'Motor/Temp' = '2.5'", 1)
    assert gateway.metric("tidegate_sparkplug_gaps_total") == 0
    settled(gateway)
    (gateway.kill if end == "kill" else gateway.stop)()
    node.seq += 3
    gateway.start()
    node.say("NDATA", metric(None, "Float", 3.5, alias=1))
    assert node.client.next("command")["topic"] == "spBv1.0/plant/NCMD/press"
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'Motor/Temp' = '3.5'", 1)
    assert gateway.metric("tidegate_sparkplug_gaps_total") == 1
    settled(gateway)


@pytest.mark.parametrize("kind", ["NDATA", "DDATA"])
def test_who_has_no_birth_is_asked_for_one_and_its_data_are_kept(make_gateway, node, database, kind):
    """Also where its metrics have names, and nothing of it would be missed."""
    gateway = started(make_gateway, ROUTES + "rebirth = on\n")
    if kind == "DDATA":
        node.birth()
        database.wait_for("SELECT count(*) FROM telemetry", 1)
    node.say(kind, metric("Motor/Speed", "Int32", 7), **({"device": "motor"} if kind == "DDATA" else {}))
    assert node.client.next("command")["topic"] == "spBv1.0/plant/NCMD/press"
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'Motor/Speed' = '7'", 1)
    assert database.rows("SELECT * FROM dead_letters") == []
    settled(gateway)
