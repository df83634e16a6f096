"""Promise: the zones that the people counter's page shows are those that detections are put into."""
import json

import pytest
import requests

from conftest import populate
from waiting import wait_until

PATH = "/api/v1/settings/thresholds"
CONFIGURED = {"near_threshold": -60, "medium_threshold": -75}


def shown(gateway, user="ana"):
    body = gateway.get(PATH, user).json()
    assert list(body) == ["near_threshold", "medium_threshold", "description"]
    near, medium = body["near_threshold"], body["medium_threshold"]
    assert body.pop("description") == {
        "near": f"RSSI ≥ {near} dBm", "medium": f"{medium} dBm ≤ RSSI < {near} dBm",
        "far": f"RSSI < {medium} dBm"}
    return body


def change(gateway, near, medium, user="root", method="PUT", path=PATH, **more):
    headers = {"Authorization": f"Bearer {gateway.token(user)}"} if user else {}
    return requests.request(method, gateway.url + path, headers=headers, timeout=20,
                            **(more or {"json": {"near_threshold": near, "medium_threshold": medium}}))


def hear(broker, *rssi):
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
        {"device_hash": f"{-r:02d}" * 32, "rssi": r, "zone": "far"} for r in rssi]}))


def zones(database):
    return dict(database.rows("SELECT rssi::int, zone FROM ble_detections ORDER BY seq, item"))


def wait_shown(gateway, near, medium):
    wanted = {"near_threshold": near, "medium_threshold": medium}
    wait_until(lambda: shown(gateway) == wanted, f"the zones {wanted}")


def test_an_admin_sets_them_at_once_and_for_good(gateway, broker, database):
    assert shown(gateway) == CONFIGURED
    hear(broker, -50, -65, -80)
    database.wait_for("SELECT count(*) FROM ble_detections", 3)
    answer = change(gateway, -40, -70)
    assert answer.status_code == 200
    body = answer.json()
    assert body["thresholds"] == {"near_threshold": -40, "medium_threshold": -70}
    assert body["recalculated"]["total_detections"] == 0 and body["message"]
    wait_shown(gateway, -40, -70)
    hear(broker, -39, -40, -41, -70, -71)
    database.wait_for("SELECT count(*) FROM ble_detections", 8)
    wanted = {-50: "near", -65: "medium", -80: "far",  # what is stored keeps its zone
              -39: "near", -40: "near", -41: "medium", -70: "medium", -71: "far"}
    assert zones(database) == wanted

    assert gateway.terminate() == 0
    gateway.start()
    assert shown(gateway) == {"near_threshold": -40, "medium_threshold": -70}
    hear(broker, -45, -77)
    database.wait_for("SELECT count(*) FROM ble_detections", 10)
    assert zones(database) == {**wanted, -45: "medium", -77: "far"}

    answer = change(gateway, 0, 0, method="POST", path=PATH + "/reset", data=b"")
    assert (answer.status_code, answer.json()["thresholds"]) == (200, CONFIGURED)
    wait_shown(gateway, -60, -75)
    hear(broker, -46)
    database.wait_for("SELECT count(*) FROM ble_detections", 11)
    assert zones(database)[-46] == "near"
    assert change(gateway, -20, -30, method="POST").status_code == 200
    wait_shown(gateway, -20, -30)


def test_without_an_admins_word_they_are_the_routes(make_gateway, broker, database):
    gateway = make_gateway()
    gateway.routes = "[route ble_detections]\nnear_dbm = -50\nmedium_dbm = -90\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    assert shown(gateway) == {"near_threshold": -50, "medium_threshold": -90}
    hear(broker, -55)
    database.wait_for("SELECT count(*) FROM ble_detections", 1)
    assert zones(database) == {-55: "medium"}


def test_who_edits_the_table_is_heard(gateway, broker, database):
    database.rows("INSERT INTO zones (near_dbm, medium_dbm) VALUES (-30, -35)")
    wait_shown(gateway, -30, -35)
    database.rows("UPDATE zones SET medium_dbm = -99")
    wait_shown(gateway, -30, -99)
    database.rows("TRUNCATE zones")
    wait_shown(gateway, -60, -75)


@pytest.mark.parametrize("user, status", [(None, 401), ("ana", 403)])
def test_nobody_else_changes_them(gateway, database, user, status):
    for method, path in (("PUT", PATH), ("POST", PATH), ("POST", PATH + "/reset")):
        answer = change(gateway, -40, -70, user, method, path)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert shown(gateway) == CONFIGURED and gateway.get(PATH).status_code == 401
    assert database.value("SELECT count(*) FROM zones") == 0


@pytest.mark.parametrize("body, status", [
    ({"near_threshold": -70, "medium_threshold": -70}, 400),
    ({"near_threshold": -80, "medium_threshold": -70}, 400),
    ({"near_threshold": -40}, 422), ({}, 422), ([], 422), ("x", 422),
    ({"near_threshold": 0, "medium_threshold": -70}, 422),
    ({"near_threshold": -40, "medium_threshold": -128}, 422),
    ({"near_threshold": -40.5, "medium_threshold": -70}, 422),
    ({"near_threshold": "-40", "medium_threshold": -70}, 422),
    ({"near_threshold": 99999999999999999999, "medium_threshold": -70}, 422)])
def test_what_cannot_be_zones_is_told_so(shared_gateway, body, status):
    answer = change(shared_gateway, 0, 0, json=body)
    assert answer.status_code == status, answer.text
    for data, kind, wanted in ((b"{", "application/json", 422), (b"\xff", "application/json", 422),
                               (b"{}", "text/plain", 415)):
        headers = {"Authorization": f"Bearer {shared_gateway.token('root')}", "Content-Type": kind}
        assert requests.put(shared_gateway.url + PATH, data=data, headers=headers,
                            timeout=20).status_code == wanted
    assert shown(shared_gateway) == CONFIGURED
