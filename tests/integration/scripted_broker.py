"""A broker that does what a test tells it to, right or wrong, in MQTT 3.1.1 and 5.

It speaks the version that the client asks for, and is polite by itself: it accepts, says "session
present" to a client id that it has seen before (unless that one asks for a clean start), grants
every filter, answers pings, acknowledges what is published, and lets a canary hear itself. A test
replaces single answers:

    broker.on_subscribe = lambda link, packet: None              # no SUBACK, for ever
    broker.on_connect = lambda link, packet: link.connack(code=1)
    link.suback(packet.packet_id, [0x80])                        # later, wrong, or twice
    link.publish("a/b", b"{}", packet_id=7, dup=True)            # under a packet id of its choice
    link.send(0x90, b"...")                                      # any bytes at all

What came is in broker.packets, in order; broker.wait_for("SUBSCRIBE", 2) waits for it.
"""
import contextlib
import dataclasses
import itertools
import socket
import threading

from waiting import PATIENCE, wait_until

NAMES = {1: "CONNECT", 2: "CONNACK", 3: "PUBLISH", 4: "PUBACK", 5: "PUBREC", 6: "PUBREL",
         7: "PUBCOMP", 8: "SUBSCRIBE", 9: "SUBACK", 10: "UNSUBSCRIBE", 11: "UNSUBACK",
         12: "PINGREQ", 13: "PINGRESP", 14: "DISCONNECT", 15: "AUTH"}

# name: (identifier, how it is written: 1, 2, 4 = bytes, v = variable, s = string, p = pair)
PROPERTIES = {
    "message_expiry": (0x02, 4), "response_topic": (0x08, "s"), "correlation": (0x09, "s"),
    "subscription_id": (0x0b, "v"), "session_expiry": (0x11, 4), "assigned_client_id": (0x12, "s"),
    "server_keep_alive": (0x13, 2), "reason": (0x1f, "s"), "receive_maximum": (0x21, 2),
    "topic_alias_maximum": (0x22, 2), "topic_alias": (0x23, 2), "maximum_qos": (0x24, 1),
    "retain_available": (0x25, 1), "user_property": (0x26, "p"), "maximum_packet_size": (0x27, 4),
    "wildcard_available": (0x28, 1), "subscription_ids_available": (0x29, 1),
    "shared_available": (0x2a, 1), "request_problem_info": (0x17, 1),
    "request_response_info": (0x19, 1), "payload_format": (0x01, 1), "content_type": (0x03, "s"),
}
_BY_ID = {number: (name, how) for name, (number, how) in PROPERTIES.items()}


def number(value, n_bytes):
    return value.to_bytes(n_bytes, "big")


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return number(len(data), 2) + data


def varint(value):
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def properties(values):
    """As they are sent; a list gives a property several times."""
    out = b""
    for name, value in (values or {}).items():
        identifier, how = PROPERTIES[name]
        for one in value if isinstance(value, list) else [value]:
            out += bytes([identifier])
            if how == "s":
                out += text(one)
            elif how == "p":
                out += text(one[0]) + text(one[1])
            else:
                out += varint(one) if how == "v" else number(one, how)
    return varint(len(out)) + out


