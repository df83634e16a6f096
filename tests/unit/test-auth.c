/* WsAuth: what a token must be, and what it must not get away with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "ws/access/auth.h"
#include "ws/access/keys.h"

#define NOW_S  INT64_C(1760800000)
#define NOW_US (NOW_S * 1000000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD   "{\"sub\":\"ana\",\"exp\":1760800060}"

typedef struct Fixture Fixture;

struct Fixture {
        char dir[64];
        WsAuth *auth;
        EVP_PKEY *rsa, *ec;
        char *rsa_pem; /* of the public key */
        WsClaims claims;
        const char *why;
};

static void path_of(const Fixture *f, const char *name, char path[128]) {
        snprintf(path, 128, "%s/%s", f->dir, name);
}

static void write_file(const Fixture *f, const char *name, const char *text) {
        char path[128];
        FILE *file;

        path_of(f, name, path);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        fputs(text, file);
        fclose(file);
}

static char *public_pem(EVP_PKEY *pkey) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL;
        char *copy;
        long n;

        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
        n = BIO_get_mem_data(bio, &data);
        copy = strndup(data, (size_t)n);
        BIO_free(bio);
        return copy;
}

static void base64url(const void *data, size_t n, char *ret_text) {
        int length = EVP_EncodeBlock((unsigned char *)ret_text, data, (int)n);

        for (int i = 0; i < length; ++i) {
                if (ret_text[i] == '+')
                        ret_text[i] = '-';
                if (ret_text[i] == '/')
                        ret_text[i] = '_';
        }
        ret_text[strcspn(ret_text, "=")] = '\0';
}

static void unsigned_token(const char *header, const char *payload, char *ret_token) {
        base64url(header, strlen(header), ret_token);
        strcat(ret_token, ".");
        base64url(payload, strlen(payload), ret_token + strlen(ret_token));
}

static void append_signature(char *token, const void *signature, size_t n) {
        strcat(token, ".");
        base64url(signature, n, token + strlen(token));
}

static const char *hs256(const char *header, const char *payload, const char *key, size_t n_key) {
        static char token[65536];
        unsigned char signature[EVP_MAX_MD_SIZE];
        unsigned n = 0;

        unsigned_token(header, payload, token);
        HMAC(EVP_sha256(),
             key,
             (int)n_key,
             (const unsigned char *)token,
             strlen(token),
             signature,
             &n);
        append_signature(token, signature, n);
        return token;
}

/* DER to the two raw 32-byte numbers that JWS wants. */
static void raw_signature(const unsigned char *der, size_t n_der, unsigned char raw[64]) {
        ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)n_der);

        assert_non_null(signature);
        BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
        ECDSA_SIG_free(signature);
}

static const char *asymmetric(const char *header, const char *payload, EVP_PKEY *pkey) {
        static char token[8192];
        unsigned char signature[512], raw[64];
        size_t n = sizeof(signature);
        EVP_MD_CTX *context = EVP_MD_CTX_new();

        unsigned_token(header, payload, token);
        assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey), 1);
        assert_int_equal(EVP_DigestSign(context,
                                        signature,
                                        &n,
                                        (const unsigned char *)token,
                                        strlen(token)),
                         1);
        EVP_MD_CTX_free(context);
        if (EVP_PKEY_is_a(pkey, "EC")) {
                raw_signature(signature, n, raw);
                append_signature(token, raw, sizeof(raw));
        } else {
                append_signature(token, signature, n);
        }
        return token;
}

