"""Who acknowledges an alert is stored, and everybody who sees the alert is told, where he is."""
import json
import threading

import pytest
import requests

from identities import native
from test_api_documents import check as document_says
from test_event_streams import Events
from waiting import PATIENCE, wait_until

MEMBERS = ("acknowledged", "acknowledged_at", "acknowledged_by")


class Fleet:
    """ana's vehicle, shared with cleo (a user) and vera (a viewer); ben sees nothing of it."""

    def __init__(self, gateway, broker, database):
        self.gateway, self.broker, self.database = gateway, broker, database

    def alert(self, message):
        """Its id, once it is stored."""
        self.broker.publish("seano/USV-ana/alert", json.dumps({"severity": "critical", "message": message}))
        self.database.wait_for("SELECT count(*) FROM alerts WHERE message = %s", 1, message)
        return self.item("ana", message)["cursor"]

    def list(self, name, query="", status=200):
        answer = self.gateway.get(f"/api/alerts?{query}", name)
        document_says(self.gateway, "/api/alerts", "get", answer)
        assert answer.status_code == status
        return answer.json()["items"] if status == 200 else answer.json()

    def item(self, name, message):
        return next(i for i in self.list(name) if i["message"] == message)

    def acknowledge(self, name, which, status=200):
        headers = {"Authorization": f"Bearer {self.gateway.token(name)}"} if name else {}
        answer = requests.post(f"{self.gateway.url}/api/alerts/{which}/acknowledge", headers=headers, timeout=PATIENCE)
        document_says(self.gateway, "/api/alerts/{id}/acknowledge", "post", answer)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway()
    for name, role in (("root", "admin"), ("ana", "user"), ("ben", "user"), ("cleo", "user"), ("vera", "viewer")):
        gateway.add_user(name, role)
    gateway.add_vehicle("USV-ana", "ana")
    for name in ("cleo", "vera"):
        gateway.cli("vehicle", "share", "USV-ana", "--user", name)
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    return gateway


@pytest.fixture
def fleet(gateway, broker, database):
    return Fleet(gateway, broker, database)


def watch(gateway, name, **more):
    """A native socket that is live."""
    seen = native(gateway, gateway.token(name))
    seen.send({"op": "subscribe", "id": 1, "to": ["alerts"], **more})
    wait_until(lambda: any(json.loads(f).get("id") == 1 for f in list(seen.frames)), "the answer")
    return seen


def test_the_first_one_stays_and_a_second_one_is_told_who_it_was(fleet):
    which = fleet.alert("lost")
    assert [fleet.item("ana", "lost")[m] for m in MEMBERS] == [False, None, None]
    first = fleet.acknowledge("cleo", which)
    assert (first["id"], first["acknowledged"], first["acknowledged_by"]) == (which, True, "cleo")
    assert fleet.acknowledge("ana", which) == first
    assert fleet.acknowledge("root", which) == first
    for name in ("ana", "cleo", "vera", "root"):
        assert [fleet.item(name, "lost")[m] for m in MEMBERS] == [True, first["acknowledged_at"], "cleo"]
    assert fleet.database.rows("SELECT acknowledged_by, count(*) FROM alert_acks GROUP BY 1") == [("cleo", 1)]
    assert " managed action=alert_acknowledge id=" + which.split(":")[1] in fleet.gateway.log()


