/* What admins alone may: give a thing to a user, and see what could not be used, or is not
 * taken. */

#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/text.h"
#include "model/bulletin.h"
#include "model/letter_query.h"
#include "ws/dialects/client_message.h"
#include "ws/http/endpoint.h"
#include "ws/wire/form.h"

#define WS_OWNER_RETRY_S     2
#define WS_LETTERS_LIMIT     100
#define WS_LETTERS_LIMIT_MAX 1000
#define WS_LETTERS_RETRY_S   2

/* ---- whose a thing is: what a scanner or a camera that registered itself waits for ---- */

static int ws_owner_invalid(WsCall *call, const char *detail) {
        ws_response_problem(call->response, 422, "invalid", detail);
        return 0;
}

/* false: the response says why not. */
static bool ws_owner_may(WsCall *call) {
        if (call->identity.user->role == ROLE_ADMIN)
                return true;
        ws_response_problem(call->response, 403, "forbidden", "Only admins give things to users.");
        return false;
}

/* {"user": a name, "id:5", an id, or null}: *ret_user NULL stands for null. 0; else, or where there
 * is no such user, the response says why. */
static int ws_owner_read(WsCall *call, const User **ret_user, bool *ret_ok) {
        __attribute__((cleanup(ws_client_message_done))) WsClientMessage body = { 0 };
        char name[256];
        bool is_null = false;
        int r;

        *ret_ok = false;
        *ret_user = NULL;
        r = ws_client_message_parse(&body, call->body);
        if (r < 0)
                return err_up(r);
        if (r > 0 || !ws_client_message_member(&body, "user", name, &is_null))
                return ws_owner_invalid(call, "user must be a name, id:N, or null for nobody.");
        if (!is_null)
                *ret_user = registry_find_user(call->access->registry, text_of(name));
        if (!is_null && !*ret_user)
                return ws_owner_invalid(call, "There is no such user.");
        *ret_ok = true;
        return 0;
}

static int ws_owner_ask(WsCall *call, int64_t device_id, int64_t vehicle_id) {
        CLEANUP(query_free) Query *query = NULL;
        const User *owner = NULL;
        bool is_ok;
        int r;

        r = ws_owner_read(call, &owner, &is_ok);
        if (r < 0 || !is_ok)
                return err_up(r);
        r = query_new(&query, QUERY_OWNER);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        if (!query->user_ids)
                return err_new(-ENOMEM);
        query->user_ids[0] = call->identity.user->id;
        query->n_user_ids = 1;
        query->device_id = device_id;
        query->vehicle_id = vehicle_id;
        query->owner_id = owner ? owner->id : 0;
        snprintf(call->account, sizeof(call->account), "%s", owner ? owner->name : "");
        call->query = TAKE(&query);
        return 0;
}

int ws_endpoint_device_owner(WsCall *call) {
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device) || !ws_owner_may(call))
                return 0;
        return ws_owner_ask(call, device->id, 0);
}

int ws_endpoint_vehicle_owner(WsCall *call) {
        const Vehicle *vehicle;

        if (!ws_endpoint_see_vehicle(call, call->target, &vehicle) || !ws_owner_may(call))
                return 0;
        return ws_owner_ask(call, 0, vehicle->id);
}

int ws_endpoint_owner_answer(WsCall *call, const Answer *answer) {
        JsonOut out = { .buf = &call->response->body };

        ws_response_header(call->response, "Cache-Control", "no-store");
        switch (answer->status) {
        case 200:
                ws_response_json(call->response);
                json_out_object(&out, NULL);
                json_out_string(&out, "user", *call->account ? call->account : NULL);
                json_out_object_end(&out);
                return 0;
        case 403:
                ws_response_problem(call->response, 403, "forbidden", "You are no admin any more.");
                return 0;
        case 404:
                ws_response_problem(call->response, 404, "not_found", "It is no more.");
                return 0;
        case 422:
                return ws_owner_invalid(call, "There is no such user.");
        default:
                ws_response_retry_after(call->response, WS_OWNER_RETRY_S);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there.");
                return 0;
        }
}

/* ---- parameters ---- */

/* The place of a parameter among those that there are; @n: it is none of them. */
static size_t ws_params_place(Text name, const char *const names[], size_t n) {
        char value[2];
        size_t i = 0;
        bool found;

        while (i < n && !ws_form_find(name, names[i], value, sizeof(value), &found))
                ++i;
        return i;
}

