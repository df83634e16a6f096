"""What tests/cluster/run compares with would notice: each fault that it is for, made up."""
import pathlib
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/cluster"), str(ROOT / "tests/faults")]

from ledger import Ledger  # noqa: E402  pylint: disable=wrong-import-position

N = 64
FIRST, SECOND = 1, 2  # journals


def rows(numbers, journal=FIRST, seq=1000, written=1, slot=0):
    return [(slot, journal, seq + i, written + i // 10, n) for i, n in enumerate(numbers)]


class Viewer(types.SimpleNamespace):
    def __init__(self, numbers, thing=None, n_told=0):
        super().__init__(user="ana", thing=thing, numbers=list(numbers), n_told=n_told, n_again=0, lives={}, excused=set())

    def sees(self, n):
        return self.thing is None or n // 4 % 4 == self.thing

    def forget(self, floor):
        self.numbers = [n for n in self.numbers if n >= floor]


@pytest.fixture
def books():
    """(rows, shown, ...) -> what the ledger says of it; the broker has acknowledged 0 to N - 1."""
    def judge(stored, shown=range(N), n_unclean=0, may_owe=False, n_told=0, thing=None):
        database = types.SimpleNamespace(rows=lambda sql: [] if "HAVING" in sql else stored, value=lambda _: 0)
        publishers = types.SimpleNamespace(acknowledged=lambda: {n: 0.0 for n in range(N)}, unknown=lambda: {N}, all=[
            types.SimpleNamespace(number=lambda: N)])
        viewer = Viewer(shown, thing, n_told)
        ledger = Ledger(database, publishers, [viewer])
        ledger.n_unclean = n_unclean
        return ledger.judge(may_owe), ledger.counts
    return judge


def test_nothing_is_wrong(books):
    assert books(rows(range(N)))[0] == []
    assert books(rows(range(N)), shown=[n for n in range(N) if n // 4 % 4 == 2], thing=2)[0] == []
    assert books(rows([*range(N), N]), shown=[*range(N), N])[0] == []  # unknown to the publisher


@pytest.mark.parametrize("name, words", {
    "lost": "acknowledged and not stored", "twice": "is twice in one journal", "invented": "stored that nobody said",
    "disorder": "out of order", "renumbered": "a number below an older one's"}.items())
def test_rows_that_are_wrong(books, name, words):
    made = {
        "lost": rows(n for n in range(N) if n != 7),
        "twice": [*rows(range(N)), *rows([7], seq=5000, written=99)],
        "invented": rows([*range(N), N + 1]),
        "disorder": rows([16, 0, *(n for n in range(N) if n not in (0, 16))]),
        "renumbered": [*rows(range(32)), *rows(range(32, N), SECOND, seq=900, written=50)],
    }[name]
    stored = {n for *_, n in made}
    faults, _ = books(made, shown=sorted(stored))
    assert any(words in fault for fault in faults), faults


def test_each_slot_has_a_line_of_numbers_of_its_own(books):
    assert books([*rows(range(32)), *rows(range(32, N), SECOND, seq=900, written=50, slot=1)])[0] == []


def test_who_looks_on_is_shown_what_is_wrong(books):
    for shown, words in ((range(N - 1), "too few"), ([*range(N), 3], "twice"), ([16, 0, *range(N)], "out of order"),
                         ([*range(N), N + 5], "that nobody stored")):
        faults, _ = books(rows(range(N)), shown=shown)
        assert any(words in fault for fault in faults), (words, faults)
    faults, _ = books(rows(range(N)), shown=range(N), thing=1)
    assert faults == ["ana is shown 48 (0, 1, 2, 3, 8, ...) of others"]


def test_what_is_known_is_counted_and_has_an_end(books):
    again = [*rows(range(N)), *rows([60, 61], SECOND, seq=5000, written=99)]
    assert books(again, n_unclean=1)[0] == ["2 (60, 61) twice"]

    late = [*rows(n for n in range(N) if n != 0), *rows([0], SECOND, seq=500, written=99)]
    assert books(late)[0] == ["1 (0) out of order"]
    faults, counts = books(late, n_unclean=1, shown=range(1, N))
    assert faults == [] and counts["late"] == 1

    faults, counts = books(rows(range(8, N)), shown=range(8, N), n_unclean=1, may_owe=True)
    assert faults == [] and counts["owed"] == 8
    faults, counts = books(rows(range(N)), shown=range(8, N), n_told=1)
    assert faults == [] and counts["excused"] >= 8


def test_what_is_adopted_is_late_also_where_nothing_newer_came_before_it():
    """It is history, as what comes behind newer ones is; what its journal had stored by itself is judged as ever."""
    stored = rows(range(N - 8))
    database = types.SimpleNamespace(value=lambda _: 0, rows=lambda sql, *_: [] if "HAVING" in sql else
                                     [(FIRST,)] if "journal_positions WHERE" in sql else stored)
    publishers = types.SimpleNamespace(acknowledged=lambda: {n: 0.0 for n in range(N)}, unknown=set, all=[])
    ledger = Ledger(database, publishers, [Viewer(range(1, N - 8))])
    ledger.n_unclean = 1
    told = ledger.adopts({"the dead one's"})
    stored += rows(range(N - 8, N), seq=5000, written=99)
    assert "9 (0, 56, 57, 58, 59, ...) too few" in ledger.judge(False)[0]
    told()
    assert ledger.judge(False) == ["ana is shown 1 (0) too few"] and ledger.counts["late"] == 8


def test_what_was_found_right_stays_so():
    """Below the floor only its number is looked at, and what comes there again is noticed."""
    stored = rows(range(N))
    database = types.SimpleNamespace(rows=lambda sql: [] if "HAVING" in sql else stored, value=lambda _: 0)
    publishers = types.SimpleNamespace(acknowledged=lambda: {n: 0.0 for n in range(N)}, unknown=set, all=[
        types.SimpleNamespace(number=lambda: N)])
    viewer = Viewer(range(N))
    ledger = Ledger(database, publishers, [viewer])
    assert ledger.judge(False) == []
    ledger.close()
    assert ledger.floor == N and viewer.numbers == []
    again = []
    database.rows = lambda sql: [(n,) for n in again] if "HAVING" in sql else []
    database.value = lambda sql: N + len(again) if "closed" in sql else 0
    assert ledger.judge(False) == [] and ledger.counts["rows"] == N == ledger.counts["acknowledged"]
    viewer.excused = {3}  # it was told that it may have missed it, and came back with a cursor of before
    viewer.numbers = [3]
    assert ledger.judge(False) == []
    assert ledger.judge(False) == ["ana is shown 1 (3) that nobody stored"]
    again.append(3)
    assert ledger.judge(False) == ["1 (3) twice, long after"]
    assert ledger.judge(False) == [] and ledger.counts["repeated"] == 1
    database.value = lambda sql: N if "closed" in sql else 0
    assert ledger.judge(False) == ["64 rows of before 64, which were 65"]
