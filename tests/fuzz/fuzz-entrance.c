/*
 * The entrance: what one connection may send, through HTTP, handshakes, frames, all dialects, the
 * native protocol and every endpoint, as the server puts them together, without sockets and time.
 *
 * The first byte says how (FLAG_…), the rest is what comes: `$a`, `$r`, `$d` and `$t` in it stand
 * for a token of ana, of an admin, of a device, and for a ticket. With FLAG_LINES what comes behind
 * a handshake is lines, each a text message. Whatever it is: nothing but HTTP and then frames goes
 * out, text is UTF-8 and JSON, and all places and bytes are given back.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/event.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "gateway/base/queue.h"
#include "gateway/base/secret.h"
#include "gateway/decode.h"
#include "gateway/json.h"
#include "tests/fake/conn.h"
#include "tests/fuzz/fuzz.h"
#include "ws/client.h"
#include "ws/edge.h"
#include "ws/gate.h"
#include "ws/http.h"
#include "ws/hub.h"
#include "ws/limiter.h"
#include "ws/options.h"
#include "ws/session.h"
#include "ws/stats.h"

#define EPOCH     "0123456789abcdef"
#define SECRET    "0123456789abcdef0123456789abcdef"
#define TOKEN     "tgd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define MAX_INPUT 20000
#define N_TURNS   64

enum {
        FLAG_LINES = 1,   /* see above */
        FLAG_SLOW = 2,    /* the peer takes what is written a turn later */
        FLAG_PIECES = 4,  /* it comes in pieces of a few bytes */
        FLAG_EVENTS = 8,  /* messages of devices are shown meanwhile */
        FLAG_REFUSED = 16 /* the database is away */
};

typedef struct World World;

struct World {
        WsOptions options;
        WsAccess access;
        Registry *registry;
        Queue *queries;
        WsTickets *tickets;
        WsLimiter *failures;
        WsHub *hub;
        WsStats *stats;
        WsGate *gate;
        WsHttp *http;
        WsConn conn;
        WsSession session;
        unsigned flags;
        uint64_t seq;
        Buf in;          /* what is still to come, */
        size_t n_before; /* of it already known to the handler, and not used */
};

static struct {
        WsAuth *auth;
        char *ana, *root; /* tokens */
        RegistryDelta *people;
} shared;

/* ---- what there is ---- */

static void write_secret(char *path, const char *text) {
        int fd = mkstemp(path);

        FUZZ_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
}

static void add(RegistryRow row) {
        FUZZ_CHECK(registry_delta_add(shared.people, &row) == 0);
}

static void add_user(int64_t id, const char *name, Role role) {
        add((RegistryRow){ .table = REGISTRY_USER,
                           .user = { .id = id, .name = name, .role = role, .is_active = true } });
}

static void add_device(int64_t id, const char *code, int64_t user_id) {
        RegistryRow row = { .table = REGISTRY_DEVICE,
                            .device = { .id = id,
                                        .user_id = user_id,
                                        .key = "11111111-2222-4333-8444-555555555555",
                                        .code = code,
                                        .is_active = true,
                                        .has_token = id == 1 } };

        FUZZ_CHECK(secret_token_hash(TEXT(SECRET), TEXT(TOKEN), row.device.token_hash) == 0);
        add(row);
}

static void add_vehicle(int64_t id, const char *code, int64_t user_id) {
        add((RegistryRow){
                .table = REGISTRY_VEHICLE,
                .vehicle = { .id = id, .user_id = user_id, .code = code, .is_active = true } });
}

static void shared_init(void) {
        char secret[] = "/tmp/tidegate-fuzz-entrance-XXXXXX", pepper[sizeof(secret)];
        WsAuthOptions options = { .algorithms = "HS256",
                                  .jwt_secret_file = secret,
                                  .token_pepper_file = pepper,
                                  .subject_claim = "sub",
                                  .anonymous = "/api/ws,/api/statistics",
                                  .query_token = true };
        int64_t now_us = clock_now_us();

        log_set_level((LogLevel)-1);
        memcpy(pepper, secret, sizeof(pepper));
        write_secret(secret, SECRET);
        write_secret(pepper, SECRET);
        FUZZ_CHECK(ws_auth_new(&shared.auth, &options) == 0);
        unlink(secret);
        unlink(pepper);
        FUZZ_CHECK(ws_auth_mint(shared.auth,
                                &(WsSubject){ .name = "ana" },
                                now_us,
                                10 * 86400,
                                &shared.ana) == 0);
        FUZZ_CHECK(ws_auth_mint(shared.auth,
                                &(WsSubject){ .name = "root" },
                                now_us,
                                10 * 86400,
                                &shared.root) == 0);
        FUZZ_CHECK(registry_delta_new(&shared.people, true) == 0);
        add_user(1, "root", ROLE_ADMIN);
        add_user(2, "ana", ROLE_USER);
        add_user(3, "bob", ROLE_VIEWER);
        add_device(1, "dev-1", 2);
        add_device(2, "dev-2", 3);
        add_vehicle(1, "veh-1", 2);
        add_vehicle(2, "veh-2", 3);
}

