"""Exit codes and messages: 0 clean, 1 fault, 2 usage or configuration with file and line."""
import os
import re
import subprocess

import pytest

from servers import TIDEGATE
from waiting import PATIENCE, wait_until


def run(*args, stdin="", env=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
    return subprocess.run([str(TIDEGATE), *args], input=stdin, text=True, capture_output=True,
                          timeout=60, env={**clean, **(env or {})}, check=False)


@pytest.mark.parametrize("command", [
    [], ["serve"], ["migrate"], ["check-config"], ["user"], ["device"], ["vehicle"], ["group"],
    ["route"], ["dead-letters"], ["simulate"], ["version"]])
def test_every_command_has_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "tidegate" in done.stdout and len(done.stdout.splitlines()) >= 2
    assert not done.stderr


def test_version():
    done = run("version")
    assert done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("args", [
    [], ["frobnicate"], ["serve", "--frobnicate"], ["user"], ["user", "add"], ["user", "frob", "x"],
    ["user", "add", "ana", "--role", "emperor"], ["device", "add", "x"], ["vehicle", "share", "x"],
    ["device", "delete"], ["device", "delete", "x", "y"], ["vehicle", "delete"], ["group", "remove", "x"],
    ["simulate", "--rate", "fast"], ["dead-letters", "show", "one"],
    ["serve", "--config", "/nonexistent/tidegate.conf"], ["serve", "--set", "http.listen"],
    ["serve", "--set", "no.such=key"], ["check-config", "--set", "journal.fsync=perhaps"]])
def test_wrong_usage_is_told_and_ends_with_2(args):
    done = run(*args)
    assert done.returncode == 2
    assert done.stderr.strip()


def check_config(tmp_path, text):
    """The file that has the text, and what is said of it."""
    path = tmp_path / "some.conf"
    path.write_text(text)
    return path, run("check-config", "--config", str(path))


@pytest.mark.parametrize("text, line, word", [
    ("[http]\nlisten = nonsense\n", 2, "listen"),
    ("[http]\n\nlistn = 127.0.0.1:1\n", 3, "listn"),
    ("[journal]\nfsync = sometimes\n", 2, "always"),
    ("[mqtt]\nversion = 6\n", 2, "3.1.1"),
    ("[route x]\ntopic = a/#\nkind = raw_log\n", 2, "topic"),
    ("[route x]\ntopic = a/{vehicle}\nkind = poem\n", 3, "raw_log"),
    ("[nowhere]\nx = 1\n", 2, "nowhere"),
    ("[mqtt]\nurl = mqtt://:1883\n", 2, "mqtt://host"),
    ("[mqtt]\nurl = mqtt://h:0\n", 2, "1 to 65535"),
    ("[http]\nallowed_origins = ,\n", 2, "origins"),
    ("[auth]\nanonymous = ,\n", 2, "paths"),
    ("[auth]\nalgorithms = ,\n", 2, "HS256"),
    ("[commands]\nreserve = 100\n", 2, "0 to 99"),
    ("[database]\nurl = postgresql://h:0/d\n", 2, "libpq"),
    ("[ws]\nwelcome = hi\0 there\n", 2, "NUL"),
    ("[ws]\nwelcome = hi \x1b[31m\n", 2, "control character")])
def test_a_wrong_configuration_names_file_line_and_what_is_allowed(tmp_path, text, line, word):
    path, done = check_config(tmp_path, text)
    assert done.returncode == 2
    assert re.search(rf"{re.escape(str(path))}:{line}\b", done.stderr), done.stderr
    assert word in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["/dev/full", "large"])
def test_a_configuration_has_an_end(tmp_path, name):
    """A device that has none, a file that is something else: it is refused, and not read for ever."""
    path = tmp_path / name  # /dev/full stays what it is
    if name == "large":
        path.touch()
        os.truncate(path, (64 << 20) + 1)
    done = subprocess.run([TIDEGATE, "check-config", "--config", path], capture_output=True, text=True,
                          check=False, timeout=PATIENCE)
    assert done.returncode == 2
    assert f"{path}: cannot be read: larger than 67108864 bytes\n" in done.stderr, done.stderr


