"""Admins try routes by HTTP, as `tidegate route test` does; nothing of it is stored, nobody else may."""
import base64
import json

import pytest
import requests

from conftest import populate
from test_api_documents import check as document_says
from viewers import Viewer
from waiting import PATIENCE

TRY = "/api/routes/try"
HEATING = "[route heating]\ntopic = heating/{device}/state\nkind = telemetry\n[map heating]\nflow = /T1 | number\n"
MESSAGE = {"topic": "heating/b0017/state", "payload": json.dumps({"T1": "61.5", "burner": "ON"})}


@pytest.fixture
def gateway(make_gateway):
    gateway = make_gateway(http__changes_per_minute=1000)
    populate(gateway)
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    return gateway


def ask(gateway, who, **what):
    headers = {"Authorization": f"Bearer {gateway.token(who)}", **what.pop("headers", {})}
    return requests.post(gateway.url + TRY, headers=headers, timeout=PATIENCE, **what)


def tried(gateway, status, who="root", **body):
    answer = ask(gateway, who, json=body)
    assert answer.status_code == status, answer.text[:500]
    document_says(gateway, TRY, "post", answer)
    return answer.json()


def errors(gateway, config, **message):
    said = tried(gateway, 422, **{**MESSAGE, **message}, config=config)
    assert (said["code"], said["status"]) == ("invalid", 422)
    return said["errors"]


def lines(gateway, config):
    return [one["line"] for one in errors(gateway, config)]


def test_the_row_of_a_route_that_is_not_configured(gateway, database):
    said = tried(gateway, 200, **MESSAGE, config=HEATING)
    assert (said["route"], said["result"], said["set_aside"]) == ("heating", "row", [])
    assert said["routes"][0]["origin"] == "config:2"
    assert (said["row"]["device"], said["row"]["kind"], said["row"]["data"]["flow"]) == ("b0017", "telemetry", 61.5)
    said = tried(gateway, 200, **MESSAGE)
    assert (said["result"], said["reason"], said["routes"]) == ("dead_letter", "no_route", [])
    for table in ("telemetry", "dead_letters"):
        assert database.value(f"SELECT count(*) FROM {table}") == 0
    assert "heating" not in gateway.log()


def test_it_is_what_the_command_line_says(gateway):
    message = "ems/dev-1/telemetry", '{"power": 12, "time": "2020-01-01T00:00:00Z"}'
    said = tried(gateway, 200, topic=message[0], payload=message[1])
    line = json.loads(gateway.cli("route", "test", "--json", *message).stdout)
    for one in (said, line):
        assert one["row"].pop("time")
    assert said == line


def test_bytes_that_are_no_text_come_as_base64(gateway):
    config = HEATING.replace("[map", "decode = cbor\n[map")
    payload = base64.b64encode(b"\xa1\x62T1\x18\x3d").decode()
    said = tried(gateway, 200, topic=MESSAGE["topic"], payload_base64=payload, config=config)
    assert said["row"]["data"]["flow"] == 61
    assert tried(gateway, 200, topic=MESSAGE["topic"], payload_base64=payload.rstrip("="), config=config)["result"] == "row"
    assert tried(gateway, 200, topic=MESSAGE["topic"], payload_base64="/w==", config=HEATING)["reason"] == "bad_utf8"


def test_others_may_not(gateway):
    for name in ("ana", "ben"):
        assert tried(gateway, 403, name, **MESSAGE, config=HEATING)["code"] == "forbidden"
    assert gateway.post(TRY, json=MESSAGE).status_code == 401
    assert gateway.get(TRY, "root").status_code == 405


