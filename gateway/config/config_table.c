#include <limits.h>
#include <stdio.h>

#include "gateway/config/config_table.h"

#include "base/text.h"
#include "model/slot.h"

#define KIB       INT64_C(1024)
#define MIB       (KIB * 1024)
#define GIB       (MIB * 1024)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    (24 * HOUR_MS)
#define NEAR_MANY 3 /* edits between two names that one may mistake for each other */

#define AT(member)      offsetof(Config, member)
#define RETENTION(i, t) "retention", t, CONFIG_DAYS, AT(retention[i].days)

/* Sizes are size_t here and uint64_t there. */
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "a size is 64 bits");

/* One key, one entry: readable as the table that it is. */
/* clang-format off */
const ConfigKey config_keys[] = {
        { "http", "listen", CONFIG_LISTEN, AT(ws.listen), "127.0.0.1:8000", 0, 0, false,
          "Address of HTTP and WebSocket: host:port or [host]:port. Port 0 takes any free one." },
        { "http", "health_listen", CONFIG_LISTEN, AT(ws.health_listen), NULL, 0, 0, false,
          "A second address, for /livez, /readyz, /health and /metrics alone, without TLS: with "
          "connections of its own, whatever the load on the first. Not set: none." },
        { "http", "tls_cert", CONFIG_PATH, AT(ws.tls_cert), NULL, 0, 0, false,
          "Certificate chain (PEM). With tls_key: https and wss in place of http and ws. SIGHUP "
          "reads both files again." },
        { "http", "tls_key", CONFIG_PATH, AT(ws.tls_key), NULL, 0, 0, false,
          "Private key (PEM) of tls_cert." },
        { "http", "hsts", CONFIG_SECONDS, AT(ws.hsts_s), "365d", 0, INT_MAX, true,
          "With TLS: how long a browser is to come by TLS alone (Strict-Transport-Security). 0 = it "
          "is not told." },
        { "http", "trusted_proxies", CONFIG_PROXIES, AT(ws.trusted_proxies), NULL, 0, 0, true,
          "Proxies whose X-Forwarded-For and X-Forwarded-Proto count: addresses and networks "
          "(192.0.2.7, 2001:db8::/32), with commas between. Not set: none." },
        { "http", "proxy_protocol", CONFIG_PREFACE, AT(ws.has_preface), "off", 0, 0, true,
          "v2: connections of trusted_proxies to http.listen begin with a header of the PROXY "
          "protocol, version 2, which says from whom they come; others do not." },
        { "http", "allowed_origins", CONFIG_ORIGINS, AT(ws.allowed_origins), NULL, 0, 0, true,
          "Origins of web pages that may connect, with commas between; * = any. Not set: the "
          "same host only." },
        { "http", "dashboard", CONFIG_PATH, AT(ws.dashboard), TIDEGATE_DATADIR "/tidegate/dashboard", 0, 0,
          true,
          "Folder of the dashboard, which / serves; read at start and by SIGHUP. Empty, or without an "
          "index.html: / sends to /live." },
        { "http", "dashboard_files", CONFIG_INT, AT(ws.dashboard_files), "2000", 1, 1000000, true,
          "Files and folders in it. One with more is not served." },
        { "http", "dashboard_bytes", CONFIG_SIZE, AT(ws.dashboard_bytes), "64M", 64 * KIB, 4 * GIB, true,
          "What they may come to; they are kept in memory. A folder with more is not served." },
        { "http", "dashboard_hosts", CONFIG_ORIGINS, AT(ws.dashboard_hosts), NULL, 0, 0, true,
          "Other hosts of which the dashboard may show pictures and read tiles, as "
          "https://tiles.example, with commas between. Not set: none." },
        { "http", "dashboard_tiles", CONFIG_TEXT, AT(ws.dashboard_tiles), NULL, 0, 0, true,
          "Tiles of its map: https://…/{z}/{x}/{y}.png, or a .pmtiles; relative to /, or of one of "
          "dashboard_hosts. Not set: the coastline that it brings along." },
        { "http", "dashboard_style", CONFIG_TEXT, AT(ws.dashboard_style), NULL, 0, 0, true,
          "Style of its map (MapLibre's JSON), likewise." },
        { "http", "dashboard_attribution", CONFIG_TEXT, AT(ws.dashboard_attribution), NULL, 0, 0, true,
          "Whose map that is, as its license wants it said." },
        { "http", "max_requests", CONFIG_INT, AT(ws.max_requests), "256", 8, 65536, false,
          "Requests under way: half a body, waiting for an answer, or an answer that is not read. More are "
          "refused (503)." },
        { "http", "max_body_bytes", CONFIG_SIZE, AT(ws.max_body_bytes), "1M", 1 * KIB, 64 * MIB,
          true,
          "Longest body of a request." },
        { "http", "bodies_bytes", CONFIG_SIZE, AT(ws.bodies_bytes), "64M", 64 * KIB, 16 * GIB, true,
          "Bodies of all requests that are on their way, and answers that are not read, together; at least "
          "four of the longest body." },
        { "http", "max_connections", CONFIG_INT, AT(ws.max_http), "1024", 16, 1000000, true,
          "Connections beyond the sockets of ws.max_connections: requests, and handshakes." },
        { "http", "share", CONFIG_INT, AT(ws.share), "50", 1, 100, true,
          "Percent of the connections, requests under way and bytes of bodies that the others leave, "
          "which one party may have: a user, a device, or an address without either (IPv6: a /64)." },
        { "http", "handshake_turn", CONFIG_MS, AT(ws.handshake_turn_ms), "5ms", 1, 1000, true,
          "Time for handshakes of TLS in one turn of the loop. What is more waits, and each address gets "
          "one step of its handshakes in turn." },
        { "http", "handshakes", CONFIG_INT, AT(ws.max_handshakes), "1024", 1, 1000000, true,
          "Handshakes of TLS that are half done, which cost 40 KB each; of them http.share for one "
          "address. More wait until one has ended; one that is silent for a second gives way." },
        { "http", "answer_timeout", CONFIG_MS, AT(ws.answer_timeout_ms), "10s", 100, 300000,
          true,
          "A request that the database has not answered by then gets a 504." },

        { "http", "changes_per_minute", CONFIG_INT, AT(ws.changes_per_min), "120", 1, 1000000, true,
          "Changes of users, devices, vehicles, shares and groups that one user may ask for by HTTP "
          "(429)." },
        { "http", "group_devices", CONFIG_INT, AT(ws.group_devices), "1000", 1, 100000, true,
          "Devices that one request puts into a group or takes out of it; of more none (422)." },
        { "http", "stream_window", CONFIG_INT, AT(ws.stream_window), "4", 1, 256, true,
          "Pieces of 64 KiB of one long answer that are on their way at a time." },

        { "mqtt", "url", CONFIG_MQTT_URL, AT(mqtt.url), NULL, 0, 0, false,
          "Broker: mqtt://host[:1883] or mqtts://host[:8883]. Several, with commas between, are tried "
          "in turn. Not set: no MQTT." },
        { "mqtt", "username", CONFIG_TEXT, AT(mqtt.username), NULL, 0, 0, false,
          "User name." },
        { "mqtt", "password_file", CONFIG_PATH, AT(mqtt.password_file), NULL, 0, 0, false,
          "File with the password; read again at each connect." },
        { "mqtt", "client_id", CONFIG_TEXT, AT(mqtt.client_id), NULL, 0, 0, false,
          "Name of the session at the broker. Not set: tidegate-<epoch of the first journal>, which is "
          "noted in journal.dir and beside it (journal.dir with .client-id)." },
        { "mqtt", "version", CONFIG_MQTT_VERSION, AT(mqtt.version), "auto", 0, 0, false,
          "Version of MQTT: 5, 3.1.1, or auto: 5, and 3.1.1 where the broker does not speak it." },
        { "mqtt", "ca_file", CONFIG_PATH, AT(mqtt.ca_file), NULL, 0, 0, false,
          "Authorities that mqtts:// trusts (PEM). Not set: those of the system." },
        { "mqtt", "cert_file", CONFIG_PATH, AT(mqtt.cert_file), NULL, 0, 0, false,
          "Our certificate (PEM), where the broker asks for one." },
        { "mqtt", "key_file", CONFIG_PATH, AT(mqtt.key_file), NULL, 0, 0, false,
          "Private key (PEM) of cert_file." },
        { "mqtt", "verify", CONFIG_FLAG, AT(mqtt.verify), "on", 0, 0, false,
          "Check the broker's certificate and its name. Off is for tests." },
        { "mqtt", "keep_alive", CONFIG_SECONDS, AT(mqtt.keep_alive_s), "30s", 5, 3600, false,
          "Longest silence on the connection before a ping." },
        { "mqtt", "session_expiry", CONFIG_SECONDS, AT(mqtt.session_expiry_s), "7d", 60, INT_MAX,
          false,
          "How long the broker keeps our session while we are away (MQTT 5)." },
        { "mqtt", "receive_maximum", CONFIG_INT, AT(mqtt.receive_maximum), "1000", 1, 65535, false,
          "Messages without acknowledgement at a time (MQTT 5)." },
        { "mqtt", "connect_timeout", CONFIG_MS, AT(mqtt.connect_timeout_ms), "10s", 1000, 300000,
          false,
          "How long one attempt to connect may take." },
        { "mqtt", "backoff_min", CONFIG_MS, AT(mqtt.backoff_min_ms), "500ms", 10, HOUR_MS, false,
          "Pause before the second attempt to connect; it doubles, with jitter." },
        { "mqtt", "backoff_max", CONFIG_MS, AT(mqtt.backoff_max_ms), "30s", 10, HOUR_MS, false,
          "Longest such pause." },
        { "mqtt", "canary", CONFIG_MS, AT(mqtt.canary_ms), "500ms", 0, 60000, false,
          "Message to ourselves (tidegate/canary/<client id>), so that a sparse one does not wait "
          "100 ms; 0: none." },
        { "mqtt", "explore", CONFIG_FILTERS, AT(mqtt_explore), NULL, 0, 0, true,
          "MQTT filters, with commas between: what they bring and no route takes is counted by the "
          "shape of its topic, with a sample, for tidegate route unrouted; nothing of it is stored. A "
          "connection of its own, with QoS 0. Not set: none." },
        { "mqtt", "explore_shapes", CONFIG_INT, AT(explore_shapes), "1024", 16, 16384, false,
          "Shapes of topics that are remembered of these, a KiB each; of more the rarest give way." },

        { "database", "url", CONFIG_DB_URL, AT(database_url), "postgresql:///tidegate", 0, 0, false,
          "PostgreSQL: postgresql://user:password@host:port/name, or key=value pairs." },
        { "database", "migrate", CONFIG_FLAG, AT(database_migrate), "on", 0, 0, false,
          "Bring the schema up to date when serve starts. Off: `tidegate migrate` does it." },
        { "database", "max_batch", CONFIG_INT, AT(database_max_batch), "1000", 1, 10000, false,
          "Most messages in one transaction." },
        { "database", "max_delay", CONFIG_MS, AT(database_max_delay_ms), "0ms", 0, 60000, false,
          "How long a small batch waits for more. Batches form by themselves under load." },
        { "database", "stall_timeout", CONFIG_MS, AT(database_stall_ms), "150ms", 10, HOUR_MS, false,
          "When a commit takes longer, live goes ahead of it (persisted: false)." },
        { "database", "timeout", CONFIG_MS, AT(database_timeout_ms), "30s", 100, HOUR_MS, false,
          "When a commit takes longer, its connection is given up and made again." },
        { "database", "heartbeat", CONFIG_MS, AT(database_heartbeat_ms), "2s", 100, 60000, false,
          "How often the gateway notifies itself. While that does not arrive, users, devices and "
          "rights are read again as often, and /readyz says registry_stale." },
        { "database", "query_timeout", CONFIG_MS, AT(database_query_timeout_ms), "10s", 10,
          HOUR_MS, false,
          "Longest statement that a viewer may cause." },
        { "database", "query_capacity", CONFIG_INT, AT(query_capacity), "256", 1, 100000, false,
          "Questions of viewers that may wait for the database; more are refused (503)." },
        { "database", "query_connections", CONFIG_INT, AT(database_query_connections), "2", 1, 64,
          false,
          "Connections for each sort of question of viewers: history, statistics, resume, commands; "
          "one user has all but one of a sort at most. Log-ins have one of their own." },
        { "database", "query_share", CONFIG_INT, AT(query_share), "32", 1, 100000, false,
          "Questions of one user, device or address of one sort that may wait; more are refused (503)." },
        { "database", "stream_timeout", CONFIG_MS, AT(database_stream_timeout_ms), "5m", 100,
          DAY_MS, false,
          "Longest time that one answer from history may take, its reader's time included." },
        { "database", "partitions_ahead", CONFIG_DAYS, AT(partitions_ahead_days), "7d", 1, 365,
          false,
          "How many days ahead the partitions of the log tables are made." },
        { "database", "survey", CONFIG_MS, AT(survey_ms), "60s", 100, HOUR_MS, false,
          "How often it is looked up how many people and dead letters there are, for the metrics." },
        { "database", "dead_letters_warn", CONFIG_INT, AT(dead_letters_warn), "100000", 0, INT_MAX, false,
          "Dead letters beyond which the log warns and /readyz has a note. None is dropped for its number: "
          "age alone counts ([retention]). 0 = never." },
        { "database", "row_notes", CONFIG_INT, AT(row_notes), "100", 0, 1000000, false,
          "Members that were set aside are noted beside the row: so many of one device, or vehicle, and "
          "day. More are counted. Kept as long as dead letters." },
        { "database", "retention_hold", CONFIG_MS, AT(retention_hold_ms), "12h", 1000,
          7 * DAY_MS, false,
          "How long a clock that jumped has to stay so for each day that retention moves on." },

        { RETENTION(0, "raw_logs"), "30d", 0, 36500, false,
          "How long rows are kept, in days; 0 = for ever." },
        { RETENTION(1, "sensor_logs"), "90d", 0, 36500, false, NULL },
        { RETENTION(2, "vehicle_logs"), "90d", 0, 36500, false, NULL },
        { RETENTION(3, "ble_detections"), "90d", 0, 36500, false, NULL },
        { RETENTION(4, "telemetry"), "90d", 0, 36500, false, NULL },
        { RETENTION(5, "camera_events"), "90d", 0, 36500, false, NULL },
        { RETENTION(6, "alerts"), "90d", 0, 36500, false, NULL },
        { RETENTION(7, "dead_letters"), "90d", 0, 36500, false, NULL },
        { RETENTION(8, "command_events"), "90d", 0, 36500, false, NULL },
        { RETENTION(9, "device_status_logs"), "90d", 0, 36500, false, NULL },
        { RETENTION(10, "commands"), "90d", 0, 36500, false, "Commands that are over." },

        { "commands", "topics", CONFIG_TOPICS, AT(commands.topics), "devices/{device}/commands", 0,
          0, false,
          "Topic templates that commands are published to, with commas between; {device} and "
          "{user} (its owner). Empty: to the sockets of devices alone." },
        { "commands", "ack_topic", CONFIG_TOPIC, AT(commands.ack_topic),
          "devices/{device}/commands/ack", 0, 0, false,
          "Response topic (MQTT 5) of a command: where its device answers. Empty: none." },
        { "commands", "timeout", CONFIG_MS, AT(ws.command_timeout_ms), "60s", 1, DAY_MS, true,
          "How long a command lives that does not say; then it has expired." },
        { "commands", "max_timeout", CONFIG_MS, AT(ws.command_max_timeout_ms), "24h", 1,
          DAY_MS, true,
          "Longest life that a command may ask for." },
        { "commands", "max_pending_per_device", CONFIG_INT, AT(ws.command_max_pending), "100", 1,
          100000, true,
          "Commands of one device that are not over yet; more are refused (429)." },
        { "commands", "user_share", CONFIG_INT, AT(ws.command_user_share), "25", 1, 100, true,
          "Percent of them, at least one, for each user with whom the device is shared." },
        { "commands", "reserve", CONFIG_INT, AT(ws.command_reserve), "25", 0, 99, true,
          "Percent of them that only the owner of the device and admins may have." },

        { "journal", "dir", CONFIG_PATH, AT(journal.dir), "/var/lib/tidegate/journal", 0, 0, false,
          "Directory of the journal; made if its parent is there." },
        { "journal", "max_bytes", CONFIG_SIZE, AT(journal.max_bytes), "1G", 512 * KIB, 1024 * GIB,
          false,
          "Room for what PostgreSQL does not have yet. When it is used up the broker keeps the "
          "rest." },
        { "journal", "segment_bytes", CONFIG_SIZE, AT(journal.segment_bytes), "16M", 64 * KIB, 1 *
          GIB, false,
          "Size of one file of it. Not set: 16M, or 1/16 of max_bytes if that is less." },
        { "journal", "reserve_bytes", CONFIG_SIZE, AT(journal.reserve_bytes), "64M", 0, 64 * GIB,
          false,
          "Part of max_bytes for what is in flight when the source stops. Not set: 64M, or 1/4 "
          "of max_bytes if that is less." },
        { "journal", "min_free_bytes", CONFIG_SIZE, AT(journal.min_free_bytes), "512M", 0, 1024 *
          GIB, false,
          "Free room on the disk below which the source stops." },
        { "journal", "device_share", CONFIG_INT, AT(journal_device_share), "25", 1, 100, false,
          "Percent of max_bytes that one device may have waiting for PostgreSQL, where "
          "it can be refused alone: by WebSocket (not read) and HTTP (503)." },
        { "journal", "keep", CONFIG_MS, AT(journal.keep_ms), "1h", 0, 7 * DAY_MS, false,
          "How long what is stored stays in the journal, to fill a database that was restored or "
          "failed over. Gives way, the oldest first, before max_bytes or min_free_bytes refuse "
          "anything." },
        { "journal", "check", CONFIG_MS, AT(journal_check_ms), "60s", 100, 24 * HOUR_MS, false,
          "How often the number of messages that PostgreSQL has stored is compared with the "
          "journal's." },
        { "journal", "fsync", CONFIG_FSYNC, 0, "10ms", 1, 60000, false,
          "always, an interval in milliseconds, or never: what a power cut may cost." },

        { "cluster", "lease", CONFIG_MS, AT(cluster_lease_ms), "6s", 1000, HOUR_MS, false,
          "One gateway stores at a time. One that gave no sign of life for so long has lost its turn to "
          "another that waits for it (with a database and broker of its own nobody does)." },
        { "cluster", "slot", CONFIG_INT, AT(cluster_slot), "0", 0, 1023, false,
          "Whose turn: gateways with the same number take turns. Those that store other messages into "
          "the same database, from another broker or site, need another one." },

        { "cluster", "slots", CONFIG_INT, AT(cluster_slots), "1", 1, SLOT_MAX, false,
          "Into how many slots the work is split, numbered from cluster.slot on: gateways of one "
          "cluster.name share them. All need the same number and the same routes, or get none." },

        { "cluster", "name", CONFIG_TEXT, AT(cluster_name), "tidegate", 0, 0, false,
          "What gateways are called together that share a database and a broker: up to 32 of a-z, 0-9 "
          "and -." },
        { "cluster", "node", CONFIG_TEXT, AT(cluster_node), NULL, 0, 0, false,
          "Name of this gateway among them, its own: up to 64 of A-Z, a-z, 0-9, . _ and -. A second "
          "one with it is refused. Not set: host and journal.dir." },
        { "cluster", "advertise", CONFIG_TEXT, AT(cluster_advertise), NULL, 0, 0, false,
          "Where it can be reached, for `tidegate cluster status` and balancers: a URL, or host:port." },

        { "uplink", "url", CONFIG_TEXT, AT(uplink_url), NULL, 0, 0, false,
          "This gateway is at the edge, without a database: what it takes in goes to a central one, "
          "wss://host[:port]/ws/uplink/DEVICE (or ws://). Not set: it stores itself." },
        { "uplink", "token_file", CONFIG_PATH, AT(uplink_token_file), NULL, 0, 0, false,
          "File with the token of that device, readable by us alone; read again at each connect." },
        { "uplink", "ca_file", CONFIG_PATH, AT(uplink_ca_file), NULL, 0, 0, false,
          "Authorities that wss:// trusts (PEM). Not set: those of the system." },
        { "uplink", "verify", CONFIG_FLAG, AT(uplink_verify), "on", 0, 0, false,
          "Check the central gateway's certificate and its name. Off is for tests." },
        { "uplink", "drop_oldest", CONFIG_FLAG, AT(uplink_drops), "off", 0, 0, false,
          "When the journal is full: on, the oldest of what was not brought yet goes, and is counted; "
          "off, the broker keeps what comes." },
        { "uplink", "backoff_min", CONFIG_MS, AT(uplink_backoff_min_ms), "1s", 10, HOUR_MS, false,
          "Pause before the second attempt to connect; it doubles, with jitter." },
        { "uplink", "backoff_max", CONFIG_MS, AT(uplink_backoff_max_ms), "1m", 10, HOUR_MS, false,
          "Longest such pause." },

        { "outbox", "capacity", CONFIG_INT, AT(outbox_capacity), "65536", 16, 10000000, false,
          "Messages on their way from the database to the sockets." },
        { "outbox", "wait", CONFIG_MS, AT(outbox_wait_ms), "100ms", 0, 60000, false,
          "How long a full outbox may hold up the database before viewers miss messages." },

        { "auth", "jwt_secret_file", CONFIG_FILES, AT(auth.jwt_secret_file), NULL, 0, 0, true,
          "Key of HS256 user tokens: at least 32 bytes, readable by us alone. Several: [kid=]file with "
          "commas between; the first one signs. SIGHUP reads the files again." },
        { "auth", "jwt_public_key_file", CONFIG_FILES, AT(auth.jwt_public_key_file), NULL, 0, 0,
          true,
          "Public keys (PEM) of RS256 or ES256 user tokens: [kid=]file, with commas between. SIGHUP "
          "reads the files again." },
        { "auth", "algorithms", CONFIG_ALGORITHMS, AT(auth.algorithms), "HS256", 0, 0, true,
          "Signatures that are accepted: HS256, RS256, ES256, with commas between." },
        { "auth", "issuer", CONFIG_TEXT, AT(auth.issuer), NULL, 0, 0, true,
          "What the claim iss must be. Not set: not checked." },
        { "auth", "audience", CONFIG_TEXT, AT(auth.audience), NULL, 0, 0, true,
          "What the claim aud must be or hold. Not set: not checked." },
        { "auth", "subject_claim", CONFIG_TEXT, AT(auth.subject_claim), "sub", 0, 0, true,
          "Claim that names the user, in tokens that we did not make." },
        { "auth", "subject_type", CONFIG_TEXT, AT(auth.subject_type), "any", 0, 0, true,
          "What that claim is: name (text), id (a whole number, or text that is one), or any (text is "
          "a name, a number an id)." },
        { "auth", "anonymous", CONFIG_PATHS, AT(auth.anonymous), NULL, 0, 0, true,
          "Paths that anyone may read, with commas between; a final * stands for any rest." },
        { "auth", "query_token", CONFIG_FLAG, AT(auth.query_token), "off", 0, 0, true,
          "Accept ?token= in the URL (masked in every log of ours, not in those of others)." },
        { "auth", "token_pepper_file", CONFIG_PATH, AT(auth.token_pepper_file), NULL, 0, 0, true,
          "Key under which device tokens are hashed, readable by us alone." },
        { "auth", "login_failures_per_minute", CONFIG_INT, AT(ws.login_failures_per_min), "10", 1,
          1000000, true,
          "Failed logins from one address; twice that for one account. More are refused (429)." },
        { "auth", "logins_per_second", CONFIG_INT, AT(ws.logins_per_s), "3", 0, 1000000, true,
          "Logins of one address, where they were good before, that go before those of others, twice that "
          "in a burst; more come last. 0: all of them." },
        { "auth", "login_wait", CONFIG_MS, AT(ws.login_wait_ms), "30s", 0, 600000, true,
          "How long a login waits while so many others of its address are under way as may fail in a minute; "
          "then 429." },
        { "auth", "known_logins", CONFIG_INT, AT(ws.known_logins), "4096", 64, 1000000, false,
          "Users, addresses and networks that are remembered for a day as those where a log-in was good: "
          "about three of each user, 80 bytes each. Who is forgotten waits as a newcomer in a crowd." },
        { "auth", "login_cache", CONFIG_INT, AT(login_cache), "4096", 0, 1000000, false,
          "Users whose password, once it was right, need not be hashed again for login_cache_ttl (a keyed "
          "digest is kept in memory); of more the later goes before the earlier. 0: none." },
        { "auth", "login_cache_ttl", CONFIG_SECONDS, AT(login_cache_ttl_s), "1h", 1, 86400, false,
          "How long. The database says each time whether the user may log in, and by which password." },
        { "auth", "token_failures_per_minute", CONFIG_INT, AT(ws.token_failures_per_min), "60", 1,
          1000000, true,
          "Bad tokens and tickets from one address; twice that for one device. More get 429; good "
          "ones are never held up." },
        { "auth", "tickets", CONFIG_INT, AT(ws.tickets), "4096", 16, 65536, false,
          "Tickets (POST /api/ws/ticket; 30 s, one use) that are out at a time; more are refused (503)." },
        { "auth", "tickets_per_user", CONFIG_INT, AT(ws.tickets_per_user), "16", 1, 65536, false,
          "Of these, those of one user; of one who asks for more the oldest ends." },
        { "auth", "token_ttl", CONFIG_SECONDS, AT(ws.token_ttl_s), "1h", 10, 31536000, true,
          "Life of the user tokens of POST /api/token." },
        { "auth", "session_max", CONFIG_SECONDS, AT(ws.session_max_s), "1d", 0, 31536000, true,
          "How long after the log-in POST /api/token/refresh gives a new token for one that still holds; "
          "0: never." },

        { "ws", "welcome", CONFIG_TEXT, AT(ws.welcome), "Connected to SEANO real-time data stream",
          0, 0, true,
          "Text of the welcome on /api/ws." },
        { "ws", "max_message_bytes", CONFIG_SIZE, AT(ws.max_message_bytes), "64K", 128, 16 * MIB,
          true,
          "Longest message of a client; longer closes its socket (1009)." },
        { "ws", "handshake_timeout", CONFIG_MS, AT(ws.handshake_timeout_ms), "10s", 100, 300000,
          true,
          "How long a client may take to ask and to say who it is." },
        { "ws", "ping_interval", CONFIG_MS, AT(ws.ping_interval_ms), "20s", 100, HOUR_MS, true,
          "A PING goes to each socket so often." },
        { "ws", "silence_timeout", CONFIG_MS, AT(ws.silence_ms), "60s", 200, HOUR_MS, true,
          "A peer silent for so long is dropped (4201)." },
        { "ws", "max_connections", CONFIG_INT, AT(ws.max_connections), "20000", 1, 10000000, true,
          "Sockets in total; more are refused (429)." },
        { "ws", "max_connections_per_user", CONFIG_INT, AT(ws.max_connections_per_user), "5", 1,
          1000000, true,
          "Sockets of one user on /api/ws/statistics and the native protocol." },
        { "ws", "user_share", CONFIG_INT, AT(ws.user_share), "75", 1, 100, true,
          "Percent of what the others leave of ws.max_connections that one user, device, or address "
          "without credential (IPv6: a /64) may have, on all paths together (429)." },
        { "ws", "max_unauthenticated", CONFIG_INT, AT(ws.max_unauthenticated), "256", 1, 1000000,
          true,
          "Sockets of one address (IPv6: of a /64) that have not said yet who they are; those of all are at "
          "most a quarter of ws.max_connections." },
        { "ws", "connects_per_second", CONFIG_INT, AT(ws.connects_per_s), "200", 0, 1000000, true,
          "New sockets a second from one address; 0 = no limit." },
        { "ws", "messages_per_second", CONFIG_INT, AT(ws.messages_per_s), "50", 1, 1000000, true,
          "Messages in a second on one socket; twice that in a burst. A ping, or a fragment of a message, "
          "counts as a hundredth of one." },
        { "ws", "queue_bytes", CONFIG_SIZE, AT(ws.queue_bytes), "1M", 16 * KIB, 1 * GIB, true,
          "Room for what one socket has not taken yet; then it is conflated." },
        { "ws", "slow_timeout", CONFIG_MS, AT(ws.slow_ms), "10s", 100, HOUR_MS, true,
          "A socket that stays too slow for so long is closed (4101)." },
        { "ws", "burst_bytes", CONFIG_SIZE, AT(ws.burst_bytes), "256M", 0, 64 * GIB, true,
          "Room beyond the queues, for all sockets that take what a burst brings; one user has "
          "ws.user_share of it." },
        { "ws", "stall_timeout", CONFIG_MS, AT(ws.stall_ms), "3s", 10, HOUR_MS, true,
          "A socket of which the kernel takes nothing for so long has its queue alone." },
        { "ws", "max_subscriptions", CONFIG_INT, AT(ws.max_subscriptions), "100", 1, 100000, true,
          "Subscriptions of one socket." },
        { "ws", "max_paced", CONFIG_INT, AT(ws.max_paced), "50000", 0, 10000000, true,
          "Things that max_hz paces for one socket, each for each subscription; more come as they come." },
        { "ws", "max_set", CONFIG_INT, AT(ws.max_set), "200000", 1, 100000000, true,
          "Things in the sets of one socket (set in subscribe), each for each subscription; one that "
          "gets more is closed (4100)." },
        { "ws", "max_playbacks", CONFIG_INT, AT(ws.max_playbacks), "4", 0, 1000, true,
          "Subscriptions of one user that play a time that is over (at in subscribe); more are refused." },
        { "ws", "progress", CONFIG_MS, AT(ws.progress_ms), "5s", 100, HOUR_MS, true,
          "A socket or stream with a set to which nothing was sent for so long is told how far it is." },
        { "ws", "replay_events", CONFIG_INT, AT(ws.replay_events), "65536", 0, 100000000, true,
          "The last messages that are kept in memory for subscribers who come back." },
        { "ws", "replay_bytes", CONFIG_SIZE, AT(ws.replay_bytes), "64M", 0, 64 * GIB, true,
          "The same in bytes; further back the database is asked." },
        { "ws", "deflate", CONFIG_FLAG, AT(ws.deflate), "on", 0, 0, true,
          "Compress for who asks for it (permessage-deflate); one compressed frame serves all." },
        { "ws", "deflate_min_bytes", CONFIG_SIZE, AT(ws.deflate_min_bytes), "128", 0, 16 * MIB,
          true,
          "A shorter frame is not compressed." },
        { "ws", "stats_interval", CONFIG_MS, AT(ws.stats_interval_ms), "5s", 100, HOUR_MS, true,
          "Statistics (dialects A and E) are computed at most so often." },
        { "ws", "stats_refresh", CONFIG_MS, AT(ws.stats_refresh_ms), "30s", 100, HOUR_MS, true,
          "Statistics of dialect E go out so often where they have not changed; no oftener than "
          "stats_interval." },
        { "ws", "detection_interval", CONFIG_MS, AT(ws.detection_interval_ms), "0", 0, HOUR_MS, true,
          "Dialect A says what a device heard at most so often, the count of what came meanwhile in one; "
          "0: with each message." },
        { "ws", "device_update_interval", CONFIG_MS, AT(ws.touch_interval_ms), "1s", 0, HOUR_MS, true,
          "Dialect C shows a device again, whose messages are no status, at most so often; 0: with each "
          "status alone." },

        { "pages", "timezone", CONFIG_ZONE, AT(ws.timezone), "UTC", 0, 0, true,
          "What the pages of the origin systems call an hour and a day, and times without an offset that they "
          "send: Europe/Madrid, +07:00." },

        { "pages", "max_items", CONFIG_INT, AT(ws.page_items), "10000", 1, 1000000, true,
          "Devices, vehicles or sensors of a list of theirs, of which the first are there; a `limit` may say fewer, an "
          "`offset` from where." },

        { "pages", "devices_per_person", CONFIG_NUMBER, AT(ws.counter.devices_per_person), "1.5", 1, 100, true,
          "How many devices the people counter takes for one person, in the live numbers as in its pages." },
        { "pages", "zones_apart", CONFIG_FLAG, AT(ws.counter.zones_apart), "off", 0, 0, true,
          "In a total of the people counter a device that was heard in two zones is two, as its own server counts." },
        { "pages", "live_by_time", CONFIG_FLAG, AT(ws.counter.by_time), "off", 0, 0, true,
          "The people counter's live numbers go by the time of what was heard, as its own server's do, and not by "
          "that of receipt: a scanner whose clock is off is then not in them." },
        { "pages", "scanners_alone", CONFIG_FLAG, AT(ws.counter.scanners_alone), "off", 0, 0, true,
          "Where everybody may read the people counter's devices (auth.anonymous), they see its scanners alone: "
          "devices of the type ble_scanner, ble or scanner. Who is signed in sees what is his, as ever." },

        { "time", "ahead", CONFIG_MS, AT(time_ahead_ms), "60s", 1, DAY_MS, true,
          "A device's time that is further ahead of its receipt is none: the receipt counts in its place. "
          "What a clock may be off by before it is said to be wrong." },
        { "time", "oldest", CONFIG_DAYS, AT(time_oldest_days), "0", 0, 36500, true,
          "A device's time that is further back is none, too (a clock without battery says 1970). 0 = as "
          "long as the longest [retention]; 3650d where one of these is for ever." },

        { "routes", "profiles", CONFIG_PATH, AT(route_profiles), NULL, 0, 0, true,
          "A folder of profiles (NAME.conf) for `use` of routes, before those that are built in." },
        { "routes", "announced_bytes", CONFIG_SIZE, AT(announced_bytes), "64M", 64 * KIB, 16 * GIB, false,
          "What devices announce (kind = discovery), in memory and in the folder of the journal; of more it "
          "is not kept." },
        { "routes", "try_waiting", CONFIG_INT, AT(try_waiting), "16", 1, 10000, false,
          "Messages that admins try (POST /api/routes/try) and that may wait; more are refused (503)." },
        { "routes", "try_share", CONFIG_INT, AT(try_share), "2", 1, 10000, false,
          "Of these, those of one admin." },
        { "routes", "try_elements", CONFIG_INT, AT(try_elements), "100", 1, 4096, false,
          "Elements of one of them (each) that are told; of the others how many they are." },
        { "routes", "try_payload_bytes", CONFIG_SIZE, AT(ws.try_payload_bytes), "64K", 1 * KIB, 16 * MIB,
          true,
          "Longest payload that is tried; http.max_body_bytes has to hold it, too." },
        { "routes", "try_config_bytes", CONFIG_SIZE, AT(ws.try_config_bytes), "128K", 1 * KIB, 16 * MIB,
          true,
          "Longest lines of routes that are tried with it, likewise." },
        { "registry", "auto_register", CONFIG_FLAG, AT(auto_register), "off", 0, 0, true,
          "Create devices that are not known, on routes that do not say themselves." },
        { "registry", "new_devices_per_minute", CONFIG_INT, AT(registry_new_per_minute), "1000", 0,
          1000000, false,
          "Devices that are created so in a minute; messages of more go to dead_letters. 0 = no "
          "limit." },
        { "registry", "max_devices", CONFIG_INT, AT(registry_max_devices), "100000", 0, 10000000, false,
          "Devices in all, beyond which none is created so; messages of more go to dead_letters. 0 = no "
          "limit." },
        { "registry", "user_share", CONFIG_INT, AT(registry_user_share), "50", 1, 100, false,
          "Percent of these, and of a minute's new ones, of what the others leave, for the messages of one "
          "user whom the topic names." },
        { "registry", "max_sensors", CONFIG_INT, AT(registry_max_sensors), "1000", 0, 100000, false,
          "Sensors of one vehicle, beyond which messages add none; those of more go to dead_letters. 0 = "
          "no limit." },
        { "registry", "max_people", CONFIG_INT, AT(registry_max_people), "10000", 0, 10000000, false,
          "Names of people that are counted of one camera; events with more are stored all the same. "
          "0 = no limit." },

        { "sparkplug", "max_things", CONFIG_INT, AT(sparkplug_max_things), "10000", 1, 1000000, false,
          "Nodes and devices of Sparkplug B whose births are remembered; births of more are stored, and "
          "what comes with their aliases is dead letters." },
        { "sparkplug", "max_metrics", CONFIG_INT, AT(sparkplug_max_metrics), "5000", 1, 1000000, false,
          "Metrics of one of them whose names and types are remembered: the first of its birth." },

        { "merge", "max_devices", CONFIG_INT, AT(merge_max_devices), "10000", 0, 1000000, false,
          "Devices whose messages that say changes are laid over each other; those of more stand for "
          "themselves." },
        { "merge", "max_bytes", CONFIG_SIZE, AT(merge_max_bytes), "16K", 256, 1 * MIB, false,
          "Of what they come to, of one device; what would be longer begins anew with the last message." },

        { "log", "level", CONFIG_LEVEL, AT(log_level), "info", 0, 0, true,
          "error, warning, info or debug." },

        { "shutdown", "grace", CONFIG_MS, AT(shutdown_grace_ms), "10s", 0, HOUR_MS, true,
          "How long SIGTERM may take to store what the journal holds and to close the sockets." },

        { "watchdog", "timeout", CONFIG_MS, AT(watchdog_timeout_ms), "30s", 0, HOUR_MS, true,
          "A thread that has not moved for so long ends the process, with its trace in the log, for the service "
          "manager to start it again. What waits for the database or the broker moves. 0 = never." },
};
/* clang-format on */

