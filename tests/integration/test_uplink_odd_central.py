"""An edge whose central gateway does what none should: it says what was wrong, comes again, and loses nothing."""
import json
import pathlib
import re
import threading

import pytest

from load import Publisher
from odd_central import BINARY, CLOSE, PING, PONG, TEXT, OddCentral, frame
from servers import Broker, Gateway
from waiting import PATIENCE, wait_until

MiB = 1 << 20


@pytest.fixture
def edge(folder):
    made = []

    def make(*scripts, **kwargs):
        central = OddCentral(*scripts, **kwargs)
        broker = Broker(folder / "edge-broker").start()
        token = folder / "token"
        token.touch(0o600)
        token.write_text("tgd_x\n", "ascii")
        gateway = Gateway(folder / "edge", None, broker, **{
            "uplink__url": f"ws://127.0.0.1:{central.port}/ws/uplink/boat", "uplink__token_file": str(token),
            "uplink__backoff_min": "50ms", "uplink__backoff_max": "300ms"})
        made.append((gateway, central, broker))
        gateway.start()
        return gateway, central, Publisher(broker)

    yield make
    for gateway, central, broker in made:
        gateway.stop()
        central.close()
        broker.stop()


def publish(publisher, numbers, size=0):
    for n in numbers:
        publisher.publish("ems/dev-1/telemetry", json.dumps({"n": n, "x": "x" * size}))
    publisher.flush()


def brings(gateway, central, publisher):
    """Whatever went before: what comes now arrives."""
    publish(publisher, [1, 2, 3])
    wait_until(lambda: gateway.metric("tidegate_committed_total") == 3, "all to be stored")
    assert [json.loads(payload)["n"] for _, payload in central.stored] == [1, 2, 3]
    assert central.faults == []
    return True


@pytest.mark.parametrize("frames, code, reason", [
    (frame(TEXT, n=MiB + 1) + b"x" * (MiB + 65536), 1009, "a message is longer than 1 MiB"),
    (frame(TEXT, n=(1 << 63) + 5), 1009, "a message is longer than 1 MiB"),
    (frame(TEXT, b"x" * MiB, fin=False) + frame(0, b"x"), 1009, "a message is longer than 1 MiB"),
    (frame(TEXT, b"{}", masked=True), 1002, "a frame is masked"),
    (frame(TEXT, b"{}", reserved=4), 1002, "a frame has bits that were not agreed on"),
    (frame(3, b"{}"), 1002, "a frame is of no known kind"),
    (frame(11), 1002, "a frame is of no known kind"),
    (frame(0, b"{}"), 1002, "a message has no beginning"),
    (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002, "a message begins within another"),
    (frame(PING, b"x", fin=False), 1002, "a control frame is too long, or one of several"),
    (frame(PING, b"x" * 126), 1002, "a control frame is too long, or one of several"),
], ids=["long", "endless", "long-in-pieces", "masked", "reserved-bits", "unknown", "unknown-control", "no-beginning",
        "two-beginnings", "ping-in-pieces", "long-ping"])
def test_what_is_no_frame_ends_the_connection_with_a_reason(edge, frames, code, reason):
    said = []

    def odd(talk):
        talk.welcome()
        talk.send(frames)
        said.append(talk.closes())

    gateway, central, publisher = edge(odd)
    wait_until(lambda: said == [(code, reason)], "the edge to close it")
    wait_until(lambda: f'uplink_down reason="it sent what cannot be: {reason}"' in gateway.log(), "the log to say so")
    assert brings(gateway, central, publisher)


def test_what_is_large_or_comes_in_pieces_with_pings_between_is_read(edge):
    answers = []

    def odd(talk):
        talk.upgrade()
        talk.next()
        talk.send(frame(TEXT, b'{"type":"later","x":"' + b"x" * (MiB - 23) + b'"}'))
        talk.send(frame(BINARY, b"x", fin=False) + frame(PING, b"one") + frame(0, b"", fin=False) + frame(0, b"y"))
        welcome = b'{"type":"welcome","position":0,"format":1,"max_bytes":1048576,"window":4194304}'
        talk.send(b"".join(frame(TEXT if n == 0 else 0, welcome[n:n + 1], fin=n + 1 == len(welcome)) + frame(PING, b"two")
                           for n in range(len(welcome))) + frame(PONG, b"nobody asked"))
        for _ in range(1 + len(welcome)):
            answers.append(talk.next())
        talk.central.stored += talk.next_batch()
        talk.say(type="stored", position=talk.central.stored[-1][0])
        talk.next()

    gateway, central, publisher = edge(odd)
    wait_until(lambda: gateway.metric("tidegate_uplink_connected") == 1, "the edge to be let in")
    publish(publisher, [1])
    wait_until(lambda: gateway.metric("tidegate_committed_total") == 1, "it to be stored")
    assert answers[0] == (PONG, b"one")
    assert answers[1:] == [(PONG, b"two")] * (len(answers) - 1)
    assert central.faults == []


