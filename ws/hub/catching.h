#pragma once

/*
 * WsCatching: the journals of other gateways, of which nothing is to be missed.
 *
 * What another gateway shows comes with the number of what it showed before (Event.before_seq). If
 * that is not the last that was shown here, something was lost on the way: it is read from the
 * database, and what comes meanwhile waits there, too, since it is stored before it is shown. What
 * was shown here before is passed over. So is what our own journal had before its slot was ours: it
 * begins behind what others stored.
 *
 * What is of a thing that is not known here yet, since its gateway has just heard of it or made it,
 * waits for that as well, in the same way, for two seconds at most.
 *
 * It asks for all things: rights are looked at when it is shown. Memory of the hub. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "ws/loop/questions.h"
#include "ws/wire/cursor.h"

typedef struct WsCatching WsCatching;
typedef struct WsLoop WsLoop;

/* Shows one that comes from the database, as any other. */
typedef int (*WsCatchingFn)(void *arg, Event *event);

struct WsCatching {
        WsLoop *loop; /* borrowed */
        WsCatchingFn show;
        void *arg; /* borrowed */
        struct WsCaught {
                WsQuestion question;
                WsCatching *catching;     /* borrowed */
                uint64_t target;          /* shown once we are there; 0: nothing is missing */
                int64_t not_before_ms;    /* monotonic: the next try */
                uint64_t unknown_seq;     /* is of a thing that is not known here */
                int64_t unknown_until_ms; /* monotonic: after that it is shown all the same */
        } slots[CURSOR_MAX];
        size_t n_behind; /* slots with a target */
};

void ws_catching_init(WsCatching *catching, WsLoop *loop, WsCatchingFn show, void *arg);
void ws_catching_done(WsCatching *catching);

/* Is it to be shown now? Else it was before, or comes from the database. One journal alone has
 * nothing to catch up with. */
bool ws_catching_takes(WsCatching *catching, const Event *event);
/* The numbers of a slot go on behind this one (EVENT_GAP). True: viewers miss what it says, and
 * nothing else. False: they miss nothing, since it comes from the database, or was shown. */
bool ws_catching_goes_on(WsCatching *catching, const Event *gap);
/* Of a message or EVENT_GAP, before either: has the slot gone on to a journal that begins before
 * the last that was shown here? Then the owner before had shown what it did not store, and the next
 * one may have been sent it once more. Where what names the next one does not say where it begins,
 * the database does, later (EVENT_GAP with a number before it). Or has the same one given other
 * numbers to what it had shown? How many numbers were; @ret_place: the last place that is stored.
 * 0: it has not. */
uint64_t ws_catching_forks(WsCatching *catching, const Event *event, uint64_t *ret_place);
MUST_CHECK int ws_catching_turn(WsCatching *catching, int64_t now_ms); /* asks, if it is time to */
