"""The page of the vehicles (dialect D), whole: what its hooks ask, in their shapes, by everybody's rights."""
import datetime
import json

import jwt
import pytest
import requests

from conftest import populate
from waiting import PATIENCE, wait_until

VEHICLE = ["id", "code", "name", "description", "status", "user_id", "created_at", "updated_at"]
LOG = ["vehicle_id", "battery_voltage", "battery_current", "rssi", "mode", "latitude", "longitude",
       "heading", "armed", "guided", "system_status", "speed", "id", "created_at"]
SENSOR_LOG = ["vehicle_id", "sensor_id", "data", "id", "created_at"]
RAW_LOG = ["vehicle_id", "logs", "id", "created_at"]
SENSOR = ["id", "vehicle_id", "sensor_id", "sensor_code", "sensor_name", "sensor_type_name",
          "last_seen_at", "is_installed", "installed_at", "removed_at"]
STATUS = ["vehicle_id", "vehicle_code", "sensor_id", "sensor_code", "sensor_name", "status",
          "last_seen_at", "last_seen_seconds_ago"]


def test_lists_without_pages_are_as_long_as_is_configured(make_gateway):
    gateway = make_gateway(pages__max_items=3)
    populate(gateway)
    for n in range(3):
        gateway.add_vehicle(f"MORE-{n}", "ana")
    gateway.start()
    assert [v["code"] for v in gateway.get("/vehicles/", "root").json()] == ["USV-1", "USV-2", "MORE-0"]
    assert [d["device_id"] for d in gateway.get("/api/v1/devices/", "root").json()] == ["dev-2", "dev-1"]


def test_lists_that_are_whole_are_paged_by_who_asks_so(make_gateway, broker, database):
    """Else a page that asks for the next part sees the first one for ever."""
    gateway = make_gateway(pages__max_items=3)
    populate(gateway)
    for n in range(3):
        gateway.add_vehicle(f"MORE-{n}", "ana")
        gateway.add_device(f"more-{n}", "ana")
    gateway.start()
    for device in ("dev-1", "dev-2", "more-0", "more-1", "more-2"):
        broker.publish(f"devices/{device}/status", '{"status":"online"}')
    for sensor in range(5):
        broker.publish("seano/USV-1/sensor_log", json.dumps({"sensor_id": sensor, "data": {"n": 1}}))
    database.wait_for("SELECT count(*) FROM device_states", 5)
    database.wait_for("SELECT count(*) FROM sensor_logs", 5)
    for path, name in (("/vehicles", "code"), ("/vehicles/batteries", "code"), ("/api/v1/devices", "device_id"), ("/api/v1/devices/active", "device_id"),
                       ("/vehicles/1/sensors", "sensor_id"), ("/vehicles/1/sensors/status", "sensor_id"), ("/sensors/status", "sensor_id")):
        def ask(query, p=path, n=name):
            answer = gateway.get(f"{p}/?{query}", "root")
            assert answer.status_code == 200, (p, query, answer.text)
            return [one[n] for one in answer.json()]
        whole = ask("") + ask("skip=3")
        assert len(whole) == len(set(whole)) == 5 and len(ask("")) == 3, path
        assert ask("limit=2") == whole[:2] and ask("skip=1&limit=2") == ask("offset=1&limit=2") == whole[1:3], path
        assert ask("limit=1000") == ask("limit=1000000&offset=0") == whole[:3], path  # never more than is configured
        assert ask("limit=0") == ask("offset=5") == ask("skip=1000000") == [], path
        for bad in ("limit=-1", "limit=x", "limit=1000001", "skip=-1", "offset=x"):
            assert gateway.get(f"{path}?{bad}", "root").status_code == 422, (path, bad)


