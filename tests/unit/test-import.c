/* Import: what is new is told from what is there, and everything or nothing is kept. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "db/edit/import.h"
#include "gateway/move/mover.h"
#include "postgres.h"

static const char *values[DB_IMPORT_VALUE_COUNT];
static uint64_t n_news;

static DbImported row(DbConn *conn, DbImportKind kind, const char *id, const char *name) {
        DbImported outcome = DB_IMPORTED;

        values[DB_IMPORT_ID] = id;
        values[DB_IMPORT_NAME] = name;
        values[DB_IMPORT_HASH] = "!";
        values[DB_IMPORT_ROLE] = "user";
        values[DB_IMPORT_ACTIVE] = "true";
        values[DB_IMPORT_TOKEN_FORM] = "keyed";
        assert_int_equal(db_import_row(conn, kind, values, &outcome), 0);
        return outcome;
}

static DbImported share(DbConn *conn, const char *user, const char *vehicle_id) {
        DbImported outcome = DB_IMPORTED;

        memset(values, 0, sizeof(values));
        values[DB_IMPORT_USER_NAME] = user;
        values[DB_IMPORT_VEHICLE_ID] = vehicle_id;
        assert_int_equal(db_import_row(conn, DB_IMPORT_SHARE, values, &outcome), 0);
        return outcome;
}

static void test_what_is_new_is_told_from_what_is_there(void **state) {
        DbConn *conn;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        assert_int_equal(db_import_reserve(conn, DB_IMPORT_VEHICLE, 40), 0);
        assert_int_equal(db_import_reserve(conn, DB_IMPORT_VEHICLE, 4), 0);
        assert_int_equal(db_import_begin(conn), 0);
        assert_int_equal(row(conn, DB_IMPORT_USER, "7", "ana"), DB_IMPORTED);
        assert_int_equal(row(conn, DB_IMPORT_USER, "7", "ana"), DB_IMPORTED_THERE);
        assert_int_equal(row(conn, DB_IMPORT_USER, NULL, "ana"), DB_IMPORTED_THERE);
        assert_int_equal(row(conn, DB_IMPORT_USER, "8", "ana"), DB_IMPORTED_NAME);
        assert_int_equal(row(conn, DB_IMPORT_USER, "7", "ben"), DB_IMPORTED_ID);
        assert_int_equal(row(conn, DB_IMPORT_USER, NULL, "ANA"), DB_IMPORTED_CASE);
        assert_int_equal(row(conn, DB_IMPORT_VEHICLE, NULL, "boat"), DB_IMPORTED);
        assert_int_equal(postgres_int("SELECT count(*) FROM vehicles"), 0); /* not yet */
        assert_int_equal(row(conn, DB_IMPORT_VEHICLE, "41", "boat"), DB_IMPORTED_THERE);
        values[DB_IMPORT_USER_NAME] = "nobody";
        assert_int_equal(row(conn, DB_IMPORT_DEVICE, NULL, "meter"), DB_IMPORTED_NO_USER);
        values[DB_IMPORT_USER_NAME] = "ana";
        assert_int_equal(row(conn, DB_IMPORT_DEVICE, NULL, "meter"), DB_IMPORTED);
        assert_int_equal(share(conn, "ana", "41"), DB_IMPORTED);
        assert_int_equal(share(conn, "ana", "41"), DB_IMPORTED_THERE);
        assert_int_equal(share(conn, "ana", "42"), DB_IMPORTED_NO_VEHICLE);
        assert_int_equal(share(conn, "ben", "41"), DB_IMPORTED_NO_USER);
        assert_int_equal(db_import_end(conn, true), 0);
        assert_int_equal(postgres_int("SELECT id FROM vehicles WHERE code = 'boat'"), 41);
        assert_int_equal(postgres_int("SELECT count(*) FROM devices WHERE user_id = 7"), 1);
        db_conn_free(conn);
}

/* Rows that were looked at; of another session it is known once that is over. */
static int64_t n_looked_at(void) {
        return postgres_int("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))"
                            " FROM pg_stat_user_tables");
}

