/* WsFollow: subscriptions on their way from where they were to what is live. */

#include <math.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "model/metrics.h"
#include "model/query.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_FOLLOW_SKIP_COST 64  /* of an event that is passed over, in bytes of the budget */
#define WS_FOLLOW_RETRY_MS  200 /* while the database is behind, or away */
#define WS_FOLLOW_TRIES     50

enum {
        WS_FOLLOW_E_WAITS = 1, /* for room, or for the database */
};

/* ---- how far they are ----------------------------------------------------------------------- */

bool ws_feed_has_room(const WsFeed *feed) {
        const WsClient *client = feed->client;

        return client->close_code == 0 && feed->budget > 0 && !feed->is_dropping &&
               client->backlog.conflating_since_ms == 0 &&
               client->backlog.n_metered < client->loop->options->queue_bytes / 2;
}

bool ws_feed_counts(const WsFeed *feed) {
        WsFollow *follow;

        if (feed->n_sets == 0)
                return false;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_census_is_due(follow))
                        return true;
        return false;
}

bool ws_feed_is_hungry(const WsFeed *feed) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_SNAPSHOT ||
                    (follow->state == WS_FOLLOW_PLAYS && follow->playback->is_stalled) ||
                    (ws_follow_lags(follow->state) && !feed->turn.is_waiting) ||
                    (feed->has_over && ws_census_is_over(follow)))
                        return true;
        return feed->is_dropping || feed->has_missed || ws_feed_counts(feed);
}

bool ws_feed_is_live(const WsFeed *feed) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_lags(follow->state))
                        return false;
        return true;
}

bool ws_feed_has_snapshot(const WsFeed *feed) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_SNAPSHOT)
                        return true;
        return false;
}

WsMark ws_feed_seq(const WsFeed *feed) {
        uint64_t seq = feed->client->loop->ring.last_seq;
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                if (follow->seq < seq && ws_follow_lags(follow->state))
                        seq = follow->seq;
                if (follow->n_missed > 0 && follow->missed_from < seq)
                        seq = follow->missed_from;
        }
        return feed->n_since > 0 ? ws_since_mark(feed, seq, NULL, true) : ws_mark(seq);
}

/* ---- replay --------------------------------------------------------------------------------- */

/* The frame of an event: of the ring's, if it has one or may keep it. It has no key: a replay does
 * not conflate, and what it repeats may be older than what is waiting already. */
static int ws_feed_frame(WsFeed *feed,
                         Event *event,
                         WsRingSlot *slot,
                         WsMark mark,
                         Text names,
                         WsFrame **ret_frame) {
        WsClient *client = feed->client;
        WsLoop *loop = client->loop;
        bool is_native = client->dialect->id == WS_DIALECT_NATIVE;
        WsPush push = {
                .type = ws_push_type(event),
                .mark = mark,
        };
        int r;

        if (mark.seen || mark.place != event->place || names.n > 0) /* for this client alone */
                slot = NULL;
        if (slot && slot->frame && is_native) {
                *ret_frame = ws_frame_ref(slot->frame);
                return 0;
        }

        buf_reset(&loop->text);
        ws_push_event_at(loop, event, mark, names, &(JsonOut){ .buf = &loop->text });
        if (buf_failed(&loop->text)) {
                buf_done(&loop->text);
                return err_new(-ENOMEM);
        }
        push.json = buf_text(&loop->text);
        r = ws_client_wrap(client, &push, ret_frame);
        if (r < 0)
                return err_up(r);
        if (slot && is_native)
                ws_ring_keep(&loop->ring, slot, *ret_frame);
        return 0;
}

/* Where the path or the right of the client ends. */
static bool ws_follow_may_have(const WsFollow *follow, const Event *event) {
        const WsClient *client = follow->feed->client;
        WsEye eye = ws_feed_eye(follow->feed);

        if (client->scope == WS_SCOPE_VEHICLE && event->vehicle_id != client->target_id)
                return false;
        return event_is_of_now(event, eye.registry) &&
               ws_eye_sees(&eye, event->vehicle_id, event->device_id);
}

uint64_t ws_feed_at(const WsFeed *feed) {
        uint64_t at = UINT64_MAX;
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_REPLAYS && follow->seq < at)
                        at = follow->seq;
        return at;
}

