"""`each`: the elements of a message are messages of their own: rows, frames and letters in order, each once."""
import json
import signal

import pytest

from backup import Backup
from conftest import populate
from waiting import wait_until

STATION = "[route station]\ntopic = stations/+/up\nkind = telemetry\n"
EACH = STATION + """each = /readings
auto_register = on
[map station]
device = /id
time = /t | time unix_s
n = /n | number
serial = ^/serial
place = each.index
"""
STORED = "SELECT (payload->>'n')::int, (payload->>'place')::int FROM telemetry ORDER BY seq"


def started(make_gateway, routes=EACH, **settings):
    gateway = make_gateway(journal__check="300ms", **settings)
    gateway.routes = routes
    gateway.write_conf()
    populate(gateway)
    return gateway.start()


def message(numbers, **beside):
    return json.dumps({"serial": "S1", "readings": [{"id": f"dev-{1 + n % 2}", "n": n} for n in numbers], **beside})


def send(broker, *payloads):
    for payload in payloads:
        broker.publish("stations/roof/up", payload)


def stored(database, n):
    database.wait_for("SELECT count(*) FROM telemetry", n)
    assert [row[0] for row in database.rows(STORED)] == list(range(n))


def balanced(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    wait_until(lambda: gateway.database.value("SELECT checked_seq = seq FROM journal_positions"), "the books to be compared", timeout=90)
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert gateway.cli("journal", "verify").returncode == 0


def test_each_is_a_row_and_a_frame_with_its_own_number(make_gateway, broker, database, viewer):
    gateway = started(make_gateway)
    watching = viewer(f"/ws/dashboard/{gateway.ids['dev-1']}", "root")
    send(broker, message(range(5)), message(range(5, 8)))
    stored(database, 8)
    assert [row[1] for row in database.rows(STORED)] == [0, 1, 2, 3, 4, 0, 1, 2]
    assert database.value("SELECT count(DISTINCT seq) FROM telemetry") == 8
    seqs = [row[0] for row in database.rows("SELECT seq FROM telemetry ORDER BY seq")]
    assert [seq - seqs[0] for seq in seqs] == list(range(8))
    assert [json.loads(watching.next())["n"] for _ in range(4)] == [0, 2, 4, 6]
    assert {row[0] for row in database.rows("SELECT payload->>'serial' FROM telemetry")} == {"S1"}
    assert gateway.metric("tidegate_received_total", door="mqtt") == 8
    balanced(gateway)


def test_a_bad_one_is_a_letter_of_its_own_and_comes_back_alone(make_gateway, broker, database):
    gateway = started(make_gateway)
    good = {"id": "dev-1"}
    send(broker, json.dumps({"serial": "S1", "readings": [{**good, "n": 0}, {"n": 1}, None, {**good, "n": 2}], "x": 1}))
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert database.rows(STORED) == [(0, 0), (2, 3)]
    assert gateway.metric("tidegate_ignored_total") == 1
    reason, element, payload = database.rows("SELECT reason, element, convert_from(payload, 'UTF8') FROM dead_letters")[0]
    assert (reason, element) == ("unknown_device", 2)
    assert json.loads(payload) == {"serial": "S1", "readings": [{"n": 1}], "x": 1}
    gateway.routes = EACH.replace("device = /id", "device = /id or 'dev-2'")
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log(), "the reload")
    assert gateway.cli("dead-letters", "replay", "--reason", "unknown_device").stdout.strip() == "replayed 1"
    assert sorted(database.rows(STORED)) == [(0, 0), (1, 1), (2, 3)]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(gateway)


@pytest.mark.parametrize("payload, reason, detail", [
    ('{"readings":{}}', "wrong_type", "/readings: not an array: {...}"),
    ('{}', "missing_member", "/readings: missing"),
    (message(range(4)), "too_large", "/readings: 4 elements, each_max allows 3"),
    ('{"readings":[', "bad_json", None)])
def test_what_cannot_be_taken_apart_is_one_letter_and_comes_back_as_all_of_it(
        make_gateway, broker, database, payload, reason, detail):
    gateway = started(make_gateway, EACH.replace("each =", "each_max = 3\neach ="))
    send(broker, payload)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    said = database.rows("SELECT reason, detail, element, convert_from(payload, 'UTF8') FROM dead_letters")[0]
    assert said[0] == reason and said[2:] == (None, payload) and said[1] == (detail or said[1])
    if reason == "too_large":
        gateway.routes = EACH
        gateway.write_conf()
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in gateway.log(), "the reload")
        assert gateway.cli("dead-letters", "replay", "--reason", reason).stdout.strip() == "replayed 1"
        stored(database, 4)
        assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(gateway)


def test_what_stands_beside_is_not_stored_for_each_letter(make_gateway, broker, database):
    """A name as long as the message may be, and as many elements that are letters."""
    gateway = started(make_gateway, EACH.replace("each =", "each_max = 4096\neach ="))
    send(broker, json.dumps({"x" * 200000: 1, "readings": [1] * 4096}), message([0]))
    stored(database, 1)
    database.wait_for("SELECT count(*) FROM dead_letters", 4096)
    assert database.value("SELECT sum(length(payload)) FROM dead_letters") == 4096 * len('{"readings":[1]}')
    balanced(gateway)


