/* WsTickets: a ticket is good once, for a while, and nobody's but its user's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "ws/access/ticket.h"

#define NOW_US INT64_C(1760800000000000)

static const WsHolder ana = { .user_id = 7, .generation = 2, .expires_us = NOW_US + 1 };
static const WsHolder ben = { .user_id = 8, .generation = 1, .expires_us = NOW_US + 2 };

static void test_a_ticket_is_good_once(void **state) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        char ticket[WS_TICKET_SIZE];
        WsHolder holder;

        (void)state;
        assert_int_equal(ws_tickets_new(&tickets, 4, 16), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US, ticket), 0);
        assert_int_equal(strlen(ticket), WS_TICKET_SIZE - 1);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(ticket), NOW_US, &holder), 0);
        assert_int_equal(holder.user_id, 7);
        assert_int_equal(holder.generation, 2);
        assert_true(holder.expires_us == NOW_US + 1);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(ticket), NOW_US, &holder),
                         WS_TICKETS_E_UNKNOWN);
}

static void test_its_time_ends(void **state) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        char first[WS_TICKET_SIZE], second[WS_TICKET_SIZE];
        WsHolder holder;

        (void)state;
        assert_int_equal(ws_tickets_new(&tickets, 4, 16), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US, first), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US, second), 0);
        assert_int_equal(ws_tickets_redeem(tickets,
                                           text_of(first),
                                           NOW_US + WS_TICKET_TTL_US - 1,
                                           &holder),
                         0);
        assert_int_equal(ws_tickets_redeem(tickets,
                                           text_of(second),
                                           NOW_US + WS_TICKET_TTL_US,
                                           &holder),
                         WS_TICKETS_E_UNKNOWN);
}

static void test_who_asks_for_many_loses_his_own(void **state) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        char bens[WS_TICKET_SIZE], first[WS_TICKET_SIZE], ticket[WS_TICKET_SIZE];
        WsHolder holder;

        (void)state;
        assert_int_equal(ws_tickets_new(&tickets, 3, 16), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ben, NOW_US, bens), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US + 1, first), 0);
        for (int i = 0; i < 5; ++i)
                assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US + 2 + i, ticket), 0);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(first), NOW_US + 9, &holder),
                         WS_TICKETS_E_UNKNOWN);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(bens), NOW_US + 9, &holder), 0);
        assert_int_equal(holder.user_id, 8);
}

static void test_a_user_has_as_many_as_he_may_and_what_gave_way_is_counted(void **state) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        char three[3][WS_TICKET_SIZE], bens[WS_TICKET_SIZE];
        WsHolder holder;

        (void)state;
        metrics_reset();
        assert_int_equal(ws_tickets_new(&tickets, 4, 2), 0);
        for (int i = 0; i < 2; ++i)
                assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US + i, three[i]), 0);
        assert_int_equal(metric_get(METRIC_TICKETS_GAVE_WAY), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US + 2, three[2]), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ben, NOW_US + 2, bens), 0);
        assert_int_equal(metric_get(METRIC_TICKETS_GAVE_WAY), 1);
        assert_int_equal(metric_get(METRIC_TICKETS_REFUSED), 0);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(three[0]), NOW_US + 3, &holder),
                         WS_TICKETS_E_UNKNOWN);
        for (int i = 1; i < 3; ++i)
                assert_int_equal(ws_tickets_redeem(tickets, text_of(three[i]), NOW_US + 3, &holder),
                                 0);
        assert_int_equal(ws_tickets_redeem(tickets, text_of(bens), NOW_US + 3, &holder), 0);
}

static void test_others_tickets_make_no_room(void **state) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        char ticket[WS_TICKET_SIZE];

        (void)state;
        assert_int_equal(ws_tickets_new(&tickets, 1, 16), 0);
        assert_int_equal(ws_tickets_issue(tickets, &ana, NOW_US, ticket), 0);
        metrics_reset();
        assert_int_equal(ws_tickets_issue(tickets, &ben, NOW_US, ticket), WS_TICKETS_E_FULL);
        assert_int_equal(metric_get(METRIC_TICKETS_REFUSED), 1);
        assert_int_equal(ws_tickets_issue(tickets, &ben, NOW_US + WS_TICKET_TTL_US, ticket), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_ticket_is_good_once),
                cmocka_unit_test(test_its_time_ends),
                cmocka_unit_test(test_who_asks_for_many_loses_his_own),
                cmocka_unit_test(test_a_user_has_as_many_as_he_may_and_what_gave_way_is_counted),
                cmocka_unit_test(test_others_tickets_make_no_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
