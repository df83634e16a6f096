/* WsReplays: the database is asked for what those who wait may see and want, and for no more; each
 * hears once what became of that, also if nothing comes, and none that has gone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/registry_delta.h"
#include "tests/fake/asks.h"
#include "ws/hub/hub.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/replays.h"

#define EPOCH "0123456789abcdef"

enum { ANA = 1, BOB, EVE, ROOT, N_USERS = ROOT, PLACES = 2 };

static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsDialect dialect;
static Queue *asked;
static WsClient *clients[N_USERS + 1];
static int64_t now_us;
static size_t n_pages[N_USERS + 1], n_refusals[N_USERS + 1]; /* that they were told of */
static int last_status;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int __wrap_ws_feed_take_page(WsFeed *feed, Event *answer);
int __wrap_ws_feed_take_page(WsFeed *feed, Event *answer) {
        assert_non_null(answer);
        ++n_pages[feed->client->user_id];
        return 0;
}

int __wrap_ws_feed_take_refusal(WsFeed *feed, int status);
int __wrap_ws_feed_take_refusal(WsFeed *feed, int status) {
        last_status = status;
        ++n_refusals[feed->client->user_id];
        return 0;
}

/* Devices 1 to 3 are ana's, 4 bob's. */
static void make_world(void) {
        static const char *const codes[] = { "d1", "d2", "d3", "d4" };
        static const char *const names[] = { "ana", "bob", "eve", "root" };
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool is_narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        for (int64_t id = ANA; id <= ROOT; ++id) {
                const RegistryRow row = {
                        .table = REGISTRY_USER,
                        .user = { .id = id,
                                  .name = names[id - 1],
                                  .is_active = true,
                                  .role = id == ROOT ? ROLE_ADMIN : ROLE_USER },
                };

                assert_int_equal(registry_delta_add(delta, &row), 0);
        }
        for (int64_t id = 1; id <= 4; ++id) {
                const RegistryRow row = {
                        .table = REGISTRY_DEVICE,
                        .device = { .id = id,
                                    .key = "k",
                                    .code = codes[id - 1],
                                    .user_id = id == 4 ? BOB : ANA,
                                    .is_active = true },
                };

                assert_int_equal(registry_delta_add(delta, &row), 0);
        }
        assert_int_equal(registry_apply(registry, delta, &is_narrowed), 0);
}

static int set_up(void **state) {
        (void)state;
        now_us = INT64_C(1000000000);
        memset(n_pages, 0, sizeof(n_pages));
        memset(n_refusals, 0, sizeof(n_refusals));
        dialect = (WsDialect){ .id = WS_DIALECT_NATIVE, .name = "x" };
        assert_int_equal(queue_new(&asked, PLACES, asks_free), 0);
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        make_world();
        options = *hub->loop.options;
        options.epoch = EPOCH;
        hub->loop.options = &options;
        hub->questions.ask = asks_keep;
        hub->questions.ask_arg = asked;
        return 0;
}

static void leave(int64_t user_id) {
        clients[user_id] = ws_viewer_free(clients[user_id]);
}

static int tear_down(void **state) {
        (void)state;
        for (int64_t id = ANA; id <= ROOT; ++id)
                leave(id);
        hub = ws_hub_free(hub);
        registry = registry_free(registry);
        asked = queue_free(asked);
        return 0;
}

/* A subscription of @user_id that replays from behind @seq. */
static void follow(int64_t user_id, const char *target, uint64_t seq) {
        WsFollow *follow = NULL;
        WsFeed *feed;
        WsEye eye;

        if (!clients[user_id]) {
                assert_int_equal(ws_viewer_new(&clients[user_id], &hub->loop, &dialect), 0);
                clients[user_id]->user_id = user_id;
                clients[user_id]->sees_all = user_id == ROOT;
                assert_int_equal(ws_feed_new(&clients[user_id]->feed, clients[user_id]), 0);
        }
        feed = clients[user_id]->feed;
        eye = ws_feed_eye(feed);
        assert_int_equal(ws_follow_new(&follow), 0);
        assert_int_equal(ws_subscription_aim(&follow->subscription, &eye, text_of(target)), 0);
        follow->feed = feed;
        follow->state = WS_FOLLOW_REPLAYS;
        follow->seq = seq;
        TAILQ_INSERT_TAIL(&feed->follows, follow, entry);
        ++feed->n_follows;
}

static void wait_for_turn(int64_t user_id) {
        ws_turns_join(&hub->replays.turns, &clients[user_id]->feed->turn, user_id, 0);
}

static void turn(void) {
        assert_int_equal(ws_replays_turn(&hub->replays), 0);
}

/* NULL: nothing was asked. To be freed. */
static Query *next_query(void) {
        void *query = NULL;

        return queue_pop(asked, &query, 1, 0) == 1 ? query : NULL;
}

/* The same, and there is one. */
static Query *await_query(void) {
        Query *query = next_query();

        if (!query || !query->replay) {
                fail_msg("nothing is asked");
                abort(); /* which compilers know the end of */
        }
        return query;
}

/* @status, twice: who answers may do so. */
static void answer(Query *query, int status) {
        Answer *answer = NULL;
        Event *event = NULL;

        assert_non_null(query);
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = status;
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        for (int i = 0; i < 2; ++i)
                assert_int_equal(ws_questions_answer(&hub->questions, event), 0);
        event_unref(event);
        query_free(query);
}

