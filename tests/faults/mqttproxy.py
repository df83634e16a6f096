"""A link between the gateway and its broker that loses, delays and remembers what it is told to.

It reads MQTT's packets (3.1.1 and 5, without TLS) and keeps the books that neither end can be asked
for: what the broker delivered, and what the gateway acknowledged. So "acknowledged" means here what a
promise can be held to: the broker was told that it may forget the message.
"""
import collections
import contextlib
import socket
import threading

from faultproxy import CUT, FREEZE, TO_CLIENT, TO_SERVER, Pipe, each_client

DROP = "drop"
CONNECT, PUBLISH, PUBACK, SUBACK = 1, 3, 4, 9


class Packet:
    def __init__(self, direction, first, body, version):
        self.direction = direction
        self.version = version  # of the connection
        self.kind = first >> 4
        self.qos = first >> 1 & 3
        self.is_dup = bool(first & 8)
        self.body = body

    @property
    def packet_id(self):
        """Of a PUBLISH with QoS, or of its PUBACK."""
        at = 2 + int.from_bytes(self.body[:2], "big") if self.kind == PUBLISH else 0
        return int.from_bytes(self.body[at:at + 2], "big")

    @property
    def topic(self):
        return self.body[2:2 + int.from_bytes(self.body[:2], "big")].decode()

    @property
    def payload(self):
        at = 2 + int.from_bytes(self.body[:2], "big") + (2 if self.qos else 0)
        if self.version == 5:
            length = shift = 0
            while True:
                byte = self.body[at]
                at += 1
                length |= (byte & 0x7f) << shift
                shift += 7
                if byte < 0x80:
                    break
            at += length
        return self.body[at:]


class Link(Pipe):
    """A connection to the broker."""

    def __init__(self, proxy, client):
        super().__init__(proxy, client, socket.create_connection(("127.0.0.1", proxy.target)))
        self.version = 4
        self.in_flight = {}  # packet id: what it carries, as the proxy's owner read it
        self.acked_last = collections.deque(maxlen=64)  # an end that comes now may keep it from the broker
        if not proxy.is_partitioned:
            self.thawed.set()
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.start()

    def _forward(self, direction, sink, data):
        """What is left of @data once its whole packets are through."""
        at = sent = 0
        while True:
            length = shift = 0
            head = 1
            while len(data) > at + head:
                byte = data[at + head]
                head += 1
                length |= (byte & 0x7f) << shift
                shift += 7
                if byte < 0x80:
                    break
            else:
                break
            if len(data) < at + head + length:
                break
            packet = Packet(direction, data[at], data[at + head:at + head + length], self.version)
            what = self._judge(packet)
            if packet.is_dup and packet.kind == PUBLISH and self.proxy.clears_dup:
                data = data[:at] + bytes([data[at] & ~8]) + data[at + 1:]
            if what is not None:
                sink.sendall(data[sent:at])  # all before it arrives
                sent = at
            if what == CUT:
                self.cut()
                raise ConnectionError
            if what == FREEZE:
                self.thawed.clear()
            self._wait_thawed()
            at += head + length
            if isinstance(what, bytes):
                sink.sendall(data[at - head - length:at - length] + what)
                sent = at
            elif what == DROP:
                sent = at
            else:
                self._note(packet)
        self._wait_thawed()
        sink.sendall(data[sent:at])
        return data[at:]

    def cut(self):
        self.proxy.left_open |= {*self.in_flight.values(), *self.acked_last} - {None}
        super().cut()

    def _wait_thawed(self):
        self.thawed.wait()
        if self.is_cut:
            raise ConnectionError

    def _judge(self, packet):
        if packet.kind == CONNECT and packet.direction == TO_SERVER:
            self.version = packet.body[6]
        return self.proxy.judge(packet)

    def _note(self, packet):
        if packet.kind == PUBLISH and packet.direction == TO_CLIENT and packet.qos:
            what = self.proxy.read(packet.topic, packet.payload)
            self.in_flight[packet.packet_id] = what
            if what is not None:
                self.proxy.delivered.setdefault(what, len(self.proxy.delivered))
                if self.proxy.ids.setdefault(what, packet.packet_id) != packet.packet_id:
                    self.proxy.renumbered.add(what)
        elif packet.kind == PUBACK and packet.direction == TO_SERVER:
            what = self.in_flight.pop(packet.packet_id, None)
            if what is not None:
                self.proxy.acknowledged.add(what)
                self.acked_last.append(what)


class MqttProxy:
    """Listens before a broker. Without a rule it only passes on and keeps its books."""

    def __init__(self, target, read):
        """@target: the broker's port. @read(topic, payload) -> what to remember it by, or None."""
        self.target = target
        self.read = read
        self.delivered = {}  # what, and as which it came first
        self.ids = {}  # what, and its packet id
        self.renumbered = set()  # a broker that was restored sent it again under another id
        self.acknowledged = set()
        self.left_open = set()  # delivered, and perhaps not acknowledged before the link ended
        self.delay_s = 0.0
        self.deaf_to = None
        self.links = []
        self.is_refusing = False
        self.clears_dup = False  # as brokers do that send again without it
        self.is_partitioned = False
        self.n_faults = 0
        self._rule = None
        self._n_left = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for client in each_client(self._listener):
            self.links = [link for link in self.links if not link.is_cut]
            try:
                if self.is_refusing:
                    raise ConnectionRefusedError
                self.links.append(Link(self, client))
            except OSError:  # the broker is away: so are we
                client.close()

    def judge(self, packet):
        with self._lock:
            what = self._rule(packet) if self._rule else None
            if what:
                self.n_faults += 1
                self._n_left -= 1
                if self._n_left == 0:
                    self._rule = None
            return what

    def arm(self, rule, times=1):
        """rule(packet) -> None, CUT, FREEZE, DROP or another body of the same length, for each packet
        until it has struck @times."""
        with self._lock:
            self._rule, self._n_left = rule, times
        return self.n_faults

    def cut(self):
        for link in self.links:
            link.cut()

    def freeze(self):
        """Nothing goes in either direction any more, also on new links, and nobody is told."""
        self.is_partitioned = True
        for link in self.links:
            link.thawed.clear()

    def thaw(self):
        self.is_partitioned = False
        for link in self.links:
            link.thawed.set()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


def of(kind, direction, what):
    """The next packet of that kind."""
    return lambda packet: what if (packet.kind, packet.direction) == (kind, direction) else None
