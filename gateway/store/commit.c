#include "gateway/store/commit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "base/log.h"
#include "gateway/memory/debts.h"
#include "gateway/store/batch.h"
#include "model/metrics.h"

#define COMMIT_DEPTH   64 /* halving any batch that fits in memory needs fewer */
#define COMMIT_TRIALS  3  /* of a row that is refused in earnest and taken on trial: an outage */
#define COMMIT_DEBTS   4096
#define COMMIT_DEBT_US (60 * INT64_C(1000000)) /* until a state that was refused comes again */
#define COMMIT_REFUSED 16 /* one by one and none taken: then so are the others */

struct Commit {
        DbConn *conn;             /* borrowed */
        DbStore *store;           /* borrowed */
        const Batch *batch;       /* borrowed; NULL when idle */
        const Registry *registry; /* borrowed */
        int64_t begun_us;         /* monotonic */

        CommitRange todo[COMMIT_DEPTH]; /* the last one is under way, the others follow it */
        size_t n_todo;

        CommitPhase phase;
        RecordSide side; /* what is tried */
        int n_trials;

        int64_t *device_ids; /* scratch, [capacity] */
        DbStateRow *states;  /* of the range under way, [capacity + COMMIT_DEBTS] */
        size_t n_states;
        CommitRange shares[COMMIT_DEPTH]; /* of the states still to be sent; the last under way */
        size_t n_shares;
        size_t n_refused, n_taken; /* states of this range */
        LogPace said;              /* that some are refused */
        LogPace said_side;         /* that something goes without what is beside it */
        LogPace said_letter;       /* that a letter is refused */
        Debts *debts;
        DbBatch rows;     /* the range under way, as the store reads it */
        char detail[320]; /* of the record that is not taken as it is */
};

static const char *const side_tables[RECORD_SIDES] = {
        [RECORD_ROW] = "none",
        [RECORD_NOTES] = "row_notes",
        [RECORD_BIRTH] = "sparkplug_births",
        [RECORD_MERGED] = "merged_telemetry",
        [RECORD_CLOCK] = "vehicle_clocks",
        [RECORD_LETTER] = "dead_letters",
        [RECORD_GOES] = "dead_letters",
        [RECORD_OUTCOME] = "replays",
};

#define NO COMMIT_PHASES

/* As the header has it. */
bool commit_step(CommitPhase *phase, CommitEvent event) {
        static const CommitPhase table[COMMIT_PHASES][COMMIT_EVENTS] = {
                [COMMIT_ALL] = { COMMIT_ALL,
                                 NO,
                                 COMMIT_BARE,
                                 COMMIT_ALL,
                                 COMMIT_TRIAL,
                                 NO,
                                 COMMIT_ALL },
                [COMMIT_BARE] = { COMMIT_ALL,
                                  COMMIT_STATES,
                                  NO,
                                  COMMIT_ALL,
                                  COMMIT_TRIAL,
                                  NO,
                                  COMMIT_BARE },
                [COMMIT_STATES] = { COMMIT_ALL, COMMIT_STATES, NO, NO, NO, NO, COMMIT_STATES },
                [COMMIT_TRIAL] = { COMMIT_ALL, NO, NO, NO, COMMIT_ALL, COMMIT_ALL, COMMIT_ALL },
        };

        if (table[*phase][event] == NO)
                return false;
        *phase = table[*phase][event];
        return true;
}

int commit_new(Commit **ret_commit, DbConn *conn, DbStore *store, size_t capacity) {
        CLEANUP(commit_free) Commit *commit = NULL;
        int r;

        commit = calloc(1, sizeof(*commit));
        if (!commit)
                return err_new(-ENOMEM);
        commit->conn = conn;
        commit->store = store;
        commit->device_ids = calloc(capacity, sizeof(commit->device_ids[0]));
        commit->states = calloc(capacity + COMMIT_DEBTS, sizeof(commit->states[0]));
        if (!commit->device_ids || !commit->states)
                return err_new(-ENOMEM);
        r = debts_new(&commit->debts, COMMIT_DEBTS);
        if (r != 0)
                return err_up(r);
        *ret_commit = TAKE(&commit);
        return 0;
}

Commit *commit_free(Commit *commit) {
        if (!commit)
                return NULL;
        free(commit->device_ids);
        free(commit->states);
        debts_free(commit->debts);
        free(commit);
        return NULL;
}

bool commit_is_idle(const Commit *commit) {
        return !commit->batch;
}

void commit_abandon(Commit *commit) {
        commit->batch = NULL;
        commit->n_todo = 0;
}

