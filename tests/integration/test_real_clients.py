"""Clients as they are published (npm, Debian), and clients that were written from the public
descriptions of the five systems. Each goes on by itself when the gateway was away."""
import asyncio
import json
import queue
import threading

import pytest
import websockets

from conftest import populate
from viewers import Viewer
from waiting import PATIENCE, wait_until

PASSWORD = "correct horse battery"
GOES = {"restarted": lambda g: g.terminate(), "killed": lambda g: g.kill()}


def ws(gateway, path, user=None):
    query = f"?token={gateway.token(user)}" if user else ""
    return f"ws://127.0.0.1:{gateway.port}{path}{query}"


def bearer(gateway, user):
    return {"Authorization": f"Bearer {gateway.token(user)}"}


def away_and_back(gateway, how):
    GOES[how](gateway)
    gateway.start()


def assert_kept_coming_back(one, n_closes=1):
    """It was never told 1000, after which these clients stay away, nor anything it did not know."""
    assert len(one.closes()) >= n_closes
    assert 1000 not in one.closes()
    assert not one.all("unexpected")


def detections(n, rssi=-50):
    return json.dumps({"device_id": "dev-1", "detections": [
        {"device_hash": f"{i:064x}", "rssi": rssi} for i in range(n)]})


# ---- the five systems ----

@pytest.mark.parametrize("how", GOES)
def test_people_counter_counts_on_after_a_restart(make_gateway, broker, client, how):
    gateway = make_gateway(auth__anonymous="/ws", ws__stats_interval="100ms")
    populate(gateway)
    gateway.start()
    page = client("people-counter.mjs", url=ws(gateway, "/ws"))
    page.next("open")
    broker.publish("tfg/detections/raw", detections(3))
    page.next("view", detections=3, device="dev-1")
    page.next("view", people=2, detections=3)
    page.next("pong")

    away_and_back(gateway, how)
    page.next("open")
    broker.publish("tfg/detections/raw", detections(4))
    page.next("view", detections=7)
    page.next("view", people=3, detections=7)
    page.next("pong")
    assert_kept_coming_back(page)


def split(said, event):
    """What was said, anew from each @event on."""
    parts = [[]]
    for one in said:
        if one["event"] == event:
            parts.append([])
        parts[-1].append(one)
    return parts


@pytest.mark.parametrize("how", GOES)
def test_energy_device_and_its_dashboard_go_on_after_a_restart(gateway, database, client, how):
    device = client("edge_device.py", url=ws(gateway, "/ws/device/dev-1"),
                    token=gateway.ids["dev-1 token"])
    device.next("open")
    page = client("energy-dashboard.mjs", url=ws(gateway, "/ws/dashboard/dev-1", "ana"))
    page.next("open")
    assert page.next("drawn")["power"] == 968

    away_and_back(gateway, how)
    device.next("open")
    page.next("open")
    sent = device.next("sent")["n"]
    page.wait_for(lambda said: any(s["event"] == "drawn" and s["n"] > sent for s in said),
                  "telemetry after the restart")
    assert_kept_coming_back(device)
    assert_kept_coming_back(page)
    # A page has no cursor: what was not stored yet when the gateway went is drawn once more.
    for connection in split(page.said, "open"):
        seen = [s["n"] for s in connection if s["event"] == "drawn"]
        assert seen == sorted(seen)
    device.stop()
    drawn = max(s["n"] for s in page.all("drawn"))
    wait_until(lambda: database.value("SELECT max((payload->>'n')::int) FROM telemetry") >= drawn,
               "what was drawn to be stored")


def test_energy_device_obeys_one_command_a_second_across_a_restart(gateway, client):
    device = client("edge_device.py", url=ws(gateway, "/ws/device/dev-1"),
                    token=gateway.ids["dev-1 token"])
    device.next("open")
    url = f"/api/devices/{gateway.ids['dev-1']}/commands"

    def command(mode):
        answer = gateway.post(url, headers=bearer(gateway, "ana"),
                              json={"action": "SET_MODE", "payload": {"mode": mode}})
        assert answer.status_code == 202, answer.text
        return answer.json()["command_id"]

    def is_done(command_id):
        return gateway.get(f"/api/commands/{command_id}", "ana").json()["state"] == "done"

    ids = [command(f"M{i}") for i in range(5)]
    for i, command_id in enumerate(ids):
        taken = device.next("command")["command"]
        assert taken == {"command_id": command_id, "action": "SET_MODE", "payload": {"mode": f"M{i}"}}
        wait_until(lambda c=command_id: is_done(c), "the command to be done")

    gateway.terminate()
    gateway.start()
    device.next("open")
    last = command("AFTER")
    assert device.next("command")["command"]["command_id"] == last
    wait_until(lambda: is_done(last), "the command to be done")
    assert_kept_coming_back(device)
    taken = [c["command"]["command_id"] for c in device.all("command")]
    assert taken == [*ids, last]


