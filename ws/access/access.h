#pragma once

/* WsAccess: what credentials are checked against, who asks, and what a bad credential costs. */

#include "base/base.h"
#include "model/registry.h"
#include "ws/access/auth.h"
#include "ws/access/shared_ticket.h"
#include "ws/access/ticket.h"

typedef struct WsAccess WsAccess;
typedef struct WsIdentity WsIdentity;
typedef struct WsLimiter WsLimiter;

/* What identities are checked against: all borrowed, all of one loop. */
struct WsAccess {
        const WsAuth *auth;
        const Registry *registry;
        WsTickets *tickets;      /* NULL: none are accepted */
        WsSharedTickets *shared; /* NULL: there is one node, whose @tickets are enough */
        WsLimiter *failures;     /* NULL: bad credentials are not limited */
        int failures_per_min;    /* of a source; twice that of an account */
};

struct WsIdentity {
        const User *user;     /* NULL = none */
        const Device *device; /* NULL = none; only where a path takes devices */
        bool is_anonymous;    /* auth.anonymous allows this path: sees everything on it */
        int64_t expires_us;   /* of the token; INT64_MAX if it does not expire */
        int64_t began_us;     /* of the log-in that it goes back to; 0: it cannot be renewed */
};

/*
 * A bad credential came from @source, for @account (NULL if it does not say whose it is): counts
 * it. 0, or the seconds to wait when there were too many. Good ones are never held up, as many
 * people may share an address; nor do expired ones count, which prove that they were good.
 */
int ws_access_blame(const WsAccess *access,
                    const char *source,
                    const char *account,
                    int64_t now_us);
