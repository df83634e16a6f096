/* Shipped: what is built in, and a folder that goes before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/shipped.h"

static char folder[] = "/tmp/test-shipped-XXXXXX";

static void write_profile(const char *name, const char *text) {
        char path[80];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static int begin(void **state) {
        (void)state;
        assert_non_null(mkdtemp(folder));
        write_profile("zigbee2mqtt.conf", "mine");
        write_profile("aaa.conf", "new");
        write_profile("readme.txt", "none");
        write_profile(".conf", "none");
        return 0;
}

static int end(void **state) {
        static const char *const names[] = {
                "zigbee2mqtt.conf", "aaa.conf", "readme.txt", ".conf"
        };
        char path[80];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
                assert_int_equal(unlink(path), 0);
        }
        return rmdir(folder);
}

static void test_the_folder_goes_before_what_is_built_in(void **state) {
        CLEANUP_BUF Buf text = { 0 }, where = { 0 };
        char path[80];

        (void)state;
        snprintf(path, sizeof(path), "%s/zigbee2mqtt.conf", folder);
        assert_int_equal(shipped_read(folder, "zigbee2mqtt", &text, &where), 0);
        assert_string_equal(buf_text(&text).data, "mine");
        assert_string_equal(buf_text(&where).data, path);
        buf_reset(&text);
        buf_reset(&where);
        assert_int_equal(shipped_read(NULL, "zigbee2mqtt", &text, &where), 0);
        assert_non_null(strstr(buf_text(&text).data, "[route zigbee2mqtt]"));
        assert_string_equal(buf_text(&where).data, "profile zigbee2mqtt");
}

static void test_there_is_none_of_another_name(void **state) {
        static const char *const names[] = { "",       ".",     "..", "readme", "zigbee2mqtt.conf",
                                             "../aaa", "zigbee" };
        CLEANUP_BUF Buf text = { 0 }, where = { 0 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                assert_int_equal(shipped_read(folder, names[i], &text, &where), SHIPPED_E_NONE);
        assert_int_equal(text.n, 0);
}

static size_t count(char *const names[], size_t n, const char *name) {
        size_t found = 0;

        for (size_t i = 0; i < n; ++i)
                found += strcmp(names[i], name) == 0;
        return found;
}

static void test_names_are_in_order_and_each_once(void **state) {
        char **names;
        size_t n;

        (void)state;
        assert_int_equal(shipped_names(folder, &names, &n), 0);
        assert_string_equal(names[0], "aaa");
        assert_int_equal(count(names, n, "zigbee2mqtt"), 1);
        assert_int_equal(count(names, n, "readme"), 0);
        for (size_t i = 1; i < n; ++i)
                assert_true(strcmp(names[i - 1], names[i]) < 0);
        shipped_names_free(names, n);
        assert_int_equal(shipped_names("/nonexistent", &names, &n), 0);
        assert_int_equal(count(names, n, "aaa"), 0);
        assert_int_equal(count(names, n, "zigbee2mqtt"), 1);
        shipped_names_free(names, n);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_folder_goes_before_what_is_built_in),
                cmocka_unit_test(test_there_is_none_of_another_name),
                cmocka_unit_test(test_names_are_in_order_and_each_once),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
