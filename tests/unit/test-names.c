/* What devices call themselves is written when it is news. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/write/names.h"

static DbNames names;

static int setup(void **state) {
        (void)state;
        names = (DbNames){ 0 };
        return 0;
}

static bool says(int64_t device_id, const char *name, const char *location, int64_t now_us) {
        Record record = { .kind = KIND_BLE_DETECTIONS, .device_id = device_id };

        record.said_name = text_of(name);
        record.said_location = text_of(location);
        return db_names_are_news(&names, &record, now_us);
}

static void test_the_same_words_are_news_once(void **state) {
        (void)state;
        assert_true(says(1, "Entrance", "Hall", 5));
        assert_false(says(1, "Entrance", "Hall", 6));
        assert_true(says(2, "Entrance", "Hall", 7));
        assert_true(says(1, "Exit", "Hall", 8));
        assert_true(says(1, "Entrance", "Hall", 9));
        assert_true(says(1, "EntranceH", "all", 10));
        assert_true(says(1, NULL, "Hall", 11));
        assert_true(says(1, "Hall", NULL, 12));
}

static void test_who_says_nothing_is_no_news(void **state) {
        Record letter = { .device_id = 1, .letter_id = 7 };

        (void)state;
        assert_false(says(1, NULL, NULL, 5));
        assert_false(says(1, "", "", 5));
        letter.said_name = TEXT("Old");
        assert_false(db_names_are_news(&names, &letter, 5));
}

static void test_after_a_minute_and_a_rollback_all_is_news(void **state) {
        (void)state;
        assert_true(says(1, "Entrance", NULL, 5));
        assert_false(says(1, "Entrance", NULL, 4 + DB_NAMES_US));
        assert_true(says(1, "Entrance", NULL, 5 + DB_NAMES_US));
        db_names_forget(&names);
        assert_true(says(1, "Entrance", NULL, 6 + DB_NAMES_US));
        assert_true(says(1 + DB_NAMES, "Entrance", NULL, 7 + DB_NAMES_US)); /* the same slot */
        assert_true(says(1, "Entrance", NULL, 8 + DB_NAMES_US));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_the_same_words_are_news_once, setup),
                cmocka_unit_test_setup(test_who_says_nothing_is_no_news, setup),
                cmocka_unit_test_setup(test_after_a_minute_and_a_rollback_all_is_news, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
