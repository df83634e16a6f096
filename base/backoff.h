#pragma once

/*
 * Backoff: how long to wait after a failure: twice as long each time, up to a most.
 *
 * Memory of the caller, `{ 0 }` to begin with and after a success; one thread. The clock is the
 * monotonic one.
 */

#include "base/base.h"

typedef struct Backoff Backoff;

struct Backoff {
        unsigned n_failures; /* in a row */
        int64_t until_us;
};

/* One more failure: the milliseconds to wait, from now on. */
int backoff_fail(Backoff *backoff, int min_ms, int max_ms);
/* Of that, at random between a half and all: many that failed together do not come together. */
int backoff_fail_apart(Backoff *backoff, int min_ms, int max_ms);
void backoff_be_longest(Backoff *backoff);   /* the next wait is the longest there is */
int backoff_left_ms(const Backoff *backoff); /* 0: the wait is over, or there is none */
