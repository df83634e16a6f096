"""What a gateway at the edge brings: stored once, in order, under its own times; and nothing that is another's."""
import json
import re
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from backup import Backup
from conftest import populate
from uplinks import Edge, batch, crc32c, record
from viewers import Viewer, refused
from waiting import wait_until

HOUR_US = 3600 * 10**6


def now_us():
    return time.time_ns() // 1000


@pytest.fixture
def boat(gateway):
    """A device of ana's that may bring what is ana's: (gateway, its token)."""
    _, token = gateway.add_device("boat", "ana")
    assert gateway.cli("device", "uplink", "boat", "on").stdout == "device boat: uplink on\n"
    gateway.database.wait_for("SELECT may_uplink FROM devices WHERE code = 'boat'", True)
    wait_until(lambda: refused(gateway, "/ws/uplink/boat", token) == 101, "the gateway to know")
    return gateway, token


@pytest.fixture
def edge(boat):
    opened = []

    def open_edge(**kwargs):
        opened.append(Edge(*boat, **kwargs))
        return opened[-1]

    yield open_edge
    for one in opened:
        one.close()


def telemetry(seq, n, received_us=None, device="dev-1"):
    return seq, received_us or now_us(), f"ems/{device}/telemetry", f'{{"n":{n}}}'


def numbers(database):
    return [row[0] for row in database.rows("SELECT (payload->>'n')::int FROM telemetry ORDER BY seq")]


def balances(gateway):
    wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "all to be stored")
    return gateway.metric("tidegate_accounting_drift") == 0


def test_the_sum_is_crc_32c():
    assert crc32c(b"123456789") == 0xE3069283


def test_what_it_brings_is_stored_under_the_time_of_the_edge_and_shown(boat, edge, database, viewer):
    gateway, _ = boat
    view = viewer("/ws/device/dev-1", "ana")
    an_hour_ago = now_us() - HOUR_US
    one = edge()
    assert one.position == 0
    one.bring(telemetry(1001, 1, an_hour_ago), telemetry(1007, 2))
    assert one.wait_stored() == 1007
    assert numbers(database) == [1, 2]
    assert [view.next(), view.next()] == ['{"n":1}', '{"n":2}']
    first = database.value("SELECT time FROM telemetry ORDER BY seq LIMIT 1")
    assert abs(first.timestamp() * 10**6 - an_hour_ago) < 1000
    assert database.value("SELECT received_at > now() - interval '1 minute' FROM telemetry ORDER BY seq LIMIT 1")
    assert database.rows("SELECT epoch, seq FROM uplink_positions") == [(0xA1, 1007)]
    assert gateway.metric("tidegate_received_total", door="uplink") == 2
    assert balances(gateway)


def test_what_it_sends_again_is_not_stored_again(boat, edge, database):
    gateway, _ = boat
    one = edge()
    one.bring(*[telemetry(seq, seq) for seq in range(1, 101)])
    assert one.wait_stored() == 100
    again = edge()  # which closes the first
    assert one.socket.wait_closed()[0] == 1008
    assert again.position == 100
    again.position = 100
    again.bring(telemetry(101, 101))
    again.wait_stored()
    assert numbers(database) == list(range(1, 102))
    other = edge(journal="00000000000000b2")  # another disk has other numbers
    assert other.position == 0
    other.bring(telemetry(1, 200))
    other.wait_stored()
    assert numbers(database) == [*range(1, 102), 200]
    assert edge().position == 101
    assert balances(gateway)


def test_what_waits_in_our_journal_and_comes_again_is_stored_once(boat, edge, database):
    """The database is away while an edge reconnects: it is told to begin where the database is."""
    gateway, _ = boat
    one = edge()
    one.bring(*[telemetry(seq, seq) for seq in range(1, 51)])
    one.wait_stored()
    with psycopg2.connect(database.url) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLE uplink_positions IN SHARE MODE")  # read, and not stored
        one.bring(*[telemetry(seq, seq) for seq in range(51, 101)])
        wait_until(lambda: gateway.metric("tidegate_in_journal") >= 50, "the journal to have it")
        two = edge()
        assert two.position == 50
        two.bring(*[telemetry(seq, seq) for seq in range(51, 121)])
        wait_until(lambda: gateway.metric("tidegate_in_journal") >= 120, "the journal to have it twice")
        three = edge()
        three.bring(*[telemetry(seq, seq) for seq in range(51, 131)])
        wait_until(lambda: gateway.metric("tidegate_in_journal") >= 200, "the journal to have it three times")
    assert three.wait_stored() == 130
    assert numbers(database) == list(range(1, 131))
    assert gateway.metric("tidegate_duplicate_total") == 120
    assert balances(gateway)


