#pragma once

/*
 * Redelivery: has this message been here before, under the same packet id?
 *
 * Remembers the last QoS > 0 message of each packet id by a hash of topic and payload. The broker
 * may still have in flight, and so may send again, what it has not heard an acknowledgement of. We
 * send those in the order in which messages come, so a packet id that is used for another message
 * says that it heard that one's, and all of before in the same connection; and it has a limit.
 *
 * It may not keep to that limit: Mosquitto with a backlog does not. A message that is marked is
 * compared beyond it as well, where the broker's packet ids only go up and have not come round
 * since: that id can have been given to no other.
 *
 * Not every broker sets DUP. What was in flight when a session was resumed is compared whatever the
 * flag says, until as many other messages have come; what came within one connection is compared
 * only if it is marked. That one is recognised says nothing about others: the connection may end
 * again before they came, as often as it likes.
 *
 * Not thread-safe: the journal's append lock covers it.
 */

#include "base/base.h"

#define REDELIVERY_MAX_IN_FLIGHT 65535

typedef struct Redelivery Redelivery;
typedef struct RedeliveryItem RedeliveryItem;

struct RedeliveryItem {
        uint64_t hash;
        uint16_t packet_id;
        uint16_t broker; /* see Sessions */
        uint16_t unused[2];
};

MUST_CHECK int redelivery_new(Redelivery **ret_redelivery);
Redelivery *redelivery_free(Redelivery *redelivery);

/* What tells one message from another under the same packet id. @body_crc: of topic and payload. */
uint64_t redelivery_hash(uint32_t body_crc, size_t n_topic, size_t n_payload);

void redelivery_forget(Redelivery *redelivery); /* a new session: packet ids start over */
/* A connection has begun, and the broker knows the session; it has at most @n_max in flight. */
void redelivery_resume(Redelivery *redelivery, unsigned n_max);
/* The same, with as many in flight as were said last. */
void redelivery_resume_again(Redelivery *redelivery);
void redelivery_note(Redelivery *redelivery, uint16_t packet_id, uint64_t hash);
/* As @seq of our own journal; 0: of another's. */
void redelivery_note_as(Redelivery *redelivery, uint16_t packet_id, uint64_t hash, uint64_t seq);
/* The last one of that packet id was recognised as it came again, by whoever says so. */
void redelivery_note_again(Redelivery *redelivery, uint16_t packet_id);
/* It is on another one's disk, which stores it, and may be sent to us: whatever came to us counts
 * as newer. */
void redelivery_note_held(Redelivery *redelivery, uint16_t packet_id, uint64_t hash);
/* May the last message under that packet id be sent again, for all that we know? */
bool redelivery_may_come(const Redelivery *redelivery, uint16_t packet_id);
/* As what the last message under that packet id was noted. */
uint64_t redelivery_seq(const Redelivery *redelivery, uint16_t packet_id);
bool redelivery_is_last(const Redelivery *redelivery, uint16_t packet_id, uint64_t hash);
/* True: it is one, and is acknowledged again. */
bool redelivery_is_known(Redelivery *redelivery, uint16_t packet_id, uint64_t hash, bool is_marked);

/* What may be in flight, oldest first; if that is more than @n_max, the newest. */
size_t redelivery_save(const Redelivery *redelivery, RedeliveryItem ret_items[], size_t n_max);
void redelivery_load(Redelivery *redelivery, const void *items, size_t n_bytes);

DEFINE_CLEANUP(Redelivery *, redelivery_free);
