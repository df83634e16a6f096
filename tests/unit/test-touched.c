/* Touched: each device waits once, in its turn, and who falls silent is found once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/registry.h"
#include "ws/hub/touched.h"

#define SECOND INT64_C(1000000)
#define MANY   1000

static void test_each_waits_once_in_its_turn(void **state) {
        WsTouched touched;
        int64_t id = 0;

        (void)state;
        assert_int_equal(ws_touched_init(&touched), 0);
        assert_false(ws_touched_take(&touched, &id));
        for (int again = 0; again < 3; ++again)
                for (int64_t i = MANY; i > 0; --i)
                        assert_int_equal(ws_touched_note(&touched, i), 0);
        for (int64_t i = MANY; i > 0; --i) {
                assert_true(ws_touched_take(&touched, &id));
                assert_int_equal(id, i);
                if (i == MANY / 2) /* one that was taken may wait again, behind the others */
                        assert_int_equal(ws_touched_note(&touched, MANY), 0);
        }
        assert_true(ws_touched_take(&touched, &id));
        assert_int_equal(id, MANY);
        assert_false(ws_touched_take(&touched, &id));
        ws_touched_done(&touched);
}

static Registry *registry_of(const char *status, int64_t seen_us) {
        RegistryDelta *delta = NULL;
        Registry *registry = NULL;
        RegistryRow device = { .table = REGISTRY_DEVICE,
                               .device = { .id = 7, .code = "d", .is_active = true } };
        RegistryRow heard = { .table = REGISTRY_DEVICE_STATE };

        heard.device_state.device_id = 7;
        heard.device_state.state = device_state_unknown();
        heard.device_state.state.last_seen_us = seen_us;
        strcpy(heard.device_state.state.status, status);
        assert_int_equal(registry_new(&registry), 0);
        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(registry_delta_add(delta, &device), 0);
        assert_int_equal(registry_delta_add(delta, &heard), 0);
        assert_int_equal(registry_apply(registry, delta, &(bool){ false }), 0);
        registry_delta_unref(delta);
        return registry;
}

/* How often it is found in walks at these seconds after it was heard. */
static int n_found(const char *status, const int64_t seconds[], size_t n) {
        CLEANUP(registry_free) Registry *registry = registry_of(status, 1000 * SECOND);
        WsTouched touched;
        int64_t id;
        int n_taken = 0;

        assert_int_equal(ws_touched_init(&touched), 0);
        for (size_t i = 0; i < n; ++i) {
                assert_int_equal(ws_touched_walk(&touched, registry, (1000 + seconds[i]) * SECOND),
                                 0);
                while (ws_touched_take(&touched, &id))
                        ++n_taken;
        }
        ws_touched_done(&touched);
        return n_taken;
}

static void test_who_falls_silent_is_found_once(void **state) {
        (void)state;
        assert_int_equal(n_found("", (const int64_t[]){ 1, 299, 301, 302, 900 }, 5), 1);
        assert_int_equal(n_found("", (const int64_t[]){ 1, 900 }, 2), 1);
        assert_int_equal(n_found("", (const int64_t[]){ 1, 200, 299 }, 3), 0);
        assert_int_equal(n_found("", (const int64_t[]){ 301, 302 }, 2), 0); /* before it began */
        assert_int_equal(n_found("online", (const int64_t[]){ 1, 299, 301 }, 3), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_waits_once_in_its_turn),
                cmocka_unit_test(test_who_falls_silent_is_found_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
