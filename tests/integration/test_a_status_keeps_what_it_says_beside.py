"""Promise: a status keeps the members that it has beside the known ones: in its row, and for who watches."""
import json
import signal

from conftest import populate
from viewers import Viewer
from waiting import wait_until

EXTRA = "SELECT extra::text FROM device_status_logs ORDER BY seq"
BATTERY = '{"radio": {"rssi": -71}, "battery": 89490200001234567890}'


def status(broker, topic="devices/dev-1/status", **members):
    broker.publish(topic, json.dumps(members))


def native(gateway, **subscription):
    view = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
    begin = view.next_of("welcome")["cursor"]
    view.send({"op": "subscribe", "id": 1, "to": ["device/dev-1"]} | subscription)
    return view, begin


def test_what_a_status_says_beside_is_stored_and_shown(gateway, broker, database):
    view, begin = native(gateway)
    status(broker, status="online", temperature=21, battery=89490200001234567890, radio={"rssi": -71},
           device_code="dev-1")
    shown = view.next_of("device_update")
    assert shown["data"] == json.loads(BATTERY) and shown["device"]["temperature"] == 21
    status(broker, status="online", temperature="hot", latitude=None)
    assert "data" not in view.next_of("device_update")  # what is odd, and known, is set aside
    database.wait_for("SELECT count(*) FROM device_status_logs", 2)
    assert database.rows(EXTRA) == [(BATTERY,), (None,)]
    gateway.kill()
    gateway.start()  # the ring is empty: what was missed is read from the database
    again, _ = native(gateway, since=begin)
    assert again.next_of("device_update")["data"] == json.loads(BATTERY)


def test_a_map_may_name_members_that_a_status_does_not_know(make_gateway, broker, database):
    routes = ("[route lab]\ntopic = lab/{device}/{part}/state\nkind = device_status\n"
              "keep = %s\n\n[map lab]\nstatus = /s\n{part} = /v | number\n")
    gateway = make_gateway()
    populate(gateway)
    gateway.routes = routes % "named"
    gateway.write_conf()
    gateway.start()
    status(broker, "lab/dev-1/fan/state", s="up", v="12.50", more=1)
    database.wait_for("SELECT extra::text FROM device_status_logs", '{"fan": 12.50}')
    gateway.routes = routes % "all"
    gateway.write_conf()
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: " reloaded" in gateway.log(), "the routes to be other ones")
    status(broker, "lab/dev-1/pump/state", s="up", v=3, more=1)
    database.wait_for("SELECT extra ->> 'more' FROM device_status_logs WHERE extra ? 'pump'", "1")
