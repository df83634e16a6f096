#pragma once

/*
 * Argon: the one thing of libargon2 that we use; argon-none.c where it is not there. Any thread.
 */

#include "base/password/reading.h"

bool argon_is_there(void);
bool argon_derive(const PasswordHash *hash, Text password, uint8_t *ret_key);
