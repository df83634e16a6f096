#pragma once

/*
 * LeaseNote: what survives a start: that somebody else has the slot.
 */

#include "base/base.h"

/* Writes the file @path, or takes it away. One that cannot be written is logged. */
void lease_note_others(const char *path, bool is_others);
