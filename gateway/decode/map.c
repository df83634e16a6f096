#include "gateway/decode/map.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "gateway/decode/map_run.h"

#define MAP_ARENA_BLOCK 4096

typedef struct KnownMember KnownMember;

struct Map {
        Kind kind;
        MapJudgeFn judge; /* of constants; NULL: nobody is asked */
        Arena *arena;     /* of texts and words */
        MapAssignment *items;
        size_t n, capacity;
};

/* What a kind reads, and as what; MAP_NOTHING: as it is. In `data` where is_data. */
struct KnownMember {
        Kind kind;
        const char *name;
        MapType type;
        bool is_data;
};

static const KnownMember known_members[] = {
        { KIND_DEVICE_STATUS, "status", MAP_TEXT, false },
        { KIND_DEVICE_STATUS, "temperature", MAP_NUMBER, false },
        { KIND_DEVICE_STATUS, "humidity", MAP_NUMBER, false },
        { KIND_DEVICE_STATUS, "latitude", MAP_NUMBER, false },
        { KIND_DEVICE_STATUS, "longitude", MAP_NUMBER, false },
        { KIND_RAW_LOG, "message", MAP_TEXT, false },
        { KIND_SENSOR_LOG, "sensor_id", MAP_NUMBER, false },
        { KIND_SENSOR_LOG, "data", MAP_JSON, false },
        { KIND_VEHICLE_LOG, "battery_voltage", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "battery_current", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "rssi", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "latitude", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "longitude", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "heading", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "speed", MAP_NUMBER, false },
        { KIND_VEHICLE_LOG, "mode", MAP_TEXT, false },
        { KIND_VEHICLE_LOG, "system_status", MAP_TEXT, false },
        { KIND_VEHICLE_LOG, "armed", MAP_BOOL, false },
        { KIND_VEHICLE_LOG, "guided", MAP_BOOL, false },
        { KIND_BLE_DETECTIONS, "device_hash", MAP_TEXT, false },
        { KIND_BLE_DETECTIONS, "rssi", MAP_NUMBER, false },
        { KIND_BLE_DETECTIONS, "name", MAP_TEXT, false },
        { KIND_BLE_DETECTIONS, "location", MAP_TEXT, false },
        { KIND_BLE_DETECTIONS, "detections", MAP_JSON, false },
        { KIND_CAMERA_EVENT, "event_type", MAP_TEXT, false },
        { KIND_CAMERA_EVENT, "data", MAP_JSON, false },
        { KIND_CAMERA_EVENT, "person_name", MAP_TEXT, true },
        { KIND_CAMERA_EVENT, "confidence", MAP_NUMBER, true },
        { KIND_ALERT, "severity", MAP_TEXT, false },
        { KIND_ALERT, "alert_type", MAP_TEXT, false },
        { KIND_ALERT, "message", MAP_TEXT, false },
        { KIND_ALERT, "source", MAP_TEXT, false },
        { KIND_ALERT, "latitude", MAP_NUMBER, false },
        { KIND_ALERT, "longitude", MAP_NUMBER, false },
        { KIND_COMMAND_ACK, "command_id", MAP_TEXT, false },
        { KIND_COMMAND_ACK, "status", MAP_TEXT, false },
        { KIND_COMMAND_ACK, "message", MAP_TEXT, false },
};

static const struct {
        const char *name;
        MapTarget target;
        int capture;
} who[] = {
        { "time", MAP_TO_TIME, MAP_CAPTURE_NONE },
        { "user", MAP_TO_USER, MAP_CAPTURE_USER },
        { "vehicle", MAP_TO_VEHICLE, MAP_CAPTURE_VEHICLE },
        { "device", MAP_TO_DEVICE, MAP_CAPTURE_DEVICE },
        { "camera", MAP_TO_DEVICE, MAP_CAPTURE_DEVICE },
};

/* Does the kind keep members that it does not know? */
static bool kind_keeps(Kind kind) {
        return kind == KIND_TELEMETRY || kind == KIND_VEHICLE_LOG || kind == KIND_ALERT ||
               kind == KIND_DEVICE_STATUS;
}

/* And in their member `data`? */
static bool kind_keeps_data(Kind kind) {
        return kind == KIND_SENSOR_LOG || kind == KIND_CAMERA_EVENT;
}

int map_new(Map **ret_map, Kind kind) {
        CLEANUP(map_free) Map *map = calloc(1, sizeof(*map));
        int r;

        if (!map)
                return err_new(-ENOMEM);
        map->kind = kind;
        r = arena_new(&map->arena, MAP_ARENA_BLOCK);
        if (r != 0)
                return err_up(r);
        *ret_map = TAKE(&map);
        return 0;
}

