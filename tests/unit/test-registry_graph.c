/* RegistryGraph: an edge may come before what it joins, and nothing stays that nothing needs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/registry_graph.h"

enum { ANA = 1, BOB = 2, DEVICE = 7, GROUP = 9, SHARE = 20 };

static Graph graph;

static int set_up(void **state) {
        (void)state;
        graph = (Graph){ 0 };
        return graph_init(&graph);
}

static int tear_down(void **state) {
        (void)state;
        graph_done(&graph);
        return 0;
}

static size_t n_nodes(void) {
        size_t n = 0;

        assert_int_equal(graph_refresh(&graph), 0);
        for (size_t i = 0; i < GRAPH_KIND_COUNT; ++i)
                n += index_length(graph.nodes[i]);
        return n;
}

static GraphNode *node(GraphKind kind, int64_t id) {
        GraphNode *made = NULL;

        assert_int_equal(graph_node(&graph, kind, id, &made), 0);
        return made;
}

/* Its row has come. */
static GraphNode *present(GraphKind kind, int64_t id) {
        GraphNode *made = node(kind, id);

        made->is_present = true;
        if (kind == GRAPH_USER)
                made->user = (User){ .id = id, .role = ROLE_USER, .is_active = true };
        graph_touch(&graph, made);
        return made;
}

static bool share(int64_t user_id, int64_t device_id, int64_t group_id) {
        const RegistryRow row = { .table = REGISTRY_SHARE,
                                  .share = { .id = SHARE,
                                             .user_id = user_id,
                                             .device_id = device_id,
                                             .group_id = group_id } };
        bool is_narrowed = false;

        assert_int_equal(graph_put_share(&graph, &row, &is_narrowed), 0);
        return is_narrowed;
}

static bool sees(int64_t user_id) {
        assert_int_equal(graph_refresh(&graph), 0);
        return audience_has(&node(GRAPH_DEVICE, DEVICE)->device.audience, user_id);
}

static void test_what_an_edge_joins_is_there_and_not_present(void **state) {
        (void)state;
        assert_false(share(ANA, DEVICE, 0));
        assert_int_equal(n_nodes(), 2);
        assert_null(graph_find(&graph, GRAPH_USER, ANA));
        assert_null(graph_find(&graph, GRAPH_DEVICE, DEVICE));
        graph_remove_edge(&graph, graph_find_share(&graph, SHARE));
        assert_null(graph_find_share(&graph, SHARE));
        assert_int_equal(n_nodes(), 0);
}

static void test_whichever_comes_last_makes_it_seen(void **state) {
        (void)state;
        share(ANA, 0, GROUP);
        assert_int_equal(graph_put_member(&graph, DEVICE, GROUP), 0);
        present(GRAPH_DEVICE, DEVICE);
        present(GRAPH_GROUP, GROUP);
        assert_false(sees(ANA));
        present(GRAPH_USER, ANA);
        assert_true(sees(ANA));
        graph_remove_edge(&graph, graph_find_member(&graph, DEVICE, GROUP));
        assert_false(sees(ANA));
        assert_int_equal(n_nodes(), 3); /* rows of their own */
}

static void test_a_share_that_points_elsewhere_takes_from_who_had_it(void **state) {
        uint64_t n_losses;

        (void)state;
        present(GRAPH_USER, ANA);
        present(GRAPH_USER, BOB);
        present(GRAPH_DEVICE, DEVICE);
        assert_false(share(ANA, DEVICE, 0));
        assert_false(share(ANA, DEVICE, 0)); /* as it was */
        assert_true(sees(ANA));
        n_losses = node(GRAPH_USER, ANA)->user.n_losses;
        assert_true(share(BOB, DEVICE, 0));
        assert_true(sees(BOB));
        assert_false(sees(ANA));
        assert_true(node(GRAPH_USER, ANA)->user.n_losses > n_losses);
        assert_int_equal(node(GRAPH_USER, BOB)->user.n_losses, 0);
}

static void test_an_owner_need_not_be_there_and_goes_with_what_he_owned(void **state) {
        GraphNode *device = present(GRAPH_DEVICE, DEVICE);

        (void)state;
        assert_int_equal(graph_set_owner(&graph, device, ANA), 0);
        assert_int_equal(n_nodes(), 2);
        assert_int_equal(node(GRAPH_USER, ANA)->n_devices, 1);
        assert_int_equal(graph_set_owner(&graph, device, BOB), 0);
        assert_int_equal(n_nodes(), 2); /* the device, and bob */
        assert_int_equal(graph_set_owner(&graph, device, 0), 0);
        graph_disown(&graph, device); /* twice is once */
        assert_int_equal(n_nodes(), 1);
        assert_null(device->owner);
}

static void test_texts_are_its_own_and_null_stays_null(void **state) {
        GraphNode *device = present(GRAPH_DEVICE, DEVICE);
        char code[] = "dev-1";
        const GraphTexts texts = { .texts = { &device->device.code, &device->device.name },
                                   .n = 2 };

        (void)state;
        device->device.code = code;
        assert_int_equal(graph_keep_texts(device, &texts), 0);
        code[0] = '?';
        assert_string_equal(device->device.code, "dev-1");
        assert_null(device->device.name);
        assert_true(text_equal(graph_name(device), TEXT("dev-1")));
        assert_int_equal(graph_keep_texts(device, &texts), 0); /* of itself */
        assert_string_equal(device->device.code, "dev-1");
        device->is_present = false;
        assert_int_equal(graph_name(device).n, 0);
        device->is_present = true;
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_what_an_edge_joins_is_there_and_not_present),
                CASE(test_whichever_comes_last_makes_it_seen),
                CASE(test_a_share_that_points_elsewhere_takes_from_who_had_it),
                CASE(test_an_owner_need_not_be_there_and_goes_with_what_he_owned),
                CASE(test_texts_are_its_own_and_null_stays_null),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