def test_who_sends_more_than_the_window_is_not_read(boat, edge, database):
    gateway, _ = boat
    one = edge()
    with psycopg2.connect(database.url) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLE uplink_positions IN SHARE MODE")
        sending = threading.Thread(target=lambda: [one.bring((seq, now_us(), "nobody/wants/this", b"x" * 1000000))
                                                   for seq in range(1, 31)], daemon=True)
        sending.start()
        wait_until(lambda: gateway.metric("tidegate_uplink_batches_total") == 6, "the window, and one more")
        assert gateway.get("/livez").status_code == 200
        assert gateway.metric("tidegate_uplink_batches_total") == 6
    sending.join(60)
    assert one.wait_stored(30) == 30
    assert database.value("SELECT count(*) FROM dead_letters WHERE reason = 'no_route'") == 30


def test_the_journal_is_compared_and_what_is_missing_stored_again(boat, edge, database):
    gateway, _ = boat
    one = edge()
    one.bring(*[telemetry(seq, seq, now_us() - HOUR_US) for seq in range(1, 21)])
    one.wait_stored()
    with psycopg2.connect(database.url) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLE uplink_positions IN SHARE MODE")
        one.bring(telemetry(21, 21))
        wait_until(lambda: gateway.metric("tidegate_in_journal") == 1, "the journal to have it")
        two = edge()
        two.bring(telemetry(21, 21), telemetry(22, 22, device="dev-2"))
        wait_until(lambda: gateway.metric("tidegate_in_journal") == 3, "the journal to have it twice")
    two.wait_stored()
    assert "missing 0" in gateway.cli("journal", "verify").stdout
    gateway.terminate()
    database.rows("DELETE FROM telemetry WHERE (payload->>'n')::int IN (3, 21) RETURNING 1")
    assert "missing 2\n" in gateway.cli("journal", "verify", check=False).stdout
    assert "stored 2\n" in gateway.cli("journal", "verify", "--store").stdout
    assert sorted(numbers(database)) == list(range(1, 22))
    assert database.value("SELECT reason FROM dead_letters") == "wrong_owner"
    assert "missing 0" in gateway.cli("journal", "verify").stdout


@pytest.mark.parametrize("begun", [True, False])
def test_two_that_store_the_same_at_once_store_it_once(boat, database, begun):
    """Who stores the journal of a dead gateway, and who was sent it again: the second waits, and is refused."""
    advance = ("SELECT tidegate_uplink_advance(ARRAY[id], ARRAY[161], ARRAY[7]) FROM devices WHERE code = 'boat'",)
    if begun:
        database.rows("INSERT INTO uplink_positions (device_id, epoch, seq) SELECT id, 161, 6 FROM devices WHERE code = 'boat' RETURNING 1")
    with psycopg2.connect(database.url) as one, psycopg2.connect(database.url) as other, ThreadPoolExecutor(1) as pool:
        one.cursor().execute(*advance)
        second = pool.submit(other.cursor().execute, *advance)
        database.wait_for("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'uplink_advance'"
                          " AND pid <> pg_backend_pid()", 1)
        one.commit()
        with pytest.raises(psycopg2.Error) as refusal:
            second.result()
        assert refusal.value.pgcode == "TG009"
    assert database.rows("SELECT seq FROM uplink_positions") == [(7,)]


@pytest.mark.parametrize("again", ["the same process", "another one"])
def test_a_kill_at_any_time_costs_nothing_and_doubles_nothing(boat, edge, database, again):
    gateway, _ = boat
    one = edge()
    sent = 0
    for turn in range(4):
        for _ in range(40):
            one.bring(*[telemetry(sent + k, sent + k) for k in range(1, 26)])
            sent += 25
        if turn % 2:
            one.wait_stored(one.told + 1)
        gateway.kill()
        if again == "another one":  # with a journal of its own: what was only in the first one's comes again
            gateway.write_conf(journal__dir=str(gateway.folder / f"journal-{turn}"))
        gateway.start()
        wait_until(lambda: gateway.status("/readyz") == 200, "the gateway")
        told = one.told
        one = edge()
        assert one.position >= told  # what was said to be stored is
        sent = one.position
    one.bring(telemetry(sent + 1, sent + 1))
    one.wait_stored()
    assert numbers(database) == list(range(1, sent + 2))
    if again == "another one":  # back to the first: what it still has was stored by the others
        gateway.stop()
        gateway.write_conf(journal__dir=str(gateway.folder / "journal"))
        gateway.start()
        wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "it to have stored what it owed")
        assert sorted(numbers(database)) == list(range(1, sent + 2))


