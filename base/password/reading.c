#include "base/password/reading.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/text.h"

#define READING_LOG2_MAX 32 /* of a number that is a power of two */

/* ---- pieces ------------------------------------------------------------------------------- */

/* Everything up to @end, which is taken as well; false: there is none. */
static bool reading_until(Text *rest, char end, Text *ret_piece) {
        const char *at = rest->n > 0 ? memchr(rest->data, end, rest->n) : NULL;

        if (!at)
                return false;
        *ret_piece = (Text){ rest->data, (size_t)(at - rest->data) };
        *rest = (Text){ at + 1, rest->n - ret_piece->n - 1 };
        return true;
}

static bool reading_skip(Text *rest, Text prefix) {
        if (rest->n < prefix.n || memcmp(rest->data, prefix.data, prefix.n) != 0)
                return false;
        *rest = (Text){ rest->data + prefix.n, rest->n - prefix.n };
        return true;
}

/* Of digits alone, at least 1; one that is too large is the largest. */
static bool reading_number(Text text, uint64_t *ret_number) {
        uint64_t number = 0;

        if (text.n == 0 || *text.data == '0')
                return false;
        for (size_t i = 0; i < text.n; ++i) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                number =
                        number > UINT32_MAX ? number : number * 10 + (uint64_t)(text.data[i] - '0');
        }
        *ret_number = number < UINT32_MAX ? number : UINT32_MAX;
        return true;
}

/* "m=65536" */
static bool reading_named(Text text, Text name, uint64_t *ret_number) {
        return reading_skip(&text, name) && reading_number(text, ret_number);
}

/* As long as the form makes it: the beginning of a key of scrypt or PBKDF2 is a key as well, which
 * is easier to meet. */
static bool reading_is_key(const PasswordHash *hash, size_t n_key) {
        return hash->n_key == n_key && hash->n_salt > 0;
}

/* Base64 of the plain alphabet, with or without padding; passlib has '.' for '+' in some forms. */
static bool reading_base64(Text text, uint8_t *ret_bytes, size_t n_max, size_t *ret_n) {
        char plain[256];

        for (int i = 0; i < 2 && text.n > 0 && text.data[text.n - 1] == '='; ++i)
                --text.n;
        if (text.n >= sizeof(plain))
                return false;
        for (size_t i = 0; i < text.n; ++i) {
                plain[i] = text.data[i];
                if (plain[i] == '.')
                        plain[i] = '+';
        }
        return base64_read(BASE64_PLAIN, (Text){ plain, text.n }, ret_bytes, n_max, ret_n);
}

