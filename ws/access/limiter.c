#include "ws/access/limiter.h"

#include <math.h>

#include "base/err.h"
#include "base/secret.h"

#define WS_LIMITER_MINUTE_US 60e6

typedef struct WsBucket WsBucket;

struct WsBucket {
        uint8_t name[SECRET_HASH_SIZE];
        double used; /* tries that have not been forgiven yet */
        int64_t updated_us;
        bool is_taken;
};

struct WsLimiter {
        char key[SECRET_ID_SIZE];
        WsBucket *buckets;
        size_t capacity;
};

int ws_limiter_new(WsLimiter **ret_limiter, size_t capacity) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;
        int r;

        limiter = calloc(1, sizeof(*limiter));
        if (!limiter)
                return err_new(-ENOMEM);
        limiter->capacity = capacity;
        limiter->buckets = calloc(capacity, sizeof(*limiter->buckets));
        if (!limiter->buckets)
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

        free(limiter->buckets);
        free(limiter);
        return NULL;
}

/* The bucket of @name, else a free one, else the one that was used least. */
static WsBucket *ws_limiter_find(WsLimiter *limiter, const uint8_t name[SECRET_HASH_SIZE]) {
        WsBucket *best = &limiter->buckets[0];

        for (size_t i = 0; i < limiter->capacity; ++i) {
                WsBucket *bucket = &limiter->buckets[i];

                if (bucket->is_taken && memcmp(bucket->name, name, SECRET_HASH_SIZE) == 0)
                        return bucket;
                if (best->is_taken && (!bucket->is_taken || bucket->used < best->used))
                        best = bucket;
        }
        return best;
}

static void ws_limiter_forgive(WsBucket *bucket, int per_minute, int64_t now_us) {
        double elapsed = (double)(now_us - bucket->updated_us);

        bucket->used = fmax(0, bucket->used - elapsed * per_minute / WS_LIMITER_MINUTE_US);
        bucket->updated_us = now_us;
}

int ws_limiter_take(WsLimiter *limiter, Text name, int per_minute, int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        WsBucket *bucket;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return 1;
        bucket = ws_limiter_find(limiter, hash);
        if (!bucket->is_taken || memcmp(bucket->name, hash, sizeof(hash)) != 0) {
                *bucket = (WsBucket){ .is_taken = true, .updated_us = now_us };
                memcpy(bucket->name, hash, sizeof(hash));
        }

        ws_limiter_forgive(bucket, per_minute, now_us);
        if (bucket->used + 1 > per_minute)
                return (int)ceil((bucket->used + 1 - per_minute) * 60.0 / per_minute);
        bucket->used += 1;
        return 0;
}

bool ws_limiter_is_known(WsLimiter *limiter, Text name, int per_minute, int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        WsBucket *bucket;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return true;
        bucket = ws_limiter_find(limiter, hash);
        if (!bucket->is_taken || memcmp(bucket->name, hash, sizeof(hash)) != 0)
                return false;
        ws_limiter_forgive(bucket, per_minute, now_us);
        return bucket->used > 0;
}

void ws_limiter_give_back(WsLimiter *limiter, Text name) {
        uint8_t hash[SECRET_HASH_SIZE];
        WsBucket *bucket;

        if (secret_token_hash(text_of(limiter->key), name, hash) != 0)
                return;
        bucket = ws_limiter_find(limiter, hash);
        if (bucket->is_taken && memcmp(bucket->name, hash, sizeof(hash)) == 0)
                bucket->used = fmax(0, bucket->used - 1);
}
