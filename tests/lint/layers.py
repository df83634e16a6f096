#!/usr/bin/env python3
"""Fail when a file includes what its folder must not know (docs/architecture.md, "Layers"), or nobody finds it there."""
import pathlib
import re
import sys

GROUND = {"base", "model", "model/edge"}
PASSWORD = {"base/password"}
DB = {"db", "db/edit", "db/follow", "db/read", "db/write"}
WS = ["ws/wire", "ws/access", "ws/loop", "ws/net", "ws/viewer", "ws/device", "ws/hub", "ws/dialects", "ws/http",
      "ws/files", "ws/manage", "ws/pages", "ws"]  # each knows those before it
GATEWAY = {"gateway/cli", "gateway/commands", "gateway/config", "gateway/decode", "gateway/discover", "gateway/explore", "gateway/journal",
           "gateway/live", "gateway/memory", "gateway/move", "gateway/read", "gateway/sim", "gateway/sparkplug", "gateway/store", "gateway/trial",
           "gateway/uplink"}
MAY_INCLUDE = {  # folder -> folders whose headers it may include, beside its own
    "base": set(),
    "base/password": {"base"},
    "model": {"base"},
    "model/edge": {"base", "model"},
    "mqtt": GROUND,
    "db": GROUND,
    "db/follow": {"db", *GROUND},
    "db/read": {"db", *GROUND},
    "db/write": {"db", *GROUND},
    "db/edit": {"db", "db/follow", *GROUND},
    **{folder: {*GROUND, *WS[:i]} for i, folder in enumerate(WS)},
    "gateway/config": {*GROUND, "gateway/commands", "gateway/decode", "gateway/discover", "gateway/journal", "mqtt", "db", *WS},
    "gateway/decode": {*GROUND, "gateway/sparkplug"},
    "gateway/sparkplug": GROUND,
    "gateway/discover": {*GROUND, "gateway/decode"},
    "gateway/explore": {*GROUND, "gateway/decode"},
    "gateway/trial": {*GROUND, "gateway/decode"},
    "gateway/journal": GROUND,
    "gateway/live": {*GROUND, "mqtt", "db", "db/read"},
    "gateway/memory": GROUND,
    "gateway/move": {*GROUND, *PASSWORD, "gateway/decode", *DB},
    "gateway/store": {*GROUND, "gateway/decode", "gateway/journal", "gateway/memory", "gateway/sparkplug", *DB},
    "gateway/read": {*GROUND, *PASSWORD, *DB},
    "gateway/commands": {*GROUND, "gateway/sparkplug", "gateway/store", "mqtt", *DB},
    "gateway/sim": {*GROUND, "gateway/config", "gateway/decode", "mqtt"},
    "gateway/cli": {*GROUND, *PASSWORD, "gateway", *GATEWAY, *DB},
    "gateway/uplink": {*GROUND, "gateway", "gateway/commands", "gateway/config", "gateway/decode", "gateway/journal", "mqtt", *WS},
    "gateway": {*GROUND, *(GATEWAY - {"gateway/cli", "gateway/uplink"}), "mqtt", *DB, *WS},
}
ONLY_IN = {  # foreign header (a prefix) -> the files that may know it exists
    "MQTTAsync.h": {"mqtt/connecting.c", "mqtt/sending.c", "mqtt/session.c", "mqtt/subscribing.c"},
    "libpq-fe.h": {*(f"db/{x}.c" for x in ("conn", "live_keys", "migrate", "pooler", "target", "uplinks", "value")),
                   *(f"db/edit/{x}.c" for x in ("admin", "command_rows", "command_rows_orders", "import", "letters", "listing", "login", "manage", "owner")),
                   *(f"db/follow/{x}.c" for x in ("directory", "registration", "restore")),
                   *(f"db/read/{x}.c" for x in ("statistics", "heads", "nodes", "history_alerts", "history_camera_events", "history_detections", "history_export",
                                                "history_logs", "history_series", "history_telemetry", "history_track", "letter_rows", "missed", "pages", "reading", "survey")),
                   *(f"db/write/{x}.c" for x in ("adopt", "beat", "books", "days", "mend", "notes", "partitions", "probe", "rollups", "slots", "store", "sums",
                                                  "takeover", "tidy", "verdict"))},
    "uv.h": {"ws/net/conn.c", "ws/net/conns.c", "ws/net/listener.c", "ws/server.c"},
    "json-c/": {"ws/access/auth.c", "ws/access/token.c", "ws/device/order.c", "ws/device/detections.c", "ws/dialects/native_request.c",
               "ws/dialects/client_message.c", "ws/dialects/misdirected.c", "ws/manage/try.c", "ws/pages/thresholds.c", "ws/pages/vehicles.c", "gateway/move/json_rows.c", "gateway/uplink/orders.c"},
    "cbor.h": {"gateway/decode/cbor.c"},
    "sparkplug_b.pb-c.h": {"gateway/sparkplug/payload.c"},
    "jwt.h": {"ws/access/auth.c"},
    "openssl/": {"base/secret.c", "ws/access/auth.c", "ws/access/keys.c", "ws/http/handshake.c", "ws/net/tls.c", "gateway/uplink/link.c"},
    "crypt.h": {"base/password/bcrypt.c", "base/password/shadow.c"},
    "argon2.h": {"base/password/argon.c"},
    "glib": {"base/timestamp.c"},
    "ini.h": {"gateway/config/config.c"},
    "zlib.h": {"gateway/sim/recording.c", "ws/wire/gzip.c", "ws/wire/packer.c"},
    "systemd/": {"gateway/notify.c"},
}
ROOMS_MAX = 25  # of a folder; a room is a .c with its header
SOURCES = {"base", "model", "mqtt", "db", "ws", "gateway"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def room_of(name):
    return name.rpartition(".")[0]


def folder_of(name):
    return name.rpartition("/")[0]


def read(root):
    """Each of our files -> its includes, as (quote, header)."""
    paths = (path for top in SOURCES for path in (root / top).rglob("*.[ch]"))
    return {path.relative_to(root).as_posix(): INCLUDE.findall(path.read_text()) for path in sorted(paths)}


def faults_of(name, includes):
    allowed = {folder_of(name), *MAY_INCLUDE.get(folder_of(name), ())}
    for quote, header in includes:
        if quote == '"' and not header.endswith(".inc") and folder_of(header) not in allowed:
            yield f"{name}: must not include {header}"
        for prefix, files in ONLY_IN.items():
            if quote == "<" and header.startswith(prefix) and name not in files:
                yield f"{name}: must not include {header}"


def reached(rooms, start):
    """All rooms that @start includes, by whatever way."""
    seen, ahead = set(), list(rooms[start])
    while ahead:
        room = ahead.pop()
        if room not in seen:
            seen.add(room)
            ahead += rooms.get(room, ())
    return seen


def faults(files):
    rooms, folders = {}, {}
    for name, includes in files.items():
        yield from faults_of(name, includes)
        room = room_of(name)
        folders.setdefault(folder_of(name), set()).add(room)
        rooms.setdefault(room, set()).update({room_of(h) for quote, h in includes if quote == '"'} - {room})
    for folder in sorted(folders.keys() - MAY_INCLUDE.keys()):
        yield f"{folder}/: no layer that we know"
    for folder, inside in sorted(folders.items()):
        if len(inside) > ROOMS_MAX:
            yield f"{folder}/: {len(inside)} rooms, {ROOMS_MAX} at most"
    for room in sorted(rooms):
        if room in reached(rooms, room):
            yield f"{room}: includes itself by way of {', '.join(sorted(r for r in rooms[room] if room in reached(rooms, r)))}"


def places(text):
    """Each folder that the document has a line for -> what it says is in there."""
    said, folder = {}, ""
    for line in text.partition("## Where to find things")[2].partition("\n## ")[0].split("\n"):
        if entry := re.match(r"( *)(\w+)/ +(.*)", line):
            folder = f"{folder.partition('/')[0]}/{entry[2]}" if entry[1] else entry[2]
            line = entry[3]
        said[folder] = f"{said.get(folder, '')} {line}"
    return said


def unnamed(files, document):
    said = places(document)
    for room in sorted({room_of(name) for name in files}):
        name, line = room.rpartition("/")[2], said.get(folder_of(room), "")
        families = re.findall(r"([\w-]+_?)\*|\*(_\w+)", line)  # journal*, *_source
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line) and not any(
                name.startswith(begin) if begin else name.endswith(end) for begin, end in families):
            yield f"{room}: docs/architecture.md does not say that it is in {folder_of(room)}/"


root = pathlib.Path(sys.argv[1])
files = read(root)
found = [*faults(files), *unnamed(files, (root / "docs/architecture.md").read_text())]
print("\n".join(found) or "layers: ok")
sys.exit(bool(found))
