#!/usr/bin/env python3
"""Write files as C initialisers: { "name", "bytes as escaped string", size }, one a file.

With --gzip first, the same bytes packed and their size follow.
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


packs = sys.argv[1] == "--gzip"
with open(sys.argv[1 + packs], "w", encoding="ascii") as target:
    for name in sys.argv[2 + packs:]:
        path = pathlib.Path(name)
        data = path.read_bytes()
        more = ""
        if packs:
            packed = gzip.compress(data, mtime=0)
            more = f", {c_string(packed)}, {len(packed)}"
        target.write(f'{{ "{path.name}", {c_string(data)}, {len(data)}{more} }},\n')
