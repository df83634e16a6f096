#include "gateway/read/readers.h"

#include "base/err.h"
#include "gateway/read/answer_once.h"
#include "gateway/read/answer_stream.h"
#include "gateway/read/login_cache.h"
#include "gateway/read/query_lane.h"

#define READERS_NICE 10 /* of who hashes for those who may well be guessing */

typedef enum ReadersSort {
        READERS_SIGN_IN,   /* scrypt: a core for 50 ms */
        READERS_RETURNING, /* the same, from where it was good before */
        READERS_CROWD,     /* or of one of many who are new at a time */
        READERS_KNOWN,     /* or of one of them whose account there is */
        READERS_SUSPECT,   /* or from where it has just failed, or comes too often */
        READERS_COMMANDS,
        READERS_RESUME,
        READERS_STATISTICS,
        READERS_HISTORY,
        READERS_COUNT,
} ReadersSort;

struct Readers {
        LoginCache *logins;
        QueryLane *lanes[READERS_COUNT];
};

/* Whoever comes with a crowd that has never been here and is nobody, or guesses, uses what the
 * others leave of a core each. Of those who come back none has both readers, so that there is
 * always one for the next. */
static const struct {
        const char *name; /* of its connections, in pg_stat_activity */
        size_t n_threads; /* 0: as many as are configured */
        int nice;
        bool is_stream;
} readers_lanes[READERS_COUNT] = {
        [READERS_SIGN_IN] = { .name = "sign-in", .n_threads = 1 },
        [READERS_RETURNING] = { .name = "returning", .n_threads = 2 },
        [READERS_CROWD] = { .name = "crowd", .n_threads = 1, .nice = READERS_NICE },
        [READERS_KNOWN] = { .name = "known", .n_threads = 1 },
        [READERS_SUSPECT] = { .name = "suspect", .n_threads = 1, .nice = READERS_NICE },
        [READERS_COMMANDS] = { .name = "query" },
        [READERS_RESUME] = { .name = "replay" },
        [READERS_STATISTICS] = { .name = "statistics" },
        [READERS_HISTORY] = { .name = "history", .is_stream = true },
};

static ReadersSort readers_sort(const Query *query) {
        switch (query->kind) {
        case QUERY_LOGIN:
                if (query->is_proven)
                        return READERS_RETURNING;
                if (query->is_suspect)
                        return READERS_SUSPECT;
                if (query->is_early)
                        return READERS_SIGN_IN;
                return query->account != 0 ? READERS_KNOWN : READERS_CROWD;
        case QUERY_DEVICE_TOKEN:
                return query->password ? READERS_CROWD : READERS_COMMANDS;
        case QUERY_DETECTION_STATS:
        case QUERY_CAMERA_STATS:
        case QUERY_PAGE:
        case QUERY_LETTERS:
        case QUERY_LETTERS_ASK:
        case QUERY_LETTERS_STATE:
        case QUERY_NODES:
                return READERS_STATISTICS;
        case QUERY_REPLAY:
                return READERS_RESUME;
        case QUERY_HISTORY:
                return READERS_HISTORY;
        default:
                return READERS_COMMANDS;
        }
}

static int readers_open(Readers *readers,
                        ReadersSort sort,
                        const ReadersOptions *options,
                        Queue *outbox) {
        bool is_stream = readers_lanes[sort].is_stream;
        const QueryLaneOptions lane = {
                .reader = {
                        .name = readers_lanes[sort].name,
                        .database_url = options->database_url,
                        .statement_timeout_ms = options->statement_timeout_ms,
                        .stream_timeout_ms = options->stream_timeout_ms,
                        .greeting = is_stream ? ANSWER_STREAM_GREETING : NULL,
                        .logins = readers->logins,
                        .outbox = outbox,
                },
                .n_threads = readers_lanes[sort].n_threads ? readers_lanes[sort].n_threads
                                                           : options->n_connections,
                .capacity = options->capacity,
                .n_share = options->n_share,
                .nice = readers_lanes[sort].nice,
                .waiting = is_stream ? METRIC_HISTORY_WAITING : METRIC_QUERY_WAITING,
                .answer = is_stream ? answer_stream : answer_once,
                .refused = sort == READERS_KNOWN ? readers->lanes[READERS_CROWD] : NULL,
        };
        int r;

        r = query_lane_new(&readers->lanes[sort], &lane);
        return err_up(r);
}

int readers_new(Readers **ret_readers, const ReadersOptions *options, Queue *outbox) {
        CLEANUP(readers_free) Readers *readers = NULL;
        int r;

        readers = calloc(1, sizeof(*readers));
        if (!readers)
                return err_new(-ENOMEM);
        r = login_cache_new(&readers->logins, options->login_cache, options->login_cache_ttl_s);
        for (int sort = 0; r == 0 && sort < READERS_COUNT; ++sort)
                r = readers_open(readers, (ReadersSort)sort, options, outbox);
        if (r < 0)
                return err_up(r);
        *ret_readers = TAKE(&readers);
        return 0;
}

void readers_stop(Readers *readers) {
        for (size_t sort = 0; sort < READERS_COUNT; ++sort)
                query_lane_stop(readers->lanes[sort]);
}

Readers *readers_free(Readers *readers) {
        if (!readers)
                return NULL;

        for (size_t sort = 0; sort < READERS_COUNT; ++sort)
                query_lane_free(readers->lanes[sort]);
        login_cache_free(readers->logins);
        free(readers);
        return NULL;
}

int readers_ask(Readers *readers, Query **queryp) {
        int r;

        r = query_lane_push(readers->lanes[readers_sort(*queryp)], queryp);
        return r == QUERY_LANE_E_FULL ? READERS_E_FULL : err_up(r);
}
