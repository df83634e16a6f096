"""Promise: what a dead node had acknowledged and not stored is stored by whoever has its folder, once, whatever the
broker sends again to whom, and whoever comes back."""
import random
import shutil
import subprocess

import pytest

from conftest import populate
from faultproxy import CUT, PostgresProxy, commit_answer, commit_request
from servers import TIDEGATE
from test_exactly_once_across_a_take_over import MARKED, TOPIC, Pair, after, comes_once_more_only_to_who_has_seen_it, link_of, send, stored, wait_stored
from test_one_gateway_stores_at_a_time import wait_standing_by
from test_several_slots import OWNERS, SLOTS, VEHICLES, publish, wait_for_all, wait_for_owners
from waiting import wait_until

LEFT = "SELECT count(*) FROM journal_positions WHERE left_at IS NOT NULL"


class Crew(Pair):
    """Whose first one may be cut off once more, or not at all."""
    is_cut = False

    def cut_off(self):
        super().cut_off()
        self.is_cut = True

    def heal(self):
        if self.is_cut:
            super().heal()
            self.is_cut = False

    def close(self):
        if not self.is_cut:
            self.proxy.close()


def journal_of(gateway):
    return gateway.folder / "journal"


def adopt(gateway, folder, check=True):
    """By hand, with the configuration of that gateway."""
    done = gateway.cli("journal", "adopt", str(folder), check=check)
    return done.stdout if check else done


def said(stored, others=0, left=0):
    return f": stored {stored}, duplicates 0, stored by others {others}, left {left}\n"


def leave_behind(pair, broker, ids):
    """The first one takes them in, cannot store them, and dies; the second one goes on."""
    pair.second.freeze()
    pair.cut_off()
    link = link_of(broker)
    n = len(ids)
    send(link, ids)
    wait_until(lambda: pair.first.metric("tidegate_in_journal") == n, "the journal to have them")
    pair.second.thaw()
    return pair.kill(pair.first, pair.second)


def comes_back_with_nothing(pair, broker, database, numbers):
    """The first one, in its old folder: it has its turn, and stores what comes then."""
    if not pair.first.process:
        pair.heal()
        pair.first.start(wait=False)
    wait_standing_by(pair.first)
    link = pair.swap(pair.second, pair.first)
    send(link, [1000])
    wait_stored(database, [*numbers, 1000])
    assert pair.first.metric("tidegate_accounting_drift") == 0
    assert pair.first.cli("journal", "verify").returncode == 0


@pytest.fixture(params=[4, 5], ids=["3.1.1", "5"])
def pair(request, make_gateway, scripted_broker, database, postgres, folder):
    pair = Crew(make_gateway, scripted_broker, database, postgres, folder, request.param)
    yield pair
    pair.close()


@MARKED
def test_what_others_were_sent_is_theirs(pair, scripted_broker, database, marked):
    send(link_of(scripted_broker), range(1, 5))
    wait_stored(database, range(1, 5))
    link = leave_behind(pair, scripted_broker, range(5, 13))
    send(link, range(8, 11), dup=marked)
    send(link, [20])
    wait_stored(database, [*range(1, 5), *range(8, 11), 20])
    assert database.value(LEFT) == 1
    assert adopt(pair.second, journal_of(pair.first)).endswith(said(5, 3))
    wait_stored(database, [*range(1, 13), 20])
    assert database.value(LEFT) == 0
    assert adopt(pair.second, journal_of(pair.first)).endswith(said(0))
    send(link, [21])
    wait_stored(database, [*range(1, 13), 20, 21])
    comes_back_with_nothing(pair, scripted_broker, database, [*range(1, 13), 20, 21])


@MARKED
def test_what_is_sent_again_only_later(pair, scripted_broker, database, marked):
    """To the owner, after its predecessor's disk was stored; and to whoever follows that one."""
    link = leave_behind(pair, scripted_broker, range(1, 9))
    assert adopt(pair.second, journal_of(pair.first)).endswith(said(8))
    wait_stored(database, range(1, 9))
    send(link, [6, 7], dup=marked)
    send(link, [20])
    wait_stored(database, [*range(1, 9), 20])
    pair.heal()
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    link = pair.kill(pair.second, pair.first)
    send(link, [7, 8, 20], dup=marked)
    send(link, [21])
    wait_stored(database, [*range(1, 9), 20, 21])
    assert pair.first.metric("tidegate_accounting_drift") == 0


