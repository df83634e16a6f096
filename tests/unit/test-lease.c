/* Lease and node: who has it takes in, and nobody else for a moment; a name is one process's. The
 * database is one that says what the test has it say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/conn.h"
#include "db/write/beat.h"
#include "db/write/slots.h"
#include "gateway/figures.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_flights.h"
#include "gateway/lease.h"
#include "gateway/lease_note.h"
#include "gateway/lease_watch.h"
#include "gateway/lease_words.h"
#include "gateway/node.h"
#include "gateway/succession.h"
#include "model/metrics.h"

enum {
        LEASE_MS = 300,
        PATIENCE_MS = 20000,
};

#define STORED_SEQ (UINT64_C(1) << 52) /* of one of several, beyond any clock */

/* What the next question is answered with, and how many there have been. */
static _Atomic int answer, n_asked;
static _Atomic int n_left; /* times that it was said what is left */
static _Atomic uint64_t left_seq;
static _Atomic uint64_t n_beats; /* of the other one */
static _Atomic uint64_t n_more;  /* signs of life since, another one's among them; 0: none */
static _Atomic int fence;        /* of our own, and so far behind others that stored up to this: */
static _Atomic uint64_t others_seq, behind_seq, used_seq, until_seq, learnt_behind_seq, reach_seq;
static _Atomic uint64_t moved_seq; /* up to where numbers go once it is noted; 0: as they are */
static _Atomic uint64_t begun_until_seq;          /* what was reserved as the turn began */
static _Atomic int n_reserved, n_reached, n_said; /* n_said: that the node is there */
static _Atomic int n_ended;                       /* connections */
static _Atomic int n_learnt; /* flights of others: of both passes, and one that is held */

static _Atomic bool is_ours, has_namesake, is_full, is_unsure;
static _Atomic int slow_ms; /* takes one answer */

static int turn(void) {
        return fence + (n_more > 0 ? 2 : 0);
}

/* ---- the database -------------------------------------------------------------------------- */

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        static char nobody_looks_into_it;

        (void)options;
        *ret_conn = (DbConn *)(void *)&nobody_looks_into_it;
        return 0;
}

DbConn *db_conn_free(DbConn *conn) {
        (void)conn;
        return NULL;
}

bool db_conn_is_open(const DbConn *conn) {
        (void)conn;
        return true;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        (void)conn;
        (void)timeout_ms;
        return 0;
}

void db_conn_disconnect(DbConn *conn) {
        (void)conn;
}

void db_conn_set_stop(DbConn *conn, int fd) {
        (void)conn;
        (void)fd;
}

int db_slots_hold(DbConn *conn, const DbSlotClaim *claim, DbSlot *ret_slot) {
        (void)conn;
        (void)poll(NULL, 0, atomic_exchange(&slow_ms, 0));
        *ret_slot = (DbSlot){ .is_ours = is_ours,
                              .is_agreed = true,
                              .fence = is_ours ? (uint64_t)turn() : 2,
                              .beats = n_beats + (is_ours ? n_more : 0),
                              .lease_ms = claim->lease_ms,
                              .host = "other",
                              .epoch = "e",
                              .client_id = "c" };
        atomic_fetch_add(&n_asked, 1);
        return answer;
}

int db_slots_surplus(DbConn *conn,
                     const DbSlotLayout *layout,
                     const char *instance,
                     int *ret_n,
                     int *ret_n_serving) {
        (void)conn;
        (void)layout;
        (void)instance;
        *ret_n = 0;
        *ret_n_serving = 1;
        return 0;
}

int db_slots_leave(DbConn *conn, const char *epoch, const DbHolder *holder) {
        (void)conn;
        assert_string_equal(epoch, "e");
        atomic_store(&left_seq, holder->last_seq);
        if (atomic_fetch_add(&n_left, 1) == 0)
                return DB_E_OFFLINE; /* it is to be said again */
        return 0;
}

int db_slots_stored(DbConn *conn, int slot, uint64_t *ret_seq) {
        (void)conn;
        (void)slot;
        *ret_seq = others_seq;
        return others_seq == 0 ? DB_E_OFFLINE : 0;
}

int db_slots_flights(DbConn *conn,
                     int slot,
                     const char *epoch,
                     uint64_t after_fence,
                     DbFlightsRowFn fn,
                     void *arg) {
        (void)conn;
        (void)slot;
        assert_true(after_fence < (uint64_t)turn());
        assert_string_equal(epoch, "e");
        fn(arg, text_of("f"), false, true);
        fn(arg, text_of("he"), false, true);
        fn(arg, text_of("f"), false, false);
        fn(arg, text_of("he"), false, false);
        return 0;
}