const size_t config_n_keys = N_ELEMENTS(config_keys);

const ConfigKey *config_find(const char *section, const char *name) {
        for (size_t i = 0; i < config_n_keys; ++i)
                if (strcmp(config_keys[i].section, section) == 0 &&
                    strcmp(config_keys[i].name, name) == 0)
                        return &config_keys[i];
        return NULL;
}

const char *config_renamed(const char *section, const char *name) {
        static const struct {
                const char *section, *before, *now;
        } keys[] = {
                { "time", "max_ahead", "ahead" },
                { "time", "max_age", "oldest" },
        };

        for (size_t i = 0; i < N_ELEMENTS(keys); ++i)
                if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].before, name) == 0)
                        return keys[i].now;
        return NULL;
}

bool config_has_section(const char *section) {
        for (size_t i = 0; i < config_n_keys; ++i)
                if (strcmp(config_keys[i].section, section) == 0)
                        return true;
        return false;
}

ConfigText *config_text(const Config *config, const char *section, const char *name) {
        return &config->texts->keys[config_find(section, name) - config_keys];
}

bool config_is_near(const char *a, const char *b) {
        return text_distance(a, b) <= NEAR_MANY && text_distance(a, b) * 2 < strlen(b) + 1;
}

/* The right name in a wrong section, or one that is written nearly so. */
const ConfigKey *config_nearest(const char *section, const char *name) {
        const ConfigKey *nearest = NULL;
        size_t least = SIZE_MAX;

        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                bool is_home = strcmp(key->section, section) == 0;
                size_t distance = text_distance(name, key->name) * 2 + (is_home ? 0 : 1);

                if (!config_is_near(name, key->name) || distance >= least)
                        continue;
                nearest = key;
                least = distance;
        }
        return nearest;
}

size_t config_restart_keys(const Config *config,
                           const Config *other,
                           const char *ret_names[][2],
                           size_t n_max) {
        size_t n = 0;

        for (size_t i = 0; i < config_n_keys && n < n_max; ++i) {
                const char *a = config->texts->keys[i].text;
                const char *b = other->texts->keys[i].text;

                a = a ? a : config_keys[i].fallback;
                b = b ? b : config_keys[i].fallback;
                if (config_keys[i].reloads || strcmp(a ? a : "", b ? b : "") == 0)
                        continue;
                ret_names[n][0] = config_keys[i].section;
                ret_names[n][1] = config_keys[i].name;
                ++n;
        }
        return n;
}
