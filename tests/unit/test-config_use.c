/* ConfigUse: a profile as it stands in its file. What becomes of it:
 * test_routes_on_the_command_line.py. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/config/config_use.h"
#include "gateway/config/shipped.h"

static void test_every_profile_that_is_shipped_is_one(void **state) {
        char **names;
        size_t n;

        (void)state;
        assert_int_equal(shipped_names(NULL, &names, &n), 0);
        assert_true(n > 0);
        for (size_t i = 0; i < n; ++i) {
                CLEANUP_PROFILE_FILE ConfigProfileFile file;

                assert_int_equal(config_profile_file_read(&file, NULL, names[i]), 0);
                assert_int_equal(file.loader.n_errors, 0);
                assert_non_null(file.about.text);
                assert_true(file.n_stem > 0);
        }
        shipped_names_free(names, n);
}

static void test_there_is_no_other(void **state) {
        CLEANUP_PROFILE_FILE ConfigProfileFile file;

        (void)state;
        assert_int_equal(config_profile_file_read(&file, NULL, "none"), SHIPPED_E_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_profile_that_is_shipped_is_one),
                cmocka_unit_test(test_there_is_no_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
