/* LiveKeys: what is of a gateway of the cluster is believed, and not a bit of it may be another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/live_keys.h"
#include "gateway/live/keys.h"

#define FRAME TEXT("\1what is shown")

/* With the keys of these numbers, the one to sign with first. */
static void set(LiveKeys *keys, bool must_sign, uint64_t first, uint64_t second) {
        DbLiveKeys known = { .n = second != 0 ? 2 : 1, .must_sign = must_sign };

        known.keys[0].number = first;
        memset(known.keys[0].key, (int)first, sizeof(known.keys[0].key));
        known.keys[1].number = second;
        memset(known.keys[1].key, (int)second, sizeof(known.keys[1].key));
        assert_int_equal(live_keys_set(keys, &known), 0);
}

static Text sign(const LiveKeys *keys, Buf *buf) {
        Text bytes;

        assert_int_equal(live_keys_sign(keys, FRAME, buf, &bytes), 0);
        assert_true(text_equal(live_keys_frame(bytes), FRAME));
        return bytes;
}

static void test_what_one_signs_the_other_believes(void **state) {
        CLEANUP(live_keys_free) LiveKeys *ours = NULL, *theirs = NULL;
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_int_equal(live_keys_new(&ours), 0);
        assert_int_equal(live_keys_new(&theirs), 0);
        set(ours, true, 7, 0);
        set(theirs, true, 7, 0);
        assert_int_equal(live_keys_check(theirs, sign(ours, &buf)), 0);
        set(theirs, true, 7, 8);
        assert_int_equal(live_keys_check(theirs, sign(ours, &buf)), 0);
        set(theirs, true, 8, 7); /* the next one is in use, and this one still good */
        assert_int_equal(live_keys_check(theirs, sign(ours, &buf)), 0);
        set(theirs, true, 8, 0);
        assert_int_equal(live_keys_check(theirs, sign(ours, &buf)), LIVE_KEYS_E_FORGED);
}

static void test_no_bit_of_it_may_be_another(void **state) {
        CLEANUP(live_keys_free) LiveKeys *keys = NULL;
        CLEANUP_BUF Buf buf = { 0 };
        Text bytes;

        (void)state;
        assert_int_equal(live_keys_new(&keys), 0);
        set(keys, true, 7, 0);
        bytes = sign(keys, &buf);
        for (size_t i = 0; i < bytes.n * 8; ++i) {
                buf.data[i / 8] = (char)(buf.data[i / 8] ^ 1 << i % 8);
                assert_true(live_keys_check(keys, bytes) > 0);
                buf.data[i / 8] = (char)(buf.data[i / 8] ^ 1 << i % 8);
        }
        for (size_t n = 0; n < bytes.n; ++n)
                assert_true(live_keys_check(keys, (Text){ bytes.data, n }) > 0);
        assert_int_equal(live_keys_check(keys, bytes), 0);
}

static void test_until_there_is_a_key_nothing_is_said_nor_believed(void **state) {
        CLEANUP(live_keys_free) LiveKeys *keys = NULL, *others = NULL;
        CLEANUP_BUF Buf buf = { 0 };
        Text bytes;

        (void)state;
        assert_int_equal(live_keys_new(&keys), 0);
        assert_int_equal(live_keys_new(&others), 0);
        set(others, true, 7, 0);
        assert_int_equal(live_keys_sign(keys, FRAME, &buf, &bytes), LIVE_KEYS_E_NONE);
        assert_int_equal(live_keys_check(keys, FRAME), LIVE_KEYS_E_NONE);
        assert_int_equal(live_keys_check(keys, sign(others, &buf)), LIVE_KEYS_E_NONE);
}

static void test_beside_one_of_before_frames_are_as_they_were(void **state) {
        CLEANUP(live_keys_free) LiveKeys *keys = NULL, *others = NULL;
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        assert_int_equal(live_keys_new(&keys), 0);
        assert_int_equal(live_keys_new(&others), 0);
        set(keys, false, 7, 0);
        set(others, true, 7, 0);
        assert_true(text_equal(sign(keys, &buf), FRAME));
        assert_int_equal(live_keys_check(keys, FRAME), 0);
        assert_int_equal(live_keys_check(keys, sign(others, &buf)), 0); /* it has heard first */
        set(keys, true, 7, 0);
        assert_int_equal(live_keys_check(keys, FRAME), LIVE_KEYS_E_FORGED);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_one_signs_the_other_believes),
                cmocka_unit_test(test_no_bit_of_it_may_be_another),
                cmocka_unit_test(test_until_there_is_a_key_nothing_is_said_nor_believed),
                cmocka_unit_test(test_beside_one_of_before_frames_are_as_they_were),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
