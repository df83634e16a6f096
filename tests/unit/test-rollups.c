/* What db/write/rollups counts, what it leaves to the rows, and when it stops. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/write/rollups.h"
#include "postgres.h"

/* Two hours of one device at a point a second, and a row of another. */
static const char fleet[] =
        "SELECT tidegate_make_partitions('2025-03-25', '2025-03-27');"
        "INSERT INTO telemetry (seq, received_at, time, device_id, journal_id, payload)"
        " SELECT i, t, t, 1, 1, json_build_object('v', i) FROM generate_series(0, 7199) i,"
        " LATERAL (SELECT '2025-03-26Z'::timestamptz + i * interval '1s') s(t);"
        "INSERT INTO telemetry (seq, received_at, time, device_id, journal_id, payload) VALUES"
        " (9000, '2025-03-26 05:00Z', '2025-03-26 05:00Z', 2, 1, '{\"bad\":1}')";

static DbConn *conn;

static int setup(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        conn = postgres_connect(20000);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        return 0;
}

static DbRollups make(int budget_ms) {
        DbRollups rollups;

        assert_int_equal(db_rollups_make(conn, budget_ms, &rollups), 0);
        return rollups;
}

static void test_hours_and_minutes_are_counted_once(void **state) {
        DbRollups rollups = make(60000);

        (void)state;
        assert_true(rollups.n_steps > 0);
        assert_false(rollups.has_more);
        assert_int_equal(rollups.n_skipped, 0);
        assert_string_equal(postgres_text("SELECT string_agg(concat_ws(' ', step, cardinality(at),"
                                          " (SELECT max(x) FROM unnest(low) x),"
                                          " (SELECT min(x) FROM unnest(high) x)),"
                                          " ', ' ORDER BY step) FROM series_sums WHERE thing = 1"),
                            "60 120 7140 59, 600 12 6600 599, 3600 2 3600 3599");
        /* as many minutes as rows spare nobody anything */
        assert_int_equal(postgres_int("SELECT count(*) FROM series_sums WHERE thing = 2"), 1);
        assert_int_equal(make(60000).n_steps, 0);
}

static void test_what_changed_is_counted_anew(void **state) {
        (void)state;
        (void)make(60000);
        postgres_run("UPDATE telemetry SET payload = '{\"v\":-7}' WHERE seq = 10");
        assert_int_equal(postgres_int("SELECT count(*) FROM series_changes"), 1);
        assert_int_equal(make(60000).n_steps, 1);
        assert_int_equal(postgres_int("SELECT min(x) FROM series_sums, unnest(low) x WHERE "
                                      "thing = 1 AND step = 3600"),
                         -7);
        assert_int_equal(postgres_int("SELECT count(*) FROM series_changes"), 0);
}

static void test_what_cannot_be_counted_is_left_to_its_rows(void **state) {
        (void)state;
        postgres_run("ALTER TABLE series_sums ADD CHECK (member <> 'bad')");
        assert_int_equal(make(60000).n_skipped, 1);
        assert_int_equal(postgres_int("SELECT thing FROM series_things WHERE is_crowded"), 2);
        assert_int_equal(postgres_int("SELECT count(*) FROM series_sums WHERE thing = 1"), 3);
}

static void test_it_stops_when_its_time_is_up(void **state) {
        DbRollups rollups = make(0);

        (void)state;
        assert_true(rollups.has_more);
        assert_int_equal(rollups.n_steps, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_hours_and_minutes_are_counted_once),
                TEST(test_what_changed_is_counted_anew),
                TEST(test_what_cannot_be_counted_is_left_to_its_rows),
                TEST(test_it_stops_when_its_time_is_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
