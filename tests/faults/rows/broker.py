"""Faults of the broker, and of the link to it."""
import contextlib
import shutil
import signal

import paho.mqtt.client as mqtt

import mqttproxy
from faultproxy import CUT, FREEZE, TO_CLIENT, TO_SERVER
from matrix import again, row
from mqttproxy import DROP, PUBACK, PUBLISH, SUBACK
from servers import resume, suspend
from tlsfront import HOUR, TlsFront
from waiting import wait_until

LOST = ("mqtt_lost|mqtt_connection_flapping|mqtt_session_taken_over", "mqtt_connected")
OLD = {"mqtt__version": "3.1.1"}


def cuts(world, kind, direction, what, short=5, full=50):
    for _ in again(world, short, full):
        world.pause(world.dice.uniform(0.1, 0.5))
        before = world.mqtt.arm(mqttproxy.of(kind, direction, what))
        wait_until(lambda at=before: world.mqtt.n_faults > at, "the fault to strike", 60)
        if what == FREEZE:
            world.pause(world.dice.uniform(0.1, 0.5))
            world.mqtt.cut()


def both_versions(name, old_in_short=False, **options):
    """The row for MQTT 5 and for 3.1.1, which has one of each kind of fault in the short form."""
    def add(function):
        row(f"{name} (MQTT 5)", **options)(function)
        old = {**options.get("settings", {}), **OLD}
        row(f"{name} (MQTT 3.1.1)", **{**options, "settings": old, "in_short": old_in_short})(function)
        return function
    return add


@both_versions("cut before a PUBACK arrives", old_in_short=True, says=LOST)
def cut_before_puback(world):
    cuts(world, PUBACK, TO_SERVER, CUT)


@both_versions("PUBACKs lost, then the link", old_in_short=True, says=LOST)
def pubacks_lost(world):
    for _ in again(world, 3, 30):
        world.pause(world.dice.uniform(0.1, 0.4))
        before = world.mqtt.arm(mqttproxy.of(PUBACK, TO_SERVER, DROP), times=15)
        wait_until(lambda at=before: world.mqtt.n_faults >= at + 15, "PUBACKs to lose", 60)
        world.mqtt.cut()


@both_versions("cut within a delivery", says=LOST)
def cut_within_delivery(world):
    cuts(world, PUBLISH, TO_CLIENT, CUT)


@row("a delivery hangs, then the link ends", says=LOST)
def delivery_hangs(world):
    cuts(world, PUBLISH, TO_CLIENT, FREEZE)


@both_versions("the SUBACK is lost, then comes at the next try",
               settings={"mqtt__connect_timeout": "2s", "watchdog__timeout": "5s"})
def suback_lost(world):
    """What comes meanwhile puts off the end of the patience for it, beyond that of the watchdog."""
    world.mqtt.arm(mqttproxy.of(SUBACK, TO_CLIENT, DROP))
    world.mqtt.cut()
    world.wait_log("mqtt_lost(.|\n)*mqtt_lost")
    world.wait_flow()


@both_versions("the SUBACK comes late")
def suback_late(world):
    before = world.mqtt.arm(mqttproxy.of(SUBACK, TO_CLIENT, FREEZE))
    world.mqtt.cut()
    wait_until(lambda: world.mqtt.n_faults > before, "a SUBACK to hold back", 60)
    world.pause(3)
    world.mqtt.thaw()
    world.wait_flow()


def restart(world, between=lambda: None, how=signal.SIGKILL):
    world.broker.stop(how)
    between()
    world.broker.start()


@both_versions("kill -9, and a start with its store", says=LOST)
def killed(world):
    for _ in again(world, 2, 20):
        world.pause(world.dice.uniform(0.5, 1.5))
        restart(world)
        world.wait_flow()


@row("SIGTERM, and a start with its store", says=LOST)
def terminated(world):
    for _ in again(world, 2, 20):
        world.pause(world.dice.uniform(0.2, 1.0))
        restart(world, how=signal.SIGTERM)
        world.wait_flow()


@both_versions("kill -9, and a start without its store", old_in_short=True, says=LOST)
def store_lost(world):
    restart(world, lambda: (world.broker.folder / "mosquitto.db").unlink(missing_ok=True))
    world.wait_flow()


@row("kill -9, and a start with an older store", says=LOST)
def store_older(world):
    store = world.broker.folder / "mosquitto.db"
    old = world.folder / "old.db"
    wait_until(store.exists, "a store")
    shutil.copy(store, old)
    world.wait_flow(300)
    restart(world, lambda: shutil.copy(old, store))
    world.wait_flow()


