/* SparkplugMessage: a payload of Sparkplug B as JSON, each type of the specification, and what is
 * none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>

#include "gateway/sparkplug/message.h"
#include "gateway/sparkplug/payload.h"
#include "gateway/sparkplug/table.h"
#include "gateway/sparkplug/value.h"
#include "tests/fake/sparkplug.h"

#define LARGE ((size_t)1 << 20)

static void check_written(const Buf *payload, const SparkplugTable *table, const char *expected) {
        CLEANUP_BUF Buf json = { 0 };
        SparkplugNews news;

        assert_int_equal(sparkplug_message_write(&json, buf_text(payload), table, LARGE, &news), 0);
        assert_string_equal(json.data, expected);
}

/* {"v":@expected} of a metric v that has @value and @type. */
static void check_value(uint32_t type, Buf *value, const char *expected) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf json = { 0 };

        put_metric(&payload, "v", type, value);
        buf_printf(&json, "{\"v\":%s}", expected);
        check_written(&payload, NULL, json.data);
}

static void check_refused(Buf *payload, int answer, const char *metric) {
        CLEANUP_BUF Buf json = { 0 };
        SparkplugNews news;

        assert_int_equal(sparkplug_message_write(&json, buf_text(payload), NULL, LARGE, &news),
                         answer);
        assert_string_equal(news.metric, metric);
}

static void test_whole_numbers_have_the_sign_of_their_type(void **state) {
        static const struct {
                uint32_t type;
                unsigned field;
                uint64_t wire;
                const char *json;
        } cases[] = {
                { 1, METRIC_INT, 0xffffffff, "-1" },
                { 1, METRIC_INT, 0x80, "-128" },
                { 1, METRIC_INT, 127, "127" },
                { 2, METRIC_INT, 0xffff8000, "-32768" },
                { 3, METRIC_INT, 0x80000000, "-2147483648" },
                { 4, METRIC_LONG, UINT64_MAX, "-1" },
                { 4, METRIC_LONG, UINT64_C(1) << 63, "-9223372036854775808" },
                { 5, METRIC_INT, 255, "255" },
                { 6, METRIC_INT, 65535, "65535" },
                { 7, METRIC_INT, 0xffffffff, "4294967295" },
                { 7, METRIC_LONG, 0xffffffff, "4294967295" },
                { 8, METRIC_LONG, UINT64_MAX, "18446744073709551615" },
                { 13, METRIC_LONG, UINT64_C(1795853420123), "1795853420123" },
                { 0, METRIC_INT, 0xffffffff, "4294967295" }, /* nobody has said its type */
                { 11, METRIC_BOOLEAN, 1, "true" },
                { 11, METRIC_BOOLEAN, 0, "false" },
                { 11, METRIC_INT, 1, "true" },
        };
        CLEANUP_BUF Buf value = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                put_whole(&value, cases[i].field, cases[i].wire);
                check_value(cases[i].type, &value, cases[i].json);
        }
}

static void test_fractions_are_as_short_as_they_can_be_and_no_number_is_null(void **state) {
        CLEANUP_BUF Buf value = { 0 };
        float single = 21.3F;
        double number = 0.1;

        (void)state;
        put_fixed(&value, METRIC_FLOAT, &single, sizeof(single));
        check_value(9, &value, "21.3");
        put_fixed(&value, METRIC_DOUBLE, &number, sizeof(number));
        check_value(10, &value, "0.1");
        number = (double)NAN;
        put_fixed(&value, METRIC_DOUBLE, &number, sizeof(number));
        check_value(10, &value, "null");
        single = -INFINITY;
        put_fixed(&value, METRIC_FLOAT, &single, sizeof(single));
        check_value(9, &value, "null");
}

static void test_texts_and_bytes(void **state) {
        CLEANUP_BUF Buf value = { 0 };

        (void)state;
        put_text(&value, METRIC_STRING, TEXT("a \"b\" \xc3\xbc"));
        check_value(12, &value, "\"a \\\"b\\\" \xc3\xbc\"");
        put_text(&value, METRIC_STRING, TEXT("odd \xff"));
        check_value(14, &value, "\"odd \xef\xbf\xbd\"");
        put_text(&value, METRIC_STRING, TEXT("5f8d0c9e-5a0e-4b6f-9c41-2a4f6a5d8f11"));
        check_value(15, &value, "\"5f8d0c9e-5a0e-4b6f-9c41-2a4f6a5d8f11\"");
        put_text(&value, METRIC_BYTES, TEXT("\x01\x02\x03\x04"));
        check_value(17, &value, "\"AQIDBA==\"");
        put_text(&value, METRIC_BYTES, TEXT("\x01\x02"));
        check_value(18, &value, "\"AQI=\"");
        put_text(&value, METRIC_BYTES, TEXT(""));
        check_value(17, &value, "\"\"");
        put_whole(&value, METRIC_NULL, 1);
        put_whole(&value, METRIC_INT, 7);
        check_value(3, &value, "null");
        check_value(3, &value, "null"); /* no value at all */
}