@pytest.fixture
def fleet(make_gateway, broker, database):
    """USV-1 (ana's) and USV-2 (ben's) have told something of each kind; USV-3 (ana's) is silent."""
    gateway = make_gateway()
    populate(gateway)
    gateway.ids["USV-3"] = gateway.add_vehicle("USV-3", "ana", "--name", "Third")
    gateway.start()
    for code, n in (("USV-1", 5), ("USV-2", 2)):
        for i in range(n):
            broker.publish(f"seano/{code}/vehicle_log", json.dumps({
                "battery_voltage": f"{12 + i / 10}", "rssi": -40 - i, "mode": f"{code} {i}",
                "latitude": -6.2, "longitude": 106.8, "armed": i == n - 1, "altitude": 3}))
            broker.publish(f"seano/{code}/sensor_log", json.dumps(
                {"sensor_id": 5 + i % 2, "data": {"of": code, "t": i}}))
            broker.publish(f"seano/{code}/raw_log", f"{code} says {i}")
    for table in ("vehicle_logs", "sensor_logs", "raw_logs"):
        database.wait_for(f"SELECT count(*) FROM {table}", 7)
    return gateway


def ids_of(database, table, more=""):
    return [r[0] for r in database.rows(f"SELECT l.seq FROM {table} l JOIN vehicles v ON v.id = "
                                        f"l.vehicle_id WHERE v.code = 'USV-1' {more} ORDER BY seq DESC")]


def test_the_list_of_vehicles(fleet, database):
    for path in ("/vehicles/", "/vehicles"):
        mine = fleet.get(path, "ana")
        assert mine.status_code == 200 and mine.headers["Cache-Control"] == "no-store"
    mine = mine.json()
    assert [v["code"] for v in mine] == ["USV-1", "USV-3"]
    assert all(list(v) == VEHICLE for v in mine)
    assert mine[1] == {**mine[1], "id": fleet.ids["USV-3"], "name": "Third", "description": None,
                       "status": "offline", "user_id": fleet.ids["ana"]}
    assert (mine[0]["name"], mine[0]["status"]) == ("USV-1", "on_mission")
    created = database.value("SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\""
                             "HH24:MI:SS.MS\"Z\"') FROM vehicles WHERE code = 'USV-1'")
    assert mine[0]["created_at"] == created
    assert [v["code"] for v in fleet.get("/vehicles/", "root").json()] == ["USV-1", "USV-2",
                                                                          "USV-3"]
    for name in (fleet.ids["USV-1"], "USV-1"):
        assert fleet.get(f"/vehicles/{name}", "ana").json() == mine[0]
    for other in (fleet.ids["USV-2"], "USV-2", 4711, "x", "-1", "9" * 30, "%27"):
        answer = fleet.get(f"/vehicles/{other}", "ana")
        assert (answer.status_code, answer.json()["detail"]) == (404, "Vehicle not found"), other
    assert fleet.get("/vehicles/").status_code == 401


def test_what_a_vehicle_does_follows_its_logs(fleet, broker):
    def status():
        return fleet.get(f"/vehicles/{fleet.ids['USV-1']}", "ana").json()["status"]
    broker.publish("seano/USV-1/vehicle_log", '{"armed":false}')
    wait_until(lambda: status() == "idle", "it to be disarmed")
    broker.publish("seano/USV-3/raw_log", "awake")
    wait_until(lambda: fleet.get("/vehicles/USV-3", "ana").json()["status"] == "idle",
               "whatever it says to be heard")


def test_what_is_not_there_is_called_as_the_page_shows_it(fleet):
    """Whether there is none, or it is another's; whether the id is a number or not."""
    for kind in ("vehicle-logs", "sensor-logs", "raw-logs"):
        theirs = fleet.get(f"/{kind}/", "ben").json()[0]["id"]
        for log in (theirs, 1, 2 ** 62, 2 ** 80, "abc", -1):
            answer = fleet.get(f"/{kind}/{log}", "ana")
            assert (answer.status_code, answer.json()["detail"]) == (404, "Log not found"), (kind, log)
        assert fleet.get(f"/{kind}/{theirs}", "ben").json()["id"] == theirs
    for vehicle in (fleet.ids["USV-3"], fleet.ids["USV-2"], 4711, "nope"):  # silent, another's, none
        answer = fleet.get(f"/vehicle-logs/latest/{vehicle}", "ana")
        assert (answer.status_code, answer.json()["detail"]) == (404, "No logs found for this vehicle"), vehicle


