#include "ws/hub/viewer.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "ws/device/edge.h"
#include "ws/device/uplink.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/loop/pending.h"
#include "ws/net/conn.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/listing.h"
#include "ws/viewer/places.h"
#include "ws/viewer/replays.h"
#include "ws/wire/packer.h"

#define WS_VIEWER_BUDGET    4     /* writes in one turn */
#define WS_VIEWER_LINGER_MS 30000 /* for a peer that does not read, to read why it is closed */
#define WS_VIEWER_LEAVE_MS  5000  /* for it to answer the close */
#define WS_VIEWER_GONE_MS   1000  /* the same for one that has said nothing for long */
#define WS_VIEWER_KEEP_MS   15000 /* between two comments of an event stream */
#define WS_VIEWER_NEVER_MS  (INT64_MAX / 4) /* a sign of life that nobody expects */

static int64_t ws_viewer_now_ms(void) {
        return clock_mono_us() / 1000;
}

int ws_viewer_new(WsClient **ret_client, WsLoop *loop, const WsDialect *dialect) {
        WsClient *client = calloc(1, sizeof(*client));

        if (!client)
                return err_new(-ENOMEM);

        client->loop = loop;
        client->dialect = dialect;
        client->types = WS_TYPE_ANY;
        client->expires_us = INT64_MAX;
        client->everyone.client = client->person.client = client->audience.client = client;
        ws_backlog_init(&client->backlog, &loop->tally);
        ws_wheel_link_init(&client->link);
        ++loop->n_clients;
        *ret_client = client;
        return 0;
}

/* The lists that do not depend on what it may see. */
static int ws_viewer_join_all(WsClient *client) {
        WsIndex *index = client->loop->index;
        int r = 0;

        if (!client->everyone.list)
                r = ws_index_join(index, &client->everyone, 0, WS_SCOPE_EVERYONE, 0);
        if (r == 0 && !client->person.list)
                r = ws_index_join(index, &client->person, 0, WS_SCOPE_PERSON, client->user_id);
        return err_up(r);
}

int ws_viewer_join(WsClient *client) {
        WsLoop *loop = client->loop;
        bool is_path = client->scope == WS_SCOPE_VEHICLE || client->scope == WS_SCOPE_DEVICE;
        int r;

        ws_index_leave(loop->index, &client->audience);
        if (client->edge) {
                client->scope = WS_SCOPE_EDGE;
                r = ws_index_join(loop->index,
                                  &client->audience,
                                  0,
                                  WS_SCOPE_EDGE,
                                  ws_edge_device(client->edge));
                return r == 0 ? ws_viewer_join_all(client) : err_up(r);
        }
        if (client->uplink)
                return err_up(ws_viewer_join_all(client)); /* it is shown nothing */
        if (!is_path)
                client->scope = client->sees_all ? WS_SCOPE_ALL : WS_SCOPE_USER;
        r = ws_index_join(loop->index,
                          &client->audience,
                          (int)client->dialect->id,
                          client->scope,
                          is_path            ? client->target_id
                          : client->sees_all ? 0
                                             : client->user_id);
        return r == 0 ? ws_viewer_join_all(client) : err_up(r);
}

int ws_viewer_note_open(WsClient *client, const WsIdentity *identity, const char *path) {
        if (!identity->is_anonymous)
                return 0;
        client->open_path = strdup(path);
        return client->open_path ? 0 : err_new(-ENOMEM);
}

int ws_viewer_become(WsClient *client, const User *user, int64_t expires_us) {
        int r;

        ws_places_make_known(client);
        client->user_id = user->id;
        client->generation = user->generation;
        client->sees_all = user->role == ROLE_ADMIN;
        client->expires_us = expires_us < INT64_MAX - WS_CLIENT_GRACE_US
                                     ? expires_us + WS_CLIENT_GRACE_US
                                     : INT64_MAX;
        ws_index_leave(client->loop->index, &client->person);
        r = ws_viewer_join(client);
        ws_client_schedule(client);
        return err_up(r);
}

/* It receives nothing from now on. Once for each client that was open. */
static void ws_viewer_leave(WsClient *client) {
        WsLoop *loop = client->loop;

        ws_index_leave(loop->index, &client->everyone);
        ws_index_leave(loop->index, &client->person);
        ws_index_leave(loop->index, &client->audience);
        ws_backlog_done(&client->backlog);
        ws_burst_settle(&client->burst, client->loop, client->backlog.n_metered);
        ws_places_make_known(client);
        if (client->edge)
                ws_edge_left(client);
        if (client->uplink)
                ws_uplink_left(client);
        ws_pendings_forget(loop->pendings, client);
        ws_listings_leave(loop->listings, client);
        client->feed = ws_feed_free(client->feed);
        --loop->n_open[client->dialect->id];
        metric_add(METRIC_WS_CONNECTIONS_A + (Metric)client->dialect->id, -1);
        metric_add(METRIC_WS_CLOSED, 1);
}

