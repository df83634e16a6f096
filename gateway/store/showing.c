#include "gateway/store/showing.h"

#include "base/err.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/store/batch.h"
#include "gateway/store/lane.h"
#include "gateway/store/outbox.h"

#define SHOWING_BATCH 256 /* shown in one turn while the database lags */

struct Showing {
        Outbox *outbox;   /* borrowed */
        Judge *judge;     /* borrowed */
        Journal *journal; /* borrowed */

        uint64_t seq;        /* handed to the viewers */
        uint64_t open_seq;   /* passed over, as they were told; 0 = nothing */
        uint64_t others_seq; /* up to here others have stored, as they were told, likewise */
};

int showing_new(Showing **ret_showing, Outbox *outbox, Judge *judge, Journal *journal) {
        Showing *showing = calloc(1, sizeof(*showing));

        if (!showing)
                return err_new(-ENOMEM);
        showing->outbox = outbox;
        showing->judge = judge;
        showing->journal = journal;
        *ret_showing = showing;
        return 0;
}

Showing *showing_free(Showing *showing) {
        free(showing);
        return NULL;
}

void showing_begin(Showing *showing, uint64_t seq) {
        showing->seq = seq;
}

uint64_t showing_seq(const Showing *showing) {
        return showing->seq;
}

void showing_move(Showing *showing, uint64_t stored_seq, uint64_t position, uint64_t by) {
        showing->seq = showing->seq > stored_seq ? showing->seq + by : position;
        judge_move(showing->judge, stored_seq, by);
}

static int showing_tell_others(Showing *showing, uint64_t others_seq) {
        int r;

        showing->others_seq = others_seq;
        r = outbox_show_position(showing->outbox, others_seq, others_seq);
        return r == 0 ? 0 : err_up(r);
}

static int showing_show_some(Showing *showing,
                             const Batch *batch,
                             size_t from,
                             size_t to,
                             bool persisted) {
        int r;

        if (from == to)
                return 0;
        showing->seq = batch_record(batch, to - 1)->seq;
        r = outbox_show(showing->outbox, batch, from, to, persisted);
        return r == 0 ? 0 : err_up(r);
}

/* Shows what has not been shown yet of the records [from, to). Where the turn of others lies in
 * between, that is told there. */
static int showing_show(Showing *showing,
                        const Batch *batch,
                        size_t from,
                        size_t to,
                        bool persisted) {
        uint64_t others_seq = journal_others_seq(showing->journal);
        size_t middle;
        int r = 0;

        while (from < to && batch_record(batch, from)->seq <= showing->seq)
                ++from;
        middle = from;
        while (middle < to && batch_record(batch, middle)->seq <= others_seq)
                ++middle;
        if (others_seq > showing->others_seq && middle < to) {
                r = showing_show_some(showing, batch, from, middle, persisted);
                if (r == 0)
                        r = showing_tell_others(showing, others_seq);
                from = middle;
        }
        if (r == 0)
                r = showing_show_some(showing, batch, from, to, persisted);
        return r == 0 ? 0 : err_up(r);
}

int showing_pass_others(Showing *showing) {
        uint64_t others_seq = journal_others_seq(showing->journal);
        uint64_t seq = showing->seq;
        int r = 0;

        if (others_seq > showing->others_seq &&
            (seq >= others_seq || journal_count_some(showing->journal, &seq, others_seq, 1) == 0))
                r = showing_tell_others(showing, others_seq);
        return r == 0 ? 0 : err_up(r);
}

/* Before anything behind it is shown, and when it is settled. */
static int showing_tell_open(Showing *showing) {
        uint64_t seq = judge_first_open(showing->judge);
        int r;

        if (seq == showing->open_seq)
                return 0;
        showing->open_seq = seq;
        r = outbox_show_open(showing->outbox, seq);
        return r == 0 ? 0 : err_up(r);
}

int showing_go_ahead(Showing *showing, Lane *lane, const BatchContext *context) {
        const Batch *loaded[] = { lane_current(lane), lane_next(lane) };
        BatchSpan span = { .until_seq = UINT64_MAX, .n_max = SHOWING_BATCH, .young_us = INT64_MAX };
        const Batch *batch = NULL;
        size_t from = 0;
        int r;

        for (size_t i = 0; i < N_ELEMENTS(loaded); ++i) {
                r = showing_show(showing, loaded[i], 0, batch_length(loaded[i]), false);
                if (r != 0)
                        return err_up(r);
        }

        span.after_seq = showing->seq;
        r = lane_show_on(lane, context, &span, &batch, &from);
        if (r == 0)
                r = showing_tell_open(showing);
        if (r == 0)
                r = showing_show(showing, batch, from, batch_length(batch), false);
        return r == 0 ? 0 : err_up(r);
}

int showing_stored(Showing *showing, const Batch *batch, const CommitRange *range) {
        int r = 0;

        /* What could not be shown when what came after it was: now it can, or never. */
        for (size_t i = range->from; r == 0 && i < range->to && showing->open_seq != 0; ++i)
                if (judge_is_open(showing->judge, batch_record(batch, i)->seq))
                        r = outbox_show_behind(showing->outbox, batch, i);
        if (r == 0)
                r = showing_show(showing, batch, range->from, range->to, true);
        return r == 0 ? 0 : err_up(r);
}

int showing_settle(Showing *showing, uint64_t seq) {
        int r;

        judge_forget(showing->judge, seq);
        r = showing_tell_open(showing);
        return r == 0 ? 0 : err_up(r);
}