/* A token is one whatever is asked for. */
bool ws_endpoint_params_known(WsCall *call, const char *const names[], size_t n_names) {
        const char *at = call->request->query;
        char detail[WS_REQUEST_DETAIL_SIZE];
        unsigned seen = 0;

        for (size_t n; *at; at += n + (at[n] == '&')) {
                Text name = { at, strcspn(at, "=&") };
                size_t place = ws_params_place(name, names, n_names);

                n = strcspn(at, "&");
                if (n == 0 || (place < n_names && !(seen & 1u << place)) ||
                    ws_params_place(name, (const char *const[]){ "token" }, 1) == 0) {
                        seen |= place < n_names ? 1u << place : 0;
                        continue;
                }
                snprintf(detail,
                         sizeof(detail),
                         "'%.*s': %s",
                         (int)(name.n < 64 ? name.n : 64),
                         name.data,
                         place < n_names ? "it is there twice" : "there is no such parameter");
                ws_response_problem(call->response, 400, "bad_parameter", detail);
                return false;
        }
        return true;
}

/* ---- dead letters, and notes on rows ---- */

static bool ws_letters_may(WsCall *call) {
        if (call->identity.user->role == ROLE_ADMIN)
                return true;
        ws_response_problem(call->response, 403, "forbidden", "Dead letters are for admins.");
        return false;
}

static void ws_letters_mend_time(LetterField field, char *text) {
        if (field == LETTER_FROM || field == LETTER_TO)
                ws_request_mend_time(text);
}

/* false: the response says what is wrong. @is_strict: a value that is missing is not as if nothing
 * had been said, but of the route. */
static bool ws_letters_read(WsCall *call, LetterQuery *query, bool is_strict) {
        static const char *const names[LETTER_FIELD_COUNT] = {
                [LETTER_REASON] = "reason", [LETTER_TOPIC] = "topic", [LETTER_ROUTE] = "route",
                [LETTER_DEVICE] = "device", [LETTER_FROM] = "from",   [LETTER_TO] = "to",
                [LETTER_BY] = "by",         [LETTER_LIMIT] = "limit", [LETTER_CURSOR] = "cursor",
        };
        char text[LETTER_TOPIC_SIZE], said[LETTER_SAID_SIZE], detail[LETTER_SAID_SIZE + 16];

        if (!ws_endpoint_params_known(call, names, LETTER_FIELD_COUNT))
                return false;
        for (size_t i = 0; i < LETTER_FIELD_COUNT; ++i) {
                if (!ws_request_param(call->request, names[i], text, sizeof(text)) ||
                    (!*text && !is_strict && i != LETTER_ROUTE))
                        continue;
                ws_letters_mend_time((LetterField)i, text);
                if (letter_query_set(query, (LetterField)i, text_of(text), call->now_us, said))
                        continue;
                snprintf(detail, sizeof(detail), "%s %s", names[i], said);
                ws_response_problem(call->response, 400, "bad_parameter", detail);
                return false;
        }
        return true;
}

static int ws_letters_ask(WsCall *call, QueryKind kind, const LetterQuery *letters, int64_t id) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, kind);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->letters = malloc(sizeof(*query->letters));
        if (!query->user_ids || !query->letters)
                return err_new(-ENOMEM);
        query->user_ids[0] = call->identity.user->id;
        query->n_user_ids = 1;
        *query->letters = *letters;
        query->letter_id = id;
        call->query = TAKE(&query);
        return 0;
}

static int ws_letters_list(WsCall *call, bool is_notes) {
        LetterQuery query = LETTER_QUERY_INIT(WS_LETTERS_LIMIT, WS_LETTERS_LIMIT_MAX);

        query.is_notes = is_notes;
        if (!ws_letters_may(call) || !ws_letters_read(call, &query, false))
                return 0;
        return err_up(ws_letters_ask(call, QUERY_LETTERS, &query, 0));
}

int ws_endpoint_letters(WsCall *call) {
        return ws_letters_list(call, false);
}

int ws_endpoint_letter_notes(WsCall *call) {
        return ws_letters_list(call, true);
}

