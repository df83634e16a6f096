"""`tidegate route`: what the routes of a configuration do, without broker and database."""
import datetime
import json
import os
import re
import subprocess

import pytest

import owntracks
from servers import TIDEGATE

ROUTES = """
[route zigbee]
topic = zigbee2mqtt/{device...}
ignore = zigbee2mqtt/bridge/#
kind = telemetry
[map zigbee]
time = /last_seen
battery_voltage = /battery_mv | scale 0.001
""" + owntracks.ROUTES
NOWHERE = {"TIDEGATE_DATABASE_URL": "postgresql://127.0.0.1:1/none", "TIDEGATE_MQTT_URL": "mqtt://127.0.0.1:1"}


@pytest.fixture
def route(tmp_path):
    """route(word, operand, ...) -> exit code, what it says as JSON."""
    (tmp_path / "conf").write_text(ROUTES)

    def call(word, *operands, stdin=b"", env=None, text=False):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
        done = subprocess.run(
            [TIDEGATE, "route", word, *([] if text else ["--json"]), "--config", tmp_path / "conf", "--", *operands],
            input=stdin, capture_output=True, timeout=60, env={**clean, **(env or {})}, check=False)
        if text or done.returncode == 2:
            return done.returncode, (done.stdout + done.stderr).decode()
        assert not done.stderr
        return done.returncode, json.loads(done.stdout)

    call.conf = tmp_path / "conf"
    return call


def verdicts(said):
    return {one["name"]: one["verdict"] for one in said["routes"]}


def test_a_message_makes_the_row_that_is_shown(route):
    seen = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    code, said = route("test", "zigbee2mqtt/attic/lamp", f'{{"battery_mv":3050,"last_seen":"{seen}Z"}}', env=NOWHERE)
    assert code == 0
    assert verdicts(said) == {"zigbee": "takes"}
    assert (said["route"], said["result"], said["set_aside"]) == ("zigbee", "row", [])
    assert said["routes"][0]["captures"] == {"device": "attic/lamp"}
    assert said["routes"][0]["origin"] == f"{route.conf}:3"
    row = said["row"]
    assert (row["kind"], row["device"], row["time"], row["time_is"]) == (
        "telemetry", "attic/lamp", f"{seen}.000Z", "its own")
    assert row["data"]["battery_voltage"] == 3.05


def test_what_is_set_aside_and_a_time_that_is_not_believed_are_told(route):
    code, said = route("test", "owntracks/ana/phone", '{"_type":"location","lat":"north","lon":5,"tst":5}')
    assert code == 0
    assert verdicts(said) == {"owntracks": "takes", "owntracks_lwt": "later"}
    assert [(one["member"], one["reason"]) for one in said["set_aside"]] == [("/latitude", "wrong_type")]
    row = said["row"]
    assert (row["user"], row["longitude"], row["time_is"], row["said_time"]) == ("ana", 5, "the receipt", "5")


@pytest.mark.parametrize("decode, payload, value", [
    ("text", "21.5", "21.5"), ("number", " +021.50", 21.5), ("number_or_text", "21.5", 21.5),
    ("number_or_text", "online", "online"), ("base64+number_or_text", "MjEuNQ==", 21.5), ("bool", "ON", True)])
def test_a_bare_value_of_telemetry_is_called_value_where_no_map_says_more(route, decode, payload, value):
    route.conf.write_text(f"[route bare]\ntopic = t/{{device}}\nkind = telemetry\ndecode = {decode}\n")
    code, said = route("test", "t/a", payload)
    assert (code, said["row"]["data"]) == (0, {"value": value})


def test_an_empty_payload_only_tells_the_broker_to_forget(route):
    for topic in "zigbee2mqtt/lamp", "owntracks/ana/phone", "nobody/asks":
        code, said = route("test", topic, "")
        assert (code, said["result"], said.get("row")) == (0, "ignored", None), topic
    assert route("test", "zigbee2mqtt/lamp", " ")[1]["result"] == "dead_letter"


def test_no_device_registers_itself_under_a_number(route):
    route.conf.write_text("[route new]\ntopic = new/{device}\nkind = telemetry\nauto_register = on\n"
                          "[route known]\ntopic = known/{device}\nkind = telemetry\n")
    for name in "17", "-5", "id:5", "\u0665":
        code, said = route("test", f"new/{name}", '{"v":1}')
        assert (code, said["result"], said["reason"]) == (1, "dead_letter", "unknown_device"), name
        assert "a number registers no device" in said["detail"]
        assert route("test", f"known/{name}", '{"v":1}')[1]["row"]["device"] == name
    assert route("test", "new/17a", '{"v":1}')[1]["row"]["may_register"]


