"""A device's queue of commands: nobody fills it for others, and what is not wanted any more goes."""
import json

import pytest
import requests

from commanding import MqttDevice, command, get, history, post, state, wait_for_state
from conftest import populate
from viewers import Viewer
from waiting import PATIENCE, wait_until

LOST = "who sent it may not command the device any more"


@pytest.fixture
def quiet(make_gateway):
    """A gateway that publishes no commands: they wait for a device's own socket."""
    gateway = make_gateway(commands__topics="", commands__timeout="10m",
                           commands__max_pending_per_device=4)
    populate(gateway)
    return gateway.start()


def cancel(gateway, user, command_id):
    return requests.delete(f"{gateway.url}/api/commands/{command_id}", timeout=PATIENCE,
                           headers={"Authorization": f"Bearer {gateway.token(user)}"})


def native(gateway, user):
    """A native socket that follows all devices of @user."""
    viewer = Viewer(gateway, "/api/ws", gateway.token(user), subprotocols=["tidegate.v1"])
    assert viewer.next_json()["type"] == "welcome"
    viewer.send({"op": "subscribe", "id": 1, "to": ["device/*"]})
    assert viewer.next_json()["ok"] is True
    return viewer


def what_comes_down(gateway, last):
    """The ids of what the device's own socket gets, up to and with @last."""
    device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
    ids = []
    while not ids or ids[-1] != last:
        ids.append(json.loads(device.next())["command_id"])
    device.close()
    return ids


def share(gateway, database, device="dev-1", user="ben"):
    """@user may command @device, and the gateway knows it."""
    database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", gateway.ids[user],
                  gateway.ids[device])
    wait_until(lambda: gateway.get(f"/api/devices/{device}", user).status_code == 200,
               f"{user} to see {device}")


def test_whom_it_is_shared_with_fills_his_part_of_a_queue_alone(make_gateway, database):
    gateway = make_gateway(commands__max_pending_per_device=8, commands__timeout="10m")
    populate(gateway)
    gateway.ids["eve"] = gateway.add_user("eve")
    gateway.start()
    for user in ("ben", "eve"):
        share(gateway, database, user=user)
    command(gateway, "ben")
    command(gateway, "ben", idempotency_key="k")
    refused = post(gateway, "ben", "dev-1", {"action": "A"})
    assert refused.status_code == 429 and "Retry-After" in refused.headers
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_commands" and "your" in refused.json()["detail"]
    assert post(gateway, "ben", "dev-1", {"action": "SET_MODE", "idempotency_key": "k"}
                ).status_code == 200, "the same again is no further one"
    for user in ("eve", "eve", "ana", "ana"):
        command(gateway, user)
    assert gateway.metric("tidegate_commands_share_refused_total") == 1

    command(gateway, "ben", "dev-2")  # his own is another queue
    for user in ("ana", "root"):  # the reserve is theirs
        command(gateway, user)
    assert post(gateway, "root", "dev-1", {"action": "A"}).status_code == 429


@pytest.mark.parametrize("who", ["ana", "root", "ben"])
def test_what_is_cancelled_is_not_sent_and_gives_its_place_back(quiet, database, who):
    share(quiet, database)
    issuer = "ben" if who == "ben" else "ana"
    watcher = native(quiet, "ana")
    unwanted = command(quiet, issuer)
    answer = cancel(quiet, who, unwanted)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["message"] == \
        {"root": "cancelled by an admin"}.get(who, "cancelled by who sent it")
    update = watcher.next_of("command_update")
    assert (update["command_id"], update["state"]) == (unwanted, "cancelled")
    assert update["message"] == answer.json()["message"]
    wait_for_state(database, unwanted, "cancelled")
    assert cancel(quiet, who, unwanted).json() == get(quiet, issuer, unwanted).json()
    assert history(database, unwanted) == ["cancelled"]
    assert quiet.metric("tidegate_commands_total", outcome="cancelled") == 1

    wanted = [command(quiet, "ana") for _ in range(4)][-1]  # the queue is of four
    assert unwanted not in what_comes_down(quiet, wanted)
    assert quiet.metric("tidegate_accounting_drift") == 0
    watcher.close()


def test_the_native_protocol_cancels_too(quiet, database):
    ana = native(quiet, "ana")
    command_id = command(quiet)
    ana.send({"op": "cancel", "id": 2, "command_id": command_id})
    frames = [ana.next_json(), ana.next_json()]  # in whichever order
    assert {"id": 2, "ok": True, "command_id": command_id, "state": "cancelled"} in frames
    assert any(f.get("type") == "command_update" and f["state"] == "cancelled" for f in frames)
    for ask, code in (({"command_id": "cmd_none"}, "not_found"), ({}, "bad_request"),
                      ({"command_id": 5}, "bad_request"), ({"command_id": "\u0000"}, "bad_request"),
                      ({"command_id": "\u00fc"}, "not_found")):
        ana.send({"op": "cancel", "id": 3, **ask})
        assert ana.next_json()["error"]["code"] == code, ask
    ana.close()


