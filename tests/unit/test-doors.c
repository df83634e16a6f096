/* Doors: they open once, all or with the reason why not; what is decided elsewhere of routes and of
 * how long rows are kept reaches each of them; a fault behind one is known; they stop for good. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "gateway/commands/dispatcher.h"
#include "gateway/decode/route.h"
#include "gateway/discovery.h"
#include "gateway/doors.h"
#include "gateway/explorer.h"
#include "gateway/maintenance.h"

static char done[4096];
static const char *fails; /* what answers ... */
static int with;          /* ... so */
static int n_open;        /* things that are there */
static int dispatcher_fault;
static bool has_news;
static int own_routes, all_routes; /* stand for tables */
static const MqttOptions *mqtt_of_dispatcher;
static char retained[512];
static Config config;
static Doors *doors;

static int note(const char *what) {
        strncat(strncat(done, what, 64), " ", 2);
        return fails && strcmp(fails, what) == 0 ? with : 0;
}

static int make(const char *what, void **ret) {
        int r = note(what);

        n_open += r == 0;
        *ret = r == 0 ? &n_open : NULL;
        return r;
}

static void *gone(const void *of) {
        n_open -= of != NULL;
        return NULL;
}

/* ---- what is behind them ---- */

int explorer_new(Explorer **ret_explorer, const char *dir, size_t n_shapes) {
        (void)dir, (void)n_shapes;
        return make("explorer", (void **)ret_explorer);
}

Explorer *explorer_free(Explorer *explorer) {
        return gone(explorer);
}

int explorer_set(Explorer *explorer, const char *filters, Routes *routes) {
        (void)explorer, (void)filters;
        assert_ptr_equal(routes, &all_routes);
        return note("explorer-set");
}

int explorer_open(Explorer *explorer, const MqttOptions *options, const char *client_id) {
        (void)explorer;
        assert_string_equal(options->client_id, client_id);
        return note("explorer-open");
}

void explorer_stop(Explorer *explorer) {
        (void)explorer;
        (void)note("explorer-stop");
}

void explorer_tick(Explorer *explorer) {
        (void)explorer;
}

int discovery_new(Discovery **ret_discovery, const char *dir, size_t max_bytes) {
        (void)dir, (void)max_bytes;
        return make("discovery", (void **)ret_discovery);
}

Discovery *discovery_free(Discovery *discovery) {
        return gone(discovery);
}

int discovery_set(Discovery *discovery, const DiscoverRule rules[], size_t n_rules, Routes *own) {
        (void)discovery, (void)rules, (void)n_rules;
        assert_ptr_equal(own, &own_routes);
        return note("discovery-set");
}

int discovery_open(Discovery *discovery, const MqttOptions *options, const char *client_id) {
        (void)discovery;
        assert_string_equal(options->client_id, client_id);
        return note("discovery-open");
}

void discovery_stop(Discovery *discovery) {
        (void)discovery;
        (void)note("discovery-stop");
}

int discovery_fd(const Discovery *discovery) {
        (void)discovery;
        return 5;
}

int64_t discovery_wait_us(const Discovery *discovery) {
        (void)discovery;
        return 7;
}

int discovery_turn(Discovery *discovery, bool *ret_is_changed) {
        (void)discovery;
        *ret_is_changed = has_news;
        return note("discovery-turn");
}

Routes *discovery_routes(Discovery *discovery) {
        (void)discovery;
        return (Routes *)(void *)&all_routes;
}

Routes *routes_ref(Routes *routes) {
        n_open += routes != NULL;
        return routes;
}

Routes *routes_unref(Routes *routes) {
        return gone(routes);
}

int dispatcher_new(Dispatcher **ret_dispatcher,
                   const DispatcherOptions *options,
                   InboundFn inbound,
                   void *arg,
                   Queue *outbox) {
        (void)inbound, (void)arg, (void)outbox;
        mqtt_of_dispatcher = options->publisher.mqtt;
        assert_string_equal(options->epoch, "e");
        return make("dispatcher", (void **)ret_dispatcher);
}

int dispatcher_result(const Dispatcher *dispatcher) {
        assert_non_null(dispatcher);
        return dispatcher_fault;
}

void dispatcher_stop(Dispatcher *dispatcher, int timeout_ms) {
        assert_non_null(dispatcher);
        assert_int_equal(timeout_ms, 30);
        (void)note("dispatcher-stop");
}

Dispatcher *dispatcher_free(Dispatcher *dispatcher) {
        return gone(dispatcher);
}

int maintenance_new(Maintenance **ret_maintenance, const MaintenanceOptions *options) {
        retained[0] = '\0';
        for (size_t i = 0; i < options->n_retention; ++i)
                snprintf(retained + strlen(retained),
                         sizeof(retained) - strlen(retained),
                         "%s=%d ",
                         options->retention[i].table,
                         options->retention[i].days);
        return make("maintenance", (void **)ret_maintenance);
}

Maintenance *maintenance_free(Maintenance *maintenance) {
        return gone(maintenance);
}

