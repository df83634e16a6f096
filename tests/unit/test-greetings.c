/* WsGreetings: a thousand handshakes of one address are one step of each other's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/net/greetings.h"

#define BUDGET_US 5000
#define COST_US   1000
#define MOST      100

/* A party has a half of what the others leave. */
static void limit(WsGreetings *greetings, int64_t budget_us, size_t most) {
        WsGreetingsLimits limits = { .budget_us = budget_us, .most = most, .percent = 50 };

        ws_greetings_set_limits(greetings, &limits);
}

static int setup(void **state) {
        WsGreetings *greetings = NULL;

        assert_int_equal(ws_greetings_new(&greetings), 0);
        limit(greetings, BUDGET_US, MOST);
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
                *greetings_of = (WsGreeting){ .owner = names, .party = (uint64_t)*names };
                assert_true(ws_greetings_wait(greetings, greetings_of));
        }
}

static void test_each_party_has_one_step_in_turn(void **state) {
        char names[] = "aaaaaaaabcc";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        assert_string_equal(run(*state, 2), "abcac");
        assert_string_equal(run(*state, 3), "aaaaa");
        assert_string_equal(run(*state, 4), "a");
        assert_true(ws_greetings_are_idle(*state));
}

static void test_a_turn_has_its_time_and_no_more(void **state) {
        char names[] = "aaaaaaaaaaaa";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        assert_string_equal(run(*state, 2), "aaaaa");
        assert_string_equal(run(*state, 2), ""); /* the same one again */
        limit(*state, 1, MOST);
        assert_string_equal(run(*state, 3), "a"); /* but one, whatever it costs */
        limit(*state, BUDGET_US, MOST);
        assert_string_equal(run(*state, 4), "aaaaa");
        assert_string_equal(run(*state, 5), "a");
}

static void test_who_comes_while_somebody_waits_goes_behind_him(void **state) {
        char names[] = "a";
        WsGreeting waiting[sizeof(names)], fresh = { .party = 'b' };

        assert_true(ws_greetings_may_go_on(*state, &fresh));
        ws_greetings_took(*state, BUDGET_US);
        assert_false(ws_greetings_may_go_on(*state, &fresh)); /* no time */
        ws_greetings_turn(*state, 2);
        assert_true(ws_greetings_may_go_on(*state, &fresh));
        wait_all(*state, waiting, names);
        assert_false(ws_greetings_may_go_on(*state, &fresh));
        assert_string_equal(run(*state, 3), "a");
        assert_true(ws_greetings_may_go_on(*state, &fresh));
}

static void test_who_leaves_is_not_waited_for(void **state) {
        char names[] = "aabb";
        WsGreeting waiting[sizeof(names)];

        wait_all(*state, waiting, names);
        ws_greetings_end(*state, &waiting[0]);
        ws_greetings_end(*state, &waiting[0]);
        ws_greetings_end(*state, &waiting[2]);
        ws_greetings_end(*state, &waiting[3]);
        assert_true(ws_greetings_wait(*state, &waiting[1])); /* it does already */
        assert_string_equal(run(*state, 2), "a");
        assert_true(ws_greetings_are_idle(*state));
}

/* As run() of one, which has made its first step then; ' ' = none. */
static char begin(WsGreetings *greetings, uint64_t turn) {
        WsGreeting *greeting;

        ws_greetings_turn(greetings, turn);
        greeting = ws_greetings_next(greetings);
        if (!greeting)
                return ' ';
        assert_true(ws_greetings_begin(greetings, greeting));
        return *(const char *)greeting->owner;
}

