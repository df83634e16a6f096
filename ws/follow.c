/* WsFollow: one subscription on its way from where it was to what is live. */

#include <inttypes.h>
#include <math.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/query.h"
#include "ws/client.h"
#include "ws/feed.h"
#include "ws/hub.h"
#include "ws/replays.h"
#include "ws/server.h"

#define WS_FOLLOW_SKIP_COST 64    /* of an event that is passed over, in bytes of the budget */
#define WS_FOLLOW_CHUNK     30000 /* bytes of one part of a snapshot: one fragment */
#define WS_FOLLOW_RETRY_MS  200   /* while the database is behind, or away */
#define WS_FOLLOW_TRIES     50
#define WS_FOLLOW_N_THINGS  4096 /* looked at for one part of a snapshot */

enum {
        WS_FOLLOW_E_WAITS = 1, /* for room, or for the database */
};

/* ---- replay --------------------------------------------------------------------------------- */

/* The frame of an event: of the ring's, if it has one or may keep it. It has no key: a replay does
 * not conflate, and what it repeats may be older than what is waiting already. */
static int ws_follow_frame(WsFollow *follow, Event *event, WsRingSlot *slot, WsFrame **ret_frame) {
        WsClient *client = follow->feed->client;
        WsHub *hub = client->hub;
        bool is_native = client->dialect->id == WS_DIALECT_NATIVE;
        WsPush push = {
                .type = ws_push_type(event->kind),
                .seq = event->seq,
        };
        int r;

        if (slot && slot->frame && is_native) {
                *ret_frame = ws_frame_ref(slot->frame);
                return 0;
        }

        buf_reset(&hub->text);
        ws_push_event(hub, event, &hub->text);
        if (buf_failed(&hub->text)) {
                buf_done(&hub->text);
                return err_new(-ENOMEM);
        }
        push.json = buf_text(&hub->text);
        r = ws_client_wrap(client, &push, ret_frame);
        if (r < 0)
                return err_up(r);
        if (slot && is_native)
                ws_ring_keep(&hub->ring, slot, *ret_frame);
        return 0;
}

/* Where the path or the right of the client ends. */
static bool ws_follow_may_have(const WsFollow *follow, const Event *event) {
        const WsClient *client = follow->feed->client;
        WsEye eye = ws_feed_eye(follow->feed);

        if (client->scope == WS_SCOPE_VEHICLE && event->vehicle_id != client->target_id)
                return false;
        return ws_eye_sees(&eye, event->vehicle_id, event->device_id);
}

static int ws_follow_tell(WsFollow *follow, Event *event, WsRingSlot *slot) {
        WsFeed *feed = follow->feed;
        const WsHub *hub = feed->client->hub;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        size_t cost = WS_FOLLOW_SKIP_COST;
        WsPlace place = WS_PLACE_OUTSIDE;
        int r = 0;

        if (event->seq <= follow->seq)
                return 0;
        if (ws_subscription_matches(&follow->subscription, hub->registry, event) &&
            ws_follow_may_have(follow, event) && !ws_feed_has_told(feed, follow, event))
                r = ws_subscription_locate(&follow->subscription,
                                           hub->registry,
                                           hub->recall,
                                           event,
                                           &place);
        if (r == 0 && place != WS_PLACE_OUTSIDE)
                r = ws_follow_frame(follow, event, slot, &frame);
        if (r == 0 && frame) {
                cost += frame->n;
                r = ws_client_try(feed->client, frame);
        }
        if (r < 0)
                return err_up(r);
        if (r == WS_BACKLOG_E_FULL) { /* larger than the whole queue */
                if (follow->n_missed++ == 0)
                        follow->missed_from = follow->seq;
                follow->missed_to = event->seq;
                feed->has_missed = true;
        }

        follow->seq = event->seq;
        feed->budget = feed->budget > cost ? feed->budget - cost : 0;
        return 0;
}

static int ws_follow_tell_page(WsFollow *follow) {
        const Answer *answer = follow->page->answer;
        int r;

        while (follow->i_page < answer->n_events) {
                if (!ws_feed_has_room(follow->feed))
                        return WS_FOLLOW_E_WAITS;
                r = ws_follow_tell(follow, answer->events[follow->i_page++], NULL);
                if (r < 0)
                        return err_up(r);
        }
        if (follow->seq < answer->upto_seq)
                follow->seq = answer->upto_seq;
        follow->page = event_unref(follow->page);
        return 0;
}

