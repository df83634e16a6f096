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
        assert_int_equal(db_verdict(DB_SHEET_DEAD_LETTERS, DB_TROUBLE_CHECK), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_STEP_OTHER, DB_TROUBLE_ROWS), DB_E_REFUSED);
        assert_int_equal(db_verdict(DB_STEP_COMMIT, DB_TROUBLE_ROWS), DB_E_REJECTED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_statement_tells_whose_fault_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
