/* The native protocol: each request has one answer, with its id, and a bad one costs itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/fake/stage.h"
#include "ws/dialects/native.h"

#define HANDSHAKE                                                                              \
        "GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade" \
        "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"     \
        "Sec-WebSocket-Protocol: tidegate.v1\r\n"

DEFINE_CLEANUP(char *, free);

typedef struct Fixture Fixture;

struct Fixture {
        Stage stage;
        Viewer ana;
};

static char *mint(Fixture *f, const char *user) {
        const WsSubject subject = { .name = user };
        char *jwt = NULL;

        assert_int_equal(ws_auth_mint(f->stage.auth, &subject, clock_now_us(), 3600, &jwt), 0);
        return jwt;
}

static void fixture_init(Fixture *f) {
        CLEANUP(free) char *jwt = NULL;
        char request[4096];

        *f = (Fixture){ 0 };
        stage_init(&f->stage, NULL, NULL);
        stage_world(&f->stage);
        jwt = mint(f, "ana");
        snprintf(request, sizeof(request), HANDSHAKE "Authorization: Bearer %s\r\n\r\n", jwt);
        assert_int_equal(viewer_open_with(&f->ana, &f->stage, request), 101);
        viewer_expect(&f->ana, "\"type\":\"welcome\"");
}

static void fixture_done(Fixture *f) {
        viewer_done(&f->ana);
        stage_done(&f->stage);
}

static void expect_answer(Fixture *f, const char *request, const char *answer) {
        viewer_send(&f->ana, request);
        viewer_expect(&f->ana, answer);
}

static void test_an_answer_has_the_id_of_its_request(void **state) {
        char request[512], id[258];
        Fixture f;

        (void)state;
        fixture_init(&f);
        expect_answer(&f, "{\"op\":\"ping\",\"id\":3}", "{\"id\":3,\"ok\":true}");
        expect_answer(&f, "{\"op\":\"ping\",\"id\":\"a\\\"b\"}", "{\"id\":\"a\\\"b\",\"ok\":true}");
        expect_answer(&f, "{\"op\":\"ping\",\"id\":true}", "{\"id\":true,\"ok\":true}");
        expect_answer(&f, "{\"op\":\"ping\"}", "{\"id\":null,\"ok\":true}");
        expect_answer(&f, "{\"op\":\"ping\",\"id\":[1]}", "{\"id\":null,\"ok\":true}");
        expect_answer(&f,
                      "{\"op\":\"ping\",\"id\":18446744073709551614}",
                      "{\"id\":18446744073709551614,\"ok\":true}");
        expect_answer(&f,
                      "{\"op\":\"ping\",\"id\":-9223372036854775807}",
                      "{\"id\":-9223372036854775807,\"ok\":true}");
        /* never one that was not said */
        expect_answer(&f,
                      "{\"op\":\"ping\",\"id\":18446744073709551617}",
                      "{\"id\":null,\"ok\":true}");
        expect_answer(&f,
                      "{\"op\":\"ping\",\"id\":-9223372036854775809}",
                      "{\"id\":null,\"ok\":true}");
        memset(id, 'x', sizeof(id) - 1);
        id[sizeof(id) - 1] = '\0';
        snprintf(request, sizeof(request), "{\"op\":\"ping\",\"id\":\"%s\"}", id);
        viewer_expect_silence(&f.ana);
        viewer_send(&f.ana, request);
        assert_int_equal(viewer_read_close(&f.ana), 4003);
        fixture_done(&f);
}

static void test_what_cannot_be_done_is_answered_and_costs_itself(void **state) {
        static const char *const rows[][2] = {
                { "{\"op\":\"fly\",\"id\":1}", "\"code\":\"unknown_op\"" },
                { "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"moon\"]}", "\"code\":\"bad_request\"" },
                { "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"device/dev-2\"]}",
                  "\"code\":\"not_found\"" }, /* bob's: as if there were none */
                { "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"device/none\"]}",
                  "\"code\":\"not_found\"" },
                { "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"user\"],\"since\":\"?\"}",
                  "\"code\":\"bad_cursor\"" },
                { "{\"op\":\"unsubscribe\",\"id\":1,\"subscription\":\"s9\"}",
                  "\"code\":\"not_found\"" },
        };
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                viewer_send(&f.ana, rows[i][0]);
                viewer_expect(&f.ana, "{\"id\":1,\"ok\":false,\"error\":{");
                if (!strstr(f.ana.text, rows[i][1]))
                        fail_msg("%s: %s", rows[i][0], f.ana.text);
        }
        expect_answer(&f, "{\"op\":\"ping\",\"id\":2}", "{\"id\":2,\"ok\":true}");
        fixture_done(&f);
}