static int ws_follow_tell_ring(WsFollow *follow) {
        WsRing *ring = &follow->feed->client->hub->ring;
        WsRingSlot *slot;
        int r;

        while ((slot = ws_ring_after(ring, follow->seq))) {
                if (!ws_feed_has_room(follow->feed))
                        return WS_FOLLOW_E_WAITS;
                r = ws_follow_tell(follow, slot->event, slot);
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

/* 0: it has reached the end of what there is. */
static int ws_follow_replay(WsFollow *follow) {
        WsHub *hub = follow->feed->client->hub;
        int r = 0;

        if (follow->is_waiting)
                return WS_FOLLOW_E_WAITS;
        if (follow->page)
                r = ws_follow_tell_page(follow);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (follow->seq >= hub->ring.last_seq)
                return 0;
        if (!ws_ring_covers(&hub->ring, follow->seq)) {
                ws_replays_ask(&hub->replays, follow, 0);
                return WS_FOLLOW_E_WAITS;
        }
        return ws_follow_tell_ring(follow);
}

static void ws_follow_lose(WsFollow *follow) {
        log_warning("replay_given_up subscription=%s", follow->name);
        ws_client_close(follow->feed->client,
                        WS_CLOSE_STATE_LOST,
                        "state lost",
                        METRIC_WS_CLOSED_STATE_LOST);
}

int ws_follow_take_page(WsFollow *follow, Event *event) {
        WsClient *client = follow->feed->client;
        bool is_first = follow->state == WS_FOLLOW_ASKS;
        int r = 0;

        if (event->answer->n_events == 0 && event->answer->upto_seq <= follow->seq &&
            ++follow->n_tries > WS_FOLLOW_TRIES) {
                ws_follow_lose(follow);
                return 0;
        }

        if (event->answer->upto_seq > follow->seq)
                follow->n_tries = 0;
        follow->state = WS_FOLLOW_REPLAYS;
        if (is_first)
                r = client->dialect->subscribed(client, follow);
        if (event->answer->n_events == 0 && event->answer->upto_seq <= follow->seq &&
            !ws_ring_covers(&client->hub->ring, follow->seq) &&
            follow->seq < client->hub->ring.last_seq) {
                ws_replays_ask(&client->hub->replays, follow, WS_FOLLOW_RETRY_MS);
        } else {
                follow->page = event_ref(event);
                follow->i_page = 0;
        }
        ws_client_touch(client);
        return r < 0 ? err_up(r) : 0;
}

/* Before anything was promised: the state as it is now, and on from here. Afterwards the promise is
 * kept as soon as the database is back, or broken openly. */
int ws_follow_take_refusal(WsFollow *follow, int status) {
        WsClient *client = follow->feed->client;
        int r;

        if (follow->state != WS_FOLLOW_ASKS) {
                if (status != 503 || ++follow->n_tries > WS_FOLLOW_TRIES)
                        ws_follow_lose(follow);
                else
                        ws_replays_ask(&client->hub->replays, follow, WS_FOLLOW_RETRY_MS);
                return 0;
        }

        follow->is_recovered = false;
        follow->begin_seq = follow->seq = client->hub->ring.last_seq;
        follow->wants_snapshot = true;
        follow->state = WS_FOLLOW_REPLAYS;
        r = client->dialect->subscribed(client, follow);
        ws_client_touch(client);
        return r < 0 ? err_up(r) : 0;
}

/* ---- snapshot ------------------------------------------------------------------------------- */

static void ws_follow_comma(Buf *json, size_t n_head) {
        if (json->n > n_head)
                buf_append_char(json, ',');
}

static bool ws_follow_box_has(const WsSubscription *subscription,
                              double latitude,
                              double longitude) {
        return !subscription->has_box ||
               ws_subscription_contains(subscription, latitude, longitude);
}

static int ws_follow_add_device(WsFollow *follow, const Device *device, Buf *json, size_t n_head) {
        WsSubscription *subscription = &follow->subscription;
        const WsHub *hub = follow->feed->client->hub;
        const Event *last = ws_recall_get(hub->recall, KIND_TELEMETRY, device->id);

        if (!ws_follow_box_has(subscription, device->state.latitude, device->state.longitude))
                return 0;
        if (ws_subscription_matches_thing(subscription,
                                          hub->registry,
                                          KIND_DEVICE_STATUS,
                                          0,
                                          device->id)) {
                ws_follow_comma(json, n_head);
                ws_push_device(device, json);
        }
        if (last && ws_subscription_matches(subscription, hub->registry, last)) {
                ws_follow_comma(json, n_head);
                ws_push_event(hub, last, json);
        }
        return ws_subscription_note_inside(subscription, 0, device->id);
}

static int ws_follow_add_vehicle(WsFollow *follow,
                                 const Vehicle *vehicle,
                                 Buf *json,
                                 size_t n_head) {
        WsSubscription *subscription = &follow->subscription;
        const WsHub *hub = follow->feed->client->hub;
        const Event *last = ws_recall_get(hub->recall, KIND_VEHICLE_LOG, vehicle->id);

        if (!last || !ws_subscription_matches(subscription, hub->registry, last) ||
            !ws_follow_box_has(subscription, last->latitude, last->longitude))
                return 0;
        ws_follow_comma(json, n_head);
        ws_push_event(hub, last, json);
        return ws_subscription_note_inside(subscription, vehicle->id, 0);
}

/* Adds what comes next; false: there is nothing more. */
static int ws_follow_add_next(WsFollow *follow, Buf *json, size_t n_head, bool *ret_more) {
        const WsClient *client = follow->feed->client;
        const Registry *registry = client->hub->registry;
        bool is_one = client->scope == WS_SCOPE_VEHICLE;
        WsEye eye = ws_feed_eye(follow->feed);
        const Device *device = NULL;
        const Vehicle *vehicle = NULL;

        if (!follow->is_at_vehicles)
                device = is_one ? NULL : registry_next_device(registry, follow->after_id);
        if (device) {
                follow->after_id = device->id;
                return ws_eye_sees_device(&eye, device)
                               ? ws_follow_add_device(follow, device, json, n_head)
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
                       ? ws_follow_add_vehicle(follow, vehicle, json, n_head)
                       : 0;
}

static int ws_follow_snapshot(WsFollow *follow) {
        const WsHub *hub = follow->feed->client->hub;
        CLEANUP_BUF Buf json = { 0 };
        bool is_more = true;
        size_t n_head;
        int r = 0;

        buf_append_string(&json, "{\"type\":\"snapshot\",\"subscription\":");
        buf_json_string(&json, text_of(follow->name));
        buf_append_string(&json, ",\"items\":[");
        n_head = json.n;
        for (int i = 0; r == 0 && is_more && i < WS_FOLLOW_N_THINGS && json.n < WS_FOLLOW_CHUNK;
             ++i)
                r = ws_follow_add_next(follow, &json, n_head, &is_more);
        buf_append_string(&json, "],\"cursor\":");
        if (is_more) /* who resumed from here would not get the rest */
                buf_append_string(&json, "null");
        else
                ws_cursor_write(hub, follow->seq, &json);
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

        follow->feed->budget -= json.n < follow->feed->budget ? json.n : follow->feed->budget;
        if (!is_more)
                follow->state = WS_FOLLOW_REPLAYS; /* of what happened since it began */
        return 0;
}

int ws_follow_pump(WsFollow *follow) {
        int r;

        while (follow->state == WS_FOLLOW_REPLAYS || follow->state == WS_FOLLOW_SNAPSHOT) {
                if (follow->state == WS_FOLLOW_SNAPSHOT) {
                        if (!ws_feed_has_room(follow->feed))
                                return 0;
                        r = ws_follow_snapshot(follow);
                        if (r < 0)
                                return err_up(r);
                        continue;
                }

                r = ws_follow_replay(follow);
                if (r < 0)
                        return err_up(r);
                if (r > 0)
                        return 0;
                follow->state = follow->wants_snapshot ? WS_FOLLOW_SNAPSHOT : WS_FOLLOW_LIVE;
                follow->wants_snapshot = false;
        }
        return 0;
}
