#pragma once

/*
 * QueryLane: a few threads, each on a connection of its own, that answer one sort of question.
 *
 * Sorts have lanes of their own, so that a statistic which waits for a lock holds up no log-in, and
 * a log-in's scrypt no command. Within a lane each party gets its turn (gateway/read/fair_queue.h),
 * and with more than one thread none has them all. Answers go to the outbox as Events. What finds
 * the database away is answered 503 at once, between attempts to connect.
 */

#include "base/base.h"
#include "model/query.h"

typedef struct LoginCache LoginCache;
typedef struct Queue Queue;
typedef struct QueryLane QueryLane;
typedef struct QueryLaneOptions QueryLaneOptions;

struct QueryLaneOptions {
        const char *name; /* of its connections: static */
        const char *database_url;
        int statement_timeout_ms;
        size_t n_threads;
        size_t capacity;    /* questions that wait, of all parties */
        size_t n_share;     /* of one party */
        LoginCache *logins; /* borrowed; of lanes that log in */
        int nice;           /* how far its threads stand back for the others */
};

enum {
        QUERY_LANE_E_FULL = 1, /* no place, or none for this party */
};

MUST_CHECK int query_lane_new(QueryLane **ret_lane,
                              const QueryLaneOptions *options,
                              Queue *outbox); /* borrowed */
QueryLane *query_lane_free(QueryLane *lane);  /* stops what is under way, joins */

/* Any thread. Takes *queryp on success. */
MUST_CHECK int query_lane_push(QueryLane *lane, Query **queryp);

/* Tells the asker that nobody answers (503); the outbox may keep it waiting for a second. */
MUST_CHECK int query_lane_refuse(const Query *query, Queue *outbox);

DEFINE_CLEANUP(QueryLane *, query_lane_free);
