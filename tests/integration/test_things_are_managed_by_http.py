"""Users, devices, vehicles, shares and groups by HTTP: what the command line does, for who may."""
import jwt
import pytest
import requests

from test_api_documents import check as document_says
from viewers import Viewer, refused
from waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery"


class Manager:
    """One user's hand on /api/manage."""

    def __init__(self, gateway, name):
        self.gateway, self.name = gateway, name

    def __call__(self, method, path, body=None):
        answer = requests.request(method, f"{self.gateway.url}/api/manage/{path}", json=body, timeout=PATIENCE,
                                  headers={"Authorization": f"Bearer {self.gateway.token(self.name)}"})
        kind, *rest = path.partition("?")[0].split("/")
        document_says(self.gateway, "/".join(["/api/manage", kind, *("{id}" for _ in rest[:1]), *rest[1:]]), method.lower(), answer)
        return answer


@pytest.fixture
def fleet(make_gateway):
    gateway = make_gateway(http__changes_per_minute=1000)
    for name, role in (("root", "admin"), ("ana", "user"), ("ben", "user"), ("vera", "viewer")):
        gateway.ids = {**getattr(gateway, "ids", {}), name: gateway.add_user(name, role)}
    gateway.ids["dev-ana"], gateway.first_token = gateway.add_device("dev-ana", "ana")
    gateway.ids["dev-ben"], _ = gateway.add_device("dev-ben", "ben")
    gateway.ids["USV-ana"] = gateway.add_vehicle("USV-ana", "ana")
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    return gateway


@pytest.fixture
def root(fleet):
    return Manager(fleet, "root")


@pytest.fixture
def ana(fleet):
    return Manager(fleet, "ana")


def log_in(gateway, name, password):
    return gateway.post("/api/token", data={"username": name, "password": password})


def told(answer, status, code=None):
    assert answer.status_code == status, answer.text
    if code:
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json()["code"] == code
    return answer.json()


# ---- users --------------------------------------------------------------------------------------

def test_a_user_is_added_and_may_log_in(fleet, root):
    user = told(root("POST", "users", {"username": "dora", "password": PASSWORD, "role": "viewer"}), 201)
    assert (user["username"], user["role"], user["is_active"], user["identifier"]) == ("dora", "viewer", True, None)
    wait_until(lambda: log_in(fleet, "dora", PASSWORD).status_code == 200, "dora is in")
    told(root("POST", "users", {"username": "dora", "password": PASSWORD}), 409, "conflict")
    listed = told(root("GET", "users"), 200)["items"]
    assert [u["username"] for u in listed] == ["root", "ana", "ben", "vera", "dora"]
    page = told(root("GET", "users?limit=2"), 200)
    rest = told(root("GET", f"users?limit=10&cursor={page['cursor']}"), 200)
    assert [u["username"] for u in page["items"] + rest["items"]] == [u["username"] for u in listed]
    assert rest["cursor"] is None


IMPOSSIBLE = [
    {"username": "17", "password": PASSWORD}, {"username": "a b", "password": PASSWORD}, {"username": "", "password": PASSWORD},
    {"username": "x" * 129, "password": PASSWORD}, {"username": "x", "password": "short"}, {"username": "x"}, {"password": PASSWORD},
    {"username": "x", "password": PASSWORD, "role": "king"}, {"username": ["x"], "password": PASSWORD},
    {"username": "a\u0007b", "password": PASSWORD}, {"username": None, "password": PASSWORD},
    {"username": "x", "password": 31415926535897932384626}, {"username": "x", "password": 1234567890}]


def test_a_user_that_cannot_be_is_told_why(fleet, root):
    before = fleet.database.value("SELECT count(*) FROM users")
    for body in IMPOSSIBLE:
        told(root("POST", "users", body), 422, "invalid")
    assert fleet.database.value("SELECT count(*) FROM users") == before


def test_what_is_no_json_object_is_told(fleet, root):
    for body in ("", "[]", "{", "17"):
        answer = requests.post(f"{fleet.url}/api/manage/users", data=body, timeout=PATIENCE, headers={
            "Authorization": f"Bearer {fleet.token('root')}", "Content-Type": "application/json"})
        told(answer, 400, "bad_request")


