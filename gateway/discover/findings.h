#pragma once

/*
 * Findings: what all announcements together say: devices, their points, and what was refused.
 *
 * A point is a topic, a place in its payload and a member of telemetry. A topic belongs to the
 * device that named it first, so that a message is stored once and nobody takes another's over; own
 * routes come before any. Whether a device is there is said by topics that it may share with
 * others, each by itself or all together. What comes of it is a table of routes.
 *
 * Made anew of all announcements at each change, in the order of their first arrival, and immutable
 * then. Texts live as long as the findings.
 */

#include "base/arena.h"
#include "base/base.h"
#include "gateway/decode/route.h"
#include "gateway/discover/rule.h"

#define FINDINGS_MAX_REFUSED 1000                /* that are listed; more are counted */
#define FINDINGS_MAX_TEXT    512                 /* bytes of what was refused that are kept */
#define FINDINGS_MAX_SOURCES 8                   /* topics that say whether a device is there */
#define FINDINGS_MAX_SHARERS ROUTE_EACH_MAX_MOST /* devices of which one topic says so */

typedef struct Findings Findings;
typedef struct FoundDevice FoundDevice;
typedef struct FoundPoint FoundPoint;
typedef struct FoundRefusal FoundRefusal;
typedef struct FoundSharer FoundSharer;
typedef struct FoundTopic FoundTopic;

struct FoundDevice {
        Text code, user; /* no user: absent */
        Text name, model, manufacturer, firmware, area;
        const DiscoverRule *rule; /* borrowed */
        size_t n_points;
        FoundTopic *topics;                        /* by their siblings */
        FoundTopic *sources[FINDINGS_MAX_SOURCES]; /* that say whether it is there */
        size_t n_sources;
        RouteMode mode; /* how they say it */
        bool has_mode;
        FoundDevice *next;
};

struct FoundPoint {
        Text name; /* of the member; "status": whether the device is there */
        Text line; /* place and operations, as a line of a map has them */
        Text config;
        Text component, unit, device_class; /* absent: not said */
        bool is_missing;                    /* its announcement, as in Notice */
        FoundPoint *next;
};

struct FoundTopic {
        Text topic;
        FoundDevice *device;
        bool is_json;                        /* else bare text */
        bool is_status;                      /* whether its devices are there */
        bool is_refused;                     /* and it may not: of no use */
        FoundSharer *sharers, **last_sharer; /* these devices, in their order */
        size_t n_sharers;
        Text time; /* line of a map: when a message is of; absent: of when it comes */
        size_t n_points;
        FoundPoint *points;         /* in their order */
        FoundTopic *next, *sibling; /* of all, and of the device's; the latter the newest first */
};

struct FoundSharer {
        FoundDevice *device;
        FoundSharer *next;
};

struct FoundRefusal {
        Text config, name; /* absent: the whole */
        const char *why;   /* static */
        Text text;         /* a template, a topic; absent: there is none */
        FoundRefusal *next;
};

/* Both in the order of arrival. @own is referred to; NULL: none. */
MUST_CHECK int findings_new(Findings **ret_findings, Routes *own);
Findings *findings_free(Findings *findings);

Arena *findings_arena(Findings *findings); /* for what is given to it */
MUST_CHECK int findings_keep(Findings *findings, Text text, Text *ret_text); /* a copy there */

/* The device of that name, which is made if it is new. *ret_device: NULL if there are as many as
 * there may be, which is refused. */
MUST_CHECK int findings_device(Findings *findings,
                               const DiscoverRule *rule,
                               Text user,
                               Text code,
                               Text config,
                               FoundDevice **ret_device);
/* Copies @point. Where it cannot be, it is refused. */
MUST_CHECK int findings_add(Findings *findings,
                            FoundDevice *device,
                            Text topic,
                            bool is_json,
                            const FoundPoint *point);
/* How the topics say it that say whether @device is there. The first announcement that says how
 * counts. */
MUST_CHECK int findings_set_mode(Findings *findings,
                                 FoundDevice *device,
                                 RouteMode mode,
                                 Text config);
/* Whether @device is there: its line gives online or offline. */
MUST_CHECK int findings_add_status(Findings *findings,
                                   FoundDevice *device,
                                   Text topic,
                                   bool is_json,
                                   const FoundPoint *point);
/* Where messages of @topic say when they are of; nothing, if the device has no point of it. */
MUST_CHECK int findings_add_time(Findings *findings,
                                 const FoundDevice *device,
                                 Text topic,
                                 Text line);
MUST_CHECK int findings_refuse(Findings *findings,
                               Text config,
                               Text name,
                               const char *why,
                               Text text);

const FoundDevice *findings_devices(const Findings *findings);
const FoundTopic *findings_topics(const Findings *findings);
const FoundRefusal *findings_refused(const Findings *findings);
size_t findings_n_devices(const Findings *findings);
size_t findings_n_points(const Findings *findings);
size_t findings_n_refused(const Findings *findings);

DEFINE_CLEANUP(Findings *, findings_free);
