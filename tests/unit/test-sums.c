/* What db/write/sums counts, and that db/read/pages says from it what the rows say. */

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
#define FIRST_US (INT64_C(1742947200) * 1000000) /* 2025-03-26 00:00 UTC */
#define N_DAYS   13
#define QUIET_US (INT64_C(1743588600) * 1000000) /* 2025-04-02 10:10 UTC: nothing came then */
#define N_BODIES 600

/* Days that Madrid (30 March) and Lord Howe (6 April) are an hour, and half an hour, off; some was
 * received days late, some is a little ahead of its receipt. */
static const char crowd[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'hash'), ('bob', 'x');"
        "INSERT INTO devices (code, user_id) VALUES ('d1', 1), ('d2', NULL), ('d3', 1);"
        "INSERT INTO shares (user_id, device_id) VALUES (2, 2);"
        "SELECT tidegate_make_partitions('2025-03-25', '2025-04-12'), setseed(0.25);"
        "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item,"
        " zone, device_hash) SELECT i, t + late, t, 1 + floor(random() * 3)::int, rssi, 1, 0,"
        " CASE WHEN rssi >= -60 THEN 'near' WHEN rssi >= -75 THEN 'medium' ELSE 'far' END,"
        " encode(sha256(floor(random() * 90)::text::bytea), 'hex')"
        " FROM (SELECT i, '2025-03-26Z'::timestamptz + random() * interval '13 days' AS t,"
        "  CASE WHEN i % 10 = 0 THEN random() * interval '4 days' WHEN i % 10 = 1 THEN"
        "  interval '-10 seconds' ELSE interval '300 ms' END AS late,"
        "  round(-95 + 50 * random()) / 2 - 30 AS rssi FROM generate_series(1, 3000) i) r;"
        "DELETE FROM ble_detections WHERE received_at BETWEEN '2025-04-02 10:00Z' AND"
        " '2025-04-02 10:20Z'; ANALYZE";

static DbConn *conn;
static Buf bodies[N_BODIES];
static size_t n_bodies, n_times, n_tests;
static bool asks_all;

static int setup(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(crowd);
        conn = postgres_connect(20000);
        n_bodies = 0;
        asks_all = false;
        ++n_tests;
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

        assert_int_equal(db_sums_count(conn, DB_SUMS_DETECTIONS, 60000, &sums), 0);
        assert_false(sums.has_more);
        return sums.n_days;
}

/* ---- all pages, in all zones, of many times ------------------------------------------------- */

/* What an answer says of the moment in which it is given is left out. */
static const char *said(const Buf *body, PageKind kind) {
        static const char *const begins[PAGE_COUNT] = {
                [PAGE_COUNTER_RANGE] = "\"start_time\"",   [PAGE_COUNTER_LIVE] = "\"by_zone\"",
                [PAGE_COUNTER_DISTRIBUTION] = "\"total\"", [PAGE_COUNTER_COUNT] = "\"zone\"",
                [PAGE_COUNTER_HISTOGRAM] = "\"buckets\"",
        };
        const char *begin = begins[kind] ? strstr(body->data, begins[kind]) : body->data;

        assert_non_null(begin);
        return begin;
}

/* All of it takes minutes: a third of the questions is asked, by each test another one. Of two
 * tests the first time asks all, and each later one another third. */
static bool is_asked(bool is_first) {
        if (asks_all)
                return is_first || (n_bodies + n_times) % 3 == 0;
        return (n_bodies + n_tests) % 3 == 0;
}

/* The first time keeps what it says, later ones compare. */
static void ask(const PageQuery *page, bool is_first) {
        CLEANUP_BUF Buf again = { 0 };
        Buf *body = is_first ? &bodies[n_bodies] : &again;

        if (!is_asked(is_first)) {
                ++n_bodies;
                return;
        }
        assert_int_equal(db_page(conn, page, body), 0);
        buf_append_char(body, '\0');
        assert_false(buf_failed(body));
        if (!is_first)
                assert_string_equal(said(body, page->kind), said(&bodies[n_bodies], page->kind));
        assert_true(n_bodies + 1 < N_BODIES);
        ++n_bodies;
}

static uint64_t random_number(uint64_t *seed) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        return *seed >> 33;
}

