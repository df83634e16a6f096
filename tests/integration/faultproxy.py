"""A proxy between the gateway and PostgreSQL that loses what it is told to lose, where it is told to.

It reads the messages of PostgreSQL's protocol (unencrypted, over a unix socket) and asks its rule
about each: forward it, cut the connection before it, freeze its direction from here on, as a link
does that is not there any more but has not said so, or drop it (and the next that the rule names).
"""
import contextlib
import pathlib
import shutil
import socket
import struct
import threading
import time

from waiting import wait_until

TO_SERVER, TO_CLIENT = "to_server", "to_client"
CUT, FREEZE, DROP = "cut", "freeze", "drop"
_NO_ENCRYPTION = (80877103, 80877104)  # SSLRequest, GSSENCRequest
_DIRECTIONS = (TO_SERVER, TO_CLIENT)


def each_client(listener):
    """Whoever connects, until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        yield client


class Message:
    """One message: its letter ("" for the start-up), its body, and what the proxy knows about it."""

    def __init__(self, link, direction, letter, body):
        self.link = link
        self.direction = direction
        self.letter = letter
        self.body = body

    @property
    def statement(self):
        """The prepared statement that a Bind names, the text of a Parse or a Query."""
        if self.direction != TO_SERVER or self.letter not in ("B", "P", "Q"):
            return ""
        parts = self.body.split(b"\0")
        return parts[0 if self.letter == "Q" else 1].decode("utf-8", "replace")

    @property
    def tag(self):
        """What a statement did, as CommandComplete has it."""
        is_complete = self.direction == TO_CLIENT and self.letter == "C"
        return self.body.rstrip(b"\0").decode() if is_complete else ""


class Pipe:
    """One connection of the gateway and ours for it, with a thread a direction.

    Of its proxy: delay_s of each piece (or a function that says it), and deaf_to: the direction of
    which nothing is read, until its sender may send no more.

    _forward(direction, sink, data) of who inherits sends on what may go, and returns the rest."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.thawed = threading.Event()
        self.has_answered = threading.Event()  # the server says nothing more
        self.is_cut = False

    def start(self):
        for direction in _DIRECTIONS:
            threading.Thread(target=self._pump, args=(direction,), daemon=True).start()

    def cut(self):
        """Both ends learn of it."""
        self.is_cut = True
        self.thawed.set()
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pump(self, direction):
        source, sink = (self.client, self.server) if direction == TO_SERVER \
            else (self.server, self.client)
        data = b""
        has_ended = False
        with contextlib.suppress(OSError):
            while not self.is_cut:
                if self.proxy.deaf_to == direction:
                    time.sleep(0.01)
                    continue
                chunk = source.recv(262144)
                has_ended = not chunk
                if has_ended:
                    break
                time.sleep(self.proxy.delay_s() if callable(self.proxy.delay_s) else self.proxy.delay_s)
                data = self._forward(direction, sink, data + chunk)
        if direction == TO_SERVER and has_ended:
            self._pass_end_on()
        if direction == TO_CLIENT:
            self.has_answered.set()
        self.cut()
        source.close()

    def _pass_end_on(self):
        """The server hears the end behind all that came before it, and is heard to its own: a reset in
        place of that, which is what closing with unread data makes, takes the last words with it."""
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_WR)
            self.has_answered.wait()


