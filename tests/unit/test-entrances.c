/* Entrances: where the server listens, or why it does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <uv.h>

#include <cmocka.h>

#include "ws/entrances.h"
#include "ws/net/conn.h"

typedef struct Fixture Fixture;

struct Fixture {
        uv_loop_t loop;
        WsConns *conns;
        WsOptions options;
        WsEntrances entrances;
};

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(uv_loop_init(&f->loop), 0);
        assert_int_equal(ws_conns_new(&f->conns, &f->loop, &(WsConnHandler){ .arg = f }), 0);
        f->options = (WsOptions){ .listen = "127.0.0.1:0", .max_connections = 10 };
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        ws_entrances_close(&f->entrances);
        ws_conns_close(f->conns);
        (void)uv_run(&f->loop, UV_RUN_DEFAULT);
        ws_entrances_done(&f->entrances);
        ws_conns_free(f->conns);
        assert_int_equal(uv_loop_close(&f->loop), 0);
        free(f);
        return 0;
}

static int open_them(Fixture *f, WsEntrances *entrances) {
        return ws_entrances_open(entrances, &f->loop, &f->options, f->conns);
}

static void test_health_has_an_entrance_only_where_it_is_asked_for(void **state) {
        Fixture *f = *state;

        assert_int_equal(open_them(f, &f->entrances), 0);
        assert_true(f->entrances.ports[WS_ENTRANCE_ALL] > 0);
        assert_int_equal(f->entrances.ports[WS_ENTRANCE_HEALTH], 0);
        assert_null(f->entrances.listeners[WS_ENTRANCE_HEALTH]);
}

static void test_health_has_a_port_of_its_own(void **state) {
        Fixture *f = *state;

        f->options.health_listen = "127.0.0.1:0";
        assert_int_equal(open_them(f, &f->entrances), 0);
        assert_true(f->entrances.ports[WS_ENTRANCE_HEALTH] > 0);
        assert_int_not_equal(f->entrances.ports[WS_ENTRANCE_HEALTH],
                             f->entrances.ports[WS_ENTRANCE_ALL]);
        ws_entrances_resume(&f->entrances);
}

static void test_an_address_that_is_taken_is_an_answer(void **state) {
        Fixture *f = *state;
        WsEntrances second = { 0 };
        char taken[32];

        assert_int_equal(open_them(f, &f->entrances), 0);
        snprintf(taken, sizeof(taken), "127.0.0.1:%d", f->entrances.ports[WS_ENTRANCE_ALL]);
        f->options.listen = taken;
        assert_int_equal(open_them(f, &second), WS_ENTRANCES_E_START);
        assert_null(second.listeners[WS_ENTRANCE_ALL]);
        ws_entrances_done(&second);
}

static void test_without_its_certificate_nothing_listens(void **state) {
        Fixture *f = *state;

        f->options.tls_cert = f->options.tls_key = "/nonexistent.pem";
        assert_int_equal(open_them(f, &f->entrances), WS_ENTRANCES_E_START);
        assert_null(f->entrances.listeners[WS_ENTRANCE_ALL]);
        ws_entrances_renew(&f->entrances); /* there is none to renew */
        assert_null(f->entrances.tls);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_health_has_an_entrance_only_where_it_is_asked_for, setup, teardown),
                cmocka_unit_test_setup_teardown(test_health_has_a_port_of_its_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_address_that_is_taken_is_an_answer,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_without_its_certificate_nothing_listens,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