@MARKED
def test_what_the_owner_has_in_its_journal(make_gateway, scripted_broker, database, postgres, folder, marked):
    """It was sent them again, and cannot store anything until they are stored."""
    pair = Crew(make_gateway, scripted_broker, database, postgres, folder)
    proxy = PostgresProxy(folder / "other", postgres)
    pair.second.terminate()
    pair.second.write_conf(database__url=proxy.url(database))
    pair.second.start(wait=False)
    wait_standing_by(pair.second)
    link = leave_behind(pair, scripted_broker, range(1, 9))
    proxy.close()
    send(link, [7, 8], dup=marked)
    send(link, [20])
    wait_until(lambda: pair.second.metric("tidegate_in_journal") == 3, "its journal to have them")
    assert adopt(pair.first, journal_of(pair.first), check=False).returncode == 1  # cut off as well
    pair.heal()
    assert adopt(pair.first, journal_of(pair.first)).endswith(said(8))
    assert stored(database) == [str(n) for n in range(1, 9)]
    proxy = PostgresProxy(folder / "other", postgres)
    wait_stored(database, [*range(1, 9), 20])
    wait_until(lambda: "journal_taken messages=2 " in pair.second.log(), "what is not its own")
    assert pair.second.metric("tidegate_accounting_drift") == 0
    assert pair.second.cli("journal", "verify").returncode == 0
    proxy.close()
    pair.close()


def test_an_equal_message_behind_what_is_held_outlives_a_start(pair, scripted_broker, database):
    """The owner is sent it again, and leaves it; and then, under an id that is free by that, a new one, which it can no more
    store before it starts anew."""
    link = leave_behind(pair, scripted_broker, range(1, 9))
    proxied = PostgresProxy(pair.folder / "other", pair.postgres)
    pair.second.terminate()
    pair.second.write_conf(database__url=proxied.url(database))
    n = len(scripted_broker.seen("SUBSCRIBE"))
    pair.second.start()
    link = after(scripted_broker, n)
    assert adopt(pair.first, journal_of(pair.first), check=False).returncode == 1  # cut off
    pair.heal()
    assert adopt(pair.first, journal_of(pair.first)).endswith(said(8))
    wait_stored(database, range(1, 9))
    wait_until(lambda: pair.second.log().count("journal_position") > 1, "the owner to have read that")
    proxied.close()
    send(link, [7, 8])
    wait_until(lambda: pair.second.metric("tidegate_duplicate_total") == 2, "what was sent again to be known")
    send(link, [8])
    wait_until(lambda: pair.second.metric("tidegate_in_journal") == 1, "the journal to have the new one")
    pair.second.kill()
    proxied = PostgresProxy(pair.folder / "other", pair.postgres)
    n = len(scripted_broker.seen("SUBSCRIBE"))
    pair.second.start()
    send(after(scripted_broker, n), [9])
    wait_stored(database, [*range(1, 10), 8])
    assert pair.second.metric("tidegate_accounting_drift") == 0
    proxied.close()


def of_the_caller(message):
    return message.link.name == "tidegate/cli"


def statement_of_the_caller(text):
    return lambda m: CUT if of_the_caller(m) and text in m.statement else None


CUTS = {"before others are told": lambda m: CUT if of_the_caller(m) and m.statement == "COMMIT" else None,
        "after others were told": lambda m: CUT if of_the_caller(m) and m.tag == "COMMIT" else None,
        "before a batch is stored": commit_request(), "after a batch was stored": commit_answer(),
        "before it is said that all is": statement_of_the_caller("tidegate_adopt_end")}


@pytest.mark.parametrize("cut", CUTS)
def test_cut_off_anywhere(pair, scripted_broker, database, cut):
    """It says so; and the next call does the rest, whatever the owner was sent meanwhile."""
    link = leave_behind(pair, scripted_broker, range(1, 9))
    pair.heal()
    pair.proxy.arm(CUTS[cut])
    done = adopt(pair.first, journal_of(pair.first), check=False)
    assert done.returncode == 1 and "call it again" in done.stderr
    assert pair.proxy.n_faults == 1
    send(link, [7], dup=True)
    send(link, [20])
    wait_until(lambda: "20" in stored(database), "what came since")
    assert "left 0" in adopt(pair.first, journal_of(pair.first))
    send(link, [8], dup=True)
    send(link, [21])
    wait_stored(database, [*range(1, 9), 20, 21])
    assert database.value(LEFT) == 0
    assert pair.second.metric("tidegate_accounting_drift") == 0
    comes_back_with_nothing(pair, scripted_broker, database, [*range(1, 9), 20, 21])


