#pragma once

/*
 * Lateness: the newest device time of each stream of messages, to tell what comes late.
 *
 * A stream is a kind of one vehicle, device or sensor. Grows with the fleet, not with the messages.
 * One thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "model/record.h"

typedef struct Lateness Lateness;

MUST_CHECK int lateness_new(Lateness **ret_latest);
Lateness *lateness_free(Lateness *latest);

/* Remembers the record's time and sets record->late where a newer one is known. Only a device's own
 * time can be older than another: what has none is as new as its receipt. A clock that goes on from
 * an earlier time, at the pace of a clock, was set back: it is late for no longer than it takes to
 * see that. Kinds without order are never late. */
MUST_CHECK int lateness_note(Lateness *latest, Record *record);

/* The same of a status, whose stream is the latest state of its device. */
bool lateness_of_status(DeviceState *state, const Record *record);
/* What the message says about the clock of whoever sent it. */
void lateness_read_clock(DeviceClock *clock, const Record *record);

DEFINE_CLEANUP(Lateness *, lateness_free);
