/* Pages of raw logs and of faces say from sums (db/write/sums) what the rows say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/read/pages.h"
#include "db/write/sums.h"
#include "postgres.h"

#define DAY_US   (INT64_C(86400) * 1000000)
#define N_BODIES 400

/* Of sixteen days; some was received days late, some is a little ahead of its receipt; Ida is seen
 * often, Bo seldom, others are not known, or no face. */
static const char crowd[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'hash'), ('bob', 'x');"
        "INSERT INTO vehicles (code, user_id) VALUES ('v1', 1), ('v2', NULL), ('v3', 1);"
        "INSERT INTO devices (code, user_id, device_type) VALUES ('c1', 1, 'camera'),"
        " ('c2', NULL, 'camera'), ('c3', 1, 'camera');"
        "INSERT INTO shares (user_id, device_id) VALUES (2, 2);"
        "INSERT INTO shares (user_id, vehicle_id) VALUES (2, 2);"
        "SELECT tidegate_make_partitions((now() AT TIME ZONE 'UTC')::date - 18,"
        " (now() AT TIME ZONE 'UTC')::date + 2), setseed(0.25);"
        "CREATE TABLE came AS SELECT i, t, least(t + late, now()) AS received, 1 + floor(random() "
        "* 3)::int AS"
        " thing, random() AS kind FROM (SELECT i, now() - random() * interval '16 days' AS t,"
        "  CASE WHEN i % 10 = 0 THEN random() * interval '4 days' WHEN i % 10 = 1 THEN"
        "  interval '-10 seconds' ELSE interval '300 ms' END AS late"
        "  FROM generate_series(1, 2000) i) r;"
        "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
        " SELECT i, received, t, thing, 1, repeat('x', i % 50) FROM came;"
        "INSERT INTO camera_events (seq, received_at, time, device_id, confidence, journal_id,"
        " event_type, person_name, data) SELECT i, received, t, thing, kind, 1,"
        " CASE WHEN i % 7 = 0 THEN 'motion' WHEN i % 2 = 0 THEN 'face_detected'"
        " ELSE 'face_recognized' END, CASE WHEN kind < 0.5 THEN 'Ida' WHEN kind < 0.51 THEN 'Bo'"
        " WHEN kind < 0.6 THEN 'Unknown' WHEN kind < 0.7 THEN '' WHEN kind < 0.8 THEN NULL"
        " ELSE 'p' || i % 13 END, '{\"location\": {\"top\": 1}}' FROM came; ANALYZE";

static DbConn *conn;
static Buf bodies[N_BODIES];
static size_t n_bodies;
static int64_t now_us;

static int setup(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(crowd);
        conn = postgres_connect(20000);
        now_us = clock_now_us();
        return 0;
}

static int teardown(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        for (size_t i = 0; i < N_BODIES; ++i)
                buf_done(&bodies[i]);
        return 0;
}

static int64_t count_days(void) {
        DbSums sums;

        assert_int_equal(db_sums_count(conn, DB_SUMS_PAGES, 60000, &sums), 0);
        assert_false(sums.has_more);
        return sums.n_days;
}

/* The first time keeps what it says, later ones compare. */
static void ask(const PageQuery *page, bool is_first) {
        CLEANUP_BUF Buf again = { 0 };
        Buf *body = is_first ? &bodies[n_bodies] : &again;

        if (is_first)
                buf_done(body);
        assert_int_equal(db_page(conn, page, body), 0);
        buf_append_char(body, '\0');
        assert_false(buf_failed(body));
        if (!is_first)
                assert_string_equal(body->data, bodies[n_bodies].data);
        assert_true(n_bodies + 1 < N_BODIES);
        ++n_bodies;
}

static void ask_faces(const PageQuery *asker, bool is_first) {
        static const char *const names[] = { "", "Ida", "Bo", "Unknown", "nobody" };
        PageQuery page = *asker;

        page.number = 7;
        page.kind = PAGE_FACE_SUMS;
        ask(&page, is_first);
        page.kind = PAGE_FACE_HOURS;
        ask(&page, is_first);
        page.kind = PAGE_FACE_HISTORY;
        page.number = 1;
        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                snprintf(page.text, sizeof(page.text), "%s", names[i]);
                page.limit = i % 2 == 0 ? 5 : 500;
                ask(&page, is_first);
        }
}

/* Of the times and zones that there are the first few. */
static void ask_some(size_t n_zones, size_t n_ages, bool is_first) {
        static const char *const zones[] = { "", "Asia/Kathmandu", "+07:20" };
        static const int64_t users[] = { 0, 1, 2 };
        static const int64_t ages_us[] = { 3 * DAY_US + 12345, DAY_US / 48, 30 * DAY_US };

        n_bodies = 0;
        for (size_t i = 0; i < n_zones && i < N_ELEMENTS(zones); ++i)
                for (size_t k = 0; k < N_ELEMENTS(users); ++k) {
                        PageQuery page = { .from_us = CLOCK_UNKNOWN, .to_us = CLOCK_UNKNOWN };

                        snprintf(page.zone, sizeof(page.zone), "%s", zones[i]);
                        page.user_id = users[k];
                        page.kind = PAGE_RAW_STATS;
                        ask(&page, is_first);
                        ask_faces(&page, is_first);
                        for (size_t a = 0; a < n_ages && a < N_ELEMENTS(ages_us); ++a) {
                                page.from_us = now_us - ages_us[a];
                                ask_faces(&page, is_first);
                        }
                }
}

