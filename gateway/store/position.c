#include "gateway/store/position.h"

#include "base/err.h"
#include "base/log.h"
#include "db/write/takeover.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/memory/lateness.h"
#include "gateway/memory/origins.h"
#include "gateway/memory/presence.h"
#include "gateway/store/books.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/merged.h"
#include "gateway/store/nodes.h"
#include "gateway/store/outbox.h"
#include "gateway/store/showing.h"
#include "gateway/store/stored.h"
#include "model/metrics.h"

#define POSITION_ALL (UINT64_MAX / 2) /* more than any number */

/* Everything that a journal of which nothing is stored yet has or will have comes after this. */
static uint64_t position_begin_seq(Journal *journal) {
        uint64_t first = journal_first_seq(journal);

        return first > 0 ? first - 1 : journal_begin_seq(journal);
}

/* Is it where other journals are, and was it, before that, where we left it? */
static bool position_is_of_others(const Desk *desk) {
        return desk->own_seq > 0 && desk->own_seq <= lane_stored_seq(desk->lane);
}

/* What came while it was in doubt whose the numbers are, and was shown by @shown_seq, has others
 * now. Whoever has seen that is told that it comes once more: who comes back by the database, the
 * others by what our next message says. */
static int position_tell_moved(Desk *desk, uint64_t shown_seq) {
        int r;

        if (desk->doubted_seq == 0 || shown_seq <= desk->doubted_seq)
                return 0;
        outbox_go_back(desk->outbox, desk->doubted_seq);
        r = db_takeover_note_taken(database_conn(desk->database),
                                   journal_epoch(desk->journal),
                                   desk->doubted_seq,
                                   shown_seq);
        return r < 0 ? err_up(r) : r;
}

/*
 * The position is beyond what we stored, and not by what was under way: somebody else has been
 * there. What waits has numbers above it from here on, and is read again.
 */
static int position_move_on(Desk *desk, uint64_t position) {
        uint64_t stored_seq = lane_stored_seq(desk->lane);
        uint64_t by;

        if (journal_confirm(desk->journal, stored_seq, position, &by) != 0)
                return DB_E_OFFLINE;
        if (!position_is_of_others(desk)) /* else the lease has said it */
                log_error("journal_position_moved epoch=%s stored=%llu position=%llu "
                          "hint=\"another process stores this journal, or the database is another "
                          "one; what waited is stored behind it\"",
                          journal_epoch(desk->journal),
                          (unsigned long long)stored_seq,
                          (unsigned long long)position);
        showing_move(desk->showing, stored_seq, position, by);
        nodes_move(desk->nodes, stored_seq, by);
        origins_move(desk->origins, stored_seq, by);
        presence_move(desk->presence, stored_seq, by);
        merged_move(desk->merged, stored_seq, by);
        lane_forget_ahead(desk->lane);
        lane_restart(desk->lane, position);
        return 0;
}

/* Records of (after_seq, last_seq]. */
static uint64_t position_count_between(Desk *desk, uint64_t after_seq, uint64_t last_seq) {
        uint64_t n = 0;

        while (after_seq < last_seq)
                n += journal_count_some(desk->journal, &after_seq, last_seq, SIZE_MAX);
        return n;
}

/* Restored, failed over to a standby that lagged, or a commit that a crash of the server lost. */
static void position_note_older(uint64_t position, uint64_t stored_seq, uint64_t n) {
        metric_add(METRIC_DB_OLDER, 1);
        log_warning("database_older position=%llu stored=%llu to_store_again=%llu",
                    (unsigned long long)position,
                    (unsigned long long)stored_seq,
                    (unsigned long long)n);
}

/* All that was stored behind @position is stored again, and not shown again; what the memory knows
 * of devices and vehicles is what that database knows. */
static int position_go_back(Desk *desk, uint64_t position) {
        uint64_t stored_seq = lane_stored_seq(desk->lane);
        uint64_t n = position_count_between(desk, position, stored_seq);
        int r;

        position_note_older(position, stored_seq, n);
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        desk->own_seq = 0;
        books_close(desk->books);
        lane_forget_ahead(desk->lane);
        lane_restart(desk->lane, position);
        journal_rewind(desk->journal, position);
        judge_again(desk->judge, position);
        nodes_stored(desk->nodes, position);
        origins_forget(desk->origins);
        desk->latest = lateness_free(desk->latest);
        r = lateness_new(&desk->latest);
        if (r != 0)
                return err_up(r);
        registry_forget_states(known_registry(desk->known));
        desk->is_to_restore = true;
        r = known_reload(desk->known);
        return r == 0 ? 0 : err_up(r);
}

/*
 * From here on numbers are above those of whoever stored before us: there is one line of them. What
 * could not be confirmed so far is moved, if need be.
 *
 * A copy of the journal's folder, with the same epoch, may have stored meanwhile: its position says
 * nothing of what only this one has, which gets numbers above it, and all of what both have, which
 * keeps its own. Once that is noted, and before anything is stored, the folder knows of no other
 * start than this.
 */
static int position_confirm(Desk *desk, uint64_t floor) {
        uint64_t forked_seq = db_store_forked_seq(database_store(desk->database));
        bool has_own = journal_last_seq(desk->journal) > forked_seq;
        uint64_t by;

        if (journal_confirm(desk->journal,
                            forked_seq == 0 || has_own ? forked_seq : POSITION_ALL,
                            floor,
                            &by) != 0)
                return DB_E_OFFLINE; /* nothing may be stored yet: ask again */
        if (forked_seq > 0)
                log_error("journal_forked epoch=%s after=%llu position=%llu hint=\"a copy of this "
                          "journal's folder has stored into this database; what only this one has "
                          "is stored behind it. Give the copy a journal of its own\"",
                          journal_epoch(desk->journal),
                          (unsigned long long)forked_seq,
                          (unsigned long long)floor);
        return journal_writers_settle(journal_writers(desk->journal)) ? 0 : DB_E_OFFLINE;
}

