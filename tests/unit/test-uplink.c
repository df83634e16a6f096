/* Uplink: what goes into a batch comes out of it, and what is none is told, wherever it is cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/edge/runs.h"
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

static void test_each_number_is_of_the_run_that_gave_it_out(void **state) {
        static const struct {
                uint64_t seq, id;
        } all[] = { { 1, 7 },    { 100, 7 },  { 101, 10 }, { 200, 10 },
                    { 201, 20 }, { 300, 20 }, { 301, 30 }, { UINT64_MAX, 30 } };
        Runs runs = { 0 };

        (void)state;
        assert_true(runs_add(&runs, &(Run){ 30, 300 }));
        assert_true(runs_add(&runs, &(Run){ 20, 200 }));
        assert_false(runs_add(&runs, &(Run){ 10, 201 }));
        assert_true(runs_add(&runs, &(Run){ 10, 100 }));
        assert_int_equal(runs.n, 3);
        runs_close(&runs, 7);
        assert_true(runs_are_said(&runs));
        assert_int_equal(runs_known_after(&runs), 100);
        for (size_t i = 0; i < N_ELEMENTS(all); ++i)
                assert_int_equal(runs_of(&runs, all[i].seq), all[i].id);
        assert_true(runs_have(&runs, 7));
        assert_false(runs_have(&runs, 8));
}

static void test_where_no_run_is_said_all_is_the_journal_s(void **state) {
        Runs runs = { 0 };

        (void)state;
        runs_close(&runs, 7);
        assert_false(runs_are_said(&runs));
        assert_int_equal(runs_of(&runs, 5), 7);
        assert_int_equal(runs_known_after(&runs), 0);
}

/* The oldest has the numbers of one that is not there any more. */
static void test_as_many_runs_as_there_is_room_for_are_taken(void **state) {
        Runs runs = { 0 };

        (void)state;
        for (uint64_t i = 0; i < RUNS_MAX; ++i)
                assert_true(runs_add(&runs, &(Run){ i + 1, 1000 - i }));
        assert_false(runs_add(&runs, &(Run){ 999, 1 }));
        runs_close(&runs, 7);
        assert_int_equal(runs_of(&runs, 3), 7);
        assert_int_equal(runs_known_after(&runs), 1000 - RUNS_MAX + 2);
}

static void test_a_run_is_read_from_what_a_hello_says(void **state) {
        static const char *const bad[] = { "",
                                           "0123456789abcdef",
                                           "0123456789abcdef:",
                                           "0123456789abcdef:-1",
                                           "0123456789abcdef:9223372036854775808",
                                           "0123456789abcdef:1 ",
                                           "0123456789abcde:12",
                                           "0123456789abcdeg:1",
                                           "0123456789abcdef01:1" };
        Run run;

        (void)state;
        assert_true(run_read(TEXT("0123456789ABcdef:1796003149232488"), &run));
        assert_int_equal(run.id, 0x0123456789abcdef);
        assert_int_equal(run.after_seq, 1796003149232488);
        assert_true(run_read(TEXT("ffffffffffffffff:9223372036854775807"), &run));
        assert_int_equal(run.id, UINT64_MAX);
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i)
                assert_false(run_read(text_of(bad[i]), &run));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_batch_is_read_as_it_was_written),
                cmocka_unit_test(test_a_batch_that_is_cut_anywhere_is_not_whole),
                cmocka_unit_test(test_a_mark_comes_off_a_payload),
                cmocka_unit_test(test_each_number_is_of_the_run_that_gave_it_out),
                cmocka_unit_test(test_where_no_run_is_said_all_is_the_journal_s),
                cmocka_unit_test(test_as_many_runs_as_there_is_room_for_are_taken),
                cmocka_unit_test(test_a_run_is_read_from_what_a_hello_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
