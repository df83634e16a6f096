#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/stream.h"
#include "model/history_query.h"

#define WAIT_MS 20000 /* never spent where all is well */

static void test_room_is_used_up_and_granted_again(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, 2), 0);
        assert_int_equal(stream_take(stream, 0), 0);
        assert_int_equal(stream_take(stream, 0), 0);
        assert_int_equal(stream_take(stream, 0), STREAM_E_TIMEOUT);
        stream_grant(stream, 1);
        assert_int_equal(stream_take(stream, 0), 0);
        assert_int_equal(stream_take(stream, 1), STREAM_E_TIMEOUT);
}

static void *grant_later(void *stream) {
        stream_grant(stream, 1);
        stream_cancel(stream);
        return NULL;
}

static void test_who_waits_is_woken_and_a_cancel_comes_first(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;
        pthread_t thread;
        int r;

        (void)state;
        assert_int_equal(stream_new(&stream, 1), 0);
        assert_int_equal(stream_take(stream, 0), 0);
        assert_int_equal(pthread_create(&thread, NULL, grant_later, stream), 0);
        r = stream_take(stream, WAIT_MS);
        assert_true(r == 0 || r == STREAM_E_CANCELLED);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(stream_take(stream, WAIT_MS), STREAM_E_CANCELLED);
        assert_true(stream_is_cancelled(stream));
}

static void test_a_cancel_wakes_who_waits_for_something_else(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;
        struct pollfd fd = { .fd = eventfd(0, EFD_NONBLOCK), .events = POLLIN };
        eventfd_t n;

        (void)state;
        assert_true(fd.fd >= 0);
        assert_int_equal(stream_new(&stream, 1), 0);
        assert_int_equal(stream_begin(stream, fd.fd), 0);
        assert_int_equal(poll(&fd, 1, 0), 0);
        stream_cancel(stream);
        assert_int_equal(poll(&fd, 1, 0), 1);
        assert_int_equal(eventfd_read(fd.fd, &n), 0);
        stream_end(stream);
        stream_cancel(stream);
        assert_int_equal(poll(&fd, 1, 0), 0);
        assert_int_equal(stream_begin(stream, fd.fd), STREAM_E_CANCELLED);
        close(fd.fd);
}

static void test_a_break_is_seen_by_the_other_end(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;
        Stream *other;

        (void)state;
        assert_int_equal(stream_new(&stream, 1), 0);
        other = stream_ref(stream);
        assert_false(stream_is_broken(stream));
        stream_break(other);
        other = stream_unref(other);
        assert_null(other);
        assert_true(stream_is_broken(stream));
        assert_false(stream_is_cancelled(stream));
}

static void test_cursors_are_read_as_they_are_written(void **state) {
        static const char *const texts[] = {
                "0123456789abcdef:0",
                "0123456789abcdef:1760000000000001",
                "0123456789abcdef:9223372036854775807",
                "0123456789abcdef:5:1760000000000001",
                "0123456789abcdef:5:1760000000000001:7",
        };
        char text[HISTORY_CURSOR_SIZE];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                HistoryCursor cursor;

                assert_int_equal(history_cursor_parse(texts[i], &cursor), 0);
                history_cursor_format(&cursor, text);
                assert_string_equal(text, texts[i]);
        }
}

static void test_what_is_no_cursor_is_refused(void **state) {
        static const char *const texts[] = {
                "",
                "nonsense",
                "0123456789abcdef",
                "0123456789abcdef:",
                "0123456789ABCDEF:5",
                "0123456789abcde:5",
                "0123456789abcdef0:5",
                "0123456789abcdef:-5",
                "0123456789abcdef: 5",
                "0123456789abcdef:5x",
                "0123456789abcdef:9223372036854775808",
                "0123456789abcdef:5:",
                "0123456789abcdef:5:6:",
                "0123456789abcdef:5:6:7:8",
                "0123456789abcdef:5:6:99999999999",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                HistoryCursor cursor = { .seq = 42 };

                assert_int_equal(history_cursor_parse(texts[i], &cursor), HISTORY_E_CURSOR);
                assert_int_equal(cursor.seq, 42);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_room_is_used_up_and_granted_again),
                cmocka_unit_test(test_who_waits_is_woken_and_a_cancel_comes_first),
                cmocka_unit_test(test_a_cancel_wakes_who_waits_for_something_else),
                cmocka_unit_test(test_a_break_is_seen_by_the_other_end),
                cmocka_unit_test(test_cursors_are_read_as_they_are_written),
                cmocka_unit_test(test_what_is_no_cursor_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
