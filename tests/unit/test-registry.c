/* Registry: look-ups, audiences, and what a change narrows. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "model/registry.h"

static RegistryRow user_row(int64_t id, const char *name, Role role) {
        return (RegistryRow){
                .table = REGISTRY_USER,
                .user = { .id = id, .name = name, .role = role, .is_active = true },
        };
}

static RegistryRow device_row(int64_t id, const char *code, int64_t user_id) {
        return (RegistryRow){
                .table = REGISTRY_DEVICE,
                .device = { .id = id, .code = code, .user_id = user_id, .is_active = true },
        };
}

static RegistryRow vehicle_row(int64_t id, const char *code, int64_t user_id) {
        return (RegistryRow){
                .table = REGISTRY_VEHICLE,
                .vehicle = { .id = id, .code = code, .user_id = user_id, .is_active = true },
        };
}

static RegistryRow group_row(int64_t id, const char *name) {
        return (RegistryRow){ .table = REGISTRY_GROUP, .group = { .id = id, .name = name } };
}

static RegistryRow member_row(int64_t device_id, int64_t group_id) {
        return (RegistryRow){
                .table = REGISTRY_DEVICE_GROUP,
                .device_group = { .device_id = device_id, .group_id = group_id },
        };
}

static RegistryRow share_row(int64_t id, int64_t user_id, RegistryTable what, int64_t what_id) {
        RegistryRow row = { .table = REGISTRY_SHARE, .share = { .id = id, .user_id = user_id } };

        if (what == REGISTRY_VEHICLE)
                row.share.vehicle_id = what_id;
        else if (what == REGISTRY_DEVICE)
                row.share.device_id = what_id;
        else
                row.share.group_id = what_id;
        return row;
}

static RegistryRow state_row(int64_t device_id, const char *status, int64_t last_seen_us) {
        RegistryRow row = { .table = REGISTRY_DEVICE_STATE };

        row.device_state.device_id = device_id;
        row.device_state.state = device_state_unknown();
        row.device_state.state.last_seen_us = last_seen_us;
        (void)snprintf(row.device_state.state.status,
                       sizeof(row.device_state.state.status),
                       "%s",
                       status);
        return row;
}

static RegistryRow gone(RegistryRow row) {
        row.deleted = true;
        return row;
}

static bool apply_rows(Registry *registry, bool is_whole, const RegistryRow *rows, size_t n) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed = false;

        assert_int_equal(registry_delta_new(&delta, is_whole), 0);
        for (size_t i = 0; i < n; ++i)
                assert_int_equal(registry_delta_add(delta, &rows[i]), 0);
        assert_int_equal(registry_delta_length(delta), n);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
        return narrowed;
}

static bool apply(Registry *registry, RegistryRow row) {
        return apply_rows(registry, false, &row, 1);
}

static bool sees_device(const Registry *registry, int64_t user_id, int64_t device_id) {
        return user_sees_device(registry_user(registry, user_id),
                                registry_device(registry, device_id));
}

static bool sees_vehicle(const Registry *registry, int64_t user_id, int64_t vehicle_id) {
        return user_sees_vehicle(registry_user(registry, user_id),
                                 registry_vehicle(registry, vehicle_id));
}

static uint64_t losses(const Registry *registry, int64_t user_id) {
        const User *user = registry_user(registry, user_id);

        return user ? user->n_losses : 0;
}

enum { ADMIN = 1, ANA, BEN, CARA, FLOOR = 10, PUMP = 20, METER, BOAT = 30 };

/* ana owns the pump and the boat, ben sees the boat and, by its group, the pump; cara nothing. */
static Registry *fleet(void) {
        const RegistryRow rows[] = {
                share_row(1, BEN, REGISTRY_VEHICLE, BOAT), /* before all that they need */
                share_row(2, BEN, REGISTRY_GROUP, FLOOR),
                member_row(PUMP, FLOOR),
                vehicle_row(BOAT, "boat", ANA),
                device_row(PUMP, "pump", ANA),
                device_row(METER, "meter", 0),
                group_row(FLOOR, "Floor 1"),
                user_row(ADMIN, "root", ROLE_ADMIN),
                user_row(ANA, "ana", ROLE_USER),
                user_row(BEN, "ben", ROLE_VIEWER),
                user_row(CARA, "cara", ROLE_USER),
        };
        Registry *registry = NULL;

        assert_int_equal(registry_new(&registry), 0);
        assert_false(registry_is_loaded(registry));
        assert_false(apply_rows(registry, true, rows, N_ELEMENTS(rows)));
        assert_true(registry_is_loaded(registry));
        return registry;
}