int64_t commit_age_us(const Commit *commit) {
        return commit->batch ? clock_mono_us() - commit->begun_us : 0;
}

static CommitRange *commit_top(Commit *commit) {
        assert(commit->n_todo > 0);
        return &commit->todo[commit->n_todo - 1];
}

static uint64_t commit_last_seq(Commit *commit) {
        return batch_record(commit->batch, commit_top(commit)->to - 1)->seq;
}

static void commit_add_state(Commit *commit, int64_t device_id) {
        const Device *device = registry_device(commit->registry, device_id);

        if (device)
                commit->states[commit->n_states++] =
                        (DbStateRow){ .device_id = device->id, .state = device->state };
}

/* The states of the devices that the range touches, and of those that are due again. */
static void commit_fill_states(Commit *commit) {
        CommitRange range = *commit_top(commit);
        int64_t now_us = clock_mono_us();
        size_t n;

        commit->n_states = 0;
        n = batch_devices(commit->batch, range.from, range.to, commit->device_ids);
        for (size_t i = 0; i < n; ++i)
                if (!debts_holds(commit->debts, commit->device_ids[i]))
                        commit_add_state(commit, commit->device_ids[i]);
        for (size_t i = 0; i < debts_length(commit->debts); ++i)
                if (debts_due_us(commit->debts, i) <= now_us)
                        commit_add_state(commit, debts_device(commit->debts, i));
}

/* Sends the range on top, or what its phase leaves of it. */
static int commit_send(Commit *commit) {
        CommitRange range = *commit_top(commit);
        CommitRange share = { 0 };

        if (commit->phase == COMMIT_ALL) {
                commit_fill_states(commit);
                share.to = commit->n_states;
        } else if (commit->phase == COMMIT_STATES) {
                range.from = range.to;
                share = commit->shares[commit->n_shares - 1];
        }
        commit->rows = (DbBatch){
                .records = batch_records(commit->batch) + range.from,
                .n_records = range.to - range.from,
                .states = commit->states + share.from,
                .n_states = share.to - share.from,
                .seq = commit_last_seq(commit),
                .is_trial = commit->phase == COMMIT_TRIAL,
                .side = commit->phase == COMMIT_TRIAL ? commit->side : RECORD_ROW,
        };
        commit->begun_us = clock_mono_us();
        return db_store_begin(commit->store, &commit->rows);
}

int commit_begin(Commit *commit, const Batch *batch, const Registry *registry) {
        assert(commit_is_idle(commit) && batch_length(batch) > 0 && batch_is_final(batch));

        commit->batch = batch;
        commit->registry = registry;
        commit->todo[0] = (CommitRange){ .from = 0, .to = batch_length(batch) };
        commit->n_todo = 1;
        commit->n_shares = 0;
        commit->phase = COMMIT_ALL;
        commit->n_trials = 0;
        return commit_send(commit);
}

static void commit_halve(CommitRange stack[], size_t *n) {
        CommitRange *top = &stack[*n - 1];
        size_t middle = top->from + (top->to - top->from) / 2;
        CommitRange first = { .from = top->from, .to = middle };

        assert(*n < COMMIT_DEPTH);
        top->from = middle;
        stack[(*n)++] = first;
}

/* What PostgreSQL says. */
static Text commit_say(Commit *commit) {
        int n = snprintf(commit->detail,
                         sizeof(commit->detail),
                         "SQLSTATE %s: ",
                         db_conn_sqlstate(commit->conn));

        escape_text(text_of(db_conn_error(commit->conn)),
                    commit->detail + n,
                    sizeof(commit->detail) - (size_t)n);
        return text_of(commit->detail);
}

/* One row that PostgreSQL does not take, where it takes others. */
static void commit_set_aside(Commit *commit) {
        batch_set_aside(commit->batch, commit_top(commit)->from, commit_say(commit));
}

/* Not even its letter is taken. */
static void commit_say_refused(Commit *commit, const Record *record) {
        unsigned long long n_more;

        if (!log_may(&commit->said_letter, &n_more))
                return;
        log_error("letter_refused seq=%llu reason=%s device=%lld vehicle=%lld sqlstate=%s"
                  " error=\"%s\" more=%llu hint=\"it is no row either: the journal keeps the "
                  "message,"
                  " see tidegate journal verify\"",
                  (unsigned long long)record->seq,
                  reason_name(record->reason),
                  (long long)record->device_id,
                  (long long)record->vehicle_id,
                  db_conn_sqlstate(commit->conn),
                  db_conn_error(commit->conn),
                  n_more);
}

