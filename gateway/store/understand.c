#include "gateway/store/understand.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/origins.h"
#include "gateway/memory/presence.h"
#include "gateway/store/letter.h"
#include "gateway/store/nodes.h"
#include "model/edge/uplink.h"

/* A record may wait for longer than a table of before: what is in force now is kept for it. */
static int understand_keep_name(Arena *arena, Record *record) {
        if (!record->route)
                return 0;
        record->route = arena_copy(arena, record->route, strlen(record->route)).data;
        return record->route ? 0 : err_new(-ENOMEM);
}

typedef struct Reading Reading;

enum {
        UNDERSTAND_E_NONE = 1, /* a route, or a table, does not take it */
};

/* One entry, while the tables are asked about it. */
struct Reading {
        Arena *arena;
        const JournalRecord *entry;
        const Record *envelope;
        Elements *elements;
        Presence *presence; /* or NULL */
        Parsed parsed;
        bool is_ignored; /* by a table that has no route for it, */
        bool is_final;   /* and may be the one that it was accepted under */
        bool is_other;   /* a table takes it, and it is not as many messages as it was taken for */
};

static uint32_t understand_count_of(const JournalRecord *entry) {
        return entry->n_messages > 1 ? entry->n_messages : 1;
}

static int understand_element(const Reading *reading, Record *ret_record) {
        int r = elements_decode(reading->elements,
                                reading->arena,
                                reading->entry->place,
                                reading->envelope,
                                ret_record);

        return r == 0 ? 0 : err_up(r);
}

/* ---- whether devices are there ---- */

/* Beside the status: what each topic has said. With keep = all there may be more beside it. */
static int understand_tell_topics(const Reading *reading,
                                  const PresenceAsked *asked,
                                  Record *record) {
        Text before = record->status.extra;
        CLEANUP_BUF Buf buf = { 0 };

        buf_append_string(&buf, "{\"availability\":");
        presence_write(reading->presence, asked, record->seq, &buf);
        if (before.n > 2)
                buf_append_char(&buf, ',');
        buf_append_text(&buf, before.n > 2 ? (Text){ before.data + 1, before.n - 1 } : TEXT("}"));
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        record->status.extra = record->data = arena_copy(reading->arena, buf.data, buf.n);
        return record->data.data ? 0 : err_new(-ENOMEM);
}

/* A word about a device, of which other topics have said theirs: what they come to together. */
static int understand_together(const Reading *reading, const RouteJoint *joint, Record *record) {
        const PresenceAsked asked = { .device = text_of(joint->device),
                                      .topics = joint->topics,
                                      .n_topics = joint->n_topics,
                                      .is_all = joint->mode == ROUTE_ALL };
        bool is_here = text_equal(record->status.status, TEXT("online"));
        CLEANUP_BUF Buf key = { 0 };
        PresenceAnswer answer;
        int r = presence_say(reading->presence, asked.device, record->topic, record->seq, is_here);

        if (r != 0)
                return err_up(r);
        presence_key(asked.device, record->topic, &key);
        if (buf_failed(&key))
                return err_new(-ENOMEM);
        record->birth = arena_copy(reading->arena, key.data, key.n);
        record->birth_said = is_here ? TEXT("online") : TEXT("offline");
        if (!record->birth.data)
                return err_new(-ENOMEM);
        answer = presence_ask(reading->presence, &asked, record->seq);
        if (answer == PRESENCE_UNKNOWN) { /* the others will tell */
                record->ignored = record->duplicate = true;
                return 0;
        }
        record->status.status = answer == PRESENCE_HERE ? TEXT("online") : TEXT("offline");
        return err_up(understand_tell_topics(reading, &asked, record));
}

/* The message of a topic that several devices share is one for each. What cannot be read of it is
 * one dead letter, and a letter is read as what it says alone. */
static int understand_joint(Reading *reading,
                            const Route *route,
                            TopicMatch *match,
                            Record *ret_record) {
        const RouteJoint *joint = &route->joints[reading->entry->place];
        bool is_news = reading->envelope->letter_id == 0;
        int r;

        match->device = text_of(joint->device);
        r = decode_parsed(reading->arena,
                          route,
                          match,
                          reading->envelope,
                          &reading->parsed,
                          ret_record);
        if (r != 0)
                return err_up(r);
        ret_record->seq = reading->entry->seq;
        if (ret_record->reason != REASON_NONE) {
                ret_record->ignored = ret_record->duplicate = reading->entry->place > 0;
                return 0;
        }
        if (joint->mode != ROUTE_LATEST && reading->presence && is_news)
                r = understand_together(reading, joint, ret_record);
        return err_up(r);
}

