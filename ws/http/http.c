#include "ws/http/http.h"

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"
#include "ws/access/proven.h"
#include "ws/access/throttle.h"
#include "ws/http/endpoint.h"
#include "ws/http/exchange.h"
#include "ws/http/gate.h"
#include "ws/http/login_queue.h"
#include "ws/http/precheck.h"
#include "ws/http/response.h"
#include "ws/http/rights.h"
#include "ws/http/subscriber.h"
#include "ws/hub/incoming.h"
#include "ws/hub/viewer.h"
#include "ws/net/conn.h"
#include "ws/net/listener.h"
#include "ws/wire/head.h"

#define WS_HTTP_LIMITED 1024
#define WS_HTTP_BODY_MS 10000

struct WsHttp {
        const WsOptions *options; /* borrowed */
        const WsAccess *access;   /* borrowed */
        WsLoop *loop;             /* borrowed */
        WsGate *gate;             /* borrowed */
        WsLimiter *limiter;
        WsProven *proven; /* log-ins */
        WsThrottle *returns;
        WsWaiters *waiters;
        WsHead head;       /* of the call under way, */
        Text bytes;        /* borrowed: all of it, */
        WsRequest request; /* and what it asks for */
        bool is_cut;       /* with a parameter that is longer than any that makes sense */

        WsRates rates;
};

int ws_http_new(WsHttp **ret_http, const WsOptions *options, const WsAccess *access, WsGate *gate) {
        size_t n_known = (size_t)options->known_logins;
        CLEANUP(ws_http_free) WsHttp *http = NULL;
        int r;

        http = calloc(1, sizeof(*http));
        if (!http)
                return err_new(-ENOMEM);
        http->options = options;
        http->access = access;
        http->loop = ws_gate_loop(gate);
        http->gate = gate;
        http->waiters = calloc(1, sizeof(*http->waiters));
        if (!http->waiters)
                return err_new(-ENOMEM);
        http->waiters->options = options;
        http->waiters->questions = http->loop->questions;
        http->waiters->http = http;
        r = ws_waiters_init(http->waiters);
        if (r == 0)
                r = ws_limiter_new(&http->limiter, WS_HTTP_LIMITED);
        if (r == 0)
                r = ws_proven_new(&http->proven, n_known);
        if (r == 0)
                r = ws_throttle_new(&http->returns, n_known);
        if (r < 0)
                return err_up(r);

        *ret_http = TAKE(&http);
        return 0;
}

WsHttp *ws_http_free(WsHttp *http) {
        if (!http)
                return NULL;

        if (http->waiters)
                ws_waiters_done(http->waiters);
        free(http->waiters);
        ws_limiter_free(http->limiter);
        ws_proven_free(http->proven);
        ws_throttle_free(http->returns);
        free(http);
        return NULL;
}

static WsCall ws_http_call(WsHttp *http, WsResponse *response) {
        return (WsCall){
                .options = http->options,
                .access = http->access,
                .loop = http->loop,
                .rates = &http->rates,
                .limiter = http->limiter,
                .proven = http->proven,
                .returns = http->returns,
                .waiters = http->waiters,
                .now_us = clock_now_us(),
                .response = response,
        };
}

static void ws_http_be_busy(WsResponse *response) {
        ws_response_retry_after(response, 1);
        ws_response_problem(response, 503, "busy", "Too many requests are under way.");
}

/* A waiter for the request in hand, with what is known of it. */
static WsWaiter *ws_http_wait(WsExchange *session, const WsCall *call) {
        WsWaiter *waiter = ws_waiters_take(session);

        if (!waiter) {
                ws_http_be_busy(call->response);
                return NULL;
        }
        ws_waiter_note(waiter, call);
        return waiter;
}

static int ws_http_answer(void *owner, Event *event);

/* Hands the query over, or holds it until its turn; a full queue is answered at once, as the
 * database being away would be. */
