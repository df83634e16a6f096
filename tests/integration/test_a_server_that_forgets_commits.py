"""PostgreSQL with synchronous_commit = off, and a crash of it: what it had answered for is gone."""
import os
import signal
import subprocess

import pytest

from conftest import populate
from servers import Database, Gateway, Postgres, suspend
from viewers import Viewer
from waiting import wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY seq"


@pytest.fixture
def forgetful(folder):
    """A cluster that answers a COMMIT before it is written, and for whose crash see forget()."""
    server = Postgres(folder / "forgetful")
    server.start()
    for setting in ("synchronous_commit = off", "wal_writer_delay = '10s'", "autovacuum = off",
                    "checkpoint_timeout = '1h'", "wal_buffers = '16MB'"):
        server.execute("postgres", f"ALTER SYSTEM SET {setting}")
    server.stop()
    server.start()
    server.execute("postgres", "CREATE DATABASE forgetful")
    made = Database(server, "forgetful")
    Gateway(folder / "migrator", made).cli("migrate")
    yield made
    server.stop()


def hold_back(database):
    """From here on nothing reaches the disk that need not: whoever writes WAL by itself stands."""
    database.rows("CHECKPOINT")
    suspend(*(pid for (pid,) in database.rows(
        "SELECT pid FROM pg_stat_activity WHERE backend_type IN"
        " ('walwriter', 'background writer', 'checkpointer')")))


def crash(database):
    """All of the server at once, as a power cut would: no process writes anything more."""
    server = database.postgres
    server.freeze()
    pids = server.backends()
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    server.process = None
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "the end of all")
    subprocess.run(["rm", "-f", str(server.data / "postmaster.pid")], check=True)


def publish(publisher, numbers):
    for n in numbers:
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()


def stored(database, n):
    database.wait_for("SELECT count(*) FROM raw_logs", n)
    assert [row[0] for row in database.rows(LOGS)] == [str(k) for k in range(n)]


def test_what_it_forgot_is_stored_again(make_gateway, forgetful, publisher):
    """Twice, by the same process, while messages come in; each once, in order, and shown once."""
    gateway = make_gateway(database=forgetful, journal__check="300ms")
    populate(gateway)
    gateway.start()
    viewer, n = Viewer(gateway, "/api/ws", gateway.token("ana")), 0
    for turn in (1, 2):
        publish(publisher, range(n, n + 50))
        stored(forgetful, n + 50)
        hold_back(forgetful)
        publish(publisher, range(n + 50, n + 150))
        if turn == 1:
            stored(forgetful, n + 150)
        else:  # with some of them under way
            wait_until(lambda: forgetful.value("SELECT count(*) FROM raw_logs") > n + 50, "some")
        crash(forgetful)
        publish(publisher, range(n + 150, n + 200))
        forgetful.postgres.start()
        stored(forgetful, n + 200)
        assert gateway.log().count("database_older position=") == turn  # or nothing was lost
        n += 200
    publish(publisher, range(n, n + 10))
    stored(forgetful, n + 10)
    viewer.wait_for(lambda frames: sum("raw_log" in f for f in frames) >= n + 10, "all of them")
    assert sum("raw_log" in f for f in viewer.frames) == n + 10
    viewer.close()
    assert gateway.process.poll() is None
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "nothing to be left")
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert gateway.cli("journal", "verify").returncode == 0


def test_a_device_that_it_forgot_is_registered_again(make_gateway, forgetful, publisher):
    """The ids that it gave out are another's by then."""
    gateway = make_gateway(database=forgetful, registry__auto_register="on")
    populate(gateway)
    gateway.start()
    publisher.publish("devices/old/status", '{"status":"online","rssi":-1}')
    publisher.flush()
    forgetful.wait_for("SELECT count(*) FROM device_status_logs", 1)
    hold_back(forgetful)
    publisher.publish("devices/new/status", '{"status":"online","rssi":-2}')
    publisher.flush()
    forgetful.wait_for("SELECT count(*) FROM device_status_logs", 2)
    crash(forgetful)
    forgetful.postgres.start()
    forgetful.rows("INSERT INTO devices (code) VALUES ('another')")
    publisher.publish("devices/new/status", '{"status":"offline","rssi":-3}')
    publisher.flush()
    forgetful.wait_for("SELECT count(*) FROM device_status_logs l JOIN devices d"
                       " ON d.id = l.device_id WHERE d.code = 'new'", 2)
    assert forgetful.value("SELECT count(*) FROM device_status_logs") == 3
    assert forgetful.value("SELECT count(*) FROM dead_letters") == 0
