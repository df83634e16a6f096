#include "tests/fake/stage.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
/* cmocka wants those before it. */
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "model/query.h"
#include "tests/fake/asks.h"

#define STAGE_SECRET "a secret of more than thirty-two bytes, for tests"

static void stage_free_event(void *event) {
        event_unref(event);
}

WsOptions stage_options(void) {
        return (WsOptions){
                .listen = "127.0.0.1:0",
                .epoch = "0123456789abcdef",
                .version = "0",
                .token_ttl_s = 3600,
                .max_message_bytes = 65536,
                .max_body_bytes = 65536,
                .queue_bytes = 1048576,
                .slow_ms = 30000,
                .handshake_timeout_ms = 10000,
                .ping_interval_ms = 20000,
                .silence_ms = 60000,
                .max_connections = 1000,
                .max_connections_per_user = 5,
                .messages_per_s = 50,
                .max_subscriptions = 100,
                .max_paced = 100,
                .max_set = 100,
                .max_playbacks = 2,
                .progress_ms = 600000,
                .stats_interval_ms = 3600000,
                .stats_refresh_ms = 3600000,
        };
}

static void stage_auth(Stage *stage, const char *anonymous) {
        char path[] = "/tmp/tidegate-stage-XXXXXX";
        WsAuthOptions options = {
                .algorithms = "HS256",
                .jwt_secret_file = path,
                .subject_claim = "sub",
                .anonymous = anonymous,
        };
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, STAGE_SECRET, strlen(STAGE_SECRET)), strlen(STAGE_SECRET));
        close(fd);
        assert_int_equal(ws_auth_new(&stage->auth, &options), 0);
        unlink(path);
}

void stage_init(Stage *stage, const WsOptions *options, const char *anonymous) {
        metrics_reset();
        *stage = (Stage){ .options = options ? *options : stage_options() };
        stage_auth(stage, anonymous);
        assert_int_equal(queue_new(&stage->outbox, 65536, stage_free_event), 0);
        assert_int_equal(queue_new(&stage->queries, 16, asks_free), 0);
        stage->options.ask = asks_keep;
        stage->options.ask_arg = stage->queries;
        assert_int_equal(ws_server_new(&stage->server, &stage->options, stage->auth, stage->outbox),
                         0);
        assert_int_equal(ws_server_start(stage->server), 0);
}

void stage_done(Stage *stage) {
        ws_server_free(stage->server);
        queue_free(stage->outbox);
        queue_free(stage->queries);
        ws_auth_free(stage->auth);
        assert_int_equal(metric_get(METRIC_WS_QUEUED), 0);
        assert_int_equal(metric_get(METRIC_WS_QUEUED_BYTES), 0);
        assert_int_equal(metric_get(METRIC_WS_OFFERED),
                         metric_get(METRIC_WS_SENT) + metric_get(METRIC_WS_CONFLATED) +
                                 metric_get(METRIC_WS_DROPPED));
}

void stage_push(Stage *stage, Event *event) {
        assert_int_equal(queue_push(stage->outbox, event, STAGE_MS), 0);
}

static void stage_delta(Stage *stage, RegistryDelta *delta) {
        Event *event = NULL;

        assert_int_equal(event_new_registry(&event, delta), 0);
        stage_push(stage, event);
}

static void stage_add(RegistryDelta *delta, const RegistryRow *row) {
        assert_int_equal(registry_delta_add(delta, row), 0);
}

void stage_row(Stage *stage, const RegistryRow *row) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        stage_add(delta, row);
        stage_delta(stage, delta);
}

static void stage_add_user(RegistryDelta *delta, int64_t id, const char *name, Role role, bool on) {
        stage_add(delta,
                  &(RegistryRow){
                          .table = REGISTRY_USER,
                          .user = { .id = id, .name = name, .role = role, .is_active = on },
                  });
}

static void stage_add_device(RegistryDelta *delta, int64_t id, const char *code, int64_t user_id) {
        stage_add(delta,
                  &(RegistryRow){
                          .table = REGISTRY_DEVICE,
                          .device = { .id = id,
                                      .user_id = user_id,
                                      .key = "11111111-2222-4333-8444-555555555555",
                                      .code = code,
                                      .name = "Entrance",
                                      .is_active = true },
                  });
}

