/* ConfigProfile: one line says what a printed configuration says, and whoever says it himself goes
 * first. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/config/config.h"

static const char *const profiles[] = {
        "people-counter", "energy", "device-hub", "vehicles", "cameras",
};

static char directory[] = "/tmp/test-config_profile-XXXXXX";
static char file_name[64];

static void write_file(const char *text) {
        FILE *file = fopen(file_name, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

/* What @print writes, as heap memory. */
static char *printed(const Config *config, const char *profile) {
        char *text = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&text, &n);

        assert_non_null(out);
        if (config)
                config_print(config, out);
        else
                assert_true(config_print_profile(profile, out));
        assert_int_equal(fclose(out), 0);
        return text;
}

static Config *load(const char *text, const char *set) {
        const ConfigSource source = {
                .file = text ? file_name : NULL,
                .sets = &set,
                .n_sets = set ? 1 : 0,
        };
        Config *config = NULL;

        if (text)
                write_file(text);
        assert_int_equal(config_load(&config, &source), 0);
        return config;
}

/* The line "key = value" among those of check-config. */
static void assert_in_force(const Config *config, const char *line) {
        char *text = printed(config, NULL), wanted[512];

        snprintf(wanted, sizeof(wanted), "\n%s\n", line);
        if (!strstr(text, wanted))
                fail_msg("'%s' is not among:\n%s", line, text);
        free(text);
}

static void test_one_line_says_what_the_printed_file_says(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(profiles); ++i) {
                CLEANUP(config_free) Config *by_file = NULL, *by_name = NULL;
                char *text = printed(NULL, profiles[i]), *file, *name, set[64];

                snprintf(set, sizeof(set), "use_profile=%s", profiles[i]);
                by_file = load(text, NULL);
                by_name = load(NULL, set);
                file = printed(by_file, NULL);
                name = printed(by_name, NULL);
                assert_memory_equal(name, "use_profile = ", strlen("use_profile = "));
                assert_string_equal(strchr(name, '\n') + 1, file);
                assert_non_null(strstr(CONFIG_PROFILE_NAMES, profiles[i]));
                free(text);
                free(file);
                free(name);
        }
}

static void test_file_environment_and_set_go_before_it(void **state) {
        char variable[] = "TIDEGATE_AUTH_TOKEN_TTL=2h", *environment[] = { variable, NULL };
        const char *set = "ws.welcome=Ahoy";
        const ConfigSource source = {
                .file = file_name,
                .sets = &set,
                .n_sets = 1,
                .environment = environment,
        };
        CLEANUP(config_free) Config *config = NULL;

        (void)state;
        write_file("use_profile = vehicles\n[http]\nallowed_origins = https://app.example\n"
                   "[route raw_log]\ntimezone = +08:00\n");
        assert_int_equal(config_load(&config, &source), 0);
        assert_in_force(config, "http.allowed_origins = https://app.example");
        assert_in_force(config, "auth.token_ttl = 2h");
        assert_in_force(config, "ws.welcome = Ahoy");
        assert_in_force(config, "route raw_log.timezone = +08:00");
        assert_in_force(config, "route vehicle_log.timezone = Asia/Jakarta");
        assert_in_force(config, "auth.query_token = on");
}

static void test_it_may_stand_in_any_section(void **state) {
        CLEANUP(config_free)
        Config *config = load("[log]\nlevel = debug\nuse_profile=energy\n", NULL);

        (void)state;
        assert_in_force(config, "auth.anonymous = /ws/device/*, /ws/dashboard/*");
        assert_in_force(config, "log.level = debug");
}

static void test_an_environment_may_name_it_and_goes_before_the_file(void **state) {
        char variable[] = "TIDEGATE_USE_PROFILE=cameras", *environment[] = { variable, NULL };
        const ConfigSource source = { .file = file_name, .environment = environment };
        CLEANUP(config_free) Config *config = NULL;

        (void)state;
        write_file("use_profile = energy\n");
        assert_int_equal(config_load(&config, &source), 0);
        assert_in_force(config, "auth.token_ttl = 30d");
        assert_in_force(config, "auth.anonymous = ");
}

static void test_several_open_what_each_opens_and_no_more(void **state) {
        CLEANUP(config_free)
        Config *config = load("use_profile = energy , cameras,people-counter", NULL);

        (void)state;
        assert_in_force(config,
                        "auth.anonymous = /ws/device/*, /ws/dashboard/*, /, /ws, /api/v1/devices*, "
                        "/api/v1/statistics/*, /api/v1/detections*, /api/v1/export/*, "
                        "/api/v1/settings/thresholds");
        assert_in_force(config, "auth.query_token = on");
        assert_in_force(config, "route camera_event.auto_register = on");
        assert_in_force(config, "route ble_detections.timezone = Europe/Madrid");
}

static void test_an_unknown_one_is_an_error_and_none_is_none(void **state) {
        static const char *const bad[] = {
                "use_profile=boats",
                "use_profile=vehicles,,cameras",
                "use_profile=vehicles cameras",
        };
        CLEANUP(config_free) Config *none = load("use_profile =\n", NULL);
        Config *config = NULL;

        (void)state;
        assert_in_force(none, "auth.anonymous = ");
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                const ConfigSource source = { .sets = &bad[i], .n_sets = 1 };

                assert_int_equal(config_load(&config, &source), CONFIG_E_INVALID);
                assert_null(config);
        }
        assert_false(config_print_profile("boats", stdout));
}

static int set_up(void **state) {
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(file_name, sizeof(file_name), "%s/tidegate.conf", directory);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        (void)unlink(file_name);
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_line_says_what_the_printed_file_says),
                cmocka_unit_test(test_file_environment_and_set_go_before_it),
                cmocka_unit_test(test_it_may_stand_in_any_section),
                cmocka_unit_test(test_an_environment_may_name_it_and_goes_before_the_file),
                cmocka_unit_test(test_several_open_what_each_opens_and_no_more),
                cmocka_unit_test(test_an_unknown_one_is_an_error_and_none_is_none),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
