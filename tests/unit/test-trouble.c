/* DbTrouble: what an SQLSTATE says is said once, and of codes that are not known nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/trouble.h"

static void test_a_class_means_one_thing(void **state) {
        static const struct {
                const char *sqlstate;
                DbTrouble trouble;
        } rows[] = {
                { "08006", DB_TROUBLE_SERVER },    { "26000", DB_TROUBLE_SERVER },
                { "57P01", DB_TROUBLE_SERVER },    { "58030", DB_TROUBLE_SERVER },
                { "25006", DB_TROUBLE_SERVER },    { "25P03", DB_TROUBLE_SERVER },
                { "53100", DB_TROUBLE_SHORT },     { "53300", DB_TROUBLE_SHORT },
                { "55P03", DB_TROUBLE_LOCKED },    { "57014", DB_TROUBLE_LOCKED },
                { "40001", DB_TROUBLE_RACE },      { "40P01", DB_TROUBLE_RACE },
                { "42501", DB_TROUBLE_DENIED },    { "42P01", DB_TROUBLE_DENIED },
                { "TG001", DB_TROUBLE_FENCED },    { "22003", DB_TROUBLE_VALUE },
                { "23503", DB_TROUBLE_REFERENCE }, { "23505", DB_TROUBLE_TAKEN },
                { "23514", DB_TROUBLE_CHECK },     { "23502", DB_TROUBLE_ROWS },
                { "44000", DB_TROUBLE_ROWS },      { "54000", DB_TROUBLE_ROWS },
                { "P0001", DB_TROUBLE_ROWS },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                assert_int_equal(db_trouble(rows[i].sqlstate), rows[i].trouble);
}

static void test_what_is_not_known_blames_nobody(void **state) {
        static const char *const others[] = {
                "", "0", "25001", "40003", "55000", "XX000", "TG002"
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i) {
                assert_int_equal(db_trouble(others[i]), DB_TROUBLE_OTHER);
                assert_false(db_trouble_may_be_rows(db_trouble(others[i])));
        }
}

static void test_rows_are_blamed_for_what_is_in_them_only(void **state) {
        (void)state;
        assert_true(db_trouble_may_be_rows(db_trouble("22P02")));
        assert_true(db_trouble_may_be_rows(db_trouble("23503")));
        assert_true(db_trouble_may_be_rows(db_trouble("P0001")));
        assert_false(db_trouble_may_be_rows(db_trouble("57014")));
        assert_false(db_trouble_may_be_rows(db_trouble("40001")));
        assert_false(db_trouble_may_be_rows(db_trouble("53100")));
        assert_false(db_trouble_may_be_rows(db_trouble("42P01")));
}

static void test_only_a_time_out_of_the_statement_is_one(void **state) {
        (void)state;
        assert_true(db_trouble_is_timeout("57014"));
        assert_false(db_trouble_is_timeout("55P03"));
        assert_false(db_trouble_is_timeout(""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_a_time_out_of_the_statement_is_one),
                cmocka_unit_test(test_a_class_means_one_thing),
                cmocka_unit_test(test_what_is_not_known_blames_nobody),
                cmocka_unit_test(test_rows_are_blamed_for_what_is_in_them_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
