#include "ws/hub/heard.h"

#include "base/err.h"
#include "base/index.h"

int ws_heard_init(WsHeard *heard) {
        TAILQ_INIT(&heard->list);
        return err_up(index_new(&heard->known));
}

static void ws_heard_forget(WsHeard *heard, WsHeardDevice *device) {
        index_remove_id(heard->known, device->device_id);
        TAILQ_REMOVE(&heard->list, device, entry);
        free(device);
}

void ws_heard_done(WsHeard *heard) {
        if (!heard->known)
                return;
        while (!TAILQ_EMPTY(&heard->list))
                ws_heard_forget(heard, TAILQ_FIRST(&heard->list));
        heard->known = index_free(heard->known);
}

static int ws_heard_add(WsHeard *heard, const Event *event, int64_t now_ms) {
        WsHeardDevice *device = calloc(1, sizeof(*device));
        int r;

        if (!device)
                return err_new(-ENOMEM);
        device->device_id = event->device_id;
        device->device_key = event->device_key;
        device->shown_ms = now_ms;
        r = index_put_id(heard->known, event->device_id, device);
        if (r < 0) {
                free(device);
                return err_up(r);
        }
        TAILQ_INSERT_TAIL(&heard->list, device, entry);
        return 0;
}

int ws_heard_note(WsHeard *heard, const Event *event, int64_t now_ms, bool *ret_is_due) {
        WsHeardDevice *device = index_get_id(heard->known, event->device_id);

        if (device && !thing_is_same(device->device_key, event->device_key)) {
                ws_heard_forget(heard, device); /* another has the id now */
                device = NULL;
        }
        *ret_is_due = !device;
        if (!device)
                return err_up(ws_heard_add(heard, event, now_ms));

        if (device->n_items == 0 || event->time_us > device->time_us)
                device->time_us = event->time_us;
        device->seq = event->seq;
        device->n_items = event->n_items < UINT32_MAX - device->n_items
                                  ? device->n_items + event->n_items
                                  : UINT32_MAX;
        return 0;
}

bool ws_heard_take(WsHeard *heard, int64_t now_ms, int interval_ms, WsHeardDevice *ret_sum) {
        WsHeardDevice *device;

        while ((device = TAILQ_FIRST(&heard->list)) && now_ms - device->shown_ms >= interval_ms) {
                if (device->n_items == 0) {
                        ws_heard_forget(heard, device);
                        continue;
                }
                *ret_sum = *device;
                device->n_items = 0;
                device->shown_ms = now_ms;
                TAILQ_REMOVE(&heard->list, device, entry);
                TAILQ_INSERT_TAIL(&heard->list, device, entry);
                return true;
        }
        return false;
}
