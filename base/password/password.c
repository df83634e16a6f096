#include "base/password/password.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/password/argon.h"
#include "base/password/bcrypt.h"
#include "base/password/reading.h"
#include "base/password/shadow.h"

#define PASSWORD_LOG2_N    15 /* 128 * N * r bytes = 32 MiB */
#define PASSWORD_R         8
#define PASSWORD_P         1
#define PASSWORD_SALT_SIZE 16
#define PASSWORD_KEY_SIZE  32

typedef struct PasswordForm PasswordForm;

struct PasswordForm {
        const char *prefix;
        const char *name;
        PasswordReadFn read;
        bool (*is_bounded)(const PasswordHash *hash);
        bool (*derive)(const PasswordHash *hash, Text password, uint8_t *ret_key);
        bool is_hashed_first; /* see PasswordHash */
};

static bool password_scrypt_is_bounded(const PasswordHash *hash) {
        return hash->memory <= PASSWORD_MEMORY_MAX && hash->work <= PASSWORD_SCRYPT_WORK_MAX;
}

static bool password_scrypt(const PasswordHash *hash, Text password, uint8_t *ret_key) {
        return secret_scrypt(password,
                             (Text){ (const char *)hash->salt, hash->n_salt },
                             &hash->scrypt,
                             ret_key,
                             hash->n_key);
}

static bool password_bcrypt_is_bounded(const PasswordHash *hash) {
        return hash->rounds <= PASSWORD_BCRYPT_COST_MAX;
}

static bool password_argon2_is_bounded(const PasswordHash *hash) {
        return hash->memory <= PASSWORD_MEMORY_MAX && hash->work <= PASSWORD_ARGON2_WORK_MAX &&
               hash->lanes <= PASSWORD_ARGON2_LANES_MAX;
}

static bool password_sha_crypt_is_bounded(const PasswordHash *hash) {
        return hash->rounds <= PASSWORD_SHA_CRYPT_MAX;
}

static bool password_yescrypt_is_bounded(const PasswordHash *hash) {
        return hash->memory <= PASSWORD_MEMORY_MAX;
}

static bool password_pbkdf2_is_bounded(const PasswordHash *hash) {
        return hash->rounds <= PASSWORD_PBKDF2_MAX;
}

static bool password_pbkdf2(const PasswordHash *hash, Text password, uint8_t *ret_key) {
        return secret_pbkdf2(password,
                             (Text){ (const char *)hash->salt, hash->n_salt },
                             (SecretDigest)hash->variant,
                             (unsigned)hash->rounds,
                             ret_key,
                             hash->n_key);
}

#define SCRYPT    password_scrypt_is_bounded, password_scrypt
#define BCRYPT    password_bcrypt_is_bounded, bcrypt_derive
#define ARGON2    password_argon2_is_bounded, argon_derive
#define SHA_CRYPT password_sha_crypt_is_bounded, shadow_derive
#define YESCRYPT  password_yescrypt_is_bounded, shadow_derive
#define PBKDF2    password_pbkdf2_is_bounded, password_pbkdf2

/* The first whose prefix it has. Ours is the first: also passlib's. */
/* clang-format off */
static const PasswordForm password_forms[] = {
        { "$scrypt$", "scrypt", password_read_scrypt, SCRYPT, false },
        { "$7$", "scrypt", password_read_scrypt_crypt, SCRYPT, false },              /* crypt(3) */
        { "scrypt:", "scrypt", password_read_scrypt_werkzeug, SCRYPT, false },
        { "scrypt$", "scrypt", password_read_scrypt_django, SCRYPT, false },
        { "$2", "bcrypt", password_read_bcrypt, BCRYPT, false },
        { "bcrypt$$", "bcrypt", password_read_bcrypt, BCRYPT, false },               /* Django */
        { "bcrypt_sha256$$", "bcrypt", password_read_bcrypt, BCRYPT, true },         /* Django */
        { "$5$", "SHA-256 of crypt", password_read_sha256_crypt, SHA_CRYPT, false },
        { "$6$", "SHA-512 of crypt", password_read_sha512_crypt, SHA_CRYPT, false },
        { "$y$", "yescrypt", password_read_yescrypt, YESCRYPT, false },
        { "$gy$", "yescrypt", password_read_gost_yescrypt, YESCRYPT, false },
        { "$argon2", "argon2", password_read_argon2, ARGON2, false },
        { "argon2$argon2", "argon2", password_read_argon2, ARGON2, false },          /* Django */
        { "pbkdf2_", "pbkdf2", password_read_pbkdf2_django, PBKDF2, false },
        { "$pbkdf2", "pbkdf2", password_read_pbkdf2_passlib, PBKDF2, false },
        { "pbkdf2:", "pbkdf2", password_read_pbkdf2_werkzeug, PBKDF2, false },
};
/* clang-format on */

