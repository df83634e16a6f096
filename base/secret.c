#include "base/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/text.h"

#define SECRET_FILE_MAX 65536

#define SECRET_MEMORY_MAX (UINT64_C(1) << 31) /* OpenSSL wants a limit; base/password/ has ours */
#define SECRET_LARGE      (UINT64_C(8) << 20) /* what OpenSSL asks for at once */
#define SECRET_HUGE_PAGE  (UINT64_C(2) << 20)

#define SECRET_TOKEN_PREFIX "tgd_"

typedef struct SecretLarge SecretLarge;

/* What one thread hashes in. */
struct SecretLarge {
        void *map, *data; /* @data begins with a huge page */
        size_t n;         /* of the map */
        bool is_used, is_kept;
};

/* ---- memory -------------------------------------------------------------------------------- */

static _Thread_local SecretLarge secret_large;

static void *secret_map(size_t n) {
        SecretLarge large = { .n = n + 2 * SECRET_HUGE_PAGE, .is_kept = secret_large.is_kept };
        uintptr_t past;

        large.map = mmap(NULL, large.n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (large.map == MAP_FAILED)
                return NULL;
        past = (uintptr_t)large.map % SECRET_HUGE_PAGE;
        large.data = (char *)large.map + (past > 0 ? SECRET_HUGE_PAGE - past : 0);
        (void)madvise(large.data, n + SECRET_HUGE_PAGE, MADV_HUGEPAGE); /* or it is slower */
        large.is_used = true;
        secret_large = large;
        return large.data;
}

static void secret_unmap(void) {
        if (secret_large.map && !secret_large.is_used) {
                MUST(munmap(secret_large.map, secret_large.n));
                secret_large = (SecretLarge){ .is_kept = secret_large.is_kept };
        }
}

/* Whoever had it has wiped it. */
static void *secret_map_again(size_t n) {
        if (secret_large.map && secret_large.n >= n + 2 * SECRET_HUGE_PAGE) {
                secret_large.is_used = true;
                return secret_large.data;
        }
        secret_unmap();
        return secret_map(n);
}

static void *secret_malloc(size_t n, const char *file, int line) {
        (void)file, (void)line;
        return n >= SECRET_LARGE && !secret_large.is_used ? secret_map_again(n) : malloc(n);
}

static void secret_release(void *data, const char *file, int line) {
        (void)file, (void)line;
        if (data && data == secret_large.data) {
                secret_large.is_used = false;
                if (!secret_large.is_kept)
                        secret_unmap();
        } else {
                free(data);
        }
}

void secret_keep_memory(bool is_kept) {
        secret_large.is_kept = is_kept;
        if (!is_kept)
                secret_unmap();
}

static void *secret_realloc(void *data, size_t n, const char *file, int line) {
        (void)file, (void)line;
        assert(!data || data != secret_large.data); /* nothing so large ever grows */
        return realloc(data, n);
}

bool secret_use_huge_pages(void) {
        return CRYPTO_set_mem_functions(secret_malloc, secret_realloc, secret_release) == 1;
}

/* ---- numbers and texts --------------------------------------------------------------------- */

int secret_random(void *ret_bytes, size_t n) {
        if (n > INT32_MAX)
                return err_new(-EINVAL);
        if (RAND_bytes(ret_bytes, (int)n) != 1)
                return err_new(-EIO);
        return 0;
}

int secret_id(char ret_id[SECRET_ID_SIZE]) {
        uint8_t bytes[16];
        int r;

        r = secret_random(bytes, sizeof(bytes));
        if (r != 0)
                return err_up(r);

        text_put_hex(ret_id, bytes, sizeof(bytes));
        return 0;
}

bool secret_equal(const void *a, const void *b, size_t n) {
        return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *data, size_t n) {
        OPENSSL_cleanse(data, n);
}

bool secret_scrypt(Text password, Text salt, const SecretScrypt *cost, uint8_t *ret_key, size_t n) {
        return EVP_PBE_scrypt(password.data ? password.data : "",
                              password.n,
                              (const unsigned char *)salt.data,
                              salt.n,
                              UINT64_C(1) << cost->log2_n,
                              cost->r,
                              cost->p,
                              SECRET_MEMORY_MAX,
                              ret_key,
                              n) == 1;
}

bool secret_pbkdf2(Text password,
                   Text salt,
                   SecretDigest digest,
                   unsigned rounds,
                   uint8_t *ret_key,
                   size_t n) {
        const EVP_MD *md = digest == SECRET_SHA1     ? EVP_sha1()
                           : digest == SECRET_SHA256 ? EVP_sha256()
                                                     : EVP_sha512();

        if (password.n > INT32_MAX || salt.n > INT32_MAX || rounds > INT32_MAX || n > INT32_MAX)
                return false;
        return PKCS5_PBKDF2_HMAC(password.data ? password.data : "",
                                 (int)password.n,
                                 (const unsigned char *)salt.data,
                                 (int)salt.n,
                                 (int)rounds,
                                 md,
                                 (int)n,
                                 ret_key) == 1;
}

int secret_token_new(char ret_token[SECRET_TOKEN_SIZE]) {
        uint8_t bytes[32];
        int r;

        r = secret_random(bytes, sizeof(bytes));
        if (r != 0)
                return err_up(r);

        memcpy(ret_token, SECRET_TOKEN_PREFIX, sizeof(SECRET_TOKEN_PREFIX));
        base64_write(BASE64_URL, bytes, sizeof(bytes), ret_token + sizeof(SECRET_TOKEN_PREFIX) - 1);
        secret_wipe(bytes, sizeof(bytes));
        return 0;
}

int secret_token_hash(Text pepper, Text token, uint8_t ret_hash[SECRET_HASH_SIZE]) {
        unsigned n = SECRET_HASH_SIZE;

        if (pepper.n > INT32_MAX)
                return err_new(-EINVAL);
        if (!HMAC(EVP_sha256(),
                  pepper.data ? pepper.data : "",
                  (int)pepper.n,
                  (const unsigned char *)token.data,
                  token.n,
                  ret_hash,
                  &n))
                return err_new(-EIO);
        return 0;
}

int secret_sha256(Text text, uint8_t ret_hash[SECRET_HASH_SIZE]) {
        if (!EVP_Digest(text.data ? text.data : "", text.n, ret_hash, NULL, EVP_sha256(), NULL))
                return err_new(-EIO);
        return 0;
}

int secret_sha256_hex(Text text, char ret_hex[SECRET_SHA256_SIZE]) {
        uint8_t hash[SECRET_HASH_SIZE];
        int r;

        r = secret_sha256(text, hash);
        if (r < 0)
                return err_up(r);
        text_put_hex(ret_hex, hash, sizeof(hash));
        return 0;
}

/* Reads all of @fd, up to one byte more than is allowed; < 0: it cannot be read. */
static ssize_t secret_read(int fd, char *text) {
        size_t n = 0;

        while (n < SECRET_FILE_MAX + 1) {
                ssize_t r = read(fd, text + n, SECRET_FILE_MAX + 1 - n);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                n += (size_t)r;
        }
        return (ssize_t)n;
}

static int secret_read_fd(int fd, char **ret_secret) {
        CLEANUP(secret_free) char *secret = NULL;
        struct stat status;
        ssize_t n;

        if (fstat(fd, &status) != 0)
                return SECRET_E_MISSING;
        if (status.st_mode & S_IRWXO)
                return SECRET_E_INVALID;

        secret = calloc(1, SECRET_FILE_MAX + 2); /* with NUL even where it is too long */
        if (!secret)
                return err_new(-ENOMEM);
        n = secret_read(fd, secret);
        if (n < 0)
                return SECRET_E_MISSING;
        if (n > SECRET_FILE_MAX || memchr(secret, '\0', (size_t)n))
                return SECRET_E_INVALID;

        if (n > 0 && secret[n - 1] == '\n')
                secret[--n] = '\0';
        if (n > 0 && secret[n - 1] == '\r')
                secret[--n] = '\0';
        if (n == 0)
                return SECRET_E_INVALID;

        *ret_secret = TAKE(&secret);
        return 0;
}

int secret_read_file(const char *path, char **ret_secret) {
        int fd, r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return SECRET_E_MISSING;
        r = secret_read_fd(fd, ret_secret);
        close(fd);
        return r < 0 ? err_up(r) : r;
}

char *secret_free(char *secret) {
        if (!secret)
                return NULL;

        secret_wipe(secret, strlen(secret));
        free(secret);
        return NULL;
}