/* UNDERSTAND_E_NONE: not by this route. */
static int understand_by_route(Reading *reading, const Route *route, Record *ret_record) {
        uint32_t n = understand_count_of(reading->entry);
        TopicMatch match = { 0 };
        int r = 0;

        (void)topic_template_match(route->topic, reading->envelope->topic, &match);
        if (route->n_joints > 0 && route->n_joints == n)
                return err_up(understand_joint(reading, route, &match, ret_record));
        if (!route->each && route->n_joints == 0 && n == 1) {
                r = decode_parsed(reading->arena,
                                  route,
                                  &match,
                                  reading->envelope,
                                  &reading->parsed,
                                  ret_record);
                return r == 0 ? 0 : err_up(r);
        }
        if (route->each)
                r = elements_open(reading->elements,
                                  reading->arena,
                                  route,
                                  &match,
                                  reading->envelope,
                                  &reading->parsed);
        if (r != 0)
                return err_up(r);
        if (route->each && elements_count(reading->elements) == n) {
                reading->elements->first_seq = reading->entry->seq - reading->entry->place;
                return understand_element(reading, ret_record);
        }
        elements_done(reading->elements);
        reading->is_other = true;
        return UNDERSTAND_E_NONE;
}

/* UNDERSTAND_E_NONE: the table has no route for it; reading->is_ignored: and one that does not want
 * it. What a table that came after it was accepted does not want may be wanted by those of before.
 */
static int understand_by(Reading *reading, const Routes *table, bool is_later, Record *ret_record) {
        const Route *routes[ROUTES_MAX_TAKING], *route;
        bool is_ignored;
        size_t n = routes_taking(table, reading->envelope->topic, routes, &is_ignored);
        int r = decode_choose(reading->arena,
                              routes,
                              n,
                              reading->envelope,
                              &reading->parsed,
                              &route);

        if (r != 0)
                return err_up(r);
        reading->is_ignored = reading->is_ignored || is_ignored;
        reading->is_final = is_ignored && !is_later;
        return route ? understand_by_route(reading, route, ret_record) : UNDERSTAND_E_NONE;
}

/* By no table. Of several messages the first number has all of it, which can be taken in again, and
 * the others leave nothing. */
static void understand_as_none(const Reading *reading, Record *ret_record) {
        *ret_record = *reading->envelope;
        ret_record->ignored = ret_record->duplicate =
                reading->entry->place > 0 || (reading->is_ignored && !reading->is_other);
        if (ret_record->duplicate)
                return;
        ret_record->reason = reading->is_other ? REASON_WRONG_TYPE : REASON_NO_ROUTE;
        if (reading->is_other)
                ret_record->detail = TEXT("not as many messages, by the routes in force, as it was "
                                          "taken for when it was accepted");
}

