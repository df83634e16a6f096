#include "ws/device/edge.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/device/order.h"
#include "ws/device/uplink.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/loop/questions.h"
#include "ws/viewer/client.h"

#define WS_EDGE_MAX_SENT  4096  /* commands of one socket that have not expired */
#define WS_EDGE_RETRY_MS  1000  /* between two questions for what is pending */
#define WS_EDGE_ANSWER_MS 20000 /* and if no answer comes at all */
#define WS_EDGE_MARK      "tg:"

typedef struct WsEdgeSent WsEdgeSent;

/* A command that went down on this socket. */
struct WsEdgeSent {
        char command_id[QUERY_COMMAND_ID_SIZE];
        int64_t expires_us;
};

struct WsEdge {
        WsClient *client; /* borrowed: its owner */
        int64_t device_id;
        int64_t token_generation;
        uint64_t sender_key;
        char topic[160];     /* what a dead letter names as its origin */
        WsQuestion question; /* what waits for it */
        bool wants_pending;  /* asks for that, from then on */
        bool has_more;       /* of that, than was sent */
        int64_t retry_ms;

        WsEdgeSent *sent; /* [n_sent], in order; the first is number n_forgotten */
        size_t n_sent, capacity;
        uint64_t n_forgotten;
        uint64_t n_proven; /* by PONGs */
        uint64_t n_noted;  /* of those: `delivered` is in the journal */

        Buf held;         /* frames that the journal had no room for: size_t, then so many bytes */
        bool is_restless; /* in loop->restless */
        TAILQ_ENTRY(WsEdge) restless;
};

int ws_edge_new(WsClient *client, const Device *device) {
        WsEdge *edge = calloc(1, sizeof(*edge));

        if (!edge)
                return err_new(-ENOMEM);
        edge->client = client;
        edge->device_id = device->id;
        edge->question.owner = edge;
        edge->token_generation = device->token_generation;
        edge->sender_key = device->key_hash;
        snprintf(edge->topic, sizeof(edge->topic), "ws/device/%s", device->code);
        client->edge = edge;
        return 0;
}

WsEdge *ws_edge_free(WsEdge *edge) {
        if (!edge)
                return NULL;
        ws_questions_forget(edge->client->loop->questions, &edge->question);
        free(edge->sent);
        buf_done(&edge->held);
        free(edge);
        return NULL;
}

int64_t ws_edge_device(const WsEdge *edge) {
        return edge->device_id;
}

bool ws_edge_may_stay(const WsClient *client) {
        const WsEdge *edge = client->edge;
        const Device *device = registry_device(client->loop->registry, edge->device_id);

        return device && device->is_active && device->has_token &&
               device->token_generation == edge->token_generation;
}

static void ws_edge_rest(WsEdge *edge) {
        if (!edge->is_restless)
                return;
        edge->is_restless = false;
        TAILQ_REMOVE(&edge->client->loop->restless, edge, restless);
}

static void ws_edge_unrest(WsEdge *edge) {
        if (edge->is_restless)
                return;
        edge->is_restless = true;
        TAILQ_INSERT_TAIL(&edge->client->loop->restless, edge, restless);
}

void ws_edge_left(WsClient *client) {
        ws_questions_forget(client->loop->questions, &client->edge->question);
        ws_edge_rest(client->edge);
}

/* ---- up ---- */

static int ws_edge_journal(const WsEdge *edge, Kind kind, Text payload) {
        const WsOptions *options = edge->client->loop->options;
        int r;

        if (!options->inbound)
                return INBOUND_E_FULL;
        r = options->inbound(options->inbound_arg,
                             &(Inbound){ .door = kind == KIND_COMMAND_STATE ? DOOR_INTERNAL
                                                                            : DOOR_WS,
                                         .kind = kind,
                                         .device_id = edge->device_id,
                                         .sender_key = edge->sender_key,
                                         .topic = text_of(edge->topic),
                                         .payload = payload });
        return r < 0 ? err_up(r) : r;
}

static int ws_edge_take(const WsEdge *edge, Text message) {
        return ws_edge_journal(edge,
                               ws_order_is_ack(message) ? KIND_COMMAND_ACK : KIND_TELEMETRY,
                               message);
}

/* Nothing more is read until there is room; what was read already is kept, in order. */
static int ws_edge_hold(WsEdge *edge, Text message) {
        buf_append(&edge->held, &message.n, sizeof(message.n));
        buf_append_text(&edge->held, message);
        if (buf_failed(&edge->held))
                return err_new(-ENOMEM);
        ws_client_pause(edge->client, true);
        ws_edge_unrest(edge);
        return 0;
}

