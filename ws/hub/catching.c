#include "ws/hub/catching.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "model/query.h"
#include "ws/loop/loop.h"

#define WS_CATCHING_PAGE       500
#define WS_CATCHING_ANSWER_MS  10000
#define WS_CATCHING_RETRY_MS   100 /* while the database is behind, or away */
#define WS_CATCHING_UNKNOWN_MS 2000
#define WS_CATCHING_KNOWN_MS   10000 /* behind one that was in vain: others are not waited for */

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

/* As the audience is looked up: who may see it is what has to be known. */
static bool ws_catching_knows(const WsCatching *catching, const Event *event) {
        const Registry *registry = catching->loop->registry;

        if (!registry_is_loaded(registry))
                return true; /* nobody watches yet */
        if (!event_is_of_now(event, registry))
                return false;
        if (event->vehicle_id != 0)
                return registry_vehicle(registry, event->vehicle_id) != NULL;
        return event->device_id == 0 || registry_device(registry, event->device_id) != NULL;
}

static bool ws_catching_waits(WsCatching *catching, size_t slot, const Event *event) {
        struct WsCaught *caught = &catching->slots[slot];
        int64_t now_ms = clock_mono_us() / 1000;

        if (ws_catching_knows(catching, event))
                return false;
        if (caught->unknown_seq != event->seq &&
            (caught->unknown_until_ms == 0 ||
             now_ms >= caught->unknown_until_ms + WS_CATCHING_KNOWN_MS)) {
                caught->unknown_seq = event->seq;
                caught->unknown_until_ms = now_ms + WS_CATCHING_UNKNOWN_MS;
        }
        if (now_ms >= caught->unknown_until_ms)
                return false;
        caught->not_before_ms = now_ms + WS_CATCHING_RETRY_MS;
        return true;
}

/* Most likely the last words of an owner before. Should it be one to come, it has given numbers
 * that were shown: once it is named, viewers are told of all that. */
static void ws_catching_pass(WsNumbers *numbers, size_t slot, const Event *event) {
        WsJournal *journal = &numbers->journals[slot];
        char epoch[CURSOR_EPOCH_SIZE];

        snprintf(epoch, sizeof(epoch), "%016" PRIx64, event->epoch);
        if (event->epoch == 0 || event->epoch == journal->passed ||
            ws_numbers_know(numbers, slot, epoch, 0))
                return;
        journal->passed = event->epoch;
        journal->passed_seq = event->before_seq;
}

/* What is no news does not say whose the slot is now. */
bool ws_catching_takes(WsCatching *catching, const Event *event) {
        WsNumbers *numbers = &catching->loop->numbers;
        size_t slot = ws_numbers_slot(numbers, event);
        const WsJournal *journal = &numbers->journals[slot];
        bool is_caught = catching->slots[slot].target != 0;

        if (!ws_numbers_are_several(numbers))
                return true;
        if (event->behind)
                return !is_caught;
        if (journal->is_begun && event->seq <= journal->last_seq) {
                ws_catching_pass(numbers, slot, event);
                return false;
        }
        (void)ws_numbers_name(numbers, slot, event->epoch);
        if (!journal->is_begun)
                return !is_caught;
        if (is_caught || event->before_seq > journal->last_seq ||
            ws_catching_waits(catching, slot, event)) {
                ws_catching_aim(catching, slot, event->seq);
                return false;
        }
        numbers->journals[slot].live_seq = event->seq;
        return true;
}

bool ws_catching_goes_on(WsCatching *catching, const Event *gap) {
        WsNumbers *numbers = &catching->loop->numbers;
        size_t slot = ws_numbers_slot(numbers, gap);
        WsJournal *journal = &numbers->journals[slot];

        if (journal->is_begun && gap->seq <= journal->last_seq)
                return false;
        if (ws_numbers_name(numbers, slot, gap->epoch))
                journal->doubt_seq = journal->last_seq;
        if (!journal->is_begun)
                return true;
        if (gap->n_items > 0 && catching->slots[slot].target == 0)
                return true;
        ws_catching_aim(catching, slot, gap->seq);
        return false;
}

/* The next one was named by what does not say behind which number it begins, as its first word was
 * lost. The database says it: up to where the one before it, or any, has stored. */
static bool ws_catching_is_settled(WsNumbers *numbers,
                                   size_t slot,
                                   const Event *event,
                                   uint64_t *ret_shown_seq) {
        WsJournal *journal = &numbers->journals[slot];

        if (event->type != EVENT_GAP || journal->doubt_seq == 0 || event->epoch != journal->named)
                return false;
        *ret_shown_seq = journal->doubt_seq;
        journal->doubt_seq = 0;
        ws_numbers_settle(numbers, slot, event->before_seq);
        return true;
}

/* The numbers of one that had them: up to where it, or the one before it, had shown anything that
 * is not what is stored (@ret_shown_seq). A journal that names as shown before less than it has
 * shown itself has given that other numbers since. */
