#pragma once

/*
 * WsKeys: the keys that user tokens are checked with, each bound to one algorithm.
 *
 * A key is found by algorithm first, so that the bytes of a public key can never be taken for an
 * HMAC secret, and then by `kid`: a key that was given a kid serves the tokens that name it, a key
 * without serves all others. Lists of files are `[kid=]path, [kid=]path`; a PEM file may
 * hold several keys. Immutable once loaded; any thread may read.
 */

#include "base/base.h"

typedef enum WsAlgorithm {
        WS_ALGORITHM_HS256,
        WS_ALGORITHM_RS256,
        WS_ALGORITHM_ES256,
        WS_ALGORITHM_COUNT
} WsAlgorithm;

typedef struct WsKey WsKey;
typedef struct WsKeys WsKeys;

struct WsKey {
        WsAlgorithm algorithm;
        char *kid; /* NULL = none */
        char *data;
        size_t n_data;
};

enum {
        WS_KEYS_E_INVALID = 1, /* a file is missing or unusable; logged */
};

const char *ws_algorithm_name(WsAlgorithm algorithm); /* "HS256", ... */
/* Exactly, case and all; false for whatever we do not take (`none` first of all). */
bool ws_algorithm_from_name(Text name, WsAlgorithm *ret_algorithm);

MUST_CHECK int ws_keys_new(WsKeys **ret_keys);
WsKeys *ws_keys_free(WsKeys *keys); /* wipes */

/* Takes the next entry off a list of files; false: no more. The texts point into the list, and the
 * kid is empty where there is none. */
bool ws_keys_next_file(Text *rest, Text *ret_kid, Text *ret_path);
MUST_CHECK int ws_keys_load_secrets(WsKeys *keys, const char *files);
MUST_CHECK int ws_keys_load_public(WsKeys *keys, const char *files);

/* The next key after @after (NULL begins) that a token with this algorithm and kid (NULL = none)
 * may have been signed with; NULL ends. */
const WsKey *ws_keys_next(const WsKeys *keys,
                          WsAlgorithm algorithm,
                          const char *kid,
                          const WsKey *after);
/* Is @signature (as bytes) that of @text, with the algorithm of the key? */
bool ws_key_verifies(const WsKey *key, Text text, Text signature);
/* The key that we sign with; NULL = none. */
const WsKey *ws_keys_first(const WsKeys *keys, WsAlgorithm algorithm);
/* The key number @i, from 0, of the algorithm, in the order of the files; NULL: there are fewer. */
const WsKey *ws_keys_at(const WsKeys *keys, WsAlgorithm algorithm, size_t i);

DEFINE_CLEANUP(WsKeys *, ws_keys_free);
