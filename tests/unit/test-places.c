/* WsPlaces: the places of sockets, and who may have how many. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/access/party.h"
#include "ws/access/shares.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/places.h"

static WsOptions options;
static WsLoop loop;
static WsClient clients[8];

static int set_up(void **state) {
        int r;

        (void)state;
        options = (WsOptions){ .max_connections = 4, .user_share = 50, .max_unauthenticated = 1 };
        loop.options = &options;
        loop.n_clients = N_ELEMENTS(clients);
        memset(clients, 0, sizeof(clients));
        for (size_t i = 0; i < N_ELEMENTS(clients); ++i)
                clients[i].loop = &loop;
        r = ws_shares_new(&loop.places);
        return r == 0 ? ws_shares_new(&loop.strangers) : r;
}

static int tear_down(void **state) {
        (void)state;
        loop.places = ws_shares_free(loop.places);
        loop.strangers = ws_shares_free(loop.strangers);
        return 0;
}

static void test_a_user_leaves_something_to_the_others(void **state) {
        (void)state;
        assert_true(ws_places_take(&clients[0], ws_party_user(1)));
        assert_true(ws_places_take(&clients[1], ws_party_user(1)));
        assert_false(ws_places_take(&clients[2], ws_party_user(1)));
        assert_true(ws_places_take(&clients[2], ws_party_user(2)));
        ws_places_give_back(&clients[0]);
        assert_true(ws_places_take(&clients[3], ws_party_user(1)));
}

/* Who says who he is has one place, his own: the address gets its one back. */
static void test_another_party_takes_it_in_place_of_the_first(void **state) {
        uint64_t address = ws_party_user(100), user = ws_party_user(1);

        (void)state;
        assert_true(ws_places_take(&clients[0], address));
        assert_true(ws_places_take(&clients[0], user));
        assert_int_equal(ws_shares_of(loop.places, address), 0);
        assert_int_equal(ws_shares_of(loop.places, user), 1);
        assert_true(ws_places_take(&clients[0], user)); /* the same again is one */
        assert_int_equal(ws_shares_total(loop.places), 1);
        ws_places_give_back(&clients[0]);
        assert_int_equal(ws_shares_total(loop.places), 0);
}

static void test_a_refusal_leaves_the_place_that_there_was(void **state) {
        (void)state;
        assert_true(ws_places_take(&clients[0], ws_party_user(1)));
        assert_true(ws_places_take(&clients[1], ws_party_user(1)));
        assert_true(ws_places_take(&clients[2], ws_party_user(2)));
        assert_false(ws_places_take(&clients[2], ws_party_user(1)));
        assert_int_equal(ws_shares_of(loop.places, ws_party_user(2)), 1);
}

static void test_an_address_has_so_many_who_say_nothing(void **state) {
        (void)state;
        assert_true(ws_places_take_strange(&clients[0]));
        assert_true(clients[0].is_unknown);
        assert_false(ws_places_take_strange(&clients[1]));
        assert_false(clients[1].is_unknown);
        ws_places_make_known(&clients[0]); /* he has said who he is */
        assert_true(ws_places_take_strange(&clients[1]));
        ws_places_give_back(&clients[1]); /* he has left */
        assert_int_equal(ws_shares_total(loop.strangers), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_user_leaves_something_to_the_others),
                TEST(test_another_party_takes_it_in_place_of_the_first),
                TEST(test_a_refusal_leaves_the_place_that_there_was),
                TEST(test_an_address_has_so_many_who_say_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
