"""Ten reloads a second, every other with a configuration that is wrong, cost nobody anything."""
import contextlib
import signal
import threading

import pytest

from commanding import command, wait_for_state
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
