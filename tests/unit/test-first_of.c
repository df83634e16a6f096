/*
 * DbFirstOf: a page of what somebody sees says the same as if all rows were read, and reads those
 * of others not at all, or hardly.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/read/pages.h"
#include "db/read/reading.h"
#include "postgres.h"

/* That a page may read: of a partition of 60 rows the server reads all for each thing. Others have
 * 6,000 and 12,000 of one day. */
#define FEW_ROWS 1000

/* ana has two devices and two vehicles, and sees a third of each; bob has none. Of a microsecond
 * there may be several rows. Others have much of today, ana little of yesterday. */
static const char rows[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'x'), ('bob', 'x');"
        "INSERT INTO devices (code, user_id) SELECT 'd' || i, CASE WHEN i < 3 THEN 1 END"
        " FROM generate_series(1, 40) i;"
        "INSERT INTO vehicles (code, user_id) SELECT 'v' || i, CASE WHEN i < 3 THEN 1 END"
        " FROM generate_series(1, 40) i;"
        "INSERT INTO shares (user_id, device_id) VALUES (1, 3);"
        "INSERT INTO shares (user_id, vehicle_id) VALUES (1, 3);"
        "INSERT INTO journal_positions (epoch, journal_id, seq) VALUES ('00000000000000aa', 1, 1), "
        "('00000000000000bb', 2, 1);"
        "SELECT tidegate_make_partitions('2026-04-26', '2026-04-27');"
        "CREATE TABLE came AS SELECT i AS seq, 1 + i % 2 AS journal_id, CASE WHEN i > 60"
        "  THEN timestamptz '2026-04-27 00:00Z' + i * interval '10 s'"
        "  ELSE timestamptz '2026-04-26 12:00Z' + i / 4 * interval '1 min' END AS received_at,"
        "  CASE WHEN i > 60 THEN 5 + i % 36 ELSE 1 + (i / 2) % 5 END AS thing"
        " FROM generate_series(1, 6060) i;"
        "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item,"
        " zone, device_hash) SELECT seq, received_at, received_at, thing, -50, journal_id, n,"
        " 'near', seq FROM came, generate_series(0, 1) AS n;"
        "INSERT INTO camera_events (seq, received_at, time, device_id, journal_id, event_type)"
        " SELECT seq, received_at, received_at, thing, journal_id, 'motion' FROM came;"
        "INSERT INTO alerts (seq, received_at, time, vehicle_id, device_id, journal_id, severity)"
        " SELECT seq, received_at, received_at, CASE WHEN seq % 3 > 0 THEN thing END,"
        "  CASE WHEN seq % 3 < 2 THEN 1 + (thing + 1) % 40 END, journal_id,"
        "  CASE WHEN seq % 5 = 0 THEN 'critical' ELSE 'info' END FROM came;"
        "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
        " SELECT seq, received_at, received_at, thing, journal_id, 'x' FROM came";

static DbConn *conn;

static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(rows);
        postgres_run("ANALYZE");
        conn = postgres_connect(5000);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        return 0;
}

/* The cursors of a page, in its order, with blanks between. */
static void read_page(const History *history, Buf *cursors) {
        CLEANUP(db_reading_free) DbReading *reading = NULL;
        CLEANUP_BUF Buf body = { 0 };
        bool is_last = false;
        const char *at;

        assert_int_equal(db_reading_new(&reading, conn, history), 0);
        while (!is_last)
                assert_int_equal(db_reading_next(reading, &body, &is_last), 0);
        buf_append_char(&body, '\0');
        for (at = body.data; (at = strstr(at, "\"received_at\""));) {
                const char *cursor = strstr(at, "\"cursor\":\"") + 10;

                buf_printf(cursors,
                           "%s%.*s",
                           cursors->n > 0 ? " " : "",
                           (int)strcspn(cursor, "\""),
                           cursor);
                at = cursor;
        }
        buf_append_char(cursors, '\0');
}

