#include "ws/wire/backlog.h"

#include "base/err.h"
#include "model/metrics.h"

#define WS_BACKLOG_MIN  4  /* slots of the smallest ring */
#define WS_BACKLOG_KEEP 64 /* a larger ring is given back once it is empty */

struct WsBacklogSlot {
        uint64_t key; /* 0 = free */
        uint64_t at;
};

void ws_tally_publish(WsTally *tally) {
        if (tally->offered)
                metric_add(METRIC_WS_OFFERED, tally->offered);
        if (tally->sent)
                metric_add(METRIC_WS_SENT, tally->sent);
        if (tally->conflated)
                metric_add(METRIC_WS_CONFLATED, tally->conflated);
        if (tally->dropped)
                metric_add(METRIC_WS_DROPPED, tally->dropped);
        if (tally->dropped_at_close)
                metric_add(METRIC_WS_DROPPED_AT_CLOSE, tally->dropped_at_close);
        if (tally->queued)
                metric_add(METRIC_WS_QUEUED, tally->queued);
        if (tally->queued_bytes)
                metric_add(METRIC_WS_QUEUED_BYTES, tally->queued_bytes);
        if (tally->bytes_out)
                metric_add(METRIC_WS_BYTES_OUT, tally->bytes_out);
        *tally = (WsTally){ 0 };
}

void ws_backlog_init(WsBacklog *backlog, WsTally *tally) {
        *backlog = (WsBacklog){ .tally = tally };
}

static WsFrame **ws_backlog_at(const WsBacklog *backlog, uint64_t at) {
        return &backlog->ring[at & (backlog->capacity - 1)];
}

/* A frame joins (@sign 1) or leaves (-1) the books. */
static void ws_backlog_book(WsBacklog *backlog, const WsFrame *frame, int sign) {
        ssize_t n = sign * (ssize_t)frame->n;

        backlog->n_frames += (size_t)sign;
        backlog->n_bytes += (size_t)n;
        if (!frame->is_unmetered)
                backlog->n_metered += (size_t)n;
        backlog->tally->queued += sign;
        backlog->tally->queued_bytes += n;
}

static void ws_backlog_count_conflated(WsBacklog *backlog) {
        ++backlog->conflated;
        ++backlog->tally->conflated;
}

static void ws_backlog_count_dropped(WsBacklog *backlog) {
        ++backlog->dropped;
        ++backlog->tally->dropped;
}

void ws_backlog_refuse(WsBacklog *backlog, bool is_conflated) {
        ++backlog->offered;
        ++backlog->tally->offered;
        if (is_conflated)
                ws_backlog_count_conflated(backlog);
        else
                ws_backlog_count_dropped(backlog);
}

static void ws_backlog_stop_conflating(WsBacklog *backlog) {
        free(backlog->slots);
        backlog->slots = NULL;
        backlog->n_slots = backlog->n_used = 0;
        backlog->conflating_since_ms = 0;
}

void ws_backlog_done(WsBacklog *backlog) {
        for (uint64_t at = backlog->head; at != backlog->tail; ++at) {
                WsFrame *frame = *ws_backlog_at(backlog, at);

                if (!frame)
                        continue;
                ws_backlog_book(backlog, frame, -1);
                ws_backlog_count_dropped(backlog);
                ++backlog->tally->dropped_at_close;
                ws_frame_unref(frame);
        }
        ws_backlog_stop_conflating(backlog);
        free(backlog->ring);
        backlog->ring = NULL;
        backlog->capacity = 0;
        backlog->head = backlog->tail = 0;
        backlog->head_sent = 0;
}

static int ws_backlog_grow(WsBacklog *backlog) {
        size_t capacity = backlog->capacity ? backlog->capacity * 2 : WS_BACKLOG_MIN;
        WsFrame **ring;

        ring = malloc(capacity * sizeof(WsFrame *));
        if (!ring)
                return err_new(-ENOMEM);

        for (uint64_t at = backlog->head; at != backlog->tail; ++at)
                ring[at & (capacity - 1)] = *ws_backlog_at(backlog, at);
        free(backlog->ring);
        backlog->ring = ring;
        backlog->capacity = capacity;
        return 0;
}

