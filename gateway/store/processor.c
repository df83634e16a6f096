#include "gateway/store/processor.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/sensors.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/opening.h"
#include "gateway/store/showing.h"
#include "gateway/store/storing.h"
#include "model/metrics.h"

#define PROCESSOR_IDLE_MS 1000 /* the longest sleep */

struct Processor {
        Queue *queue; /* borrowed: the outbox, to close it */
        pthread_t thread;
        bool has_thread;
        unsigned place;             /* metrics.h */
        _Atomic int64_t stop_at_us; /* monotonic; 0 = not stopping */
        _Atomic(Routes *) new_routes;
        _Atomic int standing;    /* ProcessorStanding */
        _Atomic bool may_follow; /* said, and not begun yet */
        _Atomic int result;
        _Atomic uint64_t stored_seq; /* 0: not known */

        /* All below belongs to the thread. */
        Desk *desk;
        Opening opening;
        bool is_walking;           /* the books are not as far as the store */
        uint64_t waits_behind_seq; /* the oldest record that is not in a batch yet is behind this */
        int64_t waits_since_us;    /* when that was received; 0: not looked up */
};

/* While the store lags, live does not wait for it; but what another one may have been sent as well
 * is shown by who stores it. */
static bool processor_goes_ahead(const Processor *processor) {
        const Desk *desk = processor->desk;

        return desk->was_ready && storing_lags(desk) && journal_may_show(desk->journal);
}

static int processor_show_ahead(Processor *processor) {
        BatchContext context;
        int r;

        if (!processor_goes_ahead(processor))
                return 0;
        context = desk_context(processor->desk, false);
        r = showing_go_ahead(processor->desk->showing, processor->desk->lane, &context);
        return r == 0 ? 0 : err_up(r);
}

