"""What an operator's constraint refuses of one device, or one value, costs that alone: the line goes on."""
import datetime
import json
import time

import pytest

from conftest import populate
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from test_an_outage_is_told_from_a_bad_row import KINDS, NO_TRIGGER, RAISE, refusals
from test_sparkplug_nodes import Node, metric
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


SAYS = {  # what goes beside a row: its table and which one is refused, and who says it: (topic, payload)
    "vehicle_clocks": ("vehicle_id <> {USV-1}", "seano/USV-1/vehicle_log", {"speed": 1, "timestamp": 0}),
    "row_notes": ("vehicle_id <> {USV-1}", "seano/USV-1/vehicle_log", {"speed": 1, "latitude": 91}),
    "row_note_days": ("vehicle_id <> {USV-1}", "seano/USV-1/vehicle_log", {"speed": 1, "latitude": 91}),
    "merged_telemetry": ("device_id <> {dev-1}", "changes/dev-1", {"speed": 1}),
}
ROUTES = "\n[route sparkplug]\nuse = sparkplug-b\n[route merging]\ntopic = changes/{device}\nkind = telemetry\nmerge = on\n"


@pytest.fixture
def merging(make_gateway):
    gateway = make_gateway(database__survey="200ms")
    gateway.routes = ROUTES
    gateway.write_conf()
    populate(gateway)
    gateway.start()
    return gateway


def beside(database, table):
    return database.value(f"SELECT count(*) FROM {table}")


def says(broker, what, of=1):
    _, topic, members = SAYS[what]
    told = dict(members, timestamp=time.time() + 300) if "timestamp" in members else members
    broker.publish(topic.replace("-1", f"-{of}"), json.dumps(told))


def n_rows(database):
    return database.value("SELECT (SELECT count(*) FROM vehicle_logs) + (SELECT count(*) FROM telemetry)")


@pytest.mark.parametrize("what", SAYS)
def test_what_is_refused_beside_a_row_costs_that_alone(merging, broker, database, what):
    check = SAYS[what][0].format(**merging.ids)
    database.rows(f"ALTER TABLE {what} ADD CHECK ({check})")
    for n in range(3):
        says(broker, what)
        says(broker, what, of=2)
        broker.publish("seano/USV-1/raw_log", f"load {n}")
    database.wait_for("SELECT count(*) FROM raw_logs", 3)
    assert n_rows(database) == 6
    assert beside(database, what) > 0, "of the other one"
    assert beside(database, "dead_letters") == 0
    assert refusals(merging) == 0
    assert merging.metric("tidegate_db_sides_refused_total") >= 1
    assert merging.log().count(" beside_row_refused ") == 1
    if not what.startswith("row_note"):
        assert database.value("SELECT count(*) FROM row_notes WHERE reason = 'db_rejected' AND member = ''"
                              " AND detail LIKE 'SQLSTATE 23514: %%'") >= 1
    assert_books_are_closed(merging)


@pytest.mark.parametrize("what", SAYS)
def test_a_table_beside_the_rows_that_takes_nothing_is_an_outage(merging, broker, database, what):
    column = "seq" if what == "row_notes" else SAYS[what][0].split()[0]
    database.rows(f"ALTER TABLE {what} ADD CONSTRAINT nothing CHECK ({column} < 0)")
    says(broker, what)
    wait_until(lambda: refusals(merging) >= 2, "some attempts")
    assert merging.status("/readyz") == 503
    database.rows(f"ALTER TABLE {what} DROP CONSTRAINT nothing")
    wait_until(lambda: merging.metric("tidegate_in_journal") == 0, "the end of it")
    assert (n_rows(database), beside(database, what), beside(database, "dead_letters")) == (1, 1, 0)
    assert merging.metric("tidegate_db_sides_refused_total") == 0
    assert_books_are_closed(merging)


def test_a_birth_that_is_refused_costs_that_alone(merging, broker, database, client):
    database.rows("ALTER TABLE sparkplug_births ADD CHECK (thing <> 'plant/press')")
    node = Node(client, broker)
    node.birth()
    node.say("NDATA", metric(None, "Float", 22.5, alias=1))
    broker.publish("seano/USV-1/raw_log", "load")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    assert database.value("SELECT count(*) FROM telemetry") == 2
    assert beside(database, "sparkplug_births WHERE thing = 'plant/press'") == 0
    assert beside(database, "dead_letters") == 0
    assert merging.log().count(" beside_row_refused ") == 1
    assert_books_are_closed(merging)
