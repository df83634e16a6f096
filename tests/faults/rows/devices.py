"""Devices that behave as devices do."""
import json

import paho.mqtt.client as mqtt

import watching
from matrix import again, row
from waiting import wait_until


WILLS = "SELECT count(*) FROM device_status_logs WHERE status = 'offline'"


@row("last wills of devices that are cut off")
def last_wills(world):
    for _ in again(world, 3, 20):
        before = world.database.value(WILLS)
        made = []
        for device in watching.DEVICES:
            client = mqtt.Client(f"device-{device}")
            client.will_set(f"devices/{device}/status", "offline", qos=1)
            client.connect("127.0.0.1", world.broker.port)
            client.loop_start()
            wait_until(client.is_connected, "the device")
            client.publish(f"devices/{device}/status", '{"status":"online"}', qos=1).wait_for_publish(10)
            made.append(client)
        for client in made:
            client.loop_stop()
            client._sock_close()  # without DISCONNECT: the broker speaks for it
        wait_until(lambda: world.database.value(WILLS) == before + len(watching.DEVICES), "all wills to be heard", 30)


@row("clocks of devices that are years, hours and seconds off")
def clocks(world):
    client = mqtt.Client("clocks")
    client.connect("127.0.0.1", world.broker.port)
    client.loop_start()
    sent = []
    for stamp in ("1970-01-01T00:00:07Z", "2038-01-19T03:14:08Z", "1999-08-22T00:00:00Z", 12345,
                  "2026-02-30T25:61:00Z", None, "", 1e300, -1, {"a": 1}):
        for vehicle in watching.VEHICLES:
            sent.append(client.publish(f"seano/{vehicle}/sensor_log", json.dumps(
                {"sensor_id": 9, "data": {"odd": 1, "timestamp": stamp}}), qos=1))
    for one in sent:
        one.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    world.wait_flow()
    world.complain_if(world.database.value("SELECT count(*) FROM sensor_logs WHERE sensor_id = 9"
                                           " AND time > now() + interval '1 hour'"),
                      "a time that is ahead was believed")
    world.database.rows("DELETE FROM sensor_logs WHERE sensor_id = 9")


@row("a burst of some thousand at once", rate=100)
def burst(world):
    for _ in again(world, 2, 10):
        world.load.burst(3000)
        world.wait_flow(1000)
