"""Accounting (docs/protocol.md, 6): closed on the way in and out, under load and faults; statistics for ops."""
import json

from conftest import populate
from identities import native
from viewers import RawViewer, Viewer
from waiting import PATIENCE, wait_until


def stats_of(gateway, user="root"):
    return gateway.get("/api/ws/stats", user).json()


def way_in(stats):
    a = stats["accounting"]
    return a["received"] - a["committed"] - a["dead_lettered"] - a["duplicate"] - a["in_journal"]


def way_out(stats):
    f = stats["fanout"]
    return f["offered"] - f["sent"] - f["conflated"] - f["dropped"] - f["queued"]


def message(n):
    vehicle = n % 2 + 1
    if n % 50 == 49:
        return f"seano/USV-{vehicle}/vehicle_log", "not json"
    if n % 3 == 0:
        return f"seano/USV-{vehicle}/raw_log", f"{n} " + "x" * 500
    return f"seano/USV-{vehicle}/vehicle_log", json.dumps({"speed": n % 40, "mode": "AUTO"})


def test_nothing_goes_uncounted_under_load_and_faults(make_gateway, publisher, postgres, broker):
    gateway = make_gateway(ws__queue_bytes="64K", ws__slow_timeout="3s", database__stall_timeout="200ms")
    populate(gateway)
    gateway.start()
    viewers = [Viewer(gateway, "/api/ws", gateway.token(user)) for user in ("ana", "ben", "root")]
    natives = [native(gateway, gateway.token("root")) for _ in range(2)]
    for v in natives:
        v.send({"op": "subscribe", "id": 1, "to": ["vehicle/*"], "max_hz": 2})
    slow = [RawViewer(gateway, "/api/ws", gateway.token("root"), receive_buffer=4096)
            for _ in range(3)]
    publisher.run(message, 600)
    drifts = []

    def watch(n_messages):
        end = publisher.n_sent + n_messages

        def has_seen_enough():
            drifts.append(way_out(stats_of(gateway)))
            assert gateway.metric("tidegate_ws_accounting_drift") == 0
            return publisher.n_sent >= end

        wait_until(has_seen_enough, "more messages", step=0.1)

    watch(1200)
    postgres.freeze()
    watch(1200)
    postgres.thaw()
    viewers.append(Viewer(gateway, "/api/ws", gateway.token("root")))
    watch(600)
    postgres.stop()
    slow[0].close()
    watch(900)
    postgres.start()
    for v in (viewers.pop(0), natives.pop(0)):
        v.close()
    watch(600)
    n = publisher.stop()

    wait_until(lambda: stats_of(gateway)["accounting"]["in_journal"] == 0, "everything stored")
    stats = stats_of(gateway)
    assert way_in(stats) == 0, stats["accounting"]
    assert stats["accounting"]["received"] >= n
    assert stats["accounting"]["dead_lettered"] == \
        sum(stats["accounting"]["dead_lettered_by_reason"].values()) == len(
            [k for k in range(n) if k % 50 == 49])
    assert set(drifts) == {0}, set(drifts)
    assert gateway.metric("tidegate_accounting_drift") == 0
    assert "accounting_drift" not in gateway.log()
    for one in stats["connections_info"]:
        assert one["offered"] == one["sent"] + one["conflated"] + one["dropped"] + one["queued"], one


def test_the_statistics_give_the_whole_picture(make_gateway, publisher, database):
    gateway = make_gateway(ws__queue_bytes="1M", ws__slow_timeout="1m")
    populate(gateway)
    gateway.start()
    held = [Viewer(gateway, "/ws", gateway.token("ana")), Viewer(gateway, "/api/ws", gateway.token("ben")),
            Viewer(gateway, "/ws/devices", gateway.token("ana")), native(gateway, gateway.token("root"))]
    slow = RawViewer(gateway, "/api/ws", gateway.token("ana"), receive_buffer=2048)
    for n in range(300):
        publisher.publish("seano/USV-1/raw_log", f"{n} " + "x" * 1000)
    publisher.flush()
    database.wait_for("SELECT count(*) FROM raw_logs", 300)
    stats = wait_until(lambda: (lambda s: s["slowest"] and s)(stats_of(gateway)), "a slow one")
    assert stats["active_connections"] == 5 == len(stats["connections_info"])
    assert stats["connections_by_user"] == {str(gateway.ids["ana"]): 3, str(gateway.ids["ben"]): 1,
                                            str(gateway.ids["root"]): 1}
    by = stats["connections_by_dialect"]
    assert (by["A"], by["C"], by["D"], by["native"], by["E"]) == (1, 1, 2, 1, 0)
    worst = stats["slowest"][0]
    assert worst["client_info"]["user_id"] == gateway.ids["ana"]
    assert worst["queued"] > 0 and worst["queued_bytes"] > 0 and worst["lag_seconds"] > 0
    assert stats["fanout"]["queued"] == worst["queued"]
    assert stats["journal"]["full"] is False and stats["journal"]["bytes"] > 0
    assert stats["database"]["connected"] is stats["mqtt"]["connected"] is True
    assert set(stats["rates"]) >= {"received_per_second", "committed_per_second",
                                   "offered_per_second", "sent_per_second"}
    assert stats["outbox"]["length"] >= 0 and stats["accounting"]["drift"] == 0

    own = stats_of(gateway, "ben")
    assert "connections_by_user" not in own
    assert [c["client_info"]["user_id"] for c in own["connections_info"]] == [gateway.ids["ben"]]
    assert own["slowest"] == []
    status = gateway.get("/api/ws/status", "root").json()
    assert status["statistics"]["connections_by_user"] == stats["connections_by_user"]
    assert "connections_by_user" not in gateway.get("/api/ws/status", "ben").json()["statistics"]
    slow.close()
    for v in held:
        v.close()
    wait_until(lambda: stats_of(gateway)["active_connections"] == 0, "all to be gone", PATIENCE)
    wait_until(lambda: stats_of(gateway)["fanout"]["queued"] == 0, "nothing queued")
