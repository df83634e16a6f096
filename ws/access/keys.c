#include "ws/access/keys.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#define WS_KEYS_MAX        64
#define WS_KEYS_SECRET_MIN 32 /* RFC 7518: a key of at least the size of the hash */
#define WS_KEYS_RSA_MIN    2048

struct WsKeys {
        WsKey *keys;
        size_t n_keys;
};

typedef int (*WsKeysReadFn)(WsKeys *keys, const char *kid, const char *path);

static const char *const ws_algorithm_names[] = {
        [WS_ALGORITHM_HS256] = "HS256",
        [WS_ALGORITHM_RS256] = "RS256",
        [WS_ALGORITHM_ES256] = "ES256",
};

DEFINE_CLEANUP(char *, free);
DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free);

static void ws_key_free_der(unsigned char *der) {
        OPENSSL_free(der);
}
DEFINE_CLEANUP(unsigned char *, ws_key_free_der);

const char *ws_algorithm_name(WsAlgorithm algorithm) {
        return ws_algorithm_names[algorithm];
}

bool ws_algorithm_from_name(Text name, WsAlgorithm *ret_algorithm) {
        for (size_t i = 0; i < WS_ALGORITHM_COUNT; ++i) {
                if (text_equal(name, text_of(ws_algorithm_names[i]))) {
                        *ret_algorithm = (WsAlgorithm)i;
                        return true;
                }
        }
        return false;
}

int ws_keys_new(WsKeys **ret_keys) {
        CLEANUP(ws_keys_free) WsKeys *keys = NULL;

        keys = calloc(1, sizeof(*keys));
        if (!keys)
                return err_new(-ENOMEM);
        keys->keys = calloc(WS_KEYS_MAX, sizeof(*keys->keys));
        if (!keys->keys)
                return err_new(-ENOMEM);

        *ret_keys = TAKE(&keys);
        return 0;
}

WsKeys *ws_keys_free(WsKeys *keys) {
        if (!keys)
                return NULL;

        for (size_t i = 0; i < keys->n_keys; ++i) {
                secret_wipe(keys->keys[i].data, keys->keys[i].n_data);
                free(keys->keys[i].data);
                free(keys->keys[i].kid);
        }
        free(keys->keys);
        free(keys);
        return NULL;
}

static int ws_keys_add(WsKeys *keys, WsAlgorithm algorithm, const char *kid, Text data) {
        WsKey *key = &keys->keys[keys->n_keys];

        if (keys->n_keys == WS_KEYS_MAX) {
                log_error("auth_keys_too_many max=%d", WS_KEYS_MAX);
                return WS_KEYS_E_INVALID;
        }

        *key = (WsKey){ .algorithm = algorithm, .n_data = data.n };
        key->kid = kid ? strdup(kid) : NULL;
        key->data = calloc(1, data.n + 1);
        if ((kid && !key->kid) || !key->data) {
                free(key->kid);
                free(key->data);
                return err_new(-ENOMEM);
        }
        memcpy(key->data, data.data, data.n);
        ++keys->n_keys;
        return 0;
}

static int ws_keys_read_secret(WsKeys *keys, const char *kid, const char *path) {
        CLEANUP(secret_free) char *secret = NULL;
        int r;

        r = secret_read_file(path, &secret);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                log_error("auth_secret_unusable file=%s reason=\"%s\"",
                          path,
                          r == SECRET_E_MISSING ? "missing or not readable"
                                                : "empty, too large, or readable by others");
                return WS_KEYS_E_INVALID;
        }
        if (strlen(secret) < WS_KEYS_SECRET_MIN)
                log_warning("auth_secret_short file=%s bytes=%zu recommended=%d",
                            path,
                            strlen(secret),
                            WS_KEYS_SECRET_MIN);

        r = ws_keys_add(keys, WS_ALGORITHM_HS256, kid, text_of(secret));
        return r < 0 ? err_up(r) : r;
}

