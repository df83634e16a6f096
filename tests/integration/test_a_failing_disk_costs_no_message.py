"""A journal that the disk fails, or that takes nothing while we are told to stop."""
import subprocess

import pytest

import commanding
from conftest import populate
from load import Publisher
from servers import ROOT
from waiting import PATIENCE, wait_until

TOPIC = "seano/USV-1/raw_log"


@pytest.fixture(scope="module")
def failing_disk(session_folder):
    """The library that lets the disk of a gateway fail while a file is there."""
    library = session_folder / "failing_disk.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library),
                    str(ROOT / "tests/integration/failing_disk.c"), "-ldl"], check=True)
    return library


@pytest.fixture
def frail(make_gateway, failing_disk):
    """frail(section__key=value) -> a gateway whose disk a test may let fail()."""
    def make(**settings):
        gateway = make_gateway(**settings)
        gateway.preload = [str(failing_disk)]
        gateway.extra_env = {"FAILING_DISK": str(gateway.folder / "fails")}
        populate(gateway)
        return gateway
    return make


def fail(gateway, *what):
    (gateway.folder / "fails").write_text("\n".join(what) + "\n", "ascii")


def mend(gateway):
    (gateway.folder / "fails").unlink()


def wait_ended(gateway):
    """By itself; the exit code."""
    code = gateway.process.wait(PATIENCE * 4)
    gateway.process = None
    return code


def assert_stored(database, n):
    database.wait_for("SELECT count(DISTINCT logs) FROM raw_logs", n)
    assert database.value("SELECT count(*) FROM raw_logs") == n


@pytest.mark.parametrize("fsync", ["5ms", "always"])
def test_a_sync_that_fails_ends_the_process_and_the_next_start_stores_all(frail, broker, database,
                                                                         fsync):
    gateway = frail(journal__fsync=fsync).start()
    publisher = Publisher(broker)
    for n in range(20):
        publisher.publish(TOPIC, f"load {n}")
    publisher.flush()
    assert_stored(database, 20)
    fail(gateway, "sync")
    for n in range(20, 60):
        publisher.publish(TOPIC, f"load {n}")
    publisher.flush()
    assert wait_ended(gateway) == 1
    assert "journal_failed at=sync" in gateway.log()
    assert "accounting_drift" not in gateway.log()
    publisher.close()

    mend(gateway)
    gateway.start()
    assert_stored(database, 60)


@pytest.mark.parametrize("what", ["read identity", "readdir"])
def test_a_journal_that_cannot_be_read_is_not_made_anew(frail, broker, database, what):
    gateway = frail().start()
    broker.publish(TOPIC, "load 0")
    assert_stored(database, 1)
    identity = (gateway.folder / "journal/identity").read_bytes()
    gateway.terminate()

    fail(gateway, what)
    gateway.start(wait=False)
    assert wait_ended(gateway) != 0
    assert f"failed=\"{what}\"" in gateway.log() or f"failed={what}" in gateway.log()
    assert (gateway.folder / "journal/identity").read_bytes() == identity
    mend(gateway)
    gateway.start()
    broker.publish(TOPIC, "load 1")
    assert_stored(database, 2)
    assert database.value("SELECT count(*) FROM journal_positions") == 1
    assert {oct(p.stat().st_mode & 0o777) for p in (gateway.folder / "journal").iterdir()} == {"0o600"}


def test_it_ends_in_time_while_the_journal_takes_nothing(frail, broker, database, viewer):
    gateway = frail(shutdown__grace="5s", journal__segment_bytes="64K")
    gateway.start()
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    # The library of the broker has two sessions from here on, and one lock.
    commanding.wait_for_state(database, commanding.command(gateway), "published")
    fail(gateway, "room")
    publisher = Publisher(broker)
    for n in range(20):
        publisher.publish(TOPIC, f"load {n} " + "x" * 15000)
    publisher.flush()
    wait_until(lambda: "mqtt_waiting" in gateway.log(), "the broker's thread to wait")

    assert gateway.terminate(timeout=PATIENCE * 2) == 0
    v.wait_closed()
    assert v.closed[0] == 4200
    assert "accounting_drift" not in gateway.log()
    publisher.close()
    mend(gateway)
    gateway.start()
    assert_stored(database, 20)


def test_it_says_that_it_waits_and_that_it_goes_on(frail, database):
    gateway = frail(journal__segment_bytes="64K").start()
    fail(gateway, "room")
    publisher = Publisher(gateway.broker)
    for n in range(20):
        publisher.publish(TOPIC, f"load {n} " + "x" * 15000)
    publisher.flush()
    wait_until(lambda: "mqtt_waiting" in gateway.log(), "it to say that it waits")
    mend(gateway)
    assert_stored(database, 20)
    publisher.close()
    assert gateway.log().count(" mqtt_waiting ") == gateway.log().count(" mqtt_goes_on") > 0
