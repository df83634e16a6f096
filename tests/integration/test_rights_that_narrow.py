"""Who loses a right while his answer is under way does not get it, or not the rest of it."""
import contextlib
import json
import socket
import threading
import time

import psycopg2
import pytest
import requests

from commanding import command
from viewers import Viewer
from waiting import PATIENCE, wait_until

VEHICLE = "/api/vehicles/{vehicle}/"
NAMED = {  # what ben sees because it is shared with him
    "logs": VEHICLE + "logs",
    "track": VEHICLE + "track.geojson",
    "telemetry": "/api/devices/{device}/telemetry",
    "averages": "/api/devices/{device}/telemetry?interval=1h",
    "alerts of a vehicle": "/api/alerts?vehicle_id={vehicle}",
    "detections of a device": "/api/detections?device_id={device}",
}
WHOLE = {  # what an admin sees of everybody
    "alerts": "/api/alerts",
    "detections": "/api/detections",
    "statistics of detections": "/api/v1/statistics/realtime?minutes=5",
    "statistics of a range": "/api/v1/statistics/range?start_time=2000-01-01T00:00:00&"
                             "end_time=2100-01-01T00:00:00",
    "an export": "/api/v1/export/detections/csv?last_days=7",
    "statistics of faces": "/api/statistics",
    "a command": "/api/commands/{command}",
}
TABLES = "vehicle_logs, raw_logs, telemetry, alerts, ble_detections, camera_states, commands"


@contextlib.contextmanager
def standing(database):
    """Nothing can be read from the log tables for as long."""
    with contextlib.closing(psycopg2.connect(database.url)) as conn, conn.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        yield
        conn.rollback()


class Question:
    """A GET that is under way."""

    def __init__(self, gateway, path, user, patience=PATIENCE, **token):
        self.answer = None
        self._patience = patience
        self._url = gateway.url + path
        self._headers = {"Authorization": f"Bearer {gateway.token(user, **token)}"}
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self):
        self.answer = requests.get(self._url, headers=self._headers, timeout=self._patience)

    def wait(self):
        self._thread.join()
        return self.answer


def waits(database):
    """Somebody waits for a lock."""
    return database.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0


def fill(gateway, broker, database):
    for topic, payload in (
            ("seano/USV-1/vehicle_log", {"latitude": 1.25, "longitude": 2.5}),
            ("ems/dev-1/telemetry", {"n": 1}), ("seano/USV-1/alert", {"message": "secret"}),
            ("tfg/detections/raw",
             {"device_id": "dev-1", "detections": [{"device_hash": "1" * 64, "rssi": -50}]})):
        broker.publish(topic, json.dumps(payload))
    for table in ("vehicle_logs", "telemetry", "alerts", "ble_detections"):
        database.wait_for(f"SELECT count(*) FROM {table}", 1)
    return {"vehicle": gateway.ids["USV-1"], "device": gateway.ids["dev-1"],
            "command": command(gateway)}


def share(gateway, database, ids):
    ben = gateway.ids["ben"]
    database.rows("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)", ben, ids["vehicle"])
    database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", ben, ids["device"])
    wait_until(lambda: gateway.status(VEHICLE.format(**ids) + "logs", headers={
        "Authorization": f"Bearer {gateway.token('ben')}"}) == 200, "ben to see it")


@pytest.mark.parametrize("what", NAMED)
def test_what_is_asked_for_before_and_answered_after(gateway, broker, database, what):
    ids = fill(gateway, broker, database)
    share(gateway, database, ids)
    with standing(database):
        question = Question(gateway, NAMED[what].format(**ids), "ben")
        wait_until(lambda: waits(database), "the question to wait")
        database.rows("DELETE FROM shares")
        answer = question.wait()  # which does not wait for the tables
    assert answer.status_code == 404, answer.text
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("what", WHOLE)
def test_who_is_no_admin_any_more_is_not_told_everything(gateway, broker, database, what):
    ids = fill(gateway, broker, database)
    path = WHOLE[what].format(**ids)
    with standing(database):
        question = Question(gateway, path, "root")
        wait_until(lambda: waits(database), "the question to wait")
        database.rows("UPDATE users SET role = 'user' WHERE username = 'root'")
        answer = question.wait()
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, answer.text
    assert answer.json()["code"] == "rights_changed"
    again = gateway.get(path, "root")
    assert again.status_code == (404 if what == "a command" else 200)
    assert "secret" not in again.text


