#pragma once

/*
 * WsSession: how one HTTP connection reads its request and gets its answer written.
 *
 * The one place that writes HTTP to lws. A request that cannot be answered in the callback it came
 * with takes a waiter, of which there are WS_SESSION_WAITERS; when its connection ends the waiter
 * is free again, and who brings the answer finds nobody. Knows neither paths nor users. Functions
 * that return an int return what the lws callback returns: 0 goes on, -1 closes. Loop thread.
 */

#include "gateway/base/base.h"
#include "gateway/base/buf.h"
#include "gateway/base/stream.h"
#include "ws/endpoint.h"
#include "ws/request.h"
#include "ws/response.h"

#define WS_SESSION_WAITERS 256 /* requests with a body, a query or a slow reader under way */

typedef struct WsSession WsSession;
typedef struct WsWaiter WsWaiter;
typedef struct WsWaiters WsWaiters;
struct lws;

typedef enum WsSessionState {
        WS_SESSION_IDLE,
        WS_SESSION_BODY,    /* reading what the waiter collects */
        WS_SESSION_DISCARD, /* answered: reading on so that the answer is not lost to a reset */
        WS_SESSION_WAIT,    /* for the Answer to the waiter's ticket */
        WS_SESSION_FLUSH,   /* for the socket to take the rest of the answer */
        WS_SESSION_DEAD,    /* to be closed when lws next looks at it */
        WS_SESSION_EVENTS,  /* a subscriber's, see WsClient: the opaque user data of its wsi */
        WS_SESSION_STREAM,  /* for the socket, or for the next piece of the answer */
} WsSessionState;

/* What lws keeps for a connection; zeroed when it opens. */
struct WsSession {
        WsSessionState state;
        WsWaiters *waiters; /* borrowed */
        WsWaiter *waiter;   /* borrowed; NULL but in BODY, WAIT, FLUSH and STREAM */
        int64_t deadline_us;
        bool close;
};

/* A request that is not answered yet. It outlives the callback it came with, never its wsi. */
struct WsWaiter {
        struct lws *wsi;    /* NULL = free */
        WsSession *session; /* borrowed from lws, as long as wsi */
        const WsEndpoint *endpoint;
        uint64_t ticket; /* of its query; 0 = none under way */
        int64_t deadline_us;
        int64_t user_id; /* who asked; 0 = nobody. A pointer would not outlive the registry's next
                            change */
        int64_t generation; /* of that user then */
        int64_t sender_id;  /* or which device, with which token */
        uint8_t token_hash[32];
        int64_t expires_us;
        char target[256], idempotency_key[136]; /* as in WsCall */
        char source[46];
        char origin[256]; /* to be allowed to read the answer; "" = none */
        char account[WS_ENDPOINT_ACCOUNT_SIZE];
        bool close, keep, is_head;
        int n_restless; /* ws_waiter_is_spinning() in a row */
        Buf body;
        Buf out; /* the answer, once there is one; of a stream the pieces that are not written yet
                  */

        Stream *stream;                /* a reference; NULL: the answer comes whole */
        int64_t vehicle_id, device_id; /* what it is about: who loses sight of it loses the rest */
        int n_waiting, n_written;      /* pieces in @out; with lws, and not yet granted again */
        bool is_http_1_0, is_complete;
};

struct WsWaiters {
        WsWaiter all[WS_SESSION_WAITERS];
};

void ws_waiters_done(WsWaiters *waiters);
/* For a session without one; NULL: all are taken. */
WsWaiter *ws_waiters_take(WsSession *session, struct lws *wsi);
/* Has he sent more before he has read what he asked for? To be asked about once a second. */
bool ws_waiter_is_spinning(WsWaiter *waiter);
void ws_waiter_kill(WsWaiter *waiter);
/* Outside of a callback of its wsi: the answer goes out when it is its turn to write. */
void ws_waiter_answer(WsWaiter *waiter, const WsResponse *response);
/* The same in pieces: first the headers, then the body as fast as it comes. Each piece that the
 * socket has taken makes room for one more. */
void ws_waiter_begin_stream(WsWaiter *waiter, WsResponse *response);
void ws_waiter_continue_stream(WsWaiter *waiter, Text piece, bool is_last);
/* No more of it is wanted, or (@is_over) no more will come. */
void ws_waiter_drop_stream(WsWaiter *waiter, bool is_over);
/* Has the client hung up? lws does not look while it waits for the first piece. */
bool ws_waiter_is_gone(const WsWaiter *waiter);

/* A new request begins, or (@waiters NULL) the connection has ended. */
void ws_session_reset(WsSession *session, WsWaiters *waiters);
void ws_session_collect(WsSession *session, int timeout_ms);
void ws_session_wait(WsSession *session, struct lws *wsi);
int ws_session_respond(WsSession *session, struct lws *wsi, const WsResponse *response);
/* An answer that ends the connection although lws may still expect a body. */
int ws_session_refuse(WsSession *session,
                      struct lws *wsi,
                      const WsRequest *request,
                      WsResponse *response);
int ws_session_body(WsSession *session, const void *data, size_t n_data);
int ws_session_writeable(WsSession *session, struct lws *wsi);

/* The head of an answer without end: the connection closes with it. */
int ws_session_begin_events(struct lws *wsi, WsResponse *response);
/* Without a session: a refused upgrade. */
int ws_session_write(struct lws *wsi, const WsResponse *response);
