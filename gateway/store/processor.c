#include "gateway/store/processor.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/decode/route_note.h"
#include "gateway/journal/journal.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/judge.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/lateness.h"
#include "gateway/store/outbox.h"
#include "gateway/store/sensors.h"
#include "gateway/store/showing.h"
#include "gateway/store/stall.h"
#include "model/metrics.h"

#define PROCESSOR_IDLE_MS    1000              /* the longest sleep */
#define PROCESSOR_STANDBY_MS 100               /* until it is clear whose the slot is */
#define PROCESSOR_FORMER_US  INT64_C(60000000) /* until a filter is taken back, generously */

/* Between "connected" and "ready". */
typedef enum ProcessorOpening {
        OPENING_NOT,
        OPENING_WAITS, /* for the registry, without which nothing can be understood */
        OPENING_READS, /* the clerk */
        OPENING_KNOWS, /* all has been read, but perhaps the registry anew */
} ProcessorOpening;

struct Processor {
        ProcessorOptions options;
        Journal *journal; /* borrowed */
        Queue *queue;     /* borrowed: the outbox, to close it */
        pthread_t thread;
        bool has_thread;
        int wake_fd;                /* eventfd: stop, new routes */
        _Atomic int64_t stop_at_us; /* monotonic; 0 = not stopping */
        _Atomic(Routes *) new_routes;
        _Atomic int standing; /* ProcessorStanding */
        _Atomic int result;

        /* All below belongs to the thread. */
        Routes *routes;
        Former *former;
        Lateness *latest;
        Judge *judge;
        Sensors *sensors;
        Outbox *outbox;
        Showing *showing;
        Database *database;
        Known *known;
        Lane *lane;
        Books *books;
        Clerk *clerk;

        ProcessorOpening opening;
        uint64_t position;  /* of the database, as it said when it was opened */
        uint64_t floor;     /* of all that store in turn with us, likewise */
        bool is_walking;    /* the books are not as far as the store */
        bool is_to_restore; /* what was last known is still to be read */
        bool was_ready;     /* the position is known and the registry is loaded */
        Stall stall;        /* live goes ahead */
};

/* ---- showing ------------------------------------------------------------------------------ */

static bool processor_lags(const Processor *processor) {
        return !database_is_sound(processor->database) || processor->stall.is_on ||
               lane_loaded_seq(processor->lane) < showing_seq(processor->showing);
}

static BatchContext processor_context(Processor *processor, bool is_final) {
        BatchContext context = {
                .journal = processor->journal,
                .routes = processor->routes,
                .former = processor->former,
                .latest = processor->latest,
                .judge = processor->judge,
                .sensors = processor->sensors,
                .is_final = is_final,
        };

        known_fill(processor->known, &context);
        return context;
}

/* While the store lags, live does not wait for it. */
static int processor_show_ahead(Processor *processor) {
        BatchContext context;
        int r;

        if (!processor->was_ready || !processor_lags(processor))
                return 0;
        context = processor_context(processor, false);
        r = showing_go_ahead(processor->showing, processor->lane, &context);
        return r == 0 ? 0 : err_up(r);
}

/* ---- the database: connection ------------------------------------------------------------- */

static void processor_rest(Processor *processor, int pause_ms) {
        database_rest(processor->database, pause_ms);
        if (!database_is_lent(processor->database))
                processor->opening = OPENING_NOT;
        stall_give_up(&processor->stall);
}

/* What db/ answered: 0 goes on, an outage is noted (and is 0, too), all else is a fault. */
static int processor_settle(Processor *processor, int r) {
        switch (r) {
        case 0:
                return 0;
        case DB_E_OFFLINE:
        case DB_E_REJECTED:
                database_lose(processor->database);
                processor->opening = OPENING_NOT;
                stall_give_up(&processor->stall);
                return 0;
        case DB_E_REFUSED:
                database_refuse(processor->database);
                stall_give_up(&processor->stall);
                return 0;
        case DB_E_STANDBY: /* the lease will know soon */
                processor_rest(processor, PROCESSOR_STANDBY_MS);
                return 0;
        case DB_E_FENCED:
                log_error("journal_position_moved epoch=%s hint=\"another process stores this "
                          "journal, or the database was restored from a copy\"",
                          journal_epoch(processor->journal));
                return err_new(-EBUSY);
        case DB_E_SCHEMA:
                log_error("schema_unknown hint=\"run tidegate migrate with the newest version\"");
                return err_new(-EPROTO);
        default:
                return r < 0 ? err_up(r) : err_new(-EINVAL);
        }
}

