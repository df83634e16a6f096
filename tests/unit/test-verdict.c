/* DbVerdict: whose fault it is, by the statement that was refused and what was said of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/conn.h"
#include "db/write/verdict.h"

static void test_the_statement_tells_whose_fault_it_is(void **state) {
        (void)state;
        assert_int_equal(db_verdict(DB_SHEET_RAW_LOGS, DB_TROUBLE_CHECK), DB_E_REJECTED);
        assert_int_equal(db_verdict(DB_SHEET_RAW_LOGS, DB_TROUBLE_DENIED), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_SHEET_STATES, DB_TROUBLE_CHECK), DB_E_STATES);
        assert_int_equal(db_verdict(DB_SHEET_STATES, DB_TROUBLE_DENIED), DB_E_STATES);
        assert_int_equal(db_verdict(DB_SHEET_DEAD_LETTERS, DB_TROUBLE_CHECK), DB_E_REJECTED);
        assert_int_equal(db_verdict(DB_SHEET_DEAD_LETTERS, DB_TROUBLE_DENIED), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_SHEET_LETTERS, DB_TROUBLE_ROWS), DB_E_REJECTED);
        assert_int_equal(db_verdict(DB_SHEET_REPLAYS, DB_TROUBLE_CHECK), DB_E_REJECTED);
        assert_int_equal(db_verdict(DB_SHEET_REFUSED, DB_TROUBLE_CHECK), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_SHEET_ORIGINS, DB_TROUBLE_CHECK), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_STEP_OTHER, DB_TROUBLE_ROWS), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_STEP_PROBE, DB_TROUBLE_CHECK), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_STEP_COMMIT, DB_TROUBLE_ROWS), DB_E_REJECTED);
}

static void test_unproved_it_is_the_row_for_what_the_probes_have_passed(void **state) {
        (void)state;
        assert_int_equal(db_verdict_unproved(DB_SHEET_RAW_LOGS, DB_TROUBLE_TAKEN), DB_E_REJECTED);
        assert_int_equal(db_verdict_unproved(DB_SHEET_RAW_LOGS, DB_TROUBLE_CHECK), DB_E_REJECTED);
        assert_int_equal(db_verdict_unproved(DB_SHEET_RAW_LOGS, DB_TROUBLE_VALUE), DB_E_REJECTED);
        assert_int_equal(db_verdict_unproved(DB_SHEET_RAW_LOGS, DB_TROUBLE_ROWS), DB_E_REFUSED);
        assert_int_equal(db_verdict_unproved(DB_SHEET_RAW_LOGS, DB_TROUBLE_REFERENCE),
                         DB_E_REFUSED);
        assert_int_equal(db_verdict_unproved(DB_STEP_OTHER, DB_TROUBLE_CHECK), DB_E_REFUSED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_statement_tells_whose_fault_it_is),
                cmocka_unit_test(test_unproved_it_is_the_row_for_what_the_probes_have_passed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
