/* DbDays: a day is made once, in the order of receipt, and again after it was forgotten. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db/write/days.h"

#define DAY(n) ((n)*CLOCK_DAY_US)

static void want(DbDays *days, int64_t received_us) {
        Record record = { .received_us = received_us };
        Record *records[] = { &record };

        db_days_want(days, records, 1);
}

static void test_a_day_is_wanted_until_it_is_made(void **state) {
        DbDays days = { 0 };

        (void)state;
        want(&days, DAY(20000) + 5);
        assert_int_equal(days.n_new, 1);
        want(&days, DAY(20000) + 5); /* it was not made */
        assert_int_equal(days.n_new, 1);
        db_days_note(&days);
        want(&days, DAY(20001) - 1);
        assert_int_equal(days.n_new, 0);
        want(&days, DAY(20001));
        assert_int_equal(days.n_new, 1);
        assert_int_equal(days.new[0], DAY(20001));
}

static void test_the_days_of_a_batch_are_wanted_once_each(void **state) {
        Record records[] = {
                { .received_us = DAY(3) + 1 },
                { .received_us = DAY(3) + 2 },
                { .received_us = DAY(4) },
                { .received_us = DAY(3) + 3 },
                { .received_us = DAY(4), .letter_id = 7, .first_us = DAY(1) },
        };
        Record *batch[N_ELEMENTS(records)];
        DbDays days = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(records); ++i)
                batch[i] = &records[i];
        db_days_want(&days, batch, N_ELEMENTS(batch));
        assert_int_equal(days.n_new, 3); /* also that in which a letter first came */
}

static void test_before_1970_days_begin_at_midnight_too(void **state) {
        DbDays days = { 0 };

        (void)state;
        want(&days, -1);
        db_days_note(&days);
        want(&days, -DAY(1));
        assert_int_equal(days.n_new, 0);
        want(&days, 0);
        assert_int_equal(days.n_new, 1);
}

static void test_what_was_forgotten_is_made_again(void **state) {
        DbDays days = { 0 };

        (void)state;
        want(&days, DAY(5));
        db_days_note(&days);
        db_days_forget(&days);
        want(&days, DAY(5));
        assert_int_equal(days.n_new, 1);
}

static void test_the_newest_days_are_remembered(void **state) {
        DbDays days = { 0 };

        (void)state;
        for (int i = 0; i <= DB_DAYS_MAX; ++i) {
                want(&days, DAY(i));
                db_days_note(&days);
        }
        want(&days, DAY(DB_DAYS_MAX));
        assert_int_equal(days.n_new, 0);
        want(&days, DAY(0)); /* which costs a statement that changes nothing */
        assert_int_equal(days.n_new, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_day_is_wanted_until_it_is_made),
                cmocka_unit_test(test_the_days_of_a_batch_are_wanted_once_each),
                cmocka_unit_test(test_before_1970_days_begin_at_midnight_too),
                cmocka_unit_test(test_what_was_forgotten_is_made_again),
                cmocka_unit_test(test_the_newest_days_are_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
