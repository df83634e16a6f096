#pragma once

/*
 * LiveTeller: says at the broker what this gateway shows, for the viewers of the others.
 *
 * Whoever shows something leaves it here (live_teller_hear(), which never waits): in a queue of
 * @capacity events, of which one thread makes frames (gateway/live/frame.h) and publishes them on
 * `tidegate/live/<cluster>/<slot>` with QoS 0. Of each slot that is held here there is one each
 * second, if need be without events, so that what was lost is noticed. What finds the queue full,
 * or the broker away, is not said (tidegate_live_untold_total): others read it from the database.
 *
 * Nothing here holds up who stores. Paho may hold a lock while a source waits for room in its
 * journal, so a thread that does not end when it is to is left behind, with what it uses.
 */

#include "base/base.h"
#include "model/event.h"
#include "mqtt/options.h"

typedef struct LiveKeys LiveKeys;
typedef struct LiveTeller LiveTeller;
typedef struct LiveTellerOptions LiveTellerOptions;

struct LiveTellerOptions {
        const char *cluster;  /* borrowed, as is the next */
        const LiveKeys *keys; /* NULL: nothing is signed */
        int first_slot;
        unsigned n_slots;
        size_t capacity; /* events */
};

MUST_CHECK int live_teller_new(LiveTeller **ret_teller, const LiveTellerOptions *options);
/* Its thread begins; @mqtt is borrowed, @client_id copied. */
MUST_CHECK int live_teller_start(LiveTeller *teller,
                                 const MqttOptions *mqtt,
                                 const char *client_id);
/* Once nobody calls it any more. True: it could not be ended, and goes on using what it borrowed
 * until the process ends. */
bool live_teller_free(LiveTeller *teller);

/* Any thread; see OutboxOptions.shown. */
void live_teller_hear(void *arg, Event *event);
/* Any thread: the slot is held here, and how far it is is ours to say. */
void live_teller_own(LiveTeller *teller, unsigned place, bool is_ours);
