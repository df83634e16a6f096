/* Bench: what it costs to write one message, by dialect and kind; it is written once for all who
 * get it. Prints ns. */

#include <stdio.h>

#include "base/clock.h"
#include "model/registry.h"
#include "model/registry_delta.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/dialect.h"

#define ROUNDS 20000

#define LOG                                                                                      \
        TEXT("{\"battery_voltage\":12.6,\"battery_current\":2.5,\"rssi\":-45,\"mode\":\"AUTO\"," \
             "\"latitude\":-6.2088,\"longitude\":106.8456,\"heading\":45.0,\"armed\":true}")

#define STATE                                                                                     \
        {                                                                                         \
                .status = "online", .temperature = 25.1, .humidity = 60.2, .latitude = 10.762622, \
                .longitude = 106.660172, .last_seen_us = INT64_C(1800000000000000)                \
        }

static const struct {
        const WsDialect *dialect;
        Event event;
} cases[] = {
        { &ws_dialect_native, { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .data = LOG } },
        { &ws_dialect_native, { .kind = KIND_DEVICE_STATUS, .device_id = 1, .state = STATE } },
        { &ws_dialect_native,
          { .kind = KIND_ALERT,
            .device_id = 1,
            .severity = TEXT("warning"),
            .event_type = TEXT("battery"),
            .message = TEXT("11.1 V is below 11.4 V"),
            .data = TEXT("{}") } },
        { &ws_dialect_native, { .kind = KIND_BLE_DETECTIONS, .device_id = 1, .n_items = 3 } },
        { &ws_dialect_vehicles, { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .data = LOG } },
        { &ws_dialect_cameras,
          { .kind = KIND_CAMERA_EVENT,
            .device_id = 1,
            .event_type = TEXT("person_detected"),
            .data = TEXT("{}") } },
        { &ws_dialect_people_counter,
          { .kind = KIND_BLE_DETECTIONS, .device_id = 1, .n_items = 3 } },
        { &ws_dialect_device_hub, { .kind = KIND_DEVICE_STATUS, .device_id = 1 } },
};

static int bench_world(Registry **ret_registry) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        RegistryRow device = { .table = REGISTRY_DEVICE,
                               .device = { .id = 1,
                                           .key = "6f1c9d0e-5e5c-4a53-9b3c-0f2d6c1b7a10",
                                           .code = "gate-2",
                                           .name = "Gate 2",
                                           .is_active = true } };
        bool has_narrowed;
        int r;

        r = registry_new(ret_registry);
        if (r == 0)
                r = registry_delta_new(&delta, true);
        if (r == 0)
                r = registry_delta_add(delta, &device);
        if (r == 0)
                r = registry_apply(*ret_registry, delta, &has_narrowed);
        return r;
}

int main(void) {
        static WsLoop loop;
        WsOptions options = { .epoch = "0123456789abcdef" };
        CLEANUP(registry_free) Registry *registry = NULL;
        CLEANUP_BUF Buf buf = { 0 };
        int r = bench_world(&registry);

        loop.registry = registry;
        loop.options = &options;
        MUST(ws_numbers_open(&loop.numbers, options.epoch));
        printf("%-16s %-16s %6s %10s\n", "dialect", "kind", "bytes", "write/ns");
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(cases); ++i) {
                const WsDialect *dialect = cases[i].dialect;
                int64_t start_us = clock_mono_us();

                for (int n = 0; r == 0 && n < ROUNDS; ++n) {
                        buf_reset(&buf);
                        r = dialect->format(&loop, &cases[i].event, &buf);
                }
                printf("%-16s %-16s %6zu %10.1f\n",
                       dialect->name,
                       kind_name(cases[i].event.kind),
                       buf.n,
                       (double)(clock_mono_us() - start_us) * 1000 / ROUNDS);
        }
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
