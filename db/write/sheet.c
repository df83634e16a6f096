#include "db/write/sheet.h"

#include "model/vehicle_log.h"

/* Counts what was really written, in the transaction that writes it. */
#define BOOKED(insert)                                  \
        "WITH added AS (" insert " RETURNING true)"     \
        " UPDATE journal_positions SET stored = stored" \
        " + (SELECT count(*) FROM added) WHERE journal_id = $1"

/* The same of messages that are several rows each: those of which no row is lacking. */
#define BOOKED_WHOLE(rows, insert)                                              \
        "WITH u AS MATERIALIZED (" rows "),"                                    \
        " added AS (" insert " RETURNING seq)"                                  \
        " UPDATE journal_positions SET stored = stored + (SELECT count(*) FROM" \
        " (SELECT seq, count(*) FROM u GROUP BY seq INTERSECT"                  \
        " SELECT seq, count(*) FROM added GROUP BY seq) AS whole) WHERE journal_id = $1"

/* Noted by a clock of ours that was ahead: neither the database's nor ours of now has come so far.
 */
#define ROWS_AHEAD(column) column " > greatest(now(), EXCLUDED.last_seen) + interval '1 minute'"

#define ROWS_SET_BACK "EXCLUDED.clock_set_at > coalesce(s.clock_set_at, '-infinity')"

#define ROWS_IS_NEWER \
        "s.time IS NULL OR EXCLUDED.time >= s.time OR " ROWS_AHEAD("s.time") " OR " ROWS_SET_BACK
#define ROWS_NEWER(column)                               \
        " " column " = CASE WHEN " ROWS_IS_NEWER " THEN" \
        " coalesce(EXCLUDED." column ", s." column ") ELSE s." column " END"
/* None, of a later time: that which is stored stands no more. */
#define ROWS_NO_MORE "EXCLUDED.status_time > coalesce(s.status_time, '-infinity')"
#define ROWS_STATUS                                                                  \
        " status = CASE WHEN EXCLUDED.status IS NULL AND " ROWS_NO_MORE " THEN NULL" \
        " WHEN " ROWS_IS_NEWER " THEN coalesce(EXCLUDED.status, s.status)"           \
        " ELSE s.status END"

/* The types of a vehicle log's members, and how many parameters they are. */
#define SHEET_NUMBER(separator, name) "d"
#define SHEET_TEXT(separator, name)   "s"
#define SHEET_FLAG(separator, name)   "b"
_Static_assert(VEHICLE_LOG_MEMBERS == 11, "$8 to $18 of the statement");