/* What goes beside it, likewise: the row goes without. */
static void commit_leave_out(Commit *commit, RecordSide side) {
        Record *record = batch_record(commit->batch, commit_top(commit)->from);
        unsigned long long n_more;

        record->left_out |= 1U << side;
        record->left_out_detail = commit_say(commit);
        if (record_is_refused(record)) {
                commit_say_refused(commit, record);
                return;
        }
        metric_add(METRIC_DB_SIDES_REFUSED, 1);
        if (!log_may(&commit->said_side, &n_more))
                return;
        log_error("beside_row_refused table=%s device=%lld vehicle=%lld sqlstate=%s error=\"%s\" "
                  "more=%llu"
                  " hint=\"the message is stored, without what its table does not take\"",
                  side_tables[side],
                  (long long)record->device_id,
                  (long long)record->vehicle_id,
                  db_conn_sqlstate(commit->conn),
                  db_conn_error(commit->conn),
                  n_more);
}

/* More of the range on top is under way. */
static int commit_send_on(Commit *commit, CommitEvent event) {
        int r;

        if (!commit_step(&commit->phase, event)) {
                log_error("commit_out_of_step phase=%d event=%d hint=\"a bug: please report it\"",
                          (int)commit->phase,
                          (int)event);
                return err_new(-ENOTRECOVERABLE);
        }
        r = commit_send(commit);
        return r == 0 ? DB_E_BUSY : r;
}

/* On trial the row was taken: what was in its way has passed, or it is none of the row's. */
static int commit_passed(Commit *commit) {
        if (++commit->n_trials >= COMMIT_TRIALS)
                return DB_E_REFUSED;
        return commit_send_on(commit, COMMIT_ON_PASSED);
}

/* A letter that is taken in again: that it goes, or what is noted of that. There is no good one to
 * compare it with, and nothing is lost: the letter stays as it is, or who asked is not told. */
static int commit_refused_letter(Commit *commit, RecordSide side) {
        size_t i = commit_top(commit)->from;
        Record *record = batch_record(commit->batch, i);

        if (record_leaves_out(record, side) || (side == RECORD_GOES && record->duplicate))
                return DB_E_REFUSED;
        if (side == RECORD_GOES && batch_fate(commit->batch, i) == BATCH_ROW)
                commit_set_aside(commit);
        commit_leave_out(commit, side);
        return commit_send_on(commit, COMMIT_ON_AGAIN);
}

/* A single record, or what goes beside it. */
static int commit_refused_one(Commit *commit) {
        RecordSide side = db_store_side(commit->store);
        size_t i = commit_top(commit)->from;
        bool is_trial = commit->phase == COMMIT_TRIAL;

        if (side == RECORD_GOES || side == RECORD_OUTCOME)
                return commit_refused_letter(commit, side);
        if (is_trial && side != commit->side)
                return commit_passed(commit); /* what was tried has; something else has not */
        if (side == RECORD_ROW && batch_fate(commit->batch, i) != BATCH_ROW)
                return DB_E_REFUSED; /* even the dead letter made of it, or what has no row */
        if (is_trial && side == RECORD_ROW)
                commit_set_aside(commit);
        else if (is_trial)
                commit_leave_out(commit, side);
        commit->side = side;
        return commit_send_on(commit, COMMIT_ON_ROW);
}

static int commit_refused(Commit *commit) {
        CommitRange range = *commit_top(commit);

        metric_add(METRIC_DB_REJECTED_BATCHES, 1);
        if (range.to - range.from == 1)
                return commit_refused_one(commit);
        commit_halve(commit->todo, &commit->n_todo);
        return commit_send_on(commit, COMMIT_ON_ROWS);
}

/* ---- states ------------------------------------------------------------------------------- */

static void commit_owe(Commit *commit, const CommitRange *share, int64_t due_us) {
        for (size_t i = share->from; i < share->to; ++i)
                (void)debts_owe(commit->debts, commit->states[i].device_id, due_us);
}

/* What is left of them is not offered now. */
static void commit_owe_rest(Commit *commit, int64_t due_us) {
        while (commit->n_shares > 0)
                commit_owe(commit, &commit->shares[--commit->n_shares], due_us);
}

static void commit_refuse_state(Commit *commit, int64_t device_id) {
        unsigned long long n_more;

        metric_add(METRIC_DB_STATES_REFUSED, 1);
        ++commit->n_refused;
        if (!log_may(&commit->said, &n_more))
                return;
        log_error("device_state_refused device=%lld sqlstate=%s error=\"%s\" waiting=%zu more=%llu "
                  "hint=\"messages are stored, the table device_states is behind\"",
                  (long long)device_id,
                  db_conn_sqlstate(commit->conn),
                  db_conn_error(commit->conn),
                  debts_length(commit->debts),
                  n_more);
}

