"""A schema that an operator puts out of the gateway's sight while it runs: an outage."""
import pytest

from conftest import populate
from waiting import wait_until

CUT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'tidegate/%%'"
NEWEST = "(SELECT max(number) FROM schema_migrations)"
AWAY = {  # what is done, undone, and said
    "search_path": ("ALTER DATABASE {db} SET search_path = elsewhere",
                    "ALTER DATABASE {db} RESET search_path", "the schema that was there is gone"),
    "renamed": ("ALTER TABLE schema_migrations RENAME TO renamed",
                "ALTER TABLE renamed RENAME TO schema_migrations",
                "the schema that was there is gone"),
    "older": ("CREATE TABLE kept AS TABLE schema_migrations;"
              f" DELETE FROM schema_migrations WHERE number = {NEWEST}",
              "INSERT INTO schema_migrations SELECT * FROM kept ON CONFLICT DO NOTHING",
              "run tidegate migrate"),
}


def store(broker, database, text):
    broker.publish("seano/USV-1/raw_log", text)
    database.wait_for("SELECT count(*) FROM public.raw_logs WHERE logs = %s", 1, text)


@pytest.mark.parametrize("how", AWAY)
def test_what_was_there_and_is_not_ends_nothing_and_makes_nothing_anew(make_gateway, broker, database,
                                                                       how):
    gateway = make_gateway(database__migrate="off" if how == "older" else "on")
    populate(gateway)
    gateway.start()
    store(broker, database, "before")
    do, undo, says = (text.format(db=database.name) for text in AWAY[how])
    database.rows("CREATE SCHEMA elsewhere")
    database.rows(do)
    database.rows(CUT)
    wait_until(lambda: says in gateway.log(), "it to say so")
    broker.publish("seano/USV-1/raw_log", "meanwhile")
    wait_until(lambda: gateway.metric("tidegate_in_journal") > 0, "the message to wait")
    assert "database_away" in gateway.get("/readyz").json()["reasons"]

    database.rows(undo)
    database.rows(CUT)
    gateway.wait_ready()
    store(broker, database, "after")
    assert [row[0] for row in database.rows("SELECT logs FROM public.raw_logs ORDER BY seq")] == \
        ["before", "meanwhile", "after"]
    assert database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'elsewhere'") == 0
