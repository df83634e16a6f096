"""Very many viewers in one thread, which read and forget whatever comes."""
import base64
import contextlib
import os
import selectors
import socket
import struct
import threading

N_AT_ONCE = 200  # connects that are under way


class Crowd:
    """WebSockets of one user. @native: they subscribe to nothing, so that nothing is sent to them."""

    def __init__(self, gateway, user, is_native=False):
        self.gateway = gateway
        offer = "Sec-WebSocket-Protocol: tidegate.v1\r\n" if is_native else ""
        key = base64.b64encode(os.urandom(16)).decode()
        self._request = (
            f"GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}"
            f"Authorization: Bearer {gateway.token(user)}\r\n\r\n").encode()
        self.n_open = self.n_refused = self.n_ended = self.n_bytes = 0
        self._n_wanted = 0
        self._opening, self._members = set(), set()
        self._is_over = False
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        threading.Thread(target=self._run, daemon=True).start()

    def grow(self, n):
        """So many more, as fast as it goes."""
        self._n_wanted += n

    def reset(self):
        """Every one of them ends without a word."""
        with self._lock:
            for one in [*self._members, *self._opening]:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._drop(one)
            self.n_open = 0

    def close(self):
        self._is_over = True
        self.reset()

    def _drop(self, one):
        self._members.discard(one)
        self._opening.discard(one)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(one)
        one.close()

    def _connect(self):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", self.gateway.port))
        self._selector.register(one, selectors.EVENT_WRITE)
        self._opening.add(one)
        self._n_wanted -= 1

    def _run(self):
        while not self._is_over:
            with self._lock:
                while self._n_wanted > 0 and len(self._opening) < N_AT_ONCE:
                    self._connect()
            ready = self._selector.select(0.05)
            with self._lock:
                for key, events in ready:
                    if key.fileobj in self._members or key.fileobj in self._opening:
                        self._serve(key.fileobj, events)

    def _serve(self, one, events):
        try:
            if events & selectors.EVENT_WRITE:
                one.sendall(self._request)
                self._selector.modify(one, selectors.EVENT_READ)
                return
            data = one.recv(1 << 18)
        except OSError:
            data = b""
        if one in self._opening:
            self._opening.discard(one)
            if b" 101 " in data[:16]:
                self._members.add(one)
                self.n_open += 1
                return
            self.n_refused += 1
            self._drop(one)
        elif not data:
            self.n_ended += 1
            self.n_open -= 1
            self._drop(one)
        self.n_bytes += len(data)
