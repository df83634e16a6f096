/* DbValue: what a result says, and what its nulls are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <math.h>

#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

/* Of one value, as a server would have sent it; NULL: null. */
static PGresult *result_of(const char *value) {
        char name[] = "x", text[64];
        PGresAttDesc column = { .name = name };
        PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

        assert_non_null(result);
        assert_true(PQsetResultAttrs(result, 1, &column));
        if (value)
                strcpy(text, value);
        assert_true(PQsetvalue(result, 0, 0, value ? text : NULL, value ? (int)strlen(value) : -1));
        return result;
}

static void test_a_value_is_what_it_says(void **state) {
        CLEANUP(PQclear) PGresult *smallest = result_of("-9223372036854775808");
        CLEANUP(PQclear) PGresult *number = result_of("-0.25");
        CLEANUP(PQclear) PGresult *yes = result_of("t");
        CLEANUP(PQclear) PGresult *no = result_of("f");
        CLEANUP(PQclear) PGresult *text = result_of("a boat");

        (void)state;
        assert_true(db_value_int(smallest, 0, 0) == INT64_MIN);
        assert_true(db_value_number(number, 0, 0) == -0.25);
        assert_true(db_value_bool(yes, 0, 0));
        assert_false(db_value_bool(no, 0, 0));
        assert_true(text_equal(db_value_text(text, 0, 0), TEXT("a boat")));
        assert_string_equal(db_value_string(text, 0, 0), "a boat");
}

/* And no empty text is taken for null. */
static void test_a_null_is_nothing(void **state) {
        CLEANUP(PQclear) PGresult *null = result_of(NULL);
        CLEANUP(PQclear) PGresult *empty = result_of("");

        (void)state;
        assert_true(db_value_int(null, 0, 0) == 0);
        assert_true(isnan(db_value_number(null, 0, 0)));
        assert_false(db_value_bool(null, 0, 0));
        assert_null(db_value_text(null, 0, 0).data);
        assert_null(db_value_string(null, 0, 0));
        assert_non_null(db_value_text(empty, 0, 0).data);
        assert_string_equal(db_value_string(empty, 0, 0), "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_value_is_what_it_says),
                cmocka_unit_test(test_a_null_is_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
