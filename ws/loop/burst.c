#include "ws/loop/burst.h"

#include "base/clock.h"
#include "model/metrics.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/net/shares.h"
#include "ws/viewer/client.h"

void ws_burst_moved(WsClient *client) {
        client->burst.moved_ms = clock_mono_us() / 1000;
}

static bool ws_burst_take(WsClient *client, size_t n) {
        const WsOptions *options = client->loop->options;
        WsShares *bursts = client->loop->bursts;
        WsBurst *burst = &client->burst;
        uint64_t party = burst->n_bytes > 0 ? burst->party : client->party;

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

size_t ws_burst_room(WsClient *client, size_t n) {
        size_t limit = client->loop->options->queue_bytes;
        size_t n_all = client->backlog.n_metered + n;
        size_t n_over = n_all > limit ? n_all - limit : 0;

        if (n_over > client->burst.n_bytes)
                (void)ws_burst_take(client, n_over - client->burst.n_bytes);
        return client->burst.n_bytes;
}

void ws_burst_settle(WsClient *client) {
        size_t limit = client->loop->options->queue_bytes;
        size_t n_all = client->backlog.n_metered;
        size_t n_over = n_all > limit ? n_all - limit : 0;
        WsBurst *burst = &client->burst;

        if (burst->n_bytes <= n_over)
                return;
        ws_shares_give_back(client->loop->bursts, burst->party, burst->n_bytes - n_over);
        metric_add(METRIC_WS_BURST_BYTES, -(int64_t)(burst->n_bytes - n_over));
        burst->n_bytes = n_over;
}
