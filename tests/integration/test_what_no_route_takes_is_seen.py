"""mqtt.explore: what no route takes is counted and shown, and leaves no row, no letter and nothing in the journal."""
import json
import signal

import pytest

from conftest import populate
from waiting import wait_until

ROUTE = "[route room]\ntopic = room/{device}/known\nkind = telemetry\nignore = room/+/known/no\n"


def reload(gateway, **changes):
    before = gateway.log().count(" reloaded")
    gateway.write_conf(**changes)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log().count(" reloaded") > before, "the reload")


def explores(gateway, n=1):
    wait_until(lambda: gateway.log().count("mqtt_explore_connected") >= n, "the explorer to be there")


def hears(gateway, broker, topic="probe/me"):
    """Its subscription is in force: what is published from now on comes."""
    def is_heard():
        broker.publish(topic, "x")
        return gateway.metric("tidegate_explored_total") > 0

    wait_until(is_heard, "the explorer to hear")


def nothing_is_left(gateway, database, n_rows):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert database.value("SELECT count(*) FROM telemetry") == n_rows
    assert database.rows("SELECT topic, reason FROM dead_letters") == []
    assert gateway.metric("tidegate_received_total", door="mqtt") == n_rows
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_is_counted_and_not_stored(make_gateway, broker, database, version):
    gateway = make_gateway(mqtt__version=version, mqtt__explore="#, room/+/known")
    gateway.routes = ROUTE
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    hears(gateway, broker)
    before = gateway.metric("tidegate_explored_total")
    for n in range(20):
        broker.publish("room/dev-1/known", '{"n":%d}' % n)
        broker.publish(f"room/dev-1/other{n}", '{"n":%d}' % n)
    wait_until(lambda: gateway.metric("tidegate_explored_total") == before + 20, "what no route takes")
    nothing_is_left(gateway, database, 20)
    assert gateway.metric("tidegate_explored_shapes") == 21  # $SYS, which the broker has, is none of them
    assert gateway.metric("tidegate_explored_displaced_total") == 0


def test_of_more_shapes_than_may_be_remembered_the_rarest_give_way(make_gateway, broker):
    gateway = make_gateway(mqtt__explore="#", mqtt__explore_shapes=16)
    gateway.routes = ROUTE
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    assert gateway.metric("tidegate_limit", of="explored_shapes") == 16
    hears(gateway, broker)
    before = gateway.metric("tidegate_explored_total")
    for n in range(40):
        broker.publish(f"room/dev-1/other{n}", "1")
    wait_until(lambda: gateway.metric("tidegate_explored_total") == before + 40, "what no route takes")
    assert gateway.metric("tidegate_explored_shapes") == 16
    assert gateway.metric("tidegate_explored_displaced_total") >= 24