@row("SIGSTOP for seconds")
def frozen(world):
    for _ in again(world, 1, 3):
        suspend(world.broker.process.pid)
        world.pause(5 if world.is_short else 60)
        resume(world.broker.process.pid)
        world.wait_flow()


def with_id(world):
    world.gateway.write_conf(mqtt__client_id="tidegate-1")


@both_versions("somebody takes our client id over", prepare=with_id, says=("taken_over|flapping|mqtt_lost",))
def taken_over(world):
    for _ in again(world, 2, 10):
        thief = mqtt.Client("tidegate-1", clean_session=False)
        thief.connect("127.0.0.1", world.broker.port)
        thief.loop_start()
        wait_until(thief.is_connected, "the thief")
        world.pause(0.5)
        thief.disconnect()
        thief.loop_stop()
        world.wait_flow()


@row("a window of one message", broker="max_inflight_messages 1\n", rate=100)
def window_of_one(world):
    cuts(world, PUBLISH, TO_CLIENT, CUT, 4, 40)


@row("a keep-alive of 10 s set by the broker, and silence beyond it", broker="max_keepalive 10\n",
     in_short=False)
def keep_alive(world):
    world.mqtt.freeze()
    world.pause(16)
    world.mqtt.cut()
    world.mqtt.thaw()
    world.wait_flow()


# Of what is large, what is shown again from memory and what is kept of the journal is more than of the rest.
LARGE = {"max_fds": 20, "settings": {"ws__replay_bytes": "16M"}}


@row("payloads of 200 KB, PUBACKs lost, then the link", rate=15, pad="x" * 200000, **LARGE)
def large(world):
    for _ in again(world, 3, 20):
        before = world.mqtt.arm(mqttproxy.of(PUBACK, TO_SERVER, DROP), times=8)
        wait_until(lambda at=before: world.mqtt.n_faults >= at + 8, "PUBACKs to lose", 60)
        world.mqtt.cut()
        world.wait_flow(10)


LARGEST = (262_144, 262_145, 4 << 20, 24 << 20)  # Paho keeps as much room as the largest had: docs/weaknesses.md


@row("packets of 256 KB to 24 MB among the others, while the link is cut", rate=100, max_warnings=100, max_mib=96, **LARGE)
def largest(world):
    """Those above the route's limit become letters, with their beginning, and cost no other message."""
    n = 0
    for _ in again(world, 1, 10):
        for size in LARGEST:
            world.broker.publish("seano/USV-large/alert", "{" + "x" * (size - 1))
            n += 1
            wait_until(lambda n=n: world.database.value("SELECT count(*) FROM dead_letters") == n, f"{size} bytes", 60)
            world.mqtt.cut()
            world.wait_flow(3)
    n_good = n // len(LARGEST)  # as far as their size goes
    reasons = dict(world.database.rows("SELECT reason, count(*) FROM dead_letters GROUP BY 1"))
    world.complain_if(reasons != {"bad_json": n_good, "too_large": n - n_good}, f"the letters are {reasons}")
    for reason in ("too_large", "bad_json"):
        world.gateway.cli("dead-letters", "discard", "--reason", reason)


def retain(world):
    client = mqtt.Client("retainer")
    client.connect("127.0.0.1", world.broker.port)
    client.loop_start()
    infos = [client.publish(f"seano/old-{i}/alert", '{"severity":"critical"}', qos=1, retain=True)
             for i in range(1000)]
    for info in infos:
        info.wait_for_publish(30)
    client.loop_stop()
    client.disconnect()


@row("1,000 retained messages at each new session", prepare=retain)
def retained(world):
    for _ in again(world, 2, 10):
        restart(world, how=signal.SIGTERM)
        world.wait_flow()


@row("refused by the broker's list for a while: no right to read")
def refused(world):
    """The deliveries stop; who published goes on, and nothing that we acknowledged is missing."""
    acl = world.broker.folder / "acl"
    acl.write_text("topic write #\n", "ascii")
    if "acl_file" not in world.broker.extra:
        world.broker.extra += f"acl_file {acl}\n"
    world.broker.write_conf()
    world.broker.process.send_signal(signal.SIGHUP)
    world.pause(2)
    acl.write_text("topic readwrite #\n", "ascii")
    world.broker.process.send_signal(signal.SIGHUP)
    world.pause(0.5)
    world.mqtt.cut()
    world.wait_flow()


@row("the broker closes each connection at once for a while", says=LOST)
def closing(world):
    world.mqtt.is_refusing = True
    world.mqtt.cut()
    world.pause(5)
    world.mqtt.is_refusing = False
    world.wait_flow()


