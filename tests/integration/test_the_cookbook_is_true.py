"""docs/cookbook.md: each section's lines are accepted, and its message becomes the row, the frames and the answers that it says.

In a section a block of JSON is (a part of) the row, or all rows, that the last message before it becomes with the last block of INI before it.
"""
import base64
import json
import os
import re
import signal
import subprocess

import pytest

from servers import ROOT, TIDEGATE
from test_native_protocol import Native
from viewers import Viewer
from waiting import wait_until

PAGE = (ROOT / "docs/cookbook.md").read_text("utf-8")
HEAD, *_SECTIONS = re.split(r"^## ", PAGE, flags=re.M)
SECTIONS = {text.partition("\n")[0]: text for text in _SECTIONS}
OWN = "A fleet of your own"
MANY = "Many readings in one message"
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


def rows_of(claim):
    """The rows that a message becomes: one, or those of its elements."""
    return claim if isinstance(claim, list) else [claim]


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
    assert list(SECTIONS) == [*PROFILES, OWN, MANY]
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
    for ini, line, claim in claims(SECTIONS[name]):
        done = tidegate(ini, "route", "test", "--json", "--", *message(line))
        said = json.loads(done.stdout)
        said = said.get("elements", [said])
        assert len(said) == len(rows_of(claim))
        for row, one in zip(rows_of(claim), said):
            assert one["set_aside"] == []
            assert row and is_part(row, one["row"]), f"{row} is not in {one['row']}"


def sent(name):
    """What tests/profiles has of it, as (topic behind the base, payload)."""
    base = re.search(r"^base *= *([^\s,]*)", (ROOT / f"deploy/profiles/{name}.conf").read_text("utf-8"), re.M)[1]
    for one in json.loads((ROOT / f"tests/profiles/{name}.json").read_text("utf-8")):
        if isinstance(one["payload"], dict):
            yield one["topic"].removeprefix(base), base64.b64decode(one["payload"]["base64"]).decode(errors="replace")
            continue
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
        base = re.search(r"^base *= *([^\s,]*)", (ROOT / f"deploy/profiles/{name}.conf").read_text("utf-8"), re.M)
    topic, payload = message(line)
    assert topic.startswith(base[1])
    published = [whole for behind, whole in sent(name) if behind == topic.removeprefix(base[1])]
    try:
        payload = json.loads(payload)
    except ValueError:
        pass  # bytes
    assert any(is_part(payload, whole) for whole in published), published


# what each path of a dialect is told, of whose kinds
TOLD_OF = {"/ws/devices": ("device_update",), "/api/ws/statistics": ("camera_event",),
           "/api/ws/vehicle/": ("vehicle_log", "sensor_log")}


class Shell:
    """The blocks of the page in bash, with the broker, the database and the gateway of a test in place of those that it names."""

    def __init__(self, gateway, broker, database):
        self.gateway = gateway
        self.environment = {**gateway.environment(), "CONF": str(gateway.conf), "PROGRAM": str(TIDEGATE),
                            "PORT": str(broker.port), "DATABASE": database.url}
        self.head = """
            mosquitto_pub() { command mosquitto_pub -p "$PORT" "$@"; }
            psql() { command psql -X -v ON_ERROR_STOP=1 "$DATABASE" "${@:2}"; }
            tidegate() { "$PROGRAM" "$@" --config "$CONF"; }
            """

    def run(self, text):
        script = (self.head + text).replace("http://127.0.0.1:8000", self.gateway.url)
        done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, env=self.environment, check=False)
        assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
        return done.stdout


def answers(shell, line):
    """What a question of the page is answered: it has to have something in it."""
    said = shell.run(line)
    if line.startswith("psql "):
        assert re.search(r"^\([1-9]\d* rows?\)$", said, re.M), said
        return
    said = json.loads(said)
    found = [said[name] for name in ("items", "detections", "geometry", "latitude") if name in said]
    assert found and all(found), said
    if "interval=" in line:
        assert all(one["data"] for one in said["items"]), said


def is_told(shell, block, route):
    """Whether what it prints begins as the page has it; what changes is left out there."""
    try:
        said = shell.run(block).splitlines()
    except AssertionError:
        return False  # nothing was seen yet
    return [line for line in route.splitlines() if line in said] == route.splitlines()


