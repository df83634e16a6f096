/* Bucket: what it holds at once, what time brings back, and how long one has to wait. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bucket.h"

#define NOW_US INT64_C(1760800000000000)
#define SECOND 1000000

static const BucketRate ten_a_minute = { 10, 60 * SECOND, 10 };

static void test_a_full_one_gives_what_it_holds_and_no_more(void **state) {
        Bucket bucket = { 0 };

        (void)state;
        assert_true(bucket_is_full(&bucket, NOW_US));
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US), 10);
        for (int i = 0; i < 10; ++i)
                assert_int_equal(bucket_take(&bucket, &ten_a_minute, 1, NOW_US), 0);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US), 0);
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 1, NOW_US), 6 * SECOND);
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 3, NOW_US), 18 * SECOND);
}

static void test_time_brings_it_back_one_by_one(void **state) {
        Bucket bucket = { 0 };

        (void)state;
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 10, NOW_US), 0);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US + 6 * SECOND - 1), 0);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US + 6 * SECOND), 1);
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 1, NOW_US + 6 * SECOND), 0);
        assert_false(bucket_is_full(&bucket, NOW_US + 66 * SECOND - 1));
        assert_true(bucket_is_full(&bucket, NOW_US + 66 * SECOND));
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US + 3600 * INT64_C(1000000)), 10);
}

static void test_what_was_good_is_given_back(void **state) {
        Bucket bucket = { 0 };

        (void)state;
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 10, NOW_US), 0);
        bucket_give_back(&bucket, &ten_a_minute, 1);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US), 1);
        bucket_give_back(&bucket, &ten_a_minute, 100); /* it never holds more than it can */
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US), 10);
}

static void test_what_is_paid_on_credit_takes_its_time(void **state) {
        Bucket bucket = { 0 };

        (void)state;
        bucket_pay(&bucket, &ten_a_minute, 600, NOW_US);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US), 0);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US + 3540 * INT64_C(1000000)), 0);
        assert_int_equal(bucket_left(&bucket, &ten_a_minute, NOW_US + 3546 * INT64_C(1000000)), 1);
}

static void test_rates_that_do_not_divide_lose_nothing(void **state) {
        const BucketRate rates[] = {
                { 7, 60 * SECOND, 7 },
                { 70000, 60 * SECOND, 70000 },
                { 100000000, SECOND, 200000000 },
                { 3, SECOND, 1 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rates); ++i) {
                Bucket bucket = { 0 };

                assert_int_equal(bucket_left(&bucket, &rates[i], NOW_US), rates[i].burst);
                assert_int_equal(bucket_take(&bucket, &rates[i], rates[i].burst - 1, NOW_US), 0);
                assert_int_equal(bucket_left(&bucket, &rates[i], NOW_US), 1);
                assert_int_equal(bucket_take(&bucket, &rates[i], 1, NOW_US), 0);
                assert_true(bucket_take(&bucket, &rates[i], 1, NOW_US) > 0);
        }
}

static void test_a_changed_limit_counts_at_once(void **state) {
        const BucketRate more = { 100, 60 * SECOND, 100 };
        Bucket bucket = { 0 };

        (void)state;
        assert_int_equal(bucket_take(&bucket, &ten_a_minute, 5, NOW_US), 0); /* half of a minute */
        assert_int_equal(bucket_left(&bucket, &more, NOW_US), 50);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_full_one_gives_what_it_holds_and_no_more),
                cmocka_unit_test(test_time_brings_it_back_one_by_one),
                cmocka_unit_test(test_what_was_good_is_given_back),
                cmocka_unit_test(test_what_is_paid_on_credit_takes_its_time),
                cmocka_unit_test(test_rates_that_do_not_divide_lose_nothing),
                cmocka_unit_test(test_a_changed_limit_counts_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
