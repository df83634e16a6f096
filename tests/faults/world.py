"""One gateway with its broker and its database, under load and watched from every side."""
import collections
import contextlib
import os
import pathlib
import re
import time

import watching
from faultproxy import PostgresProxy
from mqttproxy import MqttProxy
from servers import Broker, Gateway
from waiting import wait_until

PATIENCE = 120.0  # until all is stored and shown, once the fault is over

# What the log says when something is amiss, and what it says once that is over: by the first word of
# a line. A new process begins anew.
OVER = {
    "database_away": "database_connected",
    "database_refuses": "database_connected",
    "database_stalled": "database_goes_on|database_away|database_refuses",
    "query_database_away": "query_database_connected",
    "commands_database_away": "commands_database_connected",
    "commands_broker_away": "commands_broker_connected",
    "mqtt_lost": "mqtt_connected",
    "mqtt_not_connected": "mqtt_connected",
    "mqtt_session_taken_over": "mqtt_connected",
    "mqtt_connection_flapping": "mqtt_connected",
    "mqtt_session_left": "mqtt_session_reclaimed",
    "mqtt_subscribe_refused": "mqtt_subscribe_granted",
    "mqtt_subscribe_downgraded": "mqtt_subscribe_granted",
    "mqtt_held": "mqtt_released",
    "mqtt_waiting": "mqtt_goes_on",
    "journal_high": "journal_low",
    "lease_waiting": "lease_held",
    "lease_doubted": "lease_held",
    "registry_stale": "registry_heard",
    "registry_not_followed": "registry_followed",
    "retention_held": "retention_goes_on",
    "accounting_drift": "accounting_settled",
}
Outcome = collections.namedtuple(
    "Outcome", "published acknowledged journalled stored letters shown resumed lost twice disorder "
               "silence_s leaked_fds grown_mib n_warnings events faults")


def populate(gateway):
    gateway.add_user("root", "admin")
    for vehicle in watching.VEHICLES:
        gateway.add_vehicle(vehicle, "root")
    for device in watching.DEVICES:
        gateway.add_device(device, "root")


def what_it_is(fd):
    """Of a descriptor: a file by its name, anything else by its kind."""
    with contextlib.suppress(OSError):  # it may be closed by now
        return os.readlink(fd).partition(":")[0]
    return "closed"


