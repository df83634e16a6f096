/* LiveTelling, LiveTeller, LiveHearer: what one gateway shows comes to the other as it was, and
 * what does not is seen to be missing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"
#include "gateway/live/hearer.h"
#include "gateway/live/live.h"
#include "gateway/live/teller.h"
#include "gateway/live/telling.h"
#include "gateway/live/watch.h"
#include "model/metrics.h"

#define OURS        "aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb"
#define THEIRS      UINT64_C(0xcccccccccccccccc)
#define FIRST       7 /* of the slots */
#define SECOND_US   INT64_C(1000000)
#define TO_OTHERS_N 8

typedef struct Fixture Fixture;

struct Fixture {
        LiveTelling telling;
        LiveHearer *hearer;
        Queue *outbox;
        bool loses; /* frames */
        size_t n_frames;
        uint64_t epoch; /* of what is shown */
        int64_t now_us;
};

static void drop(void *event) {
        event_unref(event);
}

static void on_frame(void *arg, unsigned place, Text frame, size_t n_events) {
        Fixture *f = arg;

        (void)place;
        (void)n_events;
        ++f->n_frames;
        if (!f->loses)
                live_hearer_hear(f->hearer, &(Inbound){ .payload = frame });
}

static int set_up(void **state) {
        static Fixture fixture;
        Fixture *f = *state = &fixture;

        *f = (Fixture){ .epoch = THEIRS, .now_us = SECOND_US };
        f->telling = (LiveTelling){ .first_slot = FIRST, .say = on_frame, .arg = f };
        assert_int_equal(queue_new(&f->outbox, 16, drop), 0);
        assert_int_equal(live_hearer_new(&f->hearer,
                                         &(LiveHearerOptions){ .epochs = OURS,
                                                               .first_slot = FIRST,
                                                               .n_slots = 2,
                                                               .outbox = f->outbox }),
                         0);
        metrics_reset();
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        live_telling_done(&f->telling);
        assert_false(live_hearer_free(f->hearer));
        queue_free(f->outbox);
        return 0;
}

static void say(Fixture *f, EventType type, unsigned place, uint64_t seq, uint64_t before_seq) {
        Record record = {
                .seq = seq, .kind = KIND_RAW_LOG, .vehicle_id = 1, .data = TEXT("\"x\"")
        };
        CLEANUP(event_unref) Event *event = NULL;

        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        event->type = type;
        event->slot = (uint16_t)place;
        event->epoch = f->epoch;
        event->before_seq = before_seq;
        event->behind = type == EVENT_MESSAGE && before_seq == 0;
        assert_int_equal(live_telling_take(&f->telling, event, f->now_us), 0);
}

static void flush(Fixture *f) {
        assert_int_equal(live_telling_flush(&f->telling, f->now_us), 0);
}

static void expect(Fixture *f, EventType type, unsigned place, uint64_t seq, uint64_t before_seq) {
        void *item = NULL;
        Event *event;

        assert_int_equal(queue_pop(f->outbox, &item, 1, 0), 1);
        event = item;
        assert_int_equal(event->type, type);
        assert_int_equal(event->slot, place);
        assert_int_equal(event->seq, seq);
        assert_int_equal(event->before_seq, before_seq);
        event_unref(event);
}

static void expect_nothing(Fixture *f) {
        assert_int_equal(queue_length(f->outbox), 0);
}

static void test_what_follows_on_each_other_goes_together(void **state) {
        Fixture *f = *state;

        say(f, EVENT_GAP, 1, 10, 0);
        say(f, EVENT_MESSAGE, 1, 11, 10);
        say(f, EVENT_MESSAGE, 1, 12, 11);
        say(f, EVENT_MESSAGE, 1, 15, 14); /* something was passed over */
        say(f, EVENT_MESSAGE, 0, 3, 2);
        say(f, EVENT_MESSAGE, 1, 9, 0); /* behind others */
        flush(f);
        assert_int_equal(f->n_frames, 4);
        expect(f, EVENT_MESSAGE, 1, 11, 10);
        expect(f, EVENT_MESSAGE, 1, 12, 11);
        expect(f, EVENT_MESSAGE, 1, 15, 14);
        expect(f, EVENT_MESSAGE, 0, 3, 2);
        expect(f, EVENT_MESSAGE, 1, 9, 0);
        expect_nothing(f);
        assert_int_equal(metric_get(METRIC_LIVE_HEARD), 5);
}

static void test_each_second_it_says_how_far_a_slot_is(void **state) {
        Fixture *f = *state;

        assert_int_equal(live_telling_beat(&f->telling, 0, f->now_us),
                         0); /* nothing is known of it */
        say(f, EVENT_GAP, 0, 10, 0);
        assert_int_equal(live_telling_beat(&f->telling, 0, f->now_us), 0);
        expect(f, EVENT_GAP, 0, 10, 0);
        assert_int_equal(live_telling_beat(&f->telling, 0, f->now_us + SECOND_US - 1), 0);
        expect_nothing(f);
        f->loses = true;
        say(f, EVENT_MESSAGE, 0, 11, 10);
        flush(f);
        f->loses = false;
        f->now_us += SECOND_US;
        assert_int_equal(live_telling_beat(&f->telling, 0, f->now_us), 0);
        expect(f, EVENT_GAP, 0, 11, 0);
}

