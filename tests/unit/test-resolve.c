/* Resolve: a name in a topic becomes an id, or a reason, and never speaks for another's device. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/decode/resolve.h"

static Registry *make_registry(void) {
        static const RegistryRow rows[] = {
                { .table = REGISTRY_USER,
                  .user = { .id = 1, .name = "ana", .role = ROLE_USER, .is_active = true } },
                { .table = REGISTRY_USER,
                  .user = { .id = 2, .name = "bo", .role = ROLE_USER, .is_active = true } },
                { .table = REGISTRY_USER,
                  .user = { .id = 3, .name = "off", .role = ROLE_USER, .is_active = false } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 10,
                              .user_id = 1,
                              .key = "k",
                              .code = "dev",
                              .is_active = true } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 11,
                              .user_id = 1,
                              .key = "l",
                              .code = "10",
                              .is_active = true } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 12,
                              .user_id = 1,
                              .key = "m",
                              .code = "old",
                              .is_active = false } },
                { .table = REGISTRY_VEHICLE,
                  .vehicle = { .id = 20, .user_id = 2, .code = "usv", .is_active = true } },
        };
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        Registry *registry = NULL;
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                assert_int_equal(registry_delta_add(delta, &rows[i]), 0);
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
        return registry;
}

static Record resolved(Record record) {
        CLEANUP(registry_free) Registry *registry = make_registry();

        resolve(registry, &record);
        return record;
}

static void test_code_wins_over_id(void **state) {
        Record record = resolved((Record){ .kind = KIND_DEVICE_STATUS, .device = TEXT("10") });

        (void)state;
        assert_int_equal(record.reason, REASON_NONE);
        assert_int_equal(record.device_id, 11);
        record = resolved((Record){ .kind = KIND_DEVICE_STATUS, .device = TEXT("11") });
        assert_int_equal(record.device_id, 11);
}

/* The database was put back, and has given the id to another. */
static void test_an_id_is_of_whom_it_was(void **state) {
        Record record = { .kind = KIND_TELEMETRY, .device_id = 10 };
        Record brought = { .kind = KIND_TELEMETRY,
                           .device = TEXT("dev"),
                           .origin = { .device_id = 11 },
                           .sender_key = thing_key_hash("k") };

        (void)state;
        assert_int_equal(resolved(record).reason, REASON_NONE); /* as journals of before have it */
        record.sender_key = thing_key_hash("k");
        assert_int_equal(resolved(record).reason, REASON_NONE);
        assert_int_equal(resolved(record).device_id, 10);
        record.sender_key = thing_key_hash("of one that is gone");
        assert_int_equal(resolved(record).reason, REASON_UNKNOWN_DEVICE);
        record.kind = KIND_COMMAND_STATE;
        assert_int_equal(resolved(record).reason, REASON_UNKNOWN_DEVICE);

        assert_int_equal(resolved(brought).reason, REASON_UNKNOWN_DEVICE);
        assert_true(resolved(brought).is_of_former);
        brought.sender_key = thing_key_hash("l");
        assert_int_equal(resolved(brought).reason, REASON_WRONG_OWNER); /* it may bring nothing */
}

static void test_owner_in_topic_speaks_only_for_its_own(void **state) {
        Record own = { .kind = KIND_DEVICE_STATUS, .user = TEXT("ana"), .device = TEXT("dev") };
        Record other = { .kind = KIND_DEVICE_STATUS, .user = TEXT("bo"), .device = TEXT("dev") };

        (void)state;
        own = resolved(own);
        assert_int_equal(own.reason, REASON_NONE);
        assert_int_equal(own.user_id, 1);
        assert_int_equal(own.device_id, 10);
        assert_int_equal(resolved(other).reason, REASON_WRONG_OWNER);
}

static void test_unknown_and_inactive_are_unknown(void **state) {
        Record missing = { .kind = KIND_TELEMETRY, .device = TEXT("nobody") };
        Record inactive = { .kind = KIND_TELEMETRY, .device = TEXT("old") };
        Record user = { .kind = KIND_TELEMETRY, .user = TEXT("off"), .device = TEXT("dev") };
        Record vehicle = { .kind = KIND_RAW_LOG, .vehicle = TEXT("99") };

        (void)state;
        assert_int_equal(resolved(missing).reason, REASON_UNKNOWN_DEVICE);
        assert_int_equal(resolved(inactive).reason, REASON_UNKNOWN_DEVICE);
        assert_int_equal(resolved(user).reason, REASON_UNKNOWN_USER);
        assert_int_equal(resolved(vehicle).reason, REASON_UNKNOWN_VEHICLE);
}

static void test_each_kind_needs_its_subject(void **state) {
        Record nameless = { .kind = KIND_VEHICLE_LOG };
        Record alert = { .kind = KIND_ALERT, .vehicle = TEXT("usv") };
        Record lost = { .kind = KIND_ALERT };

        (void)state;
        assert_int_equal(resolved(nameless).reason, REASON_UNKNOWN_VEHICLE);
        assert_int_equal(resolved(lost).reason, REASON_UNKNOWN_DEVICE);
        assert_true(text_equal(resolved(lost).detail, TEXT("no device is named")));
        lost.misnamed = TEXT("/id: not a name: {...}");
        assert_true(text_equal(resolved(lost).detail, lost.misnamed));
        alert = resolved(alert);
        assert_int_equal(alert.reason, REASON_NONE);
        assert_int_equal(alert.vehicle_id, 20);
}

static void test_what_nothing_new_is_called(void **state) {
        Text why = { 0 };

        (void)state;
        assert_true(resolve_may_register(TEXT("17a"), &why));
        assert_null(why.data);
        assert_false(resolve_may_register(TEXT("17"), &why));
        assert_non_null(strstr(why.data, "a number registers no device"));
        assert_false(resolve_may_register(TEXT("a\x7f"), &why));
        assert_non_null(strstr(why.data, "no topic may have"));
        assert_false(resolve_may_register(TEXT("a "), &why));
        assert_non_null(strstr(why.data, "one of its ends"));
        assert_false(resolve_may_register(TEXT("a+b"), &why));
        assert_true(resolve_may_register(TEXT("attic/floor lamp"), &why));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_code_wins_over_id),
                cmocka_unit_test(test_what_nothing_new_is_called),
                cmocka_unit_test(test_an_id_is_of_whom_it_was),
                cmocka_unit_test(test_owner_in_topic_speaks_only_for_its_own),
                cmocka_unit_test(test_unknown_and_inactive_are_unknown),
                cmocka_unit_test(test_each_kind_needs_its_subject),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