static void stage_add_vehicle(RegistryDelta *delta, int64_t id, const char *code, int64_t user_id) {
        stage_add(delta,
                  &(RegistryRow){
                          .table = REGISTRY_VEHICLE,
                          .vehicle = { .id = id,
                                       .user_id = user_id,
                                       .code = code,
                                       .name = code,
                                       .is_active = true },
                  });
}

void stage_world(Stage *stage) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        Event *position = NULL;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        stage_add_user(delta, 1, "root", ROLE_ADMIN, true);
        stage_add_user(delta, 2, "ana", ROLE_USER, true);
        stage_add_user(delta, 3, "bob", ROLE_USER, true);
        stage_add_user(delta, 4, "eve", ROLE_USER, false);
        stage_add_device(delta, 1, "dev-1", 2);
        stage_add_device(delta, 2, "dev-2", 3);
        stage_add_vehicle(delta, 1, "veh-1", 2);
        stage_add_vehicle(delta, 2, "veh-2", 3);
        stage_add(delta,
                  &(RegistryRow){
                          .table = REGISTRY_GROUP,
                          .group = { .id = 1, .name = "Floor 1" },
                  });
        stage_add(delta,
                  &(RegistryRow){
                          .table = REGISTRY_DEVICE_GROUP,
                          .device_group = { .device_id = 1, .group_id = 1 },
                  });
        stage_delta(stage, delta);
        assert_int_equal(event_new_gap(&position, stage->seq, 0), 0);
        stage_push(stage, position);
}

void stage_place(Stage *stage, int64_t vehicle_id, double latitude, double longitude) {
        char data[64];
        Record record = {
                .seq = ++stage->seq,
                .received_us = clock_now_us(),
                .time_us = clock_now_us(),
                .kind = KIND_VEHICLE_LOG,
                .vehicle_id = vehicle_id,
                .vehicle_log = { .latitude = latitude, .longitude = longitude },
        };
        Event *event = NULL;

        snprintf(data, sizeof(data), "{\"n\":%d}", (int)(stage->seq % 1000000));
        record.data = text_of(data);
        assert_int_equal(event_new_message(&event, &record, NULL, true), 0);
        stage_push(stage, event);
}

void stage_message(Stage *stage,
                   Kind kind,
                   int64_t vehicle_id,
                   int64_t device_id,
                   const char *data) {
        Record record = {
                .seq = ++stage->seq,
                .received_us = clock_now_us(),
                .time_us = INT64_C(1760805000123000), /* 2025-10-18T16:30:00.123Z */
                .kind = kind,
                .vehicle_id = vehicle_id,
                .device_id = device_id,
                .data = text_of(data),
        };
        DeviceState state = { .status = "online",
                              .last_seen_us = record.time_us,
                              .time_us = record.time_us,
                              .status_us = record.time_us,
                              .temperature = 25.1,
                              .humidity = 60.2,
                              .latitude = 10.7,
                              .longitude = 106.6 };
        Event *event = NULL;

        if (kind == KIND_SENSOR_LOG)
                record.sensor.sensor_id = 5;
        if (kind == KIND_BLE_DETECTIONS)
                record.detections.n_items = (size_t)strtoul(data, NULL, 10);
        if (kind == KIND_CAMERA_EVENT)
                record.camera.event_type = TEXT("face_detected");
        if (kind == KIND_ALERT)
                record.alert = (AlertRecord){
                        .severity = TEXT("warning"),
                        .message = TEXT("Motion detected on Camera 1"),
                        .extra = text_of(data),
                };
        assert_int_equal(event_new_message(&event, &record, &state, true), 0);
        stage_push(stage, event);
}

size_t stage_answer(Stage *stage, const char *body, int64_t *ret_ids, size_t n_ids) {
        CLEANUP(query_free) Query *query = NULL;
        Answer *answer = NULL;
        Event *event = NULL;
        void *item = NULL;

        assert_int_equal(queue_pop(stage->queries, &item, 1, STAGE_MS), 1);
        query = item;
        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = 200;
        for (size_t i = 0; i < answer->n_bodies; ++i) {
                buf_append_string(&answer->bodies[i], body);
                if (i < n_ids)
                        ret_ids[i] = query->user_ids[i];
        }
        n_ids = answer->n_bodies;
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        stage_push(stage, event);
        return n_ids;
}

