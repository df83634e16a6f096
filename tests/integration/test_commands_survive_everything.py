"""A command gets to its device, or says that it did not, whatever happens on the way."""
import json
import re

import pytest

from commanding import (MqttDevice, command, get, history, post, state, wait_for_state)
from conftest import populate
from viewers import Viewer
from waiting import PATIENCE, wait_until


@pytest.fixture
def device(broker):
    made = MqttDevice(broker, "dev-1")
    yield made
    made.disconnect()


def ack(device, command_id, status, **more):
    device.ack(json.dumps({"command_id": command_id, "status": status, **more}))


@pytest.mark.smoke
def test_a_command_goes_by_mqtt_and_comes_back_done(gateway, database, device):
    payload = {"mode": "eco", "z": 1, "a": [1.50, None]}
    command_id = command(gateway, payload=payload, timeout_ms=20000)
    assert re.match(r"^cmd_[0-9a-f]{32}$", command_id)

    message = device.next()
    assert message.topic == "devices/dev-1/commands" and message.qos == 1 and not message.retain
    assert message.payload.decode() == \
        f'{{"command_id":"{command_id}","action":"SET_MODE","payload":' \
        '{"mode":"eco","z":1,"a":[1.5,null]}}'
    wait_for_state(database, command_id, "published")

    ack(device, command_id, "executing")
    wait_for_state(database, command_id, "executing")
    ack(device, command_id, "ok", message="eco it is")
    wait_for_state(database, command_id, "done")
    assert history(database, command_id) == ["published", "executing", "done"]

    seen = get(gateway, "ana", command_id).json()
    assert (seen["command_id"], seen["state"], seen["message"], seen["action"], seen["payload"]) == \
        (command_id, "done", "eco it is", "SET_MODE", payload)
    assert seen["user_id"] == gateway.ids["ana"] and seen["device_code"] == "dev-1"


def test_mqtt_5_says_where_to_answer_what_for_and_until_when(gateway, device):
    command_id = command(gateway, timeout_ms=30000)
    properties = device.next().properties
    assert properties.ResponseTopic == "devices/dev-1/commands/ack"
    assert properties.CorrelationData == command_id.encode()
    assert 0 < properties.MessageExpiryInterval <= 30


def test_a_command_goes_by_mqtt_3_too(make_gateway, database, device):
    gateway = make_gateway(mqtt__version="3.1.1")
    populate(gateway)
    gateway.start()
    command_id = command(gateway)
    assert json.loads(device.next().payload)["command_id"] == command_id
    wait_for_state(database, command_id, "published")


def test_topics_are_templates(make_gateway, broker):
    gateway = make_gateway(commands__topics="a/{user}/{device}/do, b/{device}",
                           commands__ack_topic="b/{device}/done")
    populate(gateway)
    gateway.start()
    one = MqttDevice(broker, "dev-1")
    one.subscribed = False
    one.client.subscribe([("a/ana/dev-1/do", 1), ("b/dev-1", 1)])
    wait_until(lambda: one.subscribed, "the device to be subscribed")
    command(gateway)
    messages = [one.next(), one.next()]
    assert sorted(m.topic for m in messages) == ["a/ana/dev-1/do", "b/dev-1"]
    assert messages[0].properties.ResponseTopic == "b/dev-1/done"
    one.disconnect()


def test_a_command_fails_as_its_device_says(gateway, database, device):
    command_id = command(gateway)
    device.next()
    ack(device, command_id, "error", message="door is open")
    wait_for_state(database, command_id, "failed")
    ack(device, command_id, "ok")  # too late: it has failed
    ack(device, "none of ours", "ok")
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_command'", 1)
    assert state(database, command_id) == "failed"
    assert history(database, command_id)[-1] == "failed"
    assert get(gateway, "ana", command_id).json()["message"] == "door is open"


def test_an_answer_may_overtake_the_broker(gateway, database, broker, device):
    """Even the very first state that is heard of may be the last one."""
    command_id = command(gateway)
    device.next()
    ack(device, command_id, "ok")
    wait_for_state(database, command_id, "done")
    states = history(database, command_id)
    assert states in (["published", "done"], ["done"])  # which of the two was first is the broker's affair


@pytest.mark.smoke
def test_a_command_expires(gateway, database, broker):
    command_id = command(gateway, timeout_ms=1200)
    wait_for_state(database, command_id, "expired")
    # "published" first, but where the broker's word took longer than the command had
    assert history(database, command_id) in (["published", "expired"], ["expired"])
    late = MqttDevice(broker, "dev-1")  # what the broker kept is void as well
    late.ack(json.dumps({"command_id": command_id, "status": "ok"}))
    second = command(gateway)
    assert json.loads(late.next().payload)["command_id"] == second
    assert state(database, command_id) == "expired"
    late.disconnect()


