/* Journal: order, bounds, redeliveries, and what survives which damage. */

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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
#include "gateway/journal/redelivery.h"
#include "gateway/journal/segment.h"
#include "model/metrics.h"

#define SEGMENT_BYTES (64 * 1024)
#define MAX_BYTES     (16 * SEGMENT_BYTES)
#define N_BATCH       64

typedef struct Fixture Fixture;

struct Fixture {
        char root[64];
        char dir[80];
        JournalOptions options;
        Journal *journal;
};

/* ---- files ---- */

static void path_of(char *ret_path, size_t n, const char *dir, const char *name) {
        assert_true(snprintf(ret_path, n, "%s/%s", dir, name) < (int)n);
}

static void remove_dir(const char *dir) {
        char path[512];
        struct dirent *entry;
        DIR *stream = opendir(dir);

        if (!stream)
                return;
        while ((entry = readdir(stream))) {
                path_of(path, sizeof(path), dir, entry->d_name);
                (void)unlink(path);
        }
        closedir(stream);
        rmdir(dir);
}

static size_t read_file(const char *path, uint8_t **ret_bytes) {
        struct stat st;
        int fd = open(path, O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        *ret_bytes = malloc((size_t)st.st_size + 1);
        assert_non_null(*ret_bytes);
        assert_int_equal(read(fd, *ret_bytes, (size_t)st.st_size), st.st_size);
        close(fd);
        return (size_t)st.st_size;
}

static void write_file(const char *path, const uint8_t *bytes, size_t n) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, n), n);
        close(fd);
}

/* The i-th segment of a directory, oldest first; false if there are fewer. */
static bool segment_path(const char *dir, size_t i, char *ret_path, size_t n) {
        struct dirent **entries;
        int n_entries = scandir(dir, &entries, NULL, alphasort);
        size_t n_segments = 0;
        bool found = false;

        for (int k = 0; k < n_entries; ++k) {
                if (strstr(entries[k]->d_name, ".seg") && !strstr(entries[k]->d_name, "damaged") &&
                    n_segments++ == i) {
                        path_of(ret_path, n, dir, entries[k]->d_name);
                        found = true;
                }
                free(entries[k]);
        }
        free(entries);
        return found;
}

/* What a process that is killed now would leave behind. */
static void copy_dir(const char *from, const char *to) {
        char source[512], target[512];
        struct dirent *entry;
        DIR *stream = opendir(from);

        remove_dir(to);
        assert_int_equal(mkdir(to, 0700), 0);
        assert_non_null(stream);
        while ((entry = readdir(stream))) {
                uint8_t *bytes;
                size_t n;

                if (entry->d_name[0] == '.')
                        continue;
                path_of(source, sizeof(source), from, entry->d_name);
                path_of(target, sizeof(target), to, entry->d_name);
                n = read_file(source, &bytes);
                write_file(target, bytes, n);
                free(bytes);
        }
        closedir(stream);
}

/* ---- fixture ---- */

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        log_set_level((LogLevel)-1); /* the damage is ours */
        snprintf(f->root, sizeof(f->root), "/tmp/tidegate-journal-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        path_of(f->dir, sizeof(f->dir), f->root, "journal");
        f->options = (JournalOptions){
                .dir = f->dir,
                .max_bytes = MAX_BYTES,
                .segment_bytes = SEGMENT_BYTES,
                .reserve_bytes = (uint64_t)4 * SEGMENT_BYTES,
                .fsync = JOURNAL_FSYNC_NEVER,
        };
        metrics_reset();
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;
        char other[128];

        f->journal = journal_close(f->journal);
        remove_dir(f->dir);
        path_of(other, sizeof(other), f->root, "copy");
        remove_dir(other);
        rmdir(f->root);
        free(f);
        return 0;
}

static void start(Fixture *f) {
        assert_int_equal(journal_open(&f->journal, &f->options), 0);
}

static void restart(Fixture *f) {
        f->journal = journal_close(f->journal);
        start(f);
}

/* A message whose payload says its number and has a length that depends on it. */
static size_t make_payload(char *ret_payload, size_t n_max, unsigned i) {
        int n = snprintf(ret_payload, n_max, "%u:", i);

        for (unsigned k = 0; k < i % 13; ++k)
                ret_payload[n++] = (char)('a' + k);
        return (size_t)n;
}

static Inbound message(unsigned packet_id, bool is_redelivery, const char *payload) {
        return (Inbound){
                .door = DOOR_MQTT,
                .is_redelivery = is_redelivery,
                .qos = 1,
                .packet_id = (uint16_t)packet_id,
                .topic = TEXT("plant/1/temp"),
                .payload = text_of(payload),
        };
}

static int append_number(Journal *journal, unsigned i) {
        char payload[64];
        Inbound inbound = message(0, false, "");
        uint64_t seq;

        inbound.payload = (Text){ payload, make_payload(payload, sizeof(payload), i) };
        return journal_append(journal, &inbound, &seq);
}

static int append(Journal *journal, unsigned packet_id, bool is_redelivery, const char *payload) {
        Inbound inbound = message(packet_id, is_redelivery, payload);
        uint64_t seq;

        return journal_append(journal, &inbound, &seq);
}

static int append_bytes(Journal *journal, size_t n_payload) {
        char *payload = calloc(1, n_payload);
        Inbound inbound = message(0, false, "");
        uint64_t seq;
        int r;

        assert_non_null(payload);
        inbound.payload = (Text){ payload, n_payload };
        r = journal_append(journal, &inbound, &seq);
        free(payload);
        return r;
}

/* Fills until it is refused; the number of messages that were taken. */
static unsigned fill(Journal *journal, size_t n_payload) {
        char *payload = calloc(1, n_payload);
        Inbound inbound = message(0, false, "");
        unsigned n = 0;
        uint64_t seq;

        assert_non_null(payload);
        inbound.payload = (Text){ payload, n_payload };
        while (journal_append(journal, &inbound, &seq) == 0)
                ++n;
        free(payload);
        return n;
}

/* Everything from the start: checks order and content, says which numbers are there. */
static size_t read_numbers(Journal *journal, bool *ret_seen, unsigned n_max) {
        JournalRecord records[N_BATCH];
        uint64_t seq = 0;
        size_t n, n_total = 0;

        while ((n = journal_read(journal, seq, records, N_BATCH, SIZE_MAX)) > 0) {
                for (size_t i = 0; i < n; ++i) {
                        char payload[64];
                        unsigned number = (unsigned)strtoul(records[i].payload.data, NULL, 10);
                        size_t n_payload = make_payload(payload, sizeof(payload), number);

                        assert_true(records[i].seq > seq);
                        seq = records[i].seq;
                        assert_true(number < n_max);
                        assert_false(ret_seen[number]);
                        assert_true(text_equal(records[i].payload, (Text){ payload, n_payload }));
                        assert_true(text_equal(records[i].topic, TEXT("plant/1/temp")));
                        ret_seen[number] = true;
                        ++n_total;
                }
        }
        return n_total;
}

