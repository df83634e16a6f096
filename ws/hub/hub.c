#include "ws/hub/hub.h"

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/access/shares.h"
#include "ws/device/edge.h"
#include "ws/device/uplink.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/push.h"
#include "ws/wire/packer.h"

#define WS_HUB_EARLY_MS 500 /* half of a second: the turn nearest to when it is due */

typedef struct WsDelivery WsDelivery;

/* One event on its way to the clients of one dialect. */
struct WsDelivery {
        WsLoop *loop;
        const WsDialect *dialect;
        Event *event;
        const Audience *audience; /* NULL = only those who see all */
        WsFrame *frame;           /* made for the first receiver */
        bool is_silent;           /* the dialect does not show this one */
};

static int ws_delivery_wrap(WsDelivery *delivery) {
        const Event *event = delivery->event;
        const WsPush push = {
                .type = ws_push_type(event),
                .mark = ws_mark(event->place),
                .key = ws_push_key(event),
                .json = buf_text(&delivery->loop->text),
        };

        if (delivery->dialect->wrap)
                return delivery->dialect->wrap(delivery->loop, &push, &delivery->frame);
        return ws_frame_new(&delivery->frame, push.json, push.key);
}

static int ws_delivery_make(WsDelivery *delivery) {
        WsLoop *loop = delivery->loop;
        int r;

        buf_reset(&loop->text);
        r = delivery->dialect->format(loop, delivery->event, &loop->text);
        if (r < 0)
                return err_up(r);
        if (buf_failed(&loop->text)) {
                buf_done(&loop->text);
                return err_new(-ENOMEM);
        }

        delivery->is_silent = loop->text.n == 0;
        if (delivery->is_silent)
                return 0;
        r = ws_delivery_wrap(delivery);
        return err_up(r);
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
        return err_up(r);
}

static int ws_delivery_run(WsDelivery *delivery) {
        const WsIndex *index = delivery->loop->index;
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
        return err_up(r);
}

static const Audience *ws_hub_audience(const WsLoop *loop, const Event *event) {
        const Vehicle *vehicle = NULL;
        const Device *device = NULL;

        if (event->vehicle_id != 0)
                vehicle = registry_vehicle(loop->registry, event->vehicle_id);
        else if (event->device_id != 0)
                device = registry_device(loop->registry, event->device_id);
        if (vehicle)
                return &vehicle->audience;
        return device ? &device->audience : NULL;
}

/* Dialect A may want to be told of each device no oftener than so: then the rest waits. */
static int ws_hub_hears(WsHub *hub,
                        const WsDialect *dialect,
                        const Event *event,
                        bool *ret_is_due) {
        *ret_is_due = true;
        if (dialect != &ws_dialect_people_counter || event->n_items == 0 ||
            hub->loop.options->detection_interval_ms == 0 || (event->again && event->late))
                return 0;
        return err_up(ws_heard_note(&hub->heard, event, clock_mono_us() / 1000, ret_is_due));
}

