/*
 * The entrance: what a few connections may send, through HTTP, handshakes, frames, all dialects,
 * the native protocol and every endpoint, as the server puts them together, without sockets and
 * time.
 *
 * The first byte says how (WORLD_...), with WORLD_SCENE the next one a status of the database's
 * answers and a scene; the rest is what comes: `$a` and the like in it stand for credentials (see
 * world_credential()), and behind `$|` comes another connection. Whatever it is: nothing but HTTP
 * and then frames goes out, text is UTF-8 and JSON, and all places and bytes are given back.
 */

#include <string.h>

#include "base/clock.h"
#include "gateway/decode/json_check.h"
#include "model/metrics.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"
#include "ws/hub/connections.h"

#define N_TURNS 64

/* ---- what comes in ---- */

/* Up to the next connection's. */
static size_t expand(World *world, const char *data, size_t n, Buf *out) {
        for (size_t i = 0; i < n; ++i) {
                char ticket[WS_TICKET_SIZE];
                const char *value = NULL;

                if (data[i] == '$' && i + 1 < n && data[i + 1] == '|')
                        return i + 2;
                if (data[i] == '$' && i + 1 < n && out->n < WORLD_MAX_INPUT)
                        value = world_credential(world, data[i + 1], ticket);
                if (value)
                        buf_append_string(out, value);
                else
                        buf_append_char(out, data[i]);
                i += value ? 1 : 0;
        }
        return n;
}

static void append_message(Buf *out, const char *data, size_t n) {
        static const char mask[4] = { 1, 2, 3, 4 };

        buf_append_char(out, (char)0x81);
        if (n < 126) {
                buf_append_char(out, (char)(0x80 | n));
        } else {
                buf_append_char(out, (char)(0x80 | 126));
                buf_append_char(out, (char)(n >> 8));
                buf_append_char(out, (char)n);
        }
        buf_append(out, mask, sizeof(mask));
        for (size_t i = 0; i < n; ++i)
                buf_append_char(out, (char)(data[i] ^ mask[i % 4]));
}

/* Behind the first empty line. */
static void frame_lines(Buf *in) {
        CLEANUP_BUF Buf out = { 0 };
        const char *end = memmem(in->data, in->n, "\r\n\r\n", 4);
        const char *at = end ? end + 4 : in->data + in->n;
        Buf before = *in;

        buf_append(&out, in->data, (size_t)(at - in->data));
        while (at < in->data + in->n) {
                size_t n_rest = (size_t)(in->data + in->n - at);
                const char *line = memchr(at, '\n', n_rest);
                size_t n = line ? (size_t)(line - at) : n_rest;

                append_message(&out, at, n);
                at += n + (line ? 1 : 0);
        }
        *in = out;
        out = before;
}

/* In a buffer of its own size, so that a sanitizer sees who reads on. */
static void deliver(World *world, Peer *peer, size_t n_new) {
        size_t n = peer->n_before + n_new, used;
        char *data;

        if (n == 0 || peer->conn.is_paused || !ws_conn_is_open(&peer->conn))
                return;
        data = malloc(n);
        FUZZ_CHECK(data);
        memcpy(data, peer->in.data, n);
        used = ws_http_receive(world->http, &peer->session, data, n);
        free(data);
        FUZZ_CHECK(used <= n);
        memmove(peer->in.data, peer->in.data + used, peer->in.n - used);
        peer->in.n -= used;
        peer->n_before = n - used;
}

static void turn_peer(World *world, Peer *peer) {
        int64_t now_ms = clock_mono_us() / 1000;

        if (world->scene != SCENE_STUCK && fake_conn_drain(&peer->conn))
                ws_http_writable(world->http, &peer->session);
        if (ws_conn_is_open(&peer->conn) && peer->conn.deadline_ms != 0 &&
            peer->conn.deadline_ms <= now_ms)
                ws_http_late(NULL, &peer->conn);
}

static void turn(World *world) {
        ++world->n_turns;
        world_answer(world);
        for (size_t i = 0; i < world->n_peers; ++i)
                if (!world->peers[i].is_gone)
                        turn_peer(world, &world->peers[i]);
        ws_hub_tick(world->hub);
        ws_loop_settle(&world->hub->loop);
        FUZZ_CHECK(ws_statistics_poke(world->stats) == 0);
        if (world->flags & WORLD_TIMED)
                FUZZ_CHECK(ws_statistics_tick(world->stats) == 0);
        ws_http_tick(world->http);
        if (world->flags & WORLD_TIMED)
                world_pass(WORLD_TURN_MS * INT64_C(1000));
}

/* ---- what goes out ---- */

static void check_text(Text text) {
        if (text.n > 0)
                FUZZ_CHECK(json_check_text(text) == REASON_NONE);
}

/* JSON, also with what goes into no database but comes back in an id; or dialect A's one word. */
static void check_message(Text text) {
        check_text(text);
        if (!text_equal(text, TEXT("pong")) && !memmem(text.data, text.n, "\\u0000", 6))
                FUZZ_CHECK(json_check(text) == REASON_NONE);
}

