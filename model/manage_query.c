#include "model/manage_query.h"

#include "base/err.h"

static const struct {
        const char *name;
        bool is_read, is_single;
} manage_kinds[MANAGE_COUNT] = {
        [MANAGE_USERS] = { "users", true, false },
        [MANAGE_USER_ADD] = { "user_add", false, true },
        [MANAGE_USER_DELETE] = { "user_delete", false, true },
        [MANAGE_USER_ENABLE] = { "user_enable", false, false },
        [MANAGE_USER_DISABLE] = { "user_disable", false, false },
        [MANAGE_USER_IDENTIFIER] = { "user_identifier", false, false },
        [MANAGE_USER_PASSWORD] = { "user_password", false, false },
        [MANAGE_USER_REVOKE] = { "user_revoke", false, false },
        [MANAGE_USER_TOKEN] = { "user_token", false, false },
        [MANAGE_DEVICES] = { "devices", true, false },
        [MANAGE_DEVICE_ADD] = { "device_add", false, true },
        [MANAGE_DEVICE_DELETE] = { "device_delete", false, true },
        [MANAGE_DEVICE_ROTATE] = { "device_token_rotate", false, false },
        [MANAGE_DEVICE_REVOKE] = { "device_token_revoke", false, false },
        [MANAGE_DEVICE_UPLINK_ON] = { "device_uplink_on", false, false },
        [MANAGE_DEVICE_UPLINK_OFF] = { "device_uplink_off", false, false },
        [MANAGE_DEVICE_SHARES] = { "device_shares", true, false },
        [MANAGE_DEVICE_SHARE] = { "device_share", false, false },
        [MANAGE_VEHICLES] = { "vehicles", true, false },
        [MANAGE_VEHICLE_ADD] = { "vehicle_add", false, true },
        [MANAGE_VEHICLE_DELETE] = { "vehicle_delete", false, true },
        [MANAGE_VEHICLE_SHARES] = { "vehicle_shares", true, false },
        [MANAGE_VEHICLE_SHARE] = { "vehicle_share", false, false },
        [MANAGE_GROUPS] = { "groups", true, false },
        [MANAGE_GROUP_ADD] = { "group_add", false, false },
        [MANAGE_GROUP_DELETE] = { "group_delete", false, true },
        [MANAGE_GROUP_REMOVE] = { "group_remove", false, false },
        [MANAGE_GROUP_SHARES] = { "group_shares", true, false },
        [MANAGE_GROUP_SHARE] = { "group_share", false, false },
        [MANAGE_SHARE_DELETE] = { "share_delete", false, true },
        [MANAGE_ALERT_ACKNOWLEDGE] = { "alert_acknowledge", false, false },
        [MANAGE_COMMANDS] = { "commands", true, false },
};

int manage_query_new(ManageQuery **ret_query, ManageKind kind) {
        ManageQuery *query = calloc(1, sizeof(*query));

        if (!query)
                return err_new(-ENOMEM);
        query->kind = kind;
        *ret_query = query;
        return 0;
}

ManageQuery *manage_query_free(ManageQuery *query) {
        if (!query)
                return NULL;

        for (size_t i = 0; i < query->n_texts; ++i)
                free(query->texts[i]);
        free(query);
        return NULL;
}

int manage_query_say(ManageQuery *query, const char *text) {
        assert(query->n_texts < MANAGE_N_TEXTS);

        query->texts[query->n_texts] = text ? strdup(text) : NULL;
        if (text && !query->texts[query->n_texts])
                return err_new(-ENOMEM);
        ++query->n_texts;
        return 0;
}

const char *manage_kind_name(ManageKind kind) {
        return manage_kinds[kind].name;
}

bool manage_kind_is_read(ManageKind kind) {
        return manage_kinds[kind].is_read;
}

bool manage_kind_is_single(ManageKind kind) {
        return manage_kinds[kind].is_single;
}
