#include "gateway/lease_watch.h"

#include "base/clock.h"

enum {
        LEASE_WATCH_PARTS = 12, /* of a lease: looks at somebody else's */
        LEASE_WATCH_MIN_MS = 50,
        LEASE_WATCH_MAX_MS = 200,
        LEASE_WATCH_CONNECT_MAX_MS = 2000, /* a third of the lease */
};

int lease_watch_part_ms(int lease_ms, int n_parts, int max_ms) {
        int ms = lease_ms / n_parts;

        return ms < max_ms ? ms : max_ms;
}

int lease_watch_look_ms(int lease_ms) {
        int ms = lease_watch_part_ms(lease_ms, LEASE_WATCH_PARTS, LEASE_WATCH_MAX_MS);

        return ms > LEASE_WATCH_MIN_MS ? ms : LEASE_WATCH_MIN_MS;
}

int lease_watch_connect_ms(int lease_ms) {
        return lease_watch_part_ms(lease_ms, 3, LEASE_WATCH_CONNECT_MAX_MS);
}

void lease_watch_see(LeaseWatch *watch, const DbSlot *slot) {
        int64_t now_us = clock_mono_us();
        bool is_same = watch->is_on && watch->fence == slot->fence && watch->beats == slot->beats;
        bool is_gap = now_us - watch->seen_us > slot->lease_ms * INT64_C(500);

        watch->is_alive = watch->is_alive || (watch->is_on && !is_same);
        if (!is_same || is_gap)
                watch->since_us = now_us;
        watch->is_on = true;
        watch->fence = slot->fence;
        watch->beats = slot->beats;
        watch->seen_us = now_us;
}

/* It may have been about to say something. */
bool lease_watch_has_lapsed(const LeaseWatch *watch, int lease_ms) {
        return watch->is_on &&
               watch->seen_us - watch->since_us >
                       (lease_ms + 2 * lease_watch_look_ms(lease_ms)) * INT64_C(1000);
}

bool lease_watch_was_others(uint64_t fence, uint64_t beats, const DbSlot *slot) {
        return fence != 0 && slot->fence > fence && slot->beats > beats + 1;
}
