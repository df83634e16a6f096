#include "tests/fuzz/world.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/secret.h"
#include "base/stream.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_check.h"
#include "model/event.h"
#include "model/metrics.h"
#include "tests/fake/asks.h"
#include "tests/fuzz/fuzz.h"
#include "ws/device/edge.h"
#include "ws/net/listener.h"
#include "ws/viewer/client.h"

#define EPOCH     "0123456789abcdef"
#define SECRET    "0123456789abcdef0123456789abcdef"
#define TOKEN     "tgd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define THEIRS    "a-token-of-another-system" /* of dev-4 */
#define LONG      "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" /* 72 */
#define N_QUERIES 16
#define NOW_US    INT64_C(1790000000000000)
#define MONO_US   INT64_C(1000000000)
#define TTL_S     864000

static int64_t passed_us; /* since the world began */

static struct {
        WsAuth *auth, *unsigned_auth; /* the second has no secret to sign with */
        char *ana, *root, *bob, *eve, *zoe, *late;
        RegistryDelta *people;
} shared;

/* ---- time (in place of that of base/clock.c, see meson.build) ---- */

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_now_us(void);

int64_t __wrap_clock_mono_us(void) {
        return MONO_US + passed_us;
}

int64_t __wrap_clock_now_us(void) {
        return NOW_US + passed_us;
}

void world_pass(int64_t n_us) {
        passed_us += n_us;
}

/* ---- who is there ---- */

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

static void add_device(int64_t id, const char *code, int64_t user_id, bool is_active) {
        RegistryRow row = { .table = REGISTRY_DEVICE,
                            .device = { .id = id,
                                        .user_id = user_id,
                                        .key = "11111111-2222-4333-8444-555555555555",
                                        .code = code,
                                        .is_active = is_active,
                                        .has_token = id == 1 } };

        FUZZ_CHECK(secret_token_hash(TEXT(SECRET), TEXT(TOKEN), row.device.token_hash) == 0);
        add(row);
}

/* Of whose token there is a bcrypt, which the database looks at. */
static void add_device_that_moved_in(int64_t id, const char *code, int64_t user_id) {
        RegistryRow row = { .table = REGISTRY_DEVICE,
                            .device = { .id = id,
                                        .user_id = user_id,
                                        .key = "11111111-2222-4333-8444-555555555556",
                                        .code = code,
                                        .is_active = true,
                                        .has_token = true,
                                        .token_form = TOKEN_BCRYPT } };

        FUZZ_CHECK(secret_sha256(TEXT("$2b$12$"), row.device.token_hash) == 0);
        add(row);
}

static void add_vehicle(int64_t id, const char *code, int64_t user_id) {
        add((RegistryRow){
                .table = REGISTRY_VEHICLE,
                .vehicle = { .id = id, .user_id = user_id, .code = code, .is_active = true } });
}

static void add_rights(void) {
        add((RegistryRow){ .table = REGISTRY_GROUP, .group = { .id = 1, .name = "Floor" } });
        add((RegistryRow){ .table = REGISTRY_DEVICE_GROUP,
                           .device_group = { .device_id = 1, .group_id = 1 } });
        add((RegistryRow){ .table = REGISTRY_SHARE,
                           .share = { .id = 1, .user_id = 4, .device_id = 1 } });
}

static void mint(const char *name, int ttl_s, char **ret_token) {
        FUZZ_CHECK(
                ws_auth_mint(shared.auth, &(WsSubject){ .name = name }, NOW_US, ttl_s, ret_token) ==
                0);
}

