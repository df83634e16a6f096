"""deploy/dashboard: built of its sources into a folder, which the gateway then serves."""
import os
import re
import subprocess

import requests

from servers import ROOT
from waiting import PATIENCE


def build(folder, path=os.environ["PATH"]):
    return subprocess.run(["/bin/bash", ROOT / "deploy/dashboard", folder], text=True, capture_output=True, timeout=900, check=False,
                          env={"PATH": path, "HOME": os.environ.get("HOME", "/tmp")})


def test_it_is_built_once_and_served(make_gateway):
    gateway = make_gateway()
    target = gateway.folder / "dashboard"
    made = build(target)
    assert made.returncode == 0, made.stdout + made.stderr
    assert re.findall(r"^dashboard: (\d/\d)", made.stdout, re.M) == ["1/3", "2/3", "3/3"]
    gateway.start()
    page = requests.get(gateway.url + "/", headers={"Accept": "text/html"}, timeout=PATIENCE)
    assert page.status_code == 200 and "unsafe" not in page.headers["Content-Security-Policy"]
    names = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)
    assert names
    for name in names:
        answer = gateway.get(f"/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"], name
    assert gateway.status("/.built-of") == 404
    again = build(target)
    assert (again.returncode, again.stdout) == (0, "dashboard: is built already\n")


def test_without_npm_it_says_so_and_changes_nothing(folder):
    tools = folder / "bin"
    tools.mkdir()
    for name in ("dirname", "readlink", "find", "sort", "xargs", "sha256sum", "cat"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    done = build(folder / "dashboard", str(tools))
    assert done.returncode == 3 and "there is no npm" in done.stderr
    assert not (folder / "dashboard").exists()