/* Some begin or end with a quarter of an hour, some are within one. */
static int64_t a_time(uint64_t *seed) {
        int64_t at_us = FIRST_US + (int64_t)(random_number(seed) % (N_DAYS * 86400)) * 1000000;

        if (random_number(seed) % 3 == 0)
                return at_us - at_us % INT64_C(900000000);
        return at_us + (int64_t)(random_number(seed) % 1000000);
}

static void ask_ranges(const PageQuery *asker, uint64_t *seed, bool is_first) {
        PageQuery page = *asker;

        page.kind = PAGE_COUNTER_RANGE;
        for (int i = 0; i < 3; ++i) {
                int64_t a_us = a_time(seed), b_us = a_time(seed);

                if (i == 0)
                        b_us = a_us + INT64_C(300000000);
                page.from_us = a_us < b_us ? a_us : b_us;
                page.to_us = a_us < b_us ? b_us : a_us + 1;
                ask(&page, is_first);
        }
}

/* Midnights are those of the zone: PostgreSQL says when they are. */
static int64_t midnight(const char *zone, const char *day) {
        char name[64], sql[256];

        snprintf(name, sizeof(name), "%s", *zone ? zone : "UTC");
        if (*name == '+')
                *name = '-';
        snprintf(sql,
                 sizeof(sql),
                 "SELECT (extract(epoch FROM '%s'::timestamp AT TIME ZONE '%s') * 1000000)::bigint",
                 day,
                 name);
        return postgres_int(sql);
}

static void ask_days(const PageQuery *asker, bool is_first) {
        static const char *const days[] = {
                "2025-03-29", "2025-03-30", "2025-04-05", "2025-04-06"
        };
        PageQuery page = *asker;

        page.kind = PAGE_COUNTER_HOURLY;
        for (size_t i = 0; i < N_ELEMENTS(days); ++i) {
                page.from_us = midnight(page.zone, days[i]);
                ask(&page, is_first);
        }
        page.kind = PAGE_COUNTER_DAILY;
        page.from_us = midnight(page.zone, "2025-03-20");
        page.to_us = midnight(page.zone, "2025-04-07");
        ask(&page, is_first);
}

/* Without times of their own: from so many hours ago to now. */
static void ask_now(const PageQuery *asker, bool is_first) {
        static const char *const zones[] = { "", "near", "far" };
        PageQuery page = *asker;

        page.kind = PAGE_COUNTER_LIVE;
        page.number = (clock_now_us() - QUIET_US) / INT64_C(60000000);
        ask(&page, is_first);
        page.number = 87600;
        page.kind = PAGE_COUNTER_DISTRIBUTION;
        ask(&page, is_first);
        page.kind = PAGE_COUNTER_COUNT;
        for (size_t i = 0; i < N_ELEMENTS(zones); ++i) {
                snprintf(page.text, sizeof(page.text), "%s", zones[i]);
                ask(&page, is_first);
        }
        if (page.device_id != 0) {
                page.kind = PAGE_COUNTER_DEVICE_STATS;
                ask(&page, is_first);
        }
}

static void ask_all(bool is_first) {
        static const char *const zones[] = { "",       "Europe/Madrid",       "America/St_Johns",
                                             "+05:45", "Australia/Lord_Howe", "+07:20" };
        static const struct {
                int64_t user_id, device_id;
        } askers[] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 0, 3 }, { 1, 3 }, { 2, 3 } };
        uint64_t seed = 4;

        n_bodies = 0;
        ++n_times;
        for (size_t i = 0; i < N_ELEMENTS(zones); ++i)
                for (size_t k = 0; k < N_ELEMENTS(askers); ++k) {
                        PageQuery page = { .from_us = CLOCK_UNKNOWN, .to_us = CLOCK_UNKNOWN };

                        snprintf(page.zone, sizeof(page.zone), "%s", zones[i]);
                        page.user_id = askers[k].user_id;
                        page.device_id = askers[k].device_id;
                        ask_ranges(&page, &seed, is_first);
                        ask_days(&page, is_first);
                        if (page.user_id != 2 || page.device_id == 0)
                                ask_now(&page, is_first);
                }
}

