#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "model/event.h"
#include "model/registry.h"
#include "ws/viewer/push.h"
#include "ws/viewer/subscription.h"

typedef struct World World;

/* Users 1 root (admin), 2 ana; vehicle 1 of ana, 2 of nobody; device 1 of ana in group 7. */
struct World {
        Registry *registry;
        WsLastKnown *recall;
        WsEye ana, root;
        WsSubscription subscription;
};

static void row(RegistryDelta *delta, const RegistryRow *one) {
        assert_int_equal(registry_delta_add(delta, one), 0);
}

static void world_init(World *world) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;

        *world = (World){ 0 };
        assert_int_equal(registry_new(&world->registry), 0);
        assert_int_equal(ws_last_known_new(&world->recall), 0);
        assert_int_equal(registry_delta_new(&delta, true), 0);
        row(delta,
            &(RegistryRow){
                    .table = REGISTRY_USER,
                    .user = { .id = 1, .name = "root", .role = ROLE_ADMIN, .is_active = true } });
        row(delta,
            &(RegistryRow){
                    .table = REGISTRY_USER,
                    .user = { .id = 2, .name = "ana", .role = ROLE_USER, .is_active = true } });
        row(delta,
            &(RegistryRow){
                    .table = REGISTRY_VEHICLE,
                    .vehicle = { .id = 1, .user_id = 2, .code = "v-1", .is_active = true } });
        row(delta,
            &(RegistryRow){ .table = REGISTRY_VEHICLE,
                            .vehicle = { .id = 2, .code = "v-2", .is_active = true } });
        row(delta,
            &(RegistryRow){ .table = REGISTRY_DEVICE,
                            .device = { .id = 1,
                                        .user_id = 2,
                                        .key = "k",
                                        .code = "d-1",
                                        .is_active = true } });
        row(delta, &(RegistryRow){ .table = REGISTRY_GROUP, .group = { 7, "floor" } });
        row(delta, &(RegistryRow){ .table = REGISTRY_DEVICE_GROUP, .device_group = { 1, 7 } });
        assert_int_equal(registry_apply(world->registry, delta, &narrowed), 0);
        world->ana.registry = world->root.registry = world->registry;
        world->ana.user = registry_user(world->registry, 2);
        world->root.user = registry_user(world->registry, 1);
        world->root.sees_all = true;
        assert_int_equal(ws_subscription_init(&world->subscription), 0);
}

static void world_done(World *world) {
        ws_subscription_done(&world->subscription);
        ws_last_known_free(world->recall);
        registry_free(world->registry);
}

static bool matches(const World *world, Kind kind, int64_t vehicle_id, int64_t device_id) {
        const Event event = {
                .kind = kind, .vehicle_id = vehicle_id, .device_id = device_id, .n_items = 1
        };

        return ws_subscription_matches(&world->subscription, world->registry, &event);
}

static int aim(World *world, const WsEye *eye, const char *target) {
        return ws_subscription_aim(&world->subscription, eye, text_of(target));
}

