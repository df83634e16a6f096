/* WsEdge and WsUplink: what a device, or a gateway at the edge, brings by its own socket is in the
 * journal whole, in order and once, however full that is, and nothing of who may not any more; what
 * goes down goes once, and is delivered when that is proven. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/queue.h"
#include "model/edge/runs.h"
#include "model/edge/uplink.h"
#include "model/event.h"
#include "model/inbound.h"
#include "model/metrics.h"
#include "tests/fake/asks.h"
#include "tests/fake/conn.h"
#include "ws/device/edge.h"
#include "ws/device/uplink.h"
#include "ws/hub/hub.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/dialect.h"

#define DEVICE INT64_C(7)
#define EPOCH  UINT64_C(0xaa)

static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsConn conns[2];
static WsClient *clients[2];
static Queue *asked;
static int64_t now_us;
static char taken[1024]; /* what the journal has, each behind a '|' */
static int n_room;       /* messages that it still takes */
static uint64_t n_taken;
static UplinkLine line;
static bool is_ours;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

int64_t __wrap_clock_now_us(void);
int64_t __wrap_clock_now_us(void) {
        return now_us;
}

/* ---- the world ---- */

static int take(void *arg, const Inbound *inbound) {
        Text payload = inbound->payload;
        size_t used = strlen(taken);
        UplinkMark mark = { 0 };

        (void)arg;
        assert_int_equal(inbound->device_id, inbound->door == DOOR_UPLINK ? 0 : DEVICE);
        if (n_room == 0)
                return INBOUND_E_FULL;
        --n_room;
        ++n_taken;
        if (inbound->ret_seq)
                *inbound->ret_seq = n_taken;
        if (inbound->door == DOOR_UPLINK) {
                assert_true(uplink_unmark(&payload, &mark));
                assert_int_equal(mark.device_id, DEVICE);
                assert_int_equal(mark.epoch, EPOCH);
        }
        snprintf(taken + used, sizeof(taken) - used, "|%.*s", (int)payload.n, payload.data);
        if (mark.seq > 0)
                snprintf(taken + strlen(taken),
                         sizeof(taken) - strlen(taken),
                         "@%d>%d",
                         (int)mark.after_seq,
                         (int)mark.seq);
        return 0;
}

static bool look(void *arg, unsigned number, UplinkLine *ret_line) {
        (void)arg;
        assert_int_equal(number, 1);
        *ret_line = line;
        return is_ours;
}

static uint32_t sum_of(uint32_t sum, const void *data, size_t n) {
        for (size_t i = 0; i < n; ++i)
                sum = sum * 31 + ((const uint8_t *)data)[i];
        return sum;
}

static void set_device(int64_t generation, bool may_uplink) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const RegistryRow row = { .table = REGISTRY_DEVICE,
                                  .device = { .id = DEVICE,
                                              .code = "d7",
                                              .key = "k",
                                              .is_active = true,
                                              .has_token = true,
                                              .may_uplink = may_uplink,
                                              .token_generation = generation } };
        bool is_narrowed;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, &row), 0);
        assert_int_equal(registry_apply(registry, delta, &is_narrowed), 0);
}

static int set_up(void **state) {
        (void)state;
        now_us = INT64_C(1000000000);
        n_room = 1000;
        n_taken = 0;
        taken[0] = '\0';
        line = (UplinkLine){ 0 };
        is_ours = true;
        metrics_reset();
        memset(conns, 0, sizeof(conns));
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        assert_int_equal(queue_new(&asked, 16, asks_free), 0);
        hub->questions.ask = asks_keep;
        hub->questions.ask_arg = asked;
        options = *hub->loop.options;
        options.inbound = take;
        options.edge_look = look;
        options.sum = sum_of;
        hub->loop.options = &options;
        set_device(1, true);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(clients); ++i) {
                clients[i] = clients[i] ? ws_viewer_free(clients[i]) : NULL;
                buf_done(&conns[i].out);
        }
        hub = ws_hub_free(hub);
        registry = registry_free(registry);
        asked = queue_free(asked);
        return 0;
}

static void come(size_t i, const WsDialect *dialect) {
        const Device *device = registry_device(registry, DEVICE);

        assert_int_equal(ws_viewer_new(&clients[i], &hub->loop, dialect), 0);
        if (dialect == &ws_dialect_uplink)
                assert_int_equal(ws_uplink_new(clients[i], device, 1), 0);
        else
                assert_int_equal(ws_edge_new(clients[i], device), 0);
        assert_int_equal(ws_viewer_join(clients[i]), 0);
        assert_int_equal(ws_viewer_open(clients[i], &conns[i]), 0);
}