void map_set_judge(Map *map, MapJudgeFn judge) {
        map->judge = judge;
}

static void assignment_done(MapAssignment *assignment) {
        for (size_t i = 0; i < assignment->n_sources; ++i)
                json_path_free(assignment->sources[i].path);
}

Map *map_free(Map *map) {
        if (!map)
                return NULL;
        for (size_t i = 0; i < map->n; ++i)
                assignment_done(&map->items[i]);
        free(map->items);
        arena_free(map->arena);
        free(map);
        return NULL;
}

size_t map_length(const Map *map) {
        return map ? map->n : 0;
}

const MapAssignment *map_get(const Map *map, size_t i) {
        assert(i < map->n);
        return &map->items[i];
}

bool map_gives(const Map *map, MapTarget target) {
        for (size_t i = 0; i < map_length(map); ++i)
                if (map->items[i].target == target)
                        return true;
        return false;
}

static bool assignment_asks(const MapAssignment *assignment, int capture) {
        for (size_t i = 0; i < assignment->n_sources; ++i)
                if (!assignment->sources[i].path && assignment->sources[i].capture == capture)
                        return true;
        return false;
}

bool map_asks(const Map *map, int capture) {
        for (size_t i = 0; i < map_length(map); ++i)
                if (assignment_asks(&map->items[i], capture))
                        return true;
        return false;
}

Text map_captured(int capture, const TopicMatch *match) {
        switch (capture) {
        case MAP_CAPTURE_USER:
                return match->user;
        case MAP_CAPTURE_VEHICLE:
                return match->vehicle;
        case MAP_CAPTURE_DEVICE:
                return match->device;
        default:
                return capture >= 0 ? match->others[capture] : (Text){ 0 };
        }
}

/* ---- reading ---- */

PRINTF(2, 3) static int invalid(char ret_why[MAP_WHY_SIZE], const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(ret_why, MAP_WHY_SIZE, format, args);
        va_end(args);
        return MAP_E_INVALID;
}

/* MAP_CAPTURE_NONE: the template has no such name. */
static int capture_of(const TopicTemplate *topic, Text name) {
        int other = topic_template_other(topic, name);

        for (size_t i = 1; i < N_ELEMENTS(who); ++i)
                if (text_equal(name, text_of(who[i].name)))
                        return topic_template_has(topic, who[i].name) ? who[i].capture
                                                                      : MAP_CAPTURE_NONE;
        return other >= 0 ? other : MAP_CAPTURE_NONE;
}

static const KnownMember *known_member(Kind kind, Text name) {
        for (size_t i = 0; i < N_ELEMENTS(known_members); ++i)
                if (known_members[i].kind == kind &&
                    text_equal(text_of(known_members[i].name), name))
                        return &known_members[i];
        return NULL;
}

static int read_member(MapAssignment *assignment, Kind kind, Text name, char why[MAP_WHY_SIZE]) {
        static const Text in_data = TEXT("data.");
        const KnownMember *known = known_member(kind, name);

        assignment->name = name;
        if (known) {
                assignment->target = known->is_data ? MAP_TO_DATA : MAP_TO_MEMBER;
                return 0;
        }
        if (kind_keeps_data(kind)) {
                if (name.n > in_data.n && memcmp(name.data, in_data.data, in_data.n) == 0)
                        assignment->name = (Text){ name.data + in_data.n, name.n - in_data.n };
                assignment->target = MAP_TO_DATA;
                return 0;
        }
        if (kind_keeps(kind))
                return 0;
        return invalid(why,
                       "%s has no member %.*s",
                       kind_name(kind),
                       (int)(name.n < MAP_MAX_TARGET ? name.n : MAP_MAX_TARGET),
                       name.data);
}

static int read_spread(MapAssignment *assignment, Kind kind, Text target, char why[MAP_WHY_SIZE]) {
        assignment->is_spread = true;
        assignment->name = (Text){ target.data, target.n - 1 };
        assignment->target = kind_keeps_data(kind) ? MAP_TO_DATA : MAP_TO_MEMBER;
        if (assignment->name.n > 0 && !kind_keeps(kind) && !kind_keeps_data(kind))
                return invalid(why, "%s takes only members that it knows", kind_name(kind));
        return 0;
}

