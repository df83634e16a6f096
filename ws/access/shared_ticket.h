#pragma once

/*
 * WsSharedTickets: single-use tickets where several nodes serve: what one gives is good at another.
 *
 * As ws/access/ticket.h, but what is given is sealed (ws/access/sealed.h), and no node keeps it; a
 * node keeps what was spent there, until it would be too old anyway. So a ticket is good once at
 * each node, and a clock that differs from the giver's makes it live a minute longer, or shorter.
 * Of more than @capacity that were spent within that time the oldest are forgotten. Nodes need the
 * same HS256 secret. One table a loop. Loop thread.
 */

#include "base/base.h"
#include "ws/access/auth.h"
#include "ws/access/sealed.h"
#include "ws/access/ticket.h"

#define WS_SHARED_TICKET_NUMBERS 5 /* those of a stream ticket, its own end, and which it is */
#define WS_SHARED_TICKET_SIZE    WS_SEALED_SIZE(WS_SHARED_TICKET_NUMBERS)
#define WS_SHARED_TICKET_SKEW_US INT64_C(60000000)

typedef struct WsSharedTickets WsSharedTickets;

MUST_CHECK int ws_shared_tickets_new(WsSharedTickets **ret_tickets, size_t capacity);
WsSharedTickets *ws_shared_tickets_free(WsSharedTickets *tickets);

/* Pure. */
MUST_CHECK int ws_shared_tickets_issue(const WsAuth *auth,
                                       const WsHolder *holder,
                                       int64_t now_us,
                                       char ret_ticket[WS_SHARED_TICKET_SIZE]);

/* WS_TICKETS_E_UNKNOWN. */
MUST_CHECK int ws_shared_tickets_redeem(WsSharedTickets *tickets,
                                        const WsAuth *auth,
                                        Text ticket,
                                        int64_t now_us,
                                        WsHolder *ret_holder);

DEFINE_CLEANUP(WsSharedTickets *, ws_shared_tickets_free);
