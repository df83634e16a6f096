/* Password: hashes of everybody's forms are checked as they are, and what is none lets nobody in.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "base/password/argon.h"
#include "base/password/bcrypt.h"
#include "base/password/password.h"
#include "base/password/reading.h"
#include "base/password/shadow.h"

/* hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride!!", n=16384, r=8, p=1, dklen=32) */
static const char known_hash[] = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGUhIQ$UmYyNDO/"
                                 "YRuFmsgA6JK5baM1qTJw1bFvX2are1D2OBc";

typedef struct Vector Vector;

struct Vector {
        const char *form, *password, *hash;
};

/* As their projects publish them (crypt_blowfish, libxcrypt, the reference of Argon2, Django,
 * passlib); those of Werkzeug, Django's bcrypt_sha256 and argon2d are made by Python's hashlib and
 * crypt, and by the reference's own function. */
/* clang-format off */
static const Vector vectors[] = {
        { "bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
        { "bcrypt", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a" },
        { "bcrypt", "\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e" },
        { "bcrypt", "\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e" },
        { "bcrypt", "U*U", "bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
        { "bcrypt",
          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
          "bcrypt_sha256$$2b$05$/OK.fbVrR/bpIqNJ5ianF.AYq4LymfsbegrRS1VlovUBkGSflmICS" },
        { "scrypt", "pleaseletmein", "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D" },
        { "scrypt", "pleaseletmein", "$7$06..../....SodiumChloride$ENlyo6fGw4PCcDBOFepfSZjFUnVatHzCcW55.ZGz3B0" },
        { "scrypt", "pleaseletmein", known_hash },
        { "scrypt", "password", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E" },
        { "scrypt", "l\xc3\xa8tmein", "scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==" },
        { "scrypt", "l\xc3\xa8tmein", "scrypt:32768:8:1$Xj5WqBkfxyBy1gVk$9f208d332b0bf806f27b21e58221da45d658109b939d5a2c7f9ade10b947cb27ada1d289acf584151817416814bc8d692d37a8cbd0bc3afe371a3eee3514b125" },
        { "SHA-256 of crypt", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5" },
        { "SHA-256 of crypt", "Hello world!", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA" },
        { "SHA-512 of crypt", "Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1" },
        { "SHA-512 of crypt", "a short string", "$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1" },
        { "yescrypt", "password", "$y$j9T$saltsalt$0ZRt7zd0gn9pQsq3yDeuwj9hFSoqeo/y42wyzM0m.d0" },
        { "yescrypt", "password", "$y$j75$saltsalt$eWasoMp7uF0.AeHT3DZ8Zkum32fPmPJWiMVRQdwiBb4" },
        { "yescrypt", "password", "$gy$j9T$saltsalt$kjH5.ubr06Qt4IMEai3964CVL6M0q9NKk3QsjQpqjD3" },
        { "pbkdf2", "l\xc3\xa8tmein", "pbkdf2_sha256$100000$seasalt$BNZ6eyaNc8qFTJPjrAq99hSYb73EgAdytAtdBg2Sdcc=" },
        { "pbkdf2", "password", "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ" },
        { "pbkdf2", "password", "$pbkdf2-sha512$1212$RHY0Fr3IDMSVO/RSZyb5ow$eNLfBK.eVozomMr.1gYa17k9B7KIK25NOEshvhrSX.esqY3s.FvWZViXz4KoLlQI.BzY/YTNJOiKc5gBYFYGww" },
        { "pbkdf2", "l\xc3\xa8tmein", "pbkdf2:sha256:1000$salt1234$07518ffb57e865b4710654dc8813e3a7336c79cafdb89927c6ccbce983aa7eb6" },
};

static const Vector argon2_vectors[] = {
        { "argon2", "password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc" },
        { "argon2", "password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc" },
        { "argon2", "password", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA" },
        { "argon2", "password", "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ" },
        { "argon2", "password", "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$JcTui6RIBUtJ78gE5Hi52CO+H5vS6Z9R1uxAB6OhUB8" },
        { "argon2", "password", "argon2$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc" },
};
/* clang-format on */

static void check(const Vector *vector) {
        char wrong[256];
        const char *form = NULL;

        snprintf(wrong,
                 sizeof(wrong),
                 "%.*s",
                 (int)(strlen(vector->password) - 1),
                 vector->password);
        assert_int_equal(password_look(text_of(vector->hash), &form), 0);
        assert_string_equal(form, vector->form);
        assert_true(password_verify(vector->password, vector->hash));
        assert_false(password_verify(wrong, vector->hash));
        assert_false(password_verify("", vector->hash));
        assert_false(password_is_ours(vector->hash));
}

static void test_published_vectors_verify(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(vectors); ++i)
                check(&vectors[i]);
}

/* A program without libargon2 says so, and lets nobody in. */
static void test_argon2_verifies_where_it_was_built_in(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(argon2_vectors); ++i) {
                const Vector *vector = &argon2_vectors[i];

                if (argon_is_there()) {
                        check(vector);
                } else {
                        assert_int_equal(password_look(text_of(vector->hash), NULL),
                                         PASSWORD_E_ABSENT);
                        assert_false(password_verify(vector->password, vector->hash));
                }
        }
}

/* As where they come from: who could log in with it there can here. */
static void test_of_bcrypt_the_first_72_bytes_count(void **state) {
        static const char hash[] = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
        static const char password[] =
                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        char longer[128];

        (void)state;
        snprintf(longer, sizeof(longer), "%schars after 72 are ignored", password);
        assert_true(password_verify(longer, hash));
        assert_true(password_verify(password, hash));
        assert_false(
                password_counts_whole(password, hash)); /* the one that was meant may be longer */
        assert_false(password_counts_whole(longer, hash));
        assert_true(password_counts_whole(password + 1, hash));
        longer[71] = '\0';
        assert_false(password_verify(longer, hash));
}

/* crypt(3) takes no longer one; all of it counts. */
static void test_of_what_stands_in_etc_shadow_511_bytes_may_be_typed(void **state) {
        static const char hash[] = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5";
        char long_one[513];

        (void)state;
        memset(long_one, 'x', sizeof(long_one));
        long_one[512] = '\0';
        assert_false(password_verify(long_one, hash));
        assert_true(password_counts_whole(long_one, hash));
}

static void test_ours_is_ours_and_salted(void **state) {
        char hash[PASSWORD_SIZE], again[PASSWORD_SIZE];
        const char *form = NULL;

        (void)state;
        assert_int_equal(password_hash("correct horse", hash), 0);
        assert_int_equal(password_hash("correct horse", again), 0);
        assert_int_equal(strncmp(hash, "$scrypt$ln=15,r=8,p=1$", 22), 0);
        assert_string_not_equal(hash, again);
        assert_true(password_verify("correct horse", hash));
        assert_true(password_verify("correct horse", again));
        assert_false(password_verify("correct hors", hash));
        assert_false(password_verify("", hash));
        assert_int_equal(password_look(text_of(hash), &form), 0);
        assert_string_equal(form, "scrypt");
        assert_true(password_is_ours(hash));
        assert_true(password_counts_whole("correct horse", hash));
}

static size_t n_pages_held(void) {
        FILE *file = fopen("/proc/self/statm", "r");
        size_t n_mapped = 0;

        assert_non_null(file);
        assert_int_equal(fscanf(file, "%zu", &n_mapped), 1);
        assert_int_equal(fclose(file), 0);
        return n_mapped;
}

static void *verify(void *hash) {
        return password_verify("pleaseletmein", hash) ? hash : NULL;
}

static void test_threads_hash_at_once_and_give_the_memory_back(void **state) {
        char hash[PASSWORD_SIZE];
        pthread_t threads[2];
        size_t n_before;
        void *same;

        (void)state;
        memcpy(hash, known_hash, sizeof(known_hash));
        for (size_t i = 0; i < N_ELEMENTS(threads); ++i)
                assert_int_equal(pthread_create(&threads[i], NULL, verify, hash), 0);
        for (size_t i = 0; i < N_ELEMENTS(threads); ++i) {
                assert_int_equal(pthread_join(threads[i], &same), 0);
                assert_ptr_equal(same, hash);
        }
        n_before = n_pages_held();
        for (int i = 0; i < 2; ++i)
                assert_true(password_verify("pleaseletmein", hash));
        assert_true(n_pages_held() < n_before + (16U << 20 >> 12)); /* less than one of them */
}

#define SALT "AAAAAAAAAAAAAAAAAAAAAA"
#define KEY  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HEX  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* clang-format off */
static const struct {
        int answer;
        const char *hash;
} refused[] = {
        { PASSWORD_E_UNKNOWN, "" },
        { PASSWORD_E_UNKNOWN, "plain" },
        { PASSWORD_E_UNKNOWN, "5f4dcc3b5aa765d61d8327deb882cf99" },
        { PASSWORD_E_UNKNOWN, "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/" },
        { PASSWORD_E_UNKNOWN, "!" },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$" },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$" SALT "$" },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$" SALT "$AAAA" },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$" SALT },
        { PASSWORD_E_BROKEN, "$scrypt$ln=0,r=8,p=1$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$scrypt$ln=-1,r=8,p=1$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$AAAA*AAA$" KEY },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$$" KEY },
        { PASSWORD_E_BROKEN, "$scrypt$ln=14,r=8,p=1$" SALT "$" KEY KEY KEY },
        { PASSWORD_E_COSTLY, "$scrypt$ln=99,r=8,p=1$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$scrypt$ln=18,r=8,p=1$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$scrypt$ln=14,r=8,p=17$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$scrypt$ln=14,r=99999999999999999999999999,p=1$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$7$zzzzzzzzzzzSodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D" },
        { PASSWORD_E_BROKEN, "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8z" },
        { PASSWORD_E_BROKEN, "$7$C6" },
        { PASSWORD_E_BROKEN, "scrypt:32767:8:1$salt$" HEX HEX },
        { PASSWORD_E_COSTLY, "scrypt:1048576:8:1$salt$" HEX HEX },
        { PASSWORD_E_BROKEN, "scrypt:32768:8:1$salt$" HEX HEX "0" },
        { PASSWORD_E_COSTLY, "$2b$15$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_COSTLY, "$2b$31$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_BROKEN, "$2b$99$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_BROKEN, "$2b$03$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_BROKEN, "$2x$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_BROKEN, "$2b$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBu" },
        { PASSWORD_E_BROKEN, "$2b$05$abcdefghijklmnopqrstuu5s2v8:iXieOjg/.AySBTTZIIVFJeBui" },
        { PASSWORD_E_BROKEN, "$5$salt$" KEY "A" },
        { PASSWORD_E_BROKEN, "$5$" KEY },
        { PASSWORD_E_BROKEN, "$5$saltsaltsaltsalts$" KEY },
        { PASSWORD_E_BROKEN, "$5$sa:t$" KEY },
        { PASSWORD_E_BROKEN, "$5$sa$t$" KEY },
        { PASSWORD_E_BROKEN, "$5$rounds=999$salt$" KEY },
        { PASSWORD_E_BROKEN, "$5$rounds=5e3$salt$" KEY },
        { PASSWORD_E_BROKEN, "$6$rounds=5000$" KEY KEY },
        { PASSWORD_E_COSTLY, "$5$rounds=1000001$salt$" KEY },
        { PASSWORD_E_COSTLY, "$6$rounds=999999999999999999999$salt$" KEY KEY },
        { PASSWORD_E_BROKEN, "$6$salt$" KEY },
        { PASSWORD_E_BROKEN, "$6$salt$" KEY "A:" KEY },
        { PASSWORD_E_BROKEN, "$y$j9$salt$" KEY },
        { PASSWORD_E_BROKEN, "$y$j9T$sa=t$" KEY },
        { PASSWORD_E_BROKEN, "$y$j9!$salt$" KEY },
        { PASSWORD_E_BROKEN, "$y$j9T$salts$" KEY },
        { PASSWORD_E_BROKEN, "$y$j9T$SodiumChloride$" KEY },
        { PASSWORD_E_BROKEN, "$y$j9T$" HEX HEX "$" KEY },
        { PASSWORD_E_COSTLY, "$y$jDT$salt$" KEY },
        { PASSWORD_E_COSTLY, "$y$jzz$salt$" KEY },
        { PASSWORD_E_COSTLY, "$y$j9T/.$salt$" KEY },
        { PASSWORD_E_COSTLY, "$gy$jFT$salt$" KEY },
        { PASSWORD_E_UNKNOWN, "!$6$saltstring$" KEY KEY },
        { PASSWORD_E_COSTLY, "$argon2id$v=19$m=4194304,t=3,p=4$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$argon2id$v=19$m=65536,t=4294967295,p=4$" SALT "$" KEY },
        { PASSWORD_E_COSTLY, "$argon2id$v=19$m=65536,t=1,p=64$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$argon2id$v=19$m=8,t=1,p=4$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$argon2id$v=20$m=65536,t=3,p=4$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$argon2x$v=19$m=65536,t=3,p=4$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$argon2id$v=19$t=3,m=65536,p=4$" SALT "$" KEY },
        { PASSWORD_E_BROKEN, "$argon2id$v=19$m=65536,t=3,p=4$AAAA$" KEY },
        { PASSWORD_E_COSTLY, "pbkdf2_sha256$2000001$seasalt$" KEY "=" },
        { PASSWORD_E_BROKEN, "pbkdf2_sha256$1000$seasalt$AAAAAAAAAAAAAAAAAAAAAA==" },
        { PASSWORD_E_BROKEN, "$scrypt$ln=15,r=8,p=1$" SALT "$AAAAAAAAAAAAAAAAAAAAAA" },
        { PASSWORD_E_BROKEN, "scrypt:32768:8:1$salt$" HEX },
        { PASSWORD_E_BROKEN, "pbkdf2_md5$1000$seasalt$" KEY "=" },
        { PASSWORD_E_BROKEN, "pbkdf2_sha256$0$seasalt$" KEY "=" },
        { PASSWORD_E_BROKEN, "pbkdf2_sha256$1e3$seasalt$" KEY "=" },
        { PASSWORD_E_BROKEN, "pbkdf2:sha256$salt$" HEX },
        { PASSWORD_E_BROKEN, "$pbkdf2+sha256$1000$" SALT "$" KEY },
};
/* clang-format on */

static void test_what_cannot_be_checked_is_told_and_lets_nobody_in(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(refused); ++i) {
                if (password_look(text_of(refused[i].hash), NULL) != refused[i].answer)
                        print_error("hash %zu of the table\n", i);
                assert_int_equal(password_look(text_of(refused[i].hash), NULL), refused[i].answer);
        }
        assert_false(password_verify("x", NULL));
        for (size_t i = 0; i < N_ELEMENTS(refused); i += 8) /* each of these costs a scrypt */
                assert_false(password_verify("x", refused[i].hash));
}

static void test_a_hash_is_taken_apart(void **state) {
        PasswordHash hash = { 0 };

        (void)state;
        assert_true(password_read_bcrypt(&hash, text_of(vectors[0].hash + 1)));
        assert_int_equal(hash.rounds, 5);
        assert_string_equal(hash.setting, "$2a$05$CCCCCCCCCCCCCCCCCCCCC.");
        assert_true(bcrypt_derive(&hash, TEXT("U*U"), hash.salt));
        assert_memory_equal(hash.salt, hash.key, hash.n_key);
        hash = (PasswordHash){ 0 };
        assert_true(password_read_yescrypt(
                &hash, TEXT("j9T$saltsalt$0ZRt7zd0gn9pQsq3yDeuwj9hFSoqeo/y42wyzM0m.d0")));
        assert_int_equal(hash.memory, 16 << 20);
        assert_string_equal(hash.setting, "$y$j9T$saltsalt$");
        assert_true(shadow_derive(&hash, TEXT("password"), hash.salt));
        assert_memory_equal(hash.salt, hash.key, hash.n_key);
        hash = (PasswordHash){ 0 };
        assert_true(password_read_argon2(&hash,
                                         TEXT("id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$"
                                              "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc")));
        assert_int_equal(hash.memory, 256 << 10);
        assert_int_equal(hash.work, 2 * 256 << 10);
        assert_int_equal(hash.lanes, 2);
        assert_int_equal(hash.n_salt, 8);
}

/* Every byte of every vector is each of some bytes in turn, and every length is tried: nothing is
 * read beyond the end, which the sanitizer would see, and a NUL never passes. */
static void test_damaged_hashes_are_read_safely(void **state) {
        static const char others[] = { '\0', '$', ',', '=', '9', '\xff' };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(vectors) + N_ELEMENTS(argon2_vectors); ++i) {
                Text text = text_of(i < N_ELEMENTS(vectors)
                                            ? vectors[i].hash
                                            : argon2_vectors[i - N_ELEMENTS(vectors)].hash);

                for (size_t n = 0; n <= text.n; ++n) {
                        char *copy = malloc(n > 0 ? n : 1);

                        assert_non_null(copy);
                        memcpy(copy, text.data, n);
                        (void)!password_look((Text){ copy, n }, NULL);
                        for (size_t k = 0; n > 0 && k < sizeof(others); ++k) {
                                copy[n - 1] = others[k];
                                if (password_look((Text){ copy, n }, NULL) == 0)
                                        assert_true(others[k] != '\0');
                        }
                        free(copy);
                }
        }
}

static void test_a_hash_without_end_is_none(void **state) {
        static char text[1 << 20];

        (void)state;
        memset(text, '9', sizeof(text));
        memcpy(text, "pbkdf2_sha256$", 14);
        assert_int_equal(password_look((Text){ text, sizeof(text) }, NULL), PASSWORD_E_UNKNOWN);
        assert_int_equal(password_look((Text){ text, PASSWORD_TEXT_MAX }, NULL), PASSWORD_E_BROKEN);
        assert_int_equal(password_look((Text){ 0 }, NULL), PASSWORD_E_UNKNOWN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_published_vectors_verify),
                cmocka_unit_test(test_argon2_verifies_where_it_was_built_in),
                cmocka_unit_test(test_of_bcrypt_the_first_72_bytes_count),
                cmocka_unit_test(test_of_what_stands_in_etc_shadow_511_bytes_may_be_typed),
                cmocka_unit_test(test_ours_is_ours_and_salted),
                cmocka_unit_test(test_threads_hash_at_once_and_give_the_memory_back),
                cmocka_unit_test(test_what_cannot_be_checked_is_told_and_lets_nobody_in),
                cmocka_unit_test(test_a_hash_is_taken_apart),
                cmocka_unit_test(test_damaged_hashes_are_read_safely),
                cmocka_unit_test(test_a_hash_without_end_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
