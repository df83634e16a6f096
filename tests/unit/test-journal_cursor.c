/* JournalCursor: whoever reads gets each message once and in order, from segment to segment, goes
 * on where he was without a search, and never at a place that is gone. */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_cursor.h"
#include "model/inbound.h"

enum { BYTES = SEGMENT_MIN_BYTES, N_SEGMENTS = 4 };

static char path[64];
static int dir_fd;
static Segment *segments[N_SEGMENTS];
static size_t n_segments;
static JournalCursor cursor;

static int set_up(void **state) {
        (void)state;
        strcpy(path, "/tmp/tidegate-cursor-XXXXXX");
        assert_non_null(mkdtemp(path));
        dir_fd = open(path, O_RDONLY | O_DIRECTORY);
        assert_true(dir_fd >= 0);
        n_segments = 0;
        journal_cursor_forget(&cursor);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        for (size_t i = 0; i < n_segments; ++i) {
                segment_unlink_file(segments[i]);
                segments[i] = segment_unref(segments[i]);
        }
        close(dir_fd);
        return rmdir(path);
}

static void begin(uint64_t first_seq) {
        const SegmentIdentity identity = { .epoch = 1, .salt = 2 };
        const SegmentSpec spec = { .index = n_segments + 1, .first_seq = first_seq, .size = BYTES };

        assert_true(n_segments < N_SEGMENTS);
        assert_int_equal(segment_create(&segments[n_segments], dir_fd, &identity, &spec), 0);
        if (n_segments > 0)
                segment_link(segments[n_segments - 1], segments[n_segments]);
        ++n_segments;
}

static void put(SegmentRecord record) {
        Segment *segment = segments[n_segments - 1];
        const SegmentBody body = { 0 };

        segment_append(segment, &record, segment_body_crc(segment->seed, &body), &body);
}

static void put_messages(uint64_t from, uint64_t n) {
        put((SegmentRecord){ .seq = from, .flags = SEGMENT_SEVERAL, .n_messages = n });
}

static void put_message(uint64_t seq) {
        put((SegmentRecord){ .seq = seq });
}

static void put_mark(uint64_t seq) {
        put((SegmentRecord){ .type = SEGMENT_SESSION, .seq = seq });
}

/* Two segments: 10, 12 to 14 in one record; 20, and marks between. */
static void make_two(void) {
        begin(10);
        put_message(10);
        put_mark(11);
        put_messages(12, 3);
        put((SegmentRecord){ .type = SEGMENT_TAKEN, .seq = 15 });
        begin(20);
        put_mark(19);
        put_message(20);
}

static JournalPlace place_behind(uint64_t seq) {
        return journal_cursor_find(&cursor, segments[0], seq);
}

static void assert_next(JournalPlace *place, uint64_t seq) {
        assert_non_null(journal_place_next(place));
        assert_int_equal(place->seq, seq);
}

static void test_each_message_comes_once_and_in_order(void **state) {
        static const uint64_t seqs[] = { 10, 12, 13, 14, 20 };
        JournalPlace place;

        (void)state;
        make_two();
        place = place_behind(0);
        for (size_t i = 0; i < N_ELEMENTS(seqs); ++i)
                assert_next(&place, seqs[i]);
        assert_null(journal_place_next(&place));
        assert_int_equal(place.seq, 20);
}

static void test_who_asks_for_all_records_gets_those_of_no_message_as_well(void **state) {
        static const uint64_t seqs[] = { 10, 11, 12, 13, 14, 15, 19, 20 };
        JournalPlace place;

        (void)state;
        make_two();
        place = place_behind(0);
        for (size_t i = 0; i < N_ELEMENTS(seqs); ++i) {
                assert_non_null(journal_place_next_any(&place));
                assert_int_equal(place.seq, seqs[i]);
        }
        assert_null(journal_place_next_any(&place));
}

/* From any number, whether it has a message, is between two of one record, or was never given. */
static void test_a_place_is_behind_any_number(void **state) {
        static const uint64_t next[] = {
                [9] = 10,  [10] = 12, [11] = 12, [12] = 13, [13] = 14,
                [14] = 20, [15] = 20, [16] = 20, [19] = 20,
        };

        (void)state;
        make_two();
        for (uint64_t seq = 0; seq < N_ELEMENTS(next); ++seq) {
                JournalPlace place = place_behind(seq);

                if (next[seq] != 0)
                        assert_next(&place, next[seq]);
        }
        for (uint64_t seq = 20; seq < 23; ++seq) {
                JournalPlace place = place_behind(seq);

                assert_null(journal_place_next(&place));
                assert_int_equal(place.seq, seq);
        }
}

/* The journal grows while it is read. */
static void test_who_is_at_the_end_goes_on_with_what_comes(void **state) {
        JournalPlace place = journal_cursor_find(&cursor, NULL, 0);

        (void)state;
        assert_null(place.segment);
        assert_null(journal_place_next(&place)); /* nothing is there */
        begin(10);
        place = place_behind(0);
        assert_null(journal_place_next(&place));
        put_message(10);
        assert_next(&place, 10);
        assert_null(journal_place_next(&place));
        begin(20); /* and nothing is in it yet */
        assert_null(journal_place_next(&place));
        begin(30);
        assert_null(journal_place_next(&place));
        put_messages(30, 2);
        assert_next(&place, 30);
        assert_next(&place, 31);
}

