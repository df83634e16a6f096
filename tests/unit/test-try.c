/* WsTry: who may try a message, and what of its body is asked. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/registry.h"
#include "ws/access/limiter.h"
#include "ws/manage/try.h"

static WsLimiter *limiter;
static size_t n_payload, n_config; /* at most; 0: as ever */

static int setup(void **state) {
        (void)state;
        return ws_limiter_new(&limiter, 16);
}

static int teardown(void **state) {
        (void)state;
        limiter = ws_limiter_free(limiter);
        return 0;
}

/* The status, 0 where it is asked: then *ret_query has what. */
static int ask(Role role, const char *body, Query **ret_query) {
        const WsOptions options = { .changes_per_min = 3,
                                    .try_payload_bytes = n_payload,
                                    .try_config_bytes = n_config };
        const User user = { .id = 5, .role = role };
        CLEANUP_RESPONSE WsResponse response = { 0 };
        WsCall call = { .options = &options,
                        .limiter = limiter,
                        .identity = { .user = &user },
                        .body = text_of(body),
                        .response = &response };

        assert_int_equal(ws_try_ask(&call), 0);
        *ret_query = call.query;
        return response.status;
}

static void test_it_is_for_admins_and_so_many_in_a_minute(void **state) {
        const char *body = "{\"topic\":\"a\",\"payload\":\"\"}";
        Query *query = NULL;
        int status = 0, n = 0;

        (void)state;
        assert_int_equal(ask(ROLE_USER, body, &query), 403);
        assert_null(query);
        while (status == 0 && ++n < 100) {
                status = ask(ROLE_ADMIN, body, &query);
                query_free(query);
        }
        assert_int_equal(status, 429);
        assert_int_equal(n, 4);
}

static void test_what_the_body_says_is_asked(void **state) {
        CLEANUP(query_free) Query *text = NULL, *bytes = NULL;

        (void)state;
        assert_int_equal(ask(ROLE_ADMIN,
                             "{\"topic\":\"a/b\",\"payload\":\"x\",\"config\":\"[route r]\"}",
                             &text),
                         0);
        assert_string_equal(text->attempt->topic.data, "a/b");
        assert_string_equal(text->attempt->payload.data, "x");
        assert_true(text->attempt->has_config);
        assert_string_equal(text->attempt->config.data, "[route r]");
        assert_int_equal(ask(ROLE_ADMIN, "{\"topic\":\"a\",\"payload_base64\":\"/wA=\"}", &bytes),
                         0);
        assert_int_equal(bytes->attempt->payload.n, 2);
        assert_memory_equal(bytes->attempt->payload.data, "\xff", 2);
        assert_false(bytes->attempt->has_config);
}

static void test_what_cannot_be_read_is_refused(void **state) {
        Query *query = NULL;

        (void)state;
        assert_int_equal(ask(ROLE_ADMIN, "[]", &query), 400);
        assert_int_equal(ask(ROLE_ADMIN, "{\"topic\":\"a\"}", &query), 422);
        assert_int_equal(ask(ROLE_ADMIN, "{\"topic\":\"a\",\"payload_base64\":\"%\"}", &query),
                         422);
        assert_null(query);
}

static void test_texts_are_as_long_as_is_configured(void **state) {
        static const char *const fit[] = {
                "{\"topic\":\"a\",\"payload\":\"1234\"}",
                "{\"topic\":\"a\",\"payload_base64\":\"AAAAAA==\"}",
                "{\"topic\":\"a\",\"payload\":\"\",\"config\":\"#2345\"}"
        };
        static const char *const are_longer[] = {
                "{\"topic\":\"a\",\"payload\":\"12345\"}",
                "{\"topic\":\"a\",\"payload_base64\":\"AAAAAAA=\"}",
                "{\"topic\":\"a\",\"payload\":\"\",\"config\":\"#23456\"}"
        };

        n_payload = 4;
        n_config = 5;
        for (size_t i = 0; i < N_ELEMENTS(fit); ++i) {
                Query *query = NULL;

                (void)teardown(state);
                (void)setup(state);
                assert_int_equal(ask(ROLE_ADMIN, fit[i], &query), 0);
                query_free(query);
                assert_int_equal(ask(ROLE_ADMIN, are_longer[i], &query), 422);
        }
        n_payload = n_config = 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_it_is_for_admins_and_so_many_in_a_minute,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_the_body_says_is_asked, setup, teardown),
                cmocka_unit_test_setup_teardown(test_texts_are_as_long_as_is_configured,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_refused,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
