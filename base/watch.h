#pragma once

/*
 * Watch: sees a thread that does not move any more, by what it does and not by what waits for it.
 *
 * A thread enters with a name and says at each turn that it moves; one that waits for work for as
 * long as it takes says that it rests. Those of Paho, which know nothing of this, are watched from
 * outside: each turn of theirs is a wait, which the kernel counts. watch_tick() is called about
 * once a second by whoever watches; a thread is stuck when it has not moved in so many ticks. Ticks
 * are counted, not time: a process that was stopped, or a machine that slept, has had none, and no
 * clock can jump. Statically allocated; any thread.
 */

#include "base/base.h"

#define WATCH_NAME_SIZE 16

void watch_enter(const char *name); /* the calling thread, until it ends */
void watch_leave(void);
void watch_turn(void); /* it moves; for a thread that has not entered, nothing */
void watch_rest(void); /* it waits for work: until its next turn */

/* Threads of this process whose name begins so are watched from outside. */
void watch_foreign(const char *prefix);

typedef struct WatchStuck WatchStuck;

struct WatchStuck {
        char name[WATCH_NAME_SIZE];
        int tid;
};

/* True: *@ret_stuck has not moved in @n_ticks of them. */
bool watch_tick(int n_ticks, WatchStuck *ret_stuck);

/* The trace of that thread on standard error, then the end of the process by SIGABRT. */
_Noreturn void watch_abort(const WatchStuck *stuck);
