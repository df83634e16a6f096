#include "ws/loop/burst.h"

#include "base/clock.h"
#include "model/metrics.h"
#include "ws/access/shares.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"

void ws_burst_moved(WsBurst *burst) {
        burst->moved_ms = clock_mono_us() / 1000;
}

static bool ws_burst_take(WsBurst *burst, WsLoop *loop, uint64_t party, size_t n) {
        const WsOptions *options = loop->options;
        WsShares *bursts = loop->bursts;

        if (burst->n_bytes > 0)
                party = burst->party;
        if (clock_mono_us() / 1000 - burst->moved_ms >= options->stall_ms)
                return false;
        if (!ws_shares_fit(bursts, party, n, options->burst_bytes, options->user_share) ||
            ws_shares_total(bursts) + n > options->burst_bytes) {
                metric_add(METRIC_SHARE_REFUSED_BURST, 1);
                return false;
        }
        if (!ws_shares_take(bursts, party, n))
                return false;
        burst->party = party;
        burst->n_bytes += n;
        metric_add(METRIC_WS_BURST_BYTES, (int64_t)n);
        return true;
}

static size_t ws_burst_beyond(const WsLoop *loop, size_t n_bytes) {
        size_t limit = loop->options->queue_bytes;

        return n_bytes > limit ? n_bytes - limit : 0;
}

size_t ws_burst_room(WsBurst *burst, WsLoop *loop, uint64_t party, size_t n_bytes) {
        size_t n_over = ws_burst_beyond(loop, n_bytes);

        if (n_over > burst->n_bytes)
                (void)ws_burst_take(burst, loop, party, n_over - burst->n_bytes);
        return burst->n_bytes;
}

void ws_burst_settle(WsBurst *burst, WsLoop *loop, size_t n_bytes) {
        size_t n_over = ws_burst_beyond(loop, n_bytes);

        if (burst->n_bytes <= n_over)
                return;
        ws_shares_give_back(loop->bursts, burst->party, burst->n_bytes - n_over);
        metric_add(METRIC_WS_BURST_BYTES, -(int64_t)(burst->n_bytes - n_over));
        burst->n_bytes = n_over;
}
