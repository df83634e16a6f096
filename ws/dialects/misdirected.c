#include "ws/dialects/misdirected.h"

#include <json-c/json.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "model/metrics.h"
#include "model/record.h"
#include "ws/dialects/client_message.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"

static bool ws_misdirected_is_talk(const json_object *object) {
        static const char *const names[] = { "op",      "action", "event",     "cmd",
                                             "command", "method", "ping",      "pong",
                                             "auth",    "token",  "subscribe", "unsubscribe" };

        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (json_object_object_get_ex(object, names[i], NULL))
                        return true;
        return false;
}

/* `{"type":"status"}` asks, and with a `status` in it says what that is. */
static bool ws_misdirected_is_kind(const json_object *object, Text type) {
        return kind_from_name(type) != KIND_NONE || text_equal(type, TEXT("detection")) ||
               text_equal(type, TEXT("detections")) ||
               (text_equal(type, TEXT("status")) &&
                json_object_object_get_ex(object, "status", NULL));
}

static bool ws_misdirected_is_said(json_object *object) {
        json_object *type = NULL;

        if (!json_object_is_type(object, json_type_object) ||
            json_object_object_length(object) == 0)
                return false;
        if (!json_object_object_get_ex(object, "type", &type))
                return !ws_misdirected_is_talk(object);
        return json_object_is_type(type, json_type_string) &&
               ws_misdirected_is_kind(object, text_of(json_object_get_string(type)));
}

bool ws_misdirected_is_data(const WsClientMessage *message) {
        json_object *root = message->root;

        if (json_object_is_type(root, json_type_array))
                root = json_object_array_get_idx(root, 0);
        return ws_misdirected_is_said(root);
}

void ws_misdirected_close(WsClient *client, const char *reason) {
        unsigned long long n_more;

        if (log_may(&client->loop->misdirected, &n_more))
                log_warning("ws_telemetry_refused dialect=%s user=%lld target=%lld source=%s "
                            "hint=\"only the device's own token may send, at "
                            "/ws/device/{device_id}\" more=%llu",
                            client->dialect->name,
                            (long long)client->user_id,
                            (long long)client->target_id,
                            client->source,
                            n_more);
        ws_client_close(client, WS_CLOSE_POLICY, reason, METRIC_WS_CLOSED_FORBIDDEN);
}

void ws_misdirected_judge(WsClient *client, const WsClientMessage *message) {
        if (ws_misdirected_is_data(message))
                ws_misdirected_close(client,
                                     "no data is taken here, but at /ws/device/{device_id} with "
                                     "the device's own token");
}

int ws_misdirected_receive(WsClient *client, Text message) {
        WsClientMessage said;
        Text text = text_trim(message);
        int r;

        if (text.n == 0 || (*text.data != '{' && *text.data != '['))
                return 0;
        r = ws_client_message_parse(&said, text);
        if (r == WS_CLIENT_MESSAGE_E_INVALID)
                return 0;
        if (r < 0)
                return err_up(r);
        ws_misdirected_judge(client, &said);
        ws_client_message_done(&said);
        return 0;
}
