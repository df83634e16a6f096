#include <stdio.h>

#include "base/err.h"
#include "ws/device/order.h"
#include "ws/http/endpoint.h"
#include "ws/wire/frame.h"

#define WS_COMMANDS_RETRY_S 2

static void ws_commands_refuse(WsCall *call, const WsRefused *refused) {
        if (refused->retry)
                ws_response_retry_after(call->response, WS_COMMANDS_RETRY_S);
        ws_response_problem(call->response, refused->status, refused->code, refused->detail);
}

/* The key may come in the header, in the body, or in both if it is the same. */
static bool ws_commands_take_key(const WsCall *call, WsOrder *order, WsRefused *ret_refused) {
        Text key = text_of(call->idempotency_key);

        if (key.n == 0)
                return true;
        if (!ws_order_is_key(key) ||
            (*order->idempotency_key && !text_equal(key, text_of(order->idempotency_key)))) {
                *ret_refused =
                        (WsRefused){ 422,
                                     "invalid",
                                     "Idempotency-Key must be 1 to 128 printable characters, "
                                     "and the same as in the body.",
                                     false };
                return false;
        }
        memcpy(order->idempotency_key, key.data, key.n + 1);
        return true;
}

int ws_endpoint_command(WsCall *call) {
        __attribute__((cleanup(ws_order_done))) WsOrder order = { 0 };
        WsRefused refused = { 0 };
        int r;

        r = ws_order_read(call->options, call->body, &order, &refused);
        if (r < 0)
                return err_up(r);
        if (refused.status == 0 && ws_commands_take_key(call, &order, &refused)) {
                r = ws_order_ask(call->options,
                                 call->identity.user,
                                 registry_find_device_for(call->access->registry,
                                                          call->identity.user,
                                                          text_of(call->target)),
                                 &order,
                                 &call->query,
                                 &refused);
                if (r < 0)
                        return err_up(r);
        }
        if (refused.status != 0)
                ws_commands_refuse(call, &refused);
        return 0;
}

/* 202 for a new one, with where to ask about it; 200 for one that was there. */
int ws_endpoint_command_answer(WsCall *call, const Answer *answer) {
        WsRefused refused = ws_order_result(answer);
        char location[64];

        ws_response_header(call->response, "Cache-Control", "no-store");
        if (refused.status != 0) {
                ws_commands_refuse(call, &refused);
                return 0;
        }
        snprintf(location, sizeof(location), "/api/commands/%s", answer->command_id);
        ws_response_header(call->response, "Location", location);
        buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
        call->response->status = answer->status;
        return 0;
}

int ws_endpoint_command_get(WsCall *call) {
        CLEANUP(query_free) Query *query = NULL;
        const User *user = call->identity.user;
        int r;

        if (!ws_frame_is_utf8(
                    text_of(call->target))) { /* no id of ours, and none for the database */
                ws_response_problem(call->response, 404, "not_found", "There is no such command.");
                return 0;
        }
        r = query_new(&query, QUERY_COMMAND_GET);
        if (r < 0)
                return err_up(r);
        query->command_id = strdup(call->target);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->command_id || !query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = user->role == ROLE_ADMIN ? 0 : user->id;
        query->n_user_ids = 1;
        call->query = TAKE(&query);
        return 0;
}

int ws_endpoint_command_cancel(WsCall *call) {
        WsRefused refused = { 0 };
        int r;

        r = ws_order_cancel(call->identity.user, text_of(call->target), &call->query, &refused);
        if (r < 0)
                return err_up(r);
        if (refused.status != 0)
                ws_commands_refuse(call, &refused);
        return 0;
}

int ws_endpoint_command_cancel_answer(WsCall *call, const Answer *answer) {
        WsRefused refused = ws_order_cancelled(answer);

        ws_response_header(call->response, "Cache-Control", "no-store");
        if (refused.status != 0)
                ws_commands_refuse(call, &refused);
        else
                buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
        return 0;
}

int ws_endpoint_command_get_answer(WsCall *call, const Answer *answer) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        if (answer->status == 200) {
                buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
        } else if (answer->status == 404) {
                ws_response_problem(call->response, 404, "not_found", "There is no such command.");
        } else {
                ws_response_retry_after(call->response, WS_COMMANDS_RETRY_S);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there.");
        }
        return 0;
}
