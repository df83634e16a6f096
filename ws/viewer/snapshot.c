/* WsFeed: the last known state of each thing that a subscription matches; and, of one with a set,
 * which things those are. */

#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_SNAPSHOT_LOOK_COST 16    /* of a thing that is looked at, in bytes of the budget */
#define WS_SNAPSHOT_CHUNK     30000 /* bytes of one part: one fragment */
#define WS_SNAPSHOT_N_THINGS  4096  /* looked at for one part */

typedef struct WsPart WsPart;

/* One in the making. */
struct WsPart {
        WsFollow *follow;
        bool is_silent;   /* the things are noted, and nothing is said */
        bool is_news;     /* members are passed over */
        bool is_partial;  /* more is to come: who resumed from here would not get it */
        bool is_complete; /* with those before it, all there is */
        Buf items, vehicle_ids, device_ids;
        size_t n_looked;
};

static void ws_part_done(WsPart *part) {
        buf_done(&part->items);
        buf_done(&part->vehicle_ids);
        buf_done(&part->device_ids);
}

/* ---- things --------------------------------------------------------------------------------- */

/* To go on in one of its lists. */
static JsonOut ws_part_list(Buf *list) {
        return (JsonOut){ .buf = list, .needs_comma = list->n > 0 };
}

static void ws_part_event(WsPart *part, const Event *event) {
        const WsLoop *loop = part->follow->feed->client->loop;
        JsonOut items = ws_part_list(&part->items);

        if (!event || part->is_silent ||
            !ws_subscription_matches(&part->follow->subscription, loop->registry, event))
                return;
        ws_push_event(loop, event, &items);
}

/* It is one of them: a member from now on, if somebody keeps account of that. */
static int ws_part_note(WsPart *part, WsThing thing) {
        bool is_vehicle = thing.vehicle_id != 0;
        JsonOut ids = ws_part_list(is_vehicle ? &part->vehicle_ids : &part->device_ids);

        if (part->follow->subscription.is_set && !part->is_silent)
                json_out_int(&ids, NULL, is_vehicle ? thing.vehicle_id : thing.device_id);
        return ws_subscription_note(&part->follow->subscription, thing);
}

static void ws_part_device_state(WsPart *part, const Device *device) {
        const WsLoop *loop = part->follow->feed->client->loop;
        JsonOut items = ws_part_list(&part->items);

        if (!part->is_silent && ws_subscription_matches_thing(&part->follow->subscription,
                                                              loop->registry,
                                                              KIND_DEVICE_STATUS,
                                                              0,
                                                              device->id))
                ws_push_device(device, &items);
        ws_part_event(part, ws_last_known_get(loop->last_known, KIND_TELEMETRY, device->id));
}

static int ws_part_device(WsPart *part, const Device *device) {
        const WsThing thing = { .device_id = device->id };
        const WsSubscription *subscription = &part->follow->subscription;
        const Registry *registry = part->follow->feed->client->loop->registry;

        if ((subscription->has_box && !ws_subscription_contains(subscription,
                                                                device->state.latitude,
                                                                device->state.longitude)) ||
            (subscription->is_set &&
             !ws_subscription_reaches(subscription, registry, 0, device->id)) ||
            (part->is_news && ws_members_have(&subscription->members, thing)))
                return 0;
        ws_part_device_state(part, device);
        return ws_part_note(part, thing);
}

static int ws_part_vehicle(WsPart *part, const Vehicle *vehicle) {
        const WsThing thing = { .vehicle_id = vehicle->id };
        const WsSubscription *subscription = &part->follow->subscription;
        const WsLoop *loop = part->follow->feed->client->loop;
        const Event *last = ws_last_known_get(loop->last_known, KIND_VEHICLE_LOG, vehicle->id);
        double place[2];

        if ((subscription->has_box &&
             (!ws_last_known_place(loop->last_known, vehicle->id, place) ||
              !ws_subscription_contains(subscription, place[0], place[1]))) ||
            (subscription->is_set &&
             !ws_subscription_reaches(subscription, loop->registry, vehicle->id, 0)) ||
            (part->is_news && ws_members_have(&subscription->members, thing)))
                return 0;
        ws_part_event(part, last);
        return ws_part_note(part, thing);
}

