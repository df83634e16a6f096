#include "ws/http/exchange.h"

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/shares.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"

#define WS_EXCHANGE_ANSWER_MS 10000
#define WS_EXCHANGE_FLUSH_MS  30000 /* how long a reader may take for one answer */
#define WS_EXCHANGE_STUCK_MS  1000  /* after which a body gives way to another of its party */
#define WS_EXCHANGE_KEEP_MS   15000 /* how long one may rest between two requests */
#define WS_EXCHANGE_REQUESTS  256   /* unless it is said otherwise */

static int64_t ws_exchange_now_ms(void) {
        return clock_mono_us() / 1000;
}

/* ---- waiters ------------------------------------------------------------------------------- */

void ws_waiter_drop_stream(WsWaiter *waiter, bool is_over) {
        if (waiter->stream && !is_over)
                stream_cancel(waiter->stream);
        waiter->stream = stream_unref(waiter->stream);
}

static void ws_waiter_done(WsWaiters *waiters, WsWaiter *waiter) {
        if (waiter->session)
                ws_shares_give_back(waiters->requests, waiter->party, 1);
        if (waiter->n_reserved > 0)
                ws_shares_give_back(waiters->bodies, waiter->party, waiter->n_reserved);
        ws_questions_forget(waiters->questions, &waiter->question);
        ws_waiter_drop_stream(waiter, waiter->is_complete);
        buf_done(&waiter->body);
        buf_done(&waiter->out);
        *waiter = (WsWaiter){ 0 };
}

int ws_waiters_init(WsWaiters *waiters) {
        int n = waiters->options->max_requests;
        int r;

        waiters->n_all = n > 0 ? (size_t)n : WS_EXCHANGE_REQUESTS;
        waiters->all = calloc(waiters->n_all, sizeof(*waiters->all));
        if (!waiters->all)
                return err_new(-ENOMEM);
        r = ws_shares_new(&waiters->requests);
        if (r == 0)
                r = ws_shares_new(&waiters->bodies);
        return err_up(r);
}

void ws_waiters_done(WsWaiters *waiters) {
        for (size_t i = 0; waiters->all && i < waiters->n_all; ++i)
                ws_waiter_done(waiters, &waiters->all[i]);
        free(waiters->all);
        waiters->all = NULL;
        waiters->requests = ws_shares_free(waiters->requests);
        waiters->bodies = ws_shares_free(waiters->bodies);
}

/* Whose body has been waited for longest; NULL: none of the party's for a second. */
static WsWaiter *ws_waiters_stuck(WsWaiters *waiters, uint64_t party) {
        int64_t begun_ms = ws_exchange_now_ms() - WS_EXCHANGE_STUCK_MS;
        WsWaiter *oldest = NULL;

        for (size_t i = 0; i < waiters->n_all; ++i) {
                WsWaiter *waiter = &waiters->all[i];

                if (waiter->session && waiter->party == party &&
                    waiter->session->state == WS_EXCHANGE_BODY && waiter->begun_ms <= begun_ms) {
                        oldest = waiter;
                        begun_ms = waiter->begun_ms;
                }
        }
        return oldest;
}

/* False: there is nothing that could give way. */
static bool ws_waiters_make_room(WsWaiters *waiters, uint64_t party) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsWaiter *waiter = ws_waiters_stuck(waiters, party);

        if (!waiter)
                return false;
        ws_response_problem(&response, 408, "timeout", "The body has not come.");
        ws_exchange_refuse(waiter->session, &response);
        return true;
}

/* Is there room for @n more, for this party? */
static bool ws_waiters_have(const WsWaiters *waiters,
                            const WsShares *shares,
                            uint64_t party,
                            size_t n,
                            size_t most) {
        if (ws_shares_fit(shares, party, n, most, waiters->options->share))
                return true;
        metric_add(shares == waiters->requests ? METRIC_SHARE_REFUSED_REQUESTS
                                               : METRIC_SHARE_REFUSED_BODIES,
                   1);
        return false;
}

/* Or once some of its own, of whom only half has come, have given way? */
static bool ws_waiters_fit(WsWaiters *waiters,
                           const WsShares *shares,
                           uint64_t party,
                           size_t n,
                           size_t most) {
        if (ws_waiters_have(waiters, shares, party, n, most))
                return true;
        while (ws_waiters_make_room(waiters, party))
                if (ws_shares_fit(shares, party, n, most, waiters->options->share))
                        return true;
        return false;
}

