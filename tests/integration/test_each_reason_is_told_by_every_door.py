"""Whatever takes a thing out of a set is told with its reason, natively, by streams and by polls (docs/protocol.md, 4, The set)."""
import contextlib
import json
import threading

import pytest
import requests

from test_event_streams import Events
from test_native_protocol import Native
from waiting import wait_until

BOX = [106, -7, 107, -6]
INSIDE, OUTSIDE = (-6.5, 106.5), (10, 20)


class Set:
    """What one door has told of one set, in order."""

    def __init__(self):
        self.frames, self.names, self.refused = [], None, None

    def take(self, frame):
        self.frames.append(frame)
        if frame["type"] == "snapshot":
            named = {("vehicle_id", n) for n in frame["vehicle_ids"]} | {("device_id", n) for n in frame["device_ids"]}
            self.names = named | (set() if frame["complete"] else self.names)
        elif frame["type"] == "left":
            self.names = self.names - {thing_of(frame)}


def thing_of(frame):
    return next((name, frame[name]) for name in ("vehicle_id", "device_id") if name in frame)


def by_socket(gateway, user, to, bbox, told):
    socket = Native(gateway, gateway.token(user))
    socket.send({"op": "subscribe", "id": 1, "to": to, "set": True, **({"bbox": bbox} if bbox else {})})

    def read():
        with contextlib.suppress(AssertionError):
            while True:
                frame = socket.next_json()
                if "type" in frame and frame["type"] not in ("welcome", "progress"):
                    told.take(frame)

    threading.Thread(target=read, daemon=True).start()
    return socket.close


def query(to, bbox):
    return f"to={','.join(to)}" + (f"&bbox={','.join(map(str, bbox))}" if bbox else "")


def by_stream(gateway, user, to, bbox, told):
    events = Events(gateway, user, f"?set=1&{query(to, bbox)}")

    def read():
        with contextlib.suppress(AssertionError):
            while True:
                _, event, data = events.next()
                if event not in ("subscribed", "progress"):
                    told.take(data)

    threading.Thread(target=read, daemon=True).start()
    return events.close


def by_poll(gateway, user, to, bbox, told):
    is_over = threading.Event()

    def read():
        had = "&set=1"
        while not is_over.is_set():
            answer = gateway.get(f"/api/events/poll?wait=5&{query(to, bbox)}{had}", user)
            if answer.status_code == 204:
                continue
            body = answer.json()
            if answer.status_code != 200:
                told.refused = body["code"]
                return
            for frame in body["events"]:
                told.take(frame)
            had = f"&set={body['set']}&since={body['cursor']}" if body["cursor"] else "&set=1"

    def poll():
        with contextlib.suppress(requests.RequestException):
            read()

    threading.Thread(target=poll, daemon=True).start()
    return is_over.set


DOORS = {"native": by_socket, "stream": by_stream, "poll": by_poll}


@pytest.fixture
def look(gateway):
    """look(door, to, bbox) -> the Set that ana is told of."""
    ends = []

    def begin(door, to, bbox=None):
        told = Set()
        ends.append(DOORS[door](gateway, "ana", to, bbox, told))
        wait_until(lambda: told.names is not None, "the whole set")
        return told

    yield begin
    for end in ends:
        end()


def place(broker, kind, code, where):
    at = {"latitude": where[0], "longitude": where[1]}
    if kind == "vehicle":
        broker.publish(f"seano/{code}/vehicle_log", json.dumps(at))
    else:
        broker.publish(f"devices/{code}/status", json.dumps({"status": "online", **at}))


CODES = {"vehicle": ("USV-1", "USV-2"), "device": ("dev-1", "dev-2")}


def left(told, kind, thing, reason):
    wait_until(lambda: any(one["type"] == "left" and thing_of(one) == thing for one in told.frames), f"{kind} to leave")
    one = next(one for one in told.frames if one["type"] == "left" and thing_of(one) == thing)
    assert one["reason"] == reason and ":" in one["cursor"], one
    return told.frames.index(one)


