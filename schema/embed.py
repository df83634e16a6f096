#!/usr/bin/env python3
"""Write files as C initialisers: { "name", "bytes as escaped string", size }, one a file.

With --gzip first, the same bytes packed and their size follow; with --folder all files of a folder that
end in .conf, and nothing is written that is there already.
"""
import gzip
import pathlib
import sys


def c_string(data: bytes) -> str:
    out = []
    for line in data.splitlines(keepends=True):
        text = "".join(
            chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in line
        )
        out.append(f'"{text}"')
    return "\n".join(out) or '""'


def entry(path: pathlib.Path, packs: bool) -> str:
    data = path.read_bytes()
    more = ""
    if packs:
        packed = gzip.compress(data, mtime=0)
        more = f", {c_string(packed)}, {len(packed)}"
    return f'{{ "{path.name}", {c_string(data)}, {len(data)}{more} }},\n'


how = sys.argv[1] if sys.argv[1].startswith("--") else ""
target, *names = sys.argv[1 + bool(how):]
paths = [pathlib.Path(name) for name in names]
if how == "--folder":
    paths = sorted(paths[0].glob("*.conf"))
made = "".join(entry(path, how == "--gzip") for path in paths)
if not pathlib.Path(target).exists() or pathlib.Path(target).read_text(encoding="ascii") != made:
    pathlib.Path(target).write_text(made, encoding="ascii")