def test_energy_device_with_a_wrong_token_is_told_403_and_a_second_one_takes_over(gateway, client):
    wrong = client("edge_device.py", url=ws(gateway, "/ws/device/dev-1"), token="wrong")
    assert wrong.next("refused")["status"] == 403
    first = client("edge_device.py", url=ws(gateway, "/ws/device/dev-1"),
                   token=gateway.ids["dev-1 token"])
    first.next("sent")
    second = client("edge_device.py", url=ws(gateway, "/ws/device/dev-1"),
                    token=gateway.ids["dev-1 token"])
    second.next("sent")
    assert first.next("close")["code"] == 1008
    assert first.closes() == [1008]


@pytest.mark.parametrize("how", GOES)
def test_react_hook_shows_the_devices_of_its_user_after_a_restart(gateway, broker, client, how):
    page = client("device-hub.mjs", url=ws(gateway, "/ws/devices", "ana"))

    def shows(status, temperature):
        row = {"code": "dev-1", "status": status, "temperature": temperature}
        return lambda said: said[-1] == {"event": "screen", "isConnected": True, "rows": [row]}

    page.wait_for(lambda said: said and said[-1].get("isConnected") and said[-1]["rows"],
                  "the list of devices")
    topic = "users/ana/devices/dev-1/status"
    broker.publish(topic, '{"status":"online","temperature":21.5}')
    page.wait_for(shows("online", 21.5), "the update")

    away_and_back(gateway, how)
    page.wait_for(shows("online", 21.5), "the list, as it was")
    broker.publish(topic, '{"status":"warning","temperature":30}')
    page.wait_for(shows("warning", 30), "an update after the restart")
    assert_kept_coming_back(page)
    assert any(not s["isConnected"] for s in page.all("screen")[1:])
    page.tell(unmount=True)
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="C") == 0,
               "the socket to be closed with the component")


@pytest.mark.parametrize("how", GOES)
def test_vehicle_map_moves_on_after_a_restart(gateway, broker, client, how):
    page = client("vehicle-stream.mjs", url=ws(gateway, "/api/ws", "ana"))
    assert page.next("welcome")["text"] == "Connected to SEANO real-time data stream"
    page.next("subscribed")
    broker.publish("seano/USV-1/vehicle_log", '{"rssi":"-41","latitude":-6.2,"longitude":106.8}')
    page.next("moved", vehicle=gateway.ids["USV-1"], n=-41)
    broker.publish("seano/USV-1/raw_log", "GPS initialized successfully")
    page.next("line", text="GPS initialized successfully")
    assert page.next("pong")["delay"] < PATIENCE * 1000

    away_and_back(gateway, how)
    page.next("subscribed")
    broker.publish("seano/USV-1/vehicle_log", '{"rssi":-42}')
    page.next("moved", n=-42)
    page.next("pong")
    assert_kept_coming_back(page)


@pytest.mark.parametrize("use_ticket", [False, True], ids=["header", "ticket"])
def test_camera_dashboard_signs_in_and_goes_on_after_a_restart(gateway, broker, client, use_ticket):
    page = client("camera-dashboard.mjs", base=gateway.url, url=ws(gateway, "/api/ws/statistics"),
                  username="ana", password=PASSWORD, useTicket=use_ticket)
    page.next("signed in")
    page.next("open")
    assert page.next("welcome")["user"] == {"id": gateway.ids["ana"], "username": "ana"}
    page.wait_for(lambda said: {"statistics", "subscribed"} <= {s["event"] for s in said},
                  "statistics and the confirmation")
    topic = "surveillance/camera/dev-1/event"
    broker.publish(topic, '{"event_type":"face_detected","data":{"confidence":0.98}}')
    assert page.next("seen", type="face_detected")["data"] == {"confidence": 0.98}
    page.next("pong")

    gateway.terminate()
    gateway.start()
    page.next("subscribed")
    broker.publish(topic, '{"event_type":"motion","data":{"n":2}}')
    assert page.next("seen", type="motion")["data"] == {"n": 2}
    assert_kept_coming_back(page)
    assert len(page.all("signed in")) == 1


def test_camera_dashboard_signs_in_again_when_its_token_is_no_good(gateway, client):
    page = client("camera-dashboard.mjs", base=gateway.url, url=ws(gateway, "/api/ws/statistics"),
                  username="ana", password=PASSWORD, token=gateway.token("ana", ttl=-3600))
    assert page.next("refused")["status"] == 403
    page.next("signed in")
    page.next("statistics")


