/* WsSharedTickets: what one node gives is good at each once, for a while, and nobody can make one.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ws/access/sealed.h"
#include "ws/access/shared_ticket.h"
#include "ws/access/stream_ticket.h"

#define NOW_US  INT64_C(1760800000000000)
#define SKEW_US WS_SHARED_TICKET_SKEW_US

typedef struct Fixture Fixture;

/* Two nodes with the same secret. */
struct Fixture {
        char file[32];
        WsAuth *auths[2];
        WsSharedTickets *nodes[2];
        char ticket[WS_SHARED_TICKET_SIZE];
};

static const WsHolder ana = { .user_id = 7, .generation = 2, .expires_us = NOW_US + 1 };

static int redeem_at(Fixture *f, int node, int64_t now_us, WsHolder *ret_holder) {
        return ws_shared_tickets_redeem(f->nodes[node],
                                        f->auths[node],
                                        text_of(f->ticket),
                                        now_us,
                                        ret_holder);
}

static void assert_refused(Fixture *f, int node, int64_t now_us) {
        WsHolder holder;

        assert_int_equal(redeem_at(f, node, now_us, &holder), WS_TICKETS_E_UNKNOWN);
}

static void issue(Fixture *f) {
        assert_int_equal(ws_shared_tickets_issue(f->auths[0], &ana, NOW_US, f->ticket), 0);
}

static void test_it_is_good_once_at_each_node(void **state) {
        Fixture *f = *state;

        issue(f);
        for (int node = 1; node >= 0; --node) {
                WsHolder holder = { 0 };

                assert_int_equal(redeem_at(f, node, NOW_US, &holder), 0);
                assert_int_equal(holder.user_id, 7);
                assert_int_equal(holder.generation, 2);
                assert_true(holder.expires_us == NOW_US + 1);
                assert_refused(f, node, NOW_US);
                assert_refused(f, node, NOW_US + WS_TICKET_TTL_US + SKEW_US - 1);
        }
}

static void test_its_time_ends_by_any_clock_that_is_a_minute_apart_at_most(void **state) {
        Fixture *f = *state;
        WsHolder holder;

        issue(f);
        assert_refused(f, 1, NOW_US + WS_TICKET_TTL_US + SKEW_US);
        assert_refused(f, 1, NOW_US - 2 * SKEW_US);
        assert_int_equal(redeem_at(f, 1, NOW_US + SKEW_US, &holder), 0);
        issue(f);
        assert_int_equal(redeem_at(f, 1, NOW_US - SKEW_US, &holder), 0);
}

static void test_what_was_spent_long_ago_makes_room(void **state) {
        Fixture *f = *state;
        char first[WS_SHARED_TICKET_SIZE];
        WsHolder holder;

        issue(f);
        memcpy(first, f->ticket, sizeof(first));
        assert_int_equal(redeem_at(f, 1, NOW_US, &holder), 0);
        for (int i = 0; i < 4; ++i) { /* as many as are remembered */
                memcpy(f->ticket, first, sizeof(first));
                assert_refused(f, 1, NOW_US);
                issue(f);
                assert_int_equal(redeem_at(f, 1, NOW_US, &holder), 0);
        }
        assert_refused(f, 1, NOW_US);
}

static void test_no_character_of_it_may_be_another(void **state) {
        Fixture *f = *state;

        issue(f);
        for (size_t i = 0; f->ticket[i]; ++i) {
                char kept = f->ticket[i];

                f->ticket[i] = kept == 'A' ? 'B' : 'A';
                assert_refused(f, 0, NOW_US);
                f->ticket[i] = kept;
        }
}

static void test_one_for_streams_is_none_nor_the_other_way_round(void **state) {
        Fixture *f = *state;
        WsHolder holder;

        issue(f);
        assert_int_equal(ws_stream_ticket_open(f->auths[0], text_of(f->ticket), &holder),
                         WS_AUTH_E_INVALID);
        assert_int_equal(ws_stream_ticket_make(f->auths[0], &ana, f->ticket), 0);
        assert_refused(f, 0, NOW_US);
}

static void test_what_is_sealed_for_one_purpose_is_none_of_another(void **state) {
        const int64_t numbers[] = { INT64_MIN, 0, INT64_MAX };
        char text[WS_SEALED_SIZE(3)];
        const Fixture *f = *state;
        int64_t found[3] = { 1, 1, 1 };

        assert_int_equal(ws_sealed_make(f->auths[0], "a", numbers, 3, text), 0);
        assert_int_equal(ws_sealed_open(f->auths[1], "b", text_of(text), found, 3),
                         WS_AUTH_E_INVALID);
        assert_int_equal(ws_sealed_open(f->auths[1], "a", text_of(text), found, 2),
                         WS_AUTH_E_INVALID);
        assert_int_equal(ws_sealed_open(f->auths[1], "a", text_of(text), found, 3), 0);
        assert_memory_equal(found, numbers, sizeof(numbers));
}

static int set_up(void **state) {
        static Fixture fixture;
        Fixture *f = &fixture;
        int fd;

        *f = (Fixture){ .file = "/tmp/test-shared_ticket-XXXXXX" };
        fd = mkstemp(f->file);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
        assert_int_equal(close(fd), 0);
        for (int i = 0; i < 2; ++i) {
                assert_int_equal(ws_auth_new(&f->auths[i],
                                             &(WsAuthOptions){ .jwt_secret_file = f->file }),
                                 0);
                assert_int_equal(ws_shared_tickets_new(&f->nodes[i], 4), 0);
        }
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        for (int i = 0; i < 2; ++i) {
                ws_shared_tickets_free(f->nodes[i]);
                ws_auth_free(f->auths[i]);
        }
        return unlink(f->file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_it_is_good_once_at_each_node),
                TEST(test_its_time_ends_by_any_clock_that_is_a_minute_apart_at_most),
                TEST(test_what_was_spent_long_ago_makes_room),
                TEST(test_no_character_of_it_may_be_another),
                TEST(test_what_is_sealed_for_one_purpose_is_none_of_another),
                TEST(test_one_for_streams_is_none_nor_the_other_way_round),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
