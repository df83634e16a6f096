/* Journal: several messages that came as one are written at once, and read one by one. */

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_numbers.h"
#include "gateway/journal/segment.h"
#include "model/metrics.h"

#define SEGMENT_BYTES (64 * 1024)
#define N_MAX         4096

typedef struct Fixture Fixture;

struct Fixture {
        char root[64];
        char dir[96];
        Journal *journal;
        uint64_t last; /* that was given out */
        JournalRecord read[N_MAX];
};

static void start(Fixture *f) {
        const JournalOptions options = {
                .dir = f->dir,
                .max_bytes = (uint64_t)16 * SEGMENT_BYTES,
                .segment_bytes = SEGMENT_BYTES,
                .reserve_bytes = (uint64_t)2 * SEGMENT_BYTES,
                .fsync = JOURNAL_FSYNC_NEVER,
        };

        assert_int_equal(journal_open(&f->journal, &options), 0);
}

static void stop(Fixture *f) {
        f->journal = journal_close(f->journal);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        log_set_level((LogLevel)-1);
        snprintf(f->root, sizeof(f->root), "/tmp/tidegate-several-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        snprintf(f->dir, sizeof(f->dir), "%s/journal", f->root);
        metrics_reset();
        start(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;
        struct dirent *entry;
        DIR *stream;

        stop(f);
        stream = opendir(f->dir);
        while (stream && (entry = readdir(stream)))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        if (stream)
                closedir(stream);
        rmdir(f->dir);
        rmdir(f->root);
        free(f);
        return 0;
}

static Inbound inbound_of(const char *payload, uint32_t n) {
        return (Inbound){ .door = DOOR_MQTT,
                          .topic = TEXT("gateway/1"),
                          .payload = text_of(payload),
                          .n_messages = n };
}

/* The number of the last of the @n. */
static uint64_t append(Fixture *f, const char *payload, uint32_t n) {
        const Inbound inbound = inbound_of(payload, n);

        assert_int_equal(journal_append(f->journal, &inbound, &f->last), 0);
        return f->last;
}

static size_t read_after(Fixture *f, uint64_t after_seq, size_t n_max) {
        return journal_read(f->journal, after_seq, f->read, n_max, SIZE_MAX);
}

static void assert_read(const JournalRecord *record, uint64_t seq, const char *payload) {
        assert_int_equal(record->seq, seq);
        assert_true(text_equal(record->payload, text_of(payload)));
}

static void assert_place(const JournalRecord *record, uint32_t place, uint32_t n) {
        assert_int_equal(record->place, place);
        assert_int_equal(record->n_messages, n);
        assert_int_equal(record->device_id, 0);
}

/* ---- */

static void test_each_has_a_number_of_its_own(void **state) {
        Fixture *f = *state;
        uint64_t one = append(f, "a", 0), three = append(f, "bcd", 3), last = append(f, "e", 1);

        assert_int_equal(three, one + 3);
        assert_int_equal(last, one + 4);
        assert_int_equal(journal_last_seq(f->journal), last);
        assert_int_equal(read_after(f, 0, N_MAX), 5);
        assert_read(&f->read[0], one, "a");
        assert_place(&f->read[0], 0, 1);
        for (uint32_t i = 0; i < 3; ++i) {
                assert_read(&f->read[1 + i], one + 1 + i, "bcd");
                assert_place(&f->read[1 + i], i, 3);
        }
        assert_read(&f->read[4], last, "e");
        assert_int_equal(journal_count_after(f->journal, 0), 5);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 5);
}

static void test_reading_may_stop_and_go_on_between_them(void **state) {
        Fixture *f = *state;
        uint64_t last = append(f, "abcd", 4), end = append(f, "e", 1);

        for (uint64_t after = last - 4; after < end; ++after) {
                assert_int_equal(read_after(f, after, 1), 1);
                assert_int_equal(f->read[0].seq, after + 1);
                assert_int_equal(f->read[0].place, after < last ? after + 4 - last : 0);
        }
        assert_int_equal(read_after(f, end, 1), 0);
        /* Where another reader was meanwhile makes no difference. */
        for (uint64_t after = end; after-- > last - 4;)
                assert_int_equal(read_after(f, after, N_MAX), end - after);
        assert_int_equal(journal_count_after(f->journal, last - 2), 3);
}

static void test_a_share_of_its_bytes_counts_for_each(void **state) {
        Fixture *f = *state;
        char payload[1025] = "";

        memset(payload, 'x', sizeof(payload) - 1);
        append(f, payload, 100);
        assert_int_equal(journal_read(f->journal, 0, f->read, N_MAX, 50), 5);
        assert_int_equal(journal_read(f->journal, 0, f->read, N_MAX, SIZE_MAX), 100);
}

static void test_counting_may_end_between_them(void **state) {
        Fixture *f = *state;
        uint64_t first = append(f, "a", 1), last = append(f, "bcdef", 5), after = first - 1;

        append(f, "g", 1);
        assert_int_equal(journal_count_some(f->journal, &after, first + 2, SIZE_MAX), 3);
        assert_int_equal(after, first + 2);
        assert_int_equal(journal_count_some(f->journal, &after, last, 2), 2);
        assert_int_equal(after, first + 4);
        assert_int_equal(journal_count_some(f->journal, &after, last, SIZE_MAX), 1);
        assert_int_equal(after, last);
        assert_int_equal(journal_count_some(f->journal, &after, last + 1, SIZE_MAX), 1);
        assert_int_equal(journal_count_some(f->journal, &after, last + 1, SIZE_MAX), 0);
}

static void test_a_start_finds_all_of_them_and_goes_on_behind(void **state) {
        Fixture *f = *state;
        uint64_t last = append(f, "abc", 3);

        stop(f);
        start(f);
        assert_int_equal(journal_first_seq(f->journal), last - 2);
        assert_int_equal(journal_recovered_seq(f->journal), last);
        assert_true(journal_begin_seq(f->journal) >= last);
        assert_int_equal(read_after(f, last - 2, N_MAX), 2);
        assert_place(&f->read[1], 2, 3);
        assert_true(append(f, "d", 1) > last);
        assert_int_equal(read_after(f, 0, N_MAX), 4);
}

static void test_the_position_may_stand_between_them(void **state) {
        Fixture *f = *state;
        uint64_t last = append(f, "abcd", 4), by = 0, far = last + 1000000;

        assert_int_equal(journal_confirm(f->journal, 0, last - 10, &by), 0);
        assert_int_equal(by, 0);
        journal_note_stored(f->journal, last - 2);
        journal_commit(f->journal, last - 2);
        assert_int_equal(read_after(f, last - 2, N_MAX), 2);
        /* Others moved it: what is not stored of them is moved behind, and the rest stays. */
        assert_int_equal(journal_confirm(f->journal, last - 2, far, &by), 0);
        assert_int_equal(read_after(f, 0, N_MAX), 4);
        assert_int_equal(f->read[1].seq, last - 2);
        assert_int_equal(f->read[2].seq, far + 1);
        assert_place(&f->read[2], 2, 4);
        assert_int_equal(f->read[3].seq, far + 2);
        assert_int_equal(read_after(f, far + 1, N_MAX), 1);
        assert_place(&f->read[0], 3, 4);
}

static void test_a_redelivery_is_one_of_all_of_them(void **state) {
        Fixture *f = *state;
        Inbound inbound = inbound_of("abc", 3);

        inbound.qos = 1;
        inbound.packet_id = 7;
        assert_int_equal(journal_append(f->journal, &inbound, &f->last), 0);
        stop(f);
        start(f);
        journal_resume_session(f->journal, 1, 20);
        inbound.is_redelivery = true;
        assert_int_equal(journal_append(f->journal, &inbound, &f->last), JOURNAL_E_DUPLICATE);
        assert_int_equal(journal_count_after(f->journal, 0), 3);
        assert_int_equal(metric_get(METRIC_DUPLICATE), 3);
}

/* A segment has numbers for records of one; a thousand each are more than it was given. */
static void test_numbers_are_reserved_before_they_are_given_out(void **state) {
        Fixture *f = *state;
        JournalNumbers numbers;
        int dir_fd;

        append(f, "a", 1);
        for (size_t i = 0; i < 600; ++i)
                append(f, "bcdefgh", 4000);
        dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(sscanf(journal_epoch(f->journal), "%" SCNx64, &numbers.epoch), 1);
        assert_int_equal(journal_numbers_open(&numbers, dir_fd, numbers.epoch), 0);
        assert_true(numbers.reserved >= f->last);
        journal_numbers_close(&numbers);
        close(dir_fd);
}

static void test_a_whole_segment_goes_when_the_last_is_stored(void **state) {
        Fixture *f = *state;
        char payload[8000] = "";
        uint64_t first, last;

        memset(payload, 'x', sizeof(payload) - 1);
        first = append(f, payload, 10) - 9;
        for (size_t i = 0; i < 40; ++i)
                last = append(f, payload, 10);
        journal_commit(f->journal, first + 8);
        assert_int_equal(journal_first_seq(f->journal), first);
        journal_commit(f->journal, last);
        assert_true(journal_first_seq(f->journal) > first);
        assert_int_equal((journal_first_seq(f->journal) - first) % 10, 0);
}

/* What the versions of before have written has a header that says 1, and no record of several. */
static void test_a_journal_of_before_is_read(void **state) {
        Fixture *f = *state;
        uint64_t first = append(f, "a", 1), last = append(f, "b", 1);
        SegmentHeader header;
        char path[192];
        int fd;

        stop(f);
        snprintf(path, sizeof(path), "%s/%016llx.seg", f->dir, (unsigned long long)first);
        fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
        assert_int_equal(header.version, 3);
        header.version = 1;
        header.crc = crc32c(0, &header, offsetof(SegmentHeader, crc));
        assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
        start(f);
        assert_int_equal(read_after(f, 0, N_MAX), 2);
        assert_place(&f->read[0], 0, 1);
        append(f, "cde", 3);
        assert_int_equal(read_after(f, last, N_MAX), 3);
        /* Of a version that we do not know nothing is taken for records. */
        stop(f);
        header.version = 4;
        header.crc = crc32c(0, &header, offsetof(SegmentHeader, crc));
        assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
        close(fd);
        start(f);
        assert_int_equal(read_after(f, 0, N_MAX), 3);
}

static void test_what_is_damaged_can_have_cost_as_many_as_it_had(void **state) {
        Fixture *f = *state;
        const SegmentBody a = { .topic = TEXT("123456789"), .payload = TEXT("a") };
        uint64_t first = append(f, "a", 1), last;
        char path[192];
        int fd;

        append(f, "bcdefgh", 7);
        last = append(f, "i", 1);
        stop(f);
        snprintf(path, sizeof(path), "%s/%016llx.seg", f->dir, (unsigned long long)first);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd,
                                "?",
                                1,
                                SEGMENT_HEADER_BYTES + (off_t)segment_record_bytes(&a) +
                                        (off_t)sizeof(SegmentRecord) + 9),
                         1);
        close(fd);
        start(f);
        assert_int_equal(read_after(f, 0, N_MAX), 2);
        assert_int_equal(journal_damaged_most(f->journal, first - 1, last), 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_each_has_a_number_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reading_may_stop_and_go_on_between_them,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_share_of_its_bytes_counts_for_each,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_counting_may_end_between_them,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_start_finds_all_of_them_and_goes_on_behind,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_the_position_may_stand_between_them,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_redelivery_is_one_of_all_of_them,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_numbers_are_reserved_before_they_are_given_out,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_whole_segment_goes_when_the_last_is_stored,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_journal_of_before_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_is_damaged_can_have_cost_as_many_as_it_had, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
