#pragma once

/*
 * Allowance: how much of the journal each device has that PostgreSQL has not got yet.
 *
 * In two parts, the older of which is forgotten once the journal has passed its last record: so a
 * device is charged for what waits, and for some of what has just been stored, never for less. The
 * table has no more entries than devices that have something waiting. One thread.
 */

#include "base/base.h"

typedef struct Allowance Allowance;

MUST_CHECK int allowance_new(Allowance **ret_allowance);
Allowance *allowance_free(Allowance *allowance);

/* @passed_seq: records up to it are stored. */
size_t allowance_waiting(Allowance *allowance, int64_t device_id, uint64_t passed_seq);
MUST_CHECK int allowance_charge(Allowance *allowance,
                                int64_t device_id,
                                uint64_t seq,
                                size_t n_bytes,
                                uint64_t passed_seq);

DEFINE_CLEANUP(Allowance *, allowance_free);
