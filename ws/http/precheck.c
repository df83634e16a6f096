#include "ws/http/precheck.h"

#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "model/metrics.h"
#include "ws/http/elsewhere.h"
#include "ws/http/renewal.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

#define WS_PRECHECK_BODY_MAX 65536
#define WS_PRECHECK_JSON     "application/json"
#define WS_PRECHECK_FORM     "application/x-www-form-urlencoded"
#define WS_PRECHECK_PARTS    "multipart/form-data"

void ws_precheck_misread(WsResponse *response, int status) {
        switch (status) {
        case 414:
                ws_response_problem(response, 414, "too_long", "The target is too long.");
                break;
        case 431:
                ws_response_problem(response, 431, "too_large", "The headers are too large.");
                break;
        case 501:
                ws_response_problem(response, 501, "not_implemented", "This is not known here.");
                break;
        case 505:
                ws_response_problem(response, 505, "bad_version", "HTTP/1.1 is spoken here.");
                break;
        default:
                ws_response_problem(response, 400, "bad_request", "The request cannot be read.");
        }
}

void ws_precheck_fault(WsResponse *response) {
        ws_response_problem(response, 500, "internal", "Something failed on our side.");
        response->close = true;
}

void ws_precheck_origin(const WsOptions *options, const char *origin, WsResponse *response) {
        if (!options->allowed_origins || !*options->allowed_origins)
                return;
        ws_response_header(response, "Vary", "Origin");
        if (!ws_request_origin_listed(origin, options->allowed_origins))
                return;
        ws_response_header(response, "Access-Control-Allow-Origin", origin);
        if (ws_request_origin_named(origin, options->allowed_origins))
                ws_response_header(response, "Access-Control-Allow-Credentials", "true");
        ws_response_header(response,
                           "Access-Control-Expose-Headers",
                           "Retry-After, ETag, Tidegate-Cursor");
}

static size_t ws_precheck_body_max(const WsOptions *options) {
        return options->max_body_bytes > 0 ? options->max_body_bytes : WS_PRECHECK_BODY_MAX;
}

/* What is wrong with the request before anything is looked at; false: it was answered. */
static bool ws_precheck_framing(const WsCall *call) {
        const WsRequest *request = call->request;
        WsResponse *response = call->response;

        if (request->has_expectation)
                ws_response_problem(response,
                                    417,
                                    "expectation_failed",
                                    "Only 100-continue can be expected.");
        else if (*request->encoding && strcasecmp(request->encoding, "identity") != 0)
                ws_response_problem(response,
                                    415,
                                    "unsupported_encoding",
                                    "The body must not have a Content-Encoding.");
        else if (request->has_coding)
                ws_response_problem(response,
                                    411,
                                    "length_required",
                                    "Send a body with Content-Length.");
        else if (request->body_length > 0 && !ws_request_may_have_body(request))
                ws_response_problem(response,
                                    400,
                                    "bad_request",
                                    "This method does not take a body.");
        else if (request->body_length > 0 &&
                 (uint64_t)request->body_length > ws_precheck_body_max(call->options))
                ws_response_problem(response, 413, "too_large", "The body is too large.");
        return response->status == 0;
}

static void ws_precheck_preflight(const WsCall *call, const char *allow) {
        WsResponse *response = call->response;

        response->status = 204;
        ws_response_header(response, "Allow", allow);
        if (!ws_request_origin_listed(call->request->origin, call->options->allowed_origins))
                return;
        ws_response_header(response, "Access-Control-Allow-Methods", allow);
        ws_response_header(response,
                           "Access-Control-Allow-Headers",
                           "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, "
                           "X-API-Key, Cache-Control, Pragma, X-Requested-With");
        ws_response_header(response, "Access-Control-Max-Age", "600");
}

/* What a system that moves in did here, and who asks for that is to find it. */
static void ws_precheck_say(WsResponse *response,
                            int status,
                            const char *code,
                            const char *detail,
                            const char *manual) {
        char text[128];

        if (!manual) {
                ws_response_problem(response, status, code, detail);
                return;
        }
        snprintf(text,
                 sizeof(text),
                 "Tidegate does this in another way, or not at all: see %s.",
                 manual);
        ws_response_problem(response, status, "administration", text);
}

/* RFC 9110 7.8: an Upgrade in HTTP/1.0, or one that Connection does not name, is not for us. Where
 * nothing else is served it is one that is wrong, and told so. */
bool ws_precheck_is_handshake(const WsRequest *request) {
        char allow[64];

        if (!request->is_upgrade || request->is_health)
                return false;
        return (request->wants_upgrade && !request->is_http_1_0) ||
               !ws_endpoint_find(request->path, request->method, allow);
}