LOSE = {
    "logs": "DELETE FROM shares",
    "whole list, shared": "DELETE FROM shares",
    "whole list, by a group": "DELETE FROM device_groups",
    "whole list, handed over": "UPDATE vehicles SET user_id = (SELECT id FROM users WHERE username = 'root') WHERE code = 'USV-2'",
    "whole list, deleted": "DELETE FROM vehicles WHERE code = 'USV-2'",
    "whole list, no admin": "UPDATE users SET role = 'viewer' WHERE username = 'root'",
    "whole list, disabled": "UPDATE users SET is_active = false WHERE username = 'ben'",
}


def fill_long(database, vehicle):
    """Alerts of 10 KB each: one page of them is far more than what is on its way at a time."""
    database.rows(
        "INSERT INTO alerts (vehicle_id, journal_id, seq, received_at, time, severity, extra)"
        " SELECT %s, journal_id, i, now(), now(), 'info', jsonb_build_object('x', repeat('y', 10000))"
        " FROM journal_positions, generate_series(1, 1000) i", vehicle)


def ask_and_stop(gateway, path, user, **token):
    """A GET of which the first bytes were read, and no more."""
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", gateway.port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                 f"{gateway.token(user, **token)}\r\n\r\n".encode())
    assert sock.recv(12) == b"HTTP/1.1 200"
    return sock


@pytest.mark.parametrize("how", LOSE)
def test_the_rest_of_an_answer_that_has_begun_does_not_come(gateway, database, how):
    ids = {"vehicle": gateway.ids["USV-1"], "device": gateway.ids["dev-1"]}
    share(gateway, database, ids)
    # Ben's own it was: what he sees of it from here on, and loses, he is to see by the group alone.
    database.rows("UPDATE devices SET user_id = %s WHERE code = 'dev-2'", gateway.ids["ana"])
    wait_until(lambda: "dev-2" not in gateway.get("/api/devices", "ben").text, "it to be ana's")
    database.rows("INSERT INTO groups (name) VALUES ('Floor')")
    database.rows("INSERT INTO device_groups SELECT %s, id FROM groups", gateway.ids["dev-2"])
    database.rows("INSERT INTO shares (user_id, group_id) SELECT %s, id FROM groups",
                  gateway.ids["ben"])
    wait_until(lambda: "dev-2" in gateway.get("/api/devices", "ben").text, "what is in the group to be seen")
    fill_long(database, ids["vehicle"])
    user = "root" if "admin" in how else "ben"
    path = VEHICLE.format(**ids) + "logs" if how == "logs" else "/api/alerts"
    with ask_and_stop(gateway, path + "?limit=1000", user), \
            ask_and_stop(gateway, "/api/alerts?limit=1000", "ana"):
        database.rows(LOSE[how])
        # Whoever does not read is hung up on after 30 s in any case.
        wait_until(lambda: gateway.metric("tidegate_history_total", result="cancelled") == 1,
                   "the end", timeout=15)
        assert gateway.metric("tidegate_history_reading") == 1, "of who has lost nothing"


# ---- a token that expires meanwhile: what cannot be given a newer one ends with it ---------------

SOON = 4  # seconds for which a token is good: whatever uses it has begun by then


def soon():
    return {"exp": int(time.time()) + SOON}


