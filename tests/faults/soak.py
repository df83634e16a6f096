"""An hour or more of one world: a steady load of every sort, and a fault of the matrix each minute.

What ends the gateway is done to it in the warm-up only: the memory of a process that is a minute old
shows nothing. From then on it is one process, and what it holds has to be as flat at the end as it
was after the warm-up.
"""
import argparse
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import threading
import time

import requests

import chart
import matrix
import watching
import world
from commanding import FINAL, MqttDevice
from servers import ROOT, Database
from waiting import wait_until

SAMPLE_S = 10
PICTURE = ROOT / "docs/soak.svg"
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
LOAD = matrix.Row("soak", "soak", None, rate=300, is_live_whole=False, settings={
    "journal__keep": "2m", "journal__segment_bytes": "4M", "commands__timeout": "20s"})

# what is sampled: how it is called, how much more than after the warm-up is still flat (None: only shown)
CURVES = {
    "anonymous memory, MiB": 8.0, "resident memory, MiB": 24.0, "descriptors": 4.0, "threads": 2.0,
    "journal on disk, MiB": 24.0, "messages in the journal, not stored yet": None,
    "tables that are updated in place, MiB": 16.0}
TABLES = ("journal_positions", "device_states", "slots", "commands", "replays", "journal_differences",
          "dead_letters")


class SoakWorld(world.World):
    """Counts what is stored as it comes: there will be a million of it."""

    def __init__(self, *args):
        self._n_counted = self._newest = 0
        self._counting = threading.Lock()
        super().__init__(*args)

    def n_stored(self):
        with contextlib.suppress(Exception), self._counting:  # the server may be away
            tables = " UNION ALL ".join(f"SELECT seq FROM {kind} WHERE seq > {self._newest}" for kind in
                                        ("raw_logs", "vehicle_logs", "telemetry", "sensor_logs"))
            (n, newest), = self.database.rows(f"SELECT count(*), max(seq) FROM ({tables}) AS new")
            self._n_counted += n
            self._newest = newest or self._newest
        return self._n_counted


class Stream:
    """An event stream of one vehicle that resumes whenever it ends, as it does now and then."""

    def __init__(self, gateway, dice):
        self.gateway, self.dice = gateway, dice
        self.numbers, self.n_connects, self.n_unrecovered = [], 0, 0
        self.cursor = None
        self.is_stopped = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self.is_stopped:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._follow(time.monotonic() + self.dice.uniform(5, 40))
            time.sleep(0.1)

    def _follow(self, until):
        link = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=20)
        with contextlib.closing(link):
            resume = {"Last-Event-ID": self.cursor} if self.cursor else {}
            link.request("GET", f"/api/events?to=vehicle/{watching.VEHICLES[0]}", headers={
                "Authorization": f"Bearer {self.gateway.token('root')}", **resume})
            answer = link.getresponse()
            if answer.status != 200:
                return
            self.n_connects += 1
            fields = {}
            while time.monotonic() < until and not self.is_stopped:
                line = answer.readline()
                if not line:
                    return
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                else:
                    self._take(fields)
                    fields = {}

    def _take(self, fields):
        event = fields.get("event")
        if event in ("subscribed", "gap"):
            self.n_unrecovered += event == "gap" or not json.loads(fields["data"])["recovered"]
        elif event in watching.KINDS:
            n = watching.shown_number(json.loads(fields["data"]))
            if n >= 0:
                self.numbers.append(n)
        self.cursor = fields.get("id") or self.cursor


class Customer:
    """Commands, logs in and reads history, a request each half second, whatever the answers are."""

    def __init__(self, made):
        self.world = made
        self.answers = {}  # what was asked: {status: how often}, 0 is none at all
        self.commands = []
        self.is_stopped = False
        self.device = MqttDevice(made.broker, watching.DEVICES[0])
        self.device.client.on_message = self._obey
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _obey(self, client, _userdata, message):
        said = {"command_id": json.loads(message.payload)["command_id"], "status": "ok"}
        client.publish(f"devices/{self.device.code}/commands/ack", json.dumps(said), qos=1)

    def _ask(self, what, method, path, **more):
        status, body = 0, {}
        with contextlib.suppress(requests.RequestException, ValueError):
            answer = requests.request(method, self.world.gateway.url + path, timeout=10, headers={
                "Authorization": f"Bearer {self.world.gateway.token('root')}"}, **more)
            status = answer.status_code
            body = answer.json()
        seen = self.answers.setdefault(what, {})
        seen[status] = seen.get(status, 0) + 1
        return body

    def _run(self):
        password = {"username": "root", "password": "correct horse battery"}
        while not self.is_stopped:
            said = self._ask("command", "POST", f"/api/devices/{self.device.code}/commands",
                             json={"action": "SET_MODE", "timeout_ms": 20000})
            if "command_id" in said:
                self.commands.append(said["command_id"])
            time.sleep(0.5)
            self._ask("login", "POST", "/api/token", data=password)
            time.sleep(0.5)
            since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=10)
            self._ask("history", "GET", f"/api/vehicles/{watching.VEHICLES[1]}/logs",
                      params={"types": "vehicle_log", "from": since.strftime("%Y-%m-%dT%H:%M:%SZ")})
            time.sleep(0.5)

    def stop(self):
        self.is_stopped = True
        self.thread.join()

    def open_commands(self):
        """Those that were accepted and have not come to an end."""
        states = dict(self.world.database.rows("SELECT command_id, state FROM commands"))
        return [one for one in self.commands if states.get(one) not in FINAL]


