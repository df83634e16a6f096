#include "ws/net/conn.h"

#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/access/shares.h"
#include "ws/net/conn_state.h"
#include "ws/net/preface.h"
#include "ws/net/tls.h"

#define WS_CONN_KEEP_BYTES 32768 /* not used yet, beyond which nothing more is read */
#define WS_CONN_SENDING_MS 30000 /* to take the rest, once it is ending */
#define WS_CONN_LINGER_MS  2000  /* to hang up after that */

#define WS_CONN_ALONE (UINT64_C(1) << 61) /* no party of others */

/* ---- what the loop is to watch ------------------------------------------------------------- */

static void ws_conn_on_poll(uv_poll_t *poll, int status, int events);

static bool ws_conn_reads(const WsConn *conn) {
        return !conn->is_paused && !conn->has_ended && !conn->socket.is_stuck &&
               (conn->in.n < WS_CONN_KEEP_BYTES || conn->is_ending);
}

static int ws_conn_wanted(const WsConn *conn) {
        int events = 0;

        if (conn->is_prefaced)
                return UV_READABLE;
        if (conn->greeting.greeter)
                return UV_DISCONNECT;
        if (conn->is_greeting)
                return conn->greeting_writes ? UV_WRITABLE : UV_READABLE;
        if (ws_conn_reads(conn))
                events |= UV_READABLE;
        else if (!conn->has_ended && !conn->is_hung_up)
                events |= UV_DISCONNECT;
        if (ws_socket_has_unsent(&conn->socket) || conn->wants_write || conn->socket.is_stuck)
                events |= UV_WRITABLE;
        return events;
}

void ws_conn_watch(WsConn *conn) {
        int events;

        if (conn->is_closing)
                return;
        events = ws_conn_wanted(conn);
        if (events == conn->watched)
                return;
        conn->watched = events;
        if (events == 0)
                uv_poll_stop(&conn->poll);
        else
                MUST(uv_poll_start(&conn->poll, events, ws_conn_on_poll));
}

/* It has something to do in the next turn, whatever its socket says. */
static void ws_conn_again(WsConn *conn) {
        WsConns *conns = conn->conns;
        uint64_t party = conn->payer != 0 ? conn->payer : WS_CONN_ALONE | (uintptr_t)conn;

        if (conn->is_closing)
                return;
        if (!ws_line_join(conns->line, &conn->place, party))
                ws_conn_close(conn);
        ws_conns_wake(conns);
}

/* ---- its place ----------------------------------------------------------------------------- */

void ws_conn_leave_crowd(WsConn *conn) {
        if (conn->party != 0)
                ws_shares_give_back(conn->conns->crowds[conn->door], conn->party, 1);
        conn->party = 0;
}

static bool ws_conn_join_crowd(WsConn *conn, uint64_t party) {
        if (!ws_shares_take(conn->conns->crowds[conn->door], party, 1))
                return false;
        conn->party = conn->payer = party;
        return true;
}

void ws_conn_set_payer(WsConn *conn, uint64_t party) {
        if (party != 0 || conn->is_shared)
                conn->payer = party;
}

/* ---- its end ------------------------------------------------------------------------------- */

static void ws_conn_on_closed(uv_handle_t *handle) {
        WsConn *conn = handle->data;
        WsConns *conns = conn->conns;

        conns->handler.closed(conns->handler.arg, conn);
        ws_line_leave(conns->line, &conn->place);
        ws_conn_set_deadline(conn, 0);
        ws_conn_leave_crowd(conn);
        if (conn->is_greeting)
                metric_add(METRIC_TLS_HANDSHAKES_FAILED, 1);
        TAILQ_REMOVE(&conns->all, conn, all);
        --conns->n[conn->door];
        ws_socket_done(&conn->socket);
        buf_done(&conn->in);
        free(conn);
}

/* Who waits for one of them to end has room. */
static void ws_conn_end_greeting(WsConn *conn) {
        ws_greetings_end(conn->conns->greetings, &conn->greeting);
        ws_conns_wake(conn->conns);
}

void ws_conn_close(WsConn *conn) {
        if (conn->is_closing)
                return;

        conn->is_closing = true;
        ws_conn_end_greeting(conn);
        uv_close((uv_handle_t *)&conn->poll, ws_conn_on_closed);
}

static void ws_conn_say_bye(WsConn *conn) {
        ws_socket_say_bye(&conn->socket);
        ws_conn_set_deadline(conn, ws_conn_now_ms() + WS_CONN_LINGER_MS);
        if (conn->has_ended)
                ws_conn_close(conn);
}

