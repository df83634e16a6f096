/* Both ends of an uplink: batches and marks as the central gateway reads them, and frames as the
 * edge does, however they are cut. The first byte says which. */

#include <string.h>

#include "gateway/uplink/frames.h"
#include "model/edge/uplink.h"
#include "tests/fuzz/fuzz.h"

static bool is_within(Text whole, Text part) {
        return part.data >= whole.data && part.data + part.n <= whole.data + whole.n;
}

/* What is read of a batch is in it; and of one that is whole the same batch can be made again. */
static void read_batch(Text message) {
        CLEANUP_BUF Buf again = { 0 };
        UplinkRecord record;
        UplinkBatch batch;
        bool is_plain = true;

        if (!uplink_batch_open(message, &batch))
                return;
        uplink_batch_begin(&again, batch.after_seq);
        while (uplink_batch_next(&batch, &record)) {
                FUZZ_CHECK(is_within(message, record.topic) && is_within(message, record.payload));
                uplink_batch_add(&again, &record);
                is_plain = is_plain && record.topic.data[-8] <= 1 && record.topic.data[-7] == 0;
        }
        if (!uplink_batch_is_whole(&batch) || !is_plain)
                return;
        uplink_batch_seal(&again, batch.sum);
        FUZZ_CHECK(again.n == message.n && memcmp(again.data, message.data, again.n) == 0);
}

static void read_mark(Text payload) {
        CLEANUP_BUF Buf again = { 0 };
        Text rest = payload;
        UplinkMark mark;

        if (!uplink_unmark(&rest, &mark)) {
                FUZZ_CHECK(rest.data == payload.data && rest.n == payload.n);
                return;
        }
        uplink_mark(&again, &mark);
        FUZZ_CHECK(again.n + rest.n == payload.n);
        FUZZ_CHECK(memcmp(again.data, payload.data, again.n) == 0);
}

/* How many messages there are when it comes in pieces of @piece, and a sum of them. */
static size_t read_frames(Text all, size_t piece, uint32_t *ret_sum, const char **ret_fault) {
        UplinkFrames frames = { 0 };
        Text here = { all.data, 0 }, payload;
        UplinkOpcode opcode;
        size_t n = 0;

        *ret_sum = 0;
        while (here.data + here.n < all.data + all.n && !frames.fault) {
                size_t left = all.n - (size_t)(here.data - all.data) - here.n;

                here.n += left < piece ? left : piece;
                while (uplink_frames_next(&frames, &here, &opcode, &payload)) {
                        FUZZ_CHECK(payload.n <= UPLINK_MESSAGE_MAX && opcode != UPLINK_CONTINUED);
                        *ret_sum = *ret_sum * 31 + (uint32_t)opcode;
                        for (size_t i = 0; i < payload.n; ++i)
                                *ret_sum = *ret_sum * 31 + (uint8_t)payload.data[i];
                        ++n;
                }
        }
        *ret_fault = frames.fault;
        FUZZ_CHECK(!frames.fault || frames.code == 1002 || frames.code == 1009);
        uplink_frames_done(&frames);
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Text rest = { (const char *)data + 1, n - 1 };
        const char *fault, *fault_cut;
        uint32_t sum, sum_cut;

        if (n == 0)
                return 0;
        if (*data == 'b') {
                read_batch(rest);
        } else if (*data == 'm') {
                read_mark(rest);
        } else {
                size_t n_whole = read_frames(rest, SIZE_MAX, &sum, &fault);

                FUZZ_CHECK(read_frames(rest, 1, &sum_cut, &fault_cut) == n_whole);
                FUZZ_CHECK(sum == sum_cut && fault == fault_cut);
        }
        return 0;
}