def test_what_is_adopted_and_was_brought_to_another_one_is_said_to_be_a_duplicate(boat, edge, database):
    gateway, _ = boat
    with psycopg2.connect(database.url) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLE uplink_positions IN SHARE MODE")  # read, and not stored
        edge().bring(*[telemetry(seq, seq) for seq in range(1, 51)])
        wait_until(lambda: gateway.metric("tidegate_in_journal") == 50, "the journal to have it")
        gateway.kill()
        database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()")
    left = gateway.folder / "journal"
    gateway.write_conf(journal__dir=str(gateway.folder / "journal-2"))
    gateway.start()
    wait_until(lambda: gateway.status("/readyz") == 200, "the gateway")
    again = edge()
    again.bring(*[telemetry(seq, seq) for seq in range(1, 41)])
    again.wait_stored()
    assert ": stored 10, duplicates 40, stored by others 0, left 0\n" in gateway.cli("journal", "adopt", str(left)).stdout
    assert sorted(numbers(database)) == list(range(1, 51))


def test_two_that_began_with_one_folder_go_on_beside_each_other(boat, edge, database):
    """What both have is stored once; what each has numbered is its own, whatever number that is."""
    gateway, _ = boat
    one = edge(runs=[(0xC1, 0)])
    one.bring(*[telemetry(seq, seq) for seq in range(1, 101)])
    one.wait_stored()
    two = edge(runs=[(0xC2, 50), (0xC1, 0)])  # it has what was there up to 50: a restart, as far as one can see
    assert one.socket.wait_closed()[0] == 1008 and two.position == 50 and not two.is_copied
    two.bring(telemetry(60, 260), telemetry(90, 290))
    two.wait_stored()
    one = edge(runs=[(0xC1, 0)])
    assert one.position == 100
    one.bring(telemetry(101, 101))
    two.bring(telemetry(91, 291), telemetry(101, 301))
    one.wait_stored()
    two.wait_stored()
    assert one.is_copied and two.is_copied and gateway.metric("tidegate_uplink_copied") == 2
    assert gateway.get("/readyz").json()["notes"] == ["uplink_copied"]
    assert sorted(numbers(database)) == [*range(1, 102), 260, 290, 291, 301]
    three = edge(runs=[(0xC3, 200), (0xC2, 50), (0xC1, 0)])  # two starts anew
    assert two.socket.wait_closed()[0] == 1008 and one.socket.wait_closed()[0] == 1008 and three.position == 101
    one = edge(runs=[(0xC1, 0)])
    beside = [edge(runs=[(0xD0 + n, 0)]) for n in range(3)]
    assert three.socket.wait_closed()[0] == 1008  # four are the most, and it is the oldest
    edge()  # who says nothing of runs is alone
    assert {view.socket.wait_closed()[0] for view in (one, *beside)} == {1008}
    wait_until(lambda: gateway.metric("tidegate_uplink_copied") == 0, "nobody to be beside another")
    assert balances(gateway)


def test_one_more_run_than_is_remembered_stops_nobody(boat, edge, database):
    """Another gateway has stored what waits here of one of 64, and what waits before it is of one more."""
    gateway, _ = boat
    with psycopg2.connect(database.url) as lock, lock.cursor() as cursor:
        cursor.execute("LOCK TABLE uplink_positions IN SHARE MODE")
        edge(journal="0000000000000041").bring(telemetry(1, 65))
        for n in range(1, 65):
            one = edge(journal=f"{n:016x}")
            one.bring(telemetry(5, n))
            wait_until(lambda n=n: gateway.metric("tidegate_in_journal") == n + 1, "the journal to have it")
        cursor.execute("INSERT INTO uplink_positions (device_id, epoch, seq)"
                       " SELECT id, n, 5 FROM devices, generate_series(1, 64) n WHERE code = 'boat'")
    database.wait_for("SELECT array_agg((payload->>'n')::int) FROM telemetry", [65])
    assert balances(gateway)


