#pragma once

/*
 * SelfCheck: what main looks at once a second, so that nothing stops or leaks unseen.
 *
 * That what came in is accounted for (docs/protocol.md, 6), that somebody takes from the
 * outbox, and that every thread moves (base/watch.h). Memory of main, zeroed; main thread.
 */

#include "base/base.h"

typedef struct SelfCheck SelfCheck;
typedef struct Queue Queue;

struct SelfCheck {
        int64_t in, out;    /* of the accounting, one look ago */
        int64_t drift;      /* of what came in, when it was last at rest */
        size_t n_outbox;    /* one look ago */
        int n_stuck;        /* looks at which it was no shorter than before */
        int64_t watched_us; /* monotonic: the last look at the threads */
};

/* A thread that has not moved for @watchdog_ms (0: whatever it does) is the end of the process. */
void self_check_tick(SelfCheck *check, Queue *outbox, int watchdog_ms);
bool self_check_is_well(const SelfCheck *check); /* worth telling the service manager */