@pytest.mark.parametrize("text, line, word", [
    ("[ws]\nmax_connections = 4\nmax_unauthenticated = 5\n", 3, "no more than 4"),
    ("[auth]\ntickets = 20\ntickets_per_user = 21\n", 3, "no more than 20"),
    ("[routes]\ntry_waiting = 4\ntry_share = 5\n", 3, "no more than 4"),
    ("[mqtt]\nurl = mqtt://h\nca_file = /etc/hosts\n", 3, "mqtts://"),
    ("[log]\nlevel = info\nlevel = debug\n", 3, "twice"),
    ("[route x]\ntopic = a/{device}/{what}\nkind = telemetry\n", 2, "nothing uses what {what} takes"),
    ("[route x]\ntopic = a/{device}/{a}/{b...}\nkind = telemetry\n[map x]\n{a} = /\n", 2, "{b} takes"),
    ("[route x]\ntopic = a/{device}\nkind = telemetry\nkeep = named\n", 4, "means nothing without a .map x"),
    ("[route x]\nenabled = off\n[map x]\na = /b\n", 4, "nothing uses it: its route is not enabled"),
    ("[route x]\nuse = zigbee2mqtt\n[route x_availability]\nenabled = off\n[map x_availability]\na = /b\n", 6,
     "its route is not enabled"),
    ("[route x]\ntopic = ems/+/{device}\nkind = telemetry\n", 2, "what both take is telemetry's$"),
    ("[route x]\ntopic = a/{device}\nkind = telemetry\nwhen = /n = 1\n"
     "[route y]\ntopic = a/{device}\nkind = telemetry\n", 6, "is x's where /n = 1, else y's$")])
def test_what_means_something_else_than_it_says_is_taken_with_a_warning(tmp_path, text, line, word):
    path, done = check_config(tmp_path, text)
    assert done.returncode == 0
    assert re.search(rf"{re.escape(str(path))}:{line}: warning: .*{word}", done.stderr), done.stderr


@pytest.mark.parametrize("text", [
    "[route x]\ntopic = a/{device}/{what}/{n...}\nkind = telemetry\n[map x]\n{what} = topic.n\n",
    "[route x]\ntopic = a/{device}/{what}\nkind = telemetry\nenabled = off\n",
    "[route x]\ntopic = a/{device}\nkind = telemetry\ndecode = number\nkeep = named\n",
    "[route x]\nuse = zigbee2mqtt\nenabled = off\n",
    "[route x]\nuse = zigbee2mqtt\n",
    "[route x]\ntopic = a/#\nignore = a/b/#\nkind = raw_log\n[map x]\nvehicle = 'v'\n"
    "[route y]\ntopic = a/b/{device}\nkind = telemetry\n"])
