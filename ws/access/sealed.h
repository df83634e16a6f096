#pragma once

/*
 * WsSealed: numbers as a text that only we can make, and whoever has our key can read.
 *
 * Under a MAC (HMAC-SHA-256 with a key of WsAuth), so that nothing has to be remembered of them.
 * What they stand for is @purpose, which the MAC is of as well: what is sealed for one is none of
 * another. Pure; any thread.
 */

#include "base/base.h"
#include "base/base64.h"
#include "base/secret.h"
#include "ws/access/auth.h"

#define WS_SEALED_NUMBERS 8
/* A version, the numbers of 8 bytes each, big-endian, and the MAC. */
#define WS_SEALED_BYTES(n) (1 + (n)*8 + SECRET_HASH_SIZE)
#define WS_SEALED_SIZE(n)  BASE64_SIZE(WS_SEALED_BYTES(n))

MUST_CHECK int ws_sealed_make(const WsAuth *auth,
                              const char *purpose,
                              const int64_t numbers[],
                              size_t n,
                              char *ret_text);
/* WS_AUTH_E_INVALID: none of ours, or its key is not in use any more. */
MUST_CHECK int ws_sealed_open(const WsAuth *auth,
                              const char *purpose,
                              Text text,
                              int64_t ret_numbers[],
                              size_t n);