def nothing_follows(told, since, thing, others):
    """Nothing of it comes behind its end, and the others go on."""
    others()
    wait_until(lambda: any(one["type"] != "left" for one in told.frames[since + 1:]), "what goes on")
    behind = told.frames[since + 1:]
    assert not [one for one in behind if one["type"] != "snapshot" and thing_of(one) == thing], behind


@pytest.mark.parametrize("kind", ["vehicle", "device"])
@pytest.mark.parametrize("door", DOORS)
def test_what_goes_out_of_a_box(gateway, broker, look, door, kind):
    code = CODES[kind][0]
    thing = (f"{kind}_id", gateway.ids[code])
    told = look(door, ["user"], BOX)
    assert told.names == set()
    place(broker, kind, code, INSIDE)
    wait_until(lambda: told.names == {thing}, "it to come in")
    place(broker, kind, code, OUTSIDE)
    at = left(told, kind, thing, "box")
    place(broker, kind, code, OUTSIDE)
    other = CODES["device" if kind == "vehicle" else "vehicle"][0]
    nothing_follows(told, at, thing, lambda: place(broker, "device" if kind == "vehicle" else "vehicle", other, INSIDE))
    place(broker, kind, code, INSIDE)
    wait_until(lambda: thing in told.names, "it to come back")


@pytest.mark.parametrize("kind", ["vehicle", "device"])
@pytest.mark.parametrize("door", DOORS)
def test_what_one_may_not_see_any_more(gateway, broker, database, look, door, kind):
    mine, code = CODES[kind]
    thing = (f"{kind}_id", gateway.ids[code])
    gateway.cli(kind, "share", code, "--user", "ana")
    told = look(door, [f"{kind}/*"])
    wait_until(lambda: thing in told.names, "the share")
    database.rows("DELETE FROM shares")
    at = left(told, kind, thing, "right")

    def go_on():
        place(broker, kind, code, INSIDE)
        place(broker, kind, mine, INSIDE)

    nothing_follows(told, at, thing, go_on)
    gateway.cli(kind, "share", code, "--user", "ana")
    wait_until(lambda: thing in told.names, "the share again")


@pytest.mark.parametrize("kind", ["vehicle", "device"])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_deleted(gateway, broker, look, door, kind):
    code = f"{kind}-of-today"
    (gateway.add_vehicle if kind == "vehicle" else gateway.add_device)(code, "ana")
    thing = (f"{kind}_id", gateway.database.value(f"SELECT id FROM {kind}s WHERE code = %s", code))
    told = look(door, [f"{kind}/*"])
    wait_until(lambda: thing in told.names, "the new one")
    gateway.cli(kind, "delete", code)
    at = left(told, kind, thing, "deleted")
    nothing_follows(told, at, thing, lambda: place(broker, kind, CODES[kind][0], INSIDE))


@pytest.fixture
def hall(gateway):
    gateway.cli("group", "add", "hall", "dev-1", "dev-2")
    gateway.cli("group", "share", "hall", "--user", "ana")
    return gateway.database.value("SELECT id FROM groups WHERE name = 'hall'")


@pytest.mark.parametrize("door", DOORS)
def test_what_leaves_a_group(gateway, broker, look, hall, door):
    """Her own leaves the group alone; another's that she saw by it she may not see any more, either."""
    one, other = [("device_id", gateway.ids[code]) for code in CODES["device"]]
    told = look(door, [f"group/{hall}"])
    wait_until(lambda: told.names == {one, other}, "the group")
    gateway.cli("group", "remove", "hall", "dev-1")
    at = left(told, "device", one, "group")
    nothing_follows(told, at, one, lambda: place(broker, "device", "dev-2", INSIDE))
    gateway.cli("group", "add", "hall", "dev-1")
    wait_until(lambda: told.names == {one, other}, "the group again")
    gateway.cli("group", "remove", "hall", "dev-2")
    at = left(told, "device", other, "right")
    nothing_follows(told, at, other, lambda: place(broker, "device", "dev-1", INSIDE))


