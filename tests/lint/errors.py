#!/usr/bin/env python3
"""Fail where an answer is taken for success because only faults were looked at (docs/style.md, "Errors")."""
import pathlib
import re
import sys

SOURCES = ("base", "model", "mqtt", "db", "ws", "gateway")
STILL = {  # files that do, and may only become fewer
    *(f"gateway/read/{x}.c" for x in ("history_pool", "query_lane", "query_thread")),
    *(f"ws/loop/{x}.c" for x in ("loop", "pending", "turns")),
    "ws/http/http.c",
    "ws/server.c",
}
SWALLOWS = [
    re.compile(r"\b(\w+) < 0 \? err_up\(\1\)\s*: (?:0\b|(?!err_new\b)[a-z]\w*\()"),
    re.compile(r"\b(\w+) >= 0 \? (?:0|[a-z]\w*\(.*\))\s*: err_up\(\1\)"),
    re.compile(r"\bif \((\w+) < 0\)\s+return err_up\(\1\);\s+return 0;"),
]


def faults_of(name, text):
    places = [match.start() for form in SWALLOWS for match in form.finditer(text)]
    if places and name not in STILL:
        for at in sorted(places):
            yield (f"{name}:{text.count(chr(10), 0, at) + 1}: takes any answer for success; "
                   "return err_up(r), or a switch that says which answers may come")
    elif not places and name in STILL:
        yield f"{name}: handles its answers now: take it out of STILL"


def faults(root):
    paths = {path.relative_to(root).as_posix(): path for top in SOURCES for path in (root / top).rglob("*.[ch]")}
    for name, path in sorted(paths.items()):
        yield from faults_of(name, path.read_text())
    for name in sorted(STILL - paths.keys()):
        yield f"{name}: is not there any more: take it out of STILL"


found = list(faults(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "errors: ok")
sys.exit(bool(found))
