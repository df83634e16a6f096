#include "ws/manage/change.h"

#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/manage/said.h"
#include "ws/viewer/push.h"

#define WS_CHANGE_LIMIT     100
#define WS_CHANGE_LIMIT_MAX 1000
#define WS_CHANGE_DEVICES   1000 /* unless it is said otherwise */
#define WS_CHANGE_RETRY_S   2
#define WS_CHANGE_TTL_S     3600
#define WS_CHANGE_TTL_MAX_S 31536000 /* as the command line */

static void ws_change_refuse(WsCall *call, int status, const char *code, const char *detail) {
        ws_response_problem(call->response, status, code, detail);
}

/* ---- asking ---- */

bool ws_change_may(WsCall *call) {
        char name[48];
        int wait_s;

        snprintf(name, sizeof(name), "change:%lld", (long long)call->identity.user->id);
        wait_s = ws_limiter_take(call->limiter,
                                 text_of(name),
                                 call->options->changes_per_min,
                                 call->now_us);
        if (wait_s == 0)
                return true;
        metric_add(METRIC_CHANGES_REFUSED, 1);
        ws_response_retry_after(call->response, wait_s);
        ws_change_refuse(call, 429, "too_many", "Too many changes in a minute.");
        return false;
}

/* As the list has it: the cursor of the alert. */
static int ws_change_alert(WsCall *call, ManageQuery *manage, bool *ret_ok) {
        Cursor cursor;

        *ret_ok = cursor_parse(text_of(call->target), &cursor) == 0 && cursor.n == 1;
        if (!*ret_ok) {
                ws_change_refuse(call, 404, "not_found", "There is no such thing.");
                return 0;
        }
        manage->id = (int64_t)cursor.parts[0].seq;
        return err_up(manage_query_say(manage, cursor.parts[0].epoch));
}

static bool ws_change_limit(WsCall *call, ManageQuery *manage) {
        uint64_t limit = WS_CHANGE_LIMIT;
        char text[32];

        if (ws_request_param(call->request, "limit", text, sizeof(text)) &&
            (!text_to_number(text_of(text), WS_CHANGE_LIMIT_MAX, &limit) || limit == 0)) {
                ws_change_refuse(call, 400, "bad_parameter", "limit: allowed: 1 to 1000.");
                return false;
        }
        manage->limit = (int)limit;
        return true;
}

/* A cursor of commands: when the last one was sent (us), a dot, and its id. */
static bool ws_change_command_cursor(WsCall *call, ManageQuery *manage, char ret_id[128]) {
        char text[128];
        uint64_t us;
        char *dot;

        *ret_id = '\0';
        if (!ws_request_param(call->request, "cursor", text, sizeof(text)))
                return true;
        dot = strchr(text, '.');
        if (!dot || !text_to_number((Text){ text, (size_t)(dot - text) }, INT64_MAX / 2, &us) ||
            us == 0) {
                ws_change_refuse(call, 400, "bad_cursor", "That is no cursor of this list.");
                return false;
        }
        manage->id = (int64_t)us;
        snprintf(ret_id, 128, "%s", dot + 1);
        return true;
}

static bool ws_change_state(WsCall *call, char ret_state[16]) {
        static const char *const states[] = { "accepted", "published", "delivered", "executing",
                                              "done",     "failed",    "expired",   "cancelled" };

        *ret_state = '\0';
        if (!ws_request_param(call->request, "state", ret_state, 16))
                return true;
        for (size_t i = 0; i < N_ELEMENTS(states); ++i)
                if (strcmp(ret_state, states[i]) == 0)
                        return true;
        ws_change_refuse(call,
                         400,
                         "bad_parameter",
                         "state: allowed: accepted, published, delivered, executing, done, failed, "
                         "expired, cancelled.");
        return false;
}

/* Which commands a list is to have. */
static int ws_change_commands(WsCall *call, ManageQuery *manage, bool *ret_ok) {
        char id[128], state[16], name[256], device_id[24] = "";
        const Device *device;
        int r;

        *ret_ok = ws_change_limit(call, manage) && ws_change_command_cursor(call, manage, id) &&
                  ws_change_state(call, state);
        if (*ret_ok && ws_request_param(call->request, "device_id", name, sizeof(name)) && *name) {
                *ret_ok = ws_endpoint_see_device(call, name, &device);
                if (*ret_ok)
                        snprintf(device_id, sizeof(device_id), "%lld", (long long)device->id);
        }
        if (!*ret_ok)
                return 0;
        r = manage_query_say(manage, *id ? id : NULL);
        if (r == 0)
                r = manage_query_say(manage, *device_id ? device_id : NULL);
        if (r == 0)
                r = manage_query_say(manage, *state ? state : NULL);
        return err_up(r);
}

