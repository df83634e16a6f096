#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "model/record.h"
#include "ws/http/endpoint.h"

#define WS_HISTORY_LIMIT      100
#define WS_HISTORY_LIMIT_MAX  1000
#define WS_HISTORY_POINTS     800
#define WS_HISTORY_POINTS_MAX 4000
#define WS_HISTORY_WINDOW     4       /* where the options say nothing */
#define WS_HISTORY_METRES     1000000 /* no track is simplified by more */
#define WS_HISTORY_DAY_US     INT64_C(86400000000)
#define WS_HISTORY_INTERVALS  (366 * WS_HISTORY_DAY_US)
#define WS_HISTORY_KINDS \
        (1u << KIND_RAW_LOG | 1u << KIND_SENSOR_LOG | 1u << KIND_VEHICLE_LOG | 1u << KIND_ALERT)

/* ---- parameters: false means that the response says what is wrong --------------------------- */

static bool ws_history_bad(WsCall *call, const char *code, const char *detail) {
        ws_response_problem(call->response, 400, code, detail);
        return false;
}

/* An empty one is none. */
static bool ws_history_param(const WsCall *call, const char *name, char *ret_text, size_t n_text) {
        *ret_text = '\0';
        return ws_request_param(call->request, name, ret_text, n_text) && *ret_text;
}

static bool ws_history_time(WsCall *call, const char *name, int64_t *ret_us) {
        char text[64], detail[96];

        *ret_us = CLOCK_UNKNOWN;
        if (!ws_history_param(call, name, text, sizeof(text)))
                return true;
        if (ws_request_time(text, NULL, ret_us))
                return true;
        snprintf(detail, sizeof(detail), "%s must be a time, as 2025-10-18T16:30:00Z.", name);
        return ws_history_bad(call, "bad_time", detail);
}

static bool ws_history_times(WsCall *call, History *history) {
        if (!ws_history_time(call, "from", &history->from_us) ||
            !ws_history_time(call, "to", &history->to_us))
                return false;
        if (history->from_us != CLOCK_UNKNOWN && history->to_us != CLOCK_UNKNOWN &&
            history->from_us > history->to_us)
                return ws_history_bad(call, "bad_time", "from must not be later than to.");
        return true;
}

static bool ws_history_limit(WsCall *call, History *history) {
        char text[32];
        uint64_t value;

        history->limit = WS_HISTORY_LIMIT;
        if (!ws_history_param(call, "limit", text, sizeof(text)))
                return true;
        if (!text_to_number(text_of(text), WS_HISTORY_LIMIT_MAX, &value) || value < 1)
                return ws_history_bad(call, "bad_limit", "limit must be 1 to 1000.");
        history->limit = (int)value;
        return true;
}

/* limit, order, cursor. */
static bool ws_history_page(WsCall *call, History *history) {
        char text[HISTORY_CURSOR_SIZE];

        if (!ws_history_limit(call, history))
                return false;
        history->is_descending = true;
        if (ws_history_param(call, "order", text, sizeof(text))) {
                history->is_descending = strcmp(text, "desc") == 0;
                if (!history->is_descending && strcmp(text, "asc") != 0)
                        return ws_history_bad(call, "bad_order", "order must be asc or desc.");
        }
        if (ws_history_param(call, "cursor", text, sizeof(text)) &&
            history_cursor_parse(text, &history->cursor) != 0)
                return ws_history_bad(call, "bad_cursor", "cursor must be as it was given.");
        return true;
}

static bool ws_history_types(WsCall *call, History *history) {
        char text[256];
        const char *at = text;

        history->kinds = WS_HISTORY_KINDS;
        if (!ws_history_param(call, "types", text, sizeof(text)))
                return true;
        history->kinds = 0;
        while (*at) {
                size_t n = strcspn(at, ",");
                unsigned kind = 1u << kind_from_name((Text){ at, n });

                if ((kind & WS_HISTORY_KINDS) == 0)
                        return ws_history_bad(call,
                                              "bad_types",
                                              "types may name raw_log, sensor_log, vehicle_log and "
                                              "alert, with commas between.");
                history->kinds |= kind;
                at += n + (at[n] == ',');
        }
        return true;
}

