"""The vessel extract, replayed through MQTT: the rows' sums, and the rows, against the file's."""
import collections
import csv
import gzip
import math
import pathlib
import re
import subprocess

import pytest

from servers import ROOT, SLOW, TIDEGATE
from waiting import PATIENCE

VESSELS = ROOT / "deploy/demo/vessels.csv.gz"


def recorded():
    with gzip.open(VESSELS, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text else None


@pytest.fixture
def simulate(gateway):
    def run(*args):
        done = subprocess.run([str(TIDEGATE), "simulate", "--config", str(gateway.conf), *args],
                              text=True, capture_output=True, env=gateway.environment(),
                              timeout=PATIENCE * SLOW * 2, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run


def test_the_vessel_extract(gateway, database, simulate, viewer):
    gateway.write_conf(time__oldest="3650d")  # it was recorded in 2022
    rows = recorded()
    database.rows("INSERT INTO vehicles (code, name, user_id) SELECT code, code, %s "
                  "FROM unnest(%s) AS code", gateway.ids["ana"],
                  sorted({row["mmsi"] for row in rows}))
    gateway.terminate()
    gateway.start()
    v = viewer("/api/ws", "ana")
    said = simulate("--replay", str(VESSELS), "--speed", "0")
    assert re.search(rf"published {len(rows)}\b", said), said
    database.wait_for("SELECT count(*) FROM vehicle_logs", len(rows))
    assert database.value("SELECT count(*) FROM dead_letters") == 0

    # sums
    [(n, latitude, longitude, speed, headings, heading)] = database.rows(
        "SELECT count(*), sum(latitude), sum(longitude), sum(speed), count(heading), sum(heading) "
        "FROM vehicle_logs")
    assert n == len(rows)
    assert math.isclose(latitude, math.fsum(float(r["latitude"]) for r in rows), rel_tol=1e-12)
    assert math.isclose(longitude, math.fsum(float(r["longitude"]) for r in rows), rel_tol=1e-12)
    assert math.isclose(speed, math.fsum(float(r["speed_knots"]) * 0.514444
                                         for r in rows if r["speed_knots"]), rel_tol=1e-9)
    known = [float(r["heading_deg"]) for r in rows if r["heading_deg"]]
    assert (headings, heading) == (len(known), sum(known))

    # rows, in order
    stored = database.rows(
        "SELECT v.code, l.time, l.latitude, l.longitude, l.heading FROM vehicle_logs l "
        "JOIN vehicles v ON v.id = l.vehicle_id ORDER BY l.seq")
    assert [(code, time.strftime("%Y-%m-%dT%H:%M:%SZ"), *rest) for code, time, *rest in stored] == \
        [(r["mmsi"], r["timestamp"], float(r["latitude"]), float(r["longitude"]),
          number(r["heading_deg"])) for r in rows]
    per_vessel = collections.Counter(row["mmsi"] for row in rows)
    assert dict(database.rows("SELECT v.code, count(*) FROM vehicle_logs l JOIN vehicles v "
                              "ON v.id = l.vehicle_id GROUP BY 1")) == per_vessel
    v.wait_for(lambda texts: len(texts) >= len(rows) + 1, "a frame of each row", PATIENCE * SLOW)


def test_the_invented_fleet_has_every_kind_and_nothing_is_refused(gateway, database, simulate):
    for n in range(1, 4):
        gateway.add_vehicle(f"sim-vehicle-{n:03}", "ana")
        gateway.add_device(f"sim-device-{n:03}", "ana")
    for code in ("sim-ems-01", "sim-cam-01"):
        gateway.add_device(code, "ana")
    gateway.terminate()
    gateway.start()
    simulate("--vehicles", "3", "--devices", "3", "--rate", "0", "--count", "6000", "--user",
             "ana")  # of which some ten are alerts
    database.wait_for("SELECT (SELECT count(*) FROM raw_logs) + (SELECT count(*) FROM telemetry) "
                      "+ (SELECT count(*) FROM sensor_logs) > 0", True)
    from waiting import wait_until
    wait_until(lambda: gateway.metric("tidegate_committed_total") >= 6000, "all to be stored",
               PATIENCE * SLOW)
    assert database.rows("SELECT reason, detail, topic FROM dead_letters") == []
    for table in ("raw_logs", "sensor_logs", "vehicle_logs", "ble_detections", "telemetry",
                  "camera_events", "alerts"):
        assert database.value(f"SELECT count(*) FROM {table}") > 0, table
    assert database.value("SELECT count(*) FROM device_states WHERE status = 'online'") > 0


def test_a_file_that_is_none_is_said(gateway, tmp_path):
    for name, content in (("empty.csv", ""), ("odd.csv", "a,b,c\n1,2,3\n")):
        path = pathlib.Path(tmp_path) / name
        path.write_text(content)
        done = gateway.cli("simulate", "--replay", str(path), check=False)
        assert done.returncode != 0 and name in done.stderr
