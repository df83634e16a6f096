"""Promise: a client in Node goes on over a network that was gone and with a clock of any zone, and is told
when its token has ended; whatever its dialect."""
import json

import pytest

from conftest import PROFILES, populate
from waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery"
READS = {"/ws": "people-counter.mjs", "/ws/dashboard/dev-1": "energy-dashboard.mjs", "/ws/devices": "device-hub.mjs",
         "/api/ws": "vehicle-stream.mjs", "/api/ws/statistics": "camera-dashboard.mjs"}
ZONES = dict(zip(READS, ("Asia/Jakarta", "America/St_Johns", "Pacific/Auckland", "Asia/Kathmandu", "America/Los_Angeles")))


@pytest.fixture(params=["no profile", "all five profiles"])
def house(make_gateway, request):
    """house(section__key=value, ...) -> a running Gateway."""
    def make(**settings):
        gateway = make_gateway(auth__query_token="on", **settings)
        if request.param != "no profile":
            gateway.routes = f"use_profile = {', '.join(PROFILES)}\n"
            gateway.write_conf()
        populate(gateway)
        return gateway.start()
    return make


def token_of_ana(gateway, **how):
    """As the gateway's own, which all profiles know."""
    return gateway.token("ana", tidegate_uid=gateway.ids["ana"], tidegate_gen=gateway.database.value(
        "SELECT generation FROM users WHERE username = 'ana'"), **how)


def publish_all(broker, n):
    """Something for everybody."""
    broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": [
        {"device_hash": f"{i:064x}", "rssi": -50} for i in range(n)]}))
    broker.publish("ems/dev-1/telemetry", json.dumps({"voltage": 230, "current": n, "n": n}))
    broker.publish("users/ana/devices/dev-1/status", json.dumps({"status": "online", "temperature": n}))
    broker.publish("seano/USV-1/vehicle_log", json.dumps({"rssi": n}))
    broker.publish("surveillance/camera/dev-1/event", json.dumps({"event_type": "motion", "data": {"n": n}}))


def is_told(one, n):
    """Waits until it has drawn what publish_all(n) has sent."""
    one.wait_for(lambda said: any(
        s["event"] == "view" and s["detections"] == n or s["event"] in ("drawn", "moved") and s["n"] == n
        or s["event"] == "seen" and s["data"] == {"n": n}
        or s["event"] == "screen" and any(row["temperature"] == n for row in s["rows"]) for s in said),
        f"message {n}")


@pytest.mark.parametrize("path", READS)
def test_a_client_comes_back_over_a_network_that_was_gone(house, broker, client, wire, path):
    """It does not notice by itself. The gateway gives it up, and the road, once it is there again, ends it."""
    gateway = house(ws__silence_timeout="3s", ws__ping_interval="1s", ws__stats_interval="100ms")
    road = wire(gateway.port)
    address = f"127.0.0.1:{road.port}"
    one = client(READS[path], zone=ZONES[path], base=f"http://{address}", username="ana", password=PASSWORD,
                 token=token_of_ana(gateway), url=f"ws://{address}{path}?token={token_of_ana(gateway)}")
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 1, "the socket")
    publish_all(broker, 7)
    is_told(one, 7)
    road.drop()
    publish_all(broker, 20)  # to nobody
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 0, "the gateway to give it up")
    road.mend(tell=True)
    one.next("close", code=1006)
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 1, "the socket to be back")
    publish_all(broker, 30)
    is_told(one, 37 if path == "/ws" else 30)
    assert not one.all("unexpected") and one.closes() == [1006]


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_all_clients_of_all_five_come_back_at_the_same_time(house, broker, client, how):
    """One house for all, each with the clock of another zone. (Their seconds last longer than elsewhere: one of them
    gives up after five tries.)"""
    gateway = house(ws__stats_interval="100ms")
    address = f"127.0.0.1:{gateway.port}"
    ones = {path: client(script, zone=ZONES[path], second=300, base=f"http://{address}", username="ana", password=PASSWORD,
                         token=token_of_ana(gateway), url=f"ws://{address}{path}?token={token_of_ana(gateway)}")
            for path, script in READS.items()}
    total = 0
    for n in (7, 30):
        wait_until(lambda: gateway.metric("tidegate_ws_connections") == len(READS), "all sockets")
        publish_all(broker, n)
        total += n
        for path, one in ones.items():
            is_told(one, total if path == "/ws" else n)
        if n == 7:
            {"restart": gateway.terminate, "crash": gateway.kill}[how]()
            for one in ones.values():
                one.next("close")
            gateway.start()
    for one in ones.values():
        assert not one.all("unexpected") and set(one.closes()) <= {1006, 4200}


