#include "gateway/store/stall.h"

#include "base/clock.h"
#include "base/log.h"

#define STALL_SAY_US INT64_C(10000000) /* between two stalls in the log */

void stall_note(Stall *stall, int64_t age_us, int64_t limit_us) {
        int64_t now_us = clock_mono_us();

        if (age_us <= limit_us)
                return;
        stall->is_on = true;
        if (stall->is_said || (stall->said_us != 0 && now_us - stall->said_us < STALL_SAY_US))
                return;
        stall->is_said = true;
        stall->said_us = now_us;
        log_warning("database_stalled age_ms=%lld", (long long)(age_us / 1000));
}

void stall_give_up(Stall *stall) {
        stall->is_on = stall->is_said = false;
}

void stall_go_on(Stall *stall) {
        if (stall->is_said)
                log_info("database_goes_on");
        stall_give_up(stall);
}