bool journal_flights_are_held(Text flights) {
        return flights.n == 2;
}

/* In its place among the others, and once. */
void journal_learn_held(Journal *journal, Text flights, bool has_hole) {
        (void)journal;
        assert_int_equal(flights.n, 2);
        assert_false(has_hole);
        assert_int_equal(n_learnt, 2);
        ++n_learnt;
}

void journal_end_connection(Journal *journal) {
        (void)journal;
        ++n_ended;
}

void journal_set_unsure(Journal *journal, bool is) {
        (void)journal;
        is_unsure = is;
}

void journal_learn_begin(Journal *journal) {
        (void)journal;
        n_learnt = 0;
        atomic_store(&learnt_behind_seq, used_seq);
}

void journal_learn(Journal *journal, Text flights, bool has_hole, bool is_first_pass) {
        (void)journal;
        assert_int_equal(flights.n, 1);
        assert_false(has_hole);
        assert_true(is_first_pass == (n_learnt == 0));
        ++n_learnt;
}

uint64_t journal_known_turn(Journal *journal) {
        (void)journal;
        return 0;
}

void journal_begin_turn(Journal *journal, uint64_t begun) {
        (void)journal;
        assert_int_equal(begun, turn());
        assert_int_equal(n_learnt, 3);
        atomic_store(&begun_until_seq, until_seq);
}

/* What comes from the broker comes when we are known to have it: not before. */
int journal_go_behind(Journal *journal, uint64_t stored_seq, uint64_t used) {
        (void)journal;
        if (is_full)
                return JOURNAL_E_FULL;
        atomic_store(&behind_seq, stored_seq);
        atomic_store(&used_seq, used);
        if (moved_seq > 0)
                atomic_store(&reach_seq, moved_seq);
        return 0;
}

int db_slots_reserve(DbConn *conn,
                     const DbHolder *holder,
                     uint64_t *ret_used_seq,
                     uint64_t *ret_until_seq) {
        (void)conn;
        assert_int_equal(holder->fence, turn());
        *ret_used_seq = 90;
        *ret_until_seq = holder->last_seq + (UINT64_C(1) << 28);
        ++n_reserved;
        return 0;
}

void journal_set_until(Journal *journal, uint64_t seq) {
        (void)journal;
        atomic_store(&until_seq, seq);
}

uint64_t journal_until(const Journal *journal) {
        (void)journal;
        return atomic_load(&until_seq);
}

uint64_t journal_reach(Journal *journal, uint64_t position) {
        uint64_t reach = reach_seq;

        (void)journal;
        return reach > position ? reach : position;
}

uint64_t journal_last_seq(const Journal *journal) {
        (void)journal;
        return 7;
}

int db_slots_reach(DbConn *conn, const DbHolder *holder, int64_t *ret_n_left) {
        (void)conn;
        assert_int_equal(holder->last_seq, 7);
        *ret_n_left = 3;
        ++n_reached;
        return 0;
}

int db_slots_release(DbConn *conn, const DbHolder *holder, bool is_drained) {
        (void)conn;
        (void)holder;
        (void)is_drained;
        return 0;
}

int db_beat(DbConn *conn, const DbBeat *beat, DbBeatOwner *ret_owner) {
        (void)conn;
        ++n_said;
        assert_string_equal(beat->cluster, "boats");
        assert_string_equal(beat->node, "n1");
        assert_true(beat->is_fixed);
        assert_memory_equal(beat->figures, "{\"active_connections\":0,", 24);
        /* Whoever has it counts up, if it is alive. */
        *ret_owner = (DbBeatOwner){ .is_us = !has_namesake || *beat->seen_instance,
                                    .beats = n_beats + (is_ours ? n_more : 0),
                                    .lease_ms = beat->lease_ms,
                                    .host = "other",
                                    .instance = "namesake" };
        if (*beat->seen_instance)
                has_namesake = false;
        return 0;
}

int db_beat_end(DbConn *conn, const char *cluster, const char *instance) {
        (void)conn;
        (void)cluster;
        (void)instance;
        return 0;
}

/* ---- what it counts ------------------------------------------------------------------------- */