/* Adds what comes next; false: there is nothing more. */
static int ws_part_next(WsPart *part, bool *ret_more) {
        WsFollow *follow = part->follow;
        const WsClient *client = follow->feed->client;
        const Registry *registry = client->loop->registry;
        bool is_one = client->scope == WS_SCOPE_VEHICLE;
        WsEye eye = ws_feed_eye(follow->feed);
        const Device *device = NULL;
        const Vehicle *vehicle = NULL;

        *ret_more = true;
        ++part->n_looked;
        if (!follow->is_at_vehicles)
                device = is_one ? NULL : registry_next_device(registry, follow->after_id);
        if (device) {
                follow->after_id = device->id;
                return ws_eye_sees_device(&eye, device) ? ws_part_device(part, device) : 0;
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
                       ? ws_part_vehicle(part, vehicle)
                       : 0;
}

static int ws_part_fill(WsPart *part, bool *ret_more) {
        int r = 0;

        *ret_more = true;
        while (r == 0 && *ret_more && part->n_looked < WS_SNAPSHOT_N_THINGS &&
               part->items.n + part->vehicle_ids.n + part->device_ids.n < WS_SNAPSHOT_CHUNK)
                r = ws_part_next(part, ret_more);
        return err_up(r);
}

/* ---- saying it ------------------------------------------------------------------------------ */

static void ws_part_put(JsonOut *out, const char *name, const Buf *list) {
        json_out_array(out, name);
        json_out_raw(out, NULL, buf_text(list));
        json_out_array_end(out);
}

static void ws_part_set(const WsPart *part, JsonOut *out) {
        char text[WS_MEMBERS_TEXT_SIZE];

        ws_part_put(out, "vehicle_ids", &part->vehicle_ids);
        ws_part_put(out, "device_ids", &part->device_ids);
        json_out_bool(out, "complete", part->is_complete);
        if (!part->is_partial && part->follow->has_whole)
                json_out_string(out,
                                "set",
                                ws_members_text(&part->follow->subscription.members, text));
}

static int ws_part_frame(const WsPart *part, WsMark mark, WsFrame **ret_frame) {
        const WsFollow *follow = part->follow;
        const WsClient *client = follow->feed->client;
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "snapshot");
        json_out_string(&out, "subscription", follow->name);
        ws_part_put(&out, "items", &part->items);
        if (follow->subscription.is_set)
                ws_part_set(part, &out);
        if (part->is_partial)
                json_out_null(&out, "cursor");
        else
                ws_cursor_json(&out, "cursor", client->loop, mark);
        json_out_bool(&out, "done", !part->is_partial);
        json_out_object_end(&out);
        if (buf_failed(&json) || buf_failed(&part->items) || buf_failed(&part->vehicle_ids) ||
            buf_failed(&part->device_ids))
                return err_new(-ENOMEM);
        return err_up(ws_client_wrap(client,
                                     &(WsPush){ .type = "snapshot",
                                                .mark = part->is_partial ? ws_mark(0) : mark,
                                                .json = buf_text(&json) },
                                     ret_frame));
}

/* In a walk that goes on only while there is room. */
static int ws_part_say(const WsPart *part, WsMark mark) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        WsFeed *feed = part->follow->feed;
        size_t cost = part->n_looked * WS_SNAPSHOT_LOOK_COST;
        int r;

        r = ws_part_frame(part, mark, &frame);
        if (r < 0)
                return err_up(r);
        cost += frame->n;
        feed->budget -= cost < feed->budget ? cost : feed->budget;
        return err_up(ws_client_offer(feed->client, frame));
}

/* Its set has grown: is that too much for one socket? Then it is closed. */
static void ws_snapshot_judge(const WsFollow *follow) {
        const WsFeed *feed = follow->feed;

        if (feed->n_members > (size_t)feed->client->loop->options->max_set)
                ws_client_close(feed->client,
                                WS_CLOSE_CAPACITY,
                                "set too large",
                                METRIC_WS_CLOSED_SET);
}

/* ---- a whole -------------------------------------------------------------------------------- */

static void ws_snapshot_set_aside(WsFollow *follow) {
        WsMembers *members = &follow->subscription.members;
        size_t *n_all = members->n_all;

        follow->told = *members;
        follow->told.n_all = NULL;
        if (n_all)
                *n_all -= members->n;
        *members = (WsMembers){ .n_all = n_all };
}