static int read_target(MapAssignment *assignment,
                       const Map *map,
                       const TopicTemplate *topic,
                       Text target,
                       char why[MAP_WHY_SIZE]) {
        assignment->capture = MAP_CAPTURE_NONE;
        if (target.n == 0 || target.n > MAP_MAX_TARGET)
                return invalid(why, "a target has 1 to %d bytes", MAP_MAX_TARGET);
        for (size_t i = 0; i < N_ELEMENTS(who); ++i)
                if (text_equal(target, text_of(who[i].name))) {
                        assignment->target = who[i].target;
                        return 0;
                }
        if (target.n > 2 && target.data[0] == '{' && target.data[target.n - 1] == '}') {
                target = (Text){ target.data + 1, target.n - 2 };
                assignment->capture = capture_of(topic, target);
                assignment->target = kind_keeps_data(map->kind) ? MAP_TO_DATA : MAP_TO_MEMBER;
                if (assignment->capture == MAP_CAPTURE_NONE)
                        return invalid(why, "the topic has no such name");
                if (!kind_keeps(map->kind) && !kind_keeps_data(map->kind))
                        return invalid(why,
                                       "%s takes only members that it knows",
                                       kind_name(map->kind));
                return 0;
        }
        if (target.data[target.n - 1] == '*')
                return read_spread(assignment, map->kind, target, why);
        return read_member(assignment, map->kind, target, why);
}

/* What would be a path of an odd name. */
static bool is_unfinished(Text source) {
        static const Text ends[] = { TEXT(" or"), TEXT(" +") };

        for (size_t i = 0; i < N_ELEMENTS(ends); ++i)
                if (source.n >= ends[i].n &&
                    memcmp(source.data + source.n - ends[i].n, ends[i].data, ends[i].n) == 0)
                        return true;
        return false;
}

static int read_source(MapAssignment *assignment,
                       const TopicTemplate *topic,
                       Text text,
                       char why[MAP_WHY_SIZE]) {
        static const Text in_topic = TEXT("topic.");
        MapSource source = { .capture = MAP_CAPTURE_NONE };
        int r;

        if (assignment->n_sources == MAP_MAX_SOURCES)
                return invalid(why, "more than %d sources", MAP_MAX_SOURCES);
        if (is_unfinished(text))
                return invalid(why, "a source is missing at its end");
        if (text.n > 0 && (*text.data == '\'' || *text.data == '"')) {
                if (!text_unquote(&text))
                        return invalid(why,
                                       "more follows the quotes: %.*s",
                                       (int)text.n,
                                       text.data);
                source.constant = text;
        } else if (text.n > in_topic.n && memcmp(text.data, in_topic.data, in_topic.n) == 0) {
                source.capture =
                        capture_of(topic, (Text){ text.data + in_topic.n, text.n - in_topic.n });
                if (source.capture == MAP_CAPTURE_NONE)
                        return invalid(why, "the topic has no such name");
        } else if (text_equal(text, TEXT("each.index"))) {
                source.capture = MAP_CAPTURE_INDEX;
        } else if (text_equal(text, TEXT("each.key"))) {
                source.capture = MAP_CAPTURE_KEY;
        } else {
                source.is_whole = text.data && text.n > 1 && *text.data == '^';
                if (source.is_whole)
                        text = (Text){ text.data + 1, text.n - 1 };
                r = json_path_new(&source.path, text);
                if (r == JSON_PATH_E_INVALID)
                        return invalid(why,
                                       "a source is a JSON pointer (/a/b, / is the whole), "
                                       "topic.NAME or 'text'");
                if (r != 0)
                        return err_up(r);
        }
        assignment->sources[assignment->n_sources++] = source;
        return 0;
}

/* What comes before @separator, which is no part of what is in quotes; the rest is what follows. */
static Text take_until(Text *rest, Text separator) {
        size_t n = text_find_unquoted(*rest, separator);
        Text taken = { rest->data, n };

        *rest = n < rest->n ? (Text){ rest->data + n + separator.n, rest->n - n - separator.n }
                            : (Text){ 0 };
        return text_trim(taken);
}

static int read_sources(MapAssignment *assignment,
                        const TopicTemplate *topic,
                        Text text,
                        char why[MAP_WHY_SIZE]) {
        int r = 0;

        while (r == 0 && text.data) {
                Text joined = take_until(&text, TEXT(" or "));

                while (r == 0 && joined.data) {
                        r = read_source(assignment, topic, take_until(&joined, TEXT(" + ")), why);
                        if (r == 0 && joined.data)
                                assignment->sources[assignment->n_sources - 1].is_joined = true;
                }
        }
        return r;
}

