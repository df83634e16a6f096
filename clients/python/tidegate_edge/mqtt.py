"""By MQTT, with paho-mqtt 1.6 and 2."""
import logging
import sqlite3
import threading
import urllib.parse

import paho.mqtt.client as paho

LOG = logging.getLogger("tidegate_edge")

_KEEPALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}


def _client(**how):
    if hasattr(paho, "CallbackAPIVersion"):  # 2.x
        return paho.Client(paho.CallbackAPIVersion.VERSION1, **how)
    return paho.Client(**how)


def _plain(text):
    """What is escaped in an address, as it is: None for None."""
    return text and urllib.parse.unquote(text)


class Mqtt:
    """A session that the broker keeps: commands wait there while we are away. Of what we send nothing is kept by paho: a
    connection that breaks gives all of it back to the buffer."""

    def __init__(self, edge):
        self.edge = edge
        self._sent = {}  # packet id -> message
        self._is_proven = False  # the broker has answered on this connection
        self._early = set()  # packet ids that were answered before publish() has said which they are
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._client = None

    def takes(self, kind):
        return kind in self.edge.topics

    def wake(self):
        self._due.set()

    def stop(self):
        self._due.set()

    def run(self):
        while not self.edge.is_over:
            try:
                self._session()
            except (OSError, ValueError, sqlite3.Error) as error:
                LOG.warning("the broker cannot be reached, or the buffer not read: %s", error)
            self.edge.is_connected = False
            with self._lock:
                sent = list(self._sent.values()) if self._is_proven else []
                self._sent.clear()
            self.edge.ended(sent, "the broker ends the connection")
            self.edge.buffer.give_back()
            if not self.edge.wait():
                break

    def _session(self):
        url = self.edge.url
        client = _client(client_id=f"tidegate-edge-{self.edge.device}", clean_session=False)
        ended = threading.Event()

        client.suppress_exceptions = True  # what a callback raises does not end the thread that hears
        client.enable_logger(LOG)
        if url.username:
            client.username_pw_set(_plain(url.username), _plain(url.password))
        if url.scheme == "mqtts":
            client.tls_set(ca_certs=self.edge.ca)
        with self._lock:
            self._sent.clear()
            self._early.clear()
            self._is_proven = False

        def over(*_):
            ended.set()
            self._due.set()

        client.on_connect = self._connected
        client.on_subscribe = lambda *_: self._prove()
        client.on_message = lambda _client, _data, message: self.edge.ordered(message.payload)
        client.on_publish = lambda _client, _data, packet, *_: self._arrived(packet)
        client.on_disconnect = over
        client.will_set(self.edge.topics["status"], "offline", qos=1)
        client.connect(url.hostname, url.port or _PORTS[url.scheme], keepalive=_KEEPALIVE_S)
        client.loop_start()
        try:
            while not ended.is_set() and not self.edge.is_over:
                self._due.wait()
                self._due.clear()
                if self.edge.is_connected and not ended.is_set():
                    self._send(client)
            if self.edge.is_over and not ended.is_set():
                client.disconnect()
        finally:
            client.loop_stop()

    def _connected(self, client, _data, _flags, code, *_):
        if code != 0:
            LOG.warning("the broker refuses us: %s", paho.connack_string(code))
            client.disconnect()
            return
        self.edge.backoff.worked()
        client.subscribe(self.edge.commands_topic, qos=1)
        self.edge.is_connected = True
        self._due.set()

    def _prove(self):
        self._is_proven = True
        self._due.set()

    def _send(self, client):
        while self._is_proven or not self.edge.is_wary:
            with self._lock:
                room = self.edge.window - len(self._sent)
            messages = self.edge.buffer.take(room) if room > 0 else []
            if not messages:
                return
            for message in messages:
                info = client.publish(message.topic, message.payload, qos=1)
                with self._lock:
                    self._sent[info.mid] = message
                    is_early = info.mid in self._early
                    self._early.discard(info.mid)
                if is_early:
                    self._arrived(info.mid)

    def _arrived(self, packet):
        with self._lock:
            one = self._sent.pop(packet, None)
            if one is None:
                self._early.add(packet)
                return
        self.edge.arrived([one.id])
        self._due.set()