static void test_things_are_found_by_id_code_and_name(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_int_equal(registry_find_device(registry, TEXT("pump"))->id, PUMP);
        assert_int_equal(registry_find_device(registry, TEXT("20"))->id, PUMP);
        assert_int_equal(registry_find_vehicle(registry, TEXT("boat"))->id, BOAT);
        assert_int_equal(registry_find_user(registry, TEXT("2"))->id, ANA);
        assert_int_equal(registry_user_by_name(registry, TEXT("ben"))->id, BEN);
        assert_string_equal(registry_device(registry, PUMP)->code, "pump");
        assert_null(registry_device(registry, PUMP)->name);
        assert_null(registry_user_by_name(registry, TEXT("2")));
        assert_null(registry_find_device(registry, TEXT("boat")));
        assert_null(registry_find_device(registry, TEXT("020")));
        assert_null(registry_find_device(registry, TEXT("+20")));
        assert_null(registry_find_device(registry, TEXT("99999999999999999999")));
        assert_null(registry_find_device(registry, (Text){ 0 }));
        assert_null(registry_find_device(registry, TEXT("")));
        assert_null(registry_vehicle(registry, PUMP));
}

/* PUMP has the id 20. */
static void test_code_that_is_an_id_means_the_code_within_one_owner(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        apply(registry, device_row(77, "20", registry_device(registry, PUMP)->user_id));
        assert_int_equal(registry_find_device(registry, TEXT("20"))->id, 77);
        assert_int_equal(registry_find_device(registry, TEXT("id:20"))->id, PUMP);
        assert_int_equal(registry_find_device(registry, TEXT("id:77"))->id, 77);
        assert_null(registry_find_device(registry, TEXT("id:78")));
        assert_null(registry_find_device(registry, TEXT("id:020")));
        assert_true(device_is_called(registry_device(registry, 77), TEXT("20")));
        assert_true(device_is_called(registry_device(registry, PUMP), TEXT("20")));
        assert_true(device_is_called(registry_device(registry, PUMP), TEXT("id:20")));
        assert_false(device_is_called(registry_device(registry, 77), TEXT("id:20")));
}

static void test_code_that_is_an_id_of_another_owner_means_neither(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        const Device *pump = registry_device(registry, PUMP);
        int64_t owner = pump->user_id, other = owner == ANA ? BEN : ANA;
        const User nobody = { .id = 4711, .is_active = true };
        const User root = { .id = 4712, .is_active = true, .role = ROLE_ADMIN };

        (void)state;
        apply(registry, device_row(77, "20", other));
        assert_null(registry_find_device(registry, TEXT("20")));
        assert_int_equal(registry_find_device(registry, TEXT("id:20"))->id, PUMP);
        assert_int_equal(registry_find_device_of(registry, owner, TEXT("20"))->id, PUMP);
        assert_int_equal(registry_find_device_of(registry, other, TEXT("20"))->id, 77);
        assert_null(registry_find_device_of(registry, 4711, TEXT("20")));
        assert_int_equal(registry_find_device_for(registry,
                                                  registry_user(registry, owner),
                                                  TEXT("20"))
                                 ->id,
                         PUMP);
        assert_int_equal(registry_find_device_for(registry,
                                                  registry_user(registry, other),
                                                  TEXT("20"))
                                 ->id,
                         77);
        assert_null(registry_find_device_for(registry, &root, TEXT("20")));
        assert_null(registry_find_device_for(registry, NULL, TEXT("20")));
        /* who sees neither learns nothing from which of them he is refused */
        (void)registry_find_device_for(registry, &nobody, TEXT("20"));
}

static void test_user_called_like_the_id_of_another_is_nobody(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_int_equal(registry_find_user(registry, TEXT("2"))->id, ANA);
        apply(registry, user_row(99, "2", ROLE_USER));
        assert_null(registry_find_user(registry, TEXT("2")));
        assert_int_equal(registry_find_user(registry, TEXT("id:2"))->id, ANA);
        assert_int_equal(registry_find_user(registry, TEXT("id:99"))->id, 99);
}

