"""PostgreSQL by TLS, by several hosts, by a service file, by a name: whatever leads there, and what stands there."""
import contextlib
import itertools
import socket
import subprocess
import urllib.parse

import pytest

from conftest import populate
from families import Door, build_names
from road import PASSWORD, Road
from servers import ROOT, Database, Gateway
from test_a_lost_answer_costs_nothing import assert_books_are_closed
from waiting import wait_until

CUT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'tidegate/%%'"
VERIFIED = ("postgresql://tidegate:{password}@localhost:{port}/{database}?sslmode=verify-full"
            "&sslrootcert={keys}/ca.crt")
ROADS = {
    "a certificate, by IPv6": "postgresql://certified@[::1]:{port}/{database}?sslmode=verify-full"
                              "&sslrootcert={keys}/ca.crt&sslcert={keys}/certified.crt&sslkey={keys}/certified.key",
    "words, and a first host that is silent": "host=127.0.0.1,localhost port={silent},{port} user=tidegate"
                                              " password='{quoted}' dbname='{database}'"
                                              " target_session_attrs=read-write",
    "a standby wanted, and a first host that is silent":
        "postgresql://tidegate:{password}@127.0.0.1:{silent},localhost:{port}/{database}"
        "?target_session_attrs=prefer-standby",
    "a service, and its settings": "service=road",
}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def road(session_folder):
    server = Road(session_folder / "road")
    server.start()
    server.execute("postgres", "CREATE DATABASE template_tidegate")
    Gateway(session_folder / "road-migrator", Database(server, "template_tidegate")).cli("migrate")
    server.execute("postgres", "ALTER ROLE tidegate PASSWORD %s", PASSWORD)
    server.execute("postgres", "CREATE ROLE certified LOGIN SUPERUSER")
    yield server
    server.stop()


@pytest.fixture
def database(road):
    name = f"road_{next(_numbers)}"
    road.execute("postgres", f"CREATE DATABASE {name} TEMPLATE template_tidegate")
    yield Database(road, name)
    road.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def silent():
    """The port of a machine that is off: what is sent there is not answered, not even refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def escaped(text, *what):
    for c in what:
        text = text.replace(c, "\\" + c)
    return text


@pytest.fixture
def by(road, database, make_gateway, silent):
    """by(url) -> a gateway that goes that way."""
    def make(url):
        gateway = make_gateway()
        populate(gateway)
        service = {"host": "127.0.0.1,localhost", "port": f"{silent},{road.port}", "user": "tidegate",
                   "password": PASSWORD, "dbname": database.name, "options": "-c search_path=elsewhere"}
        services = gateway.folder / "services"
        services.write_text("[road]\n" + "".join(f"{k}={v}\n" for k, v in service.items()), "utf-8")
        gateway.extra_env = {"PGSERVICEFILE": str(services)}
        gateway.write_conf(database__url=url.format(
            password=urllib.parse.quote(PASSWORD, safe=""), quoted=escaped(PASSWORD, "\\", "'"), port=road.port,
            database=database.name, keys=road.keys, silent=silent))
        return gateway
    return make


def store(broker, database, text, schema="public"):
    broker.publish("seano/USV-1/raw_log", text)
    database.wait_for(f"SELECT count(*) FROM {schema}.raw_logs WHERE logs = %s", 1, text)


@pytest.mark.parametrize("way", ROADS)
def test_whatever_libpq_can_reach_is_reached(by, broker, database, way):
    gateway = by(ROADS[way])
    schema = "public"
    if "settings" in way:
        schema = "elsewhere"
        database.rows("ALTER SCHEMA public RENAME TO elsewhere")
    gateway.start()
    store(broker, database, "before", schema)
    assert "ana" in gateway.cli("user", "list").stdout
    database.rows(CUT)
    store(broker, database, "after", schema)
    assert_books_are_closed(gateway)
    assert PASSWORD not in gateway.log()


def test_a_certificate_or_a_password_that_changes_is_an_outage(road, by, broker, database):
    gateway = by(VERIFIED)
    gateway.start()
    changes = {
        "certificate verify failed": (lambda: road.present("expired"), lambda: road.present("server")),
        "does not match host name": (lambda: road.present("elsewhere"), lambda: road.present("server")),
        "does not support SSL": (lambda: road.execute("postgres", "ALTER SYSTEM SET ssl = off"),
                                 lambda: road.execute("postgres", "ALTER SYSTEM RESET ssl")),
        "sqlstate=28P01": (lambda: road.execute("postgres", "ALTER ROLE tidegate PASSWORD 'another'"),
                           lambda: road.execute("postgres", "ALTER ROLE tidegate PASSWORD %s", PASSWORD)),
    }
    for n, (says, (change, undo)) in enumerate(changes.items()):
        store(broker, database, f"before {n}")
        change()
        road.tell()
        database.rows(CUT)
        wait_until(lambda s=says: s in gateway.log(), f"{says} in the log")
        broker.publish("seano/USV-1/raw_log", f"meanwhile {n}")
        undo()
        road.tell()
        store(broker, database, f"after {n}")
    assert [text for (text,) in database.rows("SELECT logs FROM raw_logs ORDER BY seq")] == \
        [f"{when} {n}" for n in range(len(changes)) for when in ("before", "meanwhile", "after")]
    assert_books_are_closed(gateway)


@pytest.fixture(scope="module")
def slow_names(session_folder):
    library = session_folder / "slow_names.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library),
                    str(ROOT / "tests/integration/slow_names.c"), "-ldl"], check=True)
    return library


def test_live_does_not_wait_for_a_name(by, broker, database, viewer, slow_names):
    """The address of the database's host is asked for, and whoever is asked does not answer."""
    gateway = by(VERIFIED.replace("localhost", "database.test").replace("verify-full", "verify-ca"))
    asks = gateway.folder / "asks"
    gateway.preload = [str(slow_names)]
    gateway.extra_env["SLOW_NAMES"] = str(asks)
    gateway.start()
    v = viewer("/api/ws", "ana")
    v.next_of("connection")
    store(broker, database, "before")
    v.next_of("raw_log")
    asks.touch()
    database.rows(CUT)
    wait_until(lambda: "database_away" in gateway.log(), "the outage to be noticed")
    for n in range(20):
        broker.publish("seano/USV-1/raw_log", f"meanwhile {n}")
        assert v.next_of("raw_log")["data"] == f"meanwhile {n}"
    asks.unlink()
    store(broker, database, "after")
    assert_books_are_closed(gateway)


@pytest.mark.parametrize("families", [("IPv4", "IPv6"), ("IPv6", "IPv4")], ids=lambda pair: f"{pair[0]} first")
def test_of_a_name_of_two_families_the_one_that_answers_is_taken(by, road, broker, database, folder, families):
    first = Door(families[0], road.port)
    gateway = by(VERIFIED.replace("localhost:{port}", f"both.test:{first.port}").replace("verify-full", "verify-ca"))
    gateway.preload = [str(build_names(folder))]
    gateway.start()
    store(broker, database, "by the first")
    first.close()
    second = Door(families[1], road.port, first.port)
    store(broker, database, "by the second")
    assert_books_are_closed(gateway)
    second.close()
