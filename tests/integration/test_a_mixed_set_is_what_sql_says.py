"""Vehicles and devices, groups and shares, boxes and rates, natively, by streams and by polls: whatever happens to them, and to
who looks at them, each set is what SQL says after each quiet moment.

    TIDEGATE_MIXED="seed=7 rounds=40 pages=30"        # a longer one
"""
import contextlib
import json
import os
import random

import pytest
import requests

from test_event_streams import Events
from viewers import Viewer
from waiting import PATIENCE, wait_until

SHORT = {"seed": 1, "rounds": 6, "pages": 9, "things": 20, "users": 3}
WIDE = 10
KINDS = ("vehicle", "device")


def chosen():
    words = (word.split("=") for word in os.environ.get("TIDEGATE_MIXED", "").split())
    return {**SHORT, **{name: int(value) for name, value in words}}


class Told:
    """What a client keeps of a set."""

    def __init__(self):
        self.names, self.parts, self.cursor, self.set = set(), set(), None, None

    def take(self, frame):
        kind = frame["type"]
        if kind == "snapshot":
            self.parts |= {(name, n) for name in KINDS for n in frame[f"{name}_ids"]}
            if frame["done"]:
                self.names = self.parts | (set() if frame["complete"] else self.names)
                self.parts = set()
        elif kind == "left":
            self.names -= {(name, frame[f"{name}_id"]) for name in KINDS if f"{name}_id" in frame}
        if kind in ("snapshot", "left") and frame.get("done", True):
            self.set = frame.get("set")
        self.cursor = frame.get("cursor") or self.cursor


class Page:
    def __init__(self, sea, user):
        self.sea, self.user, self.dice = sea, user, sea.dice
        self.to, self.box = self.choose()
        self.told = Told()
        self.begin()

    def choose(self):
        group = f"group/{self.sea.group}"
        to = self.dice.choice([["user"], ["vehicle/*"], ["device/*"], [group, "vehicle/*"], [group], ["alerts"], ["cameras"]])
        west, south = (self.dice.uniform(0, WIDE / 2) for _ in range(2))
        return to, self.dice.choice([None, [west, south, west + WIDE / 2, south + WIDE / 2]])

    def query(self):
        box = f"&bbox={','.join(map(str, self.box))}" if self.box else ""
        return f"to={','.join(self.to)}{box}"

    def resumed(self):
        return f"&set={self.told.set or 1}" + (f"&since={self.told.cursor}" if self.told.cursor else "")


class Native(Page):
    def begin(self):
        self.n = 0
        self.viewer = Viewer(self.sea.gateway, "/api/ws", self.sea.gateway.token(self.user), subprotocols=["tidegate.v1"])
        self.told.parts = set()
        self.ask("subscribe", to=self.to, set=self.told.set or True, **({"bbox": self.box} if self.box else {}),
                 **({"since": self.told.cursor} if self.told.cursor else {}), **self.dice.choice([{}, {"max_hz": 3}]))

    def ask(self, op, **members):
        self.n += 1
        self.viewer.send({"op": op, "id": self.n, **members})

    def say_view(self):
        self.ask("move", subscription="s1", to=self.to, bbox=self.box, max_hz=self.dice.choice([None, 1, 10]))

    def move(self):
        """Two of them, of which the second counts."""
        for _ in range(2):
            self.to, self.box = self.choose()
            self.say_view()

    def cut(self):
        self.read()
        self.viewer.close()
        self.read()
        self.begin()

    def read(self):
        for frame in self.viewer.rest():
            if "error" in frame:  # it was not known yet whether it can be resumed
                assert frame["error"]["code"] == "busy", frame
                self.say_view()
            elif "type" in frame and frame["type"] != "welcome":
                self.told.take(frame)
        assert not self.viewer.closed or self.viewer.closed[0] == 1000, self.viewer.closed

    def close(self):
        self.viewer.close()


