#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "ws/access/party.h"
#include "ws/http/endpoint.h"
#include "ws/http/precheck.h"
#include "ws/hub/viewer.h"
#include "ws/loop/loop.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/places.h"

#define WS_EVENTS_LIST_SIZE 1024 /* of a parameter */
#define WS_EVENTS_WAIT_S    25
#define WS_EVENTS_WAIT_MAX  60

typedef int (*WsEventsFn)(WsFollow *follow, const WsEye *eye, Text item);

static int ws_events_aim(WsFollow *follow, const WsEye *eye, Text item) {
        return ws_subscription_aim(&follow->subscription, eye, item);
}

/* The same for who is content with those of its targets that are there. */
static int ws_events_aim_seen(WsFollow *follow, const WsEye *eye, Text item) {
        int r;

        r = ws_subscription_aim(&follow->subscription, eye, item);
        return r == WS_SUBSCRIPTION_E_NOT_FOUND ? 0 : r;
}

static int ws_events_type(WsFollow *follow, const WsEye *eye, Text item) {
        (void)eye;
        return ws_subscription_add_type(&follow->subscription, item);
}

/* Each item of a list with commas; the parameter may be absent (*ret_n 0) and may be repeated by
 * commas only. */
static int ws_events_each(const WsCall *call,
                          const char *name,
                          WsFollow *follow,
                          WsEventsFn fn,
                          size_t *ret_n) {
        WsEye eye = ws_feed_eye(call->client->feed);
        char list[WS_EVENTS_LIST_SIZE];
        char *rest = list;
        char *item;
        int r = 0;

        *ret_n = 0;
        if (!ws_request_param(call->request, name, list, sizeof(list)))
                return 0;
        while (r == 0 && (item = strsep(&rest, ","))) {
                if (*item == '\0')
                        continue;
                ++*ret_n;
                r = fn(follow, &eye, text_of(item));
        }
        return r;
}

/* A number that is all of @text. */
static bool ws_events_number(const char *text, double *ret_number) {
        char *end = NULL;

        *ret_number = strtod(text, &end);
        return end != text && *end == '\0' && isfinite(*ret_number) != 0;
}

static int ws_events_box(const WsCall *call, WsFollow *follow) {
        char list[128];
        char *rest = list;
        double box[4];

        if (!ws_request_param(call->request, "bbox", list, sizeof(list)))
                return 0;
        for (int i = 0; i < 4; ++i) {
                const char *item = strsep(&rest, ",");

                if (!item || !ws_events_number(item, &box[i]))
                        return WS_SUBSCRIPTION_E_BAD;
        }
        return rest ? WS_SUBSCRIPTION_E_BAD : ws_subscription_set_box(&follow->subscription, box);
}

static int ws_events_pace(const WsCall *call, WsFollow *follow) {
        char text[32];
        double max_hz;

        if (!ws_request_param(call->request, "max_hz", text, sizeof(text)))
                return 0;
        if (!ws_events_number(text, &max_hz) || max_hz < 0.0001 || max_hz > 1000)
                return WS_SUBSCRIPTION_E_BAD;
        follow->subscription.interval_us = (int64_t)(1e6 / max_hz);
        return 0;
}

/* A switch, or the text of the set that the client has. */
static void ws_events_set(const WsCall *call, WsFollow *follow) {
        char text[WS_MEMBERS_TEXT_SIZE], detail[WS_REQUEST_DETAIL_SIZE];
        bool is_wanted = true;

        if (!ws_request_param(call->request, "set", text, sizeof(text)))
                return;
        (void)ws_request_switch(call->request, "set", &is_wanted, detail);
        if (is_wanted)
                ws_follow_keep_set(follow, strchr(text, '.') ? text_of(text) : (Text){ 0 });
}

/* What a stream or a poll is told of what goes later is its end, whatever it says. */
static int ws_events_targets(const WsCall *call, WsFollow *follow) {
        WsSubscription *subscription = &follow->subscription;
        WsEye eye = ws_feed_eye(call->client->feed);
        size_t n_targets = 0;
        char gone[8] = "";
        bool skips;
        int r;

        (void)ws_request_param(call->request, "gone", gone, sizeof(gone));
        skips = strcmp(gone, "skip") == 0;
        if (*gone && !skips && strcmp(gone, "tell") != 0)
                return WS_SUBSCRIPTION_E_BAD;
        r = ws_events_each(call,
                           "to",
                           follow,
                           skips ? ws_events_aim_seen : ws_events_aim,
                           &n_targets);
        if (r == 0 && n_targets == 0)
                r = ws_subscription_aim(subscription, &eye, TEXT("user"));
        if (r == 0 && subscription->n_targets == 0)
                r = WS_SUBSCRIPTION_E_NOT_FOUND;
        return r < 0 ? err_up(r) : r;
}

static int ws_events_read(const WsCall *call, WsFollow *follow) {
        size_t n_types;
        char detail[WS_REQUEST_DETAIL_SIZE]; /* whether it is a switch was asked before */
        int r;

        r = ws_events_targets(call, follow);
        if (r == 0)
                r = ws_events_each(call, "types", follow, ws_events_type, &n_types);
        if (r == 0)
                r = ws_events_box(call, follow);
        if (r == 0)
                r = ws_events_pace(call, follow);
        (void)ws_request_switch(call->request, "snapshot", &follow->wants_snapshot, detail);
        ws_events_set(call, follow);
        return r < 0 ? err_up(r) : r;
}