static void test_a_user_is_found_by_his_identifier_too(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        RegistryRow ana = user_row(ANA, "ana", ROLE_USER), ben = user_row(BEN, "ben", ROLE_VIEWER);

        (void)state;
        assert_null(registry_find_user(registry, TEXT("0b5c-77")));
        ana.user.identifier = "0b5c-77";
        apply(registry, ana);
        assert_int_equal(registry_find_user(registry, TEXT("0b5c-77"))->id, ANA);
        assert_int_equal(registry_find_user(registry, TEXT("ana"))->id, ANA);
        assert_null(registry_user_by_name(registry, TEXT("0b5c-77"))); /* nobody signs in by it */

        /* it goes on to another, whichever of the rows comes first */
        ben.user.identifier = "0b5c-77";
        apply(registry, ben);
        ana.user.identifier = NULL;
        apply(registry, ana);
        assert_int_equal(registry_find_user(registry, TEXT("0b5c-77"))->id, BEN);
        ben.deleted = true;
        apply(registry, ben);
        assert_null(registry_find_user(registry, TEXT("0b5c-77")));
        /* a name goes before it */
        ana.user.identifier = "cara";
        apply(registry, ana);
        assert_string_equal(registry_find_user(registry, TEXT("cara"))->name, "cara");
}

static void test_audience_is_owner_shares_and_group_shares(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        const Device *pump = registry_device(registry, PUMP);

        (void)state;
        assert_int_equal(pump->audience.n, 2);
        assert_int_equal(pump->audience.user_ids[0], ANA);
        assert_int_equal(pump->audience.user_ids[1], BEN);
        assert_int_equal(pump->n_groups, 1);
        assert_int_equal(pump->groups[0].id, FLOOR);
        assert_string_equal(pump->groups[0].name, "Floor 1");

        assert_true(sees_device(registry, ADMIN, METER));
        assert_false(sees_device(registry, ANA, METER));
        assert_true(sees_device(registry, BEN, PUMP));
        assert_false(sees_device(registry, CARA, PUMP));
        assert_true(sees_vehicle(registry, ANA, BOAT));
        assert_true(sees_vehicle(registry, BEN, BOAT));
        assert_false(sees_vehicle(registry, CARA, BOAT));
        assert_false(user_sees_device(NULL, pump));
}

static void test_two_ways_to_see_count_once(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_false(apply(registry, share_row(3, ANA, REGISTRY_DEVICE, PUMP)));
        assert_false(apply(registry, share_row(4, BEN, REGISTRY_DEVICE, PUMP)));
        assert_int_equal(registry_device(registry, PUMP)->audience.n, 2);
        assert_true(apply(registry, gone(share_row(2, 0, REGISTRY_GROUP, 0))));
        assert_true(sees_device(registry, BEN, PUMP)); /* by the other share */
        assert_true(apply(registry, gone(share_row(4, 0, REGISTRY_DEVICE, 0))));
        assert_false(sees_device(registry, BEN, PUMP));
}

static void test_membership_and_group_changes_reach_the_device(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_false(apply(registry, group_row(FLOOR, "Ground floor")));
        assert_string_equal(registry_device(registry, PUMP)->groups[0].name, "Ground floor");
        assert_false(apply(registry, group_row(5, "East")));
        assert_false(apply(registry, member_row(PUMP, 5)));
        assert_int_equal(registry_device(registry, PUMP)->n_groups, 2);
        assert_int_equal(registry_device(registry, PUMP)->groups[0].id, 5);
        assert_false(apply(registry, member_row(METER, FLOOR)));
        assert_true(sees_device(registry, BEN, METER));
        assert_true(apply(registry, gone(member_row(METER, FLOOR))));
        assert_false(sees_device(registry, BEN, METER));
        assert_true(registry_has_group(registry, FLOOR));
        assert_true(apply(registry, gone(group_row(FLOOR, NULL))));
        assert_false(registry_has_group(registry, FLOOR));
        assert_int_equal(registry_device(registry, PUMP)->n_groups, 1);
        assert_false(sees_device(registry, BEN, PUMP));
}

static void test_users_who_change_gain_or_lose_at_once(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        RegistryRow ben = user_row(BEN, "ben", ROLE_VIEWER);

        (void)state;
        ben.user.is_active = false;
        assert_true(apply(registry, ben));
        assert_false(sees_vehicle(registry, BEN, BOAT));
        assert_false(sees_device(registry, BEN, PUMP));
        assert_false(audience_has(&registry_vehicle(registry, BOAT)->audience, BEN));
        assert_false(apply(registry, user_row(BEN, "ben", ROLE_VIEWER)));
        assert_true(sees_device(registry, BEN, PUMP));

        assert_true(apply(registry, user_row(BEN, "ben", ROLE_ADMIN))); /* sockets see more now */
        assert_true(sees_device(registry, BEN, METER));
        assert_false(audience_has(&registry_vehicle(registry, BOAT)->audience, BEN));
        assert_true(apply(registry, user_row(BEN, "ben", ROLE_USER)));
        assert_false(sees_device(registry, BEN, METER));
        assert_true(sees_vehicle(registry, BEN, BOAT));

        assert_true(apply(registry, gone(user_row(BEN, NULL, ROLE_USER))));
        assert_null(registry_user(registry, BEN));
        assert_null(registry_user_by_name(registry, TEXT("ben")));
        assert_int_equal(registry_vehicle(registry, BOAT)->audience.n, 1);
}

