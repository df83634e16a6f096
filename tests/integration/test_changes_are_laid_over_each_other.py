"""Devices that say what has changed: rows have what came, and viewers what it comes to, whatever happens between two changes."""
import json
import time

import pytest

from conftest import populate
from waiting import wait_until

SHELLY = "\n[route shelly]\nuse = shelly-gen2\nbase = shelly/\n"
PLUG = "shellyplus1pm-0a1b2c3d4e5f"
DOCUMENT = ("SELECT m.payload::text FROM merged_telemetry m JOIN devices d ON d.id = m.device_id"
            f" WHERE d.code = '{PLUG}'")


def started(make_gateway, routes=SHELLY, **settings):
    gateway = make_gateway(**settings)
    gateway.routes = routes
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    return gateway


def settled(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


class Plug:
    """A Shelly with a switch, by its documentation: the whole when it begins, then what has changed."""

    def __init__(self, broker):
        self.broker = broker
        self.at = int(time.time()) - 60

    def say(self, method, at=None, **components):
        self.at += 1
        params = {"ts": at or self.at, **{name.replace("_", ":"): {"id": 0, **state} for name, state in components.items()}}
        self.broker.publish(f"shelly/{PLUG}/events/rpc", json.dumps(
            {"src": PLUG, "dst": f"{PLUG}/events", "method": method, "params": params}))

    def whole(self):
        self.say("NotifyFullStatus", switch_0={"output": True, "apower": 8.9, "aenergy": {"total": 7, "by_minute": [1, 2, 3]}},
                 temperature_0={"tC": 19.8})

    def changes(self, **state):
        self.say("NotifyStatus", switch_0=state)


@pytest.fixture
def plug(broker):
    return Plug(broker)


def switch(text):
    return json.loads(text)["params"]["switch:0"]


def stored(database):
    return switch(database.value(DOCUMENT))


def wait_stored(database, n):
    database.wait_for("SELECT count(*) FROM telemetry", n)


def shown(viewer, database):
    """What a viewer who comes now is shown first."""
    number = database.value(f"SELECT id FROM devices WHERE code = '{PLUG}'")
    return json.loads(viewer(f"/ws/dashboard/{number}", "root").next())


def test_a_viewer_sees_the_whole_and_history_what_came(make_gateway, plug, database, viewer):
    gateway = started(make_gateway)
    plug.whole()
    wait_stored(database, 1)
    number = database.value(f"SELECT id FROM devices WHERE code = '{PLUG}'")
    watching = viewer(f"/ws/dashboard/{number}", "root")
    assert switch(watching.next())["apower"] == 8.9
    plug.changes(apower=0, output=False)
    seen = json.loads(watching.next())
    assert seen["method"] == "NotifyStatus"
    assert seen["params"]["temperature:0"] == {"id": 0, "tC": 19.8}
    assert seen["params"]["switch:0"] == {"id": 0, "output": False, "apower": 0,
                                          "aenergy": {"total": 7, "by_minute": [1, 2, 3]}}
    assert shown(viewer, database) == seen
    plug.changes(aenergy={"by_minute": [4]}, apower=None)
    assert switch(watching.next()) == {"id": 0, "output": False, "apower": None, "aenergy": {"total": 7, "by_minute": [4]}}
    wait_stored(database, 3)
    rows = [switch(payload) for (payload,) in database.rows("SELECT payload::text FROM telemetry ORDER BY seq OFFSET 1")]
    assert rows == [{"id": 0, "apower": 0, "output": False}, {"id": 0, "aenergy": {"by_minute": [4]}, "apower": None}]
    assert gateway.metric("tidegate_merged_documents") == 1
    settled(gateway)


def test_what_another_route_says_takes_the_place_of_nothing(make_gateway, plug, broker, database, viewer):
    button = "\n[route button]\ntopic = shelly/{device}/button\nkind = telemetry\ndecode = number\n"
    gateway = started(make_gateway, SHELLY + button)
    plug.whole()
    wait_stored(database, 1)
    whole = shown(viewer, database)
    number = database.value(f"SELECT id FROM devices WHERE code = '{PLUG}'")
    watching = viewer(f"/ws/dashboard/{number}", "root")
    watching.next()
    broker.publish(f"shelly/{PLUG}/button", "3")
    assert json.loads(watching.next()) == {"value": 3}  # live it is shown as it comes
    assert shown(viewer, database) == whole
    wait_stored(database, 2)
    gateway.kill()
    gateway.start()
    assert shown(viewer, database) == whole
    plug.changes(apower=2)
    wait_stored(database, 3)
    assert shown(viewer, database)["params"]["switch:0"]["apower"] == 2
    settled(gateway)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_knows_the_whole(make_gateway, plug, database, viewer, end):
    gateway = started(make_gateway)
    plug.whole()
    plug.changes(apower=1.5)
    wait_stored(database, 2)
    (gateway.kill if end == "kill" else gateway.stop)()
    plug.changes(output=False)
    gateway.start()
    wait_stored(database, 3)
    assert stored(database) == {"id": 0, "output": False, "apower": 1.5, "aenergy": {"total": 7, "by_minute": [1, 2, 3]}}
    assert shown(viewer, database)["params"]["switch:0"] == stored(database)
    gateway.stop()
    gateway.start()
    assert shown(viewer, database)["params"]["switch:0"] == stored(database)
    settled(gateway)


def test_what_was_shown_while_the_database_was_away_is_laid_over_once(make_gateway, plug, database, postgres, viewer):
    """And ended without a word before any of it was stored: the next process comes to the same."""
    gateway = started(make_gateway, **{"database__stall_timeout": "1s"})
    plug.whole()
    wait_stored(database, 1)
    number = database.value(f"SELECT id FROM devices WHERE code = '{PLUG}'")
    watching = viewer(f"/ws/dashboard/{number}", "root")
    watching.next()
    postgres.stop()
    plug.changes(apower=1.5)
    assert switch(watching.next())["apower"] == 1.5
    plug.changes(output=False)
    assert switch(watching.next()) == {"id": 0, "output": False, "apower": 1.5,
                                       "aenergy": {"total": 7, "by_minute": [1, 2, 3]}}
    gateway.kill()
    postgres.start()
    gateway.start()
    wait_stored(database, 3)
    plug.changes(aenergy={"total": 8})
    wait_stored(database, 4)
    assert stored(database) == {"id": 0, "output": False, "apower": 1.5, "aenergy": {"total": 8, "by_minute": [1, 2, 3]}}
    assert shown(viewer, database)["params"]["switch:0"] == stored(database)
    settled(gateway)


def test_what_comes_late_is_laid_over_nothing(make_gateway, plug, database, viewer):
    gateway = started(make_gateway)
    plug.whole()
    plug.changes(apower=2.5)
    wait_stored(database, 2)
    plug.say("NotifyStatus", at=plug.at - 30, switch_0={"apower": 99})
    wait_stored(database, 3)
    assert stored(database)["apower"] == 2.5
    assert shown(viewer, database)["params"]["switch:0"]["apower"] == 2.5
    settled(gateway)


def test_a_press_of_a_button_is_no_part_of_the_whole(make_gateway, plug, database):
    gateway = started(make_gateway)
    plug.whole()
    plug.say("NotifyEvent", input_0={"event": "single_push"})
    plug.changes(apower=3.5)
    wait_stored(database, 3)
    document = json.loads(database.value(DOCUMENT))
    assert "input:0" not in document["params"]
    assert document["params"]["switch:0"]["apower"] == 3.5
    settled(gateway)


def test_one_device_too_many_is_shown_as_it_comes(make_gateway, plug, database, viewer):
    gateway = started(make_gateway, merge__max_devices="0")
    plug.whole()
    plug.changes(apower=2.5)
    wait_stored(database, 2)
    assert shown(viewer, database)["params"]["switch:0"] == {"id": 0, "apower": 2.5}
    assert database.value("SELECT count(*) FROM merged_telemetry") == 0
    assert gateway.metric("tidegate_merged_refused_total", reason="devices") == 2
    settled(gateway)


def test_a_device_that_is_deleted_leaves_nothing(make_gateway, plug, database):
    gateway = started(make_gateway)
    plug.whole()
    wait_stored(database, 1)
    settled(gateway)
    database.rows(f"DELETE FROM devices WHERE code = '{PLUG}'")
    assert database.value("SELECT count(*) FROM merged_telemetry") == 0
