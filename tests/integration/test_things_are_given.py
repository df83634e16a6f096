"""Promise: what registered itself is nobody's until an admin gives it, and then its owner's at once."""
import json

import pytest

from waiting import wait_until

DETECTION = {"device_id": "pi-new", "detections": [{"device_hash": "ab" * 32, "rssi": -50}]}


def give(gateway, path, user, body):
    return gateway.put(path + "/owner", user, json=body)


@pytest.fixture
def found(gateway, broker, database):
    """A scanner that nobody has made."""
    broker.publish("tfg/detections/raw", json.dumps(DETECTION))
    database.wait_for("SELECT count(*) FROM devices WHERE code = 'pi-new'", 1)
    wait_until(lambda: gateway.get("/api/devices/pi-new", "root").status_code == 200, "the scanner")
    return "/api/devices/pi-new"


def test_a_scanner_that_registered_itself_is_given_to_a_user(gateway, found, broker, viewer):
    page = viewer("/ws/devices", "ana")
    assert [d["device_code"] for d in page.next_of("device_list")["devices"]] == ["dev-1"]
    assert gateway.get(found, "ana").status_code == 404
    answer = give(gateway, found, "root", {"user": "ana"})
    assert (answer.status_code, answer.json()) == (200, {"user": "ana"})
    wait_until(lambda: gateway.get(found, "ana").status_code == 200, "ana to see it")
    assert gateway.get(found, "ben").status_code == 404
    broker.publish("devices/pi-new/status", '{"status":"online"}')
    page.next_of("device_update", lambda m: m["device"]["device_code"] == "pi-new")

    assert give(gateway, found, "root", {"user": None}).json() == {"user": None}
    wait_until(lambda: gateway.get(found, "ana").status_code == 404, "ana not to see it any more")


def test_a_vehicle_goes_from_hand_to_hand(gateway):
    path = "/api/vehicles/USV-1"
    for body in ({"user": "ben"}, {"user": f"id:{gateway.ids['ana']}"}, {"user": gateway.ids["ben"]}):
        assert give(gateway, path, "root", body).status_code == 200
    wait_until(lambda: gateway.get(path, "ben").status_code == 200, "ben to see it")
    wait_until(lambda: gateway.get(path, "ana").status_code == 404, "ana not to see it any more")


def test_only_admins_give_and_only_what_there_is_to_whom_there_is(gateway):
    assert give(gateway, "/api/devices/dev-1", "ana", {"user": "ben"}).status_code == 403
    assert give(gateway, "/api/devices/dev-2", "ana", {"user": "ana"}).status_code == 404
    assert give(gateway, "/api/devices/none", "ana", {"user": "ana"}).status_code == 404
    assert give(gateway, "/api/devices/dev-1", None, {"user": "ana"}).status_code == 401
    assert give(gateway, "/api/devices/none", "root", {"user": "ana"}).status_code == 404
    for body in ({}, [], {"user": "nobody"}, {"user": "id:0"}, {"user": True}, {"user": 1.5},
                 {"user": "ana\0"}, {"user": "x" * 300}, {"user": ["ana"]}, "ana"):
        answer = give(gateway, "/api/devices/dev-1", "root", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), body
    answer = gateway.put("/api/devices/dev-1/owner", "root", data="{", headers={
        "Content-Type": "application/json"})
    assert answer.status_code == 422
    assert gateway.get("/api/devices/dev-1", "ana").status_code == 200


def test_who_was_an_admin_gives_nothing_any_more(gateway, database):
    token = gateway.token("root")
    database.rows("UPDATE users SET role = 'user' WHERE username = 'root' RETURNING id")
    answer = gateway.put("/api/devices/dev-1/owner", json={"user": "ben"},
                         headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code >= 400
    assert database.value("SELECT user_id FROM devices WHERE code = 'dev-1'") == gateway.ids["ana"]
