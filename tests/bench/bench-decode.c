/* Bench: what one decode() costs, by kind; a message of about 300 bytes each. Prints µs. */

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_check.h"

#define ROUNDS  200000
#define RECEIVE INT64_C(1800000000000000)

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
        Kind kind;
        const char *payload;
} cases[] = {
        { KIND_DEVICE_STATUS,
          "{\"status\":\"online\",\"temperature\":25.1,\"humidity\":60.2,\"latitude\":10.762622,"
          "\"longitude\":106.660172,\"timestamp\":\"2025-10-18T16:30:00.123Z\",\"device_code\":"
          "\"sim-device-001\",\"firmware_version\":\"1.4.2\",\"name\":\"Device "
          "1\",\"product_type\":"
          "\"env-sensor\",\"uptime\":123456,\"is_active\":true,\"groups\":[{\"id\":3}]}" },
        { KIND_RAW_LOG, "GPS initialized successfully, 11 satellites, HDOP 0.8" },
        { KIND_SENSOR_LOG,
          "{\"sensor_id\":5,\"data\":{\"temperature\":21.1,\"humidity\":61.1,\"pressure\":1011.25,"
          "\"ts\":1760805000123456,\"seq\":1000000001},\"timestamp\":\"2026-10-18T16:30:01Z\"}" },
        { KIND_VEHICLE_LOG,
          "{\"battery_voltage\":12.6,\"battery_current\":2.5,\"rssi\":-45,\"mode\":\"AUTO\","
          "\"latitude\":-6.2088,\"longitude\":106.8456,\"heading\":45.0,\"armed\":true,\"guided\":"
          "false,\"system_status\":\"STANDBY\",\"speed\":15.5,\"seq\":1000000001}" },
        { KIND_VEHICLE_LOG,
          "{\"battery_voltage\":\"12.6\",\"battery_current\":\"2.5\",\"rssi\":\"-45\",\"mode\":"
          "\"AUTO\",\"latitude\":\"-6.2088\",\"longitude\":\"106.8456\",\"heading\":\"45.0\","
          "\"armed\":true,\"guided\":false,\"system_status\":\"STANDBY\",\"speed\":\"15.5\"}" },
        { KIND_BLE_DETECTIONS,
          "{\"device_id\":\"rpi-001\",\"timestamp\":\"2025-10-18T16:30:00Z\",\"detections\":["
          "{\"device_hash\":\"" HASH "\",\"rssi\":-55},{\"device_hash\":\"" HASH
          "\",\"rssi\":-71}]}" },
        { KIND_TELEMETRY,
          "{\"timestamp\":\"2025-10-18T16:30:00Z\",\"grid\":{\"voltage\":230.1,\"current\":4.2,"
          "\"power\":966.4,\"frequency\":50.01},\"battery\":{\"soc\":81.5,\"power\":-320.0},"
          "\"solar\":{\"power\":1286.4},\"mode\":\"SELF_CONSUMPTION\",\"faults\":[]}" },
};

static double microseconds(int64_t start_us) {
        return (double)(clock_mono_us() - start_us) / ROUNDS;
}

int main(void) {
        CLEANUP(arena_free) Arena *arena = NULL;
        Route route = { .max_bytes = 65536, .near_dbm = -60, .medium_dbm = -75 };
        TopicMatch match = { .device = TEXT("sim-device-001") };
        int r = arena_new(&arena, 65536);

        printf("%-16s %6s %10s %10s\n", "kind", "bytes", "check/us", "decode/us");
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(cases); ++i) {
                Record envelope = { .received_us = RECEIVE, .payload = text_of(cases[i].payload) };
                Record record;
                int64_t start_us = clock_mono_us();
                double check;

                route.kind = cases[i].kind;
                for (int n = 0; n < ROUNDS; ++n)
                        envelope.seq += json_check(envelope.payload);
                check = microseconds(start_us);

                start_us = clock_mono_us();
                for (int n = 0; r == 0 && n < ROUNDS; ++n) {
                        r = decode(arena, &route, &match, &envelope, &record);
                        if (n % 256 == 0)
                                arena_reset(arena);
                }
                printf("%-16s %6zu %10.3f %10.3f%s\n",
                       kind_name(route.kind),
                       envelope.payload.n,
                       check,
                       microseconds(start_us),
                       record.reason == REASON_NONE ? "" : " refused");
        }
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