def test_what_is_theirs_is_told_of_by_the_next_call(pair, scripted_broker, database):
    """The first one noted on the disk that it is theirs, and was cut off before the database knew: who has seen it under
    the dead one's numbers is told all the same."""
    send(link_of(scripted_broker), range(1, 5))
    wait_stored(database, range(1, 5))
    link = leave_behind(pair, scripted_broker, range(5, 13))
    send(link, range(8, 11), dup=True)
    send(link, [20])
    wait_stored(database, [*range(1, 5), *range(8, 11), 20])
    pair.heal()
    pair.proxy.arm(CUTS["before others are told"])
    assert adopt(pair.first, journal_of(pair.first), check=False).returncode == 1
    assert pair.proxy.n_faults == 1
    assert adopt(pair.first, journal_of(pair.first)).endswith(said(5))
    wait_stored(database, [*range(1, 13), 20])
    comes_once_more_only_to_who_has_seen_it(pair.second)


def test_of_a_copied_folder(pair, scripted_broker, database):
    """The node comes back with the original; and somebody has a second copy."""
    leave_behind(pair, scripted_broker, range(1, 9))
    for name in ("a copy", "another"):
        shutil.copytree(journal_of(pair.first), pair.folder / name)
    assert adopt(pair.second, pair.folder / "a copy").endswith(said(8))
    assert adopt(pair.second, pair.folder / "another").endswith(said(0))
    assert adopt(pair.second, journal_of(pair.first)).endswith(said(0))
    comes_back_with_nothing(pair, scripted_broker, database, range(1, 9))


def test_a_gateway_that_comes_back_meanwhile(pair, scripted_broker, database):
    """While it stands by the folder is its own; and when it has died again there is nothing left in it."""
    link = leave_behind(pair, scripted_broker, range(1, 9))
    pair.heal()
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    done = adopt(pair.second, journal_of(pair.first), check=False)
    assert done.returncode == 1 and "a gateway or another" in done.stderr
    pair.first.kill()
    assert adopt(pair.second, journal_of(pair.first)).endswith(said(0))
    send(link, [20])
    wait_stored(database, [*range(1, 9), 20])
    comes_back_with_nothing(pair, scripted_broker, database, [*range(1, 9), 20])


def test_who_comes_back_without_a_turn(pair, scripted_broker, database):
    """It stores what it has left itself as it starts, and then stands by."""
    link = leave_behind(pair, scripted_broker, range(1, 9))
    send(link, [8], dup=True)
    send(link, [20])
    wait_stored(database, [8, 20])
    pair.heal()
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    assert " stored=7 duplicates=0 by_others=1 left=0" in pair.first.log()
    wait_stored(database, [*range(1, 9), 20])
    comes_once_more_only_to_who_has_seen_it(pair.second)
    assert database.value(LEFT) == 0
    send(link, [7], dup=True)
    send(link, [21])
    wait_stored(database, [*range(1, 9), 20, 21])
    assert pair.first.metric("tidegate_in_journal") == 0
    comes_back_with_nothing(pair, scripted_broker, database, [*range(1, 9), 20, 21])


def test_what_is_refused(pair, scripted_broker, database, empty_database):
    for path in (pair.folder / "nowhere", pair.folder):
        done = adopt(pair.second, path, check=False)
        assert done.returncode == 1 and str(path) in done.stderr
    assert not (pair.folder / "identity").exists() and not (pair.folder / "lock").exists()

    done = adopt(pair.second, journal_of(pair.first), check=False)
    assert done.returncode == 1 and "a gateway or another" in done.stderr

    send(link_of(scripted_broker), [1])
    wait_stored(database, [1])
    pair.second.kill()
    pair.first.kill()  # nobody has noticed
    done = adopt(pair.second, journal_of(pair.first), check=False)
    assert done.returncode == 1 and "own gateway's" in done.stderr

    for settings, words in (({"cluster__slot": 7}, "another cluster"),
                            ({"database__url": empty_database.url}, "of another one")):
        database.rows("UPDATE slots SET instance = NULL")
        pair.second.write_conf(**settings)
        pair.second.cli("migrate")
        done = adopt(pair.second, journal_of(pair.first), check=False)
        assert done.returncode == 1 and words in done.stderr, done.stderr
        pair.second.write_conf(cluster__slot=None)


