/* Csv: rows as RFC 4180 says, and what cannot be read costs its line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "gateway/move/csv.h"

/* All rows as "line:a|b|c " or "line!error ". */
static void read_all(Text text, char ret_all[1024]) {
        CLEANUP_BUF Buf bytes = { 0 };
        Csv csv = { .rest = text, .bytes = &bytes };
        size_t n = 0;
        int r;

        ret_all[0] = '\0';
        while ((r = csv_next(&csv)) != CSV_E_END) {
                assert_true(r >= 0);
                n += (size_t)
                        snprintf(ret_all + n, 1024 - n, r == 0 ? "%zu:" : "%zu!%d", csv.line, r);
                for (size_t i = 0; r == 0 && i < csv.n_fields; ++i)
                        n += (size_t)snprintf(ret_all + n,
                                              1024 - n,
                                              "%s%.*s",
                                              i ? "|" : "",
                                              (int)csv.fields[i].n,
                                              csv.fields[i].data);
                n += (size_t)snprintf(ret_all + n, 1024 - n, " ");
                assert_true(n < 1000);
        }
}

static void test_rows_are_read(void **state) {
        static const struct {
                const char *text, *rows;
        } cases[] = {
                { "", "" },
                { "\n\r\n\n", "" },
                { "a,b\n1,2\n", "1:a|b 2:1|2 " },
                { "a,b\r\n1,2", "1:a|b 2:1|2 " },
                { "\xef\xbb\xbf"
                  "a\n",
                  "1:a " },
                { "a,,\n,\n", "1:a|| 2:| " },
                { "\"a,b\",\"c\"\"d\",\"\"\n", "1:a,b|c\"d| " },
                { "\"a\nb\",c\n\nd\n", "1:a\nb|c 4:d " },
                { "\"a\r\nb\"\nc\n", "1:a\r\nb 3:c " },
                { " a , b \n", "1: a | b  " },
                { "a\rb\n", "1:a\rb " },
        };
        char all[1024];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                read_all(text_of(cases[i].text), all);
                assert_string_equal(all, cases[i].rows);
        }
}

static void test_what_cannot_be_read_costs_its_line(void **state) {
        static const struct {
                const char *text, *rows;
        } cases[] = {
                { "a\"b,c\nd\n", "1!2 2:d " }, { "\"a\"b,c\nd\n", "1!2 2:d " },
                { "a\n\"b\nc\n", "1:a 2!3 " }, { "\"", "1!3 " },
                { "\"a\"\"", "1!3 " },
        };
        char all[1024];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                read_all(text_of(cases[i].text), all);
                assert_string_equal(all, cases[i].rows);
        }
}

static void test_rows_are_bounded(void **state) {
        static char text[3 * CSV_ROW_MAX];
        char all[1024];

        (void)state;
        memset(text, 'x', sizeof(text));
        memcpy(text + sizeof(text) - 3, "\nb\n", 3);
        read_all((Text){ text, sizeof(text) }, all);
        assert_string_equal(all, "1!5 2:b ");
        memset(text, ',', sizeof(text) - 3);
        read_all((Text){ text, sizeof(text) }, all);
        assert_string_equal(all, "1!4 2:b ");
}

/* Whatever the bytes are: no field is longer than the text, and it ends. */
static void test_any_bytes_are_read_safely(void **state) {
        static const char alphabet[] = { '"', ',', '\n', '\r', 'a', '\0', '\xff' };
        uint32_t dice = 1;

        (void)state;
        for (int round = 0; round < 20000; ++round) {
                CLEANUP_BUF Buf bytes = { 0 };
                char *text = malloc(12);
                Csv csv = { .rest = { text, 12 }, .bytes = &bytes };
                size_t n_fields = 0;
                int r;

                assert_non_null(text);
                for (size_t i = 0; i < 12; ++i) {
                        dice = dice * 1664525 + 1013904223;
                        text[i] = alphabet[(dice >> 16) % sizeof(alphabet)];
                }
                while ((r = csv_next(&csv)) != CSV_E_END) {
                        assert_true(r >= 0);
                        for (size_t i = 0; r == 0 && i < csv.n_fields; ++i)
                                assert_true(csv.fields[i].n <= 12);
                        n_fields += csv.n_fields;
                        assert_true(n_fields <= 13);
                }
                free(text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows_are_read),
                cmocka_unit_test(test_what_cannot_be_read_costs_its_line),
                cmocka_unit_test(test_rows_are_bounded),
                cmocka_unit_test(test_any_bytes_are_read_safely),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