static WsAuth *make(Fixture *f, WsAuthOptions options) {
        char secret[128], keys[256], pepper[128];
        WsAuth *auth = NULL;

        path_of(f, "secret", secret);
        path_of(f, "pepper", pepper);
        snprintf(keys, sizeof(keys), "%s/rsa.pem, second=%s/ec.pem", f->dir, f->dir);
        options.jwt_secret_file = secret;
        options.jwt_public_key_file = keys;
        options.token_pepper_file = pepper;
        assert_int_equal(ws_auth_new(&auth, &options), 0);
        return auth;
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        char *ec_pem;

        strcpy(f->dir, "/tmp/test-auth-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        f->rsa = EVP_RSA_gen(2048);
        f->ec = EVP_EC_gen("P-256");
        f->rsa_pem = public_pem(f->rsa);
        ec_pem = public_pem(f->ec);
        write_file(f, "secret", SECRET "\n");
        write_file(f, "pepper", "pepper\n");
        write_file(f, "rsa.pem", f->rsa_pem);
        write_file(f, "ec.pem", ec_pem);
        free(ec_pem);
        f->auth = make(f, (WsAuthOptions){ .algorithms = "HS256,RS256,ES256" });
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        static const char *const names[] = { "secret", "pepper", "rsa.pem", "ec.pem", "other" };
        Fixture *f = *state;
        char path[128];

        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                path_of(f, names[i], path);
                unlink(path);
        }
        rmdir(f->dir);
        ws_auth_free(f->auth);
        EVP_PKEY_free(f->rsa);
        EVP_PKEY_free(f->ec);
        free(f->rsa_pem);
        free(f);
        return 0;
}

static int verify(Fixture *f, const char *token) {
        return ws_auth_verify(f->auth, text_of(token), NOW_US, &f->claims, &f->why);
}

static int verify_claims(Fixture *f, const char *payload) {
        return verify(f, hs256(HS256, payload, SECRET, strlen(SECRET)));
}

static int verify_header(Fixture *f, const char *header) {
        return verify(f, hs256(header, GOOD, SECRET, strlen(SECRET)));
}

static void test_good_token_names_its_subject_and_expiry(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_claims(f, GOOD), 0);
        assert_string_equal(f->claims.subject, "ana");
        assert_false(f->claims.is_id);
        assert_int_equal(f->claims.expires_us, (NOW_S + 60) * 1000000);
}

static void test_minted_token_is_accepted_until_it_expires(void **state) {
        const WsSubject ana = { .name = "ana", .id = 7, .generation = 4711 };
        Fixture *f = *state;
        char *jwt = NULL;

        assert_int_equal(ws_auth_mint(f->auth, &ana, NOW_US, 60, &jwt), 0);
        assert_int_equal(verify(f, jwt), 0);
        assert_string_equal(f->claims.subject, "ana");
        assert_int_equal(f->claims.user_id, 7);
        assert_int_equal(f->claims.generation, 4711);
        assert_int_equal(ws_auth_verify(f->auth,
                                        text_of(jwt),
                                        NOW_US + 59999999,
                                        &f->claims,
                                        &f->why),
                         0);
        assert_int_equal(ws_auth_verify(f->auth,
                                        text_of(jwt),
                                        NOW_US + 60000000,
                                        &f->claims,
                                        &f->why),
                         WS_AUTH_E_EXPIRED);
        free(jwt);
}

static void test_rs256_and_es256_are_checked_with_their_own_key(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify(f, asymmetric("{\"alg\":\"RS256\"}", GOOD, f->rsa)), 0);
        assert_int_equal(verify(f,
                                asymmetric("{\"alg\":\"ES256\",\"kid\":\"second\"}", GOOD, f->ec)),
                         0);
        assert_int_equal(verify(f, asymmetric("{\"alg\":\"ES256\"}", GOOD, f->rsa)),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify(f, asymmetric("{\"alg\":\"RS256\"}", GOOD, f->ec)),
                         WS_AUTH_E_INVALID);
}

static void test_key_with_a_kid_serves_only_tokens_that_name_it(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify(f, asymmetric("{\"alg\":\"ES256\"}", GOOD, f->ec)),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify(f,
                                asymmetric("{\"alg\":\"ES256\",\"kid\":\"third\"}", GOOD, f->ec)),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify(f, asymmetric("{\"alg\":\"RS256\",\"kid\":\"any\"}", GOOD, f->rsa)),
                         0);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"kid\":7}"), WS_AUTH_E_INVALID);
}