static void free_query(void *query) {
        query_free(query);
}

/* A journal that is full now and then. */
static int take_inbound(void *arg, const Inbound *inbound) {
        const World *world = arg;

        FUZZ_CHECK(inbound->device_id == 1 && inbound->topic.n > 0);
        return inbound->payload.n % 8 == 7 && world->flags & FLAG_SLOW ? INBOUND_E_FULL : 0;
}

static WsOptions options_of(World *world) {
        return (WsOptions){ .listen = "127.0.0.1:0",
                            .trusted_proxies = "127.0.0.1",
                            .allowed_origins = "https://app.example",
                            .epoch = EPOCH,
                            .version = "0",
                            .welcome = "hello",
                            .token_ttl_s = 3600,
                            .max_message_bytes = 4096,
                            .max_body_bytes = 4096,
                            .queue_bytes = 65536,
                            .slow_ms = 30000,
                            .handshake_timeout_ms = 10000,
                            .ping_interval_ms = 20000,
                            .silence_ms = 60000,
                            .max_connections = 10,
                            .max_connections_per_user = 5,
                            .messages_per_s = 1000,
                            .max_subscriptions = 5,
                            .deflate = true,
                            .deflate_min_bytes = 64,
                            .stats_interval_ms = 1000,
                            .replay_events = 100,
                            .replay_bytes = 65536,
                            .command_timeout_ms = 1000,
                            .command_max_timeout_ms = 60000,
                            .command_max_pending = 10,
                            .inbound = take_inbound,
                            .inbound_arg = world,
                            .check_json = json_check,
                            .count_detections = decode_count_detections,
                            .detections_max_bytes = 4096 };
}

static void publish(World *world, Event *event) {
        FUZZ_CHECK(ws_hub_publish(world->hub, event) == 0);
        event_unref(event);
}

static void world_init(World *world, unsigned flags) {
        WsOptions options = options_of(world);
        Event *event = NULL;

        *world = (World){ .flags = flags };
        metrics_reset();
        FUZZ_CHECK(ws_options_copy(&world->options, &options) == 0);
        FUZZ_CHECK(registry_new(&world->registry) == 0);
        FUZZ_CHECK(queue_new(&world->queries, 16, free_query) == 0);
        FUZZ_CHECK(ws_tickets_new(&world->tickets, 16) == 0);
        FUZZ_CHECK(ws_limiter_new(&world->failures, 16) == 0);
        world->access = (WsAccess){ .auth = shared.auth,
                                    .registry = world->registry,
                                    .tickets = world->tickets,
                                    .failures = world->failures,
                                    .failures_per_min = 10 };
        FUZZ_CHECK(ws_hub_new(&world->hub, world->registry) == 0);
        ws_hub_set_options(world->hub, &world->options);
        world->hub->queries = world->queries;
        world->hub->access = &world->access;
        FUZZ_CHECK(ws_stats_new(&world->stats, world->hub, world->queries) == 0);
        FUZZ_CHECK(ws_gate_new(&world->gate, world->hub, &world->access) == 0);
        FUZZ_CHECK(ws_http_new(&world->http,
                               &world->options,
                               &world->access,
                               world->gate,
                               world->queries) == 0);
        world->conn = (WsConn){ .source = "127.0.0.1", .is_slow = flags & FLAG_SLOW };
        world->session = (WsSession){ .conn = &world->conn };
        world->conn.user = &world->session;

        FUZZ_CHECK(event_new_registry(&event, shared.people) == 0);
        publish(world, event);
        FUZZ_CHECK(event_new_gap(&event, world->seq, 0) == 0);
        publish(world, event);
}

