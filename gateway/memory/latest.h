#pragma once

/*
 * Latest: what is last known of a device, and how a message of it moves that. Pure.
 */

#include "base/base.h"
#include "model/account.h"
#include "model/record.h"

/* A status moves the latest state unless the device's own clock, its being a letter of long ago, or
 * it itself says that it is older; then record->late. A last will has no time and is news. Anything
 * else only tells that the device lives. What was noted while our clock was ahead is forgotten
 * first. */
void latest_move(DeviceState *state, Record *record);
