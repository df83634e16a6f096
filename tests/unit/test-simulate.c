/* Simulate: whatever is published, decode understands; a recording is played as it was recorded. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "gateway/decode/decode.h"
#include "gateway/sim/boat.h"
#include "gateway/sim/crowd.h"
#include "gateway/sim/fleet.h"
#include "gateway/sim/recording.h"
#include "gateway/sim/simulate.h"
#include "tests/fake/publisher.h"

#define DEMO_VESSELS TIDEGATE_SOURCE "/deploy/demo/vessels.csv.gz"
#define VESSELS                                                                                  \
        "timestamp,mmsi,name,vessel_type,latitude,longitude,speed_knots,course_deg,heading_deg," \
        "nav_status\n"
#define SENSORS "timestamp,node,board_temperature_c,voltage_v,humidity_pct,temperature_c,par,tsr\n"
#define RADIO   "timestamp,receiver,seen,rssi_dbm,lqi_raw\n"

/* What the gateway would have made of it. */
static struct {
        Arena *arena;
        Routes *routes;
        Record last;
        char topic[256];
        char *payload;
        char *topics[64]; /* distinct ones */
        size_t n_topics;
        size_t n_kind[KIND_COUNT];
        volatile bool stop;
        size_t stop_after;
} seen;

static bool was_topic_seen(const char *topic) {
        for (size_t i = 0; i < seen.n_topics; ++i)
                if (strcmp(seen.topics[i], topic) == 0)
                        return true;
        return false;
}

static void seen_message(const char *topic, Text payload) {
        Record envelope = { .received_us = clock_now_us() };
        TopicMatch match;
        const Route *route;

        if (!was_topic_seen(topic) && seen.n_topics < N_ELEMENTS(seen.topics))
                seen.topics[seen.n_topics++] = strdup(topic);
        free(seen.payload);
        seen.payload = strndup(payload.data, payload.n);
        snprintf(seen.topic, sizeof(seen.topic), "%s", topic);
        arena_reset(seen.arena);
        envelope.topic = text_of(seen.topic);
        envelope.payload = text_of(seen.payload);

        route = routes_match(seen.routes, envelope.topic, &match);
        assert_non_null(route);
        assert_int_equal(decode(seen.arena, route, &match, &envelope, &seen.last), 0);
        if (seen.last.reason != REASON_NONE)
                fail_msg("%s %s: %s", topic, seen.payload, seen.last.detail.data);
        ++seen.n_kind[seen.last.kind];
        if (fake_publisher.n_published == seen.stop_after)
                seen.stop = true;
}

static void add_route(const char *topic, Kind kind) {
        Route route = { .name = strdup(topic),
                        .kind = kind,
                        .max_bytes = 65536,
                        .near_dbm = -60,
                        .medium_dbm = -75 };

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        assert_int_equal(routes_add(seen.routes, &route), 0);
}

static int setup(void **state) {
        (void)state;
        memset(&seen, 0, sizeof(seen));
        fake_publisher = (FakePublisher){ .seen = seen_message };
        log_set_level(LOG_LEVEL_ERROR);
        assert_int_equal(arena_new(&seen.arena, 4096), 0);
        assert_int_equal(routes_new(&seen.routes), 0);
        add_route("users/{user}/devices/{device}/status", KIND_DEVICE_STATUS);
        add_route("devices/{device}/status", KIND_DEVICE_STATUS);
        add_route("seano/{vehicle}/raw_log", KIND_RAW_LOG);
        add_route("seano/{vehicle}/sensor_log", KIND_SENSOR_LOG);
        add_route("seano/{vehicle}/vehicle_log", KIND_VEHICLE_LOG);
        add_route("tfg/detections/raw", KIND_BLE_DETECTIONS);
        add_route("ems/{device}/telemetry", KIND_TELEMETRY);
        add_route("surveillance/camera/{camera}/event", KIND_CAMERA_EVENT);
        add_route("devices/{device}/alert", KIND_ALERT); /* no boat can use this one */
        add_route("seano/{vehicle}/alert", KIND_ALERT);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        assert_int_equal(fake_publisher.n_open, 0);
        for (size_t i = 0; i < seen.n_topics; ++i)
                free(seen.topics[i]);
        free(seen.payload);
        arena_free(seen.arena);
        routes_unref(seen.routes);
        return 0;
}

static SimulateOptions options_of(int64_t n_messages) {
        return (SimulateOptions){ .routes = seen.routes,
                                  .n_vehicles = 4,
                                  .n_devices = 3,
                                  .n_messages = n_messages,
                                  .user = "ana",
                                  .seed = 7 };
}