/* Read in another way: by the text of the hash, and with nothing but its time. */
static void assert_counts(int64_t from_us, int64_t to_us) {
        PageQuery page = { .kind = PAGE_COUNTER_RANGE, .from_us = from_us, .to_us = to_us };
        CLEANUP_BUF Buf body = { 0 };
        char sql[400], wanted[200];

        snprintf(sql,
                 sizeof(sql),
                 "SELECT format('\"unique_devices\" : %%s, \"total_detections\" : %%s,',"
                 " count(DISTINCT device_hash), count(*)) FROM ble_detections"
                 " WHERE time >= timestamptz 'epoch' + %lld * interval '1us'"
                 " AND time < timestamptz 'epoch' + %lld * interval '1us'",
                 (long long)from_us,
                 (long long)to_us);
        snprintf(wanted, sizeof(wanted), "%s", postgres_text(sql));
        assert_int_equal(db_page(conn, &page, &body), 0);
        buf_append_char(&body, '\0');
        if (!strstr(body.data, wanted))
                fail_msg("%s is not in %s", wanted, body.data);
}

static void assert_all_counts(void) {
        uint64_t seed = 9;

        assert_counts(FIRST_US - DAY_US, FIRST_US + 30 * DAY_US);
        assert_counts(FIRST_US + 4 * DAY_US, FIRST_US + 5 * DAY_US);
        for (int i = 0; i < 40; ++i) {
                int64_t from_us = a_time(&seed);

                assert_counts(from_us,
                              from_us + (int64_t)(random_number(&seed) % (3 * 86400)) * 1000000);
        }
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_sums_say_what_the_rows_say(void **state) {
        (void)state;
        asks_all = true;
        ask_all(true);
        postgres_run("SELECT tidegate_watch_detections(day) FROM detection_leaves");
        postgres_run("SELECT tidegate_count_detections(day) FROM detection_leaves"
                     " WHERE extract(day FROM day)::int % 2 = 0");
        ask_all(false);
        assert_int_equal(count_days(), 10); /* the others */
        ask_all(false);
        assert_int_equal(count_days(), 0);
}

static void count_hours(const char *up_to) {
        char sql[300];

        snprintf(sql,
                 sizeof(sql),
                 "SELECT tidegate_watch_detections(day, tidegate_midnight(day) + interval '%s'),"
                 " tidegate_count_detections(day, tidegate_midnight(day) + interval '%s')"
                 " FROM detection_leaves",
                 up_to,
                 up_to);
        /* the count is the second: what watches is there when it looks */
        postgres_run(sql);
}

static void test_sums_of_hours_say_what_the_rows_say(void **state) {
        (void)state;
        asks_all = true;
        ask_all(true);
        count_hours("10 hours");
        assert_string_equal(postgres_text("SELECT string_agg(DISTINCT (counted_to -"
                                          " tidegate_midnight(day))::text, ' ')"
                                          " FROM detection_leaves"),
                            "10:00:00");
        ask_all(false);
        count_hours("11 hours");
        ask_all(false);
        count_hours("24 hours");
        ask_all(false);
        assert_string_equal(postgres_text("SELECT bool_or(is_counted)::text FROM detection_leaves"),
                            "false");
        assert_int_equal(count_days(), 19); /* into one piece each */
        ask_all(false);
}

/* Of whole quarters nothing is read but the sums. */
static const char delete_unnoticed[] =
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT leaf::regclass::text FROM"
        " detection_leaves LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER rewritten',"
        " name); END LOOP; END $$; DELETE FROM ble_detections";

static void test_sums_need_no_rows(void **state) {
        PageQuery page = { .from_us = CLOCK_UNKNOWN, .to_us = CLOCK_UNKNOWN, .zone = "+05:45" };

        (void)state;
        ask_days(&page, true);
        assert_int_equal(count_days(), 19);
        postgres_run(delete_unnoticed);
        n_bodies = 0;
        ask_days(&page, false);
}

static void test_sums_of_hours_need_no_rows(void **state) {
        PageQuery page = { .from_us = CLOCK_UNKNOWN, .to_us = CLOCK_UNKNOWN, .zone = "+05:45" };

        (void)state;
        ask_days(&page, true);
        count_hours("24 hours");
        postgres_run(delete_unnoticed);
        n_bodies = 0;
        ask_days(&page, false);
}

static void test_who_writes_into_a_day_that_is_counted_is_read(void **state) {
        static const char *const writes[] = {
                "UPDATE ble_detections SET device_hash = 'new' WHERE seq % 7 = 0",
                "INSERT INTO ble_detections SELECT seq + 10000, received_at, time, device_id, rssi,"
                " journal_id, item, zone, 'late' || seq FROM ble_detections WHERE seq % 5 = 0",
                "DELETE FROM ble_detections WHERE seq % 3 = 0",
                "TRUNCATE ble_detections_20250330",
                "SET session_replication_role = replica; DELETE FROM ble_detections WHERE seq % 2 "
                "= 0;"
                " RESET session_replication_role",
                "BEGIN; INSERT INTO ble_detections SELECT seq + 20000, received_at, time, "
                "device_id,"
                " rssi, journal_id, item, zone, 'x' FROM ble_detections; ROLLBACK",
        };

        (void)state;
        assert_all_counts();
        assert_int_equal(count_days(), 19);
        assert_all_counts();
        for (size_t i = 0; i < N_ELEMENTS(writes); ++i) {
                postgres_run(writes[i]);
                assert_all_counts();
                assert_int_equal(count_days() > 0, i + 1 < N_ELEMENTS(writes));
                assert_all_counts();
        }
}

/* What comes after the hours that are counted is none of their business, and of what comes late the
 * hours before it stay good. */
static void test_who_writes_into_an_hour_that_is_counted_is_read(void **state) {
        static const char late[] = "SELECT (counted_to - tidegate_midnight(day))::text FROM"
                                   " detection_leaves WHERE day = '2025-03-28'";

        (void)state;
        count_hours("10 hours");
        postgres_run("INSERT INTO ble_detections SELECT seq + 10000, received_at, time, device_id,"
                     " rssi, journal_id, item, zone, 'new' || seq FROM ble_detections WHERE"
                     " received_at >= tidegate_midnight((received_at AT TIME ZONE 'UTC')::date)"
                     " + interval '10 hours'");
        assert_string_equal(postgres_text("SELECT count(*) FROM detection_changes"), "0");
        assert_all_counts();
        postgres_run("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                     " journal_id, item, zone, device_hash) SELECT 30000 + i,"
                     " '2025-03-28 07:30Z', '2025-03-28 06:30Z', 1, -50, 1, 0, 'near',"
                     " 'late' || i FROM generate_series(1, 100) i");
        assert_string_equal(postgres_text("SELECT count(*) FROM detection_changes"), "1");
        assert_string_equal(postgres_text(late), "07:00:00");
        assert_all_counts();
        count_hours("12 hours");
        assert_string_equal(postgres_text(late), "12:00:00");
        assert_all_counts();
        postgres_run("UPDATE ble_detections SET received_at = '2025-03-28 03:10Z' WHERE"
                     " seq = 30001");
        assert_string_equal(postgres_text(late), "03:00:00");
        assert_all_counts();
        count_hours("12 hours");
        postgres_run("BEGIN; SAVEPOINT a; DELETE FROM ble_detections WHERE seq = 30001;"
                     " ROLLBACK TO a; DELETE FROM ble_detections WHERE seq = 30001; COMMIT");
        assert_string_equal(postgres_text(late), "03:00:00");
        assert_all_counts();
        postgres_run("TRUNCATE ble_detections_20250328");
        assert_string_equal(postgres_text(late), "00:00:00");
        assert_all_counts();
        assert_int_equal(count_days(), 19);
        assert_all_counts();
}