/* The number in the path, or of a list, behind which it goes on. */
static bool ws_change_place(WsCall *call, ManageQuery *manage) {
        bool is_list = manage->kind == MANAGE_USERS || manage->kind == MANAGE_DEVICES ||
                       manage->kind == MANAGE_VEHICLES || manage->kind == MANAGE_GROUPS;
        uint64_t id = 0;
        char text[32];

        if (*call->target && (!text_to_number(text_of(call->target), INT64_MAX, &id) || id == 0)) {
                ws_change_refuse(call, 404, "not_found", "There is no such thing.");
                return false;
        }
        if (is_list && ws_request_param(call->request, "cursor", text, sizeof(text)) &&
            !text_to_number(text_of(text), INT64_MAX, &id)) {
                ws_change_refuse(call, 400, "bad_cursor", "That is no cursor of this list.");
                return false;
        }
        manage->id = (int64_t)id;
        return !is_list || ws_change_limit(call, manage);
}

/* Nobody shuts himself out: the last admin could not be let in again. */
static bool ws_change_is_of_others(WsCall *call, const ManageQuery *manage) {
        if ((manage->kind != MANAGE_USER_DELETE && manage->kind != MANAGE_USER_DISABLE) ||
            manage->id != call->identity.user->id)
                return true;
        ws_change_refuse(call, 409, "yourself", "Another admin has to do that.");
        return false;
}

/* A new token of a device: its hash is stored, it itself is shown with the answer, this once. */
static int ws_change_make_token(WsCall *call, ManageQuery *manage, bool *ret_ok) {
        uint8_t hash[SECRET_HASH_SIZE];
        char text[2 + 2 * SECRET_HASH_SIZE + 1] = "\\x";
        int r;

        static_assert(sizeof(call->account) >= SECRET_TOKEN_SIZE, "a token is kept there");
        *ret_ok = true;
        if (manage->kind != MANAGE_DEVICE_ADD && manage->kind != MANAGE_DEVICE_ROTATE)
                return 0;
        r = secret_token_new(call->account);
        if (r < 0)
                return err_up(r);
        *ret_ok = ws_auth_key_token(call->access->auth, text_of(call->account), hash);
        if (!*ret_ok) {
                ws_change_refuse(call,
                                 501,
                                 "tokens_not_issued",
                                 "auth.token_pepper_file is not set.");
                return 0;
        }
        text_put_hex(text + 2, hash, sizeof(hash));
        return err_up(manage_query_say(manage, text));
}

/* What a token of a user is to live, kept for its answer. */
static bool ws_change_ttl(WsCall *call, ManageKind kind) {
        uint64_t ttl_s = (uint64_t)(call->options->token_ttl_s > 0 ? call->options->token_ttl_s
                                                                   : WS_CHANGE_TTL_S);
        char text[32];

        if (kind != MANAGE_USER_TOKEN)
                return true;
        if (call->request && !ws_endpoint_params_known(call, (const char *const[]){ "ttl" }, 1))
                return false;
        if (call->request && ws_request_param(call->request, "ttl", text, sizeof(text)) &&
            (!text_to_number(text_of(text), WS_CHANGE_TTL_MAX_S, &ttl_s) || ttl_s == 0)) {
                ws_change_refuse(call,
                                 400,
                                 "bad_parameter",
                                 "ttl: allowed: 1 to 31536000 seconds.");
                return false;
        }
        snprintf(call->account, sizeof(call->account), "%llu", (unsigned long long)ttl_s);
        return true;
}

static size_t ws_change_n_devices(const WsOptions *options) {
        return options->group_devices > 0 ? (size_t)options->group_devices : WS_CHANGE_DEVICES;
}

