/* Decode: a message by the map of its route: what the map makes of it, the kind then reads. */

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/map.h"
#include "gateway/decode/map_run.h"

typedef struct MapRun MapRun;

struct MapRun {
        Decoder *decoder;
        Decoder outside; /* of the whole message, where the body is an element of it */
        Decoder *of;     /* of the node */
        const Map *map;
        const TopicMatch *match;
        MapSetting setting;
        const JsonNode *node; /* that the value of now is from; NULL: not from the payload */
        bool has_found;       /* a member, or its source, if only as null */
        bool has_read;        /* anything of the payload */
        bool has_asked;       /* the topic for anything */
        Text unusable;        /* it, as it came, where an operation could not use it */
        RecordNote *note;     /* of that; NULL: of this member there is none */
};

/* ---- values ---- */

static Text name_of(const MapRun *run, const MapAssignment *assignment) {
        return assignment->capture == MAP_CAPTURE_NONE
                       ? assignment->name
                       : map_captured(assignment->capture, run->match);
}

static int value_of_node(MapRun *run, const JsonNode *node, MapValue *ret_value) {
        Decoder *decoder = run->of;
        int r = 0;

        *ret_value = (MapValue){ .text = json_text(&decoder->tree, node) };
        switch ((JsonType)node->type) {
        case JSON_NUMBER:
                ret_value->type = MAP_NUMBER;
                break;
        case JSON_STRING:
                ret_value->type = MAP_TEXT;
                r = json_content(&decoder->tree, node, decoder->arena, &ret_value->text);
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                ret_value->type = MAP_BOOL;
                ret_value->is_true = node->type == JSON_TRUE;
                break;
        case JSON_ARRAY:
        case JSON_OBJECT:
                ret_value->type = MAP_JSON;
                r = decoder_json(decoder, node, &ret_value->text);
                break;
        case JSON_NULL:
        default:
                ret_value->type = MAP_NOTHING;
                break;
        }
        return r == 0 ? 0 : err_up(r);
}

/* Of an element: its name or place in the whole message. */
static int value_of_place(const MapRun *run, int capture, MapValue *ret_value) {
        const Decoder *decoder = run->decoder;
        char index[24];
        int n;

        *ret_value = (MapValue){ .type = MAP_NOTHING };
        if (capture == MAP_CAPTURE_KEY && decoder->key) {
                ret_value->type = MAP_TEXT;
                return json_content(decoder->whole, decoder->key, decoder->arena, &ret_value->text);
        }
        if (capture == MAP_CAPTURE_KEY || decoder->record->element == 0)
                return 0;
        n = snprintf(index, sizeof(index), "%lld", (long long)decoder->record->element - 1);
        *ret_value = (MapValue){ .type = MAP_NUMBER,
                                 .text = arena_copy(decoder->arena, index, (size_t)n) };
        return ret_value->text.data ? 0 : err_new(-ENOMEM);
}

static int value_of_source(MapRun *run, const MapSource *source, MapValue *ret_value) {
        *ret_value = (MapValue){ .type = MAP_TEXT, .text = source->constant };
        run->node = NULL;
        run->of = source->is_whole && run->decoder->whole ? &run->outside : run->decoder;
        if (source->path) {
                *ret_value = (MapValue){ .type = MAP_NOTHING };
                run->node = json_path_find(source->path, &run->of->tree, run->of->root);
                run->has_found |= run->node != NULL;
                run->has_read |= run->node != NULL;
                return run->node ? value_of_node(run, run->node, ret_value) : 0;
        }
        if (source->capture == MAP_CAPTURE_INDEX || source->capture == MAP_CAPTURE_KEY)
                return value_of_place(run, source->capture, ret_value);
        run->has_asked |= source->capture != MAP_CAPTURE_NONE;
        if (source->capture != MAP_CAPTURE_NONE)
                ret_value->text = map_captured(source->capture, run->match);
        if (!ret_value->text.data)
                ret_value->type = MAP_NOTHING;
        run->has_found |= ret_value->text.data != NULL;
        return 0;
}

