#pragma once

/*
 * Bcrypt: by libxcrypt's crypt(3), as the systems do that people come from: the first 72 bytes of a
 * password count, the rest does not. Any thread.
 */

#include "base/password/reading.h"

/* @ret_key: 31 digits, as they stand in the text of a hash. */
bool bcrypt_derive(const PasswordHash *hash, Text password, uint8_t *ret_key);
