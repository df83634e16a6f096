/* RowFile: CSV and JSON are the same rows, and what cannot be read is told with its line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "gateway/move/json_rows.h"
#include "gateway/move/row.h"
#include "gateway/move/row_file.h"

static char said[4096];

PRINTF(1, 2) static void say(const char *format, ...) {
        size_t n = strlen(said);
        va_list args;

        va_start(args, format);
        vsnprintf(said + n, sizeof(said) - n, format, args);
        va_end(args);
        assert_true(strlen(said) < sizeof(said) - 1);
}

static int on_row(void *arg, const Row *row) {
        (void)arg;
        say("%zu:", row->line);
        for (size_t i = 0; i < row->n_cells; ++i)
                say("%s%s=%s%s",
                    i ? "," : "",
                    row->cells[i].column,
                    row->cells[i].value,
                    row->cells[i].is_number ? "#" : "");
        say(" ");
        return 0;
}

static void on_fault(void *arg, size_t line, const char *column, const char *why) {
        (void)arg;
        say("%zu!%s(%s) ", line, column, why);
}

/* What is said of a file of this name and content, asked for @kind. */
static const char *rows_of(const char *name, const char *text, size_t n, RowKind kind) {
        const RowHandler handler = { .row = on_row, .fault = on_fault };
        CLEANUP(row_file_free) RowFile *file = NULL;
        char folder[] = "/tmp/test-row_file-XXXXXX", path[128];
        FILE *stream;

        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        stream = fopen(path, "w");
        assert_non_null(stream);
        assert_int_equal(fwrite(text, 1, n, stream), n);
        assert_int_equal(fclose(stream), 0);
        said[0] = '\0';
        assert_int_equal(row_file_open(&file, path), 0);
        assert_int_equal(row_file_each(file, kind, &handler), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
        return said;
}

#define ROWS(name, text, kind) rows_of((name), (text), sizeof(text) - 1, (kind))

static void test_csv_and_json_are_the_same_rows(void **state) {
        (void)state;
        assert_string_equal(ROWS("users.csv", "id, Username ,x\n1,ana,\n2,\"b,n\",y\n", ROW_USERS),
                            "2:id=1,username=ana 3:id=2,username=b,n,x=y ");
        assert_string_equal(ROWS("users.csv", "id\n1\n", ROW_DEVICES), "");
        assert_string_equal(ROWS("users.json",
                                 "[{\"id\":1,\"username\":\"ana\",\"x\":null},\n"
                                 "{\"id\":\"2\",\"username\":\"b,n\",\"is_active\":true}]",
                                 ROW_USERS),
                            "1:id=1#,username=ana 2:id=2,username=b,n,is_active=true ");
        assert_string_equal(ROWS("all.json",
                                 "{\"users\": [{\"id\":1}],\n \"devices\":\n[ {\"code\":\"a\"} ,\n"
                                 "{\"code\":\"]}\\\"\"}],\"groups\":{\"a\":[1,2]}}\n",
                                 ROW_DEVICES),
                            "3:code=a 4:code=]}\" ");
        assert_string_equal(ROWS("all.json", "{}", ROW_USERS), "");
        assert_string_equal(ROWS("all.json", "{\"users\":[]}", ROW_USERS), "");
}

/* As spreadsheets save it in half of the world. */
static void test_a_file_of_another_form_is_told_which(void **state) {
        (void)state;
        assert_string_equal(ROWS("users.csv", "username;role\nana;user\n", ROW_USERS),
                            "1!(has ; between its columns: a comma is wanted) ");
        assert_string_equal(ROWS("users.csv", "sep=;\nusername;role\nana;user\n", ROW_USERS),
                            "1!(has ; between its columns: a comma is wanted) ");
        assert_string_equal(ROWS("users.csv", "username\trole\nana\tuser\n", ROW_USERS),
                            "1!(has tabs between its columns: a comma is wanted) ");
        assert_string_equal(ROWS("users.csv", "username,role\rana,user\r", ROW_USERS),
                            "1!(ends its lines with CR alone: LF or CR LF is wanted) ");
        for (int i = 0; i < 2; ++i) {
                const char *name = i ? "users.json" : "users.csv";

                assert_string_equal(ROWS(name, "\xff\xfeu\0s\0\n\0", ROW_USERS),
                                    "1!(is UTF-16: UTF-8 is wanted) ");
                assert_string_equal(ROWS(name, "\xfe\xff\0u\0s\0\n", ROW_USERS),
                                    "1!(is UTF-16: UTF-8 is wanted) ");
                assert_string_equal(ROWS(name, "u\0s\0\n\0", ROW_USERS),
                                    "1!(is UTF-16: UTF-8 is wanted) ");
        }
        /* one column, whose name is odd, is none of them */
        assert_string_equal(ROWS("users.csv", "user;name,id\na,1\n", ROW_USERS),
                            "2:user;name=a,id=1 ");
}

static void test_what_cannot_be_read_is_told_with_its_line(void **state) {
        (void)state;
        assert_string_equal(ROWS("users.csv", "", ROW_USERS),
                            "1!(is empty: the header is missing) ");
        assert_string_equal(ROWS("users.csv", "a,a\n", ROW_USERS), "1!a(is there twice) ");
        assert_string_equal(ROWS("users.csv", "a,b\n1\n2,\xff\n3,x\n", ROW_USERS),
                            "2!(has not as many columns as the header) 3!b(is not UTF-8) "
                            "4:a=3,b=x ");
        assert_string_equal(ROWS("users.csv", "a\nx\0y\nz\n", ROW_USERS), "2!a(has a NUL) 3:a=z ");
        assert_string_equal(ROWS("users.csv", "a\n\"b\nc\n", ROW_USERS),
                            "2!(a quote that does not end: nothing behind it was read) ");
        assert_string_equal(ROWS("users.json",
                                 "[{\"a\":[1]},\n{\"a\":\"\\u0000\"},\n7,{\"a\":NaN},"
                                 "{\"a\":2}]",
                                 ROW_USERS),
                            "1!a(is a list or an object: a text is wanted) 2!a(has a NUL) "
                            "3!(is no object) 3!(is no JSON) 3:a=2# ");
        assert_string_equal(ROWS("users.json", "[{\"a\":1},\n{\"a\":2}", ROW_USERS),
                            "1:a=1# 2:a=2# 2!(is no JSON from here on) ");
        assert_string_equal(ROWS("users.json", "[{\"a\":1},\n{\"a\":", ROW_USERS),
                            "1:a=1# 2!(is no JSON from here on) ");
        assert_string_equal(ROWS("users.json", "{}", ROW_USERS), "1!(is no list) ");
        assert_string_equal(ROWS("all.json", "[]", ROW_USERS),
                            "1!(is no object with lists in it) ");
        assert_string_equal(ROWS("all.json", "{\"users\":{}}", ROW_USERS),
                            "1!(is no list) 1!(is no JSON from here on) ");
        assert_string_equal(ROWS("all.json", "{} {", ROW_USERS), "1!(is no JSON from here on) ");
        assert_string_equal(ROWS("all.json", "{\"users\":[]} x", ROW_USERS),
                            "1!(is no JSON from here on) ");
        assert_string_equal(ROWS("all.json", "{\"users\":[]}\0", ROW_USERS),
                            "1!(is no JSON from here on) ");
        assert_string_equal(ROWS("users.json", "[{\"a\":1}] \ntrailing", ROW_USERS),
                            "1:a=1# 2!(is no JSON from here on) ");
        assert_string_equal(ROWS("users.json", "[][]", ROW_USERS), "1!(is no JSON from here on) ");
        assert_string_equal(ROWS("users.json", "[{\"a\":1}]\r\n ", ROW_USERS), "1:a=1# ");
}

/* It is passed over with all that is in it, and who misspelt it would miss it late. */
static void test_a_list_that_is_none_of_ours_is_told(void **state) {
        (void)state;
        assert_string_equal(ROWS("all.json",
                                 "{\"users\":[{\"a\":1}],\n\"vehicels\":[{\"code\":\"x\"}]}",
                                 ROW_USERS),
                            "1:a=1# 2!vehicels(is no list of ours; did you mean vehicles?) ");
        assert_string_equal(ROWS("all.json", "{\"user\":[],\"\\u0075sers\":[]}", ROW_USERS),
                            "1!user(is no list of ours; did you mean users?) "
                            "1!users(is no list of ours; did you mean users?) ");
        assert_string_equal(ROWS("all.json", "{\"version\":2,\n\"\":1}", ROW_USERS),
                            "1!version(is no list of ours: allowed are users, devices, vehicles, "
                            "groups, shares) 2!(is no list of ours: allowed are users, devices, "
                            "vehicles, groups, shares) ");
        assert_string_equal(ROWS("all.json", "{\"a\\u0000\\n\":1}", ROW_USERS),
                            "1!a\\u0000\\n(is no list of ours: allowed are users, devices, "
                            "vehicles, groups, shares) ");
}

static bool wants_a(void *arg, RowKind kind, const char *column) {
        (void)arg, (void)kind;
        return strcmp(column, "a") == 0;
}

static const char *rows_with_a(const char *text) {
        const RowHandler handler = { on_row, on_fault, NULL, wants_a };
        Row *row = calloc(1, sizeof(*row));

        assert_non_null(row);
        said[0] = '\0';
        assert_int_equal(json_rows_each(text_of(text), NULL, row, &handler), 0);
        free(row);
        return said;
}

static void test_what_is_in_a_member_that_nobody_wants_costs_nothing(void **state) {
        static const char *const odd[] = {
                "\"\\u0000\"",
                "\"\xff\"",
                "\"\\ud800\"",
                "1e999",
                "{\"\\u0000\":[]}",
                "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        };
        char text[256];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(odd); ++i) {
                snprintf(text, sizeof(text), "[{\"x\": %s, \"a\":7}]", odd[i]);
                assert_string_equal(rows_with_a(text), "1:x=,a=7# ");
                snprintf(text, sizeof(text), "[{\"x\":7, \"a\": %s}]", odd[i]);
                assert_non_null(strstr(rows_with_a(text), "1!a("));
        }
        assert_string_equal(rows_with_a("[{\"a\\u0000b\":1,\"\xff\\n\":2,\"a\":3}]"),
                            "1:a\\u0000b=1#,?\\n=2#,a=3# ");
        assert_string_equal(rows_with_a("[{\"x\":NaN,\"a\":7}]"), "1!(is no JSON) ");
        assert_string_equal(rows_with_a("[{\"x\n\":1,\"a\":7}]"), "1!(is no JSON) ");
        assert_string_equal(rows_with_a("[{\"a\":7,},{\"a\" 7},{\"a\":7 \"b\":1},{},{\"a\":-0.5}]"),
                            "1!(is no JSON) 1!(is no JSON) 1!(is no JSON) 1: 1:a=-0.5# ");
}

static void test_what_is_there_twice_is_told(void **state) {
        (void)state;
        assert_string_equal(ROWS("users.json",
                                 "[{\"a\":1, \"b\" : \"x,\\\"\", \"a\":1},\n{\"a\":2},\n"
                                 "{\"b\":{\"a\":1,\"b\":1},\"a\":null,\"b\":[]}]",
                                 ROW_USERS),
                            "1!a(is there twice) 2:a=2# 3!b(is a list or an object: "
                            "a text is wanted) 3!b(is there twice) ");
        assert_string_equal(ROWS("users.json", "[{\"a\":1,\"\\u0061\":2}]", ROW_USERS),
                            "1!a(is there twice) ");
        assert_string_equal(ROWS("all.json", "{\"users\":[{\"a\":1}],\n\"users\":[]}", ROW_USERS),
                            "1:a=1# 2!users(is there twice) ");
}

/* Any bytes: they end, and nothing is read beyond them. */
static void test_damaged_json_is_read_safely(void **state) {
        static const char text[] = "{\"users\": [{\"a\": \"\\\"b\", \"c\": 1}], \"x\": {}}";
        static const char others[] = { '\0', '"', '[', ']', '{', '}', ',', ':', '\\', 'x' };
        const RowHandler handler = { .row = on_row, .fault = on_fault };
        Row *row = calloc(1, sizeof(*row));

        (void)state;
        assert_non_null(row);
        for (size_t n = 0; n < sizeof(text); ++n)
                for (size_t k = 0; n > 0 && k < sizeof(others); ++k) {
                        char *copy = malloc(n);

                        assert_non_null(copy);
                        memcpy(copy, text, n);
                        copy[n - 1] = others[k];
                        said[0] = '\0';
                        assert_int_equal(json_rows_each((Text){ copy, n }, "users", row, &handler),
                                         0);
                        free(copy);
                }
        free(row);
}

static void test_kinds_have_names(void **state) {
        (void)state;
        for (RowKind kind = ROW_USERS; kind < ROW_KIND_COUNT; ++kind)
                assert_int_equal(row_kind_of(text_of(row_kind_name(kind))), kind);
        assert_int_equal(row_kind_of(TEXT("user")), ROW_KIND_COUNT);
}

static void test_values_are_bounded(void **state) {
        char text[2048] = "a,b\n";

        (void)state;
        memset(text + 4, 'x', 1024);
        memcpy(text + 4 + 1024, ",1\n", 4);
        assert_string_equal(rows_of("users.csv", text, strlen(text), ROW_USERS),
                            "2!a(too long: at most 1023 bytes) ");
}

static void test_a_file_says_what_it_has(void **state) {
        RowFile *file = NULL;

        (void)state;
        assert_int_equal(row_file_open(&file, "/nonexistent/users.csv"), ROW_FILE_E_UNREADABLE);
        assert_int_equal(row_file_open(&file, "users=/nonexistent/dump"), ROW_FILE_E_UNREADABLE);
        assert_int_equal(row_file_open(&file, "/tmp/people.csv"), ROW_FILE_E_KIND);
        assert_int_equal(row_file_open(&file, "people=/tmp/x"), ROW_FILE_E_KIND);
        assert_int_equal(row_file_open(&file, "users=/tmp"), ROW_FILE_E_UNREADABLE);
        assert_int_equal(row_file_open(&file, "users=/dev/zero"), ROW_FILE_E_UNREADABLE);
        assert_null(file);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_csv_and_json_are_the_same_rows),
                cmocka_unit_test(test_a_file_of_another_form_is_told_which),
                cmocka_unit_test(test_what_cannot_be_read_is_told_with_its_line),
                cmocka_unit_test(test_a_list_that_is_none_of_ours_is_told),
                cmocka_unit_test(test_what_is_in_a_member_that_nobody_wants_costs_nothing),
                cmocka_unit_test(test_what_is_there_twice_is_told),
                cmocka_unit_test(test_damaged_json_is_read_safely),
                cmocka_unit_test(test_kinds_have_names),
                cmocka_unit_test(test_values_are_bounded),
                cmocka_unit_test(test_a_file_says_what_it_has),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
