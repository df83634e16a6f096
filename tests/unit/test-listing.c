/* WsListings: a list of devices takes little of each turn, is one for all who may see the same, and
 * has behind it what changed meanwhile; whoever goes while it is made costs nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/metrics.h"
#include "model/registry_delta.h"
#include "tests/fake/conn.h"
#include "ws/hub/hub.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/listing.h"

enum { ANA = 1, BOB = 2, N_DEVICES = 1000, N_CLIENTS = 4 };

static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsDialect dialect;
static WsConn conns[N_CLIENTS];
static WsClient *clients[N_CLIENTS];
static int64_t now_us, look_us; /* that each look at the clock takes */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us += look_us;
}

static void apply(const RegistryRow rows[], size_t n) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool is_narrowed;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        for (size_t i = 0; i < n; ++i)
                assert_int_equal(registry_delta_add(delta, &rows[i]), 0);
        assert_int_equal(registry_apply(registry, delta, &is_narrowed), 0);
}

static char ana[] = "ana", bob[] = "bob";

static RegistryRow device_row(int64_t id, char code[16]) {
        snprintf(code, 16, "d%d", (int)id);
        return (RegistryRow){
                .table = REGISTRY_DEVICE,
                .device = { .id = id,
                            .code = code,
                            .key = "k",
                            .is_active = true,
                            .user_id = id % 10 == 0 ? BOB : ANA },
        };
}

/* Of each ten devices one is bob's, and the others ana's. */
static void make_world(int64_t n_devices) {
        const RegistryRow users[] = {
                { .table = REGISTRY_USER,
                  .user = { .id = ANA, .name = ana, .is_active = true, .role = ROLE_USER } },
                { .table = REGISTRY_USER,
                  .user = { .id = BOB, .name = bob, .is_active = true, .role = ROLE_USER } },
        };

        apply(users, N_ELEMENTS(users));
        for (int64_t id = 1; id <= n_devices; ++id) {
                char code[16];
                RegistryRow row = device_row(id, code);

                apply(&row, 1);
        }
}

static int set_up(void **state) {
        (void)state;
        now_us = INT64_C(1000000000);
        look_us = 0;
        metrics_reset();
        memset(conns, 0, sizeof(conns));
        dialect = (WsDialect){ .id = WS_DIALECT_DEVICE_HUB, .name = "x" };
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        options = *hub->loop.options;
        options.ping_interval_ms = 20000;
        options.queue_bytes = 1 << 20;
        hub->loop.options = &options;
        return 0;
}

static void leave(size_t i) {
        clients[i] = ws_viewer_free(clients[i]);
}

static int tear_down(void **state) {
        (void)state;
        for (size_t i = 0; i < N_CLIENTS; ++i) {
                leave(i);
                buf_done(&conns[i].out);
        }
        assert_true(TAILQ_EMPTY(&hub->listings)); /* nobody waits, and nothing is made */
        hub = ws_hub_free(hub);
        registry = registry_free(registry);
        return 0;
}

static void come(size_t i, int64_t user_id) {
        assert_int_equal(ws_viewer_new(&clients[i], &hub->loop, &dialect), 0);
        clients[i]->user_id = user_id;
        clients[i]->sees_all = user_id == 0;
        assert_int_equal(ws_viewer_open(clients[i], &conns[i]), 0);
        assert_int_equal(ws_listings_join(&hub->listings, clients[i]), 0);
        ws_loop_settle(&hub->loop);
}

/* Until all is there; how many turns it took. */
static size_t turns(void) {
        size_t n = 0;

        for (; !TAILQ_EMPTY(&hub->listings) && n < 1000; ++n) {
                now_us += 10000;
                ws_listings_turn(&hub->listings, &hub->loop);
                ws_loop_settle(&hub->loop);
        }
        for (size_t i = 0; i < N_CLIENTS; ++i)
                while (clients[i] && clients[i]->backlog.n_frames > 0)
                        ws_viewer_writeable(clients[i]);
        return n;
}

static size_t times(size_t i, const char *what) {
        size_t n = 0;
        Text rest = buf_text(&conns[i].out);
        const char *at;

        while (rest.n > 0 && (at = memmem(rest.data, rest.n, what, strlen(what)))) {
                ++n;
                rest.n -= (size_t)(at - rest.data) + strlen(what);
                rest.data = at + strlen(what);
        }
        return n;
}

#define LIST   "\"type\":\"device_list\""
#define DEVICE "\"device_code\":\""

