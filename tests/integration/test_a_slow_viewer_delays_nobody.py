"""A viewer that stops reading: the others go on, by sequence; it is told, and then closed."""
import json

from conftest import populate
from viewers import RawViewer
from waiting import PATIENCE, wait_until

N = 4000
PAD = "x" * 1500


def numbers(v):
    return [int(json.loads(t)["data"].split()[0]) for t in v.frames if '"raw_log"' in t]


def test_a_viewer_that_stops_reading_while_another_keeps_receiving(
        make_gateway, publisher, viewer, database):
    gateway = make_gateway(ws__queue_bytes="256K", ws__burst_bytes="1M", ws__slow_timeout="1s")
    populate(gateway)
    gateway.start()
    stalled = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=4096)
    lively = viewer("/api/ws", "ana")
    lively.next_of("connection")
    for n in range(N):
        publisher.publish("seano/USV-1/raw_log", f"{n} {PAD}")
        if n % 50 == 49:  # the lively one has it all while the stalled one reads nothing
            lively.wait_for(lambda texts, n=n: texts and f'"{n} ' in texts[-1], f"number {n}")
    publisher.flush()
    assert numbers(lively) == list(range(N))
    assert gateway.metric("tidegate_ws_dropped_total") \
        + gateway.metric("tidegate_ws_conflated_total") > 0
    wait_until(lambda: gateway.metric("tidegate_ws_connections") == 1,
               "the stalled socket to be closed")
    assert gateway.metric("tidegate_ws_queued_bytes") < 256 * 1024
    assert not lively.closed
    stalled.close()


def test_a_viewer_that_resumes_in_time_gets_the_newest_state(make_gateway, publisher, database):
    gateway = make_gateway(ws__queue_bytes="64K", ws__slow_timeout="60s")
    populate(gateway)
    gateway.start()
    slow = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=4096)
    for n in range(N):
        publisher.publish("seano/USV-1/vehicle_log", json.dumps({"speed": n, "pad": PAD}))
    publisher.flush()
    database.wait_for("SELECT count(*) FROM vehicle_logs", N)
    wait_until(lambda: gateway.metric("tidegate_ws_conflated_total") > 0, "conflation")
    seen = []
    slow.socket.settimeout(PATIENCE)
    while not seen or seen[-1] < N - 1:
        opcode, payload = slow.frame()
        if opcode == 1 and b'"vehicle_log"' in payload:
            seen.append(int(json.loads(payload)["data"]["speed"]))
    assert seen == sorted(set(seen)) and len(seen) < N
    slow.close()
    wait_until(lambda: accounts(gateway), "offered = sent + conflated + dropped + queued")


def accounts(gateway):
    m = gateway.metric
    return m("tidegate_ws_offered_total") == m("tidegate_ws_sent_total") \
        + m("tidegate_ws_conflated_total") + m("tidegate_ws_dropped_total") + m("tidegate_ws_queued")