static const PasswordForm *password_form(Text hash) {
        for (size_t i = 0; i < N_ELEMENTS(password_forms); ++i) {
                size_t n = strlen(password_forms[i].prefix);

                if (hash.n >= n && hash.n <= PASSWORD_TEXT_MAX &&
                    memcmp(hash.data, password_forms[i].prefix, n) == 0)
                        return &password_forms[i];
        }
        return NULL;
}

/* 0, or why it cannot be checked. */
static int password_read(Text text, const PasswordForm **ret_form, PasswordHash *ret_hash) {
        const PasswordForm *form = password_form(text);
        size_t n;

        *ret_form = form;
        if (!form)
                return PASSWORD_E_UNKNOWN;
        /* The readers of bcrypt want the "2" of "$2", which the prefix has for the others' sake. */
        n = form->read == password_read_bcrypt && *form->prefix == '$' ? 1 : strlen(form->prefix);
        *ret_hash = (PasswordHash){ .is_hashed_first = form->is_hashed_first };
        if (!form->read(ret_hash, (Text){ text.data + n, text.n - n }))
                return PASSWORD_E_BROKEN;
        if (!form->is_bounded(ret_hash))
                return PASSWORD_E_COSTLY;
        if (form->derive == argon_derive && !argon_is_there())
                return PASSWORD_E_ABSENT;
        return 0;
}

int password_hash(const char *password, char ret_text[PASSWORD_SIZE]) {
        static const SecretScrypt cost = { PASSWORD_LOG2_N, PASSWORD_R, PASSWORD_P };
        char salt_text[BASE64_SIZE(PASSWORD_SALT_SIZE)], key_text[BASE64_SIZE(PASSWORD_KEY_SIZE)];
        uint8_t salt[PASSWORD_SALT_SIZE], key[PASSWORD_KEY_SIZE];
        int r;

        r = secret_random(salt, sizeof(salt));
        if (r != 0)
                return err_up(r);
        if (!secret_scrypt(text_of(password),
                           (Text){ (const char *)salt, sizeof(salt) },
                           &cost,
                           key,
                           sizeof(key)))
                return err_new(-ENOMEM); /* 32 MiB: nothing else can fail here */

        base64_write(BASE64_PLAIN, salt, sizeof(salt), salt_text);
        base64_write(BASE64_PLAIN, key, sizeof(key), key_text);
        snprintf(ret_text,
                 PASSWORD_SIZE,
                 "$scrypt$ln=%u,r=%u,p=%u$%s$%s",
                 cost.log2_n,
                 cost.r,
                 cost.p,
                 salt_text,
                 key_text);
        return 0;
}

/* Stands in for a hash that is not there, so that its absence takes as long. */
static void password_stand_in(const PasswordForm **ret_form, PasswordHash *ret_hash) {
        *ret_form = &password_forms[0];
        *ret_hash = (PasswordHash){
                .scrypt = { PASSWORD_LOG2_N, PASSWORD_R, PASSWORD_P },
                .n_salt = PASSWORD_SALT_SIZE,
                .n_key = PASSWORD_KEY_SIZE,
        };
}

bool password_verify(const char *password, const char *text) {
        uint8_t key[PASSWORD_KEY_MAX] = { 0 };
        const PasswordForm *form = NULL;
        PasswordHash hash;
        bool is_known = text && password_read(text_of(text), &form, &hash) == 0;
        bool is_equal;

        if (!is_known)
                password_stand_in(&form, &hash);
        is_equal = form->derive(&hash, text_of(password), key) &&
                   secret_equal(key, hash.key, hash.n_key);
        secret_wipe(key, sizeof(key));
        return is_known && is_equal;
}

int password_look(Text text, const char **ret_form) {
        const PasswordForm *form;
        PasswordHash hash;
        int r;

        r = password_read(text, &form, &hash);
        if (ret_form)
                *ret_form = form ? form->name : "";
        return r;
}

bool password_is_ours(const char *text) {
        const PasswordForm *form;
        PasswordHash hash;

        return password_read(text_of(text), &form, &hash) == 0 && form == &password_forms[0] &&
               hash.scrypt.log2_n == PASSWORD_LOG2_N && hash.scrypt.r == PASSWORD_R &&
               hash.scrypt.p == PASSWORD_P && hash.n_salt == PASSWORD_SALT_SIZE &&
               hash.n_key == PASSWORD_KEY_SIZE;
}

bool password_counts_whole(const char *password, const char *text) {
        const PasswordForm *form;
        PasswordHash hash;

        return password_read(text_of(text), &form, &hash) != 0 || form->derive != bcrypt_derive ||
               hash.is_hashed_first || strlen(password) < SECRET_BCRYPT_BYTES;
}
