/* LiveFrame: any bytes are a frame or are refused, and what is read is written as the same. */

#include <string.h>

#include "gateway/live/frame.h"
#include "tests/fuzz/fuzz.h"

static void check_again(Event *const events[], size_t n) {
        CLEANUP_BUF Buf buf = { 0 };
        Event *again[LIVE_FRAME_EVENTS];
        LiveFrame frame = { .slot = events[0]->slot,
                            .epoch = events[0]->epoch,
                            .before_seq = events[0]->before_seq };
        size_t n_again = 0;

        live_frame_begin(&buf, &frame);
        for (size_t i = 0; i < n; ++i) {
                FUZZ_CHECK(events[i]->seq > events[i]->before_seq);
                live_frame_add(&buf, events[i]->before_seq, events[i]);
        }
        FUZZ_CHECK(!buf_failed(&buf));
        FUZZ_CHECK(live_frame_read(buf_text(&buf), again, &n_again) == 0 && n_again == n);
        for (size_t i = 0; i < n; ++i) {
                FUZZ_CHECK(again[i]->seq == events[i]->seq && again[i]->kind == events[i]->kind &&
                           again[i]->data.n == events[i]->data.n);
                event_unref(again[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static Event *events[LIVE_FRAME_EVENTS];
        size_t n_events = 0;
        char *bytes = malloc(n + 1);

        if (!bytes)
                return 0;
        if (n > 0)
                memcpy(bytes, data, n);
        if (live_frame_read((Text){ bytes, n }, events, &n_events) == 0) {
                FUZZ_CHECK(n_events >= 1);
                if (events[0]->type == EVENT_MESSAGE)
                        check_again(events, n_events);
                while (n_events > 0)
                        event_unref(events[--n_events]);
        }
        free(bytes);
        return 0;
}
