#pragma once

/*
 * Secret: random bytes, keys from passwords, device tokens, and comparing without telling.
 *
 * The one file in base that knows OpenSSL. Pure but for the random source; any thread.
 */

#include "base/base.h"

#define SECRET_BCRYPT_BYTES 72 /* of a secret bcrypt looks at no more */
#define SECRET_HASH_SIZE    32
#define SECRET_TOKEN_SIZE \
        48 /* text of a device token, with NUL: "tgd_" and 43 of base64url (256 bits) */
#define SECRET_ID_SIZE     33 /* 128 bits in hex, with NUL */
#define SECRET_SHA256_SIZE 65 /* SHA-256 in lower-case hex, with NUL */

/* Passwords are hashed in pages of 2 MiB: 32 MiB in small ones are 8,192 faults, a quarter of the
 * time. False: somebody has used OpenSSL before, and it stays as it is. First thing in main(). */
bool secret_use_huge_pages(void);

/* Does this thread keep them from one hash to the next? To be taken back when it has a rest. */
void secret_keep_memory(bool is_kept);

MUST_CHECK int secret_random(void *ret_bytes, size_t n); /* -EIO */
MUST_CHECK int secret_id(char ret_id[SECRET_ID_SIZE]);
bool secret_equal(const void *a, const void *b, size_t n); /* in time that depends on n alone */
void secret_wipe(void *data, size_t n);

typedef enum SecretDigest {
        SECRET_SHA1,
        SECRET_SHA256,
        SECRET_SHA512,
} SecretDigest;

typedef struct SecretScrypt SecretScrypt;

struct SecretScrypt {
        unsigned log2_n, r, p;
};

/* What base/password/ makes of a password. False: there is no memory for it. */
bool secret_scrypt(Text password, Text salt, const SecretScrypt *cost, uint8_t *ret_key, size_t n);
bool secret_pbkdf2(Text password,
                   Text salt,
                   SecretDigest digest,
                   unsigned rounds,
                   uint8_t *ret_key,
                   size_t n);

MUST_CHECK int secret_token_new(char ret_token[SECRET_TOKEN_SIZE]);
/* HMAC-SHA-256 with the pepper as key. */
MUST_CHECK int secret_token_hash(Text pepper, Text token, uint8_t ret_hash[SECRET_HASH_SIZE]);

MUST_CHECK int secret_sha256(Text text, uint8_t ret_hash[SECRET_HASH_SIZE]);
/* A plain digest, for names that are to look like those of BLE scanners; not for secrets. */
MUST_CHECK int secret_sha256_hex(Text text, char ret_hex[SECRET_SHA256_SIZE]);

enum {
        SECRET_E_MISSING = 1, /* no such file, or it may not be read */
        SECRET_E_INVALID, /* empty, larger than 64 KiB, with a NUL in it, or its mode lets others
                             (mode & 007) read or write it: a group may */
};

/* The content of a secret file without its final newline, as heap memory with NUL; free with
 * secret_free(). */
MUST_CHECK int secret_read_file(const char *path, char **ret_secret);
char *secret_free(char *secret); /* wipes */

DEFINE_CLEANUP(char *, secret_free);
