#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/partitions.h"
#include "gateway/base/clock.h"
#include "gateway/maintenance.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

static const char count_all[] = "SELECT count(*) FROM pg_inherits i JOIN pg_class c"
                                " ON c.oid = i.inhrelid WHERE c.relkind = 'r'";

static void test_every_table_gets_its_days(void **state) {
        DbConn *conn;
        size_t n = 0;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        (void)db_partitions_tables(&n);
        assert_int_equal(db_partitions_make(conn, NOON, NOON + 2 * CLOCK_DAY_US), 0);
        assert_int_equal(postgres_int(count_all), 3 * n);
        assert_int_equal(db_partitions_make(conn, NOON, NOON + 3 * CLOCK_DAY_US), 0);
        assert_int_equal(postgres_int(count_all), 4 * n);
        assert_string_equal(postgres_text("SELECT pg_get_expr(relpartbound, oid) FROM pg_class"
                                          " WHERE relname = 'alerts_20251018'"),
                            "FOR VALUES FROM ('2025-10-18 00:00:00+00')"
                            " TO ('2025-10-19 00:00:00+00')");
        /* Indexes come along: three b-trees and one BRIN. */
        assert_int_equal(postgres_int("SELECT count(*) FROM pg_index"
                                      " WHERE indrelid = 'alerts_20251018'::regclass"),
                         4);
        db_conn_free(conn);
}

static void test_retention_drops_what_is_older_and_nothing_else(void **state) {
        const DbRetention retention[] = { { "raw_logs", 2 }, { "alerts", 0 }, { "telemetry", 1 } };
        DbConn *conn;
        int n_dropped = 0;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        assert_int_equal(db_partitions_make(conn, NOON - 3 * CLOCK_DAY_US, NOON), 0);
        postgres_run("CREATE TABLE raw_logs_20200101 (a int)"); /* not a partition: not ours */
        assert_int_equal(db_partitions_drop(conn, retention, 3, NOON, &n_dropped), 0);
        assert_int_equal(n_dropped, 3);
        assert_string_equal(postgres_text("SELECT string_agg(name, ' ' ORDER BY name) FROM (SELECT"
                                          " inhrelid::regclass::text AS name FROM pg_inherits "
                                          "WHERE inhparent"
                                          " IN ('raw_logs'::regclass, 'telemetry'::regclass)) i"),
                            "raw_logs_20251016 raw_logs_20251017 raw_logs_20251018"
                            " telemetry_20251017 telemetry_20251018");
        assert_int_equal(db_partitions_drop(conn, retention, 3, NOON, &n_dropped), 0);
        assert_int_equal(n_dropped, 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs_20200101"), 0);
        db_conn_free(conn);
}

static void test_drop_gives_way_to_a_long_reader(void **state) {
        const DbRetention retention[] = { { "raw_logs", 1 } };
        DbConn *conn;
        int n_dropped = 1;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(20000);
        assert_int_equal(db_partitions_make(conn, NOON, NOON), 0);
        postgres_run("BEGIN; SELECT count(*) FROM raw_logs");
        assert_int_equal(db_partitions_drop(conn,
                                            retention,
                                            1,
                                            NOON + 5 * CLOCK_DAY_US,
                                            &n_dropped),
                         DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(conn), "55P03");
        assert_int_equal(n_dropped, 0);
        postgres_run("ROLLBACK");
        assert_int_equal(db_partitions_drop(conn,
                                            retention,
                                            1,
                                            NOON + 5 * CLOCK_DAY_US,
                                            &n_dropped),
                         0);
        assert_int_equal(n_dropped, 1);
        db_conn_free(conn);
}

static void test_maintenance_makes_days_ahead_and_stops_at_once(void **state) {
        const DbRetention retention[] = { { "raw_logs", 30 } };
        Maintenance *maintenance = NULL;

        (void)state;
        postgres_migrate();
        assert_int_equal(maintenance_new(&maintenance,
                                         getenv("TIDEGATE_TEST_DATABASE"),
                                         3,
                                         retention,
                                         1),
                         0);
        postgres_wait("SELECT to_regclass('raw_logs_' || to_char((now() AT TIME ZONE 'UTC')::date"
                      " + 3, 'YYYYMMDD')) IS NOT NULL");
        maintenance = maintenance_free(maintenance);
}

static void test_maintenance_without_a_database_stops_at_once(void **state) {
        Maintenance *maintenance = NULL;

        (void)state;
        assert_int_equal(maintenance_new(&maintenance,
                                         "postgresql://10.255.255.1/none",
                                         3,
                                         NULL,
                                         0),
                         0);
        maintenance = maintenance_free(maintenance);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_table_gets_its_days),
                cmocka_unit_test(test_retention_drops_what_is_older_and_nothing_else),
                cmocka_unit_test(test_drop_gives_way_to_a_long_reader),
                cmocka_unit_test(test_maintenance_makes_days_ahead_and_stops_at_once),
                cmocka_unit_test(test_maintenance_without_a_database_stops_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
