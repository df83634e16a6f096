/* DbChanges: each row that changed is read once, and everything where that cannot be told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "db/follow/changes.h"

static void assert_ids(const DbChanges *changes, RegistryTable table, const char *wanted) {
        CLEANUP_BUF Buf ids = { 0 };

        assert_int_equal(db_changes_ids(changes, table, &ids), strcmp(wanted, "{}") != 0);
        assert_string_equal(ids.data, wanted);
}

static void test_rows_are_kept_by_table_until_they_are_read(void **state) {
        DbChanges changes = { 0 };

        (void)state;
        db_changes_hear(&changes, "users UPDATE 7");
        db_changes_hear(&changes, "devices INSERT 8");
        db_changes_hear(&changes, "device_groups DELETE 8 3");
        db_changes_hear(&changes, "devices INSERT 9");
        assert_false(changes.too_many);
        assert_ids(&changes, REGISTRY_USER, "{7}");
        assert_ids(&changes, REGISTRY_DEVICE, "{8,9}");
        assert_ids(&changes, REGISTRY_DEVICE_GROUP, "{8}");
        assert_ids(&changes, REGISTRY_SHARE, "{}");

        db_changes_settle(&changes, REGISTRY_DEVICE);
        assert_ids(&changes, REGISTRY_DEVICE, "{}");
        assert_int_equal(changes.n, 2);
        assert_int_equal(changes.items[1].other_id, 3);
}

static void test_what_is_told_of_twice_is_read_once(void **state) {
        DbChanges changes = { 0 };

        (void)state;
        db_changes_hear(&changes, "device_groups INSERT 8 3");
        db_changes_hear(&changes, "device_groups INSERT 8 4");
        db_changes_hear(&changes, "device_groups DELETE 8 3");
        assert_int_equal(changes.n, 2);
}

static void test_what_is_not_understood_means_everything(void **state) {
        static const char *const others[] = {
                "", "users", "users UPDATE", "cats UPDATE 7", "users 7"
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(others); ++i) {
                DbChanges changes = { 0 };

                db_changes_hear(&changes, others[i]);
                assert_true(changes.too_many);
                db_changes_reset(&changes);
                assert_false(changes.too_many);
        }
}

static void test_more_than_there_is_room_for_means_everything(void **state) {
        DbChanges changes = { 0 };
        char text[32];

        (void)state;
        for (int i = 1; i <= DB_CHANGES_MAX; ++i) {
                snprintf(text, sizeof(text), "users UPDATE %d", i);
                db_changes_hear(&changes, text);
        }
        assert_false(changes.too_many);
        db_changes_hear(&changes, "users UPDATE 1");
        assert_false(changes.too_many);
        db_changes_hear(&changes, "users UPDATE 0");
        assert_true(changes.too_many);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_are_kept_by_table_until_they_are_read),
                cmocka_unit_test(test_what_is_told_of_twice_is_read_once),
                cmocka_unit_test(test_what_is_not_understood_means_everything),
                cmocka_unit_test(test_more_than_there_is_room_for_means_everything),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
