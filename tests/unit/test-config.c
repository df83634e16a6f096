/* Config: three sources, one table, every error named. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"

static char directory[] = "/tmp/test-config-XXXXXX";
static char file_name[64], errors_name[64];
static char errors[16384];

static void write_file(const char *name, const char *text, mode_t mode) {
        FILE *file = fopen(name, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(name, mode), 0);
}

/* What the calls between say on standard error ends up in @errors. */
static int begin_errors(void) {
        int saved = dup(STDERR_FILENO);

        assert_non_null(freopen(errors_name, "we", stderr));
        return saved;
}

static void end_errors(int saved) {
        FILE *file;
        size_t n;

        (void)fflush(stderr);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        (void)close(saved);
        file = fopen(errors_name, "re");
        assert_non_null(file);
        n = fread(errors, 1, sizeof(errors) - 1, file);
        errors[n] = '\0';
        (void)fclose(file);
}

static int load(Config **ret_config, const ConfigSource *source) {
        int saved = begin_errors();
        int r = config_load(ret_config, source);

        end_errors(saved);
        return r;
}

static int load_text(Config **ret_config, const char *text) {
        ConfigSource source = { .file = file_name };

        write_file(file_name, text, 0600);
        return load(ret_config, &source);
}

static int load_set(Config **ret_config, const char *set) {
        ConfigSource source = { .sets = &set, .n_sets = 1 };

        return load(ret_config, &source);
}

static int load_variable(Config **ret_config, const char *variable) {
        char *copy = strdup(variable);
        char *environment[] = { copy, NULL };
        ConfigSource source = { .environment = environment };
        int r = load(ret_config, &source);

        free(copy);
        return r;
}

static void assert_said(const char *text) {
        if (!strstr(errors, text))
                fail_msg("'%s' not in:\n%s", text, errors);
}

static const Route *find_route(const Config *config, const char *name) {
        for (size_t i = 0; i < routes_length(config->routes); ++i)
                if (strcmp(routes_get(config->routes, i)->name, name) == 0)
                        return routes_get(config->routes, i);
        return NULL;
}

/* One that must be there; an empty one, for the compiler, after the test has failed. */
static const Route *route(const Config *config, const char *name) {
        static const Route none;
        const Route *found = find_route(config, name);

        assert_non_null(found);
        return found ? found : &none;
}

static void test_nothing_given_means_the_defaults(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        ConfigSource source = { 0 };

        (void)state;
        assert_int_equal(load(&config, &source), 0);
        assert_string_equal(errors, "");
        assert_string_equal(config->ws.listen, "127.0.0.1:8000");
        assert_false(config->mqtt_enabled);
        assert_int_equal(config->mqtt.version, 0);
        assert_int_equal(config->mqtt.keep_alive_s, 30);
        assert_int_equal(config->mqtt.session_expiry_s, 7 * 86400);
        assert_int_equal(config->mqtt.backoff_min_ms, 500);
        assert_int_equal(config->mqtt.receive_maximum, 1000);
        assert_int_equal(config->journal.max_bytes, 1 << 30);
        assert_int_equal(config->journal.segment_bytes, 16 << 20);
        assert_int_equal(config->journal.reserve_bytes, 64 << 20);
        assert_int_equal(config->journal.fsync, JOURNAL_FSYNC_INTERVAL);
        assert_int_equal(config->journal.fsync_interval_ms, 10);
        assert_int_equal(config->database_max_batch, 1000);
        assert_int_equal(config->database_max_delay_ms, 0);
        assert_int_equal(config->ws.max_message_bytes, 65536);
        assert_int_equal(config->ws.max_connections_per_user, 5);
        assert_int_equal(config->ws.token_ttl_s, 3600);
        assert_int_equal(config->n_retention, CONFIG_N_RETENTION);
        assert_string_equal(config->retention[0].table, "raw_logs");
        assert_int_equal(config->retention[0].days, 30);
        assert_string_equal(config->retention[7].table, "dead_letters");
        assert_int_equal(config->log_level, LOG_LEVEL_INFO);
}

