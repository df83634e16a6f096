#include "ws/loop/ring.h"

#include "base/err.h"

#define WS_RING_MIN 64

static WsRingSlot *ws_ring_at(const WsRing *ring, uint64_t at) {
        return &ring->slots[at & (ring->capacity - 1)];
}

static size_t ws_ring_size(const Event *event) {
        return sizeof(*event) + event->data.n + event->message.n;
}

static void ws_ring_drop(WsRing *ring) {
        WsRingSlot *slot = ws_ring_at(ring, ring->head++);

        ring->n_bytes -= ws_ring_size(slot->event);
        if (slot->frame)
                ring->n_bytes -= slot->frame->n;
        ring->floor_seq = slot->event->place;
        slot->event = event_unref(slot->event);
        slot->frame = ws_frame_unref(slot->frame);
}

void ws_ring_done(WsRing *ring) {
        while (ring->head != ring->tail)
                ws_ring_drop(ring);
        free(ring->slots);
        *ring = (WsRing){ 0 };
}

static int ws_ring_grow(WsRing *ring) {
        size_t capacity = ring->capacity ? ring->capacity * 2 : WS_RING_MIN;
        WsRingSlot *slots;

        if (ring->tail - ring->head < ring->capacity)
                return 0;

        slots = calloc(capacity, sizeof(*slots));
        if (!slots)
                return err_new(-ENOMEM);

        for (uint64_t at = ring->head; at != ring->tail; ++at)
                slots[at & (capacity - 1)] = *ws_ring_at(ring, at);
        free(ring->slots);
        ring->slots = slots;
        ring->capacity = capacity;
        return 0;
}

int ws_ring_put(WsRing *ring, Event *event, size_t max_events, size_t max_bytes) {
        int r;

        if (ring->is_begun && event->place <= ring->last_seq)
                return 0; /* shown before */
        if (!ring->is_begun)
                ws_ring_skip(ring, event->place - 1);
        ring->last_seq = event->place;
        if (max_events == 0 || max_bytes == 0) {
                ring->floor_seq = event->place;
                return 0;
        }

        while (ring->head != ring->tail && (ring->tail - ring->head >= max_events ||
                                            ring->n_bytes + ws_ring_size(event) > max_bytes))
                ws_ring_drop(ring);
        r = ws_ring_grow(ring);
        if (r < 0)
                return err_up(r);

        *ws_ring_at(ring, ring->tail++) = (WsRingSlot){ .event = event_ref(event) };
        ring->n_bytes += ws_ring_size(event);
        return 0;
}

int ws_ring_insert(WsRing *ring, Event *event) {
        uint64_t at;
        int r;

        if (!ring->is_begun || event->place <= ring->floor_seq || event->place >= ring->last_seq)
                return 0;
        r = ws_ring_grow(ring);
        if (r < 0)
                return err_up(r);
        at = ring->tail++;
        for (; at != ring->head && ws_ring_at(ring, at - 1)->event->place > event->place; --at)
                *ws_ring_at(ring, at) = *ws_ring_at(ring, at - 1);
        *ws_ring_at(ring, at) = (WsRingSlot){ .event = event_ref(event) };
        ring->n_bytes += ws_ring_size(event);
        return 0;
}

void ws_ring_skip(WsRing *ring, uint64_t seq) {
        if (ring->is_begun && seq <= ring->last_seq)
                return;

        while (ring->head != ring->tail)
                ws_ring_drop(ring);
        ring->is_begun = true;
        ring->floor_seq = ring->last_seq = seq;
}

bool ws_ring_covers(const WsRing *ring, uint64_t seq) {
        return ring->is_begun && seq >= ring->floor_seq;
}

WsRingSlot *ws_ring_after(const WsRing *ring, uint64_t seq) {
        uint64_t low = ring->head;
        uint64_t high = ring->tail;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (ws_ring_at(ring, middle)->event->place <= seq)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low == ring->tail ? NULL : ws_ring_at(ring, low);
}

void ws_ring_keep(WsRing *ring, WsRingSlot *slot, WsFrame *frame) {
        assert(!slot->frame);

        slot->frame = ws_frame_ref(frame);
        ring->n_bytes += frame->n;
}
