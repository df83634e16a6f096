"""Promise: what the documents list is what there is."""
import re
import subprocess

from servers import ROOT, TIDEGATE


def test_the_command_line_is_listed_as_it_is():
    usage = subprocess.run([TIDEGATE, "--help"], check=True, capture_output=True, text=True).stdout
    there = re.findall(r"^  (tidegate .+)\n        (.+)$", usage, re.M)
    section = (ROOT / "docs/protocol.md").read_text("utf-8").split("## 7. Command line")[1]
    listed = [re.split(r"  +", line, maxsplit=1) for line in section.split("```")[1].strip().splitlines()]
    assert [tuple(line) for line in listed] == there


TOPS = ("base", "model", "mqtt", "db", "ws", "gateway", "tests", "docs", "deploy", "schema")
DOCUMENTS = ("CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/operations.md",
             "docs/protocol.md", "docs/reliability.md", "docs/style.md", "docs/weaknesses.md")


def missing(document, pattern):
    """The paths in it that are those of nothing; X, NNN and * stand for some name."""
    named = set(re.findall(pattern, document.read_text("utf-8")))
    return sorted(f"{document.relative_to(ROOT)}: {path}" for path in named
                  if not list(ROOT.glob(re.sub("X|NNN", "*", path))) and not (ROOT / f"{path}.c").exists())


def test_paths_that_the_documents_name_exist():
    pattern = rf"`((?:{'|'.join(TOPS)})/[\w./*-]+)`"
    assert [x for name in DOCUMENTS for x in missing(ROOT / name, pattern)] == []


def test_paths_that_the_code_names_exist():
    pattern = rf"(?<![\w/.])((?:{'|'.join(TOPS)})/[\w/-]+\.(?:c|h|md|py|sql))\b"
    sources = [path for top in (*TOPS[:6], "tests/unit", "tests/fuzz", "tests/fake")
               for path in (ROOT / top).rglob("*.[ch]")]
    assert sources and [x for path in sources for x in missing(path, pattern)] == []