static void test_a_number_may_have_a_fraction(void **state) {
        static const char *const bad[] = { "0.5", "101", "1,5", "1.5.2", "1e1", "-2", "nan", "x" };
        CLEANUP(config_free) Config *config = NULL;

        (void)state;
        assert_int_equal(load_set(&config, "pages.devices_per_person=2.25"), 0);
        assert_true(config->ws.counter.devices_per_person == 2.25);
        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                CLEANUP(config_free) Config *other = NULL;
                char set[64];

                snprintf(set, sizeof(set), "pages.devices_per_person=%s", bad[i]);
                assert_int_equal(load_set(&other, set), CONFIG_E_INVALID);
                assert_said("allowed: 1 to 100, as 1.5");
        }
}

static void test_a_route_of_discovery_is_a_rule_and_no_route(void **state) {
        CLEANUP(config_free) Config *config = NULL;

        (void)state;
        assert_int_equal(load_text(&config,
                                   "[route ha]\ntopic = homeassistant/#\nkind = discovery\n"
                                   "allow = zigbee2mqtt/#, tele/+/SENSOR\nignore = zigbee2mqtt/x\n"
                                   "max_points = 7\n"),
                         0);
        assert_null(find_route(config, "ha"));
        assert_int_equal(config->n_discover, 1);
        assert_string_equal(config->discover->name, "ha");
        assert_int_equal(config->discover->n_allow, 2);
        assert_string_equal(config->discover->allow[1], "tele/+/SENSOR");
        assert_int_equal(config->discover->n_ignore, 1);
        assert_int_equal(config->discover->max_devices, 1000);
        assert_int_equal(config->discover->max_points, 7);
        assert_true(config->discover->auto_register);
        assert_false(config->discover->keeps_all);
}

static void test_routes_of_the_contract_are_there(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        ConfigSource source = { 0 };

        (void)state;
        assert_int_equal(load(&config, &source), 0);
        assert_int_equal(routes_length(config->routes), 11);
        assert_string_equal(topic_template_filter(route(config, "user_device_status")->topic),
                            "users/+/devices/+/status");
        assert_true(route(config, "ble_detections")->auto_register);
        assert_false(route(config, "telemetry")->auto_register);
        assert_int_equal(route(config, "camera_event")->kind, KIND_CAMERA_EVENT);
        assert_int_equal(route(config, "vehicle_alert")->kind, KIND_ALERT);
        assert_int_equal(route(config, "raw_log")->max_bytes, 256 * 1024);
        assert_true(route(config, "ble_detections")->near_dbm == -60.0);
        assert_true(route(config, "ble_detections")->medium_dbm == -75.0);
}

static void test_file_then_environment_then_set(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        char from_env[] = "TIDEGATE_HTTP_LISTEN=[::1]:81";
        char other[] = "TIDEGATE_WS_MAX_MESSAGE_BYTES=2K";
        char *environment[] = { from_env, other, NULL };
        const char *sets[] = { "http.listen=0.0.0.0:82" };
        ConfigSource source = {
                .file = file_name, .sets = sets, .n_sets = 1, .environment = environment
        };

        (void)state;
        write_file(file_name,
                   "[http]\nlisten = 127.0.0.1:80\n[ws]\nmax_message_bytes = 1K\nqueue_bytes = "
                   "2M\n",
                   0600);
        assert_int_equal(load(&config, &source), 0);
        assert_string_equal(config->ws.listen, "0.0.0.0:82");
        assert_int_equal(config->ws.max_message_bytes, 2048);
        assert_int_equal(config->ws.queue_bytes, 2 << 20);
}

static void test_an_environment_has_no_order(void **state) {
        char topic[] = "TIDEGATE_ROUTE_PUMP_TOPIC=pumps/{device}",
             kind[] = "TIDEGATE_ROUTE_PUMP_KIND=telemetry";
        char line[] = "TIDEGATE_MAP_PUMP_FLOW=/f | number",
             longer[] = "TIDEGATE_ROUTE_PUMP_A_TOPIC=a/{device}";
        char its_kind[] = "TIDEGATE_ROUTE_PUMP_A_KIND=telemetry",
             its_line[] = "TIDEGATE_MAP_PUMP_A_FLOW=/g";
        char *before[] = { its_line, line, topic, kind, longer, its_kind, NULL };
        char *behind[] = { topic, kind, line, longer, its_kind, its_line, NULL };
        char **orders[] = { before, behind };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(orders); ++i) {
                CLEANUP(config_free) Config *config = NULL;
                ConfigSource source = { .environment = orders[i] };

                assert_int_equal(load(&config, &source), 0);
                assert_non_null(route(config, "pump")->map);
                assert_non_null(route(config, "pump_a")->map);
        }
}