/* One that was well, as far as we knew, is gone. */
static void ws_viewer_lose(WsClient *client) {
        if (client->conn && ws_conn_is_given_up(client->conn))
                metric_add(METRIC_WS_CLOSED_UNACKNOWLEDGED, 1);
        ws_viewer_leave(client);
}

WsClient *ws_viewer_free(WsClient *client) {
        if (!client)
                return NULL;

        ws_viewer_closed(client);
        ws_feed_free(client->feed);
        ws_follow_free(client->first);
        buf_done(&client->out);
        free(client->origin);
        free(client->open_path);
        free(client->since);
        free(client->told);
        ws_places_give_back(client);
        ws_edge_free(client->edge);
        ws_uplink_free(client->uplink);
        free(client->vehicle_ids);
        free(client);
        return NULL;
}

static bool ws_viewer_is_stream(const WsClient *client) {
        return client->dialect->door == WS_DOOR_STREAM;
}

static int64_t ws_viewer_ping_interval(const WsClient *client) {
        int64_t interval = client->loop->options->ping_interval_ms;

        if (client->dialect->door == WS_DOOR_STREAM && interval > WS_VIEWER_KEEP_MS)
                return WS_VIEWER_KEEP_MS;
        return interval;
}

int ws_viewer_open(WsClient *client, WsConn *conn) {
        const WsOptions *options = client->loop->options;
        int64_t now_ms = ws_viewer_now_ms();
        int r;

        client->conn = conn;
        if (client->party != 0)
                ws_conn_set_payer(conn, client->party);
        client->decoder.takes_packed = client->deflates;
        client->state = WS_CLIENT_OPEN;
        client->connected_us = clock_now_us();
        client->seen_ms = now_ms;
        client->auth_ms = now_ms + options->handshake_timeout_ms;
        if (client->dialect->door != WS_DOOR_SOCKET)
                client->seen_ms = WS_VIEWER_NEVER_MS;
        /* The first pings are spread by age, so that a crowd that came together is not pinged so.
         */
        client->ping_ms = now_ms + options->ping_interval_ms / 2 +
                          (int64_t)(client->loop->n_clients * 7919 %
                                    (size_t)(options->ping_interval_ms / 2 + 1));
        if (client->dialect->door == WS_DOOR_STREAM)
                client->ping_ms = now_ms + ws_viewer_ping_interval(client);
        else if (client->dialect->door == WS_DOOR_POLL)
                client->ping_ms = client->deadline_ms;
        if (client->dialect->door == WS_DOOR_SOCKET &&
            client->expires_us < INT64_MAX - WS_CLIENT_GRACE_US)
                client->expires_us += WS_CLIENT_GRACE_US;

        ++client->loop->n_open[client->dialect->id];
        metric_add(METRIC_WS_CONNECTIONS_A + (Metric)client->dialect->id, 1);
        metric_add(METRIC_WS_ACCEPTED, 1);
        metric_add(METRIC_WS_ACCEPTED_DEFLATE, client->deflates);
        ws_client_schedule(client);
        r = ws_viewer_join(client);
        if (r == 0 && client->dialect->open)
                r = client->dialect->open(client);
        ws_loop_settle(client->loop);
        return r < 0 ? -1 : 0; /* out of memory: this one goes, the others stay */
}

void ws_viewer_closed(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_viewer_lose(client);
        client->state = WS_CLIENT_CLOSED;
        client->conn = NULL;
        ws_client_unmark(client);
        ws_client_stop_waiting(client);
        ws_wheel_take(&client->loop->wheel, &client->link);
        ws_backlog_done(&client->backlog);
        ws_burst_settle(&client->burst, client->loop, client->backlog.n_metered);
        buf_done(&client->in);
        buf_done(&client->pong);
        ws_tally_publish(&client->loop->tally);
}

/* The one place where messages are written to a WebSocket: whole prepared frames, while the
 * connection holds nothing back, and before any close. False: it is broken. */
static bool ws_viewer_write(WsClient *client, const void *data, size_t n) {
        return ws_conn_write(client->conn, data, n);
}

static bool ws_viewer_write_pong(WsClient *client) {
        bool is_well = true;

        if (client->pong.n > 0 && !buf_failed(&client->pong))
                is_well = ws_viewer_write(client, client->pong.data, client->pong.n);
        buf_done(&client->pong);
        return is_well;
}

