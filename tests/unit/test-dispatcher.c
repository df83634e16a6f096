/* Dispatcher: a command that the broker has is journalled as published, once, before the database
 * is told; what cannot be done now is done later; who is not there, or full, costs nothing but
 * time, and none of it at the end. Neither database nor broker: a small world, and its log. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/commands/dispatcher.h"
#include "gateway/sparkplug/order.h"
#include "model/event.h"
#include "model/metrics.h"
#include "tests/fake/commands.h"

enum { TICK_MS = 1001, HEARTBEAT_MS = 1000 };

static _Atomic int64_t ahead_us; /* of the clock */
static _Atomic size_t n_full;    /* pushes that found the outbox full */
static Queue *outbox, *orders;
static Dispatcher *dispatcher;

int64_t __real_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return __real_clock_mono_us() + atomic_load(&ahead_us);
}

int __real_queue_push(Queue *queue, void *item, int timeout_ms);
int __wrap_queue_push(Queue *queue, void *item, int timeout_ms);
int __wrap_queue_push(Queue *queue, void *item, int timeout_ms) {
        int r = __real_queue_push(queue, item, timeout_ms);

        n_full += queue == outbox && r == QUEUE_E_FULL;
        return r;
}

/* ---- what the tests do ---- */

static void drop_event(void *event) {
        event_unref(event);
}

static void start(size_t capacity) {
        const DispatcherOptions options = {
                .database_url = "", .epoch = "e", .heartbeat_ms = HEARTBEAT_MS, .orders = orders
        };

        assert_int_equal(queue_new(&outbox, capacity, drop_event), 0);
        assert_int_equal(dispatcher_new(&dispatcher, &options, fake_world_take, NULL, outbox), 0);
}

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        metrics_reset();
        atomic_store(&ahead_us, 0);
        n_full = 0;
        fake_world_init();
        return queue_new(&orders, 8, sparkplug_order_drop);
}

static int tear_down(void **state) {
        (void)state;
        dispatcher = dispatcher_free(dispatcher);
        outbox = queue_free(outbox);
        orders = queue_free(orders);
        fake_world_done();
        return 0;
}

/* One tick, and all that it brings about: the next turn has begun behind it. */
static void tick(void) {
        for (int i = 0; i < 2; ++i) {
                size_t n = fake_world_times("tick");

                atomic_fetch_add(&ahead_us, TICK_MS * INT64_C(1000));
                fake_world_notify();
                fake_world_await("tick", n + 1);
        }
}

static size_t n_events(void) {
        void *item;
        size_t n = 0;

        for (; queue_pop(outbox, &item, 1, 0) == 1; ++n)
                event_unref(item);
        return n;
}

/* ---- publishing ---- */

static void test_what_the_broker_has_is_journalled_before_the_database_knows(void **state) {
        (void)state;
        start(16);
        fake_world_await("listens", 1);
        (void)fake_world_add("c1", true);
        fake_world_notify();
        fake_world_await("database knows c1 ", 1);
        fake_world_in_order("sent c1\n",
                            "journal c1 {\"command_id\":\"c1\",\"state\":\"published\"}\n");
        fake_world_in_order("journal c1", "database knows c1 ");
        tick();
        assert_int_equal(fake_world_times("sent c1"), 1);
        assert_int_equal(metric_get(METRIC_COMMANDS_PUBLISHED), 1);
        assert_int_equal(n_events(), 1); /* and the loops know that it may wait for a socket */
}

static void test_what_the_broker_refuses_is_tried_again_apart_from_what_is_new(void **state) {
        FakeRow *row;

        (void)state;
        row = fake_world_add("bad", false);
        row->is_refused = true;
        start(16);
        fake_world_await("refused bad", 1);
        fake_world_add("good", false);
        tick();
        fake_world_await("database knows good ", 1);
        assert_int_equal(fake_world_times("parcel of 2"), 0);
        FAKE_SET(row->is_refused, false);
        tick();
        fake_world_await("database knows bad ", 1);
        fake_world_in_order("refused bad", "sent bad");
        assert_int_equal(fake_world_times("sent bad"), 1);
}