def test_an_executing_command_expires_when_nothing_more_is_heard(gateway, database, device):
    command_id = command(gateway, timeout_ms=2500)
    device.next()
    ack(device, command_id, "executing")
    wait_for_state(database, command_id, "executing")
    wait_for_state(database, command_id, "expired")


def test_the_same_key_is_the_same_command(gateway, database):
    body = {"action": "OPEN", "payload": {"door": 1, "x": 2}, "idempotency_key": "k-1"}
    first = post(gateway, "ana", "dev-1", body)
    again = post(gateway, "ana", "dev-1", {**body, "payload": {"x": 2, "door": 1}})
    header = post(gateway, "ana", str(gateway.ids["dev-1"]),
                  {"action": "OPEN", "payload": {"x": 2, "door": 1}}, **{"Idempotency-Key": "k-1"})
    assert (first.status_code, again.status_code, header.status_code) == (202, 200, 200)
    assert first.json()["command_id"] == again.json()["command_id"] == header.json()["command_id"]
    assert post(gateway, "ana", "dev-1", {**body, "action": "SHUT"}).status_code == 409
    assert post(gateway, "root", "dev-1", body).status_code == 202  # another user's key
    assert post(gateway, "ana", "dev-1", body, **{"Idempotency-Key": "k-2"}).status_code == 422
    assert database.value("SELECT count(*) FROM commands") == 2


def test_who_may_not_command(gateway):
    gateway.add_user("viv", "viewer")
    gateway.database.rows("INSERT INTO shares (user_id, device_id) SELECT u.id, d.id FROM users u, "
                          "devices d WHERE u.username = 'viv' AND d.code = 'dev-1'")
    body = {"action": "OPEN"}
    wait_until(lambda: post(gateway, "viv", "dev-1", body).status_code == 403, "viv to be known")
    assert post(gateway, "ana", "dev-2", body).status_code == 404
    assert post(gateway, "ana", "dev-404", body).status_code == 404
    assert post(gateway, "nobody", "dev-1", body).status_code == 401
    command_id = command(gateway)
    assert get(gateway, "ana", command_id).status_code == 200
    assert get(gateway, "root", command_id).status_code == 200
    assert get(gateway, "viv", command_id).status_code == 200
    assert get(gateway, "ben", command_id).status_code == 404
    assert get(gateway, "ana", "cmd_none").status_code == 404


@pytest.mark.parametrize("body", [
    {}, {"action": ""}, {"action": 5}, {"action": "x" * 129}, {"action": "a\nb"}, [],
    {"action": "A", "payload": [1]}, {"action": "A", "payload": "x"},
    {"action": "A", "timeout_ms": 0}, {"action": "A", "timeout_ms": "5"},
    {"action": "A", "timeout_ms": 10**12}, {"action": "A", "idempotency_key": "x" * 129},
    {"action": "A", "payload": {"nul": "\0"}}])
