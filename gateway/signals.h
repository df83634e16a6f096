#pragma once

/*
 * Signals: those that the process takes wait for a descriptor, those that mean nothing to it end
 * nothing.
 *
 * SIGTERM, SIGINT and SIGHUP come by the descriptor, in the order of their numbers. Once the end
 * has begun, a second SIGTERM or SIGINT ends the process at once: the journal stands that. Main
 * thread, before it starts others.
 */

#include "base/base.h"

/* Before anything that takes time: what means nothing to us ends nothing, and SIGHUP waits until
 * there is somebody to load again. */
void signals_expect(void);

/* All that we take wait for *@ret_fd (a signalfd of the caller's), in this thread and in all that
 * it starts. */
MUST_CHECK int signals_open(int *ret_fd);
int signals_next(int fd); /* that came, or 0 */

/* The end has begun: the next SIGTERM or SIGINT is the second. */
void signals_arm_second(void);
