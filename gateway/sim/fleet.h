#pragma once

/*
 * Fleet: the invented fleet of simulate.h: boats, devices, a BLE scanner, an energy device, a
 * camera; and whose turn it is to say something.
 *
 * Pure but for its own dice: same options and times, same messages. One thread.
 */

#include "base/base.h"
#include "gateway/sim/simulated.h"

typedef struct Buf Buf;
typedef struct Fleet Fleet;

enum {
        FLEET_E_SILENT = 1, /* new: no route for anything that it could say */
};

MUST_CHECK int fleet_new(Fleet **ret_fleet, const SimulateOptions *options, int64_t now_us);
Fleet *fleet_free(Fleet *fleet);

/* Writes the next message, of @now_us, into the empty @payload. */
MUST_CHECK int fleet_next(Fleet *fleet,
                          int64_t now_us,
                          Buf *payload,
                          SimulatedMessage *ret_message);

DEFINE_CLEANUP(Fleet *, fleet_free);
