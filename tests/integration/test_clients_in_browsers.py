"""Promise: the pages of the five systems work in a browser where they live: from a file, from a development
server, in React's StrictMode, behind nginx. Each goes on over a restart and a network that is gone, and shows
times in the zone of who looks."""
import datetime
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import zoneinfo

import pytest

from clients import FOLDER, SECOND, install
from conftest import populate
from proxies import NGINX, Proxy
from servers import ROOT, die_with_parent, free_port
from waiting import PATIENCE, wait_until
from wire import Wire

YESTERDAY = datetime.date.today() - datetime.timedelta(days=1)  # a time that is believed

PASSWORD = "correct horse battery"
PAGES = FOLDER / "pages"


class DevelopmentServer:
    """Vite with the pages. What they ask below /api goes over `wire`, to the gateway of the test."""

    def __init__(self, folder):
        self.wire = Wire(0)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "vite.log"
        env = {**os.environ, "PORT": str(self.port), "CACHE": str(folder / "vite"),
               "GATEWAY": f"http://127.0.0.1:{self.wire.port}"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["node", "node_modules/vite/bin/vite.js", "pages", "--config", "pages/vite.config.mjs"],
                cwd=FOLDER, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        wait_until(self.is_ready, "Vite to be ready", PATIENCE * 2)

    def is_ready(self):
        assert self.process.poll() is None, self.log.read_text()
        return "ready in" in self.log.read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.wire.close()


@pytest.fixture(scope="session")
def vite(session_folder):
    install()
    server = DevelopmentServer(session_folder)
    yield server
    server.stop()


@pytest.fixture
def browse(client):
    """browse(address, zone, argument=value, ...) -> a Client: that page in Chromium."""
    def start(address, zone=None, **args):
        args.setdefault("second", SECOND)
        page = client("browse.mjs", zone=zone, page=f"{address}#{urllib.parse.quote(json.dumps(args))}")
        page.opened = page.wait_for(lambda said: next((s for s in said if s["event"] == "loaded"), None),
                                    "the page to be loaded", PATIENCE * 2)
        return page
    return start


def tell(page, name, value=None):
    page.tell(name=name, value=value)
    page.next("done", name=name)


def goes_and_comes_back(page, gateway, back):
    """Over a restart, and over a network that is gone; @back(): waits until it is as it was."""
    gateway.terminate()
    page.next("close")
    gateway.start()
    back()
    page.tell(name="offline")
    page.next("close")
    page.tell(name="online")
    back()
    assert 1000 not in page.closes()
    assert not page.all("unexpected")
    assert not page.all("error")


def minutes_behind(zone):
    """As Date.getTimezoneOffset() has it."""
    return -datetime.datetime.now(zoneinfo.ZoneInfo(zone)).utcoffset().total_seconds() / 60


def detections(n, device="dev-1"):
    return json.dumps({"device_id": device, "location": "Door", "detections": [
        {"device_hash": f"{i:064x}", "rssi": -50} for i in range(n)]})


def test_the_people_counter_works_from_a_file(of_profile, broker, browse, database):
    gateway = of_profile("people-counter", ws__stats_interval="100ms")
    broker.publish("tfg/detections/raw", detections(3, "pi-new"))
    database.wait_for("SELECT count(*) FROM ble_detections", 3)
    page = browse(f"file://{PAGES}/people-counter.html", "Asia/Jakarta", base=gateway.url)
    assert page.opened["origin"] == "null"
    shown = page.next("devices")
    assert "pi-new" in shown["ids"] and shown["isWhole"] and shown["offset"] == -420
    loaded = page.next("loaded page")
    assert loaded["counts"] == {str(m): [3, 3] for m in (5, 15, 60, 1440, 10080, 43200, 525600)}
    assert loaded["bins"] == {"hour": 6, "today": 8, "week": 7}
    assert (loaded["recent"], loaded["unique"], loaded["range"], loaded["near"]) == (3, 3, 3, 100)
    assert loaded["active"] == ["pi-new"] and loaded["zones"] == [-60, -75] and loaded["lines"] == 4
    page.wait_for(lambda said: any(s["event"] == "pong" for s in said), "a pong")

    def is_live():
        page.next("open")
        broker.publish("tfg/detections/raw", detections(4, "pi-new"))
        page.next("detection", device="pi-new", count=4)
        page.next("devices")

    before = shown["seen"]
    broker.publish("tfg/detections/raw", detections(4, "pi-new"))
    page.next("detection", device="pi-new", count=4)
    page.wait_for(lambda said: any(s["event"] == "devices" and s["seen"] > before for s in said), "a later last seen")
    goes_and_comes_back(page, gateway, is_live)


def test_an_energy_dashboard_works_from_a_development_server(of_profile, browse, client, vite):
    gateway = of_profile("energy", http__allowed_origins=vite.url)
    address = f"ws://127.0.0.1:{gateway.port}/ws"
    client("edge_device.py", url=f"{address}/device/dev-1", token=gateway.ids["dev-1 token"])
    page = browse(f"{vite.url}/energy/index.html", "America/St_Johns", url=f"{address}/dashboard/dev-1")
    assert page.opened["origin"] == vite.url

    def is_live():
        page.next("open")
        assert page.next("drawn")["power"] == 968

    is_live()
    assert page.all("drawn")[0]["offset"] == minutes_behind("America/St_Johns")
    goes_and_comes_back(page, gateway, is_live)


def test_the_device_hub_in_strict_mode_ends_with_one_socket(of_profile, broker, browse, vite):
    gateway = of_profile("device-hub", http__allowed_origins=vite.url)
    page = browse(f"{vite.url}/hub/index.html", "Pacific/Auckland", base=gateway.url, username="ana",
                  password=PASSWORD, token=gateway.cli("user", "token", "ana").stdout.strip())
    temperature = 20

    def is_live():
        nonlocal temperature
        page.next("screen", isConnected=True)
        temperature += 1
        broker.publish("users/ana/devices/dev-1/status", f'{{"status":"online","temperature":{temperature}}}')
        page.wait_for(lambda said: any(s["event"] == "screen" and s["rows"] and
                                       s["rows"][0]["temperature"] == temperature for s in said), "the update")

    is_live()
    assert len(page.all("connecting")) == 2, "StrictMode mounts everything twice"
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="C") == 1, "one socket to be left")
    assert not page.closes() and page.all("screen")[-1]["offset"] == minutes_behind("Pacific/Auckland")
    goes_and_comes_back(page, gateway, is_live)
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="C") == 1, "one socket to be left")
    tell(page, "click", "#toggle")
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="C") == 0, "none to be left")


