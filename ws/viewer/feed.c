#include "ws/viewer/feed.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"

#define WS_FEED_BUDGET 262144 /* bytes that one client may catch up in one turn */

int ws_feed_new(WsFeed **ret_feed, WsClient *client) {
        WsFeed *feed = calloc(1, sizeof(*feed));

        if (!feed)
                return err_new(-ENOMEM);

        feed->client = client;
        TAILQ_INIT(&feed->follows);
        *ret_feed = feed;
        return 0;
}

int ws_follow_new(WsFollow **ret_follow) {
        WsFollow *follow = calloc(1, sizeof(*follow));
        int r;

        if (!follow)
                return err_new(-ENOMEM);
        r = ws_subscription_init(&follow->subscription);
        if (r < 0) {
                free(follow);
                return err_up(r);
        }

        *ret_follow = follow;
        return 0;
}

static void ws_feed_stop_asking(WsFeed *feed) {
        ws_turns_leave(feed->client->loop->turns, &feed->turn);
        feed->asks_for = NULL;
}

WsFollow *ws_follow_free(WsFollow *follow) {
        if (!follow)
                return NULL;

        if (follow->feed) {
                WsFeed *feed = follow->feed;

                feed->n_playbacks -= follow->playback != NULL;
                if (feed->asks_for == follow)
                        ws_feed_stop_asking(feed);
                if (ws_subscription_wants_stats(&follow->subscription, WS_SUBSCRIPTION_STATS))
                        --feed->client->loop->n_stats_follows;
                feed->n_sets -= follow->subscription.is_set;
                if (feed->n_sets == 0)
                        feed->client->progress_ms = 0;
                TAILQ_REMOVE(&feed->follows, follow, entry);
                --feed->n_follows;
        }
        ws_since_end(follow);
        ws_playback_free(follow->playback);
        buf_done(&follow->id);
        ws_members_done(&follow->told);
        ws_subscription_done(&follow->subscription);
        free(follow);
        return NULL;
}

static void ws_feed_unpace(WsFeed *feed) {
        if (!feed->is_paced)
                return;

        feed->is_paced = false;
        TAILQ_REMOVE(&feed->client->loop->paced, feed, paced);
}

WsFeed *ws_feed_free(WsFeed *feed) {
        WsFollow *follow;

        if (!feed)
                return NULL;

        while ((follow = TAILQ_FIRST(&feed->follows)))
                ws_follow_free(follow);
        ws_feed_unpace(feed);
        ws_feed_stop_asking(feed);
        event_unref(feed->page);
        free(feed->seen);
        free(feed);
        return NULL;
}

WsEye ws_feed_eye(const WsFeed *feed) {
        const WsClient *client = feed->client;

        return (WsEye){
                .registry = client->loop->registry,
                .user = client->user_id ? registry_user(client->loop->registry, client->user_id)
                                        : NULL,
                .sees_all = client->sees_all,
        };
}

uint64_t ws_feed_n_losses(const WsFeed *feed) {
        const User *user = ws_feed_eye(feed).user;

        return user ? user->n_losses : 0;
}

/* ---- what is said --------------------------------------------------------------------------- */

static void ws_feed_lose(WsFeed *feed, WsFollow *follow, uint64_t from_seq, uint64_t to_seq) {
        if (follow->n_missed == 0 || follow->missed_from > from_seq)
                follow->missed_from = from_seq;
        if (follow->n_missed++ == 0 || follow->missed_to < to_seq)
                follow->missed_to = to_seq;
        feed->has_missed = true;
}

WsMark ws_feed_cursor(const WsFeed *feed, uint64_t seq) {
        const WsFollow *follow;

        if (feed->n_since > 0)
                return ws_since_mark(feed, seq, NULL, true);
        TAILQ_FOREACH(follow, &feed->follows, entry) {
                const WsHold *oldest = TAILQ_FIRST(&follow->subscription.held);

                if (oldest && oldest->before_seq < seq)
                        seq = oldest->before_seq;
                if (ws_follow_lags(follow->state) && follow->seq < seq)
                        seq = follow->seq;
        }
        return ws_mark(seq);
}

