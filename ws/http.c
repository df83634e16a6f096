#include "ws/http.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <strings.h>
#include <sys/ioctl.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/queue.h"
#include "ws/dialect.h"
#include "ws/endpoint.h"
#include "ws/limiter.h"
#include "ws/response.h"

#define WS_HTTP_WAITERS    256 /* requests with a body or a query under way */
#define WS_HTTP_LIMITED    1024
#define WS_HTTP_BODY_MAX   65536
#define WS_HTTP_BODY_MS    10000
#define WS_HTTP_ANSWER_MS  10000
#define WS_HTTP_DISCARD_US INT64_C(2000000) /* how long the body of a refused request is read */
#define WS_HTTP_FLUSH_S    30               /* how long a reader may take for one answer */
#define WS_HTTP_RESTLESS   3
#define WS_HTTP_RATES_US   INT64_C(2000000)

typedef struct WsSession WsSession;
typedef struct WsWaiter WsWaiter;

typedef enum WsSessionState {
        WS_SESSION_IDLE,
        WS_SESSION_BODY,    /* reading what the waiter collects */
        WS_SESSION_DISCARD, /* answered: reading on so that the answer is not lost to a reset */
        WS_SESSION_WAIT,    /* for the Answer to the waiter's ticket */
        WS_SESSION_FLUSH,   /* for the socket to take the rest of the answer; the waiter is kept */
} WsSessionState;

/* What lws keeps for a connection; zeroed when it opens. */
struct WsSession {
        WsSessionState state;
        WsWaiter *waiter; /* borrowed; NULL but in BODY, WAIT and FLUSH */
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
        int64_t expires_us;
        char source[46];
        char origin[256]; /* to be allowed to read the answer; "" = none */
        char account[WS_ENDPOINT_ACCOUNT_SIZE];
        bool close, keep, is_head;
        int n_restless; /* ticks in a row, in FLUSH */
        Buf body;
        Buf out; /* the answer, once there is one */
};

struct WsHttp {
        const WsOptions *options; /* borrowed */
        const WsAccess *access;   /* borrowed */
        WsHub *hub;               /* borrowed */
        Queue *queries;           /* borrowed */
        WsLimiter *limiter;
        WsWaiter *waiters;
        uint64_t n_tickets;
        WsRequest request; /* of the callback under way */

        WsRates rates;
        int64_t rates_at_us;
        int64_t rates_from[4];
};

int ws_http_new(WsHttp **ret_http,
                const WsOptions *options,
                const WsAccess *access,
                WsHub *hub,
                Queue *queries) {
        CLEANUP(ws_http_free) WsHttp *http = NULL;
        int r;

        http = calloc(1, sizeof(*http));
        if (!http)
                return err_new(-ENOMEM);
        http->options = options;
        http->access = access;
        http->hub = hub;
        http->queries = queries;
        http->waiters = calloc(WS_HTTP_WAITERS, sizeof(*http->waiters));
        if (!http->waiters)
                return err_new(-ENOMEM);
        r = ws_limiter_new(&http->limiter, WS_HTTP_LIMITED);
        if (r < 0)
                return err_up(r);

        *ret_http = TAKE(&http);
        return 0;
}

static void ws_waiter_done(WsWaiter *waiter) {
        buf_done(&waiter->body);
        buf_done(&waiter->out);
        *waiter = (WsWaiter){ 0 };
}

WsHttp *ws_http_free(WsHttp *http) {
        if (!http)
                return NULL;

        for (size_t i = 0; http->waiters && i < WS_HTTP_WAITERS; ++i)
                ws_waiter_done(&http->waiters[i]);
        free(http->waiters);
        ws_limiter_free(http->limiter);
        free(http);
        return NULL;
}

size_t ws_http_session_size(void) {
        return sizeof(WsSession);
}

static void ws_session_forget_waiter(WsSession *session) {
        if (session->waiter)
                ws_waiter_done(session->waiter);
        session->waiter = NULL;
}

static void ws_http_count(int status) {
        if (status < 400)
                metric_add(METRIC_HTTP_REQUESTS_2XX, 1);
        else if (status < 500)
                metric_add(METRIC_HTTP_REQUESTS_4XX, 1);
        else
                metric_add(METRIC_HTTP_REQUESTS_5XX, 1);
}

