#pragma once

/*
 * ManageQuery: what somebody does to users, devices, vehicles, shares and groups by HTTP, and the
 * list of commands.
 *
 * Who may do it is judged by the statement that does it. Pure.
 */

#include "base/base.h"

#define MANAGE_N_TEXTS 5

typedef enum ManageKind {
        MANAGE_USERS, /* which: after the one with @id, at most @limit */
        MANAGE_USER_ADD,
        MANAGE_USER_DELETE,
        MANAGE_USER_ENABLE,
        MANAGE_USER_DISABLE,
        MANAGE_USER_IDENTIFIER,
        MANAGE_USER_PASSWORD,
        MANAGE_USER_REVOKE,
        MANAGE_USER_TOKEN,
        MANAGE_DEVICES,
        MANAGE_DEVICE_ADD,
        MANAGE_DEVICE_DELETE,
        MANAGE_DEVICE_ROTATE,
        MANAGE_DEVICE_REVOKE,
        MANAGE_DEVICE_UPLINK_ON,
        MANAGE_DEVICE_UPLINK_OFF,
        MANAGE_DEVICE_SHARES,
        MANAGE_DEVICE_SHARE,
        MANAGE_VEHICLES,
        MANAGE_VEHICLE_ADD,
        MANAGE_VEHICLE_DELETE,
        MANAGE_VEHICLE_SHARES,
        MANAGE_VEHICLE_SHARE,
        MANAGE_GROUPS,
        MANAGE_GROUP_ADD,
        MANAGE_GROUP_DELETE,
        MANAGE_GROUP_REMOVE,
        MANAGE_GROUP_SHARES,
        MANAGE_GROUP_SHARE,
        MANAGE_SHARE_DELETE,
        MANAGE_ALERT_ACKNOWLEDGE, /* which: the number; the epoch is its text */
        MANAGE_COMMANDS, /* as they were sent, the newest first: behind the one of time @id (in us)
                            and of the id that is its first text; of the device, and in the state,
                            that are its others; NULL: any */
        MANAGE_COUNT,
} ManageKind;

typedef struct ManageQuery ManageQuery;

struct ManageQuery {
        ManageKind kind;
        int64_t id;                  /* of what it is about; 0: nothing yet */
        int limit;                   /* of a list; 0: it is none */
        bool has_password;           /* the query's: its hash is the last text */
        char *texts[MANAGE_N_TEXTS]; /* owned; NULL is null */
        size_t n_texts;
};

MUST_CHECK int manage_query_new(ManageQuery **ret_query, ManageKind kind);
ManageQuery *manage_query_free(ManageQuery *query);
/* Adds a text: its own copy. */
MUST_CHECK int manage_query_say(ManageQuery *query, const char *text);
const char *manage_kind_name(ManageKind kind); /* for the log */
bool manage_kind_is_read(ManageKind kind);
/* Done a second time it is answered otherwise: there is one already, or none any more. */
bool manage_kind_is_single(ManageKind kind);

DEFINE_CLEANUP(ManageQuery *, manage_query_free);
