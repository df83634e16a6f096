"""Memory after storms: each is done four times over, and must not leave more each time.

A storm is a crowd that comes, is at its worst at the same time, and goes. Anonymous memory is read
before it, at its height, and when it has stood still again.
"""
import argparse
import asyncio
import contextlib
import json
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from load import Publisher
from servers import ROOT, Broker, Database, Gateway, Postgres
from waiting import wait_until

TIMES = 4
ALLOWED_MIB = 4.0  # more after the last time than after the first
DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- storms: begin -->", "<!-- storms: end -->"
MIB = 1 << 20
N_DEVICES = 1500


class Memory:
    """Anonymous memory of a process, with the most that there was."""

    def __init__(self, pid):
        self.pid = pid
        self.peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(re.search(r"RssAnon:\s+(\d+)", text)[1]) / 1024

    def _watch(self):
        with contextlib.suppress(OSError, TypeError):  # it has ended, or is ending
            while True:
                self.peak = max(self.peak, self.now())
                time.sleep(0.02)

    def settled(self):
        """Once it has stood still for three seconds, of which each has a turn that gives back."""
        seen = [self.now()]
        while len(seen) < 4 or max(seen[-4:]) - min(seen[-4:]) > 0.25:
            time.sleep(1)
            seen.append(self.now())
            if len(seen) > 60:
                break
        return seen[-1]


def head(method, path, token=None, *lines):
    bearer = [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *bearer, *lines, "", ""]).encode()


def upgrade(path, token, *lines):
    return head("GET", path, token, "Connection: Upgrade", "Upgrade: websocket",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *lines)


def frame(text):
    """A text message of a client, with a mask of zeros."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


class Crowd:
    """Connections that are made, say something, and are then held or read to their end."""

    def __init__(self, gateway, tls=None):
        self.port = gateway.port
        self.tls = tls
        self.held = []

    async def say(self, data, *more, is_small=False):
        """@is_small: it takes next to nothing of what it does not read."""
        sock = socket.socket()
        sock.setblocking(False)
        if is_small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=2048 if is_small else 1 << 17,
                                                       ssl=self.tls, server_hostname=self.tls and "x")
        writer.write(data)
        if more:
            await reader.readuntil(b"\r\n\r\n")
            for each in more:
                writer.write(each)
        return reader, writer

    async def hold(self, data, *more, is_small=False):
        self.held.append(await self.say(data, *more, is_small=is_small))

    async def answered(self, data):
        reader, writer = await self.say(data)
        self.held.append((reader, writer))
        await reader.readuntil(b"\r\n\r\n")

    async def whole(self, data):
        """One question with "Connection: close"."""
        reader, writer = await self.say(data)
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass
        writer.close()

    def let_go(self):
        for _, writer in self.held:
            writer.transport.abort()
        self.held.clear()


async def many(n, make, at_once=200):
    """@n of them, some at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(i):
        async with gate:
            try:
                await make(i)
            except (OSError, asyncio.IncompleteReadError):
                pass
    await asyncio.gather(*(one(i) for i in range(n)))


