/* View: one text for people, one for machines, of the same calls. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "gateway/trial/view.h"

static void fill(View *view) {
        view_string(view, "word", "a\x1b[31mb\\n");
        view_string(view, "absent", NULL);
        view_number(view, "nan", (double)NAN);
        view_number(view, "tenth", 0.1);
        view_array(view, "things");
        view_object(view, NULL);
        view_array(view, "none");
        view_array_end(view);
        view_int(view, "n", 7);
        view_bool(view, "on", true);
        view_object_end(view);
        view_string(view, NULL, "bare");
        view_array_end(view);
        view_object(view, "empty");
        view_object_end(view);
        view_json(view, "json", TEXT("{\n\"a\":\"\xe2\x80\xae\"}"));
        view_time(view, "time", 0);
}

static void check(bool is_json, const char *expected) {
        CLEANUP_VIEW View view;
        char *text = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&text, &n);

        assert_non_null(out);
        view_init(&view, is_json);
        fill(&view);
        assert_int_equal(view_print(&view, out), 0);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_people_see_lines_without_what_is_absent(void **state) {
        (void)state;
        check(false,
              "word: a\\x1b[31mb\\n\n"
              "tenth: 0.1\n"
              "things:\n"
              "  - n: 7\n"
              "    on: yes\n"
              "  - bare\n"
              "json: { \"a\":\"\\u202e\"}\n"
              "time: 1970-01-01T00:00:00.000Z\n");
}

static void test_machines_see_one_object(void **state) {
        (void)state;
        check(true,
              "{\"word\":\"a\\u001b[31mb\\\\n\",\"absent\":null,\"nan\":null,\"tenth\":0.1,"
              "\"things\":[{\"none\":[],\"n\":7,\"on\":true},\"bare\"],\"empty\":{},"
              "\"json\":{\n\"a\":\"\xe2\x80\xae\"},\"time\":\"1970-01-01T00:00:00.000Z\"}\n");
}

static void test_what_is_no_character_is_no_json_either(void **state) {
        CLEANUP_VIEW View view;

        (void)state;
        view_init(&view, true);
        view_text(&view, "bytes", TEXT("a\xff"));
        assert_string_equal(buf_text(&view.buf).data, "{\"bytes\":\"a\\\\xff\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_people_see_lines_without_what_is_absent),
                cmocka_unit_test(test_machines_see_one_object),
                cmocka_unit_test(test_what_is_no_character_is_no_json_either),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