int ws_edge_receive(WsClient *client, Text message) {
        WsEdge *edge = client->edge;
        int r = INBOUND_E_FULL;

        if (client->close_code != 0 || !ws_edge_may_stay(client))
                return 0; /* its token has ended: nothing is stored for it any more */
        if (edge->held.n == 0)
                r = ws_edge_take(edge, message);
        if (r == INBOUND_E_FULL)
                r = ws_edge_hold(edge, message);
        return err_up(r);
}

/* What was held, as far as there is room. */
static int ws_edge_release(WsEdge *edge) {
        size_t at = 0;
        int r = 0;

        if (!ws_edge_may_stay(edge->client))
                at = edge->held.n;
        while (at < edge->held.n) {
                Text message;

                memcpy(&message.n, edge->held.data + at, sizeof(message.n));
                message.data = edge->held.data + at + sizeof(message.n);
                r = ws_edge_take(edge, message);
                if (r != 0)
                        break;
                at += sizeof(message.n) + message.n;
        }
        if (r < 0)
                return err_up(r);
        if (at == 0)
                return 0;
        memmove(edge->held.data, edge->held.data + at, edge->held.n - at);
        edge->held.n -= at;
        if (edge->held.n == 0) {
                buf_done(&edge->held);
                ws_client_pause(edge->client, false);
        }
        return 0;
}

/* ---- down ---- */

static void ws_edge_want(WsEdge *edge) {
        edge->wants_pending = true;
        edge->retry_ms = clock_mono_us() / 1000 + WS_EDGE_RETRY_MS;
        ws_edge_unrest(edge);
}

/* More waits than was sent: it follows once the device has proven that it has that. */
static void ws_edge_go_on(WsEdge *edge) {
        if (!edge->has_more || edge->n_noted < edge->n_forgotten + edge->n_sent)
                return;
        edge->has_more = false;
        ws_edge_want(edge);
}

static bool ws_edge_has_sent(const WsEdge *edge, Text command_id) {
        for (size_t i = 0; i < edge->n_sent; ++i)
                if (text_equal(text_of(edge->sent[i].command_id), command_id))
                        return true;
        return false;
}

/* What has expired will not be asked to be sent again. */
static void ws_edge_forget(WsEdge *edge, int64_t now_us) {
        size_t n = 0;

        while (n < edge->n_sent && edge->n_forgotten + n < edge->n_noted &&
               (edge->sent[n].expires_us <= now_us || edge->n_sent - n >= WS_EDGE_MAX_SENT))
                ++n;
        if (n == 0)
                return;
        memmove(edge->sent, edge->sent + n, (edge->n_sent - n) * sizeof(*edge->sent));
        edge->n_sent -= n;
        edge->n_forgotten += n;
}

static int ws_edge_note(WsEdge *edge, const Event *event) {
        ws_edge_forget(edge, clock_now_us());
        if (!VEC_HAS_ROOM(edge->sent, edge->n_sent, edge->capacity, 4))
                return err_new(-ENOMEM);
        edge->sent[edge->n_sent] = (WsEdgeSent){ .expires_us = event->time_us };
        snprintf(edge->sent[edge->n_sent].command_id,
                 QUERY_COMMAND_ID_SIZE,
                 "%.*s",
                 (int)event->command_id.n,
                 event->command_id.data);
        ++edge->n_sent;
        return 0;
}

static int ws_edge_send(WsEdge *edge, const Event *event) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        char mark[32];
        int r;

        if (event->time_us <= clock_now_us() || event->command_id.n >= QUERY_COMMAND_ID_SIZE ||
            ws_edge_has_sent(edge, event->command_id))
                return 0;
        if (edge->n_sent >= WS_EDGE_MAX_SENT) { /* none of which it has proven: let it come again */
                edge->has_more = true;
                return 0;
        }
        r = ws_edge_note(edge, event);
        if (r < 0)
                return err_up(r);
        snprintf(mark, sizeof(mark), WS_EDGE_MARK "%" PRIu64, edge->n_forgotten + edge->n_sent);
        r = ws_frame_new_marked(&frame, event->data, text_of(mark));
        if (r == 0)
                r = ws_client_offer(edge->client, frame);
        return err_up(r);
}

static WsEdge *ws_edge_find(const WsLoop *loop, int64_t device_id) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_EDGE, device_id);

        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);

                if (client->edge && client->close_code == 0)
                        return client->edge;
        }
        return NULL;
}

int ws_edge_command(WsLoop *loop, Event *event) {
        WsEdge *edge = ws_edge_find(loop, event->device_id);
        int r;

        r = edge ? ws_edge_send(edge, event) : ws_uplink_command(loop, event);
        return err_up(r);
}

/* ---- what the device has ---- */

