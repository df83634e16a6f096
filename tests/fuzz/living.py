"""Rude clients of a real gateway, many at a time: see tests/fuzz/live."""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import tempfile
import threading
import time

import requests

import mutating
from load import Publisher
from servers import ROOT, Broker, Database, Gateway, Postgres
from waiting import wait_until

KEPT = 400  # of the last inputs, for whoever looks for the one that did it
HELD = 60   # sockets that are left open, unread, for a while
GROWN_MIB = 48
PATIENCE = 120.0
SETTINGS = {
    "auth__anonymous": "/api/statistics", "ws__deflate": "on", "ws__max_connections_per_user": 50,
    "ws__silence_timeout": "30s", "ws__ping_interval": "5s",
    "http__trusted_proxies": "127.0.0.9", "auth__token_failures_per_minute": 10000,
}


class Fault(Exception):
    """Something that a promise excludes."""


class Place:
    """The servers, and what is known of them before anybody is rude."""

    def __init__(self, folder):
        self.folder = folder
        self.postgres = Postgres(folder / "pg")
        self.postgres.start()
        self.postgres.execute("postgres", "CREATE DATABASE live")
        self.broker = Broker(folder / "broker").start()
        self.gateway = Gateway(folder / "gateway", Database(self.postgres, "live"), self.broker, **SETTINGS)
        self.gateway.extra_env["ASAN_OPTIONS"] = \
            "detect_leaks=1:exitcode=77:quarantine_size_mb=8:detect_stack_use_after_return=0"
        self.gateway.cli("migrate")
        self.gateway.add_user("root", "admin")
        self.gateway.add_user("ana")
        self.gateway.add_vehicle("veh-1", "ana")
        _, self.device_token = self.gateway.add_device("dev-1", "ana")
        self.gateway.start()
        self.publisher = Publisher(self.broker)
        self.publisher.run(self._message, 20)

    @staticmethod
    def _message(n):
        if n % 2:
            return "users/ana/devices/dev-1/status", json.dumps({"status": "online", "temperature": n % 50})
        return "seano/veh-1/vehicle_log", json.dumps({"latitude": n % 90, "longitude": 1, "speed": n})

    def words(self):
        """What $a, $r, $d and $t of the corpus stand for."""
        ticket = "0" * 32
        with contextlib.suppress(requests.RequestException, KeyError, ValueError):
            ticket = requests.post(self.gateway.url + "/api/ws/ticket", timeout=30, headers={
                "Authorization": "Bearer " + self.gateway.token("ana")}).json()["ticket"]
        words = {"a": self.gateway.token("ana"), "r": self.gateway.token("root"),
                 "d": self.device_token, "t": ticket}
        return {name.encode(): text.encode() for name, text in words.items()}

    def descriptors(self):
        """All but those of connections to the database, which are made when first asked for, and of segments."""
        n_database = self.gateway.database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tidegate/%%'")
        n_segments = len(list((self.gateway.folder / "journal").glob("*.seg")))
        return len(os.listdir(f"/proc/{self.gateway.pid}/fd")) - n_database - n_segments

    def mib(self):
        text = pathlib.Path(f"/proc/{self.gateway.pid}/status").read_text("ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def close(self):
        self.publisher.stop()
        self.publisher.close()
        try:
            self.gateway.stop()
        finally:
            self.broker.stop()
            self.postgres.stop()


class Client(threading.Thread):
    """One at a time: connects, sends, looks at what comes back, and goes in one way or another."""

    def __init__(self, run, number):
        super().__init__(daemon=True)
        self.run_of = run
        self.dice = random.Random(f"{run.args.seed} {number}")
        self.held = collections.deque()

    def run(self):
        while not self.run_of.is_over():
            data = self.run_of.mutator.next(self.dice, self.run_of.words)
            self.run_of.note(data)
            try:
                self._visit(data)
            except OSError:
                self.run_of.count("broken off")
            except Fault as fault:
                self.run_of.complain(str(fault), data)
            while len(self.held) > HELD // self.run_of.args.threads:
                self.held.popleft().close()
        for one in self.held:
            one.close()

    def _visit(self, data):
        dice = self.dice
        sock = socket.socket()
        try:
            sock.settimeout(10)
            sock.bind((f"127.0.{dice.randrange(4)}.{dice.randrange(1, 250)}", 0))
            sock.connect(("127.0.0.1", self.run_of.place.gateway.port))
            self.run_of.count("connections")
            self._send(sock, data)
            way = dice.random()
            if way < 0.1:  # gone before an answer
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif way < 0.2:  # stays, and reads nothing
                self.held.append(sock)
                sock = None
            else:
                if way < 0.4:
                    sock.shutdown(socket.SHUT_WR)
                self._look(self._read(sock))
        finally:
            if sock:
                sock.close()

    def _send(self, sock, data):
        if self.dice.random() < 0.7:
            sock.sendall(data)
            return
        at = 0
        while at < len(data):
            step = self.dice.choice((1, 2, 7, 50, 500))
            sock.sendall(data[at:at + step])
            at += step
            if self.dice.random() < 0.05:
                time.sleep(0.002)  # so that it comes in pieces
            if self.dice.random() < 0.01:
                return  # half of it, and no more

    def _read(self, sock):
        """Until the gateway has no more to say for a moment."""
        got = b""
        sock.settimeout(2)
        with contextlib.suppress(socket.timeout, ConnectionError):
            while len(got) < 1 << 20:
                piece = sock.recv(65536)
                if not piece:
                    break
                got += piece
                sock.settimeout(0.1)
        return got

    def _look(self, got):
        if not got:
            self.run_of.count("no answer")
            return
        if not got.startswith(b"HTTP/1.1 "):
            raise Fault(f"this is not HTTP: {got[:80]!r}")
        head, _, rest = got.partition(b"\r\n\r\n")
        if re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", head):
            raise Fault(f"a control character in a head: {head!r}")
        status = int(got[9:12])
        self.run_of.count(f"answers {status}")
        if status == 500:
            raise Fault(f"a fault was answered: {got[:300]!r}")
        if status == 101:
            for opcode, payload in mutating.frames(rest):
                self.run_of.count("frames")
                if opcode == 1 and b"\r\n" not in payload:
                    json.loads(payload.decode("utf-8"))


class Run:
    def __init__(self, args, place):
        self.args = args
        self.place = place
        self.mutator = mutating.Mutator(ROOT / "tests/fuzz/corpus/entrance", ROOT / "build-fuzz/found/entrance")
        self.words = place.words()
        self.counts = collections.Counter()
        self.faults = []
        self.last = collections.deque(maxlen=KEPT)
        self.lock = threading.Lock()
        self.end = time.monotonic() + args.minutes * 60

    def is_over(self):
        return time.monotonic() > self.end or len(self.faults) > 20 or self.place.gateway.process.poll() is not None

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def note(self, data):
        with self.lock:
            self.last.append((time.time(), data))

    def complain(self, text, data=None):
        with self.lock:
            self.faults.append((text, data))
        print("FAULT", text, flush=True)

    def watch(self):
        """The bystander: is it alive, and does it say so?"""
        third, worst = None, 0.0
        while not self.is_over():
            begin = time.monotonic()
            try:
                status = requests.get(self.place.gateway.url + "/livez", timeout=60).status_code
            except requests.RequestException as error:
                status = str(error)
            worst = max(worst, time.monotonic() - begin)
            if status != 200 and self.place.gateway.process.poll() is None:
                self.complain(f"/livez: {status}")
            self.words = self.place.words()
            if third is None and self.end - time.monotonic() < self.args.minutes * 40:
                third = self.place.mib()  # everything has been grown once
            time.sleep(2)
        return third, worst

    def settle(self, fds, mib):
        """Everybody has gone: is everything as it was?"""
        gateway = self.place.gateway

        def is_quiet():
            with contextlib.suppress(OSError, AssertionError):
                return gateway.metric("tidegate_ws_connections") == 0 and self.place.descriptors() <= fds + 3
            return False

        try:
            wait_until(is_quiet, "sockets and descriptors to be given back", PATIENCE, step=0.5)
            wait_until(lambda: gateway.metric("tidegate_in_journal") == 0, "the journal to be stored", PATIENCE)
        except AssertionError as error:
            self.complain(f"{error}; descriptors {self.place.descriptors()}, before {fds}, "
                          f"sockets {gateway.metric('tidegate_ws_connections'):.0f}")
        for name in ("tidegate_ws_places_drift", "tidegate_ws_accounting_drift", "tidegate_accounting_drift"):
            if gateway.metric(name) != 0:
                self.complain(f"{name} is {gateway.metric(name):.0f}")
        grown = self.place.mib() - mib
        if grown > GROWN_MIB:
            self.complain(f"{grown:.0f} MiB more than after a third of the time")
        return grown

    def keep(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-live-", dir="/tmp"))
        for i, (when, data) in enumerate(self.last):
            (folder / f"{i:03}-{when:.3f}").write_bytes(data)
        for i, (text, data) in enumerate(self.faults):
            (folder / f"fault-{i:02}").write_bytes(text.encode() + b"\n" + (data or b""))
        shutil.copy(self.place.gateway.log_path, folder / "log")
        print(f"kept: {folder}")


def work(args, place):
    fds, mib = place.descriptors(), place.mib()
    run = Run(args, place)
    clients = [Client(run, i) for i in range(args.threads)]
    for one in clients:
        one.start()
    third, worst = run.watch()
    for one in clients:
        one.join(60)
    grown = 0.0
    if place.gateway.process.poll() is None:
        grown = run.settle(fds, third if third is not None else mib)
    else:
        run.complain(f"the gateway ended with {place.gateway.process.returncode}")
    try:
        place.close()
    except AssertionError as error:
        run.complain(str(error)[:4000])
    for what, n in sorted(run.counts.items()):
        print(f"{n:8} {what}")
    print(f"{grown:8.1f} MiB more than after a third; /livez took {worst:.2f} s at worst")
    if run.faults:
        run.keep()
    print(f"{len(run.faults)} faults, seed {args.seed}")
    return 1 if run.faults else 0


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/live")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--threads", type=int, default=6)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tgl", dir="/tmp"))
    folder.chmod(0o755)
    try:
        return work(args, Place(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
