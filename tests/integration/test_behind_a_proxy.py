"""Behind a proxy each client counts for itself, and nobody else can say who he is."""
import contextlib
import re
import socket
import ssl

import pytest
import requests
from requests.adapters import HTTPAdapter

import proxies
from servers import ROOT, SLOW, free_port
from test_nothing_from_outside_stops_it import read_head, self_signed, status_of
from viewers import Viewer
from waiting import PATIENCE, wait_until

FAILURES = 3  # log-ins that may fail in a minute


@pytest.fixture
def make_proxied(make_gateway):
    """make_proxied(...): a gateway that trusts the proxies of this machine; few log-ins may fail."""
    def make(**settings):
        health = free_port()  # where nobody has to speak for somebody else
        gateway = make_gateway(**{"auth__login_failures_per_minute": FAILURES,
                                  "http__trusted_proxies": "127.0.0.1, ::1",
                                  "http__health_listen": f"127.0.0.1:{health}", **settings})
        gateway.health = f"http://127.0.0.1:{health}"
        gateway.add_user("ana")
        gateway.start(wait=False)

        def is_ready():
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{gateway.health}/readyz", timeout=PATIENCE).status_code == 200

        wait_until(is_ready, "the gateway to be ready", PATIENCE * SLOW)
        return gateway
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
    gateway = make_gateway()
    for text in ("10.0.0.0/8, proxy.example", "10.0.0.0/8,,::1", ",", "0.0.0.0/0", "10.0.0.1/8"):
        gateway.write_conf(http__trusted_proxies=text)
        line = gateway.conf.read_text("utf-8").splitlines().index(f"trusted_proxies = {text}") + 1
        said = gateway.cli("check-config", check=False)
        assert said.returncode == 2
        assert f"tidegate.conf:{line}: http.trusted_proxies: bad value '{text}'" in said.stderr


# ---- PROXY protocol ----


def request(path, body=b""):
    method = b"POST" if body else b"GET"
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    return (method + b" " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + form
            + length + b"\r\n" + body)


def ask(gateway, *pieces, source="127.0.0.1"):
    """The status of what comes back for these pieces, each sent by itself."""
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE, (source, 0)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            s.sendall(piece)
        return status_of(read_head(s))


def try_log_in(gateway, source, user="nobody", password="wrong"):
    return ask(gateway, proxies.preface(source),
               request(b"/api/token", f"username={user}&password={password}".encode()))


@pytest.fixture
def prefaced(make_proxied):
    return make_proxied(http__trusted_proxies="127.0.0.1", http__proxy_protocol="v2",
                        ws__handshake_timeout="1s")