static void ws_events_refuse(WsResponse *response, int r) {
        if (r == WS_SUBSCRIPTION_E_NOT_FOUND)
                ws_response_problem(response,
                                    404,
                                    "not_found",
                                    "No such vehicle, device or group.");
        else
                ws_response_problem(response,
                                    400,
                                    "bad_request",
                                    "to, types, gone, bbox or max_hz cannot be understood.");
}

/* `Last-Event-ID` is what the browser itself knows best, `lastEventId` the same of stand-ins for
 * EventSource, which set no header either; `since` is how a page began. Of no parts: from now on.
 */
static bool ws_events_since(WsCall *call, Cursor *ret_since) {
        char text[CURSOR_TEXT_SIZE];
        const char *cursor = call->request->last_event_id;

        ret_since->n = 0;
        if (*cursor == '\0') {
                text[0] = '\0';
                if (!ws_request_param(call->request, "lastEventId", text, sizeof(text)) || !*text)
                        (void)ws_request_param(call->request, "since", text, sizeof(text));
                cursor = text;
        }
        if (*cursor == '\0')
                return true;
        if (cursor_parse(text_of(cursor), ret_since) != 0) {
                ws_response_problem(call->response, 400, "bad_cursor", "since: not a cursor.");
                return false;
        }
        return true;
}

/* Told as a socket is that its dialect does not let in. */
static void ws_events_put_off(const WsCall *call, int status) {
        if (status == 503)
                ws_precheck_put_off(call,
                                    503,
                                    "unavailable",
                                    "Not to be had here at the moment.",
                                    1);
        else
                ws_precheck_put_off(call,
                                    status,
                                    "too_many_connections",
                                    "Too many connections.",
                                    5);
}

/* A client that has one subscription; the response says why there is none. */
static int ws_events_make(WsCall *call, const WsDialect *dialect, WsFollow **ret_follow) {
        CLEANUP(ws_follow_free) WsFollow *follow = NULL;
        int status, r;

        r = ws_viewer_new(&call->client, call->loop, dialect);
        if (r < 0)
                return err_up(r);
        memcpy(call->client->source, call->request->source, sizeof(call->client->source));
        r = ws_viewer_note_open(call->client, &call->identity, call->request->path);
        if (r < 0)
                return err_up(r);
        status = !ws_places_take(call->client,
                                 ws_party_of(call->identity.user ? call->identity.user->id : 0,
                                             0,
                                             call->client->source))
                         ? 429
                         : dialect->admit(call->client, &call->identity, (Text){ 0 });
        if (status != 0) {
                ws_events_put_off(call, status);
                return 0;
        }
        r = ws_follow_new(&follow);
        if (r == 0)
                r = ws_events_read(call, follow);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                ws_events_refuse(call->response, r);
        else
                *ret_follow = TAKE(&follow);
        return 0;
}

static int ws_events_begin(WsCall *call, const WsDialect *dialect) {
        CLEANUP(ws_follow_free) WsFollow *follow = NULL;
        char detail[WS_REQUEST_DETAIL_SIZE];
        bool wants_snapshot = false;
        Cursor since;
        int r;

        if (!ws_loop_is_loaded(call->loop)) {
                ws_precheck_put_off(call, 503, "starting", "Still loading.", 1);
                return 0;
        }
        if (call->options->no_live) {
                ws_response_problem(call->response,
                                    503,
                                    "no_live",
                                    "An uplink shows nothing as it comes.");
                return 0;
        }
        if (!ws_events_since(call, &since))
                return 0;
        if (!ws_request_switch(call->request, "snapshot", &wants_snapshot, detail)) {
                ws_response_problem(call->response, 400, "bad_parameter", detail);
                return 0;
        }
        r = ws_events_make(call, dialect, &follow);
        if (r < 0)
                return err_up(r);
        if (!follow)
                return 0;

        call->client->first = TAKE(&follow);
        if (since.n == 0)
                return 0;
        call->client->since = malloc(sizeof(since));
        if (!call->client->since)
                return err_new(-ENOMEM);
        *call->client->since = since;
        return 0;
}

/* Nobody waits for the body of an answer that has none. */
static int ws_events_head(WsCall *call, const char *content_type) {
        call->response->status = 200;
        call->response->content_type = content_type;
        return 0;
}

int ws_endpoint_events(WsCall *call) {
        if (call->response->is_head)
                return ws_events_head(call, "text/event-stream");
        return ws_events_begin(call, &ws_dialect_events);
}

int ws_endpoint_poll(WsCall *call) {
        double wait_s = WS_EVENTS_WAIT_S;
        char text[32];
        int r;

        if (call->response->is_head)
                return ws_events_head(call, "application/json");
        if (ws_request_param(call->request, "wait", text, sizeof(text)) &&
            (!ws_events_number(text, &wait_s) || wait_s < 0 || wait_s > WS_EVENTS_WAIT_MAX)) {
                ws_response_problem(call->response,
                                    400,
                                    "bad_request",
                                    "wait: a number of seconds, at most 60.");
                return 0;
        }
        r = ws_events_begin(call, &ws_dialect_poll);
        if (r < 0)
                return err_up(r);
        if (!call->client || !call->client->first)
                return 0;

        call->client->first->subscription.interval_us = 0; /* nothing can wait for a later turn */
        call->client->deadline_ms = clock_mono_us() / 1000 + (int64_t)(wait_s * 1000);
        return 0;
}
