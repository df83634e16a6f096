#include "ws/access/throttle.h"

#include "base/bucket.h"
#include "base/err.h"
#include "base/index.h"
#include "ws/access/party.h"

typedef struct WsThrottleSource WsThrottleSource;

struct WsThrottleSource {
        uint64_t party;
        Bucket bucket;
};

struct WsThrottle {
        size_t capacity;
        Index *sources; /* of addresses */
        int64_t now_us; /* of the call in hand */
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

static void ws_throttle_forget_rested(void *arg, void *value) {
        WsThrottle *throttle = arg;
        WsThrottleSource *source = value;

        if (bucket_is_full(&source->bucket, throttle->now_us))
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
        if (index_put(throttle->sources, &party, sizeof(party), source) < 0) {
                free(source);
                return NULL;
        }
        return source;
}

bool ws_throttle_take(WsThrottle *throttle, const char *text, int per_s, int64_t now_ms) {
        WsThrottleSource *source;
        uint64_t party = ws_party_address(text);
        BucketRate rate;

        if (per_s <= 0)
                return true;

        throttle->now_us = now_ms * 1000;
        source = index_get(throttle->sources, &party, sizeof(party));
        if (!source)
                source = ws_throttle_add(throttle, party);
        if (!source)
                return false;

        rate = (BucketRate){ per_s, 1000000, (int64_t)per_s * 2 };
        return bucket_take(&source->bucket, &rate, 1, throttle->now_us) == 0;
}
