#pragma once

/*
 * WsGreetings: whose handshake of TLS goes on next, since each costs a millisecond of the loop.
 *
 * In one turn of the loop handshakes get so much time; what is more waits for the next turn, and so
 * does who comes while somebody waits. Of those who wait each party gets one step in turn, however
 * many connections it has begun. A greeting is in the hands of its owner; it waits in one place at
 * most, and leaves it before it goes. Loop thread.
 */

#include <sys/queue.h>

#include "gateway/base/base.h"

typedef struct WsGreeter WsGreeter;
typedef struct WsGreeting WsGreeting;
typedef struct WsGreetings WsGreetings;

struct WsGreeting {
        void *owner;
        WsGreeter *greeter; /* whose turn it waits for; NULL = it does not wait */
        TAILQ_ENTRY(WsGreeting) entry;
};

MUST_CHECK int ws_greetings_new(WsGreetings **ret_greetings);
WsGreetings *ws_greetings_free(WsGreetings *greetings); /* nobody waits any more */

/* Time for each turn, from now on. */
void ws_greetings_set_budget(WsGreetings *greetings, int64_t budget_us);

/* Another number is another turn of the loop. */
void ws_greetings_turn(WsGreetings *greetings, uint64_t turn);
bool ws_greetings_may_go_on(const WsGreetings *greetings); /* nobody waits, and there is time */
void ws_greetings_took(WsGreetings *greetings, int64_t time_us);

/* Behind those of its party; false: out of memory. */
bool ws_greetings_wait(WsGreetings *greetings, WsGreeting *greeting, uint64_t party);
void ws_greetings_leave(WsGreetings *greetings, WsGreeting *greeting);
/* The next one, which waits no more; NULL: nobody waits, or this turn's time is over. */
WsGreeting *ws_greetings_next(WsGreetings *greetings);
bool ws_greetings_is_empty(const WsGreetings *greetings);

DEFINE_CLEANUP(WsGreetings *, ws_greetings_free);
