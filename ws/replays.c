#include "ws/replays.h"

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/metrics.h"
#include "gateway/base/query.h"
#include "gateway/base/queue.h"
#include "ws/client.h"
#include "ws/hub.h"
#include "ws/party.h"
#include "ws/server.h"

#define WS_REPLAYS_PAGE       500
#define WS_REPLAYS_ANSWER_MS  10000
#define WS_REPLAYS_REFUSED_MS 100 /* before the next try, when the query queue is full */

typedef struct WsReach WsReach;

/* The devices and vehicles that the answer may be about. */
struct WsReach {
        const WsFollow *follow;
        WsEye eye;
        bool all, none; /* that the client may see */
};

static int64_t ws_replays_now_ms(void) {
        return clock_mono_us() / 1000;
}

void ws_replays_init(WsReplays *replays, WsHub *hub) {
        *replays = (WsReplays){ .hub = hub };
        TAILQ_INIT(&replays->asking);
}

void ws_replays_ask(WsReplays *replays, WsFollow *follow, int delay_ms) {
        follow->is_waiting = true;
        follow->not_before_ms = ws_replays_now_ms() + delay_ms;
        TAILQ_INSERT_TAIL(&replays->asking, follow, asking);
}

void ws_replays_forget(WsReplays *replays, WsFollow *follow) {
        if (!follow->is_waiting)
                return;

        follow->is_waiting = false;
        for (size_t i = 0; i < WS_REPLAYS_AT_ONCE; ++i) {
                if (replays->under_way[i].follow != follow)
                        continue;
                replays->under_way[i].follow = NULL;
                return;
        }
        TAILQ_REMOVE(&replays->asking, follow, asking);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static uint32_t ws_target_kinds(const WsTarget *target) {
        switch (target->kind) {
        case WS_TARGET_DETECTIONS:
                return WS_DIALECT_KIND(KIND_BLE_DETECTIONS);
        case WS_TARGET_CAMERAS:
                return WS_DIALECT_KIND(KIND_CAMERA_EVENT);
        case WS_TARGET_ALERTS:
                return WS_DIALECT_KIND(KIND_ALERT);
        case WS_TARGET_STATS:
                return 0;
        default:
                return WS_SUBSCRIPTION_ANY;
        }
}

static uint32_t ws_replays_kinds(const WsSubscription *subscription) {
        uint32_t kinds = 0;

        for (size_t i = 0; i < subscription->n_targets; ++i)
                kinds |= ws_target_kinds(&subscription->targets[i]);
        return subscription->kinds ? kinds & subscription->kinds : kinds;
}

static bool ws_reach_has(const WsReach *reach, int64_t vehicle_id, int64_t device_id) {
        const WsSubscription *subscription = &reach->follow->subscription;
        const WsClient *client = reach->follow->feed->client;

        if (client->scope == WS_SCOPE_VEHICLE && client->target_id != vehicle_id)
                return false;
        for (unsigned kind = KIND_NONE + 1; kind < KIND_COUNT; ++kind)
                if (ws_subscription_matches_thing(subscription,
                                                  reach->eye.registry,
                                                  (Kind)kind,
                                                  vehicle_id,
                                                  device_id))
                        return ws_eye_sees(&reach->eye, vehicle_id, device_id);
        return false;
}

/* Does it want all things of a sort that it may see? */
static bool ws_reach_is_wide(const WsReach *reach, WsTargetKind sort) {
        const WsSubscription *subscription = &reach->follow->subscription;

        for (size_t i = 0; i < subscription->n_targets; ++i) {
                const WsTarget *target = &subscription->targets[i];

                if (target->id == 0 && (target->kind == sort || target->kind >= WS_TARGET_USER))
                        return true;
        }
        return false;
}

static int ws_reach_append(int64_t **ids, size_t *n_ids, size_t *capacity, int64_t id) {
        if (*n_ids == *capacity) {
                size_t wanted = *capacity ? *capacity * 2 : 16;
                int64_t *more = realloc(*ids, wanted * sizeof(**ids));

                if (!more)
                        return err_new(-ENOMEM);
                *ids = more;
                *capacity = wanted;
        }
        (*ids)[(*n_ids)++] = id;
        return 0;
}

static int ws_reach_fill(const WsReach *reach, QueryReplay *replay) {
        const WsClient *client = reach->follow->feed->client;
        bool is_wide = reach->eye.sees_all && client->scope != WS_SCOPE_VEHICLE;
        const Registry *registry = reach->eye.registry;
        size_t n_devices = 0, n_vehicles = 0;
        const Vehicle *vehicle = NULL;
        const Device *device = NULL;
        int r = 0;

        replay->all_devices = is_wide && ws_reach_is_wide(reach, WS_TARGET_DEVICE);
        replay->all_vehicles = is_wide && ws_reach_is_wide(reach, WS_TARGET_VEHICLE);
        while (r == 0 && !replay->all_devices &&
               (device = registry_next_device(registry, device ? device->id : 0)))
                if (ws_reach_has(reach, 0, device->id))
                        r = ws_reach_append(&replay->device_ids,
                                            &replay->n_device_ids,
                                            &n_devices,
                                            device->id);
        while (r == 0 && !replay->all_vehicles &&
               (vehicle = registry_next_vehicle(registry, vehicle ? vehicle->id : 0)))
                if (ws_reach_has(reach, vehicle->id, 0))
                        r = ws_reach_append(&replay->vehicle_ids,
                                            &replay->n_vehicle_ids,
                                            &n_vehicles,
                                            vehicle->id);
        return r < 0 ? err_up(r) : 0;
}

static int ws_replays_query(WsReplays *replays, const WsFollow *follow, Query **ret_query) {
        const WsRing *ring = &replays->hub->ring;
        WsReach reach = { .follow = follow, .eye = ws_feed_eye(follow->feed) };
        CLEANUP(query_free) Query *query = NULL;
        const char *epoch = replays->hub->options->epoch;
        QueryReplay *replay;
        int r;

        r = query_new(&query, QUERY_REPLAY, ++replays->n_tickets);
        if (r < 0)
                return err_up(r);
        query->party = reach.eye.user ? ws_party_user(reach.eye.user->id) : 0;
        replay = query->replay = calloc(1, sizeof(*replay));
        if (!replay)
                return err_new(-ENOMEM);

        replay->is_first = follow->state == WS_FOLLOW_ASKS;
        memcpy(replay->epoch, follow->epoch, sizeof(replay->epoch));
        if (epoch)
                strncpy(replay->own_epoch, epoch, sizeof(replay->own_epoch) - 1);
        replay->after_seq = follow->seq;
        replay->upto_seq = ring->is_begun ? ring->last_seq : UINT64_MAX;
        replay->kinds = ws_replays_kinds(&follow->subscription);
        replay->limit = WS_REPLAYS_PAGE;
        r = ws_reach_fill(&reach, replay);
        if (r < 0)
                return err_up(r);

        *ret_query = TAKE(&query);
        return 0;
}

/* ---- asking and being answered -------------------------------------------------------------- */

static int ws_replays_send(WsReplays *replays, WsFollow *follow, size_t at) {
        CLEANUP(query_free) Query *query = NULL;
        uint64_t ticket;
        int r;

        TAILQ_REMOVE(&replays->asking, follow, asking);
        r = ws_replays_query(replays, follow, &query);
        if (r < 0)
                return err_up(r);
        ticket = query->ticket;
        r = queue_push(replays->hub->queries, query, 0);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                metric_add(METRIC_QUERY_REFUSED, 1);
                ws_replays_ask(replays, follow, WS_REPLAYS_REFUSED_MS);
                return 0;
        }

        query = NULL;
        replays->under_way[at].ticket = ticket;
        replays->under_way[at].follow = follow;
        replays->under_way[at].deadline_ms = ws_replays_now_ms() + WS_REPLAYS_ANSWER_MS;
        return 0;
}

