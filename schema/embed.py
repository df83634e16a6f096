#!/usr/bin/env python3
"""Write files as C initialisers: { "name", "bytes as escaped string", size }, one a file."""
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


with open(sys.argv[1], "w", encoding="ascii") as target:
    for name in sys.argv[2:]:
        path = pathlib.Path(name)
        data = path.read_bytes()
        target.write(f'{{ "{path.name}", {c_string(data)}, {len(data)} }},\n')
