#pragma once

/*
 * FairQueue: bounded hand-over from many parties to a few workers, in which each party gets its
 * turn.
 *
 * A party is whoever asks: a user, or an address that has not signed in; 0 is the gateway itself,
 * and is a party like any other. Items of one party keep their order; between parties it is one
 * item each in turn (start-time fair queueing: P. Goyal et al., "Start-time Fair Queuing", 1996,
 * with a cost of 1 an item), whoever came first and however much one of them asks.
 *
 * One party has at most @n_share items waiting and at most @n_busy with workers, so that it never
 * has the whole. An item with @n_behind stands back for so many rounds: whatever comes within them
 * goes first. Any thread may push, and never waits; any number of workers pop, and each says when
 * it is done with what it took. What is still inside at the end is released with @free_item.
 */

#include "base/base.h"

typedef struct FairQueue FairQueue;
typedef struct FairQueueOptions FairQueueOptions;
typedef struct FairItem FairItem;

struct FairQueueOptions {
        size_t capacity;  /* items that wait, of all parties */
        size_t n_share;   /* of one party */
        size_t n_workers; /* that may hold an item at a time */
        size_t n_busy;    /* of them for one party, at least 1 */
        void (*free_item)(void *item);
};

struct FairItem {
        void *item;
        uint64_t party;
        uint64_t n_behind;
};

enum {
        FAIR_QUEUE_E_FULL = 1, /* all places are taken */
        FAIR_QUEUE_E_SHARE,    /* this party's are */
        FAIR_QUEUE_E_CLOSED,
};

MUST_CHECK int fair_queue_new(FairQueue **ret_queue, const FairQueueOptions *options);
FairQueue *fair_queue_free(FairQueue *queue);

MUST_CHECK int fair_queue_push(FairQueue *queue, const FairItem *item); /* takes it on success */
/* False: nothing within the time, or nothing ever again (fair_queue_is_drained()). */
bool fair_queue_pop(FairQueue *queue, int timeout_ms, FairItem *ret_item);
void fair_queue_done(FairQueue *queue, const FairItem *item); /* after each pop that gave one */

void fair_queue_close(FairQueue *queue); /* no more pushes; pops drain what is left */
bool fair_queue_is_drained(FairQueue *queue);
size_t fair_queue_length(FairQueue *queue); /* waiting */

DEFINE_CLEANUP(FairQueue *, fair_queue_free);
