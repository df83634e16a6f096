/* Nodes: births name aliases, deaths count for the session that they are of, and what follows from
 * both is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/queue.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/sparkplug/order.h"
#include "gateway/store/nodes.h"
#include "gateway/store/understand.h"
#include "tests/fake/sparkplug.h"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Routes *routes;
        Nodes *nodes;
        Record record;
        Buf told; /* topics, each with a space behind */
        Buf last; /* the payload of the last */
        bool is_full;
        Queue *orders;
};

static int on_inbound(void *arg, const Inbound *inbound) {
        Fixture *f = arg;

        assert_int_equal(inbound->door, DOOR_INTERNAL);
        buf_append_text(&f->told, inbound->topic);
        buf_append_char(&f->told, ' ');
        buf_reset(&f->last);
        buf_append_text(&f->last, inbound->payload);
        return f->is_full ? INBOUND_E_FULL : 0;
}

static void add_route(Routes *routes, const char *topic, FormatKind format, Kind kind) {
        Route route = {
                .name = strdup(topic),
                .kind = kind,
                .max_bytes = 4096,
                .format = { .kind = format },
                .keeps_named = kind == KIND_DEVICE_STATUS,
                .rebirth = strstr(topic, "DDATA") != NULL,
        };
        char why[MAP_WHY_SIZE];

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        if (kind == KIND_DEVICE_STATUS) {
                assert_int_equal(map_new(&route.map, kind), 0);
                assert_int_equal(map_add(route.map, route.topic, TEXT("status"), TEXT("'x'"), why),
                                 0);
        }
        assert_int_equal(routes_add(routes, &route), 0);
}

static void fixture_init(Fixture *f) {
        static const char *const births[] = { "spBv1.0/{group}/NBIRTH/{device}",
                                              "spBv1.0/{group}/NDATA/{device}",
                                              "spBv1.0/{group}/DBIRTH/{device...}",
                                              "spBv1.0/{group}/DDATA/{device...}" };
        NodesOptions options = {
                .max_things = 8, .max_metrics = 8, .inbound = on_inbound, .arg = f
        };

        *f = (Fixture){ 0 };
        assert_int_equal(arena_new(&f->arena, 4096), 0);
        assert_int_equal(routes_new(&f->routes), 0);
        for (size_t i = 0; i < N_ELEMENTS(births); ++i)
                add_route(f->routes, births[i], FORMAT_SPARKPLUG_B, KIND_TELEMETRY);
        add_route(f->routes,
                  "spBv1.0/{group}/NDEATH/{device}",
                  FORMAT_SPARKPLUG_B,
                  KIND_DEVICE_STATUS);
        add_route(f->routes,
                  "spBv1.0/{group}/DDEATH/{device...}",
                  FORMAT_SPARKPLUG_B,
                  KIND_DEVICE_STATUS);
        add_route(f->routes,
                  "spBv1.0/{group}/ALIVE/{device...}",
                  FORMAT_NUMBER,
                  KIND_DEVICE_STATUS);
        assert_int_equal(queue_new(&f->orders, SPARKPLUG_ORDERS, sparkplug_order_drop), 0);
        options.orders = f->orders;
        assert_int_equal(nodes_new(&f->nodes, &options), 0);
}

static void fixture_done(Fixture *f) {
        arena_free(f->arena);
        routes_unref(f->routes);
        nodes_free(f->nodes);
        queue_free(f->orders);
        buf_done(&f->told);
        buf_done(&f->last);
}

static const Record *hear(Fixture *f, uint64_t seq, const char *topic, Text payload) {
        const UnderstandContext by = { .routes = f->routes, .nodes = f->nodes };
        Elements elements = { 0 };
        const JournalRecord entry = {
                .seq = seq,
                .received_us = 1000000,
                .topic = text_of(topic),
                .payload = payload,
        };

        assert_int_equal(understand(f->arena, &by, &entry, &elements, &f->record), 0);
        elements_done(&elements);
        return &f->record;
}

