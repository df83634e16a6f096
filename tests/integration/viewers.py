"""WebSocket viewers: a tidy one that collects frames, and a raw one that may misbehave."""
import asyncio
import base64
import json
import os
import socket
import struct
import threading
import time

import websockets

from waiting import PATIENCE

_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, daemon=True, name="viewers").start()


def _run(coroutine, timeout=PATIENCE):
    return asyncio.run_coroutine_threadsafe(coroutine, _loop).result(timeout)


# the lines of a handshake by hand, besides its first and its Host
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")


class Viewer:
    """One WebSocket. Keeps every frame, in order, with the time that it came."""

    def __init__(self, gateway, path, token=None, **kwargs):
        self.frames = []  # texts
        self.closed = None  # (code, reason) once it is over
        self._taken = 0
        self._changed = threading.Condition()
        headers = dict(kwargs.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        tls = kwargs.pop("tls", None)  # a context
        uri = f"{'wss' if tls else 'ws'}://127.0.0.1:{gateway.port}{path}"
        if tls:
            kwargs["ssl"] = tls
        self._socket = _run(self._connect(uri, extra_headers=headers, max_size=None,
                                          ping_interval=None, max_queue=None, open_timeout=PATIENCE,
                                          compression=kwargs.pop("compression", None), **kwargs))
        self._task = asyncio.run_coroutine_threadsafe(self._read(), _loop)

    @staticmethod
    async def _connect(uri, **kwargs):
        return await websockets.connect(uri, **kwargs)

    async def _read(self):
        try:
            async for text in self._socket:
                with self._changed:
                    self.frames.append(text)
                    self._changed.notify_all()
        except websockets.ConnectionClosed:
            pass
        with self._changed:
            self.closed = (self._socket.close_code, self._socket.close_reason)
            self._changed.notify_all()

    def send(self, message):
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        _run(self._socket.send(text))

    def next(self, timeout=PATIENCE):
        """The next frame as text."""
        with self._changed:
            ok = self._changed.wait_for(
                lambda: len(self.frames) > self._taken or self.closed, timeout)
            assert len(self.frames) > self._taken, \
                f"no frame in {timeout} s" if not ok else f"closed: {self.closed}"
            self._taken += 1
            return self.frames[self._taken - 1]

    def next_json(self, timeout=PATIENCE):
        return json.loads(self.next(timeout))

    def next_of(self, *types, timeout=PATIENCE):
        """The next frame of one of the types; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            frame = json.loads(self.next(max(0.01, deadline - time.monotonic())))
            if frame.get("type") in types:
                return frame

    def wait_for(self, predicate, what, timeout=PATIENCE):
        """Until predicate(list of all texts) holds."""
        with self._changed:
            ok = self._changed.wait_for(lambda: predicate(self.frames) or self.closed, timeout)
            assert predicate(self.frames), \
                f"{what}: {len(self.frames)} frames, the last {[t[:300] for t in self.frames[-1:]]}, " \
                f"closed {self.closed}, in time: {ok}"

    def rest(self):
        """Whatever has come and was not taken, parsed."""
        with self._changed:
            texts, self._taken = self.frames[self._taken:], len(self.frames)
        return [json.loads(t) for t in texts]

    def wait_closed(self, timeout=PATIENCE):
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed, timeout), "the socket stays open"
        return self.closed

    def close(self):
        if not self.closed:
            _run(self._socket.close())


def refused(gateway, path, token=None, headers=None):
    """The status with which an upgrade is refused."""
    try:
        Viewer(gateway, path, token, headers=headers or {}).close()
    except websockets.InvalidStatusCode as error:
        return error.status_code
    return 101


class RawViewer:
    """A socket that upgrades and then does only what it is told: for viewers that do not read."""

    def __init__(self, gateway, path, token=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", gateway.port))
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(1)
            assert data, f"refused: {head!r}"
            head += data
        self.status = int(head.split()[1])
        assert self.status == 101, head
        self.buffer = b""

    def _take(self, n):
        while len(self.buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def frame(self):
        """(opcode, payload) of the next frame."""
        first, second = self._take(2)
        n = second & 127
        if n == 126:
            (n,) = struct.unpack("!H", self._take(2))
        elif n == 127:
            (n,) = struct.unpack("!Q", self._take(8))
        return first & 15, self._take(n)

    def close_code(self):
        """Reads on to the end: the code of the close frame, or None."""
        try:
            while True:
                opcode, payload = self.frame()
                if opcode == 8:
                    return struct.unpack("!H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionError):
            return None

    def close(self):
        self.socket.close()