/* As it was asked for before, and as anybody would. */
static const char *wanted(const char *table, const char *sees, const char *direction, int limit) {
        static char sql[2048];

        (void)snprintf(sql,
                       sizeof(sql),
                       "SELECT coalesce(string_agg(p.epoch || ':' || l.seq, ' ' ORDER BY"
                       " l.received_at %1$s, l.journal_id %1$s, l.seq %1$s), '') FROM (SELECT *"
                       " FROM %2$s WHERE %3$s ORDER BY received_at %1$s, journal_id %1$s, seq"
                       " %1$s LIMIT %4$d) l JOIN journal_positions p USING (journal_id)",
                       direction,
                       table,
                       sees,
                       limit);
        return postgres_text(sql);
}

static const struct {
        HistoryKind kind;
        const char *table, *sees[3]; /* of nobody in particular, ana, bob */
} lists[] = {
        { HISTORY_DETECTIONS, "ble_detections", { "true", "device_id IN (1, 2, 3)", "false" } },
        { HISTORY_CAMERA_EVENTS, "camera_events", { "true", "device_id IN (1, 2, 3)", "false" } },
        { HISTORY_ALERTS,
          "alerts",
          { "severity = 'critical'",
            "severity = 'critical' AND (device_id IN (1, 2, 3) OR vehicle_id IN (1, 2, 3))",
            "false" } },
};

static void test_a_page_is_that_of_all_rows(void **state) {
        static const int limits[] = { 1, 2, 3, 10, 200 };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lists); ++i)
                for (int64_t user = 0; user < 3; ++user)
                        for (size_t k = 0; k < 2 * N_ELEMENTS(limits); ++k) {
                                CLEANUP_BUF Buf cursors = { 0 };
                                History history = { .kind = lists[i].kind,
                                                    .user_id = user,
                                                    .from_us = CLOCK_UNKNOWN,
                                                    .to_us = CLOCK_UNKNOWN,
                                                    .is_descending = k % 2 == 0,
                                                    .limit = limits[k / 2] };

                                if (lists[i].kind == HISTORY_ALERTS)
                                        (void)strcpy(history.severity, "critical");
                                read_page(&history, &cursors);
                                assert_string_equal(cursors.data,
                                                    wanted(lists[i].table,
                                                           lists[i].sees[user],
                                                           k % 2 == 0 ? "DESC" : "",
                                                           limits[k / 2]));
                        }
}

static void test_pages_follow_each_other_without_a_gap_and_without_a_row_twice(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lists); ++i) {
                CLEANUP_BUF Buf all = { 0 };
                History history = { .kind = lists[i].kind,
                                    .user_id = 1,
                                    .from_us = CLOCK_UNKNOWN,
                                    .to_us = CLOCK_UNKNOWN,
                                    .is_descending = true,
                                    .limit = 7 };
                bool is_last = false;

                if (lists[i].kind == HISTORY_ALERTS)
                        (void)strcpy(history.severity, "critical");
                while (!is_last) {
                        CLEANUP(db_reading_free) DbReading *reading = NULL;
                        CLEANUP_BUF Buf body = { 0 };
                        CLEANUP_BUF Buf cursors = { 0 };
                        char cursor[HISTORY_CURSOR_SIZE];
                        const char *at;
                        bool is_end = false;

                        read_page(&history, &cursors);
                        buf_printf(&all, "%s%s", all.n > 0 ? " " : "", cursors.data);
                        assert_int_equal(db_reading_new(&reading, conn, &history), 0);
                        while (!is_end)
                                assert_int_equal(db_reading_next(reading, &body, &is_end), 0);
                        buf_append_char(&body, '\0');
                        at = strstr(body.data, "],\"cursor\":");
                        assert_non_null(at);
                        is_last = strncmp(at + 11, "null", 4) == 0;
                        if (is_last)
                                continue;
                        (void)snprintf(cursor,
                                       sizeof(cursor),
                                       "%.*s",
                                       (int)strcspn(at + 12, "\""),
                                       at + 12);
                        assert_int_equal(history_cursor_parse(cursor, &history.cursor), 0);
                }
                buf_append_char(&all, '\0');
                assert_string_equal(all.data,
                                    wanted(lists[i].table, lists[i].sees[1], "DESC", 100000));
        }
}