static bool reading_hex(Text text, uint8_t *ret_bytes, size_t n_max, size_t *ret_n) {
        if (text.n % 2 != 0 || text.n / 2 > n_max)
                return false;
        for (size_t i = 0; i < text.n / 2; ++i) {
                int high = text_hex_digit(text.data[2 * i]);
                int low = text_hex_digit(text.data[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret_bytes[i] = (uint8_t)(high << 4 | low);
        }
        *ret_n = text.n / 2;
        return true;
}

/* A salt that is used as the text that it is. */
static bool reading_salt_text(PasswordHash *hash, Text text) {
        if (text.n > sizeof(hash->salt) || (text.n > 0 && memchr(text.data, '\0', text.n)))
                return false;
        if (text.n > 0)
                memcpy(hash->salt, text.data, text.n);
        hash->n_salt = text.n;
        return true;
}

/* "./0-9A-Za-z"; -1: it is none. */
static int reading_crypt_digit(char c) {
        if (c == '.' || c == '/')
                return c - '.';
        if (c >= '0' && c <= '9')
                return c - '0' + 2;
        if (c >= 'A' && c <= 'Z')
                return c - 'A' + 12;
        return c >= 'a' && c <= 'z' ? c - 'a' + 38 : -1;
}

/* The digits of crypt(3), six bits each, the lowest first. */
static bool reading_crypt_number(Text *rest, size_t n_digits, uint64_t *ret_number) {
        uint64_t number = 0;

        if (rest->n < n_digits)
                return false;
        for (size_t i = 0; i < n_digits; ++i) {
                int digit = reading_crypt_digit(rest->data[i]);

                if (digit < 0)
                        return false;
                number |= (uint64_t)digit << 6 * i;
        }
        *rest = (Text){ rest->data + n_digits, rest->n - n_digits };
        *ret_number = number;
        return true;
}

/* Three bytes of four digits, and what is left at the end. */
static bool reading_crypt_bytes(Text text, uint8_t *ret_bytes, size_t n_bytes) {
        size_t n = 0;

        while (n < n_bytes) {
                size_t n_here = n_bytes - n < 3 ? n_bytes - n : 3;
                uint64_t bits;

                if (!reading_crypt_number(&text, n_here + 1, &bits) || bits >> 8 * n_here != 0)
                        return false;
                for (size_t i = 0; i < n_here; ++i)
                        ret_bytes[n++] = (uint8_t)(bits >> 8 * i & 0xff);
        }
        return text.n == 0;
}

/* ---- scrypt ------------------------------------------------------------------------------- */

/* 0 for what is none: that is no exponent. */
static unsigned reading_log2(uint64_t number) {
        unsigned log2 = 0;

        while (number > 1 && number % 2 == 0 && log2 < READING_LOG2_MAX) {
                number /= 2;
                ++log2;
        }
        return number == 1 ? log2 : 0;
}

static bool reading_scrypt_cost(PasswordHash *hash, uint64_t log2_n, uint64_t r, uint64_t p) {
        if (log2_n == 0 || r == 0 || p == 0)
                return false;
        if (log2_n > READING_LOG2_MAX || r > UINT16_MAX || p > UINT16_MAX) {
                hash->memory = hash->work = UINT64_MAX;
                return true;
        }
        hash->scrypt = (SecretScrypt){ (unsigned)log2_n, (unsigned)r, (unsigned)p };
        hash->memory = (UINT64_C(128) << log2_n) * r;
        hash->work = hash->memory * p;
        return true;
}

bool password_read_scrypt(PasswordHash *hash, Text rest) {
        Text log2_n_text, r_text, p_text, salt;
        uint64_t log2_n, r, p;

        return reading_until(&rest, ',', &log2_n_text) && reading_until(&rest, ',', &r_text) &&
               reading_until(&rest, '$', &p_text) && reading_until(&rest, '$', &salt) &&
               reading_named(log2_n_text, TEXT("ln="), &log2_n) &&
               reading_named(r_text, TEXT("r="), &r) && reading_named(p_text, TEXT("p="), &p) &&
               reading_scrypt_cost(hash, log2_n, r, p) &&
               reading_base64(salt, hash->salt, sizeof(hash->salt), &hash->n_salt) &&
               reading_base64(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_is_key(hash, 32);
}

bool password_read_scrypt_crypt(PasswordHash *hash, Text rest) {
        uint64_t log2_n, r, p;
        Text salt;

        if (!reading_crypt_number(&rest, 1, &log2_n) || !reading_crypt_number(&rest, 5, &r) ||
            !reading_crypt_number(&rest, 5, &p) || !reading_until(&rest, '$', &salt) ||
            !reading_scrypt_cost(hash, log2_n, r, p) || !reading_salt_text(hash, salt))
                return false;
        hash->n_key = 32;
        return reading_crypt_bytes(rest, hash->key, hash->n_key) && reading_is_key(hash, 32);
}

bool password_read_scrypt_werkzeug(PasswordHash *hash, Text rest) {
        Text n_text, r_text, p_text, salt;
        uint64_t n, r, p;

        return reading_until(&rest, ':', &n_text) && reading_until(&rest, ':', &r_text) &&
               reading_until(&rest, '$', &p_text) && reading_until(&rest, '$', &salt) &&
               reading_number(n_text, &n) && reading_number(r_text, &r) &&
               reading_number(p_text, &p) && reading_scrypt_cost(hash, reading_log2(n), r, p) &&
               reading_salt_text(hash, salt) &&
               reading_hex(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_is_key(hash, 64);
}

bool password_read_scrypt_django(PasswordHash *hash, Text rest) {
        Text n_text, salt, r_text, p_text;
        uint64_t n, r, p;

        return reading_until(&rest, '$', &n_text) && reading_until(&rest, '$', &salt) &&
               reading_until(&rest, '$', &r_text) && reading_until(&rest, '$', &p_text) &&
               reading_number(n_text, &n) && reading_number(r_text, &r) &&
               reading_number(p_text, &p) && reading_scrypt_cost(hash, reading_log2(n), r, p) &&
               reading_salt_text(hash, salt) &&
               reading_base64(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_is_key(hash, 64);
}

/* ---- bcrypt ------------------------------------------------------------------------------- */

enum {
        READING_BCRYPT_SETTING = 29, /* "$2b$12$" and 22 digits of the salt */
        READING_BCRYPT_KEY = 31,     /* digits of its own alphabet, compared as they stand */
};

static bool reading_is_bcrypt(Text variant) {
        return text_equal(variant, TEXT("2a")) || text_equal(variant, TEXT("2b")) ||
               text_equal(variant, TEXT("2y"));
}

bool password_read_bcrypt(PasswordHash *hash, Text rest) {
        Text variant, cost, digits = rest;

        if (!reading_until(&digits, '$', &variant) || !reading_until(&digits, '$', &cost) ||
            !reading_is_bcrypt(variant) || cost.n != 2 || digits.n != 22 + READING_BCRYPT_KEY)
                return false;
        for (size_t i = 0; i < digits.n; ++i)
                if (reading_crypt_digit(digits.data[i]) < 0)
                        return false;
        for (size_t i = 0; i < cost.n; ++i)
                if (cost.data[i] < '0' || cost.data[i] > '9')
                        return false;
        hash->rounds = (uint64_t)(cost.data[0] - '0') * 10 + (uint64_t)(cost.data[1] - '0');
        if (hash->rounds < 4 || hash->rounds > 31)
                return false;

        hash->setting[0] = '$';
        memcpy(hash->setting + 1, rest.data, READING_BCRYPT_SETTING - 1);
        hash->n_key = READING_BCRYPT_KEY;
        memcpy(hash->key, rest.data + READING_BCRYPT_SETTING - 1, hash->n_key);
        return true;
}

/* ---- /etc/shadow ------------------------------------------------------------------------- */

enum {
        READING_SHA256_KEY = 43, /* digits, compared as they stand */
        READING_SHA512_KEY = 86,
        READING_YESCRYPT_KEY = 43,
        READING_SHA_SALT = 16,
        READING_SHA_ROUNDS_MIN = 1000,
        READING_YESCRYPT_DIGIT = 47, /* the largest that is a number by itself */
};

/* What crypt(3) takes for a setting. */
static bool reading_is_setting(Text text) {
        for (size_t i = 0; i < text.n; ++i)
                if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("!*:;\\", text.data[i]))
                        return false;
        return true;
}

/* "$6$", what is between, and the key behind the last '$'. */
static bool reading_shadow(PasswordHash *hash, const char *prefix, Text *rest, size_t n_key) {
        Text key;

        if (rest->n < n_key + 1 || rest->data[rest->n - n_key - 1] != '$')
                return false;
        key = (Text){ rest->data + rest->n - n_key, n_key };
        rest->n -= n_key + 1;
        for (size_t i = 0; i < n_key; ++i)
                if (reading_crypt_digit(key.data[i]) < 0)
                        return false;
        if (!reading_is_setting(*rest) || strlen(prefix) + rest->n + 2 > sizeof(hash->setting))
                return false;
        snprintf(hash->setting, sizeof(hash->setting), "%s%.*s$", prefix, (int)rest->n, rest->data);
        memcpy(hash->key, key.data, n_key);
        hash->n_key = n_key;
        return true;
}

static bool reading_sha_crypt(PasswordHash *hash, const char *prefix, Text rest, size_t n_key) {
        Text rounds;

        hash->rounds = 5000;
        if (!reading_shadow(hash, prefix, &rest, n_key))
                return false;
        if (reading_skip(&rest, TEXT("rounds=")) &&
            (!reading_until(&rest, '$', &rounds) || !reading_number(rounds, &hash->rounds)))
                return false;
        return hash->rounds >= READING_SHA_ROUNDS_MIN && rest.n <= READING_SHA_SALT &&
               (rest.n == 0 || !memchr(rest.data, '$', rest.n));
}

bool password_read_sha256_crypt(PasswordHash *hash, Text rest) {
        return reading_sha_crypt(hash, "$5$", rest, READING_SHA256_KEY);
}

bool password_read_sha512_crypt(PasswordHash *hash, Text rest) {
        return reading_sha_crypt(hash, "$6$", rest, READING_SHA512_KEY);
}

/* Bytes of up to four digits each three: a digit alone is none, nor are bits behind the last byte.
 */
static bool reading_is_crypt_salt(Text salt) {
        uint8_t bytes[64];
        size_t n = salt.n / 4 * 3 + (salt.n % 4 > 0 ? salt.n % 4 - 1 : 0);

        return salt.n % 4 != 1 && n <= sizeof(bytes) && reading_crypt_bytes(salt, bytes, n);
}

/* Of the parameters the three that each has, a digit each: the flavour, N and r. What has more of
 * them, or larger ones, is nothing that crypt_gensalt() makes. */
static bool reading_yescrypt(PasswordHash *hash, const char *prefix, Text rest) {
        Text parameters;
        int log2_n, r;

        if (!reading_shadow(hash, prefix, &rest, READING_YESCRYPT_KEY) ||
            !reading_until(&rest, '$', &parameters) || parameters.n < 3)
                return false;
        for (size_t i = 0; i < parameters.n; ++i)
                if (reading_crypt_digit(parameters.data[i]) < 0)
                        return false;
        if (!reading_is_crypt_salt(rest))
                return false;
        log2_n = reading_crypt_digit(parameters.data[1]);
        r = reading_crypt_digit(parameters.data[2]);
        if (parameters.n > 3 || reading_crypt_digit(parameters.data[0]) > READING_YESCRYPT_DIGIT ||
            log2_n > READING_YESCRYPT_DIGIT || r > READING_YESCRYPT_DIGIT)
                hash->memory = UINT64_MAX;
        else
                hash->memory = (UINT64_C(128) << (log2_n + 1)) * (uint64_t)(r + 1);
        return true;
}

bool password_read_yescrypt(PasswordHash *hash, Text rest) {
        return reading_yescrypt(hash, "$y$", rest);
}

bool password_read_gost_yescrypt(PasswordHash *hash, Text rest) {
        return reading_yescrypt(hash, "$gy$", rest);
}

/* ---- argon2 ------------------------------------------------------------------------------- */

bool password_read_argon2(PasswordHash *hash, Text rest) {
        static const char *const kinds[] = { "d", "i", "id" }; /* as Argon2_type counts them */
        Text kind, piece, passes_text, lanes_text, salt;
        uint64_t version = 16, memory, lanes; /* 16: before there was a version in the text */
        bool is_known = false;

        if (!reading_until(&rest, '$', &kind) || !reading_until(&rest, '$', &piece))
                return false;
        for (unsigned i = 0; i < N_ELEMENTS(kinds); ++i)
                if (text_equal(kind, text_of(kinds[i]))) {
                        hash->variant = i;
                        is_known = true;
                }
        if (piece.n > 0 && *piece.data == 'v' &&
            (!reading_named(piece, TEXT("v="), &version) || !reading_until(&rest, '$', &piece)))
                return false;
        if (!is_known || (version != 16 && version != 19) || !reading_until(&rest, '$', &salt))
                return false;

        lanes_text = piece;
        if (!reading_until(&lanes_text, ',', &piece) ||
            !reading_until(&lanes_text, ',', &passes_text) ||
            !reading_named(piece, TEXT("m="), &memory) ||
            !reading_named(passes_text, TEXT("t="), &hash->rounds) ||
            !reading_named(lanes_text, TEXT("p="), &lanes) || memory < 8 * lanes)
                return false;
        hash->version = (unsigned)version;
        hash->lanes = (unsigned)lanes;
        hash->memory = memory << 10;
        hash->work = hash->memory * (hash->rounds < UINT16_MAX ? hash->rounds : UINT16_MAX);
        return reading_base64(salt, hash->salt, sizeof(hash->salt), &hash->n_salt) &&
               reading_base64(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               hash->n_salt >= 8 && hash->n_key >= PASSWORD_KEY_MIN;
}

/* ---- PBKDF2 ------------------------------------------------------------------------------- */

static bool reading_digest(PasswordHash *hash, Text name) {
        static const struct {
                const char *name;
                SecretDigest digest;
        } digests[] = {
                { "sha1", SECRET_SHA1 },
                { "sha256", SECRET_SHA256 },
                { "sha512", SECRET_SHA512 },
        };

        for (size_t i = 0; i < N_ELEMENTS(digests); ++i)
                if (text_equal(name, text_of(digests[i].name))) {
                        hash->variant = digests[i].digest;
                        return true;
                }
        return false;
}

static bool reading_pbkdf2_cost(PasswordHash *hash, Text rounds) {
        static const size_t n_key[] = {
                [SECRET_SHA1] = 20, [SECRET_SHA256] = 32, [SECRET_SHA512] = 64
        };

        return reading_is_key(hash, n_key[hash->variant]) && reading_number(rounds, &hash->rounds);
}

bool password_read_pbkdf2_django(PasswordHash *hash, Text rest) {
        Text digest, rounds, salt;

        return reading_until(&rest, '$', &digest) && reading_until(&rest, '$', &rounds) &&
               reading_until(&rest, '$', &salt) && reading_digest(hash, digest) &&
               reading_salt_text(hash, salt) &&
               reading_base64(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_pbkdf2_cost(hash, rounds);
}

bool password_read_pbkdf2_passlib(PasswordHash *hash, Text rest) {
        Text digest, rounds, salt;

        if (!reading_until(&rest, '$', &digest) || !reading_until(&rest, '$', &rounds) ||
            !reading_until(&rest, '$', &salt))
                return false;
        if (digest.n == 0)
                digest = TEXT("sha1");
        else if (!reading_skip(&digest, TEXT("-")))
                return false;
        return reading_digest(hash, digest) &&
               reading_base64(salt, hash->salt, sizeof(hash->salt), &hash->n_salt) &&
               reading_base64(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_pbkdf2_cost(hash, rounds);
}

bool password_read_pbkdf2_werkzeug(PasswordHash *hash, Text rest) {
        Text digest, rounds, salt;

        return reading_until(&rest, ':', &digest) && reading_until(&rest, '$', &rounds) &&
               reading_until(&rest, '$', &salt) && reading_digest(hash, digest) &&
               reading_salt_text(hash, salt) &&
               reading_hex(rest, hash->key, sizeof(hash->key), &hash->n_key) &&
               reading_pbkdf2_cost(hash, rounds);
}
