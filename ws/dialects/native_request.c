#include "ws/dialects/native_request.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "base/timestamp.h"

static json_object *ws_native_request_member(const WsNativeRequest *ask, const char *name) {
        json_object *value = NULL;

        (void)json_object_object_get_ex(ask->command.root, name, &value);
        return value; /* null is absent */
}

static Text ws_native_request_string(json_object *value) {
        return (Text){ .data = json_object_get_string(value),
                       .n = (size_t)json_object_get_string_len(value) };
}

/* A string without NUL; absent stays absent. */
static void ws_native_request_text(WsNativeRequest *ask,
                                   const char *name,
                                   const char *fault,
                                   Text *ret_text) {
        json_object *value = ws_native_request_member(ask, name);

        *ret_text = (Text){ 0 };
        if (!value)
                return;
        if (!json_object_is_type(value, json_type_string)) {
                ask->fault = fault;
                return;
        }
        *ret_text = ws_native_request_string(value);
        if (memchr(ret_text->data, '\0', ret_text->n))
                ask->fault = fault;
}

static bool ws_native_request_number(json_object *value, double *ret_number) {
        if (!json_object_is_type(value, json_type_int) &&
            !json_object_is_type(value, json_type_double))
                return false;
        *ret_number = json_object_get_double(value);
        return isfinite(*ret_number) != 0;
}

static void ws_native_request_read_box(WsNativeRequest *ask) {
        json_object *list = ws_native_request_member(ask, "bbox");

        if (!list)
                return;
        ask->has_box =
                json_object_is_type(list, json_type_array) && json_object_array_length(list) == 4;
        for (size_t i = 0; ask->has_box && i < 4; ++i)
                ask->has_box =
                        ws_native_request_number(json_object_array_get_idx(list, i), &ask->box[i]);
        if (!ask->has_box)
                ask->fault = "bbox: four numbers, west, south, east, north";
}

static void ws_native_request_read_pace(WsNativeRequest *ask) {
        json_object *value = ws_native_request_member(ask, "max_hz");

        if (!value)
                return;
        if (!ws_native_request_number(value, &ask->max_hz) || ask->max_hz <= 0)
                ask->fault = "max_hz: a number above 0";
}

/* True, or the text of a set. */
static void ws_native_request_read_set(WsNativeRequest *ask) {
        json_object *set = ws_native_request_member(ask, "set");

        ask->wants_set =
                json_object_is_type(set, json_type_string) ||
                (json_object_is_type(set, json_type_boolean) && json_object_get_boolean(set));
        if (json_object_is_type(set, json_type_string))
                ask->set = ws_native_request_string(set);
        else if (set && !json_object_is_type(set, json_type_boolean))
                ask->fault = "set: true, or the text of a set";
}

/* What becomes of targets that are not there. */
static void ws_native_request_read_gone(WsNativeRequest *ask) {
        static const char fault[] = "gone: tell, or skip";
        Text gone;

        ws_native_request_text(ask, "gone", fault, &gone);
        ask->skips_gone = text_equal(gone, TEXT("skip"));
        ask->tells_gone = ask->skips_gone || text_equal(gone, TEXT("tell"));
        if (gone.data && !ask->tells_gone)
                ask->fault = fault;
}

static void ws_native_request_read_at(WsNativeRequest *ask) {
        json_object *rate = ws_native_request_member(ask, "rate");
        static const char fault[] = "at: a time";
        Text at;

        ws_native_request_text(ask, "at", fault, &at);
        ask->has_at = at.data && timestamp_parse(at, NULL, &ask->at_us) == 0 && ask->at_us > 0;
        if (at.data && !ask->has_at)
                ask->fault = fault;
        if (rate && (!ws_native_request_number(rate, &ask->rate) ||
                     !(ask->rate >= WS_NATIVE_MIN_RATE && ask->rate <= WS_NATIVE_MAX_RATE)))
                ask->fault = "rate: a number from 0.1 to 100";
}