/* Every statement takes whole columns; rows that several gateways may touch are taken in order. */
static const DbSheetInfo sheets[DB_SHEET_COUNT] = {
        [DB_SHEET_ORIGINS] = {
                "uplink_positions",
                "SELECT tidegate_uplink_advance($1, $2, $3)",
                "kkk",
                false,
        },
        [DB_SHEET_SENSORS] = {
                "sensors",
                "INSERT INTO sensors (vehicle_id, sensor_id)"
                " SELECT u.vehicle_id, u.sensor_id"
                " FROM unnest($1, $2) AS u (vehicle_id, sensor_id)"
                " JOIN vehicles v ON v.id = u.vehicle_id"
                " ORDER BY 1, 2 ON CONFLICT DO NOTHING",
                "ki",
                false,
        },
        [DB_SHEET_RAW_LOGS] = {
                "raw_logs",
                BOOKED("INSERT INTO raw_logs (journal_id, seq, received_at, time, device_time,"
                " vehicle_id, logs)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7) AS u"),
                "ktts" "ks",
                true,
        },
        [DB_SHEET_SENSOR_LOGS] = {
                "sensor_logs",
                BOOKED("INSERT INTO sensor_logs"
                " (journal_id, seq, received_at, time, device_time, vehicle_id, sensor_id, data)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8) AS u"),
                "ktts" "kij",
                true,
        },
        [DB_SHEET_VEHICLE_LOGS] = {
                "vehicle_logs",
                BOOKED("INSERT INTO vehicle_logs"
                " (journal_id, seq, received_at, time, device_time, vehicle_id, extra,"
                VEHICLE_LOG_COLUMNS ")"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                " $14, $15, $16, $17, $18) AS u"),
                "ktts" "kj" VEHICLE_LOG_EACH(SHEET_NUMBER, SHEET_TEXT, SHEET_FLAG),
                true,
        },
        [DB_SHEET_BLE_DETECTIONS] = {
                "ble_detections",
                BOOKED_WHOLE("SELECT * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) AS n (seq,"
                " received_at, time, device_time, device_id, item, device_hash, rssi, zone)",
                "INSERT INTO ble_detections"
                " (journal_id, seq, received_at, time, device_time, device_id, item, device_hash,"
                " rssi, zone) SELECT $1, u.* FROM u"),
                "ktts" "kisds",
                true,
        },
        [DB_SHEET_TELEMETRY] = {
                "telemetry",
                BOOKED("INSERT INTO telemetry (journal_id, seq, received_at, time, device_time,"
                " device_id, payload)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7) AS u"),
                "ktts" "kJ",
                true,
        },
        [DB_SHEET_CAMERA_EVENTS] = {
                "camera_events",
                BOOKED("INSERT INTO camera_events (journal_id, seq, received_at, time, device_time,"
                " device_id, event_type, person_name, confidence, data)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) AS u"),
                "ktts" "kssdj",
                true,
        },
        [DB_SHEET_ALERTS] = {
                "alerts",
                BOOKED("INSERT INTO alerts (journal_id, seq, received_at, time, device_time, vehicle_id,"
                " device_id, severity, alert_type, message, source, latitude, longitude, extra)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
                " AS u"),
                "ktts" "kkssssddj",
                true,
        },
        [DB_SHEET_STATUS_LOGS] = {
                "device_status_logs",
                BOOKED("INSERT INTO device_status_logs (journal_id, seq, received_at, time, device_time,"
                " device_id, status, temperature, humidity, latitude, longitude, late, extra)"
                " SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS u"),
                "ktts" "ksddddbj",
                true,
        },
        /* A state moves up or not at all; each step of several for one command is an event. What is
         * cancelled only ends: as that, or as its device says all the same. */
        [DB_SHEET_ACKS] = {
                "command_acks",
                "WITH acks AS MATERIALIZED (SELECT u.*, tidegate_command_rank(u.state) AS rank"
                " FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS u"
                " (ord, seq, received_at, time, device_time, device_id, command_id, state, message,"
                " topic, payload, route, element)),"
                " held AS MATERIALIZED (SELECT command_id, device_id, user_id,"
                " greatest(tidegate_command_rank(state),"
                " CASE WHEN cancelled_at IS NOT NULL THEN 3 END) AS stored FROM commands"
                " WHERE command_id IN (SELECT command_id FROM acks)"
                " ORDER BY command_id FOR UPDATE),"
                " ranked AS MATERIALIZED (SELECT a.*, h.user_id, a.rank > greatest(h.stored,"
                " max(a.rank) OVER (PARTITION BY a.command_id, a.device_id ORDER BY a.seq"
                " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS moves"
                " FROM acks a JOIN held h USING (command_id, device_id)),"
                " top AS (SELECT DISTINCT ON (command_id) * FROM ranked WHERE moves"
                " ORDER BY command_id, rank DESC),"
                " changed AS (UPDATE commands c SET state = t.state,"
                " message = coalesce(t.message, c.message), updated_at = now(),"
                " finished_at = CASE WHEN t.rank >= 4 THEN t.received_at END,"
                " delivered_at = coalesce(c.delivered_at, (SELECT min(r.received_at) FROM ranked r"
                " WHERE r.command_id = c.command_id AND r.state = 'delivered'))"
                " FROM top t WHERE c.command_id = t.command_id),"
                " logged AS (INSERT INTO command_events (journal_id, seq, received_at, time,"
                " device_time, device_id, user_id, command_id, state, message)"
                " SELECT $1, seq, received_at, time, device_time, device_id, user_id, command_id, state,"
                " message"
                " FROM ranked WHERE moves RETURNING seq),"
                " unknown AS (SELECT a.* FROM acks a WHERE NOT EXISTS (SELECT FROM held h"
                " WHERE h.command_id = a.command_id AND h.device_id = a.device_id)),"
                " dead AS (INSERT INTO dead_letters"
                " (journal_id, seq, received_at, reason, topic, detail, payload, route, device,"
                " element)"
                " SELECT $1, seq, received_at, 'unknown_command', topic,"
                " 'no such command of this device', payload, route,"
                " (SELECT d.code FROM devices d WHERE d.id = device_id), element"
                " FROM unknown RETURNING seq),"
                " booked AS (UPDATE journal_positions SET stored = stored"
                " + (SELECT count(*) FROM logged) + (SELECT count(*) FROM dead)"
                " + (SELECT count(*) FROM ranked WHERE NOT moves) WHERE journal_id = $1)"
                " SELECT ord, true FROM unknown UNION ALL"
                " SELECT ord, false FROM ranked WHERE NOT moves",
                "iktts" "ksssly" "sk",
                true,
        },
        /* A number that leaves nothing is written down as one whose letter was taken away. In a
         * database that is older another letter may have the id: when it came tells them apart. */
        [DB_SHEET_LETTERS] = {
                "letters",
                "WITH u AS MATERIALIZED (SELECT * FROM unnest($2, $3, $4, $5)"
                " AS u (seq, id, outcome, received_at)),"
                " gone AS (DELETE FROM dead_letters d USING u WHERE d.id = u.id"
                " AND d.received_at = u.received_at AND u.outcome NOT IN ('duplicate', 'kept'))"
                " INSERT INTO dead_letters_removed (journal_id, seq)"
                " SELECT $1, seq FROM u WHERE outcome IN ('duplicate', 'empty', 'gone', 'kept')",
                "kkst",
                true,
        },
        /* Whether an answer to a command is a letter again is only known by now. */
        [DB_SHEET_REPLAYS] = {
                "replays",
                "UPDATE replays r SET outcome = CASE WHEN u.outcome = 'empty' THEN 'stored'"
                " WHEN u.outcome = 'kept' THEN 'db_rejected'"
                " WHEN u.outcome <> 'command_ack' THEN u.outcome ELSE coalesce((SELECT d.reason FROM dead_letters d"
                " WHERE d.seq = u.seq LIMIT 1), 'stored') END"
                " FROM unnest($1, $2, $3) AS u (seq, id, outcome) WHERE r.letter_id = u.id",
                "kks",
                false,
        },
        [DB_SHEET_DEAD_LETTERS] = {
                "dead_letters",
                BOOKED_WHOLE("SELECT * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                " AS n (seq, received_at, item, reason, topic, detail, payload, route, device_id,"
                " vehicle_id, name, element)",
                "INSERT INTO dead_letters"
                " (journal_id, seq, received_at, item, reason, topic, detail, payload, route, device,"
                " element)"
                " SELECT $1, seq, received_at, item, reason, topic, detail, payload, route,"
                " coalesce((SELECT d.code FROM devices d WHERE d.id = device_id),"
                " (SELECT v.code FROM vehicles v WHERE v.id = vehicle_id), name), element FROM u"),
                "kti" "slly" "skkl" "k",
                true,
        },
        [DB_SHEET_REFUSED] = {
                "refused_letters",
                "SELECT tidegate_note_refused($1, $2)",
                "k",
                true,
        },
        /* No more of a thing and a day than the session's tidegate.max_notes; the rest is counted. */
        [DB_SHEET_ROW_NOTES] = {
                "row_notes",
                "WITH u AS MATERIALIZED (SELECT *, (received_at AT TIME ZONE 'UTC')::date AS day"
                " FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11) WITH ORDINALITY"
                " AS u (seq, received_at, kind, topic, route, device_id, vehicle_id, member, reason,"
                " detail, nth)),"
                " ranked AS (SELECT u.*, row_number() OVER (PARTITION BY day, device_id, vehicle_id"
                " ORDER BY seq, nth) AS rank FROM u),"
                " held AS MATERIALIZED (SELECT * FROM row_note_days"
                " WHERE (day, device_id, vehicle_id) IN (SELECT day, device_id, vehicle_id FROM u)"
                " ORDER BY day, device_id, vehicle_id FOR UPDATE),"
                " judged AS MATERIALIZED (SELECT r.*, r.rank + coalesce(h.kept, 0) <="
                " coalesce(nullif(current_setting('tidegate.max_notes', true), ''), '100')::bigint"
                " AS fits FROM ranked r LEFT JOIN held h USING (day, device_id, vehicle_id)),"
                " counted AS (INSERT INTO row_note_days AS d"
                " (day, device_id, vehicle_id, kept, left_out) SELECT day, device_id, vehicle_id,"
                " count(*) FILTER (WHERE fits), count(*) FILTER (WHERE NOT fits) FROM judged"
                " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 ON CONFLICT (day, device_id, vehicle_id)"
                " DO UPDATE SET kept = d.kept + EXCLUDED.kept,"
                " left_out = d.left_out + EXCLUDED.left_out)"
                " INSERT INTO row_notes (journal_id, seq, received_at, kind, topic, route,"
                " device_id, vehicle_id, member, reason, detail) SELECT $1, seq, received_at, kind,"
                " topic, route, nullif(device_id, 0), nullif(vehicle_id, 0), member, reason, detail"
                " FROM judged WHERE fits ORDER BY seq, nth",
                "kt" "sllkk" "lsl",
                true,
        },
        /* Changes nothing where a name is as it was, or somebody chose another: decision 051. */
        [DB_SHEET_NAMES] = {
                "names",
                "SELECT tidegate_describe_devices($1, $2, $3, $4, $5, $6)",
                "ksssss",
                false,
        },
        [DB_SHEET_BIRTHS] = {
                "sparkplug_births",
                "INSERT INTO sparkplug_births AS b (thing, seq, received_at, payload)"
                " SELECT DISTINCT ON (u.thing) u.*"
                " FROM unnest($1, $2, $3, $4) AS u (thing, seq, received_at, payload)"
                " ORDER BY u.thing, u.seq DESC"
                " ON CONFLICT (thing) DO UPDATE SET seq = EXCLUDED.seq,"
                " received_at = EXCLUDED.received_at, payload = EXCLUDED.payload"
                " WHERE b.seq < EXCLUDED.seq",
                "skty",
                false,
        },
        /* Of a device that is being deleted: none, or before it goes. */
        [DB_SHEET_MERGED] = {
                "merged_telemetry",
                "INSERT INTO merged_telemetry AS m (device_id, seq, received_at, payload)"
                " SELECT u.* FROM (SELECT DISTINCT ON (device_id) * FROM unnest($1, $2, $3, $4)"
                " AS n (device_id, seq, received_at, payload) ORDER BY device_id, seq DESC) AS u"
                " JOIN devices d ON d.id = u.device_id ORDER BY u.device_id FOR KEY SHARE OF d"
                " ON CONFLICT (device_id) DO UPDATE SET seq = EXCLUDED.seq,"
                " received_at = EXCLUDED.received_at, payload = EXCLUDED.payload"
                " WHERE m.seq < EXCLUDED.seq",
                "kktJ",
                false,
        },
        /* Of a vehicle that is being deleted: none, or before it goes. */
        [DB_SHEET_CLOCKS] = {
                "vehicle_clocks",
                "INSERT INTO vehicle_clocks AS c (vehicle_id, clock, clock_offset)"
                " SELECT u.vehicle_id, u.clock, u.clock_offset FROM"
                " (SELECT DISTINCT ON (vehicle_id) * FROM unnest($1, $2, $3) WITH ORDINALITY"
                " AS n (vehicle_id, clock, clock_offset, ord) ORDER BY vehicle_id, ord DESC) AS u"
                " JOIN vehicles v ON v.id = u.vehicle_id ORDER BY u.vehicle_id FOR KEY SHARE OF v"
                " ON CONFLICT (vehicle_id) DO UPDATE SET clock = EXCLUDED.clock,"
                " clock_offset = EXCLUDED.clock_offset, updated_at = now()",
                "ksk",
                false,
        },
        /* Older than what is stored: only last_seen may move. A device deleted meanwhile: none. */
        [DB_SHEET_STATES] = {
                "device_states",
                "INSERT INTO device_states AS s (device_id, status, last_seen, time, temperature,"
                " humidity, latitude, longitude, clock, clock_offset, clock_set_at, status_time)"
                " SELECT u.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS u"
                " (device_id, status, last_seen, time, temperature, humidity, latitude, longitude,"
                " clock, clock_offset, clock_set_at, status_time)"
                " JOIN devices d ON d.id = u.device_id ORDER BY u.device_id"
                " ON CONFLICT (device_id) DO UPDATE SET"
                " last_seen = CASE WHEN " ROWS_AHEAD("s.last_seen")
                " THEN EXCLUDED.last_seen ELSE greatest(s.last_seen, EXCLUDED.last_seen) END,"
                " updated_at = now(),"
                " clock = coalesce(EXCLUDED.clock, s.clock), clock_offset = CASE"
                " WHEN EXCLUDED.clock IS NULL THEN s.clock_offset ELSE EXCLUDED.clock_offset END,"
                " clock_set_at = greatest(s.clock_set_at, EXCLUDED.clock_set_at),"
                " time = CASE WHEN " ROWS_AHEAD("s.time") " OR " ROWS_SET_BACK " THEN EXCLUDED.time"
                " ELSE greatest(s.time, EXCLUDED.time) END,"
                ROWS_STATUS "," ROWS_NEWER("temperature") "," ROWS_NEWER("humidity") ","
                ROWS_NEWER("latitude") "," ROWS_NEWER("longitude") "," ROWS_NEWER("status_time"),
                "kst" "tdddd" "sktt",
                false,
        },
};

DbType db_sheet_type(char letter) {
        switch (letter) {
        case 'b':
                return DB_TYPE_BOOL;
        case 'd':
                return DB_TYPE_FLOAT8;
        case 'i':
                return DB_TYPE_INT4;
        case 'j':
                return DB_TYPE_JSONB;
        case 'J':
                return DB_TYPE_JSON;
        case 'k': /* key */
                return DB_TYPE_INT8;
        case 't':
                return DB_TYPE_TIMESTAMPTZ;
        case 'y': /* bytes */
                return DB_TYPE_BYTEA;
        default: /* s: string */
                return DB_TYPE_TEXT;
        }
}

const DbSheetInfo *db_sheet(DbSheet sheet) {
        return &sheets[sheet];
}

int db_sheet_types(DbSheet sheet, uint32_t ret_types[DB_SHEET_MAX_PARAMS]) {
        int n = 0;

        if (sheets[sheet].has_journal)
                ret_types[n++] = DB_TYPE_INT4;
        for (const char *c = sheets[sheet].columns; *c; ++c)
                ret_types[n++] = db_type_array(db_sheet_type(*c));
        return n;
}
