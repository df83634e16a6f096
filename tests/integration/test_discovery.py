"""Devices that announce themselves: kind = discovery.

tests/discovery/NAME.json is what a project announces and publishes: `announcements` (topic, payload: retained),
`messages` (as in tests/profiles), and `not_taken` (why something of it is refused).
"""
import datetime
import json
import pathlib
import signal
import threading

import pytest

from conftest import populate
from test_native_protocol import Native
from test_profiles_of_devices import PUSHES, TABLES, check_row, is_push
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECTS = sorted(path.stem for path in (ROOT / "tests/discovery").glob("*.json"))
ROUTES = ("[route ha]\ntopic = homeassistant/#\nkind = discovery\n"
          "[route tasmota]\ntopic = tasmota/discovery/#\nkind = discovery\n")


def announce(broker, topic, payload):
    broker.publish(topic, json.dumps(payload) if payload else "", retain=True)


def entity(topic, device, **more):
    return {"state_topic": topic, "device": {"identifiers": [device]}, **more}


def told(gateway):
    return json.loads(gateway.cli("route", "discovered", "--json").stdout)


def subscribed(gateway, broker, database, name="probe"):
    """What was announced before is in force: an announcement after it, the last to be subscribed, is."""
    announce(broker, f"homeassistant/sensor/{name}/config", entity(f"probe/{name}", name))

    def is_stored():
        broker.publish(f"probe/{name}", "1")
        return database.value("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id"
                              " WHERE d.code = %s", name)

    wait_until(is_stored, "what was announced to be subscribed")
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")


def started(make_gateway, routes=ROUTES, **changes):
    gateway = make_gateway(**changes)
    gateway.routes = routes
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    return gateway


@pytest.mark.parametrize("name", PROJECTS)
def test_what_a_project_announces_is_stored(make_gateway, broker, database, name):
    project = json.loads((ROOT / f"tests/discovery/{name}.json").read_text("utf-8"))
    assert project["about"]
    for one in project["announcements"]:
        announce(broker, one["topic"], one["payload"])
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    root = Native(gateway, gateway.token("root"))
    assert root.ask("subscribe", to=["device/*"])["ok"]
    n_before = gateway.metric("tidegate_received_total", door="mqtt")
    for one in project["messages"]:
        broker.publish(one["topic"], one["payload"])
    wait_until(lambda: gateway.metric("tidegate_received_total", door="mqtt") >= n_before + len(project["messages"])
               and gateway.metric("tidegate_in_journal") == 0, "all to be taken")
    assert database.rows("SELECT topic, reason, detail FROM dead_letters") == []
    seen, now = {}, datetime.datetime.now(datetime.timezone.utc)
    for one in project["messages"]:
        thing = (one["kind"], one["device"])
        check_row(database, one, seen.get(thing, 0), now)
        seen[thing] = seen.get(thing, 0) + 1
        push = root.push(*(PUSHES.get(kind, kind) for kind in TABLES))
        assert is_push(push, one, database.value("SELECT id FROM devices WHERE code = %s", one["device"]))
    assert sorted({one["why"] for one in told(gateway)["not_taken"]}) == sorted(project["not_taken"])
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_eight_projects_are_known():
    assert len(PROJECTS) >= 8


def test_a_c_string_and_an_editors_mark_are_announcements_too(make_gateway, broker, database):
    one, two = (json.dumps(entity(f"room/{name}", name)).encode() for name in ("one", "two"))
    broker.publish("homeassistant/sensor/one/config", one + b"\0", retain=True)
    broker.publish("homeassistant/sensor/two/config", b"\xef\xbb\xbf" + two, retain=True)
    broker.publish("homeassistant/sensor/bad/config", b"{\xff", retain=True)
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    for name in ("one", "two"):
        broker.publish(f"room/{name}", "1")
        database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id"
                          f" WHERE code = '{name}'", 1)
    assert [(one["config"], one["why"]) for one in told(gateway)["not_taken"]] == [
        ("homeassistant/sensor/bad/config", "not JSON")]


