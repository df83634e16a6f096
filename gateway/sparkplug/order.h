#pragma once

/*
 * SparkplugOrder: what a node is told to do, on its way to the broker: to be born again. And the
 * other payload that we write ourselves: a death.
 */

#include "base/base.h"
#include "base/buf.h"

#define SPARKPLUG_ORDERS 256 /* that wait for the broker; of more nobody is asked */

typedef struct SparkplugOrder SparkplugOrder;
typedef struct SparkplugTopic SparkplugTopic;

struct SparkplugOrder {
        char *topic; /* owned */
        char payload[64];
        size_t n;
};

/* NCMD of the node of @topic: Node Control/Rebirth is true. @now_us: since 1970. */
MUST_CHECK int sparkplug_order_rebirth(SparkplugOrder **ret_order,
                                       const SparkplugTopic *topic,
                                       int64_t now_us);
SparkplugOrder *sparkplug_order_free(SparkplugOrder *order);
void sparkplug_order_drop(void *order); /* a QueueFreeFn */

/* The time, and the session where @bd_seq is not below 0. */
void sparkplug_death_write(Buf *buf, int64_t time_us, int64_t bd_seq);

DEFINE_CLEANUP(SparkplugOrder *, sparkplug_order_free);
