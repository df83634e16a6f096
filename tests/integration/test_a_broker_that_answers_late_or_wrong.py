"""Promise: whatever a broker answers, late, twice, short, for another request or not at all, costs
a connection at most, and is not believed."""
import time

import pytest
import requests

from waiting import PATIENCE, wait_until

UNTRUE = ("mqtt_subscribe_refused", "mqtt_subscribe_downgraded", "mqtt_canary_off")


@pytest.fixture(params=[4, 5], ids=["3.1.1", "5"])
def gateway(request, make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=request.param,
                           mqtt__connect_timeout="1s", mqtt__canary="50ms")
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    return gateway


def granted(packet):
    return [option & 3 for option in packet.options]


def stores_what_comes(gateway, scripted_broker):
    """And has told nobody that a filter was refused or granted less."""
    gateway.wait_ready()
    link = scripted_broker.link(scripted_broker.seen("SUBSCRIBE")[-1].link.client_id)
    link.publish("devices/dev-1/status", '{"status":"online"}')
    gateway.database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    assert not [word for word in UNTRUE if word in gateway.log()], gateway.log()


def test_a_suback_that_comes_too_late_is_not_taken_for_another(gateway, scripted_broker):
    late = []

    def reluctant(link, packet):
        if not late or time.monotonic() < late[0][1] + 0.5:
            late.append((packet, time.monotonic()))
            return
        for old, _ in late:
            link.suback(old.packet_id, granted(old))
        link.suback(packet.packet_id, granted(packet))

    scripted_broker.on_subscribe = reluctant
    gateway.start(wait=False)
    stores_what_comes(gateway, scripted_broker)


def test_messages_that_come_before_an_answer_do_not_look_like_a_stuck_thread(gateway, scripted_broker):
    """They put off the end of the time that it has for an answer, beyond the watchdog's patience."""
    silent = []

    def never_at_first(link, packet):
        if silent and link is not silent[0]:
            link.suback(packet.packet_id, granted(packet))
            return
        silent.append(link)

    gateway.write_conf(watchdog__timeout="2s")
    scripted_broker.on_subscribe = never_at_first
    gateway.start(wait=False)
    wait_until(lambda: silent, "a subscription")

    def is_hung_up_on():
        silent[0].publish("devices/dev-9/status", '{"status":"online"}')
        return not silent[0].is_open

    wait_until(is_hung_up_on, "the end of the connection", step=0.05)
    stores_what_comes(gateway, scripted_broker)
    assert " watchdog " not in gateway.log()


WRONG = {
    "without a code": lambda link, packet: link.suback(packet.packet_id, []),
    "with a code too many": lambda link, packet: link.suback(packet.packet_id, [1, 1]),
    "as a PUBACK": lambda link, packet: link.puback(packet.packet_id),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_to_a_subscription_costs_the_connection(gateway, scripted_broker, answer):
    wrong = []

    def once(link, packet):
        if wrong and link is not wrong[0]:
            link.suback(packet.packet_id, granted(packet))
            return
        wrong.append(link)
        answer(link, packet)

    scripted_broker.on_subscribe = once
    gateway.start(wait=False)
    stores_what_comes(gateway, scripted_broker)


def test_a_filter_that_is_refused_is_told_of_until_it_is_granted(gateway, scripted_broker):
    """Whatever connections lie between: a broker may hang up on who gets other rights."""
    may_read = []

    def with_a_list(link, packet):
        link.suback(packet.packet_id, granted(packet) if may_read else [0x80] * len(packet.options))

    def notes():
        return requests.get(f"{gateway.url}/readyz", timeout=PATIENCE).json().get("notes", [])

    scripted_broker.on_subscribe = with_a_list
    gateway.start()
    wait_until(lambda: "subscriptions_refused" in notes(), "the note")
    said = gateway.log().count("mqtt_subscribe_refused")
    scripted_broker.seen("SUBSCRIBE")[-1].link.close()
    wait_until(lambda: gateway.log().count(" mqtt_connected ") >= 2, "another connection")
    may_read.append(True)
    wait_until(lambda: "subscriptions_refused" not in notes(), "no note any more")
    assert gateway.metric("tidegate_mqtt_filters_refused") == 0
    assert gateway.log().count("mqtt_subscribe_refused") == gateway.log().count("mqtt_subscribe_granted") == said
