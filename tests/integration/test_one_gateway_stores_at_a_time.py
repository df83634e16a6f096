"""Two gateways with one database and one broker: one stores, the other waits for its turn."""
import os
import shutil
import signal

import pytest

from conftest import populate
from faultproxy import PostgresProxy
from test_native_protocol import Native
from waiting import PATIENCE, wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY logs::int"


def publish(publisher, numbers):
    for n in numbers:
        publisher.publish("seano/USV-1/raw_log", str(n))
    publisher.flush()


def stored(database, numbers):
    """These, each of them once."""
    want = [(str(n),) for n in numbers]
    database.wait_for("SELECT count(DISTINCT logs) FROM raw_logs", len(want))
    assert database.rows(LOGS) == want


def stands_by(gateway):
    answer = gateway.get("/readyz")
    return answer.status_code == 503 and answer.json()["status"] == "standby" and answer.json()


def wait_standing_by(gateway):
    wait_until(lambda: gateway.status("/livez") == 200, "the other one to be alive")
    return wait_until(lambda: stands_by(gateway), "the other one to stand by")


@pytest.fixture
def pair(make_gateway):
    """The first stores, the second has another journal and stands by."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    return first, second


def test_second_waits_and_says_for_whom(pair, database, publisher):
    first, second = pair
    publish(publisher, range(50))
    stored(database, range(50))
    said = stands_by(second)
    assert said["reasons"] == ["standby"] and said["holder"] == f"{os.uname().nodename}:{first.pid}"
    assert f"lease_waiting slot=0 holder={said['holder']} " in second.log()
    assert second.metric("tidegate_lease_waiting") == 1 == first.metric("tidegate_lease_held")
    assert second.metric("tidegate_received_total") == 0 == second.metric("tidegate_mqtt_connects_total")
    answer = second.post("/api/v1/detections", json={"detections": []},
                         headers={"X-Device-Token": first.ids["dev-1 token"]})
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "standby"
    assert first.get("/api/ws/stats", "root").json()["lease"] == {"held": True, "holder": None}
    assert first.cli("journal", "verify").returncode == 0
    assert second.cli("journal", "verify").returncode == 0
    assert second.terminate() == 0  # at once, though it never was ready


def test_what_others_store_in_their_turn_is_no_hole(pair, database, publisher):
    """A new journal has nothing to compare below what was there; one that comes back has its own."""
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    assert first.terminate() == 0
    second.wait_ready()
    publish(publisher, range(20, 40))
    stored(database, range(40))
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    first.wait_ready()
    assert first.metric("tidegate_accounting_drift") == 0
    assert "accounting" not in first.log() + second.log()

    publish(publisher, range(40, 60))
    stored(database, range(60))
    second.start(wait=False)
    wait_standing_by(second)
    assert first.terminate() == 0
    database.rows("UPDATE journal_positions SET stored = stored - 1 WHERE epoch = "
                  "(SELECT epoch FROM journal_positions ORDER BY journal_id LIMIT 1)")
    second.wait_ready()
    publish(publisher, range(60, 80))
    stored(database, range(80))
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    wait_until(lambda: "accounting_drift" in first.log(), "what is missing of its first turn to be noticed")


def test_it_goes_over_at_once_at_a_proper_end(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    assert first.terminate() == 0
    publish(publisher, range(20, 40))  # kept by the broker, in the session of both
    second.wait_ready()
    publish(publisher, range(40, 60))
    stored(database, range(60))
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    publish(publisher, range(60, 80))
    first.wait_ready()
    stored(database, range(80))
    for gateway in pair:
        assert "lease_lapsed" not in gateway.log()


def test_at_a_proper_end_under_load_nothing_goes_twice(pair, database, publisher):
    """The broker has heard what the one acknowledged before the other goes on with the session."""
    first, second = pair
    publisher.run(lambda n: ("seano/USV-1/raw_log", str(n)), rate=4000)
    for _ in range(4):
        seen = publisher.n_sent
        wait_until(lambda n=seen: publisher.n_sent > n + 1500, "some load")
        assert first.terminate() == 0
        second.wait_ready()
        first.start(wait=False)
        wait_standing_by(first)
        first, second = second, first
    stored(database, range(publisher.stop()))


def test_it_goes_over_after_the_lease_when_the_first_is_killed(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    first.kill()
    publish(publisher, range(20, 40))
    second.wait_ready()
    assert "lease_lapsed" in second.log()
    stored(database, range(40))
    assert database.value("SELECT fence FROM slots") == 2


def test_stopped_beyond_its_lease_it_stores_nothing_more(pair, database, publisher):
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    position = database.value("SELECT seq FROM journal_positions")
    first.freeze()
    second.wait_ready()
    publish(publisher, range(20, 60))
    stored(database, range(60))
    first.thaw()
    assert first.process.wait(PATIENCE) != 0  # for a service manager to start it again
    first.process = None
    assert "lease_lost slot=0 " in first.log()
    publish(publisher, range(60, 80))
    stored(database, range(80))
    assert database.value("SELECT min(seq) FROM journal_positions") == position
    first.start(wait=False)
    wait_standing_by(first)


def test_stopped_it_takes_in_nothing_of_what_has_gone_to_the_other(pair, database, publisher):
    """What its socket holds as it wakes is the other one's by then, and not stored at its next turn."""
    first, second = pair
    publish(publisher, range(20))
    stored(database, range(20))
    for turn in range(3):
        start = 20 + turn * 60
        first.freeze()
        publish(publisher, range(start, start + 40))  # into the socket of who does not read
        second.wait_ready()
        stored(database, range(start + 40))
        first.thaw()
        assert first.process.wait(PATIENCE) != 0
        first.process = None
        first.start(wait=False)
        wait_standing_by(first)
        assert second.terminate() == 0
        first.wait_ready()
        publish(publisher, range(start + 40, start + 60))
        stored(database, range(start + 60))
        second.start(wait=False)
        wait_standing_by(second)


