"""A dead letter that an operator's constraint refuses stays in the journal, named; the line goes on."""
import json

import pytest

from conftest import populate
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import refusals
from waiting import wait_until

CHECK = "ALTER TABLE dead_letters ADD CONSTRAINT picky CHECK ({}) NOT VALID"
NO_CHECK = "ALTER TABLE dead_letters DROP CONSTRAINT picky"
BAD = "seano/USV-1/vehicle_log", "no json: secret"
RULES = {  # what an operator has against a letter
    "its topic": CHECK.format("topic NOT LIKE 'seano/USV-1/%%'"),
    "its payload": CHECK.format("convert_from(payload, 'UTF8') NOT LIKE '%%secret%%'"),
    "its reason": CHECK.format("reason <> 'bad_json'"),
    "its device": CHECK.format("device <> 'USV-1'"),
    "its like": "CREATE UNIQUE INDEX picky ON {partition} (payload)",
    "a trigger": """CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.topic LIKE 'seano/USV-1/%%' THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER picky BEFORE INSERT ON dead_letters FOR EACH ROW EXECUTE FUNCTION picky()""",
}


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(journal__check="300ms")
    populate(gateway)
    return gateway.start()


def letters(database):
    return [topic for (topic,) in database.rows("SELECT topic FROM dead_letters ORDER BY seq")]


def refused_is(gateway, n):
    wait_until(lambda: gateway.metric("tidegate_letters_refused") == n, f"{n} refused", timeout=90)


def apply(database, rule):
    partition = database.value("SELECT tableoid::regclass::text FROM dead_letters LIMIT 1")
    database.rows(RULES[rule].replace("{partition}", partition))


@pytest.mark.parametrize("n_before", [0, 2], ids=["no letters", "some letters"])
@pytest.mark.parametrize("rule", RULES)
def test_what_no_letter_may_be_made_of_stays_in_the_journal(gateway, broker, database, rule, n_before):
    if rule == "its like":
        n_before = 2
    for n in range(n_before):
        broker.publish(f"seano/USV-2/vehicle_log", f"no json {n}")
    if rule == "its like":
        broker.publish("seano/USV-2/vehicle_log", BAD[1])
        n_before = 3
    database.wait_for("SELECT count(*) FROM dead_letters", n_before)
    if n_before:
        apply(database, rule)
    else:
        database.rows("SELECT tidegate_make_partitions(current_date, current_date + 1)")
        database.rows(RULES[rule])
    for n in range(3):
        broker.publish("seano/USV-1/raw_log", f"load {n}")
        broker.publish(*BAD)
    broker.publish("seano/nobody/raw_log", "of nobody")
    database.wait_for("SELECT count(*) FROM raw_logs", 3)
    database.wait_for("SELECT count(*) FROM dead_letters", n_before + 1)
    refused_is(gateway, 3)
    assert refusals(gateway) == 0
    assert gateway.metric("tidegate_dead_lettered_total", reason="bad_json") == n_before + 3
    assert_books_are_closed(gateway)
    assert gateway.get("/readyz").json()["notes"] == ["letters_refused"]
    kind, after, last, records = database.rows("SELECT kind, after_seq, last_seq, records"
                                               " FROM journal_differences")[0]
    assert (kind, records) == ("refused", 3)
    assert " letter_refused seq=" in gateway.log()
    assert " letters_refused messages=" in gateway.log()

    found = gateway.cli("journal", "verify", check=False)
    assert found.returncode == 1
    named = [line.split() for line in found.stdout.splitlines() if line.startswith("missing ") and " " in line[8:]]
    assert [words[3] for words in named] == [BAD[0]] * 3
    assert all(after < int(words[1]) <= last for words in named)
    assert "refused: 3 messages in numbers " in found.stdout


def test_what_was_refused_is_a_letter_once_that_may_be(gateway, broker, database):
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    database.rows(RULES["its topic"])
    database.rows("ALTER TABLE raw_logs ADD CONSTRAINT picky CHECK (logs <> 'secret')")
    broker.publish(*BAD)
    broker.publish("seano/USV-1/raw_log", "secret")
    broker.publish("seano/USV-1/raw_log", "load")
    refused_is(gateway, 2)
    gateway.kill()
    gateway.start()
    refused_is(gateway, 2)
    assert gateway.log().count(" letters_refused messages=2 ") == 1

    database.rows(NO_CHECK)
    stored = gateway.cli("journal", "verify", "--store")
    assert "stored 2\n" in stored.stdout
    refused_is(gateway, 0)
    assert database.rows("SELECT reason, convert_from(payload, 'UTF8') FROM dead_letters ORDER BY seq") == [
        ("bad_json", BAD[1]), ("db_rejected", "secret")]
    assert database.rows("SELECT logs FROM raw_logs") == [("load",)]
    assert database.value("SELECT settled_by FROM journal_differences") == "verified"
    assert " letters_refused_settled" in gateway.log()
    assert gateway.get("/readyz").json().get("notes", []) == []
    assert_books_are_closed(gateway)


def test_items_whose_letters_are_refused_cost_themselves(gateway, broker, database):
    """The message is stored with the good ones, and a note says that there were others."""
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    database.rows(CHECK.format("item IS NULL"))
    good, bad = {"device_hash": "ab" * 32, "rssi": -55}, {"device_hash": "x", "rssi": -55}
    for items in ([good, bad], [bad]):
        broker.publish("tfg/detections/raw", json.dumps({"device_id": "dev-1", "detections": items}))
    broker.publish("seano/USV-1/raw_log", "load")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    refused_is(gateway, 1)
    assert database.value("SELECT count(*) FROM ble_detections") == 1
    assert database.rows("SELECT kind, reason, member FROM row_notes") == [("ble_detections", "db_rejected", "")]
    assert letters(database) == []
    assert gateway.metric("tidegate_db_sides_refused_total") == 1
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)


def test_an_answer_to_no_command_whose_letter_is_refused_costs_itself(gateway, broker, database):
    database.rows("SELECT tidegate_make_partitions(current_date, current_date)")
    database.rows(CHECK.format("topic NOT LIKE 'devices/%%'"))
    broker.publish("devices/dev-1/commands/ack", '{"command_id":"forged","status":"ok"}')
    broker.publish("seano/USV-1/raw_log", "load")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    refused_is(gateway, 1)
    assert letters(database) == []
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)