/* Notes what an operation could not use. */
static int value_is_useless(MapRun *run, Text before, const char *why) {
        Decoder *decoder = run->node ? run->of : run->decoder;
        int r = run->node
                        ? decoder_set_aside(decoder, REASON_WRONG_TYPE, run->node, "%s", why)
                        : decoder_set_aside_text(decoder, REASON_WRONG_TYPE, "topic", why, before);

        run->note = decoder->noted;
        return r == 0 ? 0 : err_up(r);
}

static Text bool_text(bool is_true) {
        return is_true ? TEXT("true") : TEXT("false");
}

/* What is there of a source and those that are joined to it, as one text; nothing where one of them
 * is not there. *at is moved behind them. */
static int value_of_joined(MapRun *run,
                           const MapAssignment *assignment,
                           size_t *at,
                           MapValue *ret) {
        CLEANUP_BUF Buf buf = { 0 };
        const JsonNode *first = NULL;
        Decoder *first_of = run->decoder;
        bool is_there = true;
        int r = 0;

        do {
                r = value_of_source(run, &assignment->sources[*at], ret);
                if (r == 0 && ret->type == MAP_JSON) {
                        r = value_is_useless(run, ret->text, "not text");
                        *ret = (MapValue){ .type = MAP_NOTHING };
                }
                if (r != 0)
                        return err_up(r);
                is_there = is_there && ret->type != MAP_NOTHING;
                first_of = first ? first_of : run->of;
                first = first ? first : run->node;
                buf_append_text(&buf, ret->type == MAP_BOOL ? bool_text(ret->is_true) : ret->text);
        } while (assignment->sources[(*at)++].is_joined);
        run->node = first;
        run->of = first_of;
        *ret = (MapValue){ .type = is_there ? MAP_TEXT : MAP_NOTHING };
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        r = decoder_copy(run->decoder, buf_text(&buf), &ret->text);
        return r == 0 ? 0 : err_up(r);
}

/* The first source from @at on that is there; *at is moved behind it. */
static int value_of_sources(MapRun *run,
                            const MapAssignment *assignment,
                            size_t *at,
                            MapValue *ret_value) {
        int r = 0;

        *ret_value = (MapValue){ .type = MAP_NOTHING };
        while (r == 0 && *at < assignment->n_sources && ret_value->type == MAP_NOTHING)
                if (assignment->sources[*at].is_joined)
                        r = value_of_joined(run, assignment, at, ret_value);
                else
                        r = value_of_source(run, &assignment->sources[(*at)++], ret_value);
        return r == 0 ? 0 : err_up(r);
}

static int value_of(MapRun *run, const MapAssignment *assignment, MapValue *ret_value) {
        const char *why = NULL, *by = "+";
        size_t next = 0, i = 0;
        Text came;
        int r;

        run->note = NULL;
        r = value_of_sources(run, assignment, &next, ret_value);
        came = ret_value->text;
        run->unusable = (Text){ 0 };
        while (r == 0 && i < assignment->n_ops) {
                const MapOp *op = &assignment->ops[i++];
                MapValue before = *ret_value;

                r = map_op_run(op, &run->setting, ret_value, &why);
                if (r == 0 && why) {
                        run->unusable = came;
                        by = map_op_name(op->kind);
                        if (assignment->target != MAP_TO_TIME) /* the row keeps it as it was said */
                                r = value_is_useless(run, before.text, why);
                } else if (r == 0 && op->kind == MAP_OP_NULL && ret_value->type == MAP_NOTHING &&
                           before.type != MAP_NOTHING) {
                        r = value_of_sources(run, assignment, &next, ret_value);
                        if (ret_value->type == MAP_NOTHING)
                                continue;
                        came = ret_value->text;
                        i = 0; /* all of them, on the next one */
                }
        }
        if (r == 0 && ret_value->type == MAP_NOTHING && run->note &&
            assignment->target == MAP_TO_MEMBER) {
                run->note->target = name_of(run, assignment);
                run->note->by = by;
        }
        return r == 0 ? 0 : err_up(r);
}

/* ---- who and when ---- */

