"""Admins see by HTTP what could not be used, as on the command line; nobody else does."""
import json

import pytest
import requests

from test_api_documents import check as document_says
from waiting import PATIENCE, wait_until

LETTERS = "SELECT count(*) FROM dead_letters"
PATHS = ("/api/dead-letters", "/api/dead-letters/1", "/api/dead-letters/notes")


@pytest.fixture
def letters(gateway, broker, database):
    """Four letters, one of bytes that are no text, and a note."""
    broker.publish("ems/dev-1/telemetry", "{")
    broker.publish("seano/USV-9/raw_log", "lost at sea")
    broker.publish("seano/USV-8/raw_log", "lost at sea")
    database.wait_for(LETTERS, 3)
    database.rows("INSERT INTO dead_letters (seq, received_at, journal_id, reason, topic, payload)"
                  " VALUES (1, now(), 1, 'no_route', 'a/b', '\\x1b00ff')")
    database.rows("INSERT INTO row_notes (seq, received_at, journal_id, kind, topic, member, reason)"
                  " VALUES (7, now(), 1, 'telemetry', 'ems/dev-1/telemetry', '/t', 'wrong_type')")
    return gateway


def test_they_are_for_admins(letters):
    for path in PATHS:
        assert letters.get(path).status_code == 401, path
        for name in ("ana", "ben"):
            answer = letters.get(path, name)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
        assert letters.get(path, "root").status_code == 200, path
        assert letters.post(path, json={}).status_code == 405, path


@pytest.mark.parametrize("query, args", [
    ("", []), ("?reason=bad_json,no_route", ["--reason", "bad_json,no_route"]),
    ("?topic=seano/%2B/raw_log&limit=1", ["--topic", "seano/+/raw_log", "--limit", "1"]),
    ("?route=", ["--route", ""]), ("?device=USV-9", ["--device", "USV-9"]),
    ("?from=1h&to=2030-01-01T00:00:00+02:00", ["--since", "1h"]), ("?to=1h", ["--until", "1h"]),
    ("?by=reason,topic", ["--by", "reason,topic"]), ("?cursor=3", ["--cursor", "3"])])
def test_it_is_what_the_command_line_says(letters, query, args):
    answer = letters.get(f"/api/dead-letters{query}", "root")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == json.loads(letters.cli("dead-letters", "list", "--json", *args).stdout)


def test_pages_go_on(letters):
    page = letters.get("/api/dead-letters?limit=3", "root").json()
    rest = letters.get(f"/api/dead-letters?limit=3&cursor={page['cursor']}", "root").json()
    assert [letter["topic"] for letter in page["items"] + rest["items"]] == [
        "a/b", "seano/USV-8/raw_log", "seano/USV-9/raw_log", "ems/dev-1/telemetry"]
    assert rest["cursor"] is None


def test_one_has_its_payload(letters, database):
    for topic, name, payload in (("seano/USV-9/raw_log", "payload", "lost at sea"),
                                 ("a/b", "payload_base64", "GwD/")):
        letter = database.value(f"SELECT id FROM dead_letters WHERE topic = '{topic}'")
        one = letters.get(f"/api/dead-letters/{letter}", "root").json()
        assert (one["id"], one["topic"], one[name]) == (letter, topic, payload)
    for nothing in ("999", "0", "x", "99999999999999999999"):
        assert letters.get(f"/api/dead-letters/{nothing}", "root").status_code == 404, nothing


def test_notes_are_listed_too(letters):
    note = letters.get("/api/dead-letters/notes?by=member,reason", "root").json()["items"]
    assert [(group["count"], group["member"], group["reason"]) for group in note] == [(1, "/t", "wrong_type")]
    note = letters.get("/api/dead-letters/notes", "root").json()["items"]
    assert [(one["kind"], one["seq"], one["member"]) for one in note] == [("telemetry", "7", "/t")]


@pytest.mark.parametrize("query", ["reason=bad_jsn", "topic=a/%23/b", "from=yesterday", "by=member", "limit=0",
                                   "limit=1001", "cursor=x", "by=colour"])