/* @ret_ok false: the response says why not. */
static int ws_change_fill(WsCall *call, Query *query, bool *ret_ok) {
        char why[WS_SAID_WHY_SIZE];
        int r;

        *ret_ok = false;
        if (query->manage->kind == MANAGE_ALERT_ACKNOWLEDGE)
                return err_up(ws_change_alert(call, query->manage, ret_ok));
        if (query->manage->kind == MANAGE_COMMANDS)
                return err_up(ws_change_commands(call, query->manage, ret_ok));
        if (!ws_change_place(call, query->manage) || !ws_change_is_of_others(call, query->manage) ||
            !ws_change_ttl(call, query->manage->kind))
                return 0;
        r = ws_said_read(query, call->body, ws_change_n_devices(call->options), why);
        switch (r) {
        case 0:
                return err_up(ws_change_make_token(call, query->manage, ret_ok));
        case WS_SAID_E_BAD:
                ws_change_refuse(call, 400, "bad_request", "The body must be a JSON object.");
                return 0;
        case WS_SAID_E_INVALID:
                ws_change_refuse(call, 422, "invalid", why);
                return 0;
        default:
                return err_up(r);
        }
}

int ws_change_ask(WsCall *call, ManageKind kind) {
        CLEANUP(query_free) Query *query = NULL;
        bool is_ok = false;
        int r;

        if (!manage_kind_is_read(kind) && !ws_change_may(call))
                return 0;
        r = query_new(&query, QUERY_MANAGE);
        if (r == 0)
                r = manage_query_new(&query->manage, kind);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = call->identity.user->id;
        query->n_user_ids = 1;
        r = ws_change_fill(call, query, &is_ok);
        if (r == 0 && is_ok)
                call->query = TAKE(&query);
        return err_up(r);
}

int ws_change_discard(WsCall *call, int r) {
        if (r < 0 || !call->query)
                return err_up(r);
        if (ws_change_may(call))
                call->query->is_discard = true;
        else
                call->query = query_free(call->query);
        return 0;
}

/* ---- answering ---- */

static int ws_change_tell(WsCall *call, const Answer *answer) {
        switch (answer->n_bodies == 1 ? answer->status : 503) {
        case 403:
                ws_change_refuse(call, 403, "forbidden", "That is not yours to do.");
                return 0;
        case 404:
                ws_change_refuse(call, 404, "not_found", "There is no such thing.");
                return 0;
        case 409:
                ws_change_refuse(call, 409, "conflict", "There is one already, or it is disabled.");
                return 0;
        case 422:
                ws_change_refuse(call, 422, "invalid", "There is no such user, or device.");
                return 0;
        default:
                ws_response_retry_after(call->response, WS_CHANGE_RETRY_S);
                ws_change_refuse(call,
                                 503,
                                 "unavailable",
                                 "The database is not there, its answer was lost, or too much is "
                                 "asked of it: look whether it was done before you ask again.");
                return 0;
        }
}

int ws_change_answer(WsCall *call, const Answer *answer) {
        Buf *body = &call->response->body;
        Text text;

        ws_response_header(call->response, "Cache-Control", "no-store");
        if (answer->n_bodies != 1 || (answer->status != 200 && answer->status != 201))
                return ws_change_tell(call, answer);
        text = buf_text(&answer->bodies[0]);
        ws_response_json(call->response);
        call->response->status = answer->status;
        if (!*call->account || text.n < 2) {
                buf_append_text(body, text);
                return 0;
        }
        buf_append(body, text.data, text.n - 1);
        buf_append_string(body, ", \"token\" : ");
        buf_json_string(body, text_of(call->account));
        buf_append_char(body, '}');
        secret_wipe(call->account, sizeof(call->account));
        return 0;
}

int ws_change_minted(WsCall *call, const Answer *answer) {
        CLEANUP(secret_free) char *jwt = NULL;
        JsonOut out = { .buf = &call->response->body };
        int ttl_s = (int)strtol(call->account, NULL, 10);
        int r;

        ws_response_header(call->response, "Cache-Control", "no-store");
        if (answer->status != 200 || answer->n_bodies != 1)
                return ws_change_tell(call, answer);
        r = ws_auth_mint(call->access->auth,
                         &(WsSubject){ .name = buf_text(&answer->bodies[0]).data,
                                       .id = answer->user_id,
                                       .generation = answer->generation },
                         call->now_us,
                         ttl_s,
                         &jwt);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                ws_change_refuse(call,
                                 501,
                                 "tokens_not_issued",
                                 "auth.jwt_secret_file is not set, or HS256 not allowed.");
                return 0;
        }
        ws_response_json(call->response);
        json_out_object(&out, NULL);
        json_out_string(&out, "access_token", jwt);
        json_out_string(&out, "token_type", "bearer");
        json_out_int(&out, "expires_in", ttl_s);
        json_out_object_end(&out);
        return 0;
}
