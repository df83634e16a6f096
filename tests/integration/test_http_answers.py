"""HTTP: health, readiness, metrics, statistics, tokens, the page, and errors as problem+json."""
import contextlib
import re
import subprocess
import time

import psycopg2
import pytest

from conftest import populate
from waiting import wait_until

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@pytest.mark.smoke
def test_health_says_healthy_and_counts_sockets(gateway, viewer):
    answer = gateway.get("/health")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert list(body) == ["status", "timestamp", "websocket_connections"]
    assert body["status"] == "healthy" and TIME.match(body["timestamp"])
    assert body["websocket_connections"] == 0
    viewer("/ws", "ana")
    wait_until(lambda: gateway.get("/health").json()["websocket_connections"] == 1, "one socket")


def test_health_says_degraded_and_why(gateway, broker):
    broker.stop()
    wait_until(lambda: gateway.get("/health").status_code == 503, "503")
    body = gateway.get("/health").json()
    assert body["status"] == "degraded"
    assert body["reasons"] == ["broker_away"]
    assert gateway.status("/livez") == 200
    assert gateway.status("/readyz") == 503
    broker.start()
    gateway.wait_ready()
    assert gateway.get("/health").json()["status"] == "healthy"


@pytest.mark.smoke
def test_metrics_are_what_promtool_accepts(gateway, broker, database):
    broker.publish("seano/USV-1/raw_log", "x")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    answer = gateway.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=answer.text, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr.strip(), done.stderr
    names = set(re.findall(r"^([a-zA-Z_:][\w:]*)", answer.text, re.M)) - {"#"}
    assert names and all(n.startswith("tidegate_") for n in names), names
    assert gateway.metric("tidegate_received_total") == 1
    assert gateway.metric("tidegate_committed_total") == 1


