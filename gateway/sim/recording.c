#include "gateway/sim/recording.h"

#include <stdio.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/timestamp.h"
#include "gateway/decode/json_check.h"

#define REPLAY_LINE_SIZE    4096
#define REPLAY_MAX_COLUMNS  10
#define REPLAY_CODE_MAX     20
#define METRES_PER_S_A_KNOT 0.514444

typedef struct ReplayFormat ReplayFormat;
typedef struct Row Row;

struct Row {
        Text fields[REPLAY_MAX_COLUMNS];
        JsonOut out; /* the payload */
        SimulatedMessage *message;
};

/* @write: false if the row is malformed; a fault of the buffer sticks to the buffer. */
struct ReplayFormat {
        Text header;
        size_t n_columns;
        Kind kind;
        bool (*write)(Row *row);
};

struct Replay {
        gzFile file;
        const ReplayFormat *format;
        uint64_t n_rows, n_skipped;
        char line[REPLAY_LINE_SIZE];
};

static bool is_number(Text field) {
        if (field.n == 0 || (field.data[0] != '-' && (field.data[0] < '0' || field.data[0] > '9')))
                return false;
        return json_check(field) == REASON_NONE;
}

/* The digits as they are; nothing for an empty field. */
static bool write_number(JsonOut *out, const char *member, Text field) {
        if (field.n == 0)
                return true;
        if (!is_number(field))
                return false;
        json_out_raw(out, member, field);
        return true;
}

static bool write_knots(JsonOut *out, const char *member, Text field) {
        if (field.n == 0)
                return true;
        if (!is_number(field))
                return false;
        json_out_double(out, member, strtod(field.data, NULL) * METRES_PER_S_A_KNOT);
        return true;
}

static bool write_string(JsonOut *out, const char *member, Text field) {
        if (field.n == 0)
                return true;
        if (json_check_text(field) != REASON_NONE)
                return false;
        json_out_text(out, member, field);
        return true;
}

/* A number that names something: it becomes part of a topic or an id. */
static bool is_code(Text field) {
        if (field.n == 0 || field.n > REPLAY_CODE_MAX)
                return false;
        for (size_t i = 0; i < field.n; ++i)
                if (field.data[i] < '0' || field.data[i] > '9')
                        return false;
        return true;
}

static bool write_time(Row *row) {
        if (timestamp_parse(row->fields[0], NULL, &row->message->time_us) != 0)
                return false;
        json_out_text(&row->out, "timestamp", row->fields[0]);
        return true;
}

static bool write_vessel(Row *row) {
        SimulatedMessage *message = row->message;
        Text code = row->fields[1];

        if (!is_code(code))
                return false;
        snprintf(message->vehicle, sizeof(message->vehicle), "%.*s", (int)code.n, code.data);

        json_out_object(&row->out, NULL);
        if (!write_time(row) || !write_string(&row->out, "name", row->fields[2]) ||
            !write_number(&row->out, "vessel_type", row->fields[3]) ||
            !write_number(&row->out, "latitude", row->fields[4]) ||
            !write_number(&row->out, "longitude", row->fields[5]) ||
            !write_knots(&row->out, "speed", row->fields[6]) ||
            !write_number(&row->out, "course", row->fields[7]) ||
            !write_number(&row->out, "heading", row->fields[8]) ||
            !write_number(&row->out, "nav_status", row->fields[9]))
                return false;
        json_out_object_end(&row->out);
        return true;
}

static bool write_sensor(Row *row) {
        static const char *const members[] = {
                "board_temperature", "voltage", "humidity", "temperature", "par", "tsr",
        };

        if (!is_code(row->fields[1]))
                return false;
        snprintf(row->message->vehicle, sizeof(row->message->vehicle), "library");

        json_out_object(&row->out, NULL);
        json_out_raw(&row->out, "sensor_id", row->fields[1]);
        json_out_object(&row->out, "data");
        if (!write_time(row))
                return false;
        for (size_t i = 0; i < N_ELEMENTS(members); ++i)
                if (!write_number(&row->out, members[i], row->fields[2 + i]))
                        return false;
        json_out_object_end(&row->out);
        json_out_object_end(&row->out);
        return true;
}

