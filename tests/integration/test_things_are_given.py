"""Promise: what registered itself is nobody's until an admin gives it, and then its owner's at once."""
import concurrent.futures
import json

import psycopg2
import pytest

from uplinks import Edge
from viewers import refused
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


# ---- what others do meanwhile ----

@pytest.mark.parametrize("raw", [
    "", "null", "{", "[]", '"ana"', '{"user":"ana"} x', '{"user":"ana"}{}', '{"user":-1}', '{"user":0}', '{"user":9223372036854775808}',
    '{"user":"id:-1"}', '{"user":"id:9999999999999999999999"}', '{"user":""}', '{"user":" ana"}', '{"user":"ana\\u0000"}',
    '{"user":"\\ud800"}', '{"user":{"id":1}}', '{"User":"ana"}', '{"user":NaN}', '{"user":"ana\xff"}', '{"user":' + "[" * 100 + "]" * 100 + "}"])
def test_what_says_no_user_gives_nothing(gateway, database, raw):
    before = database.rows("SELECT user_id FROM devices ORDER BY id")
    for path in ("/api/devices/dev-1", "/api/vehicles/USV-1"):
        answer = gateway.put(path + "/owner", "root", data=raw.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert database.rows("SELECT user_id FROM devices ORDER BY id") == before


@pytest.mark.parametrize("path, status", [("/api/devices/%00", 400), ("/api/devices/%ff", 400), ("/api/devices/", 404),
                                          ("/api/devices/id:0", 404), ("/api/devices/id:99999999999999999999", 404),
                                          ("/api/devices/" + "x" * 250, 414), ("/api/vehicles/-1", 404)])
def test_what_is_no_thing_is_not_given(gateway, path, status):
    assert give(gateway, path, "root", {"user": "ana"}).status_code == status


def test_two_admins_at_once_end_as_the_database_says(gateway, database):
    gateway.add_user("second", "admin")
    wait_until(lambda: gateway.get("/api/devices/dev-1", "second").status_code == 200, "the second admin to be known")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: give(gateway, "/api/devices/dev-1", ("root", "second")[i % 2],
                                               {"user": ("ana", "ben", None)[i % 3]}).status_code, range(60)))
    assert set(answers) == {200}
    owner = database.value("SELECT username FROM devices LEFT JOIN users u ON u.id = user_id WHERE code = 'dev-1'")
    for user in ("ana", "ben"):
        wait_until(lambda u=user: gateway.get("/api/devices/dev-1", u).status_code == (200 if u == owner else 404),
                   f"{user} to see what {owner} has")


def gives_while(gateway, database, statement, *values):
    """How a PUT ends that met an open transaction of somebody else, which does @statement."""
    other = psycopg2.connect(database.url)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, other, other.cursor() as cursor:
        cursor.execute(statement, values)
        answer = pool.submit(give, gateway, "/api/devices/dev-1", "root", {"user": "ben"})
        database.wait_for("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", True)
        other.commit()
    other.close()
    return answer.result()


def test_a_thing_that_is_deleted_meanwhile_is_no_more(gateway, database):
    assert gives_while(gateway, database, "DELETE FROM devices WHERE code = 'dev-1'").status_code == 404


def test_a_user_who_is_deleted_meanwhile_gets_nothing(gateway, database):
    answer = gives_while(gateway, database, "DELETE FROM users WHERE username = 'ben'")
    assert (answer.status_code, answer.json()["detail"]) == (422, "There is no such user.")
    assert database.value("SELECT user_id FROM devices WHERE code = 'dev-1'") == gateway.ids["ana"]


def test_another_admin_who_was_first_is_followed(gateway, database):
    assert gives_while(gateway, database, "UPDATE devices SET user_id = NULL WHERE code = 'dev-1'").status_code == 200
    assert database.value("SELECT user_id FROM devices WHERE code = 'dev-1'") == gateway.ids["ben"]


# ---- who had it ----

WAYS = {
    "REST": lambda g: [give(g, "/api/devices/dev-1", "root", {"user": "ben"}), give(g, "/api/vehicles/USV-1", "root", {"user": "ben"})],
    "the command line": lambda g: [g.cli("device", "assign", "dev-1", "--user", "ben"), g.cli("vehicle", "assign", "USV-1", "--user", "ben")],
    "SQL": lambda g: g.database.rows("UPDATE devices SET user_id = %s WHERE code = 'dev-1'", g.ids["ben"]) or g.database.rows(
        "UPDATE vehicles SET user_id = %s WHERE code = 'USV-1'", g.ids["ben"]),
    "an end": lambda g: g.database.rows("DELETE FROM devices WHERE code = 'dev-1'") or g.database.rows("DELETE FROM vehicles WHERE code = 'USV-1'"),
}


def speak(broker, n):
    broker.publish("ems/dev-1/telemetry", json.dumps({"n": n}))
    broker.publish("devices/dev-1/status", json.dumps({"status": "online", "temperature": n}))
    broker.publish("seano/USV-1/raw_log", f"line {n}")
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [{"device_hash": "ab" * 32, "rssi": -50}]}))
    broker.publish("surveillance/camera/dev-1/event", json.dumps({"event_type": "motion", "data": {"n": n}}))