static int ws_hub_show(WsHub *hub, Event *event) {
        WsLoop *loop = &hub->loop;
        const Audience *audience = ws_hub_audience(loop, event);

        for (size_t i = 0; i < ws_dialect_n_all; ++i) {
                WsDelivery delivery = {
                        .loop = loop,
                        .dialect = ws_dialect_all[i],
                        .event = event,
                        .audience = audience,
                };
                bool is_due;
                int r;

                if (!(delivery.dialect->kinds & WS_DIALECT_KIND(event->kind)) ||
                    (event->type != EVENT_MESSAGE && !delivery.dialect->has_feed) ||
                    loop->n_open[delivery.dialect->id] == 0)
                        continue;
                r = ws_hub_hears(hub, delivery.dialect, event, &is_due);
                if (r == 0 && is_due)
                        r = ws_delivery_run(&delivery);
                ws_frame_unref(delivery.frame);
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

static int ws_hub_show_sum(WsLoop *loop, const WsHeardDevice *sum) {
        Event event = {
                .type = EVENT_MESSAGE,
                .kind = KIND_BLE_DETECTIONS,
                .device_id = sum->device_id,
                .device_key = sum->device_key,
                .seq = sum->seq,
                .place = sum->seq,
                .time_us = sum->time_us,
                .n_items = sum->n_items,
        };
        WsDelivery delivery = {
                .loop = loop,
                .dialect = &ws_dialect_people_counter,
                .event = &event,
                .audience = ws_hub_audience(loop, &event),
        };
        int r = event_is_of_now(&event, loop->registry) ? ws_delivery_run(&delivery) : 0;

        ws_frame_unref(delivery.frame);
        return err_up(r);
}

/* It came behind others: whoever is past its place, and not live yet, comes by once more. */
static void ws_hub_rewind(WsLoop *loop, const Event *event) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->feed)
                        ws_feed_rewind(client->feed, event);
        }
}

/* Whatever a device says tells that it lives; its state comes with it. */
static int ws_hub_take_state(WsHub *hub, const Event *event) {
        WsLoop *loop = &hub->loop;

        if (event->clock.verdict != CLOCK_UNJUDGED)
                registry_set_clock(loop->registry,
                                   event->vehicle_id,
                                   &(VehicleClock){ .now = event->clock });
        if (event->device_id == 0)
                return 0;
        if (event->kind == KIND_DEVICE_STATUS) {
                registry_set_state(loop->registry, event->device_id, &event->state);
                ++loop->n_changes;
                return err_up(ws_listings_note(loop->listings, event->device_id));
        }
        if (event->state.last_seen_us == CLOCK_UNKNOWN)
                return 0;
        registry_set_state(loop->registry, event->device_id, &event->state);
        return err_up(ws_touched_note(&hub->touched, event->device_id));
}

static int ws_hub_message(WsHub *hub, Event *event) {
        WsLoop *loop = &hub->loop;
        bool is_of_now = event_is_of_now(event, loop->registry);
        int r = is_of_now ? ws_hub_take_state(hub, event) : 0;

        if (r == 0 && is_of_now)
                r = ws_last_known_put(loop->last_known, event);
        if (r == 0)
                r = ws_loop_remember(loop, event);
        if (r < 0 || !is_of_now) /* its number is passed, and nobody sees it */
                return err_up(r);

        if (event->behind)
                ws_hub_rewind(loop, event);
        histogram_observe(HISTOGRAM_DELIVER, (double)(clock_now_us() - event->received_us) / 1e6);
        r = ws_hub_show(hub, event);
        return err_up(r);
}

static bool ws_hub_may_stay(const WsLoop *loop, const WsClient *client, const User *user) {
        const Vehicle *vehicle;
        const Device *device;

        if (client->edge || client->uplink)
                return client->edge ? ws_edge_may_stay(client) : ws_uplink_may_stay(client);
        if (client->user_id != 0 &&
            (!user || !user->is_active || user->generation != client->generation))
                return false;
        switch (client->scope) {
        case WS_SCOPE_VEHICLE:
                vehicle = registry_vehicle(loop->registry, client->target_id);
                return vehicle && (client->sees_all || user_sees_vehicle(user, vehicle));
        case WS_SCOPE_DEVICE:
                device = registry_device(loop->registry, client->target_id);
                return device && (client->sees_all || user_sees_device(user, device));
        default:
                return true;
        }
}