/* Nobody is kept waiting by who counts, and nothing is counted that might come to be. */
static void test_who_is_still_writing_is_not_missed(void **state) {
        static const char insert[] =
                "BEGIN; INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                " journal_id, item, zone, device_hash) VALUES (9000, '2025-03-28 12:00Z',"
                " '2025-03-28 12:00Z', 1, -50, 1, 0, 'near', 'late')";
        DbConn *other = postgres_connect(20000);
        DbSums sums;

        (void)state;
        /* into a day that nobody watches yet: it is left for the next time, all others are not */
        assert_int_equal(db_conn_script(other, insert), 0);
        assert_int_equal(db_sums_count(conn, DB_SUMS_DETECTIONS, 60000, &sums), DB_E_REJECTED);
        assert_int_equal(sums.n_days, 18);
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        assert_all_counts();
        assert_int_equal(count_days(), 1);
        assert_all_counts();
        /* into one that is counted meanwhile */
        postgres_run("DELETE FROM ble_detections WHERE seq = 1");
        assert_int_equal(db_conn_script(other, insert), 0);
        assert_int_equal(count_days(), 1);
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        assert_all_counts();
        assert_int_equal(count_days(), 1);
        assert_all_counts();
        db_conn_free(other);
}

static void test_one_counts_at_a_time(void **state) {
        DbConn *other = postgres_connect(20000);
        DbSums sums;

        (void)state;
        assert_int_equal(db_conn_script(other,
                                        "BEGIN; LOCK TABLE detection_days IN SHARE UPDATE "
                                        "EXCLUSIVE "
                                        "MODE"),
                         0);
        assert_int_equal(db_sums_count(conn, DB_SUMS_DETECTIONS, 60000, &sums), 0);
        assert_true(sums.has_more);
        assert_int_equal(sums.n_days, 0);
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        assert_int_equal(count_days(), 19);
        db_conn_free(other);
}