static int name_of_value(MapRun *run, const MapValue *value, Text *name) {
        int r = 0;

        if (value->type == MAP_NOTHING) /* an operation may have noted why */
                return 0;
        if (value->type != MAP_TEXT && value->type != MAP_NUMBER)
                return value_is_useless(run, value->text, "not a name");
        if (json_check_text(value->text) != REASON_NONE) { /* of the topic */
                r = decoder_set_aside_text(run->decoder,
                                           REASON_BAD_UTF8,
                                           "topic",
                                           "a name in it is not UTF-8",
                                           value->text);
                run->note = run->decoder->noted;
                return r == 0 ? 0 : err_up(r);
        }
        if (!decoder_is_name(value->text))
                return value_is_useless(run,
                                        value->text,
                                        "empty, too long or with control characters");
        *name = value->text;
        return 0;
}

static int take_name(MapRun *run, const MapValue *value, Text *name) {
        int r = name->data ? 0 : name_of_value(run, value, name);

        if (r == 0 && !name->data && run->note)
                run->decoder->record->misnamed = run->note->detail;
        return r == 0 ? 0 : err_up(r);
}

/* What is no time is one that cannot be. */
static int take_time(MapRun *run, const MapValue *value) {
        if (value->type == MAP_TIME)
                return decoder_take_time(run->decoder, value->time_us, value->text);
        if (!run->unusable.data)
                return 0;
        return decoder_take_time(run->decoder, CLOCK_UNKNOWN, run->unusable);
}

static int take_who(MapRun *run, const MapAssignment *assignment) {
        Record *record = run->decoder->record;
        MapValue value;
        int r = value_of(run, assignment, &value);

        if (r != 0)
                return err_up(r);
        switch (assignment->target) {
        case MAP_TO_USER:
                return take_name(run, &value, &record->user);
        case MAP_TO_VEHICLE:
                return take_name(run, &value, &record->vehicle);
        case MAP_TO_DEVICE:
                return take_name(run, &value, &record->device);
        case MAP_TO_TIME:
                return take_time(run, &value);
        case MAP_TO_MEMBER:
        case MAP_TO_DATA:
        default:
                return 0;
        }
}

/* ---- members ---- */

static bool is_named(const MapRun *run, MapTarget target, Text name) {
        for (size_t i = 0; i < map_length(run->map); ++i) {
                const MapAssignment *assignment = map_get(run->map, i);

                if (assignment->target == target && !assignment->is_spread &&
                    text_equal(name_of(run, assignment), name))
                        return true;
        }
        return false;
}

/* Is @name, of the payload, what an assignment to @target gives? */
static bool is_assigned(const MapRun *run, MapTarget target, const JsonNode *name) {
        for (size_t i = 0; i < map_length(run->map); ++i) {
                const MapAssignment *assignment = map_get(run->map, i);

                if (assignment->target == target && !assignment->is_spread &&
                    json_is(&run->decoder->tree, name, name_of(run, assignment)))
                        return true;
        }
        return false;
}

static void begin_member(Buf *buf) {
        if (buf->n > 0 && buf->data[buf->n - 1] != '{')
                buf_append_char(buf, ',');
}

/* The members of @object that no assignment to @target gives. */
static void keep_members(const MapRun *run, MapTarget target, const JsonNode *object, Buf *buf) {
        const JsonTree *tree = &run->decoder->tree;
        const JsonNode *at = object + 1;

        for (size_t i = 0; i < object->n; i += 2, at = json_next(at + 1)) {
                if (is_assigned(run, target, at))
                        continue;
                begin_member(buf);
                json_write(buf, tree, at);
                buf_append_char(buf, ':');
                json_write(buf, tree, at + 1);
        }
}

static void write_value(Buf *buf, const MapValue *value) {
        switch (value->type) {
        case MAP_TEXT:
                buf_json_string(buf, value->text);
                break;
        case MAP_BOOL:
                buf_json_bool(buf, value->is_true);
                break;
        case MAP_TIME:
                buf_json_time(buf, value->time_us);
                break;
        case MAP_NOTHING:
        case MAP_NUMBER:
        case MAP_JSON:
        default:
                buf_append_text(buf, value->text);
                break;
        }
}

/* A name of the topic may be that of another line: which names it itself, or else the later,
 * counts. */
