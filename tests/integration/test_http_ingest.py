"""Dialect A's receivers post what they hear; 200 means that it is as safe as an acked message."""
import json

import pytest
import requests

from conftest import populate
from waiting import PATIENCE, wait_until

HASH = "ab" * 32
ONE = {"device_hash": HASH, "rssi": -55, "timestamp": "2025-10-18T12:00:00Z"}


def bulk(device="dev-1", items=None):
    return {"device_id": device, "timestamp": "2025-10-18T12:00:01Z",
            "detections": [ONE] if items is None else items}


def post(gateway, body, token="dev-1 token", path="/api/v1/detections/bulk", **headers):
    if token:
        headers.setdefault("Authorization", f"Bearer {gateway.ids.get(token, token)}")
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return requests.post(gateway.url + path, data=data, timeout=PATIENCE,
                         headers={"Content-Type": "application/json", **headers})


@pytest.mark.smoke
def test_a_batch_is_saved_shown_and_counted(gateway, database, viewer):
    view = viewer("/ws", "ana")
    answer = post(gateway, bulk(items=[ONE, {**ONE, "rssi": -70}, {**ONE, "rssi": "loud"},
                                       {"rssi": -1}]))
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    database.wait_for("SELECT count(*) FROM ble_detections", 2)
    assert database.rows("SELECT zone, rssi FROM ble_detections ORDER BY item") == \
        [("near", -55.0), ("medium", -70.0)]
    frame = view.next_of("detection_event")
    assert (frame["device_id"], frame["count"]) == ("dev-1", 2)
    database.wait_for("SELECT count(*) FROM dead_letters", 2)
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("path", ["/api/v1/detections/bulk", "/api/v1/detections/",
                                  "/api/v1/detections", "/api/v1/detections/bulk/"])
def test_by_either_credential_on_every_path(gateway, database, path):
    assert post(gateway, bulk(), path=path).status_code == 200
    answer = post(gateway, bulk(), None, path, **{"X-API-Key": gateway.ids["dev-1 token"]})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "saved": 1})
    database.wait_for("SELECT count(*) FROM ble_detections", 2)


