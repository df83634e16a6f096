#include "base/err.h"
#include "ws/manage/change.h"
#include "ws/manage/try.h"

#define WS_JSON "application/json"

/* What each asks; its answer is told in one way. */
static int ws_manage_alert_acknowledge(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_ALERT_ACKNOWLEDGE));
}

static int ws_manage_commands(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_COMMANDS));
}

static int ws_manage_letter_discard(WsCall *call) {
        return err_up(ws_change_discard(call, ws_endpoint_letter_replay(call)));
}

static int ws_manage_letters_discard(WsCall *call) {
        return err_up(ws_change_discard(call, ws_endpoint_letters_replay(call)));
}

static int ws_manage_devices(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICES));
}

static int ws_manage_device_add(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_ADD));
}

static int ws_manage_device_shares(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_SHARES));
}

static int ws_manage_device_share(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_SHARE));
}

static int ws_manage_device_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_DELETE));
}

static int ws_manage_device_rotate(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_ROTATE));
}

static int ws_manage_device_revoke(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_REVOKE));
}

static int ws_manage_device_uplink_on(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_UPLINK_ON));
}

static int ws_manage_device_uplink_off(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_DEVICE_UPLINK_OFF));
}

static int ws_manage_groups(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUPS));
}

static int ws_manage_group_add(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUP_ADD));
}

static int ws_manage_group_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUP_DELETE));
}

static int ws_manage_group_remove(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUP_REMOVE));
}

static int ws_manage_group_shares(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUP_SHARES));
}

static int ws_manage_group_share(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_GROUP_SHARE));
}

static int ws_manage_share_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_SHARE_DELETE));
}

static int ws_manage_users(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USERS));
}

static int ws_manage_user_add(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_ADD));
}

static int ws_manage_user_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_DELETE));
}

static int ws_manage_user_disable(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_DISABLE));
}

static int ws_manage_user_enable(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_ENABLE));
}

static int ws_manage_user_identifier(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_IDENTIFIER));
}

static int ws_manage_user_password(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_PASSWORD));
}

static int ws_manage_user_revoke(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_REVOKE));
}

static int ws_manage_user_token(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_USER_TOKEN));
}

static int ws_manage_vehicles(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_VEHICLES));
}

static int ws_manage_vehicle_add(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_VEHICLE_ADD));
}

static int ws_manage_vehicle_delete(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_VEHICLE_DELETE));
}

static int ws_manage_vehicle_shares(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_VEHICLE_SHARES));
}

static int ws_manage_vehicle_share(WsCall *call) {
        return err_up(ws_change_ask(call, MANAGE_VEHICLE_SHARE));
}