@pytest.mark.parametrize("door", DOORS)
def test_a_group_that_is_deleted_beside_other_targets(gateway, broker, look, hall, door):
    """Its things go, and what else is looked at stays."""
    one, other = [("device_id", gateway.ids[code]) for code in CODES["device"]]
    vehicle = ("vehicle_id", gateway.ids["USV-1"])
    told = look(door, [f"group/{hall}", "vehicle/*"])
    wait_until(lambda: told.names == {one, other, vehicle}, "the whole")
    gateway.cli("group", "delete", "hall")
    at = left(told, "device", one, "group")
    left(told, "device", other, "right")
    nothing_follows(told, at, one, lambda: place(broker, "vehicle", "USV-1", INSIDE))


def ends_of(gateway, door, target, user):
    """How a viewer of @target alone is told that there is no such any more; called once it has begun."""
    if door == "native":
        socket = Native(gateway, gateway.token(user))
        assert socket.ask("subscribe", to=[target])["ok"]
        return lambda: socket.wait_closed()[0]
    if door == "stream":
        events = Events(gateway, user, f"?to={target}")
        assert events.next()[1] == "subscribed"
        return lambda: (events.next()[2]["code"], wait_until(lambda: events.is_over, "the end"))[0]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(gateway.get(f"/api/events/poll?wait=50&to={target}", user)))
    thread.start()
    wait_until(lambda: gateway.metric("tidegate_ws_connections", dialect="poll") == 1, "the poll")
    return lambda: (thread.join(), answers[0].status_code, answers[0].json()["code"])[1:]


ENDS = {"native": 4004, "stream": 4004, "poll": (404, "not_found")}


@pytest.mark.parametrize("what", ["group", "empty group", "device", "vehicle"])
@pytest.mark.parametrize("door", DOORS)
def test_the_only_target_is_deleted(gateway, door, what):
    """A socket that has nothing else left is closed; and nobody may ask for what there is not."""
    kind, code = what.split()[-1], "of-today"
    if kind == "group":
        gateway.cli("group", "add", code, "dev-1")
        if what == "empty group":
            gateway.cli("group", "remove", code, "dev-1")
    else:
        (gateway.add_vehicle if kind == "vehicle" else gateway.add_device)(code, "ana")
    user = "root" if kind == "group" else "ana"  # which groups there are is for admins
    name = {"group": "name"}.get(kind, "code")
    thing = gateway.database.value(f"SELECT id FROM {kind}s WHERE {name} = %s", code)
    target = f"{kind}/id:{thing}"
    wait_until(lambda: gateway.get(f"/api/events/poll?wait=0&to={target}", user).status_code != 404, "it to be known")
    how = ends_of(gateway, door, target, user)
    gateway.cli(kind, "delete", code)
    assert how() == ENDS[door]
    assert gateway.get(f"/api/events/poll?wait=0&to={target}", user).status_code == 404
    socket = Native(gateway, gateway.token(user))
    assert socket.ask("subscribe", to=[target])["error"]["code"] == "not_found"
    assert socket.ask("subscribe", to=["user"])["ok"]
    assert socket.ask("move", subscription="s1", to=[target])["error"]["code"] == "not_found"
    socket.close()


def test_which_groups_there_are_is_not_told_to_who_sees_nothing_of_them(gateway, hall):
    """One that he sees nothing of, and one that is not there."""
    gateway.cli("group", "remove", "hall", "dev-2")
    answers = []
    for group in hall, hall + 1000:
        socket = Native(gateway, gateway.token("ben"))
        answers.append({key: value for key, value in socket.ask("subscribe", to=[f"group/{group}"], set=True).items() if key != "cursor"})
        answers.append(gateway.get(f"/api/events/poll?wait=0&to=group/{group}", "ben").status_code)
        socket.close()
    assert answers[:2] == answers[2:] and answers[0]["ok"]