def test_what_cannot_be_asked_is_said(letters, query):
    answer = letters.get(f"/api/dead-letters?{query}", "root")
    name, value = query.split("=")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert answer.json()["detail"].startswith(f"{name} '{value.replace('%23', '#')}': allowed: ")


def test_one_is_taken_in_again(letters, database):
    letters.add_vehicle("USV-9", "ana")
    good, bad = (database.value(f"SELECT id FROM dead_letters WHERE topic = 'seano/{name}/raw_log'")
                 for name in ("USV-9", "USV-8"))

    def ask(letter, name):
        return letters.post(f"/api/dead-letters/{letter}/replay", headers={
            "Authorization": f"Bearer {letters.token(name)}"})

    def state(letter):
        return letters.get(f"/api/dead-letters/{letter}/replay", "root")
    assert ask(good, "ana").status_code == 403 and letters.get(f"/api/dead-letters/{good}/replay", "ana").status_code == 403
    assert letters.post(f"/api/dead-letters/{good}/replay").status_code == 401
    assert (ask(999, "root").status_code, state(good).status_code) == (404, 404)
    assert database.value("SELECT count(*) FROM replays") == 0
    for letter, end in ((good, "stored"), (bad, "unknown_vehicle")):
        answer = ask(letter, "root")
        assert (answer.status_code, answer.json()) == (202, {"id": letter, "state": "waiting"})
        wait_until(lambda: state(letter).json() == {"id": letter, "state": end}, end)
        assert letters.get(f"/api/dead-letters/{letter}", "root").status_code == 404
    assert database.value("SELECT count(*) FROM raw_logs WHERE logs = 'lost at sea'") == 1
    assert database.value("SELECT count(*) FROM dead_letters WHERE topic = 'seano/USV-8/raw_log'") == 1


