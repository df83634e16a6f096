#pragma once

/*
 * Process: what the kernel says of this process, for the metrics.
 *
 * Any thread. What cannot be read is 0.
 */

#include "base/base.h"

double process_cpu_seconds(void);   /* user and system */
double process_start_seconds(void); /* since 1970 */
size_t process_resident_bytes(void);
size_t process_n_fds(void); /* open file descriptors */
size_t process_max_fds(void);

/* To be called now and then, by one thread: when much less is used than at the peak, what lies free
 * between goes back to the system, which the allocator does at the top of its heaps alone. */
void process_give_back(void);
