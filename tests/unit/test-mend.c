/* DbMend: what is missing behind the position becomes rows, and the count stays what it was. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/write/mend.h"
#include "db/write/partitions.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

static DbConn *conn;
static DbMend *mend;

static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run("INSERT INTO devices (code) VALUES ('d1');"
                     "INSERT INTO vehicles (code) VALUES ('v1');"
                     "INSERT INTO journal_positions (epoch, seq, stored, checked_seq,"
                     " checked_stored) VALUES ('aa', 20, 15, 5, 4)");
        conn = postgres_connect(5000);
        assert_int_equal(db_partitions_make(conn, NOON, NOON), 0);
        assert_int_equal(db_mend_new(&mend, conn, "aa"), 0);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        mend = db_mend_free(mend);
        conn = db_conn_free(conn);
        return 0;
}

static int store_one(uint64_t seq, const char *data) {
        Record record = { .seq = seq,
                          .received_us = NOON,
                          .time_us = NOON,
                          .kind = KIND_TELEMETRY,
                          .device_id = 1,
                          .data = text_of(data) };
        Record *pointer = &record;

        return db_mend_store(mend, &(DbBatch){ .records = &pointer, .n_records = 1, .seq = 999 });
}

static int begin(void) {
        uint64_t seq = 0;
        int r = db_mend_begin(mend, &seq);

        if (r == 0)
                assert_int_equal(seq, 20);
        return r;
}

static void expect_position(const char *wanted) {
        assert_string_equal(postgres_text("SELECT concat_ws(' ', seq, stored, checked_seq,"
                                          " checked_stored) FROM journal_positions"),
                            wanted);
}

static void test_what_is_missing_is_written_and_neither_position_nor_count_moves(void **state) {
        (void)state;
        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{\"a\":1}"), 0);
        assert_int_equal(store_one(9, "{\"a\":2}"), 0); /* another batch of the same transaction */
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 0);
        assert_int_equal(db_mend_commit(mend), 0);
        assert_string_equal(postgres_text("SELECT string_agg(seq::text, ' ' ORDER BY seq)"
                                          " FROM telemetry"),
                            "7 9");
        expect_position("20 15 5 4");
}

static void test_once_all_of_it_agrees_the_books_go_on_from_the_position(void **state) {
        (void)state;
        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{}"), 0);
        assert_int_equal(db_mend_agree(mend), 0);
        expect_position("20 15 5 4"); /* not before it is committed */
        assert_int_equal(db_mend_commit(mend), 0);
        expect_position("20 15 20 15");
}

static void test_what_is_refused_takes_the_whole_transaction_back_and_the_next_one_works(
        void **state) {
        (void)state;
        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{}"), 0);
        assert_int_equal(store_one(8, "no json"), DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(conn), "22P02"); /* what was said first */
        assert_int_equal(postgres_int("SELECT count(*) FROM pg_stat_activity"
                                      " WHERE state = 'idle in transaction'"),
                         0);
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 0);

        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{}"), 0);
        assert_int_equal(db_mend_commit(mend), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 1);
}

/* It would else be called stored, and the books be settled. */
static void test_what_a_trigger_keeps_out_without_a_word_is_told_and_taken_back(void **state) {
        (void)state;
        postgres_run("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                     " RETURN CASE WHEN NEW.payload::text = '[]' THEN NULL ELSE NEW END; END $$;"
                     "CREATE TRIGGER swallow BEFORE INSERT ON telemetry FOR EACH ROW"
                     " EXECUTE FUNCTION swallow()");
        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{}"), 0);
        assert_int_equal(store_one(8, "[]"), DB_E_REFUSED);
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 0);
        assert_int_equal(begin(), 0);
        assert_int_equal(store_one(7, "{}"), 0);
        assert_int_equal(db_mend_commit(mend), 0);
        expect_position("20 15 5 4");
}

static void test_nobody_moves_the_position_or_mends_meanwhile(void **state) {
        DbConn *other = postgres_connect(5000);
        DbMend *second = NULL;
        uint64_t seq = 0;

        (void)state;
        assert_int_equal(db_mend_new(&second, other, "aa"), 0);
        assert_int_equal(begin(), 0);
        assert_int_equal(db_conn_script(other, "SET lock_timeout = '50ms'"), 0);
        assert_int_equal(db_mend_begin(second, &seq), DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(other), "55P03");
        assert_int_equal(db_mend_commit(mend), 0);
        assert_int_equal(db_mend_begin(second, &seq), 0);
        assert_int_equal(db_mend_commit(second), 0);
        db_mend_free(second);
        db_conn_free(other);
}

static void test_a_journal_that_nobody_knows_is_not_found(void **state) {
        DbMend *unknown = NULL;
        uint64_t seq = 4711;

        (void)state;
        assert_int_equal(db_mend_new(&unknown, conn, "zz"), 0);
        assert_int_equal(db_mend_begin(unknown, &seq), DB_E_NOT_FOUND);
        assert_int_equal(seq, 4711);
        assert_int_equal(begin(), 0); /* no transaction was left open */
        assert_int_equal(db_mend_commit(mend), 0);
        db_mend_free(unknown);
}

static void test_a_connection_that_is_lost_is_said_to_be(void **state) {
        (void)state;
        assert_int_equal(begin(), 0);
        postgres_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE state = 'idle in transaction'");
        assert_int_equal(store_one(7, "{}"), DB_E_OFFLINE);
        assert_int_equal(db_mend_commit(mend), DB_E_OFFLINE);
        assert_int_equal(begin(), DB_E_OFFLINE);
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_what_is_missing_is_written_and_neither_position_nor_count_moves,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_once_all_of_it_agrees_the_books_go_on_from_the_position,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_is_refused_takes_the_whole_transaction_back_and_the_next_one_works,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_a_trigger_keeps_out_without_a_word_is_told_and_taken_back,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(test_nobody_moves_the_position_or_mends_meanwhile,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_a_journal_that_nobody_knows_is_not_found,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_a_connection_that_is_lost_is_said_to_be,
                                                set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
