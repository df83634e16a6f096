#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "db/write/partitions.h"
#include "db/write/store.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

enum {
        MAX_RECORDS = 1000,
};

typedef struct Fixture Fixture;

struct Fixture {
        DbConn *conn;
        DbStore *store;
        Record records[MAX_RECORDS];
        Record *pointers[MAX_RECORDS];
        size_t n_records;
        DbStateRow states[8];
        size_t n_states;
        uint64_t position, floor; /* as opened */
};

static void fixture_open(Fixture *f) {
        int r;

        do {
                postgres_reconnect(f->conn);
                r = db_store_open(f->store, NULL, &f->position, &f->floor);
        } while (r == DB_E_OFFLINE);
        assert_int_equal(r, 0);
}

static void fixture_init(Fixture *f) {
        postgres_migrate();
        postgres_run("INSERT INTO users (username, password_hash) VALUES ('ana', 'x');"
                     "INSERT INTO devices (code) VALUES ('d1'), ('d2');"
                     "INSERT INTO vehicles (code) VALUES ('v1'), ('v2')");
        *f = (Fixture){ .conn = postgres_connect(5000) };
        assert_int_equal(db_store_new(&f->store, f->conn, "00000000000000aa"), 0);
        fixture_open(f);
}

static void fixture_done(Fixture *f) {
        f->store = db_store_free(f->store);
        f->conn = db_conn_free(f->conn);
}

static Record *fixture_add(Fixture *f, Kind kind) {
        Record *record = &f->records[f->n_records];

        *record = (Record){
                .seq = f->n_records + 1,
                .received_us = NOON,
                .time_us = NOON - 1500000,
                .kind = kind,
                .topic = TEXT("a/topic"),
                .payload = TEXT("{\"a\":1}"),
                .vehicle_id = 1,
                .device_id = 1,
        };
        f->pointers[f->n_records++] = record;
        return record;
}

static void fixture_add_raw_logs(Fixture *f, size_t n) {
        for (size_t i = 0; i < n; ++i)
                fixture_add(f, KIND_RAW_LOG)->text = TEXT("GPS initialized");
}

static DbBatch fixture_batch(const Fixture *f) {
        return (DbBatch){
                .records = f->pointers,
                .n_records = f->n_records,
                .states = f->states,
                .n_states = f->n_states,
                .seq = f->position + f->n_records,
        };
}

static int store_wait(Fixture *f) {
        int r;

        for (;;) {
                struct pollfd fd = { .fd = db_conn_fd(f->conn), .events = POLLIN };

                r = db_store_poll(f->store);
                if (r != DB_E_BUSY)
                        return r;
                if (db_conn_wants_write(f->conn))
                        fd.events |= POLLOUT;
                assert_int_equal(poll(&fd, 1, 20000), 1);
        }
}

static int fixture_store(Fixture *f) {
        const DbBatch batch = fixture_batch(f);
        int r = db_store_begin(f->store, &batch);

        if (r == 0)
                r = store_wait(f);
        if (r != 0)
                print_message("%s %s\n", db_conn_sqlstate(f->conn), db_conn_error(f->conn));
        if (r == 0)
                f->position = batch.seq;
        return r;
}

static int fixture_recall(Fixture *f) {
        const DbBatch batch = fixture_batch(f);

        return db_store_recall(f->store, &batch);
}

/* Sends the batch again until it is known to be in. */
static void fixture_recover(Fixture *f, uint64_t before) {
        const DbBatch batch = fixture_batch(f);
        uint64_t target = before + f->n_records;

        fixture_open(f);
        if (f->position == target)
                return;
        assert_int_equal(f->position, before);
        assert_int_equal(db_store_begin(f->store, &batch), 0);
        assert_int_equal(store_wait(f), 0);
        f->position = target;
}