static size_t count(Journal *journal) {
        return (size_t)journal_count_after(journal, 0);
}

/* ---- checksums ---- */

static void test_crc32c_knows_the_published_vectors(void **state) {
        uint8_t bytes[32];

        (void)state;
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
        memset(bytes, 0xff, sizeof(bytes));
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
        for (uint8_t i = 0; i < 32; ++i)
                bytes[i] = i;
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
        assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
        assert_int_equal(crc32c(7, NULL, 0), 7);
}

static void test_crc32c_by_table_and_by_hardware_agree(void **state) {
        uint8_t bytes[600];

        (void)state;
        for (size_t i = 0; i < sizeof(bytes); ++i)
                bytes[i] = (uint8_t)(i * 7 + i / 256);
        for (size_t n = 0; n < 300 && crc32c_has_hardware(); ++n)
                for (size_t at = 0; at < 9; ++at)
                        assert_int_equal(crc32c_by_table((uint32_t)n, bytes + at, n),
                                         crc32c_by_hardware((uint32_t)n, bytes + at, n));
}

/* ---- the ordinary life ---- */

static void test_what_is_appended_is_read_back_whole_and_in_order(void **state) {
        Fixture *f = *state;
        JournalRecord records[2];
        uint64_t seqs[2];
        Inbound first = message(7, false, "{}");
        Inbound second = {
                .door = DOOR_WS,
                .kind = KIND_TELEMETRY,
                .device_id = 42,
                .topic = TEXT(""),
                .payload = TEXT("a\0b"),
        };

        first.is_retained = true;
        start(f);
        assert_int_equal(journal_last_seq(f->journal), 0);
        assert_int_equal(journal_append(f->journal, &first, &seqs[0]), 0);
        assert_int_equal(journal_append(f->journal, &second, &seqs[1]), 0);

        assert_int_equal(journal_read(f->journal, 0, records, 2, SIZE_MAX), 2);
        assert_int_equal(records[0].seq, seqs[0]);
        assert_int_equal(records[0].door, DOOR_MQTT);
        assert_true(records[0].is_retained);
        assert_false(records[1].is_retained);
        assert_int_equal(records[0].kind, KIND_NONE);
        assert_true(text_equal(records[0].topic, first.topic));
        assert_true(text_equal(records[0].payload, first.payload));
        assert_int_equal(records[1].seq, seqs[1]);
        assert_int_equal(records[1].door, DOOR_WS);
        assert_int_equal(records[1].kind, KIND_TELEMETRY);
        assert_int_equal(records[1].device_id, 42);
        assert_true(text_equal(records[1].payload, second.payload));
        assert_true(records[1].received_us >= records[0].received_us);
        assert_int_equal(journal_first_seq(f->journal), seqs[0]);
        assert_int_equal(journal_last_seq(f->journal), seqs[1]);
        assert_int_equal(journal_read(f->journal, seqs[1], records, 2, SIZE_MAX), 0);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 1);
        assert_int_equal(metric_get(METRIC_RECEIVED_WS), 1);
}

/* And of what has none, as all before version 3, nothing is missing. */
static void test_the_key_of_a_sender_is_beside_what_it_sent(void **state) {
        Fixture *f = *state;
        Inbound inbound = { .door = DOOR_HTTP,
                            .kind = KIND_TELEMETRY,
                            .device_id = 42,
                            .sender_key = UINT64_C(0xfedcba9876543210),
                            .topic = TEXT("a/b"),
                            .payload = TEXT("{}") };
        JournalRecord records[4] = { 0 };
        uint64_t seq;

        start(f);
        assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
        inbound.payload = (Text){ 0 };
        assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
        inbound.sender_key = 0;
        inbound.payload = TEXT("as before");
        assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
        restart(f);
        assert_int_equal(journal_read(f->journal, 0, records, 4, SIZE_MAX), 3);
        assert_true(records[0].sender_key == UINT64_C(0xfedcba9876543210));
        assert_true(records[1].sender_key == records[0].sender_key && records[2].sender_key == 0);
        for (size_t i = 0; i < 3; ++i)
                assert_true(text_equal(records[i].topic, TEXT("a/b")) &&
                            records[i].device_id == 42);
        assert_true(text_equal(records[0].payload, TEXT("{}")) && records[1].payload.n == 0);
        assert_true(text_equal(records[2].payload, TEXT("as before")));
}

static void test_numbers_ascend_over_restarts_and_the_name_stays(void **state) {
        Fixture *f = *state;
        char epoch[JOURNAL_EPOCH_SIZE];
        bool seen[100] = { 0 };

        start(f);
        memcpy(epoch, journal_epoch(f->journal), sizeof(epoch));
        assert_int_equal(strlen(epoch), 16);
        for (unsigned i = 0; i < 100; ++i) {
                uint64_t last = journal_last_seq(f->journal);

                assert_int_equal(append_number(f->journal, i), 0);
                assert_true(journal_last_seq(f->journal) > last);
                if (i % 10 == 9)
                        restart(f);
                assert_string_equal(journal_epoch(f->journal), epoch);
        }
        assert_int_equal(read_numbers(f->journal, seen, 100), 100);
}

static void test_second_process_is_kept_out(void **state) {
        Fixture *f = *state;
        Journal *other = NULL;

        start(f);
        assert_int_equal(journal_open(&other, &f->options), JOURNAL_E_LOCKED);
        f->journal = journal_close(f->journal);
        start(f);
}

static void test_options_that_contradict_each_other_are_refused(void **state) {
        Fixture *f = *state;
        JournalOptions options = f->options;

        options.max_bytes = 1000;
        assert_int_equal(journal_open(&f->journal, &options), JOURNAL_E_INVALID);
        options = f->options;
        options.reserve_bytes = options.max_bytes;
        assert_int_equal(journal_open(&f->journal, &options), JOURNAL_E_INVALID);
        options = f->options;
        options.dir = "/nonexistent/parent/journal";
        assert_int_equal(journal_open(&f->journal, &options), JOURNAL_E_INVALID);
}

static void test_segments_too_large_for_the_whole_are_made_smaller(void **state) {
        Fixture *f = *state;

        f->options.segment_bytes = MAX_BYTES;
        start(f);
        assert_int_equal(append_number(f->journal, 0), 0);
        assert_true(journal_bytes(f->journal) <= MAX_BYTES / 8);
}

