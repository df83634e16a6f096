"""GET /api/me: what a page has to know at its start."""
import time

import pytest


@pytest.fixture
def me(make_gateway):
    gateway = make_gateway(http__dashboard_tiles="tiles/world.pmtiles", http__dashboard_attribution="© Somebody", pages__timezone="Europe/Madrid")
    gateway.add_user("ana")
    gateway.add_user("vera", role="viewer")
    gateway.add_user("root", role="admin")
    gateway.start()
    return gateway


@pytest.mark.parametrize("name, role, command, administer", [("ana", "user", True, False), ("vera", "viewer", False, False),
                                                              ("root", "admin", True, True)])
def test_a_user_is_told_who_he_is_and_what_he_may(me, name, role, command, administer):
    told = me.get("/api/me", name).json()
    assert (told["user"]["username"], told["user"]["role"]) == (name, role)
    assert told["may"] == {"watch": True, "command": command, "administer": administer}
    assert 0 < told["expires_in"] and told["guests"] is False and told["broker"] is True
    assert told["timezone"] == "Europe/Madrid"
    assert told["map"] == {"tiles": "tiles/world.pmtiles", "style": None, "attribution": "© Somebody"}
    assert me.get("/api/me", name).headers["Cache-Control"] == "no-store"


def test_who_has_not_signed_in_is_told_so(me):
    answer = me.get("/api/me")
    assert answer.status_code == 200 and answer.json()["user"] is None
    assert answer.json()["may"] == {"watch": False, "command": False, "administer": False}


def test_a_credential_that_is_bad_is_told_as_ever(me):
    bad = me.get("/api/me", headers={"Authorization": "Bearer nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (401, "unauthorized")
    over = me.get("/api/me", headers={"Authorization": "Bearer " + me.token("ana", exp=int(time.time()) - 100)})
    assert (over.status_code, over.json()["code"]) == (401, "token_expired")


def test_guests_are_told_that_they_need_not_sign_in(make_gateway):
    gateway = make_gateway(auth__anonymous="/api/ws, tidegate.v1")
    gateway.start()
    told = gateway.get("/api/me").json()
    assert told["guests"] is True and told["may"]["watch"] is True and told["user"] is None
