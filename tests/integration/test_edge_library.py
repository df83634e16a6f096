"""clients/python on real servers: what a device sends arrives over every fault, and commands are obeyed once."""
import json
import os
import signal
import subprocess
import sys

import pytest

from clients import PYTHONS, Client, install_python
from commanding import post
from conftest import populate
from scripted_broker import ScriptedBroker
from servers import ROOT, die_with_parent
from waiting import PATIENCE, wait_until
from wire import Wire

WINDOW = 20  # what may come twice after a kill, and after a connection that broke
WAYS = [(way, python) for way in ("mqtt", "ws") for python in PYTHONS]


@pytest.fixture
def made(gateway, tmp_path):
    """made(way, python, road) -> a device whose buffer outlives it."""
    running = []

    def make(way, python="debian", port=None, host="127.0.0.1", **args):
        if python == "pypi":
            install_python()
        port = port or (gateway.broker.port if way == "mqtt" else gateway.port)
        running.append(Client("edge_library.py", python=python, url=f"{way}://{host}:{port}", device="dev-1",
                              token=gateway.ids["dev-1 token"], buffer=str(tmp_path / "buffer"), **args))
        running[-1].next("started")
        return running[-1]

    yield make
    for one in running:
        if one.process.poll() is None:
            one.stop()


def stored(database):
    return [row[0] for row in database.rows("SELECT (payload->>'n')::int FROM telemetry ORDER BY seq")]


def is_heard(device):
    """What it sends arrives, and what it hears of was subscribed before that."""
    device.tell(send=[0, 1], flush=PATIENCE)
    assert device.next("flushed")["done"]
    return device


def assert_all(database, n, n_twice=WINDOW):
    """Each number below n, in order but for those that came again, of which there are few."""
    wait_until(lambda: set(stored(database)) == set(range(n)), f"{n} numbers", timeout=3 * PATIENCE)
    found = stored(database)
    assert len(found) <= n + n_twice
    assert list(dict.fromkeys(found)) == list(range(n))


@pytest.mark.parametrize("way, python", WAYS)
def test_what_is_sent_arrives_over_restarts_of_the_other_side(gateway, broker, database, made, way, python):
    device = made(way, python)
    device.tell(send=[0, 20], flush=PATIENCE)
    assert device.next("flushed")["done"]
    if way == "mqtt":
        broker.stop()
    else:
        gateway.terminate()
    device.tell(send=[20, 40])
    device.next("sent")
    if way == "mqtt":
        broker.start()
    else:
        gateway.start()
    device.tell(send=[40, 60], flush=PATIENCE)
    assert device.next("flushed")["done"]
    assert_all(database, 60)


@pytest.mark.parametrize("way, python", WAYS)
def test_kill_9_of_the_device_costs_nothing(database, made, way, python):
    device = made(way, python)
    device.tell(send=[0, 200])
    device.next("sent")
    device.process.send_signal(signal.SIGKILL)
    device.process.wait()
    device = made(way, python)
    device.tell(send=[200, 210], flush=3 * PATIENCE)
    assert device.next("flushed", timeout=4 * PATIENCE)["done"]
    assert_all(database, 210)


@pytest.mark.parametrize("way", ["mqtt", "ws"])
def test_a_network_that_was_gone_costs_nothing(gateway, broker, database, made, way):
    road = Wire(broker.port if way == "mqtt" else gateway.port)
    device = made(way, port=road.port)
    device.tell(send=[0, 10], flush=PATIENCE)
    assert device.next("flushed")["done"]
    road.drop()
    device.tell(send=[10, 20])
    device.next("sent")
    road.mend(tell=True)
    device.tell(send=[20, 30], flush=3 * PATIENCE)
    assert device.next("flushed", timeout=4 * PATIENCE)["done"]
    assert_all(database, 30)
    road.close()


def test_what_waited_keeps_the_time_at_which_it_was_sent(gateway, database, made):
    device = made("mqtt")
    gateway.broker.stop()
    device.tell(send=[0, 1])
    device.next("sent")
    before = database.value("SELECT now()")
    gateway.broker.start()
    device.tell(flush=PATIENCE)
    assert device.next("flushed")["done"]
    database.wait_for("SELECT count(*) FROM telemetry WHERE time < %s", 1, before)


