#pragma once

/*
 * Asides: members of messages that were set aside, counted by member and reason, for the metrics.
 *
 * One thread counts, any may read. Names are bounded: those of the first messages are told apart,
 * all others together are "other", and so is what is no name. Places in an array are "*".
 */

#include "base/base.h"

#define ASIDES_MEMBERS   64
#define ASIDES_NAME_SIZE 64

void asides_add(Text pointer, unsigned reason); /* a JSON pointer, a Reason (record.h) */

size_t asides_length(void);
/* Printable ASCII without quotes and backslashes. */
const char *asides_member(size_t i);
int64_t asides_get(size_t i, unsigned reason);

void asides_reset(void); /* for tests */