def test_it_is_switched_on_and_off(make_gateway, broker, database):
    gateway = make_gateway()
    gateway.routes = ROUTE
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    broker.publish("what/ever", "1")
    broker.publish("room/dev-1/known", '{"n":1}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert gateway.metric("tidegate_explored_total") == 0
    assert "mqtt_explore" not in gateway.log()

    reload(gateway, mqtt__explore="what/#")
    hears(gateway, broker, "what/ever")
    n_seen = gateway.metric("tidegate_explored_total")
    broker.publish("room/dev-1/known", '{"n":2}')
    broker.publish("else/where", "1")
    broker.publish("what/last", "1")
    wait_until(lambda: gateway.metric("tidegate_explored_total") == n_seen + 1, "the last")

    reload(gateway, mqtt__explore=None)
    wait_until(lambda: not broker_clients(broker, gateway), "the explorer to be gone")
    n_seen = gateway.metric("tidegate_explored_total")
    broker.publish("what/ever", "1")
    broker.publish("room/dev-1/known", '{"n":3}')
    database.wait_for("SELECT count(*) FROM telemetry", 3)
    assert gateway.metric("tidegate_explored_total") == n_seen
    assert gateway.metric("tidegate_explored_shapes") == 0
    nothing_is_left(gateway, database, 3)


def broker_clients(broker, gateway):
    """The explorer's name, for as long as the broker has its connection: from the broker's log."""
    name = next(line.split("client_id=")[1].split()[0] for line in gateway.log().splitlines()
                if "mqtt_explore_connected" in line)
    log = (broker.folder / "log").read_text("utf-8", "replace").splitlines()
    last = [line for line in log if name in line and ("connected" in line or "disconnected" in line)]
    assert last
    return "" if "disconnected" in last[-1] else name


def test_what_a_new_route_takes_is_not_unrouted_any_more(make_gateway, broker, database):
    gateway = make_gateway(mqtt__explore="room/#")
    populate(gateway)
    gateway.start()
    hears(gateway, broker, "room/dev-1/known")
    gateway.routes = ROUTE
    reload(gateway)
    assert gateway.metric("tidegate_explored_shapes") == 0
    n_seen = gateway.metric("tidegate_explored_total")

    def is_stored():
        broker.publish("room/dev-1/known", '{"n":1}')
        return database.value("SELECT count(*) FROM telemetry") > 0

    wait_until(is_stored, "the route")
    broker.publish("room/dev-1/known/no", "1")  # another topic than the route's
    wait_until(lambda: gateway.metric("tidegate_explored_total") == n_seen + 1, "it to be seen")
    assert database.rows("SELECT topic, reason FROM dead_letters") == []


@pytest.mark.parametrize("text", ["a/#/b", "a,,b", "$share/g/a", "a+"])
def test_what_is_no_filter_is_refused(make_gateway, text):
    gateway = make_gateway(mqtt__explore=text)
    done = gateway.cli("check-config", check=False)
    assert done.returncode != 0
    assert "mqtt.explore" in done.stderr


def seen(gateway):
    """What the file says, once there is one."""
    done = gateway.cli("route", "unrouted", "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {"messages": 0, "unrouted": []}


def test_a_route_that_is_suggested_takes_what_it_was_made_of(make_gateway, broker, database):
    gateway = make_gateway(mqtt__explore="#", registry__auto_register="on")
    populate(gateway)
    gateway.start()
    hears(gateway, broker)
    for room in "abcdefgh":
        broker.publish(f"room/{room}/temp", "21.5")
    broker.publish("meter/m0815", '{"kwh":1.5,"state":"on"}')
    wait_until(lambda: len(seen(gateway)["unrouted"]) == 3, "what was seen to be told")
    found = {one["topic"]: one for one in seen(gateway)["unrouted"]}
    assert set(found) == {"room/+/temp", "meter/+", "probe/me"}
    room, meter = found["room/+/temp"], found["meter/+"]
    assert (room["messages"], room["shapes"], room["form"], room["sample"]) == (8, 8, "number", "21.5")
    assert meter["members"] == {"kwh": "number", "state": "string"}
    assert meter["example"] == "meter/m0815"
    text = gateway.cli("route", "unrouted").stdout
    assert "room/+/temp\n  8 messages" in text
    assert "    topic = room/{device}/temp\n" in text

    gateway.routes = room["route"] + meter["route"]
    reload(gateway)

    def is_stored():
        broker.publish("room/kitchen/temp", "22")
        broker.publish("meter/m0816", '{"kwh":2}')
        return {("kitchen", '{"temp":22}'), ("m0816", '{"kwh":2}')} == set(database.rows(
            "SELECT code, payload::text FROM telemetry t JOIN devices d ON d.id = t.device_id"))

    wait_until(is_stored, "the routes that were suggested")
    assert database.rows("SELECT topic, reason, detail FROM dead_letters") == []
    assert "room/" not in "".join(one["topic"] for one in seen(gateway)["unrouted"])


def test_who_explores_nothing_is_told_so(make_gateway):
    gateway = make_gateway()
    done = gateway.cli("route", "unrouted", check=False)
    assert done.returncode == 1 and "mqtt.explore is not set" in done.stderr
    gateway.write_conf(mqtt__explore="#")
    done = gateway.cli("route", "unrouted", check=False)
    assert done.returncode == 1 and "unrouted.json is not there" in done.stderr


def test_admins_are_told_by_http_what_the_command_line_prints(make_gateway, broker, database):
    gateway = make_gateway(mqtt__explore="room/#")
    gateway.routes = ROUTE
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    path = "/api/routes/unrouted"
    assert gateway.get(path).status_code == 401
    for name in ("ana", "ben"):
        assert gateway.get(path, name).status_code == 403
    assert gateway.get(path, "root").json() == {"at": None, "messages": 0, "shapes": 0,
                                                "displaced": 0, "unrouted": []}
    hears(gateway, broker, "room/dev-1/door")
    broker.publish("room/dev-1/state", '{"open":true,"é":"\\u0000"}')
    wait_until(lambda: any(u["form"] == "object" for u in gateway.get(path, "root").json()["unrouted"]),
               "the object to be told")
    told = gateway.get(path, "root").json()
    assert told == json.loads(gateway.cli("route", "unrouted", "--json").stdout)
    assert [u["members"] for u in told["unrouted"] if u["form"] == "object"] == [
        {"open": "bool", "é": "string"}]
    reload(gateway, mqtt__explore="")
    assert gateway.get(path, "root").json()["at"] is None
