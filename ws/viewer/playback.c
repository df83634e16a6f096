/*
 * WsPlayback: a subscription that plays what was received in a time that is over, in the order of
 * receipt, as fast as its tape goes (tape.h).
 *
 * It reads page by page, as those that resume do and in turn with them (replays.h); one page of
 * WS_PLAYBACK_BYTES and its last event is all that is read ahead. While its client has no room, or
 * the database no answer, it waits, and all that follows is as much later: nothing is left out.
 * What it sends has the name of its subscription and "replay":true, and counts for no other.
 *
 * Having come to now it joins what is live, from where it is. The follow owns it, and it is gone
 * when that is live.
 */

#include "base/clock.h"
#include "base/err.h"
#include "model/query.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

#define WS_PLAYBACK_NEAR_US  1000000 /* of now: it joins what is live */
#define WS_PLAYBACK_RETRY_MS 500     /* while the database is away */

enum {
        WS_PLAYBACK_E_WAITS = 1, /* for its time, or for room */
};

int ws_playback_new(WsPlayback **ret_playback, WsFollow *follow, double rate) {
        WsPlayback *playback = calloc(1, sizeof(*playback));

        if (!playback)
                return err_new(-ENOMEM);

        playback->follow = follow;
        playback->tape.rate = rate;
        playback->turn.is_playback = true;
        *ret_playback = playback;
        return 0;
}

static void ws_playback_forget(WsPlayback *playback) {
        playback->page = event_unref(playback->page);
        playback->is_end = playback->is_stalled = false;
        if (playback->turn.is_waiting)
                ws_turns_leave(playback->follow->feed->client->loop->turns, &playback->turn);
}

WsPlayback *ws_playback_free(WsPlayback *playback) {
        if (!playback)
                return NULL;

        ws_playback_forget(playback);
        free(playback);
        return NULL;
}

size_t ws_playback_n_of_user(const WsClient *client) {
        const WsList *list =
                client->user_id == 0
                        ? NULL
                        : ws_index_find(client->loop->index, 0, WS_SCOPE_PERSON, client->user_id);
        size_t n = 0;

        if (!list) /* nobody: what this one has */
                return client->feed->n_playbacks;
        for (size_t i = 0; i < ws_list_length(list); ++i) {
                const WsFeed *feed = ws_list_at(list, i)->feed;

                n += feed ? feed->n_playbacks : 0;
        }
        return n;
}

/* ---- where it is ---------------------------------------------------------------------------- */

static Event *ws_playback_next(const WsPlayback *playback) {
        return playback->page ? playback->page->answer->events[playback->i_page] : NULL;
}

int64_t ws_playback_at(const WsPlayback *playback, int64_t now_us) {
        int64_t at_us = ws_tape_at(&playback->tape, now_us);
        const Event *next = ws_playback_next(playback);

        return next && next->received_us < at_us ? next->received_us : at_us;
}

void ws_playback_hold(WsPlayback *playback, int64_t now_us) {
        ws_tape_move(&playback->tape, ws_playback_at(playback, now_us), now_us);
        ws_tape_hold(&playback->tape, now_us);
        (void)ws_follow_step(&playback->follow->state, WS_FOLLOW_ON_HOLD);
}

void ws_playback_go(WsPlayback *playback, double rate, int64_t now_us) {
        ws_tape_move(&playback->tape, ws_playback_at(playback, now_us), now_us);
        ws_tape_go(&playback->tape, rate, now_us);
        (void)ws_follow_step(&playback->follow->state, WS_FOLLOW_ON_GO);
}

/* ---- what is read --------------------------------------------------------------------------- */

static void ws_playback_ask(WsPlayback *playback, int64_t wall_us, int delay_ms) {
        const WsClient *client = playback->follow->feed->client;

        if (playback->turn.is_waiting)
                return;
        playback->asked_us = wall_us;
        ws_turns_join(client->loop->turns, &playback->turn, client->user_id, delay_ms);
}

void ws_playback_find(WsPlayback *playback, int64_t from_us) {
        WsClient *client = playback->follow->feed->client;
        int64_t now_us = clock_mono_us();

        ws_tape_move(&playback->tape, ws_playback_at(playback, now_us), now_us);
        ws_tape_hold(&playback->tape, now_us);
        ws_playback_forget(playback);
        playback->wanted_us = from_us;
        (void)ws_follow_step(&playback->follow->state, WS_FOLLOW_ON_PLAY);
        ws_playback_ask(playback, clock_now_us(), 0);
        ws_client_touch(client);
}

static void ws_playback_reach(WsFollow *follow, const Answer *answer) {
        for (size_t i = 0; follow->since && i < answer->n_upto; ++i)
                if (follow->since[i] < answer->upto[i])
                        follow->since[i] = answer->upto[i];
        if (answer->n_upto == 0 && follow->seq < answer->upto_seq)
                follow->seq = answer->upto_seq;
}

static int ws_playback_begin(WsPlayback *playback, const Answer *answer) {
        WsFollow *follow = playback->follow;
        int r = 0;

        playback->from_us = playback->wanted_us;
        if (answer->n_upto > 0)
                r = ws_since_begin(follow, NULL);
        else
                follow->begin_seq = follow->seq =
                        answer->n_events > 0 ? answer->events[0]->seq - 1 : answer->upto_seq;
        if (r < 0)
                return err_up(r);
        ws_tape_move(&playback->tape, playback->from_us, clock_mono_us());
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_ANSWERED);
        ws_tape_go(&playback->tape, playback->tape.rate, clock_mono_us());
        r = follow->feed->client->dialect->played(follow->feed->client, follow, 200);
        return err_up(r);
}

