#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/secret.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/client_message.h"
#include "ws/dialects/misdirected.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

/* Dialect E: camera statistics. `/api/ws/statistics`. */

#define WS_E_UUID_SIZE 37

static bool ws_cameras_match(Text path, Text *ret_target) {
        (void)ret_target;
        return text_equal(path, TEXT("/api/ws/statistics"));
}

static size_t ws_cameras_n_sockets_of(const WsLoop *loop, int64_t user_id) {
        const WsList *list = ws_index_find(loop->index, 0, WS_SCOPE_PERSON, user_id);
        size_t n = 0;

        for (size_t i = 0; i < ws_list_length(list); ++i)
                n += ws_list_at(list, i)->dialect == &ws_dialect_cameras;
        return n;
}

static int ws_cameras_admit(WsClient *client, const WsIdentity *identity, Text target) {
        size_t n_max = (size_t)client->loop->options->max_connections_per_user;

        ws_admission_any(client, identity, target);
        if (client->user_id != 0 && ws_cameras_n_sockets_of(client->loop, client->user_id) >= n_max)
                return 429;
        return 0;
}

/* A version 4 UUID (RFC 9562). */
static int ws_cameras_uuid(char ret_text[WS_E_UUID_SIZE]) {
        uint8_t b[16];
        char *p = ret_text;
        int r;

        r = secret_random(b, sizeof(b));
        if (r < 0)
                return err_up(r);

        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        for (size_t i = 0; i < sizeof(b); ++i) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *p++ = '-';
                p += snprintf(p, 3, "%02x", b[i]);
        }
        return 0;
}

static int ws_cameras_open(WsClient *client) {
        const User *user = registry_user(client->loop->registry, client->user_id);
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };
        char uuid[WS_E_UUID_SIZE];
        int r;

        r = ws_cameras_uuid(uuid);
        if (r < 0)
                return err_up(r);

        client->wants_stats = client->loop->stats_wanted = true;
        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "connection_status");
        json_out_string(&out, "status", "connected");
        json_out_string(&out, "connection_id", uuid);
        json_out_object(&out, "user");
        json_out_int(&out, "id", client->user_id);
        json_out_string(&out, "username", user ? user->name : "anonymous");
        json_out_object_end(&out);
        json_out_string(&out, "message", "WebSocket connection established successfully");
        json_out_object_end(&out);
        return ws_client_say(client, buf);
}

static unsigned ws_cameras_type(Text name) {
        if (text_equal(name, TEXT("statistics_update")))
                return WS_TYPE_STATISTICS;
        if (text_equal(name, TEXT("camera_event")))
                return WS_TYPE_CAMERA_EVENT;
        return text_equal(name, TEXT("alert")) ? WS_TYPE_ALERT : 0;
}

/* The first subscription narrows from everything to what it names; the next ones add to it. */
static void ws_cameras_choose(WsClient *client, unsigned types, bool wanted) {
        if (!wanted)
                client->types &= ~types;
        else if (client->has_chosen)
                client->types |= types;
        else
                client->types = types;
        client->has_chosen = true;
}

static int ws_cameras_subscribe(WsClient *client, const WsClientMessage *command, bool wanted) {
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };
        WsClientMessageList names;
        unsigned types = 0;

        if (ws_client_message_list(command, "event_types", &names) > 0 ||
            names.n > (size_t)client->loop->options->max_subscriptions)
                return 0;

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out,
                        "type",
                        wanted ? "subscription_confirmed" : "unsubscription_confirmed");
        json_out_array(&out, "event_types");
        for (size_t i = 0; i < names.n; ++i) {
                Text name = ws_client_message_text(&names, i);

                if (!name.data)
                        continue;
                types |= ws_cameras_type(name);
                json_out_text(&out, NULL, name);
        }
        json_out_array_end(&out);
        json_out_object_end(&out);
        if (names.list)
                ws_cameras_choose(client, types, wanted);
        return ws_client_say(client, buf);
}

static int ws_cameras_ping(WsClient *client, const WsClientMessage *command) {
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "pong");
        ws_client_message_echo(&out, "timestamp", command, "timestamp");
        json_out_object_end(&out);
        return ws_client_say(client, buf);
}

static int ws_cameras_receive(WsClient *client, Text message) {
        WsClientMessage command;
        int r;

        if (client->is_binary)
                return ws_misdirected_receive(client, message);
        r = ws_client_message_parse(&command, message);
        if (r == WS_CLIENT_MESSAGE_E_INVALID)
                return 0; /* this dialect has no word for bad JSON */
        if (r < 0)
                return err_up(r);

        if (text_equal(command.type, TEXT("ping")))
                r = ws_cameras_ping(client, &command);
        else if (text_equal(command.type, TEXT("subscribe")))
                r = ws_cameras_subscribe(client, &command, true);
        else if (text_equal(command.type, TEXT("unsubscribe")))
                r = ws_cameras_subscribe(client, &command, false);
        else
                ws_misdirected_judge(client, &command);
        ws_client_message_done(&command);
        return r;
}

static bool ws_cameras_wants(const WsClient *client, const Event *event) {
        return client->types &
               (unsigned)(event->kind == KIND_ALERT ? WS_TYPE_ALERT : WS_TYPE_CAMERA_EVENT);
}

static void ws_cameras_alert(const Event *event, JsonOut *out) {
        json_out_string(out, "type", "alert");
        json_out_time(out, "timestamp", event->time_us);
        json_out_text(out,
                      "alert_type",
                      event->event_type.data ? event->event_type : event->severity);
        json_out_text(out, "message", event->message);
}

static void ws_cameras_event(const Event *event, const Device *camera, JsonOut *out) {
        json_out_string(out, "type", "camera_event");
        json_out_time(out, "timestamp", event->time_us);
        json_out_string(out, "camera_id", camera->code);
        json_out_text(out, "event_type", event->event_type);
}

static int ws_cameras_format(const WsLoop *loop, const Event *event, Buf *buf) {
        const Device *camera = registry_device(loop->registry, event->device_id);
        JsonOut out = { .buf = buf };

        if (event->kind != KIND_ALERT && !camera)
                return 0;

        json_out_object(&out, NULL);
        if (event->kind == KIND_ALERT)
                ws_cameras_alert(event, &out);
        else
                ws_cameras_event(event, camera, &out);
        json_out_raw(&out, "data", event->data.data ? event->data : TEXT("{}"));
        json_out_object_end(&out);
        return 0;
}

static void ws_cameras_format_stats(Text data, Buf *buf) {
        ws_dialect_statistics(buf, "statistics_update", data);
}

const WsDialect ws_dialect_cameras = {
        .id = WS_DIALECT_CAMERAS,
        .name = "E",
        .kinds = WS_DIALECT_KIND(KIND_CAMERA_EVENT) | WS_DIALECT_KIND(KIND_ALERT),
        .is_guarded = true,
        .hears_binary = true,
        .match = ws_cameras_match,
        .admit = ws_cameras_admit,
        .open = ws_cameras_open,
        .receive = ws_cameras_receive,
        .wants = ws_cameras_wants,
        .format = ws_cameras_format,
        .format_stats = ws_cameras_format_stats,
};