static int read_ops(MapAssignment *assignment, Text text, Arena *arena, char why[MAP_WHY_SIZE]) {
        const char *said = NULL;
        int r = 0;

        while (r == 0 && text.data) {
                Text op = take_until(&text, TEXT("|"));

                if (assignment->n_ops == MAP_MAX_OPS)
                        return invalid(why, "more than %d operations", MAP_MAX_OPS);
                r = map_op_parse(&assignment->ops[assignment->n_ops++], op, arena, &said);
                if (r == MAP_E_INVALID)
                        return invalid(why,
                                       "%.*s: %s",
                                       (int)(op.n < 40 ? op.n : 40),
                                       op.data,
                                       said);
        }
        return r;
}

/* The type that comes out at the end, where that is known. */
static MapType given_type(const MapAssignment *assignment) {
        MapType type = MAP_NOTHING;

        for (size_t i = 0; i < assignment->n_ops; ++i) {
                MapType given = map_op_gives(&assignment->ops[i]);

                if (given != MAP_NOTHING)
                        type = given;
        }
        return type;
}

/* What the target is read as; MAP_NOTHING: as it is. */
static MapType wanted_type(const MapAssignment *assignment, Kind kind) {
        const KnownMember *known = assignment->capture == MAP_CAPTURE_NONE
                                           ? known_member(kind, assignment->name)
                                           : NULL;

        if (assignment->target == MAP_TO_TIME)
                return MAP_TIME;
        return known && assignment->target <= MAP_TO_DATA ? known->type : MAP_NOTHING;
}

/* Text may be a number or a switch, and a number text; nothing else is another. */
static int check_type(const MapAssignment *assignment, Kind kind, char why[MAP_WHY_SIZE]) {
        static const char *const names[] = { "anything", "text",   "a number",
                                             "a switch", "a time", "an array or object" };
        MapType given = given_type(assignment), wanted = wanted_type(assignment, kind);

        if (wanted == MAP_NOTHING || given == MAP_NOTHING || given == wanted ||
            (given == MAP_TEXT && wanted != MAP_JSON) ||
            (given == MAP_NUMBER && wanted != MAP_JSON))
                return 0;
        return invalid(why,
                       "%.*s is %s, and what comes out is %s",
                       (int)assignment->name.n,
                       assignment->name.data ? assignment->name.data : "",
                       names[wanted],
                       names[given]);
}

/* What comes of it, from the operation @first on, is a value of the type that is wanted; why:
 * static, NULL if it is. */
static int check_value(const MapAssignment *assignment,
                       MapType wanted,
                       size_t first,
                       MapValue *value,
                       Arena *arena,
                       const char **ret_why) {
        static const MapOpKind makes[] = {
                [MAP_NUMBER] = MAP_OP_NUMBER, [MAP_BOOL] = MAP_OP_BOOL, [MAP_TIME] = MAP_OP_TIME
        };
        const MapSetting setting = { .arena = arena };
        int r = 0;

        *ret_why = NULL;
        for (size_t i = first; r == 0 && !*ret_why && i < assignment->n_ops; ++i)
                r = map_op_run(&assignment->ops[i], &setting, value, ret_why);
        if (r != 0 || *ret_why || value->type == MAP_NOTHING)
                return r == 0 ? 0 : err_up(r);
        if (wanted == MAP_JSON)
                *ret_why = "not an array or object";
        else if (wanted == MAP_NUMBER || wanted == MAP_BOOL || wanted == MAP_TIME)
                r = map_op_run(&(MapOp){ .kind = makes[wanted] }, &setting, value, ret_why);
        return r == 0 ? 0 : err_up(r);
}

/* Ranges and words: what the kind would say of it in each message. */
static int check_range(const MapAssignment *assignment,
                       const Map *map,
                       const MapValue *value,
                       char why[MAP_WHY_SIZE]) {
        CLEANUP_BUF Buf json = { 0 };
        MapTarget target = assignment->target;
        bool is_known = assignment->capture == MAP_CAPTURE_NONE && target <= MAP_TO_DATA &&
                        known_member(map->kind, assignment->name);
        int r;

        if (!map->judge)
                return 0;
        if (target >= MAP_TO_USER && value->type == MAP_TEXT && value->text.n == 0)
                return invalid(why, "a name without a character");
        if (!is_known || value->type == MAP_NOTHING || value->type == MAP_TIME)
                return 0;
        if (value->type == MAP_TEXT)
                buf_json_string(&json, value->text);
        else if (value->type == MAP_BOOL)
                buf_json_bool(&json, value->is_true);
        else
                buf_append_text(&json, value->text);
        if (buf_failed(&json))
                return err_new(-ENOMEM);
        r = map->judge(map->kind, assignment->name, target == MAP_TO_DATA, buf_text(&json), why);
        return r > 0 ? MAP_E_INVALID : err_up(r);
}