def test_the_camera_dashboard_works_behind_a_development_server(of_profile, broker, browse, vite):
    gateway = of_profile("cameras", http__allowed_origins=vite.url, ws__stats_interval="100ms")
    vite.wire.target = gateway.port
    page = browse(f"{vite.url}/cameras/index.html", "America/St_Johns", username="root", password=PASSWORD)
    page.next("signed in")
    n = 0

    def is_live():
        nonlocal n
        n += 1
        page.next("welcome", user="root")
        page.next("screen", how="Live")
        broker.publish("surveillance/camera/cam-new/event", json.dumps(
            {"event_type": "face_recognized", "data": {"face_name": f"Person {n}", "confidence": 0.9}}))
        assert page.next("seen", camera="cam-new")["data"]["face_name"] == f"Person {n}"
        page.wait_for(lambda said: any(s["event"] == "statistics" and s["people"] == n for s in said),
                      f"{n} people to be counted")
        page.wait_for(lambda said: any(s["event"] == "faces" and f"Person {n}" in s["names"] for s in said),
                      "the face to be in the panel")

    is_live()
    page.wait_for(lambda said: any(s["event"] == "cameras" and s["me"] == "root" for s in said), "the cameras")
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="E") == 1, "StrictMode to leave one")
    gateway.kill()
    page.next("close")
    gateway.write_conf(http__allowed_origins="https://elsewhere.example")  # no socket, and HTTP as before
    gateway.start()
    page.next("polled", people=1)
    page.next("screen", how="Polling")
    gateway.kill()
    gateway.write_conf(http__allowed_origins=vite.url)
    gateway.start()
    is_live()
    goes_and_comes_back(page, gateway, is_live)
    assert not page.all("token over") and len(page.all("signed in")) <= 2
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="E") == 1, "one socket to be left")


