"""A token that still holds is exchanged for another one, and never past the end of the log-in."""
import os
import signal
import time

import jwt
import pytest

from viewers import refused
from waiting import wait_until

PASSWORD = "correct horse battery"


def renew(gateway, token, **kwargs):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return gateway.post("/api/token/refresh", headers=headers, **kwargs)


def log_in(gateway, name="ana"):
    answer = gateway.post("/api/token", data={"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    return answer.json()["access_token"]


def forged(gateway, token, **changes):
    """One of the gateway's own with other claims, signed with its secret; None: without that claim."""
    claims = {**jwt.decode(token, options={"verify_signature": False}), **changes}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, gateway.secret, "HS256")


def test_a_token_is_renewed_while_it_holds(gateway):
    token = log_in(gateway)
    answer = renew(gateway, token)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(answer.json()) == ["access_token", "token_type"]
    assert answer.json()["token_type"] == "bearer"
    old, new = (jwt.decode(t, options={"verify_signature": False})
                for t in (token, answer.json()["access_token"]))
    assert new["auth_time"] == old["auth_time"] and new["exp"] >= old["exp"]
    assert {**new, "exp": 0, "iat": 0} == {**old, "exp": 0, "iat": 0}
    # and so is the one that came of it, also where a client sends a body
    again = renew(gateway, answer.json()["access_token"], json={"refresh_token": "of theirs"})
    assert again.status_code == 200
    assert gateway.get("/api/vehicles", headers={
        "Authorization": f"Bearer {again.json()['access_token']}"}).status_code == 200


@pytest.mark.parametrize("ago_s, status, code", [
    (3500, 200, None), (3601, 403, "session_over"), (-3600, 403, "not_renewable")])
def test_a_log_in_ends(make_gateway, ago_s, status, code):
    gateway = make_gateway(auth__session_max="1h", auth__token_ttl="30m")
    gateway.add_user("ana")
    gateway.start()
    now = int(time.time())
    answer = renew(gateway, forged(gateway, log_in(gateway), auth_time=now - ago_s))
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if status == 200:  # no longer than until the end of the log-in
        left = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        assert now < left["exp"] <= now - ago_s + 3600 + 1


def test_what_is_no_log_in_is_not_renewed(make_gateway):
    gateway = make_gateway()
    gateway.add_user("ana")
    gateway.start()
    token = log_in(gateway)
    for other, status, code in (
            (gateway.cli("user", "token", "ana").stdout.strip(), 403, "not_renewable"),
            (forged(gateway, token, auth_time=None), 403, "not_renewable"),
            (forged(gateway, token, auth_time="soon"), 403, "not_renewable"),
            (forged(gateway, token, tidegate_uid=None, tidegate_gen=None), 403, "not_renewable"),
            (forged(gateway, token, exp=int(time.time()) - 1), 401, "token_expired"),
            ("nonsense", 401, "unauthorized"), (None, 401, "unauthorized")):
        answer = renew(gateway, other)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert gateway.get("/api/token/refresh").status_code == 405

    gateway.write_conf(auth__session_max="0")
    os.kill(gateway.pid, signal.SIGHUP)
    wait_until(lambda: renew(gateway, token).status_code == 403, "it to be off")


def test_what_ends_a_token_ends_those_that_were_made_of_it(gateway):
    token = renew(gateway, log_in(gateway)).json()["access_token"]
    gateway.cli("user", "revoke", "ana")
    wait_until(lambda: renew(gateway, token).status_code == 401, "it to have ended")
    assert refused(gateway, "/api/ws/statistics", token) == 403


def test_a_renewed_token_ends_no_sooner_than_the_one_before(make_gateway):
    gateway = make_gateway(auth__session_max="1h", auth__token_ttl="30d")
    gateway.add_user("ana")
    gateway.start()
    token = log_in(gateway)
    old, new = (jwt.decode(t, options={"verify_signature": False})["exp"]
                for t in (token, renew(gateway, token).json()["access_token"]))
    assert new >= old
