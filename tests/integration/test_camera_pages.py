"""The camera dashboard (dialect E), whole: what its page and its scripts ask, in their shapes."""
import datetime
import json

import pytest
import requests

from conftest import populate
from waiting import PATIENCE, wait_until


def face(broker, camera, data, **members):
    broker.publish(f"surveillance/camera/{camera}/event", json.dumps(
        {"camera_id": camera, "event_type": "face_detected", "data": data, **members}))


def test_the_route_says_which_member_names_a_person(make_gateway, broker, database, viewer):
    gateway = make_gateway()
    gateway.routes = "[route camera_event]\nperson = label, face_name\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    for data in ({"label": "Ida", "face_name": "other"}, {"face_name": "Jo"},
                 {"person_name": "nobody asks for this"}):
        face(broker, "dev-1", data)
    database.wait_for("SELECT count(*) FROM camera_events", 3)
    assert database.rows("SELECT person_name FROM camera_events ORDER BY seq") == \
        [("Ida",), ("Jo",), (None,)]
    data = viewer("/api/ws/statistics", "ana").next_of("statistics_update")["data"]
    assert data["face_recognition"]["total_people"] == data["total_people"] == 2
    assert data["face_recognition"]["unknown_faces_today"] == 1


def test_statistics_that_have_not_changed_go_out_as_often_as_is_wished(make_gateway, viewer):
    gateway = make_gateway(ws__stats_interval="100ms", ws__stats_refresh="200ms")
    populate(gateway)
    gateway.start()
    v = viewer("/api/ws/statistics", "ana")
    first = v.next_of("statistics_update")["data"]
    for _ in range(3):
        again = v.next_of("statistics_update")["data"]
        assert {**again, "timestamp": 0} == {**first, "timestamp": 0}


FACE = ["name", "confidence", "location", "timestamp", "motion_detected"]
EVENT = ["id", "camera_id", "person_name", "confidence", "detected_at", "location",
         "motion_detected", "recording_path", "recording_id"]
CAMERA = ["camera_id", "camera_type", "source", "face_detection_enabled",
          "face_detection_threshold", "motion_detection_enabled", "min_contour_area",
          "recording_enabled", "post_motion_cooldown", "id", "is_active", "created_at",
          "last_active", "last_active_at"]


@pytest.fixture
def cameras(make_gateway, broker, database):
    """cam-1 and cam-2 are ana's, cam-3 is ben's; each has told something."""
    gateway = make_gateway()
    populate(gateway)
    for code, user in (("cam-1", "ana"), ("cam-2", "ana"), ("cam-3", "ben")):
        gateway.ids[code] = gateway.add_device(code, user, "--type", "camera")[0]
    gateway.start()
    for n in range(12):
        face(broker, "cam-1", {"confidence": n / 100, "face_name": "Ida" if n % 2 else "Jo",
                               "location": {"top": n, "right": 2, "bottom": 3, "left": 4},
                               "motion_detected": n == 11},
             timestamp=stamp(-3600 + n))
    face(broker, "cam-1", {}, timestamp=stamp(-100))
    face(broker, "cam-1", {"person_name": "Unknown", "confidence": 0.5}, timestamp=stamp(-90),
         event_type="face_recognized")
    face(broker, "cam-1", {}, event_type="motion_detected")
    face(broker, "cam-3", {"person_name": "Of Ben", "confidence": 0.9})
    database.wait_for("SELECT count(*) FROM camera_events", 16)
    return gateway


