/*
 * WsAuth: any token. Without our signature none is good; with it, the claims decide: an input of
 * `!header\nclaims` is signed here, of `=` with ES256, of `~` with RS256. `@` and lines are options
 * (algorithms, type of the subject, files of secrets, of public keys, anonymous paths), in which
 * `$` is the folder of the keys; `#` is a file of public keys.
 */

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "model/registry.h"
#include "tests/fuzz/fuzz.h"
#include "ws/access/auth.h"

#define SECRET    "0123456789abcdef0123456789abcdef"
#define NOW_US    INT64_C(1760800000000000)
#define MAX_TOKEN 4096
#define N_AUTHS   3
#define MAX_LINES 5

static struct {
        char dir[64];
        EVP_PKEY *rsa, *ec;
        WsAuth *auths[N_AUTHS]; /* by anybody; of one issuer, ids only; with every algorithm */
        Registry *registry;
} shared;

/* ---- keys and who is there ---- */

static void path_of(const char *name, char ret_path[128]) {
        snprintf(ret_path, 128, "%s/%s", shared.dir, name);
}

static void put(const char *name, const void *data, size_t n, mode_t mode) {
        char path[128];
        FILE *file;

        path_of(name, path);
        file = fopen(path, "wb");
        FUZZ_CHECK(file && fwrite(data, 1, n, file) == n);
        FUZZ_CHECK(fclose(file) == 0 && chmod(path, mode) == 0);
}

static void put_key(const char *name, EVP_PKEY *pkey) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data = NULL;
        long n;

        FUZZ_CHECK(bio && pkey && PEM_write_bio_PUBKEY(bio, pkey) == 1);
        n = BIO_get_mem_data(bio, &data);
        put(name, data, (size_t)n, 0644);
        BIO_free(bio);
}

static void remove_all(void) {
        static const char *const names[] = { "secret", "open", "rsa", "ec", "p384", "given" };
        char path[128];

        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                path_of(names[i], path);
                unlink(path);
        }
        rmdir(shared.dir);
        for (size_t i = 0; i < N_AUTHS; ++i)
                ws_auth_free(shared.auths[i]);
        registry_free(shared.registry);
        EVP_PKEY_free(shared.rsa);
        EVP_PKEY_free(shared.ec);
}

static void make_auths(void) {
        char secret[128], public[512];
        WsAuthOptions options[N_AUTHS] = {
                { .algorithms = "HS256" },
                { .algorithms = "HS256",
                  .issuer = "x",
                  .audience = "a",
                  .subject_claim = "uid",
                  .subject_type = "id" },
                { .algorithms = "HS256, RS256,ES256", .subject_type = "name" },
        };

        path_of("secret", secret);
        snprintf(public,
                 sizeof(public),
                 "one=%s/rsa, %s/rsa, %s/ec",
                 shared.dir,
                 shared.dir,
                 shared.dir);
        for (size_t i = 0; i < N_AUTHS; ++i) {
                options[i].jwt_secret_file = secret;
                options[i].token_pepper_file = secret;
                options[i].jwt_public_key_file = public;
                FUZZ_CHECK(ws_auth_new(&shared.auths[i], &options[i]) == 0);
        }
}

static void add_users(void) {
        static const struct {
                const char *name;
                int64_t id, generation, tokens_from_us;
        } users[] = { { "ana", 1, 1, 0 }, { "7", 2, 3, NOW_US }, { "bob", 7, 1, INT64_MAX } };
        RegistryDelta *delta = NULL;
        bool narrowed;

        FUZZ_CHECK(registry_new(&shared.registry) == 0 && registry_delta_new(&delta, true) == 0);
        for (size_t i = 0; i < N_ELEMENTS(users); ++i) {
                RegistryRow row = { .table = REGISTRY_USER,
                                    .user = { .id = users[i].id,
                                              .name = users[i].name,
                                              .role = ROLE_USER,
                                              .is_active = true,
                                              .generation = users[i].generation,
                                              .tokens_from_us = users[i].tokens_from_us } };

                FUZZ_CHECK(registry_delta_add(delta, &row) == 0);
        }
        FUZZ_CHECK(registry_apply(shared.registry, delta, &narrowed) == 0);
        registry_delta_unref(delta);
}

static void shared_init(void) {
        EVP_PKEY *other = EVP_EC_gen("P-384");

        log_set_level((LogLevel)-1);
        snprintf(shared.dir, sizeof(shared.dir), "/tmp/tidegate-fuzz-jwt-XXXXXX");
        FUZZ_CHECK(mkdtemp(shared.dir));
        atexit(remove_all);
        shared.rsa = EVP_RSA_gen(2048);
        shared.ec = EVP_EC_gen("P-256");
        put("secret", SECRET, strlen(SECRET), 0600);
        put("open", SECRET, strlen(SECRET), 0644);
        put_key("rsa", shared.rsa);
        put_key("ec", shared.ec);
        put_key("p384", other);
        EVP_PKEY_free(other);
        make_auths();
        add_users();
}

/* ---- tokens ---- */

static char url_digit(unsigned char c) {
        if (c == '+')
                return '-';
        return (char)(c == '/' ? '_' : c);
}

static void append_base64url(Buf *buf, const void *data, size_t n) {
        unsigned char text[2 * MAX_TOKEN + 8];
        int length = EVP_EncodeBlock(text, data, (int)n);

        for (int i = 0; i < length && text[i] != '='; ++i)
                buf_append_char(buf, url_digit(text[i]));
}

static size_t sign_hmac(const Buf *token, unsigned char *ret_bytes) {
        unsigned n = EVP_MAX_MD_SIZE;

        FUZZ_CHECK(HMAC(EVP_sha256(),
                        SECRET,
                        strlen(SECRET),
                        (const unsigned char *)token->data,
                        token->n,
                        ret_bytes,
                        &n));
        return n;
}

