"""Whoever looks for a cause finds it: where it is, whose it is, and how many there are of it."""
import json
import os
import pty
import subprocess

import pytest

from servers import TIDEGATE

LETTERS = "SELECT count(*) FROM dead_letters"


def listed(gateway, *args):
    return json.loads(gateway.cli("dead-letters", "list", "--json", *args).stdout)


@pytest.fixture
def letters(gateway, broker, database):
    """Five of them: two of one cause, of different devices, and of no route."""
    broker.publish("ems/dev-1/telemetry", '{"t":\n 1,}')
    broker.publish("devices/dev-2/status", '{"status":"perhaps"}')
    broker.publish("devices/dev-1/status", '{"status":"perhaps"}')
    broker.publish("seano/USV-9/raw_log", "lost at sea")
    database.wait_for(LETTERS, 4)
    database.rows("INSERT INTO dead_letters (seq, received_at, journal_id, reason, topic, payload)"
                  " VALUES (1, now(), 1, 'no_route', 'a/b', '\\x1b5b324a07ff0a5c')")
    return gateway


def test_each_says_what_and_where(letters):
    found = {letter["topic"]: letter for letter in listed(letters)["items"]}
    assert [found["ems/dev-1/telemetry"][name] for name in ("reason", "detail", "route", "device")] == [
        "bad_json", 'payload: line 2, column 4 (byte 9): {"t":\\n 1,<-- here }', "telemetry", "dev-1"]
    assert [found["devices/dev-2/status"][name] for name in ("reason", "detail", "route", "device")] == [
        "out_of_range", '/status: not one of online, offline, warning, error: "perhaps"', "device_status", "dev-2"]
    assert [found["seano/USV-9/raw_log"][name] for name in ("reason", "route", "device")] == [
        "unknown_vehicle", "raw_log", "USV-9"]
    assert [found["a/b"][name] for name in ("reason", "detail", "route", "device")] == [
        "no_route", None, None, None]


@pytest.mark.parametrize("args, topics", [
    (["--reason", "bad_json,no_route"], ["a/b", "ems/dev-1/telemetry"]),
    (["--topic", "devices/+/status"], ["devices/dev-1/status", "devices/dev-2/status"]),
    (["--route", ""], ["a/b"]),
    (["--device", "dev-1"], ["devices/dev-1/status", "ems/dev-1/telemetry"]),
    (["--since", "1h", "--topic", "seano/#"], ["seano/USV-9/raw_log"]),
    (["--until", "1h"], []),
    (["--limit", "1"], ["a/b"]),
])
def test_a_filter_brings_those_that_are_meant(letters, args, topics):
    assert [letter["topic"] for letter in listed(letters, *args)["items"]] == topics
    lines = letters.cli("dead-letters", "list", *args).stdout.splitlines()
    assert lines[0].split() == ["ID", "RECEIVED", "REASON", "BYTES", "TOPIC", "ROUTE", "DEVICE", "DETAIL"]
    assert [line.split()[4] for line in lines[1:]] == topics


def test_pages_miss_none(letters):
    page = listed(letters, "--limit", "2")
    found = [letter["id"] for letter in page["items"]]
    while page["cursor"]:
        page = listed(letters, "--limit", "2", "--cursor", page["cursor"])
        found += [letter["id"] for letter in page["items"]]
    assert len(found) == 5 and found == sorted(set(found), reverse=True)
    done = letters.cli("dead-letters", "list", "--limit", "2")
    assert done.stderr == f"there are more: --cursor {found[1]}\n"


def test_groups_say_how_many_of_a_cause(letters):
    groups = listed(letters, "--by", "reason,detail")["items"]
    assert len(groups) == 4
    assert groups[0] == {"count": 2, "bytes": 40, "newest_id": groups[0]["newest_id"],
                         "first": groups[0]["first"], "last": groups[0]["last"], "reason": "out_of_range",
                         "detail": '/status: not one of online, offline, warning, error: "perhaps"'}
    page = listed(letters, "--by", "reason,detail", "--limit", "2")
    assert (len(page["items"]), page["cursor"], page["more"]) == (2, None, True)
    assert listed(letters, "--by", "reason,detail", "--limit", "4")["more"] is False
    done = letters.cli("dead-letters", "list", "--by", "reason,detail", "--limit", "2")
    assert len(done.stdout.splitlines()) == 3 and done.stderr == "there are more groups: --limit N, up to 10000\n"
    done = letters.cli("dead-letters", "summary", "--limit", "1")
    assert len(done.stdout.splitlines()) == 2 and done.stderr == "there are more: --limit N, up to 10000\n"
    lines = letters.cli("dead-letters", "list", "--by", "reason,route,detail").stdout.splitlines()
    assert lines[0].split() == ["LETTERS", "BYTES", "FIRST", "LAST", "REASON", "ROUTE", "DETAIL"]
    assert lines[1].split()[0] == "2" and lines[1].split()[4:6] == ["out_of_range", "device_status"]


@pytest.mark.parametrize("command", ["list", "summary", "replay", "discard"])
def test_a_reason_that_there_is_not_is_an_error(letters, database, command):
    done = letters.cli("dead-letters", command, "--reason", "bad_jsn", check=False)
    assert done.returncode == 2 and not done.stdout
    assert "'bad_jsn': allowed: bad_json, bad_utf8, " in done.stderr
    assert database.value(LETTERS) == 5


@pytest.mark.parametrize("args", [["--topic", "a/#/b"], ["--since", "yesterday"], ["--by", "colour"],
                                  ["--limit", "0"], ["--cursor", "x"]])
def test_what_cannot_be_asked_is_an_error(letters, args):
    done = letters.cli("dead-letters", "list", *args, check=False)
    assert done.returncode == 2 and "allowed: " in done.stderr