static int ws_http_ask(WsHttp *http, const WsEndpoint *endpoint, WsWaiter *waiter, WsCall *call) {
        CLEANUP(query_free) Query *query = TAKE(&call->query);
        QueryKind kind = query->kind;
        int timeout_ms = ws_exchange_answer_ms(http->options);
        int r;

        waiter->endpoint = endpoint;
        waiter->n_losses = call->identity.user ? call->identity.user->n_losses : 0;
        memcpy(waiter->account, call->account, sizeof(waiter->account));
        waiter->is_spent = call->is_spent;
        waiter->is_login = kind == QUERY_LOGIN;
        query->deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        query->party = ws_party_of(waiter->user_id, waiter->sender_id, waiter->source);
        query_names(query, &waiter->vehicle_id, &waiter->device_id);
        if (query->stream)
                waiter->stream = stream_ref(query->stream);

        waiter->question.owner = waiter;
        waiter->question.is_long = query->stream != NULL;
        waiter->is_held = call->is_held;
        r = (call->is_held
                     ? ws_questions_hold
                     : ws_questions_ask)(http->loop->questions,
                                         &waiter->question,
                                         &query,
                                         call->is_held ? http->options->login_wait_ms : timeout_ms,
                                         ws_http_answer);
        if (r == WS_QUESTIONS_E_FULL)
                r = endpoint->answer(call, &(Answer){ .kind = kind, .status = 503 });
        return err_up(r);
}

/* A parameter that does not fit is not one that is absent: that would be another question. */
static void ws_http_refuse_cut(WsCall *call) {
        call->query = query_free(call->query);
        call->client = ws_viewer_free(call->client);
        ws_response_problem(call->response, 400, "bad_request", "A parameter is too long.");
}

/* Calls the endpoint; what it cannot answer now waits with the query. */
static void ws_http_serve(WsHttp *http,
                          WsExchange *session,
                          const WsEndpoint *endpoint,
                          WsCall *call) {
        WsWaiter *waiter = session->waiter;
        int r;

        r = ws_endpoint_is_understood(call, endpoint) ? endpoint->call(call) : 0;
        if (r == 0 && call->request && *call->request->is_cut)
                ws_http_refuse_cut(call);
        if (r == 0 && call->query && !waiter)
                waiter = ws_http_wait(session, call);
        if (r == 0 && call->query && waiter)
                r = ws_http_ask(http, endpoint, waiter, call);
        call->query = query_free(call->query);
        if (r < 0) {
                err_up(r);
                ws_precheck_fault(call->response);
        }
        if (call->client && call->response->status == 0) {
                ws_subscriber_attach(session, call);
                return;
        }
        call->client = ws_viewer_free(call->client);
        if (call->response->status != 0)
                ws_exchange_respond(session, call->response);
        else
                ws_exchange_wait(session);
}

/* A POST that says no length has no body (RFC 9112 6.3): should one come, it is no request. */
static void ws_http_prepare(const WsRequest *request, WsResponse *response) {
        response->is_head = strcmp(request->method, "HEAD") == 0;
        response->keep = request->is_http_1_0 && request->wants_keep;
        response->close = request->wants_close || (request->is_http_1_0 && !request->wants_keep) ||
                          (request->body_length < 0 && strcmp(request->method, "POST") == 0);
}

static void ws_http_collect(WsHttp *http,
                            WsExchange *session,
                            const WsEndpoint *endpoint,
                            const WsCall *call) {
        int timeout_ms = http->options->handshake_timeout_ms;
        WsWaiter *waiter = ws_http_wait(session, call);

        if (!waiter) {
                ws_exchange_refuse(session, call->response);
                return;
        }
        waiter->endpoint = endpoint;
        if (!ws_waiter_reserve(waiter, (size_t)call->request->body_length)) {
                ws_http_be_busy(call->response);
                ws_exchange_refuse(session, call->response);
                return;
        }
        if (call->request->wants_continue)
                ws_exchange_continue(session);
        ws_exchange_collect(session,
                            call->request->body_length,
                            timeout_ms > 0 ? timeout_ms : WS_HTTP_BODY_MS);
}

static bool ws_http_is_head(const WsHttp *http) {
        return text_equal(http->head.method, TEXT("HEAD"));
}

/* What the head asks for, and who asks: 0, or as of ws_request_read(). */
static int ws_http_understand(WsHttp *http, WsExchange *session) {
        WsRequest *request = &http->request;
        int r;

        r = ws_request_read(request, &http->head);
        if (r != 0)
                return r;
        ws_request_trace(request,
                         &http->head,
                         &http->options->proxies,
                         ws_conn_source(session->conn),
                         ws_conn_is_tls(session->conn));
        session->is_secure = request->is_secure;
        request->is_cut = &http->is_cut;
        http->is_cut = false;
        request->is_health = ws_conn_door(session->conn) == WS_ENTRANCE_HEALTH;
        return 0;
}

static void ws_http_upgrade(WsHttp *http, WsExchange *session);