def test_ws_stats_says_in_seconds_how_late_storing_is(make_gateway, broker, database):
    gateway = make_gateway(database__stall_timeout="60s", database__timeout="60s")
    populate(gateway)
    gateway.start()
    with contextlib.closing(psycopg2.connect(database.url)) as held, held.cursor() as cursor:
        cursor.execute("LOCK TABLE raw_logs IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        broker.publish("seano/USV-1/raw_log", "x")
        wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") > 0.2, "it to be late")
        lag = gateway.get("/api/ws/stats", "root").json()["database"]["lag_seconds"]
        assert 0.2 < lag < time.monotonic() - began
    wait_until(lambda: gateway.get("/api/ws/stats", "root").json()["database"]["lag_seconds"] == 0, "it to be stored")


def test_the_lag_grows_while_the_database_is_away_also_over_a_restart(gateway, broker, database, postgres):
    began = time.time()
    broker.publish("seano/USV-1/raw_log", "stored")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") == 0, "it to be stored")
    postgres.stop()
    wait_until(lambda: not gateway.metric("tidegate_db_connected"), "the outage to be seen")
    broker.publish("seano/USV-1/raw_log", "waits")
    wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") > 1.5, "it to be late")
    gateway.kill()
    gateway.start(wait=False)
    wait_until(lambda: gateway.status("/livez") == 200, "it to answer")
    wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") > 0, "what was received before to count")
    lag = gateway.metric("tidegate_db_lag_seconds")
    assert 1.5 < lag < time.time() - began
    postgres.start()
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") == 0, "it to be stored")


def test_ws_stats_shows_connections_and_accounts(gateway, viewer):
    viewer(f"/api/ws/vehicle/{gateway.ids['USV-1']}", "ana").next_of("connection")
    viewer("/api/ws", "ana").next_of("connection")
    answer = gateway.get("/api/ws/stats", "root")
    assert answer.status_code == 200
    body = answer.json()
    assert body["active_connections"] == 2
    assert len(body["connections_info"]) == 2
    filters = []
    for info in body["connections_info"]:
        assert TIME.match(info["connected_at"])
        filters.append(info["client_info"].get("vehicle_filter"))
    assert gateway.ids["USV-1"] in filters


def test_ws_status_counts_ones_own_and_for_admins_all(gateway, viewer):
    viewer("/api/ws/statistics", "ana").next_of("connection_status")
    viewer("/api/ws/statistics", "ben").next_of("connection_status")
    own = gateway.get("/api/ws/status", "ana").json()
    assert own["status"] == "operational"
    assert own["statistics"]["total_connections"] == 2
    assert own["statistics"]["total_users"] == 2
    assert "connections_by_user" not in own["statistics"]
    assert own["user_connections"] == 1
    everything = gateway.get("/api/ws/status", "root").json()
    assert everything["statistics"]["connections_by_user"] == {
        str(gateway.ids["ana"]): 1, str(gateway.ids["ben"]): 1}
    assert gateway.get("/api/ws/status").status_code == 401


def test_a_password_buys_a_token_that_opens_sockets(gateway, viewer):
    answer = gateway.post("/api/token", data={"username": "ana",
                                              "password": "correct horse battery"})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["access_token", "token_type"] and body["token_type"] == "bearer"
    as_form_data = gateway.post("/api/token", files={"grant_type": (None, "password"), "username": (None, "ana"),
                                                     "password": (None, "correct horse battery")})
    assert (as_form_data.status_code, list(as_form_data.json())) == (200, list(body)), as_form_data.text
    v = viewer("/api/ws", headers={"Authorization": f"Bearer {body['access_token']}"})
    v.next_of("connection")
    for data in ({"username": "ana", "password": "wrong"}, {"username": "no", "password": "x"}):
        answer = gateway.post("/api/token", data=data)
        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert gateway.post("/api/token", data={"username": "ana"}).status_code == 400
    assert "correct horse" not in gateway.log()


def test_a_form_is_what_its_content_type_says_and_not_what_it_looks_like(gateway):
    fields = "username=ana&password=correct+horse+battery"
    parts = "--x7\r\n" + "".join(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--x7{end}\r\n'
                                 for name, value, end in (("username", "ana", ""),
                                                          ("password", "correct horse battery", "--")))
    for data, content_type, status in (
            (parts, "Multipart/Form-Data; boundary=x7", 200),
            (fields, "application/x-www-form-urlencoded", 200),
            (f"--x7\r\n=1&{fields}", "application/x-www-form-urlencoded; charset=utf-8", 200),
            (parts, "application/x-www-form-urlencoded", 400),
            (fields, "multipart/form-data; boundary=x7", 400)):
        answer = gateway.post("/api/token", data=data, headers={"Content-Type": content_type})
        assert answer.status_code == status, (content_type, data, answer.text)


def test_statistics_of_detections_and_of_faces(gateway):
    body = gateway.get("/api/v1/statistics/realtime?minutes=5", "ana").json()
    assert list(body) == ["timestamp", "time_window_minutes", "by_zone", "total"]
    assert body["total"] == {"unique_devices": 0, "total_detections": 0, "estimated_people": 0}
    for path in ("/api/faces/statistics", "/api/statistics"):
        answer = gateway.get(path, "ana")
        assert answer.status_code == 200, path
    faces = gateway.get("/api/faces/statistics", "ana").json()
    assert {"total_people", "recognitions_today", "last_recognition"} <= set(faces)
    assert gateway.get("/api/faces/statistics").status_code == 401


def test_the_page_is_served_and_needs_nothing_from_elsewhere(gateway):
    answer = gateway.get("/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Content-Security-Policy" in answer.headers
    assert not re.search(r'(?:src|href)="https?://', answer.text)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nowhere", 404), ("GET", "/api/../etc/passwd", 404), ("POST", "/health", 405),
    ("DELETE", "/api/token", 405), ("GET", "/api/v1/statistics/realtime?minutes=x", 400)])
def test_errors_are_problems(gateway, method, path, status):
    import requests
    headers = {"Authorization": f"Bearer {gateway.token('ana')}"}
    answer = requests.request(method, gateway.url + path, headers=headers, timeout=10)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert body["status"] == status


def test_readiness_waits_for_the_broker(make_gateway, broker):
    broker.stop()
    gateway = make_gateway()
    gateway.start(wait=False)
    wait_until(lambda: gateway.status("/livez") == 200, "life")
    assert gateway.status("/readyz") == 503
    broker.start()
    gateway.wait_ready()


@pytest.mark.smoke
def test_the_root_sends_to_the_page_from_wherever_it_lies(gateway):
    answer = gateway.get("/", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "live")
    page = gateway.get("/")
    assert page.url == gateway.url + "/live" and page.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in re.findall(r'(?:src|href)="(live/[^"]+)"', page.text):
        assert gateway.status(f"/{name}") == 200, name
    assert gateway.get("/live/").url == gateway.url + "/live"  # or its files were sought in /live/live