static void test_sockets_of_all_dialects_are_one_figure(void **state) {
        CLEANUP_BUF Buf figures = { 0 };

        (void)state;
        metric_set(METRIC_WS_CONNECTIONS_A, 2);
        metric_set(METRIC_WS_CONNECTIONS_NATIVE, 5);
        figures_write(&figures);
        assert_memory_equal(figures.data, "{\"active_connections\":7,", 24);
        assert_string_equal(figures.data + figures.n - 3, "0}");
        metrics_reset();
}

/* ---- the lease ----------------------------------------------------------------------------- */

static char folder[] = "/tmp/tidegate-lease.XXXXXX";
static Lease *lease;

static int setup_of(int n_slots, bool is_silent) {
        metrics_reset();
        answer = 0;
        n_asked = 0;
        n_left = 0;
        left_seq = 0;
        n_beats = 1;
        n_more = 0;
        fence = 1;
        n_learnt = n_ended = 0;
        others_seq = n_slots > 1 ? STORED_SEQ : 0;
        behind_seq = used_seq = learnt_behind_seq = 0;
        until_seq = UINT64_MAX;
        reach_seq = 7;
        moved_seq = begun_until_seq = 0;
        n_reserved = n_reached = n_said = 0;
        is_full = is_unsure = false;
        slow_ms = 0;
        is_ours = true;
        has_namesake = false;
        snprintf(folder, sizeof(folder), "/tmp/tidegate-lease.XXXXXX");
        assert_non_null(mkdtemp(folder));
        return lease_new(&lease,
                         &(LeaseOptions){ .database_url = "",
                                          .journal_dir = folder,
                                          .epoch = "e",
                                          .cluster = "boats",
                                          .node = "n1",
                                          .client_id = "c",
                                          .layout = { .n_slots = n_slots, .cluster = "boats" },
                                          .is_silent = is_silent,
                                          .lease_ms = LEASE_MS });
}

static int setup(void **state) {
        (void)state;
        return setup_of(1, false);
}

static int setup_of_several(void **state) {
        (void)state;
        return setup_of(4, false);
}

static int setup_of_another(void **state) {
        (void)state;
        return setup_of(4, true);
}

static int teardown(void **state) {
        char note[64];

        (void)state;
        lease = lease_free(lease);
        snprintf(note, sizeof(note), "%s/standby", folder);
        (void)unlink(note);
        return rmdir(folder);
}

