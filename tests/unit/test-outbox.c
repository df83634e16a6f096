/* Outbox: what is shown of several slots says whose it is, and what was shown before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/queue.h"
#include "gateway/store/outbox.h"
#include "tests/fake/batch.h"

#define EPOCH UINT64_C(0xfedcba9876543210)

typedef struct Fixture Fixture;

struct Fixture {
        Queue *queue;
        Outbox *outbox;
        Batch batch; /* 1 to 4 */
};

static uint64_t others[16]; /* numbers that went to other gateways */
static size_t n_others;

const DeviceState *batch_state(const Batch *batch, size_t i) {
        (void)batch;
        (void)i;
        return NULL;
}

static void drop(void *event) {
        event_unref(event);
}

static void on_shown(void *arg, Event *event) {
        (void)arg;
        others[n_others++] = event->seq;
}

static void set_up(Fixture *f, size_t capacity, const OutboxOptions *options) {
        n_others = 0;
        assert_int_equal(queue_new(&f->queue, capacity, drop), 0);
        assert_int_equal(outbox_new(&f->outbox, f->queue, options), 0);
        fake_batch_init(&f->batch, 4);
}

static void tear_down(Fixture *f) {
        outbox_free(f->outbox);
        queue_free(f->queue);
}

static void expect(Fixture *f, EventType type, uint64_t seq, uint64_t before_seq) {
        void *item = NULL;
        Event *event;

        assert_int_equal(queue_pop(f->queue, &item, 1, 0), 1);
        event = item;
        assert_int_equal(event->type, type);
        assert_int_equal(event->seq, seq);
        assert_int_equal(event->before_seq, before_seq);
        event_unref(event);
}

static void test_of_one_slot_nothing_is_named(void **state) {
        Fixture f;
        void *item = NULL;

        (void)state;
        set_up(&f, 16, &(OutboxOptions){ 0 });
        assert_int_equal(outbox_show(f.outbox, &f.batch, 1, 2, true), 0);
        assert_int_equal(queue_pop(f.queue, &item, 1, 0), 1);
        assert_int_equal(((Event *)item)->epoch, 0);
        assert_int_equal(((Event *)item)->before_seq, 0);
        event_unref(item);
        assert_int_equal(n_others, 0);
        tear_down(&f);
}

static void test_of_several_each_names_the_one_before(void **state) {
        const OutboxOptions options = { .is_of_several = true,
                                        .slot = 3,
                                        .epoch = EPOCH,
                                        .hides_registry = true,
                                        .shown = on_shown };
        RegistryDelta *delta = NULL;
        Fixture f;

        (void)state;
        set_up(&f, 16, &options);
        assert_int_equal(outbox_show_position(f.outbox, 1, 9), 0);
        expect(&f, EVENT_OPEN, 0, 0);
        expect(&f, EVENT_GAP, 1, 0);
        f.batch.rows[2]->reason = REASON_BAD_JSON; /* 3 is not shown */
        assert_int_equal(outbox_show(f.outbox, &f.batch, 1, 4, true), 0);
        expect(&f, EVENT_MESSAGE, 2, 1);
        expect(&f, EVENT_MESSAGE, 4, 2);
        assert_int_equal(outbox_show_open(f.outbox, 3), 0);
        expect(&f, EVENT_OPEN, 3, 0);
        f.batch.rows[2]->reason = REASON_NONE;
        assert_int_equal(outbox_show_behind(f.outbox, &f.batch, 2), 0);
        expect(&f, EVENT_MESSAGE, 3, 0);
        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(outbox_show_registry(f.outbox, delta), 0); /* another one tells it */
        registry_delta_unref(delta);
        assert_int_equal(queue_length(f.queue), 0);
        assert_int_equal(n_others, 6);
        assert_int_equal(others[5], 3);
        tear_down(&f);
}

/* Of what has other numbers now, who follows us knows the old ones. */
static void test_what_comes_once_more_names_what_was_before_it_then(void **state) {
        const OutboxOptions options = { .is_of_several = true, .epoch = EPOCH };
        Fixture f;

        (void)state;
        set_up(&f, 16, &options);
        assert_int_equal(outbox_show(f.outbox, &f.batch, 0, 3, true), 0);
        expect(&f, EVENT_MESSAGE, 1, 0);
        expect(&f, EVENT_MESSAGE, 2, 1);
        expect(&f, EVENT_MESSAGE, 3, 2);
        outbox_go_back(f.outbox, 9);
        outbox_go_back(f.outbox, 1);
        assert_int_equal(outbox_show(f.outbox, &f.batch, 3, 4, true), 0);
        expect(&f, EVENT_MESSAGE, 4, 1);
        tear_down(&f);
}

/* Our own viewers miss it, and are told so; those of others do not. */
static void test_what_finds_no_room_here_goes_to_others(void **state) {
        const OutboxOptions options = { .is_of_several = true, .epoch = EPOCH, .shown = on_shown };
        Fixture f;

        (void)state;
        set_up(&f, 2, &options);
        assert_int_equal(outbox_show(f.outbox, &f.batch, 0, 4, true), 0);
        expect(&f, EVENT_MESSAGE, 1, 0);
        expect(&f, EVENT_MESSAGE, 2, 1);
        assert_int_equal(n_others, 4);
        tear_down(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_of_one_slot_nothing_is_named),
                cmocka_unit_test(test_of_several_each_names_the_one_before),
                cmocka_unit_test(test_what_comes_once_more_names_what_was_before_it_then),
                cmocka_unit_test(test_what_finds_no_room_here_goes_to_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
