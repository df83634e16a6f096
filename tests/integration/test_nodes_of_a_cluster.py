"""Gateways say that they are there, and a name that somebody chose is one process's."""
import contextlib
import json
import os
import signal

import psycopg2
import pytest

from conftest import populate
from test_everybody_gets_a_turn import locked, waits_for
from waiting import PATIENCE, wait_until

NODES = "SELECT node, draining FROM nodes ORDER BY node"


def wait_for_nodes(database, *names):
    wait_until(lambda: [row[0] for row in database.rows(NODES)] == list(names), f"nodes {names}")


def test_a_gateway_that_nobody_named_is_there_while_it_runs(make_gateway, database):
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    wait_for_nodes(database, f"{os.uname().nodename}:{gateway.folder / 'journal'}")
    row = database.rows("SELECT n.cluster, n.host, n.pid, n.schema, n.slot, n.waiting, s.slot FROM nodes n"
                        " JOIN slots s USING (instance)")
    schema = database.value("SELECT max(number) FROM schema_migrations")
    assert row == [("tidegate", os.uname().nodename, gateway.pid, schema, 0, 0, 0)]
    assert gateway.terminate() == 0
    assert not database.rows(NODES)


def test_a_killed_one_stays_and_has_its_name_again(make_gateway, database):
    gateway = make_gateway(cluster__node="n1", cluster__lease="1h", cluster__advertise="http://10.0.0.1:8000")
    populate(gateway)
    gateway.start()
    wait_for_nodes(database, "n1")
    assert database.value("SELECT advertise FROM nodes") == "http://10.0.0.1:8000"
    gateway.kill()
    assert database.rows(NODES) == [("n1", False)]
    gateway.start()  # the lease is an hour: it is not waited for
    wait_until(lambda: database.value("SELECT pid FROM nodes") == gateway.pid, "its name to be its own")


