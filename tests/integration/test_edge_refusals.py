"""clients/python: a message at which the other side ends the connection each time stops no other (decision 078)."""
import json
import pathlib
import sys

import pytest

from clients import Client
from conftest import populate
from scripted_broker import ScriptedBroker
from servers import ROOT
from waiting import PATIENCE, wait_until

sys.path.insert(0, str(ROOT / "clients/python"))
from tidegate_edge.buffer import Message  # noqa: E402
from tidegate_edge.letters import Letters  # noqa: E402

POISON = "x" * 3000


class Fussy(ScriptedBroker):
    """Ends the connection at a message with poison in it; @n_times: then it takes it."""

    def __init__(self, n_times=10 ** 6):
        super().__init__()
        self.taken, self.n_refused, self.n_times = [], 0, n_times

    def on_publish(self, link, packet):
        if POISON.encode() in packet.payload and self.n_refused < self.n_times:
            self.n_refused += 1
            link.close()
            return
        self.taken.append(json.loads(packet.payload)["n"])
        super().on_publish(link, packet)


@pytest.fixture
def device(tmp_path):
    made = []

    def make(url, **args):
        made.append(Client("edge_library.py", url=url, device="dev-1", buffer=str(tmp_path / "buffer"), **args))
        made[-1].next("started")
        return made[-1]

    yield make
    for one in made:
        one.stop()


def send(device, *poisoned, n=30):
    for i in range(n):
        device.tell(send=[i, i + 1], more={"pad": POISON} if i in poisoned else {})
    device.tell(flush=3 * PATIENCE, refused=True)
    assert device.next("flushed", timeout=4 * PATIENCE)["done"]


def letters(tmp_path):
    return [json.loads(line) for line in pathlib.Path(tmp_path / "buffer.refused").read_text("ascii").splitlines()]


def test_a_broker_that_ends_at_one_message_gets_the_others(device, tmp_path):
    broker = Fussy()
    one = device(f"mqtt://127.0.0.1:{broker.port}")
    send(one, 10, 20)
    assert sorted(set(broker.taken)) == [n for n in range(30) if n not in (10, 20)]
    assert broker.n_refused >= 10
    one.tell(refused=True)
    assert one.next("refused", n=2)
    told = letters(tmp_path)
    assert [json.loads(letter["payload"])["n"] for letter in told] == [10, 20]
    assert {(letter["topic"], letter["reason"]) for letter in told} == {
        ("ems/dev-1/telemetry", "the broker ends the connection")}


def test_what_a_broker_takes_at_last_is_no_letter(device, tmp_path):
    broker = Fussy(n_times=4)
    send(device(f"mqtt://127.0.0.1:{broker.port}"), 10)
    assert list(dict.fromkeys(broker.taken)) == list(range(30))
    assert not (tmp_path / "buffer.refused").exists()


def test_a_gateway_for_which_a_message_is_too_large_gets_the_others(make_gateway, database, device, tmp_path):
    gateway = make_gateway(ws__max_message_bytes=2048)
    populate(gateway)
    gateway.start()
    one = device(f"ws://127.0.0.1:{gateway.port}", token=gateway.ids["dev-1 token"])
    send(one, 10)
    found = {row[0] for row in database.rows("SELECT (payload->>'n')::int FROM telemetry")}
    assert found == {n for n in range(30) if n != 10}
    assert [(json.loads(letter["payload"])["n"], letter["reason"][:4]) for letter in letters(tmp_path)] == [(10, "1009")]


def test_letters_are_bounded_and_the_newest_stay(tmp_path):
    kept = Letters(str(tmp_path / "refused"), limit_bytes=10_000)
    for n in range(200):
        assert kept.add("now", Message(n, "a/b", b"\xff" * 100 if n % 2 else b"x" * 100), "no")
    both = [tmp_path / "refused.1", tmp_path / "refused"]
    assert sum(path.stat().st_size for path in both) <= 10_000
    told = [json.loads(line) for path in both for line in path.read_text("ascii").splitlines()]
    assert kept.n == 200 and len(told) > 20
    assert told[-1]["payload_base64"] and told[-2]["payload"] == "x" * 100


def test_what_cannot_be_put_down_is_not_lost(tmp_path):
    assert not Letters(str(tmp_path / "nowhere/refused")).add("now", Message(1, "a/b", b"x"), "no")