/* The text that the client showed says nothing of what a change hid from the replay. */
void ws_snapshot_begin(WsFollow *follow) {
        follow->after_id = 0;
        follow->is_at_vehicles = false;
        if (follow->is_stale)
                follow->had[0] = '\0';
        follow->is_stale = false; /* what changes from here on makes it so again */
        if (!follow->subscription.is_set)
                return;
        ws_members_done(&follow->told);
        if (follow->had[0] != '\0')
                ws_snapshot_set_aside(follow);
        ws_members_clear(&follow->subscription.members);
        follow->has_lost = false;
        (void)ws_census_step(&follow->census, WS_CENSUS_ON_VOID);
        follow->has_whole = false;
}

/* All things are noted. Are they those that the client has, and has it been told of no other since?
 * Then nothing needs to be said again: what changed of them was in what it missed. */
static int ws_snapshot_compare(WsPart *part, WsMark mark) {
        char text[WS_MEMBERS_TEXT_SIZE];
        WsFollow *follow = part->follow;
        WsFeed *feed = follow->feed;
        bool is_same;

        is_same = !follow->is_stale &&
                  ws_members_include(&follow->subscription.members, &follow->told) &&
                  strcmp(follow->had, ws_members_text(&follow->subscription.members, text)) == 0;
        ws_members_done(&follow->told);
        follow->had[0] = '\0';
        if (!is_same) {
                ws_snapshot_begin(follow);
                return 0;
        }
        follow->has_whole = true;
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_SHOWN);
        return feed->client->dialect->door == WS_DOOR_POLL ? 0 : err_up(ws_part_say(part, mark));
}

int ws_snapshot_part(WsFollow *follow) {
        __attribute__((cleanup(ws_part_done))) WsPart part = {
                .follow = follow,
                .is_silent = follow->had[0] != '\0',
        };
        WsFeed *feed = follow->feed;
        WsMark mark = ws_feed_cursor(feed, follow->seq);
        bool is_more;
        int r;

        r = ws_part_fill(&part, &is_more);
        if (r < 0)
                return err_up(r);
        ws_snapshot_judge(follow);
        if (part.is_silent && is_more) {
                feed->budget -= feed->budget < WS_SNAPSHOT_CHUNK ? feed->budget : WS_SNAPSHOT_CHUNK;
                return 0;
        }
        if (part.is_silent)
                return err_up(ws_snapshot_compare(&part, mark));
        part.is_partial = is_more;
        part.is_complete = !is_more;
        if (!is_more) {
                follow->has_whole = true;
                (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_SHOWN);
        }
        return err_up(ws_part_say(&part, mark));
}

/* ---- what comes in -------------------------------------------------------------------------- */

int ws_snapshot_news(WsFollow *follow, bool *ret_more) {
        __attribute__((cleanup(ws_part_done))) WsPart part = { .follow = follow, .is_news = true };
        WsFeed *feed = follow->feed;
        int r;

        r = ws_part_fill(&part, ret_more);
        if (r < 0)
                return err_up(r);
        ws_snapshot_judge(follow);
        if (part.vehicle_ids.n + part.device_ids.n > 0)
                return err_up(ws_part_say(&part,
                                          ws_feed_cursor(feed, feed->client->loop->ring.last_seq)));
        feed->budget -= feed->budget < part.n_looked ? feed->budget : part.n_looked;
        return 0;
}

int ws_snapshot_thing(WsFollow *follow, WsThing thing, WsMark mark) {
        __attribute__((cleanup(ws_part_done))) WsPart part = { .follow = follow };
        const WsLoop *loop = follow->feed->client->loop;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        const Device *device = NULL;
        int r;

        if (thing.vehicle_id == 0)
                device = registry_device(loop->registry, thing.device_id);
        if (device)
                ws_part_device_state(&part, device);
        else
                ws_part_event(&part,
                              ws_last_known_get(loop->last_known,
                                                KIND_VEHICLE_LOG,
                                                thing.vehicle_id));
        r = ws_part_note(&part, thing);
        if (r == 0)
                r = ws_part_frame(&part, mark, &frame);
        if (r < 0)
                return err_up(r);
        ws_snapshot_judge(follow);
        r = ws_client_try(follow->feed->client, frame);
        if (r != WS_BACKLOG_E_FULL)
                return err_up(r);
        follow->feed->is_dropping = true; /* nor is there room for what comes next of it */
        follow->is_unsure = true;
        return 0;
}