def test_a_second_one_with_the_name_is_refused(make_gateway, database):
    first, second = (make_gateway(cluster__node="n1", cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    wait_for_nodes(database, "n1")
    second.start(wait=False)
    assert second.process.wait(PATIENCE) == 1
    second.process = None
    assert f"node_taken cluster=tidegate node=n1 holder={os.uname().nodename}:{first.pid} " in second.log()
    assert database.value("SELECT pid FROM nodes") == first.pid
    assert first.process.poll() is None
    first.wait_ready()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_gone_gives_its_name_up_after_its_lease(make_gateway, database, end):
    """And finds so, if it was only stopped."""
    first, second = (make_gateway(cluster__node="n1", cluster__lease="2s", cluster__slot=slot, mqtt__url=None)
                     for slot in (0, 1))
    populate(first)
    first.start()
    wait_for_nodes(database, "n1")
    first.process.send_signal(end)
    second.start()
    wait_until(lambda: database.value("SELECT pid FROM nodes") == second.pid, "the name to go over")
    assert "node_name_waited_for" in second.log()
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(PATIENCE) != 0
    first.process = None
    assert ("node_taken" in first.log()) == (end == signal.SIGSTOP)
    second.wait_ready()
    assert database.value("SELECT pid FROM nodes") == second.pid


def test_who_drains_says_so(make_gateway, database):
    """It has not been able to store what it has."""
    gateway = make_gateway(cluster__node="n1", cluster__lease="2s", shutdown__grace="20s")
    populate(gateway)
    gateway.start()
    wait_for_nodes(database, "n1")
    with contextlib.closing(psycopg2.connect(database.url)) as operator:
        operator.cursor().execute("LOCK journal_positions IN SHARE MODE")
        gateway.broker.publish("seano/USV-1/raw_log", "1")
        wait_until(lambda: gateway.metric("tidegate_in_journal") == 1, "the journal to have it")
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: database.rows(NODES) == [("n1", True)], "it to say so")
        assert database.value("SELECT waiting FROM nodes") == 1
    assert gateway.process.wait(PATIENCE) == 0
    gateway.process = None
    assert not database.rows(NODES)


def status(gateway, code):
    done = gateway.cli("cluster", "status", "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_status_says_who_is_there_and_who_stores(make_gateway, database, publisher):
    first, second = (make_gateway(cluster__node=name, cluster__lease="2s") for name in ("n1", "n2"))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_for_nodes(database, "n1", "n2")
    publisher.publish("seano/USV-1/raw_log", "1")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)

    said = status(second, 0)
    assert [(n["node"], n["state"], n["slot"], n["pid"], n["waiting"]) for n in said["nodes"]] \
        == [("n1", "live", 0, first.pid, 0), ("n2", "live", 0, second.pid, 0)]
    [slot] = said["slots"]
    assert (slot["slot"], slot["state"], slot["node"], slot["fence"]) == (0, "held", "n1", 1)
    assert slot["stored"] == database.value("SELECT max(seq) FROM raw_logs")
    assert not said["missing"]
    assert "node: n1\n" in second.cli("cluster", "status").stdout

    second.terminate()
    first.kill()
    wait_until(lambda: first.cli("cluster", "status", check=False).returncode == 1, "nobody to have the slot")
    said = status(first, 1)
    assert [n["state"] for n in said["nodes"]] == ["silent"] and said["slots"][0]["state"] == "silent"


def test_status_names_what_is_not_stored(make_gateway, database, postgres, publisher):
    """Of one that was killed with something in its journal, and whose turn it is no more."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    publisher.publish("seano/USV-1/raw_log", "1")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    stored = database.value("SELECT max(seq) FROM raw_logs")
    postgres.stop()
    publisher.publish("seano/USV-1/raw_log", "2")
    wait_until(lambda: first.metric("tidegate_in_journal") == 1, "the journal to have it")
    first.kill()
    postgres.start()
    second.start()
    [missing] = status(second, 1)["missing"]
    assert missing["journal"] != database.value("SELECT epoch FROM slots")
    assert (missing["slot"], missing["what"], missing["after"]) == (0, "in_journal", stored)
    first.start(wait=False)
    second.terminate()
    first.wait_ready()
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    assert not status(first, 0)["missing"]


def test_the_range_is_named_until_its_disk_is_given_up(make_gateway, database, publisher):
    """The owner had said how far its journal reaches; the database took signs of life, and no more."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    publisher.publish("seano/USV-1/raw_log", "1")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    stored = database.value("SELECT max(seq) FROM raw_logs")
    journal = database.value("SELECT epoch FROM slots")
    assert first.cli("journal", "forget", journal, check=False).returncode == 1  # it has its turn
    with locked(database, "raw_logs"):
        publisher.publish("seano/USV-1/raw_log", "2")  # whose transaction waits, and gets in
        wait_until(lambda: waits_for(database, "raw_logs"), "it to wait for the lock")
        for n in range(3, 12):
            publisher.publish("seano/USV-1/raw_log", str(n))
        wait_until(lambda: first.metric("tidegate_in_journal") == 10, "the journal to have them")
        wait_until(lambda: database.value("SELECT reached FROM slots") > stored + 8, "it to say how far that reaches")
        reached = database.value("SELECT reached FROM slots")
        first.kill()
    second.start()
    stored = database.value("SELECT seq FROM journal_positions WHERE epoch = %s", journal)  # the batch under way
    assert stored < reached
    [missing] = status(second, 1)["missing"]
    assert (missing["journal"], missing["what"], missing["after"], missing["last"]) \
        == (journal, "in_journal", stored, reached)
    wait_until(lambda: second.metric("tidegate_journals_left") == 1, "it to be counted")
    assert second.get("/readyz").json()["notes"] == ["journals_left"]
    assert second.cli("journal", "forget", journal).returncode == 0
    assert second.cli("journal", "forget", journal, check=False).returncode == 1
    assert not status(second, 0)["missing"]
    assert database.rows("SELECT kind, after_seq, last_seq, settled_by FROM journal_differences") \
        == [("disk", stored, reached, "forgotten")]
    wait_until(lambda: second.metric("tidegate_journals_left") == 0, "nothing to be waited for")
    first.start(wait=False)  # after all
    second.terminate()
    first.wait_ready()
    database.wait_for("SELECT count(*) FROM raw_logs", 11)
    assert first.metric("tidegate_accounting_drift") == 0
