#pragma once

/*
 * WsPending: the commands of native clients that the database has not answered yet.
 *
 * One list a hub, oldest first, bounded; a client that leaves takes its own with it. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/query.h"

#define WS_PENDING_TICKET (UINT64_C(1) << 63) /* in every ticket of ours: not one of WsHttp */

typedef struct Queue Queue;
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
        uint64_t ticket;
        WsPendingOwner owner;
        Buf id; /* of the request, as JSON */
        int64_t deadline_ms;
        TAILQ_ENTRY(WsPending) entry;
};

struct WsPendings { /* memory of the hub */
        TAILQ_HEAD(, WsPending) list;
        size_t n;
        uint64_t n_tickets;
};

enum {
        WS_PENDING_E_FULL = 1, /* too many are under way: ask again later */
};

void ws_pendings_init(WsPendings *pendings);

/* Asks: takes *queryp. @owner and @id are copied. */
MUST_CHECK int ws_pendings_add(WsPendings *pendings,
                               Queue *queries, /* NULL: nothing is asked */
                               Query **queryp,
                               const WsPendingOwner *owner,
                               Text id);
void ws_pendings_forget(WsPendings *pendings, const WsClient *client);
MUST_CHECK int ws_pendings_answer(WsPendings *pendings, const Answer *answer);
MUST_CHECK int ws_pendings_turn(WsPendings *pendings, int64_t now_ms); /* gives up on the oldest */