static void test_read_stops_at_its_limits_but_always_gives_one(void **state) {
        Fixture *f = *state;
        JournalRecord records[8];

        start(f);
        for (unsigned i = 0; i < 8; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        assert_int_equal(journal_read(f->journal, 0, records, 3, SIZE_MAX), 3);
        assert_int_equal(journal_read(f->journal, records[2].seq, records, 8, 1), 1);
        assert_int_equal(journal_read(f->journal, records[0].seq, records, 8, SIZE_MAX), 4);
}

static void test_two_readers_go_their_own_ways(void **state) {
        Fixture *f = *state;
        JournalRecord records[N_BATCH];
        uint64_t fast = 0, slow = 0;
        size_t n_fast = 0, n_slow = 0, n;

        start(f);
        for (unsigned i = 0; i < 5000; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        while ((n = journal_read(f->journal, slow, records, 10, SIZE_MAX)) > 0) {
                slow = records[n - 1].seq;
                n_slow += n;
                n = journal_read(f->journal, fast, records, N_BATCH, SIZE_MAX);
                if (n > 0)
                        fast = records[n - 1].seq;
                n_fast += n;
        }
        assert_int_equal(n_fast, 5000);
        assert_int_equal(n_slow, 5000);
}

static void test_count_after_counts_what_is_behind(void **state) {
        Fixture *f = *state;
        JournalRecord records[N_BATCH];

        start(f);
        for (unsigned i = 0; i < 3000; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        assert_int_equal(count(f->journal), 3000);
        assert_int_equal(journal_read(f->journal, 0, records, 10, SIZE_MAX), 10);
        assert_int_equal(journal_count_after(f->journal, records[9].seq), 2990);
        assert_int_equal(journal_count_after(f->journal, journal_last_seq(f->journal)), 0);
}

static void test_too_large_is_an_answer(void **state) {
        Fixture *f = *state;
        char *payload = calloc(1, SEGMENT_BYTES);
        char *topic = calloc(1, 70000);
        Inbound inbound = message(0, false, "");
        uint64_t seq;

        start(f);
        inbound.payload = (Text){ payload, SEGMENT_BYTES };
        assert_int_equal(journal_append(f->journal, &inbound, &seq), JOURNAL_E_TOO_LARGE);
        inbound.payload.n = SEGMENT_BYTES - 64 - 48 - 16;
        assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
        inbound.payload.n = 0;
        inbound.topic = (Text){ topic, 65536 };
        assert_int_equal(journal_append(f->journal, &inbound, &seq), JOURNAL_E_TOO_LARGE);
        free(payload);
        free(topic);
}

static void test_each_way_to_sync_keeps_what_was_appended(void **state) {
        static const JournalFsync ways[] = {
                JOURNAL_FSYNC_ALWAYS,
                JOURNAL_FSYNC_INTERVAL,
                JOURNAL_FSYNC_NEVER,
        };
        Fixture *f = *state;

        f->options.fsync_interval_ms = 1;
        for (size_t i = 0; i < N_ELEMENTS(ways); ++i) {
                metrics_reset();
                f->options.fsync = ways[i];
                start(f);
                for (unsigned k = 0; k < 20; ++k)
                        assert_int_equal(append(f->journal, 0, false, "x"), 0);
                f->journal = journal_close(f->journal);
                if (ways[i] == JOURNAL_FSYNC_ALWAYS)
                        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), 20);
                if (ways[i] == JOURNAL_FSYNC_INTERVAL)
                        assert_true(metric_get(METRIC_JOURNAL_FSYNCS) > 0);
                if (ways[i] == JOURNAL_FSYNC_NEVER)
                        assert_int_equal(metric_get(METRIC_JOURNAL_FSYNCS), 0);
        }
        start(f);
        assert_int_equal(count(f->journal), 60);
}

/* ---- full, high, low ---- */

static void test_full_journal_refuses_and_takes_again_after_a_commit(void **state) {
        Fixture *f = *state;
        unsigned n;

        start(f);
        n = fill(f->journal, 1000);
        assert_true(n > 500);
        assert_true(journal_bytes(f->journal) <= MAX_BYTES);
        assert_int_equal(append(f->journal, 0, false, "x"), 0); /* a small one still fits */
        assert_int_equal(count(f->journal), n + 1);
        assert_true(metric_get(METRIC_REFUSED_JOURNAL_FULL) > 0);

        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_true(journal_bytes(f->journal) <= (uint64_t)3 * SEGMENT_BYTES);
        assert_true(fill(f->journal, 1000) > 300);
}

static void test_high_water_comes_before_full_and_ends_below(void **state) {
        Fixture *f = *state;
        JournalRecord records[N_BATCH];
        uint64_t seq = 0;
        size_t n;

        start(f);
        assert_false(journal_is_high(f->journal));
        while (!journal_is_high(f->journal))
                assert_int_equal(append(f->journal, 0, false, "0123456789"), 0);
        assert_int_equal(metric_get(METRIC_JOURNAL_FULL), 1);
        assert_true(fill(f->journal, 100) > 1000); /* the reserve */

        while (journal_is_high(f->journal)) {
                n = journal_read(f->journal, seq, records, N_BATCH, SIZE_MAX);
                assert_true(n > 0);
                seq = records[n - 1].seq;
                journal_commit(f->journal, seq);
        }
        assert_true(journal_bytes(f->journal) < MAX_BYTES - (uint64_t)4 * SEGMENT_BYTES);
        assert_int_equal(metric_get(METRIC_JOURNAL_FULL), 0);
}

static void test_low_disk_is_high_water_and_no_new_segment(void **state) {
        Fixture *f = *state;

        f->options.min_free_bytes = UINT64_MAX / 4;
        start(f);
        assert_true(journal_is_high(f->journal));
        assert_int_equal(append(f->journal, 0, false, "x"), JOURNAL_E_FULL);
        f->journal = journal_close(f->journal);
        f->options.min_free_bytes = 0;
        start(f);
        assert_int_equal(append(f->journal, 0, false, "x"), 0);
}

static void test_full_journal_opens_again_to_be_read(void **state) {
        Fixture *f = *state;
        unsigned n;

        start(f);
        n = fill(f->journal, 1000);
        restart(f);
        assert_true(journal_is_high(f->journal));
        assert_int_equal(count(f->journal), n);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(append(f->journal, 0, false, "x"), 0);
}

static void test_a_journal_that_is_made_smaller_takes_messages_again(void **state) {
        Fixture *f = *state;

        /* One segment that is larger than all that the next start may have. */
        f->journal = journal_close(f->journal);
        f->options.max_bytes = (uint64_t)16 * 1024 * 1024;
        f->options.segment_bytes = (uint64_t)2 * 1024 * 1024;
        start(f);
        for (int i = 0; i < 30; ++i)
                assert_int_equal(append_bytes(f->journal, 40000), 0);
        f->options.max_bytes = (uint64_t)8 * SEGMENT_BYTES;
        f->options.segment_bytes = SEGMENT_BYTES;
        restart(f);
        assert_true(journal_is_high(f->journal));
        assert_int_equal(append_bytes(f->journal, 40000), JOURNAL_E_FULL);

        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_false(journal_is_high(f->journal));
        for (int i = 0; i < 100; ++i) {
                assert_int_equal(append_bytes(f->journal, 40000), 0);
                journal_commit(f->journal, journal_last_seq(f->journal));
        }
        assert_true(journal_bytes(f->journal) <= f->options.max_bytes);
}

static void test_commit_keeps_one_segment_of_the_newest_for_redeliveries(void **state) {
        Fixture *f = *state;
        size_t n;

        start(f);
        for (unsigned i = 0; i < 4000; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        assert_true(metric_get(METRIC_JOURNAL_SEGMENTS) > 4);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(metric_get(METRIC_JOURNAL_SEGMENTS), 2);
        n = count(f->journal);
        assert_true(n >= 700 && n < 2000);

        for (unsigned i = 0; i < 5; ++i) { /* few and small: they do not push it out */
                restart(f);
                assert_int_equal(append_number(f->journal, 5000 + i), 0);
                journal_commit(f->journal, journal_last_seq(f->journal));
        }
        assert_int_equal(count(f->journal), n + 5);
}

static void test_uncommitted_segments_stay(void **state) {
        Fixture *f = *state;
        JournalRecord first;
        bool seen[4000] = { 0 };

        start(f);
        for (unsigned i = 0; i < 4000; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        assert_int_equal(journal_read(f->journal, 0, &first, 1, SIZE_MAX), 1);
        journal_commit(f->journal, first.seq);
        restart(f);
        assert_int_equal(read_numbers(f->journal, seen, 4000), 4000);
}

/* ---- what is kept although it is stored ---- */

static uint64_t append_numbers(Fixture *f, unsigned n) {
        for (unsigned i = 0; i < n; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        return journal_last_seq(f->journal);
}

static uint64_t count_between(Journal *journal, uint64_t after_seq, uint64_t last_seq) {
        uint64_t n = 0;

        while (after_seq < last_seq)
                n += journal_count_some(journal, &after_seq, last_seq, 100);
        return n;
}

static void test_what_is_stored_stays_for_its_time_and_is_read_again(void **state) {
        Fixture *f = *state;

        f->options.keep_ms = 3600000;
        start(f);
        (void)append_numbers(f, 4000);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(count(f->journal), 4000);
        restart(f);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(count(f->journal), 4000);
        assert_true(metric_get(METRIC_JOURNAL_KEPT_BYTES) > 2 * SEGMENT_BYTES);

        restart(f);
        f->options.keep_ms = 0;
        restart(f);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(metric_get(METRIC_JOURNAL_SEGMENTS), 2);
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 0);
}

static void test_what_is_only_kept_gives_way_before_anything_is_refused(void **state) {
        Fixture *f = *state;
        int64_t n_dropped = metric_get(METRIC_JOURNAL_KEPT_DROPPED);

        f->options.keep_ms = 3600000;
        start(f);
        for (unsigned i = 0; i < 20000; ++i) {
                assert_int_equal(append_number(f->journal, i), 0);
                journal_commit(f->journal, journal_last_seq(f->journal));
                assert_false(journal_is_high(f->journal));
        }
        assert_true(journal_bytes(f->journal) <= MAX_BYTES);
        assert_true(count(f->journal) > 4000); /* and not more of it than it had to */
        assert_true(metric_get(METRIC_JOURNAL_KEPT_DROPPED) > n_dropped);
}

static void test_low_disk_takes_what_is_only_kept(void **state) {
        Fixture *f = *state;

        f->options.keep_ms = 3600000;
        start(f);
        (void)append_numbers(f, 4000);
        restart(f);
        f->options.min_free_bytes = UINT64_MAX / 4;
        restart(f);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(metric_get(METRIC_JOURNAL_SEGMENTS), 2);
}

static void test_what_is_to_be_stored_again_does_not_go(void **state) {
        Fixture *f = *state;
        JournalRecord first;

        f->options.keep_ms = 3600000;
        start(f);
        (void)append_numbers(f, 4000);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(journal_read(f->journal, 0, &first, 1, SIZE_MAX), 1);
        journal_rewind(f->journal, first.seq);
        assert_true(fill(f->journal, 1000) > 0);
        assert_true(count(f->journal) > 4000);
        assert_int_equal(metric_get(METRIC_JOURNAL_KEPT_BYTES), 0);
}

static void test_what_is_held_stays_beyond_its_time(void **state) {
        Fixture *f = *state;
        JournalRecord first;

        start(f);
        (void)append_numbers(f, 4000);
        assert_int_equal(journal_read(f->journal, 0, &first, 1, SIZE_MAX), 1);
        journal_hold(f->journal, first.seq - 1);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(count(f->journal), 4000);
        journal_hold(f->journal, UINT64_MAX);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_true(count(f->journal) < 4000);
}

static void test_what_is_gone_is_known_by_its_numbers(void **state) {
        Fixture *f = *state;
        uint64_t from, to, last;
        JournalRecord first;
        char path[512];

        start(f);
        last = append_numbers(f, 4000);
        assert_false(journal_find_hole(f->journal, 0, &from, &to));
        journal_commit(f->journal, last);
        assert_int_equal(journal_read(f->journal, 0, &first, 1, SIZE_MAX), 1);

        for (int i = 0; i < 2; ++i) {
                assert_true(journal_find_hole(f->journal, 17, &from, &to));
                assert_int_equal(from, 17);
                assert_int_equal(to, first.seq - 1);
                assert_false(journal_find_hole(f->journal, first.seq - 1, &from, &to));
                restart(f);
        }

        (void)append_numbers(f, 3000);
        f->journal = journal_close(f->journal);
        assert_true(segment_path(f->dir, 2, path, sizeof(path)));
        assert_int_equal(unlink(path), 0);
        start(f);
        assert_true(journal_find_hole(f->journal, first.seq, &from, &to));
        assert_true(from >= first.seq && to > from);
        assert_false(journal_find_hole(f->journal, to, &from, &to));
}

static void test_what_is_gone_at_the_end_is_missed(void **state) {
        Fixture *f = *state;
        uint64_t from, to, kept, last;
        char path[512];

        start(f);
        (void)append_numbers(f, 2000);
        kept = journal_last_seq(f->journal);
        restart(f);
        last = append_numbers(f, 10);
        f->journal = journal_close(f->journal);
        while (segment_path(f->dir, 1, path, sizeof(path)))
                assert_int_equal(unlink(path), 0);

        for (int i = 0; i < 3;
             ++i) { /* and once more, though nothing follows, and then though much does */
                start(f);
                assert_true(journal_find_hole(f->journal, 17, &from, &to));
                assert_true(from < kept && to >= last);
                assert_false(journal_find_hole(f->journal, to, &from, &to));
                if (i > 0)
                        assert_true(append_numbers(f, 10) > to);
                f->journal = journal_close(f->journal);
        }
}

static void test_what_is_all_gone_is_missed_unless_it_was_stored(void **state) {
        Fixture *f = *state;
        uint64_t from, to, last = 0;
        char path[512];

        for (int is_stored = 0; is_stored < 2; ++is_stored) {
                start(f);
                last = append_numbers(f, 10);
                if (is_stored)
                        journal_note_stored(f->journal, last);
                f->journal = journal_close(f->journal);
                while (segment_path(f->dir, 0, path, sizeof(path)))
                        assert_int_equal(unlink(path), 0);
                start(f);
                assert_int_equal(journal_find_hole(f->journal, last - 1, &from, &to), !is_stored);
                f->journal = journal_close(f->journal);
        }
}

static void test_a_restart_is_no_hole(void **state) {
        Fixture *f = *state;
        uint64_t from, to;

        start(f);
        for (int i = 0; i < 3; ++i) {
                (void)append_numbers(f, 1000);
                restart(f);
        }
        assert_false(journal_find_hole(f->journal, 0, &from, &to));
}

static void test_records_are_counted_between_two_numbers(void **state) {
        Fixture *f = *state;
        JournalRecord records[N_BATCH];
        uint64_t last;

        start(f);
        (void)append_numbers(f, 2000);
        restart(f);
        last = append_numbers(f, 1000);
        assert_int_equal(journal_read(f->journal, 0, records, N_BATCH, SIZE_MAX), N_BATCH);
        assert_int_equal(count_between(f->journal, 0, last), 3000);
        assert_int_equal(count_between(f->journal, records[9].seq, records[29].seq), 20);
        assert_int_equal(count_between(f->journal, records[29].seq, last), 2970);
        assert_int_equal(count_between(f->journal, last, last + 10), 0);
        last = append_numbers(f, 5);
        assert_int_equal(count_between(f->journal, last - 5, last), 5);
}

static void test_a_copy_is_made_beside_the_process_that_writes(void **state) {
        Fixture *f = *state;
        Journal *copy = NULL;

        start(f);
        (void)append_numbers(f, 3000);
        assert_int_equal(journal_open_copy(&copy, f->dir), 0);
        (void)append_numbers(f, 10);
        assert_int_equal(count(copy), 3000);
        assert_int_equal(journal_first_seq(copy), journal_first_seq(f->journal));
        assert_int_equal(journal_last_seq(copy), journal_last_seq(f->journal) - 10);
        assert_string_equal(journal_epoch(copy), journal_epoch(f->journal));
        copy = journal_close(copy);

        f->journal = journal_close(f->journal); /* which cuts the file that is being read */
        assert_int_equal(journal_open_copy(&copy, f->dir), 0);
        start(f);
        assert_int_equal(count(copy), 3010);
        journal_close(copy);
        assert_int_equal(count(f->journal), 3010);
        assert_int_equal(journal_open_copy(&copy, f->root), JOURNAL_E_INVALID);
}

/* ---- redeliveries ---- */

static void test_redelivery_is_stored_once_and_counted(void **state) {
        Fixture *f = *state;

        start(f);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(count(f->journal), 1);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 3);
        assert_int_equal(metric_get(METRIC_DUPLICATE), 2);
}

static void test_equal_messages_that_were_sent_twice_are_both_kept(void **state) {
        Fixture *f = *state;

        start(f);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        assert_int_equal(append(f->journal, 6, true, "on"), 0);  /* another packet */
        assert_int_equal(append(f->journal, 5, true, "off"), 0); /* another content */
        assert_int_equal(append(f->journal, 0, true, "on"), 0);  /* QoS 0 has no packet id */
        assert_int_equal(append(f->journal, 0, true, "on"), 0);
        assert_int_equal(count(f->journal), 6);
}

static void test_redelivery_is_recognised_after_a_restart_and_a_crash(void **state) {
        Fixture *f = *state;
        char copy[128];

        start(f);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        restart(f);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 6, false, "off"), 0);

        path_of(copy, sizeof(copy), f->root, "copy");
        copy_dir(f->dir, copy);
        f->journal = journal_close(f->journal);
        f->options.dir = copy;
        start(f);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 6, true, "off"), JOURNAL_E_DUPLICATE);
}