static bool is_given_elsewhere(const MapRun *run, size_t nth) {
        const MapAssignment *assignment = map_get(run->map, nth);

        if (assignment->capture == MAP_CAPTURE_NONE)
                return false;
        for (size_t i = 0; i < map_length(run->map); ++i) {
                const MapAssignment *other = map_get(run->map, i);

                if (other->target == assignment->target && !other->is_spread &&
                    (other->capture == MAP_CAPTURE_NONE || i > nth) &&
                    text_equal(name_of(run, other), name_of(run, assignment)))
                        return true;
        }
        return false;
}

/* The members of the object, but those that lines of their own give. Of two of a name the later
 * counts, as always. */
static int spread_object(MapRun *run, const MapAssignment *assignment, Buf *buf) {
        const JsonTree *tree = &run->of->tree;
        const JsonNode *object = run->node, *at = object + 1;
        CLEANUP_BUF Buf name = { 0 };

        for (size_t i = 0; i < object->n; i += 2, at = json_next(at + 1)) {
                Text own;
                int r = json_content(tree, at, run->decoder->arena, &own);

                if (r != 0)
                        return err_up(r);
                buf_reset(&name);
                buf_append_text(&name, assignment->name);
                buf_append_text(&name, own);
                if (is_named(run, assignment->target, buf_text(&name)))
                        continue;
                begin_member(buf);
                buf_json_string(buf, buf_text(&name));
                buf_append_char(buf, ':');
                json_write(buf, tree, at + 1);
        }
        return buf_failed(&name) ? err_new(-ENOMEM) : 0;
}

static int write_spreads(MapRun *run, MapTarget target, Buf *buf) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < map_length(run->map); ++i) {
                const MapAssignment *assignment = map_get(run->map, i);
                MapValue value = { .type = MAP_NOTHING };
                bool had_read = run->has_read;

                if (assignment->target != target || !assignment->is_spread)
                        continue;
                r = value_of(run, assignment, &value);
                if (r == 0 && run->node && run->node->type == JSON_OBJECT) {
                        r = spread_object(run, assignment, buf);
                        continue;
                }
                run->has_read = had_read; /* nothing of it is in the row */
                if (r == 0 && value.type != MAP_NOTHING)
                        r = value_is_useless(run, value.text, "not an object");
        }
        return r == 0 ? 0 : err_up(r);
}

static int write_members(MapRun *run, MapTarget target, Buf *buf) {
        for (size_t i = 0; i < map_length(run->map); ++i) {
                const MapAssignment *assignment = map_get(run->map, i);
                MapValue value;
                int r;

                if (assignment->target != target || assignment->is_spread ||
                    is_given_elsewhere(run, i))
                        continue;
                r = value_of(run, assignment, &value);
                if (r != 0)
                        return err_up(r);
                if (value.type == MAP_NOTHING)
                        continue;
                run->has_found = true;
                begin_member(buf);
                buf_json_string(buf, name_of(run, assignment));
                buf_append_char(buf, ':');
                write_value(buf, &value);
        }
        return 0;
}

static bool keeps_in_data(Kind kind) {
        return kind == KIND_SENSOR_LOG || kind == KIND_CAMERA_EVENT;
}

/* The member `data`: what the payload has as such, or all of it; and what is assigned to it. */
static int write_data(MapRun *run, Buf *buf) {
        Decoder *decoder = run->decoder;
        static const Text name = TEXT("data");
        const JsonNode *data = json_member(&decoder->tree, decoder->root, name);
        int r;

        for (size_t i = 0; i < map_length(run->map); ++i)
                if (map_get(run->map, i)->target == MAP_TO_MEMBER &&
                    text_equal(map_get(run->map, i)->name, TEXT("data")))
                        return 0; /* as it is assigned */
        begin_member(buf);
        buf_append_string(buf, "\"data\":{");
        if (!data || data->type != JSON_OBJECT)
                data = decoder->root->type == JSON_OBJECT ? decoder->root : NULL;
        if (data && !decoder->route->keeps_named)
                keep_members(run, MAP_TO_DATA, data, buf);
        r = write_spreads(run, MAP_TO_DATA, buf);
        if (r == 0)
                r = write_members(run, MAP_TO_DATA, buf);
        buf_append_char(buf, '}');
        return r == 0 ? 0 : err_up(r);
}

