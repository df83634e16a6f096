"""Promise: a profile lets the clients of its system in, as printed, and opens no more than it says."""
import datetime
import itertools
import json
import re
import signal
import subprocess
from zoneinfo import ZoneInfo

import pytest

from conftest import populate
from servers import TIDEGATE
from viewers import Viewer, refused
from waiting import wait_until

YESTERDAY = f"{datetime.date.today() - datetime.timedelta(days=1)}"  # a time that is believed

PROFILES = ("people-counter", "energy", "device-hub", "vehicles", "cameras")
# What each opens to everybody, to read. Whoever adds something here says so in its lines, too.
ANONYMOUS = {
    "people-counter": {"/", "/ws", "/api/v1/devices*", "/api/v1/statistics/*", "/api/v1/detections*",
                       "/api/v1/export/*", "/api/v1/settings/thresholds"},
    "energy": {"/ws/device/*", "/ws/dashboard/*"},
    "device-hub": set(),
    "vehicles": {"/api/ws", "/api/ws/vehicle/*", "/api/ws/stats", "/api/vehicles*", "/vehicles*",
                 "/vehicle-logs*", "/sensor-logs*", "/raw-logs*", "/sensors/status", "/mqtt/status",
                 "/api/mqtt/status"},
    "cameras": set(),
}
SOCKETS = ("/", "/ws", "/ws/device/dev-1", "/ws/dashboard/dev-1", "/ws/devices", "/api/ws",
           "/api/ws/vehicle/1", "/api/ws/statistics")
# Said by the site, in any profile.
SITE = ("http.listen", "database.url", "mqtt.url", "journal.dir", "auth.jwt_secret_file",
        "auth.token_pepper_file", "mqtt.backoff_min", "database.partitions_ahead")


def printed(profile):
    return subprocess.run([TIDEGATE, "check-config", "--example", profile], check=True, text=True,
                          capture_output=True).stdout


@pytest.fixture
def of_profile(make_gateway):
    """of_profile(text) -> a Gateway that runs with that file; the environment says the rest."""
    def make(text):
        gateway = make_gateway()
        gateway.conf.write_text(text, "utf-8")
        gateway.extra_env = {f"TIDEGATE_{key.upper().replace('.', '_')}": str(gateway.settings[key])
                             for key in SITE}
        populate(gateway)
        return gateway.start()
    return make


def matches(pattern, path):
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def is_open(gateway, path):
    if path in SOCKETS and refused(gateway, path) == 101:
        return True
    return gateway.get(path).status_code not in (401, 403, 426)


@pytest.fixture(scope="module")
def readable(shared_gateway):
    """Every path that can be read, those that are anybody's without a profile left out."""
    documented = shared_gateway.get("/api/openapi.json").json()["paths"]
    paths = {re.sub(r"\{\w+\}", "1", path) for path, ways in documented.items() if "get" in ways}
    return {path for path in paths | set(SOCKETS) if path == "/" or not is_open(shared_gateway, path)}


def assert_open(gateway, readable, patterns):
    sockets = {p for p in SOCKETS if refused(gateway, p) == 101}
    assert sockets == {p for p in SOCKETS if any(matches(x, p) for x in patterns)}
    pages = {p for p in readable - set(SOCKETS) if is_open(gateway, p)}
    assert pages == {p for p in readable - set(SOCKETS) if any(matches(x, p) for x in patterns)}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_opens_what_it_says_and_no_more(of_profile, readable, profile):
    text = printed(profile)
    said = re.search(r"^anonymous = (.*)$", text, re.M)
    assert set(said[1].split(", ") if said else ()) == ANONYMOUS[profile]
    gateway = of_profile(text)
    assert_open(gateway, readable, ANONYMOUS[profile])
    assert gateway.post("/api/v1/detections", json={}).status_code == 401
    token = gateway.cli("user", "token", "ana").stdout.strip()
    for origin, status in (("null", 101), ("http://localhost:5173", 101), ("https://evil.example", 403)):
        assert refused(gateway, "/ws/devices", token, {"Origin": origin}) == 101
        path = "/ws/devices?token=" + token if "query_token" in text \
            else next(p for p in SOCKETS[1:] if any(matches(x, p) for x in ANONYMOUS[profile]))
        assert refused(gateway, path, headers={"Origin": origin}) == status


def test_profiles_together_open_what_each_opens(of_profile, readable):
    gateway = of_profile(f"use_profile = {', '.join(PROFILES)}\n")
    assert_open(gateway, readable, set(itertools.chain(*ANONYMOUS.values())))
    assert "use_profile" in gateway.cli("check-config").stdout


COMBINATIONS = [c for n in range(2, 6) for c in itertools.combinations(PROFILES, n)]


