#pragma once

/*
 * Stall: what the store waits for takes too long, and live goes ahead of it.
 *
 * A database that is slow stalls again and again: that is said now and then, and only where it was
 * said, that it goes on. In caller's memory, zeroed to begin with. Belongs to the processor's
 * thread.
 */

#include "base/base.h"

typedef struct Stall Stall;

struct Stall {
        bool is_on;
        bool is_said;    /* in the log */
        int64_t said_us; /* monotonic: when one was said last */
};

/* For as long as this it has been waited for; longer than @limit_us is a stall. */
void stall_note(Stall *stall, int64_t age_us, int64_t limit_us);
void stall_go_on(Stall *stall);   /* it has come */
void stall_give_up(Stall *stall); /* it does not come: there will be a word about that */
