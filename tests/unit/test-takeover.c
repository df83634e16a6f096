/* DbTakeover: who takes the position over has it, and whoever had it has not. */

#include <arpa/inet.h>
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/write/takeover.h"
#include "postgres.h"

static DbConn *conn;
static DbPosition position;
static uint64_t floor_seq;

static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        position = (DbPosition){ 0 };
        floor_seq = 0;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        return 0;
}

static int take(const char *epoch, const DbHolder *holder) {
        return db_takeover(conn, epoch, holder, &position, &floor_seq);
}

static uint64_t session(void) {
        return be64toh(position.session);
}

static void slot_is(const char *instance, const char *fence) {
        const char *args[] = { instance, fence };

        assert_int_equal(db_conn_exec(conn,
                                      &(DbQuery){ "INSERT INTO slots (slot, instance, fence,"
                                                  " lease_until) VALUES (0, $1, $2::bigint,"
                                                  " 'infinity') ON CONFLICT (slot) DO UPDATE SET"
                                                  " instance = excluded.instance,"
                                                  " fence = excluded.fence",
                                                  N_ELEMENTS(args),
                                                  args },
                                      NULL),
                         0);
}

static void test_a_journal_that_is_new_begins_at_its_beginning(void **state) {
        (void)state;
        assert_int_equal(take("aa", NULL), 0);
        assert_int_equal(ntohl(position.journal_id), 1);
        assert_true(position.seq == 0 && position.own_seq == 0 && floor_seq == 0);
}

static void test_each_time_the_session_is_another(void **state) {
        uint64_t before;

        (void)state;
        assert_int_equal(take("aa", NULL), 0);
        before = session();
        postgres_run("UPDATE journal_positions SET seq = 7");
        assert_int_equal(take("aa", NULL), 0);
        assert_int_equal(session(), before + 1);
        assert_true(position.seq == 7 && position.own_seq == 7);
}

static void test_a_slot_of_somebody_else_is_not_ours(void **state) {
        DbHolder holder = { .instance = "a1" };

        (void)state;
        assert_int_equal(take("aa", &holder), DB_E_STANDBY); /* nobody's is not ours either */
        slot_is("b1", "5");
        assert_int_equal(take("aa", &holder), DB_E_STANDBY);
        assert_int_equal(postgres_int("SELECT count(*) FROM journal_positions"), 0);
        slot_is("a1", "5");
        assert_int_equal(take("aa", &holder), 0);
        holder.fence = 4; /* with which it was ours, once */
        assert_int_equal(take("aa", &holder), DB_E_STANDBY);
        holder.fence = 5;
        assert_int_equal(take("aa", &holder), 0);
}

/* What others stored meanwhile is passed by who has nothing left of his own. */
static void test_who_has_stored_all_of_his_own_goes_on_behind_others(void **state) {
        DbHolder holder = { .instance = "a1", .last_seq = 10 };

        (void)state;
        slot_is("a1", "1");
        postgres_run("INSERT INTO journal_positions (epoch, slot, seq) VALUES ('aa', 0, 8),"
                     " ('bb', 0, 40)");
        assert_int_equal(take("aa", &holder), 0); /* 9 and 10 are still to be stored */
        assert_true(position.seq == 8 && position.own_seq == 8 && floor_seq == 40);
        holder.last_seq = 8;
        assert_int_equal(take("aa", &holder), 0);
        assert_true(position.seq == 40 && position.own_seq == 8 && floor_seq == 40);
}

static void test_the_writer_is_named_by_whoever_still_has_the_position(void **state) {
        DbHolder holder = { .instance = "a1", .writers = "{w2,w1}", .begins = "{30,0}" };
        DbPosition older;

        (void)state;
        slot_is("a1", "1");
        assert_int_equal(take("aa", &holder), 0);
        older = position;
        assert_int_equal(take("aa", &holder), 0);
        assert_int_equal(db_takeover_name_writer(conn, "aa", &holder, &position), 0);
        assert_int_equal(position.forked_seq, 0); /* nobody has a copy of its folder */
        assert_string_equal(postgres_text("SELECT written_by FROM journal_positions"), "w2");
        assert_int_equal(db_takeover_name_writer(conn, "aa", &holder, &older), DB_E_OFFLINE);
        assert_false(db_conn_is_open(conn));
}

/* Its client is gone, and TCP does not know: it has the row locked, and waits. */
static void test_a_session_that_holds_the_position_for_nobody_is_ended(void **state) {
        DbConn *gone = postgres_connect(0), *busy = postgres_connect(0);

        (void)state;
        assert_int_equal(take("aa", NULL), 0);
        assert_int_equal(db_conn_script(busy, "BEGIN; SELECT 1"), 0); /* that is no matter */
        assert_int_equal(db_conn_script(gone, "BEGIN; UPDATE journal_positions SET seq = 9"), 0);
        assert_int_equal(db_takeover_end_stuck(conn), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM pg_stat_activity"
                                      " WHERE state = 'idle in transaction'"),
                         2); /* it may be at work: it has just begun to wait */
        postgres_wait("SELECT min(clock_timestamp() - query_start) > interval '2.1 s'"
                      " FROM pg_stat_activity WHERE state = 'idle in transaction'");
        assert_int_equal(db_takeover_end_stuck(conn), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity"
                      " WHERE state = 'idle in transaction'");
        assert_int_equal(take("aa", NULL), 0); /* which waits for no lock */
        assert_int_equal(position.seq, 0);
        assert_int_equal(db_conn_script(gone, "COMMIT"), DB_E_OFFLINE);
        assert_int_equal(db_conn_script(busy, "COMMIT"), 0);
        db_conn_free(gone);
        db_conn_free(busy);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_journal_that_is_new_begins_at_its_beginning,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_each_time_the_session_is_another,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_a_slot_of_somebody_else_is_not_ours,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_who_has_stored_all_of_his_own_goes_on_behind_others,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_the_writer_is_named_by_whoever_still_has_the_position,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_a_session_that_holds_the_position_for_nobody_is_ended,
                        set_up,
                        tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