static void test_owner_activity_and_token_narrow(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        RegistryRow pump = device_row(PUMP, "pump", ANA);

        (void)state;
        assert_false(apply(registry, pump));
        pump.device.name = "Pump";
        assert_false(apply(registry, pump));
        pump.device.has_token = true;
        assert_false(apply(registry, pump)); /* nobody had one before */
        pump.device.token_hash[31] = 1;      /* in another form */
        assert_false(apply(registry, pump));
        pump.device.token_generation = 1;
        assert_true(apply(registry, pump));
        assert_false(apply(registry, pump));
        pump.device.is_active = false;
        assert_true(apply(registry, pump));
        pump.device.is_active = true;
        assert_false(apply(registry, pump));
        pump.device.user_id = CARA;
        assert_true(apply(registry, pump));
        assert_true(sees_device(registry, CARA, PUMP));
        assert_false(sees_device(registry, ANA, PUMP));
        assert_false(apply(registry, device_row(METER, "meter", ANA))); /* it was nobody's */
        assert_true(apply(registry, vehicle_row(BOAT, "boat", 0)));
        assert_false(sees_vehicle(registry, ANA, BOAT));
}

static void test_only_who_sees_less_than_before_has_lost_something(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        uint64_t ana = losses(registry, ANA), ben = losses(registry, BEN);
        uint64_t admin = losses(registry, ADMIN);

        (void)state;
        apply(registry, share_row(3, CARA, REGISTRY_VEHICLE, BOAT)); /* more */
        apply(registry, vehicle_row(BOAT, "ship", ANA));
        apply(registry, user_row(CARA, "cara", ROLE_VIEWER));
        apply(registry, gone(member_row(PUMP, FLOOR)));
        assert_int_not_equal(losses(registry, BEN), ben);
        assert_int_equal(losses(registry, CARA), 0);

        ben = losses(registry, BEN);
        apply(registry, gone(vehicle_row(BOAT, NULL, 0)));
        assert_int_not_equal(losses(registry, BEN), ben);
        assert_int_not_equal(losses(registry, ANA), ana);

        ana = losses(registry, ANA);
        apply(registry, user_row(ANA, "ana", ROLE_ADMIN));
        assert_int_equal(losses(registry, ANA), ana);
        apply(registry, user_row(ANA, "ana", ROLE_USER));
        assert_int_not_equal(losses(registry, ANA), ana);
        assert_int_equal(losses(registry, ADMIN), admin);
}

static void test_share_that_points_elsewhere_moves(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_false(apply(registry, share_row(1, BEN, REGISTRY_VEHICLE, BOAT)));
        assert_true(apply(registry, share_row(1, CARA, REGISTRY_DEVICE, METER)));
        assert_false(sees_vehicle(registry, BEN, BOAT));
        assert_true(sees_device(registry, CARA, METER));
}

static void test_codes_may_be_swapped_in_one_delta(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        const RegistryRow rows[] = {
                device_row(PUMP, "meter", ANA),
                device_row(METER, "pump", 0),
        };

        (void)state;
        apply_rows(registry, false, rows, N_ELEMENTS(rows));
        assert_int_equal(registry_find_device(registry, TEXT("meter"))->id, PUMP);
        assert_int_equal(registry_find_device(registry, TEXT("pump"))->id, METER);
        apply(registry, device_row(METER, "third", 0));
        assert_null(registry_find_device(registry, TEXT("pump")));
}

static void test_code_may_move_to_a_new_device_before_the_old_one_goes(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        const RegistryRow rows[] = {
                device_row(99, "pump", ANA),
                gone(device_row(PUMP, NULL, 0)),
        };

        (void)state;
        assert_true(apply_rows(registry, false, rows, N_ELEMENTS(rows)));
        assert_int_equal(registry_find_device(registry, TEXT("pump"))->id, 99);
        assert_null(registry_device(registry, PUMP));
}

