#include "ws/access/access.h"

#include <stdio.h>

#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"

static int ws_access_take(const WsAccess *access,
                          const char *kind,
                          const char *name,
                          int per_min,
                          int64_t now_us) {
        char text[320];

        snprintf(text, sizeof(text), "%s:%s", kind, name);
        return ws_limiter_take(access->failures, text_of(text), per_min, now_us);
}

int ws_access_blame(const WsAccess *access,
                    const char *source,
                    const char *account,
                    int64_t now_us) {
        int per_min = ws_limiter_part(access->failures_per_min);
        int wait_s = 0, other_s = 0;
        char party[WS_PARTY_TEXT_SIZE];

        metric_add(METRIC_CREDENTIALS_REFUSED, 1);
        if (!access->failures || per_min <= 0)
                return 0;
        ws_party_text(ws_party_address(source), party);
        wait_s = ws_access_take(access, "source", party, per_min, now_us);
        if (account)
                other_s = ws_access_take(access, "account", account, 2 * per_min, now_us);
        if (other_s > wait_s)
                wait_s = other_s;
        if (wait_s > 0)
                metric_add(METRIC_CREDENTIALS_LIMITED, 1);
        return wait_s;
}
