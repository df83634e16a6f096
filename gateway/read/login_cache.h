#pragma once

/*
 * LoginCache: who has proven his password in this hour needs no scrypt to log in again.
 *
 * An entry is HMAC-SHA-256 of the stored hash and the password, under a key that was drawn when
 * the cache was made: no password can be read from it, and none tried without this process. A
 * password that does not match costs its scrypt as ever, so guessing gets no faster, and one that
 * was changed matches no more, as its stored hash is another. Whether the user may log in at all is
 * the database's to say, each time. An entry ends its @ttl_s after the scrypt, however often it
 * was used; two users whose ids are the same modulo @capacity take turns. Any thread.
 */

#include "base/base.h"

typedef struct LoginCache LoginCache;

MUST_CHECK int login_cache_new(LoginCache **ret_cache,
                               size_t capacity, /* users; 0: nothing is kept */
                               int64_t ttl_s);
LoginCache *login_cache_free(LoginCache *cache); /* wipes */

/* As password_verify(), of the user @id at @now_us (monotonic); keeps what was right. @id 0: it is
 * nobody's, whatever @hash costs. */
bool login_cache_verify(LoginCache *cache,
                        int64_t id,
                        const char *password,
                        const char *hash, /* NULL: there is no such user */
                        int64_t now_us);

DEFINE_CLEANUP(LoginCache *, login_cache_free);
