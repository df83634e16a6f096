#include "ws/viewer/client.h"

#include "base/clock.h"
#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"
#include "ws/wire/packer.h"

static int64_t ws_client_now_ms(void) {
        return clock_mono_us() / 1000;
}

/* The end of its token on the monotonic clock, if that is before @due. */
static int64_t ws_client_expiry_ms(const WsClient *client, int64_t due) {
        int64_t end = ws_client_now_ms() + (client->expires_us - clock_now_us()) / 1000 + 1;

        return end < due ? end : due;
}

/* When to look at it next: the earliest of what may happen to it. */
void ws_client_schedule(WsClient *client) {
        const WsOptions *options = client->loop->options;
        int64_t due = client->ping_ms;
        int64_t since = client->backlog.conflating_since_ms;

        if (client->state != WS_CLIENT_OPEN)
                due = client->deadline_ms;
        else if (client->seen_ms + options->silence_ms < due)
                due = client->seen_ms + options->silence_ms;
        if (since != 0 && since + options->slow_ms < due)
                due = since + options->slow_ms;
        if (client->progress_ms != 0 && client->state == WS_CLIENT_OPEN &&
            client->progress_ms < due)
                due = client->progress_ms;
        if (client->is_unknown && client->auth_ms < due)
                due = client->auth_ms;
        due = ws_client_expiry_ms(client, due);
        ws_wheel_put(&client->loop->wheel, &client->link, due);
}

void ws_client_put_off_progress(WsClient *client) {
        client->progress_ms = ws_client_now_ms() + client->loop->options->progress_ms;
}

void ws_client_mark(WsClient *client) {
        if (client->is_dirty)
                return;

        client->is_dirty = true;
        TAILQ_INSERT_TAIL(&client->loop->dirty, client, dirty);
}

void ws_client_unmark(WsClient *client) {
        if (!client->is_dirty)
                return;

        client->is_dirty = false;
        TAILQ_REMOVE(&client->loop->dirty, client, dirty);
}

void ws_client_be_patient(WsClient *client) {
        if (client->is_patient)
                return;

        client->is_patient = true;
        TAILQ_INSERT_TAIL(&client->loop->patient, client, patient);
}

void ws_client_stop_waiting(WsClient *client) {
        if (!client->is_patient)
                return;

        client->is_patient = false;
        TAILQ_REMOVE(&client->loop->patient, client, patient);
}

void ws_client_go_on(WsClient *client) {
        ws_client_stop_waiting(client);
        ws_client_touch(client);
}

void ws_client_touch(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_client_mark(client);
}

size_t ws_client_n_limited(const WsLoop *loop, int64_t user_id) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_PERSON, user_id);
        size_t n = 0;

        for (size_t i = 0; i < ws_list_length(list); ++i)
                n += ws_list_at(list, i)->dialect->has_feed;
        return n;
}

bool ws_client_is_in_grace(const WsClient *client) {
        return client->expires_us != INT64_MAX &&
               clock_now_us() >= client->expires_us - WS_CLIENT_GRACE_US;
}

void ws_client_close(WsClient *client, WsClose code, const char *reason, Metric metric) {
        if (client->state != WS_CLIENT_OPEN ||
            client->close_code != 0) /* the first reason counts */
                return;

        client->close_code = (int)code;
        client->close_reason = reason;
        if (metric != METRIC_COUNT)
                metric_add(metric, 1);
        ws_client_mark(client); /* ws_client_flush() begins the close: a list may be walked now */
}

int ws_client_try(WsClient *client, WsFrame *frame) {
        const WsOptions *options = client->loop->options;
        bool was_conflating = client->backlog.conflating_since_ms != 0;
        int r;

        if (client->state != WS_CLIENT_OPEN || client->close_code != 0)
                return 0;

        if (client->deflates && frame->n >= options->deflate_min_bytes)
                frame = ws_frame_packed(frame, client->loop->packer);
        client->backlog.extra = frame->is_unmetered
                                        ? 0
                                        : ws_burst_room(&client->burst,
                                                        client->loop,
                                                        client->party,
                                                        client->backlog.n_metered + frame->n);
        r = ws_backlog_push(&client->backlog, frame, options->queue_bytes, frame->made_us / 1000);
        if (r < 0)
                return err_up(r);
        ws_client_mark(client);
        if (client->progress_ms != 0) /* the wheel finds that out when it looks */
                ws_client_put_off_progress(client);
        if (!was_conflating && client->backlog.conflating_since_ms != 0)
                ws_client_schedule(client);
        return r;
}

int ws_client_offer(WsClient *client, WsFrame *frame) {
        int r;

        r = ws_client_try(client, frame);
        if (r != WS_BACKLOG_E_FULL)
                return err_up(r);
        ws_client_close(client, WS_CLOSE_SLOW, "too slow", METRIC_WS_CLOSED_SLOW);
        return 0;
}

int ws_client_wrap(const WsClient *client, const WsPush *push, WsFrame **ret_frame) {
        if (client->dialect->wrap)
                return client->dialect->wrap(client->loop, push, ret_frame);
        return ws_frame_new(ret_frame, push->json, push->key);
}

int ws_client_say(WsClient *client, const Buf *buf) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        int r;

        if (buf_failed(buf))
                return err_new(-ENOMEM);
        r = ws_frame_new(&frame, buf_text(buf), 0);
        if (r < 0)
                return err_up(r);
        r = ws_client_offer(client, frame);
        return err_up(r);
}

void ws_client_pause(WsClient *client, bool is_paused) {
        if (client->conn && client->state == WS_CLIENT_OPEN)
                ws_conn_pause(client->conn, is_paused);
}
