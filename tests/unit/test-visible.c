/* Visible: who sees what is one rule, which PostgreSQL plans into the queries that go by it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/visible.h"
#include "postgres.h"

#define OF(query) "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM (" query ") v"

/* User 1 owns device 1 and vehicle 1; of 2 and 3 of each, 2 is shared with user 2, and device 3 by
 * its group. */
static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        postgres_run(
                "INSERT INTO users (username, password_hash, role) VALUES"
                " ('ana', 'x', 'user'), ('bob', 'x', 'user'), ('root', 'x', 'admin');"
                "INSERT INTO devices (code, user_id) VALUES ('d1', 1), ('d2', NULL), ('d3', NULL);"
                "INSERT INTO vehicles (code, user_id) VALUES ('v1', 1), ('v2', NULL);"
                "INSERT INTO groups (name) VALUES ('floor');"
                "INSERT INTO device_groups (device_id, group_id) VALUES (3, 1);"
                "INSERT INTO shares (user_id, vehicle_id) VALUES (2, 2);"
                "INSERT INTO shares (user_id, device_id) VALUES (2, 2);"
                "INSERT INTO shares (user_id, group_id) VALUES (2, 1)");
        return 0;
}

static void test_a_user_sees_what_is_his_and_what_is_shared_with_him(void **state) {
        (void)state;
        assert_string_equal(postgres_text(OF(DB_VISIBLE_DEVICES("1"))), "1");
        assert_string_equal(postgres_text(OF(DB_VISIBLE_DEVICES("2"))), "2,3");
        assert_string_equal(postgres_text(OF(DB_VISIBLE_DEVICES("3"))), "");
        assert_string_equal(postgres_text(OF(DB_VISIBLE_VEHICLES("1"))), "1");
        assert_string_equal(postgres_text(OF(DB_VISIBLE_VEHICLES("2"))), "2");
        assert_string_equal(postgres_text("SELECT " DB_SEES_DEVICE("2", "3")), "t");
        assert_string_equal(postgres_text("SELECT " DB_SEES_DEVICE("2", "1")), "f");
}

static void test_nobody_in_particular_and_admins_see_all(void **state) {
        (void)state;
        assert_string_equal(postgres_text("SELECT " DB_SEES_ALL("0")), "t");
        assert_string_equal(postgres_text("SELECT " DB_SEES_ALL("3")), "t");
        assert_string_equal(postgres_text("SELECT " DB_SEES_ALL("2")), "f");
}

static void test_who_may_command_sees_the_device(void **state) {
        (void)state;
        assert_string_equal(postgres_text("SELECT tidegate_may_command(2, 3)"), "t");
        assert_string_equal(postgres_text("SELECT tidegate_may_command(2, 1)"), "f");
        assert_string_equal(postgres_text("SELECT tidegate_may_command(3, 1)"), "t");
}

/* Else it would be called, and its list made, for each row. */
static void expect_planned_in(const char *explain) {
        const char *plan = postgres_text(explain);

        assert_null(strstr(plan, "Function Scan"));
        assert_null(strstr(plan, "tidegate_"));
}

static void test_it_is_planned_into_the_query(void **state) {
        (void)state;
        expect_planned_in("EXPLAIN (FORMAT JSON, VERBOSE) SELECT FROM telemetry WHERE device_id IN"
                          " (" DB_VISIBLE_DEVICES("2") ")");
        expect_planned_in("EXPLAIN (FORMAT JSON, VERBOSE) SELECT FROM vehicle_logs WHERE"
                          " vehicle_id IN (" DB_VISIBLE_VEHICLES("2") ")");
        expect_planned_in("EXPLAIN (FORMAT JSON, VERBOSE) SELECT FROM devices d, users u"
                          " WHERE " DB_SEES_DEVICE("u.id", "d.id"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_user_sees_what_is_his_and_what_is_shared_with_him),
                cmocka_unit_test(test_nobody_in_particular_and_admins_see_all),
                cmocka_unit_test(test_who_may_command_sees_the_device),
                cmocka_unit_test(test_it_is_planned_into_the_query),
        };

        return cmocka_run_group_tests(tests, set_up, NULL);
}
