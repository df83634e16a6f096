/* JournalNumbers: no number is given out twice, and none that the database has passed is used. */

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

#include "base/base.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_numbers.h"
#include "model/metrics.h"

#define SEGMENT_BYTES (64 * 1024)
#define N_MAX         64
#define FAR           UINT64_C(10000000000000)
#define BEYOND_CLOCK  (UINT64_C(1) << 53)

typedef struct Fixture Fixture;

struct Fixture {
        char root[64];
        char dir[96], copy[96];
        Journal *journal;
        uint64_t last; /* that was given out */
};

static void path_of(char *ret_path, size_t n, const char *dir, const char *name) {
        assert_true(snprintf(ret_path, n, "%s/%s", dir, name) < (int)n);
}

static void remove_dir(const char *dir) {
        char path[512];
        struct dirent *entry;
        DIR *stream = opendir(dir);

        while (stream && (entry = readdir(stream))) {
                path_of(path, sizeof(path), dir, entry->d_name);
                (void)unlink(path);
        }
        if (stream)
                closedir(stream);
        rmdir(dir);
}

static void copy_file(const char *from, const char *to) {
        char bytes[4096];
        int in = open(from, O_RDONLY);
        int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ssize_t n;

        assert_true(in >= 0 && out >= 0);
        while ((n = read(in, bytes, sizeof(bytes))) > 0)
                assert_int_equal(write(out, bytes, (size_t)n), n);
        close(in);
        close(out);
}

/* As a backup would, or a kill now leave it behind. */
static void copy_dir(const char *from, const char *to) {
        char source[512], target[512];
        struct dirent *entry;
        DIR *stream = opendir(from);

        assert_non_null(stream);
        remove_dir(to);
        assert_int_equal(mkdir(to, 0700), 0);
        while ((entry = readdir(stream))) {
                if (entry->d_name[0] == '.')
                        continue;
                path_of(source, sizeof(source), from, entry->d_name);
                path_of(target, sizeof(target), to, entry->d_name);
                copy_file(source, target);
        }
        closedir(stream);
}

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