static void test_a_list_has_what_its_user_may_see(void **state) {
        (void)state;
        make_world(20);
        come(0, ANA);
        come(1, BOB);
        come(2, 0); /* sees all */
        (void)turns();
        for (size_t i = 0; i < 3; ++i)
                assert_int_equal(times(i, LIST), 1);
        assert_int_equal(times(0, DEVICE), 18);
        assert_int_equal(times(1, DEVICE), 2);
        assert_int_equal(times(2, DEVICE), 20);
        assert_int_equal(times(0, "\"d10\""), 0);
}

/* However long it is: the others have their turns between. */
static void test_a_long_list_takes_little_of_each_turn(void **state) {
        (void)state;
        make_world(N_DEVICES);
        look_us = 1500; /* so long takes what is between two looks at the clock */
        come(0, ANA);
        assert_int_equal(times(0, LIST), 0);
        assert_true(turns() > 2);
        assert_int_equal(times(0, LIST), 1);
        assert_int_equal(times(0, DEVICE), N_DEVICES - N_DEVICES / 10);
        assert_true(metric_get(METRIC_WS_LISTS_PUT_OFF) > 0);
}

/* Of one user: he gets the very same bytes as often as he likes, and they are made once. */
static void test_who_comes_while_it_is_made_waits_for_the_same(void **state) {
        (void)state;
        make_world(N_DEVICES);
        look_us = 1500;
        come(0, ANA);
        come(1, ANA);
        assert_ptr_equal(clients[0]->listing, clients[1]->listing);
        leave(0); /* who began it goes */
        (void)turns();
        assert_int_equal(times(1, LIST), 1);
        come(2, ANA); /* nothing has changed: it is there at once */
        assert_null(clients[2]->listing);
        (void)turns();
        assert_int_equal(times(2, LIST), 1);
        assert_int_equal(conns[1].out.n, conns[2].out.n);
}

static void test_what_changes_meanwhile_comes_behind_it_once(void **state) {
        (void)state;
        make_world(N_DEVICES);
        look_us = 1500;
        come(0, ANA);
        for (int i = 0; i < 100; ++i) {
                assert_int_equal(ws_listings_note(&hub->listings, 7), 0);
                assert_int_equal(ws_listings_note(&hub->listings, 10), 0);   /* is bob's */
                assert_int_equal(ws_listings_note(&hub->listings, 5000), 0); /* is gone */
        }
        (void)turns();
        assert_int_equal(times(0, LIST), 1);
        assert_int_equal(times(0, "\"d7\""), 2); /* in the list, and behind it */
        assert_int_equal(times(0, "\"d10\""), 0);
}

/* What somebody may not see any more is in no list that is made afterwards. */
static void test_a_list_begins_anew_where_a_right_is_lost(void **state) {
        char code[16];
        RegistryRow row = device_row(1, code);

        (void)state;
        make_world(N_DEVICES);
        look_us = 1500;
        come(0, ANA); /* the first devices are in it already */
        row.device.user_id = BOB;
        apply(&row, 1);
        ws_listings_change(&hub->listings, true);
        (void)turns();
        assert_int_equal(times(0, LIST), 1);
        assert_int_equal(times(0, "\"d1\""), 0);
        assert_int_equal(times(0, "\"d2\""), 1);
}

/* And who comes after a change that takes nothing away gets one that has it. */
static void test_who_comes_after_a_change_waits_for_the_next_list(void **state) {
        char code[16];
        RegistryRow row = device_row(N_DEVICES + 1, code);

        (void)state;
        make_world(N_DEVICES);
        look_us = 1500;
        come(0, ANA);
        apply(&row, 1);
        ws_listings_change(&hub->listings, false);
        come(1, ANA);
        come(2, ANA);
        assert_true(clients[1]->is_late && clients[2]->is_late);
        leave(2);
        leave(0); /* of the first one nobody is left: the next begins */
        (void)turns();
        assert_int_equal(times(0, LIST), 0);
        assert_int_equal(times(1, LIST), 1);
        assert_int_equal(times(1, "\"d1001\""), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_a_list_has_what_its_user_may_see),
                TEST(test_a_long_list_takes_little_of_each_turn),
                TEST(test_who_comes_while_it_is_made_waits_for_the_same),
                TEST(test_what_changes_meanwhile_comes_behind_it_once),
                TEST(test_a_list_begins_anew_where_a_right_is_lost),
                TEST(test_who_comes_after_a_change_waits_for_the_next_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