static int understand_topic(Reading *reading, const UnderstandContext *by, Record *ret_record) {
        const Record *envelope = reading->envelope;
        size_t n_later = by->former ? former_count_later(by->former, envelope->seq) : 0;
        const Routes *table;
        int r;

        if (reading->entry->place > 0 &&
            reading->elements->first_seq == reading->entry->seq - reading->entry->place) {
                r = understand_element(reading, ret_record);
                if (r == 0)
                        r = understand_keep_name(reading->arena, ret_record);
                return r == 0 ? 0 : err_up(r);
        }
        r = understand_by(reading, by->routes, n_later > 0, ret_record);
        for (size_t i = 0; by->former && r == UNDERSTAND_E_NONE && !reading->is_final; ++i) {
                table = former_routes(by->former, envelope->seq, envelope->received_us, i);
                if (!table)
                        break;
                r = understand_by(reading, table, i + 1 < n_later, ret_record);
                if (r == 0)
                        r = understand_keep_name(reading->arena, ret_record);
        }
        if (r < 0)
                return err_up(r);
        if (r == 0)
                return 0;
        understand_as_none(reading, ret_record);
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

static bool understand_has_each(const Route *const routes[], size_t n) {
        for (size_t i = 0; i < n; ++i)
                if (routes[i]->each || routes[i]->n_joints > 1)
                        return true;
        return false;
}

/* An edge's clock may be off: ours bounds when it can have come there. */
static int64_t understand_first_us(int64_t said_us, int64_t received_us) {
        bool is_odd = said_us > received_us || said_us < received_us - UPLINK_AGE_US;

        return is_odd ? received_us : said_us;
}

static void understand_origin(const JournalRecord *entry, Record *envelope) {
        UplinkMark mark;

        if (entry->door != DOOR_UPLINK || !uplink_unmark(&envelope->payload, &mark))
                return;
        envelope->origin = (Origin){
                .device_id = mark.device_id,
                .epoch = mark.epoch,
                .after_seq = mark.after_seq,
                .seq = mark.seq,
                .view = mark.view,
                .is_whole = entry->place + 1 >= understand_count_of(entry),
        };
        envelope->first_us = understand_first_us(mark.received_us, entry->received_us);
        envelope->time_us = envelope->first_us;
}

/* What the journal says of it; is it a letter? */
static bool understand_begin(const JournalRecord *entry, Record *ret_envelope) {
        *ret_envelope = (Record){
                .seq = entry->seq,
                .received_us = entry->received_us,
                .time_us = entry->received_us,
                .retained = entry->is_retained,
                .topic = entry->topic,
                .payload = entry->payload,
        };
        understand_origin(entry, ret_envelope);
        return letter_open(entry, ret_envelope);
}

/* It has its number, and leaves nothing: it is here already. */
static void understand_again(const Record *envelope, Record *ret_record) {
        *ret_record = (Record){
                .seq = envelope->seq,
                .received_us = envelope->received_us,
                .topic = envelope->topic,
                .payload = envelope->payload,
                .duplicate = true,
        };
}

static int understand_is_new(const UnderstandContext *by,
                             const JournalRecord *entry,
                             const Record *envelope,
                             bool *ret_is) {
        int r = 0;

        *ret_is = true;
        if (envelope->origin.seq != 0 && by->origins)
                r = origins_judge(by->origins, &envelope->origin, entry->seq, entry->place, ret_is);
        return r == 0 ? 0 : err_up(r);
}

static int understand_message(Reading *reading,
                              const UnderstandContext *by,
                              const TopicMatch *match,
                              Record *ret_record) {
        const JournalRecord *entry = reading->entry;
        int r;

        if (entry->kind == KIND_NONE)
                r = understand_topic(reading, by, ret_record);
        else
                r = understand_door(reading->arena,
                                    by,
                                    entry,
                                    reading->envelope,
                                    match,
                                    ret_record);
        parsed_done(&reading->parsed);
        if (r != 0)
                return err_up(r);
        if (ret_record->kind == KIND_BLE_DETECTIONS && by->zones)
                decode_zones(&ret_record->detections, by->zones);
        ret_record->seq = entry->seq;
        ret_record->device_id = entry->device_id;
        ret_record->sender_key = entry->sender_key;
        ret_record->origin = reading->envelope->origin;
        ret_record->letter_stays =
                reading->envelope->letter_id != 0 && entry->place + 1 < understand_count_of(entry);
        return 0;
}

int understand(Arena *arena,
               const UnderstandContext *by,
               const JournalRecord *entry,
               Elements *elements,
               Record *ret_record) {
        Record envelope;
        Reading reading = {
                .arena = arena,
                .entry = entry,
                .envelope = &envelope,
                .elements = elements,
                .presence = by->presence,
        };
        TopicMatch match = { 0 };
        bool is_new, has_nodes;
        int r;

        if (understand_begin(entry, &envelope))
                match = letter_names(envelope.topic);
        r = understand_is_new(by, entry, &envelope, &is_new);
        if (r == 0 && !is_new)
                understand_again(&envelope, ret_record);
        if (r != 0 || !is_new)
                return r == 0 ? 0 : err_up(r);
        /* what follows from a birth would be told in our own name, whosever the node is */
        has_nodes = entry->kind == KIND_NONE && by->nodes && envelope.origin.device_id == 0;
        if (has_nodes)
                nodes_look(by->nodes, &envelope);
        r = understand_message(&reading, by, &match, ret_record);
        if (r == 0 && has_nodes && entry->place == 0)
                r = nodes_judge(by->nodes, arena, by->routes, ret_record);
        return r == 0 ? 0 : err_up(r);
}

int understand_count(Arena *arena,
                     const Routes *table,
                     const JournalRecord *entry,
                     uint32_t *ret_n) {
        const Route *routes[ROUTES_MAX_TAKING], *route;
        Elements elements = { 0 };
        Parsed parsed = { 0 };
        TopicMatch match = { 0 };
        Record envelope;
        bool is_ignored;
        size_t n;
        int r;

        *ret_n = 1;
        if (entry->kind != KIND_NONE || !routes_have_each(table))
                return 0;
        (void)understand_begin(entry, &envelope);
        n = routes_taking(table, envelope.topic, routes, &is_ignored);
        if (!understand_has_each(routes, n))
                return 0;
        r = decode_choose(arena, routes, n, &envelope, &parsed, &route);
        if (r == 0 && route && route->each) {
                (void)topic_template_match(route->topic, envelope.topic, &match);
                r = elements_open(&elements, arena, route, &match, &envelope, &parsed);
        }
        if (r == 0 && elements.route)
                *ret_n = elements_count(&elements);
        if (r == 0 && route && route->n_joints > 1)
                *ret_n = (uint32_t)route->n_joints;
        elements_done(&elements);
        parsed_done(&parsed);
        return r == 0 ? 0 : err_up(r);
}
