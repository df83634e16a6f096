"""What has to hold, message by message: rows are what the broker acknowledged, once, in order; viewers are
shown all of that which is theirs, once, and nothing else.

Three things are not the gateway's faults, or are known, and are counted apart, never left out in silence:

- `broker`: what a broker that lost its store had acknowledged and not handed over;
- `disk`: what a gateway had acknowledged and not stored when it died, and its disk with it;
- `late`: acknowledged by an owner that was cut off or killed, and stored behind newer ones when that one had
  its turn again, or by `journal adopt`: that is history also where nothing newer is stored of its stream yet.
  Until then it is `owed`. Where the broker itself keeps no order (nats-server delivers at once
  what is new, and after ack_wait what was not acknowledged), that is in it too, no viewer's order is
  judged, and what is stored twice is counted (`repeated`), and no fault: see docs/cluster.md.

And who was told that he may have missed something (`told`; what he had: `excused`) begins anew at the next node,
which may be behind the one before: `again`.
"""
import collections
import itertools

ROWS = """SELECT (SELECT slot FROM journal_positions p WHERE p.journal_id = stored.journal_id), journal_id, seq,
        xmin::text::bigint AS written, n FROM (
        SELECT journal_id, seq, xmin, split_part(logs, ' ', 1)::bigint AS n FROM raw_logs
        UNION ALL SELECT journal_id, seq, xmin, speed::bigint FROM vehicle_logs
        UNION ALL SELECT journal_id, seq, xmin, (payload::jsonb->>'n')::bigint FROM telemetry
        UNION ALL SELECT journal_id, seq, xmin, (data->>'n')::bigint FROM sensor_logs) AS stored
        WHERE n {} ORDER BY written, seq"""


def stream(n):
    """What order is promised for: a kind of a thing."""
    return n % 16


