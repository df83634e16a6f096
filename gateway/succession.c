#include "gateway/succession.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_flights.h"
#include "model/metrics.h"

/* Of those that schema/0055 gives: half. */
#define SUCCESSION_LOW_NUMBERS (UINT64_C(1) << 27)

typedef struct Succession Succession;

struct Succession {
        Journal *journal; /* borrowed */
        bool has_begun;
};

static void succession_learn_some(void *arg, Text flights, bool has_hole, bool is_first_pass) {
        Succession *succession = arg;

        if (journal_flights_are_held(flights)) {
                if (!is_first_pass)
                        journal_learn_held(succession->journal, flights, has_hole);
                return;
        }
        if (!succession->has_begun)
                journal_learn_begin(succession->journal);
        succession->has_begun = true;
        journal_learn(succession->journal, flights, has_hole, is_first_pass);
}

int succession_learn(DbConn *conn,
                     int slot,
                     const char *epoch,
                     uint64_t after_fence,
                     Journal *journal) {
        Succession succession = { .journal = journal };
        uint64_t known_fence = journal_known_turn(journal); /* of a process before */
        int r;

        r = db_slots_flights(conn,
                             slot,
                             epoch,
                             after_fence > known_fence ? after_fence : known_fence,
                             succession_learn_some,
                             &succession);
        return r < 0 ? DB_E_OFFLINE : r;
}

/* What is left of the numbers that we may show is half of them: more. @position: behind which what
 * is in doubt goes; 0: known by now. */
static int succession_reserve_more(DbConn *conn,
                                   const DbHolder *holder,
                                   Journal *journal,
                                   uint64_t position) {
        uint64_t until_seq = journal_until(journal), used_seq;
        DbHolder reaching = *holder;
        int r;

        reaching.last_seq = journal_reach(journal, position);
        if (until_seq == UINT64_MAX || reaching.last_seq + SUCCESSION_LOW_NUMBERS < until_seq)
                return 0;
        r = db_slots_reserve(conn, &reaching, &used_seq, &until_seq);
        if (r == 0)
                journal_set_until(journal, until_seq);
        return r;
}

/* None of them is shown before it is noted behind which they are. */
static int succession_share(DbConn *conn,
                            const DbHolder *holder,
                            uint64_t stored_seq,
                            uint64_t others_seq,
                            Journal *journal) {
        uint64_t now = (uint64_t)clock_now_us(), used_seq, until_seq;
        DbHolder reaching = *holder;
        int r;

        reaching.last_seq = journal_reach(journal, stored_seq > now ? stored_seq : now);
        r = db_slots_reserve(conn, &reaching, &used_seq, &until_seq);
        if (r != 0)
                return r;
        if (journal_go_behind(journal, others_seq, used_seq) != 0)
                return DB_E_OFFLINE; /* nothing may come yet: ask again */
        journal_set_until(journal, until_seq);
        return succession_reserve_more(conn, holder, journal, stored_seq);
}

int succession_go_behind(DbConn *conn,
                         const DbHolder *holder,
                         bool had_it,
                         bool shares,
                         Journal *journal) {
        uint64_t last_seq = journal_last_seq(journal), stored_seq = 0, others_seq;
        int r = had_it || shares ? db_slots_stored(conn, holder->slot, &stored_seq) : 0;

        others_seq = had_it ? stored_seq : 0; /* else the journal's own position says it */
        if (r == 0 && shares)
                r = succession_share(conn, holder, stored_seq, others_seq, journal);
        else if (r == 0 && journal_go_behind(journal, others_seq, 0) != 0)
                r = DB_E_OFFLINE;
        if (r == 0 && last_seq < others_seq)
                log_info("journal_behind_others last=%llu position=%llu",
                         (unsigned long long)last_seq,
                         (unsigned long long)others_seq);
        return r;
}

int succession_go_on(DbConn *conn, const DbHolder *holder, Journal *journal) {
        DbHolder reaching = *holder;
        int64_t n_left = 0;
        int r;

        reaching.last_seq = journal_last_seq(journal);
        r = db_slots_reach(conn, &reaching, &n_left);
        metric_set(METRIC_JOURNALS_LEFT, n_left);
        return r == 0 ? succession_reserve_more(conn, holder, journal, 0) : r;
}
