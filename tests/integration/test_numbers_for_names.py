"""A name that is a number: new ones are refused, and an old one never stands for another owner's id."""
import json

import pytest
import requests

from conftest import populate
from identities import native
from viewers import Viewer, refused
from waiting import wait_until

NUMBERS = ("5", "007", "+5", "-5", "５", "٣", "id:5", "ID:9", "1\u200b")


def bearer(gateway, user):
    return {"Authorization": f"Bearer {gateway.token(user)}"}


def test_what_could_be_an_id_is_refused_at_every_door(gateway, database, publisher):
    for name in (*(n for n in NUMBERS if n != "-5"), " 5", b"\xff5".decode("utf-8", "surrogateescape")):
        for command in (["user", "add", name], ["device", "add", name, "--user", "ana"],
                        ["vehicle", "add", name, "--user", "ana"]):
            done = gateway.cli(*command, stdin="correct horse battery\n", check=False)
            assert done.returncode == 2 and "bad name" in done.stderr, (command, done.stderr)
    for code in NUMBERS:
        publisher.publish("tfg/detections/raw", json.dumps({
            "device_id": code, "timestamp": "2026-01-01T00:00:00Z", "detections": []}))
    publisher.publish("tfg/detections/raw", json.dumps({
        "device_id": "scanner 5", "timestamp": "2026-01-01T00:00:00Z", "detections": []}))
    database.wait_for("SELECT count(*) FROM devices WHERE code = 'scanner 5'", 1)
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_device'",
                      len(NUMBERS))
    assert database.value("SELECT count(*) FROM devices") == 3


@pytest.fixture(name="crossed")
def two_owners_and_two_numbers(make_gateway, database):
    """ben has a device and a vehicle whose codes are the ids of ana's."""
    gateway = make_gateway()
    populate(gateway)
    d, v = gateway.ids["dev-1"], gateway.ids["USV-1"]
    for table, code in (("devices", d), ("vehicles", v)):
        database.rows(f"INSERT INTO {table} (code, user_id) VALUES (%s, %s)", str(code),
                      gateway.ids["ben"])
    gateway.start()
    wait_until(lambda: gateway.log().count("name_is_a_number") == 2, "two warnings")
    return gateway, d, v


def test_a_number_never_stands_for_what_is_another_owners(crossed, database, publisher):
    gateway, d, v = crossed
    for owner, code in (("ana", "dev-1"), ("ben", str(d))):
        answer = gateway.post(f"/api/devices/{d}/commands", headers=bearer(gateway, owner),
                              json={"action": "GO"})
        assert answer.status_code == 202
        assert database.value("SELECT d.code FROM commands c JOIN devices d ON d.id = c.device_id "
                              "WHERE command_id = %s", answer.json()["command_id"]) == code
    for owner, name in (("ana", "USV-1"), ("ben", str(v))):
        vehicle = gateway.get(f"/api/vehicles/{v}", owner).json()
        assert vehicle["code"] == name, vehicle
    for name in (f"id:{d}", "dev-1"):
        assert refused(gateway, f"/ws/device/{name}", gateway.token("ana")) == 101
        assert refused(gateway, f"/ws/device/{name}", gateway.token("ben")) == 403
    assert gateway.get(f"/api/vehicles/id:{v}", "root").json()["code"] == "USV-1"
    assert gateway.get(f"/api/vehicles/{v}", "root").status_code == 404  # which of the two?

    sockets = {who: native(gateway, gateway.token(who)) for who in ("ana", "ben")}
    for who, socket in sockets.items():
        socket.send({"op": "subscribe", "id": 1, "to": [f"device/{d}", f"vehicle/{v}"]})
        wait_until(lambda s=socket: any('"id":1,"ok":true' in f for f in s.frames), who)

    # topics: whoever publishes, nobody is taken for another
    publisher.publish(f"ems/{d}/telemetry", '{"of":"nobody"}')
    publisher.publish(f"seano/{v}/raw_log", "of nobody")
    publisher.publish(f"ems/id:{d}/telemetry", '{"of":"ana"}')
    publisher.publish(f"seano/id:{v}/raw_log", "of ana, too")
    publisher.publish(f"users/ben/devices/{d}/status", '{"status":"error"}')
    publisher.publish(f"users/ana/devices/{d}/status", '{"status":"warning"}')
    publisher.publish(f"users/id:{gateway.ids['ana']}/devices/id:{d}/status", '{"status":"online"}')
    database.wait_for("SELECT count(*) FROM dead_letters", 2)
    database.wait_for("SELECT string_agg(status, ',' ORDER BY seq) FROM device_status_logs",
                      "error,warning,online")
    assert database.rows("SELECT device_id, payload->>'of' FROM telemetry") == [(d, "ana")]
    assert database.rows("SELECT vehicle_id, logs FROM raw_logs") == [(v, "of ana, too")]
    sockets["ana"].wait_for(lambda texts: any("of ana, too" in t for t in texts), "what is ana's")
    assert not any("of ana" in t or '"warning"' in t for t in sockets["ben"].frames)


def test_a_token_says_which_device_a_number_means(make_gateway, database):
    gateway = make_gateway()
    populate(gateway)
    d = gateway.ids["dev-1"]
    database.rows("UPDATE devices SET code = %s WHERE code = 'dev-2'", str(d))
    gateway.start()
    for token, code in ((gateway.ids["dev-1 token"], "dev-1"), (gateway.ids["dev-2 token"], str(d))):
        device = Viewer(gateway, f"/ws/device/{d}", token)
        device.send(json.dumps({"from": code}))
        database.wait_for("SELECT count(*) FROM telemetry t JOIN devices d ON d.id = t.device_id "
                          f"WHERE d.code = '{code}' AND t.payload->>'from' = '{code}'", 1)
        device.close()
    assert requests.get(f"{gateway.url}/livez", timeout=10).status_code == 200


def test_ids_do_not_catch_up_with_numbers(make_gateway, database):
    gateway = make_gateway()
    populate(gateway)
    last = gateway.ids["dev-2"]
    database.rows("UPDATE devices SET code = %s WHERE code = 'dev-1'", str(last + 1))
    assert gateway.add_device("dev-3", "ana")[0] == last + 2