def on_terminal(gateway, *args):
    """What a terminal gets of the command, where each end of a line is two characters."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([str(TIDEGATE), *args, "--config", str(gateway.conf)], stdout=theirs,
                          env=gateway.environment()) as process:
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 4096):
                said += piece
        except OSError:  # it has ended
            pass
        os.close(ours)
        assert process.wait() == 0
    return said.replace(b"\r\n", b"\n")


def test_no_control_character_reaches_a_terminal(letters, database):
    letter = str(database.value("SELECT id FROM dead_letters WHERE topic = 'a/b'"))
    said = on_terminal(letters, "dead-letters", "show", letter)
    assert said.endswith(b"bytes: 8\n\n\\x1b[2J\\x07\\xff\n\\\n")
    assert not [c for c in said if c < 32 and c != 10]


def test_elsewhere_the_bytes_are_what_they_are(letters, database):
    letter = str(database.value("SELECT id FROM dead_letters WHERE topic = 'a/b'"))
    shell = f'"$@" > {letters.folder}/out'
    letters.cli("dead-letters", "show", letter, shell=shell)
    assert (letters.folder / "out").read_bytes().endswith(b"bytes: 8\n\n\x1b[2J\x07\xff\n\\\n")
    letters.cli("dead-letters", "show", letter, "--raw", shell=shell)
    assert (letters.folder / "out").read_bytes() == b"\x1b[2J\x07\xff\n\\"
    shown = json.loads(letters.cli("dead-letters", "show", letter, "--json").stdout)
    assert (shown["id"], shown["payload_base64"]) == (int(letter), "G1sySgf/Clw=")
    assert on_terminal(letters, "dead-letters", "show", letter, "--raw") == b"\x1b[2J\x07\xff\n\\"


def test_what_is_listed_is_what_is_replayed(letters, database):
    letters.add_vehicle("USV-9", "ana")
    done = letters.cli("dead-letters", "replay", "--topic", "seano/#", "--since", "1h")
    assert done.stdout == "replayed 1\n" and not done.stderr
    assert database.value("SELECT count(*) FROM raw_logs WHERE logs = 'lost at sea'") == 1
    done = letters.cli("dead-letters", "replay", "--until", "0s", check=False)
    assert (done.returncode, done.stdout) == (1, "replayed 0\n")
    assert "4 stay dead letters: bad_json 1, out_of_range 2, no_route 1\n" in done.stderr
    assert database.value(LETTERS) == 4
    letters.cli("dead-letters", "discard", "--device", "dev-1")
    assert [letter["topic"] for letter in listed(letters)["items"]] == ["a/b", "devices/dev-2/status"]


@pytest.mark.parametrize("command, said", [("replay", "replayed 1\n"), ("discard", "discarded 1\n")])
def test_a_letter_that_is_named_twice_is_one(letters, database, command, said):
    letters.add_vehicle("USV-9", "ana")
    letter = database.value("SELECT id FROM dead_letters WHERE topic LIKE 'seano/%'")
    done = letters.cli("dead-letters", command, str(letter), f"0{letter}", str(letter), check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert database.value(LETTERS) == 4
    assert database.value("SELECT count(*) FROM raw_logs") == (command == "replay")


def test_what_was_set_aside_is_found_beside_its_row(letters, database):
    database.rows("INSERT INTO row_notes (seq, received_at, journal_id, kind, topic, route, device_id, member,"
                  " reason, detail) SELECT 7, now(), 1, 'telemetry', 'ems/dev-1/telemetry', 'telemetry', id,"
                  " '/t', 'wrong_type', 'not a number: \"warm\"' FROM devices WHERE code = 'dev-1'")
    lines = letters.cli("dead-letters", "notes", "--device", "dev-1").stdout.splitlines()
    assert lines[0].split() == ["ID", "RECEIVED", "REASON", "KIND", "SEQ", "TOPIC", "ROUTE", "DEVICE", "MEMBER", "DETAIL"]
    assert lines[1].split()[2:] == ["wrong_type", "telemetry", "7", "ems/dev-1/telemetry", "telemetry", "dev-1", "/t",
                                    "not", "a", "number:", '"warm"']
    done = json.loads(letters.cli("dead-letters", "notes", "--by", "member,reason", "--json").stdout)
    assert [(group["count"], group["member"], group["reason"]) for group in done["items"]] == [(1, "/t", "wrong_type")]
    assert letters.cli("dead-letters", "list", "--by", "member", check=False).returncode == 2


def test_of_a_device_that_is_always_odd_so_much_is_noted(make_gateway, broker, database):
    gateway = make_gateway(database__row_notes=2)
    gateway.add_user("ana")
    gateway.add_vehicle("USV-1", "ana")
    gateway.start()
    for i in range(5):
        broker.publish("seano/USV-1/vehicle_log", json.dumps({"latitude": 91 + i, "longitude": 5, "speed": 3}))
    database.wait_for("SELECT count(*) FROM vehicle_logs WHERE latitude IS NULL AND speed = 3", 5)
    assert database.rows("SELECT kind, member, reason, detail, r.seq = l.seq FROM row_notes r JOIN vehicle_logs l"
                         " USING (seq) ORDER BY id") == [
        ("vehicle_log", "/latitude", "out_of_range", f"/latitude: not within -90 .. 90: {n}", True) for n in (91, 92)]
    assert database.rows("SELECT kept, left_out FROM row_note_days") == [(2, 3)]
    assert gateway.metric("tidegate_members_set_aside_total", member="/latitude", reason="out_of_range") == 5
    assert database.value(LETTERS) == 0