# The site's own server: the page is a file, and what it asks goes on to the gateway.
SITE = NGINX.replace("        location / {{\n", """        root {folder}/site;
        location = /livez {{ proxy_pass http://127.0.0.1:{gateway}; }}
        location / {{ }}
        location ~ ^/(api|vehicles|vehicle-logs|sensor-logs|mqtt)/ {{
""").replace("X-Forwarded-Proto https", "X-Forwarded-Proto $scheme")


@pytest.fixture
def site(folder):
    """site(gateway) -> nginx before it, which has the page of the vehicles, or another, below /fleet/."""
    made = []

    def start(gateway, page="vehicles", text=SITE):
        (folder / "site").mkdir()
        (folder / "site" / "fleet").mkdir()
        shutil.copy(PAGES / page / "index.html", folder / "site" / "fleet")
        shutil.copy(PAGES / "told.js", folder / "site")
        made.append(Proxy(folder, gateway, "nginx", text))
        return made[-1]

    yield start
    for one in made:
        one.stop()


ZONES = ("Asia/Jakarta", "America/St_Johns")


@pytest.mark.parametrize("zone", ZONES)
def test_the_vehicles_page_works_behind_nginx_and_shows_the_readers_time(of_profile, broker, database, browse, site,
                                                                         zone):
    gateway = of_profile("vehicles", http__trusted_proxies="127.0.0.1")
    nginx = site(gateway)
    broker.publish("seano/USV-1/vehicle_log", '{"rssi":"-41","latitude":-6.2,"longitude":106.8}')
    database.wait_for("SELECT count(*) FROM vehicle_logs", 1)
    page = browse(f"{nginx.url}/fleet/", zone)
    shown = page.wait_for(lambda said: next((s for s in said if s["event"] == "vehicles"), None), "the list")
    assert {gateway.ids["USV-1"], gateway.ids["USV-2"]} == set(shown["ids"])
    assert shown["rssi"] == [-41] and 0 <= shown["age"][0] < PATIENCE * 2000 and shown["mqtt"] == "running"
    n = 0

    def is_live():
        nonlocal n
        n += 1
        page.next("subscribed")
        broker.publish("seano/USV-1/sensor_log", json.dumps(
            {"sensor_id": 1, "data": {"n": n, "timestamp": f"{YESTERDAY}T12:00:0{n - 1}"}}))
        assert page.next("sensor_log", vehicle=gateway.ids["USV-1"])["data"]["n"] == n

    is_live()
    assert page.all("sensor_log")[0]["at"] == f"{YESTERDAY}T05:00:00.000Z"
    assert page.all("sensor_log")[0]["local"] == (
        datetime.datetime.combine(YESTERDAY, datetime.time(5), datetime.timezone.utc).astimezone(
            zoneinfo.ZoneInfo(zone)).strftime("%d/%m/%Y, %H:%M:%S"))
    goes_and_comes_back(page, gateway, is_live)
    assert gateway.metric("tidegate_ws_connections", dialect="D") == 1


# ---- a network that drops everything and tells nobody ----

def test_pages_come_back_over_a_road_that_was_gone_without_a_word(of_profile, broker, browse, client, vite, wire):
    """Nothing of it is an event to a browser. The gateway gives its sockets up; the road's end is told once it is there again."""
    gateway = of_profile("people-counter, energy, vehicles, device-hub", http__allowed_origins=f"null, {vite.url}",
                         http__trusted_proxies="127.0.0.1", ws__ping_interval="1s", ws__silence_timeout="3s", ws__stats_interval="100ms")
    road = wire(gateway.port)
    address = f"127.0.0.1:{road.port}"
    counter = browse(f"file://{PAGES}/people-counter.html", base=f"http://{address}")
    energy = browse(f"{vite.url}/energy/index.html", url=f"ws://{address}/ws/dashboard/dev-1")
    hub = browse(f"{vite.url}/hub/index.html", base=f"http://{address}", username="ana", password=PASSWORD,
                 token=gateway.cli("user", "token", "ana").stdout.strip())
    pages = (counter, energy, hub)
    counter.next("open")
    energy.next("open")
    hub.next("screen", isConnected=True)

    def is_live(n):
        broker.publish("tfg/detections/raw", detections(n, "pi-new"))
        broker.publish("ems/dev-1/telemetry", json.dumps({"voltage": 100, "current": n}))
        broker.publish("users/ana/devices/dev-1/status", json.dumps({"status": "online", "temperature": n}))
        counter.next("detection", device="pi-new", count=n)
        assert energy.next("drawn", power=100 * n)
        hub.wait_for(lambda said: any(s["event"] == "screen" and s["rows"] and s["rows"][0]["temperature"] == n for s in said), "the status")

    is_live(3)
    before = [len(page.closes()) for page in pages]  # StrictMode has opened one too many
    road.drop()
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 0, "the gateway to give them up")
    assert [len(page.closes()) for page in pages] == before
    road.mend(tell=True)
    wait_until(lambda: all(len(page.closes()) > n for page, n in zip(pages, before)), "the pages to be told")
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 3, "them to be back")
    is_live(5)
    assert all(set(page.closes()) == {1006} for page in pages)
    assert [said for page in pages for said in page.all("unexpected")] == []  # a request that was under way may fail


