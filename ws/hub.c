#include "ws/hub.h"

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/device/edge.h"
#include "ws/loop/options.h"
#include "ws/net/party.h"
#include "ws/net/shares.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/push.h"
#include "ws/wire/packer.h"

#define WS_HUB_UNKNOWN 256 /* where the options do not say */
#define WS_HUB_WORK_US 20000
#define WS_HUB_TICK_MS 50 /* at most: what max_hz holds back is late by no more than that */

typedef struct WsDelivery WsDelivery;

/* One event on its way to the clients of one dialect. */
struct WsDelivery {
        WsHub *hub;
        const WsDialect *dialect;
        Event *event;
        const Audience *audience; /* NULL = only those who see all */
        WsFrame *frame;           /* made for the first receiver */
        bool is_silent;           /* the dialect does not show this one */
};

static const WsOptions ws_hub_defaults = {
        .max_message_bytes = 65536,
        .queue_bytes = 1048576,
        .slow_ms = 30000,
        .ping_interval_ms = 20000,
        .silence_ms = 60000,
        .max_connections = 20000,
        .max_connections_per_user = 5,
        .messages_per_s = 50,
        .max_subscriptions = 100,
        .max_paced = 50000,
        .stats_interval_ms = 5000,
        .replay_events = 65536,
        .replay_bytes = 67108864,
};

int64_t ws_hub_tick_ms(const WsHub *hub) {
        int64_t tick_ms = hub->options->ping_interval_ms / 128;

        if (tick_ms > WS_HUB_TICK_MS)
                tick_ms = WS_HUB_TICK_MS;
        return tick_ms < 10 ? 10 : tick_ms;
}

void ws_hub_set_options(WsHub *hub, const WsOptions *options) {
        hub->options = options;
}

int ws_hub_new(WsHub **ret_hub, Registry *registry) {
        CLEANUP(ws_hub_free) WsHub *hub = NULL;
        int r;

        hub = calloc(1, sizeof(*hub));
        if (!hub)
                return err_new(-ENOMEM);

        hub->registry = registry;
        hub->options = &ws_hub_defaults;
        TAILQ_INIT(&hub->dirty);
        TAILQ_INIT(&hub->paced);
        ws_pendings_init(&hub->pendings);
        TAILQ_INIT(&hub->restless);
        TAILQ_INIT(&hub->patient);
        TAILQ_INIT(&hub->listings);
        ws_wheel_init(&hub->wheel, 10, clock_mono_us() / 1000);
        r = ws_replays_init(&hub->replays, hub);
        if (r == 0)
                r = ws_packer_new(&hub->packer);
        if (r == 0)
                r = ws_index_new(&hub->index);
        if (r == 0)
                r = ws_last_known_new(&hub->recall);
        if (r == 0)
                r = ws_shares_new(&hub->places);
        if (r == 0)
                r = ws_shares_new(&hub->strangers);
        if (r == 0)
                r = ws_shares_new(&hub->bursts);
        if (r < 0)
                return err_up(r);

        *ret_hub = TAKE(&hub);
        return 0;
}

WsHub *ws_hub_free(WsHub *hub) {
        if (!hub)
                return NULL;

        ws_tally_publish(&hub->tally);
        ws_replays_done(&hub->replays);
        ws_frame_unref(hub->list.frame);
        ws_ring_done(&hub->ring);
        ws_last_known_free(hub->recall);
        ws_index_free(hub->index);
        ws_packer_free(hub->packer);
        ws_shares_free(hub->places);
        ws_shares_free(hub->strangers);
        ws_shares_free(hub->bursts);
        buf_done(&hub->text);
        free(hub);
        return NULL;
}

static int ws_delivery_wrap(WsDelivery *delivery) {
        const Event *event = delivery->event;
        const WsPush push = {
                .type = ws_push_type(event->kind),
                .seq = event->seq,
                .key = ws_push_key(event),
                .json = buf_text(&delivery->hub->text),
        };

        if (delivery->dialect->wrap)
                return delivery->dialect->wrap(delivery->hub, &push, &delivery->frame);
        return ws_frame_new(&delivery->frame, push.json, push.key);
}

