/* Playbacks, as the native protocol asks for them and speaks of them. */

#include "base/clock.h"
#include "base/err.h"
#include "model/metrics.h"
#include "ws/dialects/native_parts.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

int ws_native_play(WsClient *client, const WsNativeRequest *ask, WsFollow **followp) {
        static const WsTrouble too_many = { "too_many", "too many playbacks", false };
        CLEANUP(ws_follow_free) WsFollow *follow = TAKE(followp);
        WsPlayback *playback = NULL;
        int r;

        if (ws_playback_n_of_user(client) >= (size_t)client->loop->options->max_playbacks) {
                metric_add(METRIC_WS_PLAYBACKS_REFUSED, 1);
                return ws_native_refuse(client, buf_text(&follow->id), &too_many);
        }

        r = ws_playback_new(&playback, follow, ask->rate > 0 ? ask->rate : 1);
        if (r < 0)
                return err_up(r);
        ws_feed_play(client->feed, &follow, &playback, ask->at_us);
        return 0;
}

int ws_native_played(WsClient *client, const WsFollow *follow, int status) {
        static const WsTrouble gone = { "not_found", "at: before what is kept", false };
        static const WsTrouble away = { "unavailable", "history cannot be read now", true };
        Text id = buf_text(&follow->id);
        JsonOut out;

        if (status != 200)
                return ws_native_refuse(client, id, status == 404 ? &gone : &away);
        out = ws_native_begin(client, id, true);
        json_out_string(&out, "subscription", follow->name);
        json_out_bool(&out, "replay", true);
        json_out_time(&out, "at", ws_playback_at(follow->playback, clock_mono_us()));
        return ws_native_end(client, &out);
}

/* Nobody has asked, so that it is no answer. */
int ws_native_joined(WsClient *client, const WsFollow *follow) {
        JsonOut out = { .buf = &client->loop->text };

        buf_reset(out.buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "live");
        json_out_string(&out, "subscription", follow->name);
        json_out_bool(&out, "recovered", follow->is_recovered);
        if (follow->is_recovered)
                ws_cursor_json(&out,
                               "cursor",
                               client->loop,
                               ws_feed_begin_mark(client->feed, follow));
        else
                json_out_null(&out, "cursor");
        return ws_native_end(client, &out);
}

/* The playback that is meant; NULL: it was refused, with what *@ret_r is. */
static WsFollow *ws_native_playback(WsClient *client,
                                    const WsNativeRequest *ask,
                                    Text id,
                                    int *ret_r) {
        static const WsTrouble unknown = { "not_found", "no such playback", false };
        static const WsTrouble busy = { "busy", "not known yet whether it can begin there", true };
        WsFollow *follow = ws_feed_find(client->feed, ask->subscription);

        if (follow && follow->playback && follow->state != WS_FOLLOW_OPENS)
                return follow;
        *ret_r = ws_native_refuse(client, id, follow && follow->playback ? &busy : &unknown);
        return NULL;
}

/* What comes of it is an answer to this. */
static int ws_native_keep_id(WsFollow *follow, Text id) {
        buf_reset(&follow->id);
        buf_append_text(&follow->id, id);
        return buf_failed(&follow->id) ? err_new(-ENOMEM) : 0;
}

int ws_native_pause(WsClient *client, const WsNativeRequest *ask, Text id) {
        int r = 0;
        WsFollow *follow = ws_native_playback(client, ask, id, &r);

        if (!follow)
                return err_up(r);
        r = ws_native_keep_id(follow, id);
        if (r < 0)
                return err_up(r);
        ws_playback_hold(follow->playback, clock_mono_us());
        return ws_native_played(client, follow, 200);
}

int ws_native_seek(WsClient *client, const WsNativeRequest *ask, Text id) {
        int r = 0;
        WsFollow *follow = ws_native_playback(client, ask, id, &r);
        int64_t now_us = clock_mono_us();
        double rate;

        if (!follow)
                return err_up(r);
        r = ws_native_keep_id(follow, id);
        if (r < 0)
                return err_up(r);
        rate = ask->rate > 0 ? ask->rate : follow->playback->tape.rate;
        ws_playback_go(follow->playback, rate, now_us);
        if (!ask->has_at)
                return ws_native_played(client, follow, 200);
        ws_playback_find(follow->playback, ask->at_us);
        return 0;
}

int ws_native_live(WsClient *client, const WsNativeRequest *ask, Text id) {
        int r = 0;
        WsFollow *follow = ws_native_playback(client, ask, id, &r);

        if (!follow)
                return err_up(r);
        r = ws_native_keep_id(follow, id);
        if (r < 0)
                return err_up(r);
        follow->wants_snapshot = ask->wants_snapshot;
        r = ws_feed_join(client->feed, follow, ask->wants_snapshot);
        return err_up(r);
}
