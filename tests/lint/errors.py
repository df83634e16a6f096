#!/usr/bin/env python3
"""Fail where an answer is taken for success because only faults were looked at (docs/style.md, "Errors")."""
import pathlib
import re
import sys

SOURCES = ("base", "model", "mqtt", "db", "ws", "gateway")
SWALLOWS = [
    re.compile(r"\b(\w+) < 0 \? err_up\(\1\)\s*: (?:0\b|(?!err_new\b)[a-z]\w*\()"),
    re.compile(r"\b(\w+) >= 0 \? (?:0|[a-z]\w*\(.*\))\s*: err_up\(\1\)"),
    re.compile(r"\bif \((\w+) < 0\)\s+return err_up\(\1\);\s+return 0;"),
]


def faults_of(name, text):
    places = [match.start() for form in SWALLOWS for match in form.finditer(text)]
    for at in sorted(places):
        yield (f"{name}:{text.count(chr(10), 0, at) + 1}: takes any answer for success; "
               "return err_up(r), or a switch that says which answers may come")


def faults(root):
    paths = {path.relative_to(root).as_posix(): path for top in SOURCES for path in (root / top).rglob("*.[ch]")}
    for name, path in sorted(paths.items()):
        yield from faults_of(name, path.read_text())


found = list(faults(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "errors: ok")
sys.exit(bool(found))