/* What the broker has is not sent again because the database does not answer. */
static void test_what_the_database_could_not_be_told_it_is_told_later(void **state) {
        (void)state;
        fake_world_add("c1", false);
        fake_world.takes_no_word = true;
        start(16);
        fake_world_await("database does not know c1 ", 1);
        FAKE_SET(fake_world.takes_no_word, false);
        fake_world_add("c2", false);
        tick();
        fake_world_await("database knows c1 ", 1);
        fake_world_in_order("database knows c1 ", "sent c2");
        assert_int_equal(fake_world_times("sent c1"), 1);
        assert_int_equal(fake_world_times(
                                 "journal c1 {\"command_id\":\"c1\",\"state\":\"published\"}"),
                         1);
}

static void test_many_go_in_parcels_until_none_is_left(void **state) {
        char id[16];

        (void)state;
        for (int i = 0; i < 2 * COMMAND_PUBLISHER_PARCEL + 3; ++i) {
                snprintf(id, sizeof(id), "c%03d", i);
                (void)fake_world_add(id, false);
        }
        start(16);
        fake_world_await("sent c130", 1);
        assert_int_equal(fake_world_times("parcel of 64"), 2);
        fake_world_await("parcel of 3", 1);
        fake_world_in_one_turn("sent c000", "sent c130");
        tick();
        assert_int_equal(metric_get(METRIC_COMMANDS_PUBLISHED), 2 * COMMAND_PUBLISHER_PARCEL + 3);
}

static void test_without_a_broker_nothing_is_claimed(void **state) {
        FakeRow *row;

        (void)state;
        fake_world.has_broker = false;
        row = fake_world_add("c1", false);
        start(16);
        tick();
        assert_true(row->is_new);
        FAKE_SET(fake_world.has_broker, true);
        tick();
        fake_world_await("database knows c1 ", 1);
}

/* ---- the journal ---- */

static void test_what_finds_the_journal_full_waits_for_room(void **state) {
        (void)state;
        fake_world_add("c1", false);
        fake_world.is_full = true;
        start(16);
        fake_world_await("journal full", 2);
        assert_int_equal(metric_get(METRIC_COMMANDS_PUBLISHED), 0);
        FAKE_SET(fake_world.is_full, false);
        fake_world_await("database knows c1 ", 1);
        fake_world_in_order("journal c1", "database knows c1 ");
        assert_int_equal(fake_world_times("sent c1"), 1);
}

/* Then the next start publishes it once more: better twice than unknown. */
static void test_an_end_does_not_wait_for_room(void **state) {
        (void)state;
        fake_world_add("c1", false);
        fake_world.is_full = true;
        start(16);
        fake_world_await("journal full", 1);
        dispatcher_stop(dispatcher, FAKE_PATIENCE_S * 1000);
        assert_int_equal(fake_world_times("publisher gone"), 1);
        assert_int_equal(fake_world_times("database knows c1 "), 0);
        assert_true(fake_world.rows[0].is_tried);
        assert_int_equal(metric_get(METRIC_COMMANDS_PUBLISHED), 0);
}