/* The frames of a server: whole, unmasked, and their text is JSON. */
static void check_frames(const uint8_t *at, size_t n) {
        while (n > 0) {
                size_t n_head = 2, n_payload;
                unsigned opcode = at[0] & 0xf;

                FUZZ_CHECK(n >= 2 && (at[1] & 0x80) == 0 && (at[0] & 0x30) == 0);
                n_payload = at[1];
                if (n_payload >= 126)
                        n_head = n_payload == 126 ? 4 : 10;
                FUZZ_CHECK(n >= n_head);
                if (n_payload >= 126) {
                        n_payload = 0;
                        for (size_t i = 2; i < n_head; ++i)
                                n_payload = n_payload << 8 | at[i];
                }
                FUZZ_CHECK(n - n_head >= n_payload);
                FUZZ_CHECK(opcode <= 2 || (opcode >= 8 && opcode <= 10 && n_payload < 126));
                if (at[0] == 0x81)
                        check_message((Text){ (const char *)at + n_head, n_payload });
                at += n_head + n_payload;
                n -= n_head + n_payload;
        }
}

/* Answers of HTTP, and behind one that says 101 the frames. */
static void check_output(const WsConn *conn) {
        static const char socket[] = "HTTP/1.1 101 ";
        const char *end, *data = conn->out.data;
        size_t n = conn->out.n;

        if (n == 0)
                return;
        FUZZ_CHECK(n > 13 && memcmp(data, "HTTP/1.1 ", 9) == 0);
        end = memmem(data, n, "\r\n\r\n", 4);
        FUZZ_CHECK(end);
        for (const char *at = data; at < end; ++at)
                FUZZ_CHECK((unsigned char)*at >= ' ' || *at == '\r' || *at == '\n');
        if (memcmp(data, socket, strlen(socket)) == 0)
                check_frames((const uint8_t *)end + 4, n - (size_t)(end + 4 - data));
}

/* Nothing is left behind. */
static void check_books(const World *world) {
        ws_connections_audit(&world->hub->loop);
        FUZZ_CHECK(world->hub->loop.n_clients == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_ACCOUNTING_DRIFT) == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_QUEUED) == 0 && metric_get(METRIC_WS_QUEUED_BYTES) == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_OFFERED) == metric_get(METRIC_WS_SENT) +
                                                            metric_get(METRIC_WS_CONFLATED) +
                                                            metric_get(METRIC_WS_DROPPED));
}

/* Its end has come, for whatever reason. */
static void leave(Peer *peer) {
        if (peer->is_gone)
                return;
        check_output(&peer->conn);
        ws_http_closed(&peer->session);
        peer->conn.is_closing = peer->is_gone = true;
}

/* What has come of it since the last turn; false: nothing, and nothing will. */
static bool run_peer(World *world, Peer *peer) {
        size_t step = world->flags & WORLD_PIECES ? 7 : WORLD_MAX_INPUT;
        size_t n_before = peer->n_before, n_left = peer->in.n - n_before;

        if (peer->is_gone)
                return false;
        deliver(world, peer, n_left < step ? n_left : step);
        if (!ws_conn_is_open(&peer->conn)) {
                leave(peer);
                return false;
        }
        return n_left > 0 || peer->n_before != n_before;
}

static void begin(World *world) {
        for (size_t i = 0; i < world->n_peers; ++i) {
                if (world->scene == SCENE_BARE)
                        ws_exchange_bare(NULL, &world->peers[i].conn);
                if (world->scene == SCENE_STRANGE)
                        ws_exchange_strange(NULL, &world->peers[i].conn);
        }
}

static void run(World *world) {
        begin(world);
        for (size_t i = 0; i < 8 * N_TURNS; ++i) {
                bool is_busy = false;

                for (size_t k = 0; k < world->n_peers; ++k)
                        is_busy = run_peer(world, &world->peers[k]) || is_busy;
                if (i == WORLD_CHANGE)
                        world_change(world);
                if (i % 2 == 1 && i < N_TURNS && world->flags & WORLD_EVENTS)
                        world_show(world);
                turn(world);
                if (!is_busy && i > (world->flags & WORLD_TIMED ? N_TURNS : 6))
                        break;
        }
        for (size_t i = 0; i < world->n_peers; ++i) {
                Peer *peer = &world->peers[i];

                peer->conn.has_ended = true;
                if (!peer->is_gone && ws_conn_is_open(&peer->conn))
                        ws_http_ended(NULL, &peer->conn);
        }
        turn(world);
        for (size_t i = 0; i < world->n_peers; ++i)
                leave(&world->peers[i]);
        ws_loop_settle(&world->hub->loop);
        world_answer(world);
        check_books(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static const int statuses[16] = { 0,   200, 202, 400, 401, 403, 404, 409,
                                          410, 422, 429, 500, 503, 504, 201, WORLD_SILENT };
        static World world;
        bool has_scene = n > 0 && data[0] & WORLD_SCENE;
        size_t at = has_scene ? 2 : 1;

        if (n <= at || n > WORLD_MAX_INPUT)
                return 0;
        world_init(&world,
                   data[0],
                   has_scene ? (WorldScene)(data[1] >> 4) : SCENE_PLAIN,
                   has_scene ? statuses[data[1] & 0xf] : 0);
        while (at < n && world.n_peers < WORLD_PEERS) {
                Peer *peer = &world.peers[world.n_peers++];

                at += expand(&world, (const char *)data + at, n - at, &peer->in);
                if (world.flags & WORLD_LINES)
                        frame_lines(&peer->in);
                FUZZ_CHECK(!buf_failed(&peer->in));
        }
        run(&world);
        world_done(&world);
        return 0;
}
