#include "ws/access/proven.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bucket.h"
#include "base/err.h"
#include "base/secret.h"
#include "model/metrics.h"
#include "ws/access/party.h"

#define WS_PROVEN_US INT64_C(86400000000)

#define WS_PROVEN_ANYBODY    "\xff" /* no names, as they are no UTF-8 */
#define WS_PROVEN_NEIGHBOURS "\xfe"

#define WS_PROVEN_CROWD_US 1000000 /* without a newcomer until there is no crowd any more */

/* Newcomers of whom each has a core for 50 ms: a tenth of one. */
static const BucketRate ws_proven_early = { .n = 2, .period_us = 1000000, .burst = 4 };

typedef struct WsProof WsProof;

struct WsProof {
        uint8_t name[SECRET_HASH_SIZE];
        int64_t until_us; /* 0 = free */
};

struct WsProven {
        char key[SECRET_ID_SIZE];
        Bucket early, neighbours;
        int64_t crowd_until_us;
        size_t capacity; /* of each table */
        WsProof *guesses;
        WsProof proofs[];
};

int ws_proven_new(WsProven **ret_proven, size_t capacity) {
        CLEANUP(ws_proven_free) WsProven *proven = NULL;
        int r;

        proven = calloc(1, sizeof(*proven) + 2 * capacity * sizeof(proven->proofs[0]));
        if (!proven)
                return err_new(-ENOMEM);
        proven->guesses = proven->proofs + capacity;
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

static void ws_proven_put(const WsProven *proven,
                          WsProof *table,
                          Text name,
                          uint64_t party,
                          int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        size_t place;

        if (!ws_proven_place(proven, name, party, hash, &place))
                return;
        if (table == proven->proofs && table[place].until_us > now_us &&
            memcmp(table[place].name, hash, sizeof(hash)) != 0)
                metric_add(METRIC_LOGIN_FORGOTTEN, 1);
        memcpy(table[place].name, hash, sizeof(hash));
        table[place].until_us = now_us + WS_PROVEN_US;
}

static bool ws_proven_look(const WsProven *proven,
                           const WsProof *table,
                           Text name,
                           uint64_t party,
                           int64_t now_us) {
        uint8_t hash[SECRET_HASH_SIZE];
        size_t place;

        return ws_proven_place(proven, name, party, hash, &place) &&
               table[place].until_us > now_us && memcmp(table[place].name, hash, sizeof(hash)) == 0;
}

void ws_proven_add(WsProven *proven, Text name, uint64_t party, int64_t now_us) {
        ws_proven_put(proven,
                      proven->proofs,
                      text_of(WS_PROVEN_NEIGHBOURS),
                      ws_party_network(party),
                      now_us);
        ws_proven_put(proven, proven->proofs, text_of(WS_PROVEN_ANYBODY), party, now_us);
        ws_proven_put(proven, proven->proofs, name, party, now_us);
}

bool ws_proven_has(const WsProven *proven, Text name, uint64_t party, int64_t now_us) {
        return ws_proven_look(proven, proven->proofs, name, party, now_us);
}

void ws_proven_add_guess(WsProven *proven, Text name, int64_t now_us) {
        ws_proven_put(proven, proven->guesses, name, 0, now_us);
}

bool ws_proven_is_guessed(const WsProven *proven, Text name, int64_t now_us) {
        return ws_proven_look(proven, proven->guesses, name, 0, now_us);
}

bool ws_proven_has_place(const WsProven *proven, uint64_t party, int64_t now_us) {
        return ws_proven_has(proven, text_of(WS_PROVEN_ANYBODY), party, now_us);
}

/* Guesses that come from everywhere hardly come from where our people are. */
static bool ws_proven_take_neighbour(WsProven *proven, uint64_t party, int64_t now_us) {
        return ws_proven_has(proven,
                             text_of(WS_PROVEN_NEIGHBOURS),
                             ws_party_network(party),
                             now_us) &&
               bucket_take(&proven->neighbours, &ws_proven_early, 1, now_us) == 0;
}

bool ws_proven_take_early(WsProven *proven, uint64_t party, int64_t now_us) {
        bool is_early;

        if (ws_proven_take_neighbour(proven, party, now_us))
                return true;
        is_early = now_us >= proven->crowd_until_us &&
                   bucket_take(&proven->early, &ws_proven_early, 1, now_us) == 0;
        if (!is_early)
                proven->crowd_until_us = now_us + WS_PROVEN_CROWD_US;
        return is_early;
}