static void make_auths(void) {
        char secret[] = "/tmp/tidegate-fuzz-entrance-XXXXXX", pepper[sizeof(secret)];
        WsAuthOptions options = { .algorithms = "HS256",
                                  .jwt_secret_file = secret,
                                  .token_pepper_file = pepper,
                                  .subject_claim = "sub",
                                  .anonymous = "/api/ws,/api/statistics,/api/v1/statistics/*",
                                  .query_token = true };

        memcpy(pepper, secret, sizeof(pepper));
        write_secret(secret, SECRET);
        write_secret(pepper, SECRET);
        FUZZ_CHECK(ws_auth_new(&shared.auth, &options) == 0);
        options.jwt_secret_file = NULL;
        FUZZ_CHECK(ws_auth_new(&shared.unsigned_auth, &options) == 0);
        unlink(secret);
        unlink(pepper);
}

static void shared_init(void) {
        log_set_level((LogLevel)-1);
        make_auths();
        mint("ana", TTL_S, &shared.ana);
        mint("root", TTL_S, &shared.root);
        mint("bob", TTL_S, &shared.bob);
        mint("eve", TTL_S, &shared.eve);
        mint("zoe", TTL_S, &shared.zoe); /* there is none */
        mint("ana", 3, &shared.late);
        FUZZ_CHECK(registry_delta_new(&shared.people, true) == 0);
        add_user(1, "root", ROLE_ADMIN);
        add_user(2, "ana", ROLE_USER);
        add_user(3, "bob", ROLE_VIEWER);
        add_user(4, "eve", ROLE_USER);
        add_device(1, "dev-1", 2, true);
        add_device(2, "dev-2", 3, true);
        add_device(3, "dev-3", 2, false);
        add_device_that_moved_in(4, "dev-4", 2);
        add_vehicle(1, "veh-1", 2);
        add_vehicle(2, "veh-2", 3);
        add_rights();
}

const char *world_credential(World *world, char name, char ticket[WS_TICKET_SIZE]) {
        WsHolder holder = { .user_id = 2, .expires_us = INT64_MAX };

        switch (name) {
        case 'a':
                return shared.ana;
        case 'r':
                return shared.root;
        case 'b':
                return shared.bob;
        case 'e':
                return shared.eve;
        case 'z':
                return shared.zoe;
        case 'l':
                return shared.late;
        case 'd':
                return TOKEN;
        case 'w':
                return THEIRS;
        case 'x':
                return LONG;
        case 'o':
                holder.expires_us = 1;
                break;
        case 'g':
                holder.generation = 7;
                break;
        case 't':
                break;
        default:
                return NULL;
        }
        return ws_tickets_issue(world->tickets, &holder, clock_now_us(), ticket) == 0 ? ticket
                                                                                      : NULL;
}

/* ---- what there is ---- */

/* A journal that is full now and then. */
static int take_inbound(void *arg, const Inbound *inbound) {
        const World *world = arg;

        FUZZ_CHECK((inbound->device_id == 1 || inbound->device_id == 4) && inbound->topic.n > 0);
        return inbound->payload.n % 8 == 7 && world->flags & WORLD_SLOW ? INBOUND_E_FULL : 0;
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
                            .max_paced = 5,
                            .deflate = true,
                            .deflate_min_bytes = 64,
                            .stats_interval_ms = 1000,
                            .replay_events = 100,
                            .replay_bytes = 65536,
                            .command_timeout_ms = 1000,
                            .answer_timeout_ms = 5000,
                            .command_max_timeout_ms = 60000,
                            .command_max_pending = 10,
                            .inbound = take_inbound,
                            .inbound_arg = world,
                            .check_json = json_check,
                            .clean_json = decode_clean,
                            .count_detections = decode_count_detections,
                            .detections_max_bytes = 2048 };
}

/* As much as makes each limit reached. */
static void make_narrow(WsOptions *options) {
        options->max_connections = options->max_connections_per_user = 1;
        options->max_subscriptions = 1;
        options->messages_per_s = 1;
        options->login_failures_per_min = 1;
        options->connects_per_s = 1;
        options->queue_bytes = 4096;
        options->max_message_bytes = 256;
        options->stats_interval_ms = 0;
        options->allowed_origins = NULL;
        options->deflate = false;
}