/* WsGateAgainFn: what was read once is read once more. */
static void ws_http_again(void *arg, WsExchange *session, Text head) {
        WsHttp *http = arg;

        http->bytes = head;
        if (ws_head_parse(&http->head, head) == 0 && ws_http_understand(http, session) == 0)
                ws_http_upgrade(http, session);
        else
                ws_conn_close(session->conn);
}

/* The handshake of a WebSocket: from here on the connection is its client's, or it is refused. */
static void ws_http_upgrade(WsHttp *http, WsExchange *session) {
        CLEANUP_RESPONSE WsResponse response = { .is_head = ws_http_is_head(http) };
        CLEANUP(ws_viewer_free) WsClient *client = NULL;
        CLEANUP_BUF Buf hello = { 0 };
        int r;

        r = ws_gate_open(http->gate, &http->head, &http->request, &response, &hello, &client);
        if (r == WS_GATE_E_UNPROVEN) {
                r = ws_gate_prove(http->gate, session, http->bytes, ws_http_again, http);
                if (r == 0)
                        return;
                ws_http_be_busy(&response);
        }
        if (r < 0 || buf_failed(&hello)) {
                ws_conn_close(session->conn);
                return;
        }
        if (!client) {
                ws_exchange_refuse(session, &response);
                return;
        }
        ws_conn_set_deadline(session->conn, 0);
        session->state = WS_EXCHANGE_SOCKET;
        ws_conn_leave_crowd(session->conn);
        session->client = TAKE(&client);
        if (!ws_conn_write(session->conn, hello.data, hello.n) ||
            ws_viewer_open(session->client, session->conn) < 0)
                ws_conn_close(session->conn);
}

/* What cannot be read is answered all the same, and is the last that this connection says. */
static void ws_http_misread(WsHttp *http, WsExchange *session, int status) {
        CLEANUP_RESPONSE WsResponse response = { .is_head = ws_http_is_head(http) };

        ws_gate_misread(http->gate, http->bytes, session->conn, status);
        ws_precheck_misread(&response, status);
        ws_exchange_refuse(session, &response);
}

static void ws_http_begin(WsHttp *http, WsExchange *session) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsRequest *request = &http->request;
        WsCall call = ws_http_call(http, &response);
        const WsEndpoint *endpoint;
        int r = ws_http_understand(http, session);

        if (r != 0) {
                ws_http_misread(http, session, ws_request_status(r));
                return;
        }
        if (ws_precheck_is_handshake(request)) {
                ws_http_upgrade(http, session);
                return;
        }

        call.request = request;
        call.source = request->source;
        ws_http_prepare(request, &response);
        ws_precheck_origin(http->options, request->origin, &response);
        endpoint = ws_precheck(&call);
        if (!endpoint)
                ws_gate_missed(http->gate, &call);
        session->party = ws_party_of(call.identity.user ? call.identity.user->id : 0,
                                     call.identity.device ? call.identity.device->id : 0,
                                     request->source);
        ws_conn_set_payer(session->conn, session->party);
        session->asker = ws_rights_of(&call.identity);
        if (!endpoint && (request->body_length > 0 || request->has_coding))
                ws_exchange_refuse(session, &response);
        else if (!endpoint)
                ws_exchange_respond(session, &response);
        else if (request->body_length > 0)
                ws_http_collect(http, session, endpoint, &call);
        else
                ws_http_serve(http, session, endpoint, &call);
}

static void ws_http_body_complete(WsHttp *http, WsExchange *session) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsCall call = ws_http_call(http, &response);
        WsWaiter *waiter = session->waiter;

        if (buf_failed(&waiter->body)) {
                ws_conn_close(session->conn);
                return;
        }
        response.close = waiter->close;
        response.keep = waiter->keep;
        ws_precheck_origin(http->options, waiter->origin, &response);
        call.source = waiter->source;
        call.identity.user = ws_rights_user(http->access->registry, waiter);
        call.identity.device = ws_rights_device(http->access->registry, waiter);
        call.identity.expires_us = waiter->expires_us;
        call.identity.began_us = waiter->began_us;
        memcpy(call.target, waiter->target, sizeof(call.target));
        memcpy(call.idempotency_key, waiter->idempotency_key, sizeof(call.idempotency_key));
        call.has_parts = waiter->has_parts;
        call.body = buf_text(&waiter->body);
        if ((waiter->endpoint->access == WS_ENDPOINT_USER && !call.identity.user) ||
            (waiter->endpoint->access == WS_ENDPOINT_DEVICE && !call.identity.device) ||
            (waiter->user_id != 0 && waiter->expires_us <= call.now_us))
                ws_response_problem(&response, 401, "unauthorized", "The credential has ended.");
        if (response.status != 0)
                ws_exchange_respond(session, &response);
        else
                ws_http_serve(http, session, waiter->endpoint, &call);
}

