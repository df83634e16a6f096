#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/event.h"
#include "ws/loop/ring.h"

static void put(WsRing *ring, uint64_t seq, size_t max_events, size_t max_bytes) {
        const Record record = { .kind = KIND_RAW_LOG, .seq = seq, .data = TEXT("\"x\"") };
        CLEANUP(event_unref) Event *event = NULL;

        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        assert_int_equal(ws_ring_put(ring, event, max_events, max_bytes), 0);
}

static uint64_t after(const WsRing *ring, uint64_t seq) {
        const WsRingSlot *slot = ws_ring_after(ring, seq);

        return slot ? slot->event->seq : 0;
}

static void test_empty_ring_covers_nothing(void **state) {
        WsRing ring = { 0 };

        (void)state;
        assert_false(ws_ring_covers(&ring, 0));
        assert_false(ws_ring_covers(&ring, UINT64_MAX));
        assert_null(ws_ring_after(&ring, 0));
        ws_ring_done(&ring);
}

static void test_ring_gives_what_came_after(void **state) {
        WsRing ring = { 0 };

        (void)state;
        for (uint64_t seq = 10; seq <= 2000; seq += 10)
                put(&ring, seq, 1000, SIZE_MAX);
        assert_true(ws_ring_covers(&ring, 9));
        assert_false(ws_ring_covers(&ring, 8));
        assert_int_equal(after(&ring, 9), 10);
        assert_int_equal(after(&ring, 10), 20);
        assert_int_equal(after(&ring, 1005), 1010);
        assert_int_equal(after(&ring, 2000), 0);
        assert_int_equal(ring.last_seq, 2000);
        ws_ring_done(&ring);
}

static void insert(WsRing *ring, uint64_t seq) {
        const Record record = { .kind = KIND_RAW_LOG, .seq = seq, .data = TEXT("\"x\"") };
        CLEANUP(event_unref) Event *event = NULL;

        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        assert_int_equal(ws_ring_insert(ring, event), 0);
}

static void test_what_comes_behind_takes_its_place(void **state) {
        WsRing ring = { 0 };

        (void)state;
        insert(&ring, 5); /* nothing is here that it could be among */
        for (uint64_t seq = 10; seq <= 640; seq += 10)
                put(&ring, seq, 64, SIZE_MAX);
        insert(&ring, 15);
        insert(&ring, 635);
        insert(&ring, 5);
        assert_true(ws_ring_covers(&ring, 9));
        assert_int_equal(after(&ring, 9), 10);
        assert_int_equal(after(&ring, 10), 15);
        assert_int_equal(after(&ring, 15), 20);
        assert_int_equal(after(&ring, 630), 635);
        assert_int_equal(after(&ring, 635), 640);
        assert_int_equal(ring.last_seq, 640);
        ws_ring_done(&ring);
}

static void test_oldest_go_first_and_the_floor_rises(void **state) {
        WsRing ring = { 0 };

        (void)state;
        for (uint64_t seq = 1; seq <= 100; ++seq)
                put(&ring, seq, 10, SIZE_MAX);
        assert_false(ws_ring_covers(&ring, 89));
        assert_true(ws_ring_covers(&ring, 90));
        assert_int_equal(after(&ring, 90), 91);
        ws_ring_done(&ring);
}

static void test_bytes_are_bounded_too(void **state) {
        const size_t one = sizeof(Event) + 3;
        WsRing ring = { 0 };

        (void)state;
        for (uint64_t seq = 1; seq <= 100; ++seq)
                put(&ring, seq, 1000, 5 * one);
        assert_int_equal(ring.n_bytes, 5 * one);
        assert_int_equal(after(&ring, 0), 96);
        ws_ring_done(&ring);
}

static void test_frame_counts_and_leaves_with_its_event(void **state) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        WsRing ring = { 0 };

        (void)state;
        put(&ring, 1, 1, SIZE_MAX);
        assert_int_equal(ws_frame_new(&frame, TEXT("hello"), 0), 0);
        ws_ring_keep(&ring, ws_ring_after(&ring, 0), frame);
        assert_int_equal(ring.n_bytes, sizeof(Event) + 3 + frame->n);
        assert_int_equal(frame->n_refs, 2);
        put(&ring, 2, 1, SIZE_MAX);
        assert_int_equal(frame->n_refs, 1);
        assert_int_equal(ring.n_bytes, sizeof(Event) + 3);
        ws_ring_done(&ring);
}

static void test_skipped_numbers_are_no_hole_inside(void **state) {
        WsRing ring = { 0 };

        (void)state;
        put(&ring, 1, 10, SIZE_MAX);
        ws_ring_skip(&ring, 50);
        assert_false(ws_ring_covers(&ring, 1));
        assert_true(ws_ring_covers(&ring, 50));
        assert_int_equal(ring.last_seq, 50);
        put(&ring, 50, 10, SIZE_MAX); /* shown before */
        assert_null(ws_ring_after(&ring, 0));
        put(&ring, 51, 10, SIZE_MAX);
        assert_int_equal(after(&ring, 50), 51);
        ws_ring_done(&ring);
}

static void test_ring_of_no_size_still_knows_where_it_is(void **state) {
        WsRing ring = { 0 };

        (void)state;
        put(&ring, 7, 0, SIZE_MAX);
        assert_true(ws_ring_covers(&ring, 7));
        assert_false(ws_ring_covers(&ring, 6));
        assert_int_equal(ring.last_seq, 7);
        ws_ring_done(&ring);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty_ring_covers_nothing),
                cmocka_unit_test(test_ring_gives_what_came_after),
                cmocka_unit_test(test_what_comes_behind_takes_its_place),
                cmocka_unit_test(test_oldest_go_first_and_the_floor_rises),
                cmocka_unit_test(test_bytes_are_bounded_too),
                cmocka_unit_test(test_frame_counts_and_leaves_with_its_event),
                cmocka_unit_test(test_skipped_numbers_are_no_hole_inside),
                cmocka_unit_test(test_ring_of_no_size_still_knows_where_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
