#pragma once

/*
 * History: what a viewer asks of the past, as the readers and db/ understand it.
 *
 * Rows are in the order in which they were received, which is the number line of the cursors; only
 * a track and averages go by device time. A cursor is `epoch:seq` as everywhere, and stands for a
 * place between two messages; the cursor of a page carries behind it what finds its place fast, and
 * which item of the message it was: `epoch:seq:received[:item]`.
 */

#include "base/base.h"
#include "base/clock.h"

#define HISTORY_EPOCH_SIZE  17
#define HISTORY_CURSOR_SIZE 96

typedef struct HistoryCursor HistoryCursor;
typedef struct History History;
typedef struct Buf Buf;

typedef enum HistoryKind {
        HISTORY_LOGS,           /* of one vehicle */
        HISTORY_TRACK,          /* of one vehicle, as GeoJSON */
        HISTORY_TELEMETRY,      /* of one device */
        HISTORY_AVERAGES,       /* of one device */
        HISTORY_DETECTIONS,     /* of one device, or of all that the user may see */
        HISTORY_ALERTS,         /* the same, and vehicles */
        HISTORY_EXPORT,         /* detections, as CSV: docs/protocol.md, 3 A */
        HISTORY_SERIES,         /* one member of a device's telemetry, for a chart; likewise: */
        HISTORY_VEHICLE_SERIES, /* of a vehicle's log */
        HISTORY_SENSOR_SERIES,  /* of what a sensor of a vehicle says */
        HISTORY_CAMERA_EVENTS,  /* of one camera, or of all that the user may see */
} HistoryKind;

struct HistoryCursor {
        char epoch[HISTORY_EPOCH_SIZE]; /* "" = no cursor */
        int64_t seq;
        int64_t received_us; /* CLOCK_UNKNOWN: not said */
        int32_t item;        /* -1: not said, the place is behind (or before) the whole message */
};

struct History {
        HistoryKind kind;
        int64_t user_id;               /* 0 = everything */
        int64_t vehicle_id, device_id; /* 0 = any */
        unsigned kinds;                /* HISTORY_LOGS: 1 << Kind of each that is wanted */
        int64_t from_us, to_us;        /* device time, from <= t < to; CLOCK_UNKNOWN = open */
        bool is_descending;
        int limit;                          /* rows of a page; track and averages have none */
        HistoryCursor cursor;               /* go on behind it */
        char own_epoch[HISTORY_EPOCH_SIZE]; /* HISTORY_*SERIES: of which the cursor is; "" = none */
        char member[128];     /* HISTORY_*SERIES: a name, or a JSON pointer, which begins with / */
        int points;           /* HISTORY_*SERIES: columns at most */
        bool is_csv;          /* HISTORY_*SERIES: all points, as CSV, and not columns */
        int sensor_id;        /* HISTORY_SENSOR_SERIES */
        double tolerance_m;   /* HISTORY_TRACK: 0 = all points */
        int64_t interval_us;  /* HISTORY_AVERAGES */
        char zone[8];         /* HISTORY_DETECTIONS, HISTORY_EXPORT; "" = any */
        char timezone[64];    /* HISTORY_EXPORT; "" = UTC */
        char severity[12];    /* HISTORY_ALERTS; "" = any */
        char alert_type[128]; /* HISTORY_ALERTS; "" = any */
        char acknowledged[8]; /* HISTORY_ALERTS: true or false; "" = either */
        char device_hash[65]; /* HISTORY_DETECTIONS; "" = any */
        char event_type[128]; /* HISTORY_CAMERA_EVENTS; "" = any */
};

enum {
        HISTORY_E_CURSOR = 1, /* not a cursor */
};

MUST_CHECK int history_cursor_parse(const char *text, HistoryCursor *ret_cursor);
/* As it is parsed: without what is not said. */
void history_cursor_format(const HistoryCursor *cursor, char ret_text[HISTORY_CURSOR_SIZE]);
