/* Books: what the database says that it holds is compared with what the journal has, by number. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/journal/journal.h"
#include "gateway/store/books.h"
#include "model/metrics.h"
#include "postgres.h"

enum { N = 10 };

#define SEGMENT_BYTES UINT64_C(65536)

static char dir[64];
static Journal *journal;
static DbConn *conn;
static Books *books;
static uint64_t before; /* all that was taken in */
static uint64_t last;

static void open_journal(void) {
        const JournalOptions options = { .dir = dir,
                                         .max_bytes = 8 * SEGMENT_BYTES,
                                         .segment_bytes = SEGMENT_BYTES,
                                         .reserve_bytes = SEGMENT_BYTES,
                                         .fsync = JOURNAL_FSYNC_NEVER };

        assert_int_equal(journal_open(&journal, &options), 0);
}

static void remove_segments(void) {
        DIR *stream = opendir(dir);
        struct dirent *entry;
        char path[512];

        assert_non_null(stream);
        while ((entry = readdir(stream))) {
                snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
                (void)unlink(path);
        }
        closedir(stream);
}

static void take_in(size_t n) {
        const Inbound inbound = { .door = DOOR_INTERNAL,
                                  .topic = TEXT("a/b"),
                                  .payload = TEXT("1") };

        for (size_t i = 0; i < n; ++i)
                assert_int_equal(journal_append(journal, &inbound, &last), 0);
}

/* What the database says of it: that it holds @n_stored, up to @seq. */
static void database_has(uint64_t seq, int n_stored) {
        char sql[256];

        snprintf(sql,
                 sizeof(sql),
                 "UPDATE journal_positions SET seq = %llu, stored = checked_stored + %d",
                 (unsigned long long)seq,
                 n_stored);
        postgres_run(sql);
}

static int set_up(void **state) {
        uint64_t by = 0;
        char sql[256];

        (void)state;
        log_set_level((LogLevel)-1);
        metrics_reset();
        postgres_migrate();
        conn = postgres_connect(5000);
        strcpy(dir, "/tmp/tidegate-books-XXXXXX");
        assert_non_null(mkdtemp(dir));
        open_journal();
        assert_int_equal(journal_confirm(journal, 0, 0, &by), 0);
        take_in(1);
        before = last;
        snprintf(sql,
                 sizeof(sql),
                 "INSERT INTO journal_positions (epoch, seq, stored, checked_seq, checked_stored)"
                 " VALUES ('%s', %llu, 1, %llu, 1)",
                 journal_epoch(journal),
                 (unsigned long long)before,
                 (unsigned long long)before);
        postgres_run(sql);
        assert_int_equal(books_new(&books, journal, conn, 0), 0);
        assert_int_equal(books_open(books, before, before), 0);
        take_in(N);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        books = books_free(books);
        conn = db_conn_free(conn);
        journal = journal_close(journal);
        remove_segments();
        rmdir(dir);
        return 0;
}

static void check(void) {
        while (!books_walk(books, last))
                continue;
        assert_int_equal(books_check(books, last), 0);
}

static void test_what_agrees_is_accounted_for(void **state) {
        (void)state;
        assert_int_equal(books_done_seq(books), before);
        database_has(last, N);
        check();
        assert_int_equal(books_done_seq(books), last);
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM journal_differences"), 0);
        assert_int_equal(postgres_int("SELECT checked_stored FROM journal_positions"), 1 + N);
}

static void test_what_is_missing_is_said_until_it_is_settled(void **state) {
        (void)state;
        database_has(last, N - 3);
        check();
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 3);
        assert_int_equal(postgres_int("SELECT records FROM journal_differences"
                                      " WHERE settled_at IS NULL AND kind = 'count'"),
                         3);
        check(); /* once is enough */
        assert_int_equal(postgres_int("SELECT count(*) FROM journal_differences"), 1);
        postgres_run("UPDATE journal_differences SET settled_at = now()");
        check();
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 0);
}

static void test_what_follows_on_a_difference_is_compared_by_itself(void **state) {
        (void)state;
        database_has(last, N - 3);
        check();
        take_in(N);
        database_has(last, N);
        check();
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 3);
        assert_int_equal(books_done_seq(books), last);
}

/* There is more to store: the position is not where we have walked to. */
static void test_a_position_that_is_not_ours_is_left_to_the_store(void **state) {
        (void)state;
        database_has(last - 1, N - 5);
        check();
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 0);
        assert_int_equal(books_done_seq(books), before);
}

static void test_while_they_are_closed_nothing_is_compared(void **state) {
        (void)state;
        books_close(books);
        database_has(last, N - 3);
        assert_false(books_is_due(books, last));
        assert_int_equal(books_check(books, last), 0);
        assert_int_equal(books_done_seq(books), 0); /* the journal lets nothing go */
        assert_int_equal(metric_get(METRIC_BOOKS_DRIFT), 0);
}

static void test_a_row_that_somebody_took_away_is_an_outage(void **state) {
        (void)state;
        postgres_run("DELETE FROM journal_positions");
        while (!books_walk(books, last))
                continue;
        assert_int_equal(books_check(books, last), DB_E_OFFLINE);
        assert_int_equal(books_open(books, last, last), DB_E_OFFLINE);
}

/* Nobody knows its epoch: it begins with the store. */
static void test_another_journal_has_books_of_its_own(void **state) {
        (void)state;
        journal = journal_close(journal);
        remove_segments();
        open_journal();
        books = books_free(books);
        assert_int_equal(books_new(&books, journal, conn, 0), 0);
        assert_int_equal(books_open(books, before, before), DB_E_OFFLINE);
        assert_int_equal(books_done_seq(books), 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_what_agrees_is_accounted_for),
                CASE(test_what_is_missing_is_said_until_it_is_settled),
                CASE(test_what_follows_on_a_difference_is_compared_by_itself),
                CASE(test_a_position_that_is_not_ours_is_left_to_the_store),
                CASE(test_while_they_are_closed_nothing_is_compared),
                CASE(test_a_row_that_somebody_took_away_is_an_outage),
                CASE(test_another_journal_has_books_of_its_own),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