/* Of what stands in the line, and comes to the operation @first. */
static int check_constant(const MapAssignment *assignment,
                          const Map *map,
                          size_t first,
                          MapValue value,
                          char why[MAP_WHY_SIZE]) {
        MapType wanted = wanted_type(assignment, map->kind);
        const Text constant = value.text;
        char of_kind[MAP_WHY_SIZE];
        const char *said = NULL;
        int r = check_value(assignment, wanted, first, &value, map->arena, &said);

        if (r == 0 && !said) {
                r = check_range(assignment, map, &value, of_kind);
                said = r == MAP_E_INVALID ? of_kind : NULL;
        }
        if (r < 0)
                return err_up(r);
        if (!said)
                return 0;
        return invalid(why,
                       "%s%.*s%s: %s",
                       constant.data ? "'" : "default",
                       (int)(constant.n < 40 ? constant.n : 40),
                       constant.data ? constant.data : "",
                       constant.data ? "'" : "",
                       said);
}

/* What is always the same shows now what each message would: texts, `default`, and what words mean.
 */
static int check_constants(const MapAssignment *assignment,
                           const Map *map,
                           char why[MAP_WHY_SIZE]) {
        /* Of nothing only `default` makes something. */
        int r = check_constant(assignment, map, 0, (MapValue){ .type = MAP_NOTHING }, why);

        for (size_t i = 0; r == 0 && i < assignment->n_sources; ++i) {
                const MapSource *source = &assignment->sources[i];
                bool is_part = source->is_joined || (i > 0 && source[-1].is_joined);
                MapValue value = { .type = MAP_TEXT, .text = source->constant };

                if (!source->path && source->capture == MAP_CAPTURE_NONE && !is_part)
                        r = check_constant(assignment, map, 0, value, why);
        }
        for (size_t i = 0; r == 0 && i < assignment->n_ops; ++i)
                for (size_t k = 0; r == 0 && k < assignment->ops[i].n_words; ++k) {
                        MapValue value = { .type = MAP_TEXT,
                                           .text = assignment->ops[i].words[k].meaning };

                        if (assignment->ops[i].kind == MAP_OP_WORD)
                                r = check_constant(assignment, map, i + 1, value, why);
                }
        return r;
}

/* An object is in the payload, and stays one. */
static int check_spread(const MapAssignment *assignment, char why[MAP_WHY_SIZE]) {
        bool is_place = assignment->n_ops == 0;

        for (size_t i = 0; i < assignment->n_sources; ++i)
                is_place = is_place && assignment->sources[i].path &&
                           !assignment->sources[i].is_joined;
        return is_place
                       ? 0
                       : invalid(why, "* takes an object in the payload (/a/b), and no operations");
}

static int read_line(MapAssignment *assignment,
                     const Map *map,
                     const TopicTemplate *topic,
                     char why[MAP_WHY_SIZE]) {
        Text rest = assignment->line[1];
        int r = read_target(assignment, map, topic, assignment->line[0], why);

        if (r == 0 && !text_is_closed(rest))
                return invalid(why, "a quote is not closed");
        if (r == 0)
                r = read_sources(assignment, topic, take_until(&rest, TEXT("|")), why);
        if (r == 0)
                r = read_ops(assignment, rest, map->arena, why);
        if (r == 0)
                r = assignment->is_spread ? check_spread(assignment, why)
                                          : check_type(assignment, map->kind, why);
        if (r == 0 && !assignment->is_spread)
                r = check_constants(assignment, map, why);
        if (r == 0 && assignment->target == MAP_TO_TIME && given_type(assignment) != MAP_TIME)
                assignment->ops[assignment->n_ops++] = (MapOp){ .kind = MAP_OP_TIME };
        return r;
}

int map_add(Map *map,
            const TopicTemplate *topic,
            Text target,
            Text expression,
            char ret_why[MAP_WHY_SIZE]) {
        MapAssignment assignment = { 0 };
        int r = 0;

        assignment.line[0] = arena_copy(map->arena, target.data, target.n);
        assignment.line[1] = arena_copy(map->arena, expression.data, expression.n);
        if (!assignment.line[0].data || !assignment.line[1].data)
                return err_new(-ENOMEM);
        if (map->n == MAP_MAX_ASSIGNMENTS)
                return invalid(ret_why, "more than %d assignments", MAP_MAX_ASSIGNMENTS);
        r = read_line(&assignment, map, topic, ret_why);
        if (r == 0 && !VEC_HAS_ROOM(map->items, map->n, map->capacity, 8))
                r = err_new(-ENOMEM);
        if (r != 0) {
                assignment_done(&assignment);
                return r;
        }
        map->items[map->n++] = assignment;
        return 0;
}