@pytest.mark.parametrize("path, table, shape", [
    ("/vehicle-logs", "vehicle_logs", LOG), ("/sensor-logs", "sensor_logs", SENSOR_LOG),
    ("/raw-logs", "raw_logs", RAW_LOG)])
def test_the_lists_of_logs(fleet, database, path, table, shape):
    def ask(query="", user="ana"):
        answer = fleet.get(f"{path}/{query}", user)
        assert answer.status_code == 200, answer.text
        assert all(list(row) == shape for row in answer.json())
        return answer.json()

    mine = ask()
    assert [r["id"] for r in mine] == ids_of(database, table) and len(mine) == 5
    assert {r["vehicle_id"] for r in mine} == {fleet.ids["USV-1"]}
    assert [r["id"] for r in ask("?limit=2")] == [r["id"] for r in mine[:2]]
    assert ask("?limit=0") == []
    # who pages sees each once, by either name
    for user, whole in (("ana", mine), ("root", ask(user="root"))):
        for name in ("offset", "skip"):
            pages = [ask(f"?limit=2&{name}={n}", user) for n in (0, 2, 4, 6)]
            assert [r for page in pages for r in page] == whole, (user, name)
        assert ask("?offset=10000", user) == []
    assert ask(f"?vehicle_id={fleet.ids['USV-1']}&offset=3") == mine[3:]
    one = fleet.ids["USV-1"]
    assert ask(f"?vehicle_id={one}") == ask("?vehicle_id=0") == mine == ask(f"?vehicle_id={one}",
                                                                           "root")
    assert len(ask(user="root")) == 7 and len(ask(user="ben")) == 2
    # another's, or none: there is nothing
    for other in (fleet.ids["USV-2"], 4711, 2 ** 62):
        assert ask(f"?vehicle_id={other}") == []
    # both ends of a time count
    at = mine[2]["created_at"]
    assert [r["id"] for r in ask(f"?start={at}")] == [r["id"] for r in mine if r["created_at"] >= at]
    assert [r["id"] for r in ask(f"?end={at}")] == [r["id"] for r in mine if r["created_at"] <= at]
    assert mine[2] in ask(f"?start={at}&end={at}")
    for name in ("start", "end"):
        assert ask(f"?{name}_time={at}") == ask(f"?{name}={at}")
    assert ask("?end=2001-01-01T00:00:00%2B07:00") == ask("?start=2100-01-01") == []
    for bad, status in (("?vehicle_id=x", 422), ("?vehicle_id=-1", 422), ("?vehicle_id=1.5", 422),
                        ("?limit=1001", 422), ("?limit=-1", 422), ("?start=soon", 400),
                        ("?offset=10001", 422), ("?skip=-1", 422), ("?offset=x", 422), ("?end_time=soon", 400),
                        ("?vehicle_id=99999999999999999999", 422), ("?vehicle_id=1%20OR%201", 422),
                        ("?end=%00", 400)):
        assert fleet.get(f"{path}/{bad}", "ana").status_code == status, bad

    # one by its number
    assert fleet.get(f"{path}/{mine[0]['id']}", "ana").json() == mine[0]
    assert fleet.get(f"{path}/{mine[0]['id']}", "root").json() == mine[0]
    for id_, user in ((mine[0]["id"], "ben"), (1, "ana"), ("x", "ana"), ("9" * 40, "ana")):
        assert fleet.get(f"{path}/{id_}", user).status_code == 404
    assert fleet.get(f"{path}/").status_code == fleet.get(f"{path}/1").status_code == 401


