#pragma once

/*
 * LiveTelling: which events go into which frames, of one slot after the other.
 *
 * What follows on each other in a slot goes together, up to 256 events or 64 KiB; what comes behind
 * others goes alone; whatever was passed over between two makes a new frame, so that whoever reads
 * sees that something is missing. Pure, but for @say, which is given each frame.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/event.h"
#include "model/slot.h"

typedef struct LiveTelling LiveTelling;

/* @n_events: 0 if it only says how far the slot is. */
typedef void (*LiveSayFn)(void *arg, unsigned place, Text frame, size_t n_events);

struct LiveTelling {
        int first_slot;
        LiveSayFn say;
        void *arg; /* borrowed */
        struct {
                uint64_t epoch; /* 0: nothing was heard of it */
                uint64_t last_seq, open_seq;
                int64_t said_us; /* monotonic */
        } slots[SLOT_MAX];

        Buf frame; /* of @place, in the making */
        unsigned place;
        size_t n_events;
        uint64_t last_seq; /* of the frame */
};

void live_telling_done(LiveTelling *telling);
/* A message, EVENT_OPEN or EVENT_GAP. */
MUST_CHECK int live_telling_take(LiveTelling *telling, const Event *event, int64_t now_us);
MUST_CHECK int live_telling_flush(LiveTelling *telling, int64_t now_us);
/* How far the slot is, unless that was said within a second. */
MUST_CHECK int live_telling_beat(LiveTelling *telling, unsigned place, int64_t now_us);
