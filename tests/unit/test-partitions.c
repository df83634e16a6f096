#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "db/write/partitions.h"
#include "gateway/maintenance.h"
#include "model/metrics.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

static const char count_all[] = "SELECT count(*) FROM pg_inherits i JOIN pg_class c"
                                " ON c.oid = i.inhrelid WHERE c.relkind = 'r'";

#define INDEXES_OF(table) "SELECT count(*) FROM pg_index WHERE indrelid = '" table "'::regclass"

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
        /* Indexes come along. */
        assert_true(postgres_int(INDEXES_OF("alerts")) > 0);
        assert_int_equal(postgres_int(INDEXES_OF("alerts_20251018")),
                         postgres_int(INDEXES_OF("alerts")));
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
        postgres_run("TRUNCATE written_days");
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
        postgres_run("TRUNCATE written_days");
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

static const char days_of_raw_logs[] =
        "SELECT string_agg(right(inhrelid::regclass::text, 8), ' ' ORDER BY 1) FROM pg_inherits"
        " WHERE inhparent = 'raw_logs'::regclass";

static void judge(DbConn *conn, int64_t ahead_us, bool is_patient, DbRetentionDay *ret_day) {
        assert_int_equal(db_partitions_judge(conn, clock_now_us() + ahead_us, is_patient, ret_day),
                         0);
}

static void test_retention_goes_by_the_day_that_it_knows_and_no_clock_moves_it_far(void **state) {
        DbRetentionDay day;
        DbConn *conn;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        judge(conn, 0, false, &day);
        assert_string_equal(day.held, "");
        assert_true(day.day_us != CLOCK_UNKNOWN);

        judge(conn, 3 * CLOCK_DAY_US, false, &day);
        assert_string_equal(day.held, "clock_disagrees");
        assert_true(day.day_us == CLOCK_UNKNOWN);
        judge(conn, -3 * CLOCK_DAY_US, true, &day);
        assert_string_equal(day.held, "clock_disagrees");
        assert_true(day.day_us == CLOCK_UNKNOWN);

        postgres_run("UPDATE retention_day SET day = tidegate_today() - 400");
        judge(conn, 0, false, &day);
        assert_string_equal(day.held, "clock_jumped");
        assert_true(day.day_us == CLOCK_UNKNOWN);
        assert_int_equal(postgres_int("SELECT tidegate_today() - day FROM retention_day"), 400);
        judge(conn, 0, true, &day);
        assert_string_equal(day.held, "clock_jumped");
        assert_int_equal(postgres_int("SELECT tidegate_today() - day FROM retention_day"), 399);
        assert_int_equal(day.day_us / CLOCK_DAY_US,
                         postgres_int("SELECT day - date '1970-01-01' FROM retention_day"));

        postgres_run("UPDATE retention_day SET day = tidegate_today() + 5");
        judge(conn, 0, false, &day);
        assert_string_equal(day.held, "clock_went_back");
        assert_true(day.day_us == CLOCK_UNKNOWN);
        judge(conn, 0, true, &day);
        assert_int_equal(postgres_int("SELECT tidegate_today() - day FROM retention_day"), 0);

        postgres_run("UPDATE retention_day SET day = tidegate_today() - 1");
        judge(conn, 0, false, &day);
        assert_string_equal(day.held, "");
        assert_int_equal(postgres_int("SELECT tidegate_today() - day FROM retention_day"), 0);
        db_conn_free(conn);
}

static void test_what_was_written_today_stays_whatever_day_it_names(void **state) {
        const DbRetention retention[] = { { "raw_logs", 30 } };
        DbConn *conn;
        int n_dropped = 0;

        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        postgres_run("SELECT tidegate_make_partitions('2020-01-01', '2020-01-02')");
        assert_int_equal(db_partitions_make(conn, NOON, NOON), 0); /* by a clock that is behind */
        assert_int_equal(db_partitions_drop(conn, retention, 1, clock_now_us(), &n_dropped), 0);
        assert_int_equal(n_dropped, 2);
        assert_string_equal(postgres_text(days_of_raw_logs), "20251018");
        assert_int_equal(db_partitions_drop(conn,
                                            retention,
                                            1,
                                            clock_now_us() + 31 * CLOCK_DAY_US,
                                            &n_dropped),
                         0);
        assert_int_equal(n_dropped, 1);
        db_conn_free(conn);
}

