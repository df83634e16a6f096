/* JournalRecovery: what is whole is found again, whatever happened to the files around it; what is
 * not is said, and costs nothing else. */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_recovery.h"
#include "model/inbound.h"

enum {
        BYTES = SEGMENT_MIN_BYTES,
        N_NAMES = 8,
        BROKER = 3,
        IN_FLIGHT = 10,
};

static char path[64];
static JournalDir dir;
static char names[N_NAMES][SEGMENT_NAME_SIZE];
static Segment *writing; /* the newest that was written */
static Sessions *sessions;
static JournalRecovery found;

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1); /* the damage is ours */
        strcpy(path, "/tmp/tidegate-recovery-XXXXXX");
        assert_non_null(mkdtemp(path));
        dir = (JournalDir){
                .fd = open(path, O_RDONLY | O_DIRECTORY),
                .lock_fd = -1,
                .identity = { .epoch = 0x1234, .salt = 0x5678 },
                .names = names,
        };
        assert_true(dir.fd >= 0);
        memset(&found, 0, sizeof(found));
        return sessions_new(&sessions);
}

static int tear_down(void **state) {
        struct dirent *entry;
        DIR *stream = opendir(path);

        (void)state;
        assert_non_null(stream);
        while ((entry = readdir(stream)))
                if (entry->d_name[0] != '.')
                        unlinkat(dir.fd, entry->d_name, 0);
        closedir(stream);
        close(dir.fd);
        writing = segment_unref(writing);
        found.oldest = segment_unref(found.oldest);
        sessions = sessions_free(sessions);
        return rmdir(path);
}

/* ---- what lies there ---- */

static void begin_of(const SegmentIdentity *identity, uint64_t index, uint64_t first_seq) {
        const SegmentSpec spec = { .index = index, .first_seq = first_seq, .size = BYTES };

        writing = segment_unref(writing);
        assert_int_equal(segment_create(&writing, dir.fd, identity, &spec), 0);
        assert_true(dir.n_names < N_NAMES);
        memcpy(names[dir.n_names++], writing->name, SEGMENT_NAME_SIZE);
}

static void begin(uint64_t index, uint64_t first_seq) {
        begin_of(&dir.identity, index, first_seq);
}

static void put_bytes(SegmentRecord record, Text payload) {
        const SegmentBody body = { .payload = payload };

        segment_append(writing, &record, segment_body_crc(writing->seed, &body), &body);
}

/* Where it begins in the file. */
static size_t put(SegmentRecord record, const char *payload) {
        size_t at = atomic_load(&writing->end);

        put_bytes(record, text_of(payload));
        return at;
}

static size_t put_message(uint64_t seq, const char *payload) {
        return put((SegmentRecord){ .seq = seq, .door = DOOR_HTTP }, payload);
}

static void put_mqtt(SegmentRecordType type,
                     uint64_t seq,
                     uint16_t packet_id,
                     const char *payload) {
        (void)put((SegmentRecord){ .type = (uint8_t)type,
                                   .seq = seq,
                                   .door = DOOR_MQTT,
                                   .packet_id = packet_id },
                  payload);
}

static void put_mark(SegmentRecordType type, uint64_t seq, uint16_t which, int64_t n) {
        (void)put((SegmentRecord){ .type = (uint8_t)type,
                                   .seq = seq,
                                   .packet_id = which,
                                   .device_id = n },
                  "");
}

static void spoil(const char *name, size_t at, const char *bytes) {
        int fd = openat(dir.fd, name, O_WRONLY);

        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes, strlen(bytes), (off_t)at), strlen(bytes));
        close(fd);
}

