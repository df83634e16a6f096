"""Promise: programs in Python go on as they are, on the libraries of Debian and on those of PyPI: over a
restart, the end of a token, a network that is gone, and with a clock that shows another zone."""
import re
import subprocess

import pytest

from clients import PYTHONS, install_python
from conftest import populate
from servers import ROOT, die_with_parent
from waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery"
VERSIONS = {"debian": ("10.4", "1.6.1"), "pypi": ("15.0.1", "2.1.0")}
ZONES = ("Asia/Jakarta", "America/St_Johns")


@pytest.fixture(params=VERSIONS)
def python(request):
    return request.param


def ws(port, path):
    return f"ws://127.0.0.1:{port}{path}"


# ---- an energy device ----

def edge_device(client, gateway, python, port=None, **args):
    return client("edge_device.py", python=python, url=ws(port or gateway.port, "/ws/device/dev-1"),
                  **{"token": gateway.ids["dev-1 token"], **args})


def test_an_edge_device_sends_obeys_and_comes_back(gateway, database, client, python):
    device = edge_device(client, gateway, python, zone=ZONES[0])
    assert device.next("open")["version"] == VERSIONS[python][0]
    page = client("energy-dashboard.mjs", url=ws(gateway.port, "/ws/dashboard/dev-1?token="
                                                 + gateway.token("ana")), zone=ZONES[1])
    assert page.next("drawn")["power"] == 968

    def command(mode):
        answer = gateway.post(f"/api/devices/{gateway.ids['dev-1']}/commands",
                              headers={"Authorization": "Bearer " + gateway.token("ana")},
                              json={"action": "SET_MODE", "payload": {"mode": mode}})
        assert answer.status_code == 202, answer.text
        return answer.json()["command_id"]

    before = command("BEFORE")
    assert device.next("command")["command"]["command_id"] == before
    gateway.terminate()
    gateway.start()
    device.next("open")
    after = command("AFTER")
    assert device.next("command")["command"]["command_id"] == after
    last = device.next("sent")["n"]
    database.wait_for(f"SELECT count(*) FROM telemetry WHERE (payload->>'n')::int = {last}", 1)
    assert database.value("SELECT max(abs(extract(epoch FROM time - received_at))) < 5 FROM telemetry")
    assert device.closes() == [4200] and not device.all("unexpected")


def test_an_edge_device_stays_away_where_it_is_no_more_and_says_why(make_gateway, client, python):
    gateway = make_gateway(auth__anonymous="/ws/device/*")
    populate(gateway)
    gateway.start()
    old = gateway.ids["dev-1 token"]
    device = edge_device(client, gateway, python)
    device.next("sent")
    gateway.cli("device", "token", "rotate", "dev-1")
    assert device.next("close")["code"] == 4004
    assert device.next("refused")["status"] == 403
    nobody = edge_device(client, gateway, python, token=None)
    closed = nobody.next("close")
    assert closed["code"] == 1008 and "token" in closed["reason"]
    nobody.next("stays away")
    assert old not in gateway.log()


def test_an_edge_device_comes_back_over_a_network_that_was_gone(gateway, database, client, python, wire):
    road = wire(gateway.port)
    device = edge_device(client, gateway, python, port=road.port)
    device.next("sent")
    road.drop()
    assert device.next("close")["code"] == 1006
    road.mend()
    device.next("open")
    last = device.next("sent")["n"]
    database.wait_for(f"SELECT count(*) FROM telemetry WHERE (payload->>'n')::int = {last}", 1)


# ---- a program that reads ----

def reader_of(client, gateway, python, **args):
    return client("viewer.py", python=python, base=gateway.url, username="ana", password=PASSWORD,
                  **{"url": ws(gateway.port, "/api/ws"), **args})


def test_a_reader_comes_back_over_a_restart_and_a_network_that_was_gone(gateway, broker, client, python, wire):
    road = wire(gateway.port)
    reader = reader_of(client, gateway, python, url=ws(road.port, "/api/ws"), zone=ZONES[1])
    reader.next("signed in")
    reader.next("connection")
    road.drop()
    reader.next("close")
    road.mend()
    reader.next("connection")
    gateway.kill()
    gateway.start()
    reader.next("connection")
    broker.publish("seano/USV-1/raw_log", "after all that")
    assert reader.next("raw_log")["data"] == "after all that"
    assert len(reader.all("signed in")) == 1
    assert {s["status"] for s in reader.all("refused")} <= {503}, "but while it starts"


