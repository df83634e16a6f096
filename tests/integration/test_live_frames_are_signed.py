"""Whoever may write to the topics of live events, and has no key of the cluster, shows nobody anything."""
import paho.mqtt.client as mqtt
import pytest

from test_live_across_nodes import Watcher, all_of, two
from test_several_slots import VEHICLES, make_node, publish  # pylint: disable=unused-import
from waiting import wait_until

PLAIN, SIGNED = 1, 2
HEAD, MAC = 9, 16


class Spy:
    """Reads and writes what only gateways should."""

    def __init__(self, broker):
        self.heard = []
        self.client = mqtt.Client("spy")
        self.client.on_message = lambda _client, _arg, message: self.heard.append((message.topic, message.payload))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        wait_until(self.client.is_connected, "the spy to be connected")
        self.client.subscribe("tidegate/live/#")

    def say(self, topic, payload):
        self.client.publish(topic, payload).wait_for_publish(30)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def spy(broker):
    one = Spy(broker)
    yield one
    one.close()


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def take(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def go_on(frame):
    """A plain frame of one event, with 999 in place of what it says, as the next one of its slot."""
    _slot, at = take(frame, 1)
    _open, after_open = take(frame, at + 8)
    before, after_before = take(frame, after_open)
    delta, rest = take(frame, after_before)
    body = frame[rest:].replace(b"777", b"999")
    assert body != frame[rest:]
    return frame[:after_open] + varint(before + delta) + varint(1) + body


def inside(payload):
    return payload[HEAD:-MAC] if payload[0] == SIGNED else payload


def of_one_event(spy):
    return [(topic, payload) for topic, payload in spy.heard if b"777" in payload]


def test_who_has_no_key_shows_nobody_anything(make_node, spy, publisher):
    nodes = two(make_node)
    watchers = [Watcher(node, "root") for node in nodes]
    wait_until(lambda: spy.heard and spy.heard[-1][1][0] == SIGNED, "frames to be signed")
    for vehicle in VEHICLES:
        publisher.publish(f"seano/{vehicle}/raw_log", "777")
        publisher.flush()
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, [777]))
    refused = [node.metric("tidegate_live_unreadable_total") for node in nodes]
    for topic, payload in of_one_event(spy):
        forged = go_on(inside(payload))
        for attempt in (forged, payload[:HEAD] + forged + payload[-MAC:], payload[:1] + bytes(7) + b"\x63" + forged + payload[-MAC:]):
            spy.say(topic, attempt)
    for node, before in zip(nodes, refused):
        wait_until(lambda node=node, before=before: node.metric("tidegate_live_unreadable_total") > before, "they to be refused")
    publish(publisher, range(2))
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, [777, 0, 1]))


def test_beside_one_of_before_nobody_signs_and_all_are_shown(make_node, database, spy, publisher):
    """A rolling upgrade: until the last of an older version has gone."""
    nodes = two(make_node)
    database.rows("INSERT INTO nodes (cluster, node, instance, place, host, pid, advertise, version, schema, slot, waiting,"
                  " lease_ms, last_seen) VALUES ('tidegate', 'old', 'old', '', '', 1, '', '', 53, -1, 0, 2000, now() + interval '1 h')")
    wait_until(lambda: spy.heard and {payload[0] for _topic, payload in spy.heard[-4:]} == {PLAIN}, "nobody to sign")
    watchers = [Watcher(node, "root") for node in nodes]
    caught_up = [node.metric("tidegate_live_caught_up_total") for node in nodes]
    publish(publisher, range(3))
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, range(3)))
    assert [node.metric("tidegate_live_caught_up_total") for node in nodes] == caught_up
    database.rows("DELETE FROM nodes WHERE node = 'old'")
    wait_until(lambda: {payload[0] for _topic, payload in spy.heard[-4:]} == {SIGNED}, "all to sign")
    publish(publisher, range(3, 6))
    for watcher in watchers:
        watcher.wait_for(all_of(VEHICLES, range(6)))


def test_a_new_key_is_used_once_all_have_it(make_node, database, spy, publisher):
    nodes = two(make_node)
    watchers = [Watcher(node, "root") for node in nodes]
    wait_until(lambda: spy.heard and spy.heard[-1][1][0] == SIGNED, "frames to be signed")
    database.rows("UPDATE live_keys SET made_at = made_at - interval '25 h'")
    refused = [node.metric("tidegate_live_unreadable_total") for node in nodes]
    n = 0
    while {payload[:HEAD] for _topic, payload in spy.heard[-4:]} != {b"\2" + bytes(7) + b"\2"}:
        publish(publisher, [n])
        for watcher in watchers:
            watcher.wait_for(all_of(VEHICLES, range(n + 1)))
        n += 1
    assert [node.metric("tidegate_live_unreadable_total") for node in nodes] == refused
    assert database.rows("SELECT number FROM live_keys ORDER BY 1") == [(1,), (2,)]
