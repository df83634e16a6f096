#include "gateway/memory/latest.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/memory/lateness.h"

static void latest_merge(double *value, double news) {
        if (!isnan(news))
                *value = news;
}

/* A letter of long ago, and what a broker kept from before: only where it is newer than what was
 * received since, or where nothing is known, does it say what is. */
static bool latest_is_old(const DeviceState *state, const Record *record) {
        bool is_known = state->last_seen_us != CLOCK_UNKNOWN;

        if (record->is_history)
                return is_known || *state->status;
        if (record->letter_id != 0)
                return is_known && record_order_us(record) < state->last_seen_us;
        if (!record->retained)
                return false;
        return (is_known || *state->status) &&
               (!record->has_clock || !is_known || record_order_us(record) <= state->last_seen_us);
}

/* When the device was alive for sure. */
static int64_t latest_alive_us(const Record *record) {
        if (!record->retained)
                return record_first_us(record);
        return record->has_clock ? record_order_us(record) : CLOCK_UNKNOWN;
}

/* What was noted while our clock was ahead would be newer than all that comes. */
static void latest_forget_ahead(DeviceState *state) {
        if (clock_is_ahead(state->last_seen_us))
                state->last_seen_us = CLOCK_UNKNOWN;
        if (clock_is_ahead(state->time_us))
                state->time_us = CLOCK_UNKNOWN;
}

/* Who said, or whose last will says, that it is away, and sends something since, is back: what it
 * said does not stand any more. What a broker or a letter kept shows no such thing. */
static void latest_come_back(DeviceState *state, const Record *record, bool is_old) {
        if (is_old || record->retained || record_first_us(record) <= state->status_us ||
            strcmp(state->status, DEVICE_AWAY) != 0)
                return;
        memset(state->status, 0, sizeof(state->status));
        state->status_us = record_first_us(record);
}

void latest_move(DeviceState *state, Record *record) {
        const StatusRecord *status = &record->status;

        bool is_old;

        latest_forget_ahead(state);
        lateness_read_clock(&state->clock, record);
        is_old = latest_is_old(state, record);
        if (state->last_seen_us < latest_alive_us(record)) /* CLOCK_UNKNOWN is below all times */
                state->last_seen_us = latest_alive_us(record);
        if (record->kind != KIND_DEVICE_STATUS) {
                latest_come_back(state, record, is_old);
                return;
        }
        record->late = lateness_of_status(state, record) || is_old;
        if (record->late)
                return;
        if (record->has_clock)
                state->time_us = record_order_us(record);
        state->status_us = record->time_us;
        if (status->status.n < sizeof(state->status)) {
                memset(state->status, 0, sizeof(state->status));
                memcpy(state->status, status->status.data, status->status.n);
        }
        latest_merge(&state->temperature, status->temperature);
        latest_merge(&state->humidity, status->humidity);
        latest_merge(&state->latitude, status->latitude);
        latest_merge(&state->longitude, status->longitude);
}
