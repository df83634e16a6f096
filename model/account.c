#include "model/account.h"

#include <math.h>
#include <strings.h>

#include "base/ids.h"
#include "base/name.h"
#include "base/text.h"

static const char *const role_names[] = {
        [ROLE_VIEWER] = "viewer",
        [ROLE_USER] = "user",
        [ROLE_ADMIN] = "admin",
};

const char *role_name(Role role) {
        return (unsigned)role < N_ELEMENTS(role_names) ? role_names[role] : "unknown";
}

bool role_from_name(const char *name, Role *ret_role) {
        for (size_t i = 0; name && i < N_ELEMENTS(role_names); ++i) {
                if (strcmp(role_names[i], name) == 0) {
                        *ret_role = (Role)i;
                        return true;
                }
        }
        return false;
}

DeviceState device_state_unknown(void) {
        return (DeviceState){
                .last_seen_us = CLOCK_UNKNOWN,
                .time_us = CLOCK_UNKNOWN,
                .status_us = CLOCK_UNKNOWN,
                .clock_set_us = CLOCK_UNKNOWN,
                .temperature = (double)NAN,
                .humidity = (double)NAN,
                .latitude = (double)NAN,
                .longitude = (double)NAN,
        };
}

bool device_is_heard(const DeviceState *state, int64_t at_us) {
        return state->last_seen_us != CLOCK_UNKNOWN &&
               state->last_seen_us > at_us - DEVICE_HEARD_US;
}

const char *device_status_name(const DeviceState *state, int64_t at_us) {
        if (*state->status)
                return state->status;
        return device_is_heard(state, at_us) ? "online" : DEVICE_AWAY;
}

bool device_is_scanner(const Device *device) {
        static const char *const types[] = { "ble_scanner", "ble", "scanner" };

        for (size_t i = 0; device->device_type && i < N_ELEMENTS(types); ++i)
                if (strcasecmp(device->device_type, types[i]) == 0)
                        return true;
        return false;
}

/* FNV-1a of 64 bits, mixed. */
uint64_t thing_key_hash(const char *key) {
        uint64_t hash;

        if (!key || !*key)
                return 0;
        hash = text_hash(TEXT_HASH, key, strlen(key));
        hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
        return hash != 0 ? hash : 1;
}

bool thing_is_same(uint64_t key_hash, uint64_t other) {
        return key_hash == other || key_hash == 0 || other == 0;
}

bool device_narrows(const Device *before, const Device *after) {
        if (before->user_id != 0 && before->user_id != after->user_id)
                return true;
        if (before->is_active && !after->is_active)
                return true;
        if (before->may_uplink && !after->may_uplink)
                return true;
        return before->has_token &&
               (!after->has_token || before->token_generation != after->token_generation);
}

bool device_is_called(const Device *device, Text text) {
        int64_t said = name_said_id(text);

        if (said != 0)
                return said == device->id;
        return text_equal(text, text_of(device->code)) || name_spelt_id(text) == device->id;
}

bool audience_has(const Audience *audience, int64_t user_id) {
        return ids_have(audience->user_ids, audience->n, user_id);
}

static bool user_is_among(const User *user, const Audience *audience) {
        if (!user || !user->is_active)
                return false;
        return user->role == ROLE_ADMIN || audience_has(audience, user->id);
}

bool user_sees_device(const User *user, const Device *device) {
        return user_is_among(user, &device->audience);
}

bool user_sees_vehicle(const User *user, const Vehicle *vehicle) {
        return user_is_among(user, &vehicle->audience);
}