/* The share on top is done with. */
static int commit_next_share(Commit *commit) {
        --commit->n_shares;
        return commit->n_shares > 0 ? commit_send_on(commit, COMMIT_ON_WAITS) : 0;
}

/* One of them, or all: first the rows without, then the states by halves. */
static int commit_refused_states(Commit *commit) {
        int64_t due_us = clock_mono_us() + COMMIT_DEBT_US;
        CommitRange share;

        metric_add(METRIC_DB_REJECTED_BATCHES, 1);
        if (commit->phase != COMMIT_STATES)
                return commit_send_on(commit, COMMIT_ON_STATE);
        share = commit->shares[commit->n_shares - 1];
        if (share.to - share.from > 1) {
                commit_halve(commit->shares, &commit->n_shares);
                return commit_send_on(commit, COMMIT_ON_WAITS);
        }
        commit_refuse_state(commit, commit->states[share.from].device_id);
        commit_owe(commit, &share, due_us);
        if (commit->n_refused >= COMMIT_REFUSED && commit->n_taken == 0)
                commit_owe_rest(commit, due_us); /* the table takes none */
        return commit->n_shares > 0 ? commit_next_share(commit) : 0;
}

/* What was sent is stored: rows and states, or rows without, or some of the states. */
static int commit_stored(Commit *commit) {
        for (size_t i = 0; i < commit->rows.n_states; ++i)
                debts_pay(commit->debts, commit->rows.states[i].device_id);

        if (commit->phase == COMMIT_STATES) {
                commit->n_taken += commit->rows.n_states;
                return commit_next_share(commit);
        }
        if (commit->phase != COMMIT_BARE || commit->n_states == 0)
                return 0;
        commit->shares[0] = (CommitRange){ .to = commit->n_states };
        commit->n_shares = 1;
        commit->n_refused = commit->n_taken = 0;
        return commit_send_on(commit, COMMIT_ON_WAITS);
}

/* ---- the transaction under way ------------------------------------------------------------ */

/* The range on top is stored: on to the next one, or idle. */
static void commit_advance(Commit *commit, CommitRange *ret_range) {
        *ret_range = *commit_top(commit);
        metric_add(METRIC_DB_BATCHES, 1);
        histogram_observe(HISTOGRAM_BATCH_SECONDS, (double)commit_age_us(commit) / 1e6);
        histogram_observe(HISTOGRAM_BATCH_SIZE, (double)(ret_range->to - ret_range->from));
        commit_owe_rest(commit, 0); /* if the connection went before they were sent */
        (void)commit_step(&commit->phase, COMMIT_ON_DONE); /* from each */
        commit->n_trials = 0;
        if (--commit->n_todo == 0)
                commit->batch = NULL;
}

/* 0: the range on top is done with. */
static int commit_take(Commit *commit, int answer) {
        switch (answer) {
        case 0:
                return commit_stored(commit);
        case DB_E_REJECTED:
                return commit->phase == COMMIT_STATES ? commit_refused_states(commit)
                                                      : commit_refused(commit);
        case DB_E_STATES:
                return commit_refused_states(commit);
        case DB_E_PASSED:
                return commit_passed(commit);
        case DB_E_REFUSED:
                if (commit->phase != COMMIT_STATES)
                        return answer;
                commit_owe_rest(commit, clock_mono_us() + COMMIT_DEBT_US);
                return 0;
        default:
                return answer;
        }
}

int commit_poll(Commit *commit, CommitRange *ret_range) {
        int r;

        assert(!commit_is_idle(commit));

        r = commit_take(commit, db_store_poll(commit->store));
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        commit_advance(commit, ret_range);
        /* A loss while sending the next range shows at the next poll. */
        if (!commit_is_idle(commit))
                (void)!commit_send(commit);
        return 0;
}

int commit_again(Commit *commit) {
        assert(!commit_is_idle(commit));

        (void)commit_step(&commit->phase, COMMIT_ON_AGAIN);
        commit->n_trials = 0;
        return commit_send(commit);
}

int commit_resume(Commit *commit, uint64_t stored_seq, uint64_t position, CommitRange *ret_range) {
        *ret_range = (CommitRange){ 0 };
        if (commit_is_idle(commit))
                return position == stored_seq ? 0 : DB_E_FENCED;
        if (position == commit_last_seq(commit)) {
                int r = db_store_recall(commit->store, &commit->rows);

                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                commit_advance(commit, ret_range);
                return commit_is_idle(commit) ? 0 : commit_send(commit);
        }
        return position == stored_seq ? commit_again(commit) : DB_E_FENCED;
}
