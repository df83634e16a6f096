"""Which commands were sent, and what became of them: for who sees their devices."""
import pytest
import requests

from commanding import command
from conftest import populate
from test_api_documents import check as document_says
from waiting import PATIENCE, wait_until


@pytest.fixture
def gateway(make_gateway):
    """One that publishes nothing: what is sent stays accepted."""
    gateway = make_gateway(commands__topics="", commands__timeout="10m")
    populate(gateway)
    gateway.start()
    gateway.openapi = gateway.get("/api/openapi.json").json()
    return gateway


def listed(gateway, user, query="", status=200):
    answer = requests.get(f"{gateway.url}/api/commands?{query}", timeout=PATIENCE,
                          headers={"Authorization": f"Bearer {gateway.token(user)}"} if user else {})
    document_says(gateway, "/api/commands", "get", answer)
    assert answer.status_code == status, answer.text
    return answer.json()


def listed_by_the_rights_of_now(gateway, user):
    """As who has just lost a right: an answer during which it was lost is withheld, and he is told to ask again."""
    def ask():
        answer = gateway.get("/api/commands", user)
        withheld = answer.status_code == 503 and answer.json()["code"] == "rights_changed"
        assert withheld or answer.status_code == 200, answer.text
        return None if withheld else answer

    return wait_until(ask, "an answer by the rights of now").json()


def ids(page):
    return [one["command_id"] for one in page["items"]]


def test_each_sees_those_to_his_devices_the_newest_first(gateway, database):
    first, second = command(gateway, action="A"), command(gateway, user="root", action="B", payload={"n": 1})
    others = command(gateway, user="ben", device="dev-2")
    page = listed(gateway, "ana")
    assert (ids(page), page["cursor"]) == ([second, first], None)
    one = page["items"][0]
    assert (one["action"], one["payload"], one["user"], one["device_code"], one["state"]) == ("B", {"n": 1}, "root", "dev-1", "accepted")
    del one["user"]
    assert one == gateway.get(f"/api/commands/{second}", "ana").json()
    assert ids(listed(gateway, "ben")) == [others]
    assert ids(listed(gateway, "root")) == [others, second, first]
    listed(gateway, None, status=401)
    database.rows("INSERT INTO shares (user_id, device_id) VALUES (%s, %s)", gateway.ids["ben"], gateway.ids["dev-1"])
    assert ids(listed(gateway, "ben")) == [others, second, first]
    database.rows("DELETE FROM shares")
    assert ids(listed_by_the_rights_of_now(gateway, "ben")) == [others]
    database.rows("DELETE FROM users WHERE username = 'root'")
    wait_until(lambda: [one["user"] for one in listed(gateway, "ana")["items"]] == [None, "ana"], "root to be gone")


def test_pages_have_each_once_and_go_by_device_and_state(gateway):
    sent = [command(gateway, user="root", device=f"dev-{1 + n % 2}", action=f"N{n}", idempotency_key=f"k{n}") for n in range(7)]
    answer = requests.delete(f"{gateway.url}/api/commands/{sent[2]}", timeout=PATIENCE,
                             headers={"Authorization": f"Bearer {gateway.token('root')}"})
    assert answer.status_code == 200
    pages, query = [], "limit=3"
    while True:
        page = listed(gateway, "root", query)
        pages.append(ids(page))
        if page["cursor"] is None:
            break
        command(gateway, user="root", action="between")
        query = f"limit=3&cursor={page['cursor']}"
    assert [len(page) for page in pages] == [3, 3, 1] and sum(pages, []) == sent[::-1]
    assert ids(listed(gateway, "root", "device_id=dev-2")) == [sent[5], sent[3], sent[1]]
    assert ids(listed(gateway, "root", f"device_id={gateway.ids['dev-2']}&limit=1")) == [sent[5]]
    assert ids(listed(gateway, "root", "state=cancelled")) == [sent[2]]
    assert listed(gateway, "root", "state=cancelled")["items"][0]["message"] == "cancelled by who sent it"
    assert sent[2] not in ids(listed(gateway, "root", "state=accepted"))
    assert ids(listed(gateway, "ana", "state=done")) == []


def test_a_page_is_no_larger_than_somebody_takes(gateway):
    sent = [command(gateway, user="root", payload={"text": f"{n}" * 600_000}) for n in range(3)]
    page = listed(gateway, "ana")
    assert ids(page) == [sent[2], sent[1]]
    assert ids(listed(gateway, "ana", f"cursor={page['cursor']}")) == [sent[0]]


@pytest.mark.parametrize("query, status, code", [
    ("state=lost", 400, "bad_parameter"), ("state=" + "x" * 99, 400, None), ("limit=0", 400, "bad_parameter"), ("limit=1001", 400, "bad_parameter"),
    ("cursor=x", 400, "bad_cursor"), ("cursor=1.%ff", 400, "bad_request"), ("cursor=.a", 400, "bad_cursor"), ("cursor=0.a", 400, "bad_cursor"), ("cursor=99999999999999999999.a", 400, "bad_cursor"),
    ("device_id=dev-2", 404, None), ("device_id=nothing", 404, None)])
def test_what_cannot_be_asked_is_told(gateway, query, status, code):
    answer = listed(gateway, "ana", query, status)
    assert code is None or answer["code"] == code
