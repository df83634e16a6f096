#include "ws/client.h"

#include <libwebsockets.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "ws/edge.h"
#include "ws/feed.h"
#include "ws/hub.h"
#include "ws/packer.h"
#include "ws/server.h"

#define WS_CLIENT_BUDGET     4     /* writes in one turn */
#define WS_CLIENT_LINGER_MS  30000 /* for a peer that does not read, to read why it is closed */
#define WS_CLIENT_LEAVE_MS   5000  /* for it to answer the close */
#define WS_CLIENT_CREDIT_ONE 1000
#define WS_CLIENT_STREAM_MS  1000            /* between two looks at an event stream */
#define WS_CLIENT_KEEP_MS    15000           /* between two comments of an event stream */
#define WS_CLIENT_NEVER_MS   (INT64_MAX / 4) /* a sign of life that nobody expects */
#define WS_CLIENT_IN_KEEP    4096            /* a larger message buffer is given back */

static int64_t ws_client_now_ms(void) {
        return clock_mono_us() / 1000;
}

int ws_client_new(WsClient **ret_client, WsHub *hub, const WsDialect *dialect) {
        WsClient *client = calloc(1, sizeof(*client));

        if (!client)
                return err_new(-ENOMEM);

        client->hub = hub;
        client->dialect = dialect;
        client->types = WS_TYPE_ANY;
        client->expires_us = INT64_MAX;
        client->everyone.client = client->person.client = client->audience.client = client;
        ws_backlog_init(&client->backlog, &hub->tally);
        ws_wheel_link_init(&client->link);
        ++hub->n_clients;
        *ret_client = client;
        return 0;
}

/* The end of its token on the monotonic clock, if that is before @due. */
static int64_t ws_client_expiry_ms(const WsClient *client, int64_t due) {
        int64_t end = ws_client_now_ms() + (client->expires_us - clock_now_us()) / 1000 + 1;

        return end < due ? end : due;
}

/* When to look at it next: the earliest of what may happen to it. */
static void ws_client_schedule(WsClient *client) {
        const WsOptions *options = client->hub->options;
        int64_t due = client->ping_ms;
        int64_t since = client->backlog.conflating_since_ms;

        if (client->state != WS_CLIENT_OPEN)
                due = client->deadline_ms;
        else if (client->seen_ms + options->silence_ms < due)
                due = client->seen_ms + options->silence_ms;
        if (since != 0 && since + options->slow_ms < due)
                due = since + options->slow_ms;
        if (client->dialect->door == WS_DOOR_STREAM && client->state == WS_CLIENT_OPEN &&
            ws_client_now_ms() + WS_CLIENT_STREAM_MS < due)
                due = ws_client_now_ms() + WS_CLIENT_STREAM_MS;
        if (client->is_unknown && client->auth_ms < due)
                due = client->auth_ms;
        if (client->expires_us < clock_now_us() + options->ping_interval_ms * INT64_C(1000))
                due = ws_client_expiry_ms(client, due);
        ws_wheel_put(&client->hub->wheel, &client->link, due);
}

static void ws_client_mark(WsClient *client) {
        if (client->is_dirty)
                return;

        client->is_dirty = true;
        TAILQ_INSERT_TAIL(&client->hub->dirty, client, dirty);
}

static void ws_client_unmark(WsClient *client) {
        if (!client->is_dirty)
                return;

        client->is_dirty = false;
        TAILQ_REMOVE(&client->hub->dirty, client, dirty);
}

/* The lists that do not depend on what it may see. */
static int ws_client_join_all(WsClient *client) {
        WsIndex *index = client->hub->index;
        int r = 0;

        if (!client->everyone.list)
                r = ws_index_join(index, &client->everyone, 0, WS_SCOPE_EVERYONE, 0);
        if (r == 0 && !client->person.list)
                r = ws_index_join(index, &client->person, 0, WS_SCOPE_PERSON, client->user_id);
        return r < 0 ? err_up(r) : 0;
}