static void test_every_error_is_named_with_its_line(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        char expected[128];

        (void)state;
        assert_int_equal(load_text(&config,
                                   "[http]\n"
                                   "listen = nowhere\n"
                                   "; a remark\n"
                                   "[ws]\n"
                                   "max_connections = many\n"
                                   "queue_bytes\n"
                                   "[log\n"
                                   "[log]\n"
                                   "level = loud\n"),
                         CONFIG_E_INVALID);
        assert_null(config);
        snprintf(expected,
                 sizeof(expected),
                 "%s:2: http.listen: bad value 'nowhere'; allowed: host:port",
                 file_name);
        assert_said(expected);
        snprintf(expected,
                 sizeof(expected),
                 "%s:5: ws.max_connections: bad number 'many'; allowed: 1 to",
                 file_name);
        assert_said(expected);
        snprintf(expected, sizeof(expected), "%s:6: ws.queue_bytes: no value", file_name);
        assert_said(expected);
        snprintf(expected, sizeof(expected), "%s:7: section: no ]", file_name);
        assert_said(expected);
        assert_said("log.level: bad level 'loud'; allowed: error, warning, info, debug");
}

static void test_unknown_key_is_an_error_with_a_suggestion(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_text(&config, "[http]\nlistn = 127.0.0.1:1\n"), CONFIG_E_INVALID);
        assert_said(":2: http.listn: unknown key; did you mean http.listen?");
        assert_int_equal(load_text(&config, "[mqqt]\nurl = mqtt://h\n"), CONFIG_E_INVALID);
        assert_said("did you mean");
        assert_int_equal(load_text(&config, "[ws]\nfrobnicate = 1\n"), CONFIG_E_INVALID);
        assert_said("ws.frobnicate: unknown key; allowed:");
        assert_int_equal(load_set(&config, "zoo.frobnicate=1"), CONFIG_E_INVALID);
        assert_said("--set: zoo.frobnicate: unknown section");
        assert_int_equal(load_set(&config, "nonsense"), CONFIG_E_INVALID);
        assert_said("section.key=value");
}

static void test_unknown_variable_is_an_error_but_not_those_of_others(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_variable(&config, "TIDEGATE_HTTP_LISTN=x:1"), CONFIG_E_INVALID);
        assert_said("environment TIDEGATE_HTTP_LISTN");
        assert_int_equal(load_variable(&config, "TIDEGATE_CONFIG=/x"), 0);
        config = config_free(config);
        assert_int_equal(load_variable(&config, "TIDEGATE_TEST_DATABASE=x"), 0);
        config = config_free(config);
        assert_int_equal(load_variable(&config, "TIDEGATE_SERVICE_HOST=10.0.0.1"), 0);
        config = config_free(config);
        assert_int_equal(load_variable(&config, "TIDEGATE_PORT_8000_TCP=tcp://10.0.0.1"), 0);
        config = config_free(config);
        assert_int_equal(load_variable(&config, "TIDEGATE_ROUTE_RAW_LOG_AUTO_REGISTER=on"), 0);
        assert_true(route(config, "raw_log")->auto_register);
        config = config_free(config);
}

