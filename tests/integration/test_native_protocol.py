"""The native protocol (docs/protocol.md, 4) on a WebSocket."""
import contextlib
import json
import time

import pytest
import websockets

import viewers
from conftest import populate
from viewers import Viewer, refused
from waiting import wait_until

NATIVE = ["tidegate.v1"]


class Native(Viewer):
    """A native client: answers apart from pushes."""

    def __init__(self, gateway, token=None, path="/api/ws", protocols=None, **kwargs):
        super().__init__(gateway, path, token, subprotocols=protocols or NATIVE, **kwargs)
        self.pushes = []
        self.n_asked = 0

    def ask(self, op, **members):
        self.n_asked += 1
        self.send({"op": op, "id": self.n_asked, **members})
        while True:
            frame = self.next_json()
            if frame.get("id") == self.n_asked and "ok" in frame:
                return frame
            self.pushes.append(frame)

    def push(self, *types):
        while True:
            frame = self.pushes.pop(0) if self.pushes else self.next_json()
            if not types or frame["type"] in types:
                return frame

    def quiet(self):
        """Nothing came before the answer to a ping."""
        self.ask("ping")
        return not self.pushes


@pytest.fixture
def native(make_gateway):
    opened = []

    def open_native(user=None, **kwargs):
        gateway = make_gateway.made[-1]
        opened.append(Native(gateway, gateway.token(user) if user else None, **kwargs))
        return opened[-1]

    yield open_native
    for one in opened:
        one.close()


def log(n, **members):
    return json.dumps({"battery_voltage": n, **members})


def test_welcome_and_every_kind_of_push(gateway, native, broker):
    ana = native("ana")
    welcome = ana.push()
    assert welcome["type"] == "welcome" and welcome["heartbeat"] == 20
    assert welcome["user"] == {"id": gateway.ids["ana"], "username": "ana", "role": "user"}
    assert 3500 < welcome["expires_in"] <= 3600
    epoch, seq = welcome["cursor"].split(":")
    assert len(epoch) == 16 and int(seq) > 1.7e15
    assert ana._socket.subprotocol == "tidegate.v1"

    answer = ana.ask("subscribe", to=["user"])
    assert answer["ok"] and answer["subscription"] == "s1" and answer["recovered"] is True
    sent = {
        "vehicle_log": ("seano/USV-1/vehicle_log", log(12.5)),
        "raw_log": ("seano/USV-1/raw_log", "hello"),
        "sensor_log": ("seano/USV-1/sensor_log", '{"sensor_id":5,"data":{"temperature":1}}'),
        "device_update": ("devices/dev-1/status", '{"status":"online","temperature":21.5}'),
        "telemetry": ("ems/dev-1/telemetry", '{"p": 1.50}'),
        "detection_event": ("tfg/detections/raw", json.dumps(
            {"device_id": "dev-1", "detections": [{"device_hash": "a" * 64, "rssi": -50}]})),
        "camera_event": ("surveillance/camera/dev-1/event",
                         '{"event_type":"face_detected","data":{"confidence":0.5}}'),
        "alert": ("seano/USV-1/alert", '{"severity":"critical","alert_type":"GPS","message":"lost"}'),
    }
    seen, last = {}, 0
    for kind, (topic, payload) in sent.items():
        broker.publish(topic, payload)
        push = seen[kind] = ana.push(kind)
        assert isinstance(push["persisted"], bool) and "late" not in push and push["timestamp"].endswith("Z")
        assert int(push["cursor"].split(":")[1]) > last
        last = int(push["cursor"].split(":")[1])
    ids = gateway.ids
    assert seen["vehicle_log"]["vehicle_id"] == ids["USV-1"]
    assert seen["vehicle_log"]["data"] == {"battery_voltage": 12.5}
    assert seen["raw_log"]["data"] == "hello"
    assert seen["sensor_log"]["sensor_id"] == 5
    assert seen["device_update"]["device"]["temperature"] == 21.5
    assert seen["device_update"]["device_id"] == ids["dev-1"]
    assert seen["telemetry"]["data"] == {"p": 1.5}
    assert seen["detection_event"]["count"] == 1 and seen["detection_event"]["device_code"] == "dev-1"
    assert seen["camera_event"]["event_type"] == "face_detected"
    assert seen["alert"]["severity"] == "critical" and seen["alert"]["message"] == "lost"


