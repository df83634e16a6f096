/* What db/read/statistics says to each scope. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/read/statistics.h"
#include "postgres.h"

enum {
        N_SCOPES = 4,
};

/* Everything; ana owns device 1; bob is shown device 2 by a group; cid sees nothing. */
static const int64_t scopes[N_SCOPES] = { 0, 1, 2, 3 };

static const char fleet[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'hash'), ('bob', 'x'),"
        " ('cid', 'x');"
        "INSERT INTO devices (code, user_id, device_type) VALUES ('d1', 1, 'camera'),"
        " ('d2', NULL, 'camera'), ('d3', NULL, NULL);"
        "INSERT INTO groups (name) VALUES ('g'); INSERT INTO device_groups VALUES (2, 1);"
        "INSERT INTO shares (user_id, group_id) VALUES (2, 1);"
        "SELECT tidegate_make_partitions(((now() - interval '1 day') AT TIME ZONE 'UTC')::date,"
        " (now() AT TIME ZONE 'UTC')::date)";

static const char detections[] =
        "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item,"
        " zone, device_hash) SELECT 1, now() - age, '2020-01-01', device, rssi, 1, 0, zone, hash"
        " FROM (VALUES (interval '1 s', 1, -50.0, 'near', 'a'), ('2 s', 1, -55, 'near', 'a'),"
        " ('3 s', 1, -53.05, 'near', 'b'), ('4 s', 1, -90, 'far', 'a'),"
        " ('5 s', 2, -70, 'medium', 'a'), ('6 s', 2, -70, 'medium', 'c'),"
        " ('7 s', 2, -70.24, 'medium', 'd'), ('10 min', 1, -1, 'near', 'old'))"
        " v (age, device, rssi, zone, hash)";

/* Without the members that are the time of asking. */
static const char *body_after(const Buf *body, const char *member) {
        const char *found = strstr(body->data, member);

        assert_non_null(found);
        return found;
}

static void assert_begins(const Buf *body, const char *text) {
        assert_memory_equal(body->data, text, strlen(text));
}

static void test_detection_statistics_of_each_scope(void **state) {
        Buf bodies[N_SCOPES] = { 0 };
        DbConn *conn;

        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        postgres_run(detections);
        conn = postgres_connect(5000);
        assert_int_equal(db_history_detection_stats(conn,
                                                    scopes,
                                                    N_SCOPES,
                                                    &(DbDetectionWindow){ .minutes = 5 },
                                                    bodies),
                         0);

        assert_begins(&bodies[0], "{\"timestamp\":\"20");
        assert_string_equal(
                body_after(&bodies[0], ",\"time_window"),
                ",\"time_window_minutes\":5,\"by_zone\":{"
                "\"near\":{\"unique_devices\":2,\"total_detections\":3,\"estimated_people\":1,"
                "\"avg_rssi\":-52.68},"
                "\"medium\":{\"unique_devices\":3,\"total_detections\":3,\"estimated_people\":2,"
                "\"avg_rssi\":-70.08},"
                "\"far\":{\"unique_devices\":1,\"total_detections\":1,\"estimated_people\":1,"
                "\"avg_rssi\":-90.00}},"
                "\"total\":{\"unique_devices\":4,\"total_detections\":7,\"estimated_people\":3}}");
        assert_string_equal(body_after(&bodies[1], "\"total\":"),
                            "\"total\":{\"unique_devices\":2,\"total_detections\":4,"
                            "\"estimated_people\":1}}");
        assert_string_equal(body_after(&bodies[2], "\"by_zone\":"),
                            "\"by_zone\":{\"medium\":{\"unique_devices\":3,"
                            "\"total_detections\":3,\"estimated_people\":2,\"avg_rssi\":-70.08}},"
                            "\"total\":{\"unique_devices\":3,\"total_detections\":3,"
                            "\"estimated_people\":2}}");
        assert_string_equal(body_after(&bodies[3], "\"by_zone\":"),
                            "\"by_zone\":{},\"total\":{\"unique_devices\":0,"
                            "\"total_detections\":0,\"estimated_people\":0}}");

        for (size_t i = 0; i < N_SCOPES; ++i)
                buf_done(&bodies[i]);
        assert_int_equal(db_history_detection_stats(conn,
                                                    scopes,
                                                    2,
                                                    &(DbDetectionWindow){ .minutes = 60,
                                                                          .device_id = 1 },
                                                    bodies),
                         0);
        assert_non_null(strstr(bodies[0].data, "\"total\":{\"unique_devices\":3,"));
        for (size_t i = 0; i < N_SCOPES; ++i)
                buf_done(&bodies[i]);
        db_conn_free(conn);
}

