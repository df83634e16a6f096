#pragma once

/*
 * Password: the forms in which a hash of a password may stand in the database, and checking one.
 *
 * Ours is scrypt; the others are those of the systems that people come from (docs/migrate/import.md
 * lists them). One table (password.c) knows them all, and what each may cost: a hash that asks for
 * more is never computed. Whatever is none of them, malformed or too dear lets nobody in.
 *
 * Any thread, never on a loop: up to a second and PASSWORD_MEMORY_MAX.
 */

#include "base/base.h"

#define PASSWORD_SIZE     160 /* text of a hash of ours, with NUL */
#define PASSWORD_TEXT_MAX 512 /* bytes of a hash of anybody's */

/* What one check may cost, each about a second of a core. */
#define PASSWORD_MEMORY_MAX       (UINT64_C(128) << 20)
#define PASSWORD_BCRYPT_COST_MAX  14
#define PASSWORD_SHA_CRYPT_MAX    1000000               /* rounds */
#define PASSWORD_PBKDF2_MAX       2000000               /* rounds */
#define PASSWORD_SCRYPT_WORK_MAX  (UINT64_C(256) << 20) /* 128 * N * r * p */
#define PASSWORD_ARGON2_WORK_MAX  (UINT64_C(512) << 20) /* memory * passes */
#define PASSWORD_ARGON2_LANES_MAX 16

enum {
        PASSWORD_E_UNKNOWN = 1, /* of no form that we know */
        PASSWORD_E_BROKEN,      /* of one, but malformed */
        PASSWORD_E_COSTLY,      /* asks for more than the bounds above */
        PASSWORD_E_ABSENT,      /* this program was built without what checks it */
};

/* scrypt (RFC 7914) as "$scrypt$ln=15,r=8,p=1$<salt>$<hash>"; about 50 ms. */
MUST_CHECK int password_hash(const char *password, char ret_text[PASSWORD_SIZE]);

/* @hash NULL (no such user) costs as much as one of ours, and is false. */
bool password_verify(const char *password, const char *hash);

/* Can it ever be checked? 0, or why not. @ret_form (NULL: not wanted): its name, "" if unknown. */
MUST_CHECK int password_look(Text hash, const char **ret_form);

/* Is it as password_hash() makes them today? What is not is hashed anew when it was right. */
bool password_is_ours(const char *hash);
/* False where the form may have looked at the beginning alone, of @password or of the one that was
 * meant: hashed anew, all of @password would count, and the one that was meant no more. */
bool password_counts_whole(const char *password, const char *hash);