def test_its_end_waits_for_no_clock(make_gateway, database, publisher):
    """It wakes up with messages in its socket that it may not take, and its clock is not the kernel's: as if that
    had been set back by a minute while it ended."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.clock = "+60s"
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    first.freeze()
    publish(publisher, range(40))
    second.wait_ready()
    first.thaw()
    assert first.process.wait(PATIENCE) != 0
    first.process = None
    assert "mqtt_abandoned" in first.log()
    stored(database, range(40))


def test_cut_off_from_the_database_it_leaves_the_session(make_gateway, database, postgres, folder,
                                                         publisher):
    """It still has the broker, whose session the other one takes with the slot."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    first, second = (make_gateway(cluster__lease="2s", database__url=url)
                     for url in (proxy.url(database), database.url))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    publish(publisher, range(20))
    stored(database, range(20))
    proxy.close()
    publish(publisher, range(20, 30))
    wait_until(lambda: first.metric("tidegate_in_journal") == 10, "the journal to have them")
    wait_until(lambda: "mqtt_session_left" in first.log(), "the first one to leave the session")
    second.wait_ready()
    publish(publisher, range(30, 40))
    wait_until(lambda: database.value("SELECT count(*) FROM raw_logs WHERE logs = '39'"), "39")
    assert first.process.poll() is None  # it is not known to be superseded yet

    proxy = PostgresProxy(folder / "proxy", postgres)
    assert first.process.wait(PATIENCE) != 0
    first.process = None
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    first.wait_ready()
    stored(database, range(40))
    assert first.terminate() == 0
    proxy.close()


