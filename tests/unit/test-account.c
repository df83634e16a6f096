/* Account: who may see what, and how a device is called. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/account.h"

static const int64_t ids[] = { 2, 5, 9 };

static const Device device = { .id = 7,
                               .code = "8",
                               .is_active = true,
                               .audience = { .n = 3, .user_ids = ids } };
static const Vehicle vehicle = { .id = 7,
                                 .is_active = true,
                                 .audience = { .n = 3, .user_ids = ids } };

static void test_an_audience_is_those_who_are_named(void **state) {
        const Audience nobody = { 0 };

        (void)state;
        for (int64_t id = 0; id < 12; ++id) {
                assert_int_equal(audience_has(&device.audience, id), id == 2 || id == 5 || id == 9);
                assert_false(audience_has(&nobody, id));
        }
}

static void test_a_user_sees_what_he_is_named_for_and_an_admin_everything(void **state) {
        static const struct {
                User user;
                bool sees;
        } cases[] = {
                { { .id = 5, .role = ROLE_USER, .is_active = true }, true },
                { { .id = 5, .role = ROLE_VIEWER, .is_active = true }, true },
                { { .id = 5, .role = ROLE_USER }, false },
                { { .id = 6, .role = ROLE_USER, .is_active = true }, false },
                { { .id = 6, .role = ROLE_ADMIN, .is_active = true }, true },
                { { .id = 6, .role = ROLE_ADMIN }, false },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(user_sees_device(&cases[i].user, &device), cases[i].sees);
                assert_int_equal(user_sees_vehicle(&cases[i].user, &vehicle), cases[i].sees);
        }
}

/* A code of digits is a code first; the id can be said without doubt. */
static void test_a_device_is_called_by_code_or_id(void **state) {
        (void)state;
        assert_true(device_is_called(&device, TEXT("8")));
        assert_true(device_is_called(&device, TEXT("id:7")));
        assert_true(device_is_called(&device, TEXT("7")));
        assert_false(device_is_called(&device, TEXT("id:8")));
        assert_false(device_is_called(&device, TEXT("")));
        assert_false(device_is_called(&device, TEXT("id:")));
}

static void test_a_scanner_is_told_by_its_type(void **state) {
        (void)state;
        assert_true(device_is_scanner(&(Device){ .device_type = "ble_scanner" }));
        assert_true(device_is_scanner(&(Device){ .device_type = "BLE" }));
        assert_true(device_is_scanner(&(Device){ .device_type = "scanner" }));
        assert_false(device_is_scanner(&(Device){ .device_type = "camera" }));
        assert_false(device_is_scanner(&(Device){ .device_type = NULL }));
}

static void test_a_role_has_a_name_and_a_name_one_role(void **state) {
        Role role;

        (void)state;
        for (Role r = ROLE_VIEWER; r <= ROLE_ADMIN; ++r) {
                assert_true(role_from_name(role_name(r), &role));
                assert_int_equal(role, r);
        }
        assert_false(role_from_name("Admin", &role));
        assert_false(role_from_name("", &role));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_audience_is_those_who_are_named),
                cmocka_unit_test(test_a_user_sees_what_he_is_named_for_and_an_admin_everything),
                cmocka_unit_test(test_a_device_is_called_by_code_or_id),
                cmocka_unit_test(test_a_scanner_is_told_by_its_type),
                cmocka_unit_test(test_a_role_has_a_name_and_a_name_one_role),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