@both_versions("a backlog of thousands, and links that end while it comes", says=LOST)
def backlog_cut(world):
    """Mosquitto has all of it in flight at once, whatever it is allowed."""
    for _ in again(world, 1, 5):
        world.mqtt.is_refusing = True
        world.mqtt.cut()
        world.load.burst(6000 if world.is_short else 30000)
        wait_until(lambda: world.load.n_waiting() < 200, "the broker to have the backlog", 120)
        world.mqtt.is_refusing = False
        for _ in again(world, 3, 6):
            before = len(world.mqtt.acknowledged)
            wait_until(lambda n=before: len(world.mqtt.acknowledged) > n, "some of it to come", 60)
            world.pause(world.dice.uniform(0.02, 0.3))
            world.mqtt.cut()
        world.wait_flow()


@row("broker and gateway killed at the same moment", is_live_whole=False)
def both_killed(world):
    for _ in again(world, 2, 20):
        world.pause(world.dice.uniform(0.3, 1.0))
        world.broker.process.kill()
        world.gateway.kill()
        with contextlib.suppress(ProcessLookupError):
            world.broker.stop(signal.SIGKILL)
        world.broker.start()
        world.restart_gateway()
        world.wait_flow()


@row("PUBACKs hang on their way, then the link ends", says=LOST)
def pubacks_hang(world):
    cuts(world, PUBACK, TO_SERVER, FREEZE, 2, 30)


def answered_with(code):
    """SUBACKs that say that of every filter, whatever the broker said."""
    def rule(packet):
        if (packet.kind, packet.direction) != (SUBACK, TO_CLIENT):
            return None
        begin = 3 if packet.version == 5 else 2
        return packet.body[:begin] + bytes([code]) * (len(packet.body) - begin)
    return rule


@both_versions("every subscription refused, then granted", old_in_short=True,
               says=("mqtt_subscribe_refused", "mqtt_subscribe_granted"))
def subscriptions_refused(world):
    world.mqtt.arm(answered_with(0x87 if world.row.settings.get("mqtt__version") is None else 0x80), times=3)
    world.mqtt.cut()
    world.wait_log("mqtt_subscribe_granted")
    world.wait_flow()


@both_versions("every subscription granted with QoS 0 only, then as it was asked for",
               says=("mqtt_subscribe_downgraded", "mqtt_subscribe_granted"))
def subscriptions_downgraded(world):
    """It is said; and that it is over at the next connection."""
    world.mqtt.arm(answered_with(0), times=3)
    world.mqtt.cut()
    world.wait_log("mqtt_subscribe_downgraded")
    world.wait_flow()
    world.mqtt.arm(None)
    world.mqtt.cut()
    world.wait_log("mqtt_subscribe_granted")
    world.wait_flow()


@both_versions("our session deleted at the broker, as if it had expired", prepare=with_id)
def session_deleted(world):
    for _ in again(world, 2, 20):
        world.mqtt.is_refusing = True
        world.mqtt.cut()
        other = mqtt.Client("tidegate-1", clean_session=True)
        other.connect("127.0.0.1", world.broker.port)
        other.loop_start()
        wait_until(other.is_connected, "the one that deletes it")
        other.disconnect()
        other.loop_stop()
        world.mqtt.is_refusing = False
        world.wait_flow()
    world.wait_log("session=new")


@row("our session expires while we are away", settings={"mqtt__session_expiry": "60s"}, in_short=False,
     says=("session=new",))
def session_expired(world):
    world.mqtt.is_refusing = True
    world.mqtt.cut()
    world.pause(75)
    world.mqtt.is_refusing = False
    world.wait_flow()


@row("packet ids that come round: 70,000 messages, links that end", rate=1500, in_short=False,
     in_soak=False)
def ids_again(world):
    """What was in flight under an id is not what comes under it an age later."""
    while world.load.published < 70000:
        world.pause(2)
        world.mqtt.cut()
        world.wait_flow()


def behind_tls(world):
    front = TlsFront(world.folder, world.mqtt.port)
    world.at_end.append(front.close)
    world.tls = front
    world.gateway.write_conf(mqtt__url=f"mqtts://127.0.0.1:{front.port}", mqtt__ca_file=str(front.ca))


@row("its certificate expires, and is renewed", prepare=behind_tls,
     says=("certificate verify failed", "mqtt_connected"))
def certificate_expired(world):
    world.tls.renew(-HOUR)
    world.tls.cut()
    wait_until(lambda: world.tls.n_refused >= 2, "the gateway to refuse it", 60)
    world.tls.renew(HOUR)
    world.wait_flow()
