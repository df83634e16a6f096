"""Promise: what the pages of docs/migrate show works as it stands there, block by block."""
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from conftest import populate
from proxies import HAPROXY, Proxy
from servers import ROOT, TIDEGATE
from viewers import refused
from waiting import PATIENCE

FOLDER = ROOT / "docs" / "migrate"
SYSTEMS = ("people-counter", "energy", "device-hub", "vehicles", "cameras")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# What the shell of a page may run; nothing else stands in a block.
NOT_HERE = re.compile(r"^sudo systemctl .*\n", re.M)  # there is no systemd where tests run
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
"""


def blocks(system, language):
    text = (FOLDER / f"{system}.md").read_text("utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


class OldServer(BaseHTTPRequestHandler):
    """The one that was there before: answers everything, and says so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"old")

    def log_message(self, *args):
        pass


@pytest.fixture
def old_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), OldServer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()


@pytest.fixture
def site(make_gateway, folder):
    """A machine as docs/operations.md leaves it: /etc/tidegate is a folder of the test's."""
    gateway = make_gateway()
    etc = folder / "etc"
    etc.mkdir(mode=0o700)
    for name, ours in (("jwt-secret", "secret"), ("pepper", "pepper")):
        shutil.copy(gateway.folder / ours, etc / name)
    tools = folder / "bin"
    tools.mkdir()
    # There is no other user to become here.
    (tools / "sudo").write_text('#!/bin/bash\n[[ $1 != -u ]] || shift 2\n[[ $1 != install ]] ||'
                                ' set -- "$1" -m 600 "${@:8}"\nexec "$@"\n', "ascii")
    (tools / "sudo").chmod(0o755)
    (tools / "tidegate").symlink_to(TIDEGATE)
    gateway.etc, gateway.tools = etc, tools
    return gateway


def configure(site, text):
    """The file of a page, with the addresses and folders of this machine."""
    for shown, here in (("127.0.0.1:8001", f"127.0.0.1:{site.port}"),
                        ("mqtt://127.0.0.1:1883", f"mqtt://127.0.0.1:{site.broker.port}"),
                        ("postgresql:///tidegate", site.database.url),
                        ("/etc/tidegate", str(site.etc))):
        assert shown in text
        text = text.replace(shown, here)
    site.conf.write_text(text, "utf-8")
    site.extra_env = {"TIDEGATE_JOURNAL_DIR": str(site.folder / "journal"),
                      "TIDEGATE_DATABASE_PARTITIONS_AHEAD": "1d"}


def run(site, script, **env):
    script = NOT_HERE.sub("", script).replace("/etc/tidegate", str(site.etc))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], text=True, capture_output=True,
                          input="correct horse battery\n", timeout=PATIENCE * 2, check=False,
                          env={**site.environment(), "TIDEGATE_CONFIG": str(site.conf), **env,
                               "PATH": f"{site.tools}:{os.environ['PATH']}"})
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_there_is_a_page_for_each_profile_and_only_blocks_that_are_run():
    index = (FOLDER / "README.md").read_text("utf-8")
    for system in SYSTEMS:
        assert f"use_profile = {system}" in index
        text = (FOLDER / f"{system}.md").read_text("utf-8")
        assert {kind for kind, _ in BLOCK.findall(text)} <= {"ini", "sh", "nginx", "haproxy", "sql", "csv"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_page_configures_and_runs_starts_a_gateway(site, system):
    first, *others = blocks(system, "ini")
    configure(site, first)
    secret = "the-secret-of-the-old-server-32-bytes"
    for script in blocks(system, "sh"):
        said = run(site, script, SECRET_KEY=secret, JWT_SECRET=secret)
        if "--example" in script:
            assert f"use_profile = {system}" in said
    if any("jwt-secret" in script for script in blocks(system, "sh")):
        site.secret = secret
    site.start()
    populate(site)
    for text in others:  # a variant
        (site.etc / "variant").write_text(text, "utf-8")
        run(site, f"tidegate check-config --config {site.etc}/variant")


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_proxy_gives_the_live_paths_to_us_and_leaves_the_rest(site, folder, old_server, system, program):
    configure(site, blocks(system, "ini")[0])
    populate(site)
    site.start()
    (text,) = blocks(system, program)
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{old_server}").replace(
        "127.0.0.1:8001", f"127.0.0.1:{site.port}")
    text = text.replace("listen 80;", "listen 127.0.0.1:{port};").replace(
        "bind :80", "bind 127.0.0.1:{port}")
    if program == "nginx":
        text = NGINX + text.replace("{", "{{").replace("}", "}}").replace("{{port}}", "{port}") + "}}\n"
    else:
        text = HAPROXY + text
    proxy = Proxy(folder, site, program, text)
    try:
        for path in ("/", "/api/users/me", "/static/app.js"):
            assert requests.get(proxy.url + path, timeout=PATIENCE).text == "old", path
        token = site.token("ana", tidegate_uid=site.ids["ana"], tidegate_gen=site.database.value(
            "SELECT generation FROM users WHERE username = 'ana'"))
        page, live = LIVE[system]
        if page:
            answer = requests.get(proxy.url + page, timeout=PATIENCE,
                                  headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200 and answer.text != "old"
        assert refused(proxied(proxy), live.format(token=token)) == 101
    finally:
        proxy.stop()


# A page that is ours, and a socket, as the clients of each system ask for it.
LIVE = {
    "people-counter": ("/api/v1/devices/", "/ws"),
    "energy": (None, "/ws/dashboard/dev-1"),
    "device-hub": ("/api/devices", "/ws/devices?token={token}"),
    "vehicles": ("/api/vehicles", "/api/ws"),
    "cameras": ("/api/faces/statistics", "/api/ws/statistics?token={token}"),
}


def proxied(proxy):
    """What a Viewer connects to: the proxy in place of the gateway."""
    return type("Proxied", (), {"port": proxy.port})
