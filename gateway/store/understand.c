#include "gateway/store/understand.h"

#include "base/arena.h"
#include "base/err.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/store/letter.h"

/* A record may wait for longer than a table of before: what is in force now is kept for it. */
static int understand_keep_name(Arena *arena, Record *record) {
        if (!record->route)
                return 0;
        record->route = arena_copy(arena, record->route, strlen(record->route)).data;
        return record->route ? 0 : err_new(-ENOMEM);
}

/* DECODE_E_NONE: the table has no route for it; *ignored: and one that does not want it. */
static int understand_by(Arena *arena,
                         const Routes *table,
                         const Record *envelope,
                         bool *ignored,
                         Record *ret_record) {
        const Route *routes[ROUTES_MAX_TAKING];
        bool is_ignored;
        size_t n = routes_taking(table, envelope->topic, routes, &is_ignored);

        *ignored = *ignored || is_ignored;
        return decode_first(arena, routes, n, envelope, ret_record);
}

static int understand_topic(Arena *arena,
                            const UnderstandContext *by,
                            const Record *envelope,
                            Record *ret_record) {
        const Routes *table;
        bool ignored = false;
        int r = understand_by(arena, by->routes, envelope, &ignored, ret_record);

        for (size_t i = 0; r == DECODE_E_NONE && !ignored; ++i) {
                table = former_routes(by->former, envelope->seq, envelope->received_us, i);
                if (!table)
                        break;
                r = understand_by(arena, table, envelope, &ignored, ret_record);
                if (r == 0)
                        r = understand_keep_name(arena, ret_record);
        }
        if (r < 0)
                return err_up(r);
        if (r == 0)
                return 0;
        *ret_record = *envelope;
        ret_record->ignored = ret_record->duplicate = ignored;
        ret_record->reason = ignored ? REASON_NONE : REASON_NO_ROUTE;
        return 0;
}

static int understand_door(Arena *arena,
                           const UnderstandContext *by,
                           const JournalRecord *entry,
                           const Record *envelope,
                           const TopicMatch *match,
                           Record *ret_record) {
        const Route *route = routes_door(by->routes, entry->kind);
        int r;

        if (!route) {
                *ret_record = *envelope;
                ret_record->reason = REASON_NO_ROUTE;
                return 0;
        }
        r = decode(arena, route, match, envelope, ret_record);
        ret_record->may_register = false;
        return r == 0 ? 0 : err_up(r);
}

int understand(Arena *arena,
               const UnderstandContext *by,
               const JournalRecord *entry,
               Record *ret_record) {
        Record envelope = {
                .seq = entry->seq,
                .received_us = entry->received_us,
                .time_us = entry->received_us,
                .retained = entry->is_retained,
                .topic = entry->topic,
                .payload = entry->payload,
        };
        TopicMatch match = { 0 };
        int r;

        if (letter_open(entry, &envelope))
                match = letter_names(envelope.topic);
        if (entry->kind == KIND_NONE)
                r = understand_topic(arena, by, &envelope, ret_record);
        else
                r = understand_door(arena, by, entry, &envelope, &match, ret_record);
        if (r != 0)
                return err_up(r);
        if (ret_record->kind == KIND_BLE_DETECTIONS && by->zones)
                decode_zones(&ret_record->detections, by->zones);
        ret_record->seq = entry->seq;
        ret_record->device_id = entry->device_id;
        return 0;
}
