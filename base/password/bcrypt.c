#include "base/password/bcrypt.h"

#include <crypt.h>

enum {
        BCRYPT_SETTING = 29,
        BCRYPT_TEXT = 60,
};

/* bcrypt of the SHA-256, in hex: who does so wants all of a long password to count. */
static bool bcrypt_phrase(const PasswordHash *hash, Text password, char *ret_phrase) {
        size_t n = password.n < SECRET_BCRYPT_BYTES ? password.n : SECRET_BCRYPT_BYTES;

        if (hash->is_hashed_first)
                return secret_sha256_hex(password, ret_phrase) == 0;
        if (n > 0)
                memcpy(ret_phrase, password.data, n);
        ret_phrase[n] = '\0';
        return true;
}

bool bcrypt_derive(const PasswordHash *hash, Text password, uint8_t *ret_key) {
        struct crypt_data *data = calloc(1, sizeof(*data)); /* 32 KiB */
        char phrase[SECRET_BCRYPT_BYTES + 1];
        const char *text = NULL;

        if (!data)
                return false;
        if (bcrypt_phrase(hash, password, phrase))
                text = crypt_rn(phrase, hash->setting, data, sizeof(*data));
        if (text && strlen(text) == BCRYPT_TEXT)
                memcpy(ret_key, text + BCRYPT_SETTING, hash->n_key);
        else
                text = NULL;
        secret_wipe(phrase, sizeof(phrase));
        secret_wipe(data, sizeof(*data));
        free(data);
        return text != NULL;
}
