/* Judge: what was judged when it was shown is not judged again when it is stored. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/judge.h"

static void test_the_first_verdict_stays(void **state) {
        CLEANUP(judge_free) Judge *judge = NULL;

        (void)state;
        assert_int_equal(judge_new(&judge), 0);
        assert_int_equal(judge_ask(judge, 10), VERDICT_NONE);
        assert_int_equal(judge_tell(judge, 10, VERDICT_NEWS), 0);
        assert_int_equal(judge_tell(judge, 20, VERDICT_LATE), 0);
        assert_int_equal(judge_tell(judge, 30, VERDICT_NONE), 0);
        assert_int_equal(judge_tell(judge, 20, VERDICT_NEWS), 0);
        assert_int_equal(judge_ask(judge, 10), VERDICT_NEWS);
        assert_int_equal(judge_ask(judge, 20), VERDICT_LATE);
        assert_int_equal(judge_ask(judge, 30), VERDICT_NONE);
        assert_int_equal(judge_ask(judge, 31), VERDICT_NONE);
}

static void test_what_is_stored_is_forgotten_and_room_is_made(void **state) {
        CLEANUP(judge_free) Judge *judge = NULL;

        (void)state;
        assert_int_equal(judge_new(&judge), 0);
        for (uint64_t seq = 1; seq <= 1000; ++seq)
                assert_int_equal(judge_tell(judge, seq, seq % 2 ? VERDICT_LATE : VERDICT_NONE), 0);
        judge_forget(judge, 500);
        assert_int_equal(judge_ask(judge, 501), VERDICT_LATE);
        assert_int_equal(judge_ask(judge, 502), VERDICT_NONE);
        judge_forget(judge, 1000);
        assert_int_equal(judge_tell(judge, 1001, VERDICT_LATE), 0);
        assert_int_equal(judge_ask(judge, 1001), VERDICT_LATE);
}

static void test_what_may_be_used_yet_is_open_until_it_is_stored(void **state) {
        CLEANUP(judge_free) Judge *judge = NULL;

        (void)state;
        assert_int_equal(judge_new(&judge), 0);
        assert_int_equal(judge_first_open(judge), 0);
        assert_int_equal(judge_tell(judge, 10, VERDICT_NONE), 0);
        assert_int_equal(judge_tell(judge, 20, VERDICT_OPEN), 0);
        assert_int_equal(judge_tell(judge, 30, VERDICT_OPEN), 0);
        assert_int_equal(judge_ask(judge, 20), VERDICT_NONE);
        assert_true(!judge_is_open(judge, 10) && judge_is_open(judge, 20));
        assert_int_equal(judge_first_open(judge), 20);
        judge_forget(judge, 20);
        assert_int_equal(judge_first_open(judge), 30);
        judge_forget(judge, 40);
        assert_int_equal(judge_first_open(judge), 0);
}

/* While what comes now is judged as ever. */
static void test_what_an_older_database_lacks_is_judged_again_once(void **state) {
        CLEANUP(judge_free) Judge *judge = NULL;

        (void)state;
        assert_int_equal(judge_new(&judge), 0);
        assert_int_equal(judge_tell(judge, 10, VERDICT_LATE), 0);
        assert_int_equal(judge_tell(judge, 20, VERDICT_NEWS), 0);
        assert_int_equal(judge_tell(judge, 30, VERDICT_OPEN), 0);
        judge_again(judge, 10);
        assert_int_equal(judge_tell(judge, 40, VERDICT_LATE), 0);
        assert_int_equal(judge_ask(judge, 10), VERDICT_NEWS); /* it is stored there */
        assert_int_equal(judge_ask(judge, 20), VERDICT_NONE);
        assert_int_equal(judge_tell(judge, 20, VERDICT_LATE), 0);
        assert_int_equal(judge_ask(judge, 20), VERDICT_LATE);
        assert_int_equal(judge_tell(judge, 20, VERDICT_NEWS), 0);
        assert_int_equal(judge_ask(judge, 20), VERDICT_LATE);
        assert_int_equal(judge_tell(judge, 30, VERDICT_NONE), 0);
        assert_int_equal(judge_ask(judge, 30), VERDICT_NONE);
        assert_int_equal(judge_first_open(judge), 30);
        assert_int_equal(judge_ask(judge, 40), VERDICT_LATE);
        assert_int_equal(judge_ask(judge, 41), VERDICT_NONE);
}

static void test_what_moves_takes_its_verdict_along(void **state) {
        CLEANUP(judge_free) Judge *judge = NULL;

        (void)state;
        assert_int_equal(judge_new(&judge), 0);
        assert_int_equal(judge_tell(judge, 10, VERDICT_LATE), 0);
        assert_int_equal(judge_tell(judge, 20, VERDICT_LATE), 0);
        assert_int_equal(judge_tell(judge, 30, VERDICT_OPEN), 0);
        assert_int_equal(judge_tell(judge, 40, VERDICT_NEWS), 0);
        judge_move(judge, 10, 1000); /* 10 is stored */
        assert_int_equal(judge_ask(judge, 10), VERDICT_LATE);
        assert_int_equal(judge_ask(judge, 1020), VERDICT_LATE);
        assert_int_equal(judge_ask(judge, 1040), VERDICT_NEWS);
        assert_int_equal(judge_ask(judge, 1041), VERDICT_NONE);
        assert_int_equal(judge_first_open(judge), 1030);
        judge_move(judge, 1040, 1000); /* nothing is behind it */
        assert_int_equal(judge_ask(judge, 1041), VERDICT_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_first_verdict_stays),
                cmocka_unit_test(test_what_an_older_database_lacks_is_judged_again_once),
                cmocka_unit_test(test_what_moves_takes_its_verdict_along),
                cmocka_unit_test(test_what_is_stored_is_forgotten_and_room_is_made),
                cmocka_unit_test(test_what_may_be_used_yet_is_open_until_it_is_stored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
