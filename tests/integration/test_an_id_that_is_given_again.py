"""An id that a database gives out again, as it was put back or emptied, is another's: nothing of whoever had it before is his."""
import contextlib
import json
import time

import psycopg2
import pytest
import requests

from backup import Backup
from conftest import populate
from identities import sign
from test_a_token_means_one_person import BAD, GOOD, bearer, login, open_everything, read_until_it_ends, worth
from test_native_protocol import Native
from viewers import Viewer, refused
from waiting import wait_until


@pytest.fixture(name="gateway")
def a_gateway(make_gateway):
    gateway = make_gateway(auth__token_failures_per_minute=100000, journal__check="300ms")
    populate(gateway)
    return gateway.start()


def credentials_of(gateway, name):
    own = login(gateway, name)

    def ticket(query=""):
        return gateway.post(f"/api/ws/ticket{query}", headers=bearer(own)).json()["ticket"]

    return own, gateway.cli("user", "token", name).stdout.strip(), ticket(), ticket("?for=events")


def empty(database):
    """It takes many locks, and who holds one may wait for another."""
    for _ in range(50):
        with contextlib.suppress(psycopg2.errors.DeadlockDetected):
            database.rows("TRUNCATE users RESTART IDENTITY CASCADE")
            return
    pytest.fail("a deadlock each time")


@pytest.mark.parametrize("way", ["restored", "emptied"])
@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_a_credential_is_nobody_elses(gateway, database, postgres, way, runs):
    backup = Backup(postgres, database)
    before = gateway.add_user("cara") if way == "restored" else gateway.ids["ana"]
    name = "cara" if way == "restored" else "ana"
    wait_until(lambda: worth(gateway, login(gateway, name)) == GOOD, "him to be known")
    own, printed, ticket, for_streams = credentials_of(gateway, name)
    assert worth(gateway, own) == worth(gateway, printed) == GOOD
    with contextlib.ExitStack() as stack:
        sockets = open_everything(gateway, own) if runs else []
        streams = [stack.enter_context(requests.get(
            gateway.url + "/api/events", headers=bearer(own), stream=True, timeout=60))] if runs else []
        if not runs:
            assert gateway.terminate() == 0
        if way == "restored":
            backup.restore()
        else:
            empty(database)
        assert gateway.add_user("dave") == before
        if not runs:
            gateway.start()
        wait_until(lambda: worth(gateway, login(gateway, "dave")) == GOOD, "the next one to be known")
        for socket in sockets:
            assert socket.wait_closed()[0] == 4004
        for stream in streams:
            read_until_it_ends(stream)
    assert worth(gateway, own) == worth(gateway, printed) == BAD
    assert refused(gateway, f"/api/ws?ticket={ticket}") == 401
    assert gateway.status(f"/api/events?ticket={for_streams}") == 401


def by_id(gateway, user_id, issued_before_s):
    """As another system makes it, that has our secret and knows users by our ids."""
    now = int(time.time())
    return sign({"sub": user_id, "iat": now - issued_before_s, "exp": now + 3600}, gateway.secret)


@pytest.mark.parametrize("way", ["restored", "emptied"])
def test_nor_is_a_token_of_others_that_names_the_id(gateway, database, postgres, way):
    backup = Backup(postgres, database)
    before = gateway.add_user("cara") if way == "restored" else gateway.ids["ana"]
    database.rows("UPDATE users SET id_since = now() - interval '1 day' WHERE id = %s", before)
    foreign = by_id(gateway, before, 3600)
    wait_until(lambda: worth(gateway, foreign) == GOOD, "him to be known")
    sockets = open_everything(gateway, foreign)
    if way == "restored":
        backup.restore()
    else:
        empty(database)
    assert gateway.add_user("dave") == before
    wait_until(lambda: worth(gateway, login(gateway, "dave")) == GOOD, "the next one to be known")
    for socket in sockets:
        assert socket.wait_closed()[0] == 4004
    assert worth(gateway, foreign) == BAD
    assert worth(gateway, by_id(gateway, before, 0)) == worth(gateway, by_id(gateway, before, 3)) == GOOD


