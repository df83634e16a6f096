#include "gateway/store/understand.h"

#include "base/arena.h"
#include "base/err.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/store/letter.h"

const Route *understand_route(const UnderstandContext *by,
                              uint64_t seq,
                              int64_t received_us,
                              Text topic,
                              TopicMatch *ret_match) {
        const Route *route = routes_match(by->routes, topic, ret_match);

        return route ? route : former_match(by->former, seq, received_us, topic, ret_match);
}

static bool understand_is_former(const UnderstandContext *by, const Route *route) {
        for (size_t i = 0; i < routes_length(by->routes); ++i)
                if (routes_get(by->routes, i) == route)
                        return false;
        return true;
}

/* A record may wait for longer than a table of before: what is in force now is kept for it. */
static int understand_keep_name(Arena *arena,
                                const UnderstandContext *by,
                                const Route *route,
                                Record *record) {
        if (!record->route || !understand_is_former(by, route))
                return 0;
        record->route = arena_copy(arena, route->name, strlen(route->name)).data;
        return record->route ? 0 : err_new(-ENOMEM);
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
        const Route *route;
        int r;

        if (letter_open(entry, &envelope))
                match = letter_names(envelope.topic);
        if (entry->kind == KIND_NONE)
                route = understand_route(by,
                                         entry->seq,
                                         entry->received_us,
                                         envelope.topic,
                                         &match);
        else
                route = routes_door(by->routes, entry->kind);
        if (!route) {
                *ret_record = envelope;
                ret_record->reason = REASON_NO_ROUTE;
                return 0;
        }

        r = decode(arena, route, &match, &envelope, ret_record);
        if (r != 0)
                return err_up(r);
        if (ret_record->kind == KIND_BLE_DETECTIONS && by->zones)
                decode_zones(&ret_record->detections, by->zones);
        ret_record->seq = entry->seq;
        ret_record->device_id = entry->device_id;
        r = entry->kind == KIND_NONE ? understand_keep_name(arena, by, route, ret_record) : 0;
        return r == 0 ? 0 : err_up(r);
}