/* A broker that crashes with us comes back with what it had stored: it has forgotten our
 * acknowledgements, and gives packet ids again that it gave since. */
static void test_what_comes_again_after_each_crash_is_recognised_each_time(void **state) {
        Fixture *f = *state;
        char text[24];

        start(f);
        for (uint16_t id = 1; id <= 20; ++id) {
                snprintf(text, sizeof(text), "old %d", id);
                assert_int_equal(append(f->journal, id, false, text), 0);
        }
        for (int crash = 0; crash < 3; ++crash) {
                restart(f);
                journal_resume_session(f->journal, 1, 1000);
                assert_int_equal(append(f->journal, 1, true, "old 1"), JOURNAL_E_DUPLICATE);
                assert_int_equal(append(f->journal, 2, true, "old 2"), JOURNAL_E_DUPLICATE);
                for (uint16_t id = 11; id <= 60; ++id) {
                        snprintf(text, sizeof(text), "new %d %d", crash, id);
                        assert_int_equal(append(f->journal, id, false, text), 0);
                }
        }
}

static void test_new_session_forgets_also_after_a_restart(void **state) {
        Fixture *f = *state;
        JournalRecord record;
        uint64_t seq;

        start(f);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        seq = journal_last_seq(f->journal);
        journal_forget_session(f->journal, 1);
        assert_int_equal(journal_last_seq(f->journal), seq); /* not a message */
        assert_int_equal(journal_read(f->journal, seq, &record, 1, SIZE_MAX), 0);
        assert_true(journal_poll_fd(f->journal, seq) >= 0);
        restart(f);
        assert_int_equal(append(f->journal, 5, true, "on"), 0);
        restart(f);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(count(f->journal), 2);
}