static WsWaiter *ws_waiters_place(WsExchange *session) {
        WsWaiters *waiters = session->waiters;

        for (size_t i = 0; i < waiters->n_all; ++i) {
                WsWaiter *waiter = &waiters->all[i];

                if (waiter->session)
                        continue;
                if (!ws_shares_take(waiters->requests, session->party, 1))
                        return NULL;
                waiter->session = session;
                waiter->party = session->party;
                session->waiter = waiter;
                return waiter;
        }
        return NULL;
}

WsWaiter *ws_waiters_take(WsExchange *session) {
        WsWaiters *waiters = session->waiters;

        if (!ws_waiters_fit(waiters, waiters->requests, session->party, 1, waiters->n_all))
                return NULL;
        return ws_waiters_place(session);
}

void ws_waiter_note(WsWaiter *waiter, const WsCall *call) {
        const WsRequest *request = call->request;

        assert(request); /* with a body there is a waiter already */
        memcpy(waiter->source, request->source, sizeof(waiter->source));
        memcpy(waiter->origin, request->origin, sizeof(waiter->origin));
        waiter->user_id = call->identity.user ? call->identity.user->id : 0;
        waiter->generation = call->identity.user ? call->identity.user->generation : 0;
        waiter->sender_id = call->identity.device ? call->identity.device->id : 0;
        waiter->token_generation =
                call->identity.device ? call->identity.device->token_generation : 0;
        waiter->expires_us = call->identity.expires_us;
        waiter->began_us = call->identity.began_us;
        memcpy(waiter->target, call->target, sizeof(waiter->target));
        memcpy(waiter->idempotency_key, call->idempotency_key, sizeof(waiter->idempotency_key));
        waiter->has_parts = call->has_parts;
        waiter->close = call->response->close;
        waiter->keep = call->response->keep;
        waiter->is_head = call->response->is_head;
        waiter->is_http_1_0 = request->is_http_1_0;
}

void ws_waiter_recall(const WsWaiter *waiter, WsCall *call) {
        call->source = waiter->source;
        memcpy(call->account, waiter->account, sizeof(call->account));
        call->is_spent = waiter->is_spent;
}

WsResponse ws_waiter_response(const WsWaiter *waiter) {
        return (WsResponse){ .close = waiter->close,
                             .keep = waiter->keep,
                             .is_head = waiter->is_head,
                             .is_http_1_0 = waiter->is_http_1_0 };
}

int ws_exchange_answer_ms(const WsOptions *options) {
        return options->answer_timeout_ms > 0 ? options->answer_timeout_ms : WS_EXCHANGE_ANSWER_MS;
}

/* Nobody's connection may end for it: a list of clients is being walked. */
bool ws_exchange_hold(WsExchange *session, size_t n) {
        WsWaiters *waiters = session->waiters;
        uint64_t party = session->party;
        size_t n_more;

        if (!session->waiter &&
            (!ws_waiters_have(waiters, waiters->requests, party, 1, waiters->n_all) ||
             !ws_waiters_place(session)))
                return false;
        if (n <= session->waiter->n_reserved)
                return true;
        n_more = n - session->waiter->n_reserved;
        if (!ws_waiters_have(waiters,
                             waiters->bodies,
                             party,
                             n_more,
                             waiters->options->bodies_bytes) ||
            !ws_shares_take(waiters->bodies, party, n_more))
                return false;
        session->waiter->n_reserved = n;
        return true;
}

bool ws_waiter_reserve(WsWaiter *waiter, size_t n) {
        WsWaiters *waiters = waiter->session->waiters;

        if (!ws_waiters_fit(waiters,
                            waiters->bodies,
                            waiter->party,
                            n,
                            waiters->options->bodies_bytes))
                return false;
        if (!ws_shares_take(waiters->bodies, waiter->party, n))
                return false;
        waiter->n_reserved += n;
        return true;
}

void ws_waiter_kill(WsWaiter *waiter) {
        ws_questions_forget(waiter->session->waiters->questions, &waiter->question);
        ws_waiter_drop_stream(waiter, false);
        ws_conn_close(waiter->session->conn);
}

