#include "ws/hub/catching.h"

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "model/query.h"
#include "ws/loop/loop.h"

#define WS_CATCHING_PAGE      500
#define WS_CATCHING_ANSWER_MS 10000
#define WS_CATCHING_RETRY_MS  100 /* while the database is behind, or away */

void ws_catching_init(WsCatching *catching, WsLoop *loop, WsCatchingFn show, void *arg) {
        *catching = (WsCatching){ .loop = loop, .show = show, .arg = arg };
        for (size_t i = 0; i < CURSOR_MAX; ++i) {
                catching->slots[i].catching = catching;
                catching->slots[i].question.owner = &catching->slots[i];
        }
}

void ws_catching_done(WsCatching *catching) {
        for (size_t i = 0; catching->loop && i < CURSOR_MAX; ++i)
                ws_questions_forget(catching->loop->questions, &catching->slots[i].question);
}

static void ws_catching_aim(WsCatching *catching, size_t slot, uint64_t seq) {
        struct WsCaught *caught = &catching->slots[slot];

        if (caught->target == 0)
                ++catching->n_behind;
        if (caught->target < seq)
                caught->target = seq;
}

bool ws_catching_takes(WsCatching *catching, const Event *event) {
        size_t slot = ws_numbers_slot(&catching->loop->numbers, event);
        const WsJournal *journal = &catching->loop->numbers.journals[slot];
        bool is_caught = catching->slots[slot].target != 0;

        if (event->behind || !journal->is_begun)
                return !is_caught;
        if (event->seq <= journal->last_seq)
                return false;
        if (is_caught || (event->before_seq != 0 && event->before_seq > journal->last_seq)) {
                ws_catching_aim(catching, slot, event->seq);
                return false;
        }
        return true;
}

bool ws_catching_goes_on(WsCatching *catching, const Event *gap) {
        size_t slot = ws_numbers_slot(&catching->loop->numbers, gap);
        const WsJournal *journal = &catching->loop->numbers.journals[slot];

        if (!journal->is_begun)
                return true;
        if (gap->seq <= journal->last_seq)
                return false;
        if (gap->n_items > 0 && catching->slots[slot].target == 0)
                return true;
        ws_catching_aim(catching, slot, gap->seq);
        return false;
}

/* ---- what was lost -------------------------------------------------------------------------- */

static int ws_catching_query(const WsCatching *catching, size_t slot, Query **ret_query) {
        const WsJournal *journal = &catching->loop->numbers.journals[slot];
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, QUERY_REPLAY);
        if (r < 0)
                return err_up(r);
        query->replay = calloc(1, sizeof(*query->replay));
        if (!query->replay)
                return err_new(-ENOMEM);
        memcpy(query->replay->own_epoch, journal->epoch, sizeof(query->replay->own_epoch));
        query->replay->after_seq = journal->last_seq;
        query->replay->upto_seq = UINT64_MAX;
        query->replay->kinds = UINT32_MAX;
        query->replay->all_devices = query->replay->all_vehicles = true;
        query->replay->limit = WS_CATCHING_PAGE;
        *ret_query = TAKE(&query);
        return 0;
}

static int ws_catching_show(struct WsCaught *caught, size_t slot, const Answer *answer) {
        WsLoop *loop = caught->catching->loop;
        const WsJournal *journal = &loop->numbers.journals[slot];
        int r = 0;

        for (size_t i = 0; r == 0 && i < answer->n_events; ++i) {
                answer->events[i]->slot = (uint16_t)slot;
                if (answer->events[i]->seq > journal->last_seq)
                        r = caught->catching->show(caught->catching->arg, answer->events[i]);
        }
        return err_up(r);
}

static int ws_catching_answered(void *owner, Event *event) {
        struct WsCaught *caught = owner;
        WsCatching *catching = caught->catching;
        WsNumbers *numbers = &catching->loop->numbers;
        size_t slot = (size_t)(caught - catching->slots);
        uint64_t before = numbers->journals[slot].last_seq;
        int r;

        caught->not_before_ms = clock_mono_us() / 1000 + WS_CATCHING_RETRY_MS;
        if (!event || event->answer->status != 200)
                return 0;
        r = ws_catching_show(caught, slot, event->answer);
        if (r < 0)
                return err_up(r);
        if (numbers->journals[slot].last_seq < event->answer->upto_seq)
                (void)ws_numbers_step(numbers, slot, event->answer->upto_seq);
        if (numbers->journals[slot].last_seq > before)
                caught->not_before_ms = 0;
        if (numbers->journals[slot].last_seq < caught->target)
                return 0;
        caught->target = 0;
        --catching->n_behind;
        return 0;
}

static int ws_catching_ask(WsCatching *catching, size_t slot, int64_t now_ms) {
        struct WsCaught *caught = &catching->slots[slot];
        CLEANUP(query_free) Query *query = NULL;
        int r;

        if (caught->target == 0 || caught->question.id != 0 || now_ms < caught->not_before_ms)
                return 0;
        r = ws_catching_query(catching, slot, &query);
        if (r == 0)
                r = ws_questions_ask(catching->loop->questions,
                                     &caught->question,
                                     &query,
                                     WS_CATCHING_ANSWER_MS,
                                     ws_catching_answered);
        if (r < 0)
                return err_up(r);
        if (r == WS_QUESTIONS_E_FULL)
                caught->not_before_ms = now_ms + WS_CATCHING_RETRY_MS;
        return 0;
}

int ws_catching_turn(WsCatching *catching, int64_t now_ms) {
        int r = 0;

        for (size_t i = 0; r == 0 && catching->n_behind > 0 && i < catching->loop->numbers.n; ++i)
                r = ws_catching_ask(catching, i, now_ms);
        return err_up(r);
}
