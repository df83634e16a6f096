#include "gateway/store/processor.h"

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
#include "gateway/store/waiting.h"
#include "model/metrics.h"

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

static int processor_show_ahead(Processor *processor) {
        BatchContext context;
        int r;

        if (!storing_is_passed(processor->desk))
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

static void processor_wait(Processor *processor) {
        const Waiting waiting = {
                .stands_by = atomic_load(&processor->standing) == PROCESSOR_WAITS,
                .has_more = processor->is_walking,
                .stop_at_us = processor->stop_at_us,
        };

        waiting_turn(&waiting, processor->desk);
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