static void world_done(World *world) {
        ws_http_free(world->http);
        ws_gate_free(world->gate);
        ws_stats_free(world->stats);
        ws_hub_free(world->hub);
        ws_tickets_free(world->tickets);
        ws_limiter_free(world->failures);
        queue_free(world->queries);
        registry_free(world->registry);
        ws_options_done(&world->options);
        buf_done(&world->conn.out);
        buf_done(&world->in);
}

/* ---- what comes in ---- */

static const char *value_of(World *world, char name, char ticket[WS_TICKET_SIZE]) {
        const WsHolder holder = { .user_id = 2, .expires_us = INT64_MAX };

        switch (name) {
        case 'a':
                return shared.ana;
        case 'r':
                return shared.root;
        case 'd':
                return TOKEN;
        case 't':
                if (ws_tickets_issue(world->tickets, &holder, clock_now_us(), ticket) == 0)
                        return ticket;
                return NULL;
        default:
                return NULL;
        }
}

static void expand(World *world, const char *data, size_t n, Buf *out) {
        for (size_t i = 0; i < n; ++i) {
                char ticket[WS_TICKET_SIZE];
                const char *value = NULL;

                if (data[i] == '$' && i + 1 < n && out->n < MAX_INPUT)
                        value = value_of(world, data[i + 1], ticket);
                if (value)
                        buf_append_string(out, value);
                else
                        buf_append_char(out, data[i]);
                i += value ? 1 : 0;
        }
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
static void deliver(World *world, size_t n_new) {
        size_t n = world->n_before + n_new, used;
        char *data;

        if (n == 0 || world->conn.is_paused || !ws_conn_is_open(&world->conn))
                return;
        data = malloc(n);
        FUZZ_CHECK(data);
        memcpy(data, world->in.data, n);
        used = ws_http_receive(world->http, &world->session, data, n);
        free(data);
        FUZZ_CHECK(used <= n);
        memmove(world->in.data, world->in.data + used, world->in.n - used);
        world->in.n -= used;
        world->n_before = n - used;
}

/* ---- what the others do ---- */

static void fill(World *world, const Query *query, Answer *answer) {
        answer->status = world->flags & FLAG_REFUSED ? 503 : 200;
        if (query->kind == QUERY_LOGIN)
                answer->user_id = 2;
        if (query->kind == QUERY_COMMAND) {
                FUZZ_CHECK(query->action && query->action[0]);
                FUZZ_CHECK(!query->payload || json_check(text_of(query->payload)) == REASON_NONE);
                answer->status = world->flags & FLAG_REFUSED ? 429 : 202;
                snprintf(answer->command_id, sizeof(answer->command_id), "cmd_1");
                snprintf(answer->state, sizeof(answer->state), "pending");
        }
        if (query->kind == QUERY_HISTORY) {
                FUZZ_CHECK(query->history->limit >= 0);
                buf_append_string(&answer->chunk, "{}");
        }
        if (query->kind == QUERY_REPLAY)
                answer->upto_seq = query->replay->upto_seq;
        for (size_t i = 0; i < answer->n_bodies; ++i)
                buf_append_string(&answer->bodies[i], "{\"total\":1}");
}

static void answer_one(World *world, const Query *query, bool is_last) {
        Answer *answer = NULL;
        Event *event = NULL;
        int r = 0;

        FUZZ_CHECK(answer_new(&answer, query) == 0);
        fill(world, query, answer);
        answer->is_last = is_last;
        FUZZ_CHECK(event_new_answer(&event, &answer) == 0);
        if (event->answer->ticket & WS_PENDING_TICKET)
                r = ws_pendings_answer(&world->hub->pendings, event->answer);
        else if (event->answer->kind == QUERY_REPLAY)
                r = ws_replays_answer(&world->hub->replays, event);
        else if (event->answer->kind == QUERY_PENDING_COMMANDS)
                r = ws_edge_pending(world->hub, event->answer);
        else if (event->answer->ticket == 0)
                r = ws_stats_answer(world->stats, event->answer);
        else
                ws_http_answer(world->http, event->answer);
        FUZZ_CHECK(r == 0);
        event_unref(event);
}

static void answer_all(World *world) {
        void *query;

        while (queue_pop(world->queries, &query, 1, 0) == 1) {
                const Query *asked = query;

                if (asked->kind == QUERY_HISTORY && world->flags & FLAG_PIECES)
                        answer_one(world, query, false);
                answer_one(world, query, true);
                query_free(query);
        }
}

static void show(World *world, Kind kind, int64_t vehicle_id, int64_t device_id) {
        DeviceState state = device_state_unknown();
        Event *event = NULL;
        Record record = { .seq = ++world->seq,
                          .received_us = clock_now_us(),
                          .time_us = clock_now_us(),
                          .kind = kind,
                          .vehicle_id = vehicle_id,
                          .device_id = device_id,
                          .data = TEXT("{\"a\":1}") };

        if (kind == KIND_VEHICLE_LOG)
                record.vehicle_log = (VehicleRecord){ .latitude = 1, .longitude = 2 };
        if (kind == KIND_ALERT)
                record.alert = (AlertRecord){ .severity = TEXT("high"), .message = TEXT("m") };
        FUZZ_CHECK(event_new_message(&event, &record, &state, true) == 0);
        publish(world, event);
}

static void show_all(World *world) {
        Event *event = NULL;

        show(world, KIND_DEVICE_STATUS, 0, 1);
        show(world, KIND_VEHICLE_LOG, 1, 0);
        show(world, KIND_ALERT, 0, 1);
        show(world, KIND_TELEMETRY, 0, 1);
        show(world, KIND_CAMERA_EVENT, 0, 1);
        show(world, KIND_BLE_DETECTIONS, 0, 1);
        show(world, KIND_RAW_LOG, 1, 0);
        show(world, KIND_SENSOR_LOG, 1, 0);
        show(world, KIND_DEVICE_STATUS, 0, 2);
        FUZZ_CHECK(event_new_command(&event,
                                     1,
                                     INT64_MAX,
                                     TEXT("cmd_1"),
                                     TEXT("{\"action\":\"a\"}")) == 0);
        publish(world, event);
}

static void turn(World *world) {
        answer_all(world);
        if (fake_conn_drain(&world->conn))
                ws_http_writable(world->http, &world->session);
        ws_hub_tick(world->hub);
        ws_hub_settle(world->hub);
        FUZZ_CHECK(ws_stats_poke(world->stats) == 0);
        ws_http_tick(world->http);
}

/* ---- what goes out ---- */

static void check_text(Text text) {
        if (text.n > 0)
                FUZZ_CHECK(json_check_text(text) == REASON_NONE);
}

/* The frames of a server: whole, unmasked, and their text is JSON (but for a welcome). */
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
                if (at[0] == 0x81) {
                        Text text = { (const char *)at + n_head, n_payload };

                        check_text(text);
                        FUZZ_CHECK(json_check(text) == REASON_NONE);
                }
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
        ws_hub_audit(world->hub);
        FUZZ_CHECK(world->hub->n_clients == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_ACCOUNTING_DRIFT) == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_QUEUED) == 0 && metric_get(METRIC_WS_QUEUED_BYTES) == 0);
        FUZZ_CHECK(metric_get(METRIC_WS_OFFERED) == metric_get(METRIC_WS_SENT) +
                                                            metric_get(METRIC_WS_CONFLATED) +
                                                            metric_get(METRIC_WS_DROPPED));
}

