"""Whatever Mosquitto lets through (topics as long as MQTT has them, odd characters, properties, empty and large
payloads) becomes a row or a letter, once, and costs its neighbours nothing."""
import itertools
import json

import pytest
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from conftest import populate
from waiting import wait_until

ODD = {"as long as it goes": "v" * (65535 - len("seano//raw_log")), "U+FFFF": "v\uffff", "U+FFFE": "\ufffe",
       "a byte order mark": "\ufeffUSV-1", "a control character": "USV\u0001-1", "DEL": "USV-1\u007f",
       "C1": "USV\u0085-1", "beyond the BMP": "v\U0010ffff", "nothing": "", "a blank": " ", "dollar": "$share",
       "right to left": "\u202eUSV-1", "an id": "id:1", "a number": "1", "combining": "e\u0301" * 1000}


class Device:
    """An MQTT 5 client that is hung up on without complaint."""

    def __init__(self, broker):
        self.broker = broker

    def publish(self, topic, payload, qos=1, retain=False, **values):
        """False: the broker does not take it."""
        client = mqtt.Client(protocol=mqtt.MQTTv5)
        ended = []
        client.on_disconnect = lambda *args: ended.append(args)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        properties = Properties(PacketTypes.PUBLISH)
        for name, value in values.items():
            setattr(properties, name, value)
        wait_until(client.is_connected, "a connection")
        try:
            info = client.publish(topic, payload, qos, retain, properties)
            wait_until(lambda: info.is_published() or ended, "an answer")
            return info.is_published() and info.rc == 0
        except ValueError:  # our client does not even try
            return False
        finally:
            client.disconnect()
            client.loop_stop()


def n_kept(database):
    return sum(database.value(f"SELECT count(*) FROM {table}") for table in
               ("raw_logs", "vehicle_logs", "telemetry", "dead_letters"))


def test_topics(make_gateway, broker, database):
    gateway = make_gateway(mqtt__version="3.1.1")
    populate(gateway)
    gateway.start()
    device = Device(broker)
    taken = {}
    for name, text in ODD.items():
        for topic in (f"seano/{text}/raw_log", f"ems/{text}/telemetry"):
            if device.publish(topic, '{"n": 1}'):
                taken[topic] = name
    assert taken
    wait_until(lambda: n_kept(database) >= len(taken), f"{len(taken)} rows or letters")
    broker.publish("seano/USV-1/raw_log", "the last")
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'the last'", 1)
    assert n_kept(database) == len(taken) + 1
    assert gateway.metric("tidegate_mqtt_connects_total") == 1 and gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_properties_payloads_and_qualities(make_gateway, broker, database, version):
    gateway = make_gateway(mqtt__version=version)
    populate(gateway)
    gateway.start()
    device = Device(broker)
    n = 0
    for qos, values in itertools.product((0, 1, 2), (
            {}, {"MessageExpiryInterval": 100}, {"TopicAlias": 1}, {"PayloadFormatIndicator": 1},
            {"UserProperty": [("k", "v" * 60000)] * 3}, {"ContentType": "x" * 65535, "CorrelationData": b"\0" * 65535,
                                                        "ResponseTopic": "a/b"})):
        assert device.publish("seano/USV-1/raw_log", f"{n}", qos, **values), (qos, values)
        n += 1
    for size in (1, 65536, 1 << 20, 8 << 20):
        device.publish("ems/dev-1/telemetry", json.dumps({"x": "y" * size}))
    device.publish("seano/USV-1/raw_log", b"")
    device.publish("seano/USV-1/raw_log", b"", retain=True)
    device.publish("seano/USV-1/raw_log", b"x" * (20 << 20), 2)
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs ~ '^[0-9]+$'", n)
    broker.publish("seano/USV-1/raw_log", "the last")
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'the last'", 1)
    assert [int(r) for r, in database.rows("SELECT logs FROM raw_logs WHERE logs ~ '^[0-9]+$' ORDER BY seq")] == list(range(n))
    assert gateway.metric("tidegate_mqtt_connects_total") == 1 and gateway.metric("tidegate_accounting_drift") == 0
