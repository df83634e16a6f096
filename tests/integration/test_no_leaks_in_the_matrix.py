"""Every path, transport, kind and role: nobody sees what is not theirs, everybody what is.

What is ana's carries her marks, what is ben's his. cleo is a viewer with whom all of ana's is shared;
dora has the same shares, and is disabled; root is an admin. The HTTP part is made of what the gateway
itself says it serves (openapi.json), so that a new path without its row here fails.
"""
import json
import re
import threading

import pytest
import requests

from conftest import populate
from identities import NATIVE
from servers import SLOW
from viewers import Viewer, refused
from waiting import PATIENCE, wait_until

OWNERS = {"ana": "a1", "ben": "b2"}
ROLES = {"root": {"ana", "ben"}, "ana": {"ana"}, "cleo": {"ana"}, "ben": {"ben"}}
KINDS = ["device_status", "raw_log", "sensor_log", "vehicle_log", "detection", "telemetry",
         "camera_event", "alert"]
TARGETS = ["vehicle/*", "device/*", "detections", "cameras", "alerts"]


def marks(name):
    """What must be seen by nobody but those with a right to what is @name's."""
    return [f"mark-of-{name}", f"dev-{name}", f"USV-{name}", f"name-of-{name}", OWNERS[name] * 32]


def publish_all(broker, name):
    """One message of each kind, of each of which the text or the device carries the mark."""
    mark = f"mark-of-{name}"
    place = {"latitude": -6.2, "longitude": 106.8}
    broker.publish(f"users/{name}/devices/dev-{name}/status", json.dumps(
        {"status": "online", "temperature": 21.0, **place}))
    broker.publish(f"seano/USV-{name}/raw_log", f"raw_log {mark}")
    broker.publish(f"seano/USV-{name}/sensor_log", json.dumps(
        {"sensor_id": 1, "data": {"m": f"sensor_log {mark}"}}))
    broker.publish(f"seano/USV-{name}/vehicle_log", json.dumps(
        {"mode": f"vehicle_log {mark}", **place}))
    broker.publish("tfg/detections/raw", json.dumps({"device_id": f"dev-{name}", "detections": [
        {"device_hash": OWNERS[name] * 32, "rssi": -50}]}))
    broker.publish(f"ems/dev-{name}/telemetry", json.dumps({"m": f"telemetry {mark}", "v": 1.5}))
    broker.publish(f"surveillance/camera/dev-{name}/event", json.dumps(
        {"event_type": f"camera_event {mark}", "data": {"person_name": mark}}))
    broker.publish(f"devices/dev-{name}/alert", f"alert {mark}")
    broker.publish(f"seano/USV-{name}/alert", f"alert at sea {mark}")


@pytest.fixture
def fleet(make_gateway, database):
    """A gateway with everybody in it."""
    def make(**settings):
        gateway = make_gateway(auth__token_failures_per_minute=100000, **settings)
        gateway.ids = {name: gateway.add_user(name, role) for name, role in (
            ("ana", "user"), ("ben", "user"), ("root", "admin"), ("cleo", "viewer"),
            ("dora", "user"))}
        for name in OWNERS:
            gateway.ids[f"USV-{name}"] = gateway.add_vehicle(f"USV-{name}", name, "--name",
                                                             f"name-of-{name}")
            gateway.ids[f"dev-{name}"], gateway.ids[f"token-{name}"] = gateway.add_device(
                f"dev-{name}", name, "--name", f"name-of-{name}")
        for name in ("cleo", "dora"):
            database.rows("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)",
                          gateway.ids[name], gateway.ids["USV-ana"])
            database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)",
                          gateway.ids[name], gateway.ids["dev-ana"])
        database.rows("UPDATE users SET is_active = false WHERE username = 'dora'")
        return gateway.start()
    return make


def leaks(gateway, role, text):
    """The marks in @text that @role must not see."""
    found = [m for name in OWNERS if name not in ROLES.get(role, ()) for m in marks(name)
             if m in text]
    for name in OWNERS:
        if name not in ROLES.get(role, ()):
            for key, id_ in (("vehicle_id", gateway.ids[f"USV-{name}"]),
                             ("device_id", gateway.ids[f"dev-{name}"]),
                             ("user_id", gateway.ids[name])):
                if re.search(rf'"{key}": ?{id_}\b', text) and role != name:
                    found.append(f"{key} {id_}")
    return found