def test_who_takes_it_back_is_heard_no_more(make_gateway, broker, database):
    announce(broker, "homeassistant/sensor/one/config", entity("room/one", "one"))
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    broker.publish("room/one", "1")
    database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = 'one'", 1)
    announce(broker, "homeassistant/sensor/one/config", None)
    wait_until(lambda: gateway.metric("tidegate_discovered_points") == 1, "it to be taken back")
    subscribed(gateway, broker, database, "later")
    broker.publish("room/one", "2")
    broker.publish("probe/later", "last")
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'later' = 'last'", 1)
    assert database.value("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id"
                          " WHERE d.code = 'one'") == 1
    assert database.rows("SELECT topic FROM dead_letters") == []


def test_it_is_there_from_the_start_after_a_restart(make_gateway, broker, database):
    announce(broker, "homeassistant/sensor/one/config", entity("room/one", "one"))
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    gateway.stop()
    broker.publish("room/one", "kept")  # by the broker, for our session
    gateway.start()
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'one' = 'kept'", 1)
    assert database.rows("SELECT topic FROM dead_letters") == []
    assert told(gateway)["devices"] == 2


def plug(zone):
    return ("[route tasmota]\ntopic = tasmota/discovery/#\nkind = discovery\n" + zone
            + "[route ha]\ntopic = homeassistant/#\nkind = discovery\n")


