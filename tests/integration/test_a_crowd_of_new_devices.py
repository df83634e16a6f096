"""Devices that register themselves: many at once hold nobody up, and too many are set aside."""
import json

import pytest

from conftest import populate
from waiting import wait_until

HASH = "ab" * 32


def report(code):
    return "tfg/detections/raw", json.dumps({"device_id": code, "detections": [
        {"device_hash": HASH, "rssi": -50}]})


def started(make_gateway, **settings):
    gateway = make_gateway(**settings)
    populate(gateway)
    return gateway.start()


def test_they_are_created_together_and_each_message_is_stored(make_gateway, database, publisher,
                                                              viewer):
    gateway = started(make_gateway)
    ana = viewer("/api/ws", "ana")
    gateway.freeze()  # so that all of them are in front of ana's message
    for n in range(900):
        publisher.publish(*report(f"new-{n % 600}"))
    publisher.publish("seano/USV-1/raw_log", "behind them")
    gateway.thaw()
    publisher.flush()
    ana.wait_for(lambda texts: any("behind them" in t for t in texts), "what came behind them")
    database.wait_for("SELECT count(*) FROM ble_detections", 900)
    assert database.value("SELECT count(*) FROM devices WHERE code LIKE 'new-%%'"
                          " AND device_type = 'ble_scanner' AND user_id IS NULL") == 600
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert database.value("SELECT count(DISTINCT xmin::text) FROM devices WHERE code LIKE 'new-%%'") \
        < 100, "not each by itself"
    assert gateway.metric("tidegate_registrations_total") == 600


def test_one_that_is_refused_costs_the_others_nothing(make_gateway, database, publisher):
    database.rows("ALTER TABLE devices ADD CHECK (code <> 'new-7')")
    gateway = started(make_gateway)
    gateway.freeze()
    for n in range(20):
        publisher.publish(*report(f"new-{n}"))
    gateway.thaw()
    publisher.flush()
    database.wait_for("SELECT count(*) FROM ble_detections", 19)
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_device'", 1)
    assert database.value("SELECT count(*) FROM devices WHERE code LIKE 'new-%%'") == 19


def test_too_many_in_a_minute_are_set_aside(make_gateway, database, publisher):
    gateway = started(make_gateway, registry__new_devices_per_minute=30)
    for n in range(200):
        publisher.publish(*report(f"new-{n}"))
    publisher.publish(*report("dev-1"))
    publisher.flush()
    wait_until(lambda: database.value("SELECT (SELECT count(*) FROM dead_letters)"
                                      " + (SELECT count(*) FROM ble_detections)") == 201,
               "each to be a row or a letter")
    n_new = database.value("SELECT count(*) FROM devices WHERE code LIKE 'new-%%'")
    assert 30 <= n_new < 200
    assert database.rows("SELECT DISTINCT reason, detail FROM dead_letters") == [
        ("unknown_device", "more new devices than registry.new_devices_per_minute lets in")]
    assert gateway.metric("tidegate_registrations_refused_total") >= 200 - n_new
    assert gateway.log().count("registrations_limited") == 1


def test_there_are_no_more_than_so_many_in_all(make_gateway, database, publisher):
    gateway = make_gateway(registry__max_devices=12)
    populate(gateway)
    n_before = database.value("SELECT count(*) FROM devices")
    gateway.start()
    for n in range(40):
        publisher.publish(*report(f"new-{n}"))
    publisher.publish(*report("dev-1"))
    publisher.flush()
    wait_until(lambda: database.value("SELECT (SELECT count(*) FROM dead_letters)"
                                      " + (SELECT count(*) FROM ble_detections)") == 41,
               "each to be a row or a letter")
    assert database.value("SELECT count(*) FROM devices") == 12 > n_before
    assert database.rows("SELECT DISTINCT reason, detail FROM dead_letters") == [
        ("unknown_device", "as many devices as registry.max_devices lets be")]
    assert gateway.metric("tidegate_registrations_refused_total") >= 28 + n_before
    assert gateway.log().count("registry_full") == 1
    database.rows("DELETE FROM devices WHERE code = 'new-0'")
    wait_until(lambda: publisher.publish(*report("newest")) or database.value(
        "SELECT count(*) FROM devices WHERE code = 'newest'") == 1, "the place that is free")


def test_one_user_leaves_room_for_anothers(make_gateway, database, publisher):
    gateway = make_gateway(registry__auto_register="on", registry__max_devices=22)
    populate(gateway)
    n_before = database.value("SELECT count(*) FROM devices")  # one of ana, one of ben
    assert n_before == 2
    gateway.start()
    gateway.freeze()
    for n in range(40):
        publisher.publish(f"users/ana/devices/ana-{n}/status", '{"status":"online"}')
    gateway.thaw()
    publisher.flush()
    wait_until(lambda: database.value("SELECT (SELECT count(*) FROM dead_letters)"
                                      " + (SELECT count(*) FROM device_status_logs)") == 40,
               "each of ana's to be a row or a letter")
    owned = "SELECT count(*) FROM devices WHERE user_id = %s"
    assert database.value(owned, gateway.ids["ana"]) == 11  # half of what ben leaves, 22 - 1
    assert database.rows("SELECT DISTINCT reason, detail FROM dead_letters") == [
        ("unknown_device",
         "more new devices than registry.user_share lets the user of the topic have")]
    assert gateway.metric("tidegate_registrations_share_refused_total") >= 30
    for n in range(4):
        publisher.publish(f"users/ben/devices/ben-{n}/status", '{"status":"online"}')
    publisher.flush()
    database.wait_for(owned, 5, gateway.ids["ben"])


@pytest.mark.parametrize("code", ["c\u0085r", "n\ufffe", "n\U0010ffff"])
def test_none_gets_a_code_that_no_topic_may_have(make_gateway, database, publisher, code):
    started(make_gateway)
    publisher.publish(*report(code))
    publisher.publish(*report("new-1"))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM ble_detections", 1)
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_device'", 1)
    assert database.value("SELECT count(*) FROM devices WHERE code = %s", code) == 0