static void test_deleted_device_may_come_back_with_its_edges(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();

        (void)state;
        assert_true(apply(registry, gone(device_row(PUMP, NULL, 0))));
        assert_null(registry_next_device(registry, METER));
        assert_int_equal(registry_next_device(registry, 0)->id, METER);
        assert_false(apply(registry, gone(device_row(PUMP, NULL, 0)))); /* told twice */
        assert_false(apply(registry, device_row(PUMP, "pump", CARA)));
        assert_true(sees_device(registry, CARA, PUMP));
        assert_true(sees_device(registry, BEN, PUMP)); /* the membership was never removed */
        assert_false(sees_device(registry, ANA, PUMP));
        assert_int_equal(registry_next_device(registry, 0)->id, PUMP);
}

static void test_whole_delta_replaces_everything(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        const RegistryRow rows[] = {
                user_row(ANA, "ana", ROLE_USER),
                device_row(PUMP, "pump", ANA),
        };

        (void)state;
        assert_true(apply_rows(registry, true, rows, N_ELEMENTS(rows)));
        assert_null(registry_user(registry, BEN));
        assert_null(registry_find_device(registry, TEXT("meter")));
        assert_null(registry_vehicle(registry, BOAT));
        assert_int_equal(registry_device(registry, PUMP)->audience.n, 1);
        assert_int_equal(registry_device(registry, PUMP)->n_groups, 0);
        assert_null(registry_next_vehicle(registry, 0));
        assert_false(apply_rows(registry, true, rows, N_ELEMENTS(rows))); /* nothing changed */
        assert_true(apply_rows(registry, true, NULL, 0));
        assert_null(registry_next_device(registry, 0));
}

static void test_state_is_kept_unless_a_newer_one_comes(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        DeviceState now = device_state_unknown();

        (void)state;
        assert_string_equal(registry_device(registry, PUMP)->state.status, "");
        assert_true(isnan(registry_device(registry, PUMP)->state.temperature));
        assert_int_equal(registry_device(registry, PUMP)->state.time_us, CLOCK_UNKNOWN);

        apply(registry, state_row(PUMP, "offline", 100));
        assert_string_equal(registry_device(registry, PUMP)->state.status, "offline");
        now.last_seen_us = 200;
        memcpy(now.status, "online", sizeof("online"));
        registry_set_state(registry, PUMP, &now);
        registry_set_state(registry, 4711, &now); /* nobody: ignored */
        apply(registry, device_row(PUMP, "pump", ANA));
        apply(registry, state_row(PUMP, "offline", 150));
        assert_string_equal(registry_device(registry, PUMP)->state.status, "online");
        apply(registry, state_row(PUMP, "error", 200));
        assert_string_equal(registry_device(registry, PUMP)->state.status, "error");
}

static void test_state_may_come_before_its_device(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        const RegistryRow rows[] = { state_row(PUMP, "online", 1), device_row(PUMP, "pump", 0) };

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        apply_rows(registry, true, rows, N_ELEMENTS(rows));
        assert_string_equal(registry_device(registry, PUMP)->state.status, "online");
        apply(registry, state_row(METER, "online", 1)); /* for nobody */
        assert_null(registry_device(registry, METER));
        apply(registry, device_row(METER, "meter", 0));
        assert_string_equal(registry_device(registry, METER)->state.status, "");
}

static void test_next_goes_through_all_in_order_of_id(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        const RegistryRow rows[] = {
                device_row(5, "e", 0),        device_row(2, "b", 0),        device_row(9, "i", 0),
                device_row(4, "d", 0),        gone(device_row(9, NULL, 0)), device_row(9, "j", 0),
                gone(device_row(5, NULL, 0)),
        };
        const Device *device;
        int64_t ids[4] = { 0 };
        size_t n = 0;

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        apply_rows(registry, false, rows, N_ELEMENTS(rows));
        apply(registry, device_row(3, "c", 0));
        for (device = registry_next_device(registry, 0); device;
             device = registry_next_device(registry, device->id)) {
                assert_true(n < N_ELEMENTS(ids));
                ids[n++] = device->id;
        }
        assert_int_equal(n, 4);
        assert_int_equal(ids[0], 2);
        assert_int_equal(ids[1], 3);
        assert_int_equal(ids[2], 4);
        assert_int_equal(ids[3], 9);
        assert_null(registry_next_device(registry, INT64_MAX));
}