class Stream(Page):
    def begin(self):
        self.told.parts = set()
        since = f"&since={self.told.cursor}" if self.told.cursor else ""
        self.events = Events(self.sea.gateway, self.user, f"?set={self.told.set or 1}{since}&{self.query()}")
        self.n = 0

    def move(self):
        self.to, self.box = self.choose()
        self.told = Told()
        self.events.close()
        self.begin()

    def cut(self):
        self.read()
        self.events.close()
        self.begin()

    def read(self):
        for _, event, data in self.events.events[self.n:]:
            self.n += 1
            assert event != "close", data
            if event != "subscribed":
                self.told.take(data)

    def close(self):
        self.events.close()


class Poll(Page):
    def begin(self):
        self.read()

    def move(self):
        self.to, self.box = self.choose()
        self.told = Told()

    def cut(self):
        """The answer is lost, and is asked for again."""
        with contextlib.suppress(requests.RequestException):
            self.ask(5)

    def ask(self, wait):
        return self.sea.gateway.get(f"/api/events/poll?wait={wait}&{self.query()}{self.resumed()}", self.user)

    def read(self):
        answer = self.ask(0)
        if answer.status_code == 204:
            self.told.cursor = answer.headers["Tidegate-Cursor"]
            return
        assert answer.status_code == 200, answer.text
        body = answer.json()
        for frame in body["events"]:
            self.told.take(frame)
        self.told.cursor, self.told.set = body["cursor"], body["set"]

    def close(self):
        pass


VISIBLE = """
SELECT 'vehicle', v.id, NULL FROM vehicles v
 WHERE v.user_id = %s OR EXISTS (SELECT FROM shares s WHERE s.vehicle_id = v.id AND s.user_id = %s)
UNION ALL
SELECT 'device', d.id, (SELECT group_id FROM device_groups g WHERE g.device_id = d.id) FROM devices d
 WHERE d.user_id = %s OR EXISTS (SELECT FROM shares s WHERE s.user_id = %s AND (s.device_id = d.id
    OR s.group_id IN (SELECT group_id FROM device_groups g WHERE g.device_id = d.id)))
"""