static void test_arrays_are_packed(void **state) {
        static const struct {
                uint32_t type;
                Text bytes;
                const char *json;
        } cases[] = {
                /* as section 6.4.16 has them */
                { 22, TEXT("\xe9\x7b"), "[-23,123]" },
                { 23, TEXT("\xd0\x8a\x30\x75"), "[-30000,30000]" },
                { 24, TEXT("\xff\xff\xff\xff\x8f\x74\xd0\x12"), "[-1,315651215]" },
                { 25, TEXT("\xce\x06\x72\xac\x18\x9c\xba\xc4"), "[-4270929666821191986]" },
                { 26, TEXT("\x17\xfa"), "[23,250]" },
                { 27, TEXT("\x1e\x00\x88\xff"), "[30,65416]" },
                { 28, TEXT("\x34\x00\x00\x00\xff\xff\xff\xff"), "[52,4294967295]" },
                { 29, TEXT("\xff\xff\xff\xff\xff\xff\xff\xff"), "[18446744073709551615]" },
                { 30, TEXT("\x00\x00\x48\x41\x00\x00\xc0\x7f"), "[12.5,null]" },
                { 31, TEXT("\x00\x00\x00\x00\x00\x00\x29\x40"), "[12.5]" },
                { 32,
                  TEXT("\x0c\x00\x00\x00\x34\xd0"),
                  "[false,false,true,true,false,true,false,"
                  "false,true,true,false,true]" },
                { 32, TEXT("\x00\x00\x00\x00"), "[]" },
                { 33, TEXT("ABC\0hello\0"), "[\"ABC\",\"hello\"]" },
                { 33, TEXT(""), "[]" },
                { 34, TEXT("\x5b\x86\x34\x21\xa2\x01\x00\x00"), "[1795853420123]" },
        };
        CLEANUP_BUF Buf value = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                put_text(&value, METRIC_BYTES, cases[i].bytes);
                check_value(cases[i].type, &value, cases[i].json);
        }
}

static void test_arrays_that_are_cut_are_refused_by_name(void **state) {
        static const struct {
                uint32_t type;
                Text bytes;
        } cases[] = {
                { 23, TEXT("\x01") },           { 31, TEXT("\x01\x02\x03\x04") },
                { 32, TEXT("\x01") },           { 32, TEXT("\x09\x00\x00\x00\xff") },
                { 33, TEXT("without an end") },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf value = { 0 };
                CLEANUP_BUF Buf payload = { 0 };

                put_text(&value, METRIC_BYTES, cases[i].bytes);
                put_metric(&payload, "list", cases[i].type, &value);
                check_refused(&payload, SPARKPLUG_E_BROKEN, "list");
        }
}

static void put_row(Buf *set, uint64_t whole, const char *text) {
        CLEANUP_BUF Buf row = { 0 };
        CLEANUP_BUF Buf cell = { 0 };

        put_whole(&cell, 1, whole);
        put_text(&row, 1, buf_text(&cell));
        buf_reset(&cell);
        if (text) {
                put_text(&cell, 6, text_of(text));
                put_text(&row, 1, buf_text(&cell));
        }
        put_text(set, 4, buf_text(&row));
}

static void test_a_data_set_is_an_object_a_row(void **state) {
        CLEANUP_BUF Buf set = { 0 };
        CLEANUP_BUF Buf value = { 0 };

        (void)state;
        put_whole(&set, 1, 2);
        put_text(&set, 2, TEXT("n"));
        put_text(&set, 2, TEXT("who"));
        put_whole(&set, 3, 1);
        put_whole(&set, 3, 12);
        put_row(&set, 0xffffffff, "ana");
        put_row(&set, 2, NULL);
        put_text(&value, METRIC_DATASET, buf_text(&set));
        check_value(16, &value, "[{\"n\":-1,\"who\":\"ana\"},{\"n\":2,\"who\":null}]");
        put_text(&value, METRIC_DATASET, TEXT(""));
        check_value(16, &value, "[]");
}