/* ---- the tests ---- */

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        done[0] = '\0';
        fails = NULL;
        with = dispatcher_fault = 0;
        has_news = false;
        config = (Config){ .mqtt_enabled = true, .routes = (Routes *)(void *)&own_routes };
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        doors = doors_free(doors);
        assert_int_equal(n_open, 0); /* whatever was half made */
        return 0;
}

static int make_doors(void) {
        return doors_new(&doors, &(DoorsOptions){ .config = &config, .epoch = "e" });
}

static void assert_done(const char *expected) {
        assert_string_equal(done, expected);
        done[0] = '\0';
}

static void test_routes_are_known_before_they_open_and_they_open_once(void **state) {
        (void)state;
        assert_int_equal(make_doors(), 0);
        assert_done("discovery explorer discovery-set explorer-set ");
        assert_ptr_equal(doors_own_routes(doors), &own_routes);
        assert_ptr_equal(doors_routes(doors), &all_routes);
        assert_int_equal(doors_result(doors), 0);
        for (int i = 0; i < 2; ++i)
                assert_int_equal(doors_open(doors, "client"), 0);
        assert_done("maintenance explorer-open discovery-open dispatcher ");
        assert_string_equal(mqtt_of_dispatcher->client_id, "client");
}

static void test_without_a_broker_there_are_sockets_alone(void **state) {
        (void)state;
        config.mqtt_enabled = false;
        assert_int_equal(make_doors(), 0);
        done[0] = '\0';
        assert_int_equal(doors_open(doors, "client"), 0);
        assert_done("maintenance dispatcher ");
        assert_null(mqtt_of_dispatcher);
}

/* What hangs on rows of a table goes with them. */
static void test_what_belongs_to_rows_is_kept_as_long_as_they_are(void **state) {
        (void)state;
        config.n_retention = 3;
        config.retention[0].table = "raw_logs";
        config.retention[0].days = 30;
        config.retention[1].table = "dead_letters";
        config.retention[1].days = 14;
        config.retention[2].table = "alerts";
        config.retention[2].days = 90;
        assert_int_equal(make_doors(), 0);
        assert_int_equal(doors_open(doors, "client"), 0);
        assert_string_equal(retained,
                            "row_notes=14 alert_acks=90 raw_logs=30 dead_letters=14 alerts=90 ");
}

static void test_what_cannot_be_made_leaves_nothing(void **state) {
        static const char *const early[] = {
                "discovery", "explorer", "discovery-set", "explorer-set"
        };
        static const char *const late[] = {
                "maintenance", "explorer-open", "discovery-open", "dispatcher"
        };

        (void)state;
        with = -ENOMEM;
        for (size_t i = 0; i < N_ELEMENTS(early); ++i) {
                fails = early[i];
                assert_int_equal(make_doors(), -ENOMEM);
                assert_null(doors);
                assert_int_equal(n_open, 0);
        }
        for (size_t i = 0; i < N_ELEMENTS(late); ++i) {
                fails = late[i];
                assert_int_equal(make_doors(), 0);
                assert_int_equal(doors_open(doors, "client"), -ENOMEM);
                doors = doors_free(doors);
                assert_int_equal(n_open, 0);
        }
        fails = "dispatcher";
        with = COMMAND_PUBLISHER_E_TOPIC; /* as configured */
        assert_int_equal(make_doors(), 0);
        assert_int_equal(doors_open(doors, "client"), DOORS_E_UNUSABLE);
}

static void test_news_of_routes_reach_who_looks_for_what_none_takes(void **state) {
        bool is_changed;

        (void)state;
        assert_int_equal(make_doors(), 0);
        done[0] = '\0';
        assert_int_equal(doors_turn(doors, &is_changed), 0);
        assert_false(is_changed);
        assert_done("discovery-turn ");
        has_news = true;
        assert_int_equal(doors_turn(doors, &is_changed), 0);
        assert_true(is_changed);
        assert_done("discovery-turn explorer-set ");
        assert_int_equal(doors_reload(doors, &config), 0);
        assert_done("discovery-set explorer-set ");
}

static void test_a_fault_is_known_until_they_stop(void **state) {
        (void)state;
        assert_int_equal(make_doors(), 0);
        assert_int_equal(doors_open(doors, "client"), 0);
        dispatcher_fault = -EIO;
        assert_int_equal(doors_result(doors), -EIO);
        done[0] = '\0';
        doors_stop(doors, 30);
        assert_done("explorer-stop discovery-stop dispatcher-stop ");
        assert_int_equal(doors_result(doors), 0);
        doors_stop(doors, 30);
        assert_done("explorer-stop discovery-stop ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_routes_are_known_before_they_open_and_they_open_once),
                TEST(test_without_a_broker_there_are_sockets_alone),
                TEST(test_what_belongs_to_rows_is_kept_as_long_as_they_are),
                TEST(test_what_cannot_be_made_leaves_nothing),
                TEST(test_news_of_routes_reach_who_looks_for_what_none_takes),
                TEST(test_a_fault_is_known_until_they_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
