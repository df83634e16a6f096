#pragma once

/*
 * WsExchange: what one connection is used for: how it reads its request and gets its answer
 * written, or whose WebSocket it is.
 *
 * The one place that writes HTTP to a connection. A request that cannot be answered at once takes a
 * waiter, of which there are http.max_requests, each party its share of them; when its connection
 * ends the waiter is free again, and who brings the answer finds nobody. While a request is under
 * way the next one stays unread. Knows neither paths nor users. Loop thread.
 */

#include "base/base.h"
#include "base/buf.h"
#include "base/stream.h"
#include "ws/http/endpoint.h"
#include "ws/http/request.h"
#include "ws/http/response.h"
#include "ws/loop/questions.h"

typedef struct WsAsker WsAsker;
typedef struct WsConn WsConn;
typedef struct WsExchange WsExchange;
typedef struct WsGate WsGate;
typedef struct WsHttp WsHttp;
typedef struct WsShares WsShares;
typedef struct WsWaiter WsWaiter;
typedef struct WsWaiters WsWaiters;

typedef enum WsExchangeState {
        WS_EXCHANGE_IDLE,   /* reading the head of a request */
        WS_EXCHANGE_BODY,   /* reading what the waiter collects */
        WS_EXCHANGE_WAIT,   /* for the Answer to the waiter's question */
        WS_EXCHANGE_FLUSH,  /* for the socket to take the rest of the answer */
        WS_EXCHANGE_STREAM, /* for the socket, or for the next piece of the answer */
        WS_EXCHANGE_EVENTS, /* a subscriber's: an event stream, or a poll */
        WS_EXCHANGE_SOCKET, /* a WebSocket */
} WsExchangeState;

/* Who asked, and by which rights. A pointer would not outlive the registry's next change. */
struct WsAsker {
        int64_t user_id; /* 0 = nobody, or a device */
        int64_t generation, expires_us;
        uint64_t n_losses;
};

struct WsExchange {
        WsConn *conn;   /* borrowed: it ends with it */
        uint64_t party; /* whose request is under way, see party.h */
        WsAsker asker;  /* likewise */
        WsExchangeState state;
        WsWaiters *waiters; /* borrowed */
        WsWaiter *waiter;   /* borrowed; NULL but in BODY, WAIT, FLUSH and STREAM, and of a poll
                               whose answer takes several turns */
        WsClient *client;   /* owned; NULL but in EVENTS and SOCKET */
        size_t n_seen;      /* bytes of a head that is not complete */
        int64_t n_body;     /* bytes of the body that are still to come */
        bool close;         /* with the answer under way */
        bool is_resting;    /* between two requests */
        bool is_secure;     /* the request under way: by TLS, also where a proxy says so */
};

/* A request that is not answered yet. It outlives the call it came with, never its connection. */
struct WsWaiter {
        WsExchange *session; /* borrowed; NULL = free */
        uint64_t party;      /* out of whose shares it comes, */
        int64_t begun_ms;    /* of a body: when it was waited for first */
        size_t n_reserved;   /* with so many bytes: of its body, or of an answer that is not read */
        const WsEndpoint *endpoint;
        WsQuestion question;
        int64_t user_id; /* who asked; 0 = nobody. A pointer would not outlive the registry's next
                            change */
        int64_t generation; /* of that user then */
        uint64_t n_losses;  /* likewise, when he asked */
        int64_t sender_id;  /* or which device, with which token */
        int64_t token_generation;
        WsGate *gate; /* borrowed: of a handshake whose token is looked at */
        int64_t expires_us, began_us;
        char target[256], idempotency_key[136]; /* as in WsCall */
        bool has_parts;                         /* likewise */
        char source[46];
        char origin[256]; /* to be allowed to read the answer; "" = none */
        char account[WS_ENDPOINT_ACCOUNT_SIZE];
        bool is_spent, is_login, is_held;
        bool close, keep, is_head;
        Buf body;
        Buf out; /* of a stream: the pieces that are not written yet */

        Stream *stream;                /* a reference; NULL: the answer comes whole */
        int64_t vehicle_id, device_id; /* what it is about: who loses sight of it loses the rest */
        int n_waiting, n_written;      /* pieces in @out; written, and not yet granted again */
        bool is_http_1_0, is_complete;
};

struct WsWaiters {
        const WsOptions *options;    /* borrowed; may change between calls */
        WsQuestions *questions;      /* borrowed */
        WsHttp *http;                /* borrowed: whose they are */
        WsShares *requests, *bodies; /* owned: of waiters, and bytes */
        WsWaiter *all;               /* owned: for requests with a body, a query or a slow reader */
        size_t n_all;
};

/* How long one waits for its answer. */
int ws_exchange_answer_ms(const WsOptions *options);

/* Of zeros, but for what is borrowed. */
MUST_CHECK int ws_waiters_init(WsWaiters *waiters);
void ws_waiters_done(WsWaiters *waiters);
/* For one without; NULL: all are taken, or as many as its party may have. Where it has, a body of
 * the same party that has not come for a while gives way. */
WsWaiter *ws_waiters_take(WsExchange *session);
/* Is there room for so many bytes more, and in its party's share? Then it is taken. */
bool ws_waiter_reserve(WsWaiter *waiter, size_t n);
/* The same for an answer in the making that is @n bytes long by now; a session without a waiter
 * gets one. Nobody gives way to it. */
bool ws_exchange_hold(WsExchange *session, size_t n);
/* Who asks, what for, and how it is to be answered, as of call->request. */
void ws_waiter_note(WsWaiter *waiter, const WsCall *call);
void ws_waiter_recall(const WsWaiter *waiter, WsCall *call); /* for its answer */
WsResponse ws_waiter_response(const WsWaiter *waiter);
void ws_waiter_kill(WsWaiter *waiter); /* its connection ends at once */
void ws_waiter_answer(WsWaiter *waiter, const WsResponse *response);
/* The same in pieces: first the headers, then the body as fast as it comes. Each piece that the
 * socket has taken makes room for one more. */
void ws_waiter_begin_stream(WsWaiter *waiter, WsResponse *response);
void ws_waiter_continue_stream(WsWaiter *waiter, Text piece, bool is_last);
/* No more of it is wanted, or (@is_over) no more will come. */
void ws_waiter_drop_stream(WsWaiter *waiter, bool is_over);

void ws_exchange_collect(WsExchange *session, int64_t n_body, int timeout_ms);
void ws_exchange_continue(WsExchange *session); /* 100: the client waits for it with the body */
size_t ws_exchange_body(WsExchange *session, const char *data, size_t n);
void ws_exchange_wait(WsExchange *session);
void ws_exchange_respond(WsExchange *session, const WsResponse *response);
/* An answer that ends the connection, whatever else comes. */
void ws_exchange_refuse(WsExchange *session, WsResponse *response);
void ws_exchange_writable(WsExchange *session);
/* As of WsConnHandler; @arg is not looked at. */
void ws_exchange_strange(void *arg, WsConn *conn);
void ws_exchange_bare(void *arg, WsConn *conn);
void ws_exchange_reset(WsExchange *session); /* the connection is gone */

/* The head of an answer without end: the connection closes with it. */
void ws_exchange_begin_events(WsExchange *session, WsResponse *response);