def test_camera_dashboard_polls_while_there_is_no_room_for_its_socket(make_gateway, client):
    gateway = make_gateway(ws__max_connections_per_user=1)
    populate(gateway)
    gateway.start()
    occupied = Viewer(gateway, "/api/ws/statistics", gateway.token("ana"))
    page = client("camera-dashboard.mjs", base=gateway.url, url=ws(gateway, "/api/ws/statistics"),
                  username="ana", password=PASSWORD)
    refused = page.next("refused")
    assert refused["status"] == 429 and int(refused["retryAfter"]) > 0
    assert "total_people" in page.next("polled")["statistics"]
    occupied.close()
    page.next("open")
    page.next("statistics")


# ---- clients as they are published ----

@pytest.mark.parametrize("how", GOES)
def test_npm_reconnecting_websocket_comes_back(gateway, broker, client, how):
    page = client("reconnecting.mjs", url=ws(gateway, "/api/ws", "ana"))
    page.next("open")
    away_and_back(gateway, how)
    page.next("open")
    page.tell(send='{"type":"ping","timestamp":5}')
    page.next("message", text='{"type":"pong","timestamp":5}')
    broker.publish("seano/USV-1/raw_log", "after the restart")
    page.wait_for(lambda said: any("after the restart" in s.get("text", "") for s in said),
                  "a message after the restart")
    assert_kept_coming_back(page)


@pytest.mark.parametrize("deflate", ["on", "off"])
def test_npm_ws_reads_the_same_with_and_without_compression(make_gateway, broker, client, deflate):
    gateway = make_gateway(ws__deflate=deflate)
    populate(gateway)
    gateway.start()
    url = ws(gateway, "/api/ws")
    packed = client("ws-viewer.mjs", url=url, headers=bearer(gateway, "ana"))
    plain = client("ws-viewer.mjs", url=url, headers=bearer(gateway, "ana"),
                   options={"perMessageDeflate": False})
    assert packed.next("open")["extensions"] == ("permessage-deflate" if deflate == "on" else "")
    assert plain.next("open")["extensions"] == ""
    line = "GPS initialized successfully; " * 100
    for n in range(20):
        broker.publish("seano/USV-1/raw_log", f"{n} {line}")
    last = [one.wait_for(lambda said: next((s for s in said if '"19 GPS' in s.get("text", "")), None),
                         "the last line") for one in (packed, plain)]
    assert last[0]["text"].replace('"connection_count":1', "") \
        == last[1]["text"].replace('"connection_count":1', "")
    texts = [[s["text"] for s in one.all("message") if '"raw_log"' in s["text"]]
             for one in (packed, plain)]
    assert len(texts[0]) == 20 and texts[0] == texts[1]
    if deflate == "on":
        assert last[0]["bytes"] < last[1]["bytes"] / 4
    else:
        assert last[0]["bytes"] > last[1]["bytes"] / 2
    packed.tell(send=json.dumps({"type": "ping", "timestamp": 1, "padding": "x" * 4000}))
    packed.next("message", text='{"type":"pong","timestamp":1}')


def test_npm_ws_speaks_the_native_protocol_compressed(gateway, broker, client):
    page = client("ws-viewer.mjs", url=ws(gateway, "/api/ws"), protocols=["tidegate.v1"],
                  headers=bearer(gateway, "ana"))
    opened = page.next("open")
    assert (opened["protocol"], opened["extensions"]) == ("tidegate.v1", "permessage-deflate")
    assert json.loads(page.next("message")["text"])["type"] == "welcome"
    page.tell(send=json.dumps({"op": "subscribe", "id": 1, "to": ["vehicle/USV-1"],
                               "types": ["raw_log"]}))
    assert json.loads(page.next("message")["text"])["ok"] is True
    broker.publish("seano/USV-1/raw_log", "wave after wave " * 100)
    page.wait_for(lambda said: any('"wave after wave' in s.get("text", "") for s in said),
                  "the raw_log")


def test_python_websockets_compresses_in_both_directions(gateway, broker):
    viewers = [Viewer(gateway, "/api/ws", gateway.token("ana"), compression=c)
               for c in ("deflate", None)]
    for v in viewers:
        v.next_of("connection")
        v.send({"type": "ping", "timestamp": 1, "padding": "x" * 4000})
        assert v.next_of("pong") == {"type": "pong", "timestamp": 1}
    broker.publish("seano/USV-1/raw_log", "wave after wave " * 1000)
    texts = [v.next() for v in viewers]
    assert texts[0] == texts[1] and "wave after wave" in texts[0]
    for v in viewers:
        v.close()


