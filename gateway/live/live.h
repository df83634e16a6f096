#pragma once

/*
 * Live: what gateways of one cluster show each other's viewers, where there are several slots.
 *
 * What is shown here goes to the broker (teller.h), what others show comes from there (hearer.h),
 * and the database says how far each slot is (watch.h), so that what the broker does not carry is
 * late, and not missing. Without a broker the last alone does it. Belongs to main, but for
 * live_hear().
 */

#include "base/base.h"
#include "model/event.h"
#include "mqtt/options.h"

typedef struct Live Live;
typedef struct LiveOptions LiveOptions;
typedef struct Queue Queue;

/* All borrowed. */
struct LiveOptions {
        const MqttOptions *mqtt; /* NULL: there is no broker */
        const char *database_url, *cluster;
        int first_slot;
        unsigned n_slots;
        size_t capacity; /* events on their way to the broker */
        Queue *outbox;
};

MUST_CHECK int live_new(Live **ret_live, const LiveOptions *options);
/* @epochs of our journals, with commas, is borrowed; @client_id: beside which we go to the broker.
 */
MUST_CHECK int live_start(Live *live, const char *epochs, const char *client_id);
void live_own(Live *live, unsigned place, bool is_ours); /* is the slot held here? */
void live_stop(Live *live); /* nothing more comes; what is shown is still told */
/* Once nobody shows anything any more. */
Live *live_free(Live *live);

void live_hear(void *arg, Event *event); /* any thread: see OutboxOptions.shown */

DEFINE_CLEANUP(Live *, live_free);
