#pragma once

/*
 * Readers: who reads the database for the ws loops. Sorts of questions have lanes of their own.
 *
 * A statistic that waits for a lock so holds up no log-in, a log-in's scrypt no command, and a
 * heavy page of history no resume; in a lane each party has its turn and its share. Whoever asks
 * hands his question to its lane by himself, and never waits.
 */

#include "base/base.h"
#include "model/query.h"

typedef struct Queue Queue;
typedef struct Readers Readers;
typedef struct ReadersOptions ReadersOptions;

struct ReadersOptions {
        const char *database_url;
        int statement_timeout_ms;
        int stream_timeout_ms; /* of a whole page of history; the one above is of its pieces */
        size_t n_connections;  /* of each lane that reads tables */
        size_t login_cache;    /* users whose log-in is kept (gateway/read/login_cache.h) */
        int64_t login_cache_ttl_s;
        size_t capacity; /* questions that wait in a lane */
        size_t n_share;  /* of them of one user, device or address */
};

enum {
        READERS_E_FULL = 1, /* the lane has no place, or none for this party */
};

MUST_CHECK int readers_new(Readers **ret_readers,
                           const ReadersOptions *options,
                           Queue *outbox); /* borrowed */
void readers_stop(Readers *readers);     /* breaks off what is under way, joins; refuses the rest */
Readers *readers_free(Readers *readers); /* after the last who asks */

/* Any thread. Takes *queryp on success. */
MUST_CHECK int readers_ask(Readers *readers, Query **queryp);

DEFINE_CLEANUP(Readers *, readers_free);
