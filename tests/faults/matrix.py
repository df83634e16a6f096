"""The fault matrix: each row is a fault under load, and what has to hold all the same.

A row is a function that is given a World under load and does its worst to it. What must hold is the
same for all: everything that was acknowledged is stored and shown to who resumes, once, in the order
of its thing, the books agree, nothing is leaked, and the log says what happened without a storm.
"""
import argparse
import dataclasses
import importlib
import os
import pathlib
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import world
from servers import ROOT, TIDEGATE, Database, Gateway, Postgres

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
    max_warnings: int = 20
    max_fds: int = 3            # more than before; each kept segment of the journal is one
    in_short: bool = True       # a row of the short form
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
    """How often a row does its worst, by the form that is run."""
    return range(short if world.is_short else full)


class Matrix:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tgf", dir="/tmp"))
        self.folder.chmod(0o755)
        self.postgres = None
        self.results = []
        self.n_made = 0

    def make_postgres(self):
        """A cluster with a template of a migrated database in which everybody is known."""
        self.n_made += 1
        made = Postgres(self.folder / f"pg{self.n_made}")
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
        outcome = None
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
        if made.faults:
            print(re.sub("(?m)^", "    ", made.gateway.log()[-3000:]))
        else:
            shutil.rmtree(made.folder, ignore_errors=True)
        return outcome, made.faults

    def run(self, rows):
        self.postgres = self.make_postgres()
        for one in rows:
            begin = time.monotonic()
            outcome, faults = self.run_row(one)
            self.results.append((one, outcome, faults))
            numbers = "" if not outcome else \
                f" published {outcome.published}, acknowledged {outcome.acknowledged}, " \
                f"stored {outcome.stored}, shown {outcome.shown}, resumed {outcome.resumed}"
            print(f"{'FAILED' if faults else 'ok'}: {one.area}: {one.name} "
                  f"({time.monotonic() - begin:.1f} s){numbers}", *faults, sep="\n    ", flush=True)

    def close(self):
        if self.postgres:
            self.postgres.stop()
        if not any(faults for _, _, faults in self.results):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"kept: {self.folder}")


def table(results, seed):
    """The measured part of docs/reliability.md."""
    version = subprocess.run([TIDEGATE, "version"], text=True, capture_output=True, check=True).stdout
    lines = [
        f"Measured {time.strftime('%Y-%m-%d')} with {version.strip()}, "
        f"{os.cpu_count()} cores, Linux {platform.release()}, seed {seed}: "
        f"{sum(not f for _, _, f in results)} of {len(results)} rows held.", "",
        "| area | fault (`tests/faults/run --only NAME`) | published | acked | journalled | stored "
        "| live | resumed | lost | twice | disorder | longest silence | held |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"]
    for one, out, faults in results:
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
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose area or name has it")
    parser.add_argument("--list", action="store_true", help="names the rows, runs none")
    parser.add_argument("--document", action="store_true", help="writes docs/reliability.md")
    args = parser.parse_args()
    for area in AREAS:
        importlib.import_module(f"rows.{area}")
    rows = [r for r in ROWS if args.only in f"{r.area}: {r.name}" and (r.in_short or not args.short)
            and (os.geteuid() == 0 or not r.needs_root)]
    if args.list:
        print(*(f"{r.area}: {r.name}" for r in rows), sep="\n")
        return 0
    print(f"seed {args.seed}, {len(rows)} rows", flush=True)
    matrix = Matrix(args)
    try:
        matrix.run(rows)
    finally:
        matrix.close()
    if args.document:
        write_document(matrix.results, args.seed)
    n_failed = sum(bool(faults) for _, _, faults in matrix.results)
    print(f"{len(matrix.results) - n_failed} passed, {n_failed} failed")
    return 1 if n_failed or not matrix.results else 0


if __name__ == "__main__":
    sys.exit(main())
