#include "gateway/store/stored.h"

#include "base/clock.h"
#include "base/err.h"
#include "gateway/decode/former.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/origins.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/lane.h"
#include "gateway/store/nodes.h"
#include "gateway/store/showing.h"
#include "model/asides.h"
#include "model/metrics.h"

static void stored_count_detail(const Record *record) {
        if (record->reason != REASON_NONE)
                return;
        if (record->late)
                metric_add(METRIC_STATE_LATE, 1);
        if (record->odd_time)
                metric_add(METRIC_ODD_TIMES, 1);
        for (size_t i = 0; i < record->n_notes; ++i)
                asides_add(record->notes[i].member, record->notes[i].reason);
        if (record->unchanged)
                metric_add(METRIC_COMMANDS_UNCHANGED, 1);
        if (record->kind == KIND_BLE_DETECTIONS) {
                metric_add(METRIC_DETECTIONS_COMMITTED, (int64_t)record->detections.n_items);
                metric_add(METRIC_DETECTIONS_SET_ASIDE, (int64_t)record->detections.n_set_aside);
        }
}

/* By what became of it; how many were committed. */
static int stored_count(const Record *record) {
        if (record->duplicate) {
                metric_add(METRIC_DUPLICATE, 1);
                if (record->ignored)
                        metric_add(METRIC_IGNORED, 1);
                if (record->retained)
                        metric_add(METRIC_RETAINED_IGNORED, 1);
                if (record->stale != STALE_NOT)
                        metric_add(record->stale == STALE_LATE ? METRIC_SPARKPLUG_LATE
                                                               : METRIC_SPARKPLUG_AGAIN,
                                   1);
                return 0;
        }
        if (record->reason != REASON_NONE) {
                metric_add_dead_letter(record->reason, 1);
                return 0;
        }
        return 1;
}

/* Also what is stored may be read again, for a database that is older: as long as it is there. */
static uint64_t stored_gone_seq(const Desk *desk) {
        uint64_t stored_seq = lane_stored_seq(desk->lane);
        uint64_t first_seq = journal_first_seq(desk->journal);

        return first_seq > 0 && first_seq <= stored_seq ? first_seq - 1 : stored_seq;
}

int stored_take(Desk *desk, const CommitRange *range) {
        const Batch *batch = lane_current(desk->lane);
        int64_t now_us = clock_now_us();
        int64_t n_good = 0;
        int r;

        for (size_t i = range->from; i < range->to; ++i) {
                const Record *record = batch_record(batch, i);

                n_good += stored_count(record);
                if (record_is_refused(record))
                        books_hurry(desk->books);
                stored_count_detail(record);
                histogram_observe(HISTOGRAM_COMMIT, (double)(now_us - record->received_us) / 1e6);
        }
        database_prove(desk->database);
        metric_add(METRIC_COMMITTED, n_good);
        metric_add(METRIC_IN_JOURNAL, -(int64_t)(range->to - range->from));

        r = showing_stored(desk->showing, batch, range);
        if (r != 0)
                return err_up(r);
        if (lane_stored(desk->lane, range)) {
                stall_go_on(&desk->stall);
                journal_note_stored(desk->journal, lane_stored_seq(desk->lane));
                former_forget(desk->former, stored_gone_seq(desk), now_us);
                nodes_stored(desk->nodes, lane_stored_seq(desk->lane));
                origins_stored(desk->origins, lane_stored_seq(desk->lane));
        }
        /* Of each range: what follows it may be lost, and this be stored again, but not shown. */
        r = showing_settle(desk->showing, lane_stored_seq(desk->lane));
        return r == 0 ? 0 : err_up(r);
}
