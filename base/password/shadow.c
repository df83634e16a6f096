#include "base/password/shadow.h"

#include <crypt.h>
#include <stdio.h>

bool shadow_derive(const PasswordHash *hash, Text password, uint8_t *ret_key) {
        struct crypt_data *data = calloc(1, sizeof(*data)); /* 32 KiB */
        size_t n_setting = strlen(hash->setting);
        char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
        const char *text = NULL;

        if (!data)
                return false;
        if (password.n < sizeof(phrase)) {
                snprintf(phrase, sizeof(phrase), "%.*s", (int)password.n, password.data);
                text = crypt_rn(phrase, hash->setting, data, sizeof(*data));
        }
        if (text && strncmp(text, hash->setting, n_setting) == 0 &&
            strlen(text) == n_setting + hash->n_key)
                memcpy(ret_key, text + n_setting, hash->n_key);
        else
                text = NULL;
        secret_wipe(phrase, sizeof(phrase));
        secret_wipe(data, sizeof(*data));
        free(data);
        return text != NULL;
}