static void test_every_kind_has_its_row(void **state) {
        Fixture f;
        Record *r;

        (void)state;
        fixture_init(&f);
        fixture_add(&f, KIND_RAW_LOG)->text = TEXT("GPS \xc3\xa4");
        r = fixture_add(&f, KIND_SENSOR_LOG);
        r->sensor.sensor_id = 5;
        r->data = TEXT("{\"temperature\":25.5}");
        r = fixture_add(&f, KIND_VEHICLE_LOG);
        r->vehicle_log = (VehicleRecord){ .battery_voltage = 12.6,
                                          .battery_current = (double)NAN,
                                          .rssi = -45,
                                          .latitude = -6.2088,
                                          .longitude = 106.8456,
                                          .heading = (double)NAN,
                                          .speed = 15.5,
                                          .mode = TEXT("AUTO"),
                                          .armed = 1,
                                          .guided = -1,
                                          .extra = TEXT("{\"x\":1}") };
        r->said_time = TEXT("12.5");
        r = fixture_add(&f, KIND_TELEMETRY);
        r->data = TEXT("{ \"a\" : 1.0,\"a\":2 }");
        r = fixture_add(&f, KIND_CAMERA_EVENT);
        r->camera = (CameraRecord){ .event_type = TEXT("face_detected"),
                                    .person_name = TEXT("John"),
                                    .confidence = 0.98 };
        r->data = TEXT("{\"person_name\":\"John\"}");
        r = fixture_add(&f, KIND_ALERT);
        r->device_id = 0;
        r->alert = (AlertRecord){ .severity = TEXT("critical"),
                                  .message = TEXT("low"),
                                  .latitude = 1.5,
                                  .longitude = (double)NAN,
                                  .extra = TEXT("{}") };
        r = fixture_add(&f, KIND_DEVICE_STATUS);
        r->late = true;
        r->status = (StatusRecord){ .status = TEXT("online"),
                                    .temperature = 25.1,
                                    .humidity = (double)NAN,
                                    .latitude = 10.7,
                                    .longitude = 106.6 };
        assert_int_equal(fixture_store(&f), 0);

        assert_string_equal(postgres_text("SELECT concat_ws('|', seq, device_id, status,"
                                          " temperature, coalesce(humidity, -1), latitude,"
                                          " longitude, late) FROM device_status_logs"),
                            "7|1|online|25.1|-1|10.7|106.6|t");
        assert_string_equal(postgres_text("SELECT r::text FROM raw_logs r"),
                            "(1,\"2025-10-18 12:00:00+00\",\"2025-10-18 11:59:58.5+00\",1,1,"
                            "\"GPS \xc3\xa4\",)");
        assert_string_equal(postgres_text("SELECT concat_ws('|', seq, vehicle_id, sensor_id, data)"
                                          " FROM sensor_logs"),
                            "2|1|5|{\"temperature\": 25.5}");
        assert_string_equal(postgres_text("SELECT r::text FROM vehicle_logs r"),
                            "(3,\"2025-10-18 12:00:00+00\",\"2025-10-18 11:59:58.5+00\",1,12.6,,"
                            "-45,-6.2088,106.8456,,15.5,1,t,,AUTO,,\"{\"\"x\"\": 1}\",12.5)");
        assert_string_equal(postgres_text("SELECT device_id || payload::text FROM telemetry"),
                            "1{ \"a\" : 1.0,\"a\":2 }");
        assert_string_equal(postgres_text("SELECT concat_ws('|', seq, device_id, event_type,"
                                          " person_name, confidence, data) FROM camera_events"),
                            "5|1|face_detected|John|0.98|{\"person_name\": \"John\"}");
        assert_string_equal(postgres_text("SELECT concat_ws('|', seq, vehicle_id, "
                                          "coalesce(device_id, -1),"
                                          " severity, coalesce(alert_type, '-'), message, latitude,"
                                          " coalesce(longitude, -1), extra) FROM alerts"),
                            "6|1|-1|critical|-|low|1.5|-1|{}");
        assert_int_equal(postgres_int("SELECT seq FROM journal_positions"), 7);
        assert_int_equal(postgres_int("SELECT stored FROM journal_positions"), 7);
        assert_int_equal(postgres_int("SELECT count(*) FROM sensors"), 1);
        fixture_done(&f);
}

static void test_detections_keep_the_good_and_set_the_bad_aside(void **state) {
        Detection items[] = {
                { .device_hash = "aa", .rssi = -55, .zone = "near", .time_us = NOON },
                { .device_hash = "bb",
                  .rssi = -80.5,
                  .zone = "far",
                  .time_us = NOON + 1,
                  .said_time = TEXT("soon") },
        };
        __typeof__(*((DetectionsRecord *)NULL)->set_aside) set_aside[] = {
                { .reason = REASON_OUT_OF_RANGE,
                  .bytes = TEXT("{\"rssi\":999}"),
                  .detail = TEXT("/detections/2/rssi: 999") },
        };
        Fixture f;
        Record *r;

        (void)state;
        fixture_init(&f);
        r = fixture_add(&f, KIND_BLE_DETECTIONS);
        r->detections = (DetectionsRecord){
                .items = items, .n_items = 2, .set_aside = (void *)set_aside, .n_set_aside = 1
        };
        assert_int_equal(fixture_store(&f), 0);

        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', item, device_hash,"
                                          " rssi, zone, device_time), ' ' ORDER BY item)"
                                          " FROM ble_detections"),
                            "0|aa|-55|near 1|bb|-80.5|far|soon");
        assert_string_equal(postgres_text("SELECT concat_ws('|', seq, item, reason, detail, topic,"
                                          " convert_from(payload, 'UTF8')) FROM dead_letters"),
                            "1|0|out_of_range|/detections/2/rssi: 999|a/topic|{\"rssi\":999}");
        fixture_done(&f);
}

static Record *fixture_add_detections(Fixture *f, Detection *items, size_t n, size_t n_bad) {
        static __typeof__(*((DetectionsRecord *)NULL)->set_aside) bad[] = {
                { REASON_WRONG_TYPE, TEXT("7"), TEXT("no object"), false },
                { REASON_OUT_OF_RANGE, TEXT("8"), TEXT("too many"), false },
        };
        Record *record = fixture_add(f, KIND_BLE_DETECTIONS);

        record->detections = (DetectionsRecord){
                .items = items,
                .n_items = n,
                .set_aside = bad,
                .n_set_aside = n_bad,
        };
        return record;
}

/* However many rows a message leaves, or none: it is one of those that are stored. */
static void test_what_was_written_is_counted_by_messages(void **state) {
        Detection items[] = {
                { .device_hash = "aa", .rssi = -50, .zone = "near", .time_us = NOON },
                { .device_hash = "bb", .rssi = -70, .zone = "far", .time_us = NOON },
        };
        Fixture f;

        (void)state;
        fixture_init(&f);
        (void)fixture_add_detections(&f, items, 2, 0);
        (void)fixture_add_detections(&f, items, 2, 2);
        (void)fixture_add_detections(&f, NULL, 0, 2);
        (void)fixture_add_detections(&f, NULL, 0, 0);
        fixture_add(&f, KIND_RAW_LOG)->reason = REASON_BAD_UTF8;
        fixture_add(&f, KIND_COMMAND_ACK)->ack =
                (AckRecord){ .command_id = TEXT("none"), .status = TEXT("ok") };
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT stored FROM journal_positions"), 6);
        fixture_done(&f);
}

