#pragma once

/*
 * Latest: the newest device time of each stream of messages, to tell what comes late.
 *
 * A stream is a kind of one vehicle, device or sensor. Grows with the fleet, not with the messages.
 * One thread.
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Latest Latest;

MUST_CHECK int latest_new(Latest **ret_latest);
Latest *latest_free(Latest *latest);

/* Remembers the record's time and sets record->late where a newer one is known. Only a device's own
 * time can be older than another: what has none is as new as its receipt. Kinds without order are
 * never late. */
MUST_CHECK int latest_note(Latest *latest, Record *record);

DEFINE_CLEANUP(Latest *, latest_free);