class Reader:
    """Takes a packet apart."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        out = self.data[self.at:self.at + n]
        assert len(out) == n, "a packet that is too short"
        self.at += n
        return out

    def number(self, n_bytes):
        return int.from_bytes(self.take(n_bytes), "big")

    def text(self):
        return self.take(self.number(2)).decode()

    def varint(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def properties(self):
        end = self.varint()
        end += self.at
        out = {}
        while self.at < end:
            name, how = _BY_ID[self.number(1)]
            if how == "s":
                value = self.take(self.number(2))
            elif how == "p":
                value = (self.text(), self.text())
            else:
                value = self.varint() if how == "v" else self.number(how)
            out[name] = value
        return out

    def rest(self):
        return self.take(len(self.data) - self.at)


@dataclasses.dataclass
class Packet:
    """One that came from the client; only the members of its kind are set."""
    name: str
    flags: int
    link: "Link"
    body: bytes
    packet_id: int = 0
    reason: int = 0
    topic: str = ""
    payload: bytes = b""
    filters: list = dataclasses.field(default_factory=list)
    options: list = dataclasses.field(default_factory=list)  # of the filters: QoS, retain, ...
    properties: dict = dataclasses.field(default_factory=dict)
    client_id: str = ""
    username: str = ""
    clean: bool = False
    keep_alive: int = 0

    @property
    def qos(self):
        return self.flags >> 1 & 3

    @property
    def retain_handling(self):
        return [option >> 4 & 3 for option in self.options]


class Link:
    """One connection of a client."""

    def __init__(self, broker, sock):
        self.broker = broker
        self.socket = sock
        self.version = 4
        self.client_id = ""
        self.is_open = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    # what comes

    def _read(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def _read_packet(self):
        first = self._read(1)[0]
        length = shift = 0
        while True:
            byte = self._read(1)[0]
            length |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        return self._parse(first, self._read(length))

    def _parse(self, first, body):
        packet = Packet(NAMES.get(first >> 4, "?"), first & 15, self, body)
        data = Reader(body)
        if packet.name == "CONNECT":
            self._parse_connect(packet, data)
        elif packet.name == "PUBLISH":
            packet.topic = data.text()
            packet.packet_id = data.number(2) if packet.qos else 0
            packet.properties = data.properties() if self.version == 5 else {}
            packet.payload = data.rest()
        elif packet.name in ("SUBSCRIBE", "UNSUBSCRIBE"):
            packet.packet_id = data.number(2)
            packet.properties = data.properties() if self.version == 5 else {}
            while data.at < len(body):
                packet.filters.append(data.text())
                if packet.name == "SUBSCRIBE":
                    packet.options.append(data.number(1))
        elif packet.name in ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP"):
            packet.packet_id = data.number(2)
            packet.reason = data.number(1) if data.at < len(body) else 0
        elif packet.name == "DISCONNECT":
            packet.reason = body[0] if body else 0
        return packet

    def _parse_connect(self, packet, data):
        data.text()
        self.version = data.number(1)
        flags = data.number(1)
        packet.keep_alive = data.number(2)
        packet.properties = data.properties() if self.version == 5 else {}
        packet.client_id = self.client_id = data.text()
        packet.clean = bool(flags & 2)
        if flags & 4:
            if self.version == 5:
                data.properties()
            data.text()
            data.take(data.number(2))
        packet.username = data.text() if flags & 0x80 else ""

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                self.broker.take(self._read_packet())
        self.is_open = False
        self.close()

    # what goes

    def send(self, first, body=b""):
        """A packet of any first byte and content; nothing is said about a client that is gone."""
        with contextlib.suppress(OSError):
            self.socket.sendall(bytes([first]) + varint(len(body)) + body)

    def _properties(self, values):
        return properties(values) if self.version == 5 else b""

    def connack(self, session_present=False, code=0, **values):
        self.send(0x20, bytes([session_present, code]) + self._properties(values))

    def suback(self, packet_id, codes, **values):
        self.send(0x90, number(packet_id, 2) + self._properties(values) + bytes(codes))

    def unsuback(self, packet_id, codes=(0,), **values):
        body = self._properties(values) + bytes(codes) if self.version == 5 else b""
        self.send(0xb0, number(packet_id, 2) + body)

    def puback(self, packet_id, reason=0):
        self.send(0x40, number(packet_id, 2) + (bytes([reason]) if reason else b""))

    def pingresp(self):
        self.send(0xd0)

    def publish(self, topic, payload, qos=1, packet_id=None, dup=False, retain=False, **values):
        """Returns the packet id: the next one, unless the test chooses."""
        if qos and packet_id is None:
            packet_id = next(self.broker.packet_ids)
        data = payload.encode() if isinstance(payload, str) else payload
        self.send(0x30 | dup << 3 | qos << 1 | retain,
                  text(topic) + (number(packet_id, 2) if qos else b"")
                  + self._properties(values) + data)
        return packet_id

    def disconnect(self, reason=0):
        """The broker's last word (MQTT 5), and the end of the connection."""
        if self.version == 5:
            self.send(0xe0, bytes([reason]))
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class ScriptedBroker:
    """The listener. Answers are given on the thread of the link that asks."""

    def __init__(self):
        self.links = []
        self.packets = []
        self.sessions = set()
        self.packet_ids = itertools.cycle(range(1, 65536))
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.links.append(Link(self, sock))

    def take(self, packet):
        with self._lock:
            self.packets.append(packet)
        answer = getattr(self, "on_" + packet.name.lower(), None)
        if answer:
            answer(packet.link, packet)

    # the polite answers

    def on_connect(self, link, packet):
        is_present = packet.client_id in self.sessions and not packet.clean
        self.sessions.add(packet.client_id)
        link.connack(session_present=is_present)

    def on_subscribe(self, link, packet):
        link.suback(packet.packet_id, [option & 3 for option in packet.options])

    def on_unsubscribe(self, link, packet):
        link.unsuback(packet.packet_id, [0] * len(packet.filters))

    def on_publish(self, link, packet):
        if packet.qos:
            link.puback(packet.packet_id)
        if packet.topic.startswith("tidegate/canary/"):
            link.publish(packet.topic, packet.payload, qos=0)

    def on_pingreq(self, link, packet):
        link.pingresp()

    def on_disconnect(self, link, packet):
        link.close()

    # what a test asks

    def seen(self, name, **members):
        """The packets of that name whose members are as given."""
        with self._lock:
            return [packet for packet in self.packets if packet.name == name
                    and all(getattr(packet, key) == value for key, value in members.items())]

    def wait_for(self, name, count=1, timeout=PATIENCE, **members):
        """The last of at least @count packets of that name."""
        wait_until(lambda: len(self.seen(name, **members)) >= count,
                   f"{count} {name} {members}", timeout)
        return self.seen(name, **members)[count - 1]

    def filters(self, client_id=None):
        """Every filter that was subscribed to, in order, of one client id or of all."""
        return [text for packet in self.seen("SUBSCRIBE") for text in packet.filters
                if client_id in (None, packet.link.client_id)]

    def link(self, client_id=None):
        """The newest connection that is open, of one client id or of any."""
        return wait_until(lambda: next((link for link in reversed(self.links)
                                        if link.is_open and link.client_id
                                        and client_id in (None, link.client_id)), None),
                          "a connection to the scripted broker")

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self.links:
            link.close()