/* A trigger of somebody's that swallows rows, which is no error for anybody. */
static void test_what_was_not_written_is_not_counted(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS"
                     " 'BEGIN IF NEW.seq = 3 THEN RETURN NULL; END IF; RETURN NEW; END';"
                     "CREATE TRIGGER swallow BEFORE INSERT ON raw_logs FOR EACH ROW"
                     " EXECUTE FUNCTION swallow()");
        fixture_add_raw_logs(&f, 5);
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT seq - stored FROM journal_positions"), 1);
        fixture_done(&f);
}

static void test_what_is_there_is_counted_and_not_written_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        f.records[1].is_there = true;
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 2);
        assert_int_equal(postgres_int("SELECT stored FROM journal_positions"), 3);
        fixture_done(&f);
}

static void test_dead_letter_takes_any_bytes(void **state) {
        Fixture f;
        Record *r;

        (void)state;
        fixture_init(&f);
        r = fixture_add(&f, KIND_TELEMETRY);
        r->reason = REASON_BAD_UTF8;
        r->topic = (Text){ "a\0b\xff\xc3\xa4\xed\xa0\x80", 9 };
        r->detail = TEXT("\xf5");
        r->payload = (Text){ "\0\xff", 2 };
        r = fixture_add(&f, KIND_NONE);
        r->reason = REASON_NO_ROUTE;
        r->topic = r->payload = (Text){ 0 };
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', reason, topic, detail,"
                                          " encode(payload, 'hex')), ' ' ORDER BY seq) FROM "
                                          "dead_letters"),
                            "bad_utf8|a?b?\xc3\xa4???|?|00ff no_route||");
        fixture_done(&f);
}

static void fixture_state(Fixture *f, int64_t device_id, int64_t time_us, double temperature) {
        DbStateRow *row = &f->states[f->n_states++];

        *row = (DbStateRow){ .device_id = device_id,
                             .state = { .status = "online",
                                        .last_seen_us = NOON,
                                        .time_us = time_us,
                                        .clock_set_us = CLOCK_UNKNOWN,
                                        .status_us = time_us,
                                        .temperature = temperature,
                                        .humidity = (double)NAN,
                                        .latitude = (double)NAN,
                                        .longitude = (double)NAN } };
}

/* By its code where it is known, else as the message calls it. */
static void test_dead_letter_says_its_route_and_what_it_is_about(void **state) {
        Fixture f;
        Record *r;

        (void)state;
        fixture_init(&f);
        for (size_t i = 0; i < 4; ++i) {
                r = fixture_add(&f, i == 3 ? KIND_COMMAND_ACK : KIND_TELEMETRY);
                r->reason = i == 3 ? REASON_NONE : REASON_WRONG_OWNER;
                r->route = i == 2 ? NULL : "telemetry";
                r->device_id = i == 0 || i == 3;
                r->vehicle_id = i == 1;
                r->device = i == 0 ? TEXT("id:1") : i == 2 ? TEXT("who\xff") : (Text){ 0 };
                r->ack = (AckRecord){ .command_id = TEXT("none"), .status = TEXT("ok") };
        }
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', seq, route, device),"
                                          " ' ' ORDER BY seq) FROM dead_letters"),
                            "1|telemetry|d1 2|telemetry|v1 3|who? 4|telemetry|d1");
        fixture_done(&f);
}

static Record *fixture_add_noted(Fixture *f, RecordNote *notes, size_t n) {
        Record *record = fixture_add(f, KIND_TELEMETRY);

        record->data = TEXT("{}");
        record->route = "telemetry";
        record->notes = notes;
        record->n_notes = n;
        return record;
}

static void test_what_was_set_aside_is_noted_beside_the_row(void **state) {
        RecordNote notes[] = {
                { .member = TEXT("/latitude"),
                  .reason = REASON_OUT_OF_RANGE,
                  .detail = TEXT("not within -90 .. 90: 91") },
                { .member = TEXT("/a\xff"), .reason = REASON_WRONG_TYPE },
        };
        Fixture f;
        Record *r;

        (void)state;
        fixture_init(&f);
        r = fixture_add_noted(&f, notes, 2);
        r->vehicle_id = 0;
        r = fixture_add_noted(&f, notes, 1);
        r->device_id = 0;
        r = fixture_add_noted(&f, notes, 1); /* a letter: there is no row to note it beside */
        r->reason = REASON_WRONG_OWNER;
        r = fixture_add_noted(&f, notes, 1);
        r->is_there = true;
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(
                postgres_text("SELECT string_agg(concat_ws('|', seq, kind, topic, route, 'd' ||"
                              " device_id, 'v' || vehicle_id, member, reason, detail), ' ' ORDER"
                              " BY id) FROM row_notes"),
                "1|telemetry|a/topic|telemetry|d1|/latitude|out_of_range|not within -90 .. 90: 91"
                " 1|telemetry|a/topic|telemetry|d1|/a?|wrong_type"
                " 2|telemetry|a/topic|telemetry|v1|/latitude|out_of_range|not within -90 .. 90: "
                "91");
        assert_int_equal(postgres_int("SELECT stored FROM journal_positions"), 4);
        assert_int_equal(postgres_int("SELECT count(*) FROM telemetry"), 2);
        fixture_done(&f);
}