static void test_targets_are_words_and_things_that_one_sees(void **state) {
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(aim(&world, &world.ana, "vehicle/v-1"), 0);
        assert_int_equal(aim(&world, &world.ana, "vehicle/1"), 0);
        assert_int_equal(aim(&world, &world.ana, "vehicle/2"), WS_SUBSCRIPTION_E_NOT_FOUND);
        assert_int_equal(aim(&world, &world.ana, "vehicle/3"), WS_SUBSCRIPTION_E_NOT_FOUND);
        assert_int_equal(aim(&world, &world.root, "vehicle/2"), 0);
        assert_int_equal(aim(&world, &world.root, "vehicle/3"), WS_SUBSCRIPTION_E_NOT_FOUND);
        assert_int_equal(aim(&world, &world.ana, "device/d-1"), 0);
        assert_int_equal(aim(&world, &world.ana, "group/7"), 0);
        assert_int_equal(aim(&world, &world.ana, "group/id:7"), 0);
        assert_int_equal(aim(&world, &world.ana, "group/8"), 0); /* which there are is not told */
        assert_int_equal(aim(&world, &world.root, "group/8"), WS_SUBSCRIPTION_E_NOT_FOUND);
        assert_int_equal(aim(&world, &world.ana, "group/x"), WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(aim(&world, &world.ana, "group/99999999999999999999"),
                         WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(aim(&world, &world.ana, "vehicle/"), WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(aim(&world, &world.ana, ""), WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(aim(&world, &world.ana, "vehicle"), WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(aim(&world, &world.ana, "stats"), 0);
        assert_true(ws_subscription_wants_stats(&world.subscription, WS_SUBSCRIPTION_STATS));
        world_done(&world);
}

static bool wants(const World *world, const char *type) {
        return ws_subscription_wants_stats(&world->subscription,
                                           ws_subscription_stats(text_of(type)));
}

static void test_a_type_of_statistics_is_that_one_alone(void **state) {
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(aim(&world, &world.ana, "stats"), 0);
        assert_true(wants(&world, "stats_update"));
        assert_true(wants(&world, "statistics_update"));
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("raw_log")), 0);
        assert_false(wants(&world, "stats_update"));
        assert_false(wants(&world, "statistics_update"));
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("stats_update")), 0);
        assert_true(wants(&world, "stats_update"));
        assert_false(wants(&world, "statistics_update"));
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("statistics_update")),
                         0);
        assert_true(wants(&world, "statistics_update"));
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("stat")),
                         WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("stats_update2")),
                         WS_SUBSCRIPTION_E_BAD);
        world_done(&world);
}

static void test_event_matches_any_of_the_targets_and_types(void **state) {
        World world;

        (void)state;
        world_init(&world);
        assert_false(matches(&world, KIND_RAW_LOG, 1, 0));
        assert_int_equal(aim(&world, &world.root, "vehicle/2"), 0);
        assert_int_equal(aim(&world, &world.root, "group/7"), 0);
        assert_int_equal(aim(&world, &world.root, "cameras"), 0);
        assert_false(matches(&world, KIND_RAW_LOG, 1, 0));
        assert_true(matches(&world, KIND_RAW_LOG, 2, 0));
        assert_true(matches(&world, KIND_TELEMETRY, 0, 1));
        assert_false(matches(&world, KIND_TELEMETRY, 0, 2));
        assert_true(matches(&world, KIND_CAMERA_EVENT, 0, 2));

        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("raw_log")), 0);
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("device_update")), 0);
        assert_int_equal(ws_subscription_add_type(&world.subscription, TEXT("none")),
                         WS_SUBSCRIPTION_E_BAD);
        assert_true(matches(&world, KIND_RAW_LOG, 2, 0));
        assert_false(matches(&world, KIND_VEHICLE_LOG, 2, 0));
        assert_true(matches(&world, KIND_DEVICE_STATUS, 0, 1));
        assert_false(matches(&world, KIND_TELEMETRY, 0, 1));
        world_done(&world);
}

static void test_heartbeat_is_not_shown(void **state) {
        const Event heartbeat = { .kind = KIND_BLE_DETECTIONS, .device_id = 1 };
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(aim(&world, &world.root, "user"), 0);
        assert_true(matches(&world, KIND_BLE_DETECTIONS, 0, 1));
        assert_false(ws_subscription_matches(&world.subscription, world.registry, &heartbeat));
        world_done(&world);
}

static WsPlace locate_event(World *world, const Event *event) {
        WsPlace place;

        assert_int_equal(ws_subscription_locate(&world->subscription,
                                                world->registry,
                                                world->recall,
                                                event,
                                                &place),
                         0);
        return place;
}

static WsPlace locate(World *world, double latitude, double longitude) {
        return locate_event(world,
                            &(Event){ .kind = KIND_VEHICLE_LOG,
                                      .vehicle_id = 1,
                                      .latitude = latitude,
                                      .longitude = longitude });
}

static void test_vehicle_enters_stays_and_leaves_a_box(void **state) {
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(locate(&world, 80, 80), WS_PLACE_INSIDE); /* there is no box */
        assert_int_equal(ws_subscription_set_box(&world.subscription, (double[]){ 10, 50, 20, 60 }),
                         0);
        assert_int_equal(locate(&world, 40, 15), WS_PLACE_OUTSIDE);
        assert_int_equal(locate(&world, 55, 15), WS_PLACE_ENTERS);
        assert_int_equal(locate(&world, 56, 15), WS_PLACE_INSIDE);
        assert_int_equal(locate(&world, (double)NAN, (double)NAN), WS_PLACE_INSIDE);
        assert_int_equal(locate(&world, 55, 21), WS_PLACE_LEAVES);
        assert_int_equal(locate(&world, (double)NAN, (double)NAN), WS_PLACE_OUTSIDE);
        world_done(&world);
}