def test_what_is_known_of_batteries(fleet, broker):
    assert fleet.get("/vehicles/batteries", "ana").json() == fleet.get("/vehicles/", "ana").json()
    [newest] = fleet.get("/vehicle-logs/?limit=1", "ana").json()
    assert fleet.get("/vehicles/USV-1/battery", "ana").json() == {
        "id": newest["id"], "vehicle_id": fleet.ids["USV-1"], "percentage": None, "voltage": 12.4, "current": None,
        "status": None, "temperature": None, "created_at": newest["created_at"]}
    for other in (fleet.ids["USV-2"], fleet.ids["USV-3"], 4711):
        assert fleet.get(f"/vehicles/{other}/battery", "ana").status_code == 404
    assert fleet.get("/vehicles/batteries").status_code == fleet.get("/vehicles/1/battery").status_code == 401
    for n, (said, wanted) in enumerate((('"battery_percentage":85.5', 85.5), ('"battery_percentage":" 100.0 "', 100), ('"battery_remaining":7', 7),
                                        ('"battery_percentage":0,"battery_remaining":9', 0))):
        broker.publish("seano/USV-3/vehicle_log", f'{{"speed":{n},{said}}}')
        wait_until(lambda: fleet.get("/vehicles/USV-3/battery", "ana").json().get("percentage") == wanted, said)
    for n, odd in enumerate(("-1", "100.1", '"half"', "null", "[7]", '"1e2"', "1e400", '"٣"')):
        broker.publish("seano/USV-3/vehicle_log", f'{{"battery_voltage":{n + 1},"battery_percentage":{odd}}}')
        wait_until(lambda: fleet.get("/vehicles/USV-3/battery", "ana").json()["voltage"] == n + 1, odd)
        assert fleet.get("/vehicles/USV-3/battery", "ana").json()["percentage"] is None, odd


def test_what_a_log_says(fleet, database):
    newest = fleet.get("/vehicle-logs/?limit=1", "ana").json()[0]
    assert {k: v for k, v in newest.items() if k not in ("id", "created_at")} == {
        "vehicle_id": fleet.ids["USV-1"], "battery_voltage": 12.4, "battery_current": None,
        "rssi": -44, "mode": "USV-1 4", "latitude": -6.2, "longitude": 106.8, "heading": None,
        "armed": True, "guided": None, "system_status": None, "speed": None}
    received = database.value("SELECT received_at FROM vehicle_logs WHERE seq = %s", newest["id"])
    shown = datetime.datetime.fromisoformat(newest["created_at"].replace("Z", "+00:00"))
    assert abs(received - shown) < datetime.timedelta(milliseconds=1)
    for name in (fleet.ids["USV-1"], "USV-1"):
        assert fleet.get(f"/vehicle-logs/latest/{name}", "ana").json() == newest
    for other in (fleet.ids["USV-2"], fleet.ids["USV-3"], 4711):
        answer = fleet.get(f"/vehicle-logs/latest/{other}", "ana")
        assert answer.status_code == 404, answer.text
    assert fleet.get("/raw-logs/", "ana").json()[0]["logs"] == "USV-1 says 4"
    assert fleet.get("/sensor-logs/", "ana").json()[0]["data"] == {"of": "USV-1", "t": 4}
    assert [r["data"]["t"] for r in fleet.get("/sensor-logs/?sensor_id=6", "ana").json()] == [3, 1]
    assert fleet.get("/sensor-logs/?sensor_id=0", "ana").json() == []
    assert fleet.get("/sensor-logs/?sensor_id=x", "ana").status_code == 422


def test_times_are_written_in_the_zone_of_the_pages(make_gateway, broker, database):
    gateway = make_gateway(pages__timezone="Asia/Jakarta")
    populate(gateway)
    gateway.start()
    broker.publish("seano/USV-1/raw_log", "here")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    [row] = gateway.get("/raw-logs/", "ana").json()
    assert row["created_at"].endswith("+07:00")
    plain = row["created_at"][:-6]  # as a page there asks
    assert gateway.get(f"/raw-logs/?start={plain}&end={plain}", "ana").json() == [row]