/* Without the sums: who looks at the partitions finds none that is counted. */
static void assert_all_as_rows_say(void) {
        postgres_run("CREATE TABLE kept AS SELECT * FROM page_days; TRUNCATE page_days");
        ask_some(1, 1, true);
        postgres_run("INSERT INTO page_days SELECT * FROM kept; DROP TABLE kept");
        ask_some(1, 1, false);
}

static void test_sums_say_what_the_rows_say(void **state) {
        (void)state;
        ask_some(3, 3, true);
        assert_true(count_days() >= 2 * 14);
        assert_int_equal(postgres_int("SELECT count(*) FROM page_leaves WHERE NOT is_counted"
                                      " AND ends < now() - interval '2 hours'"),
                         0);
        ask_some(3, 3, false);
        assert_int_equal(count_days(), 0);
}

/* Read in another way. */
static void test_they_are_right(void **state) {
        PageQuery page = { .kind = PAGE_RAW_STATS, .from_us = CLOCK_UNKNOWN, .user_id = 1 };
        CLEANUP_BUF Buf raw = { 0 };
        CLEANUP_BUF Buf faces = { 0 };

        (void)state;
        (void)count_days();
        assert_int_equal(db_page(conn, &page, &raw), 0);
        buf_append_char(&raw, '\0');
        assert_non_null(
                strstr(raw.data,
                       postgres_text("SELECT format('\"total_records\" : %s, \"total_size\" : %s,',"
                                     " count(*), sum(octet_length(logs))) FROM raw_logs"
                                     " WHERE vehicle_id IN (1, 3)")));
        page.kind = PAGE_FACE_SUMS;
        assert_int_equal(db_page(conn, &page, &faces), 0);
        buf_append_char(&faces, '\0');
        assert_non_null(
                strstr(faces.data,
                       postgres_text(
                               "SELECT format('\"total_detections\" : %s, \"unique_people\" : %s,"
                               " \"most_detected_person\" : \"Ida\"', count(*), count(DISTINCT"
                               " person_name) FILTER (WHERE person_name NOT IN ('', 'Unknown')))"
                               " FROM camera_events WHERE device_id IN (1, 3)"
                               " AND event_type LIKE 'face%'")));
}

static void test_whole_days_cost_no_rows(void **state) {
        PageQuery page = { .kind = PAGE_RAW_STATS, .from_us = CLOCK_UNKNOWN };

        (void)state;
        (void)count_days();
        n_bodies = 0;
        ask(&page, true);
        postgres_run("DO $$ DECLARE name text; BEGIN FOR name IN SELECT leaf::regclass::text FROM"
                     " page_leaves WHERE is_counted LOOP EXECUTE format('ALTER TABLE %s DISABLE"
                     " TRIGGER page_changed; DELETE FROM %1$s', name); END LOOP; END $$");
        n_bodies = 0;
        ask(&page, false);
}

static void test_who_writes_into_a_day_that_is_counted_is_read(void **state) {
        static const char *const writes[] = {
                "UPDATE camera_events SET person_name = 'Bo' WHERE seq % 7 = 1",
                "INSERT INTO raw_logs SELECT seq + 10000, received_at, time, vehicle_id, "
                "journal_id,"
                " 'late' FROM raw_logs WHERE seq % 5 = 0",
                "DELETE FROM camera_events WHERE seq % 3 = 0",
                "SET session_replication_role = replica; DELETE FROM raw_logs WHERE seq % 2 = 0;"
                " RESET session_replication_role",
                "DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || leaf::regclass FROM page_leaves"
                " WHERE source = 'raw_logs' AND is_counted ORDER BY day DESC LIMIT 1); END $$",
        };

        (void)state;
        (void)count_days();
        for (size_t i = 0; i < N_ELEMENTS(writes); ++i) {
                postgres_run(writes[i]);
                assert_all_as_rows_say();
                assert_true(count_days() > 0);
                assert_all_as_rows_say();
        }
}

static void test_sums_go_with_their_rows(void **state) {
        (void)state;
        (void)count_days();
        postgres_run("SELECT tidegate_drop_partition('camera_events',"
                     " (now() AT TIME ZONE 'UTC')::date - 5) FROM generate_series(1, 20)");
        (void)count_days();
        assert_int_equal(postgres_int("SELECT count(*) FROM page_sums WHERE source ="
                                      " 'camera_events' AND day < (now() AT TIME ZONE"
                                      " 'UTC')::date - 5"),
                         0);
        assert_true(postgres_int("SELECT count(*) FROM page_sums WHERE source = 'raw_logs'"
                                 " AND day < (now() AT TIME ZONE 'UTC')::date - 5") > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_sums_say_what_the_rows_say, setup, teardown),
                cmocka_unit_test_setup_teardown(test_they_are_right, setup, teardown),
                cmocka_unit_test_setup_teardown(test_whole_days_cost_no_rows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_who_writes_into_a_day_that_is_counted_is_read,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_sums_go_with_their_rows, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