static void test_a_budget_ends_with_more_to_come(void **state) {
        DbSums sums;

        (void)state;
        assert_int_equal(db_sums_count(conn, DB_SUMS_DETECTIONS, 0, &sums), 0);
        assert_true(sums.has_more);
        assert_int_equal(sums.n_days, 0);
}

static void test_sums_go_with_their_rows(void **state) {
        (void)state;
        assert_int_equal(count_days(), 19);
        for (int i = 0; i < 10; ++i)
                postgres_run("SELECT tidegate_drop_partition('ble_detections', '2025-04-01')");
        assert_string_equal(postgres_text("SELECT min(day) FROM detection_sums"), "2025-04-01");
        assert_string_equal(postgres_text("SELECT min(day) FROM detection_days"), "2025-04-01");
        assert_all_counts();
        /* by hand, and another one comes in its place */
        postgres_run("DROP TABLE ble_detections_20250403;"
                     "SELECT tidegate_make_partitions('2025-04-03', '2025-04-03')");
        assert_all_counts();
        postgres_run("ALTER TABLE ble_detections DETACH PARTITION ble_detections_20250404");
        assert_all_counts();
        assert_int_equal(count_days(), 1);
        assert_string_equal(postgres_text("SELECT count(*) FROM detection_sums WHERE day BETWEEN"
                                          " '2025-04-03' AND '2025-04-04'"),
                            "0");
}

/* Of the hour that it is nothing is counted, and who writes into it leaves nothing behind. */
static void test_the_hour_that_is_written_into_is_not_counted(void **state) {
        static const char now[] =
                "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                " journal_id, item, zone, device_hash) SELECT 30000 + i, t, t, 1, -50, 1, 0, "
                "'near',"
                " i::text FROM generate_series(1, 100) i,"
                " LATERAL (SELECT now() - i * interval '20 min') a (t)";
        PageQuery page = { .kind = PAGE_COUNTER_LIVE, .number = 1200 };

        (void)state;
        postgres_run("SELECT tidegate_make_partitions(tidegate_today() - 2, tidegate_today() + 2)");
        postgres_run(now);
        ask(&page, true);
        (void)count_days();
        assert_string_equal(postgres_text(
                                    "SELECT bool_and(counted_to BETWEEN now() - interval"
                                    " '62 min' AND now())::text FROM detection_leaves"
                                    " WHERE now() - interval '2 min' >= tidegate_midnight(day)"
                                    "  AND now() - interval '2 min' <"
                                    "   tidegate_midnight(day + 1)"),
                            "true");
        n_bodies = 0;
        ask(&page, false);
        postgres_run("UPDATE ble_detections SET device_hash = 'x' WHERE received_at ="
                     " (SELECT max(received_at) FROM ble_detections)");
        postgres_run("INSERT INTO ble_detections (seq, received_at, time, device_id, rssi,"
                     " journal_id, item, zone, device_hash) VALUES (1, now(), now(), 1, -50, 1, 0,"
                     " 'near', 'x')");
        assert_string_equal(postgres_text("SELECT count(*) FROM detection_changes c JOIN"
                                          " detection_leaves l USING (day) WHERE c.since < "
                                          "l.counted_to"),
                            "0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_sums_say_what_the_rows_say),
                TEST(test_sums_of_hours_say_what_the_rows_say),
                TEST(test_sums_need_no_rows),
                TEST(test_sums_of_hours_need_no_rows),
                TEST(test_who_writes_into_a_day_that_is_counted_is_read),
                TEST(test_who_writes_into_an_hour_that_is_counted_is_read),
                TEST(test_who_is_still_writing_is_not_missed),
                TEST(test_one_counts_at_a_time),
                TEST(test_a_budget_ends_with_more_to_come),
                TEST(test_sums_go_with_their_rows),
                TEST(test_the_hour_that_is_written_into_is_not_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
