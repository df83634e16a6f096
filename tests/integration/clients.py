"""Clients of tests/clients as processes: what they are told, and what they say happened."""
import fcntl
import json
import pathlib
import subprocess
import threading

from servers import die_with_parent
from waiting import PATIENCE

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "clients"
SECOND = 50  # ms in a second of a client's own time: 15 s between pings become 0.75 s


def install():
    """The npm packages, exactly as package-lock.json has them; once, whoever asks first."""
    with open(FOLDER / "package-lock.json", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = lock.read()
        mark = FOLDER / "node_modules" / ".installed"
        if mark.exists() and mark.read_bytes() == wanted:
            return
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                              cwd=FOLDER, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
        mark.write_bytes(wanted)


class Client:
    """One process. Everything that it says is kept, in order."""

    def __init__(self, script, **args):
        program = "/usr/bin/python3" if script.endswith(".py") else "node"
        args.setdefault("second", SECOND)
        self.script = script
        self.said = []
        self._taken = 0
        self._over = False
        self._changed = threading.Condition()
        self.process = subprocess.Popen([program, str(FOLDER / script), json.dumps(args)],
                                        cwd=FOLDER, text=True, stdin=subprocess.PIPE,
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
