#pragma once

/*
 * WsPending: the commands of native clients that the database has not answered yet.
 *
 * One list a hub; a client that leaves takes its own with it. It is bounded by the lane that they
 * are asked in (`database.query_capacity`, `database.query_share`), which counts whom it refuses.
 * Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/query.h"
#include "ws/loop/questions.h"

typedef struct WsClient WsClient;
typedef struct WsPending WsPending;
typedef struct WsPendingOwner WsPendingOwner;
typedef struct WsPendings WsPendings;

/* What the database says, to the request with @id (JSON): once, unless the client has left. */
typedef int (*WsPendingFn)(WsClient *client, Text id, const Answer *answer);

struct WsPendingOwner {
        WsClient *client; /* borrowed */
        uint64_t party;   /* out of whose share it is asked */
        WsPendingFn fn;
};

struct WsPending {
        WsQuestion question;
        WsPendings *pendings; /* borrowed */
        WsPendingOwner owner;
        Buf id; /* of the request, as JSON */
        TAILQ_ENTRY(WsPending) entry;
};

struct WsPendings {             /* memory of the hub */
        WsQuestions *questions; /* borrowed */
        TAILQ_HEAD(, WsPending) list;
        size_t n;
};

enum {
        WS_PENDING_E_FULL = 1, /* too many are under way: ask again later */
};

void ws_pendings_init(WsPendings *pendings, WsQuestions *questions);

/* Asks: takes *queryp. @owner and @id are copied. */
MUST_CHECK int ws_pendings_add(WsPendings *pendings,
                               Query **queryp,
                               const WsPendingOwner *owner,
                               Text id);
void ws_pendings_forget(WsPendings *pendings, const WsClient *client);