/* What the registry and the answers about it have come to be. */
static int processor_follow(Processor *processor) {
        bool is_answered;
        int r;

        r = known_follow(processor->desk->known, &is_answered);
        if (is_answered)
                stall_go_on(&processor->desk->stall);
        return r == 0 ? 0 : err_up(r);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static int processor_take_orders(Processor *processor) {
        Routes *routes;
        uint64_t count;
        int r;

        (void)!read(processor->desk->wake_fd, &count, sizeof(count));
        if (atomic_exchange(&processor->may_follow, false))
                known_start(processor->desk->known);
        routes = atomic_exchange(&processor->new_routes, NULL);
        if (!routes)
                return 0;
        r = desk_change_routes(processor->desk, routes);
        return r == 0 ? 0 : err_up(r);
}

/* When the oldest message that is not stored was received; 0: all are. While there is no database
 * nothing is in a batch: the journal is asked, once for each that is the oldest. */
static int64_t processor_waits_since_us(Processor *processor) {
        Desk *desk = processor->desk;
        const Batch *batch = lane_current(desk->lane);
        JournalRecord oldest;
        uint64_t stored_seq;

        if (batch_length(batch) > 0)
                return batch_record(batch, 0)->received_us;
        stored_seq =
                desk->was_ready ? lane_stored_seq(desk->lane) : journal_noted_seq(desk->journal);
        if (stored_seq >= journal_last_seq(desk->journal))
                processor->waits_since_us = 0;
        else if (processor->waits_since_us == 0 || processor->waits_behind_seq != stored_seq)
                processor->waits_since_us =
                        journal_read(desk->journal, stored_seq, &oldest, 1, SIZE_MAX) > 0
                                ? oldest.received_us
                                : 0;
        processor->waits_behind_seq = stored_seq;
        return processor->waits_since_us;
}

static void processor_report(Processor *processor) {
        int64_t since_us = processor_waits_since_us(processor);

        /* What is stored goes in time, also when nothing new comes. */
        if (processor->desk->was_ready && !database_is_lent(processor->desk->database)) {
                processor->is_walking =
                        !books_walk(processor->desk->books, lane_stored_seq(processor->desk->lane));
                journal_commit(processor->desk->journal, books_done_seq(processor->desk->books));
        }
        atomic_store(&processor->stored_seq,
                     processor->desk->was_ready && lane_is_idle(processor->desk->lane)
                             ? lane_stored_seq(processor->desk->lane)
                             : 0);
        journal_look(processor->desk->journal, clock_mono_us());
        metric_set(METRIC_DB_LAG_SECONDS, since_us > 0 ? clock_now_us() - since_us : 0);
        metric_set(METRIC_SENSORS, (int64_t)sensors_length(processor->desk->sensors));
        metric_set(METRIC_OUTBOX_LENGTH, (int64_t)queue_length(processor->queue));
}

static bool processor_is_done(const Processor *processor) {
        if (processor->stop_at_us == 0)
                return false;
        if (clock_mono_us() >= processor->stop_at_us ||
            atomic_load(&processor->standing) == PROCESSOR_WAITS)
                return true;
        return processor->desk->was_ready && lane_is_idle(processor->desk->lane) &&
               lane_stored_seq(processor->desk->lane) >= journal_last_seq(processor->desk->journal);
}

static int processor_timeout_ms(const Processor *processor) {
        int64_t now_us = clock_mono_us();
        int64_t wait_us = PROCESSOR_IDLE_MS * INT64_C(1000);
        int64_t until_us = wait_us;
        bool stands_by = atomic_load(&processor->standing) == PROCESSOR_WAITS;

        if (!stands_by && database_pause_us(processor->desk->database) >= 0)
                until_us = database_pause_us(processor->desk->database);
        else if (!stands_by && storing_age_us(processor->desk) > 0 && !processor->desk->stall.is_on)
                until_us = processor->desk->options.stall_ms * INT64_C(1000) -
                           storing_age_us(processor->desk);
        else if (!stands_by && storing_delay_us(processor->desk) > 0)
                until_us = storing_delay_us(processor->desk);
        if (processor->stop_at_us != 0 && processor->stop_at_us - now_us < until_us)
                until_us = processor->stop_at_us - now_us;
        if (until_us < wait_us)
                wait_us = until_us;
        return wait_us > 0 ? (int)((wait_us + 999) / 1000) : 0;
}

/* The descriptor that says when there is more to read; -1: there is already; -2: no matter. */
static int processor_journal_fd(Processor *processor) {
        if (processor_goes_ahead(processor))
                return journal_poll_fd(processor->desk->journal,
                                       showing_seq(processor->desk->showing));
        if (!database_is_ready(processor->desk->database) ||
            storing_delay_us(processor->desk) > 0 || database_is_lent(processor->desk->database) ||
            known_age_us(processor->desk->known) > 0)
                return -2;
        if (lane_is_idle(processor->desk->lane) || lane_has_room(processor->desk->lane))
                return journal_poll_fd(processor->desk->journal,
                                       lane_loaded_seq(processor->desk->lane));
        return -2;
}

static void processor_wait(Processor *processor) {
        int journal_fd = processor_journal_fd(processor);
        struct pollfd fds[] = {
                { .fd = processor->desk->wake_fd, .events = POLLIN },
                { .fd = journal_fd, .events = POLLIN },
                { .fd = -1 },
        };

        if (journal_fd == -1)
                return;
        if (database_is_ready(processor->desk->database) &&
            lane_loaded_seq(processor->desk->lane) < showing_seq(processor->desk->showing) &&
            storing_age_us(processor->desk) == 0)
                return; /* there is catching up to do */
        database_wants(processor->desk->database, &fds[2]);
        watch_turn();
        (void)poll(fds,
                   N_ELEMENTS(fds),
                   processor->is_walking ? 0 : processor_timeout_ms(processor));
}

static int processor_connect(Processor *processor) {
        int standing = atomic_load(&processor->standing);

        return opening_turn(&processor->opening, processor->desk, (ProcessorStanding)standing);
}

static int processor_store(Processor *processor) {
        int r = storing_turn(processor->desk, processor->stop_at_us != 0);

        return opening_settle(&processor->opening, processor->desk, r);
}

static int processor_run(Processor *processor) {
        int r = 0;

        while (r == 0 && !processor_is_done(processor)) {
                r = processor_take_orders(processor);
                if (r == 0)
                        r = processor_follow(processor);
                if (r == 0)
                        r = opening_take_errand(&processor->opening, processor->desk);
                if (r == 0)
                        r = processor_connect(processor);
                if (r == 0)
                        r = processor_store(processor);
                stall_note(&processor->desk->stall,
                           storing_age_us(processor->desk),
                           processor->desk->options.stall_ms * INT64_C(1000));
                if (r == 0)
                        r = processor_show_ahead(processor);
                if (r != 0)
                        break;
                processor_report(processor);
                processor_wait(processor);
        }
        return r == 0 ? 0 : err_up(r);
}

static void *processor_main(void *arg) {
        Processor *processor = arg;
        int r;

        watch_enter("processor");
        (void)metrics_enter(processor->place);
        r = processor_run(processor);
        watch_leave();
        atomic_store(&processor->result, r);
        log_info("processor_ended stored=%llu journal=%llu",
                 (unsigned long long)lane_stored_seq(processor->desk->lane),
                 (unsigned long long)journal_last_seq(processor->desk->journal));
        if (processor->desk->options.ended)
                processor->desk->options.ended(processor->desk->options.ended_arg);
        else
                queue_close(processor->queue); /* done or broken: the loop sees it */
        return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

int processor_new(Processor **ret_processor,
                  const ProcessorOptions *options,
                  Journal *journal,
                  Routes *routes,
                  Queue *outbox) {
        CLEANUP(processor_free) Processor *processor = NULL;
        int r;

        processor = calloc(1, sizeof(*processor));
        if (!processor)
                return err_new(-ENOMEM);
        processor->queue = outbox;
        processor->place = metrics_place();
        r = desk_new(&processor->desk, options, journal, routes, outbox);
        if (r != 0)
                return err_up(r);
        journal_begin_writer(journal, options->holder.instance);

        r = pthread_create(&processor->thread, NULL, processor_main, processor);
        if (r != 0)
                return err_new(-r);
        processor->has_thread = true;
        *ret_processor = TAKE(&processor);
        return 0;
}

void processor_stop(Processor *processor, int grace_ms) {
        int64_t at_us = clock_mono_us() + (int64_t)grace_ms * 1000;

        atomic_store(&processor->stop_at_us, at_us > 0 ? at_us : 1);
        desk_wake(processor->desk);
}

void processor_set_standing(Processor *processor, ProcessorStanding standing) {
        if (atomic_exchange(&processor->standing, (int)standing) != (int)standing)
                desk_wake(processor->desk);
}

void processor_may_follow(Processor *processor) {
        atomic_store(&processor->may_follow, true);
        desk_wake(processor->desk);
}

void processor_set_routes(Processor *processor, Routes *routes) {
        routes_unref(atomic_exchange(&processor->new_routes, routes_ref(routes)));
        desk_wake(processor->desk);
}

bool processor_has_stored(const Processor *processor, uint64_t seq) {
        return atomic_load(&processor->stored_seq) >= seq;
}

int processor_result(const Processor *processor) {
        return atomic_load(&processor->result);
}

Processor *processor_free(Processor *processor) {
        if (!processor)
                return NULL;
        if (processor->has_thread) {
                if (atomic_load(&processor->stop_at_us) == 0)
                        processor_stop(processor, 0);
                MUST(pthread_join(processor->thread, NULL));
        }
        desk_free(processor->desk);
        routes_unref(atomic_load(&processor->new_routes));
        free(processor);
        return NULL;
}
