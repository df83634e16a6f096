/* Origins: a message of an edge counts once, and the same is said of it however often it is read.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/origins.h"

static bool judge_place(Origins *origins, uint64_t seq, uint64_t at_seq, uint32_t place) {
        const Origin origin = { .device_id = 7, .epoch = 1, .seq = seq };
        bool is_new;

        assert_int_equal(origins_judge(origins, &origin, at_seq, place, &is_new), 0);
        return is_new;
}

static bool judge(Origins *origins, uint64_t seq, uint64_t at_seq) {
        return judge_place(origins, seq, at_seq, 0);
}

static void tell(Origins *origins, uint64_t seq) {
        const Origin position = { .device_id = 7, .epoch = 1, .seq = seq };

        assert_int_equal(origins_tell(origins, &position, 1), 0);
}

/* Numbers 1 to 3 came, then after a reconnect 2 to 4, then 3 to 5. */
static void read_all(Origins *origins) {
        static const struct {
                uint64_t seq, at_seq;
                bool is_new;
        } all[] = {
                { 1, 101, true },  { 2, 102, true },  { 3, 103, true },
                { 2, 110, false }, { 3, 111, false }, { 4, 112, true },
                { 3, 120, false }, { 4, 121, false }, { 5, 122, true },
        };

        for (size_t i = 0; i < N_ELEMENTS(all); ++i)
                assert_int_equal(judge(origins, all[i].seq, all[i].at_seq), all[i].is_new);
}

static void test_what_comes_again_is_no_news_whenever_it_is_read(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        read_all(origins);
        read_all(origins);
        origins_stored(origins, 110);
        assert_false(judge(origins, 3, 111));
        assert_true(judge(origins, 4, 112));
        assert_true(judge(origins, 5, 122));
        assert_true(judge(origins, 6, 123));
}

static void test_each_journal_of_each_edge_has_its_own_numbers(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        bool is_new;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        read_all(origins);
        assert_int_equal(origins_judge(origins,
                                       &(Origin){ .device_id = 7, .epoch = 2, .seq = 1 },
                                       130,
                                       0,
                                       &is_new),
                         0);
        assert_true(is_new);
        assert_int_equal(origins_judge(origins,
                                       &(Origin){ .device_id = 8, .epoch = 1, .seq = 1 },
                                       131,
                                       0,
                                       &is_new),
                         0);
        assert_true(is_new);
        read_all(origins);
}

static void test_what_the_database_has_is_no_news(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        const Origin fourth = { .device_id = 7, .epoch = 1, .seq = 4 };

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        read_all(origins); /* shown, while nobody could be asked */
        assert_false(origins_is_open(origins, &fourth, 112));
        tell(origins, 4); /* another gateway has stored them */
        assert_true(origins_is_open(origins, &fourth, 112));
        assert_false(judge(origins, 1, 101));
        assert_false(judge(origins, 4, 112));
        assert_true(judge(origins, 5, 122));
        assert_false(judge(origins, 4, 130));
        assert_true(judge(origins, 6, 131));
}

static void test_an_older_database_has_all_judged_again(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        tell(origins, 0);
        read_all(origins);
        origins_stored(origins, 122);
        origins_forget(origins);
        tell(origins, 2);
        assert_false(judge(origins, 2, 110));
        assert_true(judge(origins, 3, 111));
        assert_true(judge(origins, 4, 112));
        assert_false(judge(origins, 3, 120));
}

static bool judge_after(Origins *origins, uint64_t after_seq, uint64_t at_seq, uint64_t view) {
        const Origin origin = { .device_id = 7,
                                .epoch = 1,
                                .after_seq = after_seq,
                                .seq = after_seq + 1,
                                .view = view };
        bool is_new;

        assert_int_equal(origins_judge(origins, &origin, at_seq, 0, &is_new), 0);
        return is_new;
}

static void test_what_follows_on_something_unknown_is_too_early(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        uint64_t view;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        tell(origins, 2);
        view = origins_view(origins);
        assert_true(judge_after(origins, 2, 101, view));
        assert_false(judge_after(origins, 5, 102, view + 1)); /* an earlier run's, or database's */
        assert_false(judge_after(origins, 6, 103, view + 1)); /* and what is behind it */
        assert_true(judge_after(origins, 3, 104, view));
        assert_false(judge_after(origins, 5, 102, view + 1));
        assert_true(judge_after(origins, 9, 105, view)); /* another gateway has stored 5 to 9 */
        assert_true(judge_after(origins, 10, 106, view + 1));
        assert_false(judge_after(origins, 7, 107, view));
}

static void test_before_anybody_could_be_asked_nothing_is_too_early(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        const Origin sixth = { .device_id = 7, .epoch = 1, .after_seq = 5, .seq = 6 };

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        assert_true(judge_after(origins, 5, 101, 0)); /* to be shown */
        assert_true(judge_after(origins, 6, 102, 0));
        assert_true(origins_is_open(origins, &sixth, 101));
        tell(origins, 5);
        assert_true(judge_after(origins, 5, 101, 0));
        assert_true(judge_after(origins, 6, 102, 0));
        assert_false(origins_is_open(origins, &sixth, 101));
}

