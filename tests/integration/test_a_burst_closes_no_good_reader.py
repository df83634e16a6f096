"""More at once than the kernel and a queue hold: who reads on has it all, who does not is closed."""
import json

import pytest

from conftest import populate
from viewers import RawViewer, Viewer
from waiting import PATIENCE, wait_until

N = 600
PAD = "x" * 30_000


def burst(database, gateway, publisher, postgres):
    """N messages of 30 KB that are handed out in one go: they waited for the database."""
    postgres.freeze()
    for n in range(N):
        publisher.publish("seano/USV-1/raw_log", f"{n} {PAD}")
    publisher.flush()
    postgres.thaw()


def numbers(texts):
    return [int(json.loads(t)["data"].split()[0]) for t in texts if '"raw_log"' in t]


@pytest.mark.parametrize("path", ["/api/ws", "native"])
def test_who_reads_has_all_of_a_burst(make_gateway, publisher, database, postgres, path):
    gateway = make_gateway(database__stall_timeout="60s", database__timeout="60s")
    populate(gateway)
    gateway.start()
    if path == "native":
        good = Viewer(gateway, "/api/ws", gateway.token("ana"), subprotocols=["tidegate.v1"])
        good.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"]})
    else:
        good = Viewer(gateway, path, gateway.token("ana"))
    good.next()
    idle = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=4096)
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 2, "both to be there")
    burst(database, gateway, publisher, postgres)
    wait_until(lambda: good.closed or len(numbers(good.frames)) == N, "all of it", PATIENCE * 2)
    assert good.closed is None
    assert numbers(good.frames) == list(range(N))
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 1, "the idle one to be closed")
    assert gateway.metric("tidegate_ws_closed_by_gateway_total", reason="slow") == 1
    assert gateway.metric("tidegate_ws_burst_bytes") == 0
    assert gateway.metric("tidegate_ws_queued_bytes") == 0
    good.close()
    idle.close()