def test_it_returns_behind_others_without_an_alarm(make_gateway, database, postgres, folder, publisher):
    """The same process, twice: what it has stored it stores once, and that others had their turn is no error."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    first, second = (make_gateway(cluster__lease="2s", database__url=url)
                     for url in (proxy.url(database), database.url))
    populate(first)
    first.start()
    n = 0
    for turn in (1, 2):
        second.start(wait=False)
        wait_standing_by(second)
        publish(publisher, range(n, n + 20))
        stored(database, range(n + 20))
        proxy.close()
        wait_until(lambda t=turn: first.log().count("mqtt_session_left") == t, "the first one to leave the session")
        second.wait_ready()
        publish(publisher, range(n + 20, n + 40))
        stored(database, range(n + 40))
        assert second.terminate() == 0
        proxy = PostgresProxy(folder / "proxy", postgres)
        publish(publisher, range(n + 40, n + 60))
        n += 60
        stored(database, range(n))
        wait_until(lambda t=turn: first.log().count("journal_behind_others") == t, "it to say where it goes on")
        first.wait_ready()
    assert "journal_position_moved" not in first.log()
    assert "warning journal_behind_database" not in first.log()
    assert "error mqtt_session_left" not in first.log()
    assert first.metric("tidegate_accounting_drift") == 0
    proxy.close()


def resumed(gateway, cursor, n_last):
    """What a viewer gets that comes back with that cursor, and nothing is missing of it."""
    viewer = Native(gateway, gateway.token("root"))
    try:
        answer = viewer.ask("subscribe", to=["vehicle/*"], types=["raw_log"], since=cursor)
        if not answer["recovered"]:
            return None
        got = []
        while not got or got[-1] != n_last:
            got.append(int(viewer.push("raw_log")["data"]))
        return got
    finally:
        viewer.close()


def test_it_goes_on_behind_what_others_have_stored(make_gateway, database, postgres, folder, publisher):
    """Whatever waits in its journal from its turn before, which keeps it where it was: what comes after theirs has
    numbers above theirs."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    first, second = (make_gateway(cluster__lease="2s", database__url=url)
                     for url in (proxy.url(database), database.url))
    populate(first)
    first.start()
    second.start(wait=False)
    wait_standing_by(second)
    publish(publisher, range(20))
    stored(database, range(20))
    second.freeze()  # which is not to have the session before these are taken in
    proxy.close()
    publish(publisher, range(20, 30))
    wait_until(lambda: first.metric("tidegate_in_journal") == 10, "the journal to have them")
    second.thaw()
    wait_until(lambda: "mqtt_session_left" in first.log(), "the first one to leave the session")
    second.wait_ready()
    publish(publisher, range(30, 40))
    wait_until(lambda: database.value("SELECT count(*) FROM raw_logs WHERE logs = '39'"), "39")
    assert second.terminate() == 0
    proxy = PostgresProxy(folder / "proxy", postgres)
    publish(publisher, range(40, 60))
    stored(database, range(60))
    first.wait_ready()

    cursors = {int(n): (f"{epoch}:{seq}", seq) for n, epoch, seq in database.rows(
        "SELECT logs, epoch, r.seq FROM raw_logs r JOIN journal_positions USING (journal_id)")}
    assert [n for n, (_, seq) in sorted(cursors.items(), key=lambda item: item[1][1])] == list(range(60))
    assert first.log().count("journal_behind_others") == 1
    publish(publisher, [60])  # which nobody has to be told twice
    assert resumed(first, cursors[39][0], 60) == list(range(40, 61))
    assert resumed(first, cursors[19][0], 60) == list(range(20, 61))
    assert "journal_position_moved" not in first.log()
    assert first.metric("tidegate_accounting_drift") == 0
    proxy.close()


def test_what_it_has_acknowledged_waits_for_its_turn(pair, database, postgres, publisher):
    """In the first one's journal, and killed before the database came back."""
    first, second = pair
    publish(publisher, range(10))
    stored(database, range(10))
    postgres.stop()
    publish(publisher, range(10, 30))
    wait_until(lambda: first.metric("tidegate_in_journal") == 20, "the journal to have them")
    first.kill()
    postgres.start()
    second.wait_ready()
    publish(publisher, range(30, 40))
    stored(database, [*range(10), *range(30, 40)])
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    first.wait_ready()
    stored(database, range(40))