def test_a_connection_is_its_clients_whose_name_the_preface_has(prefaced):
    tries = [try_log_in(prefaced, "198.51.100.1", f"guess-{i}") for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    tries = [try_log_in(prefaced, f"2001:db8::{i}", f"guess-{i}") for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    assert try_log_in(prefaced, "198.51.100.2", "ana", "correct+horse+battery") == 200
    # a header of a client who is no proxy is his own story
    assert ask(prefaced, proxies.preface("198.51.100.1"), request(b"/api/token", b"username=a").replace(
        b"Host:", b"X-Forwarded-For: 198.51.100.7\r\nHost:")) == 400


def test_a_preface_comes_in_any_pieces_with_more_behind_it_or_for_nobody(prefaced):
    whole = proxies.preface("198.51.100.1", more=b"\x04\x00\x05hello" * 20)
    assert ask(prefaced, *(whole[i:i + 1] for i in range(len(whole))), request(b"/livez")) == 200
    assert ask(prefaced, whole + request(b"/livez")) == 200
    assert ask(prefaced, proxies.preface("0.0.0.0", 0x20), request(b"/livez")) == 200
    assert ask(prefaced, proxies.SIGNATURE + b"\x20\x00\x00\x00", request(b"/livez")) == 200


def test_what_is_no_preface_is_said_and_counted(prefaced):
    for wrong in (request(b"/livez"), b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + request(b"/livez"),
                  b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", proxies.preface("1.2.3.4", 0x22)):
        assert ask(prefaced, wrong) == 400, wrong
    with socket.create_connection(("127.0.0.1", prefaced.port), PATIENCE) as s:
        s.sendall(proxies.SIGNATURE)  # and then nothing
        assert s.recv(1) == b""
    said = requests.get(prefaced.url + "/metrics", timeout=PATIENCE).json()
    assert said["code"] == "no_preface" and "version 2" in said["detail"]
    counted = requests.get(prefaced.health + "/metrics", timeout=PATIENCE).text
    assert 'tidegate_ws_refused_total{reason="preface"} 5' in counted


def test_who_is_no_proxy_comes_without_a_preface(prefaced):
    assert ask(prefaced, request(b"/livez"), source="127.0.0.2") == 200
    assert ask(prefaced, proxies.preface("198.51.100.1") + request(b"/livez"), source="127.0.0.2") == 400


def test_the_preface_precedes_tls(make_proxied, folder):
    context = self_signed(folder)
    gateway = make_proxied(http__trusted_proxies="127.0.0.1", http__proxy_protocol="v2",
                           http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem")
    statuses = []
    for i in range(FAILURES + 1):
        with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as plain:
            plain.sendall(proxies.preface("198.51.100.1"))
            with context.wrap_socket(plain) as s:
                s.sendall(request(b"/api/token", b"username=guess-%d&password=x" % i))
                statuses.append(status_of(read_head(s)))
    assert statuses == [401] * FAILURES + [429]
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as plain:
        with contextlib.suppress(OSError), pytest.raises(ssl.SSLError):
            context.wrap_socket(plain)


# ---- real ones ----


@pytest.fixture(params=["nginx", "haproxy", "haproxy-v2"])
def proxied(request, make_proxied, folder):
    """A gateway and the proxy before it."""
    settings = {"http__proxy_protocol": "v2"} if request.param == "haproxy-v2" else {}
    gateway = make_proxied(**settings)
    text = {"nginx": proxies.NGINX, "haproxy": proxies.HAPROXY_HTTP,
            "haproxy-v2": proxies.HAPROXY_TCP}[request.param]
    proxy = proxies.Proxy(folder, gateway, request.param.split("-")[0], text)
    yield gateway, proxy
    proxy.stop()


def test_clients_of_a_real_proxy_are_told_apart(proxied):
    gateway, proxy = proxied

    def through(source, user, password):
        with requests.Session() as session:
            adapter = HTTPAdapter()
            adapter.init_poolmanager(1, 1, source_address=(source, 0))
            session.mount("http://", adapter)
            answer = session.post(proxy.url + "/api/token", timeout=PATIENCE,
                                  headers={"X-Forwarded-For": "203.0.113.9"},
                                  data={"username": user, "password": password})
            return answer.status_code

    tries = [through("127.0.0.2", f"guess-{i}", "x") for i in range(FAILURES + 1)]
    assert tries == [401] * FAILURES + [429]
    assert through("127.0.0.3", "ana", "correct horse battery") == 200

    gateway.port, port = proxy.port, gateway.port  # a viewer through the proxy
    viewer = Viewer(gateway, "/api/ws", gateway.token("ana"),
                    headers={"Origin": proxy.url.replace("http:", "https:")})
    gateway.port = port
    assert "Connected" in viewer.next()
    viewer.send({"type": "ping", "timestamp": "now"})
    assert "pong" in viewer.next()
    viewer.close()


# ---- an EventSource, while the gateway is away ----

MANUAL = (ROOT / "docs/operations.md").read_text("utf-8")


def of_manual(program, has):
    """The block of the manual for @program that has this line."""
    return next(b for b in re.findall(rf"^```{program}\n(.*?)^```$", MANUAL, re.M | re.S) if has in b)


def nginx_of_manual():
    server = of_manual("nginx", "listen 443 ssl;")
    server = re.sub(r"listen 443 ssl;\n.*\n.*\n", "listen 127.0.0.1:{port};\n", server)
    rest = re.search(r"location / \{\n(.*?)\n    \}", server, re.S)[1]
    away = of_manual("nginx", "location @away").replace("# the rest as in location /", rest)
    server = server.rstrip().removesuffix("}") + away + "}\n"
    head, _, _ = proxies.NGINX.partition("    map $http_upgrade")
    return head + server.replace("{", "{{").replace("}", "}}").replace("{{port}}", "{port}") + "}}\n"


def haproxy_of_manual():
    text = of_manual("haproxy", "bind :443 ssl").replace("bind :443 ssl crt /etc/ssl/fleet.pem", "bind 127.0.0.1:{port}")
    line = re.search(r"`(use_backend events .*?)` before", MANUAL)[1]
    text = text.replace("    default_backend", f"    {line}\n    default_backend") + of_manual("haproxy", "backend events")
    return proxies.HAPROXY + text.replace("{", "{{").replace("}", "}}").replace("{{port}}", "{port}")


@pytest.mark.parametrize("program, text, away", [("nginx", nginx_of_manual, 502), ("haproxy", haproxy_of_manual, 503)])
def test_an_event_source_is_put_off_while_the_gateway_is_away(make_proxied, folder, broker, program, text, away):
    gateway = make_proxied()
    proxy = proxies.Proxy(folder, gateway, program, text().replace("127.0.0.1:8000", f"127.0.0.1:{gateway.port}"))
    headers = {"Authorization": "Bearer " + gateway.token("ana"), "Accept": "text/event-stream"}

    def hears():
        with requests.get(proxy.url + "/api/events?to=vehicle/*", headers=headers, stream=True, timeout=PATIENCE) as stream:
            return stream.status_code == 200 and "Cache-Control" in stream.headers  # of the gateway's own

    try:
        wait_until(hears, "the stream through the proxy")
        gateway.stop()
        wait_until(lambda: requests.get(proxy.url + "/api/vehicles", timeout=PATIENCE).status_code == away, "the proxy to know")
        answer = requests.get(proxy.url + "/api/events", headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.text) == (200, "retry: 2000\n\n")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        gateway.start()
        wait_until(hears, "the stream to be back")
        refused = requests.get(proxy.url + "/api/events", timeout=PATIENCE)
        assert refused.status_code == 401
    finally:
        proxy.stop()