/* One that has never played is no subscription. Another one holds where it was. */
static int ws_playback_refuse(WsPlayback *playback, int status) {
        WsFollow *follow = playback->follow;
        WsClient *client = follow->feed->client;
        int r;

        r = client->dialect->played(client, follow, status == 503 ? 503 : 404);
        if (playback->from_us == 0)
                ws_follow_free(follow);
        else
                ws_playback_hold(playback, clock_mono_us());
        return err_up(r);
}

int ws_playback_take(WsPlayback *playback, int status, Event *event) {
        WsFollow *follow = playback->follow;
        bool is_first = follow->state == WS_FOLLOW_OPENS;
        const Answer *answer;
        int r = 0;

        ws_client_touch(follow->feed->client);
        if (status != 200 && is_first)
                return err_up(ws_playback_refuse(playback, status));
        if (status != 200) {
                ws_playback_ask(playback, clock_now_us(), WS_PLAYBACK_RETRY_MS);
                return 0;
        }

        answer = event->answer;
        playback->is_end =
                answer->n_events == 0 ||
                (answer->n_upto > 0 ? !answer->is_cut
                                    : answer->events[answer->n_events - 1]->seq < answer->upto_seq);
        playback->i_page = 0;
        if (answer->n_events > 0)
                playback->page = event_ref(event);
        if (is_first)
                r = ws_playback_begin(playback, answer);
        else if (answer->n_events == 0)
                ws_playback_reach(follow, answer);
        if (r == 0)
                r = ws_playback_turn(playback, clock_mono_us(), clock_now_us());
        return err_up(r);
}

/* ---- what is told --------------------------------------------------------------------------- */

static int ws_playback_frame(const WsPlayback *playback, const Event *event, WsFrame **ret_frame) {
        WsClient *client = playback->follow->feed->client;
        CLEANUP_BUF Buf json = { 0 };
        int r;

        ws_push_replay(client->loop,
                       event,
                       ws_since_played(playback->follow, event),
                       playback->follow->name,
                       &(JsonOut){ .buf = &json });
        if (buf_failed(&json))
                return err_new(-ENOMEM);
        r = ws_client_wrap(client,
                           &(WsPush){ .type = ws_push_type(event), .json = buf_text(&json) },
                           ret_frame);
        return err_up(r);
}

/* As a replay it fills no more than half of the queue, which would be conflated. */
static int ws_playback_send(WsPlayback *playback, const Event *event) {
        WsFollow *follow = playback->follow;
        WsClient *client = follow->feed->client;
        size_t half = client->loop->options->queue_bytes / 2;
        size_t n_waiting = client->backlog.n_metered;
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        int r;

        r = ws_playback_frame(playback, event, &frame);
        if (r < 0)
                return err_up(r);
        if (n_waiting > 0 && n_waiting + frame->n > half)
                return WS_PLAYBACK_E_WAITS;
        r = ws_client_try(client, frame);
        if (r < 0)
                return err_up(r);

        if (r == WS_BACKLOG_E_FULL)
                ws_follow_miss(follow, event);
        follow->feed->budget -= frame->n < follow->feed->budget ? frame->n : follow->feed->budget;
        return 0;
}

static int ws_playback_tell(WsPlayback *playback, const Event *event, int64_t now_us) {
        WsFollow *follow = playback->follow;
        bool wants = false;
        int r;

        if (ws_tape_at(&playback->tape, now_us) < event->received_us)
                return WS_PLAYBACK_E_WAITS;
        playback->is_stalled = !ws_feed_has_room(follow->feed);
        if (playback->is_stalled)
                return WS_PLAYBACK_E_WAITS;
        r = ws_follow_wants(follow, event, &wants);
        if (r == 0 && wants)
                r = ws_playback_send(playback, event);
        playback->is_stalled = r == WS_PLAYBACK_E_WAITS;
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        ws_tape_show(&playback->tape, event->received_us, now_us);
        ws_follow_pass(follow, event, false);
        return 0;
}

static int ws_playback_tell_page(WsPlayback *playback, int64_t now_us) {
        const Answer *answer;
        int r = 0;

        if (!playback->page)
                return 0;
        answer = playback->page->answer;
        while (r == 0 && playback->i_page < answer->n_events) {
                r = ws_playback_tell(playback, answer->events[playback->i_page], now_us);
                playback->i_page += r == 0;
        }
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        ws_playback_reach(playback->follow, answer);
        playback->page = event_unref(playback->page);
        return 0;
}

static int ws_playback_go_on(WsPlayback *playback, int64_t now_us, int64_t wall_us) {
        WsFollow *follow = playback->follow;
        int64_t at_us;
        int r;

        r = ws_playback_tell_page(playback, now_us);
        if (r == WS_PLAYBACK_E_WAITS)
                return 0;
        if (r < 0)
                return err_up(r);
        at_us = ws_tape_at(&playback->tape, now_us);
        if (at_us >= wall_us - WS_PLAYBACK_NEAR_US && playback->is_end) {
                follow->is_joining = true;
                r = ws_feed_join(follow->feed, follow, false);
                return err_up(r);
        }
        if (!playback->is_end || at_us >= playback->asked_us)
                ws_playback_ask(playback, wall_us, 0);
        return 0;
}

int ws_playback_turn(WsPlayback *playback, int64_t now_us, int64_t wall_us) {
        WsLoop *loop = playback->follow->feed->client->loop;
        int64_t since_us = clock_mono_us();
        int r;

        playback->is_stalled = false; /* without time it waits for the next tick */
        if (playback->follow->state != WS_FOLLOW_PLAYS || playback->turn.is_waiting ||
            !ws_loop_may_work(loop))
                return 0;

        r = ws_playback_go_on(playback, now_us, wall_us);
        ws_loop_worked(loop, since_us);
        return err_up(r);
}
