#include "ws/session.h"

#include <libwebsockets.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"

#define WS_SESSION_DISCARD_US                                                    \
        INT64_C(2000000)       /* how long the body of a refused request is read \
                                */
#define WS_SESSION_FLUSH_S  30 /* how long a reader may take for one answer */
#define WS_SESSION_RESTLESS 3

void ws_waiter_drop_stream(WsWaiter *waiter, bool is_over) {
        if (waiter->stream && !is_over)
                stream_cancel(waiter->stream);
        waiter->stream = stream_unref(waiter->stream);
}

static void ws_waiter_done(WsWaiter *waiter) {
        ws_waiter_drop_stream(waiter, waiter->is_complete);
        buf_done(&waiter->body);
        buf_done(&waiter->out);
        *waiter = (WsWaiter){ 0 };
}

void ws_waiters_done(WsWaiters *waiters) {
        for (size_t i = 0; i < WS_SESSION_WAITERS; ++i)
                ws_waiter_done(&waiters->all[i]);
}

WsWaiter *ws_waiters_take(WsSession *session, struct lws *wsi) {
        for (size_t i = 0; i < WS_SESSION_WAITERS; ++i) {
                WsWaiter *waiter = &session->waiters->all[i];

                if (waiter->wsi)
                        continue;
                waiter->wsi = wsi;
                waiter->session = session;
                session->waiter = waiter;
                return waiter;
        }
        return NULL;
}

/* lws has read it and calls itself over and over, or it is in the socket. lws does not say for
 * whom, nor whether a timer of its own is the cause: so it must say so for a while. */
bool ws_waiter_is_spinning(WsWaiter *waiter) {
        int n = 0;

        if (waiter->session->state != WS_SESSION_FLUSH &&
            waiter->session->state != WS_SESSION_STREAM)
                return false;
        if (ioctl(lws_get_socket_fd(waiter->wsi), FIONREAD, &n) == 0 && n > 0)
                return true;
        if (lws_service_adjust_timeout(lws_get_context(waiter->wsi), 1000, 0) > 0)
                waiter->n_restless = 0;
        else
                ++waiter->n_restless;
        return waiter->n_restless >= WS_SESSION_RESTLESS;
}

/* Where the socket takes nothing more, the timer does it; it runs only when lws is at work. */
void ws_waiter_kill(WsWaiter *waiter) {
        waiter->session->state = WS_SESSION_DEAD;
        waiter->ticket = 0; /* what still comes for it is for nobody */
        ws_waiter_drop_stream(waiter, false);
        lws_rx_flow_control(waiter->wsi, 1);
        lws_callback_on_writable(waiter->wsi);
        lws_set_timeout(waiter->wsi, PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_ASYNC);
}

static void ws_session_count(int status) {
        if (status < 400)
                metric_add(METRIC_HTTP_REQUESTS_2XX, 1);
        else if (status < 500)
                metric_add(METRIC_HTTP_REQUESTS_4XX, 1);
        else
                metric_add(METRIC_HTTP_REQUESTS_5XX, 1);
}

/* The bytes for lws_write(), which wants room before them. */
static void ws_session_render(const WsResponse *response, Buf *out) {
        static const char room[LWS_PRE];

        buf_append(out, room, sizeof(room));
        ws_response_render(response, out);
        if (buf_failed(&response->body) || buf_failed(&response->headers))
                out->failed = true;
        ws_session_count(response->status);
}

static int ws_session_put(struct lws *wsi, Buf *out, enum lws_write_protocol how) {
        int r;

        if (buf_failed(out))
                return -1;
        r = lws_write(wsi, (unsigned char *)out->data + LWS_PRE, out->n - LWS_PRE, how);
        return r < 0 ? -1 : 0;
}

