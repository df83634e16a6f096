#include "ws/viewer/replays.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/query.h"
#include "ws/access/party.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_REPLAYS_PAGE       500
#define WS_REPLAYS_ANSWER_MS  10000
#define WS_REPLAYS_REFUSED_MS 100 /* before the next try, when there is no place in their lane */

typedef struct WsReach WsReach;

/* The devices and vehicles that the answer may be about. */
struct WsReach {
        const WsFeed *feed;
        const WsFollow *only; /* NULL: all that replay */
        WsEye eye;
};

/* The owners of a turn. */
static WsFeed *ws_replays_feed(WsTurn *turn) {
        return (WsFeed *)(void *)((char *)turn - offsetof(WsFeed, turn));
}

static WsPlayback *ws_replays_playback(WsTurn *turn) {
        return (WsPlayback *)(void *)((char *)turn - offsetof(WsPlayback, turn));
}

static int64_t ws_replays_now_ms(void) {
        return clock_mono_us() / 1000;
}

int ws_replays_init(WsReplays *replays, WsLoop *loop) {
        int r;

        *replays = (WsReplays){ .loop = loop };
        for (size_t i = 0; i < WS_TURNS_AT_ONCE; ++i) {
                replays->under_way[i].replays = replays;
                replays->under_way[i].question.owner = &replays->under_way[i];
        }
        r = ws_turns_init(&replays->turns);
        return err_up(r);
}

