"""TLS 1.2 with forward secrecy and authenticated encryption, 1.3, and nothing else; HSTS with it."""
import contextlib
import json
import socket
import ssl
import subprocess
import warnings

import pytest

from test_nothing_from_outside_stops_it import dial, read_all, read_head, status_of
from viewers import UPGRADE, Viewer
from waiting import PATIENCE, wait_until

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HSTS = b"\r\nStrict-Transport-Security: max-age=31536000\r\n"
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")

# hellos by hand, of what no library of today would say
SSL_2 = bytes([0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]) + bytes([1, 0, 0x80] * 7) + bytes(16)
SSL_3 = bytes([22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0]) + bytes(32) + bytes([0, 0, 2, 0, 0x35, 1, 0])
TLS_1_0 = SSL_3[:9] + bytes([3, 1]) + SSL_3[11:]


def certify(folder, name="cert", key=EC):
    subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-days", "1", "-subj",
                    f"/CN={name}", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)


def client(version=None, ciphers=None):
    """A context that takes any certificate, and speaks what it is told, however weak."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if ciphers:
        context.set_ciphers(ciphers)
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
    return context


def status(gateway, context):
    with contextlib.suppress(OSError), dial(gateway, LIVEZ, context) as s:
        return status_of(read_head(s))
    return 0


@pytest.fixture
def make_secure(make_gateway, folder):
    def make(key=EC, **settings):
        certify(folder, key=key)
        gateway = make_gateway(http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem",
                               **settings)
        gateway.start(wait=False)
        wait_until(lambda: status(gateway, client()) == 200, "it to answer by TLS")
        return gateway
    return make


def test_what_is_weak_is_refused_and_what_is_strong_is_not(make_secure):
    gateway = make_secure(("-newkey", "rsa:2048"))  # with which old suites would be possible
    v = ssl.TLSVersion
    for version, ciphers, expected in (
            (v.TLSv1, "ALL:@SECLEVEL=0", None), (v.TLSv1_1, "ALL:@SECLEVEL=0", None),
            (v.TLSv1_2, "kRSA:@SECLEVEL=0", None),  # no forward secrecy, also with GCM
            (v.TLSv1_2, "ECDHE+AES+SHA1:ECDHE+AES+SHA256:ECDHE+AES+SHA384:@SECLEVEL=0", None),
            (v.TLSv1_2, "AESCCM:@SECLEVEL=0", None), (v.TLSv1_2, "kDHE:@SECLEVEL=0", None),
            (v.TLSv1_2, "aNULL:@SECLEVEL=0", None), (v.TLSv1_2, "eNULL:@SECLEVEL=0", None),
            (v.TLSv1_2, "PSK:@SECLEVEL=0", None), (v.TLSv1_2, "CAMELLIA:ARIA:@SECLEVEL=0", None),
            (v.TLSv1_2, "ALL:@SECLEVEL=0", "ECDHE-RSA-"), (v.TLSv1_3, None, "TLS_"),
            (v.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            (v.TLSv1_2, "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305")):
        try:
            with dial(gateway, LIVEZ, client(version, ciphers)) as s:
                seen = s.cipher()[0]
                assert s.compression() is None
                assert status_of(read_head(s)) == 200
                # a ticket's key would undo forward secrecy; that of 1.3 makes new keys
                if version == v.TLSv1_2:
                    assert not s.session.has_ticket and not s.session.id, ciphers
        except OSError:
            seen = None
        assert (seen or "").startswith(expected or "-") if expected else seen is None, \
            f"{version.name} {ciphers}: {seen}"
    assert refused_handshakes(gateway) == 10
    assert status(gateway, client()) == 200


def refused_handshakes(gateway):
    with dial(gateway, LIVEZ.replace(b"/livez", b"/metrics"), client()) as s:
        line = b'tidegate_tls_handshakes_total{result="failed"} '
        return int(read_all(s).partition(line)[2].split(b"\n")[0])


def test_hellos_of_old_and_none_at_all_are_refused(make_secure):
    gateway = make_secure()
    for hello in (SSL_2, SSL_3, TLS_1_0, b"\0" * 64, b"\x16\x03\x01\xff\xff" + b"x" * 600,
                  b"\r\n\r\n\0\r\nQUIT\n" + b"\0" * 4):
        with dial(gateway, hello) as s, contextlib.suppress(ConnectionResetError):
            answer = read_all(s)  # an alert at most, and the end: which of them is OpenSSL's affair
            assert len(answer) <= 7 and answer[:1] in (b"", b"\x15"), (hello[:12], answer)
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.port}", "-tls1_2",
                           "-no_ign_eof"], input=b"R\n", capture_output=True, timeout=PATIENCE,
                          check=False)
    text = done.stdout + done.stderr
    assert b"RENEGOTIATING" in text and b"no renegotiation" in text, text[-600:]
    assert b"Compression: NONE" in text
    assert status(gateway, client()) == 200


def test_who_speaks_http_without_tls_is_told_so(make_secure):
    gateway = make_secure()
    for request in (LIVEZ, LIVEZ.replace(b"GET", b"HEAD"), b"POST /api/token HTTP/1.1\r\n\r\n",
                    b"PUT / HTTP/1.1\r\n\r\n", f"GET /api/ws HTTP/1.1\r\n{UPGRADE}\r\n".encode()):
        with dial(gateway, request) as s:
            answer = read_all(s)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert status_of(head) == 400 and b"Connection: close" in head, answer
        assert b"Strict-Transport-Security" not in head  # RFC 6797 7.2: not in the clear
        assert json.loads(body)["code"] == "tls_needed"
    assert refused_handshakes(gateway) == 5


ANSWERS = [
    (LIVEZ, 200), (b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"GET /live/app.js HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404), (b"POST /livez HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"OPTIONS /api/token HTTP/1.1\r\nHost: a\r\n\r\n", 204),
    (b"GET /api/devices HTTP/1.1\r\nHost: a\r\n\r\n", 401), (b"no request\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
    (f"GET /api/ws HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n".encode(), 401),
    (f"GET /ws/device/x HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n".encode(), 403),
    (b"GET /api/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 426),
]


def heads(gateway, context, token):
    """(what was asked, its head) of every sort of answer."""
    more = [(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{lines}\r\n".encode(),
             expected) for path, lines, expected in (
                 ("/api/devices", "", 200), ("/api/alerts", "", 200), ("/api/events", "", 200),
                 ("/api/events/poll?wait=0", "", 204), ("/ws", UPGRADE, 101),
                 ("/api/ws", f"{UPGRADE}Sec-WebSocket-Extensions: permessage-deflate\r\n", 101))]
    for request, expected in [*ANSWERS, *more]:
        with dial(gateway, request, context) as s:
            head = read_head(s)
        assert status_of(head) == expected, (request[:60], head)
        yield request[:60], head


def test_every_answer_by_tls_asks_for_tls_from_now_on(make_secure, make_gateway):
    gateway = make_secure()
    gateway.add_user("ana")
    token = gateway.token("ana")
    wait_until(lambda: b"200 OK" in said(gateway, b"/api/devices", token), "ana to be known")
    for request, head in heads(gateway, client(), token):
        assert head.count(HSTS) == 1, (request, head)


def said(gateway, path, token):
    with dial(gateway, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
              + token.encode() + b"\r\n\r\n", client()) as s:
        return read_head(s)


def test_no_answer_in_the_clear_does_nor_where_it_is_off(make_secure, make_gateway):
    plain = make_gateway()
    plain.add_user("ana")
    plain.start()
    for request, head in heads(plain, None, plain.token("ana")):
        assert b"Strict-Transport-Security" not in head, (request, head)
    off = make_secure(http__hsts=0)
    with dial(off, LIVEZ, client()) as s:
        assert b"Strict-Transport-Security" not in read_head(s)


def test_a_proxy_of_ours_says_whether_the_client_came_by_tls(make_secure):
    gateway = make_secure(http__trusted_proxies="127.0.0.1")
    for scheme, n in ((b"https", 1), (b"http", 0)):
        for path, lines in ((b"/livez", b""), (b"/api/ws", UPGRADE.encode())):
            with dial(gateway, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1"
                      b"\r\nX-Forwarded-Proto: " + scheme + b"\r\n" + lines + b"\r\n", client()) as s:
                assert read_head(s).count(HSTS) == n, (scheme, path)


def name_of(gateway):
    """The name in the certificate that it shows."""
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as s, \
            client().wrap_socket(s) as tls:
        text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
                              input=tls.getpeercert(True), capture_output=True, check=True).stdout
    return text.decode().rpartition("= ")[2].strip()


def test_a_certificate_is_loaded_again_by_sighup_and_a_bad_one_is_not(make_secure, folder):
    gateway = make_secure()
    with dial(gateway, b"", client()) as at_rest:
        certify(folder, "renewed")
        gateway.process.send_signal(1)
        wait_until(lambda: name_of(gateway) == "renewed", "the new certificate")
        for break_it in (lambda: (folder / "cert.pem").write_text("no certificate"),
                         lambda: (folder / "key.pem").write_text("no key"),
                         lambda: (folder / "cert.pem").unlink()):
            certify(folder, "never")
            break_it()
            n = gateway.log().count("reload_refused")
            gateway.process.send_signal(1)
            wait_until(lambda before=n: gateway.log().count("reload_refused") > before, "no reload")
            assert name_of(gateway) == "renewed"
        at_rest.sendall(LIVEZ)  # whoever was there before goes on
        assert status_of(read_head(at_rest)) == 200


def test_a_certificate_that_cannot_be_used_is_an_error_with_its_place(make_gateway, folder):
    gateway = make_gateway(http__tls_cert=folder / "cert.pem", http__tls_key=folder / "key.pem")
    line = gateway.conf.read_text("utf-8").splitlines().index(
        f"tls_cert = {folder / 'cert.pem'}") + 1

    def refused(what):
        done = gateway.cli("check-config", check=False)
        assert done.returncode == 2, what
        assert f"tidegate.conf:{line}: http.tls_cert:" in done.stderr, f"{what}: {done.stderr}"
        return done.stderr

    certify(folder, key=("-newkey", "rsa:1024"))
    refused("a key that is too small")
    certify(folder)
    key = (folder / "key.pem").read_bytes()
    certify(folder)
    (folder / "key.pem").write_bytes(key)
    assert "key values mismatch" in refused("the key of another")
    certify(folder)
    subprocess.run(["openssl", "ec", "-aes128", "-passout", "pass:secret", "-in", folder / "key.pem",
                    "-out", folder / "locked.pem"], check=True, capture_output=True)
    (folder / "locked.pem").rename(folder / "key.pem")
    refused("a key with a password")
    (folder / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    refused("no certificate")
    gateway.start(wait=False)
    assert gateway.process.wait(PATIENCE * 3) == 2
    gateway.process = None


def test_a_viewer_and_its_ticket_go_by_tls(make_secure):
    gateway = make_secure()
    gateway.add_user("ana")
    wait_until(lambda: b"200 OK" in said(gateway, b"/api/devices", gateway.token("ana")), "ana")
    viewer = Viewer(gateway, "/api/ws", gateway.token("ana"), tls=client())
    assert "Connected" in viewer.next()
    viewer.close()


def test_what_the_gateway_offers_a_broker(make_gateway, folder):
    certify(folder, "localhost", ("-newkey", "rsa:2048", "-addext", "subjectAltName=DNS:localhost"))

    def seen(**settings):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            for name, value in settings.items():
                if name == "ciphers":
                    context.set_ciphers(value)
                else:
                    setattr(context, name, value)
        with contextlib.suppress(ssl.SSLError, ConnectionError), \
                listener.accept()[0] as s, context.wrap_socket(s, server_side=True) as tls:
            return tls.version(), tls.cipher()[0]
        return None

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        gateway = make_gateway(broker=None, mqtt__ca_file=folder / "cert.pem",
                               mqtt__url=f"mqtts://localhost:{listener.getsockname()[1]}")
        gateway.start(wait=False)
        v = ssl.TLSVersion

        def agreed(**settings):  # some connections are given up before anybody accepts them
            return wait_until(lambda: seen(**settings), "a handshake")

        assert agreed()[0] == "TLSv1.3"
        assert agreed(minimum_version=v.TLSv1_3)[0] == "TLSv1.3"
        assert agreed(maximum_version=v.TLSv1_2)[0] == "TLSv1.2"
        for ciphers in ("ECDHE+AESGCM", "ECDHE+CHACHA20"):
            assert agreed(maximum_version=v.TLSv1_2, ciphers=ciphers)[1].startswith("ECDHE-RSA-")
        weak = {"minimum_version": v.TLSv1, "maximum_version": v.TLSv1_2}
        for ciphers in ("kRSA", "ECDHE+AES+SHA1", "ECDHE+AES+SHA256", "aNULL", "eNULL"):
            assert seen(**weak, ciphers=f"{ciphers}:@SECLEVEL=0") is None, ciphers
        assert seen(minimum_version=v.TLSv1, maximum_version=v.TLSv1_1,
                    ciphers="ALL:@SECLEVEL=0") is None
        wait_until(lambda: 'failed="TLS: ' in gateway.log(), "a line that says why")
