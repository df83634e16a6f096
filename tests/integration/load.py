"""A publisher that knows exactly what it has published: numbered messages at QoS 1."""
import threading
import time

import paho.mqtt.client as mqtt

from waiting import PATIENCE, wait_until


class Publisher:
    """Publishes from a thread of its own until stopped; self.sent is what the broker has taken."""

    def __init__(self, broker, client_id="load", username=None, password=None):
        self.client = mqtt.Client(client_id, clean_session=False)
        if username:
            self.client.username_pw_set(username, password)
        self.client.max_inflight_messages_set(200)
        self.client.max_queued_messages_set(0)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        wait_until(self.client.is_connected, "the publisher to be connected")
        self.pending = []
        self.n_sent = 0
        self._stop = threading.Event()
        self._thread = None
        self._error = None

    def publish(self, topic, payload):
        self.pending.append(self.client.publish(topic, payload, qos=1))

    def run(self, message, rate):
        """Start publishing message(n) -> (topic, payload) for n = 0, 1, 2, ..."""
        self._thread = threading.Thread(target=self._work, args=(message, rate), daemon=True)
        self._thread.start()

    def _work(self, message, rate):
        begin = time.monotonic()
        while not self._stop.is_set():
            due = int((time.monotonic() - begin) * rate)
            while self.n_sent < due and not self._stop.is_set():
                self.publish(*message(self.n_sent))
                self.n_sent += 1
            self._stop.wait(0.005)

    def stop(self):
        """No more; returns how many were published, all acknowledged by the broker."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        self.flush()
        return self.n_sent

    def flush(self):
        for info in self.pending:
            info.wait_for_publish(PATIENCE)
            assert info.is_published()
        self.pending.clear()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
