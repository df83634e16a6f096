#include "ws/device/order.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "base/secret.h"
#include "model/metrics.h"
#include "ws/wire/weight.h"

#define WS_ORDER_DEPTH      32
#define WS_ORDER_TIMEOUT_MS 60000 /* where the options say nothing */
#define WS_ORDER_PENDING    100
#define WS_ORDER_PERCENT    25

DEFINE_CLEANUP(json_object *, json_object_put);

static WsRefused ws_order_invalid(const char *detail) {
        return (WsRefused){ 422, "invalid", detail, false };
}

/* NULL: not JSON, or no object. */
static json_object *ws_order_parse(const WsOptions *options, Text json) {
        CLEANUP(json_object_put) json_object *root = NULL;
        json_tokener *tokener;
        bool is_valid;

        if (json.n > INT32_MAX || !ws_weight_is_light(json) ||
            (options && options->check_json && options->check_json(json) != REASON_NONE))
                return NULL;
        tokener = json_tokener_new_ex(WS_ORDER_DEPTH);
        if (!tokener)
                return NULL;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        root = json_tokener_parse_ex(tokener, json.data, (int)json.n);
        is_valid = json_tokener_get_error(tokener) == json_tokener_success &&
                   json_object_is_type(root, json_type_object);
        json_tokener_free(tokener);
        return is_valid ? TAKE(&root) : NULL;
}

/* NULL if absent or null. */
static json_object *ws_order_member(json_object *root, const char *name) {
        json_object *member = NULL;

        json_object_object_get_ex(root, name, &member);
        return member;
}

static Text ws_order_text(json_object *string) {
        if (!json_object_is_type(string, json_type_string))
                return (Text){ 0 };
        return (Text){ .data = json_object_get_string(string),
                       .n = (size_t)json_object_get_string_len(string) };
}

static bool ws_order_is_name(Text name) {
        if (!name.data || name.n == 0 || name.n >= WS_ORDER_NAME)
                return false;
        for (size_t i = 0; i < name.n; ++i)
                if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f)
                        return false;
        return true;
}

bool ws_order_is_key(Text key) {
        if (!ws_order_is_name(key))
                return false;
        for (size_t i = 0; i < key.n; ++i)
                if (key.data[i] < ' ' || key.data[i] > '~')
                        return false;
        return true;
}

static void ws_order_copy(char ret_text[WS_ORDER_NAME], Text text) {
        assert(text.data && text.n < WS_ORDER_NAME);
        memcpy(ret_text, text.data, text.n);
        ret_text[text.n] = '\0';
}

static bool ws_order_timeout(const WsOptions *options, json_object *member, int *ret_ms) {
        int max_ms =
                options->command_max_timeout_ms > 0 ? options->command_max_timeout_ms : INT32_MAX;
        int64_t ms = json_object_get_int64(member);

        if (!json_object_is_type(member, json_type_int) || ms < 1 || ms > max_ms)
                return false;
        *ret_ms = (int)ms;
        return true;
}

static const char *ws_order_payload(json_object *member) {
        return json_object_to_json_string_ext(member,
                                              JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE);
}

static WsRefused ws_order_members(const WsOptions *options, json_object *root, WsOrder *order) {
        json_object *payload = ws_order_member(root, "payload");
        json_object *timeout = ws_order_member(root, "timeout_ms");
        json_object *key_member = ws_order_member(root, "idempotency_key");
        Text key = ws_order_text(key_member);
        Text action = ws_order_text(ws_order_member(root, "action"));

        if (!ws_order_is_name(action))
                return ws_order_invalid("action must be text of 1 to 128 bytes.");
        ws_order_copy(order->action, action);
        if (payload && !json_object_is_type(payload, json_type_object))
                return ws_order_invalid("payload must be an object.");
        if (timeout && !ws_order_timeout(options, timeout, &order->timeout_ms))
                return ws_order_invalid(
                        "timeout_ms must be a whole number from 1 to commands.max_timeout.");
        if (key_member && !ws_order_is_key(key))
                return ws_order_invalid(
                        "idempotency_key must be 1 to 128 printable ASCII characters.");
        if (key.data)
                ws_order_copy(order->idempotency_key, key);
        return (WsRefused){ 0 };
}

