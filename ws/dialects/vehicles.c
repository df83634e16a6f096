#include "base/clock.h"
#include "base/err.h"
#include "base/ids.h"
#include "base/json_out.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/client_message.h"
#include "ws/dialects/misdirected.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

/* Dialect D: vehicles. `/api/ws`: all that the user may see; `/api/ws/vehicle/{id}`: that one. */

static bool ws_vehicles_match(Text path, Text *ret_target) {
        return text_equal(path, TEXT("/api/ws")) ||
               ws_dialect_match_level(path, TEXT("/api/ws/vehicle/"), ret_target);
}

static int ws_vehicles_admit(WsClient *client, const WsIdentity *identity, Text target) {
        const Vehicle *vehicle;

        ws_admission_any(client, identity, target);
        if (!target.data)
                return 0;

        vehicle = registry_find_vehicle_for(client->loop->registry, identity->user, target);
        if (!ws_admission_sees_vehicle(client, identity, vehicle))
                return ws_admission_unseen(client);

        client->scope = WS_SCOPE_VEHICLE;
        client->target_id = vehicle->id;
        return 0;
}

static int ws_vehicles_open(WsClient *client) {
        const char *welcome = client->loop->options->welcome;
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "connection");
        json_out_string(&out,
                        "message",
                        welcome ? welcome : "Connected to SEANO real-time data stream");
        json_out_time(&out, "timestamp", clock_now_us());
        json_out_int(&out, "connection_count", (int64_t)client->loop->n_open[WS_DIALECT_VEHICLES]);
        json_out_object_end(&out);
        return ws_client_say(client, buf);
}

static int ws_vehicles_answer(WsClient *client, const char *type, const char *message) {
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", type);
        json_out_string(&out, "message", message);
        json_out_object_end(&out);
        return ws_client_say(client, buf);
}

static int ws_vehicles_ping(WsClient *client, const WsClientMessage *command) {
        Buf *buf = &client->loop->text;
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "pong");
        ws_client_message_echo(&out, "timestamp", command, "timestamp");
        if (client->scope == WS_SCOPE_VEHICLE)
                json_out_int(&out, "vehicle_id", client->target_id);
        json_out_object_end(&out);
        return ws_client_say(client, buf);
}

static unsigned ws_vehicles_type(Text name) {
        if (text_equal(name, TEXT("raw_log")))
                return WS_TYPE_RAW_LOG;
        if (text_equal(name, TEXT("sensor_log")))
                return WS_TYPE_SENSOR_LOG;
        return text_equal(name, TEXT("vehicle_log")) ? WS_TYPE_VEHICLE_LOG : 0;
}

static void ws_vehicles_choose_types(WsClient *client, const WsClientMessageList *types) {
        if (!types->list)
                return;

        client->types = 0;
        for (size_t i = 0; i < types->n; ++i)
                client->types |= ws_vehicles_type(ws_client_message_text(types, i));
}

static int ws_vehicles_choose_vehicles(WsClient *client, const WsClientMessageList *vehicles) {
        const User *user = registry_user(client->loop->registry, client->user_id);
        char name[256];
        int64_t *ids;
        size_t n = 0;

        if (!vehicles->list)
                return 0;

        ids = calloc(vehicles->n + 1, sizeof(int64_t));
        if (!ids)
                return err_new(-ENOMEM);

        for (size_t i = 0; i < vehicles->n; ++i) {
                const Vehicle *vehicle = NULL;

                if (ws_client_message_name(vehicles, i, name))
                        vehicle = registry_find_vehicle_for(client->loop->registry,
                                                            user,
                                                            text_of(name));
                if (vehicle) /* what does not exist selects nothing */
                        ids[n++] = vehicle->id;
        }
        ids_sort(ids, n);
        free(client->vehicle_ids);
        client->vehicle_ids = ids;
        client->n_vehicle_ids = n;
        client->has_vehicles = true;
        return 0;
}

static int ws_vehicles_subscribe(WsClient *client, const WsClientMessage *command) {
        size_t n_max = (size_t)client->loop->options->max_subscriptions;
        WsClientMessageList types, vehicles;
        int r;

        if (ws_client_message_list(command, "event_types", &types) > 0 ||
            ws_client_message_list(command, "vehicle_ids", &vehicles) > 0 || types.n > n_max ||
            vehicles.n > n_max)
                return ws_vehicles_answer(client, "error", "Invalid subscription");

        ws_vehicles_choose_types(client, &types);
        r = ws_vehicles_choose_vehicles(client, &vehicles);
        if (r < 0)
                return err_up(r);
        return ws_vehicles_answer(client, "subscription_ack", "Subscription preferences updated");
}

static int ws_vehicles_receive(WsClient *client, Text message) {
        WsClientMessage command;
        int r;

        if (client->is_binary)
                return ws_misdirected_receive(client, message);
        r = ws_client_message_parse(&command, message);
        if (r < 0)
                return err_up(r);
        if (r == WS_CLIENT_MESSAGE_E_INVALID)
                return ws_vehicles_answer(client, "error", "Invalid JSON format");

        if (text_equal(command.type, TEXT("ping")))
                r = ws_vehicles_ping(client, &command);
        else if (text_equal(command.type, TEXT("subscribe")))
                r = ws_vehicles_subscribe(client, &command);
        else
                ws_misdirected_judge(client, &command);
        ws_client_message_done(&command);
        return r;
}

static unsigned ws_vehicles_type_of(const Event *event) {
        if (event->kind == KIND_RAW_LOG)
                return WS_TYPE_RAW_LOG;
        return event->kind == KIND_SENSOR_LOG ? WS_TYPE_SENSOR_LOG : WS_TYPE_VEHICLE_LOG;
}

static bool ws_vehicles_wants(const WsClient *client, const Event *event) {
        if (!(client->types & ws_vehicles_type_of(event)))
                return false;
        return !client->has_vehicles ||
               ids_have(client->vehicle_ids, client->n_vehicle_ids, event->vehicle_id);
}

static int ws_vehicles_format(const WsLoop *loop, const Event *event, Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_string(&out, "type", kind_name(event->kind));
        json_out_int(&out, "vehicle_id", event->vehicle_id);
        if (event->kind == KIND_SENSOR_LOG)
                json_out_int(&out, "sensor_id", event->sensor_id);
        json_out_raw(&out, "data", event->data);
        json_out_time(&out, "timestamp", event->time_us);
        json_out_time(&out, "broadcast_time", clock_now_us());
        json_out_int(&out, "connection_count", (int64_t)loop->n_open[WS_DIALECT_VEHICLES]);
        json_out_object_end(&out);
        return 0;
}

const WsDialect ws_dialect_vehicles = {
        .id = WS_DIALECT_VEHICLES,
        .name = "D",
        .kinds = WS_DIALECT_KIND(KIND_RAW_LOG) | WS_DIALECT_KIND(KIND_SENSOR_LOG) |
                 WS_DIALECT_KIND(KIND_VEHICLE_LOG),
        .hears_binary = true,
        .match = ws_vehicles_match,
        .admit = ws_vehicles_admit,
        .open = ws_vehicles_open,
        .receive = ws_vehicles_receive,
        .wants = ws_vehicles_wants,
        .format = ws_vehicles_format,
};