@pytest.mark.parametrize("payload, reason", [
    (b"", "closed 0: "), (b"\x03", "closed 0: "), (b"\x03\xe9", "closed 1001: "),
    (b"\x0f\xa3" + 'no "hello"\n\x1b[31m \u00e9'.encode(), "closed 4003: no 'hello'??[31m ??")],
                         ids=["empty", "half", "code", "words"])
def test_the_words_of_a_close_are_in_the_log_and_do_not_break_it(edge, payload, reason):
    def odd(talk):
        talk.welcome()
        talk.send(frame(CLOSE, payload))
        talk.next()

    gateway, central, publisher = edge(odd)
    wait_until(lambda: f'uplink_down reason="{reason}" again_ms=' in gateway.log(), "the log to say so")
    assert brings(gateway, central, publisher)


@pytest.mark.parametrize("answer, reason", [
    ("HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere.example/x\r\n\r\n",
     "refused: HTTP/1.1 301 Moved Permanently, location https://elsewhere.example/x"),
    ("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n", "the answer is none of a WebSocket"),
    ("HTTP/1.1 200 OK\r\nX: " + "x" * 40000, "the answer is none of HTTP"),
    ("SSH-2.0-x\r\n\r\n", "refused: SSH-2.0-x"),
], ids=["redirect", "other-key", "endless", "no-http"])
def test_who_answers_otherwise_is_not_spoken_to(edge, answer, reason):
    heads = []

    def odd(talk):
        heads.append(talk.request())
        talk.send(answer)
        talk.take(1)

    gateway, central, publisher = edge(odd)
    wait_until(lambda: f'uplink_down reason="{reason}" again_ms=' in gateway.log(), "the log to say so")
    assert brings(gateway, central, publisher)
    assert len(heads) == 1


def held(gateway):
    """Bytes of memory that are no file's."""
    status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text("ascii")
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


def test_who_pings_and_reads_nothing_costs_no_memory(edge):
    is_up, held_at = threading.Event(), []

    def odd(talk):
        talk.welcome()
        assert is_up.wait(PATIENCE)
        for _ in range(5000):
            talk.send(frame(PING, b"x" * 125) * 128)  # 80 MiB
        held_at.append(held(gateway))

    gateway, central, publisher = edge(odd)
    wait_until(lambda: gateway.metric("tidegate_uplink_connected") == 1, "the edge to be let in")
    before = held(gateway)
    is_up.set()
    wait_until(lambda: held_at, "all to be read", 120)
    assert held_at[0] - before < 32 * MiB
    assert brings(gateway, central, publisher)


def test_a_link_on_which_something_always_waits_costs_no_memory(edge):
    """Nothing that is sent stays, where the socket is never done with all of it."""
    is_full, held_at = threading.Event(), []

    def odd(talk):
        assert is_full.wait(120)
        talk.welcome(window=1 << 40)
        while len(talk.central.stored) < 400:
            talk.central.stored += talk.next_batch()
        held_at.append(held(gateway))
        talk.say(type="stored", position=talk.central.stored[-1][0])
        talk.next()

    gateway, central, publisher = edge(odd, is_narrow=True)
    publish(publisher, range(400), size=250000)
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 400, "all to be at the edge")
    before = held(gateway)
    is_full.set()
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored", 120)
    assert held_at[0] - before < 32 * MiB
    assert central.faults == []


def test_who_has_been_with_one_that_knows_its_runs_brings_nothing_to_an_older_one(edge):
    """Which does not see what that has stored, and would have it brought again."""
    brought = []

    def newer(talk):
        talk.welcome(talk.central.stored[-1][0] if talk.central.stored else 0, hears=["runs", "lost"])
        talk.central.stored += talk.next_batch()
        talk.say(type="stored", position=talk.central.stored[-1][0])

    def older(talk):
        talk.welcome()
        brought.append(talk.next())

    gateway, central, publisher = edge(newer, older, newer, older)
    for n in (1, 2):
        publish(publisher, [n])
        wait_until(lambda n=n: gateway.metric("tidegate_committed_total") == n, "it to be stored")
    wait_until(lambda: not central.scripts, "the last one to be met")
    wait_until(lambda: "uplink_central_older" in gateway.log(), "it to be said")
    assert [json.loads(payload)["n"] for _, payload in central.stored] == [1, 2]
    gateway.stop()
    assert brought == [] and central.faults == []
