#pragma once

/*
 * WsEndpoint: the table of what HTTP serves, and what one call of it is given.
 *
 * http.c reads the request, finds the row, checks method and credential, and calls it. A function
 * fills the response, or leaves a Query behind whose Answer goes to the row's @answer later, on a
 * WsCall that then has no request: all it may use is what the call itself holds. None of them knows
 * connections or waits. Loop thread.
 */

#include "base/base.h"
#include "model/query.h"
#include "ws/http/rates.h"
#include "ws/http/request.h"
#include "ws/http/response.h"
#include "ws/loop/options.h"

#define WS_ENDPOINT_ACCOUNT_SIZE 128
#define WS_LOGIN_PASSWORD        1024

typedef struct WsCall WsCall;
typedef struct WsClient WsClient;
typedef struct WsEndpoint WsEndpoint;
typedef struct WsLoop WsLoop;
typedef struct WsLimiter WsLimiter;
typedef struct WsProven WsProven;
typedef struct WsThrottle WsThrottle;
typedef struct WsWaiters WsWaiters;

struct WsCall {
        const WsOptions *options;
        const WsAccess *access;
        WsLoop *loop;
        const WsRates *rates;
        WsLimiter *limiter;
        WsProven *proven;
        WsThrottle *returns;      /* of who is proven */
        const WsWaiters *waiters; /* who has a request under way */

        const WsRequest *request; /* NULL in @answer, and where a body was read */
        WsIdentity identity;
        const char *why; /* for the log: of a credential that was refused; NULL: none was */
        Text body;
        const char *source;                     /* address of the peer */
        char account[WS_ENDPOINT_ACCOUNT_SIZE]; /* kept from the call to its answer, as is: */
        bool is_spent;                          /* a try that counts also if it is never answered */
        bool is_held;                           /* its turn has not come: see login_queue.h */
        char target[256]; /* what stands for {id}, else ?for=; "" if nothing. As the next, not in
                             @answer */
        char idempotency_key[136];
        bool has_parts; /* its Content-Type says a form of parts, as FormData is sent */
        int64_t now_us;

        Query *query; /* owned; set by a function that must ask the database */
        WsClient *
                client; /* owned; set by a function whose answer is a stream of events, or a poll */
        WsResponse *response;
};

typedef enum WsEndpointAccess {
        WS_ENDPOINT_PUBLIC,    /* anyone */
        WS_ENDPOINT_KNOWN,     /* anyone; a user, if there is a credential, which has to be good */
        WS_ENDPOINT_SIGNED_IN, /* a user, or anyone where auth.anonymous lists the path */
        WS_ENDPOINT_USER,      /* a user */
        WS_ENDPOINT_DEVICE,    /* a device, by its token as bearer or X-API-Key */
} WsEndpointAccess;

typedef int (*WsEndpointFn)(WsCall *call); /* 0, or a fault */
typedef int (*WsAnswerFn)(WsCall *call, const Answer *answer);

struct WsEndpoint {
        const char *path;   /* a segment in braces, {id}, stands for any */
        const char *method; /* "GET" also serves HEAD */
        WsEndpointAccess access;
        WsEndpointFn call;
        WsAnswerFn answer;        /* NULL: never asks */
        const char *content_type; /* of the body it takes; NULL: takes none */
};

/* The row for @path and @method; NULL: none. *ret_allow then lists the methods of the path, "" if
 * there is no such path. A single slash at the end of a path makes no difference. */
const WsEndpoint *ws_endpoint_find(const char *path, const char *method, char ret_allow[64]);

/* An event stream, or a poll: what a socket gives, without one. */
bool ws_endpoint_is_followed(const char *path);

/* False: a list or history of ours is asked for by a parameter that it does not know, or by one
 * twice, and the response says so. What is passed over could be what was to narrow it. */
bool ws_endpoint_is_understood(WsCall *call, const WsEndpoint *endpoint);

/* What stands for {id} in @path, which the row was found for. */
Text ws_endpoint_id(const WsEndpoint *endpoint, const char *path);