def test_pages_and_a_stream_behind_proxies_come_back_over_a_road_that_was_gone_without_a_word(of_profile, broker, browse, site, vite, wire):
    """The fleet's between the browser and nginx, the cameras' between Vite and the gateway, the stream's before the gateway itself."""
    gateway = of_profile("vehicles, cameras", http__allowed_origins=vite.url, http__trusted_proxies="127.0.0.1",
                         ws__ping_interval="1s", ws__silence_timeout="3s", ws__stats_interval="100ms")
    vite.wire.target = gateway.port
    roads = [wire(site(gateway).port), vite.wire, wire(gateway.port)]
    fleet = browse(f"http://127.0.0.1:{roads[0].port}/fleet/")
    cameras = browse(f"{vite.url}/cameras/index.html", username="root", password=PASSWORD)
    stream = browse(f"{vite.url}/events/index.html", base=f"http://127.0.0.1:{roads[2].port}", username="ana", password=PASSWORD)
    fleet.next("subscribed")
    cameras.next("screen", how="Live")
    stream.wait_for(lambda said: any(s["event"] == "open" for s in said), "the stream")

    def sockets():
        return [gateway.metric("tidegate_ws_connections", dialect=dialect) for dialect in "DE"]

    wait_until(lambda: sockets() == [1, 1], "StrictMode to leave one")
    lines = []

    def send(n):
        broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": 1, "data": {"n": n}}))
        broker.publish("surveillance/camera/cam-new/event", json.dumps({"event_type": "motion", "data": {"n": n}}))
        broker.publish("seano/USV-1/raw_log", f"line {n}")
        lines.append(f"line {n}")

    def has_all(n):
        fleet.wait_for(lambda said: any(s["event"] == "sensor_log" and s["data"] == {"n": n} for s in said), "the sensor")
        cameras.wait_for(lambda said: any(s["event"] == "seen" and s["data"] == {"n": n} for s in said), "the camera")
        wait_until(lambda: [s["text"] for s in stream.all("line")] == lines, "all lines of the stream, in order")

    send(1)
    has_all(1)
    before = [len(page.closes()) for page in (fleet, cameras)]
    for road in roads:
        road.drop()
    send(2)  # to nobody
    wait_until(lambda: sockets() == [0, 0], "the gateway to give them up")
    assert [len(page.closes()) for page in (fleet, cameras)] == before
    for road in roads:
        road.mend(tell=True)
    wait_until(lambda: all(len(page.closes()) > n for page, n in zip((fleet, cameras), before)), "the pages to be told")
    wait_until(lambda: sockets() == [1, 1], "them to be back")
    fleet.next("subscribed")
    send(3)
    has_all(3)
    assert set(fleet.closes() + cameras.closes()) == {1006}
    assert not [s for s in stream.all("away") if s["isOver"]]
    assert [said for page in (fleet, cameras) for said in page.all("unexpected")] == []


# ---- tokens that end ----

def test_a_page_whose_token_has_ended_says_so_and_gives_up(of_profile, browse, site):
    gateway = of_profile("vehicles", http__trusted_proxies="127.0.0.1")
    page = browse(f"{site(gateway).url}/fleet/", token=gateway.token(gateway.ids["ana"], ttl=-60))
    page.next("gives up")
    assert not page.all("open") and set(page.closes()) == {1006}
    assert 'reason=unauthorized why="expired"' in gateway.log()