int ws_order_read(const WsOptions *options, Text json, WsOrder *ret_order, WsRefused *ret_refused) {
        CLEANUP(json_object_put) json_object *root = ws_order_parse(options, json);
        json_object *payload;

        *ret_order = (WsOrder){ 0 };
        if (!root) {
                *ret_refused = ws_order_invalid("The body must be a JSON object.");
                return 0;
        }
        *ret_refused = ws_order_members(options, root, ret_order);
        payload = ws_order_member(root, "payload");
        if (ret_refused->status != 0 || !payload)
                return 0;
        ret_order->payload = strdup(ws_order_payload(payload));
        return ret_order->payload ? 0 : err_new(-ENOMEM);
}

void ws_order_done(WsOrder *order) {
        free(order->payload);
        order->payload = NULL;
}

/* ---- asking ---- */

static WsRefused ws_order_judge(const User *user, const Device *device) {
        if (!user || user->role == ROLE_VIEWER)
                return (WsRefused){ 403, "forbidden", "This user may not command.", false };
        if (!device || !user_sees_device(user, device))
                return (WsRefused){ 404, "not_found", "There is no such device.", false };
        if (!device->is_active)
                return (WsRefused){ 409, "inactive", "The device is not active.", false };
        return (WsRefused){ 0 };
}

static int ws_order_fill(const WsOptions *options, const WsOrder *order, Query *query) {
        char id[SECRET_ID_SIZE];
        int r;

        r = secret_id(id);
        if (r < 0)
                return err_up(r);
        query->action = strdup(order->action);
        if (order->payload)
                query->payload = strdup(order->payload);
        if (*order->idempotency_key)
                query->idempotency_key = strdup(order->idempotency_key);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (asprintf(&query->command_id, "cmd_%s", id) < 0)
                query->command_id = NULL;
        if (!query->action || (order->payload && !query->payload) || !query->user_ids ||
            (*order->idempotency_key && !query->idempotency_key) || !query->command_id)
                return err_new(-ENOMEM);

        query->n_user_ids = 1;
        query->timeout_ms = order->timeout_ms;
        if (query->timeout_ms == 0)
                query->timeout_ms = options->command_timeout_ms;
        if (query->timeout_ms <= 0)
                query->timeout_ms = WS_ORDER_TIMEOUT_MS;
        return 0;
}

/* @percent of @n_all, rounded; as large as @n_least. */
static int ws_order_part(int n_all, int percent, int n_least) {
        int n = (int)((int64_t)n_all * percent / 100);

        return n > n_least ? n : n_least;
}

/* Who owns the device, and admins, may have all places; with whom it is shared, some of them each,
 * and all of those leave some. */
static void ws_order_limit(const WsOptions *options,
                           const User *user,
                           const Device *device,
                           Query *query) {
        int n_all =
                options->command_max_pending > 0 ? options->command_max_pending : WS_ORDER_PENDING;
        int share =
                options->command_user_share > 0 ? options->command_user_share : WS_ORDER_PERCENT;

        query->max_pending = query->max_own = n_all;
        if (user->role == ROLE_ADMIN || user->id == device->user_id)
                return;
        query->max_pending = ws_order_part(n_all, 100 - options->command_reserve, 1);
        query->max_own = ws_order_part(n_all, share, 1);
        if (query->max_own > query->max_pending)
                query->max_own = query->max_pending;
}

int ws_order_ask(const WsOptions *options,
                 const User *user,
                 const Device *device,
                 const WsOrder *order,
                 Query **ret_query,
                 WsRefused *ret_refused) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        *ret_refused = ws_order_judge(user, device);
        if (ret_refused->status != 0) {
                metric_add(METRIC_COMMANDS_REFUSED, 1);
                return 0;
        }
        r = query_new(&query, QUERY_COMMAND);
        if (r == 0)
                r = ws_order_fill(options, order, query);
        if (r < 0)
                return err_up(r);
        ws_order_limit(options, user, device, query);
        query->user_ids[0] = user->id;
        query->device_id = device->id;
        *ret_query = TAKE(&query);
        return 0;
}

