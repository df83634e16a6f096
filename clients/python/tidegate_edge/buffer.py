"""What has not arrived yet, on the disk: it outlives the process, kill -9 and a full disk."""
import collections
import contextlib
import fcntl
import functools
import glob
import itertools
import logging
import os
import sqlite3
import threading
import time
from typing import NamedTuple

LOG = logging.getLogger("tidegate_edge")

OLDEST = "oldest"
NEWEST = "newest"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, is_urgent INTEGER NOT NULL,
                                     topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS messages_in_order ON messages (is_urgent DESC, id);
CREATE TABLE IF NOT EXISTS room (id INTEGER PRIMARY KEY, filler BLOB);
CREATE TABLE IF NOT EXISTS commands (id INTEGER PRIMARY KEY AUTOINCREMENT, command_id TEXT NOT NULL UNIQUE,
                                     answer BLOB);
"""
_N_COMMANDS = 1000  # that are remembered
_CHUNK = 256 << 10
_ROW = 64  # bytes that a row takes besides
_SIZE = f"length(payload) + length(topic) + {_ROW}"  # of a row
# Of one that was put aside, as far as it can be read.
_IDS = "SELECT id FROM messages NOT INDEXED ORDER BY id"
_ONE = ("SELECT is_urgent IS 1, topic, payload FROM messages NOT INDEXED"
        " WHERE id = ? AND typeof(topic) = 'text' AND typeof(payload) = 'blob'")
_COMMANDS = "SELECT command_id, answer FROM commands WHERE typeof(command_id) = 'text' ORDER BY id"


def _readable(db, query, *values):
    """Of its rows those before one that cannot be read."""
    with contextlib.suppress(sqlite3.DatabaseError):
        yield from db.execute(query, values)


def _mended(method):
    """Alone; and once more where it finds that the file is damaged, which is put aside then."""
    @functools.wraps(method)
    def do(self, *args, **kwargs):
        with self._lock:
            try:
                return method(self, *args, **kwargs)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # pylint: disable=unidiomatic-typecheck  # each of those is another matter
                    raise
                self._mend(error)
                return method(self, *args, **kwargs)
    return do


class Message(NamedTuple):
    """@id: ascending; below zero while it is only in memory, as the disk takes nothing."""
    id: int
    topic: str
    payload: bytes


class Buffer:
    """Messages in order, the urgent first, bounded by @limit of them and by @limit_bytes, which the file takes at the
    start, so that a disk that others fill does not matter later. Where it is full the newest give way if @keep is
    OLDEST, and else the oldest. Where there was no such room @memory of them wait in memory. Any thread."""

    def __init__(self, path, keep=OLDEST, limit=100_000, limit_bytes=16 << 20, memory=1000):
        if keep not in (OLDEST, NEWEST):
            raise ValueError(f"keep is {keep!r}, not {OLDEST!r} or {NEWEST!r}")
        self.path = os.fspath(path)
        self.keep = keep
        self.limit = limit
        self.limit_bytes = limit_bytes
        self.memory = memory
        self.n_dropped = 0  # since the start
        self.n_damaged = 0  # times that the file could not be read, since the start
        self.aside = None  # that file
        self._lock = threading.RLock()
        self._in_memory = collections.OrderedDict()  # id -> (is_urgent, topic, payload)
        self._last_id = 0  # of those
        self._taken = set()  # ids that are on their way
        self._moved = {}  # of those that were in memory then, and are not any more: id -> that of the row
        self._arrived = set()  # ids of rows that could not be deleted yet
        self._next_id = None  # of the next row; None: the one behind the last
        self._alone = self._keep_others_out()
        self._db = self._open()
        self._reserve()
        self._count()

    def _keep_others_out(self):
        """Two processes would send each message twice. The lock ends with the process, however that ends; it is on a
        file of its own, as closing any other of SQLite's would open SQLite's own lock."""
        lock = open(f"{self.path}.lock", "a", encoding="ascii")  # pylint: disable=consider-using-with  # until close()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise RuntimeError(f"{self.path}: another process has this buffer") from None
        return lock

    def _open(self):
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            return self._begin_anew(error)

    def _mend(self, error):
        """What is on its way stays so, under the number of its row now; of what was lost there is none."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._next_id = max([0, *self._taken, *self._moved.values()]) + 1  # no number that is on its way is another's
        self._db = self._begin_anew(error)
        self._arrived.clear()
        self._reserve()
        self._count()

    def _begin_anew(self, error):
        """One is kept aside, the last: on a card that fails again and again they would fill it."""
        LOG.error("the buffer cannot be read (%s)", error)
        self.n_damaged += 1
        self._remove_aside()
        self.aside = f"{self.path}.broken-{int(time.time())}"
        for end in ("", "-journal"):
            if os.path.exists(self.path + end):
                os.rename(self.path + end, self.aside + end)
        rows = {}
        try:
            db = self._connect()
        except sqlite3.OperationalError as full:
            LOG.error("there is no room beside it (%s): it is removed, and a new one begins", full)
            self._remove_aside()
            db = self._connect()
        else:
            rows = self._rescue(db)
            LOG.error("it is %s now, and a new one begins with the %d messages that can be read", self.aside, len(rows))
        self._moved = {one: rows[row] for one, row in self._moved.items() if row in rows}
        self._moved.update({one: rows[one] for one in self._taken if one in rows})
        return db

    def _remove_aside(self):
        for one in glob.glob(f"{glob.escape(self.path)}.broken-*"):
            os.remove(one)
        self.aside = None

    def _rescue(self, db):
        """id -> that of its row now: of those that can be read from both ends, and, by their ids, those between what cannot."""
        with contextlib.closing(sqlite3.connect(self.aside)) as old:
            first, last = ([row[0] for row in itertools.islice(_readable(old, f"{_IDS} {order}"), self.limit)]
                           for order in ("ASC", "DESC"))
            ids = {*first, *last}
            if first and last and 0 < last[-1] - first[-1] <= self.limit:
                ids.update(range(first[-1], last[-1]))
            next_id = self._next_id
            try:
                db.execute("BEGIN")
                rows = self._copy(old, db, sorted(ids - self._arrived))
                db.execute("COMMIT")
                return rows
            except sqlite3.OperationalError as error:
                LOG.error("there is no room for what can be read of it (%s)", error)
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self._next_id = next_id
                return {}

    def _copy(self, old, db, ids):
        rows = {one: self._put(db, row) for one in ids for row in _readable(old, _ONE, one)}
        for row in _readable(old, _COMMANDS):
            db.execute("INSERT OR IGNORE INTO commands (command_id, answer) VALUES (?, ?)", row)
        return rows

    def _put(self, db, row):
        one = db.execute("INSERT INTO messages (id, is_urgent, topic, payload) VALUES (?, ?, ?, ?)", (self._next_id, *row)).lastrowid
        self._next_id = None
        return one

    def _connect(self):
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            db.execute("PRAGMA journal_mode = PERSIST")  # what has room once has it also on a full disk
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):  # what no query of now would have touched, too
                raise sqlite3.DatabaseError("parts of it are not what was written")
        except BaseException:
            db.close()
            raise
        return db

    def _reserve(self):
        """Pages that are deleted stay in the file for others, as what the journal of SQLite has taken once stays its."""
        def pragma(name):
            return self._db.execute(f"PRAGMA {name}").fetchone()[0]

        try:
            if pragma("page_count") * pragma("page_size") < self.limit_bytes:
                self._db.execute("INSERT INTO room SELECT NULL, zeroblob(?) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)),"
                                 " (VALUES (1), (2), (3), (4))", (pragma("page_size") * 3 // 4,))
                self._db.execute("UPDATE room SET filler = randomblob(length(filler))")  # in the journal: 32 pages
            while pragma("page_count") * pragma("page_size") < self.limit_bytes:
                self._db.execute("INSERT INTO room (filler) VALUES (zeroblob(?))", (_CHUNK,))
        except sqlite3.OperationalError as error:
            LOG.warning("there is less room than the buffer may need (%s)", error)
        for row in self._db.execute("SELECT id FROM room").fetchall():
            self._db.execute("DELETE FROM room WHERE id = ?", row)

    def _count(self):
        self._n, self._bytes = self._db.execute(
            f"SELECT count(*), coalesce(sum({_SIZE}), 0) FROM messages").fetchone()

    def __len__(self):
        with self._lock:
            return self._n + len(self._in_memory) - len(self._arrived)

    @_mended
    def close(self):
        self._taken.clear()
        self._settle()
        self._db.close()
        self._alone.close()

    # what comes in

    @_mended
    def add(self, topic, payload, is_urgent=False):
        """False: it is dropped, and counted, as there is no room."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        message = (is_urgent, topic, payload)
        if self._make_room(len(payload) + len(topic) + _ROW) and (
                (self._settle() and self._insert(*message)) or self._force(*message) or self._remember(*message)):
            return True
        self.n_dropped += 1
        return False

    def _make_room(self, n_bytes):
        while len(self) >= self.limit or (self._n and self._bytes + n_bytes > self.limit_bytes):
            if self.keep == OLDEST or not self._drop_oldest():
                return False
        return n_bytes <= self.limit_bytes

    def _force(self, *message):
        """On a full disk: the oldest leave their place to the newest, where that is wanted."""
        while self.keep == NEWEST and self._n > 0 and self._drop_oldest():
            if self._settle() and self._insert(*message):
                return True
        return False

    def _drop_oldest(self):
        row = self._db.execute("SELECT min(id) FROM messages").fetchone()
        if row[0] is not None and self._delete([row[0]]):
            self.n_dropped += 1
            return True
        return self._forget_oldest()

    def _forget_oldest(self):
        if not self._in_memory:
            return False
        self._in_memory.popitem(last=False)
        self.n_dropped += 1
        return True

    def _insert(self, is_urgent, topic, payload):
        """The id of its row, or None."""
        try:
            row = self._put(self._db, (int(is_urgent), topic, payload))
        except sqlite3.OperationalError as error:
            LOG.warning("the disk takes nothing (%s): kept in memory", error)
            return None
        self._n += 1
        self._bytes += len(payload) + len(topic) + _ROW
        return row

    def _remember(self, *message):
        if len(self._in_memory) >= self.memory and (self.keep == OLDEST or not self._forget_oldest()):
            return False
        self._last_id -= 1
        self._in_memory[self._last_id] = message
        return True

    def _settle(self):
        """What the disk did not take goes there as soon as it does. False: it does not."""
        if self._arrived and self._delete(self._arrived):
            self._arrived.clear()
        for one in list(self._in_memory):
            row = self._insert(*self._in_memory[one])
            if not row:
                return False
            del self._in_memory[one]
            if one in self._taken:
                self._moved[one] = row
        return True

    # what goes out

    @_mended
    def take(self, n):
        """Up to @n messages that are not on their way yet: they are, from now on."""
        self._settle()
        unwanted = self._taken | self._arrived | set(self._moved.values())
        found = [Message(*row) for row in self._db.execute(
            "SELECT id, topic, payload FROM messages ORDER BY is_urgent DESC, id LIMIT ?", (n + len(unwanted),))]
        found += [Message(one, *message[1:]) for one, message in self._in_memory.items()]
        found = [one for one in found if one.id not in unwanted][:n]
        self._taken.update(one.id for one in found)
        return found

    def give_back(self):
        """None is on its way any more: they are taken again, in order."""
        with self._lock:
            self._taken.clear()
            self._moved.clear()

    @_mended
    def arrived(self, ids):
        rows = [row for row in (self._moved.get(one, one) for one in ids) if row > 0]
        if rows and not self._delete(rows):
            self._arrived.update(rows)
        self._taken.difference_update(ids)
        for one in ids:
            self._in_memory.pop(one, None)
            self._moved.pop(one, None)

    def _delete(self, ids):
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                deleted = [row[0] for one in ids for row in self._db.execute(
                    f"DELETE FROM messages WHERE id = ? RETURNING {_SIZE}", (one,)).fetchall()]
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError:
            return False
        self._n -= len(deleted)
        self._bytes -= sum(deleted)
        return True

    # commands, of which each is obeyed once

    @_mended
    def begin_command(self, command_id):
        """None: it is new, and noted as begun. Else the answer that it had, b"" where it has none yet."""
        row = self._db.execute("SELECT answer FROM commands WHERE command_id = ?", (command_id,)).fetchone()
        if row:
            return row[0] or b""
        try:
            self._db.execute("INSERT INTO commands (command_id) VALUES (?)", (command_id,))
            self._db.execute("DELETE FROM commands WHERE id <= (SELECT max(id) FROM commands) - ?", (_N_COMMANDS,))
        except sqlite3.OperationalError as error:
            LOG.warning("a command is not noted (%s): it may be obeyed twice", error)
        return None

    @_mended
    def end_command(self, command_id, answer):
        try:
            self._db.execute("UPDATE commands SET answer = ? WHERE command_id = ?", (answer, command_id))
        except sqlite3.OperationalError as error:
            LOG.warning("an answer is not noted (%s)", error)
