"""A client of bare bytes: sends what it is told, cut where it is told, and tells what came back.

It knows HTTP/1 and RFC 6455 just so far as to tell where an answer or a frame ends.
"""
import contextlib
import json
import socket
import struct
import zlib

from waiting import PATIENCE

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # the example of RFC 6455, and what is accepted for it:
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x01\x02\x83\x04"


def dial(gateway, data=b""):
    s = socket.create_connection(("127.0.0.1", gateway.port), PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(data)
    return s


def handshake(path="/ws", token=None, protocol=None, extensions=None, **changes):
    """The bytes of an upgrade; changes: Header_Name=value, None leaves it out, a list repeats it."""
    fields = {"Host": "a", "Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY,
              "Sec-WebSocket-Protocol": protocol, "Sec-WebSocket-Extensions": extensions,
              "Authorization": token and f"Bearer {token}"}
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"GET {path} HTTP/1.1"]
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{name}: {one}" for one in values if one is not None]
    return "\r\n".join([*lines, "", ""]).encode()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=MASK, size=None, length=None):
    """As a client sends it. size: 7, 16 or 64 bits of length, however many it needs; mask None: none."""
    payload = payload if isinstance(payload, bytes) else payload.encode()
    n = len(payload) if length is None else length
    size = size or (7 if n < 126 else 16 if n < 65536 else 64)
    masked = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    head += {7: lambda: bytes([masked | n]),
             16: lambda: bytes([masked | 126]) + struct.pack(">H", n),
             64: lambda: bytes([masked | 127]) + struct.pack(">Q", n)}[size]()
    if mask is None:
        return head + payload
    whole = (mask * (len(payload) // 4 + 1))[:len(payload)]
    body = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return head + mask + body.to_bytes(len(payload), "big")


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


def fragments(opcode, payload, n, rsv=0):
    """A message in frames of n bytes."""
    payload = payload if isinstance(payload, bytes) else payload.encode()
    parts = [payload[at:at + n] for at in range(0, len(payload), n)] or [b""]
    return [frame(opcode if i == 0 else CONTINUATION, part, fin=i == len(parts) - 1,
                  rsv=rsv if i == 0 else 0) for i, part in enumerate(parts)]


def deflated(payload):
    """As permessage-deflate has it: without the four bytes that end each message."""
    packer = zlib.compressobj(wbits=-15)
    payload = payload if isinstance(payload, bytes) else payload.encode()
    packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed[:-4]


def inflated(packed):
    return zlib.decompressobj(wbits=-15).decompress(packed + b"\0\0\xff\xff")


class Head:
    """Status line and fields of an answer."""

    def __init__(self, text):
        first, *lines = text.decode("latin-1").split("\r\n")
        self.text, self.first = text, first
        assert first.startswith("HTTP/1.1 "), first
        self.status = int(first.split()[1])
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name):
        """Its value, where it is there once; None where it is not."""
        values = self.all(name)
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None

    def words(self, name):
        return [word.strip().lower() for value in self.all(name) for word in value.split(",")]


class Raw:
    """One connection."""

    def __init__(self, gateway, data=b""):
        self.socket = dial(gateway, data)
        self.rest = b""
        self.head = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *pieces):
        """Each by a write of its own. A peer that has hung up is told from one that has not later."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self.socket.sendall(piece)

    def send_bytewise(self, data):
        self.send(*(data[at:at + 1] for at in range(len(data))))

    def finish(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def _more(self):
        """False at the end. A reset is none: what was written to us must not be lost."""
        data = self.socket.recv(65536)
        self.rest += data
        return bool(data)

    def take(self, n):
        while len(self.rest) < n:
            if not self._more():
                raise EOFError(f"{len(self.rest)} of {n} bytes: {self.rest[:200]!r}")
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def at_end(self):
        """Nothing more comes, and it ends."""
        return not self.rest and not self._more()

    # ---- HTTP

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            if not self._more():
                raise EOFError(f"no answer: {self.rest[:200]!r}")
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        return Head(text)

    def answer(self, is_head=False):
        """The next answer: (head, body). It must be framed as RFC 9112 6 has it."""
        head = self.read_head()
        if head.status < 200:
            return head, b""
        length, coding = head.one("Content-Length"), head.one("Transfer-Encoding")
        assert length is None or coding is None, head.text
        if head.status in (204, 304):
            assert length is None and coding is None, head.text
            return head, b""
        if is_head:
            return head, b""
        if length is not None:
            return head, self.take(int(length))
        assert coding == "chunked", head.text
        body = b""
        while True:
            n = int(self._line(), 16)
            body += self.take(n)
            assert self._line() == b"", "a chunk ends with its line"
            if n == 0:
                return head, body

    def _line(self):
        while b"\r\n" not in self.rest:
            if not self._more():
                raise EOFError(f"half a line: {self.rest[:200]!r}")
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    # ---- WebSocket

    def read_handshake(self):
        self.head = self.read_head()
        assert self.head.status == 101, self.head.text
        assert self.head.one("Sec-WebSocket-Accept") == ACCEPT, self.head.text
        return self.head

    def frame(self):
        """(first byte, payload) of the next frame."""
        first, second = self.take(2)
        assert second < 128, "a frame from a server is not masked"
        n = second
        if n == 126:
            (n,) = struct.unpack(">H", self.take(2))
        elif n == 127:
            (n,) = struct.unpack(">Q", self.take(8))
        return first, self.take(n)

    def message(self):
        """(kind, payload) of the next message or control frame that is no PING."""
        kind, whole, packed = None, b"", False
        while True:
            first, payload = self.frame()
            opcode = first & 15
            if opcode == PING:
                continue
            if opcode >= CLOSE:
                assert first & 0xf0 == 0x80 and len(payload) < 126
                return opcode, payload
            if opcode != CONTINUATION:
                kind, packed = opcode, bool(first & 0x40)
            whole += payload
            if first & 0x80:
                return kind, inflated(whole) if packed else whole

    def next_json(self):
        kind, payload = self.message()
        assert kind == TEXT, (kind, payload)
        return json.loads(payload)

    def closed(self, within_a_frame=False):
        """The code of the close frame, 1005 where it has none; whatever came before is passed over.
        It is answered, where that would not be read as payload, and behind it there is but the end."""
        kind, payload = self.message()
        while kind != CLOSE:
            kind, payload = self.message()
        if within_a_frame:
            self.finish()
        else:
            self.send(frame(CLOSE, payload[:2]))
        assert self.at_end()
        if not payload:
            return 1005
        payload[2:].decode()
        return struct.unpack(">H", payload[:2])[0]
