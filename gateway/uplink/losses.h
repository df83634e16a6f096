#pragma once

/*
 * UplinkLosses: what an edge has let go of that nobody has stored, as it tells a central gateway.
 *
 * Counted since the start. It says all of it on each connection, and what of it no central gateway
 * has heard yet, one at a time, so that it is counted once. Those who do not hear such a thing are
 * told nothing. The sender's thread.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct UplinkLosses UplinkLosses;

struct UplinkLosses {
        bool is_asked_for, is_said, is_heard; /* on this connection */
        int64_t said_dropped, said_gaps;      /* last */
        int64_t heard_dropped, heard_gaps;
};

void uplink_losses_welcome(UplinkLosses *losses, Text welcome);
/* Into an empty @buf; false: there is nothing to say. */
bool uplink_losses_write(UplinkLosses *losses, Buf *buf);
void uplink_losses_heard(UplinkLosses *losses); /* what was said last */
