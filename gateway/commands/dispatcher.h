#pragma once

/*
 * Dispatcher: brings commands to their devices, and says when their time is over.
 *
 * A thread with a database connection and an MQTT session of its own. It hears of each new command
 * (LISTEN tidegate_command), publishes it (QoS 1; MQTT 5: response topic, correlation data,
 * expiry), journals `published` once the broker has acknowledged it, and pushes an EVENT_COMMAND
 * for the loop that may have the device's own socket. It journals `cancelled` for what somebody
 * took back. Once a second it goes on with what could not be published, takes back what was
 * commanded by who may not any more and journals `expired`. All that it knows is in the
 * database: a restart goes on where it was, at worst by publishing once more what the broker had
 * acknowledged a moment before. While the gateway's own beats (db/follow/pulse.h) do not come by
 * that channel, it looks at all commands as often. It also tells the loops which alerts are
 * acknowledged (LISTEN tidegate_alert), and journals the dead letters that are to be
 * taken in again. Several gateways share the work by claims.
 */

#include "base/base.h"
#include "gateway/commands/command_publisher.h"
#include "model/inbound.h"

typedef struct Dispatcher Dispatcher;
typedef struct DispatcherOptions DispatcherOptions;
typedef struct Queue Queue;

struct DispatcherOptions {
        CommandPublisherOptions publisher;
        int heartbeat_ms; /* how often notifications should be heard; 0 = nobody knows */
        const char *database_url;
        const char *epoch;
        Queue *orders; /* of SparkplugOrder, to be published; borrowed; NULL = none */
};

/* COMMAND_PUBLISHER_E_TOPIC */
MUST_CHECK int dispatcher_new(Dispatcher **ret_dispatcher,
                              const DispatcherOptions *options, /* borrowed */
                              InboundFn inbound,
                              void *arg, /* of @inbound */
                              Queue *outbox);
int dispatcher_result(const Dispatcher *dispatcher); /* any thread: 0, or the fault that ended it */
/* No longer than @timeout_ms: a thread that hangs in a library is left to the end of the process.
 */
void dispatcher_stop(Dispatcher *dispatcher, int timeout_ms);
Dispatcher *dispatcher_free(Dispatcher *dispatcher); /* stops, joins */

DEFINE_CLEANUP(Dispatcher *, dispatcher_free);
