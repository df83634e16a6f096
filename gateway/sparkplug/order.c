#include "gateway/sparkplug/order.h"

#include "base/buf.h"
#include "base/err.h"
#include "gateway/sparkplug/topic.h"

#define ORDER_TIME "\x08" /* Payload.timestamp */
/* Payload.metrics: a name, Boolean, true. */
#define ORDER_REBIRTH "\x12\x1a\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01"

_Static_assert(sizeof(ORDER_REBIRTH) - 1 == 2 + 0x1a && sizeof("Node Control/Rebirth") - 1 == 0x14,
               "the lengths that it says");

static void order_payload(Buf *buf, uint64_t time_ms) {
        buf_append_string(buf, ORDER_TIME);
        for (; time_ms >= 0x80; time_ms >>= 7)
                buf_append_char(buf, (char)(time_ms | 0x80));
        buf_append_char(buf, (char)time_ms);
        buf_append_text(buf, TEXT(ORDER_REBIRTH));
}

int sparkplug_order_rebirth(SparkplugOrder **ret_order,
                            const SparkplugTopic *topic,
                            int64_t now_us) {
        CLEANUP(sparkplug_order_free) SparkplugOrder *order = calloc(1, sizeof(*order));
        CLEANUP_BUF Buf buf = { 0 };
        CLEANUP_BUF Buf payload = { 0 };

        sparkplug_topic_write(topic, "NCMD", (Text){ 0 }, &buf);
        order_payload(&payload, (uint64_t)now_us / 1000);
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
