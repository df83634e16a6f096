#include "gateway/store/lane.h"

#include "base/err.h"
#include "base/log.h"

struct Lane {
        Commit *commit;
        Batch *current; /* being committed, waiting to be, or empty */
        Batch *next;    /* decoded while it is, or empty */
        size_t n_done;  /* records of the current batch that are stored */

        uint64_t stored_seq; /* committed, with the data */
        uint64_t loaded_seq; /* taken into a batch */
        uint64_t n_loaded, n_stored;
};

int lane_new(Lane **ret_lane, DbConn *conn, DbStore *store, size_t capacity) {
        CLEANUP(lane_free) Lane *lane = NULL;
        int r;

        lane = calloc(1, sizeof(*lane));
        if (!lane)
                return err_new(-ENOMEM);
        r = batch_new(&lane->current, capacity);
        if (r == 0)
                r = batch_new(&lane->next, capacity);
        if (r == 0)
                r = commit_new(&lane->commit, conn, store, capacity);
        if (r != 0)
                return err_up(r);
        *ret_lane = TAKE(&lane);
        return 0;
}

Lane *lane_free(Lane *lane) {
        if (!lane)
                return NULL;
        commit_free(lane->commit);
        batch_free(lane->current);
        batch_free(lane->next);
        free(lane);
        return NULL;
}

void lane_start(Lane *lane, uint64_t position) {
        assert(batch_length(lane->current) == 0 && batch_length(lane->next) == 0);
        lane->stored_seq = position;
        lane->loaded_seq = position;
}

void lane_restart(Lane *lane, uint64_t position) {
        commit_abandon(lane->commit);
        batch_reset(lane->current);
        batch_reset(lane->next);
        lane->n_done = 0;
        lane->n_loaded = lane->n_stored = 0;
        lane_start(lane, position);
}

bool lane_is_idle(const Lane *lane) {
        return commit_is_idle(lane->commit);
}

int64_t lane_age_us(const Lane *lane) {
        return commit_age_us(lane->commit);
}

const Batch *lane_current(const Lane *lane) {
        return lane->current;
}

const Batch *lane_next(const Lane *lane) {
        return lane->next;
}

uint64_t lane_stored_seq(const Lane *lane) {
        return lane->stored_seq;
}

uint64_t lane_loaded_seq(const Lane *lane) {
        return lane->loaded_seq;
}

/* A batch that has stopped before a record which needs the connection waits for its turn. */
bool lane_has_room(const Lane *lane) {
        if (batch_length(lane->current) == 0)
                return true;
        return batch_length(lane->next) == 0 && batch_wants(lane->next) == BATCH_WANTS_NOTHING;
}

int lane_load(Lane *lane, const BatchContext *context, const BatchSpan *span) {
        Batch *batch = batch_length(lane->current) == 0 ? lane->current : lane->next;
        BatchSpan behind = *span;
        int r;

        assert(batch_length(batch) == 0);
        behind.after_seq = lane->loaded_seq;
        r = batch_load(batch, context, &behind);
        if (r != 0)
                return err_up(r);
        if (batch_length(batch) > 0)
                lane->loaded_seq = batch_last_seq(batch);
        else if (span->until_seq != UINT64_MAX && batch_wants(batch) == BATCH_WANTS_NOTHING)
                lane->loaded_seq = span->until_seq;
        lane->n_loaded += batch_length(batch);
        return 0;
}

/* Stored, in the current batch, or in the next one: a record has no other place to be. */
static bool lane_is_whole(const Lane *lane) {
        size_t n_waiting = batch_length(lane->current) - lane->n_done + batch_length(lane->next);

        return lane->n_stored + n_waiting == lane->n_loaded;
}

int lane_begin(Lane *lane, const Registry *registry) {
        int r;

        if (!lane_is_whole(lane)) {
                log_error("records_left_out loaded=%llu stored=%llu hint=\"a bug: please report "
                          "it; they are read again at the next start\"",
                          (unsigned long long)lane->n_loaded,
                          (unsigned long long)lane->n_stored);
                return err_new(-ENOTRECOVERABLE);
        }
        assert(lane->n_done == 0); /* what is idle is at the beginning of a batch */
        r = commit_begin(lane->commit, lane->current, registry);
        return r < 0 ? err_up(r) : r;
}

int lane_poll(Lane *lane, CommitRange *ret_range) {
        int r = commit_poll(lane->commit, ret_range);

        return r < 0 ? err_up(r) : r;
}

int lane_again(Lane *lane) {
        int r = commit_again(lane->commit);

        return r < 0 ? err_up(r) : r;
}

int lane_resume(Lane *lane, uint64_t position, CommitRange *ret_range) {
        int r = commit_resume(lane->commit, lane->stored_seq, position, ret_range);

        return r < 0 ? err_up(r) : r;
}

bool lane_stored(Lane *lane, const CommitRange *range) {
        Batch *done = lane->current;

        assert(range->from == lane->n_done && range->to > range->from);
        lane->stored_seq = batch_record(done, range->to - 1)->seq;
        lane->n_stored += range->to - range->from;
        lane->n_done = range->to;
        if (lane->n_done < batch_length(done))
                return false;

        batch_reset(done);
        lane->current = lane->next;
        lane->next = done;
        lane->n_done = 0;
        return true;
}
