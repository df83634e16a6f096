#include "base/err.h"
#include "ws/manage/change.h"

#define WS_JSON "application/json"

/* What each asks; its answer is told in one way. */
static int ws_manage_users(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USERS));
}

static int ws_manage_user_add(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_ADD));
}

static int ws_manage_user_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_DELETE));
}

/* As the table in ws/http/endpoint.c. */
/* clang-format off */
const WsEndpoint ws_manage_endpoints[] = {
        { "/api/manage/users", "GET", WS_ENDPOINT_USER,
          ws_manage_users, ws_change_answer, NULL },
        { "/api/manage/users", "POST", WS_ENDPOINT_USER,
          ws_manage_user_add, ws_change_answer, WS_JSON },
        { "/api/manage/users/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_user_delete, ws_change_answer, NULL },
};
/* clang-format on */

const size_t ws_manage_n_endpoints = N_ELEMENTS(ws_manage_endpoints);
