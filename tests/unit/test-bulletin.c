/* Bulletin: what was told last is what is read, whoever comes and goes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "model/bulletin.h"

#define ROUNDS 2000

static void test_the_newest_is_read(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_false(bulletin_get(BULLETIN_UNROUTED, &buf));
        assert_int_equal(bulletin_put(BULLETIN_UNROUTED, TEXT("first")), 0);
        assert_int_equal(bulletin_put(BULLETIN_UNROUTED, TEXT("second")), 0);
        assert_true(bulletin_get(BULLETIN_UNROUTED, &buf));
        assert_true(bulletin_get(BULLETIN_UNROUTED, &buf));
        assert_string_equal(buf.data, "secondsecond");
        bulletin_clear(BULLETIN_UNROUTED);
        assert_false(bulletin_get(BULLETIN_UNROUTED, &buf));
}

static void *tell(void *arg) {
        static const Text texts[] = { TEXT("aaaaaaaa"), TEXT("bb") };

        for (int i = 0; i < ROUNDS; ++i)
                assert(bulletin_put(BULLETIN_UNROUTED, texts[i % 2]) == 0);
        return arg;
}

static void test_nobody_reads_half_of_one(void **state) {
        pthread_t thread;

        (void)state;
        assert_int_equal(bulletin_put(BULLETIN_UNROUTED, TEXT("bb")), 0);
        assert_int_equal(pthread_create(&thread, NULL, tell, NULL), 0);
        for (int i = 0; i < ROUNDS; ++i) {
                CLEANUP_BUF Buf buf = { 0 };

                assert_true(bulletin_get(BULLETIN_UNROUTED, &buf));
                assert_true(text_equal(buf_text(&buf), TEXT("aaaaaaaa")) ||
                            text_equal(buf_text(&buf), TEXT("bb")));
        }
        assert_int_equal(pthread_join(thread, NULL), 0);
        bulletin_clear(BULLETIN_UNROUTED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_newest_is_read),
                cmocka_unit_test(test_nobody_reads_half_of_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