static void check_notes(Fixture *f, const char *expected) {
        assert_int_equal(fixture_store(f), 0);
        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', day, device_id,"
                                          " vehicle_id, kept, left_out), ' ' ORDER BY 1) ||"
                                          " (SELECT '=' || count(*) FROM row_notes) FROM (SELECT"
                                          " * FROM row_note_days ORDER BY 1, 2, 3) d"),
                            expected);
}

/* Of each thing and day, also within one batch. */
static void test_so_many_notes_are_kept_and_the_rest_is_counted(void **state) {
        RecordNote notes[] = { { .member = TEXT("/a"), .reason = REASON_WRONG_TYPE },
                               { .member = TEXT("/b"), .reason = REASON_WRONG_TYPE } };
        Fixture f;

        (void)state;
        fixture_init(&f);
        db_store_limit_notes(f.store, 3);
        fixture_open(&f);
        (void)fixture_add_noted(&f, notes, 2);
        check_notes(&f, "2025-10-18|1|1|2|0=2");
        f.n_records = 0;
        (void)fixture_add_noted(&f, notes, 2);
        fixture_add_noted(&f, notes, 1)->device_id = 2;
        fixture_add_noted(&f, notes, 1)->received_us = NOON + CLOCK_DAY_US;
        check_notes(&f, "2025-10-18|1|1|3|1 2025-10-18|2|1|1|0 2025-10-19|1|1|1|0=5");
        fixture_done(&f);
}

static void test_older_state_never_overwrites_newer(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_state(&f, 1, NOON, 20);
        f.states[0].state.humidity = 60;
        fixture_state(&f, 99, NOON, 1); /* deleted meanwhile */
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM device_states"), 1);

        f.n_states = 0;
        fixture_state(&f, 1, NOON - 1000000, 10);
        f.states[0].state.last_seen_us = NOON + 5000000;
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT concat_ws('|', status, temperature, humidity,"
                                          " time, last_seen) FROM device_states"),
                            "online|20|60|2025-10-18 12:00:00+00|2025-10-18 12:00:05+00");

        f.n_states = 0;
        fixture_state(&f, 1, NOON + 1000000, 30); /* humidity unknown: keeps the stored one */
        assert_int_equal(fixture_store(&f), 0);
        f.n_states = 0;
        fixture_state(&f, 1, CLOCK_UNKNOWN, (double)NAN); /* any other message */
        f.states[0].state.status[0] = '\0';
        f.states[0].state.last_seen_us = NOON + 9000000;
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT concat_ws('|', status, temperature, humidity,"
                                          " time, last_seen) FROM device_states"),
                            "online|30|60|2025-10-18 12:00:01+00|2025-10-18 12:00:09+00");
        f.states[0].state.status_us = NOON + 9000000; /* none of a later time: no more */
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT concat_ws('|', coalesce(status, 'none'),"
                                          " temperature, humidity) FROM device_states"),
                            "none|30|60");
        fixture_done(&f);
}

/* Else a status that is no more late for us would be late for the table for ever. */
static void test_a_clock_that_was_set_back_overwrites_what_it_said_before(void **state) {
        static const char row[] = "SELECT concat_ws('|', temperature, time, clock, clock_offset,"
                                  " clock_set_at) FROM device_states";
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_state(&f, 1, NOON, 20);
        f.states[0].state.clock = (DeviceClock){ .verdict = CLOCK_BEHIND, .offset_us = -1500499 };
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text(row), "20|2025-10-18 12:00:00+00|behind|-1500");

        f.n_states = 0;
        fixture_state(&f, 1, NOON - 3600000000, 30);
        f.states[0].state.clock = (DeviceClock){ .verdict = CLOCK_NONE };
        f.states[0].state.clock_set_us = NOON + 1000000;
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text(row),
                            "30|2025-10-18 11:00:00+00|no_clock|2025-10-18 12:00:01+00");

        f.n_states = 0;
        fixture_state(&f, 1, NOON - 3600000001, 40); /* older, and the clock is as it was */
        f.states[0].state.clock_set_us = NOON + 1000000;
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text(row), /* nothing is known of it: as before */
                            "30|2025-10-18 11:00:00+00|no_clock|2025-10-18 12:00:01+00");
        fixture_done(&f);
}

static Record *fixture_ack(Fixture *f, const char *id, const char *status) {
        Record *r = fixture_add(f, KIND_COMMAND_ACK);

        r->ack = (AckRecord){ .command_id = text_of(id), .status = text_of(status) };
        return r;
}

static void test_acknowledgement_finds_its_command(void **state) {
        Record *foreign, *unknown;
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run("INSERT INTO commands (command_id, device_id, action, state) VALUES"
                     " ('c1', 1, 'A', 'published'), ('c2', 1, 'A', 'published'),"
                     " ('c3', 2, 'A', 'published'), ('c4', 1, 'A', 'done'),"
                     " ('c5', 1, 'A', 'published')");
        fixture_ack(&f, "c1", "executing");
        fixture_ack(&f, "c1", "ok");
        fixture_ack(&f, "c2", "error")->ack.message = TEXT("jammed");
        foreign = fixture_ack(&f, "c3", "ok");
        fixture_ack(&f, "c4", "executing");
        fixture_ack(&f, "c5", "executing");
        unknown = fixture_ack(&f, "none", "ok");
        assert_int_equal(fixture_store(&f), 0);

        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', state, message), ' '"
                                          " ORDER BY command_id) FROM commands"),
                            "done failed|jammed published done executing");
        assert_int_equal(foreign->reason, REASON_UNKNOWN_COMMAND);
        assert_int_equal(unknown->reason, REASON_UNKNOWN_COMMAND);
        assert_int_equal(f.records[0].reason, REASON_NONE);
        assert_string_equal(postgres_text("SELECT string_agg(concat_ws('|', seq, reason, topic),"
                                          " ' ' ORDER BY seq) FROM dead_letters"),
                            "4|unknown_command|a/topic 7|unknown_command|a/topic");
        fixture_done(&f);
}