static void test_every_kind_is_published_and_understood(void **state) {
        SimulateOptions options = options_of(5000);

        (void)state;
        assert_int_equal(simulate_run(&options, &seen.stop), 0);
        assert_int_equal(fake_publisher.n_published, 5000);
        for (Kind kind = KIND_DEVICE_STATUS; kind < KIND_COMMAND_ACK; ++kind)
                if (seen.n_kind[kind] == 0)
                        fail_msg("no %s", kind_name(kind));
        assert_int_equal(seen.n_kind[KIND_COMMAND_ACK], 0);
}

static void test_codes_and_topics_are_those_of_the_header(void **state) {
        static const char *const expected[] = {
                "users/ana/devices/sim-device-001/status",
                "devices/sim-device-002/status",
                "users/ana/devices/sim-device-003/status",
                "seano/sim-vehicle-001/vehicle_log",
                "seano/sim-vehicle-004/sensor_log",
                "tfg/detections/raw",
                "ems/sim-ems-01/telemetry",
                "surveillance/camera/sim-cam-01/event",
        };
        SimulateOptions options = options_of(1000);

        (void)state;
        assert_int_equal(simulate_run(&options, &seen.stop), 0);
        for (size_t i = 0; i < N_ELEMENTS(expected); ++i)
                if (!was_topic_seen(expected[i]))
                        fail_msg("nothing on %s", expected[i]);
        assert_false(was_topic_seen("devices/sim-device-001/status"));
        assert_false(was_topic_seen("seano/sim-vehicle-005/vehicle_log"));
}

static void test_same_seed_makes_the_same_fleet(void **state) {
        SimulateOptions options = options_of(0);

        (void)state;
        for (int64_t seconds = 0; seconds < 3; ++seconds) {
                CLEANUP(fleet_free) Fleet *one = NULL;
                CLEANUP(fleet_free) Fleet *two = NULL;
                CLEANUP_BUF Buf a = { 0 };
                CLEANUP_BUF Buf b = { 0 };
                SimulatedMessage message;

                assert_int_equal(fleet_new(&one, &options, 0), 0);
                assert_int_equal(fleet_new(&two, &options, 0), 0);
                for (int64_t i = 0; i < 500; ++i) {
                        assert_int_equal(fleet_next(one, i * 100000, &a, &message), 0);
                        assert_int_equal(fleet_next(two, i * 100000, &b, &message), 0);
                }
                assert_true(text_equal(buf_text(&a), buf_text(&b)));
                options.seed += 1;
        }
}

/* Six hours at a step of two seconds. */
static void test_boats_move_charge_and_stay_at_sea(void **state) {
        Dice dice = { .state = 3 };
        Boat boat;
        double way = 0, lowest = 1, highest = 0;

        (void)state;
        boat_init(&boat, &dice, 0);
        for (int64_t step = 1; step < 10800; ++step) {
                double latitude = boat.latitude, longitude = boat.longitude;
                double metres;

                boat_advance(&boat, &dice, step * 2000000);
                metres = hypot(boat.latitude - latitude, boat.longitude - longitude) * 111320;
                assert_true(metres < 2 * 15);
                assert_true(boat.latitude > -6.10 && boat.latitude < -5.85);
                assert_true(boat.longitude > 106.70 && boat.longitude < 107.00);
                way += metres;
                lowest = fmin(lowest, boat.charge);
                highest = fmax(highest, boat.charge);
        }
        assert_true(way > 20000);
        assert_true(lowest < 0.2 && lowest > 0.01);
        assert_true(highest > 0.95);
}

static void test_people_come_and_go(void **state) {
        CLEANUP_BUF Buf payload = { 0 };
        Dice dice = { .state = 1 };
        Crowd crowd = { .n_people = 0 };
        size_t fewest = CROWD_MAX, most = 0;

        (void)state;
        for (int64_t seconds = 0; seconds < 3600; seconds += 5) {
                buf_reset(&payload);
                assert_int_equal(crowd_write_scan(&crowd,
                                                  &dice,
                                                  seconds * 1000000,
                                                  "ble",
                                                  &payload),
                                 0);
                if (seconds < 300)
                        continue;
                fewest = crowd.n_people < fewest ? crowd.n_people : fewest;
                most = crowd.n_people > most ? crowd.n_people : most;
        }
        assert_true(most > fewest + 8);
        assert_true(crowd.n_ever > most);
}