static int ws_delivery_make(WsDelivery *delivery) {
        WsHub *hub = delivery->hub;
        int r;

        buf_reset(&hub->text);
        r = delivery->dialect->format(hub, delivery->event, &hub->text);
        if (r < 0)
                return err_up(r);
        if (buf_failed(&hub->text)) {
                buf_done(&hub->text);
                return err_new(-ENOMEM);
        }

        delivery->is_silent = hub->text.n == 0;
        if (delivery->is_silent)
                return 0;
        r = ws_delivery_wrap(delivery);
        return r < 0 ? err_up(r) : 0;
}

/* @is_path: the list is of one device or vehicle; its members must (still) have the right. */
static int ws_delivery_to(WsDelivery *delivery, const WsList *list, bool is_path) {
        int r = 0;

        /* These dialects cannot say that something is late: an old alarm would ring as a new one.
         */
        if (delivery->event->again && delivery->event->late &&
            delivery->dialect->id < WS_DIALECT_NATIVE)
                return 0;
        for (size_t i = 0; r == 0 && !delivery->is_silent && i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (is_path && !client->sees_all &&
                    !(delivery->audience && audience_has(delivery->audience, client->user_id)))
                        continue;
                if (delivery->dialect->wants && !delivery->dialect->wants(client, delivery->event))
                        continue;
                if (!delivery->frame)
                        r = ws_delivery_make(delivery);
                if (r == 0 && delivery->frame)
                        r = client->feed
                                    ? ws_feed_offer(client->feed, delivery->event, delivery->frame)
                                    : ws_client_offer(client, delivery->frame);
        }
        return r < 0 ? err_up(r) : 0;
}

static int ws_delivery_run(WsDelivery *delivery) {
        const WsIndex *index = delivery->hub->index;
        const Event *event = delivery->event;
        int dialect = (int)delivery->dialect->id;
        size_t n_users = delivery->audience ? delivery->audience->n : 0;
        int r;

        r = ws_delivery_to(delivery, ws_index_find(index, dialect, WS_SCOPE_ALL, 0), false);
        for (size_t i = 0; r == 0 && i < n_users; ++i)
                r = ws_delivery_to(delivery,
                                   ws_index_find(index,
                                                 dialect,
                                                 WS_SCOPE_USER,
                                                 delivery->audience->user_ids[i]),
                                   false);
        if (r == 0 && event->vehicle_id != 0)
                r = ws_delivery_to(delivery,
                                   ws_index_find(index,
                                                 dialect,
                                                 WS_SCOPE_VEHICLE,
                                                 event->vehicle_id),
                                   true);
        if (r == 0 && event->device_id != 0)
                r = ws_delivery_to(delivery,
                                   ws_index_find(index, dialect, WS_SCOPE_DEVICE, event->device_id),
                                   true);
        return r < 0 ? err_up(r) : 0;
}

static const Audience *ws_hub_audience(const WsHub *hub, const Event *event) {
        const Vehicle *vehicle = NULL;
        const Device *device = NULL;

        if (event->vehicle_id != 0)
                vehicle = registry_vehicle(hub->registry, event->vehicle_id);
        else if (event->device_id != 0)
                device = registry_device(hub->registry, event->device_id);
        if (vehicle)
                return &vehicle->audience;
        return device ? &device->audience : NULL;
}

static int ws_hub_show(WsHub *hub, Event *event) {
        const Audience *audience = ws_hub_audience(hub, event);

        for (size_t i = 0; i < ws_dialect_n_all; ++i) {
                WsDelivery delivery = {
                        .hub = hub,
                        .dialect = ws_dialect_all[i],
                        .event = event,
                        .audience = audience,
                };
                int r;

                if (!(delivery.dialect->kinds & WS_DIALECT_KIND(event->kind)) ||
                    hub->n_open[delivery.dialect->id] == 0)
                        continue;
                r = ws_delivery_run(&delivery);
                ws_frame_unref(delivery.frame);
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

/* Whoever is past its place, and not live yet, comes by once more. */
static int ws_hub_insert(WsHub *hub, Event *event) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_EVERYONE, 0);
        int r;

        r = ws_ring_insert(&hub->ring, event);
        for (size_t i = 0; r == 0 && i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->feed)
                        ws_feed_rewind(client->feed, event->seq);
        }
        return r < 0 ? err_up(r) : 0;
}

