"""A broker whose name has an IPv4 and an IPv6 address, of which one answers, is reached by either."""
import pytest

from conftest import populate
from families import Door, build_names
from waiting import wait_until

LOGS = "SELECT logs FROM raw_logs ORDER BY seq"


@pytest.fixture
def door():
    made = []

    def open_door(*args):
        made.append(Door(*args))
        return made[-1]

    yield open_door
    for one in made:
        one.close()


@pytest.mark.parametrize("families", [("IPv4", "IPv6"), ("IPv6", "IPv4")], ids=lambda pair: f"{pair[0]} first")
def test_a_broker_is_reached_by_the_one_that_answers(make_gateway, broker, database, door, folder, families):
    first = door(families[0], broker.port)
    gateway = make_gateway(mqtt__url=f"mqtt://both.test:{first.port}")
    gateway.preload = [str(build_names(folder))]
    populate(gateway)
    gateway.start()
    broker.publish("seano/USV-1/raw_log", "by the first")
    database.wait_for("SELECT count(*) FROM raw_logs", 1)
    first.close()
    broker.publish("seano/USV-1/raw_log", "by the second")
    wait_until(lambda: gateway.status("/readyz") == 503, "it to notice")
    door(families[1], broker.port, first.port)
    gateway.wait_ready()
    database.wait_for("SELECT count(*) FROM raw_logs", 2)
    assert database.rows(LOGS) == [("by the first",), ("by the second",)]
    assert gateway.log().count("session=new") == 1
