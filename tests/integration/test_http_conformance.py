"""RFC 9112 to the letter: what is a request, where it ends, what is refused, and how that is said.

Whatever is refused is answered by a problem (RFC 9457) whose framing is right. Where a second reader
could see the end of the request elsewhere, that is the last answer of the connection: behind each
request here comes another one, which is answered or never was one.
"""
import json

import pytest

from raw import ACCEPT, TEXT, Raw, close, frame, handshake

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
NEXT = b"GET /livez HTTP/1.1\r\nHost: next\r\n\r\n"
LOGIN = b"username=ana&password=correct+horse+battery"


def request(target="/livez", *fields, method="GET", version="HTTP/1.1", host="Host: a", body=b""):
    """fields: lines as text or bytes. host None: none."""
    lines = [f"{method} {target} {version}", *([host] if host is not None else []), *fields]
    return b"\r\n".join([one if isinstance(one, bytes) else one.encode() for one in (*lines, "", "")]) + body


def post(*fields, body=LOGIN, **how):
    return request("/api/token", FORM[:-2], *fields, method="POST", body=body, **how)


def check(head, body):
    """What holds for each answer."""
    if head.status >= 400:
        assert head.one("Content-Type") == "application/problem+json", head.text
        if body:
            problem = json.loads(body)
            assert problem["status"] == head.status
            assert {"type", "title", "detail", "code"} <= set(problem)
            assert head.first == f"HTTP/1.1 {head.status} {problem['title']}"
    if 200 <= head.status < 500:
        assert head.one("Date"), head.text  # RFC 9110 6.6.1
    if head.status == 405:
        assert head.one("Allow")
    if head.status == 426:
        assert head.one("Upgrade") == "websocket" and "upgrade" in head.words("Connection")


def ask(gateway, data, is_head=False):
    """The answer, and whether the connection goes on behind it. Whole and byte by byte are the same."""
    seen = []
    for bytewise in (False, True):
        if bytewise and len(data) > 600:
            continue
        with Raw(gateway) as raw:
            raw.send_bytewise(data) if bytewise else raw.send(data)
            raw.send(NEXT)
            head, body = raw.answer(is_head)
            check(head, body)
            ends = "close" in head.words("Connection")
            if ends:
                assert raw.at_end()
            else:
                following, body = raw.answer()
                assert following.status == 200 and b"alive" in body
            seen.append((head.status, ends))
    assert len(set(seen)) == 1, seen
    return *seen[0], head


def is_last(gateway, data, status, is_head=False):
    got, ends, head = ask(gateway, data, is_head)
    assert (got, ends) == (status, True), head.text


def goes_on(gateway, data, status, is_head=False):
    got, ends, head = ask(gateway, data, is_head)
    assert (got, ends) == (status, False), head.text
    return head


# ---- where a request ends ------------------------------------------------------------------------

CODED = b"5\r\nhello\r\n0\r\n\r\n"
LENGTHS = ["", "+5", "-5", "5 5", "5,5", "5, 5", "5, 6", "0x5", "5.0", "5e0", "5;", '"5"', "٥", "five", "5\t5",
           "1000000000000000", "18446744073709551621", "9" * 40, "-0"]
CODINGS = {"gzip": 400, "gzip, chunked": 501, "chunked, gzip": 400, "chunked, chunked": 400, "xchunked": 400,
           "identity": 400, "": 400, "chunked;q=1": 400, '"chunked"': 400, ",": 400, "chunked identity": 400,
           "chun ked": 400, "chunked": 411, "CHUNKED": 411, "Chunked": 411}


@pytest.mark.parametrize("value", LENGTHS)
def test_a_length_that_is_not_one_number(shared_gateway, value):
    is_last(shared_gateway, post(f"Content-Length: {value}", body=b"hello"), 400)
    is_last(shared_gateway, request("/livez", f"Content-Length: {value}", body=b"hello"), 400)


@pytest.mark.parametrize("value", CODINGS)
def test_a_transfer_coding(shared_gateway, value):
    """RFC 9112 6.1 and 6.3; a body in chunks is one without a length, which may be refused (411)."""
    is_last(shared_gateway, post(f"Transfer-Encoding: {value}", body=CODED), CODINGS[value])
    is_last(shared_gateway, request("/livez", f"Transfer-Encoding: {value}", body=CODED), CODINGS[value])


