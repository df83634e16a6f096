#pragma once

/*
 * Query and Answer: what a ws loop asks of the database, and what it is told.
 *
 * Nothing that waits runs on a loop: it hands a Query to the readers and goes on;
 * one of them computes the Answer and sends it through the outbox as an Event.
 * @question says who asked; the asker may be gone by then. Readers that are
 * busy, or of which @party has its share, refuse the query (503 with Retry-After).
 */

#include "base/base.h"
#include "base/buf.h"
#include "base/stream.h"
#include "model/history_query.h"
#include "model/letter_query.h"
#include "model/manage_query.h"
#include "model/page_query.h"

typedef struct Answer Answer;
typedef struct Event Event;
typedef struct Query Query;
typedef struct Runs Runs;

#define QUERY_COMMAND_ID_SIZE 40 /* "cmd_" and 32 hex digits, with NUL */

typedef enum QueryKind {
        QUERY_LOGIN,           /* username, password -> user_id, generation */
        QUERY_DETECTION_STATS, /* user_ids, minutes, device_id -> one body a user id:
                                  docs/protocol.md, 3 A, "data" */
        QUERY_CAMERA_STATS,    /* user_ids -> one body a user id: docs/protocol.md, 3 E, "data" */
        QUERY_COMMAND,        /* a new command, or the one that has its idempotency key -> one body;
                                 202 new, 200 repeated, 404 no such device, 409 the key stands for
                                 something else, 422 a payload that cannot be stored, 429 too many
                                 are under way (is_own: too many of this user's) */
        QUERY_COMMAND_GET,    /* command_id, user_ids -> one body; 200, or 404: none that he sees */
        QUERY_COMMAND_CANCEL, /* command_id, user_ids -> one body; 200 cancelled, now or before;
                                 403; 404: none that he sees; 409: too late, its state says how */
        QUERY_DEVICE_TOKEN, /* device_id, token_checked, token_anew, password -> 200, 401; see below
                             */
        QUERY_OWNER,  /* device_id or vehicle_id, owner_id, user_ids[0] (an admin) -> its status:
                         200, 403: no admin any more, 404: the thing is gone, 422: its owner is */
        QUERY_MANAGE, /* manage, user_ids[0] (who asks) -> one body; 200, 201 it is new, 403, 404:
                         none that he sees, 409: there is one already, or it is disabled, 422: no
                         such user, or device */
        QUERY_PENDING_COMMANDS, /* device_id -> events: what waits for the device's own socket;
                                   device_id 0: for all devices of owner_id */
        QUERY_UPLINK,      /* device_id, runs -> upto_seq: how far the journal of the gateway that
                              these numbered is stored; is_copied: not by it alone */
        QUERY_HISTORY,     /* history, stream -> chunks of one body, the last marked; 200, 400: the
                              cursor is of no journal that we know, 504: too much to ask */
        QUERY_PAGE,        /* page -> one body; 200, 404: no such thing, 504: too much to ask */
        QUERY_LETTERS,     /* letters, letter_id -> one body; 200, 404: no such letter, 504 */
        QUERY_LETTER_ASK,  /* letter_id, user_ids[0] (an admin) -> one body; 202: it is to be
                              taken in again, 403: no admin any more, 404: no such letter */
        QUERY_LETTERS_ASK, /* letters, user_ids[0] (an admin) -> one body; 202: all of these are to
                              be taken in again, 403 */
        QUERY_LETTERS_STATE, /* -> one body: what became of all that were asked for; 200 */
        QUERY_NODES,         /* cluster -> one body: what all nodes of it say; 200 */
        QUERY_LETTER_STATE,  /* letter_id -> one body; 200, 404: nobody has asked, or long ago */
        QUERY_TRY,    /* attempt -> one body; 200: what routes would make of it, 422: what is wrong
                         with it, as members of a problem */
        QUERY_REPLAY, /* replay -> events in order of seq, all there are up to upto_seq; 200, 404:
                         no  such epoch, 410: what came after the cursor is not all here any more */
} QueryKind;

/* What a subscriber missed. Numbers of the journals before ours are below ours: one number line. */
typedef struct QueryReplay QueryReplay;

#define QUERY_PARTS_MAX 64

/* Of one of several journals. */
typedef struct QueryPart QueryPart;

struct QueryPart {
        char epoch[17], own_epoch[17];
        uint64_t after_seq;
};

struct QueryReplay {
        char epoch[17]; /* of the cursor */
        char own_epoch[17];
        bool is_first; /* check the epoch, and that nothing was dropped by retention */
        uint64_t after_seq, upto_seq;
        QueryPart *parts; /* owned; of several journals, in place of the four: each with the events
                             of its slot, all that is stored */
        size_t n_parts;
        uint32_t kinds;                    /* 1 << Kind */
        bool all_vehicles, all_devices;    /* or only these: */
        int64_t *vehicle_ids, *device_ids; /* owned */
        size_t n_vehicle_ids, n_device_ids;
        int limit;        /* events */
        size_t max_bytes; /* of their data, all but the last; 0 = no bound */
        bool is_stored; /* all that is stored, in its order, whatever else is known to be missing */
        bool is_playback; /* what was received from @from_us on and is here, whatever is missing;
                             @is_first: nothing of it was dropped by retention */
        int64_t from_us;
};