static int ws_hub_check(WsLoop *loop, WsClient *client) {
        const User *user = registry_user(loop->registry, client->user_id); /* NULL: nobody's */
        bool saw_all = client->sees_all;
        int r = 0;

        if (client->user_id != 0)
                client->sees_all = user && user->role == ROLE_ADMIN;
        if (!ws_hub_may_stay(loop, client, user))
                ws_client_close(client,
                                WS_CLOSE_REVOKED,
                                "access revoked",
                                METRIC_WS_CLOSED_REVOKED);
        else if (client->feed)
                ws_feed_narrow(client->feed);
        if (client->close_code == 0 && client->sees_all != saw_all)
                r = ws_viewer_join(client);
        if (r == 0 && client->listing && client->sees_all != saw_all) { /* it waits for another's */
                ws_listings_leave(loop->listings, client);
                r = ws_listings_join(loop->listings, client);
        }
        return err_up(r);
}

/* A right was taken away or changed somewhere. Closing only marks; nobody leaves this list here. */
static int ws_hub_check_all(WsLoop *loop) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0);

        ws_last_known_prune(loop->last_known, loop->registry);
        for (size_t i = 0; i < ws_list_length(list); ++i) {
                int r = ws_hub_check(loop, ws_list_at(list, i));

                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

void ws_hub_close_shut(WsHub *hub, WsHubOpenFn is_open, const void *arg) {
        const WsList *list = ws_index_find(hub->loop.index, 0, WS_SCOPE_EVERYONE, 0);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (!is_open(arg, client))
                        ws_client_close(client,
                                        WS_CLOSE_REVOKED,
                                        "this path is open to nobody any more",
                                        METRIC_WS_CLOSED_REVOKED);
        }
}

/* A name has changed: not the first load of all of them. */
static int ws_hub_touch(WsHub *hub, const RegistryDelta *delta) {
        const RegistryRow *row;
        int r = 0;

        if (registry_delta_is_whole(delta) || hub->loop.n_open[WS_DIALECT_DEVICE_HUB] == 0)
                return 0;
        for (size_t i = 0; r == 0 && (row = registry_delta_row(delta, i)); ++i)
                if (row->table == REGISTRY_DEVICE && !row->deleted)
                        r = ws_touched_note(&hub->touched, row->device.id);
        return err_up(r);
}

static int ws_hub_apply(WsHub *hub, const RegistryDelta *delta) {
        WsLoop *loop = &hub->loop;
        bool narrowed = false;
        int r;

        ++loop->n_changes;
        r = registry_apply(loop->registry, delta, &narrowed);
        ws_listings_change(loop->listings, narrowed);
        if (r < 0)
                return err_up(r);
        r = ws_hub_touch(hub, delta);
        if (r == 0 && narrowed)
                r = ws_hub_check_all(loop);
        ws_census_doubt_all(loop, delta);
        return err_up(r);
}

static int ws_hub_show_caught(void *arg, Event *event) {
        return err_up(ws_hub_message(arg, event));
}

/* Of @n messages behind the place @from all live subscriptions are told. */
static int ws_hub_miss(WsLoop *loop, uint64_t from, uint64_t upto, uint64_t n) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0);
        int r = 0;

        ws_ring_skip(&loop->ring, upto);
        for (size_t i = 0; r == 0 && n > 0 && i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->feed)
                        r = ws_feed_miss(client->feed, from, upto, n);
        }
        return err_up(r);
}

/* What was shown here, or perhaps was, is not what is stored: it may come once more. */
static int ws_hub_fork(WsHub *hub, const Event *event) {
        WsNumbers *numbers = &hub->loop.numbers;
        uint64_t from, n = ws_catching_forks(&hub->catching, event, &from);

        if (n == 0)
                return 0;
        return err_up(ws_hub_miss(&hub->loop,
                                  from,
                                  ws_numbers_step(numbers, ws_numbers_slot(numbers, event), 0),
                                  n));
}