int ws_follow_wants(WsFollow *follow, const Event *event, bool *ret_wants) {
        WsSubscription *subscription = &follow->subscription;
        const WsLoop *loop = follow->feed->client->loop;
        WsPlace place = WS_PLACE_OUTSIDE;
        int r = 0;

        *ret_wants = false;
        if (!ws_subscription_matches(subscription, loop->registry, event) ||
            !ws_follow_may_have(follow, event))
                return 0;
        if (subscription->is_set && !subscription->has_box && !follow->has_whole)
                place = WS_PLACE_INSIDE; /* the whole comes behind the replay */
        else
                r = ws_subscription_locate(subscription,
                                           loop->registry,
                                           loop->last_known,
                                           event,
                                           &place);
        if (r == 0 && subscription->is_set)
                r = ws_census_move(follow, event, place, ws_feed_cursor(follow->feed, follow->seq));
        *ret_wants = place == WS_PLACE_INSIDE || place == WS_PLACE_ENTERS;
        return err_up(r);
}

bool ws_follow_is_past(const WsFollow *follow, const Event *event) {
        const WsNumbers *numbers = &follow->feed->client->loop->numbers;

        if (follow->since && event->seq <= follow->since[ws_numbers_slot(numbers, event)])
                return false;
        return event->place > follow->seq;
}

bool ws_follow_awaits(const WsFollow *follow, const Event *event, bool is_ring) {
        return follow->state == WS_FOLLOW_REPLAYS && ws_follow_is_past(follow, event) &&
               (is_ring || follow->is_in_page);
}

void ws_follow_pass(WsFollow *follow, const Event *event, bool is_ring) {
        const WsNumbers *numbers = &follow->feed->client->loop->numbers;

        if (follow->since && !is_ring)
                follow->since[ws_numbers_slot(numbers, event)] = event->seq;
        else
                follow->seq = event->place;
}

void ws_follow_miss(WsFollow *follow, const Event *event) {
        if (follow->n_missed++ == 0)
                follow->missed_from =
                        follow->since && follow->seq == 0 ? WS_MARK_NOTHING : follow->seq;
        follow->missed_to = event->place;
        follow->feed->has_missed = follow->feed->is_dropping = true;
}

/* The cursor that it may have: some may be further behind, or still ask, or hold something back. */
static WsMark ws_feed_replay_cursor(const WsFeed *feed, const Event *event, bool is_ring) {
        uint64_t seq = event->place;
        const WsFollow *follow;

        if (feed->n_since > 0)
                return ws_since_mark(feed,
                                     is_ring ? event->place : feed->client->loop->ring.last_seq,
                                     event,
                                     is_ring);

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                const WsHold *oldest = TAILQ_FIRST(&follow->subscription.held);

                if (oldest && oldest->before_seq < seq)
                        seq = oldest->before_seq;
                if (ws_follow_lags(follow->state) && follow->seq < seq &&
                    !ws_follow_awaits(follow, event, is_ring))
                        seq = follow->seq;
        }
        return ws_mark(seq);
}

static int ws_feed_try(WsFeed *feed, Event *event, WsRingSlot *slot, bool *ret_is_missed) {
        const WsClient *client = feed->client;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        size_t half = client->loop->options->queue_bytes / 2;
        size_t n_waiting = client->backlog.n_metered;
        CLEANUP_BUF Buf names = { 0 };
        int r;

        r = ws_feed_name(feed, event, false, &names);
        if (r == 0)
                r = ws_feed_frame(feed,
                                  event,
                                  slot,
                                  ws_feed_replay_cursor(feed, event, slot != NULL),
                                  buf_text(&names),
                                  &frame);
        if (r < 0)
                return err_up(r);
        assert(frame);
        if (n_waiting > 0 && n_waiting + frame->n > half) /* more than half would conflate */
                return WS_FOLLOW_E_WAITS;
        r = ws_client_try(feed->client, frame);
        if (r < 0)
                return err_up(r);

        *ret_is_missed = r == WS_BACKLOG_E_FULL;
        feed->budget = feed->budget > frame->n ? feed->budget - frame->n : 0;
        return 0;
}