static void add_many(DbConn *conn, DbImportKind kind, int first_id, size_t n, const char *owner) {
        for (size_t i = 0; i < n; ++i) {
                char id[24], name[32];

                snprintf(id, sizeof(id), "%zu", (size_t)first_id + i);
                snprintf(name, sizeof(name), "thing-%zu", i);
                values[DB_IMPORT_USER_NAME] = owner;
                assert_int_equal(row(conn, kind, i % 2 == 0 ? id : NULL, name), DB_IMPORTED);
        }
}

/* Tables that were empty when the statements were planned: none goes through what it filled. */
static void test_what_came_before_is_not_gone_through_for_each_row(void **state) {
        enum { N_ROWS = 1000 };
        int64_t n_before;
        DbConn *conn;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(60000);
        n_before = n_looked_at();
        memset(values, 0, sizeof(values));
        assert_int_equal(db_import_begin(conn), 0);
        add_many(conn, DB_IMPORT_USER, 100000, N_ROWS, NULL);
        add_many(conn, DB_IMPORT_DEVICE, 100000, N_ROWS, "thing-7");
        add_many(conn, DB_IMPORT_VEHICLE, 100000, N_ROWS, "thing-8");
        add_many(conn, DB_IMPORT_GROUP, 100000, N_ROWS, NULL);
        for (size_t i = 0; i < N_ROWS; ++i) {
                DbImported outcome = DB_IMPORTED;
                char name[24];

                snprintf(name, sizeof(name), "thing-%zu", i);
                memset(values, 0, sizeof(values));
                values[DB_IMPORT_NAME] = values[DB_IMPORT_DEVICE_CODE] = name;
                assert_int_equal(db_import_row(conn, DB_IMPORT_MEMBER, values, &outcome), 0);
                assert_int_equal(outcome, DB_IMPORTED);
                values[DB_IMPORT_USER_NAME] = name;
                assert_int_equal(db_import_row(conn, DB_IMPORT_SHARE, values, &outcome), 0);
                assert_int_equal(outcome, DB_IMPORTED);
        }
        assert_int_equal(db_import_end(conn, true), 0);
        db_conn_free(conn); /* and says what it counted */
        postgres_wait("SELECT n_tup_ins = 1000 FROM pg_stat_user_tables"
                      " WHERE relname = 'shares'");
        assert_in_range(n_looked_at() - n_before, 0, 40 * N_ROWS);
}

static void on_news(void *arg, const MoverNews *news) {
        (void)arg;
        assert_non_null(news->file);
        ++n_news;
}

/* A file of vehicles with this content, moved; was it kept? */
static bool move(DbConn *conn, const char *text, bool is_dry, bool is_partial) {
        const MoverOptions options = {
                .conn = conn, .is_dry = is_dry, .is_partial = is_partial, .news = on_news
        };
        char path[] = "/tmp/test-import-XXXXXX", operand[64];
        int fd = mkstemp(path);
        Mover *mover = NULL;
        RowFile *file = NULL;
        bool is_kept = false;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(close(fd), 0);
        snprintf(operand, sizeof(operand), "vehicles=%s", path);
        assert_int_equal(row_file_open(&file, operand), 0);
        assert_int_equal(mover_new(&mover, &options), 0);
        assert_int_equal(mover_run(mover, &file, 1, &is_kept), 0);
        assert_int_equal(unlink(path), 0);
        mover_free(mover);
        row_file_free(file);
        return is_kept;
}

static void test_all_or_nothing_is_kept(void **state) {
        DbConn *conn;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        n_news = 0;
        assert_false(move(conn, "code\na\nb\n", true, false));
        assert_int_equal(n_news, 0);
        assert_false(move(conn, "code\na\n5\n", false, false));
        assert_int_equal(n_news, 1);
        assert_int_equal(postgres_int("SELECT count(*) FROM vehicles"), 0);
        assert_true(move(conn, "code\na\n5\n", false, true));
        assert_true(move(conn, "code\na\nb\n", false, false));
        assert_int_equal(postgres_int("SELECT count(*) FROM vehicles"), 2);
        assert_true(mover_knows("cameras"));
        db_conn_free(conn);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_new_is_told_from_what_is_there),
                cmocka_unit_test(test_what_came_before_is_not_gone_through_for_each_row),
                cmocka_unit_test(test_all_or_nothing_is_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
