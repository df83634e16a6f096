"""The dashboard at /: a folder of files, its page for paths of its own, and nothing beside it."""
import gzip
import os
import re
import signal
import urllib.parse

import pytest
import requests

from proxies import NGINX_PREFIX, Proxy
from raw import dial
from test_nothing_from_outside_stops_it import read_head, status_of
from waiting import PATIENCE, wait_until

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGE = '<!doctype html><html><head><base href="./"><script type="module" src="./assets/app-1a2b.js"></script></head></html>'
SCRIPT = "".join(f"export const a{n} = {n};\n" for n in range(500))
FILES = {"index.html": PAGE, "assets/app-1a2b.js": SCRIPT, "assets/style-3c.css": "b{}", "coast.json": "{}", "icon.svg": "<svg/>",
         "icon.png": "png", "fonts/sans.woff2": "font", "fonts/0-255.pbf": "glyphs", "world.pmtiles": "0123456789"}
TYPES = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
         "json": "application/json", "svg": "image/svg+xml", "png": "image/png", "woff2": "font/woff2",
         "pbf": "application/x-protobuf", "pmtiles": "application/vnd.pmtiles"}


def build(gateway, files=FILES):
    folder = gateway.folder / "dashboard"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def reload(gateway):
    gateway.process.send_signal(signal.SIGHUP)


@pytest.fixture
def built(make_gateway):
    gateway = make_gateway(http__dashboard_hosts="https://tiles.example, https://cameras.example:8443")
    build(gateway)
    gateway.start()
    return gateway


def test_each_file_comes_as_what_it_is(built):
    for name, text in FILES.items():
        answer = built.get(f"/{name}", headers={"Accept-Encoding": "identity"})
        assert (answer.status_code, answer.text) == (200, text), name
        assert answer.headers["Content-Type"] == TYPES[name.rpartition(".")[2]], name
        lasting = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        assert answer.headers["Cache-Control"] == lasting, name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert built.status(f"/{name}", headers=tag) == 304, name
    packed = built.get("/assets/app-1a2b.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.text == SCRIPT
    part = built.get("/world.pmtiles", headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.text, part.headers["Content-Range"]) == (206, "345", "bytes 3-5/10")


def test_the_policy_has_nothing_unsafe_in_it(built):
    for path in ("/", "/devices/7", "/assets/app-1a2b.js"):
        headers = built.get(path, headers=HTML).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert policy["default-src"] == policy["worker-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["img-src"] == "'self' data: blob: https://tiles.example https://cameras.example:8443"
        assert policy["connect-src"] == "'self' ws: wss: https://tiles.example https://cameras.example:8443"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_its_page_answers_for_paths_that_its_script_knows(built):
    for path, base in (("/", "./"), ("/devices", "./"), ("/devices/abc", "../"), ("/devices/7/charts/", "../../../"),
                       ("/devices/a.b%20c", "../")):
        answer = built.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, TYPES["html"]), path
        assert re.search(r'<base href="([^"]*)">', answer.text).group(1) == base, path
        assert built.status(path, headers={**HTML, "If-None-Match": answer.headers["ETag"]}) == 304, path
    assert built.get("/", headers={"Accept": "application/json"}).json()["name"] == "Tidegate"


@pytest.mark.parametrize("path, status", [
    ("/api/none", 404), ("/ws", 426), ("/ws/none", 404), ("/live/none", 404), ("/metrics/none", 404),
    ("/assets/none.js", 404), ("/auth/none", 404), ("/users/7", 404), ("/missions", 404), ("/vehicles", 401)])
def test_it_answers_for_nothing_of_ours(built, path, status):
    answer = built.get(path, headers=HTML)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_only_who_wants_a_page_gets_it(built):
    assert built.status("/devices/7") == 404  # a script that asks for data
    assert built.status("/devices/7", headers={"Accept": "application/json"}) == 404
    assert built.post("/devices/7", headers=HTML).status_code == 404
    assert requests.head(built.url + "/devices/7", headers=HTML, timeout=PATIENCE).status_code == 200
    assert built.get("/live", headers=HTML).text != PAGE


def test_nothing_beside_the_folder_is_ever_read(built):
    folder = built.folder / "dashboard"
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "up").symlink_to("..")
    (folder / ".env").write_text("hidden")
    reload(built)
    wait_until(lambda: built.log().count("dashboard_served") == 2, "the folder is read again")
    for path, status in (("/passwd", 404), ("/up/secret", 404), ("/.env", 404), ("/../secret", 404), ("/assets/../../secret", 404),
                         ("/%2e%2e/secret", 404), ("/assets/..%2f..%2fsecret", 404), ("/..%00/secret", 400),
                         (built.folder / "secret", 404)):
        request = f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n".encode()
        with dial(built, request) as s:
            assert status_of(read_head(s)) == status, path


