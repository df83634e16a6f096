"""A schema, or rows of it, that an operator puts out of the gateway's sight while it runs: an outage."""
import pytest

from conftest import populate
from servers import Database
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


@pytest.fixture
def app(empty_database):
    """A database of somebody who is no superuser, so that policies count for him."""
    name = f"app_{empty_database.name}"
    empty_database.rows(f"CREATE ROLE {name} LOGIN")
    empty_database.rows(f"ALTER DATABASE {empty_database.name} OWNER TO {name}")
    seen = Database(empty_database.postgres, empty_database.name)
    seen.url = seen.url.replace("tidegate@", f"{name}@")
    yield seen
    empty_database.rows(f"ALTER DATABASE {empty_database.name} OWNER TO tidegate")
    empty_database.rows(f"DROP OWNED BY {name} CASCADE")
    empty_database.rows(f"DROP ROLE {name}")


@pytest.mark.parametrize("table", ["vehicles", "users", "raw_logs", "journal_positions", "slots"])
def test_rows_that_a_policy_hides_are_not_taken_for_gone(app, make_gateway, broker, table):
    gateway = make_gateway(database=app)
    gateway.cli("migrate")
    populate(gateway)
    gateway.start()
    store(broker, app, "before")
    app.rows(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    app.rows(CUT)
    wait_until(lambda: "row-level security" in gateway.log(), "it to say so")
    broker.publish("seano/USV-1/raw_log", "meanwhile")

    app.rows(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    app.rows(CUT)
    app.wait_for("SELECT count(*) FROM raw_logs WHERE logs = 'meanwhile'", 1)
    store(broker, app, "after")
    gateway.wait_ready()
    assert app.value("SELECT count(*) FROM raw_logs") == 3
    assert app.value("SELECT count(*) FROM dead_letters") == 0