static Record *fixture_command_state(Fixture *f, const char *id, const char *state) {
        Record *r = fixture_add(f, KIND_COMMAND_STATE);

        r->ack = (AckRecord){ .command_id = text_of(id), .state = text_of(state) };
        return r;
}

static void test_commands_only_move_forward_and_each_step_is_an_event(void **state) {
        static const char *const said[] = { "published", "delivered", "published", "executing",
                                            "delivered", "done",      "failed",    "expired" };
        static const bool moves[] = { true, true, false, true, false, true, false, false };
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run("INSERT INTO commands (command_id, device_id, action) VALUES"
                     " ('c1', 1, 'A'), ('c2', 1, 'A'), ('c3', 1, 'A')");
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                fixture_command_state(&f, "c1", said[i]);
        fixture_command_state(&f, "c2", "published");
        assert_int_equal(fixture_store(&f), 0);
        for (size_t i = 0; i < N_ELEMENTS(said); ++i)
                assert_int_equal(f.records[i].unchanged, !moves[i]);
        assert_string_equal(postgres_text("SELECT string_agg(seq || state, ' ' ORDER BY seq)"
                                          " FROM command_events WHERE command_id = 'c1'"),
                            "1published 2delivered 4executing 6done");
        assert_string_equal(postgres_text("SELECT concat_ws('|', state, finished_at, delivered_at)"
                                          " FROM commands WHERE command_id = 'c1'"),
                            "done|2025-10-18 12:00:00+00|2025-10-18 12:00:00+00");

        f.n_records = 0; /* and from one batch to the next */
        fixture_command_state(&f, "c1", "expired");
        fixture_command_state(&f, "c2", "published");
        fixture_command_state(&f, "c2", "expired");
        fixture_command_state(&f, "c3", "expired");
        assert_int_equal(fixture_store(&f), 0);
        assert_true(f.records[0].unchanged);
        assert_true(f.records[1].unchanged);
        assert_false(f.records[2].unchanged);
        assert_string_equal(postgres_text("SELECT string_agg(state, ' ' ORDER BY command_id)"
                                          " FROM commands"),
                            "done expired expired");
        assert_int_equal(postgres_int("SELECT count(*) FROM command_events"), 7);
        assert_int_equal(postgres_int("SELECT count(*) FROM dead_letters"), 0);
        fixture_done(&f);
}

/* The answers of a transaction that got in were lost: the next connection knows them all the same.
 */
static void test_what_the_store_said_of_commands_can_be_read_afterwards(void **state) {
        static const bool unknown[] = { false, false, true, false, false, true };
        static const bool unchanged[] = { false, true, false, false, false, false };
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run("INSERT INTO commands (command_id, device_id, action) VALUES ('c1', 1, 'A'),"
                     " ('c2', 2, 'A')");
        fixture_ack(&f, "c1", "ok");
        fixture_command_state(&f, "c1", "published");
        fixture_ack(&f, "none", "ok");
        fixture_add_raw_logs(&f, 1);
        fixture_command_state(&f, "c2", "delivered")->device_id = 2;
        fixture_ack(&f, "c2", "ok");
        assert_int_equal(fixture_store(&f), 0);
        for (size_t i = 0; i < f.n_records; ++i) {
                f.records[i].reason = REASON_NONE;
                f.records[i].unchanged = false;
        }
        assert_int_equal(fixture_recall(&f), 0);
        for (size_t i = 0; i < f.n_records; ++i) {
                assert_int_equal(f.records[i].reason,
                                 unknown[i] ? REASON_UNKNOWN_COMMAND : REASON_NONE);
                assert_int_equal(f.records[i].unchanged, unchanged[i]);
        }
        fixture_done(&f);
}

static void test_a_cancelled_command_ends_as_that_or_as_its_device_says(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run(
                "INSERT INTO commands (command_id, device_id, action, state, cancelled_at)"
                " VALUES ('c1', 1, 'A', 'accepted', now()), ('c2', 1, 'A', 'published', now()),"
                " ('c3', 1, 'A', 'published', now())");
        fixture_command_state(&f, "c1", "published");
        fixture_command_state(&f, "c1", "delivered");
        fixture_ack(&f, "c1", "executing");
        fixture_command_state(&f, "c1", "cancelled");
        fixture_command_state(&f, "c1", "cancelled");
        fixture_command_state(&f, "c1", "delivered");
        fixture_ack(&f, "c2", "ok");
        fixture_command_state(&f, "c2", "cancelled");
        fixture_command_state(&f, "c3", "cancelled");
        assert_int_equal(fixture_store(&f), 0);
        f.n_records = 0; /* and from one batch to the next */
        fixture_ack(&f, "c1", "executing");
        fixture_ack(&f, "c3", "error");
        fixture_ack(&f, "c3", "ok");
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text("SELECT string_agg(command_id || state, ' '"
                                          " ORDER BY command_id, state) FROM command_events"),
                            "c1cancelled c2done c3cancelled c3failed");
        assert_string_equal(postgres_text("SELECT string_agg(state, ' ' ORDER BY command_id)"
                                          " FROM commands"),
                            "cancelled done failed");
        fixture_done(&f);
}

