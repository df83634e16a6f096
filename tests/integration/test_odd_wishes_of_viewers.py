"""What a viewer asks that cannot be: a clear answer, no end of anybody's connection, and nobody else waits."""
import pytest

from test_native_protocol import Native
from viewers import Viewer

BAD = [
    *[{"at": at} for at in ("", "now", "2026-13-45T00:00:00Z", "-1", "1e309", "0", "9" * 40, 0, -1, 1e300, True, [], {})],
    *[{"at": "2026-04-27T10:00:00Z", "rate": rate} for rate in (0, -1, 0.0999, 100.1, 1e308, "1", True, [], {})],
    {"rate": 1},
    *[{"bbox": box} for box in ([], [0], [0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, "1"], [-181, 0, 0, 1], [0, -91, 1, 1], [0, 0, 1, 91],
                                [0, 5, 1, 1], [1e308, 0, 1, 1], "0,0,1,1", {}, [[0, 0], [1, 1]], [None] * 4)],
    *[{"max_hz": hz} for hz in (0, -1, -1e308, "2", True, [], {})],
    *[{"set": word} for word in (1, [], {}, 0.5)],
    *[{"snapshot": word} for word in (1, "yes", [])],
    *[{"to": to} for to in ("user", 1, {}, [1], ["vehicle/"], ["group/x"], ["group/-1"], ["group/99999999999999999999"], ["x" * 60000],
                            [""], [None], [["user"]])],
    *[{"types": types} for types in ("raw_log", 1, {}, [1], ["x" * 60000], [""], [None])],
    *[{"since": since} for since in (1, [], {}, True)],
]
BAD_CURSORS = ["", "x", ":", "0:0", "0123456789abcdef:", "0123456789abcdef:-1", "0123456789abcdef:1e5", "0123456789abcdef:" + "9" * 30,
               "0123456789abcdeg:1", "0123456789abcdef:1:1", " 0123456789abcdef:1", "0" * 5000]
# By hand, as json.dumps makes none of it.
BAD_NUMBERS = ['"bbox":[NaN,0,1,1]', '"bbox":[0,0,Infinity,1]', '"max_hz":NaN', '"at":"2026-04-27T10:00:00Z","rate":NaN']


@pytest.fixture
def ana(gateway):
    one = Native(gateway, gateway.token("ana"))
    one.push("welcome")
    yield one
    one.close()


def test_what_cannot_be_is_refused_and_costs_nothing(ana):
    for wish in BAD:
        answer = ana.ask("subscribe", **{"to": ["user"], **wish})
        assert answer["ok"] is False and answer["error"]["code"] == "bad_request", (str(wish)[:200], answer)
    for since in BAD_CURSORS:
        assert ana.ask("subscribe", to=["user"], since=since)["error"]["code"] == "bad_cursor", since[:100]
    assert ana.ask("subscribe", to=["user"])["subscription"] == "s1", "nothing of it was left"


def test_what_is_no_number_is_refused(ana):
    for member in BAD_NUMBERS:
        ana.send('{"op":"subscribe","id":"odd","to":["user"],%s}' % member)
        assert ana.next_json()["error"]["code"] == "bad_request", member
    assert ana.ask("subscribe", to=["user"])["subscription"] == "s1"


def test_seeks_far_away_say_what_is_not_there(ana):
    played = ana.ask("subscribe", to=["user"], at="1971-01-01T00:00:00Z")
    assert played["error"]["code"] == "not_found"
    assert ana.ask("subscribe", to=["user"], at="9999-12-31T23:59:59Z")["ok"], "it joins what is live"
    for op in ("pause", "seek", "live", "move", "unsubscribe"):
        assert ana.ask(op, subscription="s" * 5000)["error"]["code"] == "not_found"
        assert ana.ask(op)["error"]["code"] == "bad_request"


def test_thousands_of_wishes_a_second_end_their_own_socket_alone(gateway, ana, broker):
    """ws.messages_per_second is of a socket: who asks more is closed 4102."""
    crowd = Viewer(gateway, "/api/ws", gateway.token("ben"), subprotocols=["tidegate.v1"])
    crowd.send({"op": "subscribe", "id": 0, "to": ["user"], "bbox": [0, 0, 1, 1], "set": True})
    try:
        for n in range(3000):
            crowd.send({"op": "move", "id": n, "subscription": "s1", "bbox": [n % 90, 0, n % 90 + 1, 1]})
    except Exception:  # pylint: disable=broad-except  # it may be closed by then
        pass
    assert ana.ask("subscribe", to=["vehicle/USV-1"])["ok"]
    broker.publish("seano/USV-1/raw_log", "hello")
    assert ana.push("raw_log")["data"] == "hello"
    assert crowd.wait_closed()[0] == 4102
    assert gateway.metric("tidegate_ws_closed_by_gateway_total", reason="rate") == 1