/* The bytes for lws_write(), which wants room before them. */
static void ws_http_render(const WsResponse *response, Buf *out) {
        static const char room[LWS_PRE];

        buf_append(out, room, sizeof(room));
        ws_response_render(response, out);
        if (buf_failed(&response->body) || buf_failed(&response->headers))
                out->failed = true;
        ws_http_count(response->status);
}

static int ws_http_write(struct lws *wsi, Buf *out) {
        if (buf_failed(out))
                return -1;
        return lws_write(wsi,
                         (unsigned char *)out->data + LWS_PRE,
                         out->n - LWS_PRE,
                         LWS_WRITE_HTTP_FINAL) < 0
                       ? -1
                       : 0;
}

static int ws_session_end(WsSession *session, struct lws *wsi) {
        bool close = session->close;

        ws_session_forget_waiter(session);
        *session = (WsSession){ 0 };
        if (close)
                return -1;
        return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static WsWaiter *ws_http_wait(WsHttp *http, WsSession *session, struct lws *wsi) {
        const WsRequest *request = &http->request;

        for (size_t i = 0; i < WS_HTTP_WAITERS; ++i) {
                WsWaiter *waiter = &http->waiters[i];

                if (waiter->wsi)
                        continue;
                waiter->wsi = wsi;
                waiter->session = session;
                memcpy(waiter->source, request->source, sizeof(waiter->source));
                memcpy(waiter->origin, request->origin, sizeof(waiter->origin));
                waiter->is_head = strcmp(request->method, "HEAD") == 0;
                session->waiter = waiter;
                return waiter;
        }
        return NULL;
}

/*
 * What the socket did not take, lws keeps and sends. It would spin on further requests meanwhile,
 * and a connection that is not read (lws_rx_flow_control()) is not written either: so who sends
 * more before he has read this is cut off by ws_http_tick().
 */
static int ws_session_send(WsHttp *http, WsSession *session, struct lws *wsi, Buf *out) {
        if (ws_http_write(wsi, out) < 0)
                return -1;
        if (!lws_partial_buffered(wsi))
                return ws_session_end(session, wsi);

        session->state = WS_SESSION_FLUSH;
        if (!session->waiter && !ws_http_wait(http, session, wsi))
                return -1;
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, WS_HTTP_FLUSH_S);
        lws_callback_on_writable(wsi);
        return 0;
}

static int ws_session_respond(WsHttp *http,
                              WsSession *session,
                              struct lws *wsi,
                              WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        session->close = response->close;
        ws_http_render(response, &out);
        return ws_session_send(http, session, wsi, &out);
}

/* An answer that ends the connection although lws still expects a body. */
static int ws_session_refuse(WsSession *session,
                             struct lws *wsi,
                             const WsRequest *request,
                             WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };
        bool has_body = request->body_length > 0 || strcmp(request->method, "POST") == 0 ||
                        strcmp(request->method, "PUT") == 0 ||
                        strcmp(request->method, "PATCH") == 0;

        response->close = true;
        ws_http_render(response, &out);
        if (ws_http_write(wsi, &out) < 0 || !has_body || request->body_length == 0)
                return -1;
        session->state = WS_SESSION_DISCARD;
        session->deadline_us = clock_mono_us() + WS_HTTP_DISCARD_US;
        return 0;
}

static void ws_http_allow_origin(const WsHttp *http, const char *origin, WsResponse *response) {
        if (!http->options->allowed_origins || !*http->options->allowed_origins)
                return;
        ws_response_header(response, "Vary", "Origin");
        if (!ws_request_origin_listed(origin, http->options->allowed_origins))
                return;
        ws_response_header(response, "Access-Control-Allow-Origin", origin);
        ws_response_header(response, "Access-Control-Expose-Headers", "Retry-After, ETag");
}

static WsCall ws_http_call(WsHttp *http, WsResponse *response) {
        return (WsCall){
                .options = http->options,
                .access = http->access,
                .hub = http->hub,
                .rates = &http->rates,
                .limiter = http->limiter,
                .now_us = clock_now_us(),
                .response = response,
        };
}

