#include "ws/access/auth.h"

#include <json-c/json.h>
#include <jwt.h>
#include <math.h>
#include <openssl/err.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/name.h"
#include "base/secret.h"
#include "base/text.h"
#include "ws/access/keys.h"
#include "ws/access/token.h"

#define WS_AUTH_LEEWAY_US INT64_C(5000000)
#define WS_AUTH_SECOND_US 1000000
#define WS_AUTH_LATEST_S  253402300799.0 /* the end of the year 9999 */

/* Claims of our own tokens, beside `sub`. */
#define WS_AUTH_CLAIM_USER       "tidegate_uid"
#define WS_AUTH_CLAIM_GENERATION "tidegate_gen"
#define WS_AUTH_CLAIM_BEGAN      "auth_time"

struct WsAuth {
        bool is_allowed[WS_ALGORITHM_COUNT];
        WsKeys *keys;
        char *pepper; /* NULL: device tokens cannot be checked */
        char *issuer, *audience, *subject_claim, *anonymous; /* NULL = not set, but subject_claim */
        bool takes_names, takes_ids;                         /* as subject: auth.subject_type */
        bool query_token;
        char seal[SECRET_ID_SIZE]; /* where there is no secret of HS256 */
};

DEFINE_CLEANUP(json_object *, json_object_put);
DEFINE_CLEANUP(jwt_t *, jwt_free);

static int ws_auth_copy(const char *from, char **ret_copy) {
        char *copy;

        if (!from || !*from)
                return 0;
        copy = strdup(from);
        if (!copy)
                return err_new(-ENOMEM);
        *ret_copy = copy;
        return 0;
}

static int ws_auth_allow(WsAuth *auth, const char *algorithms) {
        Text rest = text_of(algorithms);
        Text item;

        while (text_next_item(&rest, ", \t", &item)) {
                WsAlgorithm algorithm = WS_ALGORITHM_HS256;

                if (!ws_algorithm_from_name(item, &algorithm)) {
                        log_error("auth_algorithm_unknown name=\"%.*s\" allowed=HS256,RS256,ES256",
                                  (int)item.n,
                                  item.data);
                        return WS_AUTH_E_OPTIONS;
                }
                auth->is_allowed[algorithm] = true;
        }
        return 0;
}

static int ws_auth_load_pepper(WsAuth *auth, const char *file) {
        int r;

        if (!file || !*file)
                return 0;
        r = secret_read_file(file, &auth->pepper);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                log_error("auth_pepper_unusable file=%s", file);
                return WS_AUTH_E_OPTIONS;
        }
        return 0;
}

static int ws_auth_load_keys(WsAuth *auth, const WsAuthOptions *options) {
        int r;

        r = ws_keys_new(&auth->keys);
        if (r == 0 && options->jwt_secret_file)
                r = ws_keys_load_secrets(auth->keys, options->jwt_secret_file);
        if (r == 0 && options->jwt_public_key_file)
                r = ws_keys_load_public(auth->keys, options->jwt_public_key_file);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return WS_AUTH_E_OPTIONS;

        for (size_t i = WS_ALGORITHM_RS256; i < WS_ALGORITHM_COUNT; ++i) {
                if (auth->is_allowed[i] && !ws_keys_first(auth->keys, (WsAlgorithm)i)) {
                        log_error("auth_key_missing algorithm=%s set=auth.jwt_public_key_file",
                                  ws_algorithm_name((WsAlgorithm)i));
                        return WS_AUTH_E_OPTIONS;
                }
        }
        return 0;
}

bool ws_auth_is_subject_type(const char *type) {
        return strcmp(type, "any") == 0 || strcmp(type, "name") == 0 || strcmp(type, "id") == 0;
}

static int ws_auth_take_type(WsAuth *auth, const char *type) {
        if (!type || !*type)
                type = "any";
        if (!ws_auth_is_subject_type(type)) {
                log_error("auth_subject_type_unknown type=\"%s\" allowed=any,name,id", type);
                return WS_AUTH_E_OPTIONS;
        }
        auth->takes_names = strcmp(type, "id") != 0;
        auth->takes_ids = strcmp(type, "name") != 0;
        return 0;
}