/* It goes while somebody is within it: a list of segments without that one has the same place. */
static void test_a_place_that_goes_is_looked_for_again(void **state) {
        JournalPlace place;

        (void)state;
        make_two();
        place = place_behind(0);
        assert_next(&place, 10);
        journal_cursor_keep(&cursor, 0, &place);
        place = place_behind(14);
        assert_next(&place, 20);
        journal_cursor_keep(&cursor, 14, &place);
        journal_cursor_drop(&cursor, segments[0]);
        place = journal_cursor_find(&cursor, segments[1], 10);
        assert_ptr_equal(place.segment, segments[1]);
        assert_next(&place, 20);
        assert_ptr_equal(journal_cursor_find(&cursor, NULL, 20).segment,
                         segments[1]); /* of the other one it is kept */
        journal_cursor_forget(&cursor);
        assert_null(journal_cursor_find(&cursor, NULL, 20).segment);
}

/* Without the list: what is found there is what was kept. */
static bool is_kept(uint64_t seq) {
        return journal_cursor_find(&cursor, NULL, seq).segment != NULL;
}

static void keep_at(uint64_t from, uint64_t to) {
        JournalPlace place = journal_cursor_find(&cursor, segments[0], from);

        while (place.seq < to)
                assert_non_null(journal_place_next(&place));
        journal_cursor_keep(&cursor, from, &place);
}

static void test_each_reader_keeps_a_place_of_his_own(void **state) {
        (void)state;
        begin(1);
        for (uint64_t seq = 1; seq <= 100; ++seq)
                put_message(seq);
        for (uint64_t i = 1; i <= JOURNAL_CURSOR_PLACES; ++i)
                keep_at(0, 10 * i);
        for (int round = 1; round < 5; ++round) /* in any order, as often as they like */
                for (uint64_t i = JOURNAL_CURSOR_PLACES; i > 0; --i) {
                        uint64_t at = 10 * i + (uint64_t)round - 1;

                        assert_true(is_kept(at));
                        keep_at(at, at + 1);
                        assert_false(is_kept(at));
                }
        keep_at(0, 90); /* one more: the first to have come gives way */
        assert_true(is_kept(90));
        assert_false(is_kept(14));
        for (uint64_t i = 2; i <= JOURNAL_CURSOR_PLACES; ++i)
                assert_true(is_kept(10 * i + 4));
}

static void test_within_a_record_a_kept_place_goes_on_with_its_next_message(void **state) {
        JournalPlace place;

        (void)state;
        make_two();
        keep_at(0, 13);
        assert_true(is_kept(13));
        place = journal_cursor_find(&cursor, NULL, 13);
        assert_next(&place, 14);
        assert_next(&place, 20);
}

/* ---- counting ---- */

static void test_messages_are_counted_up_to_a_number_in_pieces(void **state) {
        uint64_t after = 0;

        (void)state;
        make_two();
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 13, 2), 2);
        assert_int_equal(after, 12);
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 13, 2), 1);
        assert_int_equal(after, 13);
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 13, 2), 0);
        assert_int_equal(after, 13);
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 19, 9), 1);
        assert_int_equal(after, 19); /* behind numbers of no message as well */
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 100, 9), 1);
        assert_int_equal(after, 100);
}

/* What was counted is not counted again when more comes. */
static void test_who_has_counted_goes_on_behind_it(void **state) {
        uint64_t after = 0;

        (void)state;
        make_two();
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 25, 9), 5);
        put_message(25); /* is counted: it was asked for */
        put_message(26);
        assert_int_equal(after, 25);
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 30, 9), 1);
        assert_int_equal(after, 30);
}

static void test_where_nothing_is_nothing_is_counted(void **state) {
        uint64_t after = 5;

        (void)state;
        assert_int_equal(journal_cursor_count(&cursor, NULL, &after, 9, 9), 0);
        assert_int_equal(after, 9);
        begin(10);
        put_message(10);
        assert_int_equal(journal_cursor_count(&cursor, segments[0], &after, 10, 9), 1);
        assert_int_equal(after, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_each_message_comes_once_and_in_order),
                TEST(test_who_asks_for_all_records_gets_those_of_no_message_as_well),
                TEST(test_a_place_is_behind_any_number),
                TEST(test_who_is_at_the_end_goes_on_with_what_comes),
                TEST(test_a_place_that_goes_is_looked_for_again),
                TEST(test_each_reader_keeps_a_place_of_his_own),
                TEST(test_within_a_record_a_kept_place_goes_on_with_its_next_message),
                TEST(test_messages_are_counted_up_to_a_number_in_pieces),
                TEST(test_who_has_counted_goes_on_behind_it),
                TEST(test_where_nothing_is_nothing_is_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
