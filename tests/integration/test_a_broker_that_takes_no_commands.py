"""Commands that the broker refuses, does not answer, loses or is not there for: each costs itself."""
import time

import pytest

from commanding import MqttDevice, command, history, state, wait_for_state
from conftest import populate
from servers import Broker
from waiting import PATIENCE, wait_until

REFUSED = 0x87  # MQTT 5: not authorized


@pytest.fixture
def scripted(make_gateway, scripted_broker):
    """scripted(version) -> a gateway that has only the scripted broker."""
    def make(version):
        gateway = make_gateway(broker=scripted_broker, mqtt__version=version,
                               commands__max_pending_per_device=2000)
        populate(gateway)
        return gateway.start()
    return make


def tries(broker, device="dev-1"):
    return broker.seen("PUBLISH", topic=f"devices/{device}/commands")


def answer(broker, device, how):
    """What is for @device gets @how(link, packet), all else is acknowledged."""
    def on_publish(link, packet):
        if packet.topic == f"devices/{device}/commands":
            how(link, packet)
        else:
            type(broker).on_publish(broker, link, packet)
    broker.on_publish = on_publish


def test_what_is_refused_is_tried_again_and_keeps_nobody_waiting(scripted, scripted_broker,
                                                                 database):
    gateway = scripted("5")
    answer(scripted_broker, "dev-1", lambda link, packet: link.puback(packet.packet_id, REFUSED))
    database.rows("INSERT INTO commands (command_id, device_id, action, expires_at)"
                  " SELECT 'cmd_' || i, id, 'A', now() + interval '10 minutes'"
                  " FROM devices, generate_series(1, 900) i WHERE code = 'dev-1'")
    wait_until(lambda: gateway.metric("tidegate_commands_denied_total") >= 64, "some to be refused")
    assert gateway.log().count(" command_denied ") == 1
    ids = [command(gateway, "ben", "dev-2") for _ in range(3)]
    for command_id in ids:
        wait_for_state(database, command_id, "published")
    assert database.value("SELECT count(*) FROM commands WHERE state = 'accepted'") == 900

    short = command(gateway, timeout_ms=1500)
    wait_for_state(database, short, "expired")
    assert history(database, short) == ["expired"]
    answer(scripted_broker, "none", None)
    wait_until(lambda: database.value("SELECT count(*) FROM commands WHERE state = 'published'")
               == 903, "the broker to have all")
    assert database.value("SELECT count(*) FROM command_events WHERE state = 'published'") == 903


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("fault", ["silence", "hang up"])
def test_what_is_not_answered_goes_out_again(scripted, scripted_broker, database, version, fault):
    gateway = scripted(version)
    silent = lambda link, packet: None
    answer(scripted_broker, "dev-1",
           silent if fault == "silence" else lambda link, packet: link.close())
    command_id = command(gateway, timeout_ms=600000)
    wait_until(lambda: len(tries(scripted_broker)) >= 2, "another try", PATIENCE * 2)
    assert state(database, command_id) == "accepted"
    first, second = tries(scripted_broker)[:2]
    assert first.link is not second.link, "in a session of its own: the first may still be answered"
    assert first.payload == second.payload
    answer(scripted_broker, "none", None)
    wait_for_state(database, command_id, "published")
    assert history(database, command_id) == ["published"]
    assert gateway.metric("tidegate_commands_total", outcome="published") == 1


def test_a_broker_that_is_away_too_long_gets_nothing_any_more(scripted, scripted_broker, database):
    gateway = scripted("5")
    refuse = lambda link, packet: link.connack(code=0x88)  # server unavailable
    polite, scripted_broker.on_connect = scripted_broker.on_connect, refuse
    for link in list(scripted_broker.links):
        link.close()
    command_id = command(gateway, timeout_ms=1500)
    wait_for_state(database, command_id, "expired")
    scripted_broker.on_connect = polite
    later = command(gateway, timeout_ms=600000)
    wait_for_state(database, later, "published")
    assert [later.encode() in packet.payload for packet in tries(scripted_broker)] == [True]
    assert history(database, command_id) == ["expired"]


def test_a_broker_that_takes_few_at_a_time_gets_all(scripted, scripted_broker, database):
    """Receive maximum 1, and each answer takes its time: a slow broker is what is played here, nobody waits."""
    def slow(link, packet):
        time.sleep(0.01)
        link.puback(packet.packet_id)
    polite = scripted_broker.on_connect
    scripted_broker.on_connect = lambda link, packet: link.connack(receive_maximum=1) \
        if packet.client_id.startswith("tidegate-pub") else polite(link, packet)
    answer(scripted_broker, "dev-1", slow)
    gateway = scripted("5")
    ids = [command(gateway, timeout_ms=600000) for _ in range(20)]
    for command_id in ids:
        wait_for_state(database, command_id, "published")
        assert history(database, command_id) == ["published"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_it_hangs_up_on_costs_itself_alone(scripted, scripted_broker, database, version):
    gateway = scripted(version)
    answer(scripted_broker, "dev-1", lambda link, packet: link.close())
    bad = [command(gateway, timeout_ms=600000) for _ in range(12)]
    for _ in range(3):
        for command_id in [command(gateway, "ben", "dev-2") for _ in range(3)]:
            wait_for_state(database, command_id, "published")
    assert {state(database, command_id) for command_id in bad} == {"accepted"}
    assert gateway.metric("tidegate_commands_hung_up_total") >= 1
    assert "command_hung_up" in gateway.log()
    answer(scripted_broker, "none", None)
    for command_id in bad:
        wait_for_state(database, command_id, "published")


def test_what_is_above_its_limit_costs_itself_alone(make_gateway, folder, database):
    broker = Broker(folder / "narrow", "max_packet_size 4000\n").start()
    try:
        gateway = make_gateway(broker=broker)
        populate(gateway)
        gateway.start()
        large = command(gateway, payload={"text": "x" * 8000}, timeout_ms=600000)
        for _ in range(3):
            wait_for_state(database, command(gateway, "ben", "dev-2"), "published")
        assert state(database, large) == "accepted"
    finally:
        broker.stop()


def test_a_code_that_is_no_topic_costs_nobody_anything(make_gateway, broker, database):
    gateway = make_gateway()
    populate(gateway)
    codes = ("c\u0085r", "n\ufffe", "n\U0001ffff", "a/b", "+", "#")
    for code in codes:
        database.rows("INSERT INTO devices (code, user_id) VALUES (%s, %s)", code, gateway.ids["ana"])
    gateway.start()
    for code in codes:
        number = database.value("SELECT id FROM devices WHERE code = %s", code)
        device = MqttDevice(broker, f"id:{number}")
        command_id = command(gateway, device=f"id:{number}")
        assert command_id.encode() in device.next().payload, code
        wait_for_state(database, command_id, "published")
        device.disconnect()
    wait_for_state(database, command(gateway, "ben", "dev-2"), "published")