def test_what_is_no_command(gateway, body):
    answer = post(gateway, "ana", "dev-1", body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid"


def test_a_body_may_be_too_large_and_commands_too_many(make_gateway):
    gateway = make_gateway(http__max_body_bytes=2048, commands__max_pending_per_device=3)
    populate(gateway)
    gateway.start()
    assert post(gateway, "ana", "dev-1", {"action": "A", "payload": {"x": "y" * 4096}}
                ).status_code == 413
    codes = [post(gateway, "ana", "dev-1", {"action": "A"}).status_code for _ in range(5)]
    assert codes == [202, 202, 202, 429, 429]
    assert post(gateway, "ben", "dev-2", {"action": "A"}).status_code == 202


def test_a_command_survives_the_broker(gateway, database, broker, device):
    broker.stop()
    command_id = command(gateway, timeout_ms=60000)
    assert state(database, command_id) == "accepted"
    broker.start()
    seen = {json.loads(device.next(3 * PATIENCE).payload)["command_id"]}
    assert seen == {command_id}
    wait_for_state(database, command_id, "published")


def test_a_command_survives_a_restart_of_the_gateway(gateway, database, broker, device):
    broker.stop()
    waiting = [command(gateway, timeout_ms=60000) for _ in range(3)]
    gateway.terminate()
    broker.start()
    wait_until(device.client.is_connected, "the device to be back", 3 * PATIENCE)
    gateway.start()
    assert [json.loads(device.next().payload)["command_id"] for _ in waiting] == waiting
    for command_id in waiting:
        wait_for_state(database, command_id, "published")
        ack(device, command_id, "ok")
        wait_for_state(database, command_id, "done")


def test_a_command_survives_a_kill_between_accept_and_publish(gateway, database, broker, device):
    """The answer is out, nothing is published: the next process goes on."""
    broker.stop()  # so that it cannot have been published
    command_id = command(gateway, timeout_ms=60000)
    gateway.kill()
    assert state(database, command_id) == "accepted"
    broker.start()
    gateway.start()
    assert json.loads(device.next(3 * PATIENCE).payload)["command_id"] == command_id
    wait_for_state(database, command_id, "published")


def test_a_device_that_is_away_gets_it_when_it_comes_back(gateway, database, broker, device):
    device.disconnect()
    command_id = command(gateway, timeout_ms=60000)
    wait_for_state(database, command_id, "published")
    broker.stop()
    broker.start()
    gateway.kill()
    gateway.start()
    device.connect()
    assert json.loads(device.next().payload)["command_id"] == command_id
    ack(device, command_id, "ok")
    wait_for_state(database, command_id, "done")


def test_a_command_survives_the_database(gateway, postgres, database, device):
    command_id = command(gateway, timeout_ms=60000)
    device.next()
    wait_for_state(database, command_id, "published")
    postgres.stop()
    assert post(gateway, "ana", "dev-1", {"action": "A"}).status_code == 503
    ack(device, command_id, "ok")  # into the journal
    postgres.start()
    wait_for_state(database, command_id, "done")
    wait_until(lambda: post(gateway, "ana", "dev-1", {"action": "B"}).status_code == 202,
               "commands to be taken again")
    assert json.loads(device.next().payload)["action"] == "B"


def test_what_expires_while_the_gateway_is_away_has_expired(gateway, database):
    command_id = command(gateway, timeout_ms=1500)
    gateway.kill()
    database.wait_for("SELECT expires_at < clock_timestamp() FROM commands", True)
    gateway.start()
    wait_for_state(database, command_id, "expired")


def test_every_change_is_one_event_however_often_it_is_said(gateway, database, device):
    command_id = command(gateway)
    device.next()
    wait_for_state(database, command_id, "published")
    for status in ("executing", "executing", "ok", "executing", "error", "ok"):
        ack(device, command_id, status)
    wait_for_state(database, command_id, "done")
    wait_until(lambda: gateway.metric("tidegate_command_news_unchanged_total") == 4,
               "the others to be counted")
    assert history(database, command_id) == ["published", "executing", "done"]
    assert gateway.metric("tidegate_accounting_drift") == 0


def watch(gateway, user):
    """A native watcher of all devices, past its welcome and its subscription."""
    watcher = Viewer(gateway, "/api/ws", gateway.token(user), subprotocols=["tidegate.v1"])
    assert watcher.next_json()["type"] == "welcome"
    watcher.send({"op": "subscribe", "id": 1, "to": ["device/*"]})
    assert watcher.next_json()["ok"] is True
    return watcher


def test_every_watcher_with_the_right_sees_each_state_and_nobody_else(gateway, database, device):
    ana, root, ben = (watch(gateway, name) for name in ("ana", "root", "ben"))
    ana.send({"op": "command", "id": 5, "device": "dev-1", "action": "SET_MODE",
              "payload": {"mode": "eco"}, "timeout_ms": 30000, "idempotency_key": "k"})
    wait_until(lambda: any('"id":5' in f for f in ana.frames), "the answer")
    answer = next(json.loads(f) for f in ana.frames if '"id":5' in f)
    assert answer["ok"] is True and answer["state"] == "accepted"
    command_id = answer["command_id"]
    device.next()
    wait_for_state(database, command_id, "published")
    for status in ("executing", "executing", "ok", "ok"):
        ack(device, command_id, status, message=f"I am {status}")
    wait_for_state(database, command_id, "done")
    for watcher in (ana, root):
        watcher.wait_for(lambda frames: any('"done"' in f for f in frames), "done to be shown")
        updates = [json.loads(f) for f in watcher.frames if '"command_update"' in f]
        assert [(u["command_id"], u["state"]) for u in updates] == \
            [(command_id, s) for s in ("published", "executing", "done")]
        assert updates[-1]["message"] == "I am ok"
    ben.send({"op": "ping", "id": 3})
    wait_until(lambda: any('"id":3' in f for f in ben.frames), "the pong")
    assert not any(command_id in f for f in ben.frames)
    for watcher in (ana, root, ben):
        watcher.close()
