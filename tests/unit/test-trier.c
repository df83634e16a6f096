/* Trier: what routes would make of a message that nobody sent, told to who asks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/queue.h"
#include "gateway/config/config.h"
#include "gateway/trier.h"
#include "model/event.h"
#include "model/metrics.h"

#define PATIENCE_MS 20000
#define ROUTE       "[route heating]\ntopic = heating/{device}/state\nkind = telemetry\n"

static Queue *outbox;
static Trier *trier;
static char said[65536]; /* the body of the last answer */

static void free_event(void *event) {
        event_unref(event);
}

/* @settings: so many that are not the defaults. */
static void start(const char *const settings[], size_t n) {
        CLEANUP(config_free) Config *config = NULL;
        const ConfigSource source = { .sets = settings, .n_sets = n };

        metrics_reset();
        assert_int_equal(config_load(&config, &source), 0);
        assert_int_equal(queue_new(&outbox, 16, free_event), 0);
        assert_int_equal(trier_new(&trier,
                                   &(TrierOptions){
                                           .database_url = "postgresql://127.0.0.1:1/none",
                                           .capacity = (size_t)config->try_waiting,
                                           .n_share = (size_t)config->try_share,
                                           .n_elements = (uint32_t)config->try_elements,
                                   },
                                   outbox),
                         0);
        trier_set_routes(trier, config->routes);
}

static int setup(void **state) {
        (void)state;
        start(NULL, 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        trier = trier_free(trier);
        outbox = queue_free(outbox);
        assert_int_equal(metric_get(METRIC_QUERY_WAITING), 0);
        return 0;
}

/* @config NULL: with the routes in force. */
static int ask_as(uint64_t party, const char *topic, Text payload, const char *config) {
        Query *query = NULL;

        assert_int_equal(query_new(&query, QUERY_TRY), 0);
        query->party = party;
        query->user_ids = calloc(1, sizeof(int64_t));
        query->n_user_ids = 1;
        query->attempt = calloc(1, sizeof(*query->attempt));
        assert_non_null(query->attempt);
        buf_append_string(&query->attempt->topic, topic);
        buf_append_text(&query->attempt->payload, payload);
        buf_append_string(&query->attempt->config, config ? config : "");
        query->attempt->has_config = config != NULL;
        if (trier_ask(trier, &query) == 0)
                return 0;
        query_free(query);
        return TRIER_E_FULL;
}

static int ask(const char *topic, Text payload, const char *config) {
        return ask_as(1, topic, payload, config);
}

static int answered(void) {
        void *item = NULL;
        int status;

        assert_int_equal(queue_pop(outbox, &item, 1, PATIENCE_MS), 1);
        assert_int_equal(((Event *)item)->answer->n_bodies, 1);
        status = ((Event *)item)->answer->status;
        snprintf(said, sizeof(said), "%s", buf_text(&((Event *)item)->answer->bodies[0]).data);
        event_unref(item);
        return status;
}

static int try(const char *topic, const char *payload, const char *config) {
        assert_int_equal(ask(topic, text_of(payload), config), 0);
        return answered();
}

static void test_a_message_is_tried_with_the_routes_in_force_or_with_others(void **state) {
        (void)state;
        assert_int_equal(try("ems/d/telemetry", "{\"v\":1}", NULL), 200);
        assert_non_null(strstr(said, "\"result\":\"row\""));
        assert_int_equal(try("heating/b/state", "{\"v\":1}", NULL), 200);
        assert_non_null(strstr(said, "\"reason\":\"no_route\""));
        assert_int_equal(try("heating/b/state", "{\"v\":1}", ROUTE), 200);
        assert_non_null(strstr(said, "\"origin\":\"config:2\""));
        assert_non_null(strstr(said, "\"device\":\"b\""));
        assert_int_equal(try("ems/d/telemetry", "", ""), 200);
}

static void test_of_many_elements_the_first_are_told(void **state) {
        CLEANUP_BUF Buf payload = { 0 };

        (void)state;
        for (int i = 0; i < 101; ++i)
                buf_append_string(&payload, i == 0 ? "[1" : ",1");
        buf_append_char(&payload, ']');
        assert_int_equal(ask("heating/b/state", buf_text(&payload), ROUTE "each = /\n"), 0);
        assert_int_equal(answered(), 200);
        assert_non_null(strstr(said, "\"left_out\":1}"));
        assert_int_equal(try("heating/b/state", "[1,2]", ROUTE "each = /\n"), 200);
        assert_non_null(strstr(said, "\"index\":1"));
        assert_null(strstr(said, "left_out"));
}

static void test_so_many_elements_are_told_as_is_configured(void **state) {
        static const char *const settings[] = { "routes.try_elements=2" };

        (void)teardown(state);
        start(settings, N_ELEMENTS(settings));
        assert_int_equal(try("heating/b/state", "[1,2,3,4,5]", ROUTE "each = /\n"), 200);
        assert_non_null(strstr(said, "\"index\":1"));
        assert_null(strstr(said, "\"index\":2"));
        assert_non_null(strstr(said, "\"left_out\":3}"));
}

/* How many of @party's are taken until one is refused, while no answer can go. */
static size_t ask_until_full(uint64_t party) {
        size_t n = 0;

        while (n < 1000 && ask_as(party, "a/b", TEXT("1"), NULL) == 0)
                ++n;
        return n;
}

/* One more may be under way. */
static void test_so_many_wait_as_are_configured(void **state) {
        static const char *const settings[] = { "routes.try_share=5", "routes.try_waiting=7" };
        size_t n_first, n_second;

        (void)teardown(state);
        start(settings, N_ELEMENTS(settings));
        for (int i = 0; i < 16; ++i) {
                Event *event;

                assert_int_equal(event_new_command(&event, 1, 1, TEXT("c"), TEXT("{}")), 0);
                assert_int_equal(queue_push(outbox, event, 0), 0);
        }
        n_first = ask_until_full(1);
        assert_true(n_first == 5 || n_first == 6);
        n_second = ask_until_full(2);
        assert_true(n_first + n_second == 7 || n_first + n_second == 8);
}

static void test_what_is_wrong_has_its_line(void **state) {
        (void)state;
        assert_int_equal(try("a/+", "", NULL), 422);
        assert_non_null(strstr(said, "{\"errors\":[{\"line\":null,\"text\":\"topic: "));
        assert_int_equal(try("a", "", ROUTE "kind = no\nspeed = 5\n"), 422);
        assert_non_null(strstr(said, "{\"line\":5,\"text\":\"route heating.speed: unknown key"));
        assert_int_equal(try("a", "", "[database]\nurl = x\n[route \xff]\nkind = x\n"), 422);
        assert_non_null(strstr(said, "{\"line\":2,\"text\":\"database.url: cannot be tried"));
        assert_non_null(strstr(said, "{\"line\":4,"));
}

static void test_when_stopped_it_takes_no_more(void **state) {
        (void)state;
        trier_stop(trier);
        assert_int_equal(ask("a", TEXT(""), NULL), TRIER_E_FULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_a_message_is_tried_with_the_routes_in_force_or_with_others,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(test_of_many_elements_the_first_are_told,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_so_many_elements_are_told_as_is_configured,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_so_many_wait_as_are_configured,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_is_wrong_has_its_line, setup, teardown),
                cmocka_unit_test_setup_teardown(test_when_stopped_it_takes_no_more,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
