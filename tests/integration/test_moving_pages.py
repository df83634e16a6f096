"""Promise: what the pages of docs/migrate show works as it stands there, block by block."""
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
import requests

from conftest import populate
from proxies import HAPROXY, Proxy
from servers import ROOT, TIDEGATE
from viewers import refused
from waiting import PATIENCE

FOLDER = ROOT / "docs" / "migrate"
SYSTEMS = ("people-counter", "energy", "device-hub", "vehicles", "cameras")
BLOCK = re.compile(r"^```(\w*)(?: ([\w.-]+))?\n(.*?)^```$", re.M | re.S)
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
    return [body for kind, _, body in BLOCK.findall(text) if kind == language]


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


def old_database(site, system):
    """What the server that was there before kept, as far as it is moved. Its name, on this machine."""
    if system == "cameras":
        with contextlib.closing(sqlite3.connect(site.folder / "surveillance.db")) as db:
            db.executescript(OLD_CAMERAS)
        return "surveillance"
    name = f"old_{site.database.name}"
    site.database.postgres.execute("postgres", f"CREATE DATABASE {name}")
    site.database.postgres.execute(name, OLD[system])
    return name


HASH = "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC"
OLD = {
    "vehicles": f"""
        CREATE TABLE users (id int, email text, password_hash text, full_name text, is_verified bool);
        CREATE TABLE vehicles (id int, name text, description text, status text, user_id int);
        INSERT INTO users VALUES (21, 'rini@example.com', '{HASH}', 'Rini', true);
        INSERT INTO vehicles VALUES (31, 'KM Baruna', 'survey', 'idle', 21)""",
    "people-counter": """
        CREATE TABLE devices (id int, device_id text, name text, location text, is_active bool, last_seen timestamptz);
        INSERT INTO devices VALUES (8, 'pi-hall-02', 'Hall', 'Building B', true, now())""",
}
OLD_CAMERAS = f"""
    CREATE TABLE users (id int, username text, email text, hashed_password text, role text, is_active bool);
    CREATE TABLE cameras (id int, camera_id text, camera_type text, source text);
    INSERT INTO users VALUES (1, 'eva', 'eva@example.com', '{HASH}', 'admin', 1);
    INSERT INTO cameras VALUES (2, 'mock_cam_1', 'mock', '0')"""
MOVED_BY_DATABASE = {"cameras", *OLD}
MOVED = {  # what is there afterwards
    "vehicles": "SELECT count(*) FROM vehicles v JOIN users u ON u.id = v.user_id"
                " WHERE v.id = 31 AND u.id = 21 AND u.username = 'rini@example.com'",
    "people-counter": "SELECT count(*) FROM devices d JOIN users u ON u.id = d.user_id WHERE d.id = 8"
                      " AND d.code = 'pi-hall-02' AND d.name = 'Hall' AND u.username = 'admin'",
    "energy": "SELECT count(*) FROM devices WHERE code = 'ems_002' AND name = 'Inverter'",
    "device-hub": "SELECT count(*) FROM device_groups JOIN devices d ON d.id = device_id"
                  " WHERE d.id = 3 AND d.user_id = 7 AND d.code = 'boiler-1'",
    "cameras": "SELECT count(*) FROM users, devices d WHERE username = 'eva' AND role = 'admin'"
               " AND d.id = 2 AND d.code = 'mock_cam_1'",
}


