#include "gateway/store/lane.h"

#include "base/err.h"
#include "base/log.h"

#define LANE_AHEAD 128 /* batches at most, however small */

typedef struct LaneAhead LaneAhead;

struct LaneAhead {
        Batch *batch;       /* owned, not empty */
        uint64_t after_seq; /* it begins with the first record behind this */
};

struct Lane {
        size_t capacity; /* of each batch */
        Commit *commit;
        Batch *current;              /* being committed, waiting to be, or empty */
        Batch *next;                 /* decoded while it is, or empty */
        size_t n_done;               /* records of the current batch that are stored */
        LaneAhead ahead[LANE_AHEAD]; /* shown, and behind the next one; ascending */
        size_t n_ahead;
        Batch *fresh; /* what is shown is decoded to, before it is clear that it can stay */

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
        lane->capacity = capacity;
        r = batch_new(&lane->current, capacity);
        if (r == 0)
                r = batch_new(&lane->next, capacity);
        if (r == 0)
                r = batch_new(&lane->fresh, capacity);
        if (r == 0)
                r = commit_new(&lane->commit, conn, store, capacity);
        if (r != 0)
                return err_up(r);
        *ret_lane = TAKE(&lane);
        return 0;
}

void lane_forget_ahead(Lane *lane) {
        while (lane->n_ahead > 0)
                batch_free(lane->ahead[--lane->n_ahead].batch);
}

Lane *lane_free(Lane *lane) {
        if (!lane)
                return NULL;
        commit_free(lane->commit);
        batch_free(lane->current);
        batch_free(lane->next);
        batch_free(lane->fresh);
        lane_forget_ahead(lane);
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

/* ---- ahead of the store ------------------------------------------------------------------- */

static size_t lane_ahead_bytes(const Lane *lane) {
        size_t n_bytes = 0;

        for (size_t i = 0; i < lane->n_ahead; ++i)
                n_bytes += batch_bytes(lane->ahead[i].batch);
        return n_bytes;
}

/* It stays where it is, and another one is fresh. */
static int lane_keep_fresh(Lane *lane, uint64_t after_seq) {
        Batch *fresh = NULL;
        int r;

        r = batch_new(&fresh, lane->capacity);
        if (r != 0)
                return err_up(r);
        lane->ahead[lane->n_ahead++] = (LaneAhead){ .batch = lane->fresh, .after_seq = after_seq };
        lane->fresh = fresh;
        return 0;
}

int lane_show_on(Lane *lane,
                 const BatchContext *context,
                 const BatchSpan *span,
                 const Batch **ret_batch,
                 size_t *ret_from) {
        Batch *last = lane->n_ahead > 0 ? lane->ahead[lane->n_ahead - 1].batch : NULL;
        bool has_room = lane_ahead_bytes(lane) < LANE_AHEAD_BYTES;
        int r;

        if (!last || !has_room || batch_is_full(last) || batch_last_seq(last) != span->after_seq) {
                last = lane->fresh;
                batch_reset(last);
        }
        *ret_batch = last;
        *ret_from = batch_length(last);
        r = batch_load_on(last, context, span);
        if (r == 0 && last == lane->fresh && batch_length(last) > 0 && has_room &&
            lane->n_ahead < LANE_AHEAD)
                r = lane_keep_fresh(lane, span->after_seq);
        return r == 0 ? 0 : err_up(r);
}

static Batch *lane_take_first(Lane *lane) {
        Batch *batch = lane->ahead[0].batch;

        --lane->n_ahead;
        memmove(lane->ahead, lane->ahead + 1, lane->n_ahead * sizeof(lane->ahead[0]));
        return batch;
}

/* The first that was decoded ahead; what is loaded by now is of no use any more. NULL: there is
 * none. */
static const LaneAhead *lane_first(Lane *lane) {
        while (lane->n_ahead > 0 && batch_record(lane->ahead[0].batch, 0)->seq <= lane->loaded_seq)
                batch_free(lane_take_first(lane));
        return lane->n_ahead > 0 ? &lane->ahead[0] : NULL;
}

/* Is it the next one in the journal? Then it needs not be decoded again. */
static int lane_load_ahead(Lane *lane, const BatchContext *context, Batch **batchp) {
        const LaneAhead *first = lane_first(lane);
        int r;

        if (!first || first->after_seq > lane->loaded_seq)
                return 0;
        batch_free(*batchp);
        *batchp = lane_take_first(lane);
        r = batch_settle(*batchp, context);
        return r == 0 ? 0 : err_up(r);
}

/* ---- into the database -------------------------------------------------------------------- */

/* From the journal, up to what was decoded ahead. */
static int lane_load_behind(Lane *lane,
                            const BatchContext *context,
                            const BatchSpan *span,
                            Batch *batch) {
        const LaneAhead *first = lane_first(lane);
        BatchSpan behind = *span;
        int r;

        behind.after_seq = lane->loaded_seq;
        if (first && first->after_seq < behind.until_seq)
                behind.until_seq = first->after_seq;
        r = batch_load(batch, context, &behind);
        if (r != 0)
                return err_up(r);
        if (batch_length(batch) == 0 && behind.until_seq != UINT64_MAX &&
            batch_wants(batch) == BATCH_WANTS_NOTHING)
                lane->loaded_seq = behind.until_seq;
        return 0;
}

int lane_load(Lane *lane, const BatchContext *context, const BatchSpan *span) {
        Batch **batchp = batch_length(lane->current) == 0 ? &lane->current : &lane->next;
        int r;

        assert(batch_length(*batchp) == 0);
        r = lane_load_ahead(lane, context, batchp);
        if (r == 0 && batch_length(*batchp) == 0)
                r = lane_load_behind(lane, context, span, *batchp);
        if (r != 0)
                return err_up(r);
        if (batch_length(*batchp) > 0)
                lane->loaded_seq = batch_last_seq(*batchp);
        lane->n_loaded += batch_length(*batchp);
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