def test_all_of_a_filter_are_taken_in_again(letters, database):
    letters.add_vehicle("USV-9", "ana")
    headers = {"Authorization": f"Bearer {letters.token('root')}"}

    def ask(query, **other):
        return letters.post(f"/api/dead-letters/replay{query}", **{"headers": headers, **other})

    def states():
        return letters.get("/api/dead-letters/replay", "root").json()["states"]
    as_ana = {"Authorization": f"Bearer {letters.token('ana')}"}
    assert ask("?reason=no_route", headers=as_ana).status_code == 403
    assert letters.get("/api/dead-letters/replay", "ana").status_code == 403
    assert ask("?reason=no_route", headers={}).status_code == 401
    for query in ("", "?limit=5", "?by=reason", "?reason=no_route&by=topic", "?reason=bad_jsn"):
        answer = ask(query)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), query
    answer = ask("?reason=no_route", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert states() == {}
    page = ask("?topic=seano/%23&limit=1")
    assert (page.status_code, page.json()["asked"]) == (202, 1) and page.json()["cursor"]
    rest = ask(f"?topic=seano/%23&limit=1&cursor={page.json()['cursor']}")
    assert rest.json() == {"asked": 1, "cursor": None}
    wait_until(lambda: states() == {"stored": 1, "unknown_vehicle": 1}, "both to come to an end")
    assert database.value("SELECT count(*) FROM raw_logs WHERE logs = 'lost at sea'") == 1
    assert ask("?device=nobody").json() == {"asked": 0, "cursor": None}


def test_what_is_of_no_use_is_forgotten(letters, database):
    """As `discard`: one, or all of a filter, by admins, and not without one."""
    def discard(path, name="root"):
        headers = {"Authorization": f"Bearer {letters.token(name)}"} if name else {}
        answer = requests.delete(f"{letters.url}/api/dead-letters{path}", headers=headers, timeout=PATIENCE)
        document_says(letters, "/api/dead-letters" + ("/{id}" if path.startswith("/") else ""), "delete", answer)
        return answer
    letters.openapi = letters.get("/api/openapi.json").json()
    everything = [letter["id"] for letter in letters.get("/api/dead-letters", "root").json()["items"]]
    one = everything[0]
    assert (discard(f"/{one}", None).status_code, discard(f"/{one}", "ana").status_code, discard("?reason=bad_json", "ana").status_code) == (401, 403, 403)
    for query in ("", "?limit=5", "?reason=bad_json&by=reason"):
        assert discard(query).status_code == 400, query
    assert database.value(LETTERS) == len(everything)
    assert (discard(f"/{one}").json(), discard(f"/{one}").status_code, discard("/0").status_code) == ({"id": one, "state": "discarded"}, 404, 404)
    assert letters.get(f"/api/dead-letters/{one}", "root").status_code == 404
    first = discard("?to=0s&limit=1").json()
    assert first["discarded"] == 1 and first["cursor"]
    rest = discard(f"?to=0s&cursor={first['cursor']}").json()
    assert rest == {"discarded": len(everything) - 2, "cursor": None} and database.value(LETTERS) == 0
    assert "managed action=letters_discard" in letters.log() and f"managed action=letter_discard id={one}" in letters.log()


@pytest.mark.parametrize("query, name", [
    ("reason=bad_json&since=2030-01-01T00:00:00Z", "since"), ("topic=ems/%23&Reason=no_route", "Reason"),
    ("reason=bad_json&devices=dev-1&topic=%23", "devices"), ("reason=bad_json&_=17", "_"),
    ("topic=%23&topic=a/b", "topic"), ("topic=%23&" + "x" * 70, "x" * 64)])
def test_what_is_not_understood_widens_nothing(letters, database, query, name):
    """A name that is none here: nothing is discarded, replayed or shown as if it had not been there."""
    headers = {"Authorization": f"Bearer {letters.token('root')}"}
    letters.openapi = letters.get("/api/openapi.json").json()
    for method, path in (("DELETE", ""), ("POST", "/replay"), ("GET", ""), ("GET", "/notes")):
        answer = requests.request(method, f"{letters.url}/api/dead-letters{path}?{query}", headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), method
        assert answer.json()["detail"].startswith(f"'{name}': "), answer.text
        document_says(letters, f"/api/dead-letters{path}", method.lower(), answer)
    assert (database.value(LETTERS), database.value("SELECT count(*) FROM replays")) == (4, 0)


@pytest.mark.parametrize("name", ["reason", "topic", "device", "from", "to", "limit", "cursor"])
def test_a_value_that_is_empty_widens_nothing(letters, database, name):
    """As of a variable that is not set; a list that is only shown takes it as not said."""
    headers = {"Authorization": f"Bearer {letters.token('root')}"}
    query = f"{'topic=%23' if name == 'reason' else 'reason=bad_json'}&{name}="
    for method, path in (("DELETE", ""), ("POST", "/replay")):
        answer = requests.request(method, f"{letters.url}/api/dead-letters{path}?{query}", headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), method
        assert answer.json()["detail"].startswith(f"{name} '': allowed: "), answer.text
    assert (database.value(LETTERS), database.value("SELECT count(*) FROM replays")) == (4, 0)
    assert letters.get(f"/api/dead-letters?{query}", "root").status_code == 200


def test_one_letter_takes_no_filter(letters, database):
    headers = {"Authorization": f"Bearer {letters.token('root')}"}
    letters.openapi = letters.get("/api/openapi.json").json()
    one = letters.get("/api/dead-letters", "root").json()["items"][0]["id"]
    for method, path in (("DELETE", ""), ("POST", "/replay")):
        answer = requests.request(method, f"{letters.url}/api/dead-letters/{one}{path}?reason=no_route", headers=headers,
                                  timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), method
        assert answer.json()["detail"].startswith("'reason': "), answer.text
        document_says(letters, f"/api/dead-letters/{{id}}{path}", method.lower(), answer)
    assert (database.value(LETTERS), database.value("SELECT count(*) FROM replays")) == (4, 0)
