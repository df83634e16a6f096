#include "gateway/succession.h"

#include "gateway/journal/journal.h"
#include "gateway/journal/journal_flights.h"
#include "model/metrics.h"

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

int succession_reach(DbConn *conn, int slot, const char *instance, const Journal *journal) {
        const DbHolder holder = { .slot = slot,
                                  .instance = instance,
                                  .last_seq = journal_last_seq(journal) };
        int64_t n_left = 0;
        int r = db_slots_reach(conn, &holder, &n_left);

        metric_set(METRIC_JOURNALS_LEFT, n_left);
        return r;
}