def test_a_user_is_shut_out_and_let_in_again_live(fleet, root):
    watching = Viewer(fleet, "/api/ws", fleet.token("ben"))
    told(root("POST", f"users/{fleet.ids['ben']}/disable"), 200)
    assert watching.wait_closed()[0] == 4004
    wait_until(lambda: log_in(fleet, "ben", PASSWORD).status_code == 401, "ben is out")
    assert told(root("POST", f"users/{fleet.ids['ben']}/enable"), 200)["is_active"] is True
    wait_until(lambda: log_in(fleet, "ben", PASSWORD).status_code == 200, "ben is in")


def test_tokens_are_made_and_ended(fleet, root):
    made = told(root("POST", f"users/{fleet.ids['ana']}/token?ttl=120"), 200)
    assert made["expires_in"] == 120 and made["token_type"] == "bearer"
    assert jwt.decode(made["access_token"], fleet.secret, ["HS256"])["sub"] == "ana"
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    assert fleet.status("/api/devices", headers=bearer) == 200
    told(root("POST", f"users/{fleet.ids['ana']}/revoke"), 200)
    wait_until(lambda: fleet.status("/api/devices", headers=bearer) == 401, "the token has ended")
    told(root("POST", f"users/{fleet.ids['ana']}/token?ttl=0"), 400, "bad_parameter")
    for slip in ("tll=120", "expires_in=120", "ttl=120&ttl=99999"):  # it would live longer than was meant
        told(root("POST", f"users/{fleet.ids['ana']}/token?{slip}"), 400, "bad_parameter")
    root("POST", f"users/{fleet.ids['ben']}/disable")
    told(root("POST", f"users/{fleet.ids['ben']}/token"), 409, "conflict")


def test_a_password_and_an_identifier_are_changed(fleet, root):
    told(root("PUT", f"users/{fleet.ids['ana']}/password", {"password": "another horse"}), 200)
    wait_until(lambda: log_in(fleet, "ana", "another horse").status_code == 200, "the new one is good")
    assert log_in(fleet, "ana", PASSWORD).status_code == 401
    assert told(root("PUT", f"users/{fleet.ids['ana']}/identifier", {"identifier": "a-uuid"}), 200)["identifier"] == "a-uuid"
    told(root("PUT", f"users/{fleet.ids['ben']}/identifier", {"identifier": "a-uuid"}), 409, "conflict")
    for body in ({}, {"identifer": "another"}):
        assert "identifier" in told(root("PUT", f"users/{fleet.ids['ana']}/identifier", body), 422, "invalid")["detail"]
    assert fleet.database.value("SELECT identifier FROM users WHERE username = 'ana'") == "a-uuid"
    assert told(root("PUT", f"users/{fleet.ids['ana']}/identifier", {"identifier": None}), 200)["identifier"] is None


def test_a_user_is_deleted_but_not_by_himself(fleet, root):
    told(root("DELETE", f"users/{fleet.ids['ben']}"), 200)
    told(root("DELETE", f"users/{fleet.ids['ben']}"), 404, "not_found")
    told(root("DELETE", f"users/{fleet.ids['root']}"), 409, "yourself")
    told(root("POST", f"users/{fleet.ids['root']}/disable"), 409, "yourself")
    assert fleet.database.value("SELECT user_id FROM devices WHERE code = 'dev-ben'") is None


# ---- devices and vehicles -----------------------------------------------------------------------

def test_an_admin_says_whether_a_device_is_a_gateway_at_the_edge(fleet, root, ana):
    at = f"devices/{fleet.ids['dev-ana']}/uplink"
    assert [device["may_uplink"] for device in told(ana("GET", "devices"), 200)["items"]] == [False]
    told(ana("POST", at), 403, "forbidden")
    assert told(root("POST", at), 200)["may_uplink"] is True
    assert [device["may_uplink"] for device in told(ana("GET", "devices"), 200)["items"]] == [True]
    wait_until(lambda: refused(fleet, "/ws/uplink/dev-ana", fleet.first_token) == 101, "it may")
    told(ana("DELETE", at), 403, "forbidden")
    assert told(root("DELETE", at), 200)["may_uplink"] is False
    wait_until(lambda: refused(fleet, "/ws/uplink/dev-ana", fleet.first_token) == 403, "it may not any more")
    told(root("POST", "devices/4711/uplink"), 404, "not_found")