/* A peer that sends pings and reads nothing makes us remember the last of them alone. */
void ws_viewer_pong(WsClient *client, Text payload) {
        uint8_t header[2] = { WS_FRAME_PONG, (uint8_t)payload.n };

        buf_reset(&client->pong);
        buf_append(&client->pong, header, sizeof(header));
        buf_append_text(&client->pong, payload);
        if (ws_conn_is_full(client->conn))
                ws_conn_want_write(client->conn);
        else
                (void)ws_viewer_write_pong(client);
}

/* A control frame fits between the fragments of a message, a comment only between two events. */
static bool ws_viewer_write_ping(WsClient *client) {
        if (!client->wants_ping || ws_conn_is_full(client->conn))
                return true;

        client->wants_ping = false;
        if (!ws_viewer_is_stream(client))
                return ws_viewer_write(client, ws_frame_ping, WS_FRAME_PING_SIZE);
        return client->backlog.head_sent > 0 || ws_viewer_write(client, ":\n\n", 3);
}

static bool ws_viewer_write_some(WsClient *client) {
        int budget = WS_VIEWER_BUDGET;

        if (!ws_conn_is_full(client->conn) && !ws_viewer_write_pong(client))
                return false;
        if (!ws_viewer_write_ping(client))
                return false;
        while (client->backlog.n_frames > 0 && budget-- > 0 && !ws_conn_is_full(client->conn)) {
                Text next = ws_backlog_next(&client->backlog, client->loop->batch, WS_LOOP_BATCH);

                if (!ws_viewer_write(client, next.data, next.n))
                        return false;
                ws_backlog_sent(&client->backlog, next.n);
                ws_burst_moved(&client->burst);
        }
        ws_burst_settle(&client->burst, client->loop, client->backlog.n_metered);
        if (client->backlog.n_frames > 0 || client->wants_ping || client->pong.n > 0 ||
            (client->feed && !client->is_patient && ws_feed_is_hungry(client->feed)))
                ws_conn_want_write(client->conn);
        return true;
}

static void ws_viewer_leave_soon(WsClient *client) {
        client->state = WS_CLIENT_LEAVING;
        client->deadline_ms = ws_viewer_now_ms() + WS_VIEWER_LEAVE_MS;
        ws_client_schedule(client);
}

/* The peer is told as soon as there is room for it. */
static void ws_viewer_say_bye(WsClient *client) {
        uint8_t bytes[WS_FRAME_CLOSE_SIZE];
        size_t n;

        if (ws_conn_is_full(client->conn)) {
                ws_conn_want_write(client->conn);
                return;
        }

        n = ws_frame_close(bytes, client->close_code, client->close_reason);
        (void)ws_viewer_write(client, bytes, n); /* broken or not, it is the end */
        ws_viewer_leave_soon(client);
}

/* Ends the connection without another word. */
static void ws_viewer_cut(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_viewer_lose(client);
        ws_viewer_leave_soon(client);
        ws_conn_close(client->conn);
}

/* The last event says why, as the close frame of a WebSocket does, where it fits. */
static void ws_viewer_end_stream(WsClient *client) {
        char bytes[256];
        int n;

        if (client->backlog.head_sent == 0 && !ws_conn_is_full(client->conn)) {
                n = snprintf(bytes,
                             sizeof(bytes),
                             "event: close\ndata: "
                             "{\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}"
                             "\n\n",
                             client->close_code,
                             client->close_reason);
                (void)ws_viewer_write(client, bytes, (size_t)n); /* it is the end in any case */
        }
        ws_viewer_leave(client);
        ws_viewer_leave_soon(client);
        ws_conn_end(client->conn);
}

void ws_viewer_depart(WsClient *client, int code, const char *reason) {
        uint8_t bytes[WS_FRAME_CLOSE_SIZE] = { WS_FRAME_BYE };
        size_t n = code != 0 ? ws_frame_close(bytes, code, reason) : 2;

        if (client->state == WS_CLIENT_OPEN)
                ws_viewer_leave(client);
        ws_client_unmark(client);
        if (client->state != WS_CLIENT_LEAVING)
                (void)ws_viewer_write(client, bytes, n);
        ws_viewer_leave_soon(client);
        ws_conn_end(client->conn);
        ws_tally_publish(&client->loop->tally);
}

