"""The publishers of three systems on paho-mqtt, of Debian (1.6) or of PyPI (2.1): a scanner of the BLE
people counter, a vehicle, a camera. Each says the time of its own clock, without an offset, sends with
QoS 1 and goes on by itself whenever its broker was away."""
import datetime
import json
import time

import paho.mqtt
import paho.mqtt.client as mqtt

from report import ARGS, SECOND, end_with_input, say

def now():
    return datetime.datetime.now().isoformat()


def scanner(n):
    return "tfg/detections/raw", {
        "device_id": ARGS["code"], "location": "entrance", "timestamp": now(),
        "detections": [{"device_hash": f"{n:064x}", "rssi": -50, "timestamp": now()}]}


def vehicle(n):
    return f"seano/{ARGS['code']}/sensor_log", {
        "sensor_id": 1, "data": {"temperature": 25.5, "humidity": None, "n": n, "timestamp": now()}}


def camera(n):
    return f"surveillance/camera/{ARGS['code']}/event", {
        "camera_id": ARGS["code"], "event_type": "face_recognized", "timestamp": now(),
        "data": {"face_name": f"Person {n}", "confidence": 0.98, "n": n}}


def on_publish(_client, _userdata, mid, *_):
    say("published", mid=mid)


def on_connect(_client, _userdata, _flags, code, *_):
    say("connect", version=paho.mqtt.__version__, ok=code == 0)


def on_disconnect(*_):
    say("disconnect")


def make():
    kept = {"client_id": f"paho-{ARGS['code']}", "clean_session": False}
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **kept)
    return mqtt.Client(**kept)


def main():
    message = {"scanner": scanner, "vehicle": vehicle, "camera": camera}[ARGS["plays"]]
    client = make()
    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_publish = on_publish
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", ARGS["port"], keepalive=ARGS.get("keepalive", 60))
    client.loop_start()
    n = 0
    while True:
        n += 1
        topic, payload = message(n)
        say("sent", n=n, mid=client.publish(topic, json.dumps(payload), qos=1).mid)
        time.sleep(SECOND)


if __name__ == "__main__":
    end_with_input()
    main()