static void ws_native_request_read_snapshot(WsNativeRequest *ask) {
        json_object *snapshot = ws_native_request_member(ask, "snapshot");

        if (snapshot && !json_object_is_type(snapshot, json_type_boolean))
                ask->fault = "snapshot: true or false";
        ask->wants_snapshot = snapshot && json_object_get_boolean(snapshot);
}

static void ws_native_request_check_playback(WsNativeRequest *ask) {
        if (ask->rate > 0 && !ask->has_at)
                ask->fault = "rate: goes with at";
        if (ask->has_at &&
            (ask->since.data || ask->wants_set || ask->wants_snapshot || ask->max_hz > 0))
                ask->fault = "at: not with since, set, snapshot or max_hz";
}

static void ws_native_request_read_subscribe(WsNativeRequest *ask) {
        if (ws_client_message_list(&ask->command, "to", &ask->to) != 0)
                ask->fault = "to: a list of targets";
        if (ws_client_message_list(&ask->command, "types", &ask->types) != 0)
                ask->fault = "types: a list of types";
        ws_native_request_text(ask, "since", "since: a cursor", &ask->since);
        ws_native_request_read_snapshot(ask);
        ws_native_request_read_set(ask);
        ws_native_request_read_gone(ask);
        ws_native_request_read_pace(ask);
        ws_native_request_read_box(ask);
        ws_native_request_read_at(ask);
        if (!ask->fault)
                ws_native_request_check_playback(ask);
}

static void ws_native_request_read_name(WsNativeRequest *ask) {
        ws_native_request_text(ask, "subscription", "subscription: a name", &ask->subscription);
        if (!ask->subscription.data)
                ask->fault = "subscription: a name";
}

/* Null takes away. */
static void ws_native_request_read_move(WsNativeRequest *ask) {
        ws_native_request_read_name(ask);
        if (ws_client_message_list(&ask->command, "to", &ask->to) != 0)
                ask->fault = "to: a list of targets";
        ws_native_request_read_gone(ask);
        ask->has_pace = json_object_object_get_ex(ask->command.root, "max_hz", NULL);
        ask->names_box = json_object_object_get_ex(ask->command.root, "bbox", NULL);
        ws_native_request_read_pace(ask);
        ws_native_request_read_box(ask);
}

/* A code, or an id as a number. */
static void ws_native_request_read_device(WsNativeRequest *ask) {
        json_object *value = ws_native_request_member(ask, "device");

        if (json_object_is_type(value, json_type_int)) {
                snprintf(ask->number,
                         sizeof(ask->number),
                         "%lld",
                         (long long)json_object_get_int64(value));
                ask->device = text_of(ask->number);
                return;
        }
        ws_native_request_text(ask, "device", "device: a code or an id", &ask->device);
        if (!ask->device.data)
                ask->fault = "device: a code or an id";
}

static void ws_native_request_read_token(WsNativeRequest *ask) {
        ws_native_request_text(ask, "token", "token: a text", &ask->token);
        if (!ask->token.data)
                ask->fault = "token: a text";
}

/* Of requests that say what is shown. What is another's of them, and they cannot use, they must not
 * pass over: nothing would change, and the answer be that all is well. Who knows none of them has
 * some purpose of his own. */
static const struct {
        WsOp op;
        const char *members; /* beside op and id */
} ws_native_request_uses[] = {
        { WS_OP_SUBSCRIBE, "to types since snapshot set gone max_hz bbox at rate" },
        { WS_OP_UNSUBSCRIBE, "subscription" },
        { WS_OP_MOVE, "subscription to gone max_hz bbox" },
        { WS_OP_PAUSE, "subscription" },
        { WS_OP_SEEK, "subscription at rate" },
        { WS_OP_LIVE, "subscription snapshot" },
};

static bool ws_native_request_uses_member(const char *members, const char *name) {
        Text rest = text_of(members);
        Text item;

        while (text_next_item(&rest, " ", &item))
                if (text_equal(item, text_of(name)))
                        return true;
        return false;
}

