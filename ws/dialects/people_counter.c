#include "base/clock.h"
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

        if (event->n_items == 0 || !device)
                return 0;

        buf_append_string(buf, "{\"type\":\"detection_event\",\"timestamp\":");
        buf_json_time(buf, event->time_us);
        buf_append_string(buf, ",\"device_id\":");
        buf_json_string(buf, text_of(device->code));
        buf_append_string(buf, ",\"count\":");
        buf_json_int(buf, event->n_items);
        buf_append_char(buf, '}');
        return 0;
}

static void ws_people_counter_format_stats(Text data, Buf *buf) {
        buf_append_string(buf, "{\"type\":\"stats_update\",\"timestamp\":");
        buf_json_time(buf, clock_now_us());
        buf_append_string(buf, ",\"data\":");
        buf_append_text(buf, data);
        buf_append_char(buf, '}');
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
