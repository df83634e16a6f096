#pragma once

/*
 * WsStreamTicket: a user's credential for event streams alone, which a browser brings again by
 * itself.
 *
 * An EventSource can set no header, and comes back to the address that it was made with, so that a
 * ticket of one use (ws/access/ticket.h) lets it in once and never again. This one says who its
 * user is, and when it ends, sealed (ws/access/sealed.h): it needs no memory of ours, and is good
 * after a restart. It ends with the credential that asked for it, and with the
 * user's generation. Pure; any thread.
 */

#include "base/base.h"
#include "ws/access/auth.h"
#include "ws/access/sealed.h"
#include "ws/access/ticket.h"

#define WS_STREAM_TICKET_NUMBERS 3 /* user id, generation, end in µs */
#define WS_STREAM_TICKET_SIZE    WS_SEALED_SIZE(WS_STREAM_TICKET_NUMBERS)

MUST_CHECK int ws_stream_ticket_make(const WsAuth *auth,
                                     const WsHolder *holder,
                                     char ret_ticket[WS_STREAM_TICKET_SIZE]);

/* WS_AUTH_E_INVALID: none of ours, or its key is not in use any more. Whether it has ended is for
 * the caller to see. */
MUST_CHECK int ws_stream_ticket_open(const WsAuth *auth, Text ticket, WsHolder *ret_holder);
