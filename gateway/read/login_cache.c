#include "gateway/read/login_cache.h"

#include <pthread.h>

#include "base/err.h"
#include "base/password/password.h"
#include "base/secret.h"
#include "model/metrics.h"

typedef struct LoginProof LoginProof;

struct LoginProof {
        int64_t user_id; /* 0: the slot is free */
        int64_t until_us;
        uint8_t proof[SECRET_HASH_SIZE];
};

struct LoginCache {
        pthread_mutex_t lock;
        int64_t ttl_us;
        uint8_t key[SECRET_HASH_SIZE];
        size_t n_slots;
        LoginProof slots[]; /* of a user: the one at his id modulo n_slots */
};

static Text login_cache_bytes(const uint8_t bytes[SECRET_HASH_SIZE]) {
        return (Text){ .data = (const char *)bytes, .n = SECRET_HASH_SIZE };
}

/* The stored hash, which has a salt, makes the key of the password's. */
static bool login_cache_prove(const LoginCache *cache,
                              const char *password,
                              const char *hash,
                              uint8_t ret_proof[SECRET_HASH_SIZE]) {
        uint8_t key[SECRET_HASH_SIZE];
        bool is_made;

        is_made = secret_token_hash(login_cache_bytes(cache->key), text_of(hash), key) == 0 &&
                  secret_token_hash(login_cache_bytes(key), text_of(password), ret_proof) == 0;
        secret_wipe(key, sizeof(key));
        return is_made;
}

static LoginProof *login_cache_slot(LoginCache *cache, int64_t id) {
        return &cache->slots[(uint64_t)id % cache->n_slots];
}

static bool login_cache_has(LoginCache *cache, const LoginProof *proof, int64_t now_us) {
        const LoginProof *slot = login_cache_slot(cache, proof->user_id);
        bool has_it;

        pthread_mutex_lock(&cache->lock);
        has_it = slot->user_id == proof->user_id && now_us < slot->until_us &&
                 secret_equal(slot->proof, proof->proof, sizeof(slot->proof));
        pthread_mutex_unlock(&cache->lock);
        return has_it;
}

static void login_cache_keep(LoginCache *cache, const LoginProof *proof) {
        pthread_mutex_lock(&cache->lock);
        *login_cache_slot(cache, proof->user_id) = *proof;
        pthread_mutex_unlock(&cache->lock);
}

bool login_cache_verify(LoginCache *cache,
                        int64_t id,
                        const char *password,
                        const char *hash,
                        int64_t now_us) {
        LoginProof proof = { .user_id = id, .until_us = now_us + cache->ttl_us };
        bool can_keep, is_right;

        /* Of somebody who is not there too, so that it takes as long. */
        can_keep = cache->n_slots > 0 &&
                   login_cache_prove(cache, password, hash ? hash : "", proof.proof);
        can_keep = can_keep && hash && id != 0;
        is_right = can_keep && login_cache_has(cache, &proof, now_us);
        if (is_right) {
                metric_add(METRIC_LOGIN_CACHED, 1);
        } else {
                is_right = password_verify(password, hash) && id != 0;
                if (is_right && can_keep)
                        login_cache_keep(cache, &proof);
        }
        secret_wipe(&proof, sizeof(proof));
        return is_right;
}

int login_cache_new(LoginCache **ret_cache, size_t capacity, int64_t ttl_s) {
        CLEANUP(login_cache_free) LoginCache *cache = NULL;
        int r;

        cache = calloc(1, sizeof(*cache) + capacity * sizeof(cache->slots[0]));
        if (!cache)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&cache->lock, NULL));
        cache->ttl_us = ttl_s * INT64_C(1000000);
        cache->n_slots = capacity;
        r = secret_random(cache->key, sizeof(cache->key));
        if (r < 0)
                return err_up(r);
        *ret_cache = TAKE(&cache);
        return 0;
}

LoginCache *login_cache_free(LoginCache *cache) {
        if (!cache)
                return NULL;

        secret_wipe(cache->key, sizeof(cache->key));
        secret_wipe(cache->slots, cache->n_slots * sizeof(cache->slots[0]));
        MUST(pthread_mutex_destroy(&cache->lock));
        free(cache);
        return NULL;
}