static void processor_count_details(const Record *record) {
        if (record->reason != REASON_NONE)
                return;
        if (record->late)
                metric_add(METRIC_STATE_LATE, 1);
        if (record->odd_time)
                metric_add(METRIC_ODD_TIMES, 1);
        if (record->unchanged)
                metric_add(METRIC_COMMANDS_UNCHANGED, 1);
        if (record->kind == KIND_BLE_DETECTIONS) {
                metric_add(METRIC_DETECTIONS_COMMITTED, (int64_t)record->detections.n_items);
                metric_add(METRIC_DETECTIONS_SET_ASIDE, (int64_t)record->detections.n_set_aside);
        }
}

/* By what became of it; how many were committed. */
static int processor_count(const Record *record) {
        if (record->duplicate) {
                metric_add(METRIC_DUPLICATE, 1);
                if (record->retained)
                        metric_add(METRIC_RETAINED_IGNORED, 1);
                return 0;
        }
        if (record->reason != REASON_NONE) {
                metric_add_dead_letter(record->reason, 1);
                return 0;
        }
        return 1;
}

/* Also what is stored may be read again, for a database that is older: as long as it is there. */
static uint64_t processor_gone_seq(const Processor *processor) {
        uint64_t stored_seq = lane_stored_seq(processor->lane);
        uint64_t first_seq = journal_first_seq(processor->journal);

        return first_seq > 0 && first_seq <= stored_seq ? first_seq - 1 : stored_seq;
}

/* A range is in the database, whoever told us: count it, show it, and only then, and only here, let
 * it go. */
static int processor_on_committed(Processor *processor, const CommitRange *range) {
        const Batch *batch = lane_current(processor->lane);
        int64_t now_us = clock_now_us();
        int64_t n_good = 0;
        int r;

        for (size_t i = range->from; i < range->to; ++i) {
                const Record *record = batch_record(batch, i);

                n_good += processor_count(record);
                processor_count_details(record);
                histogram_observe(HISTOGRAM_COMMIT, (double)(now_us - record->received_us) / 1e6);
        }
        database_prove(processor->database);
        metric_add(METRIC_COMMITTED, n_good);
        metric_add(METRIC_IN_JOURNAL, -(int64_t)(range->to - range->from));

        r = showing_stored(processor->showing, batch, range);
        if (r != 0)
                return err_up(r);
        if (lane_stored(processor->lane, range)) {
                stall_go_on(&processor->stall);
                journal_note_stored(processor->journal, lane_stored_seq(processor->lane));
                former_forget(processor->former, processor_gone_seq(processor), now_us);
        }
        /* Of each range: what follows it may be lost, and this be stored again, but not shown. */
        r = showing_settle(processor->showing, lane_stored_seq(processor->lane));
        return r == 0 ? 0 : err_up(r);
}

/* Everything that a journal of which nothing is stored yet has or will have comes after this. */
static uint64_t processor_begin_seq(Journal *journal) {
        uint64_t first = journal_first_seq(journal);

        return first > 0 ? first - 1 : journal_begin_seq(journal);
}

/*
 * The position is beyond what we stored, and not by what was under way: somebody else has been
 * there. What waits has numbers above it from here on, and is read again.
 */
static int processor_move_on(Processor *processor, uint64_t position) {
        uint64_t stored_seq = lane_stored_seq(processor->lane);
        uint64_t by;

        if (journal_confirm(processor->journal, stored_seq, position, &by) != 0)
                return DB_E_OFFLINE;
        log_error("journal_position_moved epoch=%s stored=%llu position=%llu hint=\"another "
                  "process "
                  "stores this journal, or the database is another one; what waited is stored "
                  "behind it\"",
                  journal_epoch(processor->journal),
                  (unsigned long long)stored_seq,
                  (unsigned long long)position);
        showing_move(processor->showing, stored_seq, position, by);
        lane_restart(processor->lane, position);
        return 0;
}

/* Records of (after_seq, last_seq]. */
static uint64_t processor_count_between(Processor *processor,
                                        uint64_t after_seq,
                                        uint64_t last_seq) {
        uint64_t n = 0;

        while (after_seq < last_seq)
                n += journal_count_some(processor->journal, &after_seq, last_seq, SIZE_MAX);
        return n;
}

