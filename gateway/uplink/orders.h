#pragma once

/*
 * UplinkOrders: commands that came down the uplink, on their way to devices by the edge's broker.
 *
 * A thread of its own, as a broker may take its time. What the broker does not take is tried again
 * until it expires; what it has taken is not published again in this run, however often the central
 * gateway says it. Bounded: of more it is said again at the next connection.
 */

#include "base/base.h"
#include "gateway/commands/command_publisher.h"

typedef struct UplinkOrders UplinkOrders;

/* 0, or COMMAND_PUBLISHER_E_TOPIC. */
MUST_CHECK int uplink_orders_new(UplinkOrders **ret_orders, const CommandPublisherOptions *options);
MUST_CHECK int uplink_orders_start(UplinkOrders *orders);
UplinkOrders *uplink_orders_free(UplinkOrders *orders); /* stops it */

/* A message of the central gateway (docs/protocol.md, section 8). Another thread than its own. */
MUST_CHECK int uplink_orders_put(UplinkOrders *orders, Text message);

DEFINE_CLEANUP(UplinkOrders *, uplink_orders_free);