int ws_session_begin_events(struct lws *wsi, WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        response->status = 200;
        ws_response_header(response, "Content-Type", "text/event-stream");
        ws_response_header(response, "Cache-Control", "no-store");
        ws_response_header(response, "X-Accel-Buffering", "no");
        ws_session_count(200);
        buf_append_string(&out, "HTTP/1.1 200 OK\r\n");
        buf_append_text(&out, buf_text(&response->headers));
        buf_append_string(&out, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
        if (buf_failed(&out))
                return -1;
        return lws_write(wsi, (unsigned char *)out.data, out.n, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

int ws_session_write(struct lws *wsi, const WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        ws_session_render(response, &out);
        return ws_session_put(wsi, &out, LWS_WRITE_HTTP_FINAL);
}

static void ws_session_forget_waiter(WsSession *session) {
        if (session->waiter)
                ws_waiter_done(session->waiter);
        session->waiter = NULL;
}

void ws_session_reset(WsSession *session, WsWaiters *waiters) {
        ws_session_forget_waiter(session);
        *session = (WsSession){ .waiters = waiters };
}

static int ws_session_end(WsSession *session, struct lws *wsi) {
        bool close = session->close;

        ws_session_reset(session, session->waiters);
        if (close)
                return -1;
        return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/*
 * What the socket did not take, lws keeps and sends. It would spin on further requests meanwhile,
 * and a connection that is not read (lws_rx_flow_control()) is not written either: so who sends
 * more before he has read this is to be cut off, see ws_waiter_is_spinning().
 */
static int ws_session_send(WsSession *session, struct lws *wsi, Buf *out) {
        if (ws_session_put(wsi, out, LWS_WRITE_HTTP_FINAL) < 0)
                return -1;
        if (!lws_partial_buffered(wsi))
                return ws_session_end(session, wsi);

        session->state = WS_SESSION_FLUSH;
        if (!session->waiter && !ws_waiters_take(session, wsi))
                return -1;
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, WS_SESSION_FLUSH_S);
        lws_callback_on_writable(wsi);
        return 0;
}

int ws_session_respond(WsSession *session, struct lws *wsi, const WsResponse *response) {
        CLEANUP_BUF Buf out = { 0 };

        session->close = response->close;
        ws_session_render(response, &out);
        return ws_session_send(session, wsi, &out);
}

int ws_session_refuse(WsSession *session,
                      struct lws *wsi,
                      const WsRequest *request,
                      WsResponse *response) {
        bool has_body = request->body_length > 0 || strcmp(request->method, "POST") == 0 ||
                        strcmp(request->method, "PUT") == 0 ||
                        strcmp(request->method, "PATCH") == 0;

        response->close = true;
        if (ws_session_write(wsi, response) < 0 || !has_body || request->body_length == 0)
                return -1;
        session->state = WS_SESSION_DISCARD;
        session->deadline_us = clock_mono_us() + WS_SESSION_DISCARD_US;
        return 0;
}

void ws_session_collect(WsSession *session, int timeout_ms) {
        session->state = WS_SESSION_BODY;
        session->deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
}

/* The deadline is of the whole body: lws has one for each piece, which one byte renews. */
int ws_session_body(WsSession *session, const void *data, size_t n_data) {
        if (session->state != WS_SESSION_BODY && session->state != WS_SESSION_DISCARD)
                return 0;
        if (clock_mono_us() > session->deadline_us)
                return -1;
        if (session->state == WS_SESSION_BODY && n_data > 0)
                buf_append(&session->waiter->body, data, n_data);
        return 0;
}

/* The next request stays unread: lws would spin on it. */
void ws_session_wait(WsSession *session, struct lws *wsi) {
        session->state = WS_SESSION_WAIT;
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        lws_rx_flow_control(wsi, 0);
}

void ws_waiter_answer(WsWaiter *waiter, const WsResponse *response) {
        waiter->close = response->close;
        ws_session_render(response, &waiter->out);
        lws_rx_flow_control(waiter->wsi, 1); /* else lws would not let us write */
        lws_callback_on_writable(waiter->wsi);
}

/* ---- answers in pieces --------------------------------------------------------------------- */

bool ws_waiter_is_gone(const WsWaiter *waiter) {
        struct pollfd fd = { .fd = lws_get_socket_fd(waiter->wsi), .events = POLLRDHUP };

        return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void ws_waiter_begin_stream(WsWaiter *waiter, WsResponse *response) {
        response->is_stream = true;
        response->is_http_1_0 = waiter->is_http_1_0;
        waiter->session->close = response->close || waiter->is_http_1_0;
        waiter->session->state = WS_SESSION_STREAM;
        ws_session_render(response, &waiter->out);
        lws_rx_flow_control(waiter->wsi, 1); /* else lws would not let us write */
}

void ws_waiter_continue_stream(WsWaiter *waiter, Text piece, bool is_last) {
        static const char room[LWS_PRE];
        Buf *out = &waiter->out;

        if (out->n == 0)
                buf_append(out, room, sizeof(room));
        if (!waiter->is_http_1_0 && piece.n > 0)
                buf_printf(out, "%zx\r\n", piece.n);
        buf_append_text(out, piece);
        if (!waiter->is_http_1_0 && piece.n > 0)
                buf_append_string(out, "\r\n");
        if (!waiter->is_http_1_0 && is_last)
                buf_append_string(out, "0\r\n\r\n");
        ++waiter->n_waiting;
        waiter->is_complete = is_last;
        lws_callback_on_writable(waiter->wsi);
}

/* What was written before has left lws: there is room for as much again. */
static void ws_waiter_grant(WsWaiter *waiter) {
        if (waiter->n_written > 0 && waiter->stream)
                stream_grant(waiter->stream, waiter->n_written);
        waiter->n_written = 0;
}

/* Called by lws once it has sent what it kept of the last write. */
static int ws_session_write_stream(WsSession *session, struct lws *wsi) {
        WsWaiter *waiter = session->waiter;
        CLEANUP_BUF Buf out = waiter->out;

        waiter->out = (Buf){ 0 };
        ws_waiter_grant(waiter);
        if (out.n > 0) {
                waiter->n_written = waiter->n_waiting;
                waiter->n_waiting = 0;
                if (ws_session_put(wsi,
                                   &out,
                                   waiter->is_complete ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
                        return -1;
                if (lws_partial_buffered(wsi)) {
                        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, WS_SESSION_FLUSH_S);
                        lws_callback_on_writable(wsi);
                        return 0;
                }
                ws_waiter_grant(waiter);
        }
        if (waiter->is_complete)
                return ws_session_end(session, wsi);
        lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
        return 0;
}

int ws_session_writeable(WsSession *session, struct lws *wsi) {
        if (session->state == WS_SESSION_DEAD)
                return -1;
        if (session->state == WS_SESSION_STREAM)
                return ws_session_write_stream(session, wsi);
        if (session->state == WS_SESSION_FLUSH)
                return ws_session_end(session, wsi);
        if (session->state == WS_SESSION_WAIT && session->waiter->out.n > 0) {
                CLEANUP_BUF Buf out = session->waiter->out;

                session->waiter->out = (Buf){ 0 };
                session->close = session->waiter->close;
                return ws_session_send(session, wsi, &out);
        }
        return 0;
}
