"""Whether a discovered device is there: one topic, several, and such as several devices share, as
`availability_mode` of its announcement says (Home Assistant: latest, all, any)."""
import json

import pytest

from test_discovery import announce, started, subscribed, told
from test_native_protocol import Native
from waiting import wait_until

STATUSES = ("SELECT d.code, l.status FROM device_status_logs l JOIN devices d ON d.id = l.device_id"
            " ORDER BY l.seq")


def lamp(name, *topics, **more):
    """As zigbee2mqtt announces it."""
    return {"state_topic": f"z2m/{name}", "value_template": "{{ value_json.level }}",
            "availability": [{"topic": topic, "value_template": "{{ value_json.state }}"} for topic in topics],
            "device": {"identifiers": [name]}, **more}


def announced(broker, name, *topics, **more):
    announce(broker, f"homeassistant/sensor/{name}/level/config", lamp(name, *topics, **more))


def says(broker, topic, word, retain=False):
    broker.publish(topic, json.dumps({"state": word}), retain=retain)


def all_stored(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    assert gateway.metric("tidegate_accounting_drift") == 0


def statuses(database, n):
    database.wait_for("SELECT count(*) FROM device_status_logs", n)
    return database.rows(STATUSES)


def test_a_topic_that_devices_share_is_said_of_each(make_gateway, broker, database):
    for name in ("one", "two", "three"):
        announced(broker, name, "z2m/bridge/state")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    root = Native(gateway, gateway.token("root"))
    assert root.ask("subscribe", to=["device/*"])["ok"]
    says(broker, "z2m/bridge/state", "offline")
    assert statuses(database, 3) == [("one", "offline"), ("two", "offline"), ("three", "offline")]
    pushed = [root.push("device_update")["device"] for _ in range(3)]
    assert [(push["device_code"], push["status"]) for push in pushed] == statuses(database, 3)
    says(broker, "z2m/bridge/state", "online")
    assert statuses(database, 6)[3:] == [("one", "online"), ("two", "online"), ("three", "online")]
    assert database.rows("SELECT * FROM dead_letters") == []
    assert told(gateway)["not_taken"] == []
    all_stored(gateway)


def test_with_latest_the_last_word_counts_whichever_topic_said_it(make_gateway, broker, database):
    announced(broker, "one", "z2m/bridge/state", "z2m/one/availability")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    for topic, word in (("one/availability", "offline"), ("bridge/state", "online"), ("bridge/state", "offline"),
                        ("one/availability", "online")):
        says(broker, f"z2m/{topic}", word)
    assert statuses(database, 4) == [("one", "offline"), ("one", "online"), ("one", "offline"), ("one", "online")]
    all_stored(gateway)


def test_with_all_a_device_is_there_while_all_topics_say_so(make_gateway, broker, database):
    """A topic that was not heard yet says nothing; who is away by one is away."""
    for name in ("one", "two"):
        announced(broker, name, "z2m/bridge/state", f"z2m/{name}/availability", availability_mode="all")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    says(broker, "z2m/one/availability", "online")   # of the bridge nothing is known: nothing
    says(broker, "z2m/two/availability", "offline")  # whatever the bridge says
    says(broker, "z2m/bridge/state", "online")
    assert statuses(database, 3) == [("two", "offline"), ("one", "online"), ("two", "offline")]
    says(broker, "z2m/bridge/state", "offline")
    says(broker, "z2m/two/availability", "online")
    says(broker, "z2m/bridge/state", "online")
    assert statuses(database, 8)[3:] == [("one", "offline"), ("two", "offline"), ("two", "offline"), ("one", "online"),
                                         ("two", "online")]
    row = database.value("SELECT extra::text FROM device_status_logs ORDER BY seq LIMIT 1")
    assert json.loads(row) == {"availability": {"z2m/two/availability": "offline"}}
    row = database.value("SELECT extra::text FROM device_status_logs ORDER BY seq DESC LIMIT 1")
    assert json.loads(row) == {"availability": {"z2m/bridge/state": "online", "z2m/two/availability": "online"}}
    assert database.rows("SELECT d.code, s.status FROM device_states s JOIN devices d ON d.id = s.device_id"
                         " WHERE d.code IN ('one', 'two') ORDER BY 1") == [("one", "online"), ("two", "online")]
    assert database.rows("SELECT * FROM dead_letters") == []
    all_stored(gateway)


def test_with_any_a_device_is_there_while_one_topic_says_so(make_gateway, broker, database):
    announced(broker, "one", "z2m/radio", "z2m/cable", availability_mode="any")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    for topic, word in (("radio", "online"), ("cable", "offline"), ("radio", "offline"), ("cable", "online")):
        says(broker, f"z2m/{topic}", word)
    assert [status for _, status in statuses(database, 4)] == ["online", "online", "offline", "online"]
    all_stored(gateway)


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("retain", [False, True])
def test_a_restart_knows_what_the_others_said(make_gateway, broker, database, end, retain):
    """Also what the broker had kept, and what made no row."""
    announced(broker, "one", "z2m/bridge/state", "z2m/one/availability", availability_mode="all")
    if retain:
        says(broker, "z2m/bridge/state", "online", retain=True)
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    if not retain:
        says(broker, "z2m/bridge/state", "online")
    database.wait_for("SELECT count(*) FROM sparkplug_births WHERE payload = 'online'", 1)
    all_stored(gateway)
    (gateway.kill if end == "kill" else gateway.stop)()
    gateway.start()
    says(broker, "z2m/one/availability", "online")
    assert statuses(database, 1) == [("one", "online")]
    all_stored(gateway)
    assert gateway.cli("journal", "verify").returncode == 0


def test_an_outage_of_the_database_changes_nothing_of_it(make_gateway, broker, database, postgres):
    announced(broker, "one", "z2m/bridge/state", "z2m/one/availability", availability_mode="all")
    gateway = started(make_gateway, database__stall_timeout="1s")
    subscribed(gateway, broker, database)
    says(broker, "z2m/bridge/state", "online")
    says(broker, "z2m/one/availability", "online")
    statuses(database, 1)
    postgres.stop()
    for topic, word in (("bridge/state", "offline"), ("one/availability", "offline"), ("bridge/state", "online"),
                        ("one/availability", "online"), ("bridge/state", "offline"), ("bridge/state", "online")):
        says(broker, f"z2m/{topic}", word)
    wait_until(lambda: gateway.metric("tidegate_in_journal") >= 6, "all to be in the journal")
    postgres.start()
    assert [status for _, status in statuses(database, 7)] == ["online", "offline", "offline", "offline", "online",
                                                                "offline", "online"]
    all_stored(gateway)


def test_one_announcement_of_a_whole_device_says_it_for_all_its_parts(make_gateway, broker, database):
    announce(broker, "homeassistant/device/one/config", {
        "dev": {"ids": ["one"]}, "o": {"name": "x"}, "avty_mode": "all",
        "avty": [{"t": "z2m/bridge"}, {"t": "z2m/one/here", "pl_avail": "ready", "pl_not_avail": "lost"}],
        "cmps": {"a": {"p": "sensor", "stat_t": "z2m/one/a"}, "b": {"p": "switch", "stat_t": "z2m/one/b"}}})
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    broker.publish("z2m/bridge", "online")
    broker.publish("z2m/one/here", "ready")
    broker.publish("z2m/one/here", "lost")
    assert [status for _, status in statuses(database, 2)] == ["online", "offline"]
    device = next(one for one in told(gateway)["discovered"] if one["device"] == "one")
    assert device["availability_mode"] == "all"
    assert [one["topic"] for one in device["points"] if one["name"] == "status"] == ["z2m/bridge", "z2m/one/here"]
    assert "(status: all)" in gateway.cli("route", "discovered").stdout
    all_stored(gateway)


@pytest.mark.parametrize("said, why", [
    ({"availability_mode": "most"}, "not an availability_mode"),
    ({"availability_mode": ["all"]}, None),
    ({"availability_mode": "any", "name": "twice"}, "another availability_mode than its device has"),
    ({"payload_available": "yes", "payload_not_available": "no"}, "a topic that another device reads otherwise"),
])
def test_what_cannot_be_together_is_listed(make_gateway, broker, database, said, why):
    """And costs itself: the points of the device are there."""
    announced(broker, "one", "z2m/bridge/state", availability_mode="all")
    name = "one" if "name" in said else "two"
    topics = {"availability": [{"topic": "z2m/bridge/state", **{key: said[key] for key in said if "payload" in key}}]
              } if "payload_available" in said else {}
    announce(broker, f"homeassistant/sensor/{name}/other/config",
             {**lamp(name, "z2m/bridge/state"), "state_topic": "z2m/other", **said, **topics})
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    assert [one["why"] for one in told(gateway)["not_taken"]] == ([why] if why else [])
    broker.publish("z2m/other", json.dumps({"level": 7}))
    database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id WHERE d.code = %s"
                      % f"'{name}'", 1)


def test_a_word_that_nobody_announced_is_one_letter(make_gateway, broker, database):
    for name in ("one", "two"):
        announced(broker, name, "z2m/bridge/state")
    gateway = started(make_gateway)
    subscribed(gateway, broker, database)
    says(broker, "z2m/bridge/state", "starting")
    broker.publish("z2m/bridge/state", "{")
    database.wait_for("SELECT count(*) FROM dead_letters", 2)
    assert database.value("SELECT count(*) FROM device_status_logs") == 0
    all_stored(gateway)
