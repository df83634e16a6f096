#pragma once

/*
 * WsBacklog: the frames that wait for one socket, bounded in bytes.
 *
 * Above half of the limit it conflates: the older frame of a key goes, and the newest waits at the
 * end, behind all that happened before it, so that cursors go out in ascending order. When that
 * does not help and the limit is reached, it refuses and the owner closes the socket. Always:
 * offered = sent + conflated + dropped + queued, here and in the shared tally. An empty backlog
 * owns no memory worth naming. Loop thread.
 */

#include "base/base.h"
#include "ws/wire/frame.h"

typedef struct WsBacklog WsBacklog;
typedef struct WsBacklogSlot WsBacklogSlot;
typedef struct WsTally WsTally;

/* What all backlogs of a loop did since ws_tally_publish(); one write to the metrics a turn. */
struct WsTally {
        int64_t offered, sent, conflated, dropped, queued, queued_bytes, bytes_out;
        int64_t dropped_at_close; /* of @dropped: what waited when the socket went */
};

void ws_tally_publish(WsTally *tally);

struct WsBacklog {
        WsTally *tally;   /* borrowed */
        WsFrame **ring;   /* NULL where a frame was conflated away */
        size_t capacity;  /* of the ring: a power of two, or 0 */
        uint64_t head;    /* position of the oldest; positions only grow */
        uint64_t tail;    /* position of the next */
        size_t head_sent; /* bytes of the oldest that are gone */
        size_t n_frames, n_bytes;
        size_t n_metered;     /* bytes that count against the limit */
        size_t extra;         /* so much more than the limit may wait now */
        WsBacklogSlot *slots; /* key -> position, while conflating; else NULL */
        size_t n_slots, n_used;
        size_t low;                  /* below this it stops conflating */
        int64_t conflating_since_ms; /* 0 = it does not */
        uint64_t offered, sent, conflated, dropped;
};

enum {
        WS_BACKLOG_E_FULL = 1, /* dropped: the socket is too slow */
};

void ws_backlog_init(WsBacklog *backlog, WsTally *tally);
void ws_backlog_done(WsBacklog *backlog); /* what is left counts as dropped */

/* Offered, and not taken: replaced by a newer one outside (@is_conflated), or dropped. */
void ws_backlog_refuse(WsBacklog *backlog, bool is_conflated);

MUST_CHECK int ws_backlog_push(WsBacklog *backlog, WsFrame *frame, size_t limit, int64_t now_ms);

/* What to write next: a part of the oldest frame or, in @scratch, as many whole ones as fit. */
Text ws_backlog_next(WsBacklog *backlog, void *scratch, size_t n_scratch);
void ws_backlog_sent(WsBacklog *backlog, size_t n);     /* so many of those bytes are gone */
int64_t ws_backlog_oldest_us(const WsBacklog *backlog); /* when it was made; 0 = empty */
