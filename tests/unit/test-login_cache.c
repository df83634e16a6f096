/* LoginCache: whose password was right needs no scrypt, and nobody else gains by it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/password/password.h"
#include "gateway/read/login_cache.h"
#include "model/metrics.h"

#define TTL_S  60
#define TTL_US (TTL_S * INT64_C(1000000))

static char hash[PASSWORD_SIZE], other_hash[PASSWORD_SIZE]; /* both of "right" */

static int make_hashes(void **state) {
        (void)state;
        return password_hash("right", hash) == 0 && password_hash("right", other_hash) == 0 ? 0
                                                                                            : -1;
}

static LoginCache *new_cache(size_t capacity) {
        LoginCache *cache = NULL;

        assert_int_equal(login_cache_new(&cache, capacity, TTL_S), 0);
        return cache;
}

/* That the password is right, and that it took no scrypt to know. */
static bool is_cached(LoginCache *cache, int64_t id, const char *text, int64_t now_us) {
        int64_t n = metric_get(METRIC_LOGIN_CACHED);

        assert_true(login_cache_verify(cache, id, "right", text, now_us));
        return metric_get(METRIC_LOGIN_CACHED) == n + 1;
}

static void test_a_right_password_is_hashed_once(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(is_cached(cache, 1, hash, 0));
        assert_true(is_cached(cache, 1, hash, 1));
        assert_true(is_cached(cache, 1, hash, TTL_US - 1));
        login_cache_free(cache);
}

/* An hour after the scrypt, not after the last use. */
static void test_it_ends_however_often_it_was_used(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(is_cached(cache, 1, hash, 0));
        assert_true(is_cached(cache, 1, hash, TTL_US - 1));
        assert_false(is_cached(cache, 1, hash, TTL_US));
        assert_true(is_cached(cache, 1, hash, TTL_US + 1));
        login_cache_free(cache);
}

static void test_a_wrong_password_is_never_right(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(login_cache_verify(cache, 1, "wrong", hash, 0));
        assert_false(login_cache_verify(cache, 1, "wrong", hash, 1));
        assert_false(is_cached(cache, 1, hash, 2));
        assert_false(login_cache_verify(cache, 1, "wrong", hash, 3));
        assert_false(login_cache_verify(cache, 1, "", hash, 3));
        assert_true(is_cached(cache, 1, hash, 4)); /* a wrong one does not take its place */
        login_cache_free(cache);
}

/* Also where the new password is the old one: its salt is another. */
static void test_a_stored_hash_that_changed_is_another(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(is_cached(cache, 1, hash, 0));
        assert_false(is_cached(cache, 1, other_hash, 1));
        assert_true(is_cached(cache, 1, other_hash, 2));
        assert_false(login_cache_verify(cache, 1, "right", "", 3));
        assert_false(login_cache_verify(cache, 1, "right", NULL, 3));
        login_cache_free(cache);
}

static void test_users_of_one_slot_take_turns(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(is_cached(cache, 1, hash, 0));
        assert_false(is_cached(cache, 2, hash, 0)); /* the same hash does not make him the first */
        assert_false(is_cached(cache, 5, hash, 0));
        assert_true(is_cached(cache, 2, hash, 1));
        assert_true(is_cached(cache, 5, hash, 1));
        assert_false(is_cached(cache, 1, hash, 1));
        login_cache_free(cache);
}

/* Checked against somebody's hash, so that it takes as long; and nothing of it is kept. */
static void test_who_is_nobody_is_never_right(void **state) {
        LoginCache *cache = new_cache(4);

        (void)state;
        assert_false(login_cache_verify(cache, 0, "right", hash, 0));
        assert_false(login_cache_verify(cache, 0, "right", hash, 1));
        login_cache_free(cache);
}

static void test_without_places_nothing_is_kept(void **state) {
        LoginCache *cache = new_cache(0);

        (void)state;
        assert_false(is_cached(cache, 1, hash, 0));
        assert_false(is_cached(cache, 1, hash, 1));
        assert_false(login_cache_verify(cache, 1, "wrong", hash, 2));
        login_cache_free(cache);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_right_password_is_hashed_once),
                cmocka_unit_test(test_it_ends_however_often_it_was_used),
                cmocka_unit_test(test_a_wrong_password_is_never_right),
                cmocka_unit_test(test_a_stored_hash_that_changed_is_another),
                cmocka_unit_test(test_users_of_one_slot_take_turns),
                cmocka_unit_test(test_who_is_nobody_is_never_right),
                cmocka_unit_test(test_without_places_nothing_is_kept),
        };

        return cmocka_run_group_tests(tests, make_hashes, NULL);
}
