"""What an operator's constraint refuses of one device, or one value, costs that alone: the line goes on."""
import datetime
import json

import pytest

from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import KINDS, NO_TRIGGER, RAISE, refusals
from waiting import wait_until

LETTERS = "SELECT reason, left(detail, 15) FROM dead_letters ORDER BY seq"
KEYS = {"raw_logs": "vehicle_id", "sensor_logs": "vehicle_id", "vehicle_logs": "vehicle_id"}


def today(table):
    return f"{table}_{datetime.datetime.now(datetime.timezone.utc):%Y%m%d}"


@pytest.mark.parametrize("n_before", [0, 1], ids=["empty table", "table with its row"])
@pytest.mark.parametrize("table", [table for table in KINDS if table != "alerts"])
def test_the_only_device_that_a_table_knows_is_refused(gateway, broker, database, table, n_before):
    """There is another one in the registry, of which the table has nothing: it would take that."""
    topic, payload = KINDS[table]
    for _ in range(n_before):
        broker.publish(topic, payload)
    database.wait_for(f"SELECT count(*) FROM {table}", n_before)
    key = KEYS.get(table, "device_id")
    whose = gateway.ids["USV-1" if key == "vehicle_id" else "dev-1"]
    database.rows(f"ALTER TABLE {table} ADD CHECK ({key} <> {whose}) NOT VALID")
    broker.publish(topic, payload)
    database.wait_for("SELECT count(*) FROM dead_letters", 1)
    assert database.rows(LETTERS) == [("db_rejected", "SQLSTATE 23514:")]
    broker.publish(topic.replace("-1", "-2").replace("ana", "ben"), payload.replace("-1", "-2"))
    database.wait_for(f"SELECT count(*) FROM {table}", n_before + 1)
    assert_books_are_closed(gateway)


def test_a_vehicle_that_may_have_no_sensors_costs_what_they_say(gateway, broker, database):
    topic, payload = KINDS["sensor_logs"]
    database.rows(f"ALTER TABLE sensors ADD CHECK (vehicle_id <> {gateway.ids['USV-1']})")
    broker.publish(topic, payload)
    broker.publish(topic.replace("-1", "-2"), payload)
    database.wait_for("SELECT count(*) FROM sensor_logs", 1)
    assert database.rows(LETTERS) == [("db_rejected", "SQLSTATE 23514:")]
    assert_books_are_closed(gateway)


def test_a_camera_whose_state_is_refused_costs_its_events(gateway, broker, database):
    """The statistics are made by a trigger, with the row."""
    topic, payload = KINDS["camera_events"]
    database.rows(f"ALTER TABLE camera_states ADD CHECK (device_id <> {gateway.ids['dev-1']})")
    broker.publish(topic, payload)
    broker.publish(topic.replace("dev-1", "dev-2"), payload)
    database.wait_for("SELECT count(*) FROM camera_events", 1)
    assert database.rows(LETTERS) == [("db_rejected", "SQLSTATE 23514:")]
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)


UNIQUE = {  # an index of an operator's, and what its table has already: (topic, payload), the same again
    "raw_logs": ("logs", KINDS["raw_logs"]),
    "raw_logs by a vehicle": ("vehicle_id", KINDS["raw_logs"]),
    "telemetry": ("(payload->>'id')", ("ems/dev-1/telemetry", '{"id":17}')),
    "telemetry, deferred": ("device_id", KINDS["telemetry"]),
    "camera_events": ("device_id, event_type", KINDS["camera_events"]),
}


@pytest.mark.parametrize("what", UNIQUE)
def test_a_row_that_is_there_already_is_a_letter(gateway, broker, database, what):
    """The rows that show whether the table takes any are there already as well."""
    columns, (topic, payload) = UNIQUE[what]
    table = what.split()[0].strip(",")
    database.rows("SELECT tidegate_make_partitions(current_date, current_date + 1)")
    if what.endswith("deferred"):
        database.rows(f"ALTER TABLE {today(table)} ADD UNIQUE ({columns}) DEFERRABLE INITIALLY DEFERRED")
    else:
        database.rows(f"CREATE UNIQUE INDEX ON {today(table)} ({columns})")
    others = topic.replace("-1", "-2"), payload.replace("good", "better").replace("17", "18")
    broker.publish(topic, payload)
    broker.publish(*others)
    database.wait_for(f"SELECT count(*) FROM {table}", 2)
    broker.publish(topic, payload)
    broker.publish("seano/USV-1/sensor_log", '{"sensor_id":1,"data":{}}')
    database.wait_for("SELECT count(*) FROM sensor_logs", 1)
    assert database.rows(LETTERS) == [("db_rejected", "SQLSTATE 23505:")]
    assert refusals(gateway) == 0
    assert_books_are_closed(gateway)


def test_beside_a_unique_index_a_table_that_takes_nothing_is_an_outage(gateway, broker, database):
    """A trigger is asked after the index is."""
    database.rows("SELECT tidegate_make_partitions(current_date, current_date + 1)")
    database.rows(f"CREATE UNIQUE INDEX ON {today('raw_logs')} (logs)")
    broker.publish("seano/USV-1/raw_log", "one")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    database.rows("INSERT INTO raw_logs (journal_id, seq, received_at, time, vehicle_id, logs)"
                  " VALUES (0, 0, now(), now(), 1, '')")
    database.rows(RAISE.format("RAISE EXCEPTION 'closed for today';", "TRIGGER", "AFTER", ""))
    broker.publish("seano/USV-2/raw_log", "two")
    wait_until(lambda: refusals(gateway) >= 2, "some attempts")
    assert gateway.status("/readyz") == 503
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    database.rows(NO_TRIGGER)
    database.wait_for("SELECT count(*) FROM raw_logs WHERE logs <> ''", 2)
    assert_books_are_closed(gateway)
