/* WsFeed: what comes into the set of a subscription, and what goes out of it. */

#include "base/clock.h"
#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_CENSUS_COST 16 /* of a member that is looked at, in bytes of the budget */

/* ---- how far it is -------------------------------------------------------------------------- */

int ws_feed_tell_progress(WsFeed *feed) {
        WsClient *client = feed->client;
        WsMark mark = ws_feed_cursor(feed, client->loop->ring.last_seq);
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };

        ws_client_put_off_progress(client);
        if (!ws_feed_is_live(feed) || ws_feed_is_hungry(feed) || client->backlog.n_frames > 0)
                return 0;
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "progress");
        ws_cursor_json(&out, "cursor", client->loop, mark);
        json_out_time(&out, "timestamp", clock_now_us());
        json_out_object_end(&out);
        if (buf_failed(&json))
                return err_new(-ENOMEM);
        return err_up(ws_feed_push(feed,
                                   &(WsPush){ .type = "progress",
                                              .mark = mark,
                                              .json = buf_text(&json) }));
}

/* ---- another view --------------------------------------------------------------------------- */

WsMark ws_feed_place(const WsFeed *feed, const WsFollow *follow) {
        return ws_feed_cursor(feed,
                              follow->state == WS_FOLLOW_LIVE ? feed->client->loop->ring.last_seq
                                                              : follow->seq);
}

/* What was out of sight, and comes back before anybody has looked, may have changed meanwhile: then
 * the whole is told once more. */
static void ws_census_miss(WsFollow *follow, bool gives, bool takes) {
        if (gives && follow->has_lost)
                follow->is_unsure = follow->feed->has_missed = true;
        follow->has_lost |= takes;
}

bool ws_census_is_other(const WsSubscription *now, const WsSubscription *next, WsChange change) {
        if (change.targets && now->n_targets != next->n_targets)
                return true;
        for (size_t i = 0; change.targets && i < now->n_targets; ++i)
                if (now->targets[i].kind != next->targets[i].kind ||
                    now->targets[i].id != next->targets[i].id)
                        return true;
        return change.box && (now->has_box || next->has_box);
}

int ws_feed_move(WsFeed *feed, WsFollow *follow, WsSubscription *next, WsChange change) {
        WsSubscription *subscription = &follow->subscription;
        bool is_other = ws_census_is_other(subscription, next, change);
        bool wanted_stats = ws_subscription_wants_stats(subscription, WS_SUBSCRIPTION_STATS);
        int r = 0;

        if (change.targets)
                follow->is_over = false;
        if (change.pace && next->interval_us == 0)
                r = ws_feed_send_all_held(feed, follow);
        if (r < 0)
                return err_up(r);
        for (size_t n = ws_subscription_change(subscription,
                                               next,
                                               change,
                                               feed->client->loop->registry);
             n > 0;
             --n)
                ws_backlog_refuse(&feed->client->backlog, true);
        ws_feed_count_stats(feed,
                            wanted_stats,
                            ws_subscription_wants_stats(subscription, WS_SUBSCRIPTION_STATS));
        if (follow->state == WS_FOLLOW_REPLAYS) /* the page was asked for what it was */
                ws_feed_forget_page(feed);
        if (follow->state == WS_FOLLOW_SNAPSHOT && !subscription->is_set)
                ws_snapshot_begin(follow);
        if (subscription->is_set && is_other) { /* who asks again and again costs no census */
                if (change.targets)
                        ws_census_miss(follow, true, true);
                follow->is_stale = true;
                follow->is_moved |= change.targets;
                (void)ws_census_step(&follow->census, WS_CENSUS_ON_VOID);
        }
        ws_client_touch(feed->client);
        return 0;
}

/* ---- one thing ------------------------------------------------------------------------------ */

static int ws_census_leave(WsFollow *follow, WsThing thing, const char *reason, WsMark mark) {
        WsFeed *feed = follow->feed;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        char text[WS_MEMBERS_TEXT_SIZE];
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };
        int r;

        ws_members_remove(&follow->subscription.members, thing);
        if (!follow->has_whole)
                follow->had[0] = '\0'; /* it may have had this one */
        for (size_t n = ws_subscription_drop(&follow->subscription, thing); n > 0; --n)
                ws_backlog_refuse(&feed->client->backlog, true);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "left");
        json_out_string(&out, "subscription", follow->name);
        if (thing.vehicle_id != 0)
                json_out_int(&out, "vehicle_id", thing.vehicle_id);
        else
                json_out_int(&out, "device_id", thing.device_id);
        json_out_string(&out, "reason", reason);
        ws_cursor_json(&out, "cursor", feed->client->loop, mark);
        if (follow->has_whole)
                json_out_string(&out, "set", ws_members_text(&follow->subscription.members, text));
        json_out_object_end(&out);
        if (buf_failed(&json))
                return err_new(-ENOMEM);

        r = ws_client_wrap(feed->client,
                           &(WsPush){ .type = "left", .mark = mark, .json = buf_text(&json) },
                           &frame);
        if (r == 0)
                r = ws_client_try(feed->client, frame);
        if (r != WS_BACKLOG_E_FULL)
                return err_up(r);
        feed->is_dropping = true;
        follow->is_unsure = true;
        return 0;
}