static int ws_auth_copy_options(WsAuth *auth, const WsAuthOptions *options) {
        const char *subject = options->subject_claim;
        int r;

        auth->query_token = options->query_token;
        r = ws_auth_copy(options->issuer, &auth->issuer);
        if (r == 0)
                r = ws_auth_copy(options->audience, &auth->audience);
        if (r == 0)
                r = ws_auth_copy(options->anonymous, &auth->anonymous);
        if (r == 0)
                r = ws_auth_copy(subject && *subject ? subject : "sub", &auth->subject_claim);
        if (r < 0)
                return err_up(r);
        return ws_auth_take_type(auth, options->subject_type);
}

int ws_auth_new(WsAuth **ret_auth, const WsAuthOptions *options) {
        CLEANUP(ws_auth_free) WsAuth *auth = NULL;
        int r;

        auth = calloc(1, sizeof(*auth));
        if (!auth)
                return err_new(-ENOMEM);

        r = ws_auth_copy_options(auth, options);
        if (r == 0)
                r = ws_auth_allow(auth, options->algorithms ? options->algorithms : "HS256");
        if (r == 0)
                r = ws_auth_load_keys(auth, options);
        if (r == 0)
                r = ws_auth_load_pepper(auth, options->token_pepper_file);
        if (r == 0)
                r = secret_id(auth->seal);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return WS_AUTH_E_OPTIONS;

        *ret_auth = TAKE(&auth);
        return 0;
}

WsAuth *ws_auth_free(WsAuth *auth) {
        if (!auth)
                return NULL;

        ws_keys_free(auth->keys);
        secret_free(auth->pepper);
        free(auth->issuer);
        free(auth->audience);
        free(auth->subject_claim);
        free(auth->anonymous);
        secret_wipe(auth->seal, sizeof(auth->seal));
        free(auth);
        return NULL;
}