def test_why_another_route_does_not_take_it(route):
    code, said = route("test", "owntracks/ana/phone", "-", stdin=b'{"_type":"lwt"}')
    assert code == 0
    assert verdicts(said) == {"owntracks": "condition", "owntracks_lwt": "takes"}
    assert said["row"]["status"] == "offline"
    code, said = route("test", "zigbee2mqtt/bridge/state", "online")
    assert (code, said["result"], verdicts(said)) == (0, "ignored", {"zigbee": "ignores"})


def test_a_dead_letter_has_its_reason_and_detail(route, tmp_path):
    (tmp_path / "payload").write_bytes(b'{"x":')
    code, said = route("test", "zigbee2mqtt/lamp", f"@{tmp_path}/payload")
    assert (code, said["result"], said["reason"]) == (1, "dead_letter", "bad_json")
    assert "payload" in said["detail"]
    code, said = route("test", "nobody/asks", "1")
    assert (code, said["result"], said["reason"], said["routes"]) == (1, "dead_letter", "no_route", [])
    code, said = route("test", "owntracks/ana/phone", '{"_type":"card"}')
    assert (code, said["reason"]) == (1, "no_route")
    code, said = route("test", "tfg/detections/raw", '{"detections":[]}')
    assert (code, said["reason"]) == (1, "unknown_device")


@pytest.mark.parametrize("operands", [["a/#", "1"], ["", "1"], ["a"], ["a", "@/nonexistent"], ["a", "b", "c"]])
def test_what_is_no_message_is_wrong_usage(route, operands):
    code, said = route("test", *operands)
    assert code == 2 and "tidegate route test" in said


def test_a_wrong_configuration_is_told(route):
    code, said = route("test", "a", "1", env={"TIDEGATE_HTTP_LISTEN": "nonsense"})
    assert code == 2 and "TIDEGATE_HTTP_LISTEN" in said


def test_nothing_of_the_message_reaches_the_terminal(route):
    code, said = route("test", "zigbee2mqtt/a", '{"x":"\u202e"}', text=True)
    assert code == 0 and "\u202e" not in said and '"x":"\\u202e"' in said


def test_explain_leaves_the_payload_open(route):
    code, said = route("explain", "owntracks/ana/phone")
    assert (code, verdicts(said)) == (0, {"owntracks": "if", "owntracks_lwt": "if"})
    assert [one["when"] for one in said["routes"]] == ["/_type = location", "/_type = lwt"]
    assert route("explain", "zigbee2mqtt/bridge/x")[1]["result"] == "ignored"
    code, said = route("explain", "nobody/asks")
    assert (code, said["result"]) == (1, "no_route")


def test_list_has_the_table_in_force(route):
    code, said = route("list", env={"TIDEGATE_ROUTE_RAW_LOG_ENABLED": "off"})
    assert code == 0
    table = {one["name"]: one for one in said["routes"]}
    assert list(table)[:2] == ["user_device_status", "device_status"] and list(table)[-1] == "owntracks_lwt"
    assert "raw_log" not in table
    assert table["device_status"]["origin"] == "default"
    assert table["zigbee"]["map"] == ["time = /last_seen", "battery_voltage = /battery_mv | scale 0.001"]
    assert table["zigbee"]["ignore"] == ["zigbee2mqtt/bridge/#"]
    first = {"first": "owntracks", "where": "/_type = location"}
    assert table["owntracks"]["overlaps"] == [{"with": "owntracks_lwt", **first}]
    assert table["owntracks_lwt"]["overlaps"] == [{"with": "owntracks", **first}]
    assert table["zigbee"]["overlaps"] == []


PROFILE = """
[profile]
about = A house of things
base = house
[route things_state]
topic = $base/{device}/state
kind = device_status
auto_register = on
[map things_state]
status = / | word online=up offline=down
[route things]
topic = $base/{device...}
ignore = $base/+/set
kind = telemetry
auto_register = on
[map things]
time = /t
volt = /mv | scale 0.001
where = '$base'
[route things_last]
topic = $base/+/raw
kind = raw_log
[map things_last]
vehicle = 'v'
"""