def test_a_single_detection(gateway, database):
    answer = post(gateway, {"device_id": "dev-1", **ONE}, path="/api/v1/detections/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "saved": 1})
    assert post(gateway, ONE, path="/api/v1/detections/").status_code == 200  # the token says whose
    database.wait_for("SELECT count(*) FROM ble_detections", 2)


def test_an_empty_batch_is_a_sign_of_life(gateway, database):
    assert post(gateway, bulk(items=[])).json() == {"status": "ok", "saved": 0}
    database.wait_for("SELECT count(*) FROM device_states WHERE last_seen IS NOT NULL", 1)


def test_who_may_not_post(gateway, database):
    assert post(gateway, bulk(), None).status_code == 401
    assert post(gateway, bulk(), "tgd_wrong").status_code == 401
    assert post(gateway, bulk(), gateway.token("ana")).status_code == 401
    assert post(gateway, bulk("dev-2")).status_code == 403
    assert post(gateway, bulk("none")).status_code == 403
    gateway.cli("device", "token", "revoke", "dev-1")
    wait_until(lambda: post(gateway, bulk()).status_code == 401, "the token to be revoked")
    assert database.value("SELECT count(*) FROM ble_detections") <= 1


def test_guessing_is_slowed_down_and_hurts_nobody_else(make_gateway):
    gateway = make_gateway(auth__token_failures_per_minute=5)
    populate(gateway)
    gateway.start()
    answers = [post(gateway, bulk(), f"tgd_guess_{n}") for n in range(12)]
    assert {a.status_code for a in answers} == {401, 429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert post(gateway, bulk()).status_code == 200


@pytest.mark.parametrize("body, place", [
    ("", "empty"), ("not json", "line 1, column 1 (byte 0)"), ("[]", "not an object"), ("{}", "/device_hash"), ('{"detections":5}', "/detections"),
    ("{'detections':[]}", "line 1, column 2 (byte 1)"), ('{"detections":[{}]}', "/detections/0/device_hash"),
    ('{"detections":[\n {"device_hash":"ab","rssi":-5}]}', '/detections/0/device_hash: not 64 hexadecimal digits'),
    ('{"detections":[{"device_hash":"%s","rssi":"loud"}, 5]}' % ("a" * 64), "/detections/0/rssi"), ('{"device_id":[],"detections":[]}', "/device_id"),
    ('{"detections":[{"device_hash":"%s"},{"rssi":1}]}' % ("a" * 64), "/detections/0/rssi"),
    pytest.param(json.dumps(bulk(items=[ONE] * 4097)), "payload: ", id="too many")])
def test_what_cannot_be_used_is_refused_and_its_place_named(gateway, body, place):
    answer = post(gateway, body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert place in answer.json()["detail"]


def test_the_place_is_said_as_a_letter_of_mqtt_says_it(gateway, broker, database):
    body = json.dumps(bulk(items=[{**ONE, "rssi": 999}]))
    broker.publish("tfg/detections/raw", body)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.value("SELECT detail FROM dead_letters") in post(gateway, body).json()["detail"]


def test_too_large_or_not_json_by_its_own_word(gateway):
    assert post(gateway, "x" * (2 << 20)).status_code == 413
    assert post(gateway, bulk(), **{"Content-Type": "text/plain"}).status_code == 415


def test_a_script_that_names_no_type_means_json(gateway, database):
    assert post(gateway, bulk(), **{"Content-Type": None}).json() == {"status": "ok", "saved": 1}
    database.wait_for("SELECT count(*) FROM ble_detections", 1)
    assert post(gateway, "device_id=dev-1", **{"Content-Type": None}).status_code == 422


def test_acknowledged_is_safe(gateway, postgres, database):
    """The database is away, the gateway is killed: what was answered with 200 is stored once."""
    postgres.stop()
    for _ in range(20):
        assert post(gateway, bulk()).status_code == 200
    gateway.kill()
    postgres.start()
    gateway.start()
    database.wait_for("SELECT count(*) FROM ble_detections", 20)


def test_a_full_journal_says_when_to_come_back(make_gateway, postgres, database):
    gateway = make_gateway(journal__max_bytes="512K", journal__min_free_bytes=0)
    populate(gateway)
    gateway.start()
    postgres.stop()
    answers = []
    while len(answers) < 200 and (not answers or answers[-1].status_code == 200):
        answers.append(post(gateway, bulk(items=[ONE] * 100)))
    assert answers[-1].status_code == 503
    assert int(answers[-1].headers["Retry-After"]) > 0
    n_good = len(answers) - 1
    postgres.start()
    database.wait_for("SELECT count(DISTINCT seq) FROM ble_detections", n_good)
    wait_until(lambda: post(gateway, bulk()).status_code == 200, "room again")


@pytest.mark.parametrize("odd, saved", [({"rssi": 999}, 2), ({"rssi": "-60"}, 3),
                                        ({"rssi": None}, 2), ({"timestamp": "yesterday"}, 3),
                                        ({"rssi": "-60 dBm"}, 2), ({"device_hash": 5}, 2)])
def test_what_is_said_to_be_saved_is_stored(gateway, database, odd, saved):
    answer = post(gateway, bulk(items=[ONE, {**ONE, **odd}, ONE]))
    assert (answer.status_code, answer.json()["saved"]) == (200, saved)
    database.wait_for("SELECT count(*) FROM ble_detections", saved)
    alone = post(gateway, {"device_id": "dev-1", **ONE, **odd}, path="/api/v1/detections/")
    assert alone.status_code == (200 if saved == 3 else 422)
    assert post(gateway, bulk()).json()["saved"] == 1
    database.wait_for("SELECT count(*) FROM ble_detections", saved + 1 + (saved == 3))
    database.wait_for("SELECT count(*) FROM dead_letters", 3 - saved)


@pytest.mark.parametrize("odd", ["\ufeff%s", "%s\0\0", "\ufeff%s\0", " \r\n%s\r\n"], ids=repr)
def test_what_an_editor_or_a_c_string_leaves_is_no_part_of_it(gateway, database, odd):
    answer = post(gateway, (odd % json.dumps(bulk())).encode())
    assert (answer.status_code, answer.json()["saved"]) == (200, 1), answer.text
    database.wait_for("SELECT count(*) FROM ble_detections", 1)


@pytest.mark.parametrize("member", ['"battery":NaN', '"temperature":-inf', '"iccid":89490200001234567890', '"v":1e400',
                                    '"name":"caf\xe9"', '"name":"hall\\u0000"', '"name":"\\ud800"', '"location":[1]'])
def test_what_nobody_needs_costs_no_detection(gateway, database, member):
    """Beside the list, and in an item; as over MQTT."""
    item = json.dumps(ONE)[:-1] + "," + member + "}"
    beside = '{"device_id":"dev-1",%s,"detections":[%s,%s]}' % (member, json.dumps(ONE), item)
    answer = post(gateway, beside.encode("latin-1"))
    assert (answer.status_code, answer.json()["saved"]) == (200, 2), answer.text
    alone = post(gateway, item.encode("latin-1"), path="/api/v1/detections/")
    assert (alone.status_code, alone.json()["saved"]) == (200, 1), alone.text
    database.wait_for("SELECT count(*) FROM ble_detections", 3)
    assert database.value("SELECT count(*) FROM dead_letters") == 0


@pytest.mark.parametrize("said", ["0", "1e999", "NaN", '"0000-00-00 00:00:00"', "false", "[]", "-1", '"28.11.2026"', '{"$date":1}'])
def test_an_odd_time_costs_itself(gateway, database, said):
    body = '{"device_id":"dev-1","timestamp":%s,"detections":[{"device_hash":"%s","rssi":" -55 ","timestamp":%s}]}'
    answer = post(gateway, body % (said, HASH, said))
    assert (answer.status_code, answer.json()["saved"]) == (200, 1), answer.text
    database.wait_for("SELECT count(*) FROM ble_detections WHERE rssi = -55 AND abs(extract(epoch FROM now() - time)) < 60", 1)