int ws_client_join(WsClient *client) {
        WsHub *hub = client->hub;
        bool is_path = client->scope == WS_SCOPE_VEHICLE || client->scope == WS_SCOPE_DEVICE;
        int r;

        ws_index_leave(hub->index, &client->audience);
        if (client->edge) {
                client->scope = WS_SCOPE_EDGE;
                r = ws_index_join(hub->index,
                                  &client->audience,
                                  0,
                                  WS_SCOPE_EDGE,
                                  ws_edge_device(client->edge));
                return r < 0 ? err_up(r) : ws_client_join_all(client);
        }
        if (!is_path)
                client->scope = client->sees_all ? WS_SCOPE_ALL : WS_SCOPE_USER;
        r = ws_index_join(hub->index,
                          &client->audience,
                          (int)client->dialect->id,
                          client->scope,
                          is_path            ? client->target_id
                          : client->sees_all ? 0
                                             : client->user_id);
        return r < 0 ? err_up(r) : ws_client_join_all(client);
}

void ws_client_touch(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_client_mark(client);
}

size_t ws_client_n_limited(const WsHub *hub, int64_t user_id) {
        const WsList *list = ws_index_find(hub->index, 0, WS_SCOPE_PERSON, user_id);
        size_t n = 0;

        for (size_t i = 0; i < ws_list_length(list); ++i)
                n += ws_list_at(list, i)->dialect->has_feed;
        return n;
}

int ws_client_become(WsClient *client, const User *user, int64_t expires_us) {
        int r;

        client->is_unknown = false;
        client->user_id = user->id;
        client->generation = user->generation;
        client->sees_all = user->role == ROLE_ADMIN;
        client->expires_us = expires_us < INT64_MAX - WS_CLIENT_GRACE_US
                                     ? expires_us + WS_CLIENT_GRACE_US
                                     : INT64_MAX;
        ws_index_leave(client->hub->index, &client->person);
        r = ws_client_join(client);
        ws_client_schedule(client);
        return r < 0 ? err_up(r) : 0;
}

/* It receives nothing from now on. Once for each client that was open. */
static void ws_client_leave(WsClient *client) {
        WsHub *hub = client->hub;

        ws_index_leave(hub->index, &client->everyone);
        ws_index_leave(hub->index, &client->person);
        ws_index_leave(hub->index, &client->audience);
        ws_backlog_done(&client->backlog);
        if (client->edge)
                ws_edge_left(client);
        ws_pendings_forget(&hub->pendings, client);
        client->feed = ws_feed_free(client->feed);
        --hub->n_open[client->dialect->id];
        metric_add(METRIC_WS_CONNECTIONS_A + (Metric)client->dialect->id, -1);
        metric_add(METRIC_WS_CLOSED, 1);
}

WsClient *ws_client_free(WsClient *client) {
        if (!client)
                return NULL;

        ws_client_closed(client);
        ws_feed_free(client->feed);
        ws_follow_free(client->first);
        buf_done(&client->out);
        free(client->origin);
        --client->hub->n_clients;
        ws_edge_free(client->edge);
        free(client->vehicle_ids);
        free(client);
        return NULL;
}

static bool ws_client_is_stream(const WsClient *client) {
        return client->dialect->door == WS_DOOR_STREAM;
}