# ---- WebSockets ---------------------------------------------------------------------------------

def sockets_of(gateway):
    """(name, path, whose it is alone, what its frames show of an owner)."""
    rows = [("A", "/ws", None, ["dev-{0}"]), ("A root", "/", None, ["dev-{0}"]),
            ("C", "/ws/devices", None, ["name-of-{0}"]),
            ("D", "/api/ws", None, [f"{k} mark-of-{{0}}" for k in
                                    ("raw_log", "sensor_log", "vehicle_log")]),
            ("E", "/api/ws/statistics", None, ["camera_event mark-of-{0}", "alert mark-of-{0}",
                                               "alert at sea mark-of-{0}"])]
    for name in OWNERS:
        vehicle, device = gateway.ids[f"USV-{name}"], gateway.ids[f"dev-{name}"]
        logs = [f"{k} mark-of-{name}" for k in ("raw_log", "sensor_log", "vehicle_log")]
        rows += [(f"B {name}", f"/ws/device/dev-{name}", name, [f"telemetry mark-of-{name}"]),
                 (f"B {name} by id", f"/ws/device/{device}", name, [f"telemetry mark-of-{name}"]),
                 (f"B dashboard {name}", f"/ws/dashboard/dev-{name}", name,
                  [f"telemetry mark-of-{name}"]),
                 (f"D {name}", f"/api/ws/vehicle/{vehicle}", name, logs),
                 (f"D {name} by code", f"/api/ws/vehicle/USV-{name}", name, logs)]
    return rows


def expected(role, owner, shown):
    """The texts that a socket of @role must get."""
    return [text.format(name) for name in ROLES[role] if owner in (None, name) for text in shown]


def test_no_websocket_shows_what_is_not_ones_own(fleet, broker):
    gateway = fleet(ws__max_connections_per_user=50)
    opened = []
    for name, path, owner, shown in sockets_of(gateway):
        for role in [*ROLES, "dora", None]:
            token = gateway.token(role) if role else None
            if role in ROLES and (owner is None or owner in ROLES[role]):
                opened.append((name, role, Viewer(gateway, path, token),
                               expected(role, owner, shown)))
                continue
            status = refused(gateway, path, token)
            guarded = name.startswith(("B", "E"))
            assert status == (403 if guarded or role in ROLES else 401), f"{role} on {name}: {status}"
    publish_all(broker, "ben")
    publish_all(broker, "ana")
    publish_all(broker, "ben")
    for name, role, v, texts in opened:
        for text in texts:
            v.wait_for(lambda all_, t=text: any(t in x for x in all_), f"{role} on {name}: {text}")
    for name, role, v, _ in opened:
        everything = "\n".join(v.frames)
        assert not leaks(gateway, role, everything), f"{role} on {name}"
        # filters that a client names only narrow
        if name == "D":
            v.send({"type": "subscribe", "vehicle_ids": [gateway.ids["USV-ana"],
                                                         gateway.ids["USV-ben"]]})
        if name == "E":
            v.send({"type": "subscribe", "event_types": ["camera_event", "alert",
                                                         "statistics_update"]})
    publish_all(broker, "ana")
    publish_all(broker, "ben")
    n = {id(v): len(v.frames) for _, _, v, _ in opened}
    for name, role, v, texts in opened:
        if name in ("D", "E"):
            v.wait_for(lambda all_, t=texts, c=n[id(v)]: len(all_) >= c, f"{role} on {name}")
        assert not leaks(gateway, role, "\n".join(v.frames)), f"{role} on {name}"
        v.close()


def native(gateway, role, path="/api/ws"):
    v = Viewer(gateway, path, gateway.token(role), subprotocols=[NATIVE])
    return v, v.next_of("welcome")["cursor"]


def ask(v, id_, **request):
    """The answer to one request; pushes stay in v.frames."""
    v.send({"id": id_, **request})
    v.wait_for(lambda texts: any(json.loads(t).get("id") == id_ for t in texts), f"answer {id_}")
    return [m for m in map(json.loads, v.frames) if m.get("id") == id_][-1]


def wait_for_kinds(v, role, kinds=None):
    """Until something of each kind of each owner that @role may see has come."""
    shown = kinds or [k for k in KINDS if k not in ("device_status", "detection")]
    for name in ROLES[role]:
        for kind in shown:
            v.wait_for(lambda texts, k=kind, n=name: any(f"{k} mark-of-{n}" in t for t in texts),
                       f"{role}: {kind} of {name}")