WsMark ws_follow_begin_mark(const WsFollow *follow) {
        return (WsMark){ .place = follow->begin_seq, .seen = follow->since };
}

WsMark ws_feed_begin_mark(const WsFeed *feed, const WsFollow *follow) {
        return ws_feed_cursor(feed, follow->since ? 0 : follow->begin_seq);
}

/* An event, with the cursor that it may have for this client. */
static int ws_feed_send(WsFeed *feed, const Event *event, WsFrame *frame) {
        WsMark mark;
        CLEANUP(ws_frame_unref) WsFrame *own = NULL;
        CLEANUP_BUF Buf names = { 0 };
        CLEANUP_BUF Buf json = { 0 };
        WsPush push = { .type = ws_push_type(event), .key = ws_push_key(event) };
        int r;

        if (feed->n_since > 0)
                ws_since_settle(feed);
        push.mark = mark = ws_feed_cursor(feed, event->place);
        r = ws_feed_name(feed, event, true, &names);
        if (r < 0)
                return err_up(r);
        if (mark.seen || mark.place != event->place || names.n > 0) {
                ws_push_event_at(feed->client->loop,
                                 event,
                                 mark,
                                 buf_text(&names),
                                 &(JsonOut){ .buf = &json });
                if (buf_failed(&json))
                        return err_new(-ENOMEM);
                push.json = buf_text(&json);
                r = ws_client_wrap(feed->client, &push, &own);
        }
        if (r == 0)
                r = ws_client_try(feed->client, own ? own : frame);
        return r < 0 ? err_up(r) : r;
}

int ws_feed_push(WsFeed *feed, const WsPush *push) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        int r;

        r = ws_client_wrap(feed->client, push, &frame);
        if (r == 0)
                r = ws_client_offer(feed->client, frame);
        return err_up(r);
}

/* ---- live ----------------------------------------------------------------------------------- */

bool ws_feed_wants(const WsFeed *feed, const Event *event) {
        WsFollow *follow;

        if (event->type == EVENT_ACKNOWLEDGED) /* behind a gap its client asks for the list */
                return !feed->is_dropping && ws_feed_minds(feed, event);
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_hears(follow, event) || ws_census_watches(follow, event))
                        return true;
        return false;
}

static void ws_follow_rewind(WsFollow *follow, const Event *event) {
        const WsNumbers *numbers = &follow->feed->client->loop->numbers;
        uint64_t *since = follow->since;

        if (since && since[ws_numbers_slot(numbers, event)] >= event->seq)
                since[ws_numbers_slot(numbers, event)] = event->seq - 1;
        if (follow->begin_seq < event->place && follow->seq >= event->place)
                follow->seq = event->place - 1;
}

void ws_feed_rewind(WsFeed *feed, const Event *event) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_REPLAYS)
                        ws_follow_rewind(follow, event);
}

void ws_feed_mark_paced(WsFeed *feed) {
        if (feed->is_paced)
                return;

        feed->is_paced = true;
        TAILQ_INSERT_TAIL(&feed->client->loop->paced, feed, paced);
}

static int ws_feed_locate(WsFeed *feed, WsFollow *follow, const Event *event, bool *ret_is_here) {
        const WsLoop *loop = feed->client->loop;
        WsPlace place = WS_PLACE_OUTSIDE;
        int r;

        r = ws_subscription_locate(&follow->subscription,
                                   loop->registry,
                                   loop->last_known,
                                   event,
                                   &place);
        if (r == 0)
                r = ws_census_move(follow, event, place, ws_feed_cursor(feed, loop->before_seq));
        *ret_is_here = place == WS_PLACE_INSIDE || place == WS_PLACE_ENTERS;
        return err_up(r);
}