/* A message that nobody sent. */
typedef struct QueryTry QueryTry;

struct QueryTry {
        Buf topic, payload;
        Buf config; /* routes to try it with, as INI; in place of those in force if @has_config */
        bool has_config;
};

struct Query {
        QueryKind kind;
        uint64_t question; /* its number, see ws/loop/questions.h */
        uint64_t party;    /* who asks, for fair turns; 0: the gateway itself */
        bool is_proven;   /* a log-in, from where this one was good before: has a lane of its own */
        bool is_early;    /* or of somebody who is new, while not many are: likewise */
        bool is_suspect;  /* or from where one has just failed, or too many came: so has this */
        uint64_t account; /* or to an account that there is, its user's party: so has this; 0: none
                           */
        bool is_guessed;  /* at which somebody else has failed lately: goes behind the others */
        int refused; /* its answer was found, and waits for its turn: its status; 0: it was not */
        int64_t deadline_us;       /* monotonic: nobody waits for the answer any more; 0 = none */
        char *username, *password; /* owned; the password is wiped on free */
        int64_t *user_ids;         /* owned; 0 = everything (admins, anonymous paths) */
        size_t n_user_ids;
        /* Of a device: the hash that there is, and ours, which takes its place if it is still there
         * and has_token_anew. The token is in password where it has to be looked at first. */
        uint8_t token_checked[32], token_anew[32];
        bool has_token_anew;
        int minutes;
        CounterStyle style;           /* QUERY_DETECTION_STATS */
        int64_t device_id;            /* 0 = all that the user may see */
        Runs *runs;                   /* owned, model/edge/runs.h; QUERY_UPLINK */
        int64_t vehicle_id, owner_id; /* QUERY_OWNER; owner 0: nobody. QUERY_PENDING_COMMANDS */

        char *cluster;                            /* owned; QUERY_NODES */
        char *command_id;                         /* owned */
        char *action, *payload, *idempotency_key; /* owned; QUERY_COMMAND; action alone is there
                                                     always; user_ids[0] is who commands */
        int timeout_ms;
        int max_pending, max_own; /* open commands of the device; of them, of this user */

        QueryReplay *replay;  /* owned; QUERY_REPLAY */
        History *history;     /* owned; QUERY_HISTORY */
        Stream *stream;       /* a reference; QUERY_HISTORY */
        PageQuery *page;      /* owned; QUERY_PAGE */
        ManageQuery *manage;  /* owned; QUERY_MANAGE; a password is in password */
        LetterQuery *letters; /* owned; QUERY_LETTERS */
        QueryTry *attempt;    /* owned; QUERY_TRY */
        int64_t letter_id;    /* that one alone; 0 = those of the query; QUERY_LETTER_* */
        bool is_discard;      /* QUERY_LETTER_ASK, QUERY_LETTERS_ASK: is to be forgotten */
};

struct Answer {
        QueryKind kind;
        uint64_t question;           /* as in the query */
        int status;                  /* as HTTP: 200, 401 (wrong password), 503 (database away) */
        int64_t user_id, generation; /* QUERY_LOGIN, QUERY_MANAGE (of a token) */
        int64_t *user_ids;           /* owned; as asked */
        Buf *bodies;                 /* owned, one JSON object a user id, or the page's */
        size_t n_bodies;
        int64_t device_id; /* as asked */
        Event **events;    /* owned */
        size_t n_events;
        uint64_t upto_seq; /* QUERY_REPLAY */
        uint64_t *upto;    /* owned; likewise, of each of several */
        size_t n_upto;
        bool is_cut; /* of several: there is more of one of them; of what waits: perhaps more */
        char command_id[QUERY_COMMAND_ID_SIZE], state[16]; /* QUERY_COMMAND*: what its body says */
        bool is_own;                                       /* QUERY_COMMAND */
        bool is_copied;                                    /* QUERY_UPLINK */
        Buf chunk;    /* QUERY_HISTORY: the next bytes of the body, up to STREAM_CHUNK */
        bool is_last; /* QUERY_HISTORY: the body ends with them */
};

/* The way to the readers. Any thread, never waits; takes *queryp and is 0, or refuses it (> 0). */
typedef int (*QueryFn)(void *arg, Query **queryp);

MUST_CHECK int query_new(Query **ret_query, QueryKind kind);
Query *query_free(Query *query);
/* The one thing that it is about and nothing else: 0 and 0 where it is about all that is seen. */
void query_names(const Query *query, int64_t *ret_vehicle_id, int64_t *ret_device_id);
MUST_CHECK int answer_new(
        Answer **ret_answer,
        const Query *query); /* bodies empty, one a user id of the query, status 503 */
Answer *answer_free(Answer *answer);

DEFINE_CLEANUP(Query *, query_free);
DEFINE_CLEANUP(Answer *, answer_free);