/* Moves what waits together, over the holes that conflation left. */
static void ws_backlog_close_holes(WsBacklog *backlog) {
        uint64_t to = backlog->head;

        for (uint64_t at = backlog->head; at != backlog->tail; ++at) {
                WsFrame *frame = *ws_backlog_at(backlog, at);

                if (!frame)
                        continue;
                *ws_backlog_at(backlog, at) = NULL;
                *ws_backlog_at(backlog, to++) = frame;
        }
        backlog->tail = to;
}

/* The slot of @key, or the free one where it belongs. Keys are well mixed already. */
static WsBacklogSlot *ws_backlog_slot(WsBacklog *backlog, uint64_t key) {
        size_t i = key & (backlog->n_slots - 1);

        while (backlog->slots[i].key != 0 && backlog->slots[i].key != key)
                i = (i + 1) & (backlog->n_slots - 1);
        return &backlog->slots[i];
}

static void ws_backlog_remember(WsBacklog *backlog, uint64_t key, uint64_t at) {
        WsBacklogSlot *slot = ws_backlog_slot(backlog, key);

        if (slot->key == 0)
                ++backlog->n_used;
        *slot = (WsBacklogSlot){ .key = key, .at = at };
}

/* The waiting frame that a newer one with @key replaces; NULL if none. Not one that is on its way.
 */
static WsFrame **ws_backlog_stale(WsBacklog *backlog, uint64_t key) {
        const WsBacklogSlot *slot = ws_backlog_slot(backlog, key);
        uint64_t first = backlog->head + (backlog->head_sent > 0 ? 1 : 0);
        WsFrame **place;

        if (slot->key == 0 || slot->at < first)
                return NULL;

        place = ws_backlog_at(backlog, slot->at);
        return *place && (*place)->key == key ? place : NULL;
}

/* A newer one with its key waits, or is about to. */
static void ws_backlog_let_go(WsBacklog *backlog, WsFrame **place) {
        ws_backlog_book(backlog, *place, -1);
        ws_backlog_count_conflated(backlog);
        *place = ws_frame_unref(*place);
}

/* Indexes what waits, newest first, and lets go of what is stale already. */
static int ws_backlog_reindex(WsBacklog *backlog) {
        uint64_t first = backlog->head + (backlog->head_sent > 0 ? 1 : 0);
        size_t n_slots = WS_BACKLOG_KEEP;
        WsBacklogSlot *slots;

        while (n_slots < 4 * (backlog->n_frames + 1))
                n_slots *= 2;
        slots = calloc(n_slots, sizeof(WsBacklogSlot));
        if (!slots)
                return err_new(-ENOMEM);

        free(backlog->slots);
        backlog->slots = slots;
        backlog->n_slots = n_slots;
        backlog->n_used = 0;
        for (uint64_t at = backlog->tail; at-- > first;) {
                WsFrame **place = ws_backlog_at(backlog, at);

                if (!*place || (*place)->key == 0)
                        continue;
                if (!ws_backlog_stale(backlog, (*place)->key)) {
                        ws_backlog_remember(backlog, (*place)->key, at);
                        continue;
                }
                ws_backlog_let_go(backlog, place);
        }
        return 0;
}

/* Room for one more. A client that reads nothing must not cost a slot for each state that was. */
static int ws_backlog_reserve(WsBacklog *backlog) {
        int r;

        if (backlog->tail - backlog->head < backlog->capacity)
                return 0;

        if (backlog->n_frames > backlog->capacity / 2 || backlog->capacity <= WS_BACKLOG_MIN) {
                r = ws_backlog_grow(backlog);
        } else {
                ws_backlog_close_holes(backlog);
                r = backlog->slots ? ws_backlog_reindex(backlog) : 0;
        }
        return err_up(r);
}

