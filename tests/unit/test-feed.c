/* WsFeed: what a subscription is owed comes once, in order, and neither early nor again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/fake/stage.h"
#include "ws/viewer/feed.h"

typedef struct Fixture Fixture;

struct Fixture {
        Stage stage;
        int n_said;
};

static void fixture_init(Fixture *f) {
        WsOptions options = stage_options();

        *f = (Fixture){ 0 };
        options.replay_events = 100;
        options.replay_bytes = 100000;
        stage_init(&f->stage, &options, NULL);
        stage_world(&f->stage);
}

static void subscribe(Viewer *viewer, const char *to, const char *since) {
        char request[256];

        snprintf(request,
                 sizeof(request),
                 "{\"op\":\"subscribe\",\"id\":1,\"to\":[\"%s\"]%s%s%s}",
                 to,
                 since ? ",\"since\":\"" : "",
                 since ? since : "",
                 since ? "\"" : "");
        viewer_send(viewer, request);
        viewer_expect(viewer, "\"id\":1,\"ok\":true");
}

/* Telemetry of this device: {"n":1}, {"n":2}, ... */
static void say(Fixture *f, int64_t device_id) {
        char data[32];

        snprintf(data, sizeof(data), "{\"n\":%d}", ++f->n_said);
        stage_message(&f->stage, KIND_TELEMETRY, 0, device_id, data);
}

static void expect_said(Viewer *viewer, int n) {
        char data[32];

        snprintf(data, sizeof(data), "\"data\":{\"n\":%d}", n);
        viewer_expect(viewer, data);
}

/* ---- */

static void test_what_two_subscriptions_of_a_client_want_comes_once(void **state) {
        char cursor[64];
        Viewer ana = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&ana, &f.stage, "ana", cursor);
        subscribe(&ana, "device/dev-1", NULL);
        subscribe(&ana, "user", NULL);
        say(&f, 1);
        say(&f, 1);
        expect_said(&ana, 1);
        expect_said(&ana, 2);
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&f.stage);
}

/* The ring has all that follows it. */
static void take_cursor(Fixture *f, char ret_cursor[64]) {
        Viewer viewer = { 0 };

        viewer_open_native(&viewer, &f->stage, "root", ret_cursor);
        viewer_done(&viewer);
}

static void test_who_resumes_gets_what_was_missed_and_then_what_comes(void **state) {
        char cursor[64], other[64];
        Viewer first = { 0 }, second = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&first, &f.stage, "ana", other);
        subscribe(&first, "device/dev-1", NULL);
        say(&f, 1);
        expect_said(&first, 1);
        take_cursor(&f, cursor);
        for (int i = 2; i <= 4; ++i) {
                say(&f, 1);
                expect_said(&first, i);
        }
        viewer_open_native(&second, &f.stage, "ana", other);
        subscribe(&second, "device/dev-1", cursor);
        assert_non_null(strstr(second.text, "\"recovered\":true"));
        say(&f, 1);
        for (int i = 2; i <= 5; ++i)
                expect_said(&second, i);
        viewer_expect_silence(&second);
        viewer_done(&first);
        viewer_done(&second);
        stage_done(&f.stage);
}

static void test_who_does_not_resume_gets_what_comes_alone(void **state) {
        char cursor[64], other[64];
        Viewer first = { 0 }, second = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&first, &f.stage, "ana", cursor);
        subscribe(&first, "device/dev-1", NULL);
        say(&f, 1);
        expect_said(&first, 1);
        viewer_open_native(&second, &f.stage, "ana", other);
        subscribe(&second, "device/dev-1", NULL);
        viewer_expect_silence(&second);
        say(&f, 1);
        expect_said(&second, 2);
        viewer_done(&first);
        viewer_done(&second);
        stage_done(&f.stage);
}

static void test_nobody_resumes_into_what_is_another_ones(void **state) {
        char cursor[64], other[64];
        Viewer root = { 0 }, ana = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&root, &f.stage, "root", other);
        subscribe(&root, "device/*", NULL);
        say(&f, 1);
        expect_said(&root, 1);
        take_cursor(&f, cursor);
        say(&f, 2); /* of bob's device */
        say(&f, 1);
        expect_said(&root, 2);
        expect_said(&root, 3);
        viewer_open_native(&ana, &f.stage, "ana", other);
        subscribe(&ana, "device/*", cursor);
        expect_said(&ana, 3);
        viewer_expect_silence(&ana);
        viewer_done(&root);
        viewer_done(&ana);
        stage_done(&f.stage);
}

static void test_what_is_unsubscribed_ends_and_the_others_go_on(void **state) {
        char cursor[64];
        Viewer root = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&root, &f.stage, "root", cursor);
        subscribe(&root, "device/dev-1", NULL);
        subscribe(&root, "device/dev-2", NULL);
        viewer_send(&root, "{\"op\":\"unsubscribe\",\"id\":2,\"subscription\":\"s1\"}");
        viewer_expect(&root, "\"id\":2,\"ok\":true");
        say(&f, 1);
        say(&f, 2);
        expect_said(&root, 2);
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&f.stage);
}

