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
        OutboxOptions options;
        uint64_t last_seq, open_seq; /* of several: that were told */
        uint32_t n_missing;          /* messages dropped since the last EVENT_GAP */
        uint64_t missing_seq;

        Event *chunk[OUTBOX_CHUNK]; /* owned until pushed */
        size_t n_chunk;
};

int outbox_new(Outbox **ret_outbox, Queue *queue, const OutboxOptions *options) {
        Outbox *outbox;

        outbox = calloc(1, sizeof(*outbox));
        if (!outbox)
                return err_new(-ENOMEM);
        outbox->queue = queue;
        outbox->options = *options;
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

/* ---- whose it is -------------------------------------------------------------------------- */

/* What has a number that is not above the last comes behind it, whatever it says of itself. */
static void outbox_name(Outbox *outbox, Event *event) {
        if (!outbox->options.is_of_several)
                return;
        event->slot = outbox->options.slot;
        event->epoch = outbox->options.epoch;
        if (event->type != EVENT_MESSAGE)
                return;
        event->behind = event->behind || event->seq <= outbox->last_seq;
        if (event->behind)
                return;
        event->before_seq = outbox->last_seq;
        outbox->last_seq = event->seq;
}

static void outbox_tell_others(const Outbox *outbox, Event *event) {
        if (outbox->options.shown)
                outbox->options.shown(outbox->options.shown_arg, event);
}

/* ---- into the queue ----------------------------------------------------------------------- */

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
        outbox_name(outbox, event);
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

static bool outbox_shows(const Record *record) {
        return record->reason == REASON_NONE && !record->unchanged && !record->duplicate;
}

/* An answer that is no news, or to no command that there is, moves the state of its device like
 * whatever else it says. */
static bool outbox_tells_of_life(const Record *record) {
        return record->kind == KIND_COMMAND_ACK && !record->duplicate &&
               (record->unchanged || record->reason == REASON_UNKNOWN_COMMAND);
}

/* What is not shown has no place in what others know of us. */
static int outbox_put(Outbox *outbox,
                      const Record *record,
                      const DeviceState *state,
                      bool persisted) {
        Event *event;
        int r;

        r = event_new_message(&event, record, state, persisted);
        if (r != 0)
                return err_up(r);
        event->is_mute = !outbox_shows(record);
        if (!event->is_mute) {
                outbox_name(outbox, event);
                outbox_tell_others(outbox, event);
        }
        outbox->chunk[outbox->n_chunk++] = event;
        return 0;
}

int outbox_show(Outbox *outbox, const Batch *batch, size_t from, size_t to, bool persisted) {
        int64_t deadline_us = clock_mono_us() + (int64_t)outbox->options.wait_ms * 1000;
        int64_t n_shown = 0;
        int r = 0;

        if (outbox->options.is_mute)
                return 0;
        for (size_t i = from; r == 0 && i < to; ++i) {
                const Record *record = batch_record(batch, i);
                int64_t left_us;

                if (!outbox_shows(record) && !outbox_tells_of_life(record))
                        continue;
                r = outbox_put(outbox, record, batch_state(batch, i), persisted);
                if (r != 0)
                        return err_up(r);
                n_shown += outbox_shows(record);
                if (outbox->n_chunk < OUTBOX_CHUNK)
                        continue;
                left_us = deadline_us - clock_mono_us();
                r = outbox_flush(outbox, left_us > 0 ? (int)(left_us / 1000) : 0);
        }
        if (r == 0 && outbox->n_chunk > 0)
                r = outbox_flush(outbox, outbox->options.wait_ms);

        metric_add(persisted ? METRIC_BROADCAST_PERSISTED : METRIC_BROADCAST_UNPERSISTED, n_shown);
        return r == 0 ? 0 : err_up(r);
}

int outbox_show_behind(Outbox *outbox, const Batch *batch, size_t i) {
        const Record *record = batch_record(batch, i);
        Event *event;
        int r;

        if (outbox->options.is_mute || !outbox_shows(record))
                return 0;
        r = event_new_message(&event, record, batch_state(batch, i), true);
        if (r != 0)
                return err_up(r);
        event->behind = true;
        outbox_name(outbox, event);
        outbox_tell_others(outbox, event);
        metric_add(METRIC_BROADCAST_PERSISTED, 1);
        return outbox_push_surely(outbox, &event);
}

int outbox_show_open(Outbox *outbox, uint64_t seq) {
        Event *event;
        int r;

        if (outbox->options.is_mute)
                return 0;
        r = event_new_open(&event, seq);
        if (r != 0)
                return err_up(r);
        outbox->open_seq = seq;
        outbox_name(outbox, event);
        outbox_tell_others(outbox, event);
        return outbox_push_surely(outbox, &event);
}

/* What another one that had the slot has left open, nobody else settles. */
int outbox_show_position(Outbox *outbox, uint64_t seq, uint64_t last_seq) {
        Event *event = NULL;
        int r = 0;

        if (outbox->options.is_mute)
                return 0;
        if (outbox->options.is_of_several)
                r = outbox_show_open(outbox, outbox->open_seq);
        if (r == 0)
                r = event_new_gap(&event, seq, 0);
        if (r != 0)
                return err_up(r);
        event->last_seq = last_seq;
        if (outbox->last_seq < seq)
                outbox->last_seq = seq;
        outbox_name(outbox, event);
        outbox_tell_others(outbox, event);
        return outbox_push_surely(outbox, &event);
}

void outbox_go_back(Outbox *outbox, uint64_t seq) {
        if (outbox->last_seq > seq)
                outbox->last_seq = seq;
}

int outbox_show_registry(Outbox *outbox, RegistryDelta *delta) {
        Event *event;
        int r;

        if (outbox->options.hides_registry)
                return 0;
        r = event_new_registry(&event, delta);
        if (r != 0)
                return err_up(r);
        return outbox_push_surely(outbox, &event);
}

int outbox_show_restored(Outbox *outbox, const Record *record) {
        Event *event;
        int r;

        if (outbox->options.is_mute)
                return 0;
        r = event_new_message(&event, record, NULL, true);
        if (r != 0)
                return err_up(r);
        event->type = EVENT_RESTORED;
        outbox_name(outbox, event);
        return outbox_push_surely(outbox, &event);
}