static void test_sizes_take_suffixes_and_have_ranges(void **state) {
        static const struct {
                const char *text;
                size_t value; /* 0 = refused */
        } rows[] = {
                { "1024", 1024 }, { "4K", 4096 }, { "4k", 4096 }, { "2M", 2 << 20 },
                { "64K", 65536 }, { "1KB", 0 },   { "", 0 },      { "-1", 0 },
                { "1.5K", 0 },    { "K", 0 },     { "0x400", 0 }, { "99999999999999999999G", 0 },
                { "127", 0 },     { "17M", 0 },   { "1 K", 0 },   { "9223372036854775807G", 0 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                const char *sets[2];
                char text[96];
                Config *config = NULL;
                ConfigSource source = { .sets = sets, .n_sets = 2 };
                int r;

                snprintf(text, sizeof(text), "ws.max_message_bytes=%s", rows[i].text);
                sets[0] = "ws.queue_bytes=16M";
                sets[1] = text;
                r = load(&config, &source);
                assert_int_equal(r, rows[i].value ? 0 : CONFIG_E_INVALID);
                if (r == 0)
                        assert_int_equal(config->ws.max_message_bytes, rows[i].value);
                else
                        assert_said("allowed: 128 to 16M");
                config = config_free(config);
        }
}

static void test_times_take_suffixes_and_whole_units(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_set(&config, "mqtt.keep_alive=60"), 0);
        assert_int_equal(config->mqtt.keep_alive_s, 60);
        config = config_free(config);
        assert_int_equal(load_set(&config, "mqtt.keep_alive=2m"), 0);
        assert_int_equal(config->mqtt.keep_alive_s, 120);
        config = config_free(config);
        assert_int_equal(load_set(&config, "shutdown.grace=1500"), 0);
        assert_int_equal(config->shutdown_grace_ms, 1500);
        config = config_free(config);
        assert_int_equal(load_set(&config, "retention.alerts=0"), 0);
        assert_int_equal(config->retention[6].days, 0);
        config = config_free(config);
        assert_int_equal(load_set(&config, "retention.alerts=48h"), 0);
        assert_int_equal(config->retention[6].days, 2);
        config = config_free(config);
        assert_int_equal(load_set(&config, "mqtt.keep_alive=1500ms"), CONFIG_E_INVALID);
        assert_int_equal(load_set(&config, "mqtt.keep_alive=1w"), CONFIG_E_INVALID);
        assert_int_equal(load_set(&config, "retention.alerts=36h"), CONFIG_E_INVALID);
        assert_said("retention.alerts: bad time '36h'; allowed: 0d to");
}

static void test_the_oldest_time_is_as_old_as_what_is_kept(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_text(&config, "[retention]\nalerts = 200d\n"), 0);
        assert_true(routes_get(config->routes, 0)->max_age_us == 200 * CLOCK_DAY_US);
        assert_true(routes_get(config->routes, 0)->max_ahead_us == 60 * CLOCK_SECOND_US);
        config = config_free(config);
        assert_int_equal(load_text(&config, "[retention]\nalerts = 0\n"), 0);
        assert_true(routes_get(config->routes, 0)->max_age_us == 3650 * CLOCK_DAY_US);
        config = config_free(config);
        assert_int_equal(load_text(&config,
                                   "[time]\noldest = 7d\nahead = 2s\n"
                                   "[route telemetry]\nenabled = off\n"),
                         0);
        assert_true(routes_door(config->routes, KIND_TELEMETRY)->max_age_us == 7 * CLOCK_DAY_US);
        assert_true(routes_door(config->routes, KIND_TELEMETRY)->max_ahead_us == 2000000);
        config_free(config);
}

static void test_keys_are_known_by_the_names_that_they_had(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_text(&config, "[time]\nmax_age = 7d\n"), 0);
        assert_said(":2: warning: time.max_age: is called time.oldest now");
        assert_int_equal(config->time_oldest_days, 7);
        config = config_free(config);
        assert_int_equal(load_variable(&config, "TIDEGATE_TIME_MAX_AHEAD=2s"), 0);
        assert_said("is called time.ahead now");
        assert_int_equal(config->time_ahead_ms, 2000);
        config = config_free(config);
        assert_int_equal(load_set(&config, "time.max_ahead=3s"), 0);
        assert_int_equal(config->time_ahead_ms, 3000);
        config_free(config);
}

