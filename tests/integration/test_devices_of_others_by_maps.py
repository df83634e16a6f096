"""Devices that know nothing of us: a few lines of configuration make rows and frames of what they publish."""
import base64
import json
import signal

import owntracks
from conftest import populate
from waiting import wait_until

ROUTES = """
[route zigbee]
topic = zigbee2mqtt/{device...}
ignore = zigbee2mqtt/bridge/#, zigbee2mqtt/+/availability
kind = telemetry
auto_register = on
[map zigbee]
time = /last_seen
battery_voltage = /battery_mv | scale 0.001
""" + owntracks.ROUTES + """\
[route frigate]
topic = frigate/{device}/{field}
decode = number
kind = telemetry
[map frigate]
{field} = /
"""


def started(make_gateway, routes=ROUTES, **settings):
    gateway = make_gateway(**settings)
    gateway.routes = routes
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    return gateway


def telemetry(database):
    return [(code, json.loads(payload)) for code, payload in database.rows(
        "SELECT code, payload::text FROM telemetry t JOIN devices d ON d.id = t.device_id ORDER BY seq")]


def settled(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_the_letter_of_a_number_says_why_it_registers_no_device(make_gateway, broker, database):
    gateway = started(make_gateway)
    broker.publish("zigbee2mqtt/4711", '{"v":1}')
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    reason, detail = database.rows("SELECT reason, detail FROM dead_letters")[0]
    assert (reason, "a number registers no device" in detail) == ("unknown_device", True), detail
    settled(gateway)


def test_a_device_with_slashes_in_its_name_registers_itself(make_gateway, broker, database, viewer):
    gateway = started(make_gateway)
    broker.publish("zigbee2mqtt/attic/lamp", '{"battery_mv":3050,"n":89490200001234567890}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    expected = {"battery_mv": 3050, "n": 89490200001234567890, "battery_voltage": 3.05}
    assert telemetry(database) == [("attic/lamp", expected)]
    number = database.value("SELECT id FROM devices WHERE code = 'attic/lamp'")
    watching = viewer(f"/ws/dashboard/{number}", "root")
    assert json.loads(watching.next()) == expected
    broker.publish("zigbee2mqtt/attic/lamp", '{"battery_mv":3000}')
    assert json.loads(watching.next()) == {"battery_mv": 3000, "battery_voltage": 3}
    settled(gateway)


def test_topics_that_are_not_wanted_are_counted_and_leave_nothing(make_gateway, broker, database):
    gateway = started(make_gateway)
    broker.publish("zigbee2mqtt/bridge/state", "online")
    broker.publish("zigbee2mqtt/bridge/devices", "[]")
    broker.publish("zigbee2mqtt/lamp/availability", "no json at all")
    broker.publish("zigbee2mqtt/lamp", '{"v":1}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    settled(gateway)
    assert gateway.metric("tidegate_ignored_total") == 3
    assert database.rows("SELECT topic, reason FROM dead_letters") == []


def test_two_routes_share_a_topic_by_what_is_in_it(make_gateway, broker, database):
    gateway = started(make_gateway)
    broker.publish("owntracks/ana/dev-1", '{"_type":"location","lat":48.5,"lon":"11.5"}')
    state = ("SELECT status, latitude, longitude FROM device_states s"
             " JOIN devices d ON d.id = s.device_id WHERE code = 'dev-1'")
    wait_until(lambda: database.rows(state) == [("online", 48.5, 11.5)], "the place")
    broker.publish("owntracks/ana/dev-1", '{"_type":"lwt","tst":1}')
    wait_until(lambda: database.rows(state) == [("offline", 48.5, 11.5)], "the last will")
    broker.publish("owntracks/ana/dev-1", '{"_type":"card"}')
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.value("SELECT reason FROM dead_letters") == "no_route"
    broker.publish("owntracks/ben/dev-1", '{"_type":"lwt"}')  # another's
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'wrong_owner'", 1)
    settled(gateway)


def test_a_bare_number_becomes_a_member_named_by_its_topic(make_gateway, broker, database):
    gateway = started(make_gateway)
    broker.publish("frigate/dev-1/person", "2")
    broker.publish("frigate/dev-1/car", "many")
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert telemetry(database) == [("dev-1", {"person": 2})]
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.rows("SELECT reason, detail, route FROM dead_letters") == [
        ("wrong_type", "not a number: many", "frigate")]
    settled(gateway)


def test_binary_payloads_are_read_as_what_they_are(make_gateway, broker, database):
    gateway = started(make_gateway, """
[route packed]
topic = packed/{device}
decode = cbor
kind = telemetry
[map packed]
temperature = /t | round 1
[route wrapped]
topic = wrapped/{device}
decode = base64+cbor
kind = telemetry
""")
    item = bytes.fromhex("a26174fa41aa6666616e00")  # {"t":21.3,"n":0}: it ends with a zero
    broker.publish("packed/dev-1", item)
    broker.publish("wrapped/dev-1", base64.b64encode(item))
    broker.publish("packed/dev-1", item[:-1])
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert telemetry(database) == [("dev-1", {"t": 21.3, "n": 0, "temperature": 21.3}),
                                   ("dev-1", {"t": 21.3, "n": 0})]
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.value("SELECT detail FROM dead_letters").startswith("CBOR that is cut: ")
    settled(gateway)


def test_what_waits_is_read_by_the_map_that_it_was_accepted_under(make_gateway, broker, database,
                                                                  postgres):
    gateway = started(make_gateway)
    postgres.stop()
    for n in range(10):
        broker.publish("frigate/dev-1/person", str(n))
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 10, "all to be in the journal")
    gateway.routes = ""
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log(), "the reload")
    gateway.kill()  # and the next process knows the old map, too
    gateway.start(wait=False)
    postgres.start()
    gateway.wait_ready()
    database.wait_for("SELECT count(*) FROM telemetry", 10)
    assert [v for _, v in telemetry(database)] == [{"person": n} for n in range(10)]
    assert database.rows("SELECT topic, reason FROM dead_letters") == []
    settled(gateway)


def test_a_reload_changes_a_map(make_gateway, broker, database):
    gateway = started(make_gateway)
    broker.publish("frigate/dev-1/person", "1")
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    gateway.routes = ROUTES.replace("{field} = /", "count = / | scale 10")
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reloaded" in gateway.log(), "the reload")
    broker.publish("frigate/dev-1/person", "2")
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    assert [v for _, v in telemetry(database)] == [{"person": 1}, {"count": 20}]


def test_lines_come_from_the_environment_and_the_command_line_as_well(make_gateway):
    gateway = make_gateway()
    gateway.routes = "[route room]\ntopic = room/{device}\nkind = telemetry\n"
    gateway.write_conf()
    said = gateway.cli("check-config", "--set", "map.room.data.x=/y | number",
                       "--set", "route.room.keep=named",
                       shell='TIDEGATE_MAP_ROOM_TIME=/t TIDEGATE_ROUTE_ROOM_WHEN=/t exec "$@"').stdout
    for line in ("map room.time = /t", "map room.data.x = /y | number", "route room.keep = named",
                 "route room.when = /t"):
        assert line in said.splitlines(), said