def test_what_is_no_question_is_said(gateway):
    for body in (b"", b"[]", b"{", b'{"topic": "\xff"}', b'{"topic": "a/\\u0000", "payload": ""}'):
        answer = ask(gateway, "root", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, (body, answer.text)
    for body in ({"topic": "a/b"}, {"topic": "a/b", "payload": 5}, {"topic": 5, "payload": ""}, {"topic": "a/b", "payload": "", "config": []},
                 {"topic": "a/b", "payload": "", "payload_base64": ""}, {"topic": "a/b", "payload_base64": "%"},
                 {"topic": "a/b", "payload": "x" * 65537}, {"topic": "a/b", "payload": "", "config": "#" * 131073},
                 {"topic": "a/b", "payload_base64": "A" * 90000}):
        assert tried(gateway, 422, **body)["code"] == "invalid", str(body)[:80]
    for topic in ("a/+", "#", ""):
        assert errors(gateway, HEATING, topic=topic)[0]["text"].startswith("topic: ")
    assert ask(gateway, "root", json={"topic": "a/b", "payload": "", "x": "x" * 1100000}).status_code == 413


def test_errors_of_the_lines_have_their_numbers(gateway):
    said = errors(gateway, "[route x]\ntopic = a/{device}\nkind = nonsense\n\n[route x]\nspeed = 5\n")
    assert [one["line"] for one in said] == [6, 3]
    assert said[0]["text"].startswith("route x.speed: unknown key") and said[1]["text"].startswith("route x.kind: ")
    assert lines(gateway, "[database]\nurl = postgresql://x\n[route x") == [2, 3]
    assert lines(gateway, "use_profile = vehicles\n") == [1]
    assert lines(gateway, "[route a]\nuse = ../../../etc/passwd\nbase = x\n") == [2]
    assert "nonsense" not in gateway.log()


def test_hostile_lines_cost_nobody_anything(gateway):
    viewer = Viewer(gateway, "/api/ws/statistics", gateway.token("ana"))
    many = "".join(f"[route r{i}]\ntopic=d/{{device}}\nkind=telemetry\neach=/{'a/' * 20}a\nwhen=/b={i}\n" for i in range(1000))
    deep = '{"b":"0",' + '"a":{' * 20 + '"a":[1,2]' + "}" * 21
    assert len(many) <= 131072
    said = tried(gateway, 200, topic="d/1", payload=deep, config=many)
    assert (said["route"], len(said["routes"]), len(said["elements"])) == ("r0", 1000, 2)
    assert len(errors(gateway, "".join(f"[route r{i}]\nkind=x\n" for i in range(5000)))) == 100
    assert len(errors(gateway, "x\n" * 60000)) == 100
    assert lines(gateway, "[route \u00e9]\ntopic = \x1b[1m\n")
    assert lines(gateway, "[route a]\ntopic = a/{device}\nkind = telemetry\nwhen = /" + "x" * 5000 + "\n")
    many = "".join(f"[route u{i}]\nuse = owntracks\n" for i in range(1024))
    assert len(errors(gateway, many)) == 100
    config = "[route e]\ntopic = e/{device}\nkind = telemetry\neach = /\neach_max = 4096\n"
    said = tried(gateway, 200, topic="e/1", payload=json.dumps([1] * 4000), config=config)
    assert (len(said["elements"]), said["left_out"]) == (100, 3900)
    viewer.next_of("connection_status")
    assert gateway.get("/livez").status_code == 200


def test_they_are_as_long_as_is_configured(make_gateway):
    gateway = make_gateway(routes__try_payload_bytes="2K", routes__try_config_bytes="1K", routes__try_elements=3)
    populate(gateway)
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    config = "[route e]\ntopic = e/{device}\nkind = telemetry\neach = /\n"
    said = tried(gateway, 200, topic="e/1", payload=json.dumps([1] * 500), config=config)
    assert (len(said["elements"]), said["left_out"]) == (3, 497)
    assert "2048 bytes" in tried(gateway, 422, topic="e/1", payload="x" * 2049)["detail"]
    assert "1024 bytes" in tried(gateway, 422, topic="e/1", payload="", config="#" * 1025)["detail"]


def test_they_count_as_changes_of_their_user(gateway):
    gateway.write_conf(http__changes_per_minute=2)
    gateway.stop()
    gateway.start()
    refused = [ask(gateway, "root", json=MESSAGE) for _ in range(6)][-1]
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many") and int(refused.headers["Retry-After"]) > 0
    assert gateway.metric("tidegate_changes_refused_total") > 0


def test_the_database_is_not_asked(gateway, postgres):
    postgres.freeze()
    try:
        assert tried(gateway, 200, **MESSAGE, config=HEATING)["result"] == "row"
    finally:
        postgres.thaw()