class Storms:
    def __init__(self, world):
        self.gateway = world.gateway
        self.broker = world.broker
        self.tls_port = world.secure
        self.root = self.gateway.token("root")
        self.cursor = None

    async def idle_sockets(self, crowd):
        await many(10000, lambda i: crowd.answered(upgrade("/api/ws", self.root)))

    async def event_streams(self, crowd):
        await many(1000, lambda i: crowd.answered(head("GET", "/api/events?to=vehicle/*,device/*", self.root)))

    async def big_bodies(self, crowd):
        body = b'{"device_id":"dev-0","detections":[' + b" " * (MIB - 200)
        async def half(i):
            _, writer = await crowd.say(head("POST", "/api/v1/detections/bulk", None, "X-API-Key: " + self.gateway.device,
                                             "Content-Type: application/json", f"Content-Length: {len(body) + 2}") + body)
            crowd.held.append((None, writer))
            await writer.drain()
        await many(48, half)
        await asyncio.sleep(2)

    async def long_subscriptions(self, crowd):
        text = json.dumps({"op": "subscribe", "id": 1, "to": [f"device/dev-{i}" for i in range(1400)]})
        await many(200, lambda i: crowd.hold(upgrade("/api/ws", self.root, "Sec-WebSocket-Protocol: tidegate.v1"),
                                             frame(text)))
        await asyncio.sleep(3)

    async def unread_snapshots(self, crowd):
        text = json.dumps({"op": "subscribe", "id": 1, "to": ["device/*"], "snapshot": True})
        await many(200, lambda i: crowd.hold(upgrade("/api/ws", self.root, "Sec-WebSocket-Protocol: tidegate.v1"),
                                             frame(text), is_small=True))
        await asyncio.sleep(5)

    async def unread_lists(self, crowd):
        await many(200, lambda i: crowd.hold(upgrade("/ws/devices", self.gateway.token(f"a{i % 20}")), is_small=True))
        await asyncio.sleep(3)

    async def histories(self, crowd):
        await many(300, lambda i: crowd.whole(head("GET", "/api/alerts?limit=1000", self.gateway.token(f"u{i % 40}"),
                                                   "Connection: close")), 20)

    async def log_ins(self, crowd):
        form = "username=u1&password=wrong".encode()
        await many(150, lambda i: crowd.whole(head("POST", "/api/token", None, "Connection: close",
                                                   "Content-Type: application/x-www-form-urlencoded",
                                                   f"Content-Length: {len(form)}") + form), 50)

    async def deflated_sockets(self, crowd):
        await many(2000, lambda i: crowd.answered(upgrade("/api/ws", self.root,
                                                          "Sec-WebSocket-Extensions: permessage-deflate")))
        await asyncio.to_thread(self.publish, 500, '{"speed": 1}')

    async def resumes(self, crowd):
        text = json.dumps({"op": "subscribe", "id": 1, "to": ["vehicle/*"], "since": self.cursor})
        await many(400, lambda i: crowd.hold(upgrade("/api/ws", self.root, "Sec-WebSocket-Protocol: tidegate.v1"),
                                             frame(text)))
        await asyncio.sleep(5)

    async def wrong_tokens(self, crowd):
        await many(10000, lambda i: crowd.whole(head("GET", "/api/devices", f"x.{i}.y", "Connection: close")))

    async def garbage_messages(self, crowd):
        await asyncio.to_thread(self.publish, 20000, "no json at all")

    async def tls_handshakes(self, crowd):
        await many(3000, lambda i: crowd.answered(upgrade("/api/ws", self.root)), 100)

    def publish(self, n, payload):
        lines = "".join(f"{payload}\n" for _ in range(n))
        subprocess.run(["mosquitto_pub", "-p", str(self.broker.port), "-q", "1", "-l", "-t",
                        "seano/USV-0/vehicle_log"], input=lines, text=True, check=True)
        wait_until(lambda: self.gateway.metric("tidegate_in_journal") == 0, "the journal", 120)


# The one that needs most memory comes late: what a process has had, it uses again.
NAMES = ("event_streams", "wrong_tokens", "garbage_messages", "long_subscriptions", "resumes", "histories",
         "deflated_sockets", "unread_lists", "unread_snapshots", "big_bodies", "log_ins", "idle_sockets",
         "tls_handshakes")


