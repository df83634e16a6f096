/* WsPrecheck: what cannot be served is told so before anybody is asked who he is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/http/precheck.h"
#include "ws/loop/options.h"

static WsOptions options;
static WsRequest *request;
static WsResponse response;
static WsCall call;

static int set_up(void **state) {
        (void)state;
        metrics_reset();
        options = (WsOptions){ .max_body_bytes = 1000, .allowed_origins = "https://app.example" };
        request = calloc(1, sizeof(*request));
        assert_non_null(request);
        response = (WsResponse){ 0 };
        call = (WsCall){ .options = &options, .request = request, .response = &response };
        strcpy(request->method, "GET");
        strcpy(request->path, "/livez");
        request->body_length = -1;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        ws_response_done(&response);
        free(request);
        return 0;
}

static void ask(const char *method, const char *path) {
        ws_response_done(&response);
        response = (WsResponse){ 0 };
        strcpy(request->method, method);
        strcpy(request->path, path);
}

static bool has_header(const char *line) {
        return response.headers.data && strstr(response.headers.data, line);
}

static void expect_refused(int status, const char *code) {
        char wanted[64] = "\"code\":\"";

        assert_null(ws_precheck(&call));
        assert_int_equal(response.status, status);
        strcat(strcat(wanted, code), "\"");
        if (!response.body.data || !strstr(response.body.data, wanted))
                fail_msg("no %s in %s",
                         wanted,
                         response.body.data ? response.body.data : "nothing");
}

static void test_what_is_there_for_everybody_is_served(void **state) {
        const WsEndpoint *endpoint;

        (void)state;
        endpoint = ws_precheck(&call);
        assert_non_null(endpoint);
        assert_string_equal(endpoint->path, "/livez");
        assert_int_equal(response.status, 0);
        ask("HEAD", "/livez");
        assert_ptr_equal(ws_precheck(&call), endpoint);
        assert_string_equal(call.target, "");
}

static void test_nowhere_and_another_method_and_a_websocket_are_told_apart(void **state) {
        (void)state;
        ask("GET", "/no/such/thing");
        expect_refused(404, "not_found");
        ask("DELETE", "/livez");
        expect_refused(405, "method_not_allowed");
        assert_true(has_header("Allow: "));
        ask("GET", "/api/ws");
        expect_refused(426, "upgrade_required");
        assert_true(has_header("Upgrade: websocket"));
        ask("GET", "/api/settings/mail"); /* what an origin system did */
        expect_refused(404, "administration");
}

static void test_a_body_has_to_be_one_that_can_be_read(void **state) {
        (void)state;
        ask("POST", "/api/token");
        request->has_coding = true;
        expect_refused(411, "length_required");
        request->has_coding = false;
        request->body_length = 1001;
        ask("POST", "/api/token");
        expect_refused(413, "too_large");
        request->body_length = 10;
        strcpy(request->encoding, "gzip");
        ask("POST", "/api/token");
        expect_refused(415, "unsupported_encoding");
        strcpy(request->encoding, "identity");
        strcpy(request->content_type, "text/plain");
        ask("POST", "/api/token");
        expect_refused(415, "unsupported_media_type");
        strcpy(request->content_type, "Application/X-WWW-Form-Urlencoded; charset=utf-8");
        ask("POST", "/api/token");
        assert_non_null(ws_precheck(&call));
        strcpy(request->content_type, "multipart/form-data; boundary=x7"); /* a form as well, */
        ask("POST", "/api/token");
        assert_non_null(ws_precheck(&call));
        ask("POST", "/auth/login"); /* and no JSON */
        expect_refused(415, "unsupported_media_type");
        *request->content_type = '\0';
        ask("POST", "/api/token");
        expect_refused(415, "unsupported_media_type");
        ask("POST", "/auth/login"); /* JSON, which needs no word for it */
        assert_non_null(ws_precheck(&call));
        ask("GET", "/livez");
        expect_refused(400, "bad_request"); /* which takes none */
        request->body_length = 0;
        request->has_expectation = true;
        ask("GET", "/livez");
        expect_refused(417, "expectation_failed");
}

/* Whoever may reach the listener for health learns nothing else. */
static void test_where_health_is_told_nothing_else_is(void **state) {
        (void)state;
        request->is_health = true;
        assert_non_null(ws_precheck(&call));
        ask("POST", "/api/token");
        expect_refused(404, "not_found");
        ask("GET", "/api/ws");
        expect_refused(404, "not_found");
        ask("GET", "/api/settings");
        expect_refused(404, "not_found");
}

