"""Promise: whoever makes much work on many connections waits for himself, and nobody for him."""
import contextlib
import json
import socket
import struct

import pytest

from raw import TEXT, Raw, frame, handshake

N_CROWD = 300
SO_TIMESTAMPNS = 35  # when the kernel had it, however late we look


class Told(Raw):
    """One that knows when what came to it came."""

    def __init__(self, gateway, path, token, protocol=None):
        super().__init__(gateway, handshake(path, token=token, protocol=protocol))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.read_handshake()
        self.next_json()  # the welcome

    def when_answered(self):
        """The time of the first bytes that come now."""
        data, told, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(16))
        assert data, "it was closed"
        seconds, nanoseconds = struct.unpack("qq", told[0][2])
        return seconds + nanoseconds / 1e9


def with_much_in_it():
    """A message that fits one read, and takes some time to be understood."""
    return frame(TEXT, json.dumps({"type": "subscribe", "vehicle_ids": list(range(100, 3100))},
                                  separators=(",", ":")))


WORK = {
    "messages": with_much_in_it,
    "pings": lambda: frame(9, b"") * 2500 + frame(TEXT, '{"type":"ping"}'),
}


@pytest.mark.parametrize("work", WORK)
def test_one_message_of_another_waits_for_few_of_a_crowd(shared_gateway, work):
    """All that is said is there before the gateway looks; the other's words come last."""
    gateway, said = shared_gateway, WORK[work]()
    assert len(said) < 16384
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Told(gateway, "/api/ws", gateway.token("ben"))) for _ in range(N_CROWD)]
        other = stack.enter_context(Told(gateway, "/api/ws", gateway.token("ana"), "tidegate.v1"))
        gateway.freeze()
        for one in crowd:
            one.send(said)
        other.send(frame(TEXT, '{"op":"ping","id":1}'))
        gateway.thaw()
        answered = other.when_answered()
        n_before = sum(one.when_answered() < answered for one in crowd)
    assert n_before < N_CROWD / 2
    assert gateway.metric("tidegate_ws_put_off_total") > 0