static void test_fsync_is_always_an_interval_or_never(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_set(&config, "journal.fsync=always"), 0);
        assert_int_equal(config->journal.fsync, JOURNAL_FSYNC_ALWAYS);
        config = config_free(config);
        assert_int_equal(load_set(&config, "journal.fsync=never"), 0);
        assert_int_equal(config->journal.fsync, JOURNAL_FSYNC_NEVER);
        config = config_free(config);
        assert_int_equal(load_set(&config, "journal.fsync=25"), 0);
        assert_int_equal(config->journal.fsync, JOURNAL_FSYNC_INTERVAL);
        assert_int_equal(config->journal.fsync_interval_ms, 25);
        config = config_free(config);
        assert_int_equal(load_set(&config, "journal.fsync=sometimes"), CONFIG_E_INVALID);
        assert_said("allowed: always, never, or");
}

static void test_small_journal_gets_small_segments(void **state) {
        Config *config = NULL;

        (void)state;
        assert_int_equal(load_set(&config, "journal.max_bytes=4M"), 0);
        assert_int_equal(config->journal.segment_bytes, 262144);
        assert_int_equal(config->journal.reserve_bytes, 1 << 20);
        assert_int_equal(route(config, "raw_log")->max_bytes, 65536);
        config = config_free(config);
        assert_int_equal(load_text(&config, "[journal]\nmax_bytes = 4M\nsegment_bytes = 2M\n"),
                         CONFIG_E_INVALID);
        assert_said(":3: journal.segment_bytes: more than an eighth of journal.max_bytes");
        assert_int_equal(load_text(&config, "[journal]\nmax_bytes = 4M\nreserve_bytes = 3M\n"),
                         CONFIG_E_INVALID);
        assert_said(":3: journal.reserve_bytes: more than half");
}

static void test_routes_are_changed_added_and_removed(void **state) {
        CLEANUP(config_free) Config *config = NULL;

        (void)state;
        assert_int_equal(load_text(&config,
                                   "[route vehicle_log]\ntimezone = Asia/Jakarta\n"
                                   "max_bytes = 2K\n"
                                   "[route asia]\ntopic = asia/{vehicle}/log\nkind = vehicle_log\n"
                                   "[route telemetry]\nenabled = off\n"
                                   "[registry]\nauto_register = on\n"),
                         0);
        assert_int_equal(routes_length(config->routes), 11);
        assert_non_null(route(config, "vehicle_log")->zone);
        assert_int_equal(route(config, "vehicle_log")->max_bytes, 2048);
        assert_string_equal(topic_template_text(route(config, "vehicle_log")->topic),
                            "seano/{vehicle}/vehicle_log");
        assert_int_equal(route(config, "asia")->kind, KIND_VEHICLE_LOG);
        assert_true(route(config, "asia")->auto_register);
        assert_null(find_route(config, "telemetry"));
}