def test_no_subscription_snapshot_or_replay_shows_what_is_not_ones_own(fleet, broker, database):
    gateway = fleet(ws__max_connections_per_user=50)
    live = {role: native(gateway, role) for role in ROLES}
    start = {role: cursor for role, (_, cursor) in live.items()}
    for role, (v, _) in live.items():
        assert ask(v, 1, op="subscribe", to=TARGETS, snapshot=True)["ok"]
        # what is another's cannot be named, whichever way
        for owner in OWNERS:
            if owner in ROLES[role]:
                continue
            for n, target in enumerate((f"vehicle/USV-{owner}", f"device/dev-{owner}",
                                        f"vehicle/{gateway.ids['USV-' + owner]}",
                                        f"device/{gateway.ids['dev-' + owner]}")):
                answer = ask(v, 10 + n, op="subscribe", to=[target], snapshot=True,
                             since=start[role])
                assert answer["ok"] is False and answer["error"]["code"] == "not_found", f"{role}: {target}: {answer}"
    for name in ("ben", "ana", "ben"):
        publish_all(broker, name)
    for role, (v, _) in live.items():
        wait_for_kinds(v, role)
    database.wait_for("SELECT count(*) FROM alerts", 6)
    replays = {}
    for role in ROLES:
        replays[role] = native(gateway, role)[0]
        answer = ask(replays[role], 1, op="subscribe", to=TARGETS, since=start[role])
        assert answer["ok"] and answer["recovered"], f"{role}: {answer}"
        wait_for_kinds(replays[role], role)

    # the same from the database, after memory is gone
    assert gateway.terminate() == 0
    gateway.start()
    for role in ROLES:
        v = native(gateway, role)[0]
        assert ask(v, 1, op="subscribe", to=TARGETS, since=start[role])["recovered"], role
        assert ask(v, 2, op="subscribe", to=TARGETS, snapshot=True)["ok"]
        wait_for_kinds(v, role)
        v.wait_for(lambda texts: any('"type":"snapshot"' in t and '"done":true' in t
                                     for t in texts), f"{role}: the snapshot")
        snapshot = "\n".join(t for t in v.frames if '"type":"snapshot"' in t)
        for name in ROLES[role]:
            assert f"mark-of-{name}" in snapshot, f"{role}: snapshot"
        for seen in (live[role][0], replays[role], v):
            assert not leaks(gateway, role, "\n".join(seen.frames)), role


# ---- HTTP ---------------------------------------------------------------------------------------

PUBLIC = {"/", "/api", "/api/health", "/live", "/health", "/livez", "/readyz", "/metrics", "/api/openapi.json",
          "/api/asyncapi.json", "/api/token", "/api/setup/status", "/auth/login", "/auth/logout", "/live/app.js", "/live/map.js",
          "/live/style.css"}
# path -> what names the thing in {id}, and whether what comes carries a mark of its owner
ROWS = {
    "/api/devices": (None, True), "/api/vehicles": (None, True), "/api/v1/devices": (None, True),
    "/api/alerts": (None, True), "/api/detections": (None, True), "/api/camera-events": (None, True),
    "/api/devices/{id}": ("dev", True), "/api/devices/{id}/telemetry": ("dev", True),
    "/api/vehicles/{id}": ("USV", True), "/api/vehicles/{id}/logs": ("USV", True),
    "/api/vehicles/{id}/track.geojson": ("USV", False), "/api/vehicles/{id}/series": ("USV", False),
    "/api/vehicles/{id}/series.csv": ("USV", False), "/api/devices/{id}/telemetry.csv": ("dev", False),
    "/api/faces/statistics": (None, False), "/api/statistics": (None, False),
    "/api/v1/statistics/realtime": (None, False), "/api/ws/stats": (None, False),
    "/api/ws/status": (None, False), "/api/v1/statistics/range": (None, False),
    **{f"/api/v1/statistics/{x}": (None, False)
       for x in ("histogram", "hourly", "daily", "distribution")},
    "/api/v1/settings/thresholds": (None, False),
    "/api/v1/export/detections/csv": (None, True), "/api/v1/detections/count": (None, False), "/api/v1/detections/recent": (None, True),
    "/api/v1/devices/active": (None, True), "/api/v1/devices/{id}": ("dev", True),
    "/api/v1/devices/{id}/stats": ("dev", True),
    "/api/cameras": (None, True), "/api/cameras/{id}": ("dev", True),
    "/api/cameras/{id}/status": ("dev", True), "/api/faces/detections": (None, True),
    "/api/faces/history/detections": (None, False), "/api/history/detections": (None, False),
    "/api/history/statistics": (None, False), "/api/history/timeline": (None, False),
    "/api/recordings": (None, False), "/api/users/me": (None, False), "/auth/me": (None, False),
    "/api/mqtt/status": (None, False), "/mqtt/status": (None, False),
    "/vehicles": (None, True), "/vehicles/batteries": (None, True), "/vehicles/{id}": ("USV", True),
    "/vehicles/{id}/alerts": ("USV", True), "/raw-logs/stats": (None, False),
    "/vehicles/{id}/sensors": ("USV", False), "/vehicles/{id}/sensors/status": ("USV", True),
    "/sensors/status": (None, True), "/vehicle-logs": (None, True), "/sensor-logs": (None, True),
    "/raw-logs": (None, True), "/vehicle-logs/latest/{id}": ("USV", True),
}
NEEDED = {"/api/v1/statistics/range":  # what a path does not answer without
          "?start_time=2000-01-01T00:00:00&end_time=2100-01-01T00:00:00",
          "/api/vehicles/{id}/series": "?member=battery_voltage",
          "/api/vehicles/{id}/series.csv": "?member=battery_voltage", "/api/devices/{id}/telemetry.csv": "?member=v"}