@pytest.fixture
def using(route, tmp_path):
    """using(text) -> exit code and `route list` of a configuration that may use the profile things."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/things.conf").write_text(PROFILE)

    def call(text):
        route.conf.write_text(f"[routes]\nprofiles = {tmp_path}/profiles\n{text}")
        code, said = route("list")
        if code != 0:
            return code, said
        own = [one for one in said["routes"] if one["origin"] != "default"]
        return code, {one["name"]: one for one in own}

    call.folder = tmp_path / "profiles"
    return call


def test_a_profile_becomes_routes_at_the_place_of_the_one_that_uses_it(using):
    code, table = using("[route home]\nuse = things\n[route z]\ntopic = z/{device}\nkind = telemetry\n")
    assert code == 0
    assert list(table) == ["home_state", "home", "home_last", "z"]
    home = table["home"]
    assert (home["topic"], home["ignore"], home["auto_register"]) == ("house/{device...}", ["house/+/set"], True)
    assert home["map"] == ["time = /t", "volt = /mv | scale 0.001", "where = 'house'"]
    assert home["origin"] == f"{using.folder}/things.conf:12"


def test_what_the_configuration_says_goes_before_the_profile(using):
    code, table = using("[map home]\ntime =\nwatt = /w\nvolt = /v\n"
                        "[route home]\nuse = things\nbase = a/{user}/b\nauto_register = off\nmax_bytes = 1K\n"
                        "[route home_last]\nenabled = off\n[route home_state]\nauto_register = on\n")
    assert code == 0
    assert list(table) == ["home_state", "home"]
    assert table["home"]["topic"] == "a/{user}/b/{device...}"
    assert table["home"]["ignore"] == ["a/+/b/+/set"]
    assert sorted(table["home"]["map"]) == ["volt = /v", "watt = /w", "where = 'a/{user}/b'"]
    assert [table[one]["auto_register"] for one in ("home", "home_state")] == [False, True]
    assert [table[one]["max_bytes"] for one in ("home", "home_state")] == [1024, 1024]


def test_one_profile_serves_several_routes(using):
    code, table = using("[route up]\nuse = things\nbase = up\n[route down]\nuse = things\nbase = down\n")
    assert code == 0
    assert list(table) == ["up_state", "up", "up_last", "down_state", "down", "down_last"]
    assert [one["topic"] for one in table.values()][4:] == ["down/{device...}", "down/+/raw"]


TWO_BASES = ("[profile]\nabout = Two\nbase = tele, stat\n[route two]\ntopic = $base/{device}/x\nkind = telemetry\n"
             "[route two_answer]\ntopic = $base2/{device}/x\nignore = $base2/+/y, $base/+/y\nkind = telemetry\n")


@pytest.mark.parametrize("base, topics", [
    ("", ["tele/{device}/x", "stat/{device}/x"]),
    ("base = {site...}/tele\n", ["{site...}/tele/{device}/x", "{site...}/stat/{device}/x"]),
    ("base = home/tele\n", ["home/tele/{device}/x", "home/stat/{device}/x"]),
    ("base = {user}/t, {user}/s\n", ["{user}/t/{device}/x", "{user}/s/{device}/x"]),
    ("base = telemetry\n", ["telemetry/{device}/x"])])
def test_a_profile_of_several_bases_has_them_from_one_or_from_a_list(using, base, topics):
    (using.folder / "two.conf").write_text(TWO_BASES)
    code, table = using(f"[route plug]\nuse = two\n{base}")
    assert code == 0
    assert [one["topic"] for one in table.values()] == topics
    for one in list(table.values())[1:]:
        filters = [re.sub(r"{\w+}", "+", topic.replace("{site...}", "#")) for topic in topics[::-1]]
        assert one["ignore"] == [one_of[:-1] + "y" for one_of in filters]


def test_what_bases_there_are_is_told(using, route):
    (using.folder / "two.conf").write_text(TWO_BASES)
    code, said = using("[route plug]\nuse = two\nbase = a, b, c\n")
    assert code == 2 and f"{route.conf}:5: route plug.base: more than the profile has; allowed: tele, stat" in said
    assert using("")[0] == 0
    code, said = route("profiles", "two")
    assert (said["base"], said["topics"]) == ("tele, stat", ["tele/{device}/x", "stat/{device}/x"])


def test_the_environment_says_bases_as_a_file_does(using, route):
    (using.folder / "two.conf").write_text(TWO_BASES)
    assert using("")[0] == 0
    code, said = route("list", env={"TIDEGATE_ROUTE_PLUG_USE": "two", "TIDEGATE_ROUTE_PLUG_BASE": "t, s"})
    assert code == 0
    assert [one["topic"] for one in said["routes"] if one["name"].startswith("plug")] == ["t/{device}/x", "s/{device}/x"]
    code, said = route("list", env={"TIDEGATE_ROUTE_PLUG_USE": "two", "TIDEGATE_ROUTE_PLUG_BASE": "t,"})
    assert code == 2 and "environment TIDEGATE_ROUTE_PLUG_BASE: route plug.base: one of the list is missing" in said


def test_a_topic_of_ones_own_needs_no_base(using):
    (using.folder / "two.conf").write_text(TWO_BASES)
    code, table = using("[route plug]\nuse = two\nbase = telemetry\n[route plug_answer]\ntopic = mine/{device}/x\n")
    assert code == 0
    assert {name: (one["topic"], one["ignore"]) for name, one in table.items()} == {
        "plug": ("telemetry/{device}/x", []), "plug_answer": ("mine/{device}/x", ["telemetry/+/y"])}


def test_a_list_for_a_profile_of_one_base_is_told(using, route):
    route.conf.write_text(f"[routes]\nprofiles = {using.folder}\n[route home]\nuse = things\nbase = a, b\n")
    done = subprocess.run([TIDEGATE, "check-config", "--config", route.conf], capture_output=True, timeout=60, check=False)
    assert f"{route.conf}:5: warning: route home.base: is one, commas and all" in done.stderr.decode()


def test_a_profile_without_a_route_of_its_own_name_leaves_none(using):
    (using.folder / "parts.conf").write_text(
        "[profile]\nabout = Parts\n[route p_a]\ntopic = a/{device}\nkind = telemetry\n"
        "[route p_b]\ntopic = b/{device}\nkind = telemetry\n")
    code, table = using("[route mesh]\nuse = parts\nauto_register = on\n")
    assert code == 0
    assert {name: one["auto_register"] for name, one in table.items()} == {"mesh_a": True, "mesh_b": True}


@pytest.mark.parametrize("text, at, word", [
    ("[route x]\nuse = nothing\n", "{conf}:4", "there is no profile 'nothing'; allowed: "),
    ("[route x]\nuse = nothing\n", "{conf}:4", "things, "),
    ("[route x]\nuse = ../things\n", "{conf}:4", "there is no profile"),
    ("[route x]\nuse = broken\n", "{folder}/broken.conf:3", "knd: unknown key"),
    ("[route x]\nuse = broken\n", "{folder}/broken.conf:5", "unknown in a profile"),
    ("[route device]\nuse = clash\n", "{conf}:4", "called as another one"),
    ("[route x]\nuse = gap\n", "{folder}/gap.conf:3", "profile.base: one of the list is missing"),
    ("[route x]\nuse = five\n", "{folder}/five.conf:3", "profile.base: too many"),
    ("[route x]\nbase = a\n", "{conf}:4", "without use"),
    ("[route x]\ntopic = x/{device}\nkind = telemetry\nbase = a\n", "{conf}:6", "without use"),
    ("[route x]\nuse = things\n[route x_state]\nuse = things\n", "{conf}:4", "called as another one")])
def test_what_is_wrong_with_the_use_of_a_profile_is_told_with_its_place(route, using, text, at, word):
    (using.folder / "broken.conf").write_text("[profile]\n[route b]\nknd = x\n[http]\nlisten = x\n")
    (using.folder / "clash.conf").write_text(
        "[route c]\ntopic = c/{device}\nkind = telemetry\n"
        "[route c_alert]\ntopic = c/{device}/x\nkind = telemetry\n")
    for name, bases in (("gap", "a,, b"), ("five", "a, b, c, d, e")):
        (using.folder / f"{name}.conf").write_text(
            f"[profile]\nabout = x\nbase = {bases}\n[route b]\ntopic = $base/{{device}}\nkind = telemetry\n")
    code, said = using(text)
    assert code == 2
    assert any(at.format(conf=route.conf, folder=using.folder) in line and word in line
               for line in said.splitlines()), said


def test_a_folder_that_cannot_be_read_does_not_hide_what_is_built_in(route):
    route.conf.write_text("[routes]\nprofiles = /nonexistent\n[route zigbee]\nuse = zigbee2mqtt\n")
    code, said = route("test", "zigbee2mqtt/lamp", '{"x":1}')
    assert (code, said["route"], said["row"]["device"]) == (0, "zigbee", "lamp")


def test_profiles_are_listed_with_what_they_are_and_where(using, route):
    assert using("")[0] == 0
    code, said = route("profiles")
    assert code == 0
    known = {one["name"]: one for one in said["profiles"]}
    assert {"things", "zigbee2mqtt", "ttn-v3"} <= set(known) and list(known) == sorted(known)
    assert known["things"] == {"name": "things", "about": "A house of things", "base": "house",
                               "topics": ["house/{device}/state", "house/{device...}", "house/+/raw"]}
    assert all(one["about"] and one["topics"] for one in known.values())
    assert route("profiles", "things", text=True) == (0, PROFILE)
    assert route("profiles", "things") == (0, known["things"] | {"text": PROFILE})
    code, said = route("profiles", "zigbee2mqt")
    assert code == 2 and "things, " in said and "zigbee2mqtt" in said


def test_a_profile_with_an_error_is_listed_and_its_error_told(using, route):
    (using.folder / "broken.conf").write_text("[profile]\nabout = b\n[route b]\nknd = x\ntopic = b\n")
    assert using("")[0] == 0
    code, said = route("profiles", text=True)
    assert code == 2 and f"{using.folder}/broken.conf:4" in said and "name: broken" in said