static void test_list_of_key_files_is_taken_apart(void **state) {
        Text rest = text_of(" a=/x/one.pem ,, /y/b=2.pem,two-2= z.pem ,");
        Text kid = TEXT(""), path = TEXT("");

        (void)state;
        assert_true(ws_keys_next_file(&rest, &kid, &path));
        assert_true(text_equal(kid, TEXT("a")) && text_equal(path, TEXT("/x/one.pem")));
        assert_true(ws_keys_next_file(&rest, &kid, &path));
        assert_true(kid.n == 0 && text_equal(path, TEXT("/y/b=2.pem")));
        assert_true(ws_keys_next_file(&rest, &kid, &path));
        assert_true(text_equal(kid, TEXT("two-2")) && text_equal(path, TEXT("z.pem")));
        assert_false(ws_keys_next_file(&rest, &kid, &path));
}

static void test_none_is_refused_however_it_is_spelt(void **state) {
        static const char *const names[] = { "none", "None", "NONE", "nOnE", "" };
        Fixture *f = *state;
        char header[64], token[1024];

        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
                unsigned_token(header, GOOD, token);
                assert_int_equal(verify(f, token), WS_AUTH_E_INVALID);
                strcat(token, ".");
                assert_int_equal(verify(f, token), WS_AUTH_E_INVALID);
                assert_int_equal(verify_header(f, header), WS_AUTH_E_INVALID);
        }
        assert_int_equal(verify_header(f, "{}"), WS_AUTH_E_INVALID);
}

static void test_algorithm_is_compared_case_and_all(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\"}"), 0);
        assert_int_equal(verify_header(f, "{\"alg\":\"hs256\"}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS512\"}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256 \"}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":[\"HS256\"]}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\\u0000\"}"), WS_AUTH_E_INVALID);
}

static void test_algorithm_that_is_not_allowed_is_refused_although_there_is_a_key(void **state) {
        Fixture *f = *state;

        ws_auth_free(f->auth);
        f->auth = make(f, (WsAuthOptions){ .algorithms = "RS256" });
        assert_int_equal(verify_claims(f, GOOD), WS_AUTH_E_INVALID);
        assert_int_equal(verify(f, asymmetric("{\"alg\":\"RS256\"}", GOOD, f->rsa)), 0);
}

static void test_public_key_is_never_an_hmac_secret(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify(f, hs256(HS256, GOOD, f->rsa_pem, strlen(f->rsa_pem))),
                         WS_AUTH_E_INVALID);
        ws_auth_free(f->auth);
        f->auth = make(f, (WsAuthOptions){ .algorithms = "RS256,ES256" });
        assert_int_equal(verify(f, hs256(HS256, GOOD, f->rsa_pem, strlen(f->rsa_pem))),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify(f,
                                hs256("{\"alg\":\"RS256\"}", GOOD, f->rsa_pem, strlen(f->rsa_pem))),
                         WS_AUTH_E_INVALID);
}

static void test_wrong_key_and_touched_token_are_refused(void **state) {
        Fixture *f = *state;
        char token[1024];

        assert_int_equal(verify(f, hs256(HS256, GOOD, "another secret", 14)), WS_AUTH_E_INVALID);
        assert_int_equal(verify(f, hs256(HS256, GOOD, "", 0)), WS_AUTH_E_INVALID);

        strcpy(token, hs256(HS256, GOOD, SECRET, strlen(SECRET)));
        assert_int_equal(verify(f, token), 0);
        for (size_t i = 0; token[i]; ++i) {
                char kept = token[i];

                /* The last character of a part may hold bits that are not used. */
                if (kept == '.' || token[i + 1] == '.' || !token[i + 1])
                        continue;
                token[i] = kept == 'A' ? 'B' : 'A';
                assert_int_not_equal(verify(f, token), 0);
                token[i] = kept;
        }
}

static void test_expiry_is_required_and_a_number(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\"}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":\"1760800060\"}"),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":null}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":true}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":-1}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":1760799999}"),
                         WS_AUTH_E_EXPIRED);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":1760800000}"),
                         WS_AUTH_E_EXPIRED);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":1760800000.5}"), 0);
        assert_int_equal(f->claims.expires_us, NOW_US + 500000);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":1e300}"), 0);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":9223372036854775808}"), 0);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":99999999999999999999}"), 0);
        assert_int_equal(f->claims.expires_us, INT64_C(253402300799000000)); /* the year 9999 */
}