def test_targets_and_types_narrow(gateway, native, broker):
    ana, root = native("ana"), native("root")
    assert ana.ask("subscribe", to=["vehicle/USV-1"], types=["vehicle_log"])["ok"]
    assert root.ask("subscribe", to=["alerts", f"vehicle/{gateway.ids['USV-2']}"])["ok"]
    assert ana.ask("subscribe", to=["vehicle/USV-2"])["error"]["code"] == "not_found"
    assert ana.ask("subscribe", to=["vehicle/none"])["error"]["code"] == "not_found"
    assert ana.ask("subscribe", to=["ships"])["error"]["code"] == "bad_request"
    assert ana.ask("subscribe", to=["user"], types=["x"])["error"]["code"] == "bad_request"
    assert ana.ask("subscribe", to=["user"], since="nonsense")["error"]["code"] == "bad_cursor"
    assert ana.ask("what")["error"]["code"] == "unknown_op"
    ana.pushes.clear()
    root.pushes.clear()
    for topic, payload in (("seano/USV-1/raw_log", "not wanted"), ("seano/USV-1/vehicle_log", log(1)),
                           ("seano/USV-2/vehicle_log", log(2)), ("seano/USV-1/alert", "fire")):
        broker.publish(topic, payload)
    assert root.push("vehicle_log", "alert")["data"] == {"battery_voltage": 2}
    assert root.push()["message"] == "fire"
    assert ana.push()["data"] == {"battery_voltage": 1}
    assert ana.quiet() and root.quiet()
    assert ana.ask("unsubscribe", subscription="s1")["ok"]
    assert ana.ask("unsubscribe", subscription="s1")["error"]["code"] == "not_found"
    broker.publish("seano/USV-1/vehicle_log", log(3))
    root.ask("subscribe", to=["vehicle/USV-1"])
    broker.publish("seano/USV-1/vehicle_log", log(4))
    while root.push("vehicle_log")["data"] != {"battery_voltage": 4}:
        pass
    assert ana.quiet()


def test_each_of_the_two_statistics_can_be_had_alone(make_gateway, native):
    gateway = make_gateway(ws__stats_interval="100ms", ws__stats_refresh="200ms")
    populate(gateway)
    gateway.start()
    people, cameras, both = native("ana"), native("ana"), native("ana")
    kinds = "stats_update", "statistics_update"
    people.ask("subscribe", to=["stats"], types=["stats_update"])
    cameras.ask("subscribe", to=["stats"], types=["statistics_update", "raw_log"])
    both.ask("subscribe", to=["stats"])
    assert {both.push(*kinds)["type"], both.push(*kinds)["type"]} == set(kinds)
    assert cameras.push(*kinds)["type"] == cameras.push(*kinds)["type"] == "statistics_update"  # it is repeated
    assert people.push(*kinds)["type"] == "stats_update"
    assert people.quiet()


def test_auth_as_first_message(gateway, native):
    ana = native()
    ana.send({"op": "auth", "id": 0, "token": gateway.token("ana")})
    assert ana.push()["user"]["username"] == "ana"
    assert ana.ask("ping")["ok"]
    for message, code in (({"op": "ping", "id": 1}, 4003), ("nonsense", 4003), ("[]", 4003),
                          ({"op": "auth", "token": "x.y.z"}, 4001),
                          ({"op": "auth", "token": gateway.token("nobody")}, 4001)):
        one = native()
        one.send(message)
        assert one.wait_closed()[0] == code
    one = native(path="/api/ws/vehicle/USV-2")
    one.send({"op": "auth", "token": gateway.token("ana")})
    assert one.wait_closed()[0] == 4002


def test_auth_has_a_deadline_and_users_a_limit(make_gateway, native):
    from conftest import populate
    gateway = make_gateway(ws__handshake_timeout="300ms", ws__max_connections_per_user=2,
                           ws__messages_per_second=5, ws__max_subscriptions=3)
    populate(gateway)
    gateway.start()
    silent = native()
    assert silent.wait_closed()[0] == 4005
    ana = [native("ana"), native("ana")]
    assert refused(gateway, "/api/ws", gateway.token("ana"),
                   headers={"Sec-WebSocket-Protocol": "tidegate.v1"}) == 429
    third = native()
    third.send({"op": "auth", "token": gateway.token("ana")})
    assert third.wait_closed()[0] == 4006
    for _ in range(3):
        assert ana[0].ask("subscribe", to=["user"])["ok"]
    assert ana[0].ask("subscribe", to=["user"])["error"]["code"] == "too_many"
    with contextlib.suppress(websockets.ConnectionClosed):
        for n in range(30):
            ana[1].send({"op": "ping", "id": n})
    assert ana[1].wait_closed()[0] == 4102


