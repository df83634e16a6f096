#pragma once

/*
 * Simulate: a believable moving fleet of every kind, or a recorded one, published over MQTT.
 *
 * The invented fleet, whose codes must be known to the gateway: vehicles `sim-vehicle-001` ...,
 * devices `sim-device-001` ..., one BLE scanner `sim-ble-01` (auto-registered by default), one
 * energy device `sim-ems-01`, one camera `sim-cam-01`. Each message takes the first route of its
 * kind; device statuses take all routes of theirs in turn: by default the odd devices report under
 * users/{user}, and so must belong to @user, the even ones under devices/.
 *
 * A replay (replay.h) brings its own codes. A broker that goes away is waited for.
 */

#include "base/base.h"
#include "gateway/config/config.h"
#include "model/record.h"

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

enum {
        SIMULATE_E_OFFLINE = 1, /* no broker at the start, or it refused us; logged */
        SIMULATE_E_FILE,        /* the file cannot be read, or is none of those we know; logged */
        SIMULATE_E_NOTHING,     /* no route for anything that could be published; logged */
};

/* Until @stop, or the end. Ends with a line on standard output: published N, rows M, skipped K. */
MUST_CHECK int simulate_run(const SimulateOptions *options, const volatile bool *stop);
