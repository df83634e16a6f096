"""Random walks: boats move in and out of boxes that move, rights come and go in SQL, sockets are cut; after each quiet
moment each client's set, and where each of its boats is, are what SQL says.

    TIDEGATE_WALK="walkers=1000 boxes=200 rounds=20 seed=7"        # the long form
"""
import json
import os
import random

import pytest

from viewers import Viewer
from waiting import PATIENCE, wait_until

SHORT = {"walkers": 100, "boxes": 20, "users": 5, "rounds": 5, "seed": 1}
WIDE, BOX = 10.0, 3.0  # degrees: of the sea, and of a box


def chosen():
    words = (word.split("=") for word in os.environ.get("TIDEGATE_WALK", "").split())
    return {**SHORT, **{name: int(value) for name, value in words}}


class Box:
    """What a page would keep of one subscription, from what it is sent and nothing else."""

    def __init__(self, gateway, user, dice):
        self.gateway, self.user, self.dice = gateway, user, dice
        self.viewer, self.cursor, self.set = None, None, None
        self.names, self.parts, self.places, self.n_moves = set(), set(), {}, 0
        self.choose()
        self.connect()

    def choose(self):
        west, south = (self.dice.uniform(0, WIDE - BOX) for _ in range(2))
        self.box = [west, south, west + BOX, south + BOX]

    def connect(self):
        self.viewer = Viewer(self.gateway, "/api/ws", self.gateway.token(self.user), subprotocols=["tidegate.v1"])
        self.last_seq = 0
        ask = {"op": "subscribe", "id": 0, "to": ["vehicle/*"], "types": ["vehicle_log"], "bbox": self.box,
               "set": self.set or True}
        if self.dice.random() < 0.3:
            ask["max_hz"] = 5
        if self.cursor:
            ask["since"] = self.cursor
        self.viewer.send(ask)

    def cut(self):
        self.read()
        self.viewer.close()
        self.parts = set()
        self.connect()

    def move(self):
        self.choose()
        self.n_moves += 1
        self.viewer.send({"op": "move", "id": self.n_moves, "subscription": "s1", "bbox": self.box})

    def place(self, item):
        self.places[item["vehicle_id"]] = (item["data"]["latitude"], item["data"]["longitude"])

    def note(self, frame):
        cursor = frame.get("cursor")
        if cursor and frame["type"] != "welcome":
            seq = int(cursor.split(":")[1])
            assert seq >= self.last_seq, f"{frame} behind {self.last_seq}"  # also what max_hz held back
            self.cursor, self.last_seq = cursor, seq

    def read(self):
        for frame in self.viewer.rest():
            if frame.get("ok") is not None:
                assert frame["ok"], frame
                continue
            self.note(frame)
            self.set = frame.get("set", self.set)
            if frame["type"] == "snapshot":
                self.parts |= set(frame["vehicle_ids"])
                for item in frame["items"]:
                    self.place(item)
                if frame["done"]:
                    self.names = self.parts | (set() if frame["complete"] else self.names)
                    self.parts = set()
            elif frame["type"] == "left":
                self.names.discard(frame["vehicle_id"])
            elif frame["type"] == "vehicle_log":
                self.place(frame)
        assert self.viewer.closed is None, self.viewer.closed

    def seen(self):
        self.read()
        return {name: self.places.get(name) for name in self.names}


WHERE = """
SELECT v.id, l.latitude, l.longitude FROM vehicles v
  JOIN LATERAL (SELECT latitude, longitude FROM vehicle_logs WHERE vehicle_id = v.id ORDER BY seq DESC LIMIT 1) l ON true
 WHERE (v.user_id = %s OR EXISTS (SELECT FROM shares s WHERE s.vehicle_id = v.id AND s.user_id = %s))
"""


def expected(database, box, ids):
    west, south, east, north = box.box
    rows = database.rows(WHERE, ids[box.user], ids[box.user])
    return {row[0]: (row[1], row[2]) for row in rows if south <= row[1] <= north and west <= row[2] <= east}


class Sea:
    def __init__(self, gateway, database, publisher, form):
        self.gateway, self.database, self.publisher = gateway, database, publisher
        self.dice, self.form = random.Random(form["seed"]), form
        database.rows("INSERT INTO users (username, password_hash) SELECT 'u' || n, 'none' FROM generate_series(1, %s) n",
                      form["users"])
        self.ids = dict(database.rows("SELECT username, id FROM users"))
        self.users = [f"u{n + 1}" for n in range(form["users"])]
        database.rows("INSERT INTO vehicles (code, user_id) SELECT 'w-' || n, u.id FROM generate_series(1, %s) n"
                      " JOIN users u ON u.username = 'u' || (n %% %s + 1)", form["walkers"], form["users"])
        self.walkers = {f"w-{n + 1}": [self.dice.uniform(0, WIDE) for _ in range(2)] for n in range(form["walkers"])}
        self.vehicles = [row[0] for row in database.rows("SELECT id FROM vehicles WHERE code LIKE 'w-%'")]

    def step(self, code):
        place = self.walkers[code]
        for i in range(2):
            place[i] = round(min(WIDE, max(0, place[i] + self.dice.uniform(-1, 1))), 5)
        self.publisher.publish(f"seano/{code}/vehicle_log", json.dumps({"latitude": place[0], "longitude": place[1]}))

    def toggle(self):
        user, vehicle = self.ids[self.dice.choice(self.users)], self.dice.choice(self.vehicles)
        if not self.database.rows("DELETE FROM shares WHERE user_id = %s AND vehicle_id = %s RETURNING 1", user, vehicle):
            self.database.rows("INSERT INTO shares (user_id, vehicle_id) SELECT %s, id FROM vehicles WHERE id = %s",
                               user, vehicle)

    def sink(self):
        code = self.dice.choice(sorted(self.walkers))
        del self.walkers[code]
        self.database.rows("DELETE FROM vehicles WHERE code = %s", code)

    def storm(self, boxes):
        """Everything at once, in an order that the dice say."""
        acts = [lambda c=code: self.step(c) for code in self.walkers for _ in range(2)]
        acts += [self.toggle for _ in range(len(boxes))]
        acts += [lambda b=box: b.move() for box in self.dice.sample(boxes, len(boxes) // 2)]
        acts += [lambda b=box: b.cut() for box in self.dice.sample(boxes, len(boxes) // 4)]
        self.dice.shuffle(acts)
        for act in acts:
            act()
        self.publisher.flush()
        self.sink()


@pytest.fixture
def sea(make_gateway, publisher, database):
    form = chosen()
    gateway = make_gateway(ws__max_connections_per_user=1000, ws__connects_per_second=0, ws__progress="1s")
    return Sea(gateway.start(), database, publisher, form)


def test_each_set_is_what_sql_says_after_each_storm(sea):
    boxes = [Box(sea.gateway, sea.users[n % len(sea.users)], sea.dice) for n in range(sea.form["boxes"])]
    n_seen = 0
    for _ in range(sea.form["rounds"]):
        sea.storm(boxes)
        wait_until(lambda: sea.gateway.metric("tidegate_in_journal") == 0, "all to be stored", PATIENCE * 4)
        for n, box in enumerate(boxes):
            wanted = expected(sea.database, box, sea.ids)
            wait_until(lambda b=box, w=wanted: b.seen() == w,
                       f"box {n} of {box.user} to have {wanted}, it has {box.seen()}", PATIENCE * 2)
            n_seen += len(wanted)
    assert n_seen > 0
    for box in boxes:
        box.viewer.close()