def test_a_new_build_is_served_after_a_reload(built):
    folder = build(built, {"index.html": PAGE.replace("1a2b", "9z"), "assets/app-9z.js": "new"})
    os.remove(folder / "assets/app-1a2b.js")
    assert built.get("/assets/app-1a2b.js").text == SCRIPT  # until it is told
    reload(built)
    wait_until(lambda: built.status("/assets/app-1a2b.js") == 404, "the old build is gone")
    assert built.get("/assets/app-9z.js").text == "new"
    assert "app-9z.js" in built.get("/", headers=HTML).text


def test_what_the_build_has_packed_is_sent_as_it_is(make_gateway):
    gateway = make_gateway()
    folder = build(gateway)
    made = gzip.compress(SCRIPT.encode(), 1, mtime=12345)
    (folder / "assets/app-1a2b.js.gz").write_bytes(made)
    (folder / "coast.json.gz").write_bytes(made)  # of something else
    gateway.start()
    with dial(gateway, b"GET /assets/app-1a2b.js HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n") as s:
        assert b"".join(iter(lambda: s.recv(65536), b"")).endswith(b"\r\n\r\n" + made)
    assert gateway.get("/coast.json", headers={"Accept-Encoding": "gzip"}).text == "{}"


@pytest.mark.parametrize("setting, value, why", [("http__dashboard_files", 5, "more than http.dashboard_files"),
                                                 ("http__dashboard_bytes", "64K", "more than http.dashboard_bytes")])
def test_a_folder_beyond_its_limits_is_not_served(make_gateway, setting, value, why):
    gateway = make_gateway(**{setting: value})
    build(gateway, {**FILES, "large.json": " " * 70000})
    gateway.start()
    assert gateway.get("/", allow_redirects=False).headers["Location"] == "live"
    assert why in gateway.log()
    assert gateway.metric("tidegate_dashboard_refused_total") == 1
    gateway.write_conf(http__dashboard_files=2000, http__dashboard_bytes="1M")
    reload(gateway)
    wait_until(lambda: gateway.get("/", headers=HTML, allow_redirects=False).status_code == 200, "it is served")


def test_without_one_the_root_goes_to_the_page_that_is_built_in(make_gateway):
    gateway = make_gateway(http__dashboard="")
    gateway.start()
    assert gateway.get("/", allow_redirects=False).headers["Location"] == "live"
    assert gateway.status("/devices/7", headers=HTML) == 404


def test_it_works_under_a_prefix(make_gateway, folder):
    gateway = make_gateway(http__trusted_proxies="127.0.0.1")
    build(gateway)
    gateway.start()
    proxy = Proxy(folder, gateway, "nginx", NGINX_PREFIX)
    try:
        place = f"{proxy.url}/fleet/devices/7/charts"
        page = requests.get(place, headers=HTML, timeout=PATIENCE)
        base = urllib.parse.urljoin(place, re.search(r'<base href="([^"]*)">', page.text).group(1))
        assert base == f"{proxy.url}/fleet/"
        assert requests.get(base + "assets/app-1a2b.js", timeout=PATIENCE).text == SCRIPT
    finally:
        proxy.stop()
