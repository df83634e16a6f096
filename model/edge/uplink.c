#include "model/edge/uplink.h"

#include <endian.h>

#define UPLINK_SUM_AT      4 /* of the head */
#define UPLINK_AFTER_AT    8
#define UPLINK_N_AT        16
#define UPLINK_TOPIC_MAX   UINT16_MAX
#define UPLINK_IS_RETAINED 1

static const char uplink_magic[4] = "TGU1";

static uint16_t uplink_get16(const char *at) {
        uint16_t value;

        memcpy(&value, at, sizeof(value));
        return le16toh(value);
}

static uint32_t uplink_get32(const char *at) {
        uint32_t value;

        memcpy(&value, at, sizeof(value));
        return le32toh(value);
}

static uint64_t uplink_get64(const char *at) {
        uint64_t value;

        memcpy(&value, at, sizeof(value));
        return le64toh(value);
}

static void uplink_put16(Buf *buf, uint16_t value) {
        value = htole16(value);
        buf_append(buf, &value, sizeof(value));
}

static void uplink_put32(Buf *buf, uint32_t value) {
        value = htole32(value);
        buf_append(buf, &value, sizeof(value));
}

static void uplink_put64(Buf *buf, uint64_t value) {
        value = htole64(value);
        buf_append(buf, &value, sizeof(value));
}

static void uplink_skip(Text *text, size_t n) {
        text->data += n;
        text->n -= n;
}

bool uplink_batch_open(Text message, UplinkBatch *ret_batch) {
        if (message.n < UPLINK_HEAD_BYTES ||
            memcmp(message.data, uplink_magic, sizeof(uplink_magic)) != 0)
                return false;
        *ret_batch = (UplinkBatch){
                .sum = uplink_get32(message.data + UPLINK_SUM_AT),
                .summed = { message.data + UPLINK_AFTER_AT, message.n - UPLINK_AFTER_AT },
                .after_seq = uplink_get64(message.data + UPLINK_AFTER_AT),
                .n = uplink_get32(message.data + UPLINK_N_AT),
                .rest = { message.data + UPLINK_HEAD_BYTES, message.n - UPLINK_HEAD_BYTES },
        };
        return true;
}

bool uplink_batch_next(UplinkBatch *batch, UplinkRecord *ret_record) {
        const char *at = batch->rest.data;
        size_t n_topic, n_payload;

        if (batch->n == 0 || batch->rest.n < UPLINK_RECORD_BYTES)
                return false;
        n_topic = uplink_get16(at + 18);
        n_payload = uplink_get32(at + 20);
        if (batch->rest.n - UPLINK_RECORD_BYTES < n_topic + n_payload)
                return false;
        *ret_record = (UplinkRecord){
                .seq = uplink_get64(at),
                .received_us = (int64_t)uplink_get64(at + 8),
                .is_retained = (at[16] & UPLINK_IS_RETAINED) != 0,
                .topic = { at + UPLINK_RECORD_BYTES, n_topic },
                .payload = { at + UPLINK_RECORD_BYTES + n_topic, n_payload },
        };
        uplink_skip(&batch->rest, UPLINK_RECORD_BYTES + n_topic + n_payload);
        --batch->n;
        return true;
}

bool uplink_batch_is_whole(const UplinkBatch *batch) {
        return batch->n == 0 && batch->rest.n == 0;
}

void uplink_batch_begin(Buf *buf, uint64_t after_seq) {
        buf_append(buf, uplink_magic, sizeof(uplink_magic));
        uplink_put32(buf, 0);
        uplink_put64(buf, after_seq);
        uplink_put32(buf, 0);
}

void uplink_batch_add(Buf *buf, const UplinkRecord *record) {
        const char flags[2] = { record->is_retained ? UPLINK_IS_RETAINED : 0, 0 };
        uint32_t n;

        assert(record->topic.n <= UPLINK_TOPIC_MAX && record->payload.n <= UINT32_MAX);
        uplink_put64(buf, record->seq);
        uplink_put64(buf, (uint64_t)record->received_us);
        buf_append(buf, flags, sizeof(flags));
        uplink_put16(buf, (uint16_t)record->topic.n);
        uplink_put32(buf, (uint32_t)record->payload.n);
        buf_append_text(buf, record->topic);
        buf_append_text(buf, record->payload);
        if (buf_failed(buf))
                return;
        n = htole32(uplink_get32(buf->data + UPLINK_N_AT) + 1);
        memcpy(buf->data + UPLINK_N_AT, &n, sizeof(n));
}

Text uplink_batch_summed(const Buf *buf) {
        return (Text){ buf->data + UPLINK_AFTER_AT, buf->n - UPLINK_AFTER_AT };
}

void uplink_batch_seal(const Buf *buf, uint32_t sum) {
        sum = htole32(sum);
        memcpy(buf->data + UPLINK_SUM_AT, &sum, sizeof(sum));
}

void uplink_mark(Buf *buf, const UplinkMark *mark) {
        uplink_put64(buf, (uint64_t)mark->device_id);
        uplink_put64(buf, mark->epoch);
        uplink_put64(buf, mark->seq);
        uplink_put64(buf, (uint64_t)mark->received_us);
        uplink_put64(buf, mark->after_seq);
        uplink_put64(buf, mark->view);
}

bool uplink_unmark(Text *payload, UplinkMark *ret_mark) {
        const char *at = payload->data;

        if (payload->n < UPLINK_MARK_BYTES)
                return false;
        *ret_mark = (UplinkMark){
                .device_id = (int64_t)uplink_get64(at),
                .epoch = uplink_get64(at + 8),
                .seq = uplink_get64(at + 16),
                .received_us = (int64_t)uplink_get64(at + 24),
                .after_seq = uplink_get64(at + 32),
                .view = uplink_get64(at + 40),
        };
        uplink_skip(payload, UPLINK_MARK_BYTES);
        return true;
}
