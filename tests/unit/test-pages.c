/* What db/read/pages says: times in the page's zone, and who sees what. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/read/pages.h"
#include "postgres.h"

#define SUMMER_US (INT64_C(1777279500) * 1000000) /* 2026-04-27 08:45 UTC */
#define HOUR_US   (INT64_C(3600) * 1000000)

static const char fleet[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'hash'), ('bob', 'x'),"
        " ('cid', 'x');"
        "INSERT INTO devices (code, user_id) VALUES ('d1', 1), ('d2', NULL), ('d3', NULL);"
        "INSERT INTO groups (name) VALUES ('g'); INSERT INTO device_groups VALUES (2, 1);"
        "INSERT INTO shares (user_id, group_id) VALUES (2, 1);"
        "SELECT tidegate_make_partitions('2026-04-26', '2026-04-28');"
        "INSERT INTO ble_detections (seq, received_at, time, device_id, rssi, journal_id, item,"
        " zone, device_hash) SELECT i, '2026-04-27 09:00Z', '2026-04-27 09:00Z', i, -50, 1, 0,"
        " 'near', i FROM generate_series(1, 3) i";

static DbConn *conn;

static int setup(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(fleet);
        conn = postgres_connect(5000);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        return 0;
}

static PageQuery a_range(const char *zone) {
        PageQuery page = { .kind = PAGE_COUNTER_RANGE,
                           .from_us = SUMMER_US,
                           .to_us = SUMMER_US + HOUR_US + 1 };

        snprintf(page.zone, sizeof(page.zone), "%s", zone);
        return page;
}

static void assert_says(const PageQuery *page, const char *part) {
        CLEANUP_BUF Buf body = { 0 };

        assert_int_equal(db_page(conn, page, &body), 0);
        buf_append_char(&body, '\0');
        if (!strstr(body.data, part))
                fail_msg("%s is not in %s", part, body.data);
}

static void test_times_are_those_of_the_zone(void **state) {
        static const struct {
                const char *zone, *start;
        } cases[] = {
                { "", "\"2026-04-27T08:45:00.000Z\"" },
                { "UTC", "\"2026-04-27T08:45:00.000Z\"" },
                { "Europe/Madrid", "\"2026-04-27T10:45:00.000+02:00\"" },
                { "America/St_Johns", "\"2026-04-27T06:15:00.000-02:30\"" },
                { "+07:00", "\"2026-04-27T15:45:00.000+07:00\"" },
                { "-03:30", "\"2026-04-27T05:15:00.000-03:30\"" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                PageQuery page = a_range(cases[i].zone);

                assert_says(&page, cases[i].start);
        }
}

static void test_a_scope_counts_what_it_sees(void **state) {
        static const struct {
                int64_t user_id, device_id;
                int n;
        } cases[] = { { 0, 0, 3 }, { 1, 0, 1 }, { 2, 0, 1 }, { 3, 0, 0 },
                      { 0, 3, 1 }, { 1, 1, 1 }, { 1, 2, 0 }, { 2, 2, 1 } };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                PageQuery page = a_range("");
                char part[64];

                page.user_id = cases[i].user_id;
                page.device_id = cases[i].device_id;
                snprintf(part, sizeof(part), "\"unique_devices\" : %d", cases[i].n);
                assert_says(&page, part);
        }
}

/* device_is_scanner() says the same of each. */
static void test_scanners_alone_are_listed_if_that_is_asked(void **state) {
        static const PageKind kinds[] = { PAGE_COUNTER_DEVICES, PAGE_COUNTER_ACTIVE };

        (void)state;
        postgres_run("UPDATE devices SET device_type = 'camera' WHERE code = 'd1';"
                     "UPDATE devices SET device_type = 'Scanner' WHERE code = 'd3';"
                     "INSERT INTO device_states (device_id, last_seen)"
                     " SELECT id, now() FROM devices");
        for (size_t i = 0; i < N_ELEMENTS(kinds); ++i) {
                PageQuery page = { .kind = kinds[i], .limit = 10, .number = 1, .text = "scanners" };
                CLEANUP_BUF Buf body = { 0 };

                assert_says(&page, "\"d3\"");
                assert_int_equal(db_page(conn, &page, &body), 0);
                buf_append_char(&body, '\0');
                assert_null(strstr(body.data, "\"d1\""));
                assert_null(strstr(body.data, "\"d2\"")); /* which says no type */
                page.text[0] = '\0';
                assert_says(&page, "\"d1\"");
                assert_says(&page, "\"d2\"");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_times_are_those_of_the_zone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_scope_counts_what_it_sees, setup, teardown),
                cmocka_unit_test_setup_teardown(test_scanners_alone_are_listed_if_that_is_asked,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
