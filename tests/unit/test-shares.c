/* WsShares: whoever takes all he gets leaves something for the next. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/shares.h"

#define MOST 100

static int setup(void **state) {
        WsShares *shares = NULL;

        assert_int_equal(ws_shares_new(&shares), 0);
        *state = shares;
        return 0;
}

static int teardown(void **state) {
        *state = ws_shares_free(*state);
        return 0;
}

/* Takes one at a time, for as long as it may. */
static size_t take_all(WsShares *shares, uint64_t party, int percent) {
        while (ws_shares_fit(shares, party, 1, MOST, percent))
                assert_true(ws_shares_take(shares, party, 1));
        return ws_shares_of(shares, party);
}

static void test_one_who_takes_all_leaves_as_much(void **state) {
        assert_int_equal(take_all(*state, 1, 50), 50);
        assert_int_equal(take_all(*state, 2, 50), 25);
        assert_int_equal(take_all(*state, 3, 50), 13);
        assert_true(ws_shares_fit(*state, 4, 1, MOST, 50));
        assert_int_equal(ws_shares_total(*state), 88);
}

static void test_what_one_has_too_many_he_keeps_but_gets_no_more(void **state) {
        assert_int_equal(take_all(*state, 1, 50), 50);
        assert_int_equal(take_all(*state, 2, 50), 25);
        assert_false(ws_shares_fit(*state, 1, 1, MOST, 50));
        ws_shares_give_back(*state, 1, 20);
        assert_false(ws_shares_fit(*state, 1, 10, MOST, 50)); /* of the 75 that 2 leaves */
        assert_true(ws_shares_fit(*state, 1, 8, MOST, 50));
}

static void test_there_is_never_more_than_there_is(void **state) {
        assert_int_equal(take_all(*state, 1, 100), MOST);
        assert_false(ws_shares_fit(*state, 2, 1, MOST, 100));
        assert_false(ws_shares_fit(*state, 1, 1, MOST / 2, 100)); /* there are fewer now */
        assert_false(ws_shares_fit(*state, 1, SIZE_MAX, MOST, 100));
        assert_true(ws_shares_fit(*state, 2, 0, MOST, 100));
}

static void test_the_last_one_can_be_had(void **state) {
        assert_true(ws_shares_fit(*state, 1, 1, 1, 1));
        assert_false(ws_shares_fit(*state, 1, 1, 0, 100));
}

static void test_who_has_given_all_back_is_forgotten(void **state) {
        WsShares *shares = *state;

        for (uint64_t party = 1; party <= 1000; ++party) {
                assert_true(ws_shares_take(shares, party, 3));
                ws_shares_give_back(shares, party, 1);
                ws_shares_give_back(shares, party, 2);
                assert_int_equal(ws_shares_of(shares, party), 0);
        }
        assert_int_equal(ws_shares_total(shares), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_one_who_takes_all_leaves_as_much),
                TEST(test_what_one_has_too_many_he_keeps_but_gets_no_more),
                TEST(test_there_is_never_more_than_there_is),
                TEST(test_the_last_one_can_be_had),
                TEST(test_who_has_given_all_back_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
