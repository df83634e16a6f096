"""What is in a subscription's set is told by streams and polls as by the native protocol (docs/protocol.md, 4, The set)."""
import json

import pytest

from test_event_streams import events  # noqa: F401

BOX = "bbox=106,-7,107,-6"
INSIDE, OUTSIDE = (-6.5, 106.5), (10, 20)


@pytest.fixture
def place(broker):
    def at(code, where):
        broker.publish(f"seano/{code}/vehicle_log", json.dumps({"latitude": where[0], "longitude": where[1]}))

    return at


def poll(gateway, query, user="ana"):
    return gateway.get(f"/api/events/poll?{query}", user)


def test_stream_names_what_enters_and_what_leaves(gateway, events, place):  # noqa: F811
    ana = events("ana", f"?to=vehicle/*&set=1&{BOX}")
    assert ana.next()[1] == "subscribed"
    cursor, event, whole = ana.next()
    assert event == "snapshot" and whole["complete"] and whole["vehicle_ids"] == [] and cursor == whole["cursor"]
    place("USV-1", INSIDE)
    _, event, entered = ana.next()
    assert event == "snapshot" and entered["vehicle_ids"] == [gateway.ids["USV-1"]] and not entered["complete"]
    assert ana.next()[1] == "vehicle_log"
    place("USV-1", OUTSIDE)
    cursor, event, left = ana.next()
    assert event == "left" and cursor == left["cursor"]
    assert (left["vehicle_id"], left["reason"], left["set"]) == (gateway.ids["USV-1"], "box", whole["set"])


def follow(stream, names, wanted):
    """Reads until the set is @wanted; the last id, and whether a whole came."""
    cursor, had_whole = None, False
    while names != wanted:
        cursor, event, data = stream.next()
        if event == "snapshot":
            names = set(data["vehicle_ids"]) | (set() if data["complete"] else names)
            had_whole |= data["complete"]
        elif event == "left":
            names = names - {data["vehicle_id"]}
    return cursor, had_whole


def test_stream_that_comes_back_has_the_whole_again(gateway, events, database):  # noqa: F811
    one, other = gateway.ids["USV-1"], gateway.ids["USV-2"]
    database.rows("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)", gateway.ids["ana"], other)
    ana = events("ana", "?to=vehicle/*&set=1")
    cursor, _ = follow(ana, set(), {one, other})
    ana.close()
    database.rows("DELETE FROM shares")
    again = events("ana", "?to=vehicle/*&set=1", last_event_id=cursor)
    assert follow(again, {one, other}, {one})[1]


def test_poll_is_told_once_and_then_what_changes(gateway, place):
    first = poll(gateway, f"to=vehicle/*&set=1&wait=0&{BOX}").json()
    assert [(one["type"], one["complete"]) for one in first["events"]] == [("snapshot", True)]
    quiet = poll(gateway, f"to=vehicle/*&wait=0&{BOX}&since={first['cursor']}&set={first['set']}")
    assert quiet.status_code == 204
    place("USV-1", INSIDE)
    moved = poll(gateway, f"to=vehicle/*&{BOX}&since={first['cursor']}&set={first['set']}").json()
    named = [one for one in moved["events"] if one["type"] == "snapshot"]
    assert named and named[-1]["vehicle_ids"] == [gateway.ids["USV-1"]]
    assert moved["set"] != first["set"]
    quiet = poll(gateway, f"to=vehicle/*&wait=0&{BOX}&since={moved['cursor']}&set={moved['set']}")
    assert quiet.status_code == 204


def test_poll_hears_of_a_right_that_went_between_two(gateway, database):
    gateway.database.rows("INSERT INTO shares (user_id, vehicle_id) VALUES (%s, %s)", gateway.ids["ana"],
                          gateway.ids["USV-2"])
    both = sorted((gateway.ids["USV-1"], gateway.ids["USV-2"]))
    had = {"set": "1", "cursor": None}
    names = []
    while names != both:
        since = f"&since={had['cursor']}" if had["cursor"] else ""
        had = poll(gateway, f"to=vehicle/*&set={had['set']}{since}").json()
        for one in had["events"]:
            names = sorted(one["vehicle_ids"] if one["complete"] else names + one["vehicle_ids"])
    database.rows("DELETE FROM shares")
    while names == both:
        had = poll(gateway, f"to=vehicle/*&set={had['set']}&since={had['cursor']}").json()
        for one in had["events"]:
            if one["type"] == "left":
                assert one["reason"] == "right"
                names.remove(one["vehicle_id"])
            else:
                names = sorted(one["vehicle_ids"] if one["complete"] else names + one["vehicle_ids"])
    assert names == [gateway.ids["USV-1"]]
