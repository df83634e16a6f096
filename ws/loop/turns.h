#pragma once

/*
 * WsTurns: whose turn it is to ask the database for a page, of those who wait, and the few
 * questions that are under way.
 *
 * Never more than WS_TURNS_AT_ONCE questions at a time, so that a crowd that comes back does not
 * fill their lane nor memory, and of one user never more than WS_TURNS_OF_USER. Users take
 * turns, and those of one user among themselves: whoever has hundreds of old subscriptions waits
 * for himself. Knows nothing of what is asked. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"

#define WS_TURNS_AT_ONCE 2
#define WS_TURNS_OF_USER 1

typedef struct Index Index;
typedef struct WsTurn WsTurn;
typedef struct WsTurnUser WsTurnUser;
typedef struct WsTurns WsTurns;

struct WsTurn { /* memory of who asks, zeroed */
        bool is_waiting;
        bool is_playback;      /* who asks is one; else a feed */
        int64_t not_before_ms; /* for the next question; monotonic */
        WsTurnUser *user;      /* borrowed, while it waits */
        TAILQ_ENTRY(WsTurn) entry;
};

struct WsTurns {                        /* memory of the owner */
        TAILQ_HEAD(, WsTurnUser) users; /* whose turn it is comes first */
        Index *by_id;                   /* of them */
        struct {
                WsTurnUser *user; /* NULL = free */
                WsTurn *turn;     /* NULL = it is gone, or does not want it any more */
        } under_way[WS_TURNS_AT_ONCE];
};

MUST_CHECK int ws_turns_init(WsTurns *turns);
void ws_turns_done(WsTurns *turns);

/* @user_id 0: all that are anonymous. Not before @delay_ms have passed. */
void ws_turns_join(WsTurns *turns, WsTurn *turn, int64_t user_id, int delay_ms);
void ws_turns_leave(WsTurns *turns, WsTurn *turn);
bool ws_turns_is_empty(const WsTurns *turns); /* none that waits, none that is under way */

/* Who may ask now; NULL: nobody is due, or nobody's turn it is. */
WsTurn *ws_turns_due(const WsTurns *turns, int64_t now_ms);
/* It has asked, in a place that is free: the next user is next. */
void ws_turns_begin(WsTurns *turns, size_t at, WsTurn *turn);
bool ws_turns_is_free(const WsTurns *turns, size_t at);
/* The answer has come, or will not: who asked; NULL: nobody is there any more. */
WsTurn *ws_turns_end(WsTurns *turns, size_t at);