/* Is it for this subscription, here and now? */
static int ws_feed_consider(WsFeed *feed,
                            WsFollow *follow,
                            Event *event,
                            WsFrame *frame,
                            bool *ret_goes) {
        WsLoop *loop = feed->client->loop;
        WsPaceAnswer paced = { 0 };
        int r;

        r = ws_feed_locate(feed, follow, event, ret_goes);
        if (r < 0 || !*ret_goes)
                return err_up(r);
        follow->subscription.max_paced = (size_t)loop->options->max_paced;
        r = ws_subscription_pace(&follow->subscription,
                                 event,
                                 loop->before_seq,
                                 frame,
                                 clock_mono_us(),
                                 &paced);
        if (r < 0)
                return err_up(r);

        if (paced.replaced)
                ws_backlog_refuse(&feed->client->backlog, true);
        if (paced.hold)
                ws_feed_mark_paced(feed);
        if (paced.is_unpaced)
                metric_add(METRIC_WS_UNPACED, 1);
        *ret_goes = !paced.hold;
        return 0;
}

/* No room: everybody who would have had it is told so later. */
static void ws_feed_drop(WsFeed *feed, const Event *event, bool is_counted) {
        const WsLoop *loop = feed->client->loop;
        WsFollow *follow;

        if (!is_counted)
                ws_backlog_refuse(&feed->client->backlog, false);
        feed->is_dropping = true;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_hears(follow, event))
                        ws_feed_lose(feed, follow, loop->before_seq, event->place);
}

/* It goes out for one subscription: another one that holds it back has had it, too. */
static void ws_feed_forget_held(WsFeed *feed, const Event *event, int64_t now_us) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                ws_subscription_forget(&follow->subscription, event, now_us);
}

static int ws_feed_send_held(WsFeed *feed, WsFollow *follow, WsHold *hold, int64_t now_us) {
        CLEANUP(ws_frame_unref) WsFrame *frame = ws_frame_ref(hold->frame);
        CLEANUP(event_unref) Event *event = event_ref(hold->event);
        uint64_t before_seq = hold->before_seq;
        int r;

        ws_subscription_release(&follow->subscription, hold, now_us);
        ws_feed_forget_held(feed, event, now_us);
        r = ws_feed_send(feed, event, frame);
        if (r != WS_BACKLOG_E_FULL)
                return err_up(r);
        feed->is_dropping = true;
        ws_feed_lose(feed, follow, before_seq, event->place);
        return 0;
}

static int ws_feed_tell_gap(WsFeed *feed, WsFollow *follow) {
        const WsLoop *loop = feed->client->loop;
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };
        int r;

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "gap");
        json_out_string(&out, "subscription", follow->name);
        json_out_int(&out, "dropped", (int64_t)follow->n_missed);
        ws_cursor_json(&out, "from", loop, ws_mark(follow->missed_from));
        ws_cursor_json(&out, "to", loop, ws_mark(follow->missed_to));
        json_out_object_end(&out);
        if (buf_failed(&json))
                return err_new(-ENOMEM);

        follow->n_missed = 0;
        r = ws_feed_push(feed,
                         &(WsPush){ .type = "gap", /* who resumes from it gets what was dropped */
                                    .mark = ws_feed_cursor(feed, follow->missed_from),
                                    .json = buf_text(&json) });
        return err_up(r);
}

int ws_feed_send_all_held(WsFeed *feed, WsFollow *follow) {
        int64_t now_us = clock_mono_us();
        WsHold *hold;
        int r = 0;

        while (r == 0 && !feed->is_dropping && (hold = TAILQ_FIRST(&follow->subscription.held)))
                r = ws_feed_send_held(feed, follow, hold, now_us);
        return err_up(r);
}