ELSEWHERE = {"/api/me",  # test_who_am_i
             "/api/alerts/{id}/acknowledge",  # test_alerts_are_acknowledged
             "/api/events", "/api/events/poll",  # test_no_event_stream_...
             "/api/token/refresh", "/auth/refresh",  # test_a_session_is_renewed
             "/api/cameras/{id}/stream", "/api/cameras/{id}/snapshot", "/api/history/person/{id}",  # test_camera_pages
             "/vehicle-logs/{id}", "/sensor-logs/{id}", "/raw-logs/{id}", "/vehicles/{id}/battery",  # test_vehicle_pages
             "/api/commands", "/api/commands/{id}", "/api/devices/{id}/commands",  # test_commands_are_...
             "/api/dead-letters", "/api/dead-letters/notes", "/api/dead-letters/{id}", "/api/dead-letters/{id}/replay", "/api/dead-letters/replay",  # test_dead_letters_by_http
             "/api/routes/unrouted",  # test_what_no_route_takes_is_seen
             "/api/routes/try",  # test_routes_are_tried_by_http
             "/api/routes/discovered",  # test_discovery
             "/api/devices/{id}/owner", "/api/vehicles/{id}/owner",  # test_things_are_given.py
             "/api/ws/ticket", "/api/v1/detections", "/api/v1/detections/bulk",
             "/api/v1/devices/register", "/api/v1/devices/{id}/activate",  # administration
             "/api/v1/devices/{id}/deactivate",
             "/api/v1/settings/thresholds/reset"}  # test_zones_are_set


def paths_of(gateway):
    answer = gateway.get("/api/openapi.json")
    if answer.status_code != 200:
        return [p for p in ROWS if gateway.get(p.replace("{id}", "1"), "root").status_code != 404]
    served = {p.rstrip("/") or "/" for p in answer.json()["paths"]}
    served = {p for p in served if not p.startswith("/api/manage/")}  # test_things_are_managed_by_http
    unknown = served - PUBLIC - ELSEWHERE - set(ROWS)
    assert not unknown, f"paths without a row in the matrix: {unknown}"
    assert set(ROWS) <= served, f"rows without a path: {set(ROWS) - served}"
    return [p for p in ROWS if p in served]