static void test_a_fleet_without_routes_says_so(void **state) {
        SimulateOptions options = options_of(0);
        CLEANUP(routes_unref) Routes *none = NULL;

        (void)state;
        log_set_level(LOG_LEVEL_ERROR);
        assert_int_equal(routes_new(&none), 0);
        options.routes = none;
        assert_int_equal(simulate_run(&options, &seen.stop), SIMULATE_E_NOTHING);
}

static void test_an_absent_broker_is_told_at_the_start(void **state) {
        static const int answers[] = { MQTT_PUBLISHER_E_OFFLINE, MQTT_PUBLISHER_E_REFUSED };
        SimulateOptions options = options_of(1);

        (void)state;
        fake_publisher.connects = answers;
        fake_publisher.n_connects = 2;
        assert_int_equal(simulate_run(&options, &seen.stop), SIMULATE_E_OFFLINE);
        assert_int_equal(simulate_run(&options, &seen.stop), SIMULATE_E_OFFLINE);
}

static void test_a_broker_that_goes_away_is_waited_for(void **state) {
        static const int answers[] = { 0, 0, MQTT_PUBLISHER_E_OFFLINE, 0 };
        SimulateOptions options = options_of(10);

        (void)state;
        fake_publisher.publishes = answers;
        fake_publisher.n_publishes = 4;
        assert_int_equal(simulate_run(&options, &seen.stop), 0);
        assert_int_equal(fake_publisher.n_connected, 2);
        assert_int_equal(fake_publisher.n_published, 10);
}

static void test_stop_ends_it_at_once(void **state) {
        SimulateOptions options = options_of(0);

        (void)state;
        seen.stop_after = 5;
        assert_int_equal(simulate_run(&options, &seen.stop), 0);
        assert_int_equal(fake_publisher.n_published, 5);
}

static int replay_text(const char *text, bool is_gzip) {
        char path[] = "/tmp/test-simulate-XXXXXX";
        SimulateOptions options = options_of(0);
        int fd = mkstemp(path);
        gzFile file;
        int r;

        assert_true(fd >= 0);
        file = gzdopen(fd, is_gzip ? "wb" : "wbT");
        assert_non_null(file);
        assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), strlen(text));
        assert_int_equal(gzclose(file), Z_OK);
        options.replay = path;
        r = simulate_run(&options, &seen.stop);
        unlink(path);
        return r;
}

static void test_vessels_are_replayed_digit_for_digit(void **state) {
        (void)state;
        assert_int_equal(replay_text(VESSELS
                                     "2022-01-03T00:00:00Z,366961220,\"C,33.60716,-117.91480,"
                                     "10,210.1,324,0\n",
                                     false),
                         0);
        assert_int_equal(fake_publisher.n_published, 0); /* a column too few */

        assert_int_equal(replay_text(VESSELS "2022-01-03T00:00:00Z,366961220,CHAR\"LIE,31,33.60716,"
                                             "-117.91480,10,210.1,324,0\n",
                                     false),
                         0);
        assert_string_equal(seen.topic, "seano/366961220/vehicle_log");
        assert_string_equal(seen.payload,
                            "{\"timestamp\":\"2022-01-03T00:00:00Z\",\"name\":\"CHAR\\\"LIE\","
                            "\"vessel_type\":31,\"latitude\":33.60716,\"longitude\":-117.91480,"
                            "\"speed\":5.14444,\"course\":210.1,\"heading\":324,\"nav_status\":0}");
        assert_true(seen.last.vehicle_log.speed <= 10 * 0.514444 &&
                    seen.last.vehicle_log.speed >= 10 * 0.514444);
        assert_true(seen.last.time_us == INT64_C(1641168000000000));

        assert_int_equal(replay_text(VESSELS "2022-01-03T00:00:00Z,338148873,,,33.6,-117.9,,,,\r\n",
                                     true),
                         0);
        assert_string_equal(seen.payload,
                            "{\"timestamp\":\"2022-01-03T00:00:00Z\",\"latitude\":33.6,"
                            "\"longitude\":-117.9}");
        assert_int_equal(fake_publisher.n_published, 2);
}

