#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "db/migrate.h"
#include "postgres.h"

static void test_empty_database_is_brought_up_once(void **state) {
        DbConn *conn;
        int from = -1, to = -1;

        (void)state;
        postgres_reset();
        conn = postgres_connect(5000);
        assert_int_equal(db_migrate_check(conn), DB_E_SCHEMA);
        assert_int_equal(db_migrate_up(conn, &from, &to), 0);
        assert_int_equal(from, 0);
        assert_int_equal(to, db_migrate_latest());
        assert_int_equal(db_migrate_check(conn), 0);
        assert_int_equal(db_migrate_up(conn, &from, &to), 0);
        assert_int_equal(from, to);
        assert_int_equal(postgres_int("SELECT count(*) FROM schema_migrations"), to);
        assert_int_equal(postgres_int("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
                         0);
        db_conn_free(conn);
}

static void test_changed_or_newer_schema_is_refused(void **state) {
        DbConn *conn;
        int from, to;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        postgres_run("UPDATE schema_migrations SET checksum = 'other'");
        assert_int_equal(db_migrate_check(conn), DB_E_SCHEMA);
        assert_int_equal(db_migrate_up(conn, &from, &to), DB_E_SCHEMA);
        db_conn_free(conn);

        postgres_migrate();
        conn = postgres_connect(5000);
        postgres_run("INSERT INTO schema_migrations VALUES (9999, 'x', 'y')");
        assert_int_equal(db_migrate_check(conn), DB_E_SCHEMA);
        assert_int_equal(db_migrate_up(conn, &from, &to), DB_E_SCHEMA);
        db_conn_free(conn);
}

static void test_failed_migration_leaves_nothing(void **state) {
        DbConn *conn;
        int from, to;

        (void)state;
        postgres_reset();
        postgres_run("CREATE TABLE vehicles (id int)"); /* in the way */
        conn = postgres_connect(5000);
        assert_int_equal(db_migrate_up(conn, &from, &to), DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(conn), "42P07");
        assert_int_equal(postgres_int("SELECT count(*) FROM schema_migrations"), 0);
        assert_string_equal(postgres_text("SELECT coalesce(to_regclass('users')::text, 'none')"),
                            "none");
        db_conn_free(conn);
}

static void *migrate_run(void *arg) {
        DbConn *conn = arg;
        int from, to;

        return db_migrate_up(conn, &from, &to) == 0 ? arg : NULL;
}

static void test_several_at_once_do_it_once(void **state) {
        DbConn *conns[4];
        pthread_t threads[4];

        (void)state;
        postgres_reset();
        for (size_t i = 0; i < N_ELEMENTS(conns); ++i) {
                conns[i] = postgres_connect(500);
                assert_int_equal(pthread_create(&threads[i], NULL, migrate_run, conns[i]), 0);
        }
        for (size_t i = 0; i < N_ELEMENTS(conns); ++i) {
                void *result = NULL;

                assert_int_equal(pthread_join(threads[i], &result), 0);
                assert_non_null(result);
                db_conn_free(conns[i]);
        }
        assert_int_equal(postgres_int("SELECT count(*) FROM schema_migrations"),
                         db_migrate_latest());
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty_database_is_brought_up_once),
                cmocka_unit_test(test_changed_or_newer_schema_is_refused),
                cmocka_unit_test(test_failed_migration_leaves_nothing),
                cmocka_unit_test(test_several_at_once_do_it_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