/* Messages that the outbox had no room for; or, of none, where the numbers begin. */
static int ws_hub_skip(WsHub *hub, const Event *event) {
        WsLoop *loop = &hub->loop;
        size_t slot = ws_numbers_slot(&loop->numbers, event);
        WsJournal *journal = &loop->numbers.journals[slot];
        uint64_t before = loop->ring.last_seq;
        uint64_t upto = event->seq;

        if (journal->given_seq < event->last_seq)
                journal->given_seq = event->last_seq;
        if (ws_numbers_are_several(&loop->numbers)) {
                if (!ws_catching_goes_on(&hub->catching, event))
                        return 0;
                upto = ws_numbers_step(&loop->numbers, slot, event->seq);
        }
        loop->n_skipped += event->n_items;
        journal->is_begun = true;
        return err_up(ws_hub_miss(loop, before, upto, event->n_items));
}

int ws_hub_publish(WsHub *hub, Event *event) {
        WsLoop *loop = &hub->loop;
        int r = event->is_mute ? ws_hub_take_state(hub, event) : ws_hub_fork(hub, event);

        if (r != 0 || event->is_mute)
                return err_up(r);
        switch (event->type) {
        case EVENT_MESSAGE:
                if (ws_catching_takes(&hub->catching, event))
                        r = ws_hub_message(hub, event);
                break;
        case EVENT_RESTORED:
                r = ws_last_known_put(loop->last_known, event);
                ws_census_doubt_all(loop, NULL);
                break;
        case EVENT_REGISTRY:
                r = ws_hub_apply(hub, event->delta);
                break;
        case EVENT_OPEN:
                ws_numbers_leave_open(&loop->numbers, event);
                break;
        case EVENT_GAP:
                r = ws_hub_skip(hub, event);
                break;
        case EVENT_COMMAND:
                r = ws_edge_command(loop, event);
                break;
        case EVENT_ACKNOWLEDGED:
                r = ws_hub_show(hub, event);
                break;
        case EVENT_ANSWER: /* the server gives it to who asked */
                break;
        }
        return err_up(r);
}

static void ws_hub_settle(WsLoop *loop) {
        WsClient *client;

        (void)!ws_replays_turn(loop->replays); /* out of memory: it tries again at the next */

        while ((client = TAILQ_FIRST(&loop->dirty)))
                ws_viewer_flush(client);
        (void)!ws_replays_turn(loop->replays);
        ws_tally_publish(&loop->tally);
}

/* What max_hz held back and is due now. */
static void ws_hub_turn_paced(WsLoop *loop) {
        int64_t now_us = clock_mono_us();
        WsFeed *feed, *next;

        for (feed = TAILQ_FIRST(&loop->paced); feed; feed = next) {
                next = TAILQ_NEXT(feed, paced);
                (void)!ws_feed_turn(feed, now_us); /* out of memory: the next tick */
        }
}

/* Each once: who finds no time again waits behind those that do. */
static void ws_hub_turn_patient(WsLoop *loop) {
        WsClient *last = TAILQ_LAST(&loop->patient, WsPatient);
        WsClient *client = NULL;

        while (client != last) {
                client = TAILQ_FIRST(&loop->patient);
                ws_client_go_on(client);
        }
}

/* As a status would show it, to dialect C alone: what came is shown to the others as what it was.
 */
static int ws_hub_show_device(WsLoop *loop, int64_t device_id) {
        CLEANUP(event_unref) Event *event = NULL;
        const Device *device = registry_device(loop->registry, device_id);
        WsDelivery delivery = { .loop = loop, .dialect = &ws_dialect_device_hub };
        int r;

        if (!device)
                return 0;
        r = ws_listings_note(loop->listings, device_id);
        if (r == 0)
                r = event_new_message(&event,
                                      &(Record){ .kind = KIND_DEVICE_STATUS,
                                                 .device_id = device_id },
                                      &device->state,
                                      true);
        if (r != 0)
                return err_up(r);
        delivery.event = event;
        delivery.audience = &device->audience;
        r = ws_delivery_run(&delivery);
        ws_frame_unref(delivery.frame);
        return err_up(r);
}