/* What a public key is good for; false for kinds, curves and sizes that we do not take. */
static bool ws_keys_algorithm_of(EVP_PKEY *pkey, WsAlgorithm *ret_algorithm) {
        char curve[32] = "";

        if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= WS_KEYS_RSA_MIN) {
                *ret_algorithm = WS_ALGORITHM_RS256;
                return true;
        }
        if (EVP_PKEY_is_a(pkey, "EC") &&
            EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) == 1 &&
            (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "P-256") == 0)) {
                *ret_algorithm = WS_ALGORITHM_ES256;
                return true;
        }
        return false;
}

/* Written out again, so that each entry is one clean PEM block whatever the file looked like. */
static int ws_keys_add_public(WsKeys *keys, const char *kid, EVP_PKEY *pkey) {
        CLEANUP(BIO_free) BIO *bio = BIO_new(BIO_s_mem());
        WsAlgorithm algorithm = WS_ALGORITHM_RS256;
        char *pem = NULL;
        long n;
        int r;

        if (!ws_keys_algorithm_of(pkey, &algorithm))
                return WS_KEYS_E_INVALID;
        if (!bio || PEM_write_bio_PUBKEY(bio, pkey) != 1)
                return err_new(-ENOMEM);

        n = BIO_get_mem_data(bio, &pem);
        r = ws_keys_add(keys, algorithm, kid, (Text){ .data = pem, .n = (size_t)n });
        return r < 0 ? err_up(r) : r;
}

static int ws_keys_read_public(WsKeys *keys, const char *kid, const char *path) {
        CLEANUP(BIO_free) BIO *bio = BIO_new_file(path, "r");
        size_t n_before = keys->n_keys;
        char passphrase[] = ""; /* never ask on a terminal */
        int r = 0;

        while (r == 0 && bio) {
                CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = NULL;

                pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, passphrase);
                if (!pkey)
                        break;
                r = ws_keys_add_public(keys, kid, pkey);
        }
        ERR_clear_error();
        if (r < 0)
                return err_up(r);
        if (r == 0 && keys->n_keys > n_before)
                return 0;

        log_error("auth_public_key_unusable file=%s wanted=\"PEM public keys, RSA of %d bits or "
                  "more "
                  "or EC P-256\"",
                  path,
                  WS_KEYS_RSA_MIN);
        return WS_KEYS_E_INVALID;
}

static bool ws_keys_is_kid(const char *text, size_t n) {
        for (size_t i = 0; i < n; ++i)
                if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
                        return false;
        return n > 0;
}

/* What stands before a '=' is a kid only if it cannot be part of a path. */
static void ws_keys_take_kid(Text *entry, Text *ret_kid) {
        const char *equals = memchr(entry->data, '=', entry->n);
        size_t n = equals ? (size_t)(equals - entry->data) : 0;

        *ret_kid = (Text){ 0 };
        if (!equals || !ws_keys_is_kid(entry->data, n))
                return;
        *ret_kid = (Text){ .data = entry->data, .n = n };
        *entry = text_trim((Text){ .data = equals + 1, .n = entry->n - n - 1 });
}

bool ws_keys_next_file(Text *rest, Text *ret_kid, Text *ret_path) {
        Text entry;

        while (text_next_item(rest, ",", &entry)) {
                entry = text_trim(entry);
                if (entry.n == 0)
                        continue;
                ws_keys_take_kid(&entry, ret_kid);
                *ret_path = entry;
                return true;
        }
        return false;
}

static int ws_keys_load(WsKeys *keys, const char *files, WsKeysReadFn read) {
        Text rest = text_of(files);
        Text kid, path;
        int r = 0;

        while (r == 0 && ws_keys_next_file(&rest, &kid, &path)) {
                CLEANUP(free) char *kid_text = kid.n > 0 ? strndup(kid.data, kid.n) : NULL;
                CLEANUP(free) char *path_text = strndup(path.data, path.n);

                if (!path_text || (kid.n > 0 && !kid_text))
                        return err_new(-ENOMEM);
                r = read(keys, kid_text, path_text);
        }
        return r < 0 ? err_up(r) : r;
}

