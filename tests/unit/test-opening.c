/* Opening: it is stored only after all that has to be read has been read on that connection. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/store/opening.h"

enum { NOWHERE = OPENING_STATES };

/* As the header has it. */
static const int table[OPENING_STATES][OPENING_EVENTS] = {
        /* on OPENED, LOADED, READ, READY, LOST */
        [OPENING_NOT] = { OPENING_WAITS, NOWHERE, NOWHERE, NOWHERE, OPENING_NOT },
        [OPENING_WAITS] = { OPENING_WAITS, OPENING_READS, NOWHERE, NOWHERE, OPENING_NOT },
        [OPENING_READS] = { OPENING_WAITS, NOWHERE, OPENING_KNOWS, NOWHERE, OPENING_NOT },
        [OPENING_KNOWS] = { OPENING_WAITS, NOWHERE, NOWHERE, OPENING_NOT, OPENING_NOT },
};

static void test_each_state_goes_where_the_table_says(void **state) {
        (void)state;
        for (int from = 0; from < OPENING_STATES; ++from) {
                for (int event = 0; event < OPENING_EVENTS; ++event) {
                        bool is_there = table[from][event] != NOWHERE;
                        OpeningState at = (OpeningState)from;

                        assert_int_equal(opening_step(&at, (OpeningEvent)event), is_there);
                        assert_int_equal(at, is_there ? table[from][event] : from);
                }
        }
}

/* However the events come, ready is only behind opened, loaded and read, in that order. */
static void test_nothing_is_ready_that_was_not_read(void **state) {
        static const OpeningEvent ways[] = {
                OPENING_ON_OPENED,
                OPENING_ON_LOADED,
                OPENING_ON_READ,
                OPENING_ON_LOST,
        };

        (void)state;
        for (unsigned n = 0; n < 1024; ++n) { /* all ways of five events */
                OpeningState at = OPENING_NOT;
                size_t n_done = 0;

                for (unsigned i = 0; i < 5; ++i) {
                        OpeningEvent event = ways[n >> (2 * i) & 3];
                        OpeningState now;

                        if (event == OPENING_ON_OPENED)
                                n_done = 1;
                        else if (event == OPENING_ON_LOST)
                                n_done = 0;
                        else if (n_done == (size_t)event)
                                ++n_done;
                        (void)opening_step(&at, event);
                        now = at;
                        assert_int_equal(opening_step(&now, OPENING_ON_READY), n_done == 3);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_state_goes_where_the_table_says),
                cmocka_unit_test(test_nothing_is_ready_that_was_not_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
