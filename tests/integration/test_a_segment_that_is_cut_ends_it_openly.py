"""A file of the journal that is cut, or cannot be read, beneath a running gateway."""
import os
import re

import pytest

from conftest import populate
from test_a_database_older_than_the_journal import Backup, logs_of, publish, stored
from waiting import PATIENCE, wait_until


def segments(gateway):
    return sorted((gateway.folder / "journal").glob("*.seg"))


def ended_openly(gateway, path):
    assert gateway.process.wait(PATIENCE) == 1
    gateway.process = None
    found = re.search(r' error journal_unreadable file="([^"]*)" ', gateway.log())
    assert found and found[1] == str(path)


@pytest.fixture
def small(make_gateway):
    gateway = make_gateway(journal__segment_bytes="64K", journal__check="300ms")
    populate(gateway)
    return gateway.start()


def test_one_that_is_stored_and_kept(small, database, postgres, publisher):
    """Nobody reads it, until the database is older: what it had is then named, the rest is filled."""
    publish(publisher, range(3))
    stored(database, 3)
    backup = Backup(postgres, database)
    publish(publisher, range(3, 60), size=10000)
    stored(database, 60)
    cut = segments(small)[3]
    os.truncate(cut, 4096)
    publish(publisher, [60])
    stored(database, 61)
    backup.restore()
    ended_openly(small, cut)

    small.start()
    wait_until(lambda: logs_of(database)[-1] == "60", "the rest to be filled")
    wait_until(lambda: small.metric("tidegate_journal_gaps") == 1, "what is missing to be named")
    missing = set(range(61)) - {int(text.rstrip("x")) for text in logs_of(database)}
    after, last = database.rows("SELECT after_seq, last_seq FROM journal_differences")[0]
    assert last - after >= len(missing) > 0
    assert f"journal_gap after={after} last={last} " in small.log()


def test_the_one_that_is_written(small, database, publisher):
    publish(publisher, range(3))
    stored(database, 3)
    cut = segments(small)[-1]
    os.truncate(cut, 0)
    publisher.publish("seano/USV-1/raw_log", "3")
    ended_openly(small, cut)
    small.start()
    stored(database, 4)  # it was not acknowledged: the broker has it
