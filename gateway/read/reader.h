#pragma once

/*
 * Reader: one connection that reads the database for the ws loops, and how its answers leave.
 *
 * It connects when there is something to ask. While the database is away it tries once a second,
 * and says so once; in between it answers at once that nobody is there. Belongs to one thread, but
 * for reader_end().
 */

#include <stdatomic.h>

#include "base/base.h"
#include "base/log.h"
#include "db/conn.h"
#include "model/query.h"

typedef struct LoginCache LoginCache;
typedef struct Queue Queue;
typedef struct Reader Reader;
typedef struct ReaderOptions ReaderOptions;

struct ReaderOptions {
        const char *name; /* of its connection and in the log: static */
        const char *database_url;
        int statement_timeout_ms;
        int stream_timeout_ms; /* of a whole answer in pieces */
        const char
                *greeting;  /* SQL for a new connection, which may refuse it; NULL: none; static */
        LoginCache *logins; /* borrowed; of readers that log in */
        Queue *outbox;      /* borrowed */
        void *arg;          /* borrowed; of the function that answers */
        LogPace *said;      /* borrowed; of lines about refused statements */
};

struct Reader { /* memory of its lane; of this, others write what is atomic */
        ReaderOptions options;
        DbConn *conn;
        int wake_fd; /* eventfd: a cancel, or the end; statements are broken off by it */
        atomic_bool is_ending;
        int64_t retry_at_us;
        bool is_reported; /* that the database is away */
};

enum {
        READER_E_AWAY = 1, /* the database, just now */
        READER_E_LOST,     /* the answer: the outbox stayed full, or is closed */
        READER_E_REFUSED,  /* a log-in that is told so in the turn of those whom nobody knows */
};

MUST_CHECK int reader_init(Reader *reader, const ReaderOptions *options);
void reader_end(Reader *reader); /* any thread: what is under way is broken off, for good */
void reader_done(Reader *reader);

MUST_CHECK int reader_connect(Reader *reader); /* 0: it is open */
void reader_calm(Reader *reader); /* after a cancel: the next question is not met by it */

/* What the server refused, in the log. */
void reader_say_refused(Reader *reader);

MUST_CHECK int reader_send(Reader *reader, Answer **answerp); /* takes it on success */
