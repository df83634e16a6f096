"""Random walks: boats move in and out of boxes that move, rights come and go in SQL, sockets are cut, do not read, and get a
second box that goes on behind an older cursor; after each quiet moment each set, and where each of its boats is, are what
SQL says.

    TIDEGATE_WALK="walkers=1000 boxes=200 rounds=20 seed=7"        # the long form
"""
import json
import os
import random
import time

import pytest

import viewers
from test_no_cursor_runs_ahead import small_socket
from viewers import Viewer
from waiting import PATIENCE, wait_until

SHORT = {"walkers": 100, "boxes": 20, "users": 5, "rounds": 5, "seed": 1, "queue": 65536, "replay": 500}
WIDE, BOX = 10.0, 3.0  # degrees: of the sea, and of a box
KEPT = 16384  # bytes that the kernel keeps for a page


def chosen():
    words = (word.split("=") for word in os.environ.get("TIDEGATE_WALK", "").split())
    return {**SHORT, **{name: int(value) for name, value in words}}


class View:
    """What a page would keep of one subscription, from what it is sent and nothing else."""

    def __init__(self, box):
        self.box, self.set = box, None
        self.names, self.parts, self.places = set(), set(), {}

    def place(self, item):
        self.places[item["vehicle_id"]] = (item["data"]["latitude"], item["data"]["longitude"])

    def tell(self, frame):
        if frame["type"] in ("snapshot", "left") and frame.get("done", True):
            self.set = frame.get("set")  # none: something came or went before the set was whole
        if frame["type"] == "snapshot":
            self.parts |= set(frame["vehicle_ids"])
            for item in frame["items"]:
                self.place(item)
            if frame["done"]:
                self.names = self.parts | (set() if frame["complete"] else self.names)
                self.parts = set()
        elif frame["type"] == "left":
            self.names.discard(frame["vehicle_id"])

    def seen(self):
        return {name: self.places.get(name) for name in self.names}


class Page:
    """One socket with a box, beside which there may be another one, that begins at an older cursor."""

    def __init__(self, gateway, user, dice):
        self.gateway, self.user, self.dice = gateway, user, dice
        self.viewer, self.cursor, self.older = None, None, None
        self.told_at = 0  # when it was told something last
        self.views, self.n_asked = {"s1": View(self.choose())}, 0
        self.connect()

    def choose(self):
        west, south = (self.dice.uniform(0, WIDE - BOX) for _ in range(2))
        return [west, south, west + BOX, south + BOX]

    def ask(self, op, **members):
        self.n_asked += 1
        self.viewer.send({"op": op, "id": self.n_asked, **members})

    def subscribe(self, view, since):
        pace = {"max_hz": 5} if self.dice.random() < 0.3 else {}
        self.ask("subscribe", to=["vehicle/*"], types=["vehicle_log"], bbox=view.box, set=view.set or True,
                 **({"since": since} if since else {}), **pace)

    def connect(self):
        self.viewer = Viewer(self.gateway, "/api/ws", self.gateway.token(self.user), subprotocols=["tidegate.v1"],
                             sock=small_socket(self.gateway, KEPT))
        self.last_seq, self.goes_back, self.answered = 0, False, []
        self.views = {"s1": self.views["s1"]}
        self.views["s1"].parts = set()
        self.subscribe(self.views["s1"], self.cursor)

    def cut(self):
        viewers._loop.call_soon_threadsafe(self.viewer._socket.transport.abort)
        self.viewer.wait_closed()
        self.read()

    def move(self):
        self.views["s1"].box = self.choose()
        self.say_box()

    def say_box(self):
        self.ask("move", subscription="s1", bbox=self.views["s1"].box)

    def add(self):
        """As a page that opens a second map, and knows where it was an hour ago."""
        if "s2" in self.views or not self.older:
            return
        self.views["s2"] = View(self.choose())
        self.goes_back = True
        self.subscribe(self.views["s2"], self.older)

    def doze(self):
        """Takes nothing, until it is woken."""
        viewers._loop.call_soon_threadsafe(self.viewer._socket.transport.pause_reading)

    def wake(self):
        viewers._loop.call_soon_threadsafe(self.viewer._socket.transport.resume_reading)

    def note(self, frame):
        cursor = frame.get("cursor")
        if cursor and frame["type"] != "welcome":
            seq = int(cursor.split(":")[1])
            assert seq >= self.last_seq or self.goes_back, f"{frame} behind {self.last_seq}"  # also what max_hz held back
            self.cursor, self.last_seq = cursor, seq
            self.older = self.older or cursor

    def take(self, frame):
        if frame["type"] == "vehicle_log":
            for name in set(frame.get("subscriptions", self.answered)) & set(self.views):
                self.views[name].place(frame)
        elif frame.get("subscription") in self.views:
            self.views[frame["subscription"]].tell(frame)

    def read(self):
        for frame in self.viewer.rest():
            if frame.get("type") not in (None, "progress"):
                self.told_at = time.monotonic()
            if "error" in frame:  # it is not known yet whether it can be resumed
                assert frame["error"]["code"] == "busy", frame
                self.say_box()
            elif "ok" in frame:
                self.answered += [frame["subscription"]] if "recovered" in frame else []
            else:
                self.note(frame)
                self.take(frame)
        if self.viewer.closed:  # it slept for too long, or was cut: the walk decides, and both end so
            assert self.viewer.closed[0] in (1006, 4101, 4201), self.viewer.closed
            self.connect()

    def seen(self):
        self.read()
        return [view.seen() for view in self.views.values()]

    def differences(self, wanted):
        seen = self.seen()
        return ([{n: (a.get(n), b.get(n)) for n in {*a, *b} if a.get(n) != b.get(n)} for a, b in zip(wanted, seen)],
                self.viewer.closed, self.viewer._socket.transport.is_reading(), self.n_asked, self.viewer.frames[-2:])