@pytest.fixture(scope="module")
def any_profiles(shared_gateway):
    """check(text) -> how `check-config` ends with that configuration, and what it prints."""
    def check(text):
        path = shared_gateway.folder / "profiles.conf"
        path.write_text(text, "utf-8")
        env = {**shared_gateway.environment(),
               **{f"TIDEGATE_{key.upper().replace('.', '_')}": str(shared_gateway.settings[key]) for key in SITE}}
        return subprocess.run([TIDEGATE, "check-config", "--config", path], text=True, capture_output=True, env=env, check=False)
    return check


@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
def test_any_profiles_go_together(any_profiles, names):
    """In whatever order: without a contradiction, with what each opens and no more, and what they say of routes side by side."""
    for order in (names, names[::-1]):
        done = any_profiles(f"use_profile = {', '.join(order)}\n")
        assert done.returncode == 0 and not re.search(r"\b(error|warning)\b", done.stdout + done.stderr), done.stdout + done.stderr
        said = dict(re.findall(r"^([\w.][\w. ]*) = (.*)$", done.stdout, re.M))
        assert set(said["auth.anonymous"].split(", ")) - {""} == set(itertools.chain(*(ANONYMOUS[name] for name in names)))
        wanted = {}
        for name in order:  # of what is no list the one that is named last counts
            for section, lines in re.findall(r"^\[(.*)\]\n((?:(?!\[).*\n?)*)", printed(name), re.M):
                wanted.update({f"{section}.{key}": value for key, value in re.findall(r"^(\w+) = (.*)$", lines, re.M)})
        for key in set(wanted) - set(SITE) - {"auth.anonymous"}:
            assert said[key] == wanted[key], key


