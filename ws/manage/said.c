#include "ws/manage/said.h"

#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/name.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/account.h"
#include "model/metrics.h"
#include "ws/dialects/client_message.h"

#define WS_SAID_MEMBERS      4
#define WS_SAID_PASSWORD_MIN 8               /* as the command line */
#define WS_SAID_ID_MAX       999999999999999 /* as the command line */

typedef enum WsSaidForm {
        WS_SAID_NAME,     /* as the command line takes one */
        WS_SAID_CODE,     /* of a device or vehicle */
        WS_SAID_ROLE,     /* "user" where it is not said */
        WS_SAID_PASSWORD, /* goes its own way */
        WS_SAID_ALIAS,    /* a name, or null for none */
        WS_SAID_OWNER,    /* of a user, or null or absent for nobody */
        WS_SAID_USER,
        WS_SAID_TEXT,  /* or null, or absent */
        WS_SAID_TITLE, /* a text */
        WS_SAID_DEVICES,
        WS_SAID_ID, /* a number, or null, or absent */
} WsSaidForm;

typedef struct WsSaidMember WsSaidMember;

struct WsSaidMember {
        const char *name;
        WsSaidForm form;
};

static const WsSaidMember ws_said_members[MANAGE_COUNT][WS_SAID_MEMBERS] = {
        [MANAGE_USER_ADD] = { { "username", WS_SAID_NAME },
                              { "role", WS_SAID_ROLE },
                              { "password", WS_SAID_PASSWORD } },
        [MANAGE_USER_IDENTIFIER] = { { "identifier", WS_SAID_ALIAS } },
        [MANAGE_USER_PASSWORD] = { { "password", WS_SAID_PASSWORD } },
        [MANAGE_DEVICE_ADD] = { { "code", WS_SAID_CODE },
                                { "user", WS_SAID_OWNER },
                                { "name", WS_SAID_TEXT },
                                { "type", WS_SAID_TEXT } },
        [MANAGE_DEVICE_SHARE] = { { "user", WS_SAID_USER } },
        [MANAGE_VEHICLE_ADD] = { { "code", WS_SAID_CODE },
                                 { "user", WS_SAID_OWNER },
                                 { "name", WS_SAID_TEXT },
                                 { "id", WS_SAID_ID } },
        [MANAGE_VEHICLE_SHARE] = { { "user", WS_SAID_USER } },
        [MANAGE_GROUP_ADD] = { { "name", WS_SAID_TITLE }, { "devices", WS_SAID_DEVICES } },
        [MANAGE_GROUP_REMOVE] = { { "devices", WS_SAID_DEVICES } },
        [MANAGE_GROUP_SHARE] = { { "user", WS_SAID_USER } },
};

static bool ws_said_is_id(const char *text) {
        uint64_t id;

        return text_to_number(text_of(text), WS_SAID_ID_MAX, &id) && id > 0;
}

/* What is wrong with it; NULL: nothing. @text NULL is null, or absent. */
static const char *ws_said_fault(WsSaidForm form, const char *text) {
        Role role;

        switch (form) {
        case WS_SAID_NAME:
                return text && !name_user_refusal(text_of(text))
                               ? NULL
                               : "1 to 128 bytes, no space, / + #, and nothing that could be an id";
        case WS_SAID_CODE:
                return text && !name_refusal(text_of(text)) ? NULL
                                                            : "1 to 128 bytes, no + #, no space or "
                                                              "what nobody sees at its ends, "
                                                              "and nothing that could be an id";
        case WS_SAID_ALIAS:
                return !text || !name_user_refusal(text_of(text))
                               ? NULL
                               : "null, or 1 to 128 bytes, no space, / + #, and no number";
        case WS_SAID_ROLE:
                return !text || role_from_name(text, &role) ? NULL : "user, viewer or admin";
        case WS_SAID_PASSWORD:
                return text && strlen(text) >= WS_SAID_PASSWORD_MIN ? NULL : "8 to 255 bytes";
        case WS_SAID_USER:
                return text && *text ? NULL : "the name of a user, id:N, or an id";
        case WS_SAID_OWNER:
                return !text || *text ? NULL
                                      : "the name of a user, id:N, an id, or null for nobody";
        case WS_SAID_ID:
                return !text || ws_said_is_id(text) ? NULL : "1 to 999999999999999, or null";
        case WS_SAID_TITLE:
                return text && *text && name_is_printable(text_of(text)) ? NULL
                                                                         : "1 to 255 bytes of text";
        default:
                return !text || name_is_printable(text_of(text)) ? NULL : "a text, or null";
        }
}