/* A member that is a string without NUL; NULL if absent or anything else. */
static const char *ws_auth_string(const json_object *object, const char *name) {
        json_object *value = NULL;
        const char *text;

        if (!json_object_object_get_ex(object, name, &value) ||
            !json_object_is_type(value, json_type_string))
                return NULL;
        text = json_object_get_string(value);
        return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

/* The header decides nothing but which of our keys is tried: `typ`, `jku`, `jwk` and the like are
 * ignored, `crit` asks for what we do not know. */
static const char *ws_auth_check_header(const WsAuth *auth,
                                        const json_object *header,
                                        WsAlgorithm *ret_algorithm,
                                        const char **ret_kid) {
        const char *name = ws_auth_string(header, "alg");
        WsAlgorithm algorithm = WS_ALGORITHM_HS256;

        if (!name || !ws_algorithm_from_name(text_of(name), &algorithm) ||
            !auth->is_allowed[algorithm])
                return "algorithm not allowed";
        if (json_object_object_get_ex(header, "crit", NULL))
                return "critical extension";
        if (json_object_object_get_ex(header, "kid", NULL) && !ws_auth_string(header, "kid"))
                return "bad key id";

        *ret_algorithm = algorithm;
        *ret_kid = ws_auth_string(header, "kid");
        return NULL;
}

static bool ws_auth_check_signature(const WsAuth *auth,
                                    const WsToken *token,
                                    WsAlgorithm algorithm,
                                    const char *kid) {
        const Text text = ws_token_signed(token);
        char data[WS_TOKEN_MAX];
        const WsKey *key = NULL;
        Text signature = { .data = data };
        bool ok = false;

        if (!ws_token_decode(token->signature, data, &signature.n))
                return false;
        while (!ok && (key = ws_keys_next(auth->keys, algorithm, kid, key)))
                ok = ws_key_verifies(key, text, signature);
        ERR_clear_error(); /* TLS on this thread must not take ours for its own */
        return ok;
}

/* A NumericDate: a JSON number, also with a fraction; not a string. */
static bool ws_auth_date(const json_object *claims, const char *name, int64_t *ret_us) {
        json_object *value = NULL;
        double seconds;

        if (!json_object_object_get_ex(claims, name, &value) ||
            !(json_object_is_type(value, json_type_int) ||
              json_object_is_type(value, json_type_double)))
                return false;
        seconds = json_object_get_double(value);
        if (!isfinite(seconds) || seconds < 0)
                return false;

        *ret_us = (int64_t)(fmin(seconds, WS_AUTH_LATEST_S) * WS_AUTH_SECOND_US);
        return true;
}

/* `aud` is one string or an array of strings (RFC 7519, 4.1.3). */
static bool ws_auth_has_audience(const json_object *claims, const char *audience) {
        const char *single = ws_auth_string(claims, "aud");
        json_object *list = NULL;

        if (single)
                return strcmp(single, audience) == 0;
        if (!json_object_object_get_ex(claims, "aud", &list) ||
            !json_object_is_type(list, json_type_array))
                return false;

        for (size_t i = 0; i < json_object_array_length(list); ++i) {
                json_object *value = json_object_array_get_idx(list, i);

                if (json_object_is_type(value, json_type_string) &&
                    (size_t)json_object_get_string_len(value) == strlen(audience) &&
                    memcmp(json_object_get_string(value), audience, strlen(audience)) == 0)
                        return true;
        }
        return false;
}

/* A member that is a positive integer; 0 if it is absent or anything else. */
static int64_t ws_auth_number(const json_object *object, const char *name) {
        json_object *value = NULL;
        int64_t number;

        if (!json_object_object_get_ex(object, name, &value) ||
            !json_object_is_type(value, json_type_int))
                return 0;
        number = json_object_get_int64(value);
        return number > 0 && number < INT64_MAX ? number : 0;
}

/* A token of ours says whom it is for beside the subject, which then decides nothing. Half of that,
 * or anything else in its place, is not ours. */
static bool ws_auth_own_subject(const json_object *claims, WsClaims *ret_claims) {
        ret_claims->user_id = ws_auth_number(claims, WS_AUTH_CLAIM_USER);
        ret_claims->generation = ws_auth_number(claims, WS_AUTH_CLAIM_GENERATION);
        return ret_claims->user_id != 0 && ret_claims->generation != 0;
}

static bool ws_auth_is_own(const json_object *claims) {
        return json_object_object_get_ex(claims, WS_AUTH_CLAIM_USER, NULL) ||
               json_object_object_get_ex(claims, WS_AUTH_CLAIM_GENERATION, NULL);
}

static bool ws_auth_subject(const WsAuth *auth, const json_object *claims, WsClaims *ret_claims) {
        const char *text = ws_auth_string(claims, auth->subject_claim);
        int64_t id = ws_auth_number(claims, auth->subject_claim);

        if (text && (!*text || strlen(text) >= sizeof(ret_claims->subject)))
                return false;
        if (ws_auth_is_own(claims)) {
                snprintf(ret_claims->subject, sizeof(ret_claims->subject), "%s", text ? text : "");
                return ws_auth_own_subject(claims, ret_claims);
        }
        if (text && auth->takes_names) {
                memcpy(ret_claims->subject, text, strlen(text) + 1);
                return true;
        }

        if (text)
                id = name_spelt_id(text_of(text));
        if (id == 0 || !auth->takes_ids)
                return false;
        ret_claims->is_id = true;
        snprintf(ret_claims->subject, sizeof(ret_claims->subject), "%lld", (long long)id);
        return true;
}

static int ws_auth_check_claims(const WsAuth *auth,
                                const json_object *claims,
                                int64_t now_us,
                                WsClaims *ret_claims,
                                const char **ret_why) {
        const char *issuer = ws_auth_string(claims, "iss");
        int64_t not_before_us = 0;

        *ret_why = NULL;
        if (!ws_auth_date(claims, "exp", &ret_claims->expires_us))
                *ret_why = "no expiry";
        else if (json_object_object_get_ex(claims, "nbf", NULL) &&
                 !ws_auth_date(claims, "nbf", &not_before_us))
                *ret_why = "bad nbf";
        else if (not_before_us > now_us + WS_AUTH_LEEWAY_US)
                *ret_why = "not valid yet";
        else if (json_object_object_get_ex(claims, "iat", NULL) &&
                 !ws_auth_date(claims, "iat", &ret_claims->issued_us))
                *ret_why = "bad iat";
        else if (auth->issuer && (!issuer || strcmp(issuer, auth->issuer) != 0))
                *ret_why = "wrong issuer";
        else if (auth->audience && !ws_auth_has_audience(claims, auth->audience))
                *ret_why = "wrong audience";
        else if (!ws_auth_subject(auth, claims, ret_claims))
                *ret_why = "no subject";
        /* One of the future would be after every end of a token that is to come. */
        if (ret_claims->issued_us > now_us + WS_AUTH_LEEWAY_US)
                ret_claims->issued_us = 0;
        if (ret_claims->user_id == 0 ||
            !ws_auth_date(claims, WS_AUTH_CLAIM_BEGAN, &ret_claims->began_us) ||
            ret_claims->began_us > now_us + WS_AUTH_LEEWAY_US)
                ret_claims->began_us = 0;
        if (*ret_why)
                return WS_AUTH_E_INVALID;

        if (now_us >= ret_claims->expires_us) {
                *ret_why = "expired";
                return WS_AUTH_E_EXPIRED;
        }
        return 0;
}

int ws_auth_verify(const WsAuth *auth,
                   Text jwt,
                   int64_t now_us,
                   WsClaims *ret_claims,
                   const char **ret_why) {
        CLEANUP(json_object_put) json_object *header = NULL;
        CLEANUP(json_object_put) json_object *payload = NULL;
        WsAlgorithm algorithm = WS_ALGORITHM_HS256;
        WsClaims claims = { 0 };
        const char *kid = NULL;
        WsToken token;
        int r;

        *ret_why = "not a token";
        if (!ws_token_split(&token, jwt))
                return WS_AUTH_E_INVALID;
        header = ws_token_parse(token.header);
        if (!header)
                return WS_AUTH_E_INVALID;

        *ret_why = ws_auth_check_header(auth, header, &algorithm, &kid);
        if (*ret_why)
                return WS_AUTH_E_INVALID;

        *ret_why = "bad signature";
        if (!ws_auth_check_signature(auth, &token, algorithm, kid))
                return WS_AUTH_E_INVALID;

        *ret_why = "not a token";
        payload = ws_token_parse(token.payload);
        if (!payload)
                return WS_AUTH_E_INVALID;
        r = ws_auth_check_claims(auth, payload, now_us, &claims, ret_why);
        if (r == 0)
                *ret_claims = claims;
        return r;
}

/* What names no generation counts from the moment on at which the tokens before were ended; the
 * second of `iat` in which that was is not after it. */
static bool ws_auth_is_current(const WsClaims *claims, const User *user) {
        if (claims->generation != 0)
                return claims->generation == user->generation;
        return claims->issued_us >= user->tokens_from_us;
}

/* A database that was put back gives an id again, and a token of the one before names it as well.
 * It was issued before that, by a clock that may be behind ours, and in whole seconds. One that
 * does not say when it was issued is taken, as ever. */
static bool ws_auth_is_his(const WsClaims *claims, const User *user) {
        return !claims->is_id || claims->issued_us == 0 ||
               claims->issued_us + WS_AUTH_LEEWAY_US >= user->id_since_us;
}

const User *ws_auth_user(const WsClaims *claims, const Registry *registry) {
        const User *user;

        if (claims->user_id != 0)
                user = registry_user(registry, claims->user_id);
        else if (claims->is_id)
                user = registry_user(registry, strtoll(claims->subject, NULL, 10));
        else
                user = registry_user_by_name(registry, text_of(claims->subject));
        return user && user->is_active && ws_auth_is_current(claims, user) &&
                               ws_auth_is_his(claims, user)
                       ? user
                       : NULL;
}

bool ws_auth_key_token(const WsAuth *auth, Text token, uint8_t ret_hash[SECRET_HASH_SIZE]) {
        return auth->pepper && secret_token_hash(text_of(auth->pepper), token, ret_hash) == 0;
}

static const Device *ws_auth_device_by(const Registry *registry,
                                       const uint8_t hash[SECRET_HASH_SIZE],
                                       TokenForm form) {
        const Device *device = registry_device_by_token(registry, hash);

        return device && device->token_form == form &&
                               secret_equal(hash, device->token_hash, SECRET_HASH_SIZE)
                       ? device
                       : NULL;
}

/* Found by its hash. Nobody without the pepper can aim at one of ours; who aims at a SHA-256 learns
 * no more than a hash, of a token that is too long to be guessed. */
const Device *ws_auth_token_of(const WsAuth *auth, const Registry *registry, Text token) {
        uint8_t hash[SECRET_HASH_SIZE];
        const Device *device = NULL, *other = NULL;

        if (token.n == 0)
                return NULL;
        if (ws_auth_key_token(auth, token, hash))
                device = ws_auth_device_by(registry, hash, TOKEN_KEYED);
        if ((!device || !device->is_active) && secret_sha256(token, hash) == 0)
                other = ws_auth_device_by(registry, hash, TOKEN_SHA256);
        return other ? other : device;
}

const Device *ws_auth_device(const WsAuth *auth, const Registry *registry, Text token) {
        const Device *device = ws_auth_token_of(auth, registry, token);

        return device && device->is_active ? device : NULL;
}

bool ws_auth_is_anonymous(const WsAuth *auth, Text path) {
        Text rest = text_of(auth->anonymous);
        Text bare = path; /* a slash at its end makes no other path of it, here as elsewhere */
        Text item;

        if (bare.n > 1 && bare.data[bare.n - 1] == '/')
                --bare.n;
        while (text_next_item(&rest, ", \t", &item)) {
                if (item.data[item.n - 1] == '*') {
                        --item.n;
                        if (path.n >= item.n && memcmp(path.data, item.data, item.n) == 0)
                                return true;
                } else if (text_equal(item, path) || text_equal(item, bare)) {
                        return true;
                }
        }
        return false;
}

bool ws_auth_query_token(const WsAuth *auth) {
        return auth->query_token;
}

static int ws_auth_fill(const WsAuth *auth,
                        jwt_t *jwt,
                        const WsSubject *subject,
                        int64_t now_s,
                        int ttl_s) {
        int r;

        r = jwt_add_grant(jwt, "sub", subject->name);
        if (r == 0 && strcmp(auth->subject_claim, "sub") != 0)
                r = jwt_add_grant(jwt, auth->subject_claim, subject->name);
        if (r == 0 && subject->id != 0)
                r = jwt_add_grant_int(jwt, WS_AUTH_CLAIM_USER, subject->id);
        if (r == 0 && subject->id != 0)
                r = jwt_add_grant_int(jwt, WS_AUTH_CLAIM_GENERATION, subject->generation);
        if (r == 0 && subject->began_us != 0)
                r = jwt_add_grant_int(jwt,
                                      WS_AUTH_CLAIM_BEGAN,
                                      subject->began_us / WS_AUTH_SECOND_US);
        if (r == 0)
                r = jwt_add_grant_int(jwt, "iat", now_s);
        if (r == 0)
                r = jwt_add_grant_int(jwt, "exp", now_s + ttl_s);
        if (r == 0 && auth->issuer)
                r = jwt_add_grant(jwt, "iss", auth->issuer);
        if (r == 0 && auth->audience)
                r = jwt_add_grant(jwt, "aud", auth->audience);
        return r == 0 ? 0 : err_new(-ENOMEM);
}

bool ws_auth_seal(const WsAuth *auth, size_t i, Text *ret_key) {
        const WsKey *key = ws_keys_at(auth->keys, WS_ALGORITHM_HS256, i);

        if (key)
                *ret_key = (Text){ .data = key->data, .n = key->n_data };
        else
                *ret_key = text_of(auth->seal);
        return key || (i == 0 && !ws_keys_first(auth->keys, WS_ALGORITHM_HS256));
}

int ws_auth_mint(const WsAuth *auth,
                 const WsSubject *subject,
                 int64_t now_us,
                 int ttl_s,
                 char **ret_jwt) {
        CLEANUP(jwt_free) jwt_t *jwt = NULL;
        const WsKey *key = ws_keys_first(auth->keys, WS_ALGORITHM_HS256);
        char *text;
        int r;

        if (!key || !auth->is_allowed[WS_ALGORITHM_HS256])
                return WS_AUTH_E_INVALID;
        if (jwt_new(&jwt) != 0)
                return err_new(-ENOMEM);

        r = ws_auth_fill(auth, jwt, subject, now_us / WS_AUTH_SECOND_US, ttl_s);
        if (r < 0)
                return err_up(r);
        if (key->kid && jwt_add_header(jwt, "kid", key->kid) != 0)
                return err_new(-ENOMEM);
        if (jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)key->data, (int)key->n_data))
                return err_new(-ENOMEM);

        text = jwt_encode_str(jwt);
        if (!text)
                return err_new(-ENOMEM);
        *ret_jwt = text;
        return 0;
}