def test_what_one_edge_has_waiting_leaves_room_for_others(make_gateway, postgres, database):
    """It heeds no window. Its share of the journal is that of a device, and then it is not read."""
    gateway = make_gateway(journal__max_bytes="8M", journal__min_free_bytes=0)
    populate(gateway)
    _, token = gateway.add_device("boat", "ana")
    gateway.cli("device", "uplink", "boat", "on")
    gateway.start()
    one, n = Edge(gateway, token), 0
    postgres.stop()
    while gateway.metric("tidegate_refused_journal_share_total") == 0 and n < 200:
        n += 1
        one.bring((n, now_us(), "ems/dev-1/telemetry", json.dumps({"n": n, "x": "x" * 100000})))
    assert 10 < n < 40
    assert gateway.metric("tidegate_refused_journal_full_total") == 0
    Viewer(gateway, "/ws/device/dev-2", gateway.ids["dev-2 token"]).send('{"n":1000}')
    wait_until(lambda: gateway.metric("tidegate_received_total", door="ws") == 1, "another one's to be taken")
    assert one.socket.closed is None
    postgres.start()
    assert one.wait_stored() == n
    assert sorted(numbers(database)) == [*range(1, n + 1), 1000]
    assert balances(gateway)


def test_it_speaks_for_nobody_but_its_owner(boat, edge, database):
    gateway, _ = boat
    one = edge()
    one.bring(telemetry(1, 1), telemetry(2, 2, device="dev-2"), telemetry(3, 3, device="nobody"),
              (4, now_us(), "seano/USV-2/raw_log", "theirs"), (5, now_us(), "seano/USV-1/raw_log", "ours"),
              (6, now_us(), "ems/dev-1/telemetry", "no json"), telemetry(7, 7))
    one.wait_stored()
    assert numbers(database) == [1, 7]
    assert database.rows("SELECT logs FROM raw_logs") == [("ours",)]
    boat_id = database.value("SELECT id FROM devices WHERE code = 'boat'")
    assert database.rows("SELECT reason, topic FROM dead_letters ORDER BY seq") == [
        ("wrong_owner", f"$uplink/{boat_id}/ems/dev-2/telemetry"),
        ("unknown_device", f"$uplink/{boat_id}/ems/nobody/telemetry"),
        ("wrong_owner", f"$uplink/{boat_id}/seano/USV-2/raw_log"),
        ("bad_json", f"$uplink/{boat_id}/ems/dev-1/telemetry")]
    assert balances(gateway)


def test_a_letter_that_comes_back_is_still_its_own(boat, edge, database):
    gateway, _ = boat
    one = edge()
    one.bring(telemetry(1, 1, now_us() - HOUR_US, device="late"), telemetry(2, 2, device="dev-2"))
    one.wait_stored()
    gateway.add_device("late", "ana")
    gateway.cli("dead-letters", "replay", *(str(row[0]) for row in database.rows("SELECT id FROM dead_letters ORDER BY id")), check=False)
    database.wait_for("SELECT array_agg((payload->>'n')::int) FROM telemetry", [1])
    database.wait_for("SELECT array_agg(reason) FROM dead_letters", ["wrong_owner"])
    assert database.value("SELECT now() - time > interval '50 minutes' FROM telemetry")
    assert balances(gateway)


def test_what_an_edge_of_since_has_brought_is_no_other_edges(gateway, database, postgres):
    """The database is put back to before there was the edge, and another one is given its id, whose owner has what it spoke of."""
    backup = Backup(postgres, database)
    before, token = gateway.add_device("boat", "ben")
    gateway.cli("device", "uplink", "boat", "on")
    wait_until(lambda: refused(gateway, "/ws/uplink/boat", token) == 101, "the gateway to know")
    one = Edge(gateway, token)
    one.bring(telemetry(1, 1, device="dev-2"), (2, now_us(), "ems/dev-1/telemetry", "no json"))
    one.bring(telemetry(3, 3))
    one.wait_stored()
    assert numbers(database) == [1]
    one.close()
    assert gateway.terminate() == 0

    backup.restore()
    assert gateway.add_device("other", "ana")[0] == before
    gateway.cli("device", "uplink", "other", "on")
    gateway.start()
    letters = [(reason, f"$uplink/-{before}/ems/{code}/telemetry") for reason, code in
               (("unknown_device", "dev-2"), ("bad_json", "dev-1"), ("unknown_device", "dev-1"))]
    database.wait_for("SELECT count(*) FROM dead_letters", 3)
    assert database.rows("SELECT reason, topic FROM dead_letters ORDER BY seq") == letters
    gateway.cli("dead-letters", "replay", "--reason", "unknown_device", check=False)
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'wrong_owner'", 2)
    assert numbers(database) == []
    assert balances(gateway)