class Link(Pipe):
    """A connection to PostgreSQL."""

    def __init__(self, proxy, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(proxy.target)
        super().__init__(proxy, client, server)
        self.name = ""  # application_name
        self.is_committing = False  # a batch's COMMIT is on its way or answered
        self.frozen = {d: threading.Event() for d in _DIRECTIONS}
        if proxy.is_partitioned:
            self.freeze()
        self.start()

    def freeze(self):
        """Nothing goes in either direction any more, and nobody is told."""
        self.thawed.clear()
        for event in self.frozen.values():
            event.set()

    def thaw(self):
        for event in self.frozen.values():
            event.clear()
        self.thawed.set()

    def _forward(self, direction, sink, data):
        """What is left of @data once its whole messages are through."""
        at = sent = 0
        while True:
            is_start = direction == TO_SERVER and not self.name
            head = 0 if is_start else 1
            if len(data) < at + head + 4:
                break
            (n,) = struct.unpack_from("!I", data, at + head)
            if len(data) < at + head + n:
                break
            letter = "" if is_start else chr(data[at])
            body = data[at + head + 4:at + head + n]
            if is_start and struct.unpack_from("!I", body)[0] in _NO_ENCRYPTION:
                self.client.sendall(b"N")
                at = sent = at + n
                continue
            what = self._judge(Message(self, direction, letter, body))
            if not what and self.frozen[direction].is_set():
                what = FREEZE
            if what:
                sink.sendall(data[sent:at])  # all before it arrives
                sent = at
                if what == DROP:
                    at = sent = at + head + n
                    continue
                if what == CUT:
                    self.cut()
                    raise ConnectionError
                self.frozen[direction].set()
                self.thawed.wait()
            at += head + n
        sink.sendall(data[sent:at])
        return data[at:]

    def _judge(self, message):
        if message.letter == "":
            words = message.body[4:].split(b"\0")
            names = dict(zip(words[::2], words[1::2]))
            self.name = names.get(b"application_name", b"?").decode()
        if message.letter == "B":
            self.is_committing = message.statement == "commit"
        return self.proxy.judge(message)


class PostgresProxy:
    """Listens beside a cluster. Without a rule it only passes on."""

    def __init__(self, folder, postgres):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(mode=0o755)
        self.target = str(postgres.folder / ".s.PGSQL.5432")
        self.links = []
        self.delay_s = 0.0
        self.deaf_to = None
        self.is_partitioned = False
        self.n_faults = 0
        self._rule = None
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / ".s.PGSQL.5432"))
        self._listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database):
        return f"postgresql://tidegate@/{database.name}?host={self.folder}"

    def _accept(self):
        for client in each_client(self._listener):
            try:
                self.links = [*(link for link in self.links if not link.is_cut), Link(self, client)]
            except OSError:  # the server is away: so are we
                client.close()

    def judge(self, message):
        with self._lock:
            what = self._rule(message) if self._rule else None
            if what:
                self.n_faults += 1
                if what != DROP:
                    self._rule = None
            return what

    def arm(self, rule):
        """rule(message) -> None, CUT or FREEZE, for each message until it first says what to do."""
        with self._lock:
            self._rule = rule
        return self.n_faults

    def disarm(self):
        self.arm(None)

    def fault(self, rule, what="the fault"):
        """Arms the rule and waits until it has struck."""
        before = self.arm(rule)
        wait_until(lambda: self.n_faults > before, what)

    def frozen(self):
        return [link for link in self.links
                if not link.is_cut and any(e.is_set() for e in link.frozen.values())]

    def freeze(self):
        """Every link, and each that is made from now on, until thaw()."""
        self.is_partitioned = True
        for link in self.links:
            link.freeze()

    def thaw(self):
        self.is_partitioned = False
        for link in self.links:
            link.thaw()

    def cut(self, name="tidegate/"):
        """Cuts every connection of that name."""
        for link in self.links:
            if link.name.startswith(name):
                link.cut()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the one who accepts
        self._listener.close()
        self.cut("")
        shutil.rmtree(self.folder, ignore_errors=True)


# Rules. Each looks at the processor's connection only.

def _of_processor(message):
    return message.link.name == "tidegate/processor"


def commit_request(what=CUT):
    """Before the COMMIT of a batch reaches the server."""
    return lambda m: what if _of_processor(m) and m.letter == "B" and m.statement == "commit" \
        else None


def commit_answer(what=CUT):
    """After the COMMIT of a batch took effect, before its answer comes back."""
    return lambda m: what if _of_processor(m) and m.tag == "COMMIT" and m.link.is_committing \
        else None


def nth_message(n, direction, what=CUT):
    """Anywhere: before the n-th message in that direction from now on."""
    seen = [0]

    def rule(message):
        if not _of_processor(message) or message.direction != direction:
            return None
        seen[0] += 1
        return what if seen[0] >= n else None
    return rule


def notifications():
    """All that the server tells those who listen is lost, and nothing else."""
    return lambda m: DROP if m.direction == TO_CLIENT and m.letter == "A" else None


def statement(text, what=CUT):
    """Before a statement that contains the text reaches the server."""
    return lambda m: what if _of_processor(m) and text in m.statement else None
