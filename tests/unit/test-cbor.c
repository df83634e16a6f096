/* Cbor: the examples of RFC 8949, appendix A, and what is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"
#include "gateway/decode/cbor.h"
#include "gateway/decode/json_tree.h"

static Text bytes_of(const char *hex, char bytes[256]) {
        size_t n = 0;

        for (; *hex; hex += 2)
                bytes[n++] = (char)(text_hex_digit(hex[0]) * 16 + text_hex_digit(hex[1]));
        return (Text){ bytes, n };
}

static void check_read(const char *hex, const char *expected) {
        CLEANUP_BUF Buf buf = { 0 };
        char bytes[256];
        const char *why;

        if (cbor_to_json(&buf, bytes_of(hex, bytes), &why) != 0)
                fail_msg("%s: %s", hex, why);
        if (!text_equal(buf_text(&buf), text_of(expected)))
                fail_msg("%s: %s", hex, buf.data);
}

static void check_refused(const char *hex, Reason reason) {
        CLEANUP_BUF Buf buf = { 0 };
        char bytes[256];
        const char *why = NULL;

        if (cbor_to_json(&buf, bytes_of(hex, bytes), &why) != (int)reason)
                fail_msg("%s: %s", hex, buf.data);
        assert_non_null(why);
}

static void test_the_examples_of_the_standard(void **state) {
        static const struct {
                const char *hex, *json;
        } cases[] = {
                { "00", "0" },
                { "1818", "24" },
                { "1b000000e8d4a51000", "1000000000000" },
                { "1bffffffffffffffff", "18446744073709551615" },
                { "3bffffffffffffffff", "-18446744073709551616" },
                { "20", "-1" },
                { "3903e7", "-1000" },
                { "f90000", "0" },
                { "f93e00", "1.5" },
                { "fb3ff199999999999a", "1.1" },
                { "fa47c35000", "100000" },
                { "fa41aa6666", "21.3" },
                { "f97c00", "Infinity" },
                { "f97e00", "NaN" },
                { "fbfff0000000000000", "-Infinity" },
                { "f4", "false" },
                { "f5", "true" },
                { "f6", "null" },
                { "f7", "null" },
                { "c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\"" },
                { "c11a514b67b0", "1363896240" },
                { "4401020304", "\"AQIDBA\"" },
                { "62225c", "\"\\\"\\\\\"" },
                { "62c3bc", "\"\xc3\xbc\"" },
                { "80", "[]" },
                { "8301820203820405", "[1,[2,3],[4,5]]" },
                { "a0", "{}" },
                { "a201020304", "{\"1\":2,\"3\":4}" },
                { "a26161016162820203", "{\"a\":1,\"b\":[2,3]}" },
                { "5f42010243030405ff", "\"AQIDBAU\"" },
                { "7f657374726561646d696e67ff", "\"streaming\"" },
                { "9fff", "[]" },
                { "9f018202039f0405ffff", "[1,[2,3],[4,5]]" },
                { "bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}" },
                { "bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_read(cases[i].hex, cases[i].json);
}

static void test_what_json_has_not_is_null_or_what_is_tagged(void **state) {
        (void)state;
        check_read("c601", "1");
        check_read("d28343a10126a04101", "[\"oQEm\",{},\"AQ\"]"); /* COSE_Sign1 */
        check_read("a16161d08101", "{\"a\":[1]}");
        check_read("d4d501", "1");
        check_read("d818d11864", "100");
        check_read("e0", "null");
        check_read("f0", "null");
        check_read("f3", "null");
        check_read("f820", "null");
        check_read("f8ff", "null");
        check_read("83f0f82001", "[null,null,1]");
        check_read("a16161f0", "{\"a\":null}");
}

static void test_what_is_no_item_is_refused(void **state) {
        static const char *const cases[] = {
                "",
                "18",
                "1900",
                "62c3",
                "8201",
                "a101",
                "a1",
                "0000",
                "ff",
                "9f",
                "bf01ff",
                "7f01ff",
                "7f4101ff",
                "5f6161ff",
                "7f7fffff",
                "1c",
                "a1f501",
                "a1f93e0001",
                "a1810102",
                "a1410001",
                "5b7fffffffffffffff00",
                "9b7fffffffffffffff00",
                "d2",
                "00d2",
                "9fd2ff",
                "f8",
                "f800",
                "f81f",
                "dc00",
                "a1f001",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i)
                check_refused(cases[i], REASON_BAD_JSON);
        check_refused("61ff", REASON_BAD_UTF8);
}

static void test_levels_are_bounded(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        char bytes[2 * JSON_MAX_DEPTH + 2];
        const char *why;

        (void)state;
        memset(bytes, '\x81', sizeof(bytes));
        bytes[sizeof(bytes) - 1] = 0;
        assert_int_equal(cbor_to_json(&buf, (Text){ bytes, sizeof(bytes) }, &why), REASON_TOO_DEEP);
        buf_reset(&buf);
        assert_int_equal(cbor_to_json(&buf, (Text){ bytes + 1, sizeof(bytes) - 1 }, &why), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_examples_of_the_standard),
                cmocka_unit_test(test_what_json_has_not_is_null_or_what_is_tagged),
                cmocka_unit_test(test_what_is_no_item_is_refused),
                cmocka_unit_test(test_levels_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
