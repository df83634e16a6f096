#pragma once

/*
 * UplinkEdge: the composition root of `tidegate serve` where uplink.url is set: a gateway without a
 * database.
 *
 * What MQTT brings goes into the journal, and from there to the central gateway (sender.h). HTTP
 * answers for health and metrics; there are no users, devices and viewers here. Everything runs on
 * the main thread, which also takes the signals, as in gateway.h; SIGHUP changes nothing, as the
 * token is read at each connect.
 */

#include "base/base.h"
#include "gateway/config/config.h"

typedef struct UplinkEdge UplinkEdge;

enum {
        UPLINK_EDGE_E_START = 1, /* cannot start as configured: said why in the log */
};

/* @config is borrowed. */
MUST_CHECK int uplink_edge_new(UplinkEdge **ret_edge, Config *config);
MUST_CHECK int uplink_edge_run(UplinkEdge *edge); /* until SIGTERM, SIGINT or a fault */
UplinkEdge *uplink_edge_free(UplinkEdge *edge);

DEFINE_CLEANUP(UplinkEdge *, uplink_edge_free);
