#pragma once

/* Notify: tells the service manager (sd_notify) how we are. Without libsystemd: notify-none.c,
 * which says nothing. */

#include "base/base.h"

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);       /* alive; call at least twice an interval */
int64_t notify_watchdog_us(void); /* the interval; 0 = none asked for */
