#pragma once

/*
 * Map: a table of typed assignments, from places in a payload to members of its kind.
 *
 *   target = source { + source } { or source { + source } } { | operation }
 *
 * A source is a JSON path (json_path.h), `topic.NAME` (what a name of the template took) or
 * 'text'; of an element of a message (elements.h) also `^` and a path in the whole message,
 * `each.index` and `each.key`; or several of these with ` + ` between, as one text. The first that
 * is there counts, and the next where `null` made nothing of it. A target is `time`, `user`,
 * `vehicle`, `device` (also `camera`), a member of the kind, or, where the kind keeps what it does
 * not know, any name; also
 * `{name}`: what that name of the template took; or `*`, also behind the beginning of a name: each
 * member of an object. docs/mapping.md is the reference.
 *
 * Made while a configuration is read; then immutable, any thread.
 */

#include "base/base.h"
#include "gateway/decode/json_path.h"
#include "gateway/decode/map_op.h"
#include "model/record.h"
#include "model/topic.h"

#define MAP_MAX_ASSIGNMENTS 64
#define MAP_MAX_SOURCES     16 /* of an assignment */
#define MAP_MAX_TARGET      64
#define MAP_WHY_SIZE        200

typedef struct Map Map;
typedef struct MapAssignment MapAssignment;
typedef struct MapSource MapSource;

typedef enum MapTarget {
        MAP_TO_MEMBER,
        MAP_TO_DATA, /* a member of the member `data` */
        MAP_TO_TIME,
        MAP_TO_USER,
        MAP_TO_VEHICLE,
        MAP_TO_DEVICE,
} MapTarget;

/* What a name of a template took. */
typedef enum MapCapture {
        MAP_CAPTURE_KEY = -6,   /* not of the topic: the name of an element in its object, */
        MAP_CAPTURE_INDEX = -5, /* and its place, from 0 */
        MAP_CAPTURE_NONE = -4,
        MAP_CAPTURE_USER = -3,
        MAP_CAPTURE_VEHICLE = -2,
        MAP_CAPTURE_DEVICE = -1,
        MAP_CAPTURE_OTHER = 0, /* and up: the place in TopicMatch.others */
} MapCapture;

struct MapSource {
        JsonPath *path; /* or */
        bool is_whole;  /* that path: in all that came, where this is an element of it */
        int capture;    /* MapCapture; or, with neither: */
        Text constant;
        bool is_joined; /* with the one behind it: one text */
};

struct MapAssignment {
        MapTarget target;
        Text name;      /* of MAP_TO_MEMBER and _DATA, */
        int capture;    /* or that which this name took: MapCapture */
        bool is_spread; /* each member of the source, @name in front of its own */
        MapSource sources[MAP_MAX_SOURCES];
        size_t n_sources;
        MapOp ops[MAP_MAX_OPS + 1]; /* `time` may be added */
        size_t n_ops;
        Text line[2]; /* as they stand: target and the rest */
};

/* Would a member of the kind that is always @value, a piece of JSON, be used? 0; > 0 with why not.
 */
typedef int (
        *MapJudgeFn)(Kind kind, Text member, bool in_data, Text value, char ret_why[MAP_WHY_SIZE]);

MUST_CHECK int map_new(Map **ret_map, Kind kind);
Map *map_free(Map *map);
/* Who is asked about what is the same in each message, of what is added from here on. */
void map_set_judge(Map *map, MapJudgeFn judge);

/* 0, MAP_E_INVALID with what is wrong, for people, or -ENOMEM. */
MUST_CHECK int map_add(Map *map,
                       const TopicTemplate *topic,
                       Text target,
                       Text expression,
                       char ret_why[MAP_WHY_SIZE]);

size_t map_length(const Map *map);
const MapAssignment *map_get(const Map *map, size_t i);
bool map_gives(const Map *map, MapTarget target); /* does any assignment? */
bool map_asks(const Map *map, int capture);       /* does any source? */

/* What the map gets for an assignment out of what is no JSON; NONE: it has no such. */
Text map_captured(int capture, const TopicMatch *match);

DEFINE_CLEANUP(Map *, map_free);