def run(site, script, **env):
    script = NOT_HERE.sub("", script).replace("/etc/tidegate", str(site.etc))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], text=True, capture_output=True,
                          cwd=site.folder, input="correct horse battery\n", timeout=PATIENCE * 2, check=False,
                          env={**site.environment(), "TIDEGATE_CONFIG": str(site.conf), **env,
                               "PATH": f"{site.tools}:{os.environ['PATH']}"})
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_there_is_a_page_for_each_profile_and_only_blocks_that_are_run():
    index = (FOLDER / "README.md").read_text("utf-8")
    for system in SYSTEMS:
        assert f"use_profile = {system}" in index
        text = (FOLDER / f"{system}.md").read_text("utf-8")
        assert {kind for kind, _, _ in BLOCK.findall(text)} <= {"ini", "sh", "nginx", "haproxy", "sql", "csv"}
        starts = [i for i, (_, _, body) in enumerate(BLOCK.findall(text)) if body == "sudo systemctl enable --now tidegate\n"]
        migrated = [i for i, (_, _, body) in enumerate(BLOCK.findall(text)) if "tidegate migrate" in body]
        assert len(starts) == 1 and migrated[0] < starts[0], system  # what is never started moves nobody


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_page_configures_and_runs_starts_a_gateway(site, system):
    first, *others = blocks(system, "ini")
    configure(site, first)
    secret = "the-secret-of-the-old-server-32-bytes"
    postgres = {"PGHOST": str(site.database.postgres.folder),
                "PGUSER": "tidegate"}
    scripts = blocks(system, "sh")
    if system in MOVED_BY_DATABASE:
        name = old_database(site, system)
        scripts = [re.sub(r"psql \w+", f"psql {name}", script) for script in scripts]
    for _, name, body in BLOCK.findall((FOLDER / f"{system}.md").read_text("utf-8")):
        if name:
            (site.folder / name).write_text(body, "utf-8")
    for script in scripts:
        said = run(site, script, SECRET_KEY=secret, JWT_SECRET=secret, **postgres)
        if "--example" in script:
            assert f"use_profile = {system}" in said
    assert site.database.value(MOVED[system]) == 1
    if any("jwt-secret" in script for script in scripts):
        site.secret = secret
    site.start()
    for text in others:  # a variant
        (site.etc / "variant").write_text(text, "utf-8")
        run(site, f"tidegate check-config --config {site.etc}/variant")


def of_program(site, old_server, program, text):
    """The lines of a page, with the ports of this machine."""
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{old_server}").replace(
        "127.0.0.1:8001", f"127.0.0.1:{site.port}")
    text = text.replace("listen 80;", "listen 127.0.0.1:{port};").replace(
        "bind :80", "bind 127.0.0.1:{port}")
    if program == "haproxy":
        return HAPROXY + text
    return NGINX + text.replace("{", "{{").replace("}", "}}").replace("{{port}}", "{port}") + "}}\n"


# What each page says of going back: what is taken out again.
BACK = {"nginx": re.compile(r"^    location ~ .*?^    }\n", re.M | re.S), "haproxy": re.compile(r"^    use_backend .*\n", re.M)}


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_who_goes_back_has_the_old_server_everywhere(site, folder, old_server, system, program):
    text = (FOLDER / f"{system}.md").read_text("utf-8")
    assert "take the first `location` out of nginx again (or the `use_backend` line out of HAProxy)" in text
    lines, n = BACK[program].subn("", blocks(system, program)[0], count=1)
    assert n == 1
    proxy = Proxy(folder, site, program, of_program(site, old_server, program, lines))
    try:
        for path in ("/", "/api/events", *(path.partition("?")[0] for path in LIVE[system] if path)):
            assert requests.get(proxy.url + path, timeout=PATIENCE).text == "old", path
    finally:
        proxy.stop()


def test_the_commands_that_come_before_every_page(site):
    """A database of its own, and a folder that nobody else may read."""
    first, second = (body for kind, _, body in BLOCK.findall((FOLDER / "README.md").read_text("utf-8")) if kind == "sh")
    name = f"moving_{site.database.name}"  # the cluster of the tests has a tidegate already
    postgres = {"PGHOST": str(site.database.postgres.folder), "PGUSER": "tidegate"}
    run(site, first.replace("tidegate", name), **postgres)
    assert site.database.postgres.execute("postgres", "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding)"
                                          f" FROM pg_database WHERE datname = '{name}'") == [(name, "UTF8")]
    place = site.folder / "moving"
    (site.tools / "install").write_text('#!/bin/bash\nexec /usr/bin/install "${@/#tidegate/root}"\n', "ascii")  # nor that group
    (site.tools / "install").chmod(0o755)
    (site.tools / "sudo").write_text('#!/bin/bash\nexec "$@"\n', "ascii")
    run(site, second.replace("/var/tmp/moving", str(place)).replace("cd ", "pwd; cd "), USER="root")
    assert place.is_dir() and place.stat().st_mode & 0o777 == 0o750


