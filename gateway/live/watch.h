#pragma once

/*
 * LiveWatch: asks the database once a second how far each slot is stored, and tells the loop.
 *
 * So what other gateways stored is shown, a second or two late, also while the broker carries
 * nothing; a loop knows at its start where each slot is; and it knows of whose journal it is. What
 * it tells is what was stored a second ago: what is on its way by the broker has come by then, and
 * is not read as well. A thread and a connection of its own; while the database is away it tells
 * nothing.
 */

#include "base/base.h"

typedef struct LiveKeys LiveKeys;
typedef struct LiveWatch LiveWatch;
typedef struct LiveWatchOptions LiveWatchOptions;
typedef struct Queue Queue;

/* All borrowed. */
struct LiveWatchOptions {
        const char *database_url, *cluster;
        LiveKeys *keys; /* into which it brings what is in the database */
        int first_slot;
        unsigned n_slots;
        Queue *outbox;
};

MUST_CHECK int live_watch_new(LiveWatch **ret_watch, const LiveWatchOptions *options);
LiveWatch *live_watch_free(LiveWatch *watch);

DEFINE_CLEANUP(LiveWatch *, live_watch_free);
