#include "base/err.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/misdirected.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/device_json.h"
#include "ws/viewer/dialect.h"
#include "ws/viewer/listing.h"

#define WS_C_UNREAD 16 /* times ws.queue_bytes: of lists that the sockets of a user do not read */

/* Dialect C: the device hub. `/ws/devices`: the list, then each change. */

static bool ws_device_hub_match(Text path, Text *ret_target) {
        (void)ret_target;
        return text_equal(path, TEXT("/ws/devices"));
}

/* Lists that were made for this user's sockets and that those have not read yet. */
static size_t ws_device_hub_unread(const WsLoop *loop, int64_t user_id) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_PERSON, user_id);
        size_t n = 0;

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                const WsClient *client = ws_list_at(list, i);

                if (client->backlog.n_bytes > client->backlog.n_metered)
                        n += client->list_bytes;
        }
        return n;
}

static int ws_device_hub_admit(WsClient *client, const WsIdentity *identity, Text target) {
        const WsLoop *loop = client->loop;
        int status = ws_admission_any(client, identity, target);

        if (status == 0 &&
            ws_device_hub_unread(loop, client->user_id) > loop->options->queue_bytes * WS_C_UNREAD)
                return 429;
        return status;
}

static int ws_device_hub_open(WsClient *client) {
        int r = ws_listings_join(client->loop->listings, client);

        return err_up(r);
}

/* Behind its list comes what has changed meanwhile. */
static bool ws_device_hub_wants(const WsClient *client, const Event *event) {
        (void)event;
        return !client->listing;
}

static int ws_device_hub_format(const WsLoop *loop, const Event *event, Buf *buf) {
        const Device *device = registry_device(loop->registry, event->device_id);

        if (!device)
                return 0;

        ws_device_update_json(buf,
                              device); /* the hub has put the event's state into the registry */
        return 0;
}

const WsDialect ws_dialect_device_hub = {
        .id = WS_DIALECT_DEVICE_HUB,
        .name = "C",
        .kinds = WS_DIALECT_KIND(KIND_DEVICE_STATUS),
        .hears_binary = true,
        .match = ws_device_hub_match,
        .admit = ws_device_hub_admit,
        .open = ws_device_hub_open,
        .receive = ws_misdirected_receive,
        .wants = ws_device_hub_wants,
        .format = ws_device_hub_format,
};
