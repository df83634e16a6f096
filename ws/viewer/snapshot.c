#include "ws/viewer/snapshot.h"

#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_SNAPSHOT_LOOK_COST 16    /* of a thing that is looked at, in bytes of the budget */
#define WS_SNAPSHOT_CHUNK     30000 /* bytes of one part: one fragment */
#define WS_SNAPSHOT_N_THINGS  4096  /* looked at for one part */

static void ws_snapshot_comma(Buf *json, size_t n_head) {
        if (json->n > n_head)
                buf_append_char(json, ',');
}

static bool ws_snapshot_box_has(const WsSubscription *subscription,
                                double latitude,
                                double longitude) {
        return !subscription->has_box ||
               ws_subscription_contains(subscription, latitude, longitude);
}

static int ws_snapshot_device(WsFollow *follow, const Device *device, Buf *json, size_t n_head) {
        WsSubscription *subscription = &follow->subscription;
        const WsLoop *loop = follow->feed->client->loop;
        const Event *last = ws_last_known_get(loop->last_known, KIND_TELEMETRY, device->id);

        if (!ws_snapshot_box_has(subscription, device->state.latitude, device->state.longitude))
                return 0;
        if (ws_subscription_matches_thing(subscription,
                                          loop->registry,
                                          KIND_DEVICE_STATUS,
                                          0,
                                          device->id)) {
                ws_snapshot_comma(json, n_head);
                ws_push_device(device, json);
        }
        if (last && ws_subscription_matches(subscription, loop->registry, last)) {
                ws_snapshot_comma(json, n_head);
                ws_push_event(loop, last, json);
        }
        return ws_subscription_note(subscription, (WsThing){ .device_id = device->id });
}

static int ws_snapshot_vehicle(WsFollow *follow, const Vehicle *vehicle, Buf *json, size_t n_head) {
        WsSubscription *subscription = &follow->subscription;
        const WsLoop *loop = follow->feed->client->loop;
        const Event *last = ws_last_known_get(loop->last_known, KIND_VEHICLE_LOG, vehicle->id);
        double place[2];

        if (!last || !ws_subscription_matches(subscription, loop->registry, last) ||
            (subscription->has_box &&
             (!ws_last_known_place(loop->last_known, vehicle->id, place) ||
              !ws_subscription_contains(subscription, place[0], place[1]))))
                return 0;
        ws_snapshot_comma(json, n_head);
        ws_push_event(loop, last, json);
        return ws_subscription_note(subscription, (WsThing){ .vehicle_id = vehicle->id });
}

/* Adds what comes next; false: there is nothing more. */
static int ws_snapshot_next(WsFollow *follow, Buf *json, size_t n_head, bool *ret_more) {
        const WsClient *client = follow->feed->client;
        const Registry *registry = client->loop->registry;
        bool is_one = client->scope == WS_SCOPE_VEHICLE;
        WsEye eye = ws_feed_eye(follow->feed);
        const Device *device = NULL;
        const Vehicle *vehicle = NULL;

        if (!follow->is_at_vehicles)
                device = is_one ? NULL : registry_next_device(registry, follow->after_id);
        if (device) {
                follow->after_id = device->id;
                return ws_eye_sees_device(&eye, device)
                               ? ws_snapshot_device(follow, device, json, n_head)
                               : 0;
        }
        if (!follow->is_at_vehicles) {
                follow->is_at_vehicles = true;
                follow->after_id = 0;
        }

        vehicle = registry_next_vehicle(registry, follow->after_id);
        if (!vehicle) {
                *ret_more = false;
                return 0;
        }
        follow->after_id = vehicle->id;
        return ws_eye_sees_vehicle(&eye, vehicle) && (!is_one || vehicle->id == client->target_id)
                       ? ws_snapshot_vehicle(follow, vehicle, json, n_head)
                       : 0;
}

int ws_snapshot_part(WsFollow *follow) {
        const WsLoop *loop = follow->feed->client->loop;
        CLEANUP_BUF Buf json = { 0 };
        size_t n_head, cost, n_looked = 0;
        bool is_more = true;
        int r = 0;

        buf_append_string(&json, "{\"type\":\"snapshot\",\"subscription\":");
        buf_json_string(&json, text_of(follow->name));
        buf_append_string(&json, ",\"items\":[");
        n_head = json.n;
        for (; r == 0 && is_more && n_looked < WS_SNAPSHOT_N_THINGS && json.n < WS_SNAPSHOT_CHUNK;
             ++n_looked)
                r = ws_snapshot_next(follow, &json, n_head, &is_more);
        buf_append_string(&json, "],\"cursor\":");
        if (is_more) /* who resumed from here would not get the rest */
                buf_append_string(&json, "null");
        else
                ws_cursor_write(loop, follow->seq, &json);
        buf_printf(&json, ",\"done\":%s}", is_more ? "false" : "true");
        if (r == 0 && buf_failed(&json))
                r = -ENOMEM;
        if (r == 0)
                r = ws_feed_push(follow->feed,
                                 &(WsPush){ .type = "snapshot",
                                            .seq = is_more ? 0 : follow->seq,
                                            .json = buf_text(&json) });
        if (r < 0)
                return err_up(r);

        cost = json.n + n_looked * WS_SNAPSHOT_LOOK_COST;
        follow->feed->budget -= cost < follow->feed->budget ? cost : follow->feed->budget;
        if (!is_more)
                (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_SHOWN);
        return 0;
}
