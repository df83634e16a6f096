/* JournalWriters: which starts have stored what is in the folder, as the folder knows it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/journal/journal_writers.h"

static char dir[64];
static int dir_fd;
static JournalWriters writers;

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        strcpy(dir, "/tmp/tidegate-writers-XXXXXX");
        assert_non_null(mkdtemp(dir));
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dir_fd >= 0 ? 0 : -1;
}

static int tear_down(void **state) {
        (void)state;
        (void)unlinkat(dir_fd, "writers", 0);
        (void)unlinkat(dir_fd, "writers", AT_REMOVEDIR);
        (void)unlinkat(dir_fd, "writers.new", AT_REMOVEDIR);
        (void)unlinkat(dir_fd, "runs", 0);
        close(dir_fd);
        rmdir(dir);
        return 0;
}

static void begin(const char *id, uint64_t last_seq) {
        journal_writers_begin(&writers, dir_fd, id, last_seq);
}

static void expect(const char *ids, const char *begins) {
        assert_string_equal(writers.ids, ids);
        assert_string_equal(writers.begins, begins);
}

static void test_the_newest_comes_first_with_what_was_there_as_it_began(void **state) {
        (void)state;
        begin("w1", 0);
        expect("{w1}", "{0}");
        journal_writers_claim(&writers);
        begin("w2", 30);
        expect("{w2,w1}", "{30,0}");
        journal_writers_claim(&writers);
        begin("w3", UINT64_MAX);
        expect("{w3,w2,w1}", "{18446744073709551615,30,0}");
}

/* What it found is what the next one's folder has as well. */
static void test_a_start_that_never_got_so_far_gives_its_place_away(void **state) {
        (void)state;
        begin("w1", 0);
        journal_writers_claim(&writers);
        begin("w2", 30);
        begin("w3", 50); /* behind what w2 took in, which it has not stored */
        expect("{w3,w1}", "{30,0}");
}

static void test_once_it_is_settled_only_ours_counts(void **state) {
        (void)state;
        begin("w1", 0);
        journal_writers_claim(&writers);
        begin("w2", 30);
        journal_writers_claim(&writers);
        assert_true(journal_writers_settle(&writers));
        expect("{w2}", "{30}");
        assert_true(journal_writers_settle(&writers)); /* once is enough */
        begin("w3", 90);
        expect("{w3,w2}", "{90,30}");
}

static void test_of_more_than_there_is_room_for_the_oldest_is_forgotten(void **state) {
        char id[32], first[32];

        (void)state;
        for (unsigned i = 0; i < JOURNAL_WRITERS_MAX + 3; ++i) {
                snprintf(id, sizeof(id), "start-%u", i);
                begin(id, i);
                journal_writers_claim(&writers);
        }
        assert_int_equal(writers.n, JOURNAL_WRITERS_MAX);
        snprintf(first, sizeof(first), "{start-%d,", JOURNAL_WRITERS_MAX + 2);
        assert_int_equal(strncmp(writers.ids, first, strlen(first)), 0);
        assert_non_null(strstr(writers.ids, ",start-3}"));
}

static void test_the_longest_names_and_numbers_fit(void **state) {
        char id[JOURNAL_WRITERS_ID_SIZE];

        (void)state;
        memset(id, 'a', sizeof(id) - 1);
        id[sizeof(id) - 1] = '\0';
        for (unsigned i = 0; i < JOURNAL_WRITERS_MAX; ++i) {
                begin(id, UINT64_MAX);
                journal_writers_claim(&writers);
        }
        assert_int_equal(strlen(writers.ids), JOURNAL_WRITERS_MAX * JOURNAL_WRITERS_ID_SIZE + 1);
        assert_int_equal(writers.ids[strlen(writers.ids) - 1], '}');
        assert_int_equal(strlen(writers.begins), JOURNAL_WRITERS_MAX * 21 + 1);
}

/* As a torn file of an older program, or somebody's editor, leaves it. */
static void test_of_a_file_that_cannot_be_read_what_can_be_counts(void **state) {
        int fd = openat(dir_fd, "writers", O_WRONLY | O_CREAT, 0600);

        (void)state;
        assert_int_equal(write(fd, "w1 7 1\n'; DROP TABLE x 3 1\n", 27), 27);
        close(fd);
        begin("w2", 30);
        expect("{w2,w1}", "{30,7}");
}

/* Then the database hears of nobody, and the one before still counts. */
static void test_what_cannot_be_noted_is_not_said(void **state) {
        (void)state;
        assert_int_equal(mkdirat(dir_fd, "writers.new", 0700), 0);
        begin("w1", 0);
        assert_int_equal(writers.n, 0);
        journal_writers_claim(&writers);
        assert_true(journal_writers_settle(&writers)); /* there is nothing to settle */
        assert_int_equal(unlinkat(dir_fd, "writers.new", AT_REMOVEDIR), 0);
        begin("w2", 10);
        assert_int_equal(mkdirat(dir_fd, "writers.new", 0700), 0);
        assert_false(journal_writers_settle(&writers));
        expect("{w2}", "{10}");
}

static void run(const char *id, uint64_t last_seq) {
        journal_writers_begin_run(&writers, dir_fd, id, last_seq);
}

/* Whether anybody has heard of it or not: the folder may be copied at any time. */
static void test_each_run_that_has_numbered_anything_keeps_its_place(void **state) {
        (void)state;
        run("r1", 5);
        run("r2", 9);
        expect("{r2,r1}", "{9,5}");
        journal_writers_claim(&writers);
        run("r3", 9); /* r2 has numbered nothing */
        expect("{r3,r1}", "{9,5}");
        run("r4", 10);
        expect("{r4,r3,r1}", "{10,9,5}");
        begin("w1", 3); /* and those who store are none of them */
        expect("{w1}", "{3}");
}

static void test_of_too_many_runs_none_gives_its_numbers_to_the_journal(void **state) {
        char id[32];

        (void)state;
        for (unsigned i = 0; i < JOURNAL_WRITERS_MAX + 2; ++i) {
                snprintf(id, sizeof(id), "r%u", i);
                run(id, i + 1);
                journal_writers_claim(&writers);
        }
        assert_int_equal(writers.n, JOURNAL_WRITERS_MAX);
        assert_string_equal(writers.items[0].id, "r65");
        assert_int_equal(writers.items[0].begin_seq, 66);
        assert_string_equal(writers.items[JOURNAL_WRITERS_MAX - 1].id, "r2");
        assert_int_equal(writers.items[JOURNAL_WRITERS_MAX - 1].begin_seq, 1);
        run("unheard", 70);
        run("newest", 80); /* has what that one numbered: it said so to nobody */
        assert_string_equal(writers.items[0].id, "newest");
        assert_int_equal(writers.items[0].begin_seq, 70);
        assert_string_equal(writers.items[1].id, "r65");
        assert_string_equal(writers.items[JOURNAL_WRITERS_MAX - 1].id, "r3");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_the_newest_comes_first_with_what_was_there_as_it_began),
                CASE(test_a_start_that_never_got_so_far_gives_its_place_away),
                CASE(test_once_it_is_settled_only_ours_counts),
                CASE(test_of_more_than_there_is_room_for_the_oldest_is_forgotten),
                CASE(test_the_longest_names_and_numbers_fit),
                CASE(test_of_a_file_that_cannot_be_read_what_can_be_counts),
                CASE(test_what_cannot_be_noted_is_not_said),
                CASE(test_each_run_that_has_numbered_anything_keeps_its_place),
                CASE(test_of_too_many_runs_none_gives_its_numbers_to_the_journal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