def test_credentials_are_refused_in_the_handshake(gateway):
    headers = {"Sec-WebSocket-Protocol": "tidegate.v1"}
    assert refused(gateway, "/api/ws", "bad.token.here", headers=headers) == 401
    ana = gateway.token("ana")
    assert refused(gateway, "/api/ws/vehicle/USV-2", ana, headers=headers) == 403
    assert refused(gateway, "/api/ws/vehicle/none", ana, headers=headers) == 403


def test_ticket_among_the_subprotocols_is_not_echoed(gateway, native):
    ticket = gateway.post("/api/ws/ticket", headers={
        "Authorization": f"Bearer {gateway.token('ana')}"}).json()["ticket"]
    ana = native(protocols=["tidegate.v1", f"ticket.{ticket}"])
    assert ana.push()["user"]["username"] == "ana"
    assert ana._socket.subprotocol == "tidegate.v1"
    assert ticket not in str(ana._socket.response_headers)


def test_path_of_one_vehicle(gateway, native, broker):
    root = native("root", path="/api/ws/vehicle/USV-1")
    root.ask("subscribe", to=["vehicle/*"])
    root.pushes.clear()
    broker.publish("seano/USV-2/vehicle_log", log(2))
    broker.publish("seano/USV-1/vehicle_log", log(1))
    assert root.push()["data"] == {"battery_voltage": 1}
    assert root.quiet()


def test_snapshot_is_what_is_known(gateway, native, broker):
    root = native("root")
    root.ask("subscribe", to=["user"])
    root.pushes.clear()
    broker.publish("seano/USV-1/vehicle_log", log(1))
    broker.publish("seano/USV-2/vehicle_log", log(2))
    broker.publish("devices/dev-1/status", '{"status":"warning"}')
    broker.publish("ems/dev-1/telemetry", '{"t":1}')
    while root.push()["type"] != "telemetry":
        pass
    ana = native("ana")
    assert ana.ask("subscribe", to=["user"], snapshot=True)["ok"]
    snapshot = ana.push("snapshot")
    assert snapshot["done"] is True and snapshot["subscription"] == "s1"
    kinds = sorted(item["type"] for item in snapshot["items"])
    assert kinds == ["device_update", "telemetry", "vehicle_log"]
    assert all(item.get("vehicle_id", gateway.ids["USV-1"]) == gateway.ids["USV-1"]
               for item in snapshot["items"])


def test_max_hz_keeps_the_newest(gateway, native, broker, publisher):
    ana = native("ana")
    ana.ask("subscribe", to=["vehicle/USV-1"], max_hz=2)
    ana.pushes.clear()
    begin = time.monotonic()
    for n in range(200):
        publisher.publish("seano/USV-1/vehicle_log", log(n))
    for n in range(20):
        publisher.publish("seano/USV-1/raw_log", f"raw {n}")
    publisher.flush()
    ana.wait_for(lambda frames: any('"battery_voltage": 199' in f for f in frames)
                 and any('"raw 19"' in f for f in frames), "the newest of both")
    took = time.monotonic() - begin
    pushes = ana.rest()
    logs = [p for p in pushes if p["type"] == "vehicle_log"]
    assert len(logs) <= 2 + 2 * took
    assert logs[-1]["data"] == {"battery_voltage": 199}
    assert [p["data"] for p in pushes if p["type"] == "raw_log"] == [f"raw {n}" for n in range(20)]


def test_what_overtakes_a_state_that_is_held_back_says_its_own_number(gateway, native, broker, database):
    ana = native("ana")
    ana.ask("subscribe", to=["vehicle/USV-1"], max_hz=0.1)
    ana.ask("subscribe", to=["device/dev-1"])
    for n in range(2):
        broker.publish("seano/USV-1/vehicle_log", log(n))
    database.wait_for("SELECT count(*) FROM vehicle_logs", 2)
    broker.publish("ems/dev-1/telemetry", '{"n":1}')
    first, telemetry = ana.push("vehicle_log"), ana.push("telemetry")
    assert "number" not in first and telemetry["cursor"] == first["cursor"]
    [(seq,)] = database.rows("SELECT seq FROM telemetry")
    assert telemetry["number"] == f"{first['cursor'].split(':')[0]}:{seq}"


