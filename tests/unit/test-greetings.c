/* WsGreetings: a thousand handshakes of one address are one step of each other's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/greetings.h"

#define BUDGET_US 5000
#define COST_US   1000

static int setup(void **state) {
        WsGreetings *greetings = NULL;

        assert_int_equal(ws_greetings_new(&greetings), 0);
        ws_greetings_set_budget(greetings, BUDGET_US);
        ws_greetings_turn(greetings, 1);
        *state = greetings;
        return 0;
}

static int teardown(void **state) {
        *state = ws_greetings_free(*state);
        return 0;
}

/* As many as the turn has time for, a letter each. */
static const char *run(WsGreetings *greetings, uint64_t turn) {
        static char names[64];
        WsGreeting *greeting;
        size_t n = 0;

        ws_greetings_turn(greetings, turn);
        while ((greeting = ws_greetings_next(greetings))) {
                names[n++] = *(const char *)greeting->owner;
                ws_greetings_took(greetings, COST_US);
        }
        names[n] = '\0';
        return names;
}

/* The party is the letter. */
static void wait_all(WsGreetings *greetings, WsGreeting *greetings_of, char *names) {
        for (; *names; ++names, ++greetings_of) {
                *greetings_of = (WsGreeting){ .owner = names };
                assert_true(ws_greetings_wait(greetings, greetings_of, (uint64_t)*names));
        }
}

static void test_each_party_has_one_step_in_turn(void **state) {
        char names[] = "aaaaaaaabcc";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        assert_string_equal(run(*state, 2), "abcac");
        assert_string_equal(run(*state, 3), "aaaaa");
        assert_string_equal(run(*state, 4), "a");
        assert_true(ws_greetings_is_empty(*state));
}

static void test_a_turn_has_its_time_and_no_more(void **state) {
        char names[] = "aaaaaaaaaaaa";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        assert_string_equal(run(*state, 2), "aaaaa");
        assert_string_equal(run(*state, 2), ""); /* the same one again */
        ws_greetings_set_budget(*state, 1);
        assert_string_equal(run(*state, 3), "a"); /* but one, whatever it costs */
        ws_greetings_set_budget(*state, BUDGET_US);
        assert_string_equal(run(*state, 4), "aaaaa");
        assert_string_equal(run(*state, 5), "a");
}

static void test_who_comes_while_somebody_waits_goes_behind_him(void **state) {
        char names[] = "a";
        WsGreeting waiting[sizeof(names)];

        assert_true(ws_greetings_may_go_on(*state));
        ws_greetings_took(*state, BUDGET_US);
        assert_false(ws_greetings_may_go_on(*state)); /* no time */
        ws_greetings_turn(*state, 2);
        assert_true(ws_greetings_may_go_on(*state));
        wait_all(*state, waiting, names);
        assert_false(ws_greetings_may_go_on(*state));
        assert_string_equal(run(*state, 3), "a");
        assert_true(ws_greetings_may_go_on(*state));
}

static void test_who_leaves_is_not_waited_for(void **state) {
        char names[] = "aabb";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        ws_greetings_leave(*state, &waiting[0]);
        ws_greetings_leave(*state, &waiting[0]);
        ws_greetings_leave(*state, &waiting[2]);
        ws_greetings_leave(*state, &waiting[3]);
        assert_true(ws_greetings_wait(*state, &waiting[1], 'a')); /* it does already */
        assert_string_equal(run(*state, 2), "a");
        assert_true(ws_greetings_is_empty(*state));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_party_has_one_step_in_turn,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_turn_has_its_time_and_no_more,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_comes_while_somebody_waits_goes_behind_him,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_leaves_is_not_waited_for, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
