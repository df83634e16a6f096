"""Promise: a broker that hangs up on our own message is said to do so, costs nothing else, and nobody
is suspected of using our client id; one that does not let it through is asked again."""
import pytest

from scripted_broker import ScriptedBroker
from waiting import wait_until

ITS = "tidegate/canary/"


def hangs_up_on(broker, what):
    """From now on."""
    if what == "subscribing":
        polite = ScriptedBroker.on_subscribe
        broker.on_subscribe = lambda link, packet: link.close() if packet.filters[0].startswith(ITS) \
            else polite(broker, link, packet)
    else:
        broker.on_publish = lambda link, packet: link.close() if packet.topic.startswith(ITS) \
            else link.puback(packet.packet_id)


def of_the_source(broker):
    """The connection on which it subscribed last."""
    return broker.seen("SUBSCRIBE")[-1].link


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5"])
@pytest.mark.parametrize("what", ["subscribing", "publishing"])
@pytest.mark.parametrize("when", ["from the beginning", "once it was allowed"])
def test_a_broker_that_hangs_up_on_the_canary(make_gateway, scripted_broker, version, what, when):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=version, mqtt__canary="50ms")
    gateway.add_user("ana")
    gateway.add_device("dev-1", "ana")
    if when == "from the beginning":
        hangs_up_on(scripted_broker, what)
    gateway.start()
    if when != "from the beginning":
        wait_until(lambda: [p for p in scripted_broker.seen("PUBLISH") if p.topic.startswith(ITS)],
                   "a canary")
        hangs_up_on(scripted_broker, what)
        of_the_source(scripted_broker).close()
    wait_until(lambda: "mqtt_canary_denied topic=tidegate/canary/" in gateway.log(), "the reason")
    wait_until(gateway.is_ready, "it to be subscribed")
    link = wait_until(lambda: of_the_source(scripted_broker), "its connection")
    link.publish("devices/dev-1/status", '{"status":"online"}')
    gateway.database.wait_for("SELECT count(*) FROM device_status_logs", 1)
    assert of_the_source(scripted_broker) is link
    assert "flapping" not in gateway.log()


def canaries(broker, link):
    return [p for p in broker.seen("PUBLISH", link=link) if p.topic.startswith(ITS)]


@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5"])
@pytest.mark.parametrize("before", ["never heard", "heard before"])
def test_one_that_refused_it_is_asked_again_with_the_next_connection(make_gateway, scripted_broker,
                                                                     version, before):
    gateway = make_gateway(broker=scripted_broker, mqtt__version=version, mqtt__canary="50ms")
    code = {4: 0x80, 5: 0x87}[version]
    rules = {"refuses": before == "never heard"}
    polite = ScriptedBroker.on_subscribe
    scripted_broker.on_subscribe = lambda link, packet: link.suback(packet.packet_id, [code]) \
        if rules["refuses"] and packet.filters[0].startswith(ITS) else polite(scripted_broker, link, packet)
    gateway.start()
    if before != "never heard":
        wait_until(lambda: canaries(scripted_broker, of_the_source(scripted_broker)), "a canary")
        rules["refuses"] = True
        of_the_source(scripted_broker).close()
    wait_until(lambda: "reason=refused" in gateway.log(), "it to be off")
    rules["refuses"] = False
    first = of_the_source(scripted_broker)
    first.close()
    wait_until(lambda: "mqtt_canary_on " in gateway.log(), "it to be on again")
    assert len(canaries(scripted_broker, of_the_source(scripted_broker))) > 0
    assert gateway.log().count("mqtt_canary_off") == 1