def test_no_http_path_shows_what_is_not_ones_own(fleet, broker, database):
    gateway = fleet()
    for name in ("ana", "ben"):
        publish_all(broker, name)
    database.wait_for("SELECT count(*) FROM alerts", 4)
    database.wait_for("SELECT count(*) FROM telemetry", 2)
    for path in paths_of(gateway):
        kind, is_marked = ROWS[path]
        for role in [*ROLES, "dora", None]:
            for owner in OWNERS if kind else [None]:
                for key in ([gateway.ids[f"{kind}-{owner}"], f"{kind}-{owner}"] if kind else [""]):
                    url = path.replace("{id}", str(key)) + NEEDED.get(path, "")
                    answer = gateway.get(url, role)
                    where = f"{role} on {url}: {answer.status_code} {answer.text[:300]}"
                    assert not leaks(gateway, role, answer.text), where
                    if role not in ROLES:
                        assert answer.status_code == 401, where
                    elif owner and owner not in ROLES[role]:
                        assert answer.status_code == 404, where
                    else:
                        assert answer.status_code == 200, where
                        for name in ROLES[role] if is_marked and not owner else [owner]:
                            assert not (is_marked and name) or any(
                                m in answer.text for m in marks(name)), f"{where}: nothing of {name}"
    # a filter names what is another's: nothing of it comes
    for url, status in (("/api/detections?device_id={dev}", 404), ("/api/camera-events?device_id={dev}", 404),
                        ("/api/alerts?device_id={dev}", 404), ("/api/alerts?vehicle_id={usv}", 404),
                        ("/api/alerts?device={dev}", 400), ("/api/detections?device={dev}", 400),
                        ("/api/v1/statistics/realtime?device_id={dev}", 404),
                        ("/api/v1/statistics/range?start_time=2000-01-01T00:00:00&"
                         "end_time=2100-01-01T00:00:00&device_id={dev}", 404),
                        ("/api/detections?device_hash={hash}", 200),
                        ("/api/devices?user_id={user}", 400)):
        url = url.format(dev="dev-ana", usv="USV-ana", hash=OWNERS["ana"] * 32,
                         user=gateway.ids["ana"])
        answer = gateway.get(url, "ben")
        assert answer.status_code == status, f"{url}: {answer.status_code}"
        assert not leaks(gateway, "ben", answer.text.replace(url, "")), f"{url}: {answer.text}"


def read_stream(gateway, role, query, until, seconds=PATIENCE):
    """The text of an event stream until @until(text), or the status that refuses it."""
    headers = {"Authorization": f"Bearer {gateway.token(role)}"} if role else {}
    text = ""
    with requests.get(f"{gateway.url}/api/events{query}", headers=headers, stream=True,
                      timeout=(5, seconds)) as answer:
        if answer.status_code != 200:
            return answer.status_code, ""
        timer = threading.Timer(seconds, answer.raw._fp.fp.raw._sock.shutdown, (2,))
        timer.start()
        try:
            for chunk in answer.iter_content(1):  # as it comes
                text += chunk.decode()
                if until(text):
                    break
        except requests.RequestException:
            pass
        finally:
            timer.cancel()
        return 200, text


def test_no_event_stream_and_no_poll_shows_what_is_not_ones_own(fleet, broker, database):
    gateway = fleet(ws__max_connections_per_user=50)
    assert gateway.status("/api/events") == 401
    v, start = native(gateway, "root")
    v.close()
    for name in ("ben", "ana", "ben"):
        publish_all(broker, name)
    database.wait_for("SELECT count(*) FROM alerts", 6)
    to = ",".join(TARGETS)
    for role in [*ROLES, "dora", None]:
        last = [f"alert at sea mark-of-{name}" for name in ROLES.get(role, ())]
        status, text = read_stream(gateway, role, f"?since={start}&to={to}",
                                   lambda t, w=last: all(x in t for x in w))
        assert status == (200 if role in ROLES else 401), f"{role}: {status}"
        assert all(x in text for x in last), f"{role}: {text[-500:]}"
        assert not leaks(gateway, role, text), role
        answer = gateway.get(f"/api/events/poll?since={start}&wait=1&to={to}", role)
        assert answer.status_code == (200 if role in ROLES else 401), f"{role}: {answer.text}"
        assert not leaks(gateway, role, answer.text), role
        for name in ROLES.get(role, ()):
            assert any(m in answer.text for m in marks(name)), f"{role}: {answer.text[:500]}"
        for owner in OWNERS if role in ROLES else ():
            if owner not in ROLES[role]:
                status, text = read_stream(gateway, role, f"?since={start}&to=device/dev-{owner}",
                                           lambda t: True, 5)
                assert status == 404, f"{role}: {status} {text}"


