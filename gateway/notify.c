#include "gateway/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

/* What sd_notify() answers does not matter: without a manager there is nobody to tell. */

void notify_ready(void) {
        (void)sd_notify(0, "READY=1");
}

void notify_reloading(void) {
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
}

void notify_stopping(void) {
        (void)sd_notify(0, "STOPPING=1");
}

void notify_watchdog(void) {
        (void)sd_notify(0, "WATCHDOG=1");
}

int64_t notify_watchdog_us(void) {
        uint64_t interval_us = 0;

        if (sd_watchdog_enabled(0, &interval_us) <= 0)
                return 0;
        return (int64_t)interval_us;
}
