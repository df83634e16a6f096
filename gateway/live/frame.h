#pragma once

/*
 * LiveFrame: what a gateway has shown of one slot, as bytes, for the others.
 *
 *     1 byte 1 (the form), varint slot, 8 bytes the journal's epoch, varint the first number that
 * is passed over (0: none, see EVENT_OPEN), varint the number before the first, then of each event:
 * varint its number less the one before, and what it says
 *
 * Integers are LEB128, those that may be negative zigzag; a double is its 8 bytes, and there only
 * if it is known; the hashes of the keys of its vehicle and its device are 8 bytes each, and there
 * only if one is known; a text its length plus one (0: absent) and its bytes. A frame without
 * events says how far the slot is. What says anything else is refused as a whole, and read from the
 * database. Pure.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/event.h"

#define LIVE_TOPIC        "tidegate/live/" /* <cluster>/<slot> */
#define LIVE_TOPIC_SIZE   96
#define LIVE_FRAME_EVENTS 4096 /* in one, at most */

typedef struct LiveFrame LiveFrame;

struct LiveFrame {
        uint16_t slot;
        uint64_t epoch;
        uint64_t open_seq;   /* 0: nothing is open */
        uint64_t before_seq; /* of what comes behind others, alone in its frame: 0 */
};

enum {
        LIVE_FRAME_E_UNREADABLE = 1,
};

/* Out of memory: buf_failed(). */
void live_frame_begin(Buf *buf, const LiveFrame *frame);
/* A message with a number above @before_seq, which is the frame's, or the last one's. */
void live_frame_add(Buf *buf, uint64_t before_seq, const Event *event);

/* The head alone: whose it is. */
MUST_CHECK int live_frame_peek(Text bytes, LiveFrame *ret_frame);
/* Its events, as the owner's, in order; of none an EVENT_GAP of no messages. */
MUST_CHECK int live_frame_read(Text bytes, Event *ret_events[LIVE_FRAME_EVENTS], size_t *ret_n);