static void test_not_before_has_five_seconds_for_clocks_that_differ(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_claims(f,
                                       "{\"sub\":\"ana\",\"exp\":1760800060,\"nbf\":1760800004}"),
                         0);
        assert_int_equal(verify_claims(f,
                                       "{\"sub\":\"ana\",\"exp\":1760800060,\"nbf\":1760800030}"),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\",\"exp\":1760800060,\"nbf\":\"0\"}"),
                         WS_AUTH_E_INVALID);
}

static void test_issuer_and_audience_count_where_they_are_configured(void **state) {
        Fixture *f = *state;

        ws_auth_free(f->auth);
        f->auth = make(f, (WsAuthOptions){ .issuer = "us", .audience = "tidegate" });
        assert_int_equal(verify_claims(f, GOOD), WS_AUTH_E_INVALID);
#define CLAIMS(rest) "{\"sub\":\"ana\",\"exp\":1760800060," rest "}"
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"us\",\"aud\":\"tidegate\"")), 0);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"us\",\"aud\":[\"x\",\"tidegate\"]")),
                         0);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"us\",\"aud\":[\"x\"]")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"us\",\"aud\":\"tidegate2\"")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"us\",\"aud\":{\"tidegate\":1}")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":\"them\",\"aud\":\"tidegate\"")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, CLAIMS("\"iss\":1,\"aud\":\"tidegate\"")),
                         WS_AUTH_E_INVALID);
}

static void test_subject_is_a_name_or_an_integer_id(void **state) {
        Fixture *f = *state;
        char long_name[400];

        assert_int_equal(verify_claims(f, "{\"sub\":12,\"exp\":1760800060}"), 0);
        assert_true(f->claims.is_id);
        assert_string_equal(f->claims.subject, "12");
        assert_int_equal(verify_claims(f, "{\"sub\":\"12\",\"exp\":1760800060}"), 0);
        assert_false(f->claims.is_id);
        assert_int_equal(verify_claims(f, "{\"exp\":1760800060}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"\",\"exp\":1760800060}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":0,\"exp\":1760800060}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":1.5,\"exp\":1760800060}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":[\"ana\"],\"exp\":1760800060}"),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"ana\\u0000x\",\"exp\":1760800060}"),
                         WS_AUTH_E_INVALID);
        snprintf(long_name, sizeof(long_name), "{\"sub\":\"%0300d\",\"exp\":1760800060}", 0);
        assert_int_equal(verify_claims(f, long_name), WS_AUTH_E_INVALID);
}

static void test_configuration_decides_what_a_subject_is(void **state) {
        static const struct {
                const char *type, *claims;
                int r;
                bool is_id;
        } cases[] = {
                { "name", "{\"sub\":\"12\",\"exp\":1760800060}", 0, false },
                { "name", "{\"sub\":12,\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
                { "id", "{\"sub\":12,\"exp\":1760800060}", 0, true },
                { "id", "{\"sub\":\"12\",\"exp\":1760800060}", 0, true },
                { "id", "{\"sub\":\"ana\",\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
                { "id", "{\"sub\":\"012\",\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
                { "id", "{\"sub\":\"+12\",\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
                { "id", "{\"sub\":\" 12\",\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
                { "id", "{\"sub\":-1,\"exp\":1760800060}", WS_AUTH_E_INVALID, false },
        };
        Fixture *f = *state;
        WsAuth *auth = NULL;

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                ws_auth_free(f->auth);
                f->auth = make(f, (WsAuthOptions){ .subject_type = cases[i].type });
                f->claims = (WsClaims){ 0 };
                assert_int_equal(verify_claims(f, cases[i].claims), cases[i].r);
                assert_int_equal(f->claims.is_id, cases[i].is_id);
        }
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .subject_type = "both" }),
                         WS_AUTH_E_OPTIONS);
}

static void test_half_of_what_our_tokens_say_is_nothing(void **state) {
        Fixture *f = *state;

#define OWN(rest) "{\"sub\":\"ana\",\"exp\":1760800060," rest "}"
        assert_int_equal(verify_claims(f, OWN("\"tidegate_uid\":1,\"tidegate_gen\":2")), 0);
        assert_int_equal(verify_claims(f, OWN("\"tidegate_uid\":1")), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, OWN("\"tidegate_gen\":1")), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, OWN("\"tidegate_uid\":\"1\",\"tidegate_gen\":2")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, OWN("\"tidegate_uid\":1,\"tidegate_gen\":null")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, OWN("\"tidegate_uid\":0,\"tidegate_gen\":0")),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, OWN("\"iat\":\"now\"")), WS_AUTH_E_INVALID);
}

