/* WsLine: a thousand who wait of one party are one before each other's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/net/line.h"

#define MOST 32

static int setup(void **state) {
        WsLine *line = NULL;

        assert_int_equal(ws_line_new(&line), 0);
        *state = line;
        return 0;
}

static int teardown(void **state) {
        *state = ws_line_free(*state);
        return 0;
}

/* The party is the letter. */
static void join(WsLine *line, WsLinePlace *places, char *names) {
        for (; *names; ++names, ++places) {
                *places = (WsLinePlace){ .owner = names };
                assert_true(ws_line_join(line, places, (uint64_t)*names));
        }
}

static const char *run(WsLine *line, size_t n) {
        static char names[MOST + 1];
        const WsLinePlace *place;
        size_t i = 0;

        while (i < n && (place = ws_line_next(line)))
                names[i++] = *(const char *)place->owner;
        names[i] = '\0';
        return names;
}

static void test_each_party_has_one_in_turn(void **state) {
        WsLinePlace places[MOST];
        char names[] = "aaaaaabaac";

        join(*state, places, names);
        assert_int_equal(ws_line_length(*state), 10);
        assert_string_equal(run(*state, MOST), "abcaaaaaaa");
        assert_int_equal(ws_line_length(*state), 0);
        assert_null(ws_line_next(*state));
}

static void test_who_comes_later_is_next_but_one_for_each_party(void **state) {
        WsLinePlace places[MOST], late[MOST];
        char names[] = "aaaabbbb", newcomer[] = "c";

        join(*state, places, names);
        assert_string_equal(run(*state, 3), "aba");
        join(*state, late, newcomer);
        assert_string_equal(run(*state, MOST), "bacbab");
}

static void test_of_one_party_the_first_to_come_is_first(void **state) {
        WsLinePlace places[3];
        char names[] = "123";

        for (size_t i = 0; i < 3; ++i) {
                places[i] = (WsLinePlace){ .owner = &names[i] };
                assert_true(ws_line_join(*state, &places[i], 7));
        }
        assert_true(ws_line_join(*state, &places[0], 7)); /* it waits already */
        assert_string_equal(run(*state, MOST), "123");
}

static void test_who_leaves_is_not_called(void **state) {
        WsLinePlace places[MOST];
        char names[] = "aabc";

        join(*state, places, names);
        ws_line_leave(*state, &places[0]);
        ws_line_leave(*state, &places[2]); /* the only one of its party */
        ws_line_leave(*state, &places[2]);
        assert_string_equal(run(*state, MOST), "ac");
        ws_line_leave(*state, &places[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_party_has_one_in_turn, setup, teardown),
                cmocka_unit_test_setup_teardown(test_who_comes_later_is_next_but_one_for_each_party,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_of_one_party_the_first_to_come_is_first,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_leaves_is_not_called, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
