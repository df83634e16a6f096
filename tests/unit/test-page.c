/* The parameters of the pages of the origin systems. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "ws/pages/page.h"

#define DAY_US (INT64_C(86400) * 1000000)

typedef struct Fixture Fixture;

struct Fixture {
        WsOptions options;
        WsRequest request;
        WsResponse response;
        WsCall call;
};

static void ask(Fixture *f, const char *zone, const char *query) {
        *f = (Fixture){ .options.timezone = zone };
        assert_int_equal(zone_new(&f->options.zone, zone), 0);
        snprintf(f->request.query, sizeof(f->request.query), "%s", query);
        f->call = (WsCall){ .options = &f->options,
                            .request = &f->request,
                            .response = &f->response };
}

static int said(Fixture *f) {
        int status = f->response.status;

        ws_response_done(&f->response);
        zone_free(f->options.zone);
        return status;
}

static void test_numbers_have_bounds(void **state) {
        static const char *const bad[] = {
                "0", "11", "x", "", "1.5", "-1", "99999999999999999999"
        };
        Fixture f;
        int64_t n = 7;

        (void)state;
        ask(&f, "UTC", "other=3");
        assert_true(ws_page_number(&f.call, "minutes", 1, 10, &n));
        assert_int_equal(n, 7);
        assert_int_equal(said(&f), 0);

        ask(&f, "UTC", "minutes=10");
        assert_true(ws_page_number(&f.call, "minutes", 1, 10, &n));
        assert_int_equal(n, 10);
        assert_int_equal(said(&f), 0);

        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                char query[64];

                snprintf(query, sizeof(query), "minutes=%s", bad[i]);
                ask(&f, "UTC", query);
                assert_false(ws_page_number(&f.call, "minutes", 1, 10, &n));
                assert_int_equal(said(&f), 422);
        }
}

static void test_what_is_passed_over_has_two_names(void **state) {
        static const struct {
                const char *query;
                int64_t n;
                int status;
        } cases[] = { { "", 0, 0 },
                      { "skip=7", 7, 0 },
                      { "offset=10", 10, 0 },
                      { "skip=7&offset=8", 8, 0 },
                      { "skip=11", 0, 422 },
                      { "offset=-1", 0, 422 },
                      { "skip=1&offset=x", 1, 422 } };
        Fixture f;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                int64_t n = 0;

                ask(&f, "UTC", cases[i].query);
                assert_int_equal(ws_page_offset(&f.call, 10, &n), cases[i].status == 0);
                assert_int_equal(n, cases[i].n);
                assert_int_equal(said(&f), cases[i].status);
        }
}

static void test_times_without_an_offset_are_local(void **state) {
        static const char *const same[] = {
                "t=2026-04-27T10:45:00",         "t=2026-04-27T08:45:00Z",
                "t=2026-04-27T10:45:00%2B02:00", "t=2026-04-27T10:45:00+02:00",
                "t=2026-04-27 10:45:00",
        };
        Fixture f;
        int64_t us;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(same); ++i) {
                ask(&f, "Europe/Madrid", same[i]);
                us = 0;
                assert_true(ws_page_time(&f.call, "t", &us));
                assert_int_equal(us, INT64_C(1777279500) * 1000000);
                assert_int_equal(said(&f), 0);
        }
        ask(&f, "Europe/Madrid", "t=hoy");
        assert_false(ws_page_time(&f.call, "t", &us));
        assert_int_equal(said(&f), 400);
}

static void test_a_date_is_the_midnight_of_its_zone(void **state) {
        static const char *const bad[] = {
                "t=2026-4-27", "t=2026-02-30", "t=2026-04-27T00:00:00", "t=yesterday!"
        };
        int64_t day_us, next_us;
        Fixture f;

        (void)state;
        ask(&f, "Europe/Madrid", "t=2026-03-29"); /* it has 23 hours */
        assert_true(ws_page_date(&f.call, "t", 0, &day_us));
        assert_true(ws_page_date(&f.call, "t", 1, &next_us));
        assert_int_equal(day_us, INT64_C(1774738800) * 1000000);
        assert_int_equal(next_us - day_us, DAY_US / 24 * 23);
        assert_int_equal(said(&f), 0);

        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                ask(&f, "Europe/Madrid", bad[i]);
                assert_false(ws_page_date(&f.call, "t", 0, &day_us));
                assert_int_equal(said(&f), 400);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers_have_bounds),
                cmocka_unit_test(test_what_is_passed_over_has_two_names),
                cmocka_unit_test(test_times_without_an_offset_are_local),
                cmocka_unit_test(test_a_date_is_the_midnight_of_its_zone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
