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
        int r = db_slots_flights(conn,
                                 slot,
                                 epoch,
                                 after_fence,
                                 succession_learn_some,
                                 &succession);

        return r < 0 ? DB_E_OFFLINE : r;
}

static int succession_reserve(DbConn *conn,
                              const DbHolder *holder,
                              uint64_t last_seq,
                              Journal *journal,
                              uint64_t *ret_used_seq) {
        DbHolder reaching = *holder;
        uint64_t until_seq;
        int r;

        reaching.last_seq = last_seq;
        r = db_slots_reserve(conn, &reaching, ret_used_seq, &until_seq);
        if (r == 0)
                journal_set_until(journal, until_seq);
        return r;
}

int succession_go_behind(DbConn *conn,
                         const DbHolder *holder,
                         bool had_it,
                         bool shares,
                         Journal *journal) {
        uint64_t last_seq = journal_last_seq(journal), now = (uint64_t)clock_now_us();
        uint64_t stored_seq = 0, used_seq = 0, from = last_seq > now ? last_seq : now;
        int r = had_it || shares ? db_slots_stored(conn, holder->slot, &stored_seq) : 0;

        if (r == 0 && shares)
                r = succession_reserve(conn,
                                       holder,
                                       stored_seq > from ? stored_seq : from,
                                       journal,
                                       &used_seq);
        if (r != 0)
                return r;
        if (!had_it) /* the journal's own position says it */
                stored_seq = 0;
        if (journal_go_behind(journal, stored_seq, used_seq) != 0)
                return DB_E_OFFLINE; /* nothing may come yet: ask again */
        if (last_seq < stored_seq)
                log_info("journal_behind_others last=%llu position=%llu",
                         (unsigned long long)last_seq,
                         (unsigned long long)stored_seq);
        return 0;
}

/* What is left of the numbers that we may show is half of them: more. */
static int succession_reserve_more(DbConn *conn, const DbHolder *holder, Journal *journal) {
        uint64_t last_seq = journal_last_seq(journal), until_seq = journal_until(journal);
        uint64_t used_seq;

        if (until_seq == UINT64_MAX || last_seq + SUCCESSION_LOW_NUMBERS < until_seq)
                return 0;
        return succession_reserve(conn, holder, last_seq, journal, &used_seq);
}

int succession_go_on(DbConn *conn, const DbHolder *holder, Journal *journal) {
        DbHolder reaching = *holder;
        int64_t n_left = 0;
        int r;

        reaching.last_seq = journal_last_seq(journal);
        r = db_slots_reach(conn, &reaching, &n_left);
        metric_set(METRIC_JOURNALS_LEFT, n_left);
        return r == 0 ? succession_reserve_more(conn, holder, journal) : r;
}