static bool ws_history_tolerance(WsCall *call, History *history) {
        char text[32];
        char *end;

        if (!ws_history_param(call, "simplify", text, sizeof(text)))
                return true;
        history->tolerance_m = strtod(text, &end);
        if (*end || !isfinite(history->tolerance_m) || history->tolerance_m < 0 ||
            history->tolerance_m > WS_HISTORY_METRES)
                return ws_history_bad(call,
                                      "bad_simplify",
                                      "simplify must be a number of metres from 0 to 1000000.");
        return true;
}

/* Seconds, or a number with its unit. */
static bool ws_history_interval(WsCall *call, History *history) {
        static const struct {
                const char *name;
                int64_t us;
        } units[] = {
                { "", 1000000 },     { "s", 1000000 },           { "m", 60000000 },
                { "h", 3600000000 }, { "d", WS_HISTORY_DAY_US },
        };
        int64_t value;
        char text[32];
        char *end;

        if (!ws_history_param(call, "interval", text, sizeof(text)))
                return true;
        value = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;
        for (size_t i = 0; value > 0 && i < N_ELEMENTS(units); ++i)
                if (strcmp(end, units[i].name) == 0 && value <= WS_HISTORY_INTERVALS / units[i].us)
                        history->interval_us = value * units[i].us;
        if (history->interval_us == 0)
                return ws_history_bad(call,
                                      "bad_interval",
                                      "interval must be seconds, or as 30s, 5m, 1h, 1d.");
        return true;
}

/* A whole number, or @ret_value as it is. */
static bool ws_history_number(WsCall *call, const char *name, int least, int most, int *ret_value) {
        char text[32], detail[96];
        uint64_t value;

        if (!ws_history_param(call, name, text, sizeof(text)))
                return true;
        if (text_to_number(text_of(text), (uint64_t)most, &value) && value >= (uint64_t)least) {
                *ret_value = (int)value;
                return true;
        }
        snprintf(detail, sizeof(detail), "%s must be %d to %d.", name, least, most);
        return ws_history_bad(call, "bad_parameter", detail);
}

/* A name, or a JSON pointer: behind each ~ is a 0 or a 1. */
static bool ws_history_member(WsCall *call, History *history) {
        bool is_bad = !ws_history_param(call, "member", history->member, sizeof(history->member));

        if (*history->member == '/')
                for (const char *at = history->member; (at = strchr(at, '~')) != NULL; ++at)
                        is_bad = is_bad || (at[1] != '0' && at[1] != '1');
        if (is_bad)
                return ws_history_bad(call,
                                      "bad_parameter",
                                      "member must be the name of a member, or a JSON pointer, of "
                                      "at most 127 bytes.");
        return true;
}

/* member, points, from, to. */
static bool ws_history_series(WsCall *call, History *history) {
        const char *epoch = call->options->epoch;

        history->points = WS_HISTORY_POINTS;
        if (epoch &&
            !strchr(epoch, ',')) /* of several journals there is no one number that it is at */
                snprintf(history->own_epoch, sizeof(history->own_epoch), "%s", epoch);
        return ws_history_member(call, history) && ws_history_times(call, history) &&
               ws_history_number(call, "points", 1, WS_HISTORY_POINTS_MAX, &history->points);
}

/* One of @allowed, which has commas around each. */
static bool ws_history_word(WsCall *call,
                            const char *name,
                            const char *allowed,
                            char *ret_word,
                            size_t n_word) {
        char text[64], detail[WS_REQUEST_DETAIL_SIZE];

        if (!ws_history_param(call, name, text, sizeof(text)) ||
            ws_request_word(call->request, name, allowed, ret_word, n_word, detail))
                return true;
        return ws_history_bad(call, "bad_parameter", detail);
}

static bool ws_history_acknowledged(WsCall *call, History *history) {
        char detail[WS_REQUEST_DETAIL_SIZE], text[64];
        bool is_it = false;

        if (!ws_history_param(call, "acknowledged", text, sizeof(text)))
                return true;
        if (!ws_request_switch(call->request, "acknowledged", &is_it, detail))
                return ws_history_bad(call, "bad_parameter", detail);
        snprintf(history->acknowledged,
                 sizeof(history->acknowledged),
                 "%s",
                 is_it ? "true" : "false");
        return true;
}

