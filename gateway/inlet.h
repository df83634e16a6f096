#pragma once

/*
 * Inlet: the one way into the journal, for every door. The journal counts what it is given; what
 * it cannot hold is counted here.
 *
 * Any thread. A message that no segment can hold is cut down to what one can: it is longer than
 * every route allows either way, so the processor sets it aside as too large, with its beginning.
 * A fault of the journal is kept for main, which ends the process; the sender is not answered.
 * A message that is several by the routes in force (their key `each`) has a number for each.
 * What one device has waiting there is bounded at the doors that can refuse one sender (WebSocket,
 * HTTP, uplink: one thread has them all): @share_bytes. Closed at first: as long as another gateway
 * stores, nothing is taken (INBOUND_E_FULL).
 */

#include "base/base.h"
#include "model/inbound.h"

typedef struct Inlet Inlet;
typedef struct Journal Journal;
typedef struct Lease Lease;
typedef struct Routes Routes;
typedef struct SlotKeys SlotKeys;

MUST_CHECK int inlet_new(Inlet **ret_inlet,
                         Journal *journal,
                         size_t segment_bytes,
                         size_t share_bytes);
Inlet *inlet_free(Inlet *inlet);

/* Main. @lease says whether we have been awake all the time. */
void inlet_open(Inlet *inlet, const Lease *lease);
void inlet_shut(Inlet *inlet);
bool inlet_is_open(const Inlet *inlet); /* any thread */
void inlet_set_routes(Inlet *inlet, Routes *routes);
/* Before it is opened: of what MQTT brings, what is not of @slot is acknowledged and dropped, and
 * counted. @keys are borrowed. */
void inlet_set_slot(Inlet *inlet, const SlotKeys *keys, unsigned slot);

/* What a door needs, with the inlet as its @arg. */
int inlet_take(void *arg, const Inbound *inbound); /* an InboundFn */
void inlet_session_resumed(void *arg,
                           uint16_t broker,
                           unsigned n_in_flight);    /* at most, and may come again */
void inlet_session_lost(void *arg, uint16_t broker); /* the broker has begun a new session */
bool inlet_is_high(void *arg);                       /* let the broker keep the rest */

int inlet_result(const Inlet *inlet); /* a fault (< 0) of the journal, or 0 */

DEFINE_CLEANUP(Inlet *, inlet_free);
