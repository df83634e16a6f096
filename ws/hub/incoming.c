#include "ws/hub/incoming.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/edge/uplink.h"
#include "ws/device/edge.h"
#include "ws/hub/viewer.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"
#include "ws/wire/packer.h"

#define WS_INCOMING_KEEP    4096 /* a larger message buffer is given back */
#define WS_INCOMING_PIECE   1    /* what a ping, or a piece of a message takes of its rate */
#define WS_INCOMING_MESSAGE 100  /* and what a message does */
#define WS_INCOMING_TURN_US 1000 /* of one client in one turn of the loop */

/* Of a message. */
static size_t ws_incoming_limit(const WsClient *client) {
        size_t limit = client->loop->options->max_message_bytes;

        return client->uplink && limit < UPLINK_BATCH_BYTES ? UPLINK_BATCH_BYTES : limit;
}

/* Takes so much of its rate; false: it sends too many. A gateway's is bounded by what is stored. */
static bool ws_incoming_spend(WsClient *client, int64_t cost) {
        int64_t per_s = client->loop->options->messages_per_s * (int64_t)WS_INCOMING_MESSAGE;
        const BucketRate rate = { per_s, 1000000, 2 * per_s };

        return per_s <= 0 || client->uplink ||
               bucket_take(&client->incoming, &rate, cost, clock_mono_us()) == 0;
}

static bool ws_incoming_afford(WsClient *client, int64_t cost) {
        if (ws_incoming_spend(client, cost))
                return true;
        ws_client_close(client, WS_CLOSE_RATE, "rate limited", METRIC_WS_CLOSED_RATE);
        return false;
}

/* What the compressed *@message says; false: it is over with this client. */
static bool ws_incoming_unpack(WsClient *client, Text *message) {
        size_t limit = ws_incoming_limit(client);
        int r;

        r = ws_packer_unpack(client->loop->packer, *message, limit, message);
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

static int ws_incoming_message(WsClient *client, Text message) {
        metric_add(METRIC_WS_MESSAGES_IN, 1);
        if (!ws_incoming_afford(client, WS_INCOMING_MESSAGE))
                return 0;
        if (client->is_binary && client->dialect->has_feed) {
                ws_client_close(client, WS_CLOSE_MISUSE, "binary", METRIC_WS_CLOSED_MISUSE);
                return 0;
        }
        if ((client->is_binary && !client->edge && !client->dialect->hears_binary) ||
            !client->dialect->receive)
                return 0;
        if (client->is_packed && !ws_incoming_unpack(client, &message))
                return 0;
        if (!client->is_binary && client->is_packed && !ws_frame_is_utf8(message)) {
                ws_client_close(client, WS_CLOSE_BAD_DATA, "not UTF-8", METRIC_COUNT);
                return 0;
        }
        return client->dialect->receive(client, message);
}

/* One piece of a message; most come whole. */
static int ws_incoming_piece(WsClient *client, Text piece, bool is_first, bool is_last) {
        int r;

        if (is_first && is_last)
                return ws_incoming_message(client, piece);

        if (is_first)
                buf_reset(&client->in);
        if (!client->is_binary || client->edge || client->dialect->hears_binary)
                buf_append(&client->in, piece.data, piece.n);
        if (buf_failed(&client->in))
                return err_new(-ENOMEM);
        if (!is_last) { /* fragments without end, of a byte or of none */
                (void)ws_incoming_afford(client,
                                         piece.n == 0 ? WS_INCOMING_MESSAGE : WS_INCOMING_PIECE);
                return 0;
        }

        r = ws_incoming_message(client, buf_text(&client->in));
        if (client->in.capacity > WS_INCOMING_KEEP)
                buf_done(&client->in);
        return r;
}

/* With what its frame says is still to come. True: it is over with this client. */
static bool ws_incoming_is_too_big(WsClient *client, const WsDecoded *decoded) {
        size_t limit = ws_incoming_limit(client);
        size_t n = decoded->payload.n + (decoded->is_first ? 0 : client->n_in);

        if (decoded->n_coming <= limit && n + decoded->n_coming <= limit)
                return false;
        ws_client_close(client, WS_CLOSE_TOO_BIG, "message too big", METRIC_WS_CLOSED_TOO_BIG);
        return true;
}

/* A piece of a message, or all of it. */
static int ws_incoming_data(WsClient *client, const WsDecoded *decoded) {
        size_t n = decoded->payload.n;
        bool is_too_big = ws_incoming_is_too_big(client, decoded);
        int r = 0;

        client->is_binary = decoded->is_binary;
        client->is_packed = decoded->is_packed;
        if (decoded->is_first)
                client->begun_ms = client->seen_ms;
        client->is_halfway = !decoded->is_last;
        client->n_in = decoded->is_first ? n : client->n_in + n;
        if (!is_too_big)
                r = ws_incoming_piece(client,
                                      decoded->payload,
                                      decoded->is_first,
                                      decoded->is_last);
        if (decoded->is_last || client->close_code != 0)
                ws_loop_settle(client->loop);
        return err_up(r);
}

static void ws_incoming_ping(WsClient *client, Text payload) {
        if (ws_incoming_afford(client, WS_INCOMING_PIECE))
                ws_viewer_pong(client, payload);
        else
                ws_loop_settle(client->loop);
}

static int ws_incoming_pong(WsClient *client, Text payload) {
        int r = 0;

        if (client->edge)
                r = ws_edge_pong(client, payload);
        return err_up(r);
}

/* One that is leaving is listened to for its close alone. */
static int ws_incoming_handle(WsClient *client, const WsDecoded *decoded) {
        bool is_open = client->state == WS_CLIENT_OPEN && client->close_code == 0;

        if (decoded->kind != WS_DECODED_NOTHING)
                client->seen_ms = clock_mono_us() / 1000;
        switch (decoded->kind) {
        case WS_DECODED_PIECE:
                return is_open ? ws_incoming_data(client, decoded) : 0;
        case WS_DECODED_PING:
                if (is_open)
                        ws_incoming_ping(client, decoded->payload);
                return 0;
        case WS_DECODED_PONG:
                return is_open ? ws_incoming_pong(client, decoded->payload) : 0;
        case WS_DECODED_CLOSE:
                ws_viewer_depart(client, decoded->code, "");
                return 0;
        case WS_DECODED_BROKEN:
                ws_viewer_depart(client, decoded->code, decoded->reason);
                return 0;
        case WS_DECODED_NOTHING: /* or a header that says how much is to come */
                if (is_open && decoded->n_coming > 0 && ws_incoming_is_too_big(client, decoded))
                        ws_loop_settle(client->loop);
                return 0;
        }
        return 0;
}

/* A client that was paused by what it said is not read on: the rest comes again. Nor is one whose
 * few bytes make much work: the others come first. */
size_t ws_incoming_take(WsClient *client, char *data, size_t n) {
        int64_t until_us = clock_mono_us() + WS_INCOMING_TURN_US;
        WsConn *conn = client->conn;
        size_t used = 0;

        while (used < n && conn && ws_conn_is_open(conn) && !ws_conn_is_paused(conn) &&
               (used == 0 || clock_mono_us() < until_us)) {
                WsDecoded decoded;

                used += ws_decoder_feed(&client->decoder, data + used, n - used, &decoded);
                if (ws_incoming_handle(client, &decoded) < 0)
                        ws_conn_close(conn); /* out of memory: this one goes, the others stay */
        }
        return used;
}
