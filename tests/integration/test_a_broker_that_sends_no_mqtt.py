"""Promise: whatever bytes a broker sends, the gateway lives, comes again, and stores what is right.

Paho reads them; docs/weaknesses.md has what is known of its version."""
import pytest

from conftest import populate
from scripted_broker import text
from waiting import PATIENCE, wait_until

# (first byte, content) of packets that no broker should send; those of MQTT 5 with its properties
MALFORMED = {
    "a SUBACK without properties": (0x90, b"\0\1"),
    "a SUBACK without reasons": (0x90, b"\0\1\0"),
    "a SUBACK of version 3": (0x90, b"\0\1\1"),
    "a SUBACK of nothing": (0x90, b""),
    "a PUBACK of nothing": (0x40, b""),
    "a PUBACK of one byte": (0x40, b"\0"),
    "a PUBACK for nothing": (0x40, b"\x77\x77"),
    "a PUBACK with half a number": (0x40, b"\0\1\x10\xff"),
    "an UNSUBACK of nothing": (0xb0, b""),
    "a PUBLISH of nothing": (0x32, b""),
    "a PUBLISH whose topic is longer than it": (0x32, b"\xff\xffa"),
    "a PUBLISH without an id": (0x32, text("a/b")),
    "a PUBLISH of QoS 3": (0x36, text("a/b") + b"\0\1\0"),
    "a PUBLISH without properties": (0x30, text("a/b")),
    "a PUBLISH with more properties than it has": (0x30, text("a/b") + b"\x7f"),
    "a PUBLISH with a quarter of a gigabyte of them": (0x30, text("a/b") + b"\xff\xff\xff\x7f"),
    "a PUBLISH whose length of them has no end": (0x30, text("a/b") + b"\x80"),
    "a PUBLISH whose length of them is too long": (0x30, text("a/b") + b"\xff\xff\xff\xff\x7f"),
    "a PUBLISH with a property that is longer than it": (0x30, text("a/b") + b"\5\x03\xff\xffab"),
    "a PUBLISH with half a pair": (0x30, text("a/b") + b"\7\x26\0\1a\xff\xffb"),
    "a PUBLISH with a property that there is not": (0x30, text("a/b") + b"\2\xff\0"),
    "a PUBLISH with hundreds of them": (0x30, text("a/b") + b"\xac\2" + b"\x23\0\1" * 100),
    "a PUBLISH with a number that has no end": (0x30, text("a/b") + b"\5\x0b\x80\x80\x80\x80"),
    "a PUBLISH with a topic that is no text": (0x30, text(b"\xff\xfe\xed\xa0\x80") + b"\0x"),
    "a PUBLISH with a NUL in its topic": (0x30, text("devices/\0/status") + b"\0x"),
    "a PUBLISH with an alias that was not said": (0x30, text("") + b"\3\x23\0\x07x"),
    "a second CONNACK": (0x20, b"\0\0\0"),
    "a CONNACK of nothing": (0x20, b""),
    "a CONNACK with more properties than it has": (0x20, b"\0\0\x80\xff\xff\n'\0\x98\x96\x80"),
    "a DISCONNECT with half a reason": (0xe0, b"\x8e\x7f\x1f\xff\xff"),
    "an AUTH that nobody asked for": (0xf0, b"\x18\0"),
    "a SUBSCRIBE of a broker": (0x82, b"\0\1\0" + text("#") + b"\0"),
    "a CONNECT of a broker": (0x10, text("MQTT") + b"\5\2\0\0\0" + text("x")),
    "a PINGREQ of a broker": (0xc0, b""),
    "a packet of type 0": (0x00, b"\0\1\2"),
}


# What Paho 1.3.12 itself does not survive in MQTT 5 (its issue 1703): by 3.1.1 it is text like any other
FATAL_IN_5 = {"a PUBLISH with a property that ends early": (0x30, text("a/b") + b"\5\2\0")}


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5"])
def test_bytes_that_are_no_packet_cost_a_connection_at_most(make_gateway, scripted_broker, version):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=version,
                           mqtt__connect_timeout="1s", mqtt__canary=0)
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    gateway.start()
    packets = {**MALFORMED, **(FATAL_IN_5 if version == 4 else {})}
    for n, (name, (first, body)) in enumerate(packets.items(), 1):
        link = scripted_broker.link(client_of(scripted_broker))
        link.send(first, body)
        stored_after(gateway, scripted_broker, n, name)


def client_of(broker):
    """Of the client that subscribes, not of the one that sends commands."""
    return broker.wait_for("SUBSCRIBE").link.client_id


def stored_after(gateway, broker, n, name):
    """What is published from now on is stored, over the connection that is, or the next one."""
    seen = []

    def is_stored():
        gateway.is_ready()  # asserts that it lives
        link = broker.link(client_of(broker))
        if link not in seen:
            seen.append(link)
            link.publish("devices/dev-1/status", f'{{"status":"online","temperature":{n}}}')
        return gateway.database.value("SELECT count(*) FROM device_status_logs "
                                      "WHERE temperature = %s", n) > 0
    wait_until(is_stored, f"a message after {name} to be stored")


@pytest.mark.parametrize("name", [name for name in MALFORMED if "CONNACK" in name])
def test_a_connack_that_is_none_is_asked_for_again(make_gateway, scripted_broker, name):
    gateway = make_gateway(broker=scripted_broker, mqtt__connect_timeout="1s", mqtt__canary=0)
    polite, refused = scripted_broker.on_connect, []

    def answer(link, packet):
        if len(refused) >= 3:
            polite(link, packet)
            return
        refused.append(link)
        link.send(*MALFORMED[name] if "second" not in name else (0x20, b"\0\0\x05\x21\xff"))

    scripted_broker.on_connect = answer
    gateway.start()


def test_what_paho_does_not_survive_ends_the_process_and_loses_nothing(make_gateway, scripted_broker, database, postgres):
    """No check of ours comes before Paho's: what stands in for it is the next start, by 3.1.1 if it goes on so."""
    gateway = make_gateway(broker=scripted_broker, mqtt__version=5, mqtt__canary=0)
    populate(gateway)
    gateway.start()
    link = scripted_broker.link(client_of(scripted_broker))
    for n in range(20):
        link.publish("seano/USV-1/raw_log", str(n), packet_id=n + 1)
    database.wait_for("SELECT count(*) FROM raw_logs", 20)
    postgres.stop()
    for n in range(20, 40):
        link.publish("seano/USV-1/raw_log", str(n), packet_id=n + 1)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 20, "the journal to have them")
    link.send(*FATAL_IN_5["a PUBLISH with a property that ends early"])
    assert gateway.process.wait(PATIENCE) != 0
    gateway.process = None
    gateway.log_path.write_text("", "ascii")  # a sanitizer's report, which no log may have at the end
    postgres.start()
    gateway.write_conf(mqtt__version="3.1.1")
    gateway.start()
    link = scripted_broker.link(client_of(scripted_broker))
    for n in range(35, 40):  # whose acknowledgements it has not seen
        link.publish("seano/USV-1/raw_log", str(n), packet_id=n + 1, dup=True)
    link.send(*FATAL_IN_5["a PUBLISH with a property that ends early"])
    scripted_broker.link(client_of(scripted_broker)).publish("seano/USV-1/raw_log", "40", packet_id=41)
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs = '40'", 1)
    assert database.rows("SELECT logs FROM raw_logs ORDER BY seq") == [(str(n),) for n in range(41)]
    assert gateway.metric("tidegate_accounting_drift") == 0