static off_t file_bytes(const char *name) {
        struct stat st;

        return fstatat(dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : st.st_size;
}

static void recover(void) {
        assert_int_equal(journal_recover(&dir, sessions, NULL, &found), 0);
}

/* Of the segment at @at, its numbers, one after the other. */
static const Segment *assert_has(const Segment *at, const uint64_t seqs[], size_t n) {
        const SegmentRecord *record;
        size_t offset = 0, n_skipped, i = 0;
        uint64_t after_seq = 0;

        assert_non_null(at);
        while ((record = segment_read(at, &offset, after_seq, &n_skipped))) {
                assert_true(i < n);
                assert_int_equal(record->seq, seqs[i++]);
                after_seq = segment_record_last(record);
        }
        assert_int_equal(i, n);
        return segment_next(at);
}

#define ASSERT_HAS(at, ...)                           \
        assert_has((at),                              \
                   (const uint64_t[]){ __VA_ARGS__ }, \
                   sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* ---- what is whole ---- */

static void test_segments_are_linked_in_order_and_only_the_newest_is_cut(void **state) {
        const Segment *at;

        (void)state;
        begin(1, 10);
        put_mark(SEGMENT_SESSION, 10, BROKER, 1);
        put_message(11, "a");
        put_message(12, "b");
        begin(2, 20);
        put_message(20, "c");
        begin(3, 30);
        (void)put((SegmentRecord){ .seq = 30,
                                   .flags = SEGMENT_SEVERAL,
                                   .n_messages = 5,
                                   .door = DOOR_MQTT },
                  "abcde");
        put_mark(SEGMENT_SESSION, 35, BROKER, 2);
        recover();
        assert_int_equal(found.n_segments, 3);
        assert_int_equal(found.last_index, 3);
        assert_int_equal(found.first_message_seq, 11);
        assert_int_equal(found.last_message_seq, 34); /* the last one of the five */
        assert_int_equal(found.last_seq, 35);
        assert_int_equal(found.damaged_until_seq, 0);
        at = ASSERT_HAS(found.oldest, 10, 11, 12);
        at = ASSERT_HAS(at, 20);
        assert_ptr_equal(at, found.newest);
        assert_null(ASSERT_HAS(at, 30, 35));
        assert_int_equal(atomic_load(&found.newest->last_seq), 35);
        assert_int_equal(file_bytes(names[0]), BYTES);
        assert_int_equal(file_bytes(names[1]), BYTES);
        assert_int_equal(file_bytes(names[2]), atomic_load(&found.newest->end));
        assert_true(file_bytes(names[2]) < BYTES);
        assert_int_equal(found.n_bytes, (off_t)2 * BYTES + file_bytes(names[2]));
}

static void test_nothing_is_nothing(void **state) {
        (void)state;
        recover();
        assert_null(found.oldest);
        assert_null(found.newest);
        assert_int_equal(found.last_seq, 0);
        assert_false(journal_recover_misses(&found, 0));
}

/* ---- what is damaged ---- */

static void test_damage_costs_what_it_is_in_and_its_place_is_known(void **state) {
        size_t at;

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        at = put_message(11, "b");
        put_message(12, "c");
        begin(2, 20);
        put_message(20, "d");
        put_message(22, "e");
        spoil(names[0], at, "!");
        spoil(names[1], SEGMENT_HEADER_BYTES, "!");
        recover();
        assert_int_equal(ASSERT_HAS(found.oldest, 10, 12) == found.newest, true);
        assert_null(ASSERT_HAS(found.newest, 22));
        assert_int_equal(found.damaged_after_seq, 10); /* of the first of both */
        assert_int_equal(found.damaged_until_seq, 22); /* of the last */
        assert_int_equal(found.n_damaged_most, 1 + 9);
}

/* Numbers are left out where nothing was written: what is damaged cannot have had more records than
 * bytes. */
static void test_of_numbers_that_are_far_apart_no_more_is_lost_than_had_room(void **state) {
        size_t at, n;

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        at = put_message(11, "b");
        n = atomic_load(&writing->end) - at;
        put_message(UINT64_C(1) << 40, "c");
        spoil(names[0], at, "!");
        recover();
        assert_int_equal(found.damaged_after_seq, 10);
        assert_int_equal(found.damaged_until_seq, UINT64_C(1) << 40);
        assert_int_equal(found.n_damaged_most, n);
}

static void test_a_torn_tail_goes_and_what_is_before_it_stays(void **state) {
        size_t at;

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        at = put_message(11, "b");
        spoil(names[0], at + 4, "!");
        spoil(names[0], BYTES - 1, "!");
        recover();
        assert_null(ASSERT_HAS(found.oldest, 10));
        assert_int_equal(file_bytes(names[0]), at);
        assert_int_equal(found.damaged_until_seq, 0); /* nobody was told that it is there */
        assert_int_equal(found.last_seq, 10);
}

/* It is evidence, and nothing is ever written there. */
static void test_the_end_of_one_that_is_not_the_newest_is_left_as_it_is(void **state) {
        size_t at;

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        at = put_message(11, "b");
        begin(2, 20);
        put_message(20, "c");
        spoil(names[0], at, "!");
        recover();
        (void)ASSERT_HAS(found.oldest, 10);
        assert_int_equal(file_bytes(names[0]), BYTES);
        assert_int_equal(atomic_load(&found.oldest->end), at); /* readers do not search it */
        assert_null(ASSERT_HAS(found.newest, 20));
}

static void test_a_damaged_header_costs_no_record(void **state) {
        (void)state;
        begin(4, 10);
        put_message(10, "a");
        begin(5, 20);
        put_message(20, "b");
        begin(6, 30);
        put_message(30, "c");
        spoil(names[1], 16, "!!");
        spoil(names[2], 16, "!!");
        recover();
        assert_int_equal(found.n_segments, 3);
        assert_int_equal(found.last_index, 6);
        (void)ASSERT_HAS(segment_next(found.oldest), 20);
        assert_false(journal_recover_misses(&found, 6));
}

/* Somebody puts back a file that he had kept. */
static void test_what_was_there_already_is_not_there_twice(void **state) {
        char kept[SEGMENT_NAME_SIZE + 16];

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        put_message(11, "b");
        begin(2, 12);
        put_message(10, "a");
        put_message(11, "b");
        put_message(12, "c");
        begin(3, 13);
        put_message(11, "b");
        recover();
        assert_int_equal(found.n_segments, 2);
        assert_ptr_equal(ASSERT_HAS(found.oldest, 10, 11), found.newest);
        assert_int_equal(found.last_seq, 12);
        snprintf(kept, sizeof(kept), "%s.damaged", names[2]); /* nothing new is in it */
        assert_int_equal(file_bytes(kept), BYTES);
}

/* ---- what is of no use ---- */

static void test_an_unused_file_goes_and_an_unreadable_one_is_kept_beside(void **state) {
        char kept[SEGMENT_NAME_SIZE + 16];

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        begin(2, 20);
        begin(3, 30);
        spoil(names[2], 1000, "garbage");
        recover();
        assert_int_equal(found.n_segments, 1);
        assert_int_equal(found.empty_index, 2);
        assert_int_equal(found.n_bytes, BYTES);
        assert_int_equal(file_bytes(names[1]), -1);
        assert_int_equal(file_bytes(names[2]), -1);
        snprintf(kept, sizeof(kept), "%s.damaged", names[2]);
        assert_int_equal(file_bytes(kept), BYTES);
        assert_null(ASSERT_HAS(found.oldest, 10));
}

static void test_what_is_of_another_journal_is_neither_read_nor_touched(void **state) {
        const SegmentIdentity other = { .epoch = 0x4321, .salt = dir.identity.salt };

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        begin_of(&other, 2, 20);
        put_message(20, "b");
        begin(2, 30);
        put_message(30, "c");
        recover();
        assert_int_equal(found.n_segments, 2);
        assert_ptr_equal(ASSERT_HAS(found.oldest, 10), found.newest);
        (void)ASSERT_HAS(found.newest, 30);
        assert_int_equal(file_bytes(names[1]), BYTES);
}

/* A payload looks like records: without the salt nobody can make what passes for one. */
static void test_records_within_damage_are_of_who_knows_the_secret(void **state) {
        const SegmentIdentity other = { .epoch = dir.identity.epoch, .salt = 0x9999 };
        char inner[256] = { 0 };
        size_t n, at;

        (void)state;
        begin_of(&other, 1, 10);
        n = put_message(1000000, "x");
        n = atomic_load(&writing->end) - n;
        memcpy(inner, writing->map + SEGMENT_HEADER_BYTES, n);
        unlinkat(dir.fd, names[0], 0);
        dir.n_names = 0;

        begin(1, 10);
        put_message(10, "a");
        assert_true(n % 8 == 0 && n < sizeof(inner));
        at = atomic_load(&writing->end);
        put_bytes((SegmentRecord){ .seq = 11, .door = DOOR_HTTP }, (Text){ inner, n });
        spoil(names[0], at, "!");
        put_message(12, "b");
        recover();
        assert_null(ASSERT_HAS(found.oldest, 10, 12));
        assert_int_equal(found.last_seq, 12);
}

/* ---- what is missing ---- */

static void test_a_newest_one_that_is_missing_is_missed_once(void **state) {
        (void)state;
        begin(1, 10);
        put_message(10, "a");
        begin(2, 20);
        put_message(20, "b");
        recover();
        assert_false(journal_recover_misses(&found, 0)); /* it is not known */
        assert_false(journal_recover_misses(&found, 2));
        assert_true(journal_recover_misses(&found, 4));
        assert_int_equal(found.last_index, 4); /* the next is the fifth */
        assert_false(journal_recover_misses(&found, 4));
}

static void test_one_that_was_never_used_is_not_missed(void **state) {
        (void)state;
        begin(1, 10);
        put_message(10, "a");
        begin(2, 20);
        recover();
        assert_int_equal(found.last_index, 1);
        assert_false(journal_recover_misses(&found, 2));
        assert_true(journal_recover_misses(&found, 3));
}

static void test_all_may_be_missing(void **state) {
        (void)state;
        recover();
        assert_true(journal_recover_misses(&found, 1));
        assert_int_equal(found.last_index, 1);
}

static void test_whose_header_is_damaged_may_be_the_one_that_was_noted(void **state) {
        (void)state;
        begin(7, 10);
        put_message(10, "a");
        spoil(names[0], 16, "!!");
        recover();
        assert_int_equal(found.last_index, 0);
        assert_false(journal_recover_misses(&found, 7));
}

/* ---- what may come again ---- */

static uint64_t hash_of(const char *payload) {
        Text text = text_of(payload);
        uint32_t crc = crc32c(segment_seed(&dir.identity), text.data, text.n);

        return redelivery_hash(crc, 0, text.n);
}

static bool is_known(uint16_t packet_id, const char *payload) {
        return redelivery_is_known(sessions_current(sessions), packet_id, hash_of(payload), true);
}

static void test_what_may_be_sent_again_is_known(void **state) {
        (void)state;
        begin(1, 10);
        put_mqtt(SEGMENT_MESSAGE, 10, 1, "before"); /* the session begins behind it */
        put_mark(SEGMENT_SESSION, 11, BROKER, 1);
        put_mark(SEGMENT_RESUMED, 12, BROKER, IN_FLIGHT);
        put_mqtt(SEGMENT_MESSAGE, 13, 2, "a");
        begin(2, 20);
        put_mqtt(SEGMENT_MESSAGE, 20, 3, "b");
        put_mqtt(SEGMENT_TAKEN, 21, 4, "c"); /* another one's, and ours to recognise */
        put_mqtt(SEGMENT_MESSAGE, 22, 0, "d");
        put_message(23, "e");
        (void)put((SegmentRecord){ .seq = 24, .door = DOOR_HTTP, .packet_id = 6 }, "f");
        recover();
        assert_int_equal(sessions_broker(sessions), BROKER);
        redelivery_resume(sessions_current(sessions), IN_FLIGHT);
        assert_false(is_known(1, "before"));
        assert_true(is_known(2, "a"));
        assert_false(is_known(2, "b"));
        assert_true(is_known(3, "b"));
        assert_true(is_known(4, "c"));
        assert_false(is_known(6, "f")); /* no broker sends it again */
        assert_int_equal(redelivery_seq(sessions_current(sessions), 3), 20);
}

static void test_what_was_taken_by_another_one_is_no_message(void **state) {
        (void)state;
        begin(1, 10);
        put_mqtt(SEGMENT_TAKEN, 10, 1, "a");
        put_mqtt(SEGMENT_MESSAGE, 11, 2, "b");
        put_mqtt(SEGMENT_TAKEN, 12, 3, "c");
        recover();
        assert_int_equal(found.first_message_seq, 11);
        assert_int_equal(found.last_message_seq, 11);
        assert_int_equal(found.last_seq, 12);
}

/* What a segment begins with says what was in flight before it: of use where that is gone, and out
 * of date where it is not. */
static void test_what_is_said_of_before_counts_only_where_that_is_gone(void **state) {
        RedeliveryItem item = { .hash = hash_of("gone"), .packet_id = 5, .broker = BROKER };
        char payload[sizeof(item)];
        SegmentRecord record = { .type = SEGMENT_RECENT, .packet_id = BROKER };
        Text text = { payload, sizeof(payload) };

        (void)state;
        memcpy(payload, &item, sizeof(item));
        for (int i = 0; i < 2; ++i) {
                uint64_t seq = 10 + 10 * (uint64_t)i;

                begin(1 + (uint64_t)i, seq);
                record.seq = seq;
                put_bytes(record, text);
                put_mark(SEGMENT_RESUMED, seq + 1, BROKER, IN_FLIGHT);
                if (i == 0)
                        put_mqtt(SEGMENT_MESSAGE, seq + 2, 5, "newer");
        }
        recover();
        redelivery_resume(sessions_current(sessions), IN_FLIGHT);
        assert_true(is_known(5, "newer"));

        found.oldest = segment_unref(found.oldest);
        sessions = sessions_free(sessions);
        assert_int_equal(sessions_new(&sessions), 0);
        begin(3, 30);
        record.seq = 30;
        put_bytes(record, text);
        memcpy(names[0], names[2], sizeof(names[0])); /* the first two are gone */
        dir.n_names = 1;
        recover();
        redelivery_resume(sessions_current(sessions), IN_FLIGHT);
        assert_true(is_known(5, "gone"));
}

/* ---- what cannot be read at all ---- */

/* Nothing is answered by halves: who would go on with that would give away the rest. */
static void test_a_fault_leaves_nothing_open_and_answers_nothing(void **state) {
        const JournalRecovery before = found;

        (void)state;
        begin(1, 10);
        put_message(10, "a");
        begin(2, 20);
        unlinkat(dir.fd, names[1], 0);
        assert_int_equal(symlinkat("/etc/passwd", dir.fd, names[1]), 0);
        assert_true(journal_recover(&dir, sessions, NULL, &found) < 0);
        assert_memory_equal(&found, &before, sizeof(found));
        assert_true(file_bytes(names[0]) == BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_segments_are_linked_in_order_and_only_the_newest_is_cut),
                TEST(test_nothing_is_nothing),
                TEST(test_damage_costs_what_it_is_in_and_its_place_is_known),
                TEST(test_of_numbers_that_are_far_apart_no_more_is_lost_than_had_room),
                TEST(test_a_torn_tail_goes_and_what_is_before_it_stays),
                TEST(test_the_end_of_one_that_is_not_the_newest_is_left_as_it_is),
                TEST(test_a_damaged_header_costs_no_record),
                TEST(test_what_was_there_already_is_not_there_twice),
                TEST(test_an_unused_file_goes_and_an_unreadable_one_is_kept_beside),
                TEST(test_what_is_of_another_journal_is_neither_read_nor_touched),
                TEST(test_records_within_damage_are_of_who_knows_the_secret),
                TEST(test_a_newest_one_that_is_missing_is_missed_once),
                TEST(test_one_that_was_never_used_is_not_missed),
                TEST(test_all_may_be_missing),
                TEST(test_whose_header_is_damaged_may_be_the_one_that_was_noted),
                TEST(test_what_may_be_sent_again_is_known),
                TEST(test_what_was_taken_by_another_one_is_no_message),
                TEST(test_what_is_said_of_before_counts_only_where_that_is_gone),
                TEST(test_a_fault_leaves_nothing_open_and_answers_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