static void publish(World *world, Event *event) {
        FUZZ_CHECK(ws_hub_publish(world->hub, event) == 0);
        event_unref(event);
}

static void make_options(World *world) {
        WsOptions options = options_of(world);

        if (world->scene == SCENE_NARROW)
                make_narrow(&options);
        if (world->scene == SCENE_OWN) {
                options.max_connections_per_user = options.share = 1;
                options.bodies_bytes = 10000;
        }
        FUZZ_CHECK(ws_options_copy(&world->options, &options) == 0);
}

static void make_access(World *world) {
        bool is_narrow = world->scene == SCENE_NARROW;

        FUZZ_CHECK(registry_new(&world->registry) == 0);
        FUZZ_CHECK(ws_tickets_new(&world->tickets, is_narrow ? 1 : 16, 16) == 0);
        FUZZ_CHECK(ws_limiter_new(&world->failures, 16) == 0);
        world->access = (WsAccess){ .auth = world->scene == SCENE_UNSIGNED ? shared.unsigned_auth
                                                                           : shared.auth,
                                    .registry = world->registry,
                                    .tickets = world->tickets,
                                    .failures = world->failures,
                                    .failures_per_min = is_narrow ? 1 : 10 };
}

static void make_hub(World *world) {
        FUZZ_CHECK(queue_new(&world->queries, N_QUERIES, asks_free) == 0);
        FUZZ_CHECK(ws_hub_new(&world->hub, world->registry) == 0);
        world->hub->loop.options = &world->options;
        FUZZ_CHECK(ws_numbers_open(&world->hub->loop.numbers, world->options.epoch) == 0);
        world->hub->questions.ask = asks_keep;
        world->hub->questions.ask_arg = world->queries;
        world->hub->loop.access = &world->access;
        FUZZ_CHECK(ws_statistics_new(&world->stats, &world->hub->loop) == 0);
        FUZZ_CHECK(ws_gate_new(&world->gate, &world->hub->loop, &world->access) == 0);
        FUZZ_CHECK(ws_http_new(&world->http, &world->options, &world->access, world->gate) == 0);
}

static void make_peers(World *world) {
        for (size_t i = 0; i < WORLD_PEERS; ++i) {
                Peer *peer = &world->peers[i];

                peer->conn = (WsConn){
                        .source = "127.0.0.1",
                        .is_slow = world->flags & WORLD_SLOW || world->scene == SCENE_STUCK,
                        .is_tls = world->scene == SCENE_TLS,
                        .door = world->scene == SCENE_HEALTH ? WS_ENTRANCE_HEALTH : WS_ENTRANCE_ALL
                };
                ws_http_opened(world->http, &peer->session, &peer->conn);
                peer->conn.user = &peer->session;
        }
}

static void fill_queries(World *world) {
        for (size_t i = 0; i < N_QUERIES; ++i) {
                Query *query = NULL;

                FUZZ_CHECK(query_new(&query, QUERY_LOGIN) == 0);
                FUZZ_CHECK(queue_push(world->queries, query, 0) == 0);
        }
}

void world_init(World *world, unsigned flags, WorldScene scene, int status) {
        Event *event = NULL;

        if (!shared.auth)
                shared_init();
        passed_us = 0;
        metrics_reset();
        *world = (World){ .flags = flags, .scene = scene, .status = status };
        make_options(world);
        make_access(world);
        make_hub(world);
        make_peers(world);
        if (scene != SCENE_STARTING) {
                FUZZ_CHECK(event_new_registry(&event, shared.people) == 0);
                publish(world, event);
                FUZZ_CHECK(event_new_gap(&event, world->seq, 0) == 0);
                publish(world, event);
        }
        if (scene == SCENE_STANDBY)
                metric_set(METRIC_LEASE_WAITING, 1);
        if (scene == SCENE_DRAINING)
                ws_gate_shut(world->gate);
        if (scene == SCENE_FULL)
                fill_queries(world);
}