/* ---- what the connection reports ----------------------------------------------------------- */

/* Waits for the whole head. That of a request after the first has as long as the first. */
static size_t ws_http_read_head(WsHttp *http, WsExchange *session, const char *data, size_t n) {
        int timeout_ms = http->options->handshake_timeout_ms;
        int r = WS_HEAD_E_MORE;

        if (session->is_resting)
                ws_conn_set_deadline(session->conn,
                                     clock_mono_us() / 1000 +
                                             (timeout_ms > 0 ? timeout_ms : WS_HTTP_BODY_MS));
        session->is_resting = false;
        if (n >= WS_HEAD_MAX || memchr(data + session->n_seen, '\n', n - session->n_seen))
                r = ws_head_parse(&http->head, (Text){ .data = data, .n = n });
        if (r == WS_HEAD_E_MORE) {
                session->n_seen = n;
                return 0;
        }
        session->n_seen = 0;
        session->is_secure = ws_conn_is_tls(session->conn); /* as far as is known yet */
        http->bytes = (Text){ data, r == 0 ? http->head.n : n };
        if (r == 0)
                ws_http_begin(http, session);
        else
                ws_http_misread(http, session, ws_head_status(r));
        return r == 0 ? http->head.n : n;
}

static size_t ws_http_read_body(WsHttp *http, WsExchange *session, const char *data, size_t n) {
        size_t used = ws_exchange_body(session, data, n);

        if (session->n_body == 0)
                ws_http_body_complete(http, session);
        return used;
}

void ws_http_opened(WsHttp *http, WsExchange *session, WsConn *conn) {
        *session = (WsExchange){ .conn = conn, .waiters = http->waiters };
}

size_t ws_http_receive(WsHttp *http, WsExchange *session, char *data, size_t n) {
        switch (session->state) {
        case WS_EXCHANGE_IDLE:
                return ws_http_read_head(http, session, data, n);
        case WS_EXCHANGE_BODY:
                return ws_http_read_body(http, session, data, n);
        case WS_EXCHANGE_SOCKET:
                return ws_incoming_take(session->client, data, n);
        case WS_EXCHANGE_EVENTS:
                ws_conn_end(session->conn); /* nobody speaks into an event stream */
                return n;
        default:
                return 0; /* it was not read */
        }
}

void ws_http_writable(WsHttp *http, WsExchange *session) {
        WsClient *client = session->client;

        if (!client)
                ws_exchange_writable(session);
        else if (client->dialect->door == WS_DOOR_POLL && client->state == WS_CLIENT_CLOSED)
                ws_subscriber_answer(session, http->options);
        else
                ws_viewer_writeable(client);
}

/* Who hangs up does not wait for a stream or a poll; an answer that is under way he may wait for.
 */
void ws_http_ended(void *http, WsConn *conn) {
        WsExchange *session = ws_conn_user(conn);

        (void)http;
        switch (session->state) {
        case WS_EXCHANGE_EVENTS:
        case WS_EXCHANGE_STREAM:
                ws_conn_close(session->conn);
                return;
        case WS_EXCHANGE_WAIT:
                if (session->waiter->stream)
                        ws_conn_close(session->conn);
                return;
        case WS_EXCHANGE_FLUSH:
                return;
        default:
                if (ws_conn_has_ended(session->conn))
                        ws_conn_end(session->conn);
        }
}

void ws_http_late(void *http, WsConn *conn) {
        const WsExchange *session = ws_conn_user(conn);

        (void)http;
        if (session->state == WS_EXCHANGE_IDLE && !session->is_resting)
                metric_add(METRIC_WS_REFUSED_TIMEOUT, 1);
        ws_conn_close(conn);
}

void ws_http_closed(WsExchange *session) {
        if (session->client)
                ws_viewer_closed(session->client);
        session->client = ws_viewer_free(session->client);
        ws_exchange_reset(session);
}

/* @source: of an address; NULL: of all that nobody moves. */
static void ws_http_move_logins(WsHttp *http, const char *source) {
        WsCall blank = ws_http_call(http, NULL);

        if (source)
                ws_login_queue_move(http->waiters, source, &blank);
        else
                ws_login_queue_move_all(http->waiters, &blank);
}