class Ledger:
    def __init__(self, database, publishers, viewers, keeps_order=True):
        self.keeps_order = keeps_order  # the broker, as it delivers once more
        self.database, self.publishers, self.viewers = database, publishers, viewers
        self.broker = set()       # lost by the broker itself
        self.disk = set()         # lost with a gateway's disk
        self.owed_before = set()  # since an earlier step
        self.adopted = set()      # stored for an owner that was dead, which is late, whatever came before
        self.floor = 0            # what is below was found right, and is no more looked at one by one
        self.closed_twice = set()  # of what is below
        self.closed = collections.Counter()  # of what is below: rows, repeated, late, acknowledged
        self.closed_highest = {}  # and the highest number of each slot
        self.n_unclean = 0        # take-overs without a proper end
        self.rows, self.stored, self.repeated, self.late = [], set(), set(), set()
        self.counts = collections.Counter()

    def read(self):
        self.rows = self.database.rows(ROWS.format(f">= {self.floor}"))
        self.stored = {n for *_, n in self.rows}

    def flows_beyond(self, n):
        """Whether of each stream there is something newer."""
        return len({stream(row[-1]) for row in self.database.rows(ROWS.format(f"> {n}"))}) == 16

    def owed(self):
        return self.acknowledged() - self.stored - self.broker - self.disk

    def acknowledged(self):
        return {n for n in self.publishers.acknowledged() if n >= self.floor}

    def close(self):
        """All was found right: what has been said is not looked at again, but for how much it is."""
        floor = min([*self.owed(), *(one.number() for one in self.publishers.all)])
        below = [row for row in self.rows if row[-1] < floor]
        self.closed["rows"] += len(below)
        for slot, _, seq, _, n in itertools.takewhile(lambda row: row[-1] < floor, self.rows):  # in the order of writing
            if n not in self.late:
                self.closed_highest[slot] = max(seq, self.closed_highest.get(slot, 0))
        self.closed["acknowledged"] += len([n for n in self.acknowledged() if n < floor])
        for name, numbers in (("repeated", self.repeated), ("late", self.late)):
            self.closed[name] += len([n for n in numbers if n < floor])
        self.closed_twice |= {n for n in self.repeated if n < floor}
        for viewer in self.viewers:
            viewer.forget(floor)
        self.floor = floor

    def lose(self):
        """The broker is about to be without its store, and everybody's journal is stored: what is missing is
        what it had not handed over."""
        self.read()
        self.broker |= self.owed() - self.owed_before
        self.counts["broker"] = len(self.broker)

    def lose_disk(self, newest):
        """All that was said up to then and is not on that disk is stored. The slots of what is lost."""
        self.read()
        lost = {n for n in self.owed() - self.owed_before if n < newest}
        self.disk |= lost
        self.counts["disk"] = len(self.disk)
        streams = {stream(n) for n in lost}
        return {slot for slot, *_, n in self.rows if stream(n) in streams}

    def adopts(self, epochs):
        """What the dead ones' journals have in the tables from here on is adopted: how that is told, once it is there."""
        ids = {one for one, in self.database.rows("SELECT journal_id FROM journal_positions WHERE epoch = ANY(%s)", list(epochs))}
        self.read()
        before = self.stored

        def told():
            self.read()
            self.adopted |= {n for _slot, journal, *_, n in self.rows if journal in ids and n not in before}
        return told

    def is_settled(self, may_owe):
        """All is stored, but for what was owed before, and shown."""
        self.read()
        list(self._rows())  # which are late
        return (may_owe or self.owed() <= self.owed_before) and not any(map(self._missing, self.viewers))

    def judge(self, may_owe):
        """The faults, as texts. What is shown by now is in the rows that are read after."""
        shown = [list(viewer.numbers) for viewer in self.viewers]
        self.read()
        self.counts["again"] = sum(viewer.n_again for viewer in self.viewers)
        faults = [*self._below(), *self._rows(), *(f for viewer, numbers in zip(self.viewers, shown) for f in self._viewer(viewer, numbers))]
        owed = self.owed()
        for name, numbers in (("acknowledged", self.acknowledged()), ("rows", self.rows)):
            self.counts[name] = self.closed[name] + len(numbers)
        self.counts["owed"], self.owed_before = len(owed), owed
        if owed and not may_owe:
            faults.append(f"{some(owed)} acknowledged and not stored")
        never_said = self.stored - self.acknowledged() - self.publishers.unknown()
        if never_said:
            faults.append(f"{some(never_said)} stored that nobody said")
        letters = self.database.value("SELECT count(*) FROM dead_letters")
        if letters:
            faults.append(f"{letters} good messages became dead letters")
        return faults

    def _below(self):
        closed = ROWS.format(f"< {self.floor}")
        twice = {n for n, in self.database.rows(f"SELECT n FROM ({closed}) AS closed GROUP BY n HAVING count(*) > 1")}
        if twice - self.closed_twice and self.keeps_order:
            yield f"{some(twice - self.closed_twice)} twice, long after"
        self.closed["rows"] += len(twice - self.closed_twice)
        self.closed["repeated"] += len(twice - self.closed_twice)
        self.closed_twice |= twice
        n_closed = self.database.value(f"SELECT count(*) FROM ({closed}) AS closed")
        if n_closed != self.closed["rows"]:
            yield f"{n_closed} rows of before {self.floor}, which were {self.closed['rows']}"

    def _rows(self):
        """In the order in which they were written."""
        first, newest, highest = {}, {}, dict(self.closed_highest)
        repeated, late, below = set(), set(), set()
        for slot, journal, seq, _written, n in self.rows:
            if n in first:
                if first[n] == journal and self.keeps_order:
                    yield f"{n} is twice in one journal"
                repeated.add(n)
                continue
            first[n] = journal
            if n in self.adopted or n < newest.get(stream(n), -1):
                late.add(n)
            elif seq <= highest.get(slot, 0):
                below.add(n)
            newest[stream(n)] = max(n, newest.get(stream(n), -1))
            highest[slot] = max(seq, highest.get(slot, 0))
        self.repeated, self.late = repeated, late
        for name, numbers in (("repeated", repeated), ("late", late)):
            self.counts[name] = self.closed[name] + len(numbers)
        if below and self.keeps_order:
            yield f"{some(below)} with a number below an older one's of the slot"
        if repeated and self.keeps_order:
            yield f"{some(repeated)} twice"
        if late and self.keeps_order and not self.n_unclean:
            yield f"{some(late)} out of order"

    def _missing(self, viewer):
        """Who was told that something is missing has to read history, and is asked about what came after."""
        missing = {n for n in self.stored - self.late if viewer.sees(n)} - set(viewer.numbers) - viewer.excused
        if viewer.n_told:
            self.counts["told"] += viewer.n_told
            viewer.excused |= missing
            self.counts["excused"] += len(missing)
            viewer.n_told = 0
            return set()
        return missing

    def _after_all(self, viewer, shown):
        """What it had been told that it may have missed, in an earlier step, and got since then, once: who comes
        back with a cursor of before. It is of no step that is judged."""
        for n in shown:
            if n < self.floor and n in viewer.excused:
                viewer.excused.remove(n)
            else:
                yield n

    def _viewer(self, viewer, shown):
        of = f"{viewer.user} is shown"
        shown = list(self._after_all(viewer, shown))
        count = collections.Counter(shown)
        twice = {n for n, times in count.items() if times > 1} - self.repeated - self.closed_twice
        missing = self._missing(viewer)
        if missing:
            yield f"{of} {some(missing)} too few"
        if twice:
            yield f"{of} {some(twice)} twice"
        newest, wrong = {}, set()
        for n in shown:
            if n not in self.repeated | self.late | self.closed_twice:
                line = (stream(n), viewer.lives.get(n))
                wrong |= {n} if n < newest.get(line, -1) else set()
                newest[line] = n
        if wrong and self.keeps_order:
            yield f"{of} {some(wrong)} out of order"
        foreign = {n for n in count if not viewer.sees(n)}
        if foreign:
            yield f"{of} {some(foreign)} of others"
        unstored = set(count) - self.stored - self.owed() - self.disk - self.closed_twice
        if unstored:
            yield f"{of} {some(unstored)} that nobody stored"


def some(numbers):
    numbers = sorted(numbers)
    return f"{len(numbers)} ({', '.join(map(str, numbers[:5]))}{', ...' if len(numbers) > 5 else ''})"