static void test_sensors_and_radio_are_replayed(void **state) {
        char hash[SECRET_SHA256_SIZE];

        (void)state;
        assert_int_equal(replay_text(SENSORS
                                     "2006-11-13T17:14:01.250Z,20,21.21,2.81,51.53,,20,28\n",
                                     true),
                         0);
        assert_string_equal(seen.topic, "seano/library/sensor_log");
        assert_string_equal(seen.payload,
                            "{\"sensor_id\":20,\"data\":{\"timestamp\":\"2006-11-13T17:14:01."
                            "250Z\","
                            "\"board_temperature\":21.21,\"voltage\":2.81,\"humidity\":51.53,"
                            "\"par\":20,\"tsr\":28}}");

        assert_int_equal(replay_text(RADIO "2006-11-13T17:13:22.000Z,13,15,-66,245\n", true), 0);
        assert_int_equal(secret_sha256_hex(TEXT("15"), hash), 0);
        assert_string_equal(hash,
                            "e629fa6598d732768f7c726b4b621285f9c3b85303900aa912017db7617d8bdb");
        assert_true(text_equal(seen.last.device, TEXT("node-13")));
        assert_int_equal(seen.last.detections.n_items, 1);
        assert_string_equal(seen.last.detections.items[0].device_hash, hash);
        assert_string_equal(seen.last.detections.items[0].zone, "medium");
}

static void test_malformed_rows_are_skipped_and_counted(void **state) {
        static const char *const rows[] = {
                "",
                "2022-01-03T00:00:00Z",
                "soon,366961220,A,31,33.6,-117.9,0,0,0,0",
                "2022-01-03T00:00:00Z,../x,A,31,33.6,-117.9,0,0,0,0",
                "2022-01-03T00:00:00Z,,A,31,33.6,-117.9,0,0,0,0",
                "2022-01-03T00:00:00Z,366961220,A\xff,31,33.6,-117.9,0,0,0,0",
                "2022-01-03T00:00:00Z,366961220,A,31,33.6x,-117.9,0,0,0,0",
                "2022-01-03T00:00:00Z,366961220,A,31,33.6,-117.9,fast,0,0,0",
                "2022-01-03T00:00:00Z,366961220,A,31,33.6,-117.9,0,0,0,0,0",
        };
        CLEANUP(replay_close) Replay *replay = NULL;
        CLEANUP_BUF Buf payload = { 0 };
        SimulatedMessage message;
        char path[] = "/tmp/test-simulate-XXXXXX";
        int fd = mkstemp(path);
        FILE *file;

        (void)state;
        assert_true(fd >= 0);
        file = fdopen(fd, "w");
        assert_non_null(file);
        fputs(VESSELS, file);
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                fprintf(file, "%s\n", rows[i]);
        fprintf(file, "%08192d\n", 0); /* too long to be a row */
        fputs("2022-01-03T00:00:00Z,366961220,A,31,33.6,-117.9,0,0,0,0", file);
        fclose(file);

        assert_int_equal(replay_open(&replay, path), 0);
        unlink(path);
        assert_int_equal(replay_next(replay, &payload, &message), 0);
        assert_string_equal(message.vehicle, "366961220");
        assert_int_equal(replay_next(replay, &payload, &message), REPLAY_E_END);
        assert_int_equal(replay_n_rows(replay), N_ELEMENTS(rows) + 2);
        assert_int_equal(replay_n_skipped(replay), N_ELEMENTS(rows) + 1);
}

static void test_other_files_are_refused(void **state) {
        CLEANUP(replay_close) Replay *replay = NULL;

        (void)state;
        assert_int_equal(replay_text("a,b\n1,2\n", true), SIMULATE_E_FILE);
        assert_int_equal(replay_text("", false), SIMULATE_E_FILE);
        assert_int_equal(replay_open(&replay, "/nonexistent/file.csv"), REPLAY_E_FILE);
        assert_int_equal(fake_publisher.n_connected, 0);
}

/* Every row of the extract that the project brings along is good, and is understood. */
static void test_demo_extract_is_replayed_whole(void **state) {
        SimulateOptions options = options_of(0);

        (void)state;
        options.replay = DEMO_VESSELS;
        assert_int_equal(simulate_run(&options, &seen.stop), 0);
        assert_int_equal(fake_publisher.n_published, 1283);
        assert_int_equal(seen.n_kind[KIND_VEHICLE_LOG], 1283);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_every_kind_is_published_and_understood),
                TEST(test_codes_and_topics_are_those_of_the_header),
                TEST(test_same_seed_makes_the_same_fleet),
                TEST(test_boats_move_charge_and_stay_at_sea),
                TEST(test_people_come_and_go),
                TEST(test_a_fleet_without_routes_says_so),
                TEST(test_an_absent_broker_is_told_at_the_start),
                TEST(test_a_broker_that_goes_away_is_waited_for),
                TEST(test_stop_ends_it_at_once),
                TEST(test_vessels_are_replayed_digit_for_digit),
                TEST(test_sensors_and_radio_are_replayed),
                TEST(test_malformed_rows_are_skipped_and_counted),
                TEST(test_other_files_are_refused),
                TEST(test_demo_extract_is_replayed_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