void world_done(World *world) {
        for (size_t i = 0; i < WORLD_PEERS; ++i)
                query_free(world->asked[i]);
        ws_http_free(world->http);
        ws_gate_free(world->gate);
        ws_statistics_free(world->stats);
        ws_hub_free(world->hub);
        ws_tickets_free(world->tickets);
        ws_limiter_free(world->failures);
        queue_free(world->queries);
        registry_free(world->registry);
        ws_options_done(&world->options);
        for (size_t i = 0; i < WORLD_PEERS; ++i) {
                buf_done(&world->peers[i].conn.out);
                buf_done(&world->peers[i].in);
        }
}

/* ---- the database ---- */

/* Commands that wait for a device; messages that a viewer has missed. */
static void fill_events(const Query *query, Answer *answer) {
        const DeviceState state = device_state_unknown();
        const Record record = { .seq = query->kind == QUERY_REPLAY ? query->replay->after_seq + 1
                                                                   : 1,
                                .received_us = NOW_US,
                                .time_us = NOW_US,
                                .kind = KIND_VEHICLE_LOG,
                                .vehicle_id = 1,
                                .vehicle_log = { .latitude = 1, .longitude = 2 },
                                .data = TEXT("{\"a\":1}") };
        Event *event = NULL;

        if (query->kind == QUERY_PENDING_COMMANDS)
                FUZZ_CHECK(event_new_command(&event,
                                             query->device_id,
                                             INT64_MAX,
                                             TEXT("cmd_0"),
                                             TEXT("{\"action\":\"b\"}")) == 0);
        else if (query->replay->upto_seq > query->replay->after_seq)
                FUZZ_CHECK(event_new_message(&event, &record, &state, true) == 0);
        answer->events = calloc(1, sizeof(Event *));
        FUZZ_CHECK(answer->events);
        answer->events[0] = event;
        answer->n_events = event ? 1 : 0;
}

static int usual_status(const World *world, QueryKind kind) {
        if (kind == QUERY_COMMAND)
                return world->flags & WORLD_REFUSED ? 429 : 202;
        return world->flags & WORLD_REFUSED ? 503 : 200;
}

static void fill(World *world, const Query *query, Answer *answer) {
        answer->status = world->status > 0 ? world->status : usual_status(world, query->kind);
        if (query->kind == QUERY_LOGIN)
                answer->user_id = 2;
        if (query->kind == QUERY_DEVICE_TOKEN && query->password) {
                FUZZ_CHECK(query->device_id == 4 && strlen(query->password) < SECRET_BCRYPT_BYTES);
                if (strcmp(query->password, THEIRS) != 0 && answer->status == 200)
                        answer->status = 401;
        }
        if (query->kind == QUERY_COMMAND || query->kind == QUERY_COMMAND_CANCEL) {
                FUZZ_CHECK(query->kind != QUERY_COMMAND || (query->action && query->action[0]));
                FUZZ_CHECK(!query->payload || json_check(text_of(query->payload)) == REASON_NONE);
                snprintf(answer->command_id, sizeof(answer->command_id), "cmd_1");
                snprintf(answer->state,
                         sizeof(answer->state),
                         "%s",
                         world->flags & WORLD_EVENTS ? "delivered" : "pending");
                answer->is_own = world->scene == SCENE_OWN;
        }
        if (query->kind == QUERY_HISTORY) {
                FUZZ_CHECK(query->history->limit >= 0);
                buf_append_string(&answer->chunk, "{}");
        }
        if (query->kind == QUERY_REPLAY)
                answer->upto_seq = query->replay->upto_seq;
        if (answer->status == 200 &&
            (query->kind == QUERY_REPLAY || query->kind == QUERY_PENDING_COMMANDS))
                fill_events(query, answer);
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
        if (!is_last)
                answer->status = 200;
        FUZZ_CHECK(event_new_answer(&event, &answer, answer_free) == 0);
        r = ws_questions_answer(&world->hub->questions, event);
        FUZZ_CHECK(r == 0);
        event_unref(event);
}