static void test_another_origin_learns_what_it_may_and_no_other_does(void **state) {
        (void)state;
        ask("OPTIONS", "/api/token");
        strcpy(request->origin, "https://app.example");
        assert_null(ws_precheck(&call));
        assert_int_equal(response.status, 204);
        assert_true(has_header("Access-Control-Allow-Methods: "));
        ws_precheck_origin(&options, request->origin, &response);
        assert_true(has_header("Access-Control-Allow-Origin: https://app.example"));
        assert_true(has_header("Access-Control-Allow-Credentials: true"));

        ask("OPTIONS", "/api/token");
        strcpy(request->origin, "https://evil.example");
        assert_null(ws_precheck(&call));
        assert_int_equal(response.status, 204);
        ws_precheck_origin(&options, request->origin, &response);
        assert_false(has_header("Access-Control-"));
        assert_true(has_header("Vary: Origin")); /* no cache gives it to the one who may */

        ask("OPTIONS", "*");
        assert_null(ws_precheck(&call));
        assert_int_equal(response.status, 204);
}

/* What a browser adds by itself, for a proxy before us, goes to pages that somebody has named. */
static void test_no_page_of_any_site_may_bring_credentials(void **state) {
        static const struct {
                const char *allowed, *origin;
                bool may_read, may_bring;
        } cases[] = {
                { "*", "https://evil.example", true, false },
                { "*", "null", true, false },
                { "*", "*", true, false },
                { "null", "null", true, false },
                { "Null, https://app.example", "NULL", true, false },
                { "*, https://app.example", "https://app.example", true, true },
                { "*, https://app.example", "https://app.example.evil", true, false },
                { "null, https://app.example", "https://app.example", true, true },
                { "null, https://app.example", "https://evil.example", false, false },
                { "null, https://app.example", "", false, false },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                ask("GET", "/livez");
                options.allowed_origins = cases[i].allowed;
                ws_precheck_origin(&options, cases[i].origin, &response);
                assert_int_equal(has_header("Access-Control-Allow-Origin: "), cases[i].may_read);
                assert_int_equal(has_header("Access-Control-Allow-Credentials: true"),
                                 cases[i].may_bring);
        }
}

static void test_who_stands_by_says_so_and_to_a_stream_in_its_own_words(void **state) {
        (void)state;
        ws_precheck_put_off(&call, 503, "standby", "Another gateway serves.", 3);
        assert_int_equal(response.status, 503);
        assert_true(has_header("Retry-After: 3"));
        ask("GET", "/api/events");
        request->wants_events = true; /* a browser comes back to this alone */
        ws_precheck_put_off(&call, 503, "standby", "Another gateway serves.", 3);
        assert_int_equal(response.status, 200);
        assert_string_equal(response.content_type, "text/event-stream");
        assert_non_null(strstr(response.body.data, "retry: 3000\nevent: close\n"));
        assert_false(has_header("Retry-After"));
}

static void test_what_cannot_be_read_is_told_by_its_status(void **state) {
        static const struct {
                int status;
                const char *code;
        } cases[] = { { 400, "bad_request" },     { 414, "too_long" },    { 431, "too_large" },
                      { 501, "not_implemented" }, { 505, "bad_version" }, { 499, "bad_request" } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                ask("GET", "/");
                ws_precheck_misread(&response, cases[i].status);
                assert_int_equal(response.status, cases[i].status == 499 ? 400 : cases[i].status);
                assert_non_null(strstr(response.body.data, cases[i].code));
        }
        ask("GET", "/");
        ws_precheck_fault(&response);
        assert_true(response.status == 500 && response.close);
}

/* RFC 9110 7.8. */
static void test_an_upgrade_that_nobody_named_is_none_where_something_is_served(void **state) {
        (void)state;
        assert_false(ws_precheck_is_handshake(request));
        request->is_upgrade = true; /* and Connection does not name it */
        assert_false(ws_precheck_is_handshake(request));
        ask("GET", "/api/ws");
        assert_true(ws_precheck_is_handshake(request)); /* one that is wrong, and told so */
        ask("GET", "/livez");
        request->wants_upgrade = true;
        assert_true(ws_precheck_is_handshake(request));
        request->is_http_1_0 = true;
        assert_false(ws_precheck_is_handshake(request));
        ask("GET", "/api/ws");
        request->is_health = true;
        assert_false(ws_precheck_is_handshake(request));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_what_is_there_for_everybody_is_served),
                CASE(test_nowhere_and_another_method_and_a_websocket_are_told_apart),
                CASE(test_a_body_has_to_be_one_that_can_be_read),
                CASE(test_where_health_is_told_nothing_else_is),
                CASE(test_another_origin_learns_what_it_may_and_no_other_does),
                CASE(test_no_page_of_any_site_may_bring_credentials),
                CASE(test_who_stands_by_says_so_and_to_a_stream_in_its_own_words),
                CASE(test_what_cannot_be_read_is_told_by_its_status),
                CASE(test_an_upgrade_that_nobody_named_is_none_where_something_is_served),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