static void put_templates(Buf *value, size_t n_levels) {
        CLEANUP_BUF Buf inner = { 0 };
        CLEANUP_BUF Buf template = { 0 };

        if (n_levels == 0) {
                put_whole(value, METRIC_INT, 7);
                return;
        }
        put_templates(&inner, n_levels - 1);
        put_metric(&template, "t", n_levels > 1 ? 19 : 3, &inner);
        put_text(value, METRIC_TEMPLATE, buf_text(&template));
}

static void test_templates_are_objects_and_end_somewhere(void **state) {
        CLEANUP_BUF Buf value = { 0 };
        CLEANUP_BUF Buf payload = { 0 };

        (void)state;
        put_templates(&value, 2);
        check_value(19, &value, "{\"t\":{\"t\":7}}");
        put_templates(&value, SPARKPLUG_LEVELS);
        put_metric(&payload, "v", 19, &value);
        check_refused(&payload, 0, "");
        buf_reset(&payload);
        put_templates(&value, SPARKPLUG_LEVELS + 1);
        put_metric(&payload, "v", 19, &value);
        check_refused(&payload, SPARKPLUG_E_DEEP, "v");
}

/* v = whole, as an alias alone where there is no name. */
static void put_number(Buf *payload,
                       const char *name,
                       uint64_t alias,
                       uint64_t time_ms,
                       bool is_past) {
        CLEANUP_BUF Buf value = { 0 };

        put_whole(&value, METRIC_ALIAS, alias);
        if (time_ms > 0)
                put_whole(&value, METRIC_TIME, time_ms);
        if (is_past)
                put_whole(&value, METRIC_HISTORICAL, 1);
        put_whole(&value, METRIC_INT, 0xfffffff0 + alias);
        put_metric(payload, name, name ? 3 : 0, &value);
}

static SparkplugTable *table_of(Buf *birth, size_t n_max) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *payload = NULL;
        SparkplugTable *table = NULL;

        assert_int_equal(sparkplug_payload_open(&payload, buf_text(birth)), 0);
        assert_int_equal(sparkplug_table_new(&table, payload, n_max), 0);
        return table;
}

static void test_an_alias_has_the_name_and_type_of_the_birth(void **state) {
        CLEANUP_BUF Buf birth = { 0 };
        CLEANUP_BUF Buf data = { 0 };
        CLEANUP_BUF Buf json = { 0 };
        CLEANUP(sparkplug_table_unref) SparkplugTable *table = NULL;
        SparkplugNews news;

        (void)state;
        put_number(&birth, "Motor/Temp", 1, 0, false);
        put_number(&birth, "Motor/Speed", 2, 0, false);
        put_number(&birth, "too many", 3, 0, false);
        table = table_of(&birth, 2);
        assert_int_equal(sparkplug_table_length(table), 2);

        put_whole(&data, PAYLOAD_TIME, 1000);
        put_number(&data, NULL, 2, 0, false);
        put_number(&data, NULL, 1, 0, false);
        put_number(&data, NULL, 3, 0, false);
        assert_int_equal(sparkplug_message_write(&json, buf_text(&data), table, LARGE, &news), 0);
        assert_string_equal(json.data,
                            "{\"timestamp\":1000,\"Motor/Speed\":-14,\"Motor/Temp\":-15}");
        assert_int_equal(news.n_unknown, 1);
        assert_int_equal(news.unknown_alias, 3);
        check_refused(&data, SPARKPLUG_E_UNKNOWN, "");
}

static void test_what_is_past_is_kept_apart(void **state) {
        CLEANUP_BUF Buf payload = { 0 };

        (void)state;
        put_whole(&payload, PAYLOAD_TIME, 5000);
        put_number(&payload, "a", 1, 1000, true);
        put_number(&payload, "b", 2, 1000, true);
        put_number(&payload, "a", 3, 2000, false); /* said anew below */
        put_number(&payload, "a", 4, 3000, false);
        check_written(&payload,
                      NULL,
                      "{\"timestamp\":5000,\"a\":-12,\"historical\":"
                      "[{\"timestamp\":1000,\"a\":-15,\"b\":-14},{\"timestamp\":2000,\"a\":-13}]}");
}

static void test_of_many_values_of_a_metric_the_last_alone_is_of_now(void **state) {
        CLEANUP_BUF Buf payload = { 0 };

        (void)state;
        put_whole(&payload, PAYLOAD_TIME, 5000);
        put_number(&payload, "a", 1, 1000, false);
        put_number(&payload, "a", 2, 2000, false);
        put_number(&payload, "b", 3, 2000, false);
        put_number(&payload, "a", 4, 2500, true);
        put_number(&payload, "a", 5, 3000, false);
        check_written(&payload,
                      NULL,
                      "{\"timestamp\":5000,\"b\":-13,\"a\":-11,\"historical\":"
                      "[{\"timestamp\":1000,\"a\":-15},{\"timestamp\":2000,\"a\":-14},"
                      "{\"timestamp\":2500,\"a\":-12}]}");
}

