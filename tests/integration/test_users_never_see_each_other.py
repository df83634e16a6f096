"""Two users on every path of every dialect: nobody sees what belongs to the other alone."""
import json

import pytest

from viewers import refused

PATHS = ["/ws", "/ws/devices", "/api/ws", "/api/ws/statistics"]


def publish_all(broker, name, n, mark):
    """One message of each kind that belongs to user @name, marked so that it can be recognised: by
    a fraction, since a whole number turns up within cursors, keys and times as well."""
    hash_ = f"{n}" * 64
    broker.publish(f"users/{name}/devices/dev-{n}/status", json.dumps(
        {"status": "online", "temperature": float(mark)}))
    broker.publish(f"seano/USV-{n}/raw_log", f"raw {mark}")
    broker.publish(f"seano/USV-{n}/sensor_log", json.dumps({"sensor_id": n, "data": {"m": mark}}))
    broker.publish(f"seano/USV-{n}/vehicle_log", json.dumps({"mode": f"M{mark}"}))
    broker.publish("tfg/detections/raw", json.dumps({"device_id": f"dev-{n}", "detections": [
        {"device_hash": hash_, "rssi": -50}]}))
    broker.publish(f"ems/dev-{n}/telemetry", json.dumps({"m": mark}))
    broker.publish(f"surveillance/camera/dev-{n}/event", json.dumps(
        {"event_type": f"event {mark}", "data": {}}))
    broker.publish(f"devices/dev-{n}/alert", f"alert {mark}")
    broker.publish(f"seano/USV-{n}/alert", f"alert at sea {mark}")


@pytest.mark.smoke
def test_every_path_shows_ones_own_and_nothing_of_the_other(gateway, broker, database, viewer):
    marks = {"ana": (1, 411.25), "ben": (2, 422.75)}
    sockets = {name: {path: viewer(path, name) for path in
                      [*PATHS, f"/ws/device/dev-{n}", f"/ws/dashboard/dev-{n}",
                       f"/api/ws/vehicle/{gateway.ids[f'USV-{n}']}"]}
               for name, (n, _) in marks.items()}
    for _ in range(3):
        for name, (n, mark) in marks.items():
            publish_all(broker, name, n, mark)

    for name, (n, mark) in marks.items():
        other_n, other_mark = marks["ben" if name == "ana" else "ana"]
        for path, v in sockets[name].items():
            wanted = {"/ws": f'"dev-{n}"', "/ws/devices": f'"temperature":{mark}',
                      "/api/ws/statistics": f"alert at sea {mark}"}.get(path, str(mark))
            v.wait_for(lambda texts, w=wanted: sum(w in t for t in texts) >= 3,
                       f"{name} on {path}: {wanted}")
            everything = "\n".join(v.frames)
            assert str(other_mark) not in everything, f"{name} on {path}"
            assert f"dev-{other_n}" not in everything, f"{name} on {path}"
            for text in v.frames:
                frame = json.loads(text)
                assert frame.get("vehicle_id", gateway.ids[f"USV-{n}"]) == gateway.ids[f"USV-{n}"], text


def test_statistics_count_only_ones_own(gateway, broker, database):
    publish_all(broker, "ana", 1, 411.25)
    database.wait_for("SELECT count(*) FROM alerts", 2)
    own = gateway.get("/api/v1/statistics/realtime?minutes=5", "ana").json()
    other = gateway.get("/api/v1/statistics/realtime?minutes=5", "ben").json()
    everything = gateway.get("/api/v1/statistics/realtime?minutes=5", "root").json()
    assert own["total"]["unique_devices"] == everything["total"]["unique_devices"] == 1
    assert other["total"]["unique_devices"] == 0
    assert gateway.get(f"/api/v1/statistics/realtime?device_id={gateway.ids['dev-1']}",
                       "ben").status_code == 404


def test_naming_what_belongs_to_another_is_refused(gateway):
    ana = gateway.token("ana")
    assert refused(gateway, "/ws/device/dev-2", ana) == 403
    assert refused(gateway, "/ws/dashboard/dev-2", ana) == 403
    assert refused(gateway, f"/ws/dashboard/{gateway.ids['dev-2']}", ana) == 403
    assert refused(gateway, f"/api/ws/vehicle/{gateway.ids['USV-2']}", ana) == 403
    assert refused(gateway, "/api/ws/vehicle/USV-2", ana) == 403


def test_a_filter_only_narrows(gateway, broker, viewer):
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    v.send({"type": "subscribe", "vehicle_ids": [gateway.ids["USV-1"], gateway.ids["USV-2"]]})
    v.next_of("subscription_ack")
    broker.publish("seano/USV-2/raw_log", "of ben")
    broker.publish("seano/USV-1/raw_log", "of ana")
    assert v.next_json()["data"] == "of ana"


def test_a_device_of_another_user_cannot_be_reported_under_ones_name(gateway, broker, database):
    broker.publish("users/ana/devices/dev-2/status", '{"status":"online"}')
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'wrong_owner'", 1)
    assert database.value("SELECT count(*) FROM device_states WHERE status = 'online'") == 0


def test_an_admin_sees_everything(gateway, broker, viewer):
    v = viewer("/api/ws", "root")
    v.next_of("connection")
    for n in (1, 2):
        broker.publish(f"seano/USV-{n}/raw_log", f"from {n}")
        assert v.next_json()["data"] == f"from {n}"
    assert [d["device_code"] for d in viewer("/ws/devices", "root").next_json()["devices"]] == \
        ["dev-1", "dev-2"]


def test_a_share_widens_and_its_end_narrows(gateway, broker, database, viewer):
    v = viewer("/api/ws", "ben")
    v.next_of("connection")
    gateway.cli("vehicle", "share", "USV-1", "--user", "ben")
    seen = []
    while "shared" not in seen:  # NOTIFY takes a moment; each try is a new message
        broker.publish("seano/USV-1/raw_log", "shared")
        broker.publish("seano/USV-2/raw_log", "mark")
        while True:
            data = v.next_of("raw_log")["data"]
            if data == "mark":
                break
            seen.append(data)
    one = viewer(f"/api/ws/vehicle/{gateway.ids['USV-1']}", "ben")
    one.next_of("connection")

    database.rows("DELETE FROM shares")
    assert one.wait_closed(1.0 + 4)[0] == 4004
    v.rest()
    broker.publish("seano/USV-1/raw_log", "not for ben")
    broker.publish("seano/USV-2/raw_log", "for ben")
    assert v.next_of("raw_log")["data"] == "for ben"


def test_a_disabled_user_is_closed_and_stays_out(gateway, database, viewer):
    v = viewer("/api/ws", "ben")
    v.next_of("connection")
    database.rows("UPDATE users SET is_active = false WHERE username = 'ben'")
    assert v.wait_closed()[0] == 4004
    assert refused(gateway, "/api/ws", gateway.token("ben")) == 401
