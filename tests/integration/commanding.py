"""Commanding devices by HTTP, and an MQTT 5 device that is commanded."""
import queue

import paho.mqtt.client as mqtt
import requests
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from waiting import PATIENCE, wait_until

FINAL = ("done", "failed", "expired", "cancelled")


def post(gateway, user, device, body, **headers):
    """POST …/commands as @user; the response."""
    return requests.post(f"{gateway.url}/api/devices/{device}/commands", json=body, timeout=PATIENCE,
                         headers={"Authorization": f"Bearer {gateway.token(user)}", **headers})


def command(gateway, user="ana", device="dev-1", action="SET_MODE", **body):
    """A new command; its id."""
    answer = post(gateway, user, device, {"action": action, **body})
    assert answer.status_code == 202, (answer.status_code, answer.text)
    assert answer.json()["state"] == "accepted"
    return answer.json()["command_id"]


def get(gateway, user, command_id):
    return requests.get(f"{gateway.url}/api/commands/{command_id}", timeout=PATIENCE,
                        headers={"Authorization": f"Bearer {gateway.token(user)}"})


def state(database, command_id):
    return database.value("SELECT state FROM commands WHERE command_id = %s", command_id)


def wait_for_state(database, command_id, *states):
    wait_until(lambda: state(database, command_id) in states,
               f"{command_id} to be {' or '.join(states)}")


def history(database, command_id):
    """The states that it went through, in order."""
    return [row[0] for row in database.rows(
        "SELECT state FROM command_events WHERE command_id = %s ORDER BY seq", command_id)]


class MqttDevice:
    """A device with a persistent MQTT 5 session; keeps the commands that it got."""

    def __init__(self, broker, code, connect=True):
        self.code = code
        self.broker = broker
        self.commands = queue.Queue()
        self.client = mqtt.Client(f"device-{code}", protocol=mqtt.MQTTv5)
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda client, data, message: self.commands.put(message)
        self.subscribed = False
        if connect:
            self.connect()

    def _on_connect(self, *_):
        self.client.subscribe(f"devices/{self.code}/commands", qos=1)

    def connect(self):
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self.subscribed = False
        self.client.on_subscribe = lambda *_: setattr(self, "subscribed", True)
        self.client.connect("127.0.0.1", self.broker.port, clean_start=False, properties=properties)
        self.client.loop_start()
        wait_until(lambda: self.subscribed, "the device to be subscribed")
        return self

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()

    def next(self, timeout=PATIENCE):
        return self.commands.get(timeout=timeout)

    def ack(self, payload):
        self.client.publish(f"devices/{self.code}/commands/ack", payload,
                            qos=1).wait_for_publish(PATIENCE)
