#pragma once

/*
 * ReplaySource: what DbMissed reads. Of each log table the columns that a page has, in one order,
 * and whose rows. Parameters: $5 the vehicles, $6 the devices; NULL is all of them.
 */

#include "base/base.h"
#include "model/query.h"
#include "model/record.h"

/* The columns of every source. */
enum {
        COLUMN_KIND,
        COLUMN_SEQ,
        COLUMN_RECEIVED,
        COLUMN_TIME,
        COLUMN_SAID, /* in place of a time that is believed */
        COLUMN_VEHICLE,
        COLUMN_DEVICE,
        COLUMN_NUMBER, /* sensor id, or count of detections */
        COLUMN_DATA,
        COLUMN_TYPE, /* event type, alert type, state, status */
        COLUMN_SEVERITY,
        COLUMN_MESSAGE,
        COLUMN_COMMAND,
        COLUMN_LATITUDE,
        COLUMN_LONGITUDE,
        COLUMN_TEMPERATURE,
        COLUMN_HUMIDITY,
        COLUMN_LATE,
        COLUMN_JOURNAL,
};

typedef struct ReplaySource ReplaySource;

/* Whose rows a source has. */
enum {
        OF_VEHICLES = 1,
        OF_DEVICES = 2,
};

struct ReplaySource {
        Kind kind;
        unsigned of;
        const char *table;
        const char *columns; /* from COLUMN_VEHICLE on, to COLUMN_LATE */
        const char *filter;
        const char *group; /* or "" */
};

enum { REPLAY_SOURCES = 9 };

extern const ReplaySource replay_sources[REPLAY_SOURCES];

/* A table that can have nothing of what is asked for is not named at all: also one of which no row
 * is read waits for whoever has it locked. */
bool replay_wants(const QueryReplay *replay, const ReplaySource *source);
bool replay_wants_any(const QueryReplay *replay);
