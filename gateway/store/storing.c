#include "gateway/store/storing.h"

#include "base/clock.h"
#include "base/err.h"
#include "gateway/journal/journal.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/showing.h"
#include "gateway/store/stored.h"

bool storing_lags(const Desk *desk) {
        return !database_is_sound(desk->database) || desk->stall.is_on ||
               lane_loaded_seq(desk->lane) < showing_seq(desk->showing);
}

bool storing_is_passed(const Desk *desk) {
        return desk->was_ready && storing_lags(desk) && journal_may_show(desk->journal);
}

int64_t storing_delay_us(const Desk *desk) {
        const Batch *batch = lane_current(desk->lane);

        if (batch_wants(batch) != BATCH_WANTS_TIME)
                return 0;
        return batch_wanting(batch)->received_us + desk->options.max_delay_ms * INT64_C(1000) -
               clock_now_us();
}

/* Records that came after this time may wait for more; nothing waits at the end. */
static int64_t storing_young_us(const Desk *desk, bool is_ending) {
        if (desk->options.max_delay_ms == 0 || is_ending)
                return INT64_MAX;
        return clock_now_us() - desk->options.max_delay_ms * INT64_C(1000);
}

static int storing_load(Desk *desk, bool is_ending) {
        bool catches_up = lane_loaded_seq(desk->lane) < showing_seq(desk->showing);
        BatchContext context = desk_context(desk, true);
        BatchSpan span = {
                .until_seq = catches_up ? showing_seq(desk->showing) : UINT64_MAX,
                .n_max = desk->options.max_batch,
                .young_us = storing_young_us(desk, is_ending),
        };
        int r;

        r = lane_load(desk->lane, &context, &span);
        return r == 0 ? 0 : err_up(r);
}

/* Takes what the transaction under way has come to. */
static int storing_poll_commit(Desk *desk) {
        CommitRange range;
        int r = 0;

        while (r == 0 && !lane_is_idle(desk->lane)) {
                r = lane_poll(desk->lane, &range);
                if (r == 0)
                        r = stored_take(desk, &range);
        }
        if (r != DB_E_BUSY)
                return r;

        if (lane_age_us(desk->lane) > desk->options.timeout_ms * INT64_C(1000))
                return DB_E_OFFLINE;
        return DB_E_BUSY;
}

int64_t storing_age_us(const Desk *desk) {
        if (!database_is_ready(desk->database))
                return 0;
        if (database_is_lent(desk->database))
                return clerk_age_us(desk->clerk);
        if (!lane_is_idle(desk->lane))
                return lane_age_us(desk->lane);
        return known_age_us(desk->known);
}

/* Sends the clerk off, if there is something to do for him first. */
static bool storing_has_errand(Desk *desk) {
        const Batch *batch = lane_current(desk->lane);

        if (books_is_due(desk->books, lane_stored_seq(desk->lane)))
                clerk_check(desk->clerk, lane_stored_seq(desk->lane), desk->sensors);
        else if (batch_length(batch) > 0 && clerk_has_to_look(desk->clerk, batch))
                clerk_look(desk->clerk, batch);
        else
                return false;
        return true;
}

/* Nothing is under way: begin the next transaction, if nothing has to be known before. */
static int storing_begin_commit(Desk *desk, bool is_ending) {
        const Batch *batch = lane_current(desk->lane);
        int r;

        if (known_age_us(desk->known) > 0 || storing_has_errand(desk))
                return 0;
        if (batch_length(batch) == 0) {
                r = storing_load(desk, is_ending);
                if (r != 0)
                        return err_up(r);
                batch = lane_current(desk->lane);
                if (batch_length(batch) == 0 && (batch_wants(batch) == BATCH_WANTS_NOTHING ||
                                                 batch_wants(batch) == BATCH_WANTS_TIME))
                        return 0;
                if (batch_length(batch) == 0)
                        return known_ask(desk->known, batch);
                if (storing_has_errand(desk))
                        return 0;
        }
        return lane_begin(desk->lane, known_registry(desk->known));
}

int storing_turn(Desk *desk, bool is_ending) {
        int r;

        if (!database_is_ready(desk->database) || database_is_lent(desk->database))
                return 0;

        r = storing_poll_commit(desk);
        if (r == 0)
                r = db_conn_hear(database_conn(desk->database));
        if (r == 0)
                r = storing_begin_commit(desk, is_ending);
        else if (r == DB_E_BUSY)
                r = 0;
        else if (r == DB_E_FENCED) /* our own lost transaction, perhaps: the position will tell */
                r = DB_E_OFFLINE;
        /* While PostgreSQL works on one batch we decode the next. */
        if (r == 0 && !lane_is_idle(desk->lane) && lane_has_room(desk->lane))
                r = storing_load(desk, is_ending);
        return r < 0 ? err_up(r) : r;
}