/* The process is killed, and the next one finds what it left. */
static void crash(Fixture *f) {
        copy_dir(f->dir, f->copy);
        stop(f);
        copy_dir(f->copy, f->dir);
        start(f);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        log_set_level((LogLevel)-1);
        snprintf(f->root, sizeof(f->root), "/tmp/tidegate-numbers-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        path_of(f->dir, sizeof(f->dir), f->root, "journal");
        path_of(f->copy, sizeof(f->copy), f->root, "copy");
        metrics_reset();
        start(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        stop(f);
        remove_dir(f->dir);
        remove_dir(f->copy);
        rmdir(f->root);
        free(f);
        return 0;
}

static void append(Fixture *f, const char *payload) {
        const Inbound inbound = {
                .door = DOOR_HTTP,
                .topic = TEXT("plant/1/temp"),
                .payload = text_of(payload),
        };

        assert_int_equal(journal_append(f->journal, &inbound, &f->last), 0);
}

static uint64_t confirm(Fixture *f, uint64_t stored_seq, uint64_t position) {
        uint64_t by = UINT64_MAX;

        assert_int_equal(journal_confirm(f->journal, stored_seq, position, &by), 0);
        return by;
}

/* What is read behind @after_seq: its payloads, each of one letter, and the last number. */
static const char *read_after(Fixture *f, uint64_t after_seq, uint64_t *ret_last) {
        static char letters[N_MAX + 1];
        JournalRecord records[N_MAX];
        size_t n = journal_read(f->journal, after_seq, records, N_MAX, SIZE_MAX);

        assert_int_equal(journal_count_after(f->journal, after_seq), n);
        for (size_t i = 0; i < n; ++i) {
                assert_true(records[i].seq > after_seq);
                assert_int_equal(records[i].payload.n, 1);
                letters[i] = records[i].payload.data[0];
                after_seq = records[i].seq;
        }
        letters[n] = '\0';
        *ret_last = after_seq;
        return letters;
}

/* ---- */

static void test_a_start_continues_above_all_that_was_reserved(void **state) {
        Fixture *f = *state;
        char path[512];
        uint64_t lost, again;

        confirm(f, 0, BEYOND_CLOCK);
        append(f, "a");
        lost = f->last;
        assert_true(lost > BEYOND_CLOCK);

        /* A power cut takes all that was not synced, which is every segment. */
        copy_dir(f->dir, f->copy);
        stop(f);
        remove_dir(f->dir);
        assert_int_equal(mkdir(f->dir, 0700), 0);
        for (size_t i = 0; i < 2; ++i) {
                const char *name = i == 0 ? "numbers" : "identity";
                char target[512];

                path_of(path, sizeof(path), f->copy, name);
                path_of(target, sizeof(target), f->dir, name);
                copy_file(path, target);
        }
        start(f);
        append(f, "b");
        again = f->last;
        assert_true(again > lost);
        confirm(f, 0, lost);
        assert_string_equal(read_after(f, lost, &again), "b");
        assert_int_equal(again, f->last);
}

static void test_what_was_accepted_at_or_below_the_position_moves_above_it(void **state) {
        Fixture *f = *state;
        uint64_t last;

        append(f, "a");
        append(f, "b");
        confirm(f, 0, f->last + FAR);
        assert_string_equal(read_after(f, f->last + FAR, &last), "ab");
        assert_int_equal(last, f->last + FAR + 2);
        assert_int_equal(journal_last_seq(f->journal), last);
        append(f, "c");
        assert_true(f->last > last);
        assert_string_equal(read_after(f, last, &last), "c");
        assert_string_equal(read_after(f, last - 1, &last), "c");
}

static void test_moved_numbers_are_the_same_after_a_crash(void **state) {
        Fixture *f = *state;
        uint64_t position, first, last;

        append(f, "a");
        append(f, "b");
        position = f->last + FAR;
        confirm(f, 0, position);
        append(f, "c");
        first = journal_first_seq(f->journal);
        last = journal_last_seq(f->journal);

        for (int i = 0; i < 3; ++i) {
                crash(f);
                assert_int_equal(journal_first_seq(f->journal), first);
                assert_int_equal(journal_last_seq(f->journal), last);
                assert_int_equal(journal_recovered_seq(f->journal), last);
                /* The first of them is stored. */
                confirm(f, 0, first);
                assert_string_equal(read_after(f, first, &last), "bc");
        }
        append(f, "d");
        assert_string_equal(read_after(f, first, &last), "bcd");
}

static void test_a_run_that_never_heard_is_judged_at_the_next_start(void **state) {
        Fixture *f = *state;
        uint64_t position, last;

        confirm(f, 0, 0);
        append(f, "a");
        position = f->last + FAR;
        crash(f); /* the database is away from here on */
        append(f, "b");
        crash(f);
        append(f, "c");
        crash(f);
        append(f, "d");
        confirm(f, 0, position);
        /* "a" has a number that was confirmed and is passed: it is stored. */
        assert_string_equal(read_after(f, position, &last), "bcd");
        crash(f);
        confirm(f, 0, position + 1);
        assert_string_equal(read_after(f, position + 1, &last), "cd");
}

/* The position may have been moved meanwhile, and the process ends before it hears of that. */
static void test_what_comes_while_the_position_is_in_doubt_is_judged_at_the_next_start(
        void **state) {
        Fixture *f = *state;
        uint64_t position, last;

        assert_int_equal(journal_doubt(f->journal), 0); /* of nothing: that is not confirmed yet */
        append(f, "a");
        confirm(f, 0, f->last);
        for (int i = 0; i < 2; ++i) /* once said is enough */
                assert_int_equal(journal_doubt(f->journal), 0);
        append(f, "b");
        assert_int_equal(journal_doubt(f->journal), 0);
        append(f, "c");
        position = f->last + FAR;
        crash(f);
        confirm(f, 0, position);
        assert_string_equal(read_after(f, position, &last), "bc");

        /* What came before the doubt is passed by a position beyond it; what is confirmed, too. */
        append(f, "d");
        assert_int_equal(journal_doubt(f->journal), 0);
        confirm(f, 0, position);
        append(f, "e");
        crash(f);
        confirm(f, 0, f->last);
        assert_string_equal(read_after(f, f->last, &last), "");
}

static void test_nothing_moves_where_the_numbers_are_above(void **state) {
        Fixture *f = *state;
        uint64_t first, last;

        append(f, "a");
        first = f->last;
        append(f, "b");
        confirm(f, 0, first - 1);
        assert_string_equal(read_after(f, first - 1, &last), "ab");
        assert_int_equal(last, f->last);
        crash(f);
        append(f, "c");
        confirm(f, 0, first);
        assert_string_equal(read_after(f, first, &last), "bc");
        assert_int_equal(last, f->last);
}

static void test_a_position_that_moved_later_takes_the_rest_along(void **state) {
        Fixture *f = *state;
        uint64_t stored, last, position;

        confirm(f, 0, 0);
        append(f, "a");
        stored = f->last;
        append(f, "b");
        append(f, "c");
        for (int i = 0; i < 5; ++i) {
                position = journal_last_seq(f->journal) + FAR;
                confirm(f, stored, position);
                assert_string_equal(read_after(f, position, &last), "bc");
                stored = position;
        }
        append(f, "d");
        crash(f);
        confirm(f, 0, stored);
        assert_string_equal(read_after(f, stored, &last), "bcd");
}

/* Behind it, in the numbers of records, is a gap: nothing has been moved of what begins there. */
static void test_what_was_moved_and_stored_is_not_moved_again(void **state) {
        Fixture *f = *state;
        uint64_t last, position;

        confirm(f, 0, 0);
        append(f, "a");
        position = f->last + FAR;
        append(f, "b");
        confirm(f, f->last - 1, position);
        assert_string_equal(read_after(f, position, &last), "b"); /* and it is stored */
        append(f, "c");
        confirm(f, last, last + FAR);
        assert_string_equal(read_after(f, last + FAR, &position), "c");
        assert_string_equal(read_after(f, last - 1, &last), "bc");
        crash(f);
        append(f, "d");
        confirm(f, position, position + FAR);
        assert_string_equal(read_after(f, position + FAR, &last), "d");
}

/* Where the position then is where others have got to, nothing has to be moved. */
static void test_what_comes_behind_others_has_numbers_above_theirs(void **state) {
        Fixture *f = *state;
        uint64_t stored, others, last;

        confirm(f, 0, 0);
        append(f, "a");
        stored = f->last;
        append(f, "b");
        others = f->last + FAR;
        assert_int_equal(journal_go_behind(f->journal, others, 0), 0);
        assert_int_equal(journal_others_seq(f->journal), others);
        append(f, "c");
        assert_int_equal(f->last, others + 1);
        assert_string_equal(read_after(f, stored, &last), "bc"); /* "b" is where it was */
        assert_string_equal(read_after(f, stored + 1, &last), "c");
        assert_int_equal(last, others + 1);
        confirm(f, stored + 1, others);
        assert_string_equal(read_after(f, others, &last), "c");
        assert_int_equal(last, others + 1);

        assert_int_equal(journal_go_behind(f->journal, others, 0), 0); /* we are beyond that */
        append(f, "d");
        assert_int_equal(f->last, others + 2);
        crash(f);
        append(f, "e");
        assert_true(f->last > others + 2);
}

/* Of what is shown before it is stored, nobody knows but by what was reserved for it. */
static void test_what_comes_has_numbers_above_those_that_others_may_have_shown(void **state) {
        Fixture *f = *state;
        uint64_t stored, used, last;

        confirm(f, 0, 0);
        append(f, "a");
        stored = f->last;
        used = stored + 2 * FAR;
        assert_int_equal(journal_go_behind(f->journal, stored + FAR, used), 0);
        assert_int_equal(journal_others_seq(f->journal),
                         stored + FAR); /* not what was only shown */
        append(f, "b");
        assert_int_equal(f->last, used + 1);
        assert_string_equal(read_after(f, stored, &last), "b");
}

/* Also what came before it was known how far others are, and by no more than that needs. */
static void test_what_is_unconfirmed_goes_there_too_and_not_further(void **state) {
        Fixture *f = *state;
        uint64_t begin = journal_begin_seq(f->journal), used = begin + FAR, last;

        append(f, "a");
        assert_int_equal(journal_go_behind(f->journal, begin + 1, used), 0);
        confirm(f, 0, begin + 1);
        assert_string_equal(read_after(f, used, &last), "a");

        assert_int_equal(journal_doubt(f->journal), 0);
        used = last + FAR;
        assert_int_equal(journal_go_behind(f->journal, last, used), 0); /* nothing has come since */
        assert_int_equal(confirm(f, 0, used), 0);

        assert_int_equal(journal_doubt(f->journal), 0);
        crash(f);
        used = journal_begin_seq(f->journal) + FAR;
        assert_int_equal(journal_go_behind(f->journal, last, used), 0); /* nor in the run before */
        assert_int_equal(confirm(f, 0, used), 0);
        append(f, "b");
        assert_int_equal(f->last, used + 1);
}

/* The next one is told of none that it does not know, and what came before is in doubt as it was.
 */
static void test_nor_is_it_forgotten_by_who_is_told_of_nothing_new(void **state) {
        Fixture *f = *state;
        uint64_t begin = journal_begin_seq(f->journal), used = begin + FAR, last;

        append(f, "a");
        assert_int_equal(journal_go_behind(f->journal, begin + 1, used), 0);
        assert_int_equal(journal_go_behind(f->journal, begin + 1, 0), 0);
        confirm(f, 0, begin + 1);
        assert_string_equal(read_after(f, used, &last), "a");
}

/* Whatever is moved takes what comes with it: that, too, is to be reserved. */
static void test_it_is_known_before_how_far_numbers_will_be(void **state) {
        Fixture *f = *state;
        uint64_t begin = journal_begin_seq(f->journal), used = begin + FAR, last;

        append(f, "a");
        assert_int_equal(journal_reach(f->journal, 0), f->last);
        assert_int_equal(journal_go_behind(f->journal, begin + 1, used), 0);
        last = journal_reach(f->journal, begin + 1);
        assert_int_equal(last, used + FAR);
        confirm(f, 0, begin + 1);
        append(f, "b");
        assert_int_equal(f->last, last + 1);
        assert_int_equal(journal_reach(f->journal, 0), f->last);
        assert_int_equal(journal_reach(f->journal, f->last + FAR), f->last + FAR);
}

static void test_what_is_not_reserved_is_not_ours_to_show(void **state) {
        Fixture *f = *state;

        confirm(f, 0, 0);
        append(f, "a");
        assert_int_equal(journal_until(f->journal), UINT64_MAX);
        journal_set_until(f->journal, f->last + 1);
        append(f, "b");
        assert_true(journal_may_show(f->journal));
        append(f, "c");
        assert_false(journal_may_show(f->journal));
        assert_false(journal_is_unsure(f->journal)); /* which is of the slot */
        journal_set_until(f->journal, f->last);
        assert_true(journal_may_show(f->journal));
}

/* What had come just before that was heard has a number that is passed by the position. */
static void test_what_came_before_that_is_moved_with_the_position(void **state) {
        Fixture *f = *state;
        uint64_t stored, others, last;

        confirm(f, 0, 0);
        append(f, "a");
        stored = f->last;
        append(f, "b");
        others = f->last + FAR;
        assert_int_equal(journal_go_behind(f->journal, others, 0), 0);
        append(f, "c");
        confirm(f, stored, others);
        assert_string_equal(read_after(f, others, &last), "bc");
}

/* Shifts in the file, which has room for JOURNAL_NUMBERS_SHIFTS, are not to be used up. */
#define N_TURNS (4 * JOURNAL_NUMBERS_SHIFTS)

/* Two copies of one journal store in turn; each time this one has something of its own. */
static void test_turns_without_end_leave_numbers(void **state) {
        Fixture *f = *state;
        uint64_t position, last;

        for (int i = 0; i < N_TURNS; ++i) {
                append(f, "a");
                append(f, "b");
                position = f->last + FAR;
                confirm(f, 0, position);
                assert_string_equal(read_after(f, position, &last), "ab");
                assert_true(last > position);
                append(f, "c");
                assert_string_equal(read_after(f, last, &position), "c");
                journal_note_stored(f->journal, position);
                journal_commit(f->journal, position);
                crash(f);
                assert_int_equal(journal_last_seq(f->journal), position);
        }
}

/* Likewise, and it never gets to the end of storing anything. */
static void test_turns_that_store_nothing_leave_numbers(void **state) {
        Fixture *f = *state;
        uint64_t stored, first = 0, last = 0;

        append(f, "a");
        confirm(f, 0, 0);
        stored = f->last;
        append(f, "b");
        append(f, "c");
        for (int i = 0; i < N_TURNS; ++i) {
                uint64_t had = journal_last_seq(f->journal);

                crash(f);
                if (i == 0)
                        append(f, "d");
                first = had + FAR;
                confirm(f, stored, first);
                assert_string_equal(read_after(f, first, &last), "bcd");
                assert_true(last > had);
                assert_string_equal(read_after(f, last, &last), "");
                assert_true(journal_first_seq(f->journal) <= stored);
        }
        append(f, "e");
        assert_true(f->last > last);
        crash(f);
        confirm(f, stored, first);
        assert_string_equal(read_after(f, first, &last), "bcde");
}

/* One process may not hear of that many; the next one goes on. */
static void test_turns_within_one_run_end_it_at_worst(void **state) {
        Fixture *f = *state;
        uint64_t position = 0, last, by;
        int n_starts = 0;

        append(f, "a");
        confirm(f, 0, 0);
        last = f->last;
        for (int i = 0; i < N_TURNS; ++i) {
                append(f, "b");
                position = f->last + FAR;
                if (journal_confirm(f->journal, last, position, &by) != 0) {
                        assert_true(journal_has_failed(f->journal));
                        crash(f);
                        ++n_starts;
                        confirm(f, last, position);
                }
                assert_string_equal(read_after(f, position, &last), "b");
                journal_commit(f->journal, last);
        }
        assert_true(n_starts <= N_TURNS / JOURNAL_NUMBERS_SHIFTS);
}

static void test_a_damaged_file_is_reported_and_costs_no_message(void **state) {
        Fixture *f = *state;
        char path[512];
        uint64_t last;
        int fd;

        confirm(f, 0, 0);
        append(f, "a");
        path_of(path, sizeof(path), f->dir, "numbers");
        fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        for (off_t at = 0; at < 8192; at += 64)
                assert_int_equal(pwrite(fd, "damage", 6, at), 6);
        close(fd);
        crash(f);
        append(f, "b");
        confirm(f, 0, 0);
        assert_string_equal(read_after(f, 0, &last), "ab");
}

/* The place that was written last is torn: the one before it holds. */
static void test_a_torn_place_leaves_the_one_before(void **state) {
        Fixture *f = *state;
        char path[512];
        uint64_t before;
        int fd;

        confirm(f, 0, BEYOND_CLOCK);
        append(f, "a"); /* the first place that is written is the second */
        before = f->last;
        confirm(f, before, before + FAR);
        path_of(path, sizeof(path), f->dir, "numbers");
        fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, "torn", 4, 100), 4);
        close(fd);
        crash(f);
        append(f, "b");
        assert_true(f->last > before);
        assert_true(f->last < before + FAR);
}