static size_t sign_public(const Buf *token, EVP_PKEY *pkey, unsigned char *ret_bytes) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        const unsigned char *der = ret_bytes;
        ECDSA_SIG *pair;
        size_t n = 512;

        FUZZ_CHECK(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey) == 1);
        FUZZ_CHECK(EVP_DigestSign(context,
                                  ret_bytes,
                                  &n,
                                  (const unsigned char *)token->data,
                                  token->n) == 1);
        EVP_MD_CTX_free(context);
        if (pkey == shared.rsa)
                return n;
        pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
        FUZZ_CHECK(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_bytes, 32) == 32);
        FUZZ_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_bytes + 32, 32) == 32);
        ECDSA_SIG_free(pair);
        return 64;
}

static void sign(Buf *token, char how, const char *data, size_t n) {
        const char *line = n > 0 ? memchr(data, '\n', n) : NULL;
        size_t n_header = line ? (size_t)(line - data) : n;
        unsigned char bytes[512];

        append_base64url(token, data, n_header);
        buf_append_char(token, '.');
        if (line)
                append_base64url(token, line + 1, n - n_header - 1);
        if (how == '!')
                n = sign_hmac(token, bytes);
        else
                n = sign_public(token, how == '=' ? shared.ec : shared.rsa, bytes);
        buf_append_char(token, '.');
        append_base64url(token, bytes, n);
}

/* A token of ours for him, whatever his name is, says the same again. */
static void check_minted(const WsClaims *claims) {
        const WsSubject subject = { .name = claims->subject,
                                    .id = claims->user_id,
                                    .generation = claims->generation,
                                    .began_us = claims->began_us };
        WsClaims again;
        const char *why;
        char *jwt = NULL;

        FUZZ_CHECK(ws_auth_mint(shared.auths[0], &subject, NOW_US, 60, &jwt) == 0);
        if (ws_auth_verify(shared.auths[0], text_of(jwt), NOW_US, &again, &why) == 0) {
                FUZZ_CHECK(strcmp(again.subject, claims->subject) == 0);
                FUZZ_CHECK(again.user_id == claims->user_id);
        }
        free(jwt);
}

static void check_token(const WsAuth *auth, Text jwt, bool is_signed) {
        WsClaims claims = { .expires_us = 0 };
        const char *why = NULL;
        const User *user;

        if (ws_auth_verify(auth, jwt, NOW_US, &claims, &why) != 0)
                return;
        FUZZ_CHECK(is_signed);
        FUZZ_CHECK(claims.expires_us > NOW_US);
        FUZZ_CHECK(strlen(claims.subject) < 256 && (claims.subject[0] || claims.user_id != 0));
        user = ws_auth_user(&claims, shared.registry);
        if (user)
                FUZZ_CHECK(user->tokens_from_us < INT64_MAX || claims.generation != 0);
        check_minted(&claims);
}

/* ---- options ---- */

static void expand(Buf *out, Text text) {
        for (size_t i = 0; i < text.n; ++i)
                if (text.data[i] == '$')
                        buf_append_string(out, shared.dir);
                else
                        buf_append_char(out, text.data[i]);
        buf_append_char(out, '\0');
}

static void check_options(Text text) {
        const char *lines[MAX_LINES] = { "", "", "", "", "" };
        CLEANUP_BUF Buf copy = { 0 };
        WsAuth *auth = NULL;
        size_t n_lines = 0;
        char *rest;

        expand(&copy, text);
        FUZZ_CHECK(!buf_failed(&copy));
        for (rest = copy.data; rest && n_lines < MAX_LINES;)
                lines[n_lines++] = strsep(&rest, "\n");
        if (strstr(lines[2], "/dev") || strstr(lines[3], "/dev")) /* it would be waited for */
                return;
        if (ws_auth_new(&auth,
                        &(WsAuthOptions){ .algorithms = lines[0],
                                          .subject_type = lines[1],
                                          .jwt_secret_file = lines[2],
                                          .jwt_public_key_file = lines[3],
                                          .token_pepper_file = "",
                                          .anonymous = lines[4] }) == 0)
                FUZZ_CHECK(!*lines[1] || ws_auth_is_subject_type(lines[1]));
        if (auth)
                (void)ws_auth_is_anonymous(auth, TEXT("/api/ws"));
        ws_auth_free(auth);
}

static void check_keys(Text text) {
        WsAuth *auth = NULL;
        char path[128];

        put("given", text.data, text.n, 0600);
        path_of("given", path);
        if (ws_auth_new(&auth,
                        &(WsAuthOptions){ .algorithms = "RS256", .jwt_public_key_file = path }) ==
            0)
                FUZZ_CHECK(auth);
        ws_auth_free(auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        CLEANUP_BUF Buf token = { 0 };
        Text rest = { (const char *)data + 1, n > 0 ? n - 1 : 0 };
        bool is_signed = n > 0 && data[0] && strchr("!=~", data[0]);

        if (n > MAX_TOKEN)
                return 0;
        if (!shared.registry)
                shared_init();
        if (n > 0 && data[0] == '@')
                check_options(rest);
        if (n > 0 && data[0] == '#')
                check_keys(rest);
        if (is_signed)
                sign(&token, (char)data[0], rest.data, rest.n);
        else
                buf_append(&token, data, n);
        for (size_t i = 0; i < N_AUTHS; ++i)
                check_token(shared.auths[i], buf_text(&token), is_signed);
        (void)ws_auth_device(shared.auths[0], shared.registry, buf_text(&token));
        return 0;
}