/* Who is revoked has to come with one that was issued afterwards; a date ahead is none. */
static void test_a_date_of_the_future_proves_nothing(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_claims(f, OWN("\"iat\":1760799990")), 0);
        assert_int_equal(f->claims.issued_us, (NOW_S - 10) * 1000000);
        assert_int_equal(verify_claims(f, OWN("\"iat\":1760800003")), 0); /* clocks differ */
        assert_int_equal(f->claims.issued_us, (NOW_S + 3) * 1000000);
        for (const char *ahead[] = { OWN("\"iat\":1760800060"),
                                     OWN("\"iat\":4611686018427387904"),
                                     OWN("\"iat\":1e300") },
                        **payload = ahead;
             payload < ahead + 3;
             ++payload) {
                assert_int_equal(verify_claims(f, *payload), 0);
                assert_int_equal(f->claims.issued_us, 0);
        }
}

/* An id that is given again: what names it and was issued before is for another. */
static void test_a_token_by_id_is_for_whoever_had_it_then(void **state) {
        static const struct {
                const char *claims;
                int64_t id_since_us;
                bool is_his;
        } cases[] = {
                { "{\"sub\":12,\"iat\":1760799990,\"exp\":1760800060}",
                  (NOW_S - 4) * 1000000,
                  false },
                { "{\"sub\":12,\"iat\":1760799990,\"exp\":1760800060}",
                  (NOW_S - 5) * 1000000,
                  true },
                { "{\"sub\":12,\"iat\":1760799990,\"exp\":1760800060}", 0, true },
                { "{\"sub\":12,\"iat\":1760799990,\"exp\":1760800060}", INT64_MAX, false },
                { "{\"sub\":\"cy\",\"iat\":1760799990,\"exp\":1760800060}", NOW_S * 1000000, true },
                { "{\"sub\":12,\"exp\":1760800060}", NOW_S * 1000000, true }, /* it does not say */
                { "{\"sub\":\"cy\",\"iat\":1760799990,\"exp\":1760800060,"
                  "\"tidegate_uid\":12,\"tidegate_gen\":3}",
                  NOW_S * 1000000,
                  true },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                RegistryRow row = { .table = REGISTRY_USER,
                                    .user = { .id = 12,
                                              .name = "cy",
                                              .is_active = true,
                                              .generation = 3,
                                              .id_since_us = cases[i].id_since_us } };
                RegistryDelta *delta = NULL;
                Registry *registry = NULL;
                bool narrowed;

                assert_int_equal(registry_new(&registry), 0);
                assert_int_equal(registry_delta_new(&delta, true), 0);
                assert_int_equal(registry_delta_add(delta, &row), 0);
                assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
                assert_int_equal(verify_claims(f, cases[i].claims), 0);
                assert_int_equal(ws_auth_user(&f->claims, registry) != NULL, cases[i].is_his);
                registry_delta_unref(delta);
                registry_free(registry);
        }
}

static void test_subject_claim_is_configurable(void **state) {
        Fixture *f = *state;
        char *jwt = NULL;

        ws_auth_free(f->auth);
        f->auth = make(f, (WsAuthOptions){ .subject_claim = "user" });
        assert_int_equal(verify_claims(f, GOOD), WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "{\"sub\":\"x\",\"user\":\"bo\",\"exp\":1760800060}"), 0);
        assert_string_equal(f->claims.subject, "bo");
        assert_int_equal(ws_auth_mint(f->auth, &(WsSubject){ .name = "cy" }, NOW_US, 60, &jwt), 0);
        assert_int_equal(verify(f, jwt), 0);
        assert_string_equal(f->claims.subject, "cy");
        free(jwt);
}