static void test_routes_that_cannot_work_are_refused(void **state) {
        static const struct {
                const char *text, *said;
        } rows[] = {
                { "[route x]\nkind = raw_log\n", ":2: route x.topic: is not set" },
                { "[route x]\ntopic = a/{vehicle}\n",
                  ":2: route x.kind: is not set; allowed: device" },
                { "[route x]\ntopic = a/{vehicle}\nkind = tide\n",
                  ":3: route x.kind: unknown kind" },
                { "[route x]\ntopic = a/#/b\nkind = raw_log\n", ":2: route x.topic: bad template" },
                { "[route x]\ntopic = $share/g/{vehicle}\nkind = raw_log\n",
                  ":2: route x.topic: is a shared subscription" },
                { "[route x]\ntopic = a/b\nkind = raw_log\n", "a template with {vehicle}" },
                { "[route x]\ntopic = a/{vehicle}\nkind = telemetry\n",
                  "a template with {device}" },
                { "[route x]\ntopic = a/b\nkind = alert\n", "{vehicle} or {device}" },
                { "[route x]\ntopic = ha/{device}/#\nkind = discovery\n",
                  ":2: route x.topic: bad template for kind = discovery" },
                { "[route x]\ntopic = ha/+\nkind = discovery\n", "a prefix with # behind it" },
                { "[route x]\ntopic = ha/#\nkind = discovery\nmax_devices = 0\n",
                  ":4: route x.max_devices: bad number" },
                { "[route x]\ntopic = ha/#\nkind = discovery\nallow = a/#/b\n",
                  ":4: route x.allow: bad filter" },
                { "[route x]\ntopic = ha/#\nkind = discovery\nwhen = /a\n",
                  "route x.when: means nothing where kind is discovery" },
                { "[route x]\ntopic = ems/{device}/telemetry\nkind = telemetry\n",
                  "the same topics as route telemetry" },
                { "[route x]\ntopic = x/{device}\nkind = telemetry\nignore = x/a, y/b\n"
                  "[route y]\ntopic = x/{device}\nkind = telemetry\nignore = x/+\n",
                  ":6: route y.topic: the same topics as route x" },
                { "[route x]\nuse = tasmota\n[route y]\nuse = tasmota\n",
                  "route y_lwt.topic: the same topics as route x_lwt" },
                { "[route x]\nuse = tasmota\n"
                  "[route y]\ntopic = stat/{device}/RESULT\nkind = telemetry\n",
                  ":4: route y.topic: the same topics as route x_stat_odd; allowed: topics of its "
                  "own, or a place before" },
                { "[route raw_log]\ntimezone = Mars/Olympus\n",
                  ":2: route raw_log.timezone: unknown" },
                { "[route raw_log]\nmax_bytes = 1G\n", ":2: route raw_log.max_bytes: bad size" },
                { "[route ble_detections]\nnear_dbm = -80\n", "medium_dbm: is above near_dbm" },
                { "[route ble_detections]\nnear_dbm = loud\n",
                  ":2: route ble_detections.near_dbm" },
                { "[route raw_log]\nenabled = maybe\n", ":2: route raw_log.enabled: bad switch" },
                { "[route raw_log]\ncolour = red\n", ":2: route raw_log.colour: unknown key" },
                { "[route a b]\ntopic = x\n", ":2: route: bad name" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                Config *config = NULL;

                assert_int_equal(load_text(&config, rows[i].text), CONFIG_E_INVALID);
                assert_said(rows[i].said);
        }
}

static void test_a_route_may_have_what_one_before_it_of_the_same_topics_ignores(void **state) {
        static const char text[] =
                "[route x]\ntopic = x/{device}\nkind = telemetry\nignore = x/lwt\n"
                "[route y]\ntopic = x/{device}\nkind = device_status\n";
        Config *config = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(load_text(&config, text), 0);
        assert_string_equal(routes_match(config->routes, TEXT("x/lwt"), &match)->name, "y");
        assert_string_equal(routes_match(config->routes, TEXT("x/d"), &match)->name, "x");
        config_free(config);
}

static void test_a_route_of_ones_own_wins_over_a_profile_behind_it(void **state) {
        static const char text[] = "[route y]\ntopic = stat/{device}/RESULT\nkind = telemetry\n"
                                   "[route x]\nuse = tasmota\n";
        Config *config = NULL;
        TopicMatch match;

        (void)state;
        assert_int_equal(load_text(&config, text), 0);
        assert_string_equal(routes_match(config->routes, TEXT("stat/d/RESULT"), &match)->name, "y");
        assert_string_equal(routes_match(config->routes, TEXT("tele/d/LWT"), &match)->name,
                            "x_lwt");
        config_free(config);
}

static void test_options_that_need_each_other(void **state) {
        static const struct {
                const char *text, *said;
        } rows[] = {
                { "[http]\ntls_cert = /a\n", ":2: http.tls_cert: needs http.tls_key" },
                { "[http]\ntls_key = /a\n", ":2: http.tls_key: needs http.tls_cert" },
                { "[mqtt]\npassword_file = /a\n", "needs mqtt.username" },
                { "[mqtt]\nurl = mqtt://user:secret@host\n", "mqtt.url: bad value" },
                { "[mqtt]\nbackoff_min = 40s\n",
                  ":2: mqtt.backoff_min: is above mqtt.backoff_max" },
                { "[mqtt]\nversion = 3\n", "allowed: auto, 3.1.1, 5" },
                { "[auth]\nalgorithms = RS256\n", "need auth.jwt_public_key_file" },
                { "[auth]\nalgorithms = none\n", "allowed: HS256, RS256, ES256" },
                { "[auth]\nalgorithms = RS256\njwt_public_key_file = /a\njwt_secret_file = /b\n",
                  ":4: auth.jwt_secret_file: is set, but" },
                { "[ws]\nmax_message_bytes = 2M\n", "ws.queue_bytes: is less than" },
                { "[ws]\nping_interval = 2m\n", "ws.ping_interval: is above ws.silence_timeout" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                Config *config = NULL;

                assert_int_equal(load_text(&config, rows[i].text), CONFIG_E_INVALID);
                assert_said(rows[i].said);
        }
}

static void test_database_password_is_never_said(void **state) {
        Config *config = NULL;
        char *printed = NULL;
        size_t n = 0;
        FILE *out;

        (void)state;
        assert_int_equal(load_set(&config, "database.url=http://u:hunter2@h/d"), CONFIG_E_INVALID);
        assert_null(strstr(errors, "hunter2"));

        assert_int_equal(load_set(&config, "database.url=postgresql://u:hunter2@h/d"), 0);
        out = open_memstream(&printed, &n);
        config_print(config, out);
        assert_int_equal(fclose(out), 0);
        assert_null(strstr(printed, "hunter2"));
        assert_non_null(strstr(printed, "database.url = postgresql://u:***@h/d\n"));
        assert_non_null(strstr(printed, "http.listen = 127.0.0.1:8000\n"));
        free(printed);
        config = config_free(config);

        assert_int_equal(load_set(&config, "database.url=host=h password=hunter2 user=u"), 0);
        out = open_memstream(&printed, &n);
        config_print(config, out);
        assert_int_equal(fclose(out), 0);
        assert_null(strstr(printed, "hunter2"));
        assert_non_null(strstr(printed, "password=*** user=u"));
        free(printed);
        config = config_free(config);
}

static void test_files_must_be_there_and_secret(void **state) {
        Config *config = NULL;
        char text[256], secret[64];
        int saved, r;

        (void)state;
        snprintf(secret, sizeof(secret), "%s/secret", directory);
        snprintf(text, sizeof(text), "[auth]\njwt_secret_file = %s\n", secret);
        assert_int_equal(load_text(&config, text), 0);
        saved = begin_errors();
        r = config_check_files(config);
        end_errors(saved);
        assert_int_equal(r, CONFIG_E_INVALID);
        assert_said(":2: auth.jwt_secret_file:");

        write_file(secret, "0123456789abcdef0123456789abcdef\n", 0644);
        saved = begin_errors();
        r = config_check_files(config);
        end_errors(saved);
        assert_int_equal(r, CONFIG_E_INVALID);
        assert_said("not readable by others");

        assert_int_equal(chmod(secret, 0600), 0);
        assert_int_equal(config_check_files(config), 0);
        config = config_free(config);

        /* a list: each of its files */
        snprintf(text, sizeof(text), "[auth]\njwt_secret_file = %s, old=%s-2\n", secret, secret);
        assert_int_equal(load_text(&config, text), 0);
        saved = begin_errors();
        r = config_check_files(config);
        end_errors(saved);
        assert_int_equal(r, CONFIG_E_INVALID);
        assert_said("secret-2: No such file");
        config = config_free(config);
}

static void test_restart_keys_are_those_that_reload_does_not_cover(void **state) {
        CLEANUP(config_free) Config *a = NULL;
        CLEANUP(config_free) Config *b = NULL;
        const char *names[4][2];

        (void)state;
        assert_int_equal(load_text(&a, ""), 0);
        assert_int_equal(load_text(&b,
                                   "[http]\nlisten = 127.0.0.1:9\n[log]\nlevel = debug\n"
                                   "[mqtt]\nkeep_alive = 30s\n"),
                         0);
        assert_int_equal(config_restart_keys(a, b, names, N_ELEMENTS(names)), 1);
        assert_string_equal(names[0][0], "http");
        assert_string_equal(names[0][1], "listen");
}

static void test_long_and_binary_lines_are_errors_and_nothing_worse(void **state) {
        char text[20000];
        Config *config = NULL;

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        memcpy(text, "[http]\nlisten = ", 16);
        memcpy(text + sizeof(text) - 20, "\n[ws]\nwat = 1\n", 14);
        text[sizeof(text) - 6] = '\0';
        assert_int_equal(load_text(&config, text), CONFIG_E_INVALID);
        assert_said(":2: line: longer than");
        assert_said(":4: ws.wat: unknown key");
        assert_int_equal(load_text(&config, "\xff\xfe\x01[[[]]]===\n=\n[]\n"), CONFIG_E_INVALID);
}

static void test_missing_file_is_an_error(void **state) {
        ConfigSource source = { .file = "/nonexistent/tidegate.conf" };
        Config *config = NULL;

        (void)state;
        assert_int_equal(load(&config, &source), CONFIG_E_INVALID);
        assert_said("/nonexistent/tidegate.conf: cannot be read: No such file");
}

/* The committed example is what the table says, and all of it may be switched on. */
static void test_example_is_committed_and_loads(void **state) {
        CLEANUP(config_free) Config *config = NULL;
        char *printed = NULL, *committed = NULL;
        size_t n = 0, n_committed = 0;
        FILE *out, *file;

        (void)state;
        out = open_memstream(&printed, &n);
        config_print_example(out);
        assert_int_equal(fclose(out), 0);

        file = fopen(TIDEGATE_SOURCE "/deploy/tidegate.conf", "re");
        assert_non_null(file);
        assert_true(getdelim(&committed, &n_committed, '\0', file) > 0);
        (void)fclose(file);
        assert_string_equal(printed, committed);
        free(committed);

        for (char *line = printed; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
                if (line[0] == '#' && line[1] != ' ')
                        line[0] = ' ';
        assert_int_equal(load_text(&config, printed), 0);
        assert_string_equal(errors, "");
        assert_int_equal(routes_length(config->routes), 11);
        free(printed);
}

static int set_up(void **state) {
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        snprintf(file_name, sizeof(file_name), "%s/tidegate.conf", directory);
        snprintf(errors_name, sizeof(errors_name), "%s/errors", directory);
        return 0;
}

static int tear_down(void **state) {
        char secret[64];

        (void)state;
        snprintf(secret, sizeof(secret), "%s/secret", directory);
        (void)unlink(secret);
        (void)unlink(file_name);
        (void)unlink(errors_name);
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_given_means_the_defaults),
                cmocka_unit_test(test_a_number_may_have_a_fraction),
                cmocka_unit_test(test_a_route_of_discovery_is_a_rule_and_no_route),
                cmocka_unit_test(test_routes_of_the_contract_are_there),
                cmocka_unit_test(test_file_then_environment_then_set),
                cmocka_unit_test(test_an_environment_has_no_order),
                cmocka_unit_test(test_every_error_is_named_with_its_line),
                cmocka_unit_test(test_unknown_key_is_an_error_with_a_suggestion),
                cmocka_unit_test(test_unknown_variable_is_an_error_but_not_those_of_others),
                cmocka_unit_test(test_sizes_take_suffixes_and_have_ranges),
                cmocka_unit_test(test_times_take_suffixes_and_whole_units),
                cmocka_unit_test(test_the_oldest_time_is_as_old_as_what_is_kept),
                cmocka_unit_test(test_keys_are_known_by_the_names_that_they_had),
                cmocka_unit_test(test_fsync_is_always_an_interval_or_never),
                cmocka_unit_test(test_small_journal_gets_small_segments),
                cmocka_unit_test(test_routes_are_changed_added_and_removed),
                cmocka_unit_test(test_routes_that_cannot_work_are_refused),
                cmocka_unit_test(
                        test_a_route_may_have_what_one_before_it_of_the_same_topics_ignores),
                cmocka_unit_test(test_a_route_of_ones_own_wins_over_a_profile_behind_it),
                cmocka_unit_test(test_options_that_need_each_other),
                cmocka_unit_test(test_database_password_is_never_said),
                cmocka_unit_test(test_files_must_be_there_and_secret),
                cmocka_unit_test(test_restart_keys_are_those_that_reload_does_not_cover),
                cmocka_unit_test(test_long_and_binary_lines_are_errors_and_nothing_worse),
                cmocka_unit_test(test_missing_file_is_an_error),
                cmocka_unit_test(test_example_is_committed_and_loads),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