/* Once to the client, for all that replay and want it. */
static int ws_feed_tell(WsFeed *feed, Event *event, WsRingSlot *slot) {
        size_t cost = WS_FOLLOW_SKIP_COST;
        bool goes = false, is_missed = false;
        WsFollow *follow;
        int r = 0;

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                follow->takes = false;
                if (r == 0 && ws_follow_awaits(follow, event, slot != NULL))
                        r = ws_follow_wants(follow, event, &follow->takes);
                goes |= follow->takes;
                cost += WS_FOLLOW_SKIP_COST / 4;
        }
        if (r == 0 && goes)
                r = ws_feed_try(feed, event, slot, &is_missed);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_awaits(follow, event, slot != NULL)) {
                        if (is_missed)
                                ws_follow_miss(follow, event);
                        ws_follow_pass(follow, event, slot != NULL);
                }
        feed->budget = feed->budget > cost ? feed->budget - cost : 0;
        return 0;
}

static void ws_follow_end_page(WsFollow *follow, const Answer *answer) {
        if (answer->n_upto > 0)
                ws_since_reach(follow, answer->upto, answer->n_upto);
        else if (follow->seq < answer->upto_seq)
                follow->seq = answer->upto_seq;
}

static int ws_feed_tell_page(WsFeed *feed) {
        const Answer *answer = feed->page->answer;
        WsFollow *follow;
        int r;

        while (feed->i_page < answer->n_events) {
                if (!ws_feed_has_room(feed))
                        return WS_FOLLOW_E_WAITS;
                r = ws_feed_tell(feed, answer->events[feed->i_page], NULL);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                ++feed->i_page;
        }
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_REPLAYS && follow->is_in_page)
                        ws_follow_end_page(follow, answer);
        feed->page = event_unref(feed->page);
        return 0;
}

static int ws_feed_tell_ring(WsFeed *feed, uint64_t at) {
        WsRing *ring = &feed->client->loop->ring;
        WsRingSlot *slot;
        int r;

        while ((slot = ws_ring_after(ring, at))) {
                if (!ws_feed_has_room(feed))
                        return WS_FOLLOW_E_WAITS;
                r = ws_feed_tell(feed, slot->event, slot);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                at = slot->event->place;
        }
        return 0;
}

static WsFollow *ws_feed_asker(const WsFeed *feed) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_ASKS)
                        return follow;
        return NULL;
}

static void ws_feed_ask(WsFeed *feed, int delay_ms) {
        if (feed->turn.is_waiting)
                return;
        feed->asks_for = ws_feed_asker(feed);
        ws_turns_join(feed->client->loop->turns, &feed->turn, feed->client->user_id, delay_ms);
}

/* 0: those that replay have reached the end of what there is. Who does not know yet whether it can
 * resume is asked for first, and what was read waits, so that the pages that follow serve it, too.
 */
static int ws_feed_replay(WsFeed *feed) {
        const WsRing *ring = &feed->client->loop->ring;
        uint64_t at;
        int r = 0;

        if (feed->page && !ws_feed_asker(feed))
                r = ws_feed_tell_page(feed);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        at = ws_feed_at(feed);
        if (ws_feed_asker(feed) || (at < ring->last_seq && !ws_ring_covers(ring, at)))
                ws_feed_ask(feed, 0);
        if (at >= ring->last_seq)
                return 0;
        if (feed->page || !ws_ring_covers(ring, at))
                return WS_FOLLOW_E_WAITS;
        return ws_feed_tell_ring(feed, at);
}

static void ws_feed_give_up(WsFeed *feed) {
        unsigned long long n_more;

        if (log_may(&feed->client->loop->given_up, &n_more))
                log_warning("replay_given_up more=%llu", n_more);
        ws_client_close(feed->client,
                        WS_CLOSE_STATE_LOST,
                        "state lost",
                        METRIC_WS_CLOSED_STATE_LOST);
}

/* Of one that knows now that it can resume: its first page serves if nobody else replays, and what
 * was read for others without it is read again for all. */
static int ws_follow_begin(WsFollow *follow, Event *event) {
        WsFeed *feed = follow->feed;
        WsFollow *other;
        int r;

        TAILQ_FOREACH(other, &feed->follows, entry)
                other->is_in_page = other == follow;
        feed->n_tries = 0;
        feed->page = event_unref(feed->page);
        if (ws_feed_at(feed) == UINT64_MAX) {
                feed->page = event_ref(event);
                feed->i_page = 0;
        }
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_ANSWERED);
        r = feed->client->dialect->subscribed(feed->client, follow);
        ws_client_touch(feed->client);
        return err_up(r);
}

/* Does the answer say more than what those that replay know? */
static bool ws_feed_gets_on(const WsFeed *feed, const Answer *answer, uint64_t at) {
        uint64_t least[CURSOR_MAX];

        if (answer->n_upto == 0)
                return answer->upto_seq > at;
        ws_since_least(feed, least);
        for (size_t i = 0; i < answer->n_upto; ++i)
                if (answer->upto[i] > least[i])
                        return true;
        return false;
}

