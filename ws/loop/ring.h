#pragma once

/*
 * WsRing: the last events that a loop has shown, for those who come back and ask for what they
 * missed.
 *
 * Bounded by count and by bytes; the oldest go first. What is in it has no hole: it reaches from
 * behind @floor_seq to @last_seq, which are places (ws/loop/numbers.h): with one journal numbers.
 * An event may carry the frame that was made of it, so that a crowd that comes back together shares
 * that one, too. Memory of the owner, zeroed. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "ws/wire/frame.h"

typedef struct WsRing WsRing;
typedef struct WsRingSlot WsRingSlot;

struct WsRingSlot {
        Event *event;   /* a reference */
        WsFrame *frame; /* a reference, of the native dialect; NULL = not made yet */
};

struct WsRing {
        WsRingSlot *slots;
        size_t capacity;     /* a power of two, or 0 */
        uint64_t head, tail; /* positions only grow */
        size_t n_bytes;
        bool is_begun;      /* the two below are known */
        uint64_t floor_seq; /* everything after it, up to last_seq, is here */
        uint64_t last_seq;  /* of the newest event that was shown, or missed */
};

void ws_ring_done(WsRing *ring);

/* Takes a reference. */
MUST_CHECK int ws_ring_put(WsRing *ring, Event *event, size_t max_events, size_t max_bytes);
/* Among those that are here, at its place by number; one that is older than all is not taken. */
MUST_CHECK int ws_ring_insert(WsRing *ring, Event *event);
/* What is up to @seq is not here, and never will be. */
void ws_ring_skip(WsRing *ring, uint64_t seq);

bool ws_ring_covers(const WsRing *ring, uint64_t seq);       /* is all that came after @seq here? */
WsRingSlot *ws_ring_after(const WsRing *ring, uint64_t seq); /* the next one; NULL: it is the end */
void ws_ring_keep(WsRing *ring, WsRingSlot *slot, WsFrame *frame); /* takes a reference */