/* As the server counts them, of all partitions of it. */
static int64_t rows_read(const char *table) {
        char sql[256];

        assert_int_equal(db_conn_exec(conn,
                                      &(DbQuery){ .sql = "SELECT pg_stat_force_next_flush()" },
                                      NULL),
                         0);
        (void)snprintf(sql,
                       sizeof(sql),
                       "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint"
                       " FROM pg_stat_user_tables WHERE relname LIKE '%s_2%%'",
                       table);
        return postgres_int(sql);
}

static void test_a_page_reads_what_its_asker_sees_and_the_newest_for_all(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(lists); ++i)
                for (int64_t user = 0; user < 3; ++user) {
                        int64_t n_before = rows_read(lists[i].table);
                        CLEANUP_BUF Buf cursors = { 0 };
                        History history = { .kind = lists[i].kind,
                                            .user_id = user,
                                            .from_us = CLOCK_UNKNOWN,
                                            .to_us = CLOCK_UNKNOWN,
                                            .is_descending = true,
                                            .limit = 20 };

                        read_page(&history, &cursors);
                        assert_in_range(rows_read(lists[i].table) - n_before, 0, FEW_ROWS);
                }
}

/* The numbers of a page of detections, in its order. */
static void recent(const PageQuery *page, Buf *ids) {
        CLEANUP_BUF Buf body = { 0 };

        assert_int_equal(db_page(conn, page, &body), 0);
        buf_append_char(&body, '\0');
        for (const char *at = body.data; (at = strstr(at, "\"id\" : ")); at += 7)
                buf_printf(ids,
                           "%s%.*s",
                           ids->n > 0 ? " " : "",
                           (int)strspn(at + 7, "0123456789"),
                           at + 7);
        buf_append_char(ids, '\0');
}

static const char *wanted_recent(const char *sees, const PageQuery *page) {
        static char sql[1024];

        (void)snprintf(sql,
                       sizeof(sql),
                       "SELECT coalesce(string_agg((seq * 16 + item)::text, ' ' ORDER BY time DESC,"
                       " seq DESC, item DESC), '') FROM (SELECT * FROM ble_detections WHERE %s AND"
                       " (%lld = 0 OR device_id = %lld) AND ('%s' = '' OR zone = '%s') ORDER BY "
                       "time"
                       " DESC, seq DESC, item DESC LIMIT %lld) l",
                       sees,
                       (long long)page->device_id,
                       (long long)page->device_id,
                       page->text,
                       page->text,
                       (long long)page->limit);
        return postgres_text(sql);
}

static void check_recent(void) {
        static const char *const zones[] = { "", "near", "far" };
        static const int limits[] = { 1, 7, 100 };

        for (size_t k = 0; k < 3 * 3 * 3 * 3; ++k) {
                static const int64_t device_ids[] = { 0, 1, 9 };
                int64_t user = (int64_t)(k % 3);
                PageQuery page = { .kind = PAGE_COUNTER_RECENT,
                                   .user_id = user,
                                   .from_us = CLOCK_UNKNOWN,
                                   .to_us = CLOCK_UNKNOWN,
                                   .device_id = device_ids[k / 3 % 3],
                                   .limit = limits[k / 9 % 3] };
                CLEANUP_BUF Buf ids = { 0 };

                (void)snprintf(page.text, sizeof(page.text), "%s", zones[k / 27]);
                recent(&page, &ids);
                assert_string_equal(ids.data, wanted_recent(lists[0].sees[user], &page));
        }
}

/* What was heard months ago, and today: late by a day or two, and ahead by some hours. Of the
 * newest of all ana has hardly one. */
