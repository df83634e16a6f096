/* Secret: tokens, and files that may be read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

/* A file of this content and mode; the test removes it. */
static void write_file(char path[64], const char *content, size_t n, mode_t mode) {
        FILE *file;
        int fd;

        memcpy(path, "/tmp/test-secret-XXXXXX", sizeof("/tmp/test-secret-XXXXXX"));
        fd = mkstemp(path);
        assert_true(fd >= 0);
        file = fdopen(fd, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, n, file), n);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(fclose(file), 0);
}

static int read_content(const char *content, size_t n, mode_t mode, char **ret_secret) {
        char path[64];
        int r;

        write_file(path, content, n, mode);
        r = secret_read_file(path, ret_secret);
        assert_int_equal(unlink(path), 0);
        return r;
}

static void test_tokens_are_of_full_length_and_unlike(void **state) {
        char a[SECRET_TOKEN_SIZE], b[SECRET_TOKEN_SIZE];

        (void)state;
        assert_int_equal(secret_token_new(a), 0);
        assert_int_equal(secret_token_new(b), 0);
        assert_int_equal(strlen(a), SECRET_TOKEN_SIZE - 1);
        assert_int_equal(strspn(a + 4,
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                         43);
        assert_int_equal(strncmp(a, "tgd_", 4), 0);
        assert_string_not_equal(a, b);
}

static void test_token_hash_is_hmac_sha256(void **state) {
        /* RFC 4231, test case 2 */
        static const uint8_t expected[] = {
                0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
        };
        uint8_t hash[SECRET_HASH_SIZE];

        (void)state;
        assert_int_equal(secret_token_hash(TEXT("Jefe"),
                                           TEXT("what do ya want for nothing?"),
                                           hash),
                         0);
        assert_true(secret_equal(hash, expected, sizeof(hash)));
        hash[31] ^= 1;
        assert_false(secret_equal(hash, expected, sizeof(hash)));
        assert_int_equal(secret_token_hash((Text){ 0 }, (Text){ 0 }, hash), 0);
}

static void test_ids_are_hex_and_unlike(void **state) {
        char a[SECRET_ID_SIZE], b[SECRET_ID_SIZE];

        (void)state;
        assert_int_equal(secret_id(a), 0);
        assert_int_equal(secret_id(b), 0);
        assert_int_equal(strspn(a, "0123456789abcdef"), 32);
        assert_string_not_equal(a, b);
        secret_wipe(a, sizeof(a));
        for (size_t i = 0; i < sizeof(a); ++i)
                assert_int_equal(a[i], 0);
}

static void test_file_loses_only_its_final_newline(void **state) {
        CLEANUP(secret_free) char *plain = NULL;
        CLEANUP(secret_free) char *lines = NULL;
        CLEANUP(secret_free) char *dos = NULL;

        (void)state;
        assert_int_equal(read_content("s3cret\n", 7, 0600, &plain), 0);
        assert_string_equal(plain, "s3cret");
        assert_int_equal(read_content(" a\nb \n\n", 7, 0440, &lines), 0);
        assert_string_equal(lines, " a\nb \n");
        assert_int_equal(read_content("x\r\n", 3, 0400, &dos), 0);
        assert_string_equal(dos, "x");
}

static void test_unusable_files_are_refused(void **state) {
        static char large[65537];
        char *secret = NULL;

        (void)state;
        memset(large, 'x', sizeof(large));
        assert_int_equal(secret_read_file("/nonexistent/secret", &secret), SECRET_E_MISSING);
        assert_int_equal(secret_read_file("/tmp", &secret), SECRET_E_INVALID); /* others may read */
        assert_int_equal(read_content("", 0, 0600, &secret), SECRET_E_INVALID);
        assert_int_equal(read_content("\n", 1, 0600, &secret), SECRET_E_INVALID);
        assert_int_equal(read_content("a\0b", 3, 0600, &secret), SECRET_E_INVALID);
        assert_int_equal(read_content("s", 1, 0604, &secret), SECRET_E_INVALID);
        assert_int_equal(read_content("s", 1, 0602, &secret), SECRET_E_INVALID);
        assert_int_equal(read_content(large, 65537, 0600, &secret), SECRET_E_INVALID);
        assert_null(secret);
        assert_int_equal(read_content(large, 65536, 0600, &secret), 0);
        assert_int_equal(strlen(secret), 65536);
        secret_free(secret);
}

/* Pages of this process. */
static size_t resident(void) {
        FILE *file = fopen("/proc/self/statm", "re");
        unsigned long n_all, n_resident;

        assert_non_null(file);
        assert_int_equal(fscanf(file, "%lu %lu", &n_all, &n_resident), 2);
        fclose(file);
        return n_resident;
}

#define HALF_OF_IT (size_t)(16 * 1024 / 4) /* in pages of 4 KiB */

static void test_memory_is_kept_from_one_to_the_next_and_given_back(void **state) {
        static const SecretScrypt cost = { 15, 8, 1 }, less = { 14, 8, 1 };
        uint8_t key[32], again[32];
        size_t before = resident();

        (void)state;
        assert_true(secret_scrypt(TEXT("p"), TEXT("s"), &cost, key, sizeof(key)));
        assert_true(resident() < before + HALF_OF_IT);
        secret_keep_memory(true);
        for (int i = 0; i < 3; ++i) {
                assert_true(secret_scrypt(TEXT("p"), TEXT("s"), &cost, again, sizeof(again)));
                assert_memory_equal(again, key, sizeof(key));
                assert_true(secret_scrypt(TEXT("p"), TEXT("s"), &less, again, sizeof(again)));
                assert_memory_not_equal(again, key, sizeof(key));
                assert_true(resident() > before + HALF_OF_IT);
        }
        secret_keep_memory(false);
        assert_true(resident() < before + HALF_OF_IT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tokens_are_of_full_length_and_unlike),
                cmocka_unit_test(test_token_hash_is_hmac_sha256),
                cmocka_unit_test(test_ids_are_hex_and_unlike),
                cmocka_unit_test(test_file_loses_only_its_final_newline),
                cmocka_unit_test(test_unusable_files_are_refused),
                cmocka_unit_test(test_memory_is_kept_from_one_to_the_next_and_given_back),
        };

        if (!secret_use_huge_pages())
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