/* What of @text was written to it since this was asked before; short frames alone. */
static void expect_written(size_t i, const char *text) {
        char said[1024] = "";
        Buf *out = &conns[i].out;

        ws_viewer_flush(clients[i]);
        for (size_t at = 0; at < out->n;) {
                const uint8_t *bytes = (const uint8_t *)out->data + at;
                size_t n = bytes[1], n_head = 2;

                if (n == 126) {
                        n = (size_t)bytes[2] << 8 | bytes[3];
                        n_head = 4;
                }
                snprintf(said + strlen(said),
                         sizeof(said) - strlen(said),
                         "%s%.*s",
                         bytes[0] == 0x89 ? "?" : "|",
                         (int)n,
                         (const char *)bytes + n_head);
                at += n_head + n;
        }
        buf_reset(out);
        assert_string_equal(said, text);
}

static void expect_taken(const char *text) {
        assert_string_equal(taken, text);
        taken[0] = '\0';
}

/* To the question that was asked first; @event: a command that waited, taken. */
static void answer(QueryKind kind, int status, uint64_t upto_seq, Event *event) {
        CLEANUP(event_unref) Event *told = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;
        void *query = NULL;

        assert_int_equal(queue_pop(asked, &query, 1, 0), 1);
        assert_int_equal(((Query *)query)->kind, kind);
        assert_int_equal(((Query *)query)->device_id, DEVICE);
        assert_int_equal(answer_new(&answer, query), 0);
        query_free(query);
        answer->status = status;
        answer->upto_seq = upto_seq;
        if (event) {
                answer->events = calloc(1, sizeof(*answer->events));
                assert_non_null(answer->events);
                answer->events[answer->n_events++] = event;
        }
        assert_int_equal(event_new_answer(&told, &answer, answer_free), 0);
        assert_int_equal(ws_questions_answer(&hub->questions, told), 0);
}

static void pass(int64_t ms) {
        now_us += ms * 1000;
        assert_int_equal(ws_edge_tick(&hub->loop), 0);
        assert_int_equal(ws_uplink_tick(&hub->loop), 0);
}

/* ---- the socket of a device ---- */

static void test_what_finds_no_room_is_kept_in_order_and_nothing_more_is_read(void **state) {
        (void)state;
        come(0, &ws_dialect_energy);
        n_room = 1;
        for (const char *const *at = (const char *const[]){ "1", "2", "3", NULL }; *at; ++at)
                assert_int_equal(ws_edge_receive(clients[0], text_of(*at)), 0);
        expect_taken("|1");
        assert_true(conns[0].is_paused);
        n_room = 1;
        pass(1);
        expect_taken("|2");
        assert_true(conns[0].is_paused);
        n_room = 2;
        pass(1);
        expect_taken("|3");
        assert_false(conns[0].is_paused);
        assert_int_equal(ws_edge_receive(clients[0], TEXT("4")), 0);
        expect_taken("|4");
}

static void test_who_has_another_token_brings_nothing_any_more(void **state) {
        (void)state;
        come(0, &ws_dialect_energy);
        n_room = 0;
        assert_int_equal(ws_edge_receive(clients[0], TEXT("1")), 0);
        set_device(2, true);
        n_room = 9;
        assert_int_equal(ws_edge_receive(clients[0], TEXT("2")), 0);
        pass(1);
        expect_taken("");
        assert_false(ws_edge_may_stay(clients[0]));
}

static void test_a_newer_connection_takes_the_place_of_the_older(void **state) {
        (void)state;
        come(0, &ws_dialect_energy);
        come(1, &ws_dialect_energy);
        assert_int_equal(clients[0]->close_code, WS_CLOSE_POLICY);
        assert_int_equal(clients[1]->close_code, 0);
        assert_int_equal(ws_edge_receive(clients[0], TEXT("1")), 0);
        assert_int_equal(ws_edge_receive(clients[1], TEXT("2")), 0);
        expect_taken("|2");
}

static Event *command(const char *id) {
        Event *event = NULL;

        assert_int_equal(event_new_command(&event,
                                           DEVICE,
                                           now_us + 5000000,
                                           text_of(id),
                                           text_of(id)),
                         0);
        return event;
}