static void ws_http_fault(WsResponse *response) {
        ws_response_problem(response, 500, "internal", "Something failed on our side.");
        response->close = true;
}

/* Hands the query over; a full queue is answered at once, as the database being away would be. */
static int ws_http_ask(WsHttp *http, const WsEndpoint *endpoint, WsWaiter *waiter, WsCall *call) {
        CLEANUP(query_free) Query *query = TAKE(&call->query);
        int timeout_ms = http->options->answer_timeout_ms;
        int r;

        waiter->endpoint = endpoint;
        waiter->ticket = ++http->n_tickets;
        waiter->deadline_us =
                clock_mono_us() + (timeout_ms > 0 ? timeout_ms : WS_HTTP_ANSWER_MS) * INT64_C(1000);
        memcpy(waiter->account, call->account, sizeof(waiter->account));
        query->ticket = waiter->ticket;

        r = queue_push(http->queries, query, 0);
        if (r < 0)
                return err_up(r);
        if (r == 0) {
                query = NULL;
                return 0;
        }
        waiter->ticket = 0;
        metric_add(METRIC_QUERY_REFUSED, 1);
        r = endpoint->answer(call, &(Answer){ .kind = query->kind, .status = 503 });
        return r < 0 ? err_up(r) : 0;
}

/* Calls the endpoint; what it cannot answer now waits with the query. */
static int ws_http_serve(WsHttp *http,
                         WsSession *session,
                         struct lws *wsi,
                         const WsEndpoint *endpoint,
                         WsCall *call) {
        WsResponse *response = call->response;
        WsWaiter *waiter = session->waiter;
        int r;

        r = endpoint->call(call);
        if (r == 0 && call->query && !waiter)
                waiter = ws_http_wait(http, session, wsi);
        if (r == 0 && call->query && waiter) {
                waiter->close = response->close;
                waiter->keep = response->keep;
                r = ws_http_ask(http, endpoint, waiter, call);
        } else if (r == 0 && call->query) {
                ws_response_retry_after(response, 1);
                ws_response_problem(response, 503, "busy", "Too many requests are under way.");
        }
        call->query = query_free(call->query);
        if (r < 0) {
                err_up(r);
                ws_http_fault(response);
        }
        if (response->status != 0)
                return ws_session_respond(http, session, wsi, response);

        session->state = WS_SESSION_WAIT;
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        lws_rx_flow_control(wsi, 0);
        return 0;
}

static void ws_http_refuse_credential(WsResponse *response, int r, const char *why) {
        char detail[128];

        if (r == WS_REQUEST_E_NONE) {
                ws_response_problem(response, 401, "unauthorized", "A bearer token is needed.");
                return;
        }
        snprintf(detail, sizeof(detail), "The credential was refused: %s.", why);
        ws_response_problem(response,
                            401,
                            r == WS_REQUEST_E_EXPIRED ? "token_expired" : "unauthorized",
                            detail);
}

/* true: go on. Else the response says why not. */
static bool ws_http_identify(WsHttp *http, const WsEndpoint *endpoint, WsCall *call) {
        const char *why = "";
        int r;

        if (endpoint->access == WS_ENDPOINT_PUBLIC)
                return true;
        r = ws_request_identify(&http->request, http->access, call->now_us, &call->identity, &why);
        if (r == 0 && endpoint->access == WS_ENDPOINT_USER && !call->identity.user)
                r = WS_REQUEST_E_NONE;
        if (r < 0) {
                err_up(r);
                ws_http_fault(call->response);
        } else if (r > 0) {
                ws_http_refuse_credential(call->response, r, why);
        }
        return r == 0;
}

/* The media type without its parameters. */
static bool ws_http_is_type(const char *content_type, const char *wanted) {
        size_t n = strcspn(content_type, "; \t");

        return n == strlen(wanted) && strncasecmp(content_type, wanted, n) == 0;
}

static size_t ws_http_body_max(const WsHttp *http) {
        return http->options->max_body_bytes > 0 ? http->options->max_body_bytes : WS_HTTP_BODY_MAX;
}