class Listener(threading.Thread):
    """python3-websockets as its documentation has it: `async for socket in connect(...)`."""

    def __init__(self, uri):
        super().__init__(daemon=True)
        self.uri = uri
        self.heard = queue.Queue()
        self.start()

    def run(self):
        asyncio.run(self.listen())

    async def listen(self):
        async for socket in websockets.connect(self.uri):
            try:
                async for text in socket:
                    self.heard.put(json.loads(text))
            except websockets.ConnectionClosed:
                pass
            self.heard.put({"type": "closed", "code": socket.close_code})

    def next_of(self, type_):
        while True:
            message = self.heard.get(timeout=PATIENCE * 2)
            if message["type"] == type_:
                return message


@pytest.mark.parametrize("how", GOES)
def test_python_websockets_comes_back_by_its_own_iterator(gateway, broker, how):
    listener = Listener(ws(gateway, "/api/ws", "ana"))
    listener.next_of("connection")
    away_and_back(gateway, how)
    assert listener.next_of("closed")["code"] == (4200 if how == "restarted" else 1006)
    listener.next_of("connection")
    broker.publish("seano/USV-1/raw_log", "again")
    assert listener.next_of("raw_log")["data"] == "again"


def test_npm_mqtt_publishes_through_a_restart_and_nothing_is_missing(gateway, broker, database,
                                                                      client):
    device = client("mqtt-device.mjs", url=f"mqtt://127.0.0.1:{broker.port}", clientId="npm-mqtt",
                    device="dev-1")
    device.next("connect")
    for n in range(60):
        if n == 20:
            gateway.kill()
        if n == 40:
            gateway.start()
        device.tell(topic="ems/dev-1/telemetry", payload=json.dumps({"n": n}))
        device.next("published")
    database.wait_for("SELECT count(DISTINCT payload->>'n') FROM telemetry", 60)
    assert database.value("SELECT count(*) FROM telemetry") == 60


@pytest.mark.parametrize("version", [4, 5])
def test_npm_mqtt_takes_commands_and_answers_them(make_gateway, broker, client, version):
    gateway = make_gateway(mqtt__version="5" if version == 5 else "3.1.1")
    populate(gateway)
    gateway.start()
    device = client("mqtt-device.mjs", url=f"mqtt://127.0.0.1:{broker.port}", clientId="npm-mqtt",
                    device="dev-1", version=version)
    device.next("connect")
    answer = gateway.post(f"/api/devices/{gateway.ids['dev-1']}/commands",
                          headers=bearer(gateway, "ana"),
                          json={"action": "REBOOT", "payload": {"delay": 3}, "timeout_ms": 60000})
    assert answer.status_code == 202, answer.text
    command_id = answer.json()["command_id"]
    taken = device.next("command")
    assert taken["command"] == {"command_id": command_id, "action": "REBOOT", "payload": {"delay": 3}}
    if version == 5:
        assert taken["responseTopic"] == "devices/dev-1/commands/ack"
        assert taken["correlation"] == command_id
        assert 0 < taken["expiry"] <= 60
    wait_until(lambda: gateway.get(f"/api/commands/{command_id}", "ana").json()["state"] == "done",
               "the command to be done")


def with_header(gateway):
    return {"url": f"{gateway.url}/api/events?to=vehicle/*&types=raw_log",
            "headers": bearer(gateway, "ana")}


def with_ticket(gateway):
    """As a browser must, which comes back to the address that it knows."""
    answer = gateway.post("/api/ws/ticket?for=events", headers=bearer(gateway, "ana")).json()
    return {"url": f"{gateway.url}/api/events?to=vehicle/*&types=raw_log&ticket={answer['ticket']}"}


@pytest.mark.parametrize("sign_in", [with_header, with_ticket])
@pytest.mark.parametrize("how", GOES)
def test_npm_eventsource_resumes_without_a_hole_and_without_a_double(gateway, broker, client, how,
                                                                     sign_in):
    page = client("event-source.mjs", **sign_in(gateway), types=["raw_log"])
    page.next("open")

    def lines():
        return [json.loads(s["text"])["data"] for s in page.all("message")
                if "raw_log" in s["text"]]

    for n in range(10):
        broker.publish("seano/USV-1/raw_log", f"line {n}")
    wait_until(lambda: len(lines()) == 10, "ten lines")
    GOES[how](gateway)
    for n in range(10, 20):
        broker.publish("seano/USV-1/raw_log", f"line {n}")
    gateway.start()
    for n in range(20, 30):
        broker.publish("seano/USV-1/raw_log", f"line {n}")
    wait_until(lambda: len(lines()) >= 30, "all lines")
    assert lines() == [f"line {n}" for n in range(30)]
    cursors = [s["id"] for s in page.all("message")]
    assert all(":" in c for c in cursors)
