/* WsRights: an answer is for who may still have it when it leaves, and for nobody else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/registry.h"
#include "ws/http/endpoint.h"
#include "ws/http/rights.h"

enum {
        ANA = 1,
        BEN = 2,
        BOAT = 5, /* ana's */
        BOX = 7,  /* ana's, with a token */
};

static const WsEndpoint reads = { .method = "GET" }, changes = { .method = "POST" };

static Registry *registry;

static void row(RegistryRow row) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool has_narrowed;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(registry, delta, &has_narrowed), 0);
}

static void user(int64_t id, const char *name, bool is_active, int64_t generation) {
        row((RegistryRow){ .table = REGISTRY_USER,
                           .user = { .id = id,
                                     .name = name,
                                     .role = ROLE_USER,
                                     .is_active = is_active,
                                     .generation = generation } });
}

static void boat_of(int64_t user_id) {
        row((RegistryRow){
                .table = REGISTRY_VEHICLE,
                .vehicle = {
                        .id = BOAT, .code = "USV-1", .user_id = user_id, .is_active = true } });
}

static void box_of(int64_t user_id, int64_t generation) {
        row((RegistryRow){ .table = REGISTRY_DEVICE,
                           .device = { .id = BOX,
                                       .key = "key",
                                       .code = "dev-1",
                                       .user_id = user_id,
                                       .is_active = true,
                                       .has_token = true,
                                       .token_generation = generation } });
}

static int setup(void **state) {
        (void)state;
        assert_int_equal(registry_new(&registry), 0);
        user(ANA, "ana", true, 3);
        user(BEN, "ben", true, 1);
        boat_of(ANA);
        box_of(ANA, 9);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        registry = registry_free(registry);
        return 0;
}

/* Ana's, about everything, by the rights of now. */
static WsWaiter question_of_ana(const WsEndpoint *endpoint) {
        const User *ana = registry_user(registry, ANA);

        return (WsWaiter){ .endpoint = endpoint,
                           .user_id = ANA,
                           .generation = ana->generation,
                           .n_losses = ana->n_losses,
                           .expires_us = clock_now_us() + INT64_C(3600000000) };
}

static int refusal(const WsWaiter *waiter) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        bool is_withheld = ws_rights_withhold(registry, waiter, &response);

        assert_int_equal(is_withheld, response.status != 0);
        return response.status;
}

static void test_who_has_lost_nothing_gets_what_he_asked_for(void **state) {
        WsWaiter waiter = question_of_ana(&reads);

        (void)state;
        boat_of(ANA); /* a change that takes nothing from her */
        user(BEN, "ben", false, 2);
        assert_true(ws_rights_are_kept(registry, &waiter));
        assert_int_equal(refusal(&waiter), 0);
}

static void test_nobody_has_nothing_to_lose(void **state) {
        const WsWaiter waiter = { .endpoint = &reads };

        (void)state;
        boat_of(BEN);
        assert_int_equal(refusal(&waiter), 0);
}

static void test_a_token_of_before_is_no_credential(void **state) {
        WsWaiter waiter = question_of_ana(&reads);

        (void)state;
        user(ANA, "ana", true, 4); /* her password has changed */
        assert_null(ws_rights_user(registry, &waiter));
        assert_int_equal(refusal(&waiter), 401);
}

static void test_who_was_disabled_or_deleted_gets_nothing(void **state) {
        WsWaiter waiter = question_of_ana(&changes);

        (void)state;
        user(ANA, "ana", false, 3);
        assert_int_equal(refusal(&waiter), 401);
        row((RegistryRow){ .table = REGISTRY_USER, .deleted = true, .user = { .id = ANA } });
        assert_int_equal(refusal(&waiter), 401);
}

/* A change was made when he still might: he is told of it. */
static void test_a_token_that_expires_ends_what_reads_and_not_what_changes(void **state) {
        WsWaiter read = question_of_ana(&reads), change = question_of_ana(&changes);

        (void)state;
        read.expires_us = change.expires_us = clock_now_us() - 1;
        assert_int_equal(refusal(&read), 401);
        assert_int_equal(refusal(&change), 0);
}

static void test_what_is_about_a_thing_ends_with_the_sight_of_it_alone(void **state) {
        WsWaiter of_boat = question_of_ana(&reads), of_box = question_of_ana(&reads);

        (void)state;
        of_boat.vehicle_id = BOAT;
        of_box.device_id = BOX;
        boat_of(BEN);
        assert_int_equal(refusal(&of_boat), 404);
        assert_int_equal(refusal(&of_box), 0);
        box_of(BEN, 9);
        assert_int_equal(refusal(&of_box), 404);
}

static void test_what_is_about_everything_is_asked_again_after_a_loss(void **state) {
        WsWaiter waiter = question_of_ana(&reads);

        (void)state;
        boat_of(BEN);
        assert_false(ws_rights_are_kept(registry, &waiter));
        assert_int_equal(refusal(&waiter), 503);
}

static void test_a_device_is_the_one_with_that_token(void **state) {
        WsWaiter waiter = { .sender_id = BOX, .token_generation = 9 };

        (void)state;
        assert_non_null(ws_rights_device(registry, &waiter));
        box_of(ANA, 10); /* a new token */
        assert_null(ws_rights_device(registry, &waiter));
}

/* An answer that is made, and one that is still read from the tables. */
static void test_an_answer_that_is_being_sent_ends_with_the_right_to_it(void **state) {
        WsWaiter waiter = question_of_ana(&reads);
        const WsIdentity ana = { .user = registry_user(registry, ANA),
                                 .expires_us = waiter.expires_us };
        WsExchange session = { .asker = ws_rights_of(&ana) };

        (void)state;
        waiter.session = &session;
        for (int i = 0; i < 2; ++i) {
                session.state = WS_EXCHANGE_FLUSH;
                assert_int_equal(ws_rights_are_forfeit(registry, &waiter), i == 1);
                session.state = WS_EXCHANGE_STREAM;
                assert_int_equal(ws_rights_are_forfeit(registry, &waiter), i == 1);
                session.state = WS_EXCHANGE_WAIT; /* nothing has been sent: it is refused */
                assert_false(ws_rights_are_forfeit(registry, &waiter));
                boat_of(BEN);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_who_has_lost_nothing_gets_what_he_asked_for,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_nobody_has_nothing_to_lose, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_token_of_before_is_no_credential,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_who_was_disabled_or_deleted_gets_nothing,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_token_that_expires_ends_what_reads_and_not_what_changes,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_is_about_a_thing_ends_with_the_sight_of_it_alone,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_what_is_about_everything_is_asked_again_after_a_loss, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_device_is_the_one_with_that_token,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_an_answer_that_is_being_sent_ends_with_the_right_to_it,
                        setup,
                        teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