def test_what_is_asked_for_before_a_token_expires_and_answered_after(gateway, broker, database):
    ids = fill(gateway, broker, database)
    paths = [NAMED["logs"].format(**ids), WHOLE["alerts"], WHOLE["statistics of faces"],
             WHOLE["a command"].format(**ids)]
    with standing(database):
        questions = [Question(gateway, path, "root", **soon()) for path in paths]
        answers = [question.wait() for question in questions]  # which do not wait for the tables
    for path, answer in zip(paths, answers):
        assert (answer.status_code, answer.json()["code"]) == (401, "token_expired"), path


def test_an_answer_that_has_begun_ends_with_its_token(gateway, database):
    share(gateway, database, {"vehicle": gateway.ids["USV-1"], "device": gateway.ids["dev-1"]})
    fill_long(database, gateway.ids["USV-1"])
    with ask_and_stop(gateway, "/api/alerts?limit=1000", "ben", **soon()), \
            ask_and_stop(gateway, "/api/alerts?limit=1000", "ana"):
        wait_until(lambda: gateway.metric("tidegate_history_total", result="cancelled") == 1,
                   "the end", timeout=20)  # whoever does not read is hung up on after 30 s
        assert gateway.metric("tidegate_history_reading") == 1, "of whose token is good"


@pytest.mark.parametrize("how", ["token expired", "disabled", "a device lost"])
def test_a_whole_answer_that_is_read_slowly_ends_with_the_right_to_it(gateway, database, how):
    """The list of devices is made at once, and waits for its reader."""
    database.rows("INSERT INTO devices (code, name, user_id)"
                  " SELECT 'many-' || i, repeat('y', 8000), %s FROM generate_series(1, 900) i",
                  gateway.ids["ben"])
    wait_until(lambda: len(gateway.get("/api/devices?limit=1000", "ben").content) > 7 << 20,
               "all of them to be seen")
    n_before = gateway.metric("tidegate_process_open_fds")
    with ask_and_stop(gateway, "/api/devices?limit=1000", "ben",
                      **(soon() if how == "token expired" else {})) as sock:
        assert gateway.metric("tidegate_process_open_fds") == n_before + 1
        if how == "disabled":
            database.rows("UPDATE users SET is_active = false WHERE username = 'ben'")
        elif how == "a device lost":
            database.rows("UPDATE devices SET user_id = NULL WHERE code = 'many-7'")
        wait_until(lambda: gateway.metric("tidegate_process_open_fds") == n_before, "the end",
                   timeout=20)
        n_read = 0
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(1 << 20):
                n_read += len(data)
        assert n_read < 7 << 20


@pytest.mark.parametrize("wait", ["/poll?wait=60&", "?"])
def test_a_stream_and_a_poll_end_with_their_token(gateway, wait):
    question = Question(gateway, f"/api/events{wait}to=vehicle/*", "ben", 20, **soon())
    answer = question.wait()  # a socket has 25 s more
    if "poll" in wait:
        assert answer.status_code == 401
    else:
        assert "event: close" in answer.text and "4202" in answer.text


def test_a_socket_in_its_grace_gets_nothing_new_until_it_refreshes(gateway, broker):
    end = soon()["exp"]
    viewer = Viewer(gateway, "/api/ws", gateway.token("ben", exp=end), subprotocols=["tidegate.v1"])

    def ask(**request):
        viewer.send({"id": 1, **request})
        while "ok" not in (answer := viewer.next_json()):
            pass
        return answer.get("error", {}).get("code", "ok")

    assert ask(op="subscribe", to=["vehicle/*"]) == "ok"
    wait_until(lambda: time.time() > end, "the token to expire")
    requests_ = ({"op": "subscribe", "to": ["device/*"]},
                 {"op": "command", "device": "dev-2", "action": "BLINK"},
                 {"op": "cancel", "command_id": "cmd_1"})
    assert [ask(**r) for r in requests_] == ["token_expired"] * 3
    broker.publish("seano/USV-2/raw_log", "goes on")
    assert viewer.next_of("raw_log")["data"] == "goes on"
    assert ask(op="refresh", token=gateway.token("ben")) == "ok"
    assert [ask(**r) for r in requests_] == ["ok", "ok", "not_found"]
