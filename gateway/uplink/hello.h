#pragma once

/*
 * Hello: what an edge says first, and the run that its start is (model/edge/runs.h).
 *
 * Belongs to the reader of the journal.
 */

#include "base/base.h"
#include "base/buf.h"
#include "gateway/journal/journal.h"

/* Once a start, before anything is numbered. */
MUST_CHECK int uplink_hello_begin(Journal *journal);
/* Into an empty @buf. */
void uplink_hello_write(Journal *journal, Buf *buf);
/* Is the central gateway one to go on with? Not where an earlier one knew our runs, and this does
 * not.
 * *@has_met: of what the last ones were. */
bool uplink_hello_is_met(Text welcome, bool *has_met);
/* It is told that its folder is not its alone; until the next welcome. */
void uplink_hello_copied(void);