/* An id as a name may be: names are no numbers. */
static const char *ws_said_user(const char *text, char ret_text[32]) {
        int64_t id = text ? name_spelt_id(text_of(text)) : 0;

        if (id == 0)
                return text;
        snprintf(ret_text, 32, "id:%lld", (long long)id);
        return ret_text;
}

static int ws_said_add(Query *query, WsSaidForm form, const char *text) {
        char id[32];

        switch (form) {
        case WS_SAID_PASSWORD:
                query->password = strdup(text);
                query->manage->has_password = true;
                return query->password ? 0 : err_new(-ENOMEM);
        case WS_SAID_USER:
        case WS_SAID_OWNER:
                return err_up(manage_query_say(query->manage, ws_said_user(text, id)));
        case WS_SAID_ROLE:
                return err_up(manage_query_say(query->manage, text ? text : "user"));
        default:
                return err_up(manage_query_say(query->manage, text));
        }
}

static int ws_said_invalid(char *why, const char *name, const char *allowed) {
        snprintf(why, WS_SAID_WHY_SIZE, "%s: allowed: %s.", name, allowed);
        return WS_SAID_E_INVALID;
}

static int ws_said_refuse_list(char *why, const char *name, size_t n_most) {
        char allowed[80];

        snprintf(allowed,
                 sizeof(allowed),
                 "a list of codes or ids of devices, %zu at most",
                 n_most);
        return ws_said_invalid(why, name, allowed);
}

static int ws_said_take_list(Query *query,
                             const WsClientMessage *body,
                             const char *name,
                             size_t n_most,
                             char ret_why[WS_SAID_WHY_SIZE]) {
        CLEANUP_BUF Buf list = { 0 };
        JsonOut out = { .buf = &list };
        WsClientMessageList devices;
        char text[256], id[32];
        int r;

        r = ws_client_message_list(body, name, &devices);
        if (r < 0)
                return err_up(r);
        if (r == 0 && devices.list && devices.n > n_most)
                metric_add(METRIC_GROUPS_REFUSED, 1);
        if (r > 0 || !devices.list || devices.n > n_most)
                return ws_said_refuse_list(ret_why, name, n_most);
        json_out_array(&out, NULL);
        for (size_t i = 0; i < devices.n; ++i) {
                if (!ws_client_message_name(&devices, i, text))
                        return ws_said_refuse_list(ret_why, name, n_most);
                json_out_string(&out, NULL, ws_said_user(text, id));
        }
        json_out_array_end(&out);
        if (buf_failed(&list))
                return err_new(-ENOMEM);
        return err_up(manage_query_say(query->manage, list.data));
}

/* Who or what is meant may be told by its number. All else is a text: 7 is no password. */
static bool ws_said_may_be_number(WsSaidForm form) {
        return form == WS_SAID_USER || form == WS_SAID_OWNER || form == WS_SAID_ID;
}

static int ws_said_take(Query *query,
                        const WsClientMessage *body,
                        const WsSaidMember *member,
                        size_t n_devices,
                        char ret_why[WS_SAID_WHY_SIZE]) {
        char text[256];
        bool is_null = false, is_said;
        const char *fault;
        int r;

        if (member->form == WS_SAID_DEVICES)
                return ws_said_take_list(query, body, member->name, n_devices, ret_why);
        if (member->form == WS_SAID_ALIAS && !ws_client_message_has(body, member->name))
                return ws_said_invalid(ret_why,
                                       member->name,
                                       "a name, or null, which takes it away");
        is_said = ws_client_message_member(body, member->name, text, &is_null);
        if (is_said && !is_null && !ws_said_may_be_number(member->form))
                is_said = ws_client_message_is_text(body, member->name);
        if (!is_said && ws_client_message_has(body, member->name))
                return ws_said_invalid(ret_why, member->name, "a text of 255 bytes at most");
        fault = ws_said_fault(member->form, is_said && !is_null ? text : NULL);
        if (fault)
                return ws_said_invalid(ret_why, member->name, fault);
        r = ws_said_add(query, member->form, is_said && !is_null ? text : NULL);
        secret_wipe(text, sizeof(text));
        return err_up(r);
}

int ws_said_read(Query *query, Text body, size_t n_devices, char ret_why[WS_SAID_WHY_SIZE]) {
        const WsSaidMember *members = ws_said_members[query->manage->kind];
        __attribute__((cleanup(ws_client_message_done))) WsClientMessage message = { 0 };
        int r = 0;

        if (!members[0].name)
                return 0;
        r = ws_client_message_parse(&message, body);
        if (r < 0)
                return err_up(r);
        if (r > 0 || !ws_client_message_is_object(&message))
                return WS_SAID_E_BAD;
        for (size_t i = 0; r == 0 && i < WS_SAID_MEMBERS && members[i].name; ++i)
                r = ws_said_take(query, &message, &members[i], n_devices, ret_why);
        return r;
}