/* Keeps the index of keys right after a frame was appended at @at. */
static int ws_backlog_conflate(WsBacklog *backlog, size_t limit, uint64_t at, int64_t now_ms) {
        WsFrame *frame = *ws_backlog_at(backlog, at);

        if (!backlog->slots && backlog->n_metered <= limit / 2)
                return 0;
        if (!backlog->slots) {
                backlog->conflating_since_ms = now_ms;
                backlog->low = limit / 4;
        }
        if (!backlog->slots || backlog->n_used >= backlog->n_slots / 2)
                return ws_backlog_reindex(backlog);
        if (frame->key != 0)
                ws_backlog_remember(backlog, frame->key, at);
        return 0;
}

int ws_backlog_push(WsBacklog *backlog, WsFrame *frame, size_t limit, int64_t now_ms) {
        size_t n_metered = backlog->n_metered;
        WsFrame **stale = NULL;
        int r;

        ++backlog->offered;
        ++backlog->tally->offered;
        if (backlog->slots && frame->key != 0)
                stale = ws_backlog_stale(backlog, frame->key);
        if (stale && !(*stale)->is_unmetered)
                n_metered -= (*stale)->n;
        if (!frame->is_unmetered && n_metered + frame->n > limit + backlog->extra) {
                ws_backlog_count_dropped(backlog);
                return WS_BACKLOG_E_FULL;
        }
        if (stale)
                ws_backlog_let_go(backlog, stale);
        r = ws_backlog_reserve(backlog);
        if (r < 0) {
                ws_backlog_count_dropped(backlog);
                return err_up(r);
        }

        *ws_backlog_at(backlog, backlog->tail) = ws_frame_ref(frame);
        ws_backlog_book(backlog, frame, 1);
        r = ws_backlog_conflate(backlog, limit, backlog->tail++, now_ms);
        return err_up(r);
}

/* Passes over what was conflated away; the oldest frame, or NULL. */
static WsFrame *ws_backlog_oldest(WsBacklog *backlog) {
        while (backlog->head != backlog->tail && !*ws_backlog_at(backlog, backlog->head))
                ++backlog->head;
        return backlog->head == backlog->tail ? NULL : *ws_backlog_at(backlog, backlog->head);
}

Text ws_backlog_next(WsBacklog *backlog, void *scratch, size_t n_scratch) {
        const WsFrame *frame = ws_backlog_oldest(backlog);
        size_t from = backlog->head_sent;
        size_t n = 0;

        if (!frame)
                return (Text){ 0 };
        if (backlog->n_frames == 1 || frame->n - from > n_scratch) {
                n = ws_frame_cut(frame, from, from + n_scratch);
                return (Text){ .data = (const char *)frame->data + from, .n = n - from };
        }

        for (uint64_t at = backlog->head; at != backlog->tail; ++at) {
                frame = *ws_backlog_at(backlog, at);
                if (!frame)
                        continue;
                if (frame->n - from > n_scratch - n)
                        break;
                memcpy((char *)scratch + n, frame->data + from, frame->n - from);
                n += frame->n - from;
                from = 0;
        }
        return (Text){ .data = scratch, .n = n };
}

static void ws_backlog_pop(WsBacklog *backlog, WsFrame *frame) {
        *ws_backlog_at(backlog, backlog->head++) = NULL;
        backlog->head_sent = 0;
        ws_backlog_book(backlog, frame, -1);
        ++backlog->sent;
        ++backlog->tally->sent;
        ws_frame_unref(frame);
}

void ws_backlog_sent(WsBacklog *backlog, size_t n) {
        WsFrame *frame;

        backlog->tally->bytes_out += (int64_t)n;
        while (n > 0 && (frame = ws_backlog_oldest(backlog))) {
                size_t left = frame->n - backlog->head_sent;

                if (n < left) {
                        backlog->head_sent += n;
                        return;
                }
                n -= left;
                ws_backlog_pop(backlog, frame);
        }
        if (backlog->slots && backlog->n_metered < backlog->low)
                ws_backlog_stop_conflating(backlog);
        if (backlog->n_frames == 0 && backlog->capacity > WS_BACKLOG_KEEP)
                ws_backlog_done(backlog);
}

int64_t ws_backlog_oldest_us(const WsBacklog *backlog) {
        for (uint64_t at = backlog->head; at != backlog->tail; ++at) {
                const WsFrame *frame = *ws_backlog_at(backlog, at);

                if (frame)
                        return frame->made_us;
        }
        return 0;
}
