"""A subscription outlives the targets that go while its page is there, or away, and ends alone when none is left."""
import pytest
from test_native_protocol import native  # noqa: F401
from waiting import wait_until

HERS, LENT, NONE = "vehicle/USV-1", "vehicle/USV-2", "vehicle/id:999999"


@pytest.fixture
def lent(gateway, native):  # noqa: F811
    gateway.cli("vehicle", "share", "USV-2", "--user", "ana")
    ana = native("ana")
    wait_until(lambda: ana.ask("subscribe", to=[LENT])["ok"], "the share")
    ana.ask("unsubscribe", subscription="s1")
    return gateway.ids["USV-2"]


def take_back(gateway):
    gateway.database.rows("DELETE FROM shares")


def whole(viewer):
    while True:
        frame = viewer.push("snapshot")
        if frame.get("complete"):
            return frame


def test_the_last_target_takes_its_subscription_and_nothing_else(gateway, native, broker, lent):  # noqa: F811
    ana = native("ana")
    names = [ana.ask("subscribe", to=to, gone="tell", set=True)["subscription"] for to in ([LENT], [LENT, HERS], [HERS])]
    for _ in names:
        whole(ana)
    take_back(gateway)
    left = [ana.push("left", "over") for _ in range(3)]
    assert sorted((one["type"], one["subscription"]) for one in left) == [
        ("left", names[0]), ("left", names[1]), ("over", names[0])]
    assert {(one["vehicle_id"], one["reason"]) for one in left if one["type"] == "left"} == {(lent, "right")}
    over = next(one for one in left if one["type"] == "over")
    assert (over["error"]["code"], over["error"]["retry"]) == ("not_found", False)
    assert left.index(over) > next(i for i, one in enumerate(left) if one["subscription"] == names[0])
    assert ana.ask("unsubscribe", subscription=names[0])["error"]["code"] == "not_found"
    broker.publish("seano/USV-1/raw_log", "goes on")
    assert ana.push("raw_log")["data"] == "goes on"


@pytest.mark.parametrize("members", [{"set": True}, {}], ids=["with a set", "without"])
def test_a_socket_that_has_nothing_left_stays_open(gateway, native, broker, lent, members):  # noqa: F811
    ana = native("ana")
    ana.ask("subscribe", to=[LENT], gone="tell", **members)
    take_back(gateway)
    assert ana.push("over")["subscription"] == "s1"
    assert ana.ask("subscribe", to=[HERS], gone="tell")["ok"]
    broker.publish("seano/USV-1/raw_log", "again")
    assert ana.push("raw_log")["data"] == "again"


def test_who_says_nothing_of_it_is_closed_as_ever(gateway, native, lent):  # noqa: F811
    ana = native("ana")
    assert ana.ask("subscribe", to=[LENT], set=True)["ok"]
    take_back(gateway)
    assert ana.wait_closed()[0] == 4004


def test_who_comes_back_is_left_with_the_others_and_the_set_says_so(gateway, native, lent):  # noqa: F811
    ana = native("ana")
    assert ana.ask("subscribe", to=[HERS, LENT], gone="tell", set=True)["ok"]
    before = whole(ana)
    assert lent in before["vehicle_ids"]
    ana.close()
    take_back(gateway)
    wait_until(lambda: not native("ana").ask("subscribe", to=[LENT])["ok"], "the loss")
    back = native("ana")
    wish = {"set": before["set"], "since": before["cursor"]}
    assert back.ask("subscribe", to=[HERS, LENT], gone="tell", **wish)["error"]["code"] == "not_found"
    assert back.ask("subscribe", to=[HERS, LENT], gone="skip", **wish)["recovered"] is True
    assert whole(back)["vehicle_ids"] == [gateway.ids["USV-1"]]


