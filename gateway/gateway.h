#pragma once

/*
 * Gateway: the composition root of `tidegate serve`. Starts at the sink, stops at the source.
 *
 * Everything here runs on the main thread, which also takes the signals: SIGTERM and SIGINT drain
 * within shutdown.grace (a second one ends at once: the journal stands that), SIGHUP loads the
 * configuration again. What a reload cannot change is named in a warning; a configuration
 * with errors changes nothing.
 */

#include "base/base.h"
#include "gateway/config/config.h"

typedef struct Gateway Gateway;

enum {
        GATEWAY_E_START = 1, /* cannot start as configured: said why in the log */
};

/* @config and @source (for SIGHUP) are borrowed for the life of the gateway. */
MUST_CHECK int gateway_new(Gateway **ret_gateway, Config *config, const ConfigSource *source);
MUST_CHECK int gateway_run(Gateway *gateway); /* until SIGTERM, SIGINT or a fault */
Gateway *gateway_free(Gateway *gateway);

DEFINE_CLEANUP(Gateway *, gateway_free);