/* ---- what it is about ---------------------------------------------------------------------- */

/* The same whether it is another's or nobody's: who may not see a thing does not learn of it. */
static bool ws_history_refuse(WsCall *call, const char *what) {
        char detail[64];

        snprintf(detail, sizeof(detail), "There is no such %s.", what);
        ws_response_problem(call->response, 404, "not_found", detail);
        return false;
}

bool ws_endpoint_see_vehicle(WsCall *call, const char *name, const Vehicle **ret_vehicle) {
        const User *user = call->identity.user;
        const Vehicle *vehicle =
                registry_find_vehicle_for(call->access->registry, user, text_of(name));

        if (!vehicle || (user && !user_sees_vehicle(user, vehicle)))
                return ws_history_refuse(call, "vehicle");
        *ret_vehicle = vehicle;
        return true;
}

bool ws_endpoint_see_device(WsCall *call, const char *name, const Device **ret_device) {
        const User *user = call->identity.user;
        const Device *device =
                registry_find_device_for(call->access->registry, user, text_of(name));

        if (!device || (user && !user_sees_device(user, device)))
                return ws_history_refuse(call, "device");
        *ret_device = device;
        return true;
}

/* The device and the vehicle that a list is narrowed to, if it is. */
static bool ws_history_filter(WsCall *call, History *history, bool has_vehicles) {
        const Vehicle *vehicle;
        const Device *device;
        char name[256];

        if (ws_history_param(call, "device_id", name, sizeof(name))) {
                if (!ws_endpoint_see_device(call, name, &device))
                        return false;
                history->device_id = device->id;
        }
        if (has_vehicles && ws_history_param(call, "vehicle_id", name, sizeof(name))) {
                if (!ws_endpoint_see_vehicle(call, name, &vehicle))
                        return false;
                history->vehicle_id = vehicle->id;
        }
        return true;
}

int ws_endpoint_ask_history(WsCall *call, const History *history) {
        CLEANUP(query_free) Query *query = NULL;
        int window = call->options->stream_window;
        const User *user = call->identity.user;
        int r;

        r = query_new(&query, QUERY_HISTORY);
        if (r == 0)
                r = stream_new(&query->stream, window > 0 ? window : WS_HISTORY_WINDOW);
        if (r < 0)
                return err_up(r);
        query->history = malloc(sizeof(*query->history));
        if (!query->history)
                return err_new(-ENOMEM);
        *query->history = *history;
        query->history->user_id = user && user->role != ROLE_ADMIN ? user->id : 0;
        call->query = TAKE(&query);
        return 0;
}

/* ---- the endpoints ------------------------------------------------------------------------- */

int ws_endpoint_logs(WsCall *call) {
        History history = { .kind = HISTORY_LOGS };
        const Vehicle *vehicle;

        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle) ||
            !ws_history_times(call, &history) || !ws_history_page(call, &history) ||
            !ws_history_types(call, &history))
                return 0;
        history.vehicle_id = vehicle->id;
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_track(WsCall *call) {
        History history = { .kind = HISTORY_TRACK };
        const Vehicle *vehicle;

        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle) ||
            !ws_history_times(call, &history) || !ws_history_tolerance(call, &history))
                return 0;
        history.vehicle_id = vehicle->id;
        return ws_endpoint_ask_history(call, &history);
}

static int ws_endpoint_vehicle_series(WsCall *call, bool is_csv) {
        History history = { .kind = HISTORY_VEHICLE_SERIES, .sensor_id = -1, .is_csv = is_csv };
        const Vehicle *vehicle;

        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle) ||
            !ws_history_series(call, &history) ||
            !ws_history_number(call, "sensor_id", 0, INT_MAX, &history.sensor_id))
                return 0;
        if (history.sensor_id >= 0)
                history.kind = HISTORY_SENSOR_SERIES;
        history.vehicle_id = vehicle->id;
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_series(WsCall *call) {
        return err_up(ws_endpoint_vehicle_series(call, false));
}

int ws_endpoint_series_csv(WsCall *call) {
        return err_up(ws_endpoint_vehicle_series(call, true));
}