static bool write_detection(Row *row) {
        Text receiver = row->fields[1];
        char hash[SECRET_SHA256_SIZE];

        if (!is_code(receiver) || !is_code(row->fields[2]) || !is_number(row->fields[3]))
                return false;
        if (secret_sha256_hex(row->fields[2], hash) != 0)
                return false;
        snprintf(row->message->device,
                 sizeof(row->message->device),
                 "node-%.*s",
                 (int)receiver.n,
                 receiver.data);

        json_out_object(&row->out, NULL);
        json_out_string(&row->out, "device_id", row->message->device);
        if (!write_time(row))
                return false;
        json_out_array(&row->out, "detections");
        json_out_object(&row->out, NULL);
        json_out_string(&row->out, "device_hash", hash);
        if (!write_number(&row->out, "rssi", row->fields[3]) ||
            !write_number(&row->out, "lqi", row->fields[4]))
                return false;
        json_out_object_end(&row->out);
        json_out_array_end(&row->out);
        json_out_object_end(&row->out);
        return true;
}

static const ReplayFormat replay_formats[] = {
        { TEXT("timestamp,mmsi,name,vessel_type,latitude,longitude,speed_knots,course_deg,"
               "heading_deg,nav_status"),
          10,
          KIND_VEHICLE_LOG,
          write_vessel },
        { TEXT("timestamp,node,board_temperature_c,voltage_v,humidity_pct,temperature_c,par,tsr"),
          8,
          KIND_SENSOR_LOG,
          write_sensor },
        { TEXT("timestamp,receiver,seen,rssi_dbm,lqi_raw"),
          5,
          KIND_BLE_DETECTIONS,
          write_detection },
};

/* The rest of a line that is too long for us. */
static void replay_skip_line(Replay *replay) {
        int c;

        do
                c = gzgetc(replay->file);
        while (c != '\n' && c != -1);
}

/* A line without its end; absent at the end of the file; empty if it was too long. */
static Text replay_line(Replay *replay) {
        Text line;

        if (!gzgets(replay->file, replay->line, REPLAY_LINE_SIZE))
                return (Text){ 0 };
        line = text_of(replay->line);
        if (line.n == REPLAY_LINE_SIZE - 1 && line.data[line.n - 1] != '\n') {
                replay_skip_line(replay);
                return TEXT("");
        }
        while (line.n > 0 && (line.data[line.n - 1] == '\n' || line.data[line.n - 1] == '\r'))
                --line.n;
        return line;
}

int replay_open(Replay **ret_replay, const char *path) {
        CLEANUP(replay_close) Replay *replay = calloc(1, sizeof(*replay));
        Text header;

        if (!replay)
                return err_new(-ENOMEM);
        replay->file = gzopen(path, "rbe");
        if (!replay->file) {
                log_error("replay-unreadable file=%s", path);
                return REPLAY_E_FILE;
        }

        header = replay_line(replay);
        for (size_t i = 0; i < N_ELEMENTS(replay_formats); ++i)
                if (text_equal(header, replay_formats[i].header))
                        replay->format = &replay_formats[i];
        if (!replay->format) {
                log_error("replay-unknown-header file=%s", path);
                return REPLAY_E_FILE;
        }
        *ret_replay = TAKE(&replay);
        return 0;
}

Replay *replay_close(Replay *replay) {
        if (!replay)
                return NULL;

        if (replay->file)
                gzclose(replay->file);
        free(replay);
        return NULL;
}

static bool row_split(Row *row, Text line, size_t n_columns) {
        for (size_t i = 0; i < n_columns; ++i) {
                const char *comma = memchr(line.data, ',', line.n);
                size_t n = comma ? (size_t)(comma - line.data) : line.n;

                if (!comma != (i == n_columns - 1))
                        return false;
                row->fields[i] = (Text){ .data = line.data, .n = n };
                if (comma)
                        line = (Text){ .data = comma + 1, .n = line.n - n - 1 };
        }
        return true;
}

static int replay_end(const Replay *replay) {
        int r = Z_OK;

        gzerror(replay->file, &r);
        if (r == Z_OK || r == Z_STREAM_END)
                return REPLAY_E_END;
        log_error("replay-broken-file rows=%llu", (unsigned long long)replay->n_rows);
        return REPLAY_E_FILE;
}

int replay_next(Replay *replay, Buf *payload, SimulatedMessage *ret_message) {
        for (;;) {
                SimulatedMessage message = { .kind = replay->format->kind };
                Row row = { .out.buf = payload, .message = &message };
                Text line = replay_line(replay);

                if (!line.data)
                        return replay_end(replay);
                ++replay->n_rows;
                if (row_split(&row, line, replay->format->n_columns) &&
                    replay->format->write(&row)) {
                        *ret_message = message;
                        return buf_failed(payload) ? err_new(-ENOMEM) : 0;
                }
                ++replay->n_skipped;
                buf_reset(payload);
        }
}

uint64_t replay_n_rows(const Replay *replay) {
        return replay->n_rows;
}

uint64_t replay_n_skipped(const Replay *replay) {
        return replay->n_skipped;
}
