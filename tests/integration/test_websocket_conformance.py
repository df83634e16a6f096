"""RFC 6455 and RFC 7692 to the letter: the cases of the Autobahn test suite, by its numbers, and more.
Those of large messages and of many: test_websocket_conformance_at_full_size.

That suite asks for an echo, which the gateway is not. What comes back instead: on `/ws` any text is
ignored and `ping` is answered by `pong`; `tidegate.v1` gives the id of a ping back; dialect D of
`/api/ws` gives back a timestamp of any length. So "lives" means: and it still answers.
"""
import codecs
import itertools
import json
import pathlib
import re
import struct
import zlib

import pytest

from raw import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, close, deflated, fragments,
                 frame, handshake, inflated)

RSV1 = 4
TRICKLE = 1500  # bytes that are sent one by one; of more only the frames
GREEK = "κόσμε"
MIXED = "Hello-µ@ßöäüàá-UTF-8!!"
BAD = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"  # of cases 6.3
BEYOND = b"\xf4\x90\x80\x80"  # U+110000, of cases 6.4: nothing behind it has to come


def op(number, size=0):
    """A request to be answered with its number, of so many bytes."""
    text = json.dumps({"op": "ping", "id": number, "x": ""}, separators=(",", ":"))
    return (text[:-2] + "x" * (size - len(text)) + text[-2:]).encode()


def echo(text):
    """A request of dialect D for the same text."""
    return json.dumps({"type": "ping", "timestamp": text}, ensure_ascii=False).encode()


def text(payload, **how):
    return frame(TEXT, payload, **how)


@pytest.fixture(scope="module")
def sockets(shared_gateway):
    """sockets(where, glued=b"") -> a Raw behind its handshake, and behind the welcome where there is one."""
    token = shared_gateway.token("ana")
    paths = {"A": ("/ws", None), "D": ("/api/ws", None), "native": ("/api/ws", "tidegate.v1")}

    def dial(where, glued=b"", **how):
        path, protocol = paths[where]
        raw = Raw(shared_gateway, handshake(path, token, protocol, **how) + glued)
        raw.read_handshake()
        if where != "A":
            assert raw.next_json()["type"] == ("welcome" if protocol else "connection")
        return raw

    return dial


def pieces_of(frames, how):
    if how == "byte by byte":
        whole = b"".join(frames)
        return [whole[at:at + 1] for at in range(len(whole))]
    return frames


def run(sockets, where, frames, expected, alive=True):
    """The frames in the packet of the handshake, each by itself, and byte by byte."""
    for how in ("in one packet", "frame by frame", "byte by byte"):
        if how == "byte by byte" and sum(map(len, frames)) > TRICKLE:
            continue
        with sockets(where, b"".join(frames) if how == "in one packet" else b"") as raw:
            if how != "in one packet":
                raw.send(*pieces_of(frames, how))
            for one in expected:
                if isinstance(one, int):
                    assert raw.closed() == one, how
                    break
                assert raw.message() == one, how
            else:
                if alive:
                    lives(raw, where)


def lives(raw, where):
    question, answer = {
        "A": (b"ping", b"pong"),
        "D": (echo("alive?"), b'{"type":"pong","timestamp":"alive?"}'),
        "native": (op("alive?"), b'{"id":"alive?","ok":true}')}[where]
    raw.send(text(question))
    said = raw.message()
    while b'"stats_update"' in said[1]:  # which comes when it comes
        said = raw.message()
    assert said == (TEXT, answer)


def done(number):
    return TEXT, json.dumps({"id": number, "ok": True}, separators=(",", ":")).encode()


def pong(payload):
    return PONG, payload


# ---- 1 to 5: frames ------------------------------------------------------------------------------

