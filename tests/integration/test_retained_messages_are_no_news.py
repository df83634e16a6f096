"""What a broker kept from before we subscribed fills gaps, and is never taken for news."""
import json
import time

import pytest

from conftest import populate
from waiting import wait_until


def status(broker, payload, retain=False):
    broker.publish("users/ana/devices/dev-1/status", payload, retain=retain)


def new_session(gateway, broker, **changes):
    """The broker forgets the gateway, but not what it keeps."""
    gateway.terminate()
    gateway.write_conf(mqtt__client_id=f"other-{time.monotonic_ns()}", **changes)
    gateway.start()
    wait_until(lambda: gateway.metric("tidegate_mqtt_connected") == 1, "the broker")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_stale_status_beats_no_live_one(make_gateway, broker, database, version):
    gateway = make_gateway(mqtt__version=version)
    populate(gateway)
    gateway.start()
    status(broker, "offline", retain=True)
    database.wait_for("SELECT status FROM device_states", "offline")
    status(broker, '{"status":"online","temperature":20}')
    database.wait_for("SELECT status FROM device_states", "online")
    seen = database.value("SELECT last_seen FROM device_states")
    broker.publish("seano/USV-1/alert", '{"severity":"critical","message":"fire"}', retain=True)
    broker.publish("seano/USV-1/vehicle_log", '{"latitude":1,"longitude":1}', retain=True)
    broker.publish("users/ana/devices/dev-9/status", "online", retain=True)
    database.wait_for("SELECT count(*) FROM alerts", 1)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)

    new_session(gateway, broker)
    wait_until(lambda: gateway.metric("tidegate_retained_ignored_total") >= 4, "what was kept")
    broker.publish("seano/USV-1/raw_log", "done")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    assert database.rows("SELECT status, temperature, last_seen FROM device_states") == \
        [("online", 20.0, seen)]
    assert database.value("SELECT count(*) FROM alerts") == 1
    assert database.value("SELECT count(*) FROM vehicle_logs") == 1
    assert database.value("SELECT count(*) FROM device_status_logs") == 2
    assert database.value("SELECT count(*) FROM dead_letters") == 1
    assert gateway.metric("tidegate_accounting_drift") == 0


def test_it_fills_a_gap_and_is_newer_where_it_says_so(make_gateway, broker, database):
    gateway = make_gateway()
    populate(gateway)
    status(broker, '{"status":"warning","temperature":7}', retain=True)
    gateway.start()
    database.wait_for("SELECT status FROM device_states", "warning")
    assert database.value("SELECT last_seen FROM device_states") is None
    status(broker, '{"status":"online"}')
    database.wait_for("SELECT status FROM device_states", "online")
    gateway.terminate()
    status(broker, json.dumps({"status": "error", "timestamp": time.time()}), retain=True)
    gateway.write_conf(mqtt__client_id="another")
    gateway.start()
    database.wait_for("SELECT status FROM device_states", "error")


def test_what_deletes_a_retained_message_is_no_letter(gateway, broker, database):
    status(broker, "online", retain=True)
    status(broker, "", retain=True)
    broker.publish("seano/USV-1/raw_log", "done")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert gateway.metric("tidegate_retained_ignored_total") == 1
    assert gateway.metric("tidegate_accounting_drift") == 0
