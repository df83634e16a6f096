/* SlotKeys: every gateway comes to the same slot of a topic, by the routes of its start. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/decode/route.h"
#include "gateway/slot_keys.h"
#include "model/slot.h"

enum {
        N_SLOTS = 4,
};

static void add(Routes *routes, const char *template, Kind kind) {
        Route route = { .kind = kind, .name = strdup("r") };

        assert_non_null(route.name);
        assert_int_equal(topic_template_new(&route.topic, template), 0);
        assert_int_equal(routes_add(routes, &route), 0);
}

static Routes *make(const char *const templates[]) {
        Routes *routes = NULL;

        assert_int_equal(routes_new(&routes), 0);
        for (size_t i = 0; templates[i]; ++i)
                add(routes, templates[i], KIND_TELEMETRY);
        return routes;
}

static unsigned slot(const SlotKeys *keys, const char *topic) {
        unsigned found = N_SLOTS;

        assert_int_equal(slot_keys_find(keys, text_of(topic), &found), 0);
        return found;
}

static void test_who_is_named_decides(void **state) {
        static const char *const templates[] = {
                "fleet/{vehicle}/{device}/data", "devices/{device}/#", "plain/+", NULL
        };
        CLEANUP(routes_unref) Routes *routes = make(templates);
        CLEANUP(slot_keys_free) SlotKeys *keys = NULL;

        (void)state;
        assert_int_equal(slot_keys_new(&keys, routes, N_SLOTS), 0);
        assert_int_equal(slot(keys, "fleet/USV-1/dev-1/data"), 1); /* docs/decisions/087 */
        assert_int_equal(slot(keys, "fleet/USV-2/dev-1/data"), 3);
        assert_int_equal(slot(keys, "devices/dev-1/status"), 2);
        assert_int_equal(slot(keys, "devices/dev-1/a/b"), 2);
        assert_int_equal(slot(keys, "plain/x"), slot_of(TEXT("plain/x"), N_SLOTS));
        assert_int_equal(slot(keys, "nobody/asks"), slot_of(TEXT("nobody/asks"), N_SLOTS));
        assert_int_equal(slot_keys_of_device(keys, 17), slot_of(TEXT("17"), N_SLOTS));
}

/* What a birth says counts for the data of all the node's devices, and for what follows from it. */
static void test_a_sparkplug_node_is_in_one(void **state) {
        static const char *const topics[] = {
                "spBv1.0/G/NBIRTH/N",     "spBv1.0/G/NDATA/N", "spBv1.0/G/DDATA/N/D-1",
                "spBv1.0/G/DDEATH/N/D-2", "spBv1.0/G/ALIVE/N", "site/a/spBv1.0/G/DDATA/N/X"
        };
        static const char *const templates[] = { "spBv1.0/+/+/+/{device}", NULL };
        CLEANUP(routes_unref) Routes *routes = make(templates);
        CLEANUP(slot_keys_free) SlotKeys *keys = NULL;

        (void)state;
        assert_int_equal(slot_keys_new(&keys, routes, N_SLOTS), 0);
        for (size_t i = 0; i < N_ELEMENTS(topics); ++i)
                assert_int_equal(slot(keys, topics[i]), slot_of(TEXT("G/N"), N_SLOTS));
}

static void test_one_slot_has_all(void **state) {
        static const char *const templates[] = { "devices/{device}", NULL };
        CLEANUP(routes_unref) Routes *routes = make(templates);
        CLEANUP(slot_keys_free) SlotKeys *keys = NULL;

        (void)state;
        assert_int_equal(slot_keys_new(&keys, routes, 1), 0);
        assert_int_equal(slot(keys, "devices/dev-1"), 0);
        assert_string_equal(slot_keys_hash(keys), "");
}

static void test_other_templates_have_another_hash(void **state) {
        static const char *const one[] = { "a/{device}", "b/{device}", NULL };
        static const char *const turned[] = { "b/{device}", "a/{device}", NULL };
        const char *const *const tables[] = { one, turned };
        char hashes[N_ELEMENTS(tables)][SLOT_KEYS_HASH_SIZE];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(tables); ++i) {
                CLEANUP(routes_unref) Routes *routes = make(tables[i]);
                CLEANUP(slot_keys_free) SlotKeys *keys = NULL, *again = NULL;

                assert_int_equal(slot_keys_new(&keys, routes, N_SLOTS), 0);
                assert_int_equal(slot_keys_new(&again, routes, N_SLOTS), 0);
                assert_string_equal(slot_keys_hash(keys), slot_keys_hash(again));
                memcpy(hashes[i], slot_keys_hash(keys), SLOT_KEYS_HASH_SIZE);
        }
        assert_string_not_equal(hashes[0], hashes[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_is_named_decides),
                cmocka_unit_test(test_a_sparkplug_node_is_in_one),
                cmocka_unit_test(test_one_slot_has_all),
                cmocka_unit_test(test_other_templates_have_another_hash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