static void test_a_new_session_with_one_broker_forgets_nothing_of_another(void **state) {
        Fixture *f = *state;

        f->options.max_bytes = 64 << 20;
        f->options.segment_bytes = 1 << 20;
        start(f);
        journal_forget_session(f->journal, 7);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        journal_forget_session(f->journal, 9);
        assert_int_equal(append(f->journal, 5, true, "on"), 0); /* of another broker */
        fill(f->journal, 20000);                                /* more than a segment */
        journal_commit(f->journal, journal_last_seq(f->journal));
        restart(f);
        journal_resume_session(f->journal, 7, 1000);
        assert_int_equal(append(f->journal, 5, false, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 6, false, "off"), 0);
        restart(f);
        journal_resume_session(f->journal, 9, 1000);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 6, true, "off"), 0);
        journal_forget_session(f->journal, 7);
        assert_int_equal(append(f->journal, 6, true, "off"), 0);
}

static void test_who_resumes_a_session_of_others_goes_on_with_theirs(void **state) {
        Fixture *f = *state;

        start(f);
        journal_forget_session(f->journal, 7);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        journal_resume_session(f->journal, 9, 1000); /* two names of a cluster */
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 6, false, "off"), 0);
        journal_resume_session(f->journal, 7, 1000);
        assert_int_equal(append(f->journal, 6, true, "off"), JOURNAL_E_DUPLICATE);
}