class World:
    """Made and ended by matrix.py; a row sees only what is public here."""

    def __init__(self, folder, database, dice, is_short, row):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755)
        self.database = database
        self.postgres = database.postgres
        self.dice = dice
        self.is_short = is_short
        self.row = row
        self.faults = []
        self.warnings_of_faults = 0  # that the faults of this row may well have
        self.forgiven = set()
        self.at_end = []  # called last, the newest first
        self.broker = Broker(self.folder / "broker", row.broker).start()
        self.mqtt = MqttProxy(self.broker.port, watching.number)
        self.proxy = PostgresProxy(self.folder / "proxy", self.postgres)
        self.gateway = Gateway(self.folder / "gateway", database, None,
                               **{"database__url": self.proxy.url(database),
                                  "mqtt__url": f"mqtt://127.0.0.1:{self.mqtt.port}",
                                  "ws__max_connections_per_user": 100, "ws__queue_bytes": "64M",
                                  **row.settings})
        self.load = self.live = self.resumer = None

    def open(self):
        if self.row.prepare:
            self.row.prepare(self)
        self.gateway.start()
        self.live = watching.Follower(self.gateway, "root", False)
        self.resumer = watching.Follower(self.gateway, "root", True)
        wait_until(lambda: self.live.is_connected() and self.resumer.is_connected(), "the viewers")
        self.load = watching.Load(self.broker, self.row.pad)
        self.load.start(self.row.rate)
        self.wait_flow()
        self.first_cursor = self.live.first_cursor
        self.before = self.resources()
        self.log_from = len(self.gateway.log())

    # what a row may ask for

    def pause(self, seconds):
        """Time in which load and fault go on; the one thing that is slept for, since time is the fault."""
        time.sleep(seconds)

    def wait_flow(self, n=100):
        """Until so many more have been stored."""
        goal = self.n_stored() + n
        wait_until(lambda: self.n_stored() >= goal, f"{n} more rows", PATIENCE, step=0.1)

    def n_stored(self):
        with contextlib.suppress(Exception):  # the server may be away
            return self.database.value(f"SELECT count(*) FROM ({watching.STORED}) AS all_of_them")
        return 0

    def wait_log(self, pattern):
        wait_until(lambda: re.search(pattern, self.log()), f"{pattern} in the log", PATIENCE)

    def log(self):
        """Since the load began."""
        return self.gateway.log()[self.log_from:]

    def restart_gateway(self):
        """After its end, however that came."""
        self.gateway.start(wait=False)
        wait_until(self.gateway.is_ready, "the gateway to be ready again", PATIENCE)

    def move_to(self, postgres):
        """The database lives on another server from now on."""
        self.postgres = self.database.postgres = postgres
        self.database.url = postgres.url(self.database.name)

    def complain(self, text):
        self.faults.append(text)

    def complain_if(self, is_wrong, text):
        if is_wrong:
            self.complain(text)

    def forgive(self, is_forgiven):
        """These numbers need not be stored any more: the row itself deletes them."""
        self.forgiven |= {n for n in range(self.load.published) if is_forgiven(n)}

    def events(self):
        """The first words of the log's lines since the load began, in order."""
        return re.findall(r"^\S+ (?:error|warning|info) (\w+)", self.log(), re.M)

    # the end

    def resources(self):
        """Descriptors by what they are (without the file that libfaketime opens and shuts at each look at the clock),
        memory (without the journal's pages, which are the kernel's to keep), process."""
        pid = self.gateway.pid
        rss = re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text("ascii"))
        fds = collections.Counter(map(what_it_is, pathlib.Path(f"/proc/{pid}/fd").iterdir()))
        fds.pop(str(self.folder / "clock"), None)
        return fds, int(rss[1]) / 1024, pid

    def settle(self):
        """The load ends, and everything comes to rest."""
        self.load.stop()
        mqtt = self.mqtt

        def is_at_rest():
            with contextlib.suppress(AssertionError, OSError):
                return self.gateway.is_ready() and self.gateway.metric("tidegate_in_journal") == 0
            return False

        def state():
            return len(mqtt.delivered), len(mqtt.acknowledged), self.n_stored(), len(self.resumer.numbers)

        wait_until(is_at_rest, "the gateway to come to rest", PATIENCE, step=0.1)
        last, since = state(), time.monotonic()
        deadline = since + PATIENCE
        while time.monotonic() < deadline and (
                time.monotonic() - since < 1.5 or not is_at_rest()
                or (mqtt.acknowledged - set(self.resumer.numbers) and time.monotonic() - since < 15)
                or (self.load.published > len(mqtt.delivered) and time.monotonic() - since < 8)):
            time.sleep(0.1)
            now = state()
            if now != last:
                last, since = now, time.monotonic()
        with contextlib.suppress(AssertionError):  # of what is not said by then, the outcome complains
            wait_until(lambda: not still_on(self.events()), "all to be over", 30)

    def outcome(self):
        stored = [n for (n,) in self.database.rows(watching.STORED)]
        letters = self.database.value("SELECT count(*) FROM dead_letters")
        acknowledged = self.mqtt.acknowledged
        fds, mib, pid = self.resources()
        is_same = pid == self.before[2]
        leaked, grown = (fds.total() - self.before[0].total(), mib - self.before[1]) if is_same else (0, 0.0)
        shown, resumed = self.live.numbers, self.resumer.numbers
        out = Outcome(
            published=self.load.published, acknowledged=len(acknowledged),
            journalled=int(self.gateway.metric("tidegate_received_total")), stored=len(stored),
            letters=letters, shown=len(set(shown)), resumed=len(set(resumed)),
            lost=len(acknowledged - set(stored) - self.forgiven),
            twice=len(twice(stored) - self.excused()), disorder=disorder(stored, self.order()),
            silence_s=self.live.longest_silence_s, leaked_fds=leaked, grown_mib=grown,
            n_warnings=len(re.findall(r"^\S+ (?:warning|error) ", self.log(), re.M)),
            events=collections.Counter(self.events()), faults=self.faults)
        self._judge(out, set(stored), shown, resumed)
        return out

    def order(self):
        """As which the broker delivered each; what it delivered as two is in no order."""
        return {n: at for n, at in self.mqtt.delivered.items() if n not in self.excused()}

    def excused(self):
        """What came as two messages: said twice by the publisher, or by the broker under two ids."""
        left_open = self.mqtt.left_open if self.row.may_repeat else set()
        return self.load.resent | self.mqtt.renumbered | left_open

    def _judge(self, out, stored, shown, resumed):
        resent = self.excused()
        checks = [
            (out.lost, f"{out.lost} acknowledged and not stored"),
            (out.twice, f"{out.twice} stored twice"),
            (out.disorder, f"{out.disorder} stored out of order"),
            (out.letters, f"{out.letters} good messages became dead letters"),
            (stored - set(resumed) and not (self.row.may_begin_anew and self.resumer.n_unrecovered),
             f"{some(stored - set(resumed))} not shown to who resumes"),
            (set(resumed) - stored - self.forgiven, f"{len(set(resumed) - stored)} shown and not stored"),
            (twice(resumed) - resent, f"{len(twice(resumed) - resent)} shown twice to who resumes"),
            (disorder(resumed, self.order()), "shown out of order to who resumes"),
            (any(twice(one) - resent for one in self.live.connections), "shown twice live"),
            (any(disorder(one, self.order()) for one in self.live.connections), "shown out of order live"),
            (self.resumer.n_unrecovered and not (self.row.may_forget or self.row.may_begin_anew),
             "who resumes was told of a gap"),
            (self.row.is_live_whole and stored - set(shown),
             f"{some(stored - set(shown))} not shown to a viewer that stayed"),
            (self.gateway.metric("tidegate_accounting_drift"), "a drift of the books"),
            (out.leaked_fds > self.row.max_fds, f"{out.leaked_fds} descriptors more than before: "
             f"{dict(self.resources()[0] - self.before[0])}"),
            (out.grown_mib > self.row.max_mib, f"{out.grown_mib:.0f} MiB more than before"),
            (out.n_warnings > self.row.max_warnings + self.warnings_of_faults, f"{out.n_warnings} warnings: a storm in the log"),
            *((not re.search(p, self.log()), f"the log does not say {p}") for p in self.row.says),
            *((True, f"the log does not say that {one} is over") for one in still_on(self.events())),
        ]
        self.faults += [text for is_wrong, text in checks if is_wrong]

    def close(self):
        for one in (self.live, self.resumer):
            if one:
                one.stop()
        with contextlib.suppress(Exception):
            self.load.close()
        try:
            self.gateway.stop()
        except AssertionError as error:
            self.complain(str(error)[:300])
        self.mqtt.close()
        self.proxy.close()
        self.broker.stop()
        for end in reversed(self.at_end):
            end()


def still_on(events):
    """What began and is not said to be over."""
    begun = set()
    for one in events:
        if one == "started":
            begun.clear()
        elif one in OVER:
            begun.add(one)
        begun -= {begin for begin, end in OVER.items() if one in end.split("|")}
    return sorted(begun)


def some(numbers):
    """How many, and the first and the last."""
    return f"{len(numbers)} ({min(numbers)} to {max(numbers)})" if numbers else "0"


def twice(numbers):
    return {n for n, count in collections.Counter(numbers).items() if count > 1}


def disorder(numbers, delivered):
    """How often what the broker delivered later stands before what it delivered earlier, of a thing.

    A broker that begins with an older store delivers in an order of its own."""
    newest, n_wrong = {}, 0
    for n in numbers:
        what, at = watching.thing(n), delivered.get(n, -1)
        n_wrong += 0 <= at < newest.get(what, -1)
        newest[what] = max(at, newest.get(what, -1))
    return n_wrong
