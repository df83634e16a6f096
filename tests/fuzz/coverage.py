"""tests/fuzz/coverage.py [--missing FILE]... TARGET...: lines of the files that these targets are
about, out of `llvm-cov show` on the standard input.

Prints for each file how many of its counted lines any target has run, then the sum of each target.
Not counted are the functions that tests/fuzz/uncounted names, with a reason each, and statements
that do nothing but pass a fault on: no bytes raise one (docs/style.md, 6). With --missing FILE the
counted lines of that file that none has run; as often as wanted.
"""

import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LINE = re.compile(r" *(\d+)\| *([\d.kMGTE]*)\|(.*)")
BEGIN = re.compile(r"^[a-z].*?(\w+)\(")
FAULT = re.compile(r"^\s*(return )?err_(up|new)\((r|-ENOMEM|-errno)\);$")


def table(name):
    """Pairs of what is before and behind the colon of each line."""
    with open(os.path.join(HERE, name), encoding="utf-8") as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                key, value = line.split(":", 1)
                yield key.strip(), value.strip()


def read_lines(stream):
    """The lines of each file: number, count as llvm-cov prints it ('' for none), text."""
    files, current = {}, None
    for line in stream:
        line = line.rstrip("\n")
        match = LINE.match(line)
        if match and current is not None:
            current.append((int(match[1]), match[2], match[3]))
        elif line.startswith("/") and line.endswith(":"):
            current = files.setdefault(os.path.relpath(line[:-1], ROOT), [])
    return files


def counted(lines, uncounted):
    """Those lines that count, with the function that they are in."""
    name, opens = None, None
    for number, count, text in lines:
        match = BEGIN.match(text)
        if match and opens is None:
            name = match[1]
        opens = True if text.endswith("{") and text[:1].strip() else opens
        if count != "" and name not in uncounted and not FAULT.match(text):
            yield number, count, text
        if text.startswith("}") or (text.endswith(";") and text[:1].strip()):
            name = opens = None


def share(n_run, n_lines):
    return 100.0 * n_run / n_lines if n_lines > 0 else 100.0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--missing", action="append", default=[])
    arguments.add_argument("targets", nargs="+")
    chosen = arguments.parse_args()
    uncounted = {}
    for place, _ in table("uncounted"):
        file, function = place.split()
        uncounted.setdefault(file, set()).add(function)
    files = read_lines(sys.stdin)
    targets, n_good, n_files = [], 0, 0
    for target, names in table("targets"):
        if target not in chosen.targets:
            continue
        total = [0, 0]
        for name in names.split():
            lines = list(counted(files.get(name, []), uncounted.get(name, set())))
            n_run = sum(count != "0" for _, count, _ in lines)
            total = [total[0] + n_run, total[1] + len(lines)]
            if not lines:
                continue
            n_files += 1
            n_good += share(n_run, len(lines)) >= 90
            print("%-34s %5d of %5d lines %6.1f %%" % (name, n_run, len(lines), share(n_run, len(lines))))
            if name in chosen.missing:
                for number, count, text in lines:
                    if count == "0":
                        print("%6d %s" % (number, text))
        targets.append((target, *total))
    print()
    for target, n_run, n_lines in targets:
        if n_lines > 0:
            print("%-34s %5d of %5d lines %6.1f %%" % (target, n_run, n_lines, share(n_run, n_lines)))
    print("%d of %d files have 90 %%" % (n_good, n_files))


if __name__ == "__main__":
    main()
