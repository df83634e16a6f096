/* VehicleLog: each of its members has its column, and SQL made of the list reads them all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/vehicle_log.h"
#include "postgres.h"

static const char *const types[] = {
        [VEHICLE_LOG_NUMBER] = "double precision",
        [VEHICLE_LOG_TEXT] = "text",
        [VEHICLE_LOG_FLAG] = "boolean",
};

static void test_each_member_has_its_column(void **state) {
        char sql[256];

        (void)state;
        postgres_migrate();
        for (size_t i = 0; i < N_ELEMENTS(vehicle_log_members); ++i) {
                snprintf(sql,
                         sizeof(sql),
                         "SELECT coalesce((SELECT format_type(atttypid, NULL) FROM pg_attribute"
                         " WHERE attrelid = 'vehicle_logs'::regclass AND attname = '%s'), 'none')",
                         vehicle_log_members[i].name);
                assert_string_equal(postgres_text(sql), types[vehicle_log_members[i].type]);
        }
}

static void test_an_object_of_a_row_has_each_member_once(void **state) {
        (void)state;
        assert_int_equal(postgres_int("SELECT count(*) FROM jsonb_object_keys((SELECT"
                                      " jsonb_build_object(" VEHICLE_LOG_PAIRS ") FROM"
                                      " (SELECT" VEHICLE_LOG_COLUMNS " FROM vehicle_logs UNION ALL"
                                      " (SELECT" VEHICLE_LOG_COLUMNS
                                      " FROM (SELECT 1) one LEFT JOIN"
                                      " vehicle_logs ON true)) rows LIMIT 1))"),
                         VEHICLE_LOG_MEMBERS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_member_has_its_column),
                cmocka_unit_test(test_an_object_of_a_row_has_each_member_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