def test_sensors_and_whether_they_are_heard(fleet, database):
    one = fleet.ids["USV-1"]
    sensors = fleet.get(f"/vehicles/{one}/sensors", "ana").json()
    assert all(list(s) == SENSOR for s in sensors)
    assert [(s["sensor_id"], s["is_installed"]) for s in sensors] == [(5, True), (6, True)]
    status = fleet.get(f"/vehicles/{one}/sensors/status", "ana").json()
    assert all(list(s) == STATUS for s in status)
    assert [(s["sensor_id"], s["vehicle_code"], s["status"]) for s in status] == [
        (5, "USV-1", "connected"), (6, "USV-1", "connected")]
    assert 0 <= status[0]["last_seen_seconds_ago"] <= 30
    assert [s["last_seen_at"] for s in status] == [s["last_seen_at"] for s in sensors]
    assert {s["vehicle_code"] for s in fleet.get("/sensors/status", "ana").json()} == {"USV-1"}
    assert len(fleet.get("/sensors/status", "root").json()) == 4
    database.rows("UPDATE sensor_logs SET received_at = received_at - interval '1 min' "
                  "WHERE sensor_id = 5")
    assert [s["status"] for s in fleet.get("/sensors/status", "ana").json()] == [
        "disconnected", "connected"]
    for path in ("sensors", "sensors/status"):
        assert fleet.get(f"/vehicles/{fleet.ids['USV-3']}/{path}", "ana").json() == []
        assert fleet.get(f"/vehicles/{fleet.ids['USV-2']}/{path}", "ana").status_code == 404


def test_the_counts_of_raw_logs(fleet, database):
    def ask(user):
        return fleet.get("/raw-logs/stats", user).json()
    rows = database.rows("SELECT count(*), sum(octet_length(logs)) FROM raw_logs l JOIN vehicles v "
                         "ON v.id = l.vehicle_id WHERE v.code = 'USV-1'")
    today = database.value("SELECT count(*) FROM raw_logs l JOIN vehicles v ON v.id = l.vehicle_id WHERE "
                           "v.code = 'USV-1' AND (received_at AT TIME ZONE 'UTC')::date = "
                           "(now() AT TIME ZONE 'UTC')::date")
    assert ask("ana") == {"total_records": rows[0][0], "total_size": rows[0][1],
                          "last_sync": fleet.get("/raw-logs/?limit=1", "ana").json()[0]["created_at"],
                          "quality_percentage": 100, "weekly_growth": 0, "today_records": today}
    assert (ask("ben")["total_records"], ask("root")["total_records"]) == (2, 7)
    database.rows("DELETE FROM raw_logs")
    assert ask("root") == {"total_records": 0, "total_size": 0, "last_sync": None,
                           "quality_percentage": 0, "today_records": 0, "weekly_growth": 0}


def test_the_alerts_of_a_vehicle(fleet, broker, database):
    for n, code in enumerate(("USV-1", "USV-2", "USV-1")):
        broker.publish(f"seano/{code}/alert", json.dumps(
            {"severity": "critical", "alert_type": "GPS", "message": f"lost {n}", "source": "fc"}))
    database.wait_for("SELECT count(*) FROM alerts", 3)
    alerts = fleet.get(f"/vehicles/{fleet.ids['USV-1']}/alerts?limit=10", "ana").json()
    assert all(list(a) == ["id", "vehicle_id", "severity", "alert_type", "message", "source",
                           "latitude", "longitude", "acknowledged", "created_at"] for a in alerts)
    assert [a["message"] for a in alerts] == ["lost 2", "lost 0"]
    assert (alerts[0]["severity"], alerts[0]["alert_type"], alerts[0]["source"]) == (
        "critical", "GPS", "fc")
    assert len(fleet.get("/vehicles/USV-1/alerts?limit=1", "root").json()) == 1
    assert fleet.get("/vehicles/USV-1/alerts?skip=1", "ana").json() == alerts[1:]
    assert fleet.get("/vehicles/USV-1/alerts?offset=10001", "ana").status_code == 422
    assert fleet.get("/vehicles/USV-2/alerts", "ana").status_code == 404
    assert fleet.get("/vehicles/USV-1/alerts?limit=x", "ana").status_code == 422


def test_the_state_of_the_broker(fleet, broker):
    for path in ("/api/mqtt/status", "/mqtt/status"):
        assert fleet.get(path, "ana").json() == {"status": "running", "connected": True}
        assert fleet.get(path).status_code == 401
    broker.stop()
    wait_until(lambda: fleet.get("/mqtt/status", "ana").json() == {"status": "stopped",
                                                                  "connected": False}, "it to show")