def test_a_devices_token_is_shown_once_and_is_good(fleet, root, ana):
    made = told(root("POST", "devices", {"code": "dev-new", "user": "ana", "name": "New", "type": "scanner"}), 201)
    assert (made["code"], made["user"], made["name"], made["type"], made["has_token"]) == ("dev-new", "ana", "New", "scanner", True)
    assert made["token"].startswith("tgd_")
    wait_until(lambda: fleet.status("/api/devices/dev-new", headers={"Authorization": f"Bearer {fleet.token('ana')}"}) == 200, "it is there")
    own = Viewer(fleet, "/ws/device/dev-new", made["token"])
    assert "token" not in told(ana("GET", "devices"), 200)["items"][-1]
    rotated = told(ana("POST", f"devices/{made['id']}/token"), 200)["token"]
    assert rotated != made["token"] and own.wait_closed()[0] == 4004
    Viewer(fleet, "/ws/device/dev-new", rotated)
    assert told(ana("DELETE", f"devices/{made['id']}/token"), 200)["has_token"] is False
    assert made["token"] not in fleet.log() and rotated not in fleet.log()
    told(root("POST", "devices", {"code": "dev-new"}), 409, "conflict")
    told(root("POST", "devices", {"code": "dev-other", "user": "nobody"}), 422, "invalid")


def test_a_vehicle_is_added(root, fleet):
    made = told(root("POST", "vehicles", {"code": "USV-new", "user": f"id:{fleet.ids['ben']}"}), 201)
    assert (made["code"], made["user"], made["name"]) == ("USV-new", "ben", None)
    assert told(root("POST", "vehicles", {"code": "USV-none", "user": None}), 201)["user"] is None
    assert [v["code"] for v in told(root("GET", "vehicles"), 200)["items"]] == ["USV-ana", "USV-new", "USV-none"]


@pytest.mark.parametrize("kind, code", [("vehicles", "USV-ana"), ("devices", "dev-ana")])
def test_an_owner_shares_and_takes_back_what_is_his(fleet, ana, kind, code):
    place, ben = f"{kind}/{fleet.ids[code]}/shares", Manager(fleet, "ben")
    told(ben("GET", place), 404, "not_found")
    share = told(ana("PUT", place, {"user": "ben"}), 201)
    assert share["user"] == "ben"
    assert told(ana("PUT", place, {"user": "ben"}), 200)["id"] == share["id"]
    sees = {"Authorization": f"Bearer {fleet.token('ben')}"}
    wait_until(lambda: fleet.status(f"/api/{kind}/{code}", headers=sees) == 200, "ben sees it")
    told(ben("GET", place), 403, "forbidden")
    told(ben("PUT", place, {"user": "vera"}), 403, "forbidden")
    told(ben("DELETE", f"shares/{share['id']}"), 404, "not_found")
    assert [s["user"] for s in told(ana("GET", place), 200)["items"]] == ["ben"]
    told(ana("PUT", place, {"user": "nobody"}), 422, "invalid")
    told(ana("DELETE", f"shares/{share['id']}"), 200)
    wait_until(lambda: fleet.status(f"/api/{kind}/{code}", headers=sees) == 404, "ben sees it no more")


def test_groups_are_made_shared_and_deleted(fleet, root):
    group = told(root("POST", "groups", {"name": "All of them", "devices": ["dev-ana", fleet.ids["dev-ben"]]}), 201)
    assert [d["code"] for d in group["devices"]] == ["dev-ana", "dev-ben"]
    told(root("POST", "groups", {"name": "Other", "devices": ["dev-none"]}), 422, "invalid")
    told(root("POST", "groups", {"name": "Other", "devices": "dev-ana"}), 422, "invalid")
    told(root("PUT", f"groups/{group['id']}/shares", {"user": "vera"}), 201)
    sees = {"Authorization": f"Bearer {fleet.token('vera')}"}
    wait_until(lambda: fleet.status("/api/devices/dev-ben", headers=sees) == 200, "vera sees it")
    assert told(root("GET", "groups"), 200)["items"] == [group]
    told(root("DELETE", f"groups/{group['id']}"), 200)
    wait_until(lambda: fleet.status("/api/devices/dev-ben", headers=sees) == 404, "vera sees it no more")


