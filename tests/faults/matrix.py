"""The fault matrix: each row is a fault under load, and what has to hold all the same.

A row is a function that is given a World under load and does its worst to it. What must hold is the
same for all: everything that was acknowledged is stored and shown to who resumes, once, in the order
of its thing, the books agree, nothing is leaked, and the log says what happened without a storm.
"""
import argparse
import contextlib
import dataclasses
import importlib
import os
import pathlib
import pickle
import platform
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import world
from servers import ROOT, TIDEGATE, Database, Gateway, Postgres, die_with_parent

AREAS = sorted(p.stem for p in pathlib.Path(__file__).with_name("rows").glob("*.py"))
DOCUMENT = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
ROWS = []


@dataclasses.dataclass
class Row:
    """One line of the matrix. Defaults are what almost every fault has to leave intact."""
    area: str
    name: str
    run: object
    says: tuple = ()            # patterns that the log must have: what happened, that it is over
    settings: dict = dataclasses.field(default_factory=dict)
    broker: str = ""            # lines of mosquitto.conf
    rate: int = 300             # messages a second
    pad: str = ""               # makes messages larger
    is_live_whole: bool = True  # who stays connected misses nothing
    may_forget: bool = False    # who resumes may be told of a gap
    may_begin_anew: bool = False  # who resumes may be told that it has to, and misses what went before
    may_repeat: bool = False    # another gateway may store again what nobody had acknowledged
    max_warnings: int = 20
    max_fds: int = 3            # more than before; each kept segment of the journal is one
    max_mib: int = 48           # of memory, likewise
    in_short: bool = True       # a row of the short form
    in_soak: bool = True        # can be done again to a world in which it was done before
    prepare: object = None      # prepare(world), before the gateway starts
    needs_root: bool = False    # to mount or to limit something
    own_cluster: bool = False   # does to the server what no other row could stand


def row(name, **options):
    """Adds the function to the matrix; its file is its area."""
    def add(function):
        ROWS.append(Row(function.__module__.rpartition(".")[2], name, function, **options))
        return function
    return add


def again(world, short, full):
    """How often a row does its worst, by the form that is run. Each time may be said in a line or two."""
    n = short if world.is_short else full
    world.warnings_of_faults += 2 * n
    return range(n)


def load_rows():
    for area in AREAS:
        importlib.import_module(f"rows.{area}")


class Matrix:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tgf", dir="/tmp"))
        self.folder.chmod(0o755)
        self.postgres = None
        self.is_kept = False
        self.n_made = 0

    def make_postgres(self, in_memory=False):
        """A cluster with a template of a migrated database in which everybody is known."""
        self.n_made += 1
        made = Postgres(self.folder / f"pg{self.n_made}", in_memory=in_memory)
        made.start()
        made.execute("postgres", "CREATE DATABASE template_tidegate")
        template = Database(made, "template_tidegate")
        gateway = Gateway(self.folder / f"migrator{self.n_made}", template)
        gateway.cli("migrate")
        world.populate(gateway)
        return made

    def run_row(self, one):
        self.n_made += 1
        name = f"row_{self.n_made}"
        postgres = self.make_postgres() if one.own_cluster else self.postgres
        postgres.execute("postgres", f"CREATE DATABASE {name} TEMPLATE template_tidegate")
        dice = random.Random(f"{self.args.seed} {one.area} {one.name}")
        made = world.World(self.folder / name, Database(postgres, name), dice, self.args.short, one)
        begin, outcome = time.monotonic(), None
        try:
            made.open()
            one.run(made)
            made.settle()
            outcome = made.outcome()
        except Exception as error:  # whatever it is, it is this row that failed
            made.complain(f"{type(error).__name__}: {str(error)[:300]}")
            if not isinstance(error, AssertionError):
                traceback.print_exc()
        made.close()
        if one.own_cluster:
            made.postgres.stop()
            postgres.stop()
        else:
            postgres.thaw()
            postgres.start()
            postgres.execute("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if not made.faults:
            shutil.rmtree(made.folder, ignore_errors=True)
        self.is_kept |= bool(made.faults)
        return Result(one, outcome, made.faults, time.monotonic() - begin,
                      made.gateway.log()[-3000:] if made.faults else "")

    def open(self):
        self.postgres = self.make_postgres(in_memory=self.args.short)

    def close(self):
        if self.postgres:
            self.postgres.stop()
            self.postgres.remove()
        if not self.is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"kept: {self.folder}", file=sys.stderr)


