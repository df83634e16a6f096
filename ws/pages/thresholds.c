#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "ws/pages/page.h"
#include "ws/wire/weight.h"

/* The zones of the people counter: docs/protocol.md, 3 A. What is shown here is what the decoder
 * goes by: its registry and this one are told alike. */

#define WS_THRESHOLD_LEAST (-127)
#define WS_THRESHOLD_MOST  (-1)
#define WS_THRESHOLD_DEPTH 4
#define WS_THRESHOLD_TEXT  96

DEFINE_CLEANUP(struct json_object *, json_object_put);

/* NULL: it is no JSON. */
static int ws_thresholds_parse(Text text, struct json_object **ret_body) {
        struct json_tokener *tokener = json_tokener_new_ex(WS_THRESHOLD_DEPTH);

        if (!tokener)
                return err_new(-ENOMEM);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        *ret_body = text.n <= INT32_MAX && ws_weight_is_light(text)
                            ? json_tokener_parse_ex(tokener, text.data, (int)text.n)
                            : NULL;
        json_tokener_free(tokener);
        return 0;
}

static void ws_thresholds_numbers(JsonOut *out, double near_dbm, double medium_dbm) {
        json_out_double(out, "near_threshold", near_dbm);
        json_out_double(out, "medium_threshold", medium_dbm);
}

static void ws_thresholds_describe(JsonOut *out, double near_dbm, double medium_dbm) {
        char text[WS_THRESHOLD_TEXT];

        json_out_object(out, "description");
        snprintf(text, sizeof(text), "RSSI ≥ %g dBm", near_dbm);
        json_out_string(out, "near", text);
        snprintf(text, sizeof(text), "%g dBm ≤ RSSI < %g dBm", medium_dbm, near_dbm);
        json_out_string(out, "medium", text);
        snprintf(text, sizeof(text), "RSSI < %g dBm", medium_dbm);
        json_out_string(out, "far", text);
        json_out_object_end(out);
}

int ws_page_thresholds(WsCall *call) {
        const Zones *set = registry_zones(call->access->registry);
        double near_dbm = set ? set->near_dbm : call->options->near_dbm;
        double medium_dbm = set ? set->medium_dbm : call->options->medium_dbm;
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        ws_thresholds_numbers(&out, near_dbm, medium_dbm);
        ws_thresholds_describe(&out, near_dbm, medium_dbm);
        json_out_object_end(&out);
        return 0;
}

static bool ws_thresholds_may(WsCall *call) {
        if (call->identity.user && call->identity.user->role == ROLE_ADMIN)
                return true;
        ws_response_problem(call->response,
                            403,
                            "forbidden",
                            "The zones are an admin's to change: see " WS_PAGE_COUNTER_MANUAL ".");
        return false;
}

/* A whole number of the body, within what an RSSI can be. */
static bool ws_thresholds_read(WsCall *call,
                               struct json_object *body,
                               const char *name,
                               int64_t *ret_dbm) {
        struct json_object *value = NULL;

        if (json_object_is_type(body, json_type_object) &&
            json_object_object_get_ex(body, name, &value) &&
            json_object_is_type(value, json_type_int)) {
                *ret_dbm = json_object_get_int64(value);
                if (*ret_dbm >= WS_THRESHOLD_LEAST && *ret_dbm <= WS_THRESHOLD_MOST)
                        return true;
        }
        return ws_page_invalid(call,
                               "body",
                               name,
                               "int_type",
                               "near_threshold and medium_threshold must be whole numbers from "
                               "-127 "
                               "to -1.");
}

int ws_page_set_thresholds(WsCall *call) {
        CLEANUP(json_object_put) struct json_object *body = NULL;
        PageQuery page = ws_page(call, PAGE_COUNTER_SET_ZONES);
        int r;

        if (!ws_thresholds_may(call))
                return 0;
        if (call->body.n > 0 && call->options->check_json &&
            call->options->check_json(call->body) != REASON_NONE) {
                (void)ws_page_invalid(call, "body", "0", "json_invalid", "The body is no JSON.");
                return 0;
        }
        r = ws_thresholds_parse(call->body, &body);
        if (r < 0)
                return err_up(r);
        if (!ws_thresholds_read(call, body, "near_threshold", &page.number) ||
            !ws_thresholds_read(call, body, "medium_threshold", &page.offset))
                return 0;
        if (page.number <= page.offset) {
                (void)ws_page_refuse(call, 400, "near_threshold must be above medium_threshold.");
                return 0;
        }
        return err_up(ws_page_ask(call, &page));
}

int ws_page_reset_thresholds(WsCall *call) {
        const PageQuery page = ws_page(call, PAGE_COUNTER_RESET_ZONES);

        if (!ws_thresholds_may(call))
                return 0;
        return err_up(ws_page_ask(call, &page));
}

/* To what the configuration says. */
int ws_page_reset_answer(WsCall *call, const Answer *answer) {
        JsonOut out = { .buf = &call->response->body };

        if (answer->status != 200)
                return err_up(ws_page_answer(call, answer));
        ws_response_json(call->response);
        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        json_out_string(&out, "message", "The thresholds are as configured.");
        json_out_object(&out, "thresholds");
        ws_thresholds_numbers(&out, call->options->near_dbm, call->options->medium_dbm);
        json_out_object_end(&out);
        json_out_object_end(&out);
        return 0;
}
