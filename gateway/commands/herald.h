#pragma once

/*
 * Herald: tells the loops what the database says of an alert that was acknowledged.
 *
 * On the thread of the dispatcher. An outbox that stays full does not get it: who looks at the list
 * finds it, and the log says so.
 */

#include "base/base.h"

/* @arg: the outbox, a Queue. What is no acknowledgement is nothing. */
MUST_CHECK int herald_tell(void *arg, const char *said);
