"""The buffer of clients/python: what was added is there until it has arrived, whatever happens to process and disk."""
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from servers import ROOT, die_with_parent

FOLDER = ROOT / "clients/python"
sys.path.insert(0, str(FOLDER))

from tidegate_edge import NEWEST, OLDEST, Buffer  # noqa: E402

N_FULL = 5000  # messages, which a disk of 1 MB does not hold

# Adds numbers until it is killed, and says each that it has been told is kept.
ADDS = """
import sys
from tidegate_edge import Buffer
buffer = Buffer(sys.argv[1], keep=sys.argv[2], limit=10**6, memory=int(sys.argv[3]))
for n in range(int(sys.argv[4])):
    if buffer.add("t", str(n) + " " * 200):
        print(n, flush=True)
print("dropped", buffer.n_dropped, flush=True)
buffer.close()
"""


def numbers(buffer):
    return [int(one.payload) for one in buffer.take(10**6)]


def adder(*args, before=()):
    return subprocess.Popen([*before, sys.executable, "-c", ADDS, *map(str, args)], text=True, stdout=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": str(FOLDER)}, preexec_fn=die_with_parent)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "buffer"


def test_messages_go_out_in_order_and_the_urgent_first(path):
    buffer = Buffer(path)
    for n in range(3):
        buffer.add("t", str(n))
    buffer.add("ack", "100", is_urgent=True)
    assert [(one.topic, one.payload) for one in buffer.take(2)] == [("ack", b"100"), ("t", b"0")]
    assert numbers(buffer) == [1, 2]
    assert numbers(buffer) == []


def test_what_has_not_arrived_is_there_again_also_for_the_next_process(path):
    buffer = Buffer(path)
    for n in range(4):
        buffer.add("t", str(n))
    taken = buffer.take(3)
    buffer.arrived([taken[0].id, taken[2].id])
    buffer.give_back()
    assert numbers(buffer) == [1, 3]
    buffer.close()
    assert numbers(Buffer(path)) == [1, 3]


@pytest.mark.parametrize("keep, kept", [(OLDEST, [0, 1, 2]), (NEWEST, [2, 3, 4])])
@pytest.mark.parametrize("limits", [{"limit": 3}, {"limit_bytes": 3 * 66}])
def test_what_gives_way_when_it_is_full_is_chosen_and_counted(path, keep, kept, limits):
    buffer = Buffer(path, keep=keep, **limits)
    assert [buffer.add("t", str(n)) for n in range(5)] == [True] * 3 + [keep == NEWEST] * 2
    assert numbers(buffer) == kept
    assert buffer.n_dropped == 2


def test_a_message_larger_than_the_buffer_costs_no_other(path):
    buffer = Buffer(path, limit_bytes=1000)
    buffer.add("t", "1")
    assert not buffer.add("t", "x" * 1001)
    assert numbers(buffer) == [1]


def test_kill_9_costs_nothing_that_was_taken(path):
    one = adder(path, OLDEST, 1000, 10**6)
    last = [int(one.stdout.readline()) for _ in range(300)][-1]
    one.send_signal(signal.SIGKILL)
    said = [int(line) for line in one.stdout.read().split()]
    one.wait()
    last = max([last, *said])
    assert numbers(Buffer(path, limit=10**6))[:last + 1] == list(range(last + 1))


def on_a_full_disk(tmp_path, keep, n, fill):
    """Numbers below n added on a disk of 1 MB, of which others take @fill first: those that add() took, how many were
    dropped, and those that the next process finds."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    copy.mkdir()
    script = ('mount -t tmpfs -o size=1m none "$0" && head -c ' + str(fill) + ' /dev/zero >"$0/others"; "$@"; '
              f'cp "$0"/buffer* {copy}/')
    one = adder(disk / "buffer", keep, 50, n, before=["unshare", "--map-root-user", "--mount", "sh", "-c", script, disk])
    lines = one.stdout.read().splitlines()
    assert one.wait() == 0
    dropped = int(next(line for line in lines if line.startswith("dropped")).split()[1])
    return [int(line) for line in lines if line.isdigit()], dropped, numbers(Buffer(copy / "buffer", limit=10**6))


@pytest.mark.parametrize("fill", [0, 600_000])
def test_on_a_full_disk_the_oldest_are_kept_to_the_last(tmp_path, fill):
    added, dropped, kept = on_a_full_disk(tmp_path, OLDEST, N_FULL, fill)
    assert len(added) == N_FULL - dropped < N_FULL
    assert 500 < len(kept) and kept == list(range(len(kept)))


@pytest.mark.parametrize("fill", [0, 600_000])
def test_on_a_full_disk_the_newest_are_kept(tmp_path, fill):
    added, dropped, kept = on_a_full_disk(tmp_path, NEWEST, N_FULL, fill)
    assert added == list(range(N_FULL)) and dropped > 0
    assert 500 < len(kept) and kept == list(range(N_FULL - len(kept), N_FULL))


@pytest.mark.parametrize("arrives", [True, False])
def test_what_waits_in_memory_keeps_its_place_when_the_disk_takes_it(path, arrives):
    """Also while it is on its way."""
    buffer = Buffer(path, limit_bytes=64 << 10)
    buffer.limit_bytes = 1 << 30  # more than the file, which may not grow, has room for
    pages = buffer._db.execute("PRAGMA page_count").fetchone()[0]  # pylint: disable=protected-access
    buffer._db.execute(f"PRAGMA max_page_count = {pages}")  # pylint: disable=protected-access
    n, ids = 0, []
    while sum(one < 0 for one in ids) < 3:
        buffer.add("t", str(n) + " " * 500)
        n += 1
        ids = [one.id for one in buffer.take(10**6)]
        buffer.give_back()
    buffer.take(10**6)
    buffer._db.execute("PRAGMA max_page_count = 100000")  # pylint: disable=protected-access
    for n in range(n, n + 2):
        assert buffer.add("t", str(n))
    assert numbers(buffer) == [n - 1, n], "the others are on their way"
    if arrives:
        buffer.arrived(ids)
    left = [n - 1, n] if arrives else list(range(n + 1))
    assert len(buffer) == len(left)
    buffer.give_back()
    assert numbers(buffer) == left
    buffer.close()
    assert numbers(Buffer(path)) == left


def test_a_disk_that_others_fill_later_does_not_matter(tmp_path):
    buffer = Buffer(tmp_path / "buffer", limit_bytes=1 << 20)
    before = sum(one.stat().st_size for one in tmp_path.iterdir())
    for n in range(3000):
        buffer.add("t", f"{n}" + " " * 200)
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= before * 1.1


def test_a_buffer_that_cannot_be_read_is_put_aside(path):
    pathlib.Path(path).write_bytes(b"this is no database" * 1000)
    buffer = Buffer(path)
    assert buffer.add("t", "1")
    assert numbers(buffer) == [1]
    assert len(list(path.parent.glob("buffer.broken-*"))) == 1


def lose(path, *numbers_lost):
    """What a card does: the pages that these messages are on are not what was written."""
    data = bytearray(path.read_bytes())
    for n in numbers_lost:
        words, at = b"t%d " % n, -1
        while (at := data.find(words, at + 1)) >= 0:
            begin = at // 4096 * 4096
            data[begin:begin + 4096] = b"\xff" * 4096
    path.write_bytes(data)


def filled(path, n):
    buffer = Buffer(path)
    for one in range(n):
        buffer.add("t", f"{one}" + " " * 500)
    assert buffer.begin_command("c1") is None
    buffer.close()


def test_a_buffer_of_which_a_part_is_lost_is_put_aside_and_what_can_be_read_of_it_goes_on(path, caplog):
    filled(path, 2000)
    lose(path, 700, 1400)
    buffer = Buffer(path)
    assert buffer.add("t", "2000")
    found = numbers(buffer)
    lost = set(range(2001)) - set(found)
    assert found == sorted(found)
    assert {700, 1400} <= lost and len(lost) < 100
    assert f"{len(found) - 1} messages that can be read" in caplog.text
    assert list(path.parent.glob("buffer.broken-*[0-9]")) == [pathlib.Path(buffer.aside)]
    assert os.stat(buffer.aside).st_mode & 0o777 == 0o600
    assert buffer.begin_command("c1") == b"", "it was begun"


def test_of_those_that_are_put_aside_the_last_one_stays(path):
    for aside in ("buffer.broken-1", "buffer.broken-1-journal"):
        path.with_name(aside).write_bytes(b"of before")
    filled(path, 100)
    lose(path, 50)
    buffer = Buffer(path)
    assert len(buffer) > 80
    assert {str(one) for one in path.parent.glob("buffer.broken-*")} - {f"{buffer.aside}-journal"} == {buffer.aside}


N_LONG = 8000  # more than SQLite keeps in memory of a file


def filled_long(path):
    filled(path, 0)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executemany("INSERT INTO messages (is_urgent, topic, payload) VALUES (0, 't', ?)",
                       ((f"{n}".encode() + b" " * 500,) for n in range(N_LONG)))
    return Buffer(path)


def test_a_part_that_is_lost_while_it_is_used_costs_what_was_on_it(path):
    buffer = filled_long(path)
    lose(path, 700, 1400)
    found = numbers(buffer)
    lost = set(range(N_LONG)) - set(found)
    assert found == sorted(found)
    assert {700, 1400} <= lost and len(lost) < 100
    assert buffer.n_damaged == 1 and os.path.exists(buffer.aside)
    assert buffer.add("t", str(N_LONG)) and numbers(buffer) == [N_LONG]
    assert buffer.begin_command("c1") == b"", "it was begun"
    assert len(buffer) == len(found) + 1


@pytest.mark.parametrize("lost", [[3000], [50, 3000]], ids=["none of them", "one of them"])
def test_what_is_on_its_way_as_a_part_is_lost_goes_out_once_and_takes_nothing_with_it(path, lost):
    buffer = filled_long(path)
    ids = [one.id for one in buffer.take(100)]
    lose(path, *lost)
    rest = numbers(buffer)
    assert buffer.n_damaged == 1 and rest[0] == 100
    new = list(range(N_LONG, N_LONG + 300))
    assert all(buffer.add("t", str(n)) for n in new)
    buffer.arrived(ids)
    buffer.give_back()
    assert numbers(buffer) == [*rest, *new]


def test_what_had_arrived_as_a_part_is_lost_is_not_sent_again(path):
    buffer = filled_long(path)
    ids = [one.id for one in buffer.take(N_LONG)]
    lose(path, 700)
    for i in range(0, len(ids), 50):
        buffer.arrived(ids[i:i + 50])
    buffer.give_back()
    assert buffer.n_damaged == 1
    assert numbers(buffer) == [] and len(buffer) == 0


def test_a_command_and_an_end_find_the_damage_as_a_message_does(path):
    buffer = filled_long(path)
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert buffer.begin_command("c2") is None and buffer.n_damaged == 1
    assert buffer.add("t", "1")
    buffer.close()
    assert numbers(Buffer(path)) == [1]


LOSES = """
import sys
from tidegate_edge import Buffer
path = sys.argv[1]
buffer = Buffer(path, limit_bytes=400_000)
for n in range(100):
    buffer.add("t", str(n))
buffer.close()
with open(path, "r+b") as file:
    file.seek(4096)
    file.write(b"\\xff" * 4096)
try:
    with open(path + "-others", "wb", buffering=0) as others:
        while True:
            others.write(bytes(1024))
except OSError:
    pass
buffer = Buffer(path, limit_bytes=400_000)
print(buffer.aside, buffer.add("t", "1"), len(buffer))
"""


def test_on_a_disk_that_has_no_room_for_both_the_new_one_begins(tmp_path):
    script = 'mount -t tmpfs -o size=1m none "$0" && "$@"'
    said = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", script, tmp_path, sys.executable, "-c", LOSES,
                           tmp_path / "buffer"], text=True, stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "PYTHONPATH": str(FOLDER)}).stdout
    assert said.split() == ["None", "True", "1"]


def test_a_buffer_is_one_process_s_at_a_time(path):
    one = adder(path, OLDEST, 1000, 10**6)
    one.stdout.readline()
    with pytest.raises(RuntimeError, match="another process"):
        Buffer(path)
    one.send_signal(signal.SIGKILL)
    one.communicate()
    assert numbers(Buffer(path, limit=10**6))[0] == 0


def test_a_command_is_begun_once(path):
    buffer = Buffer(path)
    assert buffer.begin_command("c1") is None
    assert buffer.begin_command("c1") == b""
    buffer.end_command("c1", b"done")
    buffer.close()
    assert Buffer(path).begin_command("c1") == b"done"


def test_what_is_counted_is_what_is_there(path):
    buffer = Buffer(path, keep=NEWEST, limit=4)
    for n in range(6):
        buffer.add("t/é", f"{n} é")
    taken = buffer.take(3)
    buffer.arrived([one.id for one in taken] + [taken[0].id, 999])
    assert len(buffer) == 1
    buffer.close()
    assert len(Buffer(path)) == 1


def test_each_that_arrives_costs_the_same_however_many_wait(path):
    """A hundred times as many that wait: no more steps of SQLite for each that arrives."""
    def steps(n):
        buffer = Buffer(f"{path}-{n}")
        buffer._db.execute("BEGIN")
        for _ in range(n):
            buffer._db.execute("INSERT INTO messages (is_urgent, topic, payload) VALUES (0, 't', x'00')")
        buffer._db.execute("COMMIT")
        count = [0]

        def step():
            count[0] += 1

        one = buffer.take(1)[0]
        buffer._db.set_progress_handler(step, 10)
        buffer.arrived([one.id])
        return count[0]

    assert steps(20_000) < 2 * steps(200) + 10
