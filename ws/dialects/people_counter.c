#include "base/json_out.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/misdirected.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

/* Dialect A: the BLE people counter. `/ws`, and an upgrade on `/`. */

static bool ws_people_counter_match(Text path, Text *ret_target) {
        (void)ret_target;
        return text_equal(path, TEXT("/ws")) || text_equal(path, TEXT("/"));
}

static int ws_people_counter_open(WsClient *client) {
        client->wants_stats = true; /* with the next turn: this dialect has no welcome */
        return 0;
}

static int ws_people_counter_receive(WsClient *client, Text message) {
        Buf *buf = &client->loop->text;

        if (client->is_binary || !text_equal(message, TEXT("ping")))
                return ws_misdirected_receive(client, message);

        buf_reset(buf);
        buf_append_string(buf, "pong");
        return ws_client_say(client, buf);
}

static int ws_people_counter_format(const WsLoop *loop, const Event *event, Buf *buf) {
        const Device *device = registry_device(loop->registry, event->device_id);
        JsonOut out = { .buf = buf };

        if (event->n_items == 0 || !device)
                return 0;

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "detection_event");
        json_out_time(&out, "timestamp", event->time_us);
        json_out_string(&out, "device_id", device->code);
        json_out_int(&out, "count", event->n_items);
        json_out_object_end(&out);
        return 0;
}

static void ws_people_counter_format_stats(Text data, Buf *buf) {
        ws_dialect_statistics(buf, "stats_update", data);
}

const WsDialect ws_dialect_people_counter = {
        .id = WS_DIALECT_PEOPLE_COUNTER,
        .name = "A",
        .kinds = WS_DIALECT_KIND(KIND_BLE_DETECTIONS),
        .hears_binary = true,
        .match = ws_people_counter_match,
        .admit = ws_admission_any,
        .open = ws_people_counter_open,
        .receive = ws_people_counter_receive,
        .format = ws_people_counter_format,
        .format_stats = ws_people_counter_format_stats,
};
