/* WsBurst: a socket that takes what it is given may hold more than its queue, out of room that all
 * share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/shares.h"
#include "ws/loop/burst.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"

#define QUEUE 1000
#define ROOM  10000

static WsOptions options;
static WsLoop loop;
static int64_t now_us;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

static int set_up(void **state) {
        (void)state;
        options = (WsOptions){
                .queue_bytes = QUEUE, .burst_bytes = ROOM, .user_share = 50, .stall_ms = 2000
        };
        now_us = INT64_C(100000000);
        loop.options = &options;
        return ws_shares_new(&loop.bursts);
}

static int tear_down(void **state) {
        (void)state;
        loop.bursts = ws_shares_free(loop.bursts);
        return 0;
}

static void test_within_its_queue_it_takes_nothing_of_the_others(void **state) {
        WsBurst burst = { 0 };

        (void)state;
        ws_burst_moved(&burst);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE), 0);
        assert_int_equal(ws_shares_total(loop.bursts), 0);
}

static void test_who_is_read_gets_room_and_gives_it_back(void **state) {
        WsBurst burst = { 0 };

        (void)state;
        ws_burst_moved(&burst);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 700), 700);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 900), 900);
        ws_burst_settle(&burst, &loop, QUEUE + 300);
        assert_int_equal(ws_shares_of(loop.bursts, 1), 300);
        ws_burst_settle(&burst, &loop, 0);
        assert_int_equal(ws_shares_total(loop.bursts), 0);
}

static void test_who_takes_nothing_gets_no_more(void **state) {
        WsBurst burst = { 0 };

        (void)state;
        ws_burst_moved(&burst);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 100), 100);
        now_us += options.stall_ms * INT64_C(1000);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 200), 100);
        ws_burst_moved(&burst);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 200), 200);
        ws_burst_settle(&burst, &loop, 0);
}

/* However many sockets it has. */
static void test_a_party_leaves_room_to_the_others(void **state) {
        WsBurst first = { 0 }, second = { 0 }, other = { 0 };

        (void)state;
        ws_burst_moved(&first);
        ws_burst_moved(&second);
        ws_burst_moved(&other);
        assert_int_equal(ws_burst_room(&first, &loop, 1, QUEUE + ROOM / 2), ROOM / 2);
        assert_int_equal(ws_burst_room(&second, &loop, 1, QUEUE + 100), 0);
        assert_int_equal(ws_burst_room(&other, &loop, 2, QUEUE + ROOM / 4), ROOM / 4);
        ws_burst_settle(&first, &loop, 0);
        assert_int_equal(ws_burst_room(&second, &loop, 1, QUEUE + 100), 100);
        ws_burst_settle(&second, &loop, 0);
        ws_burst_settle(&other, &loop, 0);
        assert_int_equal(ws_shares_total(loop.bursts), 0);
}

/* A socket may become somebody's while it holds some. */
static void test_what_was_taken_goes_back_to_whom_it_was_of(void **state) {
        WsBurst burst = { 0 };

        (void)state;
        ws_burst_moved(&burst);
        assert_int_equal(ws_burst_room(&burst, &loop, 1, QUEUE + 100), 100);
        assert_int_equal(ws_burst_room(&burst, &loop, 2, QUEUE + 300), 300);
        assert_int_equal(ws_shares_of(loop.bursts, 1), 300);
        ws_burst_settle(&burst, &loop, 0);
        assert_int_equal(ws_burst_room(&burst, &loop, 2, QUEUE + 300), 300);
        assert_int_equal(ws_shares_of(loop.bursts, 2), 300);
        ws_burst_settle(&burst, &loop, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_within_its_queue_it_takes_nothing_of_the_others),
                TEST(test_who_is_read_gets_room_and_gives_it_back),
                TEST(test_who_takes_nothing_gets_no_more),
                TEST(test_a_party_leaves_room_to_the_others),
                TEST(test_what_was_taken_goes_back_to_whom_it_was_of),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
