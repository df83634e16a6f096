#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "ws/dialects/admission.h"
#include "ws/hub/viewer.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/dialect.h"
#include "ws/viewer/feed.h"

/* The native messages without a WebSocket: `GET /api/events` and `GET /api/events/poll`. */

static bool ws_events_match(Text path, Text *ret_target) {
        (void)path;
        (void)ret_target;
        return false; /* made by their endpoints */
}

static int ws_events_admit(WsClient *client, const WsIdentity *identity, Text target) {
        size_t n_max = (size_t)client->loop->options->max_connections_per_user;

        if (ws_feed_new(&client->feed, client) < 0)
                return 503;
        ws_admission_any(client, identity, target);
        if (client->loop->n_clients > (size_t)client->loop->options->max_connections)
                return 429;
        if (client->user_id != 0 && ws_client_n_limited(client->loop, client->user_id) >= n_max)
                return 429;
        return 0;
}

static int ws_events_follow(WsClient *client) {
        int r;

        r = ws_feed_add(client->feed, &client->first, client->since);
        return err_up(r);
}

static bool ws_events_wants(const WsClient *client, const Event *event) {
        return client->feed && ws_feed_wants(client->feed, event);
}

static int ws_events_format(const WsLoop *loop, const Event *event, Buf *buf) {
        ws_push_event(loop, event, &(JsonOut){ .buf = buf });
        return 0;
}

/* ---- event stream --------------------------------------------------------------------------- */

static int ws_events_open(WsClient *client) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        int r;

        r = ws_frame_new_raw(&frame, TEXT("retry: 2000\n\n"), 0);
        if (r == 0)
                r = ws_client_offer(client, frame);
        return r == 0 ? ws_events_follow(client) : err_up(r);
}

/* A line break in the data begins another `data:` line; the reader puts them together again. */
static void ws_events_data(Text json, Buf *buf) {
        const char *at = json.data;
        const char *end = json.data + json.n;

        buf_append_string(buf, "data: ");
        while (at < end) {
                const char *line = at;

                while (at < end && *at != '\n' && *at != '\r')
                        ++at;
                buf_append(buf, line, (size_t)(at - line));
                if (at == end)
                        break;
                at += at + 1 < end && at[0] == '\r' && at[1] == '\n' ? 2 : 1;
                buf_append_string(buf, "\ndata: ");
        }
        buf_append_string(buf, "\n\n");
}

static int ws_events_wrap(const WsLoop *loop, const WsPush *push, WsFrame **ret_frame) {
        char cursor[CURSOR_TEXT_SIZE];
        CLEANUP_BUF Buf buf = { 0 };
        int r;

        if (!ws_mark_is_none(push->mark))
                buf_printf(&buf, "id: %s\n", ws_numbers_cursor(&loop->numbers, push->mark, cursor));
        buf_printf(&buf, "event: %s\n", push->type);
        ws_events_data(push->json, &buf);
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        r = ws_frame_new_raw(ret_frame, buf_text(&buf), push->key);
        return err_up(r);
}

/* Said once it is known whether the cursor could be resumed; its id is where the stream is now. */
static int ws_events_subscribed(WsClient *client, const WsFollow *follow) {
        CLEANUP_BUF Buf json = { 0 };
        JsonOut out = { .buf = &json };
        int r;

        json_out_object(&out, NULL);
        json_out_string(&out, "type", "subscribed");
        json_out_string(&out, "subscription", follow->name);
        json_out_bool(&out, "recovered", follow->is_recovered);
        if (follow->is_recovered)
                ws_cursor_json(&out, "cursor", client->loop, ws_follow_begin_mark(follow));
        else /* that of the snapshot is the first to resume from */
                json_out_null(&out, "cursor");
        json_out_object_end(&out);
        if (buf_failed(&json))
                return err_new(-ENOMEM);
        r = ws_feed_push(client->feed,
                         &(WsPush){ .type = "subscribed",
                                    .mark = follow->is_recovered ? ws_follow_begin_mark(follow)
                                                                 : ws_mark(0),
                                    .json = buf_text(&json) });
        return err_up(r);
}

const WsDialect ws_dialect_events = {
        .id = WS_DIALECT_EVENTS,
        .name = "events",
        .kinds = UINT32_MAX,
        .match = ws_events_match,
        .admit = ws_events_admit,
        .open = ws_events_open,
        .wants = ws_events_wants,
        .format = ws_events_format,
        .has_feed = true,
        .door = WS_DOOR_STREAM,
        .subscribed = ws_events_subscribed,
        .wrap = ws_events_wrap,
};

/* ---- long poll ------------------------------------------------------------------------------ */

static int ws_poll_wrap(const WsLoop *loop, const WsPush *push, WsFrame **ret_frame) {
        (void)loop;
        return ws_frame_new_raw(ret_frame, push->json, push->key);
}

