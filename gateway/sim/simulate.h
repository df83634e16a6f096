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
 * A recording (recording.h) brings its own codes. A broker that goes away is waited for.
 */

#include "base/base.h"
#include "gateway/sim/simulated.h"

enum {
        SIMULATE_E_OFFLINE = 1, /* no broker at the start, or it refused us; logged */
        SIMULATE_E_FILE,        /* the file cannot be read, or is none of those we know; logged */
        SIMULATE_E_NOTHING,     /* no route for anything that could be published; logged */
};

/* Until @stop, or the end. Ends with a line on standard output: published N, rows M, skipped K. */
MUST_CHECK int simulate_run(const SimulateOptions *options, const volatile bool *stop);
