"""A primary and its streaming standby, both among the hosts of database.url: whoever of them takes writes
gets all that the journal keeps, once, also when an old primary comes back that knows nothing of it."""
import os
import signal
import subprocess

import pytest

from conftest import populate
from servers import Database, Postgres
from waiting import wait_until


class Standby(Postgres):
    """A copy of a primary's cluster, which follows it."""

    def __init__(self, folder, primary):
        super().__init__(folder)
        subprocess.run(["rm", "-rf", self.data], check=True)
        self._run("pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-d",
                  primary.url("postgres").replace("/postgres?", "/?"))
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"unix_socket_directories = '{self.folder}'\nhot_standby = on\n")


@pytest.fixture
def servers(folder):
    os.chmod(folder, 0o755)
    primary = Postgres(folder / "primary")
    primary.start()
    primary.execute("postgres", "CREATE DATABASE tidegate")
    standby = Standby(folder / "standby", primary)
    standby.start()
    yield primary, standby
    for server in (primary, standby):
        server.stop(signal.SIGQUIT)


def test_a_standby_that_is_promoted_and_an_old_primary_that_comes_back(make_gateway, servers, publisher):
    primary, standby = servers
    old, new = (Database(server, "tidegate") for server in servers)
    gateway = make_gateway(database=old, journal__check="300ms", database__url=f"postgresql://tidegate@/tidegate"
                           f"?host={primary.folder},{standby.folder}")
    gateway.cli("migrate")
    populate(gateway)
    gateway.start()

    def publish_into(database, numbers):
        for n in numbers:
            publisher.publish("seano/USV-1/raw_log", str(n))
        publisher.flush()
        database.wait_for("SELECT count(*) FROM raw_logs", numbers[-1] + 1)
        assert database.rows("SELECT logs FROM raw_logs ORDER BY seq") == \
            [(str(n),) for n in range(numbers[-1] + 1)]

    publish_into(old, range(10))
    wait_until(lambda: new.value("SELECT count(*) FROM raw_logs") == 10, "the standby to follow")
    primary.stop(signal.SIGQUIT)
    wait_until(lambda: gateway.get("/readyz").json().get("sqlstate") == "25006", "it to say: read-only")
    standby.execute("postgres", "SELECT pg_promote()")
    publish_into(new, range(10, 20))

    primary.start()  # which takes writes as well, and is the first in the list
    publish_into(new, range(20, 30))
    standby.stop(signal.SIGQUIT)
    publish_into(old, range(30, 40))
    assert "database_older position=" in gateway.log()
    primary.stop(signal.SIGQUIT)
    standby.start()
    publish_into(new, range(40, 50))
    gateway.wait_ready()
    assert gateway.metric("tidegate_journal_gaps") == 0
