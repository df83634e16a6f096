"""Fixtures: a PostgreSQL a session, a database a test, a broker and gateways a test."""
import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
import requests

from clients import Client, install, install_python
from load import Publisher
from scripted_broker import ScriptedBroker
from servers import TIDEGATE, Broker, Database, Gateway, Postgres
from viewers import Viewer
from wire import Wire

# Its files are copied; else each page of them would be written to the log of the server as well.
AS_MIGRATED = "TEMPLATE template_tidegate STRATEGY file_copy"

_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "smoke: also run against the ThreadSanitizer build")
    if not TIDEGATE.exists():
        pytest.exit(f"{TIDEGATE} is not there: run tests/run, or set TIDEGATE_BIN", 2)


@pytest.fixture(scope="session")
def session_folder():
    """Short (unix sockets) and open to the user postgres, unlike pytest's own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tgt", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    if os.environ.get("TIDEGATE_KEEP"):
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_session(session_folder):
    server = Postgres(session_folder / "pg", in_memory=True)
    server.start()
    server.execute("postgres", "CREATE DATABASE template_tidegate")
    template = Database(server, "template_tidegate")
    migrator = Gateway(session_folder / "migrator", template)
    migrator.cli("migrate")
    # As a gateway that came up has them: of those that each test's would make, a hundred tables.
    server.execute(template.name, "SELECT tidegate_make_partitions(today, today + 1)"
                                  " FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) d")
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def postgres(postgres_session):
    """The session's cluster, which a test may stop or freeze: it is running again afterwards."""
    yield postgres_session
    if postgres_session.process:
        postgres_session.thaw()
    postgres_session.start()


@pytest.fixture
def database(postgres):
    name = f"test_{next(_numbers)}"
    postgres.execute("postgres", f"CREATE DATABASE {name} {AS_MIGRATED}")
    yield Database(postgres, name)
    postgres.start()
    postgres.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(postgres):
    name = f"empty_{next(_numbers)}"
    postgres.execute("postgres", f"CREATE DATABASE {name}")
    yield Database(postgres, name)
    postgres.start()
    postgres.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def folder(session_folder, request):
    path = session_folder / f"t{next(_numbers)}"
    path.mkdir()
    yield path
    report = getattr(request.node, "report_call", None)
    if report and report.failed:
        for log in sorted(path.glob("*/log")):
            tail = subprocess.run(["tail", "-n", "60", log], text=True, capture_output=True,
                                  check=False).stdout
            print(f"--- {log}\n{tail}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def broker(folder):
    server = Broker(folder / "broker").start()
    yield server
    server.stop()


@pytest.fixture
def scripted_broker():
    server = ScriptedBroker()
    yield server
    server.close()


@pytest.fixture
def make_gateway(folder, database, broker, request):
    """make_gateway(section__key=value, ...) -> a Gateway that is not started yet."""
    made = []

    def make(**settings):
        gateway = Gateway(folder / f"gateway{len(made) + 1}", settings.pop("database", database),
                          settings.pop("broker", broker), **settings)
        made.append(gateway)
        return gateway

    make.made = made
    yield make
    report = getattr(request.node, "report_call", None)
    for gateway in made:
        if report and report.failed and gateway.process:
            with contextlib.suppress(requests.RequestException):
                print(f"--- {gateway.url}/metrics, what is not 0")
                print(*(line for line in gateway.get("/metrics").text.splitlines()
                        if line[0] != "#" and not line.endswith(" 0")), sep="\n")
    for gateway in made:
        gateway.stop()


@pytest.fixture
def gateway(make_gateway):
    """A gateway with two users, of whom ana owns vehicle and device 1, ben 2, and root sees all."""
    gateway = make_gateway()
    populate(gateway)
    return gateway.start()


@pytest.fixture(scope="module")
def shared_gateway(session_folder, postgres_session, request):
    """One for all the tests of a module, which leave it as they found it; with the module's SETTINGS."""
    name = f"shared_{next(_numbers)}"
    folder = session_folder / name
    folder.mkdir()
    postgres_session.execute("postgres", f"CREATE DATABASE {name} {AS_MIGRATED}")
    broker = Broker(folder / "broker").start()
    gateway = Gateway(folder / "gateway", Database(postgres_session, name), broker,
                      ws__max_connections_per_user=1000, **getattr(request.module, "SETTINGS", {}))
    populate(gateway)
    yield gateway.start()
    gateway.stop()
    broker.stop()
    postgres_session.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


_registry = {}  # what populate() made first: the rows, and the ids


def populate(gateway):
    """Two users, of whom ana owns vehicle and device 1, ben 2, and root, who is admin.

    The command line makes them once in a run; every other empty database gets the same rows."""
    is_empty = gateway.database.has_no_registry()
    if is_empty and _registry:
        gateway.database.load_registry(_registry["rows"])
        gateway.ids = dict(_registry["ids"])
        return
    gateway.ids = {"ana": gateway.add_user("ana"), "ben": gateway.add_user("ben"),
                   "root": gateway.add_user("root", "admin")}
    for name, code, dev in (("ana", "USV-1", "dev-1"), ("ben", "USV-2", "dev-2")):
        gateway.ids[code] = gateway.add_vehicle(code, name)
        gateway.ids[dev], gateway.ids[dev + " token"] = gateway.add_device(dev, name)
    if is_empty:
        _registry.update(rows=gateway.database.dump_registry(), ids=dict(gateway.ids))


@pytest.fixture
def viewer(make_gateway):
    """viewer(path, user) -> an open Viewer of the gateway that was made last."""
    opened = []

    def open_viewer(path, user=None, **kwargs):
        gateway = make_gateway.made[-1]
        token = gateway.token(user) if user else None
        opened.append(Viewer(gateway, path, token, **kwargs))
        return opened[-1]

    yield open_viewer
    for one in opened:
        one.close()


@pytest.fixture
def publisher(broker):
    made = Publisher(broker)
    yield made
    made.close()


@pytest.fixture
def client():
    """client(script, argument=value, ...) -> a running Client."""
    made = []

    def start(script, **args):
        if args.get("python") == "pypi":
            install_python()
        elif script.endswith(".mjs"):
            install()
        made.append(Client(script, **args))
        return made[-1]

    yield start
    for one in made:
        one.stop()


PROFILES = ("people-counter", "energy", "device-hub", "vehicles", "cameras")


@pytest.fixture(params=["alone", "with all others"])
def of_profile(make_gateway, request):
    """of_profile(profile, section__key=value, ...) -> a running Gateway that uses that profile, the last of all five too."""
    def make(profile, **settings):
        gateway = make_gateway(**settings)
        others = [name for name in PROFILES if name not in profile.split(", ")] if request.param != "alone" else []
        gateway.routes = f"use_profile = {', '.join([*others, profile])}\n"
        gateway.write_conf()
        populate(gateway)
        return gateway.start()
    return make


@pytest.fixture
def wire():
    """wire(port) -> a Wire to what listens there."""
    made = []

    def make(target):
        made.append(Wire(target))
        return made[-1]

    yield make
    for one in made:
        one.close()