def test_box_lets_in_what_enters_it(gateway, native, broker):
    ana = native("ana")
    ana.ask("subscribe", to=["vehicle/*"], bbox=[106, -7, 107, -6])
    ana.pushes.clear()
    broker.publish("seano/USV-1/vehicle_log", log(1, latitude=10, longitude=10))
    broker.publish("seano/USV-1/raw_log", "outside")
    broker.publish("seano/USV-1/vehicle_log", log(2, latitude=-6.5, longitude=106.5))
    snapshot = ana.push()
    assert snapshot["type"] == "snapshot"
    assert snapshot["items"][0]["vehicle_id"] == gateway.ids["USV-1"]
    assert ana.push()["data"]["battery_voltage"] == 2
    broker.publish("seano/USV-1/raw_log", "inside")
    assert ana.push()["data"] == "inside"
    broker.publish("seano/USV-1/vehicle_log", log(3, latitude=10, longitude=10))
    broker.publish("seano/USV-1/raw_log", "outside")
    broker.publish("seano/USV-1/vehicle_log", log(4, latitude=-6.1, longitude=106.1))
    assert ana.push()["type"] == "snapshot"
    assert ana.push()["data"]["battery_voltage"] == 4
    for box in ([1, 2, 3], [0, 50, 1, -50], [0, 0, 0, "x"], [500, 0, 501, 1]):
        assert ana.ask("subscribe", to=["user"], bbox=box)["error"]["code"] == "bad_request"


def test_refresh_is_for_the_same_subject(gateway, native):
    ana = native("ana")
    assert ana.ask("refresh", token=gateway.token("ben"))["error"]["code"] == "forbidden"
    assert ana.ask("refresh", token="rubbish")["error"]["code"] == "unauthorized"
    answer = ana.ask("refresh", token=gateway.token("ana", ttl=7200))
    assert answer["ok"] and 7100 < answer["expires_in"] <= 7200


def test_revoked_rights_narrow_or_close(gateway, native, broker):
    gateway.cli("vehicle", "share", "USV-2", "--user", "ana")

    def subscribed(ana, to):
        return wait_until(lambda: ana.ask("subscribe", to=to)["ok"], "the share")

    named, wide = native("ana"), native("ana")
    subscribed(named, ["vehicle/USV-2"])
    subscribed(wide, ["user"])
    gateway.database.rows("DELETE FROM shares")
    assert named.wait_closed()[0] == 4004
    wide.pushes.clear()
    broker.publish("seano/USV-2/vehicle_log", log(2))
    broker.publish("seano/USV-1/vehicle_log", log(1))
    assert wide.push("vehicle_log")["data"] == {"battery_voltage": 1}
    gateway.database.rows("UPDATE users SET is_active = false WHERE username = 'ana'")
    assert wide.wait_closed()[0] == 4004


def test_late_data_is_marked(gateway, native, broker):
    ana = native("ana")
    ana.ask("subscribe", to=["user"])
    ana.pushes.clear()
    broker.publish("seano/USV-1/vehicle_log", log(1, timestamp=time.time() - 3600))
    broker.publish("seano/USV-1/vehicle_log", log(2, timestamp=time.time() - 7200))
    assert "late" not in ana.push("vehicle_log")
    assert ana.push("vehicle_log")["late"] is True


def test_slow_client_is_told_of_its_gap(make_gateway, publisher):
    from conftest import populate
    gateway = make_gateway(ws__queue_bytes="64K", ws__slow_timeout="60s", ws__burst_bytes=0)
    populate(gateway)
    gateway.start()
    ana = Native(gateway, gateway.token("ana"))
    ana.ask("subscribe", to=["vehicle/USV-1"])
    ana.pushes.clear()
    transport = ana._socket.transport
    viewers._loop.call_soon_threadsafe(transport.pause_reading)
    for n in range(3000):
        publisher.publish("seano/USV-1/raw_log", f"{n} " + "x" * 6000)
    publisher.flush()
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 3000)
    wait_until(lambda: gateway.metric("tidegate_ws_offered_total") >= 3000, "all to be offered")
    assert gateway.metric("tidegate_ws_dropped_total") > 0
    viewers._loop.call_soon_threadsafe(transport.resume_reading)
    seen, gap = [], None
    while not gap:
        push = ana.push()
        if push["type"] == "gap":
            gap = push
        else:
            seen.append(push)
    assert gap["subscription"] == "s1" and gap["from"] == seen[-1]["cursor"]
    assert [p["data"].split()[0] for p in seen] == [str(n) for n in range(len(seen))]
    again = ana.ask("subscribe", to=["vehicle/USV-1"], types=["raw_log"], since=gap["from"])
    assert again["recovered"] is True
    missed = [ana.push("raw_log") for _ in range(3000 - len(seen))]
    assert [p["data"].split()[0] for p in missed] == [str(n) for n in range(len(seen), 3000)]
    assert missed[gap["dropped"] - 1]["cursor"] == gap["to"]
    ana.close()