static int ws_edge_say_delivered(const WsEdge *edge, const WsEdgeSent *sent) {
        char payload[128];
        int r;

        snprintf(payload,
                 sizeof(payload),
                 "{\"command_id\":\"%s\",\"state\":\"delivered\"}",
                 sent->command_id);
        r = ws_edge_journal(edge, KIND_COMMAND_STATE, text_of(payload));
        return r < 0 ? err_up(r) : r;
}

static int ws_edge_note_delivered(WsEdge *edge) {
        int r = 0;

        while (r == 0 && edge->n_noted < edge->n_proven) {
                r = ws_edge_say_delivered(edge, &edge->sent[edge->n_noted - edge->n_forgotten]);
                if (r != 0)
                        break;
                ++edge->n_noted;
                metric_add(METRIC_COMMANDS_DELIVERED, 1);
        }
        if (r == INBOUND_E_FULL) {
                ws_edge_unrest(edge);
                return 0;
        }
        if (r == 0)
                ws_edge_go_on(edge);
        return err_up(r);
}

int ws_edge_pong(WsClient *client, Text payload) {
        WsEdge *edge = client->edge;
        const size_t n_mark = sizeof(WS_EDGE_MARK) - 1;
        uint64_t n = 0;
        int r;

        if (payload.n <= n_mark || payload.n > n_mark + 18 ||
            memcmp(payload.data, WS_EDGE_MARK, n_mark) != 0)
                return 0;
        if (!text_to_number((Text){ payload.data + n_mark, payload.n - n_mark }, UINT64_MAX, &n))
                return 0;
        if (n > edge->n_forgotten + edge->n_sent || n <= edge->n_proven)
                return 0;
        edge->n_proven = n;
        r = ws_edge_note_delivered(edge);
        return err_up(r);
}

/* ---- what waited for it ---- */

/* The commands that wait: QUERY_PENDING_COMMANDS. */
static int ws_edge_take_pending(void *owner, Event *event) {
        WsEdge *edge = owner;
        int r = 0;

        if (edge->client->close_code != 0)
                return 0;
        if (!event || event->answer->status != 200) {
                ws_edge_want(edge);
                return 0;
        }
        for (size_t i = 0; r == 0 && i < event->answer->n_events; ++i)
                r = ws_edge_send(edge, event->answer->events[i]);
        edge->has_more = edge->has_more || event->answer->is_cut;
        if (r == 0)
                ws_edge_go_on(edge);
        return err_up(r);
}

static int ws_edge_ask(WsEdge *edge) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, QUERY_PENDING_COMMANDS);
        if (r < 0)
                return err_up(r);
        query->device_id = edge->device_id;
        query->party = ws_party_device(edge->device_id);
        r = ws_questions_ask(edge->client->loop->questions,
                             &edge->question,
                             &query,
                             WS_EDGE_ANSWER_MS,
                             ws_edge_take_pending);
        if (r < 0)
                return err_up(r);
        edge->wants_pending = false;
        if (r == WS_QUESTIONS_E_FULL)
                ws_edge_want(edge);
        return 0;
}

int ws_edge_open(WsClient *client) {
        WsEdge *edge = client->edge;
        const WsList *list = ws_index_find(client->loop->index, 0, WS_SCOPE_EDGE, edge->device_id);
        int r;

        for (size_t i = 0; i < ws_list_length(list); ++i)
                if (ws_list_at(list, i) != client)
                        ws_client_close(ws_list_at(list, i),
                                        WS_CLOSE_POLICY,
                                        "replaced by a newer connection",
                                        METRIC_WS_CLOSED_REPLACED);
        r = ws_edge_ask(edge);
        return err_up(r);
}

static int ws_edge_retry(WsEdge *edge, int64_t now_ms) {
        int r = 0;

        if (edge->held.n > 0) {
                edge->client->seen_ms = now_ms; /* we do not read: it cannot show that it lives */
                r = ws_edge_release(edge);
        }
        if (r == 0)
                r = ws_edge_note_delivered(edge);
        if (r == 0 && edge->wants_pending && now_ms >= edge->retry_ms)
                r = ws_edge_ask(edge);
        if (r == 0 && edge->held.n == 0 && edge->n_noted == edge->n_proven && !edge->wants_pending)
                ws_edge_rest(edge);
        return err_up(r);
}

int ws_edge_tick(WsLoop *loop) {
        int64_t now_ms = clock_mono_us() / 1000;
        WsEdge *next;
        int r = 0;

        for (WsEdge *edge = TAILQ_FIRST(&loop->restless); edge && r == 0; edge = next) {
                next = TAILQ_NEXT(edge, restless);
                r = ws_edge_retry(edge, now_ms);
        }
        return err_up(r);
}
