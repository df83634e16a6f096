"""deploy/quickstart: once through, again with the same data, and nothing left behind."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from servers import ROOT, die_with_parent
from waiting import PATIENCE, wait_until

COPIED = ["base", "deploy", "db", "gateway", "model", "mqtt", "schema", "ws", "tests", "meson.build",
          "meson_options.txt"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the sources with a release of its own, so that nothing of the user's is touched."""
    folder = pathlib.Path(tmp_path_factory.mktemp("quickstart"))
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("node_modules"))
        else:
            shutil.copy(source, folder / name)
    yield folder
    for link in folder.glob(".quickstart/postgresql"):
        if link.is_symlink():
            shutil.rmtree(os.readlink(link), ignore_errors=True)


def environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}


def running(checkout):
    """What runs of it."""
    every = subprocess.run(["ps", "-eo", "args"], text=True, capture_output=True, check=True).stdout
    return [line for line in every.splitlines() if str(checkout) in line]


def quickstart(checkout, *args):
    done = subprocess.run([checkout / "deploy/quickstart", *args], text=True, timeout=600, env=environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert not running(checkout), f"left running: {running(checkout)}"
    log = (checkout / ".quickstart/log/gateway").read_text("utf-8")
    assert log.count("mqtt_connected") == 1, f"the session is fought over:\n{log}"
    return done.stdout


def test_ctrl_c_ends_the_build_too(checkout):
    with subprocess.Popen([checkout / "deploy/quickstart", "--once", "1"], env=environment(), preexec_fn=die_with_parent,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as script:
        wait_until(lambda: any("ninja -C" in line for line in running(checkout)), "the build to have begun", 6 * PATIENCE)
        os.killpg(script.pid, signal.SIGINT)
        assert script.wait(PATIENCE) == 130
    wait_until(lambda: not running(checkout), "what the build had begun to end")


def test_quickstart_once_again_and_with_an_invented_fleet(checkout):
    said = quickstart(checkout, "--once", "100", "--rate", "100")  # recorded vessels, and devices beside them
    assert "http://127.0.0.1:" in said and "demo" in said
    assert "set aside 0" in said.splitlines()[-3]
    secrets = [checkout / ".quickstart" / name for name in
               ("jwt-secret", "token-pepper", "password-demo", "mqtt-gateway", "tidegate.conf")]
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path
    password = (checkout / ".quickstart/password-demo").read_text()
    quickstart(checkout, "--once", "20", "--rate", "100")
    assert (checkout / ".quickstart/password-demo").read_text() == password
    vehicles = (checkout / ".quickstart/vehicles.csv").read_text().splitlines()
    assert vehicles == ["code,user,name"], "all are known from the first time"
    said = quickstart(checkout, "--reset", "--invented", "--once", "50", "--rate", "100")
    assert "set aside 0" in said.splitlines()[-3]
    assert (checkout / ".quickstart/password-demo").read_text() != password
