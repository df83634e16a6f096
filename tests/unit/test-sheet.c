/* DbSheet: each statement gets the columns that it speaks of, no more and no fewer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/write/sheet.h"

/* The highest of $1, $2, … */
static long highest_parameter(const char *sql) {
        long highest = 0;

        for (const char *at = strchr(sql, '$'); at; at = strchr(at + 1, '$')) {
                long number = strtol(at + 1, NULL, 10);

                highest = number > highest ? number : highest;
        }
        return highest;
}

static void test_every_parameter_has_a_type(void **state) {
        (void)state;
        for (DbSheet i = 0; i < DB_SHEET_COUNT; ++i) {
                uint32_t types[DB_SHEET_MAX_PARAMS];
                int n = db_sheet_types(i, types);

                assert_int_equal(n, highest_parameter(db_sheet(i)->sql));
                assert_in_range(n, 2, DB_SHEET_MAX_PARAMS);
                assert_int_equal(n, strlen(db_sheet(i)->columns) + db_sheet(i)->has_journal);
        }
}

static void test_names_are_told_apart(void **state) {
        (void)state;
        for (DbSheet i = 0; i < DB_SHEET_COUNT; ++i)
                for (DbSheet k = 0; k < i; ++k)
                        assert_string_not_equal(db_sheet(i)->name, db_sheet(k)->name);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_parameter_has_a_type),
                cmocka_unit_test(test_names_are_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