static void test_what_is_of_another_request_is_refused_and_changes_nothing(void **state) {
        static const char *const rows[][2] = {
                { "\"op\":\"move\",\"subscription\":\"s1\",\"types\":[\"alert\"]", "types: no m" },
                { "\"op\":\"move\",\"subscription\":\"s1\",\"bbox\":[0,0,1,1],\"set\":true",
                  "set: no m" },
                { "\"op\":\"subscribe\",\"subscription\":\"s1\"", "subscription: no m" },
                { "\"op\":\"unsubscribe\",\"subscription\":\"s1\",\"to\":[\"user\"]", "to: no m" },
                { "\"op\":\"pause\",\"subscription\":\"s1\",\"at\":\"2026-04-27T10:00:00Z\"",
                  "at: no m" },
                { "\"op\":\"seek\",\"subscription\":\"s1\",\"snapshot\":true", "snapshot: no m" },
                { "\"op\":\"live\",\"subscription\":\"s1\",\"rate\":2", "rate: no m" },
        };
        char request[256];
        Fixture f;

        (void)state;
        fixture_init(&f);
        expect_answer(&f,
                      "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"device/"
                      "*\"],\"types\":null,\"subscription\":null,\"x\":1,\"\":2}",
                      "\"subscription\":\"s1\"");
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                snprintf(request, sizeof(request), "{\"id\":2,%s}", rows[i][0]);
                viewer_send(&f.ana, request);
                viewer_expect(&f.ana, "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"bad_request\"");
                if (!strstr(f.ana.text, rows[i][1]))
                        fail_msg("%s: %s", rows[i][0], f.ana.text);
        }
        expect_answer(&f,
                      "{\"op\":\"move\",\"id\":3,\"subscription\":\"s1\",\"types\":null,\"bbox\":"
                      "null}",
                      "{\"id\":3,\"ok\":true,\"subscription\":\"s1\"");
        fixture_done(&f);
}

/* Nothing but that is answered before, and it is the same user afterwards as by the handshake. */
static void test_who_says_who_he_is_in_the_first_message_is_welcome(void **state) {
        CLEANUP(free) char *jwt = NULL;
        Viewer later = { 0 };
        char request[4096];
        Fixture f;

        (void)state;
        fixture_init(&f);
        jwt = mint(&f, "bob");
        assert_int_equal(viewer_open_with(&later, &f.stage, HANDSHAKE "\r\n"), 101);
        snprintf(request, sizeof(request), "{\"op\":\"auth\",\"id\":0,\"token\":\"%s\"}", jwt);
        viewer_send(&later, request);
        viewer_expect(&later, "\"username\":\"bob\"");
        viewer_done(&later);
        fixture_done(&f);
}

static void test_a_token_of_another_does_not_refresh(void **state) {
        CLEANUP(free) char *own = NULL, *other = NULL;
        char request[4096];
        Fixture f;

        (void)state;
        fixture_init(&f);
        own = mint(&f, "ana");
        other = mint(&f, "bob");
        snprintf(request, sizeof(request), "{\"op\":\"refresh\",\"id\":1,\"token\":\"%s\"}", other);
        expect_answer(&f, request, "{\"id\":1,\"ok\":false");
        snprintf(request, sizeof(request), "{\"op\":\"refresh\",\"id\":2,\"token\":\"%s\"}", own);
        expect_answer(&f, request, "{\"id\":2,\"ok\":true");
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_answer_has_the_id_of_its_request),
                cmocka_unit_test(test_what_cannot_be_done_is_answered_and_costs_itself),
                cmocka_unit_test(test_what_is_of_another_request_is_refused_and_changes_nothing),
                cmocka_unit_test(test_who_says_who_he_is_in_the_first_message_is_welcome),
                cmocka_unit_test(test_a_token_of_another_does_not_refresh),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
