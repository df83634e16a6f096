/*
 * bench-store: messages a second through DbStore into a migrated database, one batch after another.
 *
 * tests/unit/with-postgres build/tests/bench/bench-store [MESSAGES] — with-postgres turns fsync off
 * unless TIDEGATE_TEST_PG_OPTIONS says `-c fsync=on`. Reported: messages/s, time a batch, CPU of
 * this process a message.
 */

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "db/migrate.h"
#include "db/write/store.h"

enum {
        MAX_BATCH = 1000,
        N_DEVICES = 1000, /* and vehicles */
};

typedef struct Bench Bench;

struct Bench {
        DbConn *conn;
        DbStore *store;
        Record records[MAX_BATCH];
        Record *pointers[MAX_BATCH];
        DbStateRow states[MAX_BATCH];
        uint64_t seq;
};

static const char fleet[] =
        "INSERT INTO devices (code) SELECT 'd' || i FROM generate_series(1, 1000) i;"
        "INSERT INTO vehicles (code) SELECT 'v' || i FROM generate_series(1, 1000) i";

static const char json[] =
        "{\"temperature\":25.5,\"humidity\":60.2,\"pressure\":1013.25,\"battery\":12.61,"
        "\"location\":{\"latitude\":-6.2088,\"longitude\":106.8456},\"status\":\"online\","
        "\"firmware\":\"1.4.2\",\"uptime\":86400,\"errors\":[],\"mode\":\"AUTO\","
        "\"timestamp\":\"2025-10-18T16:30:00.123Z\",\"note\":\"all is well on board today\"}";

static int64_t cpu_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int64_t next_id(uint64_t seq) {
        return (int64_t)(seq * 7919 % N_DEVICES) + 1;
}

static void fill_record(Record *record, Kind kind, uint64_t seq, int64_t now_us) {
        *record = (Record){
                .seq = seq,
                .received_us = now_us,
                .time_us = now_us - 1000,
                .kind = kind,
                .vehicle_id = next_id(seq),
                .device_id = next_id(seq),
                .data = text_of(json),
                .text = text_of("GPS initialized successfully, 12 satellites in view"),
                .sensor.sensor_id = 1,
        };
        if (kind == KIND_DEVICE_STATUS)
                record->status = (StatusRecord){ .status = TEXT("online"),
                                                 .temperature = 25.1,
                                                 .humidity = 60.2,
                                                 .latitude = -6.2088,
                                                 .longitude = 106.8456 };
        if (kind == KIND_VEHICLE_LOG)
                record->vehicle_log = (VehicleRecord){ .battery_voltage = 12.6,
                                                       .battery_current = 2.5,
                                                       .rssi = -45,
                                                       .latitude = -6.2088,
                                                       .longitude = 106.8456,
                                                       .heading = 45,
                                                       .speed = 15.5,
                                                       .mode = TEXT("AUTO"),
                                                       .system_status = TEXT("STANDBY"),
                                                       .armed = 1,
                                                       .guided = 0 };
}

static int store_batch(Bench *bench, Kind kind, size_t n, bool with_states) {
        int64_t now_us = clock_now_us();
        DbBatch batch = { .records = bench->pointers, .n_records = n, .states = bench->states };
        int r;

        for (size_t i = 0; i < n; ++i) {
                fill_record(&bench->records[i], kind, ++bench->seq, now_us);
                bench->states[i] = (DbStateRow){
                        .device_id = next_id(bench->seq),
                        .state = { .status = "online",
                                   .last_seen_us = now_us,
                                   .time_us = now_us,
                                   .temperature = 25,
                                   .humidity = 60,
                                   .latitude = -6.2,
                                   .longitude = 106.8 },
                };
        }
        batch.n_states = with_states ? n : 0;
        batch.seq = bench->seq;
        r = db_store_begin(bench->store, &batch);
        while (r == 0 && (r = db_store_poll(bench->store)) == DB_E_BUSY) {
                struct pollfd fd = { .fd = db_conn_fd(bench->conn), .events = POLLIN };

                if (db_conn_wants_write(bench->conn))
                        fd.events |= POLLOUT;
                (void)poll(&fd, 1, -1);
                r = 0;
        }
        return r;
}

static void measure(Bench *bench, Kind kind, bool with_states, size_t n_batch, size_t n) {
        int64_t begun_us, begun_cpu_us;
        double seconds, cpu;
        size_t n_done = 0;

        for (int i = 0; i < 20; ++i) /* warm up: partitions, plans, sensors */
                if (store_batch(bench, kind, n_batch, with_states) != 0)
                        abort();
        begun_us = clock_mono_us();
        begun_cpu_us = cpu_us();
        for (; n_done < n; n_done += n_batch)
                if (store_batch(bench, kind, n_batch, with_states) != 0)
                        abort();
        seconds = (double)(clock_mono_us() - begun_us) / 1e6;
        cpu = (double)(cpu_us() - begun_cpu_us);
        printf("%-14s %-6s batch %4zu  %8.0f messages/s  %6.2f ms a batch  %5.2f us CPU a "
               "message\n",
               kind_name(kind),
               with_states ? "+state" : "",
               n_batch,
               (double)n_done / seconds,
               seconds * 1e3 * (double)n_batch / (double)n_done,
               cpu / (double)n_done);
}

int main(int argc, char *argv[]) {
        static const Kind kinds[] = {
                KIND_DEVICE_STATUS, KIND_RAW_LOG, KIND_SENSOR_LOG, KIND_VEHICLE_LOG, KIND_TELEMETRY
        };
        static const size_t sizes[] = { 10, 100, 500, 1000 };
        static Bench bench;
        size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
        int from, to;

        MUST(db_conn_new(&bench.conn,
                         &(DbConnOptions){ .url = getenv("TIDEGATE_TEST_DATABASE"),
                                           .name = "bench",
                                           .connect_timeout_ms = 10000 }));
        MUST(db_conn_connect_wait(bench.conn, 10000));
        MUST(db_migrate_up(bench.conn, &from, &to));
        MUST(db_conn_script(bench.conn, fleet));
        MUST(db_store_new(&bench.store, bench.conn, "bench"));
        MUST(db_store_open(bench.store, NULL, &bench.seq, &(uint64_t){ 0 }));
        for (size_t i = 0; i < MAX_BATCH; ++i)
                bench.pointers[i] = &bench.records[i];

        for (size_t k = 0; k < N_ELEMENTS(kinds); ++k)
                for (size_t s = 0; s < N_ELEMENTS(sizes); ++s)
                        measure(&bench, kinds[k], true, sizes[s], sizes[s] < 100 ? n / 5 : n);
        measure(&bench, KIND_TELEMETRY, false, 1000, n);
        measure(&bench, KIND_VEHICLE_LOG, false, 1000, n);
        measure(&bench, KIND_SENSOR_LOG, false, 1000, n);
        db_store_free(bench.store);
        db_conn_free(bench.conn);
        return 0;
}