/* Whole by its checksum, and yet of no journal: behind such numbers there are none. */
static void test_a_place_that_leaves_no_numbers_counts_as_damaged(void **state) {
        JournalNumbers numbers = JOURNAL_NUMBERS_INIT, again = JOURNAL_NUMBERS_INIT;
        Fixture *f = *state;
        int dir_fd, fd;
        uint8_t place[824];
        uint64_t next;
        uint32_t crc;

        assert_int_equal(mkdir(f->copy, 0700), 0);
        dir_fd = open(f->copy, O_RDONLY | O_DIRECTORY);
        assert_true(dir_fd >= 0);
        assert_int_equal(journal_numbers_open(&numbers, dir_fd, 1), 0);
        assert_int_equal(journal_numbers_reserve(&numbers, 1, 1), 0);
        journal_numbers_close(&numbers);

        fd = openat(dir_fd, "numbers", O_RDWR);
        assert_int_equal(pread(fd, place, sizeof(place), 4096), sizeof(place));
        memset(place + 24, 0xff, 16); /* how often it was written, and what is reserved */
        crc = crc32c(0, place, sizeof(place) - sizeof(crc));
        memcpy(place + sizeof(place) - sizeof(crc), &crc, sizeof(crc));
        assert_int_equal(pwrite(fd, place, sizeof(place), 4096), sizeof(place));
        close(fd);

        assert_int_equal(journal_numbers_open(&numbers, dir_fd, 1), 0);
        next = journal_numbers_begin(&numbers, 0, 0, 0);
        assert_true(next > 0);
        assert_int_equal(journal_numbers_reserve(&numbers, next, 1), 0);
        assert_int_equal(journal_numbers_open(&again, dir_fd, 1), 0);
        assert_true(journal_numbers_begin(&again, 0, 0, 0) > next);
        journal_numbers_close(&numbers);
        close(dir_fd);
}

