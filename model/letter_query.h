#pragma once

/*
 * LetterQuery: which dead letters, or which notes on rows, somebody asks for, and how he says so:
 * on the command line and by HTTP alike.
 *
 * Newest first, by id, which no letter changes: the id of the last one is where the next page
 * begins. Or in groups, most first, which have no pages. Pure.
 */

#include "base/base.h"
#include "base/clock.h"

#define LETTER_TOPIC_SIZE   1024
#define LETTER_NAME_SIZE    256
#define LETTER_PATTERN_SIZE 4096
#define LETTER_SAID_SIZE    512

typedef struct LetterQuery LetterQuery;

typedef enum LetterField {
        LETTER_REASON, /* one or more, with commas */
        LETTER_TOPIC,  /* an MQTT filter */
        LETTER_ROUTE,  /* "" = of none */
        LETTER_DEVICE, /* the code, or the name in the message */
        LETTER_FROM, /* when it first came, from <= t < to: RFC 3339, or how long ago: 90s 5m 2h 7d
                      */
        LETTER_TO,
        LETTER_BY, /* reason, route, device, topic, detail, member (of notes), with commas */
        LETTER_LIMIT,
        LETTER_CURSOR,
        LETTER_FIELD_COUNT
} LetterField;

typedef enum LetterBy {
        LETTER_BY_REASON,
        LETTER_BY_ROUTE,
        LETTER_BY_DEVICE,
        LETTER_BY_TOPIC,
        LETTER_BY_DETAIL,
        LETTER_BY_MEMBER,
        LETTER_BY_COUNT
} LetterBy;

struct LetterQuery {
        uint32_t reasons;              /* 1 << Reason of each; 0 = any */
        unsigned by;                   /* 1 << LetterBy of each; 0 = one by one */
        int64_t from_us, to_us;        /* CLOCK_UNKNOWN = open */
        int64_t before_id;             /* those with smaller ids; 0 = all */
        int limit, most;               /* of rows; most of what may be asked for */
        bool has_route, is_notes;      /* of rows: these have members */
        char topic[LETTER_TOPIC_SIZE]; /* "" = any */
        char route[LETTER_NAME_SIZE], device[LETTER_NAME_SIZE];
};

/* Of at most so many rows, and so many if nothing is said. */
#define LETTER_QUERY_INIT(n, n_most) \
        { .from_us = CLOCK_UNKNOWN, .to_us = CLOCK_UNKNOWN, .limit = (n), .most = (n_most) }

const char *letter_by_name(LetterBy by);

/* false: it cannot be that, and @ret_said says what it may be: "'x': allowed: bad_json, …" */
bool letter_query_set(LetterQuery *query,
                      LetterField field,
                      Text value,
                      int64_t now_us,
                      char ret_said[LETTER_SAID_SIZE]);

/* The filter as a regular expression of PostgreSQL's. */
void letter_query_pattern(const LetterQuery *query, char ret_pattern[LETTER_PATTERN_SIZE]);
