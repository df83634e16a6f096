/* BatchState, BatchFate: where a batch and its records can go, and where not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/store/fate.h"

static void test_a_batch_goes_where_the_table_says(void **state) {
        enum { NO = BATCH_STATES, EMPTY = BATCH_EMPTY, SHOWN = BATCH_SHOWN, FINAL = BATCH_FINAL };
        static const int table[BATCH_STATES][BATCH_EVENTS] = {
                /* on SHOW, LOAD, SETTLE, RESET: as the header has it */
                [EMPTY] = { SHOWN, FINAL, NO, EMPTY },
                [SHOWN] = { SHOWN, NO, FINAL, EMPTY },
                [FINAL] = { NO, NO, NO, EMPTY },
        };

        (void)state;
        for (int from = 0; from < BATCH_STATES; ++from) {
                for (int event = 0; event < BATCH_EVENTS; ++event) {
                        bool is_there = table[from][event] != NO;
                        BatchState at = (BatchState)from;

                        assert_int_equal(batch_step(&at, (BatchEvent)event), is_there);
                        assert_int_equal(at, is_there ? table[from][event] : from);
                }
        }
}

static void test_a_record_goes_where_the_table_says(void **state) {
        enum { NO = BATCH_FATES, OPEN = BATCH_OPEN, ROW = BATCH_ROW, LETTER = BATCH_LETTER };
        static const int table[BATCH_FATES][BATCH_VERDICTS] = {
                /* on LEFT, TAKEN, REFUSED, IGNORED: as the header has it */
                [BATCH_READ] = { OPEN, ROW, LETTER, BATCH_NOTHING },
                [OPEN] = { NO, ROW, LETTER, BATCH_NOTHING },
                [ROW] = { NO, ROW, LETTER, BATCH_NOTHING },
                [LETTER] = { NO, NO, NO, NO },
                [BATCH_NOTHING] = { NO, NO, NO, NO },
        };

        (void)state;
        for (int from = 0; from < BATCH_FATES; ++from) {
                for (int verdict = 0; verdict < BATCH_VERDICTS; ++verdict) {
                        bool is_there = table[from][verdict] != NO;
                        BatchFate at = (BatchFate)from;

                        assert_int_equal(batch_fate_step(&at, (BatchVerdict)verdict), is_there);
                        assert_int_equal(at, is_there ? table[from][verdict] : from);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_batch_goes_where_the_table_says),
                cmocka_unit_test(test_a_record_goes_where_the_table_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
