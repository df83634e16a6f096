/* WsConns: all connections of a loop: their room, their turns and their deadlines. */

#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/net/conn.h"
#include "ws/net/conn_state.h"

#define WS_CONN_TURN_US 10000 /* for what came, in one turn of the loop */
#define WS_CONN_IDLE_MS 1000  /* after which one gives way to another of its address */
#define WS_CONN_LOOK    256   /* connections that are looked at for one */

/* ---- turns --------------------------------------------------------------------------------- */

/* Is there time left in this turn of the loop, and does nobody wait who came before? What is heard
 * later is heard party by party: so that many who make much work leave time to write and to accept,
 * and one who makes much leaves it to the others. */
bool ws_conns_have_time(WsConns *conns) {
        int64_t now_us = clock_mono_us();

        if (uv_now(conns->loop) != conns->turn_ms) {
                conns->turn_ms = uv_now(conns->loop);
                conns->turn_until_us = now_us + WS_CONN_TURN_US;
        }
        return now_us < conns->turn_until_us && ws_line_length(conns->line) == 0;
}

static bool ws_conns_are_idle(const WsConns *conns) {
        return ws_line_length(conns->line) == 0 && ws_greetings_are_idle(conns->greetings);
}

static void ws_conns_greet(WsConns *conns) {
        WsGreeting *greeting;

        ws_greetings_turn(conns->greetings, uv_now(conns->loop));
        while ((greeting = ws_greetings_next(conns->greetings))) {
                WsConn *conn = greeting->owner;

                ws_conn_greet(conn);
                ws_conn_watch(conn);
        }
}

static void ws_conns_on_idle(uv_idle_t *idle) {
        WsConns *conns = idle->data;
        int64_t until_us = clock_mono_us() + WS_CONN_TURN_US;
        size_t n = ws_line_length(conns->line); /* who comes back has the next turn */

        ws_conns_greet(conns);
        for (; n > 0 && clock_mono_us() < until_us; --n) {
                WsLinePlace *place = ws_line_next(conns->line);
                WsConn *conn;

                if (!place)
                        break;
                conn = place->owner;
                if (!conn->is_closing && !conn->is_ending && !conn->is_paused)
                        ws_conn_deliver(conn, conn->in.data, conn->in.n);
                ws_conn_tell_end(conn);
                ws_conn_watch(conn);
        }
        if (ws_conns_are_idle(conns))
                uv_idle_stop(idle);
}

void ws_conns_wake(WsConns *conns) {
        if (!ws_conns_are_idle(conns))
                MUST(uv_idle_start(&conns->idle, ws_conns_on_idle)); /* nothing, if it has been */
}

/* ---- room ---------------------------------------------------------------------------------- */

/* Those that are to say something in time are in the order in which they came. The first ones of a
 * crowd are found at once; among many of others they are not looked for to the end. */
static bool ws_conns_make_room(WsConns *conns, int door, uint64_t party) {
        int64_t before_ms = ws_conn_now_ms() - WS_CONN_IDLE_MS;
        int n_looked_at = 0;
        WsConn *conn;

        TAILQ_FOREACH(conn, &conns->timed, timed) {
                if (++n_looked_at > WS_CONN_LOOK)
                        return false;
                if (conn->party != party || conn->door != door || conn->opened_ms > before_ms ||
                    !ws_conn_is_open(conn))
                        continue;
                if (!conn->is_prefaced && !conn->is_greeting &&
                    !conns->handler.is_idle(conns->handler.arg, conn))
                        continue;
                ws_conn_close(conn);
                return true;
        }
        return false;
}

bool ws_conns_have_room(WsConns *conns, int door, uint64_t party, size_t n_elsewhere) {
        size_t most = conns->most[door] > n_elsewhere ? conns->most[door] - n_elsewhere : 0;

        if (ws_shares_fit(conns->crowds[door], party, 1, most, conns->share))
                return true;
        metric_add(METRIC_SHARE_REFUSED_CONNECTIONS, 1);
        return ws_conns_make_room(conns, door, party);
}

size_t ws_conns_elsewhere(const WsConns *conns, int door) {
        return conns->n[door] - ws_shares_total(conns->crowds[door]);
}

/* ---- all of them --------------------------------------------------------------------------- */

int ws_conns_new(WsConns **ret_conns, struct uv_loop_s *loop, const WsConnHandler *handler) {
        WsConns *conns = calloc(1, sizeof(*conns));
        int r = 0;

        if (!conns)
                return err_new(-ENOMEM);
        for (size_t i = 0; r == 0 && i < WS_CONN_DOORS; ++i)
                r = ws_shares_new(&conns->crowds[i]);
        if (r == 0)
                r = ws_greetings_new(&conns->greetings);
        if (r == 0)
                r = ws_line_new(&conns->line);
        if (r < 0) {
                ws_conns_free(conns);
                return err_up(r);
        }
        conns->loop = loop;
        conns->handler = *handler;
        TAILQ_INIT(&conns->all);
        TAILQ_INIT(&conns->timed);
        MUST(uv_idle_init(loop, &conns->idle));
        conns->idle.data = conns;
        *ret_conns = conns;
        return 0;
}

void ws_conns_close(WsConns *conns) {
        WsConn *conn;

        TAILQ_FOREACH(conn, &conns->all, all)
                ws_conn_close(conn);
        uv_close((uv_handle_t *)&conns->idle, NULL);
}

WsConns *ws_conns_free(WsConns *conns) {
        if (!conns)
                return NULL;

        for (size_t i = 0; i < WS_CONN_DOORS; ++i)
                ws_shares_free(conns->crowds[i]);
        ws_greetings_free(conns->greetings);
        ws_line_free(conns->line);
        free(conns);
        return NULL;
}

size_t ws_conns_length(const WsConns *conns, int door) {
        return conns->n[door];
}

void ws_conns_set_room(WsConns *conns, int door, size_t most, int share) {
        conns->most[door] = most;
        conns->share = share;
}

void ws_conns_set_greeting(WsConns *conns, const WsGreetingsLimits *limits) {
        ws_greetings_set_limits(conns->greetings, limits);
}

/* Its peer is silent, while others wait for its place. */
static bool ws_conn_gives_way(const WsConn *conn, int64_t now_ms) {
        return conn->greeting.is_begun && now_ms - conn->greeted_ms >= WS_CONN_IDLE_MS &&
               !conn->greeting.greeter &&
               ws_greetings_miss(conn->conns->greetings, &conn->greeting);
}

void ws_conns_sweep(WsConns *conns, int64_t now_ms) {
        WsConn *conn = TAILQ_FIRST(&conns->timed);

        while (conn) {
                WsConn *next = TAILQ_NEXT(conn, timed);

                if (!conn->is_closing && ws_conn_gives_way(conn, now_ms)) {
                        metric_add(METRIC_TLS_HANDSHAKES_GAVE_WAY, 1);
                        ws_conn_close(conn);
                }
                if (!conn->is_closing && now_ms >= conn->deadline_ms) {
                        if (conn->is_ending || conn->is_prefaced || conn->is_greeting)
                                ws_conn_close(conn);
                        if (!conn->is_ending)
                                conns->handler.late(conns->handler.arg, conn);
                }
                conn = next;
        }
}

void ws_conns_each(WsConns *conns, void (*fn)(void *arg, WsConn *conn), void *arg) {
        WsConn *conn;

        TAILQ_FOREACH(conn, &conns->all, all)
                fn(arg, conn);
}