/* A database that was put back gives out ids again. */
static void test_a_thing_with_another_key_is_another(void **state) {
        CLEANUP(registry_free) Registry *registry = fleet();
        RegistryRow pump = device_row(PUMP, "pump", ANA), boat = vehicle_row(BOAT, "boat", ANA);
        uint64_t ana, ben;

        (void)state;
        pump.device.key = "first";
        boat.vehicle.key_hash = 1;
        assert_false(apply(registry, pump));
        assert_false(apply(registry, boat)); /* of which no key was known */
        assert_false(apply(registry, state_row(PUMP, "online", 1000)));
        assert_false(apply(registry, pump));
        assert_true(registry_device(registry, PUMP)->state.last_seen_us == 1000);
        ana = losses(registry, ANA);
        ben = losses(registry, BEN);

        pump.device.key = "second";
        assert_true(apply(registry, pump));
        assert_true(losses(registry, ANA) > ana && losses(registry, BEN) > ben);
        assert_true(registry_device(registry, PUMP)->state.last_seen_us == CLOCK_UNKNOWN);
        assert_true(sees_device(registry, ANA, PUMP));
        assert_int_equal(registry_next_device(registry, PUMP - 1)->id, PUMP);
        assert_int_equal(registry_n_devices_of(registry, ANA), 1);
        assert_false(apply(registry, pump));

        ana = losses(registry, ANA);
        boat.vehicle.key_hash = 2;
        assert_true(apply(registry, boat));
        assert_true(losses(registry, ANA) > ana && sees_vehicle(registry, ANA, BOAT));
        assert_int_equal(registry_next_vehicle(registry, BOAT - 1)->id, BOAT);
        assert_false(apply(registry, boat));
}

static void test_delta_owns_its_texts(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        char code[] = "pump", key[] = "k", firmware[] = "1.2";
        RegistryRow row = device_row(PUMP, code, 0);
        const Device *pump;
        bool narrowed;

        (void)state;
        row.device.key = key;
        row.device.firmware_version = firmware;
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        memset(code, 'x', sizeof(code));
        memset(firmware, 'x', sizeof(firmware));
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
        delta = registry_delta_unref(delta);

        pump = registry_find_device(registry, TEXT("pump"));
        assert_non_null(pump);
        assert_string_equal(pump->firmware_version, "1.2");
        assert_null(pump->product_type);
}

static void test_role_names_go_both_ways(void **state) {
        Role role = ROLE_VIEWER;

        (void)state;
        assert_true(role_from_name("admin", &role));
        assert_int_equal(role, ROLE_ADMIN);
        assert_string_equal(role_name(ROLE_USER), "user");
        assert_string_equal(role_name(ROLE_VIEWER), "viewer");
        assert_false(role_from_name("root", &role));
        assert_false(role_from_name(NULL, &role));
        assert_int_equal(role, ROLE_ADMIN);
}

/* Random changes, and the answers of a model that keeps nothing but the rows. */
enum { N_USERS = 8, N_DEVICES = 12, N_GROUPS = 4, N_SHARES = 16 };

typedef struct Model Model;

struct Model {
        RegistryRow users[N_USERS + 1], devices[N_DEVICES + 1], groups[N_GROUPS + 1];
        RegistryRow shares[N_SHARES + 1];
        bool members[N_DEVICES + 1][N_GROUPS + 1];
};

static bool model_shared(const Model *model, int64_t user_id, int64_t device_id) {
        for (size_t i = 1; i <= N_SHARES; ++i) {
                const RegistryRow *share = &model->shares[i];
                int64_t group_id = share->share.group_id;

                if (share->deleted || share->share.user_id != user_id)
                        continue;
                if (share->share.device_id == device_id)
                        return true;
                if (group_id != 0 && !model->groups[group_id].deleted &&
                    model->members[device_id][group_id])
                        return true;
        }
        return false;
}

static bool model_sees(const Model *model, int64_t user_id, int64_t device_id) {
        const User *user = &model->users[user_id].user;

        if (model->users[user_id].deleted || !user->is_active)
                return false;
        return user->role == ROLE_ADMIN || model->devices[device_id].device.user_id == user_id ||
               model_shared(model, user_id, device_id);
}

static int64_t pick(unsigned *seed, int n) {
        *seed = *seed * 1103515245U + 12345U;
        return (int64_t)(*seed >> 16) % n;
}