static void test_what_is_over_is_journalled_with_what_is_said_of_it(void **state) {
        char id[16];

        (void)state;
        for (int i = 0; i < FAKE_COMMANDS - 2; ++i) { /* more than a page */
                snprintf(id, sizeof(id), "o%03d", i);
                fake_world_add(id, false)->is_over = true;
                fake_world.rows[i].is_new = false;
        }
        fake_world_add("taken", false)->is_over = true;
        fake_world_row("taken")->cancelled = "by \"ana\"";
        fake_world_row("taken")->is_new = false;
        start(16);
        fake_world_await("journal taken "
                         "{\"command_id\":\"taken\",\"state\":\"cancelled\",\"message\":\"by "
                         "\\\"ana\\\"\"}",
                         1);
        fake_world_await("journal o000 {\"command_id\":\"o000\",\"state\":\"expired\"}", 1);
        fake_world_await("journal o297 {\"command_id\":\"o297\",\"state\":\"expired\"}", 1);
        fake_world_in_one_turn("journal o000", "journal o297");
        tick();
        assert_int_equal(metric_get(METRIC_COMMANDS_EXPIRED), FAKE_COMMANDS - 2);
        assert_int_equal(metric_get(METRIC_COMMANDS_CANCELLED), 1);
}

static void test_letters_go_in_again_and_one_without_room_is_refused(void **state) {
        static char topic[65001];

        (void)state;
        memset(topic, 't', sizeof(topic) - 1);
        fake_world.letters[0] = "a/b";
        fake_world.letters[1] = topic;
        fake_world.letters[2] = "c/d";
        fake_world.n_letters = 3;
        start(16);
        fake_world_await("letter 2 too_large", 1);
        fake_world_await("journal $letter/3/0/c/d {}", 1);
        fake_world_in_one_turn("journal $letter/1/0/a/b {}", "letter 2");
        fake_world_in_one_turn("letter 2", "journal $letter/3");
        tick();
        assert_int_equal(fake_world_times("journal $letter/3/0/c/d {}"), 1);
}

/* ---- the loops ---- */

/* While they take nothing, nothing else waits for them, and later they get all of it. */
static void test_an_outbox_that_is_full_costs_one_wait_a_turn(void **state) {
        char id[16];
        size_t n = 0, n_waits;

        (void)state;
        for (int i = 0; i < 20; ++i) {
                snprintf(id, sizeof(id), "w%03d", i);
                (void)fake_world_add(id, true);
        }
        start(8);
        tick();
        n_waits = n_full;
        assert_true(n_waits >= 1 && n_waits <= fake_world_times("looks at all behind none"));
        fake_world_await("database knows w000 w001 w002 w003 w004 w005 w006 w007 w008 w009 w010 "
                         "w011 w012 "
                         "w013 w014 w015 w016 w017 w018 w019 ",
                         1);
        assert_true(n_events() >= 8);
        for (int i = 12; i < 20; ++i)
                FAKE_SET(fake_world.rows[i].waits, true);
        for (int i = 0; i < 12; ++i)
                FAKE_SET(fake_world.rows[i].waits, false);
        for (int i = 0; i < 4; ++i) {
                tick();
                n += n_events();
        }
        assert_true(n >= 8);
}

/* ---- the database ---- */

static void test_after_an_outage_it_looks_at_all_and_takes_back_nothing(void **state) {
        (void)state;
        fake_world.is_down = true;
        start(16);
        fake_world_await("not connected", 1);
        FAKE_SET(fake_world.is_down, false);
        fake_world_await("listens", 1);
        fake_world_await("looks at all behind none", 1);
        fake_world_in_order("released", "listens");
        FAKE_SET(fake_world.is_mute, true); /* nobody listens while it is away */
        FAKE_SET(fake_world.is_down, true);
        fake_world_notify();
        fake_world_await("not connected", 2);
        (void)fake_world_add("c1", true);
        FAKE_SET(fake_world.is_down, false);
        fake_world_await("listens", 2);
        fake_world_await("database knows c1 ", 1);
        tick();
        assert_int_equal(n_events(), 1);
        assert_int_equal(fake_world_times("released"), 1); /* what it has claimed itself stays so */
}