def test_who_may_not_cancel(quiet, database):
    share(quiet, database)
    of_ana = command(quiet, "ana")
    assert cancel(quiet, "ben", of_ana).status_code == 403  # he sees it
    of_ben = command(quiet, "ben", "dev-2")
    refused = cancel(quiet, "ana", of_ben)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert cancel(quiet, "ana", "cmd_none").status_code == 404
    assert cancel(quiet, "ana", "%FF").status_code == 400
    assert requests.delete(f"{quiet.url}/api/commands/{of_ana}", timeout=PATIENCE).status_code == 401
    assert cancel(quiet, "ana", command(quiet, "ben")).json()["message"] == \
        "cancelled by the owner of the device"
    database.rows("UPDATE users SET role = 'viewer' WHERE username = 'ana'")
    wait_until(lambda: cancel(quiet, "ana", of_ana).status_code == 403, "ana to be a viewer")


def test_what_a_device_has_or_has_ended_is_not_cancelled(quiet, database):
    device = Viewer(quiet, "/ws/device/dev-1", quiet.ids["dev-1 token"])
    command_id = command(quiet)
    device.next()
    for status, then in (None, "delivered"), ("executing", "executing"), ("error", "failed"):
        if status:
            device.send({"command_id": command_id, "status": status})
        wait_for_state(database, command_id, then)
        refused = cancel(quiet, "ana", command_id)
        assert (refused.status_code, refused.json()["code"]) == (409, "too_late")
    assert state(database, command_id) == "failed"
    device.close()


def test_what_the_broker_has_may_be_cancelled_but_not_called_back(gateway, database, broker):
    """The gateway begins nothing more; who executes it all the same has the last word."""
    device = MqttDevice(broker, "dev-1")
    command_id = command(gateway, timeout_ms=600000)
    device.next()
    wait_for_state(database, command_id, "published")
    answer = cancel(gateway, "ana", command_id)
    assert answer.status_code == 200
    assert answer.json()["message"] == "cancelled by who sent it; the broker had it already"
    wait_for_state(database, command_id, "cancelled")
    for status in "executing", "ok", "error":
        device.ack(json.dumps({"command_id": command_id, "status": status}))
    wait_for_state(database, command_id, "done")
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "the rest to be stored")
    assert history(database, command_id) == ["published", "cancelled", "done"]
    assert cancel(gateway, "ana", command_id).status_code == 409
    assert gateway.metric("tidegate_accounting_drift") == 0
    device.disconnect()


def test_a_cancel_outlives_the_gateway_and_waits_for_no_database(quiet, database, postgres):
    first, second = command(quiet), command(quiet)
    assert cancel(quiet, "ana", first).status_code == 200
    quiet.kill()
    quiet.start()
    wait_for_state(database, first, "cancelled")
    assert history(database, first) == ["cancelled"]

    postgres.stop()
    refused = cancel(quiet, "ana", second)
    assert refused.status_code == 503 and "Retry-After" in refused.headers
    postgres.start()
    wait_until(lambda: cancel(quiet, "ana", second).status_code == 200, "to be cancelled")
    wait_for_state(database, second, "cancelled")


def test_who_loses_the_right_loses_what_he_had_queued(make_gateway, database):
    """However he had it, and however he loses it; of his nothing is sent, not even at once."""
    gateway = make_gateway(commands__topics="", commands__timeout="10m")
    populate(gateway)
    device = gateway.ids["dev-1"]
    users = {name: database.value("INSERT INTO users (username, password_hash) VALUES (%s, 'x')"
                                  " RETURNING id", name)
             for name in ("shared", "grouped", "disabled", "lowered", "deleted", "past")}
    database.rows("UPDATE devices SET user_id = %s WHERE id = %s", users["past"], device)
    group = database.value("INSERT INTO groups (name) VALUES ('Floor 1') RETURNING id")
    database.rows("INSERT INTO device_groups (device_id, group_id) VALUES (%s, %s)", device, group)
    database.rows("INSERT INTO shares (user_id, group_id) VALUES (%s, %s)", users["grouped"], group)
    for name in ("shared", "disabled", "lowered", "deleted"):
        database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", users[name],
                      device)
    gateway.start()
    ids = {name: command(gateway, name) for name in users}

    database.rows("WITH a AS (DELETE FROM shares WHERE user_id = %s), b AS (DELETE FROM"
                  " device_groups), c AS (UPDATE users SET is_active = false WHERE id = %s),"
                  " d AS (UPDATE users SET role = 'viewer' WHERE id = %s),"
                  " e AS (DELETE FROM users WHERE id = %s)"
                  " UPDATE devices SET user_id = %s WHERE id = %s",
                  *(users[name] for name in ("shared", "disabled", "lowered", "deleted")),
                  gateway.ids["ana"], device)
    wait_until(lambda: gateway.get("/api/devices/dev-1", "ana").status_code == 200, "ana's right")
    kept = command(gateway, "ana")
    assert what_comes_down(gateway, kept) == [kept]
    for name, command_id in ids.items():
        why = "who sent it is gone" if name == "deleted" else LOST
        wait_for_state(database, command_id, "cancelled")
        assert history(database, command_id) == ["cancelled"]
        for user in ("ana", *({name} - {"disabled", "deleted"})):
            assert get(gateway, user, command_id).json()["message"] == why, (user, name)