def test_damage_costs_what_is_damaged(pair, scripted_broker, database):
    leave_behind(pair, scripted_broker, range(101, 121))
    segment, = journal_of(pair.first).glob("*.seg")
    data = bytearray(segment.read_bytes())
    for n in (105, 106, 110):
        data[data.index(f"raw_log{n}".encode())] ^= 1
    segment.write_bytes(data)
    done = adopt(pair.second, journal_of(pair.first), check=False)
    assert done.returncode == 1
    assert said(17) in done.stdout and "damaged between numbers" in done.stdout
    assert "journal_damage file=" in done.stderr
    wait_stored(database, [n for n in range(101, 121) if n not in (105, 106, 110)])


def test_a_file_that_is_missing_is_named(pair, scripted_broker, database):
    """What it had is in nobody's books: who reads "left 0" is told that this is not all."""
    pair.first.terminate()
    pair.first.write_conf(journal__max_bytes="1M", journal__segment_bytes="64K")
    pair.first.start(wait=False)
    wait_standing_by(pair.first)
    pair.swap(pair.second, pair.first)
    pair.second.start(wait=False)
    wait_standing_by(pair.second)
    leave_behind(pair, scripted_broker, range(1, 1501))
    segments = sorted(journal_of(pair.first).glob("*.seg"))
    assert len(segments) > 2
    segments[1].unlink()
    done = adopt(pair.second, journal_of(pair.first), check=False)
    assert done.returncode == 1
    assert ", left 0\n" in done.stdout and "are in none of its files" in done.stdout
    assert "journal_gap after=" in done.stderr
    assert 0 < len(stored(database)) < 1500