static int ws_hub_message(WsHub *hub, Event *event) {
        int r;

        if (event->kind == KIND_DEVICE_STATUS)
                registry_set_state(hub->registry, event->device_id, &event->state);
        hub->n_changes += event->kind == KIND_DEVICE_STATUS;
        r = event->kind == KIND_DEVICE_STATUS ? ws_listings_note(&hub->listings, event->device_id)
                                              : 0;
        if (r == 0)
                r = ws_last_known_put(hub->recall, event);
        hub->before_seq =
                hub->ring.is_begun && !event->behind ? hub->ring.last_seq : event->seq - 1;
        if (r == 0 && event->behind)
                r = ws_hub_insert(hub, event);
        else if (r == 0)
                r = ws_ring_put(&hub->ring,
                                event,
                                (size_t)hub->options->replay_events,
                                hub->options->replay_bytes);
        if (r < 0)
                return err_up(r);

        histogram_observe(HISTOGRAM_DELIVER, (double)(clock_now_us() - event->received_us) / 1e6);
        r = ws_hub_show(hub, event);
        return r < 0 ? err_up(r) : 0;
}

static bool ws_hub_may_stay(const WsHub *hub, const WsClient *client, const User *user) {
        const Vehicle *vehicle;
        const Device *device;

        if (client->edge)
                return ws_edge_may_stay(client);
        if (client->user_id != 0 &&
            (!user || !user->is_active || user->generation != client->generation))
                return false;
        switch (client->scope) {
        case WS_SCOPE_VEHICLE:
                vehicle = registry_vehicle(hub->registry, client->target_id);
                return vehicle && (client->sees_all || user_sees_vehicle(user, vehicle));
        case WS_SCOPE_DEVICE:
                device = registry_device(hub->registry, client->target_id);
                return device && (client->sees_all || user_sees_device(user, device));
        default:
                return true;
        }
}

static int ws_hub_check(WsHub *hub, WsClient *client) {
        const User *user = NULL;
        bool saw_all = client->sees_all;
        int r = 0;

        if (client->user_id != 0) {
                user = registry_user(hub->registry, client->user_id);
                client->sees_all = user && user->role == ROLE_ADMIN;
        }
        if (!ws_hub_may_stay(hub, client, user) || (client->feed && !ws_feed_narrow(client->feed)))
                ws_client_close(client,
                                WS_CLOSE_REVOKED,
                                "access revoked",
                                METRIC_WS_CLOSED_REVOKED);
        else if (client->sees_all != saw_all)
                r = ws_client_join(client);
        if (r == 0 && client->listing && client->sees_all != saw_all) { /* it waits for another's */
                ws_listings_leave(&hub->listings, client);
                r = ws_listings_join(&hub->listings, client);
        }
        return r < 0 ? err_up(r) : 0;
}

/* A right was taken away or changed somewhere. Closing only marks; nobody leaves this list here. */
static int ws_hub_check_all(WsHub *hub) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_EVERYONE, 0);

        ws_last_known_prune(hub->recall, hub->registry);
        for (size_t i = 0; i < ws_list_length(list); ++i) {
                int r = ws_hub_check(hub, ws_list_at(list, i));

                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

static int ws_hub_apply(WsHub *hub, const RegistryDelta *delta) {
        bool narrowed = false;
        int r;

        ++hub->n_changes;
        r = registry_apply(hub->registry, delta, &narrowed);
        ws_listings_change(&hub->listings, narrowed);
        if (r < 0)
                return err_up(r);
        if (narrowed)
                r = ws_hub_check_all(hub);
        return r < 0 ? err_up(r) : 0;
}

/* Messages that the outbox had no room for; or, of none, where the numbers begin. */
static int ws_hub_skip(WsHub *hub, const Event *event) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_EVERYONE, 0);
        uint64_t before = hub->ring.last_seq;
        int r = 0;

        hub->n_skipped += event->n_items;
        if (hub->given_seq < event->last_seq)
                hub->given_seq = event->last_seq;
        ws_ring_skip(&hub->ring, event->seq);
        for (size_t i = 0; r == 0 && event->n_items > 0 && i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->feed)
                        r = ws_feed_miss(client->feed, before, event->seq, event->n_items);
        }
        return r < 0 ? err_up(r) : 0;
}