static void run(World *world) {
        size_t step = world->flags & FLAG_PIECES ? 7 : MAX_INPUT;

        for (size_t i = 0;
             !world->conn.is_closing && (i < N_TURNS || world->n_before < world->in.n);
             ++i) {
                size_t n_before = world->n_before, n_left = world->in.n - n_before;

                deliver(world, n_left < step ? n_left : step);
                if (world->n_before == n_before && n_left == 0 && i > 4)
                        break;
                if (i % 2 == 1 && world->flags & FLAG_EVENTS)
                        show_all(world);
                turn(world);
                if (i > 8 * N_TURNS || world->conn.is_ending)
                        break;
        }
        world->conn.has_ended = true;
        if (ws_conn_is_open(&world->conn))
                ws_http_ended(&world->session);
        turn(world);
        check_output(&world->conn);
        ws_http_closed(&world->session);
        ws_hub_settle(world->hub);
        answer_all(world);
        check_books(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static World world;

        if (n < 2 || n > MAX_INPUT)
                return 0;
        if (!shared.auth)
                shared_init();
        world_init(&world, data[0] & 0x1f);
        expand(&world, (const char *)data + 1, n - 1, &world.in);
        if (world.flags & FLAG_LINES)
                frame_lines(&world.in);
        FUZZ_CHECK(!buf_failed(&world.in));
        run(&world);
        world_done(&world);
        return 0;
}