/* A long answer comes in two pieces, in two turns. */
static bool keep_asked(World *world, Query *query) {
        if (query->kind != QUERY_HISTORY || !(world->flags & WORLD_PIECES))
                return false;
        for (size_t i = 0; i < WORLD_PEERS; ++i)
                if (!world->asked[i]) {
                        world->asked[i] = query;
                        return true;
                }
        return false;
}

static void answer_ends(World *world) {
        for (size_t i = 0; i < WORLD_PEERS; ++i) {
                Query *query = world->asked[i];

                if (!query)
                        continue;
                if (world->scene == SCENE_GAP)
                        stream_break(query->stream);
                else
                        answer_one(world, query, true);
                world->asked[i] = query_free(query);
        }
}

void world_answer(World *world) {
        bool is_late = world->flags & WORLD_TIMED &&
                       (world->scene == SCENE_ENDED || world->scene == SCENE_MOVED) &&
                       world->n_turns <= WORLD_CHANGE;
        void *query;

        answer_ends(world);
        if (world->status == WORLD_SILENT || is_late)
                return;
        while (queue_pop(world->queries, &query, 1, 0) == 1) {
                bool is_kept = keep_asked(world, query);

                answer_one(world, query, !is_kept);
                if (!is_kept)
                        query_free(query);
        }
}

/* ---- the devices ---- */

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
        Detection detection = { .rssi = -50 };

        if (kind == KIND_VEHICLE_LOG) /* there and back */
                record.vehicle_log =
                        (VehicleRecord){ .latitude = world->seq % 3 == 0 ? (double)NAN : 1,
                                         .longitude = world->seq % 2 == 0 ? 2 : 170 };
        if (kind == KIND_BLE_DETECTIONS)
                record.detections = (DetectionsRecord){ .items = &detection, .n_items = 1 };
        if (kind == KIND_DEVICE_STATUS)
                state.latitude = state.longitude = 1;
        if (kind == KIND_ALERT)
                record.alert = (AlertRecord){ .severity = TEXT("high"), .message = TEXT("m") };
        FUZZ_CHECK(event_new_message(&event, &record, &state, true) == 0);
        publish(world, event);
}

void world_show(World *world) {
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

static void change_rows(World *world) {
        const int64_t owner = world->scene == SCENE_MOVED ? 3 : 2;
        RegistryRow rows[] = {
                { .table = REGISTRY_USER,
                  .user = { .id = 2,
                            .name = "ana",
                            .role = ROLE_USER,
                            .is_active = world->scene == SCENE_MOVED } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 1,
                              .user_id = owner,
                              .key = "k",
                              .code = "dev-1",
                              .is_active = true } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 4,
                              .user_id = owner,
                              .key = "l",
                              .code = "dev-4",
                              .is_active = true,
                              .has_token = true,
                              .token_form = TOKEN_BCRYPT,
                              .token_generation = 7 } }, /* another one by now */
                { .table = REGISTRY_VEHICLE,
                  .vehicle = { .id = 1, .user_id = owner, .code = "veh-1", .is_active = true } },
        };
        RegistryDelta *delta = NULL;
        Event *event = NULL;

        FUZZ_CHECK(registry_delta_new(&delta, false) == 0);
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                FUZZ_CHECK(registry_delta_add(delta, &rows[i]) == 0);
        FUZZ_CHECK(event_new_registry(&event, delta) == 0);
        publish(world, event);
        registry_delta_unref(delta);
}

void world_change(World *world) {
        Event *event = NULL;

        if (world->scene == SCENE_ENDED || world->scene == SCENE_MOVED)
                change_rows(world);
        if (world->scene != SCENE_GAP)
                return;
        FUZZ_CHECK(event_new_gap(&event, ++world->seq, 5) == 0);
        publish(world, event);
}