def test_an_empty_array_leaves_nothing(make_gateway, broker, database):
    gateway = started(make_gateway)
    send(broker, message([]), message([0]))
    stored(database, 1)
    assert gateway.metric("tidegate_ignored_total") == 1
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(gateway)


def test_killed_between_two_of_them_each_is_stored_once(make_gateway, broker, database):
    gateway = started(make_gateway, database__max_batch=16)
    for at in range(0, 2000, 500):
        send(broker, message(range(at, at + 500)))
        wait_until(lambda at=at: database.value("SELECT count(*) FROM telemetry") > at, "some of it to be stored", step=0.001)
        gateway.kill()
        gateway.start()
    stored(database, 2000)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(gateway)


def test_a_reload_reads_what_waits_as_it_was_accepted(make_gateway, broker, database, postgres):
    gateway = started(make_gateway)
    postgres.stop()
    send(broker, message(range(5)))
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 5, "it to be in the journal")
    gateway.routes = STATION + "auto_register = on\n[map station]\ndevice = 'dev-1'\n"
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log(), "the reload")
    postgres.start()
    database.wait_for("SELECT count(*) FROM telemetry", 5)
    stored(database, 5)
    send(broker, '{"whole":[1]}')
    database.wait_for("SELECT count(*) FROM telemetry", 6)
    assert database.value("SELECT payload->'whole' FROM telemetry ORDER BY seq DESC LIMIT 1") == [1]
    gateway.routes = EACH
    gateway.write_conf()
    gateway.terminate()
    gateway.start()
    send(broker, message(range(5, 7)))
    database.wait_for("SELECT count(*) FROM telemetry", 8)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    balanced(gateway)


def test_an_older_database_gets_those_that_it_lacks(make_gateway, broker, database, postgres):
    gateway = started(make_gateway, database__max_batch=4)
    send(broker, message(range(30)))
    stored(database, 30)
    backup = Backup(postgres, database)
    send(broker, message(range(30, 60)), message(range(60, 70)))
    stored(database, 70)
    backup.restore()
    stored(database, 70)
    send(broker, message([70]))
    stored(database, 71)
    assert "database_older position=" in gateway.log()
    balanced(gateway)


def test_what_was_deleted_of_them_is_found_and_stored_again(make_gateway, broker, database):
    gateway = started(make_gateway)
    send(broker, message(range(10)), json.dumps({"readings": [5, {"id": "dev-1", "n": 10}]}))
    stored(database, 11)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    balanced(gateway)
    gateway.terminate()
    database.rows("DELETE FROM telemetry WHERE (payload->>'n')::int IN (3, 4, 10)")
    found = gateway.cli("journal", "verify", check=False)
    assert found.returncode == 1 and "missing 3\n" in found.stdout, found.stdout
    assert "stored 3\n" in gateway.cli("journal", "verify", "--store").stdout
    stored(database, 11)
    assert "missing 0" in gateway.cli("journal", "verify").stdout


def test_what_was_deleted_is_found_by_the_routes_of_then(make_gateway, broker, database):
    gateway = started(make_gateway)
    send(broker, message(range(3)))
    stored(database, 3)
    gateway.terminate()
    gateway.routes = ""
    gateway.write_conf()
    database.rows("DELETE FROM telemetry")
    assert "stored 3\n" in gateway.cli("journal", "verify", "--store").stdout
    stored(database, 3)


def test_a_redelivery_is_one_of_all_of_them(make_gateway, scripted_broker, database):
    def link():
        return scripted_broker.link(scripted_broker.seen("SUBSCRIBE")[-1].link.client_id)

    gateway = started(make_gateway, broker=scripted_broker, mqtt__canary="0")
    old = link()
    old.publish("stations/roof/up", message(range(3)), packet_id=7)
    stored(database, 3)
    gateway.kill()
    wait_until(lambda: not old.is_open, "the end of the connection")
    gateway.start()
    new = scripted_broker.link(old.client_id)
    new.publish("stations/roof/up", message(range(3)), packet_id=7, dup=True)
    new.publish("stations/roof/up", message(range(3, 5)), packet_id=8)
    stored(database, 5)
    assert gateway.metric("tidegate_duplicate_total") == 3
    balanced(gateway)


def test_route_test_prints_each_row(make_gateway):
    gateway = make_gateway()
    gateway.routes = EACH
    gateway.write_conf()
    said = gateway.cli("route", "test", "--json", "stations/roof/up", '{"serial":"S","readings":[{"id":"a","n":1},null,7]}', check=False)
    assert said.returncode == 1
    elements = json.loads(said.stdout)["elements"]
    assert [(e.get("index"), e["result"]) for e in elements] == [(0, "row"), (None, "ignored"), (2, "dead_letter")]