/* Whatever was said of its set since is not sure: it gets the whole. */
static int ws_feed_retake(WsFeed *feed, WsFollow *follow) {
        int r;

        r = ws_feed_send_all_held(feed, follow);
        if (r < 0 || feed->is_dropping)
                return err_up(r);
        follow->is_unsure = false;
        ws_follow_retake(follow);
        return 0;
}

static int ws_feed_tell_gaps(WsFeed *feed) {
        size_t low = feed->client->loop->options->queue_bytes / 4;
        WsFollow *follow;
        int r = 0;

        if (feed->client->backlog.n_metered > low)
                return 0;

        feed->is_dropping = false;
        feed->has_missed = false;
        TAILQ_FOREACH(follow, &feed->follows, entry) {
                follow->is_unsure |= follow->n_missed > 0 && follow->subscription.is_set;
                if (r == 0 && follow->n_missed > 0)
                        r = ws_feed_tell_gap(feed, follow);
                if (r == 0 && follow->is_unsure)
                        r = ws_feed_retake(feed, follow);
        }
        return err_up(r);
}

/*
 * Something that never waits is about to overtake what is held back. That goes first, if its turn
 * is not too far away: then nobody who resumes gets the other twice.
 */
static int ws_feed_hurry(WsFeed *feed) {
        int64_t now_us = clock_mono_us();
        WsFollow *follow;
        WsHold *hold;
        int r = 0;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                while (r == 0 && !feed->is_dropping &&
                       (hold = TAILQ_FIRST(&follow->subscription.held)) &&
                       ws_subscription_may_hurry(hold, now_us))
                        r = ws_feed_send_held(feed, follow, hold, now_us);
        return err_up(r);
}

int ws_feed_offer(WsFeed *feed, Event *event, WsFrame *frame) {
        bool goes = false;
        WsFollow *follow;
        int r = 0;

        if (event->type == EVENT_ACKNOWLEDGED)
                return err_up(ws_client_offer(feed->client, frame));
        TAILQ_FOREACH(follow, &feed->follows, entry) {
                bool this_one = false;

                if (r == 0 && ws_follow_hears(follow, event)) {
                        r = ws_feed_consider(feed, follow, event, frame, &this_one);
                        goes |= this_one;
                } else if (r == 0 && ws_census_watches(follow, event)) {
                        r = ws_feed_locate(feed, follow, event, &this_one);
                }
        }
        if (r == 0 && goes && feed->is_paced) {
                ws_feed_forget_held(feed, event, clock_mono_us());
                if (frame->key == 0 && !feed->is_dropping)
                        r = ws_feed_hurry(feed);
        }
        if (r < 0)
                return err_up(r);
        if (!goes)
                return 0;
        if (feed->is_dropping) {
                ws_feed_drop(feed, event, false);
                return 0;
        }

        r = ws_feed_send(feed, event, frame);
        if (r != WS_BACKLOG_E_FULL)
                return err_up(r);
        ws_feed_drop(feed, event, true);
        return 0;
}

int ws_feed_offer_stats(WsFeed *feed, Text json, const char *type) {
        uint32_t stats = ws_subscription_stats(text_of(type));
        WsFollow *follow;
        int r;

        if (feed->is_dropping)
                return 0;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (follow->state == WS_FOLLOW_LIVE &&
                    ws_subscription_wants_stats(&follow->subscription, stats)) {
                        r = ws_feed_push(feed,
                                         &(WsPush){ .type = type,
                                                    .key = ws_frame_key(KIND_COUNT,
                                                                        *type == 's',
                                                                        type[4]),
                                                    .json = json });
                        return err_up(r);
                }
        return 0;
}

int ws_feed_miss(WsFeed *feed, uint64_t from_seq, uint64_t to_seq, uint64_t n) {
        WsFollow *follow;
        int r = 0;

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                if (follow->state != WS_FOLLOW_LIVE || to_seq <= follow->seq)
                        continue;
                ws_feed_lose(feed, follow, from_seq, to_seq);
                follow->n_missed += n - 1;
        }
        if (!feed->has_missed)
                return 0;

        feed->is_dropping = true; /* nothing that came later may go out before this is told */
        r = ws_feed_tell_gaps(feed);
        ws_client_touch(feed->client);
        return err_up(r);
}

