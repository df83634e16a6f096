/* JournalGone: files that somebody removes are noticed, and counted until what they had is stored.
 */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/journal/journal.h"
#include "model/metrics.h"

#define SEGMENT_BYTES (64 * 1024)

static char dir[64];
static Journal *journal;
static uint64_t last;
static int64_t now_us = 1;

static int open_journal(void) {
        const JournalOptions options = {
                .dir = dir,
                .max_bytes = (uint64_t)16 * SEGMENT_BYTES,
                .segment_bytes = SEGMENT_BYTES,
                .reserve_bytes = (uint64_t)2 * SEGMENT_BYTES,
                .keep_ms = 3600000,
                .fsync = JOURNAL_FSYNC_NEVER,
        };

        return journal_open(&journal, &options);
}

static int setup(void **state) {
        (void)state;
        metrics_reset();
        strcpy(dir, "/tmp/tidegate-gone-XXXXXX");
        assert_non_null(mkdtemp(dir));
        return open_journal();
}

/* All files whose names end so; how many. */
static size_t remove_files(const char *end) {
        struct dirent *entry;
        DIR *stream = opendir(dir);
        size_t n = 0;

        assert_non_null(stream);
        while ((entry = readdir(stream))) {
                const char *at = strstr(entry->d_name, end);

                if (entry->d_name[0] != '.' && at && strcmp(at, end) == 0)
                        n += unlinkat(dirfd(stream), entry->d_name, 0) == 0;
        }
        closedir(stream);
        return n;
}

static int teardown(void **state) {
        (void)state;
        journal = journal_close(journal);
        for (const char *const *name = (const char *const[]){ ".seg",
                                                              "identity",
                                                              "lock",
                                                              "newest",
                                                              "numbers",
                                                              "stored",
                                                              "writers",
                                                              NULL };
             *name;
             ++name)
                (void)remove_files(*name);
        return rmdir(dir);
}

static void append(const char *payload) {
        const Inbound inbound = {
                .door = DOOR_HTTP,
                .topic = TEXT("t"),
                .payload = text_of(payload),
        };

        assert_int_equal(journal_append(journal, &inbound, &last), 0);
}

/* It does so once a second. */
static void look(void) {
        journal_look(journal, now_us);
        now_us += 999999;
        journal_look(journal, now_us);
        now_us += 1;
}

static void assert_reads(uint64_t after, size_t n) {
        JournalRecord records[16];

        assert_int_equal(journal_read(journal, after, records, 16, SIZE_MAX), n);
}

static void test_what_was_removed_is_written_again_and_nothing_is_added_to_it(void **state) {
        (void)state;
        append("a");
        append("b");
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 0);
        assert_int_equal(remove_files(".seg"), 1);
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 1);
        append("c");
        assert_int_equal(remove_files(".seg"), 1); /* a new one */
        assert_reads(0, 3);
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 1); /* the first one is back */
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 0);
        journal = journal_close(journal);
        assert_int_equal(open_journal(), 0);
        assert_reads(0, 3);
        append("d");
        assert_reads(0, 4);
}

static void test_what_is_stored_is_only_read(void **state) {
        (void)state;
        append("a");
        journal_note_stored(journal, last);
        journal_commit(journal, last);
        assert_int_equal(remove_files(".seg"), 1);
        look();
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 0);
        assert_int_equal(remove_files(".seg"), 0);
        append("b");
        assert_reads(0, 2);
}

static void test_a_folder_that_is_gone_ends_it_only_once_all_is_stored(void **state) {
        const Inbound inbound = { .door = DOOR_HTTP, .topic = TEXT("t"), .payload = TEXT("b") };
        uint64_t seq;

        (void)state;
        append("a");
        look();
        for (const char *const *name =
                     (const char *const[]){
                             ".seg", "identity", "lock", "newest", "numbers", "stored", NULL };
             *name;
             ++name)
                (void)remove_files(*name);
        assert_int_equal(rmdir(dir), 0);
        look();
        assert_int_equal(metric_get(METRIC_JOURNAL_FILES_GONE), 1);
        assert_int_equal(journal_append(journal, &inbound, &seq), JOURNAL_E_FULL);
        assert_false(journal_has_failed(journal));
        assert_reads(0, 1);
        journal_note_stored(journal, last);
        look();
        while (!journal_has_failed(journal)) /* it tries again after a moment */
                assert_int_equal(journal_append(journal, &inbound, &seq), JOURNAL_E_FULL);
        assert_int_equal(mkdir(dir, 0700), 0); /* for the end of the test */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_what_was_removed_is_written_again_and_nothing_is_added_to_it,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_what_is_stored_is_only_read, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_folder_that_is_gone_ends_it_only_once_all_is_stored,
                        setup,
                        teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
