#pragma once

/*
 * WsConn: one accepted connection, and WsConns: all of a loop.
 *
 * Reads without waiting, through TLS where there is some, and hands what came to the handler, which
 * says how much of it was used: the rest comes again with what follows, or in a later turn. What
 * the socket does not take is kept and sent. No connection does more in one turn of the loop than
 * one read, and nothing a peer sends makes another turn by itself: so none can make it spin. What
 * there is no time for in one turn waits for the next, in which each party is heard in turn
 * (ws/net/line.h). Handshakes of TLS take turns, too (ws/net/greetings.h).
 *
 * One that a proxy opens for somebody begins with its preface (ws/net/preface.h), before TLS: of
 * that no byte more is read than it has.
 *
 * A connection is closed in the next turn, and once: until then it may be used, and nothing
 * happens. Its end is noticed in every state, also while it is not read (ws_conn_pause()), and the
 * kernel gives up on a peer that acknowledges nothing. Loop thread.
 */

#include <sys/types.h>

#include "base/base.h"
#include "ws/access/address.h"

typedef struct WsArrival WsArrival;
typedef struct WsConn WsConn;
typedef struct WsConnHandler WsConnHandler;
typedef struct WsConns WsConns;
typedef struct WsGreetingsLimits WsGreetingsLimits; /* ws/net/greetings.h */
typedef struct WsTls WsTls;
struct uv_loop_s;

struct WsConnHandler {
        void *arg;
        int (*opened)(void *arg, WsConn *conn); /* < 0: out of memory, and it goes */
        size_t (*receive)(void *arg, WsConn *conn, char *data, size_t n);
        void (*writable)(void *arg, WsConn *conn); /* after ws_conn_want_write() */
        void (*ended)(void *arg, WsConn *conn);    /* the peer will send nothing more; may repeat */
        bool (*is_idle)(void *arg, WsConn *conn);  /* nothing is asked of us, or only half of it */
        void (*late)(void *arg, WsConn *conn);     /* its deadline has passed */
        void (*strange)(void *arg, WsConn *conn);  /* what came is no preface: it is to end */
        void (*bare)(void *arg, WsConn *conn);     /* what came is HTTP without TLS: the same */
        void (*closed)(void *arg, WsConn *conn);   /* the last word */
};

MUST_CHECK int ws_conns_new(WsConns **ret_conns,
                            struct uv_loop_s *loop,
                            const WsConnHandler *handler);
/* Closes all; they are gone once the loop has turned. Also releases what the loop holds. */
void ws_conns_close(WsConns *conns);
WsConns *ws_conns_free(WsConns *conns); /* after that */
#define WS_CONN_DOORS 2
size_t ws_conns_length(const WsConns *conns, int door);
/* So many connections at a door; of those that @share percent of what the others leave are for one
 * address. Where it has them, one of its own that has been idle for a while gives way. */
void ws_conns_set_room(WsConns *conns, int door, size_t most, int share);
/* Of handshakes of TLS. */
void ws_conns_set_greeting(WsConns *conns, const WsGreetingsLimits *limits);
void ws_conns_sweep(WsConns *conns, int64_t now_ms); /* a few times a second: deadlines */
void ws_conns_each(WsConns *conns, void (*fn)(void *arg, WsConn *conn), void *arg);

struct WsArrival {
        int fd;
        WsAddress source; /* address of the peer */
        WsTls *tls;       /* NULL = plain */
        int door;         /* the caller's */
        bool is_proxy;    /* one of ours: it speaks for many, and has no share by its address */
        bool has_preface;
        int64_t deadline_ms;
};

enum {
        WS_CONN_E_CROWD = 1, /* too many of that address: arrival->fd is not taken */
};

/* Takes arrival->fd, also with a fault. */
MUST_CHECK int ws_conn_open(WsConns *conns, const WsArrival *arrival);

/* Who it is for is counted elsewhere from now on. */
void ws_conn_leave_crowd(WsConn *conn);
/* For whom it speaks (ws/access/party.h), so that he waits for what it makes us do; at first its
 * address. 0: nobody knows yet who speaks next on it, where many do; the same as ever, where one
 * does. */
void ws_conn_set_payer(WsConn *conn, uint64_t party);

void ws_conn_set_user(WsConn *conn, void *user);
void *ws_conn_user(const WsConn *conn);
const char *ws_conn_source(const WsConn *conn); /* of the peer, or as the preface says */
bool ws_conn_is_tls(const WsConn *conn);
int ws_conn_door(const WsConn *conn);

/* In order and complete, now or later; false: it is over, or there is no memory for it. */
bool ws_conn_write(WsConn *conn, const void *data, size_t n);
size_t ws_conn_n_unsent(const WsConn *conn);
bool ws_conn_is_full(const WsConn *conn); /* some of what was written is still here */
void ws_conn_want_write(WsConn *conn);    /* the handler is called when it is not */
void ws_conn_pause(WsConn *conn, bool is_paused);
bool ws_conn_is_paused(const WsConn *conn);
bool ws_conn_has_ended(const WsConn *conn);
bool ws_conn_is_given_up(const WsConn *conn); /* by the kernel: nothing was acknowledged for long */
bool ws_conn_is_open(const WsConn *conn);     /* neither end nor close was asked for */
/* 0 = none. It is moved on by nothing but another call. */
void ws_conn_set_deadline(WsConn *conn, int64_t deadline_ms);

/* Sends what is left, says goodbye, and reads no more than it takes not to lose that to a reset. */
void ws_conn_end(WsConn *conn);
void ws_conn_close(WsConn *conn);

DEFINE_CLEANUP(WsConns *, ws_conns_free);