class World:
    """The servers, and what is in them."""

    def __init__(self, folder):
        self.postgres = Postgres(folder / "pg")
        self.postgres.start()
        self.postgres.execute("postgres", "CREATE DATABASE storms")
        self.database = Database(self.postgres, "storms")
        self.broker = Broker(folder / "broker").start()
        settings = {"ws__max_connections_per_user": 20000, "ws__user_share": 100, "http__share": 100,
                    "http__max_connections": 4096, "ws__max_unauthenticated": 5000}
        self.gateway = Gateway(folder / "gateway", self.database, self.broker, **settings)
        self.gateway.cli("migrate")
        self.fill()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout",
                        str(folder / "key"), "-out", str(folder / "cert")], check=True, capture_output=True)
        (folder / "key").chmod(0o600)
        self.secure = Gateway(folder / "secure", self.database, None, **settings, cluster__slot=1,
                              http__tls_cert=folder / "cert", http__tls_key=folder / "key")
        self.gateway.start()

    def fill(self):
        gateway, rows = self.gateway, self.database.rows
        gateway.add_user("root", "admin")
        gateway.add_user("u1")
        rows("INSERT INTO users (username, password_hash) SELECT 'u' || i, '' FROM generate_series(0, 39) i WHERE i <> 1")
        gateway.add_vehicle("USV-0", "u1")
        _, gateway.device = gateway.add_device("dev-0", "u1")
        rows("INSERT INTO devices (code, name, user_id) SELECT 'dev-' || i, repeat('n', 200),"
             f" (SELECT id FROM users WHERE username = 'u' || i %% 40) FROM generate_series(1, %s) i", N_DEVICES)
        rows("INSERT INTO users (username, password_hash, role) SELECT 'a' || i, '', 'admin' FROM generate_series(0, 19) i")
        rows("INSERT INTO shares (user_id, vehicle_id) SELECT u.id, v.id FROM users u, vehicles v"
             " WHERE u.username LIKE 'u%%'")

    def fill_history(self):
        self.database.rows(
            "INSERT INTO alerts (vehicle_id, journal_id, seq, received_at, time, severity, extra)"
            " SELECT v.id, journal_id, i, now(), now(), 'info', jsonb_build_object('x', repeat('y', 2000))"
            " FROM journal_positions, vehicles v, generate_series(1, 1000) i LIMIT 1000")

    def fill_states(self):
        publisher = Publisher(self.broker)
        for i in range(N_DEVICES):
            publisher.publish(f"ems/dev-{i}/telemetry", json.dumps({"text": "z" * 1000}))
        publisher.stop()
        publisher.close()

    def close(self):
        for gateway in (self.gateway, self.secure):
            gateway.stop()
        self.broker.stop()
        self.postgres.stop()


def repeat(storms, name, gateway, tls=None):
    """(before, height, after the first, ..., after the last), in MiB."""
    memory = Memory(gateway.pid)
    numbers = [memory.settled(), 0.0]
    for _ in range(TIMES):
        crowd = Crowd(gateway, tls)

        async def once():
            await getattr(storms, name)(crowd)
            crowd.let_go()
            await asyncio.sleep(0)
        memory.peak = 0.0
        asyncio.run(once())
        numbers[1] = max(numbers[1], memory.peak)
        numbers.append(memory.settled())
    return numbers


def report(rows):
    lines = [f"Measured {time.strftime('%Y-%m-%d')} with a release build: anonymous memory in MiB, of a process that had all "
             "the storms above it before.", "",
             "| storm (`tests/faults/storms --only NAME`) | before | height | after 1 | after 2 | after 3 | after 4 | grows |",
             "|---|--:|--:|--:|--:|--:|--:|---|"]
    for name, numbers in rows:
        grows = "no" if numbers[-1] - numbers[2] <= ALLOWED_MIB else "**yes**"
        lines.append(f"| {name} | " + " | ".join(f"{n:.1f}" for n in numbers) + f" | {grows} |")
    return "\n".join(lines)


def run(world, only):
    storms, rows = Storms(world), []
    storms.publish(1, '{"speed": 0}')
    answer = world.gateway.get("/api/events/poll?wait=0", "root")
    storms.cursor = answer.headers["Tidegate-Cursor"]
    world.fill_history()
    world.fill_states()
    storms.publish(3000, '{"speed": 0}')
    for name in NAMES:
        if only and only not in name:
            continue
        tls = None
        if name == "tls_handshakes":
            world.secure.start(wait=False)
            tls = ssl._create_unverified_context()  # pylint: disable=protected-access
            wait_until(lambda: "ws_listening" in world.secure.log() and "database_connected" in world.secure.log(),
                       "the gateway with TLS")
        rows.append((name, repeat(storms, name, world.secure if tls else world.gateway, tls)))
        print(name, *(f"{n:.1f}" for n in rows[-1][1]), flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="tests/faults/storms", description=__doc__)
    parser.add_argument("--only", help="storms whose name has it")
    parser.add_argument("--document", action="store_true", help="writes docs/reliability.md")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tgs", dir="/tmp"))
    folder.chmod(0o755)
    world = World(folder)
    try:
        rows = run(world, args.only)
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(report(rows))
    if args.document:
        before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{report(rows)}\n{END}{rest.split(END)[1]}", "utf-8")
    return any(numbers[-1] - numbers[2] > ALLOWED_MIB for _, numbers in rows)


if __name__ == "__main__":
    sys.exit(main())
