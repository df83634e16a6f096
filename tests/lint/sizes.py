#!/usr/bin/env python3
"""Print how long functions and files are and which rooms no test knows; fail where that is too much (docs/style.md)."""
import collections
import pathlib
import re
import sys

SOURCES = ("base", "model", "mqtt", "db", "ws", "gateway")
LINES_MAX = 60  # of a function, from its name to its last brace
MEDIAN_MAX = 12
P95_MAX = 30
FILE_MAX = 600
LESS = {"gateway/store/processor.c": 300}  # a loop, and nothing else
UNTESTED_MAX = 0  # rooms that no unit test or fuzz target names
OPENS = re.compile(r"^[A-Za-z_].*\(")  # in the first column: clang-format sees to it
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def read(root, tops):
    paths = (path for top in tops for path in (root / top).rglob("*.[ch]"))
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(paths)}


def functions(text):
    """The functions of a file as (name, lines)."""
    lines, at = text.split("\n"), 0
    while at < len(lines):
        begin, at = at, at + 1
        if not OPENS.match(lines[begin]):
            continue
        while not re.search(r"[{;]$|^$", lines[at - 1]):
            at += 1
        if lines[at - 1].endswith(") {"):
            at = lines.index("}", at) + 1
            yield re.search(r"(\w+)\(", lines[begin]).group(1), at - begin


def at_part(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def function_faults(files):
    found = sorted((n, f"{name}: {function}") for name, text in files.items() for function, n in functions(text))
    lengths = [n for n, _ in found]
    median, p95 = at_part(lengths, 0.5), at_part(lengths, 0.95)
    print(f"functions: {len(found)}; lines: median {median}, p95 {p95}, longest {lengths[-1]} ({found[-1][1]})")
    for what, is_, most in (("median", median, MEDIAN_MAX), ("p95", p95, P95_MAX)):
        if is_ > most:
            yield f"functions: {what} {is_} lines, {most} at most"
    for n, where in found:
        if n > LINES_MAX:
            yield f"{where}: {n} lines, {LINES_MAX} at most"


def file_faults(files):
    lengths = {name: text.count("\n") for name, text in files.items()}
    longest = max(lengths, key=lengths.get)
    print(f"files: {len(files)}, {sum(lengths.values())} lines; longest {lengths[longest]} ({longest})")
    for name in sorted(lengths):
        if lengths[name] > LESS.get(name, FILE_MAX):
            yield f"{name}: {lengths[name]} lines, {LESS.get(name, FILE_MAX)} at most"


def room_faults(files, tests):
    rooms = {name[:-2] for name in files if name.endswith(".c") and name[:-2] + ".h" in files}
    included = {header[:-2] for text in tests.values() for header in INCLUDE.findall(text)}
    called = collections.Counter(room.rpartition("/")[2] for room in rooms)  # a name of two rooms tells neither
    named = {room for room in rooms if called[name := room.rpartition("/")[2]] == 1 and f"tests/unit/test-{name}.c" in tests}
    untested = sorted(rooms - included - named)
    print(f"rooms: {len(rooms)}; without a test of their own: {len(untested)}")
    for room in untested:
        print(f"  {room}")
    if len(untested) > UNTESTED_MAX:
        yield f"{len(untested)} rooms that no test names, {UNTESTED_MAX} at most"


def order_faults(path):
    """Of the lists of tests, in which a name is found where its letters are."""
    last = ""
    for begins, name in re.findall(r"^(?:(\w+ = \{)|        '([\w-]+)': .*)$", path.read_text("utf-8"), re.M):
        if not begins and name < last:
            yield f"{path}: '{name}' is not in order of name"
        last = name


def main(root):
    files = read(root, SOURCES)
    faults = [
        *function_faults(files),
        *file_faults(files),
        *room_faults(files, read(root, ("tests/unit", "tests/fuzz"))),
        *order_faults(root / "tests/unit/meson.build"),
    ]
    print("\n".join(faults) or "sizes: ok")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
