#pragma once

/*
 * PasswordHash: the text of a hash, taken apart. Private to base/password/.
 *
 * Pure, any thread. The readers are given what comes behind the prefix of their form, of
 * PASSWORD_TEXT_MAX bytes at most, which may be anything: NULs, numbers without end.
 */

#include "base/base.h"
#include "base/secret.h"

typedef struct PasswordHash PasswordHash;

#define PASSWORD_SALT_MAX 128
#define PASSWORD_KEY_MAX  86 /* digits of SHA-512 as crypt(3) writes them */
#define PASSWORD_KEY_MIN  16

struct PasswordHash {
        unsigned variant; /* of the form: SecretDigest, or the kind of argon2 */
        unsigned version; /* of argon2 */
        uint64_t rounds;  /* or passes, or the exponent of bcrypt */
        uint64_t memory;  /* bytes */
        uint64_t work;    /* bytes, all passes together */
        SecretScrypt scrypt;
        unsigned lanes;
        bool is_hashed_first; /* bcrypt, of the SHA-256 of the password in hex */
        char setting[128];    /* of crypt(3): "$2b$12$" and the salt, with NUL */
        uint8_t salt[PASSWORD_SALT_MAX];
        size_t n_salt;
        uint8_t key[PASSWORD_KEY_MAX];
        size_t n_key;
};

/* False: malformed. A number that is too large for us is read as the largest. */
typedef bool (*PasswordReadFn)(PasswordHash *hash, Text rest);

bool password_read_scrypt(PasswordHash *hash, Text rest);          /* ln=15,r=8,p=1$salt$key */
bool password_read_scrypt_crypt(PasswordHash *hash, Text rest);    /* CU..../....salt$key */
bool password_read_scrypt_werkzeug(PasswordHash *hash, Text rest); /* 32768:8:1$salt$key */
bool password_read_scrypt_django(PasswordHash *hash, Text rest);   /* 16384$salt$8$5$key */
bool password_read_bcrypt(PasswordHash *hash, Text rest);          /* 2b$12$... */
bool password_read_sha256_crypt(PasswordHash *hash, Text rest);    /* rounds=5000$salt$key */
bool password_read_sha512_crypt(PasswordHash *hash, Text rest);    /* the same */
bool password_read_yescrypt(PasswordHash *hash, Text rest);        /* j9T$salt$key */
bool password_read_gost_yescrypt(PasswordHash *hash, Text rest);   /* the same */
bool password_read_argon2(PasswordHash *hash, Text rest);          /* id$v=19$m=,t=,p=$salt$key */
bool password_read_pbkdf2_django(PasswordHash *hash, Text rest);   /* sha256$600000$salt$key */
bool password_read_pbkdf2_passlib(PasswordHash *hash, Text rest);  /* -sha256$29000$salt$key */
bool password_read_pbkdf2_werkzeug(PasswordHash *hash, Text rest); /* sha256:600000$salt$key */
