"""Brokers that are bridged: what a bridge brings once is stored once, what it brings twice as two messages, and a ring
of bridges stops nobody."""
import pathlib
import sys

import pytest

from conftest import populate
from faultproxy import TO_CLIENT
from servers import Broker
from viewers import Viewer
from waiting import wait_until

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from mqttproxy import DROP, MqttProxy, of  # noqa: E402

PUBACK, PUBCOMP = 4, 7
ENDS = {1: PUBACK, 2: PUBCOMP}


def bridge(port, topic):
    return f"connection out\naddress 127.0.0.1:{port}\n{topic}\nrestart_timeout 1\ncleansession false\nnotifications false\n"


def stored(database):
    return sorted(logs for (logs,) in database.rows("SELECT logs FROM raw_logs"))


@pytest.fixture
def far(folder):
    """far(topic, port) -> a broker that is bridged to that port."""
    made = []

    def make(topic, port):
        made.append(Broker(folder / f"far{len(made)}", bridge(port, topic)).start())
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.mark.parametrize("qos", [1, 2])
def test_what_a_bridge_sends_again_is_stored_as_often_as_the_broker_takes_it(make_gateway, broker, far, database, qos):
    """With QoS 1 it may be two messages to the broker, which marks neither; with QoS 2 it never is."""
    proxy = MqttProxy(broker.port, lambda topic, payload: None)
    site = far(f"topic seano/# out {qos}", proxy.port)
    gateway = make_gateway()
    populate(gateway)
    gateway.start()
    site.publish("seano/USV-1/raw_log", "once", qos=qos)
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    before = proxy.arm(of(ENDS[qos], TO_CLIENT, DROP))
    site.publish("seano/USV-1/raw_log", "again", qos=qos)
    wait_until(lambda: proxy.n_faults > before, "the acknowledgement to be lost")
    proxy.cut()
    site.publish("seano/USV-1/raw_log", "last", qos=qos)
    wait_until(lambda: "last" in stored(database), "the bridge to be back, and to have sent again what it had to")
    assert stored(database) == ["again"] * (2 if qos == 1 else 1) + ["last", "once"]
    assert gateway.metric("tidegate_accounting_drift") == 0
    proxy.close()


def test_of_two_bridged_brokers_in_the_list_each_brings_it(make_gateway, broker, far, database):
    """Each has a session of ours, and queues there what it gets by the bridge: so it is stored twice, and no more."""
    second = far("topic seano/# both 1", broker.port)
    gateway = make_gateway(mqtt__url=f"mqtt://127.0.0.1:{broker.port},mqtt://127.0.0.1:{second.port}")
    populate(gateway)
    gateway.start()

    def goes_to(server, away):
        n = gateway.metric("tidegate_mqtt_connects_total")
        away.stop()
        wait_until(lambda: gateway.metric("tidegate_mqtt_connects_total") > n, "the other one")
        last = [line for line in gateway.log().splitlines() if " mqtt_connected " in line][-1]
        assert f"url=mqtt://127.0.0.1:{server.port} " in last

    goes_to(second, broker)  # so that it knows us
    broker.start()
    goes_to(broker, second)
    second.start()
    broker.publish("seano/USV-1/raw_log", "by the first")
    second.publish("seano/USV-1/raw_log", "by the second")
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    goes_to(second, broker)
    second.publish("seano/USV-1/raw_log", "last")
    wait_until(lambda: "last" in stored(database), "the end")
    assert stored(database) == ["by the first"] * 2 + ["by the second"] * 2 + ["last"]
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_a_ring_of_bridges_is_said_and_stops_nobody(make_gateway, folder, database):
    """Each broker has a bridge to the other, and one message goes round without an end, as fast as they can."""
    left = Broker(folder / "left")
    right = Broker(folder / "right", bridge(left.port, "topic seano/# both 1")).start()
    left.extra = bridge(right.port, "topic seano/# both 1")
    left.write_conf()
    left.start()
    gateway = make_gateway(broker=left)
    populate(gateway)
    gateway.start()
    left.publish("seano/USV-1/raw_log", "round")
    wait_until(lambda: "mqtt_echoes url=" in gateway.log(), "it to be noticed")
    ben = Viewer(gateway, "/api/ws", gateway.token("ben"))
    left.publish("seano/USV-2/raw_log", "of another")  # which goes round as well
    wait_until(lambda: any("of another" in frame for frame in ben.frames), "it to be shown")
    assert gateway.status("/readyz") == 200
    right.stop()
    left.stop()
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "what came to be stored")
    n = gateway.metric("tidegate_received_total", door="mqtt")
    assert database.value("SELECT count(*) FROM raw_logs") == n > 1000
    assert 0 < gateway.metric("tidegate_mqtt_echoes_total") < n
    assert gateway.log().count("mqtt_echoes url=") == 1
    assert gateway.metric("tidegate_accounting_drift") == 0
