#pragma once

/*
 * Route: which topics carry which kind, and under what rules.
 *
 * A Routes table is immutable and reference-counted; a reload makes a new one.
 */

#include "base/base.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "gateway/decode/condition.h"
#include "gateway/decode/format.h"
#include "gateway/decode/map.h"
#include "model/record.h"
#include "model/topic.h"

#define ROUTE_MAX_AHEAD_US CLOCK_SLACK_US        /* a time further ahead is none, docs/time.md */
#define ROUTE_MAX_AGE_US   (3650 * CLOCK_DAY_US) /* one that far back neither */
#define ROUTE_DOOR_BYTES   ((size_t)1048576)     /* of a payload of a kind without a route */
#define ROUTE_NEAR_DBM     -60                   /* and its zones */
#define ROUTE_MEDIUM_DBM   -75
#define ROUTE_PERSON       "person_name, face_name"
#define ROUTE_PERSON_MAX   64 /* bytes of one such name */

#define ROUTE_EACH_MAX_DEFAULT 1000
#define ROUTE_EACH_MAX_MOST    4096

typedef struct Route Route;
typedef struct RouteJoint RouteJoint;
typedef struct Routes Routes;

/* A device of which a topic says whether it is there: maybe one of several, and of several. */
typedef enum RouteMode {
        ROUTE_LATEST, /* what was said last, on whichever topic */
        ROUTE_ALL,    /* it is there while all of its topics say so, */
        ROUTE_ANY,    /* or any */
} RouteMode;

struct RouteJoint {
        char *device;
        RouteMode mode;
        char **topics; /* of ALL and ANY: all that say so, with this one */
        size_t n_topics;
};

struct Route {
        char *name;
        char *origin; /* of its topic, as "file:12"; NULL = built in */
        TopicTemplate *topic;
        Kind kind;
        bool auto_register;          /* create devices that are not known */
        bool rebirth;                /* ask nodes of Sparkplug to be born again */
        bool merges;                 /* telemetry: it says what has changed */
        Zone *zone;                  /* of times without offset; NULL = UTC */
        int64_t max_ahead_us;        /* a device's time is believed up to so far ahead of ours, */
        int64_t max_age_us;          /* and so far behind; 0 = ROUTE_MAX_… */
        size_t max_bytes;            /* of a payload */
        double near_dbm, medium_dbm; /* ble_detections: at or above is near, medium; else far */
        char *person;  /* camera_event: members of data that name a person, with commas; NULL = as
                        * ROUTE_PERSON */
        char **ignore; /* filters of topics that it does not take, */
        size_t n_ignore;
        Condition *when; /* only what this holds for; NULL = all */
        Format format;
        JsonPath *each;    /* where the elements are that are messages of their own; NULL = it is
                              one */
        bool each_members; /* of an object, too */
        uint32_t each_max; /* elements of one message */
        bool keeps_named;  /* of a mapped message only what the map names */
        size_t use;        /* routes of one use of a profile have the same; 0 = of none */
        char *said_name, *said_location; /* of its device, as was announced; NULL: not known */
        char *said_maker, *said_model, *said_firmware;
        RouteJoint *joints; /* device_status: whose each message is, one for each */
        size_t n_joints;    /* 0: of whom topic or map say */
        Map *map;           /* NULL: the payload has the members of its kind */
};

MUST_CHECK int routes_new(Routes **ret_routes);
/* Those of @base, which is referred to, come before all that are added; as do its doors. */
MUST_CHECK int routes_new_behind(Routes **ret_routes, Routes *base);
Routes *routes_ref(Routes *routes);
Routes *routes_unref(Routes *routes);

MUST_CHECK int routes_add(Routes *routes,
                          const Route *route); /* takes what it points to on success; -ENOMEM */
bool routes_have_each(const Routes *routes);   /* does any, or has joints? */
bool routes_have_merge(const Routes *routes);
size_t routes_length(const Routes *routes);
const Route *routes_get(const Routes *routes, size_t i);

void route_done(Route *route); /* frees all that it points to */

/* How far ahead of the receipt a time is believed. */
static inline int64_t route_ahead_us(const Route *route) {
        return route->max_ahead_us > 0 ? route->max_ahead_us : ROUTE_MAX_AHEAD_US;
}

bool route_ignores(const Route *route, Text topic);
/* May there be a topic that both are asked about? */
bool route_meets(const Route *a, const Route *b);
/* The places of those that meet the one at @place, ascending, without itself. @ret_places has room
 * for routes_length(). */
size_t routes_meeting(const Routes *routes, size_t place, uint32_t ret_places[]);

#define ROUTES_MAX_TAKING 32 /* routes that are asked about one topic: the first */

/* The routes, in order, whose template matches the topic, and which do not ignore it. *ret_ignored:
 * one of those that match does. */
size_t routes_taking(const Routes *routes,
                     Text topic,
                     const Route *ret_routes[ROUTES_MAX_TAKING],
                     bool *ret_ignored);
/* The first of them, whatever it may be for; NULL if there is none. */
const Route *routes_match(const Routes *routes, Text topic, TopicMatch *ret_match);
const Route *routes_by_kind(const Routes *routes, Kind kind); /* the first; NULL if none has it */

/* What comes by other doors than MQTT needs no topic: the first route of the kind that has no
 * map has the rules, or none, and then they are those that always hold. NULL: such a kind comes by
 * MQTT alone. */
const Route *routes_door(const Routes *routes, Kind kind);
void routes_set_door_time(Routes *routes, int64_t max_ahead_us, int64_t max_age_us); /* of these */

DEFINE_CLEANUP(Routes *, routes_unref);