static int ws_feed_play_on(WsFeed *feed, int64_t now_us) {
        WsFollow *follow;
        int r = 0;

        feed->budget = WS_FEED_BUDGET;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (r == 0 && follow->playback)
                        r = ws_playback_turn(follow->playback, now_us, clock_now_us());
        return err_up(r);
}

int ws_feed_turn(WsFeed *feed, int64_t now_us) {
        bool is_held = false;
        WsFollow *follow;
        int r = 0;

        if (feed->n_playbacks > 0)
                r = ws_feed_play_on(feed, now_us);
        TAILQ_FOREACH(follow, &feed->follows, entry) {
                WsHold *hold = ws_subscription_due(&follow->subscription, NULL, now_us);

                while (r == 0 && !feed->is_dropping && hold) {
                        WsHold *next = ws_subscription_due(&follow->subscription, hold, now_us);

                        r = ws_feed_send_held(feed, follow, hold, now_us);
                        hold = next;
                }
                is_held |= !TAILQ_EMPTY(&follow->subscription.held);
        }
        if (!is_held && feed->n_playbacks == 0)
                ws_feed_unpace(feed);
        return err_up(r);
}

/* ---- coming and going ----------------------------------------------------------------------- */

void ws_feed_forget_page(WsFeed *feed) {
        feed->page = event_unref(feed->page);
        if (feed->turn.is_waiting && !feed->asks_for)
                ws_feed_stop_asking(feed);
}

WsFollow *ws_feed_find(const WsFeed *feed, Text name) {
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (text_equal(name, text_of(follow->name)))
                        return follow;
        return NULL;
}

void ws_feed_narrow(WsFeed *feed) {
        WsEye eye = ws_feed_eye(feed);
        size_t n_left = 0, n_before = 0;
        bool tells = false;
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                size_t n_had = follow->subscription.n_targets;
                size_t n_has = ws_subscription_narrow(&follow->subscription, &eye);

                n_before += n_had;
                n_left += n_has;
                tells |= follow->tells_over;
                if (n_had > 0 && n_has == 0) /* who had none is not told when others lose theirs */
                        follow->is_over = follow->tells_over;
                feed->has_over |= follow->is_over;
        }
        if (feed->has_over)
                ws_client_touch(feed->client);
        if (n_left > 0 || n_before == 0 || tells)
                return;
        feed->client->has_lost_all = feed->client->close_code == 0;
        ws_client_close(feed->client,
                        WS_CLOSE_REVOKED,
                        "nothing is left of what was asked for",
                        METRIC_WS_CLOSED_REVOKED);
}

/* ---- catching up ---------------------------------------------------------------------------- */

int ws_feed_pump(WsFeed *feed) {
        int64_t since_us;
        int r = 0;

        feed->budget = WS_FEED_BUDGET;
        if (feed->is_dropping || feed->has_missed)
                r = ws_feed_tell_gaps(feed);
        if (r == 0 && feed->n_playbacks > 0)
                r = ws_feed_play_on(feed, clock_mono_us());
        if (r < 0)
                return err_up(r);
        if (ws_feed_is_live(feed) && !ws_feed_counts(feed) && !feed->has_over)
                return 0;
        if (!ws_loop_may_work(feed->client->loop)) {
                ws_client_be_patient(feed->client);
                return 0;
        }

        since_us = clock_mono_us();
        r = ws_feed_catch_up(feed);
        if (r == 0)
                r = ws_census_turn(feed);
        if (r == 0 && feed->has_over)
                r = ws_census_end_all(feed);
        ws_loop_worked(feed->client->loop, since_us);
        return err_up(r);
}