int ws_endpoint_telemetry_csv(WsCall *call) {
        History history = { .kind = HISTORY_SERIES, .is_csv = true };
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device) ||
            !ws_history_series(call, &history))
                return 0;
        history.device_id = device->id;
        return ws_endpoint_ask_history(call, &history);
}

static int ws_endpoint_telemetry_series(WsCall *call, const Device *device) {
        History history = { .kind = HISTORY_SERIES, .device_id = device->id };
        char interval[32];

        if (ws_history_param(call, "interval", interval, sizeof(interval))) {
                (void)ws_history_bad(call,
                                     "bad_parameter",
                                     "interval is for averages of all members; of one, say "
                                     "points.");
                return 0;
        }
        if (!ws_history_series(call, &history))
                return 0;
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_telemetry(WsCall *call) {
        History history = { .kind = HISTORY_TELEMETRY };
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device))
                return 0;
        if (ws_history_param(call, "member", history.member, sizeof(history.member)))
                return ws_endpoint_telemetry_series(call, device);
        if (!ws_history_times(call, &history) || !ws_history_interval(call, &history))
                return 0;
        if (history.interval_us > 0)
                history.kind = HISTORY_AVERAGES;
        else if (!ws_history_page(call, &history))
                return 0;
        history.device_id = device->id;
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_detection_list(WsCall *call) {
        History history = { .kind = HISTORY_DETECTIONS };

        if (!ws_history_filter(call, &history, false) || !ws_history_times(call, &history) ||
            !ws_history_page(call, &history) ||
            !ws_history_word(call, "zone", ",near,medium,far,", history.zone, sizeof(history.zone)))
                return 0;
        (void)ws_history_param(call,
                               "device_hash",
                               history.device_hash,
                               sizeof(history.device_hash));
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_camera_events(WsCall *call) {
        History history = { .kind = HISTORY_CAMERA_EVENTS };

        if (!ws_history_filter(call, &history, false) || !ws_history_times(call, &history) ||
            !ws_history_page(call, &history))
                return 0;
        (void)ws_history_param(call, "event_type", history.event_type, sizeof(history.event_type));
        return ws_endpoint_ask_history(call, &history);
}

int ws_endpoint_alerts(WsCall *call) {
        History history = { .kind = HISTORY_ALERTS };

        if (!ws_history_filter(call, &history, true) || !ws_history_times(call, &history) ||
            !ws_history_page(call, &history) ||
            !ws_history_word(call,
                             "severity",
                             ",critical,warning,info,",
                             history.severity,
                             sizeof(history.severity)) ||
            !ws_history_acknowledged(call, &history))
                return 0;
        (void)ws_history_param(call, "alert_type", history.alert_type, sizeof(history.alert_type));
        return ws_endpoint_ask_history(call, &history);
}

/* ---- the answers --------------------------------------------------------------------------- */

int ws_endpoint_give_history(WsCall *call, const Answer *answer, const char *content_type) {
        WsResponse *response = call->response;

        switch (answer->status) {
        case 200:
                response->status = 200;
                response->content_type = content_type;
                ws_response_header(response, "Cache-Control", "no-store");
                if (answer->is_last)
                        buf_append_text(&response->body, buf_text(&answer->chunk));
                response->is_stream = !answer->is_last;
                return 0;
        case 400:
                ws_response_problem(response,
                                    400,
                                    "bad_cursor",
                                    "The cursor is of a journal that is not known here.");
                return 0;
        case 500:
                ws_response_problem(response, 500, "internal", "Something failed on our side.");
                return 0;
        default:
                ws_response_retry_after(response, 2);
                ws_response_problem(response,
                                    503,
                                    "unavailable",
                                    "The database is not there, or "
                                    "too much is asked of it.");
                return 0;
        }
}

int ws_endpoint_history_answer(WsCall *call, const Answer *answer) {
        return ws_endpoint_give_history(call, answer, "application/json");
}

int ws_endpoint_track_answer(WsCall *call, const Answer *answer) {
        return ws_endpoint_give_history(call, answer, "application/geo+json");
}

int ws_endpoint_csv_answer(WsCall *call, const Answer *answer) {
        if (answer->status == 200)
                ws_response_header(call->response,
                                   "Content-Disposition",
                                   "attachment; filename=series.csv");
        return err_up(ws_endpoint_give_history(call, answer, "text/csv; charset=utf-8"));
}
