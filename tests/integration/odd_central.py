"""A central gateway by the wire contract, or beside it: each connection to it is for the next of its scripts."""
import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading

from faultproxy import each_client
from waiting import PATIENCE

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, reserved=0, masked=False, n=None):
    """@n: what its head says of its length."""
    payload = payload if isinstance(payload, bytes) else payload.encode()
    n = len(payload) if n is None else n
    size = bytes([n]) if n < 126 else struct.pack(">BH", 126, n) if n < 1 << 16 else struct.pack(">BQ", 127, n)
    size = bytes([size[0] | masked << 7]) + size[1:]
    return bytes([fin << 7 | reserved << 4 | opcode]) + size + (b"\0\0\0\0" if masked else b"") + payload


class Talk:
    """One connection of an edge."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def take(self, n):
        while len(self.buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def request(self):
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536) or b"\r\n\r\n"
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])

    def upgrade(self):
        accept = base64.b64encode(hashlib.sha1((self.request()["Sec-WebSocket-Key"] + GUID).encode()).digest()).decode()
        self.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept}\r\n\r\n")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def next(self):
        """(opcode, payload) of what the edge says."""
        first, size = self.take(2)
        assert size & 0x80, "a client masks what it says"
        n = size & 0x7f
        if n >= 126:
            n = int.from_bytes(self.take(2 if n == 126 else 8), "big")
        mask, payload = self.take(4), self.take(n)
        key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
        return first & 15, (int.from_bytes(payload, "big") ^ key).to_bytes(n, "big")

    def say(self, **message):
        self.send(frame(TEXT, json.dumps(message, separators=(",", ":"))))

    def welcome(self, position=0, window=4 << 20, **more):
        """Lets it in; its hello."""
        self.upgrade()
        opcode, hello = self.next()
        assert opcode == TEXT
        self.say(type="welcome", position=position, format=1, max_bytes=1 << 20, window=window, **more)
        return json.loads(hello)

    def next_batch(self):
        """[(number, payload)] of the next one; what comes between is passed over."""
        while True:
            opcode, payload = self.next()
            if opcode == BINARY:
                return list(records(payload))

    def closes(self):
        """(code, reason) with which the edge ends it."""
        while True:
            opcode, payload = self.next()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def records(batch):
    at = 20
    for _ in range(struct.unpack_from("<I", batch, 16)[0]):
        seq, _, _, _, n_topic, n = struct.unpack_from("<QqBBHI", batch, at)
        at += 24 + n_topic
        yield seq, batch[at:at + n]
        at += n


def stores_all(talk):
    """As a central gateway does, until the edge is gone."""
    talk.welcome(talk.central.stored[-1][0] if talk.central.stored else 0)
    while True:
        talk.central.stored += talk.next_batch()
        talk.say(type="stored", position=talk.central.stored[-1][0])


class OddCentral:
    """@scripts: functions of a Talk. Whoever connects after the last of them meets stores_all()."""

    def __init__(self, *scripts, is_narrow=False):
        """@is_narrow: little fits into what is on its way, as where no loopback is between."""
        self.scripts = list(scripts)
        self.stored = []  # (number, payload)
        self.faults = []  # of scripts
        self.listener = socket.create_server(("127.0.0.1", 0))
        if is_narrow:
            self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.port = self.listener.getsockname()[1]
        self.talks = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for client in each_client(self.listener):
            talk = Talk(client)
            talk.central = self
            self.talks.append(talk)
            script = self.scripts.pop(0) if self.scripts else stores_all
            threading.Thread(target=self._run, args=(script, talk), daemon=True).start()

    def _run(self, script, talk):
        try:
            with contextlib.suppress(EOFError, OSError):
                script(talk)
        except Exception as fault:  # for the test to see
            self.faults.append(fault)
        talk.socket.close()

    def close(self):
        self.listener.close()
        for talk in self.talks:
            with contextlib.suppress(OSError):
                talk.socket.shutdown(socket.SHUT_RDWR)
