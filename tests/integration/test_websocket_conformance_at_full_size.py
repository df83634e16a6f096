"""Autobahn's cases 9, 10, 12 and 13 in their own sizes and numbers, of a gateway that was told to allow them.

As in test_websocket_conformance, an echo is what the dialect gives back: `tidegate.v1` an id, D a timestamp. A
binary message is answered by none, so it is followed by a text that is.
"""
import base64
import json
import random

import pytest

from raw import BINARY, TEXT, Raw, close, deflated, fragments, frame, handshake

K, M = 1 << 10, 1 << 20
SETTINGS = {"ws__max_message_bytes": "16M", "ws__messages_per_second": 1000000, "ws__queue_bytes": "64M"}
RSV1 = 4


@pytest.fixture
def native(shared_gateway):
    with Raw(shared_gateway, handshake("/api/ws", shared_gateway.token("ana"), "tidegate.v1")) as raw:
        raw.read_handshake()
        assert raw.next_json()["type"] == "welcome"
        yield raw


@pytest.fixture
def ignoring(shared_gateway):
    """On /ws whatever is no ping is ignored, binary messages are, too."""
    with Raw(shared_gateway, handshake("/ws", shared_gateway.token("ana"))) as raw:
        raw.read_handshake()
        yield raw


def op(number, size=0):
    whole = json.dumps({"op": "ping", "id": number, "x": ""}, separators=(",", ":"))
    return (whole[:-2] + "x" * (size - len(whole)) + whole[-2:]).encode()


def answered(raw, number):
    assert raw.message() == (TEXT, b'{"id":%d,"ok":true}' % number)


def lives(raw):
    raw.send(frame(TEXT, "ping"))
    said = raw.message()
    while b'"stats_update"' in said[1]:
        said = raw.message()
    assert said == (TEXT, b"pong")


def ends_well(raw):
    raw.send(close(1000))
    assert raw.closed() == 1000


@pytest.mark.parametrize("size", [64 * K, 256 * K, M, 4 * M, 8 * M, 16 * M])
def test_a_message_in_one_frame(native, ignoring, size):
    """9.1.1 to 9.1.6, and 9.2.1 to 9.2.6."""
    native.send(frame(TEXT, op(1, size)))
    answered(native, 1)
    ignoring.send(frame(BINARY, b"\xfe" * size))
    lives(ignoring)
    ends_well(native)
    ends_well(ignoring)


@pytest.mark.parametrize("size", [64, 256, K, 4 * K, 16 * K, 64 * K, 256 * K, M, 4 * M])
def test_a_message_of_4m_in_fragments(native, ignoring, size):
    """9.3.1 to 9.3.9, and 9.4.1 to 9.4.9."""
    native.send(b"".join(fragments(TEXT, op(1, 4 * M), size)))
    answered(native, 1)
    ignoring.send(b"".join(fragments(BINARY, b"\xfe" * 4 * M, size)))
    lives(ignoring)
    ends_well(native)
    ends_well(ignoring)


@pytest.mark.parametrize("chop", [64, 128, 256, 512, 1024, 2048])
def test_a_message_of_1m_in_chops(native, ignoring, chop):
    """9.5.1 to 9.5.6, and 9.6.1 to 9.6.6."""
    for raw, whole in ((native, frame(TEXT, op(1, M))), (ignoring, frame(BINARY, b"\xfe" * M))):
        raw.send(*(whole[at:at + chop] for at in range(0, len(whole), chop)))
    answered(native, 1)
    lives(ignoring)


@pytest.mark.parametrize("size", [0, 16, 64, 256, 1024, 4096])
def test_a_thousand_there_and_back(native, ignoring, size):
    """9.7.1 to 9.7.6, and 9.8.1 to 9.8.6."""
    for number in range(1000):
        native.send(frame(TEXT, op(number, size)))
        answered(native, number)
    for _ in range(1000):
        ignoring.send(frame(BINARY, b"\xfe" * size))
    lives(ignoring)


def test_64k_in_fragments_of_1300(native):
    """10.1.1."""
    native.send(b"".join(fragments(TEXT, op(1, 64 * K), 1300)))
    answered(native, 1)
    ends_well(native)