/* As the table in ws/http/endpoint.c. */
/* clang-format off */
const WsEndpoint ws_manage_endpoints[] = {
        { "/api/alerts/{id}/acknowledge", "POST", WS_ENDPOINT_USER,
          ws_manage_alert_acknowledge, ws_change_answer, NULL },
        { "/api/commands", "GET", WS_ENDPOINT_USER,
          ws_manage_commands, ws_change_answer, NULL },
        { "/api/dead-letters", "DELETE", WS_ENDPOINT_USER,
          ws_manage_letters_discard, ws_endpoint_letters_answer, NULL },
        { "/api/dead-letters/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_letter_discard, ws_endpoint_letters_answer, NULL },
        { "/api/manage/devices", "GET", WS_ENDPOINT_USER,
          ws_manage_devices, ws_change_answer, NULL },
        { "/api/manage/devices", "POST", WS_ENDPOINT_USER,
          ws_manage_device_add, ws_change_answer, WS_JSON },
        { "/api/manage/devices/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_device_delete, ws_change_answer, NULL },
        { "/api/manage/devices/{id}/shares", "GET", WS_ENDPOINT_USER,
          ws_manage_device_shares, ws_change_answer, NULL },
        { "/api/manage/devices/{id}/shares", "PUT", WS_ENDPOINT_USER,
          ws_manage_device_share, ws_change_answer, WS_JSON },
        { "/api/manage/devices/{id}/token", "POST", WS_ENDPOINT_USER,
          ws_manage_device_rotate, ws_change_answer, NULL },
        { "/api/manage/devices/{id}/token", "DELETE", WS_ENDPOINT_USER,
          ws_manage_device_revoke, ws_change_answer, NULL },
        { "/api/manage/devices/{id}/uplink", "POST", WS_ENDPOINT_USER,
          ws_manage_device_uplink_on, ws_change_answer, NULL },
        { "/api/manage/devices/{id}/uplink", "DELETE", WS_ENDPOINT_USER,
          ws_manage_device_uplink_off, ws_change_answer, NULL },
        { "/api/manage/groups", "GET", WS_ENDPOINT_USER,
          ws_manage_groups, ws_change_answer, NULL },
        { "/api/manage/groups", "POST", WS_ENDPOINT_USER,
          ws_manage_group_add, ws_change_answer, WS_JSON },
        { "/api/manage/groups/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_group_delete, ws_change_answer, NULL },
        { "/api/manage/groups/{id}/remove", "POST", WS_ENDPOINT_USER,
          ws_manage_group_remove, ws_change_answer, WS_JSON },
        { "/api/manage/groups/{id}/shares", "GET", WS_ENDPOINT_USER,
          ws_manage_group_shares, ws_change_answer, NULL },
        { "/api/manage/groups/{id}/shares", "PUT", WS_ENDPOINT_USER,
          ws_manage_group_share, ws_change_answer, WS_JSON },
        { "/api/manage/shares/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_share_delete, ws_change_answer, NULL },
        { "/api/manage/users", "GET", WS_ENDPOINT_USER,
          ws_manage_users, ws_change_answer, NULL },
        { "/api/manage/users", "POST", WS_ENDPOINT_USER,
          ws_manage_user_add, ws_change_answer, WS_JSON },
        { "/api/manage/users/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_user_delete, ws_change_answer, NULL },
        { "/api/manage/users/{id}/disable", "POST", WS_ENDPOINT_USER,
          ws_manage_user_disable, ws_change_answer, NULL },
        { "/api/manage/users/{id}/enable", "POST", WS_ENDPOINT_USER,
          ws_manage_user_enable, ws_change_answer, NULL },
        { "/api/manage/users/{id}/identifier", "PUT", WS_ENDPOINT_USER,
          ws_manage_user_identifier, ws_change_answer, WS_JSON },
        { "/api/manage/users/{id}/password", "PUT", WS_ENDPOINT_USER,
          ws_manage_user_password, ws_change_answer, WS_JSON },
        { "/api/manage/users/{id}/revoke", "POST", WS_ENDPOINT_USER,
          ws_manage_user_revoke, ws_change_answer, NULL },
        { "/api/manage/users/{id}/token", "POST", WS_ENDPOINT_USER,
          ws_manage_user_token, ws_change_minted, NULL },
        { "/api/manage/vehicles", "GET", WS_ENDPOINT_USER,
          ws_manage_vehicles, ws_change_answer, NULL },
        { "/api/manage/vehicles", "POST", WS_ENDPOINT_USER,
          ws_manage_vehicle_add, ws_change_answer, WS_JSON },
        { "/api/manage/vehicles/{id}", "DELETE", WS_ENDPOINT_USER,
          ws_manage_vehicle_delete, ws_change_answer, NULL },
        { "/api/manage/vehicles/{id}/shares", "GET", WS_ENDPOINT_USER,
          ws_manage_vehicle_shares, ws_change_answer, NULL },
        { "/api/manage/vehicles/{id}/shares", "PUT", WS_ENDPOINT_USER,
          ws_manage_vehicle_share, ws_change_answer, WS_JSON },
        { "/api/routes/try", "POST", WS_ENDPOINT_USER, ws_try_ask, ws_try_answer, WS_JSON },
};
/* clang-format on */

const size_t ws_manage_n_endpoints = N_ELEMENTS(ws_manage_endpoints);
