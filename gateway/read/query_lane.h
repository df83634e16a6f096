#pragma once

/*
 * QueryLane: a few threads, each with a reader of its own, that answer one sort of question.
 *
 * Within a lane each party gets its turn (gateway/read/fair_queue.h), and with more than one thread
 * none has them all. Answers go to the outbox as Events.
 */

#include "base/base.h"
#include "gateway/read/reader.h"
#include "model/metrics.h"
#include "model/query.h"

typedef struct QueryLane QueryLane;
typedef struct QueryLaneOptions QueryLaneOptions;

struct QueryLaneOptions {
        ReaderOptions reader; /* of each; its name is the lane's, and the threads' */
        size_t n_threads;
        size_t capacity; /* questions that wait, of all parties */
        size_t n_share;  /* of one party */
        int nice;        /* how far its threads stand back for the others */
        Metric waiting;  /* the gauge that counts them */
        MUST_CHECK int (*answer)(Reader *reader, const Query *query); /* 0, READER_E_REFUSED */
        /* Of log-ins to accounts that there are: turns are the accounts', and who is refused waits
         * here, borrowed, for the turn that he would have had if his were none. NULL: others. */
        QueryLane *refused;
};

enum {
        QUERY_LANE_E_FULL = 1, /* no place, or none for this party */
};

MUST_CHECK int query_lane_new(QueryLane **ret_lane, const QueryLaneOptions *options);
void query_lane_stop(QueryLane *lane); /* breaks off what is under way, joins; takes no more */
QueryLane *query_lane_free(QueryLane *lane);

/* Any thread, never waits. Takes *queryp on success. */
MUST_CHECK int query_lane_push(QueryLane *lane, Query **queryp);

DEFINE_CLEANUP(QueryLane *, query_lane_free);