bool ws_census_watches(const WsFollow *follow, const Event *event) {
        const WsSubscription *subscription = &follow->subscription;

        return follow->state == WS_FOLLOW_LIVE && ws_follow_is_past(follow, event) &&
               subscription->is_set && subscription->has_box &&
               (event->kind == KIND_VEHICLE_LOG || event->kind == KIND_DEVICE_STATUS) &&
               ws_subscription_reaches(subscription,
                                       follow->feed->client->loop->registry,
                                       event->vehicle_id,
                                       event->device_id);
}

int ws_census_move(WsFollow *follow, const Event *event, WsPlace place, WsMark mark) {
        const WsThing thing = { event->vehicle_id, event->device_id };

        if (place != WS_PLACE_ENTERS && (place != WS_PLACE_LEAVES || !follow->subscription.is_set))
                return 0;
        if (follow->feed->is_dropping) { /* the whole follows when there is room again */
                follow->is_unsure = follow->subscription.is_set;
                return 0;
        }
        return place == WS_PLACE_ENTERS ? ws_snapshot_thing(follow, thing, mark)
                                        : ws_census_leave(follow, thing, "box", mark);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool ws_census_knows(const WsFeed *feed, WsThing thing) {
        WsEye eye = ws_feed_eye(feed);
        const WsFollow *follow;

        if (ws_eye_sees(&eye, thing.vehicle_id, thing.device_id))
                return true;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->subscription.is_set &&
                    ws_members_have(&follow->subscription.members, thing))
                        return true;
        return false;
}

/* A crowd that registers itself, and shares of others, cost the sets of nobody else. */
static bool ws_census_concerns(const WsFeed *feed, const RegistryRow *row) {
        const WsClient *client = feed->client;

        switch (row->table) {
        case REGISTRY_USER:
                return row->user.id == client->user_id;
        case REGISTRY_DEVICE:
                return ws_census_knows(feed, (WsThing){ .device_id = row->device.id });
        case REGISTRY_VEHICLE:
                return ws_census_knows(feed, (WsThing){ .vehicle_id = row->vehicle.id });
        case REGISTRY_SHARE: /* of one that is gone only its own id is known */
                return !client->sees_all && (row->deleted || row->share.user_id == client->user_id);
        case REGISTRY_ZONES:
                return false;
        default:
                return true;
        }
}

static bool ws_census_is_concerned(const WsFeed *feed, const RegistryDelta *delta) {
        const RegistryRow *row;

        if (!delta || registry_delta_is_whole(delta))
                return true;
        for (size_t i = 0; (row = registry_delta_row(delta, i)); ++i)
                if (ws_census_concerns(feed, row))
                        return true;
        return false;
}

static bool ws_census_gives(const WsFeed *feed, const RegistryDelta *delta) {
        const RegistryRow *row = NULL;

        if (!delta || registry_delta_is_whole(delta))
                return delta != NULL;
        for (size_t i = 0; (row = registry_delta_row(delta, i)); ++i)
                if (!row->deleted && ws_census_concerns(feed, row))
                        return true;
        return false;
}

/* Devices leave groups without a loss of their users. */
static bool ws_census_takes(const RegistryDelta *delta) {
        const RegistryRow *row = NULL;

        for (size_t i = 0; delta && (row = registry_delta_row(delta, i)); ++i)
                if (row->deleted && row->table == REGISTRY_DEVICE_GROUP)
                        return true;
        return false;
}

void ws_census_doubt(WsFeed *feed, const RegistryDelta *delta) {
        uint64_t n_losses = ws_feed_n_losses(feed);
        bool has_lost = n_losses != feed->n_losses;
        bool gives;
        WsFollow *follow;

        feed->n_losses = n_losses;
        if (feed->n_sets == 0 || !ws_census_is_concerned(feed, delta))
                return;
        gives = ws_census_gives(feed, delta);
        has_lost |= ws_census_takes(delta);
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->subscription.is_set) {
                        ws_census_miss(follow, gives, has_lost);
                        follow->is_stale = true;
                }
        ws_client_touch(feed->client);
}

void ws_census_doubt_all(WsLoop *loop, const RegistryDelta *delta) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EVERYONE, 0);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->feed)
                        ws_census_doubt(client->feed, delta);
        }
}

bool ws_census_is_due(const WsFollow *follow) {
        return follow->state == WS_FOLLOW_LIVE &&
               (follow->is_stale || follow->census != WS_CENSUS_DONE);
}

