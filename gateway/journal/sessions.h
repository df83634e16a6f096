#pragma once

/*
 * Sessions: what may be redelivered, of each broker that we have a session with.
 *
 * Of several brokers (mqtt.url) with stores of their own each goes on with its session when we come
 * back to it, and sends again what it has not heard an acknowledgement of, whatever another one has
 * sent meanwhile. So a new session with one says nothing of the session with another. Brokers that
 * share a session (a cluster) look like one that goes by several names: who resumes a session that
 * it did not begin with us goes on with the one that we had last.
 *
 * A broker is a number, 0 where none is known. As many are remembered as can be configured; of
 * more, the one that was used last the longest ago is forgotten. Not thread-safe.
 */

#include "base/base.h"
#include "gateway/journal/redelivery.h"

#define SESSIONS_MAX 8

typedef struct Sessions Sessions;

MUST_CHECK int sessions_new(Sessions **ret_sessions);
Sessions *sessions_free(Sessions *sessions);

Redelivery *sessions_current(const Sessions *sessions); /* of the broker that we are connected to */
uint16_t sessions_broker(const Sessions *sessions);

void sessions_begin(Sessions *sessions, uint16_t broker); /* a new one: packet ids start over */
void sessions_resume(Sessions *sessions, uint16_t broker, unsigned n_max);

/* As redelivery_save() and _load(), of all of them, aligned; @broker: the current one's. */
size_t sessions_save(const Sessions *sessions, RedeliveryItem ret_items[], size_t n_max);
void sessions_load(Sessions *sessions, uint16_t broker, const void *items, size_t n_bytes);

DEFINE_CLEANUP(Sessions *, sessions_free);