/* Restored, failed over to a standby that lagged, or a commit that a crash of the server lost. */
static void processor_note_older(uint64_t position, uint64_t stored_seq, uint64_t n) {
        metric_add(METRIC_DB_OLDER, 1);
        log_warning("database_older position=%llu stored=%llu to_store_again=%llu",
                    (unsigned long long)position,
                    (unsigned long long)stored_seq,
                    (unsigned long long)n);
}

/* All that was stored behind @position is stored again, and not shown again; what the memory knows
 * of devices and vehicles is what that database knows. */
static int processor_go_back(Processor *processor, uint64_t position) {
        uint64_t stored_seq = lane_stored_seq(processor->lane);
        uint64_t n = processor_count_between(processor, position, stored_seq);
        int r;

        processor_note_older(position, stored_seq, n);
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        books_close(processor->books);
        lane_restart(processor->lane, position);
        journal_rewind(processor->journal, position);
        processor->latest = lateness_free(processor->latest);
        r = lateness_new(&processor->latest);
        if (r != 0)
                return err_up(r);
        registry_forget_states(known_registry(processor->known));
        processor->is_to_restore = true;
        r = known_reload(processor->known);
        return r == 0 ? 0 : err_up(r);
}

/*
 * A copy of the journal's folder, with the same epoch, has stored meanwhile: its position says
 * nothing of what only this one has, which gets numbers above it. Once that is noted, and before
 * anything is stored, the folder knows of no other start than this.
 */
static int processor_settle_fork(Processor *processor) {
        uint64_t forked_seq = db_store_forked_seq(database_store(processor->database));
        uint64_t by;

        if (forked_seq > 0 && journal_last_seq(processor->journal) > forked_seq &&
            journal_confirm(processor->journal, forked_seq, processor->floor, &by) != 0)
                return DB_E_OFFLINE;
        if (forked_seq > 0)
                log_error("journal_forked epoch=%s after=%llu position=%llu hint=\"a copy of this "
                          "journal's folder has stored into this database; what only this one has "
                          "is stored behind it. Give the copy a journal of its own\"",
                          journal_epoch(processor->journal),
                          (unsigned long long)forked_seq,
                          (unsigned long long)processor->floor);
        return journal_writers_settle(journal_writers(processor->journal)) ? 0 : DB_E_OFFLINE;
}

/* The database says how far we got: behind a crash or a cut, only it knows. New numbers are above
 * those of whoever stored before us: there is one line of them. */
static int processor_take_position(Processor *processor, uint64_t position) {
        uint64_t noted_seq, by;
        int r;

        if (processor->was_ready)
                return position < lane_stored_seq(processor->lane)
                               ? processor_go_back(processor, position)
                               : 0;

        if (journal_confirm(processor->journal, 0, processor->floor, &by) != 0)
                return DB_E_OFFLINE; /* nothing may be stored yet: ask again */
        r = processor_settle_fork(processor);
        if (r != 0)
                return r;
        lane_start(processor->lane, position);
        noted_seq = journal_noted_seq(processor->journal);
        position = noted_seq > processor->floor ? noted_seq : processor->floor;
        showing_begin(processor->showing, position);
        return outbox_show_position(processor->outbox,
                                    position > 0 ? position
                                                 : processor_begin_seq(processor->journal),
                                    journal_last_seq(processor->journal));
}

/* What an earlier run has left to store. Once, when all that is read at the start has been: each
 * attempt before may have found another position, or the same again. */
static void processor_count_recovered(Processor *processor) {
        uint64_t position = lane_stored_seq(processor->lane);
        uint64_t recovered_seq = journal_recovered_seq(processor->journal);
        uint64_t noted_seq = journal_noted_seq(processor->journal);
        uint64_t n = 0;

        if (noted_seq > position)
                processor_note_older(position,
                                     noted_seq,
                                     processor_count_between(processor, position, noted_seq));
        if (recovered_seq > position)
                n = journal_count_after(processor->journal, position) -
                    journal_count_after(processor->journal, recovered_seq);
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        log_info("journal_position seq=%llu to_store=%llu",
                 (unsigned long long)position,
                 (unsigned long long)n);
}

/* The last word to the connection: what was under way when it was lost goes out again. Unless some
 * of it got in, it is read anew: a server that crashed may have forgotten a device that it had
 * registered for it, and have given its id to another. */