SIZES = [0, 125, 126, 127, 128, 65535, 65536]
WITHIN = {
    **{f"1.1.{i + 1}": ("A", [text("*" * n)], []) for i, n in enumerate(SIZES)},
    "1.1.8": ("A", [text("*" * 65536)[at:at + 997] for at in range(0, 65550, 997)], []),
    **{f"1.1.{i + 1} answered": ("native", [text(op(n, n))], [done(n)])
       for i, n in enumerate(SIZES) if n},
    **{f"1.2.{i + 1}": ("A", [frame(BINARY, b"\xfe" * n)], []) for i, n in enumerate(SIZES)},
    "1.2.8": ("A", [frame(BINARY, b"\xfe" * 65536)[at:at + 997] for at in range(0, 65550, 997)], []),
    "1.2 native": ("native", [frame(BINARY, b"\xfe")], [4003]),
    "2.1": ("native", [frame(PING)], [pong(b"")]),
    "2.2": ("native", [frame(PING, "Hello, world!")], [pong(b"Hello, world!")]),
    "2.3": ("native", [frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
            [pong(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
    "2.4": ("native", [frame(PING, b"\xfe" * 125)], [pong(b"\xfe" * 125)]),
    "2.5": ("native", [frame(PING, b"\xfe" * 126)], [1002]),
    "2.6": ("native", [frame(PING, b"\xfe" * 125)[at:at + 1] for at in range(131)], [pong(b"\xfe" * 125)]),
    "2.7": ("native", [frame(PONG)], []),
    "2.8": ("native", [frame(PONG, "unsolicited")], []),
    "2.9": ("native", [frame(PONG, "unsolicited"), frame(PING, "x")], [pong(b"x")]),
    "2.10-11": ("native", [frame(PING, f"{i}") for i in range(10)], [pong(b"%d" % i) for i in range(10)]),
    "3.1": ("native", [text(op(1), rsv=1)], [1002]),
    "3.2": ("native", [text(op(1)), text(op(2), rsv=2), frame(PING)], [done(1), 1002]),
    "3.3": ("native", [text(op(1)), text(op(2), rsv=3), frame(PING)], [done(1), 1002]),
    "3.4": ("native", [text(op(1)), text(op(2), rsv=4), frame(PING)], [done(1), 1002]),
    "3.5": ("native", [frame(BINARY, b"\xff", rsv=5)], [1002]),
    "3.6": ("native", [frame(PING, "x", rsv=6)], [1002]),
    "3.7": ("native", [frame(CLOSE, rsv=7)], [1002]),
    **{f"4.{1 + (opcode > 8)}.{opcode % 8 - 2}": ("native", [frame(opcode, payload)], [1002])
       for opcode, payload in ((3, b""), (4, b"x"), (11, b""), (12, b"x"))},
    **{f"4.{1 + (opcode > 8)}.{opcode % 8 - 2}":
       ("native", [text(op(1)), frame(opcode, payload), frame(PING)], [done(1), 1002])
       for opcode, payload in ((5, b""), (6, b"x"), (7, b"x"), (13, b""), (14, b"x"), (15, b"x"))},
    "5.1": ("native", fragments(PING, "fragment", 4), [1002]),
    "5.2": ("native", fragments(PONG, "fragment", 4), [1002]),
    "5.3-5": ("native", fragments(TEXT, op(1), 12), [done(1)]),
    "5.6-8": ("native", [fragments(TEXT, op(1), 20)[0], frame(PING, "between"), *fragments(TEXT, op(1), 20)[1:]],
              [pong(b"between"), done(1)]),
    "5.9-11": ("native", [frame(CONTINUATION, "x"), text(op(1))], [1002]),
    "5.12-14": ("native", [frame(CONTINUATION, "x", fin=False), text(op(1))], [1002]),
    "5.15": ("native", [*fragments(TEXT, op(1), 20), frame(CONTINUATION, "x", fin=False), text(op(2))],
             [done(1), 1002]),
    "5.16": ("native", [frame(CONTINUATION, "x", fin=False), frame(TEXT, "y", fin=False), frame(CONTINUATION, "z")],
             [1002]),
    "5.17": ("native", [frame(CONTINUATION, "x"), frame(TEXT, "y", fin=False), frame(CONTINUATION, "z")], [1002]),
    "5.18": ("native", [frame(TEXT, "x", fin=False), frame(TEXT, "y")], [1002]),
    "5.19-20": ("native", [*fragments(TEXT, op(1), 6)[:2], frame(PING, "1"), *fragments(TEXT, op(1), 6)[2:4],
                           frame(PING, "2"), *fragments(TEXT, op(1), 6)[4:]], [pong(b"1"), pong(b"2"), done(1)]),
}


@pytest.mark.parametrize("case", WITHIN)
def test_frames(sockets, case):
    run(sockets, *WITHIN[case])


# ---- what Autobahn does not ask ------------------------------------------------------------------

NEVER = {
    **{f"opcode {opcode} without a mask": [frame(opcode, b"", mask=None)]
       for opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)},
    "text without a mask": [frame(TEXT, op(1), mask=None)],
    "without a mask behind one that has it": [text("x", fin=False), frame(CONTINUATION, "y", mask=None)],
    **{f"opcode {opcode} with reserved bits {rsv}": [frame(opcode, rsv=rsv)]
       for opcode, rsv in itertools.product((TEXT, BINARY, CLOSE, PING, PONG), range(1, 8))},
    **{f"a continuation with reserved bits {rsv}": [text("x", fin=False), frame(CONTINUATION, rsv=rsv)]
       for rsv in range(1, 8)},
    **{f"reserved opcode {opcode} within a message": [text("x", fin=False), frame(opcode)]
       for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{f"a control frame {opcode} of {size} bits of length": [frame(opcode, b"\x03\xe8", size=size)]
       for opcode, size in itertools.product((CLOSE, PING, PONG), (16, 64))},
    "a close in fragments": fragments(CLOSE, b"\x03\xe8bye", 2),
    "a binary message within a text": [text("x", fin=False), frame(BINARY, "y")],
    "a length of 5 in 16 bits": [text("hello", size=16)],
    "a length of 125 in 16 bits": [text("x" * 125, size=16)],
    "a length of 5 in 64 bits": [text("hello", size=64)],
    "a length of 126 in 64 bits": [text("x" * 126, size=64)],
    "a length of 65535 in 64 bits": [text("x" * 65535, size=64)],
    "a length of 0 in 16 bits": [text("", size=16)],
    "a length of 2^63": [text("", size=64, length=1 << 63)],
    "a length of 2^64 - 1": [text("", size=64, length=(1 << 64) - 1)],
}


@pytest.mark.parametrize("case", NEVER)
def test_what_no_client_may_send_is_1002(sockets, case):
    run(sockets, "native", NEVER[case], [1002])


@pytest.mark.parametrize("case", [c for c in NEVER if "reserved bits" in c and c not in (
    "opcode 1 with reserved bits 4", "opcode 2 with reserved bits 4")])
def test_it_is_1002_also_where_compression_was_agreed_upon(sockets, case):
    with sockets("native", extensions="permessage-deflate") as raw:
        raw.send(*NEVER[case])
        assert raw.closed() == 1002


def test_each_split_of_each_frame_is_the_same_to_it(sockets):
    """Handshake and frames, cut in two at each place: answered as if they had come whole."""
    frames = (text(op(1)) + frame(PING, "p") + fragments(TEXT, op(2), 9)[0] + frame(PONG)
              + b"".join(fragments(TEXT, op(2), 9)[1:]) + text(op(3, 130)) + close(1000))
    for at in range(1, len(frames)):
        with sockets("native") as raw:
            raw.send(frames[:at], frames[at:])
            assert [raw.message() for _ in range(4)] == [done(1), pong(b"p"), done(2), done(3)], at
            assert raw.closed() == 1000


def test_a_handshake_comes_byte_by_byte_and_its_frames_behind_it(shared_gateway):
    token = shared_gateway.token("ana")
    with Raw(shared_gateway) as raw:
        raw.send_bytewise(handshake("/api/ws", token, "tidegate.v1") + text(op(1)) + close(1000))
        raw.read_handshake()
        assert raw.next_json()["type"] == "welcome"
        assert raw.message() == done(1)
        assert raw.closed() == 1000


def test_every_mask_is_taken_off(sockets):
    with sockets("native") as raw:
        for number, mask in enumerate((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x80\0\0\x7f")):
            raw.send(text(op(number), mask=mask))
            assert raw.message() == done(number)


# ---- 6: UTF-8 --------------------------------------------------------------------------------------

def sequences():
    """Cases 6.5 to 6.23: Markus Kuhn's stress test for decoders, which is where they are from too."""
    ranges = ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd))
    cut = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf",
           b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
    high, low = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"), (b"\xed\xb0\x80", b"\xed\xbf\xbf")
    return {
        "6.5 valid": [b"hello$world", "hello¢world".encode(), "hello€world".encode(),
                      b"hello\xf0\xa4\xad\xa2world", GREEK.encode()],
        "6.6 prefixes": [GREEK.encode()[:n] for n in range(1, 12)],
        "6.7 first of a length": [b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
        "6.8 first of 5 and 6": [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
        "6.9 last of a length": [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
        "6.10 last of 4 to 6": [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
        "6.11 boundaries": [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf",
                            b"\xf4\x90\x80\x80"],
        "6.12 continuations": [*((b"\x80\xbf" * 3)[:n] for n in range(1, 7)), b"\xbf", bytes(range(0x80, 0xc0))],
        "6.13 lonely starts": [b"".join(bytes([c, 0x20]) for c in range(a, b + 1)) for a, b in ranges],
        "6.14 cut short": cut,
        "6.15 cut short, in a row": [b"".join(cut)],
        "6.16 impossible": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
        "6.17 overlong": [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
                          b"\xfc\x80\x80\x80\x80\xaf"],
        "6.18 most overlong": [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf",
                               b"\xfc\x83\xbf\xbf\xbf\xbf"],
        "6.19 overlong NUL": [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80",
                              b"\xfc\x80\x80\x80\x80\x80"],
        "6.20 surrogates": [*high, *low, b"\xed\xbe\x80"],
        "6.21 pairs of them": [a + b for a in high for b in low],
        "6.22 no characters": [chr(plane << 16 | 0xfffe | last).encode()
                               for plane in (*range(0x10), 0x10) for last in (0, 1)],
        "6.23 specials": [chr(c).encode() for c in range(0xfff9, 0x10000)],
    }


def first_bad(payload):
    """How many bytes of it show that it is no UTF-8; None: it is, or its end alone is missing."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(len(payload)):
        try:
            decoder.decode(payload[at:at + 1])
        except UnicodeDecodeError:
            return at + 1
    return None


def is_text(payload):
    try:
        return bool(payload.decode()) or not payload
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("case", sequences())
def test_text_is_utf8_or_it_is_1007(sockets, case):
    for payload in sequences()[case]:
        whole, split = [text(payload)], fragments(TEXT, payload, 1)
        for frames in (whole, split):
            run(sockets, "A", frames, [] if is_text(payload) else [1007])
        run(sockets, "A", [frame(BINARY, payload)], [])


@pytest.mark.parametrize("case", sequences())
def test_it_is_1007_at_the_first_byte_that_shows_it(sockets, case):
    """Cases 6.4: neither the rest of the message nor that of its frame has to come."""
    for payload in sequences()[case]:
        n = first_bad(payload)
        if n is None:
            continue
        whole = text(b"good" + payload + b"and more that never comes")
        for frames in ([text("x", fin=False), frame(CONTINUATION, payload[:n], fin=False)],
                       [whole[:2 + 4 + 4 + n]]):  # behind the header, its mask and what is good
            with sockets("A") as raw:
                raw.send(*frames)
                assert raw.closed() == 1007, payload


UTF8 = {
    "6.1.1": ("A", [text("")], []),
    "6.1.2": ("A", [text("", fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)], []),
    "6.1.3": ("native", [text("", fin=False), frame(CONTINUATION, op(1), fin=False), frame(CONTINUATION)], [done(1)]),
    "6.2.1": ("native", [text(json.dumps({"op": "ping", "id": MIXED}, ensure_ascii=False))],
              [(TEXT, json.dumps({"id": MIXED, "ok": True}, ensure_ascii=False, separators=(",", ":")).encode())]),
    "6.2.2": ("D", [text(echo(MIXED)[:-8], fin=False), frame(CONTINUATION, echo(MIXED)[-8:])],
              [(TEXT, json.dumps({"type": "pong", "timestamp": MIXED}, ensure_ascii=False,
                                 separators=(",", ":")).encode())]),
    "6.2.3": ("D", fragments(TEXT, echo(MIXED), 1),
              [(TEXT, json.dumps({"type": "pong", "timestamp": MIXED}, ensure_ascii=False,
                                 separators=(",", ":")).encode())]),
    "6.2.4": ("D", fragments(TEXT, echo(GREEK), 1),
              [(TEXT, json.dumps({"type": "pong", "timestamp": GREEK}, ensure_ascii=False,
                                 separators=(",", ":")).encode())]),
    "6.3.1": ("native", [text(BAD)], [1007]),
    "6.3.2": ("native", fragments(TEXT, BAD, 1), [1007]),
    "6.4.1": ("native", [text(GREEK, fin=False), frame(CONTINUATION, BEYOND, fin=False)], [1007]),
    "6.4.2": ("native", [text(GREEK.encode() + BEYOND[:2], fin=False), frame(CONTINUATION, BEYOND[2:], fin=False)], [1007]),
    "6.4.3": ("native", [text(GREEK.encode() + BEYOND + b"edited")[:6 + 11 + 4]], [1007]),
    "6.4.4": ("native", [text(GREEK.encode() + BEYOND + b"edited")[:6 + 11 + 2]], [1007]),
}


@pytest.mark.parametrize("case", UTF8)
def test_utf8_however_it_is_cut(sockets, case):
    run(sockets, *UTF8[case])


# ---- 7: the end ------------------------------------------------------------------------------------

GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
ENDS = {
    "7.1.1": ([text(op(1)), close(1000)], [done(1), 1000]),
    "7.1.2": ([close(1000), close(1001)], [1000]),
    "7.1.3": ([close(1000), frame(PING, "x")], [1000]),
    "7.1.4": ([close(1000), text(op(1))], [1000]),
    "7.1.5": ([text("x", fin=False), close(1000), frame(CONTINUATION, "y")], [1000]),
    "7.1.6": ([text(op(1, 60000)), close(1000), frame(PING)], [done(1), 1000]),
    "7.3.1": ([close()], [1005]),
    "7.3.2": ([frame(CLOSE, b"\x03")], [1002]),
    "7.3.3": ([close(1000)], [1000]),
    "7.3.4": ([close(1000, b"Hello World!")], [1000]),
    "7.3.5": ([close(1000, b"*" * 123)], [1000]),
    "7.3.6": ([close(1000, b"*" * 124)], [1002]),
    "7.5.1": ([close(1000, BAD)], [1007]),
    "a reason that is cut": ([close(1000, "é".encode()[:1])], [1007]),
    "a reason of other letters": ([close(1000, GREEK.encode())], [1000]),
    **{f"7.7, {code}": ([close(code)], [code]) for code in GOOD_CODES},
    **{f"7.7, {code} with a reason": ([close(code, b"why")], [code]) for code in GOOD_CODES},
    **{f"7.9 or 7.13, {code}": ([close(code)], [1002]) for code in BAD_CODES},
    "an error, then a close": ([frame(TEXT, rsv=2), close(1000)], [1002]),
    "a wrong close, then a right one": ([close(1005), close(1000)], [1002]),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_end(sockets, case):
    run(sockets, "native", *ENDS[case])


def test_who_is_closed_by_us_gets_one_close_and_may_answer_it(sockets):
    with sockets("native", frame(BINARY, "x")) as raw:
        kind, payload = raw.message()
        assert (kind, payload[:2]) == (CLOSE, struct.pack(">H", 4003))
        raw.send(text(op(1)), frame(PING), close(4003))
        assert raw.at_end()


# ---- 9 and 10: sizes -------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [64, 256, 1024, 1300, 4096, 16384, 65536])
def test_a_message_of_64k_in_fragments(sockets, size):
    """Cases 9.3, 9.4 and 10.1: what ws.max_message_bytes allows in place of their 4 MiB."""
    with sockets("native") as raw:
        raw.send(b"".join(fragments(TEXT, op(size, 65536), size)))
        assert raw.message() == done(size)
    with sockets("A") as raw:
        raw.send(b"".join(fragments(BINARY, b"\xfe" * 65536, size)))
        lives(raw, "A")


@pytest.mark.parametrize("chop", [64, 128, 256, 512, 1024, 2048])
def test_a_message_of_64k_in_chops(sockets, chop):
    """Cases 9.5 and 9.6."""
    for where, whole in (("native", text(op(chop, 65536))), ("A", frame(BINARY, b"\xfe" * 65536))):
        with sockets(where) as raw:
            raw.send(*(whole[at:at + chop] for at in range(0, len(whole), chop)))
            if where == "native":
                assert raw.message() == done(chop)
            lives(raw, where)


@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024, 4096, 16384])
def test_there_and_back(sockets, size):
    """Cases 9.7 and 9.8, so often as ws.messages_per_second allows without a pause."""
    with sockets("native") as raw:
        for number in range(40):
            raw.send(text(op(number, size)))
            assert raw.message() == done(number)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [65537, 1 << 18, 1 << 24, 1 << 32, (1 << 63) - 1])
def test_what_is_longer_is_1009_as_soon_as_it_says_so(sockets, opcode, size):
    """Cases 9.1 and 9.2 beyond the limit: no byte of its payload has to come."""
    for before in (b"", frame(PING, "x")):
        with sockets("A", before) as raw:
            raw.send(frame(opcode, size=64, length=size))
            assert raw.closed(within_a_frame=True) == 1009
    with sockets("A") as raw:  # nor of what makes it too long
        raw.send(frame(opcode, "x", fin=False), frame(CONTINUATION, size=64, length=max(size - 1, 65536)))
        assert raw.closed(within_a_frame=True) == 1009


# ---- 12 and 13: permessage-deflate -----------------------------------------------------------------

TERMS = ["server_no_context_takeover", "client_no_context_takeover"]
OFFERS = {  # what is agreed upon beyond those; None: nothing at all
    "permessage-deflate": [],
    "permessage-deflate; client_max_window_bits": [],
    "permessage-deflate; client_max_window_bits=8": [],
    "permessage-deflate; client_max_window_bits=15": [],
    "permessage-deflate; client_max_window_bits=\"10\"": [],
    "permessage-deflate; server_no_context_takeover": [],
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover": [],
    "permessage-deflate; server_max_window_bits=15": ["server_max_window_bits=12"],
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits": ["server_max_window_bits=12"],
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=15": ["server_max_window_bits=12"],
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=8, "
    "permessage-deflate; server_no_context_takeover, permessage-deflate": [],
    "permessage-foo, permessage-deflate": [],
    "permessage-deflate; mode=fast, permessage-deflate": [],
    "permessage-deflate; server_max_window_bits=8": None,
    "permessage-deflate; server_max_window_bits=11": None,
    "permessage-deflate; server_max_window_bits=7": None,
    "permessage-deflate; server_max_window_bits=16": None,
    "permessage-deflate; server_max_window_bits=012": None,
    "permessage-deflate; server_max_window_bits": None,
    "permessage-deflate; server_max_window_bits=x": None,
    "permessage-deflate; client_max_window_bits=7": None,
    "permessage-deflate; client_max_window_bits=16": None,
    "permessage-deflate; client_max_window_bits=0": None,
    "permessage-deflate; client_max_window_bits=-1": None,
    "permessage-deflate; server_no_context_takeover=1": None,
    "permessage-deflate; client_no_context_takeover=true": None,
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover": None,
    "permessage-deflate; client_max_window_bits; client_max_window_bits=12": None,
    "permessage-deflate; server_max_window_bits=12; server_max_window_bits=12": None,
    "permessage-deflate; unknown": None,
    "permessage-deflate; unknown=1": None,
    "permessage-deflate;": None,
    "x-webkit-deflate-frame": None,
    "PERMESSAGE-DEFLATE": None,
    "": None,
}


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_and_its_answer(sockets, offer):
    """Cases 13, and what RFC 7692 7.1 says of parameters that are not as they should be."""
    with sockets("D", extensions=offer) as raw:
        answer = raw.head.one("Sec-WebSocket-Extensions")
        if OFFERS[offer] is None:
            assert answer is None
            lives(raw, "D")
            raw.send(text(deflated(echo("x")), rsv=RSV1))
            assert raw.closed() == 1002
            return
        name, *parameters = (part.strip() for part in answer.split(";"))
        assert name == "permessage-deflate"
        assert sorted(parameters) == sorted(TERMS + OFFERS[offer])
        lives(raw, "D")  # what is not compressed is welcome, too
        raw.send(text(deflated(echo("y" * 1000)), rsv=RSV1))
        assert raw.next_json()["timestamp"] == "y" * 1000


def test_offers_may_come_in_several_fields(sockets):
    with sockets("D", extensions=["permessage-foo", "permessage-deflate; server_max_window_bits=13"]) as raw:
        assert "server_max_window_bits=12" in raw.head.one("Sec-WebSocket-Extensions")
        lives(raw, "D")


DATA = "".join(json.dumps({"n": i, "latitude": -6.2 + i * 0.0013, "mode": "AUTO" if i % 3 else "HOLD"}).replace('"', "'")
               for i in range(2000))


@pytest.mark.parametrize("size, cut", [
    (0, 0), (16, 0), (64, 0), (256, 0), (1024, 0), (4096, 0), (8192, 0), (16384, 0), (32768, 0), (60000, 0),
    (8192, 256), (16384, 256), (32768, 256), (60000, 256), (60000, 1024), (60000, 4096), (60000, 32768)])
def test_compressed_there_and_back(sockets, size, cut):
    """Cases 12 and 13 with the sizes that ws.max_message_bytes allows, some times each."""
    wanted = DATA[:size]
    with sockets("D", extensions="permessage-deflate; client_max_window_bits") as raw:
        packed = deflated(echo(wanted))
        for _ in range(4):
            raw.send(b"".join(fragments(TEXT, packed, cut, rsv=RSV1)) if cut else text(packed, rsv=RSV1))
            assert raw.next_json() == {"type": "pong", "timestamp": wanted}


def test_what_comes_back_is_compressed_and_needs_nothing_of_before(sockets):
    with sockets("D", extensions="permessage-deflate; server_max_window_bits=12") as raw:
        for _ in range(3):
            raw.send(text(deflated(echo(DATA[:5000])), rsv=RSV1))
            first, payload = raw.frame()
            while first & 15 == PING:
                first, payload = raw.frame()
            assert first == 0xc1 and len(payload) < 2500
            assert json.loads(inflated(payload))["timestamp"] == DATA[:5000]


def final(payload):
    """RFC 7692 7.2.3.4."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(payload) + packer.flush()


PACKED = {
    "not DEFLATE": ([text(b"\xff\xff\xff\xff", rsv=RSV1)], [1007]),
    "cut short": ([text(deflated(echo(DATA[:500]))[:-20], rsv=RSV1)], [1007]),
    "not UTF-8": ([text(deflated(BAD), rsv=RSV1)], [1007]),
    "a bomb": ([text(deflated(b"x" * 20_000_000), rsv=RSV1)], [1009]),
    "a continuation that says so": ([text(deflated(echo("x"))[:3], rsv=RSV1, fin=False),
                                     frame(CONTINUATION, deflated(echo("x"))[3:], rsv=RSV1)], [1002]),
    "an empty one": ([text(b"\0", rsv=RSV1)], [(TEXT, b'{"type":"error","message":"Invalid JSON format"}')]),
    "a ping that says so": ([frame(PING, "x", rsv=RSV1)], [1002]),
    "a close that says so": ([frame(CLOSE, b"\x03\xe8", rsv=RSV1)], [1002]),
    "stored blocks": ([text(b"\x00" + struct.pack("<HH", len(echo("x")), 0xffff ^ len(echo("x"))) + echo("x") + b"\0",
                            rsv=RSV1)], [(TEXT, b'{"type":"pong","timestamp":"x"}')]),
    "a block that says it is the last": ([text(final(echo("x")) + b"\0", rsv=RSV1)], [(TEXT, b'{"type":"pong","timestamp":"x"}')]),
}


@pytest.mark.parametrize("case", PACKED)
def test_compressed_messages_that_are_odd(sockets, case):
    frames, expected = PACKED[case]
    for cut in ("in one packet", "frame by frame"):
        with sockets("D", extensions="permessage-deflate") as raw:
            raw.send(*(frames if cut == "frame by frame" else [b"".join(frames)]))
            for one in expected:
                assert (raw.closed() if isinstance(one, int) else raw.message()) == one


# ---- all of them -------------------------------------------------------------------------------------

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/reliability.md"
AUTOBAHN = {  # 0.8.2: how many cases each of its groups has
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20, "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4,
    **dict(zip((f"6.{n}" for n in range(5, 24)), (5, 11, 4, 2, 4, 3, 5, 8, 5, 10, 1, 3, 5, 5, 5, 7, 8, 34, 7), strict=True)),
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6, "10.1": 1,
    **{f"12.{n}": 18 for n in range(1, 6)}, **{f"13.{n}": 18 for n in range(1, 8)}}
BY_NUMBER = ("1.1", "1.2", "2", "3", "4.1", "4.2", "5", "6.1", "6.2", "6.3", "6.4", "7.1", "7.3", "7.5")


def spread(first, last):
    """6.5, 6.23 -> 6.5, 6.6, ..."""
    head, _, n = first.rpartition(".")
    return [f"{head}.{i}" if head else str(i) for i in range(int(n), int((last or first).rpartition(".")[2]) + 1)]


def named(keys):
    """5.3-5 answered -> 5.3, 5.4, 5.5"""
    found = (re.match(r"([\d.]+)(?:-(\d+))?", key) for key in keys)
    return {one for match in found if match for one in spread(match[1], match[2])}


def test_every_case_of_autobahn_has_its_test():
    """By its number, or as a row of the table in the document, whose tests there are."""
    assert sum(AUTOBAHN.values()) == 517
    cases = named([*WITHIN, *UTF8, *ENDS])
    assert [f"{group}.{i}" for group in BY_NUMBER for i in range(1, AUTOBAHN[group] + 1) if f"{group}.{i}" not in cases] == []
    assert {group: len(lines) for case, lines in sequences().items() for group in [case.split()[0]]
            } == {group: n for group, n in AUTOBAHN.items() if group in {case.split()[0] for case in sequences()}}

    here = pathlib.Path(__file__)
    written = set(re.findall(r"^def (test_\w+)", here.read_text("utf-8") + here.with_stem(
        f"{here.stem}_at_full_size").read_text("utf-8"), re.M))
    rows = re.findall(r"^\| ([\d.]+)(?: to ([\d.]+))? \| (\d+) \| .* \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.M)
    listed = {}
    for first, last, n, tests in rows:
        groups = spread(first, last) if first in AUTOBAHN else []
        assert sum(AUTOBAHN[group] for group in groups) == int(n), first
        listed |= dict.fromkeys(groups)
        assert set(re.findall(r"`(test_\w+)`", tests)) <= written and "`test_" in tests, first
    assert set(listed) == set(AUTOBAHN)