/* About the one that the path names. */
static int ws_letters_one(WsCall *call, QueryKind kind) {
        const LetterQuery query = LETTER_QUERY_INIT(1, 1);
        uint64_t id = 0;

        if (!ws_letters_may(call))
                return 0;
        if (kind == QUERY_LETTER_ASK && call->request && !ws_endpoint_params_known(call, NULL, 0))
                return 0;
        if (!text_to_number(text_of(call->target), INT64_MAX, &id) || id == 0) {
                ws_response_problem(call->response, 404, "not_found", "There is no such letter.");
                return 0;
        }
        return err_up(ws_letters_ask(call, kind, &query, (int64_t)id));
}

int ws_endpoint_letter(WsCall *call) {
        return ws_letters_one(call, QUERY_LETTERS);
}

int ws_endpoint_letter_replay(WsCall *call) {
        return ws_letters_one(call, QUERY_LETTER_ASK);
}

int ws_endpoint_letter_state(WsCall *call) {
        return ws_letters_one(call, QUERY_LETTER_STATE);
}

/* Those that the list would show: it asks for some of them, lest a slip asks for all. */
int ws_endpoint_letters_replay(WsCall *call) {
        LetterQuery query = LETTER_QUERY_INIT(WS_LETTERS_LIMIT_MAX, WS_LETTERS_LIMIT_MAX);

        if (!ws_letters_may(call))
                return 0;
        if (!call->request) {
                ws_response_problem(call->response,
                                    400,
                                    "bad_request",
                                    "Say which in the query, and send no body.");
                return 0;
        }
        if (!ws_letters_read(call, &query, true))
                return 0;
        if (query.by != 0 ||
            (query.reasons == 0 && !*query.topic && !query.has_route && !*query.device &&
             query.from_us == CLOCK_UNKNOWN && query.to_us == CLOCK_UNKNOWN)) {
                ws_response_problem(call->response,
                                    400,
                                    "bad_parameter",
                                    "Say which: reason, topic, route, device, from or to; not by.");
                return 0;
        }
        return err_up(ws_letters_ask(call, QUERY_LETTERS_ASK, &query, 0));
}

int ws_endpoint_letters_state(WsCall *call) {
        const LetterQuery query = LETTER_QUERY_INIT(1, 1);

        if (!ws_letters_may(call))
                return 0;
        return err_up(ws_letters_ask(call, QUERY_LETTERS_STATE, &query, 0));
}

int ws_endpoint_letters_answer(WsCall *call, const Answer *answer) {
        ws_response_header(call->response, "Cache-Control", "no-store");
        switch (answer->n_bodies == 1 ? answer->status : 503) {
        case 200:
        case 202:
                buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
                call->response->status = answer->status;
                return 0;
        case 403:
                ws_response_problem(call->response, 403, "forbidden", "You are no admin any more.");
                return 0;
        case 404:
                ws_response_problem(call->response, 404, "not_found", "There is no such letter.");
                return 0;
        default:
                ws_response_retry_after(call->response, WS_LETTERS_RETRY_S);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there, or too much is asked of it.");
                return 0;
        }
}

/* ---- what no route takes, and what announces itself ---- */

/* What the process tells of it; @nothing where it has nothing to tell. */
static int ws_endpoint_tell(WsCall *call, BulletinSubject subject, const char *nothing) {
        Buf *body;

        if (call->identity.user->role != ROLE_ADMIN) {
                ws_response_problem(call->response,
                                    403,
                                    "forbidden",
                                    "What routes take and do not take is for admins.");
                return 0;
        }
        ws_response_header(call->response, "Cache-Control", "no-store");
        body = ws_response_json(call->response);
        if (!bulletin_get(subject, body))
                buf_append_string(body, nothing);
        return 0;
}

int ws_endpoint_unrouted(WsCall *call) {
        return ws_endpoint_tell(call,
                                BULLETIN_UNROUTED,
                                "{\"at\":null,\"messages\":0,\"shapes\":0,\"displaced\":0,"
                                "\"unrouted\":[]}");
}

int ws_endpoint_discovered(WsCall *call) {
        return ws_endpoint_tell(call,
                                BULLETIN_DISCOVERED,
                                "{\"at\":null,\"devices\":0,\"points\":0,\"refused\":0,"
                                "\"discovered\":[],\"not_taken\":[]}");
}
