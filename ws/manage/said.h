#pragma once

/*
 * WsSaid: what the body of a change says, member by member, in the order in which its statement
 * takes it. Pure.
 */

#include "base/base.h"
#include "model/query.h"

#define WS_SAID_WHY_SIZE 160

enum {
        WS_SAID_E_BAD = 1, /* no JSON object */
        WS_SAID_E_INVALID, /* a member is not what it has to be: @ret_why */
};

/* Adds to @query->manage, and to @query->password. Of more devices than @n_devices nothing is read:
 * that is counted. */
MUST_CHECK int ws_said_read(Query *query,
                            Text body,
                            size_t n_devices,
                            char ret_why[WS_SAID_WHY_SIZE]);
