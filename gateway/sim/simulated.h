#pragma once

/* What is simulated: how a fleet, or a recording of one, is to be, and one message of it. */

#include "base/base.h"
#include "gateway/decode/route.h"
#include "model/record.h"
#include "mqtt/source.h"

typedef struct SimulateOptions SimulateOptions;
typedef struct SimulatedMessage SimulatedMessage;

struct SimulateOptions {
        MqttOptions mqtt;     /* with a client_id of our own, never the gateway's */
        const Routes *routes; /* where each kind is published: the first route of the kind */
        int n_vehicles, n_devices;
        double rate; /* messages a second, all together; 0 = as fast as the broker takes it */
        int64_t n_messages; /* stop after so many; 0 = until stopped */
        const char *user;   /* owner in topics under users/{user} */
        const char *replay; /* CSV or CSV.gz; NULL = invent */
        const char *prefix; /* of the replay: comes before its codes; NULL = nothing */
        double speed;       /* of the replay: 1 = as recorded, 0 = as fast as the broker takes it */
        uint64_t seed;      /* same seed, same fleet */
};

/* What fleet and replay make; its payload is written into a Buf beside it. */
struct SimulatedMessage {
        Kind kind;
        unsigned nth;     /* of the routes of this kind, modulo their number */
        char vehicle[32]; /* "" = none */
        char device[32];
        int64_t time_us; /* replay: when it was recorded */
};
