/* Columns: what rows of other systems mean, and what of them cannot be taken. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "gateway/move/columns.h"

static Columns columns;

/* The cells of a row, of which the last four stay. */
static int put(const char *from, RowKind kind, const char *column, const char *value) {
        static RowCell cells[4];
        static size_t n;
        RowCell *cell = &cells[n++ % N_ELEMENTS(cells)];

        snprintf(cell->column, sizeof(cell->column), "%s", column);
        snprintf(cell->value, sizeof(cell->value), "%s", value);
        return columns_put(&columns, from, kind, cell);
}

/* Of a row that has this alone. */
static int begin(RowKind kind, const char *column, const char *value) {
        columns_begin(&columns);
        return put(NULL, kind, column, value);
}

static void test_a_row_has_what_a_statement_takes(void **state) {
        (void)state;
        assert_int_equal(begin(ROW_DEVICES, "code", "pi-1"), 0);
        assert_int_equal(put(NULL, ROW_DEVICES, "user", "id:7"), 0);
        assert_int_equal(put(NULL, ROW_DEVICES, "is_active", "No"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_DEVICES), 0);
        assert_string_equal(columns.values[DB_IMPORT_NAME], "pi-1");
        assert_string_equal(columns.values[DB_IMPORT_USER_ID], "7");
        assert_null(columns.values[DB_IMPORT_USER_NAME]);
        assert_string_equal(columns.values[DB_IMPORT_ACTIVE], "false");
        assert_string_equal(columns.values[DB_IMPORT_TOKEN_FORM], "keyed");
        assert_null(columns.values[DB_IMPORT_TOKEN]);
}

/* As enums of others are stored, by their names. */
static void test_a_role_is_a_word_in_any_case(void **state) {
        static const struct {
                const char *said, *role;
        } cases[] = { { "ADMIN", "admin" }, { "User", "user" }, { "viewer", "viewer" } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(begin(ROW_USERS, "role", cases[i].said), 0);
                assert_string_equal(columns.values[DB_IMPORT_ROLE], cases[i].role);
        }
}

static void test_what_no_name_id_or_word_can_be_is_refused(void **state) {
        static const struct {
                RowKind kind;
                const char *column, *value;
        } cases[] = {
                { ROW_USERS, "username", "7" },      { ROW_USERS, "username", "a b" },
                { ROW_USERS, "username", "a/b" },    { ROW_DEVICES, "code", "id:5" },
                { ROW_DEVICES, "code", "a\x01" },    { ROW_USERS, "id", "0" },
                { ROW_USERS, "id", "07" },           { ROW_USERS, "id", "-7" },
                { ROW_USERS, "id", "7.0" },          { ROW_USERS, "id", "1000000000000000" },
                { ROW_USERS, "role", "root" },       { ROW_USERS, "is_active", "maybe" },
                { ROW_DEVICES, "key", "no uuid" },   { ROW_DEVICES, "user_id", "ana" },
                { ROW_DEVICES, "location", "a\nb" }, { ROW_SHARES, "vehicle_id", "x" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(begin(cases[i].kind, cases[i].column, cases[i].value),
                                 COLUMNS_E_REFUSED);
                assert_string_equal(columns.column, cases[i].column);
                assert_null(strstr(columns.why, cases[i].value));
        }
}

static void test_what_a_row_needs_must_be_there(void **state) {
        (void)state;
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind) {
                columns_begin(&columns);
                assert_int_equal(columns_end(&columns, NULL, kind), COLUMNS_E_REFUSED);
        }
        assert_int_equal(begin(ROW_SHARES, "user", "ana"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_SHARES), COLUMNS_E_REFUSED);
        assert_int_equal(put(NULL, ROW_SHARES, "group", "7"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_SHARES), 0);
        assert_string_equal(columns.values[DB_IMPORT_GROUP_ID], "7");
        assert_int_equal(put(NULL, ROW_SHARES, "device", "d"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_SHARES), COLUMNS_E_REFUSED);
}

