"""What docs/migrate/import.md prints for history is run as it stands, from another database into the days of ours."""
import os
import re
import subprocess

import pytest

from servers import POSTGRES, ROOT

PAGE = (ROOT / "docs/migrate/import.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", PAGE, re.M | re.S))
EPOCH = "0000000000000001"

# As the vehicles' system has them, and as the others' are told of.
THEIRS = """
CREATE TABLE vehicle_logs (id serial, vehicle_id int, battery_voltage numeric(5, 2), battery_current numeric(6, 2), rssi int, mode text,
        latitude numeric(10, 8), longitude numeric(11, 8), heading numeric(5, 2), armed boolean, guided boolean, system_status text,
        speed numeric(6, 2), created_at timestamptz);
INSERT INTO vehicle_logs (vehicle_id, battery_voltage, latitude, longitude, mode, created_at)
SELECT CASE WHEN i = 9 THEN 77 ELSE 5 END, 12.4, -6.2, 106.8, 'AUTO, or "not"', '2024-01-31 22:30+00'::timestamptz + i / 2 * interval '1 hour'
FROM generate_series(0, 9) i;
CREATE TABLE sensor_logs (id serial, vehicle_id int, sensor_id int, data jsonb, created_at timestamptz);
INSERT INTO sensor_logs (vehicle_id, sensor_id, data, created_at) VALUES (5, 3, '{"temperature": 28.5}', '2023-06-01 00:00+07');
CREATE TABLE raw_logs (id serial, vehicle_id int, logs text, created_at timestamptz);
INSERT INTO raw_logs (vehicle_id, logs, created_at) VALUES (5, 'two
lines', '2024-02-01 00:00+00');
CREATE TABLE detections (id serial, device_id text, device_hash text, rssi float, timestamp timestamptz);
INSERT INTO detections (device_id, device_hash, rssi, timestamp)
SELECT 'pi-1', repeat('a', 64), r, '2024-02-01 10:00+00' FROM unnest('{-50,-70,-90}'::float[]) r;
CREATE TABLE telemetry (id serial, device_id text, payload json, timestamp timestamptz);
INSERT INTO telemetry (device_id, payload, timestamp) VALUES ('pi-1', '{"power":  1}', '2024-02-01 11:00+00');
CREATE TABLE face_events (id serial, camera_id text, event_type text, person_name text, confidence float, timestamp timestamptz);
INSERT INTO face_events (camera_id, event_type, person_name, confidence, timestamp)
VALUES ('pi-1', 'face_detected', 'Rini', 0.9, '2024-02-01 12:00+00');
"""
COUNTS = {"vehicle_logs": 9, "sensor_logs": 1, "raw_logs": 1, "ble_detections": 3, "telemetry": 1, "camera_events": 1}


@pytest.fixture
def moved(make_gateway, empty_database, database, folder):
    """A running gateway whose things the old rows name; moved(block) runs one of the page."""
    empty_database.rows(THEIRS)
    gateway = make_gateway()
    gateway.add_user("ana")
    database.rows("INSERT INTO vehicles (id, code, user_id) SELECT 5, 'USV-5', id FROM users")
    database.rows("INSERT INTO devices (id, code, user_id) SELECT 3, 'pi-1', id FROM users")
    gateway.start()

    def run(block):
        env = {**os.environ, "PATH": f"{POSTGRES}:{os.environ['PATH']}", "THEIRS": empty_database.url, "OURS": database.url}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", BLOCKS[block]], cwd=folder, env=env, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return gateway

    for block in ("dump", "load", "days", "rows"):
        run(block)
    run.gateway = gateway
    return run


def counts(database):
    return {table: database.value(f"SELECT count(*) FROM {table}") for table in COUNTS}


def test_history_is_in_the_days_that_it_is_of(moved, database):
    assert set(BLOCKS) == {"dump", "load", "days", "rows", "back", "shadow"}  # the last: test_moving_in
    assert counts(database) == COUNTS
    assert database.rows("SELECT tableoid::regclass::text, count(*) FROM vehicle_logs GROUP BY 1 ORDER BY 1") == [
        ("vehicle_logs_20240131", 4), ("vehicle_logs_20240201", 5)]
    assert database.value("SELECT tableoid::regclass::text FROM sensor_logs") == "sensor_logs_20230531"
    assert database.rows("SELECT zone FROM ble_detections ORDER BY rssi") == [("far",), ("medium",), ("near",)]
    assert database.value("SELECT payload::text FROM telemetry") == '{"power":  1}'
    assert database.value("SELECT count(*) FROM written_days WHERE written_on >= current_date - 1") >= 3


def test_pages_of_history_go_on_into_it(moved, database):
    gateway = moved.gateway
    gateway.broker.publish("seano/USV-5/vehicle_log", '{"battery_voltage":11.5}')
    database.wait_for("SELECT count(*) FROM vehicle_logs", COUNTS["vehicle_logs"] + 1)
    seen, cursor = [], ""
    while cursor is not None:
        page = gateway.get(f"/api/vehicles/5/logs?types=vehicle_log&limit=4{cursor and '&cursor='}{cursor}", user="ana").json()
        seen += page["items"]
        cursor = page["cursor"]
    assert len(seen) == COUNTS["vehicle_logs"] + 1
    assert [item["data"]["battery_voltage"] for item in seen] == [11.5] + [12.4] * COUNTS["vehicle_logs"]
    assert {item["cursor"].partition(":")[0] for item in seen[1:]} == {EPOCH}
    times = [item["timestamp"] for item in seen]
    assert times == sorted(times, reverse=True)
    assert gateway.get("/api/devices/3/telemetry?from=2024-02-01T00:00:00Z", user="ana").json()["items"][0]["data"] == {"power": 1}


def test_it_disturbs_neither_the_books_nor_what_a_restart_begins_with(moved, database):
    gateway = moved.gateway
    gateway.broker.publish("seano/USV-5/vehicle_log", '{"battery_voltage":11.5}')
    database.wait_for("SELECT count(*) FROM vehicle_logs", COUNTS["vehicle_logs"] + 1)
    gateway.terminate()
    gateway.start()
    gateway.broker.publish("seano/USV-5/vehicle_log", '{"battery_voltage":11.4}')
    database.wait_for("SELECT count(*) FROM vehicle_logs", COUNTS["vehicle_logs"] + 2)
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert gateway.get("/readyz").status_code == 200
    assert database.value("SELECT count(*) FROM journal_differences") == 0


def test_statistics_know_of_it_and_of_its_going(moved, database):
    """Though the days that it is of may have been counted before it came, or while it was there."""
    database.rows("SELECT tidegate_watch_detections('2024-02-01')")
    ask = "/api/v1/statistics/range?start_time=2024-01-01T00:00:00Z&end_time=2024-03-01T00:00:00Z"

    def heard():
        return moved.gateway.get(ask, user="ana").json()["total"]["total_detections"]

    for block, n in (("back", 0), ("rows", 3), ("back", 0)):
        assert database.value("SELECT tidegate_count_detections('2024-02-01')") == 3 - n
        moved(block)
        assert heard() == n


def test_it_can_be_taken_back(moved, database):
    moved("back")
    assert counts(database) == dict.fromkeys(COUNTS, 0)
    database.rows("DROP SCHEMA theirs CASCADE")
