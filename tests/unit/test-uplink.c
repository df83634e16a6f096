/* Uplink: what goes into a batch comes out of it, and what is none is told, wherever it is cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/edge/uplink.h"

static const UplinkRecord records[] = {
        { .seq = 7, .received_us = 1000, .topic = TEXT("a/b"), .payload = TEXT("one") },
        { .seq = 9,
          .received_us = -1,
          .is_retained = true,
          .topic = TEXT("c"),
          .payload = TEXT("") },
        { .seq = INT64_MAX, .received_us = INT64_MAX, .topic = TEXT(""), .payload = TEXT("\0x") },
};

static void make(Buf *buf) {
        uplink_batch_begin(buf, 5);
        for (size_t i = 0; i < N_ELEMENTS(records); ++i)
                uplink_batch_add(buf, &records[i]);
        uplink_batch_seal(buf, 0x01020304);
}

static void test_a_batch_is_read_as_it_was_written(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        UplinkRecord record;
        UplinkBatch batch;

        (void)state;
        make(&buf);
        assert_true(uplink_batch_open(buf_text(&buf), &batch));
        assert_int_equal(batch.sum, 0x01020304);
        assert_int_equal(batch.after_seq, 5);
        assert_ptr_equal(batch.summed.data, uplink_batch_summed(&buf).data);
        assert_int_equal(batch.summed.n, uplink_batch_summed(&buf).n);
        for (size_t i = 0; i < N_ELEMENTS(records); ++i) {
                assert_false(uplink_batch_is_whole(&batch));
                assert_true(uplink_batch_next(&batch, &record));
                assert_int_equal(record.seq, records[i].seq);
                assert_int_equal(record.received_us, records[i].received_us);
                assert_int_equal(record.is_retained, records[i].is_retained);
                assert_int_equal(record.topic.n, records[i].topic.n);
                assert_memory_equal(record.topic.data, records[i].topic.data, record.topic.n);
                assert_int_equal(record.payload.n, records[i].payload.n);
                assert_memory_equal(record.payload.data, records[i].payload.data, record.payload.n);
        }
        assert_true(uplink_batch_is_whole(&batch));
        assert_false(uplink_batch_next(&batch, &record));
}

static void test_a_batch_that_is_cut_anywhere_is_not_whole(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        UplinkRecord record;
        UplinkBatch batch;

        (void)state;
        make(&buf);
        for (size_t n = 0; n < buf.n; ++n) {
                char *cut = malloc(n + 1); /* so that a byte too many is seen */

                assert_non_null(cut);
                memcpy(cut, buf.data, n);
                if (uplink_batch_open((Text){ cut, n }, &batch)) {
                        while (uplink_batch_next(&batch, &record))
                                ;
                        assert_false(uplink_batch_is_whole(&batch));
                } else {
                        assert_true(n < UPLINK_HEAD_BYTES);
                }
                free(cut);
        }
}

static void test_a_mark_comes_off_a_payload(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        const UplinkMark mark = { .device_id = 3,
                                  .epoch = UINT64_MAX,
                                  .seq = 4,
                                  .received_us = -5,
                                  .after_seq = 2,
                                  .view = 9 };
        UplinkMark read;
        Text payload;

        (void)state;
        uplink_mark(&buf, &mark);
        assert_int_equal(buf.n, UPLINK_MARK_BYTES);
        buf_append_string(&buf, "payload");
        payload = buf_text(&buf);
        assert_true(uplink_unmark(&payload, &read));
        assert_int_equal(payload.n, 7);
        assert_memory_equal(payload.data, "payload", 7);
        assert_int_equal(read.device_id, mark.device_id);
        assert_int_equal(read.epoch, mark.epoch);
        assert_int_equal(read.seq, mark.seq);
        assert_int_equal(read.received_us, mark.received_us);
        assert_int_equal(read.after_seq, mark.after_seq);
        assert_int_equal(read.view, mark.view);
        assert_false(uplink_unmark(&payload, &read));
        assert_int_equal(payload.n, 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_batch_is_read_as_it_was_written),
                cmocka_unit_test(test_a_batch_that_is_cut_anywhere_is_not_whole),
                cmocka_unit_test(test_a_mark_comes_off_a_payload),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
