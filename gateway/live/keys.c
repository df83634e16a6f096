#include "gateway/live/keys.h"

#include <stdatomic.h>

#include "base/err.h"
#include "base/secret.h"

enum {
        LIVE_KEYS_FORM = 2,
        LIVE_KEYS_HEAD = 1 + 8, /* bytes */
};

typedef struct LiveKeysSet LiveKeysSet;

struct LiveKeysSet {
        DbLiveKeys known;
        LiveKeysSet *before; /* somebody may still look at it */
};

struct LiveKeys {
        _Atomic(LiveKeysSet *) set; /* NULL: not yet */
};

int live_keys_new(LiveKeys **ret_keys) {
        LiveKeys *keys = calloc(1, sizeof(*keys));

        if (!keys)
                return err_new(-ENOMEM);
        *ret_keys = keys;
        return 0;
}

LiveKeys *live_keys_free(LiveKeys *keys) {
        LiveKeysSet *set = keys ? atomic_load(&keys->set) : NULL;

        while (set) {
                LiveKeysSet *before = set->before;

                secret_wipe(set, sizeof(*set));
                free(set);
                set = before;
        }
        free(keys);
        return NULL;
}

static bool live_keys_are_same(const DbLiveKeys *a, const DbLiveKeys *b) {
        bool is_same = a->n == b->n && a->must_sign == b->must_sign;

        for (size_t i = 0; is_same && i < a->n; ++i)
                is_same = a->keys[i].number == b->keys[i].number &&
                          memcmp(a->keys[i].key, b->keys[i].key, sizeof(a->keys[i].key)) == 0;
        return is_same;
}

int live_keys_set(LiveKeys *keys, const DbLiveKeys *known) {
        LiveKeysSet *before = atomic_load(&keys->set);
        LiveKeysSet *set;

        if (before && live_keys_are_same(&before->known, known))
                return 0;
        set = calloc(1, sizeof(*set));
        if (!set)
                return err_new(-ENOMEM);
        *set = (LiveKeysSet){ .known = *known, .before = before };
        atomic_store(&keys->set, set);
        return 0;
}

static int live_keys_mac(const DbLiveKey *key, Text bytes, uint8_t ret_mac[SECRET_HASH_SIZE]) {
        return err_up(secret_token_hash((Text){ (const char *)key->key, sizeof(key->key) },
                                        bytes,
                                        ret_mac));
}

int live_keys_sign(const LiveKeys *keys, Text frame, Buf *buf, Text *ret_bytes) {
        const LiveKeysSet *set = keys ? atomic_load(&keys->set) : NULL;
        uint8_t mac[SECRET_HASH_SIZE];
        int r;

        if (!keys || (set && !set->known.must_sign)) {
                *ret_bytes = frame;
                return 0;
        }
        if (!set)
                return LIVE_KEYS_E_NONE;
        buf_reset(buf);
        buf_append_char(buf, LIVE_KEYS_FORM);
        for (int i = 56; i >= 0; i -= 8)
                buf_append_char(buf, (char)(uint8_t)(set->known.keys[0].number >> i));
        buf_append_text(buf, frame);
        if (buf_failed(buf))
                return err_new(-ENOMEM);
        r = live_keys_mac(&set->known.keys[0], buf_text(buf), mac);
        if (r < 0)
                return err_up(r);
        buf_append(buf, mac, LIVE_KEYS_MAC);
        if (buf_failed(buf))
                return err_new(-ENOMEM);
        *ret_bytes = buf_text(buf);
        return 0;
}

static bool live_keys_is_signed(Text bytes) {
        return bytes.n >= LIVE_KEYS_HEAD + LIVE_KEYS_MAC && bytes.data[0] == LIVE_KEYS_FORM;
}

Text live_keys_frame(Text bytes) {
        if (!live_keys_is_signed(bytes))
                return bytes;
        return (Text){ bytes.data + LIVE_KEYS_HEAD, bytes.n - LIVE_KEYS_HEAD - LIVE_KEYS_MAC };
}

static int live_keys_check_mac(const DbLiveKeys *known, Text bytes) {
        Text said = { bytes.data, bytes.n - LIVE_KEYS_MAC };
        uint8_t mac[SECRET_HASH_SIZE];
        uint64_t number = 0;
        int r;

        for (size_t i = 1; i < LIVE_KEYS_HEAD; ++i)
                number = number << 8 | (uint8_t)bytes.data[i];
        for (size_t i = 0; i < known->n; ++i) {
                if (known->keys[i].number != number)
                        continue;
                r = live_keys_mac(&known->keys[i], said, mac);
                if (r < 0)
                        return err_up(r);
                return secret_equal(mac, said.data + said.n, LIVE_KEYS_MAC) ? 0
                                                                            : LIVE_KEYS_E_FORGED;
        }
        return LIVE_KEYS_E_FORGED;
}

int live_keys_check(const LiveKeys *keys, Text bytes) {
        const LiveKeysSet *set = keys ? atomic_load(&keys->set) : NULL;

        if (!keys)
                return 0;
        if (!set)
                return LIVE_KEYS_E_NONE;
        if (live_keys_is_signed(bytes))
                return live_keys_check_mac(&set->known, bytes);
        return set->known.must_sign ? LIVE_KEYS_E_FORGED : 0;
}
