"""Clients of tests/clients as processes: what they are told, and what they say happened."""
import fcntl
import json
import os
import pathlib
import subprocess
import threading

from servers import ROOT, die_with_parent
from waiting import PATIENCE

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "clients"
SECOND = 50  # ms in a second of a client's own time: 15 s between pings become 0.75 s
VENV = ROOT / "build-clients"  # made like a build, and not among sources, which are looked through
# Debian's own, and what requirements.txt pins of PyPI's, in an environment of the tests.
PYTHONS = {"debian": "/usr/bin/python3", "pypi": str(VENV / "bin/python")}


def _once(wanted_file, mark, *commands):
    """Runs the commands unless @mark says that this has been done for what the file says now."""
    with open(FOLDER / wanted_file, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = lock.read()
        if mark.exists() and mark.read_bytes() == wanted:
            return
        for command in commands:
            done = subprocess.run(command, cwd=FOLDER, text=True, capture_output=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        mark.write_bytes(wanted)


def install():
    """The npm packages, exactly as package-lock.json has them; once, whoever asks first."""
    _once("package-lock.json", FOLDER / "node_modules/.installed",
          ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"])


def install_python():
    """Likewise what requirements.txt pins, over Debian's packages."""
    _once("requirements.txt", VENV / ".installed",
          ["/usr/bin/python3", "-m", "venv", "--clear", "--system-site-packages", VENV],
          [PYTHONS["pypi"], "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
           "--only-binary=:all:", "--require-hashes", "-r", "requirements.txt"])


class Client:
    """One process. Everything that it says is kept, in order. @python: of PYTHONS, for what is in
    Python; @zone: the time zone that its clock shows."""

    def __init__(self, script, python="debian", zone=None, **args):
        program = PYTHONS[python] if script.endswith(".py") else "node"
        args.setdefault("second", SECOND)
        self.script = script
        self.said = []
        self._taken = 0
        self._over = False
        self._changed = threading.Condition()
        self.process = subprocess.Popen([program, str(FOLDER / script), json.dumps(args)],
                                        cwd=FOLDER, text=True, stdin=subprocess.PIPE,
                                        env={**os.environ, **({"TZ": zone} if zone else {})},
                                        stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.said.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def all(self, event):
        with self._changed:
            return [s for s in self.said if s["event"] == event]

    def wait_for(self, condition, what, timeout=PATIENCE):
        """Until condition(everything said so far) holds; its value."""
        value = None

        def holds():
            nonlocal value
            value = condition(self.said)
            return value or self._over

        with self._changed:
            self._changed.wait_for(holds, timeout)
            assert value, f"{self.script}: waited in vain for {what}; it said {self.said[-8:]}"
            return value

    def next(self, event, timeout=PATIENCE, **like):
        """The next that was said of this event with these values; what came before is behind us."""
        def found(said):
            for at in range(self._taken, len(said)):
                if said[at]["event"] == event and like.items() <= said[at].items():
                    self._taken = at + 1
                    return said[at]
            return None

        return self.wait_for(found, f"{event} {like or ''}", timeout)

    def closes(self):
        return [s["code"] for s in self.all("close")]

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