int ws_hub_publish(WsHub *hub, Event *event) {
        int r = 0;

        switch (event->type) {
        case EVENT_MESSAGE:
                r = ws_hub_message(hub, event);
                break;
        case EVENT_RESTORED:
                r = ws_last_known_put(hub->recall, event);
                break;
        case EVENT_REGISTRY:
                r = ws_hub_apply(hub, event->delta);
                break;
        case EVENT_OPEN:
                hub->open_seq = event->seq;
                break;
        case EVENT_GAP:
                r = ws_hub_skip(hub, event);
                break;
        case EVENT_COMMAND:
                r = ws_edge_command(hub, event);
                break;
        case EVENT_ANSWER: /* the server gives it to who asked */
                break;
        }
        return r < 0 ? err_up(r) : 0;
}

void ws_hub_settle(WsHub *hub) {
        WsClient *client;

        (void)!ws_replays_turn(&hub->replays); /* out of memory: it tries again at the next */

        while ((client = TAILQ_FIRST(&hub->dirty)))
                ws_client_flush(client);
        (void)!ws_replays_turn(&hub->replays);
        ws_tally_publish(&hub->tally);
}

/* What max_hz held back and is due now. */
static void ws_hub_turn_paced(WsHub *hub) {
        int64_t now_us = clock_mono_us();
        WsFeed *feed, *next;

        for (feed = TAILQ_FIRST(&hub->paced); feed; feed = next) {
                next = TAILQ_NEXT(feed, paced);
                (void)!ws_feed_turn(feed, now_us); /* out of memory: the next tick */
        }
}

bool ws_hub_may_work(WsHub *hub) {
        int64_t now_us = clock_mono_us();

        hub->work_us += (now_us - hub->work_at_us) / 2;
        if (hub->work_us > WS_HUB_WORK_US)
                hub->work_us = WS_HUB_WORK_US;
        hub->work_at_us = now_us;
        return hub->work_us > 0;
}

void ws_hub_worked(WsHub *hub, int64_t since_us) {
        hub->work_us -= clock_mono_us() - since_us;
}

/* Each once: who finds no time again waits behind those that do. */
static void ws_hub_turn_patient(WsHub *hub) {
        WsClient *last = TAILQ_LAST(&hub->patient, WsPatient);
        WsClient *client = NULL;

        while (client != last) {
                client = TAILQ_FIRST(&hub->patient);
                ws_client_go_on(client);
        }
}

void ws_hub_tick(WsHub *hub) {
        (void)!ws_edge_tick(hub); /* out of memory: it tries again at the next */
        ws_hub_turn_paced(hub);
        ws_listings_turn(&hub->listings, hub);
        ws_hub_turn_patient(hub);
        (void)!ws_pendings_turn(&hub->pendings, clock_mono_us() / 1000);
        ws_wheel_turn(&hub->wheel, clock_mono_us() / 1000, ws_client_look);
        ws_hub_settle(hub);
}

bool ws_hub_is_loaded(const WsHub *hub) {
        return registry_is_loaded(hub->registry) && hub->ring.is_begun;
}

/* A user leaves something to the others, however many addresses he comes from. */
/* Percent; without one a party may have all. */
static int ws_hub_share(const WsHub *hub) {
        return hub->options->user_share > 0 ? hub->options->user_share : 100;
}

bool ws_hub_take_place(WsHub *hub, WsClient *client, uint64_t party) {
        size_t n_max = (size_t)hub->options->max_connections;

        if (party == client->party)
                return true;
        if (!ws_shares_fit(hub->places, party, 1, n_max, ws_hub_share(hub))) {
                metric_add(METRIC_SHARE_REFUSED_SOCKETS, 1);
                return false;
        }
        if (!ws_shares_take(hub->places, party, 1))
                return false;
        if (client->party != 0)
                ws_shares_give_back(hub->places, client->party, 1);
        client->party = party;
        return true;
}