# ---- rights and limits --------------------------------------------------------------------------

ADMINS = [("GET", "users", None), ("POST", "users", {"username": "x", "password": PASSWORD}), ("DELETE", "users/{ben}", None),
          ("POST", "users/{ben}/disable", None), ("POST", "users/{ben}/enable", None), ("POST", "users/{ben}/revoke", None),
          ("POST", "users/{ben}/token", None), ("PUT", "users/{ben}/password", {"password": PASSWORD}),
          ("PUT", "users/{ben}/identifier", {"identifier": "x"}), ("POST", "devices", {"code": "x"}), ("POST", "vehicles", {"code": "x"}),
          ("GET", "groups", None), ("POST", "groups", {"name": "x", "devices": []}), ("GET", "groups/1/shares", None)]


def test_what_is_for_admins_is_for_nobody_else(fleet):
    before = fleet.database.rows("SELECT id, generation, is_active, identifier, password_hash FROM users ORDER BY id")
    for method, path, body in ADMINS:
        for name in ("ana", "vera"):
            told(Manager(fleet, name)(method, path.format(**fleet.ids), body), 403, "forbidden")
        nobody = requests.request(method, f"{fleet.url}/api/manage/{path.format(**fleet.ids)}", json=body, timeout=PATIENCE)
        told(nobody, 401, "unauthorized")
    assert fleet.database.rows("SELECT id, generation, is_active, identifier, password_hash FROM users ORDER BY id") == before


def test_another_s_answers_as_what_is_not_there(fleet, ana):
    for method, path, body in (("POST", "devices/{}/token", None), ("DELETE", "devices/{}/token", None), ("GET", "devices/{}/shares", None),
                               ("PUT", "devices/{}/shares", {"user": "ana"})):
        answers = [told(ana(method, path.format(number), body), 404, "not_found") for number in (fleet.ids["dev-ben"], 999999, "dev-ben", 0)]
        assert len({str(sorted(answer.items())) for answer in answers}) == 1
    assert [d["code"] for d in told(ana("GET", "devices"), 200)["items"]] == ["dev-ana"]


def test_a_viewer_changes_nothing_of_his_own(fleet, root):
    told(root("POST", "devices", {"code": "dev-vera", "user": "vera"}), 201)
    number = fleet.database.value("SELECT id FROM devices WHERE code = 'dev-vera'")
    vera = Manager(fleet, "vera")
    assert [d["code"] for d in told(vera("GET", "devices"), 200)["items"]] == ["dev-vera"]
    told(vera("POST", f"devices/{number}/token"), 403, "forbidden")
    told(vera("PUT", f"devices/{number}/shares", {"user": "ana"}), 403, "forbidden")


def test_each_change_is_in_the_log_without_secrets(fleet, root):
    root("POST", "users", {"username": "dora", "password": "a secret of dora"})
    root("POST", f"users/{fleet.ids['ben']}/revoke")
    Manager(fleet, "ana")("POST", f"users/{fleet.ids['ben']}/revoke")
    number, by = fleet.database.value("SELECT id FROM users WHERE username = 'dora'"), fleet.ids["root"]
    assert f"managed action=user_add id={number} by={by} status=201" in fleet.log()
    assert f"managed action=user_revoke id={fleet.ids['ben']} by={by} status=200" in fleet.log()
    assert f"managed action=user_revoke id={fleet.ids['ben']} by={fleet.ids['ana']} status=403" in fleet.log()
    assert "secret of dora" not in fleet.log()


def test_one_users_changes_are_bounded_and_no_others(fleet, root, ana):
    fleet.write_conf(http__changes_per_minute=3)
    fleet.stop()
    fleet.start()
    statuses = [ana("POST", "users/1/revoke").status_code for _ in range(5)]
    assert statuses == [403, 403, 403, 429, 429]
    assert int(ana("POST", "users/1/revoke").headers["Retry-After"]) > 0
    assert ana("GET", "devices").status_code == 200  # reading is no change
    told(root("POST", f"users/{fleet.ids['ben']}/revoke"), 200)
    assert fleet.metric("tidegate_changes_refused_total") == 3