/* Others go on behind the last of our records, once all of them are stored. The database moves the
 * position there when it is opened, and only then says where it was: of several attempts the first
 * one knows how far we had come. */
static void position_note_own(Desk *desk, uint64_t position) {
        uint64_t own_seq = db_store_own_seq(database_store(desk->database));

        if (desk->own_seq >= position)
                desk->own_seq = 0; /* it is another database */
        if (desk->own_seq == 0 && own_seq < position)
                desk->own_seq = own_seq;
}

/* The database says how far we got: behind a crash or a cut, only it knows. */
int position_take(Desk *desk, uint64_t position, uint64_t floor) {
        uint64_t noted_seq;
        int r;

        position_note_own(desk, position);
        if (desk->was_ready)
                return position < lane_stored_seq(desk->lane) ? position_go_back(desk, position)
                                                              : 0;

        r = position_confirm(desk, floor);
        if (r != 0)
                return r;
        lane_start(desk->lane, position);
        noted_seq = journal_noted_seq(desk->journal);
        position = noted_seq > floor ? noted_seq : floor;
        showing_begin(desk->showing, position);
        /* Of several others say the same of a slot that has nothing: what the database knows. */
        if (position == 0 && !desk->options.outbox.is_of_several)
                position = position_begin_seq(desk->journal);
        return outbox_show_position(desk->outbox, position, journal_last_seq(desk->journal));
}

/* What an earlier run has left to store. Once, when all that is read at the start has been: each
 * attempt before may have found another position, or the same again. What comes meanwhile is
 * counted by whoever brings it: no count may have an open end. */
void position_count_recovered(Desk *desk) {
        uint64_t position = lane_stored_seq(desk->lane);
        uint64_t recovered_seq = journal_recovered_seq(desk->journal);
        uint64_t noted_seq = journal_noted_seq(desk->journal);
        uint64_t n = position_count_between(desk, position, recovered_seq);

        if (noted_seq > position)
                position_note_older(position,
                                    noted_seq,
                                    position_count_between(desk, position, noted_seq));
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        log_info("journal_position seq=%llu to_store=%llu",
                 (unsigned long long)position,
                 (unsigned long long)n);
}

/* What was under way when the connection was lost: did it get in? */
static int position_ask(Desk *desk, uint64_t position) {
        CommitRange range;
        int r;

        r = lane_resume(desk->lane, position, &range);
        if (range.to > range.from && stored_take(desk, &range) != 0)
                return err_new(-ENOMEM);
        return r < 0 ? err_up(r) : r;
}

/* Before others had their turn, while they were still to come: what follows goes out behind them.
 */
static int position_ask_own(Desk *desk) {
        int r;

        if (desk->own_seq <= lane_stored_seq(desk->lane) || lane_is_idle(desk->lane))
                return 0;
        r = position_ask(desk, desk->own_seq);
        if (r == DB_E_FENCED)
                return 0;
        return r == 0 && !lane_is_idle(desk->lane) ? DB_E_OFFLINE : r;
}

/* It comes once more to whoever has seen it. What a run before has left untold, or an answer that
 * was lost, is told now: of all that is behind our own records. */
static int position_tell_taken(Desk *desk, uint64_t position) {
        uint64_t after_seq = desk->own_seq > 0 ? desk->own_seq : position;
        uint64_t until_seq = journal_taken_until(desk->journal, after_seq);
        int r = 0;

        if (until_seq > 0 && !desk->has_told_taken)
                r = db_takeover_note_taken(database_conn(desk->database),
                                           journal_epoch(desk->journal),
                                           after_seq,
                                           until_seq);
        desk->has_told_taken = r == 0;
        return r < 0 ? err_up(r) : r;
}

/* Before anything is read to be stored: what came to us and to others, and is stored by them, is
 * no message any more. */
static int position_pass_taken(Desk *desk, uint64_t position) {
        uint64_t n, n_new;

        if (journal_pass_taken(desk->journal, position, &n, &n_new) != 0)
                return DB_E_OFFLINE;
        if (n > 0) {
                desk->has_told_taken = false;
                lane_forget_ahead(desk->lane);
                if (!desk->was_ready) /* what was there at the start is still to be counted */
                        n = n_new;
                metric_add(METRIC_IN_JOURNAL, -(int64_t)n);
                metric_add(METRIC_DUPLICATE, (int64_t)n);
        }
        return position_tell_taken(desk, position);
}

/* The last word to the connection: what was under way when it was lost goes out again. Unless some
 * of it got in, it is read anew: a server that crashed may have forgotten a device that it had
 * registered for it, and have given its id to another. */
int position_resume(Desk *desk, uint64_t position) {
        uint64_t shown_seq = showing_seq(desk->showing), by = 0;
        int r;

        r = position_ask_own(desk);
        if (r == 0)
                r = position_pass_taken(desk, position);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (position == lane_stored_seq(desk->lane))
                lane_restart(desk->lane, position);
        else
                r = position_ask(desk, position);
        if (r == DB_E_FENCED && position > lane_stored_seq(desk->lane))
                r = position_move_on(desk, position);
        if (r == 0 && journal_confirm(desk->journal, 0, position, &by) != 0)
                r = DB_E_OFFLINE;
        if (r == 0 && by > 0) {
                lane_forget_ahead(desk->lane);
                r = position_tell_moved(desk, shown_seq);
        }
        if (r == 0)
                r = showing_pass_others(desk->showing);
        if (r == 0)
                desk->own_seq = desk->doubted_seq = 0;
        return r < 0 ? err_up(r) : r;
}
