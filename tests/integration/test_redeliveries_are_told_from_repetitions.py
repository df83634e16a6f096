"""Promise: a message that the broker sends again is stored once, and one that a device sends again
is stored again, whatever packet ids and flags the broker uses."""
import contextlib

import pytest

from conftest import populate
from scripted_broker import ScriptedBroker
from waiting import wait_until

TOPIC = "seano/USV-1/raw_log"


@pytest.fixture(params=[4, 5], ids=["3.1.1", "5"])
def gateway(request, make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=request.param, mqtt__canary="0",
                           mqtt__receive_maximum=1000)
    populate(gateway)
    gateway.start()
    return gateway


def link_of(broker):
    return broker.link(broker.seen("SUBSCRIBE")[-1].link.client_id)


def stored(database):
    return sorted(logs for (logs,) in database.rows("SELECT logs FROM raw_logs"))


def wait_stored(database, n):
    database.wait_for("SELECT count(*) FROM raw_logs", n)


def cut(gateway, broker):
    """The connection; the next one, once the gateway has been told that its session goes on."""
    n = gateway.metric("tidegate_mqtt_connects_total")
    old = link_of(broker)
    old.close()
    wait_until(lambda: gateway.metric("tidegate_mqtt_connects_total") > n, "a new connection")
    return broker.link(old.client_id)


def crash(gateway, broker):
    old = link_of(broker)
    gateway.kill()
    wait_until(lambda: not old.is_open, "the end of the connection")
    gateway.start()
    return broker.link(old.client_id)


@pytest.mark.parametrize("end", [cut, crash])
@pytest.mark.parametrize("marked", [False, True], ids=["no DUP", "DUP"])
def test_what_was_in_flight_comes_again(gateway, scripted_broker, database, end, marked):
    link = link_of(scripted_broker)
    for n in range(1, 6):
        link.publish(TOPIC, f"load {n}", packet_id=n)
    wait_stored(database, 5)
    for _ in range(2):  # and its acknowledgements are lost once more
        link = end(gateway, scripted_broker)
        for n in range(3, 6):
            link.publish(TOPIC, f"load {n}", packet_id=n, dup=marked)
    link.publish(TOPIC, "load 6", packet_id=6)
    wait_stored(database, 6)
    assert stored(database) == [f"load {n}" for n in range(1, 7)]
    scripted_broker.wait_for("PUBACK", 1, packet_id=6)
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("end", [cut, crash])
def test_its_acknowledgement_is_lost_each_time(gateway, scripted_broker, database, end):
    """Without DUP, and in each connection more has come behind it."""
    link = link_of(scripted_broker)
    for turn in range(1, 5):
        for n in range(1, turn * 5 + 1):
            link.publish(TOPIC, f"load {n}", packet_id=n)
        link.publish(TOPIC, f"turn {turn}", packet_id=100 + turn)
        wait_until(lambda t=turn: f"turn {t}" in stored(database), "what came behind it")
        assert len(stored(database)) == turn * 6
        link = end(gateway, scripted_broker)


@pytest.mark.parametrize("end", [cut, crash])
def test_more_was_in_flight_than_we_allowed(gateway, scripted_broker, database, end):
    """Mosquitto 2.0.11 with a backlog: Receive Maximum bounds nothing, and a cut brings all of it again."""
    link = link_of(scripted_broker)
    for n in range(1, 5001):
        link.publish(TOPIC, f"load {n}", packet_id=n)
    wait_stored(database, 5000)
    link = end(gateway, scripted_broker)
    for n in range(1, 5001):
        link.publish(TOPIC, f"load {n}", packet_id=n, dup=True)
    link.publish(TOPIC, "more", packet_id=5001)
    wait_until(lambda: "more" in stored(database), "what came behind it")
    assert len(stored(database)) == 5001


def test_equal_messages_within_a_connection_both_stay(gateway, scripted_broker, database):
    link = link_of(scripted_broker)
    for packet_id in (1, 1, 2, 1, 2, 2):
        link.publish(TOPIC, "on", packet_id=packet_id)
    wait_stored(database, 6)


def test_an_id_that_was_used_again_is_no_redelivery(gateway, scripted_broker, database):
    link = link_of(scripted_broker)
    link.publish(TOPIC, "on", packet_id=1)
    for n in range(1500):
        link.publish(TOPIC, f"load {n}", packet_id=2 + n % 2)
    wait_stored(database, 1501)
    link.publish(TOPIC, "on", packet_id=1, dup=True)
    wait_stored(database, 1502)
    link = cut(gateway, scripted_broker)
    link.publish(TOPIC, "load 0", packet_id=2, dup=True)
    wait_stored(database, 1503)


@contextlib.contextmanager
def away(broker):
    """It ends its connections, and takes none."""
    polite, broker.on_connect = broker.on_connect, lambda link, packet: link.close()
    for link in broker.links:
        link.close()
    yield
    broker.on_connect = polite


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5"])
@pytest.mark.parametrize("marked", [True, False], ids=["DUP", "no DUP"])
def test_a_session_with_another_broker_lies_between(make_gateway, scripted_broker, database, version, marked):
    """Two brokers with stores of their own: the first one goes on where it was cut off."""
    other = ScriptedBroker()
    gateway = make_gateway(mqtt__url=",".join(f"mqtt://127.0.0.1:{b.port}" for b in (scripted_broker, other)),
                           mqtt__version=version, mqtt__canary="0", mqtt__receive_maximum=1000)
    populate(gateway)
    gateway.start()
    for n in (5, 6):
        link_of(scripted_broker).publish(TOPIC, f"message {n}", packet_id=n)
    wait_stored(database, 2)
    with away(scripted_broker):
        other.wait_for("SUBSCRIBE").link.publish(TOPIC, "message 5", packet_id=5)  # one of its own
        wait_stored(database, 3)
    n_subscribed = len(scripted_broker.seen("SUBSCRIBE"))
    with away(other):
        link = scripted_broker.wait_for("SUBSCRIBE", n_subscribed + 1).link
        for n in (5, 6):
            link.publish(TOPIC, f"message {n}", packet_id=n, dup=marked)
        link.publish(TOPIC, "the end", packet_id=7)
        database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'the end'", 1)
    assert stored(database) == ["message 5", "message 5", "message 6", "the end"]
    assert gateway.metric("tidegate_duplicate_total") == 2
    other.close()