static void test_a_command_goes_down_once_and_is_delivered_when_that_is_proven(void **state) {
        Event *event;

        (void)state;
        come(0, &ws_dialect_energy);
        answer(QUERY_PENDING_COMMANDS, 200, 0, command("c1"));
        expect_written(0, "|c1?tg:1");
        event = command("c1"); /* it comes as news as well */
        assert_int_equal(ws_edge_command(&hub->loop, event), 0);
        event_unref(event);
        expect_written(0, "");
        assert_int_equal(ws_edge_pong(clients[0], TEXT("tg:2")), 0); /* nothing that we have sent */
        assert_int_equal(ws_edge_pong(clients[0], TEXT("tg:x")), 0);
        expect_taken("");
        n_room = 0;
        assert_int_equal(ws_edge_pong(clients[0], TEXT("tg:1")), 0);
        expect_taken("");
        n_room = 9;
        pass(1);
        expect_taken("|{\"command_id\":\"c1\",\"state\":\"delivered\"}");
        assert_int_equal(ws_edge_pong(clients[0], TEXT("tg:1")), 0);
        expect_taken("");
        assert_int_equal(metric_get(METRIC_COMMANDS_DELIVERED), 1);
}

static void test_what_waits_is_asked_for_again_until_there_is_an_answer(void **state) {
        (void)state;
        come(0, &ws_dialect_energy);
        answer(QUERY_PENDING_COMMANDS, 503, 0, NULL);
        pass(1);
        assert_int_equal(queue_length(asked), 0);
        pass(1000);
        answer(QUERY_PENDING_COMMANDS, 200, 0, NULL);
        pass(10000);
        assert_int_equal(queue_length(asked), 0);
}

/* ---- the socket of a gateway at the edge ---- */

static void greet(size_t i) {
        Runs runs = { 0 };

        runs_close(&runs, EPOCH);
        assert_int_equal(ws_uplink_hello(clients[i], &runs), 0);
}

static void welcome(size_t i, uint64_t position) {
        greet(i);
        answer(QUERY_UPLINK, 200, position, NULL);
        ws_viewer_flush(clients[i]);
        buf_reset(&conns[i].out);
}

/* Records @from to @to behind @after; of a wrong sum where @is_spoilt. */
static void bring(size_t i, uint64_t after, uint64_t from, uint64_t to, bool is_spoilt) {
        CLEANUP_BUF Buf buf = { 0 };
        Text summed;

        uplink_batch_begin(&buf, after);
        for (uint64_t seq = from; seq <= to; ++seq) {
                char payload[24];

                snprintf(payload, sizeof(payload), "%d", (int)seq);
                uplink_batch_add(&buf,
                                 &(UplinkRecord){ .seq = seq,
                                                  .received_us = now_us,
                                                  .topic = TEXT("t"),
                                                  .payload = text_of(payload) });
        }
        summed = uplink_batch_summed(&buf);
        uplink_batch_seal(&buf, sum_of(is_spoilt, summed.data, summed.n));
        assert_int_equal(ws_uplink_batch(clients[i], buf_text(&buf)), 0);
}

static void test_it_goes_on_behind_what_is_stored_and_is_told_what_is(void **state) {
        (void)state;
        come(0, &ws_dialect_uplink);
        greet(0);
        expect_written(0, ""); /* not before it is known */
        answer(QUERY_UPLINK, 200, 4, NULL);
        expect_written(0,
                       "|{\"type\":\"welcome\",\"position\":4,\"format\":1,\"max_bytes\":1048576,"
                       "\"window\":4194304,\"hears\":[\"runs\",\"lost\"]}");
        bring(0, 4, 6, 7, false);
        bring(0, 7, 8, 8, false);
        expect_taken("|6@4>6|7@6>7|8@7>8");
        pass(1);
        expect_written(0, ""); /* journalled, and not stored */
        line.stored_seq = 2;
        pass(1);
        expect_written(0, "|{\"type\":\"stored\",\"position\":7}");
        line.stored_seq = 3;
        pass(1);
        expect_written(0, "|{\"type\":\"stored\",\"position\":8}");
        pass(1);
        expect_written(0, "");
}

static void test_a_position_that_is_not_known_is_asked_for_again(void **state) {
        (void)state;
        come(0, &ws_dialect_uplink);
        greet(0);
        answer(QUERY_UPLINK, 503, 0, NULL);
        pass(1);
        assert_int_equal(queue_length(asked), 0);
        pass(1000);
        answer(QUERY_UPLINK, 200, 0, NULL);
        bring(0, 0, 1, 1, false);
        expect_taken("|1@0>1");
}