/* What is wrong with the request before anything is looked at; false: it was answered. */
static bool ws_http_check_framing(const WsHttp *http, WsResponse *response) {
        const WsRequest *request = &http->request;
        bool is_post = strcmp(request->method, "POST") == 0;

        if (request->has_coding)
                ws_response_problem(response,
                                    411,
                                    "length_required",
                                    "Send a body with Content-Length.");
        else if (request->body_length > 0 && !is_post)
                ws_response_problem(response,
                                    400,
                                    "bad_request",
                                    "This method does not take a body.");
        else if (request->body_length > 0 &&
                 (uint64_t)request->body_length > ws_http_body_max(http))
                ws_response_problem(response, 413, "too_large", "The body is too large.");
        return response->status == 0;
}

static void ws_http_options(const WsHttp *http, const char *allow, WsResponse *response) {
        const char *allowed = http->options->allowed_origins;

        response->status = 204;
        ws_response_header(response, "Allow", allow);
        if (!ws_request_origin_listed(http->request.origin, allowed))
                return;
        ws_response_header(response, "Access-Control-Allow-Methods", allow);
        ws_response_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type");
        ws_response_header(response, "Access-Control-Max-Age", "600");
}

/* The row of the request; NULL: it was answered. */
static const WsEndpoint *ws_http_route(const WsHttp *http, WsResponse *response) {
        const WsRequest *request = &http->request;
        const WsEndpoint *endpoint;
        char allow[64];
        Text target;

        endpoint = ws_endpoint_find(request->path, request->method, allow);
        if (endpoint)
                return endpoint;

        if (!*allow && ws_dialect_find(text_of(request->path), &target)) {
                ws_response_header(response, "Upgrade", "websocket");
                ws_response_problem(response,
                                    426,
                                    "upgrade_required",
                                    "This path speaks WebSocket.");
        } else if (!*allow) {
                ws_response_problem(response, 404, "not_found", "There is nothing here.");
        } else if (strcmp(request->method, "OPTIONS") == 0) {
                ws_http_options(http, allow, response);
        } else {
                ws_response_header(response, "Allow", allow);
                ws_response_problem(response, 405, "method_not_allowed", "Not with this method.");
        }
        return NULL;
}

/* A POST that says no length has no body, whatever lws waits for: the connection ends with it. */
static void ws_http_prepare(const WsRequest *request, WsResponse *response) {
        response->is_head = strcmp(request->method, "HEAD") == 0;
        response->keep = request->is_http_1_0 && request->wants_keep;
        response->close = request->wants_close || (request->is_http_1_0 && !request->wants_keep) ||
                          (request->body_length < 0 && strcmp(request->method, "POST") == 0);
}

static int ws_http_collect(WsHttp *http,
                           WsSession *session,
                           struct lws *wsi,
                           const WsEndpoint *endpoint,
                           WsCall *call) {
        WsResponse *response = call->response;
        int timeout_ms = http->options->handshake_timeout_ms;
        WsWaiter *waiter = ws_http_wait(http, session, wsi);

        if (!waiter) {
                ws_response_retry_after(response, 1);
                ws_response_problem(response, 503, "busy", "Too many requests are under way.");
                return ws_session_refuse(session, wsi, &http->request, response);
        }
        waiter->endpoint = endpoint;
        waiter->user_id = call->identity.user ? call->identity.user->id : 0;
        waiter->expires_us = call->identity.expires_us;
        waiter->close = response->close;
        waiter->keep = response->keep;
        session->state = WS_SESSION_BODY;
        session->deadline_us =
                clock_mono_us() + (timeout_ms > 0 ? timeout_ms : WS_HTTP_BODY_MS) * INT64_C(1000);
        return 0;
}