static void test_only_so_many_are_begun_and_a_party_has_its_share(void **state) {
        char names[] = "aaaaabc";
        WsGreeting all[sizeof(names)];

        limit(*state, BUDGET_US, 4); /* a may have two, b one of what is left, and so c */
        wait_all(*state, all, names);
        assert_int_equal(begin(*state, 2), 'a');
        assert_int_equal(begin(*state, 3), 'b');
        assert_int_equal(begin(*state, 4), 'c');
        assert_int_equal(begin(*state, 5), ' '); /* a has half of two */
        assert_true(ws_greetings_are_idle(*state));
        assert_true(ws_greetings_miss(*state, &all[0]));
        assert_false(ws_greetings_miss(*state, &all[5])); /* whose end is of use to nobody yet */

        ws_greetings_end(*state, &all[0]);
        assert_false(ws_greetings_are_idle(*state));
        assert_int_equal(begin(*state, 6), 'a');
        assert_int_equal(begin(*state, 7), ' ');
        assert_true(ws_greetings_are_idle(*state));
        ws_greetings_end(*state, &all[5]);
        ws_greetings_end(*state, &all[6]);
        assert_int_equal(begin(*state, 8), 'a');
        for (size_t i = 0; names[i]; ++i)
                ws_greetings_end(*state, &all[i]);
        assert_true(ws_greetings_are_idle(*state));
}

static void test_what_is_begun_goes_on_where_nothing_new_may_begin(void **state) {
        char names[] = "aaa";
        WsGreeting all[sizeof(names)];

        limit(*state, BUDGET_US, 1);
        wait_all(*state, all, names);
        assert_string_equal(run(*state, 2), "aaa"); /* steps that begin nothing */
        assert_true(ws_greetings_begin(*state, &all[0]));
        assert_true(ws_greetings_wait(*state, &all[1]));
        assert_true(ws_greetings_are_idle(*state));
        assert_true(ws_greetings_may_go_on(*state, &all[0]));
        assert_false(ws_greetings_may_go_on(*state, &all[2]));
        assert_true(ws_greetings_wait(*state, &all[0]));
        assert_string_equal(run(*state, 3), "a");
        assert_true(ws_greetings_are_idle(*state));
        ws_greetings_end(*state, &all[0]);
        assert_string_equal(run(*state, 4), "a");
}

/* The one whose place is wanted by somebody who has none at all is not of his party. */
static void test_who_has_none_is_missed_by_all(void **state) {
        char names[] = "ab";
        WsGreeting all[sizeof(names)];

        limit(*state, BUDGET_US, 1);
        all[0] = (WsGreeting){ .party = 'a' };
        all[1] = (WsGreeting){ .party = 'b' };
        assert_true(ws_greetings_begin(*state, &all[0]));
        assert_false(ws_greetings_miss(*state, &all[0]));
        assert_true(ws_greetings_wait(*state, &all[1]));
        assert_true(ws_greetings_miss(*state, &all[0]));
        ws_greetings_end(*state, &all[0]);
        assert_false(ws_greetings_are_idle(*state));
        ws_greetings_end(*state, &all[1]);
        assert_true(ws_greetings_are_idle(*state));
}

/* Who speaks for many has no share, and no more than all. */
static void test_a_proxy_has_what_is_left(void **state) {
        WsGreeting all[3] = { { .party = 0 }, { .party = 0 }, { .party = 0 } };

        limit(*state, BUDGET_US, 2);
        for (size_t i = 0; i < 2; ++i) {
                assert_true(ws_greetings_may_go_on(*state, &all[i]));
                assert_true(ws_greetings_begin(*state, &all[i]));
        }
        assert_false(ws_greetings_may_go_on(*state, &all[2]));
        ws_greetings_end(*state, &all[0]);
        assert_true(ws_greetings_may_go_on(*state, &all[2]));
        ws_greetings_end(*state, &all[1]);
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
                cmocka_unit_test_setup_teardown(
                        test_only_so_many_are_begun_and_a_party_has_its_share, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_is_begun_goes_on_where_nothing_new_may_begin, setup, teardown),
                cmocka_unit_test_setup_teardown(test_who_has_none_is_missed_by_all,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_proxy_has_what_is_left, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