static void wait_for_state(LeaseState wanted) {
        for (int ms = 0; lease_state(lease) != wanted && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_int_equal(lease_state(lease), wanted);
}

/* The attempt that is under way, and a whole one after it, have ended. */
static void wait_for_attempts(void) {
        int n = n_asked;

        for (int ms = 0; n_asked < n + 3 && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_true(n_asked >= n + 3);
}

static void test_who_has_it_is_awake(void **state) {
        (void)state;
        assert_false(lease_is_awake(lease) && lease_state(lease) != LEASE_HELD);
        wait_for_state(LEASE_HELD);
        assert_int_equal(n_learnt, 3); /* before anybody hears that it is held */
        wait_for_attempts();
        assert_int_equal(n_learnt, 3); /* once a turn */
        assert_int_equal(metric_get(METRIC_JOURNALS_LEFT), 3);
        assert_true(lease_is_awake(lease));
        assert_true(lease_is_confirmed(lease));
}

/* Who was stopped learns by asking that another one has it: from before he knows until he has it
 * again nothing is taken in, however lately he has asked. */
static void test_who_asked_and_heard_of_another_is_not(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        is_ours = false;
        wait_for_state(LEASE_DOUBTED);
        for (int i = 0; i < 1000; ++i)
                assert_false(lease_is_awake(lease));
        is_ours = true; /* it was the row of a database that was put back */
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_true(lease_is_awake(lease));
}

static void test_another_one_that_lives_has_it_for_good(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        is_ours = false;
        for (int ms = 0; lease_state(lease) != LEASE_LOST && ms < PATIENCE_MS; ++ms) {
                ++n_beats;
                (void)poll(NULL, 0, 1);
        }
        assert_int_equal(lease_state(lease), LEASE_LOST);
        assert_false(lease_is_awake(lease));
}

/* What our connection still brings came to that one, too. */
static void test_who_has_it_again_behind_another_one_ends_its_connection(void **state) {
        (void)state;
        others_seq = 1;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        is_ours = false;
        wait_for_state(LEASE_DOUBTED);
        assert_int_equal(n_ended, 0);
        n_more = 2; /* that one's, and ours as we take it */
        is_ours = true;
        wait_for_state(LEASE_HELD);
        assert_int_equal(n_ended, 1);
}

/* And so does who had not looked meanwhile, as it was stopped. */
static void test_who_was_stopped_meanwhile_does_so_as_well(void **state) {
        (void)state;
        others_seq = 1;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        n_more = 100;
        wait_for_attempts();
        assert_int_equal(n_ended, 1);
        assert_int_equal(lease_state(lease), LEASE_HELD);
}

/* The fence of a slot goes up as a dead one's journal is adopted, and it stays whose it is. */
static void test_who_had_it_all_the_time_keeps_its_connection(void **state) {
        (void)state;
        others_seq = 1;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        fence += 2;
        wait_for_attempts();
        assert_int_equal(n_ended, 0);
        assert_true(lease_is_awake(lease));
}

/* A database that was put back knows less of us. */
static void test_an_older_database_ends_no_connection(void **state) {
        (void)state;
        others_seq = 1;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        n_beats = 0;
        fence += 1; /* above what it said: it goes behind what it is told */
        wait_for_attempts();
        assert_int_equal(n_ended, 0);
        assert_int_equal(lease_state(lease), LEASE_HELD);
}

static void test_a_name_is_one_process_s(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        has_namesake = true;
        for (int ms = 0; lease_state(lease) != LEASE_LOST && ms < PATIENCE_MS; ++ms) {
                ++n_beats;
                (void)poll(NULL, 0, 1);
        }
        assert_int_equal(lease_state(lease), LEASE_LOST);
}

/* Who had it gave no sign of life for a lease. */
static void test_a_dead_one_s_name_is_taken_over(void **state) {
        (void)state;
        has_namesake = true;
        for (int ms = 0; has_namesake && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_false(has_namesake);
        wait_for_attempts();
        assert_int_equal(lease_state(lease), LEASE_HELD);
}

/* It may have taken in while it could not ask, so that nobody else knows of it. */
static void test_who_finds_another_says_once_what_it_has_left(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(n_left, 0);
        is_ours = false;
        wait_for_state(LEASE_DOUBTED);
        for (int ms = 0; n_left < 2 && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        wait_for_attempts();
        assert_int_equal(n_left, 2); /* the first time in vain */
        assert_int_equal(left_seq, 7);
}

/* Whatever keeps that from being known, or from being noted: nothing comes from the broker before.
 */
static void test_who_comes_back_goes_on_behind_others_first(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(behind_seq, 0); /* nobody else had a turn */
        fence = 3;
        for (int ms = 0; lease_is_confirmed(lease) && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        is_full = true;
        others_seq = 50;
        wait_for_attempts();
        assert_false(lease_is_confirmed(lease));
        assert_int_equal(behind_seq, 0);
        is_full = false;
        for (int ms = 0; !lease_is_confirmed(lease) && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_true(lease_is_confirmed(lease));
        assert_int_equal(behind_seq, 50);
        assert_int_equal(lease_state(lease), LEASE_HELD);
}

/* Viewers of all nodes have been shown what its owner before alone had. */
static void test_who_has_one_of_several_reserves_what_it_may_show(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(used_seq, 90);
        assert_int_equal(behind_seq, 0);
        assert_int_equal(n_reserved, 1); /* once for all of that */
        assert_int_equal(until_seq, STORED_SEQ + (UINT64_C(1) << 28));
        assert_int_equal(learnt_behind_seq, 90); /* that is written into the journal */

        until_seq = 8 + (UINT64_C(1) << 27); /* more than half of it is left */
        wait_for_attempts();
        assert_int_equal(n_reserved, 1);
        until_seq = 6 + (UINT64_C(1) << 27);
        for (int ms = 0; n_reserved < 2 && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        wait_for_attempts();
        assert_int_equal(n_reserved, 2);
        assert_int_equal(until_seq, 7 + (UINT64_C(1) << 28));
}

/* Where that cannot be noted, what comes has numbers that the owner before may have shown. */
static void test_who_cannot_note_behind_which_shows_nothing_more(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        is_full = true;
        others_seq = 2 * STORED_SEQ;
        fence = 3;
        for (int ms = 0; n_reserved < 3 && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_int_equal(n_reserved, 3);
        assert_int_equal(until_seq, STORED_SEQ + (UINT64_C(1) << 28));
        is_full = false;
        for (int ms = 0; begun_until_seq < 2 * STORED_SEQ && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_int_equal(begun_until_seq, 2 * STORED_SEQ + (UINT64_C(1) << 28));
}

/* What is in doubt goes behind others, and what comes after it behind that. */
static void test_what_the_database_will_move_is_reserved_before_it_is_opened(void **state) {
        const uint64_t far = STORED_SEQ + (UINT64_C(1) << 30);

        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(begun_until_seq, STORED_SEQ + (UINT64_C(1) << 28));
        moved_seq = far; /* which is known once it is noted behind which they go */
        fence = 3;
        wait_for_attempts();
        wait_for_attempts();
        assert_int_equal(begun_until_seq, far + (UINT64_C(1) << 28));
        assert_int_equal(n_reserved, 3);
}

/* Each slot has numbers of its own, whichever of them speaks for the node. */
static void test_who_does_not_speak_for_the_node_reserves_as_well(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(n_reserved, 1);
        until_seq = 6 + (UINT64_C(1) << 27);
        wait_for_attempts();
        wait_for_attempts();
        assert_int_equal(n_reserved, 2);
        assert_int_equal(until_seq, 7 + (UINT64_C(1) << 28));
        assert_true(n_reached > 0);
        assert_int_equal(metric_get(METRIC_JOURNALS_LEFT), 3);
        assert_int_equal(n_said, 0);
}

/* Whoever looks at the state alone may see no end between two turns. */
static void test_who_lets_go_says_when_that_is_over_though_it_has_it_again(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        assert_false(lease_is_letting_go(lease));
        others_seq = 50;
        fence = 3; /* nobody else wants it */
        lease_let_go(lease);
        for (int ms = 0; lease_is_letting_go(lease) && ms < PATIENCE_MS; ++ms)
                (void)poll(NULL, 0, 1);
        assert_false(lease_is_letting_go(lease));
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_false(lease_is_letting_go(lease));
        assert_int_equal(metric_get(METRIC_LEASE_TAKEN), 2);
}

static void test_who_is_alone_reserves_nothing(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        wait_for_attempts();
        assert_int_equal(n_reserved, 0);
        assert_int_equal(until_seq, UINT64_MAX);
}

/* Nobody can take anything over then. */
static void test_a_database_that_is_away_changes_nothing(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        answer = DB_E_OFFLINE;
        wait_for_attempts();
        assert_int_equal(lease_state(lease), LEASE_HELD);
        assert_true(lease_is_awake(lease));
        assert_false(is_unsure);
}

/* Somebody may have been there meanwhile, whom the database names once it can. */
static void test_who_slept_and_cannot_ask_is_unsure(void **state) {
        (void)state;
        wait_for_state(LEASE_HELD);
        answer = DB_E_OFFLINE;
        slow_ms = 2 * LEASE_MS;
        wait_for_attempts();
        assert_true(lease_is_awake(lease));
        assert_true(is_unsure);
        answer = 0;
        wait_for_attempts();
        assert_int_equal(lease_state(lease), LEASE_HELD);
        assert_false(is_unsure);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sockets_of_all_dialects_are_one_figure),
                cmocka_unit_test_setup_teardown(test_who_has_it_is_awake, setup, teardown),
                cmocka_unit_test_setup_teardown(test_who_asked_and_heard_of_another_is_not,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_another_one_that_lives_has_it_for_good,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_who_has_one_of_several_reserves_what_it_may_show,
                        setup_of_several,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_who_cannot_note_behind_which_shows_nothing_more,
                        setup_of_several,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_the_database_will_move_is_reserved_before_it_is_opened,
                        setup_of_several,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_who_does_not_speak_for_the_node_reserves_as_well,
                        setup_of_another,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_who_lets_go_says_when_that_is_over_though_it_has_it_again,
                        setup_of_several,
                        teardown),
                cmocka_unit_test_setup_teardown(test_who_is_alone_reserves_nothing,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_comes_back_goes_on_behind_others_first,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_finds_another_says_once_what_it_has_left,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_who_has_it_again_behind_another_one_ends_its_connection,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_who_was_stopped_meanwhile_does_so_as_well,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_had_it_all_the_time_keeps_its_connection,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_an_older_database_ends_no_connection,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_name_is_one_process_s, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_dead_one_s_name_is_taken_over,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_database_that_is_away_changes_nothing,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_slept_and_cannot_ask_is_unsure,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