static int ws_http_begin(WsHttp *http, WsSession *session, struct lws *wsi) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        const WsRequest *request = &http->request;
        WsCall call = ws_http_call(http, &response);
        const WsEndpoint *endpoint;

        ws_session_forget_waiter(session);
        *session = (WsSession){ 0 };
        if (ws_request_read(&http->request, wsi) != 0) {
                ws_response_problem(&response, 400, "bad_request", "The request cannot be read.");
                return ws_session_refuse(session, wsi, request, &response);
        }

        call.request = request;
        call.source = request->source;
        ws_http_prepare(request, &response);
        ws_http_allow_origin(http, request->origin, &response);
        if (!ws_http_check_framing(http, &response))
                return ws_session_refuse(session, wsi, request, &response);

        endpoint = ws_http_route(http, &response);
        if (endpoint && ws_http_identify(http, endpoint, &call) && endpoint->content_type &&
            !ws_http_is_type(request->content_type, endpoint->content_type))
                ws_response_problem(&response,
                                    415,
                                    "unsupported_media_type",
                                    "The body must be application/x-www-form-urlencoded.");
        if (response.status != 0)
                return request->body_length > 0
                               ? ws_session_refuse(session, wsi, request, &response)
                               : ws_session_respond(http, session, wsi, &response);
        if (request->body_length > 0)
                return ws_http_collect(http, session, wsi, endpoint, &call);
        return ws_http_serve(http, session, wsi, endpoint, &call);
}

static int ws_http_body(WsSession *session, const void *data, size_t n_data) {
        if (session->state != WS_SESSION_BODY && session->state != WS_SESSION_DISCARD)
                return 0;
        if (clock_mono_us() > session->deadline_us)
                return -1;
        if (session->state == WS_SESSION_BODY && n_data > 0)
                buf_append(&session->waiter->body, data, n_data);
        return 0;
}

static int ws_http_body_complete(WsHttp *http, WsSession *session, struct lws *wsi) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsCall call = ws_http_call(http, &response);
        WsWaiter *waiter = session->waiter;

        if (session->state == WS_SESSION_DISCARD)
                return -1;
        if (session->state != WS_SESSION_BODY)
                return 0;
        if (buf_failed(&waiter->body))
                return -1;

        response.close = waiter->close;
        response.keep = waiter->keep;
        ws_http_allow_origin(http, waiter->origin, &response);
        call.source = waiter->source;
        call.identity.user = registry_user(http->access->registry, waiter->user_id);
        call.identity.expires_us = waiter->expires_us;
        call.body = buf_text(&waiter->body);
        if (waiter->endpoint->access == WS_ENDPOINT_USER && !call.identity.user) {
                ws_response_problem(&response, 401, "unauthorized", "The user is gone.");
                return ws_session_respond(http, session, wsi, &response);
        }
        return ws_http_serve(http, session, wsi, waiter->endpoint, &call);
}

static int ws_http_writeable(WsHttp *http, WsSession *session, struct lws *wsi) {
        if (session->state == WS_SESSION_FLUSH)
                return ws_session_end(session, wsi);
        if (session->state == WS_SESSION_WAIT && session->waiter->out.n > 0) {
                CLEANUP_BUF Buf out = session->waiter->out;

                session->waiter->out = (Buf){ 0 };
                session->close = session->waiter->close;
                return ws_session_send(http, session, wsi, &out);
        }
        return 0;
}

static void ws_http_gone(WsSession *session) {
        ws_session_forget_waiter(session);
        *session = (WsSession){ 0 };
}

int ws_http_callback(WsHttp *http,
                     struct lws *wsi,
                     int reason,
                     void *session,
                     void *in,
                     size_t n_in) {
        if (!session)
                return reason == LWS_CALLBACK_HTTP ? -1 : 0;

        switch ((enum lws_callback_reasons)reason) {
        case LWS_CALLBACK_HTTP:
                return ws_http_begin(http, session, wsi);
        case LWS_CALLBACK_HTTP_BODY:
                return ws_http_body(session, in, n_in);
        case LWS_CALLBACK_HTTP_BODY_COMPLETION:
                return ws_http_body_complete(http, session, wsi);
        case LWS_CALLBACK_HTTP_WRITEABLE:
                return ws_http_writeable(http, session, wsi);
        case LWS_CALLBACK_CLOSED_HTTP:
        case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
                ws_http_gone(session);
                return 0;
        default:
                return 0;
        }
}