def test_who_may_not_is_not_let_in(boat, gateway, database):
    _, token = boat
    _, other = gateway.add_device("plain", "ana")
    wait_until(lambda: refused(gateway, "/ws/device/plain", other) == 101, "the gateway to know the other")
    assert refused(gateway, "/ws/uplink/plain", other) == 403
    assert refused(gateway, "/ws/uplink/plain", token) == 403
    assert refused(gateway, "/ws/uplink/boat", gateway.token("root")) == 403
    edge = Edge(gateway, token)
    gateway.cli("device", "uplink", "boat", "off")
    assert edge.socket.wait_closed()[0] == 4004
    wait_until(lambda: refused(gateway, "/ws/uplink/boat", token) == 403, "the gateway to know")


def test_however_often_it_tells_of_losses_the_log_says_all_in_few_lines(boat, edge):
    gateway, _ = boat
    began = time.monotonic()
    one = edge()
    for n in range(1, 501):
        one.say({"type": "lost", "dropped": n, "gaps": 2 * n, "new_dropped": 1, "new_gaps": 2})
    for _ in range(500):
        assert json.loads(one.socket.next()) == {"type": "heard"}
    one.close()

    def said():
        return [[int(re.search(rf" {name}=(\d+)", line)[1]) for name in ("messages", "gaps", "all_messages", "all_gaps")]
                for line in gateway.log().splitlines() if " uplink_lost " in line]

    wait_until(lambda: sum(line[0] for line in said()) == 500, "all to be said")
    assert sum(line[1] for line in said()) == 1000
    assert said()[0] == [1, 2, 1, 2] and said()[-1][2:] == [500, 1000]
    assert len(said()) <= 2 + (time.monotonic() - began) / 60
    assert gateway.metric("tidegate_uplink_lost_total") == 500


@pytest.mark.parametrize("frames, reason", [
    ([batch(0, [record(1, 0, "a", "b")])], "a batch before the welcome"),
    (['{"type":"hello","format":2,"journal":"00000000000000a1"}'], "this format is not known here, but 1 is"),
    (['{"type":"hello","format":1,"journal":"a1"}'], "hello names a journal of 16 hex digits"),
    *[(['{"type":"hello","format":1,"journal":"00000000000000a1","runs":' + runs + "}"],
       "the runs of a hello are at most 64, the newest first")
      for runs in ('"00000000000000c1:0"', "[7]", '["c1:0"]', '["00000000000000c1:1","00000000000000c2:2"]',
                   json.dumps(["00000000000000c1:0"] * 65))],
    (['{"type":"lost","dropped":1,"gaps":0,"new_dropped":1,"new_gaps":0}'], "losses before the welcome"),
    (["hello", '{"type":"lost","dropped":1,"gaps":0,"new_dropped":-1,"new_gaps":0}'], "the counts of a loss are four whole numbers"),
    (['{"type":"lost","dropped":1}'], "the counts of a loss are four whole numbers"),
    (["{"], "a message is a JSON object, or a batch"),
    (["[]"], "a message is a JSON object, or a batch"),
    (['{"type":"goodbye"}'], "neither hello nor lost, and no batch"),
    (["hello", "{}"], "neither hello nor lost, and no batch"),
    (["hello", '{"type":"hello","format":1,"journal":"00000000000000a1"}'], "hello is said once"),
    (["hello", b"TGU1"], "not a batch"),
    (["hello", batch(0, [record(1, 0, "a", "b")], crc=7)], "the checksum of a batch is wrong"),
    (["hello", batch(9, [record(10, 0, "a", "b")])], "a batch does not follow the one before it"),
    (["hello", batch(0, [record(1, 0, "a", "b"), record(1, 0, "a", "b")])], "the numbers of a batch do not ascend"),
    (["hello", batch(0, [record(1 << 63, 0, "a", "b")])], "the numbers of a batch do not ascend"),
    (["hello", batch(0, [record(1, 0, "a", "b")], n=2)], "a batch is not whole"),
    (["hello", batch(0, [record(1, 0, "a", "b"), b"x"], n=1)], "a batch is not whole"),
    (["hello", batch(0, [struct.pack("<QqBBHI", 1, 0, 0, 0, 1, 0xFFFFFFFF) + b"ab"])], "a batch is not whole"),
])
def test_what_is_no_batch_ends_the_connection(boat, edge, database, frames, reason):
    gateway, _ = boat
    one = edge(hello=frames[0] == "hello")
    for frame in frames:
        if frame != "hello":
            one.socket.send(frame)
    assert one.socket.wait_closed() == (4003, reason)
    assert gateway.metric("tidegate_uplink_broken_total") == 1
    assert f'reason="{reason}"' in gateway.log()
    assert database.value("SELECT count(*) FROM dead_letters") == 0