def test_a_reader_whose_token_has_ended_signs_in_again(gateway, client, python):
    token = gateway.token("ana", ttl=3)
    headers = {"Authorization": "Bearer " + token}
    reader = reader_of(client, gateway, python, token=token)
    reader.next("connection")
    wait_until(lambda: gateway.get("/api/vehicles", headers=headers).status_code == 401, "the token to end")
    gateway.terminate()
    gateway.start()
    reader.next("refused", status=401)
    reader.next("signed in")
    reader.next("connection")


# ---- publishers ----

PLAYS = {"scanner": ("people-counter", "pi-new", "Europe/Madrid", "ble_detections", "device_hash"),
         "vehicle": ("vehicles", "USV-1", "Asia/Jakarta", "sensor_logs", "data->>'n'"),
         "camera": ("cameras", "cam-new", "UTC", "camera_events", "data->>'n'")}


@pytest.mark.parametrize("plays", PLAYS)
def test_a_publisher_misses_nothing_over_restarts_of_broker_and_gateway(of_profile, broker, database, client,
                                                                        python, plays):
    profile, code, zone, table, column = PLAYS[plays]
    gateway = of_profile(profile)
    device = client("publisher.py", python=python, plays=plays, code=code, port=broker.port, zone=zone)
    assert device.next("connect")["version"] == VERSIONS[python][1]

    def n_stored():
        return database.value(f"SELECT count(DISTINCT {column}) FROM {table}")

    wait_until(lambda: n_stored() >= 5, "the first messages")
    gateway.kill()
    device.wait_for(lambda said: len([s for s in said if s["event"] == "published"]) >= 15, "more of them")
    broker.stop()
    device.next("sent")
    broker.start()
    device.next("connect")
    gateway.start()
    n = len(device.all("sent")) + 5
    wait_until(lambda: n_stored() >= n, f"{n} messages")
    device.stop()
    wait_until(lambda: n_stored() >= len(device.all("published")), "what the broker has acknowledged")
    assert database.value(f"SELECT max(abs(extract(epoch FROM time - received_at))) < {PATIENCE} FROM {table}")
    assert gateway.metric("tidegate_dead_lettered_total") == 0
    if plays == "camera":
        assert database.value("SELECT count(*) FROM camera_events WHERE person_name LIKE 'Person %'") >= n
    if plays == "scanner":
        assert database.value("SELECT user_id IS NULL FROM devices WHERE code = 'pi-new'")


def test_a_publisher_goes_on_over_a_network_that_was_gone(of_profile, broker, database, client, python, wire):
    of_profile("vehicles")
    road = wire(broker.port)
    device = client("publisher.py", python=python, plays="vehicle", code="USV-1", port=road.port, keepalive=2,
                    zone="Asia/Jakarta")
    device.next("published")
    road.drop()
    n_lost = device.next("sent")["n"]
    device.next("disconnect")
    road.mend()
    device.next("connect")
    wait_until(lambda: database.value("SELECT count(*) FROM sensor_logs WHERE (data->>'n')::int = %s", n_lost),
               "what was under way to be sent again")


# ---- the examples in the manual ----

def example(of, *replaced):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    found = [b for b in blocks if of in b]
    assert len(found) == 1
    for old, new in replaced:
        assert old in found[0]
        found[0] = found[0].replace(old, new)
    return found[0]


@pytest.fixture
def running():
    """running(text, python) -> the process that runs that text."""
    made = []

    def start(text, python):
        if python == "pypi":
            install_python()
        made.append(subprocess.Popen([PYTHONS[python], "-u", "-c", text], text=True, stdout=subprocess.PIPE,
                                     preexec_fn=die_with_parent))
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.wait()
        one.stdout.close()


def test_the_manual_shows_how_a_device_connects(gateway, database, running, python):
    running(example("/ws/device/meter-1", ("127.0.0.1:8000", f"127.0.0.1:{gateway.port}"), ("meter-1", "dev-1"),
                    ("what `tidegate device add` has printed", gateway.ids["dev-1 token"])), python)
    database.wait_for("SELECT count(*) FROM telemetry WHERE payload->>'soc' = '81'", 1)
    answer = gateway.post(f"/api/devices/{gateway.ids['dev-1']}/commands",
                          headers={"Authorization": "Bearer " + gateway.token("ana")},
                          json={"action": "SET_MODE", "payload": {"mode": "ECO"}})
    command = f"/api/commands/{answer.json()['command_id']}"
    wait_until(lambda: gateway.get(command, "ana").json()["state"] == "done", "the command to be done")


def test_the_manual_shows_how_a_program_reads(gateway, broker, running, python):
    reader = running(example("/api/token", ("127.0.0.1:8000", f"127.0.0.1:{gateway.port}"),
                             ("correct horse", PASSWORD)), python)
    assert "'type': 'connection'" in reader.stdout.readline()
    broker.publish("seano/USV-1/raw_log", "read me")
    assert "read me" in reader.stdout.readline()