static int processor_resume(Processor *processor, uint64_t position) {
        CommitRange range;
        int r;

        if (position == lane_stored_seq(processor->lane)) {
                lane_restart(processor->lane, position);
                return 0;
        }
        r = lane_resume(processor->lane, position, &range);
        if (r == DB_E_FENCED && position > lane_stored_seq(processor->lane))
                return processor_move_on(processor, position);
        if (range.to > range.from && processor_on_committed(processor, &range) != 0)
                return err_new(-ENOMEM);
        return r;
}

/* The first time also what was last known; the order is the viewers'. */
static void processor_show_latest(Processor *processor) {
        for (size_t i = 0; i < clerk_n_latest(processor->clerk); ++i) {
                const Record *record = clerk_latest(processor->clerk, i);
                Record copy = *record;

                if (lateness_note(processor->latest, &copy) == 0)
                        (void)!outbox_show_restored(processor->outbox, record);
        }
        clerk_forget_latest(processor->clerk);
}

static int processor_opened(Processor *processor) {
        bool is_waiting = batch_length(lane_current(processor->lane)) > 0;
        int r;

        processor_show_latest(processor);
        r = clerk_tell_sensors(processor->clerk, processor->sensors);
        if (r != 0)
                return err_up(r);
        r = processor_resume(processor, processor->position);
        if (r != 0)
                return r;
        if (!processor->was_ready)
                processor_count_recovered(processor);
        processor->opening = OPENING_NOT;
        processor->is_to_restore = false;
        processor->was_ready = true;
        database_set_ready(processor->database);
        /* Where a batch waits, that it is stored is the proof. */
        if (!is_waiting)
                database_prove(processor->database);
        return 0;
}

/* Live goes on meanwhile with what is known, except at the start, when nothing is. */
static int processor_open_on(Processor *processor) {
        int r = 0;

        if (processor->opening == OPENING_WAITS &&
            registry_is_loaded(known_registry(processor->known))) {
                r = processor_take_position(processor, processor->position);
                if (r == 0 && processor->was_ready)
                        r = known_again(processor->known); /* it may have forgotten some of it */
                if (r == 0) {
                        processor->opening = OPENING_READS;
                        clerk_open(processor->clerk, processor->position, processor->is_to_restore);
                }
        }
        if (processor->opening == OPENING_KNOWS && !known_is_reloading(processor->known))
                r = processor_opened(processor);
        return r;
}

/* What the registry and the answers about it have come to be. */
static int processor_follow(Processor *processor) {
        bool is_answered;
        int r;

        r = known_follow(processor->known, &is_answered);
        if (is_answered)
                stall_go_on(&processor->stall);
        return r == 0 ? 0 : err_up(r);
}

/* As whom we store. The database does not hear of what the folder does not know. */
static void processor_hold(Processor *processor) {
        JournalWriters *writers = journal_writers(processor->journal);
        DbHolder *holder = &processor->options.holder;

        journal_writers_claim(writers);
        holder->writers = writers->n > 0 ? writers->ids : NULL;
        holder->begins = writers->begins;
        holder->last_seq = journal_last_seq(processor->journal);
}

