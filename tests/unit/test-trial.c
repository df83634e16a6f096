/* Trial: the routes that match a message, and what becomes of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "gateway/trial/trial.h"

static Config *config;

static int setup(void **state) {
        const ConfigSource source = { 0 };

        (void)state;
        return config_load(&config, &source);
}

static int teardown(void **state) {
        (void)state;
        config = config_free(config);
        return 0;
}

static void test_topics_are_those_that_one_may_publish_to(void **state) {
        (void)state;
        assert_true(trial_is_topic(TEXT("a/b")));
        assert_false(trial_is_topic(TEXT("")));
        assert_false(trial_is_topic(TEXT("a/+")));
        assert_false(trial_is_topic(TEXT("#")));
        assert_false(trial_is_topic(TEXT("\xff")));
}

static void test_a_topic_alone_has_its_routes(void **state) {
        CLEANUP_TRIAL Trial trial = { .routes = config->routes };
        CLEANUP_TRIAL Trial other = { .routes = config->routes };
        bool is_taken = false;

        (void)state;
        assert_int_equal(trial_begin(&trial, TEXT("ems/d/telemetry"), true), 0);
        assert_int_equal(trial_explain(&trial, &is_taken), 0);
        assert_true(is_taken);
        assert_string_equal(trial.winner->name, "telemetry");
        assert_int_equal(trial_begin(&other, TEXT("nobody/knows"), true), 0);
        assert_int_equal(trial_explain(&other, &is_taken), 0);
        assert_false(is_taken);
        assert_non_null(strstr(other.view.buf.data, "\"result\":\"no_route\""));
}

static void test_a_message_makes_a_row_or_says_why_not(void **state) {
        CLEANUP_TRIAL Trial trial = { .routes = config->routes };
        CLEANUP_TRIAL Trial other = { .routes = config->routes };
        bool is_taken = false;

        (void)state;
        assert_int_equal(trial_begin(&trial, TEXT("ems/d/telemetry"), true), 0);
        assert_int_equal(trial_run(&trial, TEXT("{\"v\":1}"), &is_taken), 0);
        assert_true(is_taken);
        assert_non_null(strstr(trial.view.buf.data, "\"device\":\"d\""));
        assert_non_null(strstr(trial.view.buf.data,
                               "\"not_looked_up\":[\"device d: if there is none, "
                               "unknown_device\"]"));
        assert_int_equal(trial_begin(&other, TEXT("ems/d/telemetry"), true), 0);
        assert_int_equal(trial_run(&other, TEXT("{"), &is_taken), 0);
        assert_false(is_taken);
        assert_non_null(strstr(other.view.buf.data, "\"reason\":\"bad_json\""));
        assert_null(strstr(other.view.buf.data, "not_looked_up"));
}

/* Nobody asks a database who exists: it says on what the row depends. */
static void test_what_is_not_looked_up_is_said(void **state) {
        CLEANUP_TRIAL Trial trial = { .routes = config->routes };
        CLEANUP_TRIAL Trial other = { .routes = config->routes };
        bool is_taken = false;

        (void)state;
        assert_int_equal(trial_begin(&trial, TEXT("users/u/devices/d/status"), true), 0);
        assert_int_equal(trial_run(&trial, TEXT("{\"status\":\"online\"}"), &is_taken), 0);
        assert_true(is_taken);
        assert_non_null(strstr(trial.view.buf.data,
                               "\"not_looked_up\":[\"user u: if there is none, unknown_user\","
                               "\"device d: if there is none, unknown_device\","
                               "\"whose it is: if not of user u, wrong_owner\"]"));
        assert_int_equal(trial_begin(&other, TEXT("seano/v/raw_log"), true), 0);
        assert_int_equal(trial_run(&other, TEXT("hello"), &is_taken), 0);
        assert_non_null(strstr(other.view.buf.data,
                               "\"not_looked_up\":[\"vehicle v: if there is none, "
                               "unknown_vehicle\"]"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_topics_are_those_that_one_may_publish_to),
                cmocka_unit_test(test_a_topic_alone_has_its_routes),
                cmocka_unit_test(test_a_message_makes_a_row_or_says_why_not),
                cmocka_unit_test(test_what_is_not_looked_up_is_said),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
