#include "gateway/base/err.h"
#include "ws/client.h"
#include "ws/device_json.h"
#include "ws/dialect.h"
#include "ws/hub.h"
#include "ws/server.h"

#define WS_C_UNREAD 16 /* times ws.queue_bytes: of lists that the sockets of a user do not read */

/* Dialect C: the device hub. `/ws/devices`: the list, then each change. */

static bool ws_c_match(Text path, Text *ret_target) {
        (void)ret_target;
        return text_equal(path, TEXT("/ws/devices"));
}

static bool ws_c_sees(const WsClient *client, const User *user, const Device *device) {
        return client->sees_all || (user && registry_sees_device(user, device));
}

/* Lists that were made for this user's sockets and that those have not read yet. */
static size_t ws_c_unread(const WsHub *hub, int64_t user_id) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_PERSON, user_id);
        size_t n = 0;

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                const WsClient *client = ws_list_at(list, i);

                if (client->backlog.n_bytes > client->backlog.n_metered)
                        n += client->list_bytes;
        }
        return n;
}

static int ws_c_admit(WsClient *client, const WsIdentity *identity, Text target) {
        const WsHub *hub = client->hub;
        int status = ws_dialect_admit_any(client, identity, target);

        if (status == 0 &&
            ws_c_unread(hub, client->user_id) > hub->options->queue_bytes * WS_C_UNREAD)
                return 429;
        return status;
}

static int ws_c_make_list(const WsClient *client, WsFrame **ret_frame) {
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
        r = ws_frame_new(ret_frame, buf_text(&buf), 0);
        if (r < 0)
                return err_up(r);

        (*ret_frame)->is_unmetered = true; /* however many devices there are, it was asked for */
        return 0;
}

static bool ws_c_may_share(const WsClient *client) {
        const WsHub *hub = client->hub;

        return hub->list.frame && hub->list.n_changes == hub->n_changes &&
               hub->list.sees_all == client->sees_all &&
               (client->sees_all || hub->list.user_id == client->user_id);
}

static int ws_c_open(WsClient *client) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        WsHub *hub = client->hub;
        int r;

        if (ws_c_may_share(client))
                return ws_client_offer(client, hub->list.frame);

        r = ws_c_make_list(client, &frame);
        if (r < 0)
                return err_up(r);
        client->list_bytes = frame->n;
        ws_frame_unref(hub->list.frame);
        hub->list.frame = ws_frame_ref(frame);
        hub->list.user_id = client->user_id;
        hub->list.sees_all = client->sees_all;
        hub->list.n_changes = hub->n_changes;
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
        .admit = ws_c_admit,
        .open = ws_c_open,
        .format = ws_c_format,
};