/* With what a birth or a death says: its session, and that alias 1 is called "t". */
static const Record *hear_session(Fixture *f, uint64_t seq, const char *topic, uint64_t bd_seq) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf value = { 0 };
        Text copy;

        put_whole(&value, METRIC_LONG, bd_seq);
        put_metric(&payload, "bdSeq", 8, &value);
        put_whole(&value, METRIC_ALIAS, 1);
        put_whole(&value, METRIC_INT, 7);
        put_metric(&payload, "t", 3, &value);
        copy = arena_copy(f->arena, payload.data, payload.n);
        return hear(f, seq, topic, copy);
}

static const Record *hear_alias(Fixture *f, uint64_t seq, const char *topic) {
        return hear(f, seq, topic, TEXT("\x12\x04\x10\x01\x50\x05"));
}

static void check_told(Fixture *f, const char *topics) {
        assert_string_equal(buf_text(&f->told).data, topics);
        buf_reset(&f->told);
}

static void test_aliases_are_those_of_the_birth_before(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(hear_alias(&f, 5, "spBv1.0/g/NDATA/n")->reason, REASON_UNKNOWN_ALIAS);
        assert_true(text_equal(hear_session(&f, 6, "spBv1.0/g/NBIRTH/n", 0)->birth, TEXT("g/n")));
        assert_true(text_equal(hear_alias(&f, 7, "spBv1.0/g/NDATA/n")->data, TEXT("{\"t\":5}")));
        assert_int_equal(hear_alias(&f, 5, "spBv1.0/g/NDATA/n")->reason, REASON_UNKNOWN_ALIAS);
        assert_int_equal(hear_alias(&f, 8, "spBv1.0/g/DDATA/n/d")->reason, REASON_UNKNOWN_ALIAS);
        fixture_done(&f);
}

static void test_what_a_database_had_names_them_too(void **state) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf value = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        put_whole(&value, METRIC_ALIAS, 1);
        put_metric(&payload, "t", 3, &value);
        assert_int_equal(nodes_restore(f.nodes, TEXT("g/n"), 4, buf_text(&payload)), 0);
        assert_true(text_equal(hear_alias(&f, 7, "spBv1.0/g/NDATA/n")->data, TEXT("{\"t\":5}")));
        check_told(&f, "");
        fixture_done(&f);
}

static void test_a_birth_tells_that_it_lives_once(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)hear_session(&f, 6, "spBv1.0/g/NBIRTH/n", 0);
        check_told(&f, "spBv1.0/g/ALIVE/n ");
        (void)hear_session(&f, 6, "spBv1.0/g/NBIRTH/n", 0); /* it is read again */
        check_told(&f, "");
        assert_false(hear(&f, 7, "spBv1.0/g/ALIVE/n", TEXT("1000"))->duplicate);
        assert_true(hear(&f, 8, "spBv1.0/g/ALIVE/n", TEXT("1000"))->duplicate); /* after a crash */
        assert_int_equal(f.record.stale, STALE_AGAIN);
        fixture_done(&f);
}

static void test_the_death_of_a_node_is_that_of_its_devices(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)hear_session(&f, 5, "spBv1.0/g/NBIRTH/n", 1);
        (void)hear_session(&f, 6, "spBv1.0/g/DBIRTH/n/a", 1);
        (void)hear_session(&f, 7, "spBv1.0/g/DBIRTH/n/b", 1);
        assert_false(hear(&f, 8, "spBv1.0/g/DDEATH/n/a", TEXT("\x18\x03"))->duplicate);
        buf_reset(&f.told);
        assert_false(hear_session(&f, 9, "spBv1.0/g/NDEATH/n", 1)->duplicate);
        check_told(&f, "spBv1.0/g/DDEATH/n/b ");
        assert_false(hear_session(&f, 10, "spBv1.0/g/DDEATH/n/b", 1)->duplicate);
        assert_true(hear_session(&f, 11, "spBv1.0/g/NDEATH/n", 1)->duplicate);
        assert_int_equal(f.record.stale, STALE_AGAIN);
        assert_true(hear(&f, 12, "spBv1.0/g/ALIVE/n", TEXT("1000"))->is_history); /* it was */
        assert_false(f.record.duplicate);
        fixture_done(&f);
}

