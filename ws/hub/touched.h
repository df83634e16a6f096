#pragma once

/*
 * WsTouched: devices of which something has come that was no status: dialect C shows each of them
 * again, when its turn is, and not with every message.
 *
 * Also who falls silent without having said a status (device_status_name()) is found here: the
 * registry is walked in pieces, and each walk finds those whose time has ended since the one
 * before. Memory of the hub; loop thread.
 */

#include "base/base.h"

typedef struct Index Index;
typedef struct Registry Registry;
typedef struct WsTouched WsTouched;

struct WsTouched {
        Index *known; /* owned: which wait */
        int64_t *ids; /* owned: in the order in which they were touched */
        size_t n_ids, n_allocated, n_taken;
        int64_t turned_ms;         /* when they were shown last */
        int64_t before_us, now_us; /* of the walk under way: who ended in between */
        int64_t after_id;          /* 0: none is under way */
};

MUST_CHECK int ws_touched_init(WsTouched *touched);
void ws_touched_done(WsTouched *touched);

MUST_CHECK int ws_touched_note(WsTouched *touched, int64_t device_id);
/* The one that waits longest; false: none. */
bool ws_touched_take(WsTouched *touched, int64_t *ret_device_id);
/* A piece of the walk, which touches those who have fallen silent. */
MUST_CHECK int ws_touched_walk(WsTouched *touched, const Registry *registry, int64_t now_us);
