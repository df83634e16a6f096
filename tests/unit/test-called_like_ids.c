/* Numbers: who is called like an id is said once a kind, and nobody else is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/decode/numbers.h"

static char said[4096];

static void add(RegistryDelta *delta, RegistryRow row) {
        assert_int_equal(registry_delta_add(delta, &row), 0);
}

static void add_user(RegistryDelta *delta, const char *name) {
        add(delta, (RegistryRow){ .table = REGISTRY_USER, .user = { .id = 1, .name = name } });
}

static void add_device(RegistryDelta *delta, const char *code) {
        add(delta, (RegistryRow){ .table = REGISTRY_DEVICE, .device = { .id = 1, .code = code } });
}

static void add_vehicle(RegistryDelta *delta, const char *code) {
        add(delta,
            (RegistryRow){ .table = REGISTRY_VEHICLE, .vehicle = { .id = 1, .code = code } });
}

/* What the log says of it. */
static void warn(const RegistryDelta *delta) {
        int pipes[2], log = dup(STDERR_FILENO);
        ssize_t n;

        assert_int_equal(pipe(pipes), 0);
        assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
        numbers_warn(delta);
        assert_true(dup2(log, STDERR_FILENO) >= 0);
        close(log);
        close(pipes[1]);
        n = read(pipes[0], said, sizeof(said) - 1);
        close(pipes[0]);
        said[n > 0 ? n : 0] = '\0';
}

static size_t n_lines(void) {
        size_t n = 0;

        for (const char *at = said; (at = strchr(at, '\n')) != NULL; ++at)
                ++n;
        return n;
}

static void test_each_kind_is_one_line_with_the_first_of_them(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;

        (void)state;
        assert_int_equal(registry_delta_new(&delta, true), 0);
        add_user(delta, "ana");
        add_user(delta, "17");
        add_device(delta, "5");
        add_device(delta, "dev-5");
        add_device(delta, "6");
        add_device(delta, "-7"); /* an integer, whatever its sign */
        warn(delta);
        assert_int_equal(n_lines(), 2);
        assert_non_null(strstr(said, "name_is_a_number kind=user n=1 first=\"17\""));
        assert_non_null(strstr(said, "name_is_a_number kind=device n=3 first=\"5\""));
}

static void test_who_is_called_like_anything_else_is_not_said(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;

        (void)state;
        assert_int_equal(registry_delta_new(&delta, true), 0);
        add_user(delta, "ana7");
        add_device(delta, "7a");
        add_vehicle(delta, "v-7");
        add_vehicle(delta, "7.5");
        add_vehicle(delta, NULL);
        warn(delta);
        assert_string_equal(said, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_kind_is_one_line_with_the_first_of_them),
                cmocka_unit_test(test_who_is_called_like_anything_else_is_not_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
