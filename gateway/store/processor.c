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
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/judge.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/lateness.h"
#include "gateway/store/outbox.h"
#include "gateway/store/position.h"
#include "gateway/store/sensors.h"
#include "gateway/store/showing.h"
#include "gateway/store/stored.h"
#include "gateway/store/storing.h"
#include "model/metrics.h"

#define PROCESSOR_IDLE_MS    1000 /* the longest sleep */
#define PROCESSOR_STANDBY_MS 100  /* until it is clear whose the slot is */

/* Between "connected" and "ready". */
typedef enum ProcessorOpening {
        OPENING_NOT,
        OPENING_WAITS, /* for the registry, without which nothing can be understood */
        OPENING_READS, /* the clerk */
        OPENING_KNOWS, /* all has been read, but perhaps the registry anew */
} ProcessorOpening;

struct Processor {
        Queue *queue; /* borrowed: the outbox, to close it */
        pthread_t thread;
        bool has_thread;
        _Atomic int64_t stop_at_us; /* monotonic; 0 = not stopping */
        _Atomic(Routes *) new_routes;
        _Atomic int standing; /* ProcessorStanding */
        _Atomic int result;

        /* All below belongs to the thread. */
        Desk *desk;
        ProcessorOpening opening;
        uint64_t position; /* of the database, as it said when it was opened */
        uint64_t floor;    /* of all that store in turn with us, likewise */
        bool is_walking;   /* the books are not as far as the store */
};

/* ---- showing ------------------------------------------------------------------------------ */

/* While the store lags, live does not wait for it. */
static int processor_show_ahead(Processor *processor) {
        BatchContext context;
        int r;

        if (!processor->desk->was_ready || !storing_lags(processor->desk))
                return 0;
        context = desk_context(processor->desk, false);
        r = showing_go_ahead(processor->desk->showing, processor->desk->lane, &context);
        return r == 0 ? 0 : err_up(r);
}

/* ---- the database: connection ------------------------------------------------------------- */

static void processor_rest(Processor *processor, int pause_ms) {
        database_rest(processor->desk->database, pause_ms);
        if (!database_is_lent(processor->desk->database))
                processor->opening = OPENING_NOT;
        stall_give_up(&processor->desk->stall);
}

/* What db/ answered: 0 goes on, an outage is noted (and is 0, too), all else is a fault. */
static int processor_settle(Processor *processor, int r) {
        switch (r) {
        case 0:
                return 0;
        case DB_E_OFFLINE:
        case DB_E_REJECTED:
                database_lose(processor->desk->database);
                processor->opening = OPENING_NOT;
                stall_give_up(&processor->desk->stall);
                return 0;
        case DB_E_REFUSED:
                database_refuse(processor->desk->database);
                stall_give_up(&processor->desk->stall);
                return 0;
        case DB_E_STANDBY: /* the lease will know soon */
                processor_rest(processor, PROCESSOR_STANDBY_MS);
                return 0;
        case DB_E_FENCED:
                log_error("journal_position_moved epoch=%s hint=\"another process stores this "
                          "journal, or the database was restored from a copy\"",
                          journal_epoch(processor->desk->journal));
                return err_new(-EBUSY);
        case DB_E_SCHEMA:
                log_error("schema_unknown hint=\"run tidegate migrate with the newest version\"");
                return err_new(-EPROTO);
        default:
                return r < 0 ? err_up(r) : err_new(-EINVAL);
        }
}

/* The first time also what was last known; the order is the viewers'. */
static void processor_show_latest(Processor *processor) {
        for (size_t i = 0; i < clerk_n_latest(processor->desk->clerk); ++i) {
                const Record *record = clerk_latest(processor->desk->clerk, i);
                Record copy = *record;

                if (lateness_note(processor->desk->latest, &copy) == 0)
                        (void)!outbox_show_restored(processor->desk->outbox, record);
        }
        clerk_forget_latest(processor->desk->clerk);
}

static int processor_opened(Processor *processor) {
        bool is_waiting = batch_length(lane_current(processor->desk->lane)) > 0;
        int r;

        processor_show_latest(processor);
        r = clerk_tell_sensors(processor->desk->clerk, processor->desk->sensors);
        if (r != 0)
                return err_up(r);
        r = position_resume(processor->desk, processor->position);
        if (r != 0)
                return r;
        if (!processor->desk->was_ready)
                position_count_recovered(processor->desk);
        processor->opening = OPENING_NOT;
        processor->desk->is_to_restore = false;
        processor->desk->was_ready = true;
        database_set_ready(processor->desk->database);
        /* Where a batch waits, that it is stored is the proof. */
        if (!is_waiting)
                database_prove(processor->desk->database);
        return 0;
}