static bool ws_native_request_is_member(const char *name) {
        for (size_t i = 0; i < N_ELEMENTS(ws_native_request_uses); ++i)
                if (ws_native_request_uses_member(ws_native_request_uses[i].members, name))
                        return true;
        return false;
}

static void ws_native_request_check_names(WsNativeRequest *ask) {
        struct json_object_iter at;
        const char *members = NULL;

        for (size_t i = 0; i < N_ELEMENTS(ws_native_request_uses); ++i)
                if (ws_native_request_uses[i].op == ask->op)
                        members = ws_native_request_uses[i].members;
        if (!members)
                return;
        json_object_object_foreachC(ask->command.root, at) {
                if (!at.val || ws_native_request_uses_member(members, at.key) ||
                    !ws_native_request_is_member(at.key))
                        continue;
                snprintf(ask->words, sizeof(ask->words), "%s: no member of this request", at.key);
                ask->fault = ask->words;
        }
}

static void ws_native_request_read_members(WsNativeRequest *ask) {
        switch (ask->op) {
        case WS_OP_AUTH:
        case WS_OP_REFRESH:
                ws_native_request_read_token(ask);
                break;
        case WS_OP_SUBSCRIBE:
                ws_native_request_read_subscribe(ask);
                break;
        case WS_OP_UNSUBSCRIBE:
        case WS_OP_PAUSE:
                ws_native_request_read_name(ask);
                break;
        case WS_OP_SEEK:
                ws_native_request_read_name(ask);
                ws_native_request_read_at(ask);
                break;
        case WS_OP_LIVE:
                ws_native_request_read_name(ask);
                ws_native_request_read_snapshot(ask);
                break;
        case WS_OP_MOVE:
                ws_native_request_read_move(ask);
                break;
        case WS_OP_COMMAND:
                ws_native_request_read_device(ask);
                break;
        case WS_OP_CANCEL:
                ws_native_request_text(ask,
                                       "command_id",
                                       "command_id: the id of a command",
                                       &ask->command_id);
                if (!ask->command_id.data)
                        ask->fault = "command_id: the id of a command";
                break;
        case WS_OP_PING:
        case WS_OP_UNKNOWN:
                break;
        }
}

static WsOp ws_native_request_op(Text name) {
        static const struct {
                const char *name;
                WsOp op;
        } ops[] = {
                { "auth", WS_OP_AUTH },
                { "subscribe", WS_OP_SUBSCRIBE },
                { "unsubscribe", WS_OP_UNSUBSCRIBE },
                { "move", WS_OP_MOVE },
                { "pause", WS_OP_PAUSE },
                { "seek", WS_OP_SEEK },
                { "live", WS_OP_LIVE },
                { "ping", WS_OP_PING },
                { "refresh", WS_OP_REFRESH },
                { "command", WS_OP_COMMAND },
                { "cancel", WS_OP_CANCEL },
        };

        for (size_t i = 0; i < N_ELEMENTS(ops); ++i)
                if (text_equal(name, text_of(ops[i].name)))
                        return ops[i].op;
        return WS_OP_UNKNOWN;
}

int ws_native_request_read(WsNativeRequest *ask, Text message) {
        json_object *op;
        int r;

        *ask = (WsNativeRequest){ 0 };
        r = ws_client_message_parse(&ask->command, message);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return WS_NATIVE_REQUEST_E_MISUSE;
        op = json_object_is_type(ask->command.root, json_type_object)
                     ? ws_native_request_member(ask, "op")
                     : NULL;
        if (!json_object_is_type(op, json_type_string)) {
                ws_native_request_done(ask);
                return WS_NATIVE_REQUEST_E_MISUSE;
        }

        ask->op = ws_native_request_op(ws_native_request_string(op));
        ws_native_request_read_members(ask);
        if (!ask->fault)
                ws_native_request_check_names(ask);
        return 0;
}

void ws_native_request_done(WsNativeRequest *ask) {
        ws_client_message_done(&ask->command);
}
