#!/usr/bin/env python3
"""Fail where a comment or a document names a file of ours that there is not (docs/style.md)."""
import pathlib
import re
import sys

TOPS = ("base", "model", "mqtt", "db", "ws", "gateway", "tests", "schema", "deploy", "clients", "docs")
READ = {".c", ".h", ".py", ".sql", ".md", ".ts", ".tsx", ".mjs", ".build", ".conf"}
NOT_OURS = {"node_modules", "dist", "__pycache__", ".venv", ".pytest_cache"}
NAMED = re.compile(r"(?<![\w./@$<-])((?:[\w-]+/)*[\w-]+\.(?:c|h|py|md|sql|mjs|pml))\b(?![\w/(])")
BARE = re.compile(r"[\w-]+\.[ch]")  # without its folder: of any, in C and in documents
CHAPTER = re.compile(r"\bPROTOCOL [0-9]")
EXAMPLE = re.compile(r"\b(?:NAME|X|x|x-none)\.\w+$")  # of a name
FOREIGN = {"MQTTAsync.h", "SocketBuffer.c", "SSLSocket.c", "argon2.h", "cbor.h", "crypt.h", "ini.h", "jwt.h", "libpq-fe.h", "uv.h", "zlib.h"}


def ours(root):
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and not NOT_OURS & set(path.relative_to(root).parts):
                yield path
    yield from (path for path in root.glob("*") if path.is_file())


def comments(name, text):
    """What of a file is said to people, line by line."""
    if name.endswith((".c", ".h")):
        inside = False
        for number, line in enumerate(text.split("\n"), 1):
            inside = inside or "/*" in line
            if inside:
                yield number, line
            inside = inside and "*/" not in line
    else:
        yield from enumerate(text.split("\n"), 1)


def is_lost(path, named, names):
    """Is @named, as @path has it, meant to be one of ours, and none?"""
    if named in FOREIGN or EXAMPLE.search(named) or (path.parent / named).exists():
        return False
    if "/" in named:
        return named.split("/")[0] in TOPS and named not in names
    return path.suffix in (".c", ".h", ".md") and bool(BARE.fullmatch(named)) and named not in names


def faults(root):
    paths = list(ours(root))
    names = {path.relative_to(root).as_posix() for path in paths} | {path.name for path in paths}
    for path in paths:
        name = path.relative_to(root).as_posix()
        if path.suffix not in READ:
            continue
        for number, line in comments(name, path.read_text(errors="replace")):
            yield from (f"{name}:{number}: names {named}, which is not there"
                        for named in NAMED.findall(line) if is_lost(path, named, names))
            if CHAPTER.search(line):
                yield f"{name}:{number}: a chapter without its document: docs/protocol.md, 3"


found = list(faults(pathlib.Path(sys.argv[1]).resolve()))
print("\n".join(found) or "paths: ok")
sys.exit(bool(found))
