#include "gateway/store/outbox.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/store/batch.h"
#include "model/metrics.h"

#define OUTBOX_CHUNK   256
#define OUTBOX_WAIT_MS 1000 /* between two looks at whether the queue was closed */

struct Outbox {
        Queue *queue; /* borrowed */
        int wait_ms;
        bool is_mute;
        uint32_t n_missing; /* messages dropped since the last EVENT_GAP */
        uint64_t missing_seq;

        Event *chunk[OUTBOX_CHUNK]; /* owned until pushed */
        size_t n_chunk;
};

int outbox_new(Outbox **ret_outbox, Queue *queue, int wait_ms, bool is_mute) {
        Outbox *outbox;

        outbox = calloc(1, sizeof(*outbox));
        if (!outbox)
                return err_new(-ENOMEM);
        outbox->queue = queue;
        outbox->wait_ms = wait_ms;
        outbox->is_mute = is_mute;
        *ret_outbox = outbox;
        return 0;
}

static void outbox_drop_chunk(Outbox *outbox) {
        for (size_t i = 0; i < outbox->n_chunk; ++i)
                event_unref(outbox->chunk[i]);
        outbox->n_chunk = 0;
}

Outbox *outbox_free(Outbox *outbox) {
        if (!outbox)
                return NULL;
        outbox_drop_chunk(outbox);
        free(outbox);
        return NULL;
}

/* Waits for as long as it takes: for what must not be missed. */
static int outbox_push_surely(Outbox *outbox, Event **eventp) {
        for (;;) {
                switch (queue_push(outbox->queue, *eventp, OUTBOX_WAIT_MS)) {
                case 0:
                        *eventp = NULL;
                        return 0;
                case QUEUE_E_FULL:
                        log_warning("outbox_full length=%zu", queue_length(outbox->queue));
                        continue;
                default: /* closed: nobody is there to be told */
                        *eventp = event_unref(*eventp);
                        return 0;
                }
        }
}

static int outbox_show_gap(Outbox *outbox) {
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        r = event_new_gap(&event, outbox->missing_seq, outbox->n_missing);
        if (r != 0)
                return err_up(r);
        if (queue_push(outbox->queue, event, 0) == 0) {
                event = NULL;
                outbox->n_missing = 0;
        }
        return 0;
}

static int outbox_flush(Outbox *outbox, int wait_ms) {
        size_t n = 0;
        int r;

        if (outbox->n_missing > 0) {
                r = outbox_show_gap(outbox);
                if (r != 0)
                        return err_up(r);
        }
        /* While a gap waits to be told, what follows it may not overtake it. */
        if (outbox->n_missing == 0)
                (void)!queue_push_many(outbox->queue,
                                       (void *const *)outbox->chunk,
                                       outbox->n_chunk,
                                       wait_ms,
                                       &n);

        for (size_t i = n; i < outbox->n_chunk; ++i) {
                ++outbox->n_missing;
                outbox->missing_seq = outbox->chunk[i]->seq;
                metric_add(METRIC_OUTBOX_DROPPED, 1);
                event_unref(outbox->chunk[i]);
        }
        outbox->n_chunk = 0;
        return 0;
}

int outbox_show(Outbox *outbox, const Batch *batch, size_t from, size_t to, bool persisted) {
        int64_t deadline_us = clock_mono_us() + (int64_t)outbox->wait_ms * 1000;
        int64_t n_shown = 0;
        int r = 0;

        if (outbox->is_mute)
                return 0;
        for (size_t i = from; r == 0 && i < to; ++i) {
                const Record *record = batch_record(batch, i);
                int64_t left_us;

                if (record->reason != REASON_NONE || record->unchanged || record->duplicate)
                        continue;
                r = event_new_message(&outbox->chunk[outbox->n_chunk],
                                      record,
                                      batch_state(batch, i),
                                      persisted);
                if (r != 0)
                        return err_up(r);
                ++n_shown;
                if (++outbox->n_chunk < OUTBOX_CHUNK)
                        continue;
                left_us = deadline_us - clock_mono_us();
                r = outbox_flush(outbox, left_us > 0 ? (int)(left_us / 1000) : 0);
        }
        if (r == 0 && outbox->n_chunk > 0)
                r = outbox_flush(outbox, outbox->wait_ms);

        metric_add(persisted ? METRIC_BROADCAST_PERSISTED : METRIC_BROADCAST_UNPERSISTED, n_shown);
        return r == 0 ? 0 : err_up(r);
}

int outbox_show_behind(Outbox *outbox, const Batch *batch, size_t i) {
        const Record *record = batch_record(batch, i);
        Event *event;
        int r;

        if (outbox->is_mute || record->reason != REASON_NONE || record->unchanged ||
            record->duplicate)
                return 0;
        r = event_new_message(&event, record, batch_state(batch, i), true);
        if (r != 0)
                return err_up(r);
        event->behind = true;
        metric_add(METRIC_BROADCAST_PERSISTED, 1);
        return outbox_push_surely(outbox, &event);
}

int outbox_show_open(Outbox *outbox, uint64_t seq) {
        Event *event;
        int r;

        if (outbox->is_mute)
                return 0;
        r = event_new_open(&event, seq);
        if (r != 0)
                return err_up(r);
        return outbox_push_surely(outbox, &event);
}

int outbox_show_position(Outbox *outbox, uint64_t seq, uint64_t last_seq) {
        Event *event;
        int r;

        if (outbox->is_mute)
                return 0;
        r = event_new_gap(&event, seq, 0);
        if (r != 0)
                return err_up(r);
        event->last_seq = last_seq;
        return outbox_push_surely(outbox, &event);
}

int outbox_show_registry(Outbox *outbox, RegistryDelta *delta) {
        Event *event;
        int r;

        r = event_new_registry(&event, delta);
        if (r != 0)
                return err_up(r);
        return outbox_push_surely(outbox, &event);
}

int outbox_show_restored(Outbox *outbox, const Record *record) {
        Event *event;
        int r;

        if (outbox->is_mute)
                return 0;
        r = event_new_message(&event, record, NULL, true);
        if (r != 0)
                return err_up(r);
        event->type = EVENT_RESTORED;
        return outbox_push_surely(outbox, &event);
}
