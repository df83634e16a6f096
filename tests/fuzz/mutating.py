"""What rude clients send: the corpus of the target `entrance`, and what becomes of it."""
import re

NUMBERS = (b"0", b"-1", b"1", b"255", b"65535", b"65536", b"2147483648", b"9223372036854775807",
           b"18446744073709551616", b"1e308", b"NaN", b"0x10", b"00")
WORDS = (b"\r\n", b"\n", b"\0", b"\xff", b"%00", b"%", b"..", b"//", b"\xed\xa0\x80", b"\\u0000", b'"', b"{", b"[",
         b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
         b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"X-Forwarded-For: ::1\r\n", b"HTTP/1.0", b" ", b"\t",
         b"Authorization: Bearer $a\r\n", b"Authorization: Bearer $r\r\n", b"X-API-Key: $d\r\n",
         b'{"op":"ping"}', b'"$r"', b"id:1", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
FLAG_LINES = 1
MAX_BYTES = 60000


def frame(payload, first=0x81, mask=b"\1\2\3\4"):
    n = len(payload)
    head = bytes([first, 0x80 | n]) if n < 126 else bytes([first, 0xfe, n >> 8 & 255, n & 255])
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


def frames(data):
    """Opcode and payload of the whole, uncompressed frames of a server."""
    while len(data) >= 2:
        n, skip = data[1] & 127, 2
        if n == 126:
            n, skip = int.from_bytes(data[2:4], "big"), 4
        elif n == 127:
            n, skip = int.from_bytes(data[2:10], "big"), 10
        if data[1] & 0x80 or data[0] & 0x30:
            raise ValueError(f"no frame of a server: {data[:16]!r}")
        if len(data) < skip + n:
            return
        if data[0] & 0xc0 == 0x80:
            yield data[0] & 15, data[skip:skip + n]
        data = data[skip + n:]


class Mutator:
    def __init__(self, *folders):
        self.seeds = [path.read_bytes() for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
        self.seeds = [seed for seed in self.seeds if 1 < len(seed) < MAX_BYTES]

    def next(self, dice, words):
        seed = dice.choice(self.seeds)
        is_lines, data = seed[0] & FLAG_LINES, bytearray(seed[1:])
        for _ in range(dice.choice((0, 0, 1, 1, 1, 2, 4, 8))):
            data = self._mutate(dice, data)
        data = re.sub(rb"\$([ardt])", lambda match: words[match[1]], bytes(data))[:MAX_BYTES]
        return self._frame(dice, data) if is_lines else data

    def _mutate(self, dice, data):
        behind = data.find(b"\r\n\r\n") + 1  # what is behind a head is reached by a good one alone
        at = dice.randrange(dice.choice((0, behind)), len(data) + 1)
        way = dice.randrange(10)
        if way == 0 and data:
            data[at % len(data)] ^= 1 << dice.randrange(8)
        elif way == 1 and data:
            data[at % len(data)] = dice.randrange(256)
        elif way == 2:
            del data[at:at + dice.choice((1, 2, 8, 100))]
        elif way == 3:
            data[at:at] = data[at:at + dice.choice((1, 16, 200))] * dice.choice((1, 2, 50))
        elif way == 4:
            data[at:at] = dice.choice(WORDS)
        elif way == 5:
            other = dice.choice(self.seeds)
            begin = dice.randrange(1, len(other))
            data[at:] = other[begin:]
        elif way == 6:
            other = dice.choice(self.seeds)
            data += other[1:]
        elif way == 7:
            numbers = list(re.finditer(rb"\d+", data))
            if numbers:
                one = dice.choice(numbers)
                data[one.start():one.end()] = dice.choice(NUMBERS)
        elif way == 8:
            lines = data.split(b"\n")
            dice.shuffle(lines)
            data = bytearray(b"\n".join(lines))
        else:
            data[at:at] = bytes(dice.randrange(256) for _ in range(dice.choice((1, 4, 30))))
        return data[:MAX_BYTES]

    @staticmethod
    def _frame(dice, data):
        """What comes behind a handshake, a line a message: whole, cut in two, or with another opcode."""
        head, empty, rest = data.partition(b"\r\n\r\n")
        out = head + empty
        for line in rest.split(b"\n"):
            way = dice.random()
            if way < 0.1:
                cut = dice.randrange(len(line) + 1)
                out += frame(line[:cut], 1) + frame(line[cut:], 0x80)
            elif way < 0.15:
                out += frame(line, dice.randrange(256))
            else:
                out += frame(line)
        return out