/* Others had the session meanwhile; the other doors have nothing to do with it. */
static void test_a_connection_of_before_brings_nothing_until_the_next_begins(void **state) {
        Fixture *f = *state;
        const Inbound other = {
                .door = DOOR_HTTP, .qos = 1, .topic = TEXT("t"), .payload = TEXT("three")
        };
        uint64_t seq;

        start(f);
        journal_resume_session(f->journal, 7, 1000);
        assert_int_equal(append(f->journal, 1, false, "one"), 0);
        journal_end_connection(f->journal);
        assert_int_equal(append(f->journal, 2, false, "two"), JOURNAL_E_STALE);
        assert_int_equal(append(f->journal, 1, true, "one"), JOURNAL_E_STALE);
        assert_int_equal(journal_append(f->journal, &other, &seq), 0);
        journal_resume_session(f->journal, 7, 1000);
        assert_int_equal(append(f->journal, 2, true, "two"), 0);
        journal_end_connection(f->journal);
        journal_forget_session(f->journal, 7);
        assert_int_equal(append(f->journal, 1, false, "one"), 0);
}

static void test_new_session_is_remembered_when_the_journal_was_full(void **state) {
        Fixture *f = *state;

        start(f);
        assert_int_equal(append(f->journal, 5, false, "on"), 0);
        fill(f->journal, 1000);
        fill(f->journal, 1);
        journal_forget_session(f->journal, 1);
        assert_int_equal(append(f->journal, 5, true, "on"), JOURNAL_E_FULL);
        journal_commit(f->journal, journal_last_seq(f->journal));
        assert_int_equal(append(f->journal, 6, false, "off"), 0);
        restart(f);
        assert_int_equal(append(f->journal, 5, true, "on"), 0);
        assert_int_equal(append(f->journal, 6, true, "off"), JOURNAL_E_DUPLICATE);
}

static void test_only_what_can_be_in_flight_is_compared(void **state) {
        Fixture *f = *state;

        f->options.max_bytes = 64 << 20;
        f->options.segment_bytes = 4 << 20;
        start(f);
        journal_resume_session(f->journal, 1, 1000);
        assert_int_equal(append(f->journal, 1, false, "on"), 0);
        for (unsigned i = 2; i <= 1000; ++i)
                assert_int_equal(append(f->journal, i, false, "on"), 0);
        assert_int_equal(append(f->journal, 1, true, "on"), JOURNAL_E_DUPLICATE);
        for (unsigned i = 1001; i <= 2500; ++i)
                assert_int_equal(append(f->journal, i, false, "on"), 0);
        assert_int_equal(append(f->journal, 1, true, "on"), 0);
        restart(f);
        journal_resume_session(f->journal, 1, 1000);
        assert_int_equal(append(f->journal, 2, true, "on"), 0);
}

static void test_an_id_that_came_again_says_that_all_before_it_was_acknowledged(void **state) {
        Fixture *f = *state;

        /* 3.1.1 knows no limit, and a broker may take the lowest id that is free. */
        start(f);
        journal_resume_session(f->journal, 1, REDELIVERY_MAX_IN_FLIGHT);
        assert_int_equal(append(f->journal, 2, false, "on"), 0);
        for (int i = 0; i < 5; ++i)
                assert_int_equal(append(f->journal, 1, false, "off"), 0);
        journal_resume_session(f->journal, 1, REDELIVERY_MAX_IN_FLIGHT);
        assert_int_equal(append(f->journal, 1, true, "off"), JOURNAL_E_DUPLICATE);
        assert_int_equal(append(f->journal, 2, true, "on"), 0);
}

static void test_what_was_in_flight_is_recognised_without_its_mark(void **state) {
        Fixture *f = *state;

        start(f);
        journal_resume_session(f->journal, 1, 1000);
        assert_int_equal(append(f->journal, 1, false, "on"), 0);
        assert_int_equal(append(f->journal, 2, false, "on"), 0);
        assert_int_equal(append(f->journal, 3, false, "on"), 0);
        for (int i = 0; i < 3; ++i) {
                if (i == 1)
                        restart(f);
                journal_resume_session(f->journal, 1, 1000);
                assert_int_equal(append(f->journal, 2, false, "on"), JOURNAL_E_DUPLICATE);
                assert_int_equal(append(f->journal, 3, false, "on"), JOURNAL_E_DUPLICATE);
        }
        /* Acknowledged: the device has sent the same once more. */
        assert_int_equal(append(f->journal, 2, false, "on"), 0);
        assert_int_equal(append(f->journal, 2, false, "on"), 0);
        assert_int_equal(append(f->journal, 7, false, "on"), 0);

        /* As many others as were in flight: nothing of it comes any more. */
        journal_resume_session(f->journal, 1, 2);
        assert_int_equal(append(f->journal, 8, false, "on"), 0);
        assert_int_equal(append(f->journal, 9, false, "on"), 0);
        assert_int_equal(append(f->journal, 7, false, "on"), 0);
}

static void test_large_messages_in_flight_are_recognised_after_a_restart(void **state) {
        static char payload[30000];
        Fixture *f = *state;
        Inbound inbound = message(0, false, "");
        uint64_t seq;

        /* Many times what is kept of the journal for their sake. */
        inbound.payload = (Text){ payload, sizeof(payload) };
        start(f);
        journal_resume_session(f->journal, 1, 100);
        for (unsigned i = 1; i <= 100; ++i) {
                inbound.packet_id = (uint16_t)i;
                assert_int_equal(journal_append(f->journal, &inbound, &seq), 0);
                journal_commit(f->journal, seq);
        }
        assert_true(journal_bytes(f->journal) < 100 * sizeof(payload));
        restart(f);
        journal_commit(f->journal, seq);
        journal_resume_session(f->journal, 1, 100);
        for (unsigned i = 1; i <= 100; ++i) {
                inbound.packet_id = (uint16_t)i;
                inbound.is_redelivery = i % 2 != 0;
                assert_int_equal(journal_append(f->journal, &inbound, &seq), JOURNAL_E_DUPLICATE);
        }
}

/* ---- damage ---- */

enum { N_SMALL = 6 };

/* A journal of N_SMALL records as a killed process leaves it; its only segment. */
static size_t make_small(Fixture *f, char *ret_path, size_t n_path, uint8_t **ret_bytes) {
        char copy[128];
        size_t n;

        start(f);
        for (unsigned i = 0; i < N_SMALL; ++i)
                assert_int_equal(append_number(f->journal, 10 + i), 0);
        path_of(copy, sizeof(copy), f->root, "copy");
        copy_dir(f->dir, copy);
        f->journal = journal_close(f->journal);
        copy_dir(copy, f->dir);
        assert_true(segment_path(f->dir, 0, ret_path, n_path));
        n = read_file(ret_path, ret_bytes);
        assert_int_equal(n, SEGMENT_BYTES);
        return n;
}