@dataclasses.dataclass
class Result:
    row: Row
    outcome: object  # None: it did not come to that
    faults: list
    seconds: float
    log: str         # its end, of a row that does not hold

    def say(self):
        one, out = self.row, self.outcome
        print(f"{'FAILED' if self.faults else 'ok'}: {one.area}: {one.name} ({self.seconds:.1f} s)")
        if out:
            print(f"    published {out.published}, acknowledged {out.acknowledged}, stored {out.stored}, "
                  f"shown {out.shown}, resumed {out.resumed}")
            print("    log:", *(f"{event}×{n}" for event, n in out.events.items()))
        print(*(f"    {fault}\n" for fault in self.faults), end="", sep="")
        print(re.sub("(?m)^", "      ", self.log) if self.faults else "", end="", flush=True)


class Worker:
    """A process with servers of its own that runs a row at a time, as most of a row is waiting."""

    def __init__(self, number, args):
        env = {**os.environ, "PYTEST_XDIST_WORKER": f"gw{number}", "PYTEST_XDIST_WORKER_COUNT": str(args.jobs)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import matrix; matrix.work()", str(args.seed), str(int(args.short))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, preexec_fn=die_with_parent)

    def run_row(self, one):
        pickle.dump(ROWS.index(one), self.process.stdin)
        self.process.stdin.flush()
        try:
            outcome, *rest = pickle.load(self.process.stdout)
        except EOFError:
            return Result(one, None, ["its process ended"], 0.0, "")
        return Result(one, outcome and world.Outcome(**outcome), *rest)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def work():
    """The other end of a Worker."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed on the way is for people
    load_rows()
    matrix = Matrix(argparse.Namespace(seed=int(sys.argv[1]), short=bool(int(sys.argv[2]))))
    try:
        matrix.open()
        with contextlib.suppress(EOFError):
            while True:
                done = matrix.run_row(ROWS[pickle.load(sys.stdin.buffer)])
                outcome = done.outcome and done.outcome._asdict()
                pickle.dump((outcome, done.faults, done.seconds, done.log), out)
                out.flush()
    finally:
        matrix.close()


def run_all(rows, args):
    """The results, in the order of the rows."""
    results = {}
    left = queue.SimpleQueue()
    for one in rows:
        left.put(one)

    def run(number):
        worker = Worker(number, args)
        with contextlib.suppress(queue.Empty):
            while True:
                one = left.get_nowait()
                results[one.area, one.name] = worker.run_row(one)
                results[one.area, one.name].say()
        worker.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(args.jobs)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return [results[one.area, one.name] for one in rows]


def table(results, seed):
    """The measured part of docs/reliability.md."""
    version = subprocess.run([TIDEGATE, "version"], text=True, capture_output=True, check=True).stdout
    lines = [
        f"Measured {time.strftime('%Y-%m-%d')} with {version.strip()}, "
        f"{os.cpu_count()} cores, Linux {platform.release()}, seed {seed}: "
        f"{sum(not r.faults for r in results)} of {len(results)} rows held.", "",
        "| area | fault (`tests/faults/run --only NAME`) | published | acked | journalled | stored "
        "| live | resumed | lost | twice | disorder | longest silence | held |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"]
    for one, out, faults in ((r.row, r.outcome, r.faults) for r in results):
        cells = ["" for _ in range(10)] if not out else \
            [out.published, out.acknowledged, out.journalled, out.stored, out.shown, out.resumed,
             out.lost, out.twice, out.disorder, f"{out.silence_s:.2f} s"]
        held = "yes" if not faults else "**no**: " + "; ".join(faults).replace("|", "/")
        lines.append(f"| {one.area} | {one.name} | " + " | ".join(map(str, cells)) + f" | {held} |")
    return "\n".join(lines)


def write_document(results, seed):
    text = DOCUMENT.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(results, seed)}\n{END}{after}", "utf-8")


def main():
    parser = argparse.ArgumentParser(prog="tests/faults/run", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats a run")
    parser.add_argument("--short", action="store_true", help="what CI runs: fewer rows, fewer times")
    parser.add_argument("--jobs", type=int, default=1, help="so many rows at a time")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose area or name has it")
    parser.add_argument("--list", action="store_true", help="names the rows, runs none")
    parser.add_argument("--document", action="store_true", help="writes docs/reliability.md")
    args = parser.parse_args()
    load_rows()
    rows = [r for r in ROWS if args.only in f"{r.area}: {r.name}" and (r.in_short or not args.short)
            and (os.geteuid() == 0 or not r.needs_root)]
    if args.list:
        print(*(f"{r.area}: {r.name}" for r in rows), sep="\n")
        return 0
    print(f"seed {args.seed}, {len(rows)} rows, {args.jobs} at a time", flush=True)
    results = run_all(rows, args)
    if args.document:
        write_document(results, args.seed)
    failed = [f"{r.row.area}: {r.row.name}" for r in results if r.faults]
    if failed:
        print(f"failed first: {failed[0]}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