/* Live goes on meanwhile with what is known, except at the start, when nothing is. */
static int processor_open_on(Processor *processor) {
        int r = 0;

        if (processor->opening == OPENING_WAITS &&
            registry_is_loaded(known_registry(processor->desk->known))) {
                r = position_take(processor->desk, processor->position, processor->floor);
                if (r == 0 && processor->desk->was_ready)
                        r = known_again(
                                processor->desk->known); /* it may have forgotten some of it */
                if (r == 0) {
                        processor->opening = OPENING_READS;
                        clerk_open(processor->desk->clerk,
                                   processor->position,
                                   processor->desk->is_to_restore);
                }
        }
        if (processor->opening == OPENING_KNOWS && !known_is_reloading(processor->desk->known))
                r = processor_opened(processor);
        return r;
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

/* As whom we store. The database does not hear of what the folder does not know. */
static void processor_hold(Processor *processor) {
        JournalWriters *writers = journal_writers(processor->desk->journal);
        DbHolder *holder = &processor->desk->options.holder;

        journal_writers_claim(writers);
        holder->writers = writers->n > 0 ? writers->ids : NULL;
        holder->begins = writers->begins;
        holder->last_seq = journal_last_seq(processor->desk->journal);
}

/* As the database is opened, it may move the position beyond what we have stored, if that is all
 * that we have now: what comes later is not to be taken for stored, and be it by the next process.
 */
static int processor_say_last(Processor *processor, int standing) {
        Desk *desk = processor->desk;

        if (standing != PROCESSOR_STORES || database_is_lent(desk->database) ||
            database_is_ready(desk->database) || database_is_refusing(desk->database))
                return 0;
        if (journal_doubt(desk->journal) != 0)
                return DB_E_OFFLINE;
        processor_hold(processor);
        return 0;
}

static int processor_connect(Processor *processor) {
        int standing = atomic_load(&processor->standing);
        int r;

        if (standing == PROCESSOR_WAITS) {
                processor_rest(processor, 0);
                return 0;
        }
        r = processor_say_last(processor, standing);
        if (r != 0)
                return processor_settle(processor, r);
        r = database_connect(processor->desk->database,
                             standing == PROCESSOR_STORES,
                             &processor->position,
                             &processor->floor);
        if (r == DATABASE_E_OPENED) {
                known_start(processor->desk->known); /* the schema is there */
                processor->opening = OPENING_WAITS;
                r = 0;
        } else if (r == DATABASE_E_AGAIN && !lane_is_idle(processor->desk->lane)) {
                r = lane_again(processor->desk->lane);
        } else if (r == DATABASE_E_AGAIN) {
                r = 0;
        }
        if (r == 0)
                r = processor_open_on(processor);
        return processor_settle(processor, r);
}

/* What the clerk has come back with. */
static int processor_take_errand(Processor *processor) {
        int r = 0;

        switch (clerk_take(processor->desk->clerk, &r)) {
        case CLERK_NONE:
                return 0;
        case CLERK_OPEN:
                if (r == 0)
                        processor->opening = OPENING_KNOWS;
                break;
        case CLERK_LOOK:
                if (r == 0)
                        clerk_mark(processor->desk->clerk, lane_current(processor->desk->lane));
                stall_go_on(&processor->desk->stall);
                break;
        case CLERK_CHECK:
                if (r == 0)
                        r = clerk_tell_sensors(processor->desk->clerk, processor->desk->sensors);
                stall_go_on(&processor->desk->stall);
                break;
        }
        return processor_settle(processor, r);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static int processor_take_orders(Processor *processor) {
        Routes *routes;
        uint64_t count;
        int r;

        (void)!read(processor->desk->wake_fd, &count, sizeof(count));
        routes = atomic_exchange(&processor->new_routes, NULL);
        if (!routes)
                return 0;
        r = desk_change_routes(processor->desk, routes);
        return r == 0 ? 0 : err_up(r);
}

static void processor_report(Processor *processor) {
        const Batch *batch = lane_current(processor->desk->lane);
        int64_t lag_us = 0;

        if (batch_length(batch) > 0)
                lag_us = clock_now_us() - batch_record(batch, 0)->received_us;
        /* What is stored goes in time, also when nothing new comes. */
        if (processor->desk->was_ready && !database_is_lent(processor->desk->database)) {
                processor->is_walking =
                        !books_walk(processor->desk->books, lane_stored_seq(processor->desk->lane));
                journal_commit(processor->desk->journal, books_done_seq(processor->desk->books));
        }
        metric_set(METRIC_DB_LAG_SECONDS, lag_us);
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
        if (processor->desk->was_ready && storing_lags(processor->desk))
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

static int processor_run(Processor *processor) {
        int r = 0;

        while (r == 0 && !processor_is_done(processor)) {
                r = processor_take_orders(processor);
                if (r == 0)
                        r = processor_follow(processor);
                if (r == 0)
                        r = processor_take_errand(processor);
                if (r == 0)
                        r = processor_connect(processor);
                if (r == 0)
                        r = processor_settle(processor,
                                             storing_turn(processor->desk,
                                                          processor->stop_at_us != 0));
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
        r = processor_run(processor);
        watch_leave();
        atomic_store(&processor->result, r);
        log_info("processor_ended stored=%llu journal=%llu",
                 (unsigned long long)lane_stored_seq(processor->desk->lane),
                 (unsigned long long)journal_last_seq(processor->desk->journal));
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

void processor_set_routes(Processor *processor, Routes *routes) {
        routes_unref(atomic_exchange(&processor->new_routes, routes_ref(routes)));
        desk_wake(processor->desk);
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
