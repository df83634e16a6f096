"""Promise: where a broker sends a message once for each of our filters that takes it, and says for
which (MQTT 5), it is stored once; what a device sends twice is stored twice, with any broker."""
import signal
import threading

import pytest

from waiting import PATIENCE

SITE, ANY = "site/+/tele", "+/+/tele"
TOPIC = "site/lab/tele"
ROUTE_SITE = "[route site]\ntopic = site/{device}/tele\nkind = telemetry\n"
ROUTE_ANY = "[route any]\ntopic = {user}/{device}/tele\nkind = telemetry\n"


@pytest.fixture(params=["identifiers", "none", "3.1.1"])
def gateway(request, make_gateway, scripted_broker):
    gateway = make_gateway(broker=scripted_broker, mqtt__canary="0",
                           mqtt__version="3.1.1" if request.param == "3.1.1" else "5")
    gateway.tells_copies = request.param == "identifiers"
    if request.param == "none":
        scripted_broker.on_connect = lambda link, packet: link.connack(subscription_ids_available=0)
    gateway.add_user("ana")
    gateway.add_device("lab", "ana")
    gateway.add_device("site", "ana")
    return gateway


def send(broker, payload, *filters):
    """A copy for each of @filters, as a broker does that is asked by each of them."""
    for text in filters:
        packet = next(packet for packet in broker.seen("SUBSCRIBE") if packet.filters == [text])
        name = {key: value for key, value in packet.properties.items() if key == "subscription_id"}
        broker.link(packet.link.client_id).publish(TOPIC, payload, **name)


def stored(database, last):
    """How many rows each payload has, once @last is there."""
    database.wait_for("SELECT count(*) > 0 FROM telemetry WHERE payload::text LIKE %s", True, f"%{last}%")
    return dict(database.rows("SELECT payload->>'n', count(*) FROM telemetry GROUP BY 1"))


def test_copies_while_a_reload_changes_the_filters(gateway, scripted_broker, database):
    gateway.routes = ROUTE_SITE
    gateway.write_conf()
    gateway.start()
    scripted_broker.wait_for("SUBSCRIBE", filters=[SITE])
    send(scripted_broker, '{"n":"on"}', SITE)

    def unsubscribe(link, packet):
        if packet.filters == [SITE]:  # it still has both
            for payload in '{"n":"on"}', '{"n":"on"}', '{"n":"off"}':
                send(scripted_broker, payload, SITE, ANY)
        link.unsuback(packet.packet_id, [0])
        is_answered.set()

    is_answered = threading.Event()
    scripted_broker.on_unsubscribe = unsubscribe
    gateway.routes = ROUTE_SITE + ROUTE_ANY
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    assert is_answered.wait(PATIENCE)  # nothing is sent between the copies of a message
    for payload in '{"n":"off"}', '{"n":"last"}':
        send(scripted_broker, payload, ANY)

    once = gateway.tells_copies
    assert stored(database, "last") == ({"on": 3, "off": 2, "last": 1} if once else
                                        {"on": 5, "off": 3, "last": 1})
    assert gateway.metric("tidegate_mqtt_copies_total") == (3 if once else 0)
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_copies_where_the_join_of_two_filters_is_refused(gateway, scripted_broker, database):
    lab = "+/lab/tele"
    scripted_broker.on_subscribe = lambda link, packet: link.suback(
        packet.packet_id, [0x80 if packet.filters == [ANY] else 1])
    gateway.routes = ("[route lab]\ntopic = {device}/lab/tele\nkind = telemetry\n" + ROUTE_SITE)
    gateway.write_conf()
    gateway.start()
    scripted_broker.wait_for("SUBSCRIBE", filters=[lab])
    scripted_broker.wait_for("SUBSCRIBE", filters=[SITE])
    for filters in (lab, SITE), (SITE, lab), (SITE,), (SITE,):
        send(scripted_broker, '{"n":"on"}', *filters)
    send(scripted_broker, '{"n":"last"}', lab, SITE)
    assert stored(database, "last")["on"] == (4 if gateway.tells_copies else 6)