DOUBTS = {
    "a length and a coding": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "a coding and a length": ["Transfer-Encoding: chunked", "Content-Length: 5"],
    "a coding and a length of 0": ["Transfer-Encoding: chunked", "Content-Length: 0"],
    "two lengths": ["Content-Length: 5", "Content-Length: 5"],
    "two that differ": ["Content-Length: 5", "Content-Length: 6"],
    "two that differ in case": ["Content-Length: 5", "content-length: 0"],
    "two codings": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "two codings, one of them none": ["Transfer-Encoding: chunked", "Transfer-Encoding: x"],
    "a coding behind a vertical tab": ["Transfer-Encoding: \x0bchunked"],
    "a coding with a NUL": ["Transfer-Encoding: chunked\0"],
    "a coding in a folded line": ["Transfer-Encoding:", " chunked"],
    "a coding behind a folded line": ["X: y", "\tTransfer-Encoding: chunked"],
    "a coding with a blank before its colon": ["Transfer-Encoding : chunked"],
    "a length with a blank before its colon": ["Content-Length : 5"],
    "a length with a tab before its colon": ["Content-Length\t: 5"],
    "a length in a folded line": ["Content-Length:", " 5"],
    "a length behind a bare CR": ["X: y\rContent-Length: 5"],
    "a length behind a NUL": ["X: y\0Content-Length: 5"],
    "a length before a bare CR": ["Content-Length: 5\r"],
    "a name with a blank": ["Content Length: 5"],
}


@pytest.mark.parametrize("case", DOUBTS)
def test_what_two_readers_could_end_elsewhere(shared_gateway, case):
    is_last(shared_gateway, post(*DOUBTS[case], body=b"hello"), 400)
    is_last(shared_gateway, request("/livez", *DOUBTS[case], body=b"hello"), 400)
    is_last(shared_gateway, request("/nowhere", *DOUBTS[case], method="PUT", body=b"hello"), 400)


def test_http_1_0_knows_no_coding(shared_gateway):
    for fields in (["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Connection: keep-alive"]):
        is_last(shared_gateway, post(*fields, body=CODED, version="HTTP/1.0"), 400)


@pytest.mark.parametrize("body", [
    CODED, b"5;x=y\r\nhello\r\n0\r\n\r\n", b"5;" + b"x" * 9000 + b"\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", b"8000000000000000\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
    b"5\rX\nhello\r\n0\r\n\r\n", b"0\r\nX: trailer\r\n\r\n", b"0\r\nContent-Length: 9\r\n\r\n", b"0\r\n\r",
    b"0000000000000000000000005\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nHost: b\r\n\r\n" + NEXT])
def test_nothing_of_a_body_in_chunks_is_a_request(shared_gateway, body):
    """However good or bad its chunks are: no reader needs to agree with us about them."""
    is_last(shared_gateway, post("Transfer-Encoding: chunked", body=body), 411)


def test_a_good_length_ends_a_body(shared_gateway):
    for length in (f"{len(LOGIN)}", f"000{len(LOGIN)}", f"  {len(LOGIN)}\t"):
        goes_on(shared_gateway, post(f"Content-Length: {length}"), 200)
    goes_on(shared_gateway, request("/livez", "Content-Length: 0"), 200)
    is_last(shared_gateway, post(body=b""), 400)  # none is said: what follows is not a body


# ---- lines ---------------------------------------------------------------------------------------

