#include "gateway/sparkplug/order.h"

#include "base/err.h"
#include "gateway/sparkplug/topic.h"

#define ORDER_TIME "\x08" /* Payload.timestamp */
/* Payload.metrics: a name, Boolean, true. */
#define ORDER_REBIRTH "\x12\x1a\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01"

/* Its length stands between: a name, UInt64, and as what follows. */
#define DEATH_METRIC "\x12"
#define DEATH_SESSION \
        "\x0a\x05"    \
        "bdSeq\x20\x08\x58"

_Static_assert(sizeof(ORDER_REBIRTH) - 1 == 2 + 0x1a && sizeof("Node Control/Rebirth") - 1 == 0x14,
               "the lengths that it says");

static void order_put_varint(Buf *buf, uint64_t number) {
        for (; number >= 0x80; number >>= 7)
                buf_append_char(buf, (char)(number | 0x80));
        buf_append_char(buf, (char)number);
}

static void order_put_time(Buf *buf, int64_t time_us) {
        buf_append_string(buf, ORDER_TIME);
        order_put_varint(buf, (uint64_t)time_us / 1000);
}

void sparkplug_death_write(Buf *buf, int64_t time_us, int64_t bd_seq) {
        CLEANUP_BUF Buf number = { 0 };

        order_put_time(buf, time_us);
        if (bd_seq < 0)
                return;
        order_put_varint(&number, (uint64_t)bd_seq);
        buf_append_text(buf, TEXT(DEATH_METRIC));
        buf_append_char(buf, (char)(sizeof(DEATH_SESSION) - 1 + number.n));
        buf_append_text(buf, TEXT(DEATH_SESSION));
        buf_append(buf, number.data, number.n);
}

int sparkplug_order_rebirth(SparkplugOrder **ret_order,
                            const SparkplugTopic *topic,
                            int64_t now_us) {
        CLEANUP(sparkplug_order_free) SparkplugOrder *order = calloc(1, sizeof(*order));
        CLEANUP_BUF Buf buf = { 0 };
        CLEANUP_BUF Buf payload = { 0 };

        sparkplug_topic_write(topic, "NCMD", (Text){ 0 }, &buf);
        order_put_time(&payload, now_us);
        buf_append_text(&payload, TEXT(ORDER_REBIRTH));
        if (!order || buf_failed(&buf) || buf_failed(&payload))
                return err_new(-ENOMEM);
        order->topic = strdup(buf.data);
        if (!order->topic)
                return err_new(-ENOMEM);
        assert(payload.n <= sizeof(order->payload));
        memcpy(order->payload, payload.data, payload.n);
        order->n = payload.n;
        *ret_order = TAKE(&order);
        return 0;
}

SparkplugOrder *sparkplug_order_free(SparkplugOrder *order) {
        if (!order)
                return NULL;
        free(order->topic);
        free(order);
        return NULL;
}

void sparkplug_order_drop(void *order) {
        sparkplug_order_free(order);
}