/* Outside of a callback of this wsi: the answer is kept until its turn to write. */
static void ws_http_settle(WsHttp *http, WsWaiter *waiter, const Answer *answer) {
        CLEANUP_RESPONSE WsResponse response = { .close = waiter->close,
                                                 .keep = waiter->keep,
                                                 .is_head = waiter->is_head };
        WsCall call = ws_http_call(http, &response);
        int r;

        waiter->ticket = 0;
        call.source = waiter->source;
        memcpy(call.account, waiter->account, sizeof(call.account));
        ws_http_allow_origin(http, waiter->origin, &response);

        r = waiter->endpoint->answer(&call, answer);
        if (r < 0) {
                err_up(r);
                ws_http_fault(&response);
        } else if (answer->status == 504) {
                ws_response_problem(&response,
                                    504,
                                    "timeout",
                                    "The database did not answer in time.");
        }
        waiter->close = response.close;
        ws_http_render(&response, &waiter->out);
        lws_rx_flow_control(waiter->wsi, 1); /* else lws would not let us write */
        lws_callback_on_writable(waiter->wsi);
}

void ws_http_answer(WsHttp *http, const Answer *answer) {
        for (size_t i = 0; answer->ticket != 0 && i < WS_HTTP_WAITERS; ++i) {
                WsWaiter *waiter = &http->waiters[i];

                if (waiter->wsi && waiter->ticket == answer->ticket) {
                        ws_http_settle(http, waiter, answer);
                        return;
                }
        }
}

static void ws_http_take_rates(WsHttp *http, int64_t now_us) {
        const int64_t counts[] = {
                metric_get(METRIC_RECEIVED_MQTT) + metric_get(METRIC_RECEIVED_WS) +
                        metric_get(METRIC_RECEIVED_HTTP),
                metric_get(METRIC_COMMITTED),
                metric_get(METRIC_WS_OFFERED),
                metric_get(METRIC_WS_SENT),
        };
        double seconds = (double)(now_us - http->rates_at_us) / 1e6;

        if (now_us - http->rates_at_us < WS_HTTP_RATES_US)
                return;
        if (http->rates_at_us != 0)
                http->rates = (WsRates){
                        .received = (double)(counts[0] - http->rates_from[0]) / seconds,
                        .committed = (double)(counts[1] - http->rates_from[1]) / seconds,
                        .offered = (double)(counts[2] - http->rates_from[2]) / seconds,
                        .sent = (double)(counts[3] - http->rates_from[3]) / seconds,
                };
        memcpy(http->rates_from, counts, sizeof(counts));
        http->rates_at_us = now_us;
}

/*
 * Has he sent more before he has read what he asked for? Either it is in the socket, or lws has
 * read it and calls itself over and over; lws does not say for whom, nor whether a timer of its own
 * is the cause, so it must say so for a while.
 */
static bool ws_http_is_spinning(WsWaiter *waiter) {
        int n = 0;

        if (ioctl(lws_get_socket_fd(waiter->wsi), FIONREAD, &n) == 0 && n > 0)
                return true;
        if (lws_service_adjust_timeout(lws_get_context(waiter->wsi), 1000, 0) > 0)
                waiter->n_restless = 0;
        else
                ++waiter->n_restless;
        return waiter->n_restless >= WS_HTTP_RESTLESS;
}

void ws_http_tick(WsHttp *http) {
        int64_t now_us = clock_mono_us();

        ws_http_take_rates(http, now_us);
        for (size_t i = 0; i < WS_HTTP_WAITERS; ++i) {
                WsWaiter *waiter = &http->waiters[i];

                if (!waiter->wsi)
                        continue;
                if (waiter->ticket != 0 && now_us > waiter->deadline_us)
                        ws_http_settle(http, waiter, &(Answer){ .status = 504 });
                if (waiter->session->state == WS_SESSION_FLUSH && ws_http_is_spinning(waiter))
                        lws_set_timeout(waiter->wsi, 1, LWS_TO_KILL_ASYNC);
        }
}

/* lws goes on by itself after a refused upgrade (1); any other request ends here. */
int ws_http_problem(struct lws *wsi,
                    int status,
                    const char *code,
                    const char *detail,
                    int retry_after_s) {
        CLEANUP_RESPONSE WsResponse response = { .close = true };
        CLEANUP_BUF Buf out = { 0 };
        bool is_upgrade = lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) > 0;

        ws_response_retry_after(&response, retry_after_s);
        ws_response_problem(&response, status, code, detail);
        ws_http_render(&response, &out);
        if (ws_http_write(wsi, &out) < 0)
                return -1;
        return is_upgrade ? 1 : -1;
}