/* Those for which there is no time now come first at the next. */
int ws_hub_second(WsHub *hub) {
        WsLoop *loop = &hub->loop;
        int64_t now_us = clock_mono_us(), device_id;
        int r;

        r = ws_touched_walk(&hub->touched, loop->registry, clock_now_us());
        if (r < 0)
                return err_up(r);
        if (now_us / 1000 - hub->touched.turned_ms <
            loop->options->touch_interval_ms - WS_HUB_EARLY_MS)
                return 0;
        hub->touched.turned_ms = now_us / 1000;
        loop->n_changes += hub->touched.n_ids > 0;
        while (r == 0 && ws_loop_may_work(loop) && ws_touched_take(&hub->touched, &device_id)) {
                if (loop->n_open[WS_DIALECT_DEVICE_HUB] > 0 && loop->options->touch_interval_ms > 0)
                        r = ws_hub_show_device(loop, device_id);
                ws_loop_worked(loop, now_us);
                now_us = clock_mono_us();
        }
        ws_hub_settle(loop);
        return err_up(r);
}

int ws_hub_turn_heard(WsHub *hub) {
        WsLoop *loop = &hub->loop;
        int interval_ms = loop->options->detection_interval_ms;
        int64_t now_us = clock_mono_us();
        WsHeardDevice sum;
        int r = 0;

        while (r == 0 && ws_loop_may_work(loop) &&
               ws_heard_take(&hub->heard, now_us / 1000, interval_ms, &sum)) {
                if (loop->n_open[WS_DIALECT_PEOPLE_COUNTER] > 0)
                        r = ws_hub_show_sum(loop, &sum);
                ws_loop_worked(loop, now_us);
                now_us = clock_mono_us();
        }
        ws_hub_settle(loop);
        return err_up(r);
}

void ws_hub_tick(WsHub *hub) {
        WsLoop *loop = &hub->loop;

        (void)!ws_uplink_tick(loop);
        (void)!ws_edge_tick(loop); /* out of memory: it tries again at the next */
        ws_hub_turn_paced(loop);
        ws_listings_turn(loop->listings, loop);
        ws_hub_turn_patient(loop);
        (void)!ws_questions_turn(loop->questions, clock_mono_us() / 1000);
        (void)!ws_catching_turn(&hub->catching, clock_mono_us() / 1000);
        ws_wheel_turn(&loop->wheel, clock_mono_us() / 1000, ws_viewer_look);
        ws_hub_settle(loop);
}

int ws_hub_new(WsHub **ret_hub, Registry *registry) {
        CLEANUP(ws_hub_free) WsHub *hub = NULL;
        int r;

        hub = calloc(1, sizeof(*hub));
        if (!hub)
                return err_new(-ENOMEM);

        r = ws_loop_init(&hub->loop, registry);
        ws_pendings_init(&hub->pendings, &hub->questions);
        TAILQ_INIT(&hub->listings);
        hub->loop.questions = &hub->questions;
        hub->loop.pendings = &hub->pendings;
        hub->loop.listings = &hub->listings;
        hub->loop.replays = &hub->replays;
        hub->loop.turns = &hub->replays.turns;
        hub->loop.settle = ws_hub_settle;
        ws_catching_init(&hub->catching, &hub->loop, ws_hub_show_caught, hub);
        if (r == 0)
                r = ws_touched_init(&hub->touched);
        if (r == 0)
                r = ws_heard_init(&hub->heard);
        if (r == 0)
                r = ws_questions_init(&hub->questions);
        if (r == 0)
                r = ws_replays_init(&hub->replays, &hub->loop);
        if (r < 0)
                return err_up(r);

        *ret_hub = TAKE(&hub);
        return 0;
}

WsHub *ws_hub_free(WsHub *hub) {
        if (!hub)
                return NULL;

        ws_catching_done(&hub->catching);
        ws_replays_done(&hub->replays);
        ws_questions_done(&hub->questions);
        ws_touched_done(&hub->touched);
        ws_heard_done(&hub->heard);
        ws_loop_done(&hub->loop);
        free(hub);
        return NULL;
}