def test_what_is_meant_gets_no_warning(tmp_path, text):
    _, done = check_config(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_map_whose_route_there_is_not_is_told_with_its_line(tmp_path):
    path, done = check_config(tmp_path, "[map x]\na = /b\n")
    assert done.returncode == 2
    assert f"{path}:2: route x.topic: is not set" in done.stderr


def test_of_many_routes_that_take_the_same_topics_some_are_told(tmp_path):
    _, done = check_config(tmp_path, "".join(
        f"[route r{n}]\ntopic = a/{{device}}\nkind = telemetry\nwhen = /n = {n}\n" for n in range(1000)))
    assert done.returncode == 0
    told = done.stderr.splitlines()
    assert len(told) == 101
    assert told[100].startswith(f"warning: {1000 * 999 // 2 - 100} more pairs of routes")


def test_environment_beats_file_and_set_beats_environment(tmp_path):
    path = tmp_path / "tidegate.conf"
    path.write_text("[http]\nlisten = 127.0.0.1:1111\n")
    wrong = run("check-config", "--config", str(path), env={"TIDEGATE_HTTP_LISTEN": "nonsense"})
    assert wrong.returncode == 2 and "TIDEGATE_HTTP_LISTEN" in wrong.stderr
    wrong = run("check-config", "--config", str(path), "--set", "http.listen=nonsense")
    assert wrong.returncode == 2 and "http.listen" in wrong.stderr


def test_a_secret_that_others_may_read_is_refused(make_gateway):
    gateway = make_gateway()
    (gateway.folder / "secret").chmod(0o644)
    done = gateway.cli("serve", check=False)
    assert done.returncode == 2
    assert "secret" in done.stderr


@pytest.fixture
def edge_conf(tmp_path):
    """Of a gateway at the edge, with its token."""
    token, path = tmp_path / "uplink-token", tmp_path / "edge.conf"
    token.touch(0o600)
    token.write_text("tgd_x\n", "ascii")
    path.write_text(f"[uplink]\nurl = ws://127.0.0.1:1/ws/uplink/boat\ntoken_file = {token}\n", "ascii")
    return path, token


@pytest.mark.parametrize("spoil, reason", [
    (lambda token: token.unlink(), "No such file or directory; allowed: a file that we may read"),
    (lambda token: token.write_text(""), "not usable; allowed: up to 64 KiB, not empty"),
    (lambda token: token.chmod(0o644), "not readable by others (chmod 600)"),
], ids=["missing", "empty", "open to others"])
@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_the_token_of_an_edge_is_looked_at(edge_conf, command, spoil, reason):
    path, token = edge_conf
    assert run("check-config", "--config", str(path)).returncode == 0
    spoil(token)
    done = run(command, "--config", str(path))
    assert done.returncode == 2
    assert f"uplink.token_file: {token}: " in done.stderr and reason in done.stderr


@pytest.mark.parametrize("command", [["user", "list"], ["device", "list"], ["dead-letters", "list"], ["journal", "verify"],
                                     ["migrate"], ["cluster", "status"]], ids=" ".join)
def test_what_needs_a_database_says_that_an_edge_has_none(edge_conf, command):
    done = run(*command, "--config", str(edge_conf[0]))
    assert done.returncode == 2
    assert "a gateway at the edge (uplink.url) has no database" in done.stderr


def test_user_commands(make_gateway, database):
    gateway = make_gateway()
    gateway.add_user("ana")
    again = gateway.cli("user", "add", "ana", "--role", "user", stdin="another password\n",
                        check=False)
    assert again.returncode == 1 and "ana" in again.stderr
    stored = database.value("SELECT password_hash FROM users WHERE username = 'ana'")
    assert stored.startswith("$scrypt$")
    token = gateway.cli("user", "token", "ana", "--ttl", "60").stdout.strip()
    assert token.count(".") == 2
    assert gateway.cli("user", "token", "nobody", check=False).returncode == 1


def test_device_commands(make_gateway, database):
    gateway = make_gateway()
    gateway.add_user("ana")
    _, first = gateway.add_device("ems_001", "ana", "--name", "Meter", "--type", "ems")
    assert first.startswith("tgd_")
    hashed = "SELECT token_hash FROM devices WHERE code = 'ems_001'"
    before = bytes(database.value(hashed))
    second = gateway.cli("device", "token", "rotate", "ems_001").stdout.split()[-1]
    assert second.startswith("tgd_") and second != first
    assert bytes(database.value(hashed)) != before
    gateway.cli("device", "token", "revoke", "ems_001")
    assert database.value(hashed) is None
    assert gateway.cli("device", "add", "x", "--user", "nobody", check=False).returncode == 1
    assert gateway.cli("device", "token", "rotate", "nobody", check=False).returncode == 1


def test_group_and_vehicle_commands(make_gateway, database):
    gateway = make_gateway()
    for name in ("ana", "ben"):
        gateway.add_user(name)
    gateway.add_device("d1", "ana")
    gateway.add_device("d2", "ana")
    gateway.add_vehicle("USV-1", "ana", "--name", "First")
    gateway.cli("group", "add", "Floor 1", "d1", "d2")
    assert database.value("SELECT count(*) FROM device_groups") == 2
    gateway.cli("vehicle", "share", "USV-1", "--user", "ben")
    assert database.value("SELECT count(*) FROM shares") == 1
    assert gateway.cli("vehicle", "share", "nobody", "--user", "ben", check=False).returncode == 1


def test_devices_are_taken_out_of_a_group(gateway, database):
    gateway.cli("group", "add", "Floor 1", "dev-1", "dev-2")
    for group, device in (("Floor 1", "none"), ("Floor 2", "dev-2")):
        refused = gateway.cli("group", "remove", group, "dev-1", device, check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"group {group} or one of the devices: there is none" in refused.stderr
    assert database.value("SELECT count(*) FROM device_groups") == 2
    assert gateway.cli("group", "remove", "Floor 1", "dev-1").stdout == "group Floor 1: 1 taken out\n"
    assert database.rows("SELECT code FROM device_groups JOIN devices ON id = device_id") == [("dev-2",)]
    assert gateway.cli("group", "remove", "Floor 1", "dev-1").stdout == "group Floor 1: has none of them\n"


@pytest.mark.parametrize("kind, name", [("vehicle", "USV-1"), ("device", "dev-1"), ("group", "Floor 1")])
def test_what_is_shared_is_seen_until_that_is_taken_away(gateway, database, kind, name):
    gateway.cli("group", "add", "Floor 1", "dev-1")
    things = "vehicles" if kind == "vehicle" else "devices"

    def n_seen():
        return len(gateway.get(f"/api/{things}", "ben").json()["items"])

    assert n_seen() == 1
    for _ in range(2):
        assert gateway.cli(kind, "share", name, "--user", "ben").stdout == f"{kind} {name}: shared with ben\n"
    assert database.rows(f"SELECT u.username, s.{kind}_id FROM shares s JOIN users u ON u.id = user_id") == [
        ("ben", database.value(f"SELECT id FROM {kind}s WHERE %s IN ({'name' if kind == 'group' else 'code'})", name))]
    wait_until(lambda: n_seen() == 2, "ben to see it")
    for _ in range(2):
        assert gateway.cli(kind, "unshare", name, "--user", "ben").stdout == f"{kind} {name}: not shared with ben\n"
    assert database.value("SELECT count(*) FROM shares") == 0
    wait_until(lambda: n_seen() == 1, "ben to see it no more")
    for verb in ("share", "unshare"):
        for what, user in ((name, "nobody"), ("none", "ben")):
            refused = gateway.cli(kind, verb, what, "--user", user, check=False)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert f"{kind} {what} or user {user}: there is none" in refused.stderr


def test_a_group_is_deleted_with_its_shares_and_its_devices_stay(gateway, database):
    gateway.cli("group", "add", "Floor 1", "dev-1", "dev-2")
    gateway.cli("group", "share", "Floor 1", "--user", "ben")
    assert gateway.cli("group", "delete", "Floor 1").stdout == "group Floor 1: deleted\n"
    assert [database.value(f"SELECT count(*) FROM {table}") for table in ("groups", "device_groups", "shares", "devices")] == [0, 0, 0, 2]
    assert gateway.cli("group", "delete", "Floor 1", check=False).returncode == 1


@pytest.mark.parametrize("kind, code, topic, reason", [
    ("device", "dev-1", "devices/dev-1/alert", "unknown_device"),
    ("vehicle", "USV-1", "seano/USV-1/alert", "unknown_vehicle")])
def test_what_is_deleted_is_gone_within_a_moment_and_what_it_has_sent_stays(
        gateway, broker, database, kind, code, topic, reason):
    broker.publish(topic, "it was")
    database.wait_for("SELECT count(*) FROM alerts", 1)
    assert gateway.get(f"/api/{kind}s/{code}", "ana").status_code == 200
    assert gateway.cli(kind, "delete", code).stdout == f"{kind} {code}: deleted\n"
    again = gateway.cli(kind, "delete", code, check=False)
    assert again.returncode == 1 and f"{code}: there is none" in again.stderr
    wait_until(lambda: gateway.get(f"/api/{kind}s/{code}", "ana").status_code == 404, "it to be gone")
    broker.publish(topic, "it is")
    database.wait_for(f"SELECT count(*) FROM dead_letters WHERE reason = '{reason}'", 1)
    assert database.rows("SELECT message FROM alerts") == [("it was",)]


def test_a_vehicle_keeps_the_id_that_clients_know(gateway, broker, database):
    assert gateway.add_vehicle("MOVED-1", "ana", "--id", "4711") == 4711
    assert gateway.add_vehicle("LATER", "ben") == 4712
    taken = gateway.cli("vehicle", "add", "SECOND", "--user", "ben", "--id", "4711", check=False)
    assert taken.returncode == 1 and "id 4711: another vehicle has it" in taken.stderr
    again = gateway.cli("vehicle", "add", "MOVED-1", "--user", "ben", "--id", "4713", check=False)
    assert again.returncode == 1 and "MOVED-1: there is one already" in again.stderr
    for bad in ("0", "-1", "1.5", "9999999999999999", "x", ""):
        refused = gateway.cli("vehicle", "add", "BAD", "--user", "ana", "--id", bad, check=False)
        assert refused.returncode == 2 and "--id" in refused.stderr, bad

    # what a vehicle that is no more has told is not given to whoever gets its id
    wait_until(lambda: broker.publish("seano/MOVED-1/raw_log", "hers") or
               database.value("SELECT count(*) FROM raw_logs WHERE vehicle_id = 4711") > 0,
               "its log to be stored")
    database.rows("DELETE FROM vehicles WHERE id = 4711")
    left = gateway.cli("vehicle", "add", "THIRD", "--user", "ben", "--id", "4711", check=False)
    assert left.returncode == 1 and "history of a vehicle that had it" in left.stderr


def test_a_topic_names_a_user_by_the_id_of_another_system(make_gateway, broker, database):
    gateway = make_gateway(registry__auto_register="on")
    gateway.add_user("ana")
    gateway.add_user("ben")
    device = gateway.add_device("dev-1", "ana")[0]
    gateway.start()
    uuid = "8f14e45f-ceea-467f-a0e6-3a1f5c7f0d11"

    def status(code):
        return database.value("SELECT s.status FROM device_states s JOIN devices d ON "
                              "d.id = s.device_id WHERE d.code = %s", code)
    broker.publish(f"users/{uuid}/devices/dev-1/status", '{"status":"online"}')
    database.wait_for("SELECT count(*) FROM dead_letters WHERE reason = 'unknown_user'", 1)
    gateway.cli("user", "identifier", "ana", uuid)
    wait_until(lambda: broker.publish(f"users/{uuid}/devices/dev-1/status", '{"status":"warning"}')
               or status("dev-1") == "warning", "her device to be hers by it")
    # what registers itself so is hers, too
    broker.publish(f"users/{uuid}/devices/new-1/status", '{"status":"online"}')
    wait_until(lambda: status("new-1") == "online", "the new one to be there")
    assert database.value("SELECT u.username FROM devices d JOIN users u ON u.id = d.user_id "
                          "WHERE d.code = 'new-1'") == "ana"

    for name, other, what in (("ben", uuid, uuid), ("ben", "ana", "ana"), ("nobody", "x", "nobody")):
        refused = gateway.cli("user", "identifier", name, other, check=False)
        assert refused.returncode == 1 and f"{what}: there is " in refused.stderr
    taken = gateway.cli("user", "add", uuid, stdin="correct horse battery\n", check=False)
    assert taken.returncode == 1 and "there is one already" in taken.stderr
    for bad in ("17", "id:1", "a/b", ""):
        assert gateway.cli("user", "identifier", "ben", bad, check=False).returncode == 2, bad
    login = gateway.post("/api/token", data={"username": uuid, "password": "correct horse battery"})
    assert login.status_code == 401  # it is no name to sign in with

    gateway.cli("user", "identifier", "ana")
    n = database.value("SELECT count(*) FROM dead_letters")
    wait_until(lambda: broker.publish(f"users/{uuid}/devices/dev-1/status", '{"status":"error"}') or
               database.value("SELECT count(*) FROM dead_letters") > n, "it to be nobody's again")
    assert device == database.value("SELECT id FROM devices WHERE code = 'dev-1'")


def test_a_database_that_is_away_is_a_fault_of_the_admin_commands(make_gateway):
    gateway = make_gateway(database__url="postgresql://x@127.0.0.1:1/x")
    done = gateway.cli("user", "add", "ana", "--role", "user", stdin="some password\n", check=False)
    assert done.returncode == 1 and done.stderr.strip()


def test_a_port_that_is_taken_is_named(gateway, make_gateway):
    second = make_gateway(http__listen=f"127.0.0.1:{gateway.port}")
    done = second.cli("serve", check=False)
    assert done.returncode == 1
    assert str(gateway.port) in done.stderr


def test_a_journal_that_is_in_use_is_refused(gateway, make_gateway):
    second = make_gateway(journal__dir=str(gateway.folder / "journal"))
    done = second.cli("serve", check=False)
    assert done.returncode == 1
    assert "journal" in done.stderr
    assert gateway.status("/readyz") == 200


def test_the_program_exports_no_function_that_a_library_could_take_for_its_own():
    """libjwt asks libjansson for json_string(), and got ours."""
    done = subprocess.run(["nm", "-D", "--defined-only", str(TIDEGATE)], text=True,
                          capture_output=True, check=True)
    assert [line for line in done.stdout.splitlines() if " T " in line and " T _" not in line] == []
