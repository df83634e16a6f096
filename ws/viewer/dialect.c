#include "ws/viewer/dialect.h"

#include "base/clock.h"
#include "base/json_out.h"

const WsDialect *const ws_dialect_all[] = {
        &ws_dialect_people_counter, &ws_dialect_energy,  &ws_dialect_device_hub,
        &ws_dialect_vehicles,       &ws_dialect_cameras, &ws_dialect_native,
        &ws_dialect_events,         &ws_dialect_poll,    &ws_dialect_uplink,
};
const size_t ws_dialect_n_all = N_ELEMENTS(ws_dialect_all);

const WsDialect *ws_dialect_find(Text path, Text *ret_target) {
        for (size_t i = 0; i < ws_dialect_n_all; ++i) {
                Text target = { 0 };

                if (!ws_dialect_all[i]->match(path, &target))
                        continue;
                *ret_target = target;
                return ws_dialect_all[i];
        }
        return NULL;
}

bool ws_dialect_match_level(Text path, Text prefix, Text *ret_target) {
        Text rest;

        if (path.n <= prefix.n || memcmp(path.data, prefix.data, prefix.n) != 0)
                return false;

        rest = (Text){ .data = path.data + prefix.n, .n = path.n - prefix.n };
        if (memchr(rest.data, '/', rest.n))
                return false;

        *ret_target = rest;
        return true;
}

void ws_dialect_statistics(Buf *buf, const char *type, Text data) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", type);
        json_out_time(&out, "timestamp", clock_now_us());
        json_out_raw(&out, "data", data);
        json_out_object_end(&out);
}
