#include "ws/access/limiter.h"

#include "base/bucket.h"
#include "base/err.h"
#include "base/secret.h"
#include "model/metrics.h"

#define WS_LIMITER_MINUTE_US 60000000

typedef struct WsLimited WsLimited;

struct WsLimited {
        uint8_t name[SECRET_HASH_SIZE];
        Bucket tries;
        int per_minute; /* as it was for the last one */
        bool is_taken;
};

struct WsLimiter {
        char key[SECRET_ID_SIZE];
        WsLimited *names;
        size_t capacity;
};

int ws_limiter_new(WsLimiter **ret_limiter, size_t capacity) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;
        int r;

        limiter = calloc(1, sizeof(*limiter));
        if (!limiter)
                return err_new(-ENOMEM);
        limiter->capacity = capacity;
        limiter->names = calloc(capacity, sizeof(*limiter->names));
        if (!limiter->names)
                return err_new(-ENOMEM);
        r = secret_id(limiter->key);
        if (r < 0)
                return err_up(r);

        *ret_limiter = TAKE(&limiter);
        return 0;
}

WsLimiter *ws_limiter_free(WsLimiter *limiter) {
        if (!limiter)
                return NULL;

        free(limiter->names);
        free(limiter);
        return NULL;
}

/* The place of @name, else a free one, else that of who has tried least. */
static WsLimited *ws_limiter_find(WsLimiter *limiter, const uint8_t name[SECRET_HASH_SIZE]) {
        WsLimited *best = &limiter->names[0];

        for (size_t i = 0; i < limiter->capacity; ++i) {
                WsLimited *one = &limiter->names[i];

                if (one->is_taken && memcmp(one->name, name, SECRET_HASH_SIZE) == 0)
                        return one;
                if (best->is_taken && (!one->is_taken || one->tries.paid_ns < best->tries.paid_ns))
                        best = one;
        }
        return best;
}

static BucketRate ws_limiter_rate(int per_minute) {
        int n = per_minute > 0 ? per_minute : 1;

        return (BucketRate){ n, WS_LIMITER_MINUTE_US, n };
}

int ws_limiter_part(int per_minute) {
        int64_t n_nodes = metric_get(METRIC_NODES_SERVING);

        return n_nodes > 1 ? (int)((per_minute + n_nodes - 1) / n_nodes) : per_minute;
}

int ws_limiter_take(WsLimiter *limiter, Text name, int per_minute, int64_t now_us) {
        BucketRate rate = ws_limiter_rate(per_minute);
        uint8_t hash[SECRET_HASH_SIZE];
        WsLimited *one;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return 1;
        one = ws_limiter_find(limiter, hash);
        if (!one->is_taken || memcmp(one->name, hash, sizeof(hash)) != 0) {
                *one = (WsLimited){ .is_taken = true };
                memcpy(one->name, hash, sizeof(hash));
        }

        one->per_minute = per_minute;
        return (int)((bucket_take(&one->tries, &rate, 1, now_us) + 999999) / 1000000);
}

bool ws_limiter_is_known(WsLimiter *limiter, Text name, int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        const WsLimited *one;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return true;
        one = ws_limiter_find(limiter, hash);
        return one->is_taken && memcmp(one->name, hash, sizeof(hash)) == 0 &&
               !bucket_is_full(&one->tries, now_us);
}

void ws_limiter_give_back(WsLimiter *limiter, Text name) {
        uint8_t hash[SECRET_HASH_SIZE];
        WsLimited *one;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return;
        one = ws_limiter_find(limiter, hash);
        if (one->is_taken && memcmp(one->name, hash, sizeof(hash)) == 0) {
                BucketRate rate = ws_limiter_rate(one->per_minute);

                bucket_give_back(&one->tries, &rate, 1);
        }
}