static int ws_poll_subscribed(WsClient *client, const WsFollow *follow) {
        client->is_lost = !follow->is_recovered;
        return 0;
}

/* All that waits, as members of the list in the making. */
static void ws_poll_collect(WsClient *client) {
        static const Text head = { "{\"events\":[", 11 };
        WsBacklog *backlog = &client->backlog;
        Buf *buf = &client->out;

        if (buf->n == 0)
                buf_append_text(buf, head);
        while (backlog->n_frames > 0) {
                Text next = ws_backlog_next(backlog, client->loop->batch, 0);

                if (buf->n > head.n && backlog->head_sent == 0)
                        buf_append_char(buf, ',');
                buf_append_text(buf, next);
                ws_backlog_sent(backlog, next.n);
        }
}

/* What is in the making counts as held by who asks; false: that is too much, and it ends. */
static bool ws_poll_hold(WsClient *client) {
        if (!client->hold || client->hold(client->conn, client->out.n))
                return true;
        ws_client_close(client,
                        WS_CLOSE_CAPACITY,
                        "The answer is too long for now.",
                        METRIC_COUNT); /* the share counts what it refuses */
        return false;
}

/* Where the next one goes on. Out of memory it is where this one began. */
static void ws_poll_told(WsClient *client, WsMark mark) {
        char cursor[CURSOR_TEXT_SIZE];

        free(client->told);
        client->told = NULL;
        if (!ws_mark_is_none(mark))
                client->told = strdup(ws_numbers_cursor(&client->loop->numbers, mark, cursor));
}

/* Without an answer but for what its end says. */
static void ws_poll_give_up(WsClient *client) {
        buf_done(&client->out);
        ws_poll_told(client, ws_mark(0)); /* it asks again from where it was */
        ws_viewer_finish(client);
}

/* A snapshot takes as many turns as it needs. A part of one is no answer: who went on from its
 * cursor would never get the rest. */
static void ws_poll_gather(WsClient *client) {
        if (client->close_code == 0 && client->backlog.n_frames > 0)
                ws_poll_collect(client);
        if (client->close_code != 0 || !ws_poll_hold(client))
                ws_poll_give_up(client);
}

/* What it has now; before that is known, what it had, if nothing has come into it or gone. */
static void ws_poll_set(const WsFeed *feed, JsonOut *out) {
        const WsFollow *follow = TAILQ_FIRST(&feed->follows);
        char text[WS_MEMBERS_TEXT_SIZE];

        if (!follow || !follow->subscription.is_set)
                return;
        if (follow->has_whole)
                json_out_string(out, "set", ws_members_text(&follow->subscription.members, text));
        else if (follow->had[0] != '\0' && follow->subscription.members.n == 0)
                json_out_string(out, "set", follow->had);
        else
                json_out_null(out, "set");
}

static void ws_poll_complete(WsClient *client) {
        JsonOut out = { .buf = &client->out };

        ws_poll_collect(client);
        json_out_array_end(&out);
        ws_cursor_json(&out, "cursor", client->loop, ws_feed_seq(client->feed));
        json_out_bool(&out, "recovered", !client->is_lost);
        ws_poll_set(client->feed, &out);
        json_out_object_end(&out);
}

/* An answer as soon as there is something to say, or the time is over. What a gap or a snapshot
 * says counts as something; a snapshot comes whole, since nobody could ask for the rest. */
static void ws_poll_flush(WsClient *client) {
        const WsFeed *feed = client->feed;
        bool is_live = ws_feed_is_live(feed); /* who waits for the database does not give up yet */
        bool is_over = (client->wants_ping && is_live) || client->close_code != 0;
        bool is_long = client->out.n > 0; /* from turns before */

        if (ws_feed_has_snapshot(feed)) {
                ws_poll_gather(client);
                return;
        }
        if (client->backlog.n_frames == 0 && !is_long && !is_over && !client->is_lost)
                return;
        if (client->backlog.n_frames == 0 && !is_long && client->is_lost && !is_live)
                return;
        ws_poll_told(client, client->close_code == 0 ? ws_feed_seq(feed) : ws_mark(0));
        if (client->backlog.n_frames > 0 || is_long || client->is_lost)
                ws_poll_complete(client);
        if (is_long && !ws_poll_hold(client))
                ws_poll_give_up(client);
        else
                ws_viewer_finish(client);
}

const WsDialect ws_dialect_poll = {
        .id = WS_DIALECT_POLL,
        .name = "poll",
        .kinds = UINT32_MAX,
        .match = ws_events_match,
        .admit = ws_events_admit,
        .open = ws_events_follow,
        .wants = ws_events_wants,
        .format = ws_events_format,
        .has_feed = true,
        .door = WS_DOOR_POLL,
        .subscribed = ws_poll_subscribed,
        .wrap = ws_poll_wrap,
        .flush = ws_poll_flush,
};
