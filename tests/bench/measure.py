"""What the measurements share: a release build, its load tools, and what a process has cost."""
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build-release"
TOOLS = BUILD / "tests/bench"
os.environ.setdefault("TIDEGATE_BIN", str(BUILD / "gateway/tidegate"))
sys.path.insert(0, str(ROOT / "tests/integration"))
from servers import die_with_parent  # noqa: E402  # pylint: disable=wrong-import-position


def build():
    env = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    if not (BUILD / "build.ninja").exists():
        shutil.rmtree(BUILD, ignore_errors=True)
        subprocess.run(["meson", "setup", BUILD, ROOT, "--buildtype=release"],
                       check=True, stdout=subprocess.DEVNULL, env=env)
    targets = ["gateway/tidegate", *(f"tests/bench/bench-{x}"
                                     for x in ("publish", "subscribe", "floor"))]
    subprocess.run(["ninja", "-C", BUILD, *targets], check=True, stdout=subprocess.DEVNULL, env=env)


def cpu_seconds(pid):
    """What the scheduler has given to all threads of a process that live."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total / 1e9


def memory(pid):
    """Proportional set size, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


class Tool:
    """One of the load tools; the JSON line that it ends with."""

    def __init__(self, name, *args):
        self.process = subprocess.Popen([TOOLS / f"bench-{name}", *map(str, args)], text=True,
                                        stdout=subprocess.PIPE, preexec_fn=die_with_parent)

    def line(self):
        text = self.process.stdout.readline().strip()
        if not text:
            raise SystemExit(f"{self.process.args[0]} ended with {self.process.wait()}")
        return text

    def zero(self):
        self.process.send_signal(signal.SIGUSR1)
        assert self.line() == "zero"

    def result(self, stop=False, timeout=600):
        if stop:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=timeout)
        return json.loads(out.splitlines()[-1])


def on_what():
    """The machine, and when."""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                if line.startswith("model name")), platform.machine())
    return (f"{os.cpu_count()} cores ({cpu}), shared by Mosquitto, PostgreSQL 15 (fsync on), "
            f"gateway, publisher and viewers; {time.strftime('%Y-%m-%d', time.gmtime())}.")


def table(rows):
    """Of (what, value, note), in Markdown."""
    lines = ["| what | measured | how |", "|---|---|---|", *(f"| {what} | **{value}** | {note} |" for what, value, note in rows)]
    return "\n".join([*lines, "", on_what()])
