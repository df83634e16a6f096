#pragma once

/*
 * Query and Answer: what a ws loop asks of the database, and what it is told.
 *
 * Nothing that waits runs on a loop: it pushes a Query on the query queue and goes
 * on; the query thread computes the Answer and sends it through the outbox as an
 * Event. @ticket says who asked; the asker may be gone by then. A full queue
 * refuses the query (503 with Retry-After).
 */

#include "gateway/base/base.h"
#include "gateway/base/buf.h"

typedef struct Answer Answer;
typedef struct Query Query;

typedef enum QueryKind {
        QUERY_LOGIN,           /* username, password -> user_id */
        QUERY_DETECTION_STATS, /* user_ids, minutes, device_id -> one body a user id: PROTOCOL 3 A,
                                  "data" */
        QUERY_CAMERA_STATS,    /* user_ids -> one body a user id: PROTOCOL 3 E, "data" */
} QueryKind;

struct Query {
        QueryKind kind;
        uint64_t ticket;
        char *username, *password; /* owned; the password is wiped on free */
        int64_t *user_ids;         /* owned; 0 = everything (admins, anonymous paths) */
        size_t n_user_ids;
        int minutes;
        int64_t device_id; /* 0 = all that the user may see */
};

struct Answer {
        QueryKind kind;
        uint64_t ticket;
        int status;        /* as HTTP: 200, 401 (wrong password), 503 (database away) */
        int64_t user_id;   /* QUERY_LOGIN */
        int64_t *user_ids; /* owned; as asked */
        Buf *bodies;       /* owned, one JSON object a user id */
        size_t n_bodies;
};

MUST_CHECK int query_new(Query **ret_query, QueryKind kind, uint64_t ticket);
Query *query_free(Query *query);
MUST_CHECK int answer_new(
        Answer **ret_answer,
        const Query *query); /* bodies empty, one a user id of the query, status 503 */
Answer *answer_free(Answer *answer);

DEFINE_CLEANUP(Query *, query_free);
DEFINE_CLEANUP(Answer *, answer_free);