static WsFollow *ws_replays_due(const WsReplays *replays, int64_t now_ms) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &replays->asking, asking)
        if (follow->not_before_ms <= now_ms)
                return follow;
        return NULL;
}

static int ws_replays_end(WsReplays *replays, size_t at, Event *event) {
        WsFollow *follow = replays->under_way[at].follow;
        int r;

        replays->under_way[at].ticket = 0;
        replays->under_way[at].follow = NULL;
        if (!follow)
                return 0;

        follow->is_waiting = false;
        if (event && event->answer->status == 200)
                r = ws_follow_take_page(follow, event);
        else
                r = ws_follow_take_refusal(follow, event ? event->answer->status : 503);
        return r < 0 ? err_up(r) : 0;
}

int ws_replays_answer(WsReplays *replays, Event *event) {
        for (size_t i = 0; i < WS_REPLAYS_AT_ONCE; ++i)
                if (replays->under_way[i].ticket == event->answer->ticket)
                        return ws_replays_end(replays, i, event);
        return 0; /* too late */
}

int ws_replays_turn(WsReplays *replays) {
        int64_t now_ms;
        int r = 0;

        if (TAILQ_EMPTY(&replays->asking) && replays->under_way[0].ticket == 0 &&
            replays->under_way[1].ticket == 0)
                return 0;

        now_ms = ws_replays_now_ms();
        for (size_t i = 0; r == 0 && i < WS_REPLAYS_AT_ONCE; ++i) {
                WsFollow *follow;

                if (replays->under_way[i].ticket != 0 &&
                    replays->under_way[i].deadline_ms <= now_ms)
                        r = ws_replays_end(replays, i, NULL);
                if (r < 0 || replays->under_way[i].ticket != 0 || !replays->hub->queries)
                        continue;
                follow = ws_replays_due(replays, now_ms);
                if (follow)
                        r = ws_replays_send(replays, follow, i);
        }
        return r < 0 ? err_up(r) : 0;
}
