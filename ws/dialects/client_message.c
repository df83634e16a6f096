#include "ws/dialects/client_message.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "ws/wire/weight.h"

#define WS_CLIENT_MESSAGE_DEPTH 16

/* json-c needs to see the end of a bare number: a NUL after the text. */
static json_object *ws_client_message_feed(json_tokener *tokener, Text message) {
        json_object *root = json_tokener_parse_ex(tokener, message.data, (int)message.n);

        if (!root && json_tokener_get_error(tokener) == json_tokener_continue)
                root = json_tokener_parse_ex(tokener, "", 1);
        return root;
}

int ws_client_message_parse(WsClientMessage *command, Text message) {
        json_tokener *tokener;
        json_object *type = NULL;
        bool is_valid;

        *command = (WsClientMessage){ .type = TEXT("") };
        if (!ws_weight_is_light(message))
                return WS_CLIENT_MESSAGE_E_INVALID;
        tokener = json_tokener_new_ex(WS_CLIENT_MESSAGE_DEPTH);
        if (!tokener)
                return err_new(-ENOMEM);

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        command->root = ws_client_message_feed(tokener, message);
        is_valid = json_tokener_get_error(tokener) == json_tokener_success;
        json_tokener_free(tokener);
        if (!is_valid || message.n > INT32_MAX) {
                ws_client_message_done(command);
                return WS_CLIENT_MESSAGE_E_INVALID;
        }

        if (json_object_is_type(command->root, json_type_object) &&
            json_object_object_get_ex(command->root, "type", &type) &&
            json_object_is_type(type, json_type_string))
                command->type = (Text){ .data = json_object_get_string(type),
                                        .n = (size_t)json_object_get_string_len(type) };
        return 0;
}

void ws_client_message_done(WsClientMessage *command) {
        json_object_put(command->root);
        command->root = NULL;
        command->type = TEXT("");
}

static json_object *ws_client_message_get(const WsClientMessage *command, const char *name) {
        json_object *member = NULL;

        if (json_object_is_type(command->root, json_type_object))
                json_object_object_get_ex(command->root, name, &member);
        return member;
}

static Text ws_client_message_string(json_object *string) {
        return (Text){ .data = json_object_get_string(string),
                       .n = (size_t)json_object_get_string_len(string) };
}

bool ws_client_message_is_object(const WsClientMessage *command) {
        return json_object_is_type(command->root, json_type_object);
}

bool ws_client_message_has(const WsClientMessage *command, const char *name) {
        return ws_client_message_is_object(command) &&
               json_object_object_get_ex(command->root, name, NULL);
}

bool ws_client_message_is_text(const WsClientMessage *command, const char *name) {
        return json_object_is_type(ws_client_message_get(command, name), json_type_string);
}

/* json-c makes of a number that is too large the largest that it has: it is not the one that was
 * said. */
static bool ws_client_message_is_said(json_object *number) {
        return json_object_get_int64(number) != INT64_MIN &&
               json_object_get_uint64(number) != UINT64_MAX;
}

void ws_client_message_echo(JsonOut *out,
                            const char *name,
                            const WsClientMessage *command,
                            const char *member_name) {
        json_object *member = ws_client_message_get(command, member_name);

        switch (json_object_get_type(member)) {
        case json_type_string:
                json_out_text(out, name, ws_client_message_string(member));
                return;
        case json_type_double:
                if (!isfinite(json_object_get_double(member)))
                        break;
                json_out_raw(out, name, text_of(json_object_to_json_string(member)));
                return;
        case json_type_int:
                if (!ws_client_message_is_said(member))
                        break;
                json_out_raw(out, name, text_of(json_object_to_json_string(member)));
                return;
        case json_type_boolean:
                json_out_raw(out, name, text_of(json_object_to_json_string(member)));
                return;
        default:
                break;
        }
        json_out_null(out, name);
}

int ws_client_message_list(const WsClientMessage *command,
                           const char *name,
                           WsClientMessageList *ret_list) {
        json_object *member = ws_client_message_get(command, name);

        if (member && !json_object_is_type(member, json_type_array))
                return WS_CLIENT_MESSAGE_E_INVALID;

        *ret_list = (WsClientMessageList){
                .list = member,
                .n = member ? json_object_array_length(member) : 0,
        };
        return 0;
}

Text ws_client_message_text(const WsClientMessageList *list, size_t i) {
        json_object *item = json_object_array_get_idx(list->list, i);

        return json_object_is_type(item, json_type_string) ? ws_client_message_string(item)
                                                           : (Text){ 0 };
}

/* Of 63 bits and a sign, as all ids are. */
static bool ws_client_message_number_of(json_object *item, char ret_text[256]) {
        int64_t number = json_object_get_int64(item);

        snprintf(ret_text, 256, "%lld", (long long)number);
        return number > INT64_MIN && number < INT64_MAX;
}

static bool ws_client_message_name_of(json_object *item, char ret_text[256]) {
        Text text = ws_client_message_string(item);

        if (json_object_is_type(item, json_type_int))
                return ws_client_message_number_of(item, ret_text);
        if (!text.data || text.n >= 256 || memchr(text.data, '\0', text.n))
                return false;

        memcpy(ret_text, text.data, text.n);
        ret_text[text.n] = '\0';
        return true;
}

bool ws_client_message_name(const WsClientMessageList *list, size_t i, char ret_text[256]) {
        return ws_client_message_name_of(json_object_array_get_idx(list->list, i), ret_text);
}

bool ws_client_message_member(const WsClientMessage *command,
                              const char *name,
                              char ret_text[256],
                              bool *ret_is_null) {
        json_object *member = NULL;

        *ret_text = '\0';
        if (!json_object_is_type(command->root, json_type_object) ||
            !json_object_object_get_ex(command->root, name, &member))
                return false;
        *ret_is_null = member == NULL;
        return !member || ws_client_message_name_of(member, ret_text);
}