def all_is_stored(gateway, n):
    wait_until(lambda: gateway.metric("tidegate_received_total") >= n and gateway.metric("tidegate_in_journal") == 0, "all to be stored")


def check_live(gateway, shell, section, sent):
    """Each socket that the section names is told what is sent next."""
    (line,) = re.findall(r"^Live: .*$", section, re.M)
    (target,) = re.findall(r"natively `([^`]+)`", line)
    number = gateway.database.rows("SELECT id::text FROM devices WHERE 'device/' || code = %s", target)
    paths = [path.replace("/ID", f"/{number[0][0]}") if path.endswith("/ID") else path
             for path in re.findall(r"`((?:/api)?/ws/[^`]+)`", line)]
    assert paths
    token = gateway.token("root")
    native = Native(gateway, token)
    assert native.ask("subscribe", to=[target])["ok"]
    viewers = {path: Viewer(gateway, path, token) for path in paths}
    for path, viewer in viewers.items():
        if path.startswith("/ws/dashboard/"):
            viewer.next()  # the last known one, which was sent before
    shell.run(sent)
    native.push("telemetry", "device_update", "vehicle_log", "sensor_log", "camera_event")
    for path, viewer in viewers.items():
        types = next((types for begin, types in TOLD_OF.items() if path.startswith(begin)), None)
        assert viewer.next_of(*types) if types else viewer.next()
        viewer.close()
    native.close()


def check_alert(gateway, shell, broker):
    """What the table of the page says of alerts, of which no section sends one."""
    ((table, target, path, history),) = re.findall(r"^\| alert \| `(.*)` \| `(.*)` \| `(.*)` \| `(.*)` \|$", HEAD, re.M)
    token = gateway.token("root")
    native, viewer = Native(gateway, token), Viewer(gateway, path, token)
    assert native.ask("subscribe", to=[target])["ok"]
    broker.publish("homie/5/super-car/$alert/childlock", "Doors are not locked")
    assert native.push("alert")["message"] == viewer.next_of("alert")["message"] == "Doors are not locked"
    native.close()
    viewer.close()
    answers(shell, f"ask {history}")
    answers(shell, f'psql tidegate -c "SELECT * FROM {table}"')


def test_it_works_as_a_whole(make_gateway, broker, database):
    """All sections in one file: each message is stored and shown, and each question of the page has an answer."""
    gateway = make_gateway(mqtt__explore="heating/#")
    gateway.routes = "\n" + "".join(claims(SECTIONS[name])[0][0] for name in PROFILES)
    gateway.write_conf()
    gateway.add_user("ana")
    gateway.start()
    shell = Shell(gateway, broker, database)
    (_, before), (_, view) = blocks(HEAD, "sh")
    shell.run(before)
    shell.run(view)
    shell.head += before.partition("\n")[2]

    look, route = blocks(SECTIONS[OWN], "sh", "")[:2]
    wait_until(lambda: is_told(shell, look[1], route[1]), "the route of the own fleet to be suggested")
    gateway.routes += claims(SECTIONS[OWN])[-1][0] + claims(SECTIONS[MANY])[-1][0]
    n_reloads = gateway.log().count(" reloaded")
    gateway.write_conf(mqtt__explore=None)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.log().count(" reloaded") > n_reloads, "the reload")

    n = int(gateway.metric("tidegate_received_total"))
    for name, section in SECTIONS.items():
        sent, asked = [block for _, block in blocks(section, "sh")][-2:]
        n_rows = len(rows_of(claims(section)[-1][2]))
        shell.run(sent)
        n += n_rows
        all_is_stored(gateway, n)
        check_live(gateway, shell, section, messages(sent)[0])
        n += n_rows
        all_is_stored(gateway, n)
        for line in asked.splitlines():
            answers(shell, line)
    check_alert(gateway, shell, broker)
    assert database.rows("SELECT topic, reason, detail FROM dead_letters") == []
    assert database.rows("SELECT member, reason FROM row_notes") == []
    assert gateway.metric("tidegate_accounting_drift") == 0