int ws_feed_take_page(WsFeed *feed, Event *event) {
        const Answer *answer = event->answer;
        WsFollow *follow = feed->asks_for;
        uint64_t at = ws_feed_at(feed);
        int r;

        feed->asks_for = NULL;
        if (follow) {
                r = ws_follow_begin(follow, event);
                return err_up(r);
        }

        ws_client_touch(feed->client);
        if (answer->n_events > 0 || ws_feed_gets_on(feed, answer, at)) {
                feed->n_tries = 0;
                feed->page = event_ref(event);
                feed->i_page = 0;
        } else if (++feed->n_tries > WS_FOLLOW_TRIES) {
                ws_feed_give_up(feed);
        } else if (at != UINT64_MAX) {
                ws_feed_ask(feed, WS_FOLLOW_RETRY_MS);
        }
        return 0;
}

/* Before anything was promised: the state as it is now, and on from here. Afterwards the promise is
 * kept as soon as the database is back, or broken openly. */
int ws_feed_take_refusal(WsFeed *feed, int status) {
        WsFollow *follow = feed->asks_for;
        WsClient *client = feed->client;
        int r;

        feed->asks_for = NULL;
        if (!follow) {
                if (status != 503 || ++feed->n_tries > WS_FOLLOW_TRIES)
                        ws_feed_give_up(feed);
                else
                        ws_feed_ask(feed, WS_FOLLOW_RETRY_MS);
                return 0;
        }

        follow->is_recovered = false;
        ws_since_end(follow);
        follow->begin_seq = follow->seq = client->loop->ring.last_seq;
        follow->wants_snapshot = true;
        follow->had[0] = '\0';
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_ANSWERED);
        r = client->dialect->subscribed(client, follow);
        ws_client_touch(client);
        return err_up(r);
}

/* It has read to the end of the ring, in this very turn. What moves a thing may be of a type that
 * it does not replay. */
static void ws_follow_arrive(WsFollow *follow) {
        if (follow->wants_snapshot)
                ws_snapshot_begin(follow);
        (void)ws_follow_step(&follow->state,
                             follow->wants_snapshot ? WS_FOLLOW_ON_SHOW : WS_FOLLOW_ON_END);
        follow->is_stale |= !follow->wants_snapshot && follow->subscription.is_set &&
                            follow->subscription.has_box && follow->subscription.kinds != 0;
        follow->wants_snapshot = false;
}

void ws_follow_keep_set(WsFollow *follow, Text had) {
        follow->subscription.is_set = true;
        if (!follow->wants_snapshot && had.n < sizeof(follow->had) && had.n > 0)
                memcpy(follow->had, had.data, had.n); /* zeroed before: it ends with a NUL */
        follow->wants_snapshot = true;
}

void ws_follow_retake(WsFollow *follow) {
        bool is_silent = follow->had[0] != '\0';

        follow->had[0] = '\0';
        if (follow->state == WS_FOLLOW_SNAPSHOT && is_silent) { /* of which nothing was said */
                ws_snapshot_begin(follow);
                return;
        }
        if (follow->state != WS_FOLLOW_LIVE) {
                follow->wants_snapshot = true;
                return;
        }
        follow->seq = follow->feed->client->loop->ring.last_seq;
        ws_snapshot_begin(follow);
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_SHOW);
}

int ws_feed_catch_up(WsFeed *feed) {
        const WsRing *ring = &feed->client->loop->ring;
        bool is_again = true;
        WsFollow *follow;
        int r = 0;

        while (r == 0 && is_again) {
                bool is_over;

                is_again = false;
                r = ws_feed_replay(feed);
                if (r < 0)
                        return err_up(r);
                is_over = r == 0;
                r = 0;
                TAILQ_FOREACH(follow, &feed->follows, entry) {
                        if (follow->state == WS_FOLLOW_REPLAYS &&
                            (is_over || follow->seq >= ring->last_seq))
                                ws_follow_arrive(follow);
                        while (r == 0 && follow->state == WS_FOLLOW_SNAPSHOT &&
                               ws_feed_has_room(feed))
                                r = ws_snapshot_part(follow);
                        is_again |= follow->state == WS_FOLLOW_REPLAYS && is_over;
                }
        }
        return err_up(r);
}