def test_what_its_page_reads_without_a_sign_in_is_a_key(make_gateway, broker, database):
    gateway = make_gateway(auth__anonymous="/vehicles*, /raw-logs*, /vehicle-logs*, /mqtt/status")
    populate(gateway)
    gateway.start()
    broker.publish("seano/USV-2/raw_log", "for all")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    assert [v["code"] for v in gateway.get("/vehicles/").json()] == ["USV-1", "USV-2"]
    assert [r["logs"] for r in gateway.get("/raw-logs/").json()] == ["for all"]
    assert gateway.get("/vehicle-logs/?limit=5").json() == []
    assert gateway.get("/sensor-logs/").status_code == 401
    assert [v["code"] for v in gateway.get("/vehicles/", "ana").json()] == ["USV-1"]


def log_in(gateway, email, password):
    return gateway.post("/auth/login", json={"email": email, "password": password})


def test_its_page_signs_in_and_stays_signed_in(fleet):
    answer = log_in(fleet, "ana", "correct horse battery")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert list(body) == ["user", "access_token", "token_type", "refresh_token"]
    assert body["token_type"] == "bearer"
    user = {"email": "ana", "full_name": None, "id": fleet.ids["ana"], "is_verified": True,
            "created_at": None, "updated_at": None}
    assert body["user"] == user
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    assert fleet.get("/auth/me", headers=bearer).json() == user
    again = fleet.post("/auth/refresh", headers=bearer)
    assert list(again.json()) == list(body) and again.json()["user"] == user
    claims = jwt.decode(again.json()["access_token"], options={"verify_signature": False})
    assert claims["tidegate_uid"] == fleet.ids["ana"]
    assert fleet.post("/auth/logout", headers=bearer).json() == {
        "message": "Successfully logged out"}
    assert fleet.get("/auth/me").status_code == fleet.post("/auth/refresh").status_code == 401
    assert fleet.post("/auth/refresh", headers={
        "Authorization": f"Bearer {fleet.token('ana')}"}).status_code == 403


def renew(gateway, body, bearer=None):
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return gateway.post("/auth/refresh", headers=headers, **({"data": body} if isinstance(body, bytes) else {"json": body}))


def test_a_page_that_says_its_token_in_the_body_stays_signed_in(fleet):
    body = log_in(fleet, "ana", "correct horse battery").json()
    assert body["refresh_token"] == body["access_token"]  # one kind of token, and one life
    answer = renew(fleet, {"refresh_token": body["refresh_token"]})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    again = answer.json()
    assert list(again) == list(body) and again["user"] == body["user"]
    assert fleet.get("/auth/me", headers={"Authorization": f"Bearer {again['access_token']}"}).json() == body["user"]
    # and so does one that goes on with what came of it; where there is a header, that counts
    assert renew(fleet, {"refresh_token": again["refresh_token"]}).status_code == 200
    assert renew(fleet, {"refresh_token": "of theirs"}, again["access_token"]).status_code == 200
    assert renew(fleet, {"refresh_token": again["refresh_token"]}, "nonsense").status_code == 401
    # of a token that was not signed in for nothing comes, wherever it stands
    assert renew(fleet, {"refresh_token": fleet.token("ana")}).json()["code"] == "not_renewable"


