"""Users, devices, vehicles, shares and groups by HTTP: what the command line does, for who may."""
import jwt
import pytest
import requests

from test_api_documents import check as document_says
from viewers import Viewer
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
    {"username": "a\u0007b", "password": PASSWORD}, {"username": None, "password": PASSWORD}]


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
    root("POST", f"users/{fleet.ids['ben']}/disable")
    told(root("POST", f"users/{fleet.ids['ben']}/token"), 409, "conflict")


def test_a_password_and_an_identifier_are_changed(fleet, root):
    told(root("PUT", f"users/{fleet.ids['ana']}/password", {"password": "another horse"}), 200)
    wait_until(lambda: log_in(fleet, "ana", "another horse").status_code == 200, "the new one is good")
    assert log_in(fleet, "ana", PASSWORD).status_code == 401
    assert told(root("PUT", f"users/{fleet.ids['ana']}/identifier", {"identifier": "a-uuid"}), 200)["identifier"] == "a-uuid"
    told(root("PUT", f"users/{fleet.ids['ben']}/identifier", {"identifier": "a-uuid"}), 409, "conflict")
    assert told(root("PUT", f"users/{fleet.ids['ana']}/identifier", {"identifier": None}), 200)["identifier"] is None


def test_a_user_is_deleted_but_not_by_himself(fleet, root):
    told(root("DELETE", f"users/{fleet.ids['ben']}"), 200)
    told(root("DELETE", f"users/{fleet.ids['ben']}"), 404, "not_found")
    told(root("DELETE", f"users/{fleet.ids['root']}"), 409, "yourself")
    told(root("POST", f"users/{fleet.ids['root']}/disable"), 409, "yourself")
    assert fleet.database.value("SELECT user_id FROM devices WHERE code = 'dev-ben'") is None


# ---- devices and vehicles -----------------------------------------------------------------------

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
