/* WsLastKnown: what a thing said last, and where that was. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/registry_delta.h"
#include "ws/loop/last_known.h"

static void put(WsLastKnown *known, Event event) {
        Event *copy = malloc(sizeof(*copy));

        assert_non_null(copy);
        event.n_refs = 1;
        memcpy(copy, &event, sizeof(event));
        assert_int_equal(ws_last_known_put(known, copy), 0);
        event_unref(copy);
}

static Event log_of(int64_t vehicle_id, uint64_t seq, double latitude, double longitude) {
        return (Event){ .kind = KIND_VEHICLE_LOG,
                        .vehicle_id = vehicle_id,
                        .seq = seq,
                        .latitude = latitude,
                        .longitude = longitude };
}

static void test_the_newest_stays_whatever_comes_behind_it(void **state) {
        CLEANUP(ws_last_known_free) WsLastKnown *known = NULL;
        Event late = log_of(7, 30, 0, 0);

        (void)state;
        assert_int_equal(ws_last_known_new(&known), 0);
        assert_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 7));
        put(known, log_of(7, 20, 1, 2));
        put(known, log_of(7, 10, 3, 4));
        late.late = true;
        put(known, late);
        assert_int_equal(ws_last_known_get(known, KIND_VEHICLE_LOG, 7)->seq, 20);
        put(known, log_of(7, 21, 5, 6));
        assert_int_equal(ws_last_known_get(known, KIND_VEHICLE_LOG, 7)->seq, 21);
        assert_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 8));
}

static void test_telemetry_is_of_devices_and_other_kinds_are_ignored(void **state) {
        CLEANUP(ws_last_known_free) WsLastKnown *known = NULL;

        (void)state;
        assert_int_equal(ws_last_known_new(&known), 0);
        put(known, (Event){ .kind = KIND_TELEMETRY, .device_id = 7, .seq = 1 });
        put(known, (Event){ .kind = KIND_ALERT, .device_id = 7, .vehicle_id = 7, .seq = 2 });
        assert_int_equal(ws_last_known_get(known, KIND_TELEMETRY, 7)->seq, 1);
        assert_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 7));
        assert_null(ws_last_known_get(known, KIND_ALERT, 7));
}

static void test_a_vehicle_is_where_it_said_last(void **state) {
        CLEANUP(ws_last_known_free) WsLastKnown *known = NULL;
        double place[2] = { 0 };

        (void)state;
        assert_int_equal(ws_last_known_new(&known), 0);
        put(known, log_of(7, 1, (double)NAN, (double)NAN));
        assert_false(ws_last_known_place(known, 7, place));
        put(known, log_of(7, 2, -6.2, 106.8));
        put(known, log_of(7, 3, (double)NAN, (double)NAN));
        assert_int_equal(ws_last_known_get(known, KIND_VEHICLE_LOG, 7)->seq, 3);
        assert_true(ws_last_known_place(known, 7, place));
        assert_true(place[0] < -6.19 && place[0] > -6.21 && place[1] > 106.79);
}

/* Memory is bounded by what the registry knows. */
static void test_who_is_gone_is_forgotten(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        CLEANUP(ws_last_known_free) WsLastKnown *known = NULL;
        CLEANUP(registry_free) Registry *registry = NULL;
        RegistryRow row = { .table = REGISTRY_VEHICLE,
                            .vehicle = { .id = 7, .code = "v7", .is_active = true } };
        bool has_narrowed;

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(registry, delta, &has_narrowed), 0);
        assert_int_equal(ws_last_known_new(&known), 0);
        put(known, log_of(7, 1, 1, 2));
        put(known, log_of(8, 2, 1, 2));
        put(known, (Event){ .kind = KIND_TELEMETRY, .device_id = 7, .seq = 3 });
        ws_last_known_prune(known, registry);
        assert_non_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 7));
        assert_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 8));
        assert_null(ws_last_known_get(known, KIND_TELEMETRY, 7));
}

static void test_nor_is_another_taken_for_who_had_its_id(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        CLEANUP(ws_last_known_free) WsLastKnown *known = NULL;
        CLEANUP(registry_free) Registry *registry = NULL;
        RegistryRow row = { .table = REGISTRY_VEHICLE,
                            .vehicle = { .id = 7, .key_hash = 5, .code = "v7" } };
        Event of_before = log_of(7, 1, 1, 2);
        bool has_narrowed;

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(registry, delta, &has_narrowed), 0);
        assert_int_equal(ws_last_known_new(&known), 0);
        of_before.vehicle_key = 5;
        put(known, of_before);
        ws_last_known_prune(known, registry);
        assert_non_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 7));
        of_before.vehicle_key = 6;
        of_before.seq = 2;
        put(known, of_before);
        ws_last_known_prune(known, registry);
        assert_null(ws_last_known_get(known, KIND_VEHICLE_LOG, 7));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_newest_stays_whatever_comes_behind_it),
                cmocka_unit_test(test_telemetry_is_of_devices_and_other_kinds_are_ignored),
                cmocka_unit_test(test_a_vehicle_is_where_it_said_last),
                cmocka_unit_test(test_who_is_gone_is_forgotten),
                cmocka_unit_test(test_nor_is_another_taken_for_who_had_its_id),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