static void test_maintenance_does_nothing_while_a_clock_has_jumped(void **state) {
        const DbRetention retention[] = { { "raw_logs", 30 } };
        Maintenance *maintenance = NULL;

        (void)state;
        postgres_migrate();
        postgres_run(
                "SELECT tidegate_make_partitions(tidegate_today() - 80, tidegate_today() - 78)");
        postgres_run("UPDATE retention_day SET day = tidegate_today() - 50");
        assert_int_equal(maintenance_new(&maintenance,
                                         &(MaintenanceOptions){
                                                 .database_url = getenv("TIDEGATE_TEST_DATABASE"),
                                                 .days_ahead = 3,
                                                 .hold_ms = 3600000,
                                                 .retention = retention,
                                                 .n_retention = 1,
                                         }),
                         0);
        postgres_wait("SELECT to_regclass('raw_logs_' || to_char(tidegate_today() + 3, 'YYYYMMDD'))"
                      " IS NOT NULL");
        maintenance = maintenance_free(maintenance);
        assert_int_equal(postgres_int("SELECT tidegate_today() - day FROM retention_day"), 50);
        assert_int_equal(postgres_int("SELECT count(*) FROM pg_inherits"
                                      " WHERE inhparent = 'raw_logs'::regclass"),
                         7);
        assert_int_equal(metric_get(METRIC_RETENTION_HELD), 1);
}

static void test_maintenance_makes_days_ahead_and_stops_at_once(void **state) {
        const DbRetention retention[] = { { "raw_logs", 30 } };
        Maintenance *maintenance = NULL;

        (void)state;
        postgres_migrate();
        assert_int_equal(maintenance_new(&maintenance,
                                         &(MaintenanceOptions){
                                                 .database_url = getenv("TIDEGATE_TEST_DATABASE"),
                                                 .days_ahead = 3,
                                                 .hold_ms = 1000,
                                                 .retention = retention,
                                                 .n_retention = 1,
                                         }),
                         0);
        postgres_wait("SELECT to_regclass('raw_logs_' || to_char((now() AT TIME ZONE 'UTC')::date"
                      " + 3, 'YYYYMMDD')) IS NOT NULL");
        maintenance = maintenance_free(maintenance);
}

/* A row or a function that somebody has altered may say any date. */
static void test_a_day_that_no_time_reaches_is_none(void **state) {
        DbRetentionDay day;
        DbConn *conn;

        (void)state;
        postgres_migrate();
        postgres_run("CREATE OR REPLACE FUNCTION tidegate_retention_day(gateway_now timestamptz,"
                     " is_patient boolean, OUT day date, OUT held text) LANGUAGE sql AS"
                     " $$ SELECT date '5874897-12-31', ''::text $$");
        conn = postgres_connect(5000);
        assert_int_equal(db_partitions_judge(conn, NOON, true, &day), 0);
        assert_int_equal(day.day_us, CLOCK_UNKNOWN);
        db_conn_free(conn);
}

static void test_maintenance_without_a_database_stops_at_once(void **state) {
        Maintenance *maintenance = NULL;

        (void)state;
        assert_int_equal(maintenance_new(&maintenance,
                                         &(MaintenanceOptions){
                                                 .database_url = "postgresql://10.255.255.1/none",
                                                 .days_ahead = 3,
                                         }),
                         0);
        maintenance = maintenance_free(maintenance);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_table_gets_its_days),
                cmocka_unit_test(test_retention_drops_what_is_older_and_nothing_else),
                cmocka_unit_test(test_drop_gives_way_to_a_long_reader),
                cmocka_unit_test(
                        test_retention_goes_by_the_day_that_it_knows_and_no_clock_moves_it_far),
                cmocka_unit_test(test_what_was_written_today_stays_whatever_day_it_names),
                cmocka_unit_test(test_maintenance_does_nothing_while_a_clock_has_jumped),
                cmocka_unit_test(test_maintenance_makes_days_ahead_and_stops_at_once),
                cmocka_unit_test(test_a_day_that_no_time_reaches_is_none),
                cmocka_unit_test(test_maintenance_without_a_database_stops_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
