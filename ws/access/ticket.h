#pragma once

/*
 * WsTickets: single-use tickets that stand for a user's credential in the handshake of a browser,
 * which cannot set headers on a WebSocket.
 *
 * A ticket is 128 random bits, good for WS_TICKET_TTL_US and for one use. The table is bounded, in
 * total and a user: a user that asks for more loses its own oldest ticket, never somebody else's.
 * Both are counted. Only a hash of the ticket is kept, so finding one tells nothing about another.
 * One table a loop. Loop thread.
 */

#include "base/base.h"

#define WS_TICKET_SIZE   33 /* 32 hex digits and NUL */
#define WS_TICKET_TTL_US INT64_C(30000000)

typedef struct WsHolder WsHolder;
typedef struct WsTickets WsTickets;

/* Whose ticket it is: of the credential that asked for it, with which the socket ends. */
struct WsHolder {
        int64_t user_id, generation;
        int64_t expires_us;
};

enum {
        WS_TICKETS_E_FULL = 1, /* too many tickets are out: 503 with Retry-After */
        WS_TICKETS_E_UNKNOWN,  /* never issued, used already, or expired */
};

MUST_CHECK int ws_tickets_new(WsTickets **ret_tickets, size_t capacity, size_t n_per_user);
WsTickets *ws_tickets_free(WsTickets *tickets);

MUST_CHECK int ws_tickets_issue(WsTickets *tickets,
                                const WsHolder *holder,
                                int64_t now_us,
                                char ret_ticket[WS_TICKET_SIZE]);

MUST_CHECK int ws_tickets_redeem(WsTickets *tickets,
                                 Text ticket,
                                 int64_t now_us,
                                 WsHolder *ret_holder);

DEFINE_CLEANUP(WsTickets *, ws_tickets_free);
