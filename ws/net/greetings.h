#pragma once

/*
 * WsGreetings: whose handshake of TLS goes on next, since each costs a millisecond of the loop, and
 * some 40 KB from its first step to its last.
 *
 * In one turn of the loop handshakes get so much time; what is more waits for the next turn, and so
 * does who comes while somebody waits. Of those who wait each party gets one step in turn, however
 * many connections it has begun. And only so many are begun at a time, of which one party has its
 * share (ws/access/shares.h): who has it waits until one of its own has come to its end. A greeting
 * is in the hands of its owner, and is ended before it goes. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"

typedef struct WsGreeter WsGreeter;
typedef struct WsGreeting WsGreeting;
typedef struct WsGreetings WsGreetings;
typedef struct WsGreetingsLimits WsGreetingsLimits;

struct WsGreeting {
        void *owner;
        uint64_t party;     /* whose it is, 0 = of nobody who has a share: from its first step on */
        WsGreeter *greeter; /* whose turn it waits for; NULL = it does not wait */
        bool is_begun;
        TAILQ_ENTRY(WsGreeting) entry;
};

struct WsGreetingsLimits {
        int64_t budget_us; /* of one turn */
        size_t most;       /* begun at a time */
        int percent;       /* of what the others leave of them, for one party */
};

MUST_CHECK int ws_greetings_new(WsGreetings **ret_greetings);
WsGreetings *ws_greetings_free(WsGreetings *greetings); /* nobody waits any more */
void ws_greetings_set_limits(WsGreetings *greetings, const WsGreetingsLimits *limits);

/* Another number is another turn of the loop. */
void ws_greetings_turn(WsGreetings *greetings, uint64_t turn);
/* Nobody waits for a turn, there is time, and there is room for it if it is its first step. */
bool ws_greetings_may_go_on(const WsGreetings *greetings, const WsGreeting *greeting);
void ws_greetings_took(WsGreetings *greetings, int64_t time_us);

/* Its first step is made; false: out of memory. */
bool ws_greetings_begin(WsGreetings *greetings, WsGreeting *greeting);
/* Behind those of its party; false: out of memory. */
bool ws_greetings_wait(WsGreetings *greetings, WsGreeting *greeting);
/* It waits for nothing, and what was begun has come to its end. May be said again. */
void ws_greetings_end(WsGreetings *greetings, WsGreeting *greeting);
/* The next one, which waits no more; NULL: there is none, or this turn's time is over. */
WsGreeting *ws_greetings_next(WsGreetings *greetings);
bool ws_greetings_are_idle(const WsGreetings *greetings); /* nobody has a step to make now */
/* Does somebody wait for one like this to come to its end? */
bool ws_greetings_miss(const WsGreetings *greetings, const WsGreeting *greeting);

DEFINE_CLEANUP(WsGreetings *, ws_greetings_free);
