#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/text.h"
#include "ws/http/endpoint.h"
#include "ws/viewer/device_json.h"

#define WS_DATA_MINUTES     5
#define WS_DATA_MINUTES_MAX 525600 /* a year */
#define WS_DATA_LIMIT       100
#define WS_DATA_LIMIT_MAX   1000

/* The parameter @name as a whole number from @low to @high; @ret_value is left alone if it is
 * absent. false: it is something else. */
static bool ws_data_number(const WsCall *call,
                           const char *name,
                           int64_t low,
                           int64_t high,
                           int64_t *ret_value) {
        char text[32];
        uint64_t value;

        if (!ws_request_param(call->request, name, text, sizeof(text)))
                return true;
        if (!text_to_number(text_of(text), (uint64_t)high, &value) || (int64_t)value < low)
                return false;
        *ret_value = (int64_t)value;
        return true;
}

static int ws_data_bad(WsCall *call, const char *detail) {
        ws_response_problem(call->response, 400, "bad_request", detail);
        return 0;
}

/* One body, for what this caller may see: 0 stands for everything. */
static int ws_data_ask(WsCall *call, QueryKind kind, int minutes, int64_t device_id) {
        CLEANUP(query_free) Query *query = NULL;
        const User *user = call->identity.user;
        int r;

        r = query_new(&query, kind);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = user && user->role != ROLE_ADMIN ? user->id : 0;
        query->n_user_ids = 1;
        query->minutes = minutes;
        query->style = call->options->counter;
        query->device_id = device_id;

        call->query = TAKE(&query);
        return 0;
}

int ws_endpoint_detections(WsCall *call) {
        int64_t minutes = WS_DATA_MINUTES;
        const Device *device = NULL;
        char code[256] = "";

        if (!ws_data_number(call, "minutes", 1, WS_DATA_MINUTES_MAX, &minutes))
                return ws_data_bad(call, "minutes must be a whole number from 1 to 525600.");
        if (ws_request_param(call->request, "device_id", code, sizeof(code)) && *code &&
            !ws_endpoint_see_device(call, code, &device))
                return 0;
        return ws_data_ask(call, QUERY_DETECTION_STATS, (int)minutes, device ? device->id : 0);
}

int ws_endpoint_cameras(WsCall *call) {
        return ws_data_ask(call, QUERY_CAMERA_STATS, 0, 0);
}

int ws_endpoint_data_answer(WsCall *call, const Answer *answer) {
        if (answer->status != 200 || answer->n_bodies != 1) {
                ws_response_retry_after(call->response, 2);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there.");
                return 0;
        }
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
        return 0;
}

static bool ws_data_page(WsCall *call, int64_t *ret_limit, int64_t *ret_after) {
        *ret_limit = WS_DATA_LIMIT;
        *ret_after = 0;
        return ws_data_number(call, "limit", 1, WS_DATA_LIMIT_MAX, ret_limit) &&
               ws_data_number(call, "cursor", 0, INT64_MAX, ret_after);
}

static void ws_data_vehicle(JsonOut *out, const Vehicle *vehicle) {
        json_out_object(out, NULL);
        json_out_int(out, "id", vehicle->id);
        json_out_string(out, "code", vehicle->code);
        json_out_string(out, "name", vehicle->name);
        json_out_bool(out, "is_active", vehicle->is_active);
        ws_clock_json(out, &vehicle->clock.now);
        json_out_object_end(out);
}

int ws_endpoint_device(WsCall *call) {
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device))
                return 0;
        ws_response_header(call->response, "Cache-Control", "no-store");
        ws_device_clock_json(&(JsonOut){ .buf = ws_response_json(call->response) }, NULL, device);
        return 0;
}

int ws_endpoint_vehicle(WsCall *call) {
        const Vehicle *vehicle;

        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle))
                return 0;
        ws_response_header(call->response, "Cache-Control", "no-store");
        ws_data_vehicle(&(JsonOut){ .buf = ws_response_json(call->response) }, vehicle);
        return 0;
}

/* Up to @limit devices after @after; the id to go on from, or 0 at the end. */
static int64_t ws_data_devices(WsCall *call, int64_t limit, int64_t after, JsonOut *out) {
        const Registry *registry = call->access->registry;
        const User *user = call->identity.user;
        const Device *device;
        int64_t last = 0;

        while ((device = registry_next_device(registry, after))) {
                after = device->id;
                if (user && !user_sees_device(user, device))
                        continue;
                if (limit-- == 0)
                        return last;
                ws_device_clock_json(out, NULL, device);
                last = device->id;
        }
        return 0;
}

static int64_t ws_data_vehicles(WsCall *call, int64_t limit, int64_t after, JsonOut *out) {
        const Registry *registry = call->access->registry;
        const User *user = call->identity.user;
        const Vehicle *vehicle;
        int64_t last = 0;

        while ((vehicle = registry_next_vehicle(registry, after))) {
                after = vehicle->id;
                if (user && !user_sees_vehicle(user, vehicle))
                        continue;
                if (limit-- == 0)
                        return last;
                ws_data_vehicle(out, vehicle);
                last = after;
        }
        return 0;
}

static int ws_data_list(WsCall *call, int64_t (*fill)(WsCall *, int64_t, int64_t, JsonOut *)) {
        JsonOut out = { .buf = &call->response->body };
        int64_t limit, after, next;
        char cursor[24];

        if (!ws_data_page(call, &limit, &after))
                return ws_data_bad(call, "limit must be 1 to 1000, cursor as it was given.");

        ws_response_json(call->response);
        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_array(&out, "items");
        next = fill(call, limit, after, &out);
        json_out_array_end(&out);
        snprintf(cursor, sizeof(cursor), "%lld", (long long)next);
        json_out_string(&out, "cursor", next > 0 ? cursor : NULL);
        json_out_object_end(&out);
        return 0;
}

int ws_endpoint_devices(WsCall *call) {
        return ws_data_list(call, ws_data_devices);
}

int ws_endpoint_vehicles(WsCall *call) {
        return ws_data_list(call, ws_data_vehicles);
}
