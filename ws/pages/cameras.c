#include "base/json_out.h"
#include "ws/pages/page.h"

#include <stdio.h>

/* The camera dashboard: docs/protocol.md, 3 E. */

#define WS_CAMERAS_HOURS INT64_C(8784) /* a year of them */
#define WS_CAMERAS_FACES 10            /* of a camera, as its server kept */

int ws_page_cameras(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_CAMERAS);

        page.limit = 100;
        if (!ws_page_offset(call, INT32_MAX, &page.offset) ||
            !ws_page_number(call, "limit", 0, 1000, &page.limit) ||
            !ws_page_flag(call, "active_only", &page.number))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_camera(WsCall *call) {
        return ws_page_ask_device(call, PAGE_CAMERA);
}

int ws_page_camera_status(WsCall *call) {
        return ws_page_ask_device(call, PAGE_CAMERA_STATUS);
}

/* Events come here, and no pictures. */
int ws_page_no_picture(WsCall *call) {
        const Device *device;

        if (ws_endpoint_see_device(call, call->target, &device))
                (void)ws_page_refuse(call,
                                     404,
                                     "Pictures do not pass through here: docs/migrate/cameras.md.");
        return 0;
}

int ws_page_faces(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_FACES);

        page.limit = WS_CAMERAS_FACES;
        return ws_page_ask(call, &page);
}

/* How many pictures of each person there are is known there alone: one of each is what we know. */
int ws_page_face_statistics_answer(WsCall *call, const Answer *answer) {
        static const char begin[] = "{\"total_people\":";
        Text body = answer->n_bodies == 1 ? buf_text(&answer->bodies[0]) : TEXT("");
        size_t n = sizeof(begin) - 1;
        Buf *out = &call->response->body;

        if (answer->status != 200 || body.n <= n || memcmp(body.data, begin, n) != 0)
                return ws_endpoint_data_answer(call, answer);
        ws_response_header(call->response, "Cache-Control", "no-store");
        n += strspn(body.data + n, "0123456789");
        ws_response_json(call->response);
        buf_append_text(out, (Text){ body.data, n });
        buf_append_string(out, ",\"total_encodings\":");
        buf_append_text(out, (Text){ body.data + sizeof(begin) - 1, n - (sizeof(begin) - 1) });
        buf_append_text(out, (Text){ body.data + n, body.n - n });
        return 0;
}

/* Of a camera that there is none of, or that is another's, there is nothing. */
static bool ws_cameras_filter(WsCall *call, PageQuery *page) {
        char code[WS_PAGE_TEXT_SIZE];
        const User *user = call->identity.user;
        const Device *device;

        ws_page_text(call, "camera_id", code);
        if (!*code)
                return true;
        device = registry_find_device_for(call->access->registry, user, text_of(code));
        if (!device || (user && !user_sees_device(user, device)))
                return false;
        page->device_id = device->id;
        return true;
}

static int ws_cameras_history(WsCall *call, bool is_wrapped) {
        PageQuery page = ws_page(call, PAGE_FACE_HISTORY);
        int64_t hours = 24;

        page.limit = 50;
        page.number = is_wrapped;
        if (!ws_page_number(call, "hours", 0, WS_CAMERAS_HOURS, &hours) ||
            !ws_page_number(call, "limit", 0, 500, &page.limit) ||
            !ws_page_offset(call, WS_PAGE_OFFSET, &page.offset))
                return 0;
        ws_page_text(call, "person_name", page.text);
        page.from_us = call->now_us - hours * INT64_C(3600000000);
        if (ws_cameras_filter(call, &page))
                return ws_page_ask(call, &page);
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(ws_response_json(call->response),
                          is_wrapped ? "{\"detections\":[],\"total\":0,\"filtered\":0}" : "[]");
        return 0;
}

int ws_page_face_history(WsCall *call) {
        return ws_cameras_history(call, true);
}

int ws_page_face_history_list(WsCall *call) {
        return ws_cameras_history(call, false);
}

int ws_page_face_sums(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_FACE_SUMS);

        page.number = 7;
        if (!ws_page_number(call, "days", 0, WS_CAMERAS_HOURS / 24, &page.number))
                return 0;
        page.from_us = call->now_us - page.number * CLOCK_DAY_US;
        if (ws_cameras_filter(call, &page))
                return ws_page_ask(call, &page);
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_printf(ws_response_json(call->response),
                   "{\"total_detections\":0,\"unique_people\":0,\"most_detected_person\":null,"
                   "\"time_period_days\":%lld}",
                   (long long)page.number);
        return 0;
}

int ws_page_face_hours(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_FACE_HOURS);
        int64_t hours = 24;

        if (!ws_page_number(call, "hours", 0, WS_CAMERAS_HOURS, &hours))
                return 0;
        page.from_us = call->now_us - hours * INT64_C(3600000000);
        if (ws_cameras_filter(call, &page))
                return ws_page_ask(call, &page);
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(ws_response_json(call->response), "{\"timeline\":[],\"total_hours\":0}");
        return 0;
}

/* Of all that is kept; of who is not there, nothing. */
int ws_page_face_person(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_FACE_HISTORY);

        page.limit = 100;
        if (!ws_page_number(call, "limit", 0, 500, &page.limit) ||
            !ws_page_offset(call, WS_PAGE_OFFSET, &page.offset))
                return 0;
        snprintf(page.text, sizeof(page.text), "%s", call->target);
        return ws_page_ask(call, &page);
}

/* There are none; the page shows its events only where this answers. */
int ws_page_recordings(WsCall *call) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        buf_append_string(ws_response_json(call->response),
                          "{\"recordings\":[],\"total\":0,\"filtered\":0}");
        return 0;
}

/* What its scripts ask before anything else. */
int ws_page_camera_system(WsCall *call) {
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-cache");
        json_out_object(&out, NULL);
        json_out_string(&out, "name", "Tidegate");
        json_out_string(&out, "version", call->options->version);
        json_out_string(&out, "description", "MQTT in, PostgreSQL, WebSocket out");
        json_out_array(&out, "features");
        json_out_array_end(&out);
        json_out_string(&out, "documentation", "/api/openapi.json");
        json_out_string(&out, "status", "operational");
        json_out_object_end(&out);
        return 0;
}

int ws_page_camera_user(WsCall *call) {
        const User *user = call->identity.user;
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_string(&out, "username", user->name);
        json_out_null(&out, "email");
        json_out_int(&out, "id", user->id);
        json_out_bool(&out, "is_active", true);
        json_out_string(&out, "role", role_name(user->role));
        json_out_object_end(&out);
        return 0;
}

/* The first admin is made by the command line. */
int ws_page_setup_status(WsCall *call) {
        buf_append_string(ws_response_json(call->response), "{\"setup_complete\":true}");
        return 0;
}