static void test_what_was_heard_last_is_that_of_all_rows(void **state) {
        (void)state;
        check_recent();
        postgres_run("SELECT tidegate_make_partitions(current_date - 1, current_date);"
                     "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                     " journal_id, item, zone, device_hash) SELECT 10000 + seq, at, at"
                     "  - CASE WHEN seq % 50 = 0 THEN interval '30 h' WHEN seq % 50 = 1"
                     "    THEN interval '-20 h' ELSE (seq % 7) * interval '1 s' END, thing, -50,"
                     "  journal_id, 0, CASE WHEN seq % 3 = 0 THEN 'far' ELSE 'near' END, seq"
                     " FROM (SELECT *, now() - (6060 - seq) * interval '1 ms' AS at FROM came) c;"
                     "ANALYZE ble_detections");
        check_recent();
}

static void test_what_was_heard_last_reads_what_its_asker_sees(void **state) {
        (void)state;
        for (int64_t k = 0; k < 6; ++k) {
                int64_t n_before = rows_read("ble_detections");
                PageQuery page = { .kind = PAGE_COUNTER_RECENT,
                                   .user_id = k % 3,
                                   .from_us = CLOCK_UNKNOWN,
                                   .to_us = CLOCK_UNKNOWN,
                                   .device_id = k < 3 ? 0 : 2,
                                   .limit = 20 };
                CLEANUP_BUF Buf ids = { 0 };

                recent(&page, &ids);
                assert_in_range(rows_read("ble_detections") - n_before, 0, FEW_ROWS);
        }
}

static void test_the_pages_of_vehicles_read_what_their_asker_sees(void **state) {
        static const PageKind kinds[] = { PAGE_VEHICLES, PAGE_RAW_LOGS, PAGE_RAW_LOGS };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(kinds); ++i)
                for (int64_t user = 0; user < 3; ++user) {
                        int64_t n_before = rows_read("raw_logs");
                        CLEANUP_BUF Buf body = { 0 };
                        PageQuery page = { .kind = kinds[i],
                                           .user_id = i < 2 ? user : 0,
                                           .vehicle_id = i < 2 ? 0 : 4,
                                           .from_us = CLOCK_UNKNOWN,
                                           .to_us = CLOCK_UNKNOWN,
                                           .limit = 20 };

                        assert_int_equal(db_page(conn, &page, &body), 0);
                        assert_in_range(rows_read("raw_logs") - n_before, 0, FEW_ROWS);
                }
}

/* All 40 of them, of which each has rows of today: whether it is there is asked once of each. */
static void test_whether_a_vehicle_was_heard_costs_none_of_its_day(void **state) {
        CLEANUP_BUF Buf body = { 0 };
        PageQuery page = { .kind = PAGE_VEHICLES,
                           .from_us = CLOCK_UNKNOWN,
                           .to_us = CLOCK_UNKNOWN,
                           .limit = 100 };
        int64_t n_before;

        (void)state;
        postgres_run("SELECT tidegate_make_partitions(current_date - 1, current_date);"
                     "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
                     " SELECT seq, now() - interval '6 min' - seq * interval '1 ms', now(), thing,"
                     " journal_id, 'x' FROM came; ANALYZE raw_logs");
        n_before = rows_read("raw_logs");
        assert_int_equal(db_page(conn, &page, &body), 0);
        assert_in_range(rows_read("raw_logs") - n_before, 0, FEW_ROWS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_page_is_that_of_all_rows, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_pages_follow_each_other_without_a_gap_and_without_a_row_twice,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_a_page_reads_what_its_asker_sees_and_the_newest_for_all,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(test_what_was_heard_last_is_that_of_all_rows,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_what_was_heard_last_reads_what_its_asker_sees,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_the_pages_of_vehicles_read_what_their_asker_sees, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_whether_a_vehicle_was_heard_costs_none_of_its_day, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