static void test_critical_extensions_are_refused(void **state) {
        Fixture *f = *state;

        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"crit\":[]}"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"jku\":\"http://x/\"}"), 0);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"), 0);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"typ\":7}"), 0);
}

static void test_garbage_and_giants_are_refused(void **state) {
        static const char *const tokens[] = {
                "",
                ".",
                "..",
                "...",
                "a.b.c",
                "a.b",
                " . . ",
                "e30.e30.",
                "e30.e30.e30",
                "e30=.e30=.e30=",
                "....",
                "e30.e30.e30.e30",
        };
        Fixture *f = *state;
        char huge[9000];

        for (size_t i = 0; i < N_ELEMENTS(tokens); ++i)
                assert_int_equal(verify(f, tokens[i]), WS_AUTH_E_INVALID);
        memset(huge, 'A', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = '\0';
        assert_int_equal(verify(f, huge), WS_AUTH_E_INVALID);
        huge[2000] = huge[4000] = '.';
        huge[8000] = '\0';
        assert_int_equal(verify(f, huge), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "[\"HS256\"]"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\"}x"), WS_AUTH_E_INVALID);
        assert_int_equal(verify_header(f, "{\"alg\":\"HS256\",\"a\":[[[[[[[[[[1]]]]]]]]]]}"),
                         WS_AUTH_E_INVALID);
        assert_int_equal(verify_claims(f, "\"ana\""), WS_AUTH_E_INVALID);
}

static void test_bad_options_are_an_answer(void **state) {
        Fixture *f = *state;
        WsAuth *auth = NULL;
        char path[128];

        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .algorithms = "none" }),
                         WS_AUTH_E_OPTIONS);
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .algorithms = "HS256,hs256" }),
                         WS_AUTH_E_OPTIONS);
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .algorithms = "RS256" }),
                         WS_AUTH_E_OPTIONS);
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .jwt_secret_file = "/nowhere" }),
                         WS_AUTH_E_OPTIONS);
        write_file(f, "other", "not a key\n");
        path_of(f, "other", path);
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ .jwt_public_key_file = path }),
                         WS_AUTH_E_OPTIONS);
        assert_null(auth);
}

static void test_gateway_without_secret_verifies_and_mints_nothing(void **state) {
        WsAuth *auth = NULL;
        WsClaims claims;
        const char *why;
        char *jwt = NULL;

        (void)state;
        assert_int_equal(ws_auth_new(&auth, &(WsAuthOptions){ 0 }), 0);
        assert_int_equal(ws_auth_verify(auth,
                                        text_of(hs256(HS256, GOOD, "", 0)),
                                        NOW_US,
                                        &claims,
                                        &why),
                         WS_AUTH_E_INVALID);
        assert_int_equal(ws_auth_mint(auth, &(WsSubject){ .name = "ana" }, NOW_US, 60, &jwt),
                         WS_AUTH_E_INVALID);
        ws_auth_free(auth);
}

static void put_device(Registry *registry, const Device *device) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const RegistryRow row = { .table = REGISTRY_DEVICE, .device = *device };
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
}

static void test_device_token_is_compared_by_its_hash(void **state) {
        Fixture *f = *state;
        CLEANUP(registry_free) Registry *registry = NULL;
        Device device = { .id = 1, .code = "d", .is_active = true, .has_token = true };

        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(secret_token_hash(TEXT("pepper"), TEXT("tgd_x"), device.token_hash), 0);
        put_device(registry, &device);
        assert_int_equal(ws_auth_device(f->auth, registry, TEXT("tgd_x"))->id, 1);
        assert_null(ws_auth_device(f->auth, registry, TEXT("tgd_y")));
        assert_null(ws_auth_device(f->auth, registry, TEXT("")));
        device.has_token = false;
        put_device(registry, &device);
        assert_null(ws_auth_device(f->auth, registry, TEXT("tgd_x")));
        device.has_token = true;
        device.is_active = false;
        put_device(registry, &device);
        assert_null(ws_auth_device(f->auth, registry, TEXT("tgd_x")));
}

