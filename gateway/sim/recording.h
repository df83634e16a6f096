#pragma once

/*
 * Replay: the rows of a recorded CSV file (plain or gzip), as messages.
 *
 * Known files, told apart by their header: vessel tracks (a vehicle_log of vehicle {mmsi}; speed in
 * m/s = knots × 0.514444), room sensors (a sensor_log of vehicle `library`, sensor_id = node),
 * radio detections (ble_detections of device `node-<receiver>`, device_hash = SHA-256 of the node
 * that was seen). Times and digits stay as recorded, and a member is there only where the row has a
 * value. Fields are not quoted. A malformed row is skipped and counted.
 */

#include "base/base.h"
#include "gateway/sim/simulated.h"

typedef struct Buf Buf;
typedef struct Replay Replay;

enum {
        REPLAY_E_FILE = 1, /* open: cannot be read, or no header that we know; next: broken; logged
                            */
        REPLAY_E_END,      /* next: that was all */
};

MUST_CHECK int replay_open(Replay **ret_replay, const char *path);
Replay *replay_close(Replay *replay);

/* Writes the next good row into the empty @payload. */
MUST_CHECK int replay_next(Replay *replay, Buf *payload, SimulatedMessage *ret_message);

uint64_t replay_n_rows(const Replay *replay); /* read so far, without the header */
uint64_t replay_n_skipped(const Replay *replay);

DEFINE_CLEANUP(Replay *, replay_close);