static void test_bad_row_rolls_everything_back_and_may_be_left_out(void **state) {
        static const char *const poisons[] = {
                "{\"a\":1e400000}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\ud800\"}", "not json"
        };
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (size_t i = 0; i < N_ELEMENTS(poisons); ++i) {
                Record *r;

                f.n_records = 0;
                fixture_add_raw_logs(&f, 2);
                r = fixture_add(&f, KIND_SENSOR_LOG);
                r->data = text_of(poisons[i]);
                fixture_ack(&f, "none", "ok");
                assert_int_equal(fixture_store(&f), DB_E_REJECTED);
                assert_memory_equal(db_conn_sqlstate(f.conn), "22", 2);
                assert_true(db_conn_is_open(f.conn));
                assert_int_equal(f.records[3].reason, REASON_NONE);
        }
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 0);
        assert_int_equal(postgres_int("SELECT seq FROM journal_positions"), 0);

        f.n_records = 2;
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 2);
        fixture_done(&f);
}

static void test_deep_json_is_the_rows_fault(void **state) {
        enum { DEPTH = 100000 };
        static char deep[2 * DEPTH];
        Fixture f;

        (void)state;
        fixture_init(&f);
        memset(deep, '[', DEPTH);
        memset(deep + DEPTH, ']', DEPTH);
        fixture_add(&f, KIND_SENSOR_LOG)->data = (Text){ deep, sizeof(deep) };
        assert_int_equal(fixture_store(&f), DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(f.conn), "54001");
        fixture_done(&f);
}

static int fixture_try(Fixture *f, size_t i) {
        DbBatch batch = { .records = &f->pointers[i], .n_records = 1, .is_trial = true };

        assert_int_equal(db_store_begin(f->store, &batch), 0);
        return store_wait(f);
}

/* Whether it is the row, or the table, or neither; and a trial leaves nothing behind. */
static void test_trial_tells_a_row_from_a_table(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add(&f, KIND_SENSOR_LOG)->data = TEXT("{}");
        fixture_add(&f, KIND_SENSOR_LOG)->data = TEXT("bad");
        for (int i = 0; i < 2; ++i) { /* of an empty table, and of one with a row */
                assert_int_equal(fixture_try(&f, 0), DB_E_PASSED);
                assert_int_equal(fixture_try(&f, 1), DB_E_REJECTED);
                postgres_run("ALTER TABLE sensor_logs ADD CONSTRAINT nothing CHECK (seq < 0)"
                             " NOT VALID");
                assert_int_equal(fixture_try(&f, 0), DB_E_REFUSED);
                assert_int_equal(fixture_try(&f, 1), DB_E_REFUSED);
                assert_string_equal(db_conn_sqlstate(f.conn), "23514");
                postgres_run("ALTER TABLE sensor_logs DROP CONSTRAINT nothing");
                assert_int_equal(postgres_int("SELECT count(*) FROM sensor_logs"), i);
                assert_int_equal(postgres_int("SELECT count(*) FROM sensors"), i);
                f.n_records = 1;
                if (i == 0)
                        assert_int_equal(fixture_store(&f), 0);
        }
        fixture_done(&f);
}

static void test_refused_state_is_told_from_refused_rows(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 1);
        f.states[0] = (DbStateRow){ .device_id = 1, .state = { .temperature = 1001 } };
        f.n_states = 1;
        assert_int_equal(fixture_store(&f), DB_E_STATES);
        f.n_states = 0;
        assert_int_equal(fixture_store(&f), 0);
        fixture_done(&f);
}

static void test_sensor_is_made_again_after_a_roll_back(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add(&f, KIND_SENSOR_LOG)->data = TEXT("{}");
        fixture_add(&f, KIND_SENSOR_LOG)->data = TEXT("bad");
        assert_int_equal(fixture_store(&f), DB_E_REJECTED);
        f.n_records = 1;
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM sensors"), 1);
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM sensor_logs"), 2);
        fixture_done(&f);
}

static void test_second_writer_fences_the_first(void **state) {
        DbStore *other = NULL;
        DbConn *conn;
        uint64_t seq = 1, floor;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        assert_int_equal(fixture_store(&f), 0);

        conn = postgres_connect(5000);
        assert_int_equal(db_store_new(&other, conn, "00000000000000aa"), 0);
        assert_int_equal(db_store_open(other, NULL, &seq, &floor), 0);
        assert_int_equal(seq, 3);
        assert_int_equal(fixture_store(&f), DB_E_FENCED);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 3);
        db_store_free(other);
        db_conn_free(conn);
        fixture_done(&f);
}

static void test_other_epochs_do_not_meet(void **state) {
        DbStore *other = NULL;
        DbConn *conn;
        uint64_t seq = 1, floor;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        conn = postgres_connect(5000);
        assert_int_equal(db_store_new(&other, conn, "00000000000000bb"), 0);
        assert_int_equal(db_store_open(other, NULL, &seq, &floor), 0);
        assert_int_equal(seq, 0);
        assert_int_equal(fixture_store(&f), 0);
        db_store_free(other);
        db_conn_free(conn);
        fixture_done(&f);
}