static void ws_exchange_forget_waiter(WsExchange *session) {
        if (session->waiter)
                ws_waiter_done(session->waiters, session->waiter);
        session->waiter = NULL;
}

void ws_exchange_reset(WsExchange *session) {
        ws_exchange_forget_waiter(session);
        session->state = WS_EXCHANGE_IDLE;
}

/* ---- whole answers ------------------------------------------------------------------------- */

static void ws_exchange_count(int status) {
        if (status < 400)
                metric_add(METRIC_HTTP_REQUESTS_2XX, 1);
        else if (status < 500)
                metric_add(METRIC_HTTP_REQUESTS_4XX, 1);
        else
                metric_add(METRIC_HTTP_REQUESTS_5XX, 1);
}

/* How long the peer is to come by TLS alone; 0 = nothing is asked of it. */
static int ws_exchange_hsts_s(const WsExchange *session) {
        return session->is_secure ? session->waiters->options->hsts_s : 0;
}

static void ws_exchange_render(const WsExchange *session, const WsResponse *response, Buf *out) {
        ws_response_render(response, clock_now_us(), ws_exchange_hsts_s(session), out);
        if (buf_failed(&response->body) || buf_failed(&response->headers))
                out->failed = true;
        ws_exchange_count(response->status);
}

/* False: the connection is over. */
static bool ws_exchange_put(WsExchange *session, const Buf *out) {
        if (buf_failed(out)) {
                ws_conn_close(session->conn);
                return false;
        }
        return ws_conn_write(session->conn, out->data, out->n);
}

/* The answer has left: on to the next request, or to the end. */
static void ws_exchange_next(WsExchange *session) {
        bool close = session->close;

        ws_exchange_reset(session);
        session->close = false;
        session->is_resting = true;
        ws_conn_set_payer(session->conn, 0);
        if (close) {
                ws_conn_end(session->conn);
                return;
        }
        ws_conn_set_deadline(session->conn, ws_exchange_now_ms() + WS_EXCHANGE_KEEP_MS);
        ws_conn_pause(session->conn, false);
}

/* What the socket did not take waits there, and with it all that the client asks for next. */
static void ws_exchange_flush(WsExchange *session) {
        size_t n_unsent;

        if (!ws_conn_is_full(session->conn)) {
                ws_exchange_next(session);
                return;
        }
        if (!session->waiter && !ws_waiters_take(session)) {
                ws_conn_close(session->conn);
                return;
        }
        n_unsent = ws_conn_n_unsent(session->conn);
        if (n_unsent > session->waiter->n_reserved &&
            !ws_waiter_reserve(session->waiter, n_unsent - session->waiter->n_reserved)) {
                ws_conn_close(session->conn);
                return;
        }
        session->state = WS_EXCHANGE_FLUSH;
        ws_conn_pause(session->conn, true);
        ws_conn_set_deadline(session->conn, ws_exchange_now_ms() + WS_EXCHANGE_FLUSH_MS);
        ws_conn_want_write(session->conn);
}

void ws_exchange_respond(WsExchange *session, const WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        session->close = response->close;
        ws_exchange_render(session, response, &out);
        if (ws_exchange_put(session, &out))
                ws_exchange_flush(session);
}

void ws_exchange_refuse(WsExchange *session, WsResponse *response) {
        response->close = true;
        ws_exchange_respond(session, response);
}

void ws_exchange_strange(void *arg, WsConn *conn) {
        CLEANUP_RESPONSE WsResponse response = { 0 };

        (void)arg;
        ws_response_problem(&response,
                            400,
                            "no_preface",
                            "From this address a header of the PROXY protocol, version 2, comes "
                            "first.");
        ws_exchange_refuse(ws_conn_user(conn), &response);
}

/* Who speaks HTTP where TLS is spoken can read this much: it went out in the clear already. */
void ws_exchange_bare(void *arg, WsConn *conn) {
        CLEANUP_RESPONSE WsResponse response = { 0 };

        (void)arg;
        ws_response_problem(&response,
                            400,
                            "tls_needed",
                            "This port speaks TLS: come by https or wss.");
        ws_exchange_refuse(ws_conn_user(conn), &response);
}