static void expect_named(Viewer *viewer, int n, const char *name) {
        char data[64];

        expect_said(viewer, n);
        if (!name) {
                assert_null(strstr(viewer->text, "subscriptions"));
                return;
        }
        snprintf(data, sizeof(data), "\"subscriptions\":[\"%s\"]", name);
        assert_non_null(strstr(viewer->text, data));
}

static void test_an_older_since_gets_again_what_the_socket_has_had(void **state) {
        char cursor[64], other[64];
        Viewer ana = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&ana, &f.stage, "ana", other);
        subscribe(&ana, "device/dev-1", NULL);
        say(&f, 1);
        expect_named(&ana, 1, NULL);
        take_cursor(&f, cursor);
        say(&f, 1);
        say(&f, 1);
        expect_named(&ana, 2, NULL);
        expect_named(&ana, 3, NULL);
        subscribe(&ana, "user", cursor);
        expect_named(&ana, 2, "s2");
        expect_named(&ana, 3, "s2");
        say(&f, 1);
        expect_named(&ana, 4, NULL);
        viewer_expect_silence(&ana);
        viewer_done(&ana);
        stage_done(&f.stage);
}

static void test_what_nobody_else_of_the_socket_wants_needs_no_name(void **state) {
        char cursor[64], other[64];
        Viewer root = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        viewer_open_native(&root, &f.stage, "root", other);
        subscribe(&root, "device/dev-2", NULL);
        say(&f, 2);
        expect_said(&root, 1);
        take_cursor(&f, cursor);
        say(&f, 1);
        say(&f, 2);
        expect_said(&root, 3);
        subscribe(&root, "device/*", cursor);
        expect_named(&root, 2, NULL);
        expect_named(&root, 3, "s2");
        viewer_expect_silence(&root);
        viewer_done(&root);
        stage_done(&f.stage);
}

/* Device 1 has said five things, of which memory has the last two. */
static void fixture_with_a_past(Fixture *f, Viewer *viewer) {
        WsOptions options = stage_options();
        char cursor[64];

        *f = (Fixture){ 0 };
        options.replay_events = 2;
        options.replay_bytes = 100000;
        stage_init(&f->stage, &options, NULL);
        stage_world(&f->stage);
        viewer_open_native(viewer, &f->stage, "ana", cursor);
        subscribe(viewer, "device/dev-1", NULL);
        for (int i = 1; i <= 5; ++i) {
                say(f, 1);
                expect_said(viewer, i);
        }
}

static void ask_since(Viewer *viewer, int seq) {
        char request[256];

        snprintf(request,
                 sizeof(request),
                 "{\"op\":\"subscribe\",\"id\":2,\"to\":[\"user\"],\"since\":\"0123456789abcdef:%"
                 "d\"}",
                 seq);
        viewer_send(viewer, request);
}

static void test_no_live_cursor_is_ahead_of_who_still_asks(void **state) {
        Viewer ana = { 0 };
        Fixture f;

        (void)state;
        fixture_with_a_past(&f, &ana);
        ask_since(&ana, 1); /* only the database knows what that misses */
        viewer_send(&ana, "{\"op\":\"ping\",\"id\":3}");
        viewer_expect(&ana, "\"id\":3");
        say(&f, 1);
        expect_said(&ana, 6);
        assert_non_null(strstr(ana.text, "\"cursor\":\"0123456789abcdef:1\""));
        viewer_done(&ana);
        stage_done(&f.stage);
}

static void test_no_cursor_of_a_replay_is_ahead_of_who_still_asks(void **state) {
        Viewer ana = { 0 };
        char cursor[64];
        Fixture f;

        (void)state;
        fixture_with_a_past(&f, &ana);
        viewer_done(&ana);
        viewer_open_native(&ana, &f.stage, "ana", cursor);
        ask_since(&ana, 1);
        subscribe(&ana, "device/dev-1", "0123456789abcdef:3");
        expect_said(&ana, 4);
        assert_non_null(strstr(ana.text, "\"cursor\":\"0123456789abcdef:1\""));
        expect_said(&ana, 5);
        assert_non_null(strstr(ana.text, "\"cursor\":\"0123456789abcdef:1\""));
        viewer_done(&ana);
        stage_done(&f.stage);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_two_subscriptions_of_a_client_want_comes_once),
                cmocka_unit_test(test_who_resumes_gets_what_was_missed_and_then_what_comes),
                cmocka_unit_test(test_who_does_not_resume_gets_what_comes_alone),
                cmocka_unit_test(test_nobody_resumes_into_what_is_another_ones),
                cmocka_unit_test(test_an_older_since_gets_again_what_the_socket_has_had),
                cmocka_unit_test(test_what_nobody_else_of_the_socket_wants_needs_no_name),
                cmocka_unit_test(test_no_live_cursor_is_ahead_of_who_still_asks),
                cmocka_unit_test(test_no_cursor_of_a_replay_is_ahead_of_who_still_asks),
                cmocka_unit_test(test_what_is_unsubscribed_ends_and_the_others_go_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