static size_t record_bytes(unsigned number) {
        char payload[64];

        return segment_record_bytes(&(SegmentBody){
                .topic = TEXT("plant/1/temp"),
                .payload = { payload, make_payload(payload, sizeof(payload), number) },
        });
}

/* Opens, reads, appends one more and reads again; the number of the records that were there. */
static size_t survivors(Fixture *f, bool *ret_seen) {
        bool again[20] = { 0 };
        size_t n;

        start(f);
        n = read_numbers(f->journal, ret_seen, 20);
        assert_int_equal(append_number(f->journal, 19), 0);
        restart(f);
        assert_int_equal(read_numbers(f->journal, again, 20), n + 1);
        f->journal = journal_close(f->journal);
        remove_dir(f->dir);
        assert_int_equal(mkdir(f->dir, 0700), 0);
        return n;
}

/* Puts the identity and one segment where the last trial left nothing. */
static void stage(Fixture *f, const char *path, const uint8_t *bytes, size_t n) {
        char from[160], to[160];
        uint8_t *identity;
        size_t n_identity;

        snprintf(from, sizeof(from), "%s/copy/identity", f->root);
        snprintf(to, sizeof(to), "%s/identity", f->dir);
        n_identity = read_file(from, &identity);
        write_file(to, identity, n_identity);
        write_file(path, bytes, n);
        free(identity);
}

/* Padding behind the last byte of a record is nothing that could be lost. */
static void test_every_truncation_of_the_last_record_costs_only_that_one(void **state) {
        Fixture *f = *state;
        char path[256];
        uint8_t *bytes, *torn;
        size_t n = make_small(f, path, sizeof(path), &bytes);
        size_t end = SEGMENT_HEADER_BYTES, last;

        for (unsigned i = 0; i < N_SMALL; ++i)
                end += record_bytes(10 + i);
        last = end - record_bytes(10 + N_SMALL - 1);
        torn = calloc(1, n);
        assert_non_null(torn);
        for (size_t cut = last; cut <= end; ++cut) {
                bool seen[20] = { 0 };
                bool seen_too[20] = { 0 };
                size_t n_seen;

                stage(f, path, bytes, cut); /* the file ends here */
                n_seen = survivors(f, seen);
                assert_true(n_seen == N_SMALL - 1 || (n_seen == N_SMALL && cut + 7 >= end));

                memcpy(torn, bytes, cut); /* zeros from here on */
                stage(f, path, torn, n);
                assert_int_equal(survivors(f, seen_too), n_seen);
        }
        free(bytes);
        free(torn);
}