static void test_a_batch_that_finds_no_room_is_kept_and_goes_on_where_it_stood(void **state) {
        (void)state;
        come(0, &ws_dialect_uplink);
        welcome(0, 0);
        n_room = 2;
        bring(0, 0, 1, 4, false);
        expect_taken("|1@0>1|2@1>2");
        assert_true(conns[0].is_paused);
        line.stored_seq = 2;
        n_room = 1;
        pass(1);
        expect_taken("|3@2>3");
        n_room = 9;
        pass(1);
        expect_taken("|4@3>4");
        assert_false(conns[0].is_paused);
        expect_written(0, ""); /* not all of it is stored */
        line.stored_seq = 4;
        pass(1);
        expect_written(0, "|{\"type\":\"stored\",\"position\":4}");
}

static void test_what_is_no_batch_of_its_own_ends_it_and_leaves_nothing(void **state) {
        (void)state;
        for (int i = 0; i < 5; ++i) {
                come(0, &ws_dialect_uplink);
                if (i > 0)
                        welcome(0, 5);
                switch (i) {
                case 0: /* before the welcome */
                        bring(0, 5, 6, 6, false);
                        break;
                case 1: /* it was told 5 */
                        bring(0, 4, 6, 6, false);
                        break;
                case 2:
                        bring(0, 5, 6, 6, true);
                        break;
                case 3: /* numbers ascend */
                        bring(0, 5, 5, 6, false);
                        break;
                default:
                        assert_int_equal(ws_uplink_batch(clients[0], TEXT("x")), 0);
                        break;
                }
                assert_int_equal(clients[0]->close_code, WS_CLOSE_MISUSE);
                bring(0, 5, 6, 6, false); /* what came behind it */
                expect_taken("");
                assert_int_equal(metric_get(METRIC_UPLINK_BROKEN), i + 1);
                clients[0] = ws_viewer_free(clients[0]);
                buf_done(&conns[0].out);
                conns[0] = (WsConn){ 0 };
        }
}

static void test_an_older_database_and_a_slot_that_went_make_it_begin_again(void **state) {
        (void)state;
        for (int i = 0; i < 2; ++i) {
                come((size_t)i, &ws_dialect_uplink);
                welcome((size_t)i, 0);
                if (i == 0)
                        ++line.view;
                else
                        is_ours = false;
                pass(1);
                assert_int_equal(clients[i]->close_code, WS_CLOSE_RESTART);
        }
}

static void test_who_may_bring_no_more_brings_nothing(void **state) {
        (void)state;
        come(0, &ws_dialect_uplink);
        welcome(0, 0);
        n_room = 1;
        bring(0, 0, 1, 2, false);
        expect_taken("|1@0>1");
        set_device(1, false);
        n_room = 9;
        pass(1);
        expect_taken("");
        assert_false(ws_uplink_may_stay(clients[0]));
}

static void test_losses_are_counted_and_heard(void **state) {
        const UplinkLost lost = {
                .n_dropped = 9, .n_gaps = 2, .n_new_dropped = 3, .n_new_gaps = 1
        };

        (void)state;
        come(0, &ws_dialect_uplink);
        welcome(0, 0);
        for (int i = 1; i <= 2; ++i) {
                assert_int_equal(ws_uplink_lost(clients[0], &lost), 0);
                expect_written(0, "|{\"type\":\"heard\"}");
                assert_int_equal(metric_get(METRIC_UPLINK_LOST), 3 * i);
                assert_int_equal(metric_get(METRIC_UPLINK_GAPS), i);
        }
        assert_int_equal(metric_get(METRIC_UPLINK_LOSSY), 1); /* edges */
        clients[0] = ws_viewer_free(clients[0]);
        assert_int_equal(metric_get(METRIC_UPLINK_LOSSY), 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                EACH(test_what_finds_no_room_is_kept_in_order_and_nothing_more_is_read),
                EACH(test_who_has_another_token_brings_nothing_any_more),
                EACH(test_a_newer_connection_takes_the_place_of_the_older),
                EACH(test_a_command_goes_down_once_and_is_delivered_when_that_is_proven),
                EACH(test_what_waits_is_asked_for_again_until_there_is_an_answer),
                EACH(test_it_goes_on_behind_what_is_stored_and_is_told_what_is),
                EACH(test_a_position_that_is_not_known_is_asked_for_again),
                EACH(test_a_batch_that_finds_no_room_is_kept_and_goes_on_where_it_stood),
                EACH(test_what_is_no_batch_of_its_own_ends_it_and_leaves_nothing),
                EACH(test_an_older_database_and_a_slot_that_went_make_it_begin_again),
                EACH(test_who_may_bring_no_more_brings_nothing),
                EACH(test_losses_are_counted_and_heard),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
