#include "ws/manage/try.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/err.h"
#include "ws/manage/change.h"
#include "ws/wire/weight.h"

#define WS_TRY_TOPIC_MAX 65535
#define WS_TRY_PAYLOAD   65536 /* unless it is said otherwise, as is the next */
#define WS_TRY_CONFIG    131072
#define WS_TRY_RETRY_S   2

DEFINE_CLEANUP(json_object *, json_object_put);
DEFINE_CLEANUP(uint8_t *, free);

static size_t ws_try_payload_max(const WsCall *call) {
        return call->options->try_payload_bytes > 0 ? call->options->try_payload_bytes
                                                    : WS_TRY_PAYLOAD;
}

static size_t ws_try_config_max(const WsCall *call) {
        return call->options->try_config_bytes > 0 ? call->options->try_config_bytes
                                                   : WS_TRY_CONFIG;
}

static void ws_try_refuse(WsCall *call, const char *detail) {
        ws_response_problem(call->response, 422, "invalid", detail);
}

/* NULL: a JSON object it is not. */
static json_object *ws_try_parse(const WsCall *call) {
        CLEANUP(json_object_put) json_object *root = NULL;
        const WsOptions *options = call->options;
        json_tokener *tokener;

        if (call->body.n == 0 || call->body.n > INT32_MAX || !ws_weight_is_light(call->body) ||
            (options->check_json && options->check_json(call->body) != REASON_NONE))
                return NULL;
        tokener = json_tokener_new();
        if (!tokener)
                return NULL;
        root = json_tokener_parse_ex(tokener, call->body.data, (int)call->body.n);
        json_tokener_free(tokener);
        return json_object_is_type(root, json_type_object) ? TAKE(&root) : NULL;
}

/* A text of at most @n_max bytes; without data: it is absent, or null. False: the response says
 * what is wrong. */
static bool ws_try_text(WsCall *call,
                        json_object *root,
                        const char *name,
                        size_t n_max,
                        Text *ret_text) {
        json_object *member = NULL;
        char detail[96];

        *ret_text = (Text){ 0 };
        if (!json_object_object_get_ex(root, name, &member) || !member)
                return true;
        if (json_object_is_type(member, json_type_string))
                *ret_text = (Text){ .data = json_object_get_string(member),
                                    .n = (size_t)json_object_get_string_len(member) };
        if (ret_text->data && ret_text->n <= n_max)
                return true;
        snprintf(detail, sizeof(detail), "%s must be a text of at most %zu bytes.", name, n_max);
        ws_try_refuse(call, detail);
        return false;
}

/* With its padding, or without. */
static int ws_try_bytes(WsCall *call, Text text, Buf *payload, bool *ret_ok) {
        size_t n_max = ws_try_payload_max(call), n_pad = 0, n = 0;
        CLEANUP(free) uint8_t *bytes = malloc(n_max);
        char detail[96];

        if (!bytes)
                return err_new(-ENOMEM);
        while (n_pad < 2 && n_pad < text.n && text.data[text.n - 1 - n_pad] == '=')
                ++n_pad;
        text.n -= n_pad;
        *ret_ok = base64_read(BASE64_PLAIN, text, bytes, n_max, &n);
        if (*ret_ok) {
                buf_append(payload, bytes, n);
                return 0;
        }
        snprintf(detail,
                 sizeof(detail),
                 "payload_base64 must be base64 of at most %zu bytes.",
                 n_max);
        ws_try_refuse(call, detail);
        return 0;
}

/* Of what it has of the two, one. */
static int ws_try_payload(WsCall *call, json_object *root, Buf *payload, bool *ret_ok) {
        size_t n_max = ws_try_payload_max(call);
        Text text, base64;

        *ret_ok = false;
        if (!ws_try_text(call, root, "payload", n_max, &text) ||
            !ws_try_text(call, root, "payload_base64", BASE64_SIZE(n_max) + 2, &base64))
                return 0;
        if (!text.data == !base64.data) {
                ws_try_refuse(call, "Say one of payload and payload_base64.");
                return 0;
        }
        if (base64.data)
                return err_up(ws_try_bytes(call, base64, payload, ret_ok));
        buf_append_text(payload, text);
        *ret_ok = true;
        return 0;
}

/* *ret_ok false: the response says what is wrong. */
static int ws_try_read(WsCall *call, QueryTry *attempt, bool *ret_ok) {
        CLEANUP(json_object_put) json_object *root = ws_try_parse(call);
        Text topic, config;
        int r;

        *ret_ok = false;
        if (!root) {
                ws_response_problem(call->response,
                                    400,
                                    "bad_request",
                                    "The body must be a JSON object.");
                return 0;
        }
        if (!ws_try_text(call, root, "topic", WS_TRY_TOPIC_MAX, &topic) ||
            !ws_try_text(call, root, "config", ws_try_config_max(call), &config))
                return 0;
        r = ws_try_payload(call, root, &attempt->payload, ret_ok);
        attempt->has_config = config.data != NULL;
        buf_append_text(&attempt->topic, topic);
        buf_append_text(&attempt->config, config);
        if (r == 0 && (buf_failed(&attempt->topic) || buf_failed(&attempt->payload) ||
                       buf_failed(&attempt->config)))
                r = err_new(-ENOMEM);
        return err_up(r);
}

int ws_try_ask(WsCall *call) {
        CLEANUP(query_free) Query *query = NULL;
        bool is_ok = false;
        int r;

        if (call->identity.user->role != ROLE_ADMIN) {
                ws_response_problem(call->response, 403, "forbidden", "Only admins try routes.");
                return 0;
        }
        if (!ws_change_may(call))
                return 0;
        r = query_new(&query, QUERY_TRY);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->attempt = calloc(1, sizeof(*query->attempt));
        if (!query->user_ids || !query->attempt)
                return err_new(-ENOMEM);
        query->user_ids[0] = call->identity.user->id;
        query->n_user_ids = 1;
        r = ws_try_read(call, query->attempt, &is_ok);
        if (r == 0 && is_ok)
                call->query = TAKE(&query);
        return err_up(r);
}

/* The members of @errors, {"errors":[...]}, are the problem's, too. */
static void ws_try_tell_errors(WsCall *call, Text errors) {
        Buf *body = &call->response->body;

        ws_try_refuse(call, "It cannot be tried: see errors.");
        if (buf_failed(body) || errors.n < 2)
                return;
        body->data[body->n - 1] = ',';
        buf_append(body, errors.data + 1, errors.n - 1);
}

int ws_try_answer(WsCall *call, const Answer *answer) {
        Text text = answer->n_bodies == 1 ? buf_text(&answer->bodies[0]) : (Text){ 0 };

        ws_response_header(call->response, "Cache-Control", "no-store");
        switch (text.n > 0 ? answer->status : 503) {
        case 200:
                buf_append_text(ws_response_json(call->response), text);
                return 0;
        case 422:
                ws_try_tell_errors(call, text);
                return 0;
        default:
                ws_response_retry_after(call->response, WS_TRY_RETRY_S);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "Too much is tried at a time.");
                return 0;
        }
}