static void test_what_is_late_moves_nothing(void **state) {
        const Event late = { .kind = KIND_VEHICLE_LOG,
                             .vehicle_id = 1,
                             .latitude = 40,
                             .longitude = 15,
                             .late = true };
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(ws_subscription_set_box(&world.subscription, (double[]){ 10, 50, 20, 60 }),
                         0);
        assert_int_equal(locate(&world, 55, 15), WS_PLACE_ENTERS);
        assert_int_equal(locate_event(&world, &late), WS_PLACE_INSIDE);
        world_done(&world);
}

static void test_box_may_cross_the_meridian_and_must_be_one(void **state) {
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(ws_subscription_set_box(&world.subscription,
                                                 (double[]){ 170, -10, -170, 10 }),
                         0);
        assert_true(ws_subscription_contains(&world.subscription, 0, 175));
        assert_true(ws_subscription_contains(&world.subscription, 0, -175));
        assert_false(ws_subscription_contains(&world.subscription, 0, 0));
        assert_int_equal(ws_subscription_set_box(&world.subscription, (double[]){ 0, 10, 1, -10 }),
                         WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(ws_subscription_set_box(&world.subscription,
                                                 (double[]){ 0, (double)NAN, 1, 1 }),
                         WS_SUBSCRIPTION_E_BAD);
        assert_int_equal(ws_subscription_set_box(&world.subscription, (double[]){ 181, 0, 1, 1 }),
                         WS_SUBSCRIPTION_E_BAD);
        world_done(&world);
}

static void test_pace_keeps_the_newest_and_never_holds_alerts(void **state) {
        Event log = { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .n_refs = 1 };
        Event alert = { .kind = KIND_ALERT, .vehicle_id = 1, .n_refs = 1 };
        CLEANUP(ws_frame_unref) WsFrame *first = NULL;
        CLEANUP(ws_frame_unref) WsFrame *second = NULL;
        WsHold *hold;
        WsPaceAnswer paced;
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(ws_frame_new(&first, TEXT("1"), 0), 0);
        assert_int_equal(ws_frame_new(&second, TEXT("2"), 0), 0);
        world.subscription.interval_us = 1000;
#define PACE(event, frame, now)                                    \
        assert_int_equal(ws_subscription_pace(&world.subscription, \
                                              (event),             \
                                              3,                   \
                                              (frame),             \
                                              (now),               \
                                              &paced),             \
                         0)
#define DUE(now) ws_subscription_due(&world.subscription, NULL, (now))
        PACE(&log, first, 5000);
        assert_null(paced.hold);
        PACE(&log, first, 5100);
        assert_true(paced.hold && !paced.replaced);
        PACE(&log, second, 5200);
        assert_true(paced.hold && paced.replaced);
        PACE(&alert, first, 5200);
        assert_null(paced.hold);
        assert_null(DUE(5999));
        hold = DUE(6000);
        assert_non_null(hold);
        assert_ptr_equal(hold->frame, second);
        assert_int_equal(hold->before_seq, 3);
        ws_subscription_release(&world.subscription, hold, 6000);
        PACE(&log, first, 6500);
        assert_non_null(paced.hold);
        PACE(&log, second, 7000);
        assert_true(!paced.hold && paced.replaced);
        assert_null(DUE(9000));
        PACE(&log, first, 7500);
        assert_true(ws_subscription_may_hurry(paced.hold, 7500)); /* with the turn of 8000 */
        ws_subscription_release(&world.subscription, hold, 7500);
        PACE(&log, second, 7600);
        assert_false(ws_subscription_may_hurry(paced.hold, 7600));
        assert_null(DUE(8999));
        ws_subscription_forget(&world.subscription, &log, 7600);
        assert_null(DUE(9000));
#undef PACE
#undef DUE
        world_done(&world);
}

static WsPaceAnswer pace(World *world, int32_t sensor_id, WsFrame *frame, int64_t now_us) {
        Event event = {
                .kind = KIND_SENSOR_LOG, .vehicle_id = 1, .sensor_id = sensor_id, .n_refs = 1
        };
        WsPaceAnswer answer;

        assert_int_equal(ws_subscription_pace(&world->subscription,
                                              &event,
                                              3,
                                              frame,
                                              now_us,
                                              &answer),
                         0);
        return answer;
}

static void test_of_too_many_things_the_rest_comes_as_it_comes(void **state) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        size_t n_paced = 0;
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(ws_frame_new(&frame, TEXT("1"), 0), 0);
        world.subscription.interval_us = 1000000;
        world.subscription.n_paced = &n_paced;
        world.subscription.max_paced = 3;
        for (int32_t sensor = 1; sensor <= 100; ++sensor) {
                WsPaceAnswer answer = pace(&world, sensor, frame, 5000000);

                assert_true(!answer.hold && answer.is_unpaced == (sensor > 3));
        }
        assert_int_equal(n_paced, 3);

        /* Those that have been silent for a turn make room. */
        assert_false(pace(&world, 50, frame, 6000000).is_unpaced);
        assert_false(pace(&world, 51, frame, 6100000).is_unpaced);
        assert_false(pace(&world, 52, frame, 6200000).is_unpaced);
        assert_true(pace(&world, 53, frame, 6300000).is_unpaced);
        assert_int_equal(n_paced, 3);
        world_done(&world);
        assert_int_equal(n_paced, 0);
}