WsRefused ws_order_result(const Answer *answer) {
        switch (answer->status) {
        case 202:
                metric_add(METRIC_COMMANDS_ACCEPTED, 1);
                return (WsRefused){ 0 };
        case 200:
                metric_add(METRIC_COMMANDS_REPEATED, 1);
                return (WsRefused){ 0 };
        default:
                metric_add(METRIC_COMMANDS_REFUSED, 1);
        }
        if (answer->is_own)
                metric_add(METRIC_COMMANDS_SHARE_REFUSED, 1);
        switch (answer->status) {
        case 404:
                return (WsRefused){ 404, "not_found", "There is no such device.", false };
        case 409:
                return (WsRefused){
                        409, "conflict", "The idempotency key stands for another command.", false
                };
        case 422:
                return ws_order_invalid("The payload cannot be stored.");
        case 429:
                return (WsRefused){ 429,
                                    "too_many_commands",
                                    answer->is_own
                                            ? "Too many of your commands for this device are open."
                                            : "Too many commands of the device are open.",
                                    true };
        case 504:
                return (WsRefused){ 504, "timeout", "The database did not answer in time.", true };
        default:
                return (WsRefused){ 503, "unavailable", "The database is not there.", true };
        }
}

/* ---- taking back ---- */

static const WsRefused ws_order_unknown = { 404, "not_found", "There is no such command.", false };

int ws_order_cancel(const User *user, Text command_id, Query **ret_query, WsRefused *ret_refused) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        *ret_refused = (WsRefused){ 0 };
        if (!user || user->role == ROLE_VIEWER) {
                *ret_refused = (WsRefused){ 403, "forbidden", "This user may not command.", false };
                return 0;
        }
        if (!ws_order_is_key(command_id)) { /* no id of ours, and none for the database */
                *ret_refused = ws_order_unknown;
                return 0;
        }
        r = query_new(&query, QUERY_COMMAND_CANCEL);
        if (r < 0)
                return err_up(r);
        query->command_id = strndup(command_id.data, command_id.n);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->command_id || !query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = user->id;
        query->n_user_ids = 1;
        *ret_query = TAKE(&query);
        return 0;
}

static WsRefused ws_order_too_late(const char *state) {
        bool is_there = strcmp(state, "delivered") == 0 || strcmp(state, "executing") == 0;

        return (WsRefused){ 409,
                            "too_late",
                            is_there ? "The device has the command already."
                                     : "The command has ended already.",
                            false };
}

WsRefused ws_order_cancelled(const Answer *answer) {
        switch (answer->status) {
        case 200:
                return (WsRefused){ 0 };
        case 403:
                return (WsRefused){
                        403, "forbidden", "This user may not cancel this command.", false
                };
        case 404:
                return ws_order_unknown;
        case 409:
                return ws_order_too_late(answer->state);
        case 504:
                return (WsRefused){ 504, "timeout", "The database did not answer in time.", true };
        default:
                return (WsRefused){ 503, "unavailable", "The database is not there.", true };
        }
}

/* ---- answers of devices ---- */

bool ws_order_is_ack(Text json) {
        CLEANUP(json_object_put) json_object *root = NULL;
        size_t n_known = 0;

        if (!json.data || !memmem(json.data, json.n, "\"command_id\"", 12))
                return false;
        root = ws_order_parse(NULL, json);
        if (!root || !ws_order_text(ws_order_member(root, "command_id")).data ||
            !ws_order_text(ws_order_member(root, "status")).data)
                return false;
        n_known = 2;
        n_known += json_object_object_get_ex(root, "message", NULL);
        n_known += json_object_object_get_ex(root, "timestamp", NULL);
        return (size_t)json_object_object_length(root) == n_known;
}