static int processor_connect(Processor *processor) {
        int standing = atomic_load(&processor->standing);
        int r;

        if (standing == PROCESSOR_WAITS) {
                processor_rest(processor, 0);
                return 0;
        }
        if (standing == PROCESSOR_STORES && !database_is_lent(processor->database))
                processor_hold(processor);
        r = database_connect(processor->database,
                             standing == PROCESSOR_STORES,
                             &processor->position,
                             &processor->floor);
        if (r == DATABASE_E_OPENED) {
                known_start(processor->known); /* the schema is there */
                processor->opening = OPENING_WAITS;
                r = 0;
        } else if (r == DATABASE_E_AGAIN && !lane_is_idle(processor->lane)) {
                r = lane_again(processor->lane);
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

        switch (clerk_take(processor->clerk, &r)) {
        case CLERK_NONE:
                return 0;
        case CLERK_OPEN:
                if (r == 0)
                        processor->opening = OPENING_KNOWS;
                break;
        case CLERK_LOOK:
                if (r == 0)
                        clerk_mark(processor->clerk, lane_current(processor->lane));
                stall_go_on(&processor->stall);
                break;
        case CLERK_CHECK:
                if (r == 0)
                        r = clerk_tell_sensors(processor->clerk, processor->sensors);
                stall_go_on(&processor->stall);
                break;
        }
        return processor_settle(processor, r);
}

/* ---- the database: storing ---------------------------------------------------------------- */

/* Records that came after this time may wait for more; nothing waits at the end. */
static int64_t processor_young_us(const Processor *processor) {
        if (processor->options.max_delay_ms == 0 || processor->stop_at_us != 0)
                return INT64_MAX;
        return clock_now_us() - processor->options.max_delay_ms * INT64_C(1000);
}

static int processor_load(Processor *processor) {
        bool catches_up = lane_loaded_seq(processor->lane) < showing_seq(processor->showing);
        BatchContext context = processor_context(processor, true);
        BatchSpan span = {
                .until_seq = catches_up ? showing_seq(processor->showing) : UINT64_MAX,
                .n_max = processor->options.max_batch,
                .young_us = processor_young_us(processor),
        };
        int r;

        r = lane_load(processor->lane, &context, &span);
        return r == 0 ? 0 : err_up(r);
}

/* Takes what the transaction under way has come to. */
static int processor_poll_commit(Processor *processor) {
        CommitRange range;
        int r = 0;

        while (r == 0 && !lane_is_idle(processor->lane)) {
                r = lane_poll(processor->lane, &range);
                if (r == 0)
                        r = processor_on_committed(processor, &range);
        }
        if (r != DB_E_BUSY)
                return r;

        if (lane_age_us(processor->lane) > processor->options.timeout_ms * INT64_C(1000))
                return DB_E_OFFLINE;
        return DB_E_BUSY;
}

/* For how long the store has been waiting for the database, whichever way. */
static int64_t processor_age_us(const Processor *processor) {
        if (!database_is_ready(processor->database))
                return 0;
        if (database_is_lent(processor->database))
                return clerk_age_us(processor->clerk);
        if (!lane_is_idle(processor->lane))
                return lane_age_us(processor->lane);
        return known_age_us(processor->known);
}

/* Sends the clerk off, if there is something to do for him first. */
static bool processor_has_errand(Processor *processor) {
        const Batch *batch = lane_current(processor->lane);

        if (books_is_due(processor->books, lane_stored_seq(processor->lane)))
                clerk_check(processor->clerk, lane_stored_seq(processor->lane), processor->sensors);
        else if (batch_length(batch) > 0 && clerk_has_to_look(processor->clerk, batch))
                clerk_look(processor->clerk, batch);
        else
                return false;
        return true;
}

/* Nothing is under way: begin the next transaction, if nothing has to be known before. */
static int processor_begin_commit(Processor *processor) {
        const Batch *batch = lane_current(processor->lane);
        int r;

        if (known_age_us(processor->known) > 0 || processor_has_errand(processor))
                return 0;
        if (batch_length(batch) == 0) {
                r = processor_load(processor);
                if (r != 0)
                        return err_up(r);
                if (batch_length(batch) == 0 && (batch_wants(batch) == BATCH_WANTS_NOTHING ||
                                                 batch_wants(batch) == BATCH_WANTS_TIME))
                        return 0;
                if (batch_length(batch) == 0)
                        return known_ask(processor->known, batch);
                if (processor_has_errand(processor))
                        return 0;
        }
        return lane_begin(processor->lane, known_registry(processor->known));
}

static int processor_store(Processor *processor) {
        int r;

        if (!database_is_ready(processor->database) || database_is_lent(processor->database))
                return 0;

        r = processor_poll_commit(processor);
        if (r == 0)
                r = db_conn_hear(database_conn(processor->database));
        if (r == 0)
                r = processor_begin_commit(processor);
        else if (r == DB_E_BUSY)
                r = 0;
        else if (r == DB_E_FENCED) /* our own lost transaction, perhaps: the position will tell */
                r = DB_E_OFFLINE;
        /* While PostgreSQL works on one batch we decode the next. */
        if (r == 0 && !lane_is_idle(processor->lane) && lane_has_room(processor->lane))
                r = processor_load(processor);
        return processor_settle(processor, r);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static int processor_take_orders(Processor *processor) {
        Routes *routes;
        uint64_t count;
        int r;

        (void)!read(processor->wake_fd, &count, sizeof(count));
        routes = atomic_exchange(&processor->new_routes, NULL);
        if (!routes)
                return 0;
        r = former_add(processor->former,
                       processor->routes,
                       journal_last_seq(processor->journal),
                       clock_now_us() + PROCESSOR_FORMER_US);
        routes_unref(processor->routes);
        processor->routes = routes;
        if (r == 0 && processor->options.routes_file)
                route_note_save(processor->options.routes_file, processor->former, routes);
        return r == 0 ? 0 : err_up(r);
}

static void processor_report(Processor *processor) {
        const Batch *batch = lane_current(processor->lane);
        int64_t lag_us = 0;

        if (batch_length(batch) > 0)
                lag_us = clock_now_us() - batch_record(batch, 0)->received_us;
        /* What is stored goes in time, also when nothing new comes. */
        if (processor->was_ready && !database_is_lent(processor->database)) {
                processor->is_walking =
                        !books_walk(processor->books, lane_stored_seq(processor->lane));
                journal_commit(processor->journal, books_done_seq(processor->books));
        }
        metric_set(METRIC_DB_LAG_SECONDS, lag_us);
        metric_set(METRIC_SENSORS, (int64_t)sensors_length(processor->sensors));
        metric_set(METRIC_OUTBOX_LENGTH, (int64_t)queue_length(processor->queue));
}

static bool processor_is_done(const Processor *processor) {
        if (processor->stop_at_us == 0)
                return false;
        if (clock_mono_us() >= processor->stop_at_us ||
            atomic_load(&processor->standing) == PROCESSOR_WAITS)
                return true;
        return processor->was_ready && lane_is_idle(processor->lane) &&
               lane_stored_seq(processor->lane) >= journal_last_seq(processor->journal);
}

/* How long a small batch still waits for more (database.max_delay); 0 = not at all. */
static int64_t processor_delay_us(const Processor *processor) {
        const Batch *batch = lane_current(processor->lane);

        if (batch_wants(batch) != BATCH_WANTS_TIME)
                return 0;
        return batch_wanting(batch)->received_us + processor->options.max_delay_ms * INT64_C(1000) -
               clock_now_us();
}

static int processor_timeout_ms(const Processor *processor) {
        int64_t now_us = clock_mono_us();
        int64_t wait_us = PROCESSOR_IDLE_MS * INT64_C(1000);
        int64_t until_us = wait_us;
        bool stands_by = atomic_load(&processor->standing) == PROCESSOR_WAITS;

        if (!stands_by && database_pause_us(processor->database) >= 0)
                until_us = database_pause_us(processor->database);
        else if (!stands_by && processor_age_us(processor) > 0 && !processor->stall.is_on)
                until_us =
                        processor->options.stall_ms * INT64_C(1000) - processor_age_us(processor);
        else if (!stands_by && processor_delay_us(processor) > 0)
                until_us = processor_delay_us(processor);
        if (processor->stop_at_us != 0 && processor->stop_at_us - now_us < until_us)
                until_us = processor->stop_at_us - now_us;
        if (until_us < wait_us)
                wait_us = until_us;
        return wait_us > 0 ? (int)((wait_us + 999) / 1000) : 0;
}

/* The descriptor that says when there is more to read; -1: there is already; -2: no matter. */
static int processor_journal_fd(Processor *processor) {
        if (processor->was_ready && processor_lags(processor))
                return journal_poll_fd(processor->journal, showing_seq(processor->showing));
        if (!database_is_ready(processor->database) || processor_delay_us(processor) > 0 ||
            database_is_lent(processor->database) || known_age_us(processor->known) > 0)
                return -2;
        if (lane_is_idle(processor->lane) || lane_has_room(processor->lane))
                return journal_poll_fd(processor->journal, lane_loaded_seq(processor->lane));
        return -2;
}

static void processor_wait(Processor *processor) {
        int journal_fd = processor_journal_fd(processor);
        struct pollfd fds[] = {
                { .fd = processor->wake_fd, .events = POLLIN },
                { .fd = journal_fd, .events = POLLIN },
                { .fd = -1 },
        };

        if (journal_fd == -1)
                return;
        if (database_is_ready(processor->database) &&
            lane_loaded_seq(processor->lane) < showing_seq(processor->showing) &&
            processor_age_us(processor) == 0)
                return; /* there is catching up to do */
        database_wants(processor->database, &fds[2]);
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
                        r = processor_store(processor);
                stall_note(&processor->stall,
                           processor_age_us(processor),
                           processor->options.stall_ms * INT64_C(1000));
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
                 (unsigned long long)lane_stored_seq(processor->lane),
                 (unsigned long long)journal_last_seq(processor->journal));
        queue_close(processor->queue); /* done or broken: the loop sees it */
        return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

static void processor_wake(Processor *processor) {
        uint64_t one = 1;

        (void)!write(processor->wake_fd, &one, sizeof(one));
}

static void processor_on_news(void *arg) {
        processor_wake(arg);
}

/* What is in the journal, or on its way from the broker, was accepted under these. */
static int processor_load_routes(Processor *processor) {
        const char *path = processor->options.routes_file;
        int r;

        r = route_note_load(path,
                            processor->former,
                            processor->routes,
                            journal_first_seq(processor->journal),
                            journal_last_seq(processor->journal),
                            clock_now_us() + PROCESSOR_FORMER_US);
        if (r != 0)
                return err_up(r);
        if (former_length(processor->former) > 0)
                log_info("routes_changed tables=%zu hint=\"what was accepted before is read by the "
                         "routes of then\"",
                         former_length(processor->former));
        route_note_save(path, processor->former, processor->routes);
        return 0;
}

static int processor_init(Processor *processor) {
        int r;

        processor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (processor->wake_fd < 0)
                return err_new(-errno);
        r = lateness_new(&processor->latest);
        if (r == 0)
                r = judge_new(&processor->judge);
        if (r == 0)
                r = sensors_new(&processor->sensors, (size_t)processor->options.max_sensors);
        if (r == 0)
                r = former_new(&processor->former);
        if (r == 0 && processor->options.routes_file)
                r = processor_load_routes(processor);
        if (r == 0)
                r = outbox_new(&processor->outbox,
                               processor->queue,
                               processor->options.outbox_wait_ms);
        if (r == 0)
                r = showing_new(&processor->showing, processor->outbox, processor->judge);
        if (r == 0)
                r = database_new(&processor->database,
                                 processor->options.database_url,
                                 journal_epoch(processor->journal),
                                 &processor->options.holder,
                                 processor->options.migrate);
        if (r == 0)
                r = books_new(&processor->books,
                              processor->journal,
                              database_conn(processor->database),
                              processor->options.check_ms);
        if (r == 0)
                r = clerk_new(&processor->clerk,
                              processor->database,
                              processor->books,
                              journal_epoch(processor->journal));
        if (r == 0)
                r = known_new(&processor->known,
                              &(KnownOptions){ .database_url = processor->options.database_url,
                                               .heartbeat_ms = processor->options.heartbeat_ms,
                                               .new_per_minute = processor->options.new_per_minute,
                                               .max_devices = processor->options.max_devices,
                                               .user_share = processor->options.user_share,
                                               .outbox = processor->outbox,
                                               .database = processor->database,
                                               .wake = processor_on_news,
                                               .wake_arg = processor });
        if (r == 0)
                r = lane_new(&processor->lane,
                             database_conn(processor->database),
                             database_store(processor->database),
                             processor->options.max_batch);
        return r == 0 ? 0 : err_up(r);
}

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
        processor->options = *options;
        processor->journal = journal;
        processor->routes = routes_ref(routes);
        processor->queue = outbox;
        processor->wake_fd = -1;
        processor->is_to_restore = true;
        r = processor_init(processor);
        if (r != 0)
                return err_up(r);
        db_store_limit_people(database_store(processor->database), options->max_people);
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
        processor_wake(processor);
}

void processor_set_standing(Processor *processor, ProcessorStanding standing) {
        if (atomic_exchange(&processor->standing, (int)standing) != (int)standing)
                processor_wake(processor);
}

void processor_set_routes(Processor *processor, Routes *routes) {
        routes_unref(atomic_exchange(&processor->new_routes, routes_ref(routes)));
        processor_wake(processor);
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
        known_free(processor->known);
        showing_free(processor->showing);
        lane_free(processor->lane);
        database_free(processor->database); /* first what is out */
        clerk_free(processor->clerk);
        books_free(processor->books);
        outbox_free(processor->outbox);
        lateness_free(processor->latest);
        judge_free(processor->judge);
        sensors_free(processor->sensors);
        former_free(processor->former);
        routes_unref(processor->routes);
        routes_unref(atomic_load(&processor->new_routes));
        if (processor->wake_fd >= 0)
                close(processor->wake_fd);
        free(processor);
        return NULL;
}