static void test_detections_count_as_it_is_said(void **state) {
        static const struct {
                CounterStyle style;
                const char *total;
        } cases[] = {
                { { .devices_per_person = 2 },
                  "4,\"total_detections\":9,\"estimated_people\":2}}" },
                { { .devices_per_person = 1 },
                  "4,\"total_detections\":9,\"estimated_people\":4}}" },
                { { .zones_apart = true }, "6,\"total_detections\":9,\"estimated_people\":4}}" },
                { { .by_time = true }, "4,\"total_detections\":7,\"estimated_people\":3}}" },
                { { .by_time = true, .zones_apart = true, .devices_per_person = 4 },
                  "6,\"total_detections\":7,\"estimated_people\":2}}" }, /* 1.5 */
                { { .by_time = true, .ahead_us = INT64_C(600000000) },
                  "4,\"total_detections\":8,\"estimated_people\":3}}" },
        };
        DbConn *conn;

        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        postgres_run(detections);
        postgres_run("UPDATE ble_detections SET time = received_at");
        /* buffered, of a clock that is ahead, and of such a one that came before the window */
        postgres_run(
                "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id,"
                " item, zone, device_hash) SELECT 90 + i, now() - r, now() - t, device_id, -50,"
                " 1, 0, zone, device_hash FROM (VALUES (1, interval '0', interval '1 hour'),"
                " (2, '0', '-5 min'), (3, '8 min', '1 min')) AS v (i, r, t), (SELECT * FROM"
                " ble_detections WHERE zone = 'near' ORDER BY time DESC LIMIT 1) AS b");
        conn = postgres_connect(5000);
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                const DbDetectionWindow window = { .minutes = 5, .style = cases[i].style };
                const int64_t all = 0;
                CLEANUP_BUF Buf body = { 0 };

                assert_int_equal(db_history_detection_stats(conn, &all, 1, &window, &body), 0);
                assert_string_equal(strstr(body.data, "\"total\":{\"unique_devices\":") + 26,
                                    cases[i].total);
        }
        db_conn_free(conn);
}

/* In this transaction, of all partitions. */
static int64_t rows_read(void) {
        return postgres_int("SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)"
                            " FROM pg_stat_user_tables WHERE relname LIKE 'ble_detections_%'");
}

static void test_detection_statistics_read_nobody_elses_rows(void **state) {
        static const int64_t strangers[] = { 2, 3 }; /* bob sees three rows, and cid none */
        int64_t before;
        Buf bodies[N_ELEMENTS(strangers)] = { 0 };
        DbConn *conn;

        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        postgres_run(detections);
        postgres_run("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                     " journal_id, item, zone, device_hash) SELECT 100 + i, now(), now(), 1, -50,"
                     " 1, 0, 'near', 'h' || i FROM generate_series(1, 20000) i");
        postgres_run("ANALYZE");
        before = rows_read();
        conn = postgres_connect(5000);
        assert_int_equal(db_history_detection_stats(conn,
                                                    strangers,
                                                    N_ELEMENTS(strangers),
                                                    &(DbDetectionWindow){ .minutes = 5 },
                                                    bodies),
                         0);
        db_conn_free(conn); /* its backend hands in its counts at the latest when it ends */
        assert_non_null(strstr(bodies[0].data, "\"total\":{\"unique_devices\":3,"));
        assert_non_null(strstr(bodies[1].data, "\"total\":{\"unique_devices\":0,"));
        postgres_wait("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name ="
                      " 'tidegate/test'");
        assert_in_range(rows_read() - before, 0, 10);
        for (size_t i = 0; i < N_ELEMENTS(bodies); ++i)
                buf_done(&bodies[i]);
}

