/* LetterQuery: which dead letters one asks for, and what is said to who asks for what there is not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/letter_query.h"
#include "model/record.h"

#define NOW INT64_C(1760805000000000) /* 2025-10-18T16:30:00Z */

static LetterQuery query;
static char said[LETTER_SAID_SIZE];

static void setup_query(void) {
        query = (LetterQuery)LETTER_QUERY_INIT(50, 1000);
}

static bool set(LetterField field, const char *value) {
        return letter_query_set(&query, field, text_of(value), NOW, said);
}

static void test_reasons_are_a_list_of_known_names(void **state) {
        (void)state;
        setup_query();
        assert_true(set(LETTER_REASON, "bad_json, db_rejected"));
        assert_int_equal(query.reasons, 1u << REASON_BAD_JSON | 1u << REASON_DB_REJECTED);
        assert_false(set(LETTER_REASON, "bad_json,no_such"));
        assert_string_equal(said,
                            "'no_such': allowed: bad_json, bad_utf8, nul_character, "
                            "too_large, too_deep, missing_member, wrong_type, out_of_range, "
                            "bad_time, unknown_device, unknown_vehicle, unknown_user, wrong_owner, "
                            "unknown_command, unknown_sensor, unknown_alias, no_route, "
                            "db_rejected");
        assert_int_equal(query.reasons, 1u << REASON_BAD_JSON | 1u << REASON_DB_REJECTED);
        assert_false(set(LETTER_REASON, ""));
        assert_false(set(LETTER_REASON, "none"));
}

static void test_groups_are_by_known_words(void **state) {
        (void)state;
        setup_query();
        assert_true(set(LETTER_BY, "detail,reason"));
        assert_int_equal(query.by, 1u << LETTER_BY_DETAIL | 1u << LETTER_BY_REASON);
        assert_false(set(LETTER_BY, "colour\x1b"));
        assert_string_equal(said, "'colour\\x1b': allowed: reason, route, device, topic, detail");
        assert_false(set(LETTER_BY, "member"));
        query.is_notes = true;
        assert_true(set(LETTER_BY, "member"));
        assert_int_equal(query.by, 1u << LETTER_BY_MEMBER);
}

static void test_times_are_said_or_counted_back(void **state) {
        static const struct {
                const char *text;
                int64_t us;
        } cases[] = {
                { "2025-10-18T16:00:00Z", NOW - 1800 * INT64_C(1000000) },
                { "2025-10-18T18:00:00+02:00", NOW - 1800 * INT64_C(1000000) },
                { "90s", NOW - 90 * INT64_C(1000000) },
                { "5m", NOW - 300 * INT64_C(1000000) },
                { "1h", NOW - 3600 * INT64_C(1000000) },
                { "7d", NOW - 7 * CLOCK_DAY_US },
                { "0s", NOW },
        };
        static const char *const bad[] = { "",   "1",    "h",   "-1h",       "1.5h",
                                           "1w", "1h5m", "now", "300000000d" };

        (void)state;
        setup_query();
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_true(set(LETTER_FROM, cases[i].text));
                assert_true(query.from_us == cases[i].us);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(set(LETTER_TO, bad[i]));
        assert_true(query.to_us == CLOCK_UNKNOWN);
}

static void test_a_route_may_be_none(void **state) {
        char long_name[LETTER_NAME_SIZE + 1];

        (void)state;
        setup_query();
        assert_false(query.has_route);
        assert_true(set(LETTER_ROUTE, ""));
        assert_true(query.has_route);
        assert_true(set(LETTER_ROUTE, "telemetry"));
        assert_string_equal(query.route, "telemetry");
        memset(long_name, 'x', sizeof(long_name));
        long_name[LETTER_NAME_SIZE] = '\0';
        assert_false(set(LETTER_DEVICE, ""));
        assert_false(set(LETTER_DEVICE, long_name));
        long_name[LETTER_NAME_SIZE - 1] = '\0';
        assert_true(set(LETTER_DEVICE, long_name));
}

static void test_numbers_have_bounds(void **state) {
        (void)state;
        setup_query();
        assert_int_equal(query.limit, 50);
        assert_true(set(LETTER_LIMIT, "1000"));
        assert_int_equal(query.limit, 1000);
        assert_false(set(LETTER_LIMIT, "1001"));
        assert_string_equal(said, "'1001': allowed: a whole number from 1 to 1000");
        assert_false(set(LETTER_LIMIT, "0"));
        assert_true(set(LETTER_CURSOR, "9223372036854775807"));
        assert_true(query.before_id == INT64_MAX);
        assert_false(set(LETTER_CURSOR, "9223372036854775808"));
}

/* What PostgreSQL makes of these: test-letter_rows. */
static void test_a_filter_becomes_a_pattern(void **state) {
        static const char *const cases[][2] = {
                { "a/b", "^a/b$" },
                { "a/+/c", "^a/[^/]*/c$" },
                { "a/#", "^a(/.*)?$" },
                { "#", "^(?!\\$).*$" },
                { "+/x", "^(?!\\$)[^/]*/x$" },
                { "a.b*(c)|$[d]\\", "^a\\.b\\*\\(c\\)\\|\\$\\[d\\]\\\\$" },
        };
        static const char *const bad[] = { "", "a/#/b", "a+", "#a" };
        char pattern[LETTER_PATTERN_SIZE], longest[LETTER_TOPIC_SIZE];

        (void)state;
        setup_query();
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_true(set(LETTER_TOPIC, cases[i][0]));
                letter_query_pattern(&query, pattern);
                assert_string_equal(pattern, cases[i][1]);
        }
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(set(LETTER_TOPIC, bad[i]));
        for (size_t i = 0; i < sizeof(longest) - 1; ++i)
                longest[i] = i % 2 ? '/' : '+';
        longest[sizeof(longest) - 1] = '\0';
        assert_true(set(LETTER_TOPIC, longest));
        letter_query_pattern(&query, pattern);
        assert_int_equal(pattern[strlen(pattern) - 1], '$');
        assert_true(strlen(pattern) < LETTER_PATTERN_SIZE - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reasons_are_a_list_of_known_names),
                cmocka_unit_test(test_groups_are_by_known_words),
                cmocka_unit_test(test_times_are_said_or_counted_back),
                cmocka_unit_test(test_a_route_may_be_none),
                cmocka_unit_test(test_numbers_have_bounds),
                cmocka_unit_test(test_a_filter_becomes_a_pattern),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