void ws_replays_done(WsReplays *replays) {
        for (size_t i = 0; replays->loop && i < WS_TURNS_AT_ONCE; ++i)
                ws_questions_forget(replays->loop->questions, &replays->under_way[i].question);
        ws_turns_done(&replays->turns);
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

static bool ws_reach_includes(const WsReach *reach, const WsFollow *follow) {
        return reach->only ? follow == reach->only : follow->state == WS_FOLLOW_REPLAYS;
}

static bool ws_reach_has(const WsReach *reach, int64_t vehicle_id, int64_t device_id) {
        const WsClient *client = reach->feed->client;
        const WsFollow *follow;

        if (client->scope == WS_SCOPE_VEHICLE && client->target_id != vehicle_id)
                return false;
        if (!ws_eye_sees(&reach->eye, vehicle_id, device_id))
                return false;
        TAILQ_FOREACH(follow, &reach->feed->follows, entry)
                if (ws_reach_includes(reach, follow) &&
                    ws_subscription_reaches(&follow->subscription,
                                            reach->eye.registry,
                                            vehicle_id,
                                            device_id))
                        return true;
        return false;
}

/* Does it want all things of a sort that it may see? */
static bool ws_reach_is_wide(const WsReach *reach, WsTargetKind sort) {
        const unsigned words = 1U << sort | 1U << WS_TARGET_USER | 1U << WS_TARGET_DETECTIONS |
                               1U << WS_TARGET_CAMERAS | 1U << WS_TARGET_ALERTS;
        const WsFollow *follow;

        TAILQ_FOREACH(follow, &reach->feed->follows, entry)
                if (ws_reach_includes(reach, follow) && (follow->subscription.wide & words))
                        return true;
        return false;
}

static uint32_t ws_reach_kinds(const WsReach *reach) {
        const WsFollow *follow;
        uint32_t kinds = 0;

        TAILQ_FOREACH(follow, &reach->feed->follows, entry)
                if (ws_reach_includes(reach, follow))
                        kinds |= ws_replays_kinds(&follow->subscription);
        return kinds;
}

static int ws_reach_append(int64_t **ids, size_t *n_ids, size_t *capacity, int64_t id) {
        if (!VEC_HAS_ROOM(*ids, *n_ids, *capacity, 16))
                return err_new(-ENOMEM);
        (*ids)[(*n_ids)++] = id;
        return 0;
}

static int ws_reach_fill(const WsReach *reach, QueryReplay *replay) {
        const WsClient *client = reach->feed->client;
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
        return err_up(r);
}

static int ws_reach_parts(const WsNumbers *numbers, QueryReplay *replay) {
        replay->parts = calloc(numbers->n, sizeof(*replay->parts));
        if (!replay->parts)
                return err_new(-ENOMEM);
        replay->n_parts = numbers->n;
        for (size_t i = 0; i < numbers->n; ++i)
                memcpy(replay->parts[i].own_epoch,
                       numbers->journals[i].epoch,
                       sizeof(replay->parts[i].own_epoch));
        return 0;
}

/* All but where it begins. */
static int ws_reach_query(const WsReach *reach, Query **ret_query) {
        const WsLoop *loop = reach->feed->client->loop;
        CLEANUP(query_free) Query *query = NULL;
        const char *epoch = loop->options->epoch;
        QueryReplay *replay;
        int r;

        r = query_new(&query, QUERY_REPLAY);
        if (r < 0)
                return err_up(r);
        query->party = reach->eye.user ? ws_party_user(reach->eye.user->id) : 0;
        replay = query->replay = calloc(1, sizeof(*replay));
        if (!replay)
                return err_new(-ENOMEM);

        if (ws_numbers_are_several(&loop->numbers)) {
                r = ws_reach_parts(&loop->numbers, replay);
                if (r < 0)
                        return err_up(r);
        }
        if (epoch)
                strncpy(replay->own_epoch, epoch, sizeof(replay->own_epoch) - 1);
        replay->upto_seq = loop->ring.is_begun ? loop->ring.last_seq : UINT64_MAX;
        replay->kinds = ws_reach_kinds(reach);
        replay->limit = WS_REPLAYS_PAGE;
        r = ws_reach_fill(reach, replay);
        if (r < 0)
                return err_up(r);
        *ret_query = TAKE(&query);
        return 0;
}

static void ws_replays_missed_parts(const WsFeed *feed, QueryReplay *replay) {
        const WsFollow *first = feed->asks_for;
        uint64_t least[CURSOR_MAX] = { 0 };

        if (replay->n_parts == 0)
                return;
        if (!first)
                ws_since_least(feed, least);
        else if (first->since)
                memcpy(least, first->since, replay->n_parts * sizeof(*least));
        for (size_t i = 0; i < replay->n_parts; ++i) {
                QueryPart *part = &replay->parts[i];

                part->after_seq = least[i];
                memcpy(part->epoch,
                       first && first->cursor ? first->cursor->parts[i].epoch : part->own_epoch,
                       sizeof(part->epoch));
        }
}

static int ws_replays_query_missed(WsFeed *feed, Query **ret_query) {
        const WsFollow *first = feed->asks_for;
        WsReach reach = { .feed = feed, .only = first, .eye = ws_feed_eye(feed) };
        WsFollow *follow;
        int r;

        r = ws_reach_query(&reach, ret_query);
        if (r < 0)
                return err_up(r);

        if (first)
                memcpy((*ret_query)->replay->epoch, first->epoch, sizeof(first->epoch));
        (*ret_query)->replay->is_first = first != NULL;
        (*ret_query)->replay->after_seq = first ? first->seq : ws_feed_at(feed);
        ws_replays_missed_parts(feed, (*ret_query)->replay);
        TAILQ_FOREACH(follow, &feed->follows, entry) /* of several, what is at hand is not read */
                follow->is_in_page = ws_reach_includes(&reach, follow) &&
                                     ((*ret_query)->replay->n_parts == 0 || follow->seq == 0);
        return 0;
}

static int ws_replays_query_playback(const WsPlayback *playback, Query **ret_query) {
        const WsFollow *follow = playback->follow;
        WsReach reach = { .feed = follow->feed, .only = follow, .eye = ws_feed_eye(follow->feed) };
        int r;

        r = ws_reach_query(&reach, ret_query);
        if (r < 0)
                return err_up(r);

        (*ret_query)->replay->is_playback = true;
        (*ret_query)->replay->max_bytes = WS_PLAYBACK_BYTES;
        (*ret_query)->replay->is_first = follow->state == WS_FOLLOW_OPENS;
        if (follow->state == WS_FOLLOW_OPENS) {
                (*ret_query)->replay->from_us = playback->wanted_us;
        } else {
                (*ret_query)->replay->from_us = playback->from_us;
                (*ret_query)->replay->after_seq = follow->seq;
                for (size_t i = 0; follow->since && i < (*ret_query)->replay->n_parts; ++i)
                        (*ret_query)->replay->parts[i].after_seq = follow->since[i];
        }
        return 0;
}

/* ---- asking and being answered -------------------------------------------------------------- */

static int ws_replays_end(void *owner, Event *event) {
        struct WsReplay *replay = owner;
        WsReplays *replays = replay->replays;
        WsTurn *turn = ws_turns_end(&replays->turns, (size_t)(replay - replays->under_way));
        int status = event ? event->answer->status : 503;
        int r;

        if (!turn)
                return 0;
        if (turn->is_playback)
                r = ws_playback_take(ws_replays_playback(turn), status, event);
        else if (status == 200)
                r = ws_feed_take_page(ws_replays_feed(turn), event);
        else
                r = ws_feed_take_refusal(ws_replays_feed(turn), status);
        return err_up(r);
}

static int ws_replays_send(WsReplays *replays, WsTurn *turn, size_t at) {
        WsQuestion *question = &replays->under_way[at].question;
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = turn->is_playback ? ws_replays_query_playback(ws_replays_playback(turn), &query)
                              : ws_replays_query_missed(ws_replays_feed(turn), &query);
        if (r == 0)
                r = ws_questions_ask(replays->loop->questions,
                                     question,
                                     &query,
                                     WS_REPLAYS_ANSWER_MS,
                                     ws_replays_end);
        if (r < 0)
                return err_up(r);
        if (r == WS_QUESTIONS_E_FULL)
                turn->not_before_ms = ws_replays_now_ms() + WS_REPLAYS_REFUSED_MS;
        else
                ws_turns_begin(&replays->turns, at, turn);
        return 0;
}

int ws_replays_turn(WsReplays *replays) {
        int64_t now_ms;
        int r = 0;

        if (ws_turns_is_empty(&replays->turns))
                return 0;

        now_ms = ws_replays_now_ms();
        for (size_t i = 0; r == 0 && i < WS_TURNS_AT_ONCE; ++i) {
                WsTurn *turn = NULL;

                if (ws_turns_is_free(&replays->turns, i))
                        turn = ws_turns_due(&replays->turns, now_ms);
                if (turn)
                        r = ws_replays_send(replays, turn, i);
        }
        return err_up(r);
}