/* endpoint_health.c */
int ws_endpoint_health(WsCall *call);
int ws_endpoint_camera_health(WsCall *call);
int ws_endpoint_livez(WsCall *call);
int ws_endpoint_readyz(WsCall *call);
int ws_endpoint_metrics(WsCall *call);
/* endpoint_stats.c */
int ws_endpoint_stats(WsCall *call);
int ws_endpoint_stats_answer(WsCall *call, const Answer *answer); /* ?scope=cluster */
int ws_endpoint_status(WsCall *call);
/* endpoint_login.c */
/* A try to log in, of call->account. */
int ws_endpoint_login(WsCall *call, const char *password);
/* Of one that was held: may it go ahead, which counts it? If not it is either refused by now, or
 * its turn has not come. */
bool ws_endpoint_login_turn(WsCall *call);
void ws_endpoint_login_late(WsCall *call); /* its turn did not come in time */
int ws_endpoint_token(WsCall *call);
int ws_endpoint_token_answer(WsCall *call, const Answer *answer);
int ws_endpoint_token_refresh(WsCall *call);
int ws_endpoint_ticket(WsCall *call);
/* endpoint_events.c */
int ws_endpoint_events(WsCall *call);
int ws_endpoint_poll(WsCall *call);
/* endpoint_data.c */
int ws_endpoint_camera_events(WsCall *call);
int ws_endpoint_detections(WsCall *call);
int ws_endpoint_cameras(WsCall *call);
int ws_endpoint_data_answer(WsCall *call, const Answer *answer);
int ws_endpoint_devices(WsCall *call);
int ws_endpoint_vehicles(WsCall *call);
/* endpoint_commands.c */
int ws_endpoint_command(WsCall *call);
int ws_endpoint_command_answer(WsCall *call, const Answer *answer);
int ws_endpoint_command_get(WsCall *call);
int ws_endpoint_command_get_answer(WsCall *call, const Answer *answer);
int ws_endpoint_command_cancel(WsCall *call);
int ws_endpoint_command_cancel_answer(WsCall *call, const Answer *answer);
/* endpoint_admin.c */
/* Is each parameter one of @names, and there once? What is passed over may be what was to bound
 * the rest. Only for paths of our own making. false: the response says which is not. */
bool ws_endpoint_params_known(WsCall *call, const char *const names[], size_t n_names);
int ws_endpoint_device_owner(WsCall *call);
int ws_endpoint_vehicle_owner(WsCall *call);
int ws_endpoint_owner_answer(WsCall *call, const Answer *answer);
int ws_endpoint_unrouted(WsCall *call);
int ws_endpoint_discovered(WsCall *call);
int ws_endpoint_letters(WsCall *call);
int ws_endpoint_letter_notes(WsCall *call);
int ws_endpoint_letter(WsCall *call);
int ws_endpoint_letter_replay(WsCall *call);
int ws_endpoint_letters_replay(WsCall *call);
int ws_endpoint_letters_state(WsCall *call);
int ws_endpoint_letter_state(WsCall *call);
int ws_endpoint_letters_answer(WsCall *call, const Answer *answer);
/* endpoint_ingest.c */
int ws_endpoint_detections_bulk(WsCall *call);
int ws_endpoint_detections_one(WsCall *call);
int ws_endpoint_device(WsCall *call);
int ws_endpoint_vehicle(WsCall *call);
/* endpoint_history.c */
int ws_endpoint_logs(WsCall *call);
int ws_endpoint_track(WsCall *call);
int ws_endpoint_series(WsCall *call);
int ws_endpoint_series_csv(WsCall *call);
int ws_endpoint_telemetry_csv(WsCall *call);
int ws_endpoint_telemetry(WsCall *call);
int ws_endpoint_detection_list(WsCall *call);
int ws_endpoint_alerts(WsCall *call);
int ws_endpoint_history_answer(WsCall *call, const Answer *answer);
int ws_endpoint_track_answer(WsCall *call, const Answer *answer);
int ws_endpoint_csv_answer(WsCall *call, const Answer *answer);
int ws_endpoint_ask_history(WsCall *call, const History *history); /* user_id: who asks */
int ws_endpoint_give_history(WsCall *call, const Answer *answer, const char *content_type);
/* By id or code, of what the caller may see; false: the response says why not. */
bool ws_endpoint_see_vehicle(WsCall *call, const char *name, const Vehicle **ret_vehicle);
bool ws_endpoint_see_device(WsCall *call, const char *name, const Device **ret_device);
/* ../files/assets.c: the page at /live, and the documents */
int ws_endpoint_root(WsCall *call);
int ws_endpoint_live(WsCall *call);
int ws_endpoint_asset(WsCall *call);
/* ../manage/table.c: the rows below /api/manage */
extern const WsEndpoint ws_manage_endpoints[];
extern const size_t ws_manage_n_endpoints;
/* ../manage/me.c */
int ws_endpoint_me(WsCall *call);
/* ../files/dashboard.c */
/* The row of a file of the dashboard, or of a page that its script makes; NULL: it is neither. */
const WsEndpoint *ws_dashboard_find(const WsOptions *options, const WsRequest *request);
int ws_endpoint_dashboard(WsCall *call);

