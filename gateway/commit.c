#include "gateway/commit.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/batch.h"

#define COMMIT_DEPTH 64 /* halving any batch that fits in memory needs fewer */

struct Commit {
        DbConn *conn;             /* borrowed */
        DbStore *store;           /* borrowed */
        const Batch *batch;       /* borrowed; NULL when idle */
        const Registry *registry; /* borrowed */
        int64_t begun_us;         /* monotonic */

        CommitRange todo[COMMIT_DEPTH]; /* the last one is under way, the others follow it */
        size_t n_todo;

        int64_t *device_ids; /* scratch, [capacity] */
        DbStateRow *states;  /* of the range under way, [capacity] */
        DbBatch rows;        /* the range under way, as the store reads it */
        char detail[192];    /* of the dead letter that is being made */
};

int commit_new(Commit **ret_commit, DbConn *conn, DbStore *store, size_t capacity) {
        CLEANUP(commit_free) Commit *commit = NULL;

        commit = calloc(1, sizeof(*commit));
        if (!commit)
                return err_new(-ENOMEM);
        commit->conn = conn;
        commit->store = store;
        commit->device_ids = calloc(capacity, sizeof(commit->device_ids[0]));
        commit->states = calloc(capacity, sizeof(commit->states[0]));
        if (!commit->device_ids || !commit->states)
                return err_new(-ENOMEM);
        *ret_commit = TAKE(&commit);
        return 0;
}

Commit *commit_free(Commit *commit) {
        if (!commit)
                return NULL;
        free(commit->device_ids);
        free(commit->states);
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

/* Sends the range on top. */
static int commit_send(Commit *commit) {
        CommitRange range = *commit_top(commit);
        size_t n_devices;
        size_t n_states = 0;

        n_devices = batch_devices(commit->batch, range.from, range.to, commit->device_ids);
        for (size_t i = 0; i < n_devices; ++i) {
                const Device *device;

                device = registry_device(commit->registry, commit->device_ids[i]);
                if (device)
                        commit->states[n_states++] =
                                (DbStateRow){ .device_id = device->id, .state = device->state };
        }
        commit->rows = (DbBatch){
                .records = batch_records(commit->batch) + range.from,
                .n_records = range.to - range.from,
                .states = commit->states,
                .n_states = n_states,
                .seq = commit_last_seq(commit),
        };
        commit->begun_us = clock_mono_us();
        return db_store_begin(commit->store, &commit->rows);
}

int commit_begin(Commit *commit, const Batch *batch, const Registry *registry) {
        assert(commit_is_idle(commit) && batch_length(batch) > 0);

        commit->batch = batch;
        commit->registry = registry;
        commit->todo[0] = (CommitRange){ .from = 0, .to = batch_length(batch) };
        commit->n_todo = 1;
        return commit_send(commit);
}

static void commit_halve(Commit *commit) {
        CommitRange *top = commit_top(commit);
        size_t middle = top->from + (top->to - top->from) / 2;
        CommitRange first = { .from = top->from, .to = middle };

        assert(commit->n_todo < COMMIT_DEPTH);
        top->from = middle;
        commit->todo[commit->n_todo++] = first;
}

/* One row that PostgreSQL does not take; false if it refuses even the dead letter made of it. */
static bool commit_set_aside(Commit *commit) {
        Record *record = batch_record(commit->batch, commit_top(commit)->from);

        if (record->reason != REASON_NONE)
                return false;
        snprintf(commit->detail,
                 sizeof(commit->detail),
                 "SQLSTATE %s",
                 db_conn_sqlstate(commit->conn));
        record->reason = REASON_DB_REJECTED;
        record->detail = text_of(commit->detail);
        return true;
}

static int commit_refused(Commit *commit) {
        CommitRange range = *commit_top(commit);

        metric_add(METRIC_DB_REJECTED_BATCHES, 1);
        if (range.to - range.from > 1)
                commit_halve(commit);
        else if (!commit_set_aside(commit))
                return DB_E_OFFLINE;
        return commit_send(commit);
}

/* The range on top is stored: on to the next one, or idle. */
static int commit_advance(Commit *commit, CommitRange *ret_range) {
        *ret_range = *commit_top(commit);
        metric_add(METRIC_DB_BATCHES, 1);
        histogram_observe(HISTOGRAM_BATCH_SECONDS, (double)commit_age_us(commit) / 1e6);
        histogram_observe(HISTOGRAM_BATCH_SIZE, (double)(ret_range->to - ret_range->from));
        if (--commit->n_todo == 0)
                commit->batch = NULL;
        return 0;
}

int commit_poll(Commit *commit, CommitRange *ret_range) {
        int r;

        assert(!commit_is_idle(commit));

        r = db_store_poll(commit->store);
        switch (r) {
        case 0:
                r = commit_advance(commit, ret_range);
                /* A loss while sending the next range shows at the next poll. */
                if (r == 0 && !commit_is_idle(commit))
                        (void)!commit_send(commit);
                return r;
        case DB_E_REJECTED:
                r = commit_refused(commit);
                return r == 0 ? DB_E_BUSY : r;
        default:
                return r;
        }
}

int commit_resume(Commit *commit, uint64_t stored_seq, uint64_t position, CommitRange *ret_range) {
        *ret_range = (CommitRange){ 0 };
        if (commit_is_idle(commit))
                return position == stored_seq ? 0 : DB_E_FENCED;
        if (position == commit_last_seq(commit)) {
                (void)!commit_advance(commit, ret_range);
                return commit_is_idle(commit) ? 0 : commit_send(commit);
        }
        return position == stored_seq ? commit_send(commit) : DB_E_FENCED;
}
