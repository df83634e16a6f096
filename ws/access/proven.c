#include "ws/access/proven.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/secret.h"

#define WS_PROVEN_US INT64_C(86400000000)

typedef struct WsProof WsProof;

struct WsProof {
        uint8_t name[SECRET_HASH_SIZE];
        int64_t until_us; /* 0 = free */
};

struct WsProven {
        char key[SECRET_ID_SIZE];
        size_t capacity;
        WsProof proofs[];
};

int ws_proven_new(WsProven **ret_proven, size_t capacity) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;
        int r;

        proven = calloc(1, sizeof(*proven) + capacity * sizeof(proven->proofs[0]));
        if (!proven)
                return err_new(-ENOMEM);
        proven->capacity = capacity;
        r = secret_id(proven->key);
        if (r < 0)
                return err_up(r);

        *ret_proven = TAKE(&proven);
        return 0;
}

WsProven *ws_proven_free(WsProven *proven) {
        free(proven);
        return NULL;
}

/* The one place that the pair can have; false: it has none. */
static bool ws_proven_place(const WsProven *proven,
                            Text name,
                            uint64_t party,
                            uint8_t ret_hash[SECRET_HASH_SIZE],
                            size_t *ret_place) {
        char text[320];
        size_t place;

        snprintf(text, sizeof(text), "%" PRIx64 ":%.*s", party, (int)name.n, name.data);
        if (secret_token_hash(text_of(proven->key), text_of(text), ret_hash) != 0)
                return false;
        memcpy(&place, ret_hash, sizeof(place));
        *ret_place = place % proven->capacity;
        return true;
}

void ws_proven_add(WsProven *proven, Text name, uint64_t party, int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        size_t place;

        if (!ws_proven_place(proven, name, party, hash, &place))
                return;
        memcpy(proven->proofs[place].name, hash, sizeof(hash));
        proven->proofs[place].until_us = now_us + WS_PROVEN_US;
}

bool ws_proven_has(const WsProven *proven, Text name, uint64_t party, int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        size_t place;

        return ws_proven_place(proven, name, party, hash, &place) &&
               proven->proofs[place].until_us > now_us &&
               memcmp(proven->proofs[place].name, hash, sizeof(hash)) == 0;
}
