#include "ws/access/throttle.h"

#include "base/err.h"
#include "base/index.h"
#include "ws/access/party.h"

#define WS_THROTTLE_ONE 1000 /* credit of one connection: so many ms at one a second */

typedef struct WsThrottleSource WsThrottleSource;

struct WsThrottleSource {
        uint64_t party;
        int64_t credit, at_ms;
};

struct WsThrottle {
        size_t capacity;
        Index *sources; /* of addresses */
        int per_s;      /* of the call in hand */
        int64_t now_ms;
};

int ws_throttle_new(WsThrottle **ret_throttle, size_t capacity) {
        CLEANUP(ws_throttle_free) WsThrottle *throttle = NULL;
        int r;

        throttle = calloc(1, sizeof(*throttle));
        if (!throttle)
                return err_new(-ENOMEM);

        throttle->capacity = capacity;
        r = index_new(&throttle->sources);
        if (r < 0)
                return err_up(r);

        *ret_throttle = TAKE(&throttle);
        return 0;
}

static void ws_throttle_forget(void *arg, void *value) {
        WsThrottle *throttle = arg;
        WsThrottleSource *source = value;

        index_remove(throttle->sources, &source->party, sizeof(source->party));
        free(source);
}

WsThrottle *ws_throttle_free(WsThrottle *throttle) {
        if (!throttle)
                return NULL;

        if (throttle->sources)
                index_each(throttle->sources, ws_throttle_forget, throttle);
        index_free(throttle->sources);
        free(throttle);
        return NULL;
}

static int64_t ws_throttle_burst(const WsThrottle *throttle) {
        return (int64_t)throttle->per_s * 2 * WS_THROTTLE_ONE;
}

static void ws_throttle_refill(const WsThrottle *throttle, WsThrottleSource *source) {
        source->credit += (throttle->now_ms - source->at_ms) * throttle->per_s;
        source->at_ms = throttle->now_ms;
        if (source->credit > ws_throttle_burst(throttle))
                source->credit = ws_throttle_burst(throttle);
}

static void ws_throttle_forget_rested(void *arg, void *value) {
        WsThrottle *throttle = arg;
        WsThrottleSource *source = value;

        ws_throttle_refill(throttle, source);
        if (source->credit == ws_throttle_burst(throttle))
                ws_throttle_forget(throttle, source);
}

static WsThrottleSource *ws_throttle_add(WsThrottle *throttle, uint64_t party) {
        WsThrottleSource *source;

        if (index_length(throttle->sources) >= throttle->capacity)
                index_each(throttle->sources, ws_throttle_forget_rested, throttle);
        if (index_length(throttle->sources) >= throttle->capacity)
                index_each(throttle->sources, ws_throttle_forget, throttle);
        source = calloc(1, sizeof(*source));
        if (!source)
                return NULL;

        source->party = party;
        source->credit = ws_throttle_burst(throttle);
        source->at_ms = throttle->now_ms;
        if (index_put(throttle->sources, &party, sizeof(party), source) < 0) {
                free(source);
                return NULL;
        }
        return source;
}

bool ws_throttle_take(WsThrottle *throttle, const char *text, int per_s, int64_t now_ms) {
        WsThrottleSource *source;
        uint64_t party = ws_party_address(text);

        if (per_s <= 0)
                return true;

        throttle->per_s = per_s;
        throttle->now_ms = now_ms;
        source = index_get(throttle->sources, &party, sizeof(party));
        if (!source)
                source = ws_throttle_add(throttle, party);
        if (!source)
                return false;

        ws_throttle_refill(throttle, source);
        if (source->credit < WS_THROTTLE_ONE)
                return false;

        source->credit -= WS_THROTTLE_ONE;
        return true;
}
