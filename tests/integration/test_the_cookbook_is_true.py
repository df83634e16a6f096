"""docs/cookbook.md: each section's lines are accepted, and its message becomes the row that it says.

In a section a block of JSON is (a part of) the row that the last message before it becomes with the last block of INI before it.
"""
import json
import os
import re
import subprocess

import pytest

from servers import ROOT, TIDEGATE

PAGE = (ROOT / "docs/cookbook.md").read_text("utf-8")
HEAD, *_SECTIONS = re.split(r"^## ", PAGE, flags=re.M)
SECTIONS = {text.partition("\n")[0]: text for text in _SECTIONS}
OWN = "A fleet of your own"
PROFILES = sorted(path.stem for path in (ROOT / "deploy/profiles").glob("*.conf"))
TOLD = 'mosquitto_pub() { printf "%s\\0" "$@"; }; tidegate() { printf "%s\\0" -t "${@: -2:1}" -m "${@: -1}"; }; '


def blocks(text, *languages):
    return [(language, block) for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
            if language in languages]


def messages(block):
    """The lines of a block that send or try a message."""
    return [line for line in block.splitlines() if line.startswith(("mosquitto_pub ", "tidegate route test "))]


def message(line):
    """The topic and the payload, as a shell makes them of the line."""
    said = subprocess.run(["bash", "-c", TOLD + line], check=True, capture_output=True).stdout.decode().split("\0")
    return said[said.index("-t") + 1], said[said.index("-m") + 1]


def claims(section):
    """(INI, the line with the message, the row) of a section, in its order."""
    ini = line = None
    found = []
    for language, block in blocks(section, "ini", "sh", "json"):
        if language == "ini":
            ini = block
        elif language == "json":
            found.append((ini, line, json.loads(block)))
        else:
            line = (messages(block) or [line])[-1]
    return found


def is_part(part, whole):
    """Whether all that is in it is there, too; what is @unix@ and the like in tests/profiles is any."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(is_part, part, whole))
    return part == whole or (isinstance(whole, str) and re.search("@[a-z_]+@", whole) is not None)


@pytest.fixture
def tidegate(tmp_path):
    """tidegate(INI, word, ...): what it says with that file alone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}

    def call(ini, *words):
        (tmp_path / "conf").write_text(ini, "utf-8")
        options = words.index("--") if "--" in words else len(words)
        command = [TIDEGATE, *words[:options], "--config", tmp_path / "conf", *words[options:]]
        return subprocess.run(command, capture_output=True, text=True, env=clean, check=False)

    return call


def test_every_profile_has_a_section():
    assert list(SECTIONS) == [*PROFILES, OWN]
    for name in PROFILES:
        assert f"\nuse = {name}\n" in SECTIONS[name]
        assert len(claims(SECTIONS[name])) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_its_lines_are_accepted(tidegate, name):
    for _, ini in blocks(SECTIONS[name], "ini"):
        done = tidegate(ini, "check-config")
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SECTIONS)
def test_its_message_becomes_the_row_that_it_says(tidegate, name):
    assert claims(SECTIONS[name])
    for ini, line, row in claims(SECTIONS[name]):
        done = tidegate(ini, "route", "test", "--json", "--", *message(line))
        said = json.loads(done.stdout)
        assert said["set_aside"] == []
        assert row and is_part(row, said["row"]), f"{row} is not in {said['row']}"


def sent(name):
    """What tests/profiles has of it, as (topic behind the base, payload)."""
    base = re.search(r"^base *= *(\S*)$", (ROOT / f"deploy/profiles/{name}.conf").read_text("utf-8"), re.M)[1]
    for one in json.loads((ROOT / f"tests/profiles/{name}.json").read_text("utf-8")):
        text = re.sub(r":@([a-z_]+)@[.0-9]*", r':"@\1@"', one["payload"])
        try:
            yield one["topic"].removeprefix(base), json.loads(text)
        except ValueError:
            yield one["topic"].removeprefix(base), text


@pytest.mark.parametrize("name", PROFILES)
def test_its_message_is_one_of_the_project(name):
    """Or a part of it."""
    ((ini, line, _),) = claims(SECTIONS[name])
    base = re.search(r"^base = (\S+)$", ini, re.M)
    if not base:
        base = re.search(r"^base *= *(\S*)$", (ROOT / f"deploy/profiles/{name}.conf").read_text("utf-8"), re.M)
    topic, payload = message(line)
    assert topic.startswith(base[1])
    published = [whole for behind, whole in sent(name) if behind == topic.removeprefix(base[1])]
    payload = json.loads(payload)
    assert any(is_part(payload, whole) for whole in published), published