def test_what_it_took_in_without_asking_is_told(make_gateway, database, postgres, folder, publisher):
    """It starts cut off from the database, which has never heard of its journal, and somebody else has the slot."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    proxy.close()
    first, second = (make_gateway(cluster__lease="2s", database__url=url)
                     for url in (proxy.url(database), database.url))
    populate(second)
    first.start(wait=False)
    wait_until(lambda: first.status("/livez") == 200, "it to be alive")
    wait_until(lambda: first.metric("tidegate_mqtt_connected") == 1, "it to take in, as nobody is there to ask")
    publish(publisher, range(10))
    wait_until(lambda: first.metric("tidegate_in_journal") == 10, "the journal to have them")
    second.start()
    assert database.value("SELECT count(*) FROM journal_positions WHERE left_at IS NOT NULL") == 0

    proxy = PostgresProxy(folder / "proxy", postgres)
    assert first.process.wait(PATIENCE) != 0
    first.process = None
    assert database.value("SELECT count(*) FROM journal_positions WHERE left_at IS NOT NULL") == 1
    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    first.wait_ready()
    stored(database, range(10))
    assert database.value("SELECT count(*) FROM journal_positions WHERE left_at IS NOT NULL") == 0
    proxy.close()


def test_an_outage_of_the_database_moves_nothing(pair, database, postgres, publisher):
    first, second = pair
    postgres.stop(signal.SIGQUIT)
    publish(publisher, range(20))
    wait_until(lambda: first.metric("tidegate_in_journal") == 20, "the journal to have them")
    second.kill()
    second.start(wait=False)  # which asks in vain, and knows that it waited before
    wait_standing_by(second)
    postgres.start()
    first.wait_ready()
    stored(database, range(20))
    assert second.metric("tidegate_received_total") == 0
    assert database.value("SELECT fence FROM slots") == 1
    postgres.freeze()
    publish(publisher, range(20, 30))
    postgres.thaw()
    stored(database, range(30))
    wait_standing_by(second)


def test_alone_it_comes_back_at_once(make_gateway, database, publisher):
    """Killed with a lease of an hour: its journal is its own."""
    gateway = make_gateway(cluster__lease="1h")
    populate(gateway)
    gateway.start()
    publish(publisher, range(10))
    stored(database, range(10))
    gateway.kill()
    gateway.start()
    publish(publisher, range(10, 20))
    stored(database, range(20))


def test_an_emptied_journal_waits_for_the_lease(make_gateway, database, publisher):
    gateway = make_gateway(cluster__lease="2s")
    populate(gateway)
    gateway.start()
    publish(publisher, range(10))
    stored(database, range(10))
    gateway.kill()
    shutil.rmtree(gateway.folder / "journal")
    publish(publisher, range(10, 20))
    gateway.start(wait=False)
    assert wait_standing_by(gateway)["holder"]
    gateway.wait_ready()
    stored(database, range(20))


@pytest.mark.parametrize("fence", [0, 40])
def test_a_row_of_a_restored_database_stops_nobody(make_gateway, database, publisher, fence):
    """Held by some other gateway, long ago: before our time, or by a fence above ours."""
    gateway = make_gateway(cluster__lease="2s")
    populate(gateway)
    gateway.start()
    database.rows("UPDATE slots SET fence = %s, beats = 0, epoch = 'gone', instance = 'gone',"
                  " host = 'gone', lease_until = 'infinity'", fence)
    publish(publisher, range(10))
    stored(database, range(10))
    wait_until(lambda: gateway.metric("tidegate_lease_taken_total") == 2, "it to be taken again")
    publish(publisher, range(10, 20))
    stored(database, range(20))
    gateway.wait_ready()
    database.rows("DELETE FROM slots")
    wait_until(lambda: gateway.metric("tidegate_lease_taken_total") == 3, "it to be taken again")
    publish(publisher, range(20, 30))
    stored(database, range(30))
    assert gateway.process.poll() is None


def test_another_slot_is_another_matter(make_gateway, database, publisher):
    """Two brokers, or two sites, and one database."""
    first, second = make_gateway(), make_gateway(cluster__slot=1, mqtt__url=None)
    populate(first)
    first.start()
    second.start()
    publish(publisher, range(10))
    stored(database, range(10))
    assert database.value("SELECT count(instance) FROM slots") == 2


def test_routes_that_come_while_it_waits_are_subscribed_at_its_turn(pair, broker, database):
    first, second = pair
    second.routes = "[route lab]\ntopic = lab/{device}/x\nkind = telemetry\n"
    second.write_conf()
    second.process.send_signal(signal.SIGHUP)
    wait_until(lambda: " reloaded" in second.log(), "the reload")
    first.terminate()
    wait_until(lambda: second.metric("tidegate_mqtt_connected") == 1, "the other one to take over")
    broker.publish("lab/dev-1/x", '{"n":1}')
    database.wait_for("SELECT count(*) FROM telemetry", 1)