static void test_who_hears_no_beat_looks_at_all(void **state) {
        (void)state;
        start(16);
        fake_world_await("listens", 1);
        tick();
        assert_int_equal(metric_get(METRIC_COMMANDS_UNHEARD), 0);
        FAKE_SET(fake_world.beats, false);
        FAKE_SET(fake_world.is_mute, true);
        for (int i = 0; i < 3; ++i)
                tick();
        assert_int_equal(metric_get(METRIC_COMMANDS_UNHEARD), 1);
        (void)fake_world_add("c1", true);
        tick();
        fake_world_await("database knows c1 ", 1);
        assert_int_equal(n_events() > 0, true);
        FAKE_SET(fake_world.beats, true);
        tick();
        assert_int_equal(metric_get(METRIC_COMMANDS_UNHEARD), 0);
}

static void test_orders_go_out_while_the_database_is_away(void **state) {
        SparkplugOrder *order = calloc(1, sizeof(*order));

        (void)state;
        assert_non_null(order);
        order->topic = strdup("spBv1.0/g/NCMD/n");
        assert_int_equal(queue_push(orders, order, 0), 0);
        fake_world.is_down = true;
        start(16);
        fake_world_await("said spBv1.0/g/NCMD/n", 1);
        assert_int_equal(fake_world_times("connected"), 0);
}

/* ---- the end ---- */

static void test_templates_that_are_none_open_nothing(void **state) {
        const DispatcherOptions options = { .database_url = "",
                                            .epoch = "e",
                                            .publisher = { .topics = "x" } };

        (void)state;
        assert_int_equal(dispatcher_new(&dispatcher, &options, fake_world_take, NULL, outbox),
                         COMMAND_PUBLISHER_E_TOPIC);
        assert_null(dispatcher);
}

/* All of it is the thread's then, for as long as that hangs. */
static void test_who_hangs_in_a_library_is_left_behind(void **state) {
        static Dispatcher *left;

        (void)state;
        fake_world.hangs = true;
        fake_world_add("c1", false);
        start(16);
        fake_world_await("hangs", 1);
        dispatcher_stop(dispatcher, 50);
        left = dispatcher; /* it is not ours to free */
        dispatcher = dispatcher_free(dispatcher);
        assert_null(dispatcher);
        assert_int_equal(fake_world_times("publisher gone"), 0);

        FAKE_SET(fake_world.hangs, false); /* so that the test ends as it began */
        fake_world_await("publisher gone", 1);
        assert_non_null(left);
}

static void test_a_fault_ends_the_thread_and_is_known(void **state) {
        (void)state;
        start(16);
        fake_world_await("listens", 1);
        assert_int_equal(dispatcher_result(dispatcher), 0);
        FAKE_SET(fake_world.has_fault, true);
        fake_world_add("c1", false);
        fake_world_notify();
        fake_world_await("publisher gone", 1);
        assert_int_equal(dispatcher_result(dispatcher), -EIO);
        assert_int_equal(fake_world_times("database knows c1 "), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_the_broker_has_is_journalled_before_the_database_knows),
                TEST(test_what_the_broker_refuses_is_tried_again_apart_from_what_is_new),
                TEST(test_what_the_database_could_not_be_told_it_is_told_later),
                TEST(test_many_go_in_parcels_until_none_is_left),
                TEST(test_without_a_broker_nothing_is_claimed),
                TEST(test_what_finds_the_journal_full_waits_for_room),
                TEST(test_an_end_does_not_wait_for_room),
                TEST(test_what_is_over_is_journalled_with_what_is_said_of_it),
                TEST(test_letters_go_in_again_and_one_without_room_is_refused),
                TEST(test_an_outbox_that_is_full_costs_one_wait_a_turn),
                TEST(test_after_an_outage_it_looks_at_all_and_takes_back_nothing),
                TEST(test_who_hears_no_beat_looks_at_all),
                TEST(test_orders_go_out_while_the_database_is_away),
                TEST(test_templates_that_are_none_open_nothing),
                TEST(test_who_hangs_in_a_library_is_left_behind),
                TEST(test_a_fault_ends_the_thread_and_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