static void test_trouble_of_the_server_is_not_the_rows_fault(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        assert_int_equal(fixture_store(&f), 0); /* the partition is there */

        assert_int_equal(db_conn_script(f.conn, "SET default_transaction_read_only = on"), 0);
        assert_int_equal(fixture_store(&f), DB_E_OFFLINE);
        assert_string_equal(db_conn_sqlstate(f.conn), "25006");
        assert_false(db_conn_is_open(f.conn));

        fixture_open(&f);
        postgres_run("ALTER TABLE raw_logs RENAME TO hidden");
        assert_int_equal(fixture_store(&f), DB_E_REFUSED);
        postgres_run("ALTER TABLE hidden RENAME TO raw_logs");

        assert_int_equal(db_conn_script(f.conn, "SET statement_timeout = 50"), 0);
        postgres_run("BEGIN; LOCK TABLE raw_logs");
        assert_int_equal(fixture_store(&f), DB_E_REFUSED);
        assert_string_equal(db_conn_sqlstate(f.conn), "57014");
        postgres_run("ROLLBACK");
        assert_true(db_conn_is_open(f.conn));
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 6);
        fixture_done(&f);
}

static void test_partitions_are_made_for_the_days_of_the_batch(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        f.records[1].received_us = NOON + CLOCK_DAY_US;
        f.records[2].received_us = -1; /* 1969-12-31 */
        assert_int_equal(fixture_store(&f), 0);
        assert_string_equal(postgres_text(
                                    "SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY seq)"
                                    " FROM raw_logs"),
                            "raw_logs_20251018 raw_logs_20251019 raw_logs_19691231");

        postgres_run("DROP TABLE raw_logs_20251018"); /* retention, behind our back */
        assert_int_equal(fixture_store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 5);
        fixture_done(&f);
}

/* A batch that touches every table, so that there is something to be killed in at each step. */
static void fixture_add_all(Fixture *f) {
        static Detection item = { .device_hash = "aa", .rssi = -55, .zone = "near" };
        Record *r;

        fixture_add(f, KIND_RAW_LOG)->text = TEXT("x");
        r = fixture_add(f, KIND_SENSOR_LOG);
        r->data = TEXT("{}");
        fixture_add(f, KIND_VEHICLE_LOG);
        r = fixture_add(f, KIND_BLE_DETECTIONS);
        item.time_us = NOON;
        r->detections = (DetectionsRecord){ .items = &item, .n_items = 1 };
        fixture_add(f, KIND_TELEMETRY)->data = TEXT("{}");
        fixture_add(f, KIND_CAMERA_EVENT)->camera.event_type = TEXT("face_detected");
        fixture_add(f, KIND_ALERT)->alert.severity = TEXT("info");
        fixture_ack(f, "none", "ok");
        fixture_add(f, KIND_NONE)->reason = REASON_NO_ROUTE;
        f->n_states = 0;
        fixture_state(f, 1, NOON, 20);
}

static const char count_rows[] =
        "SELECT concat_ws(' ', (SELECT count(*) FROM raw_logs), (SELECT count(*) FROM sensor_logs),"
        " (SELECT count(*) FROM vehicle_logs), (SELECT count(*) FROM ble_detections),"
        " (SELECT count(*) FROM telemetry), (SELECT count(*) FROM camera_events),"
        " (SELECT count(*) FROM alerts), (SELECT count(*) FROM dead_letters),"
        " (SELECT unknown_faces FROM camera_days))";

static const char kill_writer[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                  " WHERE application_name = 'tidegate/test'";

static const char writer_waits[] = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE"
                                   " application_name = 'tidegate/test'"
                                   " AND wait_event_type = 'Lock')";

static void test_backend_killed_at_each_step_stores_once(void **state) {
        static const char *const steps[] = {
                "journal_positions", "sensors",        "raw_logs",     "sensor_logs",
                "vehicle_logs",      "ble_detections", "telemetry",    "camera_events",
                "camera_days",       "alerts",         "dead_letters", "device_states"
        };
        char sql[128], expected[128];
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_all(&f);
        assert_int_equal(fixture_store(&f), 0);
        for (size_t i = 0; i < N_ELEMENTS(steps); ++i) {
                const DbBatch batch = fixture_batch(&f);
                uint64_t before = f.position;

                for (size_t k = 0; k < f.n_records; ++k)
                        if (f.records[k].kind == KIND_COMMAND_ACK)
                                f.records[k].reason = REASON_NONE;
                f.records[1].sensor.sensor_id = (int32_t)i + 1;
                snprintf(sql, sizeof(sql), "BEGIN; LOCK TABLE %s", steps[i]);
                postgres_run(sql);
                assert_int_equal(db_store_begin(f.store, &batch), 0);
                postgres_wait(writer_waits);
                assert_int_equal(db_store_poll(f.store), DB_E_BUSY);
                postgres_run(kill_writer);
                assert_int_equal(store_wait(&f), DB_E_OFFLINE);
                postgres_run("ROLLBACK");
                fixture_recover(&f, before);
                snprintf(expected,
                         sizeof(expected),
                         "%zu %zu %zu %zu %zu %zu %zu %zu %zu",
                         i + 2,
                         i + 2,
                         i + 2,
                         i + 2,
                         i + 2,
                         i + 2,
                         i + 2,
                         2 * (i + 2),
                         i + 2);
                assert_string_equal(postgres_text(count_rows), expected);
        }
        fixture_done(&f);
}

static void test_batch_that_committed_unseen_is_not_sent_again(void **state) {
        DbBatch batch;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 500);
        assert_int_equal(fixture_store(&f), 0); /* the partition is there */
        batch = fixture_batch(&f);
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        while (db_conn_wants_write(f.conn))
                (void)!db_conn_flush(f.conn);
        postgres_wait("SELECT seq = 1000 FROM journal_positions");
        db_conn_disconnect(f.conn); /* never read the answer */
        fixture_recover(&f, 500);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 1000);
        fixture_done(&f);
}