class Sampler:
    """What the gateway and its queues hold, each ten seconds."""

    def __init__(self, made):
        self.world = made
        self.samples = []  # (seconds, {curve: value})
        self.begin = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self._stop.wait(SAMPLE_S):
            with contextlib.suppress(OSError, AttributeError, KeyError):  # it may be between two lives
                self.samples.append((time.monotonic() - self.begin, self._sample()))

    def _sample(self):
        gateway = self.world.gateway
        proc = pathlib.Path(f"/proc/{gateway.pid}")
        status = dict(re.findall(r"(\w+):\s+(\d+)", (proc / "status").read_text("ascii")))
        values = {"anonymous memory, MiB": int(status["RssAnon"]) / 1024,
                  "resident memory, MiB": int(status["VmRSS"]) / 1024,
                  "descriptors": len(os.listdir(proc / "fd")), "threads": int(status["Threads"]),
                  "journal on disk, MiB": sum(f.stat().st_blocks * 512 for f in (
                      gateway.folder / "journal").glob("*.seg")) / (1 << 20)}
        with contextlib.suppress(Exception):
            values["messages in the journal, not stored yet"] = gateway.metric("tidegate_in_journal")
        with contextlib.suppress(Exception):
            values["tables that are updated in place, MiB"] = float(self.world.database.value(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)"
                " OR relispartition AND relname LIKE 'dead_letters%%'", list(TABLES))) / (1 << 20)
        return values

    def stop(self):
        self._stop.set()

    def growth(self, curve, since):
        """By how much the line that fits best has risen from @since to the end."""
        points = [(at, v[curve]) for at, v in self.samples if at >= since and curve in v]
        if len(points) < 3:
            return 0.0
        mean_t, mean_v = (sum(p[i] for p in points) / len(points) for i in (0, 1))
        slope = sum((t - mean_t) * (v - mean_v) for t, v in points) / \
            sum((t - mean_t) ** 2 for t, _ in points)
        return slope * (points[-1][0] - points[0][0])