void stage_wait_connections(int64_t n) {
        int64_t until = clock_mono_us() + STAGE_MS * INT64_C(1000);

        while (metric_get(METRIC_WS_CONNECTIONS_D) != n && clock_mono_us() < until)
                sched_yield();
        assert_int_equal(metric_get(METRIC_WS_CONNECTIONS_D), n);
}

void viewer_send_bytes(Viewer *viewer, const void *data, size_t n) {
        assert_int_equal(send(viewer->fd, data, n, MSG_NOSIGNAL), n);
}

/* False: the connection is at its end. Silence longer than STAGE_MS ends the test. */
static bool viewer_receive(Viewer *viewer) {
        struct pollfd fd = { .fd = viewer->fd, .events = POLLIN };
        ssize_t n;

        if (viewer->capacity - viewer->n_in < 65536) {
                viewer->capacity = viewer->capacity * 2 + 65536;
                viewer->in = realloc(viewer->in, viewer->capacity);
                assert_non_null(viewer->in);
        }
        assert_int_equal(poll(&fd, 1, STAGE_MS), 1);
        n = recv(viewer->fd, viewer->in + viewer->n_in, viewer->capacity - viewer->n_in, 0);
        if (n <= 0)
                return false;
        viewer->n_in += (size_t)n;
        return true;
}

static void viewer_consume(Viewer *viewer, size_t n) {
        memmove(viewer->in, viewer->in + n, viewer->n_in - n);
        viewer->n_in -= n;
}

static void viewer_connect(Viewer *viewer, const Stage *stage) {
        struct sockaddr_in to = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)ws_server_port(stage->server)),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };

        *viewer = (Viewer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
        assert_true(viewer->fd >= 0);
        assert_int_equal(connect(viewer->fd, (struct sockaddr *)(void *)&to, sizeof(to)), 0);
}

int viewer_read_head(Viewer *viewer) {
        const uint8_t *start = NULL, *end = NULL;
        size_t n;

        while (!end) { /* what is left of the body before is passed over */
                if (!start && viewer->n_in > 0)
                        start = memmem(viewer->in, viewer->n_in, "HTTP/1.1 ", 9);
                if (start)
                        end = memmem(start,
                                     viewer->n_in - (size_t)(start - viewer->in),
                                     "\r\n\r\n",
                                     4);
                if (!end && !viewer_receive(viewer))
                        return viewer->status = 0;
                if (!end)
                        start = NULL;
        }

        n = (size_t)(end - start) + 4;
        assert_true(n < sizeof(viewer->head));
        memcpy(viewer->head, start, n);
        viewer_consume(viewer, (size_t)(start - viewer->in) + n);
        viewer->status = atoi(viewer->head + strlen("HTTP/1.1 "));
        return viewer->status;
}

int viewer_open_with(Viewer *viewer, const Stage *stage, const char *request) {
        viewer_connect(viewer, stage);
        viewer_send_bytes(viewer, request, strlen(request));
        return viewer_read_head(viewer);
}

int viewer_open(Viewer *viewer, const Stage *stage, const char *path, const char *user) {
        char *jwt = NULL;
        char request[4096];

        if (user)
                assert_int_equal(ws_auth_mint(stage->auth,
                                              &(WsSubject){ .name = user },
                                              clock_now_us(),
                                              3600,
                                              &jwt),
                                 0);
        snprintf(request,
                 sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                 "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s\r\n",
                 path,
                 jwt ? "Authorization: Bearer " : "",
                 jwt ? jwt : "",
                 jwt ? "\r\n" : "");
        free(jwt);
        return viewer_open_with(viewer, stage, request);
}

void viewer_open_native(Viewer *viewer, const Stage *stage, const char *user, char ret_cursor[64]) {
        char request[4096], *jwt = NULL;
        const char *cursor;

        assert_int_equal(ws_auth_mint(stage->auth,
                                      &(WsSubject){ .name = user },
                                      clock_now_us(),
                                      3600,
                                      &jwt),
                         0);
        snprintf(request,
                 sizeof(request),
                 "GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Protocol: tidegate.v1\r\nAuthorization: Bearer %s\r\n\r\n",
                 jwt);
        free(jwt);
        assert_int_equal(viewer_open_with(viewer, stage, request), 101);
        viewer_expect(viewer, "\"type\":\"welcome\"");
        cursor = strstr(viewer->text, "\"cursor\":\"");
        assert_non_null(cursor);
        assert_int_equal(sscanf(cursor, "\"cursor\":\"%63[^\"]", ret_cursor), 1);
}