class Sea:
    def __init__(self, gateway, database, publisher, form):
        self.gateway, self.database, self.publisher, self.form = gateway, database, publisher, form
        self.dice = random.Random(form["seed"])
        database.rows("INSERT INTO users (username, password_hash) SELECT 'u' || n, 'none' FROM generate_series(1, %s) n",
                      form["users"])
        self.ids = dict(database.rows("SELECT username, id FROM users"))
        self.users = [f"u{n + 1}" for n in range(form["users"])]
        self.group = database.value("INSERT INTO groups (name) VALUES ('hall') RETURNING id")
        database.rows("INSERT INTO shares (user_id, group_id) SELECT id, %s FROM users", self.group)
        self.places, self.codes, self.n = {}, {}, 0
        for _ in range(form["things"]):
            for kind in KINDS:
                self.make(kind)

    def make(self, kind=None):
        kind = kind or self.dice.choice(KINDS)
        self.n += 1
        code = f"{kind[0]}-{self.n}"
        one = self.database.value(f"INSERT INTO {kind}s (code, user_id) VALUES (%s, %s) RETURNING id", code,
                                  self.ids[self.dice.choice(self.users)])
        self.codes[kind, one] = code
        self.places[kind, one] = None

    def remove(self):
        kind, one = self.dice.choice(sorted(self.codes))
        del self.codes[kind, one]
        self.database.rows(f"DELETE FROM {kind}s WHERE id = %s", one)

    def step(self):
        thing = self.dice.choice(sorted(self.codes))
        place = tuple(round(self.dice.uniform(0, WIDE), 4) for _ in range(2))
        at = {"latitude": place[0], "longitude": place[1]}
        topic = f"seano/{self.codes[thing]}/vehicle_log" if thing[0] == "vehicle" else f"devices/{self.codes[thing]}/status"
        self.publisher.publish(topic, json.dumps(at if thing[0] == "vehicle" else {"status": "online", **at}))
        self.places[thing] = place

    def share(self):
        kind, one = self.dice.choice(sorted(self.codes))
        user = self.ids[self.dice.choice(self.users)]
        if not self.database.rows(f"DELETE FROM shares WHERE user_id = %s AND {kind}_id = %s RETURNING 1", user, one):
            self.database.rows(f"INSERT INTO shares (user_id, {kind}_id) VALUES (%s, %s)", user, one)

    def share_group(self):
        user = self.ids[self.dice.choice(self.users)]
        if not self.database.rows("DELETE FROM shares WHERE user_id = %s AND group_id IS NOT NULL RETURNING 1", user):
            self.database.rows("INSERT INTO shares (user_id, group_id) VALUES (%s, %s)", user, self.group)

    def regroup(self):
        one = self.dice.choice(sorted(n for kind, n in self.codes if kind == "device"))
        if not self.database.rows("DELETE FROM device_groups WHERE device_id = %s RETURNING 1", one):
            self.database.rows("INSERT INTO device_groups (device_id, group_id) VALUES (%s, %s)", one, self.group)

    def give(self):
        kind, one = self.dice.choice(sorted(self.codes))
        self.database.rows(f"UPDATE {kind}s SET user_id = %s WHERE id = %s", self.ids[self.dice.choice(self.users)], one)

    def storm(self, pages):
        acts = [self.step] * 40 + [self.share] * 10 + [self.regroup] * 10 + [self.give] * 4 + [self.share_group] * 2
        acts += [page.move for page in self.dice.sample(pages, len(pages) // 2)]
        acts += [page.cut for page in self.dice.sample(pages, len(pages) // 2)]
        self.dice.shuffle(acts)
        for act in acts:
            act()
        self.publisher.flush()  # who is gone sends nothing any more
        wait_until(lambda: self.gateway.metric("tidegate_in_journal") == 0, "all to be stored", PATIENCE * 4)
        for _ in range(2):
            self.remove()
            self.make()

    def expected(self, page):
        user = self.ids[page.user]
        seen = {(kind, one): group for kind, one, group in self.database.rows(VISIBLE, user, user, user, user)}
        wanted = set()
        for target in page.to:
            if target.startswith("group/"):
                wanted |= {thing for thing, group in seen.items() if group}
            else:
                kind = {"vehicle/*": "vehicle", "device/*": "device", "cameras": "device"}.get(target)
                wanted |= {thing for thing in seen if kind in (None, thing[0])}
        return {thing for thing in wanted if self.is_in(page.box, self.places[thing])}

    @staticmethod
    def is_in(box, place):
        if not box:
            return True
        return bool(place) and box[1] <= place[0] <= box[3] and box[0] <= place[1] <= box[2]


@pytest.fixture
def sea(make_gateway, database, publisher):
    form = chosen()
    gateway = make_gateway(ws__max_connections_per_user=1000, ws__connects_per_second=0, ws__progress="1s", ws__replay_events=200)
    return Sea(gateway.start(), database, publisher, form)


def test_each_set_is_what_sql_says_whatever_the_door(sea):
    kinds = (Native, Stream, Poll)
    pages = [kinds[n % 3](sea, sea.users[n // 3 % len(sea.users)]) for n in range(sea.form["pages"])]
    n_seen = 0

    def is_right(page):
        page.read()
        return page.told.names == sea.expected(page)

    for turn in range(sea.form["rounds"]):
        sea.storm(pages)
        for n, page in enumerate(pages):
            try:
                wait_until(lambda page=page: is_right(page), "the set", PATIENCE)
            except AssertionError as error:
                wanted = sea.expected(page)
                raise AssertionError(f"round {turn}, page {n} ({type(page).__name__} of {page.user}, {page.to}, {page.box}): too many"
                                     f" {page.told.names - wanted}, too few {wanted - page.told.names}") from error
            n_seen += len(page.told.names)
    assert n_seen > 0
    for page in pages:
        page.close()
