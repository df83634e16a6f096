#pragma once

/*
 * Waiting: what the processor waits for when a turn is over, and for how long.
 *
 * It sleeps until the journal has something that can be read now, the connection has something to
 * say, or somebody calls (desk_wake()); and no longer than until something is due: the next try of
 * the database, the end of what a small batch waits for more, the moment from which live goes ahead
 * of the store, or the end of the grace. Belongs to the processor's thread.
 */

#include "base/base.h"

typedef struct Desk Desk;
typedef struct Waiting Waiting;

struct Waiting {
        bool stands_by;     /* another gateway stores: nothing of the database's is due */
        bool has_more;      /* to be done at once, by turns: it looks, and does not sleep */
        int64_t stop_at_us; /* monotonic; 0 = not stopping */
};

void waiting_turn(const Waiting *waiting, Desk *desk);

/* For what is above: how long at the most; 0 = not at all. */
int waiting_ms(const Waiting *waiting, const Desk *desk);