def test_commands_are_given_and_seen_by_those_with_the_right_alone(fleet, database):
    gateway = fleet(ws__max_connections_per_user=50)

    def post(role, device):
        headers = {"Authorization": f"Bearer {gateway.token(role)}"} if role else {}
        return gateway.post(f"/api/devices/{device}/commands", headers=headers,
                            json={"action": "SET_MODE", "payload": {"m": f"mark-of-{role}"}})

    given = {}
    for role in [*ROLES, "dora", None]:
        for owner in OWNERS:
            answer = post(role, f"dev-{owner}")
            if role not in ROLES:
                assert answer.status_code == 401, f"{role}: {answer.status_code}"
            elif role == "cleo":  # sees ana's, and is a viewer: changes nothing
                assert answer.status_code == 403, f"{owner}: {answer.text}"
            elif owner not in ROLES[role]:
                assert answer.status_code == 404, f"{role}: {answer.status_code}"
            else:
                assert answer.status_code == 202, f"{role}: {answer.status_code} {answer.text}"
                given[answer.json()["command_id"]] = owner
    assert len(given) == 4
    assert database.value("SELECT count(*) FROM commands") == 4
    for command_id, owner in given.items():
        for role in [*ROLES, "dora", None]:
            answer = gateway.get(f"/api/commands/{command_id}", role)
            where = f"{role} on a command for {owner}: {answer.status_code} {answer.text}"
            if role not in ROLES:
                assert answer.status_code == 401, where
            elif owner in ROLES[role]:
                assert answer.status_code == 200, where
            else:
                assert answer.status_code == 404, where
                assert not leaks(gateway, role, answer.text), where

    # the native way, and who hears of it
    sockets = {role: native(gateway, role)[0] for role in ROLES}
    for v in sockets.values():
        assert ask(v, 1, op="subscribe", to=TARGETS)["ok"]
    for n, (role, v) in enumerate(sockets.items()):
        for m, owner in enumerate(OWNERS):
            answer = ask(v, 100 + 10 * n + m, op="command", device=f"dev-{owner}", action="PING",
                         payload={})
            assert answer["ok"] is (role != "cleo" and owner in ROLES[role]), f"{role}: {answer}"
            if answer["ok"]:
                given[answer["command_id"]] = owner
            else:
                assert answer["error"]["code"] == ("forbidden" if role == "cleo" else "not_found"), answer
    for role, v in sockets.items():
        for command_id, owner in list(given.items())[4:]:
            if owner in ROLES[role]:
                v.wait_for(lambda texts, c=command_id: any(
                    c in t and "command_update" in t for t in texts), f"{role}: {command_id}")
        text = "\n".join(v.frames)
        assert not [c for c, owner in given.items() if owner not in ROLES[role] and c in text], role


# ---- without a credential -----------------------------------------------------------------------

def test_only_the_paths_that_are_listed_are_open_to_anyone(fleet, broker):
    gateway = fleet(auth__anonymous="/ws/dashboard/dev-ana, /api/vehicles, /ws")
    publish_all(broker, "ana")
    v = Viewer(gateway, "/ws/dashboard/dev-ana")
    v.wait_for(lambda texts: any("telemetry mark-of-ana" in t for t in texts), "telemetry")
    v.send("x")  # a view is read-only
    assert refused(gateway, "/ws") == 101
    for path, status in (("/ws/dashboard/dev-ben", 403), ("/ws/device/dev-ana", 403),
                         ("/ws/devices", 401), ("/api/ws", 401), ("/", 401),
                         ("/api/ws/statistics", 403)):
        assert refused(gateway, path) == status, path
    assert gateway.status("/api/vehicles") == 200
    for path in paths_of(gateway):
        if path != "/api/vehicles":
            assert gateway.status(path.replace("{id}", "dev-ana")) == 401, path
    assert gateway.status("/api/events") == 401
    # a bad credential is not no credential
    assert refused(gateway, "/ws", "bad.token.here") == 401
    assert refused(gateway, "/ws/dashboard/dev-ana", gateway.token("ben")) == 403
    assert gateway.post("/api/devices/dev-ana/commands", json={"action": "X"}).status_code == 401


def test_a_viewer_sees_and_changes_nothing(fleet, broker, database):
    gateway = fleet()
    v = Viewer(gateway, "/ws/device/dev-ana", gateway.token("cleo"))
    publish_all(broker, "ana")
    v.wait_for(lambda texts: any("telemetry mark-of-ana" in t for t in texts), "telemetry")
    headers = {"Authorization": f"Bearer {gateway.token('cleo')}"}
    for path in ("/api/v1/detections/", "/api/v1/detections/bulk"):
        assert gateway.post(path, headers=headers, json={}).status_code == 401
    wait_until(lambda: database.value("SELECT count(*) FROM telemetry") == 1, "telemetry",
               PATIENCE * SLOW)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