static void test_a_group_that_is_gone_is_no_target_any_more(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(aim(&world, &world.root, "group/7"), 0);
        assert_int_equal(aim(&world, &world.root, "vehicle/1"), 0);
        assert_int_equal(ws_subscription_narrow(&world.subscription, &world.root), 2);
        assert_int_equal(registry_delta_new(&delta, false), 0);
        row(delta,
            &(RegistryRow){ .table = REGISTRY_GROUP, .deleted = true, .group = { .id = 7 } });
        assert_int_equal(registry_apply(world.registry, delta, &narrowed), 0);
        assert_true(narrowed);
        assert_int_equal(ws_subscription_narrow(&world.subscription, &world.ana), 2);
        assert_int_equal(ws_subscription_narrow(&world.subscription, &world.root), 1);
        assert_true(matches(&world, KIND_RAW_LOG, 1, 0));
        world_done(&world);
}

static void test_lost_right_narrows_the_targets(void **state) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;
        World world;

        (void)state;
        world_init(&world);
        assert_int_equal(aim(&world, &world.ana, "vehicle/1"), 0);
        assert_int_equal(aim(&world, &world.ana, "device/*"), 0);
        assert_int_equal(ws_subscription_narrow(&world.subscription, &world.ana), 2);
        assert_int_equal(registry_delta_new(&delta, false), 0);
        row(delta,
            &(RegistryRow){ .table = REGISTRY_VEHICLE,
                            .vehicle = { .id = 1, .code = "v-1", .is_active = true } });
        assert_int_equal(registry_apply(world.registry, delta, &narrowed), 0);
        world.ana.user = registry_user(world.registry, 2);
        assert_int_equal(ws_subscription_narrow(&world.subscription, &world.ana), 1);
        assert_false(matches(&world, KIND_RAW_LOG, 1, 0));
        assert_true(matches(&world, KIND_TELEMETRY, 0, 1));
        world_done(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_targets_are_words_and_things_that_one_sees),
                cmocka_unit_test(test_a_type_of_statistics_is_that_one_alone),
                cmocka_unit_test(test_event_matches_any_of_the_targets_and_types),
                cmocka_unit_test(test_heartbeat_is_not_shown),
                cmocka_unit_test(test_vehicle_enters_stays_and_leaves_a_box),
                cmocka_unit_test(test_what_is_late_moves_nothing),
                cmocka_unit_test(test_box_may_cross_the_meridian_and_must_be_one),
                cmocka_unit_test(test_pace_keeps_the_newest_and_never_holds_alerts),
                cmocka_unit_test(test_of_too_many_things_the_rest_comes_as_it_comes),
                cmocka_unit_test(test_a_group_that_is_gone_is_no_target_any_more),
                cmocka_unit_test(test_lost_right_narrows_the_targets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