/* Of a kind with `data` the rest goes there; what it reads beside it stays where it is. */
static void keep_beside_data(const MapRun *run, Buf *buf) {
        static const Text beside[] = { TEXT("sensor_id"), TEXT("event_type") };
        const JsonTree *tree = &run->decoder->tree;

        for (size_t i = 0; i < N_ELEMENTS(beside); ++i) {
                const JsonNode *value = json_member(tree, run->decoder->root, beside[i]);

                if (!value || is_assigned(run, MAP_TO_MEMBER, value - 1))
                        continue;
                begin_member(buf);
                json_write(buf, tree, value - 1);
                buf_append_char(buf, ':');
                json_write(buf, tree, value);
        }
}

static int write_object(MapRun *run, Buf *buf) {
        const Decoder *decoder = run->decoder;
        bool has_data = keeps_in_data(decoder->route->kind);
        int r;

        buf_append_char(buf, '{');
        if (decoder->root->type == JSON_OBJECT && has_data)
                keep_beside_data(run, buf);
        else if (decoder->root->type == JSON_OBJECT && !decoder->route->keeps_named)
                keep_members(run, MAP_TO_MEMBER, decoder->root, buf);
        r = write_spreads(run, MAP_TO_MEMBER, buf);
        if (r == 0)
                r = write_members(run, MAP_TO_MEMBER, buf);
        if (r == 0 && has_data)
                r = write_data(run, buf);
        buf_append_char(buf, '}');
        if (r != 0)
                return err_up(r);
        return buf_failed(buf) ? err_new(-ENOMEM) : 0;
}

/* A message that was understood is a row, also one of nothing; but nobody would see a map that is
 * of other messages. */
static int note_nothing(const MapRun *run) {
        Decoder *decoder = run->decoder;

        if (run->has_found || !decoder->route->keeps_named ||
            !(map_gives(run->map, MAP_TO_MEMBER) || map_gives(run->map, MAP_TO_DATA)))
                return 0;
        return decoder_set_aside(decoder,
                                 REASON_MISSING_MEMBER,
                                 decoder->root,
                                 "nothing that the map names");
}

/* What is no object cannot stay as it came: a row of nothing would hide that it was lost. */
static int refuse_unread(const MapRun *run) {
        static const char why[] = "not an object, and no line of the map reads it";
        Decoder *decoder = run->decoder;
        Kind kind = decoder->route->kind;

        if (run->has_read || decoder->route->keeps_named || decoder->root->type == JSON_OBJECT ||
            (kind != KIND_TELEMETRY && kind != KIND_VEHICLE_LOG && kind != KIND_SENSOR_LOG))
                return 0;
        return run->has_asked
                       ? decoder_set_aside(decoder, REASON_WRONG_TYPE, decoder->root, "%s", why)
                       : decoder_refuse_body(decoder, why);
}

int decode_map(Decoder *decoder, const TopicMatch *match) {
        const Route *route = decoder->route;
        MapRun run = {
                .decoder = decoder,
                .map = route->map,
                .match = match,
                .setting = { .arena = decoder->arena,
                             .zone = route->zone,
                             .near_us = record_first_us(decoder->record),
                             .ahead_us = route_ahead_us(route) },
        };
        CLEANUP_BUF Buf buf = { 0 };
        int r = decoder_parse_value(decoder);

        if (decoder->whole)
                run.outside = (Decoder){ .arena = decoder->arena,
                                         .route = route,
                                         .record = decoder->record,
                                         .tree = *decoder->whole,
                                         .root = json_root(decoder->whole) };
        for (size_t i = 0; r == 0 && i < map_length(run.map); ++i)
                if (map_get(run.map, i)->target >= MAP_TO_TIME)
                        r = take_who(&run, map_get(run.map, i));
        run.has_found = run.has_read = run.has_asked = false; /* of members */
        if (r == 0)
                r = write_object(&run, &buf);
        if (r == 0)
                r = refuse_unread(&run);
        if (r == 0)
                r = note_nothing(&run);
        if (r != 0)
                return r;
        r = decoder_copy(decoder, buf_text(&buf), &decoder->body);
        decoder_done(decoder); /* the kind reads what has come out */
        return r == 0 ? 0 : err_up(r);
}