static void test_every_flipped_bit_costs_at_most_the_record_it_is_in(void **state) {
        Fixture *f = *state;
        char path[256];
        uint8_t *bytes;
        size_t n = make_small(f, path, sizeof(path), &bytes);
        size_t end = SEGMENT_HEADER_BYTES;

        for (unsigned i = 0; i < N_SMALL; ++i)
                end += record_bytes(10 + i);
        for (size_t bit = 0; bit < end * 8; ++bit) {
                bool seen[20] = { 0 };
                size_t n_seen;

                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                stage(f, path, bytes, n);
                n_seen = survivors(f, seen);
                assert_true(n_seen >= N_SMALL - 1);
                assert_true(n_seen == N_SMALL || bit / 8 >= SEGMENT_HEADER_BYTES);
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(bytes);
}

static void test_zeroed_page_costs_only_the_records_in_it(void **state) {
        Fixture *f = *state;
        bool seen[600] = { 0 };
        char path[256];
        uint8_t *bytes;
        size_t n, at = SEGMENT_HEADER_BYTES;

        start(f);
        for (unsigned i = 0; i < 600; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        assert_true(segment_path(f->dir, 0, path, sizeof(path)));
        n = read_file(path, &bytes);
        memset(bytes + 8192, 0, 4096);
        write_file(path, bytes, n);
        free(bytes);

        start(f);
        assert_true(read_numbers(f->journal, seen, 600) > 500);
        for (unsigned i = 0; i < 600; ++i) {
                bool in_page = at < 12288 && at + record_bytes(i) > 8192;

                assert_true(seen[i] || in_page);
                at += record_bytes(i);
        }
}

static void test_missing_segment_costs_only_its_own_records(void **state) {
        Fixture *f = *state;
        bool seen[4000] = { 0 };
        char path[256];
        size_t n;

        start(f);
        for (unsigned i = 0; i < 4000; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        assert_true(segment_path(f->dir, 2, path, sizeof(path)));
        assert_int_equal(unlink(path), 0);
        start(f);
        n = read_numbers(f->journal, seen, 4000);
        assert_true(n > 3000 && n < 4000);
        assert_true(seen[0] && seen[3999]);
}

static void test_empty_and_torn_files_of_a_rotation_are_removed(void **state) {
        static const size_t sizes[] = { 0, 1, 63, 64, 4096, SEGMENT_BYTES };
        Fixture *f = *state;
        uint8_t *zeros = calloc(1, SEGMENT_BYTES);
        bool seen[10] = { 0 };
        char path[256];

        start(f);
        for (unsigned i = 0; i < 10; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        for (size_t i = 0; i < N_ELEMENTS(sizes); ++i) {
                path_of(path, sizeof(path), f->dir, "00ffffffffffffff.seg");
                write_file(path, zeros, sizes[i]);
                restart(f);
                assert_int_equal(count(f->journal), 10);
                assert_int_equal(access(path, F_OK), -1);
        }
        assert_int_equal(read_numbers(f->journal, seen, 10), 10);
        free(zeros);
}

static void test_random_garbage_is_neither_read_nor_believed(void **state) {
        Fixture *f = *state;
        char path[256];
        uint8_t *bytes;
        size_t n = make_small(f, path, sizeof(path), &bytes);
        uint32_t x = 12345;

        for (int round = 0; round < 30; ++round) {
                bool seen[20] = { 0 };
                size_t from = SEGMENT_HEADER_BYTES + record_bytes(10) + record_bytes(11);

                for (size_t i = from; i < n; ++i) {
                        x = x * 1664525 + 1013904223;
                        bytes[i] = (uint8_t)(x >> 24);
                }
                stage(f, path, bytes, n);
                assert_int_equal(survivors(f, seen), 2);
        }
        free(bytes);
}

static void test_lost_identity_is_found_in_a_segment(void **state) {
        Fixture *f = *state;
        char epoch[JOURNAL_EPOCH_SIZE];
        char path[256];
        bool seen[10] = { 0 };

        start(f);
        memcpy(epoch, journal_epoch(f->journal), sizeof(epoch));
        for (unsigned i = 0; i < 10; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        path_of(path, sizeof(path), f->dir, "identity");
        write_file(path, (const uint8_t *)"tidegate", 8);
        start(f);
        assert_string_equal(journal_epoch(f->journal), epoch);
        assert_int_equal(read_numbers(f->journal, seen, 10), 10);
        f->journal = journal_close(f->journal);

        write_file(path, (const uint8_t *)"tidegate-journal 9\n", 19);
        assert_int_equal(journal_open(&f->journal, &f->options), JOURNAL_E_INVALID);
}

static void test_segment_of_another_journal_is_left_alone(void **state) {
        Fixture *f = *state;
        char path[256], target[256];
        bool seen[10] = { 0 };
        uint8_t *bytes;
        size_t n;

        start(f);
        for (unsigned i = 0; i < 10; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        assert_true(segment_path(f->dir, 0, path, sizeof(path)));
        n = read_file(path, &bytes);
        remove_dir(f->dir);
        start(f);
        for (unsigned i = 0; i < 5; ++i)
                assert_int_equal(append_number(f->journal, i), 0);
        f->journal = journal_close(f->journal);
        path_of(target, sizeof(target), f->dir, strrchr(path, '/') + 1);
        write_file(target, bytes, n);
        free(bytes);

        start(f);
        assert_int_equal(read_numbers(f->journal, seen, 10), 5);
        assert_int_equal(access(target, F_OK), 0);
}

/* ---- threads ---- */

enum { N_DOORS = 3, N_EACH = 20000 };

static void *append_many(void *arg) {
        Journal *journal = arg;

        for (unsigned i = 0; i < N_EACH; ++i) {
                struct timespec pause = { .tv_nsec = 100000 };

                while (append(journal, i % 60000 + 1, false, "0123456789") == JOURNAL_E_FULL)
                        nanosleep(&pause, NULL); /* until the reader has made room */
        }
        return NULL;
}

static void test_reader_sees_all_that_several_doors_append(void **state) {
        Fixture *f = *state;
        JournalRecord records[N_BATCH];
        pthread_t doors[N_DOORS];
        uint64_t seq = 0;
        size_t n_seen = 0, n;

        f->options.fsync = JOURNAL_FSYNC_INTERVAL;
        f->options.fsync_interval_ms = 1;
        start(f);
        for (size_t i = 0; i < N_DOORS; ++i)
                assert_int_equal(pthread_create(&doors[i], NULL, append_many, f->journal), 0);
        while (n_seen < (size_t)N_DOORS * N_EACH) {
                struct pollfd fd = { .fd = journal_poll_fd(f->journal, seq), .events = POLLIN };

                if (fd.fd >= 0)
                        assert_int_equal(poll(&fd, 1, 10000), 1);
                n = journal_read(f->journal, seq, records, N_BATCH, SIZE_MAX);
                for (size_t i = 0; i < n; ++i) {
                        assert_true(records[i].seq > seq);
                        assert_int_equal(records[i].payload.n, 10);
                        seq = records[i].seq;
                }
                n_seen += n;
                journal_commit(f->journal, seq);
        }
        for (size_t i = 0; i < N_DOORS; ++i)
                assert_int_equal(pthread_join(doors[i], NULL), 0);
        assert_int_equal(n_seen, N_DOORS * N_EACH);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), N_DOORS * N_EACH);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(test_crc32c_knows_the_published_vectors),
                T(test_crc32c_by_table_and_by_hardware_agree),
                T(test_what_is_appended_is_read_back_whole_and_in_order),
                T(test_the_key_of_a_sender_is_beside_what_it_sent),
                T(test_numbers_ascend_over_restarts_and_the_name_stays),
                T(test_second_process_is_kept_out),
                T(test_options_that_contradict_each_other_are_refused),
                T(test_segments_too_large_for_the_whole_are_made_smaller),
                T(test_read_stops_at_its_limits_but_always_gives_one),
                T(test_two_readers_go_their_own_ways),
                T(test_count_after_counts_what_is_behind),
                T(test_too_large_is_an_answer),
                T(test_each_way_to_sync_keeps_what_was_appended),
                T(test_full_journal_refuses_and_takes_again_after_a_commit),
                T(test_high_water_comes_before_full_and_ends_below),
                T(test_low_disk_is_high_water_and_no_new_segment),
                T(test_full_journal_opens_again_to_be_read),
                T(test_a_journal_that_is_made_smaller_takes_messages_again),
                T(test_commit_keeps_one_segment_of_the_newest_for_redeliveries),
                T(test_uncommitted_segments_stay),
                T(test_what_is_stored_stays_for_its_time_and_is_read_again),
                T(test_what_is_only_kept_gives_way_before_anything_is_refused),
                T(test_low_disk_takes_what_is_only_kept),
                T(test_what_is_to_be_stored_again_does_not_go),
                T(test_what_is_held_stays_beyond_its_time),
                T(test_what_is_gone_is_known_by_its_numbers),
                T(test_what_is_gone_at_the_end_is_missed),
                T(test_what_is_all_gone_is_missed_unless_it_was_stored),
                T(test_a_restart_is_no_hole),
                T(test_records_are_counted_between_two_numbers),
                T(test_a_copy_is_made_beside_the_process_that_writes),
                T(test_redelivery_is_stored_once_and_counted),
                T(test_equal_messages_that_were_sent_twice_are_both_kept),
                T(test_redelivery_is_recognised_after_a_restart_and_a_crash),
                T(test_what_comes_again_after_each_crash_is_recognised_each_time),
                T(test_new_session_forgets_also_after_a_restart),
                T(test_a_new_session_with_one_broker_forgets_nothing_of_another),
                T(test_who_resumes_a_session_of_others_goes_on_with_theirs),
                T(test_a_connection_of_before_brings_nothing_until_the_next_begins),
                T(test_new_session_is_remembered_when_the_journal_was_full),
                T(test_only_what_can_be_in_flight_is_compared),
                T(test_an_id_that_came_again_says_that_all_before_it_was_acknowledged),
                T(test_what_was_in_flight_is_recognised_without_its_mark),
                T(test_large_messages_in_flight_are_recognised_after_a_restart),
                T(test_every_truncation_of_the_last_record_costs_only_that_one),
                T(test_every_flipped_bit_costs_at_most_the_record_it_is_in),
                T(test_zeroed_page_costs_only_the_records_in_it),
                T(test_missing_segment_costs_only_its_own_records),
                T(test_empty_and_torn_files_of_a_rotation_are_removed),
                T(test_random_garbage_is_neither_read_nor_believed),
                T(test_lost_identity_is_found_in_a_segment),
                T(test_segment_of_another_journal_is_left_alone),
                T(test_reader_sees_all_that_several_doors_append),
        };

        return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