static void test_what_is_open_is_said_before_what_follows(void **state) {
        Fixture *f = *state;

        say(f, EVENT_OPEN, 0, 5, 0);
        say(f, EVENT_MESSAGE, 0, 6, 4);
        flush(f);
        expect(f, EVENT_OPEN, 0, 5, 0);
        expect(f, EVENT_MESSAGE, 0, 6, 4);
        say(f, EVENT_MESSAGE, 0, 5, 0);
        say(f, EVENT_OPEN, 0, 0, 0);
        say(f, EVENT_MESSAGE, 0, 7, 6);
        flush(f);
        expect(f, EVENT_MESSAGE, 0, 5, 0);
        expect(f, EVENT_OPEN, 0, 0, 0);
        expect(f, EVENT_MESSAGE, 0, 7, 6);
        expect_nothing(f);
}

/* Its last words come behind the first ones of who has the slot now. */
static void test_a_former_owner_says_no_more_what_is_open(void **state) {
        Fixture *f = *state;

        say(f, EVENT_MESSAGE, 0, 6, 4);
        flush(f);
        expect(f, EVENT_MESSAGE, 0, 6, 4);
        f->epoch = THEIRS + 1;
        say(f, EVENT_MESSAGE, 0, 8, 6);
        flush(f);
        expect(f, EVENT_MESSAGE, 0, 8, 6);
        f->epoch = THEIRS;
        say(f, EVENT_OPEN, 0, 5, 0);
        say(f, EVENT_MESSAGE, 0, 7, 6);
        flush(f);
        expect(f, EVENT_MESSAGE, 0, 7, 6); /* the loop passes it over */
        expect_nothing(f);
}

static void test_our_own_and_what_is_no_frame_are_left_alone(void **state) {
        Fixture *f = *state;

        f->epoch = UINT64_C(0xbbbbbbbbbbbbbbbb);
        say(f, EVENT_MESSAGE, 0, 6, 4);
        flush(f);
        assert_int_equal(metric_get(METRIC_LIVE_UNREADABLE), 0);
        f->epoch = THEIRS;
        say(f, EVENT_MESSAGE, 2, 6, 4); /* there is no such slot */
        flush(f);
        live_hearer_hear(f->hearer, &(Inbound){ .payload = TEXT("hello") });
        assert_int_equal(metric_get(METRIC_LIVE_UNREADABLE), 2);
        expect_nothing(f);
}

static void test_what_the_loop_has_no_room_for_is_counted(void **state) {
        Fixture *f = *state;

        for (uint64_t seq = 2; seq < 22; ++seq)
                say(f, EVENT_MESSAGE, 0, seq, seq - 1);
        flush(f);
        assert_int_equal(metric_get(METRIC_LIVE_HEARD), 20);
        assert_int_equal(metric_get(METRIC_LIVE_UNHEARD), 4);
}

/* Nobody waits for the broker: not even where there is none. */
static void test_who_shows_something_never_waits(void **state) {
        const MqttOptions mqtt = { .url = "mqtt://127.0.0.1:1",
                                   .connect_timeout_ms = 100,
                                   .backoff_min_ms = 10000,
                                   .backoff_max_ms = 10000 };
        LiveTeller *teller = NULL;
        Event *event = NULL;

        (void)state;
        metrics_reset();
        assert_int_equal(live_teller_new(&teller,
                                         &(LiveTellerOptions){ .cluster = "c",
                                                               .n_slots = 1,
                                                               .capacity = TO_OTHERS_N }),
                         0);
        assert_int_equal(event_new_message(&event,
                                           &(Record){ .seq = 2, .kind = KIND_RAW_LOG },
                                           NULL,
                                           true),
                         0);
        event->epoch = THEIRS;
        event->before_seq = 1;
        live_teller_hear(teller, event); /* it has not begun */
        assert_int_equal(metric_get(METRIC_LIVE_UNTOLD), 0);
        assert_int_equal(live_teller_start(teller, &mqtt, "tell"), 0);
        live_teller_own(teller, 0, true);
        for (int i = 0; i < 1000; ++i)
                live_teller_hear(teller, event);
        assert_false(live_teller_free(teller));
        assert_int_equal(metric_get(METRIC_LIVE_TOLD), 0);
        assert_true(metric_get(METRIC_LIVE_UNTOLD) > 0);
        event_unref(event);
}

/* Without a broker and without a database it begins and ends. */
static void test_it_ends_where_there_is_nothing(void **state) {
        Queue *outbox = NULL;
        Live *live = NULL;

        (void)state;
        assert_int_equal(queue_new(&outbox, 4, drop), 0);
        assert_int_equal(live_new(&live,
                                  &(LiveOptions){ .database_url = "postgresql://127.0.0.1:1/none",
                                                  .cluster = "c",
                                                  .n_slots = 2,
                                                  .capacity = 4,
                                                  .outbox = outbox }),
                         0);
        assert_int_equal(live_start(live, OURS, "tidegate"), 0);
        live_own(live, 1, true);
        live_stop(live);
        live_free(live);
        assert_int_equal(queue_length(outbox), 0);
        queue_free(outbox);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(test_what_follows_on_each_other_goes_together),
                CASE(test_each_second_it_says_how_far_a_slot_is),
                CASE(test_what_is_open_is_said_before_what_follows),
                CASE(test_a_former_owner_says_no_more_what_is_open),
                CASE(test_our_own_and_what_is_no_frame_are_left_alone),
                CASE(test_what_the_loop_has_no_room_for_is_counted),
                cmocka_unit_test(test_who_shows_something_never_waits),
                cmocka_unit_test(test_it_ends_where_there_is_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