static void test_a_message_of_the_past_says_so(void **state) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf json = { 0 };
        SparkplugNews news;

        (void)state;
        put_whole(&payload, PAYLOAD_TIME, 5000);
        put_number(&payload, "a", 1, 1000, true);
        put_number(&payload, "b", 2, 1000, true);
        assert_int_equal(sparkplug_message_write(&json, buf_text(&payload), NULL, LARGE, &news), 0);
        assert_string_equal(json.data, "{\"timestamp\":1000,\"a\":-15,\"b\":-14}");
        assert_true(news.is_history);
        put_number(&payload, "a", 3, 2000, true);
        check_written(&payload,
                      NULL,
                      "{\"timestamp\":5000,\"historical\":[{\"timestamp\":1000,\"a\":-15,\"b\":-14}"
                      ","
                      "{\"timestamp\":2000,\"a\":-13}]}");
}

static void test_a_metric_may_be_called_as_our_own(void **state) {
        CLEANUP_BUF Buf payload = { 0 };

        (void)state;
        put_whole(&payload, PAYLOAD_TIME, 5000);
        put_number(&payload, "timestamp", 1, 0, false);
        check_written(&payload, NULL, "{\"timestamp\":-15}");
        buf_reset(&payload);
        check_written(&payload, NULL, "{}");
}

static void test_what_is_no_payload_is_refused(void **state) {
        static const Text cases[] = {
                TEXT("{\"a\":1}"),
                TEXT("\xff"),
                TEXT("\x12\x7f"),         /* a metric that is cut */
                TEXT("\x12\x02\x0a\x7f"), /* and its name */
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf payload = { 0 };

                buf_append_text(&payload, cases[i]);
                check_refused(&payload, SPARKPLUG_E_NONE, "");
        }
}

/* Columns that are named anew in each row, names of aliases: a few bytes are to be many. */
static void test_growth_ends_where_it_is_told(void **state) {
        CLEANUP_BUF Buf set = { 0 };
        CLEANUP_BUF Buf value = { 0 };
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf json = { 0 };
        char column[4096];
        SparkplugNews news;

        (void)state;
        memset(column, 'c', sizeof(column));
        put_text(&set, 2, (Text){ column, sizeof(column) });
        put_whole(&set, 3, 3);
        for (size_t i = 0; i < 4096; ++i)
                put_row(&set, i, NULL);
        put_text(&value, METRIC_DATASET, buf_text(&set));
        put_metric(&payload, "v", 16, &value);
        assert_int_equal(sparkplug_message_write(&json, buf_text(&payload), NULL, 65536, &news),
                         SPARKPLUG_E_LARGE);
        assert_in_range(json.n, 65536, 65536 + 2 * sizeof(column));
}

/* 2 MiB that are a metric every two bytes. */
static void test_memory_is_bounded_by_the_bytes(void **state) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP(sparkplug_payload_free) SparkplugPayload *opened = NULL;

        (void)state;
        for (size_t i = 0; i < (size_t)1 << 20; ++i)
                buf_append_text(&payload, (Text){ "\x12\x00", 2 });
        assert_int_equal(sparkplug_payload_open(&opened, buf_text(&payload)), SPARKPLUG_E_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole_numbers_have_the_sign_of_their_type),
                cmocka_unit_test(test_fractions_are_as_short_as_they_can_be_and_no_number_is_null),
                cmocka_unit_test(test_texts_and_bytes),
                cmocka_unit_test(test_arrays_are_packed),
                cmocka_unit_test(test_arrays_that_are_cut_are_refused_by_name),
                cmocka_unit_test(test_a_data_set_is_an_object_a_row),
                cmocka_unit_test(test_templates_are_objects_and_end_somewhere),
                cmocka_unit_test(test_an_alias_has_the_name_and_type_of_the_birth),
                cmocka_unit_test(test_what_is_past_is_kept_apart),
                cmocka_unit_test(test_of_many_values_of_a_metric_the_last_alone_is_of_now),
                cmocka_unit_test(test_a_message_of_the_past_says_so),
                cmocka_unit_test(test_a_metric_may_be_called_as_our_own),
                cmocka_unit_test(test_what_is_no_payload_is_refused),
                cmocka_unit_test(test_growth_ends_where_it_is_told),
                cmocka_unit_test(test_memory_is_bounded_by_the_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
