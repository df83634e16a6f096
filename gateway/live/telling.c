#include "gateway/live/telling.h"

#include "base/err.h"
#include "gateway/live/frame.h"

enum {
        LIVE_TELLING_EVENTS = 256,
        LIVE_TELLING_BYTES = 65536,
        LIVE_TELLING_BEAT_US = 1000000,
};

void live_telling_done(LiveTelling *telling) {
        buf_done(&telling->frame);
}

int live_telling_flush(LiveTelling *telling, int64_t now_us) {
        if (buf_failed(&telling->frame)) {
                buf_done(&telling->frame);
                telling->n_events = 0;
                return err_new(-ENOMEM);
        }
        if (telling->frame.n == 0)
                return 0;
        telling->say(telling->arg, telling->place, buf_text(&telling->frame), telling->n_events);
        telling->slots[telling->place].said_us = now_us;
        buf_reset(&telling->frame);
        telling->n_events = 0;
        return 0;
}

static void live_telling_begin(LiveTelling *telling, unsigned place, uint64_t before_seq) {
        const LiveFrame head = { .slot = (uint16_t)(telling->first_slot + (int)place),
                                 .epoch = telling->slots[place].epoch,
                                 .open_seq = telling->slots[place].open_seq,
                                 .before_seq = before_seq };

        telling->place = place;
        telling->last_seq = before_seq;
        live_frame_begin(&telling->frame, &head);
}

static void live_telling_add(LiveTelling *telling, const Event *event) {
        if (telling->frame.n == 0)
                live_telling_begin(telling, event->slot, event->before_seq);
        live_frame_add(&telling->frame, telling->last_seq, event);
        telling->last_seq = event->seq;
        ++telling->n_events;
        if (!event->behind)
                telling->slots[event->slot].last_seq = event->seq;
}

static bool live_telling_goes_on(const LiveTelling *telling, const Event *event) {
        return telling->n_events > 0 && telling->place == event->slot && !event->behind &&
               telling->last_seq == event->before_seq && telling->n_events < LIVE_TELLING_EVENTS &&
               telling->frame.n < LIVE_TELLING_BYTES;
}

static int live_telling_message(LiveTelling *telling, const Event *event, int64_t now_us) {
        int r = 0;

        if (!live_telling_goes_on(telling, event))
                r = live_telling_flush(telling, now_us);
        if (r < 0)
                return err_up(r);
        live_telling_add(telling, event);
        return event->behind ? err_up(live_telling_flush(telling, now_us)) : 0;
}

/* What is open is said before anything behind it, and what a slot begins with at once. */
int live_telling_take(LiveTelling *telling, const Event *event, int64_t now_us) {
        int r;

        assert(event->slot < SLOT_MAX);
        telling->slots[event->slot].epoch = event->epoch;
        if (event->type == EVENT_MESSAGE)
                return err_up(live_telling_message(telling, event, now_us));
        r = live_telling_flush(telling, now_us);
        if (event->type == EVENT_OPEN)
                telling->slots[event->slot].open_seq = event->seq;
        else if (telling->slots[event->slot].last_seq < event->seq)
                telling->slots[event->slot].last_seq = event->seq;
        telling->slots[event->slot].said_us = 0;
        return err_up(r);
}

int live_telling_beat(LiveTelling *telling, unsigned place, int64_t now_us) {
        int r;

        if (telling->slots[place].epoch == 0 ||
            (telling->slots[place].said_us != 0 &&
             now_us - telling->slots[place].said_us < LIVE_TELLING_BEAT_US))
                return 0;
        r = live_telling_flush(telling, now_us);
        if (r < 0)
                return err_up(r);
        live_telling_begin(telling, place, telling->slots[place].last_seq);
        return err_up(live_telling_flush(telling, now_us));
}