@pytest.mark.parametrize("zone, is_its_own", [("timezone = +05:30\n", True), ("", False)])
def test_a_tasmota_says_when_where_its_zone_is_known(make_gateway, broker, database, zone, is_its_own):
    announce(broker, "tasmota/discovery/0200000000B1/config", {
        "t": "plug", "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "rl": [1]})
    gateway = started(make_gateway, plug(zone))
    subscribed(gateway, broker, database)
    said = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(minutes=5)
    local = said.astimezone(datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    broker.publish("tele/plug/STATE", json.dumps({"Time": local.strftime("%Y-%m-%dT%H:%M:%S"), "POWER": "ON"}))
    of_plug = "FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = 'tasmota_0200000000B1'"
    database.wait_for(f"SELECT count(*) {of_plug}", 1)
    assert (database.value(f"SELECT t.time {of_plug}") == said) == is_its_own


def test_a_device_is_called_what_it_announced(make_gateway, broker, database):
    """Unless somebody chose another name: decision 051."""
    def called(name, area):
        device = {"identifiers": ["one"], "name": name, "suggested_area": area}
        announce(broker, "homeassistant/sensor/one/config", {"state_topic": "room/one", "device": device})

    def is_called(name, location):
        broker.publish("room/one", "1")
        return database.rows("SELECT name, location FROM devices WHERE code = 'one'") == [(name, location)]

    called("Attic", "Roof")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    wait_until(lambda: is_called("Attic", "Roof"), "the name that was announced")
    called("Loft", "Roof")
    wait_until(lambda: is_called("Loft", "Roof"), "the name that was announced since")
    database.rows("UPDATE devices SET name = 'Mine' WHERE code = 'one'")
    called("Garret", "Gable")
    wait_until(lambda: is_called("Mine", "Gable"), "the place alone to follow")
    assert database.value("SELECT said_name FROM devices WHERE code = 'one'") == "Garret"


def test_what_a_device_is_stands_with_it(make_gateway, broker, database):
    def is_said(**said):
        announce(broker, "homeassistant/sensor/one/config",
                 {"state_topic": "room/one", "device": {"identifiers": ["one"]} | said})

    def seen(*members):
        broker.publish("room/one", "1")
        answer = gateway.get("/api/devices/one", "root")
        return answer.status_code == 200 and tuple(answer.json()[member] for member in members)

    what = ("manufacturer", "model", "firmware_version")
    is_said(manufacturer="IKEA", model="TRADFRI", sw_version="2.0.1")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    wait_until(lambda: seen(*what) == ("IKEA", "TRADFRI", "2.0.1"), "what was announced")
    is_said(manufacturer="IKEA", model="STYRBAR", sw_version="2.1")
    wait_until(lambda: seen(*what) == ("IKEA", "STYRBAR", "2.1"), "what was announced since")
    database.rows("UPDATE devices SET firmware_version = '9' WHERE code = 'one'")
    is_said(model="x" * 300, sw_version="2.2")  # too long is not said, and nothing is taken away
    wait_until(lambda: seen("firmware_version") == ("9",) and database.value(
        "SELECT said_firmware FROM devices WHERE code = 'one'") == "2.2", "the firmware to be said")
    assert seen(*what) == ("IKEA", "STYRBAR", "9")


@pytest.mark.parametrize("name", ["x" * 300, "a\u0000b", "", 7, ["Attic"]])
def test_an_odd_name_costs_itself(make_gateway, broker, database, name):
    announce(broker, "homeassistant/sensor/one/config",
             {"state_topic": "room/one", "device": {"identifiers": ["one"], "name": name}})
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    broker.publish("room/one", "1")
    database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = 'one'", 1)
    assert database.value("SELECT name FROM devices WHERE code = 'one'") == ("7" if name == 7 else None)


def test_what_was_taken_back_while_we_were_away_is_marked(make_gateway, broker, database):
    for name in ("one", "two"):
        announce(broker, f"homeassistant/sensor/{name}/config", entity(f"room/{name}", name))
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)

    def missing():
        return [one["device"] for one in told(gateway)["discovered"] if any(at["missing"] for at in one["points"])]

    assert missing() == []
    gateway.stop()
    announce(broker, "homeassistant/sensor/one/config", None)
    gateway.start()
    wait_until(lambda: missing() == ["one"], "what did not come again to be marked")
    assert "(not announced any more)" in gateway.cli("route", "discovered").stdout
    broker.publish("room/one", "still")  # a broker that forgets is no reason to stop storing
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'one' = 'still'", 1)
    announce(broker, "homeassistant/sensor/one/config", entity("room/one", "one"))
    wait_until(lambda: missing() == [], "it to be announced again")


def test_another_node_knows_the_routes_before_their_messages(make_gateway, broker, database):
    """What the broker has queued waits until what is announced was heard."""
    for n in range(20):
        announce(broker, f"homeassistant/sensor/n{n}/config", entity(f"room/{n}", f"n{n}"))
    first = started(make_gateway, cluster__lease="2s")
    subscribed(first, broker, database)
    first.terminate()
    for n in range(20):
        broker.publish(f"room/{n}", "kept")
    second = make_gateway(cluster__lease="2s")
    second.routes = ROUTES
    second.write_conf()
    second.start()
    database.wait_for("SELECT count(DISTINCT device_id) FROM telemetry WHERE payload::text LIKE '%kept%'", 20)
    assert database.rows("SELECT topic FROM dead_letters") == []
    assert "mqtt_held " in second.log() and "mqtt_held_in_vain" not in second.log()


def tell_slowly(broker, say, n_devices):
    """Two seconds in all, from when the second node listens: longer than news are waited for."""
    wait_until(lambda: (broker.folder / "log").read_text().count("-discover (") == 2, "the second to listen")
    for n in range(1, n_devices):
        threading.Event().wait(0.05)
        say(n)


def test_another_node_waits_for_the_last_that_is_announced(make_gateway, broker, database, publisher):
    """A broker that takes its time to tell what it has retained is heard out."""
    n_devices = 40

    def say(n, is_there=True):
        message = json.dumps(entity(f"room/{n}", f"n{n}")) if is_there else ""
        publisher.client.publish(f"homeassistant/sensor/n{n}/config", message, qos=1, retain=True)

    for n in range(n_devices):
        say(n)
    first = started(make_gateway, cluster__lease="2s")
    wait_until(lambda: first.metric("tidegate_discovered_points") == n_devices, "all of them")
    subscribed(first, broker, database)
    first.terminate()
    for n in range(n_devices):
        publisher.publish(f"room/{n}", "kept")
        say(n, is_there=n == 0)
    second = make_gateway(cluster__lease="2s")
    second.routes = ROUTES
    second.write_conf()
    teller = threading.Thread(target=tell_slowly, args=(broker, say, n_devices))
    teller.start()
    second.start()
    teller.join()
    database.wait_for("SELECT count(DISTINCT device_id) FROM telemetry WHERE payload::text LIKE '%kept%'",
                      n_devices)
    assert database.rows("SELECT topic FROM dead_letters") == []


def test_another_node_does_not_wait_for_announcements_that_there_are_not(make_gateway, broker, database):
    first = started(make_gateway, cluster__lease="2s")
    wait_until(lambda: first.metric("tidegate_mqtt_connected") == 1, "the first to be there")
    first.terminate()
    second = make_gateway(cluster__lease="2s")
    second.routes = ROUTES
    second.write_conf()
    second.start()
    wait_until(lambda: second.metric("tidegate_mqtt_connected") == 1, "the second to be there")
    assert "mqtt_held_in_vain" not in second.log()


def test_own_routes_come_first(make_gateway, broker, database):
    announce(broker, "homeassistant/sensor/one/config", entity("room/one", "one"))
    own = "[route own]\ntopic = room/{device}\nkind = telemetry\ndecode = number\nauto_register = on\n"
    gateway = started(make_gateway, ROUTES)
    subscribed(gateway, broker, database)
    assert gateway.metric("tidegate_discovered_points") == 2
    gateway.routes = ROUTES + own
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.metric("tidegate_discovered_points") == 1, "the reload")
    broker.publish("room/one", "21.5")
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'value' = '21.5'", 1)
    assert database.value("SELECT count(*) FROM telemetry WHERE jsonb_exists(payload::jsonb, 'one')") == 0
    assert [(one["why"], one["text"]) for one in told(gateway)["not_taken"]] == [
        ("a topic that a route has", "room/one")]


def test_without_a_route_of_discovery_nobody_listens(make_gateway, broker, database):
    announce(broker, "homeassistant/sensor/one/config", entity("room/one", "one"))
    gateway = started(make_gateway, "")
    broker.publish("room/one", "1")
    assert "mqtt_discovery" not in gateway.log()
    done = gateway.cli("route", "discovered", check=False)
    assert done.returncode == 1 and "no route has kind = discovery" in done.stderr


def test_what_any_gateway_hears_is_of_its_sensor(make_gateway, broker, database):
    """As OpenMQTTGateway announces it (createDiscovery of its mqttDiscovery): `+/+` for place and gateway."""
    for name, unit in (("tempc", "°C"), ("hum", "%")):
        announce(broker, f"homeassistant/sensor/A4C138000001-{name}/config", {
            "stat_t": "+/+/BTtoMQTT/A4C138000001", "name": f"LYWSD03MMC-{name}", "unit_of_meas": unit,
            "uniq_id": f"A4C138000001-{name}", "val_tpl": "{{ value_json.%s | is_defined }}" % name,
            "device": {"ids": ["A4C138000001"], "cns": [["mac", "A4C138000001"]], "name": "LYWSD03MMC-000001",
                       "mdl": "LYWSD03MMC", "via_device": "OMG_attic"}})
    gateway = started(make_gateway, "[route ha]\ntopic = homeassistant/#\nkind = discovery\nallow = +/+/BTtoMQTT/#, probe/#\n")
    subscribed(gateway, broker, database)
    for by, tempc in (("OMG_attic", 21.3), ("OMG_cellar", 21.4)):
        broker.publish(f"home/{by}/BTtoMQTT/A4C138000001", json.dumps({"id": "A4:C1:38:00:00:01", "rssi": -71, "tempc": tempc, "hum": 41}))
    broker.publish("home/OMG_attic/BTtoMQTT/A4C138000002", '{"tempc":7}')
    of_sensor = "FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = 'A4C138000001'"
    database.wait_for(f"SELECT count(*) {of_sensor}", 2)
    assert [json.loads(row) for (row,) in database.rows(f"SELECT payload::text {of_sensor} ORDER BY seq")] == [
        {"tempc": 21.3, "hum": 41}, {"tempc": 21.4, "hum": 41}]
    assert told(gateway)["not_taken"] == [] and database.rows("SELECT topic FROM dead_letters") == []


def test_devices_and_points_are_bounded(make_gateway, broker, database):
    routes = "[route ha]\ntopic = homeassistant/#\nkind = discovery\nmax_devices = 2\nmax_points = 3\n"
    for n in range(5):
        announce(broker, f"homeassistant/sensor/many/p{n}/config", entity(f"room/p{n}", "many"))
    gateway = started(make_gateway, routes)
    wait_until(lambda: gateway.metric("tidegate_discovered_points") == 3, "the points")
    announce(broker, "homeassistant/sensor/two/config", entity("room/two", "two"))
    announce(broker, "homeassistant/sensor/three/config", entity("room/three", "three"))
    wait_until(lambda: gateway.metric("tidegate_discovered_refused") == 3, "the third device")
    assert sorted(one["why"] for one in told(gateway)["not_taken"]) == [
        "more devices than max_devices", *["more points of a device than max_points"] * 2]


HOSTILE = ["#", "+/status", "$SYS/broker/clients/total", "$share/all/users/#", "a" * 65000, "room/{user}/x", "",
           "tidegate/canary/x", "homeassistant/#", "users/eve/private"]


def test_hostile_announcements_open_nothing(make_gateway, broker, database):
    routes = "[route ha]\ntopic = homeassistant/#\nkind = discovery\nallow = room/#, probe/#\n"
    for n, topic in enumerate(HOSTILE):
        announce(broker, f"homeassistant/sensor/evil{n}/config", entity(topic, "evil"))
    announce(broker, "homeassistant/sensor/name/config", entity("room/name", "x" * 300))
    announce(broker, "homeassistant/sensor/quote/config", entity("room/quote", "it's"))
    announce(broker, "homeassistant/sensor/huge/config", entity("room/huge", "huge", name="n" * 300000))
    announce(broker, "homeassistant/sensor/deep/config", {"device": [[[[]]]], "~": {}, "state_topic": "~~"})
    broker.publish("homeassistant/sensor/bytes/config", b"\xff\x00{", retain=True)
    gateway = started(make_gateway, routes)
    subscribed(gateway, broker, database)
    for topic in ("users/eve/private", "room/quote", "room/huge", "x/status"):
        broker.publish(topic, "1")
    broker.publish("probe/probe", "last")
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'probe' = 'last'", 1)
    assert database.value("SELECT count(DISTINCT device_id) FROM telemetry") == 1
    assert database.rows("SELECT topic FROM dead_letters") == []
    assert gateway.metric("tidegate_discovery_bounded_total") == 1  # huge
    assert ("homeassistant/sensor/bytes/config", "not JSON") in {
        (one["config"], one["why"]) for one in told(gateway)["not_taken"]}
    assert 0 < gateway.metric("tidegate_discovery_bytes") < gateway.metric("tidegate_limit", of="announced_bytes") == 64 << 20
    assert gateway.metric("tidegate_discovered_points") == 1


def test_what_a_pattern_brings_beside_is_left(make_gateway, broker, database):
    """Many topics are few subscriptions: what those bring and nobody announced is no dead letter."""
    for n in range(100):
        announce(broker, f"homeassistant/sensor/n{n}/config", entity(f"room/{n}/temperature", f"dev-{n}"))
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    assert "patterns=2" in [line for line in gateway.log().splitlines() if " discovered " in line][-1]
    broker.publish("room/stranger/temperature", "1")
    broker.publish("room/7/temperature", "21.5")
    database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = 'dev-7'", 1)
    assert database.rows("SELECT topic FROM dead_letters") == []
    assert gateway.metric("tidegate_mqtt_unwanted_total") == 1


def test_admins_are_told(make_gateway, broker, database):
    announce(broker, "homeassistant/sensor/one/config",
             entity("room/one", "one", unit_of_measurement="W", value_template="{{ value | int * 2 }}"))
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    path = "/api/routes/discovered"
    assert gateway.get(path).status_code == 401
    assert gateway.get(path, "ana").status_code == 403
    answer = gateway.get(path, "root").json()
    assert [one["device"] for one in answer["discovered"]] == ["one", "probe"]
    assert [(one["name"], one["text"]) for one in answer["not_taken"]] == [("one", "{{ value | int * 2 }}")]
    text = gateway.cli("route", "discovered").stdout
    assert "{{ value | int * 2 }}" in text and "probe/probe" in text
