#pragma once

/*
 * Deadline: how long a thread waits for a condition, or for another thread's end, on the monotonic
 * clock, which no one sets.
 *
 * A time-out of 0 or less is a deadline in the past: whoever waits looks once and goes on.
 */

#include <pthread.h>
#include <time.h>

#include "base/base.h"

struct timespec deadline_in(int timeout_ms);

/* On any condition, whatever clock it knows, with @lock held. False once the deadline has passed;
 * look again, whatever it says. */
bool deadline_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline);
/* Whether @thread has ended by then, and is joined: from then on there is nothing of it. */
MUST_CHECK bool deadline_join(pthread_t thread, const struct timespec *deadline);
