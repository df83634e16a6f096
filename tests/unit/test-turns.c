/* WsTurns: users take turns, and nobody has more than his. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ws/loop/turns.h"

enum { ANA = 1, BEN, CID };

static WsTurns turns;
static int64_t later_ms;

static int set_up(void **state) {
        (void)state;
        later_ms = clock_mono_us() / 1000 + 60000; /* when whoever joins now is due */
        return ws_turns_init(&turns);
}

static int tear_down(void **state) {
        (void)state;
        ws_turns_done(&turns);
        return 0;
}

static void join(WsTurn *turn, int64_t user_id) {
        ws_turns_join(&turns, turn, user_id, 0);
}

/* Whoever is due asks, in the first place that is free. */
static WsTurn *begin(size_t at) {
        WsTurn *turn = ws_turns_due(&turns, later_ms);

        assert_true(ws_turns_is_free(&turns, at));
        if (turn)
                ws_turns_begin(&turns, at, turn);
        return turn;
}

static void test_users_take_turns_however_much_one_asks(void **state) {
        WsTurn of_ana[3] = { 0 }, of_ben[1] = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(of_ana); ++i)
                join(&of_ana[i], ANA);
        join(&of_ben[0], BEN);
        assert_ptr_equal(begin(0), &of_ana[0]);
        assert_ptr_equal(ws_turns_end(&turns, 0), &of_ana[0]);
        assert_ptr_equal(begin(0), &of_ben[0]);
        assert_ptr_equal(ws_turns_end(&turns, 0), &of_ben[0]);
        for (size_t i = 1; i < N_ELEMENTS(of_ana); ++i) {
                assert_ptr_equal(begin(0), &of_ana[i]);
                assert_ptr_equal(ws_turns_end(&turns, 0), &of_ana[i]);
        }
        assert_true(ws_turns_is_empty(&turns));
}

static void test_one_user_never_has_both_places(void **state) {
        WsTurn of_ana[2] = { 0 }, of_ben = { 0 };

        (void)state;
        join(&of_ana[0], ANA);
        join(&of_ana[1], ANA);
        assert_ptr_equal(begin(0), &of_ana[0]);
        assert_null(begin(1));
        join(&of_ben, BEN);
        assert_ptr_equal(begin(1), &of_ben);
        assert_false(ws_turns_is_free(&turns, 0));
        assert_ptr_equal(ws_turns_end(&turns, 0), &of_ana[0]);
        assert_ptr_equal(begin(0), &of_ana[1]);
}

static void test_who_has_to_wait_lets_others_by(void **state) {
        WsTurn of_ana = { 0 }, of_ben = { 0 };

        (void)state;
        ws_turns_join(&turns, &of_ana, ANA, 3600000);
        join(&of_ben, BEN);
        assert_ptr_equal(ws_turns_due(&turns, later_ms), &of_ben);
        assert_ptr_equal(ws_turns_due(&turns, later_ms + 3600000), &of_ana);
}

static void test_who_leaves_is_not_asked_for_and_gets_no_answer(void **state) {
        WsTurn gone = { 0 }, asking = { 0 }, other = { 0 };

        (void)state;
        join(&gone, ANA);
        join(&asking, BEN);
        join(&other, CID);
        ws_turns_leave(&turns, &gone);
        assert_ptr_equal(begin(0), &asking);
        ws_turns_leave(&turns, &asking);
        assert_false(ws_turns_is_free(&turns, 0)); /* the database still works on it */
        assert_null(ws_turns_end(&turns, 0));
        assert_ptr_equal(begin(0), &other);
        assert_ptr_equal(ws_turns_end(&turns, 0), &other);
        ws_turns_leave(&turns, &other); /* who waits for nothing may leave as well */
        assert_true(ws_turns_is_empty(&turns));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_users_take_turns_however_much_one_asks),
                TEST(test_one_user_never_has_both_places),
                TEST(test_who_has_to_wait_lets_others_by),
                TEST(test_who_leaves_is_not_asked_for_and_gets_no_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