static RegistryRow model_change(Model *model, unsigned *seed) {
        static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g",
                                             "h", "i", "j", "k", "l", "m", "n" };
        bool deleted = pick(seed, 3) == 0;
        int64_t a, b;
        RegistryRow row;

        switch (pick(seed, 5)) {
        case 0:
                a = 1 + pick(seed, N_USERS);
                row = user_row(a, names[a], (Role)pick(seed, 3));
                row.user.is_active = pick(seed, 4) != 0;
                row.deleted = deleted;
                return model->users[a] = row;
        case 1:
                a = 1 + pick(seed, N_DEVICES);
                row = device_row(a, names[a], pick(seed, N_USERS + 1));
                row.deleted = deleted;
                return model->devices[a] = row;
        case 2:
                a = 1 + pick(seed, N_GROUPS);
                row = group_row(a, names[a]);
                row.deleted = deleted;
                return model->groups[a] = row;
        case 3:
                a = 1 + pick(seed, N_DEVICES);
                b = 1 + pick(seed, N_GROUPS);
                row = member_row(a, b);
                row.deleted = deleted;
                model->members[a][b] = !deleted;
                return row;
        default:
                a = 1 + pick(seed, N_SHARES);
                b = pick(seed, 2);
                row = share_row(a,
                                1 + pick(seed, N_USERS),
                                b ? REGISTRY_DEVICE : REGISTRY_GROUP,
                                1 + pick(seed, b ? N_DEVICES : N_GROUPS));
                row.deleted = deleted;
                return model->shares[a] = row;
        }
}

/* Everything that the model has now, in no good order, as one whole delta. */
static bool model_load(const Model *model, Registry *registry) {
        RegistryRow rows[N_USERS + N_DEVICES + N_GROUPS + N_SHARES + N_DEVICES * N_GROUPS];
        size_t n = 0;

        for (size_t i = 1; i <= N_SHARES; ++i)
                if (!model->shares[i].deleted)
                        rows[n++] = model->shares[i];
        for (int64_t d = N_DEVICES; d >= 1; --d)
                for (int64_t g = 1; g <= N_GROUPS; ++g)
                        if (model->members[d][g])
                                rows[n++] = member_row(d, g);
        for (size_t i = N_DEVICES; i >= 1; --i)
                if (!model->devices[i].deleted)
                        rows[n++] = model->devices[i];
        for (size_t i = 1; i <= N_GROUPS; ++i)
                if (!model->groups[i].deleted)
                        rows[n++] = model->groups[i];
        for (size_t i = 1; i <= N_USERS; ++i)
                if (!model->users[i].deleted)
                        rows[n++] = model->users[i];
        return apply_rows(registry, true, rows, n);
}

/* Who sees what, compared with the model. Losing a right must have been reported, and be counted
 * for the one who lost it. */
static void model_check(const Model *model,
                        const Registry *registry,
                        bool seen[N_USERS + 1][N_DEVICES + 1],
                        uint64_t n_losses[N_USERS + 1],
                        bool narrowed) {
        const Device *device = NULL;

        for (int64_t d = 1; d <= N_DEVICES; ++d) {
                assert_true(!registry_device(registry, d) == model->devices[d].deleted);
                if (!model->devices[d].deleted) {
                        device = registry_next_device(registry, device ? device->id : 0);
                        assert_non_null(device);
                        assert_int_equal(device->id, d);
                }
                for (int64_t u = 1; u <= N_USERS; ++u) {
                        bool sees = !model->devices[d].deleted && model_sees(model, u, d);

                        if (!model->devices[d].deleted)
                                assert_true(sees_device(registry, u, d) == sees);
                        assert_true(narrowed || sees || !seen[u][d]);
                        if (seen[u][d] && !sees && !model->users[u].deleted &&
                            model->users[u].user.role != ROLE_ADMIN)
                                assert_int_not_equal(losses(registry, u), n_losses[u]);
                        seen[u][d] = sees;
                }
        }
        for (int64_t u = 1; u <= N_USERS; ++u)
                n_losses[u] = losses(registry, u);
}

static void test_any_order_of_changes_ends_as_the_rows_say(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        bool seen[N_USERS + 1][N_DEVICES + 1] = { 0 };
        uint64_t n_losses[N_USERS + 1] = { 0 };
        unsigned seed = 1;
        Model model = { 0 };

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        for (size_t i = 0; i <= N_USERS; ++i)
                model.users[i].deleted = true;
        for (size_t i = 0; i <= N_DEVICES; ++i)
                model.devices[i].deleted = true;
        for (size_t i = 0; i <= N_GROUPS; ++i)
                model.groups[i].deleted = true;
        for (size_t i = 0; i <= N_SHARES; ++i)
                model.shares[i].deleted = true;

        for (int round = 0; round < 3000; ++round) {
                RegistryRow rows[6];
                size_t n = 1 + (size_t)pick(&seed, N_ELEMENTS(rows));
                bool narrowed;

                for (size_t i = 0; i < n; ++i)
                        rows[i] = model_change(&model, &seed);
                if (pick(&seed, 10) == 0)
                        narrowed = model_load(&model, registry);
                else
                        narrowed = apply_rows(registry, false, rows, n);
                model_check(&model, registry, seen, n_losses, narrowed);
        }
}