LINES = {
    b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez  HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET\t/livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez\tHTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b" GET /livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\t\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1 x\r\nHost: a\r\n\r\n": 400,
    b"GET /li vez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET  HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez\r\nHost: a\r\n\r\n": 400,
    b"GET\r\nHost: a\r\n\r\n": 400,
    b"GET /livez http/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.x\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/2.x\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/11.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.10\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/+1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP 1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/0.9\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n": 505,
    b"GET /livez HTTP/3.0\r\nHost: a\r\n\r\n": 505,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
    b"GET /livez\rHTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\rHost: a\r\n\r\n": 400,
    b"GET /li\0vez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /liv\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"G(T /livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\n Host: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\n\r\nHost: a\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz: w\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX\xc3\xa4: y\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX[]: y\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n": 400,
    b"GET /livez HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n": 400,
    b"\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": 400,
    b"HELO a\r\nMAIL FROM:<b>\r\n\r\n": 400,
    b"\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n": 200,
    b"GET /livez HTTP/1.1\nHost: a\n\n": 200,
    b"GET /livez HTTP/1.2\r\nHost: a\r\n\r\n": 200,
    b"GET /livez HTTP/1.9\r\nHost: a\r\n\r\n": 200,
    b"GET /livez HTTP/1.1\r\nhOsT:a\r\n\r\n": 200,
    b"GET /livez HTTP/1.1\r\nHost: \t a \t\r\nX:\r\nY:  \r\nZ: \xff\xfe\r\n\r\n": 200,
}


@pytest.mark.parametrize("data", LINES, ids=lambda data: data.decode("latin-1").encode("unicode_escape").decode()[:70])
def test_lines(shared_gateway, data):
    (goes_on if LINES[data] == 200 else is_last)(shared_gateway, data, LINES[data])


# ---- what is asked for, and of whom --------------------------------------------------------------

TARGETS = {
    "/livez": 200, "/livez/": 200, "/%6Civez": 200, "/livez?x=%C3%A4&y": 200, "/livez?a=/../?b": 200,
    "//livez": 404, "/livez//": 404, "/./livez": 404, "/x/../livez": 404, "/livez/.": 404, "/livez/..": 404,
    "/%2e/livez": 404, "/%2E%2E/livez": 404, "/%2Flivez": 404, "/livez%20": 404, "/livez%0d%0aX:%20y": 404,
    "/livez;x": 404, "/LIVEZ": 404, "/livez\\": 404, "/livez%3Fx": 404, "/livez%23x": 404,
    "/livez%00": 400, "/livez%": 400, "/livez%2": 400, "/livez%zz": 400, "/%ff": 400, "/%c0%af": 400,
    "/%ed%a0%80": 400, "/livez?x=%": 400, "/livez?x=%00": 400, "/livez?x=%ff": 400, "/livez#x": 400,
    "/livez?x#y": 400, "livez": 400, "?x": 400, "*": 400, ".": 400, "a:443": 400,
    "http://a/livez": 200, "HTTP://A/livez": 200, "https://a/livez": 200, "http://a:80/livez": 200,
    "http://[::1]:80/livez": 200, "http://a": 302, "http://a?x": 302, "http://a/live": 200, "http://a/nowhere": 404,
    "http://": 400, "http:///livez": 400, "http:/livez": 400, "http:livez": 400, "ftp://a/livez": 400,
    "http://u@a/livez": 400, "http://u:p@a/livez": 400, "http://a:x/livez": 400, "http://[::1/livez": 400,
    "http://a#/livez": 400, "ws://a/livez": 400,
}


@pytest.mark.parametrize("target", TARGETS)
def test_targets(shared_gateway, target):
    wanted = TARGETS[target]
    status, _, head = ask(shared_gateway, request(target))
    assert status == wanted, head.text


HOSTS = {
    "Host: a": 200, "Host: a:80": 200, "Host: a:": 200, "Host:": 200, "Host: 127.0.0.1:8080": 200, "Host: [::1]": 200,
    "Host: [::1]:80": 200, "Host: [fe80::1%25eth0]": 200, "Host: a-b_c.example.": 200, "Host: a%41": 200,
    None: 400, "Host: a\r\nHost: a": 400, "Host: a\r\nhost: b": 400, "Host: a b": 400, "Host: a, b": 400,
    "Host: a/b": 400, "Host: a@b": 400, "Host: a?b": 400, "Host: a#b": 400, "Host: a\\b": 400, "Host: a:b": 400,
    "Host: a:80:80": 400, "Host: a:-1": 400, "Host: [::1": 400, "Host: ::1": 400, "Host: [::1]x": 400,
    "Host: []": 400, "Host: [a/b]": 400, "Host: http://a": 400, "Host: ä": 400, "Host: a%": 400, "Host: a%4": 400,
    "Host: <a>": 400, "Host: " + "a" * 300: 400,
}


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(shared_gateway, host):
    """RFC 9112 3.2: none, two, or one that is none is 400; also where the target says whom it is for."""
    check_host = goes_on if HOSTS[host] == 200 else is_last
    check_host(shared_gateway, request(host=host), HOSTS[host])
    check_host(shared_gateway, request("http://b/livez", host=host), HOSTS[host])
    wanted = 200 if host is None else HOSTS[host]  # which HTTP/1.0 does not need
    assert ask(shared_gateway, request(host=host, version="HTTP/1.0"))[0] == wanted


METHODS = ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PRI", "get", "Get", "GETX", "G", "M-SEARCH", "!#$%&'*+-.^_`|~"]


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_are_not_served(shared_gateway, method):
    target = "a:443" if method == "CONNECT" else "/livez"
    length = ["Content-Length: 0"] if method == "POST" else []
    head = goes_on(shared_gateway, request(target, *length, method=method), 405)
    assert set(head.words("Allow")) == {"get", "head", "options"}
    if method != "CONNECT":
        goes_on(shared_gateway, request("/nowhere", *length, method=method), 404)
    is_last(shared_gateway, request(target, "Content-Length: 3", method=method, body=b"abc"),
            405 if method in ("POST", "PUT") else 400)


def test_a_method_longer_than_any_that_is_known(shared_gateway):
    is_last(shared_gateway, request(method="X" * 40), 501)


def test_options_say_what_may_be_done(shared_gateway):
    for target, allowed in (("/livez", {"get", "head", "options"}), ("/api/token", {"post", "options"}),
                            ("*", {"get", "head", "post", "options"})):
        head = goes_on(shared_gateway, request(target, method="OPTIONS"), 204)
        assert set(head.words("Allow")) == allowed
    goes_on(shared_gateway, request("/nowhere", method="OPTIONS"), 404)


@pytest.mark.parametrize("target, token, status", [
    ("/livez", False, 200), ("/", False, 302), ("/live", False, 200), ("/live/app.js", False, 200), ("/nowhere", False, 404),
    ("/api/devices", False, 401), ("/api/devices", True, 200), ("/api/events", True, 200),
    ("/api/events/poll?wait=0", True, 200), ("/api/alerts", True, 200), ("/api/ws", False, 426), ("/api/token", False, 405)])
def test_head_is_get_without_its_body(shared_gateway, target, token, status):
    fields = [f"Authorization: Bearer {shared_gateway.token('ana')}"] if token else []
    got, ends, head = ask(shared_gateway, request(target, *fields, method="HEAD"), is_head=True)
    assert got == status
    if target.startswith("/api/events"):
        return
    with Raw(shared_gateway, request(target, *fields)) as raw:
        whole, _ = raw.answer()
    for name in ("Content-Type", "Content-Length", "Transfer-Encoding", "ETag", "Allow"):
        assert head.one(name) == whole.one(name), name


@pytest.mark.parametrize("data, status", [
    (request("/%zz", method="HEAD"), 400), (request("/livez", method="HEAD", host=None), 400),
    (request("/" + "x" * 9000, method="HEAD"), 414), (request("/livez", *["X: y"] * 101, method="HEAD"), 431),
    (request("/livez", "Content-Length: x", method="HEAD"), 400), (request("/livez", method="HEAD", version="HTTP/2.0"), 505),
    (request("/livez", "X : y", method="HEAD"), 400),
    (handshake("/ws").replace(b"GET", b"HEAD"), 400)])
def test_a_refusal_of_head_has_no_body_either(shared_gateway, data, status):
    is_last(shared_gateway, data, status, is_head=True)


# ---- connections ---------------------------------------------------------------------------------

@pytest.mark.parametrize("fields, version, ends", [
    ([], "HTTP/1.1", False), (["Connection: close"], "HTTP/1.1", True), (["Connection: CLOSE"], "HTTP/1.1", True),
    (["Connection: keep-alive, close"], "HTTP/1.1", True), (["Connection: x", "Connection: close"], "HTTP/1.1", True),
    (["Connection: closed"], "HTTP/1.1", False), (["Connection: keep-alive"], "HTTP/1.1", False),
    (["Connection:"], "HTTP/1.1", False), ([], "HTTP/1.0", True), (["Connection: keep-alive"], "HTTP/1.0", False),
    (["Connection: close"], "HTTP/1.0", True)])
def test_who_wants_it_closed_and_who_kept(shared_gateway, fields, version, ends):
    for target, status in (("/livez", 200), ("/nowhere", 404)):
        got, ended, head = ask(shared_gateway, request(target, *fields, version=version))
        assert (got, ended) == (status, ends), head.text
        if version == "HTTP/1.0" and not ends:
            assert "keep-alive" in head.words("Connection")


def test_expectations(shared_gateway):
    length = f"Content-Length: {len(LOGIN)}"
    with Raw(shared_gateway, post(length, "Expect: 100-continue", body=b"")) as raw:
        assert raw.answer()[0].status == 100
        raw.send(LOGIN + NEXT)
        assert [raw.answer()[0].status for _ in range(2)] == [200, 200]
    goes_on(shared_gateway, request("/livez", "Expect: 100-continue"), 200)  # there is nothing to go on with
    goes_on(shared_gateway, post("Content-Length: 0", "Expect: 100-CONTINUE", body=b""), 400)
    is_last(shared_gateway, post(length, "Expect: 100-continue", version="HTTP/1.0"), 200)
    is_last(shared_gateway, post("Content-Length: 9999999", "Expect: 100-continue", body=b""), 413)
    is_last(shared_gateway, request("/nowhere", length, "Expect: 100-continue", method="POST"), 404)
    is_last(shared_gateway, post(length, "Expect: 200-ok"), 417)
    is_last(shared_gateway, post(length, "Expect: 100-continue", "Expect: 100-continue"), 400)


def test_what_is_asked_ahead_is_answered_in_order(shared_gateway):
    bearer = f"Authorization: Bearer {shared_gateway.token('ana')}"
    login = post(f"Content-Length: {len(LOGIN)}")
    asked = [(request(), 200), (request("/nowhere"), 404), (request(method="PUT"), 405), (login, 200),
             (request("/api/devices"), 401), (request("/api/devices", bearer), 200), (request("/api/alerts", bearer), 200),
             (request("/api/events/poll?wait=0", bearer), 204), (request(method="OPTIONS"), 204), (login, 200),
             (request("/api/ws"), 426), (request("/api/alerts?limit=x", bearer), 400), (request(), 200)]
    with Raw(shared_gateway, b"".join(data for data, _ in asked)) as raw:
        assert [raw.answer()[0].status for _ in asked] == [status for _, status in asked]
    with Raw(shared_gateway) as raw:
        raw.send_bytewise(b"".join(data for data, _ in asked[:6]))
        assert [raw.answer()[0].status for _ in asked[:6]] == [status for _, status in asked[:6]]


@pytest.mark.parametrize("data, status", [
    (request("/livez", "Content-Length: 5", body=b"hello"), 400),
    (post("Content-Length: 9999999"), 413),
    (post("Content-Length: 5", "Content-Encoding: gzip", body=b"hello"), 415),
    (request("/api/token", "Content-Type: text/plain", "Content-Length: 5", method="POST", body=b"hello"), 415),
    (request("/nowhere", "Content-Length: 5", method="POST", body=b"hello"), 404),
    (request("/api/devices/1/commands", "Content-Length: 5", method="POST", body=b"hello"), 401),
    (request("/api/ws/ticket", method="POST"), 401)])
def test_behind_a_body_that_was_refused_nothing_is_read(shared_gateway, data, status):
    with Raw(shared_gateway, NEXT + data + NEXT) as raw:
        assert raw.answer()[0].status == 200
        head, body = raw.answer()
        check(head, body)
        assert head.status == status and "close" in head.words("Connection")
        assert raw.at_end()


# ---- upgrades ------------------------------------------------------------------------------------

def test_an_upgrade_behind_other_requests_and_frames_behind_it(shared_gateway):
    data = (request() + request("/nowhere") + handshake("/ws", shared_gateway.token("ana"))
            + frame(TEXT, "ping") + close(1000))
    with Raw(shared_gateway, data) as raw:
        assert [raw.answer()[0].status for _ in range(2)] == [200, 404]
        raw.read_handshake()
        assert raw.message() == (TEXT, b"pong")
        assert raw.closed() == 1000
    with Raw(shared_gateway, handshake("/ws", Sec_WebSocket_Version="12") + NEXT) as raw:
        assert raw.answer()[0].status == 426
        assert raw.at_end()


UPGRADES = {
    "as it should be": ({}, 101),
    "in other letters": ({"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"}, 101),
    "one of several": ({"Upgrade": "h2c, websocket"}, 101),
    "in two fields": ({"Connection": ["keep-alive", "Upgrade"]}, 101),
    "a protocol that nobody knows": ({"Sec_WebSocket_Protocol": "mqtt"}, 101),
    "no version": ({"Sec_WebSocket_Version": None}, 426),
    "another version": ({"Sec_WebSocket_Version": "8"}, 426),
    "a list of versions": ({"Sec_WebSocket_Version": "13, 8"}, 426),
    "a version with a zero": ({"Sec_WebSocket_Version": "013"}, 426),
    "two versions": ({"Sec_WebSocket_Version": ["13", "8"]}, 400),
    "a version twice": ({"Sec_WebSocket_Version": ["13", "13"]}, 400),
    "no key": ({"Sec_WebSocket_Key": None}, 400),
    "an empty key": ({"Sec_WebSocket_Key": ""}, 400),
    "a short key": ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZQ=="}, 400),
    "a long key": ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZSE="}, 400),
    "a key that is no base64": ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25j_Q=="}, 400),
    "a key without its end": ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQAA"}, 400),
    "two keys": ({"Sec_WebSocket_Key": ["dGhlIHNhbXBsZSBub25jZQ=="] * 2}, 400),
    "no Connection": ({"Connection": None}, 400),
    "another Connection": ({"Connection": "keep-alive"}, 400),
    "a body": ({"Content_Length": "5"}, 400),
    "a body in chunks": ({"Transfer_Encoding": "chunked"}, 400),
    "no Host": ({"Host": None}, 400),
    "no Upgrade": ({"Upgrade": None}, 426),
    "another Upgrade": ({"Upgrade": "h2c"}, 426),
}


@pytest.mark.parametrize("case", UPGRADES)
def test_upgrades(shared_gateway, case):
    changes, wanted = UPGRADES[case]
    data = handshake("/ws", shared_gateway.token("ana"), **changes)
    for bytewise in (False, True):
        with Raw(shared_gateway) as raw:
            raw.send_bytewise(data) if bytewise else raw.send(data)
            head, body = raw.answer()
            assert head.status == wanted, head.text
            if wanted == 101:
                assert head.one("Sec-WebSocket-Accept") == ACCEPT and head.one("Sec-WebSocket-Protocol") is None
                assert head.one("Upgrade").lower() == "websocket" and "upgrade" in head.words("Connection")
                continue
            check(head, body)
            if wanted == 426:
                assert head.one("Sec-WebSocket-Version") == "13"


def test_an_upgrade_is_for_get_and_for_paths_that_have_one(shared_gateway):
    for method in ("POST", "PUT", "OPTIONS", "get"):
        is_last(shared_gateway, handshake("/ws").replace(b"GET", method.encode()), 400)
    is_last(shared_gateway, handshake("/livez"), 404)
    is_last(shared_gateway, handshake("/nowhere"), 404)
    is_last(shared_gateway, handshake("/ws").replace(b"1.1", b"1.0", 1), 400)


def test_an_upgrade_that_is_none_is_a_request_like_any_other(shared_gateway):
    """RFC 9110 7.8: one in HTTP/1.0, or that Connection does not name, is not for us."""
    goes_on(shared_gateway, request("/livez", "Upgrade: websocket"), 200)
    goes_on(shared_gateway, request("/livez", "Upgrade: h2c", "Connection: Upgrade"), 200)
    is_last(shared_gateway, request("/livez", "Upgrade: websocket", "Connection: Upgrade", version="HTTP/1.0"), 200)


# ---- limits --------------------------------------------------------------------------------------

@pytest.mark.parametrize("data, status", [
    (request("/" + "x" * 300), 414), (request("/" + "x" * 9000), 414), (request("/" + "x" * 100_000), 414),
    (b"GET /" + b"x" * 100_000, 414), (request("/livez?" + "x" * 3000), 414), (request("http://a/" + "x" * 300), 414),
    (request("/livez", "X: " + "y" * 20_000), 431), (request("/livez", "X" * 20_000 + ": y"), 431),
    (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 100_000, 431), (request("/livez", *["X: y"] * 100), 431),
    (request("/livez", *["X: " + "y" * 500] * 50), 431), (request("/livez", "Authorization: Bearer " + "x" * 9000), 431),
    (request("/livez", "Origin: " + "x" * 300), 431), (request("/livez", "X-API-Key: " + "x" * 300), 431),
    (request("/livez", "Connection: " + "x" * 300), 431), (request("/livez", "Sec-WebSocket-Protocol: " + "x" * 2000), 431),
    (post("Content-Length: 1048577"), 413), (post("Content-Length: 999999999999999"), 413),
    (b"x" * 100_000, 400), (b"\0" * 100_000, 400)], ids=lambda v: None if isinstance(v, int) else v[:40].decode())
def test_what_is_too_long_is_told_which_it_is(shared_gateway, data, status):
    is_last(shared_gateway, data, status)


def test_what_is_just_short_enough_is_taken(shared_gateway):
    goes_on(shared_gateway, request("/livez", *["X: y"] * 99), 200)
    goes_on(shared_gateway, request("/livez?" + "x" * 2000), 200)
    goes_on(shared_gateway, request("/livez", *["X: " + "y" * 500] * 30), 200)
    goes_on(shared_gateway, request("/livez", "Authorization: Bearer " + "x" * 8000), 200)
