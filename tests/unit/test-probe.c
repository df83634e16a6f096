/* DbProbe: a row that a table surely takes, if it takes any, of whatever kind. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "db/write/partitions.h"
#include "db/write/probe.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

DEFINE_CLEANUP(PGresult *, PQclear);

static const char *const tables[KIND_COUNT] = {
        [KIND_DEVICE_STATUS] = "device_status_logs", [KIND_RAW_LOG] = "raw_logs",
        [KIND_SENSOR_LOG] = "sensor_logs",           [KIND_VEHICLE_LOG] = "vehicle_logs",
        [KIND_BLE_DETECTIONS] = "ble_detections",    [KIND_TELEMETRY] = "telemetry",
        [KIND_CAMERA_EVENT] = "camera_events",       [KIND_ALERT] = "alerts",
        [KIND_COMMAND_ACK] = "command_events",       [KIND_COMMAND_STATE] = "command_events",
};

static int set_up(void **state) {
        DbConn *conn;

        postgres_migrate();
        postgres_run("INSERT INTO users (username, password_hash) VALUES ('ana', 'x');"
                     "INSERT INTO devices (code) VALUES ('d1'), ('d2');"
                     "INSERT INTO vehicles (code) VALUES ('v1'), ('v2');"
                     "INSERT INTO journal_positions (epoch) VALUES ('aa')");
        conn = postgres_connect(5000);
        assert_int_equal(db_partitions_make(conn, NOON, NOON), 0);
        *state = conn;
        return 0;
}

static int tear_down(void **state) {
        db_conn_free(*state);
        return 0;
}

static Record record_of(Kind kind) {
        return (Record){ .seq = 1,
                         .received_us = NOON,
                         .time_us = NOON,
                         .kind = kind,
                         .vehicle_id = 1,
                         .device_id = 1 };
}

/* What the server says to one of @kind, within a transaction of the caller's. */
static int probe_answer(DbConn *conn) {
        int r = 0, r_one = 0;

        for (;;) {
                CLEANUP(PQclear) PGresult *result = NULL;

                r_one = db_conn_result(conn, db_conn_deadline(conn), &result);
                assert_int_equal(r_one, 0);
                if (!result)
                        return r;
                if (PQresultStatus(result) == PGRES_FATAL_ERROR)
                        r = db_conn_fail(conn, result);
                else
                        assert_string_equal(PQcmdTuples(result), "1"); /* and no other row */
        }
}

static int probe_nth(DbConn *conn, const Record *record, int nth) {
        assert_true(db_probe_send(conn, record, 1, nth, RECORD_ROW));
        return probe_answer(conn);
}

static int probe(DbConn *conn, const Record *record) {
        return probe_nth(conn, record, 0);
}

static void expect_taken(DbConn *conn, Kind kind, int nth) {
        const Record record = record_of(kind);
        int r;

        assert_int_equal(db_conn_script(conn, "BEGIN; SET CONSTRAINTS ALL IMMEDIATE"), 0);
        r = probe_nth(conn, &record, nth);
        if (r != 0)
                fail_msg("%s: %s", kind_name(kind), db_conn_error(conn));
        assert_int_equal(db_conn_script(conn, "ROLLBACK"), 0);
}

static int64_t count_of(Kind kind) {
        char sql[64];

        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[kind]);
        return postgres_int(sql);
}

static void test_an_empty_table_of_each_kind_takes_it(void **state) {
        for (Kind kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind) {
                for (int nth = 0; nth < DB_PROBES; ++nth)
                        expect_taken(*state, kind, nth);
                assert_int_equal(count_of(kind), 0); /* the caller has rolled it back */
        }
}

/* Once there is a row of another device, it is that one's copy: what the table takes of them all.
 */
static void test_it_is_a_copy_of_what_was_taken_lately(void **state) {
        Record record = record_of(KIND_TELEMETRY);
        DbConn *conn = *state;

        postgres_run(
                "INSERT INTO telemetry (journal_id, seq, received_at, time, device_id, payload)"
                " VALUES (1, 8, '2025-10-18T12:00Z', '2025-10-18T12:00Z', 1, '{\"own\":1}'),"
                " (1, 9, '2025-10-18T12:00Z', '2025-10-18T12:00Z', 2, '{\"other\":1}');"
                "ALTER TABLE telemetry ADD CHECK (payload::text <> '{}')");
        assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
        assert_int_equal(probe(conn, &record), 0);
        assert_int_equal(db_conn_script(conn, "COMMIT"), 0);
        assert_string_equal(postgres_text("SELECT device_id || payload::text FROM telemetry"
                                          " WHERE seq = 0"),
                            "2{\"other\":1}");
}