static void test_a_database_that_has_less_than_it_had_is_another_one(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        uint64_t view;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        tell(origins, 5);
        view = origins_view(origins);
        tell(origins, 5);
        tell(origins, 6);
        assert_int_equal(origins_view(origins), view);
        tell(origins, 4);
        assert_int_not_equal(origins_view(origins), view);
        assert_false(judge_after(origins, 6, 101, view));
        view = origins_view(origins);
        assert_true(judge_after(origins, 4, 102, view));
        assert_int_equal(origins_tell(origins, NULL, 0), 0);
        assert_int_not_equal(origins_view(origins), view);
}

static void test_several_messages_in_one_have_one_number(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        for (uint32_t place = 0; place < 3; ++place)
                assert_true(judge_place(origins, 9, 200 + place, place));
        for (uint32_t place = 0; place < 3; ++place)
                assert_false(judge_place(origins, 9, 210 + place, place));
        for (uint32_t place = 0; place < 3; ++place)
                assert_true(judge_place(origins, 9, 200 + place, place));
        assert_true(judge(origins, 10, 220));
}

static void test_the_rest_of_several_is_news_behind_a_start_in_the_middle(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        tell(origins, 8);
        assert_true(judge_place(origins, 9, 201, 1));
        assert_true(judge_place(origins, 9, 202, 2));
        assert_false(judge_place(origins, 9, 210, 0));
        assert_false(judge_place(origins, 9, 211, 1));
}

static void test_numbers_of_ours_that_move_keep_what_was_judged(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        read_all(origins);
        origins_move(origins, 105, 1000);
        assert_true(judge(origins, 3, 103));
        assert_false(judge(origins, 3, 1111));
        assert_true(judge(origins, 4, 1112));
        assert_true(judge(origins, 5, 1122));
        assert_true(judge(origins, 6, 1123));
}

static void test_an_edge_that_makes_up_runs_has_no_more_than_sixty_four(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        Origin origin = { .device_id = 7, .seq = 5 };
        bool is_new;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        read_all(origins);
        for (origin.epoch = 2; origin.epoch < 80; ++origin.epoch) {
                assert_int_equal(origins_judge(origins, &origin, 300 + origin.epoch, 0, &is_new),
                                 0);
                assert_true(is_new);
        }
        origin.epoch = 79;
        assert_int_equal(origins_judge(origins, &origin, 400, 0, &is_new), 0);
        assert_false(is_new);
        origin.epoch = 2; /* forgotten */
        assert_int_equal(origins_judge(origins, &origin, 401, 0, &is_new), 0);
        assert_true(is_new);
}

/* Whatever is judged meanwhile: it would be refused there each time that it is tried. */
static void test_all_that_the_database_has_stay_in_a_crowd(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        Origin told[64], made_up = { .device_id = 7, .seq = 5 };
        bool is_new;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        for (size_t i = 0; i < N_ELEMENTS(told); ++i)
                told[i] = (Origin){ .device_id = 7, .epoch = i, .seq = 5 };
        assert_int_equal(origins_tell(origins, told, N_ELEMENTS(told)), 0);
        for (made_up.epoch = 100; made_up.epoch < 240; ++made_up.epoch) {
                assert_int_equal(origins_judge(origins, &made_up, 200 + made_up.epoch, 0, &is_new),
                                 0);
                assert_true(is_new);
        }
        for (size_t i = 0; i < N_ELEMENTS(told); ++i) {
                assert_int_equal(origins_judge(origins, &told[i], 500 + i, 0, &is_new), 0);
                assert_false(is_new);
        }
}

/* Its first message comes behind one of the run before it, and waits as the connection is lost. */
static void test_a_new_run_is_no_sign_of_an_older_database(void **state) {
        CLEANUP(origins_free) Origins *origins = NULL;
        Origin second = { .device_id = 7, .epoch = 2, .after_seq = 5, .seq = 9 };
        uint64_t view;
        bool is_new;

        (void)state;
        assert_int_equal(origins_new(&origins, NULL), 0);
        tell(origins, 5);
        view = second.view = origins_view(origins);
        assert_int_equal(origins_judge(origins, &second, 101, 0, &is_new), 0);
        assert_true(is_new);
        tell(origins, 5);
        assert_int_equal(origins_view(origins), view);
        assert_int_equal(origins_judge(origins, &second, 101, 0, &is_new), 0);
        assert_true(is_new);
        second.seq = 8; /* as it comes again */
        assert_int_equal(origins_judge(origins, &second, 102, 0, &is_new), 0);
        assert_false(is_new);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_comes_again_is_no_news_whenever_it_is_read),
                cmocka_unit_test(test_each_journal_of_each_edge_has_its_own_numbers),
                cmocka_unit_test(test_what_the_database_has_is_no_news),
                cmocka_unit_test(test_an_older_database_has_all_judged_again),
                cmocka_unit_test(test_what_follows_on_something_unknown_is_too_early),
                cmocka_unit_test(test_before_anybody_could_be_asked_nothing_is_too_early),
                cmocka_unit_test(test_a_database_that_has_less_than_it_had_is_another_one),
                cmocka_unit_test(test_several_messages_in_one_have_one_number),
                cmocka_unit_test(test_the_rest_of_several_is_news_behind_a_start_in_the_middle),
                cmocka_unit_test(test_numbers_of_ours_that_move_keep_what_was_judged),
                cmocka_unit_test(test_an_edge_that_makes_up_runs_has_no_more_than_sixty_four),
                cmocka_unit_test(test_all_that_the_database_has_stay_in_a_crowd),
                cmocka_unit_test(test_a_new_run_is_no_sign_of_an_older_database),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