/* From here on nothing is kept for it, and until the deadline it may read why. */
static void ws_viewer_begin_close(WsClient *client) {
        if (client->dialect->door == WS_DOOR_POLL) {
                client->dialect->flush(client);
                return;
        }
        if (ws_viewer_is_stream(client)) {
                ws_viewer_end_stream(client);
                return;
        }
        ws_viewer_leave(client);
        client->state = WS_CLIENT_CLOSING;
        client->deadline_ms =
                ws_viewer_now_ms() +
                (client->close_code == WS_CLOSE_SILENT ? WS_VIEWER_GONE_MS : WS_VIEWER_LINGER_MS);
        buf_done(&client->in);
        ws_client_schedule(client);
        ws_viewer_say_bye(client);
}

/* What it catches up on is bounded for one turn: the socket calls again when it takes more. */
static bool ws_viewer_pump(WsClient *client) {
        int r;

        if (!client->feed || client->close_code != 0)
                return true;
        r = ws_feed_pump(client->feed);
        ws_client_unmark(client);
        return r == 0;
}

void ws_viewer_finish(WsClient *client) {
        WsConn *conn = client->conn;

        ws_viewer_closed(client);
        client->answer(client, conn);
}

/* One that reads on what it missed comes again in the next turn, if it is allowed to. */
static void ws_viewer_flush_poll(WsClient *client) {
        client->dialect->flush(client);
        if (client->state != WS_CLIENT_OPEN || client->is_patient ||
            !ws_feed_is_hungry(client->feed))
                return;
        ws_conn_want_write(client->conn);
}

void ws_viewer_flush(WsClient *client) {
        bool is_well;

        ws_client_unmark(client);
        if (client->state != WS_CLIENT_OPEN)
                return;

        is_well = ws_viewer_pump(client);
        if (client->close_code != 0)
                ws_viewer_begin_close(client);
        else if (client->dialect->flush)
                ws_viewer_flush_poll(client);
        else if (!is_well || !ws_viewer_write_some(client))
                ws_viewer_cut(client);
}

void ws_viewer_writeable(WsClient *client) {
        if (client->state == WS_CLIENT_OPEN)
                ws_viewer_flush(client);
        else if (client->state == WS_CLIENT_CLOSING)
                ws_viewer_say_bye(client);
        (void)!ws_replays_turn(client->loop->replays); /* it may have come to the end of a page */
        ws_tally_publish(&client->loop->tally);
}

/* Out of patience with an open one? */
static void ws_viewer_judge(WsClient *client, int64_t now_ms) {
        const WsOptions *options = client->loop->options;
        int64_t since = client->backlog.conflating_since_ms;

        if (client->is_unknown && now_ms >= client->auth_ms)
                ws_client_close(client, WS_CLOSE_NO_AUTH, "no auth", METRIC_WS_CLOSED_NO_AUTH);
        else if (now_ms - client->seen_ms >= options->silence_ms)
                ws_client_close(client, WS_CLOSE_SILENT, "no pong", METRIC_WS_CLOSED_SILENT);
        else if (client->is_halfway && now_ms - client->begun_ms >= options->silence_ms)
                ws_client_close(client, WS_CLOSE_POLICY, "unfinished message", METRIC_COUNT);
        else if (since != 0 && now_ms - since >= options->slow_ms)
                ws_client_close(client, WS_CLOSE_SLOW, "too slow", METRIC_WS_CLOSED_SLOW);
        else if (clock_now_us() >= client->expires_us)
                ws_client_close(client,
                                WS_CLOSE_EXPIRED,
                                "token expired",
                                METRIC_WS_CLOSED_EXPIRED);
}

void ws_viewer_look(WsWheelLink *link, int64_t now_ms) {
        WsClient *client =
                (WsClient *)(void *)((char *)link - offsetof(WsClient, link)); /* its owner */

        if (client->state != WS_CLIENT_OPEN) {
                if (now_ms >= client->deadline_ms)
                        ws_viewer_cut(client);
                else
                        ws_client_schedule(client);
                return;
        }

        ws_viewer_judge(client, now_ms);
        if (client->progress_ms != 0 && now_ms >= client->progress_ms && client->feed)
                (void)!ws_feed_tell_progress(client->feed); /* out of memory: the next time */
        if (now_ms >= client->ping_ms) {
                client->ping_ms = now_ms + ws_viewer_ping_interval(client);
                client->wants_ping = true;
                ws_client_mark(client);
        }
        ws_client_schedule(client);
}

void ws_viewer_farewell(WsClient *client) {
        uint8_t bytes[WS_FRAME_CLOSE_SIZE];
        size_t n;

        if (client->state != WS_CLIENT_OPEN || client->dialect->door != WS_DOOR_SOCKET ||
            ws_conn_is_full(client->conn))
                return;

        n = ws_frame_close(bytes, WS_CLOSE_GOING_AWAY, "going away");
        (void)ws_viewer_write(client, bytes, n); /* broken or not, this is its end */
}