static void test_of_its_own_device_if_there_is_no_other(void **state) {
        Record record = record_of(KIND_RAW_LOG);
        DbConn *conn = *state;

        postgres_run("INSERT INTO raw_logs (journal_id, seq, received_at, time, vehicle_id, logs)"
                     " VALUES (1, 8, '2025-10-18T12:00Z', '2025-10-18T12:00Z', 1, 'own')");
        assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
        assert_int_equal(probe(conn, &record), 0);
        assert_int_equal(db_conn_script(conn, "COMMIT"), 0);
        assert_string_equal(postgres_text("SELECT logs FROM raw_logs WHERE seq = 0"), "own");
}

/* One after the other: a copy of another one and of its own, a plain row of another one and its
 * own.
 */
static void test_the_next_one_is_another_one(void **state) {
        Record record = record_of(KIND_RAW_LOG);
        DbConn *conn = *state;

        postgres_run("INSERT INTO raw_logs (journal_id, seq, received_at, time, vehicle_id, logs)"
                     " VALUES (1, 8, '2025-10-18T12:00Z', '2025-10-18T12:00Z', 1, 'own'),"
                     " (1, 9, '2025-10-18T12:00Z', '2025-10-18T12:00Z', 2, 'other')");
        for (int nth = 0; nth < DB_PROBES; ++nth) {
                static const char *const wanted[DB_PROBES] = { "2other", "1own", "2", "1" };

                assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
                assert_int_equal(probe_nth(conn, &record, nth), 0);
                assert_int_equal(db_conn_script(conn, "COMMIT"), 0);
                assert_string_equal(postgres_text("SELECT vehicle_id || logs FROM raw_logs WHERE "
                                                  "seq = 0"),
                                    wanted[nth]);
                postgres_run("DELETE FROM raw_logs WHERE seq = 0");
        }
}

static void test_what_goes_beside_a_row_has_one_as_well(void **state) {
        Record record = record_of(KIND_TELEMETRY);
        DbConn *conn = *state;

        record.birth = TEXT("plant/press");
        for (RecordSide side = RECORD_ROW + 1; side <= RECORD_LETTER; ++side) {
                for (int nth = 0; nth < DB_PROBES; ++nth) {
                        assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
                        assert_true(db_probe_send(conn, &record, 1, nth, side));
                        assert_int_equal(probe_answer(conn), 0);
                        assert_int_equal(db_conn_script(conn, "COMMIT"), 0);
                }
        }
        /* Plain ones of both, since the tables were empty; then the first one is a copy. */
        assert_string_equal(postgres_text("SELECT string_agg(thing, ' ' ORDER BY thing)"
                                          " FROM sparkplug_births"),
                            "plant/press plant/press/probe");
        assert_int_equal(postgres_int("SELECT sum(device_id) FROM merged_telemetry"), 3);
        assert_int_equal(postgres_int("SELECT sum(vehicle_id) FROM vehicle_clocks"), 3);
        assert_int_equal(postgres_int("SELECT count(DISTINCT device_id) FROM row_note_days"), 2);
        postgres_run("ALTER TABLE vehicle_clocks ADD CHECK (vehicle_id <> 1) NOT VALID");
        for (int nth = 0; nth < 2; ++nth) {
                assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
                assert_true(db_probe_send(conn, &record, 1, nth, RECORD_CLOCK));
                assert_int_equal(probe_answer(conn), nth == 0 ? 0 : DB_E_REJECTED);
                assert_int_equal(db_conn_script(conn, "ROLLBACK"), 0);
        }
}

/* A table that takes nothing is told by it from one row that is not taken. */
static void test_a_table_that_takes_nothing_does_not_take_it(void **state) {
        DbConn *conn = *state;

        for (Kind kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind) {
                const Record record = record_of(kind);
                char sql[96];

                snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD CHECK (seq < -1)", tables[kind]);
                postgres_run(sql);
                assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
                assert_int_equal(probe(conn, &record), DB_E_REJECTED);
                assert_int_equal(db_conn_script(conn, "ROLLBACK"), 0);
        }
}

/* What came second-hand lies on the day on which it came first. */
static void test_it_goes_into_the_partition_of_the_record_in_doubt(void **state) {
        Record record = record_of(KIND_TELEMETRY);
        DbConn *conn = *state;

        record.received_us = NOON + 90 * CLOCK_DAY_US; /* there is none for it */
        record.letter_id = 3;
        record.first_us = NOON;
        assert_int_equal(db_conn_script(conn, "BEGIN"), 0);
        assert_int_equal(probe(conn, &record), 0);
        assert_int_equal(db_conn_script(conn, "ROLLBACK"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_an_empty_table_of_each_kind_takes_it,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_it_is_a_copy_of_what_was_taken_lately,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_of_its_own_device_if_there_is_no_other,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_what_goes_beside_a_row_has_one_as_well,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_the_next_one_is_another_one,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_a_table_that_takes_nothing_does_not_take_it,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_it_goes_into_the_partition_of_the_record_in_doubt, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
