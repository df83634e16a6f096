"""Promise: what the documents list is what there is."""
import os
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
DOCUMENTS = ("CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/cookbook.md", "docs/mapping.md",
             "docs/operations.md", "docs/protocol.md", "docs/reliability.md", "docs/style.md", "docs/weaknesses.md")


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


MAPPING = (ROOT / "docs/mapping.md").read_text("utf-8")


def table(heading):
    """The cells of the rows of the table with that heading in docs/mapping.md."""
    rows = MAPPING.split(heading, 1)[1].split("\n\n")[0].strip().splitlines()[1:]
    assert rows
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def source(name):
    return (ROOT / "gateway/decode" / name).read_text("utf-8")


def test_operations_of_maps_are_listed_as_they_are():
    listed = [row[0].strip("`").split()[0] for row in table("| operation | does | example | cannot use |")]
    there = re.findall(r'\[MAP_OP_\w+\] = \{ "(\w+)"', source("map_op.c"))
    assert there and sorted(listed) == sorted(there)
    units = re.findall(r'\{ "(\w+)", MAP_UNIT_\w+', source("map_op.c"))
    (row,) = [row for row in table("| operation | does | example | cannot use |") if row[0].startswith("`time")]
    assert units and re.findall(r"`(\w+)`", row[1].split("UNIT")[1]) == units


def test_formats_of_payloads_are_listed_as_they_are():
    listed = [row[0].strip("`") for row in table("| format | the payload is | gives |")]
    names = source("format.c").split("names[FORMAT_COUNT]")[1].split("};")[0]
    assert listed == re.findall(r'TEXT\("(\w+)"\)', names) != []


def test_members_of_kinds_are_listed_as_they_are():
    types = {"text": "TEXT", "number": "NUMBER", "switch": "BOOL", "array or object": "JSON"}
    listed = {(kind.strip("`").upper(), member.removeprefix("data."), types[type_], str(member.startswith("data.")).lower())
              for kind, members, type_ in table("| kind | member | type |") for member in re.findall(r"`([\w.]+)`", members)}
    there = re.findall(r'\{ KIND_(\w+), "(\w+)", MAP_(\w+), (true|false) \}', source("map.c"))
    assert there and listed == set(there)


def test_sources_and_targets_of_maps_are_listed_as_they_are():
    who = source("map.c").split("} who[] = {")[1].split("};")[0]
    listed = " ".join(row[0] for row in table("| target | is |"))
    assert re.findall(r'\{ "(\w+)"', who) == [name for name in re.findall(r"`(\w+)`", listed)]


def test_keys_of_routes_are_listed_as_they_are():
    listed = [key for row in table("| key | is |") for key in re.findall(r"`(\w+)`", row[0])]
    there = re.findall(r'\[ROUTE_\w+\] = \{\s*"(\w+)"', (ROOT / "gateway/config/config_routes.c").read_text("utf-8"))
    assert there and sorted(listed) == sorted(there)


def test_the_first_example_of_maps_does_what_it_says(tmp_path):
    (tmp_path / "conf").write_text(re.search(r"```ini\n(.*?)```", MAPPING, re.S)[1])
    topic, sent, device, row = re.search(r"^`(\S+)` with `(\{.*?\})`.* device `(\S+)`,.*?\nwith `(\{.*?\})`\.$", MAPPING, re.M | re.S).groups()
    said = subprocess.run([TIDEGATE, "route", "test", "--config", tmp_path / "conf", topic, sent], check=True, capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}).stdout
    assert f"  device: {device}\n" in said and f"  data: {row}\n" in said and "  time_is: its own\n" in said