/* A path and method that have no row. */
static void ws_precheck_nowhere(const WsCall *call, const char *allow) {
        const char *manual = ws_elsewhere(call->request->path);
        WsResponse *response = call->response;
        Text target;

        if (strcmp(call->request->path, "*") == 0) {
                response->status = 204; /* OPTIONS, of the server as a whole */
                ws_response_header(response, "Allow", "GET, HEAD, POST, OPTIONS");
        } else if (*allow && strcmp(call->request->method, "OPTIONS") == 0) {
                ws_precheck_preflight(call, allow);
        } else if (*allow) {
                ws_response_header(response, "Allow", allow);
                ws_precheck_say(response,
                                405,
                                "method_not_allowed",
                                "Not with this method",
                                strcmp(call->request->method, "GET") == 0 ? NULL : manual);
        } else if (ws_dialect_find(text_of(call->request->path), &target)) {
                ws_response_upgrade(response);
                ws_response_problem(response, 426, "upgrade_required", "This path is a WebSocket.");
        } else {
                ws_precheck_say(response, 404, "not_found", "There is nothing here.", manual);
        }
}

/* true: a bad credential too many, and the response says so. */
static bool ws_precheck_blame(const WsCall *call) {
        int wait_s;

        wait_s = ws_access_blame(call->access, call->source, NULL, call->now_us);
        if (wait_s == 0)
                return false;
        ws_response_retry_after(call->response, wait_s);
        ws_response_problem(call->response, 429, "rate_limited", "Too many bad credentials.");
        return true;
}

void ws_precheck_refuse(WsCall *call, int r, const char *why) {
        char detail[128];

        call->why = why;
        if (r == WS_REQUEST_E_NONE) {
                ws_response_problem(call->response,
                                    401,
                                    "unauthorized",
                                    "A bearer token is needed.");
                return;
        }
        if (r == WS_REQUEST_E_REFUSED && ws_precheck_blame(call))
                return;
        snprintf(detail, sizeof(detail), "The credential was refused: %s.", why);
        ws_response_problem(call->response,
                            401,
                            r == WS_REQUEST_E_EXPIRED ? "token_expired" : "unauthorized",
                            detail);
}

/* The device whose token it is, whichever way it comes. */
static bool ws_precheck_device(WsCall *call) {
        const WsRequest *request = call->request;
        const char *token = *request->bearer ? request->bearer : request->api_key;

        if (*token)
                call->identity.device =
                        ws_auth_device(call->access->auth, call->access->registry, text_of(token));
        if (!call->identity.device && !(*token && ws_precheck_blame(call)))
                ws_response_problem(call->response,
                                    401,
                                    "unauthorized",
                                    "The token of a device is needed, as bearer or X-API-Key.");
        else if (call->identity.device && ws_renewal_ask(call->access,
                                                         call->loop->questions,
                                                         call->identity.device,
                                                         text_of(token)) < 0)
                ws_precheck_fault(call->response);
        return call->response->status == 0;
}

static bool ws_precheck_is_stream(const WsRequest *request) {
        return request->wants_events && strcmp(request->method, "GET") == 0 &&
               (strcmp(request->path, "/api/events") == 0 ||
                strcmp(request->path, "/api/events/") == 0);
}

/* As at a handshake: any page can make a browser ask for an address with what stands in it, and
 * hold a stream open. Whatever else a page of another origin asks for it cannot read. */
static bool ws_precheck_is_foreign(const WsCall *call) {
        const WsRequest *request = call->request;
        char token[sizeof(request->bearer)];

        if (ws_request_origin_ok(request, call->options->allowed_origins))
                return false;
        return ws_endpoint_is_followed(request->path) ||
               (ws_auth_query_token(call->access->auth) &&
                ws_request_token(request, token, sizeof(token)));
}

void ws_precheck_put_off(const WsCall *call,
                         int status,
                         const char *code,
                         const char *detail,
                         int wait_s) {
        WsResponse *response = call->response;

        if (!ws_precheck_is_stream(call->request)) {
                ws_response_retry_after(response, wait_s);
                ws_response_problem(response, status, code, detail);
                return;
        }
        response->status = 200;
        response->content_type = "text/event-stream";
        ws_response_header(response, "Cache-Control", "no-store");
        buf_printf(&response->body,
                   "retry: %d\nevent: close\n"
                   "data: {\"type\":\"close\",\"code\":%d,\"reason\":\"%s\"}\n\n",
                   wait_s * 1000,
                   WS_CLOSE_CAPACITY,
                   code);
}

