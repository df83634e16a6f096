"""What docs/migrate/import.md prints is what is so: each of its files and blocks is run."""
import crypt  # noqa: Debian 12 has Python 3.11
import hashlib
import json
import os
import re
import subprocess

import pytest

from conftest import populate
from servers import ROOT
from viewers import Viewer
from waiting import wait_until

PAGE = (ROOT / "docs/migrate/import.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", PAGE, re.M | re.S)
FILES = {name: text for _, name, text in BLOCKS if "." in name}
FIVE = ("users.csv", "devices.csv", "vehicles.csv", "groups.csv", "shares.csv")
PASSWORD = "correct horse"


@pytest.fixture
def files(folder):
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture
def move(files, make_gateway):
    """move(*arguments) -> how `tidegate import` ended; files are those of the page."""
    gateway = make_gateway()

    def run(*args, check=True):
        paths = (str(files / a) if a in FILES else re.sub(r"^(\w+)=", rf"\1={files}/", a) for a in args)
        return gateway.cli("import", *paths, check=check)

    run.gateway = gateway
    run.folder = files
    return run


def write(move, name, text):
    (move.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(move.folder / name)


def things(database):
    return {
        "users": database.rows("SELECT id, username, role, is_active FROM users ORDER BY id"),
        "devices": database.rows("SELECT d.id, code, username, name, device_type, location, token_form, encode(token_hash, 'hex')"
                                 " FROM devices d LEFT JOIN users u ON u.id = user_id ORDER BY d.id"),
        "vehicles": database.rows("SELECT v.id, code, username, name FROM vehicles v LEFT JOIN users u ON u.id = user_id"
                                  " ORDER BY v.id"),
        "groups": database.rows("SELECT g.name, code FROM groups g JOIN device_groups m ON m.group_id = g.id"
                                " JOIN devices d ON d.id = m.device_id ORDER BY d.id"),
        "shares": database.rows("SELECT username, vehicle_id, device_id, s.group_id IS NOT NULL FROM shares s"
                                " JOIN users u ON u.id = s.user_id ORDER BY s.vehicle_id"),
    }


HOUSE = {
    "users": [(7, "ana", "admin", True), (12, "ben", "user", True), (13, "wall", "viewer", True)],
    "devices": [(3, "pi-entrance-01", "ana", "Entrance", "scanner", "Building A, ground floor", "sha256",
                 "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
                (4, "ems_001", "ben", "Meter", "meter", None, "keyed", None)],
    "vehicles": [(1, "USV-1", "ana", "Baruna"), (5, "USV-5", "ben", "Jaladri")],
    "groups": [("Ground floor", "pi-entrance-01"), ("Ground floor", "ems_001")],
    "shares": [("wall", 1, None, False), ("wall", None, None, True)],
}
NOTHING = {kind: [] for kind in HOUSE}
SEQUENCES = "SELECT last_value, is_called FROM users_id_seq UNION ALL SELECT last_value, is_called FROM vehicles_id_seq"


@pytest.mark.parametrize("operands", [FIVE, FIVE[::-1], ("house.json",)], ids=["csv", "in another order", "json"])
def test_the_files_of_the_page_are_taken_with_their_ids(move, database, operands):
    before = database.rows(SEQUENCES)
    done = move("--dry-run", *operands)
    assert "users: 3 taken, 0 there already, 0 refused" in done.stdout
    assert "dry run: nothing was changed" in done.stdout
    assert things(database) == NOTHING and database.rows(SEQUENCES) == before
    done = move(*operands)
    assert re.search(r"users\.csv:4: note: password_hash is missing|house\.json:5: note: password_hash is missing", done.stdout)
    assert things(database) == HOUSE
    done = move(*operands)
    assert [line for line in done.stdout.splitlines() if "note" not in line] == [
        f"{kind}: 0 taken, {len(HOUSE[kind])} there already, 0 refused" for kind in HOUSE]
    assert things(database) == HOUSE
    assert move.gateway.add_vehicle("later", "ana") == 6
    assert move.gateway.add_user("later") == 14


def test_a_running_gateway_knows_them_within_a_second(move, database):
    gateway = move.gateway
    populate(gateway)
    database.rows("DELETE FROM users; DELETE FROM vehicles; DELETE FROM devices")
    gateway.start()
    move(*FIVE)
    answer = gateway.post("/api/token", data={"username": "ana", "password": PASSWORD})
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    wait_until(lambda: gateway.get("/api/vehicles/5", headers=bearer).status_code == 200, "vehicle 5 to be known")
    assert gateway.post("/api/token", data={"username": "ben", "password": PASSWORD}).status_code == 200
    assert gateway.post("/api/token", data={"username": "wall", "password": "!"}).status_code == 401
    device = Viewer(gateway, "/ws/device/pi-entrance-01", "test")
    device.send('{"power":1}')
    database.wait_for("SELECT device_id FROM telemetry", 3)
    device.close()
    assert set(database.rows("SELECT left(password_hash, 14) FROM users WHERE id < 13")) == {("$scrypt$ln=15,",)}


def test_what_the_page_says_of_other_systems_is_so(move, database):
    done = move("--from", "vehicles", "users=people.csv", "vehicles=boats.csv")
    assert "people.csv:2: note: full_name this column is not taken" in done.stdout
    assert database.rows("SELECT id, username FROM users") == [(21, "rini@example.com")]
    assert database.rows("SELECT id, code, name, user_id FROM vehicles") == [(31, "vehicle-31", "KM Baruna", 21)]
    assert move("--from", "cars", "users=people.csv", check=False).returncode == 2


def test_a_group_is_not_made_by_a_row_that_is_refused(move, database):
    devices = write(move, "devices.csv", "id,code\n5,pi-1\n")
    path = write(move, "groups.csv", "name,device,device_id\nGone,nope,\nGone,pi-1,6\nGone,,6\nHall,nope,\nHall,pi-1,\nHall,,5\nEmpty,,\n")
    for dry in (["--dry-run"], []):
        done = move(*dry, "--partial", devices, path, check=False)
        assert done.returncode == 1 and "groups: 2 taken, 1 there already, 4 refused" in done.stdout, done.stdout
    assert database.rows("SELECT g.name, d.device_id FROM groups g LEFT JOIN device_groups d ON d.group_id = g.id ORDER BY 1") == [("Empty", None), ("Hall", 5)]


def test_cameras_that_move_in_are_there_before_they_say_anything(move, database):
    path = write(move, "devices.csv", "id,camera_id,camera_type\r\n4,front,usb\r\n5,mock_cam_1,mock\r\n")  # as sqlite3 -csv writes it
    move("--from", "cameras", path)
    move.gateway.add_user("root", "admin")
    move.gateway.start()
    listed = move.gateway.get("/api/cameras/", "root").json()
    assert [(c["id"], c["camera_id"], c["camera_type"], c["is_active"]) for c in listed["cameras"]] == [
        (4, "front", "usb", False), (5, "mock_cam_1", "mock", False)]
    assert move.gateway.get("/api/statistics", "root").json()["cameras"]["total_cameras"] == 2


REFUSED = {
    "a number for a name": ("users.csv", "username\nana\n007\n", 3, "username could be taken for an id"),
    "a name with a space": ("users.csv", "username\nana b\n", 2, "username has a space or /"),
    "a name that is too long": ("users.csv", f"username\n{'x' * 129}\n", 2, "username is longer than 128 bytes"),
    "a name in another case": ("users.csv", "username\nana\nAna\n", 3, "username the name is taken, but for upper and lower case"),
    "no name": ("users.csv", "username,role\nana,user\n,user\n", 3, "username is missing"),
    "a role": ("users.csv", "username,role\nana,king\n", 2, "role is no role: allowed are user, viewer, admin"),
    "an id": ("users.csv", "id,username\n-5,ana\n", 2, "id is no id: allowed are 1 to 999999999999999"),
    "a huge id": ("users.csv", "id,username\n9999999999999999999999,ana\n", 2, "id is no id: allowed are 1 to 999999999999999"),
    "an id twice": ("users.csv", "id,username\n5,ana\n5,ben\n", 3, "id the id is taken, by one with another name"),
    "a name twice": ("vehicles.csv", "id,code\n5,a\n6,a\n", 3, "code is in the files twice, and they differ"),
    "a user who is not there": ("devices.csv", "code,user\nd,nobody\n", 2, "user there is no such user"),
    "an id of nobody": ("devices.csv", "code,user_id\nd,77\n", 2, "user there is no such user"),
    "a device that is not there": ("groups.csv", "name,device\ng,d\n", 2, "device there is no such device"),
    "a share of nothing": ("shares.csv", "user\nana\n", 2, "wants one of vehicle, device and group"),
    "a token twice": ("devices.csv", f"code,token_hash\na,{'ab' * 32}\nb,{'ab' * 32}\n", 3,
                      "token_hash another device has this token"),
    "bytes that are no text": ("users.csv", b"username\nan\xff\n", 2, "username is not UTF-8"),
    "a NUL": ("users.csv", b"username\nan\0a\n", 2, "username has a NUL"),
    "a value that is too long": ("devices.csv", f"code,name\nd,{'x' * 1024}\n", 2, "name too long: at most 1023 bytes"),
    "a quote without end": ("users.csv", 'username\n"ana\n', 2, "a quote that does not end: nothing behind it was read"),
    "a row with too much": ("users.csv", "username\nana,ben\n", 2, "has not as many columns as the header"),
    "no JSON": ("users.json", '[{"username":"ana"},\n{"username":]', 2, "is no JSON from here on"),
    "JSON with more behind it": ("users.json", '[{"username":"j5"}] trailing', 1, "is no JSON from here on"),
    "JSON with a member twice": ("users.json", '[{"username":"a","username":"b"}]', 1, "username is there twice"),
    "a list that is none": ("house.json", '{"users":[],\n"vehicels":[{"code":"v"}]}', 2,
                            "vehicels is no list of ours; did you mean vehicles?"),
    "JSON in JSON": ("users.json", '[{"username":["ana"]}]', 1, "username is a list or an object: a text is wanted"),
}


def test_what_is_refused_is_told_with_its_line_and_column_and_changes_nothing(move, database):
    for what, (name, text, line, why) in REFUSED.items():
        path = write(move, name, text)
        done = move(path, check=False)
        assert done.returncode == 1, what
        assert f"{path}:{line}: refused: {why}\n" in done.stdout, (what, done.stdout)
        assert move("--dry-run", path, check=False).stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1], what
    assert things(database) == NOTHING


def test_the_others_are_taken_where_that_is_asked_for(move, database):
    path = write(move, "users.csv", "username\nana\n007\nben\n")
    assert "nothing was changed, as 1 were refused" in move(path, check=False).stdout
    done = move("--partial", path, check=False)
    assert done.returncode == 1 and "users: 2 taken, 0 there already, 1 refused" in done.stdout
    assert [row[1] for row in things(database)["users"]] == ["ana", "ben"]


@pytest.mark.parametrize("name, text", [
    ("boats.csv", "id,description,registration_code\n1," + "x" * 1100 + ",a\n2,\xff,b\n"),
    ("boats.json", '[{"id":1,"description":"' + "x" * 1100 + '","registration_code":"a"},'
                   '{"registration_code":"b","description":{"of":[1]},"tags":["x"],"id":2}]'),
    ("nul.json", '[{"id":1,"description":"' + "x" * 1100 + '","registration_code":"a"},'
                 '{"id":2,"description":"\\u0000","registration_code":"b","tags":[1e999,"\xff"]}]')], ids=["csv", "json", "NUL"])
def test_what_is_in_columns_that_are_left_out_refuses_nothing(move, database, name, text):
    write(move, name, text.encode("latin-1"))
    done = move("--from", "vehicles", f"vehicles={name}")
    assert "note: description this column is not taken" in done.stdout and "vehicles: 2 taken" in done.stdout
    assert database.rows("SELECT id, code FROM vehicles ORDER BY id") == [(1, "a"), (2, "b")]
    write(move, name, text.replace("description", "name").encode("latin-1"))  # the same in one that is taken
    done = move("--partial", "--from", "vehicles", f"vehicles={name}", check=False)
    assert "refused: name too long: at most 1023 bytes" in done.stdout and "2 refused" in done.stdout, done.stdout


@pytest.mark.parametrize("system, kind, columns", [
    ("people-counter", "devices", ("device_id", "code")), ("energy", "devices", ("code", "device_id")),
    ("energy", "users", ("hashed_password", "password_hash")), ("device-hub", "devices", ("device_code", "code")),
    ("device-hub", "users", ("password_hash", "hashed_password")), ("vehicles", "users", ("email", "username")),
    ("vehicles", "vehicles", ("registration_code", "code")), ("cameras", "devices", ("camera_id", "code")),
    ("energy", "devices", ("token_hash", "device_token_hash")), ("cameras", "devices", ("camera_type", "product_type"))])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_of_two_columns_for_one_thing_neither_wins(move, database, system, kind, columns, form):
    name = {"users": "username", "devices": "code", "vehicles": "code"}[kind]
    row = {} if any(c in ("username", "email", "code") for c in columns) else {name: "a"}
    row |= {columns[0]: "$2b$x" if "password" in columns[0] else "a", columns[1]: "b"}
    one = {name: "c"} | {c: "" for c in columns if c != name}  # empty ones are none
    if form == "json":
        write(move, "two.json", json.dumps([row, one]))
    else:
        keys = list(dict.fromkeys([*row, *one]))
        write(move, "two.csv", "\n".join([",".join(keys)] + [",".join(r.get(k, "") for k in keys) for r in (row, one)]) + "\n")
    done = move("--partial", "--from", system, f"{kind}=two.{form}", check=False)
    assert re.search(f"two.{form}:\\d: refused: {columns[1]} is for the same thing as the column {columns[0]}: one of them is wanted",
                     done.stdout), done.stdout
    assert f"{kind}: 1 taken, 0 there already, 1 refused" in done.stdout
    assert database.rows(f"SELECT {name} FROM {kind}") == [("c",)]


TWICE = {  # file: its columns, what is said of one thing twice, of two, and the column that is refused
    "devices.csv": ("code,user,user_id", "d2,ana,7", ("d3,ana,12", "d4,ben,99", "d5,id:7,12"), "user"),
    "vehicles.csv": ("code,user,user_id", "v2,ana,7", ("v3,ana,12", "v4,ben,99", "v5,id:7,12"), "user"),
    "groups.csv": ("name,device,device_id", "G,ems_001,4", ("G,ems_001,3", "G,ems_001,99", "G,id:3,4"), "device"),
    "shares.csv": ("user,user_id,vehicle,vehicle_id,device,device_id,group,group_id", "wall,13,USV-5,5,,,,",
                   ("wall,7,USV-5,5,,,,", "wall,13,USV-1,5,,,,", "wall,13,,,ems_001,3,,", "wall,13,,,,,Ground floor,999"),
                   ("user", "vehicle", "device", "group")),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_name_and_an_id_have_to_be_of_the_same(move, database, name):
    move(*FIVE)
    header, same, two, columns = TWICE[name]
    write(move, "twice.csv", "\n".join((header, *two, same)) + "\n")
    done = move("--partial", f"{name[:-4]}=twice.csv", check=False)
    assert done.returncode == 1 and f"{name[:-4]}: 1 taken, 0 there already, {len(two)} refused" in done.stdout
    for i in range(len(two)):
        column = columns if isinstance(columns, str) else columns[i]
        assert re.search(f":{i + 2}: refused: {column}(_id)? (there is none with this name and this id|is another id)", done.stdout)


def test_a_name_that_is_anothers_identifier_costs_its_row(move, database):
    database.rows("INSERT INTO users (username, password_hash, identifier) VALUES ('ana', '!', 'u-7')")
    path = write(move, "users.csv", "username\nu-7\nben\nana\n")
    done = move("--partial", path, check=False)
    assert f"{path}:2: refused: username the name is taken, as the identifier of another" in done.stdout
    assert "users: 1 taken, 1 there already, 1 refused" in done.stdout


UUID = "0b6e7a3e-52f8-4f0f-9d3c-2f9f4cf2a0a1"
OTHER = "5d3c1f0e-1111-4222-8333-9f9f4cf2a0a1"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_users_whose_ids_are_uuids_are_known_by_them(move, database, broker, form):
    """In topics, and by the other files: that is what their devices publish under."""
    rows = {"users": [{"id": UUID, "username": "uma"}, {"id": OTHER, "username": "vic"}],
            "devices": [{"id": 3, "device_code": "boiler-1", "user_id": UUID}, {"id": 4, "device_code": "boiler-2", "user": OTHER}],
            "shares": [{"user_id": OTHER, "device": "boiler-1"}]}
    if form == "json":
        paths = [write(move, "hub.json", json.dumps({**rows, "groups": [], "vehicles": []}))]
    else:
        paths = [write(move, f"{kind}.csv", "\n".join([",".join(rows[kind][0]) if kind != "devices" else "id,device_code,user_id,user",
                                                       *(",".join(str(row.get(c, "")) for c in (
                                                           rows[kind][0] if kind != "devices" else ("id", "device_code", "user_id", "user")))
                                                         for row in rows[kind])]) + "\n") for kind in rows]
    dry = move("--dry-run", "--from", "device-hub", *paths)
    assert "users: 2 taken" in dry.stdout and database.value("SELECT count(*) FROM users") == 0
    assert "devices: 2 taken" in move("--from", "device-hub", *paths).stdout
    assert database.rows("SELECT username, identifier FROM users ORDER BY 1") == [("uma", UUID), ("vic", OTHER)]
    assert database.rows("SELECT d.id, username FROM devices d JOIN users u ON u.id = user_id ORDER BY 1") == [(3, "uma"), (4, "vic")]
    assert database.value("SELECT count(*) FROM shares s JOIN users u ON u.id = s.user_id WHERE username = 'vic' AND device_id = 3") == 1
    again = move("--from", "device-hub", *paths)
    assert "users: 0 taken, 2 there already" in again.stdout and "devices: 0 taken, 2 there already" in again.stdout
    move.gateway.start()
    broker.publish(f"users/{UUID}/devices/boiler-1/status", '{"status":"online"}')
    database.wait_for("SELECT count(*) FROM device_status_logs WHERE device_id = 3", 1)


def test_an_identifier_that_is_taken_costs_its_row(move, database):
    database.rows("INSERT INTO users (username, password_hash, identifier) VALUES ('ana', '!', 'u-7')")
    path = write(move, "users.csv", "username,identifier\nben,u-8\numa,u-7\nvic,ana\nwim,u-9\nxia,u-9\nyan,7\n")
    done = move("--partial", path, check=False)
    for line in (3, 4, 6):
        assert f"{path}:{line}: refused: identifier is another's, or his name" in done.stdout
    assert f"{path}:7: refused: identifier could be taken for an id" in done.stdout
    assert "users: 2 taken, 0 there already, 4 refused" in done.stdout
    done = move("--partial", write(move, "devices.csv", f"code,user,user_id\nx,ana,{UUID}\ny,,{UUID}\n"), check=False)
    assert "devices.csv:2: refused: user_id is not what the other column says" in done.stdout
    assert "devices.csv:3: refused: user there is no such user" in done.stdout


def test_a_hash_that_cannot_be_checked_costs_the_password_alone(move, database):
    secrets = ("5f4dcc3b5aa765d61d8327deb882cf99", "$argon2id$v=19$m=4194304,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
               "$2b$12$tooshort", "b" * 63)
    users = write(move, "users.csv", "username,password_hash\n" + "".join(f'u{i},"{s}"\n' for i, s in enumerate(secrets[:3])))
    devices = write(move, "devices.csv", f"code,token_hash\nd,{secrets[3]}\n")
    done = move(users, devices)
    assert f"{users}:2: note: password_hash is of no form that can be checked; taken without a password" in done.stdout
    assert f"{users}:3: note: password_hash asks for more memory or time than is allowed; taken without a password" in done.stdout
    assert f"{users}:4: note: password_hash is malformed; taken without a password" in done.stdout
    assert f"{devices}:2: note: token_hash is neither a SHA-256 in hex nor a bcrypt; taken without a token" in done.stdout
    assert not any(secret in done.stdout + done.stderr for secret in secrets)
    assert database.rows("SELECT DISTINCT password_hash FROM users") == [("!",)]
    assert database.rows("SELECT token_hash FROM devices") == [(None,)]


HASH = hashlib.sha256(b"a device's token").hexdigest()


def test_no_two_devices_get_one_token(move, database):
    """In whatever letters it is written, and whether the other is of this import or was there."""
    path = write(move, "devices.csv", f"code,token_hash\nd1,{HASH.upper()}\nd2,{HASH}\n")
    done = move("--partial", path, check=False)
    assert f"{path}:3: refused: token_hash another device has this token\n" in done.stdout
    path = write(move, "devices.csv", f"code,token_hash\nd3,{HASH}\nd1,{HASH}\n")
    done = move("--partial", path, check=False)
    assert f"{path}:2: refused: token_hash another device has this token\n" in done.stdout
    assert "devices: 0 taken, 1 there already, 1 refused" in done.stdout
    assert database.rows("SELECT code, encode(token_hash, 'hex') FROM devices") == [("d1", HASH)]


@pytest.mark.parametrize("name, header, one, other", [
    ("users", "username,role", "ana,user", "ana,admin"), ("users", "id,username", "7,ana", ",ana"),
    ("devices", "code,user", "d1,ana", "d1,ben"), ("vehicles", "code,name", "v1,One", "v1,Two")])
def test_what_is_in_the_files_twice_is_the_same_or_refused(move, database, name, header, one, other):
    """Which of two that differ is meant nobody can say; the same once more is there already, as in another import."""
    users = write(move, "users.csv", "username\nana\nben\n") if name != "users" else None
    path = write(move, f"{name}.csv", f"{header}\n{one}\n{one}\n{other}\n")
    for dry in (["--dry-run"], []):
        done = move("--partial", *dry, *([users] if users else []), path, check=False)
        column = header.split(",")[header.split(",").index("username" if name == "users" else "code")]
        assert f"{path}:4: refused: {column} is in the files twice, and they differ\n" in done.stdout
        assert f"{name}: 1 taken, 1 there already, 1 refused" in done.stdout
    again = move(*([users] if users else []), write(move, f"{name}.csv", f"{header}\n{one}\n"))
    assert f"{name}: 0 taken, 1 there already, 0 refused" in again.stdout


def test_the_report_as_json(move, database):
    path = write(move, "users.csv", "username,email\nana,a@b\n007,\n")
    report = json.loads(move("--json", path, check=False).stdout)
    assert (report["dry_run"], report["changed"], report["users"]) == (False, False, {"taken": 1, "there": 0, "refused": 1})
    assert report["news"] == [
        {"file": path, "line": 2, "column": "email", "reason": "this column is not taken", "refused": False},
        {"file": path, "line": 2, "column": "password_hash", "reason": "is missing; taken without a password", "refused": False},
        {"file": path, "line": 3, "column": "username", "reason": "could be taken for an id", "refused": True}]
    assert things(database) == NOTHING


@pytest.mark.parametrize("operand", ["people.csv", "/nonexistent/users.csv", "cars=people.csv"])
def test_files_that_cannot_be_read_are_told_at_once(move, operand):
    done = move.gateway.cli("import", operand, check=False)
    assert done.returncode == 2 and operand in done.stderr


def test_many_rows_are_taken(move, database):
    rows = "".join(f"{i},v-{i},Vehicle {i}\n" for i in range(1, 2001))
    path = write(move, "vehicles.csv", "id,code,name\n" + rows)
    move(path)
    assert database.value("SELECT count(*) FROM vehicles WHERE name = 'Vehicle ' || id") == 2000


def test_people_of_a_machine_move_in(move, database):
    hashes = {"ana": crypt.crypt(PASSWORD, "$y$j9T$abcdefghijklmnop$"), "ben": crypt.crypt(PASSWORD, "$6$SodiumChloride$")}
    write(move, "shadow", "root:*:19000:0:99999:7:::\n" + "".join(f"{name}:{text}:19000::::::\n" for name, text in hashes.items()) +
          f"eve:!{hashes['ben']}:19000::::::\n")
    script = next(text for _, name, text in BLOCKS if name == "shadow")
    subprocess.run(["sh", "-ec", script], cwd=move.folder, env={"PATH": os.environ["PATH"], "SHADOW": "shadow"}, check=True)
    move("users.csv")
    assert dict(database.rows("SELECT username, password_hash FROM users")) == hashes


def test_every_file_of_the_page_is_imported_above():
    assert {*FIVE, "house.json", "people.csv", "boats.csv"} == set(FILES)