def test_any_profiles_together_open_no_more_and_let_their_clients_in(make_gateway, readable):
    """One after the other, by reloads."""
    gateway = make_gateway()
    gateway.conf.write_text("use_profile = energy\n", "utf-8")
    gateway.extra_env = {f"TIDEGATE_{key.upper().replace('.', '_')}": str(gateway.settings[key]) for key in (*SITE, "ws.connects_per_second")}
    populate(gateway)
    gateway.start()
    token = gateway.cli("user", "token", "ana").stdout.strip()
    for names in COMBINATIONS:
        n_before = gateway.log().count(" info reloaded\n")
        gateway.conf.write_text(f"use_profile = {', '.join(names)}\n", "utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda n=n_before: gateway.log().count(" info reloaded\n") > n, f"{names} to be read")
        assert_open(gateway, readable, set(itertools.chain(*(ANONYMOUS[name] for name in names))))
        by_address = {"device-hub", "vehicles", "cameras"} & set(names)
        for path in ("/ws/devices", "/api/ws/statistics"):
            assert refused(gateway, f"{path}?token={token}", headers={"Origin": "null"}) == (101 if by_address else 401 if path == "/ws/devices" else 403)
            assert refused(gateway, path, token) == 101
        device = Viewer(gateway, "/ws/device/dev-1", gateway.ids["dev-1 token"])
        device.send('{"power": 1}')
        device.close()
        assert refused(gateway, "/ws/device/dev-1", "nonsense") == 403


def test_the_site_goes_before_its_profile(of_profile, readable):
    gateway = of_profile("use_profile = vehicles\n[auth]\nanonymous = /ws\nquery_token = off\n")
    assert_open(gateway, readable, {"/ws"})
    assert refused(gateway, "/api/ws?token=" + gateway.token("ana")) == 401


def test_what_a_reload_shuts_is_shut_for_those_who_are_in(of_profile, broker):
    gateway = of_profile("use_profile = people-counter, energy, vehicles\n"
                         "[auth]\nanonymous = /ws, /api/ws, /ws/dashboard/*, /api/events, /ws/devices\n")
    ana = Viewer(gateway, "/ws/devices", gateway.cli("user", "token", "ana").stdout.strip())
    inside = [Viewer(gateway, path) for path in ("/ws", "/api/ws", "/ws/dashboard/dev-1")]
    stays = Viewer(gateway, "/ws/devices")
    stream = gateway.get("/api/events", stream=True)
    gateway.conf.write_text("[auth]\nanonymous = /ws/devices\n", "utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    for viewer in inside:
        assert viewer.wait_closed()[0] == 4004
    assert b'"code":4004' in b"".join(stream.iter_content(None))
    broker.publish("devices/dev-1/status", '{"status":"online"}')
    for viewer in (ana, stays):
        viewer.next_of("device_update")


def test_a_path_with_a_slash_at_its_end_is_as_open(of_profile):
    gateway = of_profile("use_profile = vehicles\n")
    for path in ("/mqtt/status", "/sensors/status", "/api/ws/stats", "/vehicles"):
        assert gateway.get(path).status_code == gateway.get(path + "/").status_code == 200, path
    assert gateway.get("/api/devices/").status_code == 401


# ---- each with its own clients ----

def url(gateway, path):
    return f"ws://127.0.0.1:{gateway.port}{path}"


def test_the_people_counter_counts_without_a_sign_in(of_profile, broker, client, database):
    gateway = of_profile(printed("people-counter"))
    page = client("people-counter.mjs", url=url(gateway, "/ws"))
    page.next("open")
    broker.publish("tfg/detections/raw", json.dumps(
        {"device_id": "pi-new", "timestamp": f"{datetime.datetime.now(ZoneInfo('Europe/Madrid')):%Y-%m-%dT%H:%M:%S}", "detections": [
            {"device_hash": f"{i:064x}", "rssi": -50} for i in range(3)]}))
    page.next("view", detections=3, device="pi-new")
    page.next("view", people=2)
    wait_until(lambda: database.value("SELECT user_id IS NULL FROM devices WHERE code = 'pi-new'"),
               "the scanner to have registered itself")


@pytest.mark.parametrize("others", ["cameras", "device-hub", "energy", "energy, device-hub, cameras"])
def test_the_people_counter_shows_nobody_the_devices_of_others(of_profile, broker, database, others):
    """In whatever order: neither in its list, nor by another answer to who guesses a code."""
    gateway = of_profile(f"use_profile = {others}, people-counter\n")
    gateway.add_device("pi-hand", "ana", "--type", "BLE")
    gateway.add_device("hub-1", "ana", "--name", "Bedroom", "--type", "sensor")
    broker.publish("surveillance/camera/cam-1/event", json.dumps(
        {"camera_id": "cam-1", "event_type": "motion_detected", "data": {}, "name": "Bedroom", "location": "First floor"}))
    if "cameras" not in others:
        gateway.add_device("cam-1", "ana", "--type", "camera")
    for code in ("pi-1", "hub-1"):
        broker.publish("tfg/detections/raw", json.dumps({"device_id": code, "detections": [{"device_hash": "ab" * 32, "rssi": -50}]}))

    def listed(path="", user=None):
        return {d["device_id"] for d in gateway.get(f"/api/v1/devices/{path}", user).json()}

    everything = {"dev-1", "dev-2", "pi-1", "pi-hand", "hub-1", "cam-1"}
    wait_until(lambda: listed(user="root") == everything and "pi-1" in listed("active"), "all to be known")
    assert (listed(), listed("active")) == ({"pi-1", "pi-hand"}, {"pi-1"})
    assert listed(user="ana") == everything - {"dev-2", "pi-1"} - ({"cam-1"} if "cameras" in others else set())
    ids = {d["device_id"]: d["id"] for d in gateway.get("/api/v1/devices/", "root").json()}
    for path in ("devices/{}", "devices/{}/stats", "statistics/realtime?device_id={}", "statistics/realtime?minutes=90&device_id={}",
                 "statistics/range?start_time=2026-01-01&end_time=2026-01-02&device_id={}", "statistics/histogram?device_id={}",
                 "statistics/histogram?range=week&device_id={}", "export/detections/csv?device_id={}"):
        missing = gateway.get(f"/api/v1/{path.format('nothing')}")
        assert missing.status_code == 404, path
        for hidden in ("cam-1", "hub-1", "dev-1", f"id:{ids['hub-1']}", ids["hub-1"]):
            answer = gateway.get(f"/api/v1/{path.format(hidden)}")
            assert (answer.status_code, answer.json()) == (404, missing.json()), (path, hidden)
        assert gateway.get(f"/api/v1/{path.format('pi-1')}").status_code == 200, path
        assert gateway.get(f"/api/v1/{path.format('hub-1')}", "ana").status_code == 200, path
    database.rows("UPDATE devices SET device_type = 'ble_scanner' WHERE code = 'dev-1'")  # as docs/migrate/README.md says
    wait_until(lambda: gateway.get("/api/v1/devices/dev-1").status_code == 200, "it to be a scanner")
    assert listed() == {"pi-1", "pi-hand", "dev-1"}


def test_a_people_counter_alone_shows_every_device(of_profile):
    gateway = of_profile("use_profile = people-counter, vehicles\n")
    assert {d["device_id"] for d in gateway.get("/api/v1/devices/").json()} == {"dev-1", "dev-2"}
    assert gateway.get("/api/v1/statistics/realtime?device_id=dev-1").status_code == 200


def test_a_storm_of_detections_is_no_storm_of_reloads(of_profile, broker, database):
    """The page of the people counter loads anew with each detection_event."""
    gateway = of_profile(printed("people-counter"))
    page = Viewer(gateway, "/ws", headers={"Origin": "null"})
    for i in range(100):
        broker.publish("tfg/detections/raw", json.dumps({"device_id": f"pi-{i % 2}", "detections": [{"device_hash": f"{i:02x}" * 32, "rssi": -50}]}))

    def events():
        return [e for e in map(json.loads, page.frames) if e["type"] == "detection_event"]

    database.wait_for("SELECT count(*) FROM ble_detections", 100)
    wait_until(lambda: sum(e["count"] for e in events()) == 100, "all to be told of")
    assert [e["count"] for e in events()[:1]] == [1] and len(events()) < 100


def test_energy_devices_need_their_token_and_their_dashboards_none(of_profile, client):
    gateway = of_profile(printed("energy"))
    page = client("energy-dashboard.mjs", url=url(gateway, "/ws/dashboard/dev-1"))
    page.next("open")
    device = client("edge_device.py", url=url(gateway, "/ws/device/dev-1"),
                    token=gateway.ids["dev-1 token"])
    device.next("sent")
    assert page.next("drawn")["power"] == 968
    viewer = Viewer(gateway, "/ws/device/dev-1")
    viewer.send('{"voltage": 1, "current": 1}')
    assert viewer.wait_closed()[0] == 1008


def test_the_device_hub_knows_its_user_by_the_address(of_profile, broker, client):
    gateway = of_profile(printed("device-hub"))
    page = client("device-hub.mjs", url=url(gateway, f"/ws/devices?token={gateway.token('ana')}"))

    def shows(temperature):
        row = {"code": "dev-1", "status": "online", "temperature": temperature}
        return lambda said: said and said[-1].get("rows") == [row]

    page.wait_for(lambda said: said and said[-1].get("rows"), "the list")
    for topic, temperature in (("users/ana/devices/status", 25.5), ("devices/status", 26),
                               ("users/ana/devices/dev-1/status", 27)):
        broker.publish(topic, json.dumps({"device_code": "dev-1", "status": "online",
                                          "temperature": str(temperature)}))
        page.wait_for(shows(temperature), f"what came on {topic}")
    broker.publish("users/ben/devices/status", '{"device_code":"dev-1","status":"error"}')
    wait_until(lambda: gateway.metric("tidegate_dead_lettered_total", reason="wrong_owner") == 1,
               "a stranger's device to be refused")


def test_vehicles_say_the_time_of_jakarta(of_profile, broker, client, database):
    gateway = of_profile(printed("vehicles"))
    page = client("vehicle-stream.mjs", url=url(gateway, "/api/ws"))
    page.next("subscribed")
    broker.publish("seano/USV-1/sensor_log", json.dumps(
        {"sensor_id": 1, "data": {"temperature": 25.5, "timestamp": f"{YESTERDAY}T12:00:00"}}))
    broker.publish("seano/USV-1/vehicle_log", '{"rssi":-41,"latitude":-6.2,"longitude":106.8}')
    page.next("moved", vehicle=gateway.ids["USV-1"], n=-41)
    wait_until(lambda: database.value(
        "SELECT time = %s::timestamptz FROM sensor_logs", f"{YESTERDAY}T05:00:00Z"),
        "the time to be Jakarta's")


def test_the_page_of_nobody_may_write_its_empty_token_into_the_address(of_profile):
    gateway = of_profile(printed("vehicles"))
    viewer = Viewer(gateway, "/api/ws?token=", headers={"Origin": "null"})
    assert viewer.next_json()["type"] == "connection"
    assert gateway.get("/vehicles/?token=").status_code == 200
    assert refused(gateway, "/api/ws?token=null") == 401  # a word is a wrong token, and told


def test_the_camera_dashboard_keeps_its_token_for_a_month(of_profile, broker, client, database):
    gateway = of_profile(printed("cameras"))
    page = client("camera-dashboard.mjs", base=gateway.url, url=url(gateway, "/api/ws/statistics"),
                  username="root", password="correct horse battery")
    page.next("signed in")
    page.next("subscribed")
    broker.publish("surveillance/camera/cam-new/event", json.dumps(
        {"event_type": "face_recognized", "data": {"face_name": "Ana", "confidence": 0.9}}))
    assert page.next("seen", camera="cam-new")["data"]["face_name"] == "Ana"
    page.wait_for(lambda said: any(s["event"] == "statistics" and s["statistics"]["total_people"] == 1
                                   for s in said), "a person to be counted")
    assert database.value("SELECT user_id IS NULL FROM devices WHERE code = 'cam-new'")
    answer = gateway.post("/api/token", data={"username": "root", "password": "correct horse battery"})
    assert answer.status_code == 200
    viewer = Viewer(gateway, "/api/ws/statistics?token=" + answer.json()["access_token"])
    assert viewer.next_json()["type"] == "connection_status"