def test_an_id_that_moves_in_keeps_the_tokens_that_name_it(gateway, database, folder):
    (folder / "users.csv").write_text("id,username,role\n77,moved,user\n,new,user\n", "utf-8")
    gateway.cli("import", f"users={folder / 'users.csv'}")
    new = database.value("SELECT id FROM users WHERE username = 'new'")
    wait_until(lambda: worth(gateway, gateway.token("new")) == GOOD, "them to be known")
    assert worth(gateway, by_id(gateway, 77, 3600)) == GOOD
    assert worth(gateway, by_id(gateway, new, 3600)) == BAD


@pytest.mark.parametrize("ever", ["infinity", "294276-12-31"])
def test_whose_tokens_are_ended_for_ever_has_none_of_others(gateway, database, ever):
    wait_until(lambda: worth(gateway, by_id(gateway, 1, 0)) == GOOD, "him to be known")
    for times in ((ever, "-infinity"), (None, ever)):
        database.rows("UPDATE users SET tokens_from = %s, id_since = %s WHERE id = 1", *times)
        wait_until(lambda: worth(gateway, by_id(gateway, 1, 0)) == BAD, "the end of them")
        assert worth(gateway, login(gateway, "ana")) == worth(gateway, by_id(gateway, 2, 0)) == GOOD
        database.rows("UPDATE users SET tokens_from = '-infinity', id_since = '-infinity' WHERE id = 1")
        wait_until(lambda: worth(gateway, by_id(gateway, 1, 0)) == GOOD, "him again")


def say_as_a_device(gateway, broker):
    """A device of ana's, since the backup: its id, and it says its secret."""
    before, token = gateway.add_device("dev-3", "ana")
    wait_until(lambda: refused(gateway, "/ws/device/dev-3", token) == 101, "it to be known")
    device = Viewer(gateway, "/ws/device/dev-3", token)
    device.send('{"secret":1}')
    gateway.database.wait_for("SELECT count(*) FROM telemetry", 1)
    device.close()
    return before


def say_as_a_vehicle(gateway, broker):
    before = gateway.add_vehicle("USV-3", "ana")
    broker.publish("seano/USV-3/vehicle_log", '{"battery_voltage":12,"mode":"secret","latitude":1,"longitude":2}')
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 1)
    return before


def everything(gateway, user, **members):
    """All that a native client may see, from then on."""
    client = Native(gateway, gateway.token(user))
    client.push("welcome")
    return client, client.ask("subscribe", to=["user"], **members)


def is_known(gateway, user, target):
    client = Native(gateway, gateway.token(user))
    try:
        return client.ask("subscribe", to=[target])["ok"]
    finally:
        client.close()


def up_to_the_last(client, text):
    got = []
    while not got or got[-1].get("data") != text:
        got.append(client.push())
    return got


@pytest.mark.parametrize("what, say", [("device", say_as_a_device), ("vehicle", say_as_a_vehicle)])
def test_what_the_one_before_said_is_shown_to_nobody(gateway, broker, database, postgres, what, say):
    """Not of the memory of what was shown, and not as the last that is known; the gateway runs all the time."""
    backup = Backup(postgres, database)
    ben, _ = everything(gateway, "ben")
    broker.publish("seano/USV-2/raw_log", "the first")
    cursor = up_to_the_last(ben, "the first")[-1]["cursor"]
    ben.close()
    before = say(gateway, broker)

    backup.restore()
    after = gateway.add_device("dev-4", "ben")[0] if what == "device" else gateway.add_vehicle("USV-4", "ben")
    assert after == before
    code = "dev-4" if what == "device" else "USV-4"
    wait_until(lambda: is_known(gateway, "ben", f"{what}/{code}"), "the next one to be known")
    resumed, answer = everything(gateway, "ben", since=cursor)
    assert answer["recovered"]
    looking, _ = everything(gateway, "ben", snapshot=True)
    snapshot = looking.push("snapshot")
    broker.publish("seano/USV-2/raw_log", "the last")
    for frame in (*up_to_the_last(resumed, "the last"), *up_to_the_last(looking, "the last"), snapshot):
        assert "secret" not in json.dumps(frame), frame
    resumed.close()
    looking.close()
    reason = "unknown_device" if what == "device" else "unknown_vehicle"
    database.wait_for("SELECT array_agg(reason) FROM dead_letters", [reason])