static void test_a_day_that_cannot_be_made_now_holds_up_nobody(void **state) {
        DbBatch batch;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 3);
        batch = fixture_batch(&f);
        postgres_run("BEGIN; LOCK TABLE alerts");
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        postgres_wait(writer_waits);
        assert_int_equal(db_store_poll(f.store), DB_E_BUSY);
        postgres_run("ROLLBACK");
        assert_int_equal(store_wait(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 3);
        fixture_done(&f);
}

/* The old connection is cut while its batch waits inside the server; the new one must know how
 * that ends before it sends anything. */
static void test_batch_left_behind_on_the_server_is_waited_for(void **state) {
        DbBatch batch;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 5);
        assert_int_equal(fixture_store(&f), 0);

        batch = fixture_batch(&f);
        postgres_run("BEGIN; LOCK TABLE raw_logs");
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        postgres_wait(writer_waits);
        db_conn_disconnect(f.conn); /* the backend does not notice: it waits for the lock */
        postgres_run("ROLLBACK");
        fixture_recover(&f, 5);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 10);
        assert_int_equal(postgres_int("SELECT seq FROM journal_positions"), 10);
        fixture_done(&f);
}

static void test_restarted_server_stores_once(void **state) {
        DbBatch batch;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 100);
        batch = fixture_batch(&f);
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        postgres_server("restart");
        switch (store_wait(&f)) {
        case 0:
                f.position = 100;
                break;
        case DB_E_OFFLINE:
                fixture_recover(&f, 0);
                break;
        default:
                fail();
        }
        if (!db_conn_is_open(f.conn))
                fixture_open(&f);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 100);

        postgres_server("stop");
        assert_int_equal(fixture_store(&f), DB_E_OFFLINE);
        assert_int_equal(db_conn_connect_wait(f.conn, 5000), DB_E_OFFLINE);
        postgres_server("start");
        fixture_recover(&f, 100);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 200);
        fixture_done(&f);
}

static void test_stopped_server_is_left_and_found_again(void **state) {
        DbBatch batch;
        Fixture f;

        (void)state;
        fixture_init(&f);
        fixture_add_raw_logs(&f, 1000);
        assert_int_equal(fixture_store(&f), 0);

        postgres_server("pause");
        batch = fixture_batch(&f);
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        for (int i = 0; i < 20; ++i)
                assert_int_equal(db_store_poll(f.store), DB_E_BUSY);
        db_conn_disconnect(f.conn);
        assert_int_equal(db_conn_connect_wait(f.conn, 50), DB_E_OFFLINE);
        postgres_server("resume");
        fixture_recover(&f, 1000);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 2000);
        fixture_done(&f);
}

static void test_empty_batch_moves_the_position(void **state) {
        DbBatch batch = { .seq = 42 };
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(db_store_begin(f.store, &batch), 0);
        assert_int_equal(store_wait(&f), 0);
        assert_int_equal(postgres_int("SELECT seq FROM journal_positions"), 42);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_kind_has_its_row),
                cmocka_unit_test(test_detections_keep_the_good_and_set_the_bad_aside),
                cmocka_unit_test(test_what_was_written_is_counted_by_messages),
                cmocka_unit_test(test_what_was_not_written_is_not_counted),
                cmocka_unit_test(test_what_is_there_is_counted_and_not_written_again),
                cmocka_unit_test(test_dead_letter_takes_any_bytes),
                cmocka_unit_test(test_dead_letter_says_its_route_and_what_it_is_about),
                cmocka_unit_test(test_what_was_set_aside_is_noted_beside_the_row),
                cmocka_unit_test(test_so_many_notes_are_kept_and_the_rest_is_counted),
                cmocka_unit_test(test_a_clock_that_was_set_back_overwrites_what_it_said_before),
                cmocka_unit_test(test_older_state_never_overwrites_newer),
                cmocka_unit_test(test_acknowledgement_finds_its_command),
                cmocka_unit_test(test_commands_only_move_forward_and_each_step_is_an_event),
                cmocka_unit_test(test_what_the_store_said_of_commands_can_be_read_afterwards),
                cmocka_unit_test(test_a_cancelled_command_ends_as_that_or_as_its_device_says),
                cmocka_unit_test(test_bad_row_rolls_everything_back_and_may_be_left_out),
                cmocka_unit_test(test_deep_json_is_the_rows_fault),
                cmocka_unit_test(test_trial_tells_a_row_from_a_table),
                cmocka_unit_test(test_refused_state_is_told_from_refused_rows),
                cmocka_unit_test(test_sensor_is_made_again_after_a_roll_back),
                cmocka_unit_test(test_second_writer_fences_the_first),
                cmocka_unit_test(test_other_epochs_do_not_meet),
                cmocka_unit_test(test_trouble_of_the_server_is_not_the_rows_fault),
                cmocka_unit_test(test_partitions_are_made_for_the_days_of_the_batch),
                cmocka_unit_test(test_a_day_that_cannot_be_made_now_holds_up_nobody),
                cmocka_unit_test(test_backend_killed_at_each_step_stores_once),
                cmocka_unit_test(test_batch_that_committed_unseen_is_not_sent_again),
                cmocka_unit_test(test_batch_left_behind_on_the_server_is_waited_for),
                cmocka_unit_test(test_restarted_server_stores_once),
                cmocka_unit_test(test_stopped_server_is_left_and_found_again),
                cmocka_unit_test(test_empty_batch_moves_the_position),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