static void test_what_is_asked_is_what_he_wants_and_may_see(void **state) {
        CLEANUP(query_free) Query *query = NULL;

        (void)state;
        follow(ANA, "device/d3", 70);
        follow(ANA, "device/d1", 50);
        wait_for_turn(ANA);
        turn();
        query = await_query();
        assert_int_equal(query->kind, QUERY_REPLAY);
        assert_false(query->replay->all_devices || query->replay->all_vehicles);
        assert_int_equal(query->replay->n_device_ids, 2);
        assert_int_equal(query->replay->device_ids[0], 1);
        assert_int_equal(query->replay->device_ids[1], 3);
        assert_int_equal(query->replay->n_vehicle_ids, 0);
        assert_int_equal(query->replay->after_seq, 50); /* of the first of both */
        assert_string_equal(query->replay->own_epoch, EPOCH);
        assert_false(query->replay->is_first);
        assert_int_equal(query->replay->limit, 500);
        assert_true(query->party != 0);
}

static void test_all_of_mine_is_not_all_there_is(void **state) {
        Query *query;

        (void)state;
        follow(ANA, "user", 50);
        follow(ROOT, "user", 50);
        wait_for_turn(ANA);
        wait_for_turn(ROOT);
        turn();
        query = await_query();
        assert_false(query->replay->all_devices);
        assert_int_equal(query->replay->n_device_ids, 3);
        query_free(query);
        query = await_query();
        assert_true(query->replay->all_devices && query->replay->all_vehicles);
        assert_int_equal(query->replay->n_device_ids, 0); /* that would be a long list */
        query_free(query);
}

static void test_what_is_live_already_is_not_asked_for(void **state) {
        CLEANUP(query_free) Query *query = NULL;

        (void)state;
        follow(ANA, "device/d1", 50);
        follow(ANA, "device/d2", 10);
        TAILQ_NEXT(TAILQ_FIRST(&clients[ANA]->feed->follows), entry)->state = WS_FOLLOW_LIVE;
        wait_for_turn(ANA);
        turn();
        query = await_query();
        assert_int_equal(query->replay->n_device_ids, 1);
        assert_int_equal(query->replay->device_ids[0], 1);
        assert_int_equal(query->replay->after_seq, 50);
}

static void test_each_answer_is_told_once(void **state) {
        (void)state;
        follow(ANA, "user", 50);
        wait_for_turn(ANA);
        turn();
        answer(next_query(), 200);
        assert_int_equal(n_pages[ANA], 1);
        assert_int_equal(n_refusals[ANA], 0);
        wait_for_turn(ANA);
        turn();
        answer(next_query(), 410);
        assert_int_equal(n_pages[ANA], 1);
        assert_int_equal(n_refusals[ANA], 1);
        assert_int_equal(last_status, 410);
}

static void test_an_answer_that_does_not_come_is_a_refusal(void **state) {
        Query *query;

        (void)state;
        follow(ANA, "user", 50);
        wait_for_turn(ANA);
        turn();
        query = next_query();
        assert_int_equal(ws_questions_turn(&hub->questions, now_us / 1000 + 9999), 0);
        assert_int_equal(n_refusals[ANA], 0);
        assert_int_equal(ws_questions_turn(&hub->questions, now_us / 1000 + 10001), 0);
        assert_int_equal(n_refusals[ANA], 1);
        assert_int_equal(last_status, 503);
        answer(query, 200); /* too late */
        assert_int_equal(n_pages[ANA], 0);
}

/* One of each user, two in all; where their lane has no place, a little later. */
static void test_no_more_is_asked_than_there_are_places_for(void **state) {
        Query *first;

        (void)state;
        follow(ANA, "user", 50);
        follow(BOB, "user", 50);
        follow(ROOT, "user", 50);
        for (int64_t id = ANA; id <= ROOT; ++id)
                if (clients[id])
                        wait_for_turn(id);
        turn();
        turn();
        assert_int_equal(queue_length(asked), 2);
        first = next_query();
        answer(first, 200);
        assert_int_equal(queue_push(asked, calloc(1, sizeof(Query)), 0), 0); /* another's */
        turn(); /* root's turn, and the lane is full */
        assert_int_equal(queue_length(asked), 2);
        answer(next_query(), 200);
        turn();
        assert_int_equal(queue_length(asked), 1); /* it is not tried all the time */
        now_us += 101000;
        turn();
        assert_int_equal(queue_length(asked), 2);
        assert_int_equal(n_pages[ANA], 1);
        assert_int_equal(n_pages[BOB], 1);
        query_free(next_query());
        answer(next_query(), 200);
        assert_int_equal(n_pages[ROOT], 1);
}

static void test_who_has_gone_is_told_nothing_and_leaves_his_place(void **state) {
        Query *query;

        (void)state;
        follow(ANA, "user", 50);
        wait_for_turn(ANA);
        turn();
        leave(ANA);
        query = next_query();
        answer(query, 200); /* it finds nobody */
        assert_int_equal(n_pages[ANA], 0);
        assert_true(ws_turns_is_empty(&hub->replays.turns));
        follow(ANA, "user", 50);
        wait_for_turn(ANA);
        turn();
        answer(next_query(), 200);
        assert_int_equal(n_pages[ANA], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_asked_is_what_he_wants_and_may_see),
                TEST(test_all_of_mine_is_not_all_there_is),
                TEST(test_what_is_live_already_is_not_asked_for),
                TEST(test_each_answer_is_told_once),
                TEST(test_an_answer_that_does_not_come_is_a_refusal),
                TEST(test_no_more_is_asked_than_there_are_places_for),
                TEST(test_who_has_gone_is_told_nothing_and_leaves_his_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
