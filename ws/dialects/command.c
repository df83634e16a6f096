#include "ws/dialects/command.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"

#define WS_COMMAND_DEPTH 16

/* json-c needs to see the end of a bare number: a NUL after the text. */
static json_object *ws_command_feed(json_tokener *tokener, Text message) {
        json_object *root = json_tokener_parse_ex(tokener, message.data, (int)message.n);

        if (!root && json_tokener_get_error(tokener) == json_tokener_continue)
                root = json_tokener_parse_ex(tokener, "", 1);
        return root;
}

int ws_command_parse(WsCommand *command, Text message) {
        json_tokener *tokener = json_tokener_new_ex(WS_COMMAND_DEPTH);
        json_object *type = NULL;
        bool is_valid;

        *command = (WsCommand){ .type = TEXT("") };
        if (!tokener)
                return err_new(-ENOMEM);

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        command->root = ws_command_feed(tokener, message);
        is_valid = json_tokener_get_error(tokener) == json_tokener_success;
        json_tokener_free(tokener);
        if (!is_valid || message.n > INT32_MAX) {
                ws_command_done(command);
                return WS_COMMAND_E_INVALID;
        }

        if (json_object_is_type(command->root, json_type_object) &&
            json_object_object_get_ex(command->root, "type", &type) &&
            json_object_is_type(type, json_type_string))
                command->type = (Text){ .data = json_object_get_string(type),
                                        .n = (size_t)json_object_get_string_len(type) };
        return 0;
}

void ws_command_done(WsCommand *command) {
        json_object_put(command->root);
        command->root = NULL;
        command->type = TEXT("");
}

static json_object *ws_command_member(const WsCommand *command, const char *name) {
        json_object *member = NULL;

        if (json_object_is_type(command->root, json_type_object))
                json_object_object_get_ex(command->root, name, &member);
        return member;
}

static Text ws_command_string(json_object *string) {
        return (Text){ .data = json_object_get_string(string),
                       .n = (size_t)json_object_get_string_len(string) };
}

void ws_command_echo(const WsCommand *command, const char *name, Buf *buf) {
        json_object *member = ws_command_member(command, name);

        switch (json_object_get_type(member)) {
        case json_type_string:
                buf_json_string(buf, ws_command_string(member));
                return;
        case json_type_double:
                if (!isfinite(json_object_get_double(member)))
                        break;
                buf_append_string(buf, json_object_to_json_string(member)); /* as it was written */
                return;
        case json_type_int:
        case json_type_boolean:
                buf_append_string(buf, json_object_to_json_string(member));
                return;
        default:
                break;
        }
        buf_append_string(buf, "null");
}

int ws_command_list(const WsCommand *command, const char *name, WsCommandList *ret_list) {
        json_object *member = ws_command_member(command, name);

        if (member && !json_object_is_type(member, json_type_array))
                return WS_COMMAND_E_INVALID;

        *ret_list = (WsCommandList){
                .list = member,
                .n = member ? json_object_array_length(member) : 0,
        };
        return 0;
}

Text ws_command_text(const WsCommandList *list, size_t i) {
        json_object *item = json_object_array_get_idx(list->list, i);

        return json_object_is_type(item, json_type_string) ? ws_command_string(item) : (Text){ 0 };
}

bool ws_command_name(const WsCommandList *list, size_t i, char ret_text[256]) {
        json_object *item = json_object_array_get_idx(list->list, i);
        Text text = ws_command_text(list, i);

        if (json_object_is_type(item, json_type_int)) {
                snprintf(ret_text, 256, "%lld", (long long)json_object_get_int64(item));
                return true;
        }
        if (!text.data || text.n >= 256 || memchr(text.data, '\0', text.n))
                return false;

        memcpy(ret_text, text.data, text.n);
        ret_text[text.n] = '\0';
        return true;
}
