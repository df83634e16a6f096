"""Who resumes gets all that came after the cursor, or is told that it does not: never a hole in silence."""
import pytest

from conftest import populate
from test_a_database_older_than_the_journal import Backup, logs_of, publish, stored
from test_native_protocol import Native
from test_one_gateway_stores_at_a_time import wait_standing_by
from waiting import wait_until


def resume(gateway, cursor):
    """Subscribes anew from there: the client, and whether all was promised."""
    client = Native(gateway, gateway.token("ana"))
    client.push("welcome")
    return client, client.ask("subscribe", to=["vehicle/*"], types=["raw_log"], since=cursor)["recovered"]


def take_logs(client, n):
    """What it gets up to the log @n."""
    got = [client.push("raw_log")]
    while got[-1]["data"] != str(n):
        got.append(client.push("raw_log"))
    return got


def take(client, n):
    return [int(push["data"]) for push in take_logs(client, n)]


def cursors_of(gateway, publisher, ns):
    """Published one after the other, with the cursor that a client has at each."""
    client = Native(gateway, gateway.token("ana"))
    client.push("welcome")
    client.ask("subscribe", to=["vehicle/*"], types=["raw_log"])
    publish(publisher, ns)
    got = take_logs(client, ns[-1])
    client.close()
    return {int(push["data"]): push["cursor"] for push in got}


def slow_once_restored(database):
    """The backup that is made next will take its time to be filled again; the database does not."""
    database.rows("CREATE TABLE slow ()")
    database.rows("CREATE FUNCTION wait_if_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                  " IF to_regclass('slow') IS NOT NULL THEN PERFORM pg_sleep(0.04); END IF;"
                  " RETURN NEW; END $$")
    database.rows("CREATE TRIGGER slow BEFORE INSERT ON raw_logs FOR EACH ROW"
                  " EXECUTE FUNCTION wait_if_slow()")


@pytest.mark.parametrize("when", ["stopped", "running"])
def test_while_an_older_database_is_filled_again(make_gateway, database, postgres, publisher, when):
    """Before what it has, within what it lacks, at the end: from the memory, and without one."""
    gateway = make_gateway(journal__check="300ms", database__max_batch=7,
                           ws__replay_events=0 if when == "running" else 65536)
    populate(gateway)
    gateway.start()
    cursors = cursors_of(gateway, publisher, range(20))
    stored(database, 20)
    slow_once_restored(database)
    backup = Backup(postgres, database)
    database.rows("DROP TABLE slow")
    cursors |= cursors_of(gateway, publisher, range(20, 80))
    stored(database, 80)
    if when == "stopped":
        assert gateway.terminate() == 0
    backup.restore()
    if when == "stopped":
        gateway.start(wait=False)
    wait_until(lambda: "database_older position=" in gateway.log(), "it to be found older")
    wait_until(lambda: gateway.status("/api/ws/status", headers={
        "Authorization": f"Bearer {gateway.token('ana')}"}) == 200, "the registry")
    clients = {n: resume(gateway, cursors[n]) for n in (5, 19, 20, 50, 79)}
    publish(publisher, range(80, 100))
    stored(database, 100)
    assert clients[5][1] and clients[19][1]  # all that they lack comes, if late
    for n, (client, is_recovered) in clients.items():
        got = take(client, 99)
        assert got == list(range(n + 1, 100)) if is_recovered else got == list(range(80, 100)), n
        client.close()
    again, is_recovered = resume(gateway, cursors[20])
    assert is_recovered and take(again, 99) == list(range(21, 100))
    again.close()


def test_over_what_nobody_has_any_more(make_gateway, database, postgres, publisher):
    """The journal has let go of what the restored database lacks."""
    gateway = make_gateway(journal__max_bytes="512K", journal__min_free_bytes="0",
                           journal__check="300ms")
    populate(gateway)
    gateway.start()
    cursors = cursors_of(gateway, publisher, range(10))
    stored(database, 10)
    backup = Backup(postgres, database)
    publish(publisher, range(10, 110), size=10000)
    stored(database, 110)
    assert gateway.terminate() == 0
    backup.restore()
    gateway.start()
    wait_until(lambda: gateway.metric("tidegate_journal_gaps") == 1, "the gap to be named")
    cursors |= cursors_of(gateway, publisher, range(110, 120))
    wait_until(lambda: logs_of(database)[-1] == "119", "all to be stored")
    for _ in ("while it is open", "and when it was given up"):
        for n, is_whole in ((5, False), (9, False), (112, True)):
            client, is_recovered = resume(gateway, cursors[n])
            assert is_recovered is is_whole, n
            client.close()
        gateway.cli("journal", "verify", "--accept")


def test_over_gateways_that_take_turns(make_gateway, database, publisher):
    """The next one has what the last one stored; what a killed one may have kept is not passed over."""
    first, second = (make_gateway(cluster__lease="2s") for _ in range(2))
    populate(first)
    first.start()
    cursors = cursors_of(first, publisher, range(10))
    second.start(wait=False)
    wait_standing_by(second)
    assert first.terminate() == 0
    second.wait_ready()
    client, is_recovered = resume(second, cursors[4])
    assert is_recovered
    cursors |= cursors_of(second, publisher, range(10, 20))
    assert take(client, 19) == list(range(5, 20))
    client.close()

    first.start(wait=False)
    wait_standing_by(first)
    assert second.terminate() == 0
    first.wait_ready()
    cursors |= cursors_of(first, publisher, range(20, 30))
    for n in (4, 9):
        client, is_recovered = resume(first, cursors[n])
        assert is_recovered and take(client, 29) == list(range(n + 1, 30)), n
        client.close()
    seqs = [row[0] for row in database.rows("SELECT seq FROM raw_logs ORDER BY logs::int")]
    assert seqs == sorted(seqs)

    second.start(wait=False)
    wait_standing_by(second)
    first.kill()
    second.wait_ready()
    cursors_of(second, publisher, range(30, 40))
    for n in (4, 29):
        client, is_recovered = resume(second, cursors[n])
        assert is_recovered is False, n
        client.close()
