#include "ws/loop/loop.h"

#include "base/clock.h"
#include "base/err.h"
#include "ws/access/shares.h"
#include "ws/loop/options.h"
#include "ws/wire/packer.h"

#define WS_LOOP_WORK_US 20000
#define WS_LOOP_TICK_MS 50 /* at most: what max_hz holds back is late by no more than that */

static const WsOptions ws_loop_defaults = {
        .max_message_bytes = 65536,
        .queue_bytes = 1048576,
        .slow_ms = 30000,
        .ping_interval_ms = 20000,
        .silence_ms = 60000,
        .max_connections = 20000,
        .max_connections_per_user = 5,
        .messages_per_s = 50,
        .max_subscriptions = 100,
        .max_paced = 50000,
        .max_set = 200000,
        .max_playbacks = 4,
        .progress_ms = 5000,
        .stats_interval_ms = 5000,
        .stats_refresh_ms = 30000,
        .touch_interval_ms = 1000,
        .replay_events = 65536,
        .replay_bytes = 67108864,
};

int ws_loop_init(WsLoop *loop, Registry *registry) {
        int r;

        *loop = (WsLoop){ .registry = registry, .options = &ws_loop_defaults };
        TAILQ_INIT(&loop->dirty);
        TAILQ_INIT(&loop->paced);
        TAILQ_INIT(&loop->restless);
        TAILQ_INIT(&loop->uplinks);
        TAILQ_INIT(&loop->patient);
        ws_wheel_init(&loop->wheel, 10, clock_mono_us() / 1000);
        r = ws_numbers_open(&loop->numbers, NULL);
        if (r == 0)
                r = ws_packer_new(&loop->packer);
        if (r == 0)
                r = ws_index_new(&loop->index);
        if (r == 0)
                r = ws_last_known_new(&loop->last_known);
        if (r == 0)
                r = ws_shares_new(&loop->places);
        if (r == 0)
                r = ws_shares_new(&loop->strangers);
        if (r == 0)
                r = ws_shares_new(&loop->bursts);
        return err_up(r);
}

void ws_loop_done(WsLoop *loop) {
        ws_tally_publish(&loop->tally);
        ws_frame_unref(loop->list.frame);
        ws_ring_done(&loop->ring);
        ws_numbers_done(&loop->numbers);
        ws_last_known_free(loop->last_known);
        ws_index_free(loop->index);
        ws_packer_free(loop->packer);
        ws_shares_free(loop->places);
        ws_shares_free(loop->strangers);
        ws_shares_free(loop->bursts);
        buf_done(&loop->text);
}

int64_t ws_loop_tick_ms(const WsLoop *loop) {
        int64_t tick_ms = loop->options->ping_interval_ms / 128;

        if (tick_ms > WS_LOOP_TICK_MS)
                tick_ms = WS_LOOP_TICK_MS;
        return tick_ms < 10 ? 10 : tick_ms;
}

bool ws_loop_is_loaded(const WsLoop *loop) {
        return registry_is_loaded(loop->registry) &&
               (ws_numbers_are_several(&loop->numbers)
                        ? ws_numbers_are_begun(&loop->numbers)
                        : loop->ring.is_begun || loop->options->no_live);
}

int ws_loop_share(const WsLoop *loop) {
        return loop->options->user_share > 0 ? loop->options->user_share : 100;
}

bool ws_loop_may_work(WsLoop *loop) {
        int64_t now_us = clock_mono_us();

        loop->work_us += (now_us - loop->work_at_us) / 2;
        if (loop->work_us > WS_LOOP_WORK_US)
                loop->work_us = WS_LOOP_WORK_US;
        loop->work_at_us = now_us;
        return loop->work_us > 0;
}

void ws_loop_worked(WsLoop *loop, int64_t since_us) {
        loop->work_us -= clock_mono_us() - since_us;
}

void ws_loop_settle(WsLoop *loop) {
        if (loop->settle)
                loop->settle(loop);
}

static void ws_loop_place(WsLoop *loop, Event *event) {
        WsNumbers *numbers = &loop->numbers;
        bool is_several = ws_numbers_are_several(numbers);
        size_t slot = ws_numbers_slot(numbers, event);

        if (is_several)
                event->place = ws_numbers_step(numbers, slot, event->seq);
        numbers->journals[slot].is_begun = true;
        loop->before_seq = loop->ring.is_begun && (is_several || !event->behind)
                                   ? loop->ring.last_seq
                                   : event->place - 1;
}

/* Of several journals what comes behind others is where it came: who resumes knows its number. */
int ws_loop_remember(WsLoop *loop, Event *event) {
        const WsOptions *options = loop->options;

        ws_loop_place(loop, event);
        if (event->behind && !ws_numbers_are_several(&loop->numbers))
                return err_up(ws_ring_insert(&loop->ring, event));
        return err_up(ws_ring_put(&loop->ring,
                                  event,
                                  (size_t)options->replay_events,
                                  options->replay_bytes));
}
