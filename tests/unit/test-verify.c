/* Verify: what the journal has and the tables have not is found, number by number, and stored once;
 * what is refused stays missing, and costs its neighbours nothing. */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/write/partitions.h"
#include "gateway/cli/verify.h"
#include "gateway/config/config.h"
#include "gateway/journal/journal.h"
#include "postgres.h"

#define N_MESSAGES 4

static char dir[64];
static Config *config;
static DbConn *conn;
static uint64_t seqs[N_MESSAGES + 1]; /* of the messages, from 1 */
static char told[1024];               /* which were missing, and why they could not be stored */
static VerifyCounts counts;

static void load(void) {
        char path[96], journal_dir[96];
        const char *sets[] = { journal_dir, "journal.max_bytes=64M", "journal.segment_bytes=1M" };
        const ConfigSource source = { .file = path, .sets = sets, .n_sets = N_ELEMENTS(sets) };
        static const char text[] = "[route t]\ntopic = t/{device}\nkind = telemetry\n";
        int fd;

        snprintf(path, sizeof(path), "%s.conf", dir);
        snprintf(journal_dir, sizeof(journal_dir), "journal.dir=%s", dir);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
        assert_int_equal(close(fd), 0);
        assert_int_equal(config_load(&config, &source), 0);
        assert_int_equal(unlink(path), 0);
}

/* The third is of a device that there is not. */
static void take_in(void) {
        static const char *const topics[] = { "", "t/d1", "t/d1", "t/nobody", "t/d1" };
        CLEANUP(journal_close) Journal *journal = NULL;
        char sql[256];

        assert_int_equal(journal_open(&journal, &config->journal), 0);
        for (int i = 1; i <= N_MESSAGES; ++i) {
                char payload[32];
                Inbound inbound = { .door = DOOR_MQTT, .topic = text_of(topics[i]) };

                snprintf(payload, sizeof(payload), "{\"n\":%d}", i);
                inbound.payload = text_of(payload);
                assert_int_equal(journal_append(journal, &inbound, &seqs[i]), 0);
        }
        snprintf(sql,
                 sizeof(sql),
                 "INSERT INTO journal_positions (epoch, seq, stored, checked_seq, checked_stored)"
                 " VALUES ('%s', %lld, 3, 0, 0)",
                 journal_epoch(journal),
                 (long long)seqs[3]); /* the last one is still to be stored */
        postgres_run(sql);
}

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        snprintf(dir, sizeof(dir), "/tmp/test-verify-XXXXXX");
        assert_non_null(mkdtemp(dir));
        told[0] = '\0';
        counts = (VerifyCounts){ 0 };
        load();
        postgres_migrate();
        postgres_run("INSERT INTO devices (code) VALUES ('d1')");
        conn = postgres_connect(5000);
        take_in();
        return 0;
}

static int tear_down(void **state) {
        DIR *stream = opendir(dir);
        struct dirent *entry; /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */

        (void)state;
        while ((entry = readdir(stream)))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        closedir(stream);
        assert_int_equal(rmdir(dir), 0);
        conn = db_conn_free(conn);
        config = config_free(config);
        return 0;
}

static void tell(void *arg, const Record *missing, const char *why) {
        size_t used = strlen(told);

        (void)arg;
        for (int i = 1; i <= N_MESSAGES; ++i)
                if (seqs[i] == missing->seq)
                        snprintf(told + used, sizeof(told) - used, "%s%d ", why ? "!" : "", i);
}

static void verify(bool store) {
        CLEANUP(verify_free) Verify *verify = NULL;

        told[0] = '\0';
        assert_int_equal(verify_new(&verify, config, conn, tell, NULL), 0);
        assert_int_equal(verify_run(verify, store, &counts), 0);
}

static void expect_rows(int n_rows, int n_letters) {
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), n_rows);
        assert_int_equal(postgres_int("SELECT count(*) FROM dead_letters"), n_letters);
}

static void test_what_is_missing_is_named_and_left_as_it_is(void **state) {
        (void)state;
        verify(false);
        assert_string_equal(told, "1 2 3 ");
        assert_int_equal(counts.first_seq, seqs[1]);
        assert_int_equal(counts.last_seq, seqs[3]);
        assert_int_equal(counts.n_compared, 3);
        assert_int_equal(counts.n_missing, 3);
        assert_int_equal(counts.n_stored, 0);
        assert_int_equal(counts.n_waiting, 1);
        expect_rows(0, 0);
}

static void test_it_is_stored_once_as_rows_and_letters(void **state) {
        (void)state;
        verify(true);
        assert_int_equal(counts.n_stored, 3);
        assert_int_equal(counts.n_refused, 0);
        expect_rows(2, 1);
        verify(true);
        assert_string_equal(told, "");
        assert_int_equal(counts.n_missing, 0);
        expect_rows(2, 1);
        assert_int_equal(postgres_int("SELECT checked_seq FROM journal_positions"),
                         (int64_t)seqs[3]); /* the books go on from there */
}

static void test_what_is_refused_stays_missing_and_costs_no_neighbour(void **state) {
        (void)state;
        postgres_run("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
                     " $$ BEGIN RETURN NULL; END $$;"
                     "CREATE TRIGGER swallow BEFORE INSERT ON dead_letters FOR EACH ROW"
                     " EXECUTE FUNCTION swallow()");
        verify(true);
        assert_string_equal(told, "1 2 3 !3 ");
        assert_int_equal(counts.n_missing, 3);
        assert_int_equal(counts.n_stored, 2);
        assert_int_equal(counts.n_refused, 1);
        expect_rows(2, 0);
        assert_int_equal(postgres_int("SELECT checked_seq FROM journal_positions"), 0);
}

static void test_without_a_journal_there_is_nothing_to_compare(void **state) {
        CLEANUP(verify_free) Verify *verify = NULL;

        (void)state;
        config->journal.dir = "/tmp/test-verify-nowhere";
        assert_int_equal(verify_new(&verify, config, conn, tell, NULL), VERIFY_E_JOURNAL);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                EACH(test_what_is_missing_is_named_and_left_as_it_is),
                EACH(test_it_is_stored_once_as_rows_and_letters),
                EACH(test_what_is_refused_stays_missing_and_costs_no_neighbour),
                EACH(test_without_a_journal_there_is_nothing_to_compare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
