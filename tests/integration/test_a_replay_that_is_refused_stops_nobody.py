"""What an operator's constraint refuses of one letter that is taken in again costs that one's replay."""
import pytest

from conftest import populate
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import refusals
from waiting import wait_until

STOP = """CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
        CREATE TRIGGER stop BEFORE DELETE ON dead_letters FOR EACH ROW WHEN (OLD.id = {id})
        EXECUTE FUNCTION stop()"""
CHECK = "ALTER TABLE {table} ADD CONSTRAINT picky CHECK ({check}) NOT VALID"
OUTCOMES = "SELECT letter_id, outcome FROM replays ORDER BY 1"


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(journal__check="300ms")
    populate(gateway)
    return gateway.start()


@pytest.fixture
def letters(gateway, broker, database):
    """Of three messages, whose vehicle there is now; which of them is refused is the middle one."""
    for n in range(3):
        broker.publish("seano/USV-9/raw_log", f"load {n}")
    database.wait_for("SELECT count(*) FROM dead_letters", 3)
    gateway.add_vehicle("USV-9", "ana")
    return [row[0] for row in database.rows("SELECT id FROM dead_letters ORDER BY seq")]


def logs(database):
    return [row[0] for row in database.rows("SELECT logs FROM raw_logs ORDER BY seq")]


def replay(gateway, database, broker, letters):
    """All of them; the line goes on behind them."""
    database.rows("INSERT INTO replays (letter_id) SELECT unnest(%s)", letters)
    wait_until(lambda: gateway.metric("tidegate_received_total", door="internal") >= 2, "them to be taken in")
    broker.publish("seano/USV-1/raw_log", "the next")
    wait_until(lambda: "the next" in logs(database), "the line to go on")
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)
    assert gateway.metric("tidegate_letters_refused") == 0


def test_what_came_of_a_replay_is_not_noted_and_it_is_done(gateway, broker, database, letters):
    database.rows(CHECK.format(table="replays", check=f"letter_id <> {letters[1]} OR outcome IS NULL"))
    replay(gateway, database, broker, letters)
    assert logs(database) == ["load 0", "load 1", "load 2", "the next"]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert database.rows(OUTCOMES) == [(letters[0], "stored"), (letters[1], None), (letters[2], "stored")]
    assert " beside_row_refused table=replays " in gateway.log()
    gateway.kill()
    gateway.start()
    broker.publish("seano/USV-1/raw_log", "once more")
    wait_until(lambda: " replay_refused " in gateway.log(), "it to be claimed again")
    wait_until(lambda: "once more" in logs(database), "the line to go on")
    assert logs(database) == ["load 0", "load 1", "load 2", "the next", "once more"]
    assert_books_are_closed(gateway)


def test_a_letter_that_must_not_go_stays_and_is_no_row(gateway, broker, database, letters):
    database.rows(STOP.format(id=letters[1]).replace("%", "%%"))
    replay(gateway, database, broker, letters)
    assert logs(database) == ["load 0", "load 2", "the next"]
    assert database.rows("SELECT id, reason FROM dead_letters") == [(letters[1], "unknown_vehicle")]
    assert database.rows(OUTCOMES) == [(letters[0], "stored"), (letters[1], "db_rejected"), (letters[2], "stored")]
    assert "missing 0\n" in gateway.cli("journal", "verify").stdout

    database.rows("DROP TRIGGER stop ON dead_letters")
    assert gateway.cli("dead-letters", "replay", str(letters[1])).stdout == "replayed 1\n"
    assert sorted(logs(database)) == ["load 0", "load 1", "load 2", "the next"]
    assert_books_are_closed(gateway)


def test_a_letter_of_which_no_other_can_be_made_stays(gateway, broker, database, letters):
    database.rows(CHECK.format(table="raw_logs", check="logs <> 'load 1'"))
    database.rows(CHECK.format(table="dead_letters", check="reason <> 'db_rejected'"))
    replay(gateway, database, broker, letters)
    assert logs(database) == ["load 0", "load 2", "the next"]
    assert database.rows("SELECT id, reason FROM dead_letters") == [(letters[1], "unknown_vehicle")]
    assert database.rows(OUTCOMES) == [(letters[0], "stored"), (letters[1], "db_rejected"), (letters[2], "stored")]
    assert "missing 0\n" in gateway.cli("journal", "verify").stdout


def test_one_that_cannot_be_claimed_keeps_no_other_waiting(gateway, broker, database, letters):
    database.rows(CHECK.format(table="replays", check=f"letter_id <> {letters[1]} OR claimed_by IS NULL"))
    replay(gateway, database, broker, letters)
    assert logs(database) == ["load 0", "load 2", "the next"]
    assert database.rows(OUTCOMES) == [(letters[0], "stored"), (letters[1], None), (letters[2], "stored")]
    assert " replay_refused letter=" in gateway.log()
    database.rows("ALTER TABLE replays DROP CONSTRAINT picky")
    database.wait_for("SELECT outcome FROM replays WHERE letter_id = %s" % letters[1], "stored")
    assert sorted(logs(database)) == ["load 0", "load 1", "load 2", "the next"]
