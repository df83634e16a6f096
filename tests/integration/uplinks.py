"""A gateway at the edge as the wire contract has it, without a gateway: for what a real one would not do."""
import functools
import json
import struct

from viewers import Viewer


@functools.cache
def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def crc32c(data):
    """As RFC 3720 has it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def record(seq, received_us, topic, payload, retained=False):
    topic, payload = topic.encode(), payload if isinstance(payload, bytes) else payload.encode()
    return struct.pack("<QqBBHI", seq, received_us, retained, 0, len(topic), len(payload)) + topic + payload


def batch(after, records, n=None, crc=None):
    body = struct.pack("<QI", after, len(records) if n is None else n) + b"".join(records)
    return b"TGU1" + struct.pack("<I", crc32c(body) if crc is None else crc) + body


class Edge:
    """One connection. Its messages are welcome, and then positions. runs: [(name, the number behind which it begins)]."""

    def __init__(self, gateway, token, code="boat", journal="00000000000000a1", hello=True, runs=None):
        self.socket = Viewer(gateway, f"/ws/uplink/{code}", token)
        self.position = self.told = 0
        self.is_copied = False  # as it was told
        if hello:
            said = {} if runs is None else {"runs": [f"{name:016x}:{after}" for name, after in runs]}
            self.say({"type": "hello", "format": 1, "journal": journal, **said})
            self.position = self.told = self.welcome()["position"]

    def say(self, message):
        self.socket.send(json.dumps(message))

    def welcome(self):
        message = json.loads(self.socket.next())
        assert message["type"] == "welcome" and message["format"] == 1, message
        return message

    def bring(self, *records):
        """Batches of what record() has been told, behind what was brought before."""
        self.socket.send(batch(self.position, [record(*one) for one in records]))
        self.position = records[-1][0]

    def wait_stored(self, seq=None):
        """Until the position is at least that, or that of all that was brought."""
        while self.told < (self.position if seq is None else seq):
            message = json.loads(self.socket.next())
            if message == {"type": "copied"} and not self.is_copied:
                self.is_copied = True
                continue
            assert message["type"] == "stored" and message["position"] > self.told, message
            self.told = message["position"]
        return self.told

    def close(self):
        self.socket.close()