@pytest.mark.parametrize("how", ["network", "restart", "crash"])
def test_an_event_stream_comes_back_without_a_hole(house, broker, client, wire, how):
    gateway = house()
    road = wire(gateway.port)
    one = client("event-source.mjs", zone="Asia/Kathmandu", types=["raw_log"],
                 url=f"http://127.0.0.1:{road.port}/api/events?to=vehicle/*&types=raw_log",
                 headers={"Authorization": "Bearer " + token_of_ana(gateway)})

    def lines():
        return [json.loads(s["text"])["data"] for s in one.all("message") if "raw_log" in s["text"]]

    one.next("open")
    for n in range(20):
        if n == 5:
            wait_until(lambda: len(lines()) == 5, "five lines")
            {"network": road.drop, "restart": gateway.terminate, "crash": gateway.kill}[how]()
        if n == 15 and how == "network":
            road.mend(tell=True)
        elif n == 15:
            gateway.start()
        broker.publish("seano/USV-1/raw_log", f"line {n}")
    wait_until(lambda: len(lines()) >= 20, "all lines")
    assert lines() == [f"line {n}" for n in range(20)]


def test_npm_mqtt_misses_nothing_over_a_network_that_was_gone(gateway, broker, database, client, wire):
    road = wire(broker.port)
    one = client("mqtt-device.mjs", zone="Pacific/Auckland", url=f"mqtt://127.0.0.1:{road.port}", clientId="npm-mqtt",
                 device="dev-1", keepalive=1)
    one.next("connect")
    for n in range(20):
        if n == 5:
            road.drop()
        if n == 15:
            road.mend()
        one.tell(topic="ems/dev-1/telemetry", payload=json.dumps({"n": n}))
    database.wait_for("SELECT count(DISTINCT payload->>'n') FROM telemetry", 20)


# ---- tokens that end ----

@pytest.mark.parametrize("path", [p for p in READS if p != "/api/ws/statistics"])  # that one signs in again
def test_a_client_whose_token_has_ended_is_refused_and_the_log_says_why(house, client, path):
    gateway = house()
    token = token_of_ana(gateway, ttl=-60)
    one = client(READS[path], url=f"ws://127.0.0.1:{gateway.port}{path}?token={token}")
    one.next("close")
    one.next("close")
    if path == "/api/ws":
        one.next("gives up")
    assert set(one.closes()) == {1006} and not one.all("open")
    wait_until(lambda: f'path="{path}"' in gateway.log() and 'why="expired"' in gateway.log(), "the reason in the log")
    assert token not in gateway.log()


def test_every_client_whose_token_ends_is_told_4202(house, client):
    """25 s after its end (docs/protocol.md, 2), all at once; an event stream has no such time."""
    gateway = house()
    sockets = {path: client(script, url=f"ws://127.0.0.1:{gateway.port}{path}?token={token_of_ana(gateway, ttl=8)}",
                            base=gateway.url, username="ana", password=PASSWORD, token=token_of_ana(gateway, ttl=8))
               for path, script in READS.items()}
    stream = client("event-source.mjs", types=["close"],
                    url=f"{gateway.url}/api/events?to=vehicle/*&token={token_of_ana(gateway, ttl=8)}")
    stream.next("open")
    assert json.loads(stream.next("message", type="close")["text"])["code"] == 4202
    assert stream.next("error", status=401)
    for one in sockets.values():
        one.next("close", code=4202, timeout=PATIENCE * 2)
    sockets["/api/ws/statistics"].next("signed in")
    sockets["/api/ws/statistics"].next("open")