static void test_a_long_death_is_not_journalled_for_each_device(void **state) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf value = { 0 };
        char long_name[2000] = { 0 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)hear_session(&f, 5, "spBv1.0/g/NBIRTH/n", 300);
        (void)hear_session(&f, 6, "spBv1.0/g/DBIRTH/n/a", 300);
        memset(long_name, 'x', sizeof(long_name) - 1);
        put_whole(&value, METRIC_LONG, 300);
        put_metric(&payload, "bdSeq", 8, &value);
        put_whole(&value, METRIC_LONG, 1);
        put_metric(&payload, long_name, 8, &value);
        buf_reset(&f.told);
        assert_false(hear(&f, 7, "spBv1.0/g/NDEATH/n", buf_text(&payload))->duplicate);
        check_told(&f, "spBv1.0/g/DDEATH/n/a ");
        assert_true(f.last.n < 64);
        assert_false(hear(&f, 8, "spBv1.0/g/DDEATH/n/a", buf_text(&f.last))->duplicate);
        assert_int_equal(f.record.bd_seq, 300);
        assert_int_equal(f.record.time_us, 1000000);
        fixture_done(&f);
}

static void test_a_death_of_another_session_counts_for_nothing(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)hear_session(&f, 5, "spBv1.0/g/NBIRTH/n", 1);
        (void)hear_session(&f, 6, "spBv1.0/g/DBIRTH/n/a", 1);
        buf_reset(&f.told);
        assert_true(hear_session(&f, 7, "spBv1.0/g/NDEATH/n", 0)->duplicate);
        assert_int_equal(f.record.stale, STALE_LATE);
        assert_true(hear_session(&f, 8, "spBv1.0/g/DDEATH/n/a", 0)->duplicate); /* told of it */
        check_told(&f, "");
        assert_false(hear_session(&f, 9, "spBv1.0/g/NDEATH/n", 1)->duplicate);
        fixture_done(&f);
}

static void test_what_finds_no_room_is_counted(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        f.is_full = true;
        assert_int_equal(hear_session(&f, 5, "spBv1.0/g/NBIRTH/n", 1)->reason, REASON_NONE);
        check_told(&f, "spBv1.0/g/ALIVE/n ");
        fixture_done(&f);
}

static void test_a_node_is_asked_once_a_minute(void **state) {
        void *order;
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (uint64_t seq = 5; seq < 8; ++seq)
                (void)hear_alias(&f, seq, "spBv1.0/g/DDATA/n/d");
        assert_int_equal(queue_pop(f.orders, &order, 1, 0), 1);
        assert_string_equal(((SparkplugOrder *)order)->topic, "spBv1.0/g/NCMD/n");
        sparkplug_order_free(order);
        assert_int_equal(queue_pop(f.orders, &order, 1, 0), 0);
        fixture_done(&f);
}

static void test_a_node_is_asked_where_its_route_says_so(void **state) {
        void *order;
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)hear_alias(&f, 5, "spBv1.0/g/NDATA/n"); /* it does not */
        assert_int_equal(queue_pop(f.orders, &order, 1, 0), 0);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_aliases_are_those_of_the_birth_before),
                cmocka_unit_test(test_what_a_database_had_names_them_too),
                cmocka_unit_test(test_a_birth_tells_that_it_lives_once),
                cmocka_unit_test(test_the_death_of_a_node_is_that_of_its_devices),
                cmocka_unit_test(test_a_long_death_is_not_journalled_for_each_device),
                cmocka_unit_test(test_a_death_of_another_session_counts_for_nothing),
                cmocka_unit_test(test_what_finds_no_room_is_counted),
                cmocka_unit_test(test_a_node_is_asked_once_a_minute),
                cmocka_unit_test(test_a_node_is_asked_where_its_route_says_so),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