void ws_conn_end(WsConn *conn) {
        if (conn->is_ending || conn->is_closing)
                return;

        conn->is_ending = true;
        conn->is_paused = conn->wants_write = false;
        if (ws_socket_has_unsent(&conn->socket))
                ws_conn_set_deadline(conn, ws_conn_now_ms() + WS_CONN_SENDING_MS);
        else
                ws_conn_say_bye(conn);
        ws_conn_watch(conn);
}

/* ---- writing ------------------------------------------------------------------------------- */

bool ws_conn_write(WsConn *conn, const void *data, size_t n) {
        if (conn->is_closing || conn->is_ending)
                return false;
        if (!ws_socket_write(&conn->socket, data, n))
                ws_conn_close(conn);
        else if (ws_socket_has_unsent(&conn->socket))
                ws_conn_watch(conn);
        return !conn->is_closing;
}

/* One write: a peer that takes all we have does not keep the loop. */
static void ws_conn_flush(WsConn *conn) {
        if (!ws_socket_has_unsent(&conn->socket))
                return;
        if (!ws_socket_flush(&conn->socket))
                ws_conn_close(conn);
        else if (conn->is_ending && !ws_socket_has_unsent(&conn->socket))
                ws_conn_say_bye(conn);
}

static void ws_conn_on_writable(WsConn *conn) {
        ws_conn_flush(conn);
        if (conn->is_closing || ws_socket_has_unsent(&conn->socket) || !conn->wants_write)
                return;
        conn->wants_write = false;
        conn->conns->handler.writable(conn->conns->handler.arg, conn);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Offers what is there to the handler, and keeps what it does not use. */
void ws_conn_deliver(WsConn *conn, char *data, size_t n) {
        const WsConnHandler *handler = &conn->conns->handler;
        bool is_kept = data == conn->in.data;
        size_t used;

        used = n > 0 ? handler->receive(handler->arg, conn, data, n) : 0;
        if (conn->is_closing || conn->is_ending)
                return;
        if (!is_kept) {
                buf_append(&conn->in, data + used, n - used);
        } else if (used > 0) {
                memmove(conn->in.data, conn->in.data + used, conn->in.n - used);
                conn->in.n -= used;
        }
        if (buf_failed(&conn->in))
                ws_conn_close(conn);
        else if (conn->in.n == 0)
                buf_done(&conn->in);
        else if (used > 0 && !conn->is_paused)
                ws_conn_again(conn);
}

/* There is no time left in this turn, or others wait who came before. */
static void ws_conn_put_off(WsConn *conn) {
        if (!conn->place.party)
                metric_add(METRIC_WS_PUT_OFF, 1);
        ws_conn_again(conn);
}

static void ws_conn_take(WsConn *conn, size_t n) {
        bool has_time = !conn->place.party && ws_conns_have_time(conn->conns);

        if (conn->is_ending) /* nobody is interested any more */
                return;
        if (conn->in.n == 0 && has_time) {
                ws_conn_deliver(conn, conn->conns->buffer, n);
                return;
        }
        buf_append(&conn->in, conn->conns->buffer, n);
        if (buf_failed(&conn->in))
                ws_conn_close(conn);
        else if (has_time)
                ws_conn_deliver(conn, conn->in.data, conn->in.n);
        else
                ws_conn_put_off(conn);
}

/* Who has more to deliver is told of the end after that. */
void ws_conn_tell_end(WsConn *conn) {
        if (conn->is_closing || conn->place.party || !(conn->has_ended || conn->is_hung_up))
                return;
        if (!conn->is_ending)
                conn->conns->handler.ended(conn->conns->handler.arg, conn);
        else if (conn->has_ended && !ws_socket_has_unsent(&conn->socket))
                ws_conn_close(conn);
}

static void ws_conn_on_readable(WsConn *conn) {
        WsConns *conns = conn->conns;
        ssize_t n = ws_socket_read(&conn->socket, conns->buffer, sizeof(conns->buffer));

        if (n == -EAGAIN)
                return;
        if (n < 0) {
                ws_conn_close(conn);
                return;
        }
        if (n > 0)
                ws_conn_take(conn, (size_t)n);
        else
                conn->has_ended = true;
        ws_conn_tell_end(conn);
}

/* What came in place of a handshake is HTTP, whose answer its peer can read. */
static void ws_conn_be_bare(WsConn *conn) {
        metric_add(METRIC_TLS_HANDSHAKES_FAILED, 1);
        conn->socket.ssl = ws_tls_release(conn->socket.ssl);
        conn->is_greeting = false;
        ws_conn_end_greeting(conn);
        conn->conns->handler.bare(conn->conns->handler.arg, conn);
}

/* One step, now. */
void ws_conn_greet(WsConn *conn) {
        int64_t since_us = clock_mono_us();
        int r;

        conn->greeted_ms = since_us / 1000;
        if (!conn->socket.ssl && ws_greetings_begin(conn->conns->greetings, &conn->greeting))
                conn->socket.ssl = ws_tls_accept(conn->tls, conn->socket.fd);
        r = conn->socket.ssl ? ws_tls_handshake(conn->socket.ssl, &conn->greeting_writes) : -ENOMEM;
        ws_greetings_took(conn->conns->greetings, clock_mono_us() - since_us);
        if (r == 0) {
                conn->is_greeting = false;
                ws_conn_end_greeting(conn);
                metric_add(METRIC_TLS_HANDSHAKES, 1);
        } else if (r == -EPROTO) {
                ws_conn_be_bare(conn);
        } else if (r != -EAGAIN) {
                ws_conn_close(conn);
        }
}

/* One step, when it has its turn: which may be now. */
static void ws_conn_want_greeting(WsConn *conn) {
        WsConns *conns = conn->conns;
        if (!conn->socket.ssl)
                conn->greeting.party = conn->party;
        ws_greetings_turn(conns->greetings, uv_now(conns->loop));
        if (ws_greetings_may_go_on(conns->greetings, &conn->greeting)) {
                ws_conn_greet(conn);
                return;
        }
        metric_add(METRIC_TLS_HANDSHAKES_PUT_OFF, 1);
        if (!ws_greetings_wait(conns->greetings, &conn->greeting))
                ws_conn_close(conn);
        ws_conns_wake(conns);
}

/* ---- preface ------------------------------------------------------------------------------- */

static void ws_conn_be_strange(WsConn *conn) {
        bool is_answered = !ws_conn_is_tls(conn); /* who expects TLS could not read it */

        metric_add(METRIC_WS_REFUSED_PREFACE, 1);
        buf_done(&conn->in);
        conn->is_prefaced = false;
        if (is_answered)
                conn->conns->handler.strange(conn->conns->handler.arg, conn);
        else
                ws_conn_close(conn);
}

static void ws_conn_on_preface(WsConn *conn) {
        char *buffer = conn->conns->buffer;
        WsPreface preface;
        uint64_t party;
        ssize_t n;
        int r;

        r = ws_preface_parse(&preface, buf_text(&conn->in));
        assert(r == WS_PREFACE_E_MORE); /* or it would not be waited for */
        n = recv(conn->socket.fd, buffer, preface.n - conn->in.n, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0)
                buf_append(&conn->in, buffer, (size_t)n);
        if (n <= 0 || buf_failed(&conn->in)) {
                ws_conn_close(conn);
                return;
        }
        r = ws_preface_parse(&preface, buf_text(&conn->in));
        if (r == WS_PREFACE_E_MORE)
                return;
        if (r != 0) {
                ws_conn_be_strange(conn);
                return;
        }
        buf_done(&conn->in);
        conn->is_prefaced = false;
        if (!preface.has_source)
                return;
        conn->is_shared = false;
        ws_address_text(&preface.source, conn->source);
        party = ws_party_address(conn->source);
        if (!ws_conns_have_room(conn->conns,
                                conn->door,
                                party,
                                ws_conns_elsewhere(conn->conns, conn->door) - 1) ||
            !ws_conn_join_crowd(conn, party))
                ws_conn_close(conn);
}

/* ---- events -------------------------------------------------------------------------------- */

/* A reset, or the kernel's patience is over: what came before may still be there. */
static void ws_conn_on_broken(WsConn *conn) {
        ws_socket_note_broken(&conn->socket);
        if (!conn->is_prefaced && !conn->is_greeting && ws_conn_reads(conn))
                ws_conn_on_readable(conn);
        ws_conn_close(conn);
}

static void ws_conn_on_poll(uv_poll_t *poll, int status, int events) {
        WsConn *conn = poll->data;

        if (conn->is_closing)
                return;
        if (status < 0) {
                ws_conn_on_broken(conn);
                return;
        }
        if (conn->is_prefaced || conn->is_greeting) {
                if (conn->is_prefaced)
                        ws_conn_on_preface(conn);
                else if (conn->greeting.greeter) /* for its turn, and it has hung up */
                        ws_conn_close(conn);
                else
                        ws_conn_want_greeting(conn);
                ws_conn_watch(conn);
                return;
        }
        if (events & UV_WRITABLE) {
                conn->socket.is_stuck = false;
                ws_conn_on_writable(conn);
        }
        if (!conn->is_closing && (events & UV_READABLE) && ws_conn_reads(conn)) {
                ws_conn_on_readable(conn);
        } else if (!conn->is_closing && (events & UV_DISCONNECT)) {
                conn->is_hung_up = true;
                ws_conn_tell_end(conn);
        }
        ws_conn_watch(conn);
}

/* ---- one connection ------------------------------------------------------------------------ */

static int ws_conn_begin(WsConn *conn, const WsArrival *arrival) {
        WsConns *conns = conn->conns;

        conn->tls = arrival->tls;
        conn->is_greeting = arrival->tls != NULL;
        ws_address_text(&arrival->source, conn->source);
        conn->is_prefaced = arrival->has_preface;
        conn->is_shared = arrival->is_proxy;
        ws_conn_set_deadline(conn, arrival->deadline_ms);
        ws_conn_watch(conn);
        if (!arrival->is_proxy && !ws_conn_join_crowd(conn, ws_party_address(conn->source)))
                return err_new(-ENOMEM);
        return conns->handler.opened(conns->handler.arg, conn);
}

int ws_conn_open(WsConns *conns, const WsArrival *arrival) {
        char source[WS_ADDRESS_TEXT_SIZE];
        WsConn *conn;
        int r;

        ws_address_text(&arrival->source, source);
        if (!arrival->is_proxy && !ws_conns_have_room(conns,
                                                      arrival->door,
                                                      ws_party_address(source),
                                                      ws_conns_elsewhere(conns, arrival->door)))
                return WS_CONN_E_CROWD;
        conn = calloc(1, sizeof(*conn));
        if (!conn || uv_poll_init(conns->loop, &conn->poll, arrival->fd) != 0) {
                (void)close(arrival->fd);
                free(conn);
                return err_new(-ENOMEM);
        }
        conn->conns = conns;
        conn->socket.fd = arrival->fd;
        conn->door = arrival->door;
        conn->opened_ms = ws_conn_now_ms();
        conn->poll.data = conn;
        conn->greeting.owner = conn->place.owner = conn;
        TAILQ_INSERT_TAIL(&conns->all, conn, all);
        ++conns->n[conn->door];
        r = ws_conn_begin(conn, arrival);
        if (r < 0)
                ws_conn_close(conn);
        return err_up(r);
}

void ws_conn_set_user(WsConn *conn, void *user) {
        conn->user = user;
}

void *ws_conn_user(const WsConn *conn) {
        return conn->user;
}

const char *ws_conn_source(const WsConn *conn) {
        return conn->source;
}

bool ws_conn_is_tls(const WsConn *conn) {
        return conn->socket.ssl || conn->is_greeting;
}

int ws_conn_door(const WsConn *conn) {
        return conn->door;
}

size_t ws_conn_n_unsent(const WsConn *conn) {
        return ws_socket_n_unsent(&conn->socket);
}

bool ws_conn_is_full(const WsConn *conn) {
        return ws_socket_has_unsent(&conn->socket);
}

bool ws_conn_is_paused(const WsConn *conn) {
        return conn->is_paused;
}

bool ws_conn_has_ended(const WsConn *conn) {
        return conn->has_ended;
}

bool ws_conn_is_open(const WsConn *conn) {
        return !conn->is_closing && !conn->is_ending;
}

bool ws_conn_is_given_up(const WsConn *conn) {
        return conn->socket.is_given_up;
}

void ws_conn_want_write(WsConn *conn) {
        if (!ws_conn_is_open(conn))
                return;
        conn->wants_write = true;
        ws_conn_watch(conn);
}

void ws_conn_pause(WsConn *conn, bool is_paused) {
        if (!ws_conn_is_open(conn) || conn->is_paused == is_paused)
                return;
        conn->is_paused = is_paused;
        if (!is_paused && (conn->in.n > 0 || conn->has_ended))
                ws_conn_again(conn);
        ws_conn_watch(conn);
}

void ws_conn_set_deadline(WsConn *conn, int64_t deadline_ms) {
        WsConns *conns = conn->conns;

        conn->deadline_ms = deadline_ms;
        if (deadline_ms != 0 && !conn->is_timed)
                TAILQ_INSERT_TAIL(&conns->timed, conn, timed);
        else if (deadline_ms == 0 && conn->is_timed)
                TAILQ_REMOVE(&conns->timed, conn, timed);
        conn->is_timed = deadline_ms != 0;
}
