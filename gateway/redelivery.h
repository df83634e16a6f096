#pragma once

/*
 * Redelivery: has this message, which the broker marks as sent again, been here before?
 *
 * Remembers the last QoS > 0 message of each packet id by a hash of topic and payload. Packet ids
 * are used again, so an entry counts only among the last REDELIVERY_WINDOW messages: a broker that
 * hands ids out in turn cannot have come round by then. Not thread-safe: the journal's append lock
 * covers it.
 */

#include "gateway/base/base.h"

#define REDELIVERY_WINDOW 60000

typedef struct Redelivery Redelivery;

MUST_CHECK int redelivery_new(Redelivery **ret_redelivery);
Redelivery *redelivery_free(Redelivery *redelivery);

void redelivery_forget(Redelivery *redelivery); /* a new session: packet ids start over */
void redelivery_note(Redelivery *redelivery, uint16_t packet_id, uint64_t hash);
bool redelivery_is_known(const Redelivery *redelivery, uint16_t packet_id, uint64_t hash);

DEFINE_CLEANUP(Redelivery *, redelivery_free);