/* Nor is such a place written: it would be damage to the next start. */
static void test_numbers_that_could_not_be_read_again_are_not_reserved(void **state) {
        JournalNumbers numbers = JOURNAL_NUMBERS_INIT, again = JOURNAL_NUMBERS_INIT;
        Fixture *f = *state;
        uint64_t reserved;
        int dir_fd;

        assert_int_equal(mkdir(f->copy, 0700), 0);
        dir_fd = open(f->copy, O_RDONLY | O_DIRECTORY);
        assert_true(dir_fd >= 0);
        assert_int_equal(journal_numbers_open(&numbers, dir_fd, 1), 0);
        assert_int_equal(journal_numbers_reserve(&numbers, 1, 1), 0);
        reserved = numbers.reserved;
        assert_int_equal(journal_numbers_reserve(&numbers, UINT64_C(1) << 60, 1), -EOVERFLOW);
        assert_int_equal(journal_numbers_open(&again, dir_fd, 1), 0);
        assert_true(again.reserved == reserved);
        journal_numbers_close(&numbers);
        close(dir_fd);
}

static void test_every_file_is_for_its_owner_alone(void **state) {
        Fixture *f = *state;
        struct dirent *entry;
        DIR *stream;
        struct stat st;

        append(f, "a");
        stream = opendir(f->dir);
        assert_non_null(stream);
        while ((entry = readdir(stream))) {
                if (entry->d_name[0] == '.')
                        continue;
                assert_int_equal(fstatat(dirfd(stream), entry->d_name, &st, 0), 0);
                assert_int_equal(st.st_mode & 0777, 0600);
        }
        closedir(stream);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_start_continues_above_all_that_was_reserved,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_was_accepted_at_or_below_the_position_moves_above_it,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_moved_numbers_are_the_same_after_a_crash,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_run_that_never_heard_is_judged_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_comes_while_the_position_is_in_doubt_is_judged_at_the_next_start,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_nothing_moves_where_the_numbers_are_above,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_position_that_moved_later_takes_the_rest_along, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_was_moved_and_stored_is_not_moved_again,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_turns_without_end_leave_numbers,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_turns_that_store_nothing_leave_numbers,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_turns_within_one_run_end_it_at_worst,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_damaged_file_is_reported_and_costs_no_message, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_torn_place_leaves_the_one_before,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_place_that_leaves_no_numbers_counts_as_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_numbers_that_could_not_be_read_again_are_not_reserved,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_comes_behind_others_has_numbers_above_theirs, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_comes_has_numbers_above_those_that_others_may_have_shown,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_is_unconfirmed_goes_there_too_and_not_further, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_nor_is_it_forgotten_by_who_is_told_of_nothing_new, setup, teardown),
                cmocka_unit_test_setup_teardown(test_it_is_known_before_how_far_numbers_will_be,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_is_not_reserved_is_not_ours_to_show,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_came_before_that_is_moved_with_the_position, setup, teardown),
                cmocka_unit_test_setup_teardown(test_every_file_is_for_its_owner_alone,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