/* What the peer has sent since it connected, or 0. */
static uint64_t ws_client_n_received(const WsClient *client) {
        struct tcp_info info = { 0 };
        socklen_t n = sizeof(info);

        if (getsockopt(lws_get_socket_fd(client->wsi), IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
                return 0;
        return info.tcpi_bytes_received;
}

static int64_t ws_client_ping_interval(const WsClient *client) {
        int64_t interval = client->hub->options->ping_interval_ms;

        if (client->dialect->door == WS_DOOR_STREAM && interval > WS_CLIENT_KEEP_MS)
                return WS_CLIENT_KEEP_MS;
        return interval;
}

int ws_client_open(WsClient *client, struct lws *wsi) {
        const WsOptions *options = client->hub->options;
        int64_t now_ms = ws_client_now_ms();
        int r;

        client->wsi = wsi;
        client->state = WS_CLIENT_OPEN;
        client->connected_us = clock_now_us();
        client->seen_ms = client->credit_ms = now_ms;
        client->auth_ms = now_ms + options->handshake_timeout_ms;
        if (client->dialect->door != WS_DOOR_SOCKET)
                client->seen_ms = WS_CLIENT_NEVER_MS;
        /* The first pings are spread by age, so that a crowd that came together is not pinged so.
         */
        client->ping_ms = now_ms + options->ping_interval_ms / 2 +
                          (int64_t)(client->hub->n_clients * 7919 %
                                    (size_t)(options->ping_interval_ms / 2 + 1));
        if (client->dialect->door == WS_DOOR_STREAM) {
                client->ping_ms = now_ms + ws_client_ping_interval(client);
                client->n_received = ws_client_n_received(client);
        } else if (client->dialect->door == WS_DOOR_POLL) {
                client->ping_ms = client->deadline_ms;
        }
        client->credit = (int64_t)options->messages_per_s * 2 * WS_CLIENT_CREDIT_ONE;
        if (client->expires_us < INT64_MAX - WS_CLIENT_GRACE_US)
                client->expires_us += WS_CLIENT_GRACE_US;

        ++client->hub->n_open[client->dialect->id];
        metric_add(METRIC_WS_CONNECTIONS_A + (Metric)client->dialect->id, 1);
        metric_add(METRIC_WS_ACCEPTED, 1);
        metric_add(METRIC_WS_ACCEPTED_DEFLATE, client->deflates);
        ws_client_schedule(client);
        r = ws_client_join(client);
        if (r == 0 && client->dialect->open)
                r = client->dialect->open(client);
        ws_hub_settle(client->hub);
        return r < 0 ? -1 : 0; /* out of memory: this one goes, the others stay */
}

void ws_client_closed(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_client_leave(client);
        client->state = WS_CLIENT_CLOSED;
        client->wsi = NULL;
        ws_client_unmark(client);
        ws_wheel_take(&client->hub->wheel, &client->link);
        ws_backlog_done(&client->backlog);
        buf_done(&client->in);
        ws_tally_publish(&client->hub->tally);
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
        const WsOptions *options = client->hub->options;
        bool was_conflating = client->backlog.conflating_since_ms != 0;
        int r;

        if (client->state != WS_CLIENT_OPEN || client->close_code != 0)
                return 0;

        if (client->deflates && frame->n >= options->deflate_min_bytes)
                frame = ws_frame_packed(frame, client->hub->packer);
        r = ws_backlog_push(&client->backlog, frame, options->queue_bytes, frame->made_us / 1000);
        if (r < 0)
                return err_up(r);
        ws_client_mark(client);
        if (!was_conflating && client->backlog.conflating_since_ms != 0)
                ws_client_schedule(client);
        return r;
}

int ws_client_offer(WsClient *client, WsFrame *frame) {
        int r;

        r = ws_client_try(client, frame);
        if (r == WS_BACKLOG_E_FULL)
                ws_client_close(client, WS_CLOSE_SLOW, "too slow", METRIC_WS_CLOSED_SLOW);
        return r < 0 ? err_up(r) : 0;
}

int ws_client_wrap(const WsClient *client, const WsPush *push, WsFrame **ret_frame) {
        if (client->dialect->wrap)
                return client->dialect->wrap(client->hub, push, ret_frame);
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
        return r < 0 ? err_up(r) : 0;
}

/*
 * The one place where bytes are written to a WebSocket, outside of lws' own WRITEABLE callback too:
 * whole prepared frames, while lws holds nothing back, and before any close. False: it is broken.
 */
static bool ws_client_write(WsClient *client, const void *data, size_t n) {
        union {
                const void *in;
                unsigned char *out;
        } bytes = { .in = data }; /* raw writes do not touch the buffer, whatever the type says */

        return lws_write(client->wsi, bytes.out, n, LWS_WRITE_RAW) >= 0;
}

/* A control frame fits between the fragments of a message, a comment only between two events. */
static bool ws_client_write_ping(WsClient *client) {
        if (!client->wants_ping || lws_partial_buffered(client->wsi))
                return true;

        client->wants_ping = false;
        if (!ws_client_is_stream(client))
                return ws_client_write(client, ws_frame_ping, WS_FRAME_PING_SIZE);
        return client->backlog.head_sent > 0 || ws_client_write(client, ":\n\n", 3);
}

static bool ws_client_write_some(WsClient *client) {
        int budget = WS_CLIENT_BUDGET;

        if (!ws_client_write_ping(client))
                return false;
        while (client->backlog.n_frames > 0 && budget-- > 0 && !lws_partial_buffered(client->wsi)) {
                Text next = ws_backlog_next(&client->backlog, client->hub->batch, WS_HUB_BATCH);

                if (!ws_client_write(client, next.data, next.n))
                        return false;
                ws_backlog_sent(&client->backlog, next.n);
        }
        if (client->backlog.n_frames > 0 || client->wants_ping ||
            (client->feed && ws_feed_is_hungry(client->feed)))
                lws_callback_on_writable(client->wsi);
        return true;
}

static void ws_client_leave_soon(WsClient *client) {
        client->state = WS_CLIENT_LEAVING;
        client->deadline_ms = ws_client_now_ms() + WS_CLIENT_LEAVE_MS;
        ws_client_schedule(client);
}

/* The peer is told as soon as there is room for it. */
static void ws_client_say_bye(WsClient *client) {
        uint8_t bytes[WS_FRAME_CLOSE_SIZE];
        size_t n;

        if (lws_partial_buffered(client->wsi)) {
                lws_callback_on_writable(client->wsi);
                return;
        }

        n = ws_frame_close(bytes, client->close_code, client->close_reason);
        if (!ws_client_write(client, bytes, n))
                shutdown(lws_get_socket_fd(client->wsi), SHUT_RDWR);
        ws_client_leave_soon(client);
}

/* Ends the connection without another word: lws sees the end of file and closes. */
static void ws_client_cut(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_client_leave(client);
        ws_client_leave_soon(client);
        shutdown(lws_get_socket_fd(client->wsi), SHUT_RDWR);
}

/* The last event says why, as the close frame of a WebSocket does, where it fits. */
static void ws_client_end_stream(WsClient *client) {
        char bytes[256];
        int n;

        if (client->backlog.head_sent == 0 && !lws_partial_buffered(client->wsi)) {
                n = snprintf(bytes,
                             sizeof(bytes),
                             "event: close\ndata: "
                             "{\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}"
                             "\n\n",
                             client->close_code,
                             client->close_reason);
                (void)ws_client_write(client, bytes, (size_t)n); /* it is the end in any case */
        }
        ws_client_cut(client);
}

/* From here on nothing is kept for it, and until the deadline it may read why. */
static void ws_client_begin_close(WsClient *client) {
        if (client->dialect->door == WS_DOOR_POLL) {
                client->dialect->flush(client);
                return;
        }
        if (ws_client_is_stream(client)) {
                ws_client_end_stream(client);
                return;
        }
        ws_client_leave(client);
        client->state = WS_CLIENT_CLOSING;
        client->deadline_ms = ws_client_now_ms() + WS_CLIENT_LINGER_MS;
        buf_done(&client->in);
        ws_client_schedule(client);
        ws_client_say_bye(client);
}

/* What it catches up on is bounded for one turn: the socket calls again when it takes more. */
static bool ws_client_pump(WsClient *client) {
        int r;

        if (!client->feed || client->close_code != 0)
                return true;
        r = ws_feed_pump(client->feed);
        ws_client_unmark(client);
        return r == 0;
}

void ws_client_finish(WsClient *client) {
        struct lws *wsi = client->wsi;

        ws_client_closed(client);
        client->answer(client, wsi);
}

/* One that reads on what it missed comes again in the next turn, if it is allowed to. */
static void ws_client_flush_poll(WsClient *client) {
        client->dialect->flush(client);
        if (client->state != WS_CLIENT_OPEN || !ws_feed_is_hungry(client->feed))
                return;
        lws_rx_flow_control(client->wsi, 1);
        lws_callback_on_writable(client->wsi);
}

void ws_client_flush(WsClient *client) {
        bool is_well;

        ws_client_unmark(client);
        if (client->state != WS_CLIENT_OPEN)
                return;

        is_well = ws_client_pump(client);
        if (client->close_code != 0)
                ws_client_begin_close(client);
        else if (client->dialect->flush)
                ws_client_flush_poll(client);
        else if (!is_well || !ws_client_write_some(client))
                ws_client_cut(client);
}

void ws_client_writeable(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_client_flush(client);
        else if (client->state == WS_CLIENT_CLOSING)
                ws_client_say_bye(client);
        (void)!ws_replays_turn(&client->hub->replays); /* it may have come to the end of a page */
        ws_tally_publish(&client->hub->tally);
}

/* Takes one message's worth of credit; false: it sends too many. */
static bool ws_client_spend(WsClient *client) {
        int64_t rate = client->hub->options->messages_per_s;
        int64_t now_ms = ws_client_now_ms();

        if (rate <= 0)
                return true;

        client->credit += (now_ms - client->credit_ms) * rate; /* per ms in thousandths */
        client->credit_ms = now_ms;
        if (client->credit > rate * 2 * WS_CLIENT_CREDIT_ONE)
                client->credit = rate * 2 * WS_CLIENT_CREDIT_ONE;
        if (client->credit < WS_CLIENT_CREDIT_ONE)
                return false;

        client->credit -= WS_CLIENT_CREDIT_ONE;
        return true;
}

/* What the compressed *@message says; false: it is over with this client. */
static bool ws_client_unpack(WsClient *client, Text *message) {
        size_t limit = client->hub->options->max_message_bytes;
        int r;

        r = ws_packer_unpack(client->hub->packer, *message, limit, message);
        if (r == WS_PACKER_E_TOO_BIG)
                ws_client_close(client,
                                WS_CLOSE_TOO_BIG,
                                "message too big",
                                METRIC_WS_CLOSED_TOO_BIG);
        else if (r == WS_PACKER_E_BAD)
                ws_client_close(client, WS_CLOSE_BAD_DATA, "not DEFLATE", METRIC_COUNT);
        else if (r < 0)
                ws_client_close(client, WS_CLOSE_FAULT, "out of memory", METRIC_COUNT);
        return r == 0;
}

static int ws_client_message(WsClient *client, Text message) {
        metric_add(METRIC_WS_MESSAGES_IN, 1);
        if (!ws_client_spend(client)) {
                ws_client_close(client, WS_CLOSE_RATE, "rate limited", METRIC_WS_CLOSED_RATE);
                return 0;
        }
        if (client->is_binary && client->dialect->has_feed) {
                ws_client_close(client, WS_CLOSE_MISUSE, "binary", METRIC_WS_CLOSED_MISUSE);
                return 0;
        }
        if ((client->is_binary && !client->edge) || !client->dialect->receive)
                return 0;
        if (client->is_packed && !ws_client_unpack(client, &message))
                return 0;
        if (!client->is_binary && !ws_frame_is_utf8(message)) {
                ws_client_close(client, WS_CLOSE_BAD_DATA, "not UTF-8", METRIC_COUNT);
                return 0;
        }
        return client->dialect->receive(client, message);
}

/* One piece of a message; most come whole. */
static int ws_client_piece(WsClient *client, Text piece, bool is_first, bool is_last) {
        int r;

        if (is_first && is_last)
                return ws_client_message(client, piece);

        if (is_first)
                buf_reset(&client->in);
        if (!client->is_binary || client->edge)
                buf_append(&client->in, piece.data, piece.n);
        if (buf_failed(&client->in))
                return err_new(-ENOMEM);
        if (piece.n == 0 && !is_last && !ws_client_spend(client)) /* empty fragments without end */
                ws_client_close(client, WS_CLOSE_RATE, "rate limited", METRIC_WS_CLOSED_RATE);
        if (!is_last)
                return 0;

        r = ws_client_message(client, buf_text(&client->in));
        if (client->in.capacity > WS_CLIENT_IN_KEEP)
                buf_done(&client->in);
        return r;
}

int ws_client_receive(WsClient *client, const void *data, size_t n) {
        size_t coming = lws_remaining_packet_payload(client->wsi);
        size_t limit = client->hub->options->max_message_bytes;
        bool is_first = lws_is_first_fragment(client->wsi);
        bool is_last = lws_is_final_fragment(client->wsi);
        int r = 0;

        if (client->state != WS_CLIENT_OPEN || client->close_code != 0)
                return 0;

        client->seen_ms = ws_client_now_ms();
        client->is_binary = lws_frame_is_binary(client->wsi);
        client->n_in = is_first ? n : client->n_in + n;
        if (is_first)
                client->is_packed = lws_get_reserved_bits(client->wsi) != 0;
        if (coming > limit || client->n_in + coming > limit)
                ws_client_close(client,
                                WS_CLOSE_TOO_BIG,
                                "message too big",
                                METRIC_WS_CLOSED_TOO_BIG);
        else
                r = ws_client_piece(client, (Text){ .data = data, .n = n }, is_first, is_last);
        ws_hub_settle(client->hub);
        return r < 0 ? -1 : 0; /* out of memory: this one goes, the others stay */
}

int ws_client_pong(WsClient *client, const void *data, size_t n) {
        int r = 0;

        client->seen_ms = ws_client_now_ms();
        if (client->edge && client->state == WS_CLIENT_OPEN)
                r = ws_edge_pong(client, (Text){ .data = data, .n = n });
        return r < 0 ? -1 : 0;
}

void ws_client_pause(WsClient *client, bool is_paused) {
        if (client->wsi && client->state == WS_CLIENT_OPEN)
                lws_rx_flow_control(client->wsi, is_paused ? 0 : 1);
}

/*
 * The answer to our close, or a close of its own, which lws answers with the same code: one that
 * may not go over the wire becomes 1002.
 */
int ws_client_peer_closes(WsClient *client, void *data, size_t n) {
        uint8_t *bytes = data;

        if (client->state == WS_CLIENT_LEAVING)
                return -1;

        if (n >= 2 && (bytes[0] << 8 | bytes[1]) >= 5000) {
                bytes[0] = WS_CLOSE_PROTOCOL >> 8;
                bytes[1] = WS_CLOSE_PROTOCOL & 0xff;
        }
        if (client->state == WS_CLIENT_OPEN)
                ws_client_leave(client);
        ws_client_unmark(client);
        ws_client_leave_soon(client);
        ws_tally_publish(&client->hub->tally);
        return 0;
}

/* Out of patience with an open one? */
static void ws_client_judge(WsClient *client, int64_t now_ms) {
        const WsOptions *options = client->hub->options;
        int64_t since = client->backlog.conflating_since_ms;

        if (client->is_unknown && now_ms >= client->auth_ms)
                ws_client_close(client, WS_CLOSE_NO_AUTH, "no auth", METRIC_WS_CLOSED_NO_AUTH);
        else if (now_ms - client->seen_ms >= options->silence_ms)
                ws_client_close(client, WS_CLOSE_SILENT, "no pong", METRIC_WS_CLOSED_SILENT);
        else if (since != 0 && now_ms - since >= options->slow_ms)
                ws_client_close(client, WS_CLOSE_SLOW, "too slow", METRIC_WS_CLOSED_SLOW);
        else if (clock_now_us() >= client->expires_us)
                ws_client_close(client,
                                WS_CLOSE_EXPIRED,
                                "token expired",
                                METRIC_WS_CLOSED_EXPIRED);
}

void ws_client_look(WsWheelLink *link, int64_t now_ms) {
        WsClient *client =
                (WsClient *)(void *)((char *)link - offsetof(WsClient, link)); /* its owner */

        if (client->state != WS_CLIENT_OPEN) {
                if (now_ms >= client->deadline_ms)
                        ws_client_cut(client);
                else
                        ws_client_schedule(client);
                return;
        }

        if (ws_client_is_stream(client) && ws_client_n_received(client) > client->n_received) {
                ws_client_cut(client); /* lws would spin on a request that it cannot serve yet */
                return;
        }
        ws_client_judge(client, now_ms);
        if (now_ms >= client->ping_ms) {
                client->ping_ms = now_ms + ws_client_ping_interval(client);
                client->wants_ping = true;
                ws_client_mark(client);
        }
        ws_client_schedule(client);
}

void ws_client_farewell(WsClient *client) {
        uint8_t bytes[WS_FRAME_CLOSE_SIZE];
        size_t n;

        if (client->state != WS_CLIENT_OPEN || client->dialect->door != WS_DOOR_SOCKET ||
            lws_partial_buffered(client->wsi))
                return;

        n = ws_frame_close(bytes, WS_CLOSE_GOING_AWAY, "going away");
        (void)ws_client_write(client, bytes, n); /* broken or not, this is its end */
}
