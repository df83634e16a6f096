#include "gateway/base/err.h"
#include "ws/client.h"
#include "ws/device_json.h"
#include "ws/dialect.h"
#include "ws/hub.h"

/* Dialect C: the device hub. `/ws/devices`: the list, then each change. */

static bool ws_c_match(Text path, Text *ret_target) {
        (void)ret_target;
        return text_equal(path, TEXT("/ws/devices"));
}

static bool ws_c_sees(const WsClient *client, const User *user, const Device *device) {
        return client->sees_all || (user && registry_sees_device(user, device));
}

static int ws_c_open(WsClient *client) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        CLEANUP_BUF Buf buf = { 0 };
        const Registry *registry = client->hub->registry;
        const User *user = registry_user(registry, client->user_id);
        const Device *device = NULL;
        bool is_first = true;
        int r;

        buf_append_string(&buf, "{\"type\":\"device_list\",\"devices\":[");
        while ((device = registry_next_device(registry, device ? device->id : 0))) {
                if (!ws_c_sees(client, user, device))
                        continue;
                if (!is_first)
                        buf_append_char(&buf, ',');
                is_first = false;
                ws_device_json(&buf, device);
        }
        buf_append_string(&buf, "]}");
        if (buf_failed(&buf))
                return err_new(-ENOMEM);

        r = ws_frame_new(&frame, buf_text(&buf), 0);
        if (r < 0)
                return err_up(r);
        frame->is_unmetered = true; /* however many devices there are, it was asked for */
        return ws_client_offer(client, frame);
}

static int ws_c_format(const WsHub *hub, const Event *event, Buf *buf) {
        const Device *device = registry_device(hub->registry, event->device_id);

        if (!device)
                return 0;

        buf_append_string(buf, "{\"type\":\"device_update\",\"device\":");
        ws_device_json(buf, device); /* the hub has put the event's state into the registry */
        buf_append_char(buf, '}');
        return 0;
}

const WsDialect ws_dialect_c = {
        .id = WS_DIALECT_C,
        .name = "C",
        .kinds = WS_DIALECT_KIND(KIND_DEVICE_STATUS),
        .match = ws_c_match,
        .admit = ws_dialect_admit_any,
        .open = ws_c_open,
        .format = ws_c_format,
};