def test_things_are_deleted_by_admins_and_what_they_sent_stays(fleet, root, ana, broker, database):
    broker.publish("seano/USV-ana/raw_log", "it was")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    viewer = Viewer(fleet, "/api/ws", fleet.token("ana"), subprotocols=["tidegate.v1"])
    assert viewer.next_json()["type"] == "welcome"
    viewer.send({"op": "subscribe", "id": 1, "to": ["vehicle/*", "device/*"], "set": True})
    for path, code in (("devices", "dev-ana"), ("vehicles", "USV-ana")):
        which = f"{path}/{fleet.ids[code]}"
        told(ana("DELETE", which), 403, "forbidden")
        assert told(root("DELETE", which), 200)["code"] == code
        told(root("DELETE", which), 404, "not_found")
        told(root("DELETE", f"{path}/0"), 404)
        assert code not in [one["code"] for one in root("GET", path).json()["items"]]
    left = []
    while len(left) < 2:
        said = viewer.next_json()
        if said.get("type") == "left":
            left.append((said["reason"], "vehicle_id" in said))
    assert sorted(left) == [("deleted", False), ("deleted", True)]
    viewer.close()
    assert database.value("SELECT count(*) FROM raw_logs") == 1
    broker.publish("seano/USV-ana/raw_log", "it is")
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_vehicle'", 1)
    assert f"managed action=vehicle_delete id={fleet.ids['USV-ana']} by={fleet.ids['root']} status=200" in fleet.log()


def test_devices_are_taken_out_of_a_group(fleet, root, ana):
    group = told(root("POST", "groups", {"name": "Hall", "devices": ["dev-ana", "dev-ben"]}), 201)
    path = f"groups/{group['id']}/remove"
    told(ana("POST", path, {"devices": ["dev-ana"]}), 403, "forbidden")
    told(root("POST", path, {"devices": ["dev-ana", "dev-none"]}), 422, "invalid")
    told(root("POST", path, {}), 422, "invalid")
    told(root("POST", "groups/4711/remove", {"devices": ["dev-ana"]}), 404, "not_found")
    assert [one["code"] for one in told(root("GET", "groups"), 200)["items"][0]["devices"]] == ["dev-ana", "dev-ben"]
    rest = told(root("POST", path, {"devices": ["dev-ana"]}), 200)
    assert rest == {**group, "devices": [one for one in group["devices"] if one["code"] == "dev-ben"]}
    assert told(root("POST", path, {"devices": ["dev-ana"]}), 200) == rest
    assert told(root("POST", path, {"devices": [fleet.ids["dev-ben"]]}), 200)["devices"] == []
    assert told(root("GET", "groups"), 200)["items"][0]["devices"] == []


def test_a_vehicle_keeps_the_number_that_it_has_elsewhere(fleet, root, ana, broker, database):
    told(ana("POST", "vehicles", {"code": "USV-7", "id": 4711}), 403, "forbidden")
    for wrong in (0, -1, "x", 10**15, 1.5, [1]):
        told(root("POST", "vehicles", {"code": "USV-7", "id": wrong}), 422, "invalid")
    assert told(root("POST", "vehicles", {"code": "USV-7", "user": "ana", "id": 4711}), 201)["id"] == 4711
    told(root("POST", "vehicles", {"code": "USV-8", "id": 4711}), 409, "conflict")
    told(root("POST", "vehicles", {"code": "USV-8", "user": "nobody", "id": 4712}), 422, "invalid")
    assert told(root("POST", "vehicles", {"code": "USV-8", "id": 4700}), 201)["id"] == 4700
    assert told(root("POST", "vehicles", {"code": "USV-9", "id": None}), 201)["id"] == 4712
    broker.publish("seano/USV-7/raw_log", "it was")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    told(root("DELETE", "vehicles/4711"), 200)
    told(root("POST", "vehicles", {"code": "USV-7", "id": 4711}), 409, "conflict")
