#pragma once

/*
 * The inside of WsConn and WsConns, for the two who know it: conn.c, one connection and what
 * happens to it, and conns.c, all of a loop: their room, their turns and their deadlines.
 * Included behind ws/net/conn.h and uv.h, which no header of ours includes.
 */

#include <sys/queue.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ws/access/shares.h"
#include "ws/net/greetings.h"
#include "ws/net/line.h"
#include "ws/net/socket.h"

#define WS_CONN_READ_BYTES 16384 /* of one read: a whole record of TLS */

TAILQ_HEAD(WsConnList, WsConn);

struct WsConn {
        WsConns *conns; /* borrowed */
        void *user;     /* of the handler */
        uv_poll_t poll;
        WsSocket socket;
        int door, watched;
        WsTls *tls; /* borrowed, until its handshake begins */
        char source[WS_ADDRESS_TEXT_SIZE];
        uint64_t party;       /* in whose share of the crowd it is; 0 = in none */
        bool is_prefaced;     /* the preface is still to come */
        bool is_greeting;     /* the handshake of TLS is under way */
        bool greeting_writes; /* and waits for room */
        bool is_paused, is_hung_up, has_ended, is_ending, is_closing;
        bool wants_write, is_timed, is_shared;
        Buf in; /* came, and was not used yet */
        int64_t opened_ms, greeted_ms, deadline_ms;
        WsGreeting greeting; /* while its handshake waits for a turn */
        uint64_t payer;      /* who waits where it has to; 0 = itself */
        WsLinePlace place;   /* while what came waits for a turn */
        TAILQ_ENTRY(WsConn) all, timed;
};

struct WsConns {
        uv_loop_t *loop; /* borrowed */
        WsConnHandler handler;
        uv_idle_t idle;
        struct WsConnList all, timed;
        WsLine *line;          /* of those who have something to do in the next turn */
        uint64_t turn_ms;      /* as the loop counts it */
        int64_t turn_until_us; /* what comes is heard at once until then */
        size_t n[WS_CONN_DOORS], most[WS_CONN_DOORS];
        WsShares *crowds[WS_CONN_DOORS];
        WsGreetings *greetings;
        int share;
        char buffer[WS_CONN_READ_BYTES];
};

static inline int64_t ws_conn_now_ms(void) {
        return clock_mono_us() / 1000;
}

/* ---- one, for all ---- */

void ws_conn_watch(WsConn *conn);                         /* by what it waits for now */
void ws_conn_greet(WsConn *conn);                         /* one step of its handshake, now */
void ws_conn_deliver(WsConn *conn, char *data, size_t n); /* to the handler, which may leave some */
void ws_conn_tell_end(WsConn *conn);                      /* who has more to deliver: after that */

/* ---- all, for one ---- */

void ws_conns_wake(WsConns *conns); /* there is something to do in the next turn */
bool ws_conns_have_time(WsConns *conns);
/* False: the address has its share. @n_elsewhere: of all connections, those that have no share. */
bool ws_conns_have_room(WsConns *conns, int door, uint64_t party, size_t n_elsewhere);
size_t ws_conns_elsewhere(const WsConns *conns, int door);