class Soak:
    def __init__(self, args):
        self.args = args
        self.matrix = matrix.Matrix(argparse.Namespace(seed=args.seed, short=True))
        self.dice = random.Random(f"{args.seed} soak")
        self.warm_up_s = min(600, args.minutes * 60 // 4)
        self.faults_done = []  # (seconds, name, held)
        self.world = self.sampler = self.customer = self.stream = self.restless = None

    def decks(self):
        """The faults that end the gateway, and those that it has to live through."""
        usable = [r for r in matrix.ROWS if r.in_soak and not r.prepare and not r.broker and not r.settings
                  and not r.may_forget and not r.needs_root and not r.pad]
        return [r for r in usable if not r.is_live_whole], [r for r in usable if r.is_live_whole]

    def open(self):
        postgres = self.matrix.make_postgres()
        postgres.execute("postgres", "CREATE DATABASE soak TEMPLATE template_tidegate")
        self.world = SoakWorld(self.matrix.folder / "soak", Database(postgres, "soak"),
                               random.Random(f"{self.args.seed} faults"), True, LOAD)
        self.world.open()
        self.sampler = Sampler(self.world)
        self.customer = Customer(self.world)
        self.restless = watching.Follower(self.world.gateway, "root", True)
        self.stream = Stream(self.world.gateway, random.Random(f"{self.args.seed} stream"))
        wait_until(lambda: self.stream.n_connects, "the event stream")

    def run_fault(self, one, at):
        begin = time.monotonic()
        n_before = len(self.world.faults)
        try:
            one.run(self.world)
        except Exception as error:  # whatever it is, the soak goes on
            self.world.complain(f"{one.area}: {one.name}: {type(error).__name__}: {str(error)[:300]}")
        process = self.world.gateway.process
        if not process or process.poll() is not None:
            self.world.complain(f"{one.area}: {one.name}: the gateway was gone after it")
            self.world.gateway.process = None
            self.world.restart_gateway()
        held = len(self.world.faults) == n_before
        self.faults_done.append((at, f"{one.area}: {one.name}", held))
        print(f"{at / 60:5.1f} min: {'ok' if held else 'FAILED'}: {one.area}: {one.name} "
              f"({time.monotonic() - begin:.1f} s)", *self.world.faults[n_before:], sep="\n    ", flush=True)

    def run(self):
        ending, lived_through = self.decks()
        begin, deck, was_warm = self.sampler.begin, [], False
        for minute in range(self.args.minutes):
            self.world.pause(max(0.0, begin + 60 * minute + self.dice.uniform(5, 20) - time.monotonic()))
            at = time.monotonic() - begin
            is_warm = at >= self.warm_up_s
            if is_warm and not was_warm:
                self.world.before = self.world.resources()
            if not deck or is_warm != was_warm:
                deck = list(lived_through if is_warm else ending)
                self.dice.shuffle(deck)
            was_warm = is_warm
            if at < self.args.minutes * 60 - 30:
                self.run_fault(deck.pop(), at)
            self.restless.drop()
        self.world.pause(max(0.0, begin + 60 * self.args.minutes - time.monotonic()))

    def judge(self):
        self.customer.stop()
        self.world.settle()
        wait_until(lambda: not self.customer.open_commands(), "every command to come to an end", 120)
        self.sampler.stop()
        self.world.row.max_warnings = 10 * len(self.faults_done)
        out = self.world.outcome()
        self.judge_follower("the event stream", self.stream, ((0, 0), (1, 0), (3, 0)))
        self.judge_follower("the restless viewer", self.restless,
                            [(kind, at) for kind in range(4) for at in range(watching.N_THINGS)])
        for curve, limit in CURVES.items():
            rise = self.sampler.growth(curve, self.warm_up_s)
            self.world.complain_if(limit and rise > limit, f"{curve}: {rise:.1f} more")
        return out

    def judge_follower(self, who, one, things):
        """It has all of these things, since it came, once and in order."""
        def missing():
            first = min(one.numbers, default=0)
            return {n for n in self.world.mqtt.acknowledged - set(one.numbers)
                    if n >= first and watching.thing(n) in things}
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not missing(), "it to have them all", 60, step=1)
        one.is_stopped = True
        for is_wrong, text in (
                (missing(), f"{world.some(missing())} not shown to {who}"),
                (world.twice(one.numbers) - self.world.excused(), f"shown twice to {who}"),
                (world.disorder(one.numbers, self.world.order()), f"out of order to {who}"),
                (one.n_unrecovered, f"{who} was told of a gap")):
            self.world.complain_if(is_wrong, text)

    def report(self, out):
        """A few lines for the document."""
        answers = "; ".join(
            f"{sum(seen.values())} × {what} ({seen.get(202 if what == 'command' else 200, 0)} answered well)"
            for what, seen in sorted(self.customer.answers.items()))
        rises = "; ".join(f"{curve} {self.sampler.growth(curve, self.warm_up_s):+.1f}" for curve, limit
                          in CURVES.items() if limit)
        n_ended = sum(at < self.warm_up_s for at, _, _ in self.faults_done)
        return "\n".join((
            f"Measured {time.strftime('%Y-%m-%d')}, {self.args.minutes} minutes, seed {self.args.seed}: "
            f"{len(self.faults_done)} faults, {n_ended} of them in the warm-up of "
            f"{self.warm_up_s // 60} minutes.",
            "", f"- Published {out.published}, acknowledged {out.acknowledged}, stored {out.stored}, "
            f"shown to who resumes {out.resumed}: {out.lost} lost, {out.twice} twice, "
            f"{out.disorder} out of order. "
            f"The event stream of one vehicle connected {self.stream.n_connects} times and has "
            f"{len(self.stream.numbers)} of them, a viewer that is cut off each minute "
            f"{self.restless.n_connects} times and {len(self.restless.numbers)}.",
            f"- Asked beside it, faults or not: {answers}. Every command that was accepted came to an end.",
            f"- From the end of the warm-up to the end, by the line that fits best: {rises}.",
            "- It holds." if not self.world.faults else
            "- **It does not hold**: " + "; ".join(self.world.faults) + "."))

    def close(self):
        if self.customer:
            self.customer.is_stopped = True
            with contextlib.suppress(Exception):
                self.customer.device.disconnect()
        for one in (self.stream, self.restless):
            if one:
                one.is_stopped = True
        if self.world:
            self.world.close()
            self.world.postgres.stop()


def write_document(text):
    path = matrix.DOCUMENT
    before, rest = path.read_text("utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", "utf-8")


def main(argv):
    parser = argparse.ArgumentParser(prog="tests/faults/soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the faults, and their moments")
    parser.add_argument("--document", action="store_true", help="writes docs/reliability.md, docs/soak.svg")
    args = parser.parse_args(argv)
    matrix.load_rows()
    print(f"seed {args.seed}, {args.minutes} minutes", flush=True)
    soak = Soak(args)
    try:
        soak.open()
        soak.run()
        text = soak.report(soak.judge())
        picture = chart.draw(list(CURVES), soak.sampler.samples, soak.faults_done, soak.warm_up_s)
    finally:
        soak.close()
    print(text)
    picture_path = PICTURE if args.document else soak.matrix.folder / "soak.svg"
    picture_path.write_text(picture, "utf-8")
    if args.document:
        write_document(text)
    print(f"{picture_path}; the log: {soak.world.gateway.log_path}")
    n_failed = len(soak.world.faults)
    print(f"{len(soak.faults_done) - min(n_failed, len(soak.faults_done))} passed, {n_failed} failed")
    return 1 if n_failed or not soak.faults_done else 0
