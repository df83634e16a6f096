"""PgBouncer between the gateway and PostgreSQL: by session all is as without it, by transaction it is said."""
import datetime
import json

import pytest

from conftest import populate
from faultproxy import PostgresProxy, notifications
from pooler import Pooler
from servers import SLOW
from waiting import PATIENCE, wait_until


YESTERDAY = f"{datetime.date.today() - datetime.timedelta(days=1)}"  # a time that is believed


@pytest.fixture
def pooled(make_gateway, database, postgres, folder):
    """pooled(mode) -> a gateway that knows only the pooler's address, not started."""
    poolers = []

    def make(mode, **settings):
        poolers.append(Pooler(folder / "pooler", postgres, database, mode, **settings).start())
        gateway = make_gateway()
        populate(gateway)
        gateway.write_conf(database__url=poolers[0].url)
        gateway.pooler = poolers[0]
        return gateway

    yield make
    for pooler in poolers:
        pooler.stop()


@pytest.mark.parametrize("settings", [{}, {"ignore_startup_parameters": "options"}],
                         ids=["refuses settings", "drops settings"])
def test_by_session_all_is_as_without(pooled, database, broker, viewer, settings):
    database.rows(f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'")
    gateway = pooled("session", **settings).start()
    ana = viewer("/ws/device/dev-1", "ana")
    broker.publish("ems/dev-1/telemetry", json.dumps({"n": 1, "timestamp": f"{YESTERDAY}T12:00:00Z"}))
    ana.wait_for(lambda frames: any('"n"' in f for f in frames), "the message")
    database.wait_for(f"SELECT time AT TIME ZONE 'UTC' = '{YESTERDAY} 12:00' FROM telemetry", True)
    database.rows("UPDATE users SET is_active = false WHERE username = 'ana'")
    assert ana.wait_closed(PATIENCE * SLOW)
    wait_until(gateway.is_ready, "it to be ready")


@pytest.mark.parametrize("settings", [{}, {"ignore_startup_parameters": "options"}],
                         ids=["refuses settings", "drops settings"])
def test_by_transaction_it_says_so_and_loses_nothing(pooled, database, broker, settings):
    gateway = pooled("transaction", **settings)
    gateway.start(wait=False)
    wait_until(lambda: gateway.status("/livez") == 200, "it to run")
    wait_until(lambda: "transaction_pooling" in gateway.get("/readyz").json().get("reasons", []),
               "it to notice", PATIENCE * SLOW)
    wait_until(lambda: gateway.metric("tidegate_mqtt_connected") == 1, "the broker")
    broker.publish("ems/dev-1/telemetry", '{"n":1}')
    wait_until(lambda: gateway.metric("tidegate_received_total") == 1, "the message")
    assert "let it pool by session" in gateway.log()
    assert database.value("SELECT count(*) FROM telemetry") == 0
    assert gateway.terminate() == 0
    assert gateway.log().count("database_away") == 1  # no storm

    gateway.write_conf(database__url=database.url)  # as it was told
    gateway.start()
    database.wait_for("SELECT count(*) FROM telemetry", 1)


def test_who_is_not_told_of_changes_finds_out(make_gateway, database, postgres, folder, viewer):
    proxy = PostgresProxy(folder / "proxy", postgres)
    gateway = make_gateway(database__url=proxy.url(database), database__heartbeat="200ms")
    populate(gateway)
    gateway.start()
    ana = viewer("/ws/devices", "ana")
    proxy.arm(notifications())
    database.rows("UPDATE users SET is_active = false WHERE username = 'ana'")
    ana.wait_closed(PATIENCE * SLOW)
    wait_until(lambda: gateway.status("/readyz") == 503, "it to say so")
    assert gateway.get("/readyz").json()["reasons"] == ["registry_stale"]
    assert gateway.metric("tidegate_registry_stale") == 1
    gateway.ids["dev-3"] = gateway.add_device("dev-3", "ben")
    wait_until(lambda: "dev-3" in viewer("/ws/devices", "ben").next(), "what is new")
    proxy.disarm()
    wait_until(gateway.is_ready, "it to hear again", PATIENCE * SLOW)
    assert gateway.log().count("registry_stale") == 1
    proxy.close()
