/* WsCensus: what goes out of a set is looked for before what comes in, and each only to its end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/viewer/census_state.h"

static void test_a_census_goes_where_the_table_says(void **state) {
        enum { NO = WS_CENSUS_STATES, DONE = WS_CENSUS_DONE };
        enum { GOING = WS_CENSUS_GOING, COMING = WS_CENSUS_COMING };
        static const int table[WS_CENSUS_STATES][WS_CENSUS_EVENTS] = {
                /* on DUE, LOOKED, FOUND, VOID: as the header has it */
                [DONE] = { GOING, NO, NO, DONE },
                [GOING] = { NO, COMING, NO, DONE },
                [COMING] = { NO, NO, DONE, DONE },
        };

        (void)state;
        for (int from = 0; from < WS_CENSUS_STATES; ++from) {
                for (int event = 0; event < WS_CENSUS_EVENTS; ++event) {
                        bool is_there = table[from][event] != NO;
                        WsCensus at = (WsCensus)from;

                        assert_int_equal(ws_census_step(&at, (WsCensusEvent)event), is_there);
                        assert_int_equal(at, is_there ? table[from][event] : from);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_census_goes_where_the_table_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