static void test_camera_statistics_of_each_scope(void **state) {
        Buf bodies[N_SCOPES] = { 0 };
        DbConn *conn;

        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        postgres_run(
                "INSERT INTO camera_events (seq, received_at, time, device_id, journal_id,"
                " event_type, person_name) SELECT row_number() OVER (), now() - age, '2025-10-18"
                " 12:00:00.5+00', device, 1, type, person FROM (VALUES"
                " (interval '0', 1, 'face_detected', 'Ann'), ('0', 1, 'face_recognized', 'Ann'),"
                " ('0', 1, 'face_detected', 'Unknown'), ('0', 1, 'face_detected', NULL),"
                " ('0', 1, 'recording_started', NULL), ('0', 1, 'motion', 'Zoe'),"
                " ('1 day', 1, 'face_detected', 'Max'), ('0', 2, 'face_detected', 'Ann'),"
                " ('0', 2, 'recording_started', NULL), ('0', 2, 'recording_stopped', NULL),"
                " ('1 day', 3, 'face_detected', 'Joe')) v (age, device, type, person)");
        conn = postgres_connect(5000);
        assert_int_equal(db_history_camera_stats(conn, scopes, N_SCOPES, bodies), 0);

        assert_begins(
                &bodies[0],
                "{\"total_people\":3,\"recognitions_today\":3,"
                "\"last_recognition\":\"2025-10-18T12:00:00.500Z\",\"face_recognition\":{"
                "\"total_people\":3,\"recognitions_today\":3,"
                "\"last_recognition\":\"2025-10-18T12:00:00.500Z\",\"unknown_faces_today\":2},"
                "\"cameras\":{\"total_cameras\":3,\"active_cameras\":2,\"recording_cameras\":1},"
                "\"timestamp\":\"");
        assert_begins(&bodies[1], "{\"total_people\":2,\"recognitions_today\":2,");
        assert_non_null(strstr(bodies[1].data,
                               "\"total_cameras\":1,\"active_cameras\":1,"
                               "\"recording_cameras\":1}"));
        assert_begins(&bodies[2], "{\"total_people\":1,\"recognitions_today\":1,");
        assert_begins(&bodies[3],
                      "{\"total_people\":0,\"recognitions_today\":0,"
                      "\"last_recognition\":null,");
        for (size_t i = 0; i < N_SCOPES; ++i)
                buf_done(&bodies[i]);
        db_conn_free(conn);
}

static void test_recording_follows_the_newest_event_time(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        postgres_run("INSERT INTO camera_events (seq, received_at, time, device_id, journal_id,"
                     " event_type) VALUES (1, now(), now() - interval '1 s', 1, 1,"
                     " 'recording_stopped')");
        postgres_run("INSERT INTO camera_events (seq, received_at, time, device_id, journal_id,"
                     " event_type) VALUES (2, now(), now() - interval '1 h', 1, 1,"
                     " 'recording_started')");
        assert_string_equal(postgres_text("SELECT recording FROM camera_states"), "f");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_detection_statistics_of_each_scope),
                cmocka_unit_test(test_detections_count_as_it_is_said),
                cmocka_unit_test(test_detection_statistics_read_nobody_elses_rows),
                cmocka_unit_test(test_camera_statistics_of_each_scope),
                cmocka_unit_test(test_recording_follows_the_newest_event_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
