"""The edge of a Tidegate: what a device sends is kept until it has arrived, and commands are obeyed once."""
import datetime
import json
import logging
import pathlib
import queue
import sqlite3
import threading
import urllib.parse

from .backoff import Backoff
from .buffer import OLDEST, Buffer
from .letters import Letters, Suspicion

LOG = logging.getLogger("tidegate_edge")

#: Where a kind of message goes (docs/protocol.md, section 1).
TOPICS = {
    "telemetry": "ems/{device}/telemetry",
    "status": "devices/{device}/status",
    "alert": "devices/{device}/alert",
}
MAX_BYTES = 60_000  #: of a message: below what the gateway takes, and brokers
COMMANDS = "devices/{device}/commands"
ACK = "devices/{device}/commands/ack"


def now():
    """The time as a message says it: RFC 3339, UTC, milliseconds."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Edge:
    """A device.

    @url: mqtt://, mqtts://, ws:// or wss://, with user and password for a broker where it asks for them. @token: of the
    device, for a WebSocket: a text, or the path of a file. @buffer: the file that keeps what has not arrived; the other
    arguments are those of Buffer. @topics: other ones for kinds. @ca: authorities to trust, where they are not the
    system's. By MQTT the broker says `offline` for a device that breaks off.

    What was sent arrives at least once, in order. After kill -9, and after a connection that broke, what was on its way
    may arrive twice: at most @window messages. By WebSocket at most @rate messages go a second (ws.messages_per_second).
    A message at which the other side ends the connection @refusals times in a row, when it is alone on its way, goes
    into the file @buffer.refused (@letters counts), and the others go on."""

    def __init__(self, url, device, token=None, buffer=None, keep=OLDEST, topics=None, ca=None, window=20, rate=40,
                 refusals=5, **limits):
        self.url = urllib.parse.urlsplit(url)
        self.device = device
        self._token = token
        self.ca = ca
        self._window = window
        self.rate = rate
        self.topics = {kind: topic.format(device=device) for kind, topic in {**TOPICS, **(topics or {})}.items()}
        self.commands_topic = COMMANDS.format(device=device)
        self.ack_topic = ACK.format(device=device)
        self.backoff = Backoff()
        self.buffer = Buffer(buffer or f"{device}.buffer", keep, **limits)
        self.letters = Letters(f"{self.buffer.path}.refused")
        self._suspicion = Suspicion(refusals)
        self.is_connected = False
        self._handlers = {}
        self._orders = queue.Queue(100)
        self._threads = []
        self._is_over = threading.Event()
        self._way = self._make_way()

    def _make_way(self):
        if self.url.scheme in ("mqtt", "mqtts"):
            from .mqtt import Mqtt  # pylint: disable=import-outside-toplevel  # the other way needs no paho
            return Mqtt(self)
        if self.url.scheme in ("ws", "wss"):
            from .websocket import WebSocket  # pylint: disable=import-outside-toplevel  # nor this one websockets
            return WebSocket(self)
        raise ValueError(f"{self.url.scheme}:// is none of mqtt, mqtts, ws and wss")

    # ---- what the device does ----

    def send(self, data, kind="telemetry"):
        """False: there is no room, and it is dropped. ValueError: it is too large, or has a NaN, which no JSON can hold. An
        object without a time gets that of now, as it may wait."""
        if not self._way.takes(kind):
            raise ValueError(f"{kind} does not go by {self.url.scheme}")
        if isinstance(data, dict) and kind != "status" and "timestamp" not in data:
            data = {**data, "timestamp": now()}
        payload = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
        if len(payload) > MAX_BYTES:
            raise ValueError(f"{len(payload)} bytes are too many for a message ({MAX_BYTES})")
        is_kept = self.buffer.add(self.topics[kind], payload)
        self._way.wake()
        return is_kept

    def command(self, action):
        """Decorates what obeys @action: it gets the payload; what it returns is the message of the answer, what it
        raises that of a failure. In a thread of its own, one command after another."""
        def keep(handler):
            self._handlers[action] = handler
            return handler
        return keep

    def start(self):
        self._threads = [threading.Thread(target=self._obey, name="commands", daemon=True),
                         threading.Thread(target=self._way.run, name="gateway", daemon=True)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self, timeout=10):
        """What has not arrived stays in the buffer."""
        self._is_over.set()
        try:
            self._orders.put_nowait(None)
        except queue.Full:
            pass  # who obeys ends behind the last of them
        self._way.stop()
        for thread in self._threads:
            thread.join(timeout)
        self.buffer.close()

    def flush(self, timeout=None):
        """Waits until all has arrived. False: not in @timeout seconds."""
        waited = threading.Event()
        step, left = 0.02, timeout
        while len(self.buffer) > 0:
            if left is not None and left <= 0:
                return False
            waited.wait(step)
            left = None if left is None else left - step
        return True

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- what its ways do ----

    @property
    def token(self):
        """As it is now: a file may have another one since."""
        return self._token.read_text().strip() if isinstance(self._token, pathlib.Path) else self._token

    @property
    def window(self):
        return 1 if self.is_wary else self._window

    @property
    def is_wary(self):
        """One that is on its way may be what ends connections: each goes alone."""
        return self._suspicion.is_wary

    def arrived(self, ids):
        self._suspicion.arrived()
        self.buffer.arrived(ids)

    def ended(self, messages, reason):
        """The other side was there, and has ended the connection with @messages on their way."""
        refused = None if self.is_over else self._suspicion.ended([message.id for message in messages])
        self.backoff.n_failed = max(self.backoff.n_failed, self._suspicion.n)
        if refused is None:
            return
        if self.letters.add(now(), messages[0], str(reason)):
            LOG.error("a message of %d bytes to %s is not taken (%s): it is in %s", len(messages[0].payload),
                      messages[0].topic, reason, self.letters.path)
            self.buffer.arrived([refused])
        self._suspicion.arrived()

    def wait(self):
        """Before the next attempt. False: it is over."""
        return not self._is_over.wait(self.backoff.failed())

    @property
    def is_over(self):
        return self._is_over.is_set()

    def ordered(self, text):
        """A command came. What is none is passed over."""
        try:
            order = json.loads(text)
            if not all(isinstance(order[name], str) for name in ("command_id", "action")):
                raise TypeError("command_id and action are texts")
            order["command_id"].encode()  # what is half a character cannot be noted
            self._orders.put_nowait(order)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            LOG.warning("no command: %r (%s)", text[:200], error)
        except queue.Full:
            LOG.warning("too many commands wait: %s has to come again", order["command_id"])

    # ---- commands ----

    def _obey(self):
        while not (self.is_over and self._orders.empty()):
            order = self._orders.get()
            if order is None:
                return
            try:
                self._obey_one(order)
            except sqlite3.Error as error:
                LOG.error("the buffer fails: %s is not answered (%s)", order["command_id"], error)

    def _obey_one(self, order):
        command_id = order["command_id"]
        answer = self.buffer.begin_command(command_id)
        if answer is None:
            answer = self._answer(order)
            self.buffer.end_command(command_id, answer)
        elif not answer:  # we were killed while we obeyed
            answer = self._say(command_id, "error", "interrupted: whether it was done is not known")
        self.buffer.add(self.ack_topic, answer, is_urgent=True)
        self._way.wake()

    @staticmethod
    def _say(command_id, status, message=None):
        said = {"command_id": command_id, "status": status}
        if message is not None:
            said["message"] = str(message)[:1000]
        return json.dumps(said).encode()

    def _answer(self, order):
        handler = self._handlers.get(order["action"])
        if not handler:
            return self._say(order["command_id"], "error", f"no such action: {order['action']}")
        try:
            return self._say(order["command_id"], "ok", handler(order.get("payload") or {}))
        except Exception as error:  # pylint: disable=broad-except  # whatever it is, who ordered it is told
            LOG.exception("%s failed", order["action"])
            return self._say(order["command_id"], "error", error or type(error).__name__)