void viewer_done(Viewer *viewer) {
        if (viewer->fd > 0)
                close(viewer->fd);
        free(viewer->in);
        free(viewer->text);
        *viewer = (Viewer){ 0 };
}

void viewer_send_frame(Viewer *viewer, int first, const void *data, size_t n) {
        const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
        uint8_t *frame = malloc(n + 14);
        size_t at = 0;

        assert_non_null(frame);
        frame[at++] = (uint8_t)first;
        if (n < 126) {
                frame[at++] = (uint8_t)(0x80 | n);
        } else {
                frame[at++] = 0x80 | (n < 65536 ? 126 : 127);
                for (int shift = n < 65536 ? 8 : 56; shift >= 0; shift -= 8)
                        frame[at++] = (uint8_t)((uint64_t)n >> shift);
        }
        memcpy(frame + at, mask, 4);
        at += 4;
        for (size_t i = 0; i < n; ++i)
                frame[at + i] = ((const uint8_t *)data)[i] ^ mask[i & 3];
        viewer_send_bytes(viewer, frame, at + n);
        free(frame);
}

void viewer_send(Viewer *viewer, const char *text) {
        viewer_send_frame(viewer, 0x81, text, strlen(text));
}

/* Takes one frame off; returns its first byte, or -1 at the end. Its payload is appended. */
static int viewer_frame(Viewer *viewer, uint8_t control[126], size_t *ret_n) {
        size_t header = 2, n;
        int first;

        for (;;) {
                if (viewer->n_in >= 2) {
                        n = viewer->in[1];
                        header = n == 126 ? 4 : n == 127 ? 10 : 2;
                }
                if (viewer->n_in >= header && viewer->n_in >= 2) {
                        if (header == 4)
                                n = (size_t)viewer->in[2] << 8 | viewer->in[3];
                        assert_true(header != 10); /* large ones come in fragments */
                        if (viewer->n_in >= header + n)
                                break;
                }
                if (!viewer_receive(viewer))
                        return -1;
        }

        first = viewer->in[0];
        assert_false(viewer->in[1] & 0x80);
        if (first & 0x08) {
                memcpy(control, viewer->in + header, n);
        } else {
                viewer->text = realloc(viewer->text, viewer->n_text + n + 1);
                assert_non_null(viewer->text);
                memcpy(viewer->text + viewer->n_text, viewer->in + header, n);
                viewer->n_text += n;
                viewer->text[viewer->n_text] = '\0';
        }
        viewer_consume(viewer, header + n);
        *ret_n = n;
        return first;
}

const char *viewer_read(Viewer *viewer) {
        uint8_t control[126];
        size_t n = 0;

        viewer->n_text = 0;
        for (;;) {
                int first = viewer_frame(viewer, control, &n);

                switch (first & 0x0f) {
                case 0x9:
                        ++viewer->n_pings;
                        viewer_send_frame(viewer, 0x8a, control, n);
                        break;
                case 0xa:
                        return "<pong>";
                case 0x0:
                case 0x1:
                        viewer->n_fragments += !(first & 0x80);
                        if (first & 0x80)
                                return viewer->text;
                        break;
                default:
                        if (first > 0 && n >= 2)
                                viewer->close_code = control[0] << 8 | control[1];
                        return NULL;
                }
        }
}

void viewer_expect(Viewer *viewer, const char *text) {
        const char *message = viewer_read(viewer);

        assert_non_null(message);
        if (!strstr(message, text))
                fail_msg("expected %s in %s", text, message);
}

void viewer_expect_silence(Viewer *viewer) {
        viewer_send_frame(viewer, 0x89, "?", 1);
        assert_string_equal(viewer_read(viewer), "<pong>");
}

int viewer_read_close(Viewer *viewer) {
        while (viewer_read(viewer))
                continue;
        return viewer->close_code;
}
