#!/usr/bin/env python3
"""Fail when a file includes what its folder must not know (docs/architecture.md, "Layers")."""
import pathlib
import re
import sys

GROUND = {"base", "model"}
DB = {"db", "db/edit", "db/follow", "db/read", "db/write"}
WS = {"ws", "ws/access", "ws/device", "ws/dialects", "ws/http", "ws/loop", "ws/net", "ws/viewer", "ws/wire"}
GATEWAY = {"gateway/cli", "gateway/commands", "gateway/config", "gateway/decode", "gateway/journal", "gateway/read",
           "gateway/sim", "gateway/store"}
MAY_INCLUDE = {  # folder -> folders whose headers it may include, beside its own
    "base": set(),
    "model": {"base"},
    "mqtt": GROUND,
    "db": GROUND,
    "db/follow": {"db", *GROUND},
    "db/read": {"db", *GROUND},
    "db/write": {"db", *GROUND},
    "db/edit": {"db", "db/follow", *GROUND},
    "ws/wire": GROUND,
    "ws/access": {*GROUND, "ws/net"},
    **dict.fromkeys(sorted(WS - {"ws/access", "ws/wire"}), {*GROUND, *WS}),
    "gateway/config": {*GROUND, "gateway/commands", "gateway/decode", "gateway/journal", "mqtt", "db", *WS},
    "gateway/decode": GROUND,
    "gateway/journal": GROUND,
    "gateway/store": {*GROUND, "gateway/decode", "gateway/journal", *DB},
    "gateway/read": {*GROUND, *DB},
    "gateway/commands": {*GROUND, "gateway/store", "mqtt", *DB},
    "gateway/sim": {*GROUND, "gateway/config", "gateway/decode", "mqtt"},
    "gateway/cli": {*GROUND, "gateway", *GATEWAY, *DB},
    "gateway": {*GROUND, *(GATEWAY - {"gateway/cli"}), "mqtt", *DB, *WS},
}
ONLY_IN = {  # foreign header (a prefix) -> the files that may know it exists
    "MQTTAsync.h": {"mqtt/sending.c", "mqtt/session.c", "mqtt/subscribing.c"},
    "libpq-fe.h": {*(f"db/{x}.c" for x in ("conn", "migrate", "pooler", "target")),
                   *(f"db/edit/{x}.c" for x in ("admin", "command_rows", "letters", "listing")),
                   *(f"db/follow/{x}.c" for x in ("directory", "registration", "restore")),
                   *(f"db/read/{x}.c" for x in ("statistics", "history_alerts", "history_detections", "history_logs",
                                                "history_telemetry", "history_track", "missed", "reading", "survey")),
                   *(f"db/write/{x}.c" for x in ("books", "mend", "notes", "partitions", "probe", "slots", "store", "tidy"))},
    "uv.h": {"ws/net/conn.c", "ws/net/listener.c", "ws/server.c"},
    "json-c/": {"ws/access/auth.c", "ws/device/order.c", "ws/device/detections.c", "ws/dialects/native_request.c",
               "ws/dialects/client_message.c", *(f"gateway/decode/decode_{x}.c" for x in ("detections", "device", "member", "vehicle"))},
    "jwt.h": {"ws/access/auth.c"},
    "openssl/": {"base/secret.c", "ws/access/auth.c", "ws/access/keys.c", "ws/http/handshake.c", "ws/net/tls.c"},
    "glib": {"base/timestamp.c"},
    "ini.h": {"gateway/config/config.c"},
    "zlib.h": {"gateway/sim/recording.c", "ws/wire/packer.c"},
    "systemd/": {"gateway/notify.c"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def faults(root: pathlib.Path):
    for folder, allowed in MAY_INCLUDE.items():
        for path in sorted((root / folder).glob("*.[ch]")):
            name = path.relative_to(root).as_posix()
            for quote, header in INCLUDE.findall(path.read_text()):
                if quote == '"' and not header.endswith(".inc") \
                        and header.rpartition("/")[0] not in {folder, *allowed}:
                    yield f"{name}: must not include {header}"
                for prefix, files in ONLY_IN.items():
                    if quote == "<" and header.startswith(prefix) and name not in files:
                        yield f"{name}: must not include {header}"


found = list(faults(pathlib.Path(sys.argv[1])))
print("\n".join(found) or "layers: ok")
sys.exit(bool(found))