static void ws_http_settle(WsHttp *http, WsWaiter *waiter, const Answer *answer) {
        CLEANUP_RESPONSE WsResponse response = ws_waiter_response(waiter);
        WsCall call = ws_http_call(http, &response);
        char source[sizeof(waiter->source)] = "";
        int r = 0;

        ws_questions_forget(http->loop->questions, &waiter->question);
        if (waiter->is_login)
                memcpy(source, waiter->source, sizeof(source));
        ws_waiter_recall(waiter, &call);
        ws_precheck_origin(http->options, waiter->origin, &response);
        if (ws_rights_withhold(http->access->registry, waiter, &response)) {
                ws_waiter_answer(waiter, &response);
                return;
        }
        if (waiter->is_held)
                ws_endpoint_login_late(&call);
        else
                r = waiter->endpoint->answer(&call, answer);
        if (r < 0) {
                err_up(r);
                ws_precheck_fault(&response);
        } else if (answer->status == 504 && !waiter->is_held) {
                ws_response_problem(&response,
                                    504,
                                    "timeout",
                                    "The database did not answer in time.");
        }
        response.close |= response.is_stream && response.is_http_1_0;
        ws_waiter_answer(waiter, &response);
        if (*source)
                ws_http_move_logins(http, source);
}

static void ws_http_begin_stream(WsHttp *http, WsWaiter *waiter, const Answer *answer) {
        CLEANUP_RESPONSE WsResponse response = { .close = waiter->close, .keep = waiter->keep };
        WsCall call = ws_http_call(http, &response);

        ws_waiter_recall(waiter, &call);
        ws_precheck_origin(http->options, waiter->origin, &response);
        if (waiter->endpoint->answer(&call, answer) < 0) {
                ws_waiter_kill(waiter);
                return;
        }
        waiter->question.deadline_ms = INT64_MAX; /* from here on its reader's time counts */
        ws_waiter_begin_stream(waiter, &response);
        ws_waiter_continue_stream(waiter, buf_text(&answer->chunk), answer->is_last);
}

/* A body that fits into one piece is an answer like any other; of a longer one come the headers
 * first. An answer that has begun can only be broken off: the client sees that its end is missing.
 */
static void ws_http_piece(WsHttp *http, WsWaiter *waiter, const Answer *answer) {
        bool has_begun = waiter->session->state == WS_EXCHANGE_STREAM;

        if (!has_begun && (answer->is_last || answer->status != 200 || waiter->is_head ||
                           !ws_rights_are_kept(http->access->registry, waiter))) {
                ws_waiter_drop_stream(waiter, answer->is_last);
                ws_http_settle(http, waiter, answer);
                return;
        }
        if (answer->status != 200 || !ws_rights_are_kept(http->access->registry, waiter)) {
                ws_waiter_kill(waiter);
                return;
        }
        if (has_begun)
                ws_waiter_continue_stream(waiter, buf_text(&answer->chunk), answer->is_last);
        else
                ws_http_begin_stream(http, waiter, answer);
}

/* WsQuestionFn of a waiter. */
static int ws_http_answer(void *owner, Event *event) {
        const Answer late = { .status = 504 };
        WsWaiter *waiter = owner;
        WsHttp *http = waiter->session->waiters->http;

        if (!event)
                ws_waiter_drop_stream(waiter, false);
        if (event && waiter->stream)
                ws_http_piece(http, waiter, event->answer);
        else
                ws_http_settle(http, waiter, event ? event->answer : &late);
        return 0;
}

/* The rest of a stream that has begun will not come. */
static bool ws_http_is_lost(const WsWaiter *waiter) {
        return waiter->stream && !waiter->is_complete && stream_is_broken(waiter->stream);
}

void ws_http_tick(WsHttp *http) {
        int64_t now_us = clock_mono_us();

        ws_rates_take(&http->rates, now_us);
        ws_http_move_logins(http, NULL);
        for (size_t i = 0; i < http->waiters->n_all; ++i) {
                WsWaiter *waiter = &http->waiters->all[i];

                if (!waiter->session)
                        continue;
                if (ws_http_is_lost(waiter) ||
                    ws_rights_are_forfeit(http->access->registry, waiter)) {
                        ws_waiter_kill(waiter);
                } else if (waiter->question.id != 0 && waiter->session->state == WS_EXCHANGE_WAIT &&
                           !ws_rights_are_kept(http->access->registry, waiter)) {
                        ws_waiter_drop_stream(waiter, false);
                        ws_http_settle(http, waiter, &(Answer){ .status = 504 });
                }
        }
}