def test_of_many_at_once_one_is_first(fleet):
    which, told = fleet.alert("lost"), []
    threads = [threading.Thread(target=lambda n=name: told.append(fleet.acknowledge(n, which)))
               for name in ("ana", "cleo", "root", "ana")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(told) == 4 and all(one == told[0] for one in told)


def test_who_may_not_acknowledges_nothing_and_learns_nothing(fleet):
    which = fleet.alert("lost")
    epoch, seq = which.split(":")
    assert fleet.acknowledge("vera", which, 403)["code"] == "forbidden"
    not_his, not_there = fleet.acknowledge("ben", which, 404), fleet.acknowledge("ben", f"{epoch}:{int(seq) + 1}", 404)
    assert not_his == not_there
    assert fleet.acknowledge(None, which, 401)["code"]
    for odd in ("1", "x", f"{'0' * 16}:{seq}", f"{epoch}:-1", f"{epoch}:99999999999999999999", f"{epoch}:{seq}:1", "'"):
        fleet.acknowledge("ana", odd, 404)
    assert fleet.item("ana", "lost")["acknowledged"] is False
    assert fleet.database.value("SELECT count(*) FROM alert_acks") == 0


def test_what_nobody_has_acknowledged_is_listed_apart(fleet):
    messages = ["one", "two", "three", "four"]
    ids = {m: fleet.alert(m) for m in messages}
    fleet.acknowledge("ana", ids["two"])
    fleet.acknowledge("ana", ids["four"])
    assert [i["message"] for i in fleet.list("vera", "acknowledged=false")] == ["three", "one"]
    assert [i["message"] for i in fleet.list("vera", "acknowledged=true")] == ["four", "two"]
    page = fleet.gateway.get("/api/alerts?acknowledged=false&limit=1", "ana").json()
    rest = fleet.gateway.get(f"/api/alerts?acknowledged=false&limit=1&cursor={page['cursor']}", "ana").json()
    assert [i["message"] for i in page["items"] + rest["items"]] == ["three", "one"]
    assert fleet.list("ana", "acknowledged=perhaps", 400)["code"] == "bad_parameter"
    shown = fleet.gateway.get(f"/vehicles/{page['items'][0]['vehicle_id']}/alerts", "ana").json()
    assert [(i["message"], i["acknowledged"]) for i in shown] == [("four", True), ("three", False), ("two", True), ("one", False)]


def test_it_is_kept_across_a_restart(fleet):
    which = fleet.alert("lost")
    first = fleet.acknowledge("ana", which)
    fleet.gateway.terminate()
    fleet.gateway.start()
    assert fleet.item("vera", "lost")["acknowledged_at"] == first["acknowledged_at"]
    assert fleet.acknowledge("cleo", which) == first


def test_no_user_asks_for_more_than_his_share(make_gateway, broker, database):
    gateway = make_gateway(http__changes_per_minute=2)
    gateway.add_user("ana", "user")
    gateway.add_vehicle("USV-ana", "ana")
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    fleet = Fleet(gateway, broker, database)
    which = fleet.alert("lost")
    for status in (200, 200, 429):
        fleet.acknowledge("ana", which, status)


def test_everybody_who_sees_the_alert_is_told_at_once(fleet):
    which = fleet.alert("lost")
    tabs = [watch(fleet.gateway, name) for name in ("ana", "ana", "vera", "cleo", "root")]
    narrow = watch(fleet.gateway, "ana", types=["raw_log"])
    ben = watch(fleet.gateway, "ben")
    first = fleet.acknowledge("cleo", which)
    fleet.acknowledge("ana", which)  # changes nothing
    for tab in tabs:
        told = tab.next_of("alert_update")
        assert (told["alert"], told["acknowledged_by"]) == (which, "cleo")
        assert told["timestamp"] == told["acknowledged_at"] == first["acknowledged_at"]
        assert "cursor" not in told and told["acknowledged"] is True
    fleet.alert("another")  # behind it: whoever was to be told has been
    for tab in tabs:
        assert tab.next_of("alert", "alert_update")["type"] == "alert", "it was said once"
    for other in (narrow, ben):
        other.send({"op": "ping", "id": 2})
        other.wait_for(lambda texts: any('"id":2' in t for t in texts), "the answer")
        assert not any("alert_update" in text for text in other.frames)


def test_a_stream_and_a_poll_are_told_as_well(fleet):
    which = fleet.alert("lost")
    headers = {"Authorization": f"Bearer {fleet.gateway.token('vera')}"}
    polled = []

    def poll():
        polled.append(requests.get(f"{fleet.gateway.url}/api/events/poll?to=alerts&wait=30&since={which}", headers=headers,
                                   timeout=PATIENCE * 3).json())
    stream = Events(fleet.gateway, "vera", "?to=alerts")
    assert stream.next()[1] == "subscribed"
    thread = threading.Thread(target=poll)
    thread.start()
    wait_until(lambda: fleet.gateway.metric("tidegate_ws_connections", dialect="poll") == 1, "the poll")
    fleet.acknowledge("ana", which)
    number, event, data = stream.next()
    assert (number, event, data["alert"]) == (None, "alert_update", which)
    thread.join(PATIENCE)
    assert [(e["type"], e["alert"]) for e in polled[0]["events"]] == [("alert_update", which)]
    stream.close()
