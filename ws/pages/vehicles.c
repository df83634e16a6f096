#include "base/json_out.h"
#include "ws/pages/page.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/metrics.h"
#include "ws/http/precheck.h"

/* The vehicles: docs/protocol.md, 3 D. */

#define WS_VEHICLES_LOGS  1000
#define WS_VEHICLES_DEPTH 8
#define WS_VEHICLES_LOGIN 16384 /* bytes of it that are read */
#define WS_VEHICLES_TOKEN 8192  /* as long as one of a header may be */

#define WS_VEHICLES_NO_LOG  "Log not found"
#define WS_VEHICLES_NO_LOGS "No logs found for this vehicle"

DEFINE_CLEANUP(json_object *, json_object_put);

static int ws_vehicles_empty(WsCall *call) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(ws_response_json(call->response), "[]");
        return 0;
}

static bool ws_vehicles_sees(const WsCall *call, int64_t id) {
        const User *user = call->identity.user;
        const Vehicle *vehicle = registry_vehicle(call->access->registry, id);

        return vehicle && (!user || user_sees_vehicle(user, vehicle));
}

int ws_page_vehicles(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_VEHICLES);

        if (!ws_page_part(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

static int ws_vehicles_one(WsCall *call, PageKind kind, const char *missing) {
        PageQuery page = ws_page(call, kind);
        const Vehicle *vehicle;

        if (kind == PAGE_VEHICLE_LATEST || kind == PAGE_VEHICLE_BATTERY)
                page.limit = 1;
        else if (kind != PAGE_VEHICLE && !ws_page_part(call, &page))
                return 0;
        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle)) {
                (void)ws_page_refuse(call, 404, missing); /* as its page shows it */
                return 0;
        }
        page.vehicle_id = vehicle->id;
        return ws_page_ask(call, &page);
}

int ws_page_vehicle(WsCall *call) {
        return ws_vehicles_one(call, PAGE_VEHICLE, "Vehicle not found");
}

int ws_page_vehicle_latest(WsCall *call) {
        return ws_vehicles_one(call, PAGE_VEHICLE_LATEST, WS_VEHICLES_NO_LOGS);
}

/* What is not there is called as its page shows it, whatever it is that lacks. */
static int ws_vehicles_answer(WsCall *call, const Answer *answer, const char *missing) {
        if (answer->status != 404)
                return err_up(ws_page_answer(call, answer));
        (void)ws_page_refuse(call, 404, missing);
        return 0;
}

int ws_page_vehicle_latest_answer(WsCall *call, const Answer *answer) {
        return err_up(ws_vehicles_answer(call, answer, WS_VEHICLES_NO_LOGS));
}

int ws_page_vehicle_log_answer(WsCall *call, const Answer *answer) {
        return err_up(ws_vehicles_answer(call, answer, WS_VEHICLES_NO_LOG));
}

int ws_page_vehicle_battery(WsCall *call) {
        return ws_vehicles_one(call, PAGE_VEHICLE_BATTERY, "Vehicle not found");
}

int ws_page_vehicle_sensors(WsCall *call) {
        return ws_vehicles_one(call, PAGE_VEHICLE_SENSORS, "Vehicle not found");
}

int ws_page_vehicle_sensor_status(WsCall *call) {
        return ws_vehicles_one(call, PAGE_SENSOR_STATUS, "Vehicle not found");
}

int ws_page_vehicle_alerts(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_VEHICLE_ALERTS);
        const Vehicle *vehicle;

        page.limit = 100;
        if (!ws_page_number(call, "limit", 0, WS_VEHICLES_LOGS, &page.limit) ||
            !ws_page_offset(call, WS_PAGE_OFFSET, &page.offset))
                return 0;
        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle)) {
                (void)ws_page_refuse(call, 404, "Vehicle not found");
                return 0;
        }
        page.vehicle_id = vehicle->id;
        return ws_page_ask(call, &page);
}

int ws_page_raw_stats(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_RAW_STATS);

        return ws_page_ask(call, &page);
}

