#pragma once

/*
 * Base64: bytes as text (RFC 4648), without padding: that which goes into URLs and tokens, and the
 * plain one of headers and password hashes.
 *
 * What is read has to be of the one alphabet alone, and of no length that no bytes have. Pure, any
 * thread.
 */

#include "base/base.h"

typedef enum Base64 {
        BASE64_PLAIN, /* '+' and '/' */
        BASE64_URL,   /* '-' and '_' */
} Base64;

#define BASE64_SIZE(n) (((n)*4 + 2) / 3 + 1) /* of the text of so many bytes, with NUL */

void base64_write(Base64 alphabet, const void *data, size_t n, char *ret_text);
bool base64_is(Base64 alphabet, Text text); /* of some bytes, or none */
/* False: it is none, or of more than @n_max bytes. */
bool base64_read(Base64 alphabet, Text text, void *ret_data, size_t n_max, size_t *ret_n);