@pytest.mark.parametrize("way", WAYS)
def test_who_had_it_hears_no_more_of_it_on_any_socket(gateway, broker, viewer, way):
    """Those that are about it alone are closed; the others go on without it."""
    own = {path: viewer(path, "ana") for path in ("/ws/device/dev-1", "/ws/dashboard/dev-1", "/api/ws/vehicle/USV-1")}
    all_of = {path: viewer(path, "ana") for path in ("/ws", "/ws/devices", "/api/ws", "/api/ws/statistics")}
    named = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    named.send({"op": "subscribe", "id": 1, "to": ["device/dev-1", "vehicle/USV-1"]})
    native = viewer("/api/ws", "ana", subprotocols=["tidegate.v1"])
    native.send({"op": "subscribe", "id": 1, "to": ["device/*", "vehicle/*"]})
    witness = viewer("/api/ws", "root")
    speak(broker, 1)
    own["named"] = named
    for path, v in own.items():
        v.wait_for(lambda texts: any('"n": 1' in t or '"n":1' in t or "line 1" in t for t in texts), f"the first message on {path}")
    WAYS[way](gateway)
    for path, v in own.items():
        assert v.wait_closed()[0] == 4004, path
    before = {path: len(v.frames) for path, v in {**all_of, "native": native}.items()}
    speak(broker, 2)
    if way != "an end":
        witness.wait_for(lambda texts: any("line 2" in t for t in texts), "the second message")
    broker.publish("seano/USV-2/raw_log", "of another")
    witness.wait_for(lambda texts: any("of another" in t for t in texts), "what came after it")
    for path, v in {**all_of, "native": native}.items():
        heard = "".join(v.frames[before[path]:])
        assert "line 2" not in heard and '"n":2' not in heard and '"temperature":2' not in heard and '"count":1' not in heard, (path, heard)
        assert not v.closed, path


@pytest.mark.parametrize("way", [way for way in WAYS if way != "an end"])
def test_who_saw_it_by_a_share_of_its_owner_sees_nothing_of_the_next_one(gateway, broker, database, viewer, way):
    gateway.add_user("carl")
    for what, code in (("device", "dev-1"), ("vehicle", "USV-1")):
        assert gateway.put(f"/api/manage/{what}s/{gateway.ids[code]}/shares", "ana", json={"user": "carl"}).status_code == 201
        wait_until(lambda w=what, c=code: gateway.get(f"/api/{w}s/{c}", "carl").status_code == 200, "carl to see it")
    carl = viewer("/api/ws/vehicle/USV-1", "carl")
    WAYS[way](gateway)
    assert carl.wait_closed()[0] == 4004
    for path in ("/api/devices/dev-1", "/api/vehicles/USV-1"):
        wait_until(lambda p=path: gateway.get(p, "ben").status_code == 200, "ben to have it")
        assert gateway.get(path, "carl").status_code == 404
    assert database.value("SELECT count(*) FROM shares") == 0


def test_what_is_nobodys_meanwhile_stays_shared_until_somebody_has_it(gateway, database):
    database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", gateway.ids["ben"], gateway.ids["dev-1"])
    assert give(gateway, "/api/devices/dev-1", "root", {"user": None}).status_code == 200
    assert database.value("SELECT count(*) FROM shares") == 1
    gateway.add_user("dora")
    wait_until(lambda: give(gateway, "/api/devices/dev-1", "root", {"user": "dora"}).status_code == 200, "her to be known")
    assert database.value("SELECT count(*) FROM shares") == 0


# ---- what it might do for its owner ----

@pytest.mark.parametrize("way", [way for way in WAYS if way != "an end"])
def test_an_edge_that_gets_another_owner_may_bring_nothing_until_it_is_let_again(gateway, database, way):
    token = gateway.ids["dev-1 token"]
    gateway.cli("device", "uplink", "dev-1", "on")
    wait_until(lambda: refused(gateway, "/ws/uplink/dev-1", token) == 101, "the gateway to know")
    edge = Edge(gateway, token, code="dev-1")
    WAYS[way](gateway)
    assert edge.socket.wait_closed()[0] == 4004
    assert database.value("SELECT may_uplink FROM devices WHERE code = 'dev-1'") is False
    wait_until(lambda: refused(gateway, "/ws/uplink/dev-1", token) == 403, "it to be let in nowhere")
    gateway.cli("device", "uplink", "dev-1", "on")
    wait_until(lambda: refused(gateway, "/ws/uplink/dev-1", token) == 101, "the gateway to know of the admin's word")


def test_an_edge_of_nobody_that_was_let_is_given_with_its_right(gateway, database):
    may = "SELECT may_uplink FROM devices WHERE code = 'dev-1'"
    gateway.cli("device", "uplink", "dev-1", "on")
    database.rows("UPDATE devices SET user_id = user_id, name = 'Boat' WHERE code = 'dev-1'")
    assert database.value(may) is True
    assert give(gateway, "/api/devices/dev-1", "root", {"user": None}).status_code == 200
    assert database.value(may) is False
    gateway.cli("device", "uplink", "dev-1", "on")
    assert give(gateway, "/api/devices/dev-1", "root", {"user": "ben"}).status_code == 200
    assert database.value(may) is True