def test_what_is_anothers_is_passed_over_as_what_is_not_there(native, gateway):  # noqa: F811
    ana, other = native("ana"), f"vehicle/{gateway.ids['USV-2']}"
    answers = [ana.ask("subscribe", to=to, gone="skip", set=True)
               for to in ([HERS, other], [HERS, NONE], [other], [NONE], [HERS, "ships"])]
    for one in answers:
        one.pop("id")
        one.pop("subscription", None)
        one.pop("cursor", None)
    assert answers[0] == answers[1] and answers[0]["ok"]
    assert answers[2] == answers[3] and answers[2]["error"]["code"] == "not_found"
    assert answers[4]["error"]["code"] == "bad_request"
    sets = [whole(ana) for _ in range(2)]
    assert sets[0]["vehicle_ids"] == sets[1]["vehicle_ids"] == [gateway.ids["USV-1"]]
    assert ana.ask("subscribe", to=[HERS], gone="always")["error"]["code"] == "bad_request"


def test_a_move_may_bring_what_has_gone(native, gateway):  # noqa: F811
    ana = native("ana")
    ana.ask("subscribe", to=[HERS], set=True)
    assert ana.ask("move", subscription="s1", to=[HERS, NONE])["error"]["code"] == "not_found"
    assert ana.ask("move", subscription="s1", to=[HERS, NONE], gone="skip")["ok"]
    assert ana.ask("move", subscription="s1", to=[NONE], gone="skip")["error"]["code"] == "not_found"


def test_a_playback_of_what_goes_is_over_too(gateway, native, broker, lent):  # noqa: F811
    ana = native("ana")
    broker.publish("seano/USV-2/raw_log", "was")
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 1)
    at = gateway.database.rows("SELECT received_at FROM raw_logs")[0][0].isoformat()
    assert ana.ask("subscribe", to=[LENT], at=at, rate=0.1, gone="tell")["replay"] is True
    take_back(gateway)
    assert ana.push("over")["subscription"] == "s1"
    assert ana.ask("ping")["ok"]


def test_a_playback_that_is_held_is_over_as_one_that_plays(gateway, native, broker, lent):  # noqa: F811
    ana = native("ana")
    broker.publish("seano/USV-2/raw_log", "was")
    gateway.database.wait_for("SELECT count(*) FROM raw_logs", 1)
    gateway.database.rows("SELECT tidegate_make_partitions((now() - interval '1 minute')::date, now()::date)")
    at = gateway.database.rows("SELECT received_at - interval '1 minute' FROM raw_logs")[0][0].isoformat()  # far from now
    held = ana.ask("subscribe", to=[LENT], at=at, rate=0.1, gone="tell")["subscription"]
    assert ana.ask("pause", subscription=held)["ok"]
    take_back(gateway)
    assert ana.push("over")["subscription"] == held
    assert ana.ask("seek", subscription=held)["error"]["code"] == "not_found"


def test_who_named_nothing_is_not_told_that_others_lose_theirs(gateway, native, lent):  # noqa: F811
    ana = native("ana")
    empty = ana.ask("subscribe", to=[], gone="tell")["subscription"]
    moved = ana.ask("subscribe", to=[HERS], gone="tell")["subscription"]
    assert ana.ask("move", subscription=moved, to=[])["ok"]
    last = ana.ask("subscribe", to=[LENT], gone="tell")["subscription"]
    take_back(gateway)
    assert ana.push("over")["subscription"] == last
    assert ana.quiet()
    assert all(ana.ask("unsubscribe", subscription=name)["ok"] for name in (empty, moved))


def test_streams_and_polls_pass_over_what_has_gone(gateway):
    token = {"Authorization": f"Bearer {gateway.token('ana')}"}
    for path in ("/api/events", "/api/events/poll"):
        for more, status in (("", 404), ("&gone=tell", 404), ("&gone=skip", 200), ("&gone=maybe", 400)):
            answer = gateway.get(f"{path}?to={HERS},{NONE}&set=1&wait=0{more}" if "poll" in path
                                 else f"{path}?to={HERS},{NONE}&set=1{more}", headers=token, stream=True)
            assert answer.status_code == status, (path, more)
            answer.close()
        assert gateway.get(f"{path}?to={NONE},{NONE}&gone=skip", headers=token).status_code == 404
    answer = gateway.get(f"/api/events/poll?to={HERS},{NONE}&set=1&wait=0&gone=skip", headers=token).json()
    assert [one["vehicle_ids"] for one in answer["events"]] == [[gateway.ids["USV-1"]]]