@pytest.mark.parametrize("way", ["mqtt", "ws"])
def test_a_command_is_obeyed_once_and_answered(gateway, database, made, way):
    device = is_heard(made(way))

    def order(mode):
        answer = post(gateway, "ana", "dev-1", {"action": "SET_MODE", "payload": {"mode": mode}})
        return answer.json()["command_id"]

    one = order("ECO")
    device.next("obeyed", mode="ECO")
    database.wait_for("SELECT state || ': ' || message FROM commands WHERE command_id = %s", "done: mode ECO", one)
    two = order("BREAK")
    database.wait_for("SELECT state || ': ' || message FROM commands WHERE command_id = %s", "failed: it broke", two)
    if way == "mqtt":  # a broker may bring it twice
        for _ in range(2):
            gateway.broker.publish("devices/dev-1/commands", json.dumps(
                {"command_id": one, "action": "SET_MODE", "payload": {"mode": "ECO"}}))
        three = order("OFF")
        device.next("obeyed", mode="OFF")
        database.wait_for("SELECT state FROM commands WHERE command_id = %s", "done", three)
    assert [said["mode"] for said in device.all("obeyed")].count("ECO") == 1


def test_a_command_amid_which_we_are_killed_is_not_obeyed_again(gateway, database, made):
    device = is_heard(made("mqtt"))
    one = post(gateway, "ana", "dev-1", {"action": "SET_MODE", "payload": {"mode": "HANG"}}).json()["command_id"]
    device.next("obeyed", mode="HANG")
    device.process.send_signal(signal.SIGKILL)
    device.process.wait()
    device = made("mqtt")
    gateway.broker.publish("devices/dev-1/commands", json.dumps(
        {"command_id": one, "action": "SET_MODE", "payload": {"mode": "HANG"}}))
    database.wait_for("SELECT state FROM commands WHERE command_id = %s", "failed", one)
    assert device.all("obeyed") == []


def test_what_is_no_command_costs_no_other(gateway, database, made):
    device = made("mqtt")
    for text in ('{"command_id":"1","action":"SET_MODE","payload":' + "[" * 50_000, '{"command_id":{},"action":"SET_MODE"}',
                 '{"command_id":"1","action":[]}', '{"command_id":"\\ud800","action":"SET_MODE"}', "[]", "\xff"):
        gateway.broker.publish("devices/dev-1/commands", text)
    one = post(gateway, "ana", "dev-1", {"action": "SET_MODE", "payload": {"mode": "ECO"}}).json()["command_id"]
    database.wait_for("SELECT state || ': ' || message FROM commands WHERE command_id = %s", "done: mode ECO", one)
    device.tell(send=[0, 5], flush=PATIENCE)
    assert device.next("flushed")["done"]


def test_a_token_that_is_put_right_in_its_file_is_taken(gateway, database, made, tmp_path):
    token = tmp_path / "token"
    token.write_text("wrong")
    device = made("ws", token_file=str(token))
    device.tell(send=[0, 5])
    device.next("sent")
    token.write_text(gateway.ids["dev-1 token"] + "\n")
    device.tell(flush=PATIENCE)
    assert device.next("flushed", timeout=2 * PATIENCE)["done"]
    assert_all(database, 5, 0)


def test_a_broker_is_told_the_name_and_password_that_its_address_spells(made):
    """What an address cannot have in it is escaped there (RFC 3986): the at, the colon and the slash of a password."""
    broker = ScriptedBroker()
    made("mqtt", host="pump%20room:p%40ss%3Aw%2Ford@127.0.0.1", port=broker.port)
    connect = broker.wait_for("CONNECT")
    assert connect.username == "pump room" and connect.body.endswith(b"\x00\x0ap@ss:w/ord"), connect.body


def test_a_window_above_the_rate_is_sent_at_the_rate(database, made):
    device = made("ws", limits={"window": 1000, "rate": 45})
    device.tell(send=[0, 150], flush=PATIENCE)
    assert device.next("flushed", timeout=2 * PATIENCE)["done"]
    assert_all(database, 150, 0)


def test_the_example_sends_and_obeys(gateway, database, tmp_path):
    example = subprocess.Popen(
        [sys.executable, ROOT / "clients/python/examples/sensor.py"], preexec_fn=die_with_parent,
        env={**os.environ, "PYTHONPATH": str(ROOT / "clients/python"), "TIDEGATE_BUFFER": str(tmp_path / "buffer"),
             "TIDEGATE_URL": f"mqtt://127.0.0.1:{gateway.broker.port}", "TIDEGATE_DEVICE": "dev-1", "TIDEGATE_INTERVAL": "0.05"})
    try:
        wait_until(lambda: database.value("SELECT count(*) FROM telemetry") >= 3, "telemetry")
        one = post(gateway, "ana", "dev-1", {"action": "SET_INTERVAL", "payload": {"seconds": 0.1}}).json()["command_id"]
        database.wait_for("SELECT state || ': ' || message FROM commands WHERE command_id = %s", "done: every 0.1 s", one)
    finally:
        example.send_signal(signal.SIGINT)
        example.wait(PATIENCE)


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    unit = tmp_path / "tidegate-edge@.service"
    unit.write_text((ROOT / "clients/python/systemd/tidegate-edge@.service").read_text("utf-8"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", str(unit)], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
