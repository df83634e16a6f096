"""Reloads, ten a second, with a configuration that is wrong, amid whatever takes its time: cost nobody anything."""
import contextlib
import json
import os
import signal
import threading

import psycopg2
import pytest

from commanding import command, wait_for_state
from conftest import populate
from load import Publisher
from servers import SLOW
from viewers import Viewer
from waiting import PATIENCE, wait_until

IN_ORDER = "SELECT logs::int FROM raw_logs WHERE vehicle_id = %s ORDER BY seq"


@contextlib.contextmanager
def reloads(*gateways):
    """As long as the block lasts, each of them is told ten times a second to read its file again."""
    over = threading.Event()

    def tell():
        turn = 0
        while not over.wait(0.1):
            turn += 1
            for gateway in gateways:
                text = ("[http]\nlistn = 1\n", "[ws]\nping_interval = banana\n", "\0\xff[", "[mqtt]\nurl = mqtt://\n")
                if turn % 2:
                    gateway.conf.write_text(text[turn // 2 % len(text)], "latin-1")
                else:
                    gateway.write_conf(ws__ping_interval=f"{15 + turn % 10}s", log__level=("info", "debug")[turn // 2 % 2])
                if gateway.process:
                    gateway.process.send_signal(signal.SIGHUP)

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for gateway in gateways:
            gateway.write_conf(log__level="info")


@pytest.fixture
def publisher(broker):
    made = Publisher(broker)
    yield made
    made.close()


@pytest.fixture
def operator(make_gateway, gateway):
    """The command line, with a file of its own that stays right."""
    return make_gateway(journal__dir=gateway.settings["journal.dir"],
                        auth__token_pepper_file=gateway.settings["auth.token_pepper_file"])


def assert_whole(gateway, database, n):
    vehicle = gateway.ids["USV-1"]
    wait_until(lambda: database.value("SELECT count(*) FROM raw_logs WHERE vehicle_id = %s", vehicle) >= n,
               f"{n} rows", PATIENCE * SLOW)
    assert [k for (k,) in database.rows(IN_ORDER, vehicle)] == list(range(n))
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "the journal")
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_amid_all_that_takes_time(gateway, operator, broker, database, publisher):
    for i in range(30):
        broker.publish("seano/USV-9/raw_log", f"{1000 + i}")
    database.wait_for("SELECT count(*) FROM dead_letters", 30)
    operator.add_vehicle("USV-9", "ana")
    seen = Viewer(gateway, "/api/ws", gateway.token("ana"))
    with reloads(gateway):
        publisher.run(lambda n: ("seano/USV-1/raw_log", str(n)), 300)
        database.wait_for("SELECT count(*) > 300 FROM raw_logs", True)
        replayed = operator.cli("dead-letters", "replay", "--reason", "unknown_vehicle")
        verified = operator.cli("journal", "verify", "--store")
        export = gateway.get(f"/api/vehicles/{gateway.ids['USV-1']}/logs?limit=1000", "ana")
        command_id = command(gateway, timeout_ms=2000)
        wait_for_state(database, command_id, "expired", "published")
        database.wait_for("SELECT count(*) > 1500 FROM raw_logs", True)
        n = publisher.stop()
    assert replayed.stdout.strip() == "replayed 30" and "missing 0" in verified.stdout
    assert export.status_code == 200
    assert_whole(gateway, database, n)
    seen.wait_for(lambda frames: sum('"raw_log"' in f for f in frames) >= n, "all of it")
    assert not seen.closed
    n_reloaded = gateway.log().count(" info reloaded\n")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log().count(" info reloaded\n") > n_reloaded, "the last reload")
    assert gateway.log().count("reload_refused") > 5
    assert gateway.metric("tidegate_mqtt_connects_total") == 1


def test_amid_a_hand_over(gateway, make_gateway, database, publisher):
    second = make_gateway()
    second.ids = gateway.ids
    second.start(wait=False)
    wait_until(lambda: "standby" in second.get("/readyz").text if second.status("/livez") else False, "it to stand by")
    with reloads(gateway, second):
        publisher.run(lambda n: ("seano/USV-1/raw_log", str(n)), 300)
        database.wait_for("SELECT count(*) > 300 FROM raw_logs", True)
        assert gateway.terminate() == 0
        wait_until(second.is_ready, "the other to take over")
        database.wait_for("SELECT count(*) > 1500 FROM raw_logs", True)
        n = publisher.stop()
    assert_whole(second, database, n)


def test_amid_an_outage(gateway, database, postgres, publisher):
    seen = Viewer(gateway, "/api/ws", gateway.token("ana"))
    postgres.stop()
    with reloads(gateway):
        publisher.run(lambda n: ("seano/USV-1/raw_log", str(n)), 300)
        wait_until(lambda: gateway.metric("tidegate_in_journal") > 600, "some that wait")
        postgres.start()
        database.wait_for("SELECT count(*) > 900 FROM raw_logs", True)
        n = publisher.stop()
    assert_whole(gateway, database, n)
    seen.wait_for(lambda frames: sum('"raw_log"' in f for f in frames) >= n, "all of it")
    assert not seen.closed and gateway.metric("tidegate_mqtt_connects_total") == 1


def reload_some(gateway, n=5):
    """So often, one after the other."""
    for _ in range(n):
        before = gateway.log().count(" info reloaded\n")
        gateway.write_conf(ws__ping_interval=f"{15 + before % 10}s")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda n=before: gateway.log().count(" info reloaded\n") > n, "a reload")


def test_amid_a_resume(make_gateway, database, publisher):
    """Of a viewer, a stream and a poll, whose pages wait in the database for a lock."""
    gateway = make_gateway(ws__replay_events=16, database__query_timeout="60s", http__answer_timeout="60s")
    populate(gateway)
    gateway.start()
    for n in range(200):
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs", 200)
    since = f"{database.value('SELECT epoch FROM journal_positions')}:{database.value('SELECT min(seq) - 1 FROM raw_logs')}"
    with contextlib.closing(psycopg2.connect(database.url)) as operator:
        operator.cursor().execute("LOCK TABLE raw_logs IN ACCESS EXCLUSIVE MODE")
        ana = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
        ana.send({"op": "subscribe", "id": 1, "to": ["user"], "since": since})
        wait_until(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                          " AND application_name = 'tidegate/replay'") == 1, "its page to wait")
        reload_some(gateway)
    for n in range(200, 210):
        publisher.publish("seano/USV-1/raw_log", str(n))
    ana.wait_for(lambda frames: sum('"raw_log"' in f for f in frames) >= 210, "all of it")
    texts = [json.loads(f)["data"] for f in ana.frames if '"raw_log"' in f]
    assert texts == [str(n) for n in range(210)] and not ana.closed


def test_before_it_has_read_its_file_once(make_gateway, broker, database):
    """As of a script that starts it and has it reload at once; the file is a pipe, so that it waits there."""
    gateway = make_gateway()
    populate(gateway)
    text = gateway.conf.read_bytes()
    gateway.conf.unlink()
    os.mkfifo(gateway.conf, 0o600)
    gateway.start(wait=False)
    with open(gateway.conf, "wb") as pipe:  # it has come as far as that
        for _ in range(3):
            gateway.process.send_signal(signal.SIGHUP)
            gateway.process.send_signal(signal.SIGUSR1)  # which means nothing to it
        gateway.conf.unlink()
        gateway.conf.write_bytes(text)
        pipe.write(text)
    gateway.wait_ready()
    wait_until(lambda: " info reloaded\n" in gateway.log(), "the reload")
    broker.publish("seano/USV-1/raw_log", "after")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
