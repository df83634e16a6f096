"""MQTT 5: what a broker lets go because its time is over was never ours, and confuses nothing that is."""
import pathlib
import subprocess
import sys

import pytest

from conftest import populate
from faultproxy import TO_SERVER
from waiting import PATIENCE, wait_until

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
from mqttproxy import DROP, PUBACK, MqttProxy, of  # noqa: E402

LOG = "seano/USV-1/raw_log"
STATUS = "users/ana/devices/dev-1/status"
EXPIRED = 27  # of mosquitto_sub: nothing came


def publish(broker, topic, payload, expiry=None, retain=False):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-q", "1", "-t", topic, "-V", "mqttv5",
                    "-m", payload, *(["-r"] if retain else []),
                    *(["-D", "publish", "message-expiry-interval", str(expiry)] if expiry else [])],
                   check=True, timeout=PATIENCE)


def has_retained(broker, topic):
    done = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "-V", "mqttv5",
                           "-C", "1", "-W", "1", "--retained-only"], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode in (0, EXPIRED), done.stderr  # what is asked here: is it, or is it not?
    return done.returncode == 0


def wait_expired(broker):
    """All that was published before with a second to live."""
    publish(broker, "elsewhere/twin", "twin", expiry=1, retain=True)
    wait_until(lambda: not has_retained(broker, "elsewhere/twin"), "the twin to be gone")


def stored(database):
    return [logs for (logs,) in database.rows("SELECT logs FROM raw_logs ORDER BY seq")]


def wait_last(database):
    wait_until(lambda: "last" in stored(database), "the last one")
    return stored(database)


def is_sound(gateway):
    return gateway.metric("tidegate_accounting_drift") == 0 and gateway.cli("journal", "verify").returncode == 0


def test_what_expires_while_we_are_away_is_not_missed(gateway, broker, database):
    publish(broker, LOG, "first")
    wait_until(lambda: stored(database) == ["first"], "the first one")
    gateway.kill()
    for n in range(5):
        publish(broker, LOG, f"expires {n}", expiry=1)
        publish(broker, LOG, f"stays {n}", expiry=600 if n % 2 else None)
    wait_expired(broker)
    gateway.start()
    publish(broker, LOG, "last", expiry=600)
    assert wait_last(database) == ["first", *(f"stays {n}" for n in range(5)), "last"]
    assert gateway.metric("tidegate_received_total", door="mqtt") == 6 and is_sound(gateway)


@pytest.mark.parametrize("end", ["kill", "cut"])
def test_what_expires_in_flight_leaves_its_id_and_nobody_is_taken_for_it(make_gateway, broker, database, end):
    """It is ours, though the broker has not heard so and will not say it again; its equal is another message."""
    proxy = MqttProxy(broker.port, lambda topic, payload: None)
    gateway = make_gateway(mqtt__url=f"mqtt://127.0.0.1:{proxy.port}", mqtt__canary="0")
    populate(gateway)
    gateway.start()
    proxy.arm(of(PUBACK, TO_SERVER, DROP), times=3)
    for n in range(3):
        publish(broker, LOG, f"on {n}", expiry=1)
    wait_until(lambda: proxy.n_faults == 3 and len(stored(database)) == 3, "them to be ours")
    if end == "kill":
        gateway.kill()
    else:
        proxy.freeze()
    wait_expired(broker)
    for n in range(3):
        publish(broker, LOG, f"on {n}")
    if end == "kill":
        gateway.start()
    else:
        proxy.cut()
        proxy.thaw()
    publish(broker, LOG, "last")
    assert wait_last(database) == [f"on {n}" for n in range(3)] * 2 + ["last"]
    assert gateway.metric("tidegate_duplicate_total") == 0 and is_sound(gateway)
    proxy.close()


def test_a_retained_one_that_has_expired_is_no_state_any_more(make_gateway, broker, database):
    gateway = make_gateway()
    populate(gateway)
    publish(broker, STATUS, '{"status":"error","temperature":7}', expiry=1, retain=True)
    wait_expired(broker)
    publish(broker, "users/ben/devices/dev-2/status", '{"status":"warning"}', expiry=600, retain=True)
    gateway.start()
    database.wait_for("SELECT string_agg(status, ',') FROM device_states WHERE status <> 'offline'", "warning")
    publish(broker, STATUS, "online", expiry=1, retain=True)  # we are there: it is news
    database.wait_for("SELECT count(*) FROM device_states WHERE status = 'online'", 1)
    gateway.terminate()
    wait_expired(broker)
    gateway.write_conf(mqtt__client_id="another")
    gateway.start()
    publish(broker, LOG, "last")
    wait_last(database)
    assert sorted(status for (status,) in database.rows("SELECT status FROM device_states")) == ["online", "warning"]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert is_sound(gateway)
