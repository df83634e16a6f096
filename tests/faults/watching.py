"""Who publishes into the gateway and who looks at what comes out, each keeping its own list.

A message is a number n, and n says which thing it is of and of what kind; so what was published,
acknowledged, stored and shown can be compared one by one.
"""
import asyncio
import contextlib
import json
import threading
import time

import paho.mqtt.client as mqtt
import websockets

from waiting import wait_until

N_THINGS = 4
KINDS = ("raw_log", "vehicle_log", "telemetry", "sensor_log")
VEHICLES = [f"USV-{i}" for i in range(N_THINGS)]
DEVICES = [f"dev-{i}" for i in range(N_THINGS)]


def message(n, pad=""):
    """(topic, payload) of message n."""
    kind, thing = KINDS[n % 4], n // 4 % N_THINGS
    if kind == "raw_log":
        return f"seano/{VEHICLES[thing]}/raw_log", f"{n} {pad}"
    if kind == "vehicle_log":
        return f"seano/{VEHICLES[thing]}/vehicle_log", json.dumps({"speed": n, "mode": "AUTO", "pad": pad})
    if kind == "telemetry":
        return f"ems/{DEVICES[thing]}/telemetry", json.dumps({"n": n, "pad": pad})
    return f"seano/{VEHICLES[thing]}/sensor_log", json.dumps({"sensor_id": 1, "data": {"n": n, "pad": pad}})


def number(topic, payload):
    """n of a message that message(n) made; None of any other."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        if topic.endswith("/raw_log"):
            return int(payload.split(b" ")[0])
        value = json.loads(payload)
        if topic.endswith("/vehicle_log"):
            return int(value["speed"])
        return int((value.get("data") or value)["n"])
    return None


def shown_number(frame):
    """n of the message that a frame shows; -1: of a row's own."""
    data = frame["data"]
    if frame["type"] == "raw_log":
        return int(data.split(" ")[0])
    return int(data.get("speed" if frame["type"] == "vehicle_log" else "n", -1))


STORED = """SELECT n FROM (
        SELECT seq, split_part(logs, ' ', 1)::bigint AS n FROM raw_logs
        UNION ALL SELECT seq, speed::bigint FROM vehicle_logs
        UNION ALL SELECT seq, (payload::jsonb->>'n')::bigint FROM telemetry
        UNION ALL SELECT seq, (data->>'n')::bigint FROM sensor_logs) AS stored ORDER BY seq"""


def thing(n):
    return n % 4, n // 4 % N_THINGS


class Load:
    """Publishes message(0), message(1), ... at QoS 1 from a thread of its own."""

    def __init__(self, broker, pad=""):
        self.pad = pad
        self.published = 0
        self._more = 0
        self.resent = set()  # the publisher had to say them again: twice is no fault of the gateway's
        self._pending = {}  # packet id: n, until the broker has it
        self._early = set()  # the broker had it before publish() returned
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self.client = mqtt.Client("load", clean_session=False)
        self.client.max_inflight_messages_set(200)
        self.client.max_queued_messages_set(0)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = self._on_publish
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        wait_until(self.client.is_connected, "the publisher to be connected")

    def _on_disconnect(self, *_):
        with self._lock:
            self.resent |= set(self._pending.values())

    def _on_publish(self, _client, _userdata, packet_id):
        with self._lock:
            if self._pending.pop(packet_id, None) is None:
                self._early.add(packet_id)

    def _publish(self, n):
        packet_id = self.client.publish(*message(n, self.pad), qos=1).mid
        with self._lock:  # not around the call: the client calls back with a lock of its own
            if packet_id in self._early:
                self._early.remove(packet_id)
            else:
                self._pending[packet_id] = n

    def start(self, rate):
        def work():
            begin = time.monotonic()
            first = self.published - self._more
            while not self._stop.is_set():
                due = first + int((time.monotonic() - begin) * rate) + self._more
                while self.published < due:
                    self._publish(self.published)
                    self.published += 1
                self._stop.wait(0.005)
        self._stop.clear()
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def burst(self, n):
        """So many at once, beside the others."""
        self._more += n

    def n_waiting(self):
        """That the broker has not taken yet."""
        return len(self._pending)

    def stop(self):
        """No more; the broker has them all."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        self._thread = None
        wait_until(lambda: not self._pending, "the broker to take what was published", 120)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True, name="followers").start()


class Follower:
    """A native client that subscribes to everything and comes back whenever it is cut off.

    @resumes: from the last cursor that it has; else it only looks on from then on."""

    open_s, pong_s = 10, 60  # how long it waits for a connection, and for an answer to a ping

    def __init__(self, gateway, user, resumes):
        self.gateway = gateway
        self.user = user
        self.resumes = resumes
        self.numbers = []  # as shown, in order
        self.connections = []  # the same, by connection: who has no cursor may see things again
        self.n_connects = 0
        self.n_unrecovered = 0  # it was told that it may have missed something
        self.longest_silence_s = 0.0
        self.cursor = self.first_cursor = None
        self.is_stopped = False
        self._heard_s = None
        self._socket = None
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    async def _run(self):
        while not self.is_stopped:
            with contextlib.suppress(OSError, websockets.WebSocketException, asyncio.TimeoutError):
                await self._follow()
            await asyncio.sleep(0.05)

    def uri(self):
        """Asked anew for each connection."""
        return f"ws://127.0.0.1:{self.gateway.port}/api/ws"

    async def _follow(self):
        headers = {"Authorization": f"Bearer {self.gateway.token(self.user)}"}
        async with websockets.connect(self.uri(), extra_headers=headers, subprotocols=["tidegate.v1"],
                                      max_size=None, max_queue=None, ping_interval=2, ping_timeout=self.pong_s,
                                      open_timeout=self.open_s, close_timeout=1, compression=None) as socket:
            self._socket = socket
            since = {"since": self.cursor} if self.resumes and self.cursor else {}
            await socket.send(json.dumps({"op": "subscribe", "id": 1,
                                          "to": ["vehicle/*", "device/*"], **since}))
            async for text in socket:
                self._take(json.loads(text))
                if self.is_stopped:
                    return

    def _take(self, frame):
        if frame.get("id") == 1:
            self.n_connects += 1
            self.connections.append([])
            if not frame.get("recovered"):
                self.n_unrecovered += 1
            self.cursor = frame.get("cursor") or self.cursor
            self.first_cursor = self.first_cursor or self.cursor
        elif frame.get("type") == "gap":
            self.n_unrecovered += 1
        elif frame.get("type") in KINDS:
            self._hear()
            self.cursor = frame["cursor"] or self.cursor
            n = shown_number(frame)
            if n < 0:
                return  # a row's own message
            self.numbers.append(n)
            self.connections[-1].append(n)

    def _hear(self):
        now = time.monotonic()
        if self._heard_s is not None:
            self.longest_silence_s = max(self.longest_silence_s, now - self._heard_s)
        self._heard_s = now

    def is_connected(self):
        return self.n_connects > 0

    def drop(self):
        """Its connection ends without a word."""
        if self._socket:
            loop.call_soon_threadsafe(self._socket.transport.abort)

    def stop(self):
        self.is_stopped = True
        self._task.cancel()
