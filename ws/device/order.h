#pragma once

/*
 * WsOrder: what a user asks a device to do, whichever way he says it.
 *
 * HTTP (endpoint_commands.c) and the native protocol (op "command", "cancel") read the same
 * members, are checked by the same rules, ask with the same Query and explain its Answer with the
 * same words:
 *
 *      ws_order_read()    the JSON                         -> WsOrder, or why it is none
 *      ws_order_ask()     who, to which device, the order  -> Query, or a refusal
 *      ws_order_result()  the Answer                       -> accepted, or a refusal
 *
 * The Answer then has command_id, state and, as its one body, the command as JSON. Loop thread.
 */

#include "base/base.h"
#include "model/account.h"
#include "model/query.h"
#include "ws/loop/options.h"

#define WS_ORDER_NAME 129 /* an action or an idempotency key, with NUL */

typedef struct WsOrder WsOrder;
typedef struct WsRefused WsRefused;

/* Memory of the caller, released by ws_order_done(). */
struct WsOrder {
        char action[WS_ORDER_NAME];
        char idempotency_key[WS_ORDER_NAME]; /* "" = none */
        char *payload;                       /* owned; JSON object; NULL = none */
        int timeout_ms;                      /* 0 = does not say */
};

/* Why not: as HTTP status, as code of an error, in words, and whether it may help to try again. */
struct WsRefused {
        int status;       /* 0 = not refused */
        const char *code; /* static, as is the next */
        const char *detail;
        bool retry;
};

/* @json has "action" and may have "payload", "timeout_ms" and "idempotency_key"; other members are
 * for others. */
MUST_CHECK int ws_order_read(const WsOptions *options,
                             Text json,
                             WsOrder *ret_order,
                             WsRefused *ret_refused);
void ws_order_done(WsOrder *order);
bool ws_order_is_key(Text key); /* as idempotency key: 1 to 128 printable characters */

/* @user NULL: nobody. @device NULL: there is none of that name. *ret_query has no ticket yet. */
MUST_CHECK int ws_order_ask(const WsOptions *options,
                            const User *user,
                            const Device *device,
                            const WsOrder *order,
                            Query **ret_query,
                            WsRefused *ret_refused);

/* Counts it, too. 202 and 200 are no refusals. */
WsRefused ws_order_result(const Answer *answer);

/* To take one back, which who sent it, the owner of the device and admins may. */
MUST_CHECK int ws_order_cancel(const User *user,
                               Text command_id,
                               Query **ret_query,
                               WsRefused *ret_refused);
WsRefused ws_order_cancelled(const Answer *answer);

/* Is this frame of a device the answer to a command, {"command_id":…,"status":…}, and nothing
 * else? */
bool ws_order_is_ack(Text json);
