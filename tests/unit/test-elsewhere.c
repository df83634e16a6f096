/* WsElsewhere: whoever asks for what is done elsewhere is told where, and nobody else is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/http/elsewhere.h"

static void test_a_path_and_all_below_it_has_a_page(void **state) {
        (void)state;
        assert_string_equal(ws_elsewhere("/api/settings"), "docs/migrate/cameras.md");
        assert_string_equal(ws_elsewhere("/api/settings/"), "docs/migrate/cameras.md");
        assert_string_equal(ws_elsewhere("/api/settings/mail/test"), "docs/migrate/cameras.md");
        assert_string_equal(ws_elsewhere("/roles/3"), "docs/migrate/vehicles.md");
}

/* A name that only begins so is another one. */
static void test_a_longer_or_shorter_name_has_none(void **state) {
        static const char *const paths[] = {
                "",           "/",           "/api",          "/api/setting", "/api/settingss",
                "/rolesx/3",  "/api/alerts", "/API/settings", "roles",        "//roles",
                "/api/roles",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(paths); ++i)
                assert_null(ws_elsewhere(paths[i]));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_path_and_all_below_it_has_a_page),
                cmocka_unit_test(test_a_longer_or_shorter_name_has_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
