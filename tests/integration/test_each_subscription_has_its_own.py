"""What one subscription of a socket resumes, or is not sent, is not taken for another one's (decision 077)."""
import json

from conftest import populate
from servers import SLOW
from test_native_protocol import Native
from waiting import PATIENCE, wait_until

BOX = [0, 0, 10, 10]
INSIDE, OUTSIDE = "USV-1", "USV-2"


def publish(publisher, first, last):
    for n in range(first, last):
        publisher.publish(f"seano/{INSIDE}/vehicle_log", json.dumps({"latitude": 5, "longitude": 5, "battery_voltage": n}))
        publisher.publish(f"seano/{OUTSIDE}/vehicle_log", json.dumps({"latitude": 50, "longitude": 5, "battery_voltage": n}))
    publisher.flush()


def taken(viewer, name):
    """What a page takes for subscription @name, and for which things, until its set is whole and from then on."""
    is_known, things, before, after = False, None, [], []
    for frame in map(json.loads, viewer.frames):
        if frame.get("ok") and frame.get("subscription") == name and "recovered" in frame:
            is_known = True
        elif frame.get("type") == "snapshot" and frame["subscription"] == name and frame["complete"]:
            things = set(frame["vehicle_ids"])
        elif is_known and "persisted" in frame and name in frame.get("subscriptions", [name]):
            if things is None:
                before.append((frame["vehicle_id"], frame["data"]["battery_voltage"]))
            elif frame["vehicle_id"] in things:
                after.append((frame["vehicle_id"], frame["data"]["battery_voltage"]))
    return before, after, things


def test_a_box_gets_nothing_of_what_is_outside_before_its_set_is_whole(make_gateway, publisher):
    gateway = make_gateway(ws__replay_events=50)
    populate(gateway)
    gateway.start()
    root = Native(gateway, gateway.token("root"))
    begin = root.push("welcome")["cursor"]
    assert root.ask("subscribe", to=["vehicle/*"])["subscription"] == "s1"
    publish(publisher, 0, 600)
    gateway.database.wait_for("SELECT count(*) FROM vehicle_logs", 1200)
    root.send({"op": "subscribe", "id": 99, "to": ["vehicle/*"], "bbox": BOX, "set": True, "since": begin})
    publish(publisher, 600, 700)
    inside = gateway.ids[INSIDE]
    wait_until(lambda: sum(map(len, taken(root, "s2")[:2])) >= 700, "all of it", PATIENCE * SLOW)
    before, after, things = taken(root, "s2")
    assert things == {inside}
    assert before + after == [(inside, n) for n in range(700)]
    assert len(before) >= 600
    live = [frame for frame in map(json.loads, root.frames)
            if "persisted" in frame and "s1" in frame.get("subscriptions", ["s1"])
            and frame["data"]["battery_voltage"] >= 600]
    assert len(live) == 200, "the wide one has each once"
    root.close()


def test_a_move_that_is_refused_changes_nothing(gateway, broker):
    ana = Native(gateway, gateway.token("ana"))
    assert ana.ask("subscribe", to=["vehicle/*"], bbox=BOX, set=True)["subscription"] == "s1"
    elsewhere = [50, 50, 60, 60]
    for wish, code in (({"to": ["vehicle/USV-2"]}, "not_found"), ({"to": ["vehicle/*", "ships"]}, "bad_request"),
                       ({"max_hz": -1}, "bad_request"), ({"bbox": [0, 0, 0]}, "bad_request")):
        assert ana.ask("move", **{"subscription": "s1", "bbox": elsewhere, **wish})["error"]["code"] == code
    broker.publish(f"seano/{INSIDE}/vehicle_log", json.dumps({"latitude": 5, "longitude": 5}))
    assert ana.push("snapshot")["complete"] is True
    assert ana.push("snapshot")["vehicle_ids"] == [gateway.ids[INSIDE]]
    assert ana.push("vehicle_log")["data"]["latitude"] == 5
    assert ana.ask("move", subscription="s1", bbox=elsewhere)["subscription"] == "s1"
    assert ana.push("left")["reason"] == "box"
    ana.close()
