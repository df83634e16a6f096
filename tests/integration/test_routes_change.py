"""Another table of routes: what was accepted under the old one is read as it was meant, and what a
broker kept for the new one is no news."""
import signal

import pytest

from conftest import populate
from waiting import wait_until

OLD = "[route old]\ntopic = lab/{device}/x\nkind = telemetry\n"


def test_what_was_accepted_before_a_restart_is_read_by_its_route(make_gateway, broker, database,
                                                                 postgres):
    gateway = make_gateway()
    gateway.routes = OLD
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    postgres.stop()
    for n in range(20):  # into the journal
        broker.publish("lab/dev-1/x", '{"n":%d}' % n)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 20, "all to be in the journal")
    gateway.kill()
    for n in range(20, 30):  # into the broker's session
        broker.publish("lab/dev-1/x", '{"n":%d}' % n)
    gateway.routes = ""
    gateway.write_conf()
    gateway.start(wait=False)
    wait_until(lambda: "routes_changed" in gateway.log(), "the old routes to be known")
    gateway.kill()  # and once more, with nothing stored in between
    gateway.start(wait=False)
    postgres.start()
    gateway.wait_ready()
    database.wait_for("SELECT count(*) FROM telemetry", 30)
    assert database.rows("SELECT topic, reason FROM dead_letters") == []
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_what_was_accepted_is_stored_though_its_topic_is_ignored_by_now(make_gateway, broker, database,
                                                                        postgres, how):
    gateway = make_gateway()
    gateway.routes = OLD
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    postgres.stop()
    broker.publish("lab/dev-1/x", '{"n":1}')
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 1, "it to be in the journal")
    gateway.routes = OLD + "ignore = lab/dev-1/x\n"
    gateway.write_conf()
    if how == "reload":
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: " reloaded" in gateway.log(), "the other routes")
    else:
        gateway.kill()
        gateway.start(wait=False)
        wait_until(lambda: "routes_changed" in gateway.log(), "the old routes to be known")
    postgres.start()
    gateway.wait_ready()
    database.wait_for("SELECT count(*) FROM telemetry", 1)
    assert gateway.metric("tidegate_ignored_total") == 0
    assert database.rows("SELECT topic, reason FROM dead_letters") == []
    assert gateway.metric("tidegate_accounting_drift") == 0


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("how", ["reload", "restart"])
def test_what_is_kept_for_a_new_route_is_no_news(make_gateway, broker, database, version, how):
    gateway = make_gateway(mqtt__version=version)
    populate(gateway)
    gateway.start()
    broker.publish("devices/dev-1/status", '{"status":"online","temperature":20}')
    database.wait_for("SELECT status FROM device_states", "online")
    broker.publish("lab/dev-1/state", "offline", retain=True)
    broker.publish("lab/dev-2/state", '{"status":"warning"}', retain=True)
    broker.publish("lab/dev-1/alarm", '{"severity":"critical","message":"fire"}', retain=True)
    gateway.routes = ("[route state]\ntopic = lab/{device}/state\nkind = device_status\n"
                      "[route alarm]\ntopic = lab/{device}/alarm\nkind = alert\n")
    gateway.write_conf()
    if how == "reload":
        gateway.process.send_signal(signal.SIGHUP)
    else:
        gateway.terminate()
        gateway.start()
    wait_until(lambda: gateway.metric("tidegate_retained_ignored_total") >= 2, "what was kept")
    database.wait_for("SELECT status FROM device_states s JOIN devices d ON d.id = s.device_id"
                      " WHERE code = 'dev-2'", "warning")  # it fills a gap
    broker.publish("lab/dev-1/alarm", '{"severity":"info","message":"now"}')
    database.wait_for("SELECT string_agg(message, ' ') FROM alerts", "now")
    assert database.value("SELECT status FROM device_states s JOIN devices d ON d.id = s.device_id"
                          " WHERE code = 'dev-1'") == "online"
    assert database.rows("SELECT topic, reason FROM dead_letters") == []


def test_what_was_shown_in_an_outage_is_stored_as_it_was_shown(make_gateway, broker, database, postgres):
    gateway = make_gateway()
    gateway.routes = "[route ble_detections]\nnear_dbm = -50\nmedium_dbm = -90\n"
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    postgres.stop()
    wait_until(lambda: gateway.metric("tidegate_db_connected") == 0, "the outage to be noticed")
    broker.publish("tfg/detections/raw", '{"device_id": "dev-1", "detections": '
                   '[{"device_hash": "%s", "rssi": -60}]}' % ("ab" * 32))
    wait_until(lambda: gateway.metric("tidegate_broadcast_total", persisted="false") == 1, "it to be shown")
    gateway.routes = "[route ble_detections]\nnear_dbm = -70\nmedium_dbm = -90\n"
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: " reloaded" in gateway.log(), "the routes to be other ones")
    postgres.start()
    database.wait_for("SELECT zone FROM ble_detections", "medium")
