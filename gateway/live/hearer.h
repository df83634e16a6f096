#pragma once

/*
 * LiveHearer: what other gateways show, from the broker into the outbox of our loop.
 *
 * Subscribes `tidegate/live/<cluster>/+` with QoS 0, on a session of its own. Our own frames, which
 * come back, are known by the epochs of our journals. What the loop has no room for is dropped, and
 * counted (tidegate_live_unheard_total); so is what cannot be read, or is not under a key of the
 * cluster (tidegate_live_unreadable_total) and what comes while there is no connection: the loop
 * reads it from the database, as anything that is lost. Whose a slot is, is said by the newest
 * frame, and not by one that is late.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

typedef struct LiveHearer LiveHearer;
typedef struct LiveKeys LiveKeys;
typedef struct LiveHearerOptions LiveHearerOptions;
typedef struct Queue Queue;

/* All borrowed. */
struct LiveHearerOptions {
        const char *cluster;
        const char *epochs;   /* of our journals, with commas */
        const LiveKeys *keys; /* NULL: whoever may write there is believed */
        int first_slot;
        unsigned n_slots;
        Queue *outbox;
};

MUST_CHECK int live_hearer_new(LiveHearer **ret_hearer, const LiveHearerOptions *options);
/* @mqtt is borrowed, @client_id copied. */
MUST_CHECK int live_hearer_start(LiveHearer *hearer,
                                 const MqttOptions *mqtt,
                                 const char *client_id);
/* True: it could not be ended, and goes on using what it borrowed until the process ends. */
bool live_hearer_free(LiveHearer *hearer);

/* On Paho's thread: one frame. */
void live_hearer_hear(void *arg, const Inbound *inbound);
