"""Who publishes and who looks on, on nv, each keeping its own list."""
import asyncio
import collections
import contextlib
import datetime
import logging
import random
import struct
import threading
import time

import websockets

import watching
from watching import loop
from waiting import wait_until

CONNECT, CONNACK, PUBLISH, PUBACK = 0x10, 0x20, 0x32, 0x40
logging.getLogger("asyncio").setLevel(logging.ERROR)  # who writes to a connection that is over hears so elsewhere
WINDOW = 200       # messages without an acknowledgement
PUBACK_S = 3.0     # without one for so long, the connection is given up
STORY = 20000      # frames of each viewer that are kept beside the logs of a run that failed


def packet(first, body):
    length, rest = b"", len(body)
    while True:
        length += bytes([rest % 128 | (128 if rest > 127 else 0)])
        rest //= 128
        if not rest:
            return bytes([first]) + length + body


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


class Publisher:
    """Says each message of one thing once, at QoS 1, and never again: what the broker has acknowledged is to
    be stored once, and what it did not get to acknowledge may be stored, or not, but not twice."""

    def __init__(self, thing, doors, rate):
        self.thing, self.doors, self.rate = thing, doors, rate
        self.n_said = 0
        self.acknowledged = {}  # number: when
        self.unknown = set()    # the connection ended before
        self.is_held = True     # says nothing
        self.is_away = True     # and keeps no connection
        self.is_stopped = False
        self.is_gone = True     # there is no connection
        self.n_more = 0         # to be said at once
        self._pending = {}
        self._heard_s = 0.0
        self._task = asyncio.run_coroutine_threadsafe(self._run(), loop)

    def number(self):
        """The next, of all kinds in turn; see watching.message()."""
        return 16 * (self.n_said // 4) + 4 * self.thing + self.n_said % 4

    async def _run(self):
        while not self.is_stopped:
            if not self.is_away:
                self.is_gone = False
                with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                    await self._connection()
                self.unknown |= set(self._pending.values())
                self._pending.clear()
            self.is_gone = self.is_away
            await asyncio.sleep(0.1)

    async def _connection(self):
        door = random.choice(self.doors)
        ends = []
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*door), 2)
        try:
            writer.write(packet(CONNECT, text("MQTT") + b"\4\2\0\x3c" + text(f"thing-{self.thing}")))
            first, body = await asyncio.wait_for(self._read(reader), 3)
            if first != CONNACK or body[1]:
                return
            ends = [asyncio.ensure_future(self._hear(reader)), asyncio.ensure_future(self._say(writer))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in ends:
                one.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            writer.transport.abort()

    @staticmethod
    async def _read(reader):
        first, = await reader.readexactly(1)
        length, shift = 0, 0
        while True:
            byte, = await reader.readexactly(1)
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first, await reader.readexactly(length)

    async def _hear(self, reader):
        while True:
            first, body = await self._read(reader)
            self._heard_s = time.monotonic()
            if first == PUBACK:
                n = self._pending.pop(struct.unpack(">H", body[:2])[0], None)
                if n is not None:
                    self.acknowledged[n] = self._heard_s

    async def _say(self, writer):
        due, last = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            due, last = min(due + (now - last) * self.rate, 50) + self.n_more, now
            self.n_more = 0
            if not self._pending:
                self._heard_s = now
            elif now - self._heard_s > PUBACK_S:
                return
            while due >= 1 and not (self.is_held or self.is_away) and len(self._pending) < WINDOW:
                due -= 1
                self._publish(writer)

    def _publish(self, writer):
        n, packet_id = self.number(), self.n_said % 60000 + 1
        topic, payload = watching.message(n)
        self._pending[packet_id] = n
        writer.write(packet(PUBLISH, text(topic) + struct.pack(">H", packet_id) + payload.encode()))
        self.n_said += 1

    def is_quiet(self):
        return not self._pending

    def close(self):
        self.is_stopped = True
        self._task.cancel()


class Publishers:
    def __init__(self, doors, rate):
        self.all = [Publisher(thing, doors, rate / watching.N_THINGS) for thing in range(watching.N_THINGS)]

    def go(self):
        for one in self.all:
            one.is_held = one.is_away = False

    def hold(self):
        """They say nothing, and what they have said is acknowledged, or never will be."""
        for one in self.all:
            one.is_held = True
        wait_until(lambda: all(one.is_quiet() for one in self.all), "the publishers to be quiet")

    def say_at_once(self, n):
        """So many each, beside the others."""
        for one in self.all:
            one.n_more = n

    def are_to_go(self):
        """They do not come back before go(), whoever ends their connections."""
        for one in self.all:
            one.is_away = True

    def wait_gone(self):
        wait_until(lambda: all(one.is_gone for one in self.all), "the publishers to be gone")

    def acknowledged(self):
        return {n: at for one in self.all for n, at in one.acknowledged.copy().items()}  # they go on meanwhile

    def unknown(self):
        return set().union(*(one.unknown for one in self.all))

    def close(self):
        for one in self.all:
            one.close()


class Viewer(watching.Follower):
    """Comes back with its cursor, to the node that it was told to prefer, or to any that takes it."""

    open_s, pong_s = 2, 4

    def __init__(self, nodes, user, thing):
        self.nodes = nodes
        self.thing = thing  # None: sees all
        self.preferred = None
        self._n_tried = 0
        self.n_told = 0     # that something may be missing; the ledger takes it from here
        self.excused = set()  # and that it was
        self.n_again = 0    # shown before it was told, and once more: the next node was not as far
        self._before = set()
        self._forgotten = set()  # of the last step: a node may be some seconds behind, and no more
        self.lives = {}     # of a number: how often it had been told by then
        self._n_lives = 0
        self._taking = threading.Lock()  # the thread that is shown it, and who judges
        self.story = collections.deque(maxlen=STORY)  # to be read where it was shown what it should not have been
        super().__init__(nodes[0], user, True)

    def uri(self):
        first = self.preferred or self.nodes[0]
        order = [first, *(node for node in self.nodes if node is not first)]
        node = order[self._n_tried % len(order)]
        self._n_tried += 1
        self._tell(f"asks {node.name} since {self.cursor}")
        return f"{node.url.replace('http', 'ws')}/api/ws"

    def _take(self, frame):
        with self._taking:
            self._take_one(frame)

    def _tell(self, what):
        self.story.append(f"{datetime.datetime.utcnow().isoformat(timespec='milliseconds')}Z {what}")  # as in the logs

    def _take_one(self, frame):
        n_before = self.n_unrecovered
        self._tell(" ".join(f"{name}={str(value)[:100]}" for name, value in frame.items()))
        super()._take(frame)
        if self.n_unrecovered > n_before and (self.n_connects > 1 or frame.get("type") == "gap"):
            self.n_told += 1
            self._n_lives += 1
            self._before = {*self.numbers, *self._forgotten}
        if frame.get("id") == 1:
            self._n_tried = 0
        if frame.get("type") in watching.KINDS and watching.shown_number(frame) >= 0:
            self._sort(self.numbers[-1])

    def _sort(self, n):
        if n in self._before:
            self._before.remove(n)
            self.numbers.pop()
            self.n_again += 1
        else:
            self.lives[n] = self._n_lives

    def forget(self, floor):
        """What is below."""
        with self._taking:
            self._forgotten = {n for n in self.numbers if n < floor}
            self.numbers = [n for n in self.numbers if n >= floor]
            self.lives = {n: life for n, life in self.lives.items() if n >= floor}

    def move(self, node):
        self.preferred, self._n_tried = node, 0
        self.drop()

    def sees(self, n):
        return self.thing is None or n // 4 % watching.N_THINGS == self.thing