static void test_a_hundred_thousand_devices_fit(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const Device *device;
        bool narrowed;
        int64_t n = 0;
        char code[32];

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_delta_new(&delta, true), 0);
        for (int64_t id = 100000; id >= 1; --id) {
                RegistryRow row = device_row(id, code, 1 + id % 100);
                RegistryRow seen = state_row(id, "online", id);

                (void)snprintf(code, sizeof(code), "device-%ld", (long)id);
                assert_int_equal(registry_delta_add(delta, &row), 0);
                assert_int_equal(registry_delta_add(delta, &seen), 0);
        }
        for (int64_t id = 1; id <= 100; ++id) {
                RegistryRow row = user_row(id, code, ROLE_USER);

                (void)snprintf(code, sizeof(code), "user-%ld", (long)id);
                assert_int_equal(registry_delta_add(delta, &row), 0);
        }
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
        for (device = registry_next_device(registry, 0); device;
             device = registry_next_device(registry, device->id)) {
                assert_int_equal(device->id, ++n);
                assert_int_equal(device->audience.n, 1);
        }
        assert_int_equal(n, 100000);
        assert_int_equal(registry_find_device(registry, TEXT("device-4711"))->id, 4711);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
        assert_false(narrowed);
}

static void test_zones_are_there_or_not(void **state) {
        CLEANUP(registry_free) Registry *registry = NULL;
        const RegistryRow row = { .table = REGISTRY_ZONES, .zones = { -40, -70 } };

        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        assert_null(registry_zones(registry));
        assert_false(apply(registry, row));
        assert_true(registry_zones(registry)->near_dbm == -40);
        assert_true(registry_zones(registry)->medium_dbm == -70);
        assert_false(apply_rows(registry, true, &row, 1));
        assert_non_null(registry_zones(registry));
        assert_false(apply(registry, gone(row)));
        assert_null(registry_zones(registry));
        assert_false(apply(registry, row));
        assert_false(apply_rows(registry, true, NULL, 0));
        assert_null(registry_zones(registry));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_things_are_found_by_id_code_and_name),
                cmocka_unit_test(test_code_that_is_an_id_means_the_code_within_one_owner),
                cmocka_unit_test(test_code_that_is_an_id_of_another_owner_means_neither),
                cmocka_unit_test(test_user_called_like_the_id_of_another_is_nobody),
                cmocka_unit_test(test_a_user_is_found_by_his_identifier_too),
                cmocka_unit_test(test_audience_is_owner_shares_and_group_shares),
                cmocka_unit_test(test_two_ways_to_see_count_once),
                cmocka_unit_test(test_zones_are_there_or_not),
                cmocka_unit_test(test_membership_and_group_changes_reach_the_device),
                cmocka_unit_test(test_users_who_change_gain_or_lose_at_once),
                cmocka_unit_test(test_owner_activity_and_token_narrow),
                cmocka_unit_test(test_only_who_sees_less_than_before_has_lost_something),
                cmocka_unit_test(test_share_that_points_elsewhere_moves),
                cmocka_unit_test(test_codes_may_be_swapped_in_one_delta),
                cmocka_unit_test(test_code_may_move_to_a_new_device_before_the_old_one_goes),
                cmocka_unit_test(test_deleted_device_may_come_back_with_its_edges),
                cmocka_unit_test(test_whole_delta_replaces_everything),
                cmocka_unit_test(test_state_is_kept_unless_a_newer_one_comes),
                cmocka_unit_test(test_state_may_come_before_its_device),
                cmocka_unit_test(test_next_goes_through_all_in_order_of_id),
                cmocka_unit_test(test_a_thing_with_another_key_is_another),
                cmocka_unit_test(test_delta_owns_its_texts),
                cmocka_unit_test(test_role_names_go_both_ways),
                cmocka_unit_test(test_any_order_of_changes_ends_as_the_rows_say),
                cmocka_unit_test(test_a_hundred_thousand_devices_fit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