SPAN = re.compile(r"`((?:tidegate|curl|printf|journalctl|sqlite3|GET|POST|PUT) [^`\n]*)`")
RUN_ELSEWHERE = {  # where: why not here
    "tidegate import": "test_moving_in.py", "tidegate import house.json": "test_moving_in.py", "sqlite3 -csv FILE 'SELECT …'": "test_history_moves_in.py",
    "journalctl -u tidegate": "there is no systemd where tests run",
}
WORDS = {"NAME": "ana", "UUID": "0b6e7a3e-52f8-4f0f-9d3c-2f9f4cf2a0a1", "PROFILE": "energy", "localhost:8001": "127.0.0.1:{port}",
         "device assign CODE": "device assign dev-1", "vehicle assign CODE": "vehicle assign USV-1", "token rotate CODE": "token rotate dev-1"}


def spans(system):
    text = re.sub(r"^```.*?^```$", "", (FOLDER / f"{system}.md").read_text("utf-8"), flags=re.M | re.S)
    return [span for span in dict.fromkeys(SPAN.findall(text)) if span not in RUN_ELSEWHERE]


@pytest.mark.parametrize("system", [*SYSTEMS, "README", "import"])
def test_what_the_text_of_a_page_says_to_run_can_be_run(site, system):
    if system in SYSTEMS:
        configure(site, blocks(system, "ini")[0])
    populate(site)
    site.start()
    site.broker.publish("seano/USV-9/raw_log", "hello")
    site.database.wait_for("SELECT count(*) FROM dead_letters", 1)
    site.add_vehicle("USV-9", "ana")
    known = run(site, "tidegate --help")
    for span in spans(system):
        verb, what = span.split(" ", 1)
        if verb in ("GET", "POST", "PUT"):
            assert requests.request(verb, site.url + what, timeout=PATIENCE).status_code != 404, span
        elif span.endswith("…") or span in ("tidegate device add", "tidegate vehicle share"):
            assert f"\n  {span.rstrip('… ')} " in known, span  # that one has more to say
        else:
            for word, here in WORDS.items():
                span = span.replace(word, here.format(port=site.port))
            run(site, span, TOKEN="secret")
    if system == "vehicles":
        assert site.database.value("SELECT count(*) FROM raw_logs WHERE logs = 'hello'") == 1  # it came back


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_proxy_gives_the_live_paths_to_us_and_leaves_the_rest(site, folder, old_server, system, program):
    configure(site, blocks(system, "ini")[0])
    populate(site)
    site.start()
    (text,) = blocks(system, program)
    proxy = Proxy(folder, site, program, of_program(site, old_server, program, text))
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


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_a_display_on_a_wall_signs_in_here_where_the_page_says_how(site, folder, old_server, program):
    """By the change that it names the token is ours, for 30 days, and is renewed; without it that is the old server's."""
    configure(site, blocks("cameras", "ini")[0])
    populate(site)
    site.start()
    (text,) = blocks("cameras", program)
    assert text.count("^/api/(ws/|") == 1 and "`^/api/(token|ws/|…`" in (FOLDER / "cameras.md").read_text("utf-8")
    proxy = Proxy(folder, site, program, of_program(site, old_server, program, text.replace("^/api/(ws/|", "^/api/(token|ws/|")))
    try:
        answer = requests.post(proxy.url + "/api/token", timeout=PATIENCE, data={"username": "ana", "password": "correct horse battery"})
        token = answer.json()["access_token"]
        claims = jwt.decode(token, site.secret, ["HS256"])  # as the old server does
        assert claims["sub"] == "ana" and claims["exp"] - claims["iat"] == 30 * 24 * 3600
        renewed = requests.post(proxy.url + "/api/token/refresh", timeout=PATIENCE, headers={"Authorization": f"Bearer {token}"})
        assert refused(proxied(proxy), LIVE["cameras"][1].format(token=renewed.json()["access_token"])) == 101
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