def stamp(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_faces_panel_fills(cameras):
    answer = cameras.get("/api/faces/detections", "ana")
    assert answer.headers["Cache-Control"] == "no-store"
    faces = answer.json()
    assert list(faces) == ["cam-1", "cam-2"]
    assert all(list(f) == ["recent_faces", "statistics"] for f in faces.values())
    assert faces["cam-2"]["recent_faces"] == []
    recent = faces["cam-1"]["recent_faces"]
    assert [f["name"] for f in recent] == ["Unknown", "Unknown", "Ida", "Jo", "Ida", "Jo", "Ida",
                                           "Jo", "Ida", "Jo"]
    assert all(list(f) == FACE for f in recent)
    assert recent[2] == {**recent[2], "confidence": 0.11, "motion_detected": True,
                         "location": {"top": 11, "right": 2, "bottom": 3, "left": 4}}
    assert recent[1]["confidence"] == 0 and recent[1]["motion_detected"] is False
    assert recent[1]["location"] == {"top": None, "right": None, "bottom": None, "left": None}
    assert faces["cam-1"]["statistics"] == {
        "enabled": True, "total_detections": 10, "unique_people_detected": 2,
        "last_detection_time": recent[0]["timestamp"], "face_manager_ready": True}
    assert list(cameras.get("/api/faces/detections", "ben").json()) == ["cam-3"]
    assert list(cameras.get("/api/faces/detections", "root").json()) == ["cam-1", "cam-2", "cam-3"]
    assert cameras.get("/api/faces/detections").status_code == 401


def test_a_new_face_is_in_the_panel_when_its_event_is(cameras, broker, viewer):
    v = viewer("/api/ws/statistics", "ana")
    face(broker, "cam-2", {"person_name": "Eve", "confidence": 0.75})
    v.next_of("camera_event")
    [eve] = cameras.get("/api/faces/detections", "ana").json()["cam-2"]["recent_faces"]
    assert (eve["name"], eve["confidence"]) == ("Eve", 0.75)


def test_the_history_of_faces(cameras, database):
    def ask(query="", user="ana"):
        answer = cameras.get(f"/api/history/detections{query}", user)
        assert answer.status_code == 200, answer.text
        assert list(answer.json()) == ["detections", "total", "filtered"]
        return answer.json()

    whole = ask()
    seqs = [r[0] for r in database.rows(
        "SELECT e.seq FROM camera_events e JOIN devices d ON d.id = e.device_id WHERE d.code = "
        "'cam-1' AND event_type LIKE 'face%%' ORDER BY time DESC, seq DESC")]
    assert [d["id"] for d in whole["detections"]] == seqs and len(seqs) == 14
    assert (whole["total"], whole["filtered"]) == (14, 14)
    assert all(list(d) == EVENT for d in whole["detections"])
    times = [d["detected_at"] for d in whole["detections"]]
    assert times == sorted(times, reverse=True)
    assert cameras.get("/api/faces/history/detections", "ana").json() == whole["detections"]

    pages = [ask(f"?limit=5&{name}={n}") for name, n in (("offset", 0), ("skip", 5), ("offset", 10), ("skip", 10000))]
    assert [d for page in pages for d in page["detections"]] == whole["detections"]
    assert {(page["total"], page["filtered"]) for page in pages} == {(14, 14)}
    assert cameras.get("/api/faces/history/detections?skip=12", "ana").json() == whole["detections"][12:]
    assert ask("?skip=3&limit=2", "root")["detections"] == ask("?limit=5", "root")["detections"][3:]

    ida = ask("?person_name=Ida&limit=4")
    assert (len(ida["detections"]), ida["total"], ida["filtered"]) == (4, 14, 6)
    assert {d["person_name"] for d in ida["detections"]} == {"Ida"}
    assert ask("?person_name=Unknown")["filtered"] == 2
    assert ask("?camera_id=cam-1&hours=0") == {"detections": [], "total": 0, "filtered": 0}
    assert ask("?limit=0")["filtered"] == 14
    for other in ("cam-3", "nothing", "' OR 1=1 --", "%2500"):
        assert ask(f"?camera_id={other}") == {"detections": [], "total": 0, "filtered": 0}
    assert "Of Ben" not in json.dumps(ask("?person_name=Of%20Ben"))
    assert {d["camera_id"] for d in ask(user="root")["detections"]} == {"cam-1", "cam-3"}
    for bad in ("?limit=501", "?limit=-1", "?limit=x", "?offset=10001", "?skip=-1", "?offset=x", "?hours=-1", "?hours=99999999999999999999",
                "?hours=1.5"):
        answer = cameras.get(f"/api/history/detections{bad}", "ana")
        assert answer.status_code == 422 and answer.json()["status"] == 422, bad


def test_sums_hours_and_one_person_of_the_faces(cameras, database):
    def ask(path, user="ana"):
        answer = cameras.get(f"/api/history/{path}", user)
        assert answer.status_code == 200, answer.text
        return answer.json()

    whole = ask("detections?limit=500")["detections"]
    assert ask("statistics") == {"total_detections": 14, "unique_people": 2, "most_detected_person": "Ida", "time_period_days": 7}
    assert ask("statistics?days=0&camera_id=cam-1") == {
        "total_detections": 0, "unique_people": 0, "most_detected_person": None, "time_period_days": 0}
    assert ask("statistics?days=2", "ben") == {
        "total_detections": 1, "unique_people": 1, "most_detected_person": "Of Ben", "time_period_days": 2}
    assert ask("statistics?camera_id=cam-3")["total_detections"] == 0
    timeline = ask("timeline")
    hours = {}
    for face_ in whole:
        hours.setdefault(face_["detected_at"][:13].replace("T", " ") + ":00", []).append(face_["person_name"])
    assert timeline == {"timeline": [
        {"hour": hour, "total_detections": len(names), "unique_people": len(set(names)),
         "known_faces": len(names) - names.count("Unknown"), "unknown_faces": names.count("Unknown")}
        for hour, names in sorted(hours.items())], "total_hours": len(hours)}
    assert ask("timeline?camera_id=cam-3") == ask("timeline?hours=0") == {"timeline": [], "total_hours": 0}
    assert ask("person/Ida") == [f for f in whole if f["person_name"] == "Ida"]
    assert len(ask("person/Unknown?limit=1")) == 1
    assert ask("person/Ida?limit=2&offset=3") == ask("person/Ida")[3:5]
    assert ask("person/Of%20Ben") == [] and len(ask("person/Of%20Ben", "ben")) == 1
    assert ask("person/nobody") == ask("person/%27%20OR%201=1") == []
    for bad in ("statistics?days=x", "statistics?days=367", "timeline?hours=-1", "person/Ida?limit=501"):
        assert cameras.get(f"/api/history/{bad}", "ana").status_code == 422, bad
    assert cameras.get("/api/history/person/Ida").status_code == 401


def test_the_list_of_cameras_and_their_status(cameras, broker):
    answer = cameras.get("/api/cameras/", "ana").json()
    assert list(answer) == ["cameras", "total"] and answer["total"] == 2
    assert [c["camera_id"] for c in answer["cameras"]] == ["cam-1", "cam-2"]
    assert all(list(c) == CAMERA for c in answer["cameras"])
    assert [c["face_detection_enabled"] for c in answer["cameras"]] == [True, None]
    assert [c["recording_enabled"] for c in answer["cameras"]] == [None, None]
    first = answer["cameras"][0]
    assert (first["id"], first["is_active"], first["camera_type"]) == (cameras.ids["cam-1"], True,
                                                                       "rtsp")
    assert first["last_active"] == first["last_active_at"] > first["created_at"]
    assert [c["is_active"] for c in answer["cameras"]] == [True, False]
    active = cameras.get("/api/cameras/?active_only=true", "ana").json()
    assert [c["camera_id"] for c in active["cameras"]] == ["cam-1"] and active["total"] == 1
    page = cameras.get("/api/cameras/?skip=1&limit=1", "root").json()
    assert [c["camera_id"] for c in page["cameras"]] == ["cam-2"] and page["total"] == 3
    assert cameras.get("/api/cameras/?offset=1&limit=1", "root").json() == page
    for name in ("cam-1", cameras.ids["cam-1"]):
        assert cameras.get(f"/api/cameras/{name}", "ana").json() == first
    status = cameras.get("/api/cameras/cam-1/status", "ana").json()
    assert status == {"camera_id": "cam-1", "is_active": True, "is_running": True, "fps": None,
                      "last_frame_time": first["last_active"], "error_message": None}
    for path in ("cam-3", "nothing", "dev-1", "cam-3/status", "cam-1/stream", "cam-1/snapshot",
                 "cam-3/stream"):
        assert cameras.get(f"/api/cameras/{path}", "ana").status_code == 404, path
    assert "docs/migrate/cameras.md" in cameras.get("/api/cameras/cam-1/stream", "ana").text
    for bad in ("?skip=-1", "?limit=1001", "?active_only=maybe"):
        assert cameras.get(f"/api/cameras/{bad}", "ana").status_code == 422, bad
    face(broker, "cam-2", {}, event_type="recording_started", timestamp=stamp(0))
    wait_until(lambda: cameras.get("/api/cameras/cam-2", "ana").json()["recording_enabled"] is True, "a recording")


def test_the_other_things_that_its_page_asks(cameras):
    counts = cameras.get("/api/faces/statistics", "ana").json()
    whole = cameras.get("/api/statistics", "ana").json()
    assert list(counts)[:4] == ["total_people", "total_encodings", "recognitions_today",
                                "last_recognition"]
    assert (counts["total_people"], counts["total_encodings"]) == (2, 2)
    assert {k: v for k, v in counts.items() if k not in ("total_encodings", "timestamp")} == \
        {k: v for k, v in whole.items() if k != "timestamp"}
    assert cameras.get("/api/users/me", "ana").json() == {
        "username": "ana", "email": None, "id": cameras.ids["ana"], "is_active": True,
        "role": "user"}
    assert cameras.get("/api/users/me").status_code == 401
    assert cameras.get("/api/setup/status").json() == {"setup_complete": True}


def test_what_its_scripts_ask_first(cameras, broker):
    """Anybody may, and learns nothing of what there is."""
    assert cameras.get("/api/health").json() == {
        "status": "healthy", "active_cameras": None, "face_recognition": "available", "database": "connected"}
    for path in ("/api/", "/api"):
        system = cameras.get(path).json()
        assert list(system) == ["name", "version", "description", "features", "documentation", "status"]
        assert (system["name"], system["status"]) == ("Tidegate", "operational")
        assert cameras.get(system["documentation"]).status_code == 200
    broker.stop()
    wait_until(lambda: cameras.get("/api/health").status_code == 503, "it to be told")
    assert (cameras.get("/api/health").json()["status"], cameras.get("/api/health").json()["database"]) == ("degraded", "connected")
    broker.start()
    assert cameras.get("/api/recordings/?limit=15", "ana").json() == {
        "recordings": [], "total": 0, "filtered": 0}


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/api/settings", 404), ("PATCH", "/api/settings", 404), ("POST", "/api/users/", 404),
    ("POST", "/api/cameras/", 405), ("PUT", "/api/cameras/cam-1", 405),
    ("PATCH", "/api/cameras/cam-1", 405), ("DELETE", "/api/cameras/cam-1", 405),
    ("POST", "/api/cameras/discover/usb", 404), ("POST", "/api/cameras/quick-add", 405),
    ("POST", "/api/faces/train", 404), ("GET", "/api/faces/people", 404),
    ("DELETE", "/api/recordings/1", 404), ("POST", "/api/setup/initialize", 404),
    ("PUT", "/api/alerts/config/1", 404), ("GET", "/api/motion-events/", 404)])
def test_administration_is_elsewhere(shared_gateway, method, path, status):
    for body in (None, {"camera_id": "x"}):
        answer = requests.request(method, shared_gateway.url + path, json=body, timeout=PATIENCE)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "docs/migrate/cameras.md" in answer.json()["detail"]
        assert answer.json()["code"] == "administration"
    assert shared_gateway.get("/api/settingsx").json()["detail"] == "There is nothing here."
