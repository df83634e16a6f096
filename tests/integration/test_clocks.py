"""No clock, wrong or set right again, costs what is stored."""
import datetime

import pytest

from conftest import populate
from servers import Database, Gateway, Postgres
from waiting import wait_until

DAYS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'raw_logs'::regclass"
N_DAYS = 20


@pytest.fixture
def own_postgres(folder):
    """A cluster of the test's own, whose clock it may set."""
    folder.chmod(0o755)
    server = Postgres(folder / "pg")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_database(own_postgres, folder):
    """Twenty days of history, the last of them today's, as a gateway with the right time left it."""
    own_postgres.execute("postgres", "CREATE DATABASE clocks")
    made = Database(own_postgres, "clocks")
    Gateway(folder / "migrator", made).cli("migrate")
    made.rows("SELECT tidegate_make_partitions(current_date - %s, current_date)", N_DAYS - 1)
    made.rows("INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs) "
              "SELECT 1000 - i, now() - i * interval '1 day', now(), 1, 1, 'history' "
              f"FROM generate_series(0, {N_DAYS - 1}) i")
    return made


def history(database):
    return database.value("SELECT count(*) FROM raw_logs WHERE logs = 'history'")


def wait_held(gateway, reason):
    wait_until(lambda: f"retention_held reason={reason}" in gateway.log(), "a word in the log")
    assert gateway.metric("tidegate_retention_held") == 1
    assert gateway.get("/readyz").json()["notes"] == ["retention_held"]


@pytest.mark.parametrize("whose", ["gateway", "both"])
def test_a_start_with_a_clock_far_ahead_drops_nothing(make_gateway, own_postgres, own_database,
                                                      whose):
    if whose == "both":
        own_postgres.stop()
        own_postgres.clock = "+400d"
        own_postgres.start()
    gateway = make_gateway(database=own_database, broker=None, retention__raw_logs="30d")
    gateway.clock = "+400d"
    gateway.start()
    wait_held(gateway, "clock_disagrees" if whose == "gateway" else "clock_jumped")
    # The days ahead are made after it was judged what may go.
    ahead = datetime.date.today() + datetime.timedelta(days=400 if whose == "both" else 0)
    own_database.wait_for("SELECT to_regclass(%s) IS NOT NULL", True,
                          f"raw_logs_{ahead + datetime.timedelta(days=7):%Y%m%d}")
    assert history(own_database) == N_DAYS
    assert gateway.terminate() == 0

    own_postgres.stop()
    own_postgres.clock = None
    own_postgres.start()
    gateway.clock = None
    gateway.start()
    assert gateway.metric("tidegate_retention_held") == 0
    assert history(own_database) == N_DAYS


def test_what_a_clock_far_behind_stored_is_kept(make_gateway, database):
    gateway = make_gateway(broker=None, retention__ble_detections="90d")
    populate(gateway)
    gateway.clock = "-100d"
    gateway.start()
    item = {"device_hash": "ab" * 32, "rssi": -55}
    answer = gateway.post("/api/v1/detections/bulk", json={"detections": [item]},
                          headers={"Authorization": f"Bearer {gateway.ids['dev-1 token']}"})
    assert answer.status_code == 200
    stored = "SELECT count(*) FROM ble_detections WHERE received_at < now() - interval '99 days'"
    database.wait_for(stored, 1)
    wait_held(gateway, "clock_disagrees")
    assert gateway.terminate() == 0

    database.rows("SELECT tidegate_make_partitions('2020-01-01', '2020-01-01')")
    gateway.clock = None
    gateway.start()
    wait_until(lambda: database.value("SELECT to_regclass('ble_detections_20200101')") is None,
               "retention to have been at work")
    assert database.value(stored) == 1


def test_an_operator_who_keeps_less_gets_what_he_asks_for(make_gateway, own_database):
    gateway = make_gateway(database=own_database, broker=None, retention__raw_logs="30d")
    gateway.start()
    wait_until(lambda: own_database.value(DAYS) == N_DAYS + 7, "the days ahead")
    assert gateway.terminate() == 0
    gateway.write_conf(retention__raw_logs="7d")
    gateway.start()
    wait_until(lambda: history(own_database) == 8, "the last seven days and today to be left")