static bool ws_census_is_outside(const WsFollow *follow, WsThing thing, const Device *device) {
        const WsSubscription *subscription = &follow->subscription;
        const WsLoop *loop = follow->feed->client->loop;
        double place[2];

        if (!subscription->has_box)
                return false;
        if (device)
                return !ws_subscription_contains(subscription,
                                                 device->state.latitude,
                                                 device->state.longitude);
        return !ws_last_known_place(loop->last_known, thing.vehicle_id, place) ||
               !ws_subscription_contains(subscription, place[0], place[1]);
}

/* Why it does not belong there any more; NULL: it does. */
static const char *ws_census_reason(const WsFollow *follow, WsThing thing) {
        const Registry *registry = follow->feed->client->loop->registry;
        const Vehicle *vehicle = registry_vehicle(registry, thing.vehicle_id);
        const Device *device = registry_device(registry, thing.device_id);
        WsEye eye = ws_feed_eye(follow->feed);

        if (!vehicle && !device)
                return "deleted";
        if (!ws_eye_sees(&eye, thing.vehicle_id, thing.device_id))
                return "right";
        if (!ws_subscription_reaches(&follow->subscription,
                                     registry,
                                     thing.vehicle_id,
                                     thing.device_id))
                return follow->is_moved ? "target" : "group";
        return ws_census_is_outside(follow, thing, device) ? "box" : NULL;
}

static int ws_census_going(WsFollow *follow) {
        WsMembers *members = &follow->subscription.members;
        WsFeed *feed = follow->feed;
        int r = 0;

        while (r == 0 && ws_feed_has_room(feed)) {
                WsMark mark = ws_feed_cursor(feed, feed->client->loop->ring.last_seq);
                WsThing thing = ws_members_next(members, follow->looked_at);
                const char *reason;

                if (thing.vehicle_id == 0 && thing.device_id == 0) {
                        (void)ws_census_step(&follow->census, WS_CENSUS_ON_LOOKED);
                        follow->is_moved = false;
                        follow->has_lost &= follow->is_stale; /* what goes from here on */
                        follow->after_id = 0;
                        follow->is_at_vehicles = false;
                        return 0;
                }
                follow->looked_at = thing;
                feed->budget -= feed->budget < WS_CENSUS_COST ? feed->budget : WS_CENSUS_COST;
                reason = ws_census_reason(follow, thing);
                if (reason)
                        r = ws_census_leave(follow, thing, reason, mark);
        }
        return err_up(r);
}

static int ws_census_follow(WsFollow *follow) {
        bool is_more = true;
        int r = 0;

        if (follow->census == WS_CENSUS_DONE) {
                follow->is_stale = false; /* what changes from here on is looked at once more */
                follow->looked_at = (WsThing){ 0 };
                (void)ws_census_step(&follow->census, WS_CENSUS_ON_DUE);
        }
        if (follow->census == WS_CENSUS_GOING)
                r = ws_census_going(follow);
        while (r == 0 && is_more && follow->census == WS_CENSUS_COMING &&
               ws_feed_has_room(follow->feed)) {
                r = ws_snapshot_news(follow, &is_more);
                if (!is_more)
                        (void)ws_census_step(&follow->census, WS_CENSUS_ON_FOUND);
        }
        return err_up(r);
}

int ws_census_turn(WsFeed *feed) {
        WsFollow *follow;
        int r = 0;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (r == 0 && ws_census_is_due(follow) && ws_feed_has_room(feed))
                        r = ws_census_follow(follow);
        return err_up(r);
}

/* ---- the end -------------------------------------------------------------------------------- */

bool ws_census_is_over(const WsFollow *follow) {
        if (!follow->is_over || follow->n_missed > 0 || follow->is_unsure)
                return false;
        if (follow->playback) /* held or not; while it looks for its place there is an answer due */
                return follow->state != WS_FOLLOW_OPENS;
        return follow->state == WS_FOLLOW_LIVE &&
               (!follow->subscription.is_set || !ws_census_is_due(follow));
}

static int ws_census_tell_over(const WsFollow *follow) {
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "over");
        json_out_string(&out, "subscription", follow->name);
        json_out_object(&out, "error");
        json_out_string(&out, "code", "not_found");
        json_out_string(&out, "message", "nothing is left of what was asked for");
        json_out_bool(&out, "retry", false);
        json_out_object_end(&out);
        json_out_object_end(&out);
        if (buf_failed(&json))
                return err_new(-ENOMEM);
        return err_up(ws_feed_push(follow->feed,
                                   &(WsPush){ .type = "over",
                                              .mark = ws_mark(0),
                                              .json = buf_text(&json) }));
}

int ws_census_end_all(WsFeed *feed) {
        WsFollow *follow, *next;
        bool has_over = false;

        for (follow = TAILQ_FIRST(&feed->follows); follow; follow = next) {
                int r;

                next = TAILQ_NEXT(follow, entry);
                if (!ws_census_is_over(follow) || !ws_feed_has_room(feed)) {
                        has_over |= follow->is_over;
                        continue;
                }
                r = ws_census_tell_over(follow);
                if (r < 0)
                        return err_up(r);
                ws_follow_free(follow);
        }
        feed->has_over = has_over;
        return 0;
}
