"""Behind a proxy each client counts for itself, and nobody else can say who he is."""
import pytest

from waiting import wait_until

FAILURES = 3  # log-ins that may fail in a minute


@pytest.fixture
def make_proxied(make_gateway):
    """make_proxied(...): a gateway that trusts the proxies of this machine; few log-ins may fail."""
    def make(**settings):
        gateway = make_gateway(auth__login_failures_per_minute=FAILURES,
                               http__trusted_proxies="127.0.0.1, ::1", **settings)
        gateway.add_user("ana")
        return gateway.start()
    return make


def log_in(gateway, source, password="wrong", user="nobody"):
    headers = {"X-Forwarded-For": source} if source else {}
    return gateway.post("/api/token", headers=headers,
                        data={"username": user, "password": password}).status_code


def test_one_clients_wrong_passwords_lock_out_nobody_else(make_proxied):
    gateway = make_proxied()
    tries = [log_in(gateway, "198.51.100.1", user=f"guess-{i}") for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    # whatever he writes before the address that the proxy adds
    assert log_in(gateway, "203.0.113.9, 198.51.100.1") == 429
    assert log_in(gateway, "198.51.100.2", "correct horse battery", "ana") == 200
    assert log_in(gateway, None, "correct horse battery", "ana") == 200


def test_all_addresses_of_an_ipv6_network_are_one_client(make_proxied):
    gateway = make_proxied()
    tries = [log_in(gateway, f"[2001:db8:0:1::{i:x}]:99", user=f"guess-{i}")
             for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    assert log_in(gateway, "2001:db8:0:2::1", "correct horse battery", "ana") == 200


def test_nobody_but_a_trusted_proxy_can_say_where_he_comes_from(make_gateway):
    gateway = make_gateway(auth__login_failures_per_minute=FAILURES,
                           http__trusted_proxies="192.0.2.0/24")
    gateway.start()
    tries = [log_in(gateway, f"198.51.100.{i}", user=f"guess-{i}") for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    answer = gateway.get("/livez", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in answer.headers


def test_the_proxy_says_what_came_by_tls(make_proxied, viewer):
    gateway = make_proxied()
    seen = [gateway.get("/livez", headers=headers).headers.get("Strict-Transport-Security")
            for headers in ({"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"}, {})]
    assert seen == ["max-age=31536000", None, None]

    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Host": "fleet.example",
               "X-Forwarded-Proto": "https"}
    path = f"/api/ws?token={gateway.token('ana')}"
    refused = gateway.get(path, headers={**upgrade, "Origin": "http://fleet.example"})
    assert refused.status_code == 403 and refused.json()["code"] == "forbidden_origin"
    open_one = viewer(path, headers={"Origin": f"https://127.0.0.1:{gateway.port}",
                                     "X-Forwarded-Proto": "https"})
    assert "Connected" in open_one.next()


def test_the_list_of_proxies_follows_a_reload(make_proxied):
    gateway = make_proxied()
    gateway.write_conf(http__trusted_proxies="192.0.2.1")
    gateway.process.send_signal(1)
    wait_until(lambda: "Strict-Transport-Security" not in gateway.get(
        "/livez", headers={"X-Forwarded-Proto": "https"}).headers, "the proxy to be a stranger")


def test_what_is_no_list_of_proxies_is_an_error_with_its_place(make_gateway):
    gateway = make_gateway(http__trusted_proxies="10.0.0.0/8, proxy.example")
    said = gateway.cli("check-config", check=False)
    assert said.returncode != 0
    assert "http.trusted_proxies" in said.stderr and "proxy.example" in said.stderr