def wait_while_told(page, rows, what):
    """A kernel that ran out of room takes a few kilobytes each 200 ms from then on, so what a page has to be told may need
    minutes. But it is told it without a break."""
    began = time.monotonic()

    def is_over():
        seen_all = page.seen() == expected(rows, page)
        return seen_all or time.monotonic() - max(began, page.told_at) > PATIENCE * 2

    wait_until(is_over, what, PATIENCE * 20)
    assert page.seen() == expected(rows, page), f"{what}: told nothing more"


WHERE = """
SELECT v.id, l.latitude, l.longitude FROM vehicles v
  JOIN LATERAL (SELECT latitude, longitude FROM vehicle_logs WHERE vehicle_id = v.id ORDER BY seq DESC LIMIT 1) l ON true
 WHERE (v.user_id = %s OR EXISTS (SELECT FROM shares s WHERE s.vehicle_id = v.id AND s.user_id = %s))
"""


def expected(rows, page):
    return [{name: (latitude, longitude) for name, latitude, longitude in rows
             if south <= latitude <= north and west <= longitude <= east}
            for west, south, east, north in (view.box for view in page.views.values())]


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

    def storm(self, pages):
        """Everything at once, in an order that the dice say."""
        acts = [lambda c=code: self.step(c) for code in self.walkers for _ in range(2)]
        acts += [self.toggle for _ in pages]
        for act, share in (("move", 2), ("cut", 4), ("add", 4), ("doze", 4)):
            acts += [getattr(page, act) for page in self.dice.sample(pages, len(pages) // share)]
        self.dice.shuffle(acts)
        for act in acts:
            act()
        self.publisher.flush()
        self.sink()
        for page in pages:
            page.wake()


@pytest.fixture
def sea(make_gateway, publisher, database):
    form = chosen()
    gateway = make_gateway(ws__max_connections_per_user=1000, ws__connects_per_second=0, ws__progress="1s",
                           ws__queue_bytes=form["queue"], ws__slow_timeout="10m", ws__silence_timeout="5m", ws__replay_events=form["replay"])
    return Sea(gateway.start(), database, publisher, form)


def test_each_set_is_what_sql_says_after_each_storm(sea):
    pages = [Page(sea.gateway, sea.users[n % len(sea.users)], sea.dice) for n in range(sea.form["boxes"])]
    n_seen = 0
    for i in range(sea.form["rounds"]):
        sea.storm(pages)
        wait_until(lambda: sea.gateway.metric("tidegate_in_journal") == 0, "all to be stored", PATIENCE * 4)
        for n, page in enumerate(pages):
            rows = sea.database.rows(WHERE, sea.ids[page.user], sea.ids[page.user])
            try:
                wait_while_told(page, rows, f"page {n} of {page.user}")
            except AssertionError as error:
                raise AssertionError(f"{error}, round {i}: {page.differences(expected(rows, page))}") from None
            n_seen += sum(map(len, page.seen()))
    assert n_seen > 0
    for page in pages:
        page.viewer.close()
