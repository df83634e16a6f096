#include "base/password/argon.h"

#include <argon2.h>

bool argon_is_there(void) {
        return true;
}

/* The lanes one after the other: a log-in has one thread. */
bool argon_derive(const PasswordHash *hash, Text password, uint8_t *ret_key) {
        PasswordHash copy =
                *hash; /* libargon2 takes nothing that is const, and writes none of it */
        char *bytes = strndup(password.data ? password.data : "", password.n);
        argon2_context context = {
                .out = ret_key,
                .outlen = (uint32_t)hash->n_key,
                .pwd = (uint8_t *)bytes,
                .pwdlen = (uint32_t)password.n,
                .salt = copy.salt,
                .saltlen = (uint32_t)hash->n_salt,
                .t_cost = (uint32_t)hash->rounds,
                .m_cost = (uint32_t)(hash->memory >> 10),
                .lanes = hash->lanes,
                .threads = 1,
                .version = hash->version,
                .flags = ARGON2_DEFAULT_FLAGS,
        };
        bool is_done;

        if (!bytes)
                return false;
        is_done = argon2_ctx(&context, (argon2_type)hash->variant) == ARGON2_OK;
        secret_wipe(bytes, password.n);
        free(bytes);
        return is_done;
}