def test_what_is_no_token_in_the_body_is_refused(fleet):
    token = log_in(fleet, "ana", "correct horse battery").json()["refresh_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    over = jwt.encode({**claims, "exp": 1}, fleet.secret, "HS256")
    for body, code in (({"refresh_token": over}, "token_expired"), ({"refresh_token": "a.b.c"}, "unauthorized"),
                       ({"refresh_token": ""}, "unauthorized"), ({"refresh_token": [token]}, "unauthorized"),
                       ({"refresh_token": "x" * 9000}, "unauthorized"), ({"token": token}, "unauthorized"),
                       ([token], "unauthorized"), (b"", "unauthorized"), (b"{", "unauthorized"), (b"\xff", "unauthorized")):
        answer = renew(fleet, body)
        assert (answer.status_code, answer.json()["code"]) == (401, code), body


def test_what_ends_a_token_ends_it_in_the_body_too(fleet):
    token = log_in(fleet, "ana", "correct horse battery").json()["refresh_token"]
    fleet.cli("user", "revoke", "ana")
    wait_until(lambda: renew(fleet, {"refresh_token": token}).status_code == 401, "it to have ended")


def test_who_guesses_tokens_in_the_body_is_put_off(make_gateway):
    gateway = make_gateway(auth__token_failures_per_minute=5)
    populate(gateway)
    gateway.start()
    token = log_in(gateway, "ana", "correct horse battery").json()["refresh_token"]
    answers = [renew(gateway, {"refresh_token": f"a.b.{n}"}) for n in range(12)]
    assert {a.status_code for a in answers} == {401, 429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert renew(gateway, {"refresh_token": token}).status_code == 200  # a good one is never held up


def test_where_nothing_is_renewed_no_page_is_told_that_it_could(make_gateway):
    gateway = make_gateway(auth__session_max="0")
    populate(gateway)
    gateway.start()
    body = log_in(gateway, "ana", "correct horse battery").json()
    assert list(body) == ["user", "access_token", "token_type"]
    assert renew(gateway, {"refresh_token": body["access_token"]}).json()["code"] == "not_renewable"


def test_a_sign_in_that_is_wrong_is_told(fleet):
    wrong = log_in(fleet, "ana", "wrong horse battery")
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "Incorrect username or password.")
    assert log_in(fleet, "nobody", "correct horse battery").status_code == 401
    for body in (b"", b"{", b"[]", b'"x"', b'{"email":"ana"}', b'{"email":1,"password":"x"}',
                 b'{"email":"a\\u0000na","password":"correct horse battery"}', b"\xff",
                 json.dumps({"email": "a" * 5000, "password": "x"}).encode(),
                 json.dumps({"email": "ana", "password": "x" * 5000}).encode(), b"[" * 5000):
        answer = fleet.post("/auth/login", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, body[:40]
    assert fleet.post("/auth/login", data={"email": "ana"}).status_code == 415


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/users/", 404), ("POST", "/users/", 404), ("DELETE", "/users/1", 404),
    ("GET", "/roles/", 404), ("POST", "/permissions/assign-to-role", 404),
    ("POST", "/vehicles/", 405), ("PUT", "/vehicles/1", 405), ("DELETE", "/vehicles/1", 405),
    ("POST", "/vehicles/1/sensors", 405), ("POST", "/sensors/", 404), ("GET", "/sensor-types/", 404),
    ("POST", "/raw-logs/", 405), ("DELETE", "/vehicle-logs/1", 405), ("POST", "/points/", 404),
    ("POST", "/auth/register", 404), ("POST", "/api/mqtt/stop", 404), ("GET", "/missions", 404),
    ("GET", "/api/missions/3", 404), ("PUT", "/missions/3/progress", 404), ("GET", "/ws/logs", 404),
    ("GET", "/ws/alerts", 404), ("GET", "/ws/missions", 404)])
def test_administration_is_elsewhere(shared_gateway, method, path, status):
    for body in (None, {"name": "x"}):
        answer = requests.request(method, shared_gateway.url + path, json=body, timeout=PATIENCE)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "docs/migrate/vehicles.md" in answer.json()["detail"]
        assert answer.json()["code"] == "administration"


@pytest.mark.parametrize("path", ["/ws/logs", "/ws/alerts", "/ws/missions?token=x", "/socket.io/"])
def test_a_socket_that_is_not_here_is_told_where_to_read(shared_gateway, path):
    answer = requests.get(shared_gateway.url + path, timeout=PATIENCE, headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
    assert answer.status_code == 404
    assert (answer.json()["code"], answer.json()["detail"]) == (
        "not_found", "no WebSocket at this path: see docs/migrate/README.md")