/* true: go on. Else the response says why not. */
static bool ws_precheck_identify(WsCall *call, const WsEndpoint *endpoint) {
        const char *why = "";
        int r;

        if (endpoint->access == WS_ENDPOINT_PUBLIC)
                return true;
        if (metrics_stand_by()) {
                ws_precheck_put_off(call, 503, "standby", "Another gateway serves.", 1);
                return false;
        }
        if (!registry_is_loaded(call->access->registry)) { /* or a good token would be refused */
                ws_precheck_put_off(call, 503, "starting", "Still loading.", 1);
                return false;
        }
        if (endpoint->access == WS_ENDPOINT_DEVICE)
                return ws_precheck_device(call);
        if (ws_precheck_is_foreign(call)) {
                ws_response_problem(call->response,
                                    403,
                                    "forbidden_origin",
                                    "This Origin is not allowed.");
                return false;
        }
        r = ws_request_identify(call->request, call->access, call->now_us, &call->identity, &why);
        if (r == WS_REQUEST_E_NONE && endpoint->access == WS_ENDPOINT_KNOWN)
                return true;
        if (r == 0 && endpoint->access == WS_ENDPOINT_USER && !call->identity.user)
                r = WS_REQUEST_E_NONE;
        if (r < 0) {
                err_up(r);
                ws_precheck_fault(call->response);
        } else if (r > 0) {
                ws_precheck_refuse(call, r, why);
        }
        return r == 0;
}

/* The media type without its parameters. */
static bool ws_precheck_says(const char *content_type, const char *wanted) {
        size_t n = strcspn(content_type, "; \t");

        return n == strlen(wanted) && strncasecmp(content_type, wanted, n) == 0;
}

/* Who says none, as small scripts do, means the JSON that the path takes. A form may come as
 * FormData is sent: that it does is said here, and not by its first bytes. */
static bool ws_precheck_is_type(WsCall *call, const char *wanted) {
        const char *content_type = call->request->content_type;

        call->has_parts = ws_precheck_says(content_type, WS_PRECHECK_PARTS);
        if (!wanted || (!*content_type && strcmp(wanted, WS_PRECHECK_JSON) == 0))
                return true;
        return ws_precheck_says(content_type, wanted) ||
               (call->has_parts && strcmp(wanted, WS_PRECHECK_FORM) == 0);
}

/* The listener for health knows nothing else, so that whoever may reach it learns nothing else. */
static bool ws_precheck_is_health(const char *path) {
        static const char *const paths[] = { "/livez", "/readyz", "/health", "/metrics" };

        for (size_t i = 0; i < N_ELEMENTS(paths); ++i)
                if (strcmp(path, paths[i]) == 0)
                        return true;
        return false;
}

/* What is served by a path of its own as CSV is served so, too, to who accepts nothing else of it.
 * Lists of messages have no such form: it is of one member. */
static const WsEndpoint *ws_precheck_find(const WsRequest *request, char ret_allow[64]) {
        const WsEndpoint *csv = NULL;
        char path[sizeof(request->path) + 4], member[256];

        snprintf(path, sizeof(path), "%s.csv", request->path);
        if (request->wants_csv && ws_request_param(request, "member", member, sizeof(member)))
                csv = ws_endpoint_find(path, request->method, ret_allow);
        return csv ? csv : ws_endpoint_find(request->path, request->method, ret_allow);
}

const WsEndpoint *ws_precheck(WsCall *call) {
        const WsEndpoint *endpoint;
        char allow[64];

        endpoint = ws_precheck_find(call->request, allow);
        if (!endpoint && call->request->body_length > 0 && !call->request->is_health &&
            ws_elsewhere(call->request->path)) {
                ws_precheck_nowhere(call, allow);
                return NULL;
        }
        if (!ws_precheck_framing(call))
                return NULL;
        if (call->request->is_health && !ws_precheck_is_health(call->request->path)) {
                ws_response_problem(call->response, 404, "not_found", "There is nothing here.");
                return NULL;
        }
        if (!endpoint && !*allow)
                endpoint = ws_dashboard_find(call->options, call->request);
        if (!endpoint) {
                ws_precheck_nowhere(call, allow);
                return NULL;
        }
        if (!ws_precheck_identify(call, endpoint))
                return NULL;
        if (strchr(endpoint->path, '{')) {
                Text id = ws_endpoint_id(endpoint, call->request->path);

                snprintf(call->target, sizeof(call->target), "%.*s", (int)id.n, id.data);
        } else if (!ws_request_param(call->request, "for", call->target, sizeof(call->target))) {
                call->target[0] = '\0';
        }
        memcpy(call->idempotency_key,
               call->request->idempotency_key,
               sizeof(call->idempotency_key));
        if (!ws_precheck_is_type(call, endpoint->content_type)) {
                ws_response_problem(call->response,
                                    415,
                                    "unsupported_media_type",
                                    strcmp(endpoint->content_type, WS_PRECHECK_JSON) == 0
                                            ? "The body must be " WS_PRECHECK_JSON "."
                                            : "The body must be " WS_PRECHECK_FORM
                                              " or " WS_PRECHECK_PARTS ".");
                return NULL;
        }
        return endpoint;
}