def test_pages_whose_token_ends_ask_for_another_one(of_profile, browse, vite):
    """25 s after its end (docs/protocol.md, 2); at the same time in two browsers."""
    gateway = of_profile("device-hub, cameras", http__allowed_origins=vite.url, auth__token_ttl="10s")
    vite.wire.target = gateway.port
    cameras = browse(f"{vite.url}/cameras/index.html", username="ana", password=PASSWORD)
    hub = browse(f"{vite.url}/hub/index.html", base=gateway.url, username="ana", password=PASSWORD)
    for page in (cameras, hub):
        page.next("signed in")
    for page, back in ((cameras, {"how": "Live"}), (hub, {"isConnected": True})):
        page.next("close", code=4202, timeout=PATIENCE * 2)
        page.next("signed in")
        page.next("screen", **back)
        assert not page.all("error")


# ---- a browser's own EventSource ----

def test_an_event_source_of_another_origin_comes_back_by_itself_without_a_hole(make_gateway, broker, browse, vite):
    gateway = make_gateway(http__allowed_origins=vite.url)
    populate(gateway)
    gateway.start()
    page = browse(f"{vite.url}/events/index.html", "Asia/Kathmandu", base=gateway.url, username="ana",
                  password=PASSWORD)
    page.wait_for(lambda said: any(s["event"] == "open" for s in said), "the stream")
    sent = 0

    def send(n):
        nonlocal sent
        for _ in range(n):
            broker.publish("seano/USV-1/raw_log", f"line {sent}")
            sent += 1

    def has_all():
        wait_until(lambda: len(page.all("line")) >= sent, f"{sent} lines")
        assert [s["text"] for s in page.all("line")] == [f"line {n}" for n in range(sent)]

    send(3)
    has_all()
    gateway.terminate()
    page.next("away", isOver=False)
    send(3)
    gateway.start()
    send(3)
    has_all()
    assert not [s for s in page.all("away") if s["isOver"]]


def test_an_event_source_waits_for_a_gateway_that_is_not_ready(make_gateway, broker, browse, vite, postgres):
    """A browser gives a stream up for good at any answer but 200: it must not meet one while the gateway starts."""
    gateway = make_gateway(http__allowed_origins=vite.url)
    populate(gateway)
    gateway.start()
    page = browse(f"{vite.url}/events/index.html", base=gateway.url, username="ana", password=PASSWORD)
    page.wait_for(lambda said: any(s["event"] == "open" for s in said), "the stream")
    broker.publish("seano/USV-1/raw_log", "before")
    page.next("line", text="before")
    gateway.terminate()
    page.next("away", isOver=False)
    postgres.stop()
    gateway.start(wait=False)
    page.next("away", timeout=PATIENCE)
    page.next("away", timeout=PATIENCE)
    broker.publish("seano/USV-1/raw_log", "meanwhile")
    postgres.start()
    page.next("line", text="meanwhile")
    assert not [s for s in page.all("away") if s["isOver"]]


def with_the_manuals_lines(site):
    """That configuration, and what the manual adds for event streams."""
    manual = (ROOT / "docs/operations.md").read_text("utf-8")
    block = re.search(r"```nginx\n(    location = /api/events .*?)```", manual, re.S)[1]
    block = block.replace("{", "{{").replace("}", "}}")
    rest = re.search(r"        location ~ .*? \{\{\n(.*?)\n        \}\}", site, re.S)[1]
    assert "# the rest as in location /" in block and "proxy_pass" in rest
    return site.replace("        location ~ ", block.replace("# the rest as in location /", rest) + "        location ~ ", 1)


def test_an_event_source_behind_nginx_comes_back_with_the_lines_of_the_manual(make_gateway, broker, browse, site):
    gateway = make_gateway(http__trusted_proxies="127.0.0.1")
    populate(gateway)
    gateway.start()
    nginx = site(gateway, "events", with_the_manuals_lines(SITE))
    page = browse(f"{nginx.url}/fleet/", base=nginx.url, username="ana", password=PASSWORD)
    page.wait_for(lambda said: any(s["event"] == "open" for s in said), "the stream")
    broker.publish("seano/USV-1/raw_log", "before")
    page.next("line", text="before")
    gateway.kill()
    for _ in range(2):  # once for the end, once for what nginx says
        page.next("away", isOver=False)
    broker.publish("seano/USV-1/raw_log", "meanwhile")
    gateway.start()
    page.next("line", text="meanwhile")
    assert not [s for s in page.all("away") if s["isOver"]]