void ws_exchange_begin_events(WsExchange *session, WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        response->status = 200;
        ws_response_header(response, "Content-Type", "text/event-stream");
        ws_response_header(response, "Cache-Control", "no-store");
        ws_response_header(response, "X-Accel-Buffering", "no");
        ws_exchange_count(200);
        buf_append_string(&out, "HTTP/1.1 200 OK\r\n");
        ws_response_date(&out, clock_now_us());
        buf_append_text(&out, buf_text(&response->headers));
        ws_response_hsts(&out, ws_exchange_hsts_s(session));
        buf_append_string(&out, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
        (void)ws_exchange_put(session, &out);
}

/* ---- bodies -------------------------------------------------------------------------------- */

/* The deadline is of the whole body: one byte now and then does not renew it. */
void ws_exchange_collect(WsExchange *session, int64_t n_body, int timeout_ms) {
        session->state = WS_EXCHANGE_BODY;
        session->waiter->begun_ms = ws_exchange_now_ms();
        session->n_body = n_body;
        ws_conn_set_deadline(session->conn, ws_exchange_now_ms() + timeout_ms);
}

void ws_exchange_continue(WsExchange *session) {
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

        (void)ws_conn_write(session->conn, text, strlen(text));
}

size_t ws_exchange_body(WsExchange *session, const char *data, size_t n) {
        if ((uint64_t)n > (uint64_t)session->n_body)
                n = (size_t)session->n_body;
        buf_append(&session->waiter->body, data, n);
        session->n_body -= (int64_t)n;
        return n;
}

void ws_exchange_wait(WsExchange *session) {
        session->state = WS_EXCHANGE_WAIT;
        ws_conn_set_deadline(session->conn, 0);
        ws_conn_pause(session->conn, true);
}

void ws_waiter_answer(WsWaiter *waiter, const WsResponse *response) {
        ws_exchange_respond(waiter->session, response);
}

/* ---- answers in pieces --------------------------------------------------------------------- */

/* What was written before has left us: there is room for as much again. */
static void ws_waiter_grant(WsWaiter *waiter) {
        if (waiter->n_written > 0 && waiter->stream)
                stream_grant(waiter->stream, waiter->n_written);
        waiter->n_written = 0;
}

/* Only while nothing of the last write is left. */
static void ws_exchange_write_stream(WsExchange *session) {
        WsWaiter *waiter = session->waiter;
        CLEANUP_BUF Buf out = waiter->out;

        waiter->out = (Buf){ 0 };
        ws_waiter_grant(waiter);
        waiter->n_written = waiter->n_waiting;
        waiter->n_waiting = 0;
        if (!ws_exchange_put(session, &out))
                return;
        if (waiter->is_complete) {
                ws_exchange_flush(session);
                return;
        }
        if (ws_conn_is_full(session->conn)) {
                ws_conn_set_deadline(session->conn, ws_exchange_now_ms() + WS_EXCHANGE_FLUSH_MS);
                ws_conn_want_write(session->conn);
                return;
        }
        ws_waiter_grant(waiter);
        ws_conn_set_deadline(session->conn, 0);
}

static void ws_waiter_push(WsWaiter *waiter) {
        if (!ws_conn_is_full(waiter->session->conn))
                ws_exchange_write_stream(waiter->session);
}

void ws_waiter_begin_stream(WsWaiter *waiter, WsResponse *response) {
        response->is_stream = true;
        response->is_http_1_0 = waiter->is_http_1_0;
        waiter->session->close = response->close || waiter->is_http_1_0;
        waiter->session->state = WS_EXCHANGE_STREAM;
        ws_exchange_render(waiter->session, response, &waiter->out);
}

void ws_waiter_continue_stream(WsWaiter *waiter, Text piece, bool is_last) {
        Buf *out = &waiter->out;

        if (!waiter->is_http_1_0 && piece.n > 0)
                buf_printf(out, "%zx\r\n", piece.n);
        buf_append_text(out, piece);
        if (!waiter->is_http_1_0 && piece.n > 0)
                buf_append_string(out, "\r\n");
        if (!waiter->is_http_1_0 && is_last)
                buf_append_string(out, "0\r\n\r\n");
        ++waiter->n_waiting;
        waiter->is_complete = is_last;
        ws_waiter_push(waiter);
}

void ws_exchange_writable(WsExchange *session) {
        if (session->state == WS_EXCHANGE_STREAM)
                ws_exchange_write_stream(session);
        else if (session->state == WS_EXCHANGE_FLUSH)
                ws_exchange_next(session);
}
