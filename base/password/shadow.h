#pragma once

/*
 * Shadow: by libxcrypt's crypt(3), the forms that stand in /etc/shadow: SHA-256, SHA-512, yescrypt
 * and its variant of GOST. A password of more than 511 bytes has none. Any thread.
 */

#include "base/password/reading.h"

/* @ret_key: 43 or 86 digits, as they stand in the text of a hash. */
bool shadow_derive(const PasswordHash *hash, Text password, uint8_t *ret_key);
