"""A password that was right is not hashed again for a while, and is asked for in the database each time."""
import pytest

from conftest import populate

PASSWORD = "correct horse battery"


def log_in(gateway, user, password=PASSWORD):
    return gateway.post("/api/token", data={"username": user, "password": password}).status_code


def n_cached(gateway):
    return gateway.metric("tidegate_logins_cached_total")


@pytest.fixture
def known_gateway(make_gateway):
    """Where ana and ben have logged in once."""
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    assert [log_in(gateway, user) for user in ("ana", "ben")] == [200, 200]
    assert n_cached(gateway) == 0
    return gateway


def test_who_logs_in_again_is_not_hashed_again(known_gateway):
    assert [log_in(known_gateway, user) for user in ("ana", "ben", "ana")] == [200] * 3
    assert n_cached(known_gateway) == 3


def test_a_wrong_password_stays_wrong_beside_one_that_was_right(known_gateway):
    assert [log_in(known_gateway, "ana", text) for text in ("wrong", PASSWORD.upper(), PASSWORD + " ")] == [401] * 3
    assert log_in(known_gateway, "eve") == 401  # ana's password is nobody else's
    assert n_cached(known_gateway) == 0


END = {
    "its password changed": lambda g: g.cli("user", "password", "ana", stdin="another long one\n"),
    "disabled": lambda g: g.cli("user", "disable", "ana"),
    "deleted": lambda g: g.cli("user", "delete", "ana"),
}


@pytest.mark.parametrize("end", END)
def test_a_password_that_ended_is_refused_at_the_next_log_in(known_gateway, end):
    assert log_in(known_gateway, "ana") == 200
    END[end](known_gateway)
    assert log_in(known_gateway, "ana") == 401
    assert log_in(known_gateway, "ben") == 200
    assert n_cached(known_gateway) == 2


def test_the_same_password_set_anew_is_hashed_anew(known_gateway):
    known_gateway.cli("user", "password", "ana", stdin=PASSWORD + "\n")
    assert [log_in(known_gateway, "ana") for _ in range(2)] == [200, 200]
    assert n_cached(known_gateway) == 1


def test_without_a_cache_each_log_in_is_hashed(make_gateway):
    gateway = make_gateway(auth__login_cache=0)
    populate(gateway)
    gateway.start()
    assert [log_in(gateway, "ana") for _ in range(3)] == [200] * 3
    assert n_cached(gateway) == 0
