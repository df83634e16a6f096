"""Last seen and status of a device follow its messages whatever their kind: by REST, in lists, live, and
over a restart."""
import json
import time

import pytest

from conftest import populate
from identities import NATIVE
from waiting import wait_until

KINDS = {
    "telemetry": ("ems/dev-1/telemetry", {"power": 1}),
    "camera_event": ("surveillance/camera/dev-1/event", {"event_type": "motion_detected"}),
    "alert": ("devices/dev-1/alert", {"message": "hot"}),
    "ble_detections": ("tfg/detections/raw", {"device_id": "dev-1", "detections": [
        {"device_hash": "ab" * 32, "rssi": -50}]}),
    "heartbeat": ("tfg/detections/raw", {"device_id": "dev-1", "detections": []}),
    "device_status": ("devices/dev-1/status", {"status": "online"}),
    "the answer to a command that there is not": ("devices/dev-1/commands/ack", {"command_id": "cmd_0", "status": "ok"}),
}

UNTOLD = {"clock": None, "manufacturer": None, "model": None}  # what dialect C has no member for


def device(gateway, user="ana"):
    return gateway.get(f"/api/devices/{gateway.ids['dev-1']}", user).json()


def stored(database):
    return database.value("SELECT to_char(s.last_seen AT TIME ZONE 'UTC', "
                          "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM device_states s "
                          "JOIN devices d ON d.id = s.device_id WHERE d.code = 'dev-1'")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_moves_it(gateway, broker, database, viewer, kind):
    c, other = viewer("/ws/devices", "ana"), viewer("/ws/devices", "ben")
    assert c.next_of("device_list")["devices"][0]["last_seen"] is None
    other.next_of("device_list")
    assert (device(gateway)["status"], device(gateway)["last_seen"]) == ("offline", None)
    topic, payload = KINDS[kind]
    broker.publish(topic, json.dumps(payload))

    update = c.next_of("device_update")["device"]
    assert update["device_code"] == "dev-1" and update["status"] == "online"
    wait_until(lambda: stored(database) == update["last_seen"], "the same in the database")
    whole = update | UNTOLD
    assert device(gateway) == whole
    for path in ("/api/devices", "/api/v1/devices/"):
        answer = gateway.get(path, "ana").json()
        assert (answer["items"] if path == "/api/devices" else answer)[0]["last_seen"] == \
            update["last_seen"]
    assert viewer("/ws/devices", "ana").next_of("device_list")["devices"] == [update]
    n = viewer("/api/ws", "ana", subprotocols=[NATIVE])
    n.next_of("welcome")
    n.send({"op": "subscribe", "id": 1, "to": ["device/*"], "snapshot": True})
    assert [i["device"] for i in n.next_of("snapshot")["items"] if i["type"] == "device_update"] \
        == [whole]

    assert gateway.terminate() == 0
    gateway.start()
    assert device(gateway) == whole
    assert viewer("/ws/devices", "ana").next_of("device_list")["devices"] == [update]
    assert not any(f["type"] == "device_update" for f in other.rest())  # nobody else is told


def test_an_answer_that_says_nothing_new_tells_that_it_lives(gateway, broker, viewer):
    command = gateway.post(f"/api/devices/{gateway.ids['dev-1']}/commands", json={"action": "reboot"},
                           headers={"Authorization": f"Bearer {gateway.token('ana')}"}).json()
    c, seen = viewer("/ws/devices", "ana"), []
    for _ in range(2):
        broker.publish("devices/dev-1/commands/ack", json.dumps({"command_id": command["command_id"], "status": "ok"}))
        seen.append(c.next_of("device_update")["device"]["last_seen"])
    assert None not in seen and seen[0] < seen[1] == device(gateway)["last_seen"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "device_status"])
def test_who_was_away_is_back_with_whatever_it_sends(gateway, broker, database, viewer, kind):
    c = viewer("/ws/devices", "ana")
    broker.publish("devices/dev-1/status", '{"status":"offline","temperature":21}')  # its last will, say
    first = c.next_of("device_update")["device"]
    assert first["status"] == "offline"
    topic, payload = KINDS[kind]
    broker.publish(topic, json.dumps(payload))
    second = c.next_of("device_update")["device"]
    assert second == first | {"status": "online", "last_seen": second["last_seen"]} and second["last_seen"] > first["last_seen"]
    wait_until(lambda: stored(database) == second["last_seen"], "the same in the database")
    for _ in range(2):
        assert device(gateway) == second | UNTOLD
        assert viewer("/ws/devices", "ana").next_of("device_list")["devices"] == [second]
        assert gateway.terminate() == 0
        gateway.start()
    c = viewer("/ws/devices", "ana")
    broker.publish("devices/dev-1/status", "offline")
    assert c.next_of("device_update")["device"]["status"] == "offline"


@pytest.mark.parametrize("word", ["online", "warning", "error"])
def test_another_status_that_was_said_stands(gateway, broker, viewer, word):
    c = viewer("/ws/devices", "ana")
    broker.publish("devices/dev-1/status", word)
    first = c.next_of("device_update")["device"]
    broker.publish("ems/dev-1/telemetry", '{"power":1}')
    second = c.next_of("device_update")["device"]
    assert second["status"] == word and second["last_seen"] > first["last_seen"]
    assert device(gateway) == second | UNTOLD


def test_who_never_says_a_status_falls_silent(gateway, broker, database, viewer):
    """Its time is moved back by hand: five minutes are long."""
    broker.publish("ems/dev-1/telemetry", '{"power":1}')
    wait_until(lambda: device(gateway)["status"] == "online" and stored(database), "it to be heard")
    assert gateway.terminate() == 0
    database.rows("UPDATE device_states SET last_seen = now() - interval '4 min 50 s'")
    gateway.start()
    c = viewer("/ws/devices", "ana")
    assert c.next_of("device_list")["devices"][0]["status"] == "online"
    assert c.next_of("device_update")["device"]["status"] == "offline"
    assert device(gateway)["status"] == "offline"


def test_a_crowd_of_messages_is_one_update(make_gateway, broker, viewer):
    gateway = make_gateway(ws__device_update_interval="2s")
    populate(gateway)
    gateway.start()
    c, e = viewer("/ws/devices", "ana"), viewer("/ws/device/dev-1", "ana")
    begin = time.monotonic()
    for i in range(200):
        broker.publish("ems/dev-1/telemetry", json.dumps({"n": i}))
    e.wait_for(lambda texts: '{"n": 199}' in texts, "all of them")
    update = c.next_of("device_update")["device"]
    wait_until(lambda: device(gateway)["last_seen"] == update["last_seen"] or c.rest(),
               "the last to be shown")
    n_turns = (time.monotonic() - begin) / 2  # a busy machine publishes them over many seconds
    assert len(c.frames) <= 3 + n_turns  # the list, the first, the last, and one each two seconds


def test_a_new_name_is_shown(gateway, database, viewer):
    c = viewer("/ws/devices", "ana")
    c.next_of("device_list")
    database.rows("UPDATE devices SET name = 'By the door' WHERE code = 'dev-1'")
    assert c.next_of("device_update")["device"]["name"] == "By the door"
    assert device(gateway)["name"] == "By the door"