int ws_keys_load_secrets(WsKeys *keys, const char *files) {
        return ws_keys_load(keys, files, ws_keys_read_secret);
}

int ws_keys_load_public(WsKeys *keys, const char *files) {
        return ws_keys_load(keys, files, ws_keys_read_public);
}

static bool ws_keys_has_kid(const WsKeys *keys, WsAlgorithm algorithm, const char *kid) {
        for (size_t i = 0; kid && i < keys->n_keys; ++i)
                if (keys->keys[i].algorithm == algorithm && keys->keys[i].kid &&
                    strcmp(keys->keys[i].kid, kid) == 0)
                        return true;
        return false;
}

const WsKey *ws_keys_next(const WsKeys *keys,
                          WsAlgorithm algorithm,
                          const char *kid,
                          const WsKey *after) {
        bool named = ws_keys_has_kid(keys, algorithm, kid);
        size_t i = after ? (size_t)(after - keys->keys) + 1 : 0;

        for (; i < keys->n_keys; ++i) {
                const WsKey *key = &keys->keys[i];

                if (key->algorithm != algorithm)
                        continue;
                if (named ? key->kid && strcmp(key->kid, kid) == 0 : !key->kid)
                        return key;
        }
        return NULL;
}

static bool ws_key_verifies_hmac(const WsKey *key, Text text, Text signature) {
        unsigned char mac[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        return HMAC(EVP_sha256(),
                    key->data,
                    (int)key->n_data,
                    (const unsigned char *)text.data,
                    text.n,
                    mac,
                    &n) &&
               n == signature.n && secret_equal(mac, signature.data, n);
}

/* JWTs have the two numbers of an ECDSA signature side by side, OpenSSL wants them in DER. */
static int ws_key_wrap_ecdsa(Text signature, unsigned char **ret_der) {
        CLEANUP(ECDSA_SIG_free) ECDSA_SIG *pair = ECDSA_SIG_new();
        const unsigned char *data = (const unsigned char *)signature.data;
        BIGNUM *r = NULL, *s = NULL;

        if (!pair || signature.n != 64)
                return -1;
        r = BN_bin2bn(data, 32, NULL);
        s = BN_bin2bn(data + 32, 32, NULL);
        if (!r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
                BN_free(r);
                BN_free(s);
                return -1;
        }
        return i2d_ECDSA_SIG(pair, ret_der);
}

static bool ws_key_verifies_public(const WsKey *key, Text text, Text signature) {
        CLEANUP(BIO_free) BIO *bio = BIO_new_mem_buf(key->data, (int)key->n_data);
        CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
        CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
        CLEANUP(ws_key_free_der) unsigned char *der = NULL;
        const unsigned char *bytes = (const unsigned char *)signature.data;
        int n = (int)signature.n;

        pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        if (!pkey || !context)
                return false;
        if (key->algorithm == WS_ALGORITHM_ES256) {
                n = ws_key_wrap_ecdsa(signature, &der);
                bytes = der;
        }
        return n > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
               EVP_DigestVerify(context,
                                bytes,
                                (size_t)n,
                                (const unsigned char *)text.data,
                                text.n) == 1;
}

bool ws_key_verifies(const WsKey *key, Text text, Text signature) {
        return key->algorithm == WS_ALGORITHM_HS256 ? ws_key_verifies_hmac(key, text, signature)
                                                    : ws_key_verifies_public(key, text, signature);
}

const WsKey *ws_keys_at(const WsKeys *keys, WsAlgorithm algorithm, size_t i) {
        for (size_t k = 0; k < keys->n_keys; ++k)
                if (keys->keys[k].algorithm == algorithm && i-- == 0)
                        return &keys->keys[k];
        return NULL;
}

const WsKey *ws_keys_first(const WsKeys *keys, WsAlgorithm algorithm) {
        return ws_keys_at(keys, algorithm, 0);
}