bool ws_hub_take_strange_place(WsHub *hub, WsClient *client) {
        const WsOptions *options = hub->options;
        size_t n_all = (size_t)options->max_connections / 4 + 1;
        size_t n_one = (size_t)options->max_unauthenticated;
        uint64_t party = ws_party_address(client->source);

        if (ws_shares_of(hub->strangers, party) >= (n_one > 0 ? n_one : WS_HUB_UNKNOWN) ||
            !ws_shares_fit(hub->strangers, party, 1, n_all, ws_hub_share(hub))) {
                metric_add(METRIC_SHARE_REFUSED_STRANGERS, 1);
                return false;
        }
        client->is_unknown = ws_shares_take(hub->strangers, party, 1);
        return client->is_unknown;
}

void ws_hub_make_known(WsHub *hub, WsClient *client) {
        if (client->is_unknown)
                ws_shares_give_back(hub->strangers, ws_party_address(client->source), 1);
        client->is_unknown = false;
}

void ws_hub_give_back_places(WsHub *hub, WsClient *client) {
        ws_hub_make_known(hub, client);
        if (client->party != 0)
                ws_shares_give_back(hub->places, client->party, 1);
        client->party = 0;
        --hub->n_clients;
}

size_t ws_hub_n_connections(const WsHub *hub) {
        return ws_list_length(ws_index_find(hub->index, 0, WS_SCOPE_EVERYONE, 0));
}

size_t ws_hub_n_connections_of(const WsHub *hub, int64_t user_id) {
        return ws_list_length(ws_index_find(hub->index, 0, WS_SCOPE_PERSON, user_id));
}

static void ws_hub_describe(const WsClient *client, WsConnectionInfo *ret_info) {
        int64_t oldest_us = ws_backlog_oldest_us(&client->backlog);

        *ret_info = (WsConnectionInfo){
                .dialect = client->dialect->name,
                .user_id = client->user_id,
                .vehicle_id = client->scope == WS_SCOPE_VEHICLE ? client->target_id : 0,
                .device_id = client->edge                       ? ws_edge_device(client->edge)
                             : client->scope == WS_SCOPE_DEVICE ? client->target_id
                                                                : 0,
                .connected_us = client->connected_us,
                .queued_frames = client->backlog.n_frames,
                .queued_bytes = client->backlog.n_bytes,
                .lag_us = oldest_us ? clock_mono_us() - oldest_us : 0,
                .offered = client->backlog.offered,
                .sent = client->backlog.sent,
                .conflated = client->backlog.conflated,
                .dropped = client->backlog.dropped,
        };
}

void ws_hub_each_connection(const WsHub *hub, WsConnectionFn fn, void *arg) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_EVERYONE, 0);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsConnectionInfo info;

                ws_hub_describe(ws_list_at(list, i), &info);
                fn(arg, &info);
        }
}

typedef struct WsAudit WsAudit;

struct WsAudit {
        int64_t drift;  /* of single sockets */
        int64_t queued; /* by all of them */
};

static void ws_hub_audit_one(void *arg, const WsConnectionInfo *info) {
        WsAudit *audit = arg;

        audit->drift += llabs((int64_t)(info->offered - info->sent - info->conflated -
                                        info->dropped - info->queued_frames));
        audit->queued += (int64_t)info->queued_frames;
}

void ws_hub_audit(WsHub *hub) {
        WsAudit audit = { 0 };
        int64_t queued;

        ws_tally_publish(&hub->tally);
        ws_hub_each_connection(hub, ws_hub_audit_one, &audit);
        queued = metric_get(METRIC_WS_QUEUED);
        audit.drift += llabs(queued - audit.queued);
        audit.drift +=
                llabs(metric_get(METRIC_WS_OFFERED) - metric_get(METRIC_WS_SENT) -
                      metric_get(METRIC_WS_CONFLATED) - metric_get(METRIC_WS_DROPPED) - queued);
        metric_set(METRIC_WS_ACCOUNTING_DRIFT, audit.drift);
}