# ---- 12 and 13: permessage-deflate ---------------------------------------------------------------

dice = random.Random(12)
WORDS = "Habe nun ach Philosophie Juristerei und Medizin und leider auch Theologie durchaus studiert".split()
DATA = {  # text as in a book, pictures and PDF (which do not compress), JSON, HTML
    "12.1": " ".join(dice.choice(WORDS) for _ in range(30000)),
    "12.2": base64.b64encode(dice.randbytes(100000)).decode(),
    "12.3": base64.b64encode(dice.randbytes(100000)).decode()[::-1],
    "12.4": "".join(json.dumps({"n": i, "lat": -6.2 + i * 0.0013}).replace('"', "'") for i in range(5000)),
    "12.5": "".join(f"<tr><td class='n'>{i}</td><td>{dice.choice(WORDS)}</td></tr>" for i in range(5000)),
}
SIZES = [(n, 0) for n in (16, 64, 256, K, 4 * K, 8 * K, 16 * K, 32 * K, 64 * K, 128 * K)] + [
    (8 * K, 256), (16 * K, 256), (32 * K, 256), (64 * K, 256), (128 * K, 256), (128 * K, K), (128 * K, 4 * K),
    (128 * K, 32 * K)]
OFFERS = {  # server_no_context_takeover, and bits of the server's window: what is agreed upon
    "13.1": "permessage-deflate",
    "13.2": "permessage-deflate; server_no_context_takeover",
    "13.3": "permessage-deflate; server_max_window_bits=8",
    "13.4": "permessage-deflate; server_max_window_bits=15",
    "13.5": "permessage-deflate; server_no_context_takeover; server_max_window_bits=8",
    "13.6": "permessage-deflate; server_no_context_takeover; server_max_window_bits=15",
    "13.7": "permessage-deflate; server_no_context_takeover; server_max_window_bits=8, "
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
}
DECLINED = ("13.3", "13.5")  # a window of 8 bits is none that zlib has: no compression, as RFC 7692 allows


def compressed_there_and_back(gateway, offer, data, n_most, is_declined=False):
    with Raw(gateway, handshake("/api/ws", gateway.token("ana"), extensions=offer)) as raw:
        raw.read_handshake()
        assert (raw.head.one("Sec-WebSocket-Extensions") is None) == is_declined
        assert raw.next_json()["type"] == "connection"
        for size, cut in SIZES:
            wanted = data[:size]
            packed = json.dumps({"type": "ping", "timestamp": wanted}).encode()
            packed = packed if is_declined else deflated(packed)
            rsv = 0 if is_declined else RSV1
            message = b"".join(fragments(TEXT, packed, cut, rsv=rsv)) if cut else frame(TEXT, packed, rsv=rsv)
            for _ in range(max(4, min(n_most, M // size))):
                raw.send(message)
                assert raw.next_json() == {"type": "pong", "timestamp": wanted}
        ends_well(raw)


@pytest.mark.parametrize("case", DATA)
def test_compressed_there_and_back(shared_gateway, case):
    """12.1 to 12.5, each in its 18 sizes: a thousand of the small ones, and a MiB of the others."""
    assert len(DATA[case]) >= 128 * K
    compressed_there_and_back(shared_gateway, "permessage-deflate; client_max_window_bits", DATA[case], 1000)


@pytest.mark.parametrize("case", OFFERS)
def test_compressed_as_was_agreed_upon(shared_gateway, case):
    """13.1 to 13.7, each in its 18 sizes."""
    compressed_there_and_back(shared_gateway, OFFERS[case], DATA["12.4"], 20, case in DECLINED)


@pytest.mark.parametrize("size, cut", SIZES)
def test_compressed_binary_messages(shared_gateway, size, cut):
    """12.1 to 12.3 send binary ones."""
    with Raw(shared_gateway, handshake("/ws", shared_gateway.token("ana"), extensions="permessage-deflate")) as raw:
        raw.read_handshake()
        packed = deflated(dice.randbytes(size))
        for _ in range(10):
            raw.send(*(fragments(BINARY, packed, cut, rsv=RSV1) if cut else [frame(BINARY, packed, rsv=RSV1)]))
        lives(raw)