/* And a hash that is stored is no token, whichever form it has. */
static void test_device_token_of_others_is_found_by_its_sha256(void **state) {
        Fixture *f = *state;
        CLEANUP(registry_free) Registry *registry = NULL;
        Device device = { .id = 1, .code = "d", .is_active = true, .has_token = true };

        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(secret_sha256(TEXT("their-token"), device.token_hash), 0);
        put_device(registry, &device);
        assert_null(ws_auth_device(f->auth, registry, TEXT("their-token"))); /* as one of ours */
        device.token_form = TOKEN_SHA256;
        put_device(registry, &device);
        assert_int_equal(ws_auth_device(f->auth, registry, TEXT("their-token"))->id, 1);
        assert_null(ws_auth_device(f->auth, registry, TEXT("their-tokens")));
        device.token_form = TOKEN_BCRYPT;
        put_device(registry, &device);
        assert_null(ws_auth_device(f->auth, registry, TEXT("their-token")));
        assert_int_equal(secret_token_hash(TEXT("pepper"), TEXT("t"), device.token_hash), 0);
        device.token_form = TOKEN_SHA256;
        put_device(registry, &device);
        assert_null(ws_auth_device(f->auth, registry, TEXT("t")));
}

static void test_anonymous_paths_match_whole_or_by_star(void **state) {
        Fixture *f = *state;

        assert_false(ws_auth_is_anonymous(f->auth, TEXT("/ws")));
        ws_auth_free(f->auth);
        f->auth = make(f, (WsAuthOptions){ .anonymous = "/ws, /ws/device/*,/api/ws" });
        assert_true(ws_auth_is_anonymous(f->auth, TEXT("/ws")));
        assert_true(ws_auth_is_anonymous(f->auth, TEXT("/ws/device/a")));
        assert_true(ws_auth_is_anonymous(f->auth, TEXT("/api/ws")));
        assert_false(ws_auth_is_anonymous(f->auth, TEXT("/ws/devices")));
        assert_false(ws_auth_is_anonymous(f->auth, TEXT("/api/ws/vehicle/1")));
        assert_false(ws_auth_is_anonymous(f->auth, TEXT("")));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_good_token_names_its_subject_and_expiry),
                TEST(test_minted_token_is_accepted_until_it_expires),
                TEST(test_rs256_and_es256_are_checked_with_their_own_key),
                TEST(test_key_with_a_kid_serves_only_tokens_that_name_it),
                cmocka_unit_test(test_list_of_key_files_is_taken_apart),
                TEST(test_none_is_refused_however_it_is_spelt),
                TEST(test_algorithm_is_compared_case_and_all),
                TEST(test_algorithm_that_is_not_allowed_is_refused_although_there_is_a_key),
                TEST(test_public_key_is_never_an_hmac_secret),
                TEST(test_wrong_key_and_touched_token_are_refused),
                TEST(test_expiry_is_required_and_a_number),
                TEST(test_not_before_has_five_seconds_for_clocks_that_differ),
                TEST(test_issuer_and_audience_count_where_they_are_configured),
                TEST(test_subject_is_a_name_or_an_integer_id),
                TEST(test_configuration_decides_what_a_subject_is),
                TEST(test_a_date_of_the_future_proves_nothing),
                TEST(test_a_token_by_id_is_for_whoever_had_it_then),
                TEST(test_half_of_what_our_tokens_say_is_nothing),
                TEST(test_subject_claim_is_configurable),
                TEST(test_critical_extensions_are_refused),
                TEST(test_garbage_and_giants_are_refused),
                TEST(test_bad_options_are_an_answer),
                TEST(test_gateway_without_secret_verifies_and_mints_nothing),
                TEST(test_device_token_is_compared_by_its_hash),
                TEST(test_device_token_of_others_is_found_by_its_sha256),
                TEST(test_anonymous_paths_match_whole_or_by_star),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