int ws_page_sensor_status(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_SENSOR_STATUS);

        if (!ws_page_part(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

/* Of a vehicle that there is none of, or that is another's, there are no logs. */
static int ws_vehicles_logs(WsCall *call, PageKind kind, int64_t limit) {
        PageQuery page = ws_page(call, kind);
        int64_t sensor = INT64_MAX;

        page.limit = limit;
        if (!ws_page_number(call, "vehicle_id", 0, INT64_MAX, &page.vehicle_id) ||
            !ws_page_number(call, "limit", 0, WS_VEHICLES_LOGS, &page.limit) ||
            !ws_page_offset(call, WS_PAGE_OFFSET, &page.offset) ||
            !ws_page_time(call, "start_time", &page.from_us) ||
            !ws_page_time(call, "start", &page.from_us) ||
            !ws_page_time(call, "end_time", &page.to_us) || !ws_page_time(call, "end", &page.to_us))
                return 0;
        if (kind == PAGE_SENSOR_LOGS && !ws_page_number(call, "sensor_id", 0, INT32_MAX, &sensor))
                return 0;
        if (kind == PAGE_SENSOR_LOGS && sensor != INT64_MAX)
                snprintf(page.text, sizeof(page.text), "%lld", (long long)sensor);
        if (page.to_us != CLOCK_UNKNOWN)
                page.to_us += 1000; /* what is at the end counts, too; times go out in ms */
        if (page.vehicle_id != 0 && !ws_vehicles_sees(call, page.vehicle_id))
                return ws_vehicles_empty(call);
        return ws_page_ask(call, &page);
}

int ws_page_vehicle_logs(WsCall *call) {
        return ws_vehicles_logs(call, PAGE_VEHICLE_LOGS, 100);
}

int ws_page_sensor_logs(WsCall *call) {
        return ws_vehicles_logs(call, PAGE_SENSOR_LOGS, WS_VEHICLES_LOGS);
}

int ws_page_raw_logs(WsCall *call) {
        return ws_vehicles_logs(call, PAGE_RAW_LOGS, WS_VEHICLES_LOGS);
}

static int ws_vehicles_log(WsCall *call, PageKind kind) {
        PageQuery page = ws_page(call, kind);
        uint64_t id;

        if (!text_to_number(text_of(call->target), INT64_MAX, &id)) {
                (void)ws_page_refuse(call, 404, WS_VEHICLES_NO_LOG);
                return 0;
        }
        page.number = (int64_t)id;
        return ws_page_ask(call, &page);
}

int ws_page_vehicle_log(WsCall *call) {
        return ws_vehicles_log(call, PAGE_VEHICLE_LOG);
}

int ws_page_sensor_log(WsCall *call) {
        return ws_vehicles_log(call, PAGE_SENSOR_LOG);
}

int ws_page_raw_log(WsCall *call) {
        return ws_vehicles_log(call, PAGE_RAW_LOG);
}

int ws_page_mqtt_status(WsCall *call) {
        bool is_connected = metric_get(METRIC_MQTT_CONNECTED) != 0;
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_string(&out, "status", is_connected ? "running" : "stopped");
        json_out_bool(&out, "connected", is_connected);
        json_out_object_end(&out);
        return 0;
}

/* ---- who is signed in ----------------------------------------------------------------------- */

/* Users have names here, which may be addresses; since when they are is not for a page. */
static void ws_vehicles_user(JsonOut *out, const char *name, int64_t id, const char *email) {
        json_out_object(out, name);
        json_out_string(out, "email", email);
        json_out_null(out, "full_name");
        json_out_int(out, "id", id);
        json_out_bool(out, "is_verified", true);
        json_out_null(out, "created_at");
        json_out_null(out, "updated_at");
        json_out_object_end(out);
}

int ws_page_vehicle_user(WsCall *call) {
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        ws_vehicles_user(&out, NULL, call->identity.user->id, call->identity.user->name);
        return 0;
}

/* The answer of a log-in as its page has it: the user before the token, which stands there once
 * more by the name of what a page renews by, if it can be renewed. */
static int ws_vehicles_wrap(WsCall *call, int64_t id, const char *name) {
        static const char begin[] = "{\"access_token\":";
        Text token = buf_text(&call->response->body);
        CLEANUP_BUF Buf body = { 0 };
        JsonOut out = { .buf = &body };
        size_t n = sizeof(begin) - 1;

        if (call->response->status != 200 || !text_begins(token, text_of(begin)))
                return 0;
        json_out_object(&out, NULL);
        ws_vehicles_user(&out, "user", id, name);
        buf_append_char(&body, ',');
        buf_append_text(&body, (Text){ token.data + 1, token.n - 2 });
        if (call->options->session_max_s > 0)
                json_out_raw(&out,
                             "refresh_token",
                             (Text){ token.data + n, strcspn(token.data + n, ",") });
        json_out_object_end(&out);
        if (buf_failed(&body))
                return err_new(-ENOMEM);
        buf_reset(&call->response->body);
        buf_append_text(&call->response->body, buf_text(&body));
        return 0;
}

static json_object *ws_vehicles_parse(Text body) {
        CLEANUP(json_object_put) json_object *root = NULL;
        json_tokener *tokener;

        if (body.n > WS_VEHICLES_LOGIN) /* of somebody whom we do not know yet */
                return NULL;
        tokener = json_tokener_new_ex(WS_VEHICLES_DEPTH);
        if (!tokener)
                return NULL;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        root = json_tokener_parse_ex(tokener, body.data, (int)body.n);
        if (json_tokener_get_error(tokener) != json_tokener_success && root) {
                json_object_put(root);
                root = NULL;
        }
        json_tokener_free(tokener);
        return TAKE(&root);
}

/* A member that is text without NUL, and fits. */
static bool ws_vehicles_text(json_object *root, const char *name, char *ret_text, size_t size) {
        json_object *member = NULL;

        if (!json_object_is_type(root, json_type_object) ||
            !json_object_object_get_ex(root, name, &member) ||
            !json_object_is_type(member, json_type_string))
                return false;
        snprintf(ret_text, size, "%s", json_object_get_string(member));
        return strlen(ret_text) == (size_t)json_object_get_string_len(member);
}

/* Who brings no credential as others do may say it in the body, by the name that the log-in gave it
 * there: what it is, and what ends it, is the same. */
static int ws_vehicles_identify(WsCall *call) {
        CLEANUP(json_object_put) json_object *root = ws_vehicles_parse(call->body);
        char token[WS_VEHICLES_TOKEN];
        const char *why = "";
        int r = WS_REQUEST_E_NONE;

        if (ws_vehicles_text(root, "refresh_token", token, sizeof(token)))
                r = ws_request_identify_token(call->access,
                                              token,
                                              call->now_us,
                                              &call->identity,
                                              &why);
        secret_wipe(token, sizeof(token));
        if (r < 0)
                return err_up(r);
        if (r > 0)
                ws_precheck_refuse(call, r, why);
        return 0;
}

int ws_page_vehicle_refresh(WsCall *call) {
        int r = call->identity.user ? 0 : ws_vehicles_identify(call);

        if (r == 0 && call->response->status == 0)
                r = ws_endpoint_token_refresh(call);
        if (r == 0 && call->response->status == 200)
                r = ws_vehicles_wrap(call, call->identity.user->id, call->identity.user->name);
        return err_up(r);
}

int ws_page_vehicle_login(WsCall *call) {
        CLEANUP(json_object_put) json_object *root = ws_vehicles_parse(call->body);
        char password[WS_LOGIN_PASSWORD];
        int r;

        if (!ws_vehicles_text(root, "email", call->account, sizeof(call->account)) ||
            !ws_vehicles_text(root, "password", password, sizeof(password))) {
                secret_wipe(password, sizeof(password));
                (void)ws_page_refuse(call, 422, "The body must have email and password.");
                return 0;
        }
        r = ws_endpoint_login(call, password);
        secret_wipe(password, sizeof(password));
        return err_up(r);
}

int ws_page_vehicle_login_answer(WsCall *call, const Answer *answer) {
        int r = ws_endpoint_token_answer(call, answer);

        if (r == 0)
                r = ws_vehicles_wrap(call, answer->user_id, call->account);
        return err_up(r);
}

/* Who leaves forgets his token; what ends it here is `tidegate user revoke`. */
int ws_page_vehicle_logout(WsCall *call) {
        buf_append_string(ws_response_json(call->response),
                          "{\"message\":\"Successfully logged out\"}");
        return 0;
}