/* ../pages/: what the pages of the origin systems ask. page.c */
int ws_page_answer(WsCall *call, const Answer *answer);
/* people_counter.c */
int ws_page_counter_live(WsCall *call);
int ws_page_counter_range(WsCall *call);
int ws_page_counter_histogram(WsCall *call);
int ws_page_counter_hourly(WsCall *call);
int ws_page_counter_daily(WsCall *call);
int ws_page_counter_distribution(WsCall *call);
int ws_page_counter_recent(WsCall *call);
int ws_page_counter_count(WsCall *call);
int ws_page_counter_devices(WsCall *call);
int ws_page_counter_active(WsCall *call);
int ws_page_counter_device(WsCall *call);
int ws_page_counter_device_stats(WsCall *call);
int ws_page_counter_export(WsCall *call);
int ws_page_counter_export_answer(WsCall *call, const Answer *answer);
int ws_page_counter_administration(WsCall *call);
int ws_page_counter_change(WsCall *call);
/* thresholds.c */
int ws_page_thresholds(WsCall *call);
int ws_page_set_thresholds(WsCall *call);
int ws_page_reset_thresholds(WsCall *call);
int ws_page_reset_answer(WsCall *call, const Answer *answer);
/* cameras.c */
int ws_page_cameras(WsCall *call);
int ws_page_camera(WsCall *call);
int ws_page_camera_status(WsCall *call);
int ws_page_no_picture(WsCall *call);
int ws_page_faces(WsCall *call);
int ws_page_face_hours(WsCall *call);
int ws_page_face_person(WsCall *call);
int ws_page_face_sums(WsCall *call);
int ws_page_face_history(WsCall *call);
int ws_page_face_history_list(WsCall *call);
int ws_page_recordings(WsCall *call);
int ws_page_camera_system(WsCall *call);
int ws_page_camera_user(WsCall *call);
int ws_page_setup_status(WsCall *call);
int ws_page_face_statistics_answer(WsCall *call, const Answer *answer);
/* vehicles.c */
int ws_page_vehicles(WsCall *call);
int ws_page_vehicle(WsCall *call);
int ws_page_vehicle_latest(WsCall *call);
int ws_page_vehicle_latest_answer(WsCall *call, const Answer *answer);
int ws_page_vehicle_log_answer(WsCall *call, const Answer *answer);
int ws_page_vehicle_battery(WsCall *call);
int ws_page_vehicle_sensors(WsCall *call);
int ws_page_vehicle_sensor_status(WsCall *call);
int ws_page_sensor_status(WsCall *call);
int ws_page_vehicle_logs(WsCall *call);
int ws_page_sensor_logs(WsCall *call);
int ws_page_raw_logs(WsCall *call);
int ws_page_vehicle_log(WsCall *call);
int ws_page_sensor_log(WsCall *call);
int ws_page_raw_log(WsCall *call);
int ws_page_raw_stats(WsCall *call);
int ws_page_vehicle_alerts(WsCall *call);
int ws_page_mqtt_status(WsCall *call);
int ws_page_vehicle_user(WsCall *call);
int ws_page_vehicle_refresh(WsCall *call);
int ws_page_vehicle_login(WsCall *call);
int ws_page_vehicle_logout(WsCall *call);
int ws_page_vehicle_login_answer(WsCall *call, const Answer *answer);
