"""tests/run ends at once when it is told to, whatever it is doing, and leaves nothing running."""
import os
import pathlib
import shutil
import signal
import subprocess

from servers import SLOW
from waiting import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).parents[2]
STUBBORN = """#!/bin/bash
trap '' TERM
setsid sleep 3601 &
echo $! >started.new && mv started.new started
sleep 3602
"""


def with_mark(mark):
    """The processes whose environment has it."""
    found = []
    for one in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (one / "environ").read_bytes().split(b"\0"):
                found.append(one.name)
        except OSError:  # it has ended, or is somebody else's
            pass
    return found


def test_a_stubborn_command_is_not_waited_for(tmp_path):
    for name in ("tests", "deploy"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "tests/run", tmp_path / "tests/run")
    packages = tmp_path / "deploy/packages"
    packages.write_text(STUBBORN, "ascii")
    packages.chmod(0o755)
    with subprocess.Popen([tmp_path / "tests/run", "lint"], cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as run:
        wait_until((tmp_path / "started").exists, "its first command")
        sleeper = (tmp_path / "started").read_text("ascii").strip()
        environment = (pathlib.Path("/proc") / sleeper / "environ").read_bytes().split(b"\0")
        mark = next(v for v in environment if v.startswith(b"TESTS_RUN="))
        run.send_signal(signal.SIGTERM)
        try:
            said, _ = run.communicate(timeout=PATIENCE * SLOW)
        finally:
            left = with_mark(mark)
            for pid in left:
                os.kill(int(pid), signal.SIGKILL)
            run.kill()
    assert run.returncode == 1 and left == []
    assert "interrupted" in said and said.endswith("0 passed, 1 failed\n"), said
    assert not pathlib.Path(mark.removeprefix(b"TESTS_RUN=").decode()).exists()