def test_killed_again_and_again_while_others_take_in(make_gateway, broker, database, publisher, postgres, folder):
    """20,000 are left, and the one that has the slot goes on with 200/s."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    first, second = (make_gateway(cluster__lease="2s", database__url=url, database__max_batch=100)
                     for url in (proxy.url(database), database.url))
    populate(first)
    first.start()
    publisher.publish(TOPIC, "-1")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    proxy.close()
    for n in range(20000):
        publisher.publish(TOPIC, str(n))
    publisher.flush()
    wait_until(lambda: first.metric("tidegate_in_journal") == 20000, "the journal to have them")
    publisher.run(lambda n: (TOPIC, str(20000 + n)), 200)
    first.kill()
    second.start()
    n_kills = 0
    while True:
        process = subprocess.Popen([str(TIDEGATE), "journal", "adopt", str(journal_of(first)), "--config", str(second.conf)],
                                   env=second.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        before = database.value("SELECT count(*) FROM raw_logs WHERE logs::int < 20000")
        more = random.randint(1, 6000)
        wait_until(lambda p=process, n=before + more: p.poll() is not None or
                   database.value("SELECT count(*) FROM raw_logs WHERE logs::int < 20000") >= n, "some to be stored")
        if process.poll() is None:
            process.kill()
            n_kills += 1
        out, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -9, out + errors
    assert n_kills > 1
    n_sent = publisher.stop()
    wait_until(lambda: database.value("SELECT count(*) FROM raw_logs") >= 20001 + n_sent, "all to be stored")
    assert [int(n) for n in stored(database)] == list(range(-1, 20000 + n_sent))
    assert database.value(LEFT) == 0
    assert database.value("SELECT count(*) FROM journal_differences") == 0
    assert second.metric("tidegate_accounting_drift") == 0
    for gateway in (first, second):
        gateway.write_conf(database__url=database.url)
        assert "missing 0" in gateway.cli("journal", "verify").stdout


def test_of_several_slots(make_gateway, database, publisher, postgres, folder):
    """One folder has the journals of all."""
    proxy = PostgresProxy(folder / "proxy", postgres)
    nodes = [make_gateway(cluster__node=f"n{n}", cluster__slots=SLOTS, cluster__lease="2s", database__url=url)
             for n, url in ((1, proxy.url(database)), (2, database.url))]
    populate(nodes[0])
    database.rows("INSERT INTO vehicles (code, user_id) SELECT 'USV-' || n, (SELECT min(id) FROM users)"
                  " FROM generate_series(3, 12) n")
    nodes[0].start()
    wait_for_owners(database, n1=SLOTS)
    publish(publisher, range(3))
    wait_for_all(database, 3)
    proxy.close()
    publish(publisher, range(3, 6))
    wait_until(lambda: nodes[0].metric("tidegate_in_journal") == 3 * len(VEHICLES), "the journals to have them")
    nodes[0].kill()
    nodes[1].start(wait=False)
    wait_for_owners(database, n2=SLOTS)
    publish(publisher, range(6, 9))
    database.wait_for("SELECT count(*) FROM raw_logs", 6 * len(VEHICLES))
    assert database.value(LEFT) == SLOTS
    assert nodes[1].cli("cluster", "status", check=False).returncode == 1
    out = adopt(nodes[1], journal_of(nodes[0]))
    assert out.count("left 0\n") == SLOTS
    wait_for_all(database, 9)
    assert database.value(LEFT) == 0
    wait_until(lambda: nodes[1].metric("tidegate_journals_left") == 0, "it to hear of that")
    publish(publisher, range(9, 12))
    wait_for_all(database, 12)
    assert database.rows(OWNERS) == [("n2", SLOTS)]
    assert nodes[1].metric("tidegate_accounting_drift") == 0
    assert database.value("SELECT count(*) FROM journal_differences") == 0


def test_of_slots_that_it_never_had(make_gateway, database):
    """Their journals are in its folder as well, and the database has never heard of them."""
    nodes = [make_gateway(cluster__node=f"n{n}", cluster__slots=SLOTS, cluster__lease="2s") for n in (1, 2)]
    nodes[0].start()
    wait_for_owners(database, n1=SLOTS)
    nodes[1].start(wait=False)
    wait_for_owners(database, n1=2, n2=2)
    nodes[1].kill()
    wait_for_owners(database, n1=SLOTS)
    out = adopt(nodes[0], journal_of(nodes[1]))
    assert out.count(": nothing in it, left 0\n") == 2
    assert out.count("left 0\n") == SLOTS


def test_owners_lose_the_database_one_after_the_other(make_gateway, broker, database, publisher, postgres, folder):
    """Each takes in until another one has its slot, ends, and stores what it has left as it starts: while the next
    owner, which has not read yet what is held, loses the database as well."""
    proxies = [PostgresProxy(folder / f"proxy{n}", postgres) for n in range(3)]
    nodes = [make_gateway(cluster__node=f"n{n}", cluster__lease="2s", database__url=proxy.url(database))
             for n, proxy in enumerate(proxies)]
    populate(nodes[0])
    nodes[0].start()
    for node in nodes[1:]:
        node.start(wait=False)
        wait_standing_by(node)
    publisher.run(lambda n: (TOPIC, str(n)), 200)
    owner = "SELECT n.node FROM slots JOIN nodes n USING (instance)"
    for turn in range(5):
        now = int(database.value(owner)[1:])
        begun = publisher.n_sent
        wait_until(lambda n=begun: publisher.n_sent > n + 60, "some load")
        proxies[now].close()
        wait_until(lambda n=now: database.value(owner) not in (None, f"n{n}"), "another one to take over")
        proxies[now] = PostgresProxy(folder / f"proxy{now}", postgres)
        assert nodes[now].process.wait(60) == 1
        nodes[now].process = None
        nodes[now].start(wait=False)
        if turn % 2 == 0:
            wait_until(lambda n=now, t=turn: nodes[n].log().count("leftovers_begin") > t // 3, "what is left to be begun")
        else:
            wait_standing_by(nodes[now])
    n_sent = publisher.stop()
    wait_until(lambda: len(set(stored(database))) >= n_sent, "all to be stored")
    assert [int(n) for n in stored(database)] == list(range(n_sent))
    assert database.value("SELECT count(*) FROM journal_differences") == 0
    for proxy in proxies:
        proxy.close()