static bool ws_catching_is_fork(WsNumbers *numbers,
                                size_t slot,
                                const Event *event,
                                uint64_t before_seq,
                                uint64_t *ret_shown_seq) {
        WsJournal *journal = &numbers->journals[slot];
        bool is_message = event->type == EVENT_MESSAGE;

        *ret_shown_seq = journal->last_seq;
        if (!journal->is_begun || (is_message ? event->behind : event->before_seq == 0))
                return false;
        if (ws_catching_is_settled(numbers, slot, event, ret_shown_seq))
                return before_seq < *ret_shown_seq;
        if (event->seq <= journal->last_seq)
                return false;
        if (!ws_numbers_name(numbers, slot, event->epoch))
                return is_message && event->epoch != 0 && event->before_seq < journal->live_seq;
        if (is_message && before_seq > journal->last_seq) {
                journal->doubt_seq = journal->last_seq;
                return false;
        }
        ws_numbers_settle(numbers, slot, before_seq);
        return before_seq < journal->last_seq;
}

uint64_t ws_catching_forks(WsCatching *catching, const Event *event, uint64_t *ret_place) {
        WsNumbers *numbers = &catching->loop->numbers;
        size_t slot = ws_numbers_slot(numbers, event);
        WsJournal *journal = &numbers->journals[slot];
        uint64_t before_seq = event->before_seq, shown_seq;
        uint64_t since[CURSOR_MAX];

        if (event->epoch != 0 && event->epoch == journal->passed &&
            journal->passed_seq < before_seq)
                before_seq = journal->passed_seq;
        if (!ws_numbers_are_several(numbers) ||
            !ws_catching_is_fork(numbers, slot, event, before_seq, &shown_seq))
                return 0;
        journal->live_seq = 0;
        ws_numbers_seen(numbers, numbers->last_place, since);
        since[slot] = before_seq;
        *ret_place = ws_numbers_find(numbers, since);
        if (*ret_place == 0)
                *ret_place = numbers->last_place;
        metric_add(METRIC_LIVE_FORKED, 1);
        log_warning("live_forked slot=%zu shown=%llu stored=%llu hint=\"the gateway that had the "
                    "slot "
                    "showed what it did not store; viewers are told\"",
                    slot,
                    (unsigned long long)shown_seq,
                    (unsigned long long)before_seq);
        return shown_seq - before_seq;
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
        query->replay->is_stored = true;
        query->replay->kinds = UINT32_MAX;
        query->replay->all_devices = query->replay->all_vehicles = true;
        query->replay->limit = WS_CATCHING_PAGE;
        *ret_query = TAKE(&query);
        return 0;
}

/* The one before it in the page has its number, and is another journal's: no two owners of a slot
 * give one number, and should they, neither message is to pass for the other. */
static bool ws_catching_is_equal(const Answer *answer, size_t i) {
        const Event *event = answer->events[i], *before = i > 0 ? answer->events[i - 1] : NULL;

        return before && before->seq == event->seq && before->journal_id != event->journal_id;
}

static void ws_catching_say_equal(const Event *event, const Event *before) {
        metric_add(METRIC_LIVE_EQUAL, 1);
        log_error("live_number_twice slot=%u number=%llu journals=%lld,%lld hint=\"two gateways "
                  "gave "
                  "one number; both messages are stored, and shown. A bug: please report it\"",
                  (unsigned)event->slot,
                  (unsigned long long)event->seq,
                  (long long)before->journal_id,
                  (long long)event->journal_id);
}

/* *ret_is_whole: all of it; else what comes next waits for its thing to be known. */
static int ws_catching_show(struct WsCaught *caught,
                            size_t slot,
                            const Answer *answer,
                            bool *ret_is_whole) {
        WsCatching *catching = caught->catching;
        const WsJournal *journal = &catching->loop->numbers.journals[slot];
        uint64_t begin_seq = journal->last_seq;
        int r = 0;

        *ret_is_whole = true;
        for (size_t i = 0; r == 0 && i < answer->n_events; ++i) {
                Event *event = answer->events[i];
                bool is_equal = ws_catching_is_equal(answer, i) && event->seq > begin_seq;

                event->slot = (uint16_t)slot;
                if (event->seq <= journal->last_seq && !is_equal)
                        continue;
                if (is_equal) { /* the next page begins behind it: it waits for nothing */
                        ws_catching_say_equal(event, answer->events[i - 1]);
                } else if (ws_catching_waits(catching, slot, event)) {
                        *ret_is_whole = false;
                        return 0;
                }
                metric_add(METRIC_LIVE_CAUGHT, 1);
                r = catching->show(catching->arg, event);
        }
        return err_up(r);
}

static int ws_catching_answered(void *owner, Event *event) {
        struct WsCaught *caught = owner;
        WsCatching *catching = caught->catching;
        WsNumbers *numbers = &catching->loop->numbers;
        size_t slot = (size_t)(caught - catching->slots);
        uint64_t before = numbers->journals[slot].last_seq;
        bool is_whole;
        int r;

        caught->not_before_ms = clock_mono_us() / 1000 + WS_CATCHING_RETRY_MS;
        if (!event || event->answer->status != 200)
                return 0;
        r = ws_catching_show(caught, slot, event->answer, &is_whole);
        if (r < 0 || !is_whole)
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