static void test_secrets_that_cannot_be_checked_are_left_behind(void **state) {
        (void)state;
        assert_int_equal(begin(ROW_USERS, "password_hash", "5f4dcc3b5aa765d61d8327deb882cf99"),
                         COLUMNS_E_NOTED);
        assert_string_equal(columns.values[DB_IMPORT_HASH], "!");
        assert_int_equal(begin(ROW_USERS, "username", "ana"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_USERS), COLUMNS_E_NOTED);
        assert_string_equal(columns.values[DB_IMPORT_HASH], "!");
        assert_int_equal(begin(ROW_DEVICES, "token_hash", "abc"), COLUMNS_E_NOTED);
        assert_null(columns.values[DB_IMPORT_TOKEN]);
        assert_int_equal(begin(ROW_DEVICES,
                               "token_hash",
                               "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
                         0);
        assert_string_equal(columns.values[DB_IMPORT_TOKEN_FORM], "bcrypt");
        assert_int_equal(strlen(columns.values[DB_IMPORT_TOKEN]), 2 + 64);
        assert_int_equal(begin(ROW_DEVICES, "token_hash", "$2a$05$short"), COLUMNS_E_NOTED);
        assert_null(columns.values[DB_IMPORT_TOKEN]);
}

static void test_columns_of_other_systems_are_ours(void **state) {
        (void)state;
        columns_begin(&columns);
        assert_int_equal(put("cameras", ROW_USERS, "hashed_password", "x"), COLUMNS_E_NOTED);
        assert_int_equal(put(NULL, ROW_USERS, "hashed_password", "x"), COLUMNS_E_UNKNOWN);
        assert_int_equal(put("vehicles", ROW_VEHICLES, "id", "31"), 0);
        assert_int_equal(columns_end(&columns, NULL, ROW_VEHICLES), COLUMNS_E_REFUSED);
        assert_int_equal(columns_end(&columns, "vehicles", ROW_VEHICLES), 0);
        assert_string_equal(columns.values[DB_IMPORT_NAME], "vehicle-31");
        assert_true(columns_know("energy"));
}

static void test_a_system_of_one_sort_of_device_has_that_type(void **state) {
        static const struct {
                const char *from, *type;
        } systems[] = { { "people-counter", "ble_scanner" },
                        { "cameras", "camera" },
                        { "energy", NULL },
                        { NULL, NULL } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(systems); ++i) {
                columns_begin(&columns);
                assert_int_equal(put(NULL, ROW_DEVICES, "code", "d-1"), 0);
                assert_int_equal(columns_end(&columns, systems[i].from, ROW_DEVICES), 0);
                if (systems[i].type)
                        assert_string_equal(columns.values[DB_IMPORT_TYPE], systems[i].type);
                else
                        assert_null(columns.values[DB_IMPORT_TYPE]);
        }
        columns_begin(&columns);
        assert_int_equal(put(NULL, ROW_DEVICES, "code", "d-1"), 0);
        assert_int_equal(put(NULL, ROW_DEVICES, "device_type", "x"), 0);
        assert_int_equal(columns_end(&columns, "people-counter", ROW_DEVICES), 0);
        assert_string_equal(columns.values[DB_IMPORT_TYPE], "x");
}

static void test_a_system_is_known_by_its_name(void **state) {
        (void)state;
        assert_true(columns_know("energy"));
        assert_false(columns_know("cars"));
}

static void test_two_columns_for_one_thing_are_refused(void **state) {
        (void)state;
        columns_begin(&columns);
        assert_int_equal(put("energy", ROW_DEVICES, "device_id", "a"), 0);
        assert_int_equal(put("energy", ROW_DEVICES, "code", "a"), COLUMNS_E_REFUSED);
        assert_string_equal(columns.column, "code");
        assert_string_equal(columns.why,
                            "is for the same thing as the column device_id: one of them is wanted");
        assert_string_equal(columns.values[DB_IMPORT_NAME], "a");
        assert_int_equal(begin(ROW_DEVICES, "code", "a"), 0); /* a row of its own */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_row_has_what_a_statement_takes),
                cmocka_unit_test(test_a_role_is_a_word_in_any_case),
                cmocka_unit_test(test_what_no_name_id_or_word_can_be_is_refused),
                cmocka_unit_test(test_what_a_row_needs_must_be_there),
                cmocka_unit_test(test_secrets_that_cannot_be_checked_are_left_behind),
                cmocka_unit_test(test_columns_of_other_systems_are_ours),
                cmocka_unit_test(test_a_system_of_one_sort_of_device_has_that_type),
                cmocka_unit_test(test_a_system_is_known_by_its_name),
                cmocka_unit_test(test_two_columns_for_one_thing_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
